"""Files keep their rights, and a forged one is an error at once."""

import copy
import json
import os
import resource
import secrets
import stat
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skncae import NCAEDetector
from skncae.files._archive import write_whole
from tests.files.test_archive import rewrite

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of Unix")


@pytest.fixture(scope="module")
def fitted():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    return NCAEDetector(n_estimators=2, max_iter=2, random_state=0).fit(rows)


@pytest.fixture(scope="module")
def plain():
    """Return a detector that is written fast, for what is about the file alone."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    return NCAEDetector(
        n_estimators=1, max_iter=1, evidence="tails", random_state=0
    ).fit(rows)


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "detector.safetensors"
    fitted.save(path)
    return path


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o400, 0o2640])
@pytest.mark.parametrize("write", ["save", "to_onnx"])
def test_a_file_that_is_replaced_keeps_its_mode(plain, tmp_path, write, mode):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    getattr(plain, write)(path)
    assert mode_of(path) == mode
    assert path.stat().st_size > 0
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_gets_the_mode_of_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "file", b"content")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "file") == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    write_whole(path, b"content")
    status = path.stat()
    assert (status.st_uid, status.st_gid, mode_of(path)) == (12345, 54321, 0o640)


def test_nobody_else_may_read_what_is_being_written(tmp_path, monkeypatch):
    path, seen = tmp_path / "file", []
    path.touch()
    path.chmod(0o600)
    sync = os.fsync

    def look(descriptor):
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_whole(path, b"content")
    assert seen == [0o600]


def test_a_pipe_is_refused_and_left(plain, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for door in (plain.save, plain.to_onnx, NCAEDetector.load):
        with pytest.raises(ValueError, match="no regular file"):
            door(path)
    assert stat.S_ISFIFO(os.stat(path).st_mode)


def test_a_link_to_a_device_is_refused_and_left(fitted, tmp_path):
    path = tmp_path / "link"
    path.symlink_to(os.devnull)
    with pytest.raises(ValueError, match="no regular file"):
        fitted.save(path)
    assert path.is_symlink()
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_folder_is_no_file(fitted, tmp_path):
    with pytest.raises(IsADirectoryError):
        fitted.save(tmp_path)


@pytest.mark.parametrize("door", ["save", "to_onnx", "load"])
@pytest.mark.parametrize("descriptor", [True, 1.0, None])
def test_what_is_no_path_is_refused(plain, door, descriptor):
    with pytest.raises(TypeError, match="path must be a str or path-like"):
        getattr(plain, door)(descriptor)


@pytest.mark.parametrize("door", ["save", "to_onnx", "load"])
def test_a_stream_of_the_process_is_no_path_and_stays_open(plain, door):
    reading, writing = os.pipe()
    for descriptor in (reading, writing):
        with pytest.raises(TypeError, match="path must be a str or path-like"):
            getattr(plain, door)(descriptor)
        # It would raise if it were closed.
        os.close(descriptor)


def test_a_report_closes_no_stream_of_the_process(fitted):
    report = fitted.report(np.zeros((3, 3)))
    reading, writing = os.pipe()
    with pytest.raises(TypeError):
        report.to_html(writing)
    os.close(reading)
    os.close(writing)


def test_a_path_may_be_bytes(fitted, tmp_path):
    path = os.fsencode(tmp_path / "detector")
    fitted.save(path)
    assert NCAEDetector.load(path).threshold_ == fitted.threshold_


@pytest.mark.parametrize("write", ["save", "to_onnx"])
@pytest.mark.parametrize(
    "path", ["", ".", "..", "name/", "here/", "here", "link", "link/", "new/name/"]
)
def test_a_path_without_the_name_of_a_file_is_refused_and_leaves_nothing(
    plain, tmp_path, monkeypatch, write, path
):
    inside = tmp_path / "inside"
    (inside / "here").mkdir(parents=True)
    (inside / "link").symlink_to(inside / "here")
    monkeypatch.chdir(inside)
    # A folder that nothing can be written to says so at once.
    monkeypatch.setattr(secrets, "token_hex", lambda n: pytest.fail("a temporary file"))
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        getattr(plain, write)(path)
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")}
    assert found == {"inside", "inside/here", "inside/link"}


@pytest.mark.parametrize("answers", ["False", None, 2, np.array([True])], ids=repr)
def test_a_flag_of_save_is_true_or_false(fitted, tmp_path, answers):
    with pytest.raises(TypeError, match="answers must be True or False"):
        fitted.save(tmp_path / "file", answers=answers)
    assert not list(tmp_path.iterdir())


def refused_at_once(path):
    """Loading raises a ValueError that names the file, fast and in little memory."""
    tracemalloc.start()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    try:
        with pytest.raises(ValueError, match=path.name):
            NCAEDetector.load(path)
        seconds = time.process_time() - start
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Of torch, which tracemalloc does not see, in KiB.
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert seconds < 1
    assert peak < 1e8
    assert grown < 1e5


def scorer_of(document):
    return document["fitted"]["dict"]["_scorer"]["dict"]


def architecture_of(document):
    networks = scorer_of(document)["ensemble"]["dict"]["networks"]["dict"]
    return networks["architecture"]["tuple"]


def set_architecture(index, value):
    def change(document, tensors):
        architecture_of(document)[index] = value

    return change


def set_fitted(**values):
    def change(document, tensors):
        document["fitted"]["dict"].update(values)

    return change


def set_tensors(part, make):
    """Replace the tensors with a part of a name."""

    def change(document, tensors):
        for name in tensors:
            if part in name:
                tensors[name] = make(tensors[name])

    return change


def of_all_weights(document, tensors):
    """A tensor of a few MB that a short document names a thousand times."""
    tensors["big"] = np.zeros(1_000_000)
    many = [{"array": ["big", "C"]}] * 1000
    document["fitted"]["dict"]["a_"] = many


FORGED = {
    "huge hidden layer": set_architecture(1, {"tuple": [10**9, 16]}),
    "huge latent space": set_architecture(2, 10**9),
    "many hidden layers": set_architecture(1, {"tuple": [1] * 50}),
    "huge rows": set_architecture(0, {"tuple": [10**10]}),
    "huge image": set_architecture(0, {"tuple": [64, 64, 10**7]}),
    "negative": set_architecture(2, -3),
    "a fraction": set_architecture(2, 3.0),
    "empty and huge": set_tensors("weight", lambda _: np.zeros((10**6, 0, 10**6))),
    "no members": set_tensors("weights", lambda a: a[:0]),
    "no references": set_tensors("references", lambda a: a[:, :0]),
    "no members of references": set_tensors("references", lambda a: a[:0]),
    "no knots": set_tensors("log_errors", lambda a: a[:0]),
    "integers": set_tensors("weights", lambda a: a.astype(np.int64)),
    "half precision": set_tensors("center", lambda a: a.astype(np.float16)),
    "single precision": set_tensors("weights", lambda a: a.astype(np.float32)),
    "two precisions": set_tensors("0.bias", lambda a: a.astype(np.float32)),
    "booleans": set_tensors("weights", lambda a: a > 0),
    "NaN weights": set_tensors("weights", lambda a: a * np.nan),
    "NaN centre": set_tensors("center", lambda a: a * np.nan),
    "infinite scale": set_tensors("scale", lambda a: a * np.inf),
    "NaN scores": set_tensors("training_scores_", lambda a: a * np.nan),
    "scores of two axes": set_tensors("training_scores_", lambda a: a[:, None]),
    "NaN threshold": set_fitted(threshold_=float("nan"), offset_=float("nan")),
    "NaN offset": set_fitted(offset_=float("nan")),
    "infinite threshold": set_fitted(threshold_=float("inf"), offset_=-float("inf")),
    "another offset": set_fitted(offset_=12.0),
    "true threshold": set_fitted(threshold_=True, offset_=-1),
    "huge share": set_fitted(contamination_=17.0),
    "huge width": set_fitted(n_features_in_=10**10, row_shape_={"tuple": [10**10]}),
    "other rows": set_fitted(row_shape_={"tuple": [2, 2]}),
    "no width": set_fitted(n_features_in_=0, row_shape_={"tuple": [0]}),
    "one tensor often": of_all_weights,
    "a name of several columns": set_fitted(feature_names_in_={"strings": ["a"]}),
    "names that are numbers": set_fitted(feature_names_in_=[1, 2, 3, 4]),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED.keys())
def test_a_forged_file_is_an_error_at_once(saved, tmp_path, change):
    path = tmp_path / "forged.safetensors"
    path.write_bytes(saved.read_bytes())
    rewrite(path, change)
    refused_at_once(path)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A file of a detector of a frame that is calibrated and has answers."""
    rng = np.random.default_rng(0)
    days = pd.to_timedelta(rng.integers(0, 900, 60), "D")
    frame = pd.DataFrame(
        {
            "number": np.where(rng.random(60) < 0.1, np.nan, rng.normal(size=60)),
            "category": rng.choice(list("abc"), 60),
            "date": pd.Timestamp("2020-01-01") + days,
            "price": [f"${price:,.2f}" for price in rng.lognormal(7, 1, 60)],
        }
    )
    detector = NCAEDetector(n_estimators=1, max_iter=1, random_state=0).fit(frame)
    labels = np.where(np.arange(60) < 3, -1, np.where(np.arange(60) < 6, 1, 0))
    path = tmp_path_factory.mktemp("files") / "told.safetensors"
    detector.calibrate(frame, cv=2).refine(frame, labels).save(path)
    return path


def set_column(index, **values):
    """Change what a file says of a column of the frame."""

    def change(document, tensors):
        layout = scorer_of(document)["ensemble"]["dict"]["layout"]
        layout[index]["dict"].update(values)

    return change


# What is read only after rows were scored: of answers, of columns, of missing values.
FORGED_TOLD = {
    "no score before": set_tensors("_unrefined.training_scores_", lambda a: a[:0]),
    "nothing before": set_fitted(_unrefined=12.0),
    "an image": set_fitted(image_shape_={"tuple": [2, 2, 1]}),
    "no shape of images": set_fitted(image_shape_=True),
    "infinite tails": set_tensors("tail.minus_logs", lambda a: a * np.inf),
    "tails that fall": set_tensors("tail.minus_logs", lambda a: a[::-1]),
    "other answers": set_tensors("answers.rows", lambda a: a[:1]),
    "answers of others": set_tensors("answers.n_inlier", lambda a: a[:2]),
    "other lessons": set_tensors("lessons.weight", lambda a: a[None]),
    "a category less": set_tensors("counts", lambda a: a[:1]),
    "a code less": set_tensors("as_rare", lambda a: a[:1]),
    "other completion": set_tensors("completion.rotation", lambda a: np.r_[a, a]),
    "range of one": set_column(2, usual={"tuple": [1.0]}),
    "no name": set_column(0, name=3),
    "no text": set_column(1, values={"array": ["fitted.training_scores_", "C"]}),
}


@pytest.mark.parametrize("change", FORGED_TOLD.values(), ids=FORGED_TOLD.keys())
def test_what_a_forged_file_says_beside_scores_is_an_error_at_once(
    told, tmp_path, change
):
    path = tmp_path / "forged.safetensors"
    path.write_bytes(told.read_bytes())
    rewrite(path, change)
    refused_at_once(path)


def header_of(path):
    """The header of a file of safetensors, and where its tensors begin."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


@pytest.mark.parametrize("is_ours", [True, False])
def test_tensors_of_another_file_are_not_read(saved, tmp_path, is_ours):
    header, tensors = header_of(saved) if is_ours else ({}, b"")
    end = len(tensors) + 4 * 10**8
    header["layers.0"] = {
        "dtype": "F64",
        "shape": [5 * 10**7],
        "data_offsets": [len(tensors), end],
    }
    path, text = tmp_path / "other.safetensors", json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + tensors)
        # Zeros, which take no place on the disk.
        file.truncate(8 + len(text) + end)
    refused_at_once(path)


def test_a_format_of_thousands_of_digits_is_a_newer_one(saved, tmp_path):
    header, tensors = header_of(saved)
    header["__metadata__"]["format_version"] = "1" * 5000
    path, text = tmp_path / "newer.safetensors", json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + tensors)
    with pytest.raises(ValueError, match=f"{path} has format 1*, written by skncae"):
        NCAEDetector.load(path)


SIZES = st.sampled_from([0, 1, 2, -1, 10**7, 10**12, 0.5, True, None, "a", []])


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_file_with_any_value_changed_is_refused_or_scores(saved, tmp_path, data):
    path = tmp_path / "forged.safetensors"
    path.write_bytes(saved.read_bytes())

    def change(document, tensors):
        holder, key = data.draw(st.sampled_from(list(places(document["fitted"]))))
        holder[key] = data.draw(SIZES)

    rewrite(path, change)
    start = time.process_time()
    try:
        detector = NCAEDetector.load(path)
    except ValueError:
        pass
    else:
        scores = detector.score_samples(np.zeros((2, 3)))
        assert scores.shape == (2,)
        assert np.isfinite(detector.threshold_)
    assert time.process_time() - start < 1


def places(value):
    """Yield (holder, key) of every value of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("at", ["skncae.files._archive._decode", "json.loads"])
def test_short_memory_and_interrupts_are_no_bad_file(saved, monkeypatch, at, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(at, fail)
    with pytest.raises(error):
        NCAEDetector.load(saved)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_short_memory_while_the_detector_is_built_is_no_bad_file(
    saved, monkeypatch, error
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("skncae.evidence._scorer.Scorer.errors", fail)
    with pytest.raises(error):
        NCAEDetector.load(saved)


def test_a_loaded_detector_is_none_the_worse(fitted, saved):
    loaded = NCAEDetector.load(saved)
    rows = np.random.default_rng(1).normal(size=(20, 3))
    np.testing.assert_array_equal(
        loaded.score_samples(rows), fitted.score_samples(rows)
    )
    assert copy.deepcopy(loaded).threshold_ == fitted.threshold_
    assert json.dumps(loaded.contamination_)


@pytest.mark.parametrize("cv", [None, 2])
def test_calibration_rows_of_another_width_are_refused(fitted, tmp_path, cv):
    path = tmp_path / "detector.safetensors"
    rows = np.random.default_rng(1).normal(size=(20, 3))
    copy.copy(fitted).calibrate(rows, cv=cv).save(path)
    rewrite(path, set_tensors("_calibration.0.rows", lambda a: a[:, :2]))
    refused_at_once(path)
