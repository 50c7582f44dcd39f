"""Who looks contaminated: Eq. 7 and the rules the paper compares it with.

Every rule maps a batch to contamination scores where **lower looks more
contaminated**, as the similarity of Eq. 7 does. (The paper's text sorts the other
way round; the rows that are least like the generated normals are the contaminated
ones.)
"""

import math
from typing import NamedTuple

import torch
from torch.nn import functional as F

from skncae.training._losses import reconstruction_error


class Batch(NamedTuple):
    """What a rule may look at, without gradients; symbols as in `_losses`."""

    x: torch.Tensor
    x_hat: torch.Tensor
    z: torch.Tensor
    z_generated: torch.Tensor
    mu: torch.Tensor


def similarity(z, z_generated):
    """Mean cosine similarity to the dictionary of generated normals. Eq. 7.

    Parameters
    ----------
    z : Tensor of shape (members, batch, latent)
    z_generated : Tensor of shape (members, dictionary, latent)

    Returns
    -------
    c : Tensor of shape (members, batch)
    """
    # The mean of the products is the product with the mean: O(batch), not O(batch^2).
    dictionary = F.normalize(z_generated, dim=-1).mean(1, keepdim=True)
    return (F.normalize(z, dim=-1) * dictionary).sum(-1)


def latent_distance(z, mu):
    """Minus the squared distance to mu (Deep SVDD's rule, section 5.2).

    Parameters
    ----------
    z : Tensor of shape (members, batch, latent)
    mu : Tensor of shape (members, 1, latent)

    Returns
    -------
    c : Tensor of shape (members, batch)
    """
    return -(z - mu).square().sum(-1)


def latent_density(z):
    """Log-density of a Gaussian fitted to the latent batch (section 5.2).

    Parameters
    ----------
    z : Tensor of shape (members, batch, latent)

    Returns
    -------
    c : Tensor of shape (members, batch)
    """
    centred = z - z.mean(1, keepdim=True)
    covariance = centred.mT @ centred / z.shape[1]
    ridge = 1e-4 * covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None] + 1e-12
    identity = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    covariance = covariance + ridge * identity
    # Not `solve`, which waits for the device to say that all went well.
    solved, _ = torch.linalg.solve_ex(covariance, centred.mT)
    return -(centred * solved.mT).sum(-1)


# The values of the parameter `mining`.
RULES = {
    "similarity": lambda batch: similarity(batch.z, batch.z_generated),
    "reconstruction": lambda batch: -reconstruction_error(batch.x, batch.x_hat),
    "latent_distance": lambda batch: latent_distance(batch.z, batch.mu),
    "latent_density": lambda batch: latent_density(batch.z),
}


def least(c, rate):
    """Mark the ceil(rate * batch) rows with the lowest c.

    Parameters
    ----------
    c : Tensor of shape (members, batch)
    rate : float in [0, 1)

    Returns
    -------
    is_mined : bool Tensor of shape (members, batch)
    """
    is_mined = torch.zeros_like(c, dtype=torch.bool)
    n_mined = math.ceil(rate * c.shape[1])
    if n_mined == 0:
        return is_mined
    rows = c.topk(n_mined, dim=1, largest=False).indices
    return is_mined.scatter_(1, rows, True)
