"""The exercises' checks are found wherever a notebook is opened, in Jupyter or in plain Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import build

ROOT = Path(__file__).resolve().parents[1]
CHECKS = ROOT / "notebooks" / "exercises" / "checks" / "__init__.py"


def run_after_set_up(code, folder):
    """What a fresh Python prints, started in a folder, that runs the set-up cell and then code."""
    without_ipython = 'import sys\nsys.modules["IPython"] = None'  # importing it raises an error
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PYTHONIOENCODING"] = "utf-8"
    done = subprocess.run(
        [sys.executable, "-c", f"{without_ipython}\n{build.set_up()}\n{code}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", [".", "notebooks", "notebooks/exercises", "elsewhere"])
def test_the_first_cell_of_a_notebook_makes_the_checks_importable(folder, tmp_path):
    (tmp_path / "checks.py").write_text("raise RuntimeError('a reader has a file of that name')")
    where = tmp_path if folder == "elsewhere" else ROOT / folder
    found = run_after_set_up("print(find_spec('checks').origin)", where)
    assert Path(found.strip()).samefile(CHECKS)


def test_a_check_runs_in_plain_python_far_from_the_course(tmp_path):
    said = run_after_set_up("from checks import check\ncheck.board('01')", tmp_path)
    assert "1.2" in said and "0 of 5 solved" in said
