"""How well the rotation and the shift of an image are recognised.

A small network learns to say how training images were turned and moved. It learns what
normal images look like the right way up and in the middle, and is at a loss before
others: their transformations are of little probability (Golan and El-Yaniv, NeurIPS
2018; heads for rotation and shifts as in Hendrycks et al., NeurIPS 2019). Of few
contaminated images it learns little, since they have less in common (E3Outlier, Wang et
al., NeurIPS 2019).
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.backends import cudnn
from torch.nn import functional as F

from skncae.evidence._base import Evidence

# Channels of the convolutions; the first three halve height and width.
CHANNELS = (32, 64, 128, 128)
STRIDES = (2, 2, 2, 1)
LEAKINESS = 0.1

# Steps of Adam for each step of the autoencoders (`max_iter`), images a step (each in
# all four rotations), and the step size.
STEPS, BATCH, LEARNING_RATE = 2, 64, 2e-3

# Images are rounded to this grid, in deviations, to train on: the last bits, which
# float32 has not, do not make another network.
GRID = 2.0**-10

# Answers of the three heads: quarter turns, and shifts by a quarter of the width and of
# the height to either side or not at all.
HEADS = (4, 3, 3)

# Transformations that an image is scored in: (quarter turns, right, down).
SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
VIEWS = [(turns, *shift) for turns, shift in itertools.product(range(4), SHIFTS)]

# Images are scored in blocks of exactly this many: convolutions in float32 round alike
# wherever an image is in a block of one size.
BLOCK = 64


class Recognizer(nn.Module):
    """Convolutions to the logits of the three heads.

    Shape
    -----
    input : (batch, channels, height, width)
    output : (batch, sum(HEADS))

    Parameters
    ----------
    n_channels : int
    generator : torch.Generator, optional
        What weights are drawn from; None leaves them as memory has them.
    """

    def __init__(self, n_channels, generator=None):
        super().__init__()
        layers: list[nn.Module] = []
        for width, stride in zip(CHANNELS, STRIDES, strict=True):
            convolution = nn.utils.skip_init(
                nn.Conv2d, n_channels, width, 3, stride, 1, dtype=torch.float32
            )
            normalised = nn.BatchNorm2d(width, dtype=torch.float32)
            layers += [convolution, normalised, nn.LeakyReLU(LEAKINESS)]
            n_channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.utils.skip_init(
            nn.Linear, 4 * n_channels, sum(HEADS), dtype=torch.float32
        )
        if generator is not None:
            self._draw(generator)

    def forward(self, x):
        x = self.body(x)
        # As adaptive pooling to 2 x 2 does, whose gradient is not repeatable on a GPU.
        rows, columns = (_halves(size).to(x) for size in x.shape[2:])
        return self.head((rows @ x @ columns.mT).flatten(1))

    def _draw(self, generator):
        """Draw weights from the bounds that torch takes by default."""
        for layer in [*self.body, self.head]:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                bound = layer.weight[0].numel() ** -0.5
                for tensor in layer.parameters():
                    nn.init.uniform_(tensor, -bound, bound, generator=generator)


@dataclass(frozen=True)
class Transformations(Evidence):
    """Minus the log probability of the transformation that an image was put through.

    The mean over `VIEWS`, each the sum over the heads. Large where the network cannot
    see how an image was turned and moved.

    Parameters
    ----------
    recognizer : Recognizer
    mean, deviation : ndarray of shape (channels,)
        Of the training images, which the network sees standardised.
    image_shape : tuple of (height, width, channels)
    """

    recognizer: Recognizer
    mean: np.ndarray
    deviation: np.ndarray
    image_shape: tuple

    name = "transformations"
    images_only = True

    @classmethod
    def learn(cls, block, settings, random_state):
        """Train the network on the training images."""
        generator = torch.Generator().manual_seed(
            int(random_state.randint(np.iinfo(np.int32).max))
        )
        images = block.completed.reshape(-1, *settings.image_shape)
        mean = images.mean((0, 1, 2), dtype=np.float64)
        deviation = images.std((0, 1, 2), dtype=np.float64)
        # Channels that are all the same have no scale.
        deviation = np.where(deviation > 1e-12 * np.abs(images).max(), deviation, 1.0)
        recognizer = Recognizer(settings.image_shape[2], generator)
        evidence = cls(recognizer, mean, deviation, tuple(settings.image_shape))
        x = torch.round(evidence._seen(block.completed) / GRID) * GRID
        n_steps = STEPS * settings.max_iter
        _train(recognizer, x, n_steps, generator, torch.device(settings.device))
        # As if it had been loaded: how weights lie in memory decides how sums round.
        return cls.from_state(evidence.state())

    @torch.no_grad()
    def errors(self, block):
        """Minus the mean log probability of each image, (n_samples,)."""
        x = self._seen(block.completed)
        errors = [self._block_errors(part) for part in x.split(BLOCK)]
        return torch.cat(errors).numpy()

    def contributions(self, block):
        """Gradient of the error times the pixel, as sizes, (n_samples, n_features)."""
        parts = []
        for x in self._seen(block.completed).split(BLOCK):
            with torch.enable_grad():
                x = x.requires_grad_()
                (slope,) = torch.autograd.grad(self._block_errors(x).sum(), x)
            parts.append((slope * x.detach()).abs().permute(0, 2, 3, 1).flatten(1))
        return torch.cat(parts).double().numpy()

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        tensors = self.recognizer.state_dict().items()
        return {
            # In the type of all numbers of a state.
            "weights": {name: part.double().cpu().numpy() for name, part in tensors},
            "mean": self.mean,
            "deviation": self.deviation,
            "image_shape": self.image_shape,
        }

    @classmethod
    def from_state(cls, state):
        """Build the evidence that `state` was taken from."""
        recognizer = Recognizer(state["image_shape"][2])
        # Copies: the arrays may be read-only. Cast to the type of each parameter.
        weights = {name: torch.tensor(part) for name, part in state["weights"].items()}
        recognizer.load_state_dict(weights)
        recognizer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        recognizer.eval().requires_grad_(False)
        shape = tuple(state["image_shape"])
        return cls(recognizer, state["mean"], state["deviation"], shape)

    def _seen(self, rows):
        """Standardised images, (n_samples, channels, height, width), float32."""
        images = rows.reshape(-1, *self.image_shape)
        images = (images - self.mean) / self.deviation
        return torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)

    def _block_errors(self, x):
        """Errors of at most `BLOCK` images, float64."""
        n_images = len(x)
        x = torch.cat([x, x.new_zeros(BLOCK - n_images, *x.shape[1:])])
        x = squared(x)
        total = x.new_zeros(BLOCK, dtype=torch.float64)
        for turns, right, down in VIEWS:
            answers = [torch.full((BLOCK,), k) for k in (turns, right + 1, down + 1)]
            moved = torch.rot90(
                shifted(x, answers[1] - 1, answers[2] - 1), turns, (2, 3)
            )
            total = total - log_probability(self.recognizer(moved).double(), answers)
        return total[:n_images] / len(VIEWS)


def _halves(size):
    """Matrix of shape (2, size) that takes the means of both halves of an axis."""
    place = torch.arange(size)
    first, second = place < math.ceil(size / 2), place >= size // 2
    halves = torch.stack([first, second]).float()
    return halves / halves.sum(1, keepdim=True)


def squared(x):
    """Repeat the last row or column until images are square, so that they can turn."""
    height, width = x.shape[2:]
    missing = max(0, height - width), max(0, width - height)
    return F.pad(x, (0, missing[0], 0, missing[1]), mode="replicate")


def shifted(x, right, down):
    """Move images by a quarter of their size, filling in by reflection.

    Parameters
    ----------
    x : Tensor of shape (batch, channels, height, width)
    right, down : int64 Tensor of shape (batch,)
        -1, 0 or 1 quarters.
    """
    batch, channels, height, width = x.shape
    by_row, by_column = height // 4, width // 4
    padded = F.pad(x, (by_column, by_column, by_row, by_row), mode="reflect")
    rows = (by_row * (1 + down))[:, None] + torch.arange(height, device=x.device)
    columns = (by_column * (1 + right))[:, None] + torch.arange(width, device=x.device)
    image = torch.arange(batch, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def log_probability(logits, answers):
    """Sum over the heads of the log probability of their answers, (batch,)."""
    heads = zip(logits.split(HEADS, 1), answers, strict=True)
    return sum(
        F.log_softmax(head, 1).gather(1, answer[:, None])[:, 0]
        for head, answer in heads
    )


def _train(recognizer, x, n_steps, generator, device):
    """Teach the network the four rotations of random images, shifted at random."""
    recognizer.to(device, memory_format=torch.channels_last).train()
    x = squared(x.to(device))
    optimizer = torch.optim.Adam(recognizer.parameters(), lr=LEARNING_RATE)
    turns = torch.arange(4, device=device).repeat_interleave(BATCH)
    # `flags` would switch cuDNN off by default.
    repeatable = {"enabled": True, "deterministic": True, "benchmark": False}
    for _ in range(n_steps):
        drawn = torch.randint(len(x), (BATCH,), generator=generator)
        moves = torch.randint(3, (2, 4 * BATCH), generator=generator).to(device)
        images = shifted(x[drawn.to(device)].repeat(4, 1, 1, 1), *(moves - 1))
        images = torch.cat(
            [torch.rot90(p, k, (2, 3)) for k, p in enumerate(images.split(BATCH))]
        )
        optimizer.zero_grad()
        with torch.enable_grad(), cudnn.flags(**repeatable):
            loss = -log_probability(recognizer(images), (turns, *moves)).mean()
            loss.backward()
        optimizer.step()
