"""Outlier detection in data that is already dirty."""

from skncae._detector import NCAEDetector

__all__ = ["NCAEDetector"]
__version__ = "0.1.0"
