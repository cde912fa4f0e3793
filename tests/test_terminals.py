"""Terminals that cannot show every character lose none of a run; files are UTF-8 everywhere."""

import ast
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import build
from checks import check
from vit_minimal import check_machine, patchify
from vit_minimal.data import __main__ as data
from vit_minimal.experiments import Summary, as_table
from vit_minimal.experiments import __main__ as experiments
from vit_minimal.terminal import print_plainly, say
from vit_minimal.training import __main__ as training

ROOT = Path(__file__).resolve().parents[1]


class Terminal(io.TextIOWrapper):
    """Standard output in an encoding that refuses what it has no character for."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")

    def shown(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture(params=["ascii", "cp1252", "cp437", "koi8-r"])
def terminal(request):
    return Terminal(request.param)


# --- what is printed ------------------------------------------------------------------------------


def test_marks_have_a_plain_form_where_a_terminal_lacks_them(monkeypatch):
    for encoding, expected in (
        ("ascii", "ok x - ... 3 x 3 +-1 a->b ?? ?"),
        ("cp1252", "ok x · … 3 × 3 ±1 a->b ?? ?"),
        ("utf-8", "✓ ✗ · … 3 × 3 ±1 a→b 猫ε ?"),  # but for half a character, which no text may hold
    ):
        terminal = Terminal(encoding)
        monkeypatch.setattr(sys, "stdout", terminal)
        say("✓ ✗ · … 3 × 3 ±1 a→b 猫ε \udce9")
        assert terminal.shown() == expected + "\n"


class Notebook:
    """As little of a stream as a host may give: neither an encoding nor a way to change it."""

    def __init__(self):
        self.written = ""

    def write(self, text):
        self.written += text

    def flush(self):
        pass


@pytest.mark.parametrize("stream", [io.StringIO(), Notebook(), None])
def test_streams_without_an_encoding_get_everything(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    print_plainly()
    say("✓ 猫")
    if stream:
        assert getattr(stream, "written", "") + getattr(stream, "getvalue", str)() == "✓ 猫\n"


def test_machine_check_reaches_its_end(terminal, monkeypatch, tmp_path):
    (tmp_path / "猫 → été").touch()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert check_machine(tmp_path / "猫 → été") is False
    marks = [line.split()[0] for line in terminal.shown().splitlines()]
    assert len(marks) >= 6 and set(marks) == {"ok", "!"}


def test_checks_reach_their_end(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal)
    for exercise in (check.patchify, check.attention_weights, check.patch_of_pixel):
        monkeypatch.setattr(exercise, "state", "open")
        for answer in ("✓ 猫 …", lambda *_: "→", KeyError("→"), ..., exercise.reference):
            exercise(answer)
    marks = [line.split()[0] for line in terminal.shown().splitlines() if line]
    assert marks.count("x") == 9 and set(marks) & {"-", "·"}
    check.patchify(lambda images, patch_size: patchify(images, patch_size))
    assert f"\nok {check.patchify.number}" in terminal.shown()
    for number in ("00", "01", "03", "07"):
        check.board(number)
    assert terminal.shown().count("minutes left") == 4


def test_tables_of_experiments_reach_their_end(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal)
    print_plainly()
    print(as_table({"P = 8, 4 × the epochs": Summary([0.5, 0.6], 0.55, 0.1, 0.0, 0.0, 0.01)}))
    assert "55.0" in terminal.shown()


@pytest.mark.parametrize(
    "program", [training, experiments, data], ids=lambda module: module.__name__
)
def test_programs_print_plainly_from_their_start(program, terminal, monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit) as end:
        program.main(["--help"])
    assert end.value.code == 0 and "usage: python -m" in terminal.shown()
    print("✓ 猫 \udce9")
    assert terminal.shown().endswith("ok ? ?\n")


# --- whole programs -------------------------------------------------------------------------------

PROGRAM = """
import sys
from checks import check
from vit_minimal import check_machine, data, shapes10
from vit_minimal.training import __main__ as training

check_machine(sys.argv[1])
check.board("03")
check.patchify(lambda images, patch_size: "✗ 猫")
data.shapes10 = lambda n, seed: shapes10(n // 100, seed)  # fewer
model = ["model.patch_size=16", "model.embed_dim=24", "model.depth=1"]
words = ["--recipe", "quick", "--dataset", "shapes10", "--epochs", "1", "--name", sys.argv[2]]
training.main([*words, "--set", *model, "--record", sys.argv[3]])
training.main([*words, "--resume"])
training.main([*words, "--resume", "--name", sys.argv[4]])
"""
POOR = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Windows": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
}


def in_terminal(poor, *words, **variables):
    """What a program says and how it ends, in one of the terminals in POOR."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env["PYTHONPATH"] = os.pathsep.join(map(str, [ROOT, ROOT / "notebooks" / "exercises"]))
    return subprocess.run(
        [sys.executable, *words],
        env=env | POOR[poor] | variables,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


@pytest.mark.parametrize("poor", ["C", "Windows"])
def test_a_run_is_not_lost_to_the_terminal(poor, tmp_path):
    folder = tmp_path / "猫 … été"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    record = tmp_path / "… →" / "figures.json"
    words = [program, folder, "✓ mine", record, "… → 猫"]
    done = in_terminal(poor, *words, VIT_MINIMAL_DATA=str(folder))
    *lines, refusal = done.stderr.splitlines()
    assert done.returncode == 1 and not lines, done.stderr
    assert "no state of a run" in refusal and "VIT_MINIMAL_DATA" not in refusal
    said = done.stdout
    assert "ok torch" in said and "minutes left" in said and "x 1." in said
    assert "epoch 1/1" in said and "model saved as" in said and "is finished" in said
    assert (folder / "runs" / "✓ mine.safetensors").exists()
    assert record.exists()


@pytest.mark.parametrize("poor", POOR)
def test_start_says_what_is_wrong_in_any_terminal(poor, tmp_path):
    course = tmp_path / "猫 … été"
    course.mkdir()
    shutil.copy(ROOT / "start.py", course)
    for content, words, named in (
        ("[project", [], "pyproject.toml cannot be read"),
        (None, [], "pyproject.toml"),
        ("", ["→ 猫"], "does not know"),
    ):
        if content is not None:
            (course / "pyproject.toml").write_text(content, encoding="utf-8")
        else:
            (course / "pyproject.toml").unlink()
        (course / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        for name in ("bin/python", "complete"):
            (course / ".venv" / name).touch()
        done = in_terminal(poor, course / "start.py", *words)
        assert done.returncode != 0 and not done.stdout
        assert named in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


# --- files ----------------------------------------------------------------------------------------

FOLDERS = ("vit_minimal", "notebooks/exercises/checks", "benchmarks", "site")
SCRIPTS = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
SCRIPTS += [ROOT / "start.py", *sorted((ROOT / "notebooks").glob("*.py"))]


def in_the_encoding_of_the_machine(code):
    """The lines that read or write text without saying in which encoding."""
    for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        mode = named.get("mode", call.args[1] if len(call.args) > 1 else None)
        opens_text = isinstance(call.func, ast.Name) and name == "open"
        opens_text = opens_text and not (mode and "b" in ast.unparse(mode))
        says_so = "encoding" in named or (name == "read_text" and call.args)
        if (opens_text or name in ("read_text", "write_text") or "text" in named) and not says_so:
            yield call.lineno


@pytest.mark.parametrize(
    "code",
    [
        "open(path)",
        "open(path, 'w')",
        "path.read_text()",
        "path.write_text(content)",
        "subprocess.run(words, text=True)",
    ],
)
def test_a_line_that_forgets_the_encoding_is_found(code):
    assert list(in_the_encoding_of_the_machine(code)) == [1]


def test_files_are_utf8_on_every_machine():
    assert len(SCRIPTS) > 50
    code = {path: path.read_text(encoding="utf-8") for path in SCRIPTS}
    code[ROOT / "the set-up cell"] = build.set_up()
    found = {path: list(in_the_encoding_of_the_machine(text)) for path, text in code.items()}
    assert not {str(path): lines for path, lines in found.items() if lines}
