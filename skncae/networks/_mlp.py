"""The backbone of tables: linear layers."""

from collections.abc import Iterable
from typing import cast

from torch import nn
from torch.nn import functional as F

from skncae.networks._layers import LEAKINESS, MemberLinear


class MemberMLP(nn.Module):
    """Linear layers of the given widths with leaky ReLU between them.

    Shape
    -----
    input : (members, batch, widths[0])
    output : (members, batch, widths[-1])
    """

    def __init__(self, streams, widths):
        super().__init__()
        self.n_features = widths[0]
        self.layers = nn.ModuleList(
            MemberLinear(streams, n_in, n_out)
            for n_in, n_out in zip(widths[:-1], widths[1:], strict=True)
        )

    def forward(self, x):
        *hidden, last = self.layers
        for layer in hidden:
            # In place: autograd needs the output only, whose sign is the input's.
            x = F.leaky_relu_(layer(x), LEAKINESS)
        return last(x)

    def forward_feature_major(self, x):
        """`forward` of (in_features, batch) for all members, (members, out, batch)."""
        *hidden, last = cast(Iterable[MemberLinear], self.layers)
        for layer in hidden:
            x = F.leaky_relu_(layer.forward_feature_major(x), LEAKINESS)
        return last.forward_feature_major(x)

    def onnx(self, graph, x):
        """Write the layers as operations of an ONNX graph, of (batch, widths[0])."""
        op = graph.op
        for number, layer in enumerate(cast(Iterable[MemberLinear], self.layers)):
            if number > 0:
                x = op.max([x, op.mul(op.const(LEAKINESS), x)])
            weight, bias = (
                op.const(part.detach().numpy()) for part in (layer.weight, layer.bias)
            )
            x = op.add(op.matmul(x, weight), bias)
        return x


class MLPBackbone:
    """MLPs from rows to a few numbers, and back."""

    @staticmethod
    def encoder(streams, row_shape, hidden_units, n_out):
        """Build the network from rows to n_out numbers."""
        return MemberMLP(streams, (*row_shape, *hidden_units, n_out))

    @staticmethod
    def decoder(streams, row_shape, hidden_units, n_in):
        """Build the network from n_in numbers to rows, the encoder's mirror image."""
        return MemberMLP(streams, (n_in, *hidden_units[::-1], *row_shape))
