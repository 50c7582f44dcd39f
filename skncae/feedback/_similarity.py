"""Rows like those that were answered: Gaussian process regression on their answers.

The mean of the process is what is thought of a row without answers (half its rank by
error, between 0 and 1/2); an answered outlier pulls rows like it towards 1, an inlier
towards 0. Two rows are alike by exp(-distance / length), where the distance is the mean
difference of their columns in ranks of the training rows. That is the kernel which
forests of random splits approach (Lakshminarayanan, Roy and Teh, "Mondrian Forests for
Large-Scale Regression when Uncertainty Matters", AISTATS 2016). Ranks tell little of
how far out a row is among the outermost, so the other half of the likeness is the same
of the logarithms of the ranks from the nearer end.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from scipy.special import softmax

# Rows at this distance are alike by 1/e; two random rows are 1/3 apart.
LENGTH = 0.3

# Logarithms of ranks are taken in this unit, and of ranks no nearer to an end.
TAIL_UNIT = 10.0
OUTERMOST = 1.0 / 2_000

# Variance of one answer, where that of what is thought of a row is 1: for choosing
# what to ask, as if answers were right.
NOISE = 0.1

# What to ask: so many deviations of what is not known of a row are added to what is
# thought of it, and it then counts so far as an inlier for the rest of its batch.
CURIOSITY = 0.2
DOUBT = 0.7

# For scores it is not known: it may be any of these, and the larger the likelier by the
# power CAUTION, until the answers agree with those to rows like them.
NOISES = np.array([0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 1000.0])
CAUTION = 0.55

# Answers are explained by so little at least, as a mean square.
LEAST_SQUARE = 1e-3

# Numbers in the matrices of likeness that are held at once.
MAX_BLOCK = 2**20


@dataclass(frozen=True)
class Ranks:
    """Columns as ranks among training rows, between 0 and 1; 1/2 where missing.

    Parameters
    ----------
    values : ndarray of shape (n_reference, n_features)
        Sorted values of each column; NaN at the end of a column that has fewer.
    """

    values: np.ndarray

    @classmethod
    def of(cls, X):
        """Take the values of the training rows."""
        return cls(np.sort(X.astype(np.float64), axis=0))

    def __call__(self, X):
        """Rank of each value: the middle one among equals, (n_samples, n_features)."""
        ranks = np.full(X.shape, 0.5)
        for column, (values, known) in enumerate(zip(X.T, self.values.T, strict=True)):
            known = known[: len(known) - np.count_nonzero(np.isnan(known))]
            seen = ~np.isnan(values)
            if len(known):
                below = np.searchsorted(known, values[seen], "left")
                upto = np.searchsorted(known, values[seen], "right")
                ranks[seen, column] = (below + upto) / (2.0 * len(known))
        return ranks


def likeness(A, B):
    """How alike rows in ranks are, (len(A), len(B)): between 0 and 1."""
    alike = _near(A, B)
    alike += _near(_tails(A), _tails(B))
    alike *= 0.5
    return alike


def _near(A, B):
    """How near rows are, by the mean difference of their columns."""
    distance = cdist(A, B, "cityblock")
    distance /= -LENGTH * A.shape[1]
    return np.exp(distance, out=distance)


def _tails(ranks):
    """Signed logarithms of the ranks from the nearer end: 0 in the middle."""
    place = 2.0 * ranks - 1.0
    return np.sign(place) * np.log1p(-(1.0 - OUTERMOST) * np.abs(place)) / -TAIL_UNIT


@dataclass(frozen=True)
class Similarity:
    """What answers say of rows like them.

    Parameters
    ----------
    rows : ndarray of shape (n_answers, n_features)
        The answered rows, in ranks.
    pull : ndarray of shape (n_answers,)
        Towards outliers where positive.
    """

    rows: np.ndarray
    pull: np.ndarray

    @classmethod
    def trusting(cls, rows, share, count, expected):
        """Learn from answers where they differ from what was expected.

        Parameters
        ----------
        rows : ndarray of shape (n_answers, n_features)
            In ranks.
        share, count, expected : ndarray of shape (n_answers,)
            Share of the answers that called a row an outlier, how many there were,
            and what was thought of it without them.
        """
        covariance = likeness(rows, rows)
        covariance[np.diag_indices_from(covariance)] += NOISE / count
        return cls(rows, cho_solve(cho_factor(covariance), share - expected))

    @classmethod
    def cautious(cls, rows, share, count, expected):
        """Learn as much as the answers to rows that are alike agree.

        The mean over `NOISES`, weighted by how likely each makes the answers, with a
        constant and the scale of everything left open: answers at random teach little.
        """
        alike = likeness(rows, rows)
        fits = [_fit(alike, share - expected, count, noise) for noise in NOISES]
        log_likelihoods, pulls = (np.array(parts) for parts in zip(*fits, strict=True))
        likely = softmax(log_likelihoods + CAUTION * np.log(NOISES))
        return cls(rows, likely @ pulls)

    def __call__(self, ranks):
        """What the answers add to what is thought of rows, (n_samples,)."""
        added = np.empty(len(ranks))
        size = max(1, MAX_BLOCK // max(len(self.rows), 1))
        for start in range(0, len(ranks), size):
            some = slice(start, start + size)
            # Not @, by which a row's sum may depend on the rows beside it.
            alike = likeness(ranks[some], self.rows)
            alike *= self.pull
            added[some] = alike.sum(1)
        return added


def _fit(alike, surprise, count, noise):
    """Log-likelihood of the answers with a noise, and the pull of each answer."""
    # What is added is the constant, which tells nothing of one row against another.
    covariance = alike + (1.0 + noise)
    covariance[np.diag_indices_from(covariance)] += noise / count
    factor = cho_factor(covariance, lower=True)
    pull = cho_solve(factor, surprise)
    # In units of the scale, which is larger where there is more noise.
    square = surprise @ pull / len(surprise) + LEAST_SQUARE / (1.0 + noise)
    log_determinant = 2.0 * np.log(np.diag(factor[0])).sum()
    return -0.5 * (len(surprise) * np.log(square) + log_determinant), pull


def most_telling(ranks, thought, answered, n):
    """Positions of the rows to ask about, one after the other.

    Each is the row thought most abnormal, with something for how little is known of it,
    and as if those before it had turned out to be nearly inliers: so the rows of a
    batch are not all of one kind.

    Parameters
    ----------
    ranks : ndarray of shape (n_samples, n_features)
    thought : ndarray of shape (n_samples,)
        What is thought of each row, given the answers.
    answered : ndarray of shape (n_answers, n_features)
        Answered rows, in ranks.
    n : int
        At most `n_samples`.

    Returns
    -------
    positions : ndarray of shape (n,)
    """
    thought = thought.astype(np.float64)
    positions = np.empty(n, dtype=int)
    # Of what is asked so far: the factor of its covariance, given the answers.
    factor = _explained(ranks, answered)
    variance = 1.0 - np.square(factor).sum(1)
    for i in range(n):
        deviations = np.sqrt(np.maximum(variance, 0.0))
        best = positions[i] = int(np.argmax(thought + CURIOSITY * deviations))
        covariance = likeness(ranks, ranks[[best]])[:, 0] - factor @ factor[best]
        deviation = np.sqrt(max(covariance[best], 0.0) + NOISE)
        added = covariance / deviation
        thought -= added * (DOUBT * thought[best] / deviation)
        variance -= np.square(added)
        factor = np.column_stack([factor, added])
        thought[positions[: i + 1]] = -np.inf
    return positions


def _explained(ranks, answered):
    """Factor of the part of the covariance that answers explain."""
    covariance = likeness(answered, answered) + NOISE * np.eye(len(answered))
    if not len(answered):
        return np.empty((len(ranks), 0))
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    return likeness(ranks, answered) @ inverse.T
