"""What 16-bit numbers cost a training: the same small model, trained in three formats of numbers.

    python benchmarks/formats.py [--seeds 3] [--record data/results/formats.json]

Whatever a run draws depends on its seed and on the number of the step, so runs with equal seeds
see equal batches. float16 trains in four ways: with the scale that GradScaler finds, without any,
and with a loss of 1/128 or 1/65,536. That is loss scaling run backwards: the gradients are
multiplied by 128 or 65,536 before the step, so the optimizer meets what it would meet without, and
only the gradients of the backward pass are small: those of the activations as in a batch so many
times as large, and those of the weights with them, which in such a batch would not shrink.
A run also counts the zeros among the gradients of the hidden activations of the first block's
MLP, where every token has a gradient.
"""

import argparse
import json
from pathlib import Path

import torch
from torch.nn import functional as F

from vit_minimal import VisionTransformer, ViTConfig, pick_device, seed_everything, shapes10
from vit_minimal.augment import normalize
from vit_minimal.device import autocast
from vit_minimal.records import add_record

MODEL = ViTConfig(
    patch_size=8, embed_dim=32, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)
BATCH, LEARNING_RATE, EVERY = 32, 3e-3, 10
FIRST = 2.0**16  # the scale with which GradScaler begins
WAYS = {  # the format, and the scale of the loss
    "float32": (torch.float32, 1),
    "bfloat16": (torch.bfloat16, 1),
    "float16, scaled": (torch.float16, FIRST),
    "float16": (torch.float16, 1),
    "float16, loss / 128": (torch.float16, 1 / 128),
    "float16, loss / 65,536": (torch.float16, 1 / 65536),
}


def train(way, seed, images, labels, steps):
    """The loss of a training, as its mean over every ten steps, and the share of zeros."""
    precision, scale = WAYS[way]
    device = images.device
    seed_everything(seed)
    model = VisionTransformer(MODEL).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    interval = 2000 if scale == FIRST else steps + 1  # the others keep their scale
    scaler = torch.amp.GradScaler(device.type, init_scale=scale, growth_interval=interval)
    found, zeros = [], []
    model.blocks[0].mlp.fc1.register_full_backward_hook(
        lambda layer, of_input, of_output: zeros.append((of_output[0] == 0).float().mean().item())
    )
    for number in range(steps):
        torch.manual_seed(1_000_000 * seed + number)
        batch = torch.randint(len(images), (BATCH,)).to(device)
        with autocast(device, precision):
            loss = F.cross_entropy(model(normalize(images[batch])), labels[batch])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        found.append(loss.item())
    means = torch.tensor(found).view(-1, EVERY).mean(1).tolist()
    return {"loss": [round(mean, 4) for mean in means], "zeros": round(sum(zeros) / steps, 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300, help="a multiple of ten")
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    device = pick_device()
    images, labels = (part.to(device) for part in shapes10(2_000, seed=0))
    runs = []
    for seed in range(options.seeds):
        for way in WAYS:
            found = train(way, seed, images, labels, options.steps)
            runs.append({"way": way, "seed": seed} | found)
            print(json.dumps(runs[-1]), flush=True)
    if options.record:
        figures = {"batch": BATCH, "learning_rate": LEARNING_RATE, "steps": options.steps}
        add_record(options.record, figures | {"every": EVERY, "runs": runs})


if __name__ == "__main__":
    main()
