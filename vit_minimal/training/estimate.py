"""How long a training would take, before it begins."""

import copy
import time
from dataclasses import replace

from ..data.dataset import check_dataset
from ..device import pick_device, random_state_kept
from .recipes import as_training
from .run import Run


def estimate_seconds(model, dataset, config=None, device=None, steps=5):
    """The seconds that `fit` would roughly take, from a few steps of a copy of `model`.

    What comes on top is not counted: judging on validation images, writing states, and compiling.
    Errors are those of `fit`.
    """
    check_dataset(dataset)
    config = replace(as_training(config), compile=False)
    whole = min(config.whole_epochs, config.epochs) if config.patch_drop_rate else config.epochs
    seconds = 0.0
    for rate, epochs in ((0.0, whole), (config.patch_drop_rate, config.epochs - whole)):
        if epochs:
            trial = replace(config, patch_drop_rate=rate, whole_epochs=0)
            seconds += epochs * _seconds_of_an_epoch(model, dataset, trial, device, steps)
    return seconds


def _seconds_of_an_epoch(model, dataset, config, device, steps):
    run = Run(copy.deepcopy(model), dataset, config, pick_device(device))
    with random_state_kept():
        run.train_step()  # the first takes longer
        run.totals.tolist()  # waits for a GPU
        start = time.perf_counter()
        for _ in range(steps):
            run.train_step()
        run.totals.tolist()
    return (time.perf_counter() - start) / steps * run.steps_per_epoch
