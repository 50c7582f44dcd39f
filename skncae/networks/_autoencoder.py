"""The networks of all members: an autoencoder, and what looks at its rows.

A backbone has an `encoder(streams, row_shape, hidden_units, n_out)`, a `decoder` that
mirrors it, and `feature_major`, which does what both do to many rows, and faster; None
where nothing does. `BACKBONES` says which one rows of a shape get.
"""

import torch
from torch import nn

from skncae.networks._convolutional import ConvolutionalBackbone
from skncae.networks._mlp import MLPBackbone

# By the number of axes of a row: (n_features,), or (height, width, channels).
BACKBONES = {1: MLPBackbone, 3: ConvolutionalBackbone}


def backbone(row_shape):
    """Return the backbone for rows of a shape."""
    return BACKBONES[len(row_shape)]


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
    network : Module
        With its `architecture`, the last three arguments.
    """
    network = backbone(row_shape).encoder(streams, row_shape, hidden_units, n_out)
    network.architecture = _architecture(row_shape, hidden_units, n_out)
    return network


def latent_noise(mu, variance, noise):
    """Turn standard noise into omega of N(mu, variance I). Eq. 4 and 6.

    Parameters
    ----------
    mu : Tensor of shape (members, 1, latent)
    variance : float
        A variance, so the noise is scaled by its square root.
    noise : Tensor of shape (members, batch, latent)
        Of N(0, I).

    Returns
    -------
    omega : Tensor of shape (members, batch, latent)
    """
    return torch.add(mu, noise, alpha=variance**0.5)


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
        self.architecture = _architecture(row_shape, hidden_units, latent_dim)
        self.encoder = build_encoder(streams, row_shape, hidden_units, latent_dim)
        self.decoder = backbone(row_shape).decoder(
            streams, row_shape, hidden_units, latent_dim
        )
        mu = torch.zeros(len(streams), 1, latent_dim, dtype=torch.float32)
        self.register_buffer("mu", mu)

    def forward(self, x):
        return self.decoder(self.encoder(x))

    def feature_major(self):
        """What `forward` does to rows that all members see, in half of the time.

        With the weights as they are now; None where the backbone has nothing faster.
        """
        build = backbone(self.row_shape).feature_major
        return build and build(self.encoder, self.decoder)

    def onnx(self, graph, x):
        """Write the networks as operations of an ONNX graph."""
        return self.decoder.onnx(graph, self.encoder.onnx(graph, x))


def _architecture(row_shape, hidden_units, n_out):
    """What a network is built from besides its random numbers."""
    return tuple(row_shape), tuple(hidden_units), n_out
