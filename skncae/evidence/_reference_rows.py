"""How far rows are from the nearest row of each dictionary."""

import torch


def nearest_rows(x, dictionary):
    """Find the row of each dictionary that is nearest to each row.

    Parameters
    ----------
    x : Tensor of shape (batch, features)
    dictionary : Tensor of shape (members, size, features)

    Returns
    -------
    distance, nearest : Tensor of shape (members, batch)
        How far it is, and its place in the dictionary.
    """
    members, size, n_features = dictionary.shape
    rows = dictionary.reshape(-1, n_features)
    # The expanded square, less |x|^2, finds the nearest fast, and loses the digits of
    # a small distance. So the distance to that one is taken directly.
    square = torch.addmm(rows.square().sum(1), x, rows.mT, alpha=-2.0)
    # By numpy: torch takes six times as long for the last axis.
    nearest = square.numpy().reshape(len(x), members, size).argmin(-1)
    nearest = torch.from_numpy(nearest)
    found = rows[nearest + size * torch.arange(members)]
    return torch.linalg.vector_norm(found - x[:, None], dim=-1).mT, nearest.mT


def observed_distances(x, is_observed, dictionary):
    """Distance of every row to every row of each dictionary, in observed columns.

    Parameters
    ----------
    x : Tensor of shape (batch, features)
    is_observed : bool Tensor of shape (batch, features)
    dictionary : Tensor of shape (members, size, features)

    Returns
    -------
    distance : Tensor of shape (members, batch, size)
    """
    # One column at a time: memory stays that of the distances.
    square = x.new_zeros(len(dictionary), len(x), dictionary.shape[1])
    for column in range(x.shape[1]):
        rows = is_observed[:, column].nonzero()[:, 0]
        difference = x[rows, column, None] - dictionary[:, None, :, column]
        square.index_add_(1, rows, difference.square_())
    return square.sqrt()
