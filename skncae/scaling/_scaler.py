"""A scaled view of rows.

A *view* is an affine map of the columns followed by a soft limit on what is far out.
"""

from dataclasses import dataclass

import numpy as np

from skncae.scaling._location import LARGEST_VALUE
from skncae.scaling._missing import (
    are_many,
    expectation,
    factor_expectation,
    few_factors,
)

# Squares of scaled values must stay finite in float64.
LARGEST = 1e100

# onnxruntime takes a single number for zero that float32 has no place for, and leaves
# out what subtracts it. Columns of a smaller scale are in a larger unit there.
LEAST_SCALE_OF_RUNTIMES = 1e-30
# So often the smallest numbers may be doubled.
MOST_DOUBLINGS = 1000

# Networks see no value of a table further from the centre than so many scales.
FURTHEST = 3.0

# A row has no contrast if its deviation is at most this share of its largest value.
FLAT = 1e-6


@dataclass(frozen=True)
class View:
    """An affine map of the columns with a soft limit.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
    rotation : ndarray of shape (n_features, n_directions) or None
    deviations : ndarray of shape (n_directions,) or None
        Of the rows in the directions of the rotation, before they were made 1.
    knee : float or None
    light : ndarray of shape (2,) or None
        With per-image normalisation of brightness and contrast (each row to mean 0 and
        deviation 1 first): the median mean and the median deviation of the rows.
    """

    center: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray | None = None
    deviations: np.ndarray | None = None
    knee: float | None = None
    light: np.ndarray | None = None

    def winsorized(self, X):
        """Rows of a table whose values are no further out than FURTHEST scales.

        One absurd value would else move the whole row, and networks that have seen
        none like it would go on in a straight line.
        """
        # Pixels have one scale for all, and a normalised image is in other units.
        if self.knee is None:
            return X
        return np.clip(X, *self._limits())

    def transform(self, X, n_last=None):
        """Map complete rows, (n_samples, n_features), to this view in float64.

        Of a rotated view to all directions, or to the last ones.
        """
        if self.light is not None:
            X = normalized(np.clip(X, -LARGEST, LARGEST, dtype=np.float64))
        Z = standardized(X, self.center, self.scale)
        if self.rotation is not None:
            # Columns that lie one after the other, as the passes below like them.
            first = 0 if n_last is None else max(self.rotation.shape[1] - n_last, 0)
            Z = (self.rotation[:, first:].T @ Z.T).T
        if self.knee is not None:
            Z /= self.knee
            np.arcsinh(Z, out=Z)
            Z *= self.knee
        return Z

    def complete(self, X):
        """Return X in float64 with what the rest of a row predicts in place of NaN."""
        X = np.asarray(X, dtype=np.float64)
        missing = np.isnan(X)
        Z = standardized(X, self.center, self.scale)
        if self.rotation is None:
            Z[missing] = 0.0
        elif self.deviations is not None and (
            self.rotation.shape[1] < X.shape[1] or are_many(X.shape[1])
        ):
            few = _factors(self.rotation, self.deviations)
            Z, _ = factor_expectation(Z, *few)
        else:
            Z, _ = expectation(Z, self.rotation @ self.rotation.T)
        with np.errstate(over="ignore", under="ignore"):
            return np.where(missing, Z * self.scale + self.center, X)

    def inverse_transform(self, Z, like=None):
        """Map rows of this view back to the units of X.

        Rows that were normalised get the brightness and contrast of the rows that they
        are `like`, or the median ones.
        """
        if self.knee is not None:
            Z = self.knee * np.sinh(Z / self.knee)
        if self.rotation is not None and self.deviations is not None:
            # The directions are at right angles.
            Z = (Z * np.square(self.deviations)) @ self.rotation.T
        X = Z * self.scale + self.center
        if self.light is None:
            return X
        mean, deviation = self.light if like is None else light_of(like)
        return X * deviation + mean

    def in_units(self):
        """Centre and scale of each column in the units of the rows.

        Of rows that were normalised those of a row of median brightness and contrast.
        """
        if self.light is None:
            return self.center, self.scale
        mean, deviation = self.light
        return self.center * deviation + mean, self.scale * deviation

    def to_column_axes(self, difference):
        """Rotate differences of rows of this view so that coordinate j is column j's.

        Lengths stay what they are. Whitening mixes the columns; its directions,
        turned back without their scale, are as close to the columns as uncorrelated
        coordinates can be ("corr-max" of Garthwaite & Koch, 2016, or ZCA-cor).
        """
        if self.rotation is None:
            return difference
        directions = self.rotation / np.linalg.norm(self.rotation, axis=0)
        return difference @ directions.T

    def associates_of(self, column, n_most=4, least=0.3):
        """Columns that correlate with a column, the most so first."""
        if self.rotation is None or self.deviations is None:
            return []
        basis = self.rotation * np.square(self.deviations)
        lengths = np.linalg.norm(basis, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = np.abs(basis @ basis[column]) / lengths / lengths[column]
        correlation[column] = 0.0
        most = np.argsort(-correlation, kind="stable")[:n_most]
        return most[correlation[most] >= least].tolist()

    def winsorized_onnx(self, graph, X):
        """Write `winsorized` as operations of an ONNX graph."""
        if self.knee is None:
            return X
        low, high = self._limits()
        return graph.op.min(
            [graph.op.max([X, graph.op.const(low)]), graph.op.const(high)]
        )

    def _limits(self):
        """Least and largest value of each column that networks see."""
        with np.errstate(over="ignore"):
            reach = FURTHEST * self.scale
            return self.center - reach, self.center + reach

    def onnx(self, graph, X):
        """Write `transform` as operations of an ONNX graph; of tables only."""
        op = graph.op
        if self.light is not None:
            within = op.clip(X, op.const(-LARGEST), op.const(LARGEST))
            X = normalized_onnx(graph, within)
        x = standardized_onnx(graph, X, self.center, self.scale)
        if self.rotation is not None:
            x = op.matmul(x, op.const(np.ascontiguousarray(self.rotation)))
        if self.knee is not None:
            knee = op.const(float(self.knee))
            x = op.mul(knee, graph.arcsinh(op.div(x, knee)))
        return x


def _factors(rotation, deviations):
    """Covariance of a view: few factors, their products, and the rest.

    Where no row was, columns vary as little as along the shortest direction.
    """
    variances = np.square(deviations)
    rest = variances.min()
    return few_factors(rotation * deviations, variances - rest, rest)


def standardized(X, center, scale):
    """Columns less their centre, over their scale; no value is beyond LARGEST."""
    # A value may be further out than float64 can say.
    with np.errstate(over="ignore", under="ignore"):
        Z = np.clip(X, -LARGEST_VALUE, LARGEST_VALUE, dtype=np.float64)
        Z -= center
        Z /= scale
    return np.clip(Z, -LARGEST, LARGEST, out=Z)


def standardized_onnx(graph, X, center, scale):
    """Write `standardized` as operations of an ONNX graph."""
    op = graph.op
    if scale.max() * LARGEST > LARGEST_VALUE:
        X = op.clip(X, op.const(-LARGEST_VALUE), op.const(LARGEST_VALUE))
    if scale.min() < LEAST_SCALE_OF_RUNTIMES:
        # A power of two takes no digits.
        unit = np.ldexp(1.0, np.minimum(-np.frexp(scale)[1], MOST_DOUBLINGS))
        X, center, scale = op.mul(X, op.const(unit)), center * unit, scale * unit
    z = op.div(op.sub(X, op.const(center)), op.const(scale))
    return op.clip(z, op.const(-LARGEST), op.const(LARGEST))


def light_of(X):
    """Brightness and contrast: mean and deviation of each row, 1 where it has none."""
    deviation = X.std(1, keepdims=True)
    is_flat = deviation <= FLAT * np.abs(X).max(1, keepdims=True)
    return X.mean(1, keepdims=True), np.where(is_flat, 1.0, deviation)


def normalized(X):
    """Rows with mean 0 and deviation 1 each."""
    mean, deviation = light_of(X)
    return (X - mean) / deviation


def normalized_onnx(graph, X):
    """Write `normalized` as operations of an ONNX graph."""
    op, across = graph.op, graph.op.const([1])
    apart = op.sub(X, op.reduce_mean(X, across))
    deviation = op.sqrt(op.reduce_mean(op.mul(apart, apart), across))
    largest = op.reduce_max(op.abs(X), across)
    is_flat = op.less_or_equal(deviation, op.mul(op.const(FLAT), largest))
    return op.div(apart, op.where(is_flat, op.const(1.0), deviation))
