"""Algorithm 1: generate, mine, calibrate, align, drift.

All members take every step together. The two min-max games (Eq. 4 and 6) take one
forward and one backward pass through their discriminator each, which serve both
players.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional as F

from skncae._surroundings import undisturbed
from skncae._threads import one_thread
from skncae.networks._autoencoder import Autoencoder, build_encoder, latent_noise
from skncae.training import _losses, _mining
from skncae.training._cuda_graph import StepGraph
from skncae.training._optimizer import Descent, flattened

# What decay_steps multiplies the learning rate by (section 4, "Implementation").
DECAY = 0.1

# Steps whose random numbers are drawn together.
DRAWN_AT_ONCE = 25

HISTORY = (
    "sample_discriminator_loss",
    "latent_discriminator_loss",
    "reconstruction_loss",
    "mined_share",
    "mining_score_kept",
    "mining_score_mined",
)


@dataclass(frozen=True)
class Recipe:
    """What one training round needs to know; the names are NCAEDetector's."""

    hidden_units: tuple
    latent_dim: int
    mining: str
    mining_rate: float
    generation_scale: float
    sample_discriminator: bool
    latent_discriminator: bool
    max_iter: int
    batch_size: int
    learning_rate: float
    decay_steps: int | None
    precision: str


@contextmanager
def training():
    """Train in one thread, undisturbed by what the caller has set.

    Afterwards the memory of a GPU that torch would keep for the next fit is given back.
    """
    with undisturbed(), one_thread():
        yield
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


class Trainer:
    """One round of Algorithm 1 on scaled rows.

    Parameters
    ----------
    rows : Tensor of shape (n_samples, features)
        The scaled rows, on the device to train on.
    streams : MemberStreams
        The only source of randomness, one for each of the autoencoders that are
        trained side by side.
    recipe : Recipe
    trained : tuple of Module, optional
        A model, a D_s and a D_l of an earlier round to go on with. They are copied.
    is_missing : bool Tensor of shape (n_samples, incomplete), optional
        Which entries of the completed rows do not count, in the columns that have some.
    to_column_axes : Tensor of shape (features, incomplete), optional
        Turns a residual to one coordinate for each of these; needed with `is_missing`.
    image_shape : tuple of (height, width, channels), optional
        What rows are folded to by convolutional networks; None for an MLP.
    is_known : bool Tensor of shape (n_samples,), optional
        Rows that are known to be outliers; they are mined whenever they are drawn.
    """

    def __init__(
        self,
        rows,
        streams,
        recipe,
        trained=None,
        is_missing=None,
        to_column_axes=None,
        image_shape=None,
        is_known=None,
    ):
        self.rows = rows
        self.is_missing = is_missing
        self.to_column_axes = to_column_axes
        self.is_known = is_known
        self.n_members = len(streams)
        self.recipe = recipe
        self.n_steps = 0
        is_on_gpu = rows.device.type == "cuda"
        self._graph = StepGraph(rows.device) if is_on_gpu else None
        self.drift_rate = recipe.learning_rate
        row_shape = image_shape or rows.shape[1:]
        self.model = Autoencoder(
            streams, row_shape, recipe.hidden_units, recipe.latent_dim
        ).to(rows.device)
        self.d_s = build_encoder(streams, row_shape, recipe.hidden_units, 1).to(
            rows.device
        )
        self.d_l = build_encoder(
            streams, (recipe.latent_dim,), recipe.hidden_units[-1:], 1
        ).to(rows.device)
        networks = self.d_s, self.model.decoder, self.model.encoder, self.d_l
        # Listed once: to find them takes longer than to update them.
        self._parameters = {network: list(network.parameters()) for network in networks}
        d_s, decoder, encoder, d_l = self._parameters.values()
        flat = flattened([*d_s, *decoder, *encoder, *d_l])
        aligned = d_l if recipe.latent_discriminator else []
        # Neighbours in memory, so that each phase updates one vector.
        self._generation = Descent([*d_s, *decoder], flat, recipe.learning_rate)
        self._joint = Descent(
            [*decoder, *encoder, *aligned],
            flat[sum(p.numel() for p in d_s) :],
            recipe.learning_rate,
        )
        draw_indices = partial(streams.integers, len(rows))
        self._batches = _drawn(draw_indices, (recipe.batch_size,), rows.device)
        shape = recipe.batch_size, recipe.latent_dim
        self._noise = _drawn(streams.normal, shape, rows.device)
        if trained is None:
            self._set_mu()
        else:
            self._copy(trained)

    def run(self, after_step=None, n_steps=None):
        """Take steps and return their history.

        Parameters
        ----------
        after_step : callable, optional
            Called without arguments after each step, for progress bars.
        n_steps : int, optional
            How many steps to take now; by default all that `max_iter` leaves.

        Returns
        -------
        history : dict of str to Tensor of shape (n_steps, members)
        """
        history = []
        left = self.recipe.max_iter - self.n_steps
        for _ in range(left if n_steps is None else min(n_steps, left)):
            decay_steps = self.recipe.decay_steps
            if decay_steps and self.n_steps and self.n_steps % decay_steps == 0:
                self._generation.decay(DECAY)
                self._joint.decay(DECAY)
                self.drift_rate *= DECAY
                if self._graph is not None:
                    self._graph.forget()
            history.append(self._take_step(*self._draw()))
            self.n_steps += 1
            if after_step is not None:
                after_step()
        stacked = torch.stack(history)
        return dict(zip(HISTORY, stacked.unbind(1), strict=True))

    @torch.no_grad()
    def is_finite(self):
        """Say whether the last step left networks that reconstruct rows."""
        x = self._rows_at(next(self._batches))
        error = _losses.reconstruction_error(x, self.model(x))
        return bool(torch.isfinite(error).all())

    def _take_step(self, *drawn):
        """Take a step, on a GPU as a graph."""
        if self._graph is None:
            return self._step(*drawn)
        return self._graph.take(self._step, *drawn)

    def _step(self, drawn, noise, aligning_noise=None):
        """Take a step on the drawn rows, with standard noise for Eq. 6 and Eq. 4."""
        x = self._rows_at(drawn)
        omega = self._omega(self.recipe.generation_scale, noise)

        # Generate: g learns to fool D_s, D_s to tell x from g(omega). Eq. 6.
        sample_loss = self._generation_step(x, omega)

        # Mine: the rows least like the generated normals. Eq. 7.
        with torch.no_grad():
            x_generated = self._through(self.model.decoder, omega)
            # Apart from the rows: there is nothing to pass back through it.
            z_generated = self._through(self.model.encoder, x_generated)
        z = self._through(self.model.encoder, x)
        x_hat = self._through(self.model.decoder, z)
        if self.is_missing is not None:
            is_missing = self.is_missing[drawn]
            x = _losses.observed_target(x, x_hat, is_missing, self.to_column_axes)
        batch = _mining.Batch(x, x_hat.detach(), z.detach(), z_generated, self.model.mu)
        c = _mining.RULES[self.recipe.mining](batch)
        is_mined = _mining.least(c, self.recipe.mining_rate)
        if self.is_known is not None:
            is_mined = is_mined | self.is_known[drawn]

        # Calibrate and align: Eq. 8(a), and f learns to fool D_l. Eq. 4.
        prototype = x_generated.mean(1, keepdim=True)
        reconstruction_loss = _losses.calibrated_reconstruction_loss(
            x, x_hat, prototype, is_mined
        )
        latent_loss = self._joint_step(reconstruction_loss, z, aligning_noise)

        # Drift: mu follows the batch. Eq. 5. In place, for the graph of a step.
        mu = self.model.mu
        mu.copy_(_losses.drifted_mean(mu, z.detach(), self.drift_rate))
        return _step_history(sample_loss, latent_loss, reconstruction_loss, c, is_mined)

    def _generation_step(self, x, omega):
        """Update g and D_s on Eq. 6 and return the loss of D_s."""
        if not self.recipe.sample_discriminator:
            return x.new_zeros(len(x))
        x_generated = self._through(self.model.decoder, omega)
        loss, d_s_gradients, x_gradient = self._play(self.d_s, x, x_generated)
        decoder_gradients = torch.autograd.grad(
            x_generated, self._parameters[self.model.decoder], x_gradient
        )
        self._generation.step([*d_s_gradients, *decoder_gradients])
        return loss

    def _joint_step(self, reconstruction_loss, z, noise):
        """Update f, g and D_l on Eq. 8(a) and 4 and return the loss of D_l."""
        decoder, encoder = self.model.decoder, self.model.encoder
        players = [*self._parameters[decoder], *self._parameters[encoder]]
        if not self.recipe.latent_discriminator:
            self._joint.step(torch.autograd.grad(reconstruction_loss.sum(), players))
            return z.new_zeros(len(z))
        omega = self._omega(1.0, noise)
        loss, d_l_gradients, z_gradient = self._play(self.d_l, omega, z)
        gradients = torch.autograd.grad(
            [reconstruction_loss.sum(), z], players, [None, z_gradient]
        )
        self._joint.step([*gradients, *d_l_gradients])
        return loss

    def _play(self, discriminator, real, fake):
        """One round of a min-max game.

        Returns
        -------
        loss : Tensor of shape (members,)
            What the discriminator minimises.
        discriminator_gradients : tuple of Tensor
        fake_gradient : Tensor of the shape of `fake`
            What whoever made `fake` descends, to fool the discriminator.
        """
        fake = fake.detach().requires_grad_()
        logits = self._through(discriminator, torch.cat([real, fake], 1))[..., 0]
        real_logits, fake_logits = logits.split([real.shape[1], fake.shape[1]], 1)
        loss = _losses.discriminator_loss(real_logits, fake_logits)
        *gradients, fake_gradient = torch.autograd.grad(
            loss.sum(), [*self._parameters[discriminator], fake]
        )
        fake_gradient = _losses.adversary_gradient(fake_gradient, fake_logits.detach())
        return loss.detach(), gradients, fake_gradient

    def _through(self, network, x):
        """Send x through a network, whose products may be of lower precision."""
        if self.recipe.precision == "float32":
            return network(x)
        # A graph must not find weights that were converted before it.
        with torch.autocast(x.device.type, torch.bfloat16, cache_enabled=False):
            return network(x).float()

    def _draw(self):
        """Draw the random numbers of a step: each member's own rows, and noise."""
        n_noises = 1 + self.recipe.latent_discriminator
        return next(self._batches), *(next(self._noise) for _ in range(n_noises))

    def _rows_at(self, drawn):
        """Return rows by their indices, (members, batch)."""
        # What `self.rows[drawn]` is, in a quarter of the time.
        return F.embedding(drawn, self.rows)

    def _omega(self, variance, noise):
        """Latent noise around mu."""
        return latent_noise(self.model.mu, variance, noise)

    @torch.no_grad()
    def _set_mu(self):
        """Start mu at the mean of the latent features. Eq. 5."""
        rows = self.rows[: 16 * self.recipe.batch_size]
        z = self.model.encoder(rows.expand(self.n_members, *rows.shape))
        self.model.mu = z.mean(1, keepdim=True)

    def _copy(self, trained):
        """Take over the weights and the latent mean of trained networks."""
        networks = (self.model, self.d_s, self.d_l)
        for network, other in zip(networks, trained, strict=True):
            network.load_state_dict(other.state_dict())


def _drawn(draw, shape, device):
    """Yield numbers of (members, *shape) for ever, drawn for many steps at once.

    So there are few calls, and few transfers to a GPU.
    """
    while True:
        drawn = draw((DRAWN_AT_ONCE, *shape))
        if device.type == "cuda":
            # Pinned memory, so that the copy to the GPU is asynchronous.
            drawn = drawn.pin_memory()
        yield from drawn.to(device, non_blocking=drawn.is_pinned()).unbind(1)


def _step_history(sample_loss, latent_loss, reconstruction_loss, c, is_mined):
    """Stack what a step leaves behind, in the order of HISTORY."""
    share = is_mined.float().mean(1)
    mined = (c * is_mined).mean(1)
    kept = (c.mean(1) - mined) / (1 - share)
    return torch.stack(
        [
            sample_loss,
            latent_loss,
            reconstruction_loss.detach(),
            share,
            kept,
            mined / share,
        ]
    )
