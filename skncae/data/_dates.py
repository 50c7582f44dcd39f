"""Columns of dates, times of the day and durations in a typed table."""

import datetime
import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skncae.data._categories import FEW_SHARE
from skncae.data._numbers import USUAL_WIDTH, missing_share, usual_range
from skncae.data._values import FEW, READABLE, Raw

DAY = 86_400.0
# The moments that Python has, since 1970.
_FIRST = datetime.datetime.min - datetime.datetime(1970, 1, 1)
_LAST = datetime.datetime.max - datetime.datetime(1970, 1, 1)
# Less than half of the longest duration that Python has: two may be compared.
_LONGEST = 400_000_000 * DAY
# A day of the week says something where this many weeks were seen, a month where
# this many years.
LEAST_PERIODS = 2

_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(Z|[+-]\d{2}:?\d{2})?"
)
_YEAR = re.compile(r"\b\d{4}\b")
# Two digits where a year stands, of days that no number of a version or part has.
_SHORT_YEAR = re.compile(
    r"\d\d\.\d\d\.\d\d\b|\d{1,2}/\d{1,2}/\d\d\b"
    r"|\d{1,2}[ -][A-Za-z]{3}[ -]\d\d\b|[A-Za-z]{3} \d{1,2}, \d\d\b"
)
# Of which century they are is known where nearly all lie within so many seconds.
ONE_CENTURY = 40 * 366 * DAY
# What one value is, and what many are.
_WORDS = {
    "date": ("date", "dates"),
    "time": ("time of the day", "times of the day"),
    "duration": ("duration", "durations"),
}
# Other ways to write a day, and a time behind it.
_DAYS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
    *("%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %y", "%d-%b-%y", "%b %d, %y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
# Months, where there are too many for categories: some of few are seasons, 2010-11.
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y")
# Ways to write a time of the day, besides "time", to which 15:05 belongs.
_HALF_DAYS = ("%I:%M %p", "%I:%M:%S %p")
# So many texts are tried first.
N_TRIED = 100
_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{2}):(\d{2})")
# A time of the day with its zone, at the end of a date.
_ZONED = re.compile(r":\d\d\S*([Zz]|[+-]\d\d:?\d\d)\s*$")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


@dataclass(frozen=True)
class DateColumn:
    """A column of dates, times or durations, coded in seconds.

    Parameters
    ----------
    name, dtype : str
    family : {"date", "time", "duration"}
    low, high : float
        The range seen in `fit`, in seconds.
    usual : tuple of float
        Between these nearly all values lie.
    step : float
        The resolution: the largest of a day, an hour, a minute, a second and a
        microsecond that all values are multiples of.
    form : str
        "" for values of a date type, else the text that they are read from: "date" or
        "date and time" as in ISO 8601, "time", or a format of `strptime`, of dates or
        times.
    zone : str or None
    has : tuple of str
        The cycles that span and resolution bear: "hour", "weekday", "month".
    n_values : int
    missing_share : float
    unread : tuple of str
        Some of the text that was read as missing.
    """

    is_category: ClassVar[bool] = False
    is_used: ClassVar[bool] = True

    name: str
    dtype: str
    family: str
    low: float
    high: float
    usual: tuple
    step: float
    form: str
    zone: str | None
    has: tuple
    n_values: int
    missing_share: float
    unread: tuple = ()

    @classmethod
    def of(cls, raw, form="", unread=()):
        """Learn the column from seconds."""
        seen = raw.values[~np.isnan(raw.values)]
        step = next(s for s in (DAY, 3600.0, 60.0, 1.0, 1e-6) if _fits(seen, s))
        has = _cycles_of(raw.kind, seen, step)
        if form in _MONTHS:
            # No day is written.
            has = tuple(cycle for cycle in has if cycle != "weekday")
        return cls(
            name=raw.name,
            dtype=raw.dtype,
            family=raw.kind,
            low=float(seen.min()),
            high=float(seen.max()),
            usual=usual_range(seen),
            step=step,
            form=form,
            zone=raw.zone,
            has=has,
            n_values=len(np.unique(seen)),
            missing_share=missing_share(np.isnan(raw.values)),
            unread=unread,
        )

    @property
    def understood(self):
        """What the column is, in words."""
        word, _ = _WORDS[self.family]
        return f"{word} written as text" if self.form else word

    @property
    def plural(self):
        """What the column holds, in words."""
        return _WORDS[self.family][1]

    @property
    def example(self):
        """A value of the column, as text."""
        return str(self.decode(np.array([self.usual[0]]))[0])

    @property
    def use(self):
        """How the column is used, in words."""
        position = "length" if self.family == "duration" else "position in time"
        if self.family == "time":
            position = "position in the day"
        names = {"hour": "hour of the day", "weekday": "day of the week"}
        return ", ".join([position, *(names.get(cycle, cycle) for cycle in self.has)])

    def told(self):
        """What sentences need to know of the column."""
        low, high = self.usual
        if self.family == "time":
            return {"kind": "category"}
        # Dates in text are compared as those of Python.
        value = _moment if self.form else self._value
        return {
            "kind": self.family,
            "spread": datetime.timedelta(seconds=(high - low) / USUAL_WIDTH),
            "low": value(low),
            "high": value(high),
            "writing": self if self.form else None,
        }

    def read(self, text):
        """The date of Python in a text of the column; None of another text."""
        code = _read(text, self.form)
        return None if np.isnan(code) else _moment(code)

    def dressed(self, plain):
        """The text of a date that is written as in ISO 8601."""
        return self._text(datetime.datetime.fromisoformat(plain))

    def accepts(self, raw):
        """Say whether a column that comes in later is of this type."""
        if raw.kind == self.family or raw.says_little:
            return True
        # Text of ISO 8601 is what a file makes of dates.
        is_read = bool(self.form) or not np.isnan(self.encode(raw)).all()
        return raw.kind == "text" and is_read

    def encode(self, raw):
        """Seconds, NaN for what is missing or cannot be read, such as a number."""
        if raw.kind == self.family:
            return raw.values
        if raw.kind != "text":
            return np.full(len(raw.values), np.nan)
        return read_text(raw, self.form or self.family).values

    def numbers(self, codes):
        """What components of numbers see: the position and points on circles."""
        columns = [codes]
        for cycle in self.has:
            turn = 2 * np.pi * _phase(codes, cycle)
            columns += [np.sin(turn), np.cos(turn)]
        return np.stack(columns, axis=1)

    def cycles(self, codes):
        """What else the values say of a row: their places in the cycles."""
        columns = [np.floor(_phase(codes, cycle) * _PARTS[cycle]) for cycle in self.has]
        return np.stack(columns, axis=1) if columns else np.empty((len(codes), 0))

    def decode(self, codes):
        """Return seconds that are expected as values that can be, as they came."""
        codes = np.clip(codes, self.low, self.high)
        codes = np.round(codes / self.step) * self.step
        values = np.empty(len(codes), dtype=object)
        for row, code in enumerate(codes):
            values[row] = None if np.isnan(code) else self._value(float(code))
        return values

    def shown(self, values, codes):
        """Values as in fit, which those of another type or zone are not: comparable."""
        shown = np.empty(len(values), dtype=object)
        for row, (value, code) in enumerate(zip(values, codes, strict=True)):
            shown[row] = None if np.isnan(code) else self._value(float(code))
            if self.form and isinstance(value, str):
                shown[row] = value
        return shown

    def _value(self, code):
        """A date, time or duration of Python, or the text of one."""
        if self.family == "duration":
            return _span(code)
        moment = _moment(code).replace(tzinfo=datetime.UTC)
        if self.family == "time":
            clock = moment.time()
            text = "%H:%M" if self.step >= 60 else "%H:%M:%S"
            text = self.form if "%" in self.form else text
            return clock.strftime(text) if self.form else clock
        if self.form:
            return self._text(moment)
        if self.dtype.lower().startswith("date") and "time" not in self.dtype.lower():
            return moment.date()
        if self.zone is None:
            return moment.replace(tzinfo=None)
        try:
            return moment.astimezone(_zone(self.zone))
        except OverflowError:
            # A day before the first or after the last: of those it stays in UTC.
            return moment

    def _text(self, moment):
        """The text of a date, as the column has it."""
        if "%" in self.form:
            return moment.strftime(self.form)
        if self.form == "date":
            return moment.strftime("%Y-%m-%d")
        if self.zone is not None:
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        is_to_the_minute = self.step >= 60
        return moment.strftime(
            "%Y-%m-%d %H:%M" if is_to_the_minute else "%Y-%m-%d %H:%M:%S"
        )


def _span(code):
    """Seconds as a duration of Python, no longer than it has."""
    code = min(max(code, -_LONGEST), _LONGEST)
    return datetime.timedelta(microseconds=round(code * 1e6))


def _moment(code):
    """Seconds since 1970 as a date of Python; those of numpy go on where they end."""
    span = min(max(_span(code), _FIRST), _LAST)
    return datetime.datetime(1970, 1, 1) + span


def read_text(raw, form):
    """Read text of a form as dates or times of the day.

    Returns
    -------
    read : Raw
        With NaN for what cannot be read, in UTC where most texts name a time zone.
    """
    texts = {value for value in raw.values if isinstance(value, str)}
    found = {text: _read(text, form) for text in texts}
    numbers = np.array([found.get(v, np.nan) for v in raw.values], dtype=np.float64)
    kind = "time" if form in ("time", *_HALF_DAYS) else "date"
    n_zoned = sum(_ZONED.search(text) is not None for text in texts)
    zone = "UTC" if kind == "date" and 2 * n_zoned > len(texts) else None
    return Raw(raw.name, kind, numbers, False, raw.dtype, zone)


def text_form(raw):
    """Say which kind of text of dates a column holds; "" for none."""
    texts = [value for value in raw.values if value is not None]
    is_text = bool(texts) and not raw.is_category
    if not is_text or not all(isinstance(value, str) for value in texts):
        return ""
    counts = Counter(texts)
    for form in ("time", *_HALF_DAYS):
        if _is_readable(counts, form):
            return form
    if _is_readable(counts, "date"):
        lengths = [len(value.strip()) for value in texts]
        return "date and time" if np.median(lengths) > 10 else "date"
    return _written_form(counts)


def _is_readable(counts, form):
    """Say whether nearly all texts are of a form."""
    n_read = sum(n for text, n in counts.items() if not np.isnan(_read(text, form)))
    return n_read >= READABLE * sum(counts.values())


def _written_form(counts):
    """The form of days that are not written as ISO has them; "" of none.

    That which reads most. Where no day is beyond the twelfth, days may be months.
    """
    few = dict(itertools.islice(counts.items(), N_TRIED))
    has_year = [bool(_YEAR.search(t) or _SHORT_YEAR.match(t.strip())) for t in few]
    if np.mean(has_year) < READABLE:
        return ""
    forms = [day + clock for day in _DAYS for clock in _CLOCKS]
    if len(counts) > max(FEW, FEW_SHARE * sum(counts.values())):
        forms += _MONTHS
    forms = [form for form in forms if _is_readable(few, form)]
    readings = {form: tuple(_read(text, form) for text in counts) for form in forms}
    sizes = np.array(list(counts.values()))
    n_read = {form: sizes @ ~np.isnan(readings[form]) for form in forms}
    most = max(n_read.values(), default=0)
    best = [form for form in forms if n_read[form] == most]
    is_one = len({readings[form] for form in best}) == 1
    if not is_one or most < READABLE * sizes.sum():
        return ""
    first, last = np.nanquantile(readings[best[0]], [0.02, 0.98])
    has_century = "%Y" in best[0] or last - first <= ONE_CENTURY
    return best[0] if has_century else ""


def _read(text, form):
    """Seconds of the text of a date or a time; NaN of another text."""
    text = text.strip()
    try:
        if form == "time":
            if not _CLOCK.fullmatch(text):
                return np.nan
            parts = [int(part) for part in text.split(":")]
            return sum(part * size for part, size in zip(parts, (3600, 60, 1)))  # noqa: B905
        if "%" in form:
            moment = datetime.datetime.strptime(text, form)
            if form in _HALF_DAYS:
                return float(moment.hour * 3600 + moment.minute * 60 + moment.second)
        elif _DATE.fullmatch(text):
            moment = datetime.datetime.fromisoformat(text)
        else:
            return np.nan
    except ValueError:
        return np.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)).total_seconds()


def _zone(name):
    """A time zone by name; UTC where this machine does not know it."""
    import zoneinfo

    fixed = _OFFSET.fullmatch(name)
    if fixed:
        sign, hours, minutes = fixed.groups()
        offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
        return datetime.timezone(-offset if sign == "-" else offset)
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return datetime.UTC


def _fits(seen, step):
    """Say whether all values are multiples of a step."""
    return step < 1 or bool((np.mod(seen, step) == 0).all())


def _cycles_of(family, seen, step):
    """Return the cycles that the span and the resolution of dates bear."""
    if family == "duration" or len(seen) < 2:
        return ()
    span = np.subtract(*np.quantile(seen, [0.99, 0.01]))
    periods = {
        "hour": (DAY, 3600.0),
        "weekday": (7 * DAY, DAY),
        "month": (365 * DAY, DAY),
    }
    cycles = []
    for cycle, (length, least_step) in periods.items():
        is_fine = step <= least_step and (
            cycle != "hour" or len(np.unique(np.mod(seen, DAY))) > 1
        )
        if family == "time" and cycle != "hour":
            continue
        if is_fine and (family == "time" or span >= LEAST_PERIODS * length):
            cycles.append(cycle)
    return tuple(cycles)


# Into how many parts a cycle is cut.
_PARTS = {"hour": 24, "weekday": 7, "month": 12}


def _phase(codes, cycle):
    """Place of dates in a cycle, in [0, 1)."""
    if cycle == "hour":
        return np.mod(codes, DAY) / DAY
    if cycle == "weekday":
        # 1970 began on a Thursday.
        return np.mod(codes / DAY + 3, 7) / 7
    there = ~np.isnan(codes)
    phase = np.full(len(codes), np.nan)
    days = np.floor(codes[there] / DAY).astype("int64").astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    part = (days - months).astype(float) / 31
    phase[there] = (months.astype("int64") % 12 + part) / 12
    return phase
