"""Networks of many members against plain torch networks."""

import torch
from torch import nn

from skncae import _networks
from skncae._networks import Autoencoder, MemberLinear, MemberMLP

WIDTHS = (5, 8, 4, 2)


def network(n_members=3, seed=0):
    return MemberMLP(n_members, WIDTHS, torch.Generator().manual_seed(seed))


def draw(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def plain_copy(member_mlp, member):
    """Return the torch.nn network with the weights of one member."""
    layers = []
    for layer in member_mlp.layers:
        plain = nn.Linear(*layer.weight.shape[1:])
        plain.weight.data = layer.weight.data[member].T.clone()
        plain.bias.data = layer.bias.data[member, 0].clone()
        layers += [plain, nn.LeakyReLU(_networks.LEAKINESS)]
    return nn.Sequential(*layers[:-1])


def test_member_computes_what_a_plain_network_with_its_weights_computes():
    mlp, x = network(), draw(3, 6, 5)
    for member in range(3):
        torch.testing.assert_close(mlp(x)[member], plain_copy(mlp, member)(x[member]))


def test_member_gets_the_gradient_of_a_plain_network_with_its_weights():
    mlp, x = network(), draw(3, 6, 5)
    mlp(x).square().sum().backward()
    for member in range(3):
        plain = plain_copy(mlp, member)
        plain(x[member]).square().sum().backward()
        for layer, twin in zip(mlp.layers, plain[::2], strict=True):
            torch.testing.assert_close(layer.weight.grad[member], twin.weight.grad.T)
            torch.testing.assert_close(layer.bias.grad[member, 0], twin.bias.grad)


def test_output_of_a_member_does_not_depend_on_the_rows_of_another():
    mlp, x = network(), draw(3, 6, 5)
    changed = x.clone()
    changed[1] += 10
    before, after = mlp(x), mlp(changed)
    torch.testing.assert_close(before[[0, 2]], after[[0, 2]], rtol=0, atol=0)
    assert not torch.equal(before[1], after[1])


def test_gradient_of_a_member_reaches_no_other_member():
    mlp = network()
    mlp(draw(3, 6, 5))[1].sum().backward()
    for parameter in mlp.parameters():
        assert not parameter.grad[[0, 2]].any()
        assert parameter.grad[1].any()


def test_members_start_from_different_weights():
    weight = network().layers[0].weight
    assert not torch.equal(weight[0], weight[1])


def test_initial_weights_keep_to_the_bounds_of_a_torch_linear_layer():
    layer = MemberLinear(4, 100, 50, torch.Generator().manual_seed(0))
    for values in (layer.weight, layer.bias):
        assert 0.09 < values.abs().max() <= 0.1  # 1 / sqrt(100)


def test_initial_weights_come_from_the_given_generator_only():
    state = torch.get_rng_state()
    first, again, other = network(seed=5), network(seed=5), network(seed=6)
    assert torch.equal(first.layers[0].weight, again.layers[0].weight)
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_autoencoder_decodes_what_it_encodes_through_a_mirrored_decoder():
    model = Autoencoder(3, (5,), (8, 4), 2, torch.Generator().manual_seed(0))
    widths = [tuple(layer.weight.shape[1:]) for layer in model.decoder.layers]
    assert widths == [(2, 4), (4, 8), (8, 5)]
    x = draw(3, 6, 5)
    assert model.encoder(x).shape == (3, 6, 2)
    torch.testing.assert_close(model(x), model.decoder(model.encoder(x)))
