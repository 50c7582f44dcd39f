"""The distance to rows that are known to be normal."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from skncae.evidence._base import Evidence
from skncae.evidence._distance import Distance
from skncae.evidence._neighbors import LOST
from skncae.evidence._tail_probability import TailProbability
from skncae.networks._ensemble import blocks
from skncae.scaling._missing import over_all_columns
from skncae.scaling._scaler import View

# Reference rows are of the lowest error and distance only: this share of the rows ...
SURE_SHARE = 0.8
# ... among at most this many.
MAX_POOL = 4096

# Doubts that are this close are one, and rounding does not choose among them.
SAME_DOUBT = 1e-9

# Values that are this close are one value, rounded in another way by a runtime.
ROUNDING = 1e-12


@dataclass(frozen=True)
class ReferenceRows(Evidence):
    """Distance to the nearest of some reference rows that are surely normal.

    Those have a low reconstruction error and are near to the median row: an outlier
    that the networks have learnt would hide all that are like it. The mean over
    members, each of which has its own. Large where no normal row is like it. (The
    dictionary of Eq. 7 is another one: of generated rows, in latent space.)

    Parameters
    ----------
    view : View
        What rows are compared in.
    references : Tensor of shape (members, size, n_features)
    """

    view: View
    references: torch.Tensor

    name = "dictionary"
    power = 2

    @classmethod
    def learn(cls, block, settings, random_state):
        """Give each member random rows out of those that are surely normal to it."""
        view = block.standardized_view(settings.calibration_rounds)
        drawn = random_state.permutation(len(block))[:MAX_POOL]
        n_sure = math.ceil(SURE_SHARE * len(drawn))
        # At most half of them: references that are all rows would hold every outlier
        # that got past the networks, for every member.
        size = min(settings.dictionary_size, math.ceil(n_sure / 2))
        center = Distance.learn(block, settings, random_state)
        picked = [
            drawn_surest(doubts, n_sure, size, random_state)
            for doubts in _doubts(block, drawn, center)
        ]
        rows = drawn[np.concatenate(picked)]
        references = view.transform(block.take(rows).completed)
        return cls(view, torch.from_numpy(references).unflatten(0, (-1, size)))

    def errors(self, block):
        """Distance of each row, the mean over members, (n_samples,)."""
        if self.name in block.kept or block.missing is not None:
            return self._nearest(block)[1].mean(0).numpy()
        x, lengths = block.standardized(self.view)
        return nearest_distances(x, lengths, self.references).mean(0)

    def contributions(self, block):
        """Squared distance of each column over the distance."""
        x, distance, nearest = block.kept[self.name] = self._nearest(block)
        members = torch.arange(len(nearest))[:, None]
        difference = (x - self.references[members, nearest]).numpy()
        difference = self.view.to_column_axes(difference)
        # A distance is its square over itself; nothing adds to a distance of zero.
        length = np.where(distance > 0, distance, 1.0)[..., None]
        return (np.square(difference) / length).mean(0)

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {"view": vars(self.view).copy(), "references": self.references.numpy()}

    @classmethod
    def from_state(cls, state):
        """Build the reference rows that `state` was taken from."""
        return cls(View(**state["view"]), torch.tensor(state["references"]))

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        op = graph.op
        x = self.view.onnx(graph, graph.X)
        references = self.references.numpy()
        n_members, size, n_features = references.shape
        # The expanded square, |c|^2 - 2 x c, finds the nearest row fast, and loses
        # digits. So the distance to that row is taken directly.
        square = np.square(references).sum(-1)[:, None]
        product = op.matmul(x, op.const(-2.0 * references.transpose(0, 2, 1)))
        nearest = op.arg_min(op.add(product, op.const(square)), axis=2, keepdims=0)
        first = op.const(size * np.arange(n_members)[:, None])
        rows = op.const(references.reshape(-1, n_features))
        rows = op.gather(rows, op.add(nearest, first))
        difference = op.sub(x, rows)
        rounding = op.mul(op.const(ROUNDING), op.max([op.abs(rows), op.const(1.0)]))
        same = op.less(op.abs(difference), rounding)
        difference = op.where(same, op.const(0.0), difference)
        distance = op.sqrt(graph.sum_of_squares(difference))
        return op.reduce_mean(distance, op.const([0]), keepdims=0)

    def _nearest(self, block):
        """Rows as they are compared, distance to each member's nearest, and which."""
        if self.name in block.kept:
            return block.kept[self.name]
        x = torch.from_numpy(self.view.transform(block.completed))
        if block.missing is None:
            return x, *nearest_rows(x, self.references)
        is_observed = torch.from_numpy(block.is_observed)
        return x, *observed_distances(x, is_observed, self.references).min(-1)


def _doubts(block, rows, center):
    """How rare is the error of some rows, or their distance: what is rarer of the two.

    Returns
    -------
    doubts : ndarray of shape (members, n_rows)
        Minus log tail probabilities.
    """
    parts = []
    # In blocks that are not kept: residuals of all members take much memory.
    for some in blocks(len(rows)):
        part = block.take(rows[some])
        parts.append(
            np.vstack([part.member_errors, center.errors(part), part.n_missing])
        )
    *errors, n_missing = np.hstack(parts)
    errors = [over_all_columns(row, n_missing, block.rows.shape[1]) for row in errors]
    *of_members, of_distance = (TailProbability.of(row)(row) for row in errors)
    return np.maximum(of_members, of_distance)


def drawn_surest(doubts, n_sure, size, random_state):
    """Draw places of rows out of those with the least doubt, and all that tie.

    Every row has its place in a line. So one row more that is sure, or one less, makes
    one place another, and not all of them.
    """
    line = random_state.permutation(len(doubts))
    most = np.partition(doubts, n_sure - 1)[n_sure - 1]
    sure = np.flatnonzero(doubts <= most + SAME_DOUBT)
    return sure[np.argsort(line[sure])[:size]]


def nearest_distances(x, lengths, references):
    """Distance of each row to the nearest reference row of each member.

    Parameters
    ----------
    x : ndarray of shape (features + 1, batch)
        The last of them is 1.
    lengths : ndarray of shape (batch,)
        Squared lengths of the rows.
    references : Tensor of shape (members, size, features)

    Returns
    -------
    distance : ndarray of shape (members, batch)
    """
    members, size, _ = references.shape
    # The expanded square, less |x|^2, in one product. The rows are columns: so the
    # least of many squares is found in passes through memory in order.
    length = references.square().sum(-1, keepdim=True)
    weights = torch.cat([-2.0 * references, length], 2).flatten(0, 1)
    # By torch: numpy takes twice as long for so few columns.
    square = (weights @ torch.from_numpy(x)).numpy()
    square = square.reshape(members, size, -1).min(1) + lengths
    # It loses the digits of a distance that is small beside lengths.
    lost = LOST * (lengths + length.max().item())
    near = np.flatnonzero((square < lost).any(0))
    distance = np.sqrt(np.maximum(square, 0.0))
    if len(near):
        rows = torch.from_numpy(x[:-1, near].T)
        distance[:, near] = nearest_rows(rows, references)[0].numpy()
    return distance


def nearest_rows(x, references):
    """Find the reference row of each member that is nearest to each row.

    Parameters
    ----------
    x : Tensor of shape (batch, features)
    references : Tensor of shape (members, size, features)

    Returns
    -------
    distance, nearest : Tensor of shape (members, batch)
        How far it is, and its place among the references.
    """
    members, size, n_features = references.shape
    rows = references.reshape(-1, n_features)
    # The expanded square, less |x|^2, finds the nearest fast, and loses the digits of
    # a small distance. So the distance to that one is taken directly.
    length = rows.square().sum(1)
    square = torch.addmm(length, x, rows.mT, alpha=-2.0)
    # By numpy: torch takes six times as long for the last axis.
    nearest = square.numpy().reshape(len(x), members, size).argmin(-1)
    nearest = torch.from_numpy(nearest)
    found = rows[nearest + size * torch.arange(members)]
    distance = torch.linalg.vector_norm(found - x[:, None], dim=-1)
    # Where it is so small that another may be nearer, all are taken directly.
    lost = LOST * (x.square().sum(1) + length.max())
    is_near = (distance > 0) & (distance.square() < lost[:, None])
    for row in is_near.any(1).nonzero()[:, 0].tolist():
        distances = torch.linalg.vector_norm(references - x[row], dim=-1)
        distance[row], nearest[row] = distances.min(-1)
    return distance.mT, nearest.mT


def observed_distances(x, is_observed, references):
    """Distance of every row to every reference row of each member, in observed columns.

    Parameters
    ----------
    x : Tensor of shape (batch, features)
    is_observed : bool Tensor of shape (batch, features)
    references : Tensor of shape (members, size, features)

    Returns
    -------
    distance : Tensor of shape (members, batch, size)
    """
    # One column at a time: memory stays that of the distances.
    square = x.new_zeros(len(references), len(x), references.shape[1])
    for column in range(x.shape[1]):
        rows = is_observed[:, column].nonzero()[:, 0]
        difference = x[rows, column, None] - references[:, None, :, column]
        square.index_add_(1, rows, difference.square_())
    return square.sqrt()
