"""Our ViT and timm's on this machine, side by side: speed, what a curve looks like, where time goes.

    python benchmarks/ours_and_timm.py speed    training images per second, eager and compiled
    python benchmarks/ours_and_timm.py curves   both trained by `fit` from the same weights
    python benchmarks/ours_and_timm.py parts    seconds of each part of our training step

`--record FILE` adds the figures to a JSON list; `--small` tries it all out at sizes for a CPU.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from vit_minimal import (
    RECIPES,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    fit,
    load_dataset,
    load_timm_state_dict,
    pick_device,
    seed_everything,
)
from vit_minimal.augment import augment, mix
from vit_minimal.device import autocast, pick_precision
from vit_minimal.records import add_record
from vit_minimal.training import MovingAverage, make_optimizers

SIZES = [
    ViTConfig(patch_size=4, embed_dim=192, depth=12, num_heads=3),
    ViTConfig(patch_size=4, embed_dim=256, depth=12, num_heads=4),
    ViTConfig(patch_size=4, embed_dim=384, depth=12, num_heads=6),
    ViTConfig(patch_size=2, embed_dim=192, depth=12, num_heads=3),
]
BATCHES = 512, 1024
SMALL = ViTConfig(patch_size=8, embed_dim=32, depth=2, num_heads=2)
NAMES = "ours", "timm"


def make(config, seed=0):
    """Ours and timm's model of a configuration, with the same weights."""
    seed_everything(seed)
    shape = {"img_size": config.image_size, "patch_size": config.patch_size}
    sizes = {name: getattr(config, name) for name in ("embed_dim", "depth", "num_heads")}
    theirs = TimmViT(**shape, **sizes, num_classes=config.num_classes)
    theirs.config = config  # which `fit` asks for the number of classes
    ours = VisionTransformer(config)
    load_timm_state_dict(ours, theirs.state_dict())
    return {"ours": ours, "timm": theirs}


# ------------------------------------------------------------------------------------------ speed


def speed(small):
    """Images per second in training. All models of a size compile at once, then each in turn is
    timed while the others wait, without holding memory. One that fails is a row as well.
    """
    sizes, batches = (SIZES[:1], (8,)) if small else (SIZES, BATCHES)
    cases = list(itertools.product(NAMES, batches, ("eager", "compiled")))
    rows = []
    for size in range(len(sizes)):
        workers = [start_worker(size, *case, small) for case in cases]
        ready = [worker.stdout.readline() == "ready\n" for worker in workers]
        for (name, batch, mode), worker, is_ready in zip(cases, workers, ready, strict=True):
            output, _ = worker.communicate("go\n" if is_ready else None)
            row = {"model": name, "batch": batch, "mode": mode}
            if worker.returncode:
                row["failed"] = f"exit status {worker.returncode}"
            else:
                row |= json.loads(output)
            print(json.dumps(row), flush=True)
            rows.append(row)
    return {"runs": rows}


def start_worker(size, name, batch, mode, small):
    """A process that does `timed`; it waits for a line before it begins to measure."""
    words = [sys.executable, __file__, "timed", str(size), name, str(batch), mode]
    if small:
        words.append("--small")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(words, **pipes, encoding="utf-8")


def timed(size, name, batch, mode, small):
    """What a worker of `speed` does: warm up, wait for its turn, print what it measured."""
    config = SMALL if small else SIZES[int(size)]
    device = pick_device()
    model = make(config)[name].to(device).train()
    network = torch.compile(model) if mode == "compiled" else model
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    x = torch.randn(int(batch), 3, config.image_size, config.image_size, device=device)
    y = torch.randint(config.num_classes, (len(x),), device=device)

    def step():
        with autocast(device, pick_precision(device)):
            loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    compiling = None
    if mode == "compiled":
        start = time.perf_counter()
        step().item()
        compiling = round(time.perf_counter() - start, 1)
        torch.cuda.empty_cache()  # for those whose turn comes before
    print("ready", flush=True)
    if not sys.stdin.readline():
        return  # whoever started this is gone
    for _ in range(2):
        step().item()
    steps = 2 if small else 10
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(steps):
            loss = step()
        loss.item()  # waits for the device
        rates.append(steps * len(x) / (time.perf_counter() - start))
    figures = {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "images_per_second": round(statistics.median(rates), 1),
        "seconds_of_compiling": compiling,
        "config": asdict(config),
    }
    if device.type == "cuda":
        figures["megabytes"] = round(torch.cuda.max_memory_allocated() / 1e6)
    print(json.dumps(figures))


# ----------------------------------------------------------------------------------------- curves


def curves(small):
    """Validation accuracy after each pass: the same `fit`, the same weights at the start."""
    config = SMALL if small else SIZES[0]
    training = TrainingConfig(
        epochs=2 if small else 10,
        batch_size=50 if small else 512,
        optimizer="muon",
        learning_rate=3e-3,
        weight_decay=0.1,
        compile=pick_device().type == "cuda",
        validation_images=500 if small else 5_000,
    )
    dataset = load_dataset("shapes10" if small else "cifar10")
    runs = []
    for seed in range(1 if small else 3):
        for name, model in make(config, seed).items():
            print(f"{name}, seed {seed}", flush=True)
            history = fit(model, dataset, replace(training, seed=seed))
            runs.append({"model": name, "seed": seed, "history": asdict(history)})
    return {
        "dataset": dataset.name,
        "judged_on": f"{training.validation_images:,} validation",
        "config": asdict(config),
        "training": asdict(training),
        "runs": runs,
    }


# ------------------------------------------------------------------------------------------ parts


def parts(small):
    """Seconds of each part of a training step of the recipe `h200`, waiting after each."""
    recipe = RECIPES["h200"]
    if small:
        training = replace(recipe.training, batch_size=8, compile=False)
        recipe = replace(recipe, model=SMALL, training=training)
    config, device = recipe.training, pick_device()
    B = config.batch_size
    seed_everything(0)
    model = VisionTransformer(recipe.model).to(device).train()
    network = torch.compile(model) if config.compile else model
    optimizers = make_optimizers(model, config)
    ema = MovingAverage(model, config.ema_decay)
    images = torch.randint(256, (B, 3, 32, 32), dtype=torch.uint8, device=device)
    labels = torch.randint(10, (B,), device=device)
    seconds = {}  # of each part: a list, a number for each step

    def measured(part, function):
        start = time.perf_counter()
        result = function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.setdefault(part, []).append(time.perf_counter() - start)
        return result

    def mixed():
        return mix(augment(images, config), labels, 10, config.mixup, config.cutmix)

    def forward(x, y):
        with autocast(device, pick_precision(device)):
            return F.cross_entropy(network(x), y, label_smoothing=config.label_smoothing)

    for _ in range(3 if small else 25):
        x, y = measured("augmentation", mixed)
        loss = measured("forward", lambda x=x, y=y: forward(x, y))
        measured("backward", loss.backward)
        measured("clipping", lambda: clip_grad_norm_(model.parameters(), config.clip_norm))
        for optimizer in optimizers:
            measured(type(optimizer).__name__, optimizer.step)
        measured("EMA", lambda: ema.update_parameters(model))
        model.zero_grad()
    median = {part: round(statistics.median(times[1:]), 6) for part, times in seconds.items()}
    print(json.dumps(median))
    return {"batch": B, "config": asdict(recipe.model), "seconds": median}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("speed", "curves", "parts", "timed"))
    parser.add_argument("case", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--small", action="store_true", help="sizes for a CPU, on drawn shapes")
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.what == "timed":
        timed(*options.case, options.small)
        return
    measure = {"speed": speed, "curves": curves, "parts": parts}[options.what]
    figures = measure(options.small)
    if options.record:
        add_record(options.record, {"what": options.what} | figures)


if __name__ == "__main__":
    main()
