"""Images to learn from: CIFAR-10, found or fetched; Shapes-10, which is drawn; or your own.

python -m vit_minimal.data prepare      (download, verify, write the npz)
"""

import os

from .cifar10 import CIFAR10_CLASSES, has_cifar10, load_cifar10, prepare_cifar10
from .dataset import Dataset, check_labels, data_root, stratified_order
from .drawn import SHAPES10_CLASSES, SHAPES10_TEST_SEED, shapes10
from .images import load_image


def wanted_dataset():
    """What VIT_MINIMAL_DATASET asks for, "cifar10" or "shapes10", else "auto"."""
    return os.environ.get("VIT_MINIMAL_DATASET") or "auto"


def load_dataset(name=None):
    """The data set "cifar10" or "shapes10"; "auto" takes CIFAR-10 where it is, else Shapes-10.

    Without a name VIT_MINIMAL_DATASET decides, else "auto". Says in a line what it took and why;
    "auto" never downloads. ValueError for any other name.
    """
    wanted = name or wanted_dataset()
    if wanted not in ("auto", "cifar10", "shapes10"):
        raise ValueError(f'unknown data set {wanted!r}: choose "auto", "cifar10" or "shapes10"')
    reason = "it was asked for"
    if wanted == "auto" and has_cifar10(data_root()):
        wanted, reason = "cifar10", "it is on this machine"
    elif wanted == "auto":
        wanted, reason = "shapes10", "CIFAR-10 is not on this machine"
    if wanted == "cifar10":
        print(f"CIFAR-10, because {reason}: 50,000 training and 10,000 test images")
        return load_cifar10()
    print(f"Shapes-10, because {reason}: 10,000 training and 2,000 test images, drawn now")
    train, test = shapes10(10_000, seed=0), shapes10(2_000, seed=SHAPES10_TEST_SEED)
    return Dataset(*train, *test, SHAPES10_CLASSES, "shapes10")
