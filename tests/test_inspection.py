"""Attention maps are the model's own weights, and looking at them leaves no trace."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from vit_minimal.augment import normalize
from vit_minimal.inspection import attention_maps
from vit_minimal.vision_transformer import VisionTransformer, ViTConfig

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=12, depth=3, num_heads=3)
SETTINGS = [
    {},
    {"pool": "mean", "num_heads": 4},
    {"num_registers": 2, "pre_norm": False},
    {"image_size": (8, 20), "num_heads": 1, "depth": 1},
    {"pool": "attention", "pos_embed": "sinusoidal"},
]


def lively(**settings):
    model = VisionTransformer(replace(CONFIG, **settings))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def pictures(model, B=2):
    return torch.randn(B, *model.patch_embed.image_shape)


@torch.no_grad()
def maps_by_hand(model, images):
    """softmax(QKᵀ/√d), one head after the other, from slices of the weights: (L, B, h, T, T)."""
    D, h = model.config.embed_dim, model.config.num_heads
    x = model.pos_embed(model.cls_token(model.reg_token(model.patch_embed(images))))
    layers = []
    for block in model.blocks:
        qkv = block.norm1(x) if model.config.pre_norm else x
        qkv = qkv @ block.attn.qkv.weight.T + block.attn.qkv.bias
        queries, keys = (
            qkv[..., :D].split(D // h, dim=-1),
            qkv[..., D : 2 * D].split(D // h, dim=-1),
        )
        heads = [
            torch.softmax(q @ k.transpose(1, 2) / (D // h) ** 0.5, dim=2)
            for q, k in zip(queries, keys, strict=True)
        ]
        layers.append(torch.stack(heads, dim=1))
        x = block(x)
    return torch.stack(layers)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_maps_are_the_formula_worked_by_hand(settings):
    model = lively(**settings).eval()
    images = pictures(model)
    maps = attention_maps(model, images)
    tokens = model.pos_embed.weight.shape[1]
    assert maps.shape == (model.config.depth, 2, model.config.num_heads, tokens, tokens)
    torch.testing.assert_close(maps, maps_by_hand(model, images), rtol=0, atol=1e-6)
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(maps.shape[:-1]))
    assert not maps.requires_grad


def test_bytes_are_normalised_first():
    model = lively()
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(attention_maps(model, images), attention_maps(model, normalize(images)))


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_logits_hooks_and_mode_as_they_were(training):
    model = lively().train(training)
    images = pictures(model)
    before = model(images)
    attention_maps(model, images)
    assert torch.equal(model(images), before)
    assert all(module.training == training for module in model.modules())
    assert not any(block.attn._forward_hooks for block in model.blocks)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_failing_leaves_hooks_and_mode_as_they_were(training):
    model = lively().train(training)
    with pytest.raises(ValueError, match=r"\(3, 8, 8\).* 8, 16\)"):
        attention_maps(model, torch.zeros(2, 3, 8, 16))
    assert model.training == training
    assert not any(block.attn._forward_hooks for block in model.blocks)


def test_dropout_does_not_blur_the_maps():
    model = lively(attn_drop_rate=0.5, pos_drop_rate=0.5, drop_path_rate=0.5)
    images = pictures(model)
    maps = attention_maps(model.train(), images)
    assert torch.equal(maps, attention_maps(model.eval(), images))
