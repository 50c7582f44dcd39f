"""A typed table: what each column of a frame is, its codes, and the way back.

Learnt once, in `fit`. A *cell* of a row is the code of one column that is used: a
number, the seconds of a date, the place of a category; NaN is missing. What becomes of
a type of column is in a file of its own: `_numbers`, `_dates`, `_categories`; how
numbers are read from text in `_number_text`.
"""

from dataclasses import astuple, dataclass, fields, replace
from typing import Any, cast

import numpy as np

from skncae.data._categories import AsideColumn, CategoryColumn, reason_to_set_aside
from skncae.data._dates import DateColumn, read_text, text_form
from skncae.data._forced import forced_names
from skncae.data._number_text import MISSING, Writing, read_numbers, writing_of
from skncae.data._numbers import NumberColumn, is_identifier
from skncae.data._pieces import check_names
from skncae.data._reading import columns_of, library_of
from skncae.data._texts import keys_of, read_as_missing, unread
from skncae.data._values import LEAST_UNREAD, READABLE

# So many texts that cannot be read are known as such later on.
N_KNOWN = 20

_FAMILIES = {
    cls.__name__: cls for cls in (NumberColumn, DateColumn, CategoryColumn, AsideColumn)
}


@dataclass(frozen=True)
class Layout:
    """The columns of a frame.

    Parameters
    ----------
    columns : list of NumberColumn, DateColumn, CategoryColumn or AsideColumn
        All of the frame, in its order.
    """

    columns: list

    @classmethod
    def of(cls, raws, categorical_features="from_dtype"):
        """Learn what the columns are.

        Parameters
        ----------
        raws : list of Raw
        categorical_features : "from_dtype", names, indices or a mask
            Which are categories whatever they hold.
        """
        forced = forced_names(categorical_features, [raw.name for raw in raws])
        layout = cls([_column(raw, raw.name in forced) for raw in raws])
        layout._check_used()
        return layout

    def state(self):
        """Everything learnt, as a list of dictionaries."""
        return [{"class": type(c).__name__} | vars(c) for c in self.columns]

    @classmethod
    def from_state(cls, state):
        """Build the layout that `state` was taken from."""
        columns = []
        for content in state:
            content = dict(content)
            columns.append(_FAMILIES[content.pop("class")](**content))
            _check_types(columns[-1])
        return cls(columns)

    @property
    def names(self):
        """Names of all columns."""
        return [column.name for column in self.columns]

    @property
    def used(self):
        """The columns that have a cell, in the order of the cells."""
        return [self.columns[place] for place in self.places]

    @property
    def places(self):
        """Where the columns that are used stand among all, by their names.

        The order of the columns of a frame is no evidence.
        """
        names = self.names
        places = [j for j, column in enumerate(self.columns) if column.is_used]
        return np.array(sorted(places, key=names.__getitem__), dtype=int)

    @property
    def is_category(self):
        """Which cells are categories."""
        return np.array([column.is_category for column in self.used], dtype=bool)

    def encode(self, raws, is_known=False):
        """Turn columns that were read into cells.

        Parameters
        ----------
        raws : list of Raw
        is_known : bool
            Whether they are some rows of columns that were taken before, all together.

        Returns
        -------
        cells : ndarray of shape (n_samples, n_used), float64

        Raises
        ------
        ValueError
            If a column is new or lost, or changed its type.
        """
        check_names(self.names, [raw.name for raw in raws])
        by_name = {raw.name: raw for raw in raws}
        cells = [
            _encoded(column, by_name[column.name], is_known) for column in self.used
        ]
        return np.stack(cells, axis=1).astype(np.float64)

    def numbers(self, cells):
        """What components of numbers see of cells, (n_samples, n_numbers)."""
        pairs = zip(self.used, cells.T, strict=True)
        return np.concatenate(
            [column.numbers(codes) for column, codes in pairs], axis=1
        )

    def positions(self, numbers):
        """Cells of what `numbers` has: its first number of each, NaN of a category."""
        first = np.flatnonzero(np.diff(self.owners, prepend=-1))
        return np.where(self.is_category, np.nan, numbers[:, first])

    @property
    def owners(self):
        """Which cell each column of `numbers` comes from."""
        one = np.zeros(1)
        widths = [column.numbers(one).shape[1] for column in self.used]
        return np.repeat(np.arange(len(widths)), widths)

    def to_cells(self, parts):
        """Sum parts of the columns of `numbers` to parts of the cells."""
        cells = np.zeros((*parts.shape[:-1], len(self.used)))
        for number, owner in enumerate(self.owners):
            cells[..., owner] += parts[..., number]
        return cells

    def cycles(self, cells):
        """Places of the dates in their cycles, and which cell each comes from.

        Returns
        -------
        places : ndarray of shape (n_samples, n_cycles)
        owners : list of int
        """
        places, owners = [np.empty((len(cells), 0))], []
        for owner, (column, codes) in enumerate(zip(self.used, cells.T, strict=True)):
            places.append(column.cycles(codes))
            owners += [owner] * places[-1].shape[1]
        return np.concatenate(places, axis=1), owners

    def to_columns(self, parts):
        """Give parts of the cells the places of the columns, zero for others."""
        columns = np.zeros((*parts.shape[:-1], len(self.columns)))
        columns[..., self.places] = parts
        return columns

    def decode(self, cells):
        """Return cells as values as they came, (n_samples, n_columns) of objects."""
        values = np.full((len(cells), len(self.columns)), None, dtype=object)
        for place, column, codes in zip(self.places, self.used, cells.T, strict=True):
            values[:, place] = column.decode(codes)
        return values

    def shown(self, values, cells):
        """Values that came in, those of another type as they would have been in fit."""
        values = values.copy()
        for place, column, codes in zip(self.places, self.used, cells.T, strict=True):
            values[:, place] = column.shown(values[:, place], codes)
        return values

    def described(self):
        """Return the table of `columns_`, as a list of dictionaries."""
        return [
            {
                "name": column.name,
                "type": column.understood,
                "dtype": column.dtype,
                "use": column.use,
                "n_values": column.n_values,
                "missing": column.missing_share,
            }
            for column in self.columns
        ]

    def lost(self):
        """Say what is set aside, and which text counts as missing; "" of nothing."""
        texts = {c.name: getattr(c, "unread", ()) for c in self.columns}
        said = (self._set_aside(), read_as_missing(texts), self._in_doubt())
        return " ".join(part for part in said if part)

    def _in_doubt(self):
        """Say in which text a mark may be of decimals or of thousands; "" of none."""
        writings = {
            column.name: Writing(*column.writing)
            for column in self.columns
            if column.family == "number" and column.writing
        }
        listed = ", ".join(
            f"{name!r} ({w.doubt!r}, read as {w.read(w.doubt):g})"
            for name, w in writings.items()
            if w.doubt
        )
        remedy = " Give numbers where it is the other."
        said = "Nothing says whether a mark is one of decimals or of thousands"
        return f"{said}: {listed}.{remedy}" if listed else ""

    def lost_later(self, raws, cells):
        """Say which text of later rows counts as missing; "" of none.

        What fit has named, and marks for what is missing, are known.

        Raises
        ------
        ValueError
            If of a column nearly nothing can be read.
        """
        by_name = {raw.name: raw for raw in raws}
        texts = {}
        for column, codes in zip(self.used, cells.T, strict=True):
            found = _unread_later(column, by_name[column.name], codes)
            _check_readable(column, found, codes)
            texts[column.name] = found
        return read_as_missing(texts)

    def _set_aside(self):
        """Say which columns are set aside, and how to force them in; "" of none."""
        aside = [c for c in self.columns if isinstance(c, AsideColumn)]
        if not aside:
            return ""
        listed = ", ".join(f"{c.name!r} ({c.why})" for c in aside)
        names = [column.name for column in aside if column.reason != "no values"]
        remedy = (
            f" To use one as a category: categorical_features={names!r}."
            if names
            else ""
        )
        return f"Set aside: {listed}.{remedy}"

    def _check_used(self):
        """Raise if no column is left."""
        if self.used:
            return
        aside = ", ".join(f"{c.name!r} ({c.reason})" for c in self.columns)
        raise ValueError(
            f"No column of the frame can be used: {aside}. To use one as a category, "
            "name it in categorical_features."
        )


def _check_types(column):
    """Raise unless a column that comes out of a file holds what its class says."""
    for field in fields(column):
        value, kind = getattr(column, field.name), cast(Any, field.type)
        if not isinstance(value, kind):
            raise ValueError(f"{field.name}={value!r} is no {kind}")
    # Some of it is looked at only where something is said of the column.
    if column.is_used:
        column.told()
        column.decode(np.zeros(1))


def _encoded(column, raw, is_known):
    """Codes of a column that came in; an error where it is of another type."""
    if not raw.is_there.any():
        return np.full(len(raw.values), np.nan)
    if not is_known and not column.accepts(raw):
        _refuse(column, raw)
    return column.encode(raw)


def _refuse(column, raw):
    """Raise, since a column that came in is of another type."""
    example = keys_of(raw)[raw.is_there][0]
    if raw.dtype == column.dtype:
        # Of objects the type says nothing.
        raise ValueError(
            f"Column {column.name!r} held {column.plural} in fit, such as "
            f"{column.example!r}, and holds none of them now, but values such as "
            f"{example}. Give it values as in fit, or fit again."
        )
    raise ValueError(
        f"Column {column.name!r} held {column.plural} in fit and has the type "
        f"{raw.dtype} now, such as {example!r}. Give it the type that it had, "
        f"{column.dtype}, or fit again."
    )


def _check_readable(column, texts, codes):
    """Raise where later rows are written in another way, so that these are unread."""
    n_read = np.count_nonzero(~np.isnan(codes))
    if len(texts) >= LEAST_UNREAD and n_read <= (1 - READABLE) * (n_read + len(texts)):
        raise ValueError(
            f"Column {column.name!r} held {column.plural} in fit, such as "
            f"{column.example!r}, and what it holds now cannot be read so, such as "
            f"{texts[0]!r}. Write it as in fit, or fit again."
        )


def _unread_later(column, raw, codes):
    """Texts that came in later and could not be read, though they are no marks."""
    if column.is_category:
        return []
    texts = unread(raw, codes, column.unread)
    return [text for text in texts if text.strip().lower() not in MISSING]


def refuse_onnx(layout):
    """Say which columns keep a typed table from being written to ONNX."""
    typed = [
        f"{c.name!r} ({c.understood})"
        for c in layout.columns
        if c.family != "number" or c.writing
    ]
    raise ValueError(
        "to_onnx writes the scoring of numbers. This NCAEDetector was fitted on a "
        f"frame with other columns: {', '.join(typed)}. Use save and load, or fit on "
        "the columns of numbers."
    )


def read(X):
    """Read the columns of a frame, whose names must differ.

    Returns
    -------
    raws : list of Raw
    """
    if library_of(X) is None:
        raise TypeError(
            "A frame of pandas or polars or a Table of pyarrow is needed, like the "
            f"ones before; got {type(X).__name__}."
        )
    raws = columns_of(X)
    check_names_differ([raw.name for raw in raws])
    return raws


def check_names_differ(names):
    """Raise if two columns of a frame have one name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"The frame has more than one column named {twice[0]!r}. Rename them."
        )


def _column(raw, is_forced):
    """Learn one column."""
    if is_forced or raw.kind == "boolean" or (raw.is_category and raw.kind == "text"):
        return CategoryColumn.of(raw)
    if raw.kind == "number":
        if is_identifier(raw):
            return AsideColumn.of(raw, "identifier")
        if not raw.is_there.any():
            return AsideColumn.of(raw, "no values")
        return NumberColumn.of(raw)
    if raw.kind in ("date", "time", "duration"):
        if not raw.is_there.any():
            return AsideColumn.of(raw, "no values")
        return DateColumn.of(raw)
    if raw.kind == "other":
        return AsideColumn.of(raw, reason_to_set_aside(raw))
    return _text_column(raw)


def _text_column(raw):
    """Learn a column of text: of dates or numbers, of categories, or set aside."""
    form = text_form(raw)
    if form:
        read = read_text(raw, form)
        return DateColumn.of(read, form, _named_texts(raw, read.values))
    writing = writing_of(raw.values)
    if writing:
        numbers = read_numbers(raw.values, writing)
        read = replace(raw, kind="number", values=numbers)
        if is_identifier(read):
            return AsideColumn.of(raw, "identifier")
        return NumberColumn.of(read, astuple(writing), _named_texts(raw, numbers))
    reason = reason_to_set_aside(raw)
    return CategoryColumn.of(raw) if reason is None else AsideColumn.of(raw, reason)


def _named_texts(raw, codes):
    """Some of the texts that could not be read: those that are known from then on."""
    return tuple(sorted(set(unread(raw, codes)))[:N_KNOWN])
