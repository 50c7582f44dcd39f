"""What a training step on images costs.

CPU seconds of one thread: the step, its floor (multiply-adds over the measured rate of
a matrix product), and the first two layers written in other ways.
"""

import ast

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.harness import printing
from benchmarks.harness.meter import cpu_seconds
from benchmarks.harness.suite import Suite
from skncae.networks._convolutional import _blocks_to_channels
from skncae.networks._generators import MemberStreams
from skncae.networks._layers import MemberConv
from skncae.training._trainer import Recipe, Trainer

MEMBERS, BATCH, CHANNELS, LATENT = 2, 128, (8, 16), 16
SHAPES = ((8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 64, 3))
LAYERS = ((28, 1, 8), (14, 8, 16))
WAYS = (
    "ours",
    "6 x 6, stride 2",
    "6 x 6, stride 2, channels last",
    "LeNet: 5 x 5, then pooled",
)


def matmul_rate():
    """Multiply-adds a second of a large matrix product."""
    a = torch.randn(1024, 1024)
    return 1024**3 / cpu_seconds(lambda: a @ a)


def multiply_adds(image_shape):
    """Multiply-adds of a step: forward, and twice that where something goes back.

    The encoder, and the sample discriminator like it, see 6 batches in the game, 1 of
    generated images and 3 of images; the decoder 3 in the game, 1 to generate, 3 to
    reconstruct.
    """
    height, width, n_in = image_shape
    convolutions = 0
    for n_out in CHANNELS:
        height, width = -(-height // 2), -(-width // 2)
        convolutions += height * width * 9 * 4 * n_in * n_out
        n_in = n_out
    linear = height * width * n_in * LATENT
    # The decoder is the mirror image of the encoder.
    return MEMBERS * BATCH * (10 + 7) * (convolutions + linear)


def step_seconds(image_shape):
    """CPU seconds of a step of all members."""
    recipe = Recipe(
        hidden_units=CHANNELS,
        latent_dim=LATENT,
        mining="reconstruction",
        mining_rate=0.2,
        generation_scale=0.1,
        sample_discriminator=True,
        latent_discriminator=True,
        max_iter=10**6,
        batch_size=BATCH,
        learning_rate=3e-3,
        decay_steps=None,
        precision="float32",
    )
    rows = torch.randn(1000, int(np.prod(image_shape)))
    streams = MemberStreams(0, range(MEMBERS))
    trainer = Trainer(rows, streams, recipe, image_shape=image_shape)
    return cpu_seconds(lambda: trainer.run(n_steps=5)) / 5


def layer_seconds(size, n_in, n_out, way):
    """CPU seconds of a layer and its gradients, in one of several `WAYS`."""
    x = torch.randn(BATCH, MEMBERS * n_in, size, size)
    if way == "ours":
        grid = x.permute(0, 2, 3, 1).unflatten(3, (MEMBERS, n_in)).contiguous()
        layer = MemberConv(MemberStreams(0, range(MEMBERS)), 4 * n_in, n_out)
        return _with_gradients(lambda grid: layer(_blocks_to_channels(grid)), grid)
    wide, narrow = (torch.randn(MEMBERS * n_out, n_in, k, k) for k in (6, 5))
    if way == "LeNet: 5 x 5, then pooled":
        return _with_gradients(_pooled, x, narrow)
    if way == "6 x 6, stride 2, channels last":
        x = x.contiguous(memory_format=torch.channels_last)
    return _with_gradients(_strided, x, wide)


def _strided(x, kernel):
    return F.conv2d(x, kernel, stride=2, padding=2, groups=MEMBERS)


def _pooled(x, kernel):
    return F.max_pool2d(F.conv2d(x, kernel, padding=2, groups=MEMBERS), 2)


def _with_gradients(forward, *inputs):
    inputs = [x.requires_grad_() for x in inputs]
    gradient = torch.randn_like(forward(*inputs))
    return cpu_seconds(lambda: torch.autograd.grad(forward(*inputs), inputs, gradient))


def cases(options):
    """Yield the shapes of images, then the ways to write a layer."""
    for shape in SHAPES:
        yield {"what": f"step of {shape}", "way": "ours"}
    for layer in LAYERS:
        for way in WAYS:
            yield {"what": f"layer of {layer}", "way": way}


def measure(case, task, options):
    """Time a step, beside its floor, or a layer."""
    kind, _, numbers = case["what"].partition(" of ")
    shape = ast.literal_eval(numbers)
    if kind == "layer":
        return {"cpu_s": layer_seconds(*shape, case["way"])}
    work = multiply_adds(shape)
    return {"cpu_s": step_seconds(shape), "floor_s": work / matmul_rate()}


def table(frame):
    """Render milliseconds, and how many times the floor."""
    lines = [
        [row.what, row.way, f"{1e3 * row.cpu_s:.2f}", row.cpu_s / row.floor_s]
        for row in frame.itertuples()
    ]
    return printing.columns(["what", "way", "ms", "x floor"], lines)


SUITE = Suite(
    name="image_speed",
    key=("what", "way"),
    columns=("what", "way", "status", "cpu_s", "floor_s", "note"),
    cases=cases,
    measure=measure,
    table=table,
)
