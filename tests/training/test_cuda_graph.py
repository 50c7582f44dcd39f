"""Steps that a GPU repeats as a graph: what holds of them without a GPU, too.

A recorder stands in for the GPU. Like a graph it keeps operations and the memory that
they read and write, so a step that keeps something elsewhere comes out different.
"""

import gc
import weakref
from contextlib import nullcontext
from functools import partial
from unittest.mock import create_autospec

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skncae import NCAEDetector, _detector
from skncae.networks._generators import MemberStreams
from skncae.training import _cuda_graph as _graph
from skncae.training import _mining
from skncae.training._cuda_graph import WARM_UP, StepGraph
from skncae.training._trainer import Recipe, Trainer
from tests.conftest import RECIPE

CHANGES = {"max_iter": 9, "learning_rate": 1e-2}
VARIANTS = {
    **{rule: {"mining": rule} for rule in _mining.RULES},
    "no D_s": {"sample_discriminator": False},
    "no D_l": {"latent_discriminator": False},
    "mines nothing": {"mining_rate": 0.0},
    "decays": {"decay_steps": 4},
    "bfloat16": {"precision": "bfloat16"},
    "images": {"image_shape": (8, 8, 1)},
    "missing entries": {"is_missing": True},
    "known outliers": {"n_known": 20},
}


class Recorder(TorchDispatchMode):
    """Records operations, and undoes what they do to tensors of before."""

    def __enter__(self):
        self.calls, self._before = [], []
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        with torch.no_grad():
            for tensor, numbers in reversed(self._before):
                tensor.copy_(numbers)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._schema.is_mutable:
            for tensor in tree_leaves((args, kwargs)):
                if isinstance(tensor, torch.Tensor):
                    self._before.append((tensor, tensor.clone()))
        out = function(*args, **kwargs or {})
        self.calls.append((function, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def replay(self):
        """Do it all again, to the same memory."""
        for function, args, kwargs, out in self.calls:
            again = function(*args, **kwargs)
            for held, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                if isinstance(held, torch.Tensor) and held is not new:
                    held.copy_(new)


def recorded(work, device):
    """Stand in for `_graph.captured`."""
    recorder = Recorder()
    with recorder:
        output = work()
    return recorder.replay, output


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(_graph, "side_stream", nullcontext)
    monkeypatch.setattr(_graph, "captured", recorded)


def make(device="cpu", image_shape=None, is_missing=False, n_known=0, **changes):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(200, 64 if image_shape else 3, generator=generator)
    observed = {}
    if is_missing:
        missing = torch.rand(rows.shape, generator=generator) < 0.2
        observed = {"is_missing": missing.to(device)}
        observed["to_column_axes"] = torch.eye(rows.shape[1], device=device)
    if n_known:
        observed["is_known"] = torch.arange(len(rows), device=device) < n_known
    streams = MemberStreams(0, range(2))
    recipe = Recipe(**RECIPE | CHANGES | changes)
    return Trainer(
        rows.to(device), streams, recipe, image_shape=image_shape, **observed
    )


def make_graphed(**changes):
    trainer = make(**changes)
    trainer._graph = StepGraph(torch.device("cpu"))
    return trainer


def assert_same(trainer, other):
    for network, twin in zip(
        (trainer.model, trainer.d_s, trainer.d_l),
        (other.model, other.d_s, other.d_l),
        strict=True,
    ):
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, twin.state_dict()[name]), name


# --- the recorder itself ---------------------------------------------------------


def test_recorder_leaves_tensors_as_they_were_and_replays_into_them():
    x, y = torch.zeros(3), torch.ones(3)
    replay, out = recorded(lambda: x.add_(y) * 2, None)
    assert not x.any()
    replay()
    y += 1
    replay()
    assert x.tolist() == [3.0] * 3
    assert out.tolist() == [6.0] * 3


def test_recorder_finds_a_step_that_keeps_its_state_elsewhere(recorder):
    class Step:
        total = torch.zeros(1)

        def __call__(self, x):
            self.total = self.total + x
            return self.total

    graph, step = StepGraph(None), Step()
    totals = [float(graph.take(step, torch.ones(1))) for _ in range(6)]
    assert totals != [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


# --- steps as a graph ------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_steps_of_a_graph_are_those_taken_one_by_one(recorder, variant):
    plain, graphed = make(**VARIANTS[variant]), make_graphed(**VARIANTS[variant])
    history, other = plain.run(), graphed.run()
    for name, values in history.items():
        assert torch.equal(other[name].nan_to_num(), values.nan_to_num()), name
    assert_same(graphed, plain)


def test_step_is_captured_once_and_once_more_after_a_decay(recorder, monkeypatch):
    captures = []
    monkeypatch.setattr(
        _graph, "captured", lambda *args: captures.append(1) or recorded(*args)
    )
    make_graphed(max_iter=WARM_UP).run()
    assert captures == []
    make_graphed().run()
    assert captures == [1]
    make_graphed(decay_steps=5).run()
    assert captures == [1] * 3


def test_step_that_cannot_be_captured_is_taken_one_by_one(recorder, monkeypatch):
    attempts = []

    def refuse(work, device):
        attempts.append(1)
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(_graph, "captured", refuse)
    plain, graphed = make(), make_graphed()
    plain.run()
    with pytest.warns(RuntimeWarning, match="no CUDA graph.*is capturing Training"):
        graphed.run()
    assert attempts == [1]
    assert_same(graphed, plain)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "bfloat16"])
def test_step_waits_for_no_number_and_stays_on_its_device(variant, monkeypatch):
    # Tensors on "meta" hold no numbers: to ask for one, or to mix them with those of
    # another device, is an error. Only Adam's fused form is not for them.
    monkeypatch.setattr(torch.optim, "Adam", adam_for_meta)
    trainer = make(device="meta", **VARIANTS[variant])
    output = trainer._step(*trainer._draw())
    assert output.device.type == "meta"
    assert output.shape == (6, 2)


def adam_for_meta(parameters, lr, fused, capturable):
    assert fused
    return ORIGINAL_ADAM(parameters, lr=lr)


ORIGINAL_ADAM = torch.optim.Adam


def test_capture_calls_torch_as_torch_wants_to_be_called(monkeypatch):
    cuda = create_autospec(torch.cuda)
    monkeypatch.setattr(torch, "cuda", cuda)
    monkeypatch.setattr(_graph, "_side_stream_of", _graph._side_stream_of.__wrapped__)
    replay, output = _graph.captured(lambda: "output", torch.device("cuda:1"))
    assert output == "output"
    side = cuda.Stream.return_value
    assert cuda.Stream.call_args.args == (torch.device("cuda:1"),)
    assert cuda.graph.call_args.kwargs["stream"] is side
    side.wait_stream.assert_called_once_with(cuda.current_stream.return_value)
    cuda.current_stream.return_value.wait_stream.assert_called_once_with(side)
    replay()
    cuda.CUDAGraph.return_value.replay.assert_called_once_with()


def test_networks_train_on_a_gpu_in_graphs_and_elsewhere_without():
    assert make()._graph is None
    assert make(device="meta")._graph is None


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_trainer_is_gone_when_the_memory_of_the_gpu_is_given_back(
    fast, X, monkeypatch, method
):
    trainers, gone = [], []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: gone.append(trainers[0]() is None)
    )

    class Watched(Trainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            trainers.append(weakref.ref(self))

    fit = partial(NCAEDetector._fit, trainer_type=Watched)
    monkeypatch.setattr(_detector.NCAEDetector, "_fit", lambda *a, **k: fit(*a, **k))
    gc.disable()
    try:
        # Also without a collection of garbage. On the CPU: a graph's capture empties
        # the cache too.
        getattr(fast(device="cpu"), method)(X)
    finally:
        gc.enable()
    assert gone == [True]


# --- precision -------------------------------------------------------------------


@pytest.mark.parametrize("variant", [{}, {"image_shape": (8, 8, 1)}])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_are_of_the_precision_and_all_that_is_kept_is_float32(
    precision, variant
):
    trainer = make(precision=precision, **variant)
    with Recorder() as recorder:
        output = trainer._step(*trainer._draw())
    products = {
        tensor.dtype
        for function, args, _, _ in recorder.calls
        if function.overloadpacket.__name__ in {"bmm", "baddbmm", "convolution"}
        for tensor in tree_leaves(args)
        if isinstance(tensor, torch.Tensor)
    }
    assert products == {getattr(torch, precision)}
    assert output.dtype == torch.float32
    for network in (trainer.model, trainer.d_s, trainer.d_l):
        for tensor in network.state_dict().values():
            assert tensor.dtype == torch.float32


# --- with a GPU ------------------------------------------------------------------

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_gpu
@pytest.mark.parametrize("variant", VARIANTS)
def test_steps_of_a_cuda_graph_are_those_taken_one_by_one(variant, recwarn):
    plain, graphed = (make(device="cuda", **VARIANTS[variant]) for _ in range(2))
    plain._graph = None
    history, other = plain.run(), graphed.run()
    for name, values in history.items():
        torch.testing.assert_close(other[name], values, equal_nan=True)
    assert not [w for w in recwarn if "CUDA graph" in str(w.message)]


@needs_gpu
def test_memory_of_the_gpu_is_given_back_after_fit(fast, X):
    fast(device="cuda").fit(X)
    before = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    for _ in range(3):
        fast(device="cuda").fit(X)
    assert (torch.cuda.memory_allocated(), torch.cuda.memory_reserved()) == before
