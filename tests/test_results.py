"""The figures in the prose are the ones in data/results, and the records say how they came about."""

import json
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "results"


def records(name):
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return list(found.values()) if isinstance(found, dict) else found


def prose(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"^# ?", "", text, flags=re.MULTILINE))


def accuracies(name):
    return [record["accuracy"] for record in records(name)]


@pytest.mark.parametrize("name", sorted(path.stem for path in RESULTS.glob("*.json")))
def test_every_record_says_how_it_came_about(name):
    for record in records(name):
        assert {"command", "hardware", "precision", "python", "torch", "date"} <= record.keys()
        assert not re.search(r"(^|\s)/(tmp|home|root|work|Users)/", record["command"])


def test_every_record_is_listed_in_the_data_card():
    card = prose("data/README.md")
    assert all(f"`{path.name}`" in card for path in RESULTS.glob("*.json"))


def test_shapes_can_be_learned_in_a_minute_but_not_by_a_linear_classifier():
    assert min(accuracies("shapes10_quick")) >= 0.90
    assert {record["seed"] for record in records("shapes10_quick")} >= {0, 1, 2}
    assert max(run["accuracy"] for run in records("shapes10_linear")[0]["runs"]) < 0.50


def test_cpu_recipe_learns_cifar10_in_five_minutes():
    assert {record["seed"] for record in records("cifar10_cpu")} >= {0, 1, 2}
    assert statistics.mean(accuracies("cifar10_cpu")) >= 0.65
    for record in records("cifar10_cpu"):
        assert record["seconds"] <= 300 and record["judged_on"] == "10,000 test"


def test_killed_runs_ended_with_the_same_weights():
    (record,) = records("kill_and_resume")
    assert len(record["runs"]) >= 50 and all(run["same"] for run in record["runs"])
    assert len({run["epochs_left"] for run in record["runs"]}) > record["epochs"] / 2


def test_speed_is_what_the_notebook_says():
    (record,) = records("throughput")
    for precision in ("float32", "bfloat16"):
        rates = {
            r["model"]: r["steps_per_second"] for r in record["runs"] if r["precision"] == precision
        }
        assert {"ours", "timm", "torchvision", "vit-pytorch"} == rates.keys()
        assert rates["ours"] > 0.9 * max(rates.values())
    (record,) = records("augmentation")
    ratios = [run["ratio"] for run in record["runs"]]
    assert f"{min(ratios):.0f} to {max(ratios):.0f} times" in prose(
        "notebooks/source/05_training_on_cifar10.py"
    )


def test_recipes_are_the_ones_that_were_measured():
    from vit_minimal import RECIPES, TrainingConfig

    for name in ("shapes10_quick", "cifar10_cpu"):
        for record in records(name):
            recipe = RECIPES[record["recipe"]]
            assert record["model"] == json.loads(json.dumps(vars(recipe.model)))
            now = vars(recipe.training) | {"seed": record["seed"]}
            then = vars(TrainingConfig()) | record["training"]  # what came later was off
            assert then == now


@pytest.mark.parametrize("path", ["README.md", "notebooks/source/00_start_here.py"])
def test_prose_quotes_the_records(path):
    text = prose(path)
    low, high = min(accuracies("shapes10_quick")), max(accuracies("shapes10_quick"))
    assert f"{low:.1%} to {high:.1%}".replace("%", " %") in text
    linear = max(run["accuracy"] for run in records("shapes10_linear")[0]["runs"])
    assert f"{linear:.0%}".replace("%", " %") in text
    low, high = min(accuracies("cifar10_cpu")), max(accuracies("cifar10_cpu"))
    assert f"{low:.1%} to {high:.1%}".replace("%", " %") in text


def test_the_formula_is_not_slower_than_the_fused_kernel_by_much():
    (record,) = records("attention_kernels")
    rates = {run["precision"]: run["images_per_second"] for run in record["runs"]}
    ratio = {name: rate["explicit"] / rate["fused"] for name, rate in rates.items()}
    assert f"is {ratio['bfloat16']:.1f} times as fast" in prose("notebooks/source/03_attention.py")
    assert 0.9 < ratio["float32"] < 1.1  # "about as fast"
