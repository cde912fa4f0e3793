"""Pictures and arrays of one's own: they load as they look, and what does not fit is named."""

import io
import itertools
import os
import re
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from vit_minimal.augment import normalize
from vit_minimal.data import Dataset, load_image, stratified_order
from vit_minimal.data.dataset import as_images, as_labels

COURSE = Path(__file__).resolve().parents[1]
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION = 0x0112  # the EXIF entry


def assert_one_sentence(caught, *named):
    """What an error says is short, one sentence, and names the culprit."""
    text = str(caught.value)
    assert len(text) < 400 and not re.search(r"[.!?]\s+[A-Z]", text) and "\n" not in text, text
    assert all(name in text for name in named), text


# --- one picture ----------------------------------------------------------------------------------


def corners(mode="RGB", size=(64, 48)):
    """A picture of four quarters: red, green; blue, white."""
    picture = Image.new("RGB", size, WHITE)
    width, height = size[0] // 2, size[1] // 2
    for colour, place in ((RED, (0, 0)), (GREEN, (width, 0)), (BLUE, (0, height))):
        picture.paste(colour, (*place, place[0] + width, place[1] + height))
    return picture.convert(mode)


def grey_16_bits(path, levels, **options):
    Image.fromarray(np.asarray(levels, dtype=np.uint16)).save(path, **options)


def assert_corners(image, *colours, off_by=2):
    """The corners of (3, H, W): upper left, upper right, lower left, lower right."""
    found = [image[:, row, column].tolist() for row in (1, -2) for column in (1, -2)]
    assert np.abs(np.array(found) - np.array(colours)).max() <= off_by, found


@pytest.mark.parametrize(
    "mode, ending, off_by",
    [("RGB", "png", 0), ("RGB", "bmp", 0), ("P", "gif", 0), ("RGB", "jpg", 8), ("CMYK", "jpg", 8)],
)
def test_colours_stay_where_they_are(mode, ending, off_by, tmp_path):
    path = tmp_path / f"corners.{ending}"
    options = {"quality": 95} if ending == "jpg" else {}
    corners(mode).save(path, **options)
    image = load_image(path, (24, 32))
    assert image.dtype == torch.uint8 and image.shape == (3, 24, 32) and image.is_contiguous()
    assert_corners(image, RED, GREEN, BLUE, WHITE, off_by=off_by)


def test_grey_has_three_equal_channels_or_one(tmp_path):
    Image.new("L", (9, 9), 77).save(tmp_path / "grey.png")
    assert torch.equal(load_image(tmp_path / "grey.png", 4), torch.full((3, 4, 4), 77).byte())
    assert torch.equal(load_image(tmp_path / "grey.png", 4, 1), torch.full((1, 4, 4), 77).byte())
    Image.new("RGB", (9, 9), GREEN).save(tmp_path / "green.png")
    luma = load_image(tmp_path / "green.png", 4, channels=1)
    assert (luma == round(0.587 * 255)).all()  # ITU-R 601


TURNED = {  # orientation: the stored picture's corners as one should see them
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (BLUE, RED, WHITE, GREEN),
    7: (WHITE, GREEN, BLUE, RED),
    8: (GREEN, WHITE, RED, BLUE),
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("mode, ending", [("RGB", "jpg"), ("RGB", "png"), ("P", "png")])
def test_photos_are_turned_upright(orientation, mode, ending, tmp_path):
    path, exif = tmp_path / f"turned.{ending}", Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"quality": 95} if ending == "jpg" else {}
    corners(mode).save(path, exif=exif, **options)
    assert_corners(load_image(path, 32), *TURNED[orientation], off_by=8)


@pytest.mark.parametrize("form", ["RGBA", "LA", "palette", "palette of levels", "one colour", "1"])
def test_what_is_transparent_becomes_white(form, tmp_path):
    path = tmp_path / "clear.png"
    if form in ("RGBA", "LA"):
        picture = Image.new("RGBA", (16, 16), (200, 200, 200, 255))
        picture.paste((0, 0, 0, 0), (0, 0, 8, 16))  # black under the transparent half
        picture.convert(form).save(path)
    elif form == "one colour":
        picture = Image.new("RGB", (16, 16), (200, 200, 200))
        picture.paste((0, 0, 0), (0, 0, 8, 16))
        picture.save(path, transparency=(0, 0, 0))
    elif form == "1":
        picture = Image.new("1", (16, 16), 1)
        picture.paste(0, (0, 0, 8, 16))
        picture.save(path, transparency=0)
    else:
        picture = Image.new("P", (16, 16), 1)
        picture.putpalette([0, 0, 0, 200, 200, 200])
        picture.paste(0, (0, 0, 8, 16))
        picture.save(path, transparency=0 if form == "palette" else bytes([0, 255]))
    image = load_image(path, 16)
    assert (image[:, :, :7] == 255).all()
    assert (image[:, :, 9:] == (255 if form == "1" else 200)).all()


def test_half_transparent_is_half_way_to_white(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 51)).save(tmp_path / "pale.png")  # a fifth of red
    assert (load_image(tmp_path / "pale.png", 8)[1:] == round(0.8 * 255)).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_of_16_bits_is_scaled_not_clipped(ending, channels, tmp_path):
    path = tmp_path / f"deep.{ending}"
    for level, expected in ((0, 0), (300, 1), (25700, 100), (65535, 255)):
        grey_16_bits(path, np.full((12, 12), level))
        assert (load_image(path, 6, channels) == expected).all()


def test_grey_of_16_bits_in_the_other_byte_order_and_of_32_bits(tmp_path):
    levels = np.full((4, 4), 25700)
    values = levels.astype(">u2").tobytes()
    picture = Image.frombytes("I;16B", (4, 4), values)
    picture.save(tmp_path / "other.tif")
    assert (load_image(tmp_path / "other.tif", 4) == 100).all()
    Image.fromarray(levels.astype(np.int32)).save(tmp_path / "wide.tif")
    assert (load_image(tmp_path / "wide.tif", 4) == 100).all()
    for level in (-1, 65536):
        Image.fromarray(np.full((4, 4), level, dtype=np.int32)).save(tmp_path / "wider.tif")
        with pytest.raises(ValueError) as caught:
            load_image(tmp_path / "wider.tif", 4)
        assert_one_sentence(caught, "wider.tif", "16 bits")


@pytest.mark.parametrize("size", [16, (16, 16), np.int64(16), (8, 16), [16, 8], (40, 8)])
def test_middle_is_kept_and_nothing_is_distorted(size, tmp_path):
    """A disc stays round and in the middle, whichever side is cut off."""
    v, u = np.mgrid[-60:60, -100:100] + 0.5
    pixels = np.where(u**2 + v**2 < 30**2, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "disc.png")
    image = load_image(tmp_path / "disc.png", size, channels=1)[0]
    H, W = (int(size),) * 2 if np.ndim(size) == 0 else size
    assert image.shape == (H, W)
    scale = max(H / 120, W / 200)  # it covers both sides
    dark = 1 - image.double() / 255
    assert dark[H // 2].sum() == pytest.approx(min(60 * scale, W), abs=0.7)
    assert dark[:, W // 2].sum() == pytest.approx(min(60 * scale, H), abs=0.7)
    assert torch.allclose(dark, dark.flip(0), atol=0.02)
    assert torch.allclose(dark, dark.flip(1), atol=0.02)


def test_home_folder_and_text_are_paths(tmp_path, monkeypatch):
    corners().save(tmp_path / "corners.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_corners(load_image("~/corners.png", 32), RED, GREEN, BLUE, WHITE)


def chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def bytes_of(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
BROKEN = {  # name: content
    "cut.jpg": bytes_of(corners(), "JPEG")[:400],
    "cut.png": bytes_of(corners(size=(640, 480)), "PNG")[:150],
    "header.jpg": bytes_of(corners(), "JPEG")[:20],
    "text.png": b"not a picture",
    "empty.png": b"",
    "bomb.png": b"\x89PNG\r\n\x1a\n" + HEADER + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
    "floats.tif": bytes_of(Image.new("F", (4, 4), 0.5), "TIFF"),
    "flipped.png": bytes_of(corners(), "PNG").replace(b"IDAT", b"IDAX"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_are_no_pictures_are_named(name, tmp_path):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(ValueError) as caught:
        load_image(tmp_path / name, 8)
    assert_one_sentence(caught, name)


def test_other_wrong_paths_and_arguments_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.png"):
        load_image(tmp_path / "missing.png", 8)
    corners().save(tmp_path / "corners.png")
    wrong = [({"path": tmp_path}, tmp_path.name), ({"channels": 4}, "channels")]
    sizes = (0, -3, 8.0, "8", None, (8,), (8, 8, 3), (8, 0))
    wrong += [({"size": size}, repr(size)) for size in sizes]
    for changed, named in wrong:
        with pytest.raises(ValueError) as caught:
            load_image(**{"path": tmp_path / "corners.png", "size": 8, **changed})
        assert_one_sentence(caught, named)


# --- a folder for each class ----------------------------------------------------------------------

KINDS = ("rgb.jpg", "grey.png", "rgba.png", "palette.png", "cmyk.jpg", "deep.png")
SIZES = {"ant": 80, "bee": 60, "cat": 40, "Dog": 20}  # how many pictures
TINTS = dict(zip(SIZES, (220, 160, 100, 40), strict=True))  # their level of grey


def draw(path, kind, level, orientation=None):
    """A picture of one level of grey, in one of six kinds of file."""
    exif, size = Image.Exif(), (40, 30)
    if orientation:
        exif[ORIENTATION] = orientation
    grey = (level,) * 3
    if kind == "deep.png":
        grey_16_bits(path, np.full((30, 40), 257 * level))
    elif kind == "grey.png":
        Image.new("L", size, level).save(path)
    elif kind == "rgba.png":
        Image.new("RGBA", size, (*grey, 255)).save(path)
    elif kind == "palette.png":
        picture = Image.new("P", size, 1)
        picture.putpalette([0, 0, 0, *grey])
        picture.save(path, transparency=0)
    else:
        mode = "CMYK" if kind == "cmyk.jpg" else "RGB"
        Image.new("RGB", size, grey).convert(mode).save(path, exif=exif, quality=95)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """200 pictures of four classes in six kinds of file, all of which can be read."""
    folder = tmp_path_factory.mktemp("own") / "photos"
    for name, count in SIZES.items():
        (folder / name / "inner").mkdir(parents=True)
        for i in range(count):
            kind = KINDS[i % len(KINDS)]
            inner = "inner" if i % 5 == 0 else ""
            draw(
                folder / name / inner / f"{i}-{kind}", kind, TINTS[name], 6 if i % 12 == 0 else None
            )
    return folder


@pytest.fixture
def photos(whole, tmp_path):
    """The same, and three files beside that nobody can read; one hidden file, and two folders of no class."""
    folder = tmp_path / "photos"
    for path in whole.rglob("*.*"):
        copy = folder / path.relative_to(whole)
        copy.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, copy)
    for name, content in BROKEN.items():
        if name in ("cut.jpg", "text.png", "empty.png"):
            (folder / "bee" / name).write_bytes(content)
    (folder / "bee" / ".hidden.jpg").write_bytes(b"of the file system")
    (folder / ".checkpoints").mkdir()
    (folder / "__MACOSX" / "bee").mkdir(parents=True)  # from a zip file that a Mac has made
    (folder / "__MACOSX" / "bee" / "._1.png").write_bytes(b"of the file system")
    return folder


def parts(dataset):
    yield dataset.train_images, dataset.train_labels
    yield dataset.test_images, dataset.test_labels


def assert_same(one, other):
    for (images, labels), (others, other_labels) in zip(parts(one), parts(other), strict=True):
        assert torch.equal(images, others) and torch.equal(labels, other_labels)


def test_folder_becomes_a_data_set(photos, capsys):
    dataset = Dataset.from_folder(photos, image_size=8)
    skipped, line = capsys.readouterr().out.splitlines()
    assert "3 of 203" in skipped and all(name in skipped for name in ("cut.jpg", "text.png"))
    assert all(number in line for number in ("200 pictures", "4 classes", "160", "40"))
    assert dataset.name == "photos" and dataset.class_names == ("Dog", "ant", "bee", "cat")
    assert dataset.train_images.shape == (160, 3, 8, 8) and dataset.test_images.shape[0] == 40
    for images, labels in parts(dataset):
        tints = torch.tensor([TINTS[name] for name in dataset.class_names])[labels]
        away = images.double() - tints[:, None, None, None]
        assert away.abs().max() <= 2  # each image is its label's
        assert (labels.diff() != 0).sum() > len(labels) / 4  # in no order


def test_split_holds_each_class_in_proportion(whole):
    for share in (0.2, 0.5, 0.001, 0.999):
        dataset = Dataset.from_folder(whole, 4, test_share=share)
        sizes = torch.tensor([SIZES[name] for name in dataset.class_names])
        found = dataset.test_labels.bincount(minlength=4)
        assert torch.equal(found, (share * sizes).round().long().clamp(min=1).minimum(sizes - 1))
        assert torch.equal(found + dataset.train_labels.bincount(minlength=4), sizes)


class Backwards:
    """os.scandir of a file system that lists things the other way round."""

    scan = staticmethod(os.scandir)

    def __init__(self, path):
        with self.scan(path) as entries:
            self.entries = iter(list(entries)[::-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.entries)


def test_seed_alone_decides_the_split(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / "few" / name).mkdir(parents=True)
        for i in range(20):
            level = i + 100 * (name == "b")
            Image.new("L", (4, 4), level).save(tmp_path / "few" / name / f"{i}.png")
    dataset = Dataset.from_folder(tmp_path / "few", 4)
    levels = torch.cat([images[:, 0, 0, 0] for images, _ in parts(dataset)]).tolist()
    assert sorted(levels) == [*range(20), *range(100, 120)]  # none is in both parts
    assert_same(dataset, Dataset.from_folder(str(tmp_path / "few"), 4))
    other = Dataset.from_folder(tmp_path / "few", 4, seed=1)
    assert set(other.test_images.flatten().tolist()) != set(dataset.test_images.flatten().tolist())

    monkeypatch.setattr(os, "scandir", Backwards)
    assert_same(dataset, Dataset.from_folder(tmp_path / "few", 4))


@pytest.mark.parametrize("change", ["more", "fewer", "a class", "unreadable", "relabelled"])
def test_pictures_that_come_and_go_hardly_change_the_split_of_the_others(change, tmp_path):
    """Who evaluates an earlier model after that must not meet what it was trained on."""
    folder, levels = tmp_path / "photos", iter(range(256))

    def add(name, count):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            level = next(levels)
            Image.new("L", (4, 4), level).save(folder / name / f"{level}.png")

    def of_test():
        return set(Dataset.from_folder(folder, 4, channels=1).test_images[:, 0, 0, 0].tolist())

    add("b", 50)
    add("c", 50)
    before = of_test()
    assert len(before) == 20
    if change == "more":
        add("b", 10)
    elif change == "relabelled":
        for level in range(0, 50, 7):
            (folder / "b" / f"{level}.png").rename(folder / "c" / f"{level}.png")
    elif change == "a class":
        add("a", 50)
    elif change == "unreadable":
        (folder / "b" / "0.png").write_bytes(b"")
    else:
        for level in range(0, 50, 7):
            (folder / "b" / f"{level}.png").unlink()
    here = {int(path.stem) for path in folder.rglob("*.png") if path.stat().st_size}
    after = of_test()
    assert len((before & here) - after) <= 2  # else they would be training images now
    assert len({level for level in after - before if level < 100}) <= 2


def test_classes_and_counts_are_those_of_image_folder(whole):
    datasets = pytest.importorskip("torchvision.datasets")
    theirs = datasets.ImageFolder(whole)
    ours = Dataset.from_folder(whole, 4)
    assert list(ours.class_names) == theirs.classes
    found = torch.cat([labels for _, labels in parts(ours)]).bincount()
    assert torch.equal(found, torch.tensor(theirs.targets).bincount())


SPLITS = [  # as data sets that one downloads call them
    *(("train", name) for name in ("test", "val", "valid", "validation", "dev", "eval")),
    *(("Train", "Test"), ("TRAIN", "VAL"), ("training", "testing"), ("Training", "Evaluation")),
]


@pytest.mark.parametrize("train, name", SPLITS)
def test_train_and_test_folders_are_the_two_parts(train, name, tmp_path, capsys):
    for part, chosen in ((train, range(3)), (name, range(3, 5))):
        for label in ("a", "b"):
            (tmp_path / part / label).mkdir(parents=True)
            for i in chosen:
                level = 10 * i + 100 * (label == "b")
                Image.new("L", (4, 4), level).save(tmp_path / part / label / f"{i}.png")
    dataset = Dataset.from_folder(tmp_path, 4, channels=1)
    assert dataset.class_names == ("a", "b")
    found = [sorted(images[:, 0, 0, 0].tolist()) for images, _ in parts(dataset)]
    assert found == [[0, 10, 20, 100, 110, 120], [30, 40, 130, 140]]
    assert torch.equal(dataset.train_labels, (dataset.train_images[:, 0, 0, 0] >= 100).long())
    assert name in capsys.readouterr().out

    (tmp_path / name / "c").mkdir()
    with pytest.raises(ValueError) as caught:
        Dataset.from_folder(tmp_path, 4)
    assert_one_sentence(caught, "c")
    (tmp_path / name / "c").rmdir()
    for path in (tmp_path / name / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError) as caught:
        Dataset.from_folder(tmp_path, 4)
    assert_one_sentence(caught, str(Path(name) / "b"))
    (tmp_path / "third").mkdir()
    with pytest.raises(ValueError) as caught:
        Dataset.from_folder(tmp_path, 4)
    assert_one_sentence(caught, train, "third")


@pytest.mark.parametrize(
    "names", [["test", "val"], ["train", "Training"], ["train"], ["a", "b", "Test", "train"]]
)
def test_names_of_parts_are_never_taken_for_classes(names, tmp_path):
    for part, label in itertools.product(names, ("cat", "dog")):
        (tmp_path / part / label).mkdir(parents=True)
        for i in range(2):
            Image.new("L", (4, 4)).save(tmp_path / part / label / f"{i}.png")
    with pytest.raises(ValueError) as caught:
        Dataset.from_folder(tmp_path, 4)
    assert_one_sentence(caught, *names[-2:])


def test_unreadable_files_are_refused_where_that_is_asked(photos):
    with pytest.raises(ValueError) as caught:
        Dataset.from_folder(photos, 8, unreadable="refuse")
    assert_one_sentence(caught, "cut.jpg")


def test_link_to_a_file_that_is_gone_is_skipped(whole, tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("L", (4, 4)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert len(Dataset.from_folder(tmp_path, 4).train_images) == 2
    assert "gone.png" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        Dataset.from_folder(tmp_path, 4, unreadable="refuse")


@pytest.mark.parametrize(
    "link, target",
    [
        ("train/cat/all", ".."),  # upwards: a walk would go round and round
        ("train/cat/again", "inner"),  # the same pictures twice in a class
        ("train/cat/more", "../dog"),  # in two classes
        ("train/cat/seen", "../../test/cat"),  # on both sides
        ("train/cat/itself", "."),
    ],
)
def test_no_link_makes_a_picture_count_twice(link, target, tmp_path):
    for part, label in itertools.product(("train", "test"), ("cat", "dog")):
        (tmp_path / part / label / "inner").mkdir(parents=True)
        for i in range(2):
            Image.new("L", (4, 4)).save(tmp_path / part / label / "inner" / f"{i}.png")
    assert len(Dataset.from_folder(tmp_path, 4).train_images) == 4
    (tmp_path / link).symlink_to(target, target_is_directory=True)
    with pytest.raises(ValueError) as caught:
        Dataset.from_folder(tmp_path, 4)
    assert_one_sentence(caught, str(Path(link).parent))


def test_links_to_folders_elsewhere_are_followed(whole, tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "there").symlink_to(whole / name, target_is_directory=True)
    dataset = Dataset.from_folder(tmp_path / "photos", 4)
    assert len(dataset.train_images) + len(dataset.test_images) == SIZES["ant"] + SIZES["bee"]


def test_folders_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        Dataset.from_folder(tmp_path / "missing", 8)
    folder = tmp_path / "pictures"
    folder.mkdir()

    def refused(*named, path=folder):
        with pytest.raises(ValueError) as caught:
            Dataset.from_folder(path, 8)
        assert_one_sentence(caught, *named)

    refused("pictures/cat/")  # the layout
    corners().save(folder / "loose.png")
    refused("pictures/cat/")
    refused("loose.png", path=folder / "loose.png")
    (folder / "cat").mkdir()
    refused("'cat'")  # one class
    (folder / "dog").mkdir()
    refused("'cat'")  # empty
    corners().save(folder / "cat" / "1.png")
    refused("'dog'")
    corners().save(folder / "dog" / "1.png")
    refused("'cat'", "two")
    corners().save(folder / "cat" / "2.png")
    (folder / "dog" / "2.png").write_bytes(BROKEN["text.png"])
    refused("'dog'", "two")
    for path in folder.rglob("?.png"):
        path.write_bytes(b"")
    refused("none of the 4")


def test_arguments_out_of_range_are_named(whole):
    wrong = [({"test_share": share}, repr(share)) for share in (0, 1, -0.1, 1.5, 20, "0.2", None)]
    wrong += [({"unreadable": "ignore"}, "'ignore'"), ({"channels": 2}, "channels")]
    wrong += [({"seed": seed}, "seed") for seed in (None, 0.5, "1")]
    wrong += [({"image_size": size}, repr(size)) for size in (0, 8.5, (8, 8, 3))]
    for changed, named in wrong:
        with pytest.raises(ValueError) as caught:
            Dataset.from_folder(**{"path": whole, "image_size": 8, **changed})
        assert_one_sentence(caught, named)


def test_lines_of_the_data_card_run(whole, tmp_path, monkeypatch, capsys):
    """From a folder to a picture of attention, as data/README.md shows it, but one pass long."""
    card = (COURSE / "notebooks" / "source" / "data_README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```python\n([^`]+from_folder[^`]+)```$", card, re.MULTILINE)
    (tmp_path / "photos").mkdir()
    for name in ("ant", "bee", "cat"):
        (tmp_path / "photos" / name).symlink_to(whole / name)
    for old, new in (("epochs=20", "epochs=1"), ("patch_size=8,", "patch_size=16, depth=2,")):
        assert old in lines
        lines = lines.replace(old, new)
    chosen = next((whole / "cat").glob("*.jpg"))
    assert '"photos/cat/1.jpg"' in lines
    lines = lines.replace("photos/cat/1.jpg", f"photos/cat/{chosen.name}")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(lines, names)  # noqa: S102
    assert names["model"].config.num_classes == 3
    assert 0 <= float(capsys.readouterr().out.split()[-1]) <= 1
    assert "<" in (tmp_path / "attention.html").read_text(encoding="utf-8")


# --- arrays and lists -----------------------------------------------------------------------------


def mine(**changed):
    draws = np.random.default_rng(0)
    fields = {
        "train_images": draws.integers(0, 256, (4, 1, 6, 8), dtype=np.uint8),
        "train_labels": np.array([0, 1, 2, 0]),
        "test_images": draws.integers(0, 256, (2, 1, 6, 8), dtype=np.uint8),
        "test_labels": np.array([2, 1]),
        "class_names": ["a", "b", "c"],
        "name": "mine",
    }
    return Dataset(**{**fields, **changed})


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


WAYS = {
    "array": np.asarray,
    "tensor": torch.from_numpy,
    "list": list,
    "list of tensors": lambda array: list(torch.from_numpy(array)),
    "tuple": tuple,
    "read-only": read_only,
    "reversed": lambda array: array[::-1].copy()[::-1],
    "Fortran": np.asfortranarray,
    "with gaps": lambda array: array.repeat(2, axis=0)[::2],
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("way", WAYS)
def test_arrays_and_lists_become_tensors(way):
    plain = mine()
    given = {
        name: WAYS[way](getattr(plain, name).numpy())
        for name in ("train_images", "train_labels", "test_images", "test_labels")
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        changed = mine(**given)
    assert_same(plain, changed)
    for images, labels in parts(changed):
        assert images.dtype == torch.uint8 and labels.dtype == torch.int64
    assert changed.class_names == ("a", "b", "c")


@pytest.mark.parametrize("signed", ["int", "uint"])
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_labels_of_any_integer_type_become_int64(signed, bits):
    labels = np.array([0, 1, 2, 0], dtype=f"{signed}{bits}")
    for given in (labels, torch.from_numpy(labels)):
        found = mine(train_labels=given).train_labels
        assert found.dtype == torch.int64 and found.tolist() == [0, 1, 2, 0]


def test_empty_part_stays():
    dataset = mine(train_images=np.zeros((0, 1, 6, 8), np.uint8), train_labels=[])
    assert dataset.train_images.shape == (0, 1, 6, 8) and dataset.train_labels.shape == (0,)


def test_a_data_set_can_be_compared_and_be_a_key():
    one, other = mine(), mine()
    assert one == one and one != other and {one: "mine"}[one] == "mine"  # noqa: PLR0124


def test_first_images_of_each_part_are_counted_from_none():
    few = mine().first(3, 0)
    assert (len(few.train_images), len(few.train_labels), len(few.test_labels)) == (3, 3, 0)
    assert len(mine().first(99).train_images) == 4 and len(mine().first(0).test_images) == 2
    for numbers in ((-1,), (2, -1)):
        with pytest.raises(ValueError) as caught:
            mine().first(*numbers)
        assert_one_sentence(caught, "-1")


BYTES = np.zeros((4, 1, 6, 8), np.uint8)
WRONG_FIELDS = [  # field, value, what the error names beside the field
    ("train_images", BYTES.astype(np.float32), "float32"),
    ("train_images", BYTES.astype(np.int64), "int64"),
    ("train_images", BYTES.astype(bool), "bool"),
    ("train_images", BYTES.astype(np.complex64), "complex64"),
    ("train_images", BYTES[:, 0], "images[:, None]"),
    ("train_images", BYTES.reshape(4, 48), "(4, 48)"),
    ("train_images", np.zeros((4, 6, 8, 1), np.uint8), "permute(0, 3, 1, 2)"),
    ("train_images", np.zeros((4, 32, 32, 3), np.uint8), "permute(0, 3, 1, 2)"),
    ("train_images", np.zeros((4, 32, 32, 4), np.uint8), "permute(0, 3, 1, 2)"),
    ("train_images", [BYTES[0], BYTES[0, :, :5]], "one shape"),
    ("train_images", [torch.zeros(1, 6, 8), torch.zeros(1, 6, 7)], "one shape"),
    ("train_images", "photos", "numbers"),
    ("train_images", None, "numbers"),
    ("test_images", np.zeros((2, 1, 6, 9), np.uint8), "(1, 6, 9)"),
    ("train_labels", np.zeros((4, 1), int), "labels[:, 0]"),
    ("train_labels", np.eye(4), "argmax"),
    ("train_labels", np.zeros(4), "float64"),
    ("train_labels", np.zeros(4, bool), "bool"),
    ("train_labels", np.zeros(4, complex), "complex128"),
    ("train_labels", ["cat", "dog", "cat", "dog"], "numbers"),
    ("train_labels", np.zeros(3, int), "(3,)"),
    ("train_labels", 0, "()"),
    ("train_labels", None, "numbers"),
    ("test_labels", [0, 3], "3 at index 1"),
    ("test_labels", np.array([0, 2**64 - 1], np.uint64), "-1 at index 1"),
    ("class_names", "abc", "'abc'"),
    ("class_names", 3, "3"),
]


@pytest.mark.parametrize("field, value, named", WRONG_FIELDS)
def test_wrong_fields_are_named_with_what_would_be_right(field, value, named):
    with pytest.raises(ValueError) as caught:
        mine(**{field: value})
    assert_one_sentence(caught, field, named)


def test_images_to_look_at_may_be_floats_too():
    floats = np.zeros((2, 3, 8, 8), np.float16)
    assert as_images(floats).dtype == torch.float16
    tensor = torch.zeros(2, 5, 4, 4, dtype=torch.uint8)  # five channels, and a width of 4
    assert as_images(tensor) is tensor
    with pytest.raises(ValueError) as caught:
        as_images(torch.zeros(2, 3, 8, 8, dtype=torch.int32))
    assert_one_sentence(caught, "int32")
    with pytest.raises(ValueError) as caught:
        as_labels(torch.tensor([0, 1]), 3, 10)
    assert_one_sentence(caught, "(3,)", "(2,)")


# --- the range of floats --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_another_range_are_noticed(kind):
    draws = torch.rand(4, 3, 8, 8).to(kind)
    for images in (draws, 255 * draws, 11 * draws - 22):
        with pytest.warns(UserWarning, match="−1 … 1") as caught:
            assert normalize(images) is images
        assert len(str(caught[0].message)) < 400
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zeros = torch.zeros(4, 3, 8, 8, dtype=kind)
        for images in (2 * draws - 1, 5 * draws - 2.5, zeros, zeros + 1, draws[:0]):
            assert normalize(images) is images


def test_bytes_are_normalised_and_other_types_refused():
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2)
    assert normalize(images).flatten().tolist() == [-1, 1]
    for kind in (torch.bool, torch.int32, torch.int64, torch.complex64):
        with pytest.raises(ValueError) as caught:
            normalize(images.to(kind))
        assert_one_sentence(caught, str(kind).removeprefix("torch."))


# --- an order that mixes classes ------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[50] * 10, [100, 50, 7, 1], [3, 3, 3], [1, 0, 40], [5], []])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_part_of_the_order_holds_classes_in_proportion(sizes, shuffled):
    sizes = torch.tensor(sizes, dtype=torch.int64)
    labels = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    n = len(labels)
    if shuffled:
        labels = labels[torch.randperm(n)]
    order = stratified_order(labels)
    assert order.dtype == torch.int64 and order.sort().values.tolist() == list(range(n))
    assert torch.equal(order, stratified_order(labels.to(torch.int32)))
    if n == 0:
        return
    seen = F.one_hot(labels[order], len(sizes)).cumsum(dim=0).double()  # in the first 1 … n
    expected = torch.arange(1, n + 1)[:, None] * sizes / n
    assert (seen - expected).abs().max() <= 1  # so it is for what comes after, too
    for label in range(len(sizes)):
        own = order[labels[order] == label]
        assert torch.equal(own, own.sort().values)  # as they were given
