"""The backbone of tables: linear layers."""

from collections.abc import Iterable
from typing import cast

import torch
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


class FeatureMajorMLP:
    """What an encoder and a decoder do to many rows that all members see, and faster.

    Rows are columns here, so that each pass runs through memory in order. A bias is one
    more weight, of an input that is always 1, and every hidden layer passes that on:
    nothing is added to the products.

    Parameters
    ----------
    encoder, decoder : MemberMLP
    """

    def __init__(self, encoder, decoder):
        self._layers = []
        for network in (encoder, decoder):
            for number, layer in enumerate(network.layers, 1):
                weight = torch.cat([layer.weight, layer.bias], 1).detach().mT
                is_last = network is decoder and number == len(network.layers)
                if not is_last:
                    weight = torch.cat([weight, torch.zeros_like(weight[:, :1])], 1)
                    weight[:, -1, -1] = 1.0
                is_hidden = number < len(network.layers)
                self._layers.append((weight.contiguous(), is_hidden))

    def __call__(self, x):
        """Reconstruct rows.

        Parameters
        ----------
        x : Tensor of shape (features + 1, batch)
            The last of them is 1.

        Returns
        -------
        x_hat : Tensor of shape (members, features, batch)
        """
        (weight, is_hidden), *others = self._layers
        # What all members see is one product.
        x = (weight.flatten(0, 1) @ x).unflatten(0, weight.shape[:2])
        for weight, is_next_hidden in others:
            x = torch.bmm(weight, F.leaky_relu_(x, LEAKINESS) if is_hidden else x)
            is_hidden = is_next_hidden
        return x


class MLPBackbone:
    """MLPs from rows to a few numbers, and back."""

    feature_major = FeatureMajorMLP

    @staticmethod
    def encoder(streams, row_shape, hidden_units, n_out):
        """Build the network from rows to n_out numbers."""
        return MemberMLP(streams, (*row_shape, *hidden_units, n_out))

    @staticmethod
    def decoder(streams, row_shape, hidden_units, n_in):
        """Build the network from n_in numbers to rows, the encoder's mirror image."""
        return MemberMLP(streams, (n_in, *hidden_units[::-1], *row_shape))
