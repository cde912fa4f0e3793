"""How much harder for a trained model its training images are the way it trains on them.

    python -m vit_minimal.training --recipe cpu --dataset cifar10 --name cpu-0
    python benchmarks/harder_images.py data/runs/cpu-0.safetensors … [--record data/results/harder_images.json]

Each model answers all 50,000 training images of CIFAR-10 four times: as they are, mirrored and shifted as
in the recipe `cpu`, with half of the patches left out, and both.
"""

import argparse

import torch

from vit_minimal import RECIPES, load_checkpoint, load_dataset, pick_device, seed_everything
from vit_minimal.augment import normalize, random_crop, random_flip
from vit_minimal.device import autocast, pick_precision
from vit_minimal.records import add_record, as_path
from vit_minimal.training.patch_dropout import patches_dropped

RECIPE = RECIPES["cpu"].training
WAYS = {  # whether images are mirrored and shifted, and the share of patches that is left out
    "as they are": (False, 0.0),
    "flip and crop": (True, 0.0),
    "half of the patches": (False, RECIPE.patch_drop_rate),
    "both": (True, RECIPE.patch_drop_rate),
}


@torch.inference_mode()
def share_right(model, images, labels, vary, left_out, batch_size=500):
    """The share of right answers, 0 … 1, on images (n, C, H, W) that are made harder."""
    device, right = next(model.parameters()).device, 0
    model.train(left_out > 0)  # the recipe has no other dropout
    seed_everything(0)
    with patches_dropped(model, left_out), autocast(device, pick_precision(device)):
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            x, y = x.to(device), y.to(device)
            if vary:
                x = random_crop(random_flip(x), RECIPE.crop_padding)
            right += (model(normalize(x)).argmax(dim=1) == y).sum().item()
    model.eval()
    return right / len(images)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", type=as_path, metavar="MODEL")
    parser.add_argument("--record", type=as_path, metavar="FILE")
    options = parser.parse_args(arguments)
    dataset = load_dataset("cifar10")
    found = {name: [] for name in WAYS}
    for path in options.models:
        model = load_checkpoint(path).to(pick_device())
        for name, (vary, left_out) in WAYS.items():
            images, labels = dataset.train_images, dataset.train_labels
            found[name].append(share_right(model, images, labels, vary, left_out))
            print(f"{path.stem}, {name}: {found[name][-1]:.1%}", flush=True)
    if options.record:
        judged_on = f"{len(dataset.train_images):,} training"
        add_record(
            options.record,
            {"dataset": dataset.name, "judged_on": judged_on, "models": found},
        )


if __name__ == "__main__":
    main()
