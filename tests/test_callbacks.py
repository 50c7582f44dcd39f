"""scikit-learn's callbacks: progress, a stop on request, and life without them."""

import runpy
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skncae import _callbacks, _detector
from skncae.training._trainer import Trainer

callback = pytest.importorskip("sklearn.callback")


class Recorder:
    """Notes what happens, and asks for a stop after some rounds."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.events.append(f"end {context.task_name}")
        return self.events.count("end steps") == self.stop_after


class Propagated(Recorder):
    """A recorder that meta-estimators hand on."""

    max_propagation_depth = None


class Scores(Recorder):
    """Scores the rows with what a detector would be that stopped there."""

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.events.append((context.task_name, fitted_estimator.score_samples(X)))


ROUND = ["begin steps", "end steps"]


def test_fit_is_a_task_with_one_below_it_for_every_25_steps(fast, X):
    recorder = Recorder()
    fast(max_iter=60).set_callbacks(recorder).fit(X)
    rounds = 3 * ROUND
    assert recorder.events == ["setup", "begin fit", *rounds, "end fit", "teardown"]


def test_callbacks_do_not_change_the_scores(fast, X):
    detector = fast(max_iter=30)
    expected = clone(detector).fit(X).score_samples(X)
    for recorder in (Recorder(), Scores()):
        detector.set_callbacks(recorder).fit(X)
        np.testing.assert_array_equal(detector.score_samples(X), expected)


def test_stop_on_request_leaves_the_detector_of_so_many_steps(fast, X):
    stopped = fast(max_iter=200).set_callbacks(Recorder(stop_after=2)).fit(X)
    assert stopped.n_iter_ == 50
    assert stopped.history_["reconstruction_loss"].shape == (50, 2)
    np.testing.assert_array_equal(
        stopped.score_samples(X), fast(max_iter=50).fit(X).score_samples(X)
    )


def test_stop_on_request_tells_the_callback_of_the_end_of_the_fit(fast, X):
    recorder = Recorder(stop_after=1)
    fast(max_iter=200).set_callbacks(recorder).fit(X)
    assert recorder.events[-3:] == ["end steps", "end fit", "teardown"]


def test_early_stop_by_tol_ends_the_task_of_the_last_round(fast, X):
    recorder = Recorder()
    fast(max_iter=200, tol=3.0).set_callbacks(recorder).fit(X)
    rounds = 3 * ROUND
    assert recorder.events == ["setup", "begin fit", *rounds, "end fit", "teardown"]


def test_callback_gets_the_detector_as_if_training_had_ended_there(fast, X):
    scores = Scores()
    fast(max_iter=50).set_callbacks(scores).fit(X)
    noted = [event for event in scores.events if isinstance(event, tuple)]
    assert [name for name, _ in noted] == ["steps", "steps", "fit"]
    for (_, found), max_iter in zip(noted, (25, 50, 50), strict=True):
        expected = fast(max_iter=max_iter).fit(X).score_samples(X)
        np.testing.assert_array_equal(found, expected)


def test_scoring_monitor_logs_a_score_for_each_round_and_the_fit(fast, X, y):
    by_labels = make_scorer(roc_auc_score, response_method="decision_function")
    monitor = callback.ScoringMonitor(scoring=by_labels)
    detector = fast(max_iter=50).set_callbacks(monitor).fit(X, 1 - y)
    logged = [row["score"] for row in monitor.get_logs().data]
    assert len(logged) == 3
    assert roc_auc_score(1 - y, detector.decision_function(X)) in logged


def test_fit_refused_for_a_parameter_sets_no_callback_up(fast, X):
    recorder = Recorder()
    with pytest.raises(ValueError, match="mining_rate"):
        fast(mining_rate=2).set_callbacks(recorder).fit(X)
    assert recorder.events == []


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_interrupted_fit_tears_callbacks_down_and_leaves_the_detector_as_it_was(
    fast, X, monkeypatch, method
):
    recorder = Recorder()
    detector = fast(max_iter=60).set_callbacks(recorder)
    getattr(detector, method)(X)
    recorder.events.clear()
    before = vars(detector).copy()

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(detector, method)(X)
    assert recorder.events == ["setup", "begin fit", "begin steps", "teardown"]
    assert vars(detector) == before


def test_training_that_diverges_says_so_and_not_what_a_callback_makes_of_it(fast, X):
    detector = fast(learning_rate=1e30).set_callbacks(Scores())
    with pytest.raises(RuntimeError, match="diverged"):
        detector.fit(X)


def test_fit_without_callbacks_makes_no_tasks(fast, X, monkeypatch):
    monkeypatch.setattr(
        _detector.NCAEDetector, "_init_callback_context", None, raising=True
    )
    assert fast().fit(X).n_iter_ == 10


# --- inside meta-estimators ----------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_pipeline_hands_its_callbacks_on(fast, X, method):
    recorder = Propagated(stop_after=1)
    pipeline = make_pipeline(StandardScaler(), fast(max_iter=60))
    getattr(pipeline.set_callbacks(recorder), method)(X)
    assert pipeline[-1].n_iter_ == 25
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1


def test_own_callback_works_inside_a_grid_search(fast, X):
    recorder = Recorder()
    GridSearchCV(
        fast().set_callbacks(recorder),
        {"latent_dim": [1, 2]},
        scoring=lambda detector, X, y=None: detector.score_samples(X).mean(),
        cv=2,
    ).fit(X)
    # Two folds of two candidates, and the refit.
    assert recorder.events.count("end steps") == 5


def test_progress_bar_shows_the_detector_inside_a_search_over_a_pipeline(
    fast, X, capsys
):
    pytest.importorskip("rich")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), fast()),
        {"ncaedetector__latent_dim": [1, 2]},
        scoring=lambda detector, X, y=None: detector.score_samples(X).mean(),
        cv=2,
    )
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X)
    assert "NCAEDetector - fit" in capsys.readouterr().out


# --- without them --------------------------------------------------------------


def test_older_scikit_learn_leaves_methods_and_classes_as_they_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    names = runpy.run_path(_callbacks.__file__)
    assert not hasattr(names["CallbackSupportMixin"](), "set_callbacks")
    assert names["with_callbacks"](len) is len


def test_fit_works_without_the_callbacks_of_scikit_learn():
    code = """
import sys
import sklearn.base, sklearn.covariance, sklearn.utils
sys.modules["sklearn.callback"] = None  # importing it fails from here on
import numpy as np
from skncae import NCAEDetector
X = np.random.default_rng(0).normal(size=(50, 3))
detector = NCAEDetector(n_estimators=2, max_iter=30, random_state=0).fit(X)
detector.partial_fit(X).set_params(tol=3.0).fit(X)
assert detector.predict(X).shape == (50,)
assert not hasattr(detector, "set_callbacks")
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_file_of_a_detector_leaves_its_callbacks_out(fast, X, tmp_path):
    recorder = Recorder()
    detector = fast().set_callbacks(recorder).fit(X)
    detector.save(tmp_path / "detector.safetensors")
    loaded = type(detector).load(tmp_path / "detector.safetensors")
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))
    assert vars(loaded).keys() == vars(detector).keys() - {"_skl_callbacks"}
    before = len(recorder.events)
    detector.fit(X)
    assert len(recorder.events) > before
