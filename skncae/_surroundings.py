"""What the caller has set in torch and numpy stays outside, and stays as it was.

Every public door of the package goes through `undisturbed`. What it switches off
belongs to the thread that is inside, so other threads of the caller notice nothing.
The default type of torch belongs to all threads: where it could matter, the type is
named.
"""

import inspect
import warnings
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

# Packages whose lines are not the caller's: their frames lie between us and him.
BETWEEN = {"skncae", "sklearn", "pyod", "contextlib", "joblib"}


def warn_caller(message, category=UserWarning):
    """Warn of the line that called the package, from however deep inside."""
    level, frame = 2, inspect.currentframe()
    frame = frame and frame.f_back
    while frame is not None and _package(frame) in BETWEEN:
        level, frame = level + 1, frame.f_back
    # Without such a line, in a thread of ours, the line that warns will do.
    warnings.warn(message, category, stacklevel=2 if frame is None else level)


def _package(frame):
    """Name of the package that a frame runs in."""
    return frame.f_globals.get("__name__", "").partition(".")[0]


@contextmanager
def undisturbed():
    """Compute as if the caller had set nothing; also a decorator.

    Switched off inside: numpy's error handling, inference mode and disabled gradients,
    autocast, and a default device that is not the CPU.
    """
    before = np.geterr()
    try:
        np.seterr(all="ignore")
        with torch.inference_mode(False), ExitStack() as off:
            for kind in ("cpu", "cuda"):
                if torch.is_autocast_enabled(kind):
                    off.enter_context(torch.autocast(kind, enabled=False))
            # It is slow where it is not needed: torch asks it at every operation.
            if torch.get_default_device().type != "cpu":
                off.enter_context(torch.device("cpu"))
            yield
    finally:
        # Not by errstate: an interrupt on its way in leaves nobody to go out.
        np.seterr(**before)
