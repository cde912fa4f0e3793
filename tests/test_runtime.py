"""What is picked on which machine, and what the machine check says of it."""

import random
import shlex
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vit_minimal import runtime
from vit_minimal.runtime import (
    autocast,
    check_machine,
    pick_budget,
    pick_device,
    pick_precision,
    seed_everything,
)

PROBES = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


@pytest.fixture
def machine(monkeypatch):
    """A machine with just what is asked for."""

    def have(cuda=False, mps=False, capability=(9, 0), cpu_bf16=()):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "Tesla T4")
        memory = SimpleNamespace(total_memory=15 * 2**30)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: memory)
        for probe in PROBES:
            monkeypatch.setattr(torch.cpu, probe, lambda has=probe in cpu_bf16: has, raising=False)

    monkeypatch.delenv("VIT_MINIMAL_BUDGET", raising=False)
    have()
    return have


# --- device and precision -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cuda, mps, best",
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_best_device_is_picked(machine, cuda, mps, best):
    machine(cuda=cuda, mps=mps)
    assert pick_device() == torch.device(best)


def test_named_device_is_taken(machine):
    machine(cuda=True)
    assert pick_device("cpu") == pick_device(torch.device("cpu")) == torch.device("cpu")
    assert pick_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    "gpu, capability, dtype",
    [
        ("P100", (6, 0), torch.float16),
        ("T4", (7, 5), torch.float16),
        ("A100", (8, 0), torch.bfloat16),
        ("L4", (8, 9), torch.bfloat16),
        ("H200", (9, 0), torch.bfloat16),
        ("B200", (10, 0), torch.bfloat16),
    ],
)
def test_gpu_gets_the_precision_it_multiplies(machine, gpu, capability, dtype):
    machine(cuda=True, capability=capability)
    assert pick_precision("cuda") == pick_precision(torch.device("cuda", 0)) == dtype


@pytest.mark.parametrize("has", [*([probe] for probe in PROBES), PROBES], ids=str)
def test_cpu_that_multiplies_bfloat16_gets_it(machine, has):
    machine(cpu_bf16=has)
    assert pick_precision("cpu") == torch.bfloat16


def test_other_devices_get_float32(machine, monkeypatch):
    assert pick_precision("cpu") == pick_precision("mps") == torch.float32
    for probe in PROBES:
        monkeypatch.delattr(torch.cpu, probe)
    assert pick_precision("cpu") == torch.float32


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_matrix_products_run_in_the_precision_and_only_inside(precision):
    x = torch.ones(2, 2)
    with autocast("cpu", precision):
        assert (x @ x).dtype == precision
    with autocast(torch.device("cpu"), precision):
        assert torch.nn.Linear(2, 2)(x).dtype == precision
    assert (x @ x).dtype == torch.float32


# --- seeds and budget -----------------------------------------------------------------------------


def draws(seed):
    seed_everything(seed)
    return random.random(), float(np.random.random()), torch.rand(()).item()


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_seed_fixes_every_generator(seed):
    first, again, other = draws(seed), draws(seed), draws(seed + 1)
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


@pytest.mark.parametrize("cuda, budget", [(True, "full"), (False, "quick")])
def test_budget_depends_on_the_gpu_unless_it_is_set(machine, monkeypatch, cuda, budget):
    machine(cuda=cuda)
    assert pick_budget() == budget
    for chosen in ("quick", "full"):
        monkeypatch.setenv("VIT_MINIMAL_BUDGET", chosen)
        assert pick_budget() == chosen


def test_unknown_budget_is_named_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("VIT_MINIMAL_BUDGET", "fast")
    with pytest.raises(ValueError, match=r"VIT_MINIMAL_BUDGET.*'quick', 'full'.*'fast'"):
        pick_budget()


# --- machine check --------------------------------------------------------------------------------


@pytest.fixture
def report(machine, monkeypatch, capsys, tmp_path):
    """What `check_machine` returns and the lines it prints."""
    disk = SimpleNamespace(free=500e9)
    monkeypatch.setattr(runtime.shutil, "disk_usage", lambda folder: disk)

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
        "cpu",
        f"{torch.get_num_threads()} thread",
        "float32",
        "quick",
        "500 GB",
    ):
        assert what in text


def test_gpu_is_named_with_its_memory_and_precision(machine, report):
    machine(cuda=True, capability=(7, 5))
    good, lines = report()
    assert good is True
    (line,) = [line for line in lines if "cuda" in line]
    assert "Tesla T4" in line and "15 GiB" in line and "float16" in line
    assert any("full" in line for line in lines)


def test_apple_gpu_is_named(machine, report):
    machine(mps=True)
    assert any("mps" in line and "float32" in line for line in report()[1])


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
    monkeypatch.setattr(runtime, "sys", SimpleNamespace(version_info=(3, 10, 13)))
    line = refused(*report())
    assert "install Python 3.11" in line


@pytest.mark.parametrize("version", ["2.9.0", "2.10.1", "2.11.0+cu128", "2.12.0a0+gitabc", "3.0.0"])
def test_newer_torch_is_good(report, monkeypatch, version):
    monkeypatch.setattr(torch, "__version__", version)
    assert report()[0] is True


def test_folder_for_the_data_need_not_exist_yet(machine, tmp_path, capsys):
    check_machine(tmp_path / "not" / "yet")
    assert "GB" in capsys.readouterr().out


def test_machine_is_asked_about_the_folder_that_data_come_from(
    machine, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    check_machine()
    assert "CIFAR-10 not loaded yet" in capsys.readouterr().out
    (tmp_path / "cifar-10-batches-py").mkdir()  # in whatever form it is there
    check_machine()
    assert "CIFAR-10 is here" in capsys.readouterr().out


# --- records --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["-m", "some_program"], ["some_program.py"]])
def test_record_names_the_command_that_repeats_it(words, tmp_path):
    code = "import vit_minimal.runtime as r; print(r.describe_run()['command'])"
    (tmp_path / "some_program.py").write_text(code, encoding="utf-8")
    words = [*words, "--settings", "P = 2", "N(0, 1)"]
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shlex.split(done.stdout) == ["python", *words]  # as a shell would


def test_after_evaluating_each_module_is_in_the_mode_it_was_in():
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout())
    for frozen in ([], [1], [0, 1]):
        model.train()
        for index in frozen:
            model[index].eval()
        modes = [module.training for module in model.modules()]
        with pytest.raises(ZeroDivisionError), runtime.evaluating(model):
            assert not any(module.training for module in model.modules())
            _ = 1 / 0
        assert [module.training for module in model.modules()] == modes
