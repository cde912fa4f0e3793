"""Augmented images per second: ours on whole batches, torchvision's transforms in a DataLoader.

    python benchmarks/augmentation.py [--record data/results/augmentation.json]

Both mirror, crop, apply one random operation, normalise, erase and mix: the same ingredients with
the same probabilities. The DataLoader has two workers that live on from pass to pass, and reads from
memory. Ours and it alternate in one run.
"""

import argparse
import functools
import itertools
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader, default_collate
from torchvision.transforms import v2

from vit_minimal import TrainingConfig, seed_everything, shapes10
from vit_minimal.augment import augment, mix
from vit_minimal.records import add_record

BATCHES, IMAGES = (128, 512), 5_120
BASIC = TrainingConfig(flip=True, crop_padding=4)
FULL = replace(BASIC, trivial_augment=True, erase=0.25, mixup=0.2, cutmix=1.0)


def ours(images, labels, config, batch_size):
    for batch in torch.randperm(len(images)).split(batch_size):
        x, y = augment(images[batch], config), labels[batch]
        if config.mixup:
            mix(x, y, 10, config.mixup, config.cutmix)


class Pictures(torch.utils.data.Dataset):
    """As torchvision's CIFAR10 does it: an array in memory, a PIL image or a tensor for each item."""

    def __init__(self, images, labels, transform, as_pil):
        self.images, self.labels, self.transform = images, labels, transform
        self.to_pil = v2.ToPILImage() if as_pil else v2.Identity()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.to_pil(self.images[index])), self.labels[index]


def mixed(either, samples):
    """A batch of samples, of which one of two transforms mixes the images."""
    return either(*default_collate(samples))


def data_loader(images, labels, config, as_pil, batch_size):
    steps = [v2.RandomHorizontalFlip(), v2.RandomCrop(32, padding=config.crop_padding)]
    if config.trivial_augment:
        steps.append(v2.TrivialAugmentWide())
    steps += [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.5] * 3),
    ]
    collate = default_collate
    if config.erase:
        steps.append(v2.RandomErasing(config.erase))
    if config.mixup:
        either = v2.RandomChoice(
            [
                v2.MixUp(alpha=config.mixup, num_classes=10),
                v2.CutMix(alpha=config.cutmix, num_classes=10),
            ]
        )
        collate = functools.partial(mixed, either)
    return DataLoader(
        Pictures(images, labels, v2.Compose(steps), as_pil),
        batch_size,
        shuffle=True,
        num_workers=2,
        persistent_workers=True,
        collate_fn=collate,
    )


def pass_through(loader):
    for _ in loader:
        pass


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    seed_everything(0)
    images, labels = shapes10(IMAGES)
    runs = []
    kinds = (("flip and crop", BASIC), ("everything", FULL))
    for (name, config), batch in itertools.product(kinds, BATCHES):
        loaders = {
            kind: data_loader(images, labels, config, kind == "PIL", batch)
            for kind in ("PIL", "tensors")
        }
        work = {"ours": functools.partial(ours, images, labels, config, batch)}
        for kind, loader in loaders.items():
            work[f"DataLoader, {kind}"] = functools.partial(pass_through, loader)
        times = {kind: [] for kind in work}
        for repeat in range(options.repeats + 1):
            for kind, one_pass in work.items():
                took = seconds(one_pass)
                if repeat > 0:  # the first pass starts the workers
                    times[kind].append(took)
        rates = {kind: round(IMAGES / statistics.median(t)) for kind, t in times.items()}
        ratio = rates["ours"] / max(rate for kind, rate in rates.items() if kind != "ours")
        runs.append({"ingredients": name, "batch": batch, "images_per_second": rates})
        runs[-1]["ratio"] = round(ratio, 1)
        print(json.dumps(runs[-1]), flush=True)
    if options.record:
        add_record(options.record, {"repeats": options.repeats, "runs": runs})


if __name__ == "__main__":
    main()
