"""Detectors in files: what comes back, and what is refused."""

import copy
import json
import os
import signal
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from safetensors import safe_open
from safetensors.numpy import save
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skncae import NCAEDetector
from skncae.files import _archive as _persistence
from skncae.files._archive import load_archive, save_archive

METHODS = ("score_samples", "decision_function", "predict", "reconstruct")
METADATA = {"format": "test", "skncae_version": "0"}


class Fixed(NCAEDetector):
    """A subclass that has a parameter only."""

    def __init__(self, random_state=None):
        super().__init__(n_estimators=2, max_iter=5, random_state=random_state)


class Renamed(NCAEDetector):
    """A subclass, at the top of a module as pickle wants it."""


@pytest.fixture(scope="module")
def fitted_once(X):
    return NCAEDetector(n_estimators=2, max_iter=10, random_state=0).fit(X)


@pytest.fixture
def fitted(fitted_once):
    return copy.deepcopy(fitted_once)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "detector.safetensors"


def assert_same(found, expected):
    """Assert that two nested values are equal to the bit, types included."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        assert found.flags.fnc == expected.flags.fnc
        np.testing.assert_array_equal(found, expected, strict=True)
    else:
        assert found == expected or (found != found and expected != expected)


def assert_same_detector(found, expected, X):
    assert_same(found.__getstate__(), expected.__getstate__())
    for method in METHODS:
        np.testing.assert_array_equal(
            getattr(found, method)(X), getattr(expected, method)(X)
        )


def rewrite(path, change, **metadata):
    """Let `change` edit the document and tensors of an archive, digest included."""
    with safe_open(path, framework="np") as file:
        entries = file.metadata() | metadata
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    document = json.loads(entries["document"])
    change(document["dict"], tensors)
    entries["document"] = json.dumps(document)
    entries["sha256"] = _persistence._digest(entries, tensors)
    path.write_bytes(save(tensors, entries))


# --- state ---------------------------------------------------------------------


def test_state_of_a_fitted_detector_holds_arrays_and_plain_values_only(fitted):
    def check(value):
        if isinstance(value, dict):
            assert all(type(key) is str for key in value)
            value = list(value.values())
        if isinstance(value, list | tuple):
            for item in value:
                check(item)
        else:
            assert type(value) in (np.ndarray, int, float, str, bool, type(None))

    check(fitted.__getstate__())


def test_state_does_not_change_the_detector(fitted):
    before = vars(fitted).copy()
    fitted.__setstate__(fitted.__getstate__())
    assert vars(fitted).keys() == before.keys()
    state = fitted.__getstate__()
    state["_scorer"]["ensemble"]["view"].clear()
    assert fitted._scorer.ensemble.view.center is not None


def test_memory_mapped_joblib_file_gives_the_same_scores(fitted, X, tmp_path):
    joblib.dump(fitted, tmp_path / "detector.joblib")
    loaded = joblib.load(tmp_path / "detector.joblib", mmap_mode="r")
    for method in METHODS:
        np.testing.assert_array_equal(
            getattr(loaded, method)(X), getattr(fitted, method)(X)
        )


def test_skops_file_gives_the_same_detector_when_one_type_is_trusted(fitted, X):
    data = skops.io.dumps(fitted)
    trusted = skops.io.get_untrusted_types(data=data)
    assert trusted == ["skncae.NCAEDetector"]
    assert_same_detector(skops.io.loads(data, trusted=trusted), fitted, X)


# --- save and load -------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"evidence": "reconstruction", "scaling": "minmax", "hidden_units": [4]},
        {"evidence": ["tails"], "scaling": "standardized", "random_state": None},
        {"evidence": ("tails", "dictionary"), "hidden_units": (4, 3, 2)},
    ],
)
def test_loaded_detector_is_the_saved_one(fast, X, path, parameters):
    detector = fast(**parameters).fit(X)
    detector.save(path)
    assert_same_detector(NCAEDetector.load(path), detector, X)


def test_loaded_detector_is_the_saved_one_in_another_process(fitted, X, path):
    fitted.save(path)
    np.save(path.with_name("X.npy"), X)
    code = f"""
import numpy as np
from skncae import NCAEDetector
scores = NCAEDetector.load({str(path)!r}).score_samples(np.load("X.npy"))
np.save("scores.npy", scores)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=path.parent, env=environment
    )
    np.testing.assert_allclose(
        np.load(path.with_name("scores.npy")), fitted.score_samples(X), rtol=1e-12
    )


def test_loaded_detector_knows_the_columns(fast, X, path):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d", "é\n"])
    detector = fast().fit(frame)
    detector.save(path)
    loaded = NCAEDetector.load(path)
    assert_same_detector(loaded, detector, frame)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame.rename(columns={"a": "z"}))


def test_loaded_detector_can_be_cloned_and_fitted_again(fitted, fast, X, path):
    fitted.save(path)
    loaded = NCAEDetector.load(path)
    assert not hasattr(clone(loaded), "offset_")
    expected = fast().fit(X[:50]).score_samples(X)
    np.testing.assert_array_equal(loaded.fit(X[:50]).score_samples(X), expected)


def test_numpy_parameters_come_back_as_python_numbers(fast, X, path):
    detector = fast(
        n_estimators=np.int64(2),
        mining_rate=np.float32(0.25),
        sample_discriminator=np.bool_(True),
        hidden_units=np.array([8, 4]),
    ).fit(X)
    detector.save(path)
    loaded = NCAEDetector.load(path)
    assert type(loaded.n_estimators) is int
    assert loaded.mining_rate == 0.25 and type(loaded.mining_rate) is float
    assert loaded.sample_discriminator is True
    np.testing.assert_array_equal(loaded.hidden_units, [8, 4])


def test_detector_trained_on_a_gpu_can_be_loaded_without_one(fitted, X, path):
    fitted.set_params(device="cuda:7").save(path)
    loaded = NCAEDetector.load(path)
    assert loaded.device == "cuda:7"
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))


def test_subclass_is_loaded_by_the_subclass_only(X, path):
    detector = Renamed(n_estimators=2, max_iter=5, random_state=0).fit(X)
    detector.save(path)
    loaded = Renamed.load(path)
    assert type(loaded) is Renamed
    assert_same_detector(loaded, detector, X)
    with pytest.raises(ValueError, match="holds 'Renamed', not 'NCAEDetector'"):
        NCAEDetector.load(path)


def test_subclass_with_fewer_parameters_is_loaded_with_what_it_fixed(X, path):
    detector = Fixed(random_state=0).fit(X)
    detector.save(path)
    loaded = Fixed.load(path)
    assert loaded.max_iter == 5
    assert_same_detector(loaded, detector, X)


def test_save_refuses_a_detector_that_is_not_fitted(fast, path):
    with pytest.raises(NotFittedError):
        fast().save(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("random_state", np.random.RandomState(0)),
        ("hidden_units", (8, np.longdouble(4).reshape(1))),
        ("evidence", {"tails"}),
        ("device", np.array([["cpu"]])),
        ("verbose", {1: 2}),
        ("note_", object()),
    ],
)
def test_save_names_what_has_no_form_in_a_file_and_writes_nothing(
    fitted, path, name, value
):
    path.write_bytes(b"old")
    setattr(fitted, name, value)
    with pytest.raises(TypeError, match=rf"^{name}.*cannot be saved.*joblib"):
        fitted.save(path)
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("random_state", np.random.RandomState(0)),
        ("hidden_units", {8: 0}.keys()),
        ("evidence", {"tails"}),
    ],
)
def test_a_default_in_place_of_what_has_no_form_can_be_saved_and_fitted(
    fitted, path, X, name, value
):
    fitted.set_params(**{name: value})
    with pytest.raises(TypeError, match=f"Set {name} to its default first"):
        fitted.save(path)
    fitted.set_params(**{name: NCAEDetector().get_params()[name]}).save(path)
    NCAEDetector.load(path).fit(X)


@pytest.mark.parametrize("package", ["safetensors", "safetensors.numpy"])
def test_without_safetensors_the_error_says_what_to_install(
    fitted, path, monkeypatch, package
):
    monkeypatch.setitem(sys.modules, package, None)
    for call in (fitted.save, NCAEDetector.load):
        with pytest.raises(ImportError, match=r"pip install \"skncae\[files\]\""):
            call(path)


# --- archives ------------------------------------------------------------------


def test_archive_keeps_every_kind_of_value(path):
    content = {
        "numbers": [1, -(10**30), 0.1, float("nan"), float("-inf"), True, None],
        "text": ["", "é\n\0\ud800"],
        "nested": {"": ((), [], {}, ({"a": (1,)},)), "dict": {"tuple": [1]}},
        "arrays": (
            np.array(3.5),
            np.zeros((0, 3)),
            np.arange(6, dtype=np.int8).reshape(2, 3),
            np.asfortranarray(np.random.default_rng(0).normal(size=(3, 4))),
            np.array([True, False]),
            np.array([np.nan, -0.0, np.inf], dtype=np.float16),
            np.array(["a", "bc"], dtype=object),
        ),
        "a": {"b": np.array([1])},
        "a.b": np.array([2]),
    }
    save_archive(path, content, METADATA)
    assert_same(load_archive(path, "test"), content)


def test_arrays_of_an_archive_may_be_in_any_order_of_bytes_and_memory(path):
    numbers = np.arange(12.0).reshape(3, 4)
    content = {"big": numbers.astype(">f8"), "view": numbers[::2, ::-1]}
    save_archive(path, content, METADATA)
    loaded = load_archive(path, "test")
    for name, array in content.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].flags.writeable


# --- interrupted writes --------------------------------------------------------


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_save_that_fails_leaves_the_old_file_and_nothing_else(
    fitted, path, monkeypatch, step
):
    fitted.save(path)
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        fitted.set_params(verbose=1).save(path)
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_write_that_is_killed_leaves_the_old_file(path, step):
    path.write_bytes(b"old")
    # The module alone: importing all of skncae takes seconds.
    code = f"""
import os, runpy, signal
write_whole = runpy.run_path({_persistence.__file__!r})["write_whole"]
os.{step} = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
write_whole({str(path)!r}, b"new" * 100_000)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_save_writes_through_a_link(fitted, path):
    link = path.with_name("link")
    link.symlink_to(path)
    fitted.save(link)
    assert link.is_symlink() and path.is_file() and not path.is_symlink()


# --- files that are refused ----------------------------------------------------


def test_folder_that_is_not_there_is_named_with_the_path_that_was_given(fitted, path):
    for place in (path.parent / "nowhere" / "x.skncae", path / "x.skncae"):
        path.touch()
        with pytest.raises(OSError) as caught:
            fitted.save(place)
        assert caught.value.filename == str(place)


def test_missing_file_is_not_found(path):
    with pytest.raises(FileNotFoundError, match=path.name):
        NCAEDetector.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello", bytes(100), b"\xff" * 100, b"\x80\x04K\x01."]
)
def test_file_that_is_no_archive_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged or no safetensors file"):
        NCAEDetector.load(path)


def test_safetensors_file_of_somebody_else_is_refused(path):
    for metadata in (None, {"format": "pt"}):
        path.write_bytes(save({"weight": np.ones(3)}, metadata))
        with pytest.raises(ValueError, match="holds '(pt|tensors)', not 'NCAE"):
            NCAEDetector.load(path)


def test_truncated_or_prolonged_file_is_refused(fitted, path):
    fitted.save(path)
    whole = path.read_bytes()
    for end in (4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="is damaged"):
            NCAEDetector.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="is damaged"):
        NCAEDetector.load(path)


def test_file_with_any_byte_changed_is_refused(path):
    content = {"parameters": {"a": 1.5}, "fitted": {"b_": np.arange(3.0)}}
    save_archive(path, content, METADATA)
    whole = path.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x04
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=path.name):
            load_archive(path, "test")


def test_file_of_a_newer_format_asks_for_an_upgrade(fitted, path):
    fitted.save(path)
    rewrite(path, lambda *_: None, format_version="2", skncae_version="9.1")
    with pytest.raises(ValueError, match="format 2, written by skncae 9.1.*Upgrade"):
        NCAEDetector.load(path)


def set_item(part, name, value):
    def change(document, tensors):
        document[part]["dict"][name] = value

    return change


def delete_state(*keys):
    def change(document, tensors):
        value = document["fitted"]["dict"]["_scorer"]
        for key in keys:
            holder = value["dict"] if isinstance(value, dict) else value
            value = holder[key]
        del holder[keys[-1]]

    return change


def set_kind(name):
    def change(document, tensors):
        scorer = document["fitted"]["dict"]["_scorer"]["dict"]
        scorer["components"][0]["dict"]["kind"] = name

    return change


def reshape_tensors(document, tensors):
    for name in tensors:
        if "networks" in name or "references" in name:
            tensors[name] = tensors[name][..., :1]


def widen_view(document, tensors):
    tensors["fitted._scorer.ensemble.view.center"] = np.zeros(7)


FORGED = {
    "unknown parameter": set_item("parameters", "command", "rm"),
    "method": set_item("fitted", "score_samples", 3),
    "parameter as attribute": set_item("fitted", "n_estimators", 3),
    "class": set_item("fitted", "__class__", "os.system"),
    "no width": set_item("fitted", "n_features_in_", 4),
    "no scorer": set_item("fitted", "_scorer", None),
    "kind of value": set_item("fitted", "a_", {"eval": "1"}),
    "two kinds of value": set_item("fitted", "a_", {"dict": {}, "tuple": []}),
    "no such tensor": set_item("fitted", "a_", {"array": ["b", "C"]}),
    "text as threshold": set_item("fitted", "threshold_", "abc"),
    "no offset": set_item("fitted", "offset_", None),
    "no networks": delete_state("ensemble", "networks"),
    "no weight": delete_state(
        "ensemble", "networks", "weights", "encoder.layers.1.weight"
    ),
    "no references": delete_state("components", 2, "evidence", "references"),
    "shapes": reshape_tensors,
    "shape of the view": widen_view,
    "kinds": set_kind("fill_dictionaries"),
    "no parameters": lambda document, _: document.pop("parameters"),
    "more": lambda document, _: document.update(code="1 + 1"),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED.keys())
def test_forged_state_is_refused_although_its_checksum_is_right(fitted, path, change):
    fitted.save(path)
    rewrite(path, lambda *_: None)
    NCAEDetector.load(path)
    rewrite(path, change)
    with pytest.raises(ValueError, match=path.name):
        NCAEDetector.load(path)


def test_loaded_detector_goes_on_with_warm_start_as_the_saved_one(fast, X, tmp_path):
    detector = fast(warm_start=True).fit(X)
    detector.save(tmp_path / "detector")
    loaded = NCAEDetector.load(tmp_path / "detector")
    scores = detector.fit(X).score_samples(X)
    np.testing.assert_array_equal(loaded.fit(X).score_samples(X), scores)


def test_loaded_detector_sees_further_pieces_as_the_saved_one(fast, X, tmp_path):
    detector = fast().partial_fit(X[:100])
    detector.save(tmp_path / "detector")
    loaded = NCAEDetector.load(tmp_path / "detector")
    scores = detector.partial_fit(X[100:]).score_samples(X)
    loaded.partial_fit(X[100:])
    assert loaded.n_samples_seen_ == len(X)
    np.testing.assert_array_equal(loaded.score_samples(X), scores)
