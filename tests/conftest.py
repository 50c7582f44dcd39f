"""What the tests share: small detectors, and rows with planted outliers."""

import os

# scipy reads this when it is imported; without it scikit-learn's check of array API
# input is skipped.
os.environ["SCIPY_ARRAY_API"] = "1"

import gc

import numpy as np
import pytest
import torch

N_OUTLIERS = 15

# Of a training round that takes no time.
RECIPE = {
    "hidden_units": (8, 4),
    "latent_dim": 2,
    "mining": "similarity",
    "mining_rate": 0.1,
    "generation_scale": 0.1,
    "sample_discriminator": True,
    "latent_discriminator": True,
    "max_iter": 5,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "decay_steps": None,
    "precision": "float32",
}


def pytest_collection_finish():
    """Let the collector of garbage pass over all that is there until the end.

    It would look through four thousand tests and all modules, half a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def fast():
    """Make detectors that fit in a blink."""
    from skncae import NCAEDetector

    def make(**parameters):
        small = {"n_estimators": 2, "max_iter": 10, "random_state": 0}
        return NCAEDetector(**small | parameters)

    return make


@pytest.fixture(scope="session")
def X():  # noqa: N802
    """Return 200 rows of 5 correlated columns; the first N_OUTLIERS are outliers."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5))
    rows += 0.2 * rng.normal(size=(200, 5))
    rows[:N_OUTLIERS] = rng.uniform(-6, 6, size=(N_OUTLIERS, 5))
    rows.setflags(write=False)
    return rows


@pytest.fixture(scope="session")
def y(X):
    """Return the labels of X: 1 is an outlier."""
    labels = np.zeros(len(X), dtype=int)
    labels[:N_OUTLIERS] = 1
    return labels


@pytest.fixture
def torch_threads():
    """Set the number of torch threads, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
