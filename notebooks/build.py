"""Build the notebooks, and their exercises, from percent-format sources.

    python notebooks/build.py              build and execute all
    python notebooks/build.py 01 03        build and execute those whose names begin so
    python notebooks/build.py --prose 01   copy text cells, if no code cell of the tutorial has changed
    python notebooks/build.py --check      build nothing; fail if a notebook is out of step

A saved notebook is its source, executed from top to bottom at the quick budget on Shapes-10, so
that anybody can make the same one without network and none shows a CIFAR-10 image.

Of the same source an exercise notebook is made, which is not executed. Cells tagged `exercise:NAME`
belong to it: a text cell states the exercise, the code cell after it holds the solution. A code cell
that is tagged `exercise-only` is left out of the tutorial, as are the texts; others stand in both.
What is between the two markers is replaced in the exercise by the comment lines below the first:

    # solution
    # | return ...  # your code
    return queries @ keys.mT
    # end of solution

Paragraphs that begin with "Hint: " or "Solution: " are folded.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from vit_minimal.checks import EXERCISES
from vit_minimal.checks.engine import Piece
from vit_minimal.runtime import describe_run

NOTEBOOKS = Path(__file__).resolve().parent
TIMES = NOTEBOOKS.parent / "data" / "results" / "notebook_times.json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


SOLUTION = re.compile(
    r"^ *# solution\n(?P<blank>(?: *# \|[^\n]*\n)*)(?P<code>.*?)^ *# end of solution(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
HOW_IT_WORKS = """\
Write your code where `...` stands, or repair what is there; run the cell, then the check below it. \
It tries your code on odd shapes and says what is wrong. **Not solved? Go on:** \
`name = check.name(name)` hands on your version if it is right, else the course's own, and later \
cells use that. Hints and solutions are folded; ★ is easy, ★★★ takes a while. To check a piece \
again, run its two cells again."""


def convert(source):
    """The tutorial of a source file, not yet executed."""
    notebook = jupytext.read(source)
    cells = [cell for cell in notebook.cells if in_tutorial(cell)]
    for cell in cells:
        cell.source = with_solution(cell.source)
        if tags := [tag for tag in tags_of(cell) if not tag.startswith("exercise")]:
            cell.metadata.tags = tags
        else:
            cell.metadata.pop("tags", None)
    return finished(cells, source.stem)


def finished(cells, stem):
    notebook = nbformat.v4.new_notebook(metadata=nbformat.from_dict(METADATA), cells=cells)
    for index, cell in enumerate(cells):
        # the same at every build, so that a diff shows what changed
        cell.id = hashlib.sha1(f"{stem}/{index}".encode()).hexdigest()[:8]
    return notebook


def tags_of(cell):
    return cell.metadata.get("tags", [])


def exercise_of(cell):
    """The name of the exercise that a cell belongs to, or None."""
    names = [tag.removeprefix("exercise:") for tag in tags_of(cell) if tag.startswith("exercise:")]
    return names[0] if names else None


def in_tutorial(cell):
    only = "exercise-only" in tags_of(cell)
    return not only and not (cell.cell_type == "markdown" and exercise_of(cell))


def with_solution(code):
    return SOLUTION.sub(lambda match: match["code"], code).rstrip("\n")


def with_blank(code):
    def blank(match):
        return re.sub(r"^( *)# \| ?", r"\1", match["blank"], flags=re.MULTILINE)

    return SOLUTION.sub(blank, code).rstrip("\n")


def fold(summary, text):
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def exercise_notebook(source):
    """The exercises of a source file: statements, blanks, checks, folded solutions, the board."""
    cells, solution = [], ""
    for cell in jupytext.read(source).cells:
        name = exercise_of(cell)
        if cell.cell_type == "markdown" and name:
            statement, solution = statement_of(cell.source, EXERCISES[name])
            cells.append(nbformat.v4.new_markdown_cell(statement))
        elif name:
            source_code = re.sub(r"^# vit_minimal/.*\n", "", cell.source)  # not a file to edit
            code = nbformat.v4.new_code_cell(with_blank(source_code))
            code.metadata.tags = [f"exercise:{name}"]
            cells.append(code)
            hand_on = f"{name} = " if isinstance(EXERCISES[name], Piece) else ""
            cells.append(nbformat.v4.new_code_cell(f"{hand_on}check.{name}({name})"))
            shown = f"{solution}```python\n{with_solution(source_code)}\n```"
            cells.append(nbformat.v4.new_markdown_cell(fold("Solution", shown)))
        elif "exercise-only" in tags_of(cell):
            cell.metadata.pop("tags")
            cells.append(cell)
    number = source.stem[:2]
    minutes = [e.minutes for e in EXERCISES.values() if e.number.startswith(f"{int(number)}.")]
    length = f"{len(minutes)} exercises, about {sum(minutes)} minutes."
    cells[0].source += f"\n\n{length} {HOW_IT_WORKS}"
    cells.append(nbformat.v4.new_markdown_cell("## The board"))
    cells.append(nbformat.v4.new_code_cell(f'check.board("{number}")'))
    return finished(cells, f"exercises/{source.stem}")


def statement_of(text, exercise):
    """The text cell of an exercise, headed and with its hints folded, and what explains its solution."""
    stars = "★" * exercise.level + "☆" * (3 - exercise.level)
    lines = [f"## {exercise.number} · {exercise.title}\n\n{stars} · {exercise.minutes} minutes"]
    solution = ""
    for paragraph in re.split(r"\n\n+", text):
        if paragraph.startswith("Hint: "):
            number = sum("<summary>Hint" in line for line in lines) + 1
            lines.append(fold(f"Hint {number}", paragraph.removeprefix("Hint: ")))
        elif paragraph.startswith("Solution: "):
            solution = paragraph.removeprefix("Solution: ") + "\n\n"
        else:
            lines.append(paragraph)
    return "\n\n".join(lines), solution


def execute(notebook, name):
    """Run all cells in a fresh kernel, keep what they print, and return the seconds it took."""
    print(f"{name}: executing", flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as empty:  # whatever data sets lie on this machine
        os.environ.update(
            VIT_MINIMAL_BUDGET="quick", VIT_MINIMAL_DATASET="shapes10", VIT_MINIMAL_DATA=empty
        )
        NotebookClient(
            notebook,
            timeout=600,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)  # without the version of this Python
    return time.perf_counter() - start


def content(notebook):
    """What a source decides: of each cell its kind, text and tags."""
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def is_in_step(source):
    """Whether the saved notebook and its exercises hold what their source says."""
    return all(
        target.exists() and content(nbformat.read(target, 4)) == content(make(source))
        for target, make in (
            (NOTEBOOKS / f"{source.stem}.ipynb", convert),
            (NOTEBOOKS / "exercises" / f"{source.stem}.ipynb", exercise_notebook),
        )
    )


def write_exercises(source):
    target = NOTEBOOKS / "exercises" / f"{source.stem}.ipynb"
    target.parent.mkdir(exist_ok=True)
    nbformat.write(exercise_notebook(source), target)


def copy_prose(source):
    """Bring the text cells up to date and leave the code cells, and what they printed, alone."""
    target = NOTEBOOKS / f"{source.stem}.ipynb"
    saved, fresh = nbformat.read(target, 4), convert(source)
    new, old = ([c for c in content(n) if c[0] == "code"] for n in (fresh, saved))
    if new != old:
        sys.exit(f"{source.stem}: code cells have changed, it must be executed")
    executed = iter(cell for cell in saved.cells if cell.cell_type == "code")
    fresh.cells = [next(executed) if c.cell_type == "code" else c for c in fresh.cells]
    nbformat.write(fresh, target)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="name", help="how the names begin; else all")
    parser.add_argument("--check", action="store_true", help="fail if a notebook is out of step")
    help_text = "copy text cells only; fail if a code cell has changed"
    parser.add_argument("--prose", action="store_true", help=help_text)
    options = parser.parse_args()
    sources = sorted((NOTEBOOKS / "source").glob("*.py"))
    sources = [s for s in sources if s.stem.startswith(tuple(options.names or [""]))]
    if options.check:
        stale = [source.stem for source in sources if not is_in_step(source)]
        sys.exit(f"out of step, run notebooks/build.py: {', '.join(stale)}" if stale else 0)
    if options.prose:
        for source in sources:
            copy_prose(source)
            write_exercises(source)
        return
    times = json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.exists() else {}
    for source in sources:
        notebook = convert(source)
        seconds = execute(notebook, source.stem)
        nbformat.write(notebook, NOTEBOOKS / f"{source.stem}.ipynb")
        write_exercises(source)
        times[source.stem] = describe_run() | {"budget": "quick", "seconds": round(seconds)}
    TIMES.parent.mkdir(parents=True, exist_ok=True)
    TIMES.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
