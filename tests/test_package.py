"""The package as a whole: its public names, and the modules that are programs too."""

import subprocess
import sys
from pathlib import Path

import pytest

import vit_minimal

COURSE = Path(vit_minimal.__file__).resolve().parents[1]


@pytest.mark.parametrize("name", sorted(vit_minimal.__all__))
def test_every_public_name_is_there(name):
    assert getattr(vit_minimal, name) is not None and name in dir(vit_minimal)


def test_no_name_is_made_up():
    assert len(set(vit_minimal.__all__)) == len(vit_minimal.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = vit_minimal.no_such_name


@pytest.mark.parametrize("module", ["training", "data", "experiments"])
def test_a_program_starts_without_a_warning(module):
    program = [sys.executable, "-W", "error::RuntimeWarning", "-m", f"vit_minimal.{module}"]
    done = subprocess.run(
        [*program, "--help"], cwd=COURSE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"python -m vit_minimal.{module}" in done.stdout
