"""From rows to scores.

Five kinds of evidence against a row, each an error that is large when the row is
unlike the normal ones:

==============  ==========================================================
evidence        error
==============  ==========================================================
reconstruction  ``|x - g(f(x))|^2`` of Eq. 9, the mean over members: the row breaks
                the way in which the columns vary together
distance        squared distance to the median of the training rows, in the view of the
                networks: far out along directions in which the columns vary little
dictionary      distance to the nearest of the rows that a member is sure are
                normal, the mean over members: no normal row is like it (the
                dictionary of Eq. 7, of real rows)
tails           squared surprise of each column alone, summed: many columns are far
                out, or a few very far
rarity          surprise of each column alone at how few training values are like it,
                summed: gaps, and rare values among few
..._neighbors   distance to training images that are near but not nearest: in pixels;
                in "contrast", all of one brightness and contrast; in histograms of the
                directions of "edge"s
==============  ==========================================================

Errors of different kinds are made comparable by their *surprise*, minus the log of
the share of training rows with a larger error. The score is the median surprise: a
row is an outlier when most of the evidence says so. A thousandth of the mean surprise
is added, since a surprise is a rank and two kinds may give two rows the same one.

Every error is a sum over columns (of a distance: its square is). Where entries are
missing it is the sum over the others, scaled up to all columns; a row without any value
gets the median error of the training rows.
"""

import math

import numpy as np
import torch

from skncae._threads import in_threads
from skncae.evidence._columns import ColumnRarity, ColumnTails
from skncae.evidence._neighbors import Neighbors
from skncae.evidence._reference_rows import nearest_rows, observed_distances
from skncae.evidence._tail_probability import Surprise
from skncae.networks._autoencoder import Autoencoder
from skncae.scaling._calibration import View, calibrated_view, over_all_columns
from skncae.training._losses import latent_noise

# An error to this power is a sum over columns.
POWER = {
    "reconstruction": 1,
    "distance": 1,
    "dictionary": 2,
    "tails": 1,
    "rarity": 1,
    "pixel_neighbors": 2,
    "contrast_neighbors": 2,
    "edge_neighbors": 2,
}
KINDS = tuple(POWER)

# Those that see rows in the view of the networks.
IN_VIEW = ("reconstruction", "distance")

# What is asked by default: of the rows of a table, and of images.
EVIDENCE = ("reconstruction", "distance", "dictionary", "tails", "rarity")
IMAGE_EVIDENCE = (
    "reconstruction",
    "pixel_neighbors",
    "contrast_neighbors",
    "edge_neighbors",
)

# Dictionaries hold rows of the lowest error only: this share of the rows ...
SURE_SHARE = 0.8
# ... among at most this many.
MAX_DICTIONARY_POOL = 4096

# What the mean surprise adds to the median, of which rows of one rank have the same.
TIE_BREAK = 1e-3

# Rows are scored in blocks of this many, so that memory does not grow with them.
BLOCK = 512


def blocks(n_rows, together=1):
    """Yield the slices of n_rows rows in blocks, or in so many blocks together."""
    size = together * BLOCK
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def _shared_out(totals, parts, is_observed):
    """Parts scaled so that they sum to the totals.

    Where all are zero the observed columns get equal parts; in a row without any, all.
    """
    whole = parts.sum(-1, keepdims=True)
    is_heard = is_observed | ~is_observed.any(-1, keepdims=True)
    equal = is_heard / is_heard.sum(-1, keepdims=True)
    shares = np.broadcast_to(equal, parts.shape).copy()
    np.divide(parts, whole, out=shares, where=whole > 0)
    return totals[..., None] * shares


class Scorer:
    """Errors of rows, from fitted networks and what the training rows were like.

    Networks score in float64: the rounding of float32 would make a small residual
    depend on the rows beside it.

    Parameters
    ----------
    model : Autoencoder
    view : View
        The view that the networks were trained on.
    kinds : tuple of str
        Some of `KINDS`.
    completion : View, optional
        Completes rows that hold NaN; without it they are refused.
    """

    def __init__(self, model, view, kinds, completion=None):
        self.model = model.cpu().double()
        self.view = view
        self.kinds = kinds
        self.completion = completion
        self.is_empty = np.zeros(0, dtype=bool)
        self.typical: list[float | None] = [None] * len(kinds)
        self.surprises: list[Surprise] = []
        self.neighbors: dict[str, Neighbors] = {}

    def state(self):
        """Everything learnt, as nested dictionaries and lists of arrays."""
        state = {
            "kinds": self.kinds,
            "networks": self.model.state(),
            "view": vars(self.view).copy(),
            "completion": self.completion and vars(self.completion).copy(),
            "is_empty": self.is_empty,
            "typical": self.typical,
            "surprises": [vars(surprise).copy() for surprise in self.surprises],
        }
        if "dictionary" in self.kinds:
            state["dictionary_view"] = vars(self.dictionary_view).copy()
            state["dictionaries"] = self.dictionaries.numpy()
        if "tails" in self.kinds:
            state["column_tails"] = vars(self.column_tails).copy()
        if "rarity" in self.kinds:
            state["column_rarity"] = vars(self.column_rarity).copy()
        if "distance" in self.kinds:
            state["median"] = self.median
        if self.neighbors:
            state["neighbors"] = {
                kind: neighbors.state() for kind, neighbors in self.neighbors.items()
            }
        return state

    @classmethod
    def from_state(cls, state):
        """Build the scorer that `state` was taken from."""
        kinds = [kind for kind in KINDS if kind in state["kinds"]]
        if len(kinds) < len(state["kinds"]):
            raise ValueError(f"unknown evidence in {state['kinds']}")
        scorer = cls(
            Autoencoder.from_state(state["networks"]),
            View(**state["view"]),
            state["kinds"],
            state["completion"] and View(**state["completion"]),
        )
        scorer.is_empty, scorer.typical = state["is_empty"], state["typical"]
        scorer.surprises = [Surprise(**surprise) for surprise in state["surprises"]]
        if "dictionary" in kinds:
            scorer.dictionary_view = View(**state["dictionary_view"])
            scorer.dictionaries = torch.tensor(state["dictionaries"])
        if "tails" in kinds:
            scorer.column_tails = ColumnTails(**state["column_tails"])
        if "rarity" in kinds:
            scorer.column_rarity = ColumnRarity(**state["column_rarity"])
        if "distance" in kinds:
            scorer.median = state["median"]
        scorer.neighbors = {
            kind: Neighbors.from_state(neighbors)
            for kind, neighbors in state.get("neighbors", {}).items()
        }
        return scorer

    def learn(self, X, rounds, dictionary_size, random_state, image_shape=None):
        """Learn from training rows what an error of each kind is worth.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        rounds : int
            Calibration rounds of the views that rows are compared in.
        dictionary_size : int
        random_state : RandomState
        image_shape : tuple of (height, width, channels), optional

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
            What `errors` gives for these rows.
        """
        self.is_empty = np.isnan(X).all(0)
        if "dictionary" in self.kinds:
            self.dictionary_view = calibrated_view("standardized", X, rounds)
            self._fill_dictionaries(X, dictionary_size, random_state)
        if "tails" in self.kinds:
            self.column_tails = ColumnTails.of(X)
        if "rarity" in self.kinds:
            self.column_rarity = ColumnRarity.of(X)
        if "distance" in self.kinds:
            self.median = np.median(self.view.transform(self._completed(X)[0]), axis=0)
        self.neighbors = {
            kind: Neighbors.of(kind, X, rounds, random_state, image_shape)
            for kind in self.kinds
            if kind.endswith("_neighbors")
        }
        evidence = self.evidence(X)
        self.typical = [float(np.median(errors)) for errors in evidence]
        self.surprises = [Surprise.of(errors) for errors in evidence]
        return self._verdict(evidence)

    def errors(self, X):
        """Error of each row: its median surprise, or the error of the only kind.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
        """
        errors = np.empty(len(X))

        def judge(some):
            errors[some] = self._verdict(self.evidence(X[some]))

        # So that only the errors themselves grow with the rows.
        pieces = list(blocks(len(X), together=32))
        if len(self.model.row_shape) > 1:
            # Convolutions: torch shares out each, and a piece takes much memory.
            for piece in pieces:
                judge(piece)
        else:
            in_threads(judge, pieces)
        return errors

    def evidence(self, X):
        """Errors of each kind, (n_kinds, n_samples)."""
        return self._over_all_columns(*self._observed_evidence(X))

    def contributions(self, X):
        """What each column adds to the error of each row.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        contributions : ndarray of shape (n_samples, n_features), float64
            Not negative, zero for missing entries of a row that has others; their
            sums over the columns are `errors`.
        """
        contributions = np.empty(X.shape)
        for block in blocks(len(X)):
            rows, missing = self._completed(X[block])
            parts = np.stack([self._by_column(k, rows, missing) for k in self.kinds])
            is_observed = np.ones(rows.shape, bool) if missing is None else ~missing
            contributions[block] = self._verdict_by_column(
                self.evidence(X[block]), parts * is_observed, is_observed
            )
        return contributions

    @torch.no_grad()
    def encode(self, X):
        """Latent features of each member, (members, n_samples, latent)."""
        z = []
        for block in blocks(len(X)):
            rows, _ = self._completed(X[block])
            z.append(self.model.encoder(self._rows(rows)))
        return torch.cat(z, 1).numpy()

    @torch.no_grad()
    def generate(self, n_samples, variance, random_state):
        """Draw rows in the units of X, g(omega) of Eq. 6, each of a random member."""
        generator = torch.Generator().manual_seed(
            int(random_state.randint(np.iinfo(np.int32).max))
        )
        mu = self.model.mu
        rows = np.empty((n_samples, len(self.view.center)))
        for block in blocks(n_samples):
            size = block.stop - block.start
            shape = (len(mu), size, mu.shape[-1])
            noise = torch.randn(shape, generator=generator, dtype=mu.dtype)
            generated = self.model.decoder(latent_noise(mu, variance, noise))
            members = random_state.randint(len(mu), size=size)
            rows[block] = self.view.inverse_transform(
                generated[members, np.arange(size)].numpy()
            )
        rows[:, self.is_empty] = np.nan
        return rows

    @torch.no_grad()
    def reconstruct(self, X):
        """Mean reconstruction of the members, in the units of X."""
        expected = np.zeros(X.shape)
        for block in blocks(len(X)):
            rows, _ = self._completed(X[block])
            for x_hat in self.model(self._rows(rows)).numpy():
                expected[block] += self.view.inverse_transform(x_hat, like=rows)
        expected[:, self.is_empty] = np.nan
        return expected / self.model.n_members

    def _completed(self, X):
        """Rows without NaN, and where there was some: None for nowhere."""
        if self.is_empty.any():
            # Nothing is known of these columns, whatever comes in them now.
            X = np.where(self.is_empty, np.nan, X)
        missing = np.isnan(X)
        if not missing.any():
            return X, None
        if self.completion is None:
            raise ValueError(
                "X contains NaN, but this NCAEDetector was fitted with "
                "allow_nan=False. Fit again with allow_nan=True."
            )
        return self.completion.complete(X), missing

    def _observed_evidence(self, X):
        """Errors of each kind over the observed columns, and how many are not."""
        evidence = np.empty((len(self.kinds), len(X)))
        by_block = dict(zip(self.kinds, evidence, strict=True))
        # Columns by themselves: of all rows at once, since a search for many values
        # takes less time for each. An empty column has nothing against any value.
        if "tails" in by_block:
            by_block.pop("tails")[:] = self.column_tails(X)
        if "rarity" in by_block:
            by_block.pop("rarity")[:] = self.column_rarity(X)
        n_missing = np.zeros(len(X), dtype=int)
        for block in blocks(len(X)):
            rows, missing = self._completed(X[block])
            if missing is not None:
                n_missing[block] = missing.sum(1)
            in_view = self.view.transform(rows)
            for kind, row in by_block.items():
                if kind in self.neighbors:
                    row[block] = self.neighbors[kind](rows)
                else:
                    seen = in_view if kind in IN_VIEW else rows
                    row[block] = getattr(self, f"_{kind}")(seen, missing)
        return evidence, n_missing

    def _over_all_columns(self, evidence, n_missing):
        """Errors scaled up from the observed columns to all, (n_kinds, n_samples)."""
        n_features = len(self.view.center)
        kinds = zip(self.kinds, evidence, self.typical, strict=True)
        return np.array(
            [
                over_all_columns(errors, n_missing, n_features, POWER[kind], typical)
                for kind, errors, typical in kinds
            ]
        )

    def _verdict(self, evidence):
        """Median surprise of (n_kinds, n_samples) errors, or the only errors."""
        if len(self.kinds) == 1:
            return evidence[0]
        surprises = self._surprises_of(evidence)
        return np.median(surprises, axis=0) + TIE_BREAK * surprises.mean(0)

    def _surprises_of(self, evidence):
        """Surprise of each error, (n_kinds, n_samples)."""
        kinds = zip(self.surprises, evidence, strict=True)
        return np.stack([surprise(errors) for surprise, errors in kinds])

    def _verdict_by_column(self, evidence, parts, is_observed):
        """Share the verdict out among the columns, (n_samples, n_features).

        Every witness has a say in proportion to its surprise; it shares that out as
        the columns share its error, `parts` of shape (n_kinds, n_samples, n_features).
        """
        if len(self.kinds) > 1:
            parts = _shared_out(self._surprises_of(evidence), parts, is_observed)
        return _shared_out(self._verdict(evidence), parts.sum(0), is_observed)

    def _reconstruction(self, Z, missing):
        return self._residuals(Z, missing).mean(0)

    def _distance(self, Z, missing):
        difference = Z - self.median
        if missing is None:
            return np.square(difference).sum(1)
        return np.square(self.view.by_column(difference)).sum(1, where=~missing)

    def _dictionary(self, X, missing):
        x = torch.from_numpy(self.dictionary_view.transform(X))
        return self._nearest(x, missing)[0].mean(0).numpy()

    def _nearest(self, x, missing):
        """Distance to the nearest row of each dictionary in observed columns; which."""
        if missing is None:
            return nearest_rows(x, self.dictionaries)
        is_observed = torch.from_numpy(~missing)
        return observed_distances(x, is_observed, self.dictionaries).min(-1)

    def _by_column(self, kind, X, missing):
        """What the columns of complete rows add to the errors of a kind."""
        if kind in self.neighbors:
            return self.neighbors[kind].by_column(X)
        return getattr(self, f"_{kind}_by_column")(X, missing)

    # What the columns of complete rows add to the errors of each kind. Apart from
    # scoring, which needs neither the directions of the view nor to know which row of a
    # dictionary is the nearest.

    @torch.no_grad()
    def _reconstruction_by_column(self, X, missing):
        x = self._rows(X)
        residual = self.view.by_column((x - self.model(x)).numpy())
        return np.square(residual).mean(0)

    def _dictionary_by_column(self, X, missing):
        x = torch.from_numpy(self.dictionary_view.transform(X))
        distance, nearest = self._nearest(x, missing)
        members = torch.arange(len(nearest))[:, None]
        difference = x - self.dictionaries[members, nearest]
        difference = self.dictionary_view.by_column(difference.numpy())
        # A distance is its square over itself; nothing adds to a distance of zero.
        length = np.where(distance > 0, distance, 1.0)[..., None]
        return (np.square(difference) / length).mean(0)

    def _distance_by_column(self, X, missing):
        difference = self.view.transform(X) - self.median
        return np.square(self.view.by_column(difference))

    def _tails_by_column(self, X, missing):
        return self.column_tails.by_column(X)

    def _rarity_by_column(self, X, missing):
        return self.column_rarity.by_column(X)

    def _member_errors(self, X, missing=None):
        """Squared residual of each member in what is observed, (members, n_samples)."""
        return self._residuals(self.view.transform(X), missing)

    @torch.no_grad()
    def _residuals(self, Z, missing):
        """`_member_errors` of rows in the view of the networks."""
        x = torch.from_numpy(Z).mT.contiguous()
        # In place: what the networks made is needed no more.
        residual = self.model.by_feature(x).sub_(x)
        if missing is None:
            return residual.square_().sum(1).numpy()
        residual = self.view.by_column(residual.mT.numpy())
        return np.square(residual).sum(-1, where=~missing)

    def _rows(self, X):
        """Complete rows as the networks see them, (members, n_samples, n_features)."""
        x = torch.from_numpy(self.view.transform(X))
        return x.expand(self.model.n_members, *x.shape)

    def _fill_dictionaries(self, X, size, random_state):
        """Give each member random rows out of those it reconstructs best."""
        X = X[random_state.permutation(len(X))[:MAX_DICTIONARY_POOL]]
        X, missing = self._completed(X)
        member_errors = self._member_errors(X, missing)
        if missing is not None:
            n_missing, n_features = missing.sum(1), X.shape[1]
            member_errors = [
                over_all_columns(errors, n_missing, n_features)
                for errors in member_errors
            ]
        n_sure = math.ceil(SURE_SHARE * len(X))
        # At most half of them: a dictionary of all rows would hold every outlier
        # that got past the networks, for every member.
        size = min(size, math.ceil(n_sure / 2))
        x = torch.from_numpy(self.dictionary_view.transform(X))
        picked = [
            random_state.permutation(np.argsort(errors)[:n_sure])[:size]
            for errors in member_errors
        ]
        self.dictionaries = x[torch.from_numpy(np.stack(picked))]
