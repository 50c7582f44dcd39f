"""
Find malignant samples among benign ones
========================================

Someone hands over 397 cell samples, 30 measurements each. Most are benign, 40 are
malignant, and nobody has labelled them. `NCAEDetector` is fitted on all of them as
they are. Labels are used at the end, to see how well it did, and nowhere else.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from skncae import NCAEDetector
from skncae.plotting import FeatureContributionDisplay, ScoreDistributionDisplay

# %%
# The data: all 357 benign rows, and 40 malignant ones drawn at random.

data = load_breast_cancer()
benign, malignant = np.flatnonzero(data.target == 1), np.flatnonzero(data.target == 0)
hidden = np.random.default_rng(0).choice(malignant, size=40, replace=False)
rows = np.sort(np.concatenate([benign, hidden]))
X, is_malignant = data.data[rows], data.target[rows] == 0

# %%
# Fit, without labels, and rank the rows. The other detectors get standardised rows.

detector = NCAEDetector(contamination=0.1, random_state=0).fit(X)
X_standard = StandardScaler().fit_transform(X)
forest = IsolationForest(random_state=0).fit(X_standard)
neighbours = LocalOutlierFactor().fit(X_standard)
outlyingness = {
    "NCAEDetector": -detector.score_samples(X),
    "IsolationForest": -forest.score_samples(X_standard),
    "LocalOutlierFactor": -neighbours.negative_outlier_factor_,
}

print(f"{len(X)} rows, {X.shape[1]} features, {is_malignant.sum()} rows malignant")
print(f"\n{'detector':20}{'AUROC':>7}{'AP':>7}")
for name, values in outlyingness.items():
    auroc = roc_auc_score(is_malignant, values)
    precision = average_precision_score(is_malignant, values)
    print(f"{name:20}{100 * auroc:7.1f}{100 * precision:7.1f}")
print(f"\nshare of the rows mined as contamination: {detector.mining_share_:.1%}")

# %%
# Which rows does it flag, and why? The error of a row is shared out among its columns;
# those with the largest share are the reason.

score = outlyingness["NCAEDetector"]
flagged = np.flatnonzero(detector.predict(X) == -1)
flagged = flagged[np.argsort(-score[flagged])]
explanation = replace(detector.explain(X), feature_names=data.feature_names)

hits = is_malignant[flagged].sum()
print(f"\n{len(flagged)} rows flagged, {hits} of them malignant")
print(f"\n{'row':>4}{'score':>8}  {'truth':10} reasons (their share of the score)")
for row in flagged:
    share = explanation.contributions[row] / score[row]
    reasons = ", ".join(
        f"{explanation.feature_names[feature]} {share[feature]:.0%}"
        for feature in np.argsort(-share)[:3]
    )
    kind = "malignant" if is_malignant[row] else "benign"
    print(f"{row:4}{score[row]:8.2f}  {kind:10} {reasons}")

# %%
# The picture: how far the two groups are apart, and what sets the first row off.

plt.rcParams.update({"font.size": 11, "axes.spines.top": False})
plt.rcParams.update({"axes.spines.right": False, "axes.titlelocation": "left"})
figure, (left, right) = plt.subplots(1, 2, figsize=(14, 4.8), layout="constrained")

ScoreDistributionDisplay.from_estimator(detector, X, is_malignant, ax=left)
left.set_title(f"{hits} of {len(flagged)} flagged rows are malignant")

FeatureContributionDisplay(explanation, rows=flagged[0]).plot(ax=right)

figure.savefig("demo.png", dpi=150)
