"""One fit of a detector of the registry: its accuracy, its seconds and its memory."""

import contextlib
import importlib
import random
import resource
import sys
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.detectors import registry

# Columns that `judged` measures.
MEASURED = ("auroc", "ap", "fit_s", "fit_cpu_s", "score_s", "peak_mb")


def judged(name, task, seed):
    """Fit and score the detector `name` on a task, and compare with the labels.

    Parameters
    ----------
    name : str
        A name of the registry.
    task : object
        With ``X_train``, ``X_score``, ``y_score`` and, for methods that learn from
        labels, ``X_known``.
    seed : int

    Returns
    -------
    row : dict
        `MEASURED`; no accuracy where no scored row is an outlier.
    """
    spec = registry.find(name)
    try:
        scores, row = measure(spec, task, seed)
    except ImportError as error:
        raise ImportError(f"{error}. Run: pip install {spec.requires}") from error
    if task.y_score.any():
        row["auroc"] = roc_auc_score(task.y_score, scores)
        row["ap"] = average_precision_score(task.y_score, scores)
    return row


def measure(spec, task, seed):
    """Fit the detector of `spec` on a task; give scores, and seconds and memory."""
    _seed_everything(seed)
    detector = spec.make(seed, task.X_train.shape[1])
    memory, wall, cpu = _peak_mb(), time.perf_counter(), time.process_time()
    # Methods with labels are shown outliers that are known to be some.
    known = (task.X_known,) if getattr(detector, "learns_from_labels", False) else ()
    detector.fit(task.X_train, *known)
    fit_s, fit_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    wall = time.perf_counter()
    scores = outlier_scores(detector, task.X_score)
    score_s = time.perf_counter() - wall
    if task.X_score is task.X_train:
        # Neighbour-based detectors of PyOD leave a training row out of its own
        # neighbourhood here, and only here.
        scores = getattr(detector, "decision_scores_", scores)
    scores = np.asarray(scores, dtype=np.float64).ravel()
    check_scores(scores, len(task.X_score))
    return scores, {
        "fit_s": fit_s,
        "fit_cpu_s": fit_cpu_s,
        "score_s": score_s,
        "peak_mb": _peak_mb() - memory,
    }


def check_scores(scores, n_rows):
    """Raise unless there is a finite score for each row."""
    if len(scores) != n_rows or not np.isfinite(scores).all():
        raise ValueError(
            f"{len(scores)} scores for {n_rows} rows, "
            f"{np.count_nonzero(~np.isfinite(scores))} of them not finite"
        )


def outlier_scores(detector, X):
    """Score rows so that higher is more abnormal, whoever wrote the detector."""
    if hasattr(detector, "score_samples") and not hasattr(detector, "decision_scores_"):
        return -detector.score_samples(X)
    return detector.decision_function(X)


def _seed_everything(seed):
    # This is a process of its own; some baselines know no other seed.
    random.seed(seed)
    np.random.seed(seed)
    with contextlib.suppress(ImportError):
        torch = importlib.import_module("torch")
        torch.manual_seed(seed)
        torch.set_num_threads(1)


def _peak_mb():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
