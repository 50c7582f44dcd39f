"""The report as one HTML file: geometry here, looks and behaviour in the template."""

import math
from html import escape
from importlib.resources import files

from skncae._extras import needing
from skncae._sentences import counted, isolated, percent, percentile, visible

# Sizes of the drawings, in their own units.
WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, BOTTOM, TOP = 60, 700, 176, 12
MAP_WIDTH, MAP_HEIGHT = 720, 420


def page(content):
    """Return the HTML of a report.

    Parameters
    ----------
    content : dict
        `Report.content`.

    Returns
    -------
    html : str
    """
    template = _environment().from_string(
        files("skncae.reports").joinpath("template.html").read_text("utf-8")
    )
    return template.render(
        content=content,
        chart=_chart(content["distribution"]),
        map=_drawn_map(content["map"], content["rows"]),
        script={
            "steps": _steps(content["distribution"]["steps"], content["n_rows"]),
            "n_rows": content["n_rows"],
            "threshold": content["threshold"],
        },
    )


def page_in_frame(content):
    """Return the page inside a frame, so that it and a notebook leave each other be."""
    return (
        '<iframe title="skncae report" style="width:100%;height:44rem;border:1px solid '
        '#8888;border-radius:6px" sandbox="allow-scripts allow-downloads allow-popups" '
        f'srcdoc="{escape(page(content))}"></iframe>'
    )


def _environment():
    with needing("report", "The page of a report needs jinja2."):
        import jinja2
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["thousands"] = lambda number: f"{number:,}".replace(",", " ")
    environment.filters["percent"] = percent
    environment.filters["are"] = lambda number: "is" if number == 1 else "are"
    environment.filters["things"] = counted
    environment.filters["isolated"] = lambda value: isolated(str(value))
    environment.filters["visible"] = lambda value: visible(str(value))
    environment.filters["percentile"] = percentile
    return environment


def _chart(distribution):
    """Outline of the bars, ticks, and the scale that the script needs."""
    edges, counts = distribution["edges"], distribution["counts"]
    low, high = edges[0], edges[-1]
    scale = (RIGHT - LEFT) / (high - low)
    top = math.log1p(max(counts))
    outline = ""
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            height = (BOTTOM - TOP) * math.log1p(count) / top
            x, width = LEFT + (left - low) * scale, (right - left) * scale - 1
            y = BOTTOM - height
            outline += f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z"
    tens = [10**i for i in range(1 + int(math.log10(max(counts))))]
    return {
        "size": {
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": RIGHT,
            "bottom": BOTTOM,
        },
        "outline": outline,
        "low": low,
        "high": high,
        "scale": scale,
        "x": LEFT + (distribution["threshold"] - low) * scale,
        "x_ticks": [(LEFT + (tick - low) * scale, tick) for tick in _ticks(low, high)],
        "y_ticks": [
            (BOTTOM - (BOTTOM - TOP) * math.log1p(count) / top, count) for count in tens
        ],
    }


def _ticks(low, high):
    """Whole numbers between two, no more than ten of them."""
    step = max(1, math.ceil((high - low) / 10))
    first = math.ceil(low / step)
    return [step * i for i in range(first, math.floor(high / step) + 1)]


def _drawn_map(row_map, rows):
    """Dots of the ordinary rows as one path, and the places of those shown."""
    every = [*row_map["places"], *row_map["top"]]
    xs, ys = [place[0] for place in every], [place[1] for place in every]

    def put(place):
        x = (place[0] - min(xs)) / (max(xs) - min(xs) or 1)
        y = (place[1] - min(ys)) / (max(ys) - min(ys) or 1)
        return 16 + x * (MAP_WIDTH - 32), MAP_HEIGHT - 16 - y * (MAP_HEIGHT - 32)

    dots = "".join(
        "M{:.0f} {:.0f}h0".format(*put(place)) for place in row_map["places"]
    )
    marks = [
        {"x": put(place)[0], "y": put(place)[1], "row": row}
        for place, row in zip(row_map["top"], rows, strict=True)
    ]
    return {"dots": dots, "marks": marks[::-1], "share": row_map["share"]}


def _steps(steps, n_rows):
    """Steps of the slider; a threshold keeps all digits, a place needs few."""
    return [
        [round(x, 4), cut, count, percent(count / n_rows)] for x, cut, count in steps
    ]
