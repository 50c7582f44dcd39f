"""Columns out of the frames of pandas, polars and pyarrow, in one form.

The only place that knows these libraries. None is imported: a frame brings its own.
"""

import datetime
import os
import sys
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from skncae.data._values import (
    Raw,
    digits_of,
    from_objects,
    is_beyond,
    listed,
    seconds,
    spread,
)

# Between which whole seconds since 1970 there are dates of Python, what time zones take
# of them, and between which seconds there are durations.
DATES = tuple(
    (end.replace(microsecond=0) - datetime.datetime(1970, 1, 1)).total_seconds()
    for end in (datetime.datetime.min, datetime.datetime.max)
)
ZONES = datetime.timedelta(days=1).total_seconds()
DURATIONS = (
    datetime.timedelta.min.total_seconds(),
    -datetime.timedelta.min.total_seconds(),
)


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
        values[:, place] = listed(
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
        return replace(from_objects(name, values, dtype, "date"), dtype=dtype)
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
        is_whole = kind in "iu" and is_beyond(numbers)
        exact = digits_of(_objects(column, missing)) if is_whole else None
        return Raw(name, "number", numbers, False, dtype, exact=exact)
    return from_objects(name, _objects(column, missing), dtype)


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
        return Raw(name, "text", listed(column.to_list()), True, dtype)
    if root in ("Date", "Datetime"):
        zone = getattr(column.dtype, "time_zone", None)
        return Raw(name, "date", _polars_seconds(column), False, dtype, zone)
    if root in ("Duration", "Time"):
        kind = "duration" if root == "Duration" else "time"
        return Raw(name, kind, _polars_seconds(column), False, dtype)
    if root == "Boolean" or column.dtype.is_numeric():
        kind = "boolean" if root == "Boolean" else "number"
        numbers = column.cast(float).to_numpy().astype(float)
        is_whole = column.dtype.is_integer() and is_beyond(numbers)
        exact = digits_of(listed(column.to_list())) if is_whole else None
        return Raw(name, kind, numbers, False, dtype, exact=exact)
    return from_objects(name, listed(column.to_list()), dtype)


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
        return listed(column.to_list())
    is_one = _are_of_python(_polars_column("", column))
    mask = sys.modules["polars"].Series(is_one)
    return spread(column.filter(mask).to_list(), is_one)


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
        read = from_objects(name, listed(column.to_pylist()), dtype, kind)
        return Raw(name, kind, read.values, False, dtype, exact=read.exact)
    values = listed(column.to_pylist())
    if dtype.startswith("dictionary"):
        return Raw(name, "text", values, True, dtype)
    return from_objects(name, values, dtype)


def _arrow_values(column):
    """Values of Python, None for dates and durations that it has not."""
    if _arrow_kind(column.type) not in ("date", "duration"):
        return listed(column.to_pylist())
    is_one = _are_of_python(_arrow_column("", column))
    mask = sys.modules["pyarrow"].array(is_one)
    return spread(column.filter(mask).to_pylist(), is_one)


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
