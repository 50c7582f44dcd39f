"""What NCAEDetector promises."""

import os
import subprocess
import sys
import threading
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import roc_auc_score

from skncae import NCAEDetector, _fitting
from skncae._threads import one_thread
from skncae.training._trainer import HISTORY, Trainer

# --- scores and labels ---------------------------------------------------------


def test_score_samples_are_float64_one_a_row_and_finite(fast, X):
    scores = fast().fit(X).score_samples(X)
    assert scores.shape == (len(X),) and scores.dtype == np.float64
    assert np.isfinite(scores).all()


def test_decision_function_is_score_samples_minus_offset(fast, X):
    detector = fast().fit(X)
    np.testing.assert_array_equal(
        detector.decision_function(X), detector.score_samples(X) - detector.offset_
    )


def test_threshold_is_minus_offset(fast, X):
    detector = fast().fit(X)
    assert isinstance(detector.threshold_, float)
    assert detector.threshold_ == -detector.offset_


def test_predict_calls_rows_whose_error_exceeds_the_threshold_outliers(fast, X):
    detector = fast().fit(X)
    expected = np.where(-detector.score_samples(X) > detector.threshold_, -1, 1)
    np.testing.assert_array_equal(detector.predict(X), expected)
    assert set(expected) == {-1, 1}


def test_row_exactly_at_the_threshold_is_an_inlier(fast, X):
    detector = fast().fit(X)
    detector.offset_ = detector.score_samples(X[:1])[0]
    assert detector.predict(X[:1]) == [1]


def test_fit_predict_is_fit_then_predict(fast, X):
    np.testing.assert_array_equal(fast().fit_predict(X), fast().fit(X).predict(X))


@pytest.mark.parametrize("contamination", [0.005, 0.05, 0.1, 0.25, 0.5])
def test_share_of_training_rows_flagged_is_the_contamination(fast, X, contamination):
    labels = fast(contamination=contamination).fit_predict(X)
    assert np.count_nonzero(labels == -1) == contamination * len(X)


def test_scores_do_not_depend_on_contamination(fast, X):
    few, many = (fast(contamination=c).fit(X).score_samples(X) for c in (0.01, 0.4))
    np.testing.assert_array_equal(few, many)


def test_planted_outliers_are_found(X, y):
    detector = NCAEDetector(n_estimators=4, max_iter=100, random_state=0).fit(X)
    assert roc_auc_score(y, -detector.score_samples(X)) > 0.95


def test_reconstruction_error_alone_finds_the_planted_outliers(X, y):
    detector = NCAEDetector(
        n_estimators=4, max_iter=150, evidence="reconstruction", random_state=0
    ).fit(X)
    assert roc_auc_score(y, -detector.score_samples(X)) > 0.95


@pytest.mark.parametrize(
    "ablation",
    [
        {"mining_rate": 0.0},
        {"sample_discriminator": False},
        {"latent_discriminator": False},
        {"calibration_rounds": 0},
        {"mining": "reconstruction"},
        {"mining": "latent_distance"},
        {"mining": "latent_density"},
        {"evidence": "reconstruction"},
        {"evidence": ("tails",)},
        {"evidence": ["dictionary", "tails"]},
        {"scaling": "minmax"},
        {"scaling": "standardized"},
        {"decay_steps": 3},
        {"precision": "bfloat16"},
        {"hidden_units": [6]},
        {"generation_scale": 2.0},
        {"dictionary_size": 1},
    ],
)
def test_parameter_changes_the_scores(fast, X, ablation):
    changed = fast(**ablation).fit(X).score_samples(X)
    assert np.isfinite(changed).all()
    assert not np.allclose(changed, fast().fit(X).score_samples(X))


def test_configuration_of_the_paper_can_be_written_down(X):
    detector = NCAEDetector(
        n_estimators=1,
        hidden_units=(32, 16),
        latent_dim=8,
        scaling="minmax",
        calibration_rounds=0,
        mining="similarity",
        mining_rate=0.1,
        generation_scale=0.1,
        evidence="reconstruction",
        max_iter=20,
        batch_size=128,
        learning_rate=0.01,
        decay_steps=20,
        random_state=0,
    ).fit(X)
    assert detector.history_["reconstruction_loss"].shape == (20, 1)
    assert (detector.score_samples(X) <= 0).all()


# --- reconstruct ---------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["whitened", "standardized", "minmax"])
def test_reconstruct_is_close_to_correlated_rows_in_their_units(scaling):
    rng = np.random.default_rng(0)
    t = rng.normal(size=(400, 1))
    X = t * [1.0, 100.0, -2.0] + [0.0, 500.0, 3.0]
    X += 0.05 * X.std(0) * rng.normal(size=X.shape)
    detector = NCAEDetector(
        n_estimators=4,
        max_iter=200,
        mining_rate=0.0,
        sample_discriminator=False,
        latent_discriminator=False,
        scaling=scaling,
        random_state=0,
    ).fit(X)
    expected = detector.reconstruct(X)
    assert expected.shape == X.shape and expected.dtype == np.float64
    assert ((expected - X).std(0) < 0.6 * X.std(0)).all()


# --- fitted attributes ---------------------------------------------------------


def test_history_has_every_loss_of_every_step_and_member(fast, X):
    history = fast(n_estimators=3, max_iter=7).fit(X).history_
    assert set(history) == set(HISTORY)
    for values in history.values():
        assert isinstance(values, np.ndarray)
        assert values.shape == (7, 3)


def test_reconstruction_loss_falls_during_training(fast, X, y):
    detector = fast(max_iter=150, mining_rate=0.0).fit(X[y == 0])
    loss = detector.history_["reconstruction_loss"]
    assert loss[-20:].mean() < 0.9 * loss[:20].mean()


def test_mining_share_is_the_share_of_the_batch_that_is_mined(fast, X):
    detector = fast(mining_rate=0.2, batch_size=64).fit(X)
    assert isinstance(detector.mining_share_, float)
    assert detector.mining_share_ == pytest.approx(13 / 64)  # ceil(0.2 * 64)
    assert fast(mining_rate=0.0).fit(X).mining_share_ == 0.0


def test_n_iter_is_max_iter(fast, X):
    assert fast(max_iter=3).fit(X).n_iter_ == 3


def test_number_of_steps_is_that_of_the_shape_of_the_rows(X):
    of_table = NCAEDetector(random_state=0).fit(X)
    images = np.random.default_rng(0).normal(size=(12, 8, 8))
    of_images = NCAEDetector(evidence="reconstruction", random_state=0).fit(images)
    assert of_table.n_iter_ == 70
    assert of_images.n_iter_ == 200
    for detector in (of_table, of_images):
        losses = detector.history_["reconstruction_loss"]
        assert losses.shape == (detector.n_iter_, 2)


def test_device_is_named(fast, X):
    assert fast(device="cpu").fit(X).device_ == "cpu"


def test_auto_device_is_the_gpu_if_there_is_one(monkeypatch):
    for available, name in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: available)  # noqa: B023
        assert _fitting.torch_device("auto").type == name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_scores_trained_on_the_gpu_rank_like_those_trained_on_the_cpu(X, y):
    for device in ("cpu", "cuda"):
        detector = NCAEDetector(random_state=0, device=device).fit(X)
        assert roc_auc_score(y, -detector.score_samples(X)) > 0.95


def test_n_features_in_is_the_number_of_columns(fast, X):
    detector = fast().fit(X)
    assert detector.n_features_in_ == X.shape[1]
    assert not hasattr(detector, "feature_names_in_")


@pytest.mark.parametrize(
    "method", ["score_samples", "decision_function", "predict", "reconstruct"]
)
def test_method_before_fit_raises_not_fitted(fast, X, method):
    with pytest.raises(NotFittedError, match="NCAEDetector"):
        getattr(fast(), method)(X)


def test_more_rows_than_it_learns_from_are_scored_and_thresholded(fast, X, monkeypatch):
    monkeypatch.setattr(_fitting, "MAX_TRAINING_ROWS", 50)
    detector = fast(contamination=0.1).fit(X)
    assert np.count_nonzero(detector.predict(X) == -1) == 20
    # As many bins as the root of the rows, and two that are beyond all of them.
    rarity = next(c for c in detector._scorer.components if c.evidence.name == "rarity")
    assert len(rarity.evidence.values) == 8 + 2


# --- verbose -------------------------------------------------------------------


def test_verbose_0_is_silent(fast, X, capfd):
    fast(verbose=0).fit(X).predict(X)
    assert capfd.readouterr() == ("", "")


def test_verbose_1_shows_one_progress_bar_on_stderr(fast, X, capfd):
    fast(verbose=1).fit(X)
    out, err = capfd.readouterr()
    assert out == ""
    assert "NCAE" in err and "10/10" in err


# --- determinism ---------------------------------------------------------------


def test_same_seed_gives_identical_scores_on_refit_and_on_a_clone(fast, X):
    detector = fast().fit(X)
    scores = detector.score_samples(X)
    for again in (detector.fit(X), clone(detector).fit(X)):
        np.testing.assert_array_equal(again.score_samples(X), scores)


def test_other_seed_gives_other_scores(fast, X):
    first, second = (fast(random_state=s).fit(X).score_samples(X) for s in (0, 1))
    assert not np.allclose(first, second)


def test_no_seed_gives_other_scores_every_time(fast, X):
    first, second = (fast(random_state=None).fit(X).score_samples(X) for _ in "ab")
    assert not np.allclose(first, second)


def test_random_state_instance_is_drawn_from(fast, X):
    random_state = np.random.RandomState(0)
    first = fast(random_state=random_state).fit(X).score_samples(X)
    second = fast(random_state=random_state).fit(X).score_samples(X)
    assert not np.allclose(first, second)
    again = fast(random_state=np.random.RandomState(0)).fit(X).score_samples(X)
    np.testing.assert_array_equal(first, again)


def test_same_seed_gives_identical_scores_in_a_subprocess(fast, X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    code = f"""
import numpy as np
from skncae import NCAEDetector
X = np.load(r"{tmp_path / "X.npy"}")
detector = NCAEDetector(n_estimators=2, max_iter=10, random_state=0).fit(X)
np.save(r"{tmp_path / "scores.npy"}", detector.score_samples(X))
"""
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    environment = os.environ | threads | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    np.testing.assert_array_equal(
        np.load(tmp_path / "scores.npy"), fast().fit(X).score_samples(X)
    )


def test_scores_with_one_and_two_threads_are_equal_to_1e_6(torch_threads):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 30)) @ rng.normal(size=(30, 30))
    scores = []
    for n_threads in (1, 2):
        torch_threads(n_threads)
        detector = NCAEDetector(n_estimators=4, max_iter=50, random_state=0).fit(X)
        scores.append(detector.score_samples(X))
    np.testing.assert_allclose(*scores, rtol=1e-6)


def test_global_generators_are_untouched(fast, X):
    numpy_state, torch_state = np.random.get_state(), torch.get_rng_state()
    fast().fit(X).score_samples(X)
    fast(random_state=None).fit(X)
    for before, after in zip(numpy_state[1:], np.random.get_state()[1:], strict=True):
        np.testing.assert_array_equal(before, after)
    assert torch.equal(torch_state, torch.get_rng_state())


@pytest.mark.parametrize("learning_rate", [1e-3, 1e30])
def test_torch_settings_are_untouched_also_by_a_fit_that_fails(
    fast, X, torch_threads, learning_rate
):
    torch_threads(2)
    detector = fast(learning_rate=learning_rate)
    try:
        detector.fit(X).score_samples(X)
    except RuntimeError:
        assert learning_rate == 1e30
    assert torch.get_num_threads() == 2
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_training_takes_one_thread(fast, X, torch_threads, monkeypatch):
    torch_threads(2)
    original, seen = Trainer._step, []

    def step(*args):
        seen.append(torch.get_num_threads())
        return original(*args)

    monkeypatch.setattr(Trainer, "_step", step)
    fast(max_iter=2).fit(X)
    assert seen == [1, 1]


def test_each_of_two_fits_side_by_side_gives_its_torch_threads_back(torch_threads):
    torch_threads(2)
    numbers, other_is_in, this_is_out = {}, threading.Event(), threading.Event()

    def other():
        with one_thread():
            numbers["other inside"] = torch.get_num_threads()
            other_is_in.set()
            this_is_out.wait(60)
            numbers["other still inside"] = torch.get_num_threads()
        numbers["other after"] = torch.get_num_threads()

    thread = threading.Thread(target=other)
    with one_thread():
        thread.start()
        other_is_in.wait(60)
    numbers["this after"] = torch.get_num_threads()
    this_is_out.set()
    thread.join()
    assert numbers == {
        "other inside": 1,
        "other still inside": 1,
        "other after": 2,
        "this after": 2,
    }


def test_fits_in_threads_side_by_side_are_those_one_after_the_other(fast, X):
    seeds = range(4)
    scores = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(lambda seed: fast(random_state=seed).fit_predict(X))(seed)
        for seed in seeds
    )
    for seed, labels in zip(seeds, scores, strict=True):
        np.testing.assert_array_equal(labels, fast(random_state=seed).fit_predict(X))


def test_fit_works_where_the_caller_switched_gradients_off(fast, X):
    expected = fast().fit(X).score_samples(X)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            detector = fast().fit(X)
            assert not torch.is_grad_enabled()
        np.testing.assert_array_equal(detector.score_samples(X), expected)


def test_fit_works_with_another_default_dtype(fast, X):
    expected = fast().fit(X).score_samples(X)
    torch.set_default_dtype(torch.float64)
    try:
        scores = fast().fit(X).score_samples(X)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_score_of_a_duplicate_does_not_depend_on_its_neighbours(fast):
    # Of at most 81 kinds: rounding of their errors must not decide on the surprise.
    X = np.random.default_rng(0).integers(0, 3, size=(700, 4)).astype(float)
    detector = fast().fit(X)
    for size in (1, 2):
        parts = np.split(X[:200], 200 // size)
        scores = [detector.score_samples(rows) for rows in parts]
        np.testing.assert_allclose(
            np.concatenate(scores), detector.training_scores_[:200], rtol=0, atol=1e-9
        )


def test_score_of_a_row_does_not_depend_on_its_neighbours(fast, X):
    detector = fast(n_estimators=5).fit(X)
    scores = detector.score_samples(X)
    alone = np.concatenate([detector.score_samples(row[None]) for row in X])
    shuffled = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(alone, scores, rtol=1e-6)
    np.testing.assert_allclose(
        detector.score_samples(X[shuffled]), scores[shuffled], rtol=1e-6
    )


def test_fit_and_scores_do_not_change_the_rows(fast, X):
    rows = X.copy()
    fast().fit(rows).score_samples(rows)
    np.testing.assert_array_equal(rows, X)


# --- when fit fails ------------------------------------------------------------


def interrupt(monkeypatch, at_step, error=KeyboardInterrupt):
    """Let the training raise at the given step."""
    original, steps = Trainer._step, []

    def step(*args):
        steps.append(None)
        if len(steps) == at_step:
            raise error
        return original(*args)

    monkeypatch.setattr(Trainer, "_step", step)
    return steps


def test_interrupted_fit_leaves_an_unfitted_detector_unfitted(fast, X, monkeypatch):
    steps = interrupt(monkeypatch, at_step=5)
    detector = fast()
    before = vars(detector).copy()
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X)
    assert len(steps) == 5
    assert vars(detector) == before
    with pytest.raises(NotFittedError):
        detector.predict(X)


def test_interrupted_fit_leaves_a_fitted_detector_as_it_was(fast, X, monkeypatch):
    detector = fast().fit(X)
    before, scores = vars(detector).copy(), detector.score_samples(X)
    interrupt(monkeypatch, at_step=5)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(np.random.default_rng(1).normal(size=(50, 3)))
    assert vars(detector) == before
    np.testing.assert_array_equal(detector.score_samples(X), scores)


def test_refused_rows_leave_a_fitted_detector_as_it_was(fast, X):
    detector = fast().fit(X)
    before, scores = vars(detector).copy(), detector.score_samples(X)
    with pytest.raises(ValueError, match="NaN"):
        detector.fit([[1.0, np.nan, 3.0]])
    assert vars(detector) == before
    np.testing.assert_array_equal(detector.score_samples(X), scores)


@pytest.mark.parametrize("max_iter", [1, 20])
@pytest.mark.parametrize("sample_discriminator", [True, False])
def test_training_that_diverges_raises_and_leaves_the_detector_as_it_was(
    fast, X, max_iter, sample_discriminator
):
    detector = fast(max_iter=max_iter, sample_discriminator=sample_discriminator).fit(X)
    before, scores = vars(detector).copy(), detector.score_samples(X)
    detector.set_params(learning_rate=1e30)
    with pytest.raises(RuntimeError, match=r"diverged.*learning_rate \(it is 1e\+30\)"):
        detector.fit(X)
    assert vars(detector) == before | {"learning_rate": 1e30}
    np.testing.assert_array_equal(detector.score_samples(X), scores)


def test_collapse_to_one_score_warns_with_the_remedy(fast):
    # By its ranks alone, each of the two rows is as far out as the other.
    detector = fast(evidence="tails")
    with pytest.warns(ConvergenceWarning, match="same score.*Raise max_iter") as caught:
        detector.fit([[0.0, 1.0], [1.0, 0.0]])
    assert caught[0].filename == __file__
    assert (detector.predict([[0.0, 1.0], [1.0, 0.0]]) == 1).all()


def test_identical_rows_with_one_score_do_not_warn(fast):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fast().fit(np.ones((20, 3)))


def test_fits_side_by_side_give_the_blas_threads_back(fast, X):
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_info

    def blas_threads():
        return [
            pool["num_threads"]
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        ]

    before = blas_threads()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda seed: fast(random_state=seed).fit(X), range(4)))
    assert blas_threads() == before


def test_training_scores_are_those_of_the_training_rows(fast, X):
    detector = fast().fit(X)
    np.testing.assert_array_equal(detector.training_scores_, detector.score_samples(X))
