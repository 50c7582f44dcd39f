"""What a detector does with answers: refine, next_to_review, forget."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skncae._checks import check_count
from skncae._diagnostics import all_or_nothing
from skncae._extras import needing
from skncae._surroundings import undisturbed
from skncae._threshold import Threshold, quantile_threshold, threshold_at
from skncae.data._reading import index_of
from skncae.data._validation import check_rows, feature_names
from skncae.evidence._tail_probability import TailProbability
from skncae.feedback._answers import Answers, first_of_each, read_labels
from skncae.feedback._refined import RefinedScorer, believed, unrefined
from skncae.feedback._similarity import Ranks, most_telling

# Rows are asked about among so many of those thought most abnormal.
MAX_CANDIDATES = 2_000

# Training rows by whose scores X is known again.
N_PROBES = 20


# What goes with a scorer.
OF_SCORES = ("training_scores_", *Threshold(0.0, 0.0).attributes())


class AnswersMixin:
    """Learns from answers of a reviewer, without another fit of the networks."""

    # Of the detector.
    contamination: Any
    contamination_: float
    contamination_interval_: Any
    image_shape_: Any
    training_scores_: np.ndarray
    _calibration: Any
    _reference: np.ndarray
    _scorer: Any
    _set: Callable
    # What `forget` brings back; None without answers.
    _unrefined: Any

    @undisturbed()
    def refine(self, X, labels):
        """Learn from answers: which rows are outliers, and which are not.

        The networks stay as they are. Each column of each kind of evidence gets a
        weight (`weights_`), and rows like the answered ones are thought to be of their
        kind. Scores, threshold, `training_scores_` and `explain` follow. Answers of
        earlier calls are kept; of a row that is answered again the last call counts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows that the labels are about: the training rows, or any others.
        labels : array-like of shape (n_samples,) or pandas Series
            -1 for an outlier, 1 for an inlier; 0, NaN or masked where nobody looked. A
            Series may hold the answers alone, and so may a frame of one column: its
            index names rows of the frame X, or positions in an array.

        Returns
        -------
        self : NCAEDetector
            The detector, refined. Its errors are then minus the log of the share of
            training rows that are thought more abnormal.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X or labels are not valid, or if it was fitted on images.

        See Also
        --------
        next_to_review : Which rows to ask about.
        forget : Take it back.

        Notes
        -----
        Refined `training_scores_` are of all training rows where X holds them, in their
        order; else of a sample of at most 2,000 that `fit` keeps. The share that is
        flagged stays what it is, also that of "auto" and of thresholders; but "auto"
        flags no fewer than were called outliers. `set_threshold` asks them again.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> X[:5, 0] += 6
        >>> X[5:10, 1] += 6
        >>> detector = NCAEDetector(random_state=0).fit(X)
        >>> labels = np.zeros(300)
        >>> labels[:3], labels[5:8] = -1, 1
        >>> detector = detector.refine(X, labels)
        >>> scores = detector.score_samples(X)
        >>> bool(scores[3:5].max() < scores[8:10].min())
        True
        """
        check_is_fitted(self)
        self._raise_if_images("refine")
        rows = check_rows(self, X, reset=False)
        positions, answers = read_labels(labels, len(rows), index_of(X))
        if not len(positions):
            return self
        answers = Answers.of(rows[positions], answers)
        earlier = self._scorer
        if isinstance(earlier, RefinedScorer):
            answers = earlier.answers.followed_by(answers)

        scorer = RefinedScorer.learn(unrefined(earlier), answers, self._reference)
        known = rows if self._was_fitted_on(rows) else self._reference
        errors = scorer.errors(known)
        threshold = self._same_cut(errors, known, answers)
        calibration = self._calibration and self._taught(self._calibration, scorer)
        with all_or_nothing(self):
            if self._unrefined is None:
                self._unrefined = {name: getattr(self, name) for name in OF_SCORES}
            self._scorer, self._calibration = scorer, calibration
            self.training_scores_ = -errors
            self._set(threshold)
        return self

    @undisturbed()
    def next_to_review(self, X, n=5):
        """Say which rows to ask a reviewer about.

        The first is the row that was not answered yet and is thought most abnormal,
        with something for how little is known of rows like it. Each other is the first
        one if those before it turned out to be nearly inliers, so that a batch holds
        rows of several kinds. Of equal rows it is the first: one answer is about all.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to choose from.
        n : int, default=5
            How many.

        Returns
        -------
        rows : ndarray or pandas Index of shape (n,)
            Their labels in the index of a frame, positions without one; fewer where X
            has no more different rows without an answer.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not valid, if n is less than 1, or if it was fitted on images.
        TypeError
            If n is no integer.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> X[17] += 8
        >>> detector = NCAEDetector(random_state=0).fit(X)
        >>> int(detector.next_to_review(X, n=3)[0])
        17
        """
        check_is_fitted(self)
        n = check_count("n", n)
        self._raise_if_images("next_to_review")
        rows = check_rows(self, X, reset=False)
        if isinstance(self._scorer, RefinedScorer):
            thought, answers = self._scorer.trusting(rows), self._scorer.answers
            open_rows = np.flatnonzero(~answers.hold(rows))
        else:
            tail = TailProbability.of(-self.training_scores_)
            thought = believed(tail, self._scorer.errors(rows))
            answers, open_rows = Answers.none(rows.shape[1]), np.arange(len(rows))
        candidates = open_rows[first_of_each(rows[open_rows])]
        candidates = candidates[np.argsort(-thought[candidates], kind="stable")]
        candidates = candidates[:MAX_CANDIDATES]
        ranks = Ranks.of(self._reference)
        picked = most_telling(
            ranks(rows[candidates]),
            thought[candidates],
            ranks(answers.rows),
            min(n, len(candidates)),
        )
        index = index_of(X)
        picked = candidates[picked]
        return picked if index is None else index[picked]

    @undisturbed()
    def forget(self):
        """Forget all answers, and what was learnt from them.

        Returns
        -------
        self : NCAEDetector
            The detector, with the scores and the threshold that it had before the
            first `refine`.
        """
        check_is_fitted(self)
        if self._unrefined is not None:
            scorer, before = unrefined(self._scorer), self._unrefined
            calibration = self._calibration and self._calibration.again(
                scorer, unrefined
            )
            with all_or_nothing(self):
                self._scorer, self._calibration = scorer, calibration
                self._unrefined = None
                for name, value in before.items():
                    setattr(self, name, value)
        return self

    @undisturbed()
    def without_answers(self):
        """Return a copy to hand on, which does not hold the answered rows.

        What was learnt from them stays: weights, and the ranks that the answered rows
        have among the training rows, by which rows like them are known. The copy asks
        about answered rows again, and its next `refine` starts from the new answers.

        Returns
        -------
        detector : NCAEDetector
            With the scores of this one.
        """
        check_is_fitted(self)
        detector = copy.copy(self)
        detector._scorer = _without_answers(self._scorer)
        if self._calibration is not None:
            detector._calibration = self._calibration.with_scorers(_without_answers)
        return detector

    @property
    @undisturbed()
    def weights_(self):
        """Return how much each column counts for each kind of evidence, as a frame.

        Returns
        -------
        weights : DataFrame of shape (n_kinds, n_features)
            1 where no answer says otherwise. Only their ratios matter.
        """
        check_is_fitted(self)
        scorer = self._scorer
        kinds = [component.evidence.name for component in scorer.components]
        names = feature_names(self)
        weights = np.ones((len(kinds), len(names)))
        if isinstance(scorer, RefinedScorer):
            weights[:, self._judged_columns()] = scorer.learnt.weights
        return _frame(weights, index=kinds, columns=names)

    @property
    @undisturbed()
    def lessons_(self):
        """Return what the answers have taught of each column, in words, as a frame.

        Returns
        -------
        lessons : DataFrame of shape (n_columns, 5)
            Columns "feature"; "weight", how much of what it added to the errors of the
            answered rows is left; "n_rows", in how many answered rows it added most;
            "n_inliers", how many of these were called normal; "sentence". Of the
            columns that added most to an answered row, the largest change first.
        """
        check_is_fitted(self)
        names = feature_names(self)[self._judged_columns()]
        columns = ["feature", "weight", "n_rows", "n_inliers", "sentence"]
        rows = []
        if isinstance(self._scorer, RefinedScorer):
            lessons = self._scorer.lessons
            change = np.abs(np.log(np.maximum(lessons.weight, 1e-300)))
            for column in np.argsort(-change, kind="stable"):
                if lessons.n_rows[column]:
                    rows.append(lessons.row(column, names[column]))
        return _frame(rows, columns=columns)

    def _judged_columns(self):
        """Places of the columns that rows are judged by, in the order of the cells."""
        layout = self._scorer.ensemble.layout
        return slice(None) if layout is None else layout.places

    def _taught(self, calibration, scorer):
        """Return the calibration of a scorer that answers may have taught."""
        if not isinstance(scorer, RefinedScorer):
            return calibration

        def learn(of_fold):
            if not len(scorer.answers):
                raise ValueError(
                    "calibrate(cv=...) fits again, and this NCAEDetector does not hold "
                    "the answers that it has learnt from. Calibrate it on rows that it "
                    "has not seen, or forget the answers."
                )
            return RefinedScorer.learn(
                unrefined(of_fold), scorer.answers, self._reference
            )

        def judge(who, rows):
            return who.errors_as_new(rows, self._reference)

        return calibration.again(scorer, learn, judge)

    def _raise_if_images(self, method):
        if self.image_shape_ is not None:
            raise ValueError(
                f"{method} is for tables, whose columns mean something each; this "
                "NCAEDetector was fitted on images. Fit it on features of them, such "
                "as those of `encode`, to learn from answers."
            )

    def _was_fitted_on(self, rows):
        """Say whether these are the training rows, in their order."""
        scorer, scores = self._before_answers()
        if len(scores) != len(rows):
            return False
        probes = np.unique(np.linspace(0, len(rows) - 1, N_PROBES).astype(int))
        errors = scorer.errors(rows[probes])
        return np.allclose(-errors, scores[probes], rtol=1e-6, atol=1e-9)

    def _before_answers(self):
        """The scorer that knows of no answers, and its scores of the training rows."""
        before = self._unrefined or vars(self)
        return unrefined(self._scorer), before["training_scores_"]

    def _same_cut(self, errors, known, answers):
        """The threshold that flags the share that was flagged, among other errors."""
        share, interval = self.contamination_, self.contamination_interval_
        if isinstance(self.contamination, str):
            # Who called a row an outlier has seen more than the estimate.
            found = np.mean(answers.where(answers.share > 0.5).hold(known))
            if found > share:
                share, interval = found, None
        threshold = threshold_at(errors, quantile_threshold(errors, 1.0 - share))
        return replace(threshold, interval=interval)


def _without_answers(scorer):
    """The scorer without the answered rows; what they have taught stays."""
    return scorer.without_answers() if isinstance(scorer, RefinedScorer) else scorer


def _frame(content, **axes):
    """Make a pandas frame."""
    with needing("pandas", "Weights and lessons are pandas frames."):
        import pandas
    return pandas.DataFrame(content, **axes)
