"""When to stop without labels: once the ranking of the rows has settled."""

import numpy as np
import torch
from scipy.stats import rankdata

from skncae.training._losses import reconstruction_error

# The ranking is that of at most this many rows.
MAX_PROBE = 1000

# One calm check may be chance.
CALM_CHECKS = 2


def ranking_change(errors, others):
    """1 - Spearman's rank correlation of two rankings of the same rows.

    Parameters
    ----------
    errors, others : ndarray of shape (n_rows,)

    Returns
    -------
    change : float
        0 for the same ranking, 1 for unrelated ones, 2 for opposite ones. Ties leave
        it defined, also where all rows tie.
    """
    n = len(errors)
    shift = rankdata(errors) - rankdata(others)
    return float(6.0 * np.square(shift).sum() / max(n**3 - n, 1))


class SettledRanking:
    """Watches how a few rows are ranked by their reconstruction error.

    Parameters
    ----------
    rows : Tensor of shape (n_samples, features)
        The scaled training rows.
    tol : float
        Changes below it count as none.
    """

    def __init__(self, rows, tol):
        # Evenly spaced and not drawn: the other random numbers stay the same.
        picked = np.linspace(0, len(rows) - 1, min(len(rows), MAX_PROBE)).astype(int)
        self.probe = rows[torch.from_numpy(picked).to(rows.device)]
        self.tol = tol
        self.errors = None
        self.n_calm = 0

    @torch.no_grad()
    def check(self, model):
        """Rank the rows and say whether the ranking has settled."""
        x = self.probe.expand(model.n_members, *self.probe.shape)
        errors = reconstruction_error(x, model(x)).mean(0).cpu().numpy()
        if self.errors is not None:
            calm = ranking_change(errors, self.errors) < self.tol
            self.n_calm = self.n_calm + 1 if calm else 0
        self.errors = errors
        return self.n_calm >= CALM_CHECKS
