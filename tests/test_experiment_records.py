"""The runs of the experiments: on record once, with their seeds, and with effects that show."""

import json
import re
import shlex

import pytest

from figures import RESULTS, ROOT, experiment, notebook_seconds, records
from vit_minimal.experiments import key, plan

FILES = sorted(path.stem for path in RESULTS.glob("experiments_*.json"))
MEASURED = {  # on CIFAR-10: how many settings at least, each with three seeds or more
    "class_token_init": 6,
    "position_init": 7,
    "position_untrained": 5,
    "patch_size": 5,
    "patch_size_longer": 5,
    "patch_size_at_equal_time": 2,
    "patch_size_at_equal_time_short": 2,
    "class_token_place": 8,
    "class_token_cut": 4,
    "patch_position_init": 2,
    "patch_drowning": 4,
    "weight_init": 7,
    "register_init": 2,
    "warmup_and_norm": 4,
    "pooling": 4,
    "single_patches": 3,
    "causal_mask": 3,
}


@pytest.mark.parametrize("name", FILES)
def test_no_run_is_on_record_twice(name):
    runs = [json.dumps(record.run, sort_keys=True) for record in records(name)]
    assert len(runs) == len(set(runs))


@pytest.mark.parametrize("name", FILES)
def test_the_command_of_a_run_names_an_experiment_that_it_belongs_to(name):
    _, dataset, budget = name.split("_", 2)
    for record in records(name):
        python, m, module, experiment_name, *words = shlex.split(record.command)
        assert [python, m, module] == ["python", "-m", "vit_minimal.experiments"]
        options = "--budget {} --dataset {} --seeds {} --settings"
        assert words[:-1] == options.format(budget, dataset, record.seed + 1).split()
        runs = plan(experiment_name, budget, record.seed).items()
        of_setting = [key(run) for (setting, _), run in runs if setting == words[-1]]
        assert key(record.run) in of_setting


def test_all_runs_on_cifar10_were_judged_on_the_same_images():
    for record in records("experiments_cifar10_full"):
        assert record.judged_on == "10,000 test" and record.trained_on == 45_000


@pytest.mark.parametrize("name", MEASURED)
def test_experiments_on_cifar10_have_their_seeds_and_a_base_that_has_learned(name):
    measured = experiment(name)
    assert sum(len(of.accuracies) >= 3 for of in measured.values()) >= MEASURED[name]
    assert min(next(iter(measured.values())).accuracies) > 0.65


def test_after_many_passes_the_base_has_learned_more_and_effects_are_smaller():
    base = experiment("class_token_init", "long")["N(0, 0.02)"]
    assert len(base.accuracies) >= 3 and min(base.accuracies) > 0.8
    for name, setting in (
        ("class_token_init", "N(0, 10)"),
        ("position_init", "N(0, 1)"),
        ("pooling", "mean of patches"),
    ):
        then, now = experiment(name)[setting], experiment(name, "long")[setting]
        assert len(now.accuracies) >= 2
        assert 0 < now.difference / then.difference < 1
    for record in records("experiments_cifar10_long"):
        assert record.judged_on == "10,000 test" and record.trained_on == 45_000


PAIRED = re.compile(
    r"(.+?) +\d+\.\d ± +\d+\.\d % +(?P<cost>cost +)?([+-]\d+\.\d) ± +(\d+\.\d) points"
)


def printed_tables(name):
    """The tables of experiments in a saved notebook: {setting: (mean, half width)} each, in %, and
    under "against the first" {setting: (difference, half width)}, in points, seed by seed.
    """
    cells = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        for output in cell.get("outputs", ()):
            lines = "".join(output.get("text", ())).splitlines()
            rows = (re.match(r"(.+?) +(\d+\.\d) ± +(\d+\.\d) %", line) for line in lines)
            table = {row[1]: (float(row[2]), float(row[3])) for row in rows if row}
            rows = (PAIRED.match(line) for line in lines)
            differences = {  # a cost is what a setting is behind by
                row[1]: (-float(row[3]) if row["cost"] else float(row[3]), float(row[4]))
                for row in rows
                if row
            }
            if table:
                yield table | {"against the first": differences}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("07_pitfalls_initialization", "weights: N(0, 0.02)", "weights: Xavier"),
        ("08_pitfalls_patch_size", "P = 8", "P = 4"),
        ("09_pitfalls_class_token", "reads the first patch", "averages all tokens"),
    ],
)
def test_main_effects_show_at_the_quick_budget(name, low, high):
    """Where they first stand in one table, the interval of their difference does not hold 0; where
    neither is the first, and there is none of the difference, their own do not overlap.
    """
    table = next(table for table in printed_tables(name) if {low, high} <= table.keys())
    differences = table["against the first"]
    first = next(iter(table))
    if low == first:
        assert differences[high][0] > differences[high][1]
    elif high == first:
        assert -differences[low][0] > differences[low][1]
    else:
        assert sum(table[low]) < table[high][0] - table[high][1]


@pytest.mark.parametrize(
    "name",
    [
        "07_pitfalls_initialization",
        "08_pitfalls_patch_size",
        "09_pitfalls_class_token",
        "10_claims_put_to_the_test",
        "14_more_claims",
        "16_detail_and_noise",
    ],
)
def test_pitfalls_take_two_and_a_half_minutes(name):
    assert notebook_seconds(name) <= 150
