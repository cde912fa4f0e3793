"""The whole model: shapes, sizes, what each setting does, and what must not depend on what."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vit_minimal.patches import patchify, unpatchify
from vit_minimal.vision_transformer import (
    AttentionPooling,
    EncoderBlock,
    VisionTransformer,
    ViTConfig,
    drop_path,
)

SMALL = ViTConfig(image_size=8, patch_size=4, embed_dim=12, depth=3, num_heads=3)
POOLS = ["class", "mean", "attention"]
RATES = ["pos_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate"]
ALL = 1 - 1e-6  # a rate that spares nothing

each_pool = pytest.mark.parametrize("pool", POOLS)


def small(**settings):
    return VisionTransformer(replace(SMALL, **settings))


def lively(**settings):
    """A small model in float64 with large random weights, so that everything shows."""
    model = small(**settings).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def pictures(B=2, C=3, H=8, W=8):
    return torch.randn(B, C, H, W, dtype=torch.float64)


def watch(module, model, images):
    """What `module` is given and what it gives while `model` looks at `images`."""
    seen = []
    hook = module.register_forward_hook(lambda _, inputs, output: seen.extend((*inputs, output)))
    with torch.no_grad():
        model(images)
    hook.remove()
    return seen


# --- shapes and sizes -----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 5])
@each_pool
def test_images_become_logits(pool, batch):
    assert small(pool=pool)(torch.randn(batch, 3, 8, 8)).shape == (batch, 10)


@pytest.mark.parametrize(
    "settings, image, tokens",
    [
        ({}, (3, 8, 8), 1 + 4),
        ({"pool": "mean"}, (3, 8, 8), 4),
        ({"num_registers": 3}, (3, 8, 8), 1 + 3 + 4),
        ({"pool": "attention", "num_registers": 3}, (3, 8, 8), 3 + 4),
        ({"image_size": (8, 20)}, (3, 8, 20), 1 + 2 * 5),
        ({"image_size": (20, 8)}, (3, 20, 8), 1 + 5 * 2),
        ({"in_channels": 1}, (1, 8, 8), 1 + 4),
        ({"patch_size": 8}, (3, 8, 8), 1 + 1),
        ({"patch_size": 1, "pos_embed": "sinusoidal"}, (3, 8, 8), 1 + 64),
        ({"depth": 1, "num_classes": 1, "mlp_ratio": 0.5}, (3, 8, 8), 1 + 4),
    ],
    ids=str,
)
def test_every_setting_gives_its_tokens_and_logits(settings, image, tokens):
    model, images = small(**settings), torch.randn(2, *image)
    assert model.num_tokens == tokens
    assert model.forward_features(images).shape == (2, tokens, 12)
    assert model(images).shape == (2, model.config.num_classes)


@pytest.mark.parametrize(
    "name, width, heads, parameters",
    [("Ti/16", 192, 3, 5_717_416), ("S/16", 384, 6, 22_050_664), ("B/16", 768, 12, 86_567_656)],
)
def test_parameter_counts_are_the_paper_s(name, width, heads, parameters, monkeypatch):
    monkeypatch.setattr(nn.init, "trunc_normal_", lambda weight, std: weight)  # drawing takes time
    monkeypatch.setattr(nn.init, "kaiming_uniform_", lambda weight, **_: weight)
    config = ViTConfig(224, 16, 3, 1000, embed_dim=width, depth=12, num_heads=heads)
    model = VisionTransformer(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


# --- Eq. 1 to 4 -----------------------------------------------------------------------------------


def test_first_block_is_given_class_token_registers_patches_each_with_its_position():
    model, images = lively(num_registers=2), pictures()
    tokens = watch(model.blocks[0], model, images)[0] - model.pos_embed.weight
    expected = (model.cls_token.weight, model.reg_token.weight, model.patch_embed(images))
    for part, wanted in zip(tokens.split([1, 2, 4], dim=1), expected, strict=True):
        torch.testing.assert_close(part, wanted.expand_as(part))


@pytest.mark.parametrize("norm_first", [True, False])
def test_block_equals_pytorch_s_layer_with_the_same_weights(norm_first):
    block = EncoderBlock(replace(SMALL, norm_first=norm_first, mlp_ratio=2.5)).double()
    theirs = nn.TransformerEncoderLayer(
        12, 3, 30, 0.0, "gelu", 1e-6, batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours = block.state_dict()
    names = {
        "self_attn.in_proj_": "attn.qkv.",
        "self_attn.out_proj.": "attn.proj.",
        "linear1.": "mlp.fc1.",
        "linear2.": "mlp.fc2.",
        "norm1.": "norm1.",
        "norm2.": "norm2.",
    }
    theirs.load_state_dict(
        {a + w: ours[b + w] for a, b in names.items() for w in ("weight", "bias")}
    )
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(block(x), theirs(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm_first", [True, False])
def test_tokens_leave_the_last_block_normalised_once(norm_first):
    model = small(norm_first=norm_first)
    tokens = model.forward_features(10 * torch.randn(2, 3, 8, 8))
    assert tokens.mean(dim=-1).abs().max() < 1e-5
    assert (tokens.var(dim=-1, correction=0) - 1).abs().max() < 0.01
    final = [name for name, _ in model.named_parameters() if name.startswith("norm.")]
    assert bool(final) == norm_first


@pytest.mark.parametrize("norm_first", [True, False])
def test_norms_add_to_the_variance_what_the_reference_models_add(norm_first):
    norms = [
        module
        for module in small(norm_first=norm_first).modules()
        if isinstance(module, nn.LayerNorm)
    ]
    after_the_last = 1 if norm_first else 0
    assert [norm.eps for norm in norms] == [1e-6] * (2 * SMALL.depth + after_the_last)


@pytest.mark.parametrize("num_registers", [0, 2])
@each_pool
def test_head_reads_what_pool_says(pool, num_registers):
    model, images = lively(pool=pool, num_registers=num_registers), pictures()
    tokens = model.forward_features(images)
    patches = tokens[:, -4:]
    if pool == "class":
        read = tokens[:, 0]
    elif pool == "mean":
        read = patches.mean(dim=1)
    else:
        read = model.attn_pool(patches)
    torch.testing.assert_close(model(images), F.linear(read, model.head.weight, model.head.bias))


def test_attention_pooling_starts_as_the_mean_and_learns_what_to_look_for():
    pool, tokens = AttentionPooling(8).double(), torch.randn(3, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(pool(tokens), tokens.mean(dim=1))
    nn.init.normal_(pool.query, std=2.0)
    query = pool.query.expand(3, 1, 8)
    expected = F.scaled_dot_product_attention(query, tokens, tokens).squeeze(1)
    torch.testing.assert_close(pool(tokens), expected, rtol=0, atol=1e-12)


def test_class_token_reaches_the_logits():
    model, images = small(), torch.randn(2, 3, 8, 8)
    before = model(images)
    model.cls_token.weight.data.zero_()
    assert ((model(images) - before).abs() > 1e-6).any(dim=1).all()


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_without_class_pooling_there_is_no_class_token(pool):
    assert not [name for name, _ in small(pool=pool).named_parameters() if "cls" in name]


def test_registers_take_part_but_are_not_read():
    model, images = lively(num_registers=2), pictures()
    before = model(images)
    nn.init.normal_(model.reg_token.weight)
    assert not torch.allclose(model(images), before)


# --- what must not depend on what -----------------------------------------------------------------


@pytest.mark.parametrize("norm_first", [True, False])
@each_pool
def test_samples_of_a_batch_do_not_see_each_other(pool, norm_first):
    model, images = lively(pool=pool, norm_first=norm_first), pictures(B=3).requires_grad_()
    logits = model(images)
    logits[0].sum().backward()
    assert images.grad[0].any() and not images.grad[1:].any()
    for i in range(3):
        torch.testing.assert_close(model(images[i : i + 1]), logits[i : i + 1])


@pytest.mark.parametrize("num_registers", [0, 2])
@each_pool
def test_order_of_the_patches_is_told_by_their_positions_alone(pool, num_registers):
    model, images = lively(pool=pool, num_registers=num_registers), pictures()
    before, order = model(images), torch.tensor([2, 0, 3, 1])
    permuted = unpatchify(patchify(images, 4)[:, order], 4, 8)
    assert not torch.allclose(model(permuted), before)
    slots = model.pos_embed.weight.data
    slots[:, -4:] = slots[:, -4:][:, order]
    torch.testing.assert_close(model(permuted), before)


@pytest.mark.parametrize("settings", [{"pos_embed": "learned"}, {"pos_embed": "sinusoidal"}])
def test_moved_patches_are_noticed(settings):
    model, images = small(**settings), torch.randn(2, 3, 8, 8)
    moved = unpatchify(patchify(images, 4).flip(1), 4, 8)
    assert not torch.allclose(model(images), model(moved), atol=1e-5)


@each_pool
@pytest.mark.parametrize("norm_first", [True, False])
def test_every_parameter_is_reached_by_the_gradient(pool, norm_first):
    model = small(pool=pool, num_registers=2, norm_first=norm_first)
    F.cross_entropy(model(torch.randn(4, 3, 8, 8)), torch.arange(4)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.parametrize("norm_first", [True, False])
@each_pool
def test_loss_at_the_start_is_that_of_guessing(pool, norm_first):
    model = VisionTransformer(ViTConfig(depth=2, pool=pool, norm_first=norm_first))
    loss = F.cross_entropy(model(torch.rand(32, 3, 32, 32) * 2 - 1), torch.randint(10, (32,)))
    assert abs(loss.item() - math.log(10)) < 0.1


# --- dropout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", RATES)
def test_each_rate_acts_in_training_only(rate):
    images = torch.randn(4, 3, 8, 8)
    model, never = small(**{rate: 0.5}), small()
    never.load_state_dict(model.state_dict())
    assert not torch.equal(model(images), model(images))
    assert torch.equal(model.eval()(images), never.eval()(images))
    assert torch.equal(never.train()(images), never.eval()(images))


def test_pos_drop_rate_drops_what_enters_the_first_block():
    model = lively(pos_drop_rate=ALL)
    entering, _ = watch(model.blocks[0], model, pictures())
    assert not entering.any()


def test_attn_drop_rate_drops_attention_weights_and_nothing_else():
    model = lively(attn_drop_rate=ALL)
    attention, mlp = model.blocks[1].attn, model.blocks[1].mlp
    _, attended = watch(attention, model, pictures())
    assert torch.equal(attended, attention.proj.bias.expand_as(attended))
    assert watch(mlp, model, pictures())[1].all()


def test_proj_drop_rate_drops_what_attention_and_mlp_add():
    model = lively(proj_drop_rate=ALL)
    for part in (model.blocks[1].attn, model.blocks[1].mlp):
        _, added = watch(part, model, pictures())
        assert not added.any()


def test_proj_drop_rate_drops_hidden_units_too():
    model = lively(proj_drop_rate=0.5, mlp_ratio=40)
    hidden, _ = watch(model.blocks[1].mlp.fc2, model, pictures())
    assert 0.4 < (hidden == 0).double().mean() < 0.6


def test_drop_path_rate_skips_the_last_block_most_and_the_first_never():
    model = lively(drop_path_rate=ALL)
    skipped = [torch.equal(*watch(block, model, pictures())) for block in model.blocks]
    assert skipped == [False, False, True]
    assert [block.drop_path_rate for block in model.blocks] == pytest.approx([0, ALL / 2, ALL])


def test_drop_path_drops_whole_samples_and_makes_up_for_them():
    x = torch.rand(20_000, 3, 2) + 1
    dropped = drop_path(x, 0.2)
    gone = (dropped == 0).flatten(1)
    assert torch.equal(gone.any(dim=1), gone.all(dim=1))
    assert 0.18 < gone.all(dim=1).float().mean() < 0.22
    kept = ~gone.all(dim=1)
    torch.testing.assert_close(dropped[kept], x[kept] / 0.8)
    assert abs(dropped.mean() / x.mean() - 1) < 0.02
    assert torch.equal(drop_path(x, 0.0), x)


# --- what cannot work -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"patch_size": 5}, "patch_size 5 .* 32 × 32"),
        ({"patch_size": 0}, "patch_size 0"),
        ({"image_size": (32, 30)}, "patch_size 4 .* 32 × 30"),
        ({"image_size": 0}, "image"),
        ({"image_size": -32}, "image"),
        ({"num_heads": 5}, "num_heads 5 .* embed_dim 192"),
        ({"num_heads": 0}, "num_heads 0"),
        ({"embed_dim": 0}, "embed_dim"),
        ({"depth": 0}, "depth"),
        ({"in_channels": 0}, "in_channels"),
        ({"num_classes": 0}, "num_classes"),
        ({"num_registers": -1}, "num_registers"),
        ({"mlp_ratio": 0.0}, "mlp_ratio"),
        ({"pool": "cls"}, "pool 'cls'"),
        ({"pool": None}, "pool None"),
        ({"pos_embed": "rotary"}, "pos_embed 'rotary'"),
        ({"embed_dim": 6, "pos_embed": "sinusoidal"}, "divisible by 4, not 6"),
        *(({rate: 1.5}, rate) for rate in RATES),
        ({"drop_path_rate": 1.0}, "drop_path_rate"),
        ({"norm_first": "false"}, "norm_first must be True or False, is 'false'"),
        ({"depth": 2.5}, "depth must be a whole number, is 2.5"),
        ({"depth": "abc"}, "depth must be a whole number, is 'abc'"),
        ({"depth": True}, "depth must be a whole number, is True"),
        ({"patch_size": 4.0}, "patch_size must be a whole number, is 4.0"),
        ({"mlp_ratio": "4"}, "mlp_ratio must be a number, is '4'"),
        ({"image_size": "abc"}, r"image_size must be a whole number or two, \(H, W\), is 'abc'"),
        ({"image_size": (32, 32, 3)}, r"image_size .* two, \(H, W\), is \(32, 32, 3\)"),
        ({"image_size": (32, 32.0)}, r"image_size .* is \(32, 32.0\)"),
        ({"drop_path_rate": -0.1}, "drop_path_rate"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_named(settings, named):
    with pytest.raises(ValueError, match=named):
        ViTConfig(**settings)  # before a model is made


def test_configuration_does_not_change():
    with pytest.raises(AttributeError, match="depth"):
        SMALL.depth = 4
    assert replace(SMALL) == SMALL and hash(SMALL) == hash(replace(SMALL))


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 8, 12), (2, 3, 16, 16), (3, 8, 8)])
def test_images_of_another_shape_are_named(shape):
    with pytest.raises(ValueError) as refusal:
        small()(torch.zeros(shape))
    got = ", ".join(map(str, shape[1:])) + ")"
    assert "(3, 8, 8)" in str(refusal.value) and got in str(refusal.value)
