"""Tables of wrong rows in mixed frames, as a page beside the results.

``python -m benchmarks report frames`` makes ``frames.md`` of ``frames.csv``.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.harness import printing, records
from benchmarks.sets import errors

KEY = ("frame", "seed", "detector")
SCORES = ("together", *errors.KINDS)
PARTS = {
    "reported": "The reported part: nothing was chosen on these frames",
    "development": "The development part: defaults may be chosen on these frames",
}

LEGEND = (
    "takes: frames that the estimator is fitted on as they are. named: wrong rows where"
    " a changed column has the largest contribution. impossible: expected values that"
    " the column cannot hold; `ours_recipe` has some of numbers and dates only."
)


def table(frame):
    """Render all tables of the rows of a result file."""
    parts = [_precisions(frame, part, title) for part, title in PARTS.items()]
    return "\n\n".join(part for part in [*parts, _known(frame), _times(frame)] if part)


def means(frame, column):
    """Mean over frames and its standard error, for each detector.

    Seeds are averaged within a frame first, since they share all its clean rows.
    """
    by_frame = frame.groupby(["detector", "frame"])[column].mean().dropna()
    groups = by_frame.groupby("detector")
    return groups.mean(), groups.sem()


def _precisions(frame, part, title):
    """Average precision by kind, and what else is asked of a detector."""
    rows = frame[frame.part == part]
    if rows.empty:
        return ""
    head = [
        "detector",
        *SCORES,
        "takes, %",
        "named, %",
        "impossible, %",
        "seeds",
        "failed",
    ]
    cells = {name: _with_error(*means(rows, name)) for name in SCORES}
    cells["takes, %"] = _plain(100 * means(rows, "takes")[0], 0)
    cells["named, %"] = _plain(means(rows, "named")[0], 0)
    sums = rows.groupby("detector")[["impossible", "expected"]].sum(min_count=1)
    cells["impossible, %"] = _plain(100 * sums.impossible / sums.expected, 2)
    cells["seeds"] = rows.groupby("detector").seed.nunique().astype(str)
    cells["failed"] = rows[rows.status != "ok"].groupby("detector").size().astype(str)
    order = means(rows, "together")[0].sort_values(ascending=False).index
    order = [*order, *sorted(set(rows.detector) - set(order))]
    body = [[d, *(cells[c].get(d, "") for c in head[1:])] for d in order]
    chance = rows.groupby("frame").chance.mean().mean()
    return (
        f"## {title}\n\n{rows.frame.nunique()} frames; average precision in percent,"
        f" mean over the frames ± its standard error. A random order has {chance:.1f}"
        f" together.\n\n{LEGEND}\n\n"
        f"{printing.markdown(head, body)}"
    )


def _known(frame):
    """Average precision on errors that were in the data."""
    rows = frame[frame.known.notna()].sort_values("known", ascending=False)
    if rows.empty:
        return ""
    head = ["detector", "average precision, %", "CPU s"]
    body = [
        [row.detector, f"{row.known:.1f}", f"{row.cpu_s:.1f}"]
        for row in rows.itertuples()
    ]
    chance = rows.chance.iloc[0]
    return (
        "## Diamonds that cannot be\n\n"
        "All 53,940 diamonds; the wrong ones have a side of 0 or beyond 20 mm. A"
        f" random order has {chance:.2f}.\n\n{printing.markdown(head, body)}"
    )


def _times(frame):
    """CPU seconds of fit and scores on made-up frames."""
    rows = frame[frame.frame.str.startswith("mixed:")]
    if rows.empty:
        return ""
    cells = {
        (row.detector, row.frame): f"{row.cpu_s:.1f}"
        if row.status == "ok"
        else "failed"
        for row in rows.itertuples()
    }
    # 4000x12 before 100000x20.
    names = sorted(rows.frame.unique(), key=len)
    body = [
        [detector, *(cells.get((detector, name), "") for name in names)]
        for detector in sorted(rows.detector.unique())
    ]
    return (
        "## CPU seconds of fit and scores, one thread\n\n"
        f"{printing.markdown(['detector', *names], body)}"
    )


def _with_error(mean, error):
    """Cells of means with their errors, by detector."""
    error = error.reindex(mean.index)
    return {d: f"{mean[d]:.1f} ± {np.nan_to_num(error[d]):.1f}" for d in mean.index}


def _plain(values, digits):
    """Cells of numbers, by detector."""
    return {d: f"{value:.{digits}f}" for d, value in values.items() if value == value}


def main(arguments=None):
    """Write the page of a result file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report frames")
    parser.add_argument("--results", default="benchmarks/results/frames.csv")
    options = parser.parse_args(arguments)
    path = Path(options.results)
    page = f"# Wrong rows in mixed frames\n\n{table(records.read(path, KEY))}\n"
    path.with_suffix(".md").write_text(page)
