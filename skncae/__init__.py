"""Outlier detection in data that is already dirty."""

from skncae._detector import NCAEDetector
from skncae._explanation import Explanation
from skncae._version import __version__ as __version__
from skncae.data._chunks import Chunks

__all__ = ["Chunks", "Explanation", "NCAEDetector"]
