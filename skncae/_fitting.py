"""Fit: sample, scale, train, learn evidence, and cut."""

import copy
import math
import warnings
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch

with warnings.catch_warnings():
    # In a notebook without widgets it says so, and draws with characters.
    warnings.simplefilter("ignore")
    from tqdm.auto import tqdm

from skncae._diagnostics import raise_if_diverged, raise_if_filled
from skncae._parameters import private_random_state, seed_of, torch_device
from skncae._settings import check_warm_start
from skncae._threshold import Threshold, threshold_of
from skncae.data._sample import subsample
from skncae.evidence._scorer import Scorer
from skncae.networks._autoencoder import build_encoder
from skncae.networks._ensemble import Ensemble, seen_directions, seen_rows
from skncae.networks._generators import MemberStreams
from skncae.networks._state import network_from_state, network_state
from skncae.scaling._calibration import calibrated_view
from skncae.training._rows import training_rows
from skncae.training._stopping import SettledRanking
from skncae.training._trainer import Recipe, Trainer

# Everything but the threshold is learnt from at most this many rows, drawn at
# random: a member sees max_iter * batch_size = 8,960 of them, the other kinds all.
MAX_TRAINING_ROWS = 20_000

# Answers are learnt from beside at most so many of these rows.
MAX_REFERENCE_ROWS = 2_000

# Steps between two chances to stop: for callbacks, and for tol.
ROUND = 25


@dataclass(frozen=True)
class Earlier:
    """What a warm start goes on with.

    Parameters
    ----------
    scorer : Scorer
    discriminators : tuple of dict
        States of D_s and D_l.
    network_parameters : dict
        `Settings.of_networks` of that fit.
    n_steps : int
        Steps taken by all fits before.
    """

    scorer: Scorer
    discriminators: tuple
    network_parameters: dict
    n_steps: int


@dataclass(frozen=True)
class Judged:
    """What rows are judged by: scores, and where they are cut."""

    scorer: Scorer
    training_scores: np.ndarray
    threshold: Threshold

    def attributes(self):
        """The attributes of a detector that judges so."""
        return {
            "_scorer": self.scorer,
            "training_scores_": self.training_scores,
            **self.threshold.attributes(),
        }


@dataclass(frozen=True)
class Fitted:
    """All that a fit has learnt, and the rows that it learnt from."""

    judged: Judged
    history: dict
    n_iter: int
    device: str
    discriminators: tuple
    network_parameters: dict
    n_steps: int
    rows: np.ndarray

    def attributes(self):
        """The attributes of the fitted detector."""
        mined = self.history["mined_share"][self.n_iter // 2 :]
        return {
            **self.judged.attributes(),
            "history_": self.history,
            "n_iter_": self.n_iter,
            "mining_share_": float(mined.mean()),
            "device_": self.device,
            "_discriminators": self.discriminators,
            "_network_parameters": self.network_parameters,
            "_n_steps": self.n_steps,
            "_reference": subsample(self.rows, MAX_REFERENCE_ROWS, seed=0).copy(),
            "_unrefined": None,
        }


def fit(
    settings,
    source,
    tasks,
    earlier=None,
    trainer_type=Trainer,
    layout=None,
    is_known=None,
):
    """Learn what is normal among the rows of a source.

    Parameters
    ----------
    settings : Settings
    source : RowsAtHand, RowsInChunks or the like
    tasks : FitTasks
        Who watches.
    earlier : Earlier or None
        A fit to go on with.
    trainer_type : type
        `Trainer`, or one that trains elsewhere.
    layout : Layout or None
        Of a typed table.
    is_known : bool ndarray of shape (n_rows,) or None
        Rows of the source that are known to be outliers. They are mined, and what is
        normal is learnt from the others.

    Returns
    -------
    fitted : Fitted
    """
    if earlier is not None:
        check_warm_start(earlier.network_parameters, settings.of_networks)
    device = torch_device(settings.device)
    settings = replace(settings, device=str(device))
    random_state = private_random_state(settings.random_state)
    seed = seed_of(random_state)
    n_steps_before = 0 if earlier is None else earlier.n_steps
    # A warm start draws other batches than the fit that it goes on with.
    streams = MemberStreams(seed + n_steps_before, range(settings.n_estimators))
    rows = source.sample(MAX_TRAINING_ROWS, seed)
    numbers = rows if layout is None else layout.numbers(rows)
    is_open = slice(None)
    make_trainer = partial(trainer_type, streams=streams)
    if is_known is not None:
        # The same rows of both.
        is_known = subsample(is_known, MAX_TRAINING_ROWS, seed)
        is_open = ~is_known
        is_known = torch.from_numpy(is_known).to(device)
        make_trainer = partial(make_trainer, is_known=is_known)
    view, completion = _scales(settings, numbers[is_open], earlier)
    trainer = make_training(
        settings, numbers, view, completion, make_trainer, device, earlier
    )
    is_empty = np.isnan(numbers).all(0)

    def judged(model, random_state):
        """What rows are judged by with these networks."""
        ensemble = Ensemble(model, view, completion, is_empty, layout)
        return _judge(settings, ensemble, rows, is_open, source, random_state, seed)

    def as_if_ended():
        """The attributes of a detector whose training ends here."""
        model = copy.deepcopy(trainer.model)
        return judged(model, copy.deepcopy(random_state)).attributes()

    history = _train(settings, trainer, tasks, as_if_ended)
    return Fitted(
        judged=judged(trainer.model, random_state),
        history=history,
        n_iter=trainer.n_steps,
        device=str(device),
        discriminators=(network_state(trainer.d_s), network_state(trainer.d_l)),
        network_parameters=settings.of_networks,
        n_steps=n_steps_before + trainer.n_steps,
        rows=rows,
    )


def n_rounds(settings):
    """The most rounds that a training may have."""
    return math.ceil(settings.max_iter / ROUND)


def _scales(settings, rows, earlier):
    """Return the view of the networks, and what completes rows (None: nothing may)."""
    if earlier is not None:
        # The networks' inputs must keep their meaning.
        view = earlier.scorer.ensemble.view
        raise_if_filled(earlier.scorer.ensemble.is_empty, rows)
    else:
        view = calibrated_view(settings.scaling, rows, settings.calibration_rounds)
    if not settings.allow_nan:
        return view, None
    if settings.scaling == "whitened":
        return view, view
    return view, calibrated_view("whitened", rows, settings.calibration_rounds)


def make_training(settings, rows, view, completion, make_trainer, device, earlier=None):
    """Set up the training of the members on rows, completed and scaled."""
    is_missing = to_column_axes = None
    missing = np.isnan(rows)
    if missing.any():
        rows = completion.complete(rows)
        incomplete = missing.any(0)
        is_missing = torch.from_numpy(missing[:, incomplete]).to(device)
        n_directions = view.transform(rows[:1]).shape[1]
        to_column_axes = view.to_column_axes(np.eye(n_directions))
        to_column_axes = seen_directions(to_column_axes.T[incomplete], view).T
        # Apple's GPUs have no float64.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        to_column_axes = torch.from_numpy(to_column_axes).to(device, dtype)
    rows = seen_rows(rows, view)
    rows = torch.from_numpy(training_rows(rows, view)).to(device)
    trained = None
    if earlier is not None:
        discriminators = (
            network_from_state(build_encoder, state) for state in earlier.discriminators
        )
        trained = (earlier.scorer.ensemble.model, *discriminators)
    return make_trainer(
        rows,
        recipe=Recipe(**{f.name: getattr(settings, f.name) for f in fields(Recipe)}),
        trained=trained,
        is_missing=is_missing,
        to_column_axes=to_column_axes,
        image_shape=settings.image_shape,
    )


def _train(settings, trainer, tasks, as_if_ended):
    """Train in rounds, until max_iter, `tol` or a callback stops it."""
    ranking = (
        None if settings.tol is None else SettledRanking(trainer.rows, settings.tol)
    )
    rounds = []
    progress = tqdm(total=settings.max_iter, desc="NCAE", disable=not settings.verbose)
    with progress as bar:
        while trainer.n_steps < settings.max_iter:
            tasks.begin_round()
            rounds.append(trainer.run(bar.update, ROUND))
            if not rounds[-1]["reconstruction_loss"].isfinite().all():
                break
            has_settled = ranking is not None and ranking.check(trainer.model)
            if tasks.end_round(as_if_ended) or has_settled:
                break
    history = {
        name: torch.cat([steps[name] for steps in rounds]).cpu().numpy()
        for name in rounds[0]
    }
    raise_if_diverged(history, trainer.is_finite(), settings.learning_rate)
    return history


def _judge(settings, ensemble, rows, is_open, source, random_state, seed):
    """Score all rows with what is learnt from some, and set the threshold."""
    learnt_from = rows[is_open]
    scorer, errors = Scorer.learn(ensemble, learnt_from, settings, random_state)
    if len(learnt_from) < len(rows):
        scorer = scorer.ranked_among(rows)
    if len(learnt_from) < source.n_rows:
        errors = source.errors(scorer)
    threshold = threshold_of(
        settings.contamination, errors, scorer.tails, len(rows), seed
    )
    return Judged(scorer, -errors, threshold)
