"""Are there long patch tokens in small models, and what do registers take over?

    python -m vit_minimal.training --recipe cpu --dataset cifar10
    python -m vit_minimal.training --recipe cpu --dataset cifar10 --set model.num_registers=4
        --name registers
    python benchmarks/registers.py cifar10-cpu-seed0 registers [--record data/results/registers.json]

Named are models in data/runs, trained with and without registers by the commands above. Of each, on
the test images: what is right; block by block the longest patch token of an image against the median
one, and where the attention of the class token goes: to itself, to the registers, to the patches.
"""

import argparse
import json
import math

import torch
from safetensors import safe_open

from class_token_journey import long_patches
from vit_minimal import evaluate, load_checkpoint, load_dataset
from vit_minimal.data import data_root
from vit_minimal.inspection import look_into
from vit_minimal.records import add_record, as_path


def attention_shares(model, images):
    """What the class token gives, block by block and on average over images and heads, to itself, to
    all registers together, and to all patches together: (L, 3).
    """
    prefix = model.num_prefix
    found = []
    for _, maps in look_into(model, images):
        looks = maps[:, :, :, 0].mean(dim=2)  # (L, b, T), the mean of the heads
        parts = looks[..., :1], looks[..., 1:prefix], looks[..., prefix:]
        found.append(torch.stack([part.sum(dim=-1) for part in parts], dim=-1))
    return torch.cat(found, dim=1).mean(dim=1)


def examine(name, dataset):
    """What there is to say of one model in data/runs."""
    path = data_root() / "runs" / f"{name}.safetensors"
    model = load_checkpoint(path)
    with safe_open(path, framework="pt") as file:
        notes = json.loads(file.metadata()["notes"])
    images, labels = dataset.test_images, dataset.test_labels
    shares = attention_shares(model, images)
    return {
        "name": name,
        "num_registers": model.config.num_registers,
        "accuracy": evaluate(model, images, labels),
        "long_patches": long_patches(model, images),
        "even_share": 1 / (model.num_prefix + math.prod(model.patch_embed.grid_size)),
        "attention": dict(zip(("itself", "registers", "patches"), shares.T.tolist(), strict=True)),
        **{key: notes[key] for key in ("recipe", "seed", "model", "training", "judged_on")},
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--record", type=as_path, metavar="FILE")
    options = parser.parse_args(arguments)
    dataset = load_dataset("cifar10")
    runs = []
    for name in options.models:
        runs.append(examine(name, dataset))
        print({key: runs[-1][key] for key in ("name", "accuracy", "long_patches", "attention")})
    if options.record:
        add_record(options.record, {"dataset": dataset.name, "runs": runs})


if __name__ == "__main__":
    main()
