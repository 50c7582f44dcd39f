"""One absurd value in a table: what it costs the other outliers.

A thirtieth of the rows are out, by 5 deviations in the first column and by -4 in the
second. In ``numbers`` all columns are Gaussian; in ``flags`` the second half are flags
that 15 % of the rows have, which outliers of two columns are weak beside.

============  =================================================================
value         what the last row, which is no outlier, has in one column
============  =================================================================
as it is      nothing else: what the others are compared with
another       the value of another row: how far any change moves the AUROC
1e6, ...      an absurd value
============  =================================================================

The column is the ``first``, which tells the outliers, or the ``last``. AUROC is that of
all other rows.
"""

from itertools import product

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.detectors import registry
from benchmarks.harness import fits, printing
from benchmarks.harness.protocols import Task
from benchmarks.harness.suite import Suite, listed

TABLES = ("numbers", "flags")
ROWS, COLUMNS = (60, 300, 2000), (5, 20, 60)
AS_IT_IS, ANOTHER = "as it is", "another"
VALUES = (ANOTHER, "1e6", "-9999", "1e20")
PLACES = ("first", "last")
# What the law allows.
MARGIN = 0.01


def cases(options):
    """Yield every detector on every table, as it is and with one value changed."""
    changes = [(AS_IT_IS, PLACES[0])]
    changes += [(value, place) for value in VALUES for place in PLACES]
    names = ("seed", "table", "n", "d", "detector")
    tables = product(options.seeds, TABLES, ROWS, COLUMNS, options.detectors)
    for table, (value, place) in product(tables, changes):
        case = dict(zip(names, table, strict=True))
        yield case | {"value": value, "place": place}


def prepare(case, options):
    """Give the rows, one of them changed."""
    X, y = planted(*(case[name] for name in ("table", "n", "d", "seed")))
    if case["value"] != AS_IT_IS:
        column = PLACES.index(case["place"]) * (X.shape[1] - 1)
        another = X[-2, column] if case["value"] == ANOTHER else case["value"]
        X[-1, column] = float(another)
    n, d = X.shape
    return {}, Task(X, X, y, n, d, float(y.mean()), depends_on_seed=True)


def planted(table, n, d, seed):
    """Return rows of shape (n, d), the last of them no outlier, and the outliers."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if table == "flags":
        X[:, d // 2 :] = rng.random((n, d - d // 2)) < 0.15
    y = np.arange(n) < max(n // 30, 2)
    X[y, 0] += 5.0
    X[y, 1] -= 4.0
    return X, y


def measure(case, task, options):
    """Fit all rows, and judge the scores of all but the one that is changed."""
    spec = registry.find(case["detector"])
    scores, _ = fits.measure(spec, task, case["seed"])
    return {"auroc": roc_auc_score(task.y_score[:-1], scores[:-1])}


def table(frame):
    """Render what a change costs, and how often that is more than is allowed."""
    index = ["detector", "table", "n", "d", "seed"]
    as_it_is = frame[frame.value == AS_IT_IS]
    before = as_it_is.set_index(index).auroc
    means = as_it_is.groupby(["detector", "table"]).auroc.mean().to_dict()
    changed = frame[frame.value != AS_IT_IS].set_index(index)
    changed = changed.assign(moved=changed.auroc - before.reindex(changed.index))
    changed["kind"] = np.where(changed.value == ANOTHER, ANOTHER, "absurd")
    lines = []
    for (detector, table, kind), part in changed.groupby(
        ["detector", "table", "kind"], sort=False
    ):
        missed = f"{(part.moved < -MARGIN).sum()} of {len(part)}"
        moved = f"{100 * part.moved.mean():+.1f} ± {100 * part.moved.std():.1f}"
        worst = f"{100 * part.moved.min():+.1f}"
        name = [detector, table, kind, printing.percent(means[detector, table])]
        lines.append([*name, moved, missed, worst])
    head = ["detector", "table", "value", "AUROC", "moved by", "lose > 1", "worst"]
    return printing.columns(head, lines)


def add_options(add):
    """Add what only this suite has."""
    default = "NCAEDetector,IForest,ECOD,KNN,LOF"
    add("--detectors", type=listed(registry.names), default=default)


KEY = ("table", "n", "d", "seed", "value", "place", "detector")
SUITE = Suite(
    name="absurd",
    key=KEY,
    columns=(*KEY, "status", "auroc", "note"),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0-2",
)
