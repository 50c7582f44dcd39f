"""Fits and scores side by side: threads, processes, and what is given back."""

import gc
import os
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, KFold
from threadpoolctl import threadpool_info

from skncae import NCAEDetector
from skncae._threads import in_threads
from skncae.training._trainer import Trainer


class FlagAsManyAsThreads:
    """A thresholder that flags one row for each thread that `fit` may use."""

    def eval(self, errors):
        blas = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
        labels = np.zeros(len(errors), dtype=int)
        labels[np.argsort(errors)[-max(torch.get_num_threads(), *blas) :]] = 1
        return labels


def n_threads_of_fit(detector, X, y=None):
    """Read what `FlagAsManyAsThreads` saw."""
    return round(detector.contamination_ * len(detector.training_scores_))


def n_threads_of_scores(detector, X, y=None):
    detector.score_samples(X)
    return torch.get_num_threads()


@pytest.mark.parametrize(
    ("scoring", "allowed"),
    [(n_threads_of_fit, 1), (n_threads_of_scores, max(1, os.cpu_count() // 2))],
)
def test_grid_search_in_two_processes_keeps_to_the_cores(X, fast, scoring, allowed):
    detector = fast(contamination=FlagAsManyAsThreads())
    search = GridSearchCV(
        detector, {"max_iter": [5, 6]}, scoring=scoring, n_jobs=2, cv=2
    )
    scores = search.fit(X).cv_results_["mean_test_score"]
    assert (scores <= allowed).all()


def test_grid_search_in_two_processes_finds_what_one_finds(X, y, fast):
    grid, folds = {"max_iter": [5, 10]}, KFold(2, shuffle=True, random_state=0)
    results = [
        GridSearchCV(fast(), grid, scoring="roc_auc", n_jobs=n_jobs, cv=folds).fit(
            X, 1 - y
        )
        for n_jobs in (1, 2)
    ]
    one, two = (search.cv_results_["mean_test_score"] for search in results)
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_many_threads_score_at_once_with_the_scores_of_one(X, fast):
    detector = fast(n_estimators=4).fit(X)
    parts = [np.tile(X[i : i + 150], (20, 1)) for i in range(16)]
    expected = [detector.score_samples(part) for part in parts]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            scores = list(threads.map(detector.score_samples, parts))
            np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_scores_of_many_rows_are_those_of_each_piece_on_any_number_of_threads(
    X, fast, torch_threads, n_threads
):
    detector = fast().fit(X)
    rows = np.tile(X, (200, 1)) * np.linspace(0.5, 2.0, 200 * len(X))[:, None]
    assert len(rows) > 2 * 16_384
    apart = [detector.score_samples(part) for part in np.array_split(rows, 40)]
    torch_threads(n_threads)
    np.testing.assert_allclose(
        detector.score_samples(rows), np.concatenate(apart), rtol=1e-9
    )
    assert torch.get_num_threads() == n_threads


def test_each_item_gets_one_torch_thread_and_raises_here(torch_threads):
    torch_threads(2)
    seen = set()

    def look(item):
        seen.add(torch.get_num_threads())

    in_threads(look, range(8))
    assert seen == {1}
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda item: 1 / item, [1, 0])
    assert torch.get_num_threads() == 2


def test_threads_that_score_and_explain_do_not_disturb_a_fit(X, fast):
    detector, expected = fast().fit(X), fast(max_iter=60).fit(X)
    scores, other = detector.score_samples(X), fast(max_iter=60)
    with ThreadPoolExecutor(4) as threads:
        fit = threads.submit(other.fit, X)
        jobs = [threads.submit(detector.score_samples, X) for _ in range(20)]
        jobs += [threads.submit(lambda: -detector.explain(X).contributions.sum(1))]
        for job in jobs:
            np.testing.assert_allclose(job.result(), scores, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(
            fit.result().training_scores_, expected.training_scores_
        )


def test_what_was_trained_with_is_given_back_as_fit_ends(X, monkeypatch):
    trainers, run = [], Trainer.run

    def watched(self, *arguments):
        trainers.append(weakref.ref(self))
        return run(self, *arguments)

    monkeypatch.setattr(Trainer, "run", watched)
    gc.disable()
    try:
        NCAEDetector(n_estimators=2, max_iter=30, random_state=0).fit(X)
        assert [trainer() for trainer in trainers] == [None] * 2
    finally:
        gc.enable()
