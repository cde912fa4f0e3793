"""Build the notebooks from their percent-format sources.

    python notebooks/build.py              build and execute all
    python notebooks/build.py 01 03        build and execute those whose names begin so
    python notebooks/build.py --prose 01   copy the text cells only, if no code cell has changed
    python notebooks/build.py --check      build nothing; fail if a notebook is out of step

A saved notebook is its source, executed from top to bottom at the quick budget on Shapes-10, so
that anybody can make the same one without network and none shows a CIFAR-10 image.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from vit_minimal.runtime import describe_run

NOTEBOOKS = Path(__file__).resolve().parent
TIMES = NOTEBOOKS.parent / "data" / "results" / "notebook_times.json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def convert(source):
    """The notebook of a source file, not yet executed."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(METADATA)
    for index, cell in enumerate(notebook.cells):
        # the same at every build, so that a diff shows what changed
        cell.id = hashlib.sha1(f"{source.stem}/{index}".encode()).hexdigest()[:8]
    return notebook


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
    """Whether the saved notebook holds what its source says."""
    target = NOTEBOOKS / f"{source.stem}.ipynb"
    return target.exists() and content(nbformat.read(target, 4)) == content(convert(source))


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
        return
    times = json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.exists() else {}
    for source in sources:
        notebook = convert(source)
        seconds = execute(notebook, source.stem)
        nbformat.write(notebook, NOTEBOOKS / f"{source.stem}.ipynb")
        times[source.stem] = describe_run() | {"budget": "quick", "seconds": round(seconds)}
    TIMES.parent.mkdir(parents=True, exist_ok=True)
    TIMES.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
