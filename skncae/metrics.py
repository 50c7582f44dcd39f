"""Scorers that know which label is the outlier, and which end of a score.

PyOD writes 1 for an outlier and gives it a high `decision_function`; scikit-learn
writes -1 and gives it a low one. A scorer that mixes them up reports an AUROC of
0.01 for 0.99, and no error.

`pseudo_outlier_scorer` needs no labels.

A search without `scoring`, or with "roc_auc" and no labels, ends in an error of
scikit-learn that cannot name this module: see the guide, "Choosing settings".
"""

import numpy as np
from sklearn.base import is_outlier_detector
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skncae._checks import check_count

__all__ = [
    "average_precision_scorer",
    "f1_scorer",
    "make_outlier_scorer",
    "precision_at_n_score",
    "precision_at_n_scorer",
    "pseudo_outlier_scorer",
    "roc_auc_scorer",
]


def make_outlier_scorer(
    score_func, *, response_method="decision_function", outlier_label=None, **kwargs
):
    """Make a scorer of outlier detectors from a metric of binary classification.

    The counterpart of `sklearn.metrics.make_scorer`. It works with the detectors of
    scikit-learn (anything that `sklearn.base.is_outlier_detector` knows) and of PyOD
    (fitted, they have `decision_scores_`), also as the last step of a `Pipeline`
    or inside a fitted `GridSearchCV`.

    Parameters
    ----------
    score_func : callable
        Called as ``score_func(y_true, y_pred, **kwargs)`` with 1 for an outlier and 0
        for a normal row in `y_true`. The higher its result, the better.
    response_method : {"decision_function", "predict"}, default="decision_function"
        What `y_pred` is: scores, the higher the more abnormal, or labels, 1 for an
        outlier and 0 for a normal row.
    outlier_label : int, str or bool, default=None
        The label that `y` has for outliers; the other one is normal. None tells it
        from the labels: of 0 and 1 (or False and True) 1 is the outlier, as in PyOD,
        of -1 and 1 it is -1, as in scikit-learn.
    **kwargs : additional arguments
        Passed to `score_func`.

    Returns
    -------
    scorer : callable
        Called as ``scorer(detector, X, y)``, it returns a float. It raises a
        ValueError for labels that it cannot tell apart, for one class alone, and for
        scores that are not finite, a TypeError for what is no outlier detector.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.metrics import roc_auc_score
    >>> from skncae.metrics import make_outlier_scorer
    >>> X = [[0.1], [0.2], [0.3], [9.0]]
    >>> forest = IsolationForest(random_state=0).fit(X)
    >>> scorer = make_outlier_scorer(roc_auc_score, outlier_label="broken")
    >>> scorer(forest, X, ["good", "good", "good", "broken"])
    1.0
    """
    if response_method not in ("decision_function", "predict"):
        raise ValueError(
            'response_method must be "decision_function" or "predict", got '
            f"{response_method!r}."
        )
    return _OutlierScorer(score_func, response_method, outlier_label, kwargs)


class _OutlierScorer:
    """A metric with what it needs to know of detectors and labels."""

    def __init__(self, score_func, response_method, outlier_label, kwargs):
        self.score_func = score_func
        self.response_method = response_method
        self.outlier_label = outlier_label
        self.kwargs = kwargs

    def __call__(self, detector, X, y=None):
        """Score a fitted detector on rows with labels."""
        y_true = _as_outlier_labels(y, self.outlier_label)
        y_pred = _response(detector, X, self.response_method)
        return float(self.score_func(y_true, y_pred, **self.kwargs))

    def __repr__(self):
        arguments = [getattr(self.score_func, "__name__", repr(self.score_func))]
        if self.response_method != "decision_function":
            arguments.append(f"response_method={self.response_method!r}")
        if self.outlier_label is not None:
            arguments.append(f"outlier_label={self.outlier_label!r}")
        arguments += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"make_outlier_scorer({', '.join(arguments)})"


def precision_at_n_score(y_true, y_score, *, n=None):
    """Share of outliers among the n rows with the highest scores.

    Rows that tie for the last places share them: the result is the mean over all
    orders of the tied rows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        The labels: 0 and 1 (1 is an outlier), or -1 and 1 (-1 is an outlier).
    y_score : array-like of shape (n_samples,)
        The scores, the higher the more abnormal.
    n : int, default=None
        How many rows are looked at; None takes the number of outliers.

    Returns
    -------
    precision : float
        In [0, 1], the higher the better.

    Raises
    ------
    ValueError
        If the labels are not of these kinds or of one kind only, the scores are not
        finite, n is less than 1, or there are fewer than n rows.
    TypeError
        If n is no integer.

    Examples
    --------
    >>> from skncae.metrics import precision_at_n_score
    >>> precision_at_n_score([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    0.5
    """
    is_outlier = _as_outlier_labels(y_true)
    y_score = _as_finite(y_score, "y_score")
    check_consistent_length(is_outlier, y_score)
    if n is None:
        n = int(is_outlier.sum())
    n = check_count("n", n, len(y_score))
    last = np.sort(y_score)[-n]
    above, tied = y_score > last, y_score == last
    found = is_outlier[above].sum() + (n - above.sum()) * is_outlier[tied].mean()
    return float(found / n)


def pseudo_outlier_scorer(detector, X, y=None):
    """Score a detector without labels, by whether it tells rows from spoilt copies.

    A copy of each row gets uniform values, within the range of their columns, in a
    fifth of its columns (at least one), drawn at random but the same for every
    detector. The score is the AUROC of the copies against the rows. Pass it as
    `scoring` to ``GridSearchCV(...).fit(X)``.

    Do not expect much: on 25 labelled data sets this score hardly followed AUROC
    (mean rank correlation over 16 settings of `NCAEDetector`: 0.07). What it chose was
    no better than a setting drawn at random, within the error, and worse than the
    defaults. Seven other criteria did no better; see "Settings cannot be chosen
    without labels" among the decisions in the documentation.

    Parameters
    ----------
    detector : estimator
        A fitted outlier detector of scikit-learn or PyOD, or a pipeline that ends in
        one.
    X : array-like of shape (n_samples, n_features)
        Rows of numbers, better not those that the detector was fitted on. They may
        hold outliers. Entries that are missing (NaN) are missing in the copies too. A
        pandas DataFrame keeps its column names.
    y : Ignored
        Present for API consistency.

    Returns
    -------
    auroc : float
        In [0, 1], the higher the better.

    Raises
    ------
    ValueError
        If X holds anything but finite numbers and NaN, or NaN that the detector does
        not take, or the scores are not finite.
    TypeError
        If `detector` is no outlier detector.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skncae.metrics import pseudo_outlier_scorer
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> search = GridSearchCV(
    ...     IsolationForest(random_state=0),
    ...     {"max_samples": [2, 64]},
    ...     scoring=pseudo_outlier_scorer,
    ... )
    >>> search.fit(X).best_params_
    {'max_samples': 64}
    """
    _refuse_masked(X, "X")
    rows = check_array(X, ensure_all_finite="allow-nan")
    copies = _spoilt_copies(rows, np.random.default_rng(0))
    if hasattr(X, "iloc"):
        copies = type(X)(copies, columns=X.columns)
    scores = [_response(detector, rows, "decision_function") for rows in (X, copies)]
    is_copy = np.repeat([0, 1], [len(rows) for rows in scores])
    return float(roc_auc_score(is_copy, np.concatenate(scores)))


def _spoilt_copies(X, rng):
    """Replace a fifth of the columns of each row, at least one, by uniform values.

    What is missing stays missing: being missing must not give a copy away.
    """
    n_replaced = max(1, round(0.2 * X.shape[1]))
    order = rng.permuted(np.tile(np.arange(X.shape[1]), (len(X), 1)), axis=1)
    # Unlike min and max these pass NaN over; a column of nothing else draws in vain.
    low, high = np.nan_to_num([np.fmin.reduce(X), np.fmax.reduce(X)])
    uniform = rng.uniform(low, high, size=X.shape)
    return np.where((order < n_replaced) & ~np.isnan(X), uniform, X)


def _as_outlier_labels(y, outlier_label=None):
    """Return 1 for each outlier and 0 for each normal row."""
    if y is None:
        raise ValueError(
            "This scorer compares with labels, but y is None. Pass y, for example "
            "GridSearchCV(...).fit(X, y); skncae.metrics.pseudo_outlier_scorer needs "
            "none."
        )
    _refuse_masked(y, "y")
    y = column_or_1d(y)
    # A set, for None and strings do not sort.
    labels = sorted(set(y.tolist()), key=repr)
    if outlier_label is None:
        outlier_label = _outlier_label_of(labels)
    elif len(labels) > 2 or (len(labels) == 2 and outlier_label not in labels):
        raise ValueError(
            f"y must hold outlier_label={outlier_label!r} and one other label, got "
            f"{_shown(labels)}. Merge the labels of normal rows into one."
        )
    if len(labels) < 2:
        raise ValueError(_one_class_message(labels))
    return (y == outlier_label).astype(int)


def _outlier_label_of(labels):
    """Tell the outlier's label from the labels that occur."""
    if set(labels) <= {0, 1}:
        return 1
    if set(labels) <= {-1, 1}:
        return -1
    raise ValueError(
        "y must hold the labels 0 and 1 (1 is an outlier), or -1 and 1 (-1 is an "
        f"outlier), got {_shown(labels)}. Name the outlier's label of others with "
        "make_outlier_scorer(..., outlier_label=...)."
    )


def _one_class_message(labels):
    """Say why one label is not enough, and what it may mean."""
    meaning = ""
    if labels == [1]:
        meaning = (
            " (all normal rows in scikit-learn's encoding, where -1 is an outlier; all "
            "outliers in PyOD's, where 0 is normal)"
        )
    return (
        "Scoring needs both outliers and normal rows, but y holds only "
        f"{_shown(labels) or 'no label'}{meaning}. Pass rows of both kinds; in "
        "cross-validation spread them with StratifiedKFold, over at most as many "
        "folds as there are outliers."
    )


def _shown(labels):
    """Return the first few labels as text."""
    return ", ".join(map(repr, labels[:5])) + (", ..." if len(labels) > 5 else "")


def _response(detector, X, response_method):
    """Return outlier scores, the higher the more abnormal, or 0/1 labels."""
    outlier_sign = _outlier_sign(detector)
    if not hasattr(detector, response_method):
        raise TypeError(
            f"{type(detector).__name__} has no {response_method} for new rows. "
            "LocalOutlierFactor needs novelty=True, a search refit=True."
        )
    response = _as_finite(
        getattr(detector, response_method)(X),
        f"{response_method} of {type(detector).__name__}",
    )
    if response_method == "predict":
        return (response == outlier_sign).astype(int)
    return outlier_sign * response


def _outlier_sign(detector):
    """Return 1 where outliers score high and are labelled 1, -1 where low and -1."""
    final = _final_step(detector)
    # First: PyOD's detectors carry scikit-learn's tag too.
    if hasattr(final, "decision_scores_"):
        return 1
    if hasattr(final, "__sklearn_tags__") and is_outlier_detector(final):
        return -1
    raise TypeError(
        f"Expected a fitted outlier detector, of scikit-learn (tagged as one, like "
        f"those that inherit OutlierMixin) or of PyOD (with decision_scores_), or a "
        f"Pipeline or a search that ends in one; got {final!r}."
    )


def _final_step(estimator):
    """Return the detector at the end of pipelines and fitted searches."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _as_finite(values, name):
    """Return values as a 1d float array; refuse NaN, infinity and dates."""
    _refuse_masked(values, name)
    values = column_or_1d(values)
    if values.dtype.kind in "mM":
        raise TypeError(f"{name} must be numbers, got {values.dtype}.")
    values = column_or_1d(values, dtype=float)
    n_bad = np.count_nonzero(~np.isfinite(values))
    if n_bad:
        raise ValueError(
            f"{name} must be finite, but {n_bad} of {len(values)} are NaN or infinite. "
            "Check X for missing and extreme values."
        )
    return values


def _refuse_masked(values, name):
    """Refuse masked entries, whose mask would be dropped."""
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name} is a masked array with masked entries, which have no value. Leave "
            "these rows out, or give X with NaN for them: X.filled(numpy.nan)."
        )


roc_auc_scorer = make_outlier_scorer(roc_auc_score)
average_precision_scorer = make_outlier_scorer(average_precision_score)
precision_at_n_scorer = make_outlier_scorer(precision_at_n_score)
f1_scorer = make_outlier_scorer(f1_score, response_method="predict")
