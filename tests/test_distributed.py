"""Two processes share each batch: the same model as one process makes, and one of them writes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from vit_minimal import VisionTransformer, ViTConfig, shapes10

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or os.name == "nt", reason="needs gloo and torchrun"
)

PROGRAM = """
import os, signal, sys
from vit_minimal import data
from vit_minimal.training import __main__, loop
from vit_minimal.training.run import Run
few, step, fit = data.shapes10, Run.train_step, loop.fit
data.shapes10 = lambda n, seed: few(n // 50, seed)
def train_step(run):
    step(run)
    for name in ("KILL", "TERM"):
        if run.step == int(os.environ.get("SEND_" + name, -1)) and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), getattr(signal, "SIG" + name))
Run.train_step = train_step
__main__.fit = lambda *arguments: fit(*arguments, seconds_between_saves=0)
__main__.main(sys.argv[1:])
"""
QUICK = ["--recipe", "quick", "--dataset", "shapes10", "--epochs", "2", "--validation", "40"]
EXACT = ["--set", "precision=float32", "model.depth=1", "model.patch_size=8", "batch_size=20"]


@pytest.fixture
def train(tmp_path):
    """Runs the training program in so many processes; returns how it ended and what it wrote."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(name, processes, *arguments, **environment):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        words = [*(launcher if processes > 1 else []), str(tmp_path / "program.py")]
        words += [*QUICK, *EXACT, *arguments]
        environment |= {"VIT_MINIMAL_DATA": str(tmp_path / name), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *words],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done, {path.name: path for path in (tmp_path / name).rglob("*.*")}

    return run


def test_two_processes_train_the_model_that_one_trains(train, tmp_path):
    arguments = ["optimizer=sgd", "learning_rate=0.1", "--record", str(tmp_path / "record.json")]
    (alone, one), (together, two) = (train(str(n), n, *arguments) for n in (1, 2))
    assert alone.returncode == together.returncode == 0, alone.stderr + together.stderr
    name = "shapes10-quick-changed-seed0.safetensors"
    assert set(one) == set(two) == {name}
    expected, found = load_file(one[name]), load_file(two[name])
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, atol=1e-5, rtol=1e-4)
    first, second = json.loads((tmp_path / "record.json").read_text())
    for measured in ("train_loss", "train_accuracy", "validation_accuracy"):
        assert second["history"][measured] == pytest.approx(first["history"][measured], abs=1e-3)
    assert together.stdout.count("epoch 2/2") == 1  # one of the two speaks


def history(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["notes"])["history"]


def test_killed_worker_ends_all_with_an_error_and_the_run_can_be_resumed(train):
    draws = ["flip=True", "crop_padding=2", "model.proj_drop_rate=0.1", "ema_decay=0.5"]
    draws += ["--name", "run"]
    done, undisturbed = train("undisturbed", 2, *draws)
    assert done.returncode == 0, done.stderr
    for how, at, step in (("KILL", "10", 8), ("TERM", "3", 10)):  # the last epoch; a step agreed on
        done, left = train(how, 2, *draws, **{"SEND_" + how: at})
        assert done.returncode != 0 and set(left) == {"run.state.pt"}
        assert torch.load(left["run.state.pt"], weights_only=True)["step"] == step
        done, resumed = train(how, 2, *draws, "--resume")
        assert done.returncode == 0, done.stderr
        (name,) = resumed
        expected, found = load_file(undisturbed[name]), load_file(resumed[name])
        assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())
        seen, told = (history(files[name]) for files in (undisturbed, resumed))
        for measured in ("train_loss", "train_accuracy"):  # of all processes, before and after
            assert told[measured] == pytest.approx(seen[measured], abs=1e-6)


def test_batch_that_processes_cannot_share_evenly_is_named(train):
    done, _ = train("odd", 2, "batch_size=21")
    assert done.returncode != 0 and "2 processes cannot share batches of 21" in done.stderr


def test_script_of_notebook_17_takes_the_steps_of_one_process(tmp_path):
    """Its listing, and the class for its images, are taken from the notebook's text."""
    source = Path(__file__).resolve().parents[1] / "notebooks/source/17_beyond_fit.py"
    text = source.read_text(encoding="utf-8")
    (images_of_a_folder,) = re.findall(r'^CODE = """\n(.*?)^"""$', text, re.MULTILINE | re.DOTALL)
    (tmp_path / "folder_images.py").write_text(images_of_a_folder)
    (listing,) = re.findall(r"^#     # several\.py\n((?:#(?:     .*)?\n)+)", text, re.MULTILINE)
    script = "".join(line[6:] or "\n" for line in listing.splitlines(keepends=True))
    # SGD, because AdamW makes much of what rounding does to the smallest gradients
    script = script.replace("AdamW", "SGD").replace("lr=1e-3", "lr=0.1")
    (tmp_path / "several.py").write_text(script)
    for number, (image, label) in enumerate(zip(*shapes10(200, seed=0), strict=True)):
        (tmp_path / "photos" / str(int(label))).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(tmp_path / "photos" / str(int(label)) / f"{number}.jpg")
    found = []
    for processes in (1, 2):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        done = subprocess.run(
            [sys.executable, *launcher, "several.py"],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(torch.load(tmp_path / "weights.pt"))
    torch.manual_seed(0)
    fresh = VisionTransformer(ViTConfig(patch_size=8)).state_dict()
    one, two = found
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(one["head.weight"], fresh["head.weight"], atol=1e-3)  # it has learned
