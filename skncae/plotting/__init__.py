"""Figures of a fitted detector, as scikit-learn's displays are.

``SomethingDisplay.from_estimator(detector, ...)`` computes what is drawn, draws it
and returns the display, whose `plot` draws it again elsewhere. They need matplotlib:
``pip install "skncae[plot]"``.

In all of them the *error* of a row is minus `NCAEDetector.score_samples`: the
higher, the more abnormal.
"""

from skncae.plotting._generated import GeneratedSamplesDisplay
from skncae.plotting._latent import LatentSpaceDisplay
from skncae.plotting._rows import FeatureContributionDisplay, ReconstructionDisplay
from skncae.plotting._scores import ScoreDistributionDisplay, TrainingHistoryDisplay
from skncae.plotting._weights import WeightsDisplay

__all__ = [
    "FeatureContributionDisplay",
    "GeneratedSamplesDisplay",
    "LatentSpaceDisplay",
    "ReconstructionDisplay",
    "ScoreDistributionDisplay",
    "TrainingHistoryDisplay",
    "WeightsDisplay",
]
