"""Missing entries, left out or filled in.

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

Imputers have their defaults too.
"""

from dataclasses import replace

import numpy as np
from scipy.stats import rankdata
from sklearn.pipeline import make_pipeline

from benchmarks.harness import fits, printing, protocols
from benchmarks.harness.suite import Suite, listed, one_of
from benchmarks.sets import tables as sets

DATASETS = f"{','.join(sets.SIX)},wbc,vowels,letter,ionosphere,pendigits"
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


def cases(options):
    """Yield every way on every set and pattern, a seed after the other."""
    for seed in options.seeds:
        for dataset in options.datasets:
            for pattern, share in PATTERNS:
                # Without missing entries all ways are one.
                for way in options.ways if share else ["allow_nan"]:
                    case = {"dataset": dataset, "pattern": pattern, "share": share}
                    yield case | {"way": way, "seed": seed}


def prepare(case, options):
    """Give the size of a set, and its rows with entries missing."""
    X, y = sets.load(case["dataset"])
    rng = np.random.default_rng(case["seed"])
    X, y = protocols.at_most(ROW_LIMIT, X, y, rng)
    task = protocols.prepare(X, y, "contaminated", case["seed"])
    X = without(task.X_train, case["pattern"], case["share"], rng)
    return {"n": task.n, "d": task.d}, replace(task, X_train=X, X_score=X)


def measure(case, task, options):
    """Fit and score in one way."""
    return fits.judged(f"{__name__}:{case['way']}", task, case["seed"])


def table(frame):
    """Render means over sets and seeds, and the medians of the seconds to fit."""
    lines = []
    for key, part in frame.groupby(["pattern", "share", "way"], sort=False):
        good = part[part.status == "ok"]
        means = [printing.percent(good[metric].mean()) for metric in ("auroc", "ap")]
        failed = len(part) - len(good)
        lines.append([*key, *means, good.fit_s.median(), len(good), failed])
    head = ["pattern", "share", "way", "AUROC", "AP", "fit s", "fits", "failed"]
    return printing.columns(head, lines)


def add_options(add):
    """Add what only this suite has."""
    add("--datasets", type=listed(sets.names), default=DATASETS)
    add("--ways", type=one_of(WAYS, "way"), default=",".join(WAYS))


SUITE = Suite(
    name="missing",
    key=("dataset", "pattern", "share", "way", "seed"),
    columns=(
        *("dataset", "n", "d", "pattern", "share", "way", "seed"),
        *("status", "auroc", "ap", "fit_s", "score_s", "note"),
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0-1",
)
