"""What do the further ingredients give where a model could learn its images by heart?

    python benchmarks/where_augmentation_pays.py [--record data/results/where_augmentation_pays.json]

A model of the size of notebook 05's, with learned positions; thirty passes over the first 2,000
training images of CIFAR-10, judged on the last 2,000: the test images are not touched. Each ingredient is added alone to the same base,
which has all rungs of training_ladder.py, flip and crop included.
"""

import argparse
import statistics
from dataclasses import asdict, replace
from pathlib import Path

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    fit,
    load_dataset,
    seed_everything,
)
from vit_minimal.records import add_record

TRAINED_ON, HELD_OUT = 2_000, 2_000
MODEL = ViTConfig(patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0)
BASE = TrainingConfig(
    epochs=30,
    batch_size=50,
    optimizer="muon",
    learning_rate=3e-3,
    weight_decay=0.1,
    label_smoothing=0.0,
    crop_padding=2,
    validation_images=HELD_OUT,
)
SETTINGS = {
    "without flip and crop": {"flip": False, "crop_padding": 0},
    "flip and crop (base)": {},
    "+ TrivialAugment": {"trivial_augment": True},
    "+ erase": {"erase": 0.25},
    "+ mixup": {"mixup": 0.2},
    "+ cutmix": {"cutmix": 1.0},
    "+ label smoothing": {"label_smoothing": 0.1},
    "+ weight average (EMA)": {"ema_decay": 0.99},
    "+ patch dropout": {"patch_drop_rate": 0.5, "whole_epochs": 3},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset = load_dataset("cifar10")
    last = len(dataset.train_labels) - HELD_OUT
    keep = [*range(TRAINED_ON), *range(last, last + HELD_OUT)]
    dataset = replace(
        dataset, train_images=dataset.train_images[keep], train_labels=dataset.train_labels[keep]
    )
    settings = []
    for name, changes in SETTINGS.items():
        config = replace(BASE, **changes)
        histories = []
        for seed in range(options.seeds):
            seed_everything(seed)
            histories.append(fit(VisionTransformer(MODEL), dataset, replace(config, seed=seed)))
        reached = [history.validation_accuracy[-1] for history in histories]
        print(f"{name:24} {statistics.mean(reached):.1%}   {reached}", flush=True)
        settings.append(
            {
                "setting": name,
                "accuracies": reached,
                "training_accuracies": [history.train_accuracy[-1] for history in histories],
                "training": asdict(config),
            }
        )
    if options.record:
        figures = {
            "dataset": dataset.name,
            "judged_on": f"{HELD_OUT:,} validation",
            "trained_on": TRAINED_ON,
            "seeds": list(range(options.seeds)),
            "model": asdict(MODEL),
            "settings": settings,
        }
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
