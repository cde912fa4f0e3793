"""What does each ingredient of the recipe give on CIFAR-10? One more at each rung, several seeds.

    python benchmarks/training_ladder.py [--record data/results/training_ladder.json]

The model of the recipe `cpu`, five passes over the first 20,000 training images, judged on the last
5,000: the test images are not touched. Notebook 05 climbs the same ladder on drawn shapes.
"""

import argparse
import statistics
from dataclasses import asdict, replace
from pathlib import Path

from vit_minimal import (
    RECIPES,
    TrainingConfig,
    VisionTransformer,
    fit,
    load_dataset,
    seed_everything,
)
from vit_minimal.records import add_record

TRAINED_ON, HELD_OUT = 20_000, 5_000
PLAIN = TrainingConfig(
    epochs=5,
    optimizer="sgd",
    learning_rate=0.03,
    warmup=0.0,
    schedule="constant",
    weight_decay=0.0,
    label_smoothing=0.0,
    clip_norm=0.0,
    flip=False,
    crop_padding=0,
    validation_images=HELD_OUT,
)
RUNGS = {
    "SGD, constant rate": {},
    "+ AdamW": {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05},
    "+ warm-up and cosine": {"schedule": "cosine", "warmup": 0.1},
    "+ clipping": {"clip_norm": 1.0},
    "+ Muon": {"optimizer": "muon", "learning_rate": 3e-3, "weight_decay": 0.1},
    "+ flip and crop": {"flip": True, "crop_padding": 2},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset = load_dataset("cifar10")
    keep = [
        *range(TRAINED_ON),
        *range(len(dataset.train_labels) - HELD_OUT, len(dataset.train_labels)),
    ]
    dataset = replace(
        dataset,
        train_images=dataset.train_images[keep],
        train_labels=dataset.train_labels[keep],
    )
    config, rungs = PLAIN, []
    for name, changes in RUNGS.items():
        config, reached = replace(config, **changes), []
        for seed in range(options.seeds):
            seed_everything(seed)
            model = VisionTransformer(RECIPES["cpu"].model)
            history = fit(model, dataset, replace(config, seed=seed))
            reached.append(history.validation_accuracy[-1])
        print(
            f"{name:22} {statistics.mean(reached):.1%}   {[f'{a:.1%}' for a in reached]}",
            flush=True,
        )
        rungs.append({"rung": name, "accuracies": reached, "training": asdict(config)})
    if options.record:
        figures = {
            "dataset": dataset.name,
            "judged_on": f"{HELD_OUT:,} validation",
            "trained_on": TRAINED_ON,
            "seeds": list(range(options.seeds)),
            "model": asdict(RECIPES["cpu"].model),
            "rungs": rungs,
        }
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
