"""The data sets of the benchmarks: registry, checksums, and what is read."""

import sys
import types

import numpy as np
import pytest

from benchmarks.sets import tables as datasets


def test_registry_holds_four_suites_and_a_checksum_for_every_file():
    suites = {
        name: datasets.names(name) for name in ("all", "outside", "loda", "oddbench")
    }
    assert [len(names) for names in suites.values()] == [25, 19, 13, 200]
    assert len(datasets.REGISTRY) == 25 + 19 + 13 + 200
    assert set(datasets.SIX) < set(suites["all"])
    assert datasets.names("development") == suites["oddbench"]
    for entry in datasets.REGISTRY.values():
        assert len(entry.sha256_npz) == 64
        for url, sha256 in entry.originals():
            assert url.startswith("https://") and "{" not in url
            assert len(sha256) == 64
        assert 0 < entry.outliers < entry.n / 2


def test_downloaded_files_of_outliers_are_pooled_and_few_are_drawn(
    tmp_path, monkeypatch
):
    rng, written = np.random.default_rng(0), {}

    def retrieve(url, known_hash, path, fname):
        n_rows = {"normal.txt": 95, "easy.txt": 30}.get(fname, 20)
        target = tmp_path / fname
        np.savetxt(target, rng.normal(size=(n_rows, 3)))
        written[fname] = np.loadtxt(target)
        assert known_hash.startswith("sha256:") and path.name == "tiny"
        return str(target)

    pooch = types.SimpleNamespace(retrieve=retrieve, os_cache=lambda name: tmp_path)
    monkeypatch.setitem(sys.modules, "pooch", pooch)
    monkeypatch.delenv("SKNCAE_DATA", raising=False)
    url = "https://example.org/tiny/{normal,easy,hard}.txt"
    entry = datasets.DataSet("tiny", "loda", 100, 3, 5, url, "a b c", "d")
    monkeypatch.setitem(datasets.REGISTRY, "tiny", entry)
    X, y = datasets.load("tiny")
    assert list(written) == ["normal.txt", "easy.txt", "hard.txt"]
    np.testing.assert_array_equal(X[y == 0], written["normal.txt"])
    pool = np.concatenate([written["easy.txt"], written["hard.txt"]])
    assert (X[y == 1][:, None] == pool).all(-1).any(-1).all() and y.sum() == 5


def test_downloaded_development_table_is_stacked_drawn_and_rid_of_constants(
    tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(100, 3)), rng.normal(size=(3400, 3))
    train[:, 1] = test[:, 1] = 7
    labels = {"train_labels": np.zeros(100, int), "test_labels": np.arange(3400) % 9}
    labels["test_labels"] = (labels["test_labels"] == 0).astype(int)
    np.savez(tmp_path / "tiny.npz", train=train, test=test, **labels)
    pooch = types.SimpleNamespace(
        retrieve=lambda url, known_hash, path, fname: str(tmp_path / fname),
        os_cache=lambda name: tmp_path,
    )
    monkeypatch.setitem(sys.modules, "pooch", pooch)
    monkeypatch.delenv("SKNCAE_DATA", raising=False)
    rows = np.random.default_rng(0).permutation(3500)[:3000]
    stacked = np.concatenate([train, test])[rows][:, [0, 2]]
    y_stacked = np.concatenate(list(labels.values()))[rows]
    entry = datasets.DataSet(
        "tiny", "oddbench", 3000, 2, y_stacked.sum(), "https://x.org/tiny.npz", "a", "b"
    )
    monkeypatch.setitem(datasets.REGISTRY, "tiny", entry)
    X, y = datasets.load("tiny")
    np.testing.assert_array_equal(X, stacked)
    np.testing.assert_array_equal(y, y_stacked)


def test_local_file_is_loaded_as_float64_rows_and_integer_labels(tiny):
    X, y = datasets.load("tiny")
    assert X.shape == (50, 3) and X.dtype == np.float64
    assert y.sum() == 10 and y.dtype == int


def test_local_file_with_another_checksum_is_refused(tiny, register):
    register("tiny", "f" * 64)
    message = r"tiny\.npz has SHA-256 .* unset SKNCAE_DATA"
    with pytest.raises(datasets.MissingDataError, match=message):
        datasets.load("tiny")


def test_unknown_data_set_is_refused_with_what_it_may_mean():
    with pytest.raises(ValueError, match="no data set cardo.*mean cardio.*development"):
        datasets.names("cardo")
