"""
From a raw table to explained outliers
======================================

A table as it comes: numbers in different units, a category, holes, and a few rows that
somebody got wrong. Here we know which, since we planted the mistakes in scikit-learn's
diabetes data ourselves. The detector is never told.
"""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

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
# The frame is taken as it is. ``columns_`` says what each column was understood as
# (:doc:`the guide </guide/any_table>` says more).

detector = NCAEDetector(contamination=0.05, random_state=0)
flagged = detector.fit_predict(patients) == -1
print(pd.DataFrame(detector.columns_))

# %%
# How many to flag? A share that we fix, here 5 %, flags that share whatever the data.
# "auto" estimates it, and says so where the scores show no gap. Moving the threshold
# needs no new fit, and changes no score.

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    detector.set_threshold(contamination="auto")
print(said[0].message if said else "There is a gap between the outliers and the rest.")
is_planted = planted != ""
found = pd.DataFrame({"fixed": flagged, "auto": detector.predict(patients) == -1})
found["rank"] = pd.Series(detector.score_samples(patients)).rank()
found["mistake"] = planted
print(found[is_planted].sort_values("rank"))

# %%
# What that comes to. Rows that nobody planted are patients who are unusual as they are.
# With real mistakes nobody tells which are which: take the share of rows that you can
# afford to look at.

for way in ("fixed", "auto"):
    hits, others = found[way][is_planted].sum(), found[way][~is_planted].sum()
    print(f"{way}: {hits} of {is_planted.sum()} planted rows, and {others} others")
missed = found[is_planted & ~found["fixed"]]
counts = missed["mistake"].value_counts().items()
print("missed at 5 %:", ", ".join(f"{n} x {kind}" for kind, n in counts) or "none")

auto = detector.threshold_
detector.set_threshold(contamination=0.05)
display = ScoreDistributionDisplay.from_estimator(detector, patients, is_planted)
display.ax_.axvline(auto, linestyle=":", color="grey", label="auto")
display.ax_.legend(loc="upper right")

# %%
# Why was a row flagged? For each, the column that speaks most against it, beside what
# was expected there: a number that can be, or a category.

explanation = detector.explain(patients)
reasons = explanation.cells(k=1).set_index("row").drop(columns="residual")
reasons = reasons[flagged].join(planted)
print(reasons.sort_values("contribution", ascending=False).to_string())

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
same = loaded.score_samples(patients) == detector.score_samples(patients)
print(f"the same scores from the file: {same.all()}")

plt.show()
