"""Many rows: ``python -m benchmarks.scale``.

=========  ================================================================
step       CPU time of a training step, beside the arithmetic it needs
gpu        time of a training step on a GPU, kernel by kernel, as a CUDA graph and
           with products in bfloat16, beside the arithmetic it needs
devices    time of a whole fit on the CPU and on a GPU, of tables and images: what
           ``device="auto"`` goes by
scores     rows a second of NCAEDetector, scikit-learn's IsolationForest and
           PyOD's AutoEncoder, on a memmap of 10^4 to 10^7 x 10 rows, each
           fitted on the first 5,000
chunks     fit and predict on `Chunks` of a file under a limit of memory
           (--gigabytes, --limit), beside the time to read it
dask       fit on two worker processes, beside fit in memory
=========  ================================================================

One thread a process. Cases of an experiment take turns; a ratio compares rows of one
file. `anon_mb` is the largest memory of the process that is no file's, above what it
had before the fit (chunks, dask) or the scores (scores); the file's own pages are the
system's to keep or drop. Rows that are there already are skipped.
"""

import argparse
import os
import resource
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.detectors import registry as detectors
from benchmarks.harness import isolation, records

COLUMNS = (
    "experiment",
    "case",
    "n",
    "d",
    "repeat",
    "status",
    "s",
    "cpu_s",
    "floor_s",
    "anon_mb",
    "note",
)
KEY = ("experiment", "case", "n", "d", "repeat")
N_FIT = 5_000
STEPS = 100


def parse(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    # Where there is a GPU, ask for it.
    default = [name for name in EXPERIMENTS if name not in ("gpu", "devices")]
    parser.add_argument("--experiments", default=",".join(default))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", default="10000,100000,1000000,10000000")
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--limit", type=float, default=2, help="GB of memory")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="for the file")
    parser.add_argument("--output", default="benchmarks/results/scale.csv")
    parser.add_argument("--time-limit", type=float, default=600)
    options = parser.parse_args(arguments)
    options.experiments = options.experiments.split(",")
    options.rows = [int(n) for n in options.rows.split(",")]
    return options


def run(options):
    """Run what is missing in the output file, and return the file's rows."""
    isolation.one_thread()
    records.append_provenance(options.output, records.provenance(suite="scale"))
    context = isolation.start_context()
    for experiment in options.experiments:
        cases, measure, repeats = EXPERIMENTS[experiment](options)
        for repeat in range(repeats):
            for case, n, d in cases:
                known = records.read(options.output, KEY)
                row = dict(zip(KEY, (experiment, case, n, d, repeat), strict=True))
                if _is_known(known, row):
                    continue
                limit = options.time_limit if experiment == "scores" else None
                row |= in_child(context, limit, measure, case, n, d, options)
                records.append(options.output, row, COLUMNS)
                print(row, flush=True)
    return records.read(options.output, KEY)


def in_child(context, time_limit, measure, *arguments):
    """Call `measure` in a process of its own; a failure is a row too."""
    return isolation.in_process(context, time_limit, _child, measure, arguments)


def _child(sender, measure, arguments):
    isolation.one_thread()
    import torch

    torch.set_num_threads(1)
    try:
        outcome = {"status": "ok", "note": ""} | measure(*arguments)
    except Exception as error:
        outcome = {"status": "error", "note": f"{type(error).__name__}: {error}"}
    sender.send(outcome)


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


# --- the step ------------------------------------------------------------------


def step(options):
    """Cases of the experiment: numbers of members, on 9 and 36 columns."""
    cases = [(str(n_members), 20_000, d) for d in (9, 36) for n_members in (1, 8, 16)]
    return cases, measure_step, options.repeats


def measure_step(case, n, d, options):
    """Time steps of the default networks; the floor is their matrix products."""
    trainer = step_trainer(int(case), n, d, "cpu")
    trainer.run(n_steps=STEPS)
    with Meter() as meter:
        trainer.run(n_steps=STEPS)
    per_step = {name: value / STEPS for name, value in meter.row().items()}
    floor_s = products_s(trainer.n_members, d, trainer.recipe, product_s)
    return per_step | {"floor_s": floor_s, "anon_mb": ""}


def step_trainer(n_members, n, d, device, **parameters):
    """Set up the training of the default networks on normally distributed rows."""
    import torch

    from skncae import NCAEDetector
    from skncae.networks._generators import MemberStreams
    from skncae.scaling._calibration import calibrated_view
    from skncae.training._trainer import Trainer

    detector = NCAEDetector(max_iter=10**6, **parameters)
    detector.image_shape_ = None
    X = np.random.default_rng(0).normal(size=(n, d))
    make = partial(Trainer, streams=MemberStreams(0, range(n_members)))
    view = calibrated_view("whitened", X, 1)
    return detector._trainer(X, view, None, make, torch.device(device), False)


def products_s(n_members, d, recipe, product_s):
    """Seconds that the matrix products of a step take, each measured alone."""
    batch = recipe.batch_size
    encoder = (d, *recipe.hidden_units, recipe.latent_dim)
    d_s = (d, *recipe.hidden_units, 1)
    d_l = (recipe.latent_dim, recipe.hidden_units[-1], 1)
    # Networks, rows and passes: one forward, and two back where there is a gradient.
    passes = [
        (encoder[::-1], batch, 3),
        (d_s, 2 * batch, 3),
        (encoder[::-1], batch, 1),
        (encoder, batch, 1),
        (encoder, batch, 3),
        (encoder[::-1], batch, 3),
        (d_l, 2 * batch, 3),
    ]
    return sum(
        n_passes * product_s(n_members, n_rows, *layer)
        for widths, n_rows, n_passes in passes
        for layer in zip(widths[:-1], widths[1:], strict=True)
    )


def product_s(n_members, n_rows, n_in, n_out):
    """CPU seconds of one layer's product, the least of several."""
    import torch

    x, weight = (
        torch.randn(n_members, n_rows, n_in),
        torch.randn(n_members, n_in, n_out),
    )
    bias, times = torch.randn(n_members, 1, n_out), []
    for _ in range(5):
        start = time.process_time()
        for _ in range(20):
            torch.baddbmm(bias, x, weight)
        times.append((time.process_time() - start) / 20)
    return min(times)


# --- the step on a GPU ---------------------------------------------------------

HOW = {
    "kernels": {},
    "graph": {},
    "bfloat16": {"precision": "bfloat16"},
}


def gpu(options):
    """Cases of the experiment: numbers of members, and how steps are launched."""
    cases = [
        (f"{n_members} {how}", 20_000, d)
        for d in (9, 36)
        for n_members in (1, 8, 64)
        for how in HOW
    ]
    return cases, measure_gpu, options.repeats


def measure_gpu(case, n, d, options):
    """Time steps on a GPU; the floor is their products, without any launching."""
    import torch

    n_members, how = case.split()
    trainer = step_trainer(int(n_members), n, d, "cuda", **HOW[how])
    if how == "kernels":
        trainer._graph = None
    trainer.run(n_steps=STEPS)
    torch.cuda.synchronize()
    with Meter() as meter:
        trainer.run(n_steps=STEPS)
        torch.cuda.synchronize()
    per_step = {name: value / STEPS for name, value in meter.row().items()}
    mb = torch.cuda.max_memory_allocated() / 2**20
    return per_step | {
        "floor_s": products_s(trainer.n_members, d, trainer.recipe, gpu_product_s),
        "anon_mb": "",
        "note": f"{torch.cuda.get_device_name()}, {mb:.0f} MB of its memory",
    }


def gpu_product_s(n_members, n_rows, n_in, n_out):
    """Seconds of one layer's product on a GPU, the least of several."""
    import torch

    from skncae.training._cuda_graph import captured

    shapes = (n_members, n_rows, n_in), (n_members, n_in, n_out), (n_members, 1, n_out)
    x, weight, bias = (torch.randn(shape, device="cuda") for shape in shapes)

    def products():
        for _ in range(100):
            out = torch.baddbmm(bias, x, weight)
        return out

    products()
    replay, _ = captured(products, x.device)
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        replay()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / 100)
    return min(times)


# --- devices -------------------------------------------------------------------

# The shape of the rows, and parameters of the detector.
FITS = {
    "table": ((9,), {}),
    "wide table": ((100,), {}),
    "64 members": ((9,), {"n_estimators": 64}),
    "wide networks": ((100,), {"hidden_units": (512, 256)}),
    "images": ((28, 28), {"evidence": "reconstruction"}),
    "colour images": ((32, 32, 3), {"evidence": "reconstruction"}),
    "wide images": (
        (32, 32, 3),
        {"evidence": "reconstruction", "hidden_units": (64, 128)},
    ),
}


def devices(options):
    """Cases of the experiment: what is fitted, and where."""
    cases = [
        (f"{name}, {device}", 2_000, int(np.prod(shape)))
        for name, (shape, _) in FITS.items()
        for device in ("cpu", "cuda")
    ]
    return cases, measure_devices, options.repeats


def measure_devices(case, n, d, options):
    """Time a second fit of the process; the first one loads what the device needs."""
    from skncae import NCAEDetector

    name, device = case.split(", ")
    shape, parameters = FITS[name]
    X = np.random.default_rng(0).normal(size=(n, *shape))
    detector = NCAEDetector(device=device, random_state=0, **parameters)
    detector.set_params(max_iter=50).fit(X)
    detector.set_params(max_iter=200)
    with Meter() as meter:
        detector.fit(X)
    return meter.row() | {"floor_s": ""}


# --- scores --------------------------------------------------------------------


def scores(options):
    """Cases of the experiment: detectors on growing memmaps."""
    names = ("NCAEDetector", "IsolationForest", "AutoEncoder")
    cases = [(name, n, 10) for n in options.rows for name in names]
    return cases, measure_scores, options.repeats


def measure_scores(case, n, d, options):
    """Time the scores of a memmap."""
    from sklearn.ensemble import IsolationForest

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        X = write_rows(Path(folder) / "rows.npy", n, d, np.float64)
        if case == "IsolationForest":
            detector = IsolationForest(random_state=0)
        else:
            detector = detectors.find(case).make(0, d)
        detector.fit(np.array(X[:N_FIT]))
        isolation.outlier_scores(detector, X[:100])
        with Meter() as meter:
            isolation.outlier_scores(detector, X)
    floor = scores_floor_s(detector, d) * n if case == "NCAEDetector" else ""
    return meter.row() | {"floor_s": floor}


def scores_floor_s(detector, d):
    """Seconds a row of the products of networks and dictionaries, in float64."""
    import torch

    from skncae._parameters import chosen

    parameters = chosen(detector)
    n_members = parameters["n_estimators"]
    flops = 2 * n_members * parameters["dictionary_size"] * d
    encoder = (d, *parameters["hidden_units"], parameters["latent_dim"])
    layers = list(zip(encoder[:-1], encoder[1:], strict=True))
    flops += 2 * 2 * n_members * sum(n_in * n_out for n_in, n_out in layers)
    a, times = torch.randn(n_members, 256, 256, dtype=torch.float64), []
    for _ in range(10):
        start = time.process_time()
        torch.bmm(a, a)
        times.append(time.process_time() - start)
    return flops / (2 * n_members * 256**3 / min(times))


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
    return [(f"{options.limit:g} GB", n, d)], measure_chunks, 1


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
    cases = [(where, 1_000_000, 10) for where in ("memory", "two workers")]
    return cases, measure_dask, options.repeats


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
    from skncae.scaling._calibration import check_rows

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


EXPERIMENTS = {
    "step": step,
    "gpu": gpu,
    "devices": devices,
    "scores": scores,
    "chunks": chunks,
    "dask": dask,
}


def table(frame):
    """Render medians; rows a second and times the floor where there is one."""
    lines = [
        f"{'experiment':<10} {'case':<16} {'n':>9} {'d':>4} {'s':>9} {'cpu s':>9} "
        f"{'x floor':>8} {'rows/s':>9} {'anon MB':>8}"
    ]
    groups = frame.groupby(["experiment", "n", "d", "case"], sort=False)
    for (experiment, n, d, case), part in groups:
        good = part[part.status == "ok"]
        head = f"{experiment:<10} {case:<16} {n:>9} {d:>4}"
        if good.empty:
            lines.append(f"{head} {part.status.iloc[0]}: {part.note.iloc[0]}")
            continue
        s, cpu_s, floor_s, anon_mb = good[["s", "cpu_s", "floor_s", "anon_mb"]].median()
        spent = s if experiment in ("gpu", "devices") else cpu_s
        lines.append(
            f"{head} {s:9.4f} {cpu_s:9.4f} {spent / floor_s:8.2f} "
            f"{'' if experiment in ('step', 'gpu') else round(n / spent):>9} "
            f"{anon_mb:8.0f}"
        )
    return "\n".join(lines)


def _is_known(frame, row):
    if "case" not in frame:
        return False
    same = (frame[list(KEY)].astype(str) == [str(row[key]) for key in KEY]).all(axis=1)
    return bool((same & frame.status.isin(["ok", "timeout"])).any())


def main(arguments=None):
    """Run the benchmark and print its table."""
    options = parse(arguments)
    os.makedirs(options.folder, exist_ok=True)
    frame = run(options)
    print(f"\n{records.provenance(suite='scale')}\n{table(frame)}")


if __name__ == "__main__":
    main()
