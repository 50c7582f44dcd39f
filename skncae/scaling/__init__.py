"""Scaled rows, and rows without missing entries."""
