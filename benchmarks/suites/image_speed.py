"""What a training step on images costs: ``python -m benchmarks.image_speed``.

CPU seconds of one thread: the step, its floor (multiply-adds over the measured rate of
a matrix product), and the first two layers written in other ways.
"""

import time

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.harness import isolation, records
from skncae.networks._autoencoder import MemberConv, _blocks_to_channels
from skncae.networks._generators import MemberStreams
from skncae.training._trainer import Recipe, Trainer

MEMBERS, BATCH, CHANNELS, LATENT = 2, 128, (8, 16), 16


def cpu_seconds(work, repeats=7, n=10):
    """Least CPU seconds of one call, of several repeats: others share the machine."""
    work()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(n):
            work()
        best = min(best, (time.process_time() - start) / n)
    return best


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
    encoder = 0
    for n_out in CHANNELS:
        height, width = -(-height // 2), -(-width // 2)
        encoder += height * width * 9 * 4 * n_in * n_out
        n_in = n_out
    decoder = 0
    height, width, n_in = image_shape
    for n_out in CHANNELS:
        height, width = -(-height // 2), -(-width // 2)
        decoder += height * width * 9 * 4 * n_in * n_out
        n_in = n_out
    linear = height * width * n_in * LATENT
    return MEMBERS * BATCH * (10 * (encoder + linear) + 7 * (decoder + linear))


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
        max_iter=10_000,
        batch_size=BATCH,
        learning_rate=3e-3,
        decay_steps=None,
        precision="float32",
    )
    rows = torch.randn(1000, int(np.prod(image_shape)))
    streams = MemberStreams(0, range(MEMBERS))
    trainer = Trainer(rows, streams, recipe, image_shape=image_shape)
    return cpu_seconds(lambda: trainer.run(n_steps=5), n=1) / 5


def layers():
    """CPU seconds of a layer and its gradients, in several ways, for two layers."""
    for size, n_in, n_out in ((28, 1, 8), (14, 8, 16)):
        x = torch.randn(BATCH, MEMBERS * n_in, size, size)
        grid = x.permute(0, 2, 3, 1).unflatten(3, (MEMBERS, n_in)).contiguous()
        layer = MemberConv(MemberStreams(0, range(MEMBERS)), 4 * n_in, n_out)
        wide, narrow = (torch.randn(MEMBERS * n_out, n_in, k, k) for k in (6, 5))
        seconds = {
            "ours": _with_gradients(lambda g, f=layer: f(_blocks_to_channels(g)), grid),
            "6 x 6, stride 2": _with_gradients(_strided, x, wide),
            "the same, channels last": _with_gradients(
                _strided, x.contiguous(memory_format=torch.channels_last), wide
            ),
            "LeNet: 5 x 5, then pooled": _with_gradients(_pooled, x, narrow),
        }
        yield f"{size} x {size}, {n_in} to {n_out} channels", seconds


def _strided(x, kernel):
    return F.conv2d(x, kernel, stride=2, padding=2, groups=MEMBERS)


def _pooled(x, kernel):
    return F.max_pool2d(F.conv2d(x, kernel, padding=2, groups=MEMBERS), 2)


def _with_gradients(forward, *inputs):
    inputs = [x.requires_grad_() for x in inputs]
    gradient = torch.randn_like(forward(*inputs))
    return cpu_seconds(lambda: torch.autograd.grad(forward(*inputs), inputs, gradient))


def main():
    """Print the tables."""
    isolation.one_thread()
    torch.set_num_threads(1)
    print(records.provenance(members=MEMBERS, batch=BATCH, channels=CHANNELS))
    rate = matmul_rate()
    print(f"a matrix product: {rate / 1e9:.1f} G multiply-adds a second")
    for shape in ((8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 64, 3)):
        work, seconds = multiply_adds(shape), step_seconds(shape)
        floor = work / rate
        print(
            f"step of {shape}: {1e3 * seconds:.1f} ms, {work / 1e6:.0f} M "
            f"multiply-adds, floor {1e3 * floor:.1f} ms, ratio {seconds / floor:.1f}",
            flush=True,
        )
    for name, seconds in layers():
        print(name, *(f"| {way} {1e3 * t:.1f} ms" for way, t in seconds.items()))


if __name__ == "__main__":
    main()
