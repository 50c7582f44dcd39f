"""What the parameters of NCAEDetector may be; errors name the remedy."""

import math
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar

from skncae.evidence._scorer import EVIDENCE, IMAGE_EVIDENCE, KINDS
from skncae.scaling._calibration import IMAGE_VIEWS, VIEWS
from skncae.training._mining import RULES

# What "auto" stands for: for the rows of a table, and for images.
AUTO = {
    "n_estimators": (8, 2),
    "hidden_units": ((32, 16), (8, 16)),
    "latent_dim": (3, 16),
    "scaling": ("whitened", "contrast"),
    "mining": ("similarity", "reconstruction"),
    "mining_rate": (0.1, 0.2),
    "learning_rate": (5e-3, 3e-3),
    "evidence": (EVIDENCE, IMAGE_EVIDENCE),
}

PRECISIONS = ("float32", "bfloat16")

# Views and evidence that compare whole rows.
COMPLETE_ONLY = (*IMAGE_VIEWS, "pixel_neighbors", "contrast_neighbors")

# Evidence that needs to know which pixels are side by side.
IMAGES_ONLY = "edge_neighbors"

# name: (type, minimum, maximum, which ends belong to the range)
_RANGES = {
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
    parameters = chosen(detector)
    check_contamination(parameters["contamination"])
    for name, (kind, low, high, ends) in _RANGES.items():
        if isinstance(parameters[name], bool) and name != "verbose":
            raise TypeError(f"{name} must be a number, got {parameters[name]!r}.")
        _check_number(parameters[name], name, kind, low, high, ends)
    if isinstance(parameters["decay_steps"], bool):
        raise TypeError(
            f"decay_steps must be a number or None, got {parameters['decay_steps']!r}."
        )
    if parameters["decay_steps"] is not None:
        check_scalar(parameters["decay_steps"], "decay_steps", Integral, min_val=1)
    _check_tol(parameters["tol"])
    for name in (
        "sample_discriminator",
        "latent_discriminator",
        "warm_start",
        "allow_nan",
    ):
        if parameters[name] not in (True, False):
            raise TypeError(f"{name} must be True or False, got {parameters[name]!r}.")
    if parameters["precision"] not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {PRECISIONS}, got {parameters['precision']!r}."
        )
    if parameters["mining"] not in RULES:
        raise ValueError(
            f"mining must be one of {RULES}, got {parameters['mining']!r}. "
            "To mine nothing, set mining_rate=0."
        )
    if parameters["scaling"] not in VIEWS + IMAGE_VIEWS:
        raise ValueError(
            f"scaling must be one of {VIEWS + IMAGE_VIEWS}, got "
            f"{parameters['scaling']!r}."
        )
    _check_hidden_units(parameters["hidden_units"])
    _check_evidence(parameters["evidence"])
    if parameters["image_shape_"] is None and IMAGES_ONLY in as_names(
        parameters["evidence"]
    ):
        raise ValueError(
            f"evidence={IMAGES_ONLY!r} is for images, and X is a table. Give X the "
            "shape (n_samples, height, width), or set image_shape=(height, width)."
        )
    if parameters["allow_nan"]:
        for name in (parameters["scaling"], *as_names(parameters["evidence"])):
            if name in COMPLETE_ONLY:
                raise ValueError(
                    f"{name!r} compares whole rows, and allow_nan=True lets entries be "
                    "missing. Set allow_nan=False, or choose another."
                )


def chosen(detector):
    """Return all parameters, those that are "auto" by the shape of the rows."""
    # Not get_params: a subclass may fix some of them.
    parameters = {"image_shape_": None} | vars(detector)
    is_image = parameters["image_shape_"] is not None
    for name, values in AUTO.items():
        # Not ==, which of an array is an array.
        if isinstance(parameters[name], str) and parameters[name] == "auto":
            parameters[name] = values[is_image]
    return parameters


def network_parameters(detector):
    """Return the parameters that say what the networks are and what they see."""
    parameters = chosen(detector)
    return {
        "n_estimators": parameters["n_estimators"],
        "hidden_units": tuple(parameters["hidden_units"]),
        "latent_dim": parameters["latent_dim"],
        "scaling": parameters["scaling"],
        "calibration_rounds": parameters["calibration_rounds"],
        "image_shape": parameters["image_shape_"],
    }


def check_warm_start(before, now):
    """Raise a ValueError if trained networks cannot go on with these parameters."""
    changed = [name for name in now if now[name] != before[name]]
    if changed:
        name = changed[0]
        raise ValueError(
            f"{name}={now[name]!r}, but the networks that warm_start=True goes on with "
            f"were fitted with {name}={before[name]!r}. Set it back, or set "
            "warm_start=False to start anew."
        )


def check_contamination(contamination):
    """Contamination must be a share, "auto" or a thresholder."""
    accepted = 'a float in (0, 0.5], "auto" or a thresholder, an object with eval()'
    if isinstance(contamination, str):
        if contamination != "auto":
            raise ValueError(
                f"contamination must be {accepted}; got {contamination!r}."
            )
    elif isinstance(contamination, type):
        raise TypeError(
            f"contamination must be {accepted}; got the class {contamination!r}. "
            f"Give an instance: {contamination.__name__}()."
        )
    elif not callable(getattr(contamination, "eval", None)):
        if isinstance(contamination, bool) or not isinstance(contamination, Real):
            raise TypeError(f"contamination must be {accepted}; got {contamination!r}.")
        if not 0.0 < float(contamination) <= 0.5:
            raise ValueError(
                f"contamination must be {accepted}; got {contamination!r}."
            )


def check_cut(contamination=None, quantile=None, value=None):
    """Raise unless exactly one is given, and is what a threshold can be set to."""
    choices = {"contamination": contamination, "quantile": quantile, "value": value}
    given = {name: choice for name, choice in choices.items() if choice is not None}
    if len(given) != 1:
        raise ValueError(
            f"set_threshold takes exactly one of {', '.join(choices)}; got "
            f"{', '.join(given) or 'none of them'}."
        )
    if contamination is not None:
        return check_contamination(contamination)
    ((name, number),) = given.items()
    if isinstance(number, bool):
        raise TypeError(f"{name} must be a number, got {number!r}.")
    low, high = (0.0, 1.0) if name == "quantile" else (None, None)
    _check_number(number, name, Real, low, high, "both")


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


def seed_of(random_state):
    """Draw a seed for other generators."""
    return int(random_state.randint(np.iinfo(np.int32).max))


def _check_tol(tol):
    """Tol must be a positive finite number or None."""
    if isinstance(tol, bool):
        raise TypeError(f"tol must be a number or None, got {tol!r}.")
    if tol is None:
        return
    check_scalar(tol, "tol", Real, min_val=0.0, include_boundaries="neither")
    if not math.isfinite(tol):
        raise ValueError(f"tol must be finite or None, got {tol!r}.")


def _check_number(value, name, kind, low, high, ends):
    """Value must be a finite number of a kind, in a range."""
    check_scalar(value, name, kind, min_val=low, max_val=high, include_boundaries=ends)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}.")


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
    known = [kind for kind in KINDS if kind in names]
    if not names or len(known) < len(names):
        raise ValueError(
            f"evidence must name one or more of {KINDS}, each once; got {evidence!r}."
        )


def _as_tuple(value):
    """Return a sequence as a tuple, and what is none as the empty tuple."""
    try:
        return tuple(value)
    except TypeError:
        return ()
