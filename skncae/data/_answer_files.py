"""Answers about rows in files, and the rows that they are about."""

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
        If a label is neither -1 nor 1, if a row has both, or if not one row alone has
        the name.
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
        reader = csv.DictReader(file, delimiter=separator_of(path))
        if not {"index", "label"} <= set(reader.fieldnames or ()):
            raise TableError(f"{path}, line 1: the columns must be index and label")
        for row in reader:
            name, label, line = row["index"], row["label"], reader.line_num
            if label not in ("-1", "1"):
                raise TableError(
                    f"{path}, line {line}, column 'label': {label!r} is neither -1 (an "
                    "outlier) nor 1 (a normal row)"
                )
            earlier, its_line = answers.setdefault(name, (int(label), line))
            if earlier != int(label):
                raise TableError(
                    f"{path}, line {line}: {label} for the row {name!r}, which has "
                    f"{earlier} in line {its_line}. Keep one of them"
                )
    return answers


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
