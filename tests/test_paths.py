"""Paths mean what a shell means, and a folder that cannot be written to is said before the work."""

import ast
import errno
import os
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
import torch

import build
from vit_minimal import check_machine
from vit_minimal.data import SHAPES10_CLASSES, Dataset, data_root
from vit_minimal.experiments import EXPERIMENTS, Experiment, Setting, run_experiment, runs
from vit_minimal.experiments import __main__ as experiments
from vit_minimal.explorer import Explorer
from vit_minimal.records import add_record, as_path, check_writable, read_records, write_whole
from vit_minimal.training import __main__ as training

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder, and a working directory beside it."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


# --- what a path means ----------------------------------------------------------------------------


def test_a_path_is_read_as_a_shell_reads_it(home):
    assert as_path("~") == home
    assert as_path("~/a b/c") == as_path(Path("~/a b/c")) == home / "a b" / "c"
    for unchanged in ("a", "../a", "a/~", "./~", "/a", "", "~nobody-is-called-so/a"):
        assert as_path(unchanged) == Path(unchanged)


def write(path):
    write_whole(path, lambda unfinished: unfinished.write_bytes(b"new"))


def record(path):
    add_record(path, {"seed": 3})
    assert [figures["seed"] for figures in read_records(path)] == [3]


def save_page(path):
    Explorer("<p>Hello").save(path)


@pytest.mark.parametrize("use", [write, record, save_page])
@pytest.mark.parametrize("path", ["~/a/file.txt", "a/file.txt", "../home/a/file.txt"])
def test_what_is_written_lands_where_a_shell_would_look(use, path, home):
    use(path)
    folder = Path("a") if path.startswith("a") else home / "a"
    assert (folder / "file.txt").exists()
    assert not Path("~").exists()


@pytest.mark.parametrize("path", ["~/sets", Path("~/sets"), "sets", "../home/sets"])
def test_data_are_where_a_shell_would_look(path, home, monkeypatch):
    meant = Path(str(path).replace("~", str(home))).resolve()
    assert data_root(path).resolve() == meant
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(path))
    assert data_root().resolve() == meant
    monkeypatch.setenv("VIT_MINIMAL_DATA", "")  # as good as none
    assert data_root() == ROOT / "data"


def test_command_lines_take_paths_as_a_shell_does(home, monkeypatch):
    """Also where no shell has expanded them: --record=~/x, or a word in quotes."""
    given = []
    monkeypatch.setattr(training, "_train", lambda recipe, device, options: given.append(options))
    training.main(["--record=~/figures.json"])
    assert given[0].record == home / "figures.json"
    monkeypatch.setattr(experiments, "load_dataset", lambda name: None)
    monkeypatch.setattr(experiments, "run_experiment", lambda *words: given.append(words) or {})
    experiments.main(["pooling", "--folder=~/figures"])
    assert home / "figures" in given[1]


# --- folders that cannot be written to ------------------------------------------------------------


def no_room(**_):
    raise OSError(errno.ENOSPC, "No space left on device")


def not_allowed(**_):
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.fixture(params=["a file", "below a file", "of the system", "not allowed", "full"])
def unwritable(request, tmp_path, monkeypatch):
    """A folder that nobody can write to, not even root."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    if request.param == "of the system":
        if not Path("/proc/self").exists():
            pytest.skip("no /proc on this machine")
        return Path("/proc/vit_minimal")
    if request.param in ("not allowed", "full"):
        fault = no_room if request.param == "full" else not_allowed
        monkeypatch.setattr(tempfile, "TemporaryFile", fault)
        return tmp_path / "folder"
    return file if request.param == "a file" else file / "folder" / "folder"


def is_one_sentence(said, folder):
    """Whether it names the folder, the remedy and nothing of Python's."""
    assert str(folder) in said and "VIT_MINIMAL_DATA" in said, said
    return "\n" not in said and "Traceback" not in said and "None" not in said


def test_folder_that_cannot_be_written_to_is_named(unwritable):
    with pytest.raises(OSError) as error:
        check_writable(unwritable)
    assert is_one_sentence(str(error.value), unwritable)
    with pytest.raises(OSError) as error:
        add_record(unwritable / "figures.json", {})
    assert is_one_sentence(str(error.value), unwritable)


def test_folder_that_can_be_written_to_is_made_and_left_empty(home):
    check_writable("~/data/runs")
    check_writable("~/data/runs")
    assert list((home / "data").iterdir()) == [home / "data" / "runs"]
    assert not list((home / "data" / "runs").iterdir())


BLACK = Dataset(
    *(torch.zeros(9, 3, 32, 32, dtype=torch.uint8), torch.arange(9)) * 2,
    SHAPES10_CLASSES,
    "shapes10",
)


@pytest.fixture
def no_work(monkeypatch):
    """Neither data nor trainings: a fault has to be said before them."""
    for module, name in ((training, "load_dataset"), (training, "fit"), (runs, "_do")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("the work has begun"))
    monkeypatch.setattr(experiments, "load_dataset", lambda name: BLACK)


def test_training_says_so_before_it_begins(unwritable, no_work, monkeypatch):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(unwritable))
    with pytest.raises(SystemExit) as end:
        training.main(["--recipe", "quick"])
    assert is_one_sentence(end.value.code, unwritable / "runs")


def test_training_says_so_of_its_record_too(unwritable, no_work, monkeypatch, tmp_path):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path / "data"))
    with pytest.raises(SystemExit) as end:
        training.main(["--recipe", "quick", "--record", str(unwritable / "figures.json")])
    assert is_one_sentence(end.value.code, unwritable)


def test_record_that_is_a_folder_is_named_before_the_training(no_work, monkeypatch, tmp_path):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path / "data"))
    for path in (tmp_path, "", "/"):
        with pytest.raises(SystemExit) as end:
            training.main(["--recipe", "quick", "--record", str(path)])
        assert "is a folder" in end.value.code and "\n" not in end.value.code


def test_experiments_say_so_before_they_begin(unwritable, no_work, monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "one", Experiment({"plain": Setting()}))
    words = ["one", "--seeds", "1"]
    with pytest.raises(SystemExit) as end:
        experiments.main([*words, "--folder", str(unwritable)])
    assert is_one_sentence(end.value.code, unwritable)
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(unwritable))
    with pytest.raises(SystemExit) as end:
        experiments.main(words)
    assert is_one_sentence(end.value.code, unwritable / "runs")


def test_experiment_on_record_is_summed_up_where_nothing_can_be_written(unwritable, monkeypatch):
    monkeypatch.setattr(runs, "missing", lambda *_: [])
    assert run_experiment("pooling", dataset=BLACK, folder=unwritable) == {}


def test_machine_check_says_so(unwritable, capsys):
    assert check_machine(unwritable) is False
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "data:" in line]
    assert line.startswith("! ") and "VIT_MINIMAL_DATA" in line


# --- a notebook's kernel may be started anywhere --------------------------------------------------


def paths_in(notebook):
    """Paths of the course that the cells name, of f-strings what stands before the first brace."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "set-up" not in cell.metadata.get("tags", []):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Constant) and str(node.value).startswith("../"):
                    yield node.value


PATHS = {
    path
    for name in (ROOT / "notebooks").rglob("[0-9]*.ipynb")
    for path in paths_in(nbformat.read(name, 4))
}


@pytest.mark.parametrize("folder", [".", "notebooks", "notebooks/exercises", "data", "elsewhere"])
def test_cells_find_the_records_wherever_a_kernel_was_started(folder, monkeypatch, tmp_path):
    assert len(PATHS) >= 5
    monkeypatch.chdir(tmp_path if folder == "elsewhere" else ROOT / folder)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the cell adds to it
    exec(build.set_up(), {})  # noqa: S102
    assert [path for path in PATHS if not os.path.exists(path)] == []
    where = Path.cwd()
    exec(build.set_up(), {})  # noqa: S102 a reader may run the cell again
    assert Path.cwd() == where
