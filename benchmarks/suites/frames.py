"""Wrong rows in mixed frames: ``python -m benchmarks frames``.

Errors are planted in thirty frames of registry packages (`benchmarks.sets.frames`,
`benchmarks.sets.errors`), and detectors (`benchmarks.detectors.frames`) rank the rows.
A case is a frame, a seed and a detector. Two other kinds of case share the table:
``known:diamonds``, all 53,940 diamonds with the 27 or so whose sides are impossible,
and ``mixed:4000x12`` and ``mixed:100000x20``, made-up frames for times.

============  ========================================================================
column        what it is
============  ========================================================================
takes         whether the estimator is fitted on the frame as it is (seed 0 only)
together      average precision, in percent, of all wrong rows against the clean ones
decimal ...   the same of the wrong rows of one kind against the clean ones
known         the same of the rows that are known to be wrong
chance        share of wrong rows, in percent: what a random order has for together
expected      expected values that were looked at: of the wrong rows and 50 clean ones
impossible    how many of them cannot be: outside of what was seen, no whole number
              in a column of integers, a category that no row has; text of dates and
              of times of the day counts as such
named         share of the wrong rows, in percent, where a column that was changed has
              the largest contribution
cpu_s         CPU seconds of fit and scores
============  ========================================================================
"""

import functools
import time

import numpy as np
import pandas as pd
from pandas.api import types

from benchmarks.detectors import frames as detectors
from benchmarks.harness import fits
from benchmarks.harness.suite import Suite, one_of
from benchmarks.reports import frames as report
from benchmarks.sets import errors, frames

KNOWN = "known:diamonds"
SIZES = {"mixed:4000x12": (4_000, 12), "mixed:100000x20": (100_000, 20)}
ALL = (*frames.NAMES, KNOWN, *SIZES)
PARTS = {"development": frames.DEVELOPMENT, "reported": frames.REPORTED}
CLEAN_EXPLAINED = 50
ISO_DATE = r"\d{4}-\d{2}-\d{2}"
CLOCK = r"\d{1,2}:\d{2}(:\d{2})?$"
MOSTLY = 0.9


def add_options(add):
    """Declare which frames and detectors."""
    add("--frames", type=chosen_frames, default="all", help="names, a part, or all")
    known = one_of(tuple(detectors.DETECTORS), "detector")
    add("--detectors", type=known, default=",".join(detectors.DETECTORS))


def chosen_frames(text):
    """Frames of a name, a part, or all of them."""
    if text in PARTS:
        return list(PARTS[text])
    return list(ALL) if text == "all" else one_of(ALL, "frame")(text)


def cases(options):
    """Seeds outermost, so that a table of one seed is there early."""
    for seed in options.seeds:
        for name in options.frames:
            # Times and known errors are measured once, whatever the seeds.
            if seed == options.seeds[0] or name in frames.NAMES:
                for detector in options.detectors:
                    yield {"frame": name, "seed": seed, "detector": detector}


def prepare(case, options):
    """Make the frame with its errors."""
    name = case["frame"]
    planted = _planted(name, case["seed"])
    n, d = planted.frame.shape
    part = frames.part(name) if name in frames.NAMES else ""
    return {"part": part, "n": n, "d": d}, planted


@functools.lru_cache(maxsize=4)
def _planted(name, seed):
    """A frame with errors; "known" where they were there, none where it is timed."""
    if name in SIZES:
        frame = frames.mixed(*SIZES[name])
        return errors.Planted(frame, np.full(len(frame), ""), [])
    if name == KNOWN:
        frame, is_wrong = frames.diamonds_with_known_errors()
        return errors.Planted(frame, np.where(is_wrong, "known", ""), [])
    return errors.plant(frames.load(name), seed, name)


def measure(case, planted, options):
    """Rank the rows of a frame, and judge the order and the explanations."""
    name, seed, detector = case["frame"], case["seed"], case["detector"]
    if name in SIZES:
        # What is imported or compiled at first use is no part of the time.
        detectors.DETECTORS[detector](planted.frame.head(500), seed)
    clock = time.process_time()
    found = detectors.DETECTORS[detector](planted.frame, seed)
    row = {"cpu_s": time.process_time() - clock}
    row |= precisions(np.asarray(found.scores, dtype=float), planted.kind)
    if seed == 0 and name in frames.NAMES:
        row["takes"] = int(detectors.takes(detector, frames.load(name)))
    if found.explain and name in frames.NAMES:
        row |= explanations(found.explain, planted, seed)
    return row


def precisions(scores, kind):
    """Average precision, in percent, of each kind of error and of all together."""
    from sklearn.metrics import average_precision_score

    fits.check_scores(scores, len(kind))
    counted = kind != "original"
    kind, scores = kind[counted], scores[counted]
    row = {"chance": 100 * np.mean(kind != "")}
    kinds = sorted(set(kind) - {""})
    groups = {name: np.isin(kind, ("", name)) for name in kinds}
    if "known" not in kinds and kinds:
        groups["together"] = np.ones(len(kind), dtype=bool)
    for name, rows in groups.items():
        precision = average_precision_score(kind[rows] != "", scores[rows])
        row[name] = 100 * precision
    return row


def explanations(explain, planted, seed):
    """Count impossible expected values, and wrong rows whose column is named."""
    kind = planted.kind
    wrong = np.flatnonzero((kind != "") & (kind != "original"))
    clean = np.random.default_rng(seed).permutation(np.flatnonzero(kind == ""))
    rows = np.concatenate([wrong, clean[:CLEAN_EXPLAINED]])
    expected, contributions = explain(rows)
    judged = []
    for name, column in expected.items():
        is_possible = possible_in(planted.frame[name])
        judged += [not is_possible(v) for v in column if not _is_nothing(v)]
    largest = contributions.to_numpy(dtype=float)[: len(wrong)].argmax(axis=1)
    named = [
        contributions.columns[j] in planted.columns[row]
        for row, j in zip(wrong, largest, strict=True)
        if kind[row] != "duplicate"
    ]
    return {
        "expected": len(judged),
        "impossible": sum(judged),
        "named": 100 * np.mean(named),
    }


def possible_in(column):
    """Make the test whether a column can hold a value, by the values that it has."""
    seen = column.dropna()
    if not (types.is_numeric_dtype(column) or errors.is_datetime(column)):
        known, moments = set(seen), _moments(seen)
        if moments is None:
            return known.__contains__
        low, high = moments.min(), moments.max()

        def is_known_or_between(value):
            moment = _moments(pd.Series([value]))
            between = moment is not None and low <= moment.iloc[0] <= high
            return value in known or bool(between)

        return is_known_or_between
    whole = types.is_integer_dtype(column) or types.is_bool_dtype(column)

    def is_between(value):
        try:
            inside = seen.min() <= value <= seen.max()
        except TypeError:  # such as a number where a date was
            return False
        return bool(inside) and not (whole and value != round(value))

    return is_between


def _moments(texts):
    """Dates or times that texts stand for, or None where they stand for neither."""
    if not errors.is_text(texts):
        return None
    texts = texts.astype(str)
    if texts.str.match(ISO_DATE).mean() > MOSTLY:
        return pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    if texts.str.match(CLOCK).mean() > MOSTLY:
        seconds = texts.where(texts.str.count(":") == 2, texts + ":00")
        return pd.to_timedelta(seconds, errors="coerce")
    return None


def _is_nothing(value):
    """Whether nothing is expected, as of a column that is set aside."""
    return value is None or bool(pd.isna(value))


SUITE = Suite(
    name="frames",
    key=report.KEY,
    columns=(
        *report.KEY,
        "part",
        "n",
        "d",
        "status",
        "takes",
        "chance",
        "together",
        *errors.KINDS,
        "known",
        "expected",
        "impossible",
        "named",
        "cpu_s",
        "note",
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=report.table,
    add_options=add_options,
    seeds="0-4",
    time_limit=1800,
)
