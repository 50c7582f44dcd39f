"""Networks whose every layer has a leading member axis.

A layer holds the weights of all members and is one batched matmul, or one grouped
convolution, so the members of an ensemble train side by side at little more than the
cost of one.

Rows are flat outside. Networks of images (LeNet-style, section 4 of the paper) fold
them to (batch, height, width, members, channels) and halve the grid by moving the
pixels of each 2 x 2 block to channels: a 3 x 3 convolution then sees what a 6 x 6 one
of stride 2 would, at a fifth of the time of a 5 x 5 one that is pooled.
"""

import math
from collections.abc import Iterable
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from skncae.networks._generators import MemberStreams

# The paper's leakiness (section 4, "Implementation").
LEAKINESS = 0.1


class MemberLinear(nn.Module):
    """A linear layer for each member.

    Shape
    -----
    input : (members, batch, in_features)
    output : (members, batch, out_features)
    """

    def __init__(self, streams, in_features, out_features):
        super().__init__()
        # The bounds of torch.nn.Linear, drawn from private streams.
        bound = 1.0 / math.sqrt(in_features)
        self.weight = nn.Parameter(streams.uniform((in_features, out_features), bound))
        self.bias = nn.Parameter(streams.uniform((1, out_features), bound))

    def forward(self, x):
        return torch.baddbmm(self.bias, x, self.weight)

    def by_feature(self, x):
        """`forward` of (in_features, batch) for all members, or with a member axis."""
        if x.dim() == 3:
            return torch.baddbmm(self.bias.mT, self.weight.mT, x)
        # What all members see is one product.
        members, _, out_features = self.weight.shape
        weight, bias = (part.mT.flatten(0, 1) for part in (self.weight, self.bias))
        return torch.addmm(bias, weight, x).unflatten(0, (members, out_features))


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

    def by_feature(self, x):
        """`forward` of (in_features, batch) for all members, (members, out, batch)."""
        *hidden, last = cast(Iterable[MemberLinear], self.layers)
        for layer in hidden:
            x = F.leaky_relu_(layer.by_feature(x), LEAKINESS)
        return last.by_feature(x)

    def state(self):
        """Weights as a dictionary of arrays."""
        return _state(self, (self.n_features,))


class MemberConv(nn.Module):
    """A 3 x 3 convolution for each member, as one grouped convolution.

    Shape
    -----
    input : (batch, height, width, members, in_channels)
    output : (batch, height, width, members, out_channels)
    """

    def __init__(self, streams, in_channels, out_channels):
        super().__init__()
        # The bounds of torch.nn.Conv2d.
        bound = 1.0 / math.sqrt(9 * in_channels)
        shape = (out_channels, in_channels, 3, 3)
        self.weight = nn.Parameter(streams.uniform(shape, bound))
        self.bias = nn.Parameter(streams.uniform((out_channels,), bound))

    def forward(self, x):
        # To torch this is (batch, channels, height, width) in the memory order that
        # its convolutions are fastest in, "channels last".
        grid = x.flatten(3).permute(0, 3, 1, 2)
        n_members = len(self.weight)
        weight, bias = self.weight.flatten(0, 1), self.bias.flatten()
        grid = F.conv2d(grid, weight, bias, padding=1, groups=n_members)
        return grid.permute(0, 2, 3, 1).unflatten(3, (n_members, -1))


class ImageEncoder(nn.Module):
    """Halve the grid and convolve, for each of `channels`; then a linear layer.

    Shape
    -----
    input : (members, batch, height * width * channels)
    output : (members, batch, n_out)
    """

    def __init__(self, streams, image_shape, channels, n_out):
        super().__init__()
        self.image_shape = image_shape
        self.padding, grid = _grid(image_shape, len(channels))
        widths = (image_shape[-1], *channels)
        self.convolutions = nn.ModuleList(
            MemberConv(streams, 4 * n_in, n)
            for n_in, n in zip(widths[:-1], channels, strict=True)
        )
        n_features = math.prod(grid) * channels[-1]
        self.linear = MemberLinear(streams, n_features, n_out)

    def forward(self, x):
        x = F.pad(x.unflatten(2, self.image_shape), self.padding)
        x = x.permute(1, 2, 3, 0, 4)
        for convolution in self.convolutions:
            x = F.leaky_relu_(convolution(_blocks_to_channels(x)), LEAKINESS)
        return self.linear(x.permute(3, 0, 1, 2, 4).flatten(2))

    def state(self):
        """Weights as a dictionary of arrays."""
        return _state(self, self.image_shape)


class ImageDecoder(nn.Module):
    """The mirror image of `ImageEncoder`.

    Shape
    -----
    input : (members, batch, n_in)
    output : (members, batch, height * width * channels)
    """

    def __init__(self, streams, image_shape, channels, n_in):
        super().__init__()
        self.image_shape = image_shape
        _, self.grid = _grid(image_shape, len(channels))
        n_features = math.prod(self.grid) * channels[-1]
        self.linear = MemberLinear(streams, n_in, n_features)
        widths = (*channels[::-1], image_shape[-1])
        self.convolutions = nn.ModuleList(
            MemberConv(streams, n, 4 * n_out)
            for n, n_out in zip(widths[:-1], widths[1:], strict=True)
        )

    def forward(self, z):
        x = self.linear(z).unflatten(2, (*self.grid, -1)).permute(1, 2, 3, 0, 4)
        for convolution in self.convolutions:
            x = _channels_to_blocks(convolution(F.leaky_relu(x, LEAKINESS)))
        height, width, _ = self.image_shape
        return x[:, :height, :width].permute(3, 0, 1, 2, 4).flatten(2)


def build_encoder(streams, row_shape, hidden_units, n_out):
    """Build a network from rows to n_out numbers: an MLP, or convolutions for images.

    Parameters
    ----------
    streams : MemberStreams
    row_shape : tuple of int
        (n_features,), or (height, width, channels).
    hidden_units : sequence of int
        Widths of the hidden layers; of the convolutions, their channels.
    n_out : int

    Returns
    -------
    network : MemberMLP or ImageEncoder
    """
    if len(row_shape) == 1:
        return MemberMLP(streams, (*row_shape, *hidden_units, n_out))
    return ImageEncoder(streams, row_shape, hidden_units, n_out)


class Autoencoder(nn.Module):
    """Encoder f, decoder g and the latent mean mu of every member.

    Shape
    -----
    input : (members, batch, features)
    output : (members, batch, features)
    """

    mu: torch.Tensor

    def __init__(self, streams, row_shape, hidden_units, latent_dim):
        super().__init__()
        self.n_members = len(streams)
        self.row_shape = tuple(row_shape)
        self.encoder = build_encoder(streams, row_shape, hidden_units, latent_dim)
        self.decoder: MemberMLP | ImageDecoder
        if len(row_shape) == 1:
            widths = (latent_dim, *hidden_units[::-1], *row_shape)
            self.decoder = MemberMLP(streams, widths)
        else:
            self.decoder = ImageDecoder(streams, row_shape, hidden_units, latent_dim)
        self.register_buffer("mu", torch.zeros(len(streams), 1, latent_dim))

    def forward(self, x):
        return self.decoder(self.encoder(x))

    def by_feature(self, x):
        """`forward` of many rows that all members see, in two thirds of the time.

        Parameters
        ----------
        x : Tensor of shape (features, batch)

        Returns
        -------
        x_hat : Tensor of shape (members, features, batch)
        """
        if isinstance(self.encoder, MemberMLP) and isinstance(self.decoder, MemberMLP):
            return self.decoder.by_feature(self.encoder.by_feature(x))
        return self(x.mT.expand(self.n_members, *x.mT.shape)).mT

    def state(self):
        """Weights as a dictionary of arrays."""
        return _state(self, self.row_shape)

    @classmethod
    def from_state(cls, state):
        """Build the networks that `state` was taken from."""
        # What the streams draw is overwritten.
        return _filled(cls(*_architecture(state, "encoder.")), state)


def encoder_from_state(state):
    """Build the network of `build_encoder` that `state` was taken from."""
    # What the streams draw is overwritten.
    return _filled(build_encoder(*_architecture(state)), state)


def _state(network, row_shape):
    """Parameters and buffers as arrays, by name, and the shape of an image."""
    arrays = {
        name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()
    }
    return arrays if len(row_shape) == 1 else arrays | {"image_shape": row_shape}


def _architecture(state, prefix=""):
    """Streams, row shape, hidden units and outputs of the encoder of a `_state`."""
    shapes = {
        name.removeprefix(prefix): array.shape
        for name, array in state.items()
        if name.startswith(prefix) and name.endswith(".weight")
    }
    streams = MemberStreams(0, range(next(iter(shapes.values()))[0]))
    if "image_shape" not in state:
        # (members, in_features, out_features)
        row_shape = next(iter(shapes.values()))[1:2]
        *hidden_units, n_out = (width for _, _, width in shapes.values())
        return streams, row_shape, hidden_units, n_out
    _, _, n_out = shapes.pop("linear.weight")
    # (members, out_channels, in_channels, 3, 3)
    channels = [shape[1] for shape in shapes.values()]
    return streams, tuple(state["image_shape"]), channels, n_out


def _filled(network, state):
    """Give a network the numbers of a `_state`, and their type."""
    # Copies: the arrays may be read-only.
    tensors = {
        name: torch.tensor(array)
        for name, array in state.items()
        if name != "image_shape"
    }
    network = network.to(next(iter(tensors.values())).dtype)
    network.load_state_dict(tensors)
    return network


def _grid(image_shape, n_halvings):
    """Padding (as of `F.pad`) that lets an image be halved, and the grid after it."""
    multiple = 2**n_halvings
    height, width = (math.ceil(size / multiple) for size in image_shape[:2])
    padding = (
        *(0, 0),
        *(0, width * multiple - image_shape[1]),
        *(0, height * multiple - image_shape[0]),
    )
    return padding, (height, width)


def _blocks_to_channels(x):
    """Move the pixels of each 2 x 2 block of (batch, h, w, members, c) to channels."""
    x = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
    return x.permute(0, 1, 3, 5, 2, 4, 6).flatten(4)


def _channels_to_blocks(x):
    """Undo `_blocks_to_channels`."""
    x = x.unflatten(4, (2, 2, -1)).permute(0, 1, 4, 2, 5, 3, 6)
    return x.flatten(3, 4).flatten(1, 2)
