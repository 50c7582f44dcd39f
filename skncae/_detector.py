"""NCAEDetector: parameters, fit and scores."""

import itertools
import json
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skncae import _fitting
from skncae._callbacks import CallbackSupportMixin, FitTasks, with_callbacks
from skncae._checks import check_count, plain
from skncae._diagnostics import (
    all_or_nothing,
    raise_if_missing,
    raise_if_trained_on,
    warn_if_forgetting,
    warn_if_too_few_to_select,
    warn_of_fit,
    warn_of_lost,
    warn_of_share,
)
from skncae._explanation import Explanation, columns_of, typed_columns_of
from skncae._fitting import Earlier, fit, n_rounds
from skncae._loading import check_fitted, check_loaded
from skncae._mlflow import logged_fit
from skncae._p_values import Calibration, selected
from skncae._parameters import (
    check_alpha,
    check_calibration,
    check_cut,
    check_flag,
    check_in_range,
    private_random_state,
    seed_of,
)
from skncae._settings import settings_of
from skncae._surroundings import undisturbed
from skncae._threshold import (
    decisions,
    is_outlier,
    quantile_threshold,
    rounding_at,
    threshold_at,
    threshold_of,
)
from skncae._version import __version__
from skncae.data._arrays import as_array
from skncae.data._chunks import Chunks
from skncae.data._column_sample import ColumnSample, sample_from_state
from skncae.data._layout import refuse_onnx
from skncae.data._reading import as_frame, index_of, library_of, objects_of
from skncae.data._sample import Sample
from skncae.data._sources import RowsAtHand, RowsInChunks, checked_chunks
from skncae.data._validation import (
    allows_nan,
    check_not_empty,
    check_rows,
    feature_names,
    read_columns,
    set_layout,
    typed_columns,
)
from skncae.feedback._answers import read_outliers
from skncae.feedback._mixin import AnswersMixin
from skncae.feedback._refined import scorer_from_state
from skncae.files import _skl2onnx
from skncae.files._archive import load_archive, save_archive, write_whole
from skncae.files._onnx import onnx_model
from skncae.training._trainer import Trainer, training


class NCAEDetector(AnswersMixin, CallbackSupportMixin, OutlierMixin, BaseEstimator):
    """Normality-Calibrated Autoencoder: outliers in data that is already dirty.

    An ensemble of small adversarial autoencoders. Each generates rows that it is
    sure are normal, mines the training rows that look least like them, and unlearns
    the mined ones while it trains, so that a few percent of outliers among the
    training rows are found instead of learnt.

    Parameters
    ----------
    contamination : float in (0, 0.5], "auto" or thresholder, default=0.1
        Share of the training rows to flag. "auto" flags the rows beyond a gap that
        most of the evidence sees; without one it warns and flags nothing where the
        rows are one crowd, else 0.15, the share that errs least on real tables whose
        scores do not tell. A thresholder is any object whose
        `eval(errors)` labels the training errors 0 or 1 (an outlier), such as those
        of PyThresh; where its labels are not a cut of the errors, the share that it
        flags is flagged. It sets `threshold_` only; the scores do not depend on it.
    n_estimators : int or "auto", default="auto"
        Number of autoencoders (members), trained side by side. "auto" is 2. Below it
        chooses by the shape of the rows.
    hidden_units : tuple of int or "auto", default="auto"
        Widths of the encoder's hidden layers, or for images the channels of its
        convolutions, each of which halves height and width; the decoder mirrors them.
        "auto" is (32, 16) for a table, (8, 16) for images.
    latent_dim : int or "auto", default="auto"
        Width of the latent space. "auto" is 3 for a table, 16 for images.
    scaling : {"auto", "whitened", "standardized", "minmax", "pixels", "contrast"}, \
default="auto"
        How the columns are scaled for the networks: "standardized" (each column to
        mean 0 and variance 1, with logarithmic tails), "whitened" (and
        decorrelated), "minmax" (each column to [0, 1], the paper's), "pixels" (each
        column less its mean, all over one deviation), "contrast" (each row to mean 0
        and deviation 1 first). "auto" is "whitened" for a table, "contrast" for images,
        which cannot be whitened.
    calibration_rounds : int, default=5
        How often the location and scale of the columns are estimated again on the
        rows that look normal. 0 trusts all rows.
    mining : {"auto", "similarity", "reconstruction", "latent_distance", \
"latent_density"}, default="auto"
        How rows are found that look contaminated: least similar to the generated
        normals (Eq. 7), or (section 5.2 of the paper) of the largest reconstruction
        error, the largest latent distance to the mean, the lowest latent density.
        "auto" is "similarity" for a table, "reconstruction" for images.
    mining_rate : float in [0, 1) or "auto", default="auto"
        Share of each batch that is mined (the paper's tau). 0 mines nothing. "auto" is
        0.1 for a table, 0.2 for images.
    generation_scale : float, default=0.1
        Variance of the latent noise that normal rows are generated from (the paper's
        sigma).
    sample_discriminator : bool, default=True
        Train the decoder to generate rows like the training rows (Eq. 6).
    latent_discriminator : bool, default=True
        Train the encoder towards normally distributed latent features (Eq. 4).
    evidence : str or sequence of str, default="auto"
        Which anomaly scores are combined: the "reconstruction" error (Eq. 9); the
        "distance" to the median row, as the columns are scaled for the networks; the
        distance to the nearest of some reference rows that are sure to be normal
        ("dictionary"); how far out the columns are ("tails", the density of Student's
        t); how few values are like those of the columns ("rarity", as in HBOS); how
        far the nearest 15 % of the training rows reach ("neighbors", as in kNN). Of
        images also their distance to training images that are near, but not the
        nearest, as they are ("pixel_neighbors"), with the same brightness and contrast
        ("contrast_neighbors"), or in histograms of the directions of their edges
        ("edge_neighbors"); and how badly a network recognises how they were turned and
        moved ("transformations"). Of frames with columns of more types than numbers
        how badly a cell fits the rest of its row ("conditional"). One kind is reported
        as it is, so `evidence="reconstruction"` is the paper's score; of several, the
        median of their log tail probabilities (minus the log of the share of training
        rows with a larger error), unless "neighbors" and "rarity" together say a larger
        one, as of a row between two clusters, and the mean where "transformations" is
        among them.
        "auto" takes the first six for a table of numbers, "conditional" for a frame of
        more types, and "reconstruction" with the four of images for images.
    dictionary_size : int, default=64
        Number of rows in the dictionary of each member, drawn from those that it
        reconstructs well and that are near to the median row.
    max_iter : int or "auto", default="auto"
        Number of gradient steps. "auto" is 70 for a table, 200 for images.
    batch_size : int, default=128
        Rows a step, for each member, drawn with replacement.
    learning_rate : float or "auto", default="auto"
        Step size of Adam, and the rate at which the latent mean drifts (Eq. 5). "auto"
        is 0.005 for a table, 0.003 for images.
    decay_steps : int or None, default=None
        Multiply the learning rate by 0.1 every this many steps; None never does.
    tol : float or None, default=None
        Stop before `max_iter` once the ranking of the rows has settled: every 25
        steps up to 1,000 training rows are ranked by their reconstruction error, and
        training ends when 1 minus the rank correlation with the ranking before is
        below `tol` twice in a row. None never stops early.
    warm_start : bool, default=False
        Whether another `fit` goes on with the fitted networks and their scales for
        `max_iter` more steps, instead of starting anew.
    allow_nan : bool or "auto", default="auto"
        Whether X may hold missing entries (NaN). They are left out of the training
        loss and of the scores: a row is judged by what is there. False refuses them.
        "auto" takes them in frames, and refuses them in arrays.
    categorical_features : array-like or "from_dtype", default="from_dtype"
        Names, indices or a mask of the columns that hold categories, whatever their
        values. Of the others, and with "from_dtype" of all, the columns of a
        categorical type, booleans and text of few values are categories if X is a
        frame; numbers are numbers.
    image_shape : tuple of (height, width) or (height, width, channels), default=None
        What each row of a 2-D X is folded to: 8 to 64 pixels a side, 1 to 4 channels.
        An X of shape (n_samples, height, width) or (n_samples, height, width, channels)
        holds images anyway. None takes a 2-D X for a table.
    device : str, default="auto"
        Where to train: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", ...
        The fitted networks are kept and scored on the CPU.
    precision : {"float32", "bfloat16"}, default="float32"
        What the networks multiply in while they are trained. "bfloat16" (mixed
        precision) is for wide networks and images on a GPU; weights and losses stay
        float32, scores float64.
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
    contamination_ : float
        Share of the training rows that are flagged.
    contamination_interval_ : tuple of float or None
        With "auto": (low, high), which hold 90 % of the estimates from resampled
        training rows; NaN where no gap was seen. It says how steady the estimate
        is, and nothing of outliers that look like normal rows. None otherwise.
    training_scores_ : ndarray of shape (n_samples,), float64
        `score_samples` of the training rows. After a fit on `Chunks` of more than
        20,000 rows: 100,001 quantiles of them at even steps, in descending order,
        each at most 0.01 % of its value too low.
    n_iter_ : int
        Number of gradient steps taken by the last fit: `max_iter`, or fewer where
        `tol` or a callback stopped it.
    n_samples_seen_ : int
        Number of rows given to `fit`, or to all calls of `partial_fit` together.
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
        Number of columns seen in `fit`; of images, of pixels times channels.
    row_shape_ : tuple of int
        Shape of a row of X in `fit`: (n_features,) for a table.
    image_shape_ : tuple of (height, width, channels) or None
        What the networks fold a row to; None for a table.
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

    # So that pickles and skops name no private module.
    __module__ = "skncae"

    def __init__(
        self,
        contamination=0.1,
        *,
        n_estimators="auto",
        hidden_units="auto",
        latent_dim="auto",
        scaling="auto",
        calibration_rounds=5,
        mining="auto",
        mining_rate="auto",
        generation_scale=0.1,
        sample_discriminator=True,
        latent_discriminator=True,
        evidence="auto",
        dictionary_size=64,
        max_iter="auto",
        batch_size=128,
        learning_rate="auto",
        decay_steps=None,
        tol=None,
        warm_start=False,
        allow_nan="auto",
        categorical_features="from_dtype",
        image_shape=None,
        device="auto",
        precision="float32",
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
        self.tol = tol
        self.warm_start = warm_start
        self.allow_nan = allow_nan
        self.categorical_features = categorical_features
        self.image_shape = image_shape
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @undisturbed()
    def fit(self, X, y=None, *, outliers=None):
        """Learn what is normal in X, which may hold outliers.

        Rows that `partial_fit` has seen are forgotten.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), frame, images or Chunks
            The training rows. Frames of pandas and polars and tables of pyarrow may
            hold text, categories, dates and missing values; `columns_` says what
            each column was taken for. Images have the shape (n_samples, height,
            width) or (n_samples, height, width, channels). `Chunks`, for rows that
            memory does not hold, are read once to draw the rows that are learnt from
            and once to set the threshold, and of such frames once more before, to
            learn what the columns are.
        y : Ignored
            Not learnt from; callbacks get it.
        outliers : array-like of bool of shape (n_samples,), default=None
            True for rows that are known to be outliers, False where nothing is known.
            The networks unlearn these rows for sure (Eq. 8a), and what is normal is
            learnt from the others. In a pipeline or a search it is routed there by
            ``set_fit_request(outliers=True)``.

        Returns
        -------
        self : NCAEDetector
            The fitted detector.

        Raises
        ------
        ValueError
            If X, outliers or a parameter is not valid, or if `warm_start=True` and X
            or a parameter does not fit the networks to go on with.
        TypeError
            If a parameter is of the wrong type.
        RuntimeError
            If the training diverges.
        """
        with logged_fit(self), all_or_nothing(self), training():
            is_fitted = hasattr(self, "_scorer")
            goes_on = is_fitted and check_flag("warm_start", self.warm_start)
            rows = self._training_rows(X, reset=not goes_on)
            is_known = read_outliers(outliers, X, rows)
            if not goes_on:
                warn_of_lost(self._layout)
            sample = self._fit(rows, X, y, goes_on, is_known=is_known)
            self._sample = None
            self.n_samples_seen_ = rows.n_rows
            warn_of_fit(self, sample)
        return self

    @undisturbed()
    def partial_fit(self, X, y=None):
        """Learn from X and from all rows of earlier calls.

        A uniform random sample of at most 20,000 of all rows seen is kept, and the
        detector is fitted anew on that sample. So no piece is forgotten, and the
        order of the pieces does not matter.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The next piece of the training rows, of any length.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self : NCAEDetector
            The fitted detector.

        Raises
        ------
        ValueError
            If X or a parameter is not valid, or if X has other columns than the
            pieces before.
        TypeError
            If a parameter is of the wrong type.
        RuntimeError
            If the training diverges.

        Warns
        -----
        UserWarning
            After `fit`, which keeps no rows that this piece could be added to.

        Notes
        -----
        Each call costs as much as `fit` on the sample, so few large pieces are
        cheaper than many small ones. `warm_start` has no effect here. The scales, the
        threshold and `training_scores_` are those of the sample. A pickle holds it, so
        that a detector that has been loaded can see more pieces.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> detector = NCAEDetector(max_iter=50, random_state=0)
        >>> for piece in np.split(X, 3):
        ...     detector = detector.partial_fit(piece)
        >>> detector.n_samples_seen_
        300
        """
        with all_or_nothing(self), training():
            sample = getattr(self, "_sample", None)
            rows, self._sample = self._extended(sample, X)
            raise_if_missing(rows, allows_nan(self))
            self._fit(RowsAtHand(rows), rows)
            self.n_samples_seen_ = self._sample.n_seen
            warn_of_fit(self, rows)
        return self

    @undisturbed()
    def set_threshold(self, *, contamination=None, quantile=None, value=None):
        """Move the threshold of a fitted detector, without fitting again.

        Give exactly one of the parameters. The scores stay as they are, and so does
        the parameter `contamination`: another `fit` uses that one again.

        Parameters
        ----------
        contamination : float in (0, 0.5], "auto" or thresholder, default=None
            As in the constructor.
        quantile : float in [0, 1], default=None
            Quantile of the training errors: 0.95 flags about 5 % of the training rows.
        value : float, default=None
            The threshold itself, in units of the error (minus `score_samples`).

        Returns
        -------
        self : NCAEDetector
            The detector, with other `threshold_`, `offset_` and `contamination_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If not exactly one is given, or it is out of range.
        TypeError
            If it is of the wrong type.
        RuntimeError
            If the thresholder fails.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> detector = NCAEDetector(max_iter=20, random_state=0).fit(X)
        >>> detector.contamination_
        0.1
        >>> round(detector.set_threshold(quantile=0.95).contamination_, 2)
        0.05
        """
        check_is_fitted(self)
        contamination, quantile, value = map(plain, (contamination, quantile, value))
        check_cut(contamination, quantile, value)
        with all_or_nothing(self):
            self._set(self._other_threshold(contamination, quantile, value))
            warn_of_share(self, contamination)
        return self

    @undisturbed()
    def score_samples(self, X):
        """Return how normal each row is: minus its error.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Chunks
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
        return -self._of_rows(X, self._scorer.errors)

    @undisturbed()
    def decision_function(self, X):
        """Return `score_samples` minus `offset_`: negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Chunks
            The rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
            Negative for outliers, positive or zero for inliers; zero also where only
            rounding tells a row from the threshold.
        """
        return decisions(self.score_samples(X), self.offset_)

    @undisturbed()
    def predict(self, X):
        """Say of each row whether its error exceeds the threshold (Eq. 9).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Chunks
            The rows to judge.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            -1 for outliers, 1 for inliers.
        """
        return np.where(is_outlier(self.decision_function(X)), -1, 1)

    @undisturbed()
    def calibrate(self, X, *, cv=None):
        """Learn what errors rows have that were not trained on, for `p_values`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            With cv=None, rows that `fit` has not seen; else the training rows, or any
            others. Some hundred, better a thousand: no p-value is below
            1 / (1 + n_samples). The more outliers are among them, the larger are all
            p-values: less is selected, and no more of it falsely.
        cv : int, splitter or None, default=None
            Number of folds, or a splitter of scikit-learn such as KFold(5). Each fold
            is judged by a detector that is fitted on the others, with the parameters
            of this one; so are new rows, in the place of this detector. Each row must
            be in exactly one test fold, found without labels and groups.

        Returns
        -------
        self : NCAEDetector
            The detector, with the same scores and threshold. The rows are kept, in its
            files too; another fit forgets them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not valid, or holds the training rows and cv is None, or cv does not
            put each row in one test fold.
        TypeError
            If X is `Chunks`, or cv is of the wrong type.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(600, 4))
        >>> detector = NCAEDetector(random_state=0).fit(X[:300]).calibrate(X[300:])
        >>> detector.p_values([[0, 0, 0, 0], [9, 9, 9, 9]]).round(3)
        array([1.   , 0.003])
        >>> detector.select([[0, 0, 0, 0], [9, 9, 9, 9]], alpha=0.05)
        array([False,  True])
        """
        check_is_fitted(self)
        check_calibration(cv)
        if isinstance(X, Chunks):
            raise TypeError(
                "calibrate keeps its rows, so it takes no Chunks. Give it some "
                "thousand rows as an array."
            )
        rows = check_rows(self, X, reset=False)
        if cv is not None:
            calibration = Calibration.cross_fitted(
                rows, cv, settings_of(self), self._layout
            )
        else:
            scorer, known = self._before_answers()
            raise_if_trained_on(known, -scorer.errors(rows))
            calibration = Calibration.split(rows, self._scorer)
        self._calibration = self._taught(calibration, self._scorer)
        return self

    @undisturbed()
    def p_values(self, X):
        """Say how rare an error as large as each row's is among calibration rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Chunks
            New rows: neither trained on nor calibrated on.

        Returns
        -------
        p_values : ndarray of shape (n_samples,), float64
            Between 1 / (1 + the number of calibration rows) and 1. If a row is like the
            calibration rows, its p-value is below alpha with a probability of at most
            alpha. It does not depend on the other rows of X.

        Raises
        ------
        NotFittedError
            Before `fit` and `calibrate`.
        """
        calibration = self._calibrated()
        return self._of_rows(X, lambda rows: calibration.p_values(rows, self._scorer))

    @undisturbed()
    def select(self, X, alpha=0.1):
        """Say which rows are outliers, at most the share alpha of them falsely.

        The rule of Benjamini and Hochberg on `p_values`: of the rows that are selected
        at most the share alpha is expected to be like the calibration rows. It may
        select none, and whether it selects a row depends on the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Chunks
            New rows: neither trained on nor calibrated on.
        alpha : float in (0, 1), default=0.1
            The expected share of false discoveries.

        Returns
        -------
        selected : ndarray of shape (n_samples,), bool
            True for outliers.

        Raises
        ------
        NotFittedError
            Before `fit` and `calibrate`.

        Warns
        -----
        UserWarning
            If there are too few calibration rows to select any at this alpha.
        """
        check_alpha(alpha)
        alpha = plain(alpha)
        warn_if_too_few_to_select(self._calibrated().n_rows, alpha)
        return selected(self.p_values(X), alpha)

    @undisturbed()
    def reconstruct(self, X):
        """Return what the networks expect in place of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to reconstruct.

        Returns
        -------
        X_expected : ndarray of the shape of X, float64
            The mean reconstruction of the members, in the units of X, also of
            missing entries; NaN in a column without any value in `fit`. Of a frame with
            more than numbers a frame of the same library, with what the rest of each
            row implies, of the types of X; None in columns that are set aside.

        Notes
        -----
        The networks see no value of a table further from its column's centre than
        three scales, here as in `fit`: what is absurd is not expected again.
        `scaling="minmax"`, the paper's, moves no value.
        """
        check_is_fitted(self)
        rows = check_rows(self, X, reset=False)
        expected = self._scorer.reconstruct(rows)
        if self._layout is not None:
            return as_frame(self._layout.decode(expected), self._layout.names, X)
        return self._folded(expected)

    @undisturbed()
    def explain(self, X):
        """Say what each column adds to the error of a row, and what was expected.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to explain.

        Returns
        -------
        explanation : Explanation
            `contributions` in the shape of X (of images, a map for each), whose sums
            over the columns are the errors, -`score_samples(X)`, and which are zero for
            missing entries (of a row without any value all are equal); the `expected`
            rows; the `residual`, X minus the expected rows, in the units of X; and
            pandas frames of them: the rows that stand out with a sentence for each
            (`top`), their largest `cells`, all contributions (`to_frame`).

        Notes
        -----
        Each component score (see `evidence`) is attributed to the columns; attributions
        are weighted by the component's -log tail probability. Tails are a sum over
        columns, and a squared distance is one of squares. The squared residual in the
        whitened view, which mixes the columns, is split by the "corr-max" rotation of
        [1]_.

        References
        ----------
        .. [1] P. H. Garthwaite and I. Koch, "Evaluating the Contributions of
           Individual Variables to a Quadratic Form", Australian & New Zealand Journal
           of Statistics 58 (2016), 99-119.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> X[0, 2] = 9
        >>> detector = NCAEDetector(random_state=0).fit(X)
        >>> explanation = detector.explain(X[:1])
        >>> explanation.feature_names[explanation.contributions[0].argmax()]
        'x2'
        >>> np.allclose(explanation.contributions.sum(), -detector.score_samples(X[:1]))
        True
        """
        check_is_fitted(self)
        rows = check_rows(self, X, reset=False)
        contributions, expected = self._scorer.explain(rows)
        names, layout = feature_names(self), self._layout
        if layout is None:
            values = self._folded(rows.astype(np.float64))
            expected, contributions = map(self._folded, (expected, contributions))
            columns = columns_of(self._scorer, names, rows)
        else:
            values = layout.shown(objects_of(as_array(X), layout.names), rows)
            expected = layout.decode(expected)
            contributions = layout.to_columns(contributions)
            columns = typed_columns_of(layout)
        return Explanation(
            values,
            expected,
            contributions,
            names,
            index=index_of(X),
            image_shape=self.image_shape_,
            threshold=self.threshold_,
            columns=columns,
            associates_of=self._scorer.associates_of,
        )

    def report(self, X, n=20):
        """Report the rows that stand out most, with reasons, as a page to read.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Chunks
            The rows of a table.
        n : int, default=20
            How many rows to show.

        Returns
        -------
        report : Report
            It shows itself in a notebook and has `to_html`, `to_frame` and
            `to_markdown`.

        Raises
        ------
        ValueError
            If X is not valid or n is less than 1.
        TypeError
            If n is no integer, or the detector was fitted on images.
        ImportError
            Without pandas, which `pip install "skncae[report]"` adds.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> X[0, 2] = 9
        >>> detector = NCAEDetector(random_state=0).fit(X)
        >>> detector.report(X, n=1).to_frame()[["flagged"]]
           flagged
        0     True
        """
        from skncae.reports import make_report

        return make_report(self, X, n)

    @property
    def columns_(self):
        """Return what each column of a frame was taken for.

        Returns
        -------
        columns : DataFrame, or list of dict without pandas
            "name"; "type", as understood; "dtype", as it came; "use", how the column
            is used; "n_values", how many different values; "missing", the share of
            missing entries.

        Raises
        ------
        AttributeError
            Of a detector that was fitted on numbers alone.
        """
        check_is_fitted(self)
        if self._layout is None:
            raise AttributeError(
                "columns_ says what the columns of a typed frame were taken for, and "
                "this NCAEDetector was fitted on numbers alone."
            )
        described = self._layout.described()
        try:
            import pandas
        except ImportError:
            return described
        return pandas.DataFrame(described)

    @property
    def latent_mean_(self):
        """Return the latent mean of each network, the paper's mu (Eq. 5).

        Returns
        -------
        mu : ndarray of shape (n_estimators, latent_dim), float64
            The centre of what `generate` decodes, in the spaces of `encode`.
        """
        check_is_fitted(self)
        return self._scorer.ensemble.model.mu[:, 0].numpy().copy()

    @undisturbed()
    def encode(self, X):
        """Return the latent features of each row in each network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to encode.

        Returns
        -------
        Z : ndarray of shape (n_estimators, n_samples, latent_dim), float64
            The latent spaces of two members have nothing to do with each other.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> NCAEDetector(n_estimators=2, random_state=0).fit(X).encode(X).shape
        (2, 300, 3)
        """
        check_is_fitted(self)
        return self._encoded(check_rows(self, X, reset=False))

    @undisturbed()
    def generate(self, n_samples=1, random_state=None):
        """Generate rows that the networks are sure are normal (Eq. 6).

        Each is decoded by a random member from noise around its latent mean, of
        variance `generation_scale`.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Seed. None seeds from the operating system.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features) or of images, float64
            The rows, in the shape and units of the training rows; NaN in a column
            without any value in `fit`. Of a frame with more than numbers objects, with
            the categories that the numbers imply; None in columns that are set aside.

        Raises
        ------
        ValueError
            If n_samples is less than 1, or generation_scale so large that what is
            generated is not finite.
        TypeError
            If n_samples is no integer.

        Examples
        --------
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(5, 1, size=(300, 4))
        >>> detector = NCAEDetector(random_state=0).fit(X)
        >>> detector.generate(1000, random_state=0).mean().round()
        np.float64(5.0)
        """
        check_is_fitted(self)
        rows = self._generated(n_samples, random_state)
        return self._folded(rows) if self._layout is None else self._layout.decode(rows)

    @undisturbed()
    def save(self, path, *, answers=True):
        """Write the fitted detector to one file, without pickle.

        The file is a safetensors archive of numbers and text: loading one runs no
        code that it brings. A save that is interrupted leaves the old file. Callbacks
        are left out.

        Parameters
        ----------
        path : str or path-like
            Where to; a file that is there is replaced.
        answers : bool, default=True
            Whether the rows that `refine` was given answers about go into the file;
            False writes `without_answers()`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError
            If a parameter has no form in a file, such as a RandomState instance.
        ImportError
            Without safetensors, which `pip install "skncae[files]"` adds.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> detector = NCAEDetector(n_estimators=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     detector.save(f"{folder}/detector.safetensors")
        ...     loaded = NCAEDetector.load(f"{folder}/detector.safetensors")
        >>> (loaded.score_samples(X) == detector.score_samples(X)).all()
        np.True_
        """
        check_is_fitted(self)
        check_flag("answers", answers)
        fitted = (self if answers else self.without_answers()).__getstate__()
        # They watch a fit, and are set anew for the next one.
        fitted.pop("_skl_callbacks", None)
        # A file holds Python's own numbers.
        names = self.get_params(deep=False)
        parameters = {name: plain(fitted.pop(name)) for name in names}
        save_archive(
            path,
            {"parameters": parameters, "fitted": fitted},
            {"format": type(self).__name__, "skncae_version": __version__},
        )

    @classmethod
    @undisturbed()
    def load(cls, path):
        """Read a detector that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        detector : NCAEDetector
            The fitted detector, with the same parameters, attributes and scores.

        Raises
        ------
        ValueError
            If the file is damaged, holds something else, or is of a newer format.
        FileNotFoundError
            If there is no such file.
        ImportError
            Without safetensors, which `pip install "skncae[files]"` adds.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> detector = NCAEDetector(n_estimators=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     detector.save(f"{folder}/detector.safetensors")
        ...     NCAEDetector.load(f"{folder}/detector.safetensors")
        NCAEDetector(n_estimators=2, random_state=0)
        """
        content = load_archive(path, cls.__name__)
        try:
            return cls._from_content(**content)
        except Exception as error:
            # A file is not bad because memory is short; torch has no type for that.
            if isinstance(error, MemoryError) or "allocate memory" in str(error):
                raise
            # Whatever a state of other names or shapes trips over.
            raise ValueError(
                f"{path} holds no {cls.__name__} that can score a row: {error}"
            ) from error

    @undisturbed()
    def to_onnx(self, path):
        """Write the scoring as an ONNX model, for machines without Python or torch.

        Its input is "X", float64 of shape (n_samples, n_features); its outputs are
        "score_samples", "decision_function" and "label" (-1 for outliers, 1 for
        inliers), each of shape (n_samples,). Rows with NaN or infinity get the score
        NaN and the label -1. Its memory grows with the rows of a call: give it a few
        thousand at a time. A pipeline that ends in a detector is converted by skl2onnx.

        Parameters
        ----------
        path : str or path-like
            Where to; a file that is there is replaced.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If a column had no value at all in `fit`, if it was fitted on images or on a
            frame with other columns than numbers, or refined.
        ImportError
            Without spox, which `pip install "skncae[onnx]"` adds.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> import onnxruntime
        >>> from skncae import NCAEDetector
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> detector = NCAEDetector(n_estimators=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     detector.to_onnx(f"{folder}/detector.onnx")
        ...     session = onnxruntime.InferenceSession(f"{folder}/detector.onnx")
        >>> scores, decision, label = session.run(None, {"X": X})
        >>> np.allclose(scores, detector.score_samples(X))
        True
        """
        write_whole(path, self._onnx_model().SerializeToString())

    # What skl2onnx asks for when it converts a pipeline that ends in a detector.
    onnx_parser = _skl2onnx.onnx_parser
    onnx_shape_calculator = _skl2onnx.onnx_shape_calculator
    onnx_converter = _skl2onnx.onnx_converter

    def _onnx_model(self):
        """Return the model that `to_onnx` writes."""
        check_is_fitted(self)
        if self._layout is not None:
            refuse_onnx(self._layout)
        if self.image_shape_ is not None:
            raise ValueError(
                "to_onnx is for tables: runtimes have no convolutions in float64, and "
                "this NCAEDetector was fitted on images. Use save and load instead."
            )
        if getattr(self, "_unrefined", None) is not None:
            raise ValueError(
                "An ONNX model has no part for what answers have taught. Call forget() "
                "first, or use save and load."
            )
        metadata = {"skncae_version": __version__}
        if hasattr(self, "feature_names_in_"):
            metadata["feature_names"] = json.dumps(self.feature_names_in_.tolist())
        return onnx_model(
            self._scorer,
            self.offset_,
            rounding_at(self.offset_),
            self.n_features_in_,
            metadata,
        )

    @classmethod
    def _from_content(cls, parameters, fitted):
        """Build the detector that `save` took apart."""
        detector = cls(**parameters)
        check_fitted(fitted)
        for name in fitted:
            # What a subclass leaves out of its parameters is an attribute of it.
            if name in parameters or hasattr(cls, name):
                raise ValueError(f"{name!r} is no fitted attribute")
        detector.__setstate__(fitted)
        check_loaded(detector)
        return detector

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allow_nan is True
        return tags

    def __getstate__(self):
        """State for pickle, copy, skops and `save`: arrays in place of networks."""
        state = dict(super().__getstate__())
        if "_scorer" in state:
            state["_scorer"] = state["_scorer"].state()
            # The scorer has it too.
            state.pop("_layout", None)
        if state.get("_sample") is not None:
            state["_sample"] = state["_sample"].state()
        if state.get("_calibration") is not None:
            state["_calibration"] = state["_calibration"].state()
        return state

    @undisturbed()
    def __setstate__(self, state):
        if "_scorer" in state:
            scorer = scorer_from_state(state["_scorer"])
            state = state | {"_scorer": scorer, "_layout": scorer.ensemble.layout}
        if state.get("_sample") is not None:
            state = state | {"_sample": sample_from_state(state["_sample"])}
        if state.get("_calibration") is not None:
            calibration = Calibration.from_state(
                state["_calibration"], scorer_from_state
            )
            state = state | {"_calibration": calibration}
        super().__setstate__(state)

    @with_callbacks
    def _fit(
        self,
        source,
        X_seen,
        y=None,
        goes_on=False,
        trainer_type=Trainer,
        is_known=None,
    ):
        """Fit on the rows of a source and return the rows learnt from.

        Callbacks get X_seen and y. A trainer of another type trains elsewhere.
        """
        settings = settings_of(self)
        earlier = None
        if goes_on:
            earlier = Earlier(
                self._scorer,
                self._discriminators,
                self._network_parameters,
                self._n_steps,
            )
        tasks = FitTasks(self, n_rounds(settings), X_seen, y)
        fitted = fit(
            settings, source, tasks, earlier, trainer_type, self._layout, is_known
        )
        self._set(fitted)
        # It was of other networks.
        self._calibration = None
        tasks.end()
        return fitted.rows

    def _set(self, learnt):
        """Set the attributes of what was learnt, the only place where they are set."""
        for name, value in learnt.attributes().items():
            setattr(self, name, value)

    def _of_rows(self, X, function):
        """A number for each row of X, whether it is at hand or in chunks."""
        if not isinstance(X, Chunks):
            return function(check_rows(self, X, reset=False))
        chunks = checked_chunks(X, partial(check_rows, self))
        return np.concatenate([np.empty(0), *map(function, chunks)])

    def _calibrated(self):
        """The calibration of this detector, or an error where there is none."""
        check_is_fitted(self)
        calibration = getattr(self, "_calibration", None)
        if calibration is None:
            raise NotFittedError(
                "This NCAEDetector knows no p-values yet. Call calibrate(X) with rows "
                "that it was not fitted on, or calibrate(X, cv=5) with the training "
                "rows; another fit forgets it."
            )
        return calibration

    # Displays ask for it too.
    @undisturbed()
    def _generated(self, n_samples, random_state):
        """Generate flat rows, or cells of a typed table."""
        n_samples = check_count("n_samples", n_samples)
        # It may have been set after the fit.
        check_in_range("generation_scale", self.generation_scale)
        variance = plain(self.generation_scale)
        random_state = private_random_state(random_state)
        ensemble = self._scorer.ensemble
        rows = ensemble.generate(n_samples, variance, random_state)
        if not np.isfinite(rows[:, ~ensemble.is_empty]).all():
            raise ValueError(
                f"generation_scale={variance!r} is too large for these networks: what "
                "they generate is beyond all numbers. Set a smaller one, such as "
                "set_params(generation_scale=0.1)."
            )
        return rows if self._layout is None else self._scorer.filled(rows)

    @undisturbed()
    def _encoded(self, rows):
        """Encode flat rows, or cells of a typed table."""
        return self._scorer.ensemble.encode(rows)

    def _folded(self, rows):
        """Give flat rows the shape that the rows of X had in fit."""
        return rows.reshape(len(rows), *self.row_shape_)

    def _other_threshold(self, contamination, quantile, value):
        """Threshold that the one given parameter stands for."""
        errors = -self.training_scores_
        if value is not None:
            return threshold_at(errors, value)
        if quantile is not None:
            return threshold_at(errors, quantile_threshold(errors, quantile))
        n_learnt = min(len(errors), _fitting.MAX_TRAINING_ROWS)
        seed = seed_of(private_random_state(self.random_state))
        return threshold_of(contamination, errors, self._scorer.tails, n_learnt, seed)

    def _training_rows(self, X, reset):
        """Return X as rows to fit on, validated now or as they are read."""
        if not isinstance(X, Chunks):
            return RowsAtHand(check_rows(self, X, reset=reset))
        check = partial(check_rows, self)
        if not reset or X.is_spent_once_read:
            return RowsInChunks(X, check, reset)
        begun = iter(X)
        first = next(begun, None)
        begun = itertools.chain([] if first is None else [first], begun)
        if first is None or not typed_columns(self, first, reset=True):
            return RowsInChunks(X, check, reset, begun)
        self._learn_layout(begun, library_of(first) is not None)
        return RowsInChunks(X, check, reset=False)

    def _learn_layout(self, chunks, is_named):
        """Learn the layout of typed tables from a sample of their rows: one pass."""
        seed = seed_of(private_random_state(self.random_state))
        sample = ColumnSample.empty(_fitting.MAX_TRAINING_ROWS, seed)
        for chunk in chunks:
            sample = sample.extended(read_columns(chunk, is_named))
        set_layout(self, sample.columns, is_named)

    def _extended(self, sample, X):
        """Return the rows to fit on, and the sample that has seen those of X too."""
        if sample is None:
            return self._begun(X)
        if isinstance(sample, ColumnSample):
            columns = typed_columns(self, X, reset=False)
            check_not_empty(columns)
            sample = sample.extended(columns)
            # What later rows bring may change what is known of the columns.
            set_layout(self, sample.columns, hasattr(self, "feature_names_in_"))
            return self._layout.encode(sample.columns), sample
        piece = check_rows(self, X, reset=False)
        settings_of(self)
        sample = sample.extended(piece)
        return sample.rows, sample

    def _begun(self, X):
        """Return the rows to fit on, and the sample that has seen those of X alone."""
        piece = check_rows(self, X, reset=True)
        settings_of(self)
        warn_if_forgetting(self)
        size = _fitting.MAX_TRAINING_ROWS
        seed = seed_of(private_random_state(self.random_state))
        if self._layout is None:
            sample = Sample.empty(size, seed, piece).extended(piece)
            return sample.rows, sample
        warn_of_lost(self._layout)
        columns = typed_columns(self, X, reset=False)
        sample = ColumnSample.empty(size, seed).extended(columns)
        return self._layout.encode(sample.columns), sample
