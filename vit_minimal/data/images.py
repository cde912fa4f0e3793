"""Pictures of your own: one file, or a folder that holds a folder for each class.

Pillow is imported where it is used, since `import vit_minimal` must not wait for it.
"""

import hashlib
import os

import numpy as np
import torch
from tqdm import tqdm

from ..records import as_path
from ..terminal import say

MADE_BY_MACS = "__MACOSX"  # a folder in their zip files, which holds no picture
TRAIN_FOLDERS = ("train", "training")  # in small letters or capitals
TEST_FOLDERS = ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation")
LAYOUT = (
    "expected are folders of pictures, one for each class, such as {0}/cat/1.jpg, {0}/dog/2.jpg"
)
NAMED = 3  # of the files that cannot be read


def load_image(path, size, channels=3):
    """A picture file as uint8 (channels, H, W), `channels` 1 (grey) or 3 (red, green, blue).

    `size` is the side in pixels, or (H, W). The picture is turned as its EXIF entry says, put on
    white where it is transparent, scaled until it covers `size`, and cut off evenly at both ends of
    the side that is too long. Grey levels of 16 bits are scaled to 8.

    FileNotFoundError if there is no such file; ValueError, which names it, if it cannot be read as
    a picture, and for a `size` or `channels` out of range.
    """
    from PIL import ImageOps

    H, W = _height_and_width(size)
    _check_channels(channels)
    path = as_path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a picture: Dataset.from_folder reads folders")
    picture = ImageOps.fit(_read(path, "L" if channels == 1 else "RGB"), (W, H))  # bicubic
    pixels = torch.from_numpy(np.array(picture))  # (H, W) or (H, W, 3)
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1).contiguous()


def _height_and_width(size):
    pair = (size, size) if np.ndim(size) == 0 else tuple(size)
    if len(pair) == 2 and all(isinstance(side, int | np.integer) and side > 0 for side in pair):
        return int(pair[0]), int(pair[1])
    raise ValueError(
        f"the size of an image must be a whole number of pixels or (H, W), is {size!r}"
    )


def _check_channels(channels):
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (red, green, blue), is {channels!r}")


def _read(path, mode):
    """The picture in a file, upright and without transparency, in the mode "L" or "RGB"."""
    from PIL import Image, ImageOps

    with open(path, "rb") as file:  # says itself if there is none
        try:
            picture = ImageOps.exif_transpose(Image.open(file))
            if picture.mode == "F":
                raise ValueError("it holds floats, and nothing says which of them is white")
            if picture.mode.startswith("I"):
                picture = _to_8_bits(picture)
            if "transparency" in picture.info or picture.mode.endswith(("A", "a")):
                picture = picture.convert("RGBA")
                white = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(white, picture)
            return picture.convert(mode)
        except MemoryError:
            raise
        except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
            reason = str(error).partition(". ")[0].rstrip(".") or type(error).__name__
            if isinstance(error, Image.UnidentifiedImageError):
                reason = "no format that Pillow knows"
            raise ValueError(f"{path} cannot be read as a picture: {reason:.150}") from error


def _to_8_bits(picture):
    """A grey picture of up to 16 bits, 0 … 65535, as one of 8 bits, 0 … 255."""
    from PIL import Image

    levels = np.asarray(picture)
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError("its levels of grey take more than 16 bits")
    return Image.fromarray((levels / 257).round().astype(np.uint8))


# --------------------------------------------------------------------------- a folder for each class


def read_folder(path, image_size, test_share, seed, unreadable, channels):
    """What `Dataset.from_folder` says: (train images, train labels, test images, test labels) and
    the names of the classes.
    """
    folder = as_path(path)
    _height_and_width(image_size)  # before the first of many files is read
    _check_channels(channels)
    if not isinstance(seed, int | np.integer):
        raise ValueError(f"seed must be a whole number, is {seed!r}")  # noqa: TRY004
    if not isinstance(test_share, int | float) or not 0 < test_share < 1:
        raise ValueError(f"test_share must be between 0 and 1, is {test_share!r}")
    if unreadable not in ("skip", "refuse"):
        raise ValueError(f'unreadable must be "skip" or "refuse", is {unreadable!r}')
    parts = _parts(folder)
    class_names = _same_classes(parts)
    files, labels, of_test = _find_files(parts, class_names)
    images, readable = _load_all(folder, files, image_size, channels, unreadable)
    labels, of_test = torch.tensor(labels)[readable], torch.tensor(of_test)[readable]

    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(int(seed)))
    for label, name in enumerate(class_names):
        own = order[labels[order] == label]
        if len(parts) == 1:
            if len(own) < 2:
                raise ValueError(
                    f"class {name!r} in {folder} needs at least two pictures that can be read, "
                    f"one to train on and one to test on, and has {len(own)}"
                )
            num_test = min(max(round(test_share * len(own)), 1), len(own) - 1)
            lots = [_lot(files[readable[i]].relative_to(folder / name), seed) for i in own]
            of_test[own[np.argsort(lots)[:num_test]]] = True
        elif of_test[own].all() or not of_test[own].any():
            part = parts[0] if of_test[own].all() else parts[1]
            raise ValueError(f"{part / name} has no readable picture: each class needs some there")
    train, test = order[~of_test[order]], order[of_test[order]]
    how = "the split by class" if len(parts) == 1 else f"as in {parts[0].name} and {parts[1].name}"
    say(
        f"{len(images):,} pictures of {len(class_names)} classes in {folder}: "
        f"{len(train):,} to train on and {len(test):,} to test on ({how})"
    )
    return (images[train], labels[train], images[test], labels[test]), class_names


def _lot(file, seed):
    """The lot that a picture draws, text of 64 digits; the smallest ones of a class are for tests.

    It depends on the seed and on the picture's path in its class alone: pictures that come or go do
    not change it, nor does another class.
    """
    return hashlib.sha256(os.fsencode(f"{seed} {file.as_posix()}")).hexdigest()


def _parts(folder):
    """The folder itself, or the two folders in it that hold its training and its test part."""
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: {LAYOUT.format('photos')}")
    names = _folders_in(folder)
    train = [name for name in names if name.lower() in TRAIN_FOLDERS]
    test = [name for name in names if name.lower() in TEST_FOLDERS]
    others = [name for name in names if name not in train + test]
    if not (train and test) and (others or not names):
        return [folder]
    if others or len(train) != 1 or len(test) != 1:
        raise ValueError(
            f"{folder} holds {_list_some(train + test + others)}: the parts of a split are two "
            f"folders by themselves, one of {', '.join(TRAIN_FOLDERS)} and one of "
            f"{', '.join(TEST_FOLDERS)}"
        )
    return [folder / train[0], folder / test[0]]


def _folders_in(folder):
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
    return [name for name in names if name != MADE_BY_MACS]


def _same_classes(parts):
    """The names of the classes, sorted, which have to be the same in all parts."""
    names = _folders_in(parts[0])
    for part in parts[1:]:
        if different := sorted({*names} ^ {*_folders_in(part)}):
            raise ValueError(
                f"{parts[0]} and {part} must hold the same classes, but only one of them holds "
                + _list_some(different)
            )
    if not names:
        raise ValueError(f"{parts[0]} holds no folder: {LAYOUT.format(parts[0].resolve().name)}")
    if len(names) == 1:
        raise ValueError(
            f"{parts[0]} holds one folder only, {names[0]!r}, and one class is nothing to choose "
            f"from: {LAYOUT.format(parts[0].resolve().name)}"
        )
    return tuple(names)


def _find_files(parts, class_names):
    """All files that are not hidden, sorted within a class; their labels; whether each is for tests.

    ValueError, which names it, for a class without a file, and for a folder that is reached a second
    time, by a link: its pictures would count twice, in two classes or on both sides of the split.
    """
    files, labels, of_test = [], [], []
    reached = {}  # {folder as it is without links: the path that led there}
    for part in parts:
        for label, name in enumerate(class_names):
            own = []
            for place, inner, found in os.walk(part / name, followlinks=True):
                first = reached.setdefault(os.path.realpath(place), place)
                if first != place:
                    raise ValueError(
                        f"{place} and {first} are one folder, reached through a link: remove the "
                        "link, so that each picture counts once"
                    )
                inner[:] = [other for other in inner if other[0] != "."]  # where walk goes next
                own += [as_path(place) / file for file in found if file[0] != "."]
            if not own:
                raise ValueError(
                    f"the folder {part / name} of class {name!r} holds no picture: put some "
                    "there, or remove the folder"
                )
            files += sorted(own)
            labels += [label] * len(own)
            of_test += [part != parts[0]] * len(own)
    return files, labels, of_test


def _load_all(folder, files, image_size, channels, unreadable):
    """The images (n, C, H, W) of the files that can be read, and which ones these are."""
    images, readable, faults = [], [], []
    for index, file in enumerate(tqdm(files, "reading pictures", leave=False, delay=2)):
        try:
            images.append(load_image(file, image_size, channels))
            readable.append(index)
        except (ValueError, OSError):  # a link to a file that is gone is an OSError
            if unreadable == "refuse":
                raise
            faults.append(str(file.relative_to(folder)))
    if faults:
        count = f"{len(faults)} of {len(files)} files"
        say(f"Skipped {count}, which cannot be read as pictures: {_list_some(faults)}")
    if not images:
        raise ValueError(f"none of the {len(files)} files in {folder} can be read as a picture")
    return torch.stack(images), readable


def _list_some(names):
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
