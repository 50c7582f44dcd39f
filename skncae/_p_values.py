"""How rare an error is among rows that were not trained on: conformal p-values.

=========  ==================================================================
calibrate  on
=========  ==================================================================
split      rows that the detector has not seen, by the detector itself
cv         rows that the detector may have seen: each fold by a detector that
           was fitted on the other folds, which judges new rows too
=========  ==================================================================

The p-value of a row is (1 + the number of calibration rows with an error at least as
large) / (1 + the number of calibration rows). If the row is exchangeable with the
calibration rows, it is below alpha with a probability of at most alpha: exactly so in a
split (Bates et al., "Testing for outliers with conformal p-values", Annals of
Statistics 51, 2023), up to a factor of 2 in theory and hardly more than alpha in
practice with cv (Vovk, "Cross-conformal predictors", Annals of Mathematics and
Artificial Intelligence 74, 2015). Errors that are equal up to rounding count as equal,
so no p-value is drawn at random.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import false_discovery_control
from sklearn.model_selection import KFold

from skncae._fitting import fit
from skncae._parameters import private_random_state, seed_of
from skncae._threshold import rounding_at, within
from skncae.data._sources import RowsAtHand
from skncae.evidence._scorer import Scorer
from skncae.training._trainer import training


@dataclass(frozen=True)
class Fold:
    """Calibration rows, who judges them and new rows, and what errors they have.

    Parameters
    ----------
    scorer : Scorer or None
        None is the detector's own.
    rows : ndarray of shape (n_rows, n_features)
    errors : ndarray of shape (n_rows,)
        Ascending.
    """

    scorer: Scorer | None
    rows: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, scorer, rows, own, judge=None):
        """Judge the rows by a scorer, or by the detector's own."""
        who = scorer or own
        errors = judge(who, rows) if judge else who.errors(rows)
        return cls(scorer, rows, np.sort(errors))


@dataclass(frozen=True)
class Calibration:
    """Rows that nobody who judges them was trained on.

    Parameters
    ----------
    folds : tuple of Fold
    """

    folds: tuple

    @classmethod
    def split(cls, rows, own):
        """Calibrate the detector's own scorer on rows that it has not seen."""
        # They may be the caller's own array, who may fill it with other rows.
        return cls((Fold.of(None, np.array(rows), own),))

    @classmethod
    def cross_fitted(cls, rows, cv, settings, layout=None):
        """Calibrate a scorer for each fold, learnt from the other folds.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
        cv : int or splitter of scikit-learn
        settings : Settings
            How to fit.
        layout : Layout or None
            Of a typed table.
        """
        seed = seed_of(private_random_state(settings.random_state))
        if not hasattr(cv, "split"):
            cv = KFold(cv, shuffle=True, random_state=seed)
        folds = []
        for k, (others, fold) in enumerate(_partition(rows, cv)):
            settings = replace(
                settings, contamination=0.5, random_state=(seed + k) % 2**32, verbose=0
            )
            with training():
                fitted = fit(
                    settings, RowsAtHand(rows[others]), Unwatched(), layout=layout
                )
            scorer = fitted.judged.scorer
            folds.append(Fold.of(scorer, rows[fold], None))
        return cls(tuple(folds))

    @property
    def n_rows(self):
        """Number of calibration rows."""
        return sum(len(fold.rows) for fold in self.folds)

    def p_values(self, rows, own):
        """P-values of new rows.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
        own : Scorer
            The detector's own.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
        """
        at_least = np.ones(len(rows))
        for fold in self.folds:
            errors = (fold.scorer or own).errors(rows)
            # NaN is beyond all.
            lowest = errors - rounding_at(errors)
            at_least += len(fold.errors) - np.searchsorted(fold.errors, lowest)
        return at_least / (1 + self.n_rows)

    def again(self, own, change, judge=None):
        """Return the calibration of scorers that have changed since.

        Parameters
        ----------
        own : Scorer
            The detector's own, changed.
        change : callable
            `change(scorer)` returns what becomes of the scorer of a fold.
        judge : callable, optional
            `judge(scorer, rows)` returns the errors of calibration rows.
        """
        return Calibration(
            tuple(
                Fold.of(fold.scorer and change(fold.scorer), fold.rows, own, judge)
                for fold in self.folds
            )
        )

    def with_scorers(self, change):
        """Return it with other scorers of the folds, which judge as these do.

        Parameters
        ----------
        change : callable
            `change(scorer)` returns what takes the place of the scorer of a fold.
        """
        return Calibration(
            tuple(
                replace(fold, scorer=fold.scorer and change(fold.scorer))
                for fold in self.folds
            )
        )

    def state(self):
        """Everything learnt, as lists and dictionaries of arrays."""
        return [
            {
                "scorer": fold.scorer and fold.scorer.state(),
                "rows": fold.rows,
                "errors": fold.errors,
            }
            for fold in self.folds
        ]

    @classmethod
    def from_state(cls, state, read):
        """Build the calibration that `state` was taken from; `read` builds scorers."""
        folds = []
        for fold in state:
            scorer = fold["scorer"] and read(fold["scorer"])
            folds.append(Fold(scorer, fold["rows"], fold["errors"]))
        return cls(tuple(folds))


def _partition(rows, cv):
    """Positions to fit on and to judge, of all folds; each row is judged once."""
    places = np.arange(len(rows))
    parts, n_judged = [], np.zeros(len(rows), int)
    remedy = "Give a number of folds, or a splitter such as KFold(5, shuffle=True)."
    try:
        for others, fold in cv.split(rows):
            parts.append((places[others], places[fold]))
            n_judged += np.bincount(places[fold], minlength=len(rows))
            # What leaves out all pairs of rows, say, goes on for long.
            if n_judged.max() > 1:
                break
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"cv={cv!r} cannot split these {len(rows)} rows, which have no labels and "
            f"no groups: {str(error).rstrip('.')}. {remedy}"
        ) from error
    row = n_judged.argmax() if n_judged.max() > 1 else n_judged.argmin()
    if n_judged[row] != 1:
        found = f"{n_judged[row]} test folds" if n_judged[row] else "no test fold"
        raise ValueError(
            f"cv={cv!r} has row {row} in {found}, and p-values need each row in "
            f"exactly one. {remedy}"
        )
    if any(np.isin(fold, others).any() for others, fold in parts):
        raise ValueError(
            f"cv={cv!r} fits on rows of the fold that they are judged in, and p-values "
            f"need rows that were not trained on. {remedy}"
        )
    return parts


class Unwatched:
    """To `fit`, the tasks of a detector that has no callbacks."""

    def begin_round(self):
        """Tell nobody."""

    def end_round(self, as_if_ended):
        """Say that nobody wants training to stop."""
        return False


def selected(p_values, alpha):
    """Say of each p-value whether the rule of Benjamini and Hochberg selects it.

    Parameters
    ----------
    p_values : ndarray of shape (n_samples,)
    alpha : float

    Returns
    -------
    selected : bool ndarray of shape (n_samples,)
    """
    if not len(p_values):
        return np.zeros(0, bool)
    return within(false_discovery_control(p_values, method="bh"), alpha)
