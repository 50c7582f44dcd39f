"""Which columns `categorical_features` says to hold categories."""

import numpy as np

from skncae._checks import is_integer


def forced_names(categorical_features, names):
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
    if is_integer(item):
        item = int(item)
        if -len(names) <= item < len(names):
            return names[item]
        raise ValueError(
            f"categorical_features names column {item}, and X has {len(names)} "
            "columns. Give indices below that number."
        )
    raise ValueError(
        f"categorical_features names {item!r}, which is no column of X: "
        f"{', '.join(map(repr, names))}."
    )
