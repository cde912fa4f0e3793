"""`fit`: step after step, until the run is over or somebody stops it."""

import time

import torch
import torch.distributed as dist
from tqdm import tqdm

from ..device import pick_device, random_state_kept, say
from ..records import as_path, check_writable
from .interrupts import stop_requests
from .recipes import TrainingConfig
from .run import Run


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
    the same weights, bit for bit, as if nothing had happened, provided that model, configuration,
    images, labels and frozen weights are those of the run that was stopped; without it, or if there
    is no such file, the run begins anew. torch's random numbers outside of the run go on as if there had been
    none.

    In a group of processes (torchrun) each trains on its share of every batch. ValueError if labels
    or batches do not fit, the weights are not float32, or the checkpoint is that of another run;
    OSError if it could not be written; FloatingPointError if the loss is no
    longer finite; MemoryError if a batch does not fit; KeyboardInterrupt when interrupted,
    also in the last step, after which the model is trained all the same. A model whose run was
    interrupted before has its last weights, not their EMA.
    """
    run = Run(model, dataset, config or TrainingConfig(), pick_device(device))
    if checkpoint:
        checkpoint = as_path(checkpoint)
        check_writable(checkpoint.parent)  # not after the first epoch
        if resume and checkpoint.exists():
            run.load(checkpoint)
    saved_at = time.monotonic()
    bar = tqdm(total=run.total_steps, initial=run.step, leave=False, disable=_hide_bar(run.rank))
    with random_state_kept(), stop_requests(patient=run.world > 1) as requests, bar:
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
