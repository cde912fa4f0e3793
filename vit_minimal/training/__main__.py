"""The command line of the training."""

import argparse
import ast
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.distributed as dist

from ..data import data_root, load_dataset
from ..device import dtype_name, pick_device, pick_precision, seed_everything
from ..pretrained import save_checkpoint
from ..records import add_record, as_path, check_writable, read_records
from ..terminal import print_plainly
from ..vision_transformer import VisionTransformer
from .evaluation import evaluate
from .loop import fit
from .recipes import RECIPES, Recipe


def _changed(recipe, assignments):
    """The recipe with settings changed by "name=value"; "model.name=value" for the model's."""
    changes = {"model": {}, "training": {}}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        part, _, setting = name.rpartition(".")
        part = part or "training"
        if not equals or part not in changes or setting not in vars(getattr(recipe, part)):
            raise ValueError(
                f"--set {assignment}: no such setting; write name=value, model.name=value for the "
                "model's"
            )
        try:
            changes[part][setting] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            changes[part][setting] = text
    try:
        return Recipe(*(replace(getattr(recipe, part), **new) for part, new in changes.items()))
    except TypeError as error:
        raise ValueError(f"--set {' '.join(assignments)}: {error}") from error


def _join_processes():
    """Under torchrun: meet the other processes, and take the GPU that is this one's."""
    if "LOCAL_RANK" not in os.environ:
        return pick_device()
    local_rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if 0 < gpus <= local_rank:
        sys.exit(f"process {local_rank} has no GPU, there are {gpus}: --nproc-per-node={gpus}")
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def main(arguments=None):
    print_plainly()
    parser = argparse.ArgumentParser(
        prog="python -m vit_minimal.training", description="Train a Vision Transformer."
    )
    parser.add_argument("--recipe", choices=RECIPES, default="cpu")
    parser.add_argument("--dataset", choices=("auto", "cifar10", "shapes10"))
    parser.add_argument("--epochs", type=int, help="passes over the training images")
    parser.add_argument("--seed", type=int)
    help_text = "hold out N training images and report on them instead of the test images"
    parser.add_argument("--validation", type=int, metavar="N", help=help_text)
    help_text = "change settings: batch_size=64 optimizer=muon model.depth=6"
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help=help_text)
    help_text = "go on with a run that was stopped, from its state in data/runs"
    parser.add_argument("--resume", action="store_true", help=help_text)
    parser.add_argument("--name", help="of the files in data/runs; else data, recipe and seed")
    help_text = "add the figures to a JSON list"
    parser.add_argument("--record", type=as_path, metavar="FILE", help=help_text)
    options = parser.parse_args(arguments)
    if options.name and Path(options.name).name != options.name:
        parser.error(
            f"--name {options.name} is a path and should be a name: the files land in data/runs, "
            "or in the folder runs of VIT_MINIMAL_DATA"
        )
    try:
        recipe = _changed(RECIPES[options.recipe], options.set)
        settings = {
            "epochs": options.epochs,
            "seed": options.seed,
            "validation_images": options.validation,
        }
        given = {name: value for name, value in settings.items() if value is not None}
        recipe = replace(recipe, training=replace(recipe.training, **given))
    except ValueError as error:
        parser.error(str(error))
    device = _join_processes()
    try:
        _train(recipe, device, options)
    except (KeyboardInterrupt, FloatingPointError, MemoryError, OSError, ValueError) as error:
        sys.exit(str(error) or "interrupted")
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _no_state(name, runs):
    """What there is instead of the state of a run. (Those of experiments are not for --resume.)"""
    states = sorted(path.name.removesuffix(".state.pt") for path in runs.glob("*.state.pt"))
    known = ", ".join(state for state in states if not state.startswith("experiments_"))
    there = f"it has those of {known}, which --name chooses" if known else "it has none at all"
    return f"{runs} has no state of a run {name}, and {there}: to begin a run, leave out --resume"


def _train(recipe, device, options):
    """Train, judge, save and record what the command line asks for."""
    config = recipe.training
    is_first = not dist.is_initialized() or dist.get_rank() == 0
    runs = data_root() / "runs"
    if options.record:  # hours later would be too late to learn that it is damaged
        read_records(options.record)
        check_writable(options.record.parent)
    check_writable(runs)
    dataset = load_dataset(options.dataset)
    is_recipe = RECIPES[options.recipe] == replace(recipe, training=replace(config, seed=0))
    changed = "" if is_recipe else "-changed"  # must not replace what the recipe itself gave
    name = options.name or f"{dataset.name}-{options.recipe}{changed}-seed{config.seed}"
    state, target = runs / f"{name}.state.pt", runs / f"{name}.safetensors"
    if options.resume and not state.exists():
        if not target.exists():
            raise FileNotFoundError(_no_state(name, runs))
        if is_first:
            print(
                f"the run {name} is finished, and {target} is its model: to train it anew, "
                "leave out --resume"
            )
        return
    if state.exists() and not options.resume:
        raise ValueError(
            f"{state} is the state of a run that was stopped: add --resume to go on with it, or "
            "remove it to begin anew"
        )
    precision = config.precision or dtype_name(pick_precision(device))
    seed_everything(config.seed)
    model = VisionTransformer(recipe.model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if is_first:
        print(f"{parameters:,} parameters on {device}, {precision}", flush=True)
    history = fit(model, dataset, config, device, state, options.resume)
    if not is_first:
        return
    start = time.perf_counter()
    if config.validation_images:
        judged = f"{config.validation_images:,} validation"
        accuracy = history.validation_accuracy[-1]
    else:
        judged = f"{len(dataset.test_labels):,} test"
        dtype = getattr(torch, precision)
        accuracy = evaluate(model, dataset.test_images, dataset.test_labels, precision=dtype)
    print(f"accuracy on the {judged} images: {accuracy:.2%}")
    figures = {
        "dataset": dataset.name,
        "recipe": options.recipe,
        "seed": config.seed,
        "judged_on": judged,
        "accuracy": accuracy,
        "precision": precision,
        "parameters": parameters,
        "seconds": round(sum(history.seconds) + time.perf_counter() - start, 1),
        "model": asdict(recipe.model),
        "training": asdict(config),
    }
    save_checkpoint(target, model, **figures, history=asdict(history))
    if options.record:
        add_record(options.record, figures | {"history": asdict(history)})
    state.unlink(missing_ok=True)
    print(f"{figures['seconds']:.0f} s in all; model saved as {target}")


if __name__ == "__main__":
    main()
