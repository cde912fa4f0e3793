"""README.md keeps its promises: its commands run, its options are known, its links lead somewhere."""

import importlib
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vit_minimal import data
from vit_minimal.data import shapes10
from vit_minimal.experiments import BASE

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "data/README.md", "notebooks/exercises/README.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```\n(.+?)\n```$", README, re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", README)
PROGRAMS = ("python ", "python3 ", "py ", "conda ", "jupyter ", "source ", "torchrun ", ".venv\\")
COMMANDS = sorted({c for c in [*FENCED, *INLINE] if c.startswith(PROGRAMS)})
SHORTENED_BY = {  # later options win
    "python -m vit_minimal.training --recipe cpu --dataset cifar10": (
        "--recipe quick --dataset shapes10 --epochs 1 --set model.depth=1"
    ),
    "python -m vit_minimal.experiments class_token_init --budget full --dataset cifar10 --seeds 3": (
        "--budget quick --dataset shapes10 --seeds 1 --settings zeros"
    ),
}
ELSEWHERE = {  # why not here
    "py start.py": "test_start.py tells what start.py does; this is the name on Windows",
    "python3 start.py": "opens JupyterLab: test_jupyterlab.py",
    "python3 start.py laboratory": "opens a browser: test_laboratory.py",
    "python3 start.py test": "runs this test",
    "source .venv/bin/activate": "start.py makes .venv where there is none",
    r".venv\Scripts\activate": "on Windows",
}


def test_no_command_is_forgotten_and_none_is_made_up():
    assert set(COMMANDS) == SHORTENED_BY.keys() | ELSEWHERE.keys()


@pytest.fixture
def hundredth(monkeypatch, tmp_path):
    """A hundredth of Shapes-10, an empty folder for what is written, and one pass for experiments."""
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    monkeypatch.setattr(data, "shapes10", lambda n, seed: shapes10(n // 100, seed))
    recipe = BASE["quick"]
    training = replace(recipe.training, epochs=1, validation_images=20)
    small = replace(recipe, model=replace(recipe.model, depth=1), training=training)
    monkeypatch.setitem(BASE, "quick", small)


@pytest.mark.parametrize("command", SHORTENED_BY)
def test_a_command_runs(command, hundredth, monkeypatch):
    """In this process, which has PyTorch already; test_package.py starts the programs."""
    python, *words = shlex.split(f"{command} {SHORTENED_BY[command]}")
    assert python == "python"
    if words[0] == "-m":
        name, arguments = f"{words[1]}.__main__", words[2:]
    else:
        assert (ROOT / words[0]).exists()
        name, arguments = Path(words[0]).stem, words[1:]
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    importlib.import_module(name).main()


def test_every_option_is_known(capsys):
    for program in ("training", "experiments"):
        with pytest.raises(SystemExit):
            importlib.import_module(f"vit_minimal.{program}.__main__").main(["--help"])
    known = re.findall(r"--[\w-]+", capsys.readouterr().out)
    named = [text for text in INLINE if text.startswith("--")]
    assert named and set(re.findall(r"--[\w-]+", " ".join(named))) <= set(known)


def anchors(page):
    """What a link to a heading of a page may end in."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", text):
        place = (ROOT / page).parent / target if target else ROOT / page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), f"{target}#{anchor}"
