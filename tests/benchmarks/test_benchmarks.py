"""The benchmark suite on a tiny data set of its own; no baseline is needed."""

import hashlib
import sys
import types

import numpy as np
import pandas as pd
import pytest

from benchmarks.detectors import baselines
from benchmarks.detectors import registry as detectors
from benchmarks.harness import protocols, records
from benchmarks.reports import figures
from benchmarks.reports import tables as report
from benchmarks.sets import tables as datasets
from benchmarks.suites import criterion as criterion_suite
from benchmarks.suites import scale as scale_suite
from benchmarks.suites import speed as speed_suite
from benchmarks.suites import tables as odds
from benchmarks.suites import thresholds as thresholds_suite
from skncae.evidence._scorer import EVIDENCE

OWN = """
import os, time

class Distance:
    def fit(self, X):
        return self
    def score_samples(self, X):
        return -(X ** 2).sum(axis=1)

class Crash(Distance):
    def fit(self, X):
        os._exit(3)

class Sleep(Distance):
    def fit(self, X):
        time.sleep(60)

class Nan(Distance):
    def score_samples(self, X):
        return X[:, 0] * float("nan")

class Refuse(Distance):
    def fit(self, X):
        raise ValueError("no such rows # please")

class Uninstalled:
    def __init__(self):
        import a_package_that_nobody_has
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Register a data set of 40 normal rows and 10 outliers, far away."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(40, 3)), rng.normal(9, 1, size=(10, 3))])
    y = np.repeat([0, 1], [40, 10])
    (tmp_path / "odds").mkdir()
    path = tmp_path / "odds" / "tiny.npz"
    np.savez(path, X=X, y=y)
    monkeypatch.setenv("SKNCAE_DATA", str(tmp_path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _register(monkeypatch, "tiny", digest)
    (tmp_path / "own_detectors.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def _register(monkeypatch, name, digest):
    entry = datasets.DataSet(name, "odds", 50, 3, 10, "nowhere/x.npz", "0" * 64, digest)
    monkeypatch.setitem(datasets.REGISTRY, name, entry)


def _run(folder, *arguments, names="own_detectors:Distance"):
    output = str(folder / "out.csv")
    odds.main(["--output", output, "--detectors", names, *arguments])
    return records.read(output)


def test_every_kind_of_evidence_is_left_out_once():
    assert detectors.EVIDENCE == EVIDENCE
    for kind in EVIDENCE:
        detector = detectors.find(f"NCAE-no-{kind}").make(0, 3)
        assert set(detector.evidence) == set(EVIDENCE) - {kind}


# --- data sets -----------------------------------------------------------------


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


def test_local_file_with_another_checksum_is_refused(tiny, monkeypatch):
    _register(monkeypatch, "tiny", "f" * 64)
    with pytest.raises(ValueError, match=r"tiny\.npz has SHA-256 .* unset SKNCAE_DATA"):
        datasets.load("tiny")


def test_unknown_data_set_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="no data set nope.*cardio"):
        datasets.names("nope")


def test_missing_data_set_is_a_row(tiny, monkeypatch):
    _register(monkeypatch, "absent", "f" * 64)
    monkeypatch.setitem(sys.modules, "pooch", None)  # No network in tests.
    frame = _run(tiny, "--datasets", "absent", "--seeds", "0")
    assert list(frame.status) == ["missing-data"]
    assert "absent.npz" in frame.note[0]


# --- protocols -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "n_train", "n_score", "n_outliers"),
    [("contaminated", 50, 50, 10), ("split", 30, 20, 4), ("clean", 24, 26, 10)],
)
def test_protocol_has_the_rows_that_it_promises(
    tiny, protocol, n_train, n_score, n_outliers
):
    X, y = datasets.load("tiny")
    task = protocols.prepare(X, y, protocol, seed=0)
    assert len(task.X_train) == n_train
    assert len(task.X_score) == len(task.y_score) == n_score
    assert task.y_score.sum() == n_outliers
    np.testing.assert_allclose(task.X_train.mean(axis=0), 0, atol=1e-12)


def test_clean_protocol_trains_on_no_outlier(tiny):
    X, y = datasets.load("tiny")
    task = protocols.prepare(X, y, "clean", seed=1)
    # Outliers lie nine deviations away, so one of them would show.
    assert np.abs(task.X_train).max() < 4 < np.abs(task.X_score).max()


def test_subsample_keeps_the_share_of_outliers_and_at_least_two():
    y = np.zeros(30_000, dtype=int)
    y[:300] = 1
    rows = protocols.subsample(y, 10_000, np.random.default_rng(0))
    assert len(np.unique(rows)) == 10_000 and y[rows].sum() == 100
    y[3:300] = 0
    rows = protocols.subsample(y, 10_000, np.random.default_rng(0))
    assert y[rows].sum() == 2


def test_large_set_is_subsampled_by_seed_unless_full():
    X, y = np.random.default_rng(0).normal(size=(10_500, 2)), np.zeros(10_500, int)
    y[:50] = 1
    first, again, other = (
        protocols.prepare(X, y, "contaminated", seed) for seed in (0, 0, 1)
    )
    assert first.n == 10_000 and first.depends_on_seed
    np.testing.assert_array_equal(first.X_train, again.X_train)
    assert not np.array_equal(first.X_train, other.X_train)
    assert protocols.prepare(X, y, "contaminated", 0, full=True).n == 10_500


# --- detectors -----------------------------------------------------------------


def test_rows_in_pieces_are_scored_as_by_a_fit_on_all_of_them():
    X = np.random.default_rng(0).normal(size=(50, 3))
    whole = detectors.find("NCAEDetector").make(0, 3).fit(X)
    name = "benchmarks.detectors.baselines:InPieces(rows=30)"
    pieces = detectors.find(name).make(0, 3).fit(X)
    assert pieces.detector_.n_samples_seen_ == 50
    np.testing.assert_array_equal(pieces.decision_function(X), -whole.score_samples(X))


def test_detector_name_may_carry_parameters():
    names = detectors.names("NCAEDetector(n_estimators=8, latent_dim=3),SquaredZ")
    assert names == ["NCAEDetector(n_estimators=8, latent_dim=3)", "SquaredZ"]
    made = detectors.find("sklearn.ensemble:IsolationForest(n_estimators=8)").make(5, 3)
    assert made.n_estimators == 8 and made.random_state == 5


def test_unknown_detector_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="no detector 'Nope'.*NCAEDetector"):
        detectors.names("Nope")


def test_squared_z_ignores_a_constant_column():
    X = np.array([[0.0, 7.0], [2.0, 7.0]])
    np.testing.assert_allclose(baselines.SquaredZ().fit(X).decision_function(X), 1)


# --- odds ----------------------------------------------------------------------


def test_run_writes_a_row_per_detector_and_seed_with_provenance(tiny, capsys):
    frame = _run(
        tiny,
        *("--datasets", "tiny", "--seeds", "0-2", "--jobs", "2"),
        names="own_detectors:Distance,SquaredZ",
    )
    assert len(frame) == 6 and set(frame.status) == {"ok"}
    assert (frame.auroc == 1).all() and (frame.ap == 1).all()
    assert (frame.fit_s >= 0).all()
    first = (tiny / "out.csv").read_text().splitlines()[0]
    assert first.startswith("# ") and "protocol contaminated | seeds 0,1,2" in first
    assert "SquaredZ       100.0 +-  0.0" in capsys.readouterr().out


def test_deterministic_detector_runs_once_for_rows_that_do_not_depend_on_the_seed(tiny):
    frame = _run(tiny, "--datasets", "tiny", "--seeds", "0,1", names="SquaredZ")
    assert frame.note[1] == "deterministic: as seed 0"
    assert frame.fit_s[0] == frame.fit_s[1]


def test_second_run_skips_the_rows_of_the_first(tiny, monkeypatch):
    _run(tiny, "--datasets", "tiny", "--seeds", "0")
    text = (tiny / "out.csv").read_text()
    monkeypatch.setattr(odds.isolation, "run_isolated", None)  # Would raise.
    frame = _run(tiny, "--datasets", "tiny", "--seeds", "0")
    assert len(frame) == 1 and (tiny / "out.csv").read_text() == text


def test_run_with_again_replaces_the_row(tiny):
    _run(tiny, "--datasets", "tiny", "--seeds", "0")
    frame = _run(tiny, "--datasets", "tiny", "--seeds", "0", "--again")
    assert len(frame) == 1
    assert len((tiny / "out.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "status", "note"),
    [
        ("Crash", "crash", "exit code 3"),
        ("Nan", "error", "50 of them not finite"),
        ("Refuse", "error", "ValueError: no such rows no. please"),
        ("Uninstalled", "missing-package", "pip install own_detectors"),
    ],
)
def test_fit_that_fails_is_a_row_and_the_next_one_runs(tiny, name, status, note):
    frame = _run(
        tiny,
        *("--datasets", "tiny", "--seeds", "0"),
        names=f"own_detectors:{name},own_detectors:Distance",
    ).set_index("detector")
    failed = frame.loc[f"own_detectors:{name}"]
    assert failed.status == status and note in failed.note and np.isnan(failed.auroc)
    assert frame.status["own_detectors:Distance"] == "ok"


def test_fit_over_the_time_limit_is_a_row(tiny):
    # It sleeps far longer than the limit, on however busy a machine.
    frame = _run(
        tiny,
        *("--datasets", "tiny", "--seeds", "0", "--time-limit", "2"),
        names="own_detectors:Sleep",
    )
    assert frame.status[0] == "timeout" and "over 2 s" in frame.note[0]
    assert np.isnan(frame.auroc[0])


# --- report --------------------------------------------------------------------


@pytest.fixture
def results(tmp_path):
    """Write results of three detectors on two sets; one fit of C crashed."""
    path = tmp_path / "results.csv"
    records.append_provenance(path, "somewhere")
    values = {"A": (0.9, 0.8), "B": (0.7, 0.6), "C": (0.95, None)}
    for detector, (cardio, thyroid) in values.items():
        for dataset, value in (("cardio", cardio), ("thyroid", thyroid)):
            row = {"dataset": dataset, "n": 9, "d": 2, "outlier_share": 0.1, "seed": 0}
            row |= {"detector": detector, "protocol": "clean", "rows": "max-10000"}
            row |= {"status": "crash", "note": "exit code -9"}
            if value is not None:
                row |= {"status": "ok", "note": "", "auroc": value, "ap": value}
                row |= {"fit_s": 1.0, "fit_cpu_s": 1.0, "score_s": 0.1, "peak_mb": 1.0}
            records.append(path, row)
    return path


def test_failed_fit_counts_as_worst_rank_and_as_chance_in_the_mean(results):
    completed = report.filled(records.read(results))
    ranks = report.ranks(completed, "auroc")
    assert ranks.loc["cardio"].to_dict() == {"A": 2, "B": 3, "C": 1}
    assert ranks.loc["thyroid"].to_dict() == {"A": 1, "B": 2, "C": 3}
    summary = report.summary(completed)
    assert summary.auroc["C"] == pytest.approx((0.95 + 0.5) / 2)
    # Chance: 10 % outliers in all, beside 40 % of the normal rows when scored.
    assert summary.ap["C"] == pytest.approx((0.95 + 0.1 / (0.1 + 0.4 * 0.9)) / 2)


def test_fit_that_never_ran_counts_as_worst_rank(results):
    frame = records.read(results)
    completed = report.filled(
        frame[(frame.detector != "A") | (frame.dataset != "cardio")]
    )
    assert report.ranks(completed, "ap").loc["cardio", "A"] == 3
    assert "not run" in report.render_failures(frame, completed)


def test_parts_are_compared_on_the_seeds_that_all_of_them_have(results):
    frame = records.read(results)
    more = pd.concat([frame, frame[frame.detector == "A"].assign(seed=1)])
    kept = report.on_common_seeds(more)
    assert set(kept.seed) == {0} and set(kept.detector) == {"A", "B", "C"}


def test_report_writes_tables_and_lists_failures(results):
    report.main([str(results), "--no-figures"])
    text = results.with_suffix(".md").read_text()
    assert "| A | 85.0 ± 0.0 | 85.0 ± 0.0 | 1.5 | 1.5 |" in text
    assert "| C | thyroid | 0 | crash | exit code -9 |" in text
    assert "| cardio | 90.0 | **95.0** | 70.0 |" in text


def test_figures_are_written(results, tmp_path):
    completed = report.filled(records.read(results))
    figures.box_plot(report.per_set(completed, "ap"), "AP", tmp_path / "box.png")
    figures.accuracy_against_time(
        report.summary(completed), "ap", "AP", tmp_path / "time.png"
    )
    for name in ("box.png", "time.png"):
        assert (tmp_path / name).read_bytes()[1:4] == b"PNG"


# --- speed ---------------------------------------------------------------------


def test_speed_skips_what_is_there_and_gives_ratios(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed_suite, "EXPERIMENTS", {"members": ("SquaredZ",)})
    output = tmp_path / "speed.csv"
    for repeats in ("1", "2"):
        speed_suite.main(["--output", str(output), "--repeats", repeats])
    frame = pd.read_csv(output, comment="#")
    assert list(frame.repeat) == [0, 1] and set(frame.status) == {"ok"}
    assert "SquaredZ" in capsys.readouterr().out


# --- scale ---------------------------------------------------------------------


def test_scale_skips_what_is_there_and_prints_rates(tmp_path, monkeypatch, capsys):
    cases = [("IsolationForest", 300, 4), ("NCAEDetector", 300, 4)]
    monkeypatch.setattr(
        scale_suite,
        "EXPERIMENTS",
        {
            "scores": lambda options: (
                cases,
                scale_suite.measure_scores,
                options.repeats,
            )
        },
    )
    output = tmp_path / "scale.csv"
    for repeats in ("1", "2"):
        scale_suite.main(
            ["--output", str(output), "--repeats", repeats, "--folder", str(tmp_path)]
        )
    frame = pd.read_csv(output, comment="#")
    assert list(frame.repeat) == [0, 0, 1, 1] and set(frame.status) == {"ok"}
    assert (frame.cpu_s > 0).all() and (
        frame.floor_s[frame.case == cases[1][0]] > 0
    ).all()
    assert "rows/s" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["scale.csv"]


def test_failure_of_a_scale_case_is_a_row():
    context = scale_suite.isolation.start_context()
    outcome = scale_suite.in_child(
        context, 100, scale_suite.measure_scores, "?", 9, 9, 0
    )
    assert outcome["status"] == "error" and "AttributeError" in outcome["note"]


# --- criterion -----------------------------------------------------------------


def _normality(n_inside):
    """Scores of 100 rows, and of 100 uniform ones of which n_inside score as high."""
    return np.linspace(1, 2, 100), np.repeat([1.5, 0.0], [n_inside, 100 - n_inside])


def test_smaller_level_sets_give_more_excess_mass_and_less_volume():
    small, large = _normality(1), _normality(30)
    assert criterion_suite.excess_mass(*small) > criterion_suite.excess_mass(*large)
    assert criterion_suite.mass_volume(*small) == pytest.approx(0.01)
    assert criterion_suite.mass_volume(*large) == pytest.approx(0.3)


def test_excess_mass_is_that_of_the_best_level_set():
    scores, uniform = _normality(10)
    # EM(t) = 1 - 0.1 t while that level set is the best one; it ends at EM = 0.9.
    assert criterion_suite.excess_mass(scores, uniform) == pytest.approx(
        np.trapezoid(1 - 0.1 * np.arange(0, 1, 0.1), dx=0.1)
    )


def test_consensus_ranks_far_rows_as_least_normal(tiny):
    X, y = datasets.load("tiny")
    agreed = criterion_suite.consensus(X)
    assert agreed[y == 1].mean() < agreed[y == 0].mean()


def test_criterion_chooses_the_auroc_of_its_best_setting_and_shares_ties():
    frame = pd.DataFrame(
        {"dataset": "tiny", "seed": 0, "setting": ["default", "a", "b"]}
        | dict.fromkeys(criterion_suite.CRITERIA, [1.0, 1.0, 0.0])
        | {"mv": [-2.0, -3.0, -1.0], "auroc": [0.5, 0.7, 0.9]}
    )
    chosen = criterion_suite.choices(frame).iloc[0]
    assert chosen.uniform == pytest.approx(0.6)
    assert chosen.mv == chosen.best == 0.9
    assert chosen.default == chosen.worst == 0.5
    assert chosen["rho mv"] == pytest.approx(0.5)


def test_criterion_suite_writes_a_row_a_setting_and_skips_it_later(
    tiny, monkeypatch, capsys
):
    settings = {"default": {"max_iter": 2}, "tau=0": {"max_iter": 2, "mining_rate": 0}}
    monkeypatch.setattr(criterion_suite, "SETTINGS", settings)
    arguments = ["--datasets", "tiny", "--seeds", "0", "--output", str(tiny / "c.csv")]
    criterion_suite.main(arguments)
    text = (tiny / "c.csv").read_text()
    frame = pd.read_csv(tiny / "c.csv", comment="#")
    assert list(frame.setting) == list(settings) and set(frame.status) == {"ok"}
    assert frame[["auroc", *criterion_suite.CRITERIA]].notna().all(axis=None)
    assert "tau and sigma only, 2 settings" in capsys.readouterr().out
    monkeypatch.setattr(criterion_suite, "measure", None)  # Would raise.
    criterion_suite.main(arguments)
    assert (tiny / "c.csv").read_text() == text


def test_missing_data_set_is_a_row_of_the_criterion_suite(tiny, monkeypatch):
    _register(monkeypatch, "absent", "f" * 64)
    monkeypatch.setitem(sys.modules, "pooch", None)  # No network in tests.
    monkeypatch.setattr(criterion_suite, "SETTINGS", {"default": {}})
    options = criterion_suite.parse(
        ["--datasets", "absent", "--seeds", "0", "--output", str(tiny / "c.csv")]
    )
    assert list(criterion_suite.run(options).status) == ["missing-data"]


# --- thresholds ----------------------------------------------------------------


@pytest.mark.parametrize("rule", sorted(set(thresholds_suite.OURS) - {"fixed 0.1"}))
def test_rule_finds_the_share_of_errors_that_are_far_from_the_others(rule):
    errors = np.exp(np.random.default_rng(0).normal(scale=0.2, size=500))
    errors[:50] *= 20
    assert thresholds_suite.OURS[rule](errors) == pytest.approx(0.1, abs=0.02)


def test_planted_rows_hold_the_share_of_outliers_that_they_say():
    options = thresholds_suite.parse(["--suites", "real,planted", "--seeds", "1"])
    for _, name, _, X, y in thresholds_suite.tasks(options):
        assert X.shape[0] == len(y)
        assert y.mean() == pytest.approx(float(name.split()[-1]), abs=0.01)


def test_thresholds_are_judged_by_every_rule_on_the_same_fit(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    normal, far = rng.normal(size=(190, 3)), 9 + rng.normal(size=(10, 3))
    monkeypatch.setattr(
        thresholds_suite,
        "tasks",
        lambda options: [
            (
                "planted",
                f"set {share}",
                0,
                *thresholds_suite.mixed(normal, far, share, rng),
            )
            for share in (0.0, 0.05)
        ],
    )
    options = thresholds_suite.parse(["--output", str(tmp_path / "thresholds.csv")])
    frame = thresholds_suite.run(options)
    with_outliers = frame[frame.true_share > 0].set_index("rule")
    assert with_outliers.f1["oracle"] == 1.0
    assert with_outliers.share["fixed 0.1"] == 0.1
    assert with_outliers.low["auto"] <= 0.05 <= with_outliers.high["auto"]
    text = thresholds_suite.table(frame)
    assert "planted, no outliers, 1 fits" in text and "PyThresh FILTER" in text
