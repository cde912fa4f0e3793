"""What a training looks like when one thing is wrong with it: the curves of notebook 13's exercise.

    python benchmarks/training_curves.py [--record data/results/training_curves.json]

A small ViT on Shapes-10, once as it should be and six times with one fault. Of each run: the loss of
every step, and now and then the loss on images that are never trained on. One seed each.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from vit_minimal import VisionTransformer, ViTConfig, seed_everything, shapes10
from vit_minimal.augment import normalize
from vit_minimal.records import add_record

MODEL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=4, mlp_ratio=2.0, pos_embed="sinusoidal"
)
STEPS, BATCH, WARMUP, EVERY = 400, 50, 20, 25
TRAINED_ON, HELD_OUT = 2_000, 250
RATE = 3e-3  # of AdamW
RUNS = {  # what is different
    "nothing is wrong": {},
    "the learning rate is far too small": {"rate": 1e-5},
    "the learning rate is far too large": {"rate": 0.3},
    "softmax before a loss that applies it itself": {"softmax": True},
    "batches in the order of the classes": {"shuffle": False},
    "far too few training images": {"trained_on": 100},
    "validation images prepared in another way": {"prepare": lambda images: images / 255},
}


def batches(labels, shuffle):
    """Indices (BATCH,) of as many images as a batch has, for ever: pass after pass."""
    while True:
        order = torch.randperm(len(labels)) if shuffle else labels.argsort(stable=True)
        yield from order.split(BATCH)


def train(
    rate=RATE, softmax=False, shuffle=True, trained_on=TRAINED_ON, prepare=normalize, steps=STEPS
):
    """The loss of each step, and after every EVERY steps the loss on the images held out."""
    seed_everything(0)
    model = VisionTransformer(MODEL)
    images, labels = shapes10(TRAINED_ON + HELD_OUT, seed=0)
    x, y = normalize(images[:trained_on]), labels[:trained_on]
    held_out, held_out_labels = prepare(images[TRAINED_ON:]), labels[TRAINED_ON:]

    def loss_of(x, y):
        logits = model(x)
        return cross_entropy(logits.softmax(dim=1) if softmax else logits, y)

    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    training, validation = [], []
    for step, batch in zip(range(steps), batches(y, shuffle), strict=False):
        optimizer.param_groups[0]["lr"] = rate * min(1, (step + 1) / WARMUP)
        loss = loss_of(x[batch], y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        training.append(round(loss.item(), 3))
        if (step + 1) % EVERY == 0:
            with torch.no_grad():
                validation.append(round(loss_of(held_out, held_out_labels).item(), 3))
    return training, validation


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    runs = []
    for name, changes in RUNS.items():
        training, validation = train(**changes)
        print(f"{name}: {training[-1]:.2f}, held out {validation[-1]:.2f}", flush=True)
        runs.append({"what": name, "training": training, "validation": validation})
    if options.record:
        figures = {
            "dataset": "shapes10",
            "trained_on": TRAINED_ON,
            "judged_on": f"{HELD_OUT} held out",
            "model": asdict(MODEL),
            "batch_size": BATCH,
            "warmup_steps": WARMUP,
            "every": EVERY,
            "learning_rate": RATE,
            "seed": 0,
            "runs": runs,
        }
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
