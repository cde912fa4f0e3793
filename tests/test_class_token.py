"""The token that belongs to no patch, and the positions that are added to all of them."""

import pytest
import torch
from timm.layers import build_sincos2d_pos_embed

from vit_minimal.class_token import ClassToken, PositionEmbedding, sinusoidal_2d

# --- class token and registers --------------------------------------------------------------------


def test_one_vector_serves_every_batch_size():
    token = ClassToken(8)
    assert [parameter.shape for parameter in token.parameters()] == [(1, 1, 8)]
    for batch in (1, 2, 5):
        assert token(torch.zeros(batch, 3, 8)).shape == (batch, 4, 8)


def test_class_token_comes_first_and_patches_follow_unchanged():
    token, patches = ClassToken(8), torch.randn(2, 6, 8)
    tokens = token(patches)
    for i in range(2):
        assert torch.equal(tokens[i, 0], token.weight[0, 0])
    assert torch.equal(tokens[:, 1:], patches)


def test_its_gradient_is_the_sum_over_the_batch():
    token, upstream = ClassToken(8), torch.randn(5, 4, 8)
    token(torch.zeros(5, 3, 8)).backward(upstream)
    torch.testing.assert_close(token.weight.grad[0, 0], upstream[:, 0].sum(dim=0))


def test_registers_are_several_vectors_in_front():
    registers, patches = ClassToken(8, count=3), torch.randn(2, 6, 8)
    tokens = registers(patches)
    assert registers.weight.shape == (1, 3, 8)
    assert torch.equal(tokens[:, :3], registers.weight.expand(2, 3, 8))
    assert torch.equal(tokens[:, 3:], patches)


@pytest.mark.parametrize("module", [ClassToken(5_000), PositionEmbedding((5, 10), 100)])
def test_what_is_learned_starts_small(module):
    assert module.weight.mean().abs() < 0.002
    assert 0.018 < module.weight.std() < 0.022


@pytest.mark.parametrize(
    "make", [lambda: ClassToken(50, count=4), lambda: PositionEmbedding((2, 3), 50)]
)
def test_each_token_draws_its_own_start(make):
    directions = torch.nn.functional.normalize(make().weight[0], dim=-1)
    alike = directions @ directions.T - torch.eye(len(directions))
    assert alike.abs().max() < 0.7


# --- positions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_prefix", [0, 1, 5])
def test_learned_positions_have_a_slot_for_every_token(num_prefix):
    positions = PositionEmbedding((2, 3), 8, num_prefix)
    tokens = torch.randn(4, num_prefix + 6, 8)
    assert positions.weight.shape == (1, num_prefix + 6, 8)
    assert torch.equal(positions(tokens), tokens + positions.weight)


def test_class_token_learns_a_position_of_its_own():
    positions = PositionEmbedding((2, 3), 8)
    positions(torch.zeros(5, 7, 8))[:, 0].sum().backward()
    assert torch.equal(positions.weight.grad[0, 0], torch.full((8,), 5.0))
    assert not positions.weight.grad[0, 1:].any()


def test_forgotten_slot_for_the_class_token_is_an_error():
    with pytest.raises(RuntimeError, match="size"):
        PositionEmbedding((2, 3), 8, num_prefix=0)(torch.zeros(5, 7, 8))


@pytest.mark.parametrize("num_prefix", [0, 1, 5])
def test_sinusoidal_positions_leave_the_tokens_in_front_alone(num_prefix):
    positions = PositionEmbedding((2, 3), 8, num_prefix, sinusoidal=True)
    tokens = torch.randn(4, num_prefix + 6, 8)
    moved = positions(tokens)
    assert torch.equal(moved[:, :num_prefix], tokens[:, :num_prefix])
    assert torch.equal(moved[:, num_prefix:], tokens[:, num_prefix:] + sinusoidal_2d((2, 3), 8))


def test_sinusoidal_positions_are_neither_trained_nor_saved_but_move_with_the_model():
    positions = PositionEmbedding((2, 3), 8, sinusoidal=True)
    assert not list(positions.parameters()) and not positions.state_dict()
    assert positions.double()(torch.zeros(1, 7, 8, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("grid, width", [((8, 8), 192), ((2, 5), 16), ((5, 2), 8), ((1, 3), 12)])
def test_sinusoidal_positions_equal_timm_s(grid, width):
    # timm's wave lengths stop one step before the longest, and with `reverse_coord` (columns
    # before rows) it also walks the grid column by column: the rest is the same.
    bands = width // 4
    temperature = 10_000 ** (bands / (bands - 1))
    theirs = build_sincos2d_pos_embed(
        list(grid), width, temperature, reverse_coord=True, interleave_sin_cos=True
    )
    theirs = theirs.reshape(grid[1], grid[0], width).transpose(0, 1).flatten(0, 1)
    torch.testing.assert_close(sinusoidal_2d(grid, width), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("temperature", [10.0, 400.0])
def test_temperature_sets_the_slowest_wave(temperature):
    table = sinusoidal_2d((2, 3), 8, temperature)  # the last patch: column 2, row 1
    angles = 2.0, 2 / temperature, 1.0, 1 / temperature
    x_fast, x_slow, y_fast, y_slow = map(torch.tensor, angles)
    expected = [x_fast.sin(), x_slow.sin(), x_fast.cos(), x_slow.cos()]
    expected += [y_fast.sin(), y_slow.sin(), y_fast.cos(), y_slow.cos()]
    torch.testing.assert_close(table[-1], torch.stack(expected))


def test_no_two_places_have_the_same_sinusoidal_position():
    table = sinusoidal_2d((14, 14), 64)
    distances = torch.cdist(table, table) + 1e9 * torch.eye(196)
    assert distances.min() > 0.5
    torch.testing.assert_close(table.square().sum(dim=1), torch.full((196,), 32.0))


@pytest.mark.parametrize("width", [6, 10, 31])
def test_width_that_sines_and_cosines_cannot_share_is_named(width):
    with pytest.raises(ValueError, match=f"divisible by 4, not {width}"):
        sinusoidal_2d((2, 3), width)
    with pytest.raises(ValueError, match=f"divisible by 4, not {width}"):
        PositionEmbedding((2, 3), width, sinusoidal=True)
