"""Weights of timm's and torchvision's models give their logits; checkpoints come back as written."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed, resample_patch_embed
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import nn
from torchvision.models import VisionTransformer as TorchvisionViT

from vit_minimal.patches import patchify, unpatchify
from vit_minimal.pretrained import (
    load_checkpoint,
    load_timm_state_dict,
    load_torchvision_state_dict,
    resize_patches,
    save_checkpoint,
)
from vit_minimal.variants import ClassTokenLast, ReadsFirstPatch
from vit_minimal.vision_transformer import VisionTransformer, ViTConfig

CONFIG = ViTConfig(image_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=7)


def lively(model):
    """`model` with random numbers in every parameter: no bias is 0, no norm's weight is 1."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.3)
    return model.eval()


def timm_model(**settings):
    shape = {"img_size": 16, "patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3}
    return lively(TimmViT(**{**shape, "num_classes": 7, **settings}))


def torchvision_model(**settings):
    shape = {"image_size": 16, "patch_size": 4, "num_layers": 2, "num_heads": 3, "hidden_dim": 24}
    return lively(TorchvisionViT(**{**shape, "mlp_dim": 96, "num_classes": 7, **settings}))


def assert_same_logits(ours, theirs):
    config = ours.config
    size = (config.image_size,) * 2 if isinstance(config.image_size, int) else config.image_size
    images = torch.randn(5, config.in_channels, *size)
    with torch.no_grad():
        expected, logits = theirs(images), ours.eval()(images)
    assert expected.std() > 0.1
    assert (logits - expected).abs().max() <= 1e-5


def weights_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same_weights(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# --- timm and torchvision -------------------------------------------------------------------------

MEAN = {"global_pool": "avg", "class_token": False, "fc_norm": False}


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ({}, {}),
        (MEAN, {"pool": "mean"}),
        ({"reg_tokens": 3}, {"num_registers": 3}),
        ({"no_embed_class": True}, {}),
        ({"no_embed_class": True, "reg_tokens": 3}, {"num_registers": 3}),
        ({**MEAN, "reg_tokens": 3}, {"pool": "mean", "num_registers": 3}),
        ({**MEAN, "reg_tokens": 3, "no_embed_class": True}, {"pool": "mean", "num_registers": 3}),
        ({"img_size": (8, 20)}, {"image_size": (8, 20)}),
        ({"img_size": (20, 8), "reg_tokens": 1}, {"image_size": (20, 8), "num_registers": 1}),
        ({"in_chans": 1, "num_heads": 4}, {"in_channels": 1, "num_heads": 4}),
        (
            {"mlp_ratio": 2.5, "depth": 3, "patch_size": 8},
            {"mlp_ratio": 2.5, "depth": 3, "patch_size": 8},
        ),
    ],
    ids=str,
)
def test_timm_s_weights_give_timm_s_logits(theirs, ours):
    theirs, ours = timm_model(**theirs), VisionTransformer(replace(CONFIG, **ours))
    assert load_timm_state_dict(ours, theirs.state_dict()) is ours
    assert_same_logits(ours, theirs)


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ({}, {}),
        ({"num_heads": 4, "num_layers": 12}, {"num_heads": 4, "depth": 12}),
        ({"image_size": 24, "mlp_dim": 36}, {"image_size": 24, "mlp_ratio": 1.5}),
    ],
    ids=str,
)
def test_torchvision_s_weights_give_torchvision_s_logits(theirs, ours):
    theirs, ours = torchvision_model(**theirs), VisionTransformer(replace(CONFIG, **ours))
    assert load_torchvision_state_dict(ours, theirs.state_dict()) is ours
    assert_same_logits(ours, theirs)


@pytest.mark.parametrize(
    "load, theirs, ours, named",
    [
        (load_timm_state_dict, timm_model, {"depth": 3}, r"blocks\.2\.attn\.qkv\.weight is missing"),
        (load_timm_state_dict, timm_model, {"depth": 1}, r"blocks\.1\.norm1\.bias is not in the"),
        (load_timm_state_dict, timm_model, {"pool": "mean"}, r"cls_token\.weight is not in the"),
        (load_timm_state_dict, timm_model, {"num_registers": 2}, r"reg_token\.weight is missing"),
        (load_timm_state_dict, timm_model, {"image_size": 24}, r"pos_embed.* 17, 24.* 37, 24"),
        (load_timm_state_dict, timm_model, {"num_classes": 5}, r"head\.bias is \(7,\).* \(5,\)"),
        (
            load_timm_state_dict,
            lambda: timm_model(global_pool="avg", class_token=False),
            {"pool": "mean"},
            r"fc_norm\.weight is not in the model.*norm\.weight is missing",
        ),
        (load_timm_state_dict, lambda: timm_model(init_values=0.1), {}, r"blocks\.0\.ls1\.gamma"),
        (load_timm_state_dict, lambda: timm_model(qk_norm=True), {}, r"attn\.q_norm\.weight"),
        (load_timm_state_dict, torchvision_model, {}, r"class_token is not in the model"),
        (load_torchvision_state_dict, torchvision_model, {"depth": 1}, r"blocks\.1\.mlp\.fc2\.bias"),
        (load_torchvision_state_dict, torchvision_model, {"patch_size": 8}, r"patch_embed\.proj"),
        (
            load_torchvision_state_dict,
            lambda: torchvision_model(representation_size=8),
            {},
            r"heads\.pre_logits\.weight is not in the model",
        ),
        (load_torchvision_state_dict, lambda: nn.Linear(2, 2), {}, r"cls_token\.weight is missing"),
    ],
)  # fmt: skip
def test_weights_of_another_model_are_named_and_change_nothing(load, theirs, ours, named):
    model = VisionTransformer(replace(CONFIG, **ours))
    before = weights_of(model)
    with pytest.raises(ValueError, match=named):
        load(model, theirs().state_dict())
    assert same_weights(before, weights_of(model))


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"image_size": (8, 12), "num_registers": 2, "mlp_ratio": 1.5, "attn_drop_rate": 0.1},
        {"pool": "attention", "pos_embed": "sinusoidal", "norm_first": False},
    ],
    ids=str,
)
def test_checkpoint_comes_back_as_it_was_written(settings, tmp_path):
    model = lively(VisionTransformer(replace(CONFIG, **settings))).train()
    path = tmp_path / "runs" / "first" / "model.safetensors"
    save_checkpoint(path, model)
    loaded = load_checkpoint(str(path))
    assert loaded.config == model.config
    assert type(loaded.config.image_size) is type(model.config.image_size)
    assert same_weights(weights_of(loaded), weights_of(model))
    assert not loaded.training and model.training
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_checkpoint_in_which_a_setting_has_its_former_name_is_read(tmp_path):
    path, model = (
        tmp_path / "model.safetensors",
        VisionTransformer(replace(CONFIG, norm_first=False)),
    )
    config = asdict(model.config)
    config["pre_norm"] = config.pop("norm_first")
    save_file(model.state_dict(), path, metadata={"config": json.dumps(config)})
    assert load_checkpoint(path).config == model.config


def test_notes_are_kept_beside_the_weights(tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, VisionTransformer(CONFIG), accuracy=0.57, seeds=[0, 1], name="été")
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["notes"]) == {
            "accuracy": 0.57,
            "seeds": [0, 1],
            "name": "été",
        }


@pytest.mark.parametrize("cut", [0, 4, 100, 0.5, 0.99])
def test_truncated_checkpoint_is_named(cut, tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, VisionTransformer(CONFIG))
    whole = path.read_bytes()
    path.write_bytes(whole[: cut if isinstance(cut, int) else int(cut * len(whole))])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        load_checkpoint(path)


def test_pickled_checkpoint_is_not_read(tmp_path):
    path = tmp_path / "model.safetensors"
    torch.save(VisionTransformer(CONFIG).state_dict(), path)
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged or not a safetensors"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"config": "resnet50"},
        {"config": "{}"},
        {"config": '{"image_size": 32, "hidden_size": 768}'},
    ],
    ids=str,
)
def test_checkpoint_of_another_program_is_named(metadata, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata=metadata)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        load_checkpoint(path)


def test_checkpoint_whose_weights_do_not_fit_its_configuration_is_named(tmp_path):
    path, model = tmp_path / "model.safetensors", VisionTransformer(CONFIG)
    model.config = replace(CONFIG, num_classes=5)
    save_checkpoint(path, model)
    with pytest.raises(ValueError, match=r"head\.weight is \(7, 24\)"):
        load_checkpoint(path)


def test_checkpoint_of_a_variant_is_not_taken_for_a_plain_model(tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, ClassTokenLast(CONFIG))
    with pytest.raises(ValueError, match=r"model\.safetensors holds a ClassTokenLast"):
        load_checkpoint(path)


def test_missing_checkpoint_is_named(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match=path.name):
            load_checkpoint(path)


@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr
)
def test_write_that_breaks_off_leaves_the_older_checkpoint(failure, tmp_path, monkeypatch):
    path, older, newer = tmp_path / "model.safetensors", *map(VisionTransformer, [CONFIG] * 2)
    save_checkpoint(path, older)

    def break_off(unfinished, content):
        with open(unfinished, "wb") as file:
            file.write(b"half a file")
        raise failure

    monkeypatch.setattr(Path, "write_bytes", break_off)
    with pytest.raises(type(failure)):
        save_checkpoint(path, newer)
    assert same_weights(weights_of(load_checkpoint(path)), weights_of(older))
    assert list(tmp_path.iterdir()) == [path]


def test_notes_that_json_cannot_hold_leave_the_older_checkpoint(tmp_path):
    path, model = tmp_path / "model.safetensors", VisionTransformer(CONFIG)
    save_checkpoint(path, model)
    with pytest.raises(TypeError):
        save_checkpoint(path, VisionTransformer(CONFIG), history=object())
    assert same_weights(weights_of(load_checkpoint(path)), weights_of(model))


# --------------------------------------------------------------------------------- other patches


@pytest.mark.parametrize(("patch_size", "image_size"), [(8, 16), (2, 16), (6, (12, 24)), (4, 8)])
@pytest.mark.parametrize("registers", [0, 2])
def test_resized_patches_are_timms(patch_size, image_size, registers):
    model = lively(VisionTransformer(replace(CONFIG, num_registers=registers)))
    resized = resize_patches(model, patch_size, image_size)
    kernel, positions = model.patch_embed.proj.weight.detach(), model.pos_embed.weight.detach()
    expected = resample_patch_embed(kernel, [patch_size] * 2, interpolation="bilinear")
    torch.testing.assert_close(resized.patch_embed.proj.weight.detach(), expected)
    grid, prefix = list(resized.patch_embed.grid_size), model.num_prefix
    expected = resample_abs_pos_embed(positions, grid, [4, 4], num_prefix_tokens=prefix)
    torch.testing.assert_close(resized.pos_embed.weight.detach(), expected)
    same = {"patch_embed.proj.weight", "pos_embed.weight"}
    ours, theirs = weights_of(model), weights_of(resized)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours.keys() - same)
    assert not resized.training


def test_a_resized_model_answers_the_same_about_patches_that_are_resized_alone():
    model = lively(VisionTransformer(CONFIG))
    images = torch.randn(3, 3, 16, 16)
    patches = patchify(images, 4).reshape(3 * 16, 3, 4, 4)
    larger = nn.functional.interpolate(patches, size=(8, 8), mode="bilinear")
    larger = unpatchify(larger.reshape(3, 16, 3 * 8 * 8), 8, 32)
    with torch.no_grad():
        answers = resize_patches(model, 8, 32)(larger)
        torch.testing.assert_close(answers, model(images), atol=1e-4, rtol=1e-4)


def test_a_resized_variant_is_still_that_variant():
    assert isinstance(resize_patches(ReadsFirstPatch(CONFIG), 2), ReadsFirstPatch)


def test_sinusoidal_positions_are_computed_anew_and_patches_must_fit():
    model = VisionTransformer(replace(CONFIG, pos_embed="sinusoidal"))
    resized = resize_patches(model, 2)
    expected = VisionTransformer(replace(CONFIG, pos_embed="sinusoidal", patch_size=2))
    assert torch.equal(resized.pos_embed.weight, expected.pos_embed.weight)
    assert resized.training
    with pytest.raises(ValueError, match="patch_size 5 does not divide the image size 16 × 16"):
        resize_patches(model, 5)
