"""The operations that a scorer writes its ONNX graph with.

Searches in tables are unrolled, since ONNX has none, and what runtimes lack in float64
(asinh, leaky ReLU) is written with what they have.
"""

import math

import numpy as np

from skncae._once import once


class Operators:
    """The operators of a spox opset, which write a constant that is there once only.

    Each node costs spox half a millisecond, and a third of them were the same few axes
    and bounds.
    """

    def __init__(self, opset):
        self._opset = opset
        self._constants = {}

    def __getattr__(self, name):
        return getattr(self._opset, name)

    def const(self, value):
        """Return the constant of a value, as the opset writes it."""
        value = np.asarray(value)
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in self._constants:
            self._constants[key] = self._opset.const(value)
        return self._constants[key]


class Graph:
    """An ONNX graph that is being written: its input, and operations.

    Parameters
    ----------
    op : Operators
    X : Var of shape (n_samples, n_features), float64
        The rows.
    ensemble : Ensemble
        What rows are scaled and reconstructed by, once for all kinds of evidence.
    """

    def __init__(self, op, X, ensemble):
        self.op = op
        self.X = X
        self._ensemble = ensemble

    @once
    def scaled(self):
        """Rows in the view of the networks."""
        return self._ensemble.view.onnx(self, self.X)

    @once
    def reconstruction(self):
        """Reconstructions by the members, (members, n_samples, n_features)."""
        op, n_unseen = self.op, self._ensemble.n_directions - self._ensemble.n_seen
        view = self._ensemble.view
        near = view.onnx(self, view.winsorized_onnx(self, self.X))
        if n_unseen == 0:
            return self._ensemble.model.onnx(self, near)
        axis, first = op.const([1]), op.const([n_unseen])
        n_directions = op.const([self._ensemble.n_directions])
        unseen = op.slice(near, op.const([0]), first, axis)
        seen = op.slice(near, first, n_directions, axis)
        seen = self._ensemble.model.onnx(self, seen)
        # Directions that the networks do not see are reconstructed as the centre.
        n_members = self._ensemble.model.n_members
        zeros = op.add(
            op.const(np.zeros((n_members, 1, 1))), op.mul(unseen, op.const(0.0))
        )
        return op.concat([zeros, seen], axis=2)

    def sum_of_squares(self, x):
        """Sum over the last axis."""
        op = self.op
        return op.reduce_sum(op.mul(x, x), op.const([-1]), keepdims=0)

    def arcsinh(self, x):
        """sign(x) log(|x| + sqrt(x^2 + 1)); log 2|x| where the square overflows."""
        op = self.op
        size = op.abs(x)
        limit = op.const(1e10)
        small = op.min([size, limit])
        root = op.sqrt(op.add(op.mul(small, small), op.const(1.0)))
        near = op.log(op.add(small, root))
        far = op.add(op.log(op.max([size, limit])), op.const(math.log(2.0)))
        return op.mul(op.sign(x), op.where(op.less(size, limit), near, far))

    def interpolated(self, x, knots, values):
        """`np.interp(x[:, j], knots[:, j], values[:, j])`; NaN ends a column early."""
        op = self.op
        # The interval that ends at each knot; the first has no length.
        left, start = (np.concatenate([t[:1], t[:-1]]) for t in (knots, values))
        with np.errstate(invalid="ignore"):
            slopes = np.nan_to_num((values - start) / (knots - left))
        inside = op.max([x, op.const(np.nanmin(knots, axis=0))])
        inside = op.min([inside, op.const(np.nanmax(knots, axis=0))])
        interval = self.count_smaller(knots, inside)
        left, start, slopes = (
            op.gather_elements(op.const(np.ascontiguousarray(table)), interval, axis=0)
            for table in (left, start, slopes)
        )
        return op.add(start, op.mul(slopes, op.sub(inside, left)))

    def count_smaller(self, table, x):
        """How many values of each column of a sorted table are smaller than x's.

        `np.searchsorted(table[:, j], x[:, j], "left")`: a binary search that halves the
        same way for all rows, so that its steps can be written down one by one.
        """
        op = self.op
        columns = op.const(np.ascontiguousarray(table))
        count = op.expand(op.const(np.int64(0)), op.shape(x))
        n = len(table)
        while n > 1:
            half = n // 2
            pivot = op.gather_elements(
                columns, op.add(count, op.const(np.int64(half - 1))), axis=0
            )
            smaller = op.cast(op.less(pivot, x), to=np.int64)
            count = op.add(count, op.mul(smaller, op.const(np.int64(half))))
            n -= half
        last = op.less(op.gather_elements(columns, count, axis=0), x)
        return op.add(count, op.cast(last, to=np.int64))
