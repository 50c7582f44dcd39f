"""Small forests that predict one column of a row from the others.

No tree predicts a row that it has learnt from. Rows are dealt into four folds by what
is in them, not by where they stand, so that the fold of a row is known when it is
scored again, and equal rows are in one fold. Each tree learns from two folds and
predicts the rows of the other two. Where many rows are equal, trees learn from all.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.tree import DecisionTreeRegressor

N_FOLDS = 4
# The folds that a tree learns from; a row is predicted by those without its own.
LEARNT_FOLDS = tuple(combinations(range(N_FOLDS), N_FOLDS // 2))

# Rows are dealt into folds where no row has so many equals: without them, which are in
# its fold, a tree would know of half of a table what the other half is.
MOST_EQUAL, FEW = 0.1, 3

# Trees of a forest, the least rows of a leaf, and the share of the columns that a split
# is chosen among.
N_TREES, MIN_LEAF, MAX_FEATURES = 18, 10, 0.5

# A category counts as if so many rows of the average were among its own.
SMOOTHING = 5.0

# Numbers are cut into at most so many bins, of as many rows each.
MAX_BINS = 255

# A prime below 2^31: products of two numbers below it fit into an int64.
PRIME = 2_147_483_629


@dataclass(frozen=True)
class Bins:
    """Numbers by bins of about as many training rows; categories as they are.

    Parameters
    ----------
    edges : ndarray of shape (n_edges, n_columns)
        Upper edges of the bins of each column; NaN at the end of one of fewer.
    is_category : bool ndarray of shape (n_columns,)
    weights : ndarray of int of shape (n_columns,)
        What the fold of a row is computed with.
    """

    edges: np.ndarray
    is_category: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, cells, is_category, random_state):
        """Cut the columns of training rows."""
        columns = [
            np.empty(0) if is_one else _edges(values)
            for values, is_one in zip(cells.T, is_category, strict=True)
        ]
        edges = np.full((max(1, *map(len, columns)), len(columns)), np.nan)
        for column, values in enumerate(columns):
            edges[: len(values), column] = values
        weights = random_state.randint(1, PRIME, size=len(columns))
        return cls(edges, is_category, weights.astype(np.int64))

    def __call__(self, cells):
        """Bins of cells, (n_samples, n_columns) of int; -1 is missing."""
        bins = np.empty(cells.shape, dtype=np.int64)
        for column, values in enumerate(cells.T):
            edges = self.edges[:, column]
            edges = edges[~np.isnan(edges)]
            places = (
                values if self.is_category[column] else np.searchsorted(edges, values)
            )
            bins[:, column] = np.where(np.isnan(values), -1, places)
        return bins

    def folds(self, bins):
        """Fold of each row, by what is in it."""
        return self._keys(bins) % N_FOLDS

    def are_dealt(self, bins):
        """Say whether no row has so many equals that trees learn from all rows."""
        _, counts = np.unique(self._keys(bins), return_counts=True)
        return counts.max() <= max(MOST_EQUAL * len(bins), FEW)

    def _keys(self, bins):
        """A number for each row, by what is in it."""
        # Each product is reduced before they are summed: no overflow, any machine.
        products = (bins + 2) * self.weights % PRIME
        return products.sum(axis=1) % PRIME


def _edges(values):
    """Edges between the bins of one column."""
    seen = np.unique(values[~np.isnan(values)])
    if len(seen) > MAX_BINS:
        shares = np.linspace(0, 1, MAX_BINS + 1)[1:-1]
        seen = values[~np.isnan(values)]
        return np.unique(np.quantile(seen, shares, method="lower"))
    return (seen[:-1] + seen[1:]) / 2 if len(seen) > 1 else np.empty(0)


@dataclass(frozen=True)
class Forest:
    """Trees that predict one column, as arrays.

    Parameters
    ----------
    features : ndarray of int of shape (n_features,)
        Which columns of the bins they look at.
    feature, left, right : ndarray of int of shape (n_nodes,)
        Of all trees, one after the other; `left` of a leaf is -1.
    threshold : ndarray of shape (n_nodes,)
    roots : ndarray of int of shape (n_trees,)
    learnt : ndarray of int of shape (n_trees,)
        Place in `LEARNT_FOLDS`.
    orders : ndarray of shape (n_learnt_folds, n_values)
        For all categories of the features, one after the other, missing first: where
        they stand among each other for the trees of these folds.
    starts : ndarray of int of shape (n_features,)
        Where the categories of a feature begin in `orders`; -1 of a number.
    leaves : ndarray of shape (n_nodes, n_outputs)
        What each leaf predicts.
    importances : ndarray of shape (n_features,)
        How much each feature says, the mean over the trees.
    """

    features: np.ndarray
    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    threshold: np.ndarray
    roots: np.ndarray
    learnt: np.ndarray
    orders: np.ndarray
    starts: np.ndarray
    leaves: np.ndarray
    importances: np.ndarray

    def predict(self, bins, folds):
        """Mean over the trees of what the leaves say, (n_samples, n_outputs)."""
        total = np.zeros((len(bins), self.leaves.shape[1]))
        for group, learnt in enumerate(LEARNT_FOLDS):
            trees = self.roots[self.learnt == group]
            rows = np.flatnonzero(~np.isin(folds, learnt))
            if not len(trees) or not len(rows):
                continue
            seen = ordered(
                bins[rows][:, self.features], self.orders[group], self.starts
            )
            for root in trees:
                total[rows] += self.leaves[self._leaves_of(seen, root)]
        return total / (len(self.roots) * (N_FOLDS - 2) / N_FOLDS)

    def _leaves_of(self, seen, root):
        """Leaf that each row falls into."""
        nodes = np.full(len(seen), root)
        rows = np.arange(len(seen))
        while len(rows):
            at = nodes[rows]
            is_inner = self.left[at] >= 0
            rows, at = rows[is_inner], at[is_inner]
            goes_left = seen[rows, self.feature[at]] <= self.threshold[at]
            nodes[rows] = np.where(goes_left, self.left[at], self.right[at])
        return nodes


def grow(bins, folds, is_category, features, targets, there, leaf_values, seed):
    """Grow a forest that predicts targets, or return None of too few rows.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_columns)
    folds : ndarray of int of shape (n_samples,) or None
        Each tree learns from two of them; without any, from all rows.
    is_category : bool ndarray of shape (n_columns,)
    features : ndarray of int
        The columns to look at. Without any, trees say what all rows are like.
    targets : ndarray of shape (n_samples, n_targets)
        What the trees split by.
    there : bool ndarray of shape (n_samples,)
        Rows whose target is known.
    leaf_values : callable
        Given the leaf of each of some rows, these rows and the number of nodes: what
        the leaves predict, (n_nodes, n_outputs).
    seed : int

    Returns
    -------
    forest : Forest or None
    """
    min_leaf = MIN_LEAF
    if not len(features):
        # Trees want a column, and are kept from splitting by it.
        features, min_leaf = np.zeros(1, int), len(bins)
    starts, n_values = _starts(bins, is_category, features)
    orders = np.zeros((len(LEARNT_FOLDS), n_values))
    trees, leaves, learnt = [], [], []
    for group, learnt_folds in enumerate(LEARNT_FOLDS):
        is_learnt = there if folds is None else there & np.isin(folds, learnt_folds)
        rows = np.flatnonzero(is_learnt)
        looked_at = bins[:, features]
        for feature in np.flatnonzero(starts >= 0):
            stop = starts[feature] + looked_at[:, feature].max() + 3
            orders[group, starts[feature] : stop] = _order(
                looked_at[rows, feature] + 1, targets[rows], stop - starts[feature]
            )
        seen = ordered(looked_at[rows], orders[group], starts)
        for number in range(group, N_TREES, len(LEARNT_FOLDS)):
            if len(rows) < 2:
                continue
            tree = _tree(seen, targets[rows], min_leaf, seed % 2**30 + number)
            at = tree.apply(seen)
            leaves.append(leaf_values(at, rows, tree.node_count))
            trees.append(tree)
            learnt.append(group)
    return _packed(features, trees, learnt, leaves, orders, starts) if trees else None


def ordered(looked_at, orders, starts):
    """Bins of some rows, categories by their order, (n_samples, n_features)."""
    # As scikit-learn's trees see them while they grow.
    seen = looked_at.astype(np.float32)
    for feature in np.flatnonzero(starts >= 0):
        later = starts[starts > starts[feature]]
        stop = later.min() if len(later) else len(orders)
        # A category that is new has the last place, which is that of the average.
        places = np.minimum(starts[feature] + 1 + looked_at[:, feature], stop - 1)
        seen[:, feature] = orders[places]
    return seen


def _tree(seen, targets, min_leaf, seed):
    """Grow one tree of scikit-learn."""
    tree = DecisionTreeRegressor(
        min_samples_leaf=min_leaf, max_features=MAX_FEATURES, random_state=seed
    )
    return tree.fit(seen, targets, check_input=False).tree_


def _starts(bins, is_category, features):
    """Where the categories of each feature begin among all, and how many there are."""
    starts, total = np.full(len(features), -1), 0
    for place, feature in enumerate(features):
        if is_category[feature]:
            starts[place] = total
            # One for what is missing, one for what is new.
            total += bins[:, feature].max() + 3
    return starts, max(total, 1)


def _order(codes, targets, n_values):
    """Place of each category by its mean target, of several by their main direction.

    The best split of categories by squared error is one of this order, and close to it
    for several targets (Coppersmith, Hong & Hosking, 1999).
    """
    counts = np.bincount(codes, minlength=n_values)[:, None]
    sums = np.stack(
        [np.bincount(codes, column, minlength=n_values) for column in targets.T], axis=1
    )
    mean = targets.mean(axis=0) if len(targets) else np.zeros(targets.shape[1])
    difference = (sums + SMOOTHING * mean) / (counts + SMOOTHING) - mean
    if targets.shape[1] == 1:
        return difference[:, 0]
    _, vectors = np.linalg.eigh((difference * counts).T @ difference)
    return difference @ vectors[:, -1]


def _packed(features, trees, learnt, leaves, orders, starts):
    """Put the trees into one array each."""
    sizes = np.array([tree.node_count for tree in trees], dtype=np.int64)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    def joined(name):
        parts = [getattr(tree, name) for tree in trees]
        if name.startswith("children"):
            pairs = zip(parts, roots, strict=True)
            parts = [np.where(part >= 0, part + root, -1) for part, root in pairs]
        return np.concatenate(parts)

    return Forest(
        features=np.asarray(features, dtype=np.int64),
        feature=joined("feature"),
        left=joined("children_left"),
        right=joined("children_right"),
        threshold=joined("threshold"),
        roots=roots,
        learnt=np.array(learnt, dtype=np.int64),
        orders=orders,
        starts=starts,
        leaves=np.concatenate(leaves),
        importances=np.mean([t.compute_feature_importances() for t in trees], axis=0),
    )
