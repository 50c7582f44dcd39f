"""What looks broken among the columns, or was set aside."""

import numpy as np

from skncae._sentences import isolated, number_of_decimals, percent, text_of

# Of a column with more missing values than this share it is said.
MOSTLY = 0.5
# A number or a text that this share of the rows has leaves little to compare.
DOMINATES = 0.97
# A number is absurd so many widths of the middle 98 % away from them.
ABSURD = 10


def column_notes(sample, extremes, n_rows, set_aside=()):
    """Say what is odd about columns.

    Parameters
    ----------
    sample : DataFrame
        Some of the rows.
    extremes : DataFrame
        Columns "low", "high" and "missing", of all rows; a row for each column.
    n_rows : int
        Number of all rows.
    set_aside : sequence of (name, reason)
        Columns that were not used.

    Returns
    -------
    notes : list of dict
        "name", "state" (a word) and "text".
    """
    notes = [
        {"name": str(n), "state": "set aside", "text": why} for n, why in set_aside
    ]
    ignored = {name for name, _ in set_aside}
    for position, name in enumerate(sample.columns):
        if name in ignored:
            continue
        state, text = _state(sample.iloc[:, position], extremes.iloc[position], n_rows)
        if state:
            notes.append({"name": str(name), "state": state, "text": text})
    return notes


def _state(values, extremes, n_rows):
    """Return a word for what is odd about a column and a sentence; none where fine."""
    missing = extremes["missing"] / n_rows
    if missing == 1:
        return "empty", "no row has a value"
    present = values.dropna()
    if missing > MOSTLY:
        return "mostly missing", f"{percent(missing)} of the rows have no value"
    if not len(present):
        return "", ""
    return _constant(present, extremes) or _absurd(present, extremes) or ("", "")


def _constant(present, extremes):
    """Say that all, or nearly all, values are one."""
    is_number = not np.isnan(_number(extremes["low"]))
    if is_number and extremes["low"] == extremes["high"]:
        return "constant", f"every value is {text_of(extremes['low'])}"
    try:
        shares = present.value_counts(normalize=True)
    except TypeError:
        # What has no hash, such as a list, is not compared.
        return None
    if not is_number and len(shares) == 1:
        return "constant", f"every value is {isolated(text_of(shares.index[0]))}"
    if shares.iloc[0] >= DOMINATES:
        value = isolated(text_of(shares.index[0]))
        return "one value", f"{percent(shares.iloc[0])} of the values are {value}"
    return None


def _absurd(present, extremes):
    """Say that a number is far from all others."""
    low, high = _number(extremes["low"]), _number(extremes["high"])
    if np.isnan(low) or present.dtype == bool:
        return None
    try:
        numbers = np.asarray(present, dtype=float)
    except (TypeError, ValueError):
        # Numbers in one chunk, text in another.
        return None
    first, last = np.quantile(numbers, [0.01, 0.99])
    width = last - first
    far = [
        value for value in (low, high) if _is_far(value, first, last, ABSURD * width)
    ]
    if not far or width == 0:
        return None
    decimals = number_of_decimals(numbers)
    said = " and ".join(text_of(value, decimals) for value in far)
    usual = f"{text_of(first, decimals)} and {text_of(last, decimals)}"
    return "absurd value", f"{said}, where 98 % lie between {usual}"


def _is_far(value, first, last, distance):
    return value < first - distance or value > last + distance


def _number(value):
    """A number as a float; NaN of what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan
