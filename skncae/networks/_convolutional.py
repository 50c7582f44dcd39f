"""The backbone of images: convolutions (LeNet-style, section 4 of the paper).

Rows are flat outside. Networks fold them to (batch, height, width, members, channels)
and halve the grid by moving the pixels of each 2 x 2 block to channels: a 3 x 3
convolution then sees what a 6 x 6 one of stride 2 would, at a fifth of the time of a
5 x 5 one that is pooled.
"""

import math

from torch import nn
from torch.nn import functional as F

from skncae.networks._layers import LEAKINESS, MemberConv, MemberLinear


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


class ConvolutionalBackbone:
    """Convolutions from images to a few numbers, and back."""

    encoder = ImageEncoder
    decoder = ImageDecoder
    feature_major = None


def _grid(image_shape, n_halvings):
    """Padding (as of `F.pad`) that lets an image be halved, and the grid after it."""
    multiple = 2**n_halvings
    height, width = (math.ceil(size / multiple) for size in image_shape[:2])
    right, below = width * multiple - image_shape[1], height * multiple - image_shape[0]
    return (0, 0, 0, right, 0, below), (height, width)


def _blocks_to_channels(x):
    """Move the pixels of each 2 x 2 block of (batch, h, w, members, c) to channels."""
    x = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
    return x.permute(0, 1, 3, 5, 2, 4, 6).flatten(4)


def _channels_to_blocks(x):
    """Undo `_blocks_to_channels`."""
    x = x.unflatten(4, (2, 2, -1)).permute(0, 1, 4, 2, 5, 3, 6)
    return x.flatten(3, 4).flatten(1, 2)
