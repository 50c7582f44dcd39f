"""Numbers that are written as text: a price, a percentage, a decimal comma.

A column of a file is text as soon as one value has a unit, a mark between thousands, or
a mark for what is missing.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from skncae.data._reading import FEW, READABLE, as_text

# What stands where a value is missing, in lower case.
MISSING = {"", "?", "-", "--", ".", "*", "na", "n/a", "n.a.", "nan", "none", "null"}
MISSING |= {"missing", "unknown"}

# A sign, what stands before the digits (no letter: those of codes do), the digits with
# their marks, and what stands behind them, such as a unit.
_PARTS = re.compile(
    r"(?P<sign>[+\-\u2212]?)(?P<before>[^\w.,+\-\u2212]*)"
    r"(?P<number>[.,]?\d(?:[\d.,' \u00a0\u202f]*\d)?[.,]?(?:[eE][+-]?\d+)?)"
    r"(?P<after>\D*)"
)
# Numbers by what stands before their decimals; the other mark is one of thousands.
_NUMBERS = {
    point: re.compile(
        rf"(\d{{1,3}}(?:[{other}' \u00a0\u202f]\d{{3}})+|\d*)"
        rf"([{point}]\d*)?([eE][+-]?\d+)?"
    )
    for point, other in (".,", ",.")
}


@dataclass(frozen=True)
class Writing:
    """How the numbers of a column are written.

    Parameters
    ----------
    before, after : str
        What stands before and behind the digits, such as "$" or " kg".
    point : {".", ","}
        What stands before the decimals.
    """

    before: str
    after: str
    point: str

    @property
    def has_unit(self):
        """Whether the digits alone are not the number."""
        return bool(self.before.strip() or self.after.strip())

    def read(self, text):
        """The number that a text is; NaN of another text."""
        parts = _PARTS.fullmatch(text.strip())
        return np.nan if parts is None else self.number(parts)

    def number(self, parts):
        """The number of a text that was taken apart; NaN of another writing."""
        if _units(parts) != (self.before.strip(), self.after.strip()):
            return np.nan
        found = _NUMBERS[self.point].fullmatch(parts["number"])
        if found is None:
            return np.nan
        whole, decimals, exponent = (part or "" for part in found.groups())
        digits = re.sub(r"\D", "", whole) + decimals.replace(self.point, ".")
        number = float(parts["sign"].replace("\u2212", "-") + digits + exponent)
        # 1e999 is beyond what a float holds, and infinity is no value.
        return number if math.isfinite(number) else math.nan

    def write(self, number, decimals):
        """The text of a number with so many decimals; None of NaN."""
        if np.isnan(number):
            return None
        digits = f"{abs(number):.{decimals}f}".replace(".", self.point)
        sign = "-" if number < 0 else ""
        return f"{sign}{self.before}{digits}{self.after}"


def read_numbers(values, writing):
    """Read text as numbers.

    Returns
    -------
    numbers : ndarray of shape (n_samples,)
        NaN for what is missing or cannot be read.
    """
    texts = as_text(values)
    numbers = {text: writing.read(text) for text in set(texts) - {None}}
    return np.array([numbers.get(text, np.nan) for text in texts], dtype=np.float64)


def writing_of(values):
    """Say how the numbers of a column of text are written.

    None where it holds others than numbers, few values, or codes: digits alone, or some
    that begin with zero.
    """
    every = Counter(text.strip() for text in as_text(values) if text is not None)
    counts = {text: n for text, n in every.items() if text.lower() not in MISSING}
    if len(counts) <= FEW or all(text.isdecimal() for text in every):
        return None
    found = {text: parts for text in counts if (parts := _PARTS.fullmatch(text))}
    least = READABLE * sum(counts.values())
    plain = [text for text in found if not re.match(r"0\d", found[text]["number"])]
    if _total(counts, plain) < least:
        return None
    units: Counter[tuple] = Counter()
    for text, parts in found.items():
        units[parts["before"], parts["after"]] += counts[text]
    (before, after), _ = units.most_common(1)[0]
    for point in _NUMBERS:
        writing = Writing(before, after, point)
        is_read = [
            t for t, parts in found.items() if not np.isnan(writing.number(parts))
        ]
        if _total(counts, is_read) >= least:
            return writing
    return None


def _total(counts, texts):
    """How many values some texts are."""
    return sum(counts[text] for text in texts)


def _units(parts):
    """What stands before and behind the digits, without what is blank."""
    return parts["before"].strip(), parts["after"].strip()
