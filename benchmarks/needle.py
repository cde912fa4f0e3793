"""Do attention, rollout and gradients point at the one patch that decides? Needle-10, three seeds.

    python benchmarks/needle.py [--record data/results/needle10.json]

For the same model before and after training: how often the needle's patch is the highest of 64,
what share of the class token's attention it gets, and the accuracy with each block knocked out. A
seed fixes a model's start and its training: the order of the images and whatever else is drawn.
"""

import argparse
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

from vit_minimal import (
    Dataset,
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
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.inspection import pointing_accuracy
from vit_minimal.records import add_record

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


def before_and_after(dataset, seed):
    """A model as it starts, and the same model trained."""
    seed_everything(seed)
    model = VisionTransformer(MODEL)
    untrained = deepcopy(model)
    fit(model, dataset, replace(TRAINING, seed=seed))
    return untrained, model


def examine(model, images, labels, places):
    """All figures of one model."""
    maps = attention_maps(model, images)[:, :, :, 0, 1:]  # the class token's: (L, B, h, N)
    scores = {f"attention of layer {i + 1}": layer.mean(dim=1) for i, layer in enumerate(maps)}
    scores["rollout"] = attention_rollout(model, images)
    scores["gradients"] = gradient_attention(model, images)
    needle = places.view(1, -1, 1, 1).expand(*maps.shape[:3], 1)

    def accuracy_without(layers):
        return (knock_out(model, images, layers).argmax(dim=1) == labels).float().mean().item()

    return {
        "pointing": {name: pointing_accuracy(of, places) for name, of in scores.items()},
        "share": maps.gather(-1, needle).mean(dim=(1, 2, 3)).tolist(),
        "accuracy": accuracy_without([]),
        "accuracy_without": [accuracy_without([layer]) for layer in range(len(maps))],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    images, labels, places = needle10(5_000, seed=1)
    test = images[4_000:], labels[4_000:]
    dataset = Dataset(images[:4_000], labels[:4_000], *test, NEEDLE10_CLASSES, "needle10")
    runs = []
    for seed in range(options.seeds):
        untrained, trained = before_and_after(dataset, seed)
        run = {
            "seed": seed,
            "untrained": examine(untrained, *test, places[4_000:]),
            "trained": examine(trained, *test, places[4_000:]),
        }
        print(run, flush=True)
        runs.append(run)
    if options.record:
        figures = {
            "dataset": "needle10",
            "trained_on": 4_000,
            "judged_on": "1,000 test",
            "model": asdict(MODEL),
            "training": asdict(TRAINING),  # but for the seed, which stands in each run
            "chance": 1 / 64,
            "runs": runs,
        }
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
