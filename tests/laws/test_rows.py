"""Rows of any container are those rows, or are refused by name; none is lost."""

import warnings
from collections import deque
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from skncae import Chunks, NCAEDetector
from skncae.data._reading import columns_of

X = np.random.default_rng(0).normal(size=(60, 3))
NAMES = ["a", "b", "c"]


class Interface:
    """Nothing but an array interface, as many libraries have."""

    def __init__(self, array):
        self._array = array
        self.__array_interface__ = array.__array_interface__


class Convertible:
    """Nothing but `__array__`."""

    def __array__(self, dtype=None, copy=None):
        return np.asarray(X, dtype)


def detector(**parameters):
    small = {"n_estimators": 1, "max_iter": 1, "random_state": 0}
    return NCAEDetector(**small | parameters)


@pytest.fixture(scope="module")
def fitted():
    return detector().fit(X)


@pytest.fixture(scope="module")
def fitted_with_nan():
    return detector(allow_nan=True).fit(np.where(X > 2, np.nan, X))


# The first column holds three values, so that it can be one of categories.
CODED = np.c_[np.digitize(X[:, 0], [-1, 1]), X[:, 1:]]


@pytest.fixture(scope="module")
def fitted_with_categories():
    return detector(categorical_features=[0]).fit(CODED)


COLUMNS = dict(zip(NAMES, X.T, strict=True))

SAME = {
    "unmasked": np.ma.array(X),
    "masked_nowhere": np.ma.array(X, mask=np.zeros(X.shape, bool)),
    "array_interface": Interface(X),
    "__array__": Convertible(),
    "memoryview": memoryview(X),
    "big_endian": X.astype(">f8"),
    "tensor": torch.from_numpy(X),
    "tensor_with_gradient": torch.from_numpy(X).requires_grad_(),
    "tensor_of_a_graph": torch.from_numpy(X).requires_grad_() * 1.0,
    "negated_view": torch._neg_view(torch.from_numpy(-X)),
    "list_of_tensors": list(torch.from_numpy(X).requires_grad_()),
    "list_of_masked_rows": [np.ma.array(row) for row in X],
    "arrow_table": pa.table(COLUMNS),
    "arrow_batch": pa.record_batch(COLUMNS),
    "polars": pl.DataFrame(COLUMNS),
    "pandas": pd.DataFrame(COLUMNS),
    "pandas_on_arrow": pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.filterwarnings("ignore:X .* feature names")
@pytest.mark.parametrize("rows", SAME.values(), ids=SAME)
def test_rows_in_another_container_have_the_same_scores(fitted, rows):
    np.testing.assert_array_equal(fitted.score_samples(rows), fitted.score_samples(X))


CODED_TENSOR = torch.from_numpy(CODED)
SAME_WITH_CATEGORIES = {
    "unmasked": np.ma.array(CODED),
    "array_interface": Interface(CODED),
    "memoryview": memoryview(CODED),
    "big_endian": CODED.astype(">f8"),
    "objects": CODED.astype(object),
    "tensor_with_gradient": CODED_TENSOR.clone().requires_grad_(),
    "tensor_of_a_graph": CODED_TENSOR.clone().requires_grad_() * 1.0,
    "list": CODED.tolist(),
    "list_of_tensors": list(CODED_TENSOR.clone().requires_grad_()),
    "list_of_masked_rows": [np.ma.array(row) for row in CODED],
}
CODED_FRAME = pd.DataFrame(CODED, columns=NAMES)


@pytest.mark.parametrize(
    "rows", SAME_WITH_CATEGORIES.values(), ids=SAME_WITH_CATEGORIES
)
def test_categories_in_another_container_have_the_same_scores(
    fitted_with_categories, rows
):
    expected = fitted_with_categories.training_scores_
    np.testing.assert_array_equal(fitted_with_categories.score_samples(rows), expected)
    again = detector(categorical_features=[0]).fit(rows)
    np.testing.assert_array_equal(again.training_scores_, expected)


@pytest.mark.parametrize(
    "frame",
    [CODED_FRAME, pl.DataFrame(CODED_FRAME), pa.Table.from_pandas(CODED_FRAME)],
    ids=["pandas", "polars", "pyarrow"],
)
@pytest.mark.filterwarnings("ignore:X .* feature names")
def test_names_that_the_array_of_fit_had_not_do_no_harm(fitted_with_categories, frame):
    np.testing.assert_array_equal(
        fitted_with_categories.score_samples(frame),
        fitted_with_categories.training_scores_,
    )


def test_arrays_with_categories_of_another_width_are_refused(fitted_with_categories):
    with pytest.raises(ValueError, match="X has 2 features, but .* expecting 3"):
        fitted_with_categories.score_samples(CODED[:, :2])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_narrow_tensor_is_what_it_holds(fitted, dtype):
    narrow = torch.from_numpy(X).to(dtype).requires_grad_()
    expected = fitted.score_samples(narrow.detach().float().numpy())
    np.testing.assert_array_equal(fitted.score_samples(narrow), expected)


MASK = np.random.default_rng(1).random(X.shape) < 0.2
MISSING = {
    "masked": np.ma.array(np.where(MASK, 1e9, X), mask=MASK),
    "masked_and_nan": np.ma.array(np.where(MASK, np.nan, X), mask=MASK),
    "masked_rows": [
        np.ma.array(row, mask=mask) for row, mask in zip(X, MASK, strict=True)
    ],
    "na": np.where(MASK, pd.NA, X.astype(object)),
    "lists_with_na": np.where(MASK, pd.NA, X.astype(object)).tolist(),
    "deque_of_masked_rows": deque(
        np.ma.array(row, mask=mask) for row, mask in zip(X, MASK, strict=True)
    ),
    "objects_in_a_frame": pd.DataFrame(X, columns=NAMES, dtype=object).mask(
        MASK, pd.NA
    ),
    "arrow_null": pa.table(
        {n: pa.array(c, mask=m) for n, c, m in zip(NAMES, X.T, MASK.T, strict=True)}
    ),
}


@pytest.mark.filterwarnings("ignore:X .* feature names")
@pytest.mark.parametrize("rows", MISSING.values(), ids=MISSING)
def test_a_mask_is_missing_data(fitted, fitted_with_nan, rows):
    expected = fitted_with_nan.score_samples(np.where(MASK, np.nan, X))
    np.testing.assert_array_equal(fitted_with_nan.score_samples(rows), expected)
    with pytest.raises(ValueError, match="contains NaN"):
        fitted.score_samples(rows)
    # By default entries of a frame may be missing.
    with pytest.raises(ValueError, match="contains NaN"):
        detector().set_params(allow_nan=False).fit(rows)


def test_a_mask_is_missing_data_beside_categories(fitted_with_categories):
    masked = np.ma.array(np.where(MASK, 1e9, CODED), mask=MASK)
    expected = np.where(MASK, np.nan, CODED)
    np.testing.assert_array_equal(
        fitted_with_categories.score_samples(masked),
        fitted_with_categories.score_samples(expected),
    )
    values = fitted_with_categories.explain(masked).values.astype(float)
    np.testing.assert_array_equal(values, expected)


def test_masked_integers_are_missing_data(fitted_with_nan):
    whole = np.round(X).astype(int)
    expected = fitted_with_nan.score_samples(np.where(MASK, np.nan, whole))
    found = fitted_with_nan.score_samples(np.ma.array(whole, mask=MASK))
    np.testing.assert_array_equal(found, expected)


def test_images_behind_an_array_interface_are_images():
    images = np.random.default_rng(0).random((20, 8, 8))
    model = detector().fit(Interface(images))
    assert model.image_shape_ == (8, 8, 1)
    np.testing.assert_array_equal(
        model.score_samples(torch.from_numpy(images).requires_grad_()),
        model.score_samples(images),
    )


def nested(*rows):
    with warnings.catch_warnings():
        # It is a prototype in torch.
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor(list(rows))


@pytest.mark.parametrize("huge", [10**400, -(10**400), Fraction(10**400, 3)], ids=type)
@pytest.mark.parametrize(
    "rows", [lambda h: [[1, 2], [h, 3]], lambda h: np.array([[1, 2], [h, 3]], object)]
)
def test_numbers_beyond_all_floats_are_refused_by_their_place(fitted, rows, huge):
    with_categories = detector(categorical_features=[1])
    for call in (detector().fit, detector().partial_fit, with_categories.fit):
        with pytest.raises(ValueError, match="infinity.* column 0|Column 'x0' cont"):
            call(rows(huge))
    with pytest.raises(ValueError, match="infinity in column 0, first in row 1"):
        detector().fit(Chunks([rows(huge)]))
    with pytest.raises(ValueError, match="labels.*A label is -1"):
        fitted.refine(X[:2], [0, huge])


REFUSED = {
    "sparse tensor": (torch.from_numpy(X).to_sparse(), "sparse"),
    "jagged tensor": (
        # Made in the test: it imports a compiler.
        lambda: torch.nested.nested_tensor([torch.ones(3)] * 2, layout=torch.jagged),
        "nested",
    ),
    "nested tensor": (nested(torch.ones(3), torch.ones(2)), "nested"),
    "tensor without numbers": (torch.empty(5, 3, device="meta"), "meta"),
    "dictionary": (COLUMNS, "dict"),
    "sparse matrix": (scipy.sparse.csr_array(X), "[Ss]parse"),
    "records": (np.rec.fromarrays(X.T), "structured"),
    "generator": ((row for row in X), "generator"),
    "map": (map(list, X), "map"),
    "set": ({1.0, 2.0}, "set"),
    "values": (COLUMNS.values(), "dict_values"),
    "loader": (DataLoader(torch.from_numpy(X)), "DataLoader"),
    "path": (Path("data.csv"), r"Path, .*Give pandas\.read_csv\(X\)"),
    "name of a file": ("data.csv", r"X is a str, .*Give pandas\.read_csv\(X\)"),
    "masked text": (np.ma.array([["a", "b"]], mask=[[0, 1]]), "masked"),
}


@pytest.mark.parametrize(("rows", "name"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_rows_is_refused_by_name(fitted, fitted_with_categories, rows, name):
    rows = rows() if callable(rows) else rows
    with_categories = detector(categorical_features=[0])
    for call in (
        fitted.score_samples,
        detector().fit,
        fitted_with_categories.score_samples,
        with_categories.fit,
    ):
        with pytest.raises(TypeError, match=name):
            call(rows)


@pytest.mark.parametrize("fill", [np.nan, 0.0])
def test_a_sparse_frame_is_refused_with_the_way_out(fill):
    frame = pd.DataFrame(COLUMNS)
    sparse = frame.astype(pd.SparseDtype(float, fill))
    model = detector().fit(frame)
    for call in (model.score_samples, detector().fit):
        with pytest.raises(TypeError, match=r"Give X\.sparse\.to_dense\(\)"):
            call(sparse)
    np.testing.assert_array_equal(
        model.score_samples(sparse.sparse.to_dense()), model.training_scores_
    )


DATES = np.arange(0, 60, dtype="M8[D]").reshape(20, 3)
NO_NUMBERS = {
    "dates": DATES,
    "seconds": DATES.astype("M8[s]"),
    "dates_with_gaps": np.where(DATES > DATES[1, 1], DATES, np.datetime64("NaT")),
    "durations": DATES - DATES[0, 0],
    "masked_dates": np.ma.array(DATES),
    "list_of_dates": list(map(list, DATES)),
    "objects": DATES.astype(object),
    "numpy_dates_as_objects": np.array([[*row] for row in DATES], dtype=object),
    "stamps": pd.DataFrame(DATES).to_numpy(dtype=object),
    "images_of_dates": np.arange(0, 640, dtype="M8[D]").reshape(10, 8, 8),
}


@pytest.mark.parametrize("rows", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_dates_in_an_array_are_refused_with_the_way_out(
    fitted, fitted_with_categories, rows
):
    for call in (
        fitted.score_samples,
        detector().fit,
        detector().partial_fit,
        fitted_with_categories.score_samples,
        detector(categorical_features=[0]).fit,
        lambda rows: detector().fit(Chunks([rows, rows])),
    ):
        with pytest.raises(TypeError, match="no number. Give a frame"):
            call(rows)


@pytest.mark.parametrize("values", [DATES, DATES - DATES[0, 0]])
def test_frame_of_dates_is_no_frame_of_numbers(values):
    model = detector().fit(pd.DataFrame(COLUMNS))
    with pytest.raises(ValueError, match="column 'a' held numbers in fit"):
        model.score_samples(pd.DataFrame(values, columns=NAMES))


TENSOR = torch.from_numpy(X)
INDICES = {
    "floats": np.linspace(-1, 1, 60),
    "descending": np.arange(60)[::-1],
    "equal": np.zeros(60),
    "dates": pd.date_range("2020-01-01", periods=60),
    "text": [f"row {i}" for i in range(60)],
    "pairs": pd.MultiIndex.from_product([range(6), range(10)]),
    "intervals": pd.interval_range(0, 60),
    "booleans": [True, False] * 30,
}
SOURCES = {
    "array": X,
    "tensor": TENSOR,
    "tensor_with_gradient": TENSOR.clone().requires_grad_(),
    "masked": np.ma.array(X),
    "polars": pl.DataFrame(COLUMNS),
    "arrow_table": pa.table(COLUMNS),
    "arrow_batch": pa.record_batch(COLUMNS),
    "arrow_dataset": ds.dataset(pa.table(COLUMNS)),
    "loader": DataLoader(TENSOR, batch_size=7),
    "loader_of_tuples": DataLoader(TensorDataset(TENSOR), batch_size=7),
    "list": [X[:7], TENSOR[7:20], X[20:20], pd.DataFrame(X[20:])],
} | {
    f"frame_with_index_of_{name}": pd.DataFrame(COLUMNS, index=index)
    for name, index in INDICES.items()
}


@pytest.mark.filterwarnings("ignore:X .* feature names")
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_chunks_hold_every_row_once_and_in_order(fitted, source):
    scores = fitted.score_samples(Chunks(source, 7))
    np.testing.assert_allclose(scores, fitted.score_samples(X), rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    n_rows=st.integers(1, 300),
    size=st.integers(1, 300),
    kind=st.sampled_from([int, np.uint8, np.int16]),
    source=st.sampled_from([np.asarray, torch.from_numpy, pd.DataFrame, pl.DataFrame]),
)
def test_chunks_of_any_size_of_any_table_are_its_rows(n_rows, size, kind, source):
    rows = np.arange(2.0 * n_rows).reshape(n_rows, 2)
    chunks = Chunks(source(rows), kind(min(size, 255)))
    np.testing.assert_array_equal(np.concatenate([np.asarray(c) for c in chunks]), rows)


# What databases write for infinity: years beyond those of Python.
LARGEST = np.iinfo(np.int64).max
MOMENTS = np.append(np.arange(59) * 10**11, LARGEST)


def on_arrow(unit):
    return pa.array(MOMENTS).cast(unit)


BEYOND_PYTHON = {
    "arrow date": pa.table({"t": on_arrow(pa.timestamp("us"))}),
    "arrow date in a zone": pa.table({"t": on_arrow(pa.timestamp("us", "UTC"))}),
    "arrow duration": pa.table({"t": on_arrow(pa.duration("ms"))}),
    "polars date": pl.DataFrame({"t": pl.Series(MOMENTS).cast(pl.Datetime("us"))}),
    "polars duration": pl.DataFrame({"t": pl.Series(MOMENTS).cast(pl.Duration("ms"))}),
    "pandas date": pd.DataFrame({"t": MOMENTS.view("M8[us]")}),
    "pandas date of seconds": pd.DataFrame({"t": MOMENTS.view("M8[s]")}),
    "pandas duration": pd.DataFrame({"t": MOMENTS.view("m8[ms]")}),
}


@pytest.mark.parametrize("frame", BEYOND_PYTHON.values(), ids=BEYOND_PYTHON)
def test_a_date_beyond_those_of_python_is_the_furthest_and_explained(frame):
    [raw] = columns_of(frame)
    assert np.isfinite(raw.values).all()
    assert raw.values[-1] > 1e3 * raw.values[:-1].max()
    detector = NCAEDetector(n_estimators=1, max_iter=1, random_state=0).fit(frame)
    assert detector.score_samples(frame).argmin() == 59
    assert "t" in str(detector.explain(frame[-1:]))


NO_SOURCE = {
    "pairs": DataLoader(TensorDataset(TENSOR, TENSOR), batch_size=7),
    "numbers": [1, 2, 3],
}


@pytest.mark.parametrize("source", NO_SOURCE.values(), ids=NO_SOURCE)
def test_chunks_that_are_no_rows_are_refused_by_name(fitted, source):
    with pytest.raises(TypeError, match="batches of several parts|is a int"):
        fitted.score_samples(Chunks(source))


@pytest.mark.parametrize("source", [COLUMNS, np.array(3.0), "file", TensorDataset])
def test_chunks_refuse_what_gives_no_rows(source):
    if source is TensorDataset:
        source = TensorDataset(TENSOR)
    with pytest.raises(TypeError, match="Chunks takes"):
        Chunks(source)
