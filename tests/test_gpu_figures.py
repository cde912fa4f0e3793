"""What is prepared for a GPU: the steps of benchmarks/gpu.py, and what its recipes may cost."""

import io
import sys
import time
from dataclasses import asdict, replace

import fake_cuda
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import gpu
import ours_and_timm
import t4_estimate
from vit_minimal import RECIPES, VisionTransformer
from vit_minimal.records import read_records

# Each call leaves a record as the real commands do, after a while
STEP = """\
import sys, time
from vit_minimal.records import add_record
time.sleep(float(sys.argv[1]))
add_record(sys.argv[-1], {"took": sys.argv[1]})
"""


@pytest.fixture
def step(tmp_path):
    def make(seconds, minutes=0.0):
        return gpu.Step(minutes, f"{script} {seconds}", "figures.json", "--small")

    script = tmp_path / "step.py"
    script.write_text(STEP)
    return make


def took(folder):
    return [record["took"] for record in read_records(folder / "figures.json")]


def test_steps_on_record_are_not_repeated(step, tmp_path, capsys):
    first, second = step(0), step(0.1)
    assert gpu.run([first], tmp_path, 60) == 0
    assert gpu.run([first, second], tmp_path, 60) == 0
    assert took(tmp_path) == ["0", "0.1"]
    assert gpu.run([first, second], tmp_path, 60, small=True) == 0  # these are other commands
    assert took(tmp_path) == ["0", "0.1", "0", "0.1"]
    assert "did not end well" not in capsys.readouterr().out


def test_no_step_begins_that_would_not_end_in_time(step, tmp_path):
    assert gpu.run([step(0, minutes=10), step(0.1)], tmp_path, 60) == 1
    assert took(tmp_path) == ["0.1"]


def test_a_training_that_was_begun_goes_on_whatever_the_guess(step, tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    training = step("0 --name mine", minutes=10)
    assert gpu.run([training], tmp_path, 60) == 1
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine.state.pt").touch()
    assert gpu.run([training], tmp_path, 60) == 0


def test_a_training_is_resumed_where_it_has_a_state_and_is_done_either_way(
    step, tmp_path, monkeypatch
):
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    for name, is_begun in (("new", False), ("begun", True)):
        training = step(f"0 --name {name}")
        state = tmp_path / "runs" / f"{name}.state.pt"
        if is_begun:
            state.parent.mkdir()
            state.touch()
        assert gpu.run([training], tmp_path, 60) == 0
        command = read_records(tmp_path / "figures.json")[-1]["command"]
        assert f"--name {name}" in command and ("--resume" in command) == is_begun
        state.unlink(missing_ok=True)
        assert training.is_done(tmp_path, small=False)


def test_steps_can_be_chosen_by_words(capsys, monkeypatch, tmp_path):
    words = ["gpu.py", "--list", "--folder", str(tmp_path), "--only", "t4-", "speed"]
    monkeypatch.setattr(sys, "argv", words)
    gpu.main()
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 4 and "ours_and_timm.py speed" in listed[0] and "t4-2" in listed[3]
    monkeypatch.setattr(sys, "argv", [*words[:-2], "t5-"])
    with pytest.raises(SystemExit):
        gpu.main()
    assert "no step has t5- in its command" in capsys.readouterr().err


def test_a_model_that_fails_does_not_hide_what_the_others_gave(monkeypatch):
    class Worker:
        def __init__(self, words, **_):
            self.returncode = int("timm" in words)  # its models do not fit, say
            self.stdout = io.StringIO("" if self.returncode else "ready\n")

        def communicate(self, word):
            return "" if word is None else '{"images_per_second": 7.0}', None

    monkeypatch.setattr(ours_and_timm.subprocess, "Popen", Worker)
    rows = ours_and_timm.speed(small=True)["runs"]
    assert [row.get("images_per_second") for row in rows] == [7.0, 7.0, None, None]
    assert rows[2]["failed"] == "exit status 1"


def test_a_step_that_takes_longer_is_interrupted(step, tmp_path, capsys):
    start = time.monotonic()
    assert gpu.run([step(600)], tmp_path, 10) == 1
    assert time.monotonic() - start < 100 and took(tmp_path) == []
    assert "another call goes on" in capsys.readouterr().out


def test_an_experiment_is_done_when_all_of_its_runs_are_on_record(tmp_path, monkeypatch):
    grid = gpu.Grid(1, "class_token_cut")
    assert not grid.is_done(tmp_path, small=True)
    command = [sys.executable, "-m", "vit_minimal.experiments", "class_token_cut"]
    command += ["--dataset", "shapes10", "--budget", "quick", "--seeds", "1", "--folder"]
    monkeypatch.setattr(gpu.subprocess, "Popen", lambda words: words)
    assert grid.start(tmp_path, small=True) == [[*command, str(tmp_path)]]
    assert len(grid.start(tmp_path, small=False)) == 6
    monkeypatch.setattr(gpu, "missing", lambda runs, path: runs[len(runs) :])
    assert grid.is_done(tmp_path, small=True)


def test_steps_have_names_of_their_own():
    commands = [step.command for step in gpu.STEPS]
    assert len(commands) == len(set(commands))
    names = [command.split("--name ")[1].split()[0] for command in commands if "--name" in command]
    assert len(names) == len(set(names)) > 10
    assert {step.name for step in gpu.STEPS if isinstance(step, gpu.Grid)} == set(gpu.EXPERIMENTS)


def forward_flops(config):
    model = VisionTransformer(config).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(1, 3, 32, 32))
    return counter.get_total_flops()


def test_the_recipes_for_gpus_keep_within_their_limits():
    t4, h200 = RECIPES["t4"], RECIPES["h200"]
    for recipe in (t4, h200):
        parameters = VisionTransformer(recipe.model).parameters()
        assert sum(p.numel() for p in parameters) <= (3e6 if recipe is t4 else 10e6)
        assert recipe.model.pool == "class" and recipe.training.ema_decay
    assert t4.training.epochs <= 100 and not t4.training.compile
    # A forward pass, and a backward pass of twice its size; a T4 at 7 TFLOP/s for 15 minutes
    flops = 3 * forward_flops(t4.model) * t4.training.epochs * 50_000
    assert flops <= 15 * 60 * 7e12


def test_ours_and_timms_start_from_the_same_weights():
    config = replace(ours_and_timm.SMALL, patch_size=4, num_heads=4)
    ours, timm = (model.eval() for model in ours_and_timm.make(config).values())
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours(images), timm(images), atol=1e-5, rtol=0)


def test_parts_of_a_step_are_timed():
    seconds = ours_and_timm.parts(small=True)["seconds"]
    names = {"augmentation", "forward", "backward", "clipping", "Muon", "AdamW", "EMA"}
    assert set(seconds) == names and all(value > 0 for value in seconds.values())


def test_trainings_are_summed_up_by_name():
    recipe = RECIPES["t4"]
    history = {"seconds": [10.0, 10.0, 10.0], "validation_accuracy": [0.8, 0.91, 0.935]}
    record = {
        "model": asdict(recipe.model),
        "training": asdict(replace(recipe.training, validation_images=5_000)),
        "parameters": 2_700_000,
        "judged_on": "5,000 validation",
        "history": history,
        "seconds": 30.0,
    }
    reached = {"t4-0": 0.92, "t4-1": 0.94, "h200-rate-0.005": 0.95}
    records = [
        record | {"accuracy": accuracy, "command": f"python -m x --name {name} --resume"}
        for name, accuracy in reached.items()
    ]
    t4, other = gpu.sum_up(records).splitlines()
    flops = 3 * forward_flops(recipe.model) * recipe.training.epochs * 45_000
    assert t4.startswith("t4: 100 passes, 2,700,000 parameters") and f"{flops:.1e} FLOPs" in t4
    assert "93.00% ± 12.7" in t4 and "2 seeds" in t4
    assert t4.endswith("; 90% after 20 s; 93% after 30 s")
    assert other.startswith("h200-rate-0.005: ") and "1 seed" in other


def test_patches_that_are_left_out_cost_nothing():
    recipe = RECIPES["t4"]
    training = asdict(replace(recipe.training, epochs=10))
    record = {"model": asdict(recipe.model), "training": training}
    whole = gpu.forward_flops(record)
    assert whole == 10 * forward_flops(recipe.model)
    training |= {"patch_drop_rate": 0.5, "whole_epochs": 2}
    # 33 tokens of 65; more than half is saved, since attention grows with the square
    assert 2 / 10 + 0.8 * 0.45 < gpu.forward_flops(record) / whole < 2 / 10 + 0.8 * 33 / 65
    training["whole_epochs"] = 20
    assert gpu.forward_flops(record) == whole


def test_the_estimate_for_a_t4_counts_the_products_that_pytorch_counts():
    recipe = RECIPES["t4"]
    training = replace(recipe.training, batch_size=16, optimizer="sgd")  # Muon has products, too
    kernels = fake_cuda.one_step(recipe.model, training, t4_estimate.T4).kernels
    # Forward, and backward twice as much, less the gradient of the images, which nobody needs
    expected = 3 * 16 * forward_flops(recipe.model)
    assert 0.97 * expected < sum(kernel.flops for kernel in kernels) <= expected
    add = fake_cuda.Kernel("add", torch.float16, 320_000_000, 0)  # a thousandth of a second
    product = fake_cuda.Kernel("mm", torch.float16, 1000, 65_000_000_000)
    assert t4_estimate.seconds_of([add, product], 1.0) == pytest.approx(2e-3)
    assert t4_estimate.seconds_of([add, product], 0.5) == pytest.approx(4e-3)
    assert t4_estimate.seconds_of([add._replace(bytes=1)] * 100, 0.5) == pytest.approx(1e-3)
