"""The package as a whole: its public names, what importing it costs, and its programs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vit_minimal

COURSE = Path(vit_minimal.__file__).resolve().parents[1]


def python(*words):
    return subprocess.run(
        [sys.executable, *words], cwd=COURSE, capture_output=True, text=True, check=False
    )


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


def test_importing_the_package_leaves_torchvision_and_matplotlib_alone():
    # torchvision doubles the time that the import takes.
    code = "import sys, vit_minimal; print({'torchvision', 'matplotlib'} & set(sys.modules))"
    assert python("-c", code).stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["training", "data", "experiments"])
def test_a_program_starts_without_a_warning(name):
    program = f"vit_minimal.{name}"
    done = python("-W", "error::RuntimeWarning", "-m", program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"python -m {program}" in done.stdout
