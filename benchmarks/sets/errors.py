"""Errors planted in a frame by a written rule.

One row in a hundred, shared evenly among the kinds that the frame can bear, at least
`AT_LEAST` rows of each; a row holds one error at most. Whether a frame can bear a
kind, and which values are wrong in it, is read off the frame before anything is
planted.

=============  =====================================================================
decimal        a number times or over 10
swap           two numbers of a row, exchanged
unit           a positive number times or over 2.54 or 1000
pair           a category that never occurs beside another one of the row, though
               both are common and would be expected beside each other
borrowed       a number of a row of another category, outside of all numbers of its
               own category (of 30 rows or more), where the two are related
misspelling    a text with two neighbouring letters exchanged, or one lost or doubled
century        a date or a year, 100 years earlier or later
duplicate      a row replaced by another row with its identifier, some values changed
=============  =====================================================================
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd
from pandas.api import types

SHARE = 0.01
AT_LEAST = 3
MAX_CATEGORIES = 100  # a text of more values is no category
# Share of the variance of a number's ranks from which a category is related to it.
EXPLAINED = 0.2
# A category of fewer rows has not shown its range.
MANY_ROWS = 30


@dataclass(frozen=True)
class Planted:
    """A frame with errors.

    Attributes
    ----------
    frame : DataFrame
        The frame with the errors in it.
    kind : ndarray of str of shape (n_rows,)
        Kind of the error in each row; "" in a clean row, and "original" in the row
        that a duplicate was taken from, which is neither clean nor wrong.
    columns : list of tuple of str
        Columns that were changed, for each row.
    """

    frame: pd.DataFrame
    kind: np.ndarray
    columns: list


def plant(frame, seed, name=""):
    """Plant errors in a copy of `frame`; the same ones for a seed and name."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    planners = {kind: make(frame) for kind, make in KINDS.items()}
    planners = {kind: plan for kind, plan in planners.items() if plan is not None}
    count = max(AT_LEAST, round(SHARE * len(frame) / max(len(planners), 1)))
    work = frame.copy()
    kind = np.full(len(frame), "", dtype=object)
    columns: list[tuple] = [()] * len(frame)
    for name_of_kind, plan in planners.items():
        left = count
        for row in rng.permutation(len(frame)):
            change = plan(row, rng) if left and kind[row] == "" else None
            if change is None:
                continue
            values, original = change
            if original is not None:
                if kind[original] != "":
                    continue
                kind[original] = "original"
            for column, value in values.items():
                work.iloc[row, frame.columns.get_loc(column)] = value
            kind[row], columns[row] = name_of_kind, tuple(values)
            left -= 1
    return Planted(work, kind.astype(str), columns)


def bearable(frame):
    """Kinds of error that a frame can bear."""
    return [kind for kind, make in KINDS.items() if make(frame) is not None]


def is_text(column):
    """Whether a column holds text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.categories.to_series()
    return types.infer_dtype(column, skipna=True) == "string"


is_datetime = types.is_datetime64_any_dtype


def is_identifier(column):
    """Whether a column tells rows apart: text or integers, (almost) all different."""
    seen = column.dropna()
    if types.is_float_dtype(column) and not (seen == seen.round()).all():
        return False
    if types.is_bool_dtype(column) or is_datetime(column):
        return False
    if not is_text(column) and "id" not in _words(column.name):
        # Integers, all different, are an identifier only where they count rows.
        return len(seen) == len(column) and (seen.diff().dropna() == 1).all()
    return (
        len(seen) == len(column)
        and seen.nunique() >= 0.99 * len(column)
        and not dates_of([column])
    )


def _words(name):
    """Words of the name of a column, in small letters."""
    text = "".join(c if c.isalnum() else " " for c in str(name))
    return text.lower().split()


def numbers_of(frame):
    """Columns of numbers of at least ten values that are no identifiers."""
    return [
        name
        for name, column in frame.items()
        if types.is_numeric_dtype(column)
        and not types.is_bool_dtype(column)
        and column.nunique() >= 10
        and not is_identifier(column)
    ]


def categories_of(frame):
    """Columns of text or categories that have 2 to `MAX_CATEGORIES` values."""
    return [
        name
        for name, column in frame.items()
        if (is_text(column) or types.is_bool_dtype(column))
        and 2 <= column.nunique() <= min(MAX_CATEGORIES, len(column) / 5)
        and not dates_of([column])
    ]


def dates_of(columns):
    """Names of the columns that are dates, ISO text of dates, or years."""
    return [column.name for column in columns if _is_date(column)]


def _is_date(column):
    """Whether a column is a date, ISO text of dates, or a year by name and range."""
    seen = column.dropna()
    if is_datetime(column):
        return True
    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        return "year" in _words(column.name) and bool(seen.between(1800, 2100).all())
    if not is_text(column) or seen.empty:
        return False
    return bool(seen.astype(str).str.match(r"\d{4}-\d{2}-\d{2}").all())


def _cells(frame, names):
    """Values of some columns as objects, and where they are there."""
    return {name: frame[name].to_numpy(dtype=object) for name in names}, {
        name: frame[name].notna().to_numpy() for name in names
    }


def _as_seen(value, column):
    """A new number as its column would hold it: whole where all are whole."""
    if types.is_integer_dtype(column):
        return round(value)
    seen = column.dropna()
    if (seen == seen.round()).all():
        return float(round(value))
    return float(np.format_float_positional(value, precision=6, fractional=False))


def _decimal(frame):
    """A slipped decimal point."""
    return _scaled(frame, numbers_of(frame), (10.0, 0.1))


def _unit(frame):
    """A number in a wrong unit."""
    names = [
        name
        for name in numbers_of(frame)
        if frame[name].min() >= 0
        and frame[name].nunique() >= 20
        and not _is_date(frame[name])
    ]
    return _scaled(frame, names, (2.54, 1 / 2.54, 1000.0, 0.001))


def _scaled(frame, names, factors):
    """Plan to multiply one number of a row, or None where there is no number."""
    if not names:
        return None
    values, there = _cells(frame, names)

    def plan(row, rng):
        name = names[rng.integers(len(names))]
        factor = factors[rng.integers(len(factors))]
        if not there[name][row]:
            return None
        new = _as_seen(values[name][row] * factor, frame[name])
        # 4 over 1000 in a column of whole numbers is 0: no wrong unit, a loss.
        if new in (0, values[name][row]):
            return None
        return {name: new}, None

    return plan


def _swap(frame):
    """Two numbers of a row, exchanged; both whole or both not."""
    names = numbers_of(frame)
    whole = {n: types.is_integer_dtype(frame[n]) for n in names}
    pairs = [(a, b) for a, b in permutations(names, 2) if whole[a] == whole[b]]
    if not pairs:
        return None
    values, there = _cells(frame, names)

    def plan(row, rng):
        a, b = pairs[rng.integers(len(pairs))]
        same = values[a][row] == values[b][row]
        if not (there[a][row] and there[b][row]) or same:
            return None
        return {a: values[b][row], b: values[a][row]}, None

    return plan


def _pair(frame):
    """Two common categories that never occur together."""
    options = _impossible_pairs(frame)
    if not options:
        return None
    values, there = _cells(frame, categories_of(frame))

    def plan(row, rng):
        a, value_a, b, value_b = options[rng.integers(len(options))]
        if not there[b][row] or values[a][row] != value_a:
            return None
        return {b: value_b}, None

    return plan


def _impossible_pairs(frame):
    """All (a, value, b, value) never seen together where chance would have five."""
    options = []
    for a, b in permutations(categories_of(frame), 2):
        seen = pd.crosstab(frame[a], frame[b])
        table = seen.to_numpy()
        total = max(table.sum(), 1)
        expected = np.outer(table.sum(1), table.sum(0)) / total
        common = np.minimum.outer(table.sum(1), table.sum(0)) >= max(10, 0.01 * total)
        where = np.argwhere((table == 0) & (expected >= 5) & common)
        options += [(a, seen.index[i], b, seen.columns[j]) for i, j in where]
    return options


def _borrowed(frame):
    """A number of another category that lies outside of its own."""
    pairs = [
        (number, group)
        for number in numbers_of(frame)
        for group in categories_of(frame)
        if _share_explained(frame[number], frame[group]) >= EXPLAINED
    ]
    if not pairs:
        return None
    values, there = _cells(frame, {name for pair in pairs for name in pair})
    ranges = {pair: _ranges(frame, *pair) for pair in pairs}

    def plan(row, rng):
        number, group = pair = pairs[rng.integers(len(pairs))]
        other = rng.integers(len(frame))
        cells = [(number, row), (number, other), (group, row), (group, other)]
        if not all(there[name][i] for name, i in cells):
            return None
        n_rows, low, high = ranges[pair][values[group][row]]
        new = values[number][other]
        if n_rows < MANY_ROWS or low <= new <= high:
            return None
        return {number: new}, None

    return plan


def _ranges(frame, number, group):
    """Rows with a number, its smallest and its largest, for each category."""
    groups = frame[number].groupby(frame[group], observed=True)
    return dict(
        zip(groups.groups, groups.agg(["count", "min", "max"]).to_numpy(), strict=True)
    )


def _share_explained(number, group):
    """Share of the variance of the ranks of a number that categories explain."""
    ranks = number.rank()[number.notna() & group.notna()]
    if len(ranks) == 0:
        return 0.0
    means = ranks.groupby(group[ranks.index], observed=True).transform("mean")
    return float(means.var() / ranks.var())


def _misspelling(frame):
    """A text with a slip of the keys, found nowhere else in its column."""
    names = [name for name in categories_of(frame) if is_text(frame[name])]
    names = [n for n in names if frame[n].dropna().astype(str).str.len().max() >= 4]
    if not names:
        return None
    values, there = _cells(frame, names)
    seen = {name: set(frame[name].dropna()) for name in names}

    def plan(row, rng):
        name = names[rng.integers(len(names))]
        if not there[name][row] or len(values[name][row]) < 4:
            return None
        text = values[name][row]
        at = int(rng.integers(len(text) - 1))
        slips = (
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
        )
        new = slips[rng.integers(3)]
        if new in seen[name] or not text[at : at + 2].isalpha():
            return None
        seen[name].add(new)
        return {name: new}, None

    return plan


def _century(frame):
    """A date or a year that is 100 years off."""
    names = dates_of(column for _, column in frame.items())
    if not names:
        return None
    values, there = _cells(frame, names)

    def plan(row, rng):
        name = names[rng.integers(len(names))]
        years = 100 if rng.integers(2) else -100
        if not there[name][row]:
            return None
        value = values[name][row]
        if isinstance(value, str):
            # The 29th of February is none a century off.
            if value[5:10] == "02-29":
                return None
            return {name: f"{int(value[:4]) + years}{value[4:]}"}, None
        if isinstance(value, pd.Timestamp):
            return {name: value + pd.DateOffset(years=years)}, None
        return {name: value + years}, None

    return plan


def _duplicate(frame):
    """A row replaced by another, with its identifier, a third of its values changed."""
    names = [name for name, column in frame.items() if is_identifier(column)]
    others = [name for name in frame if name not in names]
    if not names or len(others) < 2:
        return None

    def plan(row, rng):
        original, donor = (int(i) for i in rng.integers(len(frame), size=2))
        changed = rng.permutation(len(others))[: max(2, len(others) // 3)]
        changed = {others[i] for i in changed}
        if len({row, original, donor}) < 3:
            return None
        old, new = frame.iloc[original], frame.iloc[donor]
        if old[list(changed)].equals(new[list(changed)]):
            return None
        values = {n: (new if n in changed else old)[n] for n in frame}
        return values, original

    return plan


KINDS = {
    "decimal": _decimal,
    "swap": _swap,
    "unit": _unit,
    "pair": _pair,
    "borrowed": _borrowed,
    "misspelling": _misspelling,
    "century": _century,
    "duplicate": _duplicate,
}
