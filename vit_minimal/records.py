"""Paths, files that are whole or not there, and records of what was measured and how."""

import contextlib
import datetime
import json
import os
import platform
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from filelock import FileLock

from .device import describe_device, dtype_name, pick_device, pick_precision


def describe_run():
    """What a record of measured figures must name besides them: command, machine, versions, date."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)  # only `python -m` leaves one
    program = ["-m", spec.name.removesuffix(".__main__")] if spec else sys.argv[:1]
    return {
        "command": shlex.join(["python", *program, *sys.argv[1:]]),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, {describe_device(pick_device())}",
        "precision": dtype_name(pick_precision(pick_device())),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }


def as_path(path):
    """A path, given as text or as a Path, as a shell reads it: "~" is the home folder."""
    return Path(os.path.expanduser(path))


def check_writable(folder):
    """Make `folder` unless it is there, and write into it for a moment, before work of hours.

    OSError says in one sentence why that cannot be, and what to do.
    """
    folder = as_path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"room for this?")
            file.flush()
    except OSError as error:
        reason = "a file has that name" if folder.is_file() else error.strerror or error
        raise OSError(
            f"{folder} cannot be written to ({reason}): choose another folder; the environment "
            "variable VIT_MINIMAL_DATA names the one for data and runs"
        ) from error


def write_whole(path, write):
    """Call `write(temporary path)`, then rename: `path` holds the old content or all of the new.

    OSError says in one sentence what hindered it, such as a full disk; `path` is as it was then.
    """
    path = as_path(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        os.replace(unfinished, path)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        there = next(place for place in path.absolute().parents if place.exists())
        free = shutil.disk_usage(there).free / 1e6
        raise OSError(
            f"{path} could not be written ({error}): there must be room on the disk "
            f"({free:,.0f} MB are free) and permission to write"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def read_records(path):
    """The list of records in a JSON file, empty if there is none; ValueError if it is no list,
    OSError if it cannot be read.
    """
    path = as_path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it, such as {path}/runs.json")
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except ValueError as error:
        raise ValueError(f"{path} is damaged or no JSON ({error})") from error
    if not isinstance(known, list):
        raise ValueError(f"{path} holds no list of records")  # noqa: TRY004
    return known


def add_record(path, figures):
    """Append measured figures, and how they came about, to the JSON list in `path`.

    Processes that write to one file wait for one another. The empty file of their lock, which ends in
    .lock, stays beside it, since another process may be waiting for it. ValueError if the file holds
    no list, OSError if it cannot be written.
    """
    path = as_path(path)
    check_writable(path.parent)
    with FileLock(path.with_suffix(".lock")):
        text = json.dumps([*read_records(path), describe_run() | figures], indent=1) + "\n"
        write_whole(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8"))
