"""What `fit` costs.

=========  ================================================================
shuttle    full shuttle (49,097 x 9): NCAEDetector, PyOD's AutoEncoder and
           IForest, all with their defaults
members    NCAEDetector with 1 member and with 8, 5,000 x 36 Gaussian rows
rows       NCAEDetector on 10^3 to 10^6 Gaussian rows of 10 features
import     importing skncae after torch and scikit-learn
=========  ================================================================

Cases of an experiment take turns, so that a busy machine slows all of them; a
ratio compares medians of one file.
"""

import subprocess
import sys

import numpy as np

from benchmarks.harness import fits, printing, protocols
from benchmarks.harness.suite import Suite, one_of
from benchmarks.sets import tables as sets

# The first case of an experiment is what the others are compared with.
EXPERIMENTS = {
    "shuttle": ("NCAEDetector", "AutoEncoder", "IForest"),
    "members": ("NCAEDetector(n_estimators=1)", "NCAEDetector(n_estimators=8)"),
    "rows": ("1000", "10000", "100000", "1000000"),
    "import": ("skncae",),
}
IMPORT = """
import time, torch
from sklearn.ensemble import IsolationForest
from sklearn.covariance import OAS
start = time.perf_counter()
from skncae import NCAEDetector
print(time.perf_counter() - start)
"""


def cases(options):
    """Yield cases that take turns within an experiment."""
    for experiment in options.experiments:
        for repeat in range(options.repeats):
            for case in EXPERIMENTS[experiment]:
                yield {"experiment": experiment, "case": case, "repeat": repeat}


def prepare(case, options):
    """Give the size of a case, and its detector and rows."""
    if case["experiment"] == "import":
        return {}, None
    name, task = task_of(case["experiment"], case["case"])
    return {"n": task.n, "d": task.d}, (name, task)


def measure(case, task, options):
    """Run one case once."""
    if task is None:
        return {"fit_s": import_time()}
    return fits.judged(*task, seed=0)


def task_of(experiment, case):
    """Give the detector of a case, and its rows."""
    if experiment == "shuttle":
        X, y = sets.load("shuttle")
        return case, protocols.prepare(X, y, "contaminated", seed=0, full=True)
    if experiment == "members":
        return case, gaussian_task(5_000, 36)
    return "NCAEDetector", gaussian_task(int(case), 10)


def gaussian_task(n, d):
    """Make Gaussian rows with no outliers; only the first thousand are scored."""
    X = np.random.default_rng(0).normal(size=(n, d))
    return protocols.Task(
        X_train=X,
        X_score=X[:1000],
        y_score=np.zeros(1000, dtype=int),
        n=n,
        d=d,
        outlier_share=0.0,
        depends_on_seed=False,
    )


def import_time():
    """Time the import of skncae in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout)


def table(frame):
    """Render medians, and how many times the first case's time a case takes."""
    lines = []
    for experiment, group in frame.groupby("experiment", sort=False):
        first = None
        for case, part in group.groupby("case", sort=False):
            good = part[part.status == "ok"]
            if good.empty:
                note = f"{part.status.iloc[0]}: {part.note.iloc[0]}"
                lines.append([experiment, case, *[""] * 6, note])
                continue
            median = good.fit_s.median()
            first = median if first is None else first
            seconds = [median, good.fit_s.min(), good.fit_s.max(), median / first]
            auroc = printing.percent(good.auroc.mean())
            lines.append([experiment, case, good.n.iloc[0], *seconds, auroc, ""])
    head = ["experiment", "case", "n", "fit s", "min", "max", "ratio", "AUROC", ""]
    return printing.columns(head, lines)


def add_options(add):
    """Add what only this suite has."""
    known = one_of(EXPERIMENTS, "experiment")
    add("--experiments", type=known, default=",".join(EXPERIMENTS))
    add("--repeats", type=int, default=3)


SUITE = Suite(
    name="speed",
    key=("experiment", "case", "repeat"),
    columns=(
        *("experiment", "case", "repeat", "status", "n", "d", "fit_s", "fit_cpu_s"),
        *("score_s", "peak_mb", "auroc", "ap", "note"),
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
)
