"""Draw who imports whom, from the code: ``python docs/draw_architecture.py``.

The rows are the layers that import-linter holds (`setup.cfg`), a box is a room or a
file beside them, a line an import from the upper to the lower one.
"""

import configparser
import html
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH, HEIGHT, GAP, ROW = 158, 46, 14, 104


def layers():
    """Rows of module names, from top to bottom."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    rows = settings["importlinter:contract:rooms"]["layers"].strip().splitlines()
    return [[f"skncae.{name.strip()}" for name in row.split("|")] for row in rows]


def boxes(rows):
    """The left upper corner of each box, and the size of the picture."""
    width = max(len(row) for row in rows) * (WIDTH + GAP) + GAP
    places = {}
    for i, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for j, name in enumerate(row):
            places[name] = left + j * (WIDTH + GAP), GAP + i * ROW
    return places, (width, len(rows) * ROW)


def room_of(module, rooms):
    """The room that a module lies in, None for the package itself."""
    inside = [room for room in rooms if module == room or module.startswith(room + ".")]
    return max(inside, key=len, default=None)


def imports(rooms):
    """Pairs of rooms of which the first imports the second."""
    graph = grimp.build_graph("skncae", include_external_packages=False)
    pairs = set()
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            pair = room_of(importer, rooms), room_of(imported, rooms)
            if None not in pair and pair[0] != pair[1]:
                pairs.add(pair)
    return sorted(pairs)


def purpose(room):
    """The first line of the docstring of a room."""
    path = ROOT / Path(*room.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text("utf-8").split('"""')[1].strip().splitlines()[0]


def draw():
    """The picture as text; colours are those of the page."""
    rows = layers()
    places, (width, height) = boxes(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'role="img" aria-label="Who imports whom" font-family="sans-serif" '
        'style="max-width: 100%; color: var(--pst-color-text-base, currentColor)">'
    ]
    for upper, lower in imports(places):
        (x, y), (to_x, to_y) = places[upper], places[lower]
        x, to_x, y = x + WIDTH / 2, to_x + WIDTH / 2, y + HEIGHT
        bend = (to_y - y) / 2
        lines.append(
            f'<path d="M{x:g} {y:g} C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} '
            f'{to_x:g} {to_y:g}" fill="none" stroke="currentColor" opacity="0.3"/>'
        )
    for room, (x, y) in places.items():
        name = room.removeprefix("skncae.")
        lines.append(
            f"<g><title>{html.escape(purpose(room))}</title>"
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            'fill="var(--pst-color-surface, #eee)" stroke="currentColor"/>'
            f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2 + 5:g}" '
            f'text-anchor="middle" font-size="15" fill="currentColor">{name}</text></g>'
        )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
