"""What "auto" can say of the share of outliers, from the errors of the training rows.

=======  =====================================================================
sees     takes
=======  =====================================================================
a gap    the rows beyond it: most of the kinds of evidence pick about as many
         rows whether one in a hundred of them may be normal or one in ten; or
         two kinds see no error at all in a wide interval below the same rows
a crowd  none: most of the evidence picks no row, and the errors of every kind are
         those of a single crowd of rows
neither  `TYPICAL_SHARE`: rows stick out, and nothing says where outliers begin
=======  =====================================================================
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import gamma

# Of the rows that are picked, at most this share is expected to be normal ...
FALSE_DISCOVERY_RATE = 0.05
# ... and before a gap these two pick nearly as many: at most so many times as many.
STRICT_RATE, LENIENT_RATE = 0.01, 0.1
SHARPNESS = 1.25
# A wide interval is one of the logs of errors; rows above it that are fewer than the
# first share are single wrong entries, and say nothing of how many outliers there are.
WIDE = 2.0
SMALLEST_SHARE, LARGEST_SHARE = 0.005, 0.3
# Two kinds agree on a share up to this factor.
AGREEMENT = 1.25
# What is taken without a gap: of constants the one with the smallest median error of
# the share, as a factor, over the 200 development tables.
TYPICAL_SHARE = 0.15
# The errors of one crowd, of each kind, are this close to a gamma distribution.
CROWD_DISTANCE = 0.05
# Logarithms that differ by less are one error, rounded in several ways.
SAME = 1e-6
# The interval of the estimate holds this share of so many bootstrap estimates.
INTERVAL_LEVEL = 0.9
N_BOOTSTRAPS = 200
# The deviation of a normal distribution, in median absolute deviations.
MAD_TO_DEVIATION = 1.0 / ndtri(0.75)


@dataclass(frozen=True)
class Estimate:
    """Share to flag, and what was seen: "gap", "crowd" or "neither"."""

    share: float
    sees: str


def estimate(tails, n_learnt):
    """Estimate the share of outliers among the training rows.

    Parameters
    ----------
    tails : list of TailProbability
        What the training errors of each kind were like.
    n_learnt : int
        Number of rows that the tail probabilities were learnt from.

    Returns
    -------
    estimate : Estimate
    """
    of_kinds = [cells(kind) for kind in tails]
    share = _beyond_gap(of_kinds)
    if share > 0:
        return Estimate(share, "gap")
    near = CROWD_DISTANCE + 1.0 / np.sqrt(n_learnt)
    picked = _most([out_of_line(*kind) for kind in of_kinds])
    if picked == 0 and max(_distance_to_gamma(*kind) for kind in of_kinds) <= near:
        return Estimate(0.0, "crowd")
    return Estimate(TYPICAL_SHARE, "neither")


def bootstrap_interval(tails, n_learnt, seed):
    """Interval of the share beyond a gap over resampled training rows.

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
    of_kinds = [cells(kind) for kind in tails]
    # The same draws for each kind: evidence agrees about most rows.
    rngs = [np.random.default_rng(seed) for _ in of_kinds]
    shares = [
        _beyond_gap(
            [
                (log_errors, rng.multinomial(n_learnt, weights) / n_learnt)
                for rng, (log_errors, weights) in zip(rngs, of_kinds, strict=True)
            ]
        )
        for _ in range(N_BOOTSTRAPS)
    ]
    rest = 0.5 * (1.0 - INTERVAL_LEVEL)
    low, high = np.quantile(shares, (rest, 1.0 - rest))
    return float(low), float(high)


def cells(tail):
    """Ascending log-errors, and the share of the training rows at each.

    Parameters
    ----------
    tail : TailProbability

    Returns
    -------
    log_errors, weights : ndarray of shape (n_cells,)
    """
    share_above = np.exp(-tail.minus_logs)
    # A tail probability counts half a row less than there are.
    share_above += 1.0 - share_above[0]
    weights = share_above - np.append(share_above[1:], 0.0)
    log_errors = tail.log_errors
    if len(log_errors) > 1:
        # The log of no error is as far below the others as the smallest number there
        # is. It counts as one that is e times smaller than the next.
        log_errors = np.maximum(log_errors, log_errors[1] - 1.0)
    return log_errors, weights / weights.sum()


def out_of_line(log_errors, weights, rate=FALSE_DISCOVERY_RATE):
    """Share of rows that a normal distribution of the other log-errors rules out.

    Centre and scale are the median and the MAD, so that a minority of outliers hardly
    moves them, of the rows that are in line, estimated again until none more falls
    out. How far out is too far: the rule of Benjamini and Hochberg, which lets at most
    the share `rate` of the rows that it picks be normal ones.

    Parameters
    ----------
    log_errors : ndarray of shape (n_cells,)
        Ascending.
    weights : ndarray of shape (n_cells,)
        Share of the rows at each.
    rate : float, default=FALSE_DISCOVERY_RATE

    Returns
    -------
    share : float in [0, 0.5]
    """
    at_or_above = np.cumsum(weights[::-1])[::-1]
    critical = -ndtri(rate * at_or_above)
    share, found = -1.0, 0.0
    while found > share:
        share = found
        in_line = at_or_above > share
        centre, mad = _median_and_mad(log_errors[in_line], weights[in_line])
        if mad <= SAME:
            return _beside_equal_rows(log_errors, weights, centre, rate)
        z = (log_errors - centre) / (MAD_TO_DEVIATION * mad)
        picked = (z >= critical) & (at_or_above <= 0.5)
        found = at_or_above[picked].max(initial=0.0)
    return float(share)


def _beside_equal_rows(log_errors, weights, centre, rate):
    """Share of rows out of line where most of the others have one error.

    Those above are compared with one another; where none of them stands out, all do,
    unless they are too many to be anything but rows of another kind.
    """
    above = log_errors > centre + SAME
    share_above = float(weights[above].sum())
    if not share_above:
        return 0.0
    found = out_of_line(log_errors[above], weights[above] / share_above, rate)
    if found == 0 and share_above <= LARGEST_SHARE:
        return share_above
    return found * share_above


def _beyond_gap(of_kinds):
    """Share of rows beyond a gap that the evidence agrees on; 0 where there is none."""
    share = _most([_surely_out_of_line(*kind) for kind in of_kinds])
    return float(share or _agreed([_above_an_interval(*kind) for kind in of_kinds]))


def _surely_out_of_line(log_errors, weights):
    """Share of rows out of line, if it hardly depends on the rate; else 0."""
    strict, share, lenient = (
        out_of_line(log_errors, weights, rate)
        for rate in (STRICT_RATE, FALSE_DISCOVERY_RATE, LENIENT_RATE)
    )
    return share if lenient <= SHARPNESS * strict else 0.0


def _above_an_interval(log_errors, weights):
    """Share of rows above the widest interval without errors, if it is wide; else 0."""
    at_or_above = np.cumsum(weights[::-1])[::-1]
    width = np.diff(log_errors, prepend=log_errors[0])
    width[(at_or_above < SMALLEST_SHARE) | (at_or_above > LARGEST_SHARE)] = 0.0
    widest = np.argmax(width)
    return at_or_above[widest] if width[widest] >= WIDE else 0.0


def _agreed(shares):
    """Largest share that two kinds of evidence agree on, or the only one; else 0."""
    if len(shares) == 1:
        return shares[0]
    ordered = np.sort(shares)
    agree = ordered[1:] <= AGREEMENT * ordered[:-1]
    return np.max(ordered[1:][agree], initial=0.0)


def _distance_to_gamma(log_errors, weights):
    """Kolmogorov's distance of the errors to a gamma distribution of their moments.

    The squared distances to the centre of normally distributed rows are close to one.
    """
    errors = np.exp(log_errors - log_errors[-1])
    mean = weights @ errors
    variance = weights @ np.square(errors - mean)
    if variance <= 0:
        return 0.0
    expected = gamma.cdf(errors, mean**2 / variance, scale=variance / mean)
    at_or_below = np.cumsum(weights)
    # Half a cell on both sides: the rows of a cell lie somewhere in it.
    return float(np.max(np.abs(at_or_below - 0.5 * weights - expected)))


def _most(values):
    """Largest value that more than half of the evidence reaches."""
    ordered = np.sort(values, axis=0)
    return ordered[(len(ordered) - 1) // 2]


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
