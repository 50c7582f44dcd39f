"""Images in any shape: what is learnt, what comes back, and what is refused."""

import pickle
import re
from types import SimpleNamespace

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skncae import NCAEDetector
from skncae.evidence import _transformations
from skncae.evidence._edges import Edges
from skncae.evidence._neighbors import PixelNeighbors

BATCH = _transformations.BATCH


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """Hardly train the network that tells how images were turned: it takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_transformations, "BATCH", 16)
        yield


@pytest.fixture(scope="module")
def digits():
    """Return 178 zeros and 20 other digits, (198, 8, 8), and which those are."""
    images, y = load_digits(return_X_y=True)
    others = np.random.default_rng(0).choice(np.flatnonzero(y != 0), 20, replace=False)
    rows = np.concatenate([np.flatnonzero(y == 0), others])
    return images[rows].reshape(-1, 8, 8), y[rows] != 0


@pytest.fixture(scope="module")
def fitted(digits):
    """Return a detector fitted on images."""
    X, _ = digits
    return NCAEDetector(n_estimators=2, max_iter=10, random_state=0).fit(X)


def draw(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_defaults_find_other_digits_among_zeros(digits, monkeypatch):
    monkeypatch.setattr(_transformations, "BATCH", BATCH)
    X, is_other = digits
    detector = NCAEDetector(random_state=0).fit(X)
    assert roc_auc_score(is_other, -detector.training_scores_) > 0.99


def test_image_shape_makes_flat_rows_score_as_the_images_they_are(fast, digits):
    X, _ = digits
    expected = fast(max_iter=2).fit(X).score_samples(X)
    for rows, shape in (
        (X.reshape(-1, 64), (8, 8)),
        (X.reshape(-1, 64), [8, 8, 1]),
        (X[..., None], None),
        (X.astype(np.uint8), None),
        (X.tolist(), None),
        (X, (8, 8)),
    ):
        detector = fast(max_iter=2, image_shape=shape).fit(rows)
        np.testing.assert_array_equal(detector.score_samples(rows), expected)
        assert detector.n_features_in_ == 64
        assert detector.image_shape_ == (8, 8, 1)


def test_flat_rows_without_an_image_shape_are_a_table(fast, digits):
    X, _ = digits
    detector = fast().fit(X.reshape(-1, 64))
    assert detector.image_shape_ is None
    assert detector.row_shape_ == (64,)


def test_pipeline_over_flattened_digits_works_with_an_image_shape(fast, digits):
    X, is_other = digits
    pipeline = make_pipeline(MinMaxScaler(), fast(image_shape=(8, 8)))
    scores = pipeline.fit(X.reshape(-1, 64)).score_samples(X.reshape(-1, 64))
    assert roc_auc_score(is_other, -scores) > 0.9
    assert pipeline[-1].image_shape_ == (8, 8, 1)


@pytest.mark.parametrize(
    "shape",
    [(8, 8), (64, 64), (9, 13), (28, 28, 1), (8, 33, 2), (32, 32, 3), (8, 8, 4)],
)
def test_images_of_such_a_shape_come_back_in_it(fast, shape):
    X = draw(20, *shape)
    detector = fast(max_iter=1).fit(X)
    assert detector.reconstruct(X[:3]).shape == (3, *shape)
    assert detector.generate(2, random_state=0).shape == (2, *shape)
    assert np.isfinite(detector.score_samples(X)).all()


def test_contributions_are_maps_of_pixels_that_sum_to_the_errors(fitted, digits):
    X, _ = digits
    explanation = fitted.explain(X[:5])
    assert explanation.contributions.shape == (5, 8, 8)
    sums = explanation.contributions.sum((1, 2))
    np.testing.assert_allclose(sums, -fitted.score_samples(X[:5]))
    np.testing.assert_array_equal(explanation.values, X[:5])
    np.testing.assert_array_equal(explanation.residual, X[:5] - explanation.expected)


@pytest.mark.parametrize(
    "kind",
    ["reconstruction", "pixel_neighbors", "contrast_neighbors", "edge_neighbors"],
)
def test_error_map_of_one_kind_of_evidence_sums_to_its_errors(fast, digits, kind):
    X, _ = digits
    detector = fast(evidence=kind).fit(X)
    maps = detector.explain(X[:5]).contributions
    np.testing.assert_allclose(maps.sum((1, 2)), -detector.score_samples(X[:5]))
    assert (maps >= 0).all()


def test_frames_of_an_explanation_have_a_column_for_each_pixel(fitted, digits):
    X, _ = digits
    explanation = fitted.explain(X[:5])
    assert explanation.to_frame().shape == (5, 64)
    assert len(explanation.cells(k=3)) == 15


def test_sentences_about_pixels_are_in_their_units():
    images = 1000 + np.random.default_rng(0).random((60, 8, 8))
    images[0, 5, 5] = 1010
    detector = NCAEDetector(evidence="reconstruction", max_iter=2, random_state=0)
    detector.fit(images)
    said = detector.explain(images).sentence(0)
    low, high = re.fullmatch(
        r"x45 = 1010\.\d* is above the usual (.*) to (.*)", said
    ).groups()
    assert 999 < float(low) < 1000.5 < float(high) < 1002


def test_a_pixel_of_a_dark_image_is_not_compared_with_images_of_usual_light():
    images = 0.2 * np.random.default_rng(0).random((60, 8, 8))
    images += np.linspace(0, 200, 60)[:, None, None]
    images[3, 2, 2] += 80
    detector = NCAEDetector(evidence="reconstruction", max_iter=2, random_state=0)
    explanation = detector.fit(images).explain(images)
    # It is brighter than its own image, and darker than most others.
    said = explanation.sentence(3)
    assert re.fullmatch(r"x18 = 90\.\d*; about [\d.]+ is expected", said)
    assert "usual" not in explanation.sentence(59)


def test_expected_image_has_the_brightness_and_contrast_of_the_image(fast, digits):
    X, _ = digits
    detector = fast(evidence="reconstruction").fit(X)
    brighter = detector.reconstruct(3.0 * X[:4] + 7.0)
    np.testing.assert_allclose(brighter, 3.0 * detector.reconstruct(X[:4]) + 7.0)


def test_score_in_contrast_does_not_depend_on_the_light(fast, digits):
    X, _ = digits
    for kind in ("reconstruction", "contrast_neighbors", "edge_neighbors"):
        detector = fast(evidence=kind).fit(X)
        scores = detector.score_samples(X[:9])
        np.testing.assert_allclose(detector.score_samples(3.0 * X[:9] + 7.0), scores)


def test_score_of_an_image_does_not_depend_on_its_neighbours(fitted, digits):
    X, _ = digits
    alone = [fitted.score_samples(X[i : i + 1])[0] for i in range(10)]
    np.testing.assert_allclose(fitted.score_samples(X)[:10], alone, rtol=1e-9)


def test_images_that_are_all_one_colour_have_finite_scores(fast):
    X = draw(30, 8, 8).astype(float)
    X[:3] = 0.0
    X[3:5] = 255.0
    assert np.isfinite(fast().fit(X).training_scores_).all()


@pytest.mark.filterwarnings("ignore:All training rows have the same score")
def test_images_that_are_all_the_same_can_be_fitted(fast):
    X = np.repeat(draw(1, 8, 8), 12, axis=0)
    assert np.isfinite(fast().fit(X).score_samples(X)).all()


def test_fitted_detector_of_images_survives_every_kind_of_file(
    fitted, digits, tmp_path
):
    X, _ = digits
    expected = fitted.score_samples(X)
    fitted.save(tmp_path / "file")
    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(fitted))
    for copy in (
        NCAEDetector.load(tmp_path / "file"),
        pickle.loads(pickle.dumps(fitted)),
        skops.io.loads(skops.io.dumps(fitted), trusted=unknown),
    ):
        np.testing.assert_array_equal(copy.score_samples(X), expected)
        assert copy.reconstruct(X[:2]).shape == (2, 8, 8)


def test_onnx_of_images_is_refused_by_name(fitted, tmp_path):
    with pytest.raises(ValueError, match="to_onnx .* images.*save"):
        fitted.to_onnx(tmp_path / "model.onnx")


def test_partial_fit_adds_images_to_those_before(fast, digits):
    X, _ = digits
    detector = fast().partial_fit(X[:100]).partial_fit(X[100:])
    assert detector.n_samples_seen_ == len(X)
    assert detector.generate(1).shape == (1, 8, 8)
    with pytest.raises(ValueError, match=r"rows of shape \(8, 7\).*\(8, 8\)"):
        detector.partial_fit(X[:, :, :7])
    assert detector.n_samples_seen_ == len(X)


def test_warm_start_goes_on_with_the_networks_of_images(fast, digits):
    X, _ = digits
    plain = {"sample_discriminator": False, "latent_discriminator": False}
    detector = fast(warm_start=True, mining_rate=0, **plain).fit(X)
    before = detector.history_["reconstruction_loss"][0].mean()
    for _ in range(3):
        detector.fit(X)
    assert detector.history_["reconstruction_loss"][-1].mean() < before


def test_pyod_detector_takes_images(digits):
    from skncae.pyod import NCAE

    X, _ = digits
    detector = NCAE(n_estimators=1, max_iter=5, random_state=0).fit(X)
    assert detector.decision_function(X).shape == (len(X),)
    assert set(detector.predict(X)) == {0, 1}


# --- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "image_shape", "message"),
    [
        (draw(9, 65, 64), None, r"\(65, 64\), where at most 64 x 64.*Scale"),
        (draw(9, 7, 12), None, r"\(7, 12\), where at least 8 x 8.*np.pad"),
        (draw(9, 16, 16, 5), None, "5 channels, where at most 4"),
        (draw(9, 3, 32, 32), None, "32 channels.*np.moveaxis"),
        (draw(9, 8, 8, 5), None, r"channels last\. Of more, pick some"),
        (draw(9, 8, 8, 1, 1), None, "X has 5 axes"),
        (draw(9, 8, 8), (8, 16), r"rows of shape \(8, 8\), but image_shape=\(8, 16\)"),
        (draw(9, 60), (8, 8), r"60 columns, but image_shape=\(8, 8, 1\) folds.* 64"),
        (draw(0, 8, 8), None, "0 sample"),
    ],
)
def test_fit_refuses_such_images_and_says_what_to_do(fast, X, image_shape, message):
    detector = fast(image_shape=image_shape)
    before = vars(detector).copy()
    with pytest.raises(ValueError, match=message):
        detector.fit(X)
    assert vars(detector) == before


@pytest.mark.parametrize(
    "shape", [8, "8x8", (8,), (8, 8, 1, 1), (8, 8.0), (8, "8"), np.array(8)]
)
def test_image_shape_must_be_two_or_three_ints(fast, shape):
    with pytest.raises(TypeError, match="image_shape must be"):
        fast(image_shape=shape).fit(draw(9, 64))


@pytest.mark.parametrize("shape", [(64,), (8, 7), (4, 16), (8, 8, 1)])
@pytest.mark.parametrize(
    "method", ["score_samples", "predict", "reconstruct", "explain", "encode"]
)
def test_images_of_another_shape_are_refused_after_fit(fitted, method, shape):
    with pytest.raises(ValueError, match="rows of shape .* was fitted on .*8, 8"):
        getattr(fitted, method)(draw(3, *shape))


def test_table_detector_refuses_images(fast):
    detector = fast().fit(draw(20, 64))
    with pytest.raises(ValueError, match=r"rows of shape \(8, 8\).*\(64,\)"):
        detector.predict(draw(3, 8, 8))


def test_missing_pixels_are_refused(fast, digits):
    X, _ = digits
    with pytest.raises(ValueError, match="allow_nan=True is for tables"):
        fast(allow_nan=True).fit(X)
    with pytest.raises(ValueError, match="contains NaN"):
        fast().fit(np.where(X > 15, np.nan, X))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("is_flat", [False, True])
def test_a_pixel_that_is_no_number_is_named_by_its_place(
    fitted, digits, value, is_flat
):
    X = digits[0][:5].astype(float)
    X[3, 2, 5] = value
    detector = NCAEDetector(image_shape=(8, 8))
    doors = [(detector.fit, X.reshape(5, -1))]
    if not is_flat:
        doors = [(NCAEDetector().fit, X), (fitted.score_samples, X)]
    for door, images in doors:
        with pytest.raises(ValueError, match=r"in image 3, at \(2, 5, 0\)") as caught:
            door(images)
        # That is refused for images.
        assert "allow_nan" not in str(caught.value)


def test_a_pixel_beyond_an_image_is_named_by_its_column(fast):
    X = np.ones((5, 100))
    X[3, 99] = np.nan
    with pytest.raises(ValueError, match="contains NaN in column 99, first in row 3"):
        fast(image_shape=(8, 8)).fit(X)


@pytest.mark.parametrize(
    "parameters", [{"scaling": "contrast"}, {"evidence": "pixel_neighbors"}]
)
def test_what_compares_whole_rows_is_refused_with_missing_entries(fast, parameters):
    with pytest.raises(ValueError, match="compares whole rows"):
        fast(allow_nan=True, **parameters).fit(draw(20, 5))


@pytest.mark.parametrize("n_images", [60, 400])
def test_whitened_images_are_refused_before_they_are_scaled(fast, n_images):
    images = np.random.default_rng(0).random((n_images, 8, 8))
    with pytest.raises(ValueError, match='scaling="contrast" or "pixels", or use the'):
        fast(scaling="whitened").fit(images)
    flat = images.reshape(n_images, -1)
    with pytest.raises(ValueError, match="scaling='whitened'"):
        fast(scaling="whitened", image_shape=(8, 8)).fit(flat)
    assert fast(scaling="whitened").fit(flat).image_shape_ is None


@pytest.mark.parametrize("scaling", ["contrast", "pixels", "standardized", "minmax"])
@pytest.mark.parametrize("shape", [(16, 16), (9, 11, 3)])
def test_few_and_wide_images_are_fitted_in_all_other_scalings(fast, scaling, shape):
    images = np.random.default_rng(0).random((40, *shape))
    detector = fast(scaling=scaling, max_iter=2, evidence="reconstruction").fit(images)
    assert np.isfinite(detector.score_samples(images)).all()


def test_edges_are_refused_for_a_table(fast):
    with pytest.raises(ValueError, match="edge_neighbors.*X is a table"):
        fast(evidence="edge_neighbors").fit(draw(20, 5))


def test_warm_start_refuses_images_after_a_table(fast):
    detector = fast(warm_start=True).fit(draw(20, 64))
    with pytest.raises(ValueError, match="rows of shape"):
        detector.fit(draw(20, 8, 8))


# --- edges and neighbors -------------------------------------------------------


def test_edges_are_those_of_a_plain_histogram_of_gradients():
    X = draw(2, 9, 10, 2)
    found = Edges((9, 10, 2)).transform(X.reshape(2, -1))
    for image, row in zip(X.astype(float).mean(-1), found, strict=True):
        down, right = np.gradient(image)
        expected = np.zeros((8, 3, 4))
        for k in range(8):
            angle = 2 * np.pi * k / 8
            for i in range(9):
                for j in range(10):
                    along = np.cos(angle) * right[i, j] + np.sin(angle) * down[i, j]
                    strength = np.hypot(right[i, j], down[i, j])
                    if along <= 0:
                        continue
                    for a in range(3):
                        for b in range(4):
                            if abs(i - 3 * a) <= 2 and abs(j - 3 * b) <= 2:
                                expected[k, a, b] += along**2 / strength
        expected = np.sqrt(expected).ravel()
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected))


def block(X):
    """Complete rows."""
    return SimpleNamespace(rows=X, completed=X)


def learnt(X, rounds):
    """Neighbors among the rows."""

    class Rows(SimpleNamespace):
        def __len__(self):
            return len(self.rows)

    settings = SimpleNamespace(calibration_rounds=rounds)
    return PixelNeighbors.learn(Rows(rows=X), settings, np.random.RandomState(0))


def test_neighbors_measure_the_distance_to_the_middle_of_the_near_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12))
    neighbors = learnt(X, 0)
    scale = np.sqrt(((X - X.mean(0)) ** 2).mean())
    for row, error in zip(X, neighbors.errors(block(X)), strict=True):
        distance = np.sort(np.linalg.norm((X - row) / scale, axis=1))
        # Ranks of 5 % and 10 % of 60.
        np.testing.assert_allclose(error, np.sqrt((distance[3:6] ** 2).mean()))
    np.testing.assert_allclose(
        neighbors.contributions(block(X)).sum(1), neighbors.errors(block(X))
    )


def test_neighbors_of_a_single_row_are_that_row():
    X = np.arange(12.0)[None]
    neighbors = learnt(X, 1)
    assert neighbors.errors(block(X)) == [0.0]
    assert not neighbors.contributions(block(X)).any()


# --- displays ------------------------------------------------------------------


def test_reconstruction_is_drawn_as_image_expected_and_map(fitted, digits):
    plotting = pytest.importorskip("skncae.plotting")
    X, _ = digits
    display = plotting.ReconstructionDisplay.from_estimator(fitted, X, rows=[0, 5])
    picture = display.values_[0].get_array()
    assert picture.shape == (8, 26, 3)
    np.testing.assert_allclose(picture[:, :8, 0], X[0] / X.max())
    assert [text.get_text() for text in display.axes_[0].get_xticklabels()] == [
        "image",
        "expected",
        "adds to the error",
    ]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_generated_images_are_drawn_below_real_ones(fast, channels):
    from skncae.plotting import GeneratedSamplesDisplay

    X = draw(20, 8, 9, channels)
    detector = fast(max_iter=1).fit(X)
    display = GeneratedSamplesDisplay.from_estimator(detector, X, random_state=0)
    picture = display.real_[0].get_array()
    # Two rows of ten images each, and a stripe between.
    assert picture.shape == (17 + 2 + 17, 10 * 10 - 1, 3)
    assert 0 <= picture.min() and picture.max() <= 1


def test_other_displays_take_images(fitted, digits):
    from skncae.plotting import FeatureContributionDisplay, LatentSpaceDisplay

    X, _ = digits
    display = FeatureContributionDisplay.from_estimator(fitted, X, rows=0, k=5)
    assert len(display.bars_[0]) == 6
    latent = LatentSpaceDisplay.from_estimator(fitted, X, random_state=0)
    assert latent.latent.shape == (len(X), 16)
