"""SGD, AdamW and Muon, each at several learning rates: is Muon's lead only a better rate?

    python benchmarks/learning_rates.py [--record data/results/learning_rates.json]

Model, data and settings are those of notebook 05's ladder at the quick budget: four passes over
4,000 drawn shapes, judged on 1,000 others. Only the optimizer, its weight decay and the rate change.
SGD also runs without clipping, because only Adam and Muon divide by the size of the gradients, and
without both clipping and schedule, as on the ladder's first rung.
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

TRAINED_ON, HELD_OUT = 4_000, 1_000
MODEL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)
BASE = TrainingConfig(
    epochs=4,
    batch_size=50,
    label_smoothing=0.0,
    flip=False,
    crop_padding=0,
    validation_images=HELD_OUT,
)
OPTIMIZERS = {  # with the weight decay of the ladder
    "SGD with momentum": {"optimizer": "sgd", "weight_decay": 0.0},
    "SGD without clipping": {"optimizer": "sgd", "weight_decay": 0.0, "clip_norm": 0.0},
    "SGD, constant rate": {
        "optimizer": "sgd",
        "weight_decay": 0.0,
        "clip_norm": 0.0,
        "warmup": 0.0,
        "schedule": "constant",
    },
    "AdamW": {"optimizer": "adamw", "weight_decay": 0.05},
    "Muon": {"optimizer": "muon", "weight_decay": 0.1},
}
RATES = {
    "SGD with momentum": (3e-2, 1e-1, 3e-1, 1.0, 3.0),
    "SGD without clipping": (3e-2, 1e-1, 3e-1, 1.0, 3.0),
    "SGD, constant rate": (3e-2, 1e-1, 2e-1, 3e-1, 1.0),
    "AdamW": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "Muon": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset = load_dataset("shapes10").first(TRAINED_ON + HELD_OUT, 1_000)
    rows, diverged = [], []
    for name, changes in OPTIMIZERS.items():
        for rate in RATES[name]:
            config = replace(BASE, learning_rate=rate, **changes)
            reached = []
            try:
                for seed in range(options.seeds):
                    seed_everything(seed)
                    history = fit(VisionTransformer(MODEL), dataset, replace(config, seed=seed))
                    reached.append(history.validation_accuracy[-1])
            except FloatingPointError:  # too high a rate; the other seeds would tell the same
                diverged.append({"optimizer": name, "rate": rate})
                print(f"{name} {rate:g}: the loss stopped being a number", flush=True)
                continue
            print(f"{name} {rate:g} {statistics.mean(reached):.1%}   {reached}", flush=True)
            rows.append(
                {
                    "optimizer": name,
                    "rate": rate,
                    "accuracies": reached,
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
            "rows": rows,
            "diverged": diverged,
        }
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
