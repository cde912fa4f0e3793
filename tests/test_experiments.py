"""Experiments: the grid, its records, who may do which run, and the summary."""

import json
import math
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    shapes10,
)
from vit_minimal.data import Dataset
from vit_minimal.experiments import (
    BASE,
    EXPERIMENTS,
    Experiment,
    Setting,
    Spread,
    __main__,
    as_table,
    contrast,
    cost,
    key,
    make_model,
    mean_and_width,
    plan,
    pooled_spread,
    run_experiment,
    runs,
    spread_of,
    students_t,
    summarize,
    train_run,
)
from vit_minimal.experiments.__main__ import main
from vit_minimal.records import read_records
from vit_minimal.training import Recipe, evaluate
from vit_minimal.training.run import Run
from vit_minimal.variants import VARIANTS

TINY = """
    import sys, torch
    from vit_minimal import ViTConfig, TrainingConfig, shapes10
    from vit_minimal.data import Dataset
    from vit_minimal.experiments import BASE, EXPERIMENTS, Experiment, Setting, __main__
    from vit_minimal.training import Recipe

    torch.set_num_threads(1)
    training = TrainingConfig(epochs=2, batch_size=20, flip=False, crop_padding=0, validation_images=20)
    model = ViTConfig(patch_size=16, embed_dim=8, depth=1, num_heads=1)
    BASE["quick"] = Recipe(model, training)
    widths = {f"D = {D}": Setting({"embed_dim": D}) for D in (8, 12, 16)}
    EXPERIMENTS["tiny"] = Experiment(widths)
    names = tuple("0123456789")
    data = Dataset(*shapes10(IMAGES, 0), *shapes10(50, 1), names, "shapes10")
    __main__.load_dataset = lambda name: data
"""


@pytest.fixture
def tiny(monkeypatch):
    training = TrainingConfig(
        epochs=1, batch_size=20, flip=False, crop_padding=0, validation_images=20
    )
    model = ViTConfig(patch_size=16, embed_dim=8, depth=1, num_heads=1)
    monkeypatch.setitem(BASE, "quick", Recipe(model, training))
    settings = {"plain": Setting(), "zeros": Setting(start={"cls_token.weight": ("zeros_",)})}
    monkeypatch.setitem(EXPERIMENTS, "tiny", Experiment(settings))
    data = Dataset(*shapes10(60, 0), *shapes10(30, 1), tuple("0123456789"), "shapes10")
    for module in (__main__, runs):
        monkeypatch.setattr(module, "load_dataset", lambda _=None: data)
    return data


def recorded(folder):
    return read_records(folder / "experiments_shapes10_quick.json")


# ------------------------------------------------------------------------------------------ grids


@pytest.mark.parametrize("budget", BASE)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_setting_makes_a_model_that_differs_from_the_base_in_what_it_says(name, budget):
    runs = plan(name, budget, seed=0)
    known = [json.dumps(run) for run in runs.values()]
    assert len(known) == len(set(known)) >= 2, "two settings are one"
    for run in runs.values():
        TrainingConfig(**run["training"])
        with torch.no_grad():
            logits = make_model(run).eval()(torch.zeros(1, 3, 32, 32))
        assert logits.shape == (1, 10) and logits.isfinite().all()
        if run["start"]:
            plain = make_model(run | {"start": {}}).state_dict()
            model = make_model(run).state_dict()
            assert any(not torch.equal(model[weight], plain[weight]) for weight in plain)


OWN_BASE = {  # a register, no position for the class token, other epochs or blocks, on purpose
    "register_init",
    "patch_position_init",
    "patch_drowning",
    "class_token_untrained",
    "warmup_and_norm_deep",
    "patch_size_at_equal_time",
    "patch_size_and_epochs",
}
SMALL_PATCHES = {
    "patch_size",
    "patch_size_longer",
    "patch_size_at_equal_time_short",
}  # the quick base has patches of 8 × 8 pixels


@pytest.mark.parametrize("budget", BASE)
def test_experiments_share_their_base_run(budget):
    bases = {name: next(iter(plan(name, budget, 0).values())) for name in EXPERIMENTS}
    plain = plan("class_token_init", budget, 0)["N(0, 0.02)", 1]
    others = {name for name, base in bases.items() if base != plain}
    adamw = {"warmup_and_norm"}  # its first setting is with Muon
    own = {"quick": SMALL_PATCHES, "adamw": adamw, "adamw_long": adamw}
    assert others == OWN_BASE | own.get(budget, set())
    assert bases["patch_position_init"] == bases["class_token_untrained"] == bases["patch_drowning"]


def test_make_model_starts_and_freezes_what_the_setting_names():
    run = plan("class_token_init", "quick", 0)["N(0, 10)", 1]
    model, plain = make_model(run), make_model(run | {"start": {}})
    assert model.cls_token.weight.std() > 5 > plain.cls_token.weight.std()
    for name, value in plain.state_dict().items():
        assert name == "cls_token.weight" or torch.equal(value, model.state_dict()[name])
    frozen = make_model(plan("class_token_init", "quick", 0)["N(0, 0.02), frozen", 1])
    assert [n for n, p in frozen.named_parameters() if not p.requires_grad] == ["cls_token.weight"]
    both = make_model(plan("position_init", "quick", 0)["zeros, frozen", 1])
    assert not both.pos_embed.weight.any() and not both.pos_embed.weight.requires_grad
    zero = make_model(plan("weight_init", "quick", 0)["all zero", 1])
    assert not zero.blocks[0].attn.qkv.weight.any() and zero.blocks[0].norm1.weight.all()
    default = make_model(plan("weight_init", "quick", 0)["PyTorch's default", 1])
    expected = torch.nn.Linear(64, 64).weight.detach().abs().max()  # 1/√64
    assert default.head.weight.detach().abs().max() == pytest.approx(float(expected), rel=0.05)


def test_patches_that_start_large_are_pytorchs_times_50_and_a_shared_part_is_their_bias():
    runs = plan("patch_drowning", "full", 0)
    usual, large, shared = (
        make_model(runs[name, 1]).patch_embed.proj
        for name in (
            "N(0, 0.02)",
            "N(0, 0.02), patches × 50",
            "N(0, 0.02), a shared part from N(0, 1)",
        )
    )
    assert large.weight.std().item() == pytest.approx(50 * usual.weight.std().item(), rel=0.05)
    assert large.weight.abs().max() < 50 / 48**0.5 and torch.equal(large.bias, usual.bias)
    assert 0.7 < shared.bias.std() < 1.3 and torch.equal(shared.weight, usual.weight)


def test_a_setting_that_names_no_parameter_says_which_there_are():
    run = plan("class_token_init", "quick", 0)["zeros", 1]
    with pytest.raises(ValueError, match=r"'class_token'.*'cls_token.weight'"):
        make_model(run | {"start": {"class_token": ("zeros_",)}})


def test_passes_and_learning_rates_are_in_units_of_the_base():
    full = BASE["full"].training
    longer = plan("patch_size_longer", "full", 0)["P = 16, 12 × the epochs", 1]["training"]
    assert longer == json.loads(json.dumps(vars(replace(full, epochs=12 * full.epochs))))
    tried = {run["training"]["learning_rate"] for run in plan("pooling", "full", 0).values()}
    assert tried == {full.learning_rate * factor for factor in (0.5, 1, 2, 4, 8)}


@pytest.mark.parametrize("P", [4, 8, 32])
def test_costs_are_those_worked_out_by_hand(P):
    run = plan("patch_size", "full", 0)[f"P = {P}", 1]
    D, L, hidden, N = 96, 4, 192, (32 // P) ** 2
    T = N + 1
    products = N * 3 * P * P * D + L * (4 * T * D * D + 2 * T * T * D + 2 * T * D * hidden) + 10 * D
    found, more = (cost(run, batch_size, steps=1) for batch_size in (2, 5))
    assert found["kept_bytes"] == more["kept_bytes"]  # those of one image
    assert found["tokens"] == T and found["flops"] == 2 * products
    assert found["parameters"] == sum(p.numel() for p in make_model(run).parameters())
    assert 4 * L * T * D < found["kept_bytes"] < 150 * L * T * D and found["seconds"] > 0


def test_an_unknown_experiment_names_those_there_are():
    with pytest.raises(ValueError, match=r"no experiment 'pools': there are .*pooling"):
        run_experiment("pools")
    with pytest.raises(ValueError, match=r"no setting 'max' in pooling: there are class token, "):
        run_experiment("pooling", settings=["class token", "max"])
    with pytest.raises(ValueError, match=r"no factor 3 .* in pooling: there are 1, 0.5, 2, 4, 8"):
        run_experiment("pooling", learning_rates=[1, 3])


def test_an_unknown_budget_names_those_there_are(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"'full', .*'large'\), is 'fast'"):
        run_experiment("tiny", "fast", folder=tmp_path)


def test_some_settings_of_an_experiment_can_be_left_for_later(tiny, tmp_path):
    assert list(run_experiment("tiny", "quick", 2, folder=tmp_path, settings=["zeros"])) == [
        "zeros"
    ]
    assert len(recorded(tmp_path)) == 2
    assert list(run_experiment("tiny", "quick", 2, folder=tmp_path)) == ["plain", "zeros"]


def test_some_learning_rates_of_an_experiment_can_be_left_for_later(tiny, tmp_path):
    EXPERIMENTS["tiny"] = replace(EXPERIMENTS["tiny"], learning_rates=(1, 2))
    main(["tiny", "--seeds", "1", "--rates", "2", "--folder", str(tmp_path)])
    rates = {record["run"]["training"]["learning_rate"] for record in recorded(tmp_path)}
    assert rates == {2 * BASE["quick"].training.learning_rate}
    run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    assert len(recorded(tmp_path)) == 4


def test_the_long_budget_is_the_full_one_with_more_epochs():
    full, long = BASE["full"], BASE["long"]
    assert long == replace(full, training=replace(full.training, epochs=long.training.epochs))
    assert long.training.epochs > 4 * full.training.epochs


def test_the_longest_and_the_adamw_budgets_change_one_thing_each():
    full, longest, adamw = BASE["full"], BASE["longest"], BASE["adamw"]
    assert longest == replace(full, training=replace(full.training, epochs=60))
    rate = adamw.training.learning_rate
    changed = {"optimizer": "adamw", "learning_rate": rate}
    assert adamw == replace(full, training=replace(full.training, **changed))
    epochs = BASE["long"].training.epochs
    longer = replace(adamw, training=replace(adamw.training, epochs=epochs))
    assert BASE["adamw_long"] == longer
    tried = plan("warmup_and_norm", "full", 0)  # the better of the rates on record there
    assert tried["pre-norm, warm-up, AdamW", 0.3]["training"]["learning_rate"] == rate


def test_the_large_budget_is_the_full_one_with_a_model_of_six_times_the_size():
    full, large = BASE["full"], BASE["large"]
    assert large == replace(full, model=large.model)
    sizes = [
        sum(weights.numel() for weights in VisionTransformer(budget.model).parameters())
        for budget in (full, large)
    ]
    assert 5 < sizes[1] / sizes[0] < 7


# ---------------------------------------------------------------------------------- runs, records


def test_runs_on_record_are_not_repeated_and_new_seeds_are_added(tiny, tmp_path, capsys):
    summaries = run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    first = recorded(tmp_path)
    assert [record["seed"] for record in first] == [0, 0] and len(summaries) == 2
    again = run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    assert recorded(tmp_path) == first and again == summaries
    run_experiment("tiny", "quick", seeds=2, folder=tmp_path)
    assert recorded(tmp_path)[:2] == first and len(recorded(tmp_path)) == 4
    assert "tiny: 2 of 4 runs are on record" in capsys.readouterr().out
    left_over = {path.name for path in tmp_path.iterdir()}
    assert left_over == {"experiments_shapes10_quick.json", "experiments_shapes10_quick.lock"}


def test_pooled_intervals_come_from_all_runs_and_no_line_is_printed_unless_asked(
    tiny, tmp_path, capsys
):
    run_experiment("tiny", "quick", seeds=2, folder=tmp_path, settings=["zeros"])
    assert "zeros" in capsys.readouterr().out
    quiet = run_experiment("tiny", "quick", 2, folder=tmp_path, pooled=True, verbose=False)
    assert capsys.readouterr().out == "" and len(recorded(tmp_path)) == 4
    spread = pooled_spread(recorded(tmp_path))
    assert quiet == summarize("tiny", "quick", recorded(tmp_path), spread)


def test_a_record_holds_what_it_takes_to_do_the_run_again(tiny, tmp_path):
    run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    for record in recorded(tmp_path):
        model, history = train_run(record["run"], tiny)
        assert history.train_loss == record["train_loss"]
        accuracy = evaluate(model, tiny.test_images, tiny.test_labels)
        assert accuracy == record["accuracy"]
        assert record["trained_on"] == 40 and record["judged_on"] == "30 test"


def test_a_record_names_the_command_that_does_the_run_wherever_it_was_called_from(tiny, tmp_path):
    run_experiment("tiny", "quick", seeds=2, folder=tmp_path / "here")
    for record in recorded(tmp_path / "here"):
        python, m, module, *words = shlex.split(record["command"])
        assert [python, m, module] == ["python", "-m", "vit_minimal.experiments"]
        folder = tmp_path / "there" / str(record["run"]["start"]) / str(record["seed"])
        main([*words, "--folder", str(folder)])
        assert record["run"] in [other["run"] for other in recorded(folder)]
        assert {other["run"]["training"]["seed"] for other in recorded(folder)} == set(
            range(record["seed"] + 1)
        )


def test_a_changed_base_recipe_asks_for_new_runs(tiny, tmp_path):
    run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    base = BASE["quick"]
    BASE["quick"] = replace(base, training=replace(base.training, learning_rate=5e-4))
    run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    assert len(recorded(tmp_path)) == 4


def test_runs_on_fewer_images_are_not_mixed_with_the_others(tiny, tmp_path):
    run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    with pytest.raises(
        ValueError, match=r"holds runs on .*40.*, not on .*35.*: name another folder"
    ):
        run_experiment("tiny", "quick", seeds=1, dataset=tiny.first(55), folder=tmp_path)
    assert len(recorded(tmp_path)) == 2


def test_drawn_shapes_are_always_run_at_the_quick_budget(tiny, tmp_path):
    run_experiment("tiny", "full", seeds=1, folder=tmp_path)
    assert len(recorded(tmp_path)) == 2


def test_a_run_is_known_by_settings_that_came_after_it_as_well():
    run = plan("pooling", "full", 0)["class token", 1]
    older = json.loads(json.dumps(run))
    del older["model"]["num_registers"], older["training"]["mixup"]
    assert key(older) == key(run)
    assert key(run | {"frozen": ["norm.weight"]}) != key(run)


def test_a_run_whose_loss_is_no_number_is_a_result(tiny, tmp_path):
    wild = Setting(training={"learning_rate": 1e30, "optimizer": "sgd", "warmup": 0.0})
    EXPERIMENTS["tiny"] = Experiment({"plain": Setting(), "wild": wild})
    summaries = run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    assert summaries["wild"].mean == 0.1  # ten classes
    assert "no longer a number" in recorded(tmp_path)[1]["failed"]
    assert recorded(tmp_path)[1]["judged_on"] == "30 test"


def start(folder, images, *more):
    script = textwrap.dedent(TINY).replace("IMAGES", str(images))
    script += f"\n__main__.main(['tiny', '--budget', 'quick', '--folder', {str(folder)!r}])"
    return subprocess.Popen(
        [sys.executable, "-c", script, *more], stdout=subprocess.PIPE, text=True
    )


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_a_killed_experiment_goes_on_and_loses_only_the_run_in_progress(tmp_path):
    process = start(tmp_path, images=800)
    wait_for(lambda: len(recorded(tmp_path)) >= 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = recorded(tmp_path)
    assert 3 <= len(kept) < 9, "it was killed too late to tell"
    output, _ = start(tmp_path, images=800).communicate(timeout=120)
    assert f"{len(kept)} of 9 runs are on record" in output
    assert recorded(tmp_path)[: len(kept)] == kept
    done = [json.dumps(record["run"]) for record in recorded(tmp_path)]
    assert len(done) == len(set(done)) == 9


def test_a_run_that_was_stopped_goes_on_from_where_it_was(tiny, tmp_path, monkeypatch):
    run_experiment("tiny", "quick", seeds=1, folder=tmp_path / "in one go")
    take_step, steps = Run.train_step, []

    def stop_after_the_first(run):
        take_step(run)
        steps.append(run.step)
        if len(steps) == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "train_step", stop_after_the_first)
    with pytest.raises(KeyboardInterrupt, match="holds what it takes to resume"):
        run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    assert recorded(tmp_path) == [] and len(list(tmp_path.glob("*.state.pt"))) == 1
    run_experiment("tiny", "quick", seeds=1, folder=tmp_path)
    assert len(steps) == 2 * 2  # two runs of two steps each
    assert not list(tmp_path.glob("*.state.pt"))
    figures = "seed", "accuracy", "validation_accuracy", "train_loss"
    stopped, whole = (
        [[record[name] for name in figures] for record in recorded(folder)]
        for folder in (tmp_path, tmp_path / "in one go")
    )
    assert stopped == whole


def test_two_processes_share_a_grid_without_doing_a_run_twice(tmp_path):
    processes = [start(tmp_path, images=800) for _ in range(2)]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    done = [len(re.findall(r"^seed ", output, re.MULTILINE)) for output in outputs]
    assert min(done) >= 1 and sum(done) == 9
    runs = [json.dumps(record["run"]) for record in recorded(tmp_path)]
    assert len(runs) == len(set(runs)) == 9


def test_the_command_line_runs_sums_up_and_is_resumable(tiny, tmp_path, capsys, monkeypatch):
    main(["tiny", "--budget", "quick", "--seeds", "2", "--folder", str(tmp_path)])
    output = capsys.readouterr().out
    assert "left: 0 of 4" in output and re.search(r"zeros +\d+\.\d ± +\d+\.\d %", output)
    monkeypatch.setattr(runs, "_do", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(SystemExit, match="the same command goes on"):
        main(["tiny", "--budget", "quick", "--seeds", "3", "--folder", str(tmp_path)])
    (tmp_path / "experiments_shapes10_quick.json").write_text("[{")
    with pytest.raises(SystemExit, match="is damaged"):
        main(["tiny", "--budget", "quick", "--folder", str(tmp_path)])


# ---------------------------------------------------------------------------------------- summary


def records_of(name, budget, reached):
    """Records as if {(setting, rate): [(validation, test), one per seed]} had been measured."""
    return [
        {"run": plan(name, budget, seed)[key], "seed": seed}
        | {"validation_accuracy": validation, "accuracy": test}
        for key, figures in reached.items()
        for seed, (validation, test) in enumerate(figures)
    ]


def test_the_width_is_that_of_students_t():
    """Its density, integrated numerically up to the width, holds 95 %."""
    for n in range(2, 11):
        values = [0.0] * (n - 1) + [1.0]
        _, width = mean_and_width(values)
        t = width / (np.std(values, ddof=1) / n**0.5)
        nu = n - 1
        x = torch.linspace(-t, t, 200_001, dtype=torch.float64)
        peak = math.gamma((nu + 1) / 2) / (math.sqrt(nu * math.pi) * math.gamma(nu / 2))
        share = torch.trapezoid(peak * (1 + x**2 / nu) ** (-(nu + 1) / 2), x).item()
        assert share == pytest.approx(0.95, abs=1e-3)
    assert mean_and_width([0.5]) == (0.5, math.inf)


@pytest.mark.parametrize(("degrees", "share"), [(10, 0.95), (30, 0.95), (96, 0.95), (96, 0.999)])
def test_beyond_the_table_students_t_holds_its_share(degrees, share):
    t = students_t(degrees, share)
    x = torch.linspace(-t, t, 200_001, dtype=torch.float64)
    half = torch.tensor([(degrees + 1) / 2, degrees / 2], dtype=torch.float64).lgamma()
    peak = (half[0] - half[1]).exp() / math.sqrt(degrees * math.pi)
    held = torch.trapezoid(peak * (1 + x**2 / degrees) ** (-(degrees + 1) / 2), x).item()
    assert held == pytest.approx(share, abs=5e-4)


def test_students_t_without_freedom_and_what_it_does_not_know():
    assert students_t(0) == math.inf
    with pytest.raises(ValueError, match="only 95 % are known"):
        students_t(4, 0.99)


SPREAD = {  # a lucky base, its neighbours, one that guesses, one seed, and one model twice
    ("N(0, 0.02)", 1): [(0.7, 0.70), (0.7, 0.70), (0.7, 0.70)],
    ("zeros", 1): [(0.7, 0.69), (0.7, 0.70), (0.7, 0.71)],
    ("all 1", 1): [(0.7, 0.69), (0.7, 0.70), (0.7, 0.71)],
    ("N(0, 1)", 1): [(0.7, 0.66), (0.7, 0.68), (0.7, 0.70)],
    ("N(0, 10)", 1): [(0.1, 0.10), (0.1, 0.10), (0.1, 0.10)],
    ("zeros, frozen", 1): [(0.7, 0.60)],
}


def test_the_spread_is_pooled_over_the_settings_that_work():
    spread = pooled_spread(records_of("class_token_init", "full", SPREAD))
    assert spread.degrees == 6  # base, zeros (and ones, the same model, once), N(0, 1)
    assert spread.deviation == pytest.approx((2 * (0 + 0.01**2 + 0.02**2) / 6) ** 0.5)
    assert spread.width(3) == pytest.approx(2.45 * spread.deviation / 3**0.5)
    assert spread_of([[0.10, 0.12], [0.70, 0.74], [0.60, 0.60]], least=0.5) == Spread(
        pytest.approx((0.04**2 / 2 / 2) ** 0.5), degrees=2, least=0.5
    )
    with pytest.raises(ValueError, match="two seeds or more"):
        pooled_spread(records_of("class_token_init", "full", {("zeros", 1): [(0.7, 0.6)]}))


def test_with_a_spread_a_lucky_draw_is_no_surer_than_others():
    records = records_of("class_token_init", "full", SPREAD)
    spread = pooled_spread(records)
    own, pooled = (summarize("class_token_init", "full", records, of) for of in (None, spread))
    assert own["N(0, 0.02)"].width == 0
    assert pooled["N(0, 0.02)"].width == pooled["N(0, 1)"].width == spread.width(3)
    assert pooled["zeros, frozen"].width == spread.width(1)
    difference = pooled["N(0, 1)"]
    assert difference.difference == pytest.approx(-0.02)
    assert difference.difference_width == pytest.approx(2**0.5 * spread.width(3))
    # what guesses has no spread of its own, but its base has one
    assert pooled["N(0, 10)"].width == 0
    assert pooled["N(0, 10)"].difference_width == pytest.approx(spread.width(3))
    base = pooled["N(0, 0.02)"]
    assert (base.difference, base.difference_width) == (0, 0)


def test_with_a_spread_more_seeds_of_the_base_make_its_differences_surer():
    seeds = [(0.7, 0.69), (0.7, 0.70), (0.7, 0.71)]
    few = {("N(0, 0.02)", 1): [(0.7, 0.70)] * 3, ("zeros", 1): seeds}
    many = few | {("N(0, 0.02)", 1): [(0.7, 0.70)] * 3 + seeds * 3}
    spread = pooled_spread(records_of("class_token_init", "full", SPREAD))
    few, many = (
        summarize("class_token_init", "full", records_of("class_token_init", "full", of), spread)
        for of in (few, many)
    )
    assert few["zeros"].difference_width == pytest.approx(2**0.5 * spread.width(3))
    both = (spread.width(3) ** 2 + spread.width(12) ** 2) ** 0.5
    assert many["zeros"].difference_width == pytest.approx(both)
    assert both < few["zeros"].difference_width
    means = many["zeros"].mean - many["N(0, 0.02)"].mean
    assert many["zeros"].difference == pytest.approx(means)


def test_a_contrast_of_two_is_the_two_sample_interval():
    ahead, behind = [0.5, 0.6, 0.7], [0.3, 0.3, 0.3]
    difference, width = contrast([ahead], [behind])
    assert difference == pytest.approx(0.3)
    assert width == pytest.approx(2.78 * (0.01 / 2 * (2 / 3)) ** 0.5)
    more, wider = contrast([ahead, ahead], [behind, ahead])  # a difference of two differences
    assert more == pytest.approx(difference) and wider > width


def test_differences_are_taken_seed_by_seed():
    reached = {
        ("N(0, 0.02)", 1): [(0.5, 0.5), (0.7, 0.7), (0.6, 0.6)],
        ("zeros", 1): [(0.6, 0.6), (0.8, 0.8), (0.7, 0.7)],
    }
    summaries = summarize(
        "class_token_init", "full", records_of("class_token_init", "full", reached)
    )
    zeros = summaries["zeros"]
    assert zeros.mean == pytest.approx(0.7) and zeros.width == pytest.approx(0.248, abs=1e-3)
    assert zeros.difference == pytest.approx(0.1) and zeros.difference_width < 1e-9
    assert "zeros" in as_table(summaries) and "+10.0 ±  0.0 points" in as_table(summaries)
    assert list(summaries) == ["N(0, 0.02)", "zeros"]


def test_a_table_shows_pooled_intervals():
    reached = {
        ("N(0, 0.02)", 1): [(0.5, 0.5), (0.7, 0.7), (0.6, 0.6)],
        ("zeros", 1): [(0.6, 0.6), (0.8, 0.8), (0.7, 0.7)],
    }
    found = records_of("class_token_init", "full", reached)
    pooled = summarize("class_token_init", "full", found, pooled_spread(found))
    _, first, second = as_table(pooled).splitlines()
    assert first.endswith("  3") and "± 22.7 points" in second and second.endswith("  3")


def test_the_learning_rate_is_chosen_on_validation_images():
    reached = {
        ("class token", 1): [(0.5, 0.9), (0.5, 0.9)],
        ("class token", 2): [(0.6, 0.4), (0.6, 0.4)],
        ("mean of patches", 1): [(0.7, 0.3), (0.7, 0.3)],
        ("mean of patches", 0.5): [(0.6, 0.8), (0.6, 0.8)],
    }
    summaries = summarize("pooling", "full", records_of("pooling", "full", reached))
    rate = BASE["full"].training.learning_rate
    assert summaries["class token"].learning_rate == 2 * rate
    assert summaries["class token"].accuracies == [0.4, 0.4]
    assert summaries["mean of patches"].learning_rate == rate
    assert summaries["class token"].at_rates == {rate: (0.9, 0), 2 * rate: (0.4, 0)}
    assert list(summaries["mean of patches"].at_rates) == [0.5 * rate, rate]
    assert summaries["mean of patches"].difference == pytest.approx(-0.1)


def test_without_the_base_there_are_no_differences():
    reached = {("zeros", 1): [(0.5, 0.5)], ("N(0, 10)", 1): [(0.4, 0.4)]}
    found = summarize("class_token_init", "full", records_of("class_token_init", "full", reached))
    assert math.isnan(found["N(0, 10)"].difference) and found["N(0, 10)"].mean == 0.4


def test_learning_rates_are_compared_on_the_seeds_that_all_of_them_have():
    reached = {
        ("class token", 1): [(0.5, 0.50), (0.7, 0.70)],
        ("class token", 2): [(0.6, 0.55)],
        ("class token", 0.5): [(0.4, 0.40), (0.4, 0.40)],
    }
    found = summarize("pooling", "full", records_of("pooling", "full", reached))
    assert found["class token"].accuracies == [0.55]
    reached["class token", 2] += [(0.5, 0.45)]
    found = summarize("pooling", "full", records_of("pooling", "full", reached))
    assert found["class token"].accuracies == [0.50, 0.70]


def test_nothing_is_summed_up_where_nothing_was_measured():
    assert summarize("pooling", "full", []) == {} and as_table({})


def test_variants_are_no_second_way_to_the_same_model():
    assert all(issubclass(variant, VisionTransformer) for variant in VARIANTS.values())
