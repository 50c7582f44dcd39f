"""The values of a column in one form, whatever they are objects of."""

import datetime
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

import numpy as np

# Microseconds in a second: what dates and times are counted in.
MICROSECONDS = 1e6

# How many of each unit are in a second.
_IN_A_SECOND = {"s": 1.0, "ms": 1e3, "us": MICROSECONDS}

# From here on whole numbers are no longer all floats.
EXACT_BELOW = 2.0**53

# Types with a value that stands for none, which differs from itself.
_HAVE_NONE = float | np.floating | Decimal | np.datetime64 | np.timedelta64

# Text has few values where there are at most so many.
FEW = 20
# Text is taken for dates or numbers where this share of its values can be read as one.
READABLE = 0.95
# Of fewer texts it cannot be said that their column is written in another way.
LEAST_UNREAD = 3


@dataclass(frozen=True)
class Raw:
    """The values of one column, as they came.

    Parameters
    ----------
    name : str
    kind : {"number", "boolean", "text", "date", "time", "duration", "other"}
    values : ndarray of shape (n_samples,)
        float64 with NaN for missing; of "text" and "other" objects with None. Dates
        are seconds since 1970, times of the day since midnight, durations in seconds.
    is_category : bool
        Whether its type says that it holds categories.
    dtype : str
        The type, in the words of its library.
    zone : str or None
        The time zone of dates.
    exact : ndarray of str of shape (n_samples,) or None
        Whole numbers in all their digits, None for missing, where float64 has no place
        for those of some.
    """

    name: str
    kind: str
    values: np.ndarray
    is_category: bool = False
    dtype: str = ""
    zone: str | None = None
    exact: np.ndarray | None = None

    @property
    def is_there(self):
        """Which values are not missing, bool of shape (n_samples,)."""
        if self.values.dtype == object:
            return np.array([value is not None for value in self.values], dtype=bool)
        return ~np.isnan(self.values)

    @property
    def says_little(self):
        """Whether these are few values, as a column of text may have beside others."""
        is_object = self.dtype == "object" and self.kind in ("number", "boolean")
        is_of_text = self.kind == "text" or is_object
        return is_of_text and np.count_nonzero(self.is_there) < LEAST_UNREAD


def listed(values):
    """A list as an array of objects, which numpy must not look into."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def from_objects(name, values, dtype, kind=None):
    """Read a column of Python objects by what they are."""
    there = np.array([not is_missing(value) for value in values], dtype=bool)
    if kind is None:
        kind = _kind_of(values[there])
    zone = None
    if kind in ("text", "other"):
        values = values.copy()
        values[~there] = None
        return Raw(name, kind, values, False, dtype)
    if kind == "date":
        if not any(isinstance(v, datetime.datetime) for v in values[there]):
            dtype = "date"
        zones = {str(v.tzinfo) for v in values[there] if getattr(v, "tzinfo", None)}
        zone = zones.pop() if len(zones) == 1 else ("UTC" if zones else None)
    numbers = np.full(len(values), np.nan)
    numbers[there] = [_AS_NUMBER[kind](value) for value in values[there]]
    is_whole = kind == "number" and is_beyond(numbers)
    exact = digits_of(np.where(there, values, None)) if is_whole else None
    return Raw(name, kind, numbers, False, dtype, zone, exact)


def is_beyond(numbers):
    """Say whether float64 may have one number for several whole ones.

    Infinity is refused later on.
    """
    sizes = np.abs(numbers)
    return bool((sizes >= EXACT_BELOW).any() and not np.isinf(sizes).any())


def digits_of(values):
    """Whole numbers as text, None for missing; None where some are not whole."""
    there = [value for value in values if value is not None]
    whole = Integral | Decimal
    if not all(isinstance(v, whole) and v == int(v) for v in there):
        return None
    texts = [None if value is None else str(int(value)) for value in values]
    return np.array(texts, dtype=object)


def spread(values, where):
    """Values at their places among others, which are None."""
    column = np.full(len(where), None, dtype=object)
    column[where] = listed(values)
    return column


def is_missing(value):
    """Say whether a value is None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, _HAVE_NONE) and bool(value != value)


def _kind_of(values):
    """Kind of Python objects, none of them missing."""
    if all(isinstance(value, str) for value in values):
        return "text"
    for kind, types in _TYPES.items():
        if all(isinstance(value, types) for value in values):
            return kind
    plain = str | Real | Decimal | np.bool_
    is_plain = all(isinstance(value, plain) for value in values)
    return "text" if is_plain else "other"


def as_float(value):
    """A number as a float, infinity of one that no float holds."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _date_seconds(value):
    """Seconds since 1970 of a date."""
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return (value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)).total_seconds()


def _time_seconds(value):
    """Seconds since midnight."""
    clock = value.hour * 3600 + value.minute * 60 + value.second
    return clock + value.microsecond / MICROSECONDS


def seconds(values):
    """Dates or durations of numpy as seconds, NaN where they are missing."""
    unit, _ = np.datetime_data(values.dtype)
    # Finer ones than microseconds are rounded down, and coarser ones kept as they are:
    # as microseconds the largest would be others.
    known = unit if unit in _IN_A_SECOND else "us" if unit == "ns" else "s"
    values = values.astype(f"{values.dtype.kind}8[{known}]")
    numbers = values.astype("int64").astype(np.float64) / _IN_A_SECOND[known]
    return np.where(np.isnat(values), np.nan, numbers)


# The first kind that all values have; True is an int, and a datetime a date.
_TYPES: dict[str, tuple] = {
    "boolean": (bool, np.bool_),
    "number": (int, float, np.integer, np.floating, Decimal, Fraction),
    "date": (datetime.date,),
    "time": (datetime.time,),
    "duration": (datetime.timedelta,),
}
_AS_NUMBER = {
    "boolean": float,
    "number": as_float,
    "date": _date_seconds,
    "time": _time_seconds,
    "duration": lambda value: value.total_seconds(),
}
