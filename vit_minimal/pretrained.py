"""Weights from elsewhere (timm, torchvision), for other patches, and in files (safetensors)."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.nn.functional import interpolate

from .records import write_whole
from .vision_transformer import VisionTransformer, ViTConfig

TIMM_NAMES = {name: f"{name}.weight" for name in ("cls_token", "reg_token", "pos_embed")}

FORMER_NAMES = {"pre_norm": "norm_first"}  # fields of ViTConfig, in older files

TORCHVISION_NAMES = [  # (pattern, replacement), the first that matches from the start
    (r"class_token$", "cls_token.weight"),
    (r"encoder\.pos_embedding$", "pos_embed.weight"),
    (r"conv_proj\.", "patch_embed.proj."),
    (r"encoder\.ln\.", "norm."),
    (r"heads\.head\.", "head."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.ln_(\d)\.", r"blocks.\1.norm\2."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_", r"blocks.\1.attn.qkv."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.", r"blocks.\1.attn.proj."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.0\.", r"blocks.\1.mlp.fc1."),
    (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.3\.", r"blocks.\1.mlp.fc2."),
]


def load_timm_state_dict(model, state_dict):
    """Give `model` the weights of timm's `VisionTransformer`; returns the model.

    Ours has timm's parameter names, but for three that live in modules here. Where timm gives the
    class token no position (`no_embed_class`), its slot is filled with zeros. timm's mean-pooling
    models normalise after the pooling unless built with `fc_norm=False`, as ours must be.
    ValueError names each parameter that is missing, left over or of another shape.
    """
    weights = {TIMM_NAMES.get(name, name): tensor for name, tensor in state_dict.items()}
    positions = weights.get("pos_embed.weight")
    num_patches = model.patch_embed.grid_size[0] * model.patch_embed.grid_size[1]
    if positions is not None and positions.shape[1] == num_patches:
        padding = (0, 0, model.num_prefix, 0)
        weights["pos_embed.weight"] = torch.nn.functional.pad(positions, padding)
    return load_weights(model, weights)


def load_torchvision_state_dict(model, state_dict):
    """Give `model` the weights of torchvision's `VisionTransformer`; returns the model.

    ValueError names each parameter that is missing, left over or of another shape.
    """
    return load_weights(model, {_from_torchvision(n): t for n, t in state_dict.items()})


def _from_torchvision(name):
    for pattern, replacement in TORCHVISION_NAMES:
        ours, found = re.subn("^" + pattern, replacement, name)
        if found:
            return ours
    return name


def load_weights(model, weights):
    """`model.load_state_dict`, with a ValueError that lists every parameter that does not fit."""
    expected = model.state_dict()
    differences = [f"{name} is missing" for name in expected.keys() - weights.keys()]
    differences += [f"{name} is not in the model" for name in weights.keys() - expected.keys()]
    differences += [
        f"{name} is {tuple(weights[name].shape)}, the model's is {tuple(expected[name].shape)}"
        for name in expected.keys() & weights.keys()
        if weights[name].shape != expected[name].shape
    ]
    if differences:
        raise ValueError("these weights are of another model: " + "; ".join(sorted(differences)))
    model.load_state_dict(weights)
    return model


def resize_patches(model, patch_size, image_size=None):
    """The same model for another patch size, and image size if given: resampled weights.

    The projection of a patch that is resized bilinearly stays what it was, exactly if patches grow
    (Beyer et al. 2023, https://arxiv.org/abs/2212.08013, Eq. 3 and 4); learned positions are
    interpolated between their neighbours. ValueError if the patches do not fit the images.
    """
    config = model.config
    resized = type(model)(
        replace(config, patch_size=patch_size, image_size=image_size or config.image_size)
    )
    weights = {name: weight.cpu() for name, weight in model.state_dict().items()}  # MPS has no pinv
    old, new = config.patch_size, patch_size
    kernel = weights["patch_embed.proj.weight"]  # (D, C, P, P)
    pixels = torch.eye(old**2).unflatten(1, (1, old, old))
    resize = interpolate(pixels, size=(new, new), mode="bilinear", antialias=True).flatten(1)
    kernel = kernel.flatten(2) @ torch.linalg.pinv(resize).T  # of old² pixels to one of new²
    weights["patch_embed.proj.weight"] = kernel.unflatten(2, (new, new))
    if config.pos_embed == "learned":
        prefix = weights["pos_embed.weight"][:, : model.num_prefix]
        patches = weights["pos_embed.weight"][:, model.num_prefix :].transpose(1, 2)
        patches = patches.unflatten(2, model.patch_embed.grid_size)  # (1, D, H/P, W/P)
        size = resized.patch_embed.grid_size
        patches = interpolate(patches, size=size, mode="bicubic", antialias=True).flatten(2)
        weights["pos_embed.weight"] = torch.cat([prefix, patches.transpose(1, 2)], dim=1)
    resized.load_state_dict(weights)
    return resized.to(next(model.parameters()).device).train(model.training)


def save_checkpoint(path, model, /, **notes):
    """Write weights, configuration and `notes` (anything JSON can hold) to a safetensors file.

    The file appears under its name only when it is complete; an older one is kept until then.
    """
    metadata = {"config": json.dumps(asdict(model.config)), "notes": json.dumps(notes)}
    metadata["class"] = type(model).__name__
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    content = save(tensors, metadata)
    write_whole(path, lambda unfinished: unfinished.write_bytes(content))


def read_config(settings):
    """The ViTConfig that JSON gave back: a list for (H, W), names that fields had once."""
    settings = {FORMER_NAMES.get(name, name): value for name, value in settings.items()}
    if isinstance(settings["image_size"], list):
        settings["image_size"] = tuple(settings["image_size"])
    return ViTConfig(**settings)


def load_checkpoint(path):
    """The model that `save_checkpoint` wrote, on the CPU, in evaluation mode.

    FileNotFoundError if there is no such file; ValueError if it is no checkpoint of this course, or
    that of a variant, which would compute something else with the same weights.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file: {error}") from error
    try:
        config = read_config(json.loads(metadata["config"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = f"{path} holds no configuration of a VisionTransformer: {error!r}"
        raise ValueError(text) from error
    kind = metadata.get("class", VisionTransformer.__name__)
    if kind != VisionTransformer.__name__:
        raise ValueError(f"{path} holds a {kind}, no plain VisionTransformer")
    return load_weights(VisionTransformer(config), weights).eval()
