#!/usr/bin/env python3
"""Sets the course up and opens it. All it needs is Python 3.11 or newer.

    python3 start.py [options of jupyter lab]     open the course in JupyterLab
    python3 start.py test [options of pytest]     run every test
    python3 start.py site [options of sphinx]     build the course's web site in build/site
    python3 start.py laboratory                   open the class-token laboratory in your browser

(On Windows: py start.py.) The first start downloads what the course uses into .venv, beside this
file: on Linux about 3 GB, 6.2 GB on disk, because PyTorch brings CUDA along; on macOS and Windows
about 0.25 GB. The installer, uv, also keeps a cache in your home folder. Later starts install nothing
and need no network. To stop, press Ctrl+C here. To begin afresh, delete .venv. On a machine without
a screen, python3 start.py --no-browser prints the address to open.
"""

import sys

MINIMUM_PYTHON = (3, 11)
if sys.version_info < MINIMUM_PYTHON:
    # To be told so, an older Python has to read this file: its syntax is that of Python 3.6.
    needed, found = (".".join(map(str, v[:3])) for v in (MINIMUM_PYTHON, sys.version_info))
    sys.exit(
        f"The course needs Python {needed} or newer, and this is Python {found}: get one from "
        "https://www.python.org/downloads/ and start again with it."
    )

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

COURSE = Path(__file__).resolve().parent
VENV, UV_HOME = COURSE / ".venv", COURSE / ".uv"
STAMP = VENV / "complete"
# Whoever starts this with the Python of .venv must still be able to make .venv anew.
PYTHON = getattr(sys, "_base_executable", None) or sys.executable
SIZE, SPACE = "about 0.25 GB to download", 1.5e9
if sys.platform.startswith("linux"):
    SIZE, SPACE = "about 3 GB to download, 6.2 GB on disk", 7e9
# JupyterLab would open a box over the first page, to ask whether it may fetch news.
LAB_SETTINGS = VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
NO_NEWS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
}
CONNECT_ONCE = "connect to the network once, later starts work offline."


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def program(environment, name):
    """Where a virtual environment keeps a program."""
    return environment / (f"Scripts/{name}.exe" if os.name == "nt" else f"bin/{name}")


def variables():
    """The caller's environment variables, with .venv active in place of whatever else was."""
    misleading = ("CONDA_PREFIX", "PIP_USER", "PYTHONHOME", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if name not in misleading}
    env["VIRTUAL_ENV"] = str(VENV)
    env["PATH"] = f"{program(VENV, 'python').parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    # A kernel that the reader once registered under the same name must not win over this one.
    env["JUPYTER_PREFER_ENV_PATH"] = "1"
    if env.get("VIT_MINIMAL_DATA"):
        # The caller means a path that begins where they stand, and programs will start elsewhere.
        env["VIT_MINIMAL_DATA"] = os.path.abspath(os.path.expanduser(env["VIT_MINIMAL_DATA"]))
    if not os.access(os.path.expanduser("~"), os.W_OK):
        # uv, Jupyter, IPython and Matplotlib all write there.
        env["HOME"] = str(UV_HOME / "home")
        os.makedirs(env["HOME"], exist_ok=True)
    return env


def problem_with(command, quiet=True):
    """Runs one step of the installation: None if it succeeds, else the last line that it wrote."""
    streams = {"capture_output": quiet, "encoding": "utf-8", "errors": "replace"}
    try:
        done = subprocess.run(command, cwd=COURSE, env=variables(), check=False, **streams)
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    said = f"exit code {done.returncode}\n{done.stdout or ''}{done.stderr or ''}"
    return said.strip().splitlines()[-1]


def find_uv():
    """The reader's own uv, else one in .uv: made anew if an earlier start was cut short there."""
    for uv in filter(None, (shutil.which("uv"), program(UV_HOME, "uv"))):
        if not problem_with([uv, "--version"]):
            return uv
    if not all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        sys.exit(
            "This Python lacks the modules venv and ensurepip: install them (on Debian and Ubuntu "
            "with 'sudo apt install python3-venv') and start again."
        )
    problem = problem_with([PYTHON, "-m", "venv", "--clear", UV_HOME])
    if problem:
        sys.exit(f"Python could not make a virtual environment in .uv: {problem}")
    pip = [program(UV_HOME, "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    problem = problem_with([*pip, "install", "uv"])
    if problem:
        sys.exit(f"Could not reach the package index for uv ({problem}): {CONNECT_ONCE}")
    return program(UV_HOME, "uv")


def fingerprint():
    """What decides which packages are in .venv: where any of it changes, it is made anew.

    The settings of ruff and pytest and the course's address stand in pyproject.toml too, and change
    nothing of what is installed.
    """
    with open(COURSE / "pyproject.toml", "rb") as file:
        settings = tomllib.load(file)
    project = settings.get("project", {})
    names = ("requires-python", "dependencies", "optional-dependencies")
    parts = {
        "folder": str(COURSE),
        "python": sys.version_info[:2],
        "build": settings.get("build-system", {}).get("requires"),
        "project": [project.get(name) for name in names],
        "versions": (COURSE / "requirements.txt").read_text(encoding="utf-8"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_installed():
    whole = os.path.exists(program(VENV, "python")) and os.path.exists(STAMP)
    return whole and STAMP.read_text(encoding="utf-8") == fingerprint()


def install():
    """Makes .venv: what pyproject.toml names, in the versions of requirements.txt."""
    if not os.access(COURSE, os.W_OK):
        sys.exit(f"You may not write to {COURSE}: copy the course to a folder of your own.")
    if VENV.exists():
        say("The installation in .venv is outdated or unfinished: making it anew.")
    elif shutil.disk_usage(COURSE).free < SPACE:
        # Asked of a first start only: later, what is missing may fit where the whole would not.
        sys.exit(f"This disk has too little space left for the course ({SIZE}).")
    else:
        say(f"First start: installing the course into .venv ({SIZE}).")
    uv = find_uv()
    # The stamp goes first and comes last: whatever is cut short in between lacks it.
    STAMP.unlink(missing_ok=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    if problem_with([uv, "venv", "--quiet", "--python", PYTHON, VENV], quiet=False):
        sys.exit("The virtual environment .venv could not be made, and uv says why above.")
    packages = [uv, "pip", "install", "--python", program(VENV, "python")]
    packages += ["-r", "requirements.txt", "-e", ".[course,test]"]
    # What an earlier installation left in uv's cache needs no network.
    if problem_with([*packages, "--offline"]) and problem_with(packages, quiet=False):
        sys.exit(
            "The packages could not be installed, and uv says why above: if it could not reach "
            f"the package index, {CONNECT_ONCE}"
        )
    LAB_SETTINGS.parent.mkdir(parents=True, exist_ok=True)
    LAB_SETTINGS.write_text(json.dumps(NO_NEWS), encoding="utf-8")
    STAMP.write_text(fingerprint(), encoding="utf-8")


def lab(options):
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    first_page = "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb"
    return ["jupyterlab", first_page, *(["--allow-root"] if as_root else []), *options]


def test(options):
    return ["pytest", *options]


def site(options):
    # afresh: a page that has not changed would keep its warnings to itself
    strictly = ["--fresh-env", "--fail-on-warning", "--keep-going"]
    folders = ["--conf-dir", "site", "--doctree-dir", "build/doctrees", ".", "build/site"]
    return ["sphinx", *strictly, *folders, *options]


def laboratory(options):
    return ["vit_minimal.laboratory", *options]


# Each turns its options into what `python -m` is to run in .venv.
VERBS = {"test": test, "site": site, "laboratory": laboratory}


def main(words):
    if words[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    verb = words[0] if words and not words[0].startswith("-") else None
    if verb and verb not in VERBS:
        say(f"start.py does not know '{verb}': see python3 start.py --help.")
        return 2
    command = VERBS[verb](words[1:]) if verb else lab(words)
    try:
        if not is_installed():
            install()
        command, env = [str(program(VENV, "python")), "-m", *command], variables()
        if os.name == "nt":
            return subprocess.call(command, cwd=COURSE, env=env)
        os.chdir(COURSE)
        os.execve(command[0], command, env)
    except KeyboardInterrupt:
        say("Interrupted.")
        return 130
    except tomllib.TOMLDecodeError as error:
        sys.exit(f"pyproject.toml cannot be read: {error}")
    except OSError as error:
        sys.exit(f"The course could not be started: {error}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
