"""The journey of the class token through the model that the course ships, on CIFAR-10's test images.

    python benchmarks/class_token_journey.py [--record data/results/class_token_journey.json]
        [--probes data/checkpoints/cifar10-cpu-long-probes.safetensors]

Linear probes after every block, of the shipped model and of an untrained one; the accuracy with the
class token cut off, or given the mean of what it reads; how far patches look and how long they grow.
Nothing is trained or chosen here: probes are fitted on the first half of the test images and judged
on the second, the means are of the first half, all else is judged on the second. Intervals (95 %)
are over images. The probes that are kept (--probes) are fitted on 20,000 training images.
"""

import argparse
from itertools import combinations
from pathlib import Path

import torch
from safetensors.torch import save_file

from shipped import CHECKPOINT
from vit_minimal import (
    VisionTransformer,
    attention_distance,
    class_token_journey,
    knock_out,
    load_checkpoint,
    load_dataset,
    seed_everything,
)
from vit_minimal.inspection import (
    fit_class_token_probes,
    look_into,
    mean_ablation,
    mean_reads,
)
from vit_minimal.records import add_record

PROBED = 20_000  # training images on which the probes that are kept are fitted


def mean_and_width(values):
    """The mean over the last axis, and half the width of its 95 % interval."""
    values = torch.as_tensor(values).double()
    width = 1.96 * values.std(dim=-1) / values.shape[-1] ** 0.5
    return {"mean": values.mean(dim=-1).tolist(), "width": width.tolist()}


def of_accuracy(accuracy, n):
    """The same for accuracies of which only the value is known."""
    return {
        "mean": accuracy.tolist(),
        "width": (1.96 * (accuracy * (1 - accuracy) / n) ** 0.5).tolist(),
    }


def probed(model, images, labels):
    """What probes read off the class token, the mean of the patches, and each patch."""
    journey = class_token_journey(model, images, labels)
    kinds = ("class_token", "patch_mean", "patches")
    found = {kind: of_accuracy(getattr(journey, kind), journey.num_scored) for kind in kinds}
    return found, journey


def cuts(depth):
    """{name: lists of blocks, counted from 0}: in which the class token is cut off."""
    blocks = range(depth)
    return {
        "one block": [[block] for block in blocks],
        "up to a block": [list(range(block + 1)) for block in blocks],
        "from a block on": [list(range(block, depth)) for block in blocks],
        "two blocks": [list(pair) for pair in combinations(blocks, 2)],
    }


def cut_off(logits, labels, depth):
    """What is right if the class token is cut off, by `logits(blocks)`, in one way after the other;
    and what that loses, image by image.
    """
    known = {}

    def right(blocks):
        if tuple(blocks) not in known:
            known[tuple(blocks)] = (logits(blocks).argmax(dim=1) == labels).double()
        return known[tuple(blocks)]

    whole, found = right([]), {}
    for name, lists in cuts(depth).items():
        answers = torch.stack([right(blocks) for blocks in lists])
        found[name] = mean_and_width(answers)
        found[f"loss, {name}"] = mean_and_width(whole - answers)
        print(name, found[name], flush=True)
    return mean_and_width(whole), found


def long_patches(model, images):
    """Of each block, the longest patch token of an image against the median one: the mean over
    images, and the largest of all.
    """
    ratios = []
    for tokens, _ in look_into(model, images):
        lengths = tokens[1:, :, model.num_prefix :].norm(dim=-1)  # (L, b, N)
        ratios.append(lengths.amax(dim=2) / lengths.median(dim=2).values)
    ratios = torch.cat(ratios, dim=1)
    return mean_and_width(ratios) | {"largest": ratios.amax(dim=1).tolist()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--probes", type=Path, metavar="FILE")
    options = parser.parse_args()
    model, dataset = load_checkpoint(options.checkpoint), load_dataset("cifar10")
    images, labels = dataset.test_images, dataset.test_labels
    seed_everything(0)
    untrained = VisionTransformer(model.config)

    if options.probes:
        some = slice(PROBED)
        weights, biases = fit_class_token_probes(
            model, dataset.train_images[some], dataset.train_labels[some]
        )
        save_file({"weights": weights.contiguous(), "biases": biases.contiguous()}, options.probes)

    probes, journey = probed(model, images, labels)
    figures = {
        "probes": probes,
        "untrained_probes": probed(untrained, images, labels)[0],
        "mirrored_probes": probed(model, images.flip(3), labels)[0],
        "similarity": journey.similarity.tolist(),
        "self_attention": journey.self_attention.tolist(),
    }
    for name in ("probes", "untrained_probes"):
        print(name, figures[name]["class_token"]["mean"], figures[name]["patch_mean"]["mean"])

    half = len(images) // 2
    reads = mean_reads(model, images[:half])
    images, labels = images[half:], labels[half:]
    figures["distances"] = attention_distance(model, images).tolist()
    figures["long_patches"] = long_patches(model, images)
    depth = model.config.depth
    figures["accuracy"], figures["knock_outs"] = cut_off(
        lambda blocks: knock_out(model, images, blocks), labels, depth
    )
    _, figures["mean_ablations"] = cut_off(
        lambda blocks: mean_ablation(model, images, blocks, reads), labels, depth
    )
    figures["cuts"] = {
        name: [[block + 1 for block in blocks] for blocks in lists]
        for name, lists in cuts(depth).items()
    }
    if options.record:
        settings = {"dataset": dataset.name, "checkpoint": options.checkpoint.name}
        settings |= {"probes_judged_on": journey.num_scored}
        add_record(options.record, settings | figures)


if __name__ == "__main__":
    main()
