"""One score of several: how the log tail probabilities of the kinds are combined.

The score is their median: a row is an outlier when most of the evidence says so. Two
exceptions are built in.

- Most kinds measure from one centre, so a row between two clusters is normal to all of
  them. Where "neighbors" is asked, it takes no part in the median: with "rarity" it may
  overrule it. The score is then no less than a weighted mean of these two. They lift a
  row above the one in twenty on which most of the evidence agrees only as far as the
  "dictionary", the third kind that looks for rows nearby, sees it too.
- "transformations" sees what an image shows, where all other kinds see how it looks, so
  it would never be among a majority. With it the score is the mean of all kinds.

A thousandth of the mean is added, since a tail probability is a rank and two kinds may
give two rows the same one.
"""

import numpy as np

# What the mean of minus the log tail probabilities adds to their median.
TIE_BREAK = 1e-3

# Kinds that see a row that is near to the centre and near to no other row, and their
# weights in a mean that may overrule the median; one of them is heard only so.
LOCAL, APART = {"neighbors": 0.4, "rarity": 0.6}, "neighbors"

# Beyond one row in twenty they have to have this witness.
OVERRULED, WITNESS = float(np.log(20.0)), "dictionary"

# With this kind all are averaged.
AVERAGED = "transformations"


def combined(names, minus_logs):
    """Combine minus the log tail probabilities of several kinds.

    Parameters
    ----------
    names : list of str
        Of the kinds.
    minus_logs : ndarray of shape (n_kinds, n_samples)

    Returns
    -------
    combined : ndarray of shape (n_samples,)
    """
    mean = minus_logs.mean(0)
    if AVERAGED in names:
        return mean
    voting, local = _voting_and_local(names)
    result = _median([minus_logs[place] for place in voting])
    if local:
        weighted = zip(_weights(names, local), minus_logs[local], strict=True)
        overruling, limit = sum(weight * row for weight, row in weighted), OVERRULED
        if WITNESS in names:
            limit = np.maximum(limit, minus_logs[names.index(WITNESS)])
        result = np.maximum(result, np.minimum(overruling, limit))
    return result + TIE_BREAK * mean


def onnx(graph, names, minus_logs):
    """Write `combined` as operations of an ONNX graph, of one vector a kind."""
    op = graph.op

    def together(places):
        columns = [op.unsqueeze(minus_logs[place], op.const([1])) for place in places]
        return op.concat(columns, axis=1)

    def mean_of(columns):
        return op.reduce_mean(columns, op.const([1]), keepdims=0)

    mean = mean_of(together(range(len(names))))
    if AVERAGED in names:
        return mean
    voting, local = _voting_and_local(names)
    k = len(voting)
    ordered, _ = op.top_k(together(voting), op.const([k]), axis=1)
    middle = op.slice(
        ordered, op.const([(k - 1) // 2]), op.const([k // 2 + 1]), op.const([1])
    )
    result = mean_of(middle)
    if local:
        weights = np.array(_weights(names, local))
        weighted = op.mul(together(local), op.const(weights))
        overruling = op.reduce_sum(weighted, op.const([1]), keepdims=0)
        limit = op.const(OVERRULED)
        if WITNESS in names:
            limit = op.max([limit, minus_logs[names.index(WITNESS)]])
        result = op.max([result, op.min([overruling, limit])])
    return op.add(result, op.mul(op.const(TIE_BREAK), mean))


def _voting_and_local(names):
    """Places of the kinds that the median is of, and of those that overrule it."""
    if APART not in names:
        return list(range(len(names))), []
    voting = [place for place, name in enumerate(names) if name != APART]
    return voting, [place for place, name in enumerate(names) if name in LOCAL]


def _weights(names, local):
    """Weights of the kinds at these places; their sum is 1."""
    weights = [LOCAL[names[place]] for place in local]
    return [weight / sum(weights) for weight in weights]


def _median(rows):
    """Median of a few vectors, in a tenth of the time of numpy's."""
    rows = list(rows)
    # Sorted by swaps of neighbors, each of all entries at once.
    for n_left in range(len(rows) - 1, 0, -1):
        for low in range(n_left):
            a, b = rows[low : low + 2]
            rows[low : low + 2] = np.minimum(a, b), np.maximum(a, b)
    middle = len(rows) // 2
    if len(rows) % 2:
        return rows[middle]
    return (rows[middle - 1] + rows[middle]) / 2.0
