"""
Benchmark against PyOD
======================

PyOD's benchmark script with one more entry in its dictionary. Every detector is fitted
on the same rows, outliers included, and ranks these rows. Labels only serve to count
how well it did.

Three kinds of data need no download: PyOD's own generator, breast cancer, and each
handwritten digit with 10 % of other digits among its rows. A folder of ``.npz`` files
with the arrays ``X`` and ``y`` (1 is an outlier) takes their place:

.. code-block:: bash

   pip install -e ".[pyod]" pandas
   python docs/examples/benchmark_pyod.py             # half a minute on one core
   python docs/examples/benchmark_pyod.py --deep      # and PyOD's AutoEncoder
   python docs/examples/benchmark_pyod.py my/folder

The suite behind the published numbers, with 25 sets, more detectors, failures and time
limits, is ``python -m benchmarks tables``.
"""

# sphinx_gallery_thumbnail_path = "../benchmarks/results/odds_contaminated_ap_ranks.png"

import argparse
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

try:
    import pandas as pd
    from pyod.models.copod import COPOD
    from pyod.models.ecod import ECOD
    from pyod.models.hbos import HBOS
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN
    from pyod.models.lof import LOF
    from pyod.models.mcd import MCD
    from pyod.models.pca import PCA
    from pyod.utils.data import generate_data
    from pyod.utils.utility import precision_n_scores

    from skncae.pyod import NCAE
except ModuleNotFoundError as error:
    raise SystemExit(
        f"This benchmark needs PyOD and pandas, and {error.name} is not installed. "
        'Install them with: pip install "skncae[pyod]" pandas, or from a clone: '
        'pip install -e ".[pyod]" pandas'
    ) from error

parser = argparse.ArgumentParser()
parser.add_argument("folder", nargs="?", type=Path, help="of .npz files with X and y")
parser.add_argument("--deep", action="store_true", help="run PyOD's AutoEncoder too")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

# MCD says so of every digit: some pixels are always white.
warnings.filterwarnings("ignore", message="The covariance matrix associated")

# %%
# The data: a function that yields a name, rows, and labels (1 is an outlier).


def contaminated(X, is_normal, rng, share=0.1):
    """Keep the normal rows, and as many others as make up `share` of the result."""
    normal, others = np.flatnonzero(is_normal), np.flatnonzero(~is_normal)
    size = round(len(normal) * share / (1 - share))
    hidden = rng.choice(others, size, replace=False)
    rows = rng.permutation(np.concatenate([normal, hidden]))
    return X[rows], (~is_normal[rows]).astype(int)


def built_in(seed):
    """Yield the data sets that need no download."""
    rng = np.random.default_rng(seed)
    yield (
        "generate_data",
        *generate_data(
            n_train=1000,
            n_features=10,
            contamination=0.1,
            train_only=True,
            random_state=seed,
        ),
    )
    X, y = load_breast_cancer(return_X_y=True)
    yield "breast-cancer", *contaminated(X, y == 1, rng)
    X, y = load_digits(return_X_y=True)
    for digit in range(10):
        yield f"digit-{digit}", *contaminated(X, y == digit, rng)


def from_folder(folder):
    """Yield the data sets of a folder."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise SystemExit(f"{folder} holds no .npz files; each needs arrays X and y.")
    for path in paths:
        with np.load(path) as arrays:
            yield path.stem, arrays["X"], arrays["y"].ravel().astype(int)


# %%
# The detectors, with their defaults. They are made anew for each data set.


def make_classifiers(seed):
    """Name every detector."""
    classifiers = {
        "Isolation Forest": IForest(random_state=seed),
        "ECOD": ECOD(),
        "COPOD": COPOD(),
        "K Nearest Neighbors (KNN)": KNN(),
        "Local Outlier Factor (LOF)": LOF(),
        "Principal Component Analysis (PCA)": PCA(random_state=seed),
        "Minimum Covariance Determinant (MCD)": MCD(random_state=seed),
        "Histogram-based Outlier Score (HBOS)": HBOS(),
    }
    if options.deep:
        from pyod.models.auto_encoder import AutoEncoder

        classifiers["AutoEncoder"] = AutoEncoder(random_state=seed, verbose=0)
    classifiers["Normality-Calibrated Autoencoder (NCAE)"] = NCAE(random_state=seed)
    return classifiers


# %%
# The benchmark. A detector that fails has no number, and the others go on.

roc, prn, ap, seconds = {}, {}, {}, {}
for data_name, X, y in (
    from_folder(options.folder) if options.folder else built_in(options.seed)
):
    X = StandardScaler().fit_transform(X)
    print(f"\n... {data_name}: {len(X)} rows, {X.shape[1]} columns, {y.mean():.1%} ...")
    row = (data_name, len(X), X.shape[1], round(100 * y.mean(), 1))
    for table in (roc, prn, ap, seconds):
        table[row] = {}
    for clf_name, clf in make_classifiers(options.seed).items():
        start = perf_counter()
        try:
            scores = clf.fit(X).decision_scores_
            seconds[row][clf_name] = perf_counter() - start
            roc[row][clf_name] = roc_auc_score(y, scores)
            prn[row][clf_name] = precision_n_scores(y, scores)
            ap[row][clf_name] = average_precision_score(y, scores)
        except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
            print(f"{clf_name}: {type(error).__name__}: {error}")
            for table in (roc, prn, ap, seconds):
                table[row][clf_name] = np.nan
            continue
        print(
            f"{clf_name} ROC:{roc[row][clf_name]:.4f}, "
            f"precision @ rank n:{prn[row][clf_name]:.4f}, "
            f"execution time: {seconds[row][clf_name]:.4f}s"
        )

# %%
# The tables, detectors in columns as in PyOD's, and their means.


def as_frame(table):
    """Turn results into a DataFrame: one row a data set, one column a detector."""
    frame = pd.DataFrame(table).T
    frame.index.names = ["Data", "#Samples", "# Dimensions", "Outlier Perc"]
    # The short names; the long ones make a row of several screens.
    return frame.rename(columns=lambda name: name.split("(")[-1].rstrip(")"))


frames = {
    "ROC": as_frame(roc),
    "Precision @ rank n": as_frame(prn),
    "Average precision": as_frame(ap),
    "Time (s)": as_frame(seconds),
}
for title, frame in frames.items():
    print(f"\n{title}\n{frame.round(4).to_string()}")

means = pd.DataFrame({title: frame.mean() for title, frame in frames.items()})
print(f"\nMean over {len(roc)} data sets, best ROC first")
print(means.sort_values("ROC", ascending=False).round(4).to_string())
