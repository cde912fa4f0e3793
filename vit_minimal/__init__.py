"""A Vision Transformer from scratch: the package behind the course's notebooks."""

from .attention import MultiHeadSelfAttention, attention_weights
from .class_token import ClassToken, PositionEmbedding, sinusoidal_2d
from .data import Dataset, load_cifar10, load_dataset, shapes10
from .inspection import attention_maps
from .patches import PatchEmbedding, patchify, unpatchify
from .pretrained import (
    load_checkpoint,
    load_timm_state_dict,
    load_torchvision_state_dict,
    save_checkpoint,
)
from .runtime import check_machine, pick_budget, pick_device, pick_precision, seed_everything
from .training import RECIPES, History, TrainingConfig, evaluate, fit
from .vision_transformer import MLP, EncoderBlock, VisionTransformer, ViTConfig

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
