"""Detectors of wrong rows in mixed frames, each with the preparation that it needs.

A detector is a function of a frame and a seed that gives what it `Found`. It prepares
what it has to, and only that; `takes` tells whether it needed to.

================  =================================================================
iforest_onehot    PyOD's IForest on numbers and one-hot columns
iforest_ordinal   the same on ordinal codes
ecod_onehot       PyOD's ECOD on numbers and one-hot columns
ecod_ordinal      the same on ordinal codes
skrub_iforest     `skrub.TableVectorizer`, gaps filled with medians, IForest
skrub_knn         the same, standardised, PyOD's kNN
isotree           `isotree.IsolationForest`, which splits on categories
outliertree       `outliertree.OutlierTree`
boosted           each column predicted from the others by histogram gradient boosting
ours_recipe       `NCAEDetector` on numbers and the rarity of categories, by hand
ours              `NCAEDetector` on the frame as it is
================  =================================================================

Dates that are dates count as days. What all detectors but skrub and ours see of dates
that are text is a text of many values. Text of more than `MAX_ONE_HOT` values has no
one-hot columns, and nothing is predicted from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from benchmarks.detectors import boosting

MAX_ONE_HOT = 120


class Found(NamedTuple):
    """What a detector says of a frame.

    Parameters
    ----------
    scores : ndarray of shape (n_rows,)
        Higher is more abnormal.
    explain : callable or None
        Of rows of the frame: two frames with a column for each column that is
        explained, the expected values and the contributions (None where a detector
        has none).
    """

    scores: np.ndarray
    explain: Callable | None = None


def iforest_onehot(frame, seed):
    """Score by IForest on one-hot columns."""
    return Found(_iforest(seed).fit(one_hot(frame)).decision_scores_)


def iforest_ordinal(frame, seed):
    """Score by IForest on ordinal codes."""
    return Found(_iforest(seed).fit(ordinal(frame)).decision_scores_)


def ecod_onehot(frame, seed):
    """Score by ECOD on one-hot columns."""
    return Found(_ecod(seed).fit(_varying(one_hot(frame))).decision_scores_)


def ecod_ordinal(frame, seed):
    """Score by ECOD on ordinal codes."""
    return Found(_ecod(seed).fit(_varying(ordinal(frame))).decision_scores_)


def skrub_iforest(frame, seed):
    """Score by IForest on what `TableVectorizer` makes of a frame."""
    return Found(_iforest(seed).fit(_vectorized(frame)).decision_scores_)


def skrub_knn(frame, seed):
    """Score by kNN on what `TableVectorizer` makes of a frame."""
    from pyod.models.knn import KNN
    from sklearn.preprocessing import StandardScaler

    rows = StandardScaler().fit_transform(_vectorized(frame))
    return Found(KNN().fit(rows).decision_scores_)


def isotree(frame, seed):
    """Score by an isolation forest that splits on categories."""
    rows = dates_as_days(frame)
    rows = rows.astype({c: "object" for c in rows if types.is_bool_dtype(rows[c])})
    rows = rows.astype({c: "category" for c in rows if is_text(rows[c])})
    return Found(_isotree(seed).fit(rows).predict(rows))


def outliertree(frame, seed):
    """Score by how far a row is from its branch, nothing where it is in none."""
    rows = dates_as_days(frame)
    rows = rows.astype({c: "category" for c in rows if is_text(rows[c])})
    found = _outliertree(seed).fit(rows, outliers_print=0, return_outliers=True)
    # The smaller its score the worse an outlier; other rows have none.
    score = found["outlier_score"].to_numpy(dtype=float)
    return Found(-np.where(np.isnan(score), 1.0, score))


def boosted(frame, seed):
    """Score by the column that is worst predicted from the others."""
    kept = [c for c in frame if not is_text(frame[c]) or has_few_values(frame[c])]
    is_category = [is_text(frame[c]) or types.is_bool_dtype(frame[c]) for c in kept]
    codes = ordinal(frame[kept], keep_missing=True)
    return Found(boosting.largest_error(codes, np.array(is_category), seed))


def ours_recipe(frame, seed):
    """Score by NCAEDetector after the recipe for categories of before."""
    from skncae import NCAEDetector

    rows = rarities(frame)
    detector = NCAEDetector(allow_nan=True, random_state=seed).fit(rows)
    # A rarity is no value of a category, so only other columns have expected values.
    plain = [i for i, name in enumerate(frame) if not is_text(frame[name])]

    def explain(chosen):
        explanation = detector.explain(rows[chosen])
        expected = explanation.expected[:, plain]
        return (
            pd.DataFrame(expected, columns=frame.columns[plain]),
            pd.DataFrame(explanation.contributions, columns=frame.columns),
        )

    return Found(-detector.score_samples(rows), explain)


def ours(frame, seed):
    """Score by NCAEDetector on the frame as it is."""
    detector = _ours(seed).fit(frame)

    def explain(chosen):
        explanation = detector.explain(frame.iloc[chosen])
        names = list(explanation.feature_names)
        expected = np.asarray(explanation.expected, dtype=object)
        return (
            pd.DataFrame(expected, columns=names),
            pd.DataFrame(explanation.contributions, columns=names),
        )

    return Found(-detector.score_samples(frame), explain)


DETECTORS: dict[str, Callable[[Any, int], Found]] = {
    detect.__name__: detect
    for detect in (
        iforest_onehot,
        iforest_ordinal,
        ecod_onehot,
        ecod_ordinal,
        skrub_iforest,
        skrub_knn,
        isotree,
        outliertree,
        boosted,
        ours_recipe,
        ours,
    )
}


def takes(name, frame):
    """Whether the estimator of a detector can be fitted on a frame as it is."""
    make = _ESTIMATORS[name]
    arguments = {"outliers_print": 0} if name == "outliertree" else {}
    try:
        make(0).fit(frame, **arguments)
    except Exception:
        # Refusals come as all kinds: TypeError, ValueError, AttributeError, KeyError.
        return False
    return True


def one_hot(frame):
    """Numbers, dates as days and one-hot columns, as an array without gaps."""
    from sklearn.preprocessing import OneHotEncoder

    few = [c for c in frame if is_text(frame[c]) and has_few_values(frame[c])]
    plain = frame[[c for c in frame if not is_text(frame[c])]]
    parts = [_filled(ordinal(plain, keep_missing=True))] if len(plain.columns) else []
    if few:
        texts = frame[few].astype(object).where(frame[few].notna(), "missing")
        parts.append(OneHotEncoder(sparse_output=False).fit_transform(texts))
    return np.hstack(parts)


def ordinal(frame, keep_missing=False):
    """Numbers, dates as days and codes of the categories in their alphabetic order."""
    rows = np.column_stack([_as_number(column) for _, column in frame.items()])
    return rows if keep_missing else _filled(rows)


def rarities(frame):
    """Numbers, dates as days, and minus the log of the share of a category."""
    columns = []
    for _, column in frame.items():
        if not is_text(column):
            columns.append(_as_number(column))
            continue
        counts = column.map(column.value_counts()).astype(float)
        rarity = -np.log((counts + 1) / (len(frame) + 1))
        columns.append(np.where(column.isna(), np.nan, rarity))
    return np.column_stack(columns)


def dates_as_days(frame):
    """The frame with its dates as days since 1970."""
    dates = [c for c in frame if types.is_datetime64_any_dtype(frame[c])]
    return frame.assign(**{name: _as_number(frame[name]) for name in dates})


def is_text(column):
    """Whether a column is neither number nor truth value nor date."""
    return not (types.is_numeric_dtype(column) or types.is_datetime64_any_dtype(column))


def has_few_values(column):
    """Whether a text is taken as a category."""
    return column.nunique() <= MAX_ONE_HOT


def _as_number(column):
    """A column as float64: dates as days, text as codes, gaps as NaN."""
    if types.is_datetime64_any_dtype(column):
        column = (column - pd.Timestamp(0)) / pd.Timedelta(days=1)
    elif is_text(column):
        codes = pd.Categorical(column).codes.astype(float)
        return np.where(codes < 0, np.nan, codes)
    return column.to_numpy(dtype=float, na_value=np.nan)


def _filled(rows):
    """Rows with the median of a column in its gaps; empty columns are left out."""
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median").fit_transform(rows)


def _varying(rows):
    """Columns of more than one value: the others have no tails."""
    return rows[:, rows.std(axis=0) > 0]


def _vectorized(frame):
    """Numbers that skrub makes of a frame, gaps filled with the median."""
    from skrub import TableVectorizer

    rows = TableVectorizer().fit_transform(frame)
    return _filled(rows.to_numpy(dtype=float))


def _iforest(seed):
    """PyOD's isolation forest, defaults."""
    from pyod.models.iforest import IForest

    return IForest(random_state=seed)


def _ecod(seed):
    """PyOD's ECOD, defaults; it draws nothing."""
    from pyod.models.ecod import ECOD

    return ECOD()


def _isotree(seed):
    """An isolation forest with the settings that its guide gives for categories."""
    from isotree import IsolationForest

    return IsolationForest(
        ndim=1, ntrees=500, missing_action="impute", random_state=seed, nthreads=1
    )


def _outliertree(seed):
    """An outlier tree, defaults; it draws nothing."""
    from outliertree import OutlierTree

    return OutlierTree(nthreads=1)


def _ours(seed):
    """Our detector, defaults."""
    from skncae import NCAEDetector

    return NCAEDetector(random_state=seed)


def _skrub_pipeline(seed):
    """What a user writes with skrub, whatever the frame."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from skrub import TableVectorizer

    fill = SimpleImputer(strategy="median")
    return make_pipeline(TableVectorizer(), fill, _iforest(seed))


def _boosting(seed):
    """What predicts a column; it refuses text."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    class OfTheRow(HistGradientBoostingRegressor):
        def fit(self, frame):
            return super().fit(frame, np.arange(len(frame)))

    return OfTheRow(max_iter=1)


_ESTIMATORS = {
    "iforest_onehot": _iforest,
    "iforest_ordinal": _iforest,
    "ecod_onehot": _ecod,
    "ecod_ordinal": _ecod,
    "skrub_iforest": _skrub_pipeline,
    "skrub_knn": _skrub_pipeline,
    "isotree": _isotree,
    "outliertree": _outliertree,
    "boosted": _boosting,
    "ours_recipe": _ours,
    "ours": _ours,
}
