"""Experiments: settings that differ from a base recipe in one thing, several seeds, all on record.

python -m vit_minimal.experiments class_token_init --budget quick --seeds 3

Each run is recorded as soon as it is done. Whoever starts an experiment again, or a second process
that shares the folder, takes the runs that are neither recorded nor under way. A run that was
stopped goes on from where it was, one that was killed from the last state that it wrote. On a
machine with several GPUs start one process for each, with CUDA_VISIBLE_DEVICES=0, 1, ….
"""

from .grid import BASE, EXPERIMENTS, Experiment, Setting, key, plan
from .models import cost, make_model
from .runs import run_experiment, train_run
from .summary import (
    Spread,
    Summary,
    as_table,
    contrast,
    mean_and_width,
    pooled_spread,
    spread_of,
    students_t,
    summarize,
    working_settings,
)
