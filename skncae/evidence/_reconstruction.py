"""The reconstruction error of Eq. 9."""

import numpy as np

from skncae.evidence._base import Evidence


class Reconstruction(Evidence):
    """``|x - g(f(x))|^2`` of Eq. 9, the mean over members.

    Large where a row breaks the way in which the columns vary together.
    """

    name = "reconstruction"

    @classmethod
    def learn(cls, block, settings, random_state):
        """The networks have learnt already."""
        return cls()

    def errors(self, block):
        """Squared residual of each row, (n_samples,)."""
        if block.missing is not None:
            return block.member_errors.mean(0)
        square = block.residual.square()
        return (square.flatten(0, 1).sum(0) / len(square)).numpy()

    def contributions(self, block):
        """Squared residual of each column, (n_samples, n_features)."""
        residual = block.to_column_axes(block.residual.mT.numpy())
        return np.square(residual).mean(0)

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        op = graph.op
        residual = op.sub(graph.reconstruction, graph.scaled)
        return op.reduce_mean(graph.sum_of_squares(residual), op.const([0]), keepdims=0)
