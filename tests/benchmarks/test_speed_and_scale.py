"""Suites of seconds and of memory: what they write, and what they print."""

import time
import timeit

import pytest

from benchmarks.harness.meter import cpu_seconds
from benchmarks.suites import image_speed, scale, speed


def seconds_of_a_call(work):
    """Seconds of a call, roughly: how many it takes is not what is asked here."""
    return timeit.timeit(work, number=3) / 3


def test_speed_gives_ratios_to_the_first_case(monkeypatch, run):
    cases = ("SquaredZ", "NCAEDetector(max_iter=2)")
    monkeypatch.setattr(speed, "EXPERIMENTS", {"members": cases})
    frame = run(speed.SUITE, "--repeats", "2", "--experiments", "members", "--here")
    assert list(frame.repeat) == [0, 0, 1, 1] and set(frame.status) == {"ok"}
    assert frame.auroc.isna().all()
    medians = frame.groupby("case").fit_s.median()
    ratio = medians[cases[1]] / medians[cases[0]]
    assert f"{ratio:.4g}" in speed.table(frame).splitlines()[2].split()


def test_import_is_timed_in_a_process_of_its_own(monkeypatch, run):
    arguments = ("--experiments", "import", "--repeats", "1", "--here")
    monkeypatch.setattr(speed, "IMPORT", "print(0.5)")
    assert list(run(speed.SUITE, *arguments).fit_s) == [0.5]
    monkeypatch.setattr(speed, "IMPORT", "import a_package_that_nobody_has")
    frame = run(speed.SUITE, *arguments, "--again")
    assert list(frame.status) == ["error"] and "nobody_has" in frame.note[0]


def test_cpu_seconds_of_a_call_do_not_depend_on_how_often_the_clock_ticks(monkeypatch):
    clock = time.process_time
    monkeypatch.setattr(time, "process_time", lambda: clock() // 0.01 * 0.01)
    assert cpu_seconds(lambda: sum(range(1000)), repeats=1) > 1e-6


def test_scale_prints_rates_beside_the_floor(monkeypatch, tmp_path, run):
    monkeypatch.setattr(scale, "N_FIT", 300)
    monkeypatch.setattr(scale, "cpu_seconds", seconds_of_a_call)
    arguments = ["--experiments", "scores", "--rows", "5000", "--repeats", "1"]
    frame = run(scale.SUITE, *arguments, "--folder", str(tmp_path), "--here")
    assert set(frame.status) == {"ok"} and (frame.cpu_s > 0).all()
    assert list(frame.floor_s > 0) == [True, False, False]
    assert scale.table(frame).splitlines()[1].startswith("scores      NCAEDetector")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_wide_tables_are_fitted_beside_one_of_pyod(monkeypatch, run):
    monkeypatch.setattr(scale, "WIDE", ((60, 70), (80, 30)))
    monkeypatch.setattr(scale, "BESIDE", (80, 30))
    monkeypatch.setattr(scale, "INCOMPLETE", ((50, 90),))
    frame = run(scale.SUITE, "--experiments", "wide", "--repeats", "1", "--here")
    assert set(frame.status) == {"ok"} and (frame.cpu_s > 0).all()
    assert list(frame.case).count("AutoEncoder") == 1
    assert list(frame.d[frame.case.str.endswith("missing")]) == [90] * len(scale.HOLES)


def test_step_on_images_takes_longer_than_its_products(monkeypatch, run):
    monkeypatch.setattr(image_speed, "cpu_seconds", seconds_of_a_call)
    monkeypatch.setattr(image_speed, "SHAPES", ((8, 8, 1),))
    monkeypatch.setattr(image_speed, "LAYERS", ((8, 1, 2),))
    frame = run(image_speed.SUITE, "--here")
    assert list(frame.way) == ["ours", *image_speed.WAYS]
    assert frame.cpu_s[0] > frame.floor_s[0] > 0
    assert "layer of (8, 1, 2)" in image_speed.table(frame)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
def test_multiply_adds_grow_with_the_size_of_the_images(shape):
    larger = (2 * shape[0], 2 * shape[1], shape[2])
    ratio = image_speed.multiply_adds(larger) / image_speed.multiply_adds(shape)
    assert ratio == pytest.approx(4, rel=0.15)
