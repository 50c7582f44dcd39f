"""A reviewer answers 40 rows in batches of 5: what is found, and how the rest ranks.

After each batch a method is told the truth about the rows that it asked about, and
names the next five. After 10, 20 and 40 answers:

===========  ================================================================
found        outliers among the answered rows, of as many as could be there
             (all of them, or one for each answer)
auroc, ap    of the rows that were never reviewed; empty where these are all of
             one kind
before       AUROC of the same rows by the method without answers
===========  ================================================================

=============  ==============================================================
who            what it is
=============  ==============================================================
refine         `NCAEDetector.next_to_review` and `refine`
ranking        NCAEDetector without answers: the most abnormal rows, in order
IForest        scikit-learn's isolation forest without answers
forest         a random forest on the answers alone; IForest's ranking until there are
               answers of both kinds
AADForest      active anomaly discovery, `coniferest`, 128 trees
PineForest     `coniferest`, 128 trees
DeepSAD        of DeepOD, with the 40 answers of "refine": rest only
known          "refine" that is fitted again after 10 answers, with the outliers among
               them as `fit(X, outliers=...)`, and given the answers again
coin           `refine`, where each answer is drawn at random
coin-anywhere  the same, about rows drawn at random
=============  ==============================================================

The last two say what wrong answers cost: "before" less "auroc", which the table calls
"lost". Behind each ± is the standard error over tables, each a mean over its seeds.
"""

import time

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import printing
from benchmarks.harness.suite import Suite, listed, one_of
from benchmarks.sets import tables as sets
from skncae import NCAEDetector

BATCH = 5
AFTER = (10, 20, 40)
MEASURED = [f"{name}_{n}" for n in AFTER for name in ("found", "auroc", "ap", "before")]
DEFAULT = "refine,ranking,IForest,forest"


class Refine:
    """`NCAEDetector.refine`."""

    def __init__(self, X, seed):
        self.X = X
        self.detector = NCAEDetector(random_state=seed).fit(X)
        self.before = -self.detector.training_scores_

    def ask(self, answered, n):
        """Positions of the rows to ask about."""
        return self.detector.next_to_review(self.X, n)

    def learn(self, rows, is_outlier):
        """Take the answers of a batch."""
        self.detector.refine(self.X, pd.Series(np.where(is_outlier, -1, 1), rows))

    def scores(self):
        """How abnormal each row is."""
        return -self.detector.training_scores_


class Known(Refine):
    """The same, fitted again when the first outliers are known."""

    def __init__(self, X, seed):
        super().__init__(X, seed)
        self.answers = pd.Series(dtype=int)

    def learn(self, rows, is_outlier):
        """Take the answers of a batch."""
        super().learn(rows, is_outlier)
        later = pd.Series(np.where(is_outlier, -1, 1), rows)
        self.answers = pd.concat([self.answers, later])
        if len(self.answers) == AFTER[0]:
            known = np.zeros(len(self.X), dtype=bool)
            known[self.answers.index[self.answers == -1]] = True
            self.detector.fit(self.X, outliers=known).refine(self.X, self.answers)


class Fixed:
    """A ranking that learns nothing."""

    def __init__(self, scores):
        self.before = scores

    def ask(self, answered, n):
        """Positions of the most abnormal rows that were not answered."""
        return top(self.scores(), answered, n)

    def learn(self, rows, is_outlier):
        """Take the answers of a batch."""

    def scores(self):
        """How abnormal each row is."""
        return self.before


class Forest(Fixed):
    """A random forest on the answers."""

    def __init__(self, X, seed):
        super().__init__(isolation(X, seed))
        self.X, self.seed = X, seed
        self.rows, self.labels = [], []

    def learn(self, rows, is_outlier):
        """Take the answers of a batch."""
        self.rows.extend(rows)
        self.labels.extend(is_outlier)

    def scores(self):
        """Share of the trees that call a row an outlier; ties by the isolation forest.

        A share is a multiple of 1/100 at most, so that ties are common.
        """
        if len(set(self.labels)) < 2:
            return self.before
        forest = RandomForestClassifier(
            class_weight="balanced", random_state=self.seed
        ).fit(self.X[self.rows], self.labels)
        ties = np.argsort(np.argsort(self.before)) / len(self.X)
        return forest.predict_proba(self.X)[:, 1] + 1e-6 * ties


class Coniferous(Fixed):
    """A forest of `coniferest`, fitted again with all answers after each batch."""

    def __init__(self, make, X, seed):
        self.X = X
        self.make = lambda: make(n_trees=128, random_seed=seed)
        self.rows, self.labels = [], []
        super().__init__(-self.make().fit(X).score_samples(X))

    def learn(self, rows, is_outlier):
        """Take the answers of a batch."""
        from coniferest.label import Label

        self.rows.extend(rows)
        self.labels.extend(
            Label.ANOMALY if found else Label.REGULAR for found in is_outlier
        )

    def scores(self):
        """How abnormal each row is."""
        if not self.rows:
            return self.before
        known = self.X[self.rows], np.array(self.labels)
        return -self.make().fit_known(self.X, *known).score_samples(self.X)


def isolation(X, seed):
    """Scores of an isolation forest, higher for the more abnormal."""
    return -IsolationForest(random_state=seed).fit(X).score_samples(X)


def reviewer(who, X, seed):
    """Make the method that asks and learns."""
    if who == "ranking":
        return Fixed(-NCAEDetector(random_state=seed).fit(X).training_scores_)
    if who == "IForest":
        return Fixed(isolation(X, seed))
    if who == "forest":
        return Forest(X, seed)
    if who in ("AADForest", "PineForest"):
        import coniferest.aadforest
        import coniferest.pineforest

        kinds = coniferest.aadforest.AADForest, coniferest.pineforest.PineForest
        return Coniferous(kinds[who == "PineForest"], X, seed)
    return (Known if who == "known" else Refine)(X, seed)


WHO = (*DEFAULT.split(","), "AADForest", "PineForest", "DeepSAD")
WHO = (*WHO, "known", "coin", "coin-anywhere")


def top(scores, answered, n):
    """Positions of the n largest scores among the rows that were not answered."""
    scores = np.where(answered, -np.inf, scores)
    return np.argsort(-scores, kind="stable")[:n]


def cases(options):
    """Yield every method on every table, a seed after the other."""
    for seed in options.seeds:
        for who in options.who:
            for dataset in options.datasets[: options.first or None]:
                yield {"dataset": dataset, "who": who, "seed": seed}


def measure(case, task, options):
    """Review the rows of a table; the names of the columns say when."""
    X, y = sets.load(case["dataset"])
    X = StandardScaler().fit_transform(X) if case["who"] == "DeepSAD" else X
    y = y.astype(bool)
    start = time.process_time()
    row = {"n": len(X), "d": X.shape[1], "n_outliers": int(y.sum())}
    row |= review(case["who"], X, y, case["seed"])
    return row | {"cpu_s": time.process_time() - start}


def review(who, X, y, seed):
    """Ask and learn until there are 40 answers; what was found, and the rest."""
    rng = np.random.default_rng(seed)
    method = reviewer(who, X, seed)
    answered, row = np.zeros(len(X), dtype=bool), {}
    for n in range(BATCH, AFTER[-1] + 1, BATCH):
        if who == "coin-anywhere":
            asked = rng.choice(np.flatnonzero(~answered), BATCH, replace=False)
        else:
            asked = np.asarray(method.ask(answered, BATCH))
        answered[asked] = True
        told = y[asked] if not who.startswith("coin") else rng.random(BATCH) < 0.5
        method.learn(asked, told)
        if n in AFTER and (who != "DeepSAD" or n == AFTER[-1]):
            scores = method.scores()
            if who == "DeepSAD":
                scores = deep_sad(X, answered & y, seed)
            row |= judged(scores, method.before, y, answered, n)
    return row


def judged(scores, before, y, answered, n):
    """What was found in n answers, and how the rest is ranked."""
    rest = ~answered
    row = {f"found_{n}": y[answered].sum() / min(n, y.sum())}
    if 0 < y[rest].sum() < rest.sum():
        row[f"auroc_{n}"] = roc_auc_score(y[rest], scores[rest])
        row[f"ap_{n}"] = average_precision_score(y[rest], scores[rest])
        row[f"before_{n}"] = roc_auc_score(y[rest], before[rest])
    return row


def deep_sad(X, known, seed):
    """Scores of Deep SAD that was shown the known outliers."""
    from deepod.models import DeepSAD

    model = DeepSAD(epochs=20, device="cpu", verbose=0, random_state=seed)
    model.fit(X.astype(np.float32), known.astype(int))
    return model.decision_function(X.astype(np.float32))


def table(frame):
    """Render Markdown: the mean over tables of each one's mean over seeds."""
    head = ["who", "tables", "seeds", *(f"found {n}" for n in AFTER)]
    head += [f"rest {n}: AUROC / AP" for n in AFTER]
    head += [f"lost {n}" for n in AFTER] + ["CPU s"]
    rows = []
    for who, of_who in frame[frame.status == "ok"].groupby("who", sort=False):
        for n in AFTER:
            of_who = of_who.assign(
                **{f"lost_{n}": of_who[f"before_{n}"] - of_who[f"auroc_{n}"]}
            )
        by_table = of_who.groupby("dataset").mean(numeric_only=True)
        rows.append(
            [
                who,
                len(by_table),
                of_who.seed.nunique(),
                *(printing.mean_and_error(by_table[f"found_{n}"]) for n in AFTER),
                *(
                    " / ".join(
                        printing.mean_and_error(by_table[f"{name}_{n}"])
                        for name in ("auroc", "ap")
                    )
                    for n in AFTER
                ),
                *(printing.mean_and_error(by_table[f"lost_{n}"]) for n in AFTER),
                f"{of_who.cpu_s.mean():.1f}",
            ]
        )
    return printing.markdown(head, rows)


def add_options(add):
    """Add the options of the suite."""
    add("--who", type=one_of(WHO, "method"), default=DEFAULT)
    add("--datasets", type=listed(sets.names), default="development")
    add("--first", type=int, default=0, help="only so many of the tables")


SUITE = Suite(
    name="feedback",
    key=("dataset", "who", "seed"),
    columns=(
        *("dataset", "who", "seed", "status", "n", "d", "n_outliers"),
        *MEASURED,
        *("cpu_s", "note"),
    ),
    cases=cases,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0-2",
    told=("who",),
)
