# %% [markdown]
# # 11 · Faster and safer training
#
# **After this notebook you can**
#
# - measure where the time of a training step goes, and give an upper limit for what faster hardware can gain you;
# - train with 16-bit numbers, and explain why one 16-bit format needs a trick and the other does not;
# - stop a training whenever you like, and resume it to exactly the same weights.
#
# A last part, for a second visit, is about Google Drive, several GPUs, and a file that runs without this course.
#
# | | |
# |---|---|
# | You need | notebook 05, or any training loop that you have written yourself |
# | Time to read | about 25 minutes, and 5 more for a second visit |
# | Time to run | {{notebook_seconds("11_faster_and_safer_training", "float32"):about}} on one core of an older server CPU |
# | Package modules | `vit_minimal/training/`, `vit_minimal/device.py` |

# %%
import _thread  # its interrupt_main() does what the stop button of Jupyter does
import copy
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["KINETO_LOG_LEVEL"] = "99"  # keeps PyTorch's profiler quiet

import matplotlib.pyplot as plt
import torch
from skimage import data
from torch import nn
from torch.nn import functional as F

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    diagrams,
    fit,
    load_checkpoint,
    load_dataset,
    load_image,
    pick_device,
    pick_precision,
    plots,
    seed_everything,
)
from vit_minimal.augment import augment, normalize
from vit_minimal.data import data_root
from vit_minimal.device import autocast

seed_everything(0)
device = pick_device()
dataset = load_dataset().first(2_000, 500)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)

# %% [markdown]
# Your model learns, and now you want a bigger one. Suddenly a training run takes hours, and you have two new wishes. It should be *fast*, and it should be *safe*: a closed laptop must not cost you a night.
#
# Here is all of it in one table. Each row has its section below.
#
# | | what it buys | what it risks | the line that switches it on |
# |---|---|---|---|
# | **profile first** | you do not spend a day on the wrong part | nothing | `with torch.profiler.profile() as profile:` |
# | **16-bit numbers** | much faster matrix products, on hardware that has units for them; activations of half the size | float16 turns small gradients into 0; it needs loss scaling | `TrainingConfig(precision="bfloat16")` |
# | **compiling** | the other operations travel to memory less often | the first step waits a minute or more | `TrainingConfig(compile=True)` |
# | **gradient accumulation** | large batches in little memory | a wrong divisor; and it saves no time | `(loss / parts).backward()` |
# | **stop and resume** | a closed laptop costs you an epoch of work at most, or a minute if epochs are short | a resumed run that silently differs | `fit(…, checkpoint=path, resume=True)` |
#
# `fit` chooses the precision that suits your machine, and does the loss scaling for you. So you can use all of this today. The rest of the notebook is for the reader who wants to know why it works, and when it does not.
#
# > **In the run saved here**, one core of an older server CPU did the work, without a GPU. All numbers that the text reports from a cell are from that run.
#
# ## Where does the time go?
#
# Before you make anything faster, measure. Here is a training step for a model with four blocks, 65 tokens and a width that you choose:

# %%
BATCH = 16 if device.type == "cpu" else 512


def make_step(width):
    """A function that takes one training step with a new model of this width, for the clock."""
    seed_everything(0)
    model = VisionTransformer(ViTConfig(embed_dim=width, depth=4, mlp_ratio=2.0)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step(precision=torch.float32):
        with autocast(device, precision):
            loss = F.cross_entropy(model(normalize(images[:BATCH])), labels[:BATCH])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()  # the number is needed here, so a GPU has to finish first

    return step


# %% [markdown]
# A **profiler** writes down how long each operation takes. For your own code, `print(profile.key_averages().table())` shows it all. That is too much to read here, because PyTorch knows dozens of operations, by names such as `aten::addmm`. So we put them into six groups. Guess before you look: which group takes longest, and what share of the step does it take?

# %%
GROUPS = {  # parts of their names, looked for from top to bottom
    "fused attention": ("attention",),
    "other matrix products": ("mm", "matmul", "linear", "convolution"),
    "norm, GELU, the loss": ("softmax", "nll_loss", "layer_norm", "gelu"),
    "additions and copies": ("add", "sum", "mul", "copy", "cat", "fill", "div", "sub"),
    "optimizer": ("adam",),
}


def group_of(name):
    if name.startswith("aten::"):  # the others belong to Python or autograd
        for group, parts in GROUPS.items():
            if any(part in name for part in parts):
                return group
    return "everything else"


# %% [markdown]
# The next function takes a few steps under the profiler and adds up what each group took:


# %%
def shares_of(step, steps=8):
    """How many per cent of a step each group takes."""
    step()  # the first step prepares things, so we do not count it
    with torch.profiler.profile() as profile:
        for _ in range(steps):
            step()
    spent = dict.fromkeys([*GROUPS, "everything else"], 0.0)
    for event in profile.key_averages():
        if event.device_type.name == "CPU":  # an operation's CPU entry holds its GPU time, too
            on_gpu = device.type == "cuda"
            its_own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            spent[group_of(event.key)] += its_own
    return {group: 100 * amount / sum(spent.values()) for group, amount in spent.items()}


# %%
step = make_step(192)
shares = dict(sorted(shares_of(step).items(), key=lambda pair: pair[1]))
PRODUCTS = ("fused attention", "other matrix products")

# %% tags=["hide-input"]
colours = ["#0072B2" if group in PRODUCTS else "#BBBBBB" for group in shares]
_, axis = plt.subplots(figsize=(6.6, 2.9), layout="constrained")
bars = axis.barh(list(shares), list(shares.values()), color=colours)
axis.bar_label(bars, fmt="%.1f", padding=3)
axis.margins(x=0.12)
title = f"Where the time of a step goes, on {device.type}"
axis.set(xlabel="% of a training step (blue: matrix products)", title=title)
plots.show("bars", title, [f"{group} {share:.1f} %" for group, share in shares.items()])

# %% [markdown]
# Matrix products come first, as one would hope, since they are where the arithmetic is. **Fused attention** is blue as well: it is one operation that computes QKᵀ, the softmax and the product with the values in one go, so most of it is matrix products too. The grey bars hold little arithmetic. An addition or a norm reads every number from memory, does almost nothing with it, and writes it back.
#
# Is this share the same for every model? To multiply one token of width D by a matrix takes about D² multiplications, but to add something to it takes only D additions. So guess: what happens to the blue share if the model gets wider?

# %%
for width in (48, 192, 384):
    of_width = shares_of(make_step(width), steps=5)
    products = sum(of_width[group] for group in PRODUCTS)
    print(f"width {width:3}: matrix products take {products:.0f} % of a step")

# %% [markdown]
# A wide model spends more of its time on matrix products. In a narrow one, the rest weighs more: norms and additions, and the work of Python and PyTorch to start each operation, which takes as long for a small matrix as for a large one.
#
# Modern GPUs have **tensor cores**, units that multiply small matrices in one go. Suppose they make the matrix products eight times as fast, and nothing else. How much faster is a step? Eight times?

# %%
share = sum(shares[group] for group in PRODUCTS) / 100
for factor in (2, 8, math.inf):
    gain = 1 / (1 - share + share / factor)
    print(f"products {factor:g} times as fast: a step {gain:.1f} times as fast")

# %% tags=["hide-input"]
speeds = {"as they are": 1, "2 times as fast": 2, "8 times as fast": 8, "no time at all": math.inf}
_, axis = plt.subplots(figsize=(6.6, 2.7), layout="constrained")
gains = []
for row, factor in enumerate(speeds.values()):
    products, rest = 100 * share / factor, 100 * (1 - share)
    axis.barh(row, products, color="#0072B2", label="matrix products" if row == 0 else None)
    axis.barh(row, rest, left=products, color="#BBBBBB", label="the rest" if row == 0 else None)
    gain = 100 / (products + rest)
    gains.append(f"a step {gain:.1f} times as fast")
    axis.text(products + rest + 1, row, gains[row], va="center")
axis.set_yticks(range(len(speeds)), [f"products:\n{name}" for name in speeds], fontsize=9)
axis.set(xlabel="time of a step (100: as it is)", xlim=(0, 155), title="Amdahl's law")
axis.invert_yaxis()
axis.legend(loc="lower right")
plots.show("the blue part of the bar shrinks and the grey one stays", "Amdahl's law", gains)

# %% [markdown]
# The blue part shrinks, and the grey part stays. This is **Amdahl's law**: the part that you do not speed up sets the limit. Even products that take no time at all leave you with the rest.
#
# The limit holds for the machine that was profiled, here one core of a CPU. On a GPU the shares differ: starting an operation and reading from memory often weigh more there. If you run this notebook on a GPU, the cells above profile the GPU. (A profiler also takes time for every operation that it writes down, so in the narrowest model a part of the rest is the profiler's own cost.)
#
# One thing is missing from the picture: the data. While a model waits for its next batch, it learns nothing. How long does a batch take to prepare?


# %%
def seconds(work, times=5):
    """How long `work()` takes: the median of several tries."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        if device.type != "cpu":
            torch.accelerator.synchronize()  # a GPU works on while Python is ahead: wait for it
        took.append(time.perf_counter() - start)
    return statistics.median(took)


step_time = seconds(step)
data_time = seconds(lambda: augment(images[:BATCH], TrainingConfig()))  # flip and crop
print(f"preparing a batch takes {data_time / step_time:.1%} of a training step")

# %% [markdown]
# Next to nothing, because the course keeps all images on the device as bytes and augments whole batches there. The usual way is a `DataLoader`, which works on one image after the other. On two CPU cores, our way prepares {{min(run.ratio for run in record("augmentation").runs):.0f}} to {{max(run.ratio for run in record("augmentation").runs):.0f}} times as many images per second as a `DataLoader` with two workers (`benchmarks/augmentation.py`). If you use one next to a fast GPU, time it.
#
# **In one sentence:** most of a step is matrix products, so speed those up, and expect no more than the rest allows.
#
# ## Which numbers should a machine multiply?
#
# PyTorch computes in **float32**, with 32 bits for each number. Numbers of 16 bits take half the memory, and tensor cores multiply them many times as fast. There are two 16-bit formats, and they spend their bits differently:

# %%
diagrams.float_formats()

# %% [markdown]
# A number is ± 1.fraction × 2 to the power of the exponent: 6.5, for example, is 1.625 × 2². So the orange bits decide *how large or small* a number can be, and the blue bits decide *how many digits* it has. **float16** has many digits, but a small range. **bfloat16** has the range of float32, but few digits. Which would you rather lose in a training run, digits or range? Make your guess, and keep it until the end of this section. PyTorch knows the limits. "All digits from" is the smallest number that a format writes with full precision. Below it come numbers with fewer and fewer digits, called *subnormal*, down to the one under "smallest":

# %% tags=["nbval-check-output"]
print("           smallest   all digits from      largest   next after 1")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    limits = torch.finfo(dtype)
    smallest = limits.smallest_normal * limits.eps
    name = str(dtype).removeprefix("torch.")
    row = f"{name:9} {smallest:9.0e} {limits.smallest_normal:17.0e}"
    print(f"{row} {limits.max:12.5g} {1 + limits.eps:14.7f}")

# %% [markdown]
# Three lines show what the limits mean:

# %% tags=["nbval-check-output"]
print("256 + 1 in bfloat16:", (torch.tensor(256.0).bfloat16() + 1).item())
print("1e-8 as bfloat16:", torch.tensor(1e-8).bfloat16().item())
print("1e-8 as float16: ", torch.tensor(1e-8).half().item())

# %% [markdown]
# The first line is a warning: if weights were kept in bfloat16, many small updates would be rounded away. So the weights stay in float32, and only the matrix products, and the activations that they produce, are in 16 bits. This is called **mixed precision**, and in PyTorch the context `torch.autocast` does it.
#
# The last line is a question: are there numbers in a training run that are too small for float16? Let us look at gradients, namely those of the hidden activations in each block's MLP, which autocast would keep in 16 bits. We take the CIFAR-10 model that comes with the course, and 16 variants of one cat.

# %%
trained = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
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
    return sizes[sizes > 0]  # in the last block only the class token is read: the others get 0


sizes = gradient_sizes(trained)

# %% [markdown]
# The loss is a mean over the batch. An image's share is 1/16 here, and would be 1/512 in a batch of 512. So we get the gradients for 512 images of this kind by dividing by 32. The third hill shows a trick that we come to in a moment.

# %% tags=["hide-input"]
ZERO, FULL, LARGEST = 2.0**-25, 2.0**-14, 65504.0  # half of the smallest number rounds to 0
hills = {"batch of 16": sizes, "batch of 512": sizes / 32, "512, loss × 65,536": sizes / 32 * 2**16}
_, axis = plt.subplots(figsize=(6.6, 3.4), layout="constrained")
bins = torch.logspace(-12, 6, 91).tolist()
styles = ("#0072B2", "step"), ("black", "step"), ("#D55E00", "step")
for (name, hill), (colour, kind) in zip(hills.items(), styles, strict=True):
    axis.hist(hill, bins, color=colour, histtype=kind, lw=2, label=name)
for left, right, strength in ((bins[0], ZERO, 0.25), (ZERO, FULL, 0.1), (LARGEST, bins[-1], 0.25)):
    axis.axvspan(left, right, color="black", alpha=strength, lw=0, zorder=0)
top = 1.3 * axis.get_ylim()[1]
for x, words in ((2e-10, "becomes 0"), (1.4e-6, "loses digits"), (2, "all digits"), (2.5e5, "∞")):
    axis.text(x, 0.93 * top, words, ha="center", va="center")
axis.set(xscale="log", xlim=(bins[0], bins[-1]), ylim=(0, top), yticks=[])
axis.set(xlabel="size of a gradient", ylabel="how many", title="What float16 makes of gradients")
axis.legend(loc="center right")
plots.show("three hills: two lie where float16 loses digits, the third where it has all of them")

for name, hill in hills.items():
    zero, full = (hill <= ZERO).float().mean().item(), (hill >= FULL).float().mean().item()
    print(f"{name:18}: {zero:5.1%} become 0, {full:5.1%} keep all digits")
untrained = gradient_sizes(VisionTransformer(trained.config)) / 32
zero = (untrained <= ZERO).float().mean().item()
print(f"batch of 512, but before training: {zero:5.1%} become 0")

# %% [markdown]
# With a batch of 16, most gradients lose digits. With a batch of 512, a large part of them becomes 0, and whatever they had to say is lost. How many depends on the model: ours knows this cat, so its loss and its gradients are small. The last line shows a model that has not been trained yet. Even there, many are lost.
#
# The cure is surprisingly simple. Multiply the loss by a large number, for example 65,536, before the backward pass. Every gradient is then 65,536 times as large, and the hill moves to where the orange one is: most gradients have all their digits there. Before the optimizer's step, divide the gradients of the weights by the same number. They are float32 again by then, so nothing is lost. This is called **loss scaling**.
#
# How large should the number be? PyTorch's `GradScaler` finds out by trying. If a gradient overflows, it becomes infinite. Then the scaler leaves out this step and halves the number. If all goes well for 2,000 steps, it doubles it. Here is the whole of it in plain PyTorch, for a small model. We begin with a number that is much too large, so that you can watch:

# %%
SMALL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)


def new_model():
    seed_everything(0)
    model = VisionTransformer(SMALL).to(device)
    return model, torch.optim.AdamW(model.parameters(), lr=3e-3)


# %%
small, small_optimizer = new_model()
scaler = torch.amp.GradScaler(device.type, init_scale=2.0**20)
for _ in range(6):
    scale = scaler.get_scale()
    with torch.autocast(device.type, dtype=torch.float16):
        loss = F.cross_entropy(small(normalize(images[:50])), labels[:50])
    scaler.scale(loss).backward()
    scaler.step(small_optimizer)  # divides the gradients first, and steps if all are finite
    scaler.update()
    small_optimizer.zero_grad()
    done = "left out" if scaler.get_scale() < scale else "taken"
    print(f"loss {loss.item():.3f}, scale {scale:9,.0f}: step {done}")

# %% [markdown]
# The first steps are left out, so the loss stays where it is. As soon as the gradients fit, a step is taken, and the next loss is smaller. So what would you rather lose, digits or range? Keep the range: then there are no gradients to rescue, and no scaler to watch. Fewer digits make each product a little less exact, but training is noisy anyway.

# %% [markdown] tags=["exercise-only"]
# # Exercises 11 · Faster and safer training
#
# They go with notebook [11](../11_faster_and_safer_training.ipynb). If you start here: the matrix products of a training step can be made faster by numbers of 16 bits, the rest cannot. One of the 16-bit formats, float16, turns small gradients into 0, unless the loss is multiplied by a large number before the backward pass. A long training is stopped and resumed. And several processes can share a batch, each with its own copy of the model, if they average their gradients.

# %% tags=["exercise-only"]
import copy

import torch

from checks import check

# %% [markdown] tags=["exercise:times_as_fast"]
# *Predict.* Matrix products take 70 % of a training step. Tensor cores compute them eight times as fast, and nothing else changes. How many times as fast is a step? (Two digits are enough.)
#
# Hint: Let the old step take 1. How long do the products take now, and how long does the rest take?
#
# Hint: The new step takes 0.3 + 0.7 / 8.
#
# Solution: 1 / 0.3875, which is about 2.6. Products that took no time at all would make it 3.3.

# %% tags=["exercise-only", "exercise:times_as_fast"]
# solution
# | times_as_fast = ...
times_as_fast = 1 / (0.3 + 0.7 / 8)
# end of solution

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
# bfloat16 needs none of this, since its range is that of float32: you need no scaler, and `torch.autocast(..., dtype=torch.bfloat16)` is enough. So take bfloat16 where the hardware can multiply it. Take float16 with loss scaling on older GPUs, whose tensor cores have no bfloat16. Take float32 everywhere else. `pick_precision` chooses for you.
#
# <details><summary>Which precision for which machine?</summary>
#
# | machine | precision | why |
# |---|---|---|
# | an NVIDIA GPU from 2020 on (Ampere or newer) | bfloat16 | its tensor cores multiply it, and it needs no loss scaling |
# | an older one with tensor cores (Volta or Turing, such as the T4 in free Colab) | float16, with loss scaling | its tensor cores do not know bfloat16 |
# | an NVIDIA GPU without tensor cores | float32 | it gains little from 16 bits |
# | a CPU with instructions for bfloat16 (AMX or AVX-512 BF16) | bfloat16 | these instructions, and no loss scaling |
# | any other CPU | float32 | it would have to emulate the 16-bit formats |
# | an Apple GPU | float32 | we have not tested the others there |
#
# If you want to stay in float32 on an NVIDIA GPU from Ampere on, `torch.set_float32_matmul_precision("high")` lets tensor cores help. They then use **TF32**, which cuts the fraction of each factor to ten bits, as float16 does, and keeps the exponent of float32.
#
# </details>
#
# Does the choice matter? Let us time a step in bfloat16, whether or not this machine has units for it.

# %%
ratio = seconds(lambda: step(torch.bfloat16), times=3) / step_time
print(f"a step in bfloat16 takes {ratio:.2g} times as long as one in float32")
print("pick_precision chooses", pick_precision(device))

# %% [markdown]
# On the machine of the saved run, bfloat16 is not faster but many times slower! It has no instructions for it, so every product is emulated. On two cores that do have them, our model makes {{only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second:.1f}} times as many steps per second in bfloat16 as in float32 (`data/results/throughput.json`). A format is fast only where the hardware multiplies it.
#
# **In one sentence:** multiply in bfloat16 where the hardware can, in float16 with loss scaling on tensor cores that have no bfloat16, in float32 on everything else, and keep the weights in float32 always.
#
# ## What about the rest, and the memory?
#
# **The grey bars.** Each addition, norm and GELU reads all numbers from memory and writes them back. `torch.compile(model)` merges neighbouring operations, so that the numbers travel once. The first step then waits for the compiler, a minute or more, so it pays in long runs only. What you gain depends on your machine: measure it with the function `seconds` from above. For `fit`, `TrainingConfig(compile=True)` switches it on.
#
# **The memory.** A batch does not fit? Then send it through in parts. `backward()` *adds* to the gradients that are already there, so several small backward passes leave what one large pass would have left, if you divide each loss by the number of parts. This is called **gradient accumulation**:

# %%
diagrams.gradient_accumulation()

# %% [markdown]
# Only one part's activations are in memory at a time, and the optimizer takes one step for all parts. Is the gradient the same? We try it with 64 images in two and in four parts:


# %%
def gradient(parts):
    """The gradient of 64 images, added up over so many parts, as one long vector."""
    small.zero_grad()
    for x, y in zip(images[:64].chunk(parts), labels[:64].chunk(parts), strict=True):
        loss = F.cross_entropy(small(normalize(x)), y)
        (loss / parts).backward()  # adds to what is there
    return torch.cat([parameter.grad.flatten() for parameter in small.parameters()])


for parts in (2, 4):
    difference = (gradient(1) - gradient(parts)).norm() / gradient(1).norm()
    print(f"{parts} parts: the gradient differs by {difference:.0e} of its length")
    assert difference < 1e-4  # rounding

# %% [markdown]
# They agree up to rounding, because the loss is a mean over images, and the mean of the means over equally many images is the mean over all. If the last part is smaller than the others, weight its loss by its number of images.
#
# **In one sentence:** a batch that is too large goes through in parts, because gradients add up.
#
# ## How do you stop a training, and go on?
#
# Sooner or later, a run of several hours is interrupted. So you save something from time to time, and resume from it later. But what? The weights, certainly. Are they enough?
#
# Let us try. A small model trains for 140 steps. We save it after 100, and go on from there twice: once with the weights alone, and once with the optimizer's memory too. At each step we measure the step's length, which is how far the weights move.


# %%
def train(model, optimizer, first, last):
    """Steps first … last − 1; returns how far each of them moves the weights."""
    lengths = []
    for number in range(first, last):
        torch.manual_seed(number)  # what a step draws depends on its number alone
        batch = torch.randint(len(images), (50,)).to(device)
        loss = F.cross_entropy(model(augment(images[batch], TrainingConfig())), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        before = nn.utils.parameters_to_vector(model.parameters()).detach()
        optimizer.step()
        after = nn.utils.parameters_to_vector(model.parameters()).detach()
        lengths.append((after - before).norm().item())
    return lengths


# %%
model, optimizer = new_model()
train(model, optimizer, 0, 80)
lengths = train(model, optimizer, 80, 100)
saved = copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
never_stopped = lengths + train(model, optimizer, 100, 140)

model, optimizer = new_model()
model.load_state_dict(saved["model"])
weights_alone = lengths + train(model, optimizer, 100, 140)

model, optimizer = new_model()
model.load_state_dict(saved["model"])
optimizer.load_state_dict(saved["optimizer"])
weights_and_memory = lengths + train(model, optimizer, 100, 140)
print("with weights and memory, as if never stopped:", weights_and_memory == never_stopped)

# %% tags=["hide-input"]
_, axis = plt.subplots(figsize=(6.6, 3.2), layout="constrained")
steps = range(81, 141)
axis.plot(steps, never_stopped, color="#BBBBBB", lw=6, label="never stopped")
axis.plot(range(101, 141), weights_alone[20:], color="#D55E00", label="resumed, weights alone")
axis.plot(
    range(101, 141),
    weights_and_memory[20:],
    "--",
    color="#0072B2",
    label="resumed, weights and memory",
)
axis.axvline(100, color="black", ls=":", lw=1)
axis.set(xlabel="step", ylabel="length of the step", title="Stopped after step 100")
axis.set(xticks=range(80, 141, 10), ylim=(0, None))
axis.legend()
plots.show("with the weights alone, the first steps after 100 are far longer than those before")

# %% [markdown]
# With the weights alone, the first steps after the stop are several times as long as the ones before. AdamW remembers a running mean of each weight's gradients, and divides it by their usual size. Where gradients point now this way and now that way, the mean is small, and so is the step. A new optimizer has seen one gradient, so it divides that gradient by its own size. So every weight moves by the full learning rate, whether its gradients agree or not. You can check this by hand. The model has 80,138 weights, and if each of them moves by 0.003, the step has a length of √80,138 × 0.003 ≈ 0.85, which is the top of the orange spike. From there on, it is another run. (Its steps stay longer for a while and end up shorter than the grey ones. We have not looked for the reason.)
#
# With the memory, the run goes on as if nothing had happened. Literally: every number of the dashed line equals the one of the grey line.
#
# Two details made this possible, and both are easily forgotten. First, `state_dict()` hands out the tensors themselves. Further training would change them, so we copy them. Saving them to a file would do as well. Second, a resumed run must draw the same batches and the same augmentations. That is why every step above seeds the generator with its own number.
#
# So a step depends on four things, and to resume exactly, a run needs all four:

# %%
diagrams.what_a_step_needs()

# %% [markdown] tags=["exercise:Snapshot"]
# Write a class that keeps a run as it is at one moment. `Snapshot(model, optimizer, step)` keeps all that the run needs to go on. `restore(model, optimizer)` brings a new model and a new optimizer back to that moment, and gives the number of steps that were taken. The run draws its batches, and its dropout, from torch's generator, and nobody seeds it at each step. After the snapshot is taken, the run goes on.
#
# Hint: `model.state_dict()` and `optimizer.state_dict()` hold the tensors themselves, which the next step changes. `copy.deepcopy` makes copies.
#
# Hint: `torch.get_rng_state()` gives the state of the generator, and `torch.set_rng_state(state)` brings it back.
#
# Solution: Four things: weights, the optimizer's memory, the state of the generator, and the number of steps, on which the learning rate depends. If one is missing, the run goes on all the same, and nobody notices that it is another run.


# %% tags=["exercise-only", "exercise:Snapshot"]
class Snapshot:
    """All that a run needs to go on, as it was at one moment."""

    def __init__(self, model, optimizer, step):
        # solution
        # | self.kept = ...  # your code
        self.model = copy.deepcopy(model.state_dict())
        self.optimizer = copy.deepcopy(optimizer.state_dict())
        self.random = torch.get_rng_state()
        self.step = step
        # end of solution

    def restore(self, model, optimizer):
        """Bring a model and its optimizer back to that moment; returns the number of steps."""
        # solution
        # | return ...  # your code
        model.load_state_dict(self.model)
        optimizer.load_state_dict(self.optimizer)
        torch.set_rng_state(self.random)
        return self.step
        # end of solution


# %% [markdown]
# `fit` does all of this for you. Give it a `checkpoint`, which is the path of a file. It saves at the end of an epoch if a minute has passed since the last save, at the end of the run, and when you press stop. If your epochs are long, a crash costs at most the one you are in; if they are short, it costs about a minute's work. And a crash in the middle of a save? `fit` writes to a temporary file first, and renames it when it is complete. So there is always one complete file.
#
# With `resume=True` it goes on from there. First, a run that nobody disturbs:

# %%
config = TrainingConfig(epochs=2, batch_size=50, learning_rate=3e-3)
folder = Path(tempfile.mkdtemp())
start = time.perf_counter()
undisturbed, _ = new_model()
fit(undisturbed, dataset, config)
half_of_it = (time.perf_counter() - start) / 2

# %% [markdown]
# Now the same run again, but after half of its time a timer presses the stop button for you:

# %%
timer = threading.Timer(half_of_it, _thread.interrupt_main)
timer.start()
try:
    fit(new_model()[0], dataset, config, checkpoint=folder / "run.pt")
except KeyboardInterrupt as interrupt:
    print("interrupted:", str(interrupt).replace(str(folder), "…"))
timer.cancel()

# %% [markdown]
# In two epochs the model has hardly learned anything, which does not matter here. Now we resume with a model that starts from quite different weights. Does it end where the undisturbed run ended?

# %%
seed_everything(1)
resumed = VisionTransformer(SMALL)
history = fit(resumed, dataset, config, checkpoint=folder / "run.pt", resume=True)

# %% tags=["nbval-check-output"]
pairs = zip(resumed.parameters(), undisturbed.parameters(), strict=True)
print("the same weights, bit for bit:", all(torch.equal(a, b) for a, b in pairs))
print("in the file:", ", ".join(torch.load(folder / "run.pt", weights_only=True)))

# %% [markdown]
# The log starts with epoch 1 because the run was stopped in its first epoch, and its losses are those of the undisturbed run. The file holds more than our two entries: the loss scale for float16, the schedule of the learning rate, how many steps were taken, and what was measured so far. (Optimizers are numbered, because a run with Muon has two.) The entry `of` holds the settings of the run, so that a file of another run is refused. And where are the random numbers? `fit` seeds the generator at every step, from the seed in `of` and the number of the step, so it has no need to save them.
#
# We did not trust a single try. We killed {{len(record("kill_and_resume").runs):d}} runs at random moments, without warning, and started each of them again. All {{len(record("kill_and_resume").runs):d}} ended with the same weights as the undisturbed run (`benchmarks/kill_and_resume.py`).
# {{assert all(run.same for run in record("kill_and_resume").runs)}}
# "Bit for bit" is a promise for one machine, since another GPU adds in another order.
#
# In your own code, one line serves for both cases: `fit(model, dataset, config, checkpoint=path, resume=True)` begins the run if there is no such file, and goes on with it if there is. In a terminal, `python -m vit_minimal.training --recipe cpu` keeps its state as well. Press Ctrl+C to stop it, and repeat the command with `--resume`.
#
# **In one sentence:** save everything that the next step depends on, and not the weights alone.
#
# > **Remember:** measure before you make anything faster, and before a long run, test once that you can stop and resume it.
#
# ## Recap
#
# - A profiler shows where the time goes. The part that you do not speed up sets the limit (Amdahl's law).
# - Weights stay in float32, and products are computed in 16 bits where the hardware multiplies them. float16 needs loss scaling, because small gradients would become 0. bfloat16 does not.
# - Several small backward passes add up to the gradient of a large batch.
# - Weights alone are not enough to resume. Save the optimizer's memory, the number of steps and whatever the random numbers depend on, which in `fit` are the seed and the step.
#
# ## Questions
#
# **1.** You move from float32 to bfloat16 on a new GPU, and a step is only twice as fast, although its tensor cores multiply many times as fast. What would you look at next?
#
# <details><summary>Answer</summary>
#
# At what is not a matrix product. A new profile may show that norms, additions and copies now take most of the time, and `torch.compile` shortens them. If the GPU is idle in between, check whether it is waiting for data.
#
# </details>
#
# **2.** Somebody divides the *loss* by the scale after the backward pass, and not the gradients. What happens?
#
# <details><summary>Answer</summary>
#
# Nothing good: the gradients are computed already, so they stay 65,536 times too large. With plain gradient descent the first step ruins the model. AdamW hides the mistake, because it divides each gradient by its usual size. But clipping gradients to a length of 1 would then clip every step.
#
# </details>
#
# **3.** A checkpoint holds weights, optimizer and step, but the run shuffles its images with torch's generator and never seeds it again. What goes wrong after a resume?
#
# <details><summary>Answer</summary>
#
# The run draws another order of the images. It still learns, but it is another run. In the epoch in which it was stopped, some images come twice and some not at all.
#
# </details>
#
# ---
#
# **Try it yourself:** the [exercises 11](exercises/11_faster_and_safer_training.ipynb) check your answers and tell you what is wrong with them.
#
# **Next:** you can train fast and safely. But who says that you have to begin with random weights? [12 · From a pretrained model to your own pictures](12_fine_tuning.ipynb).
#
# ---
#
# # For a second visit: Drive, several GPUs, export
#
# The first reading ends here. The next three sections wait until you need them.
#
# ## Where should the file lie in Colab?
#
# In Colab the whole machine is thrown away at the end of a session, and your checkpoint with it. Your Google Drive stays. If you set the switch below to `True`, data sets and checkpoints land there. Anywhere else, leave it as it is.

# %%
KEEP_ON_DRIVE = False

if KEEP_ON_DRIVE:
    from google.colab import drive

    drive.mount("/content/drive")  # asks for your permission
    os.environ["VIT_MINIMAL_DATA"] = "/content/drive/MyDrive/vit-minimal"

checkpoint = data_root() / "runs" / "my-run.pt"  # data_root() reads that variable when called

# %% [markdown]
# ## How do several GPUs share the work?
#
# Suppose you have two GPUs. The usual plan is to start one process for each. Both have the whole model, and each takes half of every batch:

# %%
diagrams.two_processes()

# %% [markdown]
# Each process computes the gradient of its own half. Then they average the two gradients and take the same step. PyTorch calls this *DistributedDataParallel*. You have seen the arithmetic already: it is gradient accumulation in two parts, at the same time instead of one after the other. So two processes take the step that one process would take, as long as the halves are equally large. A layer that looks at the whole batch, such as batch norm, would be an exception, but a ViT has none.
#
# A test of the course trains both ways, without augmentation, and compares the weights. With augmentation the draws differ, because each process draws for its own images. How much time you save depends on how fast the GPUs exchange gradients; we have not measured it. To start two processes, type
#
#     torchrun --nproc-per-node=2 -m vit_minimal.training --recipe h200
#
# If one of them dies, all end with an error, and `--resume` goes on from the last save.

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
# ## How does a model leave the course?
#
# In the end somebody wants to *use* your model, in a program that has never heard of `vit_minimal`. The weights alone would not help, because they need the code. **Exporting** puts both into one file: the weights, and the list of operations that the model performs.
#
# One mistake is easily made. Our model expects numbers from −1 to 1, and the program has pixels from 0 to 255. So let the exported model take pixels, and do the rest itself:


# %%
class FromPixels(nn.Module):
    """Pixels 0 … 255 (B, 3, 32, 32) in, a probability for each class (B, 10) out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images.float() / 127.5 - 1).softmax(dim=-1)


from_pixels = FromPixels(load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")).eval()
pair = torch.stack([cat, cat.flip(2)])  # an example batch; of one image, its size might be fixed
any_batch = {"images": {0: torch.export.Dim("batch")}}
program = torch.export.export(from_pixels, (pair,), dynamic_shapes=any_batch)
torch.export.save(program, folder / "model.pt2")
torch.save(cat[None], folder / "image.pt")  # one image, to try it out

# %% [markdown]
# The line with `any_batch` says that axis 0 may have any length. Without it, the exported model would accept only batches of two, because that is what the exporter has seen.
#
# Now the test. We start a new Python process, which imports PyTorch and nothing of the course. It loads the file, looks at the cat, and writes down its answer:

# %% tags=["nbval-check-output"]
CODE = """
import sys, torch
model = torch.export.load(sys.argv[1] + "/model.pt2").module()
probabilities = model(torch.load(sys.argv[1] + "/image.pt"))
torch.save(probabilities, sys.argv[1] + "/answer.pt")
print("class", probabilities.argmax().item(), "with", f"{probabilities.max().item():.1f}")
print("the course was imported:", "vit_minimal" in sys.modules)
"""
words = [sys.executable, "-c", CODE, str(folder)]
print(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())

# %%
with torch.no_grad():
    difference = (from_pixels(cat[None]) - torch.load(folder / "answer.pt")).abs().max().item()
print(f"largest difference between its probabilities and ours: {difference:.0e}")
assert difference < 1e-4  # rounding

# %% [markdown]
# Class 3 is "cat", so the new process is right, and its probabilities are ours. Programs that are not written in Python, for phones or browsers, often want another format, **ONNX**.
#
# <details><summary>The same in ONNX</summary>
#
# You need three more packages: `pip install onnx onnxscript onnxruntime`. Then
#
# ```python
# torch.onnx.export(
#     from_pixels, (pair,), "model.onnx", dynamo=True, dynamic_shapes=any_batch,
#     input_names=["images"], output_names=["probabilities"],
# )
#
# import onnxruntime
#
# session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
# (probabilities,) = session.run(None, {"images": cat[None].numpy()})
# ```
#
# A test of the course (`tests/test_export.py`) exports several of our models this way and compares their logits for batches of 1, 2 and 7.
#
# </details>
