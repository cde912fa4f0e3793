"""Weights from elsewhere (timm, torchvision, Hugging Face), for other patches, and in files
(safetensors).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.nn.functional import interpolate

from .device import random_state_kept
from .records import as_path, write_whole
from .unwrap import (
    load_plain_state_dict,
    plain_name,
    plain_parameters,
    plain_state_dict,
    unwrap_model,
)
from .vision_transformer import VisionTransformer, ViTConfig

FORMER_NAMES = {"pre_norm": "norm_first"}  # fields of ViTConfig, in older files

# What weights from elsewhere are called here: (pattern, replacement), the first that fits the start
TIMM_NAMES = [(r"(cls_token|reg_token|pos_embed)$", r"\1.weight")]
TORCHVISION_NAMES = [
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
HF_BLOCK = (
    r"(?:vit\.)?(?:encoder\.layer|layers)\.(\d+)\."  # files from before transformers 5 | newer
)
HF_NAMES = [
    (r"(?:vit\.)?embeddings\.cls_token$", "cls_token.weight"),
    (r"(?:vit\.)?embeddings\.position_embeddings$", "pos_embed.weight"),
    (r"(?:vit\.)?embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"(?:vit\.)?layernorm\.", "norm."),
    (r"classifier\.", "head."),
    (HF_BLOCK + r"layernorm_before\.", r"blocks.\1.norm1."),
    (HF_BLOCK + r"layernorm_after\.", r"blocks.\1.norm2."),
    (HF_BLOCK + r"attention\.(?:attention\.query|q_proj)\.", r"blocks.\1.attn.q."),
    (HF_BLOCK + r"attention\.(?:attention\.key|k_proj)\.", r"blocks.\1.attn.k."),
    (HF_BLOCK + r"attention\.(?:attention\.value|v_proj)\.", r"blocks.\1.attn.v."),
    (HF_BLOCK + r"attention\.(?:output\.dense|o_proj)\.", r"blocks.\1.attn.proj."),
    (HF_BLOCK + r"(?:intermediate\.dense|mlp\.fc1)\.", r"blocks.\1.mlp.fc1."),
    (HF_BLOCK + r"(?:output\.dense|mlp\.fc2)\.", r"blocks.\1.mlp.fc2."),
]
HF_UNUSED = r"(?:vit\.)?(?:pooler\.|embeddings\.mask_token)"  # which no logit depends on

SOURCES = [  # whose weights these are: the end of a name that nobody else has, and what reads them
    ("conv_proj.weight", "torchvision's", "load_torchvision_state_dict(model, state_dict)"),
    (
        "patch_embeddings.projection.weight",
        "Hugging Face's",
        "load_hf_state_dict(model, state_dict)",
    ),
    ("pos_embed.weight", "this course's", "model.load_state_dict(state_dict)"),
    ("patch_embed.proj.weight", "timm's", "load_timm_state_dict(model, state_dict)"),
]


def load_timm_state_dict(model, state_dict, head=True):
    """Give `model` the weights of timm's `VisionTransformer`; returns the model.

    Ours has timm's parameter names, but for three that live in modules here. Where timm gives the
    class token no position (`no_embed_class`), its slot is filled with zeros. timm's mean-pooling
    models normalise after the pooling unless built with `fc_norm=False`, as ours must be.
    With `head` False the model keeps its own head. ValueError says what does not fit.

    Two things stand in no state dict. `num_heads` has to be theirs. And some models, DeiT's among
    them, were trained on images normalised with ImageNet's mean and deviation: give them such floats,
    since bytes become −1 … 1 here.
    """
    weights = _renamed(state_dict, TIMM_NAMES)
    positions, plain = weights.get("pos_embed.weight"), unwrap_model(model)
    num_patches = plain.num_tokens - plain.num_prefix
    if positions is not None and positions.ndim == 3 and positions.shape[1] == num_patches:
        padding = (0, 0, plain.num_prefix, 0)
        weights["pos_embed.weight"] = torch.nn.functional.pad(positions, padding)
    return load_weights(model, weights, state_dict, head)


def load_torchvision_state_dict(model, state_dict, head=True):
    """Give `model` the weights of torchvision's `VisionTransformer`; returns the model.

    With `head` False the model keeps its own head. ValueError says what does not fit. `num_heads`,
    which stands in no state dict, has to be theirs. They were trained on images normalised with
    ImageNet's mean and deviation: give them such floats, since bytes become −1 … 1 here.
    """
    return load_weights(model, _renamed(state_dict, TORCHVISION_NAMES), state_dict, head)


def load_hf_state_dict(model, state_dict, head=True):
    """Give `model` the weights of Hugging Face's `ViTForImageClassification` or, with `head` False,
    `ViTModel`; returns the model. The names may be those of transformers 4 or 5.

    Their configuration says `layer_norm_eps=1e-12` unless told otherwise: ViTConfig(norm_eps=1e-12)
    makes the outputs equal. With `head` False the model keeps its own head. ValueError says what does
    not fit. `num_heads`, which stands in no state dict, has to be theirs.
    """
    weights = _renamed(state_dict, HF_NAMES)
    weights = {name: w for name, w in weights.items() if not re.match(HF_UNUSED, name)}
    for name in [name for name in weights if ".attn.q." in name]:
        parts = [name.replace(".attn.q.", f".attn.{part}.") for part in "qkv"]
        if all(part in weights for part in parts):  # one matrix for all three here
            joined = torch.cat([weights.pop(part) for part in parts])
            weights[name.replace(".attn.q.", ".attn.qkv.")] = joined
    return load_weights(model, weights, state_dict, head)


def _renamed(state_dict, names):
    """The weights under the names that they have here. ValueError if these are no weights."""
    if not isinstance(state_dict, Mapping):
        raise ValueError(  # noqa: TRY004
            f"expected a state dict, {{name: tensor}}, got a {type(state_dict).__name__}: "
            "model.state_dict() is that of a model, torch.load(path) may read it from a file"
        )
    for name, tensor in state_dict.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(  # noqa: TRY004
                f"a state dict holds tensors, and {name!r} here is a {type(tensor).__name__}: "
                "if that holds the weights, as in many training checkpoints, pass it alone"
            )
    renamed = {}
    # A wrapper puts its prefix before all names; a module that is called so, before its own only
    prefixes = (re.match(r"((_orig_mod|module)\.)*", name)[0] for name in state_dict)
    prefix = min(prefixes, key=len, default="")
    for name, tensor in state_dict.items():
        name = plain_name(name, prefix)
        fitting = (re.subn("^" + old, new, name) for old, new in names)
        renamed[next((ours for ours, found in fitting if found), name)] = tensor
    return renamed


def load_weights(model, weights, given=None, head=True):
    """Give `model` these `weights`, by the names they have here; returns the model.

    ValueError if they do not fit: whose they seem to be (by the names in `given`, where they had
    others), the first three differences, how many more there are, and what to call.
    """
    expected = plain_state_dict(model)
    if not head:
        own = {name: tensor for name, tensor in expected.items() if name.startswith("head.")}
        weights = {n: w for n, w in weights.items() if not n.startswith("head.")} | own
    missing = [f"{name} is missing" for name in expected if name not in weights]
    extra = [f"{name[:60]} is not in the model" for name in weights if name not in expected]
    reshaped = [
        f"{name} is {tuple(weights[name].shape)}, the model's is {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    differences = reshaped + missing + extra
    if differences:
        more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise ValueError(
            f"these weights do not fit the model: {'; '.join(differences[:3])}{more}. "
            + _advice(given or weights, {text.split(" is ")[0] for text in differences})
        )
    load_plain_state_dict(model, weights)
    return model


def _advice(names, differing):
    """Whose weights these are, by their names, and what to call for them."""
    if all(name.startswith("head.") for name in differing):
        return (
            "Only the head differs: head=False keeps the model's own, model.reset_head changes it."
        )
    if differing == {"pos_embed.weight"}:
        return (
            "Only positions differ: load into a model of the old image_size, then resize_patches."
        )
    for sign, whose, call in SOURCES:
        if any(name.endswith(sign) for name in names):
            return (
                f"They look like {whose}: {call} reads them, if ViTConfig agrees with their sizes."
            )
    return "They are of no Vision Transformer that is known here."


def check_described(model, task):
    """ValueError if a new model of the same class and `config` would differ from this plain one in
    more than the numbers of its weights: in their names or shapes, or in a buffer that no state dict
    holds, such as a mask. `task` says what this keeps from being done.

    What cannot be seen from outside is not checked: attributes of an own class, hooks.
    """
    with random_state_kept():
        new = type(model)(model.config)
    ours, theirs = plain_state_dict(model), plain_state_dict(new)
    changed = [
        name for name in ours if name not in theirs or ours[name].shape != theirs[name].shape
    ]
    changed += [name for name in theirs if name not in ours]
    ours, theirs = _buffers_beside(model, ours), _buffers_beside(new, theirs)
    changed += [name for name in ours | theirs if not _alike(ours.get(name), theirs.get(name))]
    if changed:
        raise ValueError(
            f"model.config does not describe this model, {', '.join(changed[:3])} of it "
            f"({len(changed)} in all): {task}"
        )


def _buffers_beside(model, state):
    """The buffers that are not part of the `state` dict, by plain names."""
    buffers = model.named_buffers(remove_duplicate=False)  # blocks may share a mask
    return {plain_name(n): b.cpu() for n, b in buffers if plain_name(n) not in state}


def _alike(one, other):
    """Whether two buffers are the same but for rounding, as to bfloat16 and back."""
    if one is None or other is None or one.shape != other.shape:
        return False
    return torch.allclose(one.float(), other.float(), rtol=0.01, atol=0.01)


def resize_patches(model, patch_size, image_size=None):
    """The same model for another patch size, and image size if given: resampled weights.

    The projection of a patch that is resized bilinearly stays what it was, exactly if patches grow
    (Beyer et al. 2023, https://arxiv.org/abs/2212.08013, Eq. 3 and 4); learned positions are
    interpolated between their neighbours. Frozen weights stay frozen. What is not in `config` or the
    weights is not kept: hooks, attributes of an own class. ValueError if the patches do not fit the
    images, or the model was changed so that its configuration no longer describes it.
    """
    model = unwrap_model(model)
    check_described(model, "resize_patches would lose it. Resize first, and change the model then")
    config = model.config
    resized = type(model)(
        replace(config, patch_size=patch_size, image_size=image_size or config.image_size)
    )
    # On the CPU and in float32: MPS and float16 have no pinv
    weights = {name: w.cpu().float() for name, w in plain_state_dict(model).items()}
    old, new = config.patch_size, patch_size
    kernel = weights["patch_embed.proj.weight"]  # (D, C, P, P)
    pixels = torch.eye(old**2, dtype=kernel.dtype).unflatten(1, (1, old, old))
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
    trained = {name: weight.requires_grad for name, weight in plain_parameters(model)}
    for name, weight in resized.named_parameters():
        weight.requires_grad_(trained[name])
    return resized.to(next(model.parameters())).train(model.training)


def save_checkpoint(path, model, /, **notes):
    """Write weights, configuration and `notes` (anything JSON can hold) to a safetensors file.

    The file appears under its name only when it is complete; an older one is kept until then. Of a
    model that was compiled or wrapped it holds what it would hold of the plain one. What is not in
    `config` or the weights is not kept: hooks, attributes of an own class. ValueError if the model
    was changed so that its configuration no longer describes it (another head, a mask that was set):
    load_checkpoint would give back another one.
    """
    model = unwrap_model(model)
    check_described(
        model,
        "load_checkpoint could not give it back. Keep its weights with "
        'torch.save(model.state_dict(), "weights.pt") and its making in code; for other classes call '
        "model.reset_head before the training",
    )
    weights = plain_state_dict(model)
    metadata = {"config": json.dumps(asdict(model.config)), "notes": json.dumps(notes)}
    metadata["class"] = type(model).__name__
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    content = save(tensors, metadata)
    write_whole(path, lambda unfinished: unfinished.write_bytes(content))


def read_config(settings):
    """The ViTConfig that JSON gave back: a list for (H, W), names that fields had once."""
    settings = {FORMER_NAMES.get(name, name): value for name, value in settings.items()}
    if isinstance(settings["image_size"], list):
        settings["image_size"] = tuple(settings["image_size"])
    return ViTConfig(**settings)


def load_checkpoint(path, model_class=VisionTransformer):
    """The model that `save_checkpoint` wrote, in float32 on the CPU, in evaluation mode.

    `model_class` is that of the model: a variant, or a class of your own, built from a ViTConfig.
    FileNotFoundError if there is no such file; ValueError if it is no checkpoint of this course, or
    that of another class, which would compute something else with the same weights.
    """
    path = as_path(path)
    if not path.is_file():
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
    if kind != model_class.__name__:
        raise ValueError(
            f"{path} holds a {kind}, not a {model_class.__name__}: load_checkpoint(path, {kind})"
        )
    return load_weights(model_class(config).float(), weights).eval()
