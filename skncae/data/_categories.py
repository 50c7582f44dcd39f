"""Columns of categories in a typed table, and those that are set aside."""

import re
from collections import Counter
from dataclasses import dataclass
from numbers import Integral, Number
from typing import ClassVar

import numpy as np

from skncae.data._numbers import NEARLY_ALL, missing_share
from skncae.data._slips import meant_by
from skncae.data._texts import as_text, keys_of
from skncae.data._values import FEW

# Text has few values where there are FEW, or at most that share of the rows.
FEW_SHARE = 1 / 3
# A category is rare where at most this share of the rows has one as rare.
RARE = 0.05
# Truth values in other places: a database, a CSV file, another library.
_TRUTHS = {"true": 1, "1": 1, "false": 0, "0": 0}
# Columns that come in later as these kinds are of the type that was learnt.
_MOMENTS = ("date", "time", "duration")
_SAME: dict[str, tuple[str, ...]] = {kind: (kind,) for kind in ("boolean", *_MOMENTS)}
_SAME |= {"text": ("text", "other", "boolean")}


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories; the code of each is its place in alphabetical order.

    Parameters
    ----------
    name, dtype : str
    values : ndarray of str of shape (n_values,)
        In alphabetical order.
    counts : ndarray of int of shape (n_values,)
    type : {"text", "boolean", "integer", "number", "date", "time", "duration"}
        What the values were before they were text.
    missing_share : float
    """

    family: ClassVar[str] = "category"
    is_category: ClassVar[bool] = True
    is_used: ClassVar[bool] = True

    name: str
    dtype: str
    values: np.ndarray
    counts: np.ndarray
    type: str
    missing_share: float

    @classmethod
    def of(cls, raw):
        """Learn the column from its values."""
        keys = keys_of(raw)
        counts = Counter(key for key in keys if key is not None)
        values = sorted(counts)
        return cls(
            name=raw.name,
            dtype=raw.dtype,
            values=np.array(values, dtype=object),
            counts=np.array([counts[value] for value in values], dtype=np.int64),
            type=_type_of(raw),
            missing_share=missing_share([key is None for key in keys]),
        )

    @property
    def n_values(self):
        """Number of different values."""
        return len(self.values)

    @property
    def understood(self):
        """What the column is, in words."""
        return "boolean" if self.type == "boolean" else "category"

    @property
    def plural(self):
        """What the column holds, in words."""
        return "truth values" if self.type == "boolean" else "categories"

    @property
    def example(self):
        """A value of the column, as text."""
        return self.values[0]

    @property
    def use(self):
        """How the column is used, in words."""
        return "category"

    @property
    def unseen(self):
        """The code of a category that was never seen; the next one is of a slip."""
        return float(len(self.values))

    @property
    def slips(self):
        """Which codes are slips of the keys, bool of shape (n_values + 2,)."""
        counts = dict(zip(self.values, self.counts.tolist(), strict=True))
        if self.type != "text":
            return np.zeros(len(counts) + 2, dtype=bool)
        seen = [meant_by(text, counts, count) for text, count in counts.items()]
        return np.array([*(meant is not None for meant in seen), False, True])

    def told(self):
        """What sentences need to know of the column."""
        # Of all rows: those without a value are rows too.
        there = (1.0 - self.missing_share) / max(self.counts.sum(), 1)
        values = [self._value(code) for code in range(len(self.values))]
        shares = (self.counts * there).tolist()
        return {"kind": "category", "shares": dict(zip(values, shares, strict=True))}

    def accepts(self, raw):
        """Say whether a column that comes in later is of this type.

        One of another type is where it holds categories that are known: some rows of
        a column of 1, 2 and "4a" are numbers, and so is a chunk of a CSV file of them.
        """
        if raw.kind in _SAME.get(self.type, ("number",)) or raw.is_category:
            return True
        if raw.says_little:
            return True
        if raw.kind == "number" and raw.dtype == self.dtype and self._has_numbers:
            return True
        return bool(set(self.values) & set(self._later_keys(raw)))

    def encode(self, raw):
        """Codes of the values, NaN for what is missing, (n_samples,)."""
        codes = {value: float(code) for code, value in enumerate(self.values)}
        codes[None] = np.nan
        keys = self._later_keys(raw)
        for key in set(keys) - set(codes):
            codes[key] = self._code_of_new(key)
        return np.fromiter((codes[key] for key in keys), float, len(keys))

    @property
    def _has_numbers(self):
        """Whether numbers are among the categories."""
        return any(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in self.values)

    def _later_keys(self, raw):
        """Keys of a column that comes in later, truth values as they were in fit."""
        keys = keys_of(raw)
        truths = {_TRUTHS.get(value.lower()): value for value in self.values}
        if None in truths:
            return keys
        new = set(keys) - set(self.values) - {None}
        names = {key: _TRUTHS[key.lower()] for key in new if key.lower() in _TRUTHS}
        names = {key: truths.get(truth, key) for key, truth in names.items()}
        return np.array([names.get(key, key) for key in keys], dtype=object)

    def _code_of_new(self, key):
        """Code of a category that was never seen."""
        counts = dict(zip(self.values, self.counts.tolist(), strict=True))
        is_slip = self.type == "text" and meant_by(key, counts) is not None
        return self.unseen + is_slip

    def numbers(self, codes):
        """What components of numbers see: how rare a rare category is, (n_samples, 1).

        Minus the log of the share of the rows with a category that is as rare, less
        that of the first share that is called rare: zero for what is common, so that no
        common category speaks against a row, however many categories there are.
        """
        table = np.append(self.surprise, np.nan)
        rows = np.where(np.isnan(codes), len(table) - 1, codes).astype(int)
        return table[rows][:, None]

    @property
    def surprise(self):
        """How rare each category is, then those that were never seen."""
        ordered = np.sort(self.counts)
        as_rare = np.cumsum(ordered)[np.searchsorted(ordered, self.counts, "right") - 1]
        total = max(self.counts.sum(), 1)
        share = np.append(as_rare / total, [1 / (total + 1)] * 2)
        return np.maximum(np.log(RARE) - np.log(share), 0.0)

    def cycles(self, codes):
        """What else the values say of a row, (n_samples, n): nothing."""
        return np.empty((len(codes), 0))

    def decode(self, codes):
        """Return the categories of codes, as they came."""
        values = np.empty(len(codes), dtype=object)
        for row, code in enumerate(codes):
            values[row] = None if np.isnan(code) else self._value(int(code))
        return values

    def shown(self, values, codes):
        """Values as they came, or as in fit where they have another type now."""
        shown = np.empty(len(values), dtype=object)
        for row, (value, code) in enumerate(zip(values, codes, strict=True)):
            is_known = not np.isnan(code) and code < len(self.values)
            new = str(value) if self.type == "text" else value
            shown[row] = self._value(int(code)) if is_known else new
            if np.isnan(code):
                shown[row] = None
        return shown

    def _value(self, code):
        """A category as it came."""
        value = self.values[min(code, len(self.values) - 1)]
        if self.type == "boolean":
            return value == "True"
        return _NUMBER[self.type](value) if self.type in _NUMBER else value


@dataclass(frozen=True)
class AsideColumn:
    """A column that is set aside: free text, an identifier, or nothing at all.

    Of an identifier it is kept which values occur more than once, since two rows with
    one identifier are worth a look.

    Parameters
    ----------
    name, dtype : str
    reason : {"free text", "identifier", "no values", "values of other types"}
    repeated : ndarray of str of shape (n_repeated,)
        Identifiers that occur more than once.
    repeated_share : float
        Share of the rows that have one of these.
    n_values : int
    missing_share : float
    """

    name: str
    dtype: str
    reason: str
    repeated: np.ndarray
    repeated_share: float
    n_values: int
    missing_share: float

    family: ClassVar[str] = "identifier"
    is_category: ClassVar[bool] = True

    @classmethod
    def of(cls, raw, reason):
        """Learn what little is kept of the column."""
        counts = Counter(key for key in keys_of(raw) if key is not None)
        repeated = sorted(k for k, n in counts.items() if n > 1)
        if reason != "identifier":
            repeated = []
        return cls(
            name=raw.name,
            dtype=raw.dtype,
            reason=reason,
            repeated=np.array(repeated, dtype=object),
            repeated_share=sum(counts[k] for k in repeated) / max(len(raw.values), 1),
            n_values=len(counts),
            missing_share=missing_share(~raw.is_there),
        )

    @property
    def understood(self):
        """What the column is, in words."""
        return self.reason

    @property
    def use(self):
        """How the column is used, in words."""
        return "only whether it repeats" if self.is_used else "set aside"

    @property
    def why(self):
        """Why the column is set aside, and what of it is not, in words."""
        return f"{self.reason}, {self.use}" if self.is_used else self.reason

    @property
    def is_used(self):
        """Whether something of the column is used."""
        return len(self.repeated) > 0

    @property
    def slips(self):
        """Which codes are slips of the keys: none."""
        return np.zeros(4, dtype=bool)

    def told(self):
        """What sentences need to know of the column."""
        return {"kind": "identifier"}

    def accepts(self, raw):
        """Say whether a column that comes in later is of this type: any may be."""
        return True

    def encode(self, raw):
        """1 for an identifier that occurs more than once, 0 for others."""
        repeated = set(self.repeated)
        return np.array([float(k in repeated) for k in keys_of(raw)])

    def numbers(self, codes):
        """What components of numbers see: how rare it is to be repeated."""
        rarity = np.log(RARE) - np.log(max(self.repeated_share, 1e-12))
        return (codes * max(rarity, 0.0))[:, None]

    def cycles(self, codes):
        """What else the values say of a row, (n_samples, n): nothing."""
        return np.empty((len(codes), 0))

    def shown(self, values, codes):
        """Values as they came."""
        return values

    def decode(self, codes):
        """Nothing is expected of what is set aside."""
        return np.full(len(codes), None, dtype=object)


def reason_to_set_aside(raw):
    """Say why text is no category; None where it is one."""
    keys = [key for key in as_text(raw.values) if key is not None]
    n_values, n = len(set(keys)), len(keys)
    if n == 0:
        return "no values"
    if raw.kind == "other":
        return "values of other types"
    if n >= 3 and n_values >= min(NEARLY_ALL * n, n):
        return "identifier" if n > NEARLY_ALL * len(raw.values) else "free text"
    return None if n_values <= max(FEW, FEW_SHARE * n) else "free text"


def _type_of(raw):
    """What the values of a column of categories are."""
    values = raw.values
    if raw.kind in ("boolean", *_MOMENTS):
        return raw.kind
    if raw.kind == "number":
        seen = values[~np.isnan(values)]
        return "integer" if (seen == np.round(seen)).all() else "number"
    seen = [value for value in values if value is not None]
    types = (("boolean", bool | np.bool_), ("integer", Integral), ("number", Number))
    for name, kind in types:
        if seen and all(isinstance(value, kind) for value in seen):
            return name
    return "text"


_NUMBER = {"integer": int, "number": float}
