"""Tables in files, read whole or a chunk at a time; what is wrong is named by line.

CSV (and TSV, ...) and parquet. A file that cannot be read raises `TableError`, whose
text is one line that names the file, the line and the column.
"""

import io
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from skncae.data._csv_files import (
    TableError,
    check_names,
    line_of,
    naming,
    opened,
    separator_of,
    twins,
)

# Files that are larger together than this are read a chunk at a time.
LARGE_BYTES = 2**30
CHUNK_ROWS = 50_000
# Before the name of a row while pandas reads it, so that 007 and NA stay what they are.
MARK = "="
# A column of text is one of numbers with slips where so many of its values are numbers.
MOSTLY_NUMBERS = 0.9


@dataclass
class Tables:
    """Files with the same columns, one after the other.

    Parameters
    ----------
    paths : sequence of str
        "-" is the standard input.
    index : str or None
        The column that names the rows, as the text that a CSV file has there; None
        counts them, from 0, over all files.
    drop : sequence of str
        Columns to leave out.
    missing : sequence of str
        What stands for no value, besides what pandas takes for it.
    chunk_rows : int or None
        How many rows to read at once; None reads small files whole.
    """

    paths: tuple
    index: str | None = None
    drop: tuple = ()
    missing: tuple = ()
    chunk_rows: int | None = None
    dtypes: dict = field(default_factory=dict)

    def __post_init__(self):
        self._stdin = None
        if self.index in self.drop:
            raise TableError(
                f"--index and --drop both name the column {self.index!r}. Leave out "
                "--drop: a column that names the rows is not learnt from"
            )
        for path in self.paths:
            if path != "-" and not Path(path).is_file():
                kind = "is a folder" if Path(path).is_dir() else "no such file"
                raise TableError(f"{path}: {kind}")
        if self.chunk_rows is None and self._n_bytes() > LARGE_BYTES:
            self.chunk_rows = CHUNK_ROWS

    @property
    def is_whole(self):
        """Say whether the files are read whole."""
        return self.chunk_rows is None

    def whole(self):
        """Read all files into one frame."""
        import pandas

        frames = list(self.chunks())
        return frames[0] if len(frames) == 1 else pandas.concat(frames)

    def chunks(self):
        """Yield frames, with the same columns and types and the labels of the rows."""
        n_before, names = 0, None
        for path in self.paths:
            for frame, first in self._frames(path):
                if names is None:
                    names = list(frame.columns)
                elif list(frame.columns) != names:
                    raise TableError(f"{path}: {_difference(frame.columns, names)}")
                frame = self._typed(self._kept(frame, path), path, first)
                yield self._labelled(frame, n_before)
                n_before += len(frame)
        if not n_before:
            raise TableError(f"{', '.join(self.paths)}: no rows")

    def _n_bytes(self):
        return sum(Path(path).stat().st_size for path in self.paths if path != "-")

    def _frames(self, path):
        """Yield frames of a file, each with the number of rows before it."""
        source = path if path != "-" else self._standard_input()
        if _is_parquet(source):
            yield from self._parquet(path, source)
        else:
            yield from self._csv(path, source)

    def _standard_input(self):
        """The bytes of the standard input, which can be read once only."""
        if sys.stdin is None:
            raise TableError("-: the standard input is closed. Name a file")
        if self._stdin is None:
            self._stdin = sys.stdin.buffer.read()
        return self._stdin

    def _csv(self, path, source):
        """Yield frames of a CSV file."""
        import pandas

        with naming(path, source):
            separator = separator_of(source)
            check_names(path, source, separator)
            options = {"sep": separator, "na_values": list(self.missing)}
            if self.index is not None:
                options["converters"] = {self.index: _marked}
            if self.is_whole:
                with opened(source) as file:
                    frame = pandas.read_csv(file, low_memory=False, **options)
                yield self._unmarked(frame), 0
                return
            n_before = 0
            with (
                opened(source) as file,
                pandas.read_csv(file, chunksize=self.chunk_rows, **options) as read,
            ):
                for frame in read:
                    yield self._unmarked(frame), n_before
                    n_before += len(frame)

    def _unmarked(self, frame):
        """A frame of a CSV file, with the names of its rows as they are there."""
        if self.index in frame.columns:
            frame[self.index] = frame[self.index].str[len(MARK) :]
        return frame.reset_index(drop=True)

    def _parquet(self, path, source):
        """Yield frames of a parquet file."""
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError(
                'Parquet files need pyarrow. Run: pip install "skncae[cli]"'
            ) from error
        try:
            is_bytes = isinstance(source, bytes)
            file = parquet.ParquetFile(io.BytesIO(source) if is_bytes else source)
            several = twins(file.schema_arrow.names)
            if several:
                raise TableError(f"{path}: two columns are named {several[0]!r}")
            if self.is_whole:
                yield _with_its_index(file.read().to_pandas()), 0
                return
            n_before, counted = 0, _counted(file)
            for batch in file.iter_batches(self.chunk_rows):
                frame = pyarrow.Table.from_batches([batch]).to_pandas()
                if counted is not None:
                    frame.index = counted[n_before : n_before + len(batch)]
                yield _with_its_index(frame), n_before
                n_before += len(batch)
        except pyarrow.ArrowException as error:
            first = str(error).splitlines()[0]
            raise TableError(f"{path}: no parquet file: {first}") from error

    def _kept(self, frame, path):
        """Leave out the columns that are not wanted."""
        of_names = [] if self.index is None else [self.index]
        has = ", ".join(map(str, frame.columns[:8]))
        for name in [*self.drop, *of_names]:
            if name not in frame.columns:
                raise TableError(f"{path}: no column {name!r} (it has {has})")
        frame = frame.drop(columns=list(self.drop))
        if list(frame.columns) == of_names:
            raise TableError(
                f"{path}: no column is left to learn from (it has {has}). Give --drop "
                "and --index fewer of them"
            )
        return frame

    def _typed(self, frame, path, n_before):
        """Give text of dates and of numbers with slips its type, or say where it slips.

        The types of later chunks are those of the first one.
        """
        import pandas

        for name in frame.columns:
            values = frame[name]
            kind = self.dtypes.get(name)
            if pandas.api.types.is_numeric_dtype(values) or name == self.index:
                self.dtypes.setdefault(name, "number")
            elif kind == "number" or (kind is None and _is_mostly_numbers(values)):
                self._refuse_slip(values, path, n_before)
                frame[name] = pandas.to_numeric(values)
                self.dtypes[name] = "number"
            elif kind in (None, "date") and values.dtype.kind in "OTU":
                dates = _as_dates(values)
                self.dtypes[name] = "text" if dates is None else "date"
                frame[name] = values if dates is None else dates
        return frame

    def _refuse_slip(self, values, path, n_before):
        """Name the first value of a column of numbers that is none."""
        import pandas

        is_slip = pandas.to_numeric(values, errors="coerce").isna() & values.notna()
        if not is_slip.any() or values.name == self.index:
            return
        row = int(is_slip.to_numpy().argmax())
        value = values.iloc[row]
        place = f"row {n_before + row}"
        if path != "-" and not _is_parquet(path):
            place = f"line {line_of(path, n_before + row)}"
        raise TableError(
            f"{path}, {place}, column {values.name!r}: {value!r} is no number, as the "
            f"others are. Mend it, or take it for missing: --missing {value!r}"
        )

    def _labelled(self, frame, n_before):
        """Name the rows, by their column or by their number."""
        import pandas

        if self.index is not None:
            return frame.set_index(self.index)
        return frame.set_index(pandas.RangeIndex(n_before, n_before + len(frame)))


def _marked(name):
    """Text that pandas takes neither for a number nor for a missing value."""
    return MARK + name


def _is_parquet(source):
    """Say whether a file, or bytes, begin as parquet does."""
    if isinstance(source, bytes):
        return source[:4] == b"PAR1"
    with open(source, "rb") as file:
        return file.read(4) == b"PAR1"


def _counted(file):
    """Names of rows that pandas stored as a range in place of a column, or None.

    pyarrow gives them for the whole of a parquet file only.
    """
    import pandas

    for stored in (file.schema_arrow.pandas_metadata or {}).get("index_columns", ()):
        if isinstance(stored, dict) and stored.get("name") is not None:
            ends = (stored[end] for end in ("start", "stop", "step"))
            counted = pandas.RangeIndex(*ends, name=stored["name"])
            return counted if len(counted) == file.metadata.num_rows else None
    return None


def _with_its_index(frame):
    """A frame with the index that it was stored with as a column, if it is no count."""
    import pandas

    is_count = isinstance(frame.index, pandas.RangeIndex) and frame.index.name is None
    return frame.reset_index(drop=is_count)


def _difference(names, expected):
    """Say in which columns a file differs from the first one."""
    lost = [name for name in expected if name not in list(names)]
    new = [name for name in names if name not in expected]
    if lost:
        return f"no column {lost[0]!r}, which the first file has"
    if new:
        return f"column {new[0]!r}, which the first file has not"
    return "the columns of the first file in another order"


def _is_mostly_numbers(values):
    """Say whether most of the text in a column reads as numbers."""
    import pandas

    if values.dtype.kind not in "OTU" or not values.notna().any():
        return False
    present = values.dropna()
    return pandas.to_numeric(present, errors="coerce").notna().mean() >= MOSTLY_NUMBERS


def _as_dates(values):
    """Text as dates, where all of it is; None where it is not."""
    import pandas

    present = values.dropna()
    if not len(present) or not re.match(r"\d{4}-\d\d-\d\d", str(present.iloc[0])):
        return None
    try:
        return pandas.to_datetime(values, format="ISO8601")
    except (ValueError, TypeError):
        return None
