"""Tables in which outliers stand together: where the centre of the rows is, or beside.

Every shape is a function of a generator and the numbers of rows, of columns and of
outliers; the outliers are the first rows, and stand together.
"""

import numpy as np


def two_clusters(rng, n, d, m):
    """Half of the rows at -6 and half at 6 in all columns; outliers at 0."""
    X = rng.normal(size=(n, d)) + np.where(np.arange(n)[:, None] % 2, 6, -6)
    X[:m] = 0.5 * rng.normal(size=(m, d))
    return X


def unequal_clusters(rng, n, d, m):
    """Three tenths of the rows in one of two clusters; outliers between them."""
    direction = rng.normal(size=d)
    direction *= 8 / np.linalg.norm(direction)
    side = np.where(np.arange(n) % 10 < 3, 1.0, -1.0)
    X = rng.normal(size=(n, d)) + side[:, None] * direction
    X[:m] = 0.7 * rng.normal(size=(m, d))
    return X


def three_clusters(rng, n, d, m):
    """Clusters in the corners of a triangle; outliers at its centre."""
    angle = 2 * np.pi / 3 * (np.arange(n) % 3)
    X = rng.normal(size=(n, d))
    X[:, :2] += 8 * np.c_[np.cos(angle), np.sin(angle)]
    X[:m] = 0.5 * rng.normal(size=(m, d))
    return X


def ring(rng, n, d, m):
    """A ring in two columns, noise in the others; outliers inside of it."""
    angle = rng.uniform(0, 2 * np.pi, n)
    X = 0.05 * rng.normal(size=(n, d))
    X[:, :2] += np.c_[np.cos(angle), np.sin(angle)]
    X[:m, :2] = 0.15 * rng.normal(size=(m, 2))
    return X


def shell(rng, n, d, m):
    """A sphere in all columns; outliers inside of it."""
    X = rng.normal(size=(n, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    X += 0.05 * rng.normal(size=(n, d))
    X[:m] = 0.15 / np.sqrt(d) * rng.normal(size=(m, d))
    return X


def one_bimodal_column(rng, n, d, m):
    """Modes at -5 and 5 in one column, one at 0 in the others; outliers at 0."""
    return _bimodal(rng, n, d, m, 1)


def five_bimodal_columns(rng, n, d, m):
    """The same, of five columns, each row in a mode of each by chance."""
    return _bimodal(rng, n, d, m, 5)


def bimodal_columns(rng, n, d, m):
    """The same, of all columns."""
    return _bimodal(rng, n, d, m, d)


def _bimodal(rng, n, d, m, n_bimodal):
    X = rng.normal(size=(n, d))
    some = min(n_bimodal, d)
    X[:, :some] += 5.0 * rng.choice([-1, 1], (n, some))
    X[:m, :some] = 0.5 * rng.normal(size=(m, some))
    return X


def four_modes(rng, n, d, m):
    """Modes at -9, -3, 3 and 9 in all columns alike; outliers between the two inner."""
    mode = np.array([-9.0, -3.0, 3.0, 9.0])[np.arange(n) % 4]
    X = 0.7 * rng.normal(size=(n, d)) + mode[:, None]
    X[:m] = 0.3 * rng.normal(size=(m, d))
    return X


def zero_inflated(rng, n, d, m):
    """Seven of ten values 0 and the others around 8; outliers between."""
    X = np.where(rng.random((n, d)) < 0.7, 0.0, rng.normal(8, 1, (n, d)))
    X[:m] = rng.uniform(2.5, 4.5, (m, d))
    return X


def two_values(rng, n, d, m):
    """Values 0 and 100; outliers between."""
    X = rng.choice([0.0, 100.0], (n, d))
    X[:m] = rng.uniform(40, 60, (m, d))
    return X


def u_shaped(rng, n, d, m):
    """Values close to 0 and to 1, the closer the more; outliers at a half."""
    X = rng.beta(0.1, 0.1, (n, d))
    X[:m] = 0.5 + 0.03 * rng.normal(size=(m, d))
    return X


def clusters_of_unequal_spread(rng, n, d, m):
    """A narrow cluster and one 15 times as wide; outliers beside the narrow one."""
    is_narrow = np.arange(n)[:, None] % 2 > 0
    X = rng.normal(size=(n, d)) * np.where(is_narrow, 0.2, 3.0)
    X += np.where(is_narrow, -3.0, 9.0)
    X[:m] = -1.0 + 0.2 * rng.normal(size=(m, d))
    return X


def log_normal_clusters(rng, n, d, m):
    """Two clusters of logarithms, 3 deviations apart; outliers halfway."""
    X = np.exp(rng.normal(size=(n, d)) + 3.0 * (np.arange(n)[:, None] % 2))
    X[:m] = np.exp(1.5 + 0.1 * rng.normal(size=(m, d)))
    return X


def code_and_number(rng, n, d, m):
    """A code says where a number is; outliers have the number of another code."""
    X = rng.normal(size=(n, d))
    X[:, 0] = rng.choice([0, 2, 5], n)
    X[:, 1] += 6.0 * (X[:, 0] == 2) - 6.0 * (X[:, 0] == 5)
    X[:m, 0] = 0
    X[:m, 1] = 6.0 + 0.3 * rng.normal(size=m)
    return X


CENTRAL = {
    shape.__name__: shape
    for shape in (
        *(two_clusters, unequal_clusters, three_clusters, ring, shell),
        *(one_bimodal_column, five_bimodal_columns, bimodal_columns, four_modes),
        *(zero_inflated, two_values, u_shaped),
    )
}
BESIDE = {
    shape.__name__: shape
    for shape in (clusters_of_unequal_spread, log_normal_clusters, code_and_number)
}
SHAPES = CENTRAL | BESIDE
COLUMNS = (2, 5, 20)
SHARES = (0.01, 0.04, 0.1)


def plant(shape, d, share, seed, n=1000):
    """Return rows of shape (n, d), and which of them are outliers."""
    m = round(share * n)
    X = SHAPES[shape](np.random.default_rng(seed), n, d, m)
    return X, np.arange(n) < m
