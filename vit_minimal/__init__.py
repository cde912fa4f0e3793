"""A Vision Transformer from scratch: the package behind the course's notebooks."""

from .attention import MultiHeadSelfAttention, attention_weights
from .augment import normalize
from .class_token import ClassToken, PositionEmbedding, sinusoidal_2d
from .data import Dataset, load_cifar10, load_dataset, load_image
from .data.drawn import corners2, needle10, shapes10
from .device import pick_budget, pick_device, pick_precision, seed_everything
from .explorer import explore_attention
from .inspection import (
    attention_distance,
    attention_maps,
    attention_rollout,
    class_token_journey,
    gradient_attention,
    knock_out,
)
from .laboratory import open_laboratory
from .machine import check_machine
from .patches import PatchEmbedding, patchify, unpatchify
from .pretrained import (
    load_checkpoint,
    load_hf_state_dict,
    load_timm_state_dict,
    load_torchvision_state_dict,
    resize_patches,
    save_checkpoint,
)
from .training import (
    RECIPES,
    History,
    TrainingConfig,
    confusion_matrix,
    evaluate,
    fit,
    predict,
)
from .vision_transformer import MLP, EncoderBlock, VisionTransformer, ViTConfig
