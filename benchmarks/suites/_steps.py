"""Experiments of the suite scale: a training step, on the CPU and on a GPU."""

import time
from functools import partial

import numpy as np

from benchmarks.harness.meter import Meter, cpu_seconds

STEPS = 100


def step(options):
    """Cases of the experiment: numbers of members, on 9 and 36 columns."""
    return [(str(n_members), 20_000, d) for d in (9, 36) for n_members in (1, 8, 16)]


def measure_step(case, n, d, options):
    """Time steps of the default networks; the floor is their matrix products."""
    trainer = step_trainer(int(case), n, d, "cpu")
    trainer.run(n_steps=STEPS)
    with Meter() as meter:
        trainer.run(n_steps=STEPS)
    per_step = {name: value / STEPS for name, value in meter.row().items()}
    floor_s = products_s(trainer.n_members, d, trainer.recipe, product_s)
    return per_step | {"floor_s": floor_s, "anon_mb": ""}


def step_trainer(n_members, n, d, device, **parameters):
    """Set up the training of the default networks on normally distributed rows."""
    import torch

    from skncae import NCAEDetector
    from skncae._fitting import make_training
    from skncae._settings import settings_of
    from skncae.networks._generators import MemberStreams
    from skncae.scaling._calibration import calibrated_view
    from skncae.training._trainer import Trainer

    detector = NCAEDetector(max_iter=10**6, **parameters)
    detector.image_shape_ = None
    X = np.random.default_rng(0).normal(size=(n, d))
    make = partial(Trainer, streams=MemberStreams(0, range(n_members)))
    view = calibrated_view("whitened", X, 1)
    settings = settings_of(detector)
    return make_training(settings, X, view, None, make, torch.device(device))


def products_s(n_members, d, recipe, product_s):
    """Seconds that the matrix products of a step take, each measured alone."""
    batch = recipe.batch_size
    encoder = (d, *recipe.hidden_units, recipe.latent_dim)
    d_s = (d, *recipe.hidden_units, 1)
    d_l = (recipe.latent_dim, recipe.hidden_units[-1], 1)
    # Networks, rows and passes: one forward, and two back where there is a gradient.
    passes = [
        (encoder[::-1], batch, 3),
        (d_s, 2 * batch, 3),
        (encoder[::-1], batch, 1),
        (encoder, batch, 1),
        (encoder, batch, 3),
        (encoder[::-1], batch, 3),
        (d_l, 2 * batch, 3),
    ]
    return sum(
        n_passes * product_s(n_members, n_rows, *layer)
        for widths, n_rows, n_passes in passes
        for layer in zip(widths[:-1], widths[1:], strict=True)
    )


def product_s(n_members, n_rows, n_in, n_out):
    """CPU seconds of one layer's product."""
    import torch

    x, weight = (
        torch.randn(n_members, n_rows, n_in),
        torch.randn(n_members, n_in, n_out),
    )
    bias = torch.randn(n_members, 1, n_out)
    return cpu_seconds(lambda: torch.baddbmm(bias, x, weight), repeats=1)


# --- the step on a GPU ---------------------------------------------------------

HOW = {
    "kernels": {},
    "graph": {},
    "bfloat16": {"precision": "bfloat16"},
}


def gpu(options):
    """Cases of the experiment: numbers of members, and how steps are launched."""
    return [
        (f"{n_members} {how}", 20_000, d)
        for d in (9, 36)
        for n_members in (1, 8, 64)
        for how in HOW
    ]


def measure_gpu(case, n, d, options):
    """Time steps on a GPU; the floor is their products, without any launching."""
    import torch

    n_members, how = case.split()
    trainer = step_trainer(int(n_members), n, d, "cuda", **HOW[how])
    if how == "kernels":
        trainer._graph = None
    trainer.run(n_steps=STEPS)
    torch.cuda.synchronize()
    with Meter() as meter:
        trainer.run(n_steps=STEPS)
        torch.cuda.synchronize()
    per_step = {name: value / STEPS for name, value in meter.row().items()}
    mb = torch.cuda.max_memory_allocated() / 2**20
    return per_step | {
        "floor_s": products_s(trainer.n_members, d, trainer.recipe, gpu_product_s),
        "anon_mb": "",
        "note": f"{torch.cuda.get_device_name()}, {mb:.0f} MB of its memory",
    }


def gpu_product_s(n_members, n_rows, n_in, n_out):
    """Seconds of one layer's product on a GPU, the least of several."""
    import torch

    from skncae.training._cuda_graph import captured

    shapes = (n_members, n_rows, n_in), (n_members, n_in, n_out), (n_members, 1, n_out)
    x, weight, bias = (torch.randn(shape, device="cuda") for shape in shapes)

    def products():
        for _ in range(100):
            out = torch.baddbmm(bias, x, weight)
        return out

    products()
    replay, _ = captured(products, x.device)
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        replay()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / 100)
    return min(times)
