"""Frames as they are, with text, dates, categories and missing values."""

import datetime
import pickle
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skncae import Chunks, NCAEDetector
from skncae.pyod import NCAE
from tests.scores import assert_same_scores

FAST = {"n_estimators": 2, "max_iter": 10, "random_state": 0}


def orders(n=400, seed=0):
    """Orders whose carrier follows the country and whose price follows the weight."""
    rng = np.random.default_rng(seed)
    country = rng.choice(["DE", "FR", "IT"], size=n, p=[0.5, 0.3, 0.2])
    carriers = {"DE": "DHL", "FR": "Colissimo", "IT": "BRT"}
    weight = np.round(rng.lognormal(size=n), 3)
    days = rng.integers(0, 900, size=n)
    frame = pd.DataFrame(
        {
            "country": country,
            "carrier": [carriers[name] for name in country],
            "weight": weight,
            "price": np.round(weight * rng.normal(20, 1, size=n), 2),
            "items": rng.integers(1, 9, size=n),
            "ordered": pd.Timestamp("2021-01-01") + pd.to_timedelta(days, unit="D"),
            "express": rng.random(n) < 0.3,
        }
    )
    frame.loc[rng.random(n) < 0.05, ["weight"]] = np.nan
    frame.loc[rng.random(n) < 0.05, ["carrier"]] = None
    return frame


@pytest.fixture(scope="module")
def frame():
    return orders()


@pytest.fixture(scope="module")
def fitted(frame):
    return NCAEDetector(**FAST).fit(frame)


TYPICAL = {
    "country": "DE",
    "carrier": "DHL",
    "weight": 1.0,
    "price": 20.0,
    "items": 3,
    "ordered": pd.Timestamp("2022-01-01"),
    "express": False,
}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price", 200.0),
        ("price", 2.0),
        ("carrier", "BRT"),
        ("carrier", "pigeon"),
        ("country", "DEE"),
        ("ordered", pd.Timestamp("2122-01-01")),
        ("items", 300),
    ],
)
def test_cell_that_does_not_fit_its_row_is_seen_and_named(fitted, column, value):
    rows = pd.DataFrame([TYPICAL, TYPICAL | {column: value}])
    typical, planted = -fitted.score_samples(rows)
    assert planted > np.quantile(-fitted.training_scores_, 0.99) > typical
    explanation = fitted.explain(rows)
    assert explanation.feature_names[explanation.contributions[1].argmax()] == column
    assert explanation.values[1, list(TYPICAL).index(column)] == value


def test_common_category_is_no_evidence_however_many_there_are():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "city": rng.choice([f"city {i}" for i in range(60)], size=1200),
            "sex": rng.choice(["f", "m"], size=1200, p=[0.9, 0.1]),
            "value": rng.normal(size=1200),
        }
    )
    detector = NCAEDetector(**FAST).fit(frame)
    found = detector.explain(frame)
    by_city, by_sex, _ = found.contributions.mean(axis=0)
    assert max(by_city, by_sex) < 0.5 * found.contributions.sum(1).mean()
    worst = np.argsort(detector.training_scores_)[:20]
    assert frame["sex"].iloc[worst].eq("m").mean() < 0.5


def test_columns_say_what_they_were_taken_for(frame):
    told = frame.assign(
        key=[f"k{i}" for i in range(len(frame))],
        note=[f"note {i % 350}" for i in range(len(frame))],
        at=[f"{i % 24:02d}:30" for i in range(len(frame))],
    )
    with pytest.warns(UserWarning, match="Set aside") as caught:
        detector = NCAEDetector(**FAST).fit(told)
    aside = [str(w.message) for w in caught if "Set aside" in str(w.message)]
    assert len(aside) == 1
    assert "'key' (identifier)" in aside[0] and "'note' (free text)" in aside[0]
    assert "categorical_features=['key', 'note']" in aside[0]
    columns = detector.columns_.set_index("name")
    assert columns.index.tolist() == told.columns.tolist()
    assert columns.loc["price", "type"] == "number"
    assert columns.loc["items", "type"] == "whole number"
    assert columns.loc["ordered", "use"].startswith("position in time")
    assert columns.loc["at", "type"] == "time of the day written as text"
    assert columns.loc["express", "type"] == "boolean"
    assert columns.loc["key", "use"] == "set aside"
    assert columns.loc["country", "n_values"] == 3
    assert columns.loc["weight", "missing"] == frame["weight"].isna().mean()


def test_text_that_is_set_aside_can_be_forced_in(frame):
    told = frame.assign(note=[f"note {i % 350}" for i in range(len(frame))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_name = NCAEDetector(categorical_features=["note"], **FAST).fit(told)
        by_index = NCAEDetector(categorical_features=[7], **FAST).fit(told)
        mask = [name == "note" for name in told]
        by_mask = NCAEDetector(categorical_features=mask, **FAST).fit(told)
    assert by_name.columns_["use"].tolist()[-1] == "category"
    for other in (by_index, by_mask):
        assert np.array_equal(other.training_scores_, by_name.training_scores_)


def test_integer_codes_are_numbers_unless_said_otherwise(frame):
    numbers = NCAEDetector(**FAST).fit(frame)
    codes = NCAEDetector(categorical_features=["items"], **FAST).fit(frame)
    assert numbers.columns_.set_index("name").loc["items", "use"] == "number"
    assert codes.columns_.set_index("name").loc["items", "use"] == "category"
    expected = codes.reconstruct(frame)["items"]
    assert set(expected) <= set(frame["items"])


def test_array_of_numbers_with_codes():
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 4, size=300), rng.normal(size=(300, 2))]
    X[:, 1] += 10 * X[:, 0]
    detector = NCAEDetector(categorical_features=[0], **FAST).fit(X)
    good, bad = -detector.score_samples([[1, 10, 0], [1, 30, 0]])
    assert bad > good
    assert not hasattr(detector, "feature_names_in_")


@pytest.mark.parametrize(
    "values", ["x", pd.Timestamp("2020-01-02"), pd.Timedelta(hours=1)]
)
def test_column_of_a_frame_of_numbers_that_changed_is_named(values):
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)))
    numbers.columns = list("abc")
    detector = NCAEDetector(**FAST).fit(numbers)
    with pytest.raises(ValueError, match="column 'b' held numbers in fit"):
        detector.score_samples(numbers.assign(b=values))


@pytest.mark.parametrize("named", ["size", 9, -8.5])
def test_category_that_is_no_column_is_named(frame, named):
    with pytest.raises(ValueError, match="categorical_features names"):
        NCAEDetector(categorical_features=[named], **FAST).fit(frame)


def test_lost_new_and_changed_columns_are_named(frame, fitted):
    with pytest.raises(ValueError, match="lacks column 'price'"):
        fitted.score_samples(frame.drop(columns="price"))
    with pytest.raises(ValueError, match="has the new column 'extra'"):
        fitted.score_samples(frame.assign(extra=1))
    with pytest.raises(ValueError, match="'ordered' held dates in fit"):
        fitted.score_samples(frame.assign(ordered="yesterday"))
    with pytest.raises(ValueError, match="'price' held numbers in fit"):
        fitted.score_samples(frame.assign(price=frame["price"].astype(str)))
    with pytest.raises(TypeError, match="fitted on a frame with the columns 'country'"):
        fitted.score_samples(np.zeros((3, 7)))


def test_order_of_the_columns_does_not_matter(frame, fitted):
    turned = frame[frame.columns[::-1]]
    assert np.array_equal(fitted.score_samples(turned), fitted.training_scores_)


def test_expected_values_are_possible_and_of_the_users_types(frame, fitted):
    expected = fitted.reconstruct(frame)
    assert list(expected) == list(frame) and expected.index.equals(frame.index)
    for name in ("weight", "price", "items", "ordered"):
        assert expected[name].min() >= frame[name].min()
        assert expected[name].max() <= frame[name].max()
    assert (expected["items"] == expected["items"].round()).all()
    assert expected["ordered"].dt.normalize().equals(expected["ordered"])
    assert set(expected["carrier"]) <= set(frame["carrier"].dropna())
    assert set(expected["express"]) <= {True, False}


def test_contributions_sum_to_the_errors_and_missing_entries_have_none(frame, fitted):
    explanation = fitted.explain(frame)
    np.testing.assert_allclose(
        explanation.contributions.sum(axis=1), -fitted.score_samples(frame)
    )
    assert (explanation.contributions[frame.isna().to_numpy()] == 0).all()
    top = explanation.cells(k=2)
    assert list(top["row"].iloc[:2]) == [frame.index[0]] * 2


def test_score_of_a_row_does_not_depend_on_its_neighbours(frame, fitted):
    alone = [fitted.score_samples(frame.iloc[[i]])[0] for i in range(5)]
    assert_same_scores(alone, fitted.score_samples(frame)[:5])


def test_libraries_agree(frame):
    plain = frame.drop(columns="express")
    with_pandas = NCAEDetector(**FAST).fit(plain)
    other = {
        "polars": pl.from_pandas(plain),
        "pyarrow": pa.Table.from_pandas(plain, preserve_index=False),
    }
    for name, table in other.items():
        detector = NCAEDetector(**FAST).fit(table)
        assert np.array_equal(
            detector.training_scores_, with_pandas.training_scores_
        ), name
        assert np.array_equal(
            with_pandas.score_samples(table), with_pandas.training_scores_
        )
        expected = detector.reconstruct(table)
        assert type(expected) is type(table)
        values = detector.explain(table).expected
        assert values[0, 1] == with_pandas.explain(plain).expected[0, 1]


def test_types_of_all_kinds():
    n = 120
    rng = np.random.default_rng(0)
    moments = pd.Timestamp("2020-03-01", tz="Europe/Berlin") + pd.to_timedelta(
        rng.integers(0, 10**7, n), unit="s"
    )
    frame = pd.DataFrame(
        {
            "zoned": moments,
            "took": pd.to_timedelta(rng.integers(0, 10**5, n), unit="s"),
            "clock": [datetime.time(int(h), 15) for h in rng.integers(0, 24, n)],
            "day": [datetime.date(2020, 1, int(d)) for d in rng.integers(1, 29, n)],
            "price": [Decimal(int(c)) / 100 for c in rng.integers(100, 9999, n)],
            "count": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "flag": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "grade": pd.Categorical(rng.choice([1, 2, 3], n)),
            "month": pd.PeriodIndex(["2020-01", "2020-02"] * (n // 2), freq="M"),
            "mixed": rng.choice(np.array([1, "one", 2.5], dtype=object), n),
        }
    )
    for column in frame:
        frame[column] = frame[column].where(rng.random(n) > 0.1)
    frame["flag"] = frame["flag"].astype("boolean")
    detector = NCAEDetector(**FAST).fit(frame)
    expected = detector.reconstruct(frame)
    assert expected["zoned"].dt.tz is not None
    assert isinstance(expected["clock"].iloc[0], datetime.time)
    assert isinstance(expected["took"].iloc[0], datetime.timedelta)
    assert set(expected["grade"]) <= {1, 2, 3}
    assert set(expected["mixed"]) <= {"1", "one", "2.5"}
    assert np.isfinite(detector.training_scores_).all()
    explanation = detector.explain(frame)
    assert explanation.residual.shape == frame.shape
    assert explanation.top(n).why.str.len().min() > 0


def test_numeric_frame_with_missing_entries_simply_works():
    X = np.random.default_rng(0).normal(size=(200, 3))
    X[::7, 1] = np.nan
    frame = pd.DataFrame(X, columns=list("abc"))
    by_default = NCAEDetector(**FAST).fit(frame)
    said = NCAEDetector(allow_nan=True, **FAST).fit(X)
    assert np.array_equal(by_default.training_scores_, said.training_scores_)
    with pytest.raises(ValueError, match="contains NaN"):
        NCAEDetector(**FAST).fit(X)
    with pytest.raises(ValueError, match="contains NaN"):
        NCAEDetector(allow_nan=False, **FAST).fit(frame)
    with pytest.raises(AttributeError, match="numbers alone"):
        by_default.columns_  # noqa: B018


def test_missing_entries_of_a_typed_frame_can_be_refused(frame):
    with pytest.raises(ValueError, match="column 'carrier' has missing entries"):
        NCAEDetector(allow_nan=False, **FAST).fit(frame)


@pytest.mark.parametrize(
    "X", [np.array([["a", "b"], ["c", "d"]], dtype=object), [["a"], ["b"]]]
)
def test_text_in_an_array_is_refused_and_a_frame_asked_for(X):
    with pytest.raises(ValueError, match="could not convert") as caught:
        NCAEDetector(**FAST).fit(X)
    assert "DataFrame of pandas" in caught.value.__notes__[0]


def test_frame_of_identifiers_alone_is_refused_with_a_remedy():
    frame = pd.DataFrame({"key": [f"k{i}" for i in range(50)]})
    with pytest.raises(ValueError, match="'key' .identifier.*categorical_features"):
        NCAEDetector(**FAST).fit(frame)


@pytest.mark.parametrize("names", [["a", "a"], [1, 1], ["1", 1]])
def test_names_of_numbers_that_occur_twice_are_refused_before_training(names):
    rows = np.random.default_rng(0).normal(size=(40, 2))
    detector, frame = NCAEDetector(**FAST), pd.DataFrame(rows, columns=names)
    said = rf"more than one column named '{names[0]}'\. Rename them"
    for fit in (detector.fit, detector.partial_fit, NCAE(**FAST).fit):
        with pytest.raises(ValueError, match=said):
            fit(frame)
    with pytest.raises(ValueError, match=said):
        detector.fit(Chunks([frame]))
    assert not hasattr(detector, "n_features_in_")
    with pytest.raises(ValueError, match=said):
        detector.fit(rows).score_samples(frame)


def test_names_that_occur_twice_are_refused(frame):
    twice = pd.concat([frame, frame[["country"]]], axis=1)
    with pytest.raises(ValueError, match="more than one column named 'country'"):
        NCAEDetector(**FAST).fit(twice)


def test_refused_fit_leaves_the_detector_as_it_was(frame, fitted):
    detector = pickle.loads(pickle.dumps(fitted))
    with pytest.raises(ValueError):
        detector.fit(pd.DataFrame({"key": [f"k{i}" for i in range(50)]}))
    assert np.array_equal(detector.score_samples(frame), fitted.training_scores_)


def test_repeated_identifier_is_evidence(frame):
    keys = [f"k{i}" for i in range(len(frame))]
    keys[7] = keys[3]
    with pytest.warns(UserWarning, match="only whether it repeats"):
        detector = NCAEDetector(**FAST).fit(frame.assign(key=keys))
    explanation = detector.explain(frame.assign(key=keys))
    assert set(np.flatnonzero(explanation.contributions[:, -1] > 0.1)) == {3, 7}
    said = "key = k3 occurs more than once, unlike nearly all others"
    assert said in explanation.sentence(7)
    (note,) = detector.report(frame.assign(key=keys), n=1).content["columns"][:1]
    assert note["text"] == "identifier, only whether it repeats"


def test_fitted_detector_goes_everywhere(frame, fitted, tmp_path):
    scores = fitted.score_samples(frame)
    fitted.save(tmp_path / "detector.safetensors")
    loaded = NCAEDetector.load(tmp_path / "detector.safetensors")
    for other in (loaded, pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(other.score_samples(frame), scores)
        assert other.columns_.equals(fitted.columns_)
        assert other.reconstruct(frame).equals(fitted.reconstruct(frame))
    assert fitted.encode(frame).shape == (2, len(frame), 3)
    generated = fitted.generate(5, random_state=0)
    assert generated.shape == (5, frame.shape[1])
    assert set(generated[:, 0]) <= {"DE", "FR", "IT"}
    with pytest.raises(ValueError, match="'country' .category."):
        fitted.to_onnx(tmp_path / "detector.onnx")


def test_skops_needs_no_type_that_is_not_importable(frame, fitted):
    skops = pytest.importorskip("skops.io")
    content = skops.dumps(fitted)
    trusted = skops.get_untrusted_types(data=content)
    assert all(name.startswith("skncae.") for name in trusted), trusted
    loaded = skops.loads(content, trusted=trusted)
    assert np.array_equal(loaded.score_samples(frame), fitted.training_scores_)


def test_pipelines_and_searches(frame):
    detector = clone(NCAEDetector(categorical_features=["items"], **FAST))
    pipeline = make_pipeline(detector).fit(frame)
    assert pipeline.predict(frame).shape == (len(frame),)
    search = GridSearchCV(
        detector,
        {"contamination": [0.05, 0.1]},
        scoring=lambda estimator, X, y=None: estimator.score_samples(X).mean(),
        cv=2,
    )
    search.fit(frame)
    assert search.best_estimator_.columns_.shape == (7, 6)


def test_partial_fit_sees_categories_that_come_later(frame, tmp_path):
    ordered = frame.sort_values("country")
    detector = NCAEDetector(**FAST)
    for start in range(0, len(ordered), 100):
        detector.partial_fit(ordered.iloc[start : start + 100])
        detector.save(tmp_path / "detector.safetensors")
        detector = NCAEDetector.load(tmp_path / "detector.safetensors")
    assert detector.n_samples_seen_ == len(frame)
    whole = NCAEDetector(**FAST).fit(ordered)
    assert np.array_equal(detector.training_scores_, whole.training_scores_)


@pytest.mark.parametrize("make", [lambda f: f, pl.from_pandas])
def test_chunks_of_frames(frame, make):
    parts = [make(frame.iloc[start : start + 100]) for start in range(0, 400, 100)]
    detector = NCAEDetector(**FAST).fit(Chunks(lambda: iter(parts)))
    whole = NCAEDetector(**FAST).fit(frame)
    assert_same_scores(detector.training_scores_, whole.training_scores_)
    assert_same_scores(
        detector.score_samples(Chunks(parts)), whole.score_samples(frame)
    )


def test_chunks_of_a_parquet_dataset(frame, tmp_path):
    import pyarrow.dataset as ds

    frame.iloc[:200].to_parquet(tmp_path / "a.parquet")
    frame.iloc[200:].to_parquet(tmp_path / "b.parquet")
    chunks = Chunks(ds.dataset(tmp_path), chunk_rows=80)
    detector = NCAEDetector(**FAST).fit(chunks)
    assert detector.columns_.shape == (7, 6)
    assert detector.score_samples(chunks).shape == (400,)


def test_face_of_pyod(frame):
    detector = NCAE(**FAST).fit(frame)
    assert detector.labels_.sum() == 40
    assert np.array_equal(detector.decision_function(frame), detector.decision_scores_)


def test_warm_start_keeps_the_layout(frame):
    detector = NCAEDetector(warm_start=True, **FAST).fit(frame)
    before = detector.columns_
    detector.fit(frame.iloc[:300])
    assert detector.columns_.equals(before)


def test_rows_of_a_frame_are_needed(frame):
    with pytest.raises(ValueError, match="0 sample"):
        NCAEDetector(**FAST).fit(frame.iloc[:0])
    NCAEDetector(**FAST).fit(frame.iloc[:3])


def test_displays_take_typed_frames(frame, fitted):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot

    from skncae import plotting

    for name in plotting.__all__:
        display = getattr(plotting, name)
        takes_none = name in ("TrainingHistoryDisplay", "WeightsDisplay")
        rows = [] if takes_none else [frame]
        display.from_estimator(fitted, *rows)
        pyplot.close("all")


N = 120
ENDS = [
    {0: datetime.date(9999, 12, 31), 1: datetime.date(1, 1, 1)}.get(
        day % 8, datetime.date(2024, 1, 1) + datetime.timedelta(day)
    )
    for day in range(N)
]
SECONDS = pd.Series(np.array(ENDS, dtype="datetime64[D]").astype("datetime64[s]"))
DAYS_WITHOUT_END = {
    "date": ENDS,
    "numpy": SECONDS,
    "text": [day.isoformat() for day in ENDS],
    "utc": SECONDS.dt.tz_localize("UTC"),
    "new york": SECONDS.dt.tz_localize("UTC").dt.tz_convert("America/New_York"),
}


@pytest.fixture(scope="module")
def stays():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"cost": rng.lognormal(size=N), "city": rng.choice(["Ulm", "Bonn"], N)}
    )


LIBRARIES = [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas]


# The year 0 of New York cannot be read from the other libraries.
@pytest.mark.parametrize(
    ("library", "kind"),
    [
        pytest.param(
            *(pd.DataFrame, "new york"),
            # Before, pandas itself cannot write such a day.
            marks=pytest.mark.skipif(pd.__version__ < "3", reason="needs pandas 3"),
        )
    ]
    + [
        (lib, kind)
        for lib in LIBRARIES
        for kind in DAYS_WITHOUT_END
        if kind != "new york"
    ],
)
def test_first_and_last_day_of_the_calendar_are_explained(kind, library, stays):
    frame = stays.assign(end=DAYS_WITHOUT_END[kind])
    table = library(frame)
    detector = NCAEDetector(**FAST).fit(table)
    whys = detector.explain(table).top(N).why.tolist()
    assert any(why.startswith("end = 9999-12-3") for why in whys)
    assert len(detector.report(table, n=3).to_frame()) == 3


@pytest.mark.parametrize(
    "later",
    [
        lambda days: days.dt.tz_localize("UTC"),
        lambda days: days.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
        lambda days: days.dt.date,
        lambda days: days.astype(str),
        lambda days: days.astype("datetime64[ns]").astype("datetime64[ms]"),
    ],
)
def test_dates_of_another_type_are_explained_as_those_of_fit(later, stays):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N) * 7, unit="D")
    frame = stays.assign(day=days)
    frame.loc[3, "day"] = pd.Timestamp("1924-01-01")
    detector = NCAEDetector(**FAST).fit(frame)
    same = frame.assign(day=later(frame["day"]))
    whys = detector.explain(frame).top(N).why
    assert detector.explain(same).top(N).why.tolist() == whys.tolist()
    assert whys[3].startswith("day = 1924-01-01")


def test_values_of_another_type_are_explained_as_the_categories_that_they_are(stays):
    frame = stays.assign(
        tags=[[1, row % 3] for row in range(N)],
        paid=[row % 3 > 0 for row in range(N)],
        flat=np.array([1, 2, "4a"] * (N // 3), dtype=object),
    )
    detector = NCAEDetector(categorical_features=["tags"], **FAST).fit(frame)
    same = frame.assign(paid=frame["paid"].astype(int))
    whys = detector.explain(frame).top(N).why.tolist()
    assert detector.explain(same).top(N).why.tolist() == whys
    # Numbers in a column of text are no rare values.
    assert not any("none of the rows" in why for why in whys)


@pytest.mark.parametrize(
    "names",
    [
        [("a", 1), ("a", 2)],
        [("a", 1.5), ("b", pd.Timestamp("2024-01-01"))],
        [1, "b"],
        [pd.Timestamp("2024-01-01"), 2.5],
        [2023, 2024],
        pd.period_range("2023", periods=2, freq="Y"),
        pd.interval_range(0, 2),
    ],
)
def test_names_of_columns_may_be_of_any_type(names, stays):
    frame = stays.set_axis(pd.Index(names), axis=1)
    detector = NCAEDetector(**FAST).fit(frame)
    assert detector.columns_["name"].tolist() == [str(name) for name in frame.columns]
    assert np.array_equal(detector.score_samples(frame), detector.training_scores_)
    worst = detector.explain(frame).top(3).index.tolist()
    assert detector.report(frame, n=3).to_frame().index.tolist() == worst


@pytest.mark.parametrize("lengths", [(0, 1, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1)])
def test_column_of_arrays_of_any_length_is_set_aside(lengths, stays):
    tags = [[float("nan"), 1.0][: lengths[row % 3]] for row in range(N)]
    table = pa.Table.from_pandas(stays).append_column("tags", pa.array(tags))
    made = table.to_pandas()
    assert isinstance(made["tags"][0], np.ndarray)
    whys = []
    for frame in (made, table, pl.from_arrow(table)):
        with pytest.warns(UserWarning, match=r"'tags' \(values of other types\)"):
            detector = NCAEDetector(**FAST).fit(frame)
        assert detector.columns_["missing"].iloc[-1] == 0.0
        whys.append(detector.explain(frame).top(5).why.tolist())
        rows = detector.report(frame, n=2).rows
        assert "missing" not in {value for row in rows for _, value, *_ in row["cells"]}
    assert whys[0] == whys[1] == whys[2]


@pytest.mark.parametrize(
    ("make", "give"),
    [
        (lambda frame: pl.from_pandas(frame).lazy(), r"Give X\.collect"),
        (pa.RecordBatch.from_pandas, r"Give pyarrow\.Table\.from_batches"),
        (lambda frame: frame["city"], r"Give X\.to_frame"),
        (lambda frame: pl.from_pandas(frame)["city"], r"Give X\.to_frame"),
        (lambda frame: frame.to_dict("records"), r"Give pandas\.DataFrame"),
    ],
)
def test_what_is_nearly_a_frame_is_refused_with_the_way_to_one(make, give, stays):
    with pytest.raises(TypeError, match=give):
        NCAEDetector(**FAST).fit(make(stays))
    detector = NCAEDetector(**FAST).fit(stays)
    with pytest.raises(TypeError, match=give.replace("Give", "Give it .*these:")):
        detector.predict(make(stays))


@pytest.mark.parametrize("empty", [pd.DataFrame(), pl.DataFrame(), pa.table({})])
def test_frame_without_columns_is_refused(empty):
    with pytest.raises(ValueError, match="0 feature.*Give a frame with rows and col"):
        NCAEDetector(**FAST).fit(empty)


@pytest.mark.parametrize("others", [{}, {"city": "Ulm"}])
def test_number_that_no_float_holds_is_refused_by_its_column(others):
    huge = pd.Series([10**400, *range(29)], dtype=object)
    frame = pd.DataFrame({"n": huge, "w": 1.5, **others})
    with pytest.raises(ValueError, match="olumn 'n'"):
        NCAEDetector(**FAST).fit(frame)


@pytest.mark.parametrize("days", [pa.date32(), pa.date64()])
def test_days_of_pyarrow_in_a_frame_of_pandas_may_be_missing(days, stays):
    values = [None, *ENDS[2:8]] * 20
    typed = pd.Series(values[:N], dtype=pd.ArrowDtype(days))
    detector = NCAEDetector(**FAST).fit(stays.assign(day=typed))
    plain = NCAEDetector(**FAST).fit(stays.assign(day=values[:N]))
    assert np.array_equal(detector.training_scores_, plain.training_scores_)
    assert detector.reconstruct(stays.assign(day=typed))["day"][1] in ENDS


LARGE = 10**18 + np.random.default_rng(0).permutation(N)
LARGE[5] = LARGE[6]
SMALL_DTYPES = ["int64", "uint64", "Int64", "int64[pyarrow]", object]


@pytest.mark.parametrize("dtype", [*SMALL_DTYPES, "decimal", "polars", "arrow"])
def test_identifiers_that_no_float_tells_apart_are_judged_by_their_digits(dtype, stays):
    keys = pd.Series(LARGE)
    if dtype == "decimal":
        keys = keys.astype(object).map(Decimal)
    elif dtype in SMALL_DTYPES:
        keys = keys.astype(dtype)
    frame = stays.assign(key=keys)
    makes = {"polars": pl.from_pandas, "arrow": pa.Table.from_pandas}
    table = makes.get(dtype, pd.DataFrame)(frame)
    with pytest.warns(UserWarning, match=r"'key' \(identifier, only whether it"):
        detector = NCAEDetector(**FAST).fit(table)
    assert detector.columns_["n_values"].tolist()[-1] == N - 1
    contributions = detector.explain(table).contributions[:, -1]
    assert set(np.flatnonzero(contributions > 0.1)) == {5, 6}


def test_identifiers_that_no_float_tells_apart_may_come_in_pieces(stays, tmp_path):
    frame = stays.assign(key=LARGE)
    detector = NCAEDetector(**FAST)
    for start in range(0, N, 40):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            detector.partial_fit(frame.iloc[start : start + 40])
        detector.save(tmp_path / "detector.skncae")
        detector = NCAEDetector.load(tmp_path / "detector.skncae")
    with pytest.warns(UserWarning, match="'key'"):
        whole = NCAEDetector(**FAST).fit(frame)
    assert detector.columns_.equals(whole.columns_)
    assert np.array_equal(detector.training_scores_, whole.training_scores_)


def test_large_number_among_others_stays_a_number(stays):
    counts = np.random.default_rng(0).integers(0, 50, N)
    counts[3] = 10**18
    frame = stays.assign(count=counts)
    detector = NCAEDetector(**FAST).fit(frame)
    assert detector.columns_["use"].tolist()[-1] == "number"
    assert detector.explain(frame).top(1).index.tolist() == [3]
