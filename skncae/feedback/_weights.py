"""How much each column counts for each component score, by the answers."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

# What a weight's squared logarithm costs, in units of the loss of one answer: weights
# stay near 1 until several answers say otherwise.
PULL = 1.0

# Weights are believed as far as they foretell answers that they were not fitted to, in
# so many folds: better than one weight for all by this log-likelihood, half of their
# logarithms stay.
N_FOLDS = 5
ENOUGH = 1.0

# Weights stay within exp(-LIMIT) and exp(LIMIT).
LIMIT = 4.0


def learn_weights(parts, share, count):
    """Fit weights to the answers, as far as they foretell other answers.

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
        Positive; 1 where the answers say nothing.
    """
    shape = parts.shape[1:]
    parts = 2.0 * parts.reshape(len(parts), -1)
    importance = _balanced(share, count)
    logs = _fitted(parts, share, importance)
    gained = _foretold(parts, share, importance)
    return np.exp(logs * expit(2.0 * (gained - ENOUGH))).reshape(shape)


def _fitted(parts, share, importance):
    """Logarithms of the weights by a logistic loss, pulled back to 0."""

    def loss(logs):
        weights = np.exp(logs)
        margin = parts @ weights - 2.0
        value = importance @ _loss(margin, share)
        slope = parts.T @ (importance * (expit(margin) - share))
        return value + PULL * logs @ logs, slope * weights + 2.0 * PULL * logs

    found = minimize(
        loss,
        np.zeros(parts.shape[1]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-LIMIT, LIMIT)] * parts.shape[1],
        options={"maxiter": 50},
    )
    return found.x


def _foretold(parts, share, importance):
    """Log-likelihood that weights gain in answers they were not fitted to.

    Over one weight for all, which changes no ranking.
    """
    gained = 0.0
    total = parts.sum(1, keepdims=True)
    # Each fold gets answers of both kinds.
    fold = np.empty(len(share), dtype=int)
    fold[np.argsort(share, kind="stable")] = np.arange(len(share)) % N_FOLDS
    for k in range(min(N_FOLDS, len(share))):
        out, kept = fold == k, fold != k
        for sign, columns in ((1, total), (-1, parts)):
            logs = _fitted(columns[kept], share[kept], importance[kept])
            margin = columns[out] @ np.exp(logs) - 2.0
            gained += sign * (importance[out] @ _loss(margin, share[out]))
    return gained


def _loss(margin, share):
    """Logistic loss of each answer."""
    return np.logaddexp(0.0, margin) - share * margin


def _balanced(share, count):
    """Weights of the answers, so that both kinds count alike."""
    n_outlier, n_inlier = share @ count, (1.0 - share) @ count
    if n_outlier == 0 or n_inlier == 0:
        return count.astype(float)
    half = 0.5 * (n_outlier + n_inlier)
    return count * (share * half / n_outlier + (1.0 - share) * half / n_inlier)
