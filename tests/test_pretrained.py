"""Weights of other libraries' models give their logits; checkpoints come back as written."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed, resample_patch_embed
from timm.models.vision_transformer import VisionTransformer as TimmViT
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import nn
from torchvision.models import VisionTransformer as TorchvisionViT
from transformers import ViTConfig as HFConfig
from transformers import ViTForImageClassification, ViTModel

from vit_minimal.patches import patchify, unpatchify
from vit_minimal.pretrained import (
    load_checkpoint,
    load_hf_state_dict,
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
        (load_timm_state_dict, timm_model, {"depth": 3}, r"blocks\.2\.norm1\.weight is missing"),
        (load_timm_state_dict, timm_model, {"depth": 1}, r"blocks\.1\.norm1\.weight is not in the"),
        (load_timm_state_dict, timm_model, {"pool": "mean"}, r"cls_token\.weight is not in the"),
        (load_timm_state_dict, timm_model, {"num_registers": 2}, r"reg_token\.weight is missing"),
        (load_timm_state_dict, timm_model, {"image_size": 24}, r"pos_embed.* 17, 24.* 37, 24"),
        (load_timm_state_dict, timm_model, {"num_classes": 5}, r"head\.bias is \(7,\).* \(5,\).*head=False"),
        (
            load_timm_state_dict,
            lambda: timm_model(global_pool="avg", class_token=False),
            {"pool": "mean"},
            r"norm\.weight is missing.*fc_norm\.weight is not in the model",
        ),
        (load_timm_state_dict, lambda: timm_model(init_values=0.1), {}, r"blocks\.0\.ls1\.gamma"),
        (load_timm_state_dict, lambda: timm_model(qk_norm=True), {}, r"attn\.q_norm\.weight"),
        (load_timm_state_dict, torchvision_model, {}, r"torchvision's: load_torchvision_state_dict"),
        (load_torchvision_state_dict, torchvision_model, {"depth": 1}, r"blocks\.1\.norm1\.weight"),
        (load_torchvision_state_dict, torchvision_model, {"patch_size": 8}, r"patch_embed\.proj"),
        (
            load_torchvision_state_dict,
            lambda: torchvision_model(representation_size=8),
            {},
            r"heads\.pre_logits\.weight is not in the model",
        ),
        (load_torchvision_state_dict, lambda: nn.Linear(2, 2), {}, r"of no Vision Transformer"),
    ],
)  # fmt: skip
def test_weights_of_another_model_are_named_and_change_nothing(load, theirs, ours, named):
    model = VisionTransformer(replace(CONFIG, **ours))
    before = weights_of(model)
    with pytest.raises(ValueError, match=named):
        load(model, theirs().state_dict())
    assert same_weights(before, weights_of(model))


def hf_model(kind=ViTForImageClassification, **settings):
    shape = {"image_size": 16, "patch_size": 4, "hidden_size": 24, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 3, "intermediate_size": 96, "num_labels": 7}
    return lively(kind(HFConfig(**{**shape, "layer_norm_eps": 1e-6, **settings})))


class LogitsOf(nn.Module):
    """Hugging Face's models give an object back."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images).logits


FORMER = [  # names of transformers 5, and those of transformers 4 with which files on the Hub are written
    ("layers.", "encoder.layer."),
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
]


def in_other_names(state_dict, newer):
    renamed = {}
    for name, tensor in state_dict.items():
        for new, old in FORMER:
            if newer:
                name = name.replace(old, new)
            elif old not in name:
                name = name.replace(new, old)
        renamed[name] = tensor
    return renamed


@pytest.mark.parametrize("newer", [True, False], ids=["names of 5", "names of 4"])
@pytest.mark.parametrize(
    "theirs, ours",
    [
        ({}, {}),
        ({"num_attention_heads": 4, "num_hidden_layers": 11}, {"num_heads": 4, "depth": 11}),
        ({"image_size": 24, "intermediate_size": 36}, {"image_size": 24, "mlp_ratio": 1.5}),
        ({"num_channels": 1, "num_labels": 2}, {"in_channels": 1, "num_classes": 2}),
        ({"layer_norm_eps": 1e-12}, {"norm_eps": 1e-12}),
        ({"layer_norm_eps": 1e-2}, {"norm_eps": 1e-2}),
    ],
    ids=str,
)
def test_hugging_face_s_weights_give_their_logits(theirs, ours, newer):
    theirs, ours = hf_model(**theirs), VisionTransformer(replace(CONFIG, **ours))
    weights = in_other_names(theirs.state_dict(), newer)
    assert load_hf_state_dict(ours, weights) is ours
    assert_same_logits(ours, LogitsOf(theirs))


def test_hugging_face_s_model_as_it_is_made():
    torch.manual_seed(1)
    theirs = ViTForImageClassification(HFConfig(hidden_size=48, num_hidden_layers=3, num_labels=5,
        num_attention_heads=3, intermediate_size=96, image_size=32, patch_size=8)).eval()  # fmt: skip
    ours = VisionTransformer(ViTConfig(patch_size=8, embed_dim=48, depth=3, mlp_ratio=2.0,
        num_classes=5, norm_eps=1e-12)).eval()  # fmt: skip
    load_hf_state_dict(ours, theirs.state_dict())
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert (ours(images) - theirs(images).logits).abs().max() <= 1e-5


def test_hugging_face_s_model_without_a_head_gives_its_tokens():
    theirs, ours = hf_model(ViTModel), VisionTransformer(CONFIG).eval()
    head = weights_of(ours.head)
    load_hf_state_dict(ours, theirs.state_dict(), head=False)  # its pooler is left out
    images = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        expected, tokens = theirs(images).last_hidden_state, ours.forward_features(images)
    assert (tokens - expected).abs().max() <= 1e-5
    assert same_weights(weights_of(ours.head), head)


LOADERS = {
    "timm": (load_timm_state_dict, timm_model, {"num_classes": 0}),
    "torchvision": (load_torchvision_state_dict, torchvision_model, None),
    "Hugging Face": (load_hf_state_dict, hf_model, None),
}


@pytest.mark.parametrize("library", LOADERS)
def test_the_head_can_be_left_out(library):
    load, make, headless = LOADERS[library]
    for theirs in (make(), *([make(**headless)] if headless else [])):
        ours = VisionTransformer(replace(CONFIG, num_classes=3))
        head, blocks = weights_of(ours.head), weights_of(ours.blocks)
        load(ours, theirs.state_dict(), head=False)
        assert same_weights(weights_of(ours.head), head)
        assert not same_weights(weights_of(ours.blocks), blocks)
    with pytest.raises(ValueError, match="head=False"):
        load(ours, make().state_dict())


@pytest.mark.parametrize("library", LOADERS)
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_do_not_matter(library, prefix):
    load, make, _ = LOADERS[library]
    theirs = make()
    plain, prefixed = VisionTransformer(CONFIG), VisionTransformer(CONFIG)
    load(plain, theirs.state_dict())
    load(prefixed, {prefix + name: tensor for name, tensor in theirs.state_dict().items()})
    assert same_weights(weights_of(plain), weights_of(prefixed))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("library", [*LOADERS, "this course"])
def test_refusals_are_short_and_say_what_to_call(loader, library):
    load = LOADERS[loader][0]
    for ours in (replace(CONFIG, depth=12, embed_dim=48), CONFIG, replace(CONFIG, pool="mean")):
        model = VisionTransformer(ours)
        if library == "this course":
            theirs, call = (
                VisionTransformer(replace(CONFIG, depth=3)).state_dict(),
                "load_state_dict",
            )
        else:
            theirs, call = LOADERS[library][1]().state_dict(), LOADERS[library][0].__name__
        if loader == library and ours == CONFIG:
            continue  # fits
        with pytest.raises(ValueError) as refused:
            load(model, theirs)
        text = str(refused.value)
        assert len(text) < 600 and call in text and text.count(" is ") >= 3


@pytest.mark.parametrize("library", LOADERS)
@pytest.mark.parametrize("nesting", ["state_dict", "model"])
def test_a_training_checkpoint_is_told_from_its_weights(library, nesting):
    load, make, _ = LOADERS[library]
    with pytest.raises(ValueError, match=nesting) as refused:
        load(VisionTransformer(CONFIG), {nesting: make().state_dict(), "epoch": 3})
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("library", LOADERS)
def test_what_is_no_state_dict_is_named(library):
    load, make, _ = LOADERS[library]
    for wrong in (make(), "weights.pt", list(make().state_dict())):
        with pytest.raises(ValueError, match=type(wrong).__name__):
            load(VisionTransformer(CONFIG), wrong)


@pytest.fixture
def double_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_the_default_dtype_changes_neither_a_loaded_nor_a_resized_model(
    double_by_default, tmp_path
):
    model = VisionTransformer(replace(CONFIG, pos_embed="sinusoidal")).float()
    save_checkpoint(tmp_path / "model.safetensors", model)
    loaded = load_checkpoint(tmp_path / "model.safetensors")
    for made in (loaded, resize_patches(model, 2)):
        assert made(torch.zeros(1, 3, 16, 16, dtype=torch.float32)).dtype == torch.float32
    assert resize_patches(model.double(), 2).head.weight.dtype == torch.float64


def test_weights_of_another_image_size_come_with_advice():
    with pytest.raises(ValueError, match="resize_patches"):
        load_hf_state_dict(
            VisionTransformer(replace(CONFIG, image_size=24)), hf_model().state_dict()
        )


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
    config = json.dumps(asdict(replace(CONFIG, num_classes=5)))
    save_file(model.state_dict(), path, metadata={"config": config})
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


def test_vit_tiny_of_timm_has_the_same_tokens_at_224_and_resized_to_96_pixels():
    """Notebook 12 loads the weights of this model; these are random ones of the same shapes."""
    torch.manual_seed(0)
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=0).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    tiny = ViTConfig(image_size=224, patch_size=16, embed_dim=192, depth=12, num_heads=3)
    ours = load_timm_state_dict(VisionTransformer(tiny), theirs.state_dict(), head=False).eval()
    their_96 = timm.create_model("vit_tiny_patch16_224", img_size=96, num_classes=0).eval()
    their_96.load_state_dict(checkpoint_filter_fn(theirs.state_dict(), their_96))
    pairs = {224: (ours, theirs), 96: (resize_patches(ours, 16, image_size=96), their_96)}
    for size, models in pairs.items():
        images = torch.randn(2, 3, size, size)
        with torch.no_grad():
            tokens, expected = (model.forward_features(images) for model in models)
        assert expected.std() > 0.1
        assert (tokens - expected).abs().max() <= 1e-5


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


def test_frozen_weights_of_a_resized_model_stay_frozen():
    model = VisionTransformer(CONFIG).requires_grad_(False)
    model.head.requires_grad_(True)
    names = {
        name for name, weight in resize_patches(model, 2).named_parameters() if weight.requires_grad
    }
    assert names == {"head.weight", "head.bias"}


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
