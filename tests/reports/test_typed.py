"""Reports of frames: categories, dates, missing values, what is set aside."""

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skncae import Chunks, NCAEDetector


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    rank = rng.choice(["Prof", "Asst"], 300).astype(object)
    years = np.where(rank == "Prof", 25, 3) + rng.integers(0, 5, 300)
    frame = pd.DataFrame(
        {
            "name": [f"person number {i}, of somewhere" for i in range(300)],
            "rank": rank,
            "years": years,
            "pay": (2000 + 100 * years + rng.normal(0, 50, 300)).round(2),
            "paid": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(300), "D"),
        }
    )
    frame.loc[17, "pay"] *= 100
    frame.loc[40, "rank"] = "Porf"
    frame.loc[60, "paid"] = pd.Timestamp("1924-05-03")
    frame.loc[80, ["pay", "rank"]] = None
    return frame


@pytest.fixture(scope="module")
def detector(frame):
    with pytest.warns(UserWarning, match="Set aside"):
        return NCAEDetector(0.02, n_estimators=2, max_iter=20, random_state=0).fit(
            frame
        )


def test_sentences_are_in_the_words_of_the_frame(detector, frame):
    why = detector.report(frame, n=6).to_frame().why
    assert why[17].startswith("pay = ") and "is expected" in why[17]
    assert why[40].startswith("rank = Porf is rare")
    assert "paid = 1924-05-03" in why[60]


def test_whole_row_has_every_column_as_it_came(detector, frame):
    row = detector.report(frame, n=1).rows[0]
    cells = {name: (value, expected) for name, value, expected, _ in row["cells"]}
    assert list(cells) == list(frame.columns)
    assert cells["rank"][1] in ("Prof", "Asst")
    assert cells["paid"][0].startswith("20") or cells["paid"][0] == "1924-05-03"


def test_columns_that_were_set_aside_are_listed(detector, frame):
    notes = detector.report(frame, n=1).content["columns"]
    assert notes[0]["name"] == "name" and notes[0]["state"] == "set aside"


def test_missing_value_is_said(detector, frame):
    explanation = detector.explain(frame.loc[[80]])
    row = detector.report(frame.loc[[80]], n=1).rows[0]
    assert dict((c[0], c[1]) for c in row["cells"])["pay"] == "missing"
    assert isinstance(explanation.sentence(0), str)


def test_polars_frame_has_the_same_report(detector, frame):
    own = detector.report(frame, n=4).rows
    polars = detector.report(pl.from_pandas(frame), n=4).rows
    assert [r["why"] for r in own] == [r["why"] for r in polars]


def test_map_tells_categories_apart(detector, frame):
    places = np.array(detector.report(frame).content["map"]["places"])
    assert (places.std(axis=0) > 0.1).all()
    detector.report(frame).to_html()


DAYS = pd.Series(pd.date_range("2024-01-01", periods=60))
# What fit saw, and a value that later rows may have beside others alone.
STRANGE = {
    "text among dates": (DAYS, DAYS.astype(str).astype(object), "soon"),
    "another unit": ([f"${i}.{i % 10}0" for i in range(60)], None, "5 €"),
    "numbers among words": (pd.Series(["a", "b"] * 30, dtype=object), None, 7),
    "a code of a chunk": (["1", "2", "4a"] * 20, [1, 2, 2] * 20, 7),
}


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("kind", STRANGE)
def test_rows_that_were_scored_are_reported_whatever_they_hold(kind, in_chunks, fast):
    first, later, value = STRANGE[kind]
    x = np.random.default_rng(0).normal(size=60).round(1)
    fitted = pd.DataFrame({"x": x, "c": first})
    detector = fast(max_iter=2).fit(fitted)
    rows = fitted if later is None else fitted.assign(c=later)
    rows.loc[[3, 4, 5], "x"] = 50.0
    rows.loc[[3, 4, 5], "c"] = value
    given = Chunks([fitted, rows]) if in_chunks else rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = detector.report(given, n=3)
        explained = detector.explain(rows).top(3)
    assert {row["label"] for row in report.rows} == {3, 4, 5}
    assert report.to_frame().why.to_dict() == explained.why.to_dict()
    assert str(value) in [cells[1][1] for cells in (r["cells"] for r in report.rows)]


@pytest.mark.parametrize("other", ["ab", [1.5, 2.5]])
def test_truth_values_in_a_column_of_numbers_are_numbers(other, fast):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "k": rng.integers(0, 2, 60),
            "c": rng.choice(list(other), 60),
            "x": rng.normal(size=60),
        }
    )
    detector = fast(max_iter=2).fit(frame)
    same = frame.assign(k=frame.k.astype(bool))
    for rows in (same, same.astype({"k": object}), same.astype({"k": "boolean"})):
        assert detector.report(rows).rows == detector.report(frame).rows
        explained, expected = detector.explain(rows), detector.explain(frame)
        assert explained.top(60).why.tolist() == expected.top(60).why.tolist()
        assert np.array_equal(explained.residual, expected.residual)


# Columns with a number or a moment that other types have no place for.
BEYOND = {
    "whole numbers of pyarrow": pd.Series(
        [2**53 + 1 + i**3 for i in range(60)], dtype="int64[pyarrow]"
    ),
    "whole numbers": pd.Series([2**62 + i**3 for i in range(60)], dtype="uint64"),
    "decimals of pyarrow": pd.Series(
        [Decimal(i) for i in range(60)], dtype=pd.ArrowDtype(pa.decimal128(20, 2))
    ),
    "complex numbers": pd.Series([complex(i, 1) for i in range(60)]),
    "missing numbers of pyarrow": pd.Series([None, 1, 2] * 20, dtype="int64[pyarrow]"),
    "days": pd.Series(np.array([0, 1, 299_999_980_800] * 20, dtype="datetime64[s]")),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_report_of_values_that_other_types_have_no_place_for(kind, fast):
    x = np.random.default_rng(0).normal(size=60)
    frame = pd.DataFrame({"v": BEYOND[kind], "c": ["a", "b"] * 30, "x": x})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Set aside")
        detector = fast(max_iter=2).fit(frame)
    report = detector.report(frame, n=60)
    written = {row["label"]: row["cells"][0][1] for row in report.rows}
    if kind == "days":
        assert written[2] == "11476-08-15"
    assert written[1] != written[59] or kind.startswith("whole")


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("kind", ["Int128", "UInt128", "Time", "string_view", "spans"])
def test_report_of_types_that_pandas_or_pyarrow_lack(kind, in_chunks, fast):
    rng = np.random.default_rng(0)
    x, whole = rng.normal(size=60), rng.integers(0, 9, 60).tolist()
    words = rng.choice(["a", "b"], 60).tolist()
    if kind in ("string_view", "spans"):
        made = {
            "string_view": lambda: pa.array(words, pa.string_view()),
            "spans": lambda: pa.array([pa.MonthDayNano([1, 2, 3])] * 60),
        }
        table = pa.table({"x": x, "v": made[kind](), "c": words})
    elif hasattr(pl, kind):
        v = pl.Series(whole).cast(getattr(pl, kind))
        table = pl.DataFrame({"x": x, "v": v, "c": words})
    else:
        pytest.skip(f"polars {pl.__version__} has no {kind}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Set aside")
        detector = fast(max_iter=2).fit(table)
    given = Chunks([table[:30], table[30:]]) if in_chunks else table
    report = detector.report(given, n=3)
    worst = np.argsort(detector.score_samples(table))[:3].tolist()
    assert [row["label"] for row in report.rows] == worst
    shown = [row["cells"][1][1] for row in report.rows]
    if kind.endswith("Int128"):
        assert shown == [str(whole[row]) for row in worst]


def test_chunks_may_have_their_columns_in_any_order(fast):
    x = np.random.default_rng(0).normal(size=60)
    frame = pd.DataFrame({"x": x, "d": DAYS, 1: ["a", "b"] * 30, "e": x - 5})
    detector = fast(max_iter=2).fit(frame)
    turned = frame[["e", 1, "d", "x"]]
    same = detector.report(Chunks([frame[:30], frame[30:]]), n=9)
    other = detector.report(Chunks([frame[:30], turned[30:]]), n=9)
    assert other.content["columns"] == same.content["columns"]
    assert other.content["map"] == same.content["map"]


def test_what_is_read_as_missing_is_said_once(fast):
    frame = pd.DataFrame({"x": np.arange(60) / 7, "day": DAYS.astype(str)})
    detector = fast(max_iter=2).fit(frame)
    frame.loc[3] = [500.0, "soon"]
    with pytest.warns(UserWarning, match=r"'day' \('soon'\)") as caught:
        detector.report(frame, n=2)
    assert len(caught) == 1
