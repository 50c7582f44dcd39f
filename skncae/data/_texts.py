"""Values of columns as text: the keys of categories, and what could not be read."""

import datetime
from decimal import Decimal
from numbers import Integral

import numpy as np

from skncae.data._values import MICROSECONDS

# So many texts that cannot be read are named.
N_NAMED = 3


def as_text(values):
    """Values as text, None for what is missing."""
    if values.dtype != object:
        texts, codes = np.unique(values, return_inverse=True)
        named = np.array([None if v != v else _text(v) for v in texts], dtype=object)
        return named[codes]
    return np.array([_text(value) for value in values], dtype=object)


def keys_of(raw):
    """Values of a column as the text that tells categories apart, None for missing."""
    if raw.exact is not None:
        return raw.exact
    if raw.kind in ("text", "number", "other"):
        return as_text(raw.values)
    numbers = set(raw.values[~np.isnan(raw.values)].tolist())
    names = {number: _KEYS[raw.kind](number) for number in numbers}
    return np.array([names.get(value) for value in raw.values.tolist()], dtype=object)


def _moment(seconds):
    """Seconds since 1970 as a date of Python; a number beyond those that it has."""
    return np.datetime64(round(seconds * MICROSECONDS), "us").item()


# "True" and "False" of booleans of any type, ISO 8601 of moments.
_KEYS = {
    "boolean": lambda number: str(bool(number)),
    "date": lambda seconds: str(_moment(seconds)).removesuffix(" 00:00:00"),
    "time": lambda seconds: str(_moment(seconds).time()),
    "duration": lambda seconds: str(datetime.timedelta(seconds=seconds)),
}


def unread(raw, codes, known=()):
    """The texts of a column that are there and could not be read, ascending.

    Parameters
    ----------
    raw : Raw
    codes : ndarray of shape (n_samples,)
        NaN for what could not be read.
    known : sequence of str
        Texts to leave out.

    Returns
    -------
    texts : list of str
        As often as they occur.
    """
    is_lost = np.isnan(codes) & raw.is_there
    if not is_lost.any():
        return []
    return sorted(text for text in keys_of(raw)[is_lost] if text not in known)


def read_as_missing(unread):
    """Say which text of which columns counts as missing; "" of none."""
    few = {name: sorted(set(texts))[:N_NAMED] for name, texts in unread.items()}
    listed = ", ".join(
        f"{name!r} ({', '.join(map(repr, texts))})"
        for name, texts in few.items()
        if texts
    )
    return f"Read as missing: {listed}." if listed else ""


def _text(value):
    """A value as text, None where it is missing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, float | np.floating | Decimal):
        number = float(str(value))
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)
