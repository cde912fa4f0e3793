"""The package as a whole: its public names, what importing it costs, and its programs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vit_minimal
from vit_minimal.augment import normalize
from vit_minimal.training import evaluation

COURSE = Path(vit_minimal.__file__).resolve().parents[1]


def taken_from_the_package(path):
    """The names that a file imports with `from vit_minimal import …`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "vit_minimal":
            yield from (alias.name for alias in node.names)


def test_every_name_that_the_course_takes_from_the_package_is_there():
    there = vars(vit_minimal).keys() | {path.stem for path in (COURSE / "vit_minimal").iterdir()}
    for folder in ("notebooks/source", "notebooks/exercises/checks", "benchmarks", "site"):
        for path in sorted((COURSE / folder).glob("*.py")):
            assert set(taken_from_the_package(path)) <= there, path.name


def test_what_asks_a_model_is_public_as_fit_is():
    """All that is defined in training/evaluation.py, and how bytes become what a model sees."""
    made = {n: of for n, of in vars(evaluation).items() if made_in(evaluation, of)}
    asks = [function for name, function in made.items() if not name.startswith("_")]
    assert len(asks) >= 3
    for function in (*asks, normalize):
        assert getattr(vit_minimal, function.__name__) is function


def made_in(module, thing):
    return getattr(thing, "__module__", None) == module.__name__


@pytest.mark.parametrize("name", ["training", "data", "experiments", "laboratory"])
def test_a_program_starts_without_a_warning_and_without_what_it_can_wait_for(name):
    """Nor does importing the package: torchvision alone would double the time that it takes."""
    program = f"vit_minimal.{name}"
    options = ["-X", "importtime", "-W", "error::RuntimeWarning"]
    command = [sys.executable, *options, "-m", program, "--help"]
    done = subprocess.run(command, cwd=COURSE, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert (done.returncode, [line for line in lines if "import time:" not in line]) == (0, [])
    assert f"python -m {program}" in done.stdout
    imported = {line.split("|")[-1].strip() for line in lines}
    assert "vit_minimal" in imported and not {"torchvision", "matplotlib"} & imported
