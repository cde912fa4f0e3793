"""The wheel: small, the package alone, and at home where there is nothing else of the course."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "vit_minimal"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_is_the_package_alone(wheel):
    assert wheel.stat().st_size < 250_000  # it is code alone, of which the diagrams are a third
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
    ours = [path for kind in ("py", "js", "html") for path in PACKAGE.rglob(f"*.{kind}")]
    assert len(ours) > len([*PACKAGE.rglob("*.py")]) + 5
    expected = {path.relative_to(ROOT).as_posix() for path in ours}
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_elsewhere_its_data_live_below_the_working_directory(wheel, tmp_path):
    packages, work = tmp_path / "packages", tmp_path / "work"
    with zipfile.ZipFile(wheel) as files:
        files.extractall(packages)
    work.mkdir()
    env = os.environ | {"PYTHONPATH": str(packages)}
    env.pop("VIT_MINIMAL_DATA", None)
    code = """
import vit_minimal.data, vit_minimal.data.__main__, vit_minimal.experiments.__main__
import vit_minimal.training.__main__
print(vit_minimal.data.__file__)
print(vit_minimal.data.data_root().resolve())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=work,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    module, root = done.stdout.splitlines()
    assert Path(module).is_relative_to(packages)
    assert Path(root) == (work / "data").resolve()
