"""The workflows name commands, folders and versions that there are."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import start

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def workflow(name):
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf-8"))


def jobs(name):
    return workflow(name)["jobs"].values()


@pytest.mark.parametrize("name", [path.stem for path in WORKFLOWS])
def test_every_job_has_a_machine_an_end_and_steps_of_known_versions(name):
    assert {True, "jobs", "name"} <= workflow(name).keys()  # YAML reads the key `on` as true
    for job in jobs(name):
        assert job["runs-on"] and 0 < job["timeout-minutes"] <= 90
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            elif "start.py" in (words := shlex.split(step["run"])):
                assert words[:2] == ["python", "start.py"] and words[2] in start.VERBS


def test_every_system_starts_the_course_as_a_reader_does():
    job = workflow("tests")["jobs"]["as_a_reader"]
    systems = {system.partition("-")[0] for system in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert job["steps"][-1]["run"] == "python start.py test"


def test_the_oldest_versions_are_those_that_the_project_declares():
    oldest, newest = workflow("tests")["jobs"]["versions"]["strategy"]["matrix"]["include"]
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["course"]]
    bounds = {r.name: r.specifier for r in map(Requirement, declared)}
    for pin in map(Requirement, oldest["versions"].split()):
        (exact,), (bound,) = pin.specifier, bounds[pin.name]
        assert bound.operator == ">=" and exact.version.removesuffix(".*") == bound.version
    assert PROJECT["requires-python"] == f">={oldest['python']}"
    assert Version(newest["python"]) > Version(oldest["python"])
    for path in (*oldest["tests"].split(), *newest["tests"].split()):
        assert (ROOT / path).exists(), path


def test_what_is_published_is_what_the_site_command_makes():
    (job,) = jobs("site")
    (upload,) = (s for s in job["steps"] if "upload-pages-artifact" in s.get("uses", ""))
    assert upload["with"]["path"] in start.VERBS["site"]([])
