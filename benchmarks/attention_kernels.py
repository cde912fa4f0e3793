"""Which attention trains faster on this machine: the explicit formula or PyTorch's fused kernel?

    python benchmarks/attention_kernels.py [--record data/results/attention_kernels.json]

One training step of the same model with either, alternating in one run, so that whatever else the
machine does meets both. `MultiHeadSelfAttention` takes the formula for bfloat16 on CPUs because of
this.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from vit_minimal import (
    MultiHeadSelfAttention,
    VisionTransformer,
    ViTConfig,
    attention_weights,
    pick_device,
    seed_everything,
)
from vit_minimal.device import autocast
from vit_minimal.records import add_record

BATCH = 128


class Fused(MultiHeadSelfAttention):
    """The package's attention, always with the fused kernel."""

    def forward(self, x):
        out = F.scaled_dot_product_attention(*self.split_heads(x))
        return self.proj(out.transpose(1, 2).flatten(2))


class Explicit(MultiHeadSelfAttention):
    """The package's attention, always with the explicit formula."""

    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        out = attention_weights(queries, keys) @ values
        return self.proj(out.transpose(1, 2).flatten(2))


def make_model(attention):
    """A model whose blocks attend by this class."""
    model = VisionTransformer(ViTConfig())
    for block in model.blocks:
        block.attn = attention(model.config.embed_dim, model.config.num_heads)
    return model


def train_step(model, optimizer, x, y, precision):
    start = time.perf_counter()
    with autocast(x.device, precision):
        loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    loss.item()  # waits for the device
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    seed_everything(0)
    device = pick_device()
    x = torch.randn(BATCH, 3, 32, 32, device=device)
    y = torch.randint(10, (BATCH,), device=device)
    runs = []
    for precision in (torch.float32, torch.bfloat16):
        steps, times = {}, {"explicit": [], "fused": []}
        for name, attention in (("explicit", Explicit), ("fused", Fused)):
            model = make_model(attention).to(device)
            steps[name] = (model, torch.optim.AdamW(model.parameters(), fused=True))
        for repeat in range(options.repeats + 1):
            for name, (model, optimizer) in steps.items():
                seconds = train_step(model, optimizer, x, y, precision)
                if repeat > 0:  # the first step warms up
                    times[name].append(seconds)
        rates = {name: round(BATCH / statistics.median(t), 1) for name, t in times.items()}
        name = str(precision).removeprefix("torch.")
        print(f"{name}: {rates} images/s, ratio {rates['explicit'] / rates['fused']:.2f}")
        runs.append({"precision": name, "images_per_second": rates, "repeats": options.repeats})
    if options.record:
        add_record(options.record, {"model": "ViTConfig()", "batch": BATCH, "runs": runs})


if __name__ == "__main__":
    main()
