"""Where to cut: beta of Eq. 9 from what is known of the training rows.

A row is abnormal when its error **exceeds** beta, so a larger beta flags fewer rows
(the paper's text has it the other way round). Beta never changes the scores.

=============  =========================================================
contamination  beta
=============  =========================================================
a share        the quantile of the training errors that flags it
"auto"         the same, for the share that `estimated_share` finds
a thresholder  the cut that its labels of the training errors make
=============  =========================================================
"""

import contextlib
import copy
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri

# Of the rows that "auto" calls outliers, at most this share is expected to be normal.
FALSE_DISCOVERY_RATE = 0.05
# What "auto" takes where it sees no gap.
FALLBACK_SHARE = 0.1
# The interval of the estimate holds this share of so many bootstrap estimates.
INTERVAL_LEVEL = 0.9
N_BOOTSTRAPS = 200
# The deviation of a normal distribution, in median absolute deviations.
MAD_TO_DEVIATION = 1.0 / ndtri(0.75)


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
    return Threshold(float(beta), float(np.mean(errors > beta)))


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
    return threshold_at(errors, quantile_threshold(errors, contamination))


def quantile_threshold(errors, contamination):
    """Beta of Eq. 9 that flags the given share of the rows.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
    contamination : float in [0, 1]

    Returns
    -------
    beta : float
    """
    return float(np.quantile(errors, 1.0 - contamination))


def labels_threshold(thresholder, errors, seed):
    """Beta that agrees with a thresholder's labels of the training errors.

    Where the labels are a cut of the errors, exactly the flagged rows exceed beta.
    Where they are not, beta flags the share of rows that they flag.

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
    lowest_flagged = np.min(errors[flagged], initial=np.inf)
    highest_kept = np.max(errors[~flagged], initial=-np.inf)
    if lowest_flagged <= highest_kept:
        return quantile_threshold(errors, flagged.mean())
    if not flagged.any():
        return float(highest_kept)
    below = np.nextafter(lowest_flagged, -np.inf)
    if flagged.all():
        return float(below)
    # Half way, so that rounding moves no row across; below, lest half way round up.
    half_way = highest_kept + 0.5 * (lowest_flagged - highest_kept)
    return float(min(half_way, below))


def estimated_share(tails):
    """Share of rows that most of the evidence finds out of line: the median.

    Parameters
    ----------
    tails : list of TailProbability

    Returns
    -------
    share : float in [0, 0.5]
        0 where most of the evidence sees no gap.
    """
    return float(np.median([_out_of_line(*_histogram(kind)) for kind in tails]))


def bootstrap_interval(tails, n_learnt, seed):
    """Interval of `estimated_share` over resampled training rows.

    Parameters
    ----------
    tails : list of TailProbability
    n_learnt : int
        Number of rows that the tail probabilities were learnt from.
    seed : int

    Returns
    -------
    interval : tuple of float
        (low, high), which hold the share `INTERVAL_LEVEL` of the estimates.
    """
    shares = np.empty((len(tails), N_BOOTSTRAPS))
    for kind, of_kind in zip(tails, shares, strict=True):
        log_errors, weights = _histogram(kind)
        # The same draws for each kind: evidence agrees about most rows.
        rng = np.random.default_rng(seed)
        for i, counts in enumerate(rng.multinomial(n_learnt, weights, N_BOOTSTRAPS)):
            of_kind[i] = _out_of_line(log_errors, counts / n_learnt)
    tail = 0.5 * (1.0 - INTERVAL_LEVEL)
    low, high = np.quantile(np.median(shares, axis=0), (tail, 1.0 - tail))
    return float(low), float(high)


def _estimated_threshold(errors, tails, n_learnt, seed):
    """Threshold at the estimated share, or at the fallback."""
    share = estimated_share(tails)
    if share > 0:
        interval = bootstrap_interval(tails, n_learnt, seed)
    else:
        share, interval = FALLBACK_SHARE, (np.nan, np.nan)
    return Threshold(quantile_threshold(errors, share), share, interval)


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


def _histogram(tail):
    """Ascending log-errors, and the share of the training rows at each."""
    share_above = np.exp(-tail.minus_logs)
    weights = share_above - np.append(share_above[1:], 0.0)
    return tail.log_errors, weights / weights.sum()


def _out_of_line(log_errors, weights):
    """Share of rows that a normal distribution of the other log-errors rules out.

    Centre and scale are the median and the MAD, so that a minority of outliers hardly
    moves them, of the rows that are in line, estimated again until none more falls
    out. How far out is too far: the rule of Benjamini and Hochberg, which lets at most
    the share `FALSE_DISCOVERY_RATE` of the rows that it picks be normal ones.
    """
    at_or_above = np.cumsum(weights[::-1])[::-1]
    critical = -ndtri(FALSE_DISCOVERY_RATE * at_or_above)
    share, found = -1.0, 0.0
    while found > share:
        share = found
        in_line = at_or_above > share
        centre, mad = _median_and_mad(log_errors[in_line], weights[in_line])
        if mad == 0:
            return 0.0
        z = (log_errors - centre) / (MAD_TO_DEVIATION * mad)
        picked = (z >= critical) & (at_or_above <= 0.5)
        found = at_or_above[picked].max(initial=0.0)
    return share


def _median_and_mad(values, weights):
    """Weighted median of ascending values, and of the distances to it."""
    centre = _weighted_median(values, weights)
    distance = np.abs(values - centre)
    nearest_first = np.argsort(distance)
    return centre, _weighted_median(distance[nearest_first], weights[nearest_first])


def _weighted_median(ascending, weights):
    """Value below and above which lies half of the weight."""
    below = np.cumsum(weights)
    return ascending[np.searchsorted(below, 0.5 * below[-1])]
