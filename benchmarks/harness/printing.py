"""Tables for a terminal, and for Markdown."""

import math


def columns(head, rows):
    """Render rows below a head, as columns that line up.

    Text goes to the left and numbers to the right; a float that is no number is empty.
    """
    rows = [list(row) for row in rows]
    is_text = [
        any(isinstance(row[i], str) and not _like_number(row[i]) for row in rows)
        for i in range(len(head))
    ]
    cells = [head, *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, is_text, strict=True)
        )
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def percent(value, digits=1):
    """Render a share in percent; empty where there is none."""
    return "" if value != value else f"{100 * value:.{digits}f}"


def spread(values):
    """Render mean and standard deviation of shares in percent."""
    deviation = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{percent(values.mean())} ± {percent(deviation)}"


def mean_and_error(values, sign=""):
    """Render the mean of shares in percent, and its standard error; empty of none."""
    values = values.dropna()
    if values.empty:
        return ""
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{100 * values.mean():{sign}.1f} ± {percent(error)}"


def markdown(head, rows):
    """Render a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(c) for c in line)} |" for line in lines)


def folded(title, lines):
    """Render lines that a reader opens when he wants them, here and on GitHub."""
    block = "\n".join(lines)
    return f"<details>\n<summary>{title}</summary>\n\n```\n{block}\n```\n\n</details>"


def _cell(value):
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)


def _like_number(text):
    return not text or text[0].isdigit() or text[0] in "+-."
