"""How often does the planted column get the blame?

    python -m benchmarks.explanations --datasets breast_cancer,cardio --seeds 0-2

A detector is fitted on all rows of a data set, unlabelled. Then the value of one
column (or of two) of a normal row is spoilt: moved by a number of standard
deviations, or swapped for that of another normal row. A rule of blame is good when
the spoilt column has the largest contribution ("top-1"; of two spoilt columns, the
share among the two largest). Labels choose the rows that are spoilt, and nothing else.
"""

import argparse

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine

from benchmarks.harness.protocols import ROW_LIMIT, subsample
from benchmarks.sets import tables as datasets
from skncae import NCAEDetector
from skncae.evidence._scorer import EVIDENCE, _shared_out

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
    return datasets.load(name)


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
    scorer = detector._scorer
    parts = np.stack(
        [getattr(scorer, f"_{kind}_by_column")(rows, None) for kind in scorer.kinds]
    )
    surprises = scorer._surprises_of(scorer.evidence(rows))
    shares = _shared_out(np.ones_like(surprises), parts, np.isfinite(rows))
    middle = np.argsort(surprises, axis=0)[len(surprises) // 2]
    loud = surprises >= np.median(surprises, axis=0)
    alone = dict(zip((f"{kind} alone" for kind in EVIDENCE), shares, strict=True))
    residual = rows - detector.reconstruct(rows)
    return {
        "explain, by surprise": scorer.contributions(rows),
        "deciding witness": np.take_along_axis(shares, middle[None, :, None], axis=0)[
            0
        ],
        "mean of shares": shares.mean(0),
        "louder half by surprise": (shares * (loud * surprises)[..., None]).sum(0),
        **alone,
        "|residual| / std": np.abs(residual) / detector._scorer.view.scale,
        "|z|": np.abs(rows - detector._scorer.view.center)
        / detector._scorer.view.scale,
    }


def share_found(contributions, is_spoilt):
    """Share of the spoilt columns among as many largest contributions, each row."""
    n_columns = is_spoilt[0].sum()
    top = np.argsort(-contributions, axis=1, kind="stable")[:, :n_columns]
    return np.take_along_axis(is_spoilt, top, axis=1).mean(1)


def measure(name, seed):
    """Return [(damage, n_columns, rule, is_flagged, found)] for a data set and seed."""
    X, y = load(name)
    rng = np.random.default_rng(seed)
    if len(X) > ROW_LIMIT:
        chosen = subsample(y, ROW_LIMIT, rng)
        X, y = X[chosen], y[chosen]
    detector = NCAEDetector(random_state=seed).fit(X)
    for n_columns in (1, 2):
        for damage in DAMAGES:
            rows, is_spoilt = spoil(X, np.flatnonzero(y == 0), damage, n_columns, rng)
            flagged = detector.predict(rows) == -1
            for rule, contributions in rules(detector, rows).items():
                found = share_found(contributions, is_spoilt)
                yield damage, n_columns, rule, flagged, found


def main(argv=None):
    """Measure, and print a table of means over data sets and seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", default=SETS)
    parser.add_argument("--seeds", default="0-2", help="first-last")
    arguments = parser.parse_args(argv)
    first, last = map(int, arguments.seeds.split("-"))
    found = {}
    for seed in range(first, last + 1):
        for name in arguments.datasets.split(","):
            for damage, n_columns, rule, flagged, hits in measure(name, seed):
                cell = found.setdefault(rule, {}).setdefault((n_columns, damage), {})
                means = hits.mean(), hits[flagged].mean() if flagged.any() else np.nan
                cell.setdefault(seed, []).append(means)
    print_table("all spoilt rows", found, 0)
    print_table("flagged rows only", found, 1)


def print_table(title, found, which):
    """Print percentages, means over data sets and seeds, +- between the seeds."""
    damages = list(next(iter(found.values())))
    heads = [f"{n} x {damage}" for n, damage in damages]
    print(f"\n{title:24}" + "".join(f"{head:>9}" for head in heads) + "     mean")
    for rule, cells in found.items():
        # (damages, seeds), means over data sets.
        table = np.array(
            [
                [100 * np.nanmean(np.array(means)[:, which]) for means in cell.values()]
                for cell in cells.values()
            ]
        )
        values = "".join(f"{value:9.1f}" for value in table.mean(1))
        print(f"{rule:24}{values}{table.mean():9.1f} +- {table.mean(0).std():.1f}")


if __name__ == "__main__":
    main()
