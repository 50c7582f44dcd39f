"""How much each column counts for each component score, by the answers."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

# What a weight's squared logarithm costs, in units of the loss of one answer: weights
# stay near 1 until several answers say otherwise.
PULL = 0.3

# Weights stay within exp(-LIMIT) and exp(LIMIT).
LIMIT = 4.0


def learn_weights(parts, share, count):
    """Fit weights to the answers by a logistic loss, pulled back to 1.

    Parameters
    ----------
    parts : ndarray of shape (n_answers, n_kinds, n_features)
        What each column adds to the error of each answered row, in units in which
        rows are called abnormal from 1 on.
    share : ndarray of shape (n_answers,)
        Share of the answers that called a row an outlier.
    count : ndarray of shape (n_answers,)

    Returns
    -------
    weights : ndarray of shape (n_kinds, n_features)
        Positive; 1 without answers.
    """
    shape = parts.shape[1:]
    parts = 2.0 * parts.reshape(len(parts), -1)
    importance = _balanced(share, count)

    def loss(t):
        weights = np.exp(t)
        margin = parts @ weights - 2.0
        value = importance @ (np.logaddexp(0.0, margin) - share * margin)
        slope = parts.T @ (importance * (expit(margin) - share))
        return value + PULL * t @ t, slope * weights + 2.0 * PULL * t

    found = minimize(
        loss,
        np.zeros(parts.shape[1]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-LIMIT, LIMIT)] * parts.shape[1],
        options={"maxiter": 50},
    )
    return np.exp(found.x).reshape(shape)


def _balanced(share, count):
    """Weights of the answers, so that both kinds count alike."""
    n_outlier, n_inlier = share @ count, (1.0 - share) @ count
    if n_outlier == 0 or n_inlier == 0:
        return count.astype(float)
    half = 0.5 * (n_outlier + n_inlier)
    return count * (share * half / n_outlier + (1.0 - share) * half / n_inlier)
