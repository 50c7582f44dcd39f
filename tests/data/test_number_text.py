"""Numbers that are written as text."""

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skncae import Chunks, NCAEDetector
from skncae.data._number_text import Writing, read_numbers, writing_of
from tests.scores import assert_same_scores

FAST = {"n_estimators": 2, "max_iter": 10, "random_state": 0}

POINTS = st.sampled_from(".,")
BEFORE = st.sampled_from(["", "$", "€ ", "£", "USD ", "EUR", "US$"])
AFTER = st.sampled_from(["", "%", " kg", "km²", " EUR"])
MARKS = st.sampled_from(["", "'", " ", "other"])
NEGATIVES = st.sampled_from(["-n", "(n)", "$(n)", "n-"])


def writing_with(before, after, point, mark, negative):
    mark = {"other": ".,"[point == "."]}.get(mark, mark)
    # Without a unit it makes no difference what is in the brackets.
    is_bare = negative == "$(n)" and not before + after
    return Writing(before, after, point, "", mark, "(n)" if is_bare else negative)


WRITINGS = st.builds(writing_with, BEFORE, AFTER, POINTS, MARKS, NEGATIVES)


def texts(*values):
    return np.array(values, dtype=object)


@settings(max_examples=200, deadline=None)
@given(
    writing=WRITINGS,
    number=st.floats(-1e9, 1e9).map(lambda number: round(number, 3)),
    apart=st.sampled_from(["", "'", " ", "\u00a0", "point"]),
)
def test_number_that_was_written_is_read(writing, number, apart):
    text = writing.write(number, 3)
    assert writing.read(text) == number
    assert writing.read(f" {text} ") == number
    grouped = f"{abs(number):,.3f}".replace(".", "|")
    apart = {"point": {".": ",", ",": "."}[writing.point]}.get(apart, apart)
    grouped = grouped.replace(",", apart).replace("|", writing.point)
    sign = "-" if number < 0 else ""
    assert writing.read(f"{sign}{writing.before}{grouped}{writing.after}") == number


@settings(max_examples=100, deadline=None)
@given(writing=WRITINGS, seed=st.integers(0, 10**6), decimals=st.integers(1, 3))
def test_writing_of_a_column_is_found(writing, seed, decimals):
    rng = np.random.default_rng(seed)
    # So many digits that a point is no mark between thousands.
    numbers = np.round(rng.normal(size=60) * 1e4, decimals) + 10.0 ** -(decimals + 1)
    written = texts(*(writing.write(number, decimals + 1) for number in numbers))
    written[::20] = "n/a", "?", None
    found = writing_of(written)
    assert found == writing
    back = read_numbers(written, found)
    assert np.isnan(back[::20]).all()
    there = ~np.isnan(back)
    assert there.sum() == 57
    np.testing.assert_allclose(back[there], numbers[there], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("texts_of_column", "number", "expected"),
    [
        (["(59.08)", "12.00"], -59.08, "(7.50)"),
        (["59,08-", "12,00"], -59.08, "7,50-"),
        (["1.059,08- EUR", "12,00 EUR"], -1059.08, "7,50- EUR"),
        (["($59.08)", "$12.00"], -59.08, "($7.50)"),
        (["$ (59.08)", "$ 12.00"], -59.08, "$ (7.50)"),
        (["(5.0)%", "12.0%"], -5.0, "(7.50)%"),
        (["-$59.08", "$12.00"], -59.08, "-$7.50"),
        (["(60)", "12"], -60, "(7.50)"),
    ],
)
def test_number_in_brackets_or_before_its_minus_is_negative_beside_others(
    texts_of_column, number, expected
):
    negative, positive = texts_of_column
    others = [positive.replace("12", str(n)) for n in range(10, 40)]
    writing = writing_of(texts(negative, *others))
    assert writing.read(negative) == number
    assert writing.write(-7.5, 2) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.5", 1234.5),
        ("1234.50", 1234.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+7", 7.0),
        ("\u22127", -7.0),
        ("1.5e3", 1500.0),
        ("1,23.4", None),
        ("1.2.3", None),
        ("12:30", None),
        ("12 to 30", None),
        ("twelve", None),
        ("", None),
        ("١٢", 12.0),
    ],
)
def test_text_is_the_number_that_it_says_or_none(text, number):
    read = Writing("", "", ".").read(text)
    assert np.isnan(read) if number is None else read == number


@pytest.mark.parametrize(
    "column",
    [
        [f"{code:05d}" for code in range(100, 190)],
        [str(code) for code in range(100, 190)],
        [f"K{code}" for code in range(100, 190)],
        [f"SKU {code}" for code in range(100, 190)],
        [f"LHR {code}" for code in range(100, 160)] + ["LHR 1.5", "LHR 2.5"],
        [f"ISO {code}.{code}" for code in range(100, 190)],
        [f"Vol {code}.5" for code in range(100, 190)],
        [f"+49{code}" for code in range(301234500, 301234590)],
        [f"{code}-{code + 1}" for code in range(100, 190)],
        [f"1.{code}.7" for code in range(90)],
        [f"{code} ({code + 100})" for code in range(90)],
        [f"12:{code:02d}" for code in range(60)],
        [f"note {code} of some" for code in range(90)],
        [f"{code} {'kg' if code % 2 else 'lb'}" for code in range(90)],
        ["1.5", "2.5", "3.5"] * 30,
        [None] * 90,
        [],
    ],
)
def test_codes_and_other_text_are_no_numbers(column):
    assert writing_of(texts(*column)) is None


@pytest.fixture(scope="module")
def sales():
    """Prices in dollars, ages of which some are unknown, and shares."""
    rng = np.random.default_rng(0)
    price = np.round(rng.lognormal(8, 0.5, 300), 2)
    frame = pd.DataFrame(
        {
            "price": [f"${value:,.2f}" for value in price],
            "age": rng.integers(18, 80, 300).astype(str),
            "share": [f"{value:.1f}".replace(".", ",") + " %" for value in price / 50],
            "cost": price * 0.3 + rng.normal(size=300),
        }
    )
    frame.loc[5, "age"] = "?"
    frame.loc[9, "price"] = "$9,999,999.00"
    return frame


@pytest.fixture(scope="module")
def fitted(sales):
    with pytest.warns(UserWarning, match=r"^Read as missing: 'age' \('\?'\)\.$"):
        return NCAEDetector(**FAST).fit(sales)


def test_frame_says_which_numbers_were_read_from_text(fitted):
    assert fitted.columns_["type"].tolist() == [
        "number written as text",
        "whole number written as text",
        "number written as text",
        "number",
    ]
    assert fitted.columns_["missing"].tolist() == [0, 1 / 300, 0, 0]


def test_number_in_text_that_is_far_out_stands_out(fitted, sales):
    explanation = fitted.explain(sales)
    assert explanation.top(1).index.tolist() == [9]
    why = explanation.top(1).why[9]
    said = r"price = \$9,999,999\.00; with .+, about \$[\d,]+00 is expected"
    assert re.fullmatch(said, why)
    cell = explanation.cells(k=1).set_index("row").loc[9]
    assert cell.feature == "price" and cell.expected.startswith("$")


@pytest.mark.parametrize(
    "more, expected",
    [
        (["$1,000.50", "$1,234,567.50"], "$2,345.50"),
        (["$1,000.50", "$12340.50", "$99990.50"], "$2345.50"),
        ([], "$2345.50"),
    ],
)
def test_expected_number_has_marks_between_thousands_where_most_have(more, expected):
    few = [f"${n}.00" for n in range(1, 30)]
    assert writing_of(texts(*few, *more)).write(2345.5, 2) == expected


def test_numbers_in_text_score_as_the_numbers_do(sales):
    # A frame of nothing but numbers is an array.
    written = sales.drop(columns="age").assign(kind=["a", "b", "b"] * 100)
    numbers = written.assign(
        price=written["price"].str.replace(r"[$,]", "", regex=True).astype(float),
        share=written["share"].str.strip(" %").str.replace(",", ".").astype(float),
    )
    detectors = [NCAEDetector(**FAST).fit(frame) for frame in (written, numbers)]
    assert "price" in detectors[0].columns_.query("use == 'number'")["name"].tolist()
    assert np.array_equal(*(detector.training_scores_ for detector in detectors))


@pytest.mark.parametrize("library", [pl.from_pandas, pa.Table.from_pandas])
def test_libraries_read_the_same_numbers(fitted, sales, library):
    scores = fitted.score_samples(library(sales))
    assert_same_scores(scores, fitted.score_samples(sales))


def test_later_rows_may_hold_numbers_where_the_text_had_no_unit(fitted, sales):
    later = sales.iloc[20:40]
    numbers = later.assign(age=later["age"].astype(int))
    assert_same_scores(fitted.score_samples(numbers), fitted.score_samples(later))
    message = "Column 'price' held numbers written as text in fit and has the type"
    with pytest.raises(ValueError, match=message):
        fitted.score_samples(later.assign(price=1.0))


def test_report_sees_what_is_absurd_in_text_of_numbers(fitted, sales):
    for rows in (sales, pl.from_pandas(sales), Chunks([sales[:150], sales[150:]])):
        (note,) = fitted.report(rows, n=1).content["columns"]
        assert note["name"] == "price" and note["state"] == "absurd value"
        assert note["text"].startswith("9999999.00, where 98 % lie between ")


def test_file_keeps_how_numbers_are_written(fitted, sales, tmp_path):
    fitted.save(tmp_path / "detector.skncae")
    loaded = NCAEDetector.load(tmp_path / "detector.skncae")
    assert np.array_equal(loaded.score_samples(sales), fitted.score_samples(sales))
    assert loaded.columns_.equals(fitted.columns_)


def test_numbers_in_text_are_not_written_to_onnx(fitted):
    with pytest.raises(ValueError, match=r"'price' \(number written as text\)"):
        fitted.to_onnx("detector.onnx")


def test_identifiers_in_text_with_a_gap_are_set_aside(sales):
    rng = np.random.default_rng(0)
    keys = rng.permutation(np.arange(1000, 1300)).astype(str).astype(object)
    keys[7] = "?"
    with pytest.warns(UserWarning, match=r"'key' \(identifier\)"):
        NCAEDetector(**FAST).fit(sales.assign(key=keys))


def test_complex_numbers_are_set_aside_and_fractions_are_numbers(sales):
    frame = sales[["cost"]].assign(
        wave=[complex(k, 1) for k in range(300)],
        part=[Fraction(k % 70, 7) for k in range(300)],
    )
    with pytest.warns(UserWarning, match=r"'wave' \(values of other types\)"):
        detector = NCAEDetector(**FAST).fit(frame)
    assert detector.columns_["use"].tolist() == ["number", "set aside", "number"]


@pytest.fixture(scope="module")
def priced():
    """A detector of prices and days in text, and its frame."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "price": [f"{value:.2f} €" for value in rng.uniform(1, 90, 100)],
            "day": [f"2024-01-{day:02d}" for day in rng.integers(1, 29, 100)],
            "city": rng.choice(["Ulm", "Bonn"], 100),
        }
    )
    return NCAEDetector(**FAST).fit(frame), frame


@pytest.mark.parametrize(
    ("column", "text", "form"),
    [
        ("price", "5000.00 $", " €'"),
        ("price", "5.000,00 €", " €'"),
        ("price", "1e999 €", " €'"),
        ("day", "16.01.2024", "'2024-01-"),
    ],
)
def test_text_that_later_cannot_be_read_is_named_and_a_column_of_it_an_error(
    priced, column, text, form
):
    detector, frame = priced
    one, gap = frame.copy(), frame.copy()
    one.loc[7, column], gap.loc[7, column] = text, None
    with pytest.warns(UserWarning, match=f"Read as missing: '{column}' ") as caught:
        scores = detector.score_samples(one)
    assert len(caught) == 1 and repr(text) in str(caught[0].message)
    assert caught[0].filename == __file__
    assert np.array_equal(scores, detector.score_samples(gap))
    message = f"Column '{column}' held .* in fit, such as '"
    with pytest.raises(ValueError, match=message) as refused:
        detector.predict(frame.assign(**{column: text}))
    assert form in str(refused.value) and repr(text) in str(refused.value)


def test_marks_and_what_fit_has_named_are_missing_without_a_word(fitted, sales):
    later = sales.iloc[:30].assign(price="n/a", age="?")
    assert np.isfinite(fitted.score_samples(later)).all()


def test_number_that_no_float_holds_is_missing():
    assert np.isnan(Writing("", " €", ".").read("1e999 €"))


def german(number):
    return f"{number:,}".replace(",", "|").replace(".", ",").replace("|", ".")


RENTS = np.random.default_rng(0).lognormal(6.5, 0.8, 300).round().astype(int)
WEIGHTS = np.random.default_rng(0).lognormal(1, 1, 300).round(3) + 0.0004


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ([german(v) + " €" for v in RENTS], RENTS),
        ([f"${v:,}" for v in RENTS], RENTS),
        ([f"{v} €" for v in RENTS], RENTS),
        ([german(v) + " €" for v in RENTS * 3001], RENTS * 3001),
        ([f"{v:.3f} kg" for v in WEIGHTS], WEIGHTS.round(3)),
        ([f"{v:.3f} kg".replace(".", ",") for v in WEIGHTS], WEIGHTS.round(3)),
        # One value in twenty has a zero before the mark, or less than three digits.
        ([f"{v:.3f}" for v in 1 + WEIGHTS] + ["0.514 "] * 20, None),
        ([f"{v:.3f} t" for v in 2 + WEIGHTS] + ["12.5 t"] * 20, None),
        # Whole numbers among few decimals.
        ([f"{v} kg" for v in RENTS % 500 + 1] + ["2.5 kg", "2.235 kg"] * 3, None),
        # Without a mark between thousands.
        ([f"{v} kg" for v in RENTS * 9] + ["12.235 kg", "27.069 kg"] * 3, None),
        # A slip does not turn the column.
        ([*(german(v) + " €" for v in RENTS), "12.5 €"], [*RENTS, np.nan]),
    ],
)
def test_mark_before_three_digits_is_what_the_whole_column_says(column, numbers):
    if numbers is None:
        numbers = [float(text.split(" ")[0]) for text in column]
    writing = writing_of(texts(*column))
    assert writing.doubt == ""
    np.testing.assert_allclose(read_numbers(texts(*column), writing), numbers)


def test_mark_of_which_nothing_says_what_it_is_is_named():
    frame = pd.DataFrame(
        {
            "rent": [german(v) + " €" for v in RENTS + 1000],
            "pay": [f"${v:,}" for v in RENTS + 1000],
            "city": ["Ulm", "Bonn", "Ulm"] * 100,
        }
    )
    with pytest.warns(UserWarning, match="whether a mark is one of dec") as caught:
        detector = NCAEDetector(**FAST).fit(frame)
    (said,) = (str(warning.message) for warning in caught)
    assert "'rent' ('1.055 €', read as 1.055)" in said
    assert "'pay' ('$1,055', read as 1055)" in said
    assert detector.columns_["use"].tolist() == ["number", "number", "category"]
