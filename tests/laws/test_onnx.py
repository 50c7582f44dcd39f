"""The exported model equals the detector, on every table that fits."""

import warnings

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from skncae import NCAEDetector
from skncae.evidence._kinds import TABLE_EVIDENCE
from skncae.scaling._calibration import IMAGE_VIEWS, VIEWS

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(200, 3))


def with_column(column):
    return np.column_stack([ROWS, column])


TABLES = {
    "digits, of which three columns are zero": load_digits().data[:600],
    "a column of zeros": with_column(np.zeros(200)),
    "a constant": with_column(np.full(200, 7.0)),
    "a constant of many digits": with_column(np.full(200, 0.7)),
    "a huge constant": with_column(np.full(200, 1e20)),
    "nothing but constants": np.full((60, 2), 0.7),
    "nothing but zeros": np.zeros((60, 2)),
    "rows that tie": np.r_[np.zeros((190, 3)), ROWS[:10]],
    "few values": RNG.integers(0, 3, size=(300, 4)).astype(float),
    "counts": RNG.poisson(0.3, size=(300, 3)).astype(float),
    "values that are all but equal": RNG.beta(0.1, 5, size=(200, 3)),
    "one absurd value": with_column(np.r_[1e6, ROWS[1:, 0]]),
    "times in nanoseconds": with_column(1.7e18 + RNG.uniform(0, 1e6, size=200)),
    "tiny values": with_column(np.exp(-600 - RNG.random(200))),
    "nothing but tiny values": np.exp(-600 - RNG.random((60, 1))),
    "nothing but subnormal values": 1e-315 * RNG.normal(size=(60, 1)),
    "more columns than rows": RNG.normal(size=(60, 150)),
    "many columns": RNG.normal(size=(300, 130)),
    "one column": ROWS[:, :1],
    "two rows": ROWS[:2],
}


def new_rows(X):
    """The rows themselves, some beside them, and some far away."""
    rng = np.random.default_rng(1)
    spread = X.std(0) + 1e-3 * np.abs(X).max(0)
    beside = X + 1e-3 * spread * rng.normal(size=X.shape)
    away = X.mean(0) + 5 * spread * rng.normal(size=X.shape)
    return np.concatenate([X, beside, away])


def assert_equal_to_its_model(detector, rows, path, atol=1e-6):
    detector.to_onnx(path)
    session = onnxruntime.InferenceSession(path)
    scores, decision, label = session.run(None, {"X": rows})
    expected = detector.score_samples(rows)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=atol)
    np.testing.assert_allclose(
        decision, detector.decision_function(rows), rtol=1e-6, atol=atol
    )
    np.testing.assert_array_equal(label, detector.predict(rows))


def fitted_on(X, **parameters):
    small = {"n_estimators": 2, "max_iter": 5, "random_state": 0}
    with warnings.catch_warnings():
        # Of rows that all have one score, for one.
        warnings.simplefilter("ignore")
        return NCAEDetector(**small | parameters).fit(X)


@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_model_equals_the_detector(X, tmp_path):
    detector = fitted_on(X)
    assert_equal_to_its_model(detector, new_rows(X), tmp_path / "detector.onnx")


def test_model_equals_the_detector_where_the_threshold_is_no_error(tmp_path):
    X = ROWS[:6]
    with pytest.warns(UserWarning, match="All training rows|contamination=0.1"):
        detector = NCAEDetector(
            evidence="neighbors", n_estimators=1, max_iter=1, random_state=0
        ).fit(X)
    assert detector.threshold_ == 0
    assert_equal_to_its_model(detector, new_rows(X), tmp_path / "detector.onnx")


def test_model_equals_the_detector_of_the_largest_of_all(tmp_path):
    largest = np.finfo(np.float64).max
    column = np.where(np.arange(200) % 3 > 0, largest, 0.0)
    X = np.c_[ROWS, column, np.full(200, -largest)]
    assert_equal_to_its_model(fitted_on(X), np.r_[X, -X], tmp_path / "detector.onnx")


OTHER_SCALINGS = sorted({*VIEWS, *IMAGE_VIEWS} - {"whitened"})


@pytest.mark.parametrize("scaling", OTHER_SCALINGS)
@pytest.mark.parametrize("name", ["a column of zeros", "rows that tie", "few values"])
def test_model_equals_the_detector_of_other_scalings(name, scaling, tmp_path):
    X = TABLES[name]
    detector = fitted_on(X, scaling=scaling)
    assert_equal_to_its_model(detector, new_rows(X), tmp_path / "detector.onnx")


@pytest.mark.parametrize("scaling", [*VIEWS, *IMAGE_VIEWS])
@pytest.mark.parametrize("evidence", [*TABLE_EVIDENCE, TABLE_EVIDENCE], ids=str)
def test_model_equals_the_detector_of_each_evidence(scaling, evidence, tmp_path):
    X = np.r_[np.random.default_rng(2).normal(size=(100, 6)), np.full((1, 6), 0.7)]
    detector = fitted_on(X, scaling=scaling, evidence=evidence)
    rows = np.r_[new_rows(X), 1e20 * X[:9], 1e300 * X[:9]]
    assert_equal_to_its_model(detector, rows, tmp_path / "detector.onnx")


CELLS = st.sampled_from([0.0, 1.0, -1.0, 0.7, 1e-9, 1e3, -9999.0, 1e6, 1 / 3])


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_model_equals_the_detector_on_dirty_tables(data, tmp_path):
    n_rows, n_columns = data.draw(st.integers(5, 60)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    X = rng.normal(size=(n_rows, n_columns))
    share = data.draw(st.sampled_from([0.0, 0.1, 0.6, 1.0]))
    cells = np.array(data.draw(st.lists(CELLS, min_size=1, max_size=4)))
    X = np.where(rng.random(X.shape) < share, rng.choice(cells, X.shape), X)
    detector = fitted_on(X, n_estimators=1, max_iter=2)
    # Of rows that all but tie a tail probability is steep: it hangs on more digits.
    path = tmp_path / "detector.onnx"
    assert_equal_to_its_model(detector, new_rows(X), path, atol=1e-4)
