"""How often does the planted column get the blame?

A detector is fitted on all rows of a data set, unlabelled. Then the value of one
column (or of two) of a normal row is spoilt: moved by a number of standard
deviations, or swapped for that of another normal row. A rule of blame is good when
the spoilt column has the largest contribution ("top-1"; of two spoilt columns, the
share among the two largest). Labels choose the rows that are spoilt, and nothing else.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine

from benchmarks.harness import printing
from benchmarks.harness.protocols import ROW_LIMIT, at_most
from benchmarks.harness.suite import Suite
from benchmarks.sets import tables as sets

SETS = (
    "breast_cancer,wine_1,cardio,thyroid,satellite,pendigits,vowels,letter,"
    "ionosphere,annthyroid,wbc,mammography"
)
# How a value is spoilt: moved by so many standard deviations up or down, or swapped.
DAMAGES = ("3", "5", "10", "swap")
N_SPOILT = 200


def load(name):
    """Rows and labels of a data set of ODDS or, by name, of scikit-learn."""
    if name == "breast_cancer":
        X, benign = load_breast_cancer(return_X_y=True)
        return X, 1 - benign
    if name == "wine_1":
        X, cultivar = load_wine(return_X_y=True)
        return X, (cultivar != 1).astype(int)
    return sets.load(name)


def spoil(X, normal, damage, n_columns, rng):
    """Spoil columns of normal rows.

    Returns
    -------
    rows : ndarray of shape (N_SPOILT, n_features)
    is_spoilt : bool ndarray of shape (N_SPOILT, n_features)
    """
    rows = X[rng.choice(normal, N_SPOILT)]
    deviation = X[normal].std(0)
    is_spoilt = np.zeros(rows.shape, dtype=bool)
    for row, spoilt in zip(rows, is_spoilt, strict=True):
        columns = rng.choice(np.flatnonzero(deviation > 0), n_columns, replace=False)
        spoilt[columns] = True
        if damage == "swap":
            row[columns] = X[rng.choice(normal)][columns]
        else:
            sign = rng.choice([-1, 1], n_columns)
            row[columns] += float(damage) * sign * deviation[columns]
    return rows, is_spoilt


def rules(detector, rows):
    """Contributions by every rule, {name: (n_samples, n_features)}."""
    from skncae.evidence._base import Block
    from skncae.evidence._kinds import TABLE_EVIDENCE
    from skncae.evidence._scorer import shared_out

    scorer = detector._scorer
    block = Block(scorer.ensemble, rows)
    parts = np.stack(
        [component.evidence.contributions(block) for component in scorer.components]
    )
    surprises = scorer._minus_logs(scorer.component_errors(rows))
    shares = shared_out(np.ones_like(surprises), parts, np.isfinite(rows))
    middle = np.argsort(surprises, axis=0)[len(surprises) // 2]
    loud = surprises >= np.median(surprises, axis=0)
    alone = dict(zip((f"{kind} alone" for kind in TABLE_EVIDENCE), shares, strict=True))
    residual = rows - detector.reconstruct(rows)
    return {
        "explain, by log tail": scorer.explain(rows)[0],
        "deciding kind": np.take_along_axis(shares, middle[None, :, None], axis=0)[0],
        "mean of shares": shares.mean(0),
        "louder half by log tail": (shares * (loud * surprises)[..., None]).sum(0),
        **alone,
        "|residual| / std": np.abs(residual) / scorer.ensemble.view.scale,
        "|z|": np.abs(rows - scorer.ensemble.view.center) / scorer.ensemble.view.scale,
    }


def share_found(contributions, is_spoilt):
    """Share of the spoilt columns among as many largest contributions, each row."""
    n_columns = is_spoilt[0].sum()
    top = np.argsort(-contributions, axis=1, kind="stable")[:, :n_columns]
    return np.take_along_axis(is_spoilt, top, axis=1).mean(1)


def cases(options):
    """Yield every set, a seed after the other."""
    for seed in options.seeds:
        for dataset in options.datasets.split(","):
            yield {"dataset": dataset, "seed": seed}


def prepare(case, options):
    """Give rows and labels of a set."""
    return {}, load(case["dataset"])


def measure(case, task, options):
    """Fit once, and give a row for every way to spoil and every rule of blame."""
    from skncae import NCAEDetector

    X, y = task
    rng = np.random.default_rng(case["seed"])
    X, y = at_most(ROW_LIMIT, X, y, rng)
    detector = NCAEDetector(random_state=case["seed"]).fit(X)
    for n_columns in (1, 2):
        for damage in DAMAGES:
            rows, is_spoilt = spoil(X, np.flatnonzero(y == 0), damage, n_columns, rng)
            flagged = detector.predict(rows) == -1
            for rule, contributions in rules(detector, rows).items():
                found = share_found(contributions, is_spoilt)
                yield {
                    "spoilt": f"{n_columns} x {damage}",
                    "rule": rule,
                    "found": found.mean(),
                    "found_flagged": found[flagged].mean() if flagged.any() else np.nan,
                }


def table(frame):
    """Render means over sets and seeds, +- between the seeds."""
    parts = []
    for title, column in (
        ("all spoilt rows", "found"),
        ("flagged rows only", "found_flagged"),
    ):
        means = frame.pivot_table(
            index="rule", columns=["spoilt", "seed"], values=column, sort=False
        )
        by_damage = means.T.groupby(level="spoilt", sort=False).mean().T
        by_seed = means.T.groupby(level="seed").mean().T
        lines = [
            [rule, *map(printing.percent, row), printing.percent(row.mean())]
            + [printing.percent(by_seed.loc[rule].std(ddof=0))]
            for rule, row in by_damage.iterrows()
        ]
        head = [title, *by_damage.columns, "mean", "+-"]
        parts.append(printing.columns(head, lines))
    return "\n\n".join(parts)


SUITE = Suite(
    name="explanations",
    key=("dataset", "seed", "spoilt", "rule"),
    columns=(
        *("dataset", "seed", "spoilt", "rule", "status", "found", "found_flagged"),
        "note",
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=lambda add: add("--datasets", default=SETS),
    seeds="0-2",
)
