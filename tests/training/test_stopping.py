"""The stop without labels: tol."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from skncae.training._stopping import SettledRanking, ranking_change

LARGE, SMALL = 3.0, 1e-12


class Networks:
    """Reconstruct rows of one column with the errors given, one list a check."""

    n_members = 1

    def __init__(self, *errors):
        self.errors = iter(errors)

    def __call__(self, x):
        errors = torch.tensor(next(self.errors), dtype=x.dtype)
        return x + errors.sqrt()[None, :, None]


def check(tol, *errors):
    ranking = SettledRanking(torch.zeros(len(errors[0]), 1), tol)
    networks = Networks(*errors)
    return [ranking.check(networks) for _ in errors]


def test_ranking_change_is_1_minus_spearmans_correlation():
    errors, others = np.random.default_rng(0).normal(size=(2, 50))
    expected = 1 - spearmanr(errors, others).statistic
    assert ranking_change(errors, others) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("others", "expected"), [([1, 2, 3], 0.0), ([3, 2, 1], 2.0), ([10, 20, 30], 0.0)]
)
def test_ranking_change_goes_from_0_to_2(others, expected):
    assert ranking_change(np.array([1, 2, 3]), np.array(others)) == expected


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_ranking_of_rows_that_all_tie_does_not_change(n_rows):
    assert ranking_change(np.ones(n_rows), np.zeros(n_rows)) == 0.0


def test_ranking_has_settled_after_two_calm_checks_in_a_row():
    up, down = [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    assert check(0.1, up, up, up) == [False, False, True]
    assert check(0.1, up, up, down, down, down) == [False, False, False, False, True]


def test_ranking_of_errors_that_are_not_numbers_never_settles():
    nothing = [float("nan")] * 3
    assert check(LARGE, nothing, nothing, nothing) == [False, False, False]


def test_ranking_is_that_of_a_thousand_rows_from_first_to_last():
    rows = torch.arange(5000.0)[:, None]
    probe = SettledRanking(rows, 0.1).probe
    assert probe.shape == (1000, 1)
    assert probe[0] == 0 and probe[-1] == 4999


def test_training_stops_as_soon_as_the_ranking_may_have_settled(fast, X):
    detector = fast(max_iter=200, tol=LARGE).fit(X)
    assert detector.n_iter_ == 75
    for values in detector.history_.values():
        assert len(values) == 75
    expected = fast(max_iter=75).fit(X)
    np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(X))
    assert detector.mining_share_ == expected.mining_share_


def test_tol_that_is_never_met_changes_nothing(fast, X):
    detector, expected = (fast(max_iter=110, tol=tol).fit(X) for tol in (SMALL, None))
    assert detector.n_iter_ == expected.n_iter_ == 110
    np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(X))


@pytest.mark.parametrize("n_rows", [1, 2, 20])
def test_identical_rows_settle_at_once(fast, n_rows):
    assert fast(max_iter=200, tol=0.01).fit(np.ones((n_rows, 3))).n_iter_ == 75


def test_smaller_tol_trains_longer(fast, X):
    n_iter = [fast(max_iter=500, tol=tol).fit(X).n_iter_ for tol in (LARGE, 0.2)]
    assert n_iter[0] < n_iter[1] < 500


def test_early_stop_leaves_the_progress_bar_where_training_stopped(fast, X, capfd):
    fast(max_iter=200, tol=LARGE, verbose=1).fit(X)
    assert "75/200" in capfd.readouterr().err
