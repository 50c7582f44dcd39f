"""Answers about rows in files, and the rows that they are about."""

import contextlib
import csv
from collections import defaultdict
from itertools import chain
from pathlib import Path

import numpy as np

from skncae.data._csv_files import TableError, naming, opened_text, separator_of


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
        If a label is none of -1, 1, 0 and nothing, if a row has both of the first, or
        if not one row alone has the name.
    """
    if not Path(path).is_file():
        raise TableError(f"{path}: no such file")
    with naming(path, path):
        answers = _read(path)
    names = [[str(name) for name in index] for index in indexes]
    _check_one_row_each(path, answers, chain.from_iterable(names))
    return [
        np.array([answers.get(name, (0,))[0] for name in part], int) for part in names
    ]


def _read(path):
    """The label and the line of each answer, by the name of its row."""
    answers: dict[str, tuple[int, int]] = {}
    with opened_text(path) as file:
        reader = csv.reader(file, delimiter=separator_of(path))
        header = [name.strip() for name in next(reader, [])]
        if header.count("index") != 1 or header.count("label") != 1:
            raise TableError(
                f"{path}, line 1: the columns must be index and label, each once (it "
                f"has {', '.join(header[:8]) or 'none'})"
            )
        for record in filter(None, reader):
            place = f"{path}, line {reader.line_num}"
            if len(record) != len(header):
                raise TableError(
                    f"{place}: {len(header)} fields are expected, and it has "
                    f"{len(record)}"
                )
            row = dict(zip(header, record, strict=True))
            name, label = row["index"], _label_of(row["label"], place)
            if not label:
                continue
            earlier, its_line = answers.setdefault(name, (label, reader.line_num))
            if earlier != label:
                raise TableError(
                    f"{place}: {label} for the row {name!r}, which has {earlier} in "
                    f"line {its_line}. Keep one of them"
                )
    return answers


def _label_of(text, place):
    """The label in a field: -1, 1, or 0 where nobody looked."""
    with contextlib.suppress(ValueError):
        # A spreadsheet may show -1 as -1.0, and nothing is no answer.
        label = float(text.strip() or 0)
        if label in (-1, 0, 1):
            return int(label)
    raise TableError(
        f"{place}, column 'label': {text!r} is neither -1 (an outlier) nor 1 (a normal "
        "row), nor 0 or nothing (not looked at)"
    )


def _check_one_row_each(path, answers, names):
    """Refuse an answer about no row, or about several."""
    rows = defaultdict(list)
    for row, name in enumerate(names):
        if name in answers:
            rows[name].append(row)
    for name, (_, line) in answers.items():
        if not rows[name]:
            raise TableError(f"{path}, line {line}: no row has the index {name!r}")
        if len(rows[name]) > 1:
            first, second = rows[name][:2]
            raise TableError(
                f"{path}, line {line}: {len(rows[name])} rows have the index {name!r}, "
                f"such as rows {first} and {second}, so it is open which is meant. "
                "Answer a report whose --index names each row once; without --index "
                "rows are counted, from 0"
            )
