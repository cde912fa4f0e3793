"""Is this machine ready for the course? A report, a line for each thing that matters."""

import platform
import shutil
import sys

import numpy as np
import torch

from .data import data_root as find_data_root
from .data import has_cifar10
from .device import describe_device, dtype_name, pick_budget, pick_device, pick_precision
from .records import check_writable
from .terminal import say


def check_machine(data_root=None):
    """Print what this machine offers, a line each: a tick ("ok" where the terminal has none),
    or "!" and what to do about it.

    Returns True if nothing needs doing. `data_root` is the folder where data sets live, else the
    one that `load_dataset` takes them from.
    """
    folder = find_data_root(data_root).resolve()
    device = pick_device()
    precision = dtype_name(pick_precision(device))
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    try:
        check_writable(there)
        fault = ""
    except OSError as error:
        fault = str(error)
    try:
        budget, wrong = f"budget: {pick_budget()}", ""
    except ValueError as error:
        budget, wrong = "budget", str(error)
    here = "Shapes-10, drawn here; CIFAR-10 not loaded yet"
    if has_cifar10(folder):
        here = "CIFAR-10 is here"
    python = f"Python {platform.python_version()}"
    rows = [
        (sys.version_info >= (3, 11), python, "install Python 3.11+"),
        (_version(torch) >= (2, 6), f"torch {torch.__version__}", "pip install -U torch"),
        (_version(np) >= (1, 26), f"numpy {np.__version__}", "pip install -U numpy"),
        (True, f"device: {describe_device(device)}; matrix products in {precision}", ""),
        (not wrong, budget, wrong),
        (not fault, f"data: {here}", fault),
        (free_gb > 1, f"disk: {free_gb:.0f} GB free", "CIFAR-10 needs 0.6 GB, make room"),
    ]
    for good, what, remedy in rows:
        say(f"✓ {what}" if good else f"! {what}: {remedy}")
    return all(good for good, _, _ in rows)


def _version(module):
    return tuple(int(part) for part in module.__version__.split("+")[0].split(".")[:2])
