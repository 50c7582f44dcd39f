"""Every equation against a slow, obvious numpy version."""

import numpy as np
import pytest
import torch

from skncae.networks._autoencoder import latent_noise
from skncae.training import _losses

MEMBERS, BATCH, FEATURES, LATENT = 3, 7, 5, 2


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def test_reconstruction_error_is_the_sum_of_squared_differences():
    x, x_hat = draw(MEMBERS, BATCH, FEATURES), draw(MEMBERS, BATCH, FEATURES, seed=1)
    expected = np.zeros((MEMBERS, BATCH))
    for m in range(MEMBERS):
        for i in range(BATCH):
            for j in range(FEATURES):
                expected[m, i] += float(x[m, i, j] - x_hat[m, i, j]) ** 2
    np.testing.assert_allclose(
        _losses.reconstruction_error(x, x_hat), expected, rtol=1e-5
    )


def test_calibrated_loss_compares_mined_rows_with_the_prototype_and_others_with_x():
    x, x_hat = draw(MEMBERS, BATCH, FEATURES), draw(MEMBERS, BATCH, FEATURES, seed=1)
    prototype = draw(MEMBERS, 1, FEATURES, seed=2)
    is_mined = draw(MEMBERS, BATCH, seed=3) > 0.3
    assert is_mined.any() and not is_mined.all()
    expected = np.zeros(MEMBERS)
    for m in range(MEMBERS):
        for i in range(BATCH):
            target = prototype[m, 0] if is_mined[m, i] else x[m, i]
            expected[m] += float(((target - x_hat[m, i]) ** 2).sum()) / BATCH
    loss = _losses.calibrated_reconstruction_loss(x, x_hat, prototype, is_mined)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_calibrated_loss_has_a_gradient_at_mined_rows():
    x, prototype = draw(1, 2, FEATURES), draw(1, 1, FEATURES, seed=2)
    x_hat = draw(1, 2, FEATURES, seed=1).requires_grad_()
    is_mined = torch.tensor([[True, False]])
    loss = _losses.calibrated_reconstruction_loss(x, x_hat, prototype, is_mined)
    loss.sum().backward()
    # d/dx_hat of |target - x_hat|^2 / 2 rows.
    torch.testing.assert_close(x_hat.grad[0, 0], (x_hat - prototype)[0, 0].detach())
    torch.testing.assert_close(x_hat.grad[0, 1], (x_hat - x)[0, 1].detach())


def test_discriminator_loss_is_minus_the_log_likelihood_of_real_and_fake():
    real, fake = draw(MEMBERS, BATCH), draw(MEMBERS, BATCH, seed=1)
    expected = np.zeros(MEMBERS)
    for m in range(MEMBERS):
        for i in range(BATCH):
            expected[m] -= np.log(sigmoid(float(real[m, i]))) / BATCH
            expected[m] -= np.log(1 - sigmoid(float(fake[m, i]))) / BATCH
    loss = _losses.discriminator_loss(real, fake)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_discriminator_loss_is_finite_for_huge_logits():
    huge = torch.full((1, 2), 1e4)
    assert torch.isfinite(_losses.discriminator_loss(-huge, huge)).all()


def test_adversary_gradient_is_the_slope_of_minus_log_d_of_the_fake():
    # D(fake) = sigmoid(fake @ weight), so both slopes can be written down.
    fake = draw(MEMBERS, BATCH, FEATURES).double().numpy()
    weight = draw(FEATURES, seed=1).double().numpy()
    logits = fake @ weight
    discriminator = sigmoid(logits)[..., None] * weight / BATCH
    adversary = -sigmoid(-logits)[..., None] * weight / BATCH
    gradient = _losses.adversary_gradient(
        torch.from_numpy(discriminator), torch.from_numpy(logits)
    )
    np.testing.assert_allclose(gradient, adversary, rtol=1e-10)


def test_adversary_gradient_stays_finite_where_the_discriminator_is_sure():
    logits = torch.tensor([[-200.0, -50.0, 0.0, 200.0]])
    slope = torch.sigmoid(logits)[..., None]
    gradient = _losses.adversary_gradient(slope, logits)
    assert torch.isfinite(gradient).all()
    # At logit -50 the discriminator's own slope is 1e-22, the adversary's is 1.
    assert float(gradient[0, 1, 0]) == pytest.approx(-1.0, rel=1e-3)


def test_drifted_mean_moves_each_dimension_towards_its_own_batch_mean():
    mu, z = draw(MEMBERS, 1, LATENT), draw(MEMBERS, BATCH, LATENT, seed=1)
    expected = np.zeros((MEMBERS, 1, LATENT))
    for m in range(MEMBERS):
        for j in range(LATENT):
            mean = sum(float(z[m, i, j]) for i in range(BATCH)) / BATCH
            expected[m, 0, j] = 0.9 * float(mu[m, 0, j]) + 0.1 * mean
    drifted = _losses.drifted_mean(mu, z, 0.1)
    np.testing.assert_allclose(drifted, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variance", [0.1, 1.0, 4.0])
def test_latent_noise_has_the_variance_that_it_is_given(variance):
    mu = draw(2, 1, LATENT) * 10
    omega = latent_noise(mu, variance, draw(2, 20_000, LATENT, seed=1))
    np.testing.assert_allclose(omega.var(1), variance, rtol=0.05)
    np.testing.assert_allclose(omega.mean(1), mu[:, 0], atol=0.05 * variance**0.5)


def test_latent_noise_without_variance_is_mu():
    mu = draw(2, 1, LATENT)
    omega = latent_noise(mu, 0.0, draw(2, 4, LATENT, seed=1))
    torch.testing.assert_close(omega, mu.expand(2, 4, LATENT))
