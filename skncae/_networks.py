"""Networks whose every layer has a leading member axis.

A layer holds the weights of all members and is one batched matmul, so the members
of an ensemble train side by side at little more than the cost of one.
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

    def __init__(self, n_members, in_features, out_features, generator):
        super().__init__()
        # The bounds of torch.nn.Linear, drawn from a private generator.
        bound = 1.0 / math.sqrt(in_features)
        # Whatever the default dtype of the caller is.
        weight = torch.empty(n_members, in_features, out_features, dtype=torch.float32)
        bias = torch.empty(n_members, 1, out_features, dtype=torch.float32)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(bias.uniform_(-bound, bound, generator=generator))

    def forward(self, x):
        return torch.baddbmm(self.bias, x, self.weight)


class MemberMLP(nn.Module):
    """Linear layers of the given widths with leaky ReLU between them.

    Shape
    -----
    input : (members, batch, widths[0])
    output : (members, batch, widths[-1])
    """

    def __init__(self, n_members, widths, generator):
        super().__init__()
        self.layers = nn.ModuleList(
            MemberLinear(n_members, n_in, n_out, generator)
            for n_in, n_out in zip(widths[:-1], widths[1:], strict=True)
        )

    def forward(self, x):
        for layer in self.layers[:-1]:
            # In place: autograd needs the output only, whose sign is the input's.
            x = F.leaky_relu_(layer(x), LEAKINESS)
        return self.layers[-1](x)


class Autoencoder(nn.Module):
    """Encoder f, decoder g and the latent mean mu of every member.

    Shape
    -----
    input : (members, batch, features)
    output : (members, batch, features)
    """

    mu: torch.Tensor

    def __init__(self, n_members, n_features, hidden_units, latent_dim, generator):
        super().__init__()
        self.n_members = n_members
        widths = (n_features, *hidden_units, latent_dim)
        self.encoder = MemberMLP(n_members, widths, generator)
        self.decoder = MemberMLP(n_members, widths[::-1], generator)
        self.register_buffer("mu", torch.zeros(n_members, 1, latent_dim))

    def forward(self, x):
        return self.decoder(self.encoder(x))
