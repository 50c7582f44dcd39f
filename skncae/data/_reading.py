"""Columns out of the frames of pandas, polars and pyarrow, in one form.

The only place that knows these libraries. None is imported: a frame brings its own.
"""

import datetime
import math
import os
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

import numpy as np

# Microseconds in a second: what dates and times are counted in.
MICROSECONDS = 1e6

# From here on whole numbers are no longer all floats.
EXACT_BELOW = 2.0**53

# Between which seconds since 1970 there are dates of Python, what time zones take of
# them, and between which seconds there are durations.
DATES, ZONES = (-62_135_596_800.0, 253_402_300_799.0), 86_400.0
DURATIONS = (-86_399_999_913_600.0, 86_399_999_913_600.0)

# Types with a value that stands for none, which differs from itself.
_HAVE_NONE = float | np.floating | Decimal | np.datetime64 | np.timedelta64

# Text has few values where there are at most so many.
FEW = 20
# Text is taken for dates or numbers where this share of its values can be read as one.
READABLE = 0.95
# Of fewer texts it cannot be said that their column is written in another way.
LEAST_UNREAD = 3


@dataclass(frozen=True)
class Raw:
    """The values of one column, as they came.

    Parameters
    ----------
    name : str
    kind : {"number", "boolean", "text", "date", "time", "duration", "other"}
    values : ndarray of shape (n_samples,)
        float64 with NaN for missing; of "text" and "other" objects with None. Dates
        are seconds since 1970, times of the day since midnight, durations in seconds.
    is_category : bool
        Whether its type says that it holds categories.
    dtype : str
        The type, in the words of its library.
    zone : str or None
        The time zone of dates.
    exact : ndarray of str of shape (n_samples,) or None
        Whole numbers in all their digits, None for missing, where float64 has no place
        for those of some.
    """

    name: str
    kind: str
    values: np.ndarray
    is_category: bool = False
    dtype: str = ""
    zone: str | None = None
    exact: np.ndarray | None = None

    @property
    def is_there(self):
        """Which values are not missing, bool of shape (n_samples,)."""
        if self.values.dtype == object:
            return np.array([value is not None for value in self.values], dtype=bool)
        return ~np.isnan(self.values)

    @property
    def says_little(self):
        """Whether these are few values, as a column of text may have beside others."""
        is_object = self.dtype == "object" and self.kind in ("number", "boolean")
        is_of_text = self.kind == "text" or is_object
        return is_of_text and np.count_nonzero(self.is_there) < LEAST_UNREAD


def library_of(X):
    """Return "pandas", "polars" or "pyarrow", or None for what is no frame of them."""
    name = type(X).__name__
    root = type(X).__module__.partition(".")[0]
    is_frame = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "Table"}
    if root in is_frame and name == is_frame[root]:
        return root
    # A frame of a subclass, such as GeoDataFrame.
    for base in type(X).__mro__:
        root = base.__module__.partition(".")[0]
        if root in is_frame and base.__name__ == is_frame[root]:
            return root
    return None


def frame_instead_of(X):
    """Say how to make a frame of what is nearly one; "" of anything else."""
    root = type(X).__module__.partition(".")[0]
    if isinstance(X, str | os.PathLike):
        return "pandas.read_csv(X), where it names a file of rows"
    if isinstance(X, list) and X and all(isinstance(row, dict) for row in X):
        return "pandas.DataFrame(X)"
    ways = {
        ("polars", "LazyFrame"): "X.collect()",
        ("polars", "Series"): "X.to_frame()",
        ("pandas", "Series"): "X.to_frame(), or X.to_frame().T where it is a row",
        ("pyarrow", "RecordBatch"): "pyarrow.Table.from_batches([X])",
    }
    return ways.get((root, type(X).__name__), "")


def is_all_numeric(X):
    """Say whether a frame has only numbers and booleans of plain types."""
    library = library_of(X)
    if library == "pandas":
        kinds = [
            dtype.kind if isinstance(dtype, np.dtype) else "?" for dtype in X.dtypes
        ]
        return all(kind in "biuf" for kind in kinds)
    if library == "polars":
        return all(dtype.is_numeric() or str(dtype) == "Boolean" for dtype in X.dtypes)
    return all(_arrow_kind(field.type) in ("number", "boolean") for field in X.schema)


def objects_of(X, names):
    """Values of a frame or array as they are, (n_samples, n_columns) of objects."""
    library = library_of(X)
    if library is None:
        return np.asarray(X).astype(object)
    values = np.empty((len(X), len(names)), dtype=object)
    at = {str(name): place for place, name in enumerate(names_of(X))}
    for place, name in enumerate(names):
        if library == "pandas":
            column = X.iloc[:, at[name]]
            if str(column.dtype).startswith("period"):
                column = column.dt.to_timestamp()
            of_column = np.array(column.astype(object), dtype=object)
        elif library == "polars":
            of_column = _polars_values(X.get_column(name))
        else:
            of_column = _arrow_values(X.column(at[name]))
        # A number that is compared with what was expected.
        values[:, place] = _listed(
            [float(v) if isinstance(v, Decimal | Fraction) else v for v in of_column]
        )
    return values


def index_of(X):
    """Labels of the rows of a frame that has some, such as one of pandas; else None."""
    # A list has an index too, which is a method.
    return X.index if hasattr(X, "columns") and hasattr(X, "index") else None


def as_frame(values, names, like):
    """Put columns of objects into a frame of the library that `like` is of."""
    library = library_of(like)
    if library is None:
        return values
    module = sys.modules[library]
    columns = dict(zip(names, values.T.tolist(), strict=True))
    if library == "pandas":
        return module.DataFrame(columns, index=like.index)
    if library == "polars":
        return module.DataFrame(columns, strict=False)
    return module.table(columns)


def names_of(X):
    """Names of the columns of a frame, as they are."""
    return list(X.column_names if library_of(X) == "pyarrow" else X.columns)


def columns_of(X):
    """Read all columns of a frame.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or Table of pyarrow

    Returns
    -------
    columns : list of Raw
    """
    read = {"pandas": _from_pandas, "polars": _from_polars, "pyarrow": _from_arrow}
    return read[library_of(X)](X)


def _from_pandas(X):
    # A name of several levels has numbers of numpy where it is taken out by position.
    names = map(str, names_of(X))
    return [_pandas_column(name, X.iloc[:, j]) for j, name in enumerate(names)]


def _pandas_column(name, column):
    dtype, missing = str(column.dtype), column.isna().to_numpy(dtype=bool)
    is_category = dtype == "category"
    if is_category:
        return Raw(name, "text", _objects(column, missing), True, dtype)
    kind = getattr(column.dtype, "kind", "O")
    if dtype.startswith(("date32", "date64")):
        # Days of pyarrow, which pandas turns into moments where none is missing only.
        values = _objects(column, missing)
        return replace(_from_objects(name, values, dtype, "date"), dtype=dtype)
    if dtype.startswith("period"):
        column, kind = column.dt.to_timestamp(), "M"
    if kind == "M":
        zone = getattr(column.dtype, "tz", None)
        pyarrow_zone = getattr(getattr(column.dtype, "pyarrow_dtype", None), "tz", None)
        zone = zone or pyarrow_zone
        if zone is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        values = column.to_numpy(
            dtype=_numpy_type(column), na_value=np.datetime64("NaT")
        )
        return Raw(name, "date", seconds(values), False, dtype, zone and str(zone))
    if kind == "m":
        values = column.to_numpy(
            dtype=_numpy_type(column), na_value=np.timedelta64("NaT")
        )
        return Raw(name, "duration", seconds(values), False, dtype)
    if kind == "b" or dtype in ("boolean", "bool[pyarrow]"):
        return Raw(name, "boolean", _floats(column, missing), False, dtype)
    if kind in "iuf" and kind != "O":
        numbers = _floats(column, missing)
        is_whole = kind in "iu" and _is_beyond(numbers)
        exact = _digits(_objects(column, missing)) if is_whole else None
        return Raw(name, "number", numbers, False, dtype, exact=exact)
    return _from_objects(name, _objects(column, missing), dtype)


def _numpy_type(column):
    """Type of numpy that holds all dates or durations of a pandas column."""
    dtype = getattr(column.dtype, "numpy_dtype", column.dtype)
    return dtype if isinstance(dtype, np.dtype) and dtype.kind in "mM" else "M8[us]"


def _floats(column, missing):
    """A pandas column as float64, NaN where it is missing."""
    values = np.full(len(column), np.nan)
    values[~missing] = column.array[~missing].astype(np.float64)
    return values


def _objects(column, missing):
    """A pandas column as objects, None where it is missing."""
    values = np.array(column.astype(object), dtype=object)
    values[missing] = None
    return values


def _from_polars(X):
    return [_polars_column(name, X.get_column(name)) for name in X.columns]


def _polars_column(name, column):
    dtype = str(column.dtype)
    root = dtype.partition("(")[0]
    if root in ("Categorical", "Enum"):
        return Raw(name, "text", _listed(column.to_list()), True, dtype)
    if root in ("Date", "Datetime"):
        zone = getattr(column.dtype, "time_zone", None)
        return Raw(name, "date", _polars_seconds(column), False, dtype, zone)
    if root in ("Duration", "Time"):
        kind = "duration" if root == "Duration" else "time"
        return Raw(name, kind, _polars_seconds(column), False, dtype)
    if root == "Boolean" or column.dtype.is_numeric():
        kind = "boolean" if root == "Boolean" else "number"
        numbers = column.cast(float).to_numpy().astype(float)
        is_whole = column.dtype.is_integer() and _is_beyond(numbers)
        exact = _digits(_listed(column.to_list())) if is_whole else None
        return Raw(name, kind, numbers, False, dtype, exact=exact)
    return _from_objects(name, _listed(column.to_list()), dtype)


def _polars_seconds(column):
    """Seconds of dates, durations or times of the day."""
    units = {"Date": "D", "Time": "ns"}
    unit = units.get(str(column.dtype)) or column.dtype.time_unit
    integers = column.to_physical().fill_null(0).to_numpy().astype(np.int64)
    is_there = column.is_not_null().to_numpy()
    return np.where(is_there, seconds(integers.view(f"M8[{unit}]")), np.nan)


def _polars_values(column):
    """Values of Python, None for dates and durations that it has not."""
    root = str(column.dtype).partition("(")[0]
    if root not in ("Date", "Datetime", "Duration"):
        return _listed(column.to_list())
    is_one = _are_of_python(_polars_column("", column))
    mask = sys.modules["polars"].Series(is_one)
    return _spread(column.filter(mask).to_list(), is_one)


def _from_arrow(X):
    columns = zip(X.column_names, X.columns, strict=True)
    return [_arrow_column(name, column) for name, column in columns]


def _arrow_column(name, column):
    dtype = str(column.type)
    kind = _arrow_kind(column.type)
    if kind in ("date", "duration"):
        zone = getattr(column.type, "tz", None)
        return Raw(name, kind, _arrow_seconds(column), False, dtype, zone)
    if kind in ("number", "boolean", "time"):
        read = _from_objects(name, _listed(column.to_pylist()), dtype, kind)
        return Raw(name, kind, read.values, False, dtype, exact=read.exact)
    values = _listed(column.to_pylist())
    if dtype.startswith("dictionary"):
        return Raw(name, "text", values, True, dtype)
    return _from_objects(name, values, dtype)


def _arrow_values(column):
    """Values of Python, None for dates and durations that it has not."""
    if _arrow_kind(column.type) not in ("date", "duration"):
        return _listed(column.to_pylist())
    is_one = _are_of_python(_arrow_column("", column))
    mask = sys.modules["pyarrow"].array(is_one)
    return _spread(column.filter(mask).to_pylist(), is_one)


def _arrow_seconds(column):
    """Seconds of dates or durations, which may be beyond those of Python."""
    name = str(column.type)
    unit = {"date32[day]": "D", "date64[ms]": "ms"}.get(name) or column.type.unit
    integers = column.cast(f"int{column.type.bit_width}").fill_null(0)
    numbers = seconds(integers.to_numpy().astype(np.int64).view(f"M8[{unit}]"))
    return np.where(column.is_null().to_numpy(), np.nan, numbers)


def _are_of_python(raw):
    """Say which dates, in whichever time zone, or durations Python has too."""
    first, last = DATES if raw.kind == "date" else DURATIONS
    margin = ZONES if raw.zone else 0.0
    return (raw.values >= first + margin) & (raw.values <= last - margin)


def _spread(values, where):
    """Values at their places among others, which are None."""
    spread = np.full(len(where), None, dtype=object)
    spread[where] = _listed(values)
    return spread


def _arrow_kind(dtype):
    """Kind of a type of pyarrow."""
    name = str(dtype)
    if name == "bool":
        return "boolean"
    if name.startswith(("int", "uint", "float", "half", "double", "decimal")):
        return "number"
    for prefix, kind in (("date", "date"), ("timestamp", "date"), ("time", "time")):
        if name.startswith(prefix):
            return kind
    return "duration" if name.startswith("duration") else "other"


def _listed(values):
    """A list as an array of objects, which numpy must not look into."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _from_objects(name, values, dtype, kind=None):
    """Read a column of Python objects by what they are."""
    there = np.array([not is_missing(value) for value in values], dtype=bool)
    if kind is None:
        kind = _kind_of(values[there])
    zone = None
    if kind in ("text", "other"):
        values = values.copy()
        values[~there] = None
        return Raw(name, kind, values, False, dtype)
    if kind == "date":
        if not any(isinstance(v, datetime.datetime) for v in values[there]):
            dtype = "date"
        zones = {str(v.tzinfo) for v in values[there] if getattr(v, "tzinfo", None)}
        zone = zones.pop() if len(zones) == 1 else ("UTC" if zones else None)
    numbers = np.full(len(values), np.nan)
    numbers[there] = [_AS_NUMBER[kind](value) for value in values[there]]
    is_whole = kind == "number" and _is_beyond(numbers)
    exact = _digits(np.where(there, values, None)) if is_whole else None
    return Raw(name, kind, numbers, False, dtype, zone, exact)


def _is_beyond(numbers):
    """Say whether float64 may have one number for several whole ones.

    Infinity is refused later on.
    """
    sizes = np.abs(numbers)
    return bool((sizes >= EXACT_BELOW).any() and not np.isinf(sizes).any())


def _digits(values):
    """Whole numbers as text, None for missing; None where some are not whole."""
    there = [value for value in values if value is not None]
    whole = Integral | Decimal
    if not all(isinstance(v, whole) and v == int(v) for v in there):
        return None
    texts = [None if value is None else str(int(value)) for value in values]
    return np.array(texts, dtype=object)


def is_missing(value):
    """Say whether a value is None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, _HAVE_NONE) and bool(value != value)


def _kind_of(values):
    """Kind of Python objects, none of them missing."""
    if all(isinstance(value, str) for value in values):
        return "text"
    for kind, types in _TYPES.items():
        if all(isinstance(value, types) for value in values):
            return kind
    plain = str | Real | Decimal | np.bool_
    is_plain = all(isinstance(value, plain) for value in values)
    return "text" if is_plain else "other"


def as_float(value):
    """A number as a float, infinity of one that no float holds."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _date_seconds(value):
    """Seconds since 1970 of a date."""
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return (value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)).total_seconds()


def _time_seconds(value):
    """Seconds since midnight."""
    clock = value.hour * 3600 + value.minute * 60 + value.second
    return clock + value.microsecond / MICROSECONDS


def seconds(values):
    """Dates or durations of numpy as seconds, NaN where they are missing."""
    unit, _ = np.datetime_data(values.dtype)
    # Finer ones than microseconds are rounded down, and coarser ones kept as they are:
    # as microseconds the largest would be others.
    known = unit if unit in _IN_A_SECOND else "us" if unit == "ns" else "s"
    values = values.astype(f"{values.dtype.kind}8[{known}]")
    numbers = values.astype("int64").astype(np.float64) / _IN_A_SECOND[known]
    return np.where(np.isnat(values), np.nan, numbers)


_IN_A_SECOND = {"s": 1.0, "ms": 1e3, "us": MICROSECONDS}

# The first kind that all values have; True is an int, and a datetime a date.
_TYPES: dict[str, tuple] = {
    "boolean": (bool, np.bool_),
    "number": (int, float, np.integer, np.floating, Decimal, Fraction),
    "date": (datetime.date,),
    "time": (datetime.time,),
    "duration": (datetime.timedelta,),
}
_AS_NUMBER = {
    "boolean": float,
    "number": as_float,
    "date": _date_seconds,
    "time": _time_seconds,
    "duration": lambda value: value.total_seconds(),
}
