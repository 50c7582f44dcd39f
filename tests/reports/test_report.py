"""The report: what is in it, in every form, and what it costs."""

import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

import skncae
from skncae import Chunks, NCAEDetector
from skncae._pipelines import explain
from skncae._sentences import MOST_CLAUSES, visible
from skncae.reports import _report
from skncae.reports._columns import column_notes
from skncae.reports._distribution import distribution

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"'"


@pytest.fixture
def frame(X):
    # pandas 2 keeps the array, and writes to it.
    rows = X.copy()
    frame = pd.DataFrame(
        rows, columns=list("abcde"), index=[f"r{i}" for i in range(200)]
    )
    frame.loc["r60"] = [6.5, -6.5, 90.0, 6.5, -6.5]
    return frame


@pytest.fixture
def detector(frame, fast):
    return fast(contamination=0.05).fit(frame)


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def test_rows_are_the_largest_errors_with_their_labels(detector, frame):
    report = detector.report(frame, n=7)
    scores = pd.Series(detector.score_samples(frame), frame.index)
    assert [row["label"] for row in report.rows] == scores.nsmallest(7).index.tolist()
    assert [row["rank"] for row in report.rows] == [1, 2, 3, 4, 5, 6, 7]
    for row in report.rows:
        error = -scores[row["label"]]
        assert row["error"] == pytest.approx(error, rel=1e-9)
        assert row["flagged"] == (detector.predict(frame.loc[[row["label"]]])[0] == -1)
        smaller = (-detector.training_scores_ < row["error"]).mean()
        assert row["percentile"] == pytest.approx(100 * smaller)
        assert 98 < sum(share for _, share in row["bars"]) < 100.01
    assert report.rows[0]["label"] == "r60"
    assert report.rows[0]["why"].startswith("c = 90.00;")


def test_whole_row_is_there_with_what_was_expected(detector, frame):
    row = detector.report(frame, n=1).rows[0]
    assert [cell[0] for cell in row["cells"]] == list("abcde")
    assert row["cells"][2][1].startswith("90.0")
    assert all(cell[2] is not None for cell in row["cells"])


def test_frame_and_markdown_hold_the_same_rows(detector, frame):
    report = detector.report(frame, n=5)
    table = report.to_frame()
    assert table.index.tolist() == [row["label"] for row in report.rows]
    assert table.columns.tolist() == [
        "error",
        "flagged",
        "percentile",
        "p_value",
        "why",
    ]
    assert table.p_value.isna().all()
    lines = report.to_markdown().splitlines()
    assert len(lines) == 7 and lines[0].startswith("| row |")
    assert len({line.count("|") for line in lines}) == 1


def test_markdown_keeps_its_columns_whatever_a_cell_holds(detector, frame):
    report = detector.report(frame.rename(index={"r60": "a|b\\|\n<b>"}), n=2)
    first = report.to_markdown().splitlines()[2]
    assert len(re.findall(r"(?<!\\)\|", first.replace("\\\\", ""))) == 5
    assert "<b>" not in first


MARKS = st.text("ab_*`~[]()!<>&;#|\\ \r\n\t=1x:", max_size=12) | st.text(max_size=8)


@settings(max_examples=300, deadline=None)
@example("[l](javascript:alert(1))")
@example("__init__")
@example("cr\rline")
@given(MARKS)
def test_cell_of_markdown_reads_as_the_text_that_it_is(text):
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    cell = _report._escaped(text)
    parsed = parser.parse(f"| a | b |\n| --- | --- |\n| {cell} | c |\n")
    read, _ = [part for part in parsed if part.type == "inline"][2:]
    assert {part.type for part in read.children} <= {"text", "text_special"}
    content = "".join(part.content for part in read.children)
    assert content.split() == re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).split()


def test_names_that_need_no_mark_are_left_as_they_are():
    for text in ("unit_price = 3", "2 * 3", "[0, 1)", "R&D", "C# é $5 50 % (x)"):
        assert _report._escaped(text) == text


@pytest.mark.parametrize(
    "labels",
    [
        [f"/srv/data/export/2024/quarter-1/customers/{i}" for i in range(200)],
        1e12 + np.arange(200),
        10000000.1 + np.arange(200),
        [""] + [" " * i for i in range(1, 200)],
        pd.MultiIndex.from_product([["a rather long name of a shop"], range(200)]),
    ],
)
def test_rows_are_told_apart_in_every_form(labels, detector, frame):
    frame = frame.set_axis(pd.Index(labels), axis=0)
    report = detector.report(frame, n=5)
    cells = [line.split(" | ")[0] for line in report.to_markdown().splitlines()[2:]]
    assert len(set(cells)) == 5
    found = [row["label"] for row in report.rows]
    worst = detector.explain(frame).top(5).index
    assert found == worst.tolist() == report.to_frame().index.tolist()
    page = Page(report.to_html())
    assert {visible(str(label)) for label in found} <= set(page.texts)


def test_every_threshold_says_how_many_rows_it_flags(detector, frame):
    content = detector.report(frame).content["distribution"]
    errors = -detector.score_samples(frame)
    assert len(content["steps"]) >= 100
    for _, cut, count in content["steps"]:
        assert count == (errors > cut).sum()
    places = [step[0] for step in content["steps"]]
    assert places == sorted(places)
    assert sum(content["counts"]) == 200
    cuts = [step[1] for step in content["steps"]]
    assert detector.threshold_ in cuts


def test_distribution_of_rows_that_are_all_alike_has_a_width(fast):
    X = np.ones((30, 3))
    content = fast().fit(X).report(X, n=2).content["distribution"]
    assert content["edges"][-1] > content["edges"][0]
    fast().fit(X).report(X, n=2).to_html()


def test_distribution_of_errors_that_are_equal_but_for_rounding_has_a_width():
    errors = np.array([1.0, 1.0, 1.0 + 2.3e-16])
    content = distribution(errors, 1.0, lambda values: values)
    assert sum(content["counts"]) == 3


def test_chunks_polars_and_arrays_give_the_same_report(detector, frame, fast):
    whole = detector.report(frame, n=9)
    pieces = [frame.iloc[:70], frame.iloc[70:71], frame.iloc[71:]]
    chunked = detector.report(Chunks(pieces), n=9)
    assert [r["label"] for r in chunked.rows] == [r["label"] for r in whole.rows]
    assert [r["why"] for r in chunked.rows] == [r["why"] for r in whole.rows]
    assert chunked.content["columns"] == whole.content["columns"]
    for name in ("edges", "counts", "threshold"):
        assert chunked.content["distribution"][name] == pytest.approx(
            whole.content["distribution"][name]
        )
    polars = detector.report(pl.from_pandas(frame), n=9)
    assert [r["why"] for r in polars.rows] == [r["why"] for r in whole.rows]
    array = fast(contamination=0.05).fit(frame.to_numpy()).report(frame.to_numpy(), n=9)
    assert [r["label"] for r in array.rows] == [int(r["label"][1:]) for r in whole.rows]
    assert array.rows[0]["why"].startswith("x2 = 90")


def test_fewer_rows_than_asked_for_are_all_shown(detector, frame):
    assert len(detector.report(frame.iloc[:3], n=20).rows) == 3


def test_report_before_fit_and_of_no_rows_raises(fast, frame, detector):
    with pytest.raises(NotFittedError):
        fast().report(frame)
    with pytest.raises(ValueError, match="n == 0, must be >= 1"):
        detector.report(frame, n=0)
    with pytest.raises(ValueError, match="X has no rows"):
        detector.report(Chunks([]))


def test_report_of_images_says_what_to_use(fast):
    X = np.random.default_rng(0).random((20, 8, 8))
    with pytest.raises(TypeError, match="fitted on images.*ReconstructionDisplay"):
        fast().fit(X).report(X)


def test_report_changes_nothing_of_the_detector(detector, frame):
    before = detector.__getstate__()
    detector.report(frame)
    after = detector.__getstate__()
    assert before.keys() == after.keys()
    assert before["threshold_"] == after["threshold_"]


# --- the page --------------------------------------------------------------------


def test_page_asks_nobody_for_anything(detector, frame, tmp_path):
    path = tmp_path / "report.html"
    assert detector.report(frame).to_html(path) is None
    html = path.read_text("utf-8")
    assert not re.findall(r"https?:|//[a-z]|@import|url\((?!#)", html)
    for _, attributes in Page(html).tags:
        for name in ("src", "href", "action", "srcset"):
            target = attributes.get(name) or "#"
            assert target.startswith("#") or target == "data:,"


def test_cell_that_holds_a_script_stays_text(fast, frame):
    evil = frame.rename(columns={"c": EVIL}, index={"r60": EVIL})
    html = fast().fit(evil).report(evil, n=3).to_html()
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in page.tags]
    assert not [a for _, attributes in page.tags for a in attributes if a[:2] == "on"]
    assert any(EVIL in text for text in page.texts)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html)
    assert json.loads(data.group(1))["n_rows"] == 200


def test_notebook_gets_the_page_in_a_frame_of_its_own(detector, frame):
    html = detector.report(frame, n=2)._repr_html_()
    ((tag, attributes),) = Page(html).tags
    assert tag == "iframe"
    assert attributes["srcdoc"].startswith("<!doctype html>")
    assert "allow-same-origin" not in attributes["sandbox"]


def test_page_without_jinja2_says_what_to_install(detector, frame, monkeypatch):
    report = detector.report(frame)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install .skncae\[report\]"):
        report.to_html()
    report.to_markdown()


def test_report_without_pandas_says_what_to_install(fast, X, monkeypatch):
    detector = fast().fit(X)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install .skncae\[report\]"):
        detector.report(X)


def test_page_of_20_rows_of_30_columns_is_under_a_megabyte(fast):
    X = np.random.default_rng(0).normal(size=(3000, 30))
    assert len(fast().fit(X).report(X).to_html().encode()) < 1e6


def test_only_rows_that_are_shown_are_explained(fast, monkeypatch):
    X = np.random.default_rng(0).normal(size=(20_000, 8))
    detector, explained = fast(n_estimators=1).fit(X[:2000]), []

    def counted(estimator, rows):
        explained.append(len(rows))
        return explain(estimator, rows)

    monkeypatch.setattr(_report, "explain", counted)
    detector.report(X, n=7).to_html()
    assert 7 <= sum(explained) <= 14


# --- columns ---------------------------------------------------------------------


def notes_of(**columns):
    frame = pd.DataFrame(columns)
    numbers = frame.select_dtypes("number")
    extremes = pd.DataFrame(
        {"low": numbers.min(), "high": numbers.max(), "missing": frame.isna().sum()}
    ).reindex(frame.columns)
    return {n["name"]: n for n in column_notes(frame, extremes, len(frame))}


def test_columns_that_look_broken_are_named():
    rng = np.random.default_rng(0)
    fine = rng.normal(size=1000)
    absurd = fine.copy()
    absurd[7] = -9999.0
    sparse = np.where(np.arange(1000) < 700, np.nan, fine)
    notes = notes_of(
        fine=fine,
        skewed=np.exp(fine),
        constant=np.full(1000, 3.5),
        text=["a"] * 1000,
        sparse=sparse,
        empty=np.full(1000, np.nan),
        one=np.where(np.arange(1000) < 15, fine, 0.0),
        absurd=absurd,
        city=rng.choice(["Rome", "Oslo"], 1000),
    )
    states = {name: note["state"] for name, note in notes.items()}
    assert states == {
        "constant": "constant",
        "text": "constant",
        "sparse": "mostly missing",
        "empty": "empty",
        "one": "one value",
        "absurd": "absurd value",
    }
    assert notes["constant"]["text"] == "every value is 3.5"
    assert notes["sparse"]["text"] == "70 % of the rows have no value"
    assert notes["one"]["text"].startswith("98.5 % of the values are 0")
    assert notes["absurd"]["text"].startswith("-9999, where 98 % lie between")


def test_absurd_value_outside_of_the_sample_is_seen(fast):
    X = np.random.default_rng(0).normal(size=(4000, 3))
    detector = fast().fit(X)
    X[3999, 1] = 1e9
    (note,) = detector.report(X, n=1).content["columns"]
    assert note["name"] == "x1" and note["text"].startswith("1e+09")


# --- words and places ------------------------------------------------------------


def test_all_rows_flagged_are_100_percent(detector, frame):
    detector.set_threshold(value=-1.0)
    html = detector.report(frame.iloc[:3]).to_html()
    assert "3 rows (100 %) are flagged." in html
    data = json.loads(re.search(r'id="data">(.*?)</script>', html).group(1))
    shares = {count: share for _, _, count, share in data["steps"]}
    assert shares[3] == "100 %" and shares[0] == "0 %"


def test_one_of_a_thing_is_one(detector, frame):
    detector.set_threshold(value=-1.0)
    report = detector.report(frame.iloc[:1])
    html = report.to_html()
    for said in ("1 rows is flagged", "1 row (100 %) is flagged.", "is the one th"):
        assert said in html
    assert "Dots are all rows;" in html
    assert repr(report) == "<Report of 1 row, 1 flagged>"
    assert repr(detector.explain(frame[:1])) == "<Explanation of 1 row x 5 columns>"


def test_expected_value_that_rounds_to_zero_has_no_sign(detector, frame):
    report = detector.report(frame, n=200)
    expected = [cell[2] for row in report.rows for cell in row["cells"]]
    signed = re.compile(r"-0(\.0*)?(?![.\d])")
    assert not [text for text in expected if signed.fullmatch(text)]
    assert not [row["why"] for row in report.rows if signed.search(row["why"])]


def test_rows_say_how_many_others_have_their_name(detector, frame):
    shared = frame.rename(index={"r60": "same", "r1": "same", "r2": "same"})
    rows = detector.report(shared, n=1).rows
    assert [row["namesakes"] for row in rows] == [2]
    assert {row["namesakes"] for row in detector.report(frame).rows} == {0}


def test_names_of_other_chunks_and_names_that_read_the_same_are_shared(detector, frame):
    numbered = frame.reset_index(drop=True)
    chunks = Chunks([numbered.iloc[50:], numbered.iloc[:50].set_axis(range(60, 110))])
    (row,) = detector.report(chunks, n=1).rows
    assert row["label"] == 60 and row["namesakes"] == 1
    as_text = numbered.rename(index={3: "60"})
    assert detector.report(as_text, n=1).rows[0]["namesakes"] == 1


@pytest.mark.parametrize("absurd", [1e300, -1e300, 1e9])
def test_one_absurd_value_does_not_squeeze_the_map(fast, absurd):
    X = np.random.default_rng(0).normal(size=(400, 4))
    X[7, 1] = absurd
    drawn = fast().fit(X).report(X, n=3).content["map"]
    low, high = np.quantile(drawn["places"], [0.01, 0.99], axis=0)
    width, height = np.ptp(drawn["places"] + drawn["top"], axis=0)
    assert (high - low > [width / 4, height / 4]).all()
    assert drawn["share"] < 0.9


def test_page_promises_no_gap_after_answers(detector, frame):
    assert "is where a threshold belongs" in detector.report(frame).to_html()
    labels = np.zeros(len(frame))
    labels[:4], labels[60] = 1, -1
    html = detector.refine(frame, labels).report(frame).to_html()
    assert "there may be no gap" in html and "threshold belongs" not in html


def test_function_and_method_give_the_same(detector, frame):
    assert skncae.report(detector, frame).content == detector.report(frame).content
    assert isinstance(detector.report(frame), skncae.Report)
    assert isinstance(detector, NCAEDetector)


def test_report_of_wide_rows_looks_for_companions_of_what_it_speaks_of_alone(
    fast, monkeypatch
):
    X = np.random.default_rng(0).normal(size=(50, 40))
    detector = fast().fit(X)
    looked = []
    of_one = detector._scorer.associates_of
    monkeypatch.setattr(
        detector._scorer, "associates_of", lambda j: looked.append(j) or of_one(j)
    )
    report = detector.report(X, n=4)
    assert len(report.rows[0]["cells"]) == 40
    assert 0 < len(looked) <= 4 * MOST_CLAUSES
