"""The floors of the package: each imports only what stands below it.

The map in CONTRIBUTING.md says what stands on which floor, and is the only list that does. A new
module fails here until it is drawn there. What else that page names has to be there too.
"""

import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGE = "vit_minimal"


def name_of(path):
    """The full name of a module: vit_minimal.data of vit_minimal/data/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {name_of(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


def imported_names(name, path):
    """What a module imports: pairs of a full name and whether it waits until a function is called.

    `from a import b` gives a.b where that is a module, else a.
    """

    def names(node, waits):
        if isinstance(node, ast.Import):
            yield from ((alias.name, waits) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = node.module
            if node.level:
                package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                package = package[: len(package) - node.level + 1]
                start = ".".join([*package, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{start}.{alias.name}"
                yield (inner if inner in PATHS else start), waits
        waits = waits or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from names(child, waits)

    return set(names(ast.parse(path.read_text(encoding="utf-8")), waits=False))


IMPORTS = {name: imported_names(name, path) for name, path in PATHS.items()}


def of_the_package(name):
    """The modules of the package that a module imports, wherever it does so."""
    return {target for target, _ in IMPORTS[name] if target.partition(".")[0] == PACKAGE}


def unit(name):
    """What the map draws of a module: itself, its folder if it is in one, or a command line."""
    parts = name.split(".")[1:]
    return ".".join(parts if parts[-1:] == ["__main__"] else parts[:1])


def units_imported():
    """{unit: {imported unit: whether all of its modules wait with that until a call}}.

    vit_minimal/__init__.py is left out: it collects the public names and is not drawn.
    """
    drawn = PATHS.keys() - {PACKAGE}
    graph = {unit(name): {} for name in sorted(drawn)}
    for name in drawn:
        for target, waits in IMPORTS[name]:
            if target in drawn and unit(target) != unit(name):
                found = graph[unit(name)]
                found[unit(target)] = waits and found.get(unit(target), True)
    return graph


GRAPH = units_imported()


# --- the map --------------------------------------------------------------------------------------

NODE = re.compile(r'([\w.]+)(?:\["[^"]*"\])?')
ARROW = re.compile(r"([\w.]+) (-->|-\.->) ([\w.]+(?: & [\w.]+)*)")


def read_map():
    """The floors, lowest first, each the units that stand on it; and {(from, to): arrow}."""
    (text,) = re.findall(r"^```mermaid\n(.+?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    floors, arrows = {}, {}
    for line in map(str.strip, text.splitlines()):
        if heading := re.match(r"subgraph floor(\d+) ", line):
            floor = floors.setdefault(int(heading[1]), [])
        elif arrow := ARROW.fullmatch(line):
            for target in arrow[3].split(" & "):
                arrows[arrow[1], target] = arrow[2]
        elif (node := NODE.fullmatch(line)) and line != "end":
            floor.append(node[1])
    return [floors[number] for number in range(len(floors))], arrows


FLOORS, ARROWS = read_map()
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}


def worth_an_arrow():
    """{(from, to): arrow} for each import that no longer way of imports implies."""
    arrows, reached = {}, {}
    for name in TopologicalSorter(GRAPH).static_order():  # what is imported comes first
        implied = set().union(*(reached[other] for other in GRAPH[name]))
        reached[name] = implied | GRAPH[name].keys()
        for target in GRAPH[name].keys() - implied:
            arrows[name, target] = "-.->" if GRAPH[name][target] else "-->"
    return arrows


def test_every_module_stands_on_one_floor():
    drawn = [name for floor in FLOORS for name in floor]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == GRAPH.keys(), "draw each module on one floor of the map in CONTRIBUTING.md"


@pytest.mark.parametrize("name", GRAPH)
def test_a_unit_imports_from_no_higher_floor(name):
    higher = {other for other in GRAPH[name] if FLOOR_OF[other] > FLOOR_OF[name]}
    assert not higher


def test_nothing_imports_in_a_circle():
    modules = {name: of_the_package(name) for name in PATHS}
    for graph in (GRAPH, modules):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1]
            pytest.fail(" is imported by ".join(circle))


def test_nothing_imports_the_public_names():
    """They are for readers: a module that took one from there would import all the others."""
    assert not [name for name in PATHS if PACKAGE in of_the_package(name)]


def test_the_lowest_floor_needs_torch_alone():
    for name in FLOORS[0]:
        outside = {target.partition(".")[0] for target, _ in IMPORTS[f"{PACKAGE}.{name}"]}
        assert outside - sys.stdlib_module_names <= {"torch", PACKAGE}, name
        assert set(GRAPH[name]) <= set(FLOORS[0]), name


def test_plots_know_arrays_and_nothing_of_the_package():
    assert not GRAPH["plots"]


@pytest.mark.parametrize("name", PATHS)
def test_a_module_is_read_in_one_sitting(name):
    assert len(PATHS[name].read_text(encoding="utf-8").splitlines()) <= 400


def test_the_map_draws_the_imports_there_are():
    expected = worth_an_arrow()
    assert expected == ARROWS, "left: the imports, right: the arrows of the map in CONTRIBUTING.md"


# --- the rest of the page -------------------------------------------------------------------------

MADE = {"build/site", ".venv/bin/activate"}  # where the command beside them is run


def test_files_that_the_page_names_are_there():
    words = " ".join(re.findall(r"`([^`\n]+)`", GUIDE)).split()
    named = {word for word in words if re.fullmatch(r"[\w./]+/[\w.]*|\w+\.(py|md|toml|txt)", word)}
    named = {name for name in named if "NAME" not in name} - MADE
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]
