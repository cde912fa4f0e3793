"""The set-up cell, and three notebooks, in an environment like Colab's: `start.py test --colab`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import build
import start

pytestmark = pytest.mark.colab
ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "https://github.com/somebody/course"
# Colab in August 2026, as far as the course uses it, but for Python, which is this one
COLAB = [
    "torch==2.11.*",
    "torchvision==0.26.*",
    "numpy==2.1.3",
    "matplotlib==3.10.*",
    "ipython==7.34.0",
    "ipywidgets==7.7.1",
    "ipykernel==6.17.1",
    "safetensors",
    "tqdm",
    "filelock",
    "timm",
]


def output_of(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The working tree, committed to a repository of its own; gives its address."""
    folder = tmp_path_factory.mktemp("published")
    files = output_of("git", "ls-files", "-coz", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, files):
        if (ROOT / name).exists():  # and not deleted since the last commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    git = ("git", "-c", "user.name=course", "-c", "user.email=course@localhost")
    output_of(*git, "init", "--quiet", cwd=folder)
    output_of(*git, "add", "--all", cwd=folder)
    output_of(*git, "commit", "--quiet", "--message=course", cwd=folder)
    return folder.as_uri()


class Machine:
    """An environment like Colab's, and the empty folder in which notebooks run there."""

    def __init__(self, place, address):
        self.python, self.content = place / "env" / "bin" / "python", place / "content"
        self.content.mkdir()
        uv = str(start.find_uv())
        output_of(uv, "venv", "--quiet", "--seed", "--python", sys.executable, place / "env")
        output_of(uv, "pip", "install", "--quiet", "--python", self.python, *COLAB)
        kernel = {
            "argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Colab",
            "language": "python",
        }
        (place / "kernels" / "colab").mkdir(parents=True)
        (place / "kernels" / "colab" / "kernel.json").write_text(json.dumps(kernel))
        self.variables = {
            "JUPYTER_PATH": str(place),
            "GIT_CONFIG_COUNT": "1",  # whoever clones the address gets the working tree
            "GIT_CONFIG_KEY_0": f"url.{address}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
            "VIT_MINIMAL_BUDGET": "quick",
            "VIT_MINIMAL_DATASET": "shapes10",
        }

    def freeze(self):
        return set(output_of(self.python, "-m", "pip", "freeze").splitlines())

    def run(self, notebook, monkeypatch):
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)
        for name in ("PYTHONPATH", "VIRTUAL_ENV", "VIT_MINIMAL_DATA"):
            monkeypatch.delenv(name, raising=False)
        resources = {"metadata": {"path": str(self.content)}}
        NotebookClient(notebook, kernel_name="colab", timeout=900, resources=resources).execute()
        return notebook


@pytest.fixture(scope="module")
def machine(tmp_path_factory, published):
    if os.name == "nt":
        pytest.skip("Colab is no Windows machine")
    return Machine(tmp_path_factory.mktemp("colab"), published)


def saved(name, address=None):
    """A saved notebook without outputs; with an address, as it would be if the course lay there."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    if address:
        notebook.cells[1].source = build.set_up(address)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def test_without_an_address_the_cell_says_how_to_go_on(machine, monkeypatch):
    notebook = saved("01_patches", "https://github.com/OWNER/REPOSITORY")
    with pytest.raises(CellExecutionError, match="does not know the address") as error:
        machine.run(notebook, monkeypatch)
    assert "as vit-minimal" in str(error.value)


def test_an_address_that_does_not_answer_is_said_to(machine, monkeypatch):
    notebook = saved("01_patches", f"file://{machine.content}/nothing")
    with pytest.raises(CellExecutionError, match=r"git clone .* failed: .*nothing"):
        machine.run(notebook, monkeypatch)


@pytest.mark.parametrize("name", ["00_start_here", "03_attention", "06_inside_the_class_token"])
def test_a_notebook_runs_and_one_package_has_come(name, machine, monkeypatch):
    before = {line for line in machine.freeze() if "vit_minimal" not in line}
    notebook = machine.run(saved(name, ADDRESS), monkeypatch)
    text = " ".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", ()))
    assert not re.search("Warning|Error", text), text
    came = machine.freeze() - before
    assert len(came) == 1 and "vit_minimal" in came.pop()
    assert machine.freeze() >= before
