"""Training speed of the same ViT in four libraries on this machine, and the memory they train in.

    python benchmarks/throughput.py [--record data/results/throughput.json]
    python benchmarks/throughput.py --compiled [--record data/results/compiled.json]

The second command compares our model with itself under torch.compile instead, without memory.
Patch 4, width 192, depth 9, 3 heads, batch 128, AdamW. The models alternate in one run, so that
whatever else the machine does meets all of them. Memory is the peak of a process that trains
one model, above what it held before the first step.
"""

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from vit_minimal import VisionTransformer, ViTConfig, pick_device, seed_everything
from vit_minimal.device import autocast
from vit_minimal.records import add_record

BATCH = 128
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def ours():
    return VisionTransformer(ViTConfig(patch_size=4, embed_dim=192, depth=9, num_heads=3))


def timm():
    from timm.models.vision_transformer import VisionTransformer as Theirs

    shape = {"img_size": 32, "patch_size": 4, "num_classes": 10}
    return Theirs(**shape, embed_dim=192, depth=9, num_heads=3)


def torchvision():
    from torchvision.models import VisionTransformer as Theirs

    shape = {"image_size": 32, "patch_size": 4, "num_classes": 10}
    return Theirs(**shape, hidden_dim=192, num_layers=9, num_heads=3, mlp_dim=768)


def vit_pytorch():
    from vit_pytorch import ViT as Theirs

    shape = {"image_size": 32, "patch_size": 4, "num_classes": 10}
    return Theirs(**shape, dim=192, depth=9, heads=3, dim_head=64, mlp_dim=768)


def compiled():
    return torch.compile(ours())


MODELS = {"ours": ours, "timm": timm, "torchvision": torchvision, "vit-pytorch": vit_pytorch}
COMPILED = {"ours": ours, "compiled": compiled}


def make_step(make_model, precision, device):
    """A function that takes one training step and returns the seconds it took."""
    seed_everything(0)
    model = make_model().to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    x = torch.randn(BATCH, 3, 32, 32, device=device)
    y = torch.randint(10, (BATCH,), device=device)

    def step():
        start = time.perf_counter()
        with autocast(device, precision):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # waits for the device
        return time.perf_counter() - start

    return step


def megabytes_in_use():
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    status = Path("/proc/self/status")  # Linux: getrusage would count the parent's memory too
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))[1]) / 1e3
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def peak_memory(name, precision):
    """Measured in a fresh process: a peak never falls again."""
    words = [sys.executable, __file__, "--memory-of", name, precision]
    done = subprocess.run(words, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--compiled", action="store_true", help="what torch.compile gains us")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    device = pick_device()
    if options.memory_of:
        name, precision = options.memory_of
        step = make_step(MODELS[name], PRECISIONS[precision], device)
        before = megabytes_in_use()
        for _ in range(3):
            step()
        print(megabytes_in_use() - before)
        return
    runs, models = [], COMPILED if options.compiled else MODELS
    for precision, dtype in PRECISIONS.items():
        steps = {name: make_step(make, dtype, device) for name, make in models.items()}
        seconds, first = {name: [] for name in models}, {}
        for repeat in range(options.repeats + 1):
            for name, step in steps.items():
                took = step()
                if repeat > 0:  # the first step warms up, or waits for the compiler
                    seconds[name].append(took)
                else:
                    first[name] = took
        for name, times in seconds.items():
            rate = 1 / statistics.median(times)
            figures = {"model": name, "precision": precision, "steps_per_second": round(rate, 3)}
            if options.compiled:
                more = {"first_step": round(first[name], 1)}
            else:
                more = {"megabytes": round(peak_memory(name, precision))}
            runs.append(figures | more)
            print(json.dumps(runs[-1]), flush=True)
        rates = {
            run["model"]: run["steps_per_second"] for run in runs if run["precision"] == precision
        }
        fastest = max(rate for name, rate in rates.items() if name != "ours")
        print(f"{precision}: {rates['ours'] / fastest:.2f} times the fastest of the others")
    if options.record:
        add_record(options.record, {"batch": BATCH, "repeats": options.repeats, "runs": runs})


if __name__ == "__main__":
    main()
