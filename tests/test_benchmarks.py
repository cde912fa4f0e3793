"""The scripts behind the records start, and the seeds of which they speak fix whole trainings."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import attention_kernels
import class_token_contents
import cnn_and_vit
import needle
import ours_and_timm
import patch_size
import silent_bugs
import training_ladder
import where_augmentation_pays
from vit_minimal import Dataset, History, VisionTransformer, ViTConfig, seed_everything
from vit_minimal.experiments import make_model

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "benchmarks").glob("*.py"))


def blank(n, seed=0):
    """Images, labels and places of whatever is drawn elsewhere: nobody looks into them."""
    images = torch.zeros(n, 3, 32, 32, dtype=torch.uint8)
    return images, torch.zeros(n, dtype=torch.long), torch.zeros(n, dtype=torch.long)


def blank_dataset(_=None):
    images, labels, _ = blank(20)
    return Dataset(images, labels, images[:5], labels[:5], tuple("0123456789"), "blank")


@pytest.fixture
def trainings(monkeypatch):
    """The seed and the start of every training that is asked for; none takes place."""
    asked = []

    def note(model, seed):
        asked.append((seed, next(model.parameters()).detach().flatten()[:5].tolist()))

    def fit(model, dataset, config):
        note(model, config.seed)
        return History(train_accuracy=[0.5], validation_accuracy=[0.5])

    def train_run(run, dataset):
        note(make_model(run), run["training"]["seed"])
        return None, None

    ladders = (training_ladder, where_augmentation_pays)
    for module in (needle, cnn_and_vit, *ladders, ours_and_timm):
        monkeypatch.setattr(module, "fit", fit)
    monkeypatch.setattr(patch_size, "train_run", train_run)
    for module in (cnn_and_vit, patch_size):
        monkeypatch.setattr(module, "evaluate", lambda *_: 0.5)
    for module in (needle, class_token_contents, patch_size):
        monkeypatch.setattr(module, "needle10", blank)
    for module in (class_token_contents, *ladders, patch_size, ours_and_timm):
        monkeypatch.setattr(module, "load_dataset", blank_dataset)
    monkeypatch.setattr(needle, "examine", lambda *_: {})
    monkeypatch.setattr(class_token_contents, "explained", lambda *_: torch.zeros(7, 2))
    monkeypatch.setattr(class_token_contents, "placed", lambda *_: torch.zeros(3, 2))
    for module in ladders:
        monkeypatch.setattr(module, "TRAINED_ON", 10)
        monkeypatch.setattr(module, "HELD_OUT", 5)
    monkeypatch.setattr(patch_size, "NEEDLES", patch_size.NEEDLES[:1])
    return asked


def measure_a_cnn_and_a_vit():
    for name, (make, _) in cnn_and_vit.IMAGE_MODELS.items():
        cnn_and_vit.measure(name, make, blank_dataset(), training_ladder.PLAIN, (1e-3, 1e-2), 3)


SEVERAL_SEEDS = {
    "needle": needle.main,
    "class_token_contents": class_token_contents.main,
    "training_ladder": training_ladder.main,
    "where_augmentation_pays": where_augmentation_pays.main,
    "cnn_and_vit": measure_a_cnn_and_a_vit,
    "patch_size, noise": lambda: patch_size.measure_noise(3, 0),
    "patch_size, needles": lambda: patch_size.measure_needles(3),
    "ours_and_timm": lambda: ours_and_timm.curves(small=False),
}


@pytest.mark.parametrize("name", SEVERAL_SEEDS)
def test_each_seed_fixes_the_start_and_the_training(name, trainings, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name])
    SEVERAL_SEEDS[name]()
    starts = {seed: [start for of, start in trainings if of == seed] for seed, _ in trainings}
    assert starts.keys() == {0, 1, 2}  # as `fit` has it: the order of the images and all draws
    first = [same[0] for same in starts.values()]
    assert all(first.count(start) == 1 for start in first)


def test_every_script_that_trains_is_tried_with_several_seeds():
    train = {
        path.stem
        for path in SCRIPTS
        if {"fit", "train_run"} & vars(importlib.import_module(path.stem)).keys()
    }
    tried = {name.split(",")[0] for name in SEVERAL_SEEDS}
    # The same run again and again; one run, of which the curves are shown
    assert train - tried == {"kill_and_resume", "real_run"}


@pytest.mark.parametrize("name", [path.stem for path in SCRIPTS])
def test_each_script_says_what_it_does(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    assert ended.value.code == 0 and "usage" in capsys.readouterr().out


def test_both_attentions_that_race_compute_the_same():
    models = [
        attention_kernels.make_model(attention_kernels.Explicit),
        attention_kernels.make_model(attention_kernels.Fused),
        VisionTransformer(ViTConfig()),
    ]
    images = torch.randn(2, 3, 32, 32)
    for model in models:
        model.load_state_dict(models[0].state_dict())
    explicit, fused, package = (model.eval()(images) for model in models)
    assert_close(explicit, fused, atol=1e-5, rtol=0)
    assert_close(explicit, package, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", silent_bugs.BUGS)
def test_a_silent_bug_is_silent_starts_alike_and_does_something(name):
    config, put_in = silent_bugs.BUGS[name]
    models = []
    for _ in range(2):
        seed_everything(0)
        models.append(VisionTransformer(config).eval())
    healthy, ill = models
    put_in(ill)
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    answer = ill(images)
    answer.square().sum().backward()
    assert answer.shape == (3, 10)
    start = dict(healthy.named_parameters())
    assert all(
        torch.equal(of, start[name]) for name, of in ill.named_parameters() if "norm" not in name
    )
    left_out = {name for name, of in ill.named_parameters() if not of.requires_grad}
    same = torch.allclose(answer, healthy(images), atol=1e-6)
    if name in ("positions not trained", "blocks in a Python list"):
        assert same and left_out  # only training shows it
    else:
        assert same == name.startswith("none") and not left_out
