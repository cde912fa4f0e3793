"""The new model of a run, and what it costs to compute."""

import statistics
import time
from fnmatch import fnmatch

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..device import seed_everything
from ..pretrained import read_config
from ..variants import VARIANTS


def make_model(run):
    """The new model of a run. ValueError names a pattern that fits no parameter."""
    seed_everything(run["training"]["seed"])
    model = VARIANTS[run["variant"]](read_config(run["model"]))
    parameters = dict(model.named_parameters())

    def called(pattern):
        found = [parameter for name, parameter in parameters.items() if fnmatch(name, pattern)]
        if not found:
            raise ValueError(f"no parameter is called {pattern!r}: there are {list(parameters)}")
        return found

    for pattern, (how, *numbers) in run["start"].items():
        for parameter in called(pattern):
            if parameter.ndim > 1 or "*" not in pattern:  # the gains of the norms stay at 1
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
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
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
        "tokens": model.num_tokens,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "flops": counter.get_total_flops(),
        "kept_bytes": sum(kept.values()),
        "seconds": statistics.median(seconds[1:]),
    }
