"""Outliers that stand together where the centre of the rows is, or beside.

Fifteen shapes of ordinary rows (`benchmarks.sets.planted`) of 2, 5 and 20 columns, with
1, 4 and 10 % of outliers between the clusters, inside the ring or between the modes. A
detector that measures from one centre ranks those of twelve shapes most normal. The
table counts, for each detector and shape, on how many of the tables the AUROC is below
that of IForest less 0.05, and says by how much at worst.
"""

from benchmarks.detectors import registry
from benchmarks.harness import fits, printing, protocols
from benchmarks.harness.suite import Suite, listed
from benchmarks.sets import planted

REFERENCE, MARGIN = "IForest", 0.05
DETECTORS = f"{REFERENCE},NCAEDetector,KNN,LOF,ECOD,GMM"


def cases(options):
    """Yield every detector on every table, a seed after the other."""
    for seed in options.seeds:
        for shape in planted.SHAPES:
            for d in planted.COLUMNS:
                for share in planted.SHARES:
                    table = {"shape": shape, "d": d, "share": share, "seed": seed}
                    for detector in options.detectors:
                        yield table | {"detector": detector}


def prepare(case, options):
    """Give the number of rows of a table, and the table."""
    X, y = planted.plant(case["shape"], case["d"], case["share"], case["seed"])
    return {"n": len(X)}, protocols.prepare(X, y, "contaminated", case["seed"])


def measure(case, task, options):
    """Fit all rows and score them."""
    return fits.judged(case["detector"], task, case["seed"])


def table(frame):
    """Render the tables that are missed, of all, and the worst difference."""
    frame = frame.assign(auroc=frame.auroc.where(frame.status == "ok", 0.5))
    index = ["shape", "d", "share", "seed"]
    aurocs = frame.pivot(index=index, columns="detector", values="auroc")
    lines = []
    for detector in frame.detector.unique():
        gaps = aurocs[detector] - aurocs[REFERENCE]
        by_shape = gaps.groupby(level="shape", sort=False)
        for shape, of_shape in [("all", gaps), *by_shape]:
            mean = printing.percent(aurocs[detector][of_shape.index].mean())
            missed = f"{(of_shape < -MARGIN).sum()} of {len(of_shape)}"
            lines.append([detector, shape, mean, missed, f"{of_shape.min():+.2f}"])
    head = ["detector", "shape", "AUROC", f"below {REFERENCE} - {MARGIN}", "worst"]
    return printing.columns(head, lines)


def add_options(add):
    """Add what only this suite has."""
    add("--detectors", type=listed(_with_reference), default=DETECTORS)


def _with_reference(choice):
    """Names of detectors, with the one that they are compared with."""
    names = registry.names(choice)
    return names if REFERENCE in names else [REFERENCE, *names]


SUITE = Suite(
    name="planted",
    key=("shape", "d", "share", "seed", "detector"),
    columns=(
        *("shape", "n", "d", "share", "detector", "seed", "status", "auroc", "ap"),
        *("fit_s", "score_s", "note"),
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0-2",
)
