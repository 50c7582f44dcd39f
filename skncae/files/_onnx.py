"""The scoring of a fitted detector as one ONNX graph.

A scorer in, a model out: the graph computes in float64 what `Scorer.errors` does. Each
part of the scorer writes its own operations, with those of `_onnx_ops`.
"""

import numpy as np

from skncae._extras import needing
from skncae.files._onnx_ops import Graph, Operators


def onnx_model(scorer, offset, rounding, n_features, metadata):
    """Build the ONNX model that scores rows.

    Parameters
    ----------
    scorer : Scorer
    offset : float
        What `decision_function` subtracts.
    rounding : float
        A score this close to the offset is the offset.
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
    _refuse_empty(scorer.ensemble.is_empty)
    spox, op = _spox()
    X = spox.argument(spox.Tensor(np.float64, ("n_samples", n_features)))
    # One more row, which is taken away at the end: runtimes before 1.20 reduce no rows
    # to a wrong shape.
    rows = op.concat([X, op.const(np.zeros((1, n_features)))], axis=0)
    # Zero, or NaN for a row that is not finite: the tables give such a row a number.
    unfit = op.reduce_sum(op.sub(rows, rows), op.const([1]), keepdims=0)
    scores = op.sub(unfit, scorer.onnx(Graph(op, rows, scorer.ensemble)))
    margin = op.sub(scores, op.const(float(offset)))
    is_none = op.less_or_equal(op.abs(margin), op.const(float(rounding)))
    decision = op.where(is_none, op.const(0.0), margin)
    # NaN is no inlier.
    is_inlier = op.greater_or_equal(decision, op.const(0.0))
    label = op.where(is_inlier, op.const(np.int64(1)), op.const(np.int64(-1)))
    outputs = {"score_samples": scores, "decision_function": decision, "label": label}
    for name, output in outputs.items():
        outputs[name] = op.slice(output, op.const([0]), op.const([-1]), op.const([0]))
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
    with needing("onnx", "to_onnx needs spox."):
        import spox

        # Old enough for runtimes of the last years; has all that is used here.
        import spox.opset.ai.onnx.v18 as op
    return spox, Operators(op)
