"""Can a detector be chosen without labels?

A grid of settings of NCAEDetector on the ODDS sets (at most 2,000 rows): each is
fitted on either half of the rows. The candidates see the other half and no label;
the truth is the AUROC over all rows. Each is a mean over both halves.

===========  ================================================================
criterion    what counts as good (all: the higher, the better)
===========  ================================================================
uniform      AUROC of the rows against uniform rows in their bounding box
shuffled     ... against the rows with each column shuffled by itself
replaced     ... against the rows with a fifth of their columns replaced by uniform
             values: `skncae.metrics.pseudo_outlier_scorer`
em           area under the excess-mass curve [1]_, volume by uniform rows
em_columns   the same for a detector refitted on five columns drawn at random: where
             columns are many, uniform rows never come near the others [1]_
mv           minus the area under the mass-volume curve [1]_
stability    Spearman correlation with the scores of a detector refitted on the
             other half
consensus    Spearman correlation with the mean rank of three simple detectors
===========  ================================================================

.. [1] Goix (2016), "How to evaluate the quality of unsupervised anomaly detection
   algorithms?"
"""

import time
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.stats import rankdata, spearmanr
from sklearn.covariance import OAS
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import printing, protocols
from benchmarks.harness.suite import Suite, listed
from benchmarks.sets import tables as sets
from skncae import NCAEDetector
from skncae.metrics import _spoilt_copies

CRITERIA = (
    "uniform",
    "shuffled",
    "replaced",
    "em",
    "em_columns",
    "mv",
    "stability",
    "consensus",
)
ROW_LIMIT = 2_000
MEMBERS = 4

# What GridSearchCV would be given: the paper's two parameters crossed, then one
# change of the default at a time.
SETTINGS = {
    "default": {},
    "tau=0": {"mining_rate": 0.0},
    "tau=0.3": {"mining_rate": 0.3},
    "sigma=0.01": {"generation_scale": 0.01},
    "sigma=1": {"generation_scale": 1.0},
    "tau=0.3 sigma=0.01": {"mining_rate": 0.3, "generation_scale": 0.01},
    "tau=0.3 sigma=1": {"mining_rate": 0.3, "generation_scale": 1.0},
    "latent_dim=1": {"latent_dim": 1},
    "latent_dim=8": {"latent_dim": 8},
    "scaling=standardized": {"scaling": "standardized"},
    "scaling=minmax": {"scaling": "minmax"},
    "calibration_rounds=0": {"calibration_rounds": 0},
    "max_iter=50": {"max_iter": 50},
    "evidence=reconstruction": {"evidence": "reconstruction"},
    "evidence=dictionary": {"evidence": "dictionary"},
    "evidence=tails": {"evidence": "tails"},
}


def cases(options):
    """Yield every setting on every set, a seed after the other."""
    for seed in options.seeds:
        for dataset in options.datasets:
            for setting in SETTINGS:
                yield {"dataset": dataset, "setting": setting, "seed": seed}


def prepare(case, options):
    """Give the size of a set; its rows and labels, its halves, and their consensus."""
    X, y, *_ = task = _task(case["dataset"], case["seed"])
    return {"n": len(X), "d": X.shape[1], "outlier_share": float(y.mean())}, task


@lru_cache(maxsize=1)
def _task(dataset, seed):
    X, y = sets.load(dataset)
    rng = np.random.default_rng(seed)
    X, y = protocols.at_most(ROW_LIMIT, X, y, rng)
    X = StandardScaler().fit_transform(X)
    halves = np.array_split(rng.permutation(len(X)), 2)
    return X, y, halves, [consensus(X[half]) for half in halves]


def measure(case, task, options):
    """Fit a setting on both halves; give its AUROC and every criterion."""
    X, y, halves, agreed = task
    start = time.perf_counter()

    def fit(rows):
        parameters = SETTINGS[case["setting"]] | {"random_state": case["seed"]}
        return NCAEDetector(n_estimators=MEMBERS, **parameters).fit(rows)

    detectors = [fit(X[half]) for half in halves]
    scores = [detector.score_samples(X) for detector in detectors]
    found = [
        criteria(detector, fit, X[half], refitted[half], votes)
        for detector, refitted, half, votes in zip(
            detectors, scores[::-1], halves[::-1], agreed[::-1], strict=True
        )
    ]
    return {
        "auroc": np.mean([roc_auc_score(y, -normality) for normality in scores]),
        **{name: np.mean([values[name] for values in found]) for name in CRITERIA},
        "wall_s": time.perf_counter() - start,
    }


# --- candidates ----------------------------------------------------------------


def criteria(detector, fit, X, refitted, agreed):
    """Every criterion of one detector, on rows that it was not fitted on.

    `fit` fits the same setting on other rows; `refitted` are the scores of X by a
    detector fitted on X.
    """
    scores = detector.score_samples(X)
    # The same pseudo-outliers for every detector.
    rng = np.random.default_rng(0)
    uniform = detector.score_samples(uniform_rows(X, rng))
    shuffled = detector.score_samples(rng.permuted(X, axis=0))
    replaced = detector.score_samples(_spoilt_copies(X, rng))
    return {
        "uniform": _separation(scores, uniform),
        "shuffled": _separation(scores, shuffled),
        "replaced": _separation(scores, replaced),
        "em": excess_mass(scores, uniform),
        "em_columns": _excess_mass_of_columns(fit, X, rng),
        "mv": -mass_volume(scores, uniform),
        "stability": spearmanr(scores, refitted).statistic,
        "consensus": spearmanr(scores, agreed).statistic,
    }


def uniform_rows(X, rng):
    """Draw rows in the bounding box of X."""
    return rng.uniform(X.min(0), X.max(0), size=(2_000, X.shape[1]))


def _separation(scores, pseudo_outliers):
    is_real = np.repeat([True, False], [len(scores), len(pseudo_outliers)])
    return roc_auc_score(is_real, np.concatenate([scores, pseudo_outliers]))


def excess_mass(scores, uniform):
    """Area under EM(t) = max_u P(s(X) >= u) - t Leb(s >= u), down to EM = 0.9.

    The bounding box has volume 1.
    """
    levels = np.unique(scores)
    mass = 1 - np.searchsorted(np.sort(scores), levels) / len(scores)
    volume = 1 - np.searchsorted(np.sort(uniform), levels) / len(uniform)
    t = np.arange(0, 100, 0.1)
    curve = (mass - t[:, None] * volume).max(axis=1)
    end = max(2, np.count_nonzero(curve > 0.9))
    return trapezoid(curve[:end], t[:end])


def _excess_mass_of_columns(fit, X, rng):
    columns = rng.permutation(X.shape[1])[:5]
    detector = fit(X[:, columns])
    uniform = detector.score_samples(uniform_rows(X[:, columns], rng))
    return excess_mass(detector.score_samples(X[:, columns]), uniform)


def mass_volume(scores, uniform):
    """Mean volume of the smallest level sets that hold 90 to 99.9 % of the rows."""
    levels = np.quantile(scores, 1 - np.linspace(0.9, 0.999, 100))
    return np.mean(1 - np.searchsorted(np.sort(uniform), levels) / len(uniform))


def consensus(X):
    """Mean rank of the normality of rows by three simple detectors."""
    n_neighbors = min(10, len(X) - 1)
    distances, _ = NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors()
    forest = IsolationForest(random_state=0).fit(X)
    votes = (
        -distances.mean(axis=1),
        forest.score_samples(X),
        -OAS().fit(X).mahalanobis(X),
    )
    return np.mean([rankdata(vote) for vote in votes], axis=0)


# --- report --------------------------------------------------------------------


def choices(frame):
    """AUROC of what each criterion chooses, one row a set and seed."""
    rows = []
    for (dataset, seed), part in frame.groupby(["dataset", "seed"], sort=False):
        part = part.set_index("setting")
        row = {"dataset": dataset, "seed": seed, "default": part.auroc["default"]}
        row |= {"random": part.auroc.mean()}
        row |= {"best": part.auroc.max(), "worst": part.auroc.min()}
        for name in CRITERIA:
            # Settings that tie are chosen from at random.
            row[name] = part.auroc[part[name] == part[name].max()].mean()
            row[f"rho {name}"] = _correlation(part[name], part.auroc)
        rows.append(row)
    return pd.DataFrame(rows)


def _correlation(a, b):
    return np.nan if a.nunique() == 1 or b.nunique() == 1 else spearmanr(a, b).statistic


def table(frame):
    """Render how each criterion tracks AUROC, over sets (means of their seeds)."""
    good = frame[frame.status == "ok"]
    paper = [name for name in SETTINGS if name.startswith(("default", "tau", "sigma"))]
    return (
        f"all {len(SETTINGS)} settings\n{_choice_table(good)}\n\n"
        f"tau and sigma only, {len(paper)} settings\n"
        f"{_choice_table(good[good.setting.isin(paper)])}"
    )


def _choice_table(frame):
    chosen = choices(frame).drop(columns="seed").groupby("dataset", sort=False).mean()
    lines = []
    for name in ("best", "default", "random", "worst", *CRITERIA):
        rho = chosen.get(f"rho {name}")
        tracks = ["", ""] if rho is None else [f"{rho.mean():.2f}", _share(rho)]
        gains = [
            printing.mean_and_error(chosen[name] - chosen[to], "+")
            for to in ("random", "default")
        ]
        lines.append([name, *tracks, printing.percent(chosen[name].mean()), *gains])
    head = ["choice", "rho", "rho > 0", "AUROC", "- random", "- default"]
    text = printing.columns(head, lines)
    return f"{text}\n± standard error over {len(chosen)} sets"


def _share(rho):
    rho = rho.dropna()
    return f"{(rho > 0).sum()}/{len(rho)}"


def add_options(add):
    """Add what only this suite has."""
    add("--datasets", type=listed(sets.names), default="all", help="six, all, or names")


SUITE = Suite(
    name="criterion",
    key=("dataset", "setting", "seed"),
    columns=(
        *("dataset", "n", "d", "outlier_share", "setting", "seed", "status", "auroc"),
        *(*CRITERIA, "wall_s", "note"),
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0-1",
)
