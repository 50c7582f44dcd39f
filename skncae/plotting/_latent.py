"""The figure of the latent space."""

import numpy as np
from scipy.stats import gaussian_kde
from sklearn.decomposition import PCA

from skncae._checks import check_count, is_integer
from skncae._pipelines import rows_for_final_step
from skncae._sentences import counted
from skncae._surroundings import undisturbed
from skncae.plotting._axes import VERMILION, Display, fitted_detector, ink


class LatentSpaceDisplay(Display):
    """The latent features of rows in one network, and where normality is.

    With a `latent_dim` above 2, the two leading principal components of the rows;
    with one of 1, the latent feature against the error.

    It is recommended to use `from_estimator` to create one.

    Parameters
    ----------
    latent : ndarray of shape (n_samples, latent_dim)
        Latent features of the rows.
    errors : ndarray of shape (n_samples,)
        Errors of the rows, minus `score_samples`.
    generated : ndarray of shape (n_generated, latent_dim)
        Latent features of generated normal rows.
    mean : ndarray of shape (latent_dim,)
        The latent mean mu.
    member : int, default=0
        Which network, for the title.

    Attributes
    ----------
    ax_ : Axes
        What it is drawn in.
    figure_ : Figure
        The figure of `ax_`.
    rows_ : PathCollection
        The rows, coloured by their error.
    generated_ : Line2D
        The generated rows.
    mean_ : Line2D
        The latent mean.
    entropy_ : float
        Entropy of the latent features in nats, from a Gaussian kernel density
        estimate at (at most 2,000 of) the rows; NaN where there is no density, as
        when all are the same.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae.plotting import LatentSpaceDisplay
    >>> Z = np.random.default_rng(0).normal(size=(2000, 2))
    >>> display = LatentSpaceDisplay(Z, (Z**2).sum(1), Z[:9] / 3, np.zeros(2)).plot()
    >>> round(display.entropy_, 1)  # of a normal distribution: log(2 pi e) = 2.84
    2.8
    """

    __module__ = "skncae.plotting"

    def __init__(self, latent, errors, generated, mean, *, member=0):
        self.latent = latent
        self.errors = errors
        self.generated = generated
        self.mean = mean
        self.member = member

    @classmethod
    def from_estimator(
        cls, estimator, X, *, member=0, n_generated=200, random_state=None, ax=None
    ):
        """Encode and generate rows and draw both.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows.
        member : int, default=0
            Which network: latent spaces of two members have nothing in common.
        n_generated : int, default=200
            How many rows to generate.
        random_state : int, RandomState instance or None, default=None
            Seed of the generated rows.
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : LatentSpaceDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If there is no such member.
        """
        detector = fitted_detector(estimator)
        means = detector.latent_mean_
        if not (is_integer(member) and 0 <= member < len(means)):
            raise ValueError(
                f"member must be from 0 to {len(means) - 1}, as the detector has "
                f"{len(means)} networks; got {member!r}."
            )
        check_count("n_generated", n_generated)
        # Flat rows, or the cells of a typed table, which can be encoded.
        generated = detector._generated(n_generated, random_state)
        X = rows_for_final_step(estimator, X)
        display = cls(
            detector.encode(X)[member],
            -detector.score_samples(X),
            # Not `encode`, which would miss the names of the columns.
            detector._encoded(generated)[member],
            means[member],
            member=member,
        )
        return display.plot(ax)

    @undisturbed()
    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : LatentSpaceDisplay
            This display.
        """
        self._draw_in_one(ax, (6.8, 5.0))
        self.entropy_ = _entropy(self.latent)
        rows, generated, mean, labels = self._plane()
        # The most abnormal first: they are few, and would hide what is normal.
        order = np.argsort(-self.errors)
        self.rows_ = self.ax_.scatter(
            *rows[order].T,
            c=self.errors[order],
            vmax=np.quantile(self.errors, 0.99),
            cmap="viridis",
            s=18,
            edgecolors=ink(),
            linewidths=0.3,
        )
        (self.generated_,) = self.ax_.plot(
            *generated.T, "+", color=VERMILION, alpha=0.8, label="generated normals"
        )
        (self.mean_,) = self.ax_.plot(
            *mean.T,
            "X",
            color=VERMILION,
            markeredgecolor=ink(),
            markersize=12,
            label="latent mean μ",
        )
        self._frame(rows, generated, mean)
        self.figure_.colorbar(
            self.rows_,
            ax=self.ax_,
            label="error (higher = more abnormal)",
            extend="max",
        )
        normal = 0.5 * self.latent.shape[1] * (1 + np.log(2 * np.pi))
        self.ax_.set_title(
            f"Latent space of network {self.member}\n"
            f"entropy {self.entropy_:.2f} nats (that of N(μ, I): {normal:.2f})"
        )
        self.ax_.set(xlabel=labels[0], ylabel=labels[1])
        self.ax_.legend()
        return self

    def _frame(self, rows, generated, mean):
        """Set limits that a few rows far out do not decide, and count those."""
        normal = np.concatenate([generated, mean])
        low, high = np.quantile(rows, [0.01, 0.99], axis=0)
        low, high = np.minimum(low, normal.min(0)), np.maximum(high, normal.max(0))
        margin = 0.06 * np.where(high > low, high - low, 1.0)
        low, high = low - margin, high + margin
        self.ax_.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        n_outside = ((rows < low) | (rows > high)).any(1).sum()
        self.rows_.set_label(
            f"{counted(len(rows), 'rows')} ({n_outside} outside the frame)"
        )

    def _plane(self):
        """Rows, generated rows, mean in two dimensions, and what those are."""
        width = self.latent.shape[1]
        mean = self.mean[None]
        if width == 1:
            lowest = np.full((max(len(self.generated), 1), 1), self.errors.min())
            return (
                np.column_stack([self.latent, self.errors]),
                np.column_stack([self.generated, lowest[: len(self.generated)]]),
                np.column_stack([mean, lowest[:1]]),
                ("latent feature", "error"),
            )
        if width == 2:
            names = ("latent feature 1", "latent feature 2")
            return self.latent, self.generated, mean, names
        # With the mean, for one row alone spans no plane.
        rows = self.latent if len(self.latent) > 1 else np.vstack([self.latent, mean])
        # Arrays, whatever the caller wants of transformers; and of many features it
        # draws at random, which without a seed is from the caller's generator.
        pca = PCA(2, random_state=0).set_output(transform="default").fit(rows)
        labels = tuple(
            f"principal component {i + 1} of {width} ({100 * share:.0f} %)"
            for i, share in enumerate(pca.explained_variance_ratio_)
        )
        return *map(pca.transform, (self.latent, self.generated, mean)), labels


def _entropy(Z, n_rows=2000):
    """Differential entropy in nats by a kernel density, NaN where there is none."""
    Z = Z[:: -(-len(Z) // n_rows)]
    if np.linalg.matrix_rank(Z - Z.mean(0)) < Z.shape[1]:
        # As few rows as dimensions, or rows that do not vary in all of them.
        return float("nan")
    return float(-gaussian_kde(Z.T).logpdf(Z.T).mean())
