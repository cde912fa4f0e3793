"""Patch sizes: what they cost, what noise does to them, and how far trained weights can be resampled.

    python benchmarks/patch_size.py cost [--record data/results/patch_size.json]

The parts: `cost` counts tokens, FLOPs, memory and seconds of each patch size. `resampling` takes the
shipped checkpoint (P = 4) as a model of other patches, on CIFAR-10. `noise` trains models of the
experiment patch_size anew on CIFAR-10, because noise is measured on the models themselves;
`noise_learned` trains them on images with noise of 32. `needles` is about Needle-10, whose needle is
a tile of 4 × 4 pixels: patches of the size of the needle and larger ones, and as controls images
twice as large, more numbers per token, longer training, more images. `needles_at_equal_flops` gives
larger patches about the FLOPs that three passes take with the smallest. Where a patch of 8 × 8 holds
four tiles, both also say how many needles are found at each of the four places.
"""

import argparse
import statistics
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch
from torch.nn.functional import interpolate

from shipped import CHECKPOINT
from vit_minimal import Dataset, evaluate, load_checkpoint, load_dataset, needle10, resize_patches
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.experiments import cost, plan, train_run
from vit_minimal.records import add_record, read_records

PARTS = "cost", "resampling", "noise", "noise_learned", "needles", "needles_at_equal_flops"
NEEDLES = (  # P, D, passes, side of the images in pixels, images trained on
    (4, 64, 3, 32, 4_000),
    (8, 64, 3, 32, 4_000),
    (16, 64, 3, 32, 4_000),
    (8, 64, 3, 64, 4_000),
    (8, 192, 3, 32, 4_000),
    (8, 64, 33, 32, 4_000),
    (8, 64, 3, 32, 44_000),
    (16, 64, 3, 32, 44_000),
)
NEEDLES_AT_EQUAL_FLOPS = (8, 64, 12, 32, 4_000), (16, 64, 31, 32, 4_000)
NOISE = (0, 8, 16, 32, 64)  # standard deviations, of pixel values 0 … 255


def with_noise(images, deviation, seed=0):
    """Images uint8 with normal noise, the same for each model, rounded and clipped to 0 … 255."""
    generator = torch.Generator().manual_seed(seed)
    noise = deviation * torch.randn(images.shape, generator=generator)
    return (images + noise).round().clamp(0, 255).to(torch.uint8)


def enlarged(images, size):
    """Images uint8, bilinearly resized to size × size pixels."""
    larger = interpolate(images.float(), size=size, mode="bilinear", antialias=True)
    return larger.round().to(torch.uint8)


def measure_cost():
    base = plan("patch_size", "full", seed=0)["P = 4", 1]
    rows = []
    for P in (1, 2, 4, 8, 16, 32):
        run = base | {"model": base["model"] | {"patch_size": P}}
        rows.append({"patch_size": P} | cost(run, batch_size=16))
        print(rows[-1], flush=True)
    return rows


def measure_noise(seeds, trained_with):
    dataset, rows = load_dataset("cifar10"), []
    noisy = with_noise(dataset.train_images, trained_with, seed=1)
    for seed, P in product(range(seeds), (4, 8, 16)):
        run = plan("patch_size", "full", seed)[f"P = {P}", 1]
        model, _ = train_run(run, replace(dataset, train_images=noisy))
        reached = {
            deviation: evaluate(
                model, with_noise(dataset.test_images, deviation), dataset.test_labels
            )
            for deviation in NOISE
        }
        rows.append({"patch_size": P, "seed": seed, "accuracies": reached})
        print(rows[-1], flush=True)
    return rows


def measure_resampling():
    dataset, trained = load_dataset("cifar10"), load_checkpoint(CHECKPOINT)
    rows = []
    for P, size in ((4, 32), (8, 64), (2, 16), (8, 32), (2, 32), (4, 64)):
        images = dataset.test_images if size == 32 else enlarged(dataset.test_images, size)
        model = resize_patches(trained, P, size)
        accuracy = evaluate(model, images, dataset.test_labels, batch_size=100)
        rows.append({"patch_size": P, "image_size": size, "accuracy": accuracy})
        print(rows[-1], flush=True)
    return rows


def place_in_patch(places):
    """Where in its patch of 8 × 8 pixels a tile lies, of 64 in rows of eight: 0 … 3, row by row."""
    rows, columns = places // 8, places % 8
    return 2 * (rows % 2) + columns % 2


def measure_needles(seeds, wanted):
    images, labels, places = needle10(45_000, seed=0)
    test = images[44_000:], labels[44_000:]
    place = place_in_patch(places[44_000:])
    rows = []
    for P, D, passes, size, trained_on in wanted:
        dataset = Dataset(
            images[:trained_on], labels[:trained_on], *test, NEEDLE10_CLASSES, "needle10"
        )
        if size != 32:
            larger = {
                name: interpolate(getattr(dataset, name).float(), size=size).to(torch.uint8)
                for name in ("train_images", "test_images")
            }
            dataset = replace(dataset, **larger)
        reached, found = [], []
        for seed in range(seeds):
            run = plan("patch_size", "quick", seed)["P = 4", 1]
            run["model"] |= {"patch_size": P, "embed_dim": D, "image_size": size}
            run["training"] |= {"epochs": passes, "validation_images": 0}
            model, _ = train_run(run, dataset)
            tested = dataset.test_images, dataset.test_labels
            reached.append(evaluate(model, *tested))
            if (P, size) == (8, 32):
                by_place = (tuple(of[place == k] for of in tested) for k in range(4))
                found.append([evaluate(model, *these) for these in by_place])
        row = {
            "patch_size": P,
            "embed_dim": D,
            "passes": passes,
            "image_size": size,
            "trained_on": trained_on,
            "accuracies": reached,
        }
        if found:
            row["accuracies_by_place"] = found
        print(row, f"{statistics.mean(reached):.1%}", flush=True)
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.record:
        read_records(options.record)  # later would be too late to learn that it is damaged
    measure, dataset, judged = {
        "cost": (measure_cost, "none", "nothing"),
        "resampling": (measure_resampling, "cifar10", "10,000 test"),
        "noise": (lambda: measure_noise(options.seeds, 0), "cifar10", "10,000 test"),
        "noise_learned": (lambda: measure_noise(options.seeds, 32), "cifar10", "10,000 test"),
        "needles": (lambda: measure_needles(options.seeds, NEEDLES), "needle10", "1,000 test"),
        "needles_at_equal_flops": (
            lambda: measure_needles(options.seeds, NEEDLES_AT_EQUAL_FLOPS),
            "needle10",
            "1,000 test",
        ),
    }[options.part]
    figures = {"part": options.part, "dataset": dataset, "judged_on": judged, "rows": measure()}
    if options.record:
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
