"""Draw docs/_static/find-*.png, a real find: ``python docs/draw_find.py``.

All 53,940 diamonds of ggplot2, of which some have a side of 0 or beyond 20 millimetres:
where these stand in the ranking of `NCAEDetector`, given the frame as it is, and of an
isolation forest on numbers and one-hot columns. Printed is what the landing page says.
It takes the extra "bench", and a minute.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import StrMethodFormatter

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.detectors.frames import iforest_onehot, ours  # noqa: E402
from benchmarks.sets.frames import diamonds_with_known_errors  # noqa: E402

FOLDER = Path(__file__).parent / "_static"
DETECTORS = {"NCAEDetector": ours, "Isolation forest": iforest_onehot}
SEEDS, FIRST = (0, 1, 2), 40
LARGEST = 12  # millimetres; the few beyond are drawn on the edge
STYLES = {"light": ("#1a1a1a", "#8a8a8a"), "dark": ("#e6e6e6", "#8a8a8a")}
BLUE, VERMILION = "#3d8fd1", "#e8702a"


def ranks(scores):
    """Places of the rows from the most abnormal, 1; of equal ones the last."""
    return len(scores) - np.searchsorted(np.sort(scores), scores)


def told(frame, is_wrong):
    """Places of the wrong rows by detector, of the first seed; all are printed."""
    print(f"{is_wrong.sum()} of {len(frame):,} diamonds have an impossible side")
    first = {}
    for name, detector in DETECTORS.items():
        for seed in SEEDS:
            places = np.sort(ranks(detector(frame, seed).scores)[is_wrong])
            first.setdefault(name, places)
            n_first = (places <= FIRST).sum()
            print(
                f"{name}, seed {seed}: {n_first} among the first {FIRST}, "
                f"the first at {places[0]}, all among the first {places[-1]:,}"
            )
    return first


def draw(frame, is_wrong, places, style):
    """The diamonds on the left, the places of the wrong ones on the right."""
    ink, grey = STYLES[style]
    names = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
    settings = dict.fromkeys((*names, "axes.edgecolor"), ink) | {"font.size": 9}
    with plt.rc_context(settings):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(8.4, 3.0), width_ratios=[1, 1.5], layout="constrained"
        )
        x, z = (np.minimum(frame[side], LARGEST) for side in "xz")
        left.plot(x[~is_wrong], z[~is_wrong], ".", color=grey, ms=1, alpha=0.4)
        left.plot(
            x[is_wrong], z[is_wrong], "o", color=VERMILION, ms=6, mfc="none", mew=1.3
        )
        left.set(xlabel="length x (mm)", ylabel="depth z (mm)")
        left.set_xticks([0, 4, 8])
        left.set_yticks([0, 4, 8, LARGEST], ["0", "4", "8", f"≥ {LARGEST}"])
        colours = (VERMILION, BLUE)
        for i, (found, colour) in enumerate(zip(places.values(), colours, strict=True)):
            right.vlines(found, i - 0.3, i + 0.3, color=colour, linewidth=1.6)
        right.set_xscale("log")
        right.set_xlim(0.8, len(frame))
        right.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        right.set_yticks(range(len(places)), list(places))
        right.invert_yaxis()
        right.tick_params(axis="y", length=0)
        right.set_xlabel(f"place in the ranking of {len(frame):,} rows")
        for axes in (left, right):
            axes.patch.set_alpha(0)
            axes.spines[["top", "right"]].set_visible(False)
        figure.patch.set_alpha(0)
        figure.savefig(FOLDER / f"find-{style}.png", dpi=160)
        plt.close(figure)


def main():
    """Rank, print and draw."""
    frame, is_wrong = diamonds_with_known_errors()
    places = told(frame, is_wrong)
    for style in STYLES:
        draw(frame, is_wrong, places, style)


if __name__ == "__main__":
    main()
