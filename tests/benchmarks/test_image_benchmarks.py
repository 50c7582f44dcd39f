"""The benchmark of images, on a handful of small ones."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from benchmarks.detectors import image_peers as peers
from benchmarks.harness import suite
from benchmarks.reports import image_figures
from benchmarks.reports import images as image_report
from benchmarks.sets import images as image_sets
from benchmarks.sets.tables import MissingDataError
from benchmarks.suites import images, mining
from benchmarks.suites.images import Budget, task_of

TINY = Budget(n_normal=20, n_score=30, max_iter=2, batch_size=8, epochs=1)


@pytest.fixture(autouse=True)
def small_set(monkeypatch, tmp_path):
    """Put ten classes of small images in place of the sets, and a tiny budget."""

    def load(name):
        y = np.repeat(np.arange(10), 40).astype(np.uint8)
        X = np.random.default_rng(0).integers(0, 60, (400, 8, 8))
        X = (X + 15 * y[:, None, None]).astype(np.uint8)
        return X, y, X[::4], y[::4]

    monkeypatch.setattr(image_sets, "load", load)
    monkeypatch.setitem(images.BUDGETS, "cpu", TINY)
    monkeypatch.setattr(image_figures, "RESULTS", tmp_path)


def test_share_of_the_training_images_is_of_other_classes():
    for rho in (0.0, 0.05, 0.2):
        task = task_of("mnist", 3, rho, 0, TINY)
        assert abs(task.y_train.mean() - rho) < 0.03
        assert (task.y_train == 0).sum() == 20
        assert len(task.X_score) == len(task.y_score) == 30


def test_more_contamination_is_added_to_the_same_images():
    less, more = (task_of("mnist", 3, rho, 0, TINY) for rho in (0.05, 0.2))
    kept = {image.tobytes() for image in more.X_train}
    assert all(image.tobytes() in kept for image in less.X_train)


def test_known_outliers_are_not_among_the_training_images():
    task = task_of("mnist", 9, 0.2, 0, Budget(40, 30, 2, 8, 1))
    assert len(task.X_known) == 2
    seen = {image.tobytes() for image in task.X_train}
    assert not any(image.tobytes() in seen for image in task.X_known)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    "name",
    ["OCSVM", "IForest", "KDE", "Neighbors", "DAGMM", "LatentOut", "Classifier"]
    + ["DeepSVDD", "DeepSAD"],
)
def test_peer_scores_images_higher_the_more_abnormal(name):
    if name.startswith("Deep"):
        pytest.importorskip("deepod")
    task = task_of("mnist", 0, 0.05, 0, Budget(40, 100, 2, 8, 1))
    steps = {"epochs": 5} if issubclass(getattr(peers, name), peers.Pixels) else {}
    detector = getattr(peers, name)(random_state=0, **steps)
    known = (task.X_known,) if hasattr(detector, "learns_from_labels") else ()
    scores = detector.fit(task.X_train, *known).decision_function(task.X_score)
    assert scores.shape == (100,)
    assert np.isfinite(scores).all()
    if not name.startswith("Deep") and name not in ("Classifier", "LatentOut"):
        assert scores[task.y_score == 1].mean() > scores[task.y_score == 0].mean()


ONE = ("--datasets", "mnist", "--classes", "0", "--rho", "0.2", "--here")


def test_detectors_of_the_table_are_made_by_their_labels(monkeypatch, run):
    ran = []

    def judged(name, task, seed):
        ran.append(name)
        return {"auroc": 1.0, "fit_s": 1.0}

    monkeypatch.setattr(images.fits, "judged", judged)
    own = "NCAEDetector(max_iter=7, batch_size=9)"
    frame = run(images.SUITE, *ONE, "--detectors", f"OCSVM,KDE,{own}")
    assert list(frame.detector) == ["OCSVM", "KDE", own]
    peer = "benchmarks.detectors.image_peers:"
    assert ran == [f"{peer}OCSVM", f"{peer}KDE", own]
    assert (frame.n_train == 25).all() and (frame.n_score == 30).all()


def test_report_puts_the_paper_beside_means_over_classes_of_means_over_seeds():
    rows = [(0, 0, 0.7), (0, 1, 0.9), (1, 0, 0.5), (1, 1, 0.5)]
    frame = pd.DataFrame(rows, columns=["normal", "seed", "auroc"])
    frame = frame.assign(dataset="mnist", rho=0.2, status="ok", detector="KDE")
    one_class = frame[:1].assign(detector="CAE", auroc=0.6)
    quoted = pd.read_csv(image_report.HERE / "paper_images.csv")
    lines = image_report.tables(pd.concat([frame, one_class]), quoted).splitlines()
    assert lines[4:6] == [
        "| `KDE` | 65.0 ± 15.0 | *95.0* | *91.2* | *85.5* | *82.1* | *77.4* |",
        "| `CAE` | 60.0 ± 0.0 (1 of 2) | *92.9* | *91.3* | *87.2* | *83.7* | *78.6* |",
    ]
    assert "| `SSAD` (labels) |  | *97.9* |" in lines[6]


def test_every_detector_of_the_table_can_be_made():
    for name in images.detectors(TINY).values():
        assert images.find(name).make(0, 8) is not None


def test_unknown_names_are_refused(run, capsys):
    for option, name in (("--detectors", "KDE,Magic"), ("--datasets", "svhn")):
        with pytest.raises(SystemExit):
            run(images.SUITE, option, name)
    text = capsys.readouterr().err
    assert "no detector 'Magic'" in text and "no data set 'svhn'" in text


@pytest.mark.parametrize("figure", ["3", "4", "5", "6"])
def test_figure_writes_numbers_and_a_picture(figure, tmp_path, monkeypatch):
    monkeypatch.setattr(mining, "SIGMAS", (0.1,))
    monkeypatch.setattr(mining, "TAUS", (0.0, 0.2))
    for module in (mining, image_figures):
        monkeypatch.setattr(module, "CLASSES", (0,))
    path = tmp_path / f"figure{figure}.csv"
    if figure in "56":
        arguments = ["--figure", figure, "--output", str(path), "--here"]
        suite.main(mining.SUITE, arguments)
    image_figures.main([figure])
    assert len(pd.read_csv(path, comment="#"))
    assert path.with_suffix(".png").stat().st_size > 1000


# --- where images come from ----------------------------------------------------


@pytest.fixture
def load(monkeypatch):
    """Return the real `image_sets.load`."""
    monkeypatch.undo()
    return image_sets.load


def test_digits_need_no_file_and_are_split_in_one_way(load):
    X, y, X_test, y_test = load("digits")
    assert X.shape == (1200, 8, 8) and X_test.shape == (597, 8, 8)
    assert len(np.unique(y)) == len(np.unique(y_test)) == 10
    np.testing.assert_array_equal(load("digits")[0], X)


def test_usps_is_read_from_the_file_of_its_checksum(load, monkeypatch, tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "images" / "usps.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        for part in ("train", "test"):
            file[f"{part}/data"] = np.linspace(0, 1, 512).reshape(2, 256)
            file[f"{part}/target"] = [3, 4]
    monkeypatch.setenv("SKNCAE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="SHA-256"):
        load("usps")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(image_sets.LOCAL, "usps", ("usps.h5", checksum))
    X, y, *_ = load("usps")
    assert X.shape == (2, 16, 16) and X.dtype == np.uint8
    assert X.min() == 0 and X.max() == 255 and list(y) == [3, 4]


def test_local_file_that_was_changed_is_refused(load, monkeypatch, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mnist.npz").write_bytes(b"something else")
    monkeypatch.setenv("SKNCAE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="SHA-256"):
        load("mnist")


def test_images_that_are_nowhere_are_said_to_be_missing(load, monkeypatch, tmp_path):
    import pooch

    def retrieve(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setenv("SKNCAE_DATA", str(tmp_path))
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(MissingDataError, match=r"mnist\.npz.*no network"):
        load("mnist")
