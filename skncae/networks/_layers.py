"""Layers that hold the weights of all members.

A layer is one batched matmul, or one grouped convolution, so the members of an ensemble
train side by side at little more than the cost of one.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

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
