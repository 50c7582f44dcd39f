"""What the caller has set in torch and numpy stays outside, and stays as it was.

Every public door of the package goes through `undisturbed`. What it switches off
belongs to the thread that is inside, so other threads of the caller notice nothing.
The default type of torch belongs to all threads: where it could matter, the type is
named. So does the precision of products of float32, which nothing else can name: it is
put aside while anybody is inside.
"""

import inspect
import os
import threading
import warnings
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any

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


class ForAllThreads:
    """A context in which something is set that all threads share.

    The first one inside sets it in `_enter`, and the last one gives it back in
    `_leave`, also half way in or out. A subclass writes both, with the lock: they count
    `_n_inside`, and `_here.inside` of a thread is what it keeps while it is inside.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._here = threading.local()
        self._n_inside = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.after_fork)

    @contextmanager
    def __call__(self):
        if self._is_inside():
            # A callback that scores while its fit goes on: the fit gives it back.
            yield
            return
        try:
            self._enter()
            yield
        finally:
            try:
                self._leave()
            except BaseException:
                # An interrupt that came on the way out.
                self._leave()
                raise

    def after_fork(self):
        """Start anew in a child process, which has no thread but the one that forked.

        Another one may have held the lock, or been inside.
        """
        self._lock = threading.Lock()
        was_inside, self._n_inside = self._n_inside, int(self._is_inside())
        if was_inside and not self._n_inside:
            self._give_back()

    def _is_inside(self):
        return getattr(self._here, "inside", None) is not None

    def _enter(self):
        raise NotImplementedError

    def _leave(self):
        raise NotImplementedError

    def _give_back(self):
        raise NotImplementedError


class _ExactProducts(ForAllThreads):
    """Products of float32 are of float32, though the caller allows TF32 or bfloat16."""

    def __init__(self):
        super().__init__()
        self._undo: list[partial] = []

    def _enter(self):
        with self._lock:
            if self._n_inside == 0:
                _multiply_exactly(self._undo)
            # Both or none: no interrupt comes between two assignments.
            self._n_inside += 1
            self._here.inside = True

    def _leave(self):
        """Go out, also half way in or out."""
        with self._lock:
            if self._is_inside():
                self._n_inside -= 1
                self._here.inside = None
            if self._n_inside == 0:
                self._give_back()

    def _give_back(self):
        while self._undo:
            self._undo[-1]()
            self._undo.pop()

    def after_fork(self):
        """The same; another thread may have been half way in, and is not counted."""
        super().after_fork()
        if not self._n_inside:
            self._give_back()


def _multiply_exactly(undo):
    """Let no product of float32 be of fewer digits; append what takes that back."""
    try:
        of_all = torch.get_float32_matmul_precision()
    except RuntimeError:
        # It was set for one kind of backend, which that function does not know.
        of_all = "highest"
    backends = _backends_of_products()
    lower = [b for b in backends if b.fp32_precision not in ("none", "ieee")]
    # Given back last, as they are now: the function for all of them writes into them.
    for backend in lower if of_all == "highest" else backends:
        undo.append(partial(_set_precision, backend, backend.fp32_precision))
    if of_all != "highest":
        undo.append(partial(torch.set_float32_matmul_precision, of_all))
        torch.set_float32_matmul_precision("highest")
    for backend in lower:
        backend.fp32_precision = "ieee"


@cache
def _backends_of_products():
    """What multiplies float32 and has a precision; an older torch has none."""
    mkldnn: Any = torch.backends.mkldnn
    found = [getattr(mkldnn, kind, None) for kind in ("matmul", "conv")]
    found.append(torch.backends.cuda.matmul)
    return [backend for backend in found if hasattr(backend, "fp32_precision")]


def _set_precision(backend, precision):
    """Give a backend its precision back, which may be that of all backends."""
    if backend.fp32_precision == precision:
        return
    backend.fp32_precision = "none"
    if backend.fp32_precision != precision:
        backend.fp32_precision = precision


exact_products = _ExactProducts()


@contextmanager
def undisturbed():
    """Compute as if the caller had set nothing; also a decorator.

    Switched off inside: numpy's error handling, inference mode and disabled gradients,
    autocast, a default device that is not the CPU, and products of lower precision.
    """
    before, has_gradients = np.geterr(), torch.is_grad_enabled()
    # What is off already is left alone: an interrupt in the door of another door leaves
    # it half open, and it would give back what it found there after the other is out.
    is_silent = set(before.values()) == {"ignore"}
    try:
        if not is_silent:
            np.seterr(all="ignore")
        with ExitStack() as off:
            if torch.is_inference_mode_enabled() or not torch.is_grad_enabled():
                off.enter_context(torch.inference_mode(False))
            for kind in ("cpu", "cuda"):
                if torch.is_autocast_enabled(kind):
                    off.enter_context(torch.autocast(kind, enabled=False))
            # It is slow where it is not needed: torch asks it at every operation.
            if torch.get_default_device().type != "cpu":
                off.enter_context(torch.device("cpu"))
            off.enter_context(exact_products())
            yield
    finally:
        # Not by errstate: an interrupt on its way in leaves nobody to go out.
        if not is_silent:
            _give_back(before, has_gradients)


def _give_back(errors, has_gradients):
    """Leave numpy and torch as before, also if an interrupt comes on the way out.

    Of gradients that is not torch's own affair: an interrupt on the way out of its
    no_grad leaves them off.
    """
    try:
        np.seterr(**errors)
        torch.set_grad_enabled(has_gradients)
    except BaseException:
        _give_back(errors, has_gradients)
        raise
