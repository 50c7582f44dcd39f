"""What the tests of the benchmarks share: a tiny data set, and detectors that fail."""

import hashlib
import sys

import numpy as np
import pytest

from benchmarks.harness import suite
from benchmarks.sets import tables as datasets

OWN = """
import os, time

class Distance:
    def fit(self, X):
        return self
    def score_samples(self, X):
        return -(X ** 2).sum(axis=1)

class Crash(Distance):
    def fit(self, X):
        os._exit(3)

class Sleep(Distance):
    def fit(self, X):
        time.sleep(60)

class Nan(Distance):
    def score_samples(self, X):
        return X[:, 0] * float("nan")

class Refuse(Distance):
    def fit(self, X):
        raise ValueError("no such rows # please")

class Uninstalled:
    def __init__(self):
        import a_package_that_nobody_has
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch, register):
    """Register a data set of 40 normal rows and 10 outliers, far away."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(40, 3)), rng.normal(9, 1, size=(10, 3))])
    y = np.repeat([0, 1], [40, 10])
    (tmp_path / "odds").mkdir()
    path = tmp_path / "odds" / "tiny.npz"
    np.savez(path, X=X, y=y)
    monkeypatch.setenv("SKNCAE_DATA", str(tmp_path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    register("tiny", digest)
    (tmp_path / "own_detectors.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def register(monkeypatch):
    """Register a set of 50 rows with a checksum; nothing is downloaded."""
    monkeypatch.setitem(sys.modules, "pooch", None)

    def add(name, digest):
        size = ("odds", 50, 3, 10)
        entry = datasets.DataSet(name, *size, "nowhere/x.npz", "0" * 64, digest)
        monkeypatch.setitem(datasets.REGISTRY, name, entry)

    return add


@pytest.fixture
def run(tmp_path):
    """Run a suite with a result file of its own, and return the rows."""

    def run(chosen, *arguments):
        output = ["--output", str(tmp_path / "out.csv")]
        return suite.run(chosen, suite.parse(chosen, [*arguments, *output]))

    return run
