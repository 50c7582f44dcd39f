"""Limits torch and BLAS to one thread while fitting and scoring."""

import threading
from queue import SimpleQueue

import torch
from threadpoolctl import ThreadpoolController

from skncae._surroundings import ForAllThreads, undisturbed


class _OneThread(ForAllThreads):
    """Keeps torch and BLAS to one thread while anybody trains or scores.

    A step, or a block of scores, is many small operations. Sharing each of them out
    costs more than it gains on an idle machine, and several times the whole on a busy
    one, where threads wait for each other.
    """

    def __init__(self):
        super().__init__()
        self._n_threads = 1
        blas = ThreadpoolController().select(user_api="blas")
        self._blas = blas.lib_controllers
        self._blas_threads = []

    def _enter(self):
        """Come in; the first one puts BLAS to one thread."""
        with self._lock:
            own = torch.get_num_threads()
            if self._n_inside == 0:
                self._n_threads = own
                self._blas_threads = [library.num_threads for library in self._blas]
            elif own == 1:
                # A thread that is new to torch starts from the number set last, which
                # is that of those who are inside.
                own = self._n_threads
            # Both or none: no interrupt comes between two assignments.
            self._n_inside += 1
            self._here.inside = own
            for library in self._blas:
                library.set_num_threads(1)
        torch.set_num_threads(1)

    def _leave(self):
        """Go out, also half way in or out; the last one gives BLAS its threads back."""
        with self._lock:
            if self._is_inside():
                torch.set_num_threads(self._here.inside)
                self._n_inside -= 1
                self._here.inside = None
            # OpenBLAS may listen to the main thread only: no other can do it for it.
            is_main = threading.current_thread() is threading.main_thread()
            if self._n_inside == 0 or is_main:
                self._give_back()

    def _give_back(self):
        # An interrupt may have come before all were counted.
        for library, n in zip(self._blas, self._blas_threads, strict=False):
            library.set_num_threads(n)


one_thread = _OneThread()


def in_threads(function, items):
    """Call a function on each of the items, in as many threads as torch may use.

    Each call keeps to one thread: what is shared out is items, not operations. After an
    error or an interrupt no other item is begun, and those that were are waited for.
    """
    n_threads = min(torch.get_num_threads(), len(items))
    with one_thread():
        if n_threads < 2:
            for item in items:
                function(item)
        else:
            _share_out(function, items, n_threads)


def _share_out(function, items, n_threads):
    """Call a function on each of the items, in so many threads.

    Python's pools hand over with locks that are written in Python. An interrupt in one
    of them leaves it taken, and then both sides wait for ever. These steps have none;
    but a thread that is interrupted as it starts may never get to its first item.
    """
    todo, news = iter(items), SimpleQueue[None]()
    outcomes: list[BaseException | None] = []

    def leave_the_rest():
        for _ in todo:
            outcomes.append(None)

    def work():
        for item in todo:
            try:
                # A thread has settings of its own.
                with undisturbed(), one_thread():
                    function(item)
            except BaseException as error:
                leave_the_rest()
                outcomes.append(error)
            else:
                outcomes.append(None)
            news.put(None)

    def wait():
        while len(outcomes) < len(items):
            news.get()

    try:
        for _ in range(n_threads):
            threading.Thread(target=work, daemon=True).start()
        wait()
    except BaseException:
        leave_the_rest()
        wait()
        raise
    for error in outcomes:
        if error is not None:
            raise error
