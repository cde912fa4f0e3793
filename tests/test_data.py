"""CIFAR-10 is found, fetched, checked and kept; a data set is what it says it is."""

import hashlib
import io
import pickle
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import vit_minimal
from vit_minimal import data
from vit_minimal.data import (
    Dataset,
    check_labels,
    cifar10,
    data_root,
    has_cifar10,
    load_cifar10,
    load_dataset,
    wanted_dataset,
)
from vit_minimal.data import __main__ as command_line
from vit_minimal.data.drawn import SHAPES10_CLASSES, SHAPES10_TEST_SEED, shapes10

SOURCES = cifar10.CIFAR10_SOURCES

# --- CIFAR-10 in miniature ------------------------------------------------------------------------

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


@pytest.fixture
def batches():
    """The bytes of each pickled batch by name: two images a batch, as Python 2 wrote them."""
    random, pickled = np.random.RandomState(0), {}
    for i, name in enumerate(BATCHES):
        pixels = random.randint(0, 256, (2, 3072), dtype=np.uint8)
        content = pickle.dumps({"data": pixels, "labels": [i, 9 - i]}, protocol=2)
        for key in (b"data", b"labels"):  # unicode (X, four bytes of length) → bytes (U, one)
            length = len(key).to_bytes(4, "little")
            content = content.replace(b"X" + length + key, b"U" + length[:1] + key)
        pickled[name] = content
    return pickled


@pytest.fixture
def archive(batches, monkeypatch):
    """The bytes of an archive of those batches; its MD5 is the expected one."""
    content = pack(batches)
    monkeypatch.setattr(cifar10, "CIFAR10_MD5", hashlib.md5(content).hexdigest())
    return content


def pack(batches):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"{cifar10.CIFAR10_FOLDER}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture(autouse=True)
def no_source(monkeypatch):
    monkeypatch.setattr(cifar10, "CIFAR10_SOURCES", ())
    monkeypatch.setenv("no_proxy", "*")
    for variable in ("VIT_MINIMAL_DATA", "VIT_MINIMAL_DATASET"):
        monkeypatch.delenv(variable, raising=False)


def extract(batches, root):
    folder = root / cifar10.CIFAR10_FOLDER
    folder.mkdir(parents=True)
    for name, content in batches.items():
        (folder / name).write_bytes(content)
    return folder


def assert_holds(dataset, batches):
    """Every picture of `batches` is there, channel by channel and row by row, with its label."""
    opened = {name: pickle.loads(content, encoding="bytes") for name, content in batches.items()}
    for part, names in (("train", BATCHES[:5]), ("test", BATCHES[5:])):
        pixels = np.concatenate([opened[name][b"data"] for name in names])
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        assert images.dtype == torch.uint8 and labels.dtype == torch.int64
        assert images.is_contiguous()
        assert images.tolist() == pixels.reshape(-1, 3, 32, 32).tolist()
        assert labels.tolist() == [label for name in names for label in opened[name][b"labels"]]
    assert dataset.name == "cifar10" and dataset.class_names[3] == "cat"


def arrays(**changed):
    """The arrays of a small npz, (n, H, W, C)."""
    random = np.random.RandomState(0)
    content = {
        "train_images": random.randint(0, 256, (4, 32, 32, 3), dtype=np.uint8),
        "train_labels": np.array([0, 3, 9, 5], dtype=np.uint8),
        "test_images": random.randint(0, 256, (2, 32, 32, 3), dtype=np.uint8),
        "test_labels": np.array([1, 2]),
    }
    content.update(changed)
    return {name: array for name, array in content.items() if array is not None}


def test_npz_is_read(tmp_path):
    content = arrays()
    np.savez_compressed(tmp_path / "cifar10.npz", **content)
    dataset = load_cifar10(tmp_path)
    for part in ("train", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        assert images.permute(0, 2, 3, 1).tolist() == content[f"{part}_images"].tolist()
        assert labels.tolist() == content[f"{part}_labels"].tolist()
        assert images.dtype == torch.uint8 and labels.dtype == torch.int64


def test_extracted_folder_is_read_and_the_next_load_finds_the_npz(batches, tmp_path):
    folder = extract(batches, tmp_path)
    assert_holds(load_cifar10(tmp_path), batches)
    shutil.rmtree(folder)
    assert_holds(load_cifar10(str(tmp_path)), batches)
    assert {path.name for path in tmp_path.iterdir()} == {"cifar10.npz", "cifar10.lock"}


def test_archive_is_read_where_it_lies(batches, archive, tmp_path):
    (tmp_path / cifar10.CIFAR10_ARCHIVE).write_bytes(archive)
    assert_holds(load_cifar10(tmp_path), batches)
    (tmp_path / cifar10.CIFAR10_ARCHIVE).unlink()
    assert_holds(load_cifar10(tmp_path), batches)


def test_write_that_breaks_off_leaves_no_npz(batches, tmp_path, monkeypatch):
    extract(batches, tmp_path)

    def break_off(file, **arrays):
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", break_off)
    with pytest.raises(OSError, match=r"cifar10\.npz could not be written .*No space left.*room"):
        load_cifar10(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {cifar10.CIFAR10_FOLDER, "cifar10.lock"}


# --- damaged files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, named",
    [
        ({"train_labels": None, "test_images": None}, "lacks train_labels, test_images"),
        (
            {"train_images": arrays()["train_images"].transpose(0, 3, 1, 2)},
            "train_images .*4, 3, 32",
        ),
        ({"test_images": np.zeros((2, 3072), np.uint8)}, r"test_images .*\(2, 3072\)"),
        ({"test_images": np.zeros((2, 32, 32, 3))}, "test_images must be uint8"),
        ({"train_labels": np.array([0, 1, 2])}, r"train_labels .*4 images.*\(3,\)"),
        ({"test_labels": np.array([[0], [1]])}, r"test_labels .*2 images.*\(2, 1\)"),
        ({"train_labels": np.array([0, 3, 10, 5])}, "10 at index 2"),
        ({"test_labels": np.array([0, -1])}, "-1 at index 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_npz_with_other_content_is_named(changed, named, tmp_path):
    np.savez(tmp_path / "cifar10.npz", **arrays(**changed))
    with pytest.raises(ValueError, match=named):
        load_cifar10(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.1, 0.5, 0.99])
def test_truncated_npz_is_named_with_its_remedy(share, tmp_path):
    path = tmp_path / "cifar10.npz"
    np.savez(path, **arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cifar10\.npz is damaged .*remove it"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bytes_in_an_npz_are_noticed(save, tmp_path):
    path = tmp_path / "cifar10.npz"
    save(path, **arrays())
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 64] = bytes(byte ^ 255 for byte in content[middle : middle + 64])
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cifar10\.npz is damaged .*remove it"):
        load_cifar10(tmp_path)


def test_page_saved_as_npz_is_named_with_its_remedy(tmp_path):
    (tmp_path / "cifar10.npz").write_text("<html>Not found</html>")
    with pytest.raises(ValueError, match=r"cifar10\.npz is damaged .*remove it"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"not a pickle", None], ids=["empty", "text", "cut off"])
def test_damaged_batch_is_named(damage, batches, tmp_path):
    folder = extract(batches, tmp_path)
    content = batches["data_batch_3"][:-100] if damage is None else damage
    (folder / "data_batch_3").write_bytes(content)
    with pytest.raises(ValueError, match="data_batch_3"):
        load_cifar10(tmp_path)
    assert not (tmp_path / "cifar10.npz").exists()


# --- a folder that is there in part ---------------------------------------------------------------


@pytest.mark.parametrize("lost", [BATCHES, BATCHES[4:]], ids=["empty", "half extracted"])
def test_folder_that_lacks_batches_is_not_the_data_set(lost, batches, tmp_path, capsys):
    folder = extract(batches, tmp_path)
    for name in lost:
        (folder / name).unlink()
    assert not has_cifar10(tmp_path)
    with pytest.raises(OSError, match="could not be downloaded"):
        load_cifar10(tmp_path)
    said = capsys.readouterr().out
    assert all((name in said) == (name in lost) for name in BATCHES)
    for name in lost:
        (folder / name).write_bytes(batches[name])
    assert has_cifar10(tmp_path)
    assert_holds(load_cifar10(tmp_path), batches)


def test_whole_archive_takes_the_place_of_a_half_extracted_folder(
    batches, archive, tmp_path, capsys
):
    (extract(batches, tmp_path) / "data_batch_5").unlink()
    (tmp_path / cifar10.CIFAR10_ARCHIVE).write_bytes(archive)
    assert has_cifar10(tmp_path)
    assert_holds(load_cifar10(tmp_path), batches)
    assert "lacks data_batch_5" in capsys.readouterr().out


# --- download -------------------------------------------------------------------------------------


@pytest.fixture
def sources(server, monkeypatch):
    """Makes these paths of the server the places where CIFAR-10 is looked for."""

    def choose(*paths):
        monkeypatch.setattr(cifar10, "CIFAR10_SOURCES", tuple(server.url + path for path in paths))

    return choose


def test_archive_is_downloaded_once_and_kept_for_others(
    server, sources, batches, archive, tmp_path
):
    server.pages["/archive"] = archive
    sources("/missing", "/archive")
    root = tmp_path / "not" / "yet"
    assert_holds(load_cifar10(root), batches)
    assert_holds(load_cifar10(root), batches)
    assert [path for path, _ in server.asked] == ["/missing", "/archive"]
    assert {path.name for path in root.iterdir()} == {
        *("cifar10.npz", "cifar10.lock", cifar10.CIFAR10_ARCHIVE)
    }


def test_damaged_archive_is_set_aside_and_fetched_again(
    server, sources, batches, archive, tmp_path, capsys
):
    target = tmp_path / cifar10.CIFAR10_ARCHIVE
    target.write_bytes(archive[:-1])
    server.pages["/right"] = archive
    sources("/right")
    assert_holds(load_cifar10(tmp_path), batches)
    assert "wrong MD5" in capsys.readouterr().out
    assert Path(f"{target}.wrong").read_bytes() == archive[:-1]


def test_member_that_leaves_the_folder_is_not_written(batches, monkeypatch, tmp_path):
    root = tmp_path / "inner" / "data"
    content = pack({**batches, "../../../escaped": b"!"})
    monkeypatch.setattr(cifar10, "CIFAR10_MD5", hashlib.md5(content).hexdigest())
    root.mkdir(parents=True)
    (root / cifar10.CIFAR10_ARCHIVE).write_bytes(content)
    assert_holds(load_cifar10(root), batches)
    assert not list(tmp_path.rglob("escaped"))


def test_two_loads_at_once_download_once(server, sources, batches, archive, tmp_path):
    server.pages["/archive"] = archive
    server.delay = 0.5  # both are there before it is over
    sources("/archive")
    with ThreadPoolExecutor(2) as pool:  # a file lock holds between threads as between processes
        both = list(pool.map(load_cifar10, [tmp_path] * 2))
    for dataset in both:
        assert_holds(dataset, batches)
    assert len(server.asked) == 1


def test_folder_that_may_not_be_written_to_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10.FileLock, "acquire", refuse)
    with pytest.raises(PermissionError, match=f"{tmp_path}.*VIT_MINIMAL_DATA"):
        load_cifar10(tmp_path)


def refuse(*_, **__):
    raise PermissionError(13, "Permission denied")


# --- command line ---------------------------------------------------------------------------------


def test_one_machine_prepares_and_serves_another_takes_it_from_there(
    server, batches, archive, tmp_path, monkeypatch, capsys
):
    server.pages[f"/{cifar10.CIFAR10_ARCHIVE}"] = archive
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path / "teacher"))
    command_line.main(["prepare", "--from", server.url])
    assert "is ready" in capsys.readouterr().out
    assert_holds(load_cifar10(), batches)

    served = []
    monkeypatch.setattr(command_line, "serve", lambda *arguments: served.append(arguments))
    command_line.main(["serve", "--port", "1234"])
    assert served == [(tmp_path / "teacher" / cifar10.CIFAR10_ARCHIVE, 1234)]


def test_faults_end_in_a_sentence_not_a_traceback(server, tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"could not be downloaded.*404"):
        command_line.main(["prepare", "--from", f"{server.url}/"])


def test_slow_official_host_is_the_last_of_several_sources():
    assert len(SOURCES) > 1 and all(url.startswith("https://") for url in SOURCES)
    assert SOURCES[-1].startswith("https://www.cs.toronto.edu/")
    assert cifar10.CIFAR10_MD5 == "c58f30108f718f92721af3b95e74349a"


# --- choosing a data set --------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty folder for data sets; Shapes-10 has a hundredth of its size, nothing is fetched."""
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    monkeypatch.setattr(data, "shapes10", lambda n, seed: shapes10(n // 100, seed))
    monkeypatch.setattr(cifar10, "fetch", lambda *_: pytest.fail("downloaded"))
    return tmp_path


def load_and_listen(capsys, *name):
    dataset = load_dataset(*name)
    (line,) = capsys.readouterr().out.splitlines()
    return dataset, line


def test_auto_takes_shapes_where_cifar10_is_not(root, capsys):
    for name in ((), ("auto",)):
        dataset, line = load_and_listen(capsys, *name)
        assert dataset.name == "shapes10" and dataset.class_names == SHAPES10_CLASSES
        assert "Shapes-10" in line and "CIFAR-10 is not on this machine" in line
    expected = (*shapes10(100, seed=0), *shapes10(20, seed=SHAPES10_TEST_SEED))
    found = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("form", ["npz", "folder", "archive"])
def test_auto_takes_cifar10_where_it_is(form, root, batches, archive, capsys):
    if form == "npz":
        np.savez(root / "cifar10.npz", **arrays())
    elif form == "folder":
        extract(batches, root)
    else:
        (root / cifar10.CIFAR10_ARCHIVE).write_bytes(archive)
    dataset, line = load_and_listen(capsys)
    assert dataset.name == "cifar10"
    assert "CIFAR-10" in line and "on this machine" in line


def test_auto_takes_shapes_where_cifar10_is_there_in_part(root, batches, capsys):
    (extract(batches, root) / "test_batch").unlink()
    assert load_and_listen(capsys)[0].name == "shapes10"


def test_auto_downloads_nothing_in_place_of_a_damaged_archive(root, archive, capsys):
    (root / cifar10.CIFAR10_ARCHIVE).write_bytes(archive[:-1])
    assert load_and_listen(capsys)[0].name == "shapes10"


@pytest.mark.parametrize("name, said", [("cifar10", "CIFAR-10"), ("shapes10", "Shapes-10")])
def test_named_data_set_is_taken(name, said, root, capsys, monkeypatch):
    np.savez(root / "cifar10.npz", **arrays())
    dataset, line = load_and_listen(capsys, name)
    assert dataset.name == name
    assert said in line and "asked for" in line
    assert wanted_dataset() == "auto"
    monkeypatch.setenv("VIT_MINIMAL_DATASET", name)
    assert wanted_dataset() == name
    assert load_and_listen(capsys)[0].name == name


def test_name_goes_before_the_variable(root, capsys, monkeypatch):
    monkeypatch.setenv("VIT_MINIMAL_DATASET", "cifar10")
    assert load_and_listen(capsys, "shapes10")[0].name == "shapes10"


def test_unknown_data_set_is_named_with_the_known_ones(root, monkeypatch):
    with pytest.raises(ValueError, match=r"'mnist'.*auto.*cifar10.*shapes10"):
        load_dataset("mnist")
    monkeypatch.setenv("VIT_MINIMAL_DATASET", "imagenet")
    with pytest.raises(ValueError, match="'imagenet'"):
        load_dataset()


def test_folder_is_the_argument_else_the_variable_else_the_course_s(tmp_path, monkeypatch):
    assert data_root() == Path(vit_minimal.__file__).resolve().parents[1] / "data"
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path / "variable"))
    assert data_root() == tmp_path / "variable"
    assert data_root(str(tmp_path / "argument")) == tmp_path / "argument"


# --- what a data set is ---------------------------------------------------------------------------


def make_dataset(**changed):
    parts = {
        "train_images": torch.zeros(4, 1, 6, 8, dtype=torch.uint8),
        "train_labels": torch.tensor([0, 1, 2, 0]),
        "test_images": torch.zeros(2, 1, 6, 8, dtype=torch.uint8),
        "test_labels": torch.tensor([2, 1]),
        "class_names": ("a", "b", "c"),
        "name": "mine",
    }
    return Dataset(**{**parts, **changed})


def test_first_images_keep_their_labels():
    dataset = make_dataset()
    assert dataset.first(3).train_labels.tolist() == [0, 1, 2]
    assert dataset.first(3).test_labels.tolist() == [2, 1]
    few = dataset.first(1, 1)
    assert (len(few.train_images), len(few.test_images)) == (1, 1)
    assert (few.class_names, few.name) == (dataset.class_names, dataset.name)


@pytest.mark.parametrize(
    "changed, named",
    [
        ({"train_images": torch.zeros(4, 1, 6, 8)}, "train_images must be uint8.*float32"),
        ({"test_images": torch.zeros(2, 6, 8, dtype=torch.uint8)}, r"test_images .*\(2, 6, 8\)"),
        ({"train_labels": torch.zeros(3, dtype=torch.int64)}, "train_labels .*4 images"),
        ({"test_labels": torch.tensor([0, 3])}, "3 at index 1"),
        ({"class_names": ("a", "b")}, r"0 … 1 for 2 classes.* 2 at index 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_set_that_does_not_fit_together_is_named(changed, named):
    with pytest.raises(ValueError, match=named):
        make_dataset(**changed)


def test_labels_out_of_range_are_counted_and_the_first_is_named():
    check_labels(torch.tensor([0, 9]), 10)
    with pytest.raises(ValueError, match=r"0 … 9 .*: 2 are not, the first is -1 at index 1"):
        check_labels(torch.tensor([0, -1, 10]), 10)
