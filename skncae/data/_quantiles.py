"""Quantiles of more errors than memory holds.

The scheme of DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable
quantile sketch with relative-error guarantees", VLDB 2019): numbers are counted in
bins of constant relative width. Sketches add up exactly and in any order, so what
they say does not depend on how the rows were cut, or on who counted which.
"""

from dataclasses import dataclass

import numpy as np

# A quantile is off by at most this share of its value, upwards.
WIDTH = 1e-4
# Around zero, bins are this small a part of the width.
ZERO = 1e-12
# Errors beyond count as this.
LARGEST = 1e290
# Quantiles that stand for all errors: a share is known to 1 in 100,000.
N_QUANTILES = 100_001


@dataclass(frozen=True)
class Sketch:
    """How many errors lie in each bin.

    Parameters
    ----------
    bins : ndarray of shape (n_bins,), int64
        Ascending; bin i ends at ``ZERO * sinh(i * WIDTH)``, which far from zero is a
        constant factor from bin to bin.
    counts : ndarray of shape (n_bins,), int64
    """

    bins: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, errors):
        """Count errors, an ndarray of shape (n_samples,)."""
        errors = np.clip(errors, -LARGEST, LARGEST)
        bins = np.ceil(np.arcsinh(errors / ZERO) / WIDTH).astype(np.int64)
        return cls(*np.unique(bins, return_counts=True))

    @classmethod
    def total(cls, sketches):
        """Count all that the sketches of a list have counted."""
        bins, places = np.unique(
            np.concatenate([sketch.bins for sketch in sketches]), return_inverse=True
        )
        counts = np.zeros(len(bins), dtype=np.int64)
        np.add.at(counts, places, np.concatenate([s.counts for s in sketches]))
        return cls(bins, counts)

    @property
    def n_seen(self):
        """Number of errors counted."""
        return int(self.counts.sum())

    def quantiles(self):
        """Return `N_QUANTILES` errors that stand for as many rows each, ascending.

        The first is the lowest of all, the last the highest. Each is the end of its
        bin, so that errors that are equal are all at or below.
        """
        at_or_below = np.cumsum(self.counts)
        n_errors = at_or_below[-1]
        ranks = np.arange(N_QUANTILES) / N_QUANTILES * n_errors
        ranks[-1] = n_errors - 1
        bins = self.bins[np.searchsorted(at_or_below, ranks, side="right")]
        return ZERO * np.sinh(bins * WIDTH)
