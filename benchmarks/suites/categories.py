"""How to give categories to `NCAEDetector`.

Four rows are planted among 600 orders of which a tenth of the numbers and a twentieth
of one category are missing. The table says how many of the other rows look more
abnormal than each of them, the mean over seeds: 0 is the best.
"""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from benchmarks.harness import printing
from benchmarks.harness.suite import Suite

NUMBERS = ["weight", "price"]
WORDS = ["country", "carrier", "channel"]
PLANTED = {
    "price": {"weight": 1.0, "price": 120.0},
    "category": {"channel": "fax"},
    "pair": {"country": "IT", "carrier": "DHL"},
    "unseen": {"channel": "pigeon"},
}


class Rarity(TransformerMixin, BaseEstimator):
    """Categories as minus the log of their share; what is missing stays missing."""

    def fit(self, X, y=None):
        """Count the categories of each column."""
        self.counts_ = [X[column].value_counts() for column in X]
        self.n_rows_ = len(X)
        return self

    def transform(self, X):
        """Map categories to rarity; one that is new is rarer than all others."""
        rarity = np.empty(X.shape)
        for i, column in enumerate(X):
            counts = X[column].map(self.counts_[i]).astype(float).fillna(0)
            share = (counts + 1) / (self.n_rows_ + 1)
            rarity[:, i] = np.where(X[column].isna(), np.nan, -np.log(share))
        return rarity


def orders(seed, n=600):
    """Make orders whose price follows the weight and whose carrier the country."""
    rng = np.random.default_rng(seed)
    country = rng.choice(["DE", "FR", "IT", "ES"], size=n, p=[0.4, 0.3, 0.2, 0.1])
    carriers = {"DE": "DHL", "FR": "Colissimo", "IT": "BRT", "ES": "Correos"}
    weight = rng.lognormal(size=n)
    frame = pd.DataFrame(
        {
            "weight": weight,
            "price": weight * rng.normal(20, 2, size=n),
            "country": country,
            "carrier": [carriers[name] for name in country],
            "channel": rng.choice(["web", "shop"], size=n),
        }
    )
    for column, share in (("weight", 0.1), ("price", 0.1), ("channel", 0.05)):
        frame.loc[rng.random(n) < share, column] = np.nan
    return frame


def with_planted(frame):
    """Give the orders to fit, with planted rows at the end, and those to score."""
    typical = {"weight": 1.0, "price": 20.0, "country": "DE", "carrier": "DHL"}
    rows = [typical | {"channel": "web"} | planted for planted in PLANTED.values()]
    planted = pd.DataFrame(rows, index=list(PLANTED))
    scored = pd.concat([frame, planted])
    return scored.drop(index="unseen"), scored


def encodings():
    """Give a `ColumnTransformer` for each way to encode the categories."""
    one_hot = OneHotEncoder(
        min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    ordinal = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot)
    words = {
        "ordinal": [(ordinal, WORDS)],
        "one-hot": [(one_hot, WORDS)],
        "one-hot, filled in": [(filled, WORDS)],
        "rarity": [(Rarity(), WORDS)],
        "rarity, with pair": [(Rarity(), [*WORDS, "route"])],
    }
    return {
        name: make_column_transformer(("passthrough", NUMBERS), *parts)
        for name, parts in words.items()
    }


def ranks(encoding, seed):
    """Count the rows that look more abnormal than each planted one."""
    from skncae import NCAEDetector

    fitted, scored = with_planted(orders(seed))
    fitted, scored = (
        frame.assign(route=frame.country + " " + frame.carrier)
        for frame in (fitted, scored)
    )
    detector = NCAEDetector(allow_nan=True, random_state=seed)
    scores = make_pipeline(encoding, detector).fit(fitted).score_samples(scored)
    normal = scores[: -len(PLANTED)]
    return [int((normal < score).sum()) for score in scores[-len(PLANTED) :]]


def cases(options):
    """Yield every encoding, a seed after the other."""
    for seed in options.seeds:
        for encoding in encodings():
            yield {"encoding": encoding, "seed": seed}


def measure(case, task, options):
    """Count the rows above each planted one."""
    found = ranks(encodings()[case["encoding"]], case["seed"])
    return dict(zip(PLANTED, found, strict=True))


def table(frame):
    """Render means over seeds."""
    means = frame.groupby("encoding", sort=False)[list(PLANTED)].mean()
    rows = ([name, *(f"{mean:.1f}" for mean in row)] for name, row in means.iterrows())
    return printing.columns(["encoding", *PLANTED], rows)


SUITE = Suite(
    name="categories",
    key=("encoding", "seed"),
    columns=("encoding", "seed", "status", *PLANTED, "note"),
    cases=cases,
    measure=measure,
    table=table,
    seeds="0-4",
)
