"""The scoring of a fitted detector as one ONNX graph.

Dictionaries in, a model out: the graph computes in float64 what `Scorer.errors` does,
from the state of a scorer. Searches in tables are unrolled, since ONNX has none, and
what runtimes lack in float64 (asinh, leaky ReLU) is written with what they have.
"""

import math

import numpy as np

from skncae.evidence._scorer import TIE_BREAK
from skncae.evidence._tail_probability import SAME, SMALLEST
from skncae.networks._autoencoder import LEAKINESS
from skncae.scaling._calibration import LARGEST

# Values that are this close are one value, rounded in another way by the runtime.
ROUNDING = 1e-12

# Scores are that close to the threshold's: where two knots of a surprise are next to
# each other, it is steep.
ROUNDING_OF_SCORES = 1e-7


def onnx_model(state, offset, n_features, metadata):
    """Build the ONNX model that scores rows.

    Parameters
    ----------
    state : dict
        What `Scorer.state` returns.
    offset : float
        What `decision_function` subtracts.
    n_features : int
    metadata : dict of str to str
        Entries of the model, with "skncae_version" among them.

    Returns
    -------
    model : onnx.ModelProto
        From "X", float64 of shape (n_samples, n_features), to "score_samples" and
        "decision_function", float64, and "label", int64, of shape (n_samples,).

    Raises
    ------
    ValueError
        If a column had no value in `fit`: the graph cannot leave it out.
    """
    _refuse_empty(state["is_empty"])
    spox, op = _spox()
    X = spox.argument(spox.Tensor(np.float64, ("n_samples", n_features)))
    errors = [_EVIDENCE[kind](op, X, state) for kind in state["kinds"]]
    # Zero, or NaN for a row that is not finite: the tables give such a row a number.
    unfit = op.reduce_sum(op.sub(X, X), op.const([1]), keepdims=0)
    scores = op.sub(unfit, _verdict(op, errors, state["surprises"]))
    decision = op.sub(scores, op.const(float(offset)))
    # A training row that sets the threshold is an inlier, NaN is not.
    least = op.const(-ROUNDING_OF_SCORES * max(abs(offset), 1.0))
    is_inlier = op.greater_or_equal(decision, least)
    label = op.where(is_inlier, op.const(np.int64(1)), op.const(np.int64(-1)))
    outputs = {"score_samples": scores, "decision_function": decision, "label": label}
    model = spox.build({"X": X}, outputs)
    model.producer_name = "skncae"
    model.producer_version = metadata["skncae_version"]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return model


def _refuse_empty(is_empty):
    """Raise if the scores leave a column out, which the graph would look at."""
    if is_empty.any():
        columns = ", ".join(map(str, np.flatnonzero(is_empty)))
        raise ValueError(
            f"X had no value at all in column {columns} in fit, and an ONNX model "
            "cannot leave a column out. Drop it and fit again."
        )


def _spox():
    try:
        import spox

        # Old enough for runtimes of the last years; has all that is used here.
        import spox.opset.ai.onnx.v18 as op
    except ImportError as error:
        raise ImportError(
            'to_onnx needs spox: pip install "skncae[onnx]" or pip install spox.'
        ) from error
    return spox, op


# --- evidence ------------------------------------------------------------------


def _reconstruction(op, X, state):
    """Squared reconstruction error of each row, the mean over members."""
    x = x_hat = _transform(op, X, state["view"])
    for network in ("encoder", "decoder"):
        x_hat = _mlp(op, x_hat, state["networks"], network)
    error = _sum_of_squares(op, op.sub(x_hat, x))
    return op.reduce_mean(error, op.const([0]), keepdims=0)


def _distance(op, X, state):
    """Squared distance of each row to the median of the training rows."""
    x = _transform(op, X, state["view"])
    return _sum_of_squares(op, op.sub(x, op.const(state["median"])))


def _dictionary(op, X, state):
    """Distance of each row to the nearest dictionary row, the mean over members."""
    x = _transform(op, X, state["dictionary_view"])
    dictionaries = np.asarray(state["dictionaries"])
    n_members, size, n_features = dictionaries.shape
    # The expanded square, |c|^2 - 2 x c, finds the nearest row fast, and loses
    # digits. So the distance to that row is taken directly.
    square = np.square(dictionaries).sum(-1)[:, None]
    product = op.matmul(x, op.const(-2.0 * dictionaries.transpose(0, 2, 1)))
    nearest = op.arg_min(op.add(product, op.const(square)), axis=2, keepdims=0)
    first = op.const(size * np.arange(n_members)[:, None])
    rows = op.gather(
        op.const(dictionaries.reshape(-1, n_features)), op.add(nearest, first)
    )
    difference = op.sub(x, rows)
    rounding = op.mul(op.const(ROUNDING), op.max([op.abs(rows), op.const(1.0)]))
    same = op.less(op.abs(difference), rounding)
    difference = op.where(same, op.const(0.0), difference)
    distance = op.sqrt(_sum_of_squares(op, difference))
    return op.reduce_mean(distance, op.const([0]), keepdims=0)


def _tails(op, X, state):
    """Squared -log of the share of training values further out, summed."""
    quantiles, sign = (state["column_tails"][key] for key in ("quantiles", "sign"))
    # NaN at the end of a column is smaller than nothing, and counts for nothing.
    n_reference = (~np.isnan(quantiles)).sum(0)
    smaller = _count_smaller(op, quantiles, op.mul(X, op.const(sign)))
    counts = np.maximum(n_reference - np.arange(len(quantiles) + 1)[:, None], 1)
    surprise = op.const(np.square(np.log(counts / n_reference)))
    surprise = op.gather_elements(surprise, smaller, axis=0)
    return op.reduce_sum(surprise, op.const([1]), keepdims=0)


def _rarity(op, X, state):
    """-log of the share of training values that are as rare, summed."""
    values, surprises = (state["column_rarity"][key] for key in ("values", "surprises"))
    surprise = _interpolated(op, X, values, surprises)
    return op.reduce_sum(surprise, op.const([1]), keepdims=0)


_EVIDENCE = {
    "reconstruction": _reconstruction,
    "distance": _distance,
    "dictionary": _dictionary,
    "tails": _tails,
    "rarity": _rarity,
}


def _verdict(op, errors, surprises):
    """Median surprise of the errors, or the only errors."""
    if len(errors) == 1:
        return errors[0]
    columns = [
        op.unsqueeze(_surprise(op, error, surprise), op.const([1]))
        for error, surprise in zip(errors, surprises, strict=True)
    ]
    k = len(columns)
    ordered, _ = op.top_k(op.concat(columns, axis=1), op.const([k]), axis=1)
    middle = op.slice(
        ordered, op.const([(k - 1) // 2]), op.const([k // 2 + 1]), op.const([1])
    )
    median, mean = (
        op.reduce_mean(values, op.const([1]), keepdims=0)
        for values in (middle, ordered)
    )
    return op.add(median, op.mul(op.const(TIE_BREAK), mean))


def _surprise(op, error, surprise):
    """Interpolate between the training errors, follow the Pareto tail beyond."""
    knots, values = surprise["log_errors"], surprise["surprises"]
    log_error = op.log(op.max([error, op.const(SMALLEST)]))
    beyond = op.sub(log_error, op.const(knots[-1]))
    beyond = op.where(op.greater(beyond, op.const(SAME)), beyond, op.const(0.0))
    beyond = op.mul(beyond, op.const(float(surprise["tail_index"])))
    column = op.unsqueeze(log_error, op.const([1]))
    within = _interpolated(op, column, knots[:, None], values[:, None])
    return op.add(op.squeeze(within, op.const([1])), beyond)


# --- pieces --------------------------------------------------------------------


def _transform(op, X, view):
    """What `View.transform` does."""
    x = op.clip(X, op.const(-LARGEST), op.const(LARGEST))
    x = op.div(op.sub(x, op.const(view["center"])), op.const(view["scale"]))
    if view["rotation"] is not None:
        x = op.matmul(x, op.const(np.ascontiguousarray(view["rotation"])))
    if view["knee"] is not None:
        knee = op.const(float(view["knee"]))
        x = op.mul(knee, _arcsinh(op, op.div(x, knee)))
    return x


def _arcsinh(op, x):
    """sign(x) log(|x| + sqrt(x^2 + 1)); where the square would overflow, log 2|x|."""
    size = op.abs(x)
    limit = op.const(1e10)
    root = op.sqrt(op.add(op.mul(small := op.min([size, limit]), small), op.const(1.0)))
    near = op.log(op.add(small, root))
    far = op.add(op.log(op.max([size, limit])), op.const(math.log(2.0)))
    return op.mul(op.sign(x), op.where(op.less(size, limit), near, far))


def _mlp(op, x, weights, network):
    """Linear layers of all members with leaky ReLU between them."""
    n_layers = sum(key.startswith(f"{network}.layers.") for key in weights) // 2
    for layer in range(n_layers):
        if layer > 0:
            x = op.max([x, op.mul(op.const(LEAKINESS), x)])
        weight, bias = (
            op.const(weights[f"{network}.layers.{layer}.{part}"])
            for part in ("weight", "bias")
        )
        x = op.add(op.matmul(x, weight), bias)
    return x


def _interpolated(op, x, knots, values):
    """`np.interp(x[:, j], knots[:, j], values[:, j])`; NaN ends a column early."""
    # The interval that ends at each knot; the first has no length.
    left, start = (np.concatenate([t[:1], t[:-1]]) for t in (knots, values))
    with np.errstate(invalid="ignore"):
        slopes = np.nan_to_num((values - start) / (knots - left))
    inside = op.max([x, op.const(np.nanmin(knots, axis=0))])
    inside = op.min([inside, op.const(np.nanmax(knots, axis=0))])
    interval = _count_smaller(op, knots, inside)
    left, start, slopes = (
        op.gather_elements(op.const(np.ascontiguousarray(table)), interval, axis=0)
        for table in (left, start, slopes)
    )
    return op.add(start, op.mul(slopes, op.sub(inside, left)))


def _sum_of_squares(op, x):
    return op.reduce_sum(op.mul(x, x), op.const([-1]), keepdims=0)


def _count_smaller(op, table, x):
    """How many values of each column of a sorted table are smaller than x's.

    `np.searchsorted(table[:, j], x[:, j], "left")`: a binary search that halves the
    same way for all rows, so that its steps can be written down one by one.
    """
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
