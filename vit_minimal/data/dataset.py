"""A `Dataset` holds everything in memory: images uint8 (n, C, H, W), labels int64 (n,)."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch


@dataclass(frozen=True)
class Dataset:
    """Images and labels to learn from and to be tested on. Bad shapes or labels: ValueError."""

    train_images: torch.Tensor  # uint8 (n, C, H, W)
    train_labels: torch.Tensor  # int64 (n,), 0 … number of classes − 1
    test_images: torch.Tensor
    test_labels: torch.Tensor
    class_names: tuple[str, ...]
    name: str

    def __post_init__(self):
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.dtype != torch.uint8 or images.ndim != 4:
                found = f"{images.dtype} {tuple(images.shape)}"
                raise ValueError(f"{part}_images must be uint8 (n, C, H, W), are {found}")
            if labels.shape != images.shape[:1]:
                counts = f"{len(images)} {part} images and labels of shape {tuple(labels.shape)}"
                raise ValueError(f"there are {counts}: every image needs one label")
            check_labels(labels, len(self.class_names))

    def first(self, num_train, num_test=None):
        """The same data set with only the first images of each part."""
        return replace(
            self,
            train_images=self.train_images[:num_train],
            train_labels=self.train_labels[:num_train],
            test_images=self.test_images[:num_test],
            test_labels=self.test_labels[:num_test],
        )


def check_labels(labels, num_classes):
    """ValueError if a label lies outside 0 … num_classes − 1, naming it and its place."""
    bad = ((labels < 0) | (labels >= num_classes)).nonzero().flatten()
    if len(bad):
        where = bad[0].item()
        raise ValueError(
            f"labels must be 0 … {num_classes - 1} for {num_classes} classes: "
            f"{len(bad)} are not, the first is {labels[where].item()} at index {where}"
        )


def data_root(root=None):
    """Where data sets live: the argument, else VIT_MINIMAL_DATA, else data/ of the course, or of the
    working directory where the package is installed without the course.
    """
    course = Path(__file__).resolve().parents[2]
    if not (course / "pyproject.toml").exists():
        course = Path()
    return Path(root or os.environ.get("VIT_MINIMAL_DATA") or course / "data")
