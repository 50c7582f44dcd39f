"""NCAEDetector with PyOD's interface, for PyOD's tools and benchmarks."""

import copy
from functools import wraps
from inspect import signature

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skncae._detector import NCAEDetector
from skncae._diagnostics import all_or_nothing
from skncae._extras import needing
from skncae._threshold import exceeds
from skncae.data._arrays import entries, is_series
from skncae.data._values import is_missing

with needing("pyod", "skncae.pyod needs PyOD, which cannot be imported."):
    from pyod.models.base import BaseDetector


def _with_a_share(method):
    """Let a method of PyOD's work with the share of the training rows that is flagged.

    PyOD takes the share from `contamination`, and all that is no float for a
    thresholder. The share is put there in a copy: other threads may read.
    """

    @wraps(method)
    def counted(self, *args, **options):
        if not self._has_a_thresholder:
            check_is_fitted(self, "labels_")
            self = self._with(contamination=float(np.mean(self.labels_)))
        return method(self, *args, **options)

    counted.__doc__ = f"See `pyod.models.base.BaseDetector.{method.__name__}`."
    return counted


class NCAE(BaseDetector):
    """Normality-Calibrated Autoencoder, as a detector of PyOD.

    It holds a `skncae.NCAEDetector` and turns the sign of its scores: here, as
    everywhere in PyOD, a higher score is more abnormal, 1 is an outlier and 0 an
    inlier. Everything that `pyod.models.base.BaseDetector` can do, it can do.

    Parameters
    ----------
    *args, **parameters
        The parameters of `skncae.NCAEDetector`, with the same defaults. In addition,
        `contamination` may be a thresholder of PyThresh, which is then used as in all
        detectors of PyOD.

    Attributes
    ----------
    decision_scores_ : ndarray of shape (n_samples,), float64
        Outlier scores of the training rows, the higher, the more abnormal.
    threshold_ : float
        Rows with a score above it are outliers. That of `detector_`, whose
        `set_threshold` moves it, or, of a thresholder, its `thresh_`, which refers to
        scores that it scaled to [0, 1].
    labels_ : ndarray of shape (n_samples,), int
        1 for the training rows that are outliers, 0 for the others.
    detector_ : NCAEDetector
        The fitted detector, for what PyOD has no name for: `reconstruct`, `history_`,
        and so on.

    See Also
    --------
    skncae.NCAEDetector : The same detector with scikit-learn's interface.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae.pyod import NCAE
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[:3] += 8
    >>> clf = NCAE(contamination=0.01, random_state=0).fit(X)
    >>> np.flatnonzero(clf.labels_).tolist()
    [0, 1, 2]
    >>> clf.predict([[8, 8, 8, 8], [0, 0, 0, 0]]).tolist()
    [1, 0]
    """

    def __init__(self, *args, **parameters):
        parameters = NCAEDetector(*args, **parameters).get_params(deep=False)
        super().__init__(contamination=parameters["contamination"])
        for name, value in parameters.items():
            setattr(self, name, value)

    # The `threshold_` and `labels_` of a thresholder, or labels that were set by hand;
    # None where `detector_` says them.
    _thresholder_said: dict | None = None

    # get_params, clone and help() read it: there is one list of parameters.
    __init__.__signature__ = signature(NCAEDetector.__init__)  # type: ignore[attr-defined]

    def __copy__(self):
        """Copy `detector_` too, which `set_threshold`, `refine` and others change."""
        if not hasattr(self, "detector_"):
            return self._with()
        return self._with(detector_=copy.copy(self.detector_))

    def _with(self, **changed):
        """Return a copy with other attributes, which shares all that is not changed."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__ | changed)
        return twin

    @property
    def decision_scores_(self):
        """Return the outlier scores of the training rows.

        Returns
        -------
        decision_scores_ : ndarray of shape (n_samples,), float64
            Minus the `training_scores_` of `detector_`.
        """
        return -self.detector_.training_scores_

    # What predict_proba needs.
    @property
    def _mu(self):
        return np.mean(self.decision_scores_)

    @property
    def _sigma(self):
        return np.std(self.decision_scores_)

    @property
    def n_features_in_(self):
        """Return the number of columns seen in `fit`.

        Returns
        -------
        n_features_in_ : int
            As of `NCAEDetector`.
        """
        return self.detector_.n_features_in_

    @property
    def feature_names_in_(self):
        """Return the names of the columns, when X had string names in `fit`.

        Returns
        -------
        feature_names_in_ : ndarray of shape (`n_features_in_`,)
            As of `NCAEDetector`, an AttributeError where there are none.
        """
        return self.detector_.feature_names_in_

    @property
    def n_iter_(self):
        """Return the number of gradient steps taken by the last fit.

        Returns
        -------
        n_iter_ : int
            As of `NCAEDetector`.
        """
        return self.detector_.n_iter_

    def fit(self, X, y=None, *, outliers=None):
        """Learn what is normal in X, which may hold outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows.
        y : Ignored
            Present for API consistency.
        outliers : array-like of bool of shape (n_samples,), default=None
            True for rows that are known to be outliers; see `NCAEDetector.fit`.

        Returns
        -------
        self : NCAE
            The fitted detector.

        Raises
        ------
        ValueError
            If X, outliers or a parameter is not valid.
        TypeError
            If a parameter is of the wrong type.
        RuntimeError
            If the training diverges.
        """
        parameters = self.get_params(deep=False)
        if _is_thresholder(self.contamination):
            # Any share will do: the scores do not depend on it.
            parameters["contamination"] = 0.1
        with all_or_nothing(self):
            fitted = hasattr(self, "detector_")
            # A copy, so that a parameter such as warm_start finds what it goes on with.
            detector = copy.copy(self.detector_) if fitted else NCAEDetector()
            detector.set_params(**parameters)
            self.detector_: NCAEDetector = detector.fit(X, outliers=outliers)
            # PyOD counts the classes of y; labels of one class would leave it one
            # column for two probabilities.
            self._classes = 2
            self._process_decision_scores()
        return self

    def decision_function(self, X):
        """Return how abnormal each row is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to score.

        Returns
        -------
        anomaly_scores : ndarray of shape (n_samples,), float64
            The higher, the more abnormal: minus `NCAEDetector.score_samples`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not valid, or not of the width that the detector was fitted on.
        """
        check_is_fitted(self, "detector_")
        return -self.detector_.score_samples(X)

    def predict(self, X, return_confidence=False):
        """Say of each row whether its score exceeds the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to judge.
        return_confidence : bool, default=False
            Whether to return the confidence too.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            1 for outliers, 0 for inliers.
        confidence : ndarray of shape (n_samples,), float64
            How sure that is, of `predict_confidence`; only if asked for.
        """
        if self._has_a_thresholder:
            return super().predict(X, return_confidence)
        check_is_fitted(self, "detector_")
        labels = (self.detector_.predict(X) == -1).astype(int)
        if return_confidence:
            return labels, self.predict_confidence(X)
        return labels

    def set_threshold(self, *, contamination=None, quantile=None, value=None):
        """Move the threshold of a fitted detector, without fitting again.

        Parameters
        ----------
        contamination : float in (0, 0.5], "auto" or thresholder, default=None
            As in the constructor; exactly one of the parameters is given.
        quantile : float in [0, 1], default=None
            Quantile of the training scores: 0.95 flags about 5 % of the training rows.
        value : float, default=None
            The threshold itself, in units of the score.

        Returns
        -------
        self : NCAE
            The detector, with another `threshold_` and other `labels_`.
        """
        check_is_fitted(self, "detector_")
        with all_or_nothing(self), all_or_nothing(self.detector_):
            self.detector_.set_threshold(
                contamination=contamination, quantile=quantile, value=value
            )
            self._thresholder_said = None
        return self

    def calibrate(self, X, *, cv=None):
        """Learn what errors rows have that were not trained on, for `p_values`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows that `fit` has not seen, or any with `cv`.
        cv : int, splitter or None, default=None
            See `NCAEDetector.calibrate`.

        Returns
        -------
        self : NCAE
            The detector, with the same scores and threshold.
        """
        check_is_fitted(self, "detector_")
        self.detector_.calibrate(X, cv=cv)
        return self

    def p_values(self, X):
        """Say how rare a score as large as each row's is among calibration rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        p_values : ndarray of shape (n_samples,), float64
            See `NCAEDetector.p_values`.
        """
        check_is_fitted(self, "detector_")
        return self.detector_.p_values(X)

    def select(self, X, alpha=0.1):
        """Say which rows are outliers, at most the share alpha of them falsely.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.
        alpha : float in (0, 1), default=0.1
            The expected share of false discoveries.

        Returns
        -------
        selected : ndarray of shape (n_samples,), bool
            True for outliers; see `NCAEDetector.select`.
        """
        check_is_fitted(self, "detector_")
        return self.detector_.select(X, alpha)

    @property
    def threshold_(self):
        """Score above which a row is an outlier."""
        if self._has_a_thresholder:
            return self._said["threshold_"]
        return self.detector_.threshold_

    @threshold_.setter
    def threshold_(self, value):
        if self._has_a_thresholder:
            self._thresholder_said = self._said | {"threshold_": value}
        else:
            self.detector_.set_threshold(value=value)

    @property
    def labels_(self):
        """Labels of the training rows, 1 for outliers."""
        if "labels_" in self._said:
            return self._said["labels_"]
        return exceeds(self.decision_scores_, self.detector_.threshold_).astype(int)

    @labels_.setter
    def labels_(self, labels):
        self._thresholder_said = self._said | {"labels_": labels}

    @property
    def _said(self):
        """What a thresholder, or somebody by hand, has said in place of `detector_`."""
        return self._thresholder_said or {}

    @property
    def _has_a_thresholder(self):
        """Say whether a thresholder decides; labels set by hand have no threshold."""
        return "threshold_" in self._said

    def refine(self, X, labels):
        """Learn from answers; see `NCAEDetector.refine`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows that the labels are about.
        labels : array-like of shape (n_samples,) or pandas Series
            1 for an outlier, 0 for an inlier; -1, NaN or masked where nobody looked. A
            Series may hold the answers alone: its index names rows of the frame X, or
            positions in an array.

        Returns
        -------
        self : NCAE
            The detector, with other scores, threshold and labels.

        Raises
        ------
        ValueError
            If X or labels are not valid.
        """
        check_is_fitted(self, "detector_")
        with all_or_nothing(self), all_or_nothing(self.detector_):
            self.detector_.refine(X, _signed(labels))
            self._process_decision_scores()
        return self

    def next_to_review(self, X, n=5):
        """Say which rows to ask about; see `NCAEDetector.next_to_review`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to choose from.
        n : int, default=5
            How many.

        Returns
        -------
        rows : ndarray or pandas Index of shape (n,)
            Their labels in the index of a frame, positions without one.
        """
        check_is_fitted(self, "detector_")
        return self.detector_.next_to_review(X, n)

    def forget(self):
        """Forget all answers, and what was learnt from them.

        Returns
        -------
        self : NCAE
            The detector as it was before the first `refine`.
        """
        check_is_fitted(self, "detector_")
        with all_or_nothing(self), all_or_nothing(self.detector_):
            self.detector_.forget()
            self._process_decision_scores()
        return self

    def without_answers(self):
        """Return a copy to hand on, which does not hold the answered rows.

        Returns
        -------
        clf : NCAE
            With the scores of this one; see `NCAEDetector.without_answers`.
        """
        check_is_fitted(self, "detector_")
        return self._with(detector_=self.detector_.without_answers())

    @property
    def weights_(self):
        """Return how much each column counts for each kind of evidence, as a frame.

        Returns
        -------
        weights : DataFrame of shape (n_kinds, n_features)
            As of `NCAEDetector`.
        """
        return self.detector_.weights_

    @property
    def lessons_(self):
        """Return what the answers have taught of each column, in words, as a frame.

        Returns
        -------
        lessons : DataFrame
            As of `NCAEDetector`.
        """
        return self.detector_.lessons_

    predict_confidence = _with_a_share(BaseDetector.predict_confidence)
    predict_with_rejection = _with_a_share(BaseDetector.predict_with_rejection)
    compute_rejection_stats = _with_a_share(BaseDetector.compute_rejection_stats)

    def _process_decision_scores(self):
        """Ask a thresholder if there is one, as PyOD does."""
        self._thresholder_said = None
        if _is_thresholder(self.contamination):
            self.contamination.fit(self.decision_scores_)
            labels, threshold = self.contamination.labels_, self.contamination.thresh_
            self._thresholder_said = {
                "labels_": labels,
                "threshold_": threshold or np.mean(labels),
            }


def _is_thresholder(contamination):
    """Say whether it is one of PyThresh's objects, or like them; a class is not."""
    return hasattr(type(contamination), "fit")


def _signed(labels):
    """Turn PyOD's 1 and 0, and -1 for no answer, into -1, 1 and 0."""
    values = entries(labels, "labels")
    given = [-1 if is_missing(value) else value for value in values.ravel().tolist()]
    # numpy lists some dates as whole numbers.
    is_other = values.dtype.kind not in "iufO"
    wrong = [v for v in given if is_other or isinstance(v, bool) or v not in (-1, 0, 1)]
    if wrong:
        raise ValueError(
            f"labels holds {wrong[0]!r}. A label is 1 (an outlier), 0 (an inlier) or "
            "-1 (not looked at)."
        )
    answers = np.reshape(given, values.shape)
    values = np.select([answers == 1, answers == 0], [-1, 1], 0)
    return type(labels)(values, index=labels.index) if is_series(labels) else values
