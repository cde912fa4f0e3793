"""What can be read from a class token besides the class: the image's colours, a needle's place.

    python benchmarks/class_token_contents.py [--record data/results/class_token_contents.json]

`colours`: the shipped model on CIFAR-10's test images. A linear regression reads the mean colours of
4 × 4 regions from the class token, or from the mean of the patches; its figure is the share of their
variance that it explains, region by region, on average (0: no better than the mean image).
`place`: small models trained on Needle-10, three seeds, where one patch of 64 decides the class. A
linear classifier reads which patch that was; guessing is right in 1 of 64.

Regressions are fitted on one half of the images and judged on the other.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from torch.nn.functional import avg_pool2d, one_hot

from needle import MODEL, TRAINING, before_and_after
from shipped import CHECKPOINT
from vit_minimal import (
    Dataset,
    VisionTransformer,
    load_checkpoint,
    load_dataset,
    needle10,
    seed_everything,
)
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.inspection import fit_probes, look_into
from vit_minimal.records import add_record

STREAMS = "class_token", "patch_mean"


def read(model, images, wanted):
    """What regressions from each stream say of the second half of the images, where they were
    `wanted` (B, K) to say this of the first: (L + 1, 2, B / 2, K).
    """
    half, first = len(images) // 2, model.num_prefix

    def streams(tokens):  # (L + 1, b, T, D) → (L + 1, 2, b, D)
        return torch.stack([tokens[:, :, 0], tokens[:, :, first:].mean(dim=2)], dim=1)

    seen = look_into(model, images[:half], wanted[:half])
    weights, biases = fit_probes((streams(tokens), part) for tokens, _, part in seen)
    guesses = [streams(tokens) @ weights + biases for tokens, _ in look_into(model, images[half:])]
    return torch.cat(guesses, dim=2)


def explained(model, images):
    """The share of the variance of the regions' colours that each stream explains."""
    colours = avg_pool2d(images.float(), 8).flatten(1)  # (B, 3 · 16)
    guesses, true = read(model, images, colours), colours[len(images) // 2 :]
    errors = (guesses - true).square().mean(dim=-2)  # (L + 1, 2, 48)
    return (1 - errors / true.var(dim=0)).mean(dim=-1)


def placed(model, images, places):
    """How often each stream gives the right place away."""
    guesses = read(model, images, one_hot(places, 64).float()).argmax(dim=-1)
    return (guesses == places[len(images) // 2 :]).float().mean(dim=-1)


def by_stream(shares):
    return dict(zip(STREAMS, shares.T.tolist(), strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    shipped, dataset = load_checkpoint(CHECKPOINT), load_dataset("cifar10")
    seed_everything(0)
    untrained = VisionTransformer(shipped.config)
    colours = {
        "trained": by_stream(explained(shipped, dataset.test_images)),
        "untrained": by_stream(explained(untrained, dataset.test_images)),
    }
    print(colours, flush=True)
    images, labels, places = needle10(12_000, seed=1)
    test = images[4_000:], labels[4_000:]
    needles = Dataset(images[:4_000], labels[:4_000], *test, NEEDLE10_CLASSES, "needle10")
    place = []
    for seed in range(options.seeds):
        _, model = before_and_after(needles, seed)
        shares = by_stream(placed(model, needles.test_images, places[4_000:]))
        place.append({"seed": seed} | shares)
        print(place[-1], flush=True)
    if options.record:
        figures = {
            "dataset": "cifar10 and needle10",
            "judged_on": "5,000 and 4,000 test",
            "checkpoint": CHECKPOINT.name,
            "needle_model": asdict(MODEL),
            "needle_training": asdict(TRAINING),  # but for the seed, which stands with each place
            "colours": colours,
            "place": place,
        }
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
