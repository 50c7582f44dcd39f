"""Missing entries, left out or filled in: ``python -m benchmarks.missing``.

Entries of ODDS sets (at most 4,000 rows, contaminated protocol) are removed, and
`NCAEDetector` scores what is left.

===============  ==========================================================
pattern          which entries are missing
===============  ==========================================================
nothing          none: the ceiling
random           each with the same probability (5, 20 and 40 %)
extreme          each with a probability that grows from 0 at the median of its
                 column to twice the mean (20 %) at the value furthest from it
===============  ==========================================================

===============  ==========================================================
way              what is done about it
===============  ==========================================================
allow_nan        `NCAEDetector(allow_nan=True)`
mean, median     `SimpleImputer`, then the default detector
knn              `KNNImputer`, then the default detector
iterative        `IterativeImputer`, then the default detector
===============  ==========================================================

Imputers have their defaults too. Rows that are there already are skipped.
"""

import argparse
import itertools
from dataclasses import replace

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline

from benchmarks.harness import isolation, protocols, records
from benchmarks.sets import tables as datasets
from benchmarks.suites import tables

COLUMNS = (
    "dataset",
    "n",
    "d",
    "pattern",
    "share",
    "way",
    "seed",
    "status",
    "auroc",
    "ap",
    "fit_s",
    "score_s",
    "note",
)
KEY = ("dataset", "pattern", "share", "way", "seed")
DATASETS = f"{','.join(datasets.SIX)},wbc,vowels,letter,ionosphere,pendigits"
ROW_LIMIT = 4_000
PATTERNS = (
    ("nothing", 0.0),
    ("random", 0.05),
    ("random", 0.2),
    ("random", 0.4),
    ("extreme", 0.2),
)
WAYS = ("allow_nan", "mean", "median", "knn", "iterative")


def allow_nan(random_state):
    """Make the detector that leaves missing entries out."""
    from skncae import NCAEDetector

    return NCAEDetector(allow_nan=True, random_state=random_state)


def mean(random_state):
    """Make the detector on rows with the mean of the column filled in."""
    from sklearn.impute import SimpleImputer

    return _after(SimpleImputer(), random_state)


def median(random_state):
    """Make the detector on rows with the median of the column filled in."""
    from sklearn.impute import SimpleImputer

    return _after(SimpleImputer(strategy="median"), random_state)


def knn(random_state):
    """Make the detector on rows with the mean of five neighbours filled in."""
    from sklearn.impute import KNNImputer

    return _after(KNNImputer(), random_state)


def iterative(random_state):
    """Make the detector on rows with regressions on the other columns filled in."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return _after(IterativeImputer(random_state=random_state), random_state)


def _after(imputer, random_state):
    from skncae import NCAEDetector

    return make_pipeline(imputer, NCAEDetector(random_state=random_state))


def without(X, pattern, share, rng):
    """Return X with a share of its entries missing."""
    chance = np.full(X.shape, share)
    if pattern == "extreme":
        distance = np.abs(X - np.median(X, axis=0))
        chance = 2 * share * (rankdata(distance, axis=0) - 1) / max(len(X) - 1, 1)
    return np.where(rng.random(X.shape) < chance, np.nan, X)


def parse(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.missing")
    parser.add_argument("--datasets", default=DATASETS)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--seeds", default="0-1")
    parser.add_argument("--output", default="benchmarks/results/missing.csv")
    parser.add_argument("--time-limit", type=float, default=600)
    options = parser.parse_args(arguments)
    options.datasets = datasets.names(options.datasets)
    options.ways = options.ways.split(",")
    options.seeds = tables.parse_seeds(options.seeds)
    return options


def run(options):
    """Run what is missing in the output file, and return the file's rows."""
    isolation.one_thread()
    line = records.provenance(suite="missing", rows=f"max-{ROW_LIMIT}")
    records.append_provenance(options.output, line)
    context = isolation.start_context()
    for seed, dataset, (pattern, share) in itertools.product(
        options.seeds, options.datasets, PATTERNS
    ):
        base = {"dataset": dataset, "pattern": pattern, "share": share, "seed": seed}
        # Without missing entries all ways are one.
        ways = options.ways if share else ["allow_nan"]
        known = _known(options.output)
        ways = [
            way for way in ways if (dataset, pattern, share, way, seed) not in known
        ]
        if not ways:
            continue
        task = task_of(dataset, pattern, share, seed)
        for way in ways:
            row = base | {"way": way, "n": task.n, "d": task.d}
            row |= measure(context, way, task, seed, options.time_limit)
            records.append(options.output, row, COLUMNS)
            print(row, flush=True)
    return records.read(options.output, KEY)


def task_of(dataset, pattern, share, seed):
    """Give the rows of a set with entries missing."""
    X, y = datasets.load(dataset)
    rng = np.random.default_rng(seed)
    if len(X) > ROW_LIMIT:
        rows = protocols.subsample(y, ROW_LIMIT, rng)
        X, y = X[rows], y[rows]
    task = protocols.prepare(X, y, "contaminated", seed)
    X = without(task.X_train, pattern, share, rng)
    return replace(task, X_train=X, X_score=X)


def measure(context, way, task, seed, time_limit):
    """Fit and score in one way."""
    name = f"benchmarks.suites.missing:{way}"
    outcome = isolation.run_isolated(context, name, task, seed, time_limit)
    scores = outcome.pop("scores", None)
    if scores is not None:
        outcome["auroc"] = roc_auc_score(task.y_score, scores)
        outcome["ap"] = average_precision_score(task.y_score, scores)
    return outcome


def table(frame):
    """Render means over sets and seeds, and the medians of the seconds to fit."""
    lines = [
        f"{'pattern':<8} {'share':>5}   {'way':<10} {'AUROC':>6} {'AP':>6} "
        f"{'fit s':>7} {'fits':>5} {'failed':>6}"
    ]
    for (pattern, share, way), part in frame.groupby(
        ["pattern", "share", "way"], sort=False
    ):
        good = part[part.status == "ok"]
        lines.append(
            f"{pattern:<8} {share:5.2f}   {way:<10} {100 * good.auroc.mean():6.1f} "
            f"{100 * good.ap.mean():6.1f} {good.fit_s.median():7.2f} {len(good):5} "
            f"{len(part) - len(good):6}"
        )
    return "\n".join(lines)


def _known(path):
    frame = records.read(path, KEY)
    if "way" not in frame:
        return set()
    frame = frame[frame.status.isin(["ok", "timeout"])]
    return set(frame[list(KEY)].itertuples(index=False, name=None))


def main(arguments=None):
    """Run the benchmark and print its table."""
    options = parse(arguments)
    frame = run(options)
    frame = frame[frame.dataset.isin(options.datasets) & frame.seed.isin(options.seeds)]
    print(f"\n{records.provenance(suite='missing')}\n{table(frame)}")


if __name__ == "__main__":
    main()
