"""The registry of detectors, and those that no package has."""

import numpy as np
import pytest

from benchmarks.detectors import baselines
from benchmarks.detectors import registry as detectors
from skncae.evidence._kinds import TABLE_EVIDENCE


def test_every_kind_of_evidence_is_left_out_once():
    assert detectors.EVIDENCE == TABLE_EVIDENCE
    for kind in TABLE_EVIDENCE:
        detector = detectors.find(f"NCAE-no-{kind}").make(0, 3)
        assert set(detector.evidence) == set(TABLE_EVIDENCE) - {kind}


def test_rows_in_pieces_are_scored_as_by_a_fit_on_all_of_them():
    X = np.random.default_rng(0).normal(size=(50, 3))
    whole = detectors.find("NCAEDetector").make(0, 3).fit(X)
    name = "benchmarks.detectors.baselines:InPieces(rows=30)"
    pieces = detectors.find(name).make(0, 3).fit(X)
    assert pieces.detector_.n_samples_seen_ == 50
    np.testing.assert_array_equal(pieces.decision_function(X), -whole.score_samples(X))


def test_detector_name_may_carry_parameters():
    names = detectors.names("NCAEDetector(n_estimators=8, latent_dim=3),SquaredZ")
    assert names == ["NCAEDetector(n_estimators=8, latent_dim=3)", "SquaredZ"]
    made = detectors.find("sklearn.ensemble:IsolationForest(n_estimators=8)").make(5, 3)
    assert made.n_estimators == 8 and made.random_state == 5


def test_unknown_detector_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="no detector 'Nope'.*NCAEDetector"):
        detectors.names("Nope")


def test_squared_z_ignores_a_constant_column():
    X = np.array([[0.0, 7.0], [2.0, 7.0]])
    np.testing.assert_allclose(baselines.SquaredZ().fit(X).decision_function(X), 1)


@pytest.mark.parametrize("d", [3, 200])
def test_without_networks_a_row_far_from_the_centre_is_the_outlier(d):
    X = np.random.default_rng(0).normal(size=(300, d))
    X[7] = 9.0
    scores = baselines.NoLearning(seed=0).fit(X).decision_function(X)
    assert scores.argmax() == 7
