"""`fit`: step after step, until the run is over or somebody stops it."""

import contextlib
import time

import torch
import torch.distributed as dist
from tqdm import tqdm

from ..data.dataset import check_dataset
from ..device import autocast, pick_device, random_state_kept
from ..records import as_path, check_writable
from ..terminal import say
from .interrupts import stop_requests
from .recipes import as_training
from .run import Run, read_state


def fit(
    model,
    dataset,
    config=None,
    device=None,
    checkpoint=None,
    resume=False,
    seconds_between_saves=60,
):
    """Train `model` on the training images of `dataset`, in place; returns the History. A model that
    was compiled or wrapped is trained through its wrapper, and ends as the plain one would.

    Prints a line per epoch; in a terminal a bar moves too. With a `checkpoint` (a path) all that it
    takes to go on is written there: after an epoch if the last time was `seconds_between_saves` ago
    or longer, at the end, and when the run is interrupted. `resume` goes on from there, on a CPU to
    the same weights, bit for bit, as if nothing had happened; without it, or if there is no such
    file, the run begins anew. torch's random numbers outside of the run go on as if there had been
    none.

    Afterwards every module of the model is in training mode, a part that you had put in evaluation
    mode too, and the model is on the device that it was trained on (see `pick_device`). `evaluate`,
    `predict` and the inspections take care of the mode; before you call the model yourself, call
    `model.eval()`. A model that is refused is in its modes and on its device again.

    In a group of processes (torchrun) each trains on its share of every batch. ValueError if data
    set or configuration are none, labels or batches do not fit, the weights are not float32, or the
    checkpoint is that of another run (another model or configuration, other images, labels or frozen
    weights) or not the state of a run at all, which no run replaces. OSError if it could not be
    written; FloatingPointError if the loss is no longer finite; MemoryError if a batch does not fit;
    KeyboardInterrupt when interrupted, also in the last step, after which the model is trained all
    the same. A model whose run was interrupted before has its last weights, not their EMA.
    """
    config = as_training(config)
    check_dataset(dataset)
    if checkpoint:
        checkpoint = as_path(checkpoint)
        check_writable(checkpoint.parent)  # not after the first epoch
    with _left_as_it_was_if_refused(model):
        run = Run(model, dataset, config, pick_device(device))
        if checkpoint and checkpoint.exists():
            if resume:
                run.load(checkpoint)
            else:
                read_state(checkpoint)  # refuses what is none: it must not be replaced
    saved_at = time.monotonic()
    bar = tqdm(total=run.total_steps, initial=run.step, leave=False, disable=_hide_bar(run.rank))
    no_autocast = autocast(run.device, torch.float32)  # of the caller's: a step has its own
    stopping = stop_requests(patient=run.world > 1)
    with random_state_kept(), no_autocast, stopping as requests, bar:
        while run.step < run.total_steps:
            run.train_step()
            bar.update()
            stop = _all_stop(requests, run)
            run.check_numbers(also_weights=stop or run.epoch_is_over)
            if run.epoch_is_over:
                line = run.end_epoch()
                _say(line, bar, run.rank)
            due = run.epoch_is_over and time.monotonic() - saved_at >= seconds_between_saves
            if checkpoint and (due or stop or run.step == run.total_steps):
                run.save(checkpoint, must=stop or bool(requests))
                saved_at = time.monotonic()
            if stop:
                break
    if run.step == run.total_steps:
        run.finish()
    if requests or run.step < run.total_steps:
        kept = f"; {checkpoint} holds what it takes to resume" if checkpoint else ""
        epoch = (run.step - 1) // run.steps_per_epoch + 1
        raise KeyboardInterrupt(f"stopped in epoch {epoch} of {run.config.epochs}{kept}")
    return run.history


@contextlib.contextmanager
def _left_as_it_was_if_refused(model):
    """After an error `model` is on its device again, and each of its modules in its mode."""
    training = [module for module in model.modules() if module.training]
    device = next((weight.device for weight in model.parameters()), None)
    try:
        yield
    except BaseException:
        model.to(device).eval()
        for module in training:
            module.training = True
        raise


def _all_stop(requests, run):
    """Whether to stop after this step: if one of several processes is asked to, all do."""
    if run.world == 1:
        return bool(requests)
    if run.step % 10:  # agreeing takes time
        return False
    asked = torch.tensor(float(bool(requests)), device=run.device)
    dist.all_reduce(asked, dist.ReduceOp.MAX)
    return bool(asked)


def _hide_bar(rank):
    return True if rank else None  # None: hidden where the output is not a terminal


def _say(line, bar, rank):
    if rank == 0:
        with bar.external_write_mode():
            say(line)
