"""Where to cut: beta of Eq. 9 from what is known of the training rows.

A row is abnormal when its error **exceeds** beta, so a larger beta flags fewer rows
(the paper's text has it the other way round). Beta never changes the scores.

=============  =========================================================
contamination  beta
=============  =========================================================
a share        the quantile of the training errors that flags it
"auto"         the same, for the share that `_share.estimate` finds
a thresholder  the cut that its labels of the training errors make
=============  =========================================================

Two errors that differ by rounding are one error, everywhere: `decisions` is the only
place that compares an error with beta, and a beta that is chosen here lies between two
training errors that differ by more.
"""

import contextlib
import copy
from dataclasses import dataclass

import numpy as np
import torch

from skncae._share import bootstrap_interval, estimate

# Errors that differ by less than this share of beta are equal: some orders above what
# another batch, runtime or order of the columns does to the last bits.
ROUNDING = 1e-6
# An error is known to this share of itself where a sketch has counted it.
RESOLUTION = 1e-4
# Below, an error is none: errors are lengths in deviations, their squares or logarithms
# of shares, and rows that were float32 have such errors where the others have none.
SMALLEST = 1e-6


@dataclass(frozen=True)
class Threshold:
    """Beta, the share of the training rows above it, and how sure that share is.

    Parameters
    ----------
    beta : float
    share : float
    interval : tuple of float or None
        (low, high) of an estimate, NaN where it saw no gap; None without an estimate.
    """

    beta: float
    share: float
    interval: tuple[float, float] | None = None

    def attributes(self):
        """What a detector that flags the rows above beta says of it."""
        return {
            "threshold_": self.beta,
            "offset_": -self.beta,
            "contamination_": self.share,
            "contamination_interval_": self.interval,
        }


def decisions(scores, offset):
    """Scores less the offset: negative for outliers, zero where rounding decides.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Minus errors.
    offset : float
        Minus beta.

    Returns
    -------
    decisions : ndarray of shape (n_samples,)
    """
    margin = scores - offset
    return np.where(np.abs(margin) <= rounding_at(offset), 0.0, margin)


def rounding_at(beta):
    """Difference of an error from beta, or a score from the offset, that is none."""
    return ROUNDING * abs(beta) + SMALLEST


def is_outlier(decisions):
    """Say of each decision whether it flags its row; NaN does.

    Parameters
    ----------
    decisions : ndarray of shape (n_samples,)

    Returns
    -------
    flagged : bool ndarray of shape (n_samples,)
    """
    return ~(decisions >= 0)


def within(p_values, alpha):
    """Say of p-values, which are ratios of counts, whether they are alpha at most."""
    return p_values <= alpha * (1.0 + 1e-12)


def exceeds(errors, beta):
    """Say of each error whether it exceeds beta by more than rounding."""
    return is_outlier(decisions(-errors, -beta))


def threshold_at(errors, beta):
    """Threshold at a beta that is given.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
    beta : float

    Returns
    -------
    threshold : Threshold
    """
    return Threshold(float(beta), float(np.mean(exceeds(errors, beta))))


def threshold_of(contamination, errors, tails, n_learnt, seed):
    """Threshold that the parameter `contamination` stands for.

    Parameters
    ----------
    contamination : float, "auto" or thresholder
    errors : ndarray of shape (n_samples,)
        Errors of the training rows.
    tails : list of TailProbability
        What the training errors of each kind were like.
    n_learnt : int
        Number of rows that the tail probabilities were learnt from.
    seed : int
        Of the bootstrap, and of thresholders that draw from numpy's global generator.

    Returns
    -------
    threshold : Threshold
    """
    if isinstance(contamination, str):
        return _estimated_threshold(errors, tails, n_learnt, seed)
    if hasattr(contamination, "eval"):
        return threshold_at(errors, labels_threshold(contamination, errors, seed))
    return threshold_at(errors, quantile_threshold(errors, 1.0 - contamination))


def quantile_threshold(errors, quantile):
    """Beta at a quantile of the errors, between the errors on both sides of it.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
    quantile : float in [0, 1]

    Returns
    -------
    beta : float
    """
    return _between(errors, exceeds(errors, np.quantile(errors, quantile)))


def labels_threshold(thresholder, errors, seed):
    """Beta that agrees with a thresholder's labels of the training errors.

    Where the labels are a cut of the errors, exactly the flagged rows exceed beta.
    Where they are not, or divide errors that are equal, beta flags the share of rows
    that they flag.

    Parameters
    ----------
    thresholder : object
        `eval(errors)` returns labels, 1 for outliers and 0 for inliers.
    errors : ndarray of shape (n_samples,)
    seed : int

    Returns
    -------
    beta : float
    """
    flagged = _labels(thresholder, errors, seed) == 1
    beta = _between(errors, flagged)
    if (exceeds(errors, beta) == flagged).all():
        return beta
    return quantile_threshold(errors, 1.0 - flagged.mean())


def _between(errors, flagged):
    """Beta between the highest error that is kept and the lowest that is flagged."""
    lowest_flagged = np.min(errors[flagged], initial=np.inf)
    highest_kept = np.max(errors[~flagged], initial=-np.inf)
    if not flagged.any():
        return float(highest_kept)
    if flagged.all():
        # Below it by more than what counts as equal.
        return float(lowest_flagged - 2 * rounding_at(lowest_flagged))
    # Half way, so that rounding moves no row across, and not so high that an error
    # which a sketch has rounded up falls below.
    half_way = highest_kept + 0.5 * (lowest_flagged - highest_kept)
    known = lowest_flagged - RESOLUTION * abs(lowest_flagged)
    return float(max(highest_kept, min(half_way, known)))


def _estimated_threshold(errors, tails, n_learnt, seed):
    """Threshold at the share that the evidence supports."""
    found = estimate(tails, n_learnt)
    interval = (np.nan, np.nan)
    if found.sees == "gap":
        interval = bootstrap_interval(tails, n_learnt, seed)
    beta = quantile_threshold(errors, 1.0 - found.share)
    return Threshold(beta, float(np.mean(exceeds(errors, beta))), interval)


def _labels(thresholder, errors, seed):
    """Labels that a copy of the thresholder gives to the errors, 1 for outliers."""
    try:
        with _seeded_globals(seed):
            labels = copy.deepcopy(thresholder).eval(errors.copy())
    except Exception as error:
        raise RuntimeError(
            f"contamination={thresholder!r} cannot label these training errors: "
            f"{type(error).__name__}: {error} Give another thresholder, or a number."
        ) from error
    labels = np.asarray(labels)
    if labels.shape != errors.shape or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"contamination={thresholder!r} must label each of the {len(errors)} "
            "training errors 0 or 1 (an outlier); its eval() returned "
            f"{np.array2string(labels, threshold=5)} of shape {labels.shape}."
        )
    return labels


@contextlib.contextmanager
def _seeded_globals(seed):
    """Seed the global generators that thresholders draw from; put them back after."""
    state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        np.random.seed(seed)
        torch.random.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(state)
