"""How many rows to flag.

Every rule sees the same fitted `NCAEDetector` and says what share of the training
rows it would flag; labels then say how good that was. A rule that says nothing
between 0 and a half falls back to 0.1, but "auto" may say none. ``oracle`` knows the
true share.

========  ================================================================
oddbench  the 200 development tables, rows of the protocol contaminated
odds      the 25 sets of ODDS, rows of the protocol contaminated
real      one class of a set of scikit-learn, and a share of the others
planted   synthetic rows, and a share planted far out or in a cluster
========  ================================================================

"log" rules look at the logs of the errors of each kind of evidence, "raw" ones at the
errors, and answer with the median over the kinds; "auto of" is the answer of "auto" for
one kind alone. PyThresh's see the scores. In the table "log2" is the median over the
fits of the absolute error of the share as a power of 2: below 1 it is within a factor
of 2 in most fits. The last column is the mean paired difference in F1 to "auto", with
its standard error.
"""

import importlib
from functools import lru_cache

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.mixture import GaussianMixture

from benchmarks.harness import printing, protocols
from benchmarks.harness.suite import Suite, listed, one_of
from benchmarks.sets import tables as sets

SUITES = ("oddbench", "odds", "real", "planted")
SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3)
PYTHRESH = ("FILTER", "HIST", "MTT", "OCSVM", "AUCP", "KARCH", "IQR", "DSN")


def log(errors):
    """Log of errors, where zero is a very small number."""
    return np.log(np.maximum(errors, 1e-30))


def mad_share(values, deviations):
    """Share of the values that are so many robust deviations above the median."""
    centre = np.median(values)
    scale = 1.4826 * np.median(np.abs(values - centre))
    return np.mean(values > centre + deviations * scale)


def otsu_share(values):
    """Share above the cut that makes the variance between both sides largest."""
    ascending = np.sort(values)
    total, n = np.cumsum(ascending), len(ascending)
    size = np.arange(1, n)
    gap = total[:-1] / size - (total[-1] - total[:-1]) / (n - size)
    return 1.0 - size[np.argmax(size * (n - size) * gap**2)] / n


def mixture_share(values):
    """Share of the upper of two Gaussians, if BIC prefers two to one."""
    values = values[:, None]
    one, two = (GaussianMixture(k, random_state=0).fit(values) for k in (1, 2))
    if two.bic(values) > one.bic(values):
        return 0.0
    return np.mean(two.predict(values) == np.argmax(two.means_))


def gap_share(values):
    """Share above the largest gap, each gap weighed by its rank from the top."""
    upper = np.sort(values)[::-1][: len(values) // 2 + 1]
    weighed = (upper[:-1] - upper[1:]) * np.arange(1, len(upper))
    return (np.argmax(weighed) + 1) / len(values)


def knee_share(errors):
    """Share above the point of the sorted errors farthest below the chord."""
    descending = np.sort(errors)[::-1]
    height = (descending - descending[-1]) / max(np.ptp(errors), 1e-30)
    return np.argmax(1.0 - np.linspace(0, 1, len(errors)) - height) / len(errors)


OURS = {
    "fixed 0.1": lambda errors: 0.1,
    "fixed 0.15": lambda errors: 0.15,
    "fixed 0.25": lambda errors: 0.25,
    "3 MADs, log": lambda errors: mad_share(log(errors), 3.0),
    "3 MADs, raw": lambda errors: mad_share(errors, 3.0),
    "otsu, log": lambda errors: otsu_share(log(errors)),
    "mixture, log": lambda errors: mixture_share(log(errors)),
    "gap, log": lambda errors: gap_share(log(errors)),
    "knee, raw": knee_share,
}


def cases(options):
    """Yield every set of every suite, a seed after the other."""
    for seed in options.seeds:
        for suite in ("oddbench", "odds"):
            if suite in options.suites:
                for name in options.datasets or sets.names(suite):
                    yield {"suite": suite, "dataset": name, "seed": seed}
        for share in SHARES:
            for suite, name in _mixtures(seed, share):
                if suite in options.suites:
                    yield {"suite": suite, "dataset": name, "seed": seed}


def prepare(case, options):
    """Give the rows and the labels of a case."""
    if case["suite"] in ("oddbench", "odds"):
        rows = sets.load(case["dataset"])
        task = protocols.prepare(*rows, "contaminated", case["seed"])
        return {}, (task.X_train, task.y_score)
    share = float(case["dataset"].rsplit(maxsplit=1)[1])
    return {}, _mixtures(case["seed"], share)[case["suite"], case["dataset"]]


@lru_cache(maxsize=1)
def _mixtures(seed, share):
    """Draw rows and labels of the other suites, {(suite, name): (X, y)}."""
    # One generator for all, so that a case is the same whatever else is asked for.
    rng = np.random.default_rng([seed, int(1000 * share)])
    drawn = {}
    for name, X, is_normal in one_against_the_rest():
        rows = mixed(X[is_normal], X[~is_normal], share, rng)
        drawn["real", f"{name} {share}"] = rows
    for name, normal, others in planted(rng):
        drawn["planted", f"{name} {share}"] = mixed(normal, others, share, rng)
    return drawn


def one_against_the_rest():
    """Yield (name, rows, which of them are normal) of sets in scikit-learn."""
    for name, normal in (
        ("breast_cancer", (1,)),
        ("digits", (0, 4, 8)),
        ("wine", (0, 1)),
    ):
        X, y = getattr(sklearn_datasets, f"load_{name}")(return_X_y=True)
        for label in normal:
            yield f"{name} {label}", X, y == label


def planted(rng, n=1000, d=10):
    """Yield (name, normal rows, outliers) of synthetic distributions."""
    normal = {
        "gauss": rng.normal(size=(n, d)),
        "correlated": rng.normal(size=(n, 3)) @ rng.normal(size=(3, d))
        + 0.3 * rng.normal(size=(n, d)),
        "student": rng.standard_t(3, size=(n, d)),
        "lognormal": rng.lognormal(sigma=0.7, size=(n, d)),
        "clusters": 4.0 * rng.normal(size=(3, d))[rng.integers(3, size=n)]
        + rng.normal(size=(n, d)),
    }
    for name, rows in normal.items():
        wide = rng.uniform(-5, 5, size=(n, d))
        cluster = 3.0 * rng.choice([-1, 1], size=d) + 0.7 * rng.normal(size=(n, d))
        for kind, outliers in (("wide", wide), ("cluster", cluster)):
            yield f"{name} {kind}", rows, rows.mean(0) + rows.std(0) * outliers


def mixed(normal, others, share, rng):
    """Shuffle all normal rows with so many others that they are the share."""
    size = min(round(share / (1.0 - share) * len(normal)), len(others))
    X = np.concatenate([normal, others[rng.permutation(len(others))[:size]]])
    y = np.arange(len(X)) >= len(normal)
    order = rng.permutation(len(X))
    return X[order], y[order].astype(int)


def measure(case, task, options):
    """Fit once, and give a row for every rule."""
    from skncae import NCAEDetector
    from skncae._share import estimate

    X, y = task
    detector = NCAEDetector(contamination="auto", random_state=case["seed"]).fit(X)
    evidence = detector._scorer.component_errors(X)
    sees = estimate(detector._scorer.tails, len(X)).sees
    low, high = detector.contamination_interval_
    yield _outcome(detector, y, "auto") | {"sees": sees, "low": low, "high": high}
    if y.any():
        yield outcome(detector, y, "oracle", y.mean())
    for component in detector._scorer.components:
        found = estimate([component.tail], len(X))
        row = outcome(detector, y, f"auto of {component.evidence.name}", found.share)
        yield row | {"sees": found.sees}
    for name, rule in OURS.items():
        share = np.median([rule(errors) for errors in evidence])
        yield outcome(detector, y, name, share)
    for name in PYTHRESH:
        share = pythresh_share(name, -detector.training_scores_)
        yield outcome(detector, y, f"PyThresh {name}", share)


def pythresh_share(name, errors):
    """Share that a thresholder of PyThresh flags; NaN where it fails."""
    module = importlib.import_module(f"pythresh.thresholds.{name.lower()}")
    # Its default takes n x n numbers.
    parameters = {"method": "simple"} if name == "KARCH" else {}
    try:
        return np.mean(getattr(module, name)(**parameters).eval(errors))
    except ValueError:
        return np.nan


def outcome(detector, y, rule, share):
    """Flag the share, or 0.1 where it is no share, and compare with the labels."""
    fell_back = not 0.0 < share <= 0.5
    detector.set_threshold(quantile=0.9 if fell_back else 1.0 - share)
    return _outcome(detector, y, rule) | {"fell_back": int(fell_back)}


def _outcome(detector, y, rule):
    """Compare what the detector flags with the labels."""
    from skncae._threshold import exceeds

    flagged = exceeds(-detector.training_scores_, detector.threshold_)
    row = {
        "rule": rule,
        "true_share": y.mean(),
        "share": flagged.mean(),
        "fell_back": 0,
    }
    if y.any():
        row["f1"] = f1_score(y, flagged, zero_division=0)
        row["balanced_accuracy"] = balanced_accuracy_score(y, flagged)
    return row


def table(frame):
    """Render means over the fits of a suite, in percent but for the log error."""
    frame = frame[frame.status == "ok"]
    some = frame.true_share.where(frame.true_share > 0)
    with np.errstate(divide="ignore"):
        log2 = np.abs(np.log2(frame.share / some))
    frame = frame.assign(
        error=(frame.share - frame.true_share).abs(),
        log2=log2,
        held=frame.true_share.between(frame.low, frame.high).where(frame.low.notna()),
    )
    parts = []
    for (suite, clean), part in frame.groupby(["suite", frame.true_share == 0]):
        fits = part.groupby(["dataset", "seed"]).ngroups
        title = f"{suite}, {'no' if clean else 'some'} outliers, {fits} fits"
        seen = part[part.rule == "auto"].sees.value_counts()
        saw = ", ".join(f"{what} {n}" for what, n in seen.items())
        parts.append(f"{title}; auto sees: {saw}\n{_rule_table(part)}")
    return "\n\n".join(parts)


def _rule_table(part):
    columns = ["share", "error", "log2", "f1", "balanced_accuracy", "fell_back"]
    means = part.groupby("rule")[columns].mean()
    means["log2"] = part.groupby("rule").log2.median()
    means["held"] = part.dropna(subset="held").groupby("rule").held.mean()
    means = means.sort_values(["f1", "error"], ascending=[False, True])
    f1 = part.pivot(index=["dataset", "seed"], columns="rule", values="f1")
    lines = []
    for rule, row in means.iterrows():
        cells = [printing.percent(value) for value in row]
        cells[2] = "" if np.isnan(row.log2) else f"{row.log2:.2f}"
        gain = f1[rule] - f1["auto"]
        to_auto = printing.mean_and_error(gain, "+") if gain.any() else ""
        lines.append([rule, *cells, to_auto])
    head = ["rule", "share", "error", "log2", "F1", "bal", "fell", "held", "to auto"]
    return printing.columns(head, lines)


def add_options(add):
    """Add what only this suite has."""
    add("--suites", type=one_of(SUITES, "suite"), default="oddbench")
    add(
        "--datasets",
        type=listed(sets.names),
        help="all of oddbench and odds by default",
    )


SUITE = Suite(
    name="thresholds",
    key=("suite", "dataset", "seed", "rule"),
    columns=(
        *("suite", "dataset", "seed", "rule", "status", "true_share", "share"),
        *("fell_back", "sees", "low", "high", "f1", "balanced_accuracy", "note"),
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0",
)
