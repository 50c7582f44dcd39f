"""Experiments of the suite scale on more rows than memory: a file, and a cluster."""

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.harness.meter import Meter


def write_rows(path, n, d, dtype):
    """Write n rows to a file, a part at a time, and return it as a memmap."""
    part = np.random.default_rng(0).normal(size=(min(n, 50_000), d)).astype(dtype)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(n, d))
    for start in range(0, n, len(part)):
        stop = min(start + len(part), n)
        # Other rows in every part, at the price of one addition.
        rows[start:stop] = part[: stop - start] + dtype(start / n)
    rows.flush()
    return np.load(path, mmap_mode="r")


# --- more rows than memory -----------------------------------------------------


def chunks(options):
    """Case of the experiment: one file, larger than the limit."""
    d = 200
    n = int(options.gigabytes * 1e9 / (8 * d))
    return [(f"{options.limit:g} GB", n, d)]


def measure_chunks(case, n, d, options):
    """Fit on a file and label its rows, where the file does not fit in memory."""
    from skncae import Chunks, NCAEDetector

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        X = write_rows(Path(folder) / "rows.npy", n, d, np.float64)
        limit = int(options.limit * 1e9)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        try:
            np.empty((n, d))
            raise RuntimeError("the rows fit in memory")
        except MemoryError:
            pass
        start = time.perf_counter()
        for part in Chunks(X):
            part.sum()
        floor_s = time.perf_counter() - start
        with Meter() as meter:
            detector = NCAEDetector(random_state=0).fit(Chunks(X))
        start = time.perf_counter()
        n_flagged = sum((detector.predict(p) == -1).sum() for p in Chunks(X[: n // 20]))
    note = (
        f"floor: 2 passes of reading; predict of a twentieth: "
        f"{time.perf_counter() - start:.0f} s, {n_flagged} flagged"
    )
    return meter.row() | {"floor_s": 2 * floor_s, "note": note}


# --- a cluster -----------------------------------------------------------------


def dask(options):
    """Cases of the experiment: in memory, and on two workers."""
    return [(where, 1_000_000, 10) for where in ("memory", "two workers")]


def measure_dask(case, n, d, options):
    """Fit on rows that are there already; note what it is made of."""
    from skncae import NCAEDetector

    if case == "memory":
        X = np.random.default_rng(0).normal(size=(n, d))
        with Meter() as meter:
            NCAEDetector(random_state=0).fit(X)
        return meter.row()
    import dask.array as da
    from dask import config
    from dask.distributed import Client, LocalCluster, wait

    from skncae.dask import fit

    # See the guide: without it every block of scores costs new pages of memory.
    config.set({"distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**26})
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster):
        part = max(1, n // 40)
        X = da.random.default_rng(0).normal(size=(n, d), chunks=(part, d)).persist()
        wait(X)
        fit(NCAEDetector(n_estimators=1, max_iter=1, random_state=0), X[: 2 * part])
        with Meter() as meter:
            detector = fit(NCAEDetector(random_state=0), X)
        note = dask_constants(detector, np.asarray(X[:part].compute()), n)
    return meter.row() | {"note": note}


def dask_constants(detector, part, n):
    """Say what a row costs, and a partition sends."""
    import pickle

    from skncae.data._quantiles import Sketch
    from skncae.data._sample import Sample
    from skncae.data._validation import check_rows

    start = time.perf_counter()
    check_rows(detector, part, reset=False)
    sample = Sample.of_part(20_000, 0, part, 0, n)
    sample_us = 1e6 * (time.perf_counter() - start) / len(part)
    start = time.perf_counter()
    sketch = Sketch.of(detector._scorer.errors(part))
    score_us = 1e6 * (time.perf_counter() - start) / len(part)
    sizes = [len(pickle.dumps(held)) for held in (sample, sketch, detector._scorer)]
    return (
        f"us a row: sample {sample_us:.2f}, errors {score_us:.2f}; kB: sample of a "
        f"partition {sizes[0] / 1e3:.0f}, sketch {sizes[1] / 1e3:.0f}, "
        f"scorer {sizes[2] / 1e3:.0f}"
    )
