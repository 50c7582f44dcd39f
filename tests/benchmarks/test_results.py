"""The committed results are read, resumed and printed by the suites of today."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.harness import records
from benchmarks.harness import suite as harness
from benchmarks.suites import (
    absurd,
    criterion,
    frames,
    images,
    mining,
    missing,
    planted,
    pvalues,
    scale,
    speed,
    tables,
    thresholds,
)

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
OF_SUITES = {
    "odds_contaminated": tables,
    "odds_clean": tables,
    "odds_split": tables,
    "outside_contaminated": tables,
    "loda_contaminated": tables,
    "deep_contaminated": tables,
    "images": images,
    "images_full": images,
    "figure5": mining,
    "figure6": mining,
    "missing": missing,
    "planted": planted,
    "absurd": absurd,
    "criterion": criterion,
    "thresholds": thresholds,
    "pvalues": pvalues,
    "speed": speed,
    "scale": scale,
    "frames": frames,
    "gpu": scale,
}


@pytest.mark.parametrize("name", OF_SUITES)
def test_committed_results_are_read_and_printed(name):
    suite = OF_SUITES[name].SUITE
    frame = records.read(RESULTS / f"{name}.csv", suite.key)
    assert len(frame) and not frame.duplicated(list(suite.key)).any()
    text = suite.table(frame)
    assert text.count("\n") >= 1
    for column in ("dataset", "detector", "rule", "setting", "way", "case"):
        if column in suite.key and f"{column} " in f"{text.splitlines()[0]} ":
            assert all(str(value) in text for value in frame[column].unique())


@pytest.mark.parametrize("name", OF_SUITES)
def test_cases_of_committed_results_are_not_measured_again(name):
    suite, path = OF_SUITES[name].SUITE, RESULTS / f"{name}.csv"
    frame = records.read(path, suite.key)
    kept = frame[~frame.status.isin(records.MISSING)]
    named = kept[list(suite.key)].to_dict("records")
    assert records.missing(path, named) == []
    other = {column: "another" for column in suite.key}
    assert records.missing(path, [*named[:1], other]) == [other]
    assert len(records.of_cases(frame, named[:3])) == 3


def test_committed_fits_are_those_that_the_defaults_of_a_suite_name():
    cases = list(thresholds.cases(harness.parse(thresholds.SUITE, [])))
    frame = records.read(RESULTS / "thresholds.csv", thresholds.SUITE.key)
    known = set(frame[["suite", "dataset", "seed"]].itertuples(index=False, name=None))
    assert known == {tuple(case.values()) for case in cases}


def test_every_committed_result_file_belongs_to_a_suite_or_a_figure():
    others = {"figure1", "figure3", "figure4"}
    found = {path.stem for path in RESULTS.glob("*.csv")}
    unknown = found - set(OF_SUITES) - others
    for stem in unknown:
        frame = pd.read_csv(RESULTS / f"{stem}.csv", comment="#", nrows=1)
        assert "status" in frame, f"{stem}.csv is of no suite"
