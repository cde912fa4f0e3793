"""Convolutions and attention: what they see of far corners, and how many images they need.

    python benchmarks/cnn_and_vit.py corners [--near] [--record data/results/far_corners.json]
    python benchmarks/cnn_and_vit.py images [--record data/results/training_images.json]

`corners`: Corners-2, where two tiles in opposite corners decide together; with `--near` they lie side by
side, which tells whether a model fails because they are far apart. `images`: CIFAR-10 with fewer and
fewer training images, nearly as many steps each (whole passes), or with `--steps` fewer or more.
With the first seed every model is trained at two learning rates or more; the one that is best on
validation images is used with the other seeds. For long trainings these are the best of the record's
shorter one and a third of it. The test images are those that are reported.
"""

import argparse
import contextlib
import io
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from vit_minimal import (
    RECIPES,
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    corners2,
    evaluate,
    fit,
    load_dataset,
    seed_everything,
)
from vit_minimal.records import add_record, read_records
from vit_minimal.training import SHORT
from vit_minimal.variants import ConvNet

SMALL = ViTConfig(patch_size=4, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, num_classes=2)
CORNER_MODELS = {  # Muon takes matrices only, so the CNNs have AdamW
    "CNN that sees 15 pixels, AdamW": (lambda: ConvNet(SMALL, strides=(2, 2, 1)), "adamw"),
    "CNN that sees 47 pixels, AdamW": (lambda: ConvNet(SMALL, strides=(2, 2, 2, 1, 1)), "adamw"),
    "ViT, Muon": (lambda: VisionTransformer(SMALL), "muon"),
    "ViT, AdamW": (lambda: VisionTransformer(SMALL), "adamw"),
}
VIT, RATES = RECIPES["cpu"].model, (1e-3, 3e-3, 1e-2)
USUAL = 1e-4, 3e-4  # the rates that most ViTs are trained at, with AdamW
IMAGE_MODELS = {  # the CNN costs about as many FLOPs as the ViT; the best rates lie between others
    "ViT, Muon": (lambda: VisionTransformer(VIT), "muon", RATES),
    "ViT, AdamW": (lambda: VisionTransformer(VIT), "adamw", (3e-4, *RATES)),
    "CNN, AdamW": (
        lambda: ConvNet(VIT, width=64, strides=(1, 2, 1, 2, 1, 2)), "adamw", (*RATES, 3e-2),
    ),
}  # fmt: skip
STEPS = 702  # two passes over 45,000 images in batches of 128
HELD_OUT = 1_000
COUNTS = 1_000, 7_000, 45_000  # of training images


def measure(name, make, dataset, config, rates, seeds):
    """A row: the model at the learning rate, of those tried, that is best on validation images."""

    def train(rate, seed):
        """Accuracy on validation images after each pass, and on test images."""
        seed_everything(seed)
        model = make()
        with contextlib.redirect_stdout(io.StringIO()):
            history = fit(model, dataset, replace(config, learning_rate=rate, seed=seed))
        accuracy = evaluate(model, dataset.test_images, dataset.test_labels)
        return history.validation_accuracy, accuracy

    tried = {rate: train(rate, seed=0) for rate in rates}
    best = max(tried, key=lambda rate: tried[rate][0][-1])
    runs = [tried[best], *(train(best, seed) for seed in range(1, seeds))]
    model = make().eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 32, 32))
    trained_on = len(dataset.train_labels) - config.validation_images
    row = {
        "dataset": dataset.name,
        "judged_on": f"{len(dataset.test_labels):,} test",
        "model": name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "flops": counter.get_total_flops(),  # of one image, forwards
        "trained_on": trained_on,
        "steps": config.epochs * (trained_on // config.batch_size),
        "learning_rate": best,
        "seeds": list(range(seeds)),
        "accuracies": [test for _, test in runs],
        "validation_by_pass": [validation for validation, _ in runs],
        "validation_by_rate": {rate: validation[-1] for rate, (validation, _) in tried.items()},
        "training": asdict(replace(config, learning_rate=best)),
    }
    print(row, flush=True)
    return row


def corners(seeds, models=tuple(CORNER_MODELS), near=False):
    name = "corners2, side by side" if near else "corners2"
    for count, epochs in ((4_000, 10), (20_000, 5)):
        training, test = corners2(count + HELD_OUT, 0, near), corners2(2_000, 1, near)
        dataset = Dataset(*training, *test, ("differ", "agree"), name)
        for model in models:
            make, optimizer = CORNER_MODELS[model]
            config = TrainingConfig(
                epochs=epochs,
                batch_size=50,
                optimizer=optimizer,
                label_smoothing=0.0,
                flip=False,
                crop_padding=0,
                validation_images=HELD_OUT,
            )
            rates = (*USUAL, *RATES) if model == "ViT, AdamW" else RATES
            yield measure(model, make, dataset, config, rates, seeds)


def images(seeds, counts=COUNTS, models=tuple(IMAGE_MODELS), steps=STEPS, known=()):
    """Rows; `known` are those of trainings of STEPS steps, whose best rates serve longer ones."""
    everything = load_dataset("cifar10")
    for count in counts:
        keep = torch.cat([torch.arange(count), torch.arange(45_000, 45_000 + HELD_OUT)])
        dataset = replace(
            everything,
            train_images=everything.train_images[keep],
            train_labels=everything.train_labels[keep],
        )
        for name in models:
            make, optimizer, rates = IMAGE_MODELS[name]
            if steps > STEPS:
                best = [
                    row["learning_rate"]
                    for row in known
                    if (row["model"], row["trained_on"]) == (name, count)
                    and abs(row["steps"] - STEPS) < 10
                ]
                if not best:
                    raise ValueError(
                        f"a longer training takes its rates from one of {STEPS} steps, and there is "
                        f"none of {name!r} with {count:,} images: give a --record that holds it"
                    )
                rates = best[-1] / 3, best[-1]
            config = replace(
                SHORT,
                epochs=round(steps / (count // 128)),
                optimizer=optimizer,
                validation_images=HELD_OUT,
            )
            yield measure(name, make, dataset, config, rates, seeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("question", choices=("corners", "images"))
    parser.add_argument("--seeds", type=int, default=3)
    help_text = "of training images, for the question `images`"
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help=help_text)
    help_text = "for the question `images`: of the optimizer, about so many"
    parser.add_argument("--steps", type=int, default=STEPS, help=help_text)
    parser.add_argument("--models", nargs="+", choices=(*CORNER_MODELS, *IMAGE_MODELS))
    help_text = "for the question `corners`: the two tiles lie side by side"
    parser.add_argument("--near", action="store_true", help=help_text)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    there = CORNER_MODELS if options.question == "corners" else IMAGE_MODELS
    if unknown := [name for name in options.models or () if name not in there]:
        parser.error(f"{options.question} has the models {', '.join(there)}, got {unknown[0]!r}")
    # hours later would be too late to learn that it is damaged
    known = read_records(options.record) if options.record else ()
    if options.question == "corners":
        rows = corners(options.seeds, options.models or there, options.near)
    else:
        rows = images(options.seeds, options.counts, options.models or there, options.steps, known)
    for row in rows:
        if options.record:
            add_record(options.record, row)


if __name__ == "__main__":
    main()
