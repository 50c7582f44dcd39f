"""What the caller has set changes nothing, and is left as it was."""

import copy
import gc
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot
import numpy as np
import pytest
import sklearn
import torch
from threadpoolctl import threadpool_info

import skncae
from skncae import Chunks, NCAEDetector
from skncae._sentences import Column
from skncae._surroundings import _ExactProducts, undisturbed
from skncae._threads import _OneThread, in_threads, one_thread
from skncae.metrics import precision_at_n_score, pseudo_outlier_scorer
from skncae.plotting import (
    FeatureContributionDisplay,
    GeneratedSamplesDisplay,
    LatentSpaceDisplay,
    ReconstructionDisplay,
    ScoreDistributionDisplay,
    TrainingHistoryDisplay,
    WeightsDisplay,
)


@contextmanager
def default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def products_of_bfloat16():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def backends_of_bfloat16():
    # As torch has it beside that since 2.9, for all operations.
    before = torch.backends.mkldnn.fp32_precision
    torch.backends.mkldnn.fp32_precision = "bf16"
    try:
        yield
    finally:
        torch.backends.mkldnn.fp32_precision = before


SETTINGS = {
    "default_device": default_device,
    "device_context": lambda: torch.device("meta"),
    "default_float64": lambda: default_dtype(torch.float64),
    "default_bfloat16": lambda: default_dtype(torch.bfloat16),
    "autocast": lambda: torch.autocast("cpu"),
    "autocast_float16": lambda: torch.autocast("cpu", dtype=torch.float16),
    "deterministic": deterministic,
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "numpy_raises": lambda: np.errstate(all="raise"),
    "numpy_warns": lambda: np.errstate(all="warn"),
    "warnings_are_errors": warnings_are_errors,
    "two_threads": two_threads,
    "products_of_bfloat16": products_of_bfloat16,
    "frames_of_transformers": lambda: sklearn.config_context(
        transform_output="pandas", assume_finite=True, enable_metadata_routing=True
    ),
}


def precisions():
    """Return how exact products of float32 are, of which not all may be asked."""
    try:
        of_all = torch.get_float32_matmul_precision()
    except RuntimeError:
        of_all = "mixed"
    onednn = torch.backends.mkldnn
    parts = [getattr(onednn, name, None) for name in ("matmul", "conv")]
    parts += [onednn, torch.backends.cuda.matmul]
    return of_all, *(getattr(part, "fp32_precision", None) for part in parts)


def settings_now():
    """Return all that a caller can see of what was set."""
    return {
        "device": torch.get_default_device(),
        "dtype": torch.get_default_dtype(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "autocast_dtype": torch.get_autocast_dtype("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "gradients": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "products": precisions(),
        "numpy": np.geterr(),
        "warnings": list(warnings.filters),
        "scikit-learn": sklearn.get_config(),
        "generators": (
            pickle.dumps(np.random.get_state()),
            pickle.dumps(random.getstate()),
            torch.get_rng_state().tolist(),
        ),
    }


@pytest.fixture(scope="module")
def rows():
    """Rows with columns that are constant, tiny and huge: they over- and underflow."""
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(300, 3)), np.zeros(300), rng.normal(size=300) * 1e-200
    return np.column_stack([*columns, 1e150 * rng.normal(size=300)])


@pytest.fixture(scope="module")
def incomplete(rows):
    holes = np.random.default_rng(1).random(rows.shape) < 0.1
    return np.where(holes, np.nan, rows)


def detector(**parameters):
    small = {"n_estimators": 2, "max_iter": 5, "random_state": 0, "device": "cpu"}
    return NCAEDetector(**small | parameters)


@pytest.fixture(scope="module")
def fitted(rows):
    return detector().fit(rows)


def fit_in_pieces(rows):
    model = detector()
    for piece in np.split(rows, 3):
        model.partial_fit(piece)
    return model.training_scores_


def fit_twice(rows):
    model = detector(warm_start=True).fit(rows)
    return model.fit(rows).training_scores_


def through_a_file(fitted, rows, path):
    fitted.save(path)
    return NCAEDetector.load(path).score_samples(rows)


def explained(fitted, rows):
    explanation = fitted.explain(rows[:50])
    return explanation.contributions, explanation.expected


# Each returns arrays, of a fitted detector, rows, incomplete rows and a path.
DOORS = {
    "fit": lambda f, X, gaps, path: detector().fit(X).training_scores_,
    "fit_standardized": lambda f, X, gaps, path: (
        detector(scaling="standardized").fit(X).training_scores_
    ),
    "fit_latent_density": lambda f, X, gaps, path: (
        detector(mining="latent_density").fit(X).training_scores_
    ),
    "fit_incomplete": lambda f, X, gaps, path: (
        detector(allow_nan=True).fit(gaps).training_scores_
    ),
    "fit_auto": lambda f, X, gaps, path: (
        detector(contamination="auto", n_estimators=1).fit(rows_with_a_gap()).threshold_
    ),
    "fit_chunks": lambda f, X, gaps, path: (
        detector().fit(Chunks(X, 100)).training_scores_
    ),
    "fit_images": lambda f, X, gaps, path: (
        detector(max_iter=2).fit(images()).training_scores_
    ),
    "score_images": lambda f, X, gaps, path: of_images().score_samples(images()[:2]),
    "explain_images": lambda f, X, gaps, path: explained(of_images(), images()[:2]),
    "partial_fit": lambda f, X, gaps, path: fit_in_pieces(X),
    "warm_start": lambda f, X, gaps, path: fit_twice(X),
    "score_samples": lambda f, X, gaps, path: f.score_samples(X),
    "score_chunks": lambda f, X, gaps, path: f.score_samples(Chunks(X, 100)),
    "predict": lambda f, X, gaps, path: f.predict(X),
    "reconstruct": lambda f, X, gaps, path: f.reconstruct(X),
    "explain": lambda f, X, gaps, path: explained(f, X),
    "encode": lambda f, X, gaps, path: f.encode(X),
    "latent_mean_": lambda f, X, gaps, path: f.latent_mean_,
    "generate": lambda f, X, gaps, path: f.generate(20, random_state=0),
    "set_threshold": lambda f, X, gaps, path: (
        copy.deepcopy(f).set_threshold(quantile=0.9).threshold_
    ),
    "save_and_load": lambda f, X, gaps, path: through_a_file(f, X, path),
    "pickle": lambda f, X, gaps, path: pickle.loads(pickle.dumps(f)).score_samples(X),
    "deepcopy": lambda f, X, gaps, path: copy.deepcopy(f).score_samples(X),
    "fit_predict": lambda f, X, gaps, path: detector().fit_predict(X),
    "decision_function": lambda f, X, gaps, path: f.decision_function(X),
    "calibrate": lambda f, X, gaps, path: (
        copy.deepcopy(f).calibrate(X, cv=2).p_values(X)
    ),
    "select": lambda f, X, gaps, path: copy.deepcopy(f).calibrate(-X).select(X, 0.5),
    "refine": lambda f, X, gaps, path: told(f, X).score_samples(X),
    "next_to_review": lambda f, X, gaps, path: told(f, X).next_to_review(X),
    "forget": lambda f, X, gaps, path: told(f, X).forget().p_values(X),
    "without_answers": lambda f, X, gaps, path: (
        told(f, X).without_answers().score_samples(X)
    ),
    "weights_": lambda f, X, gaps, path: told(f, X).weights_.to_numpy(),
    "lessons_": lambda f, X, gaps, path: told(f, X).lessons_.to_numpy().tolist(),
    "frames": lambda f, X, gaps, path: of_frames(f.explain(X)),
    "report": lambda f, X, gaps, path: pages(f.report(X, n=5)),
    "to_onnx": lambda f, X, gaps, path: (f.to_onnx(path), path.read_bytes())[1],
    "precision_at_n": lambda f, X, gaps, path: precision_at_n_score(
        X[:, 0] > 0, X[:, 5]
    ),
    "pseudo_outlier_scorer": lambda f, X, gaps, path: pseudo_outlier_scorer(f, X),
    "latent_display": lambda f, X, gaps, path: drawn(LatentSpaceDisplay, f, X),
    "generated_display": lambda f, X, gaps, path: drawn(GeneratedSamplesDisplay, f, X),
    "scores_display": lambda f, X, gaps, path: drawn(ScoreDistributionDisplay, f, X),
    "rows_display": lambda f, X, gaps, path: drawn(ReconstructionDisplay, f, X),
    "bars_display": lambda f, X, gaps, path: drawn(FeatureContributionDisplay, f, X),
    "weights_display": lambda f, X, gaps, path: drawn(WeightsDisplay, told(f, X)),
    "history_display": lambda f, X, gaps, path: drawn(TrainingHistoryDisplay, f),
}


def told(fitted, rows):
    """A copy of a detector that is calibrated and has answers."""
    labels = np.where(np.arange(len(rows)) < 5, -1, 0)
    return copy.deepcopy(fitted).calibrate(-rows).refine(rows, labels)


def of_frames(explanation):
    frames = explanation.top(5), explanation.cells(2), explanation.to_frame()
    return [frame.to_numpy().tolist() for frame in frames]


@pytest.mark.parametrize("value", [1e307, -1e307, 1.7e308, 5e-324])
@pytest.mark.parametrize("column", [0, 3, 5])
def test_a_huge_or_tiny_value_is_explained_whatever_numpy_raises(
    fitted, rows, value, column
):
    changed = rows[:20].copy()
    changed[7, column] = value
    usual = of_frames(fitted.explain(changed)), pages(fitted.report(changed, n=3))
    with np.errstate(all="raise"):
        found = of_frames(fitted.explain(changed)), pages(fitted.report(changed, n=3))
    np.testing.assert_equal(found, usual)


@pytest.mark.parametrize("value", [1e307, -1.7e308])
def test_a_huge_value_is_written_whatever_numpy_raises(value):
    column = Column("a", spread=np.float64(0.1))
    with np.errstate(all="raise"):
        assert column.text(np.float64(value)) == column.text(value)


def pages(report):
    return report.to_html(), report.to_markdown(), report.to_frame().to_numpy().tolist()


def drawn(display, *of):
    """What a display draws in its axes, as numbers."""
    is_drawn_from = display in (LatentSpaceDisplay, GeneratedSamplesDisplay)
    seeded = {"random_state": 0} if is_drawn_from else {}
    made = display.from_estimator(*of, **seeded)
    figure = made.figure_
    extents = [axes.dataLim.get_points() for axes in figure.axes]
    matplotlib.pyplot.close(figure)
    return extents


def test_a_map_of_many_latent_features_draws_from_no_generator_of_the_caller(rows):
    # Of so many PCA looks at a random part.
    wide = detector(latent_dim=100, max_iter=1, evidence="reconstruction").fit(rows)
    many = np.tile(rows, (2, 1))
    before = settings_now()["generators"]
    first, second = (drawn(LatentSpaceDisplay, wide, many) for _ in range(2))
    assert settings_now()["generators"] == before
    np.testing.assert_array_equal(first, second)


def rows_with_a_gap():
    rows = np.random.default_rng(0).normal(size=(300, 3))
    rows[:20] += 10
    return rows


@cache
def of_images():
    return detector(max_iter=1).fit(images())


def images():
    return np.random.default_rng(0).random((40, 8, 8))


@contextmanager
def all_at_once():
    with ExitStack() as stack:
        for setting in SETTINGS.values():
            stack.enter_context(setting())
        yield


@pytest.mark.parametrize("door", DOORS)
def test_all_settings_together_change_nothing_at_any_door(
    door, fitted, rows, incomplete, tmp_path, usual
):
    with all_at_once():
        before = settings_now()
        found = DOORS[door](fitted, rows, incomplete, tmp_path / "there")
        assert settings_now() == before
    np.testing.assert_equal(found, usual(door))


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("door", ["fit", "score_samples"])
def test_a_setting_changes_nothing_and_is_left_as_it_was(
    door, setting, fitted, rows, incomplete, tmp_path, usual
):
    with SETTINGS[setting]():
        before = settings_now()
        found = DOORS[door](fitted, rows, incomplete, tmp_path / "there")
        assert settings_now() == before
    np.testing.assert_equal(found, usual(door))


@pytest.mark.skipif(
    not hasattr(torch.backends.mkldnn, "matmul"), reason="torch before 2.9"
)
@pytest.mark.parametrize("door", ["fit", "fit_images", "score_images"])
def test_a_precision_of_backends_changes_nothing(
    door, fitted, rows, incomplete, tmp_path, usual
):
    expected = usual(door)
    with backends_of_bfloat16():
        before = settings_now()
        found = DOORS[door](fitted, rows, incomplete, tmp_path / "there")
        assert settings_now() == before
    assert settings_now()["products"] != before["products"]
    np.testing.assert_equal(found, expected)


@pytest.mark.skipif(
    not hasattr(torch.backends.mkldnn, "matmul"), reason="torch before 2.9"
)
@pytest.mark.parametrize(
    "name, value", [("allow_tf32", True), ("fp32_precision", "tf32")]
)
def test_a_precision_of_cuda_is_put_aside_and_changes_no_other_backend(name, value):
    cuda = torch.backends.cuda.matmul
    usual = getattr(cuda, name)
    setattr(cuda, name, value)
    try:
        before = settings_now()["products"]
        assert before[-1] == "tf32"
        with undisturbed():
            assert cuda.fp32_precision == "ieee"
        assert settings_now()["products"] == before
    finally:
        setattr(cuda, name, usual)


def test_the_last_one_inside_gives_the_precision_of_products_back():
    with products_of_bfloat16():
        barrier = threading.Barrier(2)

        def look(waits_first):
            with undisturbed():
                barrier.wait()
                if waits_first:
                    barrier.wait()
                inside = torch.get_float32_matmul_precision()
            if not waits_first:
                barrier.wait()
            return inside

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(look, (True, False))) == ["highest"] * 2
        assert torch.get_float32_matmul_precision() == "medium"


def test_a_child_process_gives_the_precision_of_products_back():
    limit = _ExactProducts()
    with products_of_bfloat16(), limit():
        # As where another thread was inside, and held the lock, at the fork.
        limit._here = threading.local()
        limit._lock.acquire()
        limit.after_fork()
        assert torch.get_float32_matmul_precision() == "medium"
    assert limit._n_inside == 0


@pytest.fixture(scope="module")
def usual(fitted, rows, incomplete, tmp_path_factory):
    """Return what a door gives where nothing is set; each is opened once."""
    found = {}

    def at(door):
        if door not in found:
            path = tmp_path_factory.mktemp("usual") / "there"
            found[door] = DOORS[door](fitted, rows, incomplete, path)
        return found[door]

    return at


def test_threads_of_a_pool_are_undisturbed_too(rows, fitted):
    many = np.tile(rows, (200, 1))
    expected = fitted.score_samples(rows)
    with two_threads(), np.errstate(all="raise"), warnings_are_errors():
        scores = fitted.score_samples(many)
    np.testing.assert_allclose(scores.reshape(200, -1), [expected] * 200, rtol=1e-9)


# They run before there are threads, and where there is one only.
NOT_SHARED = {"_fitting", "_cli"}
MODULES = sorted(Path(skncae.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_module_changes_the_filters_of_warnings_that_all_threads_share(module):
    if module.stem not in NOT_SHARED:
        assert "catch_warnings" not in module.read_text("utf-8")


def test_a_score_within_a_fit_leaves_the_fit_its_one_thread(fitted, rows):
    with two_threads():
        with one_thread():
            fitted.score_samples(rows)
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2


def test_threads_that_fit_side_by_side_keep_their_own_numbers():
    barrier = threading.Barrier(2)

    def count(n_threads):
        # The first look of a thread takes over what any thread has set last.
        torch.get_num_threads()
        torch.set_num_threads(n_threads)
        barrier.wait()
        with one_thread():
            barrier.wait()
            inside = torch.get_num_threads()
            barrier.wait()
        return inside, torch.get_num_threads()

    with two_threads(), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(count, (2, 3))) == [(1, 2), (1, 3)]
        assert torch.get_num_threads() == 2


def blas_threads():
    """Threads of each BLAS, once those who are inside have had time to leave."""
    deadline = time.monotonic() + 2
    while one_thread._n_inside and time.monotonic() < deadline:
        time.sleep(1e-3)
    return [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]


def test_an_interrupt_on_the_way_in_leaves_numpy_as_it_was(fitted, rows, monkeypatch):
    def interrupted(mode):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "inference_mode", interrupted)
    with torch.no_grad(), np.errstate(all="raise"):
        before = np.geterr()
        with pytest.raises(KeyboardInterrupt):
            fitted.score_samples(rows)
        assert np.geterr() == before


def test_an_interrupt_on_the_way_out_leaves_numpy_as_it_was(monkeypatch):
    before, seterr = np.geterr(), np.seterr
    interrupts = [KeyboardInterrupt, None]

    def interrupted(**kinds):
        if kinds == before and (interrupt := interrupts.pop(0)):
            raise interrupt
        return seterr(**kinds)

    monkeypatch.setattr(np, "seterr", interrupted)
    with pytest.raises(KeyboardInterrupt), undisturbed():
        pass
    assert np.geterr() == before


@pytest.mark.parametrize("is_enabled", [True, False])
def test_gradients_that_torch_has_left_off_are_given_back(is_enabled):
    with torch.set_grad_enabled(is_enabled):
        with undisturbed():
            # As after an interrupt on the way out of no_grad.
            torch.set_grad_enabled(not is_enabled)
        assert torch.is_grad_enabled() == is_enabled


@pytest.mark.parametrize("setting", ["numpy_raises", "no_grad", "inference_mode"])
def test_a_door_that_is_left_half_open_gives_nothing_back_later(setting):
    with SETTINGS[setting]():
        before = settings_now()
        outer, inner = undisturbed(), undisturbed()
        outer.__enter__()
        # As where an interrupt comes before the body of the inner one begins: nobody
        # goes out of it, until the last reference to it is gone.
        inner.__enter__()
        outer.__exit__(None, None, None)
        del inner
        gc.collect()
        assert settings_now() == before


def test_a_child_process_waits_for_no_thread_of_its_parent():
    limit = _OneThread()
    with two_threads(), limit():
        # As where another thread was inside, and held the lock, at the fork.
        limit._here = threading.local()
        limit._lock.acquire()
        limit.after_fork()
    with limit():
        assert limit._n_inside == 1
    assert limit._n_inside == 0


FORKED = """
import os, signal, threading
import numpy as np, torch
from skncae import NCAEDetector

torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(700, 4))
detector = NCAEDetector(max_iter=5, random_state=0).fit(X)
labels = np.where(np.arange(700) < 5, -1, 0)
doors = [
    lambda: detector.explain(X), lambda: detector.encode(X),
    lambda: detector.reconstruct(X), lambda: detector.generate(700),
    lambda: detector.score_samples(X), lambda: detector.refine(X, labels),
]
for door in doors:
    door()

def score_for_ever():
    while True:
        detector.score_samples(X)

def in_a_child(doors):
    if os.fork() == 0:
        signal.alarm(20)
        for door in doors:
            door()
        os._exit(0)
    if os.wait()[1]:
        os._exit(1)

in_a_child(doors)
threading.Thread(target=score_for_ever, daemon=True).start()
for _ in range(12):
    in_a_child([lambda: detector.score_samples(X[:50])])
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork in the system")
def test_doors_of_a_table_open_in_a_forked_process_too():
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    subprocess.run(command, env=environment, timeout=60, check=True)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer of the system")
def test_an_interrupt_while_scoring_gives_all_threads_back():
    def work(_):
        time.sleep(0.002)

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        before = blas_threads()
        with two_threads():
            for delay in np.linspace(1e-4, 2e-2, 20):
                # In a lock of a thread that starts it can become an error about that,
                # and in a callback of a weak reference Python ignores it: once more.
                with pytest.raises((KeyboardInterrupt, RuntimeError)) as caught:
                    signal.setitimer(signal.ITIMER_REAL, delay, 1.0)
                    while True:
                        in_threads(work, range(6))
                signal.setitimer(signal.ITIMER_REAL, 0)
                reasons = (caught.value, caught.value.__context__)
                assert any(isinstance(reason, KeyboardInterrupt) for reason in reasons)
                # What is on the way out still holds the frames of those inside.
                gc.collect()
                assert torch.get_num_threads() == 2
                assert blas_threads() == before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
