"""The network that recognises how images were turned and moved."""

import numpy as np
import pytest
import torch
from torch.backends import cudnn

from skncae import NCAEDetector
from skncae.evidence import _transformations
from skncae.evidence._transformations import Recognizer, shifted, squared
from tests.scores import assert_same_scores


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_transformations, "STEPS", 4)
        patch.setattr(_transformations, "BATCH", 16)
        yield


def slopes(n, shape=(12, 12), seed=0):
    """Images that are dark above and bright below, with a bright left edge."""
    rng = np.random.default_rng(seed)
    height, width = shape
    images = np.linspace(0, 1, height)[:, None] + np.zeros((n, height, width))
    images[:, :, : width // 4] += 1
    return images + 0.1 * rng.normal(size=images.shape)


@pytest.fixture(scope="module")
def images():
    return slopes(60)


@pytest.fixture(scope="module")
def fitted(few_steps, images):
    small = {"n_estimators": 2, "max_iter": 10, "random_state": 0}
    return NCAEDetector(evidence="transformations", **small).fit(images)


def test_images_that_look_the_same_however_they_are_turned_are_abnormal(fitted):
    noise = np.random.default_rng(1).normal(size=(30, 12, 12))
    assert fitted.score_samples(noise).max() < fitted.score_samples(slopes(30)).min()


def test_score_of_an_image_is_the_same_alone_and_in_any_batch(fitted, images):
    together = fitted.score_samples(images)
    alone = [fitted.score_samples(image[None])[0] for image in images[::4]]
    assert_same_scores(together[::4], alone)
    tiled = np.tile(images, (3, 1, 1))[7:]
    assert_same_scores(fitted.score_samples(tiled)[-60:], together)


@pytest.mark.parametrize("shape", [(8, 8), (12, 20), (20, 9), (9, 11, 3)])
def test_contributions_sum_to_the_error_for_images_of_any_shape(fast, shape):
    images = np.random.default_rng(0).normal(size=(20, *shape))
    detector = fast(evidence="transformations", max_iter=1).fit(images)
    contributions = detector.explain(images[:5]).contributions
    assert contributions.shape == (5, *shape) and (contributions >= 0).all()
    np.testing.assert_allclose(
        contributions.reshape(5, -1).sum(1), -detector.score_samples(images[:5])
    )


def test_saved_detector_has_the_same_scores(fitted, images, tmp_path):
    fitted.save(tmp_path / "turned.safetensors")
    loaded = NCAEDetector.load(tmp_path / "turned.safetensors")
    np.testing.assert_array_equal(
        loaded.score_samples(images), fitted.score_samples(images)
    )


def test_fit_leaves_the_random_numbers_of_torch_as_they_were(fast, images):
    before = torch.get_rng_state()
    few = {"evidence": "transformations", "max_iter": 1}
    first = fast(**few).fit(images).training_scores_
    assert torch.equal(before, torch.get_rng_state())
    again = fast(**few).fit(images).training_scores_
    np.testing.assert_array_equal(first, again)


def test_images_that_are_all_alike_are_scored(fast):
    scores = fast(evidence="transformations").fit(np.ones((20, 8, 8))).training_scores_
    assert np.isfinite(scores).all() and np.ptp(scores) == 0


@pytest.mark.parametrize("right, down", [(0, 0), (1, 0), (-1, 1)])
def test_shifted_images_are_rolled_where_nothing_is_reflected(right, down):
    x = torch.arange(2 * 3 * 8 * 8.0).reshape(2, 3, 8, 8)
    moved = shifted(x, torch.tensor([right] * 2), torch.tensor([down] * 2))
    rolled = x.roll((-2 * down, -2 * right), (2, 3))
    inside = slice(2, 6)
    assert torch.equal(moved[:, :, inside, inside], rolled[:, :, inside, inside])


def test_squared_images_repeat_their_last_row_or_column():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert squared(x)[0, 0].tolist() == [[0, 1, 2], [3, 4, 5], [3, 4, 5]]
    assert squared(x.mT)[0, 0, 0].tolist() == [0, 3, 3]


def test_recognizer_draws_from_its_generator_alone():
    first, second = (
        Recognizer(2, torch.Generator().manual_seed(3)).state_dict() for _ in range(2)
    )
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_network_trained_on_a_gpu_is_repeatable_and_scores_on_the_cpu(fast, images):
    detector, again = (
        fast(evidence="transformations", device="cuda").fit(images) for _ in range(2)
    )
    scores = detector.score_samples(images)
    np.testing.assert_array_equal(again.score_samples(images), scores)
    noise = np.random.default_rng(1).normal(size=(30, 12, 12))
    assert detector.score_samples(noise).max() < scores.min()


def test_network_learns_with_the_repeatable_kernels_of_cudnn(fast, images, monkeypatch):
    seen = []
    forward = Recognizer.forward

    def noted(self, x):
        if self.training:
            seen.append((cudnn.enabled, cudnn.deterministic, cudnn.benchmark))
        return forward(self, x)

    monkeypatch.setattr(Recognizer, "forward", noted)
    fast(evidence="transformations").fit(images)
    assert set(seen) == {(True, True, False)}
