"""Steps that a GPU repeats as one CUDA graph.

A step is some hundred kernels of a few microseconds each. To launch them one by one
takes longer than to run them; a graph launches all of them at once.
"""

import threading
import warnings
from contextlib import contextmanager
from functools import cache

import torch

# Steps before the capture, after which all that is set up once is there.
WARM_UP = 3

# Whoever is on the side stream has it alone: what others launched there meanwhile
# would become part of the graph.
_alone = threading.Lock()


class StepGraph:
    """Takes steps on a GPU: the first ones kernel by kernel, then as a graph.

    Between two steps only the contents of tensors may change, not what else is read,
    or `forget` has to be called. Where no graph can be captured, steps go on kernel by
    kernel.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device):
        self._device = device
        self._n_before = 0
        self._is_refused = False
        self.forget()

    def forget(self):
        """Capture again, as numbers have changed that are no tensors."""
        # The old graph stays until there is another: it may be running.
        self._is_captured = False

    def take(self, step, *inputs):
        """Call a step on tensors, and return the tensor that it returns."""
        if self._n_before < WARM_UP:
            self._n_before += 1
            # Where the capture asks for it to be.
            with side_stream(self._device):
                return step(*inputs)
        if not self._is_captured and not self._is_refused:
            self._capture(step, inputs)
        if self._is_refused:
            return step(*inputs)
        for held, given in zip(self._inputs, inputs, strict=True):
            held.copy_(given)
        self._replay()
        return self._output.clone()

    def _capture(self, step, inputs):
        """Keep a graph of the step and the tensors that it reads and writes."""
        held = [given.clone() for given in inputs]
        try:
            self._replay, self._output = captured(lambda: step(*held), self._device)
        except RuntimeError as error:
            warnings.warn(
                f"no CUDA graph of a training step: {str(error).splitlines()[0]} "
                "Training goes on without, with the same result but slower.",
                RuntimeWarning,
                stacklevel=2,
            )
            self._is_refused = True
            return
        self._inputs, self._is_captured = held, True


@contextmanager
def side_stream(device):
    """Launch kernels apart: after all that was launched, and before what will be."""
    current, side = torch.cuda.current_stream(device), _side_stream_of(device)
    with _alone, torch.cuda.device(device):
        side.wait_stream(current)
        with torch.cuda.stream(side):
            yield side
        current.wait_stream(side)


@cache
def _side_stream_of(device):
    """One for all fits, since cuBLAS keeps memory for every stream it has seen."""
    return torch.cuda.Stream(device)


def captured(work, device):
    """Call `work`, which launches nothing now.

    Returns
    -------
    replay : callable
        Launches its kernels, on the same memory.
    output : Tensor
        What it returned, with the numbers of the last replay.
    """
    graph = torch.cuda.CUDAGraph()
    # What other threads do elsewhere meanwhile is none of our business.
    mode = "thread_local"
    with (
        side_stream(device) as side,
        torch.cuda.graph(graph, stream=side, capture_error_mode=mode),
    ):
        output = work()
    return graph.replay, output
