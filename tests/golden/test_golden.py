"""Scores, thresholds and explanations stay what they were, to the bit.

On the kind of machine that wrote the files scores, thresholds and generated rows are
the same to the last bit. Contributions and expected values come from one pass through
the networks since, which rounds the last bit in another way.
Elsewhere sums are rounded in another way, which the training of adversaries amplifies:
there only the ranking of the rows is held, and what an archive and an ONNX model say,
which need no training.
"""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from skncae import NCAEDetector
from tests.golden import make

IS_SAME_MACHINE = (
    json.loads((make.FOLDER / "machine.json").read_text()) == make.machine()
)


def assert_as_before(name, detector, X):
    before = np.load(make.FOLDER / f"{name}.npz")
    now = make.facts(detector, X)
    assert sorted(before.files) == sorted(now)
    if not IS_SAME_MACHINE:
        assert spearmanr(before["scores"], now["scores"]).statistic > 0.9
        return
    for fact in before.files:
        tolerance = 1e-12 if fact in ("contributions", "expected") else 0.0
        np.testing.assert_allclose(
            now[fact], before[fact], tolerance, tolerance, err_msg=fact
        )


@pytest.mark.parametrize("name", make.CASES)
def test_fit_gives_what_it_gave(name):
    rows, fitted = make.CASES[name]
    assert_as_before(name, fitted(), rows())


def test_fit_on_dask_gives_what_it_gave():
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=1, dashboard_address=":0"
    ) as client:
        assert_as_before("dask", make.fit_dask(client), make.table())


def test_archive_scores_as_it_did():
    loaded = NCAEDetector.load(make.FOLDER / "table.safetensors")
    before = np.load(make.FOLDER / "table.npz")
    scores = loaded.score_samples(make.table())
    np.testing.assert_allclose(scores, before["scores"], rtol=1e-9)
    assert loaded.threshold_ == before["threshold"]


def test_onnx_model_scores_as_it_did():
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(make.FOLDER / "table.onnx")
    scores = session.run(["score_samples"], {"X": make.table()})[0]
    before = np.load(make.FOLDER / "table.npz")["scores"]
    np.testing.assert_allclose(scores, before, rtol=1e-6)
