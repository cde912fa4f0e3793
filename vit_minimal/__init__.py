"""A Vision Transformer from scratch: the package behind the course's notebooks."""

import importlib

from .attention import MultiHeadSelfAttention, attention_weights
from .class_token import ClassToken, PositionEmbedding, sinusoidal_2d
from .drawn import corners2, needle10, shapes10
from .inspection import (
    attention_distance,
    attention_maps,
    attention_rollout,
    class_token_journey,
    gradient_attention,
    knock_out,
)
from .patches import PatchEmbedding, patchify, unpatchify
from .pretrained import (
    load_checkpoint,
    load_timm_state_dict,
    load_torchvision_state_dict,
    resize_patches,
    save_checkpoint,
)
from .recipes import RECIPES, TrainingConfig
from .runtime import check_machine, pick_budget, pick_device, pick_precision, seed_everything
from .vision_transformer import MLP, EncoderBlock, VisionTransformer, ViTConfig

# Imported when one of their names is first used: the first two are programs too (`python -m
# vit_minimal.training`) and would be loaded twice when run, the third needs matplotlib.
_ON_DEMAND = {
    "data": ("Dataset", "load_cifar10", "load_dataset"),
    "training": ("History", "evaluate", "fit"),
    "explorer": ("explore_attention",),
}

__all__ = [
    "MLP",
    "RECIPES",
    "ClassToken",
    "Dataset",
    "EncoderBlock",
    "History",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "PositionEmbedding",
    "TrainingConfig",
    "ViTConfig",
    "VisionTransformer",
    "attention_distance",
    "attention_maps",
    "attention_rollout",
    "attention_weights",
    "check_machine",
    "class_token_journey",
    "corners2",
    "evaluate",
    "explore_attention",
    "fit",
    "gradient_attention",
    "knock_out",
    "load_checkpoint",
    "load_cifar10",
    "load_dataset",
    "load_timm_state_dict",
    "load_torchvision_state_dict",
    "needle10",
    "patchify",
    "pick_budget",
    "pick_device",
    "pick_precision",
    "resize_patches",
    "save_checkpoint",
    "seed_everything",
    "shapes10",
    "sinusoidal_2d",
    "unpatchify",
]


def __getattr__(name):
    for module, names in _ON_DEMAND.items():
        if name in names:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
