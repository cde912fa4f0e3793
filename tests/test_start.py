"""start.py on machines that lack something, and what it hands on where all is well.

Nothing is installed here and no network is asked: in place of uv and of the Python in .venv stand
a few lines of shell that write down what they are told.
"""

import ast
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

START = Path(__file__).resolve().parents[1] / "start.py"
FIRST_PAGE = "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb"
AS_ROOT, AS_READER = "os.geteuid = lambda: 0", "os.geteuid = lambda: 1000"

UV = """\
#!/bin/sh
echo "$*" >> "$NOTES/uv"
case "$*" in
    venv*) mkdir -p .venv/bin && cp "$NOTES/stand-in python" .venv/bin/python ;;
    pip*--offline) exit "${OFFLINE_EXIT:-0}" ;;
    pip*) sleep "${PIP_SECONDS:-0}"; exit "${PIP_EXIT:-0}" ;;
esac
"""
PYTHON = """\
#!/bin/sh
pwd > "$NOTES/folder"
env > "$NOTES/variables"
printf '%s\\n' "$@" > "$NOTES/python"
exit "${PROGRAM_EXIT:-0}"
"""

needs_sh = pytest.mark.skipif(os.name == "nt", reason="uv's stand-in is a shell script")


class Course:
    """A copy of what start.py reads, in a folder of its own, on a machine with or without uv."""

    def __init__(self, place):
        self.folder, self.notes, self.tools = place / "my course", place / "notes", place / "tools"
        for folder in (self.folder, self.notes, self.tools):
            folder.mkdir()
        for name in ("start.py", "pyproject.toml", "requirements.txt"):
            shutil.copy(START.parent / name, self.folder)
        self.stamp = self.folder / ".venv" / "complete"

    def with_uv(self):
        for script, path in ((UV, self.tools / "uv"), (PYTHON, self.notes / "stand-in python")):
            path.write_text(script)
            path.chmod(0o755)
        return self

    def invocation(self, words, prepare="", path=os.defpath, **variables):
        """What subprocess needs to run start.py, with lines of Python that go ahead of it."""
        code = (
            "import os, runpy, shutil, sys, types\n"
            "shutil.disk_usage = lambda folder: types.SimpleNamespace(free=1e12)\n"
            f"{prepare}\n"
            "sys.argv = sys.argv[1:]\n"
            "runpy.run_path(sys.argv[0], run_name='__main__')"
        )
        env = {**os.environ, "HOME": str(self.notes), "NOTES": str(self.notes), **variables}
        env["PATH"] = f"{self.tools}{os.pathsep}{path}"
        args = [sys.executable, "-c", code, str(self.folder / "start.py"), *words]
        return {"args": args, "env": env, "stdin": subprocess.DEVNULL, "text": True}

    def start(self, *words, cwd=None, **how):
        invocation = self.invocation(words, **how)
        return subprocess.run(**invocation, cwd=cwd, capture_output=True, timeout=60, check=False)

    def note(self, name):
        path = self.notes / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def bare(tmp_path):
    return Course(tmp_path)


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path).with_uv()


def refusal(done, exit_code=1):
    """The one sentence with which start.py ended, below what it had said before."""
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr and not done.stdout
    sentence = done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) == (2 if "First start" in done.stderr else 1), done.stderr
    return sentence


# --- a machine that lacks something ---------------------------------------------------------------


def test_older_python_is_told_which_is_needed(bare):
    sentence = refusal(bare.start(prepare="sys.version_info = (3, 10, 13, 'final', 0)"))
    assert "Python 3.11 or newer" in sentence and "Python 3.10.13" in sentence


def test_older_python_can_read_as_far_as_that():
    source = START.read_text(encoding="ascii")
    ast.parse(source, feature_version=(3, 7))  # the oldest grammar that ast still knows


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_module_is_named_with_its_remedy(bare, module):
    done = bare.start(prepare=f"sys.modules[{module!r}] = None", path="")
    assert module in refusal(done) and "apt install python3-venv" in done.stderr


def test_missing_network_is_one_sentence(bare):
    nowhere = "http://127.0.0.1:9"
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}
    pip |= {"PIP_INDEX_URL": f"{nowhere}/simple", "PIP_CACHE_DIR": str(bare.notes / "cache")}
    pip |= {"PIP_EXTRA_INDEX_URL": "", "HTTPS_PROXY": nowhere, "https_proxy": nowhere}
    sentence = refusal(bare.start(path="", **pip))
    assert (
        "Could not reach the package index" in sentence and "later starts work offline" in sentence
    )
    assert not bare.stamp.exists()


def test_unfinished_uv_is_not_taken_for_uv(bare):
    for name in ("bin/uv", "Scripts/uv.exe"):
        unfinished = bare.folder / ".uv" / name
        unfinished.parent.mkdir(parents=True)
        unfinished.touch(mode=0o755)
    done = bare.start(prepare="sys.modules['venv'] = None", path="")
    assert "venv" in refusal(done)


def test_folder_that_may_not_be_written_to(bare):
    sentence = refusal(bare.start(prepare="os.access = lambda path, mode: False"))
    assert "may not write" in sentence and str(bare.folder) in sentence


def test_full_disk(bare):
    full = "shutil.disk_usage = lambda folder: types.SimpleNamespace(free=1e9)"
    assert "too little space" in refusal(bare.start(prepare=full))
    assert not (bare.folder / ".venv").exists()


def test_file_that_is_gone(course):
    (course.folder / "requirements.txt").unlink()
    done = course.start()
    assert done.returncode == 1 and "requirements.txt" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@needs_sh
def test_damaged_pyproject_is_named(course):
    course.start()
    (course.folder / "pyproject.toml").write_text("[project\n")
    assert "pyproject.toml" in refusal(course.start())


# --- what was asked for ---------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(bare, flag):
    done = bare.start(flag)
    assert done.returncode == 0 and not done.stderr
    assert all(f"python3 start.py {verb}" in done.stdout for verb in ("test", "site", "laboratory"))


def test_unknown_verb(bare):
    assert "'tests'" in refusal(bare.start("tests"), exit_code=2)


@needs_sh
@pytest.mark.parametrize("who, flags", [(AS_ROOT, ["--allow-root"]), (AS_READER, [])])
def test_lab_opens_at_the_first_page(course, who, flags):
    options = ["--no-browser", "--port=8890"]
    assert course.start(*options, prepare=who).returncode == 0
    assert course.note("python") == ["-m", "jupyterlab", FIRST_PAGE, *flags, *options]
    assert course.note("folder") == [str(course.folder)]


@needs_sh
def test_test_hands_its_options_to_pytest(course, tmp_path):
    options = ["-k", "one or two", "--help"]
    assert course.start("test", *options, cwd=tmp_path).returncode == 0
    assert course.note("python") == ["-m", "pytest", *options]
    assert course.note("folder") == [str(course.folder)]


@needs_sh
def test_site_hands_its_options_to_sphinx(course, tmp_path):
    assert course.start("site", "--quiet", cwd=tmp_path).returncode == 0
    module, program, *words = course.note("python")
    assert (module, program, words[-3:]) == ("-m", "sphinx", [".", "build/site", "--quiet"])
    assert "--fail-on-warning" in words
    assert course.note("folder") == [str(course.folder)]


@needs_sh
def test_laboratory_hands_its_options_to_the_module(course, tmp_path):
    assert course.start("laboratory", "--no-browser", cwd=tmp_path).returncode == 0
    assert course.note("python") == ["-m", "vit_minimal.laboratory", "--no-browser"]
    assert course.note("folder") == [str(course.folder)]


@needs_sh
@pytest.mark.parametrize("words", [(), ("test",), ("site",), ("laboratory",)])
def test_exit_code_is_the_program_s(course, words):
    assert course.start(*words, PROGRAM_EXIT="7").returncode == 7


@needs_sh
def test_no_stdin(course):
    invocation = course.invocation(["test"])
    invocation["args"] = ["sh", "-c", 'exec "$@" <&-', "sh", *invocation["args"]]
    assert subprocess.run(**invocation, capture_output=True, check=False).returncode == 0


@needs_sh
def test_what_the_caller_has_active_is_left_behind(course, tmp_path):
    others = {"VIRTUAL_ENV": "/other", "CONDA_PREFIX": "/other", "PYTHONPATH": str(tmp_path)}
    nobodys = str(tmp_path / "no such home")
    course.start("test", **others, HOME=nobodys)
    variables = dict(line.partition("=")[::2] for line in course.note("variables"))
    assert variables["VIRTUAL_ENV"] == str(course.folder / ".venv")
    assert variables["PATH"].startswith(str(course.folder / ".venv" / "bin") + ":")
    assert not {"CONDA_PREFIX", "PYTHONPATH"} & set(variables)
    assert os.access(variables["HOME"], os.W_OK)


@needs_sh
@pytest.mark.parametrize("given", ["my data", "../sets", "~/sets", "/sets"])
def test_folder_for_the_data_is_the_one_that_the_caller_means(course, tmp_path, given):
    done = course.start("test", cwd=tmp_path, VIT_MINIMAL_DATA=given)
    assert done.returncode == 0, done.stderr
    variables = dict(line.partition("=")[::2] for line in course.note("variables"))
    meant = given.replace("~", str(course.notes))  # its HOME
    assert variables["VIT_MINIMAL_DATA"] == os.path.abspath(tmp_path / meant)


# --- when something is installed ------------------------------------------------------------------


@needs_sh
def test_first_start_installs_and_the_next_one_does_not(course):
    first = course.start("test")
    environment, packages = course.note("uv")[-2:]
    venv = course.folder / ".venv"
    assert "First start" in first.stderr and "GB to download" in first.stderr
    assert environment.startswith("venv ") and environment.endswith(f" {venv}")
    assert packages.startswith(f"pip install --python {venv / 'bin' / 'python'} ")
    assert "-r requirements.txt -e .[course,test]" in packages
    settings = venv / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert '"fetchNews": "false"' in settings.read_text()

    (course.tools / "uv").unlink()
    second = course.start("test")
    assert (second.returncode, second.stderr) == (0, "")


# What stands in pyproject.toml, and what a change puts in its place
OTHER_PROJECTS = {
    "dependencies": ('"torch>=', '"torch>2.'),
    "extra": ('"jupyterlab>=', '"jupyterlab>4.'),
    "python": ('requires-python = ">=', 'requires-python = ">3.'),
    "build": ('requires = ["hatchling', 'requires = ["editables", "hatchling'),
}
SAME_PROJECTS = {
    "ruff": ("line-length = 100", "line-length = 99"),
    "pytest": ('addopts = "', 'addopts = "-q '),
    "address": ("https://github.com/OWNER/REPOSITORY", "https://github.com/somebody/course"),
    "comment": ("[project]", "# what is installed\n[project]"),
}


def change_project(course, old, new):
    path = course.folder / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def fingerprint(course):
    """What start.py compares with the stamp, without starting anything."""
    return runpy.run_path(str(course.folder / "start.py"), run_name="start")["fingerprint"]()


@pytest.mark.parametrize("change", OTHER_PROJECTS)
def test_another_dependency_is_another_installation(bare, change):
    before = fingerprint(bare)
    change_project(bare, *OTHER_PROJECTS[change])
    assert fingerprint(bare) != before


@pytest.mark.parametrize("change", SAME_PROJECTS)
def test_a_setting_that_installs_nothing_leaves_the_installation(bare, change):
    before = fingerprint(bare)
    change_project(bare, *SAME_PROJECTS[change])
    assert fingerprint(bare) == before


@needs_sh
@pytest.mark.parametrize("change", ["requirements", "project", "folder", "python", "unfinished"])
def test_whatever_it_depends_on_changes_it_is_made_anew(course, change):
    course.start()
    leftover = course.folder / ".venv" / "leftover"
    leftover.touch()
    prepare = ""
    if change == "requirements":
        with (course.folder / "requirements.txt").open("a") as pins:
            pins.write("six==1.17.0\n")
    elif change == "project":
        change_project(course, *OTHER_PROJECTS["dependencies"])
    elif change == "folder":
        course.folder = course.folder.rename(course.folder.with_name("moved"))
        course.stamp = course.folder / ".venv" / "complete"
        leftover = course.folder / ".venv" / "leftover"
    elif change == "python":
        prepare = "sys.version_info = (3, 99, 0, 'final', 0)"
    else:
        course.stamp.unlink()
    again = course.start(prepare=prepare)
    assert "making it anew" in again.stderr and len(course.note("uv")) == 6
    assert course.stamp.exists() and not leftover.exists()


@needs_sh
def test_a_setting_that_installs_nothing_starts_at_once(course):
    course.start("test")
    for old, new in SAME_PROJECTS.values():
        change_project(course, old, new)
    (course.tools / "uv").unlink()
    again = course.start("test")
    assert (again.returncode, again.stderr) == (0, "")


@needs_sh
def test_half_removed_installation_is_never_taken_for_whole(course):
    course.start()
    removal_cut_short = "shutil.rmtree = lambda folder: sys.exit('cut short')"
    course.start(prepare=f"sys.version_info = (3, 99, 0, 'final', 0); {removal_cut_short}")
    assert not course.stamp.exists()


@needs_sh
def test_network_is_asked_only_for_what_uv_has_not_kept(course):
    course.start("test", OFFLINE_EXIT="1")
    offline, online = course.note("uv")[-2:]
    assert offline == f"{online} --offline"
    assert course.stamp.exists()


@needs_sh
def test_failed_installation_is_said_and_repaired(course):
    failed = course.start("test", OFFLINE_EXIT="1", PIP_EXIT="2")
    assert (
        "could not be installed" in refusal(failed) and "later starts work offline" in failed.stderr
    )
    assert not course.stamp.exists() and not course.note("python")
    assert course.start("test").returncode == 0
    assert course.stamp.exists()


@needs_sh
def test_interrupted_installation_ends_quietly_and_is_repaired(course):
    # Where the tests run in the background, interrupts may be ignored: here they are not.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    slow = course.invocation(["test"], prepare=heard, OFFLINE_EXIT="1", PIP_SECONDS="10")
    with (course.notes / "said").open("w") as said:
        running = subprocess.Popen(**slow, stderr=said, start_new_session=True)
    deadline = time.monotonic() + 30
    while len(course.note("uv")) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=30) == 130
    assert course.note("said")[-1] == "Interrupted."
    assert "Traceback" not in "".join(course.note("said"))
    assert not course.stamp.exists()
    assert course.start("test").returncode == 0
