"""Tables in files, read whole or a chunk at a time; what is wrong is named by line.

CSV (and TSV, ...) and parquet. A file that cannot be read raises `TableError`, whose
text is one line that names the file, the line and the column.
"""

import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from skncae._extras import needing
from skncae.data._cell_types import Seen, converted, is_text, seen_in, slips_of
from skncae.data._csv_files import (
    TableError,
    has_codes,
    line_of,
    naming,
    options_of,
    refuse_longer,
    separator_of,
    twins,
    with_gaps,
)
from skncae.data._signatures import opened

# Files that are larger together than this are read a chunk at a time.
LARGE_BYTES = 2**30
CHUNK_ROWS = 50_000
# Before the name of a row while pandas reads it, so that 007 and NA stay what they are.
MARK = "="
# So many names of columns, or values, are written in an error.
N_SHOWN = 8
# Columns of these kinds are read from a CSV file as the text that is there.
AS_TEXT = ("text", "exact", "date", "slips")


class Piece(NamedTuple):
    """Rows of a file as its reader has them, the file, and how many come before."""

    frame: object
    path: str
    n_before: int


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
    kinds : dict of str to str
        What the columns are, for a model that has learnt them; without any it is found
        out from all rows, before the first are given.
    """

    paths: tuple
    index: str | None = None
    drop: tuple = ()
    missing: tuple = ()
    chunk_rows: int | None = None
    kinds: dict = field(default_factory=dict)

    def __post_init__(self):
        self._stdin = None
        self._options = {}
        self._is_for_model = bool(self.kinds)
        if self.index in self.drop:
            raise TableError(
                f"--index and --drop both name the column {self.index!r}. Leave out "
                "--drop: a column that names the rows is not learnt from"
            )
        for path in self.paths:
            if path != "-" and not Path(path).is_file():
                kind = "is a folder" if Path(path).is_dir() else "no such file"
                raise TableError(f"{path}: {kind}")
        places = [path if path == "-" else Path(path).resolve() for path in self.paths]
        for path, place in zip(self.paths, places, strict=True):
            if places.count(place) > 1:
                raise TableError(f"{path}: named twice, which would double its rows")
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
        if not self.kinds:
            pieces = self._surveyed()
        else:
            pieces = self._pieces(self._as_text())
        n_before = 0
        for piece in pieces:
            yield self._labelled(self._typed(piece), n_before)
            n_before += len(piece.frame)

    def _surveyed(self):
        """Find out what the columns are, and give the pieces to take them from.

        Files that are read whole are held, and read again only for the text of columns
        that were taken for something else.
        """
        pieces = self._pieces()
        pieces = list(pieces) if self.is_whole else pieces
        seen = self._seen(pieces)
        doubtful = self._doubtful(seen)
        texts = self._pieces(doubtful, alone=True) if doubtful else ()
        texts = list(texts) if self.is_whole else texts
        seen |= self._seen(texts)
        self.kinds = {name: of_name.kind for name, of_name in seen.items()}
        if not self.is_whole:
            return self._pieces(self._as_text())
        for name in set(doubtful) & set(self._as_text()):
            for piece, text in zip(pieces, texts, strict=True):
                piece.frame[name] = text.frame[name]
        return pieces

    def _seen(self, pieces):
        """What the pieces hold, by the names of the columns."""
        seen: dict[str, Seen] = {}
        for frame, path, _ in pieces:
            is_typed = self._is_typed(path)
            # Where the comma is one of decimals, it separates no fields.
            has_points = not is_typed and self._options[path][0]["sep"] != ","
            for name in frame.columns.drop(self.index, errors="ignore"):
                of_piece = seen_in(frame[name], is_typed, has_points)
                seen[name] = seen.get(name, Seen()) + of_piece
        return seen

    def _doubtful(self, seen):
        """Columns that may be no numbers, though the reader took them for some."""
        doubtful = {name for name, of_name in seen.items() if of_name.is_in_doubt}
        whole = {name for name, of_name in seen.items() if of_name.may_be_codes}
        if whole - doubtful and self._have_codes():
            doubtful |= whole
        # In the order of the files, in which readers give them.
        return [name for name in seen if name in doubtful]

    def _have_codes(self):
        """Say whether digits with a zero before them may be in some CSV file."""
        sources = (self._source(path) for path in self.paths)
        return any(
            has_codes(source, separator_of(source))
            for source in sources
            if not _is_parquet(source)
        )

    def _as_text(self):
        """Names of the columns to read as text."""
        return [name for name, kind in self.kinds.items() if kind in AS_TEXT]

    def _pieces(self, texts=(), alone=False):
        """Yield the pieces of all files, some columns as text, or these alone."""
        names, is_empty = None, True
        for path in self.paths:
            for frame, n_before in self._frames(path, texts, alone):
                if names is None:
                    names = list(frame.columns)
                elif list(frame.columns) != names:
                    _check_columns(path, frame.columns, names)
                    frame = frame[names]
                kept = frame if alone else self._kept(frame, path)
                yield Piece(kept, path, n_before)
                is_empty &= not len(frame)
        if is_empty:
            raise TableError(f"{', '.join(self.paths)}: no rows")

    def _n_bytes(self):
        return sum(Path(path).stat().st_size for path in self.paths if path != "-")

    def _frames(self, path, texts, alone):
        """Yield frames of a file, each with the number of rows before it."""
        source = self._source(path)
        if _is_parquet(source):
            names = texts if alone else None
            for frame, n_before in self._parquet(path, source, names):
                yield frame[texts] if alone else frame, n_before
        else:
            yield from self._csv(path, source, texts, alone)

    def _source(self, path):
        """A file by its path, or the bytes of the standard input."""
        return path if path != "-" else self._standard_input()

    def _is_typed(self, path):
        """Say whether a file has types, by which text is meant as text."""
        return _is_parquet(self._source(path))

    def _standard_input(self):
        """The bytes of the standard input, which can be read once only."""
        if sys.stdin is None:
            raise TableError("-: the standard input is closed. Name a file")
        if self._stdin is None:
            self._stdin = sys.stdin.buffer.read()
        return self._stdin

    def _csv(self, path, source, texts, alone):
        """Yield frames of a CSV file."""
        import pandas

        with naming(path, source):
            # Once a file: it may warn.
            if path not in self._options:
                options, names = options_of(path, source)
                if not self.is_whole:
                    refuse_longer(path, source, options["sep"], len(names))
                self._options[path] = options, names
            options, names = self._options[path]
            options = options.copy()
            options["na_values"] = [*options.get("na_values", ()), *self.missing]
            options["dtype"] = {n: str for n in texts if n in names and n != self.index}
            if alone:
                # By place, since pandas looks for names before it tells twins apart.
                options["usecols"] = [names.index(name) for name in texts]
            elif self.index is not None:
                options["converters"] = {self.index: _marked}
            if self.is_whole:
                with opened(source) as file:
                    frame = pandas.read_csv(file, low_memory=False, **options)
                yield self._unmarked(frame, options), 0
                return
            n_before = 0
            options |= {"chunksize": self.chunk_rows, "low_memory": False}
            with opened(source) as file, pandas.read_csv(file, **options) as read:
                for frame in read:
                    yield self._unmarked(frame, options), n_before
                    n_before += len(frame)

    def _unmarked(self, frame, options):
        """A frame of a CSV file, with the names of its rows as they are there."""
        as_text = {*options["dtype"], self.index}
        frame = with_gaps(frame, as_text, options["na_values"])
        if self.index in frame.columns:
            frame[self.index] = frame[self.index].str[len(MARK) :]
        return frame.reset_index(drop=True)

    def _parquet(self, path, source, names=None):
        """Yield frames of a parquet file, with the named columns alone or all."""
        with needing("cli", "Parquet files need pyarrow."):
            import pyarrow
            from pyarrow import parquet
        try:
            is_bytes = isinstance(source, bytes)
            file = parquet.ParquetFile(io.BytesIO(source) if is_bytes else source)
            several = twins(file.schema_arrow.names)
            if several:
                raise TableError(f"{path}: two columns are named {several[0]!r}")
            if not set(names or ()) <= set(file.schema_arrow.names):
                # An index of pandas, which has another name in the file.
                names = None
            if self.is_whole:
                yield _with_its_index(_as_frame(file.read(columns=names))), 0
                return
            n_before, ranges = 0, _ranges(file)
            for batch in file.iter_batches(self.chunk_rows, columns=names):
                table = pyarrow.Table.from_batches([batch])
                frame = _with_its_index(_as_frame(table))
                for place, counted in ranges:
                    some = counted[n_before : n_before + len(batch)]
                    frame.insert(min(place, frame.shape[1]), counted.name, some)
                yield frame, n_before
                n_before += len(batch)
        except pyarrow.ArrowException as error:
            first = str(error).splitlines()[0]
            raise TableError(f"{path}: no parquet file: {first}") from error

    def _kept(self, frame, path):
        """Leave out the columns that are not wanted."""
        of_names = [] if self.index is None else [self.index]
        has = _some_of(frame.columns.tolist())
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

    def _typed(self, piece):
        """Give the columns of a piece their kinds, or say where a number slips."""
        frame, path, n_before = piece
        for name in frame.columns.drop(self.index, errors="ignore"):
            kind, values = self.kinds.get(name, "any"), frame[name]
            if kind in ("number", "slips") and is_text(values):
                self._refuse_slip(values, path, n_before)
            typed = converted(values, kind)
            if typed is not values:
                frame[name] = typed
        return frame

    def _refuse_slip(self, values, path, n_before):
        """Name the first value of a column of numbers that is none."""
        is_slip = slips_of(values)
        # Where all are, the model says that it has learnt numbers.
        is_none = self._is_for_model and is_slip.sum() == values.notna().sum()
        if not is_slip.any() or is_none:
            return
        row = int(is_slip.argmax())
        value = values.iloc[row]
        source, place = self._source(path), f"row {n_before + row}"
        if not _is_parquet(source):
            place = f"line {line_of(source, n_before + row)}"
        if value.strip() == values.name.strip():
            raise TableError(f"{path}, {place}: the names again. Leave that line out")
        # All at once, for whoever would else be told of them one by one.
        slips = list(dict.fromkeys(values[is_slip]))
        raise TableError(
            f"{path}, {place}, column {values.name!r}: {value!r} is no number, as the "
            "others are. Mend it, or take it for missing: "
            + listed_options("--missing", slips)
        )

    def _labelled(self, frame, n_before):
        """Name the rows, by their column or by their number."""
        import pandas

        if self.index is not None:
            return frame.set_index(self.index)
        return frame.set_index(pandas.RangeIndex(n_before, n_before + len(frame)))


def listed_options(option, values):
    """Write an option with each of some values."""
    more = len(values) - N_SHOWN
    listed = " ".join(f"{option} {value!r}" for value in values[:N_SHOWN])
    return listed + (f", and {more} more" if more > 0 else "")


def _some_of(names):
    """Write the first names of columns, with quotes where blanks would not be seen."""
    shown = [str(name) for name in names[:N_SHOWN]]
    shown = [name if name and name == name.strip() else repr(name) for name in shown]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _marked(name):
    """Text that pandas takes neither for a number nor for a missing value."""
    return MARK + name


def _is_parquet(source):
    """Say whether a file, or bytes, begin as parquet does."""
    if isinstance(source, bytes):
        return source[:4] == b"PAR1"
    with open(source, "rb") as file:
        return file.read(4) == b"PAR1"


def _as_frame(table):
    """A table of parquet as a frame, whose whole numbers keep all their digits."""
    from pandas.api.types import infer_dtype

    frame = table.to_pandas(integer_object_nulls=True)
    for name, values in frame.items():
        is_gapped = values.dtype == object and infer_dtype(values) == "integer"
        if is_gapped and not seen_in(values, is_typed=True).n_beyond:
            frame[name] = values.astype(float)
    return frame


def _ranges(file):
    """Levels of an index that pandas stored as a range in place of a column.

    pyarrow gives them for the whole of a parquet file only. Each has its place among
    the levels.
    """
    import pandas

    found = []
    levels = (file.schema_arrow.pandas_metadata or {}).get("index_columns", ())
    for place, stored in enumerate(levels):
        if isinstance(stored, dict) and stored.get("name") is not None:
            ends = (stored[end] for end in ("start", "stop", "step"))
            counted = pandas.RangeIndex(*ends, name=stored["name"])
            if len(counted) == file.metadata.num_rows:
                found.append((place, counted))
    return found


def _with_its_index(frame):
    """A frame with the index that it was stored with as a column, if it is no count."""
    import pandas

    is_count = isinstance(frame.index, pandas.RangeIndex) and frame.index.name is None
    return frame.reset_index(drop=is_count)


def _check_columns(path, names, expected):
    """Raise where a file has other columns than the first one, in whatever order."""
    lost = [name for name in expected if name not in list(names)]
    new = [name for name in names if name not in expected]
    if lost:
        raise TableError(f"{path}: no column {lost[0]!r}, which the first file has")
    if new:
        raise TableError(f"{path}: column {new[0]!r}, which the first file has not")
