"""Which runs make up an experiment: settings that differ from a base recipe in one thing each.

All of it is data, so that a record can hold it.
"""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from itertools import product

from ..pretrained import read_config
from ..training import RECIPES, SHORT, Recipe, TrainingConfig
from ..vision_transformer import ViTConfig


@dataclass(frozen=True)
class Setting:
    """How a run differs from the base recipe. All of it is data, so that a record can hold it."""

    model: dict = field(default_factory=dict)  # fields of ViTConfig
    training: dict = field(default_factory=dict)  # fields of TrainingConfig
    epochs: float = 1  # in units of the base recipe's
    start: dict = field(default_factory=dict)  # {parameters: (function of nn.init, its numbers)}
    frozen: tuple = ()  # parameters that stay as they start; names may hold * as in file names
    variant: str = "VisionTransformer"  # or another of VARIANTS


@dataclass(frozen=True)
class Experiment:
    """Settings by name; the first is the base that the others are compared with."""

    settings: dict
    learning_rates: tuple = (1,)  # each setting is tried with all of them, in units of the base's


LONG_EPOCHS = 14  # after them the base has 81 % of the validation images, with seed 0

BASE = {
    "quick": Recipe(  # some seconds, on a part of the images
        ViTConfig(patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0),
        TrainingConfig(
            epochs=5,
            batch_size=50,
            optimizer="muon",
            learning_rate=1e-2,
            weight_decay=0.1,
            label_smoothing=0.0,
            flip=False,
            crop_padding=0,
            validation_images=500,
        ),
    ),
    "full": Recipe(RECIPES["cpu"].model, replace(SHORT, validation_images=5_000)),
    "long": Recipe(  # does what three epochs show survive training?
        RECIPES["cpu"].model, replace(SHORT, epochs=LONG_EPOCHS, validation_images=5_000)
    ),
    "longest": Recipe(  # does a bad start heal, does a small lead stay?
        RECIPES["cpu"].model, replace(SHORT, epochs=60, validation_images=5_000)
    ),
    "adamw": Recipe(  # do the findings need Muon? the better of two rates, 0.0009 and 0.003
        RECIPES["cpu"].model,
        replace(SHORT, optimizer="adamw", learning_rate=9e-4, validation_images=5_000),
    ),
    "adamw_long": Recipe(  # and does what AdamW shows survive training?
        RECIPES["cpu"].model,
        replace(
            SHORT,
            epochs=LONG_EPOCHS,
            optimizer="adamw",
            learning_rate=9e-4,
            validation_images=5_000,
        ),
    ),
    "large": Recipe(  # does it hold for a model of six times the size? three epochs, as "full"
        RECIPES["cpu-long"].model, replace(SHORT, validation_images=5_000)
    ),
}
QUICK_IMAGES = 2_500, 1_000  # to train on, the validation images among them; to judge by


def _starts(parameter):
    ways = {
        "N(0, 0.02)": Setting(),
        "zeros": Setting(start={parameter: ("zeros_",)}),
        "N(0, 1)": Setting(start={parameter: ("normal_", 0, 1)}),
        "N(0, 10)": Setting(start={parameter: ("normal_", 0, 10)}),
        "all 1": Setting(start={parameter: ("ones_",)}),
        "N(0, 0.02), frozen": Setting(frozen=(parameter,)),
        "zeros, frozen": Setting(start={parameter: ("zeros_",)}, frozen=(parameter,)),
    }
    return Experiment(ways)


def _weights(*how):
    return Setting(start={"blocks.*.weight": how, "head.weight": how})


_TIMES_50 = "uniform_", -50 / math.sqrt(48), 50 / math.sqrt(48)  # PyTorch: 1/√(C·P·P), at P = 4


def _warmup_and_norm(epochs=1, **model):
    """AdamW is usually given a smaller rate than Muon, so three tenths are tried as well."""
    ways = {
        f"{norm}, {warmup}, {optimizer}": Setting(
            model | ({} if norm == "pre-norm" else {"norm_first": False}),
            ({} if warmup == "warm-up" else {"warmup": 0.0}) | {"optimizer": optimizer.lower()},
            epochs=epochs,
        )
        for optimizer in ("Muon", "AdamW")
        for norm in ("pre-norm", "post-norm")
        for warmup in ("warm-up", "none")
    }
    return Experiment(ways, learning_rates=(1, 0.3))


EXPERIMENTS = {
    "class_token_init": _starts("cls_token.weight"),
    "class_token_init_rates": Experiment(
        {
            "N(0, 0.02)": Setting(),
            "N(0, 10)": Setting(start={"cls_token.weight": ("normal_", 0, 10)}),
        },
        learning_rates=(1, 3),
    ),
    "register_init": Experiment(  # a token like the class token, but the head does not read it
        {
            "N(0, 0.02)": Setting({"pool": "mean", "num_registers": 1}),
            "N(0, 10)": Setting(
                {"pool": "mean", "num_registers": 1},
                start={"reg_token.weight": ("normal_", 0, 10)},
            ),
        }
    ),
    "position_init": _starts("pos_embed.weight"),
    "position_init_rates": Experiment(
        {
            "N(0, 0.02)": Setting(),
            "N(0, 1)": Setting(start={"pos_embed.weight": ("normal_", 0, 1)}),
        },
        learning_rates=(1, 0.3, 3, 9),
    ),
    "patch_position_init": Experiment(  # without one for the class token: do the patches' cost?
        {
            "N(0, 0.02)": Setting(variant="NoPositionForClassToken"),
            "N(0, 1)": Setting(
                start={"pos_embed.weight": ("normal_", 0, 1)}, variant="NoPositionForClassToken"
            ),
        }
    ),
    "patch_drowning": Experiment(  # do large positions cost points because the patches drown in them?
        {
            "N(0, 0.02)": Setting(variant="NoPositionForClassToken"),
            "N(0, 1), patches × 50": Setting(
                start={
                    "pos_embed.weight": ("normal_", 0, 1),
                    "patch_embed.proj.weight": _TIMES_50,
                },
                variant="NoPositionForClassToken",
            ),
            "N(0, 0.02), patches × 50": Setting(
                start={"patch_embed.proj.weight": _TIMES_50}, variant="NoPositionForClassToken"
            ),
            "N(0, 0.02), a shared part from N(0, 1)": Setting(  # one large vector for all patches
                start={"patch_embed.proj.bias": ("normal_", 0, 1)},
                variant="NoPositionForClassToken",
            ),
        }
    ),
    "weight_init": Experiment(
        {
            "N(0, 0.02)": Setting(),
            "Xavier": _weights("xavier_uniform_"),
            "PyTorch's default": _weights("kaiming_uniform_", math.sqrt(5)),
            "all zero": _weights("zeros_"),
            "head zero": Setting(start={"head.weight": ("zeros_",)}),
            "second zero": Setting(  # nothing is written into the residual stream at first
                start={"blocks.*.attn.proj.weight": ("zeros_",), "blocks.*.fc2.weight": ("zeros_",)}
            ),
            "N(0, 1)": _weights("normal_", 0, 1),
        }
    ),
    "weight_init_rates": Experiment(
        {
            "N(0, 0.02)": Setting(),
            "Xavier": _weights("xavier_uniform_"),
            "PyTorch's default": _weights("kaiming_uniform_", math.sqrt(5)),
        },
        learning_rates=(1, 0.3, 3),
    ),
    "warmup_and_norm": _warmup_and_norm(),
    "warmup_and_norm_deep": _warmup_and_norm(epochs=1 / 3, depth=12),
    "patch_size": Experiment({f"P = {P}": Setting({"patch_size": P}) for P in (4, 2, 8, 16, 32)}),
    "patch_size_longer": Experiment(
        {
            "P = 4": Setting({"patch_size": 4}),
            "P = 2, a third of the epochs": Setting({"patch_size": 2}, epochs=1 / 3),
            "P = 8, 4 × the epochs": Setting({"patch_size": 8}, epochs=4),
            "P = 16, 12 × the epochs": Setting({"patch_size": 16}, epochs=12),
            "P = 32, 24 × the epochs": Setting({"patch_size": 32}, epochs=24),
        }
    ),
    "patch_size_at_equal_time_short": Experiment(  # on two cores of a CPU, about three minutes each
        {
            "P = 4": Setting({"patch_size": 4}),
            "P = 8, 3 × the epochs": Setting({"patch_size": 8}, epochs=3),
        }
    ),
    "patch_size_at_equal_time": Experiment(  # about ten minutes each, but for the last:
        {
            "P = 4, 10 epochs": Setting({"patch_size": 4}, epochs=10 / 3),
            "P = 8, 30 epochs": Setting({"patch_size": 8}, epochs=10),
            "P = 8, 40 epochs": Setting({"patch_size": 8}, epochs=40 / 3),  # as many FLOPs as P = 4
        }
    ),
    "patch_size_and_epochs": Experiment(  # does the patch overfit, or the number of epochs?
        {
            "P = 4, 10 epochs": Setting({"patch_size": 4}, epochs=10 / 3),
            "P = 8, 10 epochs": Setting({"patch_size": 8}, epochs=10 / 3),
            "P = 4, 40 epochs": Setting({"patch_size": 4}, epochs=40 / 3),
            "P = 8, 40 epochs": Setting({"patch_size": 8}, epochs=40 / 3),
        }
    ),
    "patch_size_updates": Experiment(  # 4 × the epochs are also 4 × the updates
        {"P = 4": Setting(), "P = 4, batches of 32": Setting(training={"batch_size": 32})},
        learning_rates=(1, 0.5),
    ),
    "pooling": Experiment(
        {
            "class token": Setting(),
            "mean of patches": Setting({"pool": "mean"}),
            "attention pooling": Setting({"pool": "attention"}),
            "class token, 4 registers": Setting({"num_registers": 4}),
        },
        learning_rates=(1, 0.5, 2, 4, 8),
    ),
    "class_token_place": Experiment(
        {
            "class token": Setting(),
            "reads the first patch": Setting(variant="ReadsFirstPatch"),
            "averages all tokens": Setting(variant="AveragesAllTokens"),
            "class token last": Setting(variant="ClassTokenLast"),
            "last, but reads token 0": Setting(variant="LastButReadsFirst"),
            "no position of its own": Setting(variant="NoPositionForClassToken"),
            "5 class tokens": Setting({"num_registers": 4}, variant="SeveralClassTokens"),
            "only in the last block": Setting(variant="LateClassToken"),
        }
    ),
    "class_token_place_rates": Experiment(  # on Shapes-10 the class token likes twice the base's rate
        {
            "class token": Setting(),
            "reads the first patch": Setting(variant="ReadsFirstPatch"),
            "averages all tokens": Setting(variant="AveragesAllTokens"),
        },
        learning_rates=(1, 2),
    ),
    "single_patches": Experiment(
        {
            "class token": Setting(),
            "mean of patches": Setting({"pool": "mean"}),
            "mean of patches, no attention": Setting({"pool": "mean"}, variant="PatchesAlone"),
        }
    ),
    "class_token_cut": Experiment(
        {
            "class token": Setting(),
            "detached before the head": Setting(variant="CutClassToken"),
            "sees itself alone": Setting(variant="BlindClassToken"),
            "unseen by the patches": Setting(variant="UnseenClassToken"),
        }
    ),
    "position_untrained": Experiment(
        {
            "learned": Setting(),
            "none": Setting(start={"pos_embed.weight": ("zeros_",)}, frozen=("pos_embed.weight",)),
            "N(0, 0.02), frozen": Setting(frozen=("pos_embed.weight",)),
            "N(0, 0.3), frozen": Setting(
                start={"pos_embed.weight": ("normal_", 0, 0.3)}, frozen=("pos_embed.weight",)
            ),
            "sines and cosines": Setting({"pos_embed": "sinusoidal"}),
        }
    ),
    "class_token_untrained": Experiment(  # a position of its own would be trained in its place
        {
            "no position": Setting(variant="NoPositionForClassToken"),
            "no position, frozen": Setting(
                frozen=("cls_token.weight",), variant="NoPositionForClassToken"
            ),
            "no position, frozen at zero": Setting(
                start={"cls_token.weight": ("zeros_",)},
                frozen=("cls_token.weight",),
                variant="NoPositionForClassToken",
            ),
        }
    ),
    "causal_mask": Experiment(
        {
            "all tokens see all": Setting(),
            "causal, class token first": Setting(variant="CausalClassTokenFirst"),
            "causal, class token last": Setting(variant="CausalClassTokenLast"),
        }
    ),
}


def plan(name, budget, seed):
    """The runs of an experiment with one seed: {(setting, factor of the learning rate): run}.

    A run holds all that fixes it but for the data: equal settings of two experiments are one run.
    """
    base, experiment, runs = BASE[budget], EXPERIMENTS[name], {}
    for rate, (label, setting) in product(experiment.learning_rates, experiment.settings.items()):
        training = {
            "seed": seed,
            "epochs": max(1, round(base.training.epochs * setting.epochs)),
            "learning_rate": base.training.learning_rate * rate,
        }
        run = {
            "model": asdict(replace(base.model, **setting.model)),
            "training": asdict(replace(base.training, **training | setting.training)),
            "start": setting.start,
            "frozen": setting.frozen,
            "variant": setting.variant,
        }
        runs[label, rate] = json.loads(json.dumps(run))  # as a record gives it back
    return runs


def key(run):
    """What a run is known by: all of its settings, also those that have come since it was made."""
    model, training = read_config(run["model"]), TrainingConfig(**run["training"])
    return json.dumps(run | {"model": asdict(model), "training": asdict(training)}, sort_keys=True)
