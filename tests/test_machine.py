"""The machine check: a tick for what is good, a remedy for what is not."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vit_minimal import machine
from vit_minimal.data.cifar10 import CIFAR10_FOLDER
from vit_minimal.device import pick_budget
from vit_minimal.machine import check_machine


@pytest.fixture
def report(monkeypatch, capsys, tmp_path):
    """What `check_machine` returns and the lines it prints, on a machine with a T4."""
    disk = SimpleNamespace(free=500e9)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: disk)
    monkeypatch.setattr(machine, "describe_device", lambda device: "cuda (Tesla T4, 15 GiB)")
    monkeypatch.setattr(machine, "pick_precision", lambda device: torch.float16)
    monkeypatch.setattr(machine, "pick_budget", lambda: "full")

    def check(free=500e9):
        disk.free = free
        good = check_machine(tmp_path)
        return good, capsys.readouterr().out.splitlines()

    return check


def test_machine_that_lacks_nothing_gets_a_tick_on_every_line(report):
    good, lines = report()
    assert good is True
    assert len(lines) >= 6 and all(line.startswith("✓ ") for line in lines)
    text = "\n".join(lines)
    for what in (
        f"Python {sys.version_info.major}.{sys.version_info.minor}",
        f"torch {torch.__version__}",
        f"numpy {np.__version__}",
        "cuda (Tesla T4, 15 GiB)",
        "float16",
        "full",
        "500 GB",
    ):
        assert what in text


def refused(good, lines):
    """The one line that asks for something."""
    assert good is False
    (line,) = [line for line in lines if not line.startswith("✓ ")]
    assert line.startswith("! ")
    return line


def test_full_disk_gets_a_remedy(report):
    line = refused(*report(free=0.2e9))
    assert "0 GB" in line and "make room" in line


@pytest.mark.parametrize("version", ["1.13.1", "2.5.1+cu121"])
def test_older_torch_gets_a_remedy(report, monkeypatch, version):
    monkeypatch.setattr(torch, "__version__", version)
    assert refused(*report()) == f"! torch {version}: pip install -U torch"


def test_older_numpy_gets_a_remedy(report, monkeypatch):
    monkeypatch.setattr(np, "__version__", "1.25.2")
    assert refused(*report()) == "! numpy 1.25.2: pip install -U numpy"


def test_older_python_gets_a_remedy(report, monkeypatch):
    monkeypatch.setattr(machine, "sys", SimpleNamespace(version_info=(3, 10, 13)))
    assert "install Python 3.11" in refused(*report())


@pytest.mark.parametrize("version", ["2.9.0", "2.10.1", "2.11.0+cu128", "2.12.0a0+gitabc", "3.0.0"])
def test_newer_torch_is_good(report, monkeypatch, version):
    monkeypatch.setattr(torch, "__version__", version)
    assert report()[0] is True


def test_a_budget_that_there_is_not_is_a_line_of_the_report(report, monkeypatch):
    monkeypatch.setattr(machine, "pick_budget", pick_budget)
    monkeypatch.setenv("VIT_MINIMAL_BUDGET", "foo")
    line = refused(*report())
    assert all(word in line for word in ("VIT_MINIMAL_BUDGET", "quick", "full", "foo"))


def test_folder_for_the_data_need_not_exist_yet(tmp_path, capsys):
    check_machine(tmp_path / "not" / "yet")
    assert "GB" in capsys.readouterr().out


def test_machine_is_asked_about_the_folder_that_data_come_from(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    (tmp_path / CIFAR10_FOLDER).mkdir()  # with nothing in it yet
    check_machine()
    assert "CIFAR-10 not loaded yet" in capsys.readouterr().out
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"):
        (tmp_path / CIFAR10_FOLDER / name).touch()
    (tmp_path / CIFAR10_FOLDER / "test_batch").touch()
    check_machine()
    assert "CIFAR-10 is here" in capsys.readouterr().out
