"""The figures in the prose are the ones in data/results, and the records say how they came about."""

import json
import re
import shlex
import statistics
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tutorial_text import tutorial_text

from vit_minimal import evaluate, load_checkpoint, load_cifar10
from vit_minimal.experiments import key, plan, summarize

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "results"


def records(name):
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    if name == "notebook_times":  # by precision, then by notebook
        found = [record for times in found.values() for record in times.values()]
    return found


def prose(path):
    text = tutorial_text(path)
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


def test_the_shipped_model_is_the_one_on_record():
    (record,) = records("cifar10_cpu_long")
    assert record["accuracy"] >= 0.85 and record["judged_on"] == "10,000 test"
    assert record["dataset"] == "cifar10" and record["parameters"] <= 3_000_000
    path = ROOT / "data" / "checkpoints" / "cifar10-cpu-long.safetensors"
    assert path.stat().st_size <= 12e6
    with safe_open(path, framework="pt") as file:
        notes = json.loads(file.metadata()["notes"])
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert notes["accuracy"] == record["accuracy"] and notes["history"] == record["history"]
    model = load_checkpoint(path)
    assert model.config.pool == "class" and vars(model.config) == record["model"]
    assert sum(parameter.numel() for parameter in model.parameters()) == record["parameters"]


@pytest.mark.skipif(not (ROOT / "data" / "cifar10.npz").exists(), reason="CIFAR-10 is not here")
def test_the_shipped_model_does_what_its_card_says():
    dataset = load_cifar10(ROOT / "data")
    model = load_checkpoint(ROOT / "data" / "checkpoints" / "cifar10-cpu-long.safetensors")
    accuracy = evaluate(model, dataset.test_images[:1_000], dataset.test_labels[:1_000])
    (record,) = records("cifar10_cpu_long")
    assert accuracy == pytest.approx(record["accuracy"], abs=0.03)


def test_journey_is_what_notebook_06_says():
    (record,) = records("class_token_journey")
    text = prose("notebooks/source/06_inside_the_class_token.py")
    probes = {kind: probe["mean"] for kind, probe in record["probes"].items()}
    class_token, patch_mean = probes["class_token"], probes["patch_mean"]
    assert class_token[0] < 0.11  # before the first block
    width = max(record["probes"]["class_token"]["width"])
    ahead = [one - other for one, other in zip(class_token, patch_mean, strict=True)]
    assert all(lead < -2 * width for lead in ahead[1:4])  # until block 3
    assert abs(ahead[4]) < width and all(lead > 2 * width for lead in ahead[5:])
    assert f"{100 * class_token[-1]:.1f} against {100 * patch_mean[-1]:.1f} %" in text
    last = probes["patches"][-1]
    assert f"{100 * min(last):.1f} to {100 * max(last):.1f} %" in text
    cuts = {kind: cut["mean"] for kind, cut in record["knock_outs"].items()}
    lost = cuts["loss, one layer"]
    assert max(lost[:3]) < 0.0105
    quoted = (
        f"layer 4 it loses {100 * lost[3]:.1f} points, in layer 5 {100 * lost[4]:.1f}, in layer 6"
    )
    assert f"{quoted} {100 * lost[5]:.0f}" in text
    assert f"{100 * cuts['from a layer on'][3]:.1f} % are left" in text
    assert f"after block 3 reads {100 * class_token[3]:.0f} %" in text
    low, high = min(record["self_attention"]), max(record["self_attention"])
    assert f"gives itself {100 * low:.1f} to {100 * high:.1f} %" in text


def test_deletions_are_what_notebook_06_says():
    (record,) = records("class_token_journey")
    text = prose("notebooks/source/06_inside_the_class_token.py")
    deletions = record["deletions"]
    at = deletions["counts"].index(16)
    left = {name: deletions[name]["highest"]["mean"][at] for name in list(deletions)[1:]}
    random = deletions["gradients"]["random"]["mean"]
    assert f"still gets {100 * random[at]:.0f} % right" in text
    assert f"({100 * random[0]:.0f} % with none gone)" in text
    attention, rollout, gradients = (f"{100 * value:.0f} %" for value in left.values())
    assert f"{attention} if they are those that the last layer attends to most" in text
    assert f"{rollout} by rollout, and {gradients} by gradients" in text
    beyond = deletions["rollout"]["loss beyond random"]
    four = f"{100 * beyond['mean'][2]:.1f} ± {100 * beyond['width'][2]:.1f}"
    assert f"the difference at four: {four} points" in text
    lowest = {name: 100 * deletions[name]["lowest"]["mean"][at] for name in left}
    assert f"{lowest['rollout']:.1f} against {100 * random[at]:.1f} % at 16" in text
    assert f"by gradients {lowest['gradients']:.1f} %" in text


def test_needles_are_found_by_trained_models_and_not_needed_twice():
    (record,) = records("needle10")
    assert len(record["runs"]) >= 3
    for run in record["runs"]:
        before, after = run["untrained"], run["trained"]
        assert min(after["pointing"].values()) > 0.85 > 50 * record["chance"]
        assert after["accuracy"] == after["accuracy_without"][1] > 0.99
        assert max(before["share"]) < 0.02 and min(after["share"]) > 0.3
    rollout = [100 * run["untrained"]["pointing"]["rollout"] for run in record["runs"]]
    quoted = f"in {rollout[0]:.1f}, {rollout[1]:.1f} and {rollout[2]:.1f} % of the images"
    assert quoted in prose("notebooks/source/06_inside_the_class_token.py")


def test_ladder_is_what_notebook_05_says():
    (record,) = records("training_ladder")
    assert all(len(rung["accuracies"]) >= 3 for rung in record["rungs"])
    mean = {rung["rung"]: 100 * statistics.mean(rung["accuracies"]) for rung in record["rungs"]}
    text = prose("notebooks/source/05_training_on_cifar10.py")
    assert f"from {mean['+ clipping']:.1f} to {mean['+ Muon']:.1f} %" in text
    gained = mean["+ warm-up and cosine"] - mean["+ AdamW"]
    assert f"give {gained:.1f} points here" in text
    assert abs(mean["+ clipping"] - mean["+ warm-up and cosine"]) < 1
    assert abs(mean["+ flip and crop"] - mean["+ Muon"]) < 1


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
    float32, bfloat16 = (
        run["steps_per_second"] for run in record["runs"] if run["model"] == "ours"
    )
    assert f"{bfloat16 / float32:.1f} times as many steps per second" in prose(
        "notebooks/source/05_training_on_cifar10.py"
    )
    (record,) = records("augmentation")
    ratios = [run["ratio"] for run in record["runs"]]
    assert f"{min(ratios):.0f} to {max(ratios):.0f} times" in prose(
        "notebooks/source/05_training_on_cifar10.py"
    )


def test_recipes_are_the_ones_that_were_measured():
    from vit_minimal import RECIPES, TrainingConfig

    for name in ("shapes10_quick", "cifar10_cpu", "cifar10_cpu_long"):
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


@pytest.mark.parametrize(
    "path",
    ["README.md", "data/README.md"]
    + [
        f"notebooks/source/{name}.py"
        for name in ("05_training_on_cifar10", "06_inside_the_class_token")
    ],
)
def test_prose_quotes_the_shipped_model(path):
    (accuracy,) = accuracies("cifar10_cpu_long")
    assert f"{accuracy:.1%}".replace("%", " %") in prose(path)


def test_the_formula_is_not_slower_than_the_fused_kernel_by_much():
    (record,) = records("attention_kernels")
    rates = {run["precision"]: run["images_per_second"] for run in record["runs"]}
    ratio = {name: rate["explicit"] / rate["fused"] for name, rate in rates.items()}
    assert f"is {ratio['bfloat16']:.1f} times as fast" in prose("notebooks/source/03_attention.py")
    assert 0.9 < ratio["float32"] < 1.1  # "about as fast"


# ---------------------------------------------------------------------------------- experiments


def summaries(name, budget="full", dataset="cifar10"):
    return summarize(name, budget, records(f"experiments_{dataset}_{budget}"))


def precisions(name):
    """The settings of an experiment that were measured in each: {precision: {setting}}."""
    found = {}
    for record in records("experiments_cifar10_full"):
        for (setting, _), run in plan(name, "full", record["seed"]).items():
            if key(run) == key(record["run"]):
                found.setdefault(record["precision"], set()).add(setting)
    return found


def test_no_run_of_an_experiment_is_on_record_twice():
    for path in RESULTS.glob("experiments_*.json"):
        runs = [json.dumps(record["run"], sort_keys=True) for record in records(path.stem)]
        assert len(runs) == len(set(runs))


def test_the_command_of_a_run_names_an_experiment_that_it_belongs_to():
    for path in RESULTS.glob("experiments_*.json"):
        _, dataset, budget = path.stem.split("_")
        for record in records(path.stem):
            python, m, module, name, *words = shlex.split(record["command"])
            assert [python, m, module] == ["python", "-m", "vit_minimal.experiments"]
            options = "--budget {} --dataset {} --seeds {} --settings"
            assert words[:-1] == options.format(budget, dataset, record["seed"] + 1).split()
            settings = plan(name, budget, record["seed"]).items()
            assert key(record["run"]) in [key(run) for (to, _), run in settings if to == words[-1]]


MEASURED = {  # on CIFAR-10: how many settings at least, each with three seeds or more
    "class_token_init": 6,
    "position_init": 7,
    "position_untrained": 5,
    "patch_size": 5,
    "patch_size_longer": 5,
    "class_token_place": 8,
    "class_token_cut": 4,
    "weight_init": 5,
    "register_init": 2,
    "warmup_and_norm": 4,
    "pooling": 4,
    "single_patches": 3,
    "causal_mask": 3,
}


@pytest.mark.parametrize("name", MEASURED)
def test_experiments_on_cifar10_have_their_seeds_and_a_base_that_has_learned(name):
    measured = summaries(name)
    assert sum(len(of.accuracies) >= 3 for of in measured.values()) >= MEASURED[name]
    assert min(next(iter(measured.values())).accuracies) > 0.65
    for record in records("experiments_cifar10_full"):
        assert record["judged_on"] == "10,000 test" and record["trained_on"] == 45_000


def interval(of):
    return of.mean - of.width, of.mean + of.width


def interval_in_percent(of):
    return [100 * end for end in interval(of)]


def test_starts_of_the_class_token_are_what_notebook_07_says():
    measured, text = (
        summaries("class_token_init"),
        prose("notebooks/source/07_pitfalls_initialization.py"),
    )
    assert f"N(0, 10) loses {-100 * measured['N(0, 10)'].difference:.1f} points" in text
    below = -100 * measured["N(0, 1)"].difference
    assert f"N(0, 1) is {below:.1f} points below the base" in text
    for name, of in measured.items():
        if name not in ("N(0, 0.02)", "N(0, 10)"):
            assert abs(of.difference) < of.difference_width, f"{name} can be told apart"
    assert interval(measured["N(0, 10)"])[1] < interval(measured["N(0, 0.02)"])[0]
    rates = summaries("class_token_init_rates")
    assert {of.learning_rate for of in rates.values()} == {0.003}  # both choose the base's
    assert f"the distance stays {-100 * rates['N(0, 10)'].difference:.1f} points" in text
    higher = {}
    for record in records("experiments_cifar10_full"):
        if record["run"]["training"]["learning_rate"] == pytest.approx(0.009):
            higher.setdefault(bool(record["run"]["start"]), []).append(record["accuracy"])
    large, small = (100 * statistics.mean(higher[start]) for start in (True, False))
    assert f"worse, with {small:.1f} %, and N(0, 10) gains nothing, with {large:.1f} %" in text
    assert small < interval_in_percent(measured["N(0, 0.02)"])[0]
    assert large < interval_in_percent(measured["N(0, 10)"])[1]
    registers = summaries("register_init")
    small, large = (f"{100 * registers[name].mean:.1f} %" for name in ("N(0, 0.02)", "N(0, 10)"))
    assert f"N(0, 10) the model reaches {large}, with one from N(0, 0.02) {small}" in text
    assert abs(registers["N(0, 10)"].difference) < registers["N(0, 10)"].difference_width
    cut = summaries("class_token_cut")
    assert f"it guesses: {100 * cut['sees itself alone'].mean:.1f} % with every seed" in text
    assert set(cut["sees itself alone"].accuracies) == {0.1}
    assert f"Detached, it has {100 * cut['detached before the head'].mean:.1f} %" in text
    unseen = cut["unseen by the patches"]
    assert abs(unseen.difference) < unseen.difference_width
    for of in summaries("class_token_untrained").values():
        assert len(of.accuracies) >= 3
        assert not abs(of.difference) > of.difference_width


def test_starts_of_the_positions_are_what_notebook_07_says():
    measured = summaries("position_init")
    text = prose("notebooks/source/07_pitfalls_initialization.py")
    lost = {name: f"{-100 * of.difference:.1f}" for name, of in measured.items()}
    assert f"cost {lost['N(0, 1)']} points at N(0, 1) and {lost['N(0, 10)']} at N(0, 10)" in text
    assert f"cost {lost['zeros, frozen']} points ([notebook 10]" in text
    assert f"hardly better: they cost {lost['N(0, 0.02), frozen']}." in text
    ends = {name: interval(of) for name, of in measured.items()}
    assert ends["N(0, 10)"][1] < ends["N(0, 1)"][0] < ends["N(0, 1)"][1] < ends["N(0, 0.02)"][0]
    assert ends["N(0, 0.02), frozen"][1] < ends["zeros"][0]
    assert ends["zeros, frozen"][0] < measured["N(0, 0.02), frozen"].mean < ends["zeros, frozen"][1]
    for name in ("zeros", "all 1"):
        assert abs(measured[name].difference) < measured[name].difference_width
    assert measured["zeros"].accuracies == measured["all 1"].accuracies
    first_and_last = {"N(0, 0.02)", "zeros, frozen"}
    others = set(measured) - first_and_last
    assert precisions("position_init") == {"bfloat16": first_and_last, "float32": others}


def test_positions_that_are_not_trained_are_what_notebook_07_says():
    measured = summaries("position_untrained")
    text = prose("notebooks/source/07_pitfalls_initialization.py")
    mean = {name: f"{100 * of.mean:.1f}" for name, of in measured.items()}
    others = set(measured) - {"learned", "none"}
    assert precisions("position_untrained") == {"bfloat16": {"learned", "none"}, "float32": others}
    assert f"of the patches' size reach {mean['N(0, 0.3), frozen']} %" in text
    assert f"the sines and cosines {mean['sines and cosines']} %" in text
    assert f"from none, {mean['none']} %, to learned, {mean['learned']} %" in text
    ends = {name: interval(of) for name, of in measured.items()}
    for name in ("N(0, 0.3), frozen", "sines and cosines"):  # about half the way
        assert ends["N(0, 0.02), frozen"][1] < ends[name][0] < ends[name][1] < ends["learned"][0]
        way = measured["learned"].mean - measured["none"].mean
        assert 0.4 < (measured[name].mean - measured["none"].mean) / way < 0.65
    at = f"between, at {mean['N(0, 0.3), frozen']} to {mean['sines and cosines']} %"
    assert at in prose("notebooks/source/10_claims_put_to_the_test.py")


def test_norms_and_warm_up_are_what_notebook_07_says():
    measured = summaries("warmup_and_norm")
    behind = {}
    for warmup in ("warm-up", "none"):
        pre, post = (measured[f"{norm}, {warmup}, Muon"] for norm in ("pre-norm", "post-norm"))
        behind[warmup] = 100 * (pre.mean - post.mean)
        assert interval(post)[1] < interval(pre)[0]
    for norm in ("pre-norm", "post-norm"):
        with_it, without = (measured[f"{norm}, {warmup}, Muon"] for warmup in behind)
        assert interval(without)[0] < with_it.mean < interval(without)[1]
    said = "ends {:.1f} points behind pre-norm where both have warm-up, and {:.1f} where neither"
    text = prose("notebooks/source/07_pitfalls_initialization.py")
    assert said.format(*behind.values()) in text


def test_starts_of_the_weights_are_what_notebook_07_says():
    measured, text = (
        summaries("weight_init"),
        prose("notebooks/source/07_pitfalls_initialization.py"),
    )
    behind = {name: -100 * of.difference for name, of in measured.items()}
    assert f"Xavier ends {behind['Xavier']:.1f} points *behind* N(0, 0.02)" in text
    default = behind["PyTorch's default"]
    assert f"and PyTorch's default {default:.1f}." in text
    assert set(measured["all zero"].accuracies) == {0.1}
    assert abs(measured["head zero"].difference) < measured["head zero"].difference_width
    losses = {}
    known = {key(record["run"]): record for record in records("experiments_cifar10_full")}
    for seed in range(3):
        for (name, _), run in plan("weight_init", "full", seed).items():
            losses.setdefault(name, []).append(known[key(run)]["train_loss"])
    first, _, last = (
        {name: statistics.mean(run[i] for run in runs) for name, runs in losses.items()}
        for i in range(3)
    )
    three = ("Xavier", "PyTorch's default", "N(0, 0.02)")
    quoted = "{:.2f} and {:.2f} against {:.2f}".format(*(last[name] for name in three))
    assert quoted in text
    low, high = min(first[name] for name in three), max(first[name] for name in three)
    assert f"were level, at {low:.2f} to {high:.2f}" in text


def test_rivals_of_the_class_token_are_what_notebook_09_says():
    text, place = (
        prose("notebooks/source/09_pitfalls_class_token.py"),
        summaries("class_token_place"),
    )
    patch, average = place["reads the first patch"], place["averages all tokens"]
    assert f"costs {-100 * patch.difference:.1f} points, and it is the same" in text
    late = place["last, but reads token 0"]
    assert f"{late.difference:.3f}" == f"{patch.difference:.3f}"
    assert f"is ahead by {100 * average.difference:.1f} points" in text
    assert all(abs(of.difference) > of.difference_width for of in (patch, late, average))
    for name in set(place) - {"reads the first patch", "last, but reads token 0"}:
        if name not in ("class token", "averages all tokens"):
            assert abs(place[name].difference) < place[name].difference_width, name
    pooling = summaries("pooling")
    mean, attention = pooling["mean of patches"], pooling["attention pooling"]
    quoted = f"is {100 * mean.difference:.1f} points ahead, and attention pooling"
    assert f"{quoted} {100 * attention.difference:.1f}." in text
    assert mean.learning_rate == 2 * pooling["class token"].learning_rate
    assert all(of.difference > of.difference_width for of in (mean, attention))
    registers = pooling["class token, 4 registers"]
    assert abs(registers.difference) < registers.difference_width


def parts_of_patch_size():
    return {part["part"]: part["rows"] for part in records("patch_size")}


def test_patch_sizes_are_what_notebook_08_says():
    text = prose("notebooks/source/08_pitfalls_patch_size.py")
    sizes, longer = summaries("patch_size"), summaries("patch_size_longer")
    ahead = 100 * (sizes["P = 4"].mean - sizes["P = 8"].mean)
    assert f"{ahead:.1f} points from 8 to 4" in text
    assert interval(sizes["P = 16"])[1] > interval(sizes["P = 32"])[0]  # cannot be told apart
    two = sizes["P = 2"]
    assert abs(two.difference) < two.difference_width
    assert f"reaches {100 * two.mean:.1f} %, and three seeds cannot tell" in text
    assert f"from the {100 * sizes['P = 4'].mean:.1f} % of P = 4" in text
    assert precisions("patch_size") == {
        "float32": {"P = 2"},
        "bfloat16": set(sizes) - {"P = 2"},
    }
    eight, sixteen = longer["P = 8, 4 × the passes"], longer["P = 16, 12 × the passes"]
    assert f"reaches {100 * eight.mean:.1f} %, {100 * eight.difference:.1f} points more" in text
    less, behind = -100 * sixteen.difference, 100 * (sizes["P = 4"].mean - sizes["P = 16"].mean)
    assert f"to {100 * sixteen.mean:.1f} %, {less:.1f} points less than P = 4" in text
    assert f"by {ahead:.1f} points of P = 8 and by {behind:.1f} of P = 16" in text
    assert f"stays at {100 * longer['P = 32, 24 × the passes'].mean:.1f} %" in text
    two = longer["P = 2, a third of the passes"]
    assert all(abs(of.difference) > of.difference_width for of in (two, eight, sixteen))
    gained = [
        longer[f"P = {P}"].mean - sizes[f"P = {P[:2]}"].mean
        for P in ("16, 12 × the passes", "32, 24 × the passes")
    ]
    assert gained[0] > gained[1]
    rows = {row["patch_size"]: row for row in parts_of_patch_size()["cost"]}
    passes = {8: 4, 16: 12, 32: 24}  # at which the compute is that of P = 4, within a tenth
    for P, factor in passes.items():
        assert rows[4]["flops"] == pytest.approx(factor * rows[P]["flops"], rel=0.1)
    assert f"P = 2, with {rows[2]['flops'] / rows[4]['flops']:.1f} times the FLOPs" in text
    share = rows[2]["flops"] / rows[4]["flops"] / 3
    assert f"({share:.1f} times the FLOPs of P = 4's three), reaches {100 * two.mean:.1f} %" in text
    longer_by = 4 * rows[8]["seconds"] / rows[4]["seconds"]
    assert f"four passes with P = 8 take {longer_by:.1f} times as long" in text
    by = {P: factor * rows[P]["seconds"] / rows[4]["seconds"] for P, factor in passes.items()}
    assert f"twelve with P = 16 {by[16]:.1f} times, twenty-four with P = 32 {by[32]:.1f}" in text


def test_noise_and_other_patches_are_what_notebook_08_says():
    text, parts = prose("notebooks/source/08_pitfalls_patch_size.py"), parts_of_patch_size()

    def mean(part, patch_size, noise):
        rows = [row["accuracies"] for row in parts[part] if row["patch_size"] == patch_size]
        return 100 * statistics.mean(row[str(noise)] for row in rows)

    (four, fallen), (eight, kept), (sixteen, same) = (
        (mean("noise", P, 0), mean("noise", P, 32)) for P in (4, 8, 16)
    )
    assert f"fallen from {four:.0f} to {fallen:.0f} %" in text
    assert f"P = 8 still has {kept:.0f} of its {eight:.0f} %" in text
    assert f"P = 16 has lost less than a point of its {sixteen:.0f} %" in text
    assert sixteen - same < 1
    learned = [mean("noise_learned", P, 32) for P in (4, 8, 16)]
    assert "{:.0f}, {:.0f} and {:.0f} %".format(*learned) in text
    beyond = [mean("noise_learned", P, 64) for P in (4, 8)]
    assert "{:.0f} against {:.0f} %".format(*beyond) in text
    reached = {
        (row["patch_size"], row["image_size"]): row["accuracy"] for row in parts["resampling"]
    }
    trained = reached.pop((4, 32))
    assert f"{100 * reached.pop((8, 64)):.1f} % where it had {100 * trained:.1f}" in text
    least = min(trained - accuracy for accuracy in reached.values())
    assert f"All lose {100 * least:.0f} points or more" in text


def printed_tables(name):
    """The tables of experiments in a saved notebook: {setting: (mean, half width)} each, in %."""
    for cell in json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            lines = "".join(output.get("text", ())).splitlines()
            rows = (re.match(r"(.+?) +(\d+\.\d) ± +(\d+\.\d) %", line) for line in lines)
            table = {row[1]: (float(row[2]), float(row[3])) for row in rows if row}
            if table:
                yield table


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("07_pitfalls_initialization", "N(0, 0.02)", "Xavier"),
        ("07_pitfalls_initialization", "N(0, 10)", "N(0, 0.02)"),
        ("07_pitfalls_initialization", "N(0, 10)", "zeros, frozen"),
        ("08_pitfalls_patch_size", "P = 32", "P = 4"),
        ("09_pitfalls_class_token", "reads the first patch", "averages all tokens"),
        ("10_claims_put_to_the_test", "mean of patches, no attention", "mean of patches"),
    ],
)
def test_main_effects_show_at_the_quick_budget(name, low, high):
    """The intervals of the two do not overlap where they first stand in one table."""
    table = next(table for table in printed_tables(name) if {low, high} <= table.keys())
    assert sum(table[low]) < table[high][0] - table[high][1]


@pytest.mark.parametrize(
    "name",
    [
        "07_pitfalls_initialization",
        "08_pitfalls_patch_size",
        "09_pitfalls_class_token",
        "10_claims_put_to_the_test",
    ],
)
def test_pitfalls_take_two_minutes(name):
    times = json.loads((RESULTS / "notebook_times.json").read_text(encoding="utf-8"))
    assert times["bfloat16"][name]["seconds"] <= 120
