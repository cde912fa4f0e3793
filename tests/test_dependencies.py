"""pyproject.toml names what the course needs; all that repeats a part of it has to agree with it."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

COURSE = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(line) for line in sum(EXTRAS.values(), PROJECT["dependencies"])]
INSTALLED = ".[course,test]"


def files(folder):
    return sorted((COURSE / folder).rglob("*.py"))


def pinned():
    """The lines of requirements.txt, without its comments."""
    lines = (COURSE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def imported_by(tree, also_in_functions=True):
    """The top-level names of the modules that some code imports."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]
        elif also_in_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported_by(node, also_in_functions)


def code_in(path):
    """The syntax tree of a Python file; jupytext's text cells are comments to Python."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_requirements_are_versions_and_nothing_else():
    for line in pinned():
        requirement = Requirement(line)
        assert requirement.url is None and "://" not in line, line
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), line


@pytest.mark.parametrize("wanted", DIRECT, ids=str)
def test_every_direct_dependency_is_pinned_where_it_may_be(wanted):
    pins = [pin for pin in map(Requirement, pinned()) if same_name(pin, wanted)]
    assert pins, (
        f"requirements.txt does not pin {wanted.name}: its first lines say how to remake it"
    )
    for pin in pins:
        (version,) = (clause.version for clause in pin.specifier)
        assert wanted.specifier.contains(version, prereleases=True), f"{pin} is not {wanted}"


def same_name(one, other):
    return canonicalize_name(one.name) == canonicalize_name(other.name)


def test_environment_for_conda_names_python_and_pip_alone():
    environment = yaml.safe_load((COURSE / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == PROJECT["name"]
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry for entry in environment["dependencies"] if not isinstance(entry, str)]
    assert pip == {"pip": [f"-e {INSTALLED}"]}
    python, itself = map(Requirement, conda)
    assert (python.name, str(itself)) == ("python", "pip")
    assert python.specifier == SpecifierSet(PROJECT["requires-python"])


def test_start_needs_and_installs_what_the_project_declares():
    constants = {}
    for node in ast.parse((COURSE / "start.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = node.value
    minimum = ast.literal_eval(constants["MINIMUM_PYTHON"])
    assert ">=" + ".".join(map(str, minimum)) == PROJECT["requires-python"]
    assert f'"{INSTALLED}"' in (COURSE / "start.py").read_text(encoding="utf-8")
    assert set(re.findall(r"\w+", INSTALLED)) <= set(EXTRAS)


# --- what is imported is declared -----------------------------------------------------------------

# Where a distribution has another name than its module
DISTRIBUTION = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
# Imported only where they are, all by notebook 17: the first in Colab; for the second it says what
# to install if it is missing; the third is a file that it writes
WHERE_THERE = {"google", "onnxruntime", "folder_images"}
OURS = {"vit_minimal", "checks", "start"}
OURS |= {path.stem for name in ("notebooks", "benchmarks", "tests", "site") for path in files(name)}


def undeclared(tree, *extras, **how):
    """What some code imports and neither the dependencies nor these extras name."""
    declared = sum((EXTRAS[extra] for extra in extras), PROJECT["dependencies"])
    declared = {canonicalize_name(Requirement(line).name) for line in declared}
    imported = set(imported_by(tree, **how)) - OURS - WHERE_THERE - sys.stdlib_module_names
    return {
        name for name in imported if canonicalize_name(DISTRIBUTION.get(name, name)) not in declared
    }


@pytest.mark.parametrize("path", files("vit_minimal"), ids=lambda path: path.stem)
def test_the_package_declares_what_it_imports(path):
    assert not undeclared(code_in(path), also_in_functions=False)
    assert not undeclared(code_in(path), "course")


@pytest.mark.parametrize(
    "path", files("notebooks/source") + files("notebooks/exercises"), ids=lambda path: path.stem
)
def test_the_course_declares_what_notebooks_and_checks_import(path):
    assert not undeclared(code_in(path), "course")


@pytest.mark.parametrize(
    "path",
    [
        *(path for name in ("tests", "benchmarks", "site") for path in files(name)),
        *COURSE.glob("notebooks/*.py"),
        COURSE / "conftest.py",
    ],
    ids=lambda path: path.stem,
)
def test_the_tests_declare_what_they_and_the_tools_import(path):
    assert not undeclared(code_in(path), "course", "test")


def test_nothing_is_declared_twice():
    names = [canonicalize_name(wanted.name) for wanted in DIRECT]
    assert len(set(names)) == len(names)
