"""What the parameters of NCAEDetector may be; errors name the remedy."""

from collections.abc import Collection, Mapping, Set
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state

from skncae._checks import (
    MOST_COUNTED,
    NO_NUMBERS,
    check_count,
    check_finite,
    check_number,
    is_integer,
)
from skncae.evidence._kinds import KINDS
from skncae.scaling._calibration import IMAGE_VIEWS, VIEWS
from skncae.training._mining import RULES

PRECISIONS = ("float32", "bfloat16")

# Of the numbers that the networks reckon with.
LARGEST = float(np.finfo(np.float32).max)

# Of what there is one tensor of.
MOST = int(np.iinfo(np.int32).max)

# name: (type, minimum, maximum, which ends belong to the range)
_RANGES = {
    "n_estimators": (Integral, 1, MOST, "both"),
    "latent_dim": (Integral, 1, MOST, "both"),
    "calibration_rounds": (Integral, 0, MOST_COUNTED, "both"),
    "mining_rate": (Real, 0.0, 1.0, "left"),
    "generation_scale": (Real, 0.0, LARGEST, "both"),
    "dictionary_size": (Integral, 1, MOST, "both"),
    "max_iter": (Integral, 1, MOST_COUNTED, "both"),
    "batch_size": (Integral, 1, MOST, "both"),
    "learning_rate": (Real, 0.0, LARGEST, "right"),
    "decay_steps": (Integral, 1, MOST_COUNTED, "both"),
    "tol": (Real, 0.0, None, "neither"),
    "verbose": (Integral, 0, MOST_COUNTED, "both"),
}

# None switches them off.
_OPTIONAL = ("decay_steps", "tol")


def check_parameters(parameters):
    """Raise a ValueError or TypeError for the first parameter that is not valid.

    Parameters
    ----------
    parameters : dict
        Those of NCAEDetector with every "auto" resolved; `image_shape` is that of the
        rows, None for a table.
    """
    check_contamination(parameters["contamination"])
    for name in _RANGES:
        check_in_range(name, parameters[name])
    for name in (
        "sample_discriminator",
        "latent_discriminator",
        "warm_start",
        "allow_nan",
    ):
        check_flag(name, parameters[name])
    _check_choice(parameters, "precision", PRECISIONS)
    _check_choice(parameters, "mining", RULES, "To mine nothing, set mining_rate=0.")
    _check_choice(parameters, "scaling", VIEWS + IMAGE_VIEWS)
    _check_hidden_units(parameters["hidden_units"])
    _check_evidence(parameters["evidence"])
    _check_fit_for_rows(parameters)


def check_flag(name, value):
    """Raise a TypeError unless a parameter is True or False; return it."""
    # An array is neither, though its entries may be.
    if not isinstance(value, Real | np.bool_) or value not in (True, False):
        others = ' or "auto"' if name == "allow_nan" else ""
        raise TypeError(f"{name} must be True or False{others}, got {value!r}.")
    return value


def check_in_range(name, value):
    """Raise unless a number is what the parameter of its name may be."""
    if value is None and name in _OPTIONAL:
        return
    if name == "verbose" and isinstance(value, bool | np.bool_):
        return
    if isinstance(value, NO_NUMBERS):
        or_none = " or None" if name in _OPTIONAL else ""
        raise TypeError(f"{name} must be a number{or_none}, got {value!r}.")
    check_number(name, value, *_RANGES[name])


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
        is_number = isinstance(contamination, Real)
        if isinstance(contamination, NO_NUMBERS) or not is_number:
            raise TypeError(f"contamination must be {accepted}; got {contamination!r}.")
        check_number("contamination", contamination, Real)
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
    low, high = (0.0, 1.0) if name == "quantile" else (None, None)
    check_finite(name, number, low, high)


def check_calibration(cv):
    """Raise unless cv is None, a number of folds or a splitter."""
    if cv is None or (hasattr(cv, "split") and not isinstance(cv, str | bytes)):
        return
    if not is_integer(cv):
        raise TypeError(
            "cv must be None, a number of folds, or a splitter of scikit-learn such as "
            f"KFold(5), got {cv!r}."
        )
    if cv < 2:
        raise ValueError(f"cv must be 2 folds or more, got {cv!r}.")


def check_alpha(alpha):
    """Raise unless alpha is a share of false discoveries."""
    check_number("alpha", alpha, Real, 0.0, 1.0, "neither")


def as_names(value):
    """Return a str or a collection of str as a tuple, and what is neither as ()."""
    return (value,) if isinstance(value, str) else _as_tuple(value)


def torch_device(device):
    """Return the torch.device to train on."""
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        # Naming a device, or making a tensor without numbers there, does not find out
        # whether it holds numbers and gives them back.
        number = torch.zeros(1, device=device)
        number.cpu()
        return number.device
    except Exception as error:
        why = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r} cannot be used here: {why} "
            'Use device="auto" or device="cpu".'
        ) from error


def private_random_state(random_state):
    """Return the RandomState to draw from.

    scikit-learn turns None into numpy's global generator; that one is the caller's.
    """
    if random_state is None:
        return np.random.RandomState()
    if isinstance(random_state, NO_NUMBERS):
        raise TypeError(
            f"random_state must be an int, a RandomState or None, got {random_state!r}."
        )
    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise ValueError(f"random_state={random_state!r}: {error}") from error


def seed_of(random_state):
    """Draw a seed for other generators."""
    return int(random_state.randint(np.iinfo(np.int32).max))


def _check_choice(parameters, name, choices, remedy=""):
    """A parameter must be one of some strings."""
    if not isinstance(parameters[name], str) or parameters[name] not in choices:
        raise ValueError(
            f"{name} must be one of {tuple(choices)}, got {parameters[name]!r}. "
            f"{remedy}".rstrip()
        )


def _check_fit_for_rows(parameters):
    """Evidence and scaling must suit the rows: a table or images, complete or not."""
    kinds = [KINDS[name] for name in as_names(parameters["evidence"])]
    for kind in kinds:
        if kind.images_only and parameters["image_shape"] is None:
            raise ValueError(
                f"evidence={kind.name!r} is for images, and X is a table. Give X the "
                "shape (n_samples, height, width), or set image_shape=(height, width)."
            )
        if kind.typed_only and not parameters["is_typed"]:
            raise ValueError(
                f"evidence={kind.name!r} is for frames with columns of more types than "
                "numbers, and X has numbers alone. Name columns in "
                "categorical_features, or choose another."
            )
    if parameters["scaling"] == "whitened" and parameters["image_shape"] is not None:
        # Their convolutions need one number a pixel, in its place.
        raise ValueError(
            "scaling='whitened' mixes the columns and keeps the directions in which "
            "they vary most, and the networks of images see pixels. Set "
            'scaling="contrast" or "pixels", or use the images as a table: '
            "X.reshape(len(X), -1) with image_shape=None."
        )
    compare_whole_rows = [kind.name for kind in kinds if kind.complete_only]
    if parameters["scaling"] in IMAGE_VIEWS:
        compare_whole_rows.insert(0, parameters["scaling"])
    if parameters["allow_nan"] and compare_whole_rows:
        raise ValueError(
            f"{compare_whole_rows[0]!r} compares whole rows, and allow_nan=True lets "
            "entries be missing. Set allow_nan=False, or choose another."
        )


def _check_hidden_units(hidden_units):
    """hidden_units must be a non-empty sequence of positive ints."""
    # The layers have an order, and a set has none; the bytes of a text are no widths.
    is_ordered = not isinstance(hidden_units, str | bytes | bytearray | Set)
    widths = _as_tuple(hidden_units) if is_ordered else ()
    if not widths:
        raise TypeError(
            "hidden_units must be a tuple of ints, such as (32, 16), got "
            f"{hidden_units!r}."
        )
    for width in widths:
        check_count("each of hidden_units", width)


def _check_evidence(evidence):
    """Evidence must name some of the kinds, each once."""
    names = as_names(evidence)
    are_names = all(isinstance(name, str) for name in names)
    known = [kind for kind in KINDS if are_names and kind in names]
    if not names or len(known) < len(names):
        raise ValueError(
            f"evidence must name one or more of {tuple(KINDS)}, each once; got "
            f"{evidence!r}."
        )


def _as_tuple(value):
    """Return a collection as a tuple, and what is none as the empty tuple.

    An iterator is none: it is empty once it was looked at, for this fit or the next.
    """
    if not isinstance(value, Collection) or isinstance(value, Mapping):
        return ()
    try:
        return tuple(value)
    except TypeError:
        # An array without axes.
        return ()
