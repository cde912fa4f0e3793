"""Answers to the exercises, run as a notebook runs them; for the tests of the checks."""

import ast
import contextlib
import io
import linecache
from functools import cache
from pathlib import Path

import jupytext

import build
from checks import EXERCISES

ROOT = Path(__file__).resolve().parents[1]


@cache
def sources():
    """{name: source} of all notebooks."""
    return {p.stem: jupytext.read(p) for p in sorted((ROOT / "notebooks/source").glob("*.py"))}


@cache
def code_of(name):
    """The code cell of an exercise in its source, and the notebook's exercise set-up before it."""
    for notebook in sources().values():
        setup = ""
        for cell in notebook.cells:
            tags = cell.metadata.get("tags", [])
            only = "exercise-only" in tags and "shows" not in tags  # which nothing else needs
            if cell.cell_type != "code":
                continue
            if build.exercise_of(cell) == name:
                return setup, cell.source
            if only and not build.exercise_of(cell):
                setup += cell.source + "\n"
    raise LookupError(name)


def run(name, code):
    """Run an exercise's cell as a notebook does; gives what is bound to the exercise's name."""
    setup, _ = code_of(name)
    names = {"__name__": "__main__"}
    exec(setup, names)  # noqa: S102
    number = EXERCISES[name].number.split(".")[0]
    names |= {
        e.name: getattr(e, "reference", ...)
        for e in EXERCISES.values()
        if e.number.startswith(number + ".")
    }
    file = f"<cell {hash(code)}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, file, "exec"), names)  # noqa: S102
    return names[name]


def verdict(name, answer):
    """What the check of an exercise prints, and what it hands on."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        handed_on = EXERCISES[name](answer)
    return said.getvalue(), handed_on


def with_methods(name, code):
    """The cell of an exercise that asks for a class, its methods replaced by those of some code.

    What else the code holds comes first. Code that defines the answer itself is left as it is.
    """
    tree = ast.parse(code)
    methods = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args][:1] == ["self"]
    }
    if not methods:
        return code
    solution = ast.parse(build.with_solution(code_of(name)[1]))
    (cls,) = (n for n in solution.body if isinstance(n, ast.ClassDef) and n.name == name)
    cls.body = [methods.pop(getattr(node, "name", ""), node) for node in cls.body]
    others = [n for n in tree.body if n not in cls.body and n not in methods.values()]
    assert not methods, f"{name} has no {', '.join(methods)}"
    return ast.unparse(ast.Module([*others, *solution.body], []))
