"""Fit and score Dask collections on a cluster.

==========  =======================================================================
where       what
==========  =======================================================================
workers     validate their partitions and pick from them the rows that may be in the
            sample
client      gathers the sample, calibrates the scales
workers     train the members in groups, on the sample
client      gathers the networks, fills the dictionaries
workers     count the errors of their partitions
client      adds up the counts and sets the threshold
==========  =======================================================================

A task is a function of what it is given, so one that is lost with its worker is done
again elsewhere with the same result.
"""

import math
from functools import partial

import numpy as np
import torch
from dask import array, dataframe, delayed
from dask.distributed import get_client
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skncae._diagnostics import all_or_nothing, warn_of_fit, warn_of_lost
from skncae._fitting import MAX_TRAINING_ROWS
from skncae._parameters import check_flag, torch_device
from skncae._surroundings import undisturbed
from skncae._threads import one_thread
from skncae._threshold import decisions, is_outlier
from skncae.data._column_sample import ColumnSample
from skncae.data._quantiles import Sketch
from skncae.data._sample import Sample
from skncae.data._validation import check_rows, read_columns, set_layout, typed_columns
from skncae.networks._autoencoder import Autoencoder, build_encoder
from skncae.networks._generators import MemberStreams
from skncae.networks._state import joined_states, network_from_state, network_state
from skncae.training._trainer import Trainer, training

# Members that are trained by one worker. Kernels sum the remainder of a SIMD vector in
# another order; groups of 8 members leave none, so results are bitwise equal in
# networks of the usual sizes. One bit is enough to lead the training of adversaries
# elsewhere.
TOGETHER = 8


def fit(detector, X, *, client=None):
    """Fit a detector on a Dask collection, on the workers of a cluster.

    The detector is the one that `fit` gives on the same rows in memory: the same sample
    is learnt from, and each network draws from its own random stream. Its threshold is
    a little less exact, as after a fit on `Chunks`.

    Parameters
    ----------
    detector : NCAEDetector
        Fitted in place. Its `tol` must be None and it must not be going on with
        earlier networks, as the networks are trained apart.
    X : dask.array.Array of shape (n_samples, n_features), (n_samples, height, width) \
            or (n_samples, height, width, channels), or dask.dataframe.DataFrame
        The training rows. Partitions are read up to three times, so persist them if
        the workers can hold them.
    client : distributed.Client or None, default=None
        The cluster; None takes the client that is active.

    Returns
    -------
    detector : NCAEDetector
        The same, fitted, with nothing of Dask about it.

    Raises
    ------
    ValueError
        If X or a parameter is not valid, or there is no client.
    TypeError
        If X is no Dask collection, or a parameter is of the wrong type.
    RuntimeError
        If the training diverges.

    Notes
    -----
    The networks are the same to the last bit if the workers have the kind of CPU that
    the client has and `batch_size` is a multiple of 16. Else they differ by rounding,
    which their training amplifies: a detector as good as the other.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from skncae import NCAEDetector
    >>> from skncae.dask import fit, score_samples
    >>> client = Client(processes=False, n_workers=1, dashboard_address=":0")
    >>> X = da.random.default_rng(0).normal(size=(1000, 4), chunks=(250, 4))
    >>> detector = fit(NCAEDetector(max_iter=20, random_state=0), X)
    >>> score_samples(detector, X).compute().shape
    (1000,)
    >>> client.close()
    """
    client = client or get_client()
    _refuse_going_together(detector)
    with all_or_nothing(detector), training():
        is_typed = typed_columns(detector, _example(X), reset=True) is not None
        if not is_typed:
            check_rows(detector, _example(X), reset=True)
        partitions = _Partitions(client, X)
        if is_typed:
            is_named = isinstance(X, dataframe.DataFrame)
            columns = _sampled_columns(partitions, is_named)
            warn_of_lost(set_layout(detector, columns, is_named))
        rows = _RowsOfPartitions(partitions, _checker(detector))
        trainer_type = partial(_GroupTrainer, client, detector.device)
        sample = detector._fit(rows, X, trainer_type=trainer_type)
        detector._sample = None
        detector.n_samples_seen_ = rows.n_rows
        warn_of_fit(detector, sample)
    return detector


def score_samples(detector, X):
    """Return how normal each row is, lazily: minus its error.

    Parameters
    ----------
    detector : NCAEDetector
        Fitted, on Dask or not.
    X : dask.array.Array of shape (n_samples, n_features) or of images, or \
            dask.dataframe.DataFrame
        The rows to score.

    Returns
    -------
    scores : dask.array.Array or dask.dataframe.Series of shape (n_samples,), float64
        The higher, the more normal.
    """
    check_is_fitted(detector)
    check = _checker(detector)
    return _mapped(partial(_scores, detector._scorer, check), X, np.float64)


def predict(detector, X):
    """Say of each row, lazily, whether its error exceeds the threshold.

    Parameters
    ----------
    detector : NCAEDetector
        Fitted, on Dask or not.
    X : dask.array.Array of shape (n_samples, n_features) or of images, or \
            dask.dataframe.DataFrame
        The rows to judge.

    Returns
    -------
    labels : dask.array.Array or dask.dataframe.Series of shape (n_samples,), int
        -1 for outliers, 1 for inliers.
    """
    check_is_fitted(detector)
    check, offset = _checker(detector), detector.offset_
    return _mapped(partial(_labels, detector._scorer, check, offset), X, np.int64)


class _Partitions:
    """The partitions of a Dask collection that hold rows, in their order.

    Parameters
    ----------
    client : distributed.Client
    X : dask collection
    """

    def __init__(self, client, X):
        self._client = client
        partitions = _delayed_partitions(X)
        if hasattr(X, "chunks") and not np.isnan(X.chunks[0]).any():
            lengths = list(X.chunks[0])
        else:
            lengths = self.gather([delayed(len)(part) for part in partitions])
        starts = np.cumsum([0, *lengths[:-1]]).tolist()
        self.n_rows = int(sum(lengths))
        if not self.n_rows:
            raise ValueError(f"X holds no rows: {X!r}.")
        self._begun = [
            (partition, start)
            for partition, start, length in zip(
                partitions, starts, lengths, strict=True
            )
            if length
        ]

    def __iter__(self):
        """Go over pairs of a delayed partition and the place of its first row."""
        return iter(self._begun)

    def gather(self, tasks):
        """Do tasks on the workers and return their results."""
        return self._client.gather(self._client.compute(tasks))


class _RowsOfPartitions:
    """The rows of a Dask collection, for `NCAEDetector._fit`; see `_sources`.

    Parameters
    ----------
    partitions : _Partitions
    check : callable
        Validates a partition and returns it as an array.
    """

    def __init__(self, partitions, check):
        self.partitions = partitions
        self.n_rows = partitions.n_rows
        self.check = check

    def sample(self, size, seed):
        """Return a uniform sample of at most `size` rows, the one of `Sample`."""
        tasks = [
            delayed(_sample)(partition, self.check, size, seed, start, self.n_rows)
            for partition, start in self.partitions
        ]
        return Sample.total(self.partitions.gather(tasks)).rows

    def errors(self, scorer):
        """Return quantiles of the errors of all rows."""
        # One task that others take it from: were it scattered, it would be lost with
        # the worker that holds it.
        scorer = delayed(_held)(scorer)
        check = delayed(self.check)
        tasks = [
            delayed(_sketch)(partition, check, scorer)
            for partition, _ in self.partitions
        ]
        # Added up in a tree, so that nobody holds all of them.
        while len(tasks) > 1:
            fours = [tasks[i : i + 4] for i in range(0, len(tasks), 4)]
            tasks = [delayed(Sketch.total)(four) for four in fours]
        return self.partitions.gather(tasks)[0].quantiles()


class _GroupTrainer:
    """Trains groups of members on the workers; to `NCAEDetector._fit` a `Trainer`.

    Parameters
    ----------
    client : distributed.Client
    device : str
        What each worker trains on.
    rows, streams, recipe, image_shape
        As of `Trainer`.
    trained : None
        A fit on Dask goes on with no earlier networks.
    **missing : Tensor or None
        `is_missing` and `to_column_axes`, as of `Trainer`.
    """

    def __init__(
        self, client, device, rows, *, streams, recipe, trained, image_shape, **missing
    ):
        self.client = client
        self.rows = rows
        self.n_steps = 0
        self._streams = streams
        # A worker need not have the device of the client.
        missing = _moved(missing, "cpu")
        self._arguments = device, rows.cpu(), recipe, image_shape, missing

    def run(self, after_step=None, n_steps=None):
        """Take all steps at once and return their history."""
        n_workers = max(1, sum(self.client.nthreads().values()))
        held = self.client.submit(_held, self._arguments, pure=False)
        futures = self.client.map(
            _trained, _groups(self._streams, n_workers), arguments=held, pure=False
        )
        parts = self.client.gather(futures)
        self.model = _joined_network(Autoencoder, parts, "model")
        self.d_s = _joined_network(build_encoder, parts, "d_s")
        self.d_l = _joined_network(build_encoder, parts, "d_l")
        self._is_finite = all(part["is_finite"] for part in parts)
        history = {
            name: torch.from_numpy(
                np.concatenate([part["history"][name] for part in parts], axis=1)
            )
            for name in parts[0]["history"]
        }
        self.n_steps = len(history["reconstruction_loss"])
        return history

    def is_finite(self):
        """Say whether the last step left networks that reconstruct rows."""
        return self._is_finite


def _groups(streams, n_workers):
    """Share the members out, in groups of a multiple of `TOGETHER`."""
    n_units = math.ceil(len(streams) / TOGETHER)
    size = TOGETHER * math.ceil(n_units / n_workers)
    return [
        MemberStreams(streams.seed, streams.members[start : start + size])
        for start in range(0, len(streams), size)
    ]


def _trained(streams, arguments):
    """Train the members of these streams, on a worker; return arrays."""
    device, rows, recipe, image_shape, missing = arguments
    device = torch_device(device)
    rows, missing = rows.to(device), _moved(missing, device)
    with training():
        trainer = Trainer(rows, streams, recipe, image_shape=image_shape, **missing)
        history = trainer.run()
        return {
            "model": network_state(trainer.model),
            "d_s": network_state(trainer.d_s),
            "d_l": network_state(trainer.d_l),
            "history": {name: v.cpu().numpy() for name, v in history.items()},
            "is_finite": trainer.is_finite(),
        }


def _moved(tensors, device):
    """Move the tensors of a dictionary to a device; some may be None."""
    return {
        name: tensor if tensor is None else tensor.to(device)
        for name, tensor in tensors.items()
    }


def _joined_network(build, parts, name):
    """Network of all members, from those of the groups."""
    return network_from_state(build, joined_states([part[name] for part in parts]))


def _sampled_columns(partitions, is_named):
    """Read a uniform sample of a typed table, to learn the layout from."""
    # Up to this size it is all rows, whatever the seed; the generator of the detector
    # stays where it is, as in a fit in memory.
    size, seed = MAX_TRAINING_ROWS, 0
    tasks = [
        delayed(_some_columns)(part, is_named, size, seed, start, partitions.n_rows)
        for part, start in partitions
    ]
    return ColumnSample.total(partitions.gather(tasks)).columns


def _some_columns(partition, is_named, size, seed, start, n_rows):
    """Sample the columns of a partition for the sample of all."""
    columns = read_columns(partition, is_named)
    return ColumnSample.of_part(size, seed, columns, start, n_rows)


def _held(content):
    """Return the content: a task whose result the workers take from each other."""
    return content


def _sample(partition, check, size, seed, start, n_rows):
    """Sample a partition for the sample of all."""
    return Sample.of_part(size, seed, check(partition), start, n_rows)


def _sketch(partition, check, scorer):
    """Count the errors of a partition."""
    with undisturbed(), one_thread():
        return Sketch.of(scorer.errors(check(partition)))


def _scores(scorer, check, partition):
    """Scores of a partition, which may be empty."""
    if not len(partition):
        return np.empty(0)
    with undisturbed(), one_thread():
        return -scorer.errors(check(partition))


def _labels(scorer, check, offset, partition):
    """Labels of a partition: -1 for outliers, 1 for inliers."""
    scores = _scores(scorer, check, partition)
    return np.where(is_outlier(decisions(scores, offset)), -1, 1)


def _mapped(judge, X, dtype):
    """Apply a function that gives a number for each row to the partitions of X."""
    if isinstance(X, array.Array):
        X, across = _whole_rows(X), list(range(1, X.ndim))
        meta = np.empty(0, dtype)
        return X.map_blocks(judge, dtype=dtype, drop_axis=across, meta=meta)
    if isinstance(X, dataframe.DataFrame):
        return X.map_partitions(partial(_as_series, judge), meta=(None, dtype))
    raise _no_collection(X)


def _whole_rows(X):
    """Return a Dask array with chunks of whole rows, or images."""
    return X.rechunk({axis: -1 for axis in range(1, X.ndim)})


def _as_series(judge, frame):
    """Return what `judge` says of a frame's rows, with their index."""
    return type(frame.iloc[:, 0])(judge(frame), index=frame.index)


def _delayed_partitions(X):
    """Return the delayed partitions of a collection."""
    if isinstance(X, array.Array):
        return _whole_rows(X).to_delayed().ravel().tolist()
    return X.to_delayed()


def _example(X):
    """Return two rows with the columns of X, to learn their number and names from."""
    if isinstance(X, array.Array):
        # Their type is looked at too; "1" is a number.
        return np.ones((2, *X.shape[1:]), X.dtype)
    if isinstance(X, dataframe.DataFrame):
        return X._meta_nonempty
    raise _no_collection(X)


def _no_collection(X):
    return TypeError(
        f"X must be a dask array or a dask dataframe, got {type(X).__name__}. For rows "
        "in memory use the methods of NCAEDetector, for files Chunks."
    )


def _checker(detector):
    """Return what validates a partition, without what else the detector holds."""
    columns = clone(detector)
    names = ("n_features_in_", "feature_names_in_", "row_shape_", "image_shape_")
    for name in (*names, "_layout", "_allow_nan"):
        if hasattr(detector, name):
            setattr(columns, name, getattr(detector, name))
    return partial(check_rows, columns, reset=False)


def _refuse_going_together(detector):
    """Refuse what needs all members at once, or those of another fit."""
    if detector.tol is not None:
        raise ValueError(
            f"tol={detector.tol!r} looks at all networks while they are trained, and "
            "here they are trained apart. Set tol=None."
        )
    is_fitted = hasattr(detector, "_scorer")
    if is_fitted and check_flag("warm_start", detector.warm_start):
        raise ValueError(
            "warm_start=True goes on with fitted networks, which a fit on Dask does "
            "not. Set warm_start=False to start anew, or call fit on rows in memory."
        )
