"""
From a raw table to explained outliers
======================================

A table as it comes: numbers in different units, a category, holes, and a few rows that
somebody got wrong. Here we know which, since we planted the mistakes in scikit-learn's
diabetes data ourselves. The detector is never told.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline

from skncae import NCAEDetector
from skncae.plotting import FeatureContributionDisplay, ScoreDistributionDisplay

# %%
# The data: 442 patients. A tenth of the laboratory values is lost, and then twelve
# rows get a mistake of one of four kinds. The swapped cholesterols are hard: each value
# is one that other patients have.

rng = np.random.default_rng(0)
laboratory = ["cholesterol", "ldl", "hdl", "ratio", "triglycerides", "glucose"]
patients = load_diabetes(as_frame=True, scaled=False).data
patients.columns = ["age", "sex", "bmi", "pressure", *laboratory]
patients["sex"] = patients["sex"].map({1: "one", 2: "two"})  # which is which, unknown
patients[laboratory] = patients[laboratory].mask(rng.random((442, 6)) < 0.1)

planted = pd.Series("", index=patients.index, name="mistake")
complete = patients.dropna().sample(frac=1, random_state=0)
low, high = complete.index[complete.ldl < 90], complete.index[complete.ldl >= 90]
planted[high[:3]] = "pressure in kPa"
patients.loc[high[:3], "pressure"] *= 0.133
planted[high[3:6]] = "slipped decimal point"
patients.loc[high[3:6], "glucose"] *= 10
planted[high[6:9]] = "misspelt category"
patients.loc[high[6:9], "sex"] = ["won", "tow", "?"]
planted[low[:3]] = "ldl and hdl swapped"
swapped = {"ldl": "hdl", "hdl": "ldl"}
patients.update(patients.loc[low[:3], ["ldl", "hdl"]].rename(columns=swapped))
print(patients.describe(include="all").loc[["count", "unique", "min", "max"]].T)

# %%
# What matters of a category is how rare it is (:doc:`the guide </guide/missing_values>`
# says why). The numbers need no preparation: the detector scales them, and
# ``allow_nan=True`` judges a row by the values that it has.


class Rarity(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Categories as minus the log of their share."""

    def fit(self, X, y=None):
        self.feature_names_in_, self.n_features_in_ = X.columns, X.shape[1]
        self.shares_ = [X[column].value_counts(normalize=True) for column in X]
        self.unseen_ = 1 / (len(X) + 1)
        return self

    def transform(self, X):
        columns = zip(X, self.shares_, strict=True)
        shares = [X[name].map(share).fillna(self.unseen_) for name, share in columns]
        return -np.log(np.column_stack(shares))


columns = make_column_transformer(
    (Rarity(), ["sex"]), remainder="passthrough", verbose_feature_names_out=False
)
detector = NCAEDetector(allow_nan=True, contamination=0.05, random_state=0)
pipeline = make_pipeline(columns.set_output(transform="pandas"), detector)
flagged = pipeline.fit_predict(patients) == -1

# %%
# How many to flag? A share that we fix, here 5 %, flags that share whatever the data.
# "auto" estimates it. Moving the threshold needs no new fit, and changes no score.

rows = pipeline[:-1].transform(patients)
detector.set_threshold(contamination="auto")
is_planted = planted != ""
found = pd.DataFrame({"fixed": flagged, "auto": detector.predict(rows) == -1})
found["rank"] = pd.Series(detector.score_samples(rows)).rank()
found["mistake"] = planted
print(found[is_planted].sort_values("rank"))

# %%
# What that comes to. Rows that nobody planted are patients who are unusual as they are.
# With real mistakes nobody tells which are which: take the share of rows that you can
# afford to look at.

for way in ("fixed", "auto"):
    hits, others = found[way][is_planted].sum(), found[way][~is_planted].sum()
    print(f"{way}: {hits} of {is_planted.sum()} planted rows, and {others} others")
missed = found.loc[is_planted & ~found["fixed"], "mistake"].value_counts()
print("missed at 5 %:", ", ".join(f"{n} x {kind}" for kind, n in missed.items()))

detector.set_threshold(contamination=0.05)
display = ScoreDistributionDisplay.from_estimator(detector, rows, is_planted)
detector.set_threshold(contamination="auto")
display.ax_.axvline(detector.threshold_, linestyle=":", color="grey", label="auto")
display.ax_.legend(loc="upper right")

# %%
# Why was a row flagged? For each, the column that speaks most against it, beside what
# the networks expected there. The value of a category is its rarity, minus the log of
# its share.

explanation = detector.explain(rows)
reasons = explanation.cells(k=1).set_index("row").drop(columns="residual")
reasons = reasons[flagged].join(planted)
print(reasons.sort_values("contribution", ascending=False).round(2).to_string())

# %%
# The most abnormal row of each kind as a picture.

examples = found[is_planted].sort_values("rank").drop_duplicates("mistake").index
figure, axes = plt.subplots(2, 2, figsize=(12, 6.4), layout="constrained")
FeatureContributionDisplay(explanation, rows=examples, k=4).plot(ax=axes.ravel())
for ax, patient in zip(axes.ravel(), examples, strict=True):
    ax.set_title(f"Row {patient}: {planted[patient]}")

# %%
# Tomorrow's rows are scored by a detector from a file, which holds arrays and
# parameters and runs no code when it is read.

with TemporaryDirectory() as folder:
    path = Path(folder) / "detector.safetensors"
    detector.save(path)
    loaded = NCAEDetector.load(path)
print((loaded.score_samples(rows) == detector.score_samples(rows)).all())

plt.show()
