"""Where and how to compute: device, precision, budget, evaluation mode, seeds; a check of logits."""

import contextlib
import os
import random

import numpy as np
import torch

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


def dtype_name(dtype):
    """A dtype's name, "float32" for torch.float32, as a TrainingConfig and records have it."""
    return str(dtype).removeprefix("torch.")


def _cpu_multiplies_bfloat16():
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # no public name yet
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def autocast(device, precision):
    """A context in which matrix products run in `precision`; in float32 everything has the precision
    of its numbers, also inside of an autocast of the caller's.

    TypeError if `precision` is not a dtype: only TrainingConfig takes names.
    """
    if not isinstance(precision, torch.dtype):
        raise TypeError(f"precision is a dtype such as torch.float32 here, got {precision!r}")
    kind = torch.device(device).type
    if precision == torch.float32:
        return torch.autocast(kind, enabled=False)
    # In another autocast the cache would outlive this one, and hold weights from before a step
    return torch.autocast(kind, dtype=precision, cache_enabled=False)


def check_finite(logits, remedy=""):
    """The `logits` (B, num_classes) themselves. FloatingPointError, with a `remedy`, if those of an
    image hold NaN or +∞, or nothing but −∞: argmax would name a class all the same. Some −∞ are
    allowed, since they leave classes out.
    """
    finite = logits.amax(dim=1).isfinite()  # the largest of numbers and NaN is NaN
    if not finite.all():
        raise FloatingPointError(
            f"the logits of {(~finite).sum()} of {len(logits)} images are not finite{remedy}"
        )
    return logits


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


@contextlib.contextmanager
def random_state_kept():
    """torch's generators, on every device, go on afterwards as if nothing had been drawn."""
    cpu = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)


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


def describe_device(device):
    """A device in a few words: "cuda (NVIDIA T4, 15 GiB)", "cpu, 2 threads"."""
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        return f"cuda ({torch.cuda.get_device_name(device)}, {memory:.0f} GiB)"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu, {threads} {'thread' if threads == 1 else 'threads'}"
    return str(device)
