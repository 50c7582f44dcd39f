"""What is said about a value, in one place: explanations, reports, the command line.

A sentence is made of one clause for each cell that speaks against a row, out of plain
facts in the user's columns and units:

=========  =================================================================
cell       clause
=========  =================================================================
number     ``z = 0.00; with x = 6.55 and y = 6.48, about 4.0 is expected``
           ``z = 31.80 is above the usual 2.65 to 5.30``, where nothing goes with it
           ``depth = 61.5 is unusual with table = 56.0``, or ``here``;
           ``doors = 4 is usual``
category   ``sex = Femal is rare (0.3 % of the rows); Female is expected``
           ``sex = Female is usual``
           ``sex = Female is unusual with rank = Prof; Male is expected``
identifier ``nest = N300 occurs more than once, unlike nearly all others``
date       ``paid = 1924-05-03 is before the usual 2019-01-02 to 2025-12-30``
text       ``cost = 5.000,00 €; with size = 3, about 50 € is expected``: of a number or
           a date what is said of these, written as it is there
missing    ``age is missing; with sibsp = 1, about 30 is expected``
=========  =================================================================
"""

import functools
import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from numbers import Integral, Real
from typing import Any

import numpy as np

from skncae.data._numbers import MOST_DECIMALS
from skncae.data._values import is_missing

# Numbers from here on are written with a power of ten.
LARGE = 1e9
# Longer text is cut.
LONGEST = 40
# A value that this share of the rows has, or less, is rare.
RARE_SHARE = 0.01
# A value this many spreads from the expected one differs from it.
FAR = 1.0
# Cells with at least this share of the largest contribution are spoken of ...
WORTH_SAYING = 0.5
# ... but no more than so many.
MOST_CLAUSES = 3

# Of the larger end of a range, what computing the ends may have added to them.
NOISE = 1e-13
# Beyond this, rounding may leave the numbers that there are.
HUGE = 1e300

# Of the columns that go with one, so many are named beside it.
MOST_BESIDE = 2

# Characters that run from right to left, or that turn what comes after them.
TURNING = {"R", "AL", "RLE", "RLO", "LRE", "LRO", "PDF"}
# What encloses a part of a text that runs in a direction of its own.
OPEN, CLOSE = "\u2068", "\u2069"
# Breaks of lines, as in the names of columns of a spreadsheet.
_BREAKS = re.compile(r" ?[\t\n\v\f\r]+ ?")
# A text that holds these itself could leave what encloses it.
_ISOLATES = dict.fromkeys(range(0x2066, 0x206A))


@dataclass(frozen=True)
class Column:
    """What sentences need to know of a column.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "identifier", "date", "duration"}
    spread : float or timedelta or None
        How far its usual values lie apart; the precision of "about" comes from it.
    low, high : value or None
        Nearly all values lie between these.
    shares : dict of value to float or None
        Of a category, the share of the rows with each value.
    decimals : int or None
        Of a number, how many digits to write after the point; None: all.
    writing : object or None
        Of a number or a date in text, ``read(text)`` gives it and ``dressed(plain)``
        the text of one that is written plainly.
    """

    name: str
    kind: str = "number"
    spread: Any = None
    low: Any = None
    high: Any = None
    shares: Any = None
    decimals: int | None = None
    writing: Any = None

    def measured(self, value):
        """A value as the number or date that it is, also where it is in text."""
        is_read = self.writing is not None and isinstance(value, str)
        return self.writing.read(value) if is_read else value

    def dressed(self, plain):
        """The plain text of a number or a date as the column has such."""
        return plain if self.writing is None else self.writing.dressed(plain)

    def text(self, value):
        """Write a value as the user would, but for digits that say nothing."""
        if isinstance(value, str) or is_missing(value):
            return text_of(value)
        return self.dressed(self._plain(value))

    def _plain(self, value):
        """Write a value but for how its column is written."""
        if self.kind != "number":
            return text_of(value)
        if isinstance(value, bool | np.bool_):
            value = int(value)
        if not isinstance(value, Real):
            return text_of(value)
        decimals = self.decimals
        if decimals is None and self.spread and 0 < self.spread < LARGE:
            decimals = min(max(0, 2 - math.floor(math.log10(self.spread))), 9)
        # numpy multiplies to round, beyond all floats.
        number = float(value) if isinstance(value, np.floating) else value
        is_lost = decimals is not None and number != 0 and not round(number, decimals)
        return text_of(value, None if is_lost else decimals)

    def pair(self, value):
        """Write the name with a value, for a sentence."""
        return f"{isolated(self.name)} = {isolated(self.text(value))}"

    def share(self, value):
        """Share of the rows with a value of a category; None where it is not known."""
        return None if self.shares is None else self.shares.get(value, 0.0)


@dataclass(frozen=True)
class Cell:
    """A value of a row, and what was expected in its place.

    Parameters
    ----------
    column : Column
    value : value
    expected : value or None
        None where nothing is known.
    beside : tuple of (Column, value)
        What the rest of the row has in the columns that go with this one.
    """

    column: Column
    value: Any
    expected: Any = None
    beside: tuple = ()

    def value_text(self):
        """Write the value."""
        return self.column.text(self.value)

    def expected_text(self):
        """Write the expected value; None where nothing is known."""
        if is_missing(self.expected):
            return None
        return _expected_text(self.column, self.expected)


def text_of(value, decimals=None):
    """Write a value: a number, a text, a date, a duration, or "missing"."""
    if is_missing(value):
        return "missing"
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    # A duration of numpy says that it is an integer.
    value = _as_python(value)
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return _number(float(value), decimals)
    if isinstance(value, datetime):
        whole = value.hour == value.minute == value.second == value.microsecond == 0
        # Moments of pandas go on where the dates of Python end.
        text = value.isoformat(" ", "auto")
        return text.partition(" ")[0] if whole else text
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    shown = visible(text)
    return _cut(" ".join(text.split()) if shown == text else shown)


def _cut(text):
    """Leave out the end of long text."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def visible(text):
    """Put text of which nothing can be seen in quotes; return other text as is."""
    if any(char.isprintable() and char != " " for char in text):
        return text
    return in_quotes(text)


def in_quotes(text):
    """Write text in quotes, where every character can be told."""
    return f'"{repr(text)[1:-1]}"'


def isolated(text):
    """Write text on one line, and enclose what would turn the sentence around it."""
    text = _BREAKS.sub(" ", visible(text))
    if text.isascii():
        return text
    plain = text.translate(_ISOLATES)
    turns = any(unicodedata.bidirectional(char) in TURNING for char in plain)
    return f"{OPEN}{plain}{CLOSE}" if turns else plain


def about(value, spread, decimals=None):
    """Write an expected number no more exactly than the spread of its column bears."""
    # A zero has no sign.
    value = float(value) + 0.0
    if not math.isfinite(value) or not spread or not math.isfinite(spread):
        return text_of(float(f"{value:.2g}") if math.isfinite(value) else value)
    # A third of the smallest number is zero.
    digits = -math.floor(math.log10(abs(spread) / 3 or abs(spread)))
    if decimals is not None:
        digits = min(digits, decimals)
    if digits >= 16 or abs(value) >= LARGE:
        return f"{value:.3g}"
    value = round(value, digits)
    # Nor as many digits as the spread has, where the column asks for none.
    is_plain = value == 0 and decimals is None
    return "0" if is_plain else _number(value, max(digits, 0))


def percentile(value):
    """Write a percentile so that 100 is left to what is beyond all."""
    return f"{math.floor(100 * value) / 100:.2f}"


def percent(share):
    """Write a share with two digits, and more where it would read as none or as all."""
    value = round(100 * share, 10)
    near = min(abs(value), abs(100 - value))
    decimals = max(0, 1 - math.floor(math.log10(near))) if near else 0
    text = f"{value:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if decimals else text} %"


def counted(number, things):
    """Write how many things there are, named by a plural in "s"."""
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


def clause(cell):
    """Say what is wrong with a cell, or that nothing is."""
    if is_missing(cell.value):
        return _missing(cell)
    if cell.column.kind == "identifier":
        # Nothing else of it is looked at.
        said = cell.column.pair(cell.value)
        return f"{said} occurs more than once, unlike nearly all others"
    if cell.column.kind == "category":
        return _category(cell)
    return _quantity(cell)


def sentence(cells, contributions):
    """Say what speaks most against a row.

    Parameters
    ----------
    cells : sequence of Cell
        In descending order of their contributions.
    contributions : sequence of float

    Returns
    -------
    sentence : str
    """
    if not len(contributions) or contributions[0] <= 0:
        return "nothing speaks against it"
    worth = [
        clause(cell)
        for cell, part in zip(cells, contributions, strict=True)
        if part >= WORTH_SAYING * contributions[0]
    ]
    return ". ".join(worth[:MOST_CLAUSES])


def number_of_decimals(values):
    """How many digits the numbers of a column have after the point; None for many."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)][:1000]
    if not len(values) or np.abs(values).max() >= LARGE:
        return None
    # Of values that are tiny themselves, less is no rounding.
    rounding = min(1e-9, 1e-6 * np.abs(values).max())
    for decimals in range(MOST_DECIMALS + 1):
        if (np.abs(values - np.round(values, decimals)) <= rounding).all():
            return decimals
    return None


def usual_ends(low, high):
    """Ends of a range of numbers as floats, without the digits that rounding added."""
    low, high = float(low), float(high)
    size = max(abs(low), abs(high))
    if not 0 < size < HUGE:
        return low, high
    digits = -math.floor(math.log10(size) + math.log10(NOISE))
    # A zero has no sign.
    return round(low, digits) + 0.0, round(high, digits) + 0.0


def _missing(cell):
    """Say that a value is missing, and what was expected where something was."""
    name = isolated(cell.column.name)
    if is_missing(cell.expected):
        return f"{name} is missing"
    return f"{name} is missing; {_expectation(cell)}"


def _category(cell):
    """Say that a category is rare, or usual but not here."""
    column, value = cell.column, cell.value
    share = column.share(value)
    other = not is_missing(cell.expected) and cell.expected != value
    said, expected = column.pair(value), column.text(cell.expected)
    if other and expected == column.text(value):
        # Blanks alone tell them apart.
        said = f"{isolated(column.name)} = {_cut(in_quotes(str(value)))}"
        expected = _cut(in_quotes(str(cell.expected)))
    instead = f"; {isolated(expected)} is expected" if other else ""
    if share is not None and share <= RARE_SHARE:
        of_all = percent(share) if share > 0 else "none"
        return f"{said} is rare ({of_all} of the rows){instead}"
    if not other:
        return f"{said} is usual"
    beside = _telling(cell)
    where = f"with {_pairs(beside)}" if beside else "here"
    return f"{said} is unusual {where}{instead}"


def _quantity(cell):
    """Say that a number or a date is out of its range, or not what was expected."""
    column, value, beside = cell.column, cell.value, _telling(cell)
    said = column.pair(value)
    differs = _differs(column, value, cell.expected)
    if differs and beside:
        return f"{said}; {_expectation(cell)}"
    out_of_range = _out_of_range(column, value)
    if out_of_range:
        return out_of_range
    if differs:
        return f"{said}; {_expectation(cell)}"
    if beside:
        return f"{said} is unusual with {_pairs(beside)}"
    # How many rows have a number is not known.
    is_expected = column.text(value) == cell.expected_text()
    return f"{said} is {'usual' if is_expected else 'unusual here'}"


def _telling(cell):
    """What the row has beside a cell, but for values that are wrong themselves."""
    return [
        (column, value)
        for column, value in cell.beside
        if not is_missing(column.measured(value)) and not _is_far_out(column, value)
    ][:MOST_BESIDE]


def _is_far_out(column, value):
    """Say whether a value is out of range by more than half of the range."""
    value = column.measured(value)
    if is_missing(value) or is_missing(column.low) or is_missing(column.high):
        return False
    margin = (column.high - column.low) / 2
    # Beyond the first and the last day of the calendar there is no date.
    return not (column.low - value <= margin and value - column.high <= margin)


def _out_of_range(column, value):
    """Say on which side of the usual values a value lies; nothing of one among them."""
    low, high, came = column.low, column.high, value
    value = column.measured(value)
    if is_missing(value) or is_missing(low) or is_missing(high):
        return ""
    is_number = column.kind == "number"
    is_below = value < low
    noise = NOISE * max(abs(low), abs(high)) if is_number else None
    if low <= value <= high or (noise and low - noise <= value <= high + noise):
        return ""
    sides = ("before", "after") if column.kind == "date" else ("below", "above")
    write = column.text
    if is_number and write(value) == write(low if is_below else high):
        write = functools.partial(_exactly, column)
    usual = " to ".join(dict.fromkeys([write(low), write(high)]))
    said = f"{isolated(column.name)} = {isolated(write(came))}"
    return f"{said} is {sides[not is_below]} the usual {usual}"


def _exactly(column, number):
    """Write a number with all digits that tell it from another."""
    return column.dressed(f"{float(column.measured(number)) + 0.0:.15g}")


def _differs(column, value, expected):
    """Say whether a value is far from the expected one, and reads as another."""
    if is_missing(expected):
        return False
    if column.spread and not is_missing(column.spread):
        distance = column.measured(value) - column.measured(expected)
        if abs(distance) < FAR * column.spread:
            return False
    return column.text(value) != _expected_text(column, expected)


def _expectation(cell):
    """Say what is expected, and what in the row says so."""
    column = cell.column
    expected = f"{isolated(_expected_text(column, cell.expected))} is expected"
    if column.kind != "category":
        expected = f"about {expected}"
    beside = _telling(cell)
    return f"with {_pairs(beside)}, {expected}" if beside else expected


def _is_of_one_sign(column):
    """Say whether the usual values of a column are all above zero, or all below."""
    low, high = column.low, column.high
    return not is_missing(low) and not is_missing(high) and not low <= 0 <= high


def _expected_text(column, expected):
    """Write an expected value, a number as exactly as it is known."""
    number = column.measured(expected)
    if column.kind == "number" and isinstance(number, Real):
        spread = column.spread
        if spread and _is_of_one_sign(column) and number:
            # A third of a large spread would be zero, which no value is.
            spread = min(spread, abs(float(number)))
        return column.dressed(about(number, spread, column.decimals))
    if column.kind == "date" and isinstance(expected, datetime | np.datetime64):
        moment = _as_python(expected)
        spread = column.spread
        if isinstance(spread, timedelta) and spread > timedelta(days=2):
            return moment.date().isoformat() if hasattr(moment, "date") else str(moment)
    return column.text(expected)


def _pairs(beside):
    """Write columns with their values: "x = 6.55 and y = 6.48"."""
    said = [column.pair(value) for column, value in beside]
    return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))


def _number(value, decimals):
    """Write a float without the digits that rounding added."""
    if not math.isfinite(value):
        return str(value)
    # A zero has no sign.
    if decimals is not None and abs(value) < LARGE:
        return f"{round(value, decimals) + 0.0:.{decimals}f}"
    value += 0.0
    if value == 0 or 1e-4 <= abs(value) < LARGE:
        short = f"{value:.6g}"
        return f"{value:.0f}" if "e" in short else short
    return f"{value:.4g}"


def _as_python(value):
    """Turn a moment or a duration of numpy into one of the standard library."""
    if isinstance(value, np.datetime64):
        moment = value.astype("datetime64[us]").item()
        return str(value).replace("T", " ") if isinstance(moment, int) else moment
    if isinstance(value, np.timedelta64):
        return value.astype("timedelta64[us]").item()
    return value
