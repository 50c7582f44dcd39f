"""Another fit that goes on with the fitted networks: warm_start."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.base import clone

from skncae.networks._autoencoder import build_encoder
from skncae.networks._state import network_from_state
from skncae.training._trainer import Trainer


@pytest.fixture
def trainers(monkeypatch):
    """Collect copies of the networks that each training starts from."""
    found, original = [], Trainer.run

    def run(self, *arguments):
        if self.n_steps == 0:
            found.append(copy.deepcopy((self.model, self.d_s, self.d_l)))
        return original(self, *arguments)

    monkeypatch.setattr(Trainer, "run", run)
    return found


def test_two_fits_of_100_steps_end_near_one_of_200(fast, X):
    same = {"evidence": "reconstruction", "n_estimators": 16}
    once, long = (fast(max_iter=n, **same).fit(X) for n in (100, 200))
    twice = fast(max_iter=100, warm_start=True, **same).fit(X).fit(X)
    scores = [detector.score_samples(X) for detector in (once, twice, long)]
    once_error, twice_error, long_error = -np.median(scores, axis=1)
    assert twice_error < 0.9 * once_error
    assert 0.8 * long_error < twice_error < 1.25 * long_error
    assert spearmanr(scores[1], scores[2]).statistic > 0.9


def test_networks_go_on_from_where_the_fit_before_left_them(fast, X, trainers):
    detector = fast(warm_start=True).fit(X)
    # Those of the scorer are float64.
    discriminators = (
        network_from_state(build_encoder, state) for state in detector._discriminators
    )
    left = copy.deepcopy(detector._scorer.ensemble.model), *discriminators
    detector.fit(X)
    for network, start in zip(left, trainers[1], strict=True):
        for name, value in network.float().state_dict().items():
            assert torch.equal(start.state_dict()[name], value), name
    assert not torch.equal(trainers[0][0].mu, trainers[1][0].mu)


def test_warm_start_draws_other_batches_than_the_fit_before(fast, X, trainers):
    # With all steps so small that they move nothing, losses differ by the batches.
    detector = fast(warm_start=True, learning_rate=1e-30).fit(X)
    first = detector.history_["reconstruction_loss"]
    second = detector.fit(X).history_["reconstruction_loss"]
    assert not np.isclose(first, second).any()


def test_warm_start_keeps_the_scales_of_the_first_fit(fast, X):
    detector = fast(warm_start=True).fit(X)
    view = detector._scorer.ensemble.view
    assert detector.fit(X + 5)._scorer.ensemble.view is view


def test_n_iter_and_history_are_those_of_the_last_fit(fast, X):
    detector = fast(warm_start=True).fit(X).set_params(max_iter=4).fit(X)
    assert detector.n_iter_ == 4
    assert len(detector.history_["reconstruction_loss"]) == 4


def test_warm_start_can_be_switched_on_after_the_first_fit(fast, X):
    expected = fast(warm_start=True).fit(X).fit(X).score_samples(X)
    detector = fast().fit(X).set_params(warm_start=True).fit(X)
    np.testing.assert_array_equal(detector.score_samples(X), expected)


def test_without_warm_start_a_fit_starts_anew(fast, X):
    detector = fast().fit(X)
    scores = detector.score_samples(X)
    np.testing.assert_array_equal(detector.fit(X).score_samples(X), scores)


def test_first_fit_with_warm_start_is_one_without(fast, X):
    np.testing.assert_array_equal(
        fast(warm_start=True).fit(X).score_samples(X), fast().fit(X).score_samples(X)
    )


def test_clone_is_cold(fast, X, trainers):
    detector = fast(warm_start=True).fit(X).fit(X)
    cold = clone(detector).fit(X)
    np.testing.assert_array_equal(cold.score_samples(X), fast().fit(X).score_samples(X))


def test_pickled_detector_goes_on_as_the_original_does(fast, X):
    detector = fast(warm_start=True).fit(X)
    loaded = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(
        loaded.fit(X).score_samples(X), detector.fit(X).score_samples(X)
    )


def test_warm_start_does_not_change_a_shallow_copy(fast, X):
    detector = fast(warm_start=True).fit(X)
    shallow, scores = copy.copy(detector), detector.score_samples(X)
    detector.fit(X)
    np.testing.assert_array_equal(shallow.score_samples(X), scores)
    np.testing.assert_array_equal(
        shallow.fit(X).score_samples(X), detector.score_samples(X)
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"n_estimators": 3},
        {"hidden_units": (8,)},
        {"latent_dim": 1},
        {"scaling": "minmax"},
        {"calibration_rounds": 0},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_warm_start_refuses_a_parameter_that_the_networks_depend_on(fast, X, changed):
    detector = fast(warm_start=True).fit(X)
    before = vars(detector).copy() | changed
    (name, value), *_ = changed.items()
    with pytest.raises(
        ValueError, match=f"^{name}=.*Set it back.*warm_start=False"
    ) as e:
        detector.set_params(**changed).fit(X)
    assert repr(value) in str(e.value)
    assert vars(detector) == before
    detector.set_params(warm_start=False).fit(X)


def test_warm_start_takes_another_spelling_of_the_same_parameter(fast, X):
    detector = fast(warm_start=True, hidden_units=(8, 4)).fit(X)
    assert detector.set_params(hidden_units=[8, 4]).fit(X).n_iter_ == 10


def test_warm_start_refuses_rows_of_another_width(fast, X):
    detector = fast(warm_start=True).fit(X)
    with pytest.raises(ValueError, match="4 features, but NCAEDetector is expecting 5"):
        detector.fit(X[:, :4])
    assert detector.n_features_in_ == 5


def test_warm_start_refuses_values_in_a_column_that_had_none(fast, X):
    rows = X.copy()
    rows[:, 2] = np.nan
    with pytest.warns(UserWarning, match="column 2"):
        detector = fast(warm_start=True, allow_nan=True).fit(rows)
    with pytest.raises(ValueError, match="values in column 2.*warm_start=False"):
        detector.fit(X)
    assert np.isnan(detector.reconstruct(X)[:, 2]).all()
    detector.set_params(warm_start=False).fit(X)


def test_warm_start_goes_on_with_rows_that_have_gaps(fast, X):
    rows = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    detector = fast(warm_start=True).fit(X)
    detector.set_params(allow_nan=True).fit(rows)
    np.testing.assert_array_equal(
        detector.score_samples(rows), detector.training_scores_
    )
    assert np.isfinite(detector.training_scores_).all()
