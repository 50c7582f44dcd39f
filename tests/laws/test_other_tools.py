"""Tools of others see one detector."""

import sys
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skncae import NCAEDetector
from skncae.pyod import NCAE

skl2onnx = pytest.importorskip("skl2onnx")

X = np.random.default_rng(0).normal(size=(200, 4))


def detector(**parameters):
    small = {"n_estimators": 2, "max_iter": 5, "random_state": 0}
    return NCAEDetector(**small | parameters)


def run(model, rows):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    name = session.get_inputs()[0].name
    return [output.ravel() for output in session.run(None, {name: rows})]


PIPELINES = {
    "alone": lambda: make_pipeline(detector()),
    "scaled": lambda: make_pipeline(StandardScaler(), detector()),
    "in turn": lambda: make_pipeline(StandardScaler(), StandardScaler(), detector()),
    "by column": lambda: make_pipeline(
        make_column_transformer((StandardScaler(), [0, 2]), ("passthrough", [1, 3])),
        detector(evidence="reconstruction"),
    ),
}


@pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)
def test_a_pipeline_goes_to_onnx_in_one_call(make):
    pipeline = make().fit(X)
    label, scores = run(skl2onnx.to_onnx(pipeline, X[:1]), X)
    np.testing.assert_array_equal(label, pipeline.predict(X))
    np.testing.assert_allclose(scores, pipeline.decision_function(X), atol=1e-7)


def test_a_detector_goes_to_onnx_by_skl2onnx():
    model = detector().fit(X)
    label, scores = run(skl2onnx.to_onnx(model, X[:1]), X)
    np.testing.assert_array_equal(label, model.predict(X))
    np.testing.assert_allclose(scores, model.decision_function(X), atol=1e-7)


def test_rows_of_float32_are_scored_as_they_are():
    model, rows = detector().fit(X), X.astype(np.float32)
    label, scores = run(skl2onnx.to_onnx(model, rows[:1]), rows)
    np.testing.assert_array_equal(label, model.predict(rows))
    np.testing.assert_allclose(scores, model.decision_function(rows), atol=1e-7)


def test_two_detectors_fit_into_one_process_each_with_its_names():
    models = [detector(random_state=seed).fit(X) for seed in (1, 2)]
    for model in models:
        _, scores = run(skl2onnx.to_onnx(model, X[:1]), X)
        np.testing.assert_allclose(scores, model.decision_function(X), atol=1e-7)


def test_an_old_opset_is_refused_by_name():
    with pytest.raises(ValueError, match="target_opset=15"):
        skl2onnx.to_onnx(detector().fit(X), X[:1], target_opset=15)


@pytest.mark.parametrize("evidence", ["auto", "dictionary", "tails"])
def test_a_model_scores_no_rows(tmp_path, evidence):
    path = tmp_path / "detector.onnx"
    detector(evidence=evidence).fit(X).to_onnx(path)
    session = onnxruntime.InferenceSession(path)
    assert [out.shape for out in session.run(None, {"X": X[:0]})] == [(0,)] * 3


def test_pyods_face_has_what_scikit_learns_has():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    face = NCAE(n_estimators=2, max_iter=5, random_state=0)
    for name in ("n_features_in_", "feature_names_in_", "n_iter_"):
        assert not hasattr(face, name)
    face.fit(frame)
    assert face.n_features_in_ == 4
    assert face.n_iter_ == 5
    assert face.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert not hasattr(face.fit(X), "feature_names_in_")


@pytest.fixture
def mlflow(tmp_path):
    """MLflow with a store of its own, logging by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("mlflow")
        pytest.importorskip("mlflow.sklearn")
    pytest.importorskip("sqlalchemy")
    module.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    module.create_experiment("here", artifact_location=str(tmp_path))
    module.set_experiment("here")
    module.sklearn.autolog(log_models=False, silent=True)
    yield module
    module.sklearn.autolog(disable=True, silent=True)
    module.set_tracking_uri(None)


@pytest.mark.filterwarnings("ignore")
def test_a_fit_is_one_run_of_its_name_in_mlflow(mlflow):
    def names():
        runs = mlflow.search_runs(output_format="list")
        return sorted(run.data.tags["estimator_name"] for run in runs)

    detector().fit(X)
    assert names() == ["NCAEDetector"]
    (run,) = mlflow.search_runs(output_format="list")
    assert run.info.run_name == "NCAEDetector"
    assert run.data.params["max_iter"] == "5"
    assert run.data.metrics == {"contamination": 0.1}
    make_pipeline(StandardScaler(), detector()).fit(X)
    assert names() == ["NCAEDetector", "Pipeline"]
    with pytest.raises(ValueError, match="NaN"):
        detector().fit(np.full((3, 2), np.nan))
    assert mlflow.active_run() is None
    assert len(names()) == 3
    mlflow.sklearn.autolog(disable=True, silent=True)
    detector().fit(X)
    assert len(names()) == 3


def stand_in(monkeypatch, **functions):
    """Put something in the place of MLflow that logs by itself."""
    utils = SimpleNamespace(autologging_is_disabled=lambda _: False)
    functions |= {"utils": SimpleNamespace(autologging_utils=utils)}
    module = SimpleNamespace(active_run=lambda: None, **functions)
    for name in ("mlflow", "mlflow.sklearn"):
        monkeypatch.setitem(sys.modules, name, module)


# No machine of ours has MLflow: what a fit asks of it is seen here.
def test_a_fit_tells_mlflow_its_name_its_parameters_and_the_share(monkeypatch):
    told = {}

    def tell(name, *arguments, **named):
        told[name] = arguments or named
        return "a run"

    names = ("start_run", "set_tags", "log_params", "log_metric", "end_run")
    stand_in(monkeypatch, **{name: partial(tell, name) for name in names})
    detector().fit(X)
    assert list(told) == list(names)
    assert told["start_run"] == {"run_name": "NCAEDetector"}
    assert told["set_tags"][0]["estimator_class"] == "skncae.NCAEDetector"
    assert told["log_params"] == (detector().get_params(),)
    assert told["log_metric"] == ("contamination", 0.1)
    assert told["end_run"] == {}
    with pytest.raises(ValueError, match="NaN"):
        detector().fit(np.full((3, 2), np.nan))
    assert told["end_run"] == ("FAILED",)


def test_a_fit_goes_on_where_mlflow_fails(monkeypatch):
    def start_run(**_):
        raise OSError("no server")

    stand_in(monkeypatch, start_run=start_run)
    with pytest.warns(UserWarning, match="no server"):
        detector().fit(X)


def test_a_fit_is_none_of_the_fits_of_scikit_learn(monkeypatch):
    # What MLflow's autolog does: it watches the fits of all estimators there.
    from sklearn.utils import all_estimators

    seen = []
    for name, estimator in all_estimators():
        monkeypatch.setattr(
            estimator, "fit", lambda self, *_, name=name, **__: seen.append(name)
        )
    detector().fit(X)
    assert seen == []
