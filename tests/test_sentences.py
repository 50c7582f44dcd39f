"""What is said of values, as text: numbers, categories, dates, missing values."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skncae._sentences import (
    Cell,
    Column,
    about,
    clause,
    number_of_decimals,
    percent,
    sentence,
    text_of,
    usual_ends,
)
from skncae.data._dates import DateColumn, read_text
from skncae.data._number_text import Writing
from skncae.data._values import Raw

X = Column("x", "number", 0.7, 3.7, 8.3, decimals=2)
Y = Column("y", "number", 0.7, 3.7, 8.3, decimals=2)
Z = Column("z", "number", 0.7, 2.3, 5.2, decimals=2)
AGE = Column("age", "number", 14.0, 1.0, 70.0, decimals=0)
PRICE = Column("price", "number", 4000.0, 8.0, 9002.0, decimals=0)
SEX = Column("sex", "category", shares={"Female": 0.1, "Male": 0.895, "Femal": 0.005})
RANK = Column("rank", "category", shares={"Prof": 0.6, "AsstProf": 0.4})
PAID = Column(
    "paid",
    "date",
    timedelta(days=400),
    datetime(2019, 1, 2),
    datetime(2025, 12, 30),
)
ENDS = Column("end", "date", timedelta(10**5), date(1, 1, 1), date(9999, 12, 31))
WAIT = Column("wait", "duration", timedelta(hours=1), timedelta(0), timedelta(hours=5))
COST = replace(Y, name="cost", writing=Writing("", " €", ",", "", ".", "n-"))
MADE = Raw("made", "text", np.array(["03.05.2023", "21.06.2024"], dtype=object))
MADE = DateColumn.of(read_text(MADE, "%d.%m.%Y"), "%d.%m.%Y")
MADE = Column("made", **MADE.told())
BLANK = Column("", "category", shares={"": 0.4, " ": 0.4, "Ulm": 0.197, " Ulm": 0.003})

CLAUSES = [
    (
        Cell(Z, 0.0, 3.96, ((X, 6.55), (Y, 6.48))),
        "z = 0.00; with x = 6.55 and y = 6.48, about 4.0 is expected",
    ),
    (Cell(Z, 0.0, 3.96), "z = 0.00 is below the usual 2.30 to 5.20"),
    (Cell(Z, 31.8, None), "z = 31.80 is above the usual 2.30 to 5.20"),
    # What is wrong itself says nothing of another.
    (Cell(Z, 0.0, 3.96, ((X, 0.0),)), "z = 0.00 is below the usual 2.30 to 5.20"),
    (Cell(Z, 2.5, 4.1), "z = 2.50; about 4.1 is expected"),
    (Cell(Z, 4.0, 4.1, ((X, 8.0),)), "z = 4.00 is unusual with x = 8.00"),
    (Cell(Z, 4.0, 4.1), "z = 4.00 is unusual here"),
    (Cell(Column("doors", decimals=0), 4.0, 4.0), "doors = 4 is usual"),
    # Names have line breaks in spreadsheets.
    (
        Cell(replace(Z, name="paid\n(in EUR)"), 31.8, None),
        "paid (in EUR) = 31.80 is above the usual 2.30 to 5.20",
    ),
    # A number or a date in text is one, and is written as it is there.
    (
        Cell(COST, "5.000,00 €", "3,95 €", ((MADE, "04.05.2023"),)),
        "cost = 5.000,00 €; with made = 04.05.2023, about 4,0 € is expected",
    ),
    (
        Cell(COST, "2,5- €", "3,95 €"),
        "cost = 2,5- € is below the usual 3,70 € to 8,30 €",
    ),
    (Cell(COST, "6,00 €", "5,90 €"), "cost = 6,00 € is unusual here"),
    # One that is far out says nothing of another.
    (Cell(Z, 2.5, 4.1, ((COST, "900 €"),)), "z = 2.50; about 4.1 is expected"),
    # Nor does one that cannot be read.
    (Cell(Z, 2.5, 4.1, ((COST, "cheap"),)), "z = 2.50; about 4.1 is expected"),
    (Cell(COST, "6.0", "5,90 €"), "cost = 6.0; about 5,9 € is expected"),
    (
        Cell(MADE, "03.05.1924", "21.06.2023"),
        "made = 03.05.1924 is before the usual 03.05.2023 to 21.06.2024",
    ),
    (
        Cell(MADE, "04.05.2024", "21.06.2023", ((Z, 3.1),)),
        "made = 04.05.2024; with z = 3.10, about 21.06.2023 is expected",
    ),
    # No price is near zero, however far prices lie apart.
    (
        Cell(PRICE, 1e6, 10.2, ((RANK, "Prof"),)),
        "price = 1000000; with rank = Prof, about 10 is expected",
    ),
    (
        Cell(SEX, "Femal", "Female"),
        "sex = Femal is rare (0.5 % of the rows); Female is expected",
    ),
    (
        Cell(SEX, "Fml", "Female"),
        "sex = Fml is rare (none of the rows); Female is expected",
    ),
    (Cell(SEX, "Female", "Female"), "sex = Female is usual"),
    (
        Cell(Column("nest", "identifier"), "N300"),
        "nest = N300 occurs more than once, unlike nearly all others",
    ),
    (
        Cell(SEX, "Female", "Male", ((RANK, "Prof"),)),
        "sex = Female is unusual with rank = Prof; Male is expected",
    ),
    (Cell(SEX, "Female", "Male"), "sex = Female is unusual here; Male is expected"),
    (
        Cell(PAID, datetime(1924, 5, 3)),
        "paid = 1924-05-03 is before the usual 2019-01-02 to 2025-12-30",
    ),
    (
        Cell(PAID, datetime(2124, 5, 3), datetime(2024, 5, 3), ((RANK, "Prof"),)),
        "paid = 2124-05-03; with rank = Prof, about 2024-05-03 is expected",
    ),
    (
        Cell(ENDS, date(2024, 5, 3), None, ((ENDS, date(2024, 5, 4)),)),
        "end = 2024-05-03 is unusual with end = 2024-05-04",
    ),
    (
        Cell(WAIT, timedelta(hours=30)),
        "wait = 1 day, 6:00:00 is above the usual 0:00:00 to 5:00:00",
    ),
    (
        Cell(AGE, np.nan, 29.6, ((RANK, "Prof"),)),
        "age is missing; with rank = Prof, about 30 is expected",
    ),
    (Cell(AGE, None, None), "age is missing"),
    (Cell(SEX, None, "Male"), "sex is missing; Male is expected"),
    (Cell(Column("a"), 1.5, None), "a = 1.5 is unusual here"),
    (
        Cell(BLANK, " ", "", ((BLANK, "  "),)),
        '"" = " " is unusual with "" = "  "; "" is expected',
    ),
    (
        Cell(BLANK, " Ulm", "Ulm"),
        '"" = " Ulm" is rare (0.3 % of the rows); "Ulm" is expected',
    ),
    (Cell(BLANK, None, "Ulm"), '"" is missing; Ulm is expected'),
    # What only rounding puts out of range is in it; what reads as the end, has digits.
    (Cell(AGE, 1.0 - 1e-15), "age = 1 is unusual here"),
    (Cell(AGE, 70.3), "age = 70.3 is above the usual 1 to 70"),
    (Cell(Z, 2.2999), "z = 2.2999 is below the usual 2.3 to 5.2"),
    (
        Cell(Column("a", "number", 0.0, 5.0, 5.0), 5 + 1e-9),
        "a = 5.000000001 is above the usual 5",
    ),
    # Truth values among numbers are numbers, and text of numbers is not rounded.
    (Cell(AGE, True, 29.6), "age = 1; about 30 is expected"),
    (Cell(AGE, np.bool_(False), 29.6), "age = 0 is below the usual 1 to 70"),
]


@pytest.mark.parametrize("cell, text", CLAUSES, ids=[text for _, text in CLAUSES])
def test_clause_reads_as_written(cell, text):
    assert clause(cell) == text


@pytest.mark.parametrize(
    "value, text",
    [
        (0.1 + 0.2, "0.3"),
        (3142, "3142"),
        (np.int64(7), "7"),
        (30370.0, "30370"),
        (1234567.0, "1234567"),
        (1e20, "1e+20"),
        (-1e-12, "-1e-12"),
        (-0.0, "0"),
        (float("inf"), "inf"),
        (True, "True"),
        (np.bool_(False), "False"),
        (None, "missing"),
        (np.nan, "missing"),
        (pd.NA, "missing"),
        (pd.NaT, "missing"),
        (np.datetime64("NaT"), "missing"),
        (np.datetime64("2024-05-03"), "2024-05-03"),
        (pd.Timestamp("2024-05-03 14:05"), "2024-05-03 14:05:00"),
        (date(2024, 5, 3), "2024-05-03"),
        (np.datetime64("11000-01-02"), "11000-01-02"),
        (pd.Timestamp(np.datetime64("11000-01-02", "s")), "11000-01-02"),
        (np.datetime64("11000-01-02T03:04", "s"), "11000-01-02 03:04:00"),
        (pd.Timestamp("2024-05-03", tz="Europe/Berlin"), "2024-05-03"),
        (np.timedelta64(90, "m"), "1:30:00"),
        ("two\nlines\tand  tabs", "two lines and tabs"),
        ("x" * 99, "x" * 39 + "…"),
        ("<script>", "<script>"),
        # Text of which nothing can be seen is in quotes.
        ("", '""'),
        (" ", '" "'),
        ("  ", '"  "'),
        ("\n", '"\\n"'),
        ("\u200b\u00a0", '"\\u200b\\xa0"'),
        (" " * 99, '"' + " " * 38 + "…"),
    ],
)
def test_value_is_written_as_its_user_would(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    "value, text",
    [
        (np.True_, "1"),
        (False, "0"),
        ("2.50", "2.50"),
        (Decimal("2.5"), "2.5"),
        (Fraction(7, 2), "4"),
        (None, "missing"),
    ],
)
def test_any_value_of_a_column_of_numbers_is_written(value, text):
    assert AGE.text(value) == text


@pytest.mark.parametrize(
    "value, spread, decimals, text",
    [
        (3.9612, 0.7, 2, "4.0"),
        (30370.4, 4000.0, 0, "30000"),
        (2014.3, 5.0, 0, "2014"),
        (0.0123, 0.004, None, "0.012"),
        (12.7, 0.0, None, "13"),
        (12.7, np.nan, None, "13"),
        (12.34, 0.001, 1, "12.3"),
        (np.inf, 1.0, None, "inf"),
        (1e300, 1e299, None, "1e+300"),
        # What rounds to zero has no sign, and no digits that the column lacks.
        (-0.04, 3.0, 1, "0"),
        (-0.04, 0.7, 1, "0.0"),
        (-1e-7, 3e-6, None, "0"),
        (-1e-7, 3e-6, 2, "0.00"),
        (-1e-30, 1e-10, None, "0"),
        (-0.0, 0.0, None, "0"),
        (-0.0, 1e-20, None, "0"),
    ],
)
def test_expected_number_is_no_more_exact_than_its_column(
    value, spread, decimals, text
):
    assert about(value, spread, decimals) == text


@pytest.mark.parametrize(
    "share, text",
    [
        (0.0, "0 %"),
        (1e-5, "0.001 %"),
        (1.23e-8, "0.0000012 %"),
        (0.05, "5 %"),
        (0.0529, "5.3 %"),
        (1 / 3, "33 %"),
        (0.996, "99.6 %"),
        (1 - 1e-5, "99.999 %"),
        (1.0, "100 %"),
        (1 - 1e-16, "100 %"),
    ],
)
def test_share_is_written_without_a_power_and_as_none_or_all_where_it_is(share, text):
    assert percent(share) == text


RIGHT_TO_LEFT = Column("שם", "category", shares={"evil\u202e": 0.002, "b": 0.998})


def test_text_that_would_turn_a_sentence_is_enclosed_and_other_text_is_as_it_came():
    said = clause(Cell(RIGHT_TO_LEFT, "evil\u202e", "b", ((RANK, "Prof"),)))
    assert said == (
        "\u2068שם\u2069 = \u2068evil\u202e\u2069 is rare (0.2 % of the rows); "
        "b is expected"
    )
    said = clause(Cell(SEX, "Male", "Female", ((RIGHT_TO_LEFT, "é"),)))
    assert said == ("sex = Male is unusual with \u2068שם\u2069 = é; Female is expected")


def test_text_cannot_leave_what_encloses_it():
    said = clause(Cell(RIGHT_TO_LEFT, "a\u2069\u202eb", None))
    assert said.count("\u2068") == said.count("\u2069") == 2
    assert said.endswith("(none of the rows)")


def test_sentence_speaks_of_columns_that_contribute_as_much_as_the_first():
    cells = [Cell(Z, 31.8), Cell(SEX, "Female", "Female"), Cell(AGE, None)]
    assert sentence(cells, [5.0, 3.0, 1.0]) == (
        "z = 31.80 is above the usual 2.30 to 5.20. sex = Female is usual"
    )
    assert sentence(cells[:1], [0.0]) == "nothing speaks against it"


@pytest.mark.parametrize(
    "values, decimals",
    [
        ([1.0, 2.0], 0),
        ([0.25, 1], 2),
        ([np.pi], None),
        ([1e12], None),
        ([np.nan], None),
    ],
)
def test_number_of_decimals_is_that_of_the_values(values, decimals):
    assert number_of_decimals(values) == decimals


ENDS = st.floats(-1e8, 1e8)


@given(ENDS, ENDS, st.floats(0, 1e3), st.none() | st.integers(0, 4), st.data())
def test_number_out_of_range_reads_as_one(end, other, spread, decimals, data):
    low, high = usual_ends(*sorted([end, other]))
    near = st.sampled_from([low, high, end, other]).map(np.float64)
    steps = st.sampled_from([0.0, 1e-15, -1e-15, 1e-9, -1e-9, 0.04, -0.04])
    value = data.draw(near) * (1 + data.draw(steps)) + data.draw(steps)
    column = Column("x", "number", spread, low, high, decimals=decimals)
    said = clause(Cell(column, value))
    assert min(end, other) - 1e-5 <= low <= high <= max(end, other) + 1e-5
    if "the usual" not in said:
        # Among them, but for rounding.
        assert said == f"x = {column.text(value)} is unusual here"
        assert low - 1e-4 <= value <= high + 1e-4
        return
    number, side, usual = re.match(
        "x = (.+) is (below|above) the usual (.+)", said
    ).groups()
    first, last = (float(end) for end in (usual.split(" to ") * 2)[:2])
    assert float(number) < first if side == "below" else float(number) > last


NUMBERS = st.floats() | st.integers() | st.none()
ANYTHING = NUMBERS | st.text() | st.booleans() | st.datetimes() | st.timedeltas()


@given(ANYTHING)
def test_any_value_is_written_on_one_short_line(value):
    text = text_of(value)
    assert "\n" not in text and len(text) <= 320


# A third of this spread is zero, which has no logarithm.
@example(0.0, 1.0, None, None, 5e-324, 0)
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats(min_value=0), st.integers(0, 4))
def test_any_cell_of_numbers_has_a_clause(value, expected, low, high, spread, decimals):
    column = Column("x", "number", spread, low, high, decimals=decimals)
    said = clause(Cell(column, value, expected, ((column, value),)))
    assert said.startswith("x ") and "\n" not in said


@pytest.mark.parametrize("unit", [1e-10, 1e-200, 1e-300])
def test_tiny_numbers_are_no_integers(unit):
    assert number_of_decimals([2 * unit, 3.5 * unit]) is None
    assert number_of_decimals([0.0, 0.0]) == 0
