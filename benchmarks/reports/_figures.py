"""Figures of results on tables, one function each; PNG files out."""

import inspect

import numpy as np

OURS = "NCAEDetector"
COLOURS = {True: "#c1440e", False: "#4a5568"}


def critical_difference(ranks, title, path):
    """Draw mean ranks, with bars over what the Nemenyi test cannot tell apart.

    Parameters
    ----------
    ranks : DataFrame of shape (sets, detectors)
        Rank of each detector in each set, 1 is best.
    title : str
        The metric.
    path : Path
        The PNG to write.
    """
    import scikit_posthocs
    from scipy.stats import friedmanchisquare

    if len(ranks) < 2 or ranks.shape[1] < 3:
        return
    figure, axes = _canvas(9, 1.2 + 0.22 * ranks.shape[1])
    scikit_posthocs.critical_difference_diagram(
        ranks.mean(),
        scikit_posthocs.posthoc_nemenyi_friedman(ranks),
        ax=axes,
        color_palette={name: COLOURS[name == OURS] for name in ranks},
        label_props={"size": 9},
    )
    p = friedmanchisquare(*ranks.to_numpy().T).pvalue
    axes.set_title(
        f"Mean rank by {title} over {len(ranks)} sets "
        f"(Friedman p = {p:.1g}; bars: Nemenyi, 5 %)",
        fontsize=10,
        pad=12,
    )
    _save(figure, path)


def box_plot(values, title, path):
    """Draw one box a detector over the sets, best median on top."""
    values = values[values.median().sort_values().index]
    figure, axes = _canvas(7, 1 + 0.28 * values.shape[1])
    # Before matplotlib 3.10 it had another name.
    is_new = "orientation" in inspect.signature(axes.boxplot).parameters
    lying = {"orientation": "horizontal"} if is_new else {"vert": False}
    boxes = axes.boxplot(
        values.to_numpy(),
        **lying,
        patch_artist=True,
        medianprops={"color": "black"},
        flierprops={"markersize": 3},
    )
    axes.set_yticks(range(1, 1 + values.shape[1]), list(values.columns))
    for name, box in zip(values.columns, boxes["boxes"], strict=True):
        box.set(facecolor=COLOURS[name == OURS], alpha=0.5)
    axes.set(xlabel=f"{title} of {len(values)} sets")
    axes.grid(axis="x", alpha=0.3)
    _save(figure, path)


def accuracy_against_time(summary, metric, title, path):
    """Draw mean accuracy against the median fit time."""
    figure, axes = _canvas(7, 5)
    times = np.maximum(summary.fit_cpu_s.to_numpy(dtype=float), 1e-3)
    for name, time, value in zip(summary.index, times, summary[metric], strict=True):
        axes.plot(time, 100 * value, "o", color=COLOURS[name == OURS])
        axes.annotate(
            name,
            (time, 100 * value),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=8,
            color=COLOURS[name == OURS],
        )
    axes.set(
        xscale="log",
        xlabel="CPU seconds a fit, one thread (median over sets)",
        ylabel=f"mean {title}, %",
    )
    axes.grid(alpha=0.3)
    _save(figure, path)


def _canvas(width, height):
    from matplotlib.figure import Figure

    # A Figure of its own touches no global state and needs no display.
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure, path):
    figure.savefig(path, dpi=150)
