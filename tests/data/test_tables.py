"""Tables in files: the columns are those of the whole table, however it is cut."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skncae.data._csv_files import TableError
from skncae.data._layout import read
from skncae.data._tables import Tables
from skncae.data._texts import keys_of

DAY = datetime.date(2024, 3, 20)
VALUES = {
    "numbers": st.floats(-1e6, 1e6).map(str),
    "whole numbers": st.integers(-50, 50).map(str),
    "ids": st.integers(2**53, 2**66).map(str),
    "codes": st.sampled_from(["007", "12", "0", "300", "4a"]),
    "dates": st.integers(0, 40).map(lambda n: str(DAY + datetime.timedelta(n))),
    "times": st.sampled_from(
        ["2024-03-30T10:00:00+01:00", "2024-03-31T10:00:00+02:00"]
    ),
    "booleans": st.sampled_from(["True", "False"]),
    "text": st.sampled_from(["north", "south", "nan", "1e3"]),
    "thousands": st.sampled_from(["1.234", "987", "12.500", "0", "7.001.234"]),
    "marks": st.sampled_from(["12.5", "3", "1,234.5", "(7)", "1,000"]),
}


@st.composite
def columns(draw, n_rows):
    """Return fields of one kind, perhaps with gaps and a field of another kind."""
    kind = draw(st.sampled_from(sorted(VALUES)))
    gaps = draw(st.sampled_from([0.0, 0.3, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    one = VALUES[kind] | st.just("") if gaps else VALUES[kind]
    fields = draw(st.lists(one, min_size=n_rows, max_size=n_rows))
    fields = ["" if rng.random() < gaps else field for field in fields]
    if draw(st.booleans()):
        slip = draw(st.sampled_from(["2024-02-30", "4a", "01", "True", "1.5", "x"]))
        fields[draw(st.integers(0, n_rows - 1))] = slip
    return fields


@st.composite
def tables(draw):
    """Return the columns of a table, and where it is cut."""
    n_rows = draw(st.integers(2, 10))
    cuts = draw(st.lists(st.integers(1, n_rows - 1), max_size=2, unique=True))
    n_columns = draw(st.integers(1, 3))
    return [draw(columns(n_rows)) for _ in range(n_columns)], sorted(cuts)


def outcome(paths, chunk_rows=None):
    """Return what the detector reads of the columns, or the values that are refused."""
    try:
        frames = list(Tables(tuple(map(str, paths)), chunk_rows=chunk_rows).chunks())
    except TableError as error:
        return str(error).partition(", column ")[2].partition("--missing")[0]
    pieces = [read(frame) for frame in frames]
    kinds = [
        {raw.kind for raw in raws if raw.is_there.any()}
        for raws in zip(*pieces, strict=True)
    ]
    keys = [
        np.concatenate([keys_of(raw) for raw in raws]).tolist()
        for raws in zip(*pieces, strict=True)
    ]
    return kinds, keys, [label for frame in frames for label in frame.index]


@settings(max_examples=25, deadline=None)
@given(tables())
@example(([["", "", "2024-02-23", "2024-02-24"]], [2]))
@example(([["1", "2", "3", "4a"]], [3]))
@example(([["2024-02-23", "2024-02-24", "2024-02-30"]], [2]))
@example(([[*"12345678901", "", "01"], ["x"] * 13], [6]))
@example(([["1.0", "2", "05", "", "7"]], [1, 3]))
@example(([["True", "False", "", "x"]], [1, 2]))
@example(([["9007199254740992", "", "NA", "9223372036854775808"]], [3]))
@example(([["1.234", "2.500", "", "987"], ["x"] * 4], [2]))
@example(([[*"123456789", "1,234.5", *"123456789"], ["x"] * 19], [4, 12]))
@example(([["12.5", "12.5", "1,234.5"]], []))
def test_table_cut_anywhere_is_read_as_the_whole_table_is(tmp_path_factory, table):
    fields, cuts = table
    folder = tmp_path_factory.mktemp("cut")
    # A line without any field is a row too, but at the end of a file.
    rows = [(";".join(row) or '""') + "\n" for row in zip(*fields, strict=True)]
    ends = [0, *cuts, len(rows)]
    header = ";".join(f"c{j}" for j in range(len(fields))) + "\n"
    whole, *parts = (folder / f"{n}.csv" for n in range(len(ends)))
    whole.write_text("".join([header, *rows]))
    for part, start, stop in zip(parts, ends, ends[1:], strict=False):
        part.write_text("".join([header, *rows[start:stop]]))
    expected = outcome([whole])
    assert outcome(parts) == expected
    assert outcome([whole], 3) == expected
    assert outcome(parts, 2) == expected


@pytest.mark.parametrize("chunk_rows", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_field_too_many_is_refused_wherever_a_chunk_begins(tmp_path, place, chunk_rows):
    rows = ["1;2"] * 4
    rows[place] = "1;2;3"
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a;b", *rows]) + "\n")
    says = f"line {place + 2}: 3 fields, where 2 are expected"
    with pytest.raises(TableError, match=says):
        list(Tables((str(path),), chunk_rows=chunk_rows).chunks())


@pytest.fixture
def kinds_in(tmp_path):
    """Return the types of the columns of a table of text, read whole and in chunks."""

    def kinds(**columns):
        pd.DataFrame(columns).to_csv(tmp_path / "table.csv", index=False)
        path = (str(tmp_path / "table.csv"),)
        whole, *chunks = (
            {name: values.dtype.kind for name, values in frame.items()}
            for n in (None, 20)
            for frame in Tables(path, chunk_rows=n).chunks()
        )
        assert all(chunk == whole for chunk in chunks)
        return whole

    return kinds


def test_one_number_with_a_zero_before_it_makes_no_codes_of_the_others(kinds_in):
    counts = [str(n * n) for n in range(60)]
    slip = [*counts[:30], "0" + counts[30], *counts[31:]]
    lines = ["00123", *(f"{n * 321 + 10000}" for n in range(59))]
    padded = [f"{n:04d}" for n in range(60)]
    phones = ["0" + "7" * (5 + n % 4) if n % 5 == 0 else str(n) for n in range(60)]
    kinds = kinds_in(slip=slip, lines=lines, padded=padded, phones=phones)
    assert kinds["slip"] == "i"
    assert all(kinds[name] in "OTU" for name in ("lines", "padded", "phones"))


@pytest.mark.parametrize("chunk_rows", [None, 20])
@pytest.mark.parametrize(
    ("values", "separator", "kind"),
    [
        (["1.234", "987", "12.500"], ";", "text"),
        (["1.234", "987", "2.001.500"], "\t", "text"),
        # Nothing but points, a whole number that has none, or other digits behind it.
        (["1.234", "2.500", "12.500"], ";", "number"),
        (["1.234", "987", "1987"], ";", "number"),
        (["1.234", "987", "12.5"], ";", "number"),
        (["1.234", "987", "0.512"], ";", "number"),
        (["1.234", "987", "12.500"], ",", "number"),
    ],
)
def test_point_before_three_digits_ends_thousands_where_small_numbers_are_whole(
    tmp_path, values, separator, kind, chunk_rows
):
    lines = [f"{value}{separator}x\n" for value in values * 20]
    (tmp_path / "a.csv").write_text("".join([f"n{separator}t\n", *lines]))
    tables = Tables((str(tmp_path / "a.csv"),), chunk_rows=chunk_rows)
    found = [value for frame in tables.chunks() for value in frame["n"]]
    assert tables.kinds["n"] == kind
    assert found == [v if kind == "text" else float(v) for v in values * 20]


def test_moments_in_nanoseconds_are_the_integers_that_they_are(kinds_in):
    moments = [1_700_000_000_000_000_000 + n * 10**9 for n in range(60)]
    kinds = kinds_in(moments=moments, ids=[2**64 + n for n in range(60)])
    assert kinds["moments"] == "i" and kinds["ids"] in "OTU"


def test_blank_lines_at_the_end_of_a_column_are_no_rows(tmp_path):
    (tmp_path / "one.csv").write_text("c\n1\n\n3\n\n \n\n")
    path = (str(tmp_path / "one.csv"),)
    for n in (None, 2):
        values = [x for frame in Tables(path, chunk_rows=n).chunks() for x in frame.c]
        np.testing.assert_array_equal(values, [1, np.nan, 3])
    (tmp_path / "one.csv").write_text('c\n1\n""\n')
    assert len(Tables(path).whole()) == 2


@pytest.mark.parametrize("chunk_rows", [None, 10])
def test_a_warning_about_a_file_is_said_once(tmp_path, chunk_rows):
    rows = [f"{n}.5,00{n},{n}\n" for n in range(30)]
    (tmp_path / "twins.csv").write_text("".join(["a,c,c\n", *rows]))
    tables = Tables((str(tmp_path / "twins.csv"),), chunk_rows=chunk_rows)
    with pytest.warns(UserWarning, match="several columns are named 'c'") as told:
        list(tables.chunks())
        list(tables.chunks())
    assert len(told) == 1


def test_codes_beside_typed_numbers_are_the_same_numbers(tmp_path):
    pd.DataFrame({"c": [n % 4 for n in range(40)]}).to_parquet(tmp_path / "a.parquet")
    codes = [f"{n % 4:03d}\n" for n in range(40)]
    (tmp_path / "b.csv").write_text("".join(["c\n", *codes]))
    paths = (str(tmp_path / "a.parquet"), str(tmp_path / "b.csv"))
    assert sorted(Tables(paths).whole()["c"].unique()) == [0, 1, 2, 3]


@pytest.mark.parametrize("chunk_rows", [None, 2])
def test_text_columns_of_csv_and_parquet_are_one_in_whatever_order(
    tmp_path, chunk_rows
):
    (tmp_path / "a.csv").write_text("place,code,x\n01,007,1\n02,012,2\n")
    typed = pd.DataFrame({"place": [4, 9, 2], "code": ["001", "2", "044"], "x": 0})
    typed.set_index("place").to_parquet(tmp_path / "b.parquet")
    paths = (str(tmp_path / "a.csv"), str(tmp_path / "b.parquet"))
    frame = pd.concat(Tables(paths, chunk_rows=chunk_rows).chunks())
    assert frame["code"].tolist() == ["007", "012", "001", "2", "044"]
    assert frame["place"].tolist() == [1, 2, 4, 9, 2]


def test_whole_numbers_that_float_does_not_hold_keep_their_digits(tmp_path):
    ids = [str(2**53 + n) for n in range(30)]
    lines = [f"{n},{text}\n" for n, text in enumerate([*ids, ""])]
    (tmp_path / "ids.csv").write_text("".join(["a,id\n", *lines]))
    frame = Tables((str(tmp_path / "ids.csv"),)).whole()
    assert frame["id"].dropna().tolist() == ids
    # One absurd value makes no codes of numbers.
    lines = [f"{n},{n % 7}\n" for n in range(30)]
    (tmp_path / "one.csv").write_text("".join(["a,b\n", *lines, f"1,{10**17}\n,\n"]))
    assert Tables((str(tmp_path / "one.csv"),)).whole()["b"].max() == 1e17


def test_a_level_of_an_index_stored_as_a_range_is_a_column_beside_the_others(tmp_path):
    frame = pd.DataFrame({"v": np.arange(40) % 7 + 0.5})
    levels = [pd.RangeIndex(40, name="day"), list("abcd") * 10]
    frame.index = pd.MultiIndex.from_arrays(levels, names=["day", "site"])
    frame.to_parquet(tmp_path / "a.parquet")
    try:
        pd.read_parquet(tmp_path / "a.parquet")
    except KeyError:
        pytest.skip("this pyarrow does not read what it has written")
    path = (str(tmp_path / "a.parquet"),)
    whole = Tables(path).whole()
    pieces = list(Tables(path, chunk_rows=15).chunks())
    assert list(whole.columns) == ["day", "site", "v"]
    pd.testing.assert_frame_equal(pd.concat(pieces), whole)
