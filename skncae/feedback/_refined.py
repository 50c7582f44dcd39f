"""Scores of rows by what was learnt from answers."""

from dataclasses import dataclass

import numpy as np

from skncae._sentences import isolated
from skncae.evidence._scorer import Scorer, shared_out
from skncae.evidence._tail_probability import TailProbability
from skncae.feedback._answers import Answers
from skncae.feedback._similarity import Ranks, Similarity
from skncae.feedback._weights import learn_weights
from skncae.networks._ensemble import blocks

# Answers beyond this many distinct rows are thinned out, the same share of each kind:
# what they cost grows with their number cubed.
MAX_ANSWERS = 1_000

# A row that was answered is judged as a new one by what the other ones of so many parts
# of the answers teach. With 5 a new row had four in five more answers near it.
N_PARTS = 20

# The error at which outliers and inliers are thought to part before there are answers.
ALARM_QUANTILE = 0.9

# What is thought of a row becomes a positive number by a soft step of this slope; the
# order of the rows does not depend on it.
STEEPNESS = 4.0


@dataclass(frozen=True)
class Learnt:
    """What answers have taught.

    Parameters
    ----------
    weights : ndarray of shape (n_kinds, n_features)
        How much each column counts for each component score.
    unweighted, weighted : TailProbability
        What the errors of the training rows were like, without the weights and with.
    ranks : Ranks
    similarity : Similarity
    refined : TailProbability
        What the refined errors of the training rows were like.
    """

    weights: np.ndarray
    unweighted: TailProbability
    weighted: TailProbability
    ranks: Ranks
    similarity: Similarity
    refined: TailProbability

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {
            "weights": self.weights,
            "unweighted": vars(self.unweighted).copy(),
            "weighted": vars(self.weighted).copy(),
            "ranks": vars(self.ranks).copy(),
            "similarity": vars(self.similarity).copy(),
            "refined": vars(self.refined).copy(),
        }

    @classmethod
    def from_state(cls, state):
        """Build what `state` was taken from."""
        return cls(
            state["weights"],
            TailProbability(**state["unweighted"]),
            TailProbability(**state["weighted"]),
            Ranks(**state["ranks"]),
            Similarity(**state["similarity"]),
            TailProbability(**state["refined"]),
        )


class RefinedScorer:
    """A scorer, and what was learnt from answers about its rows.

    Parameters
    ----------
    scorer : Scorer
        The one without answers.
    learnt : Learnt
    answers : Answers
    lessons : Lessons
    """

    def __init__(self, scorer, learnt, answers, lessons):
        self.scorer = scorer
        self.learnt = learnt
        self.answers = answers
        self.lessons = lessons
        self.ensemble = scorer.ensemble
        self.components = scorer.components

    @classmethod
    def learn(cls, scorer, answers, reference):
        """Learn from answers.

        Parameters
        ----------
        scorer : Scorer
        answers : Answers
            One at least.
        reference : ndarray of shape (n_reference, n_features)
            Training rows, or a sample of them.

        Returns
        -------
        scorer : RefinedScorer
        """
        return cls._learn(scorer, answers, reference, _parts(scorer, reference))

    @classmethod
    def _learn(cls, scorer, answers, reference, of_reference):
        """Learn from answers, and from what the errors of training rows consist of."""
        kept = _thinned(answers)
        of_answers = _parts(scorer, kept.rows)
        alarm = np.quantile(of_reference.sum((1, 2)), ALARM_QUANTILE)
        in_alarms = of_answers / alarm if alarm > 0 else of_answers
        ranks = Ranks.of(reference)
        weights = learn_weights(in_alarms, kept.share, kept.count)
        # Only their ratios matter: what they add up to stays what it was.
        total = _weighted(of_reference, weights).sum()
        weights *= of_reference.sum() / total if total > 0 else 1.0
        unweighted = TailProbability.of(of_reference.sum((1, 2)))
        weighted = TailProbability.of(_weighted(of_reference, weights))
        expected = believed(weighted, _weighted(of_answers, weights))
        similarity = Similarity.cautious(
            ranks(kept.rows), kept.share, kept.count, expected
        )
        thought = believed(weighted, _weighted(of_reference, weights))
        thought += similarity(ranks(reference))
        refined = TailProbability.of(_positive(thought))
        learnt = Learnt(weights, unweighted, weighted, ranks, similarity, refined)
        lessons = Lessons.of(of_answers, weights, kept)
        return cls(scorer, learnt, answers, lessons)

    def state(self):
        """Everything learnt, as nested dictionaries and lists of arrays."""
        return {
            **self.scorer.state(),
            "learnt": self.learnt.state(),
            "answers": vars(self.answers).copy() if len(self.answers) else None,
            "lessons": vars(self.lessons).copy(),
        }

    @classmethod
    def from_state(cls, state):
        """Build the scorer that `state` was taken from."""
        learnt = Learnt.from_state(state["learnt"])
        answers = Answers.none(learnt.weights.shape[1])
        if state["answers"] is not None:
            answers = Answers(**state["answers"])
        scorer = Scorer.from_state(state)
        return cls(scorer, learnt, answers, Lessons(**state["lessons"]))

    @property
    def tails(self):
        """What errors of each kind were like: refined ones are ranks, without gaps."""
        return self.scorer.tails

    def errors(self, X):
        """Error of each row: minus the log tail probability of what is thought of it.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
        """
        return self.learnt.refined(_positive(self.thought(X)))

    def errors_as_new(self, X, reference):
        """Errors of rows, each as if it were not among the answers.

        Answers move those rows most that they are about, and a new row has none.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        reference : ndarray of shape (n_reference, n_features)
            That `learn` had.

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
        """
        thought = self.thought(X)
        if not self.answers.hold(X).any():
            return self.learnt.refined(_positive(thought))
        of_reference = _parts(self.scorer, reference)
        part = np.arange(len(self.answers)) % N_PARTS
        for k in np.unique(part):
            held = self.answers.where(part == k).hold(X)
            others = self.answers.where(part != k)
            if not held.any():
                continue
            if len(others):
                by = self._learn(self.scorer, others, reference, of_reference)
                thought[held] = by.thought(X[held])
            else:
                errors = self.scorer.errors(X[held])
                thought[held] = believed(self.learnt.unweighted, errors)
        return self.learnt.refined(_positive(thought))

    def thought(self, X):
        """What is thought of each row: about 0 for an inlier, 1 for an outlier."""
        return self._expected(X) + self.learnt.similarity(self.learnt.ranks(X))

    def trusting(self, X):
        """What is thought of each row if all answers are right; for what to ask.

        Without the weights: these find no more.
        """
        learnt, kept = self.learnt, _thinned(self.answers)
        if not len(kept):
            return self.thought(X)
        expected = believed(learnt.unweighted, self.scorer.errors(kept.rows))
        similarity = Similarity.trusting(
            learnt.ranks(kept.rows), kept.share, kept.count, expected
        )
        thought = believed(learnt.unweighted, self.scorer.errors(X))
        return thought + similarity(learnt.ranks(X))

    def explain(self, X):
        """What each column adds to the error of each row, and what was expected.

        As `Scorer.explain`, but each column of each kind of evidence has its weight.
        """
        contributions, expected = np.empty(X.shape), np.empty(X.shape)

        def explain(some):
            block = self.scorer.block(X[some])
            parts = self.scorer.attributed(block)
            thought = self._expected_of(parts)
            thought += self.learnt.similarity(self.learnt.ranks(X[some]))
            errors = self.learnt.refined(_positive(thought))
            by_column = (parts * self.learnt.weights).sum(1)
            contributions[some] = shared_out(errors, by_column, block.is_attributed)
            expected[some] = self.scorer.expected(block)

        self.scorer.in_pieces(explain, blocks(len(X)))
        return contributions, expected

    def without_answers(self):
        """Return the scorer without the answered rows."""
        none = Answers.none(self.answers.rows.shape[1])
        return RefinedScorer(self.scorer, self.learnt, none, self.lessons)

    def reconstruct(self, X):
        """Mean reconstruction of the members, in the units of X."""
        return self.scorer.reconstruct(X)

    def deviations(self, errors):
        """Place errors on an axis that shows a gap; see `Scorer.deviations`."""
        center, spread = self.learnt.refined.center_and_spread()
        return (self.learnt.refined.log_error_of(errors) - center) / spread

    def usual_range(self):
        """Between what values nearly all of each column lie: (low, high)."""
        return self.scorer.usual_range()

    def filled(self, numbers):
        """Cells of generated numbers, with what they imply of the categories."""
        return self.scorer.filled(numbers)

    def associates_of(self, column):
        """Positions of the columns that go with a column, the closest first."""
        return self.scorer.associates_of(column)

    def _expected(self, X):
        """What is thought of rows by their weighted errors alone."""
        expected = np.empty(len(X))

        def expect(some):
            expected[some] = self._expected_of(_parts(self.scorer, X[some]))

        self.scorer.in_pieces(expect, blocks(len(X), together=8))
        return expected

    def _expected_of(self, parts):
        """What is thought of rows whose errors have these parts."""
        learnt = self.learnt
        return believed(learnt.weighted, _weighted(parts, learnt.weights))


def unrefined(scorer):
    """The scorer that knows of no answers."""
    return scorer.scorer if isinstance(scorer, RefinedScorer) else scorer


def scorer_from_state(state):
    """Build the scorer that `state` was taken from, refined or not."""
    kind = RefinedScorer if "learnt" in state else Scorer
    return kind.from_state(state)


@dataclass(frozen=True)
class Lessons:
    """What the answers say of each column.

    Parameters
    ----------
    weight : ndarray of shape (n_features,)
        How much of what a column added to the errors of the answered rows is left.
    n_rows, n_inliers : ndarray of shape (n_features,)
        Of how many answered rows the column added most to the error, and how many of
        these answers were "inlier".
    """

    weight: np.ndarray
    n_rows: np.ndarray
    n_inliers: np.ndarray

    @classmethod
    def of(cls, parts, weights, answers):
        """Read them off the answered rows."""
        before, after = parts.sum((0, 1)), (parts * weights).sum((0, 1))
        weight = np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0)
        top = parts.sum(1).argmax(1)
        n_rows, n_inliers = (
            np.bincount(top, counts, minlength=parts.shape[2]).astype(int)
            for counts in (answers.count, answers.n_inlier)
        )
        return cls(weight, n_rows, n_inliers)

    def row(self, column, name):
        """What was learnt of a column: its name, the numbers, and a sentence."""
        return (
            name,
            self.weight[column],
            self.n_rows[column],
            self.n_inliers[column],
            self.sentence(column, name),
        )

    def sentence(self, column, name):
        """Say in words what was learnt of a column."""
        weight, n_rows = self.weight[column], self.n_rows[column]
        counts = f"{isolated(name)} counts {_times(weight)}"
        if n_rows == 0:
            return f"{counts}."
        n_said, said = self.n_inliers[column], "normal"
        if weight > 1:
            n_said = n_rows - n_said
            said = "an outlier" if 1 in (n_said, n_rows) else "outliers"
        such = "such row" if n_rows == 1 else "such rows"
        were = "was" if 1 in (n_said, n_rows) else "were"
        return f"{counts}: {n_said} of {n_rows} {such} {were} called {said}."


def _times(weight):
    """How much a weight is, in words."""
    if 0.95 < weight < 1.05:
        return "as before"
    if 0.45 < weight < 0.55:
        return "half"
    if 1.9 < weight < 2.1:
        return "twice"
    return f"{100 * weight:.0f} %" if weight < 1 else f"{weight:.1f} times"


def _parts(scorer, X):
    """What each column adds to each error by kind, (n_samples, n_kinds, n_features)."""
    parts = np.empty((len(X), len(scorer.components), X.shape[1]))

    def attribute(some):
        parts[some] = scorer.attributed(scorer.block(X[some]))

    scorer.in_pieces(attribute, blocks(len(X)))
    return parts


def _weighted(parts, weights):
    """Weighted error of each row."""
    return (parts * weights).sum((1, 2))


def believed(weighted, errors):
    """What is thought of rows by their weighted errors: half their rank."""
    return -0.5 * np.expm1(-weighted(errors))


def _positive(thought):
    """Increasing, and never zero."""
    return np.logaddexp(0.0, STEEPNESS * thought)


def _thinned(answers):
    """At most `MAX_ANSWERS` of the answers, evenly from those of each kind."""
    if len(answers) <= MAX_ANSWERS:
        return answers
    order = np.argsort(answers.share, kind="stable")
    kept = np.linspace(0, len(order) - 1, MAX_ANSWERS).round().astype(int)
    return answers.where(np.sort(order[kept]))
