"""Which rows a detector is fitted on, and which it is judged on."""

import numpy as np
import pytest

from benchmarks.harness import protocols
from benchmarks.sets import tables as datasets


@pytest.mark.parametrize(
    ("protocol", "n_train", "n_score", "n_outliers"),
    [("contaminated", 50, 50, 10), ("split", 30, 20, 4), ("clean", 24, 26, 10)],
)
def test_protocol_has_the_rows_that_it_promises(
    tiny, protocol, n_train, n_score, n_outliers
):
    X, y = datasets.load("tiny")
    task = protocols.prepare(X, y, protocol, seed=0)
    assert len(task.X_train) == n_train
    assert len(task.X_score) == len(task.y_score) == n_score
    assert task.y_score.sum() == n_outliers
    np.testing.assert_allclose(task.X_train.mean(axis=0), 0, atol=1e-12)


def test_clean_protocol_trains_on_no_outlier(tiny):
    X, y = datasets.load("tiny")
    task = protocols.prepare(X, y, "clean", seed=1)
    # Outliers lie nine deviations away, so one of them would show.
    assert np.abs(task.X_train).max() < 4 < np.abs(task.X_score).max()


def test_subsample_keeps_the_share_of_outliers_and_at_least_two():
    y = np.zeros(30_000, dtype=int)
    y[:300] = 1
    rows = protocols.subsample(y, 10_000, np.random.default_rng(0))
    assert len(np.unique(rows)) == 10_000 and y[rows].sum() == 100
    y[3:300] = 0
    rows = protocols.subsample(y, 10_000, np.random.default_rng(0))
    assert y[rows].sum() == 2


def test_large_set_is_subsampled_by_seed_unless_full():
    X, y = np.random.default_rng(0).normal(size=(10_500, 2)), np.zeros(10_500, int)
    y[:50] = 1
    first, again, other = (
        protocols.prepare(X, y, "contaminated", seed) for seed in (0, 0, 1)
    )
    assert first.n == 10_000 and first.depends_on_seed
    np.testing.assert_array_equal(first.X_train, again.X_train)
    assert not np.array_equal(first.X_train, other.X_train)
    assert protocols.prepare(X, y, "contaminated", 0, full=True).n == 10_500
