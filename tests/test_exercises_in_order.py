"""Each exercise notebook from its first cell to its last, as a reader who solves all of it runs it.

One name space, one exercise after the other: what an exercise hands on, the next ones use.
"""

import contextlib
import io
import linecache
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from answers import code_of, sources

import build
from checks import EXERCISES

ROOT = Path(__file__).resolve().parents[1]
WITH_EXERCISES = [
    name
    for name in sources()
    if any(e.number.startswith(f"{int(name[:2])}.") for e in EXERCISES.values())
]


def run_cell(code, names):
    """What a cell prints."""
    file = f"<cell {hash(code)}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, file, "exec"), names)  # noqa: S102
    plt.close("all")
    return said.getvalue()


@pytest.mark.parametrize("notebook", WITH_EXERCISES)
def test_each_blank_is_open_and_each_solution_right_once_all_before_it_are_solved(
    notebook, monkeypatch
):
    monkeypatch.chdir(ROOT / "notebooks" / "exercises")
    for exercise in EXERCISES.values():
        exercise.state = "open"
    number = int(notebook[:2])
    of = [e for e in EXERCISES.values() if e.number.startswith(f"{number}.")]
    names, open_ones = {"__name__": "__main__"}, iter(of)
    cells = build.exercise_notebook(ROOT / f"notebooks/source/{notebook}.py").cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    said, previous = "", None
    for cell in code:
        if build.exercise_of(cell):
            run_cell(cell.source, names)  # the blank
        elif previous is not None and build.exercise_of(previous):
            exercise = next(open_ones)
            before = dict(names)
            said = run_cell(cell.source, names)
            assert exercise.state == "open", said
            solution = build.with_solution(code_of(exercise.name)[1])
            names |= before
            run_cell(solution, names)
            said = run_cell(cell.source, names)
            assert exercise.state == "solved", said
        else:
            said = run_cell(cell.source, names)
        previous = cell
    assert f"{len(of)} of {len(of)} solved" in said
