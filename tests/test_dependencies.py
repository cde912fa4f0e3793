"""pyproject.toml names what the course needs; all that repeats a part of it has to agree with it."""

import ast
import re
import subprocess
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


def pinned():
    """The lines of requirements.txt, without its comments."""
    lines = (COURSE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def imported_at_module_level(tree):
    """The top-level names of what a module imports when it is itself imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported_at_module_level(node)


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


@pytest.mark.parametrize(
    "module", sorted((COURSE / "vit_minimal").glob("*.py")), ids=lambda p: p.stem
)
def test_package_imports_only_what_it_declares(module):
    declared = {Requirement(line).name for line in PROJECT["dependencies"]}
    imports = set(imported_at_module_level(ast.parse(module.read_text(encoding="utf-8"))))
    assert imports <= declared | {"vit_minimal"} | sys.stdlib_module_names


def test_importing_the_package_leaves_torchvision_alone():
    # torchvision doubles the time that the import takes.
    code = "import sys, vit_minimal; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=COURSE, check=False).returncode == 0
