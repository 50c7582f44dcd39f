"""From rows to scores.

Each kind of evidence (`_kinds`) is a component score. Errors of different kinds are
made comparable by minus the log of their tail probability, the share of training rows
with a larger error; `_combination` makes one score of them.

Every error is a sum over columns (of a distance: its square is). Where entries are
missing it is the sum over the others, scaled up to all columns; a row without any value
gets the median error of the training rows.
"""

from dataclasses import dataclass, replace

import numpy as np

from skncae._threads import in_threads
from skncae.evidence import _combination
from skncae.evidence._base import Block, Evidence
from skncae.evidence._kinds import KINDS
from skncae.evidence._tail_probability import SMALLEST, TailProbability
from skncae.networks._ensemble import BLOCK, Ensemble, blocks
from skncae.scaling._missing import over_all_columns

# Blocks of rows with so few columns are twice as long: they still fit into a cache.
FEW_COLUMNS = 64

# Numbers of rows that are scored together, in a thread, at most; but a block of rows.
MAX_PIECE = 2**22


@dataclass(frozen=True)
class Component:
    """A kind of evidence, and what its errors of the training rows were like.

    Parameters
    ----------
    evidence : Evidence
    typical : float
        The median error.
    tail : TailProbability
    """

    evidence: Evidence
    typical: float
    tail: TailProbability

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {
            "kind": self.evidence.name,
            "evidence": self.evidence.state(),
            "typical": self.typical,
            "tail": vars(self.tail).copy(),
        }

    @classmethod
    def from_state(cls, state):
        """Build the component that `state` was taken from."""
        if state["kind"] not in KINDS:
            raise ValueError(f"unknown evidence {state['kind']!r}")
        evidence = KINDS[state["kind"]].from_state(state["evidence"])
        return cls(evidence, state["typical"], TailProbability(**state["tail"]))


class Scorer:
    """Errors of rows, from fitted networks and what the training rows were like.

    Parameters
    ----------
    ensemble : Ensemble
    components : list of Component
    """

    def __init__(self, ensemble, components):
        self.ensemble = ensemble
        self.components = components

    @classmethod
    def learn(cls, ensemble, X, settings, random_state):
        """Learn from training rows what an error of each kind is worth.

        Parameters
        ----------
        ensemble : Ensemble
        X : ndarray of shape (n_samples, n_features)
        settings : Settings
            `evidence` names the kinds; the kinds read what else they need.
        random_state : RandomState

        Returns
        -------
        scorer : Scorer
        errors : ndarray of shape (n_samples,), float64
            What `errors` gives for these rows.
        """
        block = Block(ensemble, X)
        kinds = [
            KINDS[name].learn(block, settings, random_state)
            for name in settings.evidence
        ]
        # What they shared while they learnt may be as large as the rows.
        del block
        observed, n_missing = _observed_errors(ensemble, kinds, X)
        n_features = len(ensemble.view.center)
        errors = [
            over_all_columns(row, n_missing, n_features, kind.power)
            for kind, row in zip(kinds, observed, strict=True)
        ]
        typical = [float(np.median(row)) for row in errors]
        components = [
            Component(kind, middle, TailProbability.of(row))
            for kind, middle, row in zip(kinds, typical, errors, strict=True)
        ]
        scorer = cls(ensemble, components)
        return scorer, scorer._combined(np.array(errors))

    def ranked_among(self, X):
        """Return the scorer whose tail probabilities are shares of these rows.

        Among the rows that it learnt from alone, all known outliers beyond them tie.
        """
        errors = [self.component_errors(X[some]) for some in blocks(len(X))]
        components = [
            replace(component, tail=TailProbability.of(of_kind))
            for component, of_kind in zip(
                self.components, np.concatenate(errors, axis=1), strict=True
            )
        ]
        return Scorer(self.ensemble, components)

    def state(self):
        """Everything learnt, as nested dictionaries and lists of arrays."""
        return {
            "ensemble": self.ensemble.state(),
            "components": [component.state() for component in self.components],
        }

    @classmethod
    def from_state(cls, state):
        """Build the scorer that `state` was taken from."""
        return cls(
            Ensemble.from_state(state["ensemble"]),
            [Component.from_state(component) for component in state["components"]],
        )

    @property
    def names(self):
        """Names of the kinds."""
        return [component.evidence.name for component in self.components]

    @property
    def tails(self):
        """What the training errors of each kind were like."""
        return [component.tail for component in self.components]

    @property
    def _of_cells(self):
        """The kind that knows the cells of a typed table, None without one."""
        kinds = (component.evidence for component in self.components)
        return next((kind for kind in kinds if kind.typed_only), None)

    def errors(self, X):
        """Error of each row: its combined tail probability, or that of the only kind.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
        """
        errors = np.empty(len(X))

        def score(some):
            errors[some] = self._combined(self.component_errors(X[some]))

        # So that only the errors themselves grow with the rows.
        together = MAX_PIECE // (BLOCK * X.shape[1])
        self.in_pieces(score, blocks(len(X), together=min(max(together, 1), 32)))
        return errors

    def in_pieces(self, function, pieces):
        """Call a function on pieces of the rows; of a table in threads."""
        if self.ensemble.is_of_images:
            # Convolutions: torch shares out each, and a piece takes much memory.
            for piece in pieces:
                function(piece)
        else:
            in_threads(function, list(pieces))

    def component_errors(self, X):
        """Errors of each kind, (n_kinds, n_samples)."""
        kinds = [component.evidence for component in self.components]
        observed, n_missing = _observed_errors(self.ensemble, kinds, X)
        return self._completed_errors(observed, n_missing)

    def explain(self, X):
        """What each column adds to the error of each row, and what was expected.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        contributions : ndarray of shape (n_samples, n_features), float64
            Not negative, zero for missing entries of a row that has others; their
            sums over the columns are `errors`.
        expected : ndarray of shape (n_samples, n_features), float64
            Mean reconstruction of the members, in the units of X.
        """
        contributions, expected = np.empty(X.shape), np.empty(X.shape)

        def explain(some):
            block = self.block(X[some])
            contributions[some] = self.attributed(block).sum(1)
            expected[some] = self.expected(block)

        self.in_pieces(explain, blocks(len(X)))
        return contributions, expected

    def block(self, X):
        """Rows as all kinds see them."""
        return Block(self.ensemble, X)

    def attributed(self, block):
        """What each column adds to the error of each row by the word of each kind.

        Every kind is weighted by minus the log of its tail probability, and attributed
        to the columns as its error is.

        Parameters
        ----------
        block : Block

        Returns
        -------
        parts : ndarray of shape (n_samples, n_kinds, n_features)
            Not negative; their sums are the errors.
        """
        kinds = [component.evidence for component in self.components]
        # First, since kinds keep what their errors need too.
        parts = np.stack([_parts(kind, block) for kind in kinds])
        errors = np.array([kind.errors(block) for kind in kinds])
        errors = self._completed_errors(errors, block.n_missing)
        is_attributed = block.is_attributed
        parts = parts * is_attributed
        if len(kinds) > 1:
            parts = shared_out(self._minus_logs(errors), parts, is_attributed)
        parts = np.moveaxis(parts, 0, 1)
        flat = parts.reshape(len(parts), -1)
        is_attributed = np.tile(is_attributed, len(kinds))
        flat = shared_out(self._combined(errors), flat, is_attributed)
        return flat.reshape(parts.shape)

    def reconstruct(self, X):
        """Mean reconstruction of the members, in the units of X."""
        expected = np.empty(X.shape)

        def expect(some):
            expected[some] = self.expected(self.block(X[some]))

        self.in_pieces(expect, blocks(len(X)))
        return expected

    def deviations(self, errors):
        """Place errors on an axis that shows a gap, in the same order.

        A tail probability is a rank: rows that are far out are one rank beyond others.
        So each error is turned back into the log-error that each kind has there, in
        deviations from the median one; of several kinds, the median.
        """
        places = []
        for tail in self.tails:
            center, spread = tail.center_and_spread()
            if len(self.components) > 1:
                log_errors = tail.log_error_of(errors)
            else:
                log_errors = np.log(np.maximum(errors, SMALLEST))
            places.append((log_errors - center) / spread)
        return np.median(places, axis=0)

    def usual_range(self):
        """Between what values nearly all of each column lie: (low, high)."""
        for component in self.components:
            usual = component.evidence.usual_range()
            if usual is not None:
                return usual
        center, scale = self.ensemble.view.in_units()
        # Of a normal distribution 98 %.
        reach = 2.33 * scale
        return center - reach, center + reach

    def filled(self, numbers):
        """Cells of generated numbers, with what they imply of the categories."""
        layout, kind = self.ensemble.layout, self._of_cells
        cells = layout.positions(numbers)
        if kind is None:
            return cells
        expected = kind.expected(self.block(cells))
        return np.where(layout.is_category, expected, cells)

    def associates_of(self, column):
        """Positions of the columns that go with a column, the closest first."""
        if self.ensemble.layout is None:
            return self.ensemble.view.associates_of(column)
        places, kind = self.ensemble.layout.places, self._of_cells
        cell = np.flatnonzero(places == column)
        if kind is None or not len(cell):
            return []
        return [int(places[other]) for other in kind.associates_of(cell[0])]

    def expected(self, block):
        """What was expected in place of the cells of a block."""
        if block.layout is None:
            return block.expected
        if self._of_cells is None:
            return block.layout.positions(block.expected)
        return self._of_cells.expected(block)

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        errors = [component.evidence.onnx(graph) for component in self.components]
        if len(errors) == 1:
            return errors[0]
        minus_logs = [
            component.tail.onnx(graph, error)
            for component, error in zip(self.components, errors, strict=True)
        ]
        return _combination.onnx(graph, self.names, minus_logs)

    def _completed_errors(self, observed, n_missing):
        """Errors scaled up from the observed columns to all, (n_kinds, n_samples)."""
        n_features = len(self.ensemble.view.center)
        known = [(one.evidence.power, one.typical) for one in self.components]
        completed = [
            over_all_columns(row, n_missing, n_features, *of_kind)
            for row, of_kind in zip(observed, known, strict=True)
        ]
        return np.array(completed)

    def _combined(self, errors):
        """Combine (n_kinds, n_samples) errors, or return the only ones."""
        if len(self.components) == 1:
            return errors[0]
        return _combination.combined(self.names, self._minus_logs(errors))

    def _minus_logs(self, errors):
        """Minus the log of the tail probability of each error, (n_kinds, n_samples)."""
        components = zip(self.components, errors, strict=True)
        return np.stack([component.tail(row) for component, row in components])


def _observed_errors(ensemble, kinds, X):
    """Errors of each kind over the observed columns, and how many are not."""
    errors = np.empty((len(kinds), len(X)))
    is_narrow = X.shape[1] <= FEW_COLUMNS
    if is_narrow:
        # Few columns and many rows: so passes through them are long ones.
        X = np.asfortranarray(X)
    whole = Block(ensemble, X)
    in_blocks = []
    for kind, row in zip(kinds, errors, strict=True):
        if kind.by_column_alone:
            row[:] = kind.errors(whole)
        else:
            in_blocks.append((kind, row))
    n_missing = np.zeros(len(X), dtype=int)
    for some in blocks(len(X), 2 if is_narrow else 1):
        block = whole.take(some)
        n_missing[some] = block.n_missing
        for kind, row in in_blocks:
            row[some] = kind.errors(block)
    return errors, n_missing


def _parts(kind, block):
    """What each column adds to the error of a kind, missing ones nothing."""
    parts = kind.contributions(block)
    if kind.typed_only:
        return parts
    parts = parts * block.is_observed
    return parts if block.layout is None else block.layout.to_cells(parts)


def shared_out(totals, parts, is_observed):
    """Parts scaled so that they sum to the totals.

    Where all are zero the observed columns get equal parts; in a row without any, all.
    """
    whole = parts.sum(-1)
    says_nothing = ~(whole > 0)
    shares = parts / np.where(says_nothing, 1.0, whole)[..., None]
    if says_nothing.any():
        is_heard = is_observed | ~is_observed.any(-1, keepdims=True)
        equal = is_heard / is_heard.sum(-1, keepdims=True)
        shares[says_nothing] = np.broadcast_to(equal, parts.shape)[says_nothing]
    shares *= totals[..., None]
    return shares
