"""Limits torch and BLAS to one thread while fitting and scoring."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from threadpoolctl import ThreadpoolController


class _OneThread:
    """Keeps torch and BLAS to one thread while anybody trains or scores.

    A step, or a block of scores, is many small operations. Sharing each of them out
    costs more than it gains on an idle machine, and several times the whole on a busy
    one, where threads wait for each other.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside = 0
        self._n_threads = 1
        self._blas = ThreadpoolController()

    @contextmanager
    def __call__(self):
        # Fits may run side by side. A thread that is new to torch starts from the
        # number set last, so the first fit saves for all; each restores its own.
        with self._lock:
            if self._n_inside == 0:
                self._n_threads = torch.get_num_threads()
                self._blas_limit = self._blas.limit(limits=1, user_api="blas")
            self._n_inside += 1
        # Also for those that come later: torch keeps the number for each thread.
        torch.set_num_threads(1)
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if self._n_inside == 0:
                    self._blas_limit.restore_original_limits()
            torch.set_num_threads(self._n_threads)


one_thread = _OneThread()


def in_threads(function, items):
    """Call a function on each of the items, in as many threads as torch may use.

    Each call keeps to one thread: what is shared out is items, not operations.
    """
    n_threads = min(torch.get_num_threads(), len(items))

    def in_one_thread(item):
        with one_thread():
            function(item)

    if n_threads < 2:
        for item in items:
            in_one_thread(item)
        return
    with one_thread(), ThreadPoolExecutor(n_threads) as pool:
        # What it raises is raised here.
        list(pool.map(in_one_thread, items))
