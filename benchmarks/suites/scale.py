"""Many rows: steps, scores, files larger than memory, Dask.

=========  ================================================================
step       CPU time of a training step, beside the arithmetic it needs
gpu        time of a training step on a GPU, kernel by kernel, as a CUDA graph and
           with products in bfloat16, beside the arithmetic it needs
devices    time of a whole fit on the CPU and on a GPU, of tables and images: what
           ``device="auto"`` goes by
scores     rows a second of NCAEDetector, scikit-learn's IsolationForest and
           PyOD's AutoEncoder, on a memmap of 10^4 to 10^7 x 10 rows, each
           fitted on the first 5,000
latency    median seconds of scoring one row, with the detector, its ONNX model and
           scikit-learn's IsolationForest, in one thread
grid       a fit on 300 rows, what a grid search waits for
refine     learning from 40 and from 1,000 answers about rows of 30 columns, and asking
           for the next five
wide       fit and score of tables of more columns than they should have, beside
           PyOD's AutoEncoder on one of them
chunks     fit and predict on `Chunks` of a file under a limit of memory
           (--gigabytes, --limit), beside the time to read it
dask       fit on two worker processes, beside fit in memory
=========  ================================================================

One thread a process. Cases of an experiment take turns; a ratio compares rows of one
file. `anon_mb` is the largest memory of the process that is no file's, above what it
had before the fit (chunks, dask) or the scores (scores); the file's own pages are the
system's to keep or drop.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.detectors import registry
from benchmarks.harness import fits, printing
from benchmarks.harness.meter import Meter, cpu_seconds
from benchmarks.harness.suite import Suite, numbers, one_of
from benchmarks.suites._memory import (
    chunks,
    dask,
    measure_chunks,
    measure_dask,
    write_rows,
)
from benchmarks.suites._steps import gpu, measure_gpu, measure_step, step

N_FIT = 5_000


def cases(options):
    """Yield cases that take turns within an experiment."""
    for experiment in options.experiments:
        sizes, repeats, _ = EXPERIMENTS[experiment]
        for repeat in range(repeats or options.repeats):
            for case, n, d in sizes(options):
                row = {"experiment": experiment, "case": case, "n": n, "d": d}
                yield row | {"repeat": repeat}


def measure(case, task, options):
    """Run a case of an experiment once."""
    os.makedirs(options.folder, exist_ok=True)
    _, _, measured = EXPERIMENTS[case["experiment"]]
    return measured(case["case"], case["n"], case["d"], options)


# --- devices -------------------------------------------------------------------

# The shape of the rows, and parameters of the detector.
FITS = {
    "table": ((9,), {}),
    "wide table": ((100,), {}),
    "64 members": ((9,), {"n_estimators": 64}),
    "wide networks": ((100,), {"hidden_units": (512, 256)}),
    "images": ((28, 28), {"evidence": "reconstruction"}),
    "colour images": ((32, 32, 3), {"evidence": "reconstruction"}),
    "turned images": ((32, 32, 3), {"evidence": "transformations"}),
    "wide images": (
        (32, 32, 3),
        {"evidence": "reconstruction", "hidden_units": (64, 128)},
    ),
}


def devices(options):
    """Cases of the experiment: what is fitted, and where."""
    return [
        (f"{name}, {device}", 2_000, int(np.prod(shape)))
        for name, (shape, _) in FITS.items()
        for device in ("cpu", "cuda")
    ]


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
    return meter.row()


# --- scores --------------------------------------------------------------------


def scores(options):
    """Cases of the experiment: detectors on growing memmaps."""
    names = ("NCAEDetector", "IsolationForest", "AutoEncoder")
    return [(name, n, 10) for n in options.rows for name in names]


def measure_scores(case, n, d, options):
    """Time the scores of a memmap."""
    from sklearn.ensemble import IsolationForest

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        X = write_rows(Path(folder) / "rows.npy", n, d, np.float64)
        if case == "IsolationForest":
            detector = IsolationForest(random_state=0)
        else:
            detector = registry.find(case).make(0, d)
        detector.fit(np.array(X[:N_FIT]))
        fits.outlier_scores(detector, X[:100])
        with Meter() as meter:
            fits.outlier_scores(detector, X)
    floor = scores_floor_s(detector, d) * n if case == "NCAEDetector" else ""
    return meter.row() | {"floor_s": floor}


# --- one row, few rows -----------------------------------------------------------

N_CALLS = 1000


def latency(options):
    """Cases of the experiment: who scores rows one by one."""
    return [(name, N_CALLS, 10) for name in ("NCAEDetector", "ONNX", "IsolationForest")]


def measure_latency(case, n, d, options):
    """Time calls with one row each: median seconds, and mean CPU seconds."""
    from sklearn.ensemble import IsolationForest

    from skncae import NCAEDetector

    X = np.random.default_rng(0).normal(size=(2_000, d))
    forest = case == "IsolationForest"
    detector = (IsolationForest if forest else NCAEDetector)(random_state=0).fit(X)
    score = _onnx_scores(detector) if case == "ONNX" else detector.score_samples
    score(X[:1])
    seconds, cpu = [], time.process_time()
    for i in range(n):
        wall = time.perf_counter()
        score(X[i : i + 1])
        seconds.append(time.perf_counter() - wall)
    # A single call may be shorter than a tick of the clock of CPU time.
    return {"s": np.median(seconds), "cpu_s": (time.process_time() - cpu) / n}


def _onnx_scores(detector):
    """The scores of the exported model, as a function of rows."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        detector.to_onnx(Path(folder) / "detector.onnx")
        session = onnxruntime.InferenceSession(Path(folder) / "detector.onnx", options)
    return lambda rows: session.run(["score_samples"], {"X": rows})


def grid(options):
    """Cases of the experiment: one."""
    return [("NCAEDetector", 300, 10)]


def measure_grid(case, n, d, options):
    """Time a second fit of the process; the first one loads what it needs."""
    X = np.random.default_rng(0).normal(size=(n, d))
    registry.find(case).make(0, d).fit(X)
    with Meter() as meter:
        registry.find(case).make(0, d).fit(X)
    return meter.row()


# --- answers -------------------------------------------------------------------


def refine(options):
    """Cases of the experiment: what is asked of a fitted detector, and of what size."""
    return [
        (f"{method}, {n_answers} answers", n, 30)
        for n in (3_000, 100_000)
        for n_answers in (40, 1_000)
        for method in ("refine", "next_to_review")
    ]


def measure_refine(case, n, d, options):
    """Time a second refine of the process, as a reviewer goes on; or a question."""
    import pandas as pd

    from skncae import NCAEDetector

    method, n_answers = case.removesuffix(" answers").split(", ")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    X[: n // 20, :3] *= 3
    rows = np.r_[: int(n_answers) // 4, n - int(n_answers) * 3 // 4 : n]
    answers = pd.Series(np.where(rows < n // 20, -1, 1), rows)
    detector = NCAEDetector(random_state=0).fit(X)
    detector.refine(X, answers.iloc[:-5])
    with Meter() as meter:
        if method == "refine":
            detector.refine(X, answers.iloc[-5:])
        else:
            detector.next_to_review(X)
    return meter.row()


# --- wide tables ---------------------------------------------------------------


# Rows and columns of the tables; which PyOD's detector is fitted on too, and which are
# fitted with holes as well.
WIDE = ((100, 3000), (2000, 1000), (2000, 5000))
BESIDE = (2000, 1000)
INCOMPLETE = ((100, 3000), (500, 1000))

# Shares of the entries that are missing; of one entry, the least of all.
HOLES = {"one missing": 0.0, "10 % missing": 0.1, "50 % missing": 0.5}


def wide(options):
    """Cases of the experiment: what each of the tables is fitted with."""
    complete = [("NCAEDetector", *size) for size in dict.fromkeys(WIDE + INCOMPLETE)]
    incomplete = [
        (f"NCAEDetector(allow_nan=True), {holes}", *size)
        for size in INCOMPLETE
        for holes in HOLES
    ]
    return [*complete, ("AutoEncoder", *BESIDE), *incomplete]


def measure_wide(case, n, d, options):
    """Time fit and scores of a table, after those of a small one."""
    detector, _, holes = case.partition(", ")
    spec = registry.find(detector)
    X = np.random.default_rng(0).normal(size=(n, d))
    fit_and_score(spec.make(0, 5), X[:50, :5])
    if holes:
        X[np.random.default_rng(1).random(X.shape) < HOLES[holes]] = np.nan
        X[0, 0] = np.nan
    with Meter() as meter:
        fit_and_score(spec.make(0, d), X)
    return meter.row()


def fit_and_score(detector, X):
    """Fit and score rows; what `fit` returns is no matter, in old PyOD nothing."""
    detector.fit(X)
    fits.outlier_scores(detector, X)


def scores_floor_s(detector, d):
    """Seconds a row of the products of networks and dictionaries, in float64."""
    import torch

    from skncae._settings import settings_of

    settings = settings_of(detector)
    n_members = settings.n_estimators
    flops = 2 * n_members * settings.dictionary_size * d
    encoder = (d, *settings.hidden_units, settings.latent_dim)
    layers = list(zip(encoder[:-1], encoder[1:], strict=True))
    flops += 2 * 2 * n_members * sum(n_in * n_out for n_in, n_out in layers)
    a = torch.randn(n_members, 256, 256, dtype=torch.float64)
    product_s = cpu_seconds(lambda: torch.bmm(a, a))
    return flops / (2 * n_members * 256**3 / product_s)


# Experiments whose seconds are of one step or one row.
ONE_BY_ONE = ("step", "gpu", "latency")

# Cases, how often each is run (None: --repeats), and how one is measured.
EXPERIMENTS = {
    "step": (step, None, measure_step),
    "gpu": (gpu, None, measure_gpu),
    "devices": (devices, None, measure_devices),
    "scores": (scores, None, measure_scores),
    "latency": (latency, None, measure_latency),
    "grid": (grid, None, measure_grid),
    "refine": (refine, None, measure_refine),
    "wide": (wide, None, measure_wide),
    "chunks": (chunks, 1, measure_chunks),
    "dask": (dask, None, measure_dask),
}


def table(frame):
    """Render medians; rows a second and times the floor where there is one."""
    lines = []
    groups = frame.groupby(["experiment", "n", "d", "case"], sort=False)
    for (experiment, n, d, case), part in groups:
        good, head = part[part.status == "ok"], [experiment, case, n, d]
        if good.empty:
            note = f"{part.status.iloc[0]}: {part.note.iloc[0]}"
            lines.append([*head, *[""] * 5, note])
            continue
        s, cpu_s, floor_s, anon_mb = good[["s", "cpu_s", "floor_s", "anon_mb"]].median()
        spent = s if experiment in ("gpu", "devices") else cpu_s
        rate = "" if experiment in ONE_BY_ONE else round(n / spent)
        lines.append([*head, s, cpu_s, spent / floor_s, rate, anon_mb, ""])
    head = ["experiment", "case", "n", "d", "s", "cpu s", "x floor", "rows/s"]
    return printing.columns([*head, "anon MB", ""], lines)


def add_options(add):
    """Add what only this suite has."""
    # Where there is a GPU, ask for it.
    default = [name for name in EXPERIMENTS if name not in ("gpu", "devices")]
    known = one_of(EXPERIMENTS, "experiment")
    add("--experiments", type=known, default=",".join(default))
    add("--repeats", type=int, default=3)
    add("--rows", type=numbers(int), default="10000,100000,1000000,10000000")
    add("--gigabytes", type=float, default=20)
    add("--limit", type=float, default=2, help="GB of memory")
    add("--folder", default=tempfile.gettempdir(), help="for the file")


KEY = ("experiment", "case", "n", "d", "repeat")
SUITE = Suite(
    name="scale",
    key=KEY,
    columns=(*KEY, "status", "s", "cpu_s", "floor_s", "anon_mb", "note"),
    cases=cases,
    measure=measure,
    table=table,
    add_options=add_options,
    time_limit=3600,
)
