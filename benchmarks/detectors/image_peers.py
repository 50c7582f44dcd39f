"""Detectors of images that the benchmarks compare with, each from its own paper.

All take images as (n, height, width[, channels]) of any range. Shallow ones see what
Ruff et al. (2020), whose protocol the paper follows, give them: pixels, reduced by PCA
to 95 % of the variance. Deep ones see the pixels between 0 and 1.

==============  ======================================================================
``OCSVM``       scikit-learn, RBF kernel of the default width
``IForest``     scikit-learn
``KDE``         scikit-learn, the kernel of an SVM with `gamma="scale"`
``Neighbors``   ours, without any network
``DeepSVDD``    DeepOD
``DAGMM``       Zong et al., ICLR 2018
``LatentOut``   Angiulli, Fassetti & Ferragina, Machine Learning 2022
``DeepSAD``     DeepOD, with labels
``Classifier``  scikit-learn's MLP, with labels
==============  ======================================================================
"""

import importlib
from types import SimpleNamespace

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import KernelDensity, NearestNeighbors
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM
from torch import nn

from skncae import NCAEDetector
from skncae.evidence._base import Block
from skncae.evidence._kinds import IMAGE_EVIDENCE, KINDS
from skncae.evidence._tail_probability import TailProbability


def pixels(X):
    """Images as flat rows of floats."""
    return np.reshape(X, (len(X), -1)).astype(np.float64)


def reduction():
    """Pixels to whitened principal components with 95 % of the variance."""
    return PCA(0.95, whiten=True, svd_solver="covariance_eigh")


class Shallow:
    """A scikit-learn estimator with `score_samples`, on flat rows."""

    def __init__(self, random_state):
        self.random_state = random_state

    def fit(self, X):
        """Fit the pipeline of the subclass."""
        self.pipeline_ = self.pipeline().fit(pixels(X))
        return self

    def decision_function(self, X):
        """Score images; higher is more abnormal."""
        return -self.pipeline_.score_samples(pixels(X))


class OCSVM(Shallow):
    """One-class SVM."""

    def pipeline(self):
        """PCA and the machine, with its defaults but for a smaller nu."""
        return make_pipeline(reduction(), OneClassSVM(nu=0.1))


class IForest(Shallow):
    """Isolation forest, on all pixels."""

    def pipeline(self):
        """Give the forest, with its defaults."""
        return make_pipeline(IsolationForest(random_state=self.random_state))


class KDE(Shallow):
    """Kernel density estimate, on all pixels.

    The likeliest bandwidth is so narrow that a contaminated image is the nearest of its
    kind, and scores next to chance. So the kernel is that of the SVM's `gamma="scale"`.
    """

    def pipeline(self):
        """Give the estimate, which finds its bandwidth in `fit`."""
        return _ScaledDensity()


class _ScaledDensity(KernelDensity):
    """Kernel of exp(-gamma distance^2), gamma one over the total variance."""

    def fit(self, X):
        """Set the bandwidth and fit."""
        self.bandwidth = float(np.sqrt(X.shape[1] * X.var() / 2.0))
        return super().fit(X)


class Neighbors:
    """Our evidence of neighbors without any network: what training is worth."""

    def __init__(self, random_state):
        self.random_state = random_state

    def fit(self, X):
        """Learn views and references as `NCAEDetector` does."""
        settings = SimpleNamespace(
            calibration_rounds=5, image_shape=(*X.shape[1:], 1)[:3]
        )
        draw = np.random.RandomState(self.random_state)
        block = self._block(X)
        self.neighbors_ = [
            KINDS[kind].learn(block, settings, draw)
            for kind in IMAGE_EVIDENCE
            if kind.endswith("_neighbors")
        ]
        self.tails_ = [
            TailProbability.of(near.errors(block)) for near in self.neighbors_
        ]
        return self

    def decision_function(self, X):
        """Minus the log of the median tail probability; higher is more abnormal."""
        block = self._block(X)
        kinds = zip(self.tails_, self.neighbors_, strict=True)
        return np.median([tail(near.errors(block)) for tail, near in kinds], 0)

    def _block(self, X):
        """Complete rows, of no networks."""
        no_networks = SimpleNamespace(
            layout=None, numbers=np.asarray, complete=lambda X: (X, None)
        )
        return Block(no_networks, pixels(X))


class Pixels:
    """Base of the deep detectors: flat rows between 0 and 1."""

    def __init__(self, random_state, epochs=30):
        self.random_state = random_state
        self.epochs = epochs

    def learn_scale(self, X):
        """Remember the largest training value."""
        self.largest_ = max(float(np.max(X)), 1e-12)

    def scaled(self, X):
        """Flat rows, float32, divided by the largest training value."""
        return (pixels(X) / self.largest_).astype(np.float32)


class _OfDeepOD(Pixels):
    """A detector of DeepOD of that name."""

    def fit(self, X, *known):
        """Fit to unlabelled images and, where it takes them, known outliers."""
        model = getattr(importlib.import_module("deepod.models"), type(self).__name__)
        self.learn_scale(X)
        self.model_ = model(
            epochs=self.epochs, device="cpu", verbose=0, random_state=self.random_state
        )
        labels = [np.repeat([0, 1], [len(X), len(images)]) for images in known]
        self.model_.fit(self.scaled(np.concatenate([X, *known])), *labels)
        return self

    def decision_function(self, X):
        """Score images; higher is more abnormal."""
        return self.model_.decision_function(self.scaled(X))


class DeepSVDD(_OfDeepOD):
    """Deep SVDD."""


class DeepSAD(_OfDeepOD):
    """Deep SAD, which is also shown known outliers."""

    learns_from_labels = True


class Classifier(Pixels):
    """A plain network that tells known outliers from unlabelled images."""

    learns_from_labels = True

    def fit(self, X, X_known):
        """Fit to unlabelled images and known outliers."""
        self.learn_scale(X)
        self.model_ = MLPClassifier(
            (64, 32), max_iter=self.epochs, random_state=self.random_state
        )
        y = np.repeat([0, 1], [len(X), len(X_known)])
        self.model_.fit(self.scaled(np.concatenate([X, X_known])), y)
        return self

    def decision_function(self, X):
        """Score images; higher is more abnormal."""
        share = self.model_.predict_proba(self.scaled(X))[:, 1]
        # Some are so sure that a share is zero.
        return np.log(np.maximum(share, np.finfo(float).tiny))


class DAGMM(Pixels):
    """Deep autoencoding Gaussian mixture model.

    A compression network gives each row a latent feature, beside the relative distance
    and the cosine similarity of the row and its reconstruction. An estimation network
    assigns that to components of a mixture; the score is the energy of the mixture.
    """

    ENERGY, SINGULARITY = 0.1, 0.005

    def fit(self, X):
        """Train both networks end to end."""
        torch.manual_seed(self.random_state)
        self.learn_scale(X)
        rows = torch.from_numpy(self.scaled(X))
        widths = (rows.shape[1], 128, 32, 2)
        self.encoder_ = _tanh_mlp(widths)
        self.decoder_ = _tanh_mlp(widths[::-1])
        self.estimation_ = nn.Sequential(
            nn.Linear(4, 10), nn.Tanh(), nn.Dropout(0.5), nn.Linear(10, 4)
        )
        networks = nn.ModuleList([self.encoder_, self.decoder_, self.estimation_])
        descent = torch.optim.Adam(networks.parameters(), lr=1e-3)
        for _ in range(self.epochs):
            for x in rows[torch.randperm(len(rows))].split(128):
                loss, features = self._features(x)
                share = self.estimation_(features).softmax(1)
                mixture = _mixture(features, share)
                diagonal = mixture[2].diagonal(dim1=1, dim2=2)
                loss = loss + self.ENERGY * _energy(features, *mixture).mean()
                loss = loss + self.SINGULARITY * diagonal.reciprocal().sum()
                descent.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(networks.parameters(), 5.0)
                descent.step()
        networks.eval()
        with torch.no_grad():
            _, features = self._features(rows)
            self.mixture_ = _mixture(features, self.estimation_(features).softmax(1))
        return self

    @torch.no_grad()
    def decision_function(self, X):
        """Energy of images; higher is more abnormal."""
        _, features = self._features(torch.from_numpy(self.scaled(X)))
        return _energy(features, *self.mixture_).numpy()

    def _features(self, x):
        """Reconstruction loss, and what the mixture sees of rows."""
        z = self.encoder_(x)
        x_hat = self.decoder_(z)
        length = x.norm(dim=1).clamp(min=1e-6)
        distance = (x - x_hat).norm(dim=1) / length
        cosine = nn.functional.cosine_similarity(x, x_hat)
        loss = (x - x_hat).square().sum(1).mean()
        return loss, torch.cat([z, distance[:, None], cosine[:, None]], 1)


def _tanh_mlp(widths):
    layers = []
    for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(n_in, n_out), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _mixture(features, share):
    """Weights, means and covariances of the components."""
    total = share.sum(0) + 1e-6
    mean = share.T @ features / total[:, None]
    centred = features[:, None] - mean
    covariance = torch.einsum("nk,nki,nkj->kij", share, centred, centred)
    covariance = covariance / total[:, None, None]
    return total / total.sum(), mean, covariance + 1e-3 * torch.eye(features.shape[1])


def _energy(features, weight, mean, covariance):
    """Minus the log-likelihood of rows under a mixture."""
    components = torch.distributions.MultivariateNormal(mean, covariance)
    density = components.log_prob(features[:, None]) + weight.log()
    return -density.logsumexp(1)


class LatentOut:
    """LatentOut on our plain convolutional autoencoder.

    The reconstruction error of a row is compared with those of its nearest training
    rows in the latent space: its z-score among them (the paper's xi-score).
    """

    def __init__(self, random_state, max_iter=200, batch_size=128, n_neighbors=50):
        self.random_state = random_state
        self.steps = {"max_iter": max_iter, "batch_size": batch_size}
        self.n_neighbors = n_neighbors

    def fit(self, X):
        """Train the autoencoder, and remember where training rows are."""
        self.model_ = NCAEDetector(
            **plain_autoencoder(), **self.steps, random_state=self.random_state
        ).fit(X)
        self.errors_ = -self.model_.training_scores_
        self.index_ = NearestNeighbors(n_neighbors=min(self.n_neighbors, len(X)))
        self.index_.fit(self._latent(X))
        return self

    def decision_function(self, X):
        """Score images; higher is more abnormal."""
        near = self.index_.kneighbors(self._latent(X), return_distance=False)
        others = self.errors_[near]
        errors = -self.model_.score_samples(X)
        return (errors - others.mean(1)) / (others.std(1) + 1e-12)

    def _latent(self, X):
        """Latent features of all members side by side."""
        return np.concatenate(list(self.model_.encode(X)), axis=1)


def plain_autoencoder():
    """Give the convolutional autoencoder with everything off: the paper's CAE."""
    return {
        "scaling": "pixels",
        "calibration_rounds": 0,
        "mining_rate": 0.0,
        "sample_discriminator": False,
        "latent_discriminator": False,
        "evidence": "reconstruction",
    }


def paper_configuration(max_iter=400):
    """Give the paper's configuration for images (section 4).

    It names no number of epochs; the learning rate decays once, half way. Its
    LeNet-based autoencoder has 8 and 4 channels and 32 latent features (Ruff et al.,
    2020).
    """
    return {
        "n_estimators": 1,
        "hidden_units": (8, 4),
        "latent_dim": 32,
        "scaling": "minmax",
        "calibration_rounds": 0,
        "mining": "similarity",
        "mining_rate": 0.1,
        "generation_scale": 0.1,
        "evidence": "reconstruction",
        "max_iter": max_iter,
        "batch_size": 128,
        "learning_rate": 0.01,
        "decay_steps": max(max_iter // 2, 1),
    }
