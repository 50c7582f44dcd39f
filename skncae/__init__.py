"""Outlier detection in data that is already dirty."""

from typing import TYPE_CHECKING

from skncae._version import __version__ as __version__

if TYPE_CHECKING:
    from skncae._detector import NCAEDetector
    from skncae._explanation import Explanation
    from skncae._pipelines import explain
    from skncae.data._chunks import Chunks
    from skncae.reports import Report
    from skncae.reports import make_report as report

__all__ = ["Chunks", "Explanation", "NCAEDetector", "Report", "explain", "report"]

# Imported when they are asked for, so that `skncae --help` does not wait for torch.
_HOMES = {
    "Chunks": ("skncae.data._chunks", "Chunks"),
    "Explanation": ("skncae._explanation", "Explanation"),
    "NCAEDetector": ("skncae._detector", "NCAEDetector"),
    "Report": ("skncae.reports", "Report"),
    "explain": ("skncae._pipelines", "explain"),
    "report": ("skncae.reports", "make_report"),
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    found = globals()[name] = getattr(import_module(module), attribute)
    return found


def __dir__():
    return sorted({*globals(), *__all__})
