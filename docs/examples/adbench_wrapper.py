"""
Run it in ADBench
=================

`ADBench <https://github.com/Minqi824/ADBench>`_ runs a detector of your own on its 57
data sets if it comes as a class that takes a seed, fits, and scores new rows, the
higher the more abnormal. This is that class for `NCAEDetector`. Paste it into
``adbench/baseline/Customized/run.py``, or hand it to ADBench's pipeline:

.. code-block:: python

   from adbench.run import RunPipeline

   pipeline = RunPipeline(suffix="NCAE", parallel="unsupervise")
   results = pipeline.run(clf=Customized)

Below it runs by itself: ``python docs/examples/adbench_wrapper.py``.
"""

# sphinx_gallery_thumbnail_path = "../benchmarks/results/odds_contaminated_ap_time.png"

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from skncae import NCAEDetector

# %%
# The class. It needs no PyOD, of which ADBench may have an old version.


class Customized:
    """`NCAEDetector` as ADBench calls it."""

    def __init__(self, seed, model_name="Customized"):
        self.seed = seed
        self.model_name = model_name

    def fit(self, X_train, y_train):
        """Fit on all rows. The labels are not used."""
        self.model = NCAEDetector(random_state=self.seed).fit(X_train)
        return self

    def predict_score(self, X):
        """Score rows, the higher the more abnormal."""
        return -self.model.score_samples(X)


# %%
# What ADBench does with it: for each of three seeds, fit on 70 % of the rows, outliers
# included, scaled to [0, 1], and score the others. (It also repeats rows of small sets;
# that is left out.) Here on breast cancer, with 40 of the malignant samples.

X, y = load_breast_cancer(return_X_y=True)
is_malignant = (y == 0).astype(int)
rows = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:40]])
X, is_malignant = X[rows], is_malignant[rows]

for seed in (1, 2, 3):
    X_train, X_test, y_train, y_test = train_test_split(
        X, is_malignant, test_size=0.3, stratify=is_malignant, random_state=seed
    )
    scaler = MinMaxScaler().fit(X_train)
    clf = Customized(seed=seed)
    clf = clf.fit(X_train=scaler.transform(X_train), y_train=y_train)
    scores = clf.predict_score(scaler.transform(X_test))
    auroc = roc_auc_score(y_test, scores)
    precision = average_precision_score(y_test, scores)
    print(f"seed {seed}   AUROC {100 * auroc:5.1f}   AP {100 * precision:5.1f}")
