"""The suite of explanations: what is spoilt, and who finds it."""

import numpy as np

from benchmarks.suites import explanations


def test_spoilt_rows_differ_from_normal_ones_in_the_spoilt_columns_only(X, y):
    normal = np.flatnonzero(y == 0)
    rng = np.random.default_rng(0)
    rows, is_spoilt = explanations.spoil(X, normal, "3", 2, rng)
    assert (is_spoilt.sum(1) == 2).all()
    for row, spoilt in zip(rows, is_spoilt, strict=True):
        kept = (X[normal][:, ~spoilt] == row[~spoilt]).all(1)
        assert kept.any()
        moved = np.abs(row - X[normal][kept][0]) / X[normal].std(0)
        np.testing.assert_allclose(moved[spoilt], 3.0)


def test_share_found_counts_spoilt_columns_among_the_largest():
    contributions = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    is_spoilt = np.array([[True, True, False], [False, True, True]])
    found = explanations.share_found(contributions, is_spoilt)
    assert found.tolist() == [1.0, 0.5]


def test_every_rule_of_blame_is_judged_on_every_way_to_spoil(monkeypatch, run):
    monkeypatch.setattr(explanations, "N_SPOILT", 40)
    frame = run(explanations.SUITE, "--datasets", "wine_1", "--seeds", "0-1", "--here")
    assert set(frame.status) == {"ok"} and frame.found.between(0, 1).all()
    assert frame.groupby("rule").size().nunique() == 1
    assert frame.spoilt.nunique() == 2 * len(explanations.DAMAGES)
    text = explanations.table(frame)
    for rule in ("explain, by log tail", "deciding kind", "tails alone"):
        assert text.count(f"\n{rule}") == 2
