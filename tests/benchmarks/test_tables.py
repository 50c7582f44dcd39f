"""The suite of tables, on a tiny one."""

import numpy as np
import pytest

from benchmarks.harness import suite
from benchmarks.suites import tables


def run_tiny(run, *arguments, names="SquaredZ"):
    arguments = ["--datasets", "tiny", "--detectors", names, *arguments]
    return run(tables.SUITE, *arguments)


def test_run_writes_a_row_per_detector_and_seed(tiny, run):
    names = "own_detectors:Distance,SquaredZ"
    frame = run_tiny(run, "--seeds", "0-2", "--jobs", "2", names=names)
    assert len(frame) == 6 and set(frame.status) == {"ok"}
    assert (frame.auroc == 1).all() and (frame.ap == 1).all()
    assert (frame.fit_s >= 0).all() and (frame.n == 50).all()
    assert "SquaredZ                100.0 ± 0.0" in tables.table(frame)


def test_deterministic_detector_runs_once_for_rows_that_do_not_depend_on_the_seed(
    tiny, run
):
    frame = run_tiny(run, "--seeds", "0,1")
    assert frame.note[1] == "deterministic: as seed 0"
    assert frame.fit_s[0] == frame.fit_s[1] and list(frame.seed) == [0, 1]
    frame = run_tiny(run, "--seeds", "0,1", "--protocol", "split")
    assert frame.note.isna().all()


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("six", "odds_clean"),
        ("development", "oddbench_clean"),
        ("cardio,ALOI", "tables_clean"),
    ],
)
def test_result_file_is_named_after_the_sets_and_the_protocol(choice, name):
    arguments = ["--protocol", "clean", "--datasets", choice]
    options = suite.parse(tables.SUITE, arguments)
    assert options.output == f"benchmarks/results/{name}.csv"
    assert options.seeds == [0, 1, 2, 3, 4]


def test_missing_package_says_what_to_install(tiny, run):
    frame = run_tiny(run, "--seeds", "0", names="own_detectors:Uninstalled")
    assert frame.status[0] == "missing-package" and np.isnan(frame.auroc[0])
    assert "pip install own_detectors" in frame.note[0]
