"""Algorithm 1: which phase moves what, and in which direction."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skncae.networks._generators import MemberStreams
from skncae.training import _losses, _mining, _trainer
from skncae.training._trainer import HISTORY, Recipe, Trainer
from tests.conftest import RECIPE

FEATURES = 3
OUTLIERS = slice(0, 10)


@pytest.fixture
def rows():
    """Return 200 rows; the first ten are outliers, far away and together."""
    drawn = torch.randn(200, FEATURES, generator=torch.Generator().manual_seed(0))
    drawn[OUTLIERS] = drawn[OUTLIERS] * 0.2 + torch.tensor([6.0, -6.0, 6.0])
    return drawn


@pytest.fixture
def make(rows):
    def make(n_members=2, seed=0, members=None, **changes):
        streams = MemberStreams(seed, members or range(n_members))
        return Trainer(rows, streams, Recipe(**RECIPE | changes))

    return make


def networks(trainer):
    model = trainer.model
    return {"f": model.encoder, "g": model.decoder, "d_s": trainer.d_s} | {
        "d_l": trainer.d_l
    }


def weights(trainer):
    """Copy the weights of each network, as one vector."""
    return {
        name: torch.cat([p.detach().flatten() for p in network.parameters()])
        for name, network in networks(trainer).items()
    }


def moved(trainer, before):
    after = weights(trainer)
    return {name for name in after if not torch.equal(after[name], before[name])}


def draw_batch(trainer):
    return trainer._rows_at(trainer._draw()[0])


def batch_and_noise(trainer):
    drawn, noise, *_ = trainer._draw()
    omega = trainer._omega(trainer.recipe.generation_scale, noise)
    return trainer._rows_at(drawn), omega


def joint_step(trainer, x, weight=1.0):
    """Take the joint step on plain reconstruction, weighted."""
    z = trainer.model.encoder(x)
    loss = _losses.reconstruction_error(x, trainer.model.decoder(z)).mean(-1)
    return trainer._joint_step(weight * loss, z, trainer._draw()[-1])


def assert_gradients(network, loss):
    """Assert that the last step descended this loss, as far as the network goes."""
    for parameter, gradient in zip(
        network.parameters(),
        torch.autograd.grad(loss, list(network.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


# --- generation ----------------------------------------------------------------


def test_generation_step_moves_the_decoder_and_the_sample_discriminator_only(make):
    trainer = make()
    before, mu = weights(trainer), trainer.model.mu.clone()
    trainer._generation_step(*batch_and_noise(trainer))
    assert moved(trainer, before) == {"g", "d_s"}
    assert torch.equal(trainer.model.mu, mu)


def test_generation_step_makes_the_generated_rows_fool_the_discriminator_more(make):
    trainer = make()
    x, omega = batch_and_noise(trainer)
    d_s = copy.deepcopy(trainer.d_s)

    def realness():
        return d_s(trainer.model.decoder(omega)).mean((1, 2)).detach()

    before = realness()
    trainer._generation_step(x, omega)
    assert (realness() > before).all()


def test_generation_step_makes_the_discriminator_tell_the_same_rows_apart_better(make):
    trainer = make()
    x, omega = batch_and_noise(trainer)
    x_generated = trainer.model.decoder(omega).detach()

    def loss():
        real, fake = trainer.d_s(x)[..., 0], trainer.d_s(x_generated)[..., 0]
        return _losses.discriminator_loss(real, fake).detach()

    before = loss()
    torch.testing.assert_close(trainer._generation_step(x, omega), before)
    assert (loss() < before).all()


def test_gradients_of_the_generation_step_are_those_of_the_two_losses_of_eq_6(make):
    trainer = make()
    # The weights of before the step: the optimizer moves them in place.
    twin = copy.deepcopy((trainer.model.decoder, trainer.d_s))
    x, omega = batch_and_noise(trainer)
    trainer._generation_step(x, omega)
    decoder, d_s = twin
    for old, new in zip(twin, (trainer.model.decoder, trainer.d_s), strict=True):
        for parameter, stepped in zip(old.parameters(), new.parameters(), strict=True):
            parameter.grad = stepped.grad
    fake = d_s(decoder(omega))[..., 0]
    assert_gradients(decoder, F.softplus(-fake).mean(-1).sum())
    fake, real = d_s(decoder(omega).detach())[..., 0], d_s(x)[..., 0]
    assert_gradients(d_s, _losses.discriminator_loss(real, fake).sum())


# --- calibration and alignment -------------------------------------------------


def test_joint_step_moves_all_but_the_sample_discriminator(make):
    trainer = make()
    before = weights(trainer)
    joint_step(trainer, draw_batch(trainer))
    assert moved(trainer, before) == {"f", "g", "d_l"}


def test_alignment_alone_does_not_move_the_decoder(make):
    trainer = make()
    before = weights(trainer)
    joint_step(trainer, draw_batch(trainer), weight=0.0)
    assert moved(trainer, before) == {"f", "d_l"}


def test_alignment_makes_the_latent_features_fool_the_discriminator_more(make):
    trainer = make()
    x, d_l = draw_batch(trainer), copy.deepcopy(trainer.d_l)

    def realness():
        return d_l(trainer.model.encoder(x)).mean((1, 2)).detach()

    before = realness()
    joint_step(trainer, x, weight=0.0)
    assert (realness() > before).all()


def test_alignment_makes_the_discriminator_tell_noise_from_features_better(
    make, monkeypatch
):
    trainer = make()
    x, omega = draw_batch(trainer), trainer._omega(1.0, trainer._draw()[-1])
    z = trainer.model.encoder(x).detach()
    monkeypatch.setattr(trainer, "_omega", lambda variance, noise: omega)

    def loss():
        real, fake = trainer.d_l(omega)[..., 0], trainer.d_l(z)[..., 0]
        return _losses.discriminator_loss(real, fake).detach()

    before = loss()
    torch.testing.assert_close(joint_step(trainer, x), before)
    assert (loss() < before).all()


def test_gradient_of_the_encoder_is_that_of_reconstruction_plus_alignment(make):
    trainer = make()
    x = draw_batch(trainer)
    model, d_l = copy.deepcopy(trainer.model), copy.deepcopy(trainer.d_l)
    joint_step(trainer, x)
    for old, new in zip(model.parameters(), trainer.model.parameters(), strict=True):
        old.grad = new.grad
    reconstruction = _losses.reconstruction_error(x, model(x)).mean(-1).sum()
    fooling = F.softplus(-d_l(model.encoder(x))[..., 0]).mean(-1).sum()
    assert_gradients(model.encoder, reconstruction + fooling)
    reconstruction = _losses.reconstruction_error(x, model(x)).mean(-1).sum()
    assert_gradients(model.decoder, reconstruction)


def test_prototype_is_the_mean_generated_row_and_has_no_gradient(make, monkeypatch):
    trainer, seen = make(sample_discriminator=False), {}
    original = _losses.calibrated_reconstruction_loss

    def spy(x, x_hat, prototype, is_mined):
        seen.update(x_hat=x_hat, prototype=prototype, omega=omegas[0])
        return original(x, x_hat, prototype, is_mined)

    omegas, omega = [], trainer._omega
    monkeypatch.setattr(
        trainer, "_omega", lambda *args: omegas.append(omega(*args)) or omegas[-1]
    )
    monkeypatch.setattr(_losses, "calibrated_reconstruction_loss", spy)
    decoder = copy.deepcopy(trainer.model.decoder)
    trainer._step(*trainer._draw())
    expected = decoder(seen["omega"]).mean(1, keepdim=True).detach()
    torch.testing.assert_close(seen["prototype"], expected)
    assert not seen["prototype"].requires_grad
    assert seen["x_hat"].requires_grad


@pytest.mark.parametrize("rule", _mining.RULES)
def test_mining_scores_have_no_gradient(make, monkeypatch, rule):
    trainer, scores = make(mining=rule), []
    original = _mining.least

    def spy(c, rate):
        scores.append(c)
        return original(c, rate)

    monkeypatch.setattr(_mining, "least", spy)
    trainer._step(*trainer._draw())
    assert not scores[0].requires_grad


def test_rows_are_generated_at_the_given_variance_and_aligned_to_variance_one(
    make, monkeypatch
):
    trainer, variances = make(generation_scale=0.3), []
    original = _trainer.latent_noise

    def spy(mu, variance, noise):
        variances.append(variance)
        return original(mu, variance, noise)

    monkeypatch.setattr(_trainer, "latent_noise", spy)
    trainer._step(*trainer._draw())
    assert variances == [0.3, 1.0]


def test_reconstruction_of_mined_rows_is_pulled_to_the_prototype(make, rows):
    # Every row is mined, so nothing else is learnt.
    trainer = make(mining_rate=0.99, max_iter=300, learning_rate=5e-3)
    x, omega = batch_and_noise(trainer)
    trainer.run()
    with torch.no_grad():
        x_hat = trainer.model(x)
        prototype = trainer.model.decoder(trainer.model.mu)
    assert (x_hat - prototype).square().mean() < 0.1 * (x - prototype).square().mean()


def test_mining_keeps_the_networks_from_learning_the_outliers(make, rows):
    def outlier_error(mining_rate):
        trainer = make(
            4, mining_rate=mining_rate, max_iter=300, batch_size=64, learning_rate=5e-3
        )
        trainer.run()
        with torch.no_grad():
            x = rows[OUTLIERS].expand(4, -1, -1)
            return _losses.reconstruction_error(x, trainer.model(x)).mean()

    assert outlier_error(0.1) > 5 * outlier_error(0.0)


# --- drift ---------------------------------------------------------------------


def test_mu_starts_at_the_mean_of_the_latent_features(make, rows):
    trainer = make()
    z = trainer.model.encoder(rows.expand(2, -1, -1))
    torch.testing.assert_close(trainer.model.mu, z.mean(1, keepdim=True).detach())


def test_mu_drifts_towards_the_latent_batch_mean_by_the_learning_rate(
    make, monkeypatch
):
    trainer = make(learning_rate=0.05)
    x, mu = draw_batch(trainer) + 3, trainer.model.mu.clone()
    z = trainer.model.encoder(x).detach()
    monkeypatch.setattr(trainer, "_rows_at", lambda drawn: x)
    trainer._step(*trainer._draw())
    expected = mu + 0.05 * (z.mean(1, keepdim=True) - mu)
    torch.testing.assert_close(trainer.model.mu, expected)


def test_mu_has_no_gradient(make):
    trainer = make()
    trainer.run()
    assert not trainer.model.mu.requires_grad


# --- ablations -----------------------------------------------------------------


def test_sample_discriminator_off_leaves_it_untouched(make):
    trainer = make(sample_discriminator=False)
    before = weights(trainer)
    history = trainer.run()
    assert moved(trainer, before) == {"f", "g", "d_l"}
    assert not history["sample_discriminator_loss"].any()


def test_latent_discriminator_off_leaves_it_untouched(make):
    trainer = make(latent_discriminator=False)
    before = weights(trainer)
    history = trainer.run()
    assert moved(trainer, before) == {"f", "g", "d_s"}
    assert not history["latent_discriminator_loss"].any()


def test_latent_discriminator_off_leaves_the_gradient_of_reconstruction_alone(make):
    trainer = make(latent_discriminator=False)
    x, model = draw_batch(trainer), copy.deepcopy(trainer.model)
    joint_step(trainer, x)
    for old, new in zip(model.parameters(), trainer.model.parameters(), strict=True):
        old.grad = new.grad
    assert_gradients(model, _losses.reconstruction_error(x, model(x)).mean(-1).sum())


def test_mining_rate_zero_mines_nothing_in_any_step(make):
    assert not make(mining_rate=0.0).run()["mined_share"].any()


def test_everything_off_is_a_plain_autoencoder(make):
    trainer = make(
        sample_discriminator=False, latent_discriminator=False, mining_rate=0.0
    )
    plain = copy.deepcopy(trainer.model)
    x = draw_batch(trainer)
    trainer._rows_at = lambda drawn: x
    trainer.run()
    adam = torch.optim.Adam(plain.parameters(), lr=RECIPE["learning_rate"])
    for _ in range(RECIPE["max_iter"]):
        adam.zero_grad()
        _losses.reconstruction_error(x, plain(x)).mean(-1).sum().backward()
        adam.step()
    torch.testing.assert_close(trainer.model(x), plain(x), rtol=1e-3, atol=1e-4)


# --- mining --------------------------------------------------------------------


@pytest.mark.parametrize("rule", _mining.RULES)
def test_every_mining_rule_mines_the_planted_outliers(make, rows, rule):
    trainer = make(4, mining=rule, max_iter=60, batch_size=64, learning_rate=5e-3)
    mined = torch.zeros(len(rows))
    drawn = torch.zeros(len(rows))
    rows_at, least, batch = trainer._rows_at, _mining.least, []

    def spy_batch(drawn):
        batch[:] = [rows_at(drawn)]
        return batch[0]

    trainer._rows_at = spy_batch
    with pytest.MonkeyPatch.context() as patch:

        def spy_least(c, rate):
            is_mined = least(c, rate)
            row = (batch[0][:, :, None] == rows).all(-1).float().argmax(-1)
            drawn.index_add_(0, row.flatten(), torch.ones(row.numel()))
            mined.index_add_(0, row.flatten(), is_mined.flatten().float())
            return is_mined

        patch.setattr(_mining, "least", spy_least)
        trainer.run()
    share_of_outliers = mined[OUTLIERS].sum() / drawn[OUTLIERS].sum()
    share_of_others = mined[10:].sum() / drawn[10:].sum()
    assert share_of_outliers > 3 * share_of_others


# --- steps ---------------------------------------------------------------------


def test_history_has_a_value_for_each_step_and_member(make):
    history = make(n_members=3).run()
    assert set(history) == set(HISTORY)
    for values in history.values():
        assert values.shape == (5, 3)
        assert torch.isfinite(values).all()


def test_history_tells_the_share_of_the_batch_that_was_mined(make):
    history = make(mining_rate=0.2).run()
    # ceil(0.2 * 16) rows of 16.
    assert torch.allclose(history["mined_share"], torch.tensor(4 / 16))


def test_mined_rows_score_lower_than_those_kept(make):
    history = make().run()
    assert (history["mining_score_mined"] < history["mining_score_kept"]).all()


def test_learning_rate_decays_every_so_many_steps(make):
    trainer = make(decay_steps=2, max_iter=5)
    sizes, before = [], [weights(trainer)]

    def after_step():
        after = weights(trainer)
        sizes.append(
            {name: (after[name] - before[0][name]).abs().max() for name in after}
        )
        before[:] = [after]

    trainer.run(after_step)
    for network in networks(trainer):
        first, last = sizes[0][network], sizes[4][network]
        assert 0 < last < 0.05 * first  # Two decays by 0.1.
        assert sizes[1][network] > 0.3 * first


def test_callback_is_called_after_each_step(make):
    calls = []
    make().run(lambda: calls.append(None))
    assert len(calls) == RECIPE["max_iter"]


def test_batches_hold_training_rows_and_differ_between_members(make, rows):
    x = draw_batch(make())
    assert x.shape == (2, RECIPE["batch_size"], FEATURES)
    assert (x[:, :, None] == rows).all(-1).any(-1).all()
    assert not torch.equal(x[0], x[1])


# --- members -------------------------------------------------------------------


def sliced(trainer, batches, noise, members):
    """Feed the trainer the given members' share of fixed batches and noise."""
    trainer._batches = iter(batches[:, members])
    trainer._noise = iter(noise[:, members])


@pytest.mark.parametrize("rule", _mining.RULES)
def test_members_trained_together_match_members_trained_alone(make, rows, rule):
    generator = torch.Generator().manual_seed(3)
    batches = torch.randint(200, (5, 3, 16), generator=generator)
    noise = torch.randn(10, 3, 16, 2, generator=generator)
    together = make(n_members=3, mining=rule)
    alone = [make(n_members=1, mining=rule) for _ in range(3)]
    for member, single in enumerate(alone):
        for name, network in networks(single).items():
            pairs = zip(
                network.parameters(), networks(together)[name].parameters(), strict=True
            )
            for own, shared in pairs:
                own.data.copy_(shared.data[member : member + 1])
        single.model.mu = together.model.mu[member : member + 1].clone()
        sliced(single, batches, noise, slice(member, member + 1))
    sliced(together, batches, noise, slice(None))
    histories = [single.run() for single in alone]
    history = together.run()
    for member, single in enumerate(alone):
        torch.testing.assert_close(
            single.model(rows[None])[0],
            together.model(rows.expand(3, -1, -1))[member],
            rtol=1e-3,
            atol=1e-4,
        )
        for name, values in history.items():
            torch.testing.assert_close(
                histories[member][name][:, 0], values[:, member], rtol=1e-3, atol=1e-4
            )


def test_rows_of_a_member_do_not_change_another_member(make):
    def member_0(shift):
        trainer = make()
        rows_at = trainer._rows_at

        def shifted(drawn):
            x = rows_at(drawn)
            x[1] += shift
            return x

        trainer._rows_at = shifted
        trainer.run()
        return [p.detach() for n in networks(trainer).values() for p in n.parameters()]

    for plain, other in zip(member_0(0.0), member_0(5.0), strict=True):
        torch.testing.assert_close(plain[0], other[0], rtol=1e-5, atol=1e-6)
        assert not torch.equal(plain[1], other[1])


# --- randomness ----------------------------------------------------------------


def trained_apart(make, members):
    """History and weights of some of the members of seed 0."""
    trainer = make(members=members)
    return trainer.run(), [
        p for n in networks(trainer).values() for p in n.parameters()
    ]


def test_members_trained_apart_are_those_trained_together(make):
    history, weights_of_all = trained_apart(make, range(4))
    for members in (range(1), range(1, 4)):
        apart, weights_of_some = trained_apart(make, members)
        part = slice(members.start, members.stop)
        for name, values in history.items():
            torch.testing.assert_close(apart[name], values[:, part])
        for some, all_ in zip(weights_of_some, weights_of_all, strict=True):
            torch.testing.assert_close(some, all_[part])


def test_steps_taken_in_rounds_are_those_taken_at_once(make):
    whole, cut = make(max_iter=60), make(max_iter=60)
    history = whole.run()
    parts = [cut.run(n_steps=n_steps) for n_steps in (7, 50, 3)]
    for name, values in history.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), values)


def test_training_draws_from_the_given_streams_only(make):
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    for trainer in (first, again, other):
        trainer.run()
    for name, values in weights(first).items():
        assert torch.equal(values, weights(again)[name])
        assert not torch.equal(values, weights(other)[name])
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_game_hands_back_gradients_of_the_fake_rows_only(make):
    trainer = make()
    x, omega = batch_and_noise(trainer)
    fake = trainer.model.decoder(omega)
    _, gradients, fake_gradient = trainer._play(trainer.d_s, x, fake)
    assert fake_gradient.shape == fake.shape
    assert len(gradients) == len(list(trainer.d_s.parameters()))
