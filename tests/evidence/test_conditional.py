"""Each column against the rest of its row."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skncae.data._layout import Layout, read
from skncae.evidence._cells import TAIL_TO, Tail, scaling_of, standardized
from skncae.evidence._conditional import Conditional
from skncae.evidence._trees import LEARNT_FOLDS, Bins, grow


def block(frame, layout=None):
    raws = read(frame)
    layout = layout or Layout.of(raws)
    return SimpleNamespace(layout=layout, cells=layout.encode(raws), kept={})


def table(n=600, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c"], size=n)
    level = np.array([{"a": 1.0, "b": 10.0, "c": 100.0}[k] for k in kind])
    return pd.DataFrame(
        {
            "kind": kind,
            "twin": [k.upper() * 3 for k in kind],
            "value": level * rng.lognormal(0, 0.1, size=n),
            "noise": rng.normal(size=n),
        }
    )


@pytest.fixture(scope="module")
def learnt():
    seen = block(table())
    return Conditional.learn(seen, None, np.random.RandomState(0)), seen.layout


def place_of(name, layout):
    return [column.name for column in layout.used].index(name)


def test_number_of_another_category_is_a_surprise(learnt):
    conditional, layout = learnt
    rows = pd.DataFrame(
        {
            "kind": ["a", "a"],
            "twin": ["AAA", "AAA"],
            "value": [1.0, 10.0],
            "noise": [0.0, 0.0],
        }
    )
    surprises = conditional.surprises(block(rows, layout))
    value = place_of("value", layout)
    assert surprises[1].argmax() == value
    assert surprises[1, value] > 6 > 2 > surprises[0].max()
    expected = conditional.expected(block(rows, layout))
    assert layout.decode(expected)[0, 1] == "AAA"
    assert expected[1, value] < 2


def test_pair_that_never_was_is_a_surprise_though_both_are_common(learnt):
    conditional, layout = learnt
    rows = table(seed=1)
    rows.loc[0, "twin"] = "BBB" if rows.loc[0, "kind"] == "a" else "AAA"
    surprises = conditional.surprises(block(rows, layout))
    twin = place_of("twin", layout)
    assert surprises[0, twin] > 3
    assert np.median(surprises[1:, twin]) < 0.5


def test_order_of_the_rows_does_not_matter(learnt):
    conditional, layout = learnt
    frame = table()
    turned = block(frame.iloc[::-1], layout)
    again = Conditional.learn(turned, None, np.random.RandomState(0))
    seen = block(frame, layout)
    np.testing.assert_array_equal(again.errors(seen), conditional.errors(seen))


def test_names_of_the_categories_do_not_matter():
    # Codes are turned with the names, and with them who learns from whom.
    correlations = []
    for seed in range(8):
        frame = table(seed=seed)
        named = frame.assign(kind=frame["kind"].map({"a": "z", "b": "y", "c": "x"}))
        errors = []
        for some in (frame, named):
            seen = block(some)
            conditional = Conditional.learn(seen, None, np.random.RandomState(0))
            errors.append(conditional.errors(seen))
        correlations.append(np.corrcoef(*errors)[0, 1])
    assert np.mean(correlations) > 0.9


def test_missing_entries_are_no_surprise(learnt):
    conditional, layout = learnt
    frame = table()
    frame.loc[:10, "value"] = np.nan
    frame.loc[:10, "kind"] = None
    surprises = conditional.surprises(block(frame, layout))
    places = [place_of(name, layout) for name in ("kind", "value")]
    assert (surprises[:11, places] == 0).all()


def test_no_tree_predicts_a_row_that_it_has_learnt_from():
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(400, 3))
    is_category = np.zeros(3, dtype=bool)
    bins = Bins.of(cells, is_category, np.random.RandomState(0))
    binned = bins(cells)
    folds = bins.folds(binned)
    assert np.bincount(folds).min() > 60
    features, there = np.array([1, 2]), np.ones(400, dtype=bool)
    answers = {}
    for target in (np.zeros(400), np.where(np.arange(400) == 7, 1e6, 0.0)):

        def mean(at, rows, n_nodes, target=target):
            counts = np.maximum(np.bincount(at, minlength=n_nodes), 1)
            sums = np.bincount(at, target[rows], minlength=n_nodes)
            return (sums / counts)[:, None]

        forest = grow(
            binned,
            folds,
            is_category,
            features,
            target[:, None],
            there,
            mean,
            seed=0,
        )
        assert set(forest.learnt) == set(range(len(LEARNT_FOLDS)))
        answers[target[7]] = forest.predict(binned, folds)[7, 0]
    assert answers[1e6] == answers[0.0] == 0


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.floats(0.1, 100))
def test_surprise_grows_with_the_error_and_goes_on_beyond_the_last(seed, scale):
    errors = scale * np.random.default_rng(seed).gamma(1.0, size=500)
    tail = Tail.of(errors)
    points = np.sort(np.append(errors, errors.max() * np.array([2.0, 10.0, 1e6])))
    surprises = tail(points)
    assert (np.diff(surprises) >= 0).all() and surprises[-1] > surprises[-2]
    assert tail(np.median(errors)) == pytest.approx(np.log(2), abs=0.15)
    assert tail(np.quantile(errors, TAIL_TO)) == pytest.approx(np.log(100), rel=0.1)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.floats(1e-6, 1e6))
def test_values_are_scaled_alike_in_any_unit(seed, unit):
    values = np.random.default_rng(seed).lognormal(sigma=1.5, size=300)
    first = standardized(values, **scaling_of(values))
    other = standardized(values * unit, **scaling_of(values * unit))
    np.testing.assert_allclose(first, other, rtol=1e-6, atol=1e-9)


def test_state_is_the_component(learnt):
    conditional, layout = learnt
    same = Conditional.from_state(conditional.state())
    seen = block(table(seed=2), layout)
    other = block(table(seed=2), layout)
    np.testing.assert_array_equal(same.errors(seen), conditional.errors(other))


@pytest.mark.parametrize(
    "values",
    [
        [*np.random.default_rng(0).normal(50, 5, size=99), 5000.0],
        [*np.random.default_rng(0).choice(["a", "b"], size=99), "zz"],
        [*pd.date_range("2020-01-01", periods=99), pd.Timestamp("1920-01-01")],
    ],
    ids=["number", "category", "date"],
)
def test_only_column_is_judged_by_itself(values, fast, tmp_path):
    name = "things that are numbered"
    frame = pd.DataFrame({name: [f"no. {i}" for i in range(100)], "only": values})
    with pytest.warns(UserWarning, match="Set aside"):
        detector = fast(contamination=0.01).fit(frame)
    assert np.flatnonzero(detector.predict(frame) == -1).tolist() == [99]
    assert detector.explain(frame).sentence(99).startswith("only = ")
    detector.save(tmp_path / "only.safetensors")
    loaded = type(detector).load(tmp_path / "only.safetensors")
    np.testing.assert_array_equal(
        loaded.score_samples(frame), detector.score_samples(frame)
    )


@pytest.mark.parametrize("seed", range(6))
def test_half_of_a_table_that_is_equal_is_not_rarer_than_a_wrong_cell(seed, fast):
    kind = np.random.default_rng(seed).choice(["a", "b"], size=200)
    frame = pd.DataFrame({"one": kind, "two": kind, "three": kind})
    frame.loc[3, "one"] = "zz"
    scores = fast(contamination=0.005).fit(frame).score_samples(frame)
    assert scores[3] < np.delete(scores, 3).min()
