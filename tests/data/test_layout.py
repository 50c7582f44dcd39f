"""The layout of a typed table: into cells and back."""

import datetime
import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from skncae.data._dates import _CLOCKS, _DAYS, text_form
from skncae.data._layout import Layout, read
from skncae.data._numbers import is_identifier
from skncae.data._pieces import joined
from skncae.data._slips import meant_by
from skncae.data._texts import keys_of
from skncae.data._values import Raw

LAWS = settings(deadline=None, max_examples=40)
WORDS = st.text(string.ascii_letters, min_size=1, max_size=6)


@st.composite
def frames(draw):
    """Frames of a few rows with columns of all types, some entries missing."""
    n = draw(st.integers(12, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    words = draw(st.lists(WORDS, min_size=1, max_size=5, unique=True))
    days = draw(st.integers(1, 4000))
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n) * 10.0 ** draw(st.integers(-9, 9)),
            "whole": rng.integers(0, 7, size=n).astype(float),
            "word": rng.choice(np.array(words, dtype=object), size=n),
            "day": pd.Timestamp("1960-01-01")
            + pd.to_timedelta(rng.integers(0, days, size=n), unit="D"),
            "took": pd.to_timedelta(rng.integers(0, 10**6, size=n), unit="s"),
            "flag": rng.random(n) < 0.5,
        }
    )
    share = draw(st.sampled_from([0.0, 0.2]))
    for column in ("number", "whole", "word", "day", "took"):
        frame[column] = frame[column].where(rng.random(n) >= share)
    # A column needs a value to be one.
    frame.iloc[0] = [1.0, 1.0, words[0], pd.Timestamp("1970-01-01"), 60 * SECOND, True]
    return frame


SECOND = pd.Timedelta(1, "s")


@LAWS
@given(frames())
def test_cells_turn_back_into_the_values(frame):
    raws = read(frame)
    layout = Layout.of(raws)
    values = layout.decode(layout.encode(raws))
    for place, column in enumerate(layout.columns):
        is_missing = frame.iloc[:, place].isna().to_numpy()
        back = values[~is_missing, place]
        if column.family == "identifier":
            continue
        if column.name == "number":
            np.testing.assert_allclose(back.astype(float), frame["number"].dropna())
        else:
            assert list(back) == list(frame[column.name].dropna())
        assert pd.isna(values[is_missing, place]).all()


@LAWS
@given(frames(), st.randoms())
def test_order_of_rows_and_columns_does_not_matter(frame, random):
    rows, columns = list(range(len(frame))), list(frame)
    random.shuffle(rows)
    random.shuffle(columns)
    raws, turned = read(frame), read(frame.iloc[rows][columns])
    layout, other = Layout.of(raws), Layout.of(turned)
    cells, same = layout.encode(raws), other.encode(turned)
    by_name = {column.name: j for j, column in enumerate(other.used)}
    order = [by_name[column.name] for column in layout.used]
    np.testing.assert_array_equal(cells[rows], same[:, order])


@LAWS
@given(frames())
def test_a_state_is_the_layout(frame):
    raws = read(frame)
    layout = Layout.of(raws)
    same = Layout.from_state(layout.state())
    np.testing.assert_array_equal(layout.encode(raws), same.encode(raws))
    assert layout.described() == same.described()


@LAWS
@given(
    frames(),
    arrays.arrays(float, (3, 6), elements=st.floats(-1e12, 1e12)),
)
def test_what_is_expected_can_be(frame, guesses):
    raws = read(frame)
    layout = Layout.of(raws)
    cells = layout.encode(raws)
    low = np.nan_to_num(np.nanmin(cells, axis=0))
    guesses = guesses[:, : len(low)]
    # Codes of categories are made by the component itself.
    guesses = np.where(layout.is_category, low, guesses)
    for place, values in enumerate(layout.decode(guesses).T):
        name = layout.columns[place].name
        if layout.columns[place].family == "identifier":
            continue
        seen = frame[name].dropna()
        if name in ("word", "flag"):
            assert set(values) <= set(seen)
        else:
            assert min(values) >= seen.min() and max(values) <= seen.max()
            assert name != "whole" or all(value == round(value) for value in values)


@LAWS
@given(st.integers(2, 60), st.integers(0, 1000))
def test_common_category_has_no_number_that_tells_it_apart(n_values, seed):
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in rng.integers(0, n_values, size=60 * n_values)]
    layout = Layout.of(read(pd.DataFrame({"word": words})))
    codes = layout.encode(read(pd.DataFrame({"word": words})))
    numbers = layout.numbers(codes)
    assert (numbers == 0).mean() >= 0.95
    assert numbers.max() < 2
    unseen = layout.encode(read(pd.DataFrame({"word": ["never"]})))
    assert layout.numbers(unseen) > numbers.max()


def raw(values, kind="number"):
    return Raw(
        "c", kind, np.asarray(values, dtype=float if kind == "number" else object)
    )


def test_share_of_a_category_is_that_of_all_rows():
    frame = pd.DataFrame({"colour": [None] * 6 + ["red"] * 3 + ["blue"]})
    (column,) = Layout.of(read(frame)).columns
    assert column.told()["shares"] == pytest.approx({"red": 0.3, "blue": 0.1})


def test_counters_and_keys_are_identifiers_and_measurements_are_not():
    rng = np.random.default_rng(0)
    assert is_identifier(raw(np.arange(500)))
    assert is_identifier(raw(rng.permutation(5000)[:1000]))
    assert not is_identifier(raw(rng.integers(0, 5000, size=1000)))
    assert not is_identifier(raw(rng.lognormal(12, 2, size=1000).round()))
    assert not is_identifier(raw(rng.normal(size=1000)))
    assert not is_identifier(raw(np.arange(5)))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2021-03-04", "date"),
        ("2021-03-04T10:11:12Z", "date and time"),
        ("2021-03-04 10:11", "date and time"),
        ("09:30", "time"),
        ("3/4/2021", ""),
        ("red", ""),
    ],
)
def test_text_of_dates_is_read(text, form):
    assert text_form(raw([text] * 30 + [None], "text")) == form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-{:02d} 10:30", "2024-03-07 10:30"),
        ("2024-03-{:02d}T10:30:15", "2024-03-07 10:30:15"),
        ("2024-03-{:02d}T10:30:15Z", "2024-03-07T10:30:15Z"),
        ("2024-03-{:02d} 12:30+02:00", "2024-03-07T10:30:00Z"),
        ("2024-03-{:02d}", "2024-03-07"),
    ],
)
def test_expected_dates_have_a_zone_where_those_of_the_column_have(text, expected):
    texts = [text.format(day) for day in range(1, 31)]
    (column,) = Layout.of(read(pd.DataFrame({"d": texts}))).columns
    (decoded,) = column.decode(column.encode(raw([texts[6]], "text")))
    assert decoded == expected
    assert column.encode(raw([decoded], "text")) == column.encode(raw(texts, "text"))[6]


FORMS = [day + clock for day in _DAYS for clock in _CLOCKS]


@LAWS
@given(form=st.sampled_from(FORMS), seed=st.integers(0, 10**6))
def test_dates_are_read_however_they_are_written(form, seed):
    rng = np.random.default_rng(seed)
    # Of two digits of a year it must be clear in which century they are.
    first = 10**9 if "%y" in form else -(10**9)
    seconds = rng.integers(first, 2 * 10**9, size=60) // 60 * 60
    moments = pd.to_datetime(seconds, unit="s")
    moments = moments if "%M" in form else moments.normalize()
    texts = [moment.strftime(form) for moment in moments]
    (column,) = Layout.of(read(pd.DataFrame({"d": texts}))).columns
    assert column.family == "date" and column.understood == "date written as text"
    codes = column.encode(raw(texts, "text"))
    assert (
        codes.tolist()
        == (moments - pd.Timestamp("1970-01-01")).total_seconds().tolist()
    )
    assert column.decode(codes).tolist() == texts


@pytest.mark.parametrize("blank", [" {}", "{} ", "\u00a0{}\n"])
@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2024-01-{:02d}", "date"),
        ("2024-01-{:02d} 12:30", "date and time"),
        ("12:{:02d}", "time"),
        ("{:02d}.01.2024", "%d.%m.%Y"),
    ],
)
def test_dates_with_a_blank_around_them_are_those_without(text, form, blank):
    plain = [text.format(day) for day in range(1, 31)]
    padded = [blank.format(value) for value in plain]
    first, later = (read(pd.DataFrame({"d": values})) for values in (padded, plain))
    (column,) = Layout.of(first).columns
    assert column.form == form and column.missing_share == 0
    np.testing.assert_array_equal(column.encode(first[0]), column.encode(later[0]))


def test_days_that_may_be_months_are_no_dates():
    texts = [f"{d}/{m}/2021" for d in range(1, 13) for m in range(1, 13)]
    assert text_form(raw(texts, "text")) == ""
    assert text_form(raw([*texts, "13/1/2021"], "text")) == "%d/%m/%Y"
    assert text_form(raw([*texts, "1/13/2021"], "text")) == "%m/%d/%Y"
    years = [f"in {year} or so" for year in range(1900, 2000)]
    assert text_form(raw(years, "text")) == ""


def test_two_digits_of_a_year_are_one_where_the_century_is_known():
    texts = [f"{d:02d}.{m:02d}.{20 + m}" for d in range(1, 31) for m in range(3, 7)]
    assert text_form(raw(texts, "text")) == "%d.%m.%y"
    assert text_form(raw([*texts, "03.04.98", "03.04.68"], "text")) == "%d.%m.%y"
    births = [f"{d:02d}.03.{40 + 2 * d}" for d in range(1, 30)] * 3
    assert text_form(raw([*births, "03.04.04"], "text")) == ""
    versions = [f"{m}.{d}.{n}" for m in range(1, 9) for d in (1, 2) for n in (10, 11)]
    assert text_form(raw(versions, "text")) == ""


@pytest.mark.parametrize("form", ["%Y-%m", "%m/%Y", "%b %Y"])
def test_months_are_dates_where_they_are_too_many_for_categories(form):
    months = pd.date_range("1949-01-01", periods=144, freq="MS")
    texts = months.strftime(form).tolist()
    (column,) = Layout.of(read(pd.DataFrame({"month": texts}))).columns
    assert column.understood == "date written as text" and column.form == form
    assert column.has == ("month",)
    codes = column.encode(raw(texts, "text"))
    assert column.decode(codes).tolist() == texts
    assert text_form(raw(texts[:15] * 10, "text")) == ""


def test_times_of_half_days_are_times_of_the_day():
    clocks = pd.date_range("2024-01-01", periods=96, freq="15min")
    texts = clocks.strftime("%I:%M %p").tolist()
    (column,) = Layout.of(read(pd.DataFrame({"at": [*texts, "3:05 pm"]}))).columns
    assert column.understood == "time of the day written as text"
    assert column.has == ("hour",)
    codes = column.encode(raw([*texts, "3:05 pm"], "text"))
    assert codes.tolist() == [*(900 * n for n in range(96)), 54300]
    assert column.decode(codes[:96]).tolist() == texts


def test_dates_that_cannot_be_read_are_named():
    texts = [f"{d}.03.2021" for d in range(1, 31)]
    layout = Layout.of(read(pd.DataFrame({"d": [*texts, "soon"]})))
    assert layout.lost() == "Read as missing: 'd' ('soon')."


def test_text_of_dates_comes_back_as_it_was_written():
    frame = pd.DataFrame(
        {
            "day": [f"2021-{m:02d}-{d:02d}" for m in range(1, 13) for d in (1, 15)],
            "at": [f"2021-01-01T{h:02d}:30:00Z" for h in range(24)],
            "clock": [f"{h:02d}:45" for h in range(24)],
        }
    )
    layout = Layout.of(read(frame))
    values = layout.decode(layout.encode(read(frame)))
    assert values.tolist() == frame.to_numpy(dtype=object).tolist()


def test_cycles_are_those_that_span_and_resolution_bear():
    hours = pd.date_range("2021-01-01", periods=800, freq="7h")
    days = pd.date_range("2021-01-01", periods=800, freq="D")
    months = pd.date_range("2001-01-01", periods=200, freq="MS")
    found = {}
    for name, dates in {"hours": hours, "days": days, "months": months}.items():
        (column,) = Layout.of(read(pd.DataFrame({"d": dates}))).columns
        found[name] = column.has
    assert found["hours"] == ("hour", "weekday")
    assert found["days"] == ("weekday", "month")
    assert "hour" not in found["months"] and "month" in found["months"]


def test_unreadable_dates_are_missing_and_of_another_time_zone_the_same_moment():
    dates = [f"2021-01-{d:02d}" for d in range(1, 29)]
    layout = Layout.of(read(pd.DataFrame({"d": dates})))
    cells = layout.encode(
        read(pd.DataFrame({"d": ["2021-01-05", "soon", "2021-02-31"]}))
    )
    assert np.isnan(cells[:, 0]).tolist() == [False, True, True]
    moments = pd.date_range("2021-01-01", periods=40, freq="h", tz="UTC")
    layout = Layout.of(read(pd.DataFrame({"d": moments})))
    berlin = pd.DataFrame({"d": moments.tz_convert("Europe/Berlin")})
    utc = pd.DataFrame({"d": moments})
    assert np.array_equal(layout.encode(read(berlin)), layout.encode(read(utc)))


def test_date_of_python_is_a_date():
    days = [datetime.date(2021, 1, 1) + datetime.timedelta(d) for d in range(40)]
    layout = Layout.of(read(pd.DataFrame({"d": days})))
    assert layout.columns[0].family == "date"
    assert layout.columns[0].step == 86_400


@pytest.mark.parametrize("slip", ["Feamle", "Femal", "Femalee", "Femsle"])
def test_one_slip_is_seen(slip):
    assert meant_by(slip, {"Female": 100, "Male": 200}) == "Female"


@pytest.mark.parametrize("text", ["Female", "Other", "Fmael", "M4le", "Mal", "Male"])
def test_other_text_is_no_slip(text):
    assert meant_by(text, {"Female": 100, "Male": 200, "M1le": 100}) is None


TRUTHS = [True, False, True, True, None] * 4
SAME_TRUTHS = {
    "booleans": pd.array(TRUTHS, dtype="boolean"),
    "integers": pd.array([None if t is None else int(t) for t in TRUTHS], "Int8"),
    "floats": [np.nan if t is None else float(t) for t in TRUTHS],
    "text": [None if t is None else str(t) for t in TRUTHS],
    "lower case": [None if t is None else str(t).lower() for t in TRUTHS],
}


@pytest.mark.parametrize("later", SAME_TRUTHS)
@pytest.mark.parametrize("first", SAME_TRUTHS)
def test_truth_is_the_same_however_it_is_written(first, later):
    first, same = (pd.DataFrame({"c": SAME_TRUTHS[k]}) for k in (first, later))
    layout = Layout.of(read(first), ["c"])
    codes = layout.encode(read(first))
    np.testing.assert_array_equal(layout.encode(read(same)), codes)


def test_numbers_that_are_no_truth_values_are_refused_where_these_were():
    layout = Layout.of(read(pd.DataFrame({"c": [True, False]})))
    with pytest.raises(ValueError, match="Column 'c' held truth values in fit"):
        layout.encode(read(pd.DataFrame({"c": [7, 8]})))


@pytest.mark.parametrize("missing", [True, False])
def test_rows_of_the_frame_of_fit_are_read_as_they_were_whatever_they_are_alone(
    missing,
):
    rng = np.random.default_rng(0)
    flats = rng.choice(np.array([1, 2.5, True, "4a", None], object), 200)
    days = [f"2025-01-{d:02d}" for d in rng.integers(1, 29, 200)]
    days[7] = "2025-02-30"
    frame = pd.DataFrame({"flat": flats, "day": days})
    frame = frame if missing else frame.dropna()
    layout = Layout.of(read(frame))
    assert [column.family for column in layout.columns] == ["category", "date"]
    cells = layout.encode(read(frame))
    for row in range(30):
        alone = layout.encode(read(frame.iloc[[row]]))
        np.testing.assert_array_equal(alone[0], cells[row])


DAYS_OF_MAY = [f"2025-05-{1 + i % 28:02d}" for i in range(60)]
PRICES = [f"${i}.{i % 10}0" for i in range(60)]
# What fit saw, and later values in whose column it is still to be read.
LATER = {
    "dates as text": (pd.to_datetime(DAYS_OF_MAY), [*DAYS_OF_MAY, "soon", "later", ""]),
    "text of dates": (DAYS_OF_MAY, [*DAYS_OF_MAY, "soon", 7, 7.5]),
    "prices": (PRICES, [*PRICES, "5 €", "?", 7]),
    "categories": (["a", "b"] * 30, ["a", "b", 7, True, "c", None]),
    "truth values": ([True, False] * 30, [True, "False", "x", 1, 7]),
}


@pytest.mark.parametrize("kind", LATER)
def test_one_or_two_values_of_objects_are_read_as_among_others(kind):
    first, later = (pd.Series(values, dtype=object) for values in LATER[kind])
    if kind == "dates as text":
        first = first.astype("datetime64[s]")
    layout = Layout.of(read(pd.DataFrame({"c": first})))
    later = pd.DataFrame({"c": later})
    raws = read(later)
    cells = layout.encode(raws)
    said = layout.lost_later(raws, cells)
    for row in range(len(later)):
        for some in (later.iloc[[row]], later.iloc[[row, row - 1]]):
            alone = read(some)
            (cell, *_) = found = layout.encode(alone)
            np.testing.assert_array_equal(cell, cells[row])
            text = repr(str(later.c[row]))
            assert (text in layout.lost_later(alone, found)) == (text in said)


def test_three_objects_of_another_type_are_refused_with_what_was_there():
    layout = Layout.of(read(pd.DataFrame({"c": ["a", "b"] * 9}, dtype=object)))
    later = pd.DataFrame({"c": [7, 7, 8]}, dtype=object)
    with pytest.raises(ValueError, match=r"such as 'a', and holds none .* such as 7"):
        layout.encode(read(later))


def test_chunk_of_a_file_whose_type_was_guessed_is_what_it_was_in_fit():
    whole = pd.DataFrame({"flat": ["1", "2", "2", "4a"] * 9})
    layout = Layout.of(read(whole))
    for part in ([1, 2], [2.0, np.nan], ["1", "2"]):
        codes = layout.encode(read(pd.DataFrame({"flat": part})))
        same = pd.DataFrame({"flat": [v if v != v else str(int(v)) for v in part]})
        np.testing.assert_array_equal(codes, layout.encode(read(same)))
    with pytest.raises(ValueError, match="'flat' held categories in fit"):
        layout.encode(read(pd.DataFrame({"flat": [10115, 10117]})))


def test_dates_may_come_back_as_text_and_text_of_dates_as_dates():
    moments = pd.date_range("2021-01-01 10:00", periods=50, freq="31h")
    dates = pd.DataFrame({"d": moments})
    text = pd.DataFrame({"d": moments.astype(str)})
    for first, later in ((dates, text), (text, dates)):
        layout = Layout.of(read(first))
        np.testing.assert_array_equal(
            layout.encode(read(later)), layout.encode(read(first))
        )


def test_pieces_of_objects_are_joined_as_the_whole_is_read():
    values = np.array([1, 2, "4a", None, 7, 2.5] * 5, dtype=object)
    frame = pd.DataFrame({"flat": values})
    parts = [read(frame.iloc[k : k + 2]) for k in range(0, 30, 2)]
    (whole,), (pieces,) = read(frame), joined(parts)
    assert pieces.kind == whole.kind == "text"
    assert keys_of(pieces).tolist() == keys_of(whole).tolist()


@pytest.mark.parametrize(
    "later", [[b"x", b"y"], [datetime.datetime(2020, 1, 1, 3)] * 2, [(1, 2), None]]
)
def test_pieces_of_objects_of_several_types_are_joined_as_the_whole_is_read(later):
    frame = pd.DataFrame({"c": pd.Series(["a", "b", *later], dtype=object)})
    (whole,), (pieces,) = read(frame), joined([read(frame[:2]), read(frame[2:])])
    assert pieces.kind == whole.kind == "other"
    assert keys_of(pieces).tolist() == keys_of(whole).tolist()


DAY = datetime.date(2020, 1, 1)


@pytest.mark.parametrize("other", ["2020-01-02", 7, True, (1, 2), datetime.time(9)])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_piece_of_days_is_joined_to_other_objects_as_the_whole_is_read(
    other, is_first
):
    values = [DAY, DAY, other, other] if is_first else [other, other, DAY, DAY]
    frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    (whole,), (pieces,) = read(frame), joined([read(frame[:2]), read(frame[2:])])
    assert pieces.kind == whole.kind == "other"
    assert keys_of(pieces).tolist() == keys_of(whole).tolist()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_piece_of_days_among_moments_takes_no_time_of_the_day_from_them(is_first):
    moment = datetime.datetime(2020, 1, 2, 9, 30)
    values = [DAY, DAY, moment, moment] if is_first else [moment, moment, DAY, DAY]
    frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    parts = [read(frame[:2]), read(frame[2:])]
    column = Layout.of(joined(parts)).columns[0]
    assert column.decode(np.array([column.high]))[0] == moment


@pytest.mark.parametrize("longest", [datetime.timedelta.max, datetime.timedelta.min])
def test_the_longest_duration_of_all_is_written_and_compared(longest):
    usual = datetime.timedelta(hours=3)
    values = pd.Series([usual] * 9 + [longest], dtype=object)
    layout = Layout.of(read(pd.DataFrame({"c": values})))
    cells = layout.encode(read(pd.DataFrame({"c": values})))
    far = layout.decode(cells)[-1, 0]
    assert abs(far - usual) > datetime.timedelta(days=300_000_000)


DAYS = pd.Series(pd.date_range("2021-01-04", periods=3, freq="7D").repeat(9))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (DAYS, "2021-01-04"),
        (DAYS + pd.Timedelta("90min"), "2021-01-04 01:30:00"),
        (DAYS.dt.tz_localize("UTC"), "2021-01-04"),
        (DAYS.dt.date, "2021-01-04"),
        (DAYS.dt.to_period("M"), "2021-01-01"),
        (DAYS - DAYS[0], "0:00:00"),
        (pd.Series([datetime.time(9, 30), None, datetime.time(7)]), "09:30:00"),
        (pd.Series([datetime.date(2021, 1, 4), None]), "2021-01-04"),
    ],
)
def test_dates_and_times_may_be_said_to_be_categories(values, expected):
    raws = read(pd.DataFrame({"c": values}))
    layout = Layout.of(raws, ["c"])
    assert layout.columns[0].understood == "category"
    cells = layout.encode(raws)
    assert layout.decode(cells)[0] == expected
    assert np.isnan(cells[:, 0]).tolist() == values.isna().tolist()
    shown = layout.shown(values.to_numpy(dtype=object)[:, None], cells)
    assert shown[0] == expected


@pytest.mark.parametrize("zone", ["+02:00", "-03:30", "Europe/Berlin", "UTC"])
def test_dates_come_back_in_their_time_zone(zone):
    moments = pd.date_range("2021-01-01", periods=40, freq="31h", tz=zone)
    raws = read(pd.DataFrame({"d": moments}))
    layout = Layout.of(raws)
    back = layout.decode(layout.encode(raws))[:, 0]
    assert [str(moment) for moment in back] == [str(moment) for moment in moments]
