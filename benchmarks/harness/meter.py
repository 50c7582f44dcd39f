"""What a block of code costs: seconds, CPU seconds and memory."""

import threading
import time
import timeit


def cpu_seconds(work, repeats=5):
    """Least CPU seconds of one call, of several repeats: others share the machine.

    A clock of CPU time may tick a hundred times a second only: `autorange` calls
    until 0.2 s have passed.
    """
    timer = timeit.Timer(work, timer=time.process_time)
    n_calls, _ = timer.autorange()
    return min(timer.repeat(repeats, n_calls)) / n_calls


class Meter:
    """Seconds, CPU seconds and the peak of anonymous memory of a block."""

    def __enter__(self):
        self._before = self._peak = _anon_mb()
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.s = time.perf_counter() - self._wall
        self.cpu_s = time.process_time() - self._cpu
        self._done.set()
        self._watch.join()

    def _look(self):
        while not self._done.wait(0.02):
            self._peak = max(self._peak, _anon_mb())

    def row(self):
        """Columns of the result file."""
        anon_mb = max(self._peak, _anon_mb()) - self._before
        return {"s": self.s, "cpu_s": self.cpu_s, "anon_mb": anon_mb}


def _anon_mb():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024
