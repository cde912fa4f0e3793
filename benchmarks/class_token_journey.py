"""The journey of the class token through the model that the course ships, on CIFAR-10's test images.

    python benchmarks/class_token_journey.py [--record data/results/class_token_journey.json]

Linear probes after every block, the accuracy with blocks knocked out, and with patches that became
noise. Nothing is trained or chosen here: probes are fitted on the first half of the test images and
judged on the second, all else on the second half. Intervals (95 %) are over images.
"""

import argparse
from pathlib import Path

import torch

from vit_minimal import (
    attention_maps,
    attention_rollout,
    class_token_journey,
    gradient_attention,
    knock_out,
    load_checkpoint,
    load_dataset,
)
from vit_minimal.inspection import deletion_test
from vit_minimal.records import add_record

CHECKPOINT = Path(__file__).resolve().parents[1] / "data/checkpoints/cifar10-cpu-long.safetensors"
COUNTS = (0, 2, 4, 8, 16, 24, 32, 48)
DELETED_FROM = 2_000  # images


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    model, dataset = load_checkpoint(options.checkpoint), load_dataset("cifar10")
    images, labels = dataset.test_images, dataset.test_labels
    layers = range(model.config.depth)

    journey = class_token_journey(model, images, labels)
    kinds = ("class_token", "patch_mean", "patches")
    figures = {
        "probes": {kind: of_accuracy(getattr(journey, kind), journey.num_scored) for kind in kinds},
        "similarity": journey.similarity.tolist(),
        "self_attention": journey.self_attention.tolist(),
    }
    print(journey.class_token, journey.patch_mean, journey.patches.mean(dim=1), flush=True)

    images, labels = images[len(images) // 2 :], labels[len(labels) // 2 :]

    def right(blocks):
        return (knock_out(model, images, blocks).argmax(dim=1) == labels).double()

    whole = right([])
    single = torch.stack([right([layer]) for layer in layers])
    onward = torch.stack([right(range(layer, len(layers))) for layer in layers])
    figures["accuracy"] = mean_and_width(whole)
    figures["knock_outs"] = {
        "one layer": mean_and_width(single),
        "from a layer on": mean_and_width(onward),
        "loss, one layer": mean_and_width(whole - single),  # image by image
        "loss, from a layer on": mean_and_width(whole - onward),
    }
    print(figures["accuracy"], figures["knock_outs"], flush=True)

    images, labels = images[:DELETED_FROM], labels[:DELETED_FROM]
    scores = {
        "attention of the last layer": attention_maps(model, images)[-1].mean(dim=1)[:, 0, 1:],
        "rollout": attention_rollout(model, images),
        "gradients": gradient_attention(model, images),
    }
    figures["deletions"] = {"counts": COUNTS}
    for name, score in scores.items():
        found = deletion_test(model, images, labels, score, COUNTS)
        found = {order: part.double() for order, part in found.items()}
        figures["deletions"][name] = {order: mean_and_width(part) for order, part in found.items()}
        figures["deletions"][name]["loss beyond random"] = mean_and_width(
            found["random"] - found["highest"]
        )
        print(name, figures["deletions"][name], flush=True)
    if options.record:
        settings = {"dataset": dataset.name, "checkpoint": options.checkpoint.name}
        settings |= {"probes_judged_on": journey.num_scored, "deleted_from": DELETED_FROM}
        add_record(options.record, settings | figures)


if __name__ == "__main__":
    main()
