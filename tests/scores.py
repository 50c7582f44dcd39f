"""How scores are compared that were computed along two ways."""

import numpy as np


def assert_same_scores(found, expected):
    """Assert that scores of the same rows in other batches are the same.

    A BLAS chooses the order of its sums by the shapes of the matrices and by the
    processor, so that the last digits of a row's score may depend on how many rows
    came with it. Scores of the same rows in the same batches are compared bit by bit.
    """
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
