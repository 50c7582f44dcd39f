"""The examples of the documentation run, and show what their text says."""

import runpy
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def check_breast_cancer(names):
    malignant = names["is_malignant"]
    errors = names["outlyingness"]["NCAEDetector"]
    assert np.median(errors[malignant]) > np.quantile(errors[~malignant], 0.9)
    assert names["hits"] > len(names["flagged"]) / 2
    assert Path("demo.png").stat().st_size > 0


def check_tabular_walk(names):
    found, planted = names["found"], names["is_planted"]
    assert planted.sum() == 12
    # A twentieth of 442; a tie at the cut may go either way.
    assert found["fixed"].sum() in (22, 23)
    assert found.loc[planted, "fixed"].sum() >= 8
    assert len(names["missed"]) == 12 - found.loc[planted, "fixed"].sum()
    blamed = {
        "slipped decimal point": "glucose",
        "pressure in kPa": "pressure",
        "misspelt category": "sex",
    }
    reasons = names["reasons"]
    reasons = reasons[reasons["mistake"].isin(list(blamed))]
    assert set(reasons["mistake"]) == set(blamed)
    assert (reasons["mistake"].map(blamed) == reasons["feature"]).all()
    loaded, patients = names["loaded"], names["patients"]
    scores = names["detector"].score_samples(patients)
    np.testing.assert_array_equal(loaded.score_samples(patients), scores)


def check_grid_search(names):
    maps = names["maps"]
    assert maps["auroc"].shape == maps["label_free"].shape == (3, 3)
    best = names["search"].best_params_
    i, j = np.unravel_index(maps["auroc"].argmax(), (3, 3))
    assert names["grid"]["mining_rate"][i] == best["mining_rate"]
    assert names["grid"]["generation_scale"][j] == best["generation_scale"]
    assert maps["auroc"][0].mean() + 0.5 < maps["auroc"][1:].mean()
    assert -1 <= names["rho"] <= 1
    # The words that are printed follow from the numbers.
    assert (names["wider"] == "the folds") == (names["noise"] > names["spread"])
    assert (names["shown"] == "beats") == (names["low"] > 0)


def check_pyod_side_by_side(names):
    results, means = names["results"], names["means"]
    assert len(results) == 10 * 8
    assert results[["AUROC", "AP"]].notna().all(axis=None)
    # Among the best, by how little is printed.
    assert (means.loc["NCAE"] > means.max() - 5).all()
    assert names["rank"] == (means["AP"] >= means.loc["NCAE", "AP"]).sum()
    assert 0 < names["lost"].mean() <= 1


def check_digits(names):
    assert names["auroc"] > 0.95
    flagged, is_other = names["flagged"], names["is_other"]
    assert (flagged & is_other).sum() >= 16
    # The middle of a zero is white, in generated rows too.
    images = names["generated"].reshape(-1, 8, 8)
    assert images[:, 3:5, 3:5].mean() < 4 < images[:, 3:5, [1, 2, 5, 6]].mean()
    zeros, others = names["maps"]
    assert divmod(others.argmax(), 8) in {(3, 3), (3, 4), (4, 3), (4, 4)}
    assert others.sum() > 2 * zeros.sum()
    added = names["explanation"].contributions
    np.testing.assert_allclose(added.sum(axis=1), names["errors"])


CHECKS = {
    "plot_breast_cancer": (check_breast_cancer, 1),
    "plot_digits": (check_digits, 4),
    "plot_grid_search": (check_grid_search, 1),
    "plot_pyod_side_by_side": (check_pyod_side_by_side, 1),
    "plot_tabular_walk": (check_tabular_walk, 2),
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a script in an empty folder and return the names that it defines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    # The scripts may change the settings of matplotlib.
    with matplotlib.rc_context():
        plt.switch_backend("agg")
        yield runpy.run_path
        plt.close("all")


def test_every_example_of_the_gallery_has_a_check():
    assert sorted(path.stem for path in EXAMPLES.glob("plot_*.py")) == sorted(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_example_runs_and_shows_what_its_text_says(name, run):
    check, n_figures = CHECKS[name]
    # As a string: torch looks through all modules, and expects one for their __file__.
    names = run(str(EXAMPLES / f"{name}.py"))
    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert len(figures) == n_figures
    assert all(ax.has_data() for figure in figures for ax in figure.axes)
    check(names)


def test_benchmark_script_compares_detectors_on_a_folder(tmp_path, monkeypatch, capsys):
    X = np.random.default_rng(0).normal(size=(120, 4))
    y = np.repeat([1, 0], [6, 114])
    X[y == 1] += 8
    np.savez(tmp_path / "planted.npz", X=X, y=y)
    monkeypatch.setattr(sys, "argv", ["benchmark_pyod.py", str(tmp_path)])
    names = runpy.run_path(str(EXAMPLES / "benchmark_pyod.py"))
    means = names["means"]
    assert len(means) == 9
    assert means.notna().all(axis=None)
    assert means.loc["NCAE", ["ROC", "Precision @ rank n"]].tolist() == [1.0, 1.0]
    assert "planted: 120 rows, 4 columns, 5.0%" in capsys.readouterr().out


def test_benchmark_script_says_what_a_folder_has_to_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark_pyod.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="holds no .npz files"):
        runpy.run_path(str(EXAMPLES / "benchmark_pyod.py"))
