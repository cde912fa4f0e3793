"""The README keeps its promises: its commands run, its figures are those of the records."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```\n(.+?)\n```$", README, re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", README)
PROGRAMS = ("python ", "python3 ", "py ", "conda ", "jupyter ", "source ", "torchrun ", ".venv\\")
COMMANDS = sorted({c for c in [*FENCED, *INLINE] if c.startswith(PROGRAMS)})
# What makes a command short, or keeps it from changing the course; later options win
ADDED = {
    "python -m vit_minimal.training --recipe cpu --dataset cifar10": (
        "--recipe quick --dataset shapes10 --epochs 1 --set model.depth=1 model.embed_dim=32 "
        "model.num_heads=2 batch_size=500"
    ),
    "python benchmarks/gpu.py": "--list",  # the steps have tests of their own
    "python -m vit_minimal.experiments class_token_init --budget full --dataset cifar10 --seeds 3": (
        "--budget quick --dataset shapes10 --seeds 1 --settings zeros"
    ),
    "python notebooks/build.py 02": "--check",
    "python notebooks/build.py --prose": "--check",
}
ELSEWHERE = {  # why not here
    "py start.py": "test_start.py tells what start.py does; this is the name on Windows",
    "python3 start.py": "opens JupyterLab: test_jupyterlab.py",
    "python3 start.py --no-browser": "serves JupyterLab: test_jupyterlab.py",
    "python3 start.py test": "runs this test",
    "python3 start.py test tests/test_attention.py": "runs other tests",
    "python3 start.py test --browser": "minutes: test_jupyterlab.py",
    "python3 start.py test --colab": "downloads 3 GB: test_colab.py",
    "python3 start.py site": "test_site.py builds the site",
    "source .venv/bin/activate": "start.py makes .venv where there is none",
    r".venv\Scripts\activate": "on Windows",
    "conda env create -f environment.yml": "test_dependencies.py holds the file; conda is not here",
    "conda activate vit-minimal": "conda is not here",
    "jupyter lab notebooks/00_start_here.ipynb": "opens JupyterLab: test_jupyterlab.py",
    "torchrun --nproc-per-node=2 -m vit_minimal.training …": "test_distributed.py",
}


def records(name):
    found = json.loads((ROOT / "data" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else list(found)


def test_no_command_is_forgotten_and_none_is_made_up():
    assert set(COMMANDS) == ADDED.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("command", ADDED)
def test_a_command_runs(command, tmp_path):
    program, *words = shlex.split(f"{command} {ADDED[command]}")
    assert program == "python"
    env = os.environ | {"VIT_MINIMAL_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def help_of(*words):
    done = subprocess.run(
        [sys.executable, *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout


def test_every_option_is_known():
    known = help_of("-m", "vit_minimal.training") + help_of("-m", "vit_minimal.experiments")
    for text in INLINE:
        if text.startswith("--"):
            assert text.split()[0] in known, text


def as_time(seconds):
    text = f"{seconds} s" if seconds <= 60 else f"{round(seconds / 30) / 2:g} min"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def test_times_are_those_of_the_last_build():
    times = records("notebook_times")
    for name, fast in times["bfloat16"].items():
        slow = times["float32"][name]
        assert "1 thread" in slow["hardware"] and "2 threads" in fast["hardware"]
        (row,) = re.findall(rf"^\| \[.+\]\(notebooks/{name}\.ipynb\).+$", README, re.MULTILINE)
        cells = f"| {as_time(fast['seconds'])} | {as_time(slow['seconds'])} | [![Open in Colab]"
        assert cells in row, name


def test_results_are_those_on_record():
    five, sixty = records("cifar10_cpu"), records("cifar10_cpu_long")
    slowest = max(record["seconds"] for record in five)
    hours, minutes = divmod(round(sixty[0]["seconds"] / 60), 60)
    low, high = (100 * limit(record["accuracy"] for record in five) for limit in (min, max))
    assert f"| {low:.1f} % to {high:.1f} % (three seeds) | 5 | {slowest:.0f} s on two" in README
    assert len(five) == 3 and {record["training"]["epochs"] for record in five} == {5}
    (long_run,) = sixty
    text = f"| {100 * long_run['accuracy']:.1f} % (one seed) | {long_run['training']['epochs']} |"
    assert f"{text} {hours} h {minutes} min on two CPU cores |" in README
    seconds = [record["seconds"] for record in records("shapes10_quick")]
    assert f"in {min(seconds):.0f} to {max(seconds):.0f} s" in README


def test_the_picture_says_what_the_record_says():
    (record,) = records("class_token_journey")
    first, *rest, last = (round(100 * mean) for mean in record["probes"]["class_token"]["mean"])
    words = f"{first} % at the start, {', '.join(map(str, rest))} and {last} % after the layers"
    assert words in README
    assert (ROOT / "site/static/class-token.png").exists()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_exercises_are_as_many_as_it_says():
    from vit_minimal.checks import EXERCISES

    assert f"{len(EXERCISES)} exercises say what is wrong" in README
    assert f"beside it, {len(EXERCISES)} in all" in README
