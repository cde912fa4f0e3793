"""A Vision Transformer from scratch: the package behind the course's notebooks."""

import importlib

from .attention import MultiHeadSelfAttention, attention_weights
from .class_token import ClassToken, PositionEmbedding, sinusoidal_2d
from .drawn import needle10, shapes10
from .inspection import attention_maps
from .patches import PatchEmbedding, patchify, unpatchify
from .pretrained import (
    load_checkpoint,
    load_timm_state_dict,
    load_torchvision_state_dict,
    save_checkpoint,
)
from .recipes import RECIPES, TrainingConfig
from .runtime import check_machine, pick_budget, pick_device, pick_precision, seed_everything
from .vision_transformer import MLP, EncoderBlock, VisionTransformer, ViTConfig

# These modules are programs too (`python -m vit_minimal.training`): imported here, they would be
# loaded twice when run, so each is imported when one of its names is first used.
_ON_DEMAND = {
    "data": ("Dataset", "load_cifar10", "load_dataset"),
    "training": ("History", "evaluate", "fit"),
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
    "attention_maps",
    "attention_weights",
    "check_machine",
    "evaluate",
    "fit",
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
