"""Networks whose every layer has a leading member axis.

A layer holds the weights of all members and is one batched matmul, so the members
of an ensemble train side by side at little more than the cost of one.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from skncae._streams import MemberStreams

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
        for layer in self.layers[:-1]:
            # In place: autograd needs the output only, whose sign is the input's.
            x = F.leaky_relu_(layer(x), LEAKINESS)
        return self.layers[-1](x)

    def state(self):
        """Weights as a dictionary of arrays."""
        return _arrays(self)

    @classmethod
    def from_state(cls, state):
        """Build the network that `state` was taken from."""
        n_members, widths = _widths(state)
        # What the streams draw is overwritten.
        return _filled(cls(MemberStreams(0, range(n_members)), widths), state)


class Autoencoder(nn.Module):
    """Encoder f, decoder g and the latent mean mu of every member.

    Shape
    -----
    input : (members, batch, features)
    output : (members, batch, features)
    """

    mu: torch.Tensor

    def __init__(self, streams, n_features, hidden_units, latent_dim):
        super().__init__()
        self.n_members = len(streams)
        widths = (n_features, *hidden_units, latent_dim)
        self.encoder = MemberMLP(streams, widths)
        self.decoder = MemberMLP(streams, widths[::-1])
        self.register_buffer("mu", torch.zeros(len(streams), 1, latent_dim))

    def forward(self, x):
        return self.decoder(self.encoder(x))

    def state(self):
        """Weights as a dictionary of arrays."""
        return _arrays(self)

    @classmethod
    def from_state(cls, state):
        """Build the networks that `state` was taken from."""
        n_members, (n_features, *hidden_units, latent_dim) = _widths(state, "encoder.")
        # What the streams draw is overwritten.
        streams = MemberStreams(0, range(n_members))
        model = cls(streams, n_features, hidden_units, latent_dim)
        return _filled(model, state)


def _arrays(module):
    """Parameters and buffers of a module as arrays, by name."""
    return {name: tensor.cpu().numpy() for name, tensor in module.state_dict().items()}


def _widths(state, prefix=""):
    """Number of members and widths of the `MemberMLP` whose names start so."""
    shapes = [
        array.shape
        for name, array in state.items()
        if name.startswith(f"{prefix}layers.") and name.endswith(".weight")
    ]
    return shapes[0][0], (shapes[0][1], *(width for _, _, width in shapes))


def _filled(module, state):
    """Give a module the numbers of `_arrays`, and their type."""
    # Copies: the arrays may be read-only.
    tensors = {name: torch.tensor(array) for name, array in state.items()}
    module = module.to(next(iter(tensors.values())).dtype)
    module.load_state_dict(tensors)
    return module
