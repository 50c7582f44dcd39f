"""Displays: what they compute, and what they look like."""

import copy
import sys

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skncae import Explanation, NCAEDetector
from skncae._sentences import Column
from skncae.plotting import (
    FeatureContributionDisplay,
    GeneratedSamplesDisplay,
    LatentSpaceDisplay,
    ReconstructionDisplay,
    ScoreDistributionDisplay,
    TrainingHistoryDisplay,
    WeightsDisplay,
)
from skncae.plotting._axes import BLUE, VERMILION
from skncae.pyod import NCAE

DISPLAYS = {
    "contributions": FeatureContributionDisplay,
    "generated": GeneratedSamplesDisplay,
    "history": TrainingHistoryDisplay,
    "latent": LatentSpaceDisplay,
    "reconstruction": ReconstructionDisplay,
    "scores": ScoreDistributionDisplay,
    "weights": WeightsDisplay,
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted(X):
    return NCAEDetector(n_estimators=3, max_iter=10, random_state=0).fit(X)


@pytest.fixture
def detector(fitted):
    # A copy: some tests change theirs.
    return copy.deepcopy(fitted)


@pytest.fixture
def explanation():
    """Return three rows of four columns, made by hand."""
    return Explanation(
        values=np.array(
            [[1.0, 2.0, 30.0, 4.0], [1.0, 0.5, 20.0, 4.5], [0, 3, 40, 5.0]]
        ),
        expected=np.array(
            [[1.2, 1.0, 31.0, 4.0], [1.0, 1.5, 25.0, 4.0], [1, 2, 30, 4]]
        ),
        contributions=np.array(
            [[0.2, 1.5, 0.3, 0.0], [0, 0.3, 0.5, 0.1], [1, 1, 2, 2]]
        ),
        feature_names=np.array(["width", "depth", "height", "mass"]),
    )


def made_by_hand(name):
    """Return a display of fixed data, so that no training is in its pixels."""
    rng = np.random.default_rng(0)
    if name == "scores":
        errors = np.concatenate([rng.exponential(size=300), rng.uniform(1, 6, size=30)])
        y = np.repeat([0, 1], [300, 30])
        return ScoreDistributionDisplay(errors, 2.3, y=y, mined_share=0.1)
    if name == "history":
        decay = np.exp(-np.arange(60) / 20)[:, None]
        noise = 0.3 * rng.normal(size=(6, 60, 5))
        return TrainingHistoryDisplay(
            {
                "reconstruction_loss": 3 + 5 * decay + 5 * noise[0],
                "sample_discriminator_loss": 1.4 - decay + noise[1],
                "latent_discriminator_loss": 1.0 + decay + noise[2],
                "mined_share": 0.1 + 0 * noise[3],
                "mining_score_kept": 0.9 - decay + noise[4],
                "mining_score_mined": 0.3 - decay + noise[5],
            }
        )
    if name == "weights":
        weights = np.exp2(rng.normal(size=(3, 5)))
        kinds = ["reconstruction", "tails", "distance"]
        return WeightsDisplay(pd.DataFrame(weights, kinds, list("abcde")), k=4)
    X = rng.normal(size=(200, 6)) * 10.0 ** np.arange(6)
    if name == "latent":
        Z = X[:, :2] / [1, 10]
        return LatentSpaceDisplay(Z, (Z**2).sum(1), Z[:40] / 3, np.zeros(2))
    names = np.array(["a", "b", "c", "d", "e", "f"])
    if name == "generated":
        return GeneratedSamplesDisplay(X, X[:90] / 2, names)
    contributions = (X / X.std(0)) ** 2
    explanation = Explanation(X, X / 2, contributions, names)
    return DISPLAYS[name](explanation, rows=[3, 5], k=4)


# --- looks ---------------------------------------------------------------------


@pytest.mark.parametrize("name", DISPLAYS)
@pytest.mark.mpl_image_compare(
    style="default", tolerance=6, savefig_kwargs={"dpi": 50}, deterministic=True
)
def test_figure_looks_like_its_baseline(name):
    return made_by_hand(name).plot().figure_


@pytest.mark.parametrize("name", DISPLAYS)
@pytest.mark.mpl_image_compare(
    style="dark_background",
    tolerance=6,
    savefig_kwargs={"dpi": 50, "facecolor": "black"},
    deterministic=True,
)
def test_figure_in_a_dark_style_looks_like_its_baseline(name):
    return made_by_hand(name).plot().figure_


# --- all of them ---------------------------------------------------------------


def draw(name, detector, X, ax=None):
    rows = () if name in ("history", "scores", "weights") else (X,)
    return DISPLAYS[name].from_estimator(detector, *rows, ax=ax)


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_draws_a_fitted_detector_and_draws_again(detector, X, name):
    display = draw(name, detector, X)
    first = display.figure_
    assert isinstance(display, DISPLAYS[name])
    assert display.plot() is display
    assert display.figure_ is not first
    display.figure_.canvas.draw()


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_draws_in_the_axes_that_it_is_given_and_in_no_other(detector, X, name):
    n_axes = {"history": 3, "reconstruction": 3}.get(name, 1)
    figure, axes = plt.subplots(n_axes)
    display = draw(name, detector, X, ax=axes)
    assert display.figure_ is figure
    drawn = getattr(display, "axes_", [getattr(display, "ax_", None)])
    assert list(drawn) == list(np.ravel(axes))
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_labels_its_axes_in_words(detector, X, name):
    display = draw(name, detector, X)
    axes = getattr(display, "axes_", [getattr(display, "ax_", None)])
    assert all(a.get_title() for a in axes)
    assert axes[-1].get_xlabel() or name == "reconstruction"


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_works_with_rows_in_a_frame(fast, X, name):
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X)) + 500)
    draw(name, fast().fit(frame), frame).figure_.canvas.draw()


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_without_matplotlib_says_what_to_install(
    detector, X, name, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install .skncae\[plot\]"):
        draw(name, detector, X)


def test_wrong_number_of_axes_raises(detector):
    with pytest.raises(ValueError, match="ax must hold 3 Axes for this, got 2"):
        TrainingHistoryDisplay.from_estimator(detector, ax=plt.subplots(2)[1])


@pytest.mark.parametrize("rows", [[], [-1], [0, 200], [[0, 1]]])
@pytest.mark.parametrize("name", ["contributions", "reconstruction"])
def test_rows_that_there_are_not_raise(detector, X, name, rows):
    with pytest.raises(ValueError, match="rows must be positions from 0 to 199"):
        DISPLAYS[name].from_estimator(detector, X, rows=rows)


@pytest.mark.parametrize("rows", [[0, 1.0], ["a"], [True, False]])
@pytest.mark.parametrize("name", ["contributions", "reconstruction"])
def test_rows_that_are_no_positions_raise(detector, X, name, rows):
    with pytest.raises(TypeError, match="rows must be integers.*flatnonzero"):
        DISPLAYS[name].from_estimator(detector, X, rows=rows)


@pytest.mark.parametrize(
    "k, error", [(0, ValueError), (2.5, TypeError), (True, TypeError)]
)
@pytest.mark.parametrize(
    "name", ["contributions", "generated", "reconstruction", "weights"]
)
def test_number_of_columns_that_is_none_raises(detector, X, name, k, error):
    rows = () if name == "weights" else (X,)
    with pytest.raises(error, match="^k "):
        DISPLAYS[name].from_estimator(detector, *rows, k=k)


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_of_an_unfitted_detector_raises_not_fitted(fast, X, name):
    with pytest.raises(NotFittedError):
        draw(name, fast(), X)


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_of_what_holds_a_detector_says_where_it_is(fast, X, name):
    ncae = NCAE(**fast().get_params()).fit(X)
    with pytest.raises(TypeError, match=r"got NCAE\..*its detector_"):
        draw(name, ncae, X)


@pytest.mark.parametrize("name", DISPLAYS)
def test_display_draws_a_pipeline_that_ends_in_a_detector(fast, X, name):
    pipeline = make_pipeline(StandardScaler(), fast()).fit(X)
    draw(name, pipeline, X).figure_.canvas.draw()


def test_axis_of_the_scores_of_a_detector_shows_a_gap_and_keeps_the_order(X):
    far = np.concatenate([X[15:], 30 + X[15:19]])
    detector = NCAEDetector(n_estimators=2, max_iter=20, random_state=0).fit(far)
    display = ScoreDistributionDisplay.from_estimator(detector, far)
    places = detector._scorer.deviations(display.errors)
    order = np.argsort(display.errors, kind="stable")
    assert (np.diff(places[order]) >= 0).all()
    others = np.sort(places[:-4])
    # The gap is wider than what the middle half of the rows spans.
    assert places[-4:].min() - others[-1] > others[138] - others[46]
    empty = [bar.get_height() == 0 for bar in display.bars_]
    assert sum(empty) > 10
    at = display.line_.get_xdata()[0]
    assert (places > at).sum() == (detector.predict(far) == -1).sum()


def test_counts_of_single_rows_show_beside_those_of_thousands():
    errors = np.concatenate([np.random.default_rng(0).normal(size=5000), [9.0]])
    display = ScoreDistributionDisplay.from_predictions(errors, 5.0)
    axes = display.ax_
    bottom, top = axes.transData.transform([(0, 1), (0, axes.get_ylim()[1])])[:, 1]
    floor = axes.transData.transform((0, 0))[1]
    assert (bottom - floor) / (top - floor) > 0.05


# --- scores --------------------------------------------------------------------


def test_score_distribution_shows_the_training_errors_and_the_threshold(detector, X):
    display = ScoreDistributionDisplay.from_estimator(detector)
    np.testing.assert_array_equal(display.errors, -detector.training_scores_)
    at = detector._scorer.deviations(np.array([detector.threshold_]))[0]
    assert display.line_.get_xdata()[0] == at
    assert sum(bar.get_height() for bar in display.bars_) == 200
    flagged = 100 * np.mean(detector.predict(X) == -1)
    title = f"{flagged:.0f} % of 200 rows flagged, 10 % mined in training"
    assert display.ax_.get_title() == title


def test_score_distribution_shows_given_rows(detector, X):
    display = ScoreDistributionDisplay.from_estimator(detector, X[:9])
    np.testing.assert_array_equal(display.errors, -detector.score_samples(X[:9]))


@pytest.mark.parametrize("outlier, normal", [(1, 0), (-1, 1), (True, False)])
def test_score_distribution_tells_outliers_from_normal_rows(outlier, normal):
    errors = np.array([0.1, 0.2, 0.3, 5.0, 6.0])
    y = [normal, normal, normal, outlier, outlier]
    display = ScoreDistributionDisplay.from_predictions(errors, 1.0, y)
    counts = [sum(bar.get_height() for bar in bars) for bars in display.bars_]
    assert counts == [3, 2]
    assert display.ax_.get_title() == "40 % of 5 rows flagged"
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert {"3 normal rows", "2 outliers"} < set(names)


@pytest.mark.parametrize("y", [[1, 1, 1], [0, 1, 2], [-1, 0, 1]])
def test_labels_that_do_not_say_which_is_the_outlier_raise(y):
    with pytest.raises(ValueError, match="y must be 1 for outliers and 0"):
        ScoreDistributionDisplay.from_predictions([1.0, 2.0, 3.0], 1.0, y)


def test_labels_of_another_number_of_rows_raise():
    with pytest.raises(ValueError, match="one label for each of the 3 rows"):
        ScoreDistributionDisplay.from_predictions([1.0, 2.0, 3.0], 1.0, [0, 1])


@pytest.mark.parametrize("labels", [[None, 1, 0], ["a", 1, 0], [np.nan, 1, 0]])
def test_labels_that_are_no_numbers_raise(labels):
    labels = np.array(labels, dtype=object)
    with pytest.raises(ValueError, match="y must be 1 for outliers and 0"):
        ScoreDistributionDisplay.from_predictions([1.0, 2.0, 3.0], 1.0, labels)


@pytest.mark.parametrize(
    "threshold, error",
    [
        ("a", TypeError),
        (None, TypeError),
        (True, TypeError),
        ([1.0], TypeError),
        (np.nan, ValueError),
        (np.inf, ValueError),
    ],
)
def test_threshold_that_is_no_finite_number_raises_before_it_is_drawn(threshold, error):
    with pytest.raises(error, match=r"^threshold must be .*\w+"):
        ScoreDistributionDisplay.from_predictions([1.0, 2.0, 3.0], threshold)
    assert not plt.get_fignums()


@pytest.mark.parametrize("n_generated, error", [(0, ValueError), (True, TypeError)])
@pytest.mark.parametrize("name", ["latent", "generated"])
def test_number_of_generated_rows_that_is_none_raises(
    detector, X, name, n_generated, error
):
    with pytest.raises(error, match="^n_generated "):
        DISPLAYS[name].from_estimator(detector, X, n_generated=n_generated)


@pytest.mark.parametrize(
    "errors", [[], [1.0, np.nan], [[1.0, 2.0], [3.0, 4.0]], ["a", "b"]]
)
def test_errors_that_are_not_one_number_a_row_raise(errors):
    with pytest.raises(ValueError, match="errors must be finite numbers, one for each"):
        ScoreDistributionDisplay.from_predictions(errors, 2.0)


def test_errors_of_many_magnitudes_get_a_logarithmic_axis_that_has_all_of_them():
    errors = np.concatenate([[0.0], np.geomspace(1e-2, 1e5, 99)])
    display = ScoreDistributionDisplay.from_predictions(errors, 1.0)
    assert display.ax_.get_xscale() == "log"
    assert sum(bar.get_height() for bar in display.bars_) == 100


# --- history -------------------------------------------------------------------


def test_history_shows_means_over_members(detector):
    display = TrainingHistoryDisplay.from_estimator(detector)
    assert set(display.lines_) == set(display.bands_)
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 11))
        np.testing.assert_array_equal(line.get_ydata(), detector.history_[name].mean(1))


@pytest.mark.parametrize(
    "parameter, name",
    [
        ({"mining_rate": 0.0}, "mining_score_mined"),
        ({"sample_discriminator": False}, "sample_discriminator_loss"),
        ({"latent_discriminator": False}, "latent_discriminator_loss"),
    ],
)
def test_history_leaves_out_what_was_switched_off(fast, X, parameter, name):
    lines = TrainingHistoryDisplay.from_estimator(fast(**parameter).fit(X)).lines_
    assert name not in lines and len(lines) == 4


def test_history_without_discriminators_is_drawn(fast, X):
    off = fast(sample_discriminator=False, latent_discriminator=False).fit(X)
    assert not TrainingHistoryDisplay.from_estimator(off).axes_[1].lines


# --- contributions and reconstructions -----------------------------------------


def test_bars_are_the_largest_contributions_and_sum_to_the_error(explanation):
    display = FeatureContributionDisplay(explanation, rows=0, k=2).plot()
    widths = [bar.get_width() for bar in display.bars_[0]]
    assert widths == pytest.approx([1.5, 0.3, 0.2])
    axes = display.axes_[0]
    assert axes.get_title() == "Row 0: error 2"
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "depth = 2  > 1 expected",
        "height = 30  < 31 expected",
        "2 other columns",
    ]


def test_bars_of_values_above_and_below_what_is_expected_differ(explanation):
    bars = FeatureContributionDisplay(explanation, rows=0, k=2).plot().bars_[0]
    colours = [matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in bars]
    assert colours[:2] == [VERMILION, BLUE]


def test_value_that_reads_as_the_expected_one_is_on_no_side_of_it():
    column = Column("a", "number", 2.0, decimals=0)
    values, expected = np.array([[0.0]]), np.array([[-0.2]])
    explanation = Explanation(
        values, expected, np.ones((1, 1)), np.array(["a"]), columns=(column,)
    )
    axes = FeatureContributionDisplay(explanation).plot().axes_[0]
    assert axes.get_yticklabels()[0].get_text() == "a = 0, 0 expected"


@pytest.mark.parametrize("name", ["contributions", "generated", "weights"])
def test_title_is_not_cut_where_a_column_has_a_long_name(name):
    long = ["a_column_with_a_name_of_32_chars", "b" * 60]
    X = np.random.default_rng(0).normal(size=(60, 2))
    display = {
        "contributions": FeatureContributionDisplay(Explanation(X, X, X**2, long)),
        "generated": GeneratedSamplesDisplay(X, X, long),
        "weights": WeightsDisplay(pd.DataFrame([[1, 2], [2, 1]], ["a", "b"], long)),
    }[name].plot()
    display.figure_.canvas.draw()
    (axes,) = display.figure_.axes[:1]
    box = axes.title.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= display.figure_.bbox.width
    assert axes.get_position().width * display.figure_.get_figwidth() > 2


def test_all_columns_have_bars_of_their_own_where_there_are_few(explanation):
    display = FeatureContributionDisplay(explanation, rows=[0, 1]).plot()
    assert [len(bars) for bars in display.bars_] == [4, 4]


def test_row_with_the_largest_error_is_drawn_by_default(explanation):
    display = FeatureContributionDisplay(explanation).plot()
    assert [axes.get_title() for axes in display.axes_] == ["Row 2: error 6"]


def test_rows_of_a_frame_are_named_by_their_labels(detector, X):
    frame = pd.DataFrame(X, index=[f"patient {i}" for i in range(len(X))])
    display = FeatureContributionDisplay.from_estimator(detector, frame, rows=[7])
    assert display.axes_[0].get_title().startswith("Row patient 7: error ")


def test_reconstruction_shows_values_and_expected_ones_on_one_scale(explanation):
    display = ReconstructionDisplay(explanation).plot()
    titles = [axes.get_title() for axes in display.axes_]
    assert titles == ["Row 2: error 6", "Row 0: error 2", "Row 1: error 0.9"]
    low, center, high = np.quantile(explanation.values, [0.05, 0.5, 0.95], axis=0)
    for row, value, expected in zip(
        [2, 0, 1], display.values_, display.expected_, strict=True
    ):
        for line, numbers in (
            (value, explanation.values),
            (expected, explanation.expected),
        ):
            np.testing.assert_allclose(
                line.get_ydata(), (numbers[row] - center) / (high - low) * 3.29
            )


def test_reconstruction_shows_the_columns_that_matter_in_their_order(explanation):
    axes = ReconstructionDisplay(explanation, rows=0, k=2).plot().axes_[0]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["depth", "height"]


def test_numbers_and_dates_in_text_are_drawn_as_what_they_are(fast):
    rng = np.random.default_rng(0)
    prices = rng.uniform(2, 8, 60).round(2)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, 60), "D")
    frame = pd.DataFrame(
        {
            "price": [f"$ {price:.2f}" for price in prices],
            "paid": days.strftime("%d.%m.%Y"),
            "city": rng.choice(["Ulm", "Bonn"], 60),
        }
    )
    frame.loc[7, ["price", "paid"]] = "$ 10.00", "01.02.1999"
    detector = fast().fit(frame)
    display = ReconstructionDisplay.from_estimator(detector, frame, rows=[7, 8])
    (tick,) = display.axes_[-1].get_xticklabels()
    assert tick.get_text() == "price"
    value, expected = display.values_[0].get_ydata(), display.expected_[0].get_ydata()
    assert value > expected and np.isfinite(value).all()
    bars = FeatureContributionDisplay.from_estimator(detector, frame, rows=[7])
    labels = " ".join(tick.get_text() for tick in bars.axes_[0].get_yticklabels())
    assert "price = $ 10.00  > $ " in labels and "paid = 01.02.1999  < " in labels
    frame.loc[7, "paid"] = "soon"
    with pytest.warns(UserWarning, match="Read as missing: 'paid'"):
        bars = FeatureContributionDisplay.from_estimator(detector, frame, rows=[7])
    labels = " ".join(tick.get_text() for tick in bars.axes_[0].get_yticklabels())
    assert "paid = soon, " in labels


def test_reconstruction_of_a_constant_column_is_drawn(fast):
    X = np.random.default_rng(0).normal(size=(50, 3))
    X[:, 1] = 7.0
    display = ReconstructionDisplay.from_estimator(fast().fit(X), X)
    assert np.isfinite([line.get_ydata() for line in display.values_]).all()


# --- latent space and generated rows -------------------------------------------


def test_latent_space_shows_two_latent_features_as_they_are(fast, X):
    detector = fast(latent_dim=2).fit(X)
    display = LatentSpaceDisplay.from_estimator(detector, X, member=1)
    # The most abnormal first, so that they do not hide the normal ones.
    order = np.argsort(detector.score_samples(X))
    np.testing.assert_array_equal(
        display.rows_.get_offsets(), detector.encode(X)[1][order]
    )
    np.testing.assert_array_equal(
        display.rows_.get_array(), -detector.score_samples(X)[order]
    )
    np.testing.assert_array_equal(
        np.ravel(display.mean_.get_data()), detector.latent_mean_[1]
    )


def test_latent_space_of_more_features_is_seen_along_its_principal_components(
    detector, X
):
    display = LatentSpaceDisplay.from_estimator(detector, X)
    Z = detector.encode(X)[0]
    order = np.argsort(detector.score_samples(X))
    np.testing.assert_allclose(
        display.rows_.get_offsets(), PCA(2).fit_transform(Z)[order]
    )
    assert display.ax_.get_xlabel().startswith("principal component 1 of 3")


def test_latent_space_of_one_feature_is_seen_against_the_error(fast, X):
    detector = fast(latent_dim=1).fit(X)
    display = LatentSpaceDisplay.from_estimator(detector, X)
    offsets = display.rows_.get_offsets()
    np.testing.assert_array_equal(offsets[:, 1], display.rows_.get_array())
    assert display.ax_.get_ylabel() == "error"


def test_latent_space_shows_as_many_generated_rows_as_asked_for(detector, X):
    shown = [
        LatentSpaceDisplay.from_estimator(
            detector, X, n_generated=7, random_state=seed
        ).generated_.get_data()
        for seed in (0, 0, 1)
    ]
    assert np.shape(shown[0]) == (2, 7)
    np.testing.assert_array_equal(shown[0], shown[1])
    assert not np.allclose(shown[0], shown[2])


def test_entropy_of_normal_features_is_that_of_the_normal_distribution():
    Z = np.random.default_rng(0).normal(size=(4000, 2))
    for scale in (1.0, 5.0):
        display = LatentSpaceDisplay(scale * Z, Z[:, 0], Z[:9], Z[0]).plot()
        expected = np.log(2 * np.pi * np.e * scale**2)
        assert display.entropy_ == pytest.approx(expected, abs=0.15)
        assert f"entropy {display.entropy_:.2f} nats" in display.ax_.get_title()


@pytest.mark.parametrize("Z", [np.zeros((30, 2)), np.eye(2)], ids=["constant", "few"])
def test_entropy_of_features_without_a_density_is_nan(Z):
    assert np.isnan(LatentSpaceDisplay(Z, Z[:, 0], Z, Z[0]).plot().entropy_)


def test_rows_outside_the_frame_are_counted():
    Z = np.random.default_rng(0).normal(size=(500, 2))
    Z[0] = 1000
    display = LatentSpaceDisplay(Z, Z[:, 0], Z[1:9], np.zeros(2)).plot()
    assert display.ax_.get_xlim()[1] < 10
    (low, high), (bottom, top) = display.ax_.get_xlim(), display.ax_.get_ylim()
    outside = (Z < [low, bottom]) | (Z > [high, top])
    label = f"500 rows ({outside.any(1).sum()} outside the frame)"
    assert display.rows_.get_label() == label


@pytest.mark.parametrize("member", [-1, 3, 1.5, True])
def test_latent_space_of_a_network_that_there_is_not_raises(detector, X, member):
    with pytest.raises(ValueError, match="member must be from 0 to 2"):
        LatentSpaceDisplay.from_estimator(detector, X, member=member)


def test_generated_rows_are_shown_on_the_scale_of_the_real_ones():
    X = np.arange(101.0)[:, None] * [1.0, 100.0]
    display = GeneratedSamplesDisplay(X, X[40:61], ["metres", "grams"]).plot()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["metres  [5, 95]", "grams  [500, 9500]"]
    for lines, ends in (
        (display.real_[0], [0, 1]),
        (display.generated_[0], [0.4, 0.6]),
    ):
        for segment in lines.get_segments():
            np.testing.assert_allclose(segment[:, 0], ends, atol=0.02)


def test_generated_rows_repeat_with_a_seed(detector, X):
    first, again = (
        GeneratedSamplesDisplay.from_estimator(detector, X, random_state=1).generated
        for _ in "ab"
    )
    np.testing.assert_array_equal(first, again)


@pytest.mark.filterwarnings("error")
def test_rows_with_missing_entries_can_be_drawn_in_every_display(fast, X):
    rows = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    rows[:, 1] = np.nan
    with pytest.warns(UserWarning, match="column 1"):
        detector = fast(allow_nan=True).fit(rows)
    for display in DISPLAYS.values():
        takes_none = display in (TrainingHistoryDisplay, WeightsDisplay)
        arguments = () if takes_none else (rows,)
        figure = display.from_estimator(detector, *arguments).figure_
        figure.canvas.draw()


def test_reconstruction_shows_a_row_with_missing_entries(explanation):
    values = explanation.values.copy()
    values[0, 1] = values[1, 2] = np.nan
    display = ReconstructionDisplay(
        Explanation(
            values,
            explanation.expected,
            explanation.contributions,
            explanation.feature_names,
        ),
        rows=[0],
    ).plot()
    shown, expected = (
        markers[0].get_ydata() for markers in (display.values_, display.expected_)
    )
    assert np.isnan(shown).tolist() == [False, True, False, False]
    assert np.isfinite(expected).all()


def test_label_of_a_missing_entry_says_so(explanation):
    values = explanation.values.copy()
    values[0, 1] = np.nan
    missing = Explanation(
        values,
        explanation.expected,
        explanation.contributions,
        explanation.feature_names,
    )
    display = FeatureContributionDisplay(missing, rows=0).plot()
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels[0] == "depth is missing, 1 expected"
    assert labels[1] == "height = 30  < 31 expected"


def test_generated_samples_show_the_columns_that_differ_most_in_their_order():
    X = np.random.default_rng(0).normal(size=(100, 40))
    generated = X / 2
    generated[:, [3, 17, 29]] += [9, -7, 5]
    names = [f"c{i}" for i in range(40)]
    display = GeneratedSamplesDisplay(X, generated, names, k=3).plot()
    labels = [label.get_text().split()[0] for label in display.ax_.get_yticklabels()]
    assert labels == ["c3", "c17", "c29"]
    assert display.ax_.get_title().endswith("3 of 40 columns")
    wide = GeneratedSamplesDisplay(X, generated, names).plot()
    assert len(wide.ax_.get_yticks()) == 30


def test_missing_entries_do_not_move_the_quantiles_of_generated_samples():
    X = np.r_[np.full(7, np.nan), np.arange(101.0)][:, None]
    display = GeneratedSamplesDisplay(X, X[40:61], ["metres"]).plot()
    assert display.ax_.get_yticklabels()[0].get_text() == "metres  [5, 95]"


def test_one_row_alone_can_be_drawn_in_latent_space(detector, X):
    display = LatentSpaceDisplay.from_estimator(detector, X[:1], random_state=0)
    assert display.latent.shape == (1, 3)
    display.figure_.canvas.draw()


# --- weights -------------------------------------------------------------------


def test_weights_are_drawn_of_the_columns_that_changed_most(detector, X):
    display = draw("weights", detector, X)
    assert (display.image_.get_array() == 0).all()
    frame = pd.DataFrame([[1, 4, 1, 0.5], [1, 1, 0.9, 1]], ["a", "b"], list("wxyz"))
    display = WeightsDisplay(frame, k=2).plot()
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["x", "z"]
    np.testing.assert_allclose(display.image_.get_array(), [[2, 0], [-1, 0]])


@pytest.mark.parametrize(
    ("errors", "y"),
    [
        (np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]), None),
        (np.arange(3).astype("M8[s]"), None),
        (np.arange(3) + 1j, None),
        ([1.0, 2.0, 3.0], np.ma.masked_array([0, 1, 0], [False, True, False])),
    ],
)
def test_score_distribution_refuses_masked_and_other_numbers(errors, y):
    with pytest.raises(ValueError, match="must be"):
        ScoreDistributionDisplay.from_predictions(errors, 2.0, y)


# --- what users write ----------------------------------------------------------


@pytest.fixture(scope="module")
def odd_words():
    """Rows of a frame whose names and values are formulas, long, or hold controls."""
    names = ["$\\frac{$", "price in $ or US$", "n" * 300, "two\nlines\tand more"]
    kinds = np.random.default_rng(0).choice(["$\\x$", "$1$"], size=60)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=names)
    frame.insert(0, "kind", kinds)
    frame.index = [f"$\\bad$ {i} {'folder/' * 10}" for i in range(60)]
    return NCAEDetector(n_estimators=2, max_iter=5, random_state=0).fit(frame), frame


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["contributions", "generated", "reconstruction"])
def test_what_users_write_is_drawn_as_it_is(name, odd_words):
    detector, frame = odd_words
    display = DISPLAYS[name].from_estimator(detector, frame)
    display.figure_.canvas.draw()
    box = display.figure_.bbox
    for axes in display.figure_.axes:
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            if not text.get_text():
                continue
            drawn = text.get_window_extent()
            assert drawn.x0 >= box.x0 and drawn.x1 <= box.x1, text
            assert drawn.y0 >= box.y0 and drawn.y1 <= box.y1, text
    labels = display.figure_.axes[-1].get_yticklabels()
    labels += display.figure_.axes[-1].get_xticklabels()
    assert any("price in $ or US$" in label.get_text() for label in labels)


@pytest.mark.filterwarnings("error")
def test_weights_of_columns_with_odd_names_are_drawn(odd_words):
    WeightsDisplay.from_estimator(odd_words[0]).figure_.canvas.draw()


@pytest.mark.filterwarnings("ignore:contamination=:UserWarning")
def test_reconstruction_of_rows_without_numbers_says_what_to_look_at(fast):
    kinds = np.random.default_rng(0).choice(list("abc"), size=(60, 2))
    frame = pd.DataFrame(kinds, columns=["one", "two"])
    with pytest.raises(ValueError, match="FeatureContributionDisplay"):
        ReconstructionDisplay.from_estimator(fast().fit(frame), frame)


@pytest.mark.parametrize("size", [1.0, 1e17])
def test_errors_that_are_equal_but_for_rounding_are_drawn(size):
    errors = size * np.array([1.0, 1.0, 1.0 + 2.3e-16])
    display = ScoreDistributionDisplay.from_predictions(errors, size)
    assert sum(bar.get_height() for bar in display.bars_) == 3


def test_one_row_and_one_column_are_no_plural(explanation):
    display = ScoreDistributionDisplay.from_predictions([2.0], 1.0)
    assert display.ax_.get_title() == "100 % of 1 row flagged"
    (axes,) = FeatureContributionDisplay(explanation, k=3).plot().axes_
    assert axes.get_yticklabels()[-1].get_text() == "1 other column"
