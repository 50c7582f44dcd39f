"""Rows that are read a chunk at a time: what is read, learnt, held and refused."""

import subprocess
import sys
import warnings

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
import scipy.sparse
import torch
import zarr

from skncae import Chunks, _fitting
from skncae.data._quantiles import WIDTH, Sketch
from skncae.data._sample import Sample, row_keys, subsample
from tests.scores import assert_same_scores

NAMES = list("abcde")


@pytest.fixture
def room_for_50(monkeypatch):
    monkeypatch.setattr(_fitting, "MAX_TRAINING_ROWS", 50)


def memmap(X, folder):
    np.save(folder / "rows.npy", X)
    return np.load(folder / "rows.npy", mmap_mode="r")


def hdf5(X, folder):
    with h5py.File(folder / "rows.h5", "w") as file:
        file["rows"] = X
    return h5py.File(folder / "rows.h5")["rows"]


def zarr_array(X, folder):
    return zarr.array(X, chunks=(64, 5))


def parquet(X, folder):
    for part, rows in enumerate(np.array_split(X, 3)):
        table = pa.table(dict(zip(NAMES, rows.T, strict=True)))
        pa.parquet.write_table(table, folder / f"part{part}.parquet")
    return pa.dataset.dataset(folder, format="parquet")


def arrays(X, folder):
    return np.array_split(X, 4)


def function(X, folder):
    return lambda: iter(np.array_split(X, 4))


SOURCES = [memmap, hdf5, zarr_array, parquet, arrays, function]


# --- what is read --------------------------------------------------------------


@pytest.mark.parametrize("make", SOURCES)
def test_chunks_hold_every_row_once_and_in_order_each_time(X, tmp_path, make):
    chunks = Chunks(make(X, tmp_path), chunk_rows=60)
    for _ in range(2):
        pieces = [np.asarray(chunk) for chunk in chunks]
        assert len(pieces) > 2 and max(map(len, pieces)) < 80
        np.testing.assert_array_equal(np.concatenate(pieces), X)


@pytest.mark.parametrize("make", SOURCES)
def test_fit_on_chunks_that_fit_in_the_sample_is_fit_on_the_array(
    X, tmp_path, fast, make
):
    chunks = Chunks(make(X, tmp_path), chunk_rows=60)
    whole, detector = fast().fit(X), fast().fit(chunks)
    assert_same_scores(detector.training_scores_, whole.training_scores_)
    assert detector.threshold_ == pytest.approx(whole.threshold_, rel=1e-9)
    assert detector.n_samples_seen_ == len(X)


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize("method", ["score_samples", "decision_function", "predict"])
def test_scores_of_chunks_are_those_of_the_array(X, tmp_path, fast, make, method):
    detector = fast().fit(Chunks(make(X, tmp_path)))
    rows = X
    if make is parquet:
        rows = pd.DataFrame(X, columns=NAMES)
    judge = getattr(detector, method)
    chunks = Chunks(make(X, tmp_path), chunk_rows=60)
    np.testing.assert_allclose(judge(chunks), judge(rows), rtol=1e-9, atol=1e-12)


def test_chunks_cut_to_about_16_mib_by_themselves():
    rows = np.broadcast_to(np.float32(0), (10_000, 1000))
    sizes = [len(chunk) for chunk in Chunks(rows)]
    assert sizes == [4194, 4194, 1612]


def test_rows_wider_than_a_chunk_come_one_by_one():
    rows = np.broadcast_to(np.float64(0), (3, 2**22))
    assert [chunk.shape for chunk in Chunks(rows)] == [(1, 2**22)] * 3


def test_chunks_of_frames_keep_their_names(X, fast):
    frame = pd.DataFrame(X, columns=NAMES)
    detector = fast().fit(Chunks([frame[:90], frame[90:]]))
    assert detector.feature_names_in_.tolist() == NAMES


def test_parquet_files_keep_their_names(X, tmp_path, fast):
    detector = fast().fit(Chunks(parquet(X, tmp_path)))
    assert detector.feature_names_in_.tolist() == NAMES


def test_empty_chunks_are_passed_over(X, fast):
    detector = fast().fit(Chunks([X[:0], X[:90], X[:0], X[90:]]))
    assert detector.n_samples_seen_ == len(X)


def test_scores_of_no_chunks_are_empty(X, fast):
    assert fast().fit(X).score_samples(Chunks([])).shape == (0,)


def test_missing_values_in_chunks_are_left_out_where_allowed(X, fast):
    rows = X.copy()
    rows[3, 1] = np.nan
    whole = fast(allow_nan=True).fit(rows)
    detector = fast(allow_nan=True).fit(Chunks(rows, chunk_rows=50))
    assert detector.threshold_ == pytest.approx(whole.threshold_, rel=1e-9)


def test_warm_start_goes_on_with_chunks(X, fast):
    detector = fast(warm_start=True).fit(X)
    whole = fast(warm_start=True).fit(X).fit(X)
    detector.fit(Chunks(X, chunk_rows=50))
    np.testing.assert_array_equal(detector.score_samples(X), whole.score_samples(X))


# --- the sample ----------------------------------------------------------------


def test_keys_of_a_row_depend_on_its_place_alone():
    keys = row_keys(3, 0, 1000)
    pieces = [row_keys(3, start, 77) for start in range(0, 1000, 77)]
    np.testing.assert_array_equal(np.concatenate(pieces)[:1000], keys)
    assert not np.array_equal(row_keys(4, 0, 1000), keys)


@pytest.mark.parametrize("piece", [1, 13, 400, 100_000])
def test_sample_of_any_pieces_is_that_of_the_array(piece):
    rows = np.arange(70_000 if piece > 1 else 700)[:, None]
    sample = Sample.empty(40, 5, rows)
    for start in range(0, len(rows), piece):
        sample = sample.extended(rows[start : start + piece])
    np.testing.assert_array_equal(sample.rows, subsample(rows, 40, 5))


def test_fit_learns_from_the_same_rows_however_they_arrive(X, fast, room_for_50):
    whole, chunked, pieces = fast().fit(X), fast().fit(Chunks(X, 30)), fast()
    for start in range(0, len(X), 70):
        pieces.partial_fit(X[start : start + 70])
    for detector in (chunked, pieces):
        np.testing.assert_array_equal(detector.score_samples(X), whole.score_samples(X))


# --- the threshold -------------------------------------------------------------


def test_quantiles_are_never_below_and_at_most_a_width_above():
    rng = np.random.default_rng(0)
    errors = np.concatenate([rng.lognormal(sigma=4, size=50_000), -rng.random(999)])
    got = Sketch.of(errors).quantiles()
    ranks = np.arange(len(got)) / len(got) * len(errors)
    exact = np.sort(errors)[ranks.astype(int)]
    excess = got - exact
    assert (excess >= -1e-12 * np.abs(exact)).all()
    assert (excess <= 1.01 * WIDTH * np.abs(exact) + 1e-12).all()


def test_quantiles_of_zeros_and_huge_errors_are_finite():
    got = Sketch.of(np.array([0.0, 0.0, 1e300])).quantiles()
    assert got[0] == 0.0 and np.isfinite(got[-1]) and got[-1] > 1e280


@pytest.mark.parametrize("size", [1, 999, 10_000])
def test_total_of_sketches_in_any_order_is_the_sketch_of_all(size):
    errors = np.random.default_rng(0).exponential(size=10_000)
    starts = range(0, len(errors), size) if size > 1 else range(0, 300)
    parts = [Sketch.of(errors[start : start + size]) for start in starts]
    whole = Sketch.of(errors if size > 1 else errors[:300])
    for order in (parts, parts[::-1]):
        total = Sketch.total(order)
        np.testing.assert_array_equal(total.bins, whole.bins)
        np.testing.assert_array_equal(total.counts, whole.counts)


@pytest.mark.parametrize("contamination", [0.05, 0.1, 0.5, "auto"])
def test_threshold_of_chunks_is_that_of_all_rows(X, fast, room_for_50, contamination):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        whole = fast(contamination=contamination).fit(X)
        detector = fast(contamination=contamination).fit(Chunks(X, chunk_rows=30))
    assert detector.contamination_ == pytest.approx(whole.contamination_, abs=1e-4)
    flagged = detector.predict(X) == -1
    # To a row: the quantile of a sketch lies anywhere between two errors.
    assert flagged.mean() == pytest.approx(detector.contamination_, abs=1.01 / len(X))


def test_threshold_of_chunks_is_the_quantile_of_all_errors(fast):
    rows = np.random.default_rng(0).normal(size=(30_000, 3))
    detector = fast(contamination=0.03).fit(Chunks(rows))
    errors = np.sort(-detector.score_samples(rows))
    # Between two errors any value is the quantile.
    below, above = errors[[-902, -899]]
    assert below * (1 - 2 * WIDTH) <= detector.threshold_ <= above * (1 + 2 * WIDTH)
    assert (detector.predict(rows) == -1).mean() == pytest.approx(0.03, abs=2e-4)


def test_rows_with_one_error_are_flagged_all_or_none(fast, room_for_50):
    rows = np.repeat(np.random.default_rng(0).normal(size=(10, 3)), 20, axis=0)
    labels = fast(contamination=0.25).fit(Chunks(rows, 30)).predict(rows)
    assert (labels.reshape(10, 20) == labels[::20, None]).all()


def test_threshold_moves_after_a_fit_on_chunks(X, fast, room_for_50):
    detector = fast().fit(Chunks(X, chunk_rows=30)).set_threshold(quantile=0.8)
    assert (detector.predict(X) == -1).mean() == pytest.approx(0.2, abs=0.01)
    assert detector.contamination_ == pytest.approx(0.2, abs=0.01)


def test_training_scores_of_more_chunks_than_the_sample_are_quantiles(
    X, fast, room_for_50
):
    detector = fast().fit(Chunks(X, chunk_rows=30))
    scores = detector.training_scores_
    assert scores.shape == (100_001,) and (np.diff(scores) <= 0).all()
    lowest = detector.score_samples(X).min()
    assert scores[-1] == pytest.approx(lowest, rel=2 * WIDTH)


# --- what is refused -----------------------------------------------------------


@pytest.mark.parametrize("source", [None, 3, "rows.parquet", b"rows"])
def test_source_that_has_no_rows_is_refused(source):
    with pytest.raises(TypeError, match="Open files first"):
        Chunks(source)


RAGGED = [torch.zeros(3), torch.zeros(2)]
SPARSE = {
    "csr_matrix": lambda: scipy.sparse.csr_matrix(np.eye(5)),
    "bsr_array": lambda: scipy.sparse.bsr_array(np.eye(5)),
    "dia_array": lambda: scipy.sparse.dia_array(np.eye(5)),
    "dok_matrix": lambda: scipy.sparse.dok_matrix(np.eye(5)),
    "coo": lambda: torch.eye(5).to_sparse(),
    "csr": lambda: torch.eye(5).to_sparse_csr(),
    "meta": lambda: torch.eye(5, device="meta"),
    "strided": lambda: torch.nested.nested_tensor(RAGGED),
    "jagged": lambda: torch.nested.nested_tensor(RAGGED, layout=torch.jagged),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support|The PyTorch API of nes")
@pytest.mark.parametrize("make", SPARSE.values(), ids=SPARSE)
@pytest.mark.parametrize("hold", ["alone", "a list", "a function", "a generator"])
def test_sparse_and_nested_rows_are_refused_with_a_remedy(fast, make, hold):
    rows = make()
    source = {
        "alone": rows,
        "a list": [rows],
        "a function": lambda: rows,
        "a generator": lambda: iter([rows]),
    }[hold]
    with pytest.raises(TypeError, match=r"(?i)^(source|chunk).* give .*(dense|padded)"):
        fast().fit(Chunks(source))


@pytest.mark.parametrize(
    "source", [lambda: None, lambda: 3, [np.array(3.0)], [torch.tensor(3.0)], [3.0]]
)
def test_what_holds_no_chunks_is_refused_by_its_type(fast, source):
    with pytest.raises(TypeError, match="returned a (NoneType|int)|and no rows"):
        fast().fit(Chunks(source))


@pytest.mark.parametrize("chunk_rows", [0, -1])
def test_chunks_without_rows_are_refused(X, chunk_rows):
    with pytest.raises(ValueError, match="must be >= 1"):
        Chunks(X, chunk_rows)


def test_fit_refuses_an_iterator_before_it_is_read(X, fast):
    chunks = iter([X])
    with pytest.raises(ValueError, match="partial_fit"):
        fast().fit(Chunks(chunks))
    assert len(list(chunks)) == 1


def test_scores_of_an_iterator_are_those_of_its_rows(X, fast):
    detector = fast().fit(X)
    scores = detector.score_samples(Chunks(iter([X[:50], X[50:]])))
    assert_same_scores(scores, detector.score_samples(X))


def test_fit_refuses_chunks_without_any_row(fast):
    with pytest.raises(ValueError, match="no rows"):
        fast().fit(Chunks([np.empty((0, 3))]))


def test_fit_refuses_chunks_that_change_between_passes(X, fast, room_for_50):
    once = iter([X])
    with pytest.raises(ValueError, match="200 rows, and 0 when"):
        fast().fit(Chunks(lambda: once))


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (np.full((3, 5), np.nan), "allow_nan"),
        (np.zeros((3, 4)), "5 features"),
        (np.zeros(3), "2D"),
    ],
)
def test_error_of_a_chunk_says_where_it_begins(X, fast, spoilt, message):
    detector = fast()
    with pytest.raises(ValueError, match=message) as caught:
        detector.fit(Chunks([X[:50], X[50:120], spoilt]))
    assert caught.value.__notes__ == ["This chunk begins at row 120."]
    assert not hasattr(detector, "n_features_in_")


@pytest.mark.parametrize("method", ["explain", "reconstruct", "encode", "partial_fit"])
def test_methods_that_take_no_chunks_say_so(X, fast, method):
    detector = fast().fit(X) if method != "partial_fit" else fast()
    with pytest.raises(TypeError, match="for chunk in chunks"):
        getattr(detector, method)(Chunks(X))


# --- memory --------------------------------------------------------------------

UNDER_A_LIMIT = """
import resource
import numpy as np
from skncae import Chunks, NCAEDetector, _fitting

_fitting.MAX_TRAINING_ROWS = 1000
N_CHUNKS, SHAPE = 20, (4_000, 500)  # 320 MB of float64.

def chunks():
    block = np.random.default_rng(0).normal(size=SHAPE)
    for i in range(N_CHUNKS):
        yield block + i / N_CHUNKS

detector = NCAEDetector(
    n_estimators=1, max_iter=5, evidence="reconstruction", scaling="standardized",
    random_state=0,
)
detector.fit(next(chunks())[:500])  # Loads what is loaded late.
used = 1024 * int(next(
    line.split()[1] for line in open("/proc/self/status") if line.startswith("VmData")
))
limit = used + 100 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones((N_CHUNKS * SHAPE[0], SHAPE[1]))
except MemoryError:
    print("too large")
detector.fit(Chunks(chunks))
labels = detector.predict(Chunks(chunks))
print(len(labels), (labels == -1).mean())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not hold the limit")
def test_fit_and_labels_of_rows_need_a_third_of_their_memory():
    run = subprocess.run(
        [sys.executable, "-c", UNDER_A_LIMIT], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    refused, done = run.stdout.splitlines()
    assert refused == "too large"
    n_seen, share = done.split()
    assert int(n_seen) == 80_000
    assert float(share) == pytest.approx(0.1, abs=1e-3)


def test_chunks_of_arrays_with_categories_give_what_fit_gives(X, fast):
    coded = np.c_[np.digitize(X[:, 0], [-1, 1]), X[:, 1:]]
    whole = fast(categorical_features=[0]).fit(coded)
    detector = fast(categorical_features=[0]).fit(Chunks(coded, 70))
    np.testing.assert_array_equal(
        detector.score_samples(Chunks(coded, 70)), whole.score_samples(coded)
    )
    # Arrays have no names, and none are made up.
    assert not hasattr(detector, "feature_names_in_")
