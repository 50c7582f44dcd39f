"""Numbers that are written as text: a price, a percentage, a decimal comma.

A column of a file is text as soon as one value has a unit, a mark between thousands, or
a mark for what is missing.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from skncae.data._texts import as_text
from skncae.data._values import FEW, READABLE

# What stands where a value is missing, in lower case.
MISSING = {"", "?", "-", "--", ".", "*", "na", "n/a", "n.a.", "nan", "none", "null"}
MISSING |= {"missing", "unknown"}

# A sign, what stands before the digits (no letters but those of a currency: those of
# codes do), the digits with their marks, and what stands behind them, such as a unit.
_PARTS = re.compile(
    r"(?P<sign>[+\-\u2212]?)"
    r"(?P<before>[A-Z]{1,2}\$[ \u00a0]?|[A-Z]{3}[ \u00a0]?|[^\w.,+\-\u2212]*)"
    r"(?P<number>[.,]?\d(?:[\d.,' \u00a0\u202f]*\d)?[.,]?(?:[eE][+-]?\d+)?)"
    r"(?P<after>\D*)"
)
# How a negative number n is written, but for "-n": as accountants do, with all of it or
# the digits alone in brackets, or with the minus behind it.
_NEGATIVES = {
    "(n)": re.compile(r"()\(([^()]*\d[^()]*)\)()"),
    "$(n)": re.compile(r"([^()\d]*)\(([^()]*\d[^()]*)\)([^()\d]*)"),
    "n-": re.compile(r"()(.*\d)-(\D*)"),
}
# Numbers by what stands before their decimals; the other mark is one of thousands,
# which are written with one mark throughout and begin with no zero.
_OTHER = {".": ",", ",": "."}
_NUMBERS = {
    point: re.compile(
        rf"(?P<whole>[1-9]\d{{0,2}}(?P<mark>[{other}' \u00a0\u202f])\d{{3}}"
        rf"(?:(?P=mark)\d{{3}})*|\d*)"
        rf"(?P<decimals>[{point}]\d*)?(?P<exponent>[eE][+-]?\d+)?"
    )
    for point, other in _OTHER.items()
}
# A mark is one of decimals where this share of the values with it say so.
SAYS_DECIMALS = 0.05


@dataclass(frozen=True)
class Writing:
    """How the numbers of a column are written.

    Parameters
    ----------
    before, after : str
        What stands before and behind the digits, such as "$" or " kg".
    point : {".", ","}
        What stands before the decimals.
    doubt : str
        A text with a mark of which nothing says whether it is one of decimals or of
        thousands; empty where the column says it.
    mark : str
        What stands between thousands; empty of nothing.
    negative : {"-n", "(n)", "$(n)", "n-"}
        Where the sign of a negative number n stands, and what it is.
    """

    before: str
    after: str
    point: str
    doubt: str = ""
    mark: str = ""
    negative: str = "-n"

    @property
    def has_unit(self):
        """Whether the digits alone are not the number."""
        return bool(self.before.strip() or self.after.strip())

    def read(self, text):
        """The number that a text is; NaN of another text."""
        parts = _parts_of(text.strip(), self.negative)
        return np.nan if parts is None else self.number(parts)

    def number(self, parts):
        """The number of a text that was taken apart; NaN of another writing."""
        if _units(parts) != (self.before.strip(), self.after.strip()):
            return np.nan
        found = _NUMBERS[self.point].fullmatch(parts["number"])
        if found is None:
            return np.nan
        names = ("whole", "decimals", "exponent")
        whole, decimals, exponent = (found[name] or "" for name in names)
        digits = re.sub(r"\D", "", whole) + decimals.replace(self.point, ".")
        number = float(parts["sign"].replace("\u2212", "-") + digits + exponent)
        # 1e999 is beyond what a float holds, and infinity is no value.
        return number if math.isfinite(number) else math.nan

    def write(self, number, decimals):
        """The text of a number with so many decimals; None of NaN."""
        return None if np.isnan(number) else self.dressed(f"{number:.{decimals}f}")

    def dressed(self, plain):
        """The text of a number that is written plainly, as in "-1234.5"."""
        whole, point, part = plain.removeprefix("-").partition(".")
        if whole.isdecimal():
            whole = f"{int(whole):,}".replace(",", self.mark)
        digits = whole + (point and self.point) + part
        if not plain.startswith("-"):
            return f"{self.before}{digits}{self.after}"
        return {
            "(n)": f"({self.before}{digits}{self.after})",
            "$(n)": f"{self.before}({digits}){self.after}",
            "n-": f"{self.before}{digits}-{self.after}",
        }.get(self.negative, f"-{self.before}{digits}{self.after}")


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


def number_in(text):
    """The number in a text with the marks of English and no unit; NaN of another."""
    ways = (Writing("", "", ".", negative=negative) for negative in _NEGATIVES)
    numbers = (way.read(text) for way in ways)
    return next((number for number in numbers if not np.isnan(number)), np.nan)


def writing_of(values):
    """Say how the numbers of a column of text are written.

    None where it holds others than numbers, few values, or codes: digits alone, also
    behind a plus as in numbers of telephones, or some that begin with zero.
    """
    every = Counter(text.strip() for text in as_text(values) if text is not None)
    counts = {text: n for text, n in every.items() if text.lower() not in MISSING}
    if len(counts) <= FEW or all(t.removeprefix("+").isdecimal() for t in every):
        return None
    negative = _negative_of(counts)
    parts_of = {text: _parts_of(text, negative) for text in counts}
    found = {text: parts for text, parts in parts_of.items() if parts}
    least = READABLE * sum(counts.values())
    plain = [text for text in found if not re.match(r"0\d", found[text]["number"])]
    if _total(counts, plain) < least:
        return None
    units: Counter[tuple] = Counter()
    for text, parts in found.items():
        units[parts["before"], parts["after"]] += counts[text]
    (before, after), _ = units.most_common(1)[0]
    read = {
        point: {t for t, parts in found.items() if not np.isnan(writing.number(parts))}
        for point in _NUMBERS
        for writing in [Writing(before, after, point)]
    }
    enough = [point for point in read if _total(counts, read[point]) >= least]
    if not enough:
        return None
    numbers = {text: found[text]["number"] for text in read["."] | read[","]}
    point, doubt = enough[0], ""
    if len(enough) > 1:
        point, doubt = _point_of(numbers, read, counts)
    if before[:3].isalpha() and (doubt or not _has_decimals(numbers, point, counts)):
        return None
    mark = _mark_of(numbers, point, counts)
    return Writing(before, after, point, doubt, mark, negative)


def _parts_of(text, negative):
    """A text taken apart, its minus before it; None of what is no number."""
    form = _NEGATIVES.get(negative)
    found = form and form.fullmatch(text)
    return _PARTS.fullmatch(f"-{''.join(found.groups())}" if found else text)


def _negative_of(counts):
    """How a column writes negative numbers: as some of them, and not all, are."""
    n_written = {
        negative: _total(counts, filter(form.fullmatch, counts))
        for negative, form in _NEGATIVES.items()
    }
    negative = max(n_written, key=n_written.__getitem__)
    is_some = 0 < n_written[negative] < sum(counts.values())
    return negative if is_some else "-n"


def _point_of(numbers, read, counts):
    """Say what stands before the decimals where both marks may.

    A mark before three digits may be one of decimals or of thousands. Other digits
    behind it, a zero before it, and 1000 without it say that it is one of decimals; two
    of it, and smaller whole numbers without it, one of thousands.

    Parameters
    ----------
    numbers : dict of str to str
        The digits of texts, with their marks.
    read : dict of {".", ","} to set of str
        Which texts are numbers with this before the decimals.
    counts : dict of str to int

    Returns
    -------
    point : {".", ","}
    doubt : str
        A text that may be either, where nothing says which it is.
    """
    either = [t for t in read["."] & read[","] if set(numbers[t]) & set(".,")]
    if not either:
        return max(read, key=lambda point: _total(counts, read[point])), ""
    marks = {p: _total(counts, [t for t in either if p in numbers[t]]) for p in read}
    mark = max(marks, key=marks.__getitem__)
    whole = {t: int(digits) for t, digits in numbers.items() if digits.isdecimal()}
    decimals, thousands = read[mark], read[_OTHER[mark]]
    large = [text for text, number in whole.items() if number >= 1000]
    small = [text for text, number in whole.items() if 0 < number < 1000]
    for_decimals = _total(counts, decimals - thousands) + _total(counts, large)
    for_thousands = _total(counts, thousands - decimals) + _total(counts, small)
    marked = _total(counts, [text for text in numbers if mark in numbers[text]])
    if for_decimals >= SAYS_DECIMALS * marked or for_decimals > for_thousands:
        return mark, ""
    if for_thousands > for_decimals:
        return _OTHER[mark], ""
    # As in English, where nothing decides; the other reading is a thousand times it.
    return ".", min(either)


def _has_decimals(numbers, point, counts):
    """Say whether most numbers have decimals: behind letters others are codes."""
    matches = {text: _NUMBERS[point].fullmatch(part) for text, part in numbers.items()}
    exact = [text for text, found in matches.items() if found and found["decimals"]]
    return 2 * _total(counts, exact) >= _total(counts, numbers)


def _mark_of(numbers, point, counts):
    """What stands between the thousands of most numbers that have some."""
    marks: Counter[str] = Counter()
    for text, digits in numbers.items():
        found = _NUMBERS[point].fullmatch(digits)
        if found and len(found["whole"]) > 3:
            marks[found["mark"] or ""] += counts[text]
    return max(marks, key=marks.__getitem__, default="")


def _total(counts, texts):
    """How many values some texts are."""
    return sum(counts[text] for text in texts)


def _units(parts):
    """What stands before and behind the digits, without what is blank."""
    return parts["before"].strip(), parts["after"].strip()
