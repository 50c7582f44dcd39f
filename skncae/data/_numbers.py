"""Columns of numbers in a typed table."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skncae.data._number_text import Writing, read_numbers

# Integers all of which differ are an identifier where so many of them would meet by
# chance were they numbers of that range ...
CHANCE_MEETINGS = 10
# ... and where so many of the values are different.
NEARLY_ALL = 0.98

# A column whose values have more digits after the point is written with as many as its
# spread bears.
MOST_DECIMALS = 4

# Deviations of a normal distribution between the ends of its `usual_range`.
USUAL_WIDTH = 4.65


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, which are their own code.

    Parameters
    ----------
    name, dtype : str
    low, high : float
        The range seen in `fit`.
    usual : tuple of float
        Between these nearly all values lie.
    decimals : int
        How many digits after the point are enough for each.
    is_whole : bool
        Whether all values seen were whole numbers.
    n_values : int
        Number of different values.
    missing_share : float
    writing : tuple of str
        Of numbers written as text, the parameters of `Writing`; else empty.
    unread : tuple of str
        Some of the text that was read as missing.
    """

    family: ClassVar[str] = "number"
    is_category: ClassVar[bool] = False
    is_used: ClassVar[bool] = True

    name: str
    dtype: str
    low: float
    high: float
    usual: tuple
    decimals: int
    is_whole: bool
    n_values: int
    missing_share: float
    writing: tuple = ()
    unread: tuple = ()

    @classmethod
    def of(cls, raw, writing=(), unread=()):
        """Learn the column from its values."""
        seen = raw.values[~np.isnan(raw.values)]
        return cls(
            name=raw.name,
            dtype=raw.dtype,
            low=float(seen.min()),
            high=float(seen.max()),
            usual=usual_range(seen),
            decimals=_enough_decimals(seen[:1000]),
            is_whole=bool((seen == np.round(seen)).all()),
            n_values=len(np.unique(seen)),
            missing_share=missing_share(np.isnan(raw.values)),
            writing=writing,
            unread=unread,
        )

    @property
    def understood(self):
        """What the column is, in words."""
        number = "whole number" if self.is_whole else "number"
        return f"{number} written as text" if self.writing else number

    @property
    def plural(self):
        """What the column holds, in words."""
        return "numbers written as text" if self.writing else "numbers"

    @property
    def example(self):
        """A value of the column, as text."""
        return str(self.decode(np.array([self.usual[0]]))[0])

    @property
    def use(self):
        """How the column is used, in words."""
        return "number"

    def told(self):
        """What sentences need to know of the column."""
        low, high = self.usual
        return {
            "kind": "number",
            "spread": (high - low) / USUAL_WIDTH,
            "low": low,
            "high": high,
            "decimals": self.decimals if self.decimals <= MOST_DECIMALS else None,
            "writing": Writing(*self.writing) if self.writing else None,
        }

    def accepts(self, raw):
        """Say whether a column that comes in later is of this type."""
        if self.writing and raw.kind == "text":
            return True
        is_number = raw.kind in ("number", "boolean") and not raw.is_category
        return is_number and (not self._has_unit or raw.says_little)

    def encode(self, raw):
        """Codes of the values: themselves, (n_samples,); NaN of unreadable text."""
        if raw.kind == "text":
            return read_numbers(raw.values, Writing(*self.writing))
        if self._has_unit:
            # As beside text that has one.
            return np.full(len(raw.values), np.nan)
        if np.isinf(raw.values).any():
            raise ValueError(
                f"Column {self.name!r} contains infinity, or a number beyond 1.8e308. "
                "Replace it by a number, or by a missing value."
            )
        return raw.values

    @property
    def _has_unit(self):
        """Whether numbers alone are not what their text was read as."""
        return bool(self.writing) and Writing(*self.writing).has_unit

    def numbers(self, codes):
        """What components of numbers see, (n_samples, n)."""
        return codes[:, None]

    def cycles(self, codes):
        """What else the values say of a row, (n_samples, n): nothing."""
        return np.empty((len(codes), 0))

    def shown(self, values, codes):
        """Values as they came, truth values as the numbers that they are here."""
        if self.writing:
            return values
        shown = [int(v) if isinstance(v, bool | np.bool_) else v for v in values]
        return np.array(shown, dtype=object)

    def decode(self, codes):
        """Return codes that are expected as values that can be, within those seen."""
        codes = np.clip(codes, self.low, self.high)
        codes = np.round(codes) if self.is_whole else codes
        if not self.writing:
            return codes
        writing = Writing(*self.writing)
        texts = [writing.write(code, self.decimals) for code in codes]
        return np.array(texts, dtype=object)


def is_identifier(raw):
    """Say whether whole numbers tell rows apart and mean nothing else.

    They are (nearly) all different, though in so narrow a range many would be equal by
    chance. Numbers that measure something either repeat or have room not to.
    """
    seen = raw.values[~np.isnan(raw.values)]
    if len(seen) < 20 or not (seen == np.round(seen)).all():
        return False
    digits = seen if raw.exact is None else raw.exact[raw.is_there].astype(str)
    n_values, width = len(np.unique(digits)), np.ptp(seen) + 1
    by_chance = len(seen) ** 2 / (2 * width)
    return n_values >= NEARLY_ALL * len(seen) and by_chance >= max(
        CHANCE_MEETINGS, 4 * (len(seen) - n_values)
    )


def usual_range(seen):
    """Quantiles that nearly all values lie between."""
    return tuple(np.quantile(seen, [0.01, 0.99], method="nearest").tolist())


def _enough_decimals(seen):
    """Digits after the point that are enough to write values, 6 at most."""
    for decimals in range(6):
        if np.allclose(seen, np.round(seen, decimals), rtol=1e-9, atol=0):
            return decimals
    return 6


def missing_share(missing):
    """Share of the entries that are missing, 0 of none at all."""
    return float(np.mean(missing)) if len(missing) else 0.0
