"""A parameter means what it says, whatever type its number has."""

import copy
from fractions import Fraction

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skncae import Chunks, NCAEDetector
from skncae.metrics import precision_at_n_score
from skncae.plotting import (
    FeatureContributionDisplay,
    LatentSpaceDisplay,
    ReconstructionDisplay,
)

INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint64]
FLOATS = [np.float16, np.float32, np.float64, np.longdouble]


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(600, 3))


@pytest.fixture(scope="module")
def fitted(rows):
    return NCAEDetector(n_estimators=2, max_iter=3, random_state=0).fit(rows)


def scores_of(rows, **parameters):
    small = {"n_estimators": 2, "max_iter": 3, "random_state": 0}
    return NCAEDetector(**small | parameters).fit(rows).training_scores_


@pytest.mark.parametrize("kind", INTEGERS)
def test_an_integer_of_any_width_is_that_number(rows, kind):
    numbers = {
        "n_estimators": 3,
        "latent_dim": 2,
        "calibration_rounds": 2,
        "dictionary_size": 100,
        "max_iter": 4,
        "batch_size": 120,
        "decay_steps": 2,
        "random_state": 100,
        "verbose": 0,
    }
    narrow = {name: kind(number) for name, number in numbers.items()}
    narrow["hidden_units"] = (kind(100), kind(7))
    expected = scores_of(rows, **numbers, hidden_units=(100, 7))
    np.testing.assert_array_equal(scores_of(rows, **narrow), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_a_small_integer_does_not_overflow_in_a_large_batch(rows, kind):
    expected = scores_of(rows, batch_size=200)
    np.testing.assert_array_equal(scores_of(rows, batch_size=kind(200)), expected)


def drawn_bars(fitted, rows, n):
    display = FeatureContributionDisplay.from_estimator(fitted, rows[:9], k=n)
    plt.close("all")
    return [bar.get_width() for bar in display.bars_[0]]


# What each returns of a fitted detector and rows, with a number of things.
COUNTED = {
    "generate": lambda f, X, n: f.generate(n, random_state=0),
    "next_to_review": lambda f, X, n: f.next_to_review(X, n),
    "report": lambda f, X, n: [row["label"] for row in f.report(X, n=n).rows],
    "cells": lambda f, X, n: f.explain(X).cells(n)["feature"].tolist(),
    "top": lambda f, X, n: f.explain(X).top(n).index.tolist(),
    "display": drawn_bars,
    "precision_at_n": lambda f, X, n: precision_at_n_score(X[:, 0] > 0, X[:, 1], n=n),
}


@pytest.mark.parametrize("number", [np.uint8(3), np.uint8(255), np.int8(127)], ids=repr)
@pytest.mark.parametrize("door", COUNTED)
def test_a_number_of_things_does_not_overflow(fitted, rows, door, number):
    expected = COUNTED[door](fitted, rows, int(number))
    np.testing.assert_array_equal(COUNTED[door](fitted, rows, number), expected)


@pytest.mark.parametrize("number", [True, np.True_, 1.0, "3"], ids=repr)
@pytest.mark.parametrize("door", COUNTED)
def test_a_number_of_things_is_no_truth_and_no_text(fitted, rows, door, number):
    with pytest.raises(TypeError, match=r"^[nk](_\w+)? must be"):
        COUNTED[door](fitted, rows, number)


@pytest.mark.parametrize("kind", FLOATS)
def test_a_float_of_any_width_is_the_number_that_is_written_the_same(rows, kind):
    numbers = {
        "contamination": 0.1,
        "mining_rate": 0.3,
        "generation_scale": 0.7,
        "learning_rate": 0.01,
        "tol": 0.001,
    }
    narrow = {name: kind(str(number)) for name, number in numbers.items()}
    small = {"n_estimators": 2, "max_iter": 3, "random_state": 0}
    one, other = (NCAEDetector(**small | p).fit(rows) for p in (numbers, narrow))
    np.testing.assert_array_equal(one.training_scores_, other.training_scores_)
    assert one.threshold_ == other.threshold_


def test_a_fraction_is_a_number(rows):
    expected = scores_of(rows, learning_rate=0.25)
    found = scores_of(rows, learning_rate=Fraction(1, 4))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", [*FLOATS, Fraction])
def test_a_share_of_any_type_warns_where_ties_keep_rows_from_being_flagged(
    kind, method
):
    tied = np.repeat([[0.0, 0.0], [5.0, 5.0]], [60, 40], axis=0)
    model = NCAEDetector(max_iter=2, contamination=kind("0.1"), random_state=0)
    with pytest.warns(UserWarning, match="contamination=0.1 asks for more rows"):
        getattr(model, method)(tied)


@pytest.mark.parametrize("kind", [*FLOATS, Fraction])
def test_a_number_of_any_type_is_loaded_as_that_number(rows, kind, tmp_path):
    small = {"n_estimators": 1, "max_iter": 1, "random_state": np.int8(0)}
    model = NCAEDetector(contamination=kind("0.1"), **small).fit(rows)
    model.save(tmp_path / "detector")
    loaded = NCAEDetector.load(tmp_path / "detector")
    assert loaded.get_params()["contamination"] == 0.1
    assert type(loaded.get_params()["contamination"]) is float


COUNTS = (
    "n_estimators",
    "latent_dim",
    "calibration_rounds",
    "dictionary_size",
    "max_iter",
    "batch_size",
    "decay_steps",
    "verbose",
)
REALS = ("contamination", "mining_rate", "generation_scale", "learning_rate", "tol")
# Beyond floats, and with more digits than Python writes.
BEYOND = [
    pytest.param(10**400, id="400 digits"),
    pytest.param(10**5000, id="5000 digits"),
]
BELOW = pytest.param(-(10**400), id="minus 400 digits")


@pytest.mark.parametrize("number", [10**30, *BEYOND])
@pytest.mark.parametrize("name", COUNTS)
def test_a_count_that_no_integer_of_numpy_holds_is_refused_by_its_name(
    rows, name, number
):
    with pytest.raises(ValueError, match=name):
        scores_of(rows, **{name: number})


@pytest.mark.parametrize("name", ["n_estimators", "latent_dim", "batch_size"])
def test_a_size_that_no_tensor_has_is_refused_by_its_name(rows, name):
    with pytest.raises(ValueError, match=f"{name} == .*must be <= {2**31 - 1}"):
        scores_of(rows, **{name: 2**31})


DURATION = np.timedelta64(3, "s")


@pytest.mark.parametrize("name", [*COUNTS, *REALS, "random_state", "warm_start"])
def test_a_duration_is_no_number_though_numpy_says_so(fitted, rows, name):
    changed = copy.copy(fitted).set_params(**{name: DURATION})
    with pytest.raises(TypeError, match=f"{name} must be"):
        changed.fit(rows)


@pytest.mark.parametrize(
    ("name", "door"),
    {
        "n_samples": lambda f, X: f.generate(DURATION),
        "quantile": lambda f, X: f.set_threshold(quantile=DURATION),
        "cv": lambda f, X: f.calibrate(X, cv=DURATION),
        "image_shape": lambda f, X: NCAEDetector(image_shape=(DURATION, 1)).fit(X),
        "member": lambda f, X: LatentSpaceDisplay.from_estimator(f, X, member=DURATION),
        "rows": lambda f, X: ReconstructionDisplay.from_estimator(f, X, rows=DURATION),
        "alpha": lambda f, X: f.select(X, DURATION),
        "chunk_rows": lambda f, X: Chunks(X, DURATION),
        "k": lambda f, X: f.explain(X).cells(DURATION),
        "n": lambda f, X: f.report(X, DURATION),
        "generation_scale": lambda f, X: f.set_params(
            generation_scale=DURATION
        ).generate(),
    }.items(),
)
def test_a_duration_is_no_number_of_anything(fitted, rows, name, door):
    # As of all that is no place of a network.
    error = ValueError if name == "member" else TypeError
    with pytest.raises(error, match=f"{name} must be"):
        door(copy.copy(fitted), rows)


def test_a_duration_is_no_place_of_a_column(rows):
    with pytest.raises(ValueError, match="categorical_features names"):
        scores_of(rows, categorical_features=[np.timedelta64(1, "s")])


@pytest.mark.parametrize("units", [b"ab", bytearray(b"ab")])
def test_bytes_are_no_widths_of_layers(rows, units):
    with pytest.raises(TypeError, match="hidden_units must be a tuple of ints"):
        scores_of(rows, hidden_units=units)


@pytest.mark.parametrize("kind", [np.float16, np.longdouble, Fraction])
def test_a_share_of_false_discoveries_is_the_one_that_is_written(fitted, rows, kind):
    calibrated = copy.copy(fitted).calibrate(rows[:19] + 1e-3)
    few = np.concatenate([rows[-1:], np.full((1, 3), 9.0)])
    # Half of the rows, at 1 / (1 + 19): the limit itself.
    expected = calibrated.select(few, 0.1)
    assert expected.sum() == 1
    np.testing.assert_array_equal(calibrated.select(few, kind("0.1")), expected)


def test_a_layer_of_more_units_than_can_be_counted_is_refused(rows):
    with pytest.raises(ValueError, match="each of hidden_units"):
        scores_of(rows, hidden_units=(4, 10**30))


@pytest.mark.parametrize("kind", [int, Fraction])
@pytest.mark.parametrize("number", [*BEYOND, BELOW])
@pytest.mark.parametrize("name", REALS)
def test_a_number_beyond_all_floats_is_refused_by_its_name(rows, name, number, kind):
    with pytest.raises(ValueError, match=f"{name} must be a number that a float"):
        scores_of(rows, **{name: kind(number)})


@pytest.mark.parametrize("kind", [int, Fraction])
@pytest.mark.parametrize("number", [*BEYOND, BELOW])
@pytest.mark.parametrize("name", ["contamination", "quantile", "value"])
def test_a_cut_beyond_all_floats_is_refused_by_its_name(fitted, name, number, kind):
    with pytest.raises(ValueError, match=f"{name} must be a number that a float"):
        copy.copy(fitted).set_threshold(**{name: kind(number)})


@pytest.mark.parametrize("number", [10**30, *BEYOND])
def test_rows_to_generate_beyond_all_counts_are_refused(fitted, number):
    with pytest.raises(ValueError, match="n_samples"):
        fitted.generate(number)


def test_flags_of_numpy_are_flags(rows):
    expected = scores_of(rows, sample_discriminator=False, allow_nan=True)
    found = scores_of(rows, sample_discriminator=np.False_, allow_nan=np.True_)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.float16, np.float32])
def test_a_cut_of_any_type_is_that_cut(fitted, kind):
    for name, number in {"contamination": 0.1, "quantile": 1.0, "value": 2.0}.items():
        if kind in (np.uint8, np.int8) and name == "contamination":
            continue
        one, other = copy.copy(fitted), copy.copy(fitted)
        one.set_threshold(**{name: number})
        other.set_threshold(**{name: kind(str(number).removesuffix(".0"))})
        assert one.threshold_ == other.threshold_
        assert type(other.threshold_) is float


def test_rows_to_generate_are_counted_in_any_type(fitted):
    expected = fitted.generate(200, random_state=0)
    found = fitted.generate(np.uint8(200), random_state=0)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n_samples", [True, np.True_, 2.0, "3", None])
def test_generate_refuses_what_is_no_count(fitted, n_samples):
    with pytest.raises(TypeError, match="n_samples"):
        fitted.generate(n_samples)


@pytest.mark.parametrize("scale", [-1.0, 1e300, np.nan, np.inf])
def test_generate_checks_the_scale_as_fit_does(fitted, scale):
    changed = copy.copy(fitted).set_params(generation_scale=scale)
    with pytest.raises(ValueError, match="generation_scale"):
        changed.generate(2)


@pytest.mark.parametrize("scale", [1e30, 3e38])
def test_generate_refuses_a_scale_that_makes_no_finite_rows(fitted, scale):
    changed = copy.copy(fitted).set_params(generation_scale=scale)
    with pytest.raises(ValueError, match="generation_scale=.* is too large"):
        changed.generate(5, random_state=0)


def test_a_column_without_values_is_generated_as_missing(rows):
    empty = rows.copy()
    empty[:, 1] = np.nan
    model = NCAEDetector(n_estimators=1, max_iter=1, allow_nan=True, random_state=0)
    with pytest.warns(UserWarning, match="no value at all in column 1"):
        model.fit(empty)
    found = np.isnan(model.generate(3, random_state=0))
    np.testing.assert_array_equal(found, [[False, True, False]] * 3)


def test_generate_refuses_a_scale_of_another_type(fitted):
    changed = copy.copy(fitted).set_params(generation_scale="wide")
    with pytest.raises(TypeError, match="generation_scale"):
        changed.generate(2)


def test_a_generator_of_numpy_is_refused_by_its_name(fitted, rows):
    generator = np.random.default_rng(0)
    for call in (
        lambda: scores_of(rows, random_state=generator),
        lambda: fitted.generate(2, random_state=generator),
        lambda: (
            copy.copy(fitted)
            .set_params(random_state=generator)
            .set_threshold(contamination="auto")
        ),
    ):
        with pytest.raises(ValueError, match=r"random_state=Generator\(PCG64\)"):
            call()


@pytest.mark.parametrize("seed", [True, np.False_])
def test_a_flag_is_no_seed(fitted, seed):
    with pytest.raises(TypeError, match="random_state must be an int"):
        fitted.generate(2, random_state=seed)


@pytest.mark.parametrize(
    "device", ["meta", "no such device", "cuda:99", "", 1.5, ["cpu"]]
)
def test_a_device_that_holds_no_numbers_is_refused_by_its_name(rows, device):
    with pytest.raises(ValueError, match="device="):
        scores_of(rows, device=device)


@pytest.mark.parametrize("size", [np.uint8(200), np.int8(100), 250])
def test_chunks_of_any_size_hold_all_rows(size):
    rows = np.arange(3000.0).reshape(1000, 3)
    np.testing.assert_array_equal(np.concatenate(list(Chunks(rows, size))), rows)


@pytest.mark.parametrize("size", [2.5, True, "7"])
def test_chunks_refuse_a_size_that_is_no_count(size):
    with pytest.raises(TypeError, match="chunk_rows"):
        Chunks(np.zeros((10, 2)), size)
