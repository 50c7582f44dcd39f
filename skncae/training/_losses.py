"""One pure function per equation of the paper.

==========  ==============================================================
symbol      meaning
==========  ==============================================================
``x``       rows, (members, batch, features)
``z``       latent features f(x), (members, batch, latent)
``mu``      latent mean, (members, 1, latent)
``omega``   latent noise, N(mu, I) or N(mu, sigma I)
``d_s``     logits of the sample discriminator D_s
``d_l``     logits of the latent discriminator D_l
==========  ==============================================================
"""

import torch
from torch.nn import functional as F


def reconstruction_error(x, x_hat):
    """Squared error of each row. Eq. 1 and 9.

    Parameters
    ----------
    x, x_hat : Tensor of shape (members, batch, features)

    Returns
    -------
    error : Tensor of shape (members, batch)
    """
    return (x_hat - x).square().sum(-1)


def observed_target(x, x_hat, is_missing, to_column_axes):
    """Target of a reconstruction that differs from it in the observed columns only.

    The residual is turned to one coordinate a column, and those of missing entries
    are left out: neither their error nor their gradient is in a loss to this target.

    Parameters
    ----------
    x, x_hat : Tensor of shape (members, batch, features)
    is_missing : bool Tensor of shape (members, batch, incomplete)
        In the columns that have missing entries.
    to_column_axes : Tensor of shape (features, incomplete)
        `View.to_column_axes` as a matrix, whose rows are at right angles; those columns
        of it. Sums are of its type: in float32 they hang on the order of the columns.

    Returns
    -------
    target : Tensor of shape (members, batch, features)
        Without gradient.
    """
    residual = (x - x_hat.detach()).to(to_column_axes.dtype) @ to_column_axes
    return x - ((residual * is_missing) @ to_column_axes.T).to(x.dtype)


def calibrated_reconstruction_loss(x, x_hat, prototype, is_mined):
    """Squared error to x, or to the prototype where mined. Eq. 3 and 8(a).

    The paper prints the second term of Eq. 8(a) as ``||x - x'||^2``, which has no
    gradient; it is the reconstruction that is pulled to the prototype.

    Parameters
    ----------
    x, x_hat : Tensor of shape (members, batch, features)
    prototype : Tensor of shape (members, 1, features)
    is_mined : bool Tensor of shape (members, batch)

    Returns
    -------
    loss : Tensor of shape (members,)
    """
    target = torch.where(is_mined[..., None], prototype, x)
    return reconstruction_error(target, x_hat).mean(-1)


def discriminator_loss(real_logits, fake_logits):
    """Negative of the maximum over D in Eq. 4 and 6.

    Parameters
    ----------
    real_logits, fake_logits : Tensor of shape (members, batch)

    Returns
    -------
    loss : Tensor of shape (members,)
    """
    return F.softplus(-real_logits).mean(-1) + F.softplus(fake_logits).mean(-1)


def adversary_gradient(discriminator_gradient, fake_logits):
    """Turn D's gradient at its fake inputs into the one of who wants to fool it.

    The encoder (Eq. 4) and the decoder (Eq. 6) minimise ``-log D(fake)``, which has
    the fixed point of the ``log(1 - D(fake))`` printed there, and a gradient also
    where D is sure. The two differ by a factor for each row, so D's own backward
    pass serves both players.

    Parameters
    ----------
    discriminator_gradient : Tensor of shape (members, batch, width)
        Gradient of `discriminator_loss` with respect to the fake inputs.
    fake_logits : Tensor of shape (members, batch)

    Returns
    -------
    gradient : Tensor of shape (members, batch, width)
        Gradient of the mean of softplus(-fake_logits) with respect to the inputs.
    """
    # sigmoid(s) is the slope of softplus(s), -sigmoid(-s) the one of softplus(-s).
    # Below -60 sigmoid(s) is lost in float32, and with it D's gradient.
    ratio = -torch.exp(-fake_logits.clamp(min=-60.0))
    return discriminator_gradient * ratio[..., None]


def drifted_mean(mu, z, rate):
    """Move mu towards the batch mean of z, per dimension. Eq. 5.

    Parameters
    ----------
    mu : Tensor of shape (members, 1, latent)
    z : Tensor of shape (members, batch, latent)
    rate : float

    Returns
    -------
    mu : Tensor of shape (members, 1, latent)
    """
    return torch.lerp(mu, z.mean(1, keepdim=True), rate)
