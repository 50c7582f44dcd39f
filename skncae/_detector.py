"""NCAEDetector: parameters, fit and scores."""

import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from skncae._inputs import calibrated_view, check_rows
from skncae._parameters import (
    as_names,
    check_parameters,
    private_random_state,
    torch_device,
)
from skncae._scoring import EVIDENCE, Scorer
from skncae._threshold import quantile_threshold
from skncae._training import Recipe, Trainer, one_thread

# Everything but the threshold is learnt from at most this many rows, drawn at
# random: a member sees max_iter * batch_size = 25,600 of them.
MAX_TRAINING_ROWS = 20_000


class NCAEDetector(OutlierMixin, BaseEstimator):
    """Normality-Calibrated Autoencoder: outliers in data that is already dirty.

    An ensemble of small adversarial autoencoders. Each generates rows that it is
    sure are normal, mines the training rows that look least like them, and unlearns
    the mined ones while it trains, so that a few percent of outliers among the
    training rows are found instead of learnt.

    Parameters
    ----------
    contamination : float in (0, 0.5], default=0.1
        Share of the training rows to flag. It sets `threshold_` only; the scores do
        not depend on it.
    n_estimators : int, default=16
        Number of autoencoders (members), trained side by side.
    hidden_units : tuple of int, default=(32, 16)
        Widths of the encoder's hidden layers; the decoder mirrors them.
    latent_dim : int, default=3
        Width of the latent space.
    scaling : {"whitened", "standardized", "minmax"}, default="whitened"
        How the columns are scaled for the networks: "standardized" (each column to
        mean 0 and variance 1, with logarithmic tails), "whitened" (and
        decorrelated), "minmax" (each column to [0, 1], the paper's).
    calibration_rounds : int, default=5
        How often the location and scale of the columns are estimated again on the
        rows that look normal. 0 trusts all rows.
    mining : {"similarity", "reconstruction", "latent_distance", "latent_density"}, \
default="similarity"
        How rows are found that look contaminated: least similar to the generated
        normals (Eq. 7), or, for comparison (section 5.2 of the paper), of the largest
        reconstruction error, the largest latent distance to the mean, the lowest
        latent density.
    mining_rate : float in [0, 1), default=0.1
        Share of each batch that is mined (the paper's tau). 0 mines nothing.
    generation_scale : float, default=0.1
        Variance of the latent noise that normal rows are generated from (the paper's
        sigma).
    sample_discriminator : bool, default=True
        Train the decoder to generate rows like the training rows (Eq. 6).
    latent_discriminator : bool, default=True
        Train the encoder towards normally distributed latent features (Eq. 4).
    evidence : str or sequence of str, \
default=("reconstruction", "dictionary", "tails")
        What speaks against a row: its "reconstruction" error (Eq. 9), its distance
        to the nearest row of a "dictionary" of normal rows, how far out its columns
        are by their ranks ("tails"). One kind is reported as it is, so
        `evidence="reconstruction"` is the paper's score; of several, the median of
        their surprises (minus the log of the share of training rows with a larger
        error).
    dictionary_size : int, default=64
        Number of rows in the dictionary of each member, drawn from the rows that it
        reconstructs best.
    max_iter : int, default=200
        Number of gradient steps.
    batch_size : int, default=128
        Rows a step, for each member, drawn with replacement.
    learning_rate : float, default=0.005
        Step size of Adam, and the rate at which the latent mean drifts (Eq. 5).
    decay_steps : int or None, default=None
        Multiply the learning rate by 0.1 every this many steps; None never does.
    device : str, default="auto"
        Where to train: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", ...
        The fitted networks are kept and scored on the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. An int makes `fit` repeatable. None seeds from the
        operating system: the global generators of numpy and torch are neither read
        nor moved.
    verbose : int or bool, default=0
        0 is silent, 1 shows a progress bar.

    Attributes
    ----------
    offset_ : float
        `decision_function` is `score_samples` minus this; it is -`threshold_`.
    threshold_ : float
        The paper's beta (Eq. 9): rows with an error above it are outliers.
    n_iter_ : int
        Number of gradient steps taken.
    history_ : dict of str to ndarray of shape (`n_iter_`, n_estimators)
        The losses of each step ("reconstruction_loss", "sample_discriminator_loss",
        "latent_discriminator_loss"), the "mined_share", and the mean mining score
        of the rows that were mined and kept ("mining_score_mined",
        "mining_score_kept"; the lower, the more contaminated; NaN where no row
        was).
    mining_share_ : float
        Mean share of the rows mined over the second half of the training.
    device_ : str
        The device trained on.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, when X had string names.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Faster, and weaker on correlated columns.
    sklearn.neighbors.LocalOutlierFactor : For outliers beside dense clusters.

    Notes
    -----
    Networks, dictionaries and scales are learnt from at most 20,000 rows, drawn at
    random; the threshold from all. Training runs in one thread of the CPU, since its
    steps are too small to share, so several fits run well side by side.

    References
    ----------
    .. [1] "Normality-Calibrated Autoencoder for Unsupervised Anomaly Detection on
       Data Contamination".

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[:3] += 8
    >>> detector = NCAEDetector(contamination=0.01, random_state=0).fit(X)
    >>> np.flatnonzero(detector.predict(X) == -1).tolist()
    [0, 1, 2]
    """

    def __init__(
        self,
        contamination=0.1,
        *,
        n_estimators=16,
        hidden_units=(32, 16),
        latent_dim=3,
        scaling="whitened",
        calibration_rounds=5,
        mining="similarity",
        mining_rate=0.1,
        generation_scale=0.1,
        sample_discriminator=True,
        latent_discriminator=True,
        evidence=EVIDENCE,
        dictionary_size=64,
        max_iter=200,
        batch_size=128,
        learning_rate=5e-3,
        decay_steps=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.contamination = contamination
        self.n_estimators = n_estimators
        self.hidden_units = hidden_units
        self.latent_dim = latent_dim
        self.scaling = scaling
        self.calibration_rounds = calibration_rounds
        self.mining = mining
        self.mining_rate = mining_rate
        self.generation_scale = generation_scale
        self.sample_discriminator = sample_discriminator
        self.latent_discriminator = latent_discriminator
        self.evidence = evidence
        self.dictionary_size = dictionary_size
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.decay_steps = decay_steps
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Learn what is normal in X, which may hold outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : NCAEDetector
            The fitted detector.

        Raises
        ------
        ValueError
            If X or a parameter is not valid.
        TypeError
            If a parameter is of the wrong type.
        RuntimeError
            If the training diverges.
        """
        before = self.__dict__.copy()
        try:
            # The caller may have switched gradients off.
            with one_thread(), torch.inference_mode(False):
                return self._fit(X)
        except BaseException:
            # Interrupted or failed: leave the detector as it was.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def score_samples(self, X):
        """Return how normal each row is: minus its error.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
            The higher, the more normal. See the parameter `evidence` for the units.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not valid, or not of the width that the detector was fitted on.
        """
        check_is_fitted(self)
        return -self._scorer.errors(check_rows(self, X, reset=False))

    def decision_function(self, X):
        """Return `score_samples` minus `offset_`: negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
            Negative for outliers, positive or zero for inliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Say of each row whether its error exceeds the threshold (Eq. 9).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to judge.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            -1 for outliers, 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def reconstruct(self, X):
        """Return what the networks expect in place of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to reconstruct.

        Returns
        -------
        X_expected : ndarray of shape (n_samples, n_features), float64
            The mean reconstruction of the members, in the units of X.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        return self._scorer.reconstruct(X)

    def _fit(self, X):
        """Validate, scale, train, score, and set the threshold."""
        X = check_rows(self, X, reset=True)
        check_parameters(self)
        device = torch_device(self.device)
        random_state = private_random_state(self.random_state)
        generator = torch.Generator().manual_seed(
            int(random_state.randint(np.iinfo(np.int32).max))
        )

        rows = _subsample(X, MAX_TRAINING_ROWS, random_state)
        view = calibrated_view(self.scaling, rows, self.calibration_rounds)
        model, history = self._train(view.transform(rows), generator, device)

        scorer = Scorer(model, view, as_names(self.evidence))
        dictionary_view = calibrated_view("standardized", rows, self.calibration_rounds)
        errors = scorer.learn(rows, dictionary_view, self.dictionary_size, random_state)
        if len(rows) < len(X):
            errors = scorer.errors(X)
        _warn_if_collapsed(errors, X)

        self._scorer = scorer
        self.threshold_ = quantile_threshold(errors, self.contamination)
        self.offset_ = -self.threshold_
        self.history_ = history
        self.n_iter_ = self.max_iter
        self.mining_share_ = float(history["mined_share"][self.max_iter // 2 :].mean())
        self.device_ = str(device)
        return self

    def _train(self, rows, generator, device):
        """Train the members on scaled rows."""
        recipe = Recipe(
            hidden_units=tuple(self.hidden_units),
            latent_dim=self.latent_dim,
            mining=self.mining,
            mining_rate=self.mining_rate,
            generation_scale=self.generation_scale,
            sample_discriminator=self.sample_discriminator,
            latent_discriminator=self.latent_discriminator,
            max_iter=self.max_iter,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            decay_steps=self.decay_steps,
        )
        rows = torch.from_numpy(rows.astype(np.float32)).to(device)
        trainer = Trainer(rows, self.n_estimators, recipe, generator)
        with tqdm(total=self.max_iter, desc="NCAE", disable=not self.verbose) as bar:
            history = trainer.run(bar.update)
        history = {name: values.cpu().numpy() for name, values in history.items()}
        _raise_if_diverged(history, trainer.is_finite(), self.learning_rate)
        return trainer.model, history


def _subsample(X, n_rows, random_state):
    """Return X, or a random n_rows of its rows, as an array in memory."""
    if len(X) <= n_rows:
        return np.asarray(X)
    picked = random_state.choice(len(X), n_rows, replace=False)
    # Sorted: a memmap is then read in one pass.
    return np.asarray(X[np.sort(picked)])


def _raise_if_diverged(history, ended_finite, learning_rate):
    """Refuse networks whose loss is no longer a number."""
    finite = np.isfinite(history["reconstruction_loss"]).all(axis=1)
    finite = np.append(finite, ended_finite)
    if not finite.all():
        raise RuntimeError(
            f"Training diverged: the reconstruction loss was no longer finite at step "
            f"{int(np.argmin(finite))} of {len(finite) - 1}. "
            f"Lower learning_rate (it is {learning_rate})."
        )


def _warn_if_collapsed(errors, X):
    """Say so when all rows get one score although they differ."""
    if len(errors) > 1 and np.ptp(errors) == 0 and (X != X[0]).any():
        warnings.warn(
            "All training rows have the same score: the detector cannot tell them "
            "apart. Raise max_iter or lower learning_rate, and check that X has "
            "columns that vary in more than a few rows.",
            ConvergenceWarning,
            stacklevel=4,
        )
