"""Experiments: settings that differ from a base recipe in one thing, several seeds, all on record.

python -m vit_minimal.experiments class_token_init --budget quick --seeds 3

Each run is recorded as soon as it is done. Whoever starts an experiment again, or a second process
that shares the folder, takes the runs that are neither recorded nor under way. A run that was
stopped goes on from where it was, one that was killed from its last whole pass. On a machine with
several GPUs start one process for each, with CUDA_VISIBLE_DEVICES=0, 1, ….
"""

import argparse
import contextlib
import hashlib
import io
import json
import math
import shlex
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from itertools import product
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .data import data_root, load_dataset
from .patches import patch_grid
from .recipes import RECIPES, Recipe, TrainingConfig
from .runtime import (
    BUDGETS,
    add_record,
    pick_budget,
    pick_device,
    pick_precision,
    read_records,
    seed_everything,
)
from .training import evaluate, fit
from .variants import VARIANTS
from .vision_transformer import ViTConfig


@dataclass(frozen=True)
class Setting:
    """How a run differs from the base recipe. All of it is data, so that a record can hold it."""

    model: dict = field(default_factory=dict)  # fields of ViTConfig
    training: dict = field(default_factory=dict)  # fields of TrainingConfig
    passes: float = 1  # over the training images, in units of the base recipe's
    start: dict = field(default_factory=dict)  # {parameters: (function of nn.init, its numbers)}
    frozen: tuple = ()  # parameters that stay as they start; names may hold * as in file names
    variant: str = "VisionTransformer"  # or another of VARIANTS


@dataclass(frozen=True)
class Experiment:
    """Settings by name; the first is the base that the others are compared with."""

    settings: dict
    learning_rates: tuple = (1,)  # each setting is tried with all of them, in units of the base's


BASE = {
    "quick": Recipe(  # some seconds, on a part of the images
        ViTConfig(patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0),
        TrainingConfig(
            epochs=5,
            batch_size=50,
            optimizer="muon",
            learning_rate=1e-2,
            weight_decay=0.1,
            label_smoothing=0.0,
            flip=False,
            crop_padding=0,
            validation_images=500,
        ),
    ),
    "full": replace(
        RECIPES["cpu"], training=replace(RECIPES["cpu"].training, epochs=3, validation_images=5_000)
    ),
}
QUICK_IMAGES = 2_500, 1_000  # to train on, the validation images among them; to judge by


def _starts(parameter):
    ways = {
        "N(0, 0.02)": Setting(),
        "zeros": Setting(start={parameter: ("zeros_",)}),
        "N(0, 1)": Setting(start={parameter: ("normal_", 0, 1)}),
        "N(0, 10)": Setting(start={parameter: ("normal_", 0, 10)}),
        "all 1": Setting(start={parameter: ("ones_",)}),
        "N(0, 0.02), frozen": Setting(frozen=(parameter,)),
        "zeros, frozen": Setting(start={parameter: ("zeros_",)}, frozen=(parameter,)),
    }
    return Experiment(ways)


def _weights(*how):
    return Setting(start={"blocks.*.weight": how, "head.weight": how})


EXPERIMENTS = {
    "class_token_init": _starts("cls_token.weight"),
    "class_token_init_rates": Experiment(
        {
            "N(0, 0.02)": Setting(),
            "N(0, 10)": Setting(start={"cls_token.weight": ("normal_", 0, 10)}),
        },
        learning_rates=(1, 3),
    ),
    "register_init": Experiment(  # a token like the class token, but the head does not read it
        {
            "N(0, 0.02)": Setting({"pool": "mean", "num_registers": 1}),
            "N(0, 10)": Setting(
                {"pool": "mean", "num_registers": 1},
                start={"reg_token.weight": ("normal_", 0, 10)},
            ),
        }
    ),
    "position_init": _starts("pos_embed.weight"),
    "weight_init": Experiment(
        {
            "N(0, 0.02)": Setting(),
            "Xavier": _weights("xavier_uniform_"),
            "PyTorch's default": _weights("kaiming_uniform_", math.sqrt(5)),
            "all zero": _weights("zeros_"),
            "head zero": Setting(start={"head.weight": ("zeros_",)}),
        }
    ),
    "warmup_and_norm": Experiment(
        {
            f"{norm}, {warmup}, {optimizer}": Setting(
                {} if norm == "pre-norm" else {"pre_norm": False},
                ({} if warmup == "warm-up" else {"warmup": 0.0})
                | ({} if optimizer == "Muon" else {"optimizer": "adamw"}),
            )
            for optimizer in ("Muon", "AdamW")
            for norm in ("pre-norm", "post-norm")
            for warmup in ("warm-up", "none")
        }
    ),
    "patch_size": Experiment({f"P = {P}": Setting({"patch_size": P}) for P in (4, 2, 8, 16, 32)}),
    "patch_size_longer": Experiment(
        {
            "P = 4": Setting({"patch_size": 4}),
            "P = 2, a third of the passes": Setting({"patch_size": 2}, passes=1 / 3),
            "P = 8, 4 × the passes": Setting({"patch_size": 8}, passes=4),
            "P = 16, 12 × the passes": Setting({"patch_size": 16}, passes=12),
            "P = 32, 24 × the passes": Setting({"patch_size": 32}, passes=24),
        }
    ),
    "pooling": Experiment(
        {
            "class token": Setting(),
            "mean of patches": Setting({"pool": "mean"}),
            "attention pooling": Setting({"pool": "attention"}),
            "class token, 4 registers": Setting({"num_registers": 4}),
        },
        learning_rates=(1, 0.5, 2, 4),
    ),
    "class_token_place": Experiment(
        {
            "class token": Setting(),
            "reads the first patch": Setting(variant="ReadsFirstPatch"),
            "averages all tokens": Setting(variant="AveragesAllTokens"),
            "class token last": Setting(variant="ClassTokenLast"),
            "last, but reads token 0": Setting(variant="LastButReadsFirst"),
            "no position of its own": Setting(variant="NoPositionForClassToken"),
            "5 class tokens": Setting({"num_registers": 4}, variant="SeveralClassTokens"),
            "only in the last block": Setting(variant="LateClassToken"),
        }
    ),
    "single_patches": Experiment(
        {
            "class token": Setting(),
            "mean of patches": Setting({"pool": "mean"}),
            "mean of patches, no attention": Setting({"pool": "mean"}, variant="PatchesAlone"),
        }
    ),
    "class_token_cut": Experiment(
        {
            "class token": Setting(),
            "detached before the head": Setting(variant="CutClassToken"),
            "sees itself alone": Setting(variant="BlindClassToken"),
            "unseen by the patches": Setting(variant="UnseenClassToken"),
        }
    ),
    "position_untrained": Experiment(
        {
            "learned": Setting(),
            "none": Setting(start={"pos_embed.weight": ("zeros_",)}, frozen=("pos_embed.weight",)),
            "N(0, 0.02), frozen": Setting(frozen=("pos_embed.weight",)),
            "N(0, 0.3), frozen": Setting(
                start={"pos_embed.weight": ("normal_", 0, 0.3)}, frozen=("pos_embed.weight",)
            ),
            "sines and cosines": Setting({"pos_embed": "sinusoidal"}),
        }
    ),
    "class_token_untrained": Experiment(  # a position of its own would be trained in its place
        {
            "no position": Setting(variant="NoPositionForClassToken"),
            "no position, frozen": Setting(
                frozen=("cls_token.weight",), variant="NoPositionForClassToken"
            ),
            "no position, frozen at zero": Setting(
                start={"cls_token.weight": ("zeros_",)},
                frozen=("cls_token.weight",),
                variant="NoPositionForClassToken",
            ),
        }
    ),
    "causal_mask": Experiment(
        {
            "all tokens see all": Setting(),
            "causal, class token first": Setting(variant="CausalClassTokenFirst"),
            "causal, class token last": Setting(variant="CausalClassTokenLast"),
        }
    ),
}


# ------------------------------------------------------------------------------------------- runs


def run_experiment(name, budget=None, seeds=3, dataset=None, folder=None, settings=None):
    """Do the runs of an experiment that nobody has done yet; returns `summarize` of all so far.

    `budget`: "quick" or "full", else as `pick_budget` says, but always "quick" on Shapes-10;
    `dataset`: a Dataset, else the one that `load_dataset` takes, of which the quick budget uses a
    part. Records are added to experiments_DATASET_BUDGET.json in `folder`, else in data/runs: the
    accuracy on validation images, by which a learning rate is chosen, and on test images, by which
    nothing is. With `settings`, some of their names, only these are run.
    ValueError names what there is if there is no experiment or setting of a name, and refuses to
    add to records of runs on other numbers of images.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"no experiment {name!r}: there are {', '.join(EXPERIMENTS)}")
    known = list(EXPERIMENTS[name].settings)
    settings = known if settings is None else settings
    for setting in settings:
        if setting not in known:
            raise ValueError(f"no setting {setting!r} in {name}: there are {', '.join(known)}")
    dataset = dataset or load_dataset()
    if budget not in (None, *BUDGETS):
        raise ValueError(f"budget must be one of {BUDGETS}, is {budget!r}")
    if dataset.name == "shapes10" and budget == "full":
        print("Shapes-10 is always run at the quick budget")
    budget = "quick" if dataset.name == "shapes10" else budget or pick_budget()
    if budget == "quick":
        dataset = dataset.first(*QUICK_IMAGES)
    path = Path(folder or data_root() / "runs") / f"experiments_{dataset.name}_{budget}.json"
    ours = _counts(BASE[budget].training, dataset)
    for record in read_records(path):
        if (theirs := {name: record[name] for name in ours}) != ours:
            raise ValueError(f"{path} holds runs on {theirs}, not on {ours}: name another folder")
    plans = [plan(name, budget, seed).items() for seed in range(seeds)]
    runs = [run for runs in plans for (setting, _), run in runs if setting in settings]
    left, took = missing(runs, path), []
    print(f"{name}: {len(runs) - len(left)} of {len(runs)} runs are on record", flush=True)
    while left:
        done = len(took)
        for run in left:
            with _claim(run, path) as mine:
                if not mine:
                    continue
                start = time.perf_counter()
                figures = _do(run, dataset, path)
                command = _command(run, name, budget, dataset)
                add_record(path, figures | {"command": command, "run": run})
                took.append(time.perf_counter() - start)
            rest = len(missing(runs, path))
            print(
                f"seed {run['training']['seed']}, {_label(run, name, budget)}: "
                f"{figures['accuracy']:.1%} after {took[-1]:.0f} s; left: {rest} of {len(runs)}, "
                f"{math.ceil(rest * statistics.mean(took) / 60)} min",
                flush=True,
            )
        left = missing(runs, path)  # another process may have died over one
        if len(took) == done:
            break
    if left:
        print(f"{len(left)} runs are under way elsewhere", flush=True)
    return summarize(name, budget, read_records(path))


def plan(name, budget, seed):
    """The runs of an experiment with one seed: {(setting, factor of the learning rate): run}.

    A run holds all that fixes it but for the data: equal settings of two experiments are one run.
    """
    base, experiment, runs = BASE[budget], EXPERIMENTS[name], {}
    for rate, (label, setting) in product(experiment.learning_rates, experiment.settings.items()):
        training = {
            "seed": seed,
            "epochs": max(1, round(base.training.epochs * setting.passes)),
            "learning_rate": base.training.learning_rate * rate,
        }
        run = {
            "model": asdict(replace(base.model, **setting.model)),
            "training": asdict(replace(base.training, **training | setting.training)),
            "start": setting.start,
            "frozen": setting.frozen,
            "variant": setting.variant,
        }
        runs[label, rate] = json.loads(json.dumps(run))  # as a record gives it back
    return runs


def key(run):
    """What a run is known by: all of its settings, also those that have come since it was made."""
    model, training = ViTConfig(**run["model"]), TrainingConfig(**run["training"])
    return json.dumps(run | {"model": asdict(model), "training": asdict(training)}, sort_keys=True)


def missing(runs, path):
    """Those of `runs` that have no record in `path`."""
    known = {key(record["run"]) for record in read_records(path)}
    return [run for run in runs if key(run) not in known]


@contextlib.contextmanager
def _claim(run, path):
    """Whether this process may do a run: nobody else is at it, nobody has done it.

    The operating system frees the claim of a process that dies.
    """
    lock = FileLock(_file_of(run, path, ".lock"))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield bool(missing([run], path))
    finally:
        lock.release()
        if not missing([run], path):  # then nobody needs its files: they ask the records too
            for file in path.parent.glob(_file_of(run, path, ".*").name):
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)


def _file_of(run, path, ending):
    """A file beside the records in `path` that is of this run alone."""
    digest = hashlib.sha256(key(run).encode()).hexdigest()[:16]
    return path.with_name(f"{path.stem}.{digest}{ending}")


def make_model(run):
    """The new model of a run. ValueError names a pattern that fits no parameter."""
    seed_everything(run["training"]["seed"])
    model = VARIANTS[run["variant"]](ViTConfig(**run["model"]))
    parameters = dict(model.named_parameters())

    def called(pattern):
        found = [parameter for name, parameter in parameters.items() if fnmatch(name, pattern)]
        if not found:
            raise ValueError(f"no parameter is called {pattern!r}: there are {list(parameters)}")
        return found

    for pattern, (how, *numbers) in run["start"].items():
        for parameter in called(pattern):
            if parameter.ndim > 1:  # the gains of the norms stay at 1
                getattr(nn.init, how)(parameter, *numbers)
    for pattern in run["frozen"]:
        for parameter in called(pattern):
            parameter.requires_grad_(False)
    return model


def cost(run, batch_size=50, steps=5):
    """What the model of a run costs: tokens T, parameters, FLOPs of a forward pass of one image,
    bytes that it keeps for the backward pass, seconds of a forward and a backward pass of a batch
    on this machine's CPU (the median of `steps`; matrix products in float32).
    """
    model = make_model(run)
    config, weights = model.config, {p.untyped_storage().data_ptr() for p in model.parameters()}
    rows, columns = patch_grid(config.image_size, config.patch_size)
    images = torch.randn(batch_size, *model.patch_embed.image_shape)
    one = images[:1].clone()  # a slice would share the storage of all
    # Older counters miss the products of the fused kernel
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(one)
    kept, seconds = {}, []

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes() * (storage.data_ptr() not in weights)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(one)
    for _ in range(steps + 1):  # the first one warms up
        start = time.perf_counter()
        model(images).sum().backward()
        seconds.append(time.perf_counter() - start)
    return {
        "tokens": model.num_prefix + rows * columns,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "flops": counter.get_total_flops(),
        "kept_bytes": sum(kept.values()),
        "seconds": statistics.median(seconds[1:]),
    }


def train_run(run, dataset, checkpoint=None):
    """The trained model of a run and its History. FloatingPointError if the loss is no number.

    With a `checkpoint`, a path, it can be stopped: whoever calls this again goes on from there.
    """
    model, config = make_model(run), TrainingConfig(**run["training"])
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each run is enough
        history = fit(model, dataset, config, checkpoint=checkpoint, resume=True)
    return model, history


def _do(run, dataset, path):
    """Train and judge one model; the figures for its record, which is to be added to `path`."""
    config, device = TrainingConfig(**run["training"]), pick_device()
    # A machine that computes in other numbers does not go on with it, but begins again
    machine = f"{device.type}_{pick_precision(device)}".replace("torch.", "")
    checkpoint = _file_of(run, path, f".{machine}.state.pt")
    figures = {"dataset": dataset.name, "seed": config.seed} | _counts(config, dataset)
    try:
        model, history = train_run(run, dataset, checkpoint)
    except FloatingPointError as error:  # a result as well: such a model can only guess
        guessing = 1 / run["model"]["num_classes"]
        return (
            figures
            | dict.fromkeys(("accuracy", "validation_accuracy"), guessing)
            | {"failed": str(error)}
        )
    return figures | {
        "accuracy": evaluate(model, dataset.test_images, dataset.test_labels),
        "validation_accuracy": history.validation_accuracy[-1],
        "train_loss": history.train_loss,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _counts(config, dataset):
    return {
        "trained_on": len(dataset.train_labels) - config.validation_images,
        "judged_on": f"{len(dataset.test_labels):,} test",
    }


def _command(run, name, budget, dataset):
    """What does this run (and its other seeds and learning rates), also where Python called us."""
    label, _ = _place(run, name, budget)
    seeds = run["training"]["seed"] + 1
    options = f"--budget {budget} --dataset {dataset.name} --seeds {seeds} --settings"
    return shlex.join(["python", "-m", "vit_minimal.experiments", name, *options.split(), label])


def _label(run, name, budget):
    label, rate = _place(run, name, budget)
    return label if rate == 1 else f"{label}, {rate:g} × the learning rate"


def _place(run, name, budget):
    """The setting and the factor of the learning rate that a run has in an experiment."""
    runs = plan(name, budget, run["training"]["seed"])
    return next(place for place, other in runs.items() if other == run)


# ---------------------------------------------------------------------------------------- summary

T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # Student's t, 1 … 9 degrees


def mean_and_width(values):
    """The mean of one number per seed, and half the width of its 95 % interval (Student's t)."""
    if len(values) < 2:
        return values[0], math.inf
    t = T_95[min(len(values) - 1, len(T_95)) - 1]
    return statistics.mean(values), t * statistics.stdev(values) / len(values) ** 0.5


@dataclass
class Summary:
    """What a setting reached on the test images; intervals are 95 % over seeds, ± half a width."""

    accuracies: list[float]  # one per seed
    mean: float
    width: float
    difference: float  # to the base of the experiment, seed by seed
    difference_width: float
    learning_rate: float  # the one of those tried that was best on the validation images


def summarize(name, budget, records):
    """{setting: Summary} of an experiment, from whatever records there are of it; settings without
    any are left out.
    """
    known = {key(record["run"]): record for record in records}
    found = {label: {} for label in EXPERIMENTS[name].settings}  # {setting: {rate: {seed: record}}}
    for seed in sorted({record["seed"] for record in records}):
        for (label, rate), run in plan(name, budget, seed).items():
            if record := known.get(key(run)):
                found[label].setdefault(rate, {})[seed] = record
    best = {label: _best_rate(rates) for label, rates in found.items() if rates}
    base, summaries = best.get(next(iter(found)), {}), {}
    for label, seeds in best.items():
        reached = {seed: record["accuracy"] for seed, record in seeds.items()}
        shared = [reached[seed] - base[seed]["accuracy"] for seed in reached if seed in base]
        rate = next(iter(seeds.values()))["run"]["training"]["learning_rate"]
        summaries[label] = Summary(
            list(reached.values()),
            *mean_and_width(list(reached.values())),
            *(mean_and_width(shared) if shared else (math.nan, math.inf)),
            rate,
        )
    return summaries


def _best_rate(rates):
    """Of {rate: {seed: record}} the seeds of the rate that is best on validation images, over the
    seeds that were run at every rate.
    """
    shared = set.intersection(*(set(seeds) for seeds in rates.values()))
    if not shared:
        return next(iter(rates.values()))

    def on_validation(seeds):
        return statistics.mean(seeds[seed]["validation_accuracy"] for seed in shared)

    return max(rates.values(), key=on_validation)


def as_table(summaries):
    """The summaries as text, a line for each setting."""
    width = max(map(len, summaries), default=0)
    lines = [f"{'':{width}}  test accuracy     against the first  seeds"]
    for label, of in summaries.items():
        against = f"{100 * of.difference:+5.1f} ± {100 * of.difference_width:4.1f} points"
        lines.append(
            f"{label:{width}}  {100 * of.mean:5.1f} ± {100 * of.width:4.1f} %  "
            f"{'' if label == next(iter(summaries)) else against:19}  {len(of.accuracies)}"
        )
    return "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m vit_minimal.experiments",
        description="Run an experiment, or what is left of it, and sum it up.",
    )
    parser.add_argument("name", choices=EXPERIMENTS)
    parser.add_argument("--budget", choices=BUDGETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dataset", choices=("auto", "cifar10", "shapes10"))
    help_text = "of the records, else data/runs; processes that share a folder share the runs"
    parser.add_argument("--folder", type=Path, help=help_text)
    help_text = "only these settings of the experiment, by their names"
    parser.add_argument("--settings", nargs="+", metavar="SETTING", help=help_text)
    options = parser.parse_args(arguments)
    try:
        dataset = load_dataset(options.dataset)
        summaries = run_experiment(
            options.name, options.budget, options.seeds, dataset, options.folder, options.settings
        )
    except KeyboardInterrupt:
        sys.exit("interrupted: all that was done is kept, the same command goes on")
    except (MemoryError, OSError, ValueError) as error:
        sys.exit(str(error))
    print(as_table(summaries))


if __name__ == "__main__":
    main()
