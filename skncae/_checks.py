"""What a number that a caller gives may be, in every part of the package."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar

# Flags count as 0 and 1, and durations of numpy say that they are integers.
NO_NUMBERS = bool | np.bool_ | np.timedelta64

# So many of anything can be counted.
MOST_COUNTED = int(np.iinfo(np.int64).max)


def is_integer(value):
    """Say whether a value is an integer of any type, and neither flag nor duration."""
    return isinstance(value, Integral) and not isinstance(value, NO_NUMBERS)


def check_count(name, value, most=MOST_COUNTED):
    """Raise unless a value is a whole number from 1 to `most`; return it as an int.

    The integers of numpy overflow: minus an unsigned 3 is 253.
    """
    if not is_integer(value):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    check_number(name, value, Integral, 1, most)
    return int(value)


def check_finite(name, value, low=None, high=None):
    """Raise unless a value is a finite number, between two where they are given."""
    check_number(name, value, Real, low, high)


def check_number(name, value, kind, low=None, high=None, ends="both"):
    """Raise unless a value is a finite number of a kind, in a range with these ends."""
    if isinstance(value, NO_NUMBERS):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    # Before its digits are shown, which Python refuses where they are thousands.
    if isinstance(value, kind) and _is_beyond_floats(value):
        raise ValueError(
            f"{name} must be a number that a float can hold, of a size up to 1.8e308, "
            "got a larger one. Give one nearer to zero."
        )
    check_scalar(value, name, kind, min_val=low, max_val=high, include_boundaries=ends)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}.")


def plain(value):
    """Return a number of any type as an int or a float; anything else as it is.

    The integers of numpy overflow, and narrow floats are rounded: a float32 becomes
    the float that is written the same, so that 0.1 is 0.1.
    """
    if isinstance(value, bool | int | float | str):
        # Not np.float64, which is a float.
        return float(value) if isinstance(value, np.floating) else value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, NO_NUMBERS):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, np.floating):
        return float(str(value))
    # A fraction may be beyond all floats, and is refused by its name later.
    if isinstance(value, Real) and not _is_beyond_floats(value):
        return float(value)
    return value


def _is_beyond_floats(value):
    """Say whether a number is finite, and larger than all floats."""
    try:
        float(value)
    except OverflowError:
        return True
    return math.isinf(float(value)) and value not in (math.inf, -math.inf)
