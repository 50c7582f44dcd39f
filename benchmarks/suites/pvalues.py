"""Do selections keep their promise: false discoveries and power of p-values.

Normal rows are divided at random into three: to train on, to calibrate on, to judge.
Half of the outliers is trained on too, the others are judged. `select` picks among the
rows that are judged; the false discoveries are normal rows among those picked. Their
expected share must not exceed alpha.

=============  =================================================================
way
=============  =================================================================
split          calibrated on the second third
split, dirty   the outliers of the training rows are among the calibration rows
cv             fitted and calibrated on the first two thirds, without outliers, in
               five folds: `calibrate(X, cv=5)`
=============  =================================================================

=========  =====================================================================
suite
=========  =====================================================================
simulated  1,500 rows of the distributions of the suite ``thresholds``, with a
           twentieth of outliers far out, or in a cluster
oddbench   every tenth of the 200 development tables
=========  =====================================================================

``benchmarks pvalues`` prints the means over sets and seeds with the standard error of
the share of false discoveries, and says where it exceeds alpha by more than two.
"""

import numpy as np

from benchmarks.harness import printing
from benchmarks.harness.suite import Suite, listed, one_of
from benchmarks.sets import tables as sets
from benchmarks.suites.thresholds import planted

SUITES = ("simulated", "oddbench")
ALPHAS = (0.05, 0.1, 0.2)
SIMULATED = [
    f"{name} {kind}"
    for name in ("gauss", "correlated", "student", "lognormal", "clusters")
    for kind in ("wide", "cluster")
]
N_NORMAL, N_OUTLIERS = 1500, 75


def cases(options):
    """Yield every set of every suite, a seed after the other."""
    for seed in options.seeds:
        for suite in options.suites:
            names = SIMULATED
            if suite == "oddbench":
                names = options.datasets or sets.names("oddbench")[::10]
            for name in names:
                yield {"suite": suite, "dataset": name, "seed": seed}


def prepare(case, options):
    """Give the normal rows and the outliers of a case, in random order."""
    rng = np.random.default_rng([11, case["seed"]])
    if case["suite"] == "simulated":
        drawn = {name: rows for name, *rows in planted(rng, n=N_NORMAL)}
        normal, outliers = drawn[case["dataset"]]
        outliers = outliers[:N_OUTLIERS]
    else:
        X, y = sets.load(case["dataset"])
        normal, outliers = X[y == 0], X[y == 1]
    return {}, (rng.permutation(normal), rng.permutation(outliers))


def measure(case, task, options):
    """Yield a row for each way and each alpha."""
    from skncae import NCAEDetector

    train, calibration, new = np.array_split(task[0], 3)
    known, unknown = np.array_split(task[1], 2)
    X = np.concatenate([new, unknown])
    is_outlier = np.arange(len(X)) >= len(new)
    detector = NCAEDetector(random_state=case["seed"])
    detector.fit(np.concatenate([train, known]))
    dirty = np.concatenate([calibration, known])
    for way, rows in (("split", calibration), ("split, dirty", dirty)):
        detector.calibrate(rows)
        yield from _outcomes(way, detector, X, is_outlier)
    both = np.concatenate([train, calibration])
    detector.fit(both).calibrate(both, cv=5)
    yield from _outcomes("cv", detector, X, is_outlier)


def _outcomes(way, detector, X, is_outlier):
    """Yield the false discoveries and the power of a way at each alpha."""
    from skncae._p_values import selected

    p_values = detector.p_values(X)
    for alpha in ALPHAS:
        found = selected(p_values, alpha)
        yield {
            "way": way,
            "alpha": alpha,
            "n_selected": int(found.sum()),
            "false_share": (found & ~is_outlier).sum() / max(found.sum(), 1),
            "power": found[is_outlier].mean(),
            "small": np.mean(p_values[~is_outlier] <= alpha),
        }


def table(frame):
    """Render means over sets and seeds, in percent."""
    frame = frame[frame.status == "ok"]
    lines = []
    for (suite, way, alpha), part in frame.groupby(["suite", "way", "alpha"]):
        error = part.false_share.std() / np.sqrt(len(part))
        excess = part.false_share.mean() - alpha
        lines.append(
            [
                *(suite, way, alpha, len(part)),
                f"{100 * part.false_share.mean():.1f} +- {100 * error:.1f}",
                "above" if excess > 2 * error else "kept",
                printing.percent(part.power.mean()),
                printing.percent((part.n_selected > 0).mean()),
                printing.percent(part.small.mean()),
            ]
        )
    head = ["suite", "way", "alpha", "fits", "false", "", "power", "some", "p <= alpha"]
    return printing.columns(head, lines)


def add_options(add):
    """Add what only this suite has."""
    add("--suites", type=one_of(SUITES, "suite"), default=",".join(SUITES))
    add("--datasets", type=listed(sets.names), help="of oddbench")


SUITE = Suite(
    name="pvalues",
    key=("suite", "dataset", "seed", "way", "alpha"),
    columns=(
        *("suite", "dataset", "seed", "way", "alpha", "status", "n_selected"),
        *("false_share", "power", "small", "note"),
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0",
)
