"""Files are whole or not there; a record says how its figures came about, and none gets lost."""

import errno
import importlib.util
import json
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from vit_minimal import records
from vit_minimal.records import add_record, describe_run, read_records, write_whole

# --- whole files ----------------------------------------------------------------------------------


def test_file_appears_under_its_name_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "not" / "yet" / "file"
    write_whole(path, lambda unfinished: unfinished.write_bytes(b"old"))
    write_whole(path, lambda unfinished: unfinished.write_bytes(b"new"))
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "fault, said",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left"),
        (RuntimeError("file write failed"), "file write failed"),  # what torch.save says
    ],
)
def test_write_that_breaks_off_is_said_and_leaves_the_older_file(fault, said, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def break_off(unfinished):
        unfinished.write_bytes(b"half")
        raise fault

    with pytest.raises(OSError, match=f"could not be written.*{said}.*MB are free"):
        write_whole(path, break_off)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


# --- records --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module, program",
    [
        (None, ["benchmarks/program.py"]),
        ("some_program", ["-m", "some_program"]),
        ("vit_minimal.training.__main__", ["-m", "vit_minimal.training"]),
    ],
)
def test_record_names_the_command_that_repeats_it(module, program, monkeypatch):
    spec = None if module is None else importlib.util.spec_from_loader(module, loader=None)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    words = ["--settings", "P = 2", "N(0, 1)"]
    monkeypatch.setattr(sys, "argv", ["benchmarks/program.py", *words])
    command = shlex.split(describe_run()["command"])  # as a shell would
    assert command == ["python", *program, *words]


def test_no_file_holds_no_records(tmp_path):
    assert read_records(tmp_path / "none.json") == []


@pytest.mark.parametrize("text, said", [("[{", "damaged or no JSON"), ("{}", "no list of records")])
def test_file_that_holds_no_records_is_named(text, said, tmp_path):
    (tmp_path / "figures.json").write_text(text, encoding="utf-8")
    for use in (read_records, lambda path: add_record(path, {})):
        with pytest.raises(ValueError, match=rf"figures\.json.*{said}"):
            use(tmp_path / "figures.json")
    assert (tmp_path / "figures.json").read_text(encoding="utf-8") == text


def test_records_of_many_writers_are_all_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "describe_run", lambda: {"command": "python some_program.py"})
    path = tmp_path / "results" / "figures.json"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: add_record(path, {"name": "été", "run": i}), range(20)))
    found = read_records(path)
    assert sorted(record["run"] for record in found) == list(range(20))
    assert all(record["command"] == "python some_program.py" for record in found)
    assert "été" in json.loads(path.read_text(encoding="utf-8"))[0]["name"]
