"""Training and evaluation: `fit`, `evaluate`, and a command line.

python -m vit_minimal.training --recipe cpu
torchrun --nproc-per-node=2 -m vit_minimal.training --recipe h200      (two GPUs)
"""

import argparse
import ast
import contextlib
import json
import math
import os
import signal
import sys
import threading
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from .augment import augment, mix, normalize
from .data import data_root, load_dataset
from .muon import Muon
from .pretrained import save_checkpoint
from .recipes import RECIPES, Recipe, TrainingConfig
from .runtime import (
    add_record,
    autocast,
    check_labels,
    evaluating,
    pick_device,
    pick_precision,
    read_records,
    seed_everything,
    write_whole,
)
from .vision_transformer import VisionTransformer

# What a RuntimeError says where memory was refused: on GPUs and by MPS, on CPUs, by cuBLAS
NO_MEMORY = "out of memory", "defaultcpuallocator", "alloc_failed"


@dataclass
class History:
    """What a run did: one entry per epoch in each list."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)  # on augmented images, 0 … 1
    validation_accuracy: list[float] = field(default_factory=list)  # empty without validation
    seconds: list[float] = field(default_factory=list)

    def record(self, path, **figures):
        """Append `figures` and this history to the JSON list in `path`, with command, machine, date."""
        add_record(path, figures | {"history": asdict(self)})

    def plot(self):
        """Draw the loss, and the accuracies, over the epochs."""
        from .plots import show_lines  # training itself needs no matplotlib

        epochs = range(1, len(self.train_loss) + 1)
        show_lines(epochs, {"training loss": self.train_loss}, "epoch", "loss")
        accuracies = {"training, as augmented": self.train_accuracy}
        if self.validation_accuracy:
            accuracies["validation"] = self.validation_accuracy
        show_lines(epochs, accuracies, "epoch", "accuracy")


# ------------------------------------------------------------------------------------------- fit


def fit(model, dataset, config=None, device=None, checkpoint=None, resume=False):
    """Train `model` on the training images of `dataset`, in place; returns the History.

    Prints a line per epoch; in a terminal a bar moves too. With a `checkpoint` (a path) all that it
    takes to go on is written there after each epoch and when the run is interrupted; `resume`
    goes on from there, on a CPU to the same weights, bit for bit, as if nothing had happened.

    Under torchrun each process trains on its share of every batch. ValueError if the labels do not
    fit the model or the checkpoint is that of another run; FloatingPointError if the loss is no
    longer finite; MemoryError if a batch does not fit; KeyboardInterrupt when interrupted,
    also in the last step, after which the model is trained all the same.
    """
    config = config or TrainingConfig()
    device = pick_device(device)
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    check_labels(dataset.train_labels, model.config.num_classes)
    keep = len(dataset.train_images) - config.validation_images
    if keep < config.batch_size:
        raise ValueError(f"{keep} training images do not fill a batch of {config.batch_size}")
    if config.batch_size % world:
        raise ValueError(f"{world} processes cannot share batches of {config.batch_size} evenly")
    images, held_out = dataset.train_images.to(device).tensor_split([keep])
    labels, held_out_labels = dataset.train_labels.to(device).tensor_split([keep])
    steps = keep // config.batch_size  # in an epoch
    of_this_run = {
        "model": {"class": type(model).__name__} | json.loads(json.dumps(asdict(model.config))),
        "training": asdict(config),
        "data": {"name": dataset.name, "images": keep},
    }
    run = _Run(model.to(device).train(), config, device, config.epochs * steps)
    precision = str(run.precision).removeprefix("torch.")
    of_this_run["machine"] = {"device": device.type, "precision": precision, "processes": world}
    if resume and checkpoint and Path(checkpoint).exists():
        run.load(checkpoint, of_this_run)
        run.totals *= rank == 0  # of all processes, to be added up again
    network = nn.parallel.DistributedDataParallel(model) if world > 1 else model
    if config.compile:
        network = torch.compile(network)

    with _stop_requests(patient=world > 1) as stop_requests:
        while run.step < config.epochs * steps:
            epoch = run.step // steps
            generator = torch.Generator().manual_seed(_mixed_seed(config.seed, epoch))
            order = torch.randperm(keep, generator=generator)[: steps * config.batch_size]
            batches = order.to(device).split(config.batch_size)[run.step % steps :]
            bar = tqdm(batches, desc=f"epoch {epoch + 1}", leave=False, disable=_hide_bar(rank))
            for batch in bar:
                start = time.perf_counter()
                # Each step's draws depend on nothing but its number: it can be a process's first
                torch.manual_seed(_mixed_seed(config.seed, run.step, rank + 1))
                batch = batch[rank::world]
                run.train_step(network, images[batch], labels[batch])
                stop = _all_stop(stop_requests, run.step, device)
                last = run.step % steps == 0
                if last or stop or device.type == "cpu" or run.step % 50 == 0:  # a GPU would wait
                    run.check_numbers(epoch, weights=last or stop)
                run.seconds += time.perf_counter() - start
                if stop:
                    break
            if last:
                run.end_epoch(steps, world, held_out, held_out_labels)
                if rank == 0:
                    print(_epoch_line(run.history, config.epochs, len(order)), flush=True)
            elif world > 1:  # stopped in the middle: the state is that of all processes
                dist.all_reduce(run.totals)
            if rank == 0 and checkpoint:
                start = time.perf_counter()
                run.save(checkpoint, of_this_run, must=stop)
                run.seconds += time.perf_counter() - start  # of the next epoch
            if stop and run.step < config.epochs * steps:
                break
    if run.average and run.step == config.epochs * steps:
        model.load_state_dict(run.average.state_dict())
    if stop_requests or run.step < config.epochs * steps:
        kept = f"; {checkpoint} holds what it takes to resume" if checkpoint else ""
        epoch = (run.step - 1) // steps + 1
        raise KeyboardInterrupt(f"stopped in epoch {epoch} of {config.epochs}{kept}")
    return run.history


class _Run:
    """All that changes while a model is trained."""

    def __init__(self, model, config, device, total_steps):
        model.zero_grad()  # what an interrupted step may have left
        self.model, self.config, self.device = model, config, device
        self.precision = getattr(torch, config.precision or "", None) or pick_precision(device)
        self.optimizers = make_optimizers(model, config)
        self.schedulers = [make_scheduler(o, config, total_steps) for o in self.optimizers]
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.loss_function = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
        self.average = deepcopy(model) if config.ema_decay else None
        self.history = History()
        self.step = 0  # steps taken
        self.totals = torch.zeros(2, device=device)  # of this epoch: loss, images that were right
        self.seconds = 0.0  # spent on this epoch

    def train_step(self, network, images, labels):
        try:
            self._try_step(network, images, labels)
            return
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            fault = str(error)
            if not any(sign in fault.lower() for sign in NO_MEMORY):
                raise
        # Raised here and not above: the error would hold on to the very memory that is lacking
        size, rate = self.config.batch_size, self.config.learning_rate
        remedy = f"batch_size {size // 2}, with a learning rate of {rate / 2**0.5:.1g}"
        raise MemoryError(
            f"a batch of {size} does not fit into the memory of {self.device}: "
            f"try {remedy if size > 1 else 'a smaller model'} ({fault.strip().splitlines()[0]})"
        )

    def _try_step(self, network, images, labels):
        config = self.config
        x, y = augment(images, config), labels
        if config.mixup or config.cutmix:
            x, y = mix(x, y, self.model.config.num_classes, config.mixup, config.cutmix)
        with autocast(self.device, self.precision):
            logits = network(x)
            loss = self.loss_function(logits, y)
        self.scaler.scale(loss).backward()
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        norm = clip_grad_norm_(self.model.parameters(), config.clip_norm or float("inf"))
        if self.scaler.is_enabled() and not norm.isfinite():  # scaled too far: no optimizer steps
            self.scaler.update(self.scaler.get_scale() * self.scaler.get_backoff_factor())
        else:
            for optimizer, scheduler in zip(self.optimizers, self.schedulers, strict=True):
                parameters = [p for group in optimizer.param_groups for p in group["params"]]
                if any(p.grad is not None for p in parameters):  # else the scaler would complain
                    self.scaler.step(optimizer)
                    scheduler.step()
            self.scaler.update()
        self.model.zero_grad()
        if self.average:
            self._follow()
        answers = labels if y is labels else y.argmax(dim=1)
        right = (logits.detach().argmax(dim=1) == answers).sum()
        self.totals += torch.stack([loss.detach(), right])  # reading them here would wait
        self.step += 1

    def _follow(self):
        """Move the running mean towards the model: by more than 1 − `ema_decay` at first, else what
        it began with would stay in it for long. (In step n the decay is at most (1 + n)/(10 + n), as
        TensorFlow's ExponentialMovingAverage has it: a mean over the last ninth of all steps.)
        """
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        average, model = (list(network.parameters()) for network in (self.average, self.model))
        get_ema_multi_avg_fn(decay)(average, model, None)  # a single call: a GPU waits for each

    def check_numbers(self, epoch, weights=False):
        """FloatingPointError if the loss, or one of the `weights`, is no longer finite."""
        finite = self.totals[0].isfinite()
        if weights:
            finite &= get_total_norm(self.model.parameters()).isfinite()
        if not finite:
            raise FloatingPointError(
                f"the loss or a weight is no longer a number in epoch {epoch + 1}, after {self.step} "
                f"steps, near a learning rate of {self.schedulers[0].get_last_lr()[0]:.1e}. Usual "
                "causes: a learning rate too high or a warm-up too short, no gradient clipping, "
                "float16 where the numbers leave its range, an image or a label that is not finite."
            )

    def end_epoch(self, steps, world, held_out, held_out_labels):
        start = time.perf_counter()
        if world > 1:
            dist.all_reduce(self.totals)
        loss, right = self.totals.tolist()
        self.history.train_loss.append(loss / steps / world)
        self.history.train_accuracy.append(right / (steps * self.config.batch_size))
        if len(held_out):
            judged = self.average or self.model
            accuracy = evaluate(judged, held_out, held_out_labels, precision=self.precision)
            self.history.validation_accuracy.append(accuracy)
        self.history.seconds.append(self.seconds + time.perf_counter() - start)
        self.totals.zero_()
        self.seconds = 0.0

    def _parts(self):
        parts = {"model": self.model, "average": self.average, "scaler": self.scaler}
        for kind in ("optimizers", "schedulers"):
            parts |= {f"{kind}.{i}": part for i, part in enumerate(getattr(self, kind))}
        return {name: part for name, part in parts.items() if part is not None}

    def save(self, path, of_this_run, must=False):
        """Write everything to `path`; an older file stays until the new one is complete.

        If the disk is full the run goes on and says so, unless it `must` be written now.
        """
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"step": self.step, "totals": self.totals, "seconds": self.seconds}
        state |= {"history": asdict(self.history), "of": of_this_run}
        try:
            write_whole(path, lambda unfinished: torch.save(state, unfinished))
        except OSError as error:
            if must:
                raise
            print(f"{error}; training goes on", flush=True)

    def load(self, path, of_this_run):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            theirs = state.pop("of")
        except OSError:
            raise
        except Exception as error:  # whatever torch.load finds wrong with a file that is no archive
            text = f"{path} is damaged or not the state of a run ({error}): remove it"
            raise ValueError(text) from error
        differing = [
            f"{part} {name}: {theirs[part].get(name)} there, {value} here"
            for part, settings in of_this_run.items()
            for name, value in settings.items()
            if theirs[part].get(name) != value
        ]
        if differing:
            raise ValueError(f"{path} is the state of another run ({'; '.join(differing)})")
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]
        self.totals.copy_(state["totals"])
        self.history = History(**state["history"])


@contextlib.contextmanager
def _stop_requests(patient=False):
    """A list to which SIGINT and SIGTERM add themselves, so that no step is cut in two: that would
    leave weights that no resuming could mend. The second one interrupts at once, unless `patient`:
    torchrun passes on what the terminal has sent already.
    """
    requests = []

    def remember(number, frame):
        if requests and not patient:
            raise KeyboardInterrupt
        requests.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield requests  # signals reach the main thread only
        return
    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _all_stop(stop_requests, step, device):
    """Whether to stop after this step: if one of several processes is asked to, all do."""
    if not dist.is_initialized():
        return bool(stop_requests)
    if step % 10:  # agreeing takes time
        return False
    asked = torch.tensor(float(bool(stop_requests)), device=device)
    dist.all_reduce(asked, dist.ReduceOp.MAX)
    return bool(asked)


def _mixed_seed(*numbers):
    """One seed from several numbers, such that near ones do not collide."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _hide_bar(rank):
    return True if rank else None  # None: hidden where the output is not a terminal


def make_optimizers(model, config):
    """AdamW, SGD, or Muon for the blocks' matrices and AdamW for the rest.

    Only matrices decay: not biases, norms, positions or the class token.
    """
    tokens = ("cls_token", "reg_token", "pos_embed")
    hidden, decay, no_decay = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or name.startswith(tokens):
            no_decay.append(parameter)
        elif config.optimizer == "muon" and name.startswith("blocks."):
            hidden.append(parameter)
        else:
            decay.append(parameter)
    groups = [{"params": decay}, {"params": no_decay, "weight_decay": 0.0}]
    settings = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        return [torch.optim.SGD(groups, momentum=0.9, **settings)]
    adamw = torch.optim.AdamW(groups, fused=True, **settings)
    if config.optimizer == "adamw":
        return [adamw]
    return [Muon(hidden, precision=config.precision, **settings), adamw]


def make_scheduler(optimizer, config, total_steps):
    """The learning rate climbs in a line, then stays or falls along half a cosine to zero."""
    climbing = max(1, int(config.warmup * total_steps))
    falling = max(1, total_steps - climbing)

    def share(step):
        if step < climbing:
            return (step + 1) / climbing
        if config.schedule == "constant":
            return 1.0
        return (1 + math.cos(math.pi * (step - climbing) / falling)) / 2

    return LambdaLR(optimizer, share)


def _epoch_line(history, epochs, num_images):
    done, seconds = len(history.seconds), history.seconds[-1]
    accuracy = f"accuracy {history.train_accuracy[-1]:.1%}"
    if history.validation_accuracy:
        accuracy += f", validation {history.validation_accuracy[-1]:.1%}"
    left = sum(history.seconds) / done * (epochs - done)
    return (
        f"epoch {done:>{len(str(epochs))}}/{epochs}: loss {history.train_loss[-1]:.3f}, "
        f"{accuracy}, {num_images / seconds:,.0f} images/s, {left:.0f} s left"
    )


@torch.inference_mode()
def evaluate(model, images, labels, batch_size=500, precision=None):
    """The share of `images` (n, C, H, W) whose most likely class is their label, 0 … 1.

    Runs where the model is, without dropout, and leaves the model in the mode it was in. Matrix
    products are in `precision`, else in the one that suits the device.
    ValueError if there are no images or the labels do not fit the model.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"cannot evaluate {len(images)} images with {len(labels)} labels")
    check_labels(labels, model.config.num_classes)
    device = next(model.parameters()).device
    correct = 0
    with evaluating(model):
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            with autocast(device, precision or pick_precision(device)):
                logits = model(normalize(x.to(device)))
            correct += (logits.argmax(dim=1) == y.to(device)).sum()
    return float(correct) / len(images)


# ---------------------------------------------------------------------------------- command line


def _changed(recipe, assignments):
    """The recipe with settings changed by "name=value"; "model.name=value" for the model's."""
    changes = {"model": {}, "training": {}}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        part, _, setting = ("training." + name).rpartition(".")
        part = part.removeprefix("training.")
        if not equals or setting not in vars(getattr(recipe, part, None) or object):
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
    help_text = "go on with a run that was stopped; its state is in data/runs"
    parser.add_argument("--resume", action="store_true", help=help_text)
    parser.add_argument("--name", help="of the files in data/runs; else data, recipe and seed")
    help_text = "add the figures to a JSON list"
    parser.add_argument("--record", type=Path, metavar="FILE", help=help_text)
    options = parser.parse_args(arguments)
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


def _train(recipe, device, options):
    """Train, judge, save and record what the command line asks for."""
    config = recipe.training
    is_first = not dist.is_initialized() or dist.get_rank() == 0
    dataset = load_dataset(options.dataset)
    is_recipe = RECIPES[options.recipe] == replace(recipe, training=replace(config, seed=0))
    changed = "" if is_recipe else "-changed"  # must not replace what the recipe itself gave
    name = options.name or f"{dataset.name}-{options.recipe}{changed}-seed{config.seed}"
    state = data_root() / "runs" / f"{name}.state.pt"
    target = state.with_name(f"{name}.safetensors")
    if state.exists() and not options.resume:
        raise ValueError(
            f"{state} is the state of a run that was stopped: add --resume to go on with it, or "
            "remove it to begin anew"
        )
    if options.record:
        read_records(options.record)  # hours later would be too late to learn that it is damaged
    precision = config.precision or str(pick_precision(device)).removeprefix("torch.")
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
        history.record(options.record, **figures)
    state.unlink(missing_ok=True)
    print(f"{figures['seconds']:.0f} s in all; model saved as {target}")


if __name__ == "__main__":
    main()
