# %% [markdown]
# # 17 · Beyond fit, to look up
#
# `fit` hides a loop. When you write your own, five things are left to you. This loop is a map, not a lesson: find the line that you need, and go to its part.
#
#     scaler = torch.amp.GradScaler(device.type)                           # part 2
#     things = {"model": model, "optimizer": optimizer, "scaler": scaler}  # part 4
#     for epoch in range(epochs):
#         for images, labels in loader:                                    # part 1
#             images, labels = images.to(device), labels.to(device)
#             optimizer.zero_grad()
#             for x, y in zip(images.chunk(4), labels.chunk(4)):           # part 3
#                 with torch.autocast(device.type, torch.float16):         # part 2
#                     loss = F.cross_entropy(model(normalize(x)), y)
#                 scaler.scale(loss / 4).backward()                        # parts 2 and 3
#             scaler.step(optimizer)                                       # part 2
#             scaler.update()                                              # part 2
#         save_run(path, epoch + 1, things)                                # part 4: epochs done
#     torch.export.save(program, "model.pt2")                              # part 5
#
# `fit` does more: it augments images, changes the learning rate, clips gradients and validates ([notebook 05](05_training_on_cifar10.ipynb)), and can average the weights ([notebook 15](15_more_about_training.ipynb)).
#
# Each part stands alone, and needs only the folded cells at the top. (The saved run uses the first 2,000 of 10,000 drawn shapes, on a CPU.)
#
# | part | you need it if | minutes |
# |---|---|---|
# | 1 · Data that do not fit into memory | your images are files in a folder, and too many | 5 |
# | 2 · When your 16 bits are float16 | you have an older GPU, such as the T4 of free Colab | 10 |
# | 3 · A batch that is too large, and several GPUs | a batch does not fit into memory, or you have several GPUs | 5 |
# | 4 · Stop and resume | your loop runs for hours, or in Colab | 5 |
# | 5 · A model without the course | others are to use your model, with PyTorch or without it | 5 |
#
# | | |
# |---|---|
# | You need | notebook 05 and, for what a resumed run and 16-bit numbers are, [notebook 11](11_faster_and_safer_training.ipynb) |
# | Time to read | about 30 minutes, but you need only the parts that concern you |
# | Time to run | {{notebook_seconds("17_beyond_fit"):about}} on two cores of a recent server CPU |
# | Package modules | `vit_minimal/training/`, `vit_minimal/device.py` |

# %% tags=["hide-input"]
import contextlib
import io
import math
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    diagrams,
    load_checkpoint,
    load_dataset,
    load_image,
    pick_device,
    pick_precision,
    plots,
    seed_everything,
    shapes10,
)
from vit_minimal.augment import augment, normalize
from vit_minimal.data import CIFAR10_CLASSES
from vit_minimal.records import read_records

device = pick_device()
dataset = load_dataset().first(2_000, 500)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)
folder = Path(tempfile.mkdtemp())  # for the files that this notebook writes
cat_file = Path(data.__file__).with_name("chelsea.png")

# %% tags=["hide-input"]
TINY = ViTConfig(patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0)


def new_model():
    """The tiny model and its optimizer, always from the same seed."""
    seed_everything(0)
    model = VisionTransformer(TINY).to(device)
    return model, torch.optim.AdamW(model.parameters(), lr=3e-3)


# %% [markdown]
# # Part 1: data that do not fit into memory
#
# ## Who loads the next batch?
#
# A million photos do not fit into memory. They stay in a folder, and are decoded while the model trains. PyTorch has two classes for this. A `Dataset` (its own, and not the course's of that name) gives one image and its label, and a `DataLoader` makes batches of them.
#
# The loader can have **workers**, processes of their own that prepare the next batches while the model trains. Suppose that a batch takes three times as long to load as to train on:

# %% tags=["hide-input"]
LOAD, TRAIN, BATCHES = 3, 1, 6  # in units of time; all of this is calculated


def timetable(workers):
    """Who does what from when to when: (row, batch, start, length), the loop in the last row."""
    done, free, now = [], [0] * workers, 0
    for batch in range(BATCHES):
        if workers:
            row = batch % workers
            done.append((row, batch, free[row], LOAD))
            free[row] += LOAD
            now = max(now, free[row])  # the loop waits until the batch is there
        else:
            done.append((0, batch, now, LOAD))
            now += LOAD
        done.append((workers, batch, now, TRAIN))
        now += TRAIN
    return done, now


figure, panels = plt.subplots(
    2, figsize=(6.6, 2.9), layout="constrained", sharex=True, height_ratios=(1, 3)
)
said = []
for axis, workers in zip(panels, (0, 2), strict=True):
    done, end = timetable(workers)
    for row, batch, start, length in done:
        colour = "#0072B2" if length == TRAIN else "#DDDDDD"
        axis.barh(row, length, left=start, color=colour, edgecolor="white", height=0.8)
        ink = "white" if length == TRAIN else "black"
        axis.text(start + length / 2, row, batch + 1, ha="center", va="center", color=ink)
    axis.set_yticks(range(workers + 1), [f"worker {k + 1}" for k in range(workers)] + ["the loop"])
    axis.invert_yaxis()
    axis.set_title(f"{workers or 'no'} workers", loc="left", fontsize=10.5)
    said.append(f"{workers or 'no'} workers: {BATCHES} batches in {end} units of time")
panels[-1].set_xlabel("time (grey: loads a batch, blue: trains on it; numbers: which batch)")
plots.show("timetables of the loop and its workers", "Loading with and without workers", said)

# %% [markdown]
# Without workers, the loop loads each batch by itself, and the model stands still. Two workers load side by side: 11 units of time in place of 24, or 2.2 times as fast. The loop still waits, in the gaps between the blue bars. With three workers, it would wait only for the first batch.
#
# ## A loader for a folder
#
# To try it, we save 600 drawn shapes as JPEG files of 256 × 256 pixels, in one folder for each class:

# %% tags=["hide-input"]
photos = folder / "photos"
for number, (image, label) in enumerate(zip(*shapes10(600), strict=True)):
    place = photos / f"class {label}"
    place.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((256, 256))
    picture.save(place / f"{number}.jpg")

# %% [markdown]
# Write your `Dataset` class into a file, not into a cell. On Windows, on a Mac, and on Linux from Python 3.14 on, a worker is a new Python process: it has to import the class, and cannot import from a notebook. If your loop is a script, put it below `if __name__ == "__main__":`. Otherwise each worker runs it again.

# %%
CODE = """
from pathlib import Path
from torch.utils.data import Dataset
from vit_minimal import load_image

class FolderImages(Dataset):
    def __init__(self, root, size):
        self.files = sorted(Path(root).glob("*/*.jpg"))
        names = sorted({file.parent.name for file in self.files})
        self.labels = [names.index(file.parent.name) for file in self.files]
        self.size = size

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):  # decoded when it is asked for: uint8 (3, size, size)
        return load_image(self.files[i], self.size), self.labels[i]
"""
(folder / "folder_images.py").write_text(CODE)
sys.path.insert(0, str(folder))  # where Python looks for it
from folder_images import FolderImages

# %% [markdown]
# Here is a loader for the *training* images. For validation and test images, set `drop_last=False`, or some images would never be judged. Their order does not matter: `shuffle=False`.


# %%
def loader_of(workers):
    """Batches of 50 images from the folder, prepared by so many workers."""
    return DataLoader(
        FolderImages(photos, 32),
        batch_size=50,
        shuffle=True,  # in another order in every epoch
        drop_last=True,  # with 603 images, a last batch of 3 would count as much as one of 50
        num_workers=workers,  # 0: the loop decodes by itself, and the model waits
        persistent_workers=workers > 0,  # they stay for the next epoch
        pin_memory=device.type == "cuda",  # a GPU can fetch from such memory by itself
    )


# %% [markdown]
# In the loop, the images cross to the device as uint8, because float32 would be four times as many bytes. There `augment` moves, mirrors and normalizes them, a whole batch at once.


# %%
def one_epoch(model, optimizer, batches):
    """Train for an epoch; returns its seconds, and those in which the loop waited for data."""
    waited, start = 0.0, time.perf_counter()
    asked = start
    for x, y in batches:
        waited += time.perf_counter() - asked
        x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        loss = F.cross_entropy(model(augment(x, TrainingConfig())), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # only to measure: makes a GPU finish, else its work would count as waiting
        asked = time.perf_counter()
    return asked - start, waited


# %% [markdown]
# ## Is the model waiting for data?
#
# We compare the loop with one that gets the same batch again and again, so that it loads nothing. How much will two workers help?

# %%
tiny, optimizer = new_model()
one_batch = next(iter(loader_of(workers=0)))
ways = {"nothing to load": [one_batch] * 12, "no workers": loader_of(0), "2 workers": loader_of(2)}
took = {}
print("                  an epoch   waiting for data")
for name, batches in ways.items():
    one_epoch(tiny, optimizer, batches)  # the first epoch starts the workers, so we do not count it
    # The fastest of six counts
    took[name], waited = min(one_epoch(tiny, optimizer, batches) for _ in range(6))
    print(f"{name:17} {took[name]:7.2f} s {waited / took[name]:17.0%}")
training, loading_too, side_by_side = took.values()
print(f"\nloading takes {loading_too / training - 1:.1f} times as long as training,")
print(f"and 2 workers make an epoch {loading_too / side_by_side:.1f} times as fast")

# %% [markdown]
# In the run saved here, loading takes about three times as long as training, as in the timetable. That promises 2.2 times the speed with two workers. We get less, because two workers and the loop share two CPU cores.
#
# So loading is the bottleneck if an epoch is much faster with nothing to load, or if the loop spends much of its time on waiting. Then take more workers, up to the number of CPU cores, or decode less: save the images once at the size that the model takes. If not, look into the step, as in [notebook 11](11_faster_and_safer_training.ipynb).
#
# **Question 1.** A loop waits for data for 60 % of its time. How many times as fast can a better loader make it?
#
# <details><summary>Answer</summary>
#
# 2.5 times, if the other 40 % of the time remain as they are: 1 / 0.4. This is Amdahl's law of notebook 11.
#
# </details>

# %% [markdown]
# # Part 2: when your 16 bits are float16
#
# On a T4, the GPU of free Colab, `fit` trains in float16. In a loop of your own, line (b) computes matrix products in float16, and the other four lines protect the gradients:
#
#     scaler = torch.amp.GradScaler(device.type)        # (a) once, before the loop
#     with torch.autocast(device.type, torch.float16):  # (b)
#         loss = F.cross_entropy(model(x), y)
#     scaler.scale(loss).backward()                     # (c) in place of loss.backward()
#     scaler.step(optimizer)                            # (d) in place of optimizer.step()
#     scaler.update()                                   # (e)
#
# Why? float16 cannot hold very small numbers: they become 0. bfloat16 has nearly the same range as float32, with fewer digits, so it needs no scaler. If your GPU has it, skip this part.
#
# ## How small are gradients?
#
# We look at real ones, in float32. We give 16 variants of one photo of a cat to the shipped model (6 blocks, D = 192, P = 4). In each block's MLP, a **backward hook**, a function that PyTorch calls during the backward pass, collects the gradients of the hidden activations. Under autocast, these would be 16-bit numbers.

# %%
seed_everything(0)
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors").eval()
cat = load_image(cat_file, 32)  # uint8 (3, 32, 32)
variants = augment(cat.expand(16, -1, -1, -1), TrainingConfig())


def gradient_sizes(model):
    """The sizes of all gradients of hidden activations that are not 0."""
    gradients = []
    for block in model.blocks:
        block.mlp.fc1.register_full_backward_hook(
            lambda layer, of_input, of_output: gradients.append(of_output[0].flatten())
        )
    F.cross_entropy(model(variants), torch.full((16,), 3)).backward()  # class 3 is "cat"
    sizes = torch.cat(gradients).abs()
    return sizes[sizes > 0]


sizes = gradient_sizes(shipped)

# %% [markdown]
# What would become of these numbers in float16? Each row of the figure is a histogram of gradient sizes. The grey zones show where float16 changes a number:
#
# - The first row shows them **as they are**.
# - In the second row, the batch has **512 images**. Each has 1/512 of the loss, not 1/16, so the gradients of its activations are divided by 32. (A weight's gradient is not, because it adds up all images.)
# - In the third row, the loss of this large batch is **multiplied by 65,536**, and with it every gradient.

# %% tags=["hide-input"]
hills = {
    "batch of 16 (measured)": sizes,
    "batch of 512 (calculated: ÷ 32)": sizes / 32,
    "batch of 512 and loss × 65,536 (calculated)": sizes / 32 * 65_536,
}
limits = torch.finfo(torch.float16)
FULL = limits.smallest_normal  # a number of this size or more has all its digits
ZERO = FULL * limits.eps / 2  # one of this size or less becomes 0
BINS = torch.logspace(-12, 6, 91).tolist()
ZONES = {  # from where to where they reach, and how dark they are
    "becomes 0": (0, ZERO, 0.25),
    "loses digits": (ZERO, FULL, 0.1),
    "keeps all digits": (FULL, limits.max, 0),
    "∞": (limits.max, BINS[-1], 0.1),
}
BORDERS = {ZERO: "3 × 10⁻⁸", FULL: "6 × 10⁻⁵", limits.max: "65,504"}
figure, rows = plt.subplots(3, figsize=(6.6, 5.4), layout="constrained", sharex=True)
said = []
for axis, (name, hill) in zip(rows, hills.items(), strict=True):
    heights, _, _ = axis.hist(hill, BINS, color="#0072B2", histtype="step", lw=2)
    top = 1.6 * max(heights)
    for zone, (left, right, dark) in ZONES.items():
        start = max(left, BINS[0])  # of what is drawn
        hatch = "///" if zone == "∞" else None
        axis.axvspan(start, right, fc=(0, 0, 0, dark), ec="#999999", lw=0, hatch=hatch, zorder=0)
        share = ((hill > left) & (hill <= right)).float().mean().item()
        words = zone if zone == "∞" else f"{zone}\n{share:.1%}".replace("%", " %")
        place = math.sqrt(start * right), 0.94 * top
        box = {"fc": "white", "lw": 0, "pad": 1.5} if zone == "∞" else None
        axis.text(*place, words, ha="center", va="top", fontsize=10, bbox=box)
        said.append(f"{name}, {zone}: {share:.1%}")
    axis.set(xscale="log", xlim=(BINS[0], BINS[-1]), ylim=(0, top), yticks=[])
    axis.set_title(name, loc="left", fontsize=10.5)
borders = rows[0].secondary_xaxis("top")
borders.set_xticks(list(BORDERS), BORDERS.values())
borders.tick_params(which="minor", top=False)
rows[-1].set_xlabel("size of a gradient (height: how many have this size)")
figure.suptitle("The shipped model's gradients in float16 (16 variants of one cat)", fontsize=11)
plots.show("three hills over the size of a gradient, on four zones", "Gradients in float16", said)

# %% [markdown]
# In the run saved here, most of the gradients in the first row lose digits. In a batch of 512, more than a third become 0. With the larger loss, more than nine of ten keep all digits.
#
# ## The cure: loss scaling
#
# So **loss scaling** multiplies the loss by a large factor, and divides the gradients by it before the step. By hand it looks like this:
#
#     (factor * loss).backward()                # every gradient is `factor` times as large
#     for parameter in model.parameters():
#         parameter.grad /= factor              # as large as it should be
#     optimizer.step()
#
# Autocast computes the gradient of a weight in float16, but keeps it in float32, which can hold the small result of the division.
#
# How large may the factor be? If it is too large, a gradient in float16 exceeds 65,504, its largest number, and becomes ∞. `GradScaler` finds a good factor by itself. It begins with 65,536. If some gradient is ∞, `scaler.step` leaves out the step, and `scaler.update` halves the factor. After 2,000 good steps in a row, it doubles it. Here are six steps of the tiny model, beginning with too large a factor:

# %%
tiny, optimizer = new_model()
scaler = torch.amp.GradScaler(device.type, init_scale=2.0**20)  # (a)
print(" loss        factor   largest gradient × factor   step")
for _ in range(6):
    factor = scaler.get_scale()
    with torch.autocast(device.type, torch.float16):  # (b)
        loss = F.cross_entropy(tiny(normalize(images[:50])), labels[:50])
    optimizer.zero_grad()
    scaler.scale(loss).backward()  # (c)
    largest = max(parameter.grad.abs().max().item() for parameter in tiny.parameters())
    scaler.step(optimizer)  # (d): divides the gradients first, and steps if all are finite
    scaler.update()  # (e)
    done = "left out" if scaler.get_scale() < factor else "taken"
    print(f"{loss:.3f} {factor:13,.0f} {largest:27,.0f}   {done}")

# %% [markdown]
# In the run saved here, two factors are too large, and their steps are left out. The third, 262,144, just fits.
#
# If you clip gradients, divide them first, or you clip the scaled ones. These lines go between (c) and (d), which will not divide again:
#
#     scaler.unscale_(optimizer)  # (c')
#     nn.utils.clip_grad_norm_(model.parameters(), 1.0)
#
# <details><summary>What no factor on the loss can mend</summary>
#
# float16 can overflow in the *forward* pass, too, where an activation above 65,504 becomes ∞.
#
# </details>
#
# ## Is the cure needed?
#
# A gradient that becomes 0 was tiny anyway. So do the zeros matter? We trained a very small model (2 blocks, D = 32, P = 8) with AdamW for {{record("formats").steps:d}} steps in six ways, with three seeds each: in float32, in bfloat16, and in float16 with four factors on the loss. × 1 means no scaling. × 1/128 and × 1/65,536 make the gradients smaller on purpose, so that more of them become 0. Before each step, the gradients are divided by the factor again. Which of the six will learn?
#
# The points show the loss at the end. The strip below counts zeros among the gradients of the hidden activations in the first block's MLP, over all steps: the lowest and the highest share of the three seeds.{{assert len({run.seed for run in record("formats").runs}) == 3}}

# %% tags=["hide-input"]
(formats,) = read_records("../data/results/formats.json")
WAYS = {  # in the record, and below the figure
    "float32": "float32",
    "bfloat16": "bfloat16",
    "float16, scaled": "float16\n× 65,536",
    "float16": "float16\n× 1",
    "float16, loss / 128": "float16\n× 1/128",
    "float16, loss / 65,536": "float16\n× 1/65,536",
}
found = {}  # of each way and seed: the share of zeros in %, and the mean loss of the last 50 steps
for run in formats["runs"]:
    last = run["loss"][-5:]  # each entry is the mean of 10 steps
    found[run["way"], run["seed"]] = 100 * run["zeros"], np.mean(last)
seeds = sorted({seed for _, seed in found})
figure, (axis, row) = plt.subplots(
    2, figsize=(6.6, 4.4), layout="constrained", sharex=True, height_ratios=(7, 1)
)
axis.axhline(math.log(10), color="black", ls=":", lw=1.2)
axis.text(-0.4, math.log(10) + 0.015, "chance level: ln 10", va="bottom", fontsize=10)
looks = zip(("#0072B2", "#D55E00", "#009E73"), "osD", strict=True)
for k, (colour, marker) in enumerate(looks):
    places = [number + 0.16 * (k - 1) for number in range(len(WAYS))]
    losses = [found[way, seeds[k]][1] for way in WAYS]
    axis.plot(places, losses, marker, color=colour, ms=7, label=f"seed {seeds[k]}")
said = []
for number, (way, name) in enumerate(WAYS.items()):
    lost = [found[way, seed][0] for seed in seeds]
    ends = dict.fromkeys(f"{end:.0f}" for end in (min(lost), max(lost)))  # one if they are equal
    row.text(number, 0.5, "–".join(ends) + " %", ha="center", va="center", fontsize=10)
    losses = ", ".join(f"{found[way, seed][1]:.2f}" for seed in seeds)
    said.append(f"{name}: {'–'.join(ends)} % zeros, losses {losses}".replace("\n", " "))
row.set_xticks(range(len(WAYS)), WAYS.values())
row.set(yticks=[], xlabel="format of the products, and factor on the loss", xlim=(-0.5, 5.5))
row.set_ylabel("gradients\nthat became 0\n(block 1)", rotation=0, ha="right", va="center")
axis.text(5, 2.27, "learns\nnothing", ha="center", va="top", fontsize=10)
axis.tick_params(bottom=False)
axis.set(ylabel="loss of the last 50 steps", ylim=(1.5, 2.45))
axis.set_title(
    f"A model of D = 32 after {formats['steps']} steps on drawn shapes, in six ways", fontsize=11
)
axis.legend(loc="center right", bbox_to_anchor=(0.8, 0.62), frameon=False)
plots.show("three points for each way to train, low for five, high for the sixth", "Six ways", said)

# %% [markdown]
# **Five ways learned.** Seed by seed, they end within 0.05 of the loss of float32, even where up to {{max(run.zeros for run in record("formats").runs if run.way == "float16, loss / 128"):.0%}} of the counted gradients became 0. The zeros are the smallest gradients, and the large ones remain. This may be why so many zeros did no harm, but we have not tested it.
#
# **Only the last way learned nothing,** without an error and without a NaN. Its loss stays a little above chance level, ln 10 ≈ 2.30.
# {{assert all(abs(sum(a.loss[-5:]) - sum(b.loss[-5:])) / 5 < 0.05 for a in record("formats").runs for b in record("formats").runs if a.seed == b.seed and a.way != "float16, loss / 65,536" and b.way == "float32")}}
# {{assert all(run.zeros > 0.99 and min(run.loss) > 2.3 and sum(run.loss[-5:]) / 5 > math.log(10) for run in record("formats").runs if run.way == "float16, loss / 65,536")}}
# {{assert record("formats").every == 10}}
#
# The format is to blame, not the factor: in float32, the same factor changes not one bit of a gradient, as the folded cell shows.


# %% tags=["hide-input"]
def gradient_with(factor, precision):
    """The gradient of 50 images in the model of the figure, by way of the loss times a factor."""
    seed_everything(0)
    model = VisionTransformer(replace(TINY, embed_dim=32, pos_embed="sinusoidal")).to(device)
    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
        loss = F.cross_entropy(model(normalize(images[:50])), labels[:50])
    (factor * loss).backward()  # a factor that is a power of 2 moves only exponents
    return torch.cat([parameter.grad.flatten() / factor for parameter in model.parameters()])


plain = gradient_with(1, torch.float32)
for precision in (torch.float32, torch.float16):
    divided = gradient_with(1 / 65_536, precision)
    zeros = (divided == 0).float().mean()
    print(f"{precision}, loss × 1/65,536: {zeros:.1%} of the weights' gradient is 0")
    print(f"    the same as with the loss as it is, in float32: {torch.equal(divided, plain)}")

# %% [markdown]
# <details><summary>What has the folded cell done?</summary>
#
# It takes one gradient of the same model, by way of the loss times 1/65,536, and divides it by this factor again. Float32 gives exactly the gradient that it should, and float16 loses nearly all of its entries. (The share of zeros is not that of the figure, because the figure counts the gradients of activations, and this check those of all weights.)
#
# </details>
#
# At × 1, this very small model learned without scaling, in {{len({run.seed for run in record("formats").runs}):d}} seeds of {{record("formats").steps:d}} steps. But you cannot see from the loss how near your model is to the last way. Scaling costs four lines, so write them: it is an *insurance*.
#
# **Question 2.** A loop says `(scale * loss).backward()`, then `loss = loss / scale`, then `optimizer.step()`, with a scale of 65,536. What is wrong, and what happens?
#
# <details><summary>Answer</summary>
#
# The second line divides the loss when the gradients are computed already, so they stay 65,536 times too large. Plain gradient descent ruins the model in its first step. AdamW hides the mistake, because it divides each gradient by its usual size.
#
# </details>
#
# **Try it yourself:** exercise 17.1 in the [exercise notebook](exercises/17_beyond_fit.ipynb) lets you write a step with loss scaling.

# %% [markdown] tags=["exercise-only"]
# # Exercises 17 · Beyond fit
#
# They go with notebook [17](../17_beyond_fit.ipynb). If you start here: one of the 16-bit formats, float16, turns small gradients into 0, unless the loss is multiplied by a large number before the backward pass. And several processes can share a batch, each with its own copy of the model, if they average their gradients.

# %% tags=["exercise-only"]
import torch

from checks import check

# %% [markdown] tags=["exercise:scaled_step"]
# One training step with loss scaling, by hand. Set the gradients to zero, compute those of `scale` times the loss, and look at them. If all are finite, divide them by `scale` and let the optimizer take its step. If one of them is not finite, leave out the step, for all weights. Give True if the step was taken, else False.
#
# Hint: `p.grad` is the gradient of a parameter p. `p.grad.isfinite().all()` tells whether all its numbers are finite, and Python's `all(...)` does the same for a list.
#
# Hint: `gradient /= scale` divides in place, so that the optimizer finds the divided numbers in `p.grad`.


# %% tags=["exercise-only", "exercise:scaled_step"]
def scaled_step(model, optimizer, loss, scale):
    """One step against the gradient of the loss, computed at `scale` times its size, if it fits."""
    # solution
    # | return ...  # your code
    optimizer.zero_grad()
    (scale * loss).backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
    if finite:
        for gradient in gradients:
            gradient /= scale
        optimizer.step()
    return finite
    # end of solution


# %% [markdown]
# # Part 3: a batch that is too large, and several GPUs
#
# ## What if a batch does not fit into memory?
#
# Then a GPU stops with `torch.OutOfMemoryError: CUDA out of memory`. A smaller batch would change the training: more steps, and noisier ones. So send the same batch through in parts. `backward()` *adds* to the gradients that are already there, so several small backward passes leave what one large one would have left. This is called **gradient accumulation**:

# %%
diagrams.gradient_accumulation()

# %% [markdown]
# Is the gradient the same? We try it on the tiny model, with 64 images in two and in four parts:

# %%
tiny, _ = new_model()


def gradient(parts):
    """The gradient of 64 images, added up over so many parts, as one long vector."""
    tiny.zero_grad()
    for x, y in zip(images[:64].chunk(parts), labels[:64].chunk(parts), strict=True):
        loss = F.cross_entropy(tiny(normalize(x)), y)
        (loss / parts).backward()  # adds to what is there
    return torch.cat([parameter.grad.flatten() for parameter in tiny.parameters()])


for parts in (2, 4):
    difference = (gradient(1) - gradient(parts)).norm() / gradient(1).norm()
    print(f"{parts} parts: the gradient differs by {difference:.0e} of its length")
    assert difference < 1e-4  # rounding

# %% [markdown]
# They agree up to rounding, on four conditions. The parts are equally large, and each loss is divided by their number. No layer looks at the whole batch, as batch norm does, which takes mean and variance over its images. And nothing is drawn at random on the way, as in dropout.
#
# ## How much memory does it save?
#
# The forward pass keeps activations for the backward pass, which frees them. `kept_megabytes`, in the next folded cell, counts those of a model of 4 blocks with D = 192:


# %% tags=["hide-input"]
def kept_megabytes(model, x, y, precision=torch.float32):
    """The megabytes that a forward pass keeps for the backward pass: all, and those in float32."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    sizes = {}

    def keep(tensor):
        storage = tensor.untyped_storage()  # two views of the same numbers count once
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes(), tensor.dtype == torch.float32
        return tensor

    counting = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    mixed = precision != torch.float32
    with counting, torch.autocast(device.type, precision, enabled=mixed):
        _loss = F.cross_entropy(model(normalize(x)), y)  # as long as it lives, all is kept
    kept = sum(size for size, _ in sizes.values())
    return kept / 1e6, sum(size for size, full in sizes.values() if full) / 1e6


# %%
model = VisionTransformer(ViTConfig(embed_dim=192, depth=4, mlp_ratio=2.0)).to(device)
sixteen_bits = torch.float16 if pick_precision(device) == torch.float16 else torch.bfloat16
for count, precision in ((64, torch.float32), (16, torch.float32), (64, sixteen_bits)):
    kept, full = kept_megabytes(model, images[:count], labels[:count], precision)
    print(f"{count} images, {precision}: {kept:4.0f} MB, of which {full:4.0f} MB in float32")

# %% [markdown]
# Each part keeps its activations only until its own backward pass is over. So four parts of 16 images, one after the other, need a quarter of the memory for activations. The amount of computation stays the same. In addition, each weight needs four numbers, whatever the batch: the weight, its gradient and the two means of AdamW.
#
# <details><summary>Why do the 16 bits in the last line not halve the memory?</summary>
#
# Mainly because the residual stream stays in float32: float32 + 16 bits gives float32. Each norm keeps the stream as its input. These inputs are nearly all of the megabytes in float32.
#
# </details>
#
# ## How do several GPUs share the work?
#
# In the same way, but all parts at the same time. You start one process for each GPU. Each has the whole model, and takes its share of every batch. PyTorch's `DistributedDataParallel` copies the weights of the first process to the others, so all start equal. Then the processes average their gradients and take the same step:

# %%
diagrams.two_processes()

# %% [markdown]
# For the folder of part 1, a script of your own takes these lines, with `folder_images.py` beside it:
#
#     # several.py
#     import os
#
#     import torch
#     import torch.distributed as dist
#     from torch.nn import functional as F
#     from torch.nn.parallel import DistributedDataParallel
#     from torch.utils.data import DataLoader, DistributedSampler
#
#     from folder_images import FolderImages
#     from vit_minimal import VisionTransformer, ViTConfig
#     from vit_minimal.augment import normalize
#
#     def main():
#         torch.manual_seed(0)  # the same first weights at every start
#         gpus = torch.cuda.is_available()
#         dist.init_process_group("nccl" if gpus else "gloo")  # meets the other processes
#         device = torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if gpus else "cpu")
#         model = VisionTransformer(ViTConfig(patch_size=8)).to(device)
#         model = DistributedDataParallel(model)
#         optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
#         data = FolderImages("photos", 32)
#         sampler = DistributedSampler(data, drop_last=True)  # the images of this process
#         share = 64 // dist.get_world_size()  # of each batch
#         loader = DataLoader(data, share, sampler=sampler, drop_last=True, num_workers=2)
#         for epoch in range(3):
#             sampler.set_epoch(epoch)  # else all epochs have the same order
#             for x, y in loader:
#                 loss = F.cross_entropy(model(normalize(x.to(device))), y.to(device))
#                 optimizer.zero_grad()
#                 loss.backward()  # and averages the gradients
#                 optimizer.step()
#         if dist.get_rank() == 0:  # one of them writes
#             torch.save(model.module.state_dict(), "weights.pt")
#         dist.destroy_process_group()
#
#     if __name__ == "__main__":
#         main()
#
# The first line starts this script in two processes, and the second line a training recipe of the course:
#
#     torchrun --nproc-per-node=2 several.py
#     torchrun --nproc-per-node=2 -m vit_minimal.training --recipe h200
#
# Up to rounding, two take the steps that one process would take, and the course's tests check this for both, on CPUs. The conditions are those of accumulation, but you do not divide the loss, because the gradients are averaged. (If one process of a recipe dies, `--resume` goes on from the last save. We have not measured how much time two GPUs save.)
#
# **Question 3.** A model runs out of memory even with one image at a time. Does gradient accumulation help? Do two GPUs with DistributedDataParallel?
#
# <details><summary>Answer</summary>
#
# Neither does. No part is smaller than one image, and each of the two processes has the whole model. If the activations are too much, 16 bits help, or `torch.utils.checkpoint`, which keeps only some and computes the others once more. If the weights, their gradients and the optimizer's two means are already too much, take an optimizer with less memory, or cut the model itself, which this course does not do.
#
# </details>
#
# **Try it yourself:** exercise 17.2 in the [exercise notebook](exercises/17_beyond_fit.ipynb) asks what to average when the shares are not equal.

# %% [markdown] tags=["exercise:shared_gradient"]
# *Find the bug.* Processes share a batch, and not evenly: `sizes` tells how many images each of them has. Each hands in the gradient of the mean loss over its own images, as a tensor. The function should give the gradient of the mean loss over all images. Below, a process with 48 images says 1, and one with 16 images says 5. The mean over all 64 images is 2. Repair the function.
#
# Hint: How much does one image count in the mean of the large share, and how much in that of the small one?
#
# Hint: Multiply each gradient by its number of images, add them up, and divide by the number of all images.
#
# Solution: The mean of means counts each *process* alike, so an image in a small share counts more. The package avoids the question: it refuses a batch that cannot be shared evenly.


# %% tags=["exercise-only", "exercise:shared_gradient"]
def shared_gradient(gradients, sizes):
    """The gradient of the mean loss over all images, from those of the processes' own means."""
    # solution
    # | return sum(gradients) / len(gradients)
    weighted = [n * gradient for gradient, n in zip(gradients, sizes, strict=True)]
    return sum(weighted) / sum(sizes)
    # end of solution


print(shared_gradient([torch.tensor([1.0]), torch.tensor([5.0])], [48, 16]))

# %% [markdown]
# # Part 4: stop and resume
#
# ## What do you save?
#
# [Notebook 11](11_faster_and_safer_training.ipynb) shows what a resumed run needs: the weights, the optimizer's memory, the number of steps, the random state, and whatever else has a state, such as a scheduler or a scaler. In a loop of your own there is more than one random state. PyTorch has a generator for the CPU and one for each GPU, and NumPy and Python have their own.

# %%
GENERATORS = {  # of each: how to get its state, and how to set it
    "PyTorch": (torch.get_rng_state, torch.set_rng_state),
    "CUDA": (torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all),  # [] without a GPU
    "NumPy": (np.random.get_state, np.random.set_state),
    "Python": (random.getstate, random.setstate),
}


# %%
def save_run(path, done, things):
    """All that the next step depends on, into a file that holds an old state or a new one."""
    state = {name: thing.state_dict() for name, thing in things.items()}
    state |= {name: get() for name, (get, _) in GENERATORS.items()} | {"done": done}
    unfinished = path.with_suffix(".unfinished")
    with open(unfinished, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # else a power cut could leave the new name without the content
    os.replace(unfinished, path)


# %% [markdown]
# Why the second name? A crash in the middle of `torch.save` leaves half a file. So the unfinished file has another name, and when it is complete, `os.replace` puts it in the place of the old one, in one piece. (This is a promise of a local disk, not tested on Google Drive.)
#
# The way back is shorter. NumPy's state needs `weights_only=False`. But then a file can run code that is hidden in it, so load only files of your own.


# %%
def load_run(path, things, generators=GENERATORS):
    """Brings all of that back; returns how many steps or epochs are done."""
    state = torch.load(path, map_location="cpu", weights_only=False)
    for name, thing in things.items():
        thing.load_state_dict(state[name])
    for name in generators:
        GENERATORS[name][1](state[name])
    return state["done"]


# %% [markdown]
# Does the file hold everything? Here is a loop that draws from three generators:


# %%
def own_run(last, resume=None, save=None, generators=GENERATORS):
    """A loop of your own, up to step `last`; gives the weights at its end, as one vector."""
    model, optimizer = new_model()  # also seeds all generators, as at the start
    things = {"model": model, "optimizer": optimizer}  # and your scheduler, your scaler
    first = load_run(resume, things, generators) if resume else 0
    for _ in range(first, last):
        batch = torch.randint(len(images), (16,)).to(device)  # PyTorch
        x = normalize(images[batch]) * np.random.uniform(0.8, 1.2)  # NumPy: another contrast
        x = x.flip(3) if random.random() < 0.5 else x  # Python: a mirror image
        loss = F.cross_entropy(model(x), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if save:
        save_run(save, last, things)
    return nn.utils.parameters_to_vector(model.parameters()).detach()


# %% [markdown]
# One run takes eight steps without a stop. Another stops after four, and goes on from its file with a new model. The third does the same, but restores only PyTorch's random state. Which of them end with equal weights?

# %% tags=["nbval-check-output"]
never_stopped = own_run(8)
own_run(4, save=folder / "own.pt")
in_two_parts = own_run(8, resume=folder / "own.pt")
torch_alone = own_run(8, resume=folder / "own.pt", generators=["PyTorch"])
print("all of it restored, equal weights:  ", torch.equal(in_two_parts, never_stopped))
print("random state of PyTorch alone, equal:", torch.equal(torch_alone, never_stopped))

# %% [markdown]
# With PyTorch's state alone, the batches are the right ones, but their contrasts and mirror images differ. So test once, before a long run, that you can stop and resume it. (The file does not hold the state of a generator that you made yourself, such as `np.random.default_rng()`, or of workers whose `Dataset` draws random numbers.)
#
# If your loop goes through shuffled images, as a `DataLoader` does, save it at the end of an epoch. In the middle, their order and your place in it would belong in the file, too.
#
# ## Where does the file survive?
#
# In Colab, the machine is thrown away at the end of a session, but your Google Drive stays. Run these lines before you load data. Then data sets and the runs of `python -m vit_minimal.training` are stored there:
#
#     from google.colab import drive
#     drive.mount("/content/drive")  # asks for your permission
#     os.environ["VIT_MINIMAL_DATA"] = "/content/drive/MyDrive/vit-minimal"
#
# For a `fit` of your own, write `checkpoint="/content/drive/MyDrive/my-run.pt"`. Colab copies to Drive in the background, so the last save may not be there yet.
#
# **Question 4.** A loop calls `torch.save(state, "run.pt")` after each epoch, always with this name. It is killed, and `run.pt` cannot be loaded. What has happened?
#
# <details><summary>Answer</summary>
#
# It was killed while it wrote. With a second name and `os.replace`, the old state would still be there.
#
# </details>

# %% [markdown]
# # Part 5: a model without the course
#
# ## For programs with PyTorch
#
# How can someone use your model who does not have this course? `torch.export` puts the weights and the list of operations into one file. The normalisation goes with them, so that nobody has to know it:


# %%
class FromPixels(nn.Module):
    """Pixels 0 … 255 (B, 3, 32, 32) in, a probability for each class (B, K) out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixels):
        return self.model(pixels / 127.5 - 1).softmax(dim=-1)


# %%
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")  # or your model
whole = FromPixels(shipped).eval()
picture = load_image(cat_file, 32).float()
# The example has two images, because torch.export would take a size of 1 for a fixed size.
pair = torch.stack([picture, picture.flip(2)])
any_batch = {"pixels": {0: torch.export.Dim("batch")}}
program = torch.export.export(whole, (pair,), dynamic_shapes=any_batch)
torch.export.save(program, folder / "model.pt2")
torch.save(pair[:1], folder / "image.pt")  # one image, to try it out

# %% [markdown]
# A new Python process, without the course, loads the file and looks at a cat:

# %%
LINES = """
import sys, torch
folder = sys.argv[1]
model = torch.export.load(folder + "/model.pt2").module()
torch.save(model(torch.load(folder + "/image.pt")), folder + "/answer.pt")
print("the course was imported:", "vit_minimal" in sys.modules)
"""
words = [sys.executable, "-c", LINES, str(folder)]
print(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
with torch.inference_mode():
    ours, theirs = whole(pair[:1]), torch.load(folder / "answer.pt")
print(f"{CIFAR10_CLASSES[theirs.argmax()]}; largest difference: {(ours - theirs).abs().max():.0e}")
assert torch.allclose(ours, theirs, atol=1e-4)  # rounding

# %% [markdown]
# The new process computes our probabilities. (On another machine they may differ by rounding. We tried it only with the version of PyTorch that wrote the file.) The receiver copies the two lines with `torch.export.load` and `model(…)`, and prepares pixels as in the script below.
#
# ## For programs without PyTorch
#
# **ONNX** is a format that many other programs can read. Without the packages `onnx`, `onnxscript` and `onnxruntime`, the cells skip the export.

# %%
can_export = all(map(find_spec, ("onnx", "onnxscript", "onnxruntime")))
if can_export:
    ends = {"input_names": ["pixels"], "output_names": ["probabilities"]}
    with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(
            whole, (pair,), folder / "classifier.onnx", dynamo=True, dynamic_shapes=any_batch,
            external_data=False,  # else the weights lie in a second file, easily left behind
            **ends,
        )  # fmt: skip
    size = (folder / "classifier.onnx").stat().st_size / 1e6
    print(f"classifier.onnx: {size:.1f} MB, in float32")
else:
    print("not exported: pip install onnx onnxscript onnxruntime")

# %% [markdown]
# The program that uses it needs only numpy, Pillow and onnxruntime. As `load_image` does, it turns a photograph upright if the camera noted a rotation, makes transparent areas white, cuts out the middle and shrinks it to 32 × 32.

# %%
SCRIPT = """\
import sys
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

NAMES = CLASS_NAMES
session = onnxruntime.InferenceSession("classifier.onnx", providers=["CPUExecutionProvider"])
picture = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGBA")
white = Image.new("RGBA", picture.size, "white")
picture = ImageOps.fit(Image.alpha_composite(white, picture).convert("RGB"), (32, 32))
pixels = np.asarray(picture, dtype=np.float32).transpose(2, 0, 1)[None]
(probabilities,) = session.run(None, {"pixels": pixels})
best = probabilities[0].argmax()
print(f"{NAMES[best]} {probabilities[0, best]:.4f}")
"""

# %% [markdown]
# Does the program see what the model saw? We give it the whole photograph of the cat, and compare the file with the model on 100 more images (drawn shapes in the saved run; only the agreement counts):

# %%
source = SCRIPT.replace("CLASS_NAMES", repr(CIFAR10_CLASSES))
(folder / "classify.py").write_text(source, encoding="utf-8")
if can_export:
    import onnxruntime

    words = [sys.executable, "classify.py", cat_file.resolve()]
    answer = subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder).stdout
    print("the program says:", answer.strip())
    print(f"the model says:   {CIFAR10_CLASSES[ours.argmax()]} {ours.max():.4f}")
    session = onnxruntime.InferenceSession(str(folder / "classifier.onnx"))
    hundred = dataset.test_images[:100].float()
    (told,) = session.run(None, {"pixels": hundred.numpy()})
    with torch.inference_mode():
        difference = (torch.from_numpy(told) - whole(hundred)).abs().max()
    print("100 test images, all probabilities agree:", bool(difference < 1e-4))

# %% [markdown]
# They agree. A faithful program also repeats the mistakes of its model, so test it on photographs as your users take them. Hand on the two files `classifier.onnx` and `classify.py`. Copy them first, because `folder` is a temporary one.
#
# # Recap
#
# - **Data:** workers decode the next batches while the model trains. Measure how long the loop waits before you add some.
# - **float16** turns small gradients into 0, without a word. Losing many did no harm in our test, losing nearly all did. Loss scaling is a cheap insurance.
# - **Large batches** are cut into equal parts, one after the other or side by side: the mean of the parts' gradients is the gradient of the whole.
# - **Save** all that the next step depends on, with every random state, under a second name.
# - **Export** the model with its normalisation, and try the file in a new process.
#
# **Next:** the [capstone](exercises/18_capstone.ipynb), in which you write a Vision Transformer from an empty cell.
