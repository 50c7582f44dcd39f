"""Outlier detection in data that is already dirty."""

from skncae._chunks import Chunks
from skncae._detector import NCAEDetector
from skncae._explanation import Explanation
from skncae._version import __version__ as __version__

__all__ = ["Chunks", "Explanation", "NCAEDetector"]
