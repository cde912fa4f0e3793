"""How long the recipe `t4` would take on a T4, estimated without one.

    python benchmarks/t4_estimate.py [--record data/results/t4_estimate.json]

One step is run on a GPU that is only claimed, which counts the kernels, the bytes that they read and
write, and the FLOPs of the matrix products. A kernel then takes as long as its bytes or its FLOPs
need, whichever is longer, at the rates of NVIDIA's data sheet or at half of them. Attention is counted
as plain products, in float32; a fused kernel, which a real GPU chooses, moves fewer bytes.
"""

import argparse
import sys
from pathlib import Path

import torch

from vit_minimal import RECIPES
from vit_minimal.records import add_record, as_path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # the claimed GPU's home
from fake_cuda import one_step

# https://www.nvidia.com/en-us/data-center/tesla-t4/
T4 = (7, 5)  # its compute capability
BANDWIDTH = 320e9  # bytes per second
FLOPS = {torch.float16: 65e12, torch.float32: 8.1e12}  # per second
LAUNCH = 10e-6  # seconds that a program needs to ask for a kernel, a guess
IMAGES = 50_000


def seconds_of(kernels, share):
    """Seconds of a step, if each kernel reaches this share of the card's rates."""
    busy = sum(
        max(kernel.bytes / BANDWIDTH, kernel.flops / FLOPS.get(kernel.dtype, FLOPS[torch.float32]))
        for kernel in kernels
    )
    return max(busy / share, len(kernels) * LAUNCH)  # the program asks while the card works


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", type=as_path, metavar="FILE")
    options = parser.parse_args(arguments)
    training = RECIPES["t4"].training
    kernels = one_step(RECIPES["t4"].model, training, T4).kernels
    steps_of_a_pass = IMAGES // training.batch_size  # the images left over wait for another pass
    steps = training.epochs * steps_of_a_pass
    counted = {
        "steps": steps,
        "kernels": len(kernels),
        "gigabytes": sum(kernel.bytes for kernel in kernels) / 1e9,
        "gigaflops": sum(kernel.flops for kernel in kernels) / 1e9,
        "minutes_at_full_rates": steps * seconds_of(kernels, 1.0) / 60,
        "minutes_at_half_of_them": steps * seconds_of(kernels, 0.5) / 60,
    }
    for name, value in counted.items():
        print(f"{name.replace('_', ' ')}: {value:,.0f}")
    if options.record:
        add_record(options.record, {"recipe": "t4", **counted})


if __name__ == "__main__":
    main()
