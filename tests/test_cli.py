"""The command line: results, progress, exit status, and errors in one line."""

import errno
import gzip
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from skncae import NCAEDetector
from skncae._cli import _write, main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 3))
    frame = pd.DataFrame(rows.round(3), columns=["a", "b", "c"])
    frame.insert(0, "id", [f"r{i}" for i in range(120)])
    frame.loc[40, "b"] = 99.0
    return frame


@pytest.fixture
def folder(frame, tmp_path, monkeypatch):
    """Return a folder to work in, with the table in several files."""
    monkeypatch.chdir(tmp_path)
    frame.to_csv("data.csv", index=False)
    for packed in ("gz", "bz2", "xz"):
        frame.to_csv(f"data.csv.{packed}", index=False)
    frame.to_parquet("data.parquet", index=False)
    frame[:50].to_csv("first.csv", index=False)
    frame[50:].to_csv("second.csv", index=False)
    return tmp_path


@pytest.fixture(scope="module")
def model(frame, tmp_path_factory):
    """Return the path of a saved detector, fitted on the columns a, b and c."""
    path = tmp_path_factory.mktemp("model") / "model.skncae"
    small = NCAEDetector(0.05, n_estimators=2, max_iter=20, random_state=0)
    small.fit(frame[["a", "b", "c"]]).save(path)
    return str(path)


def run(*arguments, text=None):
    return CliRunner().invoke(main, arguments, input=text, catch_exceptions=False)


def failed(*arguments, text=None):
    """Run what must fail, and return the one line that it says."""
    result = run(*arguments, text=text)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("skncae: ")]
    return line


def test_from_a_file_to_an_open_report_in_one_line(folder):
    result = run("find", "data.csv", "--index", "id", "-o", "report.html")
    assert result.exit_code == 0 and result.stdout == ""
    html = (folder / "report.html").read_text("utf-8")
    assert html.startswith("<!doctype html>") and "b = 99.000" in html
    assert "1 of 120 rows flagged (0.83 %)" in result.stderr


def test_results_are_on_stdout_and_progress_is_on_stderr(folder):
    result = run("find", "data.csv", "--index", "id", "--format", "csv", "--top", "3")
    rows = pd.read_csv(io.StringIO(result.stdout))
    assert rows["index"][0] == "r40" and len(rows) == 3
    assert "120 rows x 3 columns" in result.stderr
    quiet = run("find", "data.csv", "--index", "id", "--format", "csv", "--top=3", "-q")
    assert quiet.stdout == result.stdout
    assert "rows" not in quiet.stderr and "NCAE" not in quiet.stderr


@pytest.mark.parametrize("form", ["md", "csv", "json", "html"])
def test_format_is_that_of_the_name_or_the_one_asked_for(folder, model, form):
    run("explain", model, "data.csv", "--index=id", "-o", f"out.{form}", "--top=2")
    named = (folder / f"out.{form}").read_text("utf-8")
    asked = run("explain", model, "data.csv", "--index=id", "--format", form, "--top=2")
    assert asked.stdout == named
    if form == "json":
        rows = json.loads(named)
        assert [rows[0]["index"], len(rows)] == ["r40", 2]


@pytest.mark.parametrize(
    "files",
    [
        ["data.parquet"],
        ["first.csv", "second.csv"],
        ["-"],
        ["data.csv.gz"],
        ["data.csv.bz2", "--chunk-rows=100"],
        ["data.csv.xz", "--chunk-rows=100"],
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "chunks", [(), ("--chunk-rows", "17")], ids=["whole", "chunks"]
)
def test_files_of_every_kind_give_the_same_rows(folder, model, files, chunks):
    text = (folder / "data.csv").read_text()
    result = run("score", model, *files, "--index", "id", *chunks, text=text)
    scores = pd.read_csv(io.StringIO(result.stdout), index_col="index")
    detector = NCAEDetector.load(model)
    frame = pd.read_csv("data.csv", index_col="id")
    assert scores.index.tolist() == frame.index.tolist()
    np.testing.assert_allclose(scores.score, detector.score_samples(frame), rtol=1e-9)
    assert (scores.label == detector.predict(frame)).all()


@pytest.mark.parametrize(
    "chunks", [(), ("--chunk-rows", "50")], ids=["whole", "chunks"]
)
def test_names_of_rows_stay_the_text_of_the_file(folder, model, frame, chunks):
    names = [f"{i:05d}" for i in range(120)]
    names[:6] = ["NA", "null", "", "1e3", "2024-01-01", "5.0"]
    named = frame.assign(id=names)
    # The last is a column of the same name, which no row is named by.
    named.assign(d=1).to_csv("named.csv", index=False, header=[*named.columns, "id"])
    options = ("--index=id", "-q", *chunks)
    scored = run("score", model, "named.csv", *options).stdout
    scores = pd.read_csv(io.StringIO(scored), dtype={"index": str}, na_filter=False)
    assert scores["index"].tolist() == names
    report = run("explain", model, "named.csv", *options, "--format=json", "--top=1")
    assert json.loads(report.stdout)[0]["index"] == "00040"
    (folder / "answers.csv").write_text('index,label\n00040,1\nNA,-1\n"",-1\n')
    command = ("refine", model, "answers.csv", "named.csv", "--save=better", *options)
    assert run(*command).exit_code == 0
    assert NCAEDetector.load("better").lessons_.n_rows.sum() == 3


@pytest.mark.parametrize("chunks", [(), ("--chunk-rows", "50")])
@pytest.mark.parametrize("step", [1, 3, np.pi])
def test_names_of_rows_in_parquet_keep_their_type(folder, model, frame, chunks, step):
    names = [100 + step * i for i in range(120)]
    # Equal steps pandas stores as a range, and not as a column.
    frame.assign(id=names).set_index("id").to_parquet("ids.parquet")
    command = ("score", model, "ids.parquet", "--index=id", "--format=json", *chunks)
    rows = [json.loads(line) for line in run(*command).stdout.splitlines()]
    assert [row["index"] for row in rows] == pytest.approx(names)
    assert {type(row["index"]) for row in rows} == {type(names[0])}


@pytest.mark.parametrize("chunks", [(), ("--chunk-rows", "50")])
def test_numbers_of_rows_that_pandas_stored_are_no_column(folder, model, frame, chunks):
    frame.to_parquet("counted.parquet")
    assert "left out: id\n" in run("score", model, "counted.parquet", *chunks).stderr


def test_packed_file_is_read_from_a_pipe_and_its_slips_are_named(folder, model):
    packed = (folder / "data.csv.gz").read_bytes()
    read = run("score", model, "-", "--index", "id", text=packed)
    assert read.stdout == run("score", model, "data.csv", "--index", "id").stdout
    text = gzip.decompress(packed).replace(b"\nr99,", b"\nr99,x")
    (folder / "bad.csv.gz").write_bytes(gzip.compress(text))
    line = failed("score", model, "bad.csv.gz", "--index", "id")
    assert line.startswith("skncae: bad.csv.gz, line 101, column 'a'")


def test_rows_without_an_index_are_counted_over_all_files(folder, model):
    result = run("score", model, "first.csv", "second.csv", "--format", "json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["index"] for row in rows] == list(range(120))
    assert "not in the model, and left out: id" in result.stderr


def test_files_in_chunks_are_fitted_on(folder):
    result = run("find", "data.csv", "--index=id", "--chunk-rows=50", "--format=csv")
    assert pd.read_csv(io.StringIO(result.stdout))["index"][0] == "r40"


def test_saved_model_scores_new_rows(folder):
    run("find", "data.csv", "--index=id", "--save=m", "--contamination=0.02", "-q")
    detector = NCAEDetector.load("m")
    assert detector.contamination_ == pytest.approx(0.02, abs=0.01)
    assert run("score", "m", "second.csv", "--index", "id").exit_code == 0


def test_check_tells_a_script_that_a_row_is_flagged(folder, model, frame):
    assert run("score", model, "data.csv", "--index=id", "--check").exit_code == 1
    assert run("explain", model, "data.csv", "--index=id", "--check").exit_code == 1
    frame[:1].to_csv("one.csv", index=False)
    scored = run("score", model, "one.csv", "--check")
    assert scored.exit_code == int(scored.stdout.strip().endswith(",-1"))


def test_answers_of_a_report_are_learnt(folder, model):
    (folder / "answers.csv").write_text("index,label\nr40,1\nr7,-1\n")
    refined = run(
        *("refine", model, "answers.csv", "first.csv", "second.csv"),
        *("--index", "id", "--save", "better"),
    )
    assert refined.exit_code == 0 and "learnt 2 answers, saved better" in refined.stderr
    assert len(NCAEDetector.load(model).lessons_) == 0
    better, frame = NCAEDetector.load("better"), pd.read_csv("data.csv")
    n_flagged = (better.predict(frame[["a", "b", "c"]]) == -1).sum()
    assert f"\n{n_flagged} of 120 rows flagged (" in refined.stderr
    lessons = better.lessons_
    assert lessons.n_rows.sum() == 2 and lessons.n_inliers.sum() == 1
    html = run("explain", "better", "data.csv", "--index=id", "--format=html").stdout
    assert "What was learnt from answers" in html


@pytest.mark.parametrize(
    "text, said",
    [
        ("r1,1\n", "answers.csv, line 1: the columns must be index and label"),
        ("index,label\nr1,1\nr2,2\n", "answers.csv, line 3, column 'label': '2' is"),
        ("index,label\nr999,1\n", "answers.csv, line 2: no row has the index 'r999'"),
        (
            "index,label,label\nr1,1,-1\n",
            "answers.csv, line 1: the columns must be index and label, each once (it h",
        ),
        (
            "index,label\nr1,1\nr2\n",
            "answers.csv, line 3: 2 fields are expected, and it",
        ),
        ("index,label\nr1,1,2\n", "answers.csv, line 2: 2 fields are expected, and it"),
        ("index,label\nr1,outlier\n", "answers.csv, line 2, column 'label': 'outlier'"),
        (
            "index,label\nr1,1\nr2,1\nr1,-1\n",
            "answers.csv, line 4: -1 for the row 'r1', which has 1 in line 2. Keep one",
        ),
        ("index,label\nr1,1\n\xff,1\n", "answers.csv, line 3: not UTF-8 text. Conv"),
        ('index,label\nr1,1\n"' + 140_000 * "x", "answers.csv: field larger than"),
    ],
)
def test_answers_that_cannot_be_read_are_named_by_line(folder, model, text, said):
    (folder / "answers.csv").write_bytes(text.encode("latin-1"))
    line = failed("refine", model, "answers.csv", "data.csv", "--index=id")
    assert line.startswith(f"skncae: {said}")


def test_answers_that_a_person_wrote_are_read(folder, model):
    (folder / "answers.csv").write_text(
        "seen, Label ,label , index\n,,-1.0,r40\n,,,r6\n\n,, 0,r5\n,,-1,r40\n"
    )
    command = ("refine", model, "answers.csv", "data.csv", "--index=id", "--save=m")
    assert "learnt 1 answer, saved m" in run(*command).stderr


@pytest.mark.parametrize("chunks", [(), ("--chunk-rows", "20")], ids=["whole", "parts"])
def test_answer_about_a_name_that_several_rows_have_is_refused(
    folder, model, frame, chunks
):
    frame.replace({"id": {"r90": "r3"}}).to_csv("twice.csv", index=False)
    command = ("refine", model, "answers.csv", "twice.csv", "--index=id", *chunks)
    (folder / "answers.csv").write_text("index,label\nr4,1\nr3,1\n")
    line = failed(*command)
    assert line.startswith(
        "skncae: answers.csv, line 3: 2 rows have the index 'r3', such as rows 3 and 90"
    )
    # Nothing is open where nobody answered about them.
    (folder / "answers.csv").write_text("index,label\nr4,1\nr4,1\n")
    assert run(*command, "--save", "better").exit_code == 0


@pytest.mark.parametrize("separator", [",", ";"])
def test_answers_that_a_spreadsheet_saved_are_read(folder, model, separator):
    text = "index,label\nr40,1\nr7,-1\n".replace(",", separator)
    (folder / "answers.csv").write_text(text, encoding="utf-8-sig")
    refined = run("refine", model, "answers.csv", "data.csv", "--index=id", "--save=m")
    assert "learnt 2 answers" in refined.stderr


# --- what a column is ------------------------------------------------------------


@pytest.fixture(scope="module")
def codes():
    """Return a table with codes of digits, some with a zero before them."""
    rng = np.random.default_rng(0)
    zips = rng.choice(["00123", "10115", "22301", "04567"], 120)
    return pd.DataFrame({"x": rng.normal(size=120).round(3), "zip": zips})


@pytest.mark.parametrize("chunks", [(), ("--chunk-rows", "30")])
@pytest.mark.parametrize("name", ["codes.csv", "codes.parquet", "digits.csv"])
def test_codes_are_scored_as_the_text_that_was_learnt(
    folder, codes, fast, name, chunks
):
    detector = fast(contamination=0.05).fit(codes)
    detector.save("codes.skncae")
    # In one file with zeros before digits, in another without any.
    later = codes[codes.zip.isin(["10115", "22301"])] if name[0] == "d" else codes
    later.to_csv(name, index=False) if name.endswith("csv") else later.to_parquet(name)
    scored = run("score", "codes.skncae", name, "-q", *chunks)
    scores = pd.read_csv(io.StringIO(scored.stdout))
    np.testing.assert_allclose(scores.score, detector.score_samples(later))
    assert run("explain", "codes.skncae", name, "-q", *chunks).exit_code == 0


@pytest.mark.parametrize("name", ["codes.csv", "codes.parquet"])
def test_codes_are_learnt_as_text(folder, codes, name):
    codes.to_csv(name, index=False) if name.endswith("csv") else codes.to_parquet(name)
    assert run("find", name, "-q", "--save=m").exit_code == 0
    columns = NCAEDetector.load("m").columns_.set_index("name")
    assert columns.type["zip"] == "category" and columns.n_values["zip"] == 4


def test_truth_values_with_gaps_are_truth_values(folder, codes):
    f = np.resize(["True", "False", ""], len(codes))
    codes.assign(f=f).to_csv("gaps.csv", index=False)
    run("find", "gaps.csv", "-q", "--save=m")
    assert NCAEDetector.load("m").columns_.set_index("name").type["f"] == "boolean"


def test_model_says_that_a_column_of_mostly_numbers_holds_categories(folder, fast):
    x = np.arange(40) % 9
    learnt = pd.DataFrame({"x": x, "code": np.resize(["1", "2", "3", "4a"], 40)})
    detector = fast(contamination=0.1).fit(learnt)
    detector.save("codes.skncae")
    day = learnt[:20].assign(code=["1"] * 19 + ["4a"])
    day.to_csv("day.csv", index=False)
    for command in ("score", "explain"):
        assert run(command, "codes.skncae", "day.csv", "-q").exit_code == 0
    scored = run("score", "codes.skncae", "day.csv", "-q").stdout
    scores = pd.read_csv(io.StringIO(scored)).score
    np.testing.assert_allclose(scores, detector.score_samples(day))


def test_line_without_a_field_is_a_row_of_a_file_of_one_column(folder):
    values = ["1", "2", "", "4", "5", "60", " ", *"1234512345" * 3]
    (folder / "one.csv").write_text("\n".join(["", "v", *values, ""]))
    found = run("find", "one.csv", "-q", "--format=csv", "--save=m").stdout
    assert pd.read_csv(io.StringIO(found))["index"][0] == 5
    for chunks in ((), ("--chunk-rows", "4")):
        scored = run("score", "m", "one.csv", "-q", *chunks).stdout
        assert len(scored.splitlines()) == 1 + len(values)
    (folder / "one.csv").write_text("\n".join(["", "v", *values, "x", ""]))
    line = failed("find", "one.csv")
    assert line.startswith(f"skncae: one.csv, line {3 + len(values)}, column 'v': 'x'")


@pytest.mark.parametrize(
    "files",
    [
        ["whole.csv"],
        ["h1.csv", "h2.csv"],
        ["h1.csv", "turned.csv"],
        ["whole.csv", "--chunk-rows=50"],
    ],
    ids=str,
)
def test_date_that_is_none_is_named_however_the_table_is_cut(folder, codes, files):
    days = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d").tolist()
    days[100] = "2024-02-30"
    table = codes.assign(day=days)
    table.to_csv("whole.csv", index=False)
    table[:60].to_csv("h1.csv", index=False)
    table[60:].to_csv("h2.csv", index=False)
    table[60:].iloc[:, ::-1].to_csv("turned.csv", index=False)
    result = run("find", *files, "-q", "--save=m")
    assert "Read as missing: 'day' ('2024-02-30')" in result.stderr
    assert result.exit_code == 0
    columns = NCAEDetector.load("m").columns_.set_index("name")
    assert columns.index.tolist() == ["x", "zip", "day"]
    assert columns.type["day"].startswith("date")


def test_column_is_taken_for_categories_and_warnings_name_the_option(folder, frame):
    result = run("find", "data.csv", "-q")
    assert "as a category: --category 'id'.\n" in result.stderr
    frame.assign(**{"it's [1]": frame["id"]}).to_csv("two.csv", index=False)
    said = """as a category: --category 'id' --category "it's [1]".\n"""
    assert said in run("find", "two.csv", "-q").stderr
    for chunks in ((), ("--chunk-rows", "50")):
        options = ("--category=id", "--category", "a", "--save=m", "-q", *chunks)
        assert run("find", "data.csv", *options).exit_code == 0
        types = NCAEDetector.load("m").columns_.type.tolist()
        assert types == ["category", "category", "number", "number"]
    line = failed("find", "data.csv", "--category", "key")
    assert line.startswith("skncae: data.csv: --category names 'key', which is no col")


def test_warning_is_said_once_and_infinity_may_be_taken_for_missing(folder, fast):
    rows = pd.read_csv("data.csv")[["a", "b"]]
    fast().fit(rows.to_numpy()).save("nameless")
    rows.to_csv("ab.csv", index=False)
    said = run("explain", "nameless", "ab.csv", "-q", "--top=2").stderr
    assert said.count("fitted without feature names") == 1
    rows.replace(99.0, np.inf).to_csv("inf.csv", index=False)
    line = failed("find", "inf.csv", "-q")
    assert line.endswith("by a number, or take it for missing by --missing.")
    assert run("find", "inf.csv", "-q", "--missing=inf").exit_code == 0


def test_warnings_of_the_share_name_the_option(folder):
    rng = np.random.default_rng(0)
    crowd = pd.DataFrame(rng.normal(size=(60, 2)).round(3), columns=["a", "b"])
    crowd.to_csv("crowd.csv", index=False)
    said = run("find", "crowd.csv", "-q").stderr
    assert said.startswith("skncae: --contamination auto sees no gap")
    assert said.endswith("Give --contamination the share that you expect.\n")
    crowd.assign(a=1, b=np.arange(60) < 9).to_csv("ties.csv", index=False)
    said = run("find", "ties.csv", "-q", "--contamination", "0.4").stderr
    assert "skncae: --contamination 0.4 asks for more rows" in said
    assert said.endswith("Give another --contamination.\n")


# --- errors ----------------------------------------------------------------------


def test_value_that_is_no_number_is_named_by_file_line_and_column(folder):
    lines = (folder / "data.csv").read_text().splitlines()
    lines[30] = "r29,1.0,oops,2.0"
    # Empty lines count, as in an editor; pandas passes over them.
    lines.insert(5, " ")
    lines.insert(9, '"a\nb",1,2,3')
    (folder / "bad.csv").write_text("\n".join(lines))
    line = failed("find", "bad.csv", "--index", "id")
    assert line.startswith("skncae: bad.csv, line 34, column 'b': 'oops' is no number")
    assert lines[32] == "r29,1.0,oops,2.0"
    result = run("find", "bad.csv", "--index=id", "--drop=b", "-q", "--missing", "oops")
    assert result.exit_code == 0


@pytest.mark.parametrize("chunks", [(), ("--chunk-rows", "20")])
def test_slip_in_a_later_chunk_or_new_file_is_named_too(folder, model, chunks):
    text = (folder / "data.csv").read_text().replace("\nr99,", "\nr99,x")
    (folder / "bad.csv").write_text(text)
    line = (
        failed("score", model, "bad.csv", "--index", "id", *chunks)[8:]
        if not chunks
        else ""
    )
    result = run("score", model, "bad.csv", "--index", "id", *chunks)
    assert result.exit_code == 2
    assert "bad.csv, line 101, column 'a'" in result.stderr
    assert not line or line.startswith("bad.csv, line 101, column 'a'")


@pytest.mark.parametrize(
    "text, said",
    [
        ("a,b\n1,2\n1,2,3\n", "bad.csv, line 3: 3 fields, where 2 are expected"),
        ("a,b\n1,2,\n3,4,\n", "bad.csv, line 2: 3 fields, where the header names"),
        (
            "# of 2024\n# by me\na,b\n1,2\n",
            "bad.csv, line 3: 2 fields, where 1 is expected. Leave out what stands bef",
        ),
        ("a,b\n1,2\na,b\n3,4\n" + "1,2\n" * 20, "bad.csv, line 3: the names again. "),
        ("", "bad.csv: the file is empty"),
        ("a,b\n", "bad.csv: no rows"),
        ("a,b\n1,\xff\n", "bad.csv, line 2: not UTF-8 text"),
        ('a,b\n"1\n1",2\n\n1,"2\n3,4\n', "bad.csv, line 5: a quote that is not closed"),
        (
            "a title\n\na,b\n1,2\n",
            "bad.csv, line 3: 2 fields, where the header names 1. Leave out what stan",
        ),
        ("PK\3\4\xff\xfe", "bad.csv: a spreadsheet or a zip archive, and no CSV file"),
        ("\x1f\x8b\x08", "bad.csv: damaged, gzip cannot unpack it: "),
        ("BZh91AY&SY\1", "bad.csv: damaged, bzip2 cannot unpack it: "),
        ("\xfd7zXZ\0\1", "bad.csv: damaged, xz cannot unpack it: "),
        (
            "\xff\xfea\0,\0",
            "bad.csv: UTF-16 and not UTF-8 text. Convert the file first",
        ),
        ("ARROW1\0\0\xff\xff", "bad.csv: no text, and no parquet file. Save it as"),
        (
            '{"a":1,"b":2}\n{"a":1,"b":2}\n',
            "bad.csv: JSON, and no CSV file. Save it as",
        ),
        ("sep=;\r\na;b\r\n1;2\r\n", 'bad.csv: a CSV file after a line "sep=" for a'),
        ('[{"a":1,"b":2}]', "bad.csv: JSON, and no CSV file"),
        ('\xef\xbb\xbf[\n  {"a": 1}\n]', "bad.csv: JSON, and no CSV file"),
        (
            "\n<!DOCTYPE html>\n<p>a,b",
            "bad.csv: HTML or XML, and no CSV file. Save the",
        ),
    ],
)
def test_file_that_cannot_be_read_is_named_with_the_line(folder, text, said):
    (folder / "bad.csv").write_bytes(text.encode("latin-1"))
    assert failed("find", "bad.csv").startswith(f"skncae: {said}")


def test_first_line_that_may_hold_values_is_told(folder):
    (folder / "bare.csv").write_text("\n5.1,3.5,2020\n" + "1.5,2.5,3\n" * 9)
    result = run("find", "bare.csv", "-q")
    assert "bare.csv, line 2: '5.1' is taken for the name of a column" in result.stderr
    (folder / "years.csv").write_text("2020,2021,v1.5\n" + "1.5,2.5,3\n" * 9)
    assert "is taken for the name" not in run("find", "years.csv", "-q").stderr


def test_few_numbers_with_marks_among_plain_ones_are_no_slips(folder):
    rng = np.random.default_rng(0)
    sales = np.append(rng.uniform(1, 999, 98).round(2), [1234.5, -59.08])
    texts = [*map(str, sales[:98]), "1,234.50", "(59.08)"]
    frame = pd.DataFrame({"sales": texts, "tax": (sales * 0.19).round(2)})
    for name, rows in (("sales.csv", frame), ("plain.csv", frame[:98])):
        rows.assign(shop=["A", "B"] * (len(rows) // 2)).to_csv(name, index=False)
    assert run("find", "sales.csv", "-q", "--save=m").exit_code == 0
    column = NCAEDetector.load("m").columns_.set_index("name").loc["sales"]
    assert column["use"] == "number" and column["missing"] == 0
    # A model of plain numbers reads them too.
    assert run("find", "plain.csv", "-q", "--save=m").exit_code == 0
    scores = []
    for values in (texts, sales):
        frame.assign(shop="A", sales=values).to_csv("new.csv", index=False)
        scores.append(run("score", "m", "new.csv", "-q").stdout)
    assert scores[0] == scores[1]


def test_title_above_the_names_is_told(folder):
    table = "id;a;b\n" + "1;2;3\n" * 30
    (folder / "title.csv").write_text("Sales;;\n" + table)
    said = "skncae: title.csv, line 1: 2 of 3 columns have no name. Name them, or leave"
    assert said in run("find", "title.csv").stderr
    # One may be the numbers that another program has given to the rows.
    (folder / "rows.csv").write_text(table.replace("id", ""))
    assert "no name" not in run("find", "rows.csv", "-q").stderr


def test_fields_between_blanks_are_told(folder):
    rows = [f"{n % 7} {n * n} {n % 3}\n" for n in range(40)]
    (folder / "blanks.csv").write_text("".join(["week number sex\n", *rows]))
    said = run("find", "blanks.csv", "-q").stderr
    assert "blanks.csv, line 1: 'week number sex' is the name of the only col" in said
    (folder / "one.csv").write_text(
        "body mass\n" + "".join(f"{n}\n" for n in range(40))
    )
    assert "only column" not in run("find", "one.csv", "-q").stderr


def test_file_that_is_named_twice_is_refused(folder):
    line = failed("find", "first.csv", "second.csv", "./first.csv")
    assert line == "skncae: first.csv: named twice, which would double its rows"


def test_slips_of_a_column_are_named_together(folder):
    values = [*range(200), "n.a.", "unclear", "n.a."]
    (folder / "bad.csv").write_text("a,b\n" + "".join(f"{v},{v}\n" for v in values))
    line = failed("find", "bad.csv")
    assert line.endswith(
        "column 'a': 'n.a.' is no number, as the others are. Mend it, "
        "or take it for missing: --missing 'n.a.' --missing 'unclear'"
    )


def test_slip_in_the_standard_input_is_named_by_its_line(folder, model):
    text = (folder / "data.csv").read_text().replace("\nr99,", "\nr99,x")
    line = failed("score", model, "-", "--index", "id", text=text)
    assert line.startswith("skncae: -, line 101, column 'a'")


def test_file_or_column_that_is_not_there_is_named(folder, model):
    assert "none.csv: no such file" in failed("find", "none.csv")
    assert ".: is a folder" in failed("find", ".")
    assert "data.csv: no column 'key' (it has id, a, b, c)" in failed(
        "find", "data.csv", "--index", "key"
    )
    assert "no column '' (it has" in failed("find", "data.csv", "--index", "")
    (folder / "wide.csv").write_text(",".join(["x ", *"abcdefghi"]) + "\n" + 9 * "1,")
    line = failed("find", "wide.csv", "--drop", "x")
    assert line.endswith("no column 'x' (it has 'x ', a, b, c, d, e, f, g and 2 more)")
    assert "data.csv: no column 'b', which the model needs" in failed(
        "score", model, "data.csv", "--drop", "b"
    )
    assert "none.skncae" in failed("score", "none.skncae", "data.csv")
    assert "data.csv is damaged or no safetensors file" in failed(
        "score", "data.csv", "data.csv"
    )
    (folder / "other.csv").write_text("id,a,b\nr1,1,2\n")
    assert "other.csv: no column 'c', which the first file has" in failed(
        "find", "data.csv", "other.csv"
    )


def test_value_of_an_option_that_is_wrong_is_named(folder):
    assert "got 'many'" in failed("find", "data.csv", "--contamination", "many")
    assert "contamination" in failed(
        "find", "data.csv", "--contamination=0.9", "--index=id"
    )
    assert run("find", "data.csv", "--top", "0").exit_code == 2
    assert "'--seed'" in run("find", "data.csv", "--seed", str(2**32)).stderr
    assert run("find").exit_code == 2


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_columns_that_options_leave_none_of_are_told(folder, name):
    line = failed("find", name, "--index", "id", "--drop", "id")
    assert line.startswith("skncae: --index and --drop both name the column 'id'")
    drop = [f"--drop={column}" for column in "abc"]
    for index in ("--index=id", "--drop=id"):
        line = failed("find", name, index, *drop)
        assert line.startswith(f"skncae: {name}: no column is left to learn from (it h")


def test_slip_in_a_column_that_is_dropped_is_none(folder):
    text = (folder / "data.csv").read_text().replace("\nr99,", "\nr99,x")
    (folder / "bad.csv").write_text(text)
    assert run("find", "bad.csv", "--index=id", "--drop=a", "-q").exit_code == 0


def test_separator_is_that_of_the_first_line(folder, frame, model):
    frame.to_csv("data.tsv", sep="\t", index=False)
    text = frame.to_csv(sep=";", index=False)
    # Before the names, and between rows, pandas passes over lines without any.
    (folder / "semi.csv").write_text("\n" + text.replace("\n", "\n  \n"))
    first, second = (
        run("score", model, name, "--index=id").stdout
        for name in ("data.tsv", "semi.csv")
    )
    assert first == second == run("score", model, "data.csv", "--index=id").stdout


# --- the process -----------------------------------------------------------------


def test_help_starts_without_torch_within_a_second():
    code = (
        "import sys; sys.argv = ['skncae', '--help']\n"
        "from skncae._cli import main\n"
        "try: main()\n"
        "finally: print(*{'torch', 'pandas', 'sklearn', 'numpy'} & set(sys.modules))"
    )
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert time.perf_counter() - start < 5  # alone it takes a tenth of it
    assert "Usage:" in result.stdout
    assert result.stdout.splitlines()[-1] == "", result.stdout


def test_reader_that_stops_early_is_no_error(folder, model):
    command = (
        f"{sys.executable} -c 'from skncae._cli import main; main()' "
        f"score {model} data.csv --index id -q | head -1"
    )
    result = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert result.stdout == "index,score,label\n" and "Traceback" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_file_that_a_full_disk_has_no_place_for_is_named(folder, model, monkeypatch):
    line = failed("explain", model, "data.csv", "-q", "-o", "/dev/full")
    assert line == "skncae: /dev/full: No space left on device"

    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("skncae._cli.click.echo", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        _write("text", None)
    assert caught.value.filename == "the standard output"


@pytest.mark.parametrize(
    "error, status, said",
    [
        (KeyError("day"), 2, "skncae: a fault of skncae, not of your data: KeyError"),
        (KeyboardInterrupt(), 130, "skncae: interrupted"),
    ],
)
def test_only_a_flagged_row_has_the_status_of_one(
    folder, model, monkeypatch, error, status, said
):
    def fail(path):
        raise error

    monkeypatch.setattr("skncae._cli._loaded", fail)
    result = run("score", model, "data.csv", "--check")
    assert result.exit_code == status and said in result.stderr
    assert ("Traceback" in result.stderr) == (status == 2)


def test_version_is_that_of_the_package():
    import skncae

    assert skncae.__version__ in run("--version").stdout


@pytest.mark.parametrize("command", ["find", "explain"])
def test_folder_of_the_result_is_looked_for_before_the_work(folder, model, command):
    files = ["data.csv"] if command == "find" else [model, "data.csv"]
    line = failed(command, *files, "--index=id", "-o", "nowhere/out.html")
    assert line == "skncae: --output nowhere/out.html: no folder 'nowhere'"


@pytest.mark.parametrize(
    "arguments, said",
    [
        ("find data.csv --save data.csv", "--save data.csv: data.csv is read"),
        ("find data.csv -o ./data.csv", "--output ./data.csv: data.csv is read"),
        ("find data.csv first.csv -o first.csv", "--output first.csv: first.csv is"),
        ("find data.csv --save soft.csv", "--save soft.csv: data.csv is read"),
        ("find data.csv -o hard.csv", "--output hard.csv: data.csv is read"),
        ("find data.csv -o new --save ./new", "--output new: --save writes that"),
        ("explain model data.csv -o model", "--output model: model is read"),
        ("explain model data.csv -o data.csv", "--output data.csv: data.csv is read"),
        ("refine model answers.csv data.csv --save data.csv", "--save data.csv: data"),
        ("refine model answers.csv data.csv --save answers.csv", "--save answers.csv:"),
        ("refine data.csv answers.csv data.csv", "MODEL data.csv: data.csv is read"),
        ("find data.csv -o .", "--output .: is a folder"),
        ("find data.csv --save .", "--save .: is a folder"),
        ("find data.csv -o new/", "--output new/: no folder 'new'"),
        ("find data.csv --save -", "--save '-': a result needs the name of a file"),
        ("find data.csv --output=", "--output '': a result needs the name of a file"),
    ],
)
def test_result_that_would_destroy_what_is_read_is_refused_before_the_work(
    folder, model, arguments, said
):
    (folder / "model").write_bytes(Path(model).read_bytes())
    (folder / "answers.csv").write_text("index,label\nr1,1\n")
    (folder / "soft.csv").symlink_to("data.csv")
    (folder / "hard.csv").hardlink_to("data.csv")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    line = failed(*arguments.split())
    assert line.startswith(f"skncae: {said}")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_result_that_may_not_be_written_is_refused_before_the_work(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    line = failed("find", "data.csv", "-o", "out.html")
    assert line.startswith("skncae: --output out.html: may not be written")


@pytest.mark.parametrize(
    "given, said",
    [("< data.csv", "the standard input is read"), ("<&-", "standard input is closed")],
)
def test_standard_input_that_is_the_result_or_closed_is_refused(folder, given, said):
    code = "from skncae._cli import main; main()"
    result = subprocess.run(
        f"{sys.executable} -c '{code}' find - -o data.csv {given}",
        shell=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 2
    assert said in result.stderr and "Traceback" not in result.stderr
    assert pd.read_csv("data.csv").shape == (120, 4)


def test_refine_without_save_writes_in_place_of_the_model(folder, model):
    (folder / "model").write_bytes(Path(model).read_bytes())
    (folder / "answers.csv").write_text("index,label\nr40,-1\n")
    command = ("refine", "model", "answers.csv", "data.csv", "--index=id")
    assert run(*command).exit_code == 0
    assert run(*command, "--save", "model").exit_code == 0
    assert len(NCAEDetector.load("model").lessons_) > 0


@pytest.mark.parametrize("share", ["0", "0.9", "-1", "nan", "some"])
def test_share_that_is_none_is_named_as_the_option(folder, share):
    line = failed("find", "data.csv", "--contamination", share)
    assert line.startswith("skncae: --contamination must be a share in (0, 0.5]")


def test_value_that_the_model_refuses_is_named_by_its_file(folder, model):
    frame = pd.read_csv("data.csv").assign(b="text")
    frame.to_csv("other.csv", index=False)
    line = failed("score", model, "other.csv", "--index", "id")
    assert line.startswith("skncae: other.csv: column 'b' held numbers in fit")
    # Of a model of a typed table.
    frame.to_csv("typed.csv", index=False)
    run("find", "typed.csv", "--index=id", "-q", "--save=typed.skncae")
    frame.assign(b=1.5).to_csv("typed.csv", index=False)
    line = failed("score", "typed.skncae", "typed.csv", "--index", "id")
    assert line.startswith("skncae: typed.csv: Column 'b'")


def test_names_that_several_columns_have_are_told(folder):
    text = (folder / "data.csv").read_text().replace("id,a,b,c", "id,a,b,a")
    (folder / "twins.csv").write_text(text)
    for given in (["twins.csv"], ["-"]):
        result = run("find", *given, "--index=id", "-q", "--drop=a.1", text=text)
        assert result.exit_code == 0
        said = f"{given[0]}, line 1: several columns are named 'a'; the second is 'a.1'"
        assert said in result.stderr
    (folder / "three.csv").write_text("a,a,a.1\n" + "1,2,3\n2,3,5\n" * 9)
    assert "'a'; the second is 'a.2' here" in run("find", "three.csv", "-q").stderr
    table = pa.table([[1.0, 2.0], [3.0, 4.0]], names=["a", "a"])
    pq.write_table(table, "twins.parquet")
    line = failed("find", "twins.parquet")
    assert line == "skncae: twins.parquet: two columns are named 'a'"


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "a,b\n" + "1,k\n" * 40, "a\n1\n1\n"])
def test_rows_that_nothing_speaks_against_are_reported(folder, text):
    (folder / "same.csv").write_text(text)
    for form in ("md", "html", "csv", "json"):
        result = run("find", "same.csv", "-q", "--format", form)
        assert result.exit_code == 0, result.stderr
