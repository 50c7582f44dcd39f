"""A Pipeline is explained in the columns that go into it, as far as its steps allow."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)

import skncae
from skncae.pyod import NCAE


@pytest.fixture
def frame(X):
    frame = pd.DataFrame(100 + 10 * X, columns=list("abcde"), index=np.arange(200) + 50)
    frame.loc[60, "c"] = 900.0
    return frame


@pytest.fixture
def mixed(frame):
    rng = np.random.default_rng(1)
    city = rng.choice(["Rome", "Oslo"], len(frame)).astype(object)
    return frame.assign(city=city, flag=rng.choice(["y", "n"], len(frame)))


def fitted(frame, fast, *steps):
    return make_pipeline(*steps, fast(contamination=0.05)).fit(frame)


def test_scaled_columns_are_explained_in_the_units_before(frame, fast):
    pipeline = fitted(frame, fast, StandardScaler(), MinMaxScaler())
    explanation = skncae.explain(pipeline, frame)
    assert explanation.feature_names.tolist() == list("abcde")
    np.testing.assert_array_equal(explanation.values.astype(float), frame)
    np.testing.assert_allclose(explanation.errors, -pipeline.score_samples(frame))
    scaled = pipeline[:-1].transform(frame)
    back = pipeline[:-1].inverse_transform(pipeline[-1].reconstruct(scaled))
    np.testing.assert_allclose(explanation.expected.astype(float), back)
    assert explanation.index.equals(frame.index)
    first = explanation.top(1)
    assert first.index[0] == 60 and first.why[60].startswith("c = 900")


def test_one_hot_columns_are_one_column_again(mixed, fast):
    steps = make_column_transformer(
        (StandardScaler(), list("abc")),
        (OneHotEncoder(sparse_output=False), ["city", "flag"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["d"]),
    )
    pipeline = fitted(mixed, fast, steps)
    explanation = skncae.explain(pipeline, mixed)
    assert explanation.feature_names.tolist() == mixed.columns.tolist()
    np.testing.assert_allclose(explanation.errors, -pipeline.score_samples(mixed))
    inside = pipeline[-1].explain(steps.transform(mixed)).contributions
    city = explanation.feature_names.tolist().index("city")
    np.testing.assert_allclose(
        explanation.contributions[:, city], inside[:, 3:5].sum(1)
    )
    assert set(explanation.expected[:, city]) <= {"Rome", "Oslo"}
    # It was left out, so nothing is expected of it and nothing speaks against it.
    left_out = explanation.feature_names.tolist().index("e")
    assert (explanation.contributions[:, left_out] == 0).all()
    assert set(explanation.expected[:, left_out]) == {None}
    assert explanation.cells(k=1).feature[10] == "c"


def test_columns_that_are_selected_or_passed_through_keep_their_names(frame, fast):
    frame = frame.assign(constant=1.0)
    steps = ColumnTransformer(
        [("kept", "passthrough", slice("a", "c")), ("dropped", "drop", ["d"])],
        remainder="passthrough",
    )
    pipeline = fitted(frame, fast, VarianceThreshold(), StandardScaler())
    explanation = skncae.explain(pipeline, frame)
    assert explanation.feature_names.tolist() == frame.columns.tolist()
    assert (explanation.contributions[:, -1] == 0).all()
    explanation = skncae.explain(fitted(frame, fast, steps), frame)
    assert explanation.feature_names.tolist() == frame.columns.tolist()
    assert (explanation.contributions[:, 3] == 0).all()
    assert (explanation.contributions[:, [0, 2, 4]] > 0).any()


def test_expected_is_unknown_where_a_step_cannot_be_undone(frame, fast):
    log = FunctionTransformer(np.log, feature_names_out="one-to-one")
    frame = frame.abs() + 1
    explanation = skncae.explain(fitted(frame, fast, log), frame)
    assert explanation.feature_names.tolist() == list("abcde")
    assert set(explanation.expected.ravel()) == {None}
    assert "expected" not in explanation.sentence(0)


def test_after_a_step_that_mixes_columns_the_words_are_of_what_it_makes(frame, fast):
    pipeline = fitted(frame, fast, StandardScaler(), PCA(3), StandardScaler())
    explanation = skncae.explain(pipeline, frame)
    assert explanation.contributions.shape == (200, 3)
    before = pipeline[:-2].transform(frame)
    np.testing.assert_allclose(explanation.values.astype(float), before)
    assert explanation.index.equals(frame.index)


def test_pipeline_in_a_pipeline_is_gone_through(frame, fast):
    inner = Pipeline([("scale", StandardScaler()), ("detector", fast())])
    pipeline = Pipeline([("first", MinMaxScaler()), ("last", inner)]).fit(frame)
    explanation = skncae.explain(pipeline, frame)
    np.testing.assert_array_equal(explanation.values.astype(float), frame)


def test_detector_alone_is_explained_as_by_its_method(frame, fast):
    detector = fast().fit(frame)
    np.testing.assert_array_equal(
        skncae.explain(detector, frame).contributions,
        detector.explain(frame).contributions,
    )


@pytest.mark.parametrize("door", [skncae.explain, skncae.report])
def test_what_is_no_detector_is_refused_by_name(X, fast, door):
    pyod = NCAE(max_iter=5, n_estimators=1).fit(X)
    with pytest.raises(TypeError, match="got NCAE.*its detector_"):
        door(pyod, X)
    with pytest.raises(TypeError, match="got StandardScaler"):
        door(make_pipeline(StandardScaler()).fit(X), X)


def test_report_of_a_pipeline_speaks_of_its_own_columns(mixed, fast):
    steps = make_column_transformer(
        (StandardScaler(), list("abcde")), (OneHotEncoder(), ["city", "flag"])
    )
    steps.sparse_threshold = 0
    report = skncae.report(fitted(mixed, fast, steps), mixed, n=3)
    first = report.rows[0]
    assert first["label"] == 60 and "c = 900" in first["why"]
    assert [cell[0] for cell in first["cells"]] == mixed.columns.tolist()
