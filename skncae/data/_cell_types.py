"""What the columns of files hold, of all files and chunks together.

A CSV file has no types, and its reader guesses them from the rows that it has: digits
lose the zeros before them, and a column of one chunk is another thing in the next. Here
each piece of a column is looked at, what was seen is added up, and the sum says what
the column is: numbers where nothing is lost, else the text that is there, which the
layout of the detector reads.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from skncae.data._number_text import number_in
from skncae.data._values import EXACT_BELOW

# A column of text is one of numbers with slips where so many of its values are numbers.
MOSTLY_NUMBERS = 0.9
# What the reader of CSV files takes for truth values.
_TRUTHS = {
    text: text.lower() == "true"
    for text in ("True", "TRUE", "true", "False", "FALSE", "false")
} | {True: True, False: False}
# Whole numbers; digits alone; and with a zero before them, which numbers have not.
_INTEGER, _DIGITS, _CODE = r"[+-]?\d+", r"\d+", r"0\d+"
# Whole numbers with a point before each three digits, and those that need none.
_WITH_POINTS, _WITHOUT = r"[+-]?[1-9]\d{0,2}(\.\d{3})+", r"[+-]?\d{1,3}"
_NO_DATE = re.compile(r"\n(?!\d{4}-\d\d-\d\d)")
# Of a date with a time of day, its zone.
_ZONE = r"^.{10}.*?([Zz]|[+-]\d\d(?::?\d\d)?)?$"
# Digits with a zero before them are codes where so many values have one, or where all
# have the same number of digits: one alone is a slip of somebody's hand.
MANY_CODES = 0.1


@dataclass(frozen=True)
class Seen:
    """What was seen of a column in some pieces of files.

    Parameters
    ----------
    n_values, n_missing : int
    n_numbers, n_truths : int
        How many values are these, by their type or as text.
    n_read : int
        How many values of text the reader has made numbers or truth values of.
    n_beyond : int
        How many numbers are so large that float64 has no place for all whole ones.
    n_codes : int
        How many values are digits with a zero before them.
    largest : float
        The largest absolute value of the numbers.
    lengths : frozenset of int
        Lengths of the text of whole numbers.
    is_whole : bool
        Whether all numbers are digits alone; of those that were read, whether they may
        have been.
    zones : frozenset or None
        The time zones of dates; None where some value is no date.
    stored : frozenset of {"number", "date", "other"}
        Types of parquet files.
    points : frozenset of {"with", "without"} or None
        Of whole numbers whose thousands end at a point, as in 1.234, whether some are
        with one, and some without; of those that were read, whether there may be. None
        where some value is another.
    """

    n_values: int = 0
    n_missing: int = 0
    n_numbers: int = 0
    n_truths: int = 0
    n_read: int = 0
    n_beyond: int = 0
    n_codes: int = 0
    largest: float = 0.0
    lengths: frozenset = frozenset()
    is_whole: bool = True
    zones: frozenset | None = frozenset()
    stored: frozenset = frozenset()
    points: frozenset | None = frozenset()

    def __add__(self, other):
        is_date = self.zones is not None and other.zones is not None
        has_points = self.points is not None and other.points is not None
        return Seen(
            n_values=self.n_values + other.n_values,
            n_missing=self.n_missing + other.n_missing,
            n_numbers=self.n_numbers + other.n_numbers,
            n_truths=self.n_truths + other.n_truths,
            n_read=self.n_read + other.n_read,
            n_beyond=self.n_beyond + other.n_beyond,
            n_codes=self.n_codes + other.n_codes,
            largest=max(self.largest, other.largest),
            lengths=self.lengths | other.lengths,
            is_whole=self.is_whole and other.is_whole,
            zones=self.zones | other.zones if is_date else None,
            stored=self.stored | other.stored,
            points=self.points | other.points if has_points else None,
        )

    @property
    def may_be_codes(self):
        """Whether zeros before digits may have been lost."""
        return self.n_read > 0 and self.is_whole and self.n_numbers > 0

    @property
    def is_in_doubt(self):
        """Whether values were read that must be seen as text, but for codes."""
        is_one = self.n_values in (self.n_numbers, self.n_truths)
        is_lossy = (self.is_whole and self.n_beyond > 0) or self._has_thousands
        return self.n_read > 0 and (not is_one or is_lossy)

    @property
    def kind(self):
        """What the column is, as `converted` names it."""
        if self.stored - {"number"}:
            return "date" if self.stored == {"date"} else "text"
        if not self.n_values:
            return "number"
        if self.n_truths == self.n_values:
            return "boolean" if self.n_missing else "bool"
        is_number = self.n_numbers >= MOSTLY_NUMBERS * self.n_values
        if is_number and not self._is_code and not self._has_thousands:
            if self.n_numbers < self.n_values:
                return "slips"
            return "text" if self._loses_digits else "number"
        return "date" if self.zones is not None and len(self.zones) == 1 else "text"

    @property
    def _has_thousands(self):
        """Whether 1.234 is no decimal: small numbers are whole, and all points so."""
        return self.points == {"with", "without"}

    @property
    def _is_code(self):
        """Whether zeros before digits are meant, which numbers of a file have not."""
        if not (self.n_codes and self.is_whole) or "number" in self.stored:
            return False
        return self.n_codes >= MANY_CODES * self.n_values or len(self.lengths) == 1

    @property
    def _loses_digits(self):
        """Whether most numbers are whole, and of more digits than their type holds.

        One absurd value among small ones makes no codes of them.
        """
        is_int64 = not self.n_missing and self.largest < 2.0**63
        return self.is_whole and 2 * self.n_beyond > self.n_values and not is_int64


def seen_in(values, is_typed, has_points=False):
    """See what a piece of a column holds.

    Parameters
    ----------
    values : Series
    is_typed : bool
        Whether the file has types, as parquet, so that text is meant.
    has_points : bool
        Whether points may stand between thousands.
    """
    seen = _seen_in(values, is_typed)
    return seen if has_points else replace(seen, points=None)


def _seen_in(values, is_typed):
    """What a piece of a column holds, where points may stand between thousands."""
    from pandas.api import types

    if types.is_numeric_dtype(values):
        return _seen_in_numbers(values, is_typed)
    present = values.dropna()
    if not len(present):
        return Seen(n_missing=len(values))
    kind = types.infer_dtype(present, skipna=False)
    if kind in ("boolean", "decimal"):
        return _seen_in_numbers(values, is_typed, kind == "boolean")
    seen = Seen(n_values=len(present), n_missing=len(values) - len(present))
    if kind == "integer":
        # Whole numbers of Python, which may be beyond all floats.
        n_read = 0 if is_typed else len(present)
        return replace(seen, **_seen_in_text(present.astype(str)), n_read=n_read)
    if not is_typed:
        return replace(seen, **_seen_in_text(present))
    is_date = types.is_datetime64_any_dtype(values) or kind == "date"
    return replace(seen, stored=frozenset({"date" if is_date else "other"}))


def kinds_of(detector):
    """What the columns of files are to be for a fitted detector; empty of no names."""
    names = getattr(detector, "feature_names_in_", ())
    if not len(names) or detector._layout is None:
        return dict.fromkeys(names, "number")
    return {column.name: _kind_for(column) for column in detector._layout.columns}


def converted(values, kind):
    """Convert a piece of a column to its kind; text that is none stays text.

    Parameters
    ----------
    values : Series
    kind : {"number", "exact", "bool", "boolean", "date", "text", "slips", "any"}
        "exact" keeps all digits of whole numbers, "boolean" has missing values; the
        last three stay as they are.

    Returns
    -------
    converted : Series
    """
    import pandas

    if kind == "number":
        return _numbers(values)
    if kind == "exact":
        exact = [None if value != value else _exact(value) for value in values]
        return pandas.Series(exact, values.index, dtype=object, name=values.name)
    if kind in ("bool", "boolean"):
        return values.map(_TRUTHS).astype(kind)
    if kind == "date" and is_text(values):
        return _dates(values)
    return values


def is_text(values):
    """Say whether a column holds objects or text, and none of the types of numpy."""
    return values.dtype.kind in "OTU" and not hasattr(values.dtype, "categories")


def slips_of(values):
    """Which values of a column of numbers are none, bool of shape (n_values,).

    Truth values are numbers where there are no others.
    """
    numbers = _read(values)
    is_slip = (numbers.isna() & values.notna()).to_numpy(dtype=bool)
    is_truth = is_slip.any() and values[is_slip].isin(list(_TRUTHS)).all()
    is_all = numbers.isna().all()
    return is_slip & ~(is_truth and is_all)


def _seen_in_numbers(values, is_typed, is_truth=False):
    """What was seen of numbers or truth values.

    Floats may have been digits alone where it is a missing value that made them so.
    """
    kind = values.dtype.kind
    if isinstance(values.dtype, np.dtype) and kind != "O":
        numbers = values.to_numpy(dtype=float)
    else:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
    missing = np.isnan(numbers)
    numbers = numbers[~missing] if missing.any() else numbers
    n_values, n_missing = len(numbers), len(values) - len(numbers)
    is_truth |= kind == "b"
    seen = Seen(
        n_values=n_values,
        n_missing=n_missing,
        n_read=0 if is_typed else n_values,
        zones=None if n_values else frozenset(),
        stored=frozenset({"number"} if is_typed and n_values and not is_truth else ()),
    )
    if is_truth or not n_values:
        return replace(seen, n_truths=n_values)
    is_whole = kind in "iu"
    if not is_whole and (n_missing or kind == "O"):
        is_whole = bool((numbers == np.floor(numbers)).all())
    sizes = np.abs(numbers)
    return replace(
        seen,
        n_numbers=n_values,
        is_whole=is_whole,
        n_beyond=int((sizes >= EXACT_BELOW).sum()) if is_whole else 0,
        largest=float(sizes.max()),
        points=_points_of_read(sizes),
    )


def _points_of_read(sizes):
    """Whether numbers that were read may have a point between their thousands."""
    is_whole = sizes == np.floor(sizes)
    thousands = 1000 * sizes[~is_whole]
    is_cut = np.abs(thousands - np.round(thousands)) < 1e-6
    if sizes.max() >= 1000 or not is_cut.all() or (thousands < 1000).any():
        return None
    is_with, is_without = len(thousands) > 0, (is_whole & (sizes > 0)).any()
    return _points(is_with, is_without)


def _points(is_with, is_without):
    """Put into a set which of the two is so."""
    found = {"with": is_with, "without": is_without}
    return frozenset(name for name, is_so in found.items() if is_so)


def _seen_in_text(present):
    """What was seen of text."""
    import pandas

    zones = _zones_of(present)
    if zones is not None:
        return {"is_whole": True, "zones": zones}
    codes, texts = pandas.factorize(present)
    texts = pandas.Series(texts)
    counts = np.bincount(codes, minlength=len(texts))
    numbers = pandas.to_numeric(texts, errors="coerce").to_numpy(dtype=float)
    is_number = ~np.isnan(numbers)
    written = texts[is_number].str.strip(" \t")
    is_code, is_digits, is_integer = (
        written.str.fullmatch(pattern).to_numpy(dtype=bool)
        for pattern in (_CODE, _DIGITS, _INTEGER)
    )
    is_with, is_without = (
        texts.str.strip(" \t").str.fullmatch(pattern, na=False).to_numpy(dtype=bool)
        for pattern in (_WITH_POINTS, _WITHOUT)
    )
    has_points = (is_with | is_without).all()
    with np.errstate(invalid="ignore"):
        sizes = np.abs(numbers)
        is_beyond = sizes >= EXACT_BELOW
    return {
        "n_numbers": int(counts[is_number].sum()),
        "n_truths": int(counts[texts.isin(list(_TRUTHS))].sum()),
        "n_beyond": int(counts[is_beyond].sum()),
        "n_codes": int(counts[is_number][is_code].sum()),
        "largest": float(sizes[is_number].max(initial=0.0)),
        "lengths": frozenset(written[is_digits].str.len().tolist()),
        "is_whole": bool(is_integer.all()),
        "zones": None,
        "points": _points(is_with.any(), is_without.any()) if has_points else None,
    }


def _lines(texts):
    """Text with each value after a line break."""
    return "\n" + "\n".join(texts.tolist())


def _zones_of(present):
    """The time zones of text of dates; None where not all of it is."""
    if not re.match(r"\d{4}-\d\d-\d\d", present.iloc[0]):
        return None
    if _NO_DATE.search(_lines(present)):
        return None
    zones = frozenset(present.str.extract(_ZONE)[0].fillna("").tolist())
    if len(zones) == 1 and _dates(present) is present:
        return None
    return zones


def _dates(values):
    """Text of one time zone as dates; as it is where not all of it is one."""
    import pandas

    try:
        return pandas.to_datetime(values, format="ISO8601")
    except (ValueError, TypeError):
        return values


def _numbers(values):
    """A column as numbers, also of truth values; as it is where it holds others."""
    if not is_text(values):
        return values.astype(float) if values.dtype.kind == "b" else values
    numbers = _read(values)
    if not (numbers.isna() & values.notna()).any():
        return numbers
    if slips_of(values).any():
        return values
    return values.map(_TRUTHS).astype(float)


def _read(values):
    """Text as numbers, NaN of other text; infinity of what no float holds.

    Also what pandas takes for none: marks between thousands, and negative numbers in
    brackets.
    """
    import pandas

    try:
        numbers = pandas.to_numeric(values, errors="coerce")
    except OverflowError:
        # Whole numbers of Python, which the reader makes of many digits.
        texts = values.map(str, na_action="ignore")
        numbers = pandas.to_numeric(texts, errors="coerce")
    is_left = numbers.isna() & values.notna()
    if is_left.any():
        numbers = numbers.astype(float)
        numbers[is_left] = [number_in(str(value)) for value in values[is_left]]
    return numbers


def _exact(value):
    """A value as a number of Python with all its digits; as it is where it is none."""
    try:
        number = float(value)
        is_written = isinstance(value, str)
        is_integer = not is_written or re.fullmatch(_INTEGER, value.strip())
        return int(value) if is_integer and number.is_integer() else number
    except (ValueError, OverflowError):
        return value


def _kind_for(column):
    """What a column of files is to be for one that was learnt."""
    if column.family == "number" and not column.writing:
        return "number"
    if column.family == "date" and not column.form:
        return "date"
    if column.family == "category" and column.type == "text":
        # Where no category is a number, numbers are another type, which is refused.
        has_numbers = any(not isinstance(_exact(v), str) for v in column.values)
        return "text" if has_numbers else "any"
    if column.family == "category":
        kinds = {"integer": "exact", "number": "number", "date": "date"}
        return kinds.get(column.type, "text")
    is_repeated = column.family == "identifier" and column.is_used
    is_number = re.match("u?int|float", column.dtype, re.IGNORECASE)
    return "exact" if is_repeated and is_number else "text"
