"""Do attention, rollout and gradients point at the one patch that decides? Needle-10, three seeds.

    python benchmarks/needle.py [--record data/results/needle10.json]

For the same model before and after training: how often the needle's patch is the highest of 64,
what share of the class token's attention it gets, and the accuracy with each block knocked out.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    attention_maps,
    attention_rollout,
    fit,
    gradient_attention,
    knock_out,
    needle10,
    seed_everything,
)
from vit_minimal.data import Dataset
from vit_minimal.drawn import NEEDLE10_CLASSES
from vit_minimal.inspection import pointing_accuracy
from vit_minimal.runtime import add_record

MODEL = ViTConfig(embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0)
TRAINING = TrainingConfig(
    epochs=2,
    batch_size=50,
    optimizer="muon",
    learning_rate=1e-2,
    weight_decay=0.1,
    label_smoothing=0.0,
    flip=False,
    crop_padding=0,
)


def examine(model, images, labels, places):
    """All figures of one model."""
    looks = attention_maps(model, images)[:, :, :, 0, 1:]  # (L, B, h, N)
    at_needle = places.view(1, -1, 1, 1).expand(len(looks), -1, looks.shape[2], 1)
    scores = {f"attention of layer {i + 1}": layer.mean(dim=1) for i, layer in enumerate(looks)}
    scores |= {
        "rollout": attention_rollout(model, images),
        "gradients": gradient_attention(model, images),
    }

    def accuracy(layers):
        return (knock_out(model, images, layers).argmax(dim=1) == labels).float().mean().item()

    return {
        "pointing": {name: pointing_accuracy(s, places) for name, s in scores.items()},
        "share": looks.gather(-1, at_needle).mean(dim=(1, 2, 3)).tolist(),
        "accuracy": accuracy([]),
        "accuracy_without": [accuracy([layer]) for layer in range(len(looks))],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    images, labels, places = needle10(5_000, seed=1)
    learn, judge = images[:4_000], (images[4_000:], labels[4_000:], places[4_000:])
    dataset = Dataset(learn, labels[:4_000], *judge[:2], NEEDLE10_CLASSES, "needle10")
    runs = []
    for seed in range(options.seeds):
        seed_everything(seed)
        model = VisionTransformer(MODEL)
        figures = {"seed": seed, "untrained": examine(model, *judge)}
        fit(model, dataset, TRAINING)
        figures["trained"] = examine(model, *judge)
        for state in ("untrained", "trained"):
            print(state, figures[state], flush=True)
        runs.append(figures)
    if options.record:
        settings = {"dataset": "needle10", "trained_on": 4_000, "judged_on": "1,000 test"}
        settings |= {"model": asdict(MODEL), "training": asdict(TRAINING), "chance": 1 / 64}
        add_record(options.record, settings | {"runs": runs})


if __name__ == "__main__":
    main()
