"""What `fit` costs: ``python -m benchmarks.speed``.

=========  ================================================================
shuttle    full shuttle (49,097 x 9): NCAEDetector, PyOD's AutoEncoder and
           IForest, all with their defaults
members    NCAEDetector with 1 member and with 8, 5,000 x 36 Gaussian rows
rows       NCAEDetector on 10^3 to 10^6 Gaussian rows of 10 features
import     importing skncae after torch and scikit-learn
=========  ================================================================

Cases of an experiment take turns, so that a busy machine slows all of them; a
ratio compares medians of one file. Rows that are there already are skipped.
"""

import argparse
import subprocess
import sys

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.harness import isolation, protocols, records
from benchmarks.sets import tables as datasets

COLUMNS = (
    "experiment",
    "case",
    "repeat",
    "status",
    "n",
    "d",
    "fit_s",
    "fit_cpu_s",
    "score_s",
    "peak_mb",
    "auroc",
    "ap",
    "note",
)
KEY = ("experiment", "case", "repeat")
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


def parse(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed")
    parser.add_argument("--experiments", default=",".join(EXPERIMENTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default="benchmarks/results/speed.csv")
    parser.add_argument("--time-limit", type=float, default=600)
    options = parser.parse_args(arguments)
    options.experiments = options.experiments.split(",")
    return options


def run(options):
    """Run what is missing in the output file, and return the file's rows."""
    isolation.one_thread()
    records.append_provenance(options.output, records.provenance(suite="speed"))
    context = isolation.start_context()
    for experiment in options.experiments:
        known = _known(options.output)
        for repeat in range(options.repeats):
            for case in EXPERIMENTS[experiment]:
                if (experiment, case, repeat) not in known:
                    row = {"experiment": experiment, "case": case, "repeat": repeat}
                    row |= measure(context, experiment, case, options.time_limit)
                    records.append(options.output, row, COLUMNS)
                    print(row, flush=True)
    return records.read(options.output, KEY)


def measure(context, experiment, case, time_limit):
    """Run one case once."""
    if experiment == "import":
        return import_time()
    try:
        name, task = task_of(experiment, case)
    except datasets.MissingDataError as error:
        return {"status": "missing-data", "note": str(error)}
    outcome = isolation.run_isolated(context, name, task, 0, time_limit)
    outcome |= {"n": task.n, "d": task.d}
    scores = outcome.pop("scores", None)
    if scores is not None and task.y_score.any():
        outcome["auroc"] = roc_auc_score(task.y_score, scores)
        outcome["ap"] = average_precision_score(task.y_score, scores)
    return outcome


def task_of(experiment, case):
    """Give the detector of a case, and its rows."""
    if experiment == "shuttle":
        X, y = datasets.load("shuttle")
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
        return {"status": "error", "note": done.stderr.strip().splitlines()[-1]}
    return {"status": "ok", "fit_s": float(done.stdout), "note": ""}


def table(frame):
    """Render medians, and how many times the first case's time a case takes."""
    lines = [
        f"{'experiment':<10} {'case':<30} {'n':>8} {'fit s':>8} {'min':>8} {'max':>8} "
        f"{'ratio':>6} {'AUROC':>6}"
    ]
    for experiment, group in frame.groupby("experiment", sort=False):
        first = None
        for case, part in group.groupby("case", sort=False):
            good = part[part.status == "ok"]
            if good.empty:
                note = f"{part.status.iloc[0]}: {part.note.iloc[0]}"
                lines.append(f"{experiment:<10} {case:<30} {note}")
                continue
            median = good.fit_s.median()
            first = median if first is None else first
            n, auroc = good.n.iloc[0], 100 * good.auroc.mean()
            lines.append(
                f"{experiment:<10} {case:<30} {'' if pd.isna(n) else int(n):>8} "
                f"{median:8.3f} {good.fit_s.min():8.3f} {good.fit_s.max():8.3f} "
                f"{median / first:6.2f} {'' if pd.isna(auroc) else f'{auroc:.1f}':>6}"
            )
    return "\n".join(lines)


def _known(path):
    frame = records.read(path, KEY)
    if "case" not in frame:
        return set()
    frame = frame[frame.status.isin(["ok", "timeout"])]
    return {(e, str(c), r) for e, c, r in frame[list(KEY)].itertuples(index=False)}


def main(arguments=None):
    """Run the benchmark and print its table."""
    options = parse(arguments)
    frame = run(options)
    print(f"\n{records.provenance(suite='speed')}\n{table(frame)}")


if __name__ == "__main__":
    main()
