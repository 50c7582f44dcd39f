"""Suites of missing entries and of categories."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.suites import categories
from benchmarks.suites import missing as missing_suite


@pytest.fixture
def holes(X):
    """Return the rows of X with a fifth of the entries missing."""
    return np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)


def test_benchmark_removes_the_share_asked_for():
    X = np.random.default_rng(0).normal(size=(2000, 5))
    for pattern in ("random", "extreme"):
        rng = np.random.default_rng(1)
        missing = np.isnan(missing_suite.without(X, pattern, 0.2, rng))
        assert missing.mean() == pytest.approx(0.2, abs=0.02)
        far = np.abs(X) > 1.5
        assert (missing[far].mean() > 0.3) == (pattern == "extreme")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("way", missing_suite.WAYS)
def test_every_way_of_the_benchmark_scores_incomplete_rows(holes, way):
    detector = getattr(missing_suite, way)(random_state=0)
    last = detector[-1] if way != "allow_nan" else detector
    last.set_params(n_estimators=1, max_iter=2)
    assert np.isfinite(detector.fit(holes).score_samples(holes)).all()


def test_complete_rows_are_scored_in_one_way_only(tiny, run, monkeypatch):
    monkeypatch.setattr(missing_suite.fits, "judged", lambda *_: {"fit_s": 1.0})
    arguments = ["--datasets", "tiny", "--seeds", "0", "--ways", "mean,knn", "--here"]
    frame = run(missing_suite.SUITE, *arguments)
    assert len(frame) == 1 + 2 * 4 and set(frame.status) == {"ok"}
    assert list(frame.way[frame.share == 0]) == ["allow_nan"]
    assert "extreme" in missing_suite.table(frame)


def test_rare_and_new_categories_and_rare_pairs_are_among_the_most_abnormal():
    encoding = categories.encodings()["rarity, with pair"]
    ranks = dict(zip(categories.PLANTED, categories.ranks(encoding, 0), strict=True))
    # Of 600 rows.
    assert max(ranks["category"], ranks["pair"], ranks["unseen"]) < 10
    assert ranks["price"] < 60


def test_rarity_of_a_category_is_minus_the_log_of_its_share():
    frame = pd.DataFrame({"word": ["a"] * 9 + ["b"] + [None]})
    new = pd.DataFrame({"word": ["a", "b", "c", None]})
    rarity = categories.Rarity().fit(frame).transform(new)[:, 0]
    np.testing.assert_allclose(rarity, -np.log([10 / 12, 2 / 12, 1 / 12, np.nan]))


def test_categories_give_a_line_for_each_encoding(monkeypatch, run):
    monkeypatch.setattr(categories, "ranks", lambda encoding, seed: [seed] * 4)
    text = categories.table(run(categories.SUITE, "--here"))
    assert text.splitlines()[-1].split() == ["rarity,", "with", "pair", *["2.0"] * 4]
