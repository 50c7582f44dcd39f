"""
NCAE beside the detectors of PyOD
=================================

Ten tables of 64 columns: in each, one handwritten digit is normal and every tenth row
is another digit. All detectors have their defaults, are fitted on all rows, outliers
included, and rank these rows. Labels only serve to count how well they did.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.ocsvm import OCSVM
from pyod.models.pca import PCA
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from skncae.pyod import NCAE

# %%
# ``skncae.pyod.NCAE`` is `NCAEDetector` with PyOD's interface: one more entry in the
# dictionary.


def make_detectors(seed):
    """Name every detector."""
    return {
        "NCAE": NCAE(random_state=seed),
        "ECOD": ECOD(),
        "HBOS": HBOS(),
        "IForest": IForest(random_state=seed),
        "KNN": KNN(),
        "LOF": LOF(),
        "OCSVM": OCSVM(),
        "PCA": PCA(random_state=seed),
    }


# %%
# The tables, standardised for all, and the results as one long frame.

images, digits = load_digits(return_X_y=True)
results = []
for digit in range(10):
    rng = np.random.default_rng(digit)
    normal, others = np.flatnonzero(digits == digit), np.flatnonzero(digits != digit)
    rows = np.concatenate([normal, rng.choice(others, len(normal) // 9, replace=False)])
    X, y = StandardScaler().fit_transform(images[rows]), digits[rows] != digit
    for name, detector in make_detectors(digit).items():
        scores = detector.fit(X).decision_scores_
        auroc, ap = roc_auc_score(y, scores), average_precision_score(y, scores)
        results.append((digit, name, 100 * auroc, 100 * ap))
results = pd.DataFrame(results, columns=["digit", "detector", "AUROC", "AP"])

means = results.groupby("detector")[["AUROC", "AP"]].mean().sort_values("AUROC")
print(means[::-1].round(1))

# %%
# Which place does NCAE have, and is that more than chance? Paired over the digits: a
# mean difference of less than two standard errors is none.

for metric in means:
    order = means[metric].sort_values(ascending=False)
    rank = order.index.get_loc("NCAE") + 1
    values = results.pivot(index="digit", columns="detector", values=metric)
    best_other = order.index.drop("NCAE")[0]
    difference = values["NCAE"] - values[best_other]
    mean, error = difference.mean(), difference.sem()
    verdict = "ahead of" if mean > 0 else "behind"
    verdict = "level with" if abs(mean) < 2 * error else verdict
    print(
        f"{metric}: NCAE is number {rank} of {len(order)}, {verdict} {best_other}"
        f" ({mean:+.1f} +- {error:.1f})"
    )

# %%
# A dot for each digit, a bar for the mean.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True, layout="constrained")
for ax, metric in zip(axes, means, strict=True):
    for place, name in enumerate(means.index):
        values = results.loc[results.detector == name, metric]
        colour = "#D55E00" if name == "NCAE" else "#0072B2"
        ax.plot(values, np.full(len(values), place), "o", color=colour, alpha=0.5)
        ax.plot(means.loc[name, metric], place, "|", color=colour, ms=22, mew=3)
    ax.set_yticks(range(len(means)), means.index)
    ax.set(xlabel=f"{metric}, in %", title=f"{metric}: ten digits and their mean")
    ax.grid(axis="x", alpha=0.3)

# %%
# The means hide where it loses, and to which detector: only labels can tell.

auroc = results.pivot(index="digit", columns="detector", values="AUROC")
others = auroc.drop(columns="NCAE")
duel = pd.DataFrame(
    {
        "NCAE": auroc["NCAE"],
        "best other": others.max(axis=1),
        "which": others.idxmax(axis=1),
    }
)
print(duel.round(1))
lost = duel["NCAE"] < duel["best other"]
print(f"\nNCAE is behind the best other detector on {lost.sum()} of {len(duel)} digits")

plt.show()
