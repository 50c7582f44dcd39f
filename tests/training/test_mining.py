"""Who looks contaminated, against slow numpy versions."""

import numpy as np
import pytest
import torch

from skncae.training import _mining

MEMBERS, BATCH, LATENT = 2, 9, 3


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_similarity_is_the_mean_cosine_with_every_row_of_the_dictionary():
    z, z_generated = draw(MEMBERS, BATCH, LATENT), draw(MEMBERS, 6, LATENT, seed=1)
    expected = np.zeros((MEMBERS, BATCH))
    for m in range(MEMBERS):
        for i in range(BATCH):
            for j in range(6):
                a, b = z[m, i].numpy(), z_generated[m, j].numpy()
                cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
                expected[m, i] += cosine / 6
    c = _mining.similarity(z, z_generated)
    np.testing.assert_allclose(c, expected, rtol=1e-4, atol=1e-6)


def test_similarity_of_a_zero_row_is_zero():
    c = _mining.similarity(torch.zeros(1, 1, LATENT), draw(1, 4, LATENT))
    assert float(c) == 0.0


def test_latent_distance_is_minus_the_squared_distance_to_mu():
    z, mu = draw(MEMBERS, BATCH, LATENT), draw(MEMBERS, 1, LATENT, seed=1)
    expected = np.zeros((MEMBERS, BATCH))
    for m in range(MEMBERS):
        for i in range(BATCH):
            expected[m, i] = -(np.linalg.norm(z[m, i] - mu[m, 0]) ** 2)
    c = _mining.latent_distance(z, mu)
    np.testing.assert_allclose(c, expected, rtol=1e-5)


def test_latent_density_is_minus_the_squared_mahalanobis_distance():
    z = draw(MEMBERS, 200, LATENT) @ draw(MEMBERS, LATENT, LATENT, seed=1)
    c = _mining.latent_density(z)
    for m in range(MEMBERS):
        rows = z[m].double().numpy()
        precision = np.linalg.inv(np.cov(rows.T, bias=True))
        centred = rows - rows.mean(0)
        expected = [-(row @ precision @ row) for row in centred]
        # The ridge that keeps singular batches solvable costs a few per mille.
        np.testing.assert_allclose(c[m], expected, rtol=0.02, atol=1e-3)


def test_latent_density_of_a_batch_without_variance_is_finite():
    assert torch.isfinite(_mining.latent_density(torch.ones(1, 5, LATENT))).all()


@pytest.mark.parametrize(
    ("rate", "n_mined"), [(0.1, 1), (0.11, 1), (0.12, 2), (0.5, 5), (0.99, 9)]
)
def test_least_marks_the_rounded_up_share_of_the_rows(rate, n_mined):
    is_mined = _mining.least(draw(MEMBERS, BATCH), rate)
    assert is_mined.sum(1).tolist() == [n_mined] * MEMBERS


def test_least_marks_the_rows_with_the_lowest_score():
    c = draw(MEMBERS, BATCH)
    is_mined = _mining.least(c, 0.3)
    for m in range(MEMBERS):
        lowest = set(np.argsort(c[m].numpy())[:3])
        assert set(np.flatnonzero(is_mined[m])) == lowest


def test_row_least_like_the_generated_normals_is_mined():
    z_generated = torch.tensor([[[1.0, 0.0], [1.0, 0.1]]])
    z = torch.tensor([[[2.0, 0.0], [1.0, 0.2], [-1.0, 0.0], [0.5, 0.0]]])
    is_mined = _mining.least(_mining.similarity(z, z_generated), 0.25)
    assert is_mined.tolist() == [[False, False, True, False]]


def test_mining_rate_zero_marks_no_row():
    assert not _mining.least(draw(MEMBERS, BATCH), 0.0).any()
