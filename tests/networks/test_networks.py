"""Networks of many members against plain torch networks."""

import pytest
import torch
from torch import nn

from skncae.networks import _convolutional
from skncae.networks._autoencoder import Autoencoder, build_encoder
from skncae.networks._convolutional import ImageDecoder, ImageEncoder
from skncae.networks._generators import MemberStreams
from skncae.networks._layers import LEAKINESS, MemberConv, MemberLinear
from skncae.networks._mlp import MemberMLP
from skncae.networks._state import network_from_state, network_state

WIDTHS = (5, 8, 4, 2)


def network(n_members=3, seed=0):
    return MemberMLP(MemberStreams(seed, range(n_members)), WIDTHS)


def draw(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def plain_copy(member_mlp, member):
    """Return the torch.nn network with the weights of one member."""
    layers = []
    for layer in member_mlp.layers:
        plain = nn.Linear(*layer.weight.shape[1:])
        plain.weight.data = layer.weight.data[member].T.clone()
        plain.bias.data = layer.bias.data[member, 0].clone()
        layers += [plain, nn.LeakyReLU(LEAKINESS)]
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


def test_initial_weights_of_a_member_do_not_depend_on_how_many_there_are():
    alone = MemberMLP(MemberStreams(0, range(2, 3)), WIDTHS)
    for own, shared in zip(alone.layers, network().layers, strict=True):
        assert torch.equal(own.weight[0], shared.weight[2])
        assert torch.equal(own.bias[0], shared.bias[2])


def test_initial_weights_keep_to_the_bounds_of_a_torch_linear_layer():
    layer = MemberLinear(MemberStreams(0, range(4)), 100, 50)
    for values in (layer.weight, layer.bias):
        assert 0.09 < values.abs().max() <= 0.1  # 1 / sqrt(100)


def test_initial_weights_come_from_the_given_streams_only():
    state = torch.get_rng_state()
    first, again, other = network(seed=5), network(seed=5), network(seed=6)
    assert torch.equal(first.layers[0].weight, again.layers[0].weight)
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_autoencoder_decodes_what_it_encodes_through_a_mirrored_decoder():
    model = Autoencoder(MemberStreams(0, range(3)), (5,), (8, 4), 2)
    widths = [tuple(layer.weight.shape[1:]) for layer in model.decoder.layers]
    assert widths == [(2, 4), (4, 8), (8, 5)]
    x = draw(3, 6, 5)
    assert model.encoder(x).shape == (3, 6, 2)
    torch.testing.assert_close(model(x), model.decoder(model.encoder(x)))


# --- images --------------------------------------------------------------------

IMAGE = (9, 13, 2)


def image_model(n_members=3):
    return Autoencoder(MemberStreams(0, range(n_members)), IMAGE, (4, 6), 5)


@pytest.mark.parametrize("hidden_units", [(8, 4), (6,), ()])
def test_reconstruction_feature_by_feature_is_that_row_by_row(hidden_units):
    model = Autoencoder(MemberStreams(0, range(3)), (5,), hidden_units, 2).double()
    x = draw(6, 5).double()
    with_one = torch.cat([x, torch.ones(6, 1)], 1)
    with torch.no_grad():
        expected = model(x.expand(3, *x.shape))
        torch.testing.assert_close(model.feature_major()(with_one.mT).mT, expected)


def test_convolutions_have_no_form_feature_by_feature():
    assert image_model().feature_major() is None


def test_convolution_of_a_member_is_a_plain_one_with_its_weights():
    layer = MemberConv(MemberStreams(0, range(3)), 2, 4)
    x = draw(5, 6, 7, 3, 2)
    y = layer(x)
    for member in range(3):
        plain = nn.Conv2d(2, 4, 3, padding=1)
        plain.weight.data = layer.weight.data[member]
        plain.bias.data = layer.bias.data[member]
        expected = plain(x[..., member, :].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        torch.testing.assert_close(y[..., member, :], expected)


def test_first_layer_is_a_convolution_of_6_by_6_pixels_with_stride_2():
    encoder = ImageEncoder(MemberStreams(0, range(1)), (8, 10, 1), (3,), 2)
    layer = encoder.convolutions[0]
    # Channel 2 i + j of a block is its pixel (i, j).
    kernel = layer.weight.view(3, 2, 2, 3, 3).permute(0, 3, 1, 4, 2).reshape(3, 1, 6, 6)
    x = draw(1, 4, 80)
    grid = nn.functional.conv2d(
        x.view(4, 1, 8, 10), kernel, layer.bias[0], stride=2, padding=2
    )
    grid = nn.functional.leaky_relu(grid, LEAKINESS)
    expected = encoder.linear(grid.permute(0, 2, 3, 1).reshape(1, 4, -1))
    torch.testing.assert_close(encoder(x), expected)


def test_blocks_go_to_channels_and_back():
    x = draw(2, 4, 6, 3, 5)
    folded = _convolutional._blocks_to_channels(x)
    assert folded.shape == (2, 2, 3, 3, 20)
    torch.testing.assert_close(folded[0, 1, 2, 1, 5:10], x[0, 2, 5, 1])
    assert torch.equal(_convolutional._channels_to_blocks(folded), x)


def test_image_autoencoder_returns_rows_of_the_width_it_was_given():
    model, x = image_model(), draw(3, 6, 9 * 13 * 2)
    assert model.encoder(x).shape == (3, 6, 5)
    assert model(x).shape == x.shape
    assert isinstance(model.decoder, ImageDecoder)


def test_pixel_reaches_the_reconstruction_of_its_own_member_and_row_only():
    model, x = image_model(), draw(3, 6, 9 * 13 * 2)
    changed = x.clone()
    changed[1, 4, 7] += 10
    moved = (model(x) - model(changed)).abs().amax(-1) > 1e-6
    assert moved.nonzero().tolist() == [[1, 4]]


def test_gradient_of_an_image_member_reaches_no_other_member():
    model = image_model()
    model(draw(3, 6, 9 * 13 * 2))[1].sum().backward()
    for parameter in model.parameters():
        by_member = parameter.grad.reshape(3, -1).abs().sum(1)
        assert by_member[1] > 0
        assert by_member[0] == by_member[2] == 0


def test_image_networks_are_built_again_from_their_state():
    model, x = image_model(), draw(3, 6, 9 * 13 * 2)
    torch.testing.assert_close(
        network_from_state(Autoencoder, network_state(model))(x), model(x)
    )
    encoder = build_encoder(MemberStreams(0, range(2)), IMAGE, (4,), 1)
    again = network_from_state(build_encoder, network_state(encoder))
    torch.testing.assert_close(again(x[:2]), encoder(x[:2]))


def test_pixels_are_seen_where_they_are():
    # An image of which one half is white is unlike the one of which the other is.
    encoder = ImageEncoder(MemberStreams(0, range(1)), (8, 8, 1), (4,), 3)
    left = torch.zeros(8, 8)
    left[:, :4] = 1.0
    z = encoder(torch.stack([left.flatten(), left.T.flatten()])[None])[0]
    assert not torch.allclose(z[0], z[1])
