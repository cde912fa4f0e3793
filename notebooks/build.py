"""Build the notebooks, and their exercises, from percent-format sources.

    python notebooks/build.py              build and execute all
    python notebooks/build.py 01 03        build and execute those whose names begin so
    python notebooks/build.py --prose 01   copy text and set-up cells, if no other cell has changed
    python notebooks/build.py --check      build nothing; fail if a notebook is out of step

A saved notebook is its source, executed from top to bottom at the quick budget on Shapes-10, so
that anybody can make the same one without network and none shows a CIFAR-10 image.

Of the same source an exercise notebook is made, which is not executed. Cells tagged `exercise:NAME`
belong to it: a text cell states the exercise, the code cell after it holds the solution. A code cell
that is tagged `exercise-only` is left out of the tutorial, as are the texts; others stand in both. A source
of which all cells are such, as that of the capstone, makes exercises and no tutorial. One that is tagged
`shows` as well is left out where tests run the cells that an exercise stands on.
What is between the two markers is replaced in the exercise by the comment lines below the first:

    # solution
    # | return ...  # your code
    return queries @ keys.mT
    # end of solution

Paragraphs that begin with "Hint: " or "Solution: " are folded, and so is the code of cells tagged
`hide-input`, which only draw.

Figures stand in the sources as placeholders, which are filled from data/results: figures.py says how.
README.md and data/README.md are made so too, from source/README.md and source/data_README.md.

Below the title of every notebook come a badge that opens it in Colab and a set-up cell. The address
that both name is the Repository in pyproject.toml; --prose writes a new one into all notebooks.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

from vit_minimal.records import describe_run

NOTEBOOKS = Path(__file__).resolve().parent
sys.path.insert(0, str(NOTEBOOKS / "exercises"))
from checks import EXERCISES
from checks.engine import Piece
from figures import fill

DOCUMENTS = {  # what is made, and of what
    NOTEBOOKS.parent / "README.md": NOTEBOOKS / "source" / "README.md",
    NOTEBOOKS.parent / "data" / "README.md": NOTEBOOKS / "source" / "data_README.md",
}
TIMES = NOTEBOOKS.parent / "data" / "results" / "notebook_times.json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# What makes Colab and Kaggle offer a GPU, for the notebooks that train for more than some seconds
WITH_GPU = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4"},
    "kaggle": {"accelerator": "nvidiaTeslaT4", "isGpuEnabled": True, "isInternetEnabled": True},
}
TRAINING = ("00", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17")

PROJECT = tomllib.loads((NOTEBOOKS.parent / "pyproject.toml").read_text(encoding="utf-8"))
ADDRESS = PROJECT["project"]["urls"]["Repository"]
# Short, because an editor such as VS Code, and GitHub, show all of it
SET_UP = """\
# @title Set-up: run this cell and read on
import os
import sys
from importlib.util import find_spec
from subprocess import getstatusoutput

if not find_spec("vit_minimal"):  # in Colab and Kaggle: install this package, and nothing else
    commands = [f'"{sys.executable}" -m pip install --quiet --no-deps --editable vit-minimal']
    if not os.path.isdir("vit-minimal"):
        FETCH
    for command in commands:
        status, said = getstatusoutput(command, encoding="utf-8", errors="replace")
        if status:
            raise RuntimeError(f"{command} failed: {said}")
    sys.path.insert(0, os.path.abspath("vit-minimal"))
notebooks = os.path.join(os.path.dirname(find_spec("vit_minimal").origin), "..", "notebooks")
sys.path.insert(0, os.path.join(notebooks, "exercises"))  # where the checks lie
if os.path.isdir(notebooks) and not os.path.isdir("../data/results"):
    os.chdir(notebooks)  # where the paths in the cells begin
"""
FETCH = 'commands.insert(0, "git clone --quiet --depth=1 ADDRESS vit-minimal")'
NO_ADDRESS = """\
raise ModuleNotFoundError(
            "The package vit_minimal is not here, and this copy of the course does not know the "
            "address to fetch it from. Start the course with `python3 start.py`, or upload it as a "
            "ZIP file, unpack that beside this notebook as vit-minimal, and run this cell again."
        )"""
# Whatever shows a notebook is told, in its own way, to fold the cell: JupyterLab; Colab, which shows
# its title; Kaggle; the site, Jupyter Book and Quarto. For nbconvert hide-input is a tag to leave out.
FOLDED = {
    "jupyter": {"source_hidden": True},
    "cellView": "form",
    "_kg_hide-input": True,
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


def read_source(source):
    """The cells of a source file, with the figures in its text. ValueError names one that cannot be."""
    cells = jupytext.read(source).cells
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = filled(cell.source, source)
    return cells


def filled(text, source):
    """A text with its figures. ValueError names the source of one that cannot be filled."""
    try:
        return fill(text)
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from error


def convert(source):
    """The tutorial of a source file, not yet executed."""
    cells = [cell for cell in read_source(source) if in_tutorial(cell)]
    for cell in cells:
        cell.source = with_solution(cell.source)
        if tags := [tag for tag in tags_of(cell) if not tag.startswith("exercise")]:
            cell.metadata.tags = tags
            cell.metadata |= nbformat.from_dict(FOLDED if "hide-input" in tags else {})
        else:
            cell.metadata.pop("tags", None)
    return finished(cells, source.stem)


def set_up(address=ADDRESS):
    """The code of the set-up cell, for a course that lies at this address."""
    fetch = NO_ADDRESS if "OWNER" in address else FETCH.replace("ADDRESS", address)
    return SET_UP.replace("FETCH", fetch).rstrip("\n")


def badge(name, address=ADDRESS, folder=""):
    """A link that opens a notebook in Colab; `name` is its place below notebooks/, and `folder`
    leads from where the link stands to the picture of it.
    """
    colab = "https://colab.research.google.com/"
    if "OWNER" not in address:
        repository = address.removeprefix("https://github.com/")
        colab += f"github/{repository}/blob/main/notebooks/{name}.ipynb"
    return f"[![Open in Colab]({folder}open-in-colab.svg)]({colab})"


def document(source):
    """What README.md or data/README.md should hold."""
    made = f"notebooks/source/{source.name}"
    text = filled(source.read_text(encoding="utf-8"), source)
    return f"<!-- Made from {made} by notebooks/build.py: change that file. -->\n\n{text}"


def finished(cells, name):
    """A notebook of these cells, with badge and set-up; `name` is its place below notebooks/."""
    title, _, rest = cells[0].source.partition("\n")
    up = "../" * name.count("/")
    cells[0].source = f"{title}\n\n{badge(name, folder=up)}\n{rest}"
    cells.insert(
        1,
        nbformat.v4.new_code_cell(
            set_up(), metadata=nbformat.from_dict({"tags": ["set-up", "hide-input"]} | FOLDED)
        ),
    )
    metadata = METADATA | (WITH_GPU if Path(name).name.startswith(TRAINING) else {})
    notebook = nbformat.v4.new_notebook(metadata=nbformat.from_dict(metadata), cells=cells)
    for index, cell in enumerate(cells):
        # the same at every build, so that a diff shows what changed
        cell.id = hashlib.sha1(f"{name}/{index}".encode()).hexdigest()[:8]
    return notebook


def tags_of(cell):
    return cell.metadata.get("tags", [])


def exercise_of(cell):
    """The name of the exercise that a cell belongs to, or None."""
    names = [tag.removeprefix("exercise:") for tag in tags_of(cell) if tag.startswith("exercise:")]
    return names[0] if names else None


def has_tutorial(source):
    """Whether a source is more than exercises."""
    return any(map(in_tutorial, jupytext.read(source).cells))


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
    for cell in read_source(source):
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
    """Run all cells in a fresh kernel, keep what they print and draw, and return the seconds it took."""
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
    notebook.metadata["language_info"] = METADATA["language_info"]  # not this Python's version
    lighten(notebook)
    return time.perf_counter() - start


def lighter(png):
    """The same picture, a PNG as bytes, with a palette of 256 colours. It takes a third of the room.
    Where that could be seen, as with coloured noise, it keeps all colours.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    palette = picture.quantize(256, dither=Image.Dither.NONE)
    was, now = (np.asarray(each.convert("RGB"), dtype=int) for each in (picture, palette))
    seen = np.quantile(np.abs(was - now), 0.995) > 24  # of 255
    file = io.BytesIO()
    (picture if seen else palette).save(file, "PNG", optimize=True)
    return min(png, file.getvalue(), key=len)


def lighten(notebook):
    """Make the pictures of an executed notebook lighter, in place."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                png = lighter(base64.b64decode(data["image/png"]))
                data["image/png"] = base64.b64encode(png).decode() + "\n"


def content(notebook):
    """What a source decides: of each cell its kind, text and tags."""
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def is_in_step(source):
    """Whether the saved notebook and its exercises hold what their source says."""
    made = {NOTEBOOKS / "exercises" / f"{source.stem}.ipynb": exercise_notebook}
    if has_tutorial(source):
        made[NOTEBOOKS / f"{source.stem}.ipynb"] = convert
    return all(
        target.exists() and content(nbformat.read(target, 4)) == content(make(source))
        for target, make in made.items()
    )


def stale_documents():
    """Those of README.md and data/README.md that do not hold what their sources say."""
    return [
        made
        for made, source in DOCUMENTS.items()
        if not made.exists() or made.read_text(encoding="utf-8") != document(source)
    ]


def write_exercises(source):
    target = NOTEBOOKS / "exercises" / f"{source.stem}.ipynb"
    target.parent.mkdir(exist_ok=True)
    nbformat.write(exercise_notebook(source), target)


def compared(cell):
    """What a code cell must have kept for its saved output to hold."""
    return "set-up" if "set-up" in tags_of(cell) else (cell.source, tags_of(cell))


def copy_prose(source):
    """Bring text and set-up cells up to date; leave the others, and what they printed, alone."""
    target = NOTEBOOKS / f"{source.stem}.ipynb"
    saved, fresh = nbformat.read(target, 4), convert(source)
    new, old = ([c for c in n.cells if c.cell_type == "code"] for n in (fresh, saved))
    if [compared(cell) for cell in new] != [compared(cell) for cell in old]:
        sys.exit(f"{source.stem}: code cells have changed, it must be executed")
    for cell, executed in zip(new, old, strict=True):
        cell.execution_count, cell.outputs = executed.execution_count, executed.outputs
    nbformat.write(fresh, target)


def record_time(name, seconds):
    """Note how long a notebook took: one record for each precision, on which most depends."""
    times = json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.exists() else {}
    run = describe_run() | {"budget": "quick", "seconds": round(seconds)}
    times.setdefault(run["precision"], {})[name] = run
    TIMES.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="name", help="how the names begin; else all")
    parser.add_argument("--check", action="store_true", help="fail if a notebook is out of step")
    help_text = "record how long each takes: on a quiet machine, with one thread or with two"
    parser.add_argument("--times", action="store_true", help=help_text)
    help_text = "copy text and set-up cells only; fail if another cell has changed"
    parser.add_argument("--prose", action="store_true", help=help_text)
    options = parser.parse_args()
    sources = sorted((NOTEBOOKS / "source").glob("*.py"))
    for name in options.names:
        if not any(source.stem.startswith(name) for source in sources):
            known = ", ".join(source.stem for source in sources)
            parser.error(f"no notebook begins with {name!r}: there are {known}")
    sources = [s for s in sources if s.stem.startswith(tuple(options.names or [""]))]
    try:
        if options.check:
            stale = [source.stem for source in sources if not is_in_step(source)]
            stale += [str(made.relative_to(NOTEBOOKS.parent)) for made in stale_documents()]
            remedy = "run notebooks/build.py, with --prose where only text has changed"
            sys.exit(f"out of step, {remedy}: {', '.join(stale)}" if stale else 0)
        for source in sources:
            if has_tutorial(source) and options.prose:
                copy_prose(source)
            elif has_tutorial(source):
                notebook = convert(source)
                seconds = execute(notebook, source.stem)
                nbformat.write(notebook, NOTEBOOKS / f"{source.stem}.ipynb")
                if options.times:
                    record_time(source.stem, seconds)
            write_exercises(source)
        for made in stale_documents():  # after the notebooks, whose times they quote
            made.write_text(document(DOCUMENTS[made]), encoding="utf-8")
        if options.times:
            print("Notebooks quote these times too: now run notebooks/build.py --prose")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
