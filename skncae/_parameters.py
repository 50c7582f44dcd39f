"""What the parameters of NCAEDetector may be; errors name the remedy."""

import math
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar

from skncae._inputs import VIEWS
from skncae._mining import RULES
from skncae._scoring import EVIDENCE

# name: (type, minimum, maximum, which ends belong to the range)
_RANGES = {
    "contamination": (Real, 0.0, 0.5, "right"),
    "n_estimators": (Integral, 1, None, "left"),
    "latent_dim": (Integral, 1, None, "left"),
    "calibration_rounds": (Integral, 0, None, "left"),
    "mining_rate": (Real, 0.0, 1.0, "left"),
    "generation_scale": (Real, 0.0, None, "left"),
    "dictionary_size": (Integral, 1, None, "left"),
    "max_iter": (Integral, 1, None, "left"),
    "batch_size": (Integral, 1, None, "left"),
    "learning_rate": (Real, 0.0, None, "neither"),
    "verbose": (Integral, 0, None, "left"),
}


def check_parameters(detector):
    """Raise a ValueError or TypeError for the first parameter that is not valid."""
    parameters = detector.get_params(deep=False)
    for name, (kind, low, high, ends) in _RANGES.items():
        if isinstance(parameters[name], bool) and name != "verbose":
            raise TypeError(f"{name} must be a number, got {parameters[name]!r}.")
        check_scalar(
            parameters[name],
            name,
            kind,
            min_val=low,
            max_val=high,
            include_boundaries=ends,
        )
        if not math.isfinite(parameters[name]):
            raise ValueError(f"{name} must be finite, got {parameters[name]!r}.")
    if isinstance(parameters["decay_steps"], bool):
        raise TypeError(
            f"decay_steps must be a number or None, got {parameters['decay_steps']!r}."
        )
    if parameters["decay_steps"] is not None:
        check_scalar(parameters["decay_steps"], "decay_steps", Integral, min_val=1)
    for name in ("sample_discriminator", "latent_discriminator"):
        if parameters[name] not in (True, False):
            raise TypeError(f"{name} must be True or False, got {parameters[name]!r}.")
    if parameters["mining"] not in RULES:
        raise ValueError(
            f"mining must be one of {RULES}, got {parameters['mining']!r}. "
            "To mine nothing, set mining_rate=0."
        )
    if parameters["scaling"] not in VIEWS:
        raise ValueError(
            f"scaling must be one of {VIEWS}, got {parameters['scaling']!r}."
        )
    _check_hidden_units(parameters["hidden_units"])
    _check_evidence(parameters["evidence"])


def as_names(value):
    """Return a str or a sequence of str as a tuple, and what is neither as ()."""
    return (value,) if isinstance(value, str) else _as_tuple(value)


def torch_device(device):
    """Return the torch.device to train on."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        # Making a tensor finds out what naming the device does not.
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here: {str(error).splitlines()[0]} "
            'Use device="auto" or device="cpu".'
        ) from error


def private_random_state(random_state):
    """Return the RandomState to draw from.

    scikit-learn turns None into numpy's global generator; that one is the caller's.
    """
    if random_state is None:
        return np.random.RandomState()
    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise ValueError(f"random_state={random_state!r}: {error}") from error


def _check_hidden_units(hidden_units):
    """hidden_units must be a non-empty sequence of positive ints."""
    widths = () if isinstance(hidden_units, str) else _as_tuple(hidden_units)
    if not widths:
        raise TypeError(
            "hidden_units must be a tuple of ints, such as (32, 16), got "
            f"{hidden_units!r}."
        )
    for width in widths:
        check_scalar(width, "each of hidden_units", Integral, min_val=1)


def _check_evidence(evidence):
    """Evidence must name some of the kinds, each once."""
    names = as_names(evidence)
    known = [kind for kind in EVIDENCE if kind in names]
    if not names or len(known) < len(names):
        raise ValueError(
            f"evidence must name one or more of {EVIDENCE}, each once; "
            f"got {evidence!r}."
        )


def _as_tuple(value):
    """Return a sequence as a tuple, and what is none as the empty tuple."""
    try:
        return tuple(value)
    except TypeError:
        return ()
