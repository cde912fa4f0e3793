"""Which maps of the class token's attention mark the patches that the shipped model needs?

    python benchmarks/deletions.py [--record data/results/deletions.json]

Patches of CIFAR-10's test images become noise: those that a map marks highest, and as controls random
ones, and those that the same map marks in *another* image, drawn at random. Another image's patches
lie together as much, and as much in the middle, and have nothing to do with this image. The images
are the first of the second half, on which benchmarks/class_token_journey.py judges too. Nothing is
trained or chosen here. Intervals (95 %) are over images.
"""

import argparse
from pathlib import Path

import torch

from class_token_journey import mean_and_width
from shipped import CHECKPOINT
from vit_minimal import (
    attention_maps,
    attention_rollout,
    gradient_attention,
    knock_out,
    load_checkpoint,
    load_dataset,
)
from vit_minimal.inspection import deletion_test
from vit_minimal.records import add_record

COUNTS = (4, 8, 16, 24, 32)
OF_SECOND = "gradients of the second class"
TOGETHER = 16  # patches, of which is counted how many lie side by side


def another(n, seed=0):
    """For each of n images the number of another one, every image once: (n,)."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return others


def neighbours(scores, columns, count=TOGETHER):
    """How many of its four neighbours a patch has among the `count` highest of its image, on
    average: from scores (B, N).
    """
    chosen = torch.zeros_like(scores).scatter(1, scores.topk(count).indices, 1.0)
    chosen = chosen.unflatten(1, (-1, columns))
    pairs = (chosen[:, 1:] * chosen[:, :-1]).sum() + (chosen[:, :, 1:] * chosen[:, :, :-1]).sum()
    return (2 * pairs / (count * len(scores))).item()


def scores_of(model, images):
    """Four maps of each image, (B, N), by name."""
    second = knock_out(model, images, []).topk(2).indices[:, 1]  # the class that comes second
    return {
        "attention of the last block": attention_maps(model, images)[-1].mean(dim=1)[:, 0, 1:],
        "rollout": attention_rollout(model, images),
        "gradients": gradient_attention(model, images),
        OF_SECOND: gradient_attention(model, images, second),
    }


def delete(model, images, labels, scores, counts, columns):
    """What is right without the patches of each map, and without those of the controls."""
    whole = (knock_out(model, images, []).argmax(dim=1) == labels).double()  # nothing knocked out

    def right(score, order="highest"):
        found = deletion_test(model, images, labels, score, counts, orders=(order,))
        return torch.cat([whole[None], found[order].double()])

    others = another(len(images))
    anyhow = torch.rand(len(images), columns**2, generator=torch.Generator().manual_seed(0))
    at_random, maps = right(anyhow, "random"), {}
    for name, score in scores.items():
        own = right(score)
        maps[name] = {
            "highest": mean_and_width(own),
            "loss beyond random": mean_and_width(at_random - own),
            "neighbours": neighbours(score, columns),
        }
        if name != OF_SECOND:
            foreign = right(score[others])
            maps[name]["another image's"] = mean_and_width(foreign)
            maps[name]["loss beyond another image's"] = mean_and_width(foreign - own)
        if name == "gradients":
            lowest = right(score, "lowest")
            maps[name]["lowest"] = mean_and_width(lowest)
            maps[name]["gain of the lowest over random"] = mean_and_width(lowest - at_random)
        print(name, maps[name], flush=True)
    together = neighbours(anyhow, columns)
    return {
        "counts": [0, *counts],
        "random": {"highest": mean_and_width(at_random), "neighbours": together},
        **maps,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    model, dataset = load_checkpoint(options.checkpoint), load_dataset("cifar10")
    half = len(dataset.test_images) // 2
    chosen = slice(half, half + options.images)
    images, labels = dataset.test_images[chosen], dataset.test_labels[chosen]
    columns = model.patch_embed.grid_size[1]
    figures = delete(model, images, labels, scores_of(model, images), COUNTS, columns)
    if options.record:
        settings = {"dataset": dataset.name, "checkpoint": options.checkpoint.name}
        settings |= {"deleted_from": len(images)}
        add_record(options.record, settings | figures)


if __name__ == "__main__":
    main()
