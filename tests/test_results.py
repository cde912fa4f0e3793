"""The records say how they came about, and are of the recipes and the model that the course ships."""

import json
import re
from pathlib import Path

import pytest
import skimage
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import figures
import fine_tuning
import silent_bugs
from figures import RESULTS, accuracies, record, records
from vit_minimal import (
    RECIPES,
    TrainingConfig,
    evaluate,
    load_checkpoint,
    load_cifar10,
    load_image,
)
from vit_minimal.data import CIFAR10_CLASSES
from vit_minimal.inspection import read_class_token
from vit_minimal.pretrained import read_config
from vit_minimal.training import predict

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))
SHIPPED = ROOT / "data" / "checkpoints" / "cifar10-cpu-long.safetensors"
PROBES = SHIPPED.with_stem("cifar10-cpu-long-probes")


@pytest.mark.parametrize("name", NAMES)
def test_every_record_says_how_it_came_about(name):
    found = records(name)
    if name == "notebook_times":  # by precision, then by notebook
        found = [run for times in found.values() for run in times.values()]
    for one in found:
        assert {"command", "hardware", "precision", "python", "torch", "date"} <= one.keys()
        assert not re.search(r"(^|\s)/(tmp|home|root|work|Users)/", one.command)


def test_every_record_is_listed_in_the_data_card():
    card = (ROOT / "notebooks" / "source" / "data_README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}.json` |" in card for name in NAMES)


def test_shapes_can_be_learned_in_a_minute_but_not_by_a_linear_classifier():
    assert {run.seed for run in records("shapes10_quick")} >= {0, 1, 2}
    assert min(accuracies("shapes10_quick")) >= 0.90
    assert max(run.seconds for run in records("shapes10_quick")) <= 60
    assert max(run.accuracy for run in record("shapes10_linear").runs) < 0.50


def test_the_recipe_for_cpus_learns_cifar10_at_half_more_than_five_whole_passes():
    assert {run.seed for run in records("cifar10_cpu")} >= {0, 1, 2}
    assert min(accuracies("cifar10_cpu")) > max(accuracies("cifar10_five_whole_passes"))
    for run in records("cifar10_cpu"):
        assert run.judged_on == "10,000 test" and run.training["validation_images"] == 0
    assert record("patch_dropout_cost").whole_passes_of_cpu <= 1.5 * 5
    for run in records("cifar10_five_whole_passes"):
        assert run.training["epochs"] == 5 and read_config(run.model) == RECIPES["cpu"].model


def test_half_of_the_patches_pay_at_equal_arithmetic():
    """Seven whole passes cost as much as the recipe `cpu`, and differ from it in nothing else but
    the rate, which was chosen for each on validation images.
    """
    whole, half = records("cifar10_seven_whole_passes"), records("cifar10_cpu_bfloat16")
    assert {run.seed for run in whole} == {run.seed for run in half} == {0, 1, 2}
    assert {run.precision for run in whole} == {run.precision for run in half}
    assert max(run.accuracy for run in whole) < min(run.accuracy for run in half)
    assert round(record("patch_dropout_cost").whole_passes_of_cpu) == 7
    changed = {"epochs": 7, "patch_drop_rate": 0.0, "whole_epochs": 0, "learning_rate": 3e-3}
    for run in whole:
        then = vars(TrainingConfig()) | half[run.seed].training | changed
        assert vars(TrainingConfig()) | run.training == then
        assert read_config(run.model) == read_config(half[0].model)


@pytest.mark.parametrize(
    "name",
    [
        "shapes10_quick",
        "cifar10_cpu",
        "cifar10_cpu_bfloat16",
        "cifar10_cpu_long",
        "cifar10_t4",
        "real_run",
    ],
)
def test_recipes_are_the_ones_that_were_measured(name):
    for run in records(name):
        recipe = RECIPES[run.recipe]
        assert read_config(run.model) == recipe.model
        then = vars(TrainingConfig()) | run.training  # what came later was off
        held_out = {"validation_images": run.training.validation_images}  # for a curve to show
        assert then == vars(recipe.training) | {"seed": run.seed} | held_out


def test_the_shipped_model_is_the_one_on_record():
    shipped = record("cifar10_cpu_long")
    assert shipped.accuracy >= 0.85 and shipped.judged_on == "10,000 test"
    assert shipped.dataset == "cifar10" and shipped.parameters <= 3_000_000
    assert SHIPPED.stat().st_size <= 12e6
    with safe_open(SHIPPED, framework="pt") as file:
        notes = json.loads(file.metadata()["notes"])
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert notes["accuracy"] == shipped.accuracy and notes["history"] == shipped.history
    model = load_checkpoint(SHIPPED)
    assert model.config == read_config(shipped.model) and model.config.pool == "class"
    assert sum(parameter.numel() for parameter in model.parameters()) == shipped.parameters


def test_the_larger_model_that_ships_is_the_one_on_record():
    larger, path = record("cifar10_t4"), SHIPPED.with_stem("cifar10-t4")
    assert larger.accuracy >= 0.925 and larger.judged_on == "10,000 test"
    assert larger.parameters <= 3_000_000 and path.stat().st_size <= 6e6
    with safe_open(path, framework="pt") as file:
        notes = json.loads(file.metadata()["notes"])
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert notes["accuracy"] == larger.accuracy and notes["history"] == larger.history
    model = load_checkpoint(path)
    assert model.config == read_config(larger.model)
    cat = load_image(Path(skimage.data.__file__).with_name("chelsea.png"), 32)
    shares = predict(model, cat[None]).softmax(dim=1)[0]
    assert CIFAR10_CLASSES[shares.argmax()] == "cat"


def test_the_probes_that_ship_read_the_shipped_model():
    model, probes = load_checkpoint(SHIPPED), load_file(PROBES)
    config = model.config
    blocks = config.depth + 1
    assert probes["weights"].shape == (blocks, config.embed_dim, config.num_classes)
    assert probes["biases"].shape == (blocks, 1, config.num_classes)
    cat = load_image(Path(skimage.data.__file__).with_name("chelsea.png"), 32)
    scores = read_class_token(model, cat[None], **probes)[:, 0]
    assert scores[0].sub(0.1).abs().max() < 0.02  # before the first block: how frequent a class is
    assert CIFAR10_CLASSES[scores[-1].argmax()] == "cat" and scores[-1].max() > 0.5


@pytest.mark.skipif(not (ROOT / "data" / "cifar10.npz").exists(), reason="CIFAR-10 is not here")
def test_the_shipped_model_does_what_its_card_says():
    dataset = load_cifar10(ROOT / "data")
    model = load_checkpoint(SHIPPED)
    accuracy = evaluate(model, dataset.test_images[:1_000], dataset.test_labels[:1_000])
    assert accuracy == pytest.approx(record("cifar10_cpu_long").accuracy, abs=0.03)


def test_ladders_and_needles_have_three_seeds():
    assert all(len(rung.accuracies) >= 3 for rung in record("training_ladder").rungs)
    further = record("where_augmentation_pays").settings
    assert len(further) == 9 and all(len(one.accuracies) >= 3 for one in further)
    assert len(record("needle10").runs) >= 3
    swept = record("learning_rates").rows
    assert all(len(row.accuracies) >= 3 for row in swept)
    names = ("SGD with momentum", "AdamW", "Muon")
    sgd, adamw, muon = ([row for row in swept if row.optimizer == name] for name in names)
    assert len(sgd) == len(adamw) == len(muon) == 5
    assert [row.rate for row in adamw] == [row.rate for row in muon]  # the same for both
    for rows in (sgd, adamw, muon):  # the best rate lies inside
        best = max(rows, key=lambda row: sum(row.accuracies))
        assert best not in (rows[0], rows[-1])


def test_each_way_of_fine_tuning_has_three_seeds_and_the_rate_that_was_best_on_validation_images():
    runs = records("fine_tuning")
    for name, method, count in fine_tuning.TRAINED:
        chosen_at = fine_tuning.chosen_at(method, count)
        tries = [run for run in runs if run.part == "rates" and run.method == method]
        tries = [run for run in tries if run.images_per_class == chosen_at]
        assert {run.rate for run in tries} == {*fine_tuning.RATES[method]}
        best = max(tries, key=lambda run: run.validation).rate
        trained = [run for run in runs if run.part == "trained" and run.task == name]
        trained = [run for run in trained if (run.method, run.images_per_class) == (method, count)]
        assert {run.training.learning_rate for run in trained} == {best}
        assert len({run.seed for run in trained} - {run.training.seed for run in tries}) >= 3
    chosen, fixed = (figures.read_off("class_token", 10, how) for how in ("probe", "least_squares"))
    assert len(chosen) == len(fixed) >= 10
    assert figures.below(fixed, chosen)  # the rival of fine-tuning is not a weak one


def test_what_fine_tuning_keeps_has_three_seeds_and_is_of_the_runs_that_were_compared():
    for method, rate in fine_tuning.KEPT:
        assert len(figures.kept(method, rate, "cifar10")) >= 3
        assert rate in fine_tuning.RATES[method]
    for method in (fine_tuning.TUNED, fine_tuning.DECAYED):
        assert figures.kept(method, 1e-3) == figures.tuned(method, 10)


def test_the_model_with_registers_differs_in_nothing_else():
    plain, four = record("registers").runs
    assert (plain.num_registers, four.num_registers) == (0, 4)
    assert plain.model | {"num_registers": 4} == four.model
    assert plain.training == four.training and plain.recipe == four.recipe == "cpu"
    (same,) = (run for run in records("cifar10_cpu") if run.seed == plain.seed)
    assert plain.accuracy == pytest.approx(same.accuracy, abs=1e-3)  # it is the model on record
    for run in (plain, four):
        assert len(run.long_patches.mean) == run.model.depth
        for shares in zip(*run.attention.values(), strict=True):
            assert sum(shares) == pytest.approx(1)


def test_killed_runs_ended_with_the_same_weights():
    killed = record("kill_and_resume")
    assert len(killed.runs) >= 50 and all(run.same for run in killed.runs)
    assert len({run.epochs_left for run in killed.runs}) > killed.epochs / 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_our_model_is_no_slower_than_others(precision):
    runs = [run for run in record("throughput").runs if run.precision == precision]
    rates = {run.model: run.steps_per_second for run in runs}
    assert {"ours", "timm", "torchvision", "vit-pytorch"} == rates.keys()
    assert rates["ours"] > 0.9 * max(rates.values())


def test_each_silent_bug_has_three_seeds_on_cifar10_beside_the_runs_that_it_is_compared_with():
    found = records("silent_bugs_cifar10")
    assert all(silent_bugs.recipe_of(of) == silent_bugs.BASE["full"] for of in found)
    seeds = [(run.bug, of.seed) for of in found for run in of.runs]
    assert len(set(seeds)) == len(seeds)
    controls = {"none", "none, mean pooling", "blocks in a Python list, mean pooling"}
    alike = {"attention across the batch"}  # guesses, by construction
    for name in silent_bugs.BUGS.keys() - controls - alike - {*silent_bugs.QUICK_ONLY}:
        assert [seed for bug, seed in sorted(seeds) if bug == name] == [0, 1, 2], name
    # without a bug it is the base of the experiments, whose seeds stand in for it
    (plain,) = figures.bug_runs("none")
    assert abs(plain - figures.runs("class_token_place", "class token").mean) < 0.015


def test_what_is_loaded_is_the_model_that_the_course_ships():
    (found,) = records("silent_bugs_loaded")
    assert found.checkpoint == SHIPPED.name
    assert {run.bug for run in found.runs} == {*silent_bugs.LOADABLE}
    assert figures.loaded_bug("none").accuracy == pytest.approx(
        record("cifar10_cpu_long").accuracy, abs=0.001
    )
