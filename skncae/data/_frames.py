"""A typed table: what each column of a frame is, its codes, and the way back.

Learnt once, in `fit`. A *cell* of a row is the code of one column that is used: a
number, the seconds of a date, the place of a category; NaN is missing. What becomes of
a type of column is in a file of its own: `_numbers`, `_dates`, `_categories`; how
numbers are read from text in `_number_text`.
"""

from dataclasses import astuple, dataclass, replace
from numbers import Integral

import numpy as np

from skncae.data._categories import AsideColumn, CategoryColumn, reason_to_set_aside
from skncae.data._dates import DateColumn, read_text, text_form
from skncae.data._number_text import read_numbers, writing_of
from skncae.data._numbers import NumberColumn, is_identifier
from skncae.data._reading import Raw, columns_of, library_of, unread

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
        forced = _forced(categorical_features, [raw.name for raw in raws])
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
        places = [j for j, column in enumerate(self.columns) if _is_used(column)]
        return np.array(sorted(places, key=names.__getitem__), dtype=int)

    @property
    def is_category(self):
        """Which cells are categories."""
        return np.array([column.is_category for column in self.used], dtype=bool)

    def encode(self, raws):
        """Turn columns that were read into cells.

        Parameters
        ----------
        raws : list of Raw

        Returns
        -------
        cells : ndarray of shape (n_samples, n_used), float64

        Raises
        ------
        ValueError
            If a column is new or lost, or changed its type.
        """
        self._check_names([raw.name for raw in raws])
        by_name = {raw.name: raw for raw in raws}
        cells = []
        for column in self.used:
            raw = by_name[column.name]
            is_empty = not _is_there(raw).any()
            if not is_empty and not column.accepts(raw):
                raise ValueError(
                    f"Column {column.name!r} held {_plural(column)} in fit and has the "
                    f"type {raw.dtype} now. Give it the type that it had, "
                    f"{column.dtype}, or fit again."
                )
            empty = np.full(len(raw.values), np.nan)
            cells.append(empty if is_empty else column.encode(raw))
        return np.stack(cells, axis=1).astype(np.float64)

    def numbers(self, cells):
        """What components of numbers see of cells, (n_samples, n_numbers)."""
        pairs = zip(self.used, cells.T, strict=True)
        return np.concatenate(
            [column.numbers(codes) for column, codes in pairs], axis=1
        )

    def positions(self, numbers):
        """Give the cells that stand first in `numbers`, NaN for those of categories."""
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
        listed = ", ".join(
            f"{column.name!r} ({', '.join(map(repr, column.unread))})"
            for column in self.columns
            if getattr(column, "unread", ())
        )
        unread = f"Read as missing: {listed}." if listed else ""
        return " ".join(part for part in (self._set_aside(), unread) if part)

    def _set_aside(self):
        """Say which columns are set aside, and how to force them in; "" of none."""
        aside = [c for c in self.columns if isinstance(c, AsideColumn)]
        if not aside:
            return ""
        listed = ", ".join(
            f"{c.name!r} ({c.reason}{', ' + c.use if c.is_used else ''})" for c in aside
        )
        names = [column.name for column in aside if column.reason != "no values"]
        remedy = (
            f" To use one as a category: categorical_features={names!r}."
            if names
            else ""
        )
        return f"Set aside: {listed}.{remedy}"

    def _check_names(self, names):
        """Raise unless these are the names of all columns."""
        lost = [name for name in self.names if name not in names]
        new = [name for name in names if name not in self.names]
        if lost or new:
            parts = [("lacks", lost), ("has the new", new)]
            listed = " and ".join(
                f"{verb} column{'s' if len(found) > 1 else ''} "
                + ", ".join(map(repr, found))
                for verb, found in parts
                if found
            )
            raise ValueError(
                f"The frame {listed}, compared with the frame of fit. Give it the "
                "columns that it had, or fit again."
            )

    def _check_used(self):
        """Raise if no column is left."""
        if self.used:
            return
        aside = ", ".join(f"{c.name!r} ({c.reason})" for c in self.columns)
        raise ValueError(
            f"No column of the frame can be used: {aside}. To use one as a category, "
            "name it in categorical_features."
        )


def refuse_onnx(layout):
    """Say which columns keep a typed table from being written to ONNX."""
    typed = [
        f"{c.name!r} ({c.understood})"
        for c in layout.used
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
    names = [raw.name for raw in raws]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"The frame has more than one column named {twice[0]!r}. Rename them."
        )
    return raws


def joined(tables):
    """Join the columns of frames that came one after the other.

    Parameters
    ----------
    tables : list of list of Raw

    Returns
    -------
    raws : list of Raw
    """
    first, *others = tables
    for table in others:
        names = [raw.name for raw in table]
        if sorted(names) != sorted(raw.name for raw in first):
            # What is lost or new, in the words of a layout.
            Layout([NumberColumn.of(_empty(raw)) for raw in first])._check_names(names)
    by_name = [{raw.name: raw for raw in table} for table in tables]
    return [_joined([table[raw.name] for table in by_name]) for raw in first]


def taken(raws, rows):
    """Take some rows of columns that were read."""
    return [replace(raw, values=raw.values[rows]) for raw in raws]


def _joined(parts):
    """Join the parts of one column."""
    seen = [part for part in parts if _is_there(part).any()] or parts[:1]
    kinds = {part.kind for part in seen}
    if kinds == {"number", "boolean"}:
        kinds = {"number"}
    if len(kinds) > 1:
        raise ValueError(
            f"Column {parts[0].name!r} has the types "
            f"{' and '.join(sorted({part.dtype for part in seen}))} in different "
            "pieces. Give it one type."
        )
    (kind,) = kinds
    is_object = kind in ("text", "other")
    values = []
    for part in parts:
        if (part.values.dtype == object) == is_object:
            values.append(part.values)
        else:
            # A piece without a value, of whatever type.
            missing = None if is_object else np.nan
            dtype = object if is_object else float
            values.append(np.full(len(part.values), missing, dtype=dtype))
    return replace(seen[0], kind=kind, values=np.concatenate(values))


def _column(raw, is_forced):
    """Learn one column."""
    if is_forced or raw.kind == "boolean" or (raw.is_category and raw.kind == "text"):
        return CategoryColumn.of(raw)
    if raw.kind == "number":
        if is_identifier(raw):
            return AsideColumn.of(raw, "identifier")
        if not _is_there(raw).any():
            return AsideColumn.of(raw, "no values")
        return NumberColumn.of(raw)
    if raw.kind in ("date", "time", "duration"):
        if not _is_there(raw).any():
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
        return DateColumn.of(read, form, unread(raw.values, read.values))
    writing = writing_of(raw.values)
    if writing:
        numbers = read_numbers(raw.values, writing)
        read = replace(raw, kind="number", values=numbers)
        if is_identifier(read):
            return AsideColumn.of(raw, "identifier")
        return NumberColumn.of(read, astuple(writing), unread(raw.values, numbers))
    reason = reason_to_set_aside(raw)
    return CategoryColumn.of(raw) if reason is None else AsideColumn.of(raw, reason)


def _is_used(column):
    """Say whether a column has a cell."""
    return not isinstance(column, AsideColumn) or column.is_used


def _is_there(raw):
    """Where values are not missing."""
    if raw.values.dtype == object:
        return np.array([value is not None for value in raw.values], dtype=bool)
    return ~np.isnan(raw.values)


def _empty(raw):
    """The column without rows."""
    return Raw(raw.name, "number", np.empty(0), False, raw.dtype)


def _plural(column):
    """What a column held, in words."""
    words = {"number": "numbers", "category": "categories", "date": "dates"}
    words |= {"time": "times of the day", "duration": "durations"}
    if column.family == "number" and column.writing:
        return "numbers written as text"
    return words.get(column.family, "identifiers")


def _forced(categorical_features, names):
    """Return the names of the columns that are said to be categories."""
    if categorical_features is None:
        return set()
    if isinstance(categorical_features, str):
        if categorical_features == "from_dtype":
            return set()
        raise ValueError(
            'categorical_features must be "from_dtype", a list of names or of indices, '
            f"or a mask; got {categorical_features!r}."
        )
    given = np.asarray(categorical_features, dtype=object).ravel().tolist()
    if given and all(isinstance(item, bool | np.bool_) for item in given):
        if len(given) != len(names):
            raise ValueError(
                f"categorical_features is a mask of {len(given)} entries, and X has "
                f"{len(names)} columns. Give one for each."
            )
        return {name for name, is_one in zip(names, given, strict=True) if is_one}
    return {_named(item, names) for item in given}


def _named(item, names):
    """Return the name that an item of categorical_features stands for."""
    if isinstance(item, str) and item in names:
        return item
    if isinstance(item, Integral) and not isinstance(item, bool):
        item = int(item)
        if -len(names) <= item < len(names):
            return names[item]
        raise ValueError(
            f"categorical_features names column {item}, and X has {len(names)} columns."
        )
    raise ValueError(
        f"categorical_features names {item!r}, which is no column of X: "
        f"{', '.join(map(repr, names))}."
    )
