"""Dask collections: fitted and scored on worker processes as in memory."""

import os
import signal
import threading

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from dask.distributed import Client, LocalCluster
from sklearn.base import clone

from skncae import NCAEDetector, _fitting
from skncae import dask as skncae_dask
from skncae.data._column_sample import ColumnSample
from skncae.data._pieces import taken
from skncae.data._sample import Sample, subsample
from skncae.data._values import Raw
from skncae.networks._generators import MemberStreams
from tests.scores import assert_same_scores

NAMES = list("abcde")


@pytest.fixture(scope="module")
def client():
    """Return the client of two worker processes of one thread."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as two,
        Client(two) as client,
    ):
        yield client


@pytest.fixture(scope="module", autouse=True)
def room_for_1000():
    """Let 1,000 rows be learnt from, fewer than there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fitting, "MAX_TRAINING_ROWS", 1000)
        yield


@pytest.fixture(scope="module")
def rows():
    """Return 3,000 rows, the first 200 are outliers."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 2)) @ rng.normal(size=(2, 5))
    rows += 0.2 * rng.normal(size=rows.shape)
    rows[:200] = rng.uniform(-6, 6, size=(200, 5))
    return rows


def small(**parameters):
    few = {"n_estimators": 16, "max_iter": 20, "random_state": 0}
    return NCAEDetector(**few | parameters)


@pytest.fixture(scope="module")
def whole(rows):
    """Return the detector that fit gives on the rows in memory."""
    return small().fit(rows)


@pytest.fixture(scope="module")
def whole_frame(rows):
    """Return the detector that fit gives on the same rows as a frame."""
    return small().fit(pd.DataFrame(rows, columns=NAMES))


def as_array(rows):
    return da.from_array(rows, chunks=(400, 5))


def as_array_cut_in_columns(rows):
    return da.from_array(rows, chunks=(700, 2))


def as_array_of_unknown_length(rows):
    return as_array(rows)[da.from_array(np.ones(len(rows), bool), chunks=400)]


def as_frame(rows):
    return dd.from_pandas(pd.DataFrame(rows, columns=NAMES), npartitions=5)


COLLECTIONS = [
    as_array,
    as_array_cut_in_columns,
    as_array_of_unknown_length,
    as_frame,
]


def assert_same(detector, whole, rows):
    """Assert that two detectors are one, but for the sketch of the errors."""
    np.testing.assert_allclose(
        detector.score_samples(rows), whole.score_samples(rows), rtol=1e-6, atol=1e-9
    )
    # In memory it lies between two errors, here at the end of the bin of the lower.
    assert detector.threshold_ == pytest.approx(whole.threshold_, rel=2e-3)
    assert detector.contamination_ == pytest.approx(whole.contamination_, abs=1e-3)
    assert detector.n_samples_seen_ == len(rows)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_fit_on_workers_is_fit_in_memory(client, rows, whole, whole_frame, collection):
    X = collection(rows)
    detector = skncae_dask.fit(small(), X)
    if collection is as_frame:
        assert detector.feature_names_in_.tolist() == NAMES
        rows, whole = pd.DataFrame(rows, columns=NAMES), whole_frame
    assert_same(detector, whole, rows)
    for name, values in whole.history_.items():
        np.testing.assert_allclose(detector.history_[name], values, rtol=1e-4)


def test_fitted_detector_is_an_ordinary_one(client, rows, tmp_path):
    detector = skncae_dask.fit(small(), as_array(rows))
    assert type(detector) is NCAEDetector
    detector.save(tmp_path / "detector")
    loaded = NCAEDetector.load(tmp_path / "detector")
    np.testing.assert_array_equal(
        loaded.score_samples(rows[:50]), detector.score_samples(rows[:50])
    )
    detector.set_params(warm_start=True).fit(rows[:500])


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_scores_and_labels_of_partitions_are_those_of_the_rows(
    client, rows, whole, whole_frame, collection
):
    detector = whole
    if collection is as_frame:
        rows, detector = pd.DataFrame(rows, columns=NAMES), whole_frame
    X = collection(rows if collection is not as_frame else rows.to_numpy())
    scores, labels = (
        skncae_dask.score_samples(detector, X),
        skncae_dask.predict(detector, X),
    )
    assert scores.dtype == np.float64 and labels.dtype == np.int64
    assert_same_scores(scores.compute(), detector.score_samples(rows))
    np.testing.assert_array_equal(labels.compute(), detector.predict(rows))


def test_scores_of_a_frame_keep_its_index(client, rows):
    frame = pd.DataFrame(rows, columns=NAMES, index=np.arange(len(rows)) * 10)
    detector = small().fit(frame)
    X = dd.from_pandas(frame, npartitions=3)
    X = X[X["a"] > 1000.0 * (X.index < 0)]
    scores = skncae_dask.score_samples(detector, X).compute()
    expected = pd.Series(detector.score_samples(frame), index=frame.index)
    pd.testing.assert_series_equal(scores, expected[frame["a"] > 0], check_names=False)


def test_empty_partitions_are_passed_over(client, rows, whole):
    X = as_frame(rows).map_partitions(lambda part: part[part.index >= 900])
    detector = skncae_dask.fit(small(), X)
    frame = pd.DataFrame(rows[900:], columns=NAMES)
    assert_same(detector, small().fit(frame), frame)
    assert len(skncae_dask.predict(detector, X).compute()) == len(frame)


@pytest.mark.parametrize("collection", [as_array, as_frame])
@pytest.mark.parametrize("judge", [skncae_dask.predict, skncae_dask.score_samples])
def test_no_rows_have_the_type_that_is_declared(client, rows, collection, judge):
    X = collection(rows)
    first = X[:, 0] if collection is as_array else X["a"]
    judged = judge(small(n_estimators=1).fit(rows[:200]), X[first > 1e9])
    assert judged.compute().dtype == judged.dtype


def test_rows_with_missing_values_are_fitted_as_in_memory(client, rows):
    rows = rows.copy()
    rows[::7, 2] = np.nan
    detector = skncae_dask.fit(small(allow_nan=True), as_array(rows))
    assert_same(detector, small(allow_nan=True).fit(rows), rows)


@pytest.mark.parametrize("size", [1, 100, 500])
def test_sample_of_parts_is_that_of_the_whole(size):
    rows = np.arange(500)[:, None]
    for seed in range(20):
        parts = [
            Sample.of_part(size, seed, rows[start : start + 90], start, 500)
            for start in range(0, 500, 90)
        ]
        total = Sample.total(parts)
        np.testing.assert_array_equal(total.rows, subsample(rows, size, seed))
        assert total.n_seen == 500


def test_parts_of_a_long_table_send_few_rows():
    parts = [
        Sample.of_part(100, 0, np.arange(10_000), start, 1_000_000)
        for start in range(0, 1_000_000, 10_000)
    ]
    assert 100 <= sum(len(part.rows) for part in parts) < 300


@pytest.mark.parametrize(
    ("n_members", "n_workers", "sizes"),
    [
        (16, 2, [8, 8]),
        (16, 100, [8, 8]),
        (16, 1, [16]),
        (20, 2, [16, 4]),
        (1, 4, [1]),
        (64, 3, [24, 24, 16]),
    ],
)
def test_members_are_shared_out_in_groups_of_a_multiple_of_8(
    n_members, n_workers, sizes
):
    streams = MemberStreams(0, range(n_members))
    groups = skncae_dask._groups(streams, n_workers)
    assert [len(group) for group in groups] == sizes
    assert [m for group in groups for m in group.members] == list(range(n_members))


# --- workers that are lost -----------------------------------------------------


def killing_once(block, flag):
    """Return the block; the first to get here takes its worker along."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return block
    os.kill(os.getpid(), signal.SIGKILL)


def test_worker_killed_while_it_reads_changes_nothing(client, rows, whole, tmp_path):
    flag = str(tmp_path / "killed")
    X = as_array(rows).map_blocks(killing_once, flag, meta=rows[:0])
    detector = skncae_dask.fit(small(), X)
    assert os.path.exists(flag)
    assert_same(detector, whole, rows)


def test_worker_killed_while_it_trains_changes_nothing(client, rows):
    # The one that an earlier test has killed may not be back yet.
    client.wait_for_workers(2, timeout=60)
    pids, killed = client.run(os.getpid), []

    def kill_a_trainer():
        while not killed:
            for worker, keys in client.processing().items():
                if any("_trained" in str(key) for key in keys):
                    os.kill(pids[worker], signal.SIGKILL)
                    killed.append(worker)
                    return

    long = {"max_iter": 100}
    killer = threading.Thread(target=kill_a_trainer)
    killer.start()
    detector = skncae_dask.fit(small(**long), as_array(rows), client=client)
    killer.join()
    assert killed
    assert_same(detector, small(**long).fit(rows), rows)


# --- what is refused -----------------------------------------------------------


@pytest.mark.parametrize("call", ["fit", "score_samples", "predict"])
def test_rows_in_memory_are_refused(client, rows, whole, call):
    detector = small() if call == "fit" else whole
    with pytest.raises(TypeError, match="dask array or a dask dataframe, got ndarray"):
        getattr(skncae_dask, call)(detector, rows)


def test_tol_is_refused(client, rows):
    with pytest.raises(ValueError, match="Set tol=None"):
        skncae_dask.fit(small(tol=0.01), as_array(rows))


def test_going_on_is_refused(client, rows):
    detector = small(warm_start=True).fit(rows[:100])
    with pytest.raises(ValueError, match="Set warm_start=False"):
        skncae_dask.fit(detector, as_array(rows))


def test_collection_without_rows_is_refused(client, rows):
    with pytest.raises(ValueError, match="no rows"):
        skncae_dask.fit(small(), as_array(rows)[:0])


@pytest.mark.parametrize(
    ("parameters", "spoil", "message"),
    [
        ({"n_estimators": 0}, None, "n_estimators"),
        ({}, np.nan, "allow_nan"),
        ({"learning_rate": 1e30}, None, "diverged"),
    ],
)
def test_fit_that_fails_leaves_the_detector_unfitted(
    client, rows, parameters, spoil, message
):
    if spoil is not None:
        rows = rows.copy()
        rows[2500, 3] = spoil
    detector = small(**parameters)
    with pytest.raises((ValueError, RuntimeError), match=message):
        skncae_dask.fit(detector, as_array(rows))
    assert not hasattr(detector, "n_features_in_")
    assert not hasattr(detector, "_scorer")


@pytest.mark.parametrize("n_estimators", [2, 10])
def test_images_get_the_networks_that_fit_gives_in_memory(client, n_estimators):
    images = np.random.default_rng(0).random((300, 8, 8))
    images[:, 2:6, 2:6] += 1.0
    detector = NCAEDetector(n_estimators=n_estimators, max_iter=3, random_state=0)
    whole = clone(detector).fit(images)
    # Chunks that cut images in two.
    X = da.from_array(images, chunks=(90, 5, 8))
    skncae_dask.fit(detector, X)
    assert detector.reconstruct(images).shape == images.shape
    scores = skncae_dask.score_samples(detector, X).compute()
    assert_same_scores(scores, detector.score_samples(images))
    np.testing.assert_allclose(scores, whole.score_samples(images), rtol=1e-3)
    labels = skncae_dask.predict(detector, X)
    assert labels.shape == (300,)
    np.testing.assert_array_equal(labels.compute(), detector.predict(images))


def test_rows_of_an_array_can_be_images(client):
    rows = np.random.default_rng(0).random((200, 64))
    detector = NCAEDetector(max_iter=2, image_shape=(8, 8), random_state=0)
    skncae_dask.fit(detector, da.from_array(rows, chunks=(50, 30)))
    assert detector.score_samples(rows).shape == (200,)


def test_typed_frames_are_fitted_as_in_memory(client):
    from tests.test_typed_frames import orders

    frame = orders()
    collection = dd.from_pandas(frame, npartitions=4)
    parameters = {"n_estimators": 2, "max_iter": 10, "random_state": 0}
    detector = skncae_dask.fit(NCAEDetector(**parameters), collection)
    in_memory = NCAEDetector(**parameters).fit(frame)
    scores = skncae_dask.score_samples(detector, collection).compute()
    assert_same_scores(scores, in_memory.score_samples(frame))
    # Dask has types of its own for text.
    columns, same = (d.columns_.drop(columns="dtype") for d in (detector, in_memory))
    assert columns.equals(same)


def unequal(frame, lengths):
    """Return a collection of a frame in partitions of these lengths, 0 too."""
    stops = np.cumsum(lengths)
    parts = [frame.iloc[a:b] for a, b in zip([0, *stops], stops, strict=False)]
    return dd.from_delayed([delayed(part) for part in parts], meta=frame.iloc[:0])


@pytest.mark.parametrize("lengths", [[591, *9 * [1]], [1, 0, 598, 1], 60 * [10]])
def test_layout_of_typed_frames_is_learnt_from_all_rows(client, monkeypatch, lengths):
    # Were it from as many rows of each partition, long ones would be cut short.
    monkeypatch.setattr(skncae_dask, "MAX_TRAINING_ROWS", 600)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=600), "b": rng.choice(["x", "y"], 600)})
    frame.loc[rng.choice(590, 60, replace=False), "b"] = [
        f"rare {i // 6}" for i in range(60)
    ]
    detector = NCAEDetector(n_estimators=2, max_iter=5, random_state=0)
    in_memory = clone(detector).fit(frame)
    skncae_dask.fit(detector, unequal(frame, lengths))
    columns, same = (d.columns_.drop(columns="dtype") for d in (detector, in_memory))
    assert columns.equals(same)
    assert_same_scores(detector.score_samples(frame), in_memory.score_samples(frame))


@pytest.mark.parametrize("size", [1, 40, 300])
def test_sample_of_columns_of_parts_is_that_of_the_whole(size):
    columns = [
        Raw("place", "number", np.arange(300.0)),
        Raw("text", "text", np.array([str(i) for i in range(300)], dtype=object)),
    ]
    starts = np.cumsum([0, 1, 250, 3, 1]).tolist()
    stops = [*starts[1:], 300]
    for seed in range(10):
        whole = ColumnSample.empty(size, seed).extended(columns)
        total = ColumnSample.total(
            [
                ColumnSample.of_part(
                    size, seed, taken(columns, slice(start, stop)), start, 300
                )
                for start, stop in zip(starts, stops, strict=True)
            ]
        )
        assert total.n_seen == 300
        for raw, expected in zip(total.columns, whole.columns, strict=True):
            np.testing.assert_array_equal(raw.values, expected.values)


def test_arrays_with_categories_are_fitted_as_in_memory(client):
    rows = np.random.default_rng(0).normal(size=(300, 3))
    rows[:, 0] = np.digitize(rows[:, 0], [-1, 1])
    collection = da.from_array(rows, chunks=(80, 2))
    detector = NCAEDetector(max_iter=10, categorical_features=[0], random_state=0)
    in_memory = clone(detector).fit(rows)
    skncae_dask.fit(detector, collection)
    scores = skncae_dask.score_samples(detector, collection).compute()
    assert_same_scores(scores, in_memory.score_samples(rows))
    assert not hasattr(detector, "feature_names_in_")


def test_dates_in_an_array_are_refused_by_the_client():
    dates = da.from_array(
        np.arange(0, 60, dtype="M8[D]").reshape(20, 3), chunks=(10, 3)
    )
    with pytest.raises(TypeError, match="no number. Give a frame"):
        skncae_dask.fit(small(), dates, client="none is asked")
