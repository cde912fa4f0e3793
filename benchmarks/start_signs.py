"""What one batch shows of a model before its first step: the starts of notebook 07.

    python benchmarks/start_signs.py [--record data/results/start_signs.json]

The models are those of the experiments, new and untrained, with the seeds 0, 1 and 2: the model of
CIFAR-10 gets the first 100 training images of CIFAR-10, and then those of Shapes-10, which are the
batch of the notebook as it is saved; the smaller model of the short runs gets those of Shapes-10.
Whatever training freezes is left out, because it starts like its neighbour. All in float32.
"""

import argparse
import copy
import json
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from vit_minimal import load_dataset
from vit_minimal.augment import normalize
from vit_minimal.experiments import make_model, plan
from vit_minimal.records import add_record

EXPERIMENTS = (
    "position_init",
    "patch_position_init",
    "patch_drowning",
    "class_token_init",
    "weight_init",
)
LOOKS = ("cifar10", "full"), ("shapes10", "full"), ("shapes10", "quick")  # the images, the model
IMAGES = 100


@torch.no_grad()
def first_loss(model, images, labels):
    model = copy.deepcopy(model).eval()  # without dropout; your model stays as it is
    return cross_entropy(model(images), labels).item()


@torch.no_grad()
def spread_of(model, images):
    """How much the images differ to the head: the mean deviation of the D numbers that it reads."""
    read = copy.deepcopy(model).eval().forward_features(images)[:, 0]  # (B, D)
    return read.std(dim=0).mean().item()


def gradient(block):
    """The length of the gradient of a block's matrices as one vector; without any it is 0."""
    matrices = [parameter for parameter in block.parameters() if parameter.ndim > 1]
    return get_total_norm([p.grad for p in matrices if p.grad is not None]).item()


def two_steps(model, images, labels):
    """The gradient of the block that gets the least, in the first step and in the second."""
    model, least = copy.deepcopy(model).eval(), []  # without dropout or skipped blocks
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        least.append(min(map(gradient, model.blocks)))
        optimizer.step()
    return least


def starts(budget, seed):
    """(experiment, setting, run) of every start that is looked at."""
    for experiment in EXPERIMENTS:
        for (setting, _), run in plan(experiment, budget, seed).items():
            if not run["frozen"]:
                yield experiment, setting, run


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    for name, budget in LOOKS:
        dataset = load_dataset(name)
        batch = normalize(dataset.train_images[:IMAGES]), dataset.train_labels[:IMAGES]
        for seed in range(options.seeds):
            for experiment, setting, run in starts(budget, seed):
                model = make_model(run)
                loss, spread = first_loss(model, *batch), spread_of(model, batch[0])
                row = {"dataset": name, "budget": budget, "experiment": experiment}
                row |= {"setting": setting, "seed": seed, "loss": loss, "spread": spread}
                rows.append(row | {"gradients": two_steps(model, *batch)})
                print(json.dumps(rows[-1]), flush=True)
    if options.record:
        add_record(options.record, {"images": IMAGES, "precision": "float32", "rows": rows})


if __name__ == "__main__":
    main()
