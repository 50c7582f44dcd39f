"""Tables in files, read whole or a chunk at a time; what is wrong is named by line.

CSV (and TSV, ...) and parquet. A file that cannot be read raises `TableError`, whose
text is one line that names the file, the line and the column.
"""

import csv
import io
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# Files that are larger together than this are read a chunk at a time.
LARGE_BYTES = 2**30
CHUNK_ROWS = 50_000
# A column of text is one of numbers with slips where so many of its values are numbers.
MOSTLY_NUMBERS = 0.9
DELIMITERS = ",;\t|"


class TableError(ValueError):
    """A file that cannot be read as a table, in one line of text."""


@dataclass
class Tables:
    """Files with the same columns, one after the other.

    Parameters
    ----------
    paths : sequence of str
        "-" is the standard input.
    index : str or None
        The column that names the rows; None counts them, from 0, over all files.
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
                frame = self._typed(frame, path, first)
                yield self._labelled(frame, path, n_before)
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
        if self._stdin is None:
            self._stdin = sys.stdin.buffer.read()
        return io.BytesIO(self._stdin)

    def _csv(self, path, source):
        """Yield frames of a CSV file."""
        import pandas

        try:
            separator = _separator(source)
            _warn_of_twins(path, source, separator)
            options = {"sep": separator, "na_values": list(self.missing)}
            if self.is_whole:
                frame = pandas.read_csv(source, low_memory=False, **options)
                yield frame.reset_index(drop=True), 0
                return
            n_before = 0
            with pandas.read_csv(source, chunksize=self.chunk_rows, **options) as read:
                for frame in read:
                    yield frame.reset_index(drop=True), n_before
                    n_before += len(frame)
        except (pandas.errors.ParserError, csv.Error) as error:
            raise TableError(f"{path}{_place_of(error)}") from error
        except pandas.errors.EmptyDataError as error:
            raise TableError(f"{path}: the file is empty") from error
        except UnicodeDecodeError as error:
            line = _undecodable_line(source)
            raise TableError(
                f"{path}, line {line}: not UTF-8 text. Convert the file first, for "
                "example with iconv"
            ) from error

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
            file = parquet.ParquetFile(source)
            twins = _twins(file.schema_arrow.names)
            if twins:
                raise TableError(f"{path}: two columns are named {twins[0]!r}")
            if self.is_whole:
                yield file.read().to_pandas().reset_index(), 0
                return
            n_before = 0
            for batch in file.iter_batches(self.chunk_rows):
                yield pyarrow.Table.from_batches([batch]).to_pandas(), n_before
                n_before += len(batch)
        except pyarrow.ArrowException as error:
            first = str(error).splitlines()[0]
            raise TableError(f"{path}: no parquet file: {first}") from error

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
            place = f"line {_line_of(path, n_before + row)}"
        raise TableError(
            f"{path}, {place}, column {values.name!r}: {value!r} is no number, as the "
            f"others are. Mend it, or take it for missing: --missing {value!r}"
        )

    def _labelled(self, frame, path, n_before):
        """Name the rows, and leave out what is not wanted."""
        import pandas

        for name in [*self.drop, *([self.index] if self.index else [])]:
            if name not in frame.columns:
                has = ", ".join(map(str, frame.columns[:8]))
                raise TableError(f"{path}: no column {name!r} (it has {has})")
        frame = frame.drop(columns=list(self.drop))
        if self.index is not None:
            return frame.set_index(self.index)
        return frame.set_index(pandas.RangeIndex(n_before, n_before + len(frame)))


def answers_of(path, indexes):
    """Read answers about rows, and find the rows that they are about.

    Parameters
    ----------
    path : str
        A CSV file with the columns "index" and "label".
    indexes : list of pandas Index
        The labels of the rows, of each chunk of them.

    Returns
    -------
    labels : list of ndarray of int
        For each chunk -1, 1, or 0 for what was not answered.

    Raises
    ------
    TableError
        If a label is neither -1 nor 1, or there is no such row.
    """
    import numpy as np

    answers = {}
    if not Path(path).is_file():
        raise TableError(f"{path}: no such file")
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if not {"index", "label"} <= set(reader.fieldnames or ()):
            raise TableError(f"{path}, line 1: the columns must be index and label")
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if row["label"] not in ("-1", "1"):
                raise TableError(
                    f"{place}, column 'label': {row['label']!r} is neither -1 (an "
                    "outlier) nor 1 (a normal row)"
                )
            answers[row["index"]] = int(row["label"]), place
    labels, known = [], set()
    for index in indexes:
        names = [str(name) for name in index]
        labels.append(np.array([answers.get(name, (0,))[0] for name in names], int))
        known.update(names)
    for name, (_, place) in answers.items():
        if name not in known:
            raise TableError(f"{place}: no row has the index {name!r}")
    return labels


def _is_parquet(source):
    """Say whether a file, or bytes, begin as parquet does."""
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:4] == b"PAR1"
    with open(source, "rb") as file:
        return file.read(4) == b"PAR1"


def _separator(source):
    """The character of the first line that most likely separates its fields."""
    if isinstance(source, io.BytesIO):
        first = source.getvalue().split(b"\n", 1)[0].decode("utf-8")
    else:
        with open(source, encoding="utf-8", newline="") as file:
            first = file.readline()
    counts = [first.count(character) for character in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def _warn_of_twins(path, source, separator):
    """Say how a name that several columns of a CSV file have is told apart."""
    is_bytes = isinstance(source, io.BytesIO)
    file = io.BytesIO(source.getvalue()) if is_bytes else open(source, "rb")
    with io.TextIOWrapper(file, "utf-8", errors="replace", newline="") as text:
        names = next(csv.reader(text, delimiter=separator), [])
    for name in _twins(names):
        warnings.warn(
            f"{path}, line 1: several columns are named {name!r}; the second is "
            f"{name + '.1'!r} here",
            stacklevel=2,
        )


def _twins(names):
    """Names that several columns have."""
    return [name for name, n in Counter(names).items() if n > 1 and name]


def _place_of(error):
    """Say where and why a CSV cannot be read, out of the message of its reader."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        expected, line, saw = found.groups()
        return f", line {line}: {saw} fields, where {expected} are expected"
    found = re.search(r"EOF inside string starting at row (\d+)", str(error))
    if found:
        return f", row {found.group(1)}: a quote that is not closed"
    return f": {str(error).splitlines()[0]}"


def _undecodable_line(source):
    """Number of the first line that is not UTF-8."""
    file = source if isinstance(source, io.BytesIO) else open(source, "rb")
    with file:
        file.seek(0)
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _line_of(path, row):
    """Number of the line that a row of a CSV file begins in."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter=_separator(path))
        begins, n_records = 1, 0
        for record in reader:
            # pandas passes over empty lines.
            if record and n_records == row + 1:
                break
            n_records += bool(record)
            begins = reader.line_num + 1
    return begins


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
