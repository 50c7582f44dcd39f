"""Each column of a frame predicted from the others, by histogram gradient boosting.

The throwaway prototype that the typed table is compared with: three folds, so that no
row predicts itself; the error of a number over its median, of a category minus its
log-probability less the entropy of the prediction.
"""

import numpy as np

FOLDS = 3
SETTINGS = {"max_iter": 50, "early_stopping": False}
SMALLEST = 1e-6


def largest_error(codes, is_category, seed):
    """Error of the worst predicted column of each row.

    Parameters
    ----------
    codes : ndarray of shape (n_rows, n_columns)
        Numbers, and codes of categories; NaN is missing.
    is_category : bool ndarray of shape (n_columns,)
    seed : int

    Returns
    -------
    errors : ndarray of shape (n_rows,)
    """
    targets = range(codes.shape[1])
    return np.max([_errors(codes, is_category, j, seed) for j in targets], axis=0)


def _errors(codes, is_category, target, seed):
    """Errors of one column, 0 where it is missing."""
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.model_selection import KFold

    others = np.delete(np.arange(codes.shape[1]), target)
    y, there = codes[:, target], ~np.isnan(codes[:, target])
    errors = np.zeros(len(codes))
    if len(np.unique(y[there])) < 2 or len(others) == 0:
        return errors
    make = HistGradientBoostingRegressor
    if is_category[target]:
        make = HistGradientBoostingClassifier
    settings = SETTINGS | {"categorical_features": is_category[others]}
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(codes):
        train, test = train[there[train]], test[there[test]]
        model = make(random_state=seed, **settings)
        model.fit(codes[np.ix_(train, others)], y[train])
        judge = _surprise if is_category[target] else _distance
        errors[test] = judge(model, codes[np.ix_(test, others)], y[test])
    return errors if is_category[target] else _over_median(errors, there)


def _distance(model, X, y):
    """Absolute error of a predicted number."""
    return np.abs(y - model.predict(X))


def _over_median(errors, there):
    """Errors of a number over their median, or their mean where that is 0."""
    typical = np.median(errors[there]) or errors.mean() or 1.0
    return errors / typical


def _surprise(model, X, y):
    """Minus the log-probability of a class, less the entropy of the prediction."""
    chance = np.clip(model.predict_proba(X), SMALLEST, 1)
    is_own = model.classes_ == y[:, None]
    # A class that the other folds have not seen has no probability.
    own = np.where(is_own.any(axis=1), (chance * is_own).sum(axis=1), SMALLEST)
    return -np.log(own) + (chance * np.log(chance)).sum(axis=1)
