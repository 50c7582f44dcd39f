"""Warnings, errors and rollback of fit."""

from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skncae._checks import plain
from skncae._surroundings import warn_caller
from skncae._threshold import exceeds, within


def raise_if_missing(rows, allow_nan):
    """Refuse rows kept with allow_nan=True once it is False."""
    if not allow_nan and np.isnan(rows).any():
        raise ValueError(
            "Earlier pieces had NaN, which allow_nan=False refuses. Set it back with "
            "set_params(allow_nan=True), or start anew with a clone."
        )


def raise_if_filled(was_empty, rows):
    """Refuse values in columns whose scale the networks never learnt."""
    filled = np.flatnonzero(was_empty & ~np.isnan(rows).all(0))
    if len(filled):
        raise ValueError(
            f"X has values in column {', '.join(map(str, filled))}, which had none in "
            "the fit that warm_start=True goes on with, so the networks have no scale "
            "for it. Set warm_start=False to start anew."
        )


def _warn_if_empty(detector):
    """Name the columns without any value: what they say is left out for good."""
    empty = np.flatnonzero(detector._scorer.ensemble.is_empty)
    if not len(empty):
        return
    names = getattr(detector, "feature_names_in_", range(detector.n_features_in_))
    if detector._layout is not None:
        names = [detector._layout.used[owner].name for owner in detector._layout.owners]
    columns = list(dict.fromkeys(str(names[column]) for column in empty))
    is_one = len(columns) == 1
    listed = f"column{'' if is_one else 's'} {', '.join(columns)}"
    left, them = ("it is left", "it") if is_one else ("they are left", "them")
    warn_caller(
        f"X has no value at all in {listed}: {left} out of every score, also of rows "
        f"that have one there later. Drop {them}, or fit on rows that have values.",
    )


def warn_of_lost(layout):
    """Say what of a typed table is not looked at."""
    message = "" if layout is None else layout.lost()
    if message:
        warn_caller(message)


def warn_if_forgetting(detector):
    """Say so when partial_fit cannot build on the fit before it."""
    if hasattr(detector, "_scorer"):
        warn_caller(
            "partial_fit starts from this piece alone: fit keeps no rows that it could "
            "be added to. Hand the rows of that fit to partial_fit too.",
        )


def raise_if_diverged(history, ended_finite, learning_rate):
    """Refuse networks whose loss is no longer a number."""
    finite = np.isfinite(history["reconstruction_loss"]).all(axis=1)
    finite = np.append(finite, ended_finite)
    if not finite.all():
        raise RuntimeError(
            f"Training diverged: the reconstruction loss was no longer finite at step "
            f"{int(np.argmin(finite))} of {len(finite) - 1}. "
            f"Lower learning_rate (it is {learning_rate})."
        )


def warn_of_fit(detector, X):
    """Say so when a fit cannot tell its rows apart, or cannot cut them as asked.

    And when it has learnt nothing of a column.
    """
    _warn_if_empty(detector)
    scores = detector.training_scores_
    if len(scores) > 1 and _are_alike(scores) and _differ(X):
        warn_caller(
            "All training rows have the same score: the detector cannot tell them "
            "apart. Raise max_iter or lower learning_rate, and check that X has "
            "columns that vary in more than a few rows.",
            ConvergenceWarning,
        )
    else:
        warn_of_share(detector, plain(detector.contamination))


def _are_alike(scores):
    """Say whether all scores are one, up to rounding."""
    return not exceeds(-scores.min(), -scores.max())


def _differ(X):
    """Say whether some rows are unlike the first."""
    return not np.array_equal(X, np.broadcast_to(X[0], X.shape), equal_nan=True)


def warn_of_share(detector, asked):
    """Say so when "auto" saw no gap, or when ties keep rows from being flagged."""
    flagged = detector.contamination_
    if isinstance(asked, str):
        n_rows = len(detector.training_scores_)
        _warn_if_no_gap(flagged, detector.contamination_interval_, n_rows)
    elif isinstance(asked, float | int) and not _are_alike(detector.training_scores_):
        # Of rows that are all alike nobody expects any to be flagged.
        n_rows = len(detector.training_scores_)
        far = abs(flagged - asked) > max(0.5 * asked, 1.0 / n_rows)
        if far or (flagged == 0 and asked * n_rows >= 1):
            warn_caller(
                f"contamination={asked} asks for more rows than have an error of "
                f"their own: {flagged:.3g} of the training rows are flagged, since the "
                "next ones all have the error that is the threshold. Give another "
                "contamination, or choose the cut with set_threshold(value=...)."
            )


def _warn_if_no_gap(flagged, interval, n_rows):
    """Say so when contamination="auto" had no gap to go by."""
    if not np.isnan(interval).any():
        return
    if flagged:
        why = (
            "rows stick out, and nothing says where outliers begin: it flags "
            f"a share of {flagged:.3g}, which is usual and no estimate"
        )
    else:
        # Of few rows no more can be said, however far out one of them is.
        why = f"the errors of all {n_rows} may be those of one crowd, and it flags none"
    warn_caller(
        'contamination="auto" sees no gap between outliers and the other training '
        f"rows; {why}. Give contamination the share that you expect, or choose the "
        "cut with set_threshold(quantile=...)."
    )


def raise_if_trained_on(known, scores):
    """Refuse to calibrate on rows with the scores of the training rows."""
    same = len(scores) == len(known) and np.allclose(scores, known, rtol=1e-9, atol=0)
    if same and np.ptp(known) > 0:
        raise ValueError(
            "X holds the training rows, whose errors are smaller than those of new "
            "rows: p-values would be too small. Give calibrate other rows, or cv=5."
        )


def warn_if_too_few_to_select(n_calibration, alpha):
    """Say so when no p-value can be small enough."""
    if not within(1 / (1 + n_calibration), alpha):
        warn_caller(
            f"No row can be selected at alpha={alpha}: with {n_calibration} "
            f"calibration rows no p-value is below {1 / (1 + n_calibration):.3g}. "
            "Calibrate on more rows."
        )


@contextmanager
def all_or_nothing(estimator):
    """If a change fails or is interrupted, leave the estimator as it was."""
    before = estimator.__dict__.copy()
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
