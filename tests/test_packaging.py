"""The wheel: small, the package alone, and its programs start where there is nothing else of it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_is_the_package_alone(wheel):
    assert wheel.stat().st_size < 100_000
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
    modules = {f"vit_minimal/{path.name}" for path in (ROOT / "vit_minimal").glob("*.[ph]*")}
    assert {name for name in names if ".dist-info/" not in name} == modules
    assert "vit_minimal/explorer.html" in modules


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """How to run Python with the wheel's package in place of the course's, in an empty folder."""
    place = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(place / "packages")
    (place / "work").mkdir()
    env = os.environ | {"PYTHONPATH": str(place / "packages")}
    env.pop("VIT_MINIMAL_DATA", None)
    return {"cwd": place / "work", "env": env, "capture_output": True, "text": True}


@pytest.mark.parametrize("program", ["training", "experiments", "data"])
def test_its_programs_start(program, elsewhere):
    command = [sys.executable, "-m", f"vit_minimal.{program}", "--help"]
    done = subprocess.run(command, **elsewhere, check=False)
    assert done.returncode == 0 and f"vit_minimal.{program}" in done.stdout, done.stderr


def test_data_then_live_below_the_working_directory(elsewhere):
    code = "import vit_minimal.data as d; print(d.__file__); print(d.data_root().resolve())"
    done = subprocess.run([sys.executable, "-c", code], **elsewhere, check=False)
    module, root = done.stdout.splitlines()
    assert Path(module).is_relative_to(elsewhere["env"]["PYTHONPATH"])
    assert Path(root) == (elsewhere["cwd"] / "data").resolve()
