"""The rows of a table that stand out, with reasons, as an object that shows itself."""

import os
import re
from dataclasses import replace

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skncae._checks import check_count
from skncae._pipelines import explain, final_step, rows_for_final_step
from skncae._sentences import (
    counted,
    number_of_decimals,
    percentile,
    text_of,
    visible,
)
from skncae._surroundings import undisturbed
from skncae._threshold import exceeds
from skncae._version import __version__
from skncae.data._chunks import Chunks
from skncae.data._validation import check_rows, feature_names, known_rows
from skncae.reports._collect import as_frame, collect, with_numbers
from skncae.reports._columns import column_notes
from skncae.reports._distribution import distribution
from skncae.reports._map import coordinates, row_map
from skncae.reports._page import page, page_in_frame

# A row is shown with so many bars; the other columns share one.
BARS = 3
# And none for less than this share of its error.
LEAST_BAR = 0.005

# What ends a line, or moves the cursor of a terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Marks of Markdown where they would be some: a name like unit_price has none.
_MARKS = re.compile(
    r"[\\|`~]|(?<=\S)\*|\*(?=\S)|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[])|&(?=#?\w+;)"
)


class Report:
    """The rows that stand out most, and what the table looks like.

    `NCAEDetector.report` and `skncae.report` make one. A notebook shows it.

    Parameters
    ----------
    content : dict
        Plain dictionaries, lists, numbers and text: "rows", "distribution",
        "columns", "map", and numbers of the whole.

    Attributes
    ----------
    rows : list of dict
        The rows, the largest error first: "label", "rank", "error", "flagged",
        "percentile", "p_value", "why", "bars", "cells", and in "namesakes" how many
        other rows have the label.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[7, 2] = 9
    >>> report = NCAEDetector(random_state=0).fit(X).report(X, n=3)
    >>> report
    <Report of 300 rows, 30 flagged>
    >>> report.rows[0]["label"], report.rows[0]["flagged"]
    (7, True)
    """

    def __init__(self, content):
        self.content = content

    @property
    def rows(self):
        """Return the rows that stand out most, as dictionaries.

        Returns
        -------
        rows : list of dict
            The largest error first.
        """
        return self.content["rows"]

    def __repr__(self):
        content = self.content
        n_rows, n_flagged = content["n_rows"], content["n_flagged"]
        return f"<Report of {counted(n_rows, 'rows')}, {n_flagged} flagged>"

    def to_html(self, path=None):
        """Write the report as one HTML file, which asks nobody for anything.

        Parameters
        ----------
        path : str or path-like, default=None
            Where to; None returns the text.

        Returns
        -------
        html : str or None
            The page, where no path is given.

        Raises
        ------
        ImportError
            Without jinja2, which `pip install "skncae[report]"` adds.
        """
        html = page(self.content)
        if path is None:
            return html
        # An int would be a stream of the process, and closed in the end.
        with open(os.fspath(path), "w", encoding="utf-8") as file:
            file.write(html)
        return None

    def to_frame(self):
        """Return the rows as a pandas frame.

        Returns
        -------
        frame : DataFrame of shape (n, 5)
            Columns "error", "flagged", "percentile", "p_value" (NaN where the detector
            is not calibrated) and "why"; the index has the labels of the rows.
        """
        import pandas

        names = ["error", "flagged", "percentile", "p_value", "why"]
        index = pandas.Index([row["label"] for row in self.rows], tupleize_cols=False)
        columns = {name: [row[name] for row in self.rows] for name in names}
        frame = pandas.DataFrame(columns, index=index)
        return frame.astype({"p_value": float})

    def to_markdown(self):
        """Return the rows as a table of Markdown.

        Returns
        -------
        text : str
            Two lines of head, then one for each row.
        """
        has_p = any(row["p_value"] is not None for row in self.rows)
        head = ["row", "flagged", "percentile", *["p-value"] * has_p, "why"]
        lines = [head, ["---"] * len(head)]
        for row in self.rows:
            label = visible(str(row["label"]))
            cells = [label, "yes" if row["flagged"] else "no"]
            cells.append(percentile(row["percentile"]))
            if has_p:
                cells.append(f"{row['p_value']:.3g}")
            lines.append([_escaped(cell) for cell in [*cells, row["why"]]])
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

    def _repr_html_(self):
        """Show the page in a notebook, in a frame of its own."""
        return page_in_frame(self.content)


@undisturbed()
def make_report(estimator, X, n=20):
    """Report the rows of X that stand out most.

    Parameters
    ----------
    estimator : NCAEDetector or Pipeline
        Fitted; the last step of a pipeline is the detector.
    X : array-like of shape (n_samples, n_features) or Chunks
        Rows of a table.
    n : int, default=20
        How many rows to show.

    Returns
    -------
    report : Report
        What was found.

    Raises
    ------
    ValueError
        If X has no rows or n is less than 1.
    TypeError
        If the estimator is no detector, or was fitted on images.
    """
    check_is_fitted(estimator)
    n = check_count("n", n)
    detector = final_step(estimator)
    if detector.image_shape_ is not None:
        raise TypeError(
            "A report is for tables, and this NCAEDetector was fitted on images. Use "
            "explain and skncae.plotting.ReconstructionDisplay."
        )
    names = feature_names(estimator)
    chunks = X if isinstance(X, Chunks) else [X]
    # Of the steps before the detector nobody knows what they take text for.
    layout = detector._layout if estimator is detector else None
    found = collect(estimator.score_samples, chunks, names, n, layout)
    errors = np.concatenate(found.errors)
    with known_rows():
        rows = _rows(estimator, detector, found, names)
        places = _map(estimator, detector, found, rows)
    return Report(
        {
            "version": __version__,
            "n_rows": found.n_rows,
            "n_columns": len(found.extremes),
            "n_flagged": int(exceeds(errors, detector.threshold_).sum()),
            "threshold": float(detector.threshold_),
            "rows": rows,
            "lessons": _lessons(detector),
            "distribution": distribution(
                errors, detector.threshold_, detector._scorer.deviations
            ),
            "columns": column_notes(
                with_numbers(found.sample, layout),
                found.extremes,
                found.n_rows,
                _set_aside(detector),
            ),
            "map": places,
        }
    )


def _rows(estimator, detector, found, names):
    """Describe the rows that stand out most, the largest error first."""
    described = []
    for piece in found.top:
        explanation = _as_in_sample(explain(estimator, piece.rows), found.sample)
        frame = as_frame(piece.rows, names)
        p_values = _p_values(estimator, detector, piece.rows)
        for i, (label, error) in enumerate(
            zip(piece.labels, piece.errors, strict=True)
        ):
            described.append(
                {
                    "label": label,
                    "error": float(error),
                    "flagged": bool(exceeds(error, detector.threshold_)),
                    "percentile": _percentile(detector, error),
                    "p_value": None if p_values is None else float(p_values[i]),
                    "why": explanation.sentence(i),
                    "bars": _bars(explanation, i),
                    "cells": _cells(explanation, frame, i),
                    "position": float(
                        detector._scorer.deviations(np.array([error]))[0]
                    ),
                }
            )
    described.sort(key=lambda row: -row["error"])
    ranked = described[: found.n_top]
    namesakes = found.namesakes([row["label"] for row in ranked])
    return [
        {"rank": rank, **row, "namesakes": others}
        for rank, (row, others) in enumerate(
            zip(ranked, namesakes, strict=True), start=1
        )
    ]


def _as_in_sample(explanation, sample):
    """Write numbers with as many digits as those of the sample have."""
    columns = list(explanation.columns)
    for place, j in enumerate(_places(explanation, sample)):
        is_text = j is None or columns[j].writing is not None
        if not is_text and columns[j].kind == "number":
            numbers = sample.iloc[:, place].to_numpy(dtype=float, na_value=np.nan)
            decimals = number_of_decimals(numbers)
            columns[j] = replace(columns[j], decimals=decimals)
    return replace(explanation, columns=tuple(columns))


def _percentile(detector, error):
    """Share of the training rows with a smaller error, in percent."""
    return 100.0 * float(np.mean(-detector.training_scores_ < error))


def _p_values(estimator, detector, rows):
    """p-values of rows, or None where the detector is not calibrated."""
    if getattr(detector, "_calibration", None) is None:
        return None
    return detector.p_values(rows_for_final_step(estimator, rows))


def _bars(explanation, row):
    """Largest contributions to the error of a row, in percent of it."""
    parts = explanation.contributions[row]
    total = parts.sum()
    order = np.argsort(-parts, kind="stable")
    names = [str(name) for name in explanation.feature_names]
    shown = [j for j in order[:BARS] if j == order[0] or parts[j] >= LEAST_BAR * total]
    bars = [[names[j], 100 * _share(parts[j], total)] for j in shown]
    rest = order[len(shown) :]
    # A row that nothing speaks against has no shares, and perhaps one column alone.
    if len(rest) and parts[rest].sum() >= LEAST_BAR * total:
        name = f"{len(rest)} other columns" if len(rest) > 1 else names[rest[0]]
        bars.append([name, 100 * _share(parts[rest].sum(), total)])
    return bars


def _cells(explanation, frame, row):
    """All columns of a row as text: name, value, expected value, share of the error."""
    parts = explanation.contributions[row]
    places = _places(explanation, frame)
    cells = []
    for name, value, j in zip(frame.columns, frame.iloc[row], places, strict=True):
        if j is None:
            cells.append([str(name), text_of(value), None, 0.0])
        else:
            share = 100 * _share(parts[j], parts.sum())
            cell = explanation.cell_alone(row, j)
            text = cell.column.text(value)
            cells.append([cell.column.name, text, cell.expected_text(), share])
    return cells


def _places(explanation, frame):
    """Where each column of the frame is in the explanation; None of one that is not."""
    names = [str(name) for name in explanation.feature_names]
    own = [str(name) for name in frame.columns]
    unnamed = [f"x{j}" for j in range(len(own))]
    # Names may occur twice; a frame whose names are no text counts as one without.
    if names in (own, unnamed):
        return list(range(len(own)))
    return [names.index(name) if name in names else None for name in own]


def _share(part, total):
    """A part of a whole; zero of nothing."""
    return float(part / total) if total > 0 else 0.0


def _escaped(text):
    """Text in a cell of a table of Markdown, on one line and without any marks."""
    text = _MARKS.sub(r"\\\g<0>", _CONTROLS.sub(" ", text))
    return text.replace("<", "&lt;")


def _lessons(detector):
    """What answers have taught the detector, in words."""
    return detector.lessons_["sentence"].tolist()


def _set_aside(detector):
    """Columns that the detector does not use, and why."""
    columns = [] if detector._layout is None else detector._layout.columns
    return [(c.name, c.why) for c in columns if hasattr(c, "reason")]


def _map(estimator, detector, found, rows):
    """Places of random rows and of those that stand out, for the map."""
    is_named = hasattr(estimator, "feature_names_in_")
    sample = found.sample if is_named else found.sample.to_numpy()
    sample = rows_for_final_step(estimator, sample)
    layout = detector._layout
    ordinary = coordinates(layout, check_rows(detector, sample, reset=False))
    top: list = []
    for piece in found.top:
        cells = check_rows(
            detector, rows_for_final_step(estimator, piece.rows), reset=False
        )
        numbers = coordinates(layout, cells)
        top += zip(piece.errors, numbers, strict=True)
    top.sort(key=lambda row: -row[0])
    numbers = np.array([numbers for _, numbers in top[: len(rows)]])
    places, top_places, share = row_map(ordinary, numbers)
    return {
        "places": np.round(places, 2).tolist(),
        "top": np.round(top_places, 2).tolist(),
        "share": share,
    }
