"""What fixes a training run, and named recipes; what they give stands in data/results."""

from dataclasses import dataclass, replace

from ..settings import check_choice, check_kinds, check_least, check_share
from ..vision_transformer import ViTConfig


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that fixes a training run, but for the model and the data."""

    epochs: int = 10  # passes over the training images
    batch_size: int = 128  # of all processes together
    optimizer: str = "adamw"  # or "muon" (matrices of the blocks; AdamW for the rest), "sgd"
    learning_rate: float = 1e-3  # the highest, reached at the end of the warm-up
    warmup: float = 0.1  # share of the steps in which the learning rate climbs to it
    schedule: str = "cosine"  # then it falls to zero; "constant": it stays
    layer_decay: float = 1.0  # a block's rate is this share of the next one's (BEiT, MAE, timm)
    weight_decay: float = 0.05  # on the matrices only
    label_smoothing: float = 0.1
    clip_norm: float = 1.0  # gradients longer than this are shortened to it; 0: never
    # Judge the weights' exponential moving average (EMA); 0.99: of some 100 steps, early on of fewer
    ema_decay: float = 0.0
    flip: bool = True  # mirror half of the images
    crop_padding: int = 4  # pixels by which an image moves at most; 0: not at all
    trivial_augment: bool = False  # one random operation on each image: colour, rotation, …
    erase: float = 0.0  # the share of the images in which a box is greyed out
    mixup: float = 0.0  # α of the blend of two images; 0: never
    cutmix: float = 0.0  # α of the box that is taken from another image; 0: never
    patch_drop_rate: float = 0.0  # share of the patches that a step leaves out of each image …
    whole_epochs: int = 0  # … but for the last epochs, which train on all
    precision: str | None = None  # "float32", "bfloat16", "float16"; None: what suits the device
    compile: bool = False  # torch.compile: pays on GPUs, in long runs
    validation_images: int = 0  # the last training images of each class, never trained on
    seed: int = 0

    def __post_init__(self):
        counts = ("crop_padding", "whole_epochs", "validation_images", "seed")
        amounts = ("learning_rate", "weight_decay", "clip_norm", "mixup", "cutmix")
        shares = ("warmup", "label_smoothing", "ema_decay", "patch_drop_rate")
        check_kinds(self, ("epochs", "batch_size", *counts), int)
        check_kinds(self, ("flip", "trivial_augment", "compile"), bool)
        check_kinds(self, (*amounts, *shares, "erase", "layer_decay"), float)
        for name in ("epochs", "batch_size"):
            check_least(name, getattr(self, name), 1)
        for name in (*counts, *amounts):
            check_least(name, getattr(self, name), 0)
        for name in shares:
            check_share(name, getattr(self, name))
        if not 0 <= self.erase <= 1:
            raise ValueError(f"erase must be in [0, 1], a share of the images; is {self.erase}")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(
                f"layer_decay must be in (0, 1], 1 for equal rates; is {self.layer_decay}"
            )
        check_choice("optimizer", self.optimizer, ("adamw", "muon", "sgd"))
        check_choice("schedule", self.schedule, ("cosine", "constant"))
        check_choice("precision", self.precision, (None, "float32", "bfloat16", "float16"))


@dataclass(frozen=True)
class Recipe:
    """A model and how to train it."""

    model: ViTConfig
    training: TrainingConfig


def as_training(config):
    """A TrainingConfig as it is, for None the one of all defaults. ValueError for anything else."""
    if config is None:
        return TrainingConfig()
    if isinstance(config, TrainingConfig):
        return config
    remedy = "write TrainingConfig(epochs=5)"
    if isinstance(config, Recipe):
        remedy = "recipe.training is one, and recipe.model is for the VisionTransformer"
    elif isinstance(config, dict):
        remedy = "write TrainingConfig(**settings)"
    raise ValueError(f"config must be a TrainingConfig, is a {type(config).__name__}: {remedy}")


SHORT = TrainingConfig(  # what runs of a few epochs of CIFAR-10 share
    epochs=3,
    optimizer="muon",
    learning_rate=3e-3,
    weight_decay=0.1,
    label_smoothing=0.0,
    crop_padding=2,
)
LONG = TrainingConfig(  # what runs of many epochs share
    optimizer="muon",
    learning_rate=3e-3,
    warmup=0.05,
    weight_decay=0.1,
    ema_decay=0.999,
    trivial_augment=True,
    mixup=0.2,
    cutmix=1.0,
)

RECIPES = {
    "quick": Recipe(  # Shapes-10 in less than a minute on two cores
        ViTConfig(embed_dim=96, depth=3, num_heads=3, mlp_ratio=2.0, pos_embed="sinusoidal"),
        TrainingConfig(
            epochs=5,
            batch_size=50,
            learning_rate=2e-3,
            label_smoothing=0.0,
            flip=False,
            crop_padding=0,
        ),
    ),
    "cpu": Recipe(  # CIFAR-10 in minutes on two cores: half of the patches, but for the last epoch
        ViTConfig(embed_dim=96, depth=4, num_heads=3, mlp_ratio=2.0),
        replace(SHORT, epochs=14, learning_rate=4e-3, patch_drop_rate=0.5, whole_epochs=1),
    ),
    "cpu-long": Recipe(  # CIFAR-10 in some hours on two cores
        ViTConfig(embed_dim=192, depth=6, num_heads=3, mlp_ratio=2.0),
        replace(LONG, epochs=60, batch_size=256),
    ),
    # Neither of the next two has run on a GPU yet; t4's accuracy was measured on a CPU.
    "t4": Recipe(  # CIFAR-10 on a free Colab GPU
        ViTConfig(embed_dim=192, depth=9, num_heads=3, mlp_ratio=2.0, drop_path_rate=0.1),
        replace(LONG, epochs=100, batch_size=512),
    ),
    "h200": Recipe(  # CIFAR-10 on a data-centre GPU
        ViTConfig(patch_size=2, embed_dim=192, depth=12, num_heads=3, drop_path_rate=0.1),
        replace(LONG, epochs=150, batch_size=1024, compile=True),
    ),
}
