"""Networks as dictionaries of arrays, and back."""

import numpy as np
import torch

from skncae.networks._generators import NoStreams


def network_state(network):
    """Return how a network is built, and its weights and buffers as arrays by name."""
    weights = {
        name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()
    }
    return {"architecture": network.architecture, "weights": weights}


def network_from_state(build, state):
    """Build the network that `state` was taken from; `build` makes one of its kind.

    It takes the memory of the weights, whatever the architecture says.
    """
    # Copies: the arrays may be read-only.
    weights = {name: torch.tensor(array) for name, array in state["weights"].items()}
    first = next(iter(weights.values()))
    if not first.is_floating_point() or any(
        part.dtype != first.dtype for part in weights.values()
    ):
        raise ValueError("weights of a network are floats of one type")
    with torch.device("meta"):
        network = build(NoStreams(len(first)), *state["architecture"])
    network.load_state_dict(weights, assign=True)
    return network


def joined_states(states):
    """State of all members, from those of groups of them."""
    weights = {
        name: np.concatenate([state["weights"][name] for state in states])
        for name in states[0]["weights"]
    }
    return states[0] | {"weights": weights}
