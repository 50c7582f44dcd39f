"""Networks as dictionaries of arrays, and back."""

import numpy as np
import torch

from skncae.networks._generators import MemberStreams


def network_state(network):
    """Return how a network is built, and its weights and buffers as arrays by name."""
    weights = {
        name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()
    }
    return {"architecture": network.architecture, "weights": weights}


def network_from_state(build, state):
    """Build the network that `state` was taken from; `build` makes one of its kind."""
    # Copies: the arrays may be read-only.
    weights = {name: torch.tensor(array) for name, array in state["weights"].items()}
    first = next(iter(weights.values()))
    # What the streams draw is overwritten.
    network = build(MemberStreams(0, range(len(first))), *state["architecture"])
    network = network.to(first.dtype)
    network.load_state_dict(weights)
    return network


def joined_states(states):
    """State of all members, from those of groups of them."""
    weights = {
        name: np.concatenate([state["weights"][name] for state in states])
        for name in states[0]["weights"]
    }
    return states[0] | {"weights": weights}
