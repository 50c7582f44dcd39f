"""Answers: what refine learns, and what it must not do."""

import pickle

import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from skncae import NCAEDetector
from skncae.feedback._mixin import OF_SCORES
from skncae.feedback._refined import Lessons
from skncae.pyod import NCAE

N_ROWS, N_FEATURES = 240, 4
# Two groups of odd rows, of which only one is what the reviewer looks for.
WANTED, UNWANTED = np.arange(8), np.arange(8, 16)


def rows():
    X = np.random.default_rng(0).normal(size=(N_ROWS, N_FEATURES))
    X[WANTED, 0] += 5
    X[UNWANTED, 1] += 5
    return X


@pytest.fixture(scope="module")
def fitted_once():
    return NCAEDetector(n_estimators=2, max_iter=30, random_state=0).fit(rows())


@pytest.fixture
def detector(fitted_once):
    return pickle.loads(pickle.dumps(fitted_once))


def labels_of(outliers=(), inliers=()):
    labels = np.zeros(N_ROWS, dtype=int)
    labels[list(outliers)], labels[list(inliers)] = -1, 1
    return labels


def facts(detector):
    return {
        "scores": detector.score_samples(rows()),
        "training": detector.training_scores_,
        "threshold": detector.threshold_,
        "offset": detector.offset_,
        "share": detector.contamination_,
        "weights": detector.weights_.to_numpy(),
    }


def assert_same(one, other, tolerance=0.0):
    for name, value in facts(one).items():
        np.testing.assert_allclose(
            facts(other)[name], value, tolerance, tolerance, err_msg=name
        )


answers = st.lists(
    st.tuples(st.integers(0, N_ROWS - 1), st.sampled_from([-1, 1])),
    min_size=1,
    max_size=30,
    unique_by=lambda answer: answer[0],
)
few = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_answers_put_the_wanted_rows_before_the_unwanted_ones(detector):
    detector.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    scores = detector.score_samples(rows())
    assert scores[WANTED[4:]].max() < scores[UNWANTED[4:]].min()


def test_weight_of_the_column_that_misleads_falls_and_is_said(detector):
    detector.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    weights = detector.weights_
    assert list(weights.columns) == ["x0", "x1", "x2", "x3"]
    assert weights.index[0] == "reconstruction"
    assert weights["x1"].mean() < weights["x0"].mean()
    lessons = detector.lessons_.set_index("feature")
    assert lessons["weight"].idxmin() == "x1"
    assert lessons.loc["x1", "weight"] < 0.93 < lessons["weight"].drop("x1").min()
    assert lessons.loc["x1", "sentence"].endswith(
        "4 of 4 such rows were called normal."
    )


@pytest.mark.parametrize(
    "weight, n_rows, n_inliers, said",
    [
        (1.0, 1, 1, "1 of 1 such row was called normal."),
        (0.5, 3, 1, "1 of 3 such rows was called normal."),
        (2.0, 3, 2, "1 of 3 such rows was called an outlier."),
        (2.0, 1, 1, "0 of 1 such row was called an outlier."),
        (2.0, 3, 1, "2 of 3 such rows were called outliers."),
        (2.0, 3, 3, "0 of 3 such rows were called outliers."),
    ],
)
def test_lesson_of_one_row_is_of_one(weight, n_rows, n_inliers, said):
    learnt = Lessons(*(np.array([value]) for value in (weight, n_rows, n_inliers)))
    assert learnt.sentence(0, "a").endswith(said)


def test_weights_are_one_before_answers(fitted_once):
    assert (fitted_once.weights_ == 1).all(axis=None)
    assert fitted_once.lessons_.empty


@few
@given(answers=answers)
def test_forget_undoes_refine(fitted_once, answers):
    detector = pickle.loads(pickle.dumps(fitted_once))
    index, labels = zip(*answers, strict=True)
    detector.refine(rows(), pd.Series(labels, index))
    assert_same(fitted_once, detector.forget())


@few
@given(answers=answers, cut=st.integers(0, 30))
def test_answers_at_once_teach_what_they_teach_one_after_the_other(
    fitted_once, answers, cut
):
    one, other = (pickle.loads(pickle.dumps(fitted_once)) for _ in range(2))
    index, labels = map(list, zip(*answers, strict=True))
    one.refine(rows(), pd.Series(labels, index))
    other.refine(rows(), pd.Series(labels[cut:], index[cut:], dtype=float))
    other.refine(rows(), pd.Series(labels[:cut], index[:cut], dtype=float))
    assert_same(one, other)


@few
@given(answers=answers)
def test_all_answers_again_teach_nothing_new(fitted_once, answers):
    detector = pickle.loads(pickle.dumps(fitted_once))
    index, labels = map(list, zip(*answers, strict=True))
    detector.refine(rows(), pd.Series(labels, index))
    again = pickle.loads(pickle.dumps(detector))
    assert_same(detector, again.refine(rows(), pd.Series(labels, index)))


@few
@given(answers=answers)
def test_training_scores_are_the_scores_and_the_share_stays(fitted_once, answers):
    detector = pickle.loads(pickle.dumps(fitted_once))
    index, labels = zip(*answers, strict=True)
    detector.refine(rows(), pd.Series(labels, index))
    scores = detector.score_samples(rows())
    np.testing.assert_array_equal(detector.training_scores_, scores)
    assert np.isfinite(scores).all()
    flagged = (detector.predict(rows()) == -1).mean()
    assert flagged == pytest.approx(detector.contamination_)
    # Rows of one score may keep a few from being flagged.
    assert detector.contamination_ <= 0.1 + 1e-9


def test_score_of_a_row_does_not_depend_on_its_neighbours(detector):
    X = rows()
    detector.refine(X, labels_of(WANTED[:4], UNWANTED[:4]))
    together = detector.score_samples(X)
    alone = [detector.score_samples(row[None])[0] for row in X[:20]]
    np.testing.assert_allclose(alone, together[:20], rtol=1e-12)


def test_contributions_add_up_to_the_refined_errors(detector):
    X = rows()
    before = detector.explain(X).contributions
    detector.refine(X, labels_of(WANTED[:4], UNWANTED[:4]))
    explanation = detector.explain(X)
    assert (explanation.contributions >= 0).all()
    np.testing.assert_allclose(
        explanation.contributions.sum(1), -detector.score_samples(X), rtol=1e-9
    )
    shares = (
        values / values.sum(1, keepdims=True)
        for values in (before, explanation.contributions)
    )
    was, now = (share[UNWANTED, 1].mean() for share in shares)
    assert now < was


@pytest.mark.parametrize("kind", [-1, 1])
def test_answers_of_one_kind_only(detector, kind):
    X = rows()
    before = detector.score_samples(X)
    top = np.argsort(before)[:10]
    detector.refine(X, pd.Series(kind, top))
    after = detector.score_samples(X)
    assert np.isfinite(after).all()
    rank = [scores.argsort().argsort()[top].mean() for scores in (before, after)]
    if kind == -1:
        assert rank[1] < 12
    else:
        assert rank[1] > rank[0]


def test_one_answer_moves_its_row(detector):
    X = rows()
    top = int(np.argmin(detector.score_samples(X)))
    detector.refine(X, pd.Series({top: 1}))
    assert np.argmin(detector.score_samples(X)) != top


def test_contradictory_answers_cancel_out(detector):
    X = np.repeat(rows()[:1], 2, axis=0)
    once = pickle.loads(pickle.dumps(detector)).refine(X, [-1, -1])
    both = pickle.loads(pickle.dumps(detector)).refine(X, [-1, 1])
    other = pickle.loads(pickle.dumps(detector)).refine(X, [1, 1])
    scores = [d.score_samples(X)[0] for d in (once, both, other)]
    assert scores[0] < scores[1] < scores[2]


def test_all_rows_answered(detector):
    X = rows()
    labels = np.where(np.isin(np.arange(N_ROWS), WANTED), -1, 1)
    detector.refine(X, labels)
    assert roc_auc_score(labels == -1, -detector.score_samples(X)) == 1.0
    assert len(detector.next_to_review(X, 5)) == 0


def test_ten_thousand_answers(detector):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(10_000, N_FEATURES))
    labels = np.where(X[:, 0] > 1, -1, 1)
    detector.refine(X, labels)
    new = rng.normal(size=(1_000, N_FEATURES))
    assert roc_auc_score(new[:, 0] > 1, -detector.score_samples(new)) > 0.95


def test_no_answer_changes_nothing(fitted_once, detector):
    assert_same(fitted_once, detector.refine(rows(), np.zeros(N_ROWS)))


def test_later_answer_replaces_the_one_before(fitted_once, detector):
    other = pickle.loads(pickle.dumps(fitted_once))
    detector.refine(rows(), labels_of([3])).refine(rows(), labels_of((), [3]))
    assert_same(other.refine(rows(), labels_of((), [3])), detector)


def test_frame_is_answered_by_the_labels_of_its_index(fitted_once):
    names = [f"row {i}" for i in range(N_ROWS)]
    frame = pd.DataFrame(rows(), names, list("abcd"))
    detector = NCAEDetector(n_estimators=2, max_iter=30, random_state=0).fit(frame)
    detector.refine(frame, pd.Series({"row 3": -1, "row 9": 1}))
    plain = pickle.loads(pickle.dumps(fitted_once))
    plain.refine(rows(), labels_of([3], [9]))
    np.testing.assert_array_equal(
        detector.score_samples(frame), plain.score_samples(rows())
    )
    assert list(detector.weights_.columns) == list("abcd")
    asked = detector.next_to_review(frame, 3)
    assert set(asked) <= set(names) - {"row 3", "row 9"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3), r"shape \(3,\), but X has 240 rows"),
        (np.full(N_ROWS, 2), r"labels\[0\] is .*2.*A label is -1"),
        (np.zeros(N_ROWS, dtype=bool), "A label is -1"),
        (np.full(N_ROWS, "outlier"), "'outlier'.*A label is -1"),
        (pd.Series({N_ROWS: 1}), "names a row 240, which X does not have"),
        (pd.Series({"a": 1}), "names a row 'a', which X does not have"),
    ],
)
def test_labels_that_are_none_are_refused_and_change_nothing(
    fitted_once, detector, labels, message
):
    with pytest.raises(ValueError, match=message):
        detector.refine(rows(), labels)
    assert_same(fitted_once, detector)


def test_ambiguous_index_is_refused():
    frame = pd.DataFrame(rows(), np.zeros(N_ROWS, dtype=int)).rename(columns=str)
    detector = NCAEDetector(n_estimators=2, max_iter=5, random_state=0).fit(frame)
    with pytest.raises(ValueError, match="labels names 0.*names some rows twice"):
        detector.refine(frame, pd.Series({0: 1}))


def test_row_with_a_name_of_its_own_is_answered_beside_rows_that_share_theirs(
    fitted_once, detector
):
    shared = pd.DataFrame(rows(), ["same"] * 3 + [f"r{i}" for i in range(3, N_ROWS)])
    detector.refine(shared, pd.Series({"r3": -1, "r9": 1}))
    assert_same(
        detector,
        pickle.loads(pickle.dumps(fitted_once)).refine(rows(), labels_of([3], [9])),
    )
    with pytest.raises(ValueError, match="labels names a row 'r1', which X does not"):
        detector.refine(shared, pd.Series({"r1": -1}))


def test_typed_table_is_explained_reported_and_generated_after_answers():
    frame = pd.DataFrame(rows(), columns=list("abcd"))
    frame["kind"] = np.where(np.arange(N_ROWS) % 2, "u", "v")
    detector = NCAEDetector(n_estimators=2, max_iter=20, random_state=0).fit(frame)
    before = detector.explain(frame[:3])
    detector.refine(frame, labels_of([0], [30]))
    after = detector.explain(frame[:3])
    np.testing.assert_allclose(after.errors, -detector.score_samples(frame[:3]))
    assert after.columns == before.columns
    assert after.associates_of(0) == before.associates_of(0)
    assert detector.report(frame, n=2).content["lessons"]
    assert set(detector.generate(5, random_state=0)[:, 4]) <= {"u", "v"}


@pytest.fixture(scope="module")
def orders():
    """A table of every kind of column, whose names are in no order."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Berlin", "Paris", "Rome"], N_ROWS)
    price = pd.Series(city).map({"Berlin": 10.0, "Paris": 500.0, "Rome": 9000.0})
    return pd.DataFrame(
        {
            "price": price + rng.normal(size=N_ROWS),
            "id": [f"{n:032x}" for n in range(N_ROWS)],
            "city": city,
            "day": pd.date_range("2024-01-01", periods=N_ROWS, freq="7h"),
            "age": rng.normal(40.0, 5.0, N_ROWS),
        }
    )


@pytest.mark.filterwarnings("ignore:Set aside")
def test_answers_change_nothing_of_what_is_expected_of_a_typed_table(orders):
    detector = NCAEDetector(n_estimators=2, max_iter=20, random_state=0).fit(orders)
    before = detector.explain(orders)
    detector.refine(orders, labels_of([3], [4]))
    after = detector.explain(orders)
    pd.testing.assert_frame_equal(
        pd.DataFrame(after.expected), pd.DataFrame(before.expected)
    )
    np.testing.assert_allclose(after.contributions.sum(1), after.errors)
    np.testing.assert_allclose(after.errors, -detector.score_samples(orders))


@pytest.mark.filterwarnings("ignore:Set aside")
@pytest.mark.parametrize("order", [1, -1])
def test_lessons_and_weights_of_a_typed_table_are_of_the_columns_they_name(
    orders, order
):
    table = orders[orders.columns[::order]].copy()
    table.loc[:9, "price"] += 1e5
    table.loc[10:19, "age"] += 100
    detector = NCAEDetector(n_estimators=2, max_iter=20, random_state=0).fit(table)
    detector.refine(table, pd.Series([1] * 10 + [-1] * 10))
    weights = detector.weights_.mean()
    assert list(weights.index) == list(table.columns)
    assert weights["id"] == 1.0
    assert weights["age"] > 1.0 > weights["price"]
    lessons = detector.lessons_.set_index("feature")
    assert lessons.n_inliers["price"] > 7
    assert lessons.n_inliers["age"] == 0


def test_answers_at_random_do_little_harm():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(600, 6))
    X[:30] *= 3
    is_outlier = np.arange(600) < 30
    detector = NCAEDetector(random_state=0).fit(X)
    before = roc_auc_score(is_outlier, -detector.score_samples(X))
    lost = []
    for seed in range(5):
        draws = np.random.default_rng(seed)
        some = draws.choice(600, 40, replace=False)
        detector.forget().refine(X, pd.Series(draws.choice([-1, 1], 40), some))
        rest = np.setdiff1d(np.arange(600), some)
        after = roc_auc_score(is_outlier[rest], -detector.score_samples(X)[rest])
        lost.append(before - after)
    assert np.mean(lost) < 0.01


def test_next_to_review_asks_about_the_most_abnormal_row_first(detector):
    X = rows()
    asked = detector.next_to_review(X, 5)
    assert asked[0] == np.argmin(detector.score_samples(X))
    assert len(set(asked)) == 5


def test_next_to_review_does_not_ask_twice(detector):
    X = rows()
    seen = set()
    for _ in range(4):
        asked = detector.next_to_review(X, 5)
        assert not seen & set(asked)
        seen |= set(asked)
        detector.refine(X, pd.Series(np.where(np.isin(asked, WANTED), -1, 1), asked))
    assert len(seen & set(WANTED)) >= 5


@given(st.lists(st.integers(0, 19), min_size=20, max_size=80), st.integers(1, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_next_to_review_asks_about_equal_rows_once(detector, drawn, n):
    different = rows()[:20]
    different[3, 1] = 0.0
    X = different[drawn]
    X[::2, 1] *= np.where(X[::2, 1] == 0, -1.0, 1.0)
    asked = np.asarray(drawn)[detector.next_to_review(X, n)]
    assert len(set(asked)) == len(asked) == min(n, len(set(drawn)))


def test_next_to_review_spreads_over_kinds_of_rows():
    X = np.random.default_rng(0).normal(size=(300, 3))
    X[:20, 0] += 12
    X[20:23, 1] += 8
    detector = NCAEDetector(random_state=0).fit(X)
    asked = detector.next_to_review(X, 6)
    assert np.any(asked < 20)
    assert np.any(asked >= 20)


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_next_to_review_refuses_what_is_no_number_of_rows(detector, n):
    with pytest.raises((TypeError, ValueError), match="n"):
        detector.next_to_review(rows(), n)


def test_pickle_and_file_keep_the_answers(detector, tmp_path):
    detector.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    detector.save(tmp_path / "detector.safetensors")
    for loaded in (
        pickle.loads(pickle.dumps(detector)),
        NCAEDetector.load(tmp_path / "detector.safetensors"),
    ):
        assert_same(detector, loaded)
        assert loaded.lessons_.equals(detector.lessons_)
        more = labels_of([4], [12])
        copy = pickle.loads(pickle.dumps(detector))
        assert_same(copy.refine(rows(), more), loaded.refine(rows(), more))


def test_copy_without_answers_scores_alike_and_holds_no_answered_row(
    detector, fitted_once
):
    X = rows() + 100.5
    detector.refine(X, labels_of(WANTED[:4], UNWANTED[:4]))
    copy = detector.without_answers()
    np.testing.assert_array_equal(copy.score_samples(X), detector.score_samples(X))
    assert X[0].tobytes() in pickle.dumps(detector)
    assert X[0].tobytes() not in pickle.dumps(copy)
    assert_same(fitted_once, copy.forget())


def test_copy_without_answers_holds_none_in_the_folds_of_its_calibration(
    detector, tmp_path
):
    X, answered = rows(), [[7.25, -7.25, 7.75, -7.75]]
    detector.calibrate(X, cv=2).refine(answered, [-1])
    copy = detector.without_answers()
    np.testing.assert_array_equal(copy.p_values(X), detector.p_values(X))
    held = np.array(answered).tobytes()
    assert held in pickle.dumps(detector)
    assert held not in pickle.dumps(copy)
    detector.save(tmp_path / "without.safetensors", answers=False)
    assert held not in (tmp_path / "without.safetensors").read_bytes()
    assert held in pickle.dumps(detector)


def test_another_fit_forgets(fitted_once, detector):
    detector.refine(rows(), labels_of(WANTED[:4])).fit(rows())
    assert_same(fitted_once, detector)


def test_moved_share_stays_after_answers(detector):
    detector.set_threshold(contamination=0.05)
    detector.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    assert detector.contamination_ == pytest.approx(0.05, abs=1 / N_ROWS)


def test_other_rows_than_the_training_rows_can_be_answered(detector):
    X = np.random.default_rng(5).normal(size=(50, N_FEATURES))
    detector.refine(X, pd.Series({0: -1, 1: 1}))
    np.testing.assert_array_equal(
        detector.training_scores_, detector.score_samples(rows())
    )


def test_incomplete_rows_can_be_answered():
    X = rows()
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    X[5] = np.nan
    detector = NCAEDetector(max_iter=30, allow_nan=True, random_state=0).fit(X)
    detector.refine(X, labels_of(WANTED, UNWANTED))
    scores = detector.score_samples(X)
    assert np.isfinite(scores).all()
    explanation = detector.explain(X)
    np.testing.assert_allclose(explanation.contributions.sum(1), -scores, rtol=1e-9)
    assert (explanation.contributions[:5][np.isnan(X[:5])] == 0).all()
    assert 5 not in detector.next_to_review(X, 20)


@pytest.mark.parametrize("evidence", ["reconstruction", "tails", "distance"])
def test_one_kind_of_evidence_is_refined_too(evidence):
    X = rows()
    detector = NCAEDetector(max_iter=30, evidence=evidence, random_state=0).fit(X)
    detector.refine(X, labels_of(WANTED[:4], UNWANTED[:4]))
    scores = detector.score_samples(X)
    assert scores[WANTED[4:]].max() < scores[UNWANTED[4:]].min()


def test_images_are_refused():
    X = np.random.default_rng(0).random((40, 8, 8))
    detector = NCAEDetector(max_iter=2, random_state=0).fit(X)
    for ask in (
        lambda: detector.refine(X, np.zeros(40)),
        lambda: detector.next_to_review(X),
    ):
        with pytest.raises(ValueError, match="for tables"):
            ask()


def test_changed_training_rows_do_not_change_what_answers_teach(fitted_once):
    X = rows()
    detector = NCAEDetector(n_estimators=2, max_iter=30, random_state=0).fit(X)
    X[:] = 0
    one = detector.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    other = pickle.loads(pickle.dumps(fitted_once))
    assert_same(one, other.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4])))


def test_save_can_leave_the_answers_out(detector, tmp_path):
    X = rows() + 100.5
    detector.refine(X, labels_of(WANTED[:4], UNWANTED[:4]))
    detector.save(tmp_path / "with.safetensors")
    detector.save(tmp_path / "without.safetensors", answers=False)
    assert X[0].tobytes() in (tmp_path / "with.safetensors").read_bytes()
    assert X[0].tobytes() not in (tmp_path / "without.safetensors").read_bytes()
    loaded = NCAEDetector.load(tmp_path / "without.safetensors")
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))


def test_onnx_of_a_refined_detector_is_refused(detector, tmp_path):
    detector.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    with pytest.raises(ValueError, match="forget"):
        detector.to_onnx(tmp_path / "detector.onnx")


def test_pyod_has_the_same_doors(fitted_once):
    NCAE = pytest.importorskip("skncae.pyod").NCAE
    clf = NCAE(n_estimators=2, max_iter=30, random_state=0).fit(rows())
    before = clf.decision_scores_
    labels = np.full(N_ROWS, -1)
    labels[WANTED[:4]], labels[UNWANTED[:4]] = 1, 0
    clf.refine(rows(), labels)
    plain = pickle.loads(pickle.dumps(fitted_once))
    plain.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    np.testing.assert_array_equal(clf.decision_scores_, -plain.training_scores_)
    np.testing.assert_array_equal(clf.predict(rows()) == 1, clf.labels_ == 1)
    assert clf.threshold_ == plain.threshold_
    assert clf.weights_.equals(plain.weights_)
    assert clf.lessons_.equals(plain.lessons_)
    np.testing.assert_array_equal(
        clf.next_to_review(rows(), 4), plain.next_to_review(rows(), 4)
    )
    copy = clf.without_answers()
    np.testing.assert_array_equal(
        copy.decision_function(rows()), clf.decision_function(rows())
    )
    assert not len(copy.detector_._scorer.answers)
    assert len(clf.detector_._scorer.answers) == 8
    with pytest.raises(ValueError, match="A label is 1"):
        clf.refine(rows(), np.full(N_ROWS, 2))
    np.testing.assert_array_equal(clf.forget().decision_scores_, before)


@pytest.mark.parametrize("cv", [None, 3])
def test_p_values_follow_the_answers_and_files_keep_them(detector, tmp_path, cv):
    others = np.random.default_rng(7).normal(size=(100, N_FEATURES))
    new = rows()[:20]
    before = detector.calibrate(others, cv=cv).p_values(new)
    detector.refine(rows(), labels_of(WANTED[:4], UNWANTED[:4]))
    after = detector.p_values(new)
    if cv is None:
        detector.calibrate(others)
        np.testing.assert_array_equal(detector.p_values(new), after)
    detector.save(tmp_path / "detector.safetensors")
    loaded = NCAEDetector.load(tmp_path / "detector.safetensors")
    np.testing.assert_array_equal(loaded.p_values(new), after)
    assert after[UNWANTED].mean() > before[UNWANTED].mean()
    np.testing.assert_array_equal(detector.forget().p_values(new), before)


@pytest.mark.parametrize("cv", [None, 3])
def test_calibration_before_or_after_the_answers_is_one(detector, cv):
    others = np.random.default_rng(7).normal(size=(100, N_FEATURES))
    labels = labels_of(WANTED[:4], UNWANTED[:4])
    other = pickle.loads(pickle.dumps(detector))
    before = detector.calibrate(others, cv=cv).refine(rows(), labels)
    after = other.refine(rows(), labels).calibrate(others, cv=cv)
    np.testing.assert_array_equal(before.p_values(rows()), after.p_values(rows()))


def test_cross_fitting_without_the_answers_is_refused(detector):
    copy = detector.refine(rows(), labels_of(WANTED)).without_answers()
    with pytest.raises(ValueError, match="does not hold the answers"):
        copy.calibrate(rows(), cv=2)


@pytest.mark.parametrize("cv", [None, 2])
def test_answers_about_calibration_rows_keep_the_promise_of_p_values(cv):
    share = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        train, others, new = (rng.normal(size=(n, 4)) for n in (200, 200, 1_000))
        detector = NCAEDetector(n_estimators=2, max_iter=10, random_state=seed)
        asked = others if cv is None else train
        detector.fit(train)
        for _ in range(4):
            normal = pd.Series(1, index=detector.next_to_review(asked, 5))
            detector.refine(asked, normal)
        detector.calibrate(asked, cv=cv)
        share.append((detector.p_values(new) <= 0.02).mean())
    assert np.mean(share) < 0.02 + 2 * np.std(share) / np.sqrt(len(share) - 1)


def test_answered_row_is_judged_as_a_new_one_by_the_other_answers(detector):
    detector.refine(rows(), labels_of(inliers=WANTED))
    scorer, reference = detector._scorer, detector._reference
    as_new = scorer.errors_as_new(rows(), reference)
    known = scorer.errors(rows())
    assert (as_new[WANTED] > known[WANTED]).all()
    np.testing.assert_array_equal(np.delete(as_new, WANTED), np.delete(known, WANTED))


def test_only_answer_teaches_nothing_about_its_own_row(detector):
    before = detector.score_samples(rows())
    scorer = detector.refine(rows(), labels_of(inliers=[3]))._scorer
    as_new = scorer.errors_as_new(rows(), detector._reference)
    kept = scorer.errors(rows())
    # As rare among the training rows as it was.
    assert as_new[3] >= kept[3]
    assert abs((before < before[3]).mean() - (as_new > as_new[3]).mean()) < 0.01


@pytest.mark.filterwarnings("ignore:contamination=:UserWarning")
@pytest.mark.parametrize("contamination", ["auto", 0.05])
def test_share_that_is_flagged_stays_after_answers(contamination):
    X = rows()
    detector = NCAEDetector(contamination, max_iter=30, random_state=0).fit(X)
    before = detector.contamination_
    assert before > 0
    detector.refine(X, labels_of(WANTED[:2], UNWANTED[:3]))
    assert detector.contamination_ == pytest.approx(before, abs=1 / N_ROWS)
    assert (detector.predict(X)[WANTED[:2]] == -1).all()


@pytest.mark.filterwarnings("ignore:contamination=:UserWarning")
def test_auto_flags_no_fewer_rows_than_were_called_outliers():
    X = np.random.default_rng(0).normal(size=(N_ROWS, N_FEATURES))
    detector = NCAEDetector("auto", max_iter=30, random_state=0).fit(X)
    assert detector.contamination_ == 0
    detector.refine(X, labels_of(WANTED))
    assert detector.contamination_ == pytest.approx(len(WANTED) / N_ROWS)


def test_answers_may_be_a_frame_of_one_column(detector):
    answers = pd.DataFrame({"label": [-1, 1]}, index=[3, 5])
    one = pickle.loads(pickle.dumps(detector)).refine(rows(), answers)
    assert_same(one, detector.refine(rows(), answers["label"]))
    with pytest.raises(ValueError, match="the columns .*'index', 'label'"):
        detector.refine(rows(), answers.reset_index())


def test_label_that_is_none_is_named_by_its_row_and_as_it_is(detector):
    with pytest.raises(ValueError, match=r"^labels\[7\] is 0\.5\. A label is -1"):
        detector.refine(rows(), pd.Series([1.0, 0.5], index=[3, 7]))
    labels = np.zeros(N_ROWS, dtype=int)
    labels[4] = 2
    with pytest.raises(ValueError, match=r"^labels\[4\] is 2\. A label is -1"):
        detector.refine(rows(), labels)


def test_truth_values_among_labels_are_refused(detector):
    labels = np.array([None] * N_ROWS, dtype=object)
    labels[3] = True
    with pytest.raises(ValueError, match="True.*A label is -1"):
        detector.refine(rows(), labels)
    with pytest.raises(TypeError, match="n must be an integer, got True"):
        detector.next_to_review(rows(), n=True)


ANSWERED = labels_of(WANTED, UNWANTED)


@pytest.mark.parametrize(
    "labels",
    [
        np.ma.masked_array(np.where(ANSWERED, ANSWERED, 1), ANSWERED == 0),
        np.ma.masked_array(np.where(ANSWERED, ANSWERED, -1.0), ANSWERED == 0),
        np.ma.masked_array(ANSWERED.astype(object), ANSWERED == 0),
        torch.tensor(ANSWERED, dtype=torch.float32, requires_grad=True),
        torch.tensor(ANSWERED, dtype=torch.bfloat16),
        list(torch.tensor(ANSWERED, dtype=torch.float32, requires_grad=True)),
        pd.Series(ANSWERED, dtype="Int64").replace(0, pd.NA),
        pd.Series(ANSWERED).astype(object).replace(0, pd.NA).to_numpy(),
        # It has an index too, which is a method.
        pyarrow.array(ANSWERED, mask=ANSWERED == 0),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
def test_an_answer_that_is_masked_or_missing_is_none(fitted_once, labels):
    one, other = (pickle.loads(pickle.dumps(fitted_once)) for _ in range(2))
    assert_same(one.refine(rows(), ANSWERED), other.refine(rows(), labels))


@pytest.mark.parametrize(
    "labels",
    [
        ANSWERED + 0j,
        ANSWERED + 1j,
        ANSWERED.astype("M8[s]"),
        ANSWERED.astype("m8[s]"),
        list(ANSWERED.astype("M8[s]")),
        np.array(list(ANSWERED.astype("M8[s]")), dtype=object),
        pd.Series(pd.to_datetime(ANSWERED)),
        np.ma.masked_array(ANSWERED == 1, ANSWERED == 0),
        np.ma.masked_array(ANSWERED.astype("M8[s]"), ANSWERED == 0),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
def test_numbers_of_other_kinds_are_no_labels(fitted_once, detector, labels):
    with pytest.raises(ValueError, match=r"labels\[.*A label is -1"):
        detector.refine(rows(), labels)
    assert_same(fitted_once, detector)


OF_PYOD = np.ma.masked_array(ANSWERED == -1, ANSWERED == 0).astype(int)


@pytest.mark.parametrize(
    "labels",
    [
        OF_PYOD,
        np.where(OF_PYOD.mask, None, OF_PYOD.data),
        pd.Series(np.where(OF_PYOD.mask, None, OF_PYOD.data)),
        pyarrow.array(OF_PYOD.data, mask=OF_PYOD.mask),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
def test_missing_answers_are_none_in_pyod_too(labels):
    one, other = (
        NCAE(n_estimators=1, max_iter=2, random_state=0).fit(rows()) for _ in range(2)
    )
    one.refine(rows(), labels)
    other.refine(rows(), OF_PYOD.filled(-1))
    np.testing.assert_array_equal(one.decision_scores_, other.decision_scores_)


@pytest.mark.parametrize(
    "labels", [OF_PYOD == 1, OF_PYOD + 0j, OF_PYOD.astype("m8[ns]")]
)
def test_numbers_of_other_kinds_are_no_labels_in_pyod_too(labels):
    clf = NCAE(n_estimators=1, max_iter=2, random_state=0).fit(rows())
    with pytest.raises(ValueError, match=r"labels holds .*A label is 1"):
        clf.refine(rows(), labels.filled())


class Interrupted(NCAEDetector):
    """A detector whose user loses patience when an attribute is about to be set."""

    def __setattr__(self, name, value):
        if name == vars(self).get("_impatient_at"):
            raise KeyboardInterrupt
        super().__setattr__(name, value)


@pytest.mark.parametrize(
    "name", ["_unrefined", "_scorer", "_calibration", *OF_SCORES], ids=str
)
@pytest.mark.parametrize("door", ["refine", "refine again", "forget", "set_threshold"])
def test_an_interrupt_leaves_no_half_of_a_detector(detector, door, name):
    detector.calibrate(-rows())
    if door != "refine":
        detector.refine(rows(), labels_of(WANTED, UNWANTED))
    call = {
        "forget": detector.forget,
        "set_threshold": lambda: detector.set_threshold(quantile=0.5),
    }.get(door, lambda: detector.refine(rows(), labels_of(UNWANTED)))
    detector.__class__ = Interrupted
    before = vars(detector).copy()
    vars(detector)["_impatient_at"] = name
    try:
        call()
    except KeyboardInterrupt:
        del vars(detector)["_impatient_at"]
        assert vars(detector).keys() == before.keys()
        for attribute, value in before.items():
            assert getattr(detector, attribute) is value
    else:
        # What it does not set cannot interrupt it.
        assert getattr(detector, name) is before[name]


def test_a_thresholder_that_fails_leaves_no_half_of_a_pyod_detector():
    class Moody:
        """Cuts the scores, until it has had enough."""

        def fit(self, scores):
            if self.is_fed_up:
                raise RuntimeError("enough")
            self.labels_, self.thresh_ = (scores > 2.0).astype(int), 2.0

        is_fed_up = False

    thresholder = Moody()
    model = NCAE(thresholder, n_estimators=1, max_iter=2, random_state=0)
    model.fit(rows())
    scores, labels = model.decision_scores_, model.labels_
    thresholder.is_fed_up = True
    with pytest.raises(RuntimeError, match="enough"):
        model.refine(rows(), np.where(np.arange(N_ROWS) < 3, 1, -1))
    np.testing.assert_array_equal(model.decision_scores_, scores)
    np.testing.assert_array_equal(model.labels_, labels)
    assert model.threshold_ == 2.0
