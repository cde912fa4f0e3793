"""Which machine is this: device, precision, budget, seeds, and a report that says what is missing."""

import contextlib
import datetime
import json
import os
import platform
import random
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

BUDGETS = ("quick", "full")


def pick_device(name=None):
    """`name` as a torch.device, or the best there is: "cuda", then "mps" (Apple), then "cpu"."""
    if name is not None:
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def pick_precision(device):
    """The dtype in which matrix products run fastest on `device` without harm to training.

    bfloat16 where the hardware multiplies it (GPUs from Ampere on, CPUs with AMX or AVX-512 BF16);
    float16 on older GPUs such as the T4, with loss scaling; float32 elsewhere.
    """
    device = torch.device(device)
    if device.type == "cuda":
        # is_bf16_supported() also says yes where bfloat16 is only emulated, as on a T4
        ampere_or_newer = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if ampere_or_newer else torch.float16
    if device.type == "cpu" and _cpu_multiplies_bfloat16():
        return torch.bfloat16
    return torch.float32


def _cpu_multiplies_bfloat16():
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # no public name yet
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def autocast(device, precision):
    """A context in which matrix products run in `precision`; float32 leaves everything as it is."""
    if precision == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=precision)


@contextlib.contextmanager
def evaluating(model):
    """The model in evaluation mode; afterwards each of its modules is in the mode it was in."""
    training = [module for module in model.modules() if module.training]
    try:
        yield model.eval()
    finally:
        for module in training:
            module.training = True


def seed_everything(seed):
    """Seed Python's, numpy's and torch's generators, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def pick_budget():
    """ "quick" or "full": VIT_MINIMAL_BUDGET, else full with a GPU and quick without.

    ValueError if the variable holds anything else.
    """
    budget = os.environ.get("VIT_MINIMAL_BUDGET")
    if not budget:
        return "full" if torch.cuda.is_available() else "quick"
    if budget not in BUDGETS:
        raise ValueError(f"VIT_MINIMAL_BUDGET must be one of {BUDGETS}, is {budget!r}")
    return budget


def check_machine(data_root=None):
    """Print what this machine offers, a line each: a tick, or "!" and what to do about it.

    Returns True if nothing needs doing. `data_root` is the folder where data sets live, else the
    one that `load_dataset` takes them from.
    """
    from . import data  # which needs this module

    data_root = data.data_root(data_root)
    device = pick_device()
    precision = str(pick_precision(device)).removeprefix("torch.")
    folder = data_root.resolve()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    here = "CIFAR-10 is here"
    if not data.has_cifar10(data_root):
        here = "Shapes-10, drawn here; CIFAR-10 not loaded yet"
    rows = [
        (
            sys.version_info >= (3, 11),
            f"Python {platform.python_version()}",
            "install Python 3.11+",
        ),
        (_version(torch) >= (2, 6), f"torch {torch.__version__}", "pip install -U torch"),
        (_version(np) >= (1, 26), f"numpy {np.__version__}", "pip install -U numpy"),
        (True, f"device: {_describe(device)}; matrix products in {precision}", ""),
        (True, f"budget: {pick_budget()}", ""),
        (True, f"data: {here}", ""),
        (free_gb > 1, f"disk: {free_gb:.0f} GB free", "CIFAR-10 needs 0.6 GB, make room"),
    ]
    for good, what, remedy in rows:
        print(f"✓ {what}" if good else f"! {what}: {remedy}")
    return all(good for good, _, _ in rows)


def describe_run():
    """What a record of measured figures must name besides them: command, machine, versions, date."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)  # only `python -m` leaves one
    program = ["-m", spec.name] if spec else sys.argv[:1]
    return {
        "command": shlex.join(["python", *program, *sys.argv[1:]]),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, {_describe(pick_device())}",
        "precision": str(pick_precision(pick_device())).removeprefix("torch."),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }


def write_whole(path, write):
    """Call `write(temporary path)`, then rename: `path` holds the old content or all of the new.

    OSError says in one sentence what hindered it, such as a full disk; `path` is as it was then.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        os.replace(unfinished, path)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        there = next(place for place in path.absolute().parents if place.exists())
        free = shutil.disk_usage(there).free / 1e6
        raise OSError(
            f"{path} could not be written ({error}): there must be room on the disk "
            f"({free:,.0f} MB are free) and permission to write"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def check_settings(config, options):
    """ValueError if a setting of a dataclass is none of its `options` {name: values} or, where it has
    none, of another kind than its default, as a word is where a number belongs.
    """
    kinds = {bool: "True or False", int: "a whole number", float: "a number", str: "a word"}
    for name, value in vars(config).items():
        if name in options:
            if value not in options[name]:
                raise ValueError(f"unknown {name} {value!r}: choose one of {options[name]}")
            continue
        kind = type(getattr(type(config), name))  # of the default
        is_pair = name == "image_size" and isinstance(value, tuple | list) and len(value) == 2
        for number in value if is_pair else [value]:
            if type(number) is not kind and not (kind is float and type(number) is int):
                pair = " or two, (H, W)" if name == "image_size" else ""
                raise ValueError(f"{name} must be {kinds[kind]}{pair}, is {value!r}")


def check_labels(labels, num_classes):
    """ValueError if a label lies outside 0 … num_classes − 1, naming it and its place."""
    bad = ((labels < 0) | (labels >= num_classes)).nonzero().flatten()
    if len(bad):
        where = bad[0].item()
        raise ValueError(
            f"labels must be 0 … {num_classes - 1} for {num_classes} classes: "
            f"{len(bad)} are not, the first is {labels[where].item()} at index {where}"
        )


def read_records(path):
    """The list of records in a JSON file, empty if there is none; ValueError if it is no list."""
    path = Path(path)
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except ValueError as error:
        raise ValueError(f"{path} is damaged or no JSON ({error})") from error
    if not isinstance(known, list):
        raise ValueError(f"{path} holds no list of records")  # noqa: TRY004
    return known


def add_record(path, figures):
    """Append measured figures, and how they came about, to the JSON list in `path`.

    Processes that write to one file wait for one another.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        text = json.dumps([*read_records(path), describe_run() | figures], indent=1) + "\n"
        write_whole(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8"))


def _version(module):
    return tuple(int(part) for part in module.__version__.split("+")[0].split(".")[:2])


def _describe(device):
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        return f"cuda ({torch.cuda.get_device_name(device)}, {memory:.0f} GiB)"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu, {threads} {'thread' if threads == 1 else 'threads'}"
    return str(device)
