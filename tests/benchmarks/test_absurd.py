"""One absurd value: the rows, and what is counted."""

import numpy as np
import pytest

from benchmarks.suites import absurd


@pytest.mark.parametrize("table", absurd.TABLES)
def test_one_value_is_changed_of_a_row_that_is_no_outlier(table):
    case = {"table": table, "n": 60, "d": 6, "seed": 0, "place": "last"}
    before = absurd.prepare(case | {"value": absurd.AS_IT_IS}, None)[1]
    assert before.y_score.sum() == 2 and not before.y_score[-1]
    for value in absurd.VALUES:
        after = absurd.prepare(case | {"value": value}, None)[1].X_train
        changed = np.argwhere(after != before.X_train)
        assert changed.tolist() in ([[59, 5]], [] if value == absurd.ANOTHER else None)
        if value != absurd.ANOTHER:
            assert after[-1, -1] == float(value)
    flags = before.X_train[:, 3:]
    assert np.isin(flags, [0, 1]).all() == (table == "flags")


def test_losses_are_those_to_the_same_table_as_it_is(monkeypatch, run):
    monkeypatch.setattr(absurd, "ROWS", (60,))
    monkeypatch.setattr(absurd, "COLUMNS", (5,))
    options = ("--detectors", "SquaredZ,ECOD", "--seeds", "0", "--here")
    frame = run(absurd.SUITE, *options)
    assert (frame.status == "ok").all() and len(frame) == 2 * 2 * 9
    one = frame[(frame.detector == "SquaredZ") & (frame.table == "numbers")]
    before = one.auroc[one.value == absurd.AS_IT_IS].item()
    moved = one.auroc[~one.value.isin([absurd.AS_IT_IS, absurd.ANOTHER])] - before
    # The deviation of a column is that of its absurd value: it sees the others no more.
    assert moved.min() < -0.05
    line = next(
        " ".join(line.split())
        for line in absurd.SUITE.table(frame).splitlines()
        if line.startswith("SquaredZ") and "absurd" in line and "numbers" in line
    )
    missed = (moved < -absurd.MARGIN).sum()
    assert line.endswith(f"{missed} of 6 {100 * moved.min():+.1f}")
