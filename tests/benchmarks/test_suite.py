"""The harness: cases are named, run apart, resumed, printed and written."""

import dataclasses
import os
import time

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import reports, suites
from benchmarks.harness import isolation, printing, records, suite
from benchmarks.sets.tables import MissingDataError
from benchmarks.suites import tables


def cases(options):
    for seed in options.seeds:
        for how in options.how:
            yield {"how": how, "seed": seed}


def prepare(case, options):
    if case["how"] == "absent":
        raise MissingDataError("absent.npz is nowhere")
    return {"n": 7}, 10 * case["seed"]


def measure(case, task, options):
    how = case["how"]
    if how == "crash":
        os._exit(3)
    if how == "hang":
        time.sleep(60)
    while how == "work":
        pass
    if how == "refuse":
        raise ValueError("no such rows # please")
    if how == "uninstalled":
        raise ImportError("a package. Run: pip install it")
    print("never seen")
    return {"value": task + options.more, "process": os.getpid()}


def several(case, task, options):
    return [{"part": part, "value": task + i} for i, part in enumerate("abc")]


def add_options(add):
    add("--how", type=str.split, default="fine")
    add("--more", type=int, default=1)


COLUMNS = ("how", "part", "seed", "n", "status", "value", "process", "note")
TINY = suite.Suite(
    name="tiny",
    key=("how", "seed"),
    columns=COLUMNS,
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=lambda frame: f"sum {frame.value.sum():g}",
    add_options=add_options,
    seeds="0-1",
    told=("more",),
)


def test_case_runs_in_a_process_of_its_own_and_prints_nothing(run, capfd):
    frame = run(TINY)
    assert list(frame.value) == [1, 11] and list(frame.n) == [7, 7]
    assert set(frame.status) == {"ok"} and os.getpid() not in set(frame.process)
    assert "never seen" not in capfd.readouterr().out
    assert set(run(TINY, "--here", "--again").process) == {os.getpid()}


def test_file_begins_with_versions_and_what_was_asked_for(run, tmp_path):
    run(TINY, "--more", "5", "--here")
    first, header, *rows = (tmp_path / "out.csv").read_text().splitlines()
    assert first.startswith("# skncae ")
    assert first.endswith("suite tiny | seeds 0,1 | more 5")
    assert header == ",".join(COLUMNS) and len(rows) == 2


def test_cases_that_are_there_are_not_measured_again(run, tmp_path):
    run(TINY, "--here")
    text = (tmp_path / "out.csv").read_text()
    frame = run(TINY, "--here")
    assert (tmp_path / "out.csv").read_text() == text and len(frame) == 2
    frame = run(TINY, "--here", "--how", "fine more", "--seeds", "1-2")
    assert len(frame) == 4 and len((tmp_path / "out.csv").read_text().splitlines()) == 8


def test_last_row_of_a_case_that_was_measured_again_counts(run, tmp_path):
    run(TINY, "--here")
    frame = run(TINY, "--here", "--again", "--more", "3")
    assert list(frame.value) == [3, 13]
    text = (tmp_path / "out.csv").read_text()
    assert len([line for line in text.splitlines() if line[0] != "#"]) == 5


@pytest.mark.parametrize(
    ("how", "status", "note"),
    [
        ("crash", "crash", "exit code 3"),
        ("refuse", "error", "ValueError: no such rows no. please"),
        ("uninstalled", "missing-package", "pip install it"),
        ("absent", "missing-data", "absent.npz is nowhere"),
    ],
)
def test_case_that_fails_is_a_row_and_the_next_one_runs(run, how, status, note):
    frame = run(TINY, "--how", f"{how} fine", "--seeds", "0").set_index("how")
    failed = frame.loc[how]
    assert failed.status == status and note in failed.note and np.isnan(failed.value)
    assert frame.status["fine"] == "ok"


@pytest.mark.parametrize(
    ("how", "limit", "note"),
    [("hang", "0.1", "over 0.5 s"), ("work", "1", "over 1 CPU seconds")],
)
def test_case_that_takes_too_long_is_a_row(run, monkeypatch, how, limit, note):
    if how == "hang":
        monkeypatch.setattr(isolation, "PATIENCE", 5)
    frame = run(TINY, "--how", how, "--seeds", "0", "--time-limit", limit)
    assert list(frame.status) == ["timeout"] and frame.note[0] == note


def test_case_whose_data_were_missing_is_measured_later(run):
    run(TINY, "--here", "--how", "absent refuse", "--seeds", "0")
    frame = run(TINY, "--here", "--how", "absent refuse", "--seeds", "0")
    text = sorted(frame.status)
    assert text == ["error", "missing-data"]
    frame.status = "ok"
    assert records.missing("no such file", [{"how": "absent"}]) == [{"how": "absent"}]


def test_missing_rows_are_asked_for_again_and_errors_are_not(tmp_path):
    path = tmp_path / "out.csv"
    for how, status in (("a", "ok"), ("b", "error"), ("c", "missing-data")):
        records.append(path, {"how": how, "seed": 0, "status": status}, COLUMNS)
    wanted = [{"how": how, "seed": 0} for how in "abcd"]
    assert records.missing(path, wanted) == wanted[2:]


def test_case_may_give_several_rows(run, tmp_path):
    several_rows = suite.Suite(
        name="several",
        key=("how", "part", "seed"),
        columns=COLUMNS,
        cases=cases,
        prepare=prepare,
        measure=several,
        table=str,
        add_options=add_options,
        seeds="0",
    )
    frame = run(several_rows)
    assert list(frame.part) == list("abc") and list(frame.value) == [0, 1, 2]
    text = (tmp_path / "out.csv").read_text()
    run(several_rows)
    assert (tmp_path / "out.csv").read_text() == text


def broken(case, task, options):
    yield {"value": 1}
    raise RuntimeError("after the first row")


def test_generator_that_breaks_is_one_row(run):
    broken_rows = dataclasses.replace(TINY, measure=broken)
    frame = run(broken_rows, "--here", "--seeds", "0")
    assert list(frame.status) == ["error"] and "after the first row" in frame.note[0]


def test_nothing_is_measured_for_a_file_of_other_columns(run, tmp_path):
    measured = []

    def measure(case, task, options):
        measured.append(case)
        return {"value": 1}

    records.append(tmp_path / "out.csv", {"other": 1}, ("other", "how", "seed"))
    with pytest.raises(ValueError, match="Move it away"):
        run(dataclasses.replace(TINY, measure=measure), "--here", "--seeds", "0-99")
    assert measured == []


def test_main_prints_the_table_of_the_cases_that_were_asked_for(tmp_path, capsys):
    output = ["--output", str(tmp_path / "out.csv"), "--here"]
    suite.main(TINY, [*output, "--seeds", "0-9"])
    suite.main(TINY, [*output, "--seeds", "1"])
    assert capsys.readouterr().out.splitlines()[-1] == "sum 11"


def test_rows_of_other_columns_are_not_appended(tmp_path):
    path = tmp_path / "out.csv"
    records.append(path, {"a": 1}, ("a", "b"))
    with pytest.raises(ValueError, match=r"has the columns a, b, .* Move it away"):
        records.append(path, {"c": 1}, ("a", "c"))


def test_rows_are_appended_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("# versions\nb,a\n1,2\n")
    records.append(path, {"a": 4.0, "b": 3}, ("a", "b"))
    frame = records.read(path, ("a",))
    assert frame[["b", "a"]].to_numpy().tolist() == [[1, 2], [3, 4]]
    assert list(frame.status) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("text", "seeds"), [("0", [0]), ("0-2,7", [0, 1, 2, 7]), ("3,1", [3, 1])]
)
def test_seeds_are_numbers_and_spans(text, seeds):
    assert suite.seeds(text) == seeds


def test_unknown_value_of_an_option_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        suite.parse(tables.SUITE, ["--datasets", "cardo"])
    assert "no data set cardo. Did you mean cardio" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        suite.parse(tables.SUITE, ["--detectors", "Nope"])
    assert "no detector 'Nope'. Choose from" in capsys.readouterr().err


# --- the command line ----------------------------------------------------------


def test_every_suite_is_listed_and_named_after_its_file(capsys):
    command.main([])
    out = capsys.readouterr().out
    for name in command.names(suites):
        module = command.importlib.import_module(f"benchmarks.suites.{name}")
        assert module.SUITE.name == name and f"\n  {name} " in out
        assert set(module.SUITE.key) | {"status", "note"} <= set(module.SUITE.columns)
    for name in command.names(reports):
        module = command.importlib.import_module(f"benchmarks.reports.{name}")
        assert callable(module.main) and f"\n  {name} " in out
    assert "_figures" not in command.names(reports)


def test_suite_of_the_command_line_is_run(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "main", lambda chosen, options: print(chosen, options))
    command.main(["categories", "--seeds", "0"])
    out = capsys.readouterr().out
    assert "name='categories'" in out and out.endswith("['--seeds', '0']\n")


def test_unknown_suite_is_refused_with_the_known_ones():
    with pytest.raises(SystemExit, match="no 'odds'. Choose from absurd, .*tables"):
        command.main(["odds"])
    with pytest.raises(SystemExit, match="no 'nope'. .*report tables"):
        command.main(["report", "nope"])


def test_columns_line_up_text_to_the_left_and_numbers_to_the_right():
    rows = [["a", 1.0, 12], ["long", float("nan"), 3]]
    assert printing.columns(["what", "x", "n"], rows).splitlines() == [
        "what  x   n",
        "a     1  12",
        "long      3",
    ]
