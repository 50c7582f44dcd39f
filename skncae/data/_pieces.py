"""Columns of frames that come in pieces, joined; their names are those of the first."""

from dataclasses import replace

import numpy as np

from skncae.data._texts import keys_of


def check_names(expected, names):
    """Raise unless a frame has the columns that it had, in whatever order."""
    lost = [name for name in expected if name not in names]
    new = [name for name in names if name not in expected]
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
            check_names([raw.name for raw in first], names)
    by_name = [{raw.name: raw for raw in table} for table in tables]
    return [_joined([table[raw.name] for table in by_name]) for raw in first]


def taken(raws, rows):
    """Take some rows of columns that were read."""
    return [
        replace(
            raw,
            values=raw.values[rows],
            exact=None if raw.exact is None else raw.exact[rows],
        )
        for raw in raws
    ]


def _joined(parts):
    """Join the parts of one column."""
    seen = [part for part in parts if part.is_there.any()] or parts[:1]
    if {part.dtype for part in seen} == {"date", "object"}:
        # Objects that are days alone in some pieces, and not in all.
        return _joined([replace(part, dtype="object") for part in parts])
    kinds = {part.kind for part in seen}
    if kinds == {"number", "boolean"}:
        kinds = {"number"}
    if len(kinds) > 1 and len({part.dtype for part in seen}) == 1:
        # What objects are is seen by those of a piece alone: all of them are text, or
        # values of several types.
        kind = "text" if kinds <= {"text", "number", "boolean"} else "other"
        return _joined([_objects_of(part, kind) for part in parts])
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
    exact = None
    if any(part.exact is not None for part in seen):
        exact = np.concatenate([keys_of(part) for part in parts])
    return replace(seen[0], kind=kind, values=np.concatenate(values), exact=exact)


def _objects_of(raw, kind):
    """A column of objects with its values as text, as one of this kind."""
    return replace(raw, kind=kind, values=keys_of(raw), exact=None)
