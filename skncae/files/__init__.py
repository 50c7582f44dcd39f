"""Fitted detectors as files: archives and ONNX models."""
