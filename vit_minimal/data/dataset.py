"""A `Dataset` holds everything in memory: images uint8 (n, C, H, W), labels int64 (n,)."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..device import dtype_name
from ..records import as_path
from .images import read_folder

INTEGERS = (
    *(torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels to learn from and to be tested on. A data set is equal to itself alone.

    NumPy arrays, and lists of arrays, become tensors; labels of any integer type become int64.
    ValueError for anything that is not images uint8 (n, C, H, W) and labels (n,) that fit.
    """

    train_images: torch.Tensor  # uint8 (n, C, H, W)
    train_labels: torch.Tensor  # int64 (n,), 0 … number of classes − 1
    test_images: torch.Tensor
    test_labels: torch.Tensor
    class_names: tuple[str, ...]
    name: str

    def __post_init__(self):
        if isinstance(self.class_names, str) or not np.iterable(self.class_names):
            found = repr(self.class_names)
            raise ValueError(f"class_names must be a tuple or list of names, is {found:.60}")
        self._set("class_names", tuple(self.class_names))
        for part in ("train", "test"):
            images = as_images(getattr(self, f"{part}_images"), f"{part}_images", floats=False)
            labels, name = getattr(self, f"{part}_labels"), f"{part}_labels"
            self._set(f"{part}_images", images)
            self._set(name, as_labels(labels, len(images), len(self.class_names), name))
        shapes = [tuple(images.shape[1:]) for images in (self.train_images, self.test_images)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"train_images are {shapes[0]} each and test_images {shapes[1]}: "
                "a model takes images of one shape (C, H, W)"
            )

    def _set(self, name, value):
        object.__setattr__(self, name, value)  # frozen is for its users

    @classmethod
    def from_folder(cls, path, image_size, test_share=0.2, seed=0, unreadable="skip", channels=3):
        """The pictures of a folder that holds one folder for each class, named like the class.

        This is the layout of torchvision's ImageFolder: classes are sorted by name, folders in them
        are searched too; hidden files, and the __MACOSX of zip files, are ignored. Every picture
        becomes (channels, H, W) as `load_image` makes it. Of each class `test_share` becomes the
        test images: which ones, `seed` and the names of the files decide, so that hardly any picture
        changes sides when others are added or removed. A folder that holds just two, "train" or
        "training" and one of "test", "testing", "val", "valid", "validation", "dev", "eval" and
        "evaluation", in small letters or capitals, is split already, and those are the two parts.
        Both parts are in random order.

        Files that cannot be read as pictures are named and skipped; unreadable="refuse" makes them
        a ValueError. So is a layout that does not fit, a class without pictures in one of the
        parts, a link to a folder that counts already, and an argument out of its range.
        """
        arrays, class_names = read_folder(path, image_size, test_share, seed, unreadable, channels)
        return cls(*arrays, class_names, as_path(path).resolve().name)

    def first(self, num_train, num_test=None):
        """The same data set with only the first images of each part, all where there are no more.

        ValueError for a number below 0.
        """
        if min(num_train or 0, num_test or 0) < 0:
            raise ValueError(
                f"the numbers of first images must be at least 0, are {num_train} and {num_test}"
            )
        return replace(
            self,
            train_images=self.train_images[:num_train],
            train_labels=self.train_labels[:num_train],
            test_images=self.test_images[:num_test],
            test_labels=self.test_labels[:num_test],
        )


def check_dataset(dataset):
    """ValueError for anything but a Dataset: a pair of tensors, a DataLoader, a path."""
    if not isinstance(dataset, Dataset):
        raise ValueError(  # noqa: TRY004
            f"dataset must be a Dataset, is a {type(dataset).__name__}: Dataset(train_images, "
            "train_labels, test_images, test_labels, class_names, name) makes one of arrays, and "
            "Dataset.from_folder one of pictures"
        )


# ------------------------------------------------------------------------- what images and labels are


def as_images(images, name="images", floats=True):
    """Images (n, C, H, W), uint8 or, where `floats` may be, of a float type, as a tensor.

    They may come as a tensor, an array or a list of these. ValueError, which begins with the
    `name`, for another shape or type.
    """
    images = _as_tensor(images, name)
    shape = tuple(images.shape)
    if len(shape) == 3:
        raise ValueError(
            f"{name} must be (n, C, H, W), are {shape}: images[:, None] gives grey images (n, H, W) "
            "their channel axis, and images[None] makes a batch of a single image (C, H, W)"
        )
    if len(shape) != 4:
        raise ValueError(f"{name} must be (n, C, H, W), are {shape}")
    if shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4) and shape[2] > 4:
        raise ValueError(
            f"{name} must be (n, C, H, W), are {shape}, which looks like (n, H, W, C): "
            "permute(0, 3, 1, 2) of a tensor, or transpose(0, 3, 1, 2) of an array, reorders them"
        )
    if images.dtype == torch.uint8 or (floats and images.is_floating_point()):
        return images
    wanted = "uint8 0 … 255 or floats −1 … 1" if floats else "uint8, from 0 (black) to 255"
    remedy = "convert whole numbers 0 … 255 to uint8"
    if images.is_floating_point():
        remedy = "multiply floats 0 … 1 by 255, round them and convert them to uint8"
    elif images.dtype == torch.bool:
        remedy = "convert False to 0 and True to 255"
    raise ValueError(f"{name} must be {wanted}, are {dtype_name(images.dtype)}: {remedy}")


def as_labels(labels, num_images, num_classes, name="labels"):
    """Labels (n,) of any integer type as an int64 tensor, one for each of `num_images`.

    ValueError, which begins with the `name`, if their shape or type is another, or if a label lies
    outside 0 … num_classes − 1.
    """
    labels = _as_tensor(labels, name)
    shape = tuple(labels.shape)
    if shape != (num_images,):
        hint = ""
        if shape == (num_images, 1):
            hint = ": labels[:, 0] leaves the second axis out"
        elif len(shape) == 2 and shape[0] == num_images:
            hint = ": if each row marks its class with a 1, labels.argmax(1) gives the numbers"
        raise ValueError(
            f"{name} must be of shape ({num_images},), one for each of {num_images} images, "
            f"are of shape {shape}{hint}"
        )
    if num_images and labels.dtype not in INTEGERS:
        raise ValueError(
            f"{name} must be whole numbers 0 … {num_classes - 1}, one for each class, "
            f"are {dtype_name(labels.dtype)}: convert them to int64 if each is the number of a class"
        )
    labels = labels.long()
    check_labels(labels, num_classes, name)
    return labels


def check_labels(labels, num_classes, name="labels"):
    """ValueError if a label lies outside 0 … num_classes − 1, naming it and its place."""
    bad = ((labels < 0) | (labels >= num_classes)).nonzero().flatten()
    if len(bad):
        where = bad[0].item()
        raise ValueError(
            f"{name} must be 0 … {num_classes - 1} for {num_classes} classes: "
            f"{len(bad)} are not, the first is {labels[where].item()} at index {where}"
        )


def _as_tensor(values, name):
    """A tensor of a tensor, of an array, read-only and reversed ones too, or of a list of these."""
    if isinstance(values, torch.Tensor):
        return values
    try:
        if isinstance(values, list | tuple) and isinstance(next(iter(values), None), torch.Tensor):
            return torch.stack(tuple(values))
        array = np.asarray(values)
        return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))
    except (TypeError, RuntimeError, ValueError) as error:
        reason = str(error).partition(". ")[0]
        text = "must be a tensor, an array, or a list of arrays of one shape, and hold numbers"
        raise ValueError(f"{name} {text} ({reason})") from error


def stratified_order(labels):
    """An order in which labels (n,), of 0 and up, are well mixed: int64 (n,), a permutation.

    Every first part and every last part of it holds each class in proportion, within an image or
    so, however the labels were sorted. Within a class the order stays. It depends on the labels
    alone: the same ones always give the same order.
    """
    labels = torch.as_tensor(labels).long().cpu()
    sizes = torch.bincount(labels)  # n_c images of each class c
    by_class = labels.argsort(stable=True)
    classes = labels[by_class]
    rank = torch.arange(len(labels)) - (sizes.cumsum(dim=0) - sizes)[classes]  # 0 … n_c − 1
    places = torch.empty(len(labels), dtype=torch.float64)
    places[by_class] = (rank + 0.5).double() / sizes[classes]  # a class spreads evenly over 0 … 1
    return places.argsort(stable=True)


def data_root(root=None):
    """Where data sets live: the argument, else VIT_MINIMAL_DATA, else data/ of the course, or of the
    working directory where the package is installed without the course.
    """
    course = Path(__file__).resolve().parents[2]
    if not (course / "pyproject.toml").exists():
        course = Path()
    return as_path(root or os.environ.get("VIT_MINIMAL_DATA") or course / "data")
