"""Errors of different kinds made comparable, by how rare so large an error is.

The log tail probability is one of the ways to unify outlier scores of Kriegel, Kroeger,
Schubert and Zimek, "Interpreting and Unifying Outlier Scores" (SDM 2011).
"""

from dataclasses import dataclass

import numpy as np

from skncae.evidence._interpolation import interpolated

# Errors are compared by the logarithm of themselves and this. They are squares, lengths
# or logarithms of shares: one that is small beside this is made of rounding.
SMALLEST = 1e-3

# Errors below this are none: equal rows of many columns that were float32 have such.
ROUNDING = 1e-5

# What is no number, or beyond all, is taken for this.
LARGEST = 1e300

# Errors whose logarithms differ by less are one error, rounded in several ways.
SAME = 1e-4


@dataclass(frozen=True)
class TailProbability:
    """Minus the log of the share of training errors that are larger.

    Between the training errors it is interpolated; beyond the largest it follows
    the Pareto tail of the largest ones, so that no two outliers tie.

    Parameters
    ----------
    log_errors, minus_logs : ndarray of shape (n_knots,)
    tail_index : float
    """

    log_errors: np.ndarray
    minus_logs: np.ndarray
    tail_index: float

    @classmethod
    def of(cls, errors, n_knots=512):
        """Estimate it from the errors of the training rows."""
        n = len(errors)
        log_errors = np.sort(_log(errors))[::-1]
        # Knots at log-spaced ranks: every one of the largest errors, then fewer.
        ranks = np.unique(np.geomspace(1, n, min(n, n_knots)).astype(int))
        knots = log_errors[ranks - 1][::-1]
        # Rows that are equal have errors that are not, in the last bits. Between two
        # such knots it would hang on those bits, so they are one.
        first = np.flatnonzero(np.diff(knots, prepend=-np.inf) > SAME)
        minus_logs = -np.log((ranks[::-1][first] - 0.5) / n)
        return cls(knots[first], minus_logs, _tail_index(log_errors))

    def __call__(self, errors):
        log_errors = _log(errors)
        beyond = log_errors - self.log_errors[-1]
        # Rows that are equal to the last one up to rounding are no further out.
        beyond = np.where(beyond > SAME, beyond, 0.0)
        within = interpolated(log_errors, self.log_errors, self.minus_logs)
        return within + self.tail_index * beyond

    def log_error_of(self, minus_logs):
        """Log of the error that each has; the inverse of the call."""
        beyond = np.maximum(minus_logs - self.minus_logs[-1], 0.0)
        within = np.interp(minus_logs, self.minus_logs, self.log_errors)
        return within + beyond / self.tail_index

    def center_and_spread(self):
        """Median of the log-errors, and a deviation, out of their quartiles."""
        low, center, high = self.log_error_of(-np.log([0.75, 0.5, 0.25]))
        return center, (high - low) / 1.349 if high > low else 1.0

    def onnx(self, graph, error):
        """Write the call as operations of an ONNX graph."""
        op, knots = graph.op, self.log_errors
        error = op.min([error, op.const(LARGEST)])
        is_none = op.less(error, op.const(ROUNDING))
        error = op.where(is_none, op.const(0.0), error)
        log_error = op.log(op.add(error, op.const(SMALLEST)))
        beyond = op.sub(log_error, op.const(knots[-1]))
        beyond = op.where(op.greater(beyond, op.const(SAME)), beyond, op.const(0.0))
        beyond = op.mul(beyond, op.const(float(self.tail_index)))
        column = op.unsqueeze(log_error, op.const([1]))
        within = graph.interpolated(column, knots[:, None], self.minus_logs[:, None])
        return op.add(op.squeeze(within, op.const([1])), beyond)


def _log(errors):
    """Log of errors, where zero is a small number and NaN a very large one."""
    # Of a NaN and a number fmin is the number.
    errors = np.fmin(errors, LARGEST)
    return np.log(np.where(errors < ROUNDING, 0.0, errors) + SMALLEST)


def _tail_index(log_errors):
    """Hill's estimate from the sqrt(n) largest of the descending log-errors."""
    largest = log_errors[: max(2, int(np.sqrt(len(log_errors))))]
    excess = (largest - largest[-1]).mean()
    # A tail lighter than a normal one's is an artefact of ties.
    return 1.0 / max(float(excess), 0.05)
