# %% [markdown]
# # 11 · Faster and safer training
#
# Each part is a sitting of its own, and needs only the folded cells at the top.
#
# | part | for whom | afterwards you can | minutes |
# |---|---|---|---|
# | 1 · Faster with 16-bit numbers | all | find out where the time of a step goes, and choose the format of numbers for your machine | 18 |
# | 2 · Safer, with our `fit` | all | stop a run whenever you like, and resume it to exactly the same weights | 11 |
# | 3 · Safer, with a loop of your own | if you write one, or work in Colab | save all that a loop depends on, where it survives | 7 |
# | 4 · When your 16 bits are float16 | if you have an older GPU, such as the T4 of free Colab | train in float16 without losing small gradients | 10 |
# | 5 · When one batch is too much | if a batch does not fit into memory, or you have several GPUs | cut a batch into parts | 7 |
# | 6 · Without the course | if others are to use your model | put a model into a file that runs without this course | 2 |
#
# | | |
# |---|---|
# | You need | notebook 05, or any training loop that you have written yourself |
# | Time to read | about 55 minutes |
# | Time to run | {{notebook_seconds("11_faster_and_safer_training"):about}} on two cores of a recent server CPU |
# | Package modules | `vit_minimal/training/`, `vit_minimal/device.py` |

# %% tags=["hide-input"]
import copy
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["KINETO_LOG_LEVEL"] = "99"  # keeps PyTorch's profiler quiet

import matplotlib.pyplot as plt
import numpy as np
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
from vit_minimal.records import read_records

device = pick_device()
dataset = load_dataset().first(2_000, 500)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)

# %% tags=["hide-input"]
SMALL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)


def new_model():
    """The small model and its optimizer, always from the same seed."""
    seed_everything(0)
    model = VisionTransformer(SMALL).to(device)
    return model, torch.optim.AdamW(model.parameters(), lr=3e-3)


folder = Path(tempfile.mkdtemp())  # for the files that this notebook writes

# %% [markdown]
# (The saved run uses 2,000 drawn shapes, on a CPU. Yours may use images of CIFAR-10, and your GPU.)
#
# # Part 1: faster with 16-bit numbers
#
# The trained model that comes with this course, the *CIFAR-10 model*, learned for {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, in 16-bit numbers. With the usual 32 bits, it would have taken longer. How much longer, and why?
# {{assert record("cifar10_cpu_long").precision == "bfloat16"}}
#
# ## Where does the time go?
#
# Here is a training step to look into. Its model has 4 blocks; we only time and measure it, so we call it the *clock model*. (In float32, PyTorch's usual format, the line with `autocast` does nothing. We turn it on later.)

# %%
BATCH = 16 if device.type == "cpu" else 512


def make_step(width):
    """A function that takes one training step with a new clock model of this width."""
    seed_everything(0)
    model = VisionTransformer(ViTConfig(embed_dim=width, depth=4, mlp_ratio=2.0)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step(precision=torch.float32):
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            loss = F.cross_entropy(model(normalize(images[:BATCH])), labels[:BATCH])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()  # the number is needed here, so a GPU has to finish first

    return step


# %% [markdown]
# A **profiler** writes down how long each operation takes. In the next folded cell, `group_of` sorts the operations into six groups by their names. `own_time` gives the time of an operation without those that it calls, so no time counts twice.

# %% tags=["hide-input"]
GROUPS = {  # parts of their names, looked for from top to bottom
    "fused attention": ("attention",),
    "other matrix products": ("mm", "matmul", "linear", "convolution"),
    "norm, GELU, the loss": ("softmax", "nll_loss", "layer_norm", "gelu"),
    "additions and copies": ("add", "sum", "mul", "copy", "cat", "fill", "div", "sub"),
    "optimizer": ("adam", "Optimizer"),
}
PRODUCTS = ("fused attention", "other matrix products")
OTHERS = "Python and bookkeeping"


def group_of(name):
    """The group of an operation."""
    if name.startswith(("aten::", "Optimizer")):  # the others belong to Python or autograd
        for group, parts in GROUPS.items():
            if any(part in name for part in parts):
                return group
    return OTHERS


def own_time(event):
    """The time of an operation without those that it calls."""
    if event.device_type.name != "CPU":  # the kernels of a GPU are listed once more
        return 0
    return event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total


# %% [markdown]
# We profile 20 steps, and take each operation's shortest time, because other programs only add time. Guess before you look: what share of a step are matrix products, in attention and elsewhere?


# %%
def shares_of(step, steps=20):
    """How many per cent of a step each group takes, by the shortest times of its operations."""
    step()  # the first step prepares things, so we do not count it
    profiled = []  # of each step: the time of every operation
    for _ in range(steps):
        with torch.profiler.profile() as profile, torch.profiler.record_function("a step"):
            step()  # it has a name, so that Python's own time counts, too
        took = {}
        for event in profile.key_averages():
            took[event.key] = took.get(event.key, 0) + own_time(event)
        profiled.append(took)
    spent = dict.fromkeys([*GROUPS, OTHERS], 0.0)
    for name in profiled[0]:
        spent[group_of(name)] += min(took.get(name, 0) for took in profiled)
    return {group: 100 * amount / sum(spent.values()) for group, amount in spent.items()}


step = make_step(192)
shares = dict(sorted(shares_of(step).items(), key=lambda pair: pair[1]))

# %% tags=["hide-input"]
colours = ["#0072B2" if group in PRODUCTS else "#BBBBBB" for group in shares]
_, axis = plt.subplots(figsize=(6.6, 2.9), layout="constrained")
bars = axis.barh(list(shares), list(shares.values()), color=colours)
axis.bar_label(bars, fmt="%.1f", padding=3)
axis.margins(x=0.12)
title = f"Where the time of a step goes (clock model, {device.type}, float32)"
axis.set(xlabel="% of a training step (blue: matrix products)")
axis.set_title(title, fontsize=11)
plots.show("bars", title, [f"{group} {share:.1f} %" for group, share in shares.items()])

# %% [markdown]
# Matrix products come first, because they do most of the arithmetic. **Fused attention** is blue as well. It computes QKᵀ, the softmax and the product with the values in one operation; nearly all of its arithmetic is products, so we count it as products. The optimizer's bar is short: AdamW visits each weight once in a step, and the matrix products use it for each of the 1,040 tokens in a batch of 16 images.
#
# **Change one thing.** Write `make_step(384)`. Does the blue share grow or shrink? (Afterwards, write 192 again, and run the cell once more: the next cells use its numbers.)
#
# <details><summary>What you should see</summary>
#
# It grows. Multiplying a token of width D by a matrix takes about D² multiplications, while a norm, an activation or an addition takes a few for each of its D numbers.
#
# </details>
#
# Modern GPUs have **tensor cores**, units that multiply small matrices in one go. Suppose they make the matrix products, and nothing else, eight times as fast. Is a step eight times as fast?


# %%
def share_of_products(shares):
    """The share of matrix products in a step, from 0 to 1."""
    return sum(shares[group] for group in PRODUCTS) / 100


share = share_of_products(shares)


def step_gain(factor):
    """How many times as fast a step is, if its products are `factor` times as fast."""
    return 1 / (1 - share + share / factor)


# %% tags=["hide-input"]
def show_steps(bars, title, height=2.7):
    """A bar for each step: its name, the times of its products and of the rest, and some words."""
    _, axis = plt.subplots(figsize=(6.6, height), layout="constrained")
    for row, (_, products, rest, words) in enumerate(bars):
        named = row == 0
        axis.barh(row, products, color="#0072B2", label="matrix products" if named else None)
        axis.barh(row, rest, left=products, color="#BBBBBB", label="the rest" if named else None)
        axis.text(products + rest + 1, row, words, va="center")
    axis.set_yticks(range(len(bars)), [name for name, *_ in bars], fontsize=9)
    axis.set(xlim=(0, 140), xticks=range(0, 101, 20), xlabel="time of a step (100: in float32)")
    axis.set_title(title, fontsize=11)
    axis.invert_yaxis()
    axis.legend(loc="lower right")
    said = [f"{name}: {a:.0f} + {b:.0f}, {words}" for name, a, b, words in bars]
    plots.show(
        "bars of a blue part and a grey part", title, [words.replace("\n", " ") for words in said]
    )


speeds = {"as they are": 1, "2 times as fast": 2, "8 times as fast": 8, "no time at all": math.inf}
bars = [
    (f"products:\n{name}", 100 * share / factor, 100 * (1 - share), f"{step_gain(factor):.1f} ×")
    for name, factor in speeds.items()
]
show_steps(bars, "Amdahl's law: how many times as fast is a step? (calculated)")

# %% [markdown]
# The blue part shrinks, and the grey part stays. This is **Amdahl's law**: the part that you do not speed up sets the limit.
#
# ## How much do 16-bit numbers gain?
#
# In **float32**, each number has 32 bits. Numbers of 16 bits take half the memory, and hardware with units for them multiplies them several times as fast. There are two such formats, **float16** and **bfloat16**. How much do they gain in one matrix product? We multiply the tokens of a batch by a matrix of 192 × 384, and `seconds`, in the next folded cell, gives the time of the shortest of several tries.


# %% tags=["hide-input"]
def seconds(work, tries):
    """How long `work()` takes: the shortest of several tries, as other programs only add."""
    took = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        if device.type != "cpu":
            torch.accelerator.synchronize()  # a GPU works on while Python is ahead: wait for it
        took.append(time.perf_counter() - start)
    return min(took)


# %%
def product_time(precision):
    """How long it takes to multiply the tokens of a batch by a matrix."""
    tokens = torch.randn(BATCH * 65, 192, device=device, dtype=precision)
    matrix = torch.randn(192, 384, device=device, dtype=precision)
    return seconds(lambda: tokens @ matrix, tries=20)


factors = {}
for precision in (torch.bfloat16, torch.float16):
    factor = factors[precision] = product_time(torch.float32) / product_time(precision)
    words = f"{factor:.1f} times as fast" if factor > 1 else f"{1 / factor:.0f} times as long"
    print(f"a product in {precision}, against float32: {words}")

# %% [markdown]
# In the run saved here, bfloat16 is faster than float32, and float16 takes many times as *long*. We take it that this CPU has units for bfloat16 only and emulates float16.
#
# Now a whole step. Inside `torch.autocast`, PyTorch multiplies matrices in 16-bit numbers, although the weights stay in float32. This is called **mixed precision**. From the gain of the product, Amdahl's law predicts the gain of the step. Does the clock agree?

# %%
sixteen_bits = pick_precision(device)
if sixteen_bits == torch.float32:
    sixteen_bits = torch.bfloat16  # no units for 16 bits here: we try it all the same
took = {torch.float32: [], sixteen_bits: []}
for _ in range(40):
    for precision, times in took.items():  # in turn, so that a busy moment meets both
        start = time.perf_counter()
        step(precision)
        times.append(time.perf_counter() - start)
measured = min(took[torch.float32]) / min(took[sixteen_bits])
predicted = step_gain(factors[sixteen_bits])
share_now = share_of_products(shares_of(lambda: step(sixteen_bits)))  # a second profile

# %% tags=["hide-input"]
name = str(sixteen_bits).removeprefix("torch.")
products = 100 * share / factors[sixteen_bits]
bars = [
    ("float32", 100 * share, 100 * (1 - share), "measured"),
    (f"{name},\npredicted", products, 100 * (1 - share), f"{predicted:.1f} × as fast"),
    (
        f"{name},\nmeasured",
        100 / measured * share_now,
        100 / measured * (1 - share_now),
        f"{measured:.1f} × as fast",
    ),
]
show_steps(bars, "A step of the clock model in 16 bits, predicted and measured", 2.4)

# %% [markdown]
# In the run saved here, 3.1 was predicted and 2.7 measured. On a busy machine both change: in our runs, sometimes the prediction was larger, and sometimes the clock's number. And the prediction has errors of its own. Two make it too high: the rest does not stay as it was, because in 16 bits numbers are copied from format to format, which costs more than the GELU, for example, saves. And attention gains less than the product that we timed, because on our CPU it is not fused in 16 bits. One error makes the prediction too low: a profiler slows many small operations most, so the true share of the products is probably larger. We split the lowest bar by a second profile, in 16 bits. Compare its two parts with those predicted.
#
# ## What do 16 bits lose?
#
# The two 16-bit formats spend their bits differently:

# %%
diagrams.float_formats()

# %% [markdown]
# A number is usually ± 1.fraction × 2 to the power of the exponent: 6.5, for example, is 1.625 × 2². So the orange bits decide *how large or small* a number can be, and the blue bits *how many digits* it has. PyTorch knows the limits of each format:

# %% tags=["nbval-check-output"]
print("             largest   next number after 1   fewer digits below   becomes 0 below")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    limits = torch.finfo(dtype)
    zero = limits.smallest_normal * limits.eps / 2
    row = f"{str(dtype).removeprefix('torch.'):9} {limits.max:10.5g} {1 + limits.eps:21.7f}"
    print(f"{row} {limits.smallest_normal:20.0e} {zero:17.0e}")

# %% [markdown]
# The closer the next number is to 1, the more digits the format has. The last two columns show its lower end. In float16, numbers below 6 × 10⁻⁵ have fewer and fewer digits, and those below 3 × 10⁻⁸ become 0. Here is what that does:

# %% tags=["nbval-check-output"]
print("256 + 1 in bfloat16:", (torch.tensor(256.0).bfloat16() + 1).item())
print("1e-8 as bfloat16:", torch.tensor(1e-8).bfloat16().item())
print("1e-8 as float16: ", torch.tensor(1e-8).half().item())

# %% [markdown]
# So bfloat16 would round away many small updates of a weight, as in the first line. That is why the weights stay in float32, while the products and what is computed from them alone, such as the GELU, are in 16 bits. And float16 turns very small numbers into 0, as in the last line. Some gradients are that small. Against this, `fit` uses **loss scaling** in float16, which part 4 explains.
#
# ## Which format should you take?
#
# Not all hardware can multiply in bfloat16. `pick_precision` chooses by this table, and `fit` follows it, unless you set `TrainingConfig(precision="float32")`:
#
# | machine | precision | why |
# |---|---|---|
# | an NVIDIA GPU from 2020 on (Ampere or newer) | bfloat16 | its tensor cores multiply it |
# | an older NVIDIA GPU | float16, with loss scaling | its tensor cores, as in a T4, do not know bfloat16. On a GPU without tensor cores, time a step in float32, too |
# | a CPU with instructions for bfloat16 (AMX or AVX-512 BF16) | bfloat16 | these instructions |
# | any other CPU | float32 | most would have to emulate the 16-bit formats |
# | an Apple GPU | float32 | we have not tested the others there |

# %%
print("this machine:", pick_precision(device))

# %% [markdown]
# Back to the {{record("cifar10_cpu_long").seconds:time}} of the CIFAR-10 model. We have not trained it in float32. But a larger model of the same width, with smaller batches, took {{only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second:.2f}} times as many steps per second in bfloat16 on two cores. If the CIFAR-10 model gained as much, it would have taken {{record("cifar10_cpu_long").seconds * only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second:time}} in float32. The reason: this CPU multiplies bfloat16 numbers faster, and most of the time of a step goes into products.
# {{assert record("cifar10_cpu_long").model.embed_dim == 192 and record("cifar10_cpu_long").model.depth < 9 and record("throughput").batch < record("cifar10_cpu_long").training.batch_size}}
#
# ## Recap of part 1, and a question
#
# - Find out which part of a step takes the time, speed up that part, and expect no more than the rest allows (Amdahl's law).
# - Mixed precision computes products in 16 bits and keeps the weights in float32. bfloat16 has few digits, and float16 a small range.
# - Take bfloat16 if your hardware multiplies it, else float16 on an NVIDIA GPU, else stay with float32.
#
# **1.** You move from float32 to bfloat16 on a new GPU, and a step is only twice as fast, although its tensor cores multiply many times as fast. What would you look at next?
#
# <details><summary>Answer</summary>
#
# At what is not a matrix product. A new profile may show that norms, additions and copies now take most of the time. `TrainingConfig(compile=True)` hands the model to `torch.compile`, which merges such small operations. (That takes a while, so it is for long runs on a GPU. On our CPU, bfloat16 steps became slower.) Then compare the time in the profile with the clock. On a GPU, a profile like ours holds only the time in which the GPU works, so it cannot show that the GPU waits, for data or for Python.
# {{assert only(record("compiled").runs, model="compiled", precision="bfloat16").steps_per_second < only(record("compiled").runs, model="ours", precision="bfloat16").steps_per_second}}
#
# </details>
#
# **Try it yourself:** exercise 11.1 in the [exercise notebook](exercises/11_faster_and_safer_training.ipynb) lets you predict such a gain.
#
# **This is a good place to close the notebook.** Come back before your first long run, for part 2.

# %% [markdown] tags=["exercise-only"]
# # Exercises 11 · Faster and safer training
#
# They go with notebook [11](../11_faster_and_safer_training.ipynb). If you start here: the matrix products of a training step can be made faster by numbers of 16 bits, the rest cannot. A long training run is stopped and resumed. One of the 16-bit formats, float16, turns small gradients into 0, unless the loss is multiplied by a large number before the backward pass. And several processes can share a batch, each with its own copy of the model, if they average their gradients.

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

# %% [markdown]
# # Part 2: safer, with our `fit`
#
# Imagine that the connection is lost after 90 % of a run like that of the CIFAR-10 model. Without a saved file, {{0.9 * record("cifar10_cpu_long").seconds:time}} of work are gone. What has to be in such a file?
#
# ## Why are the weights not enough?
#
# The simplest file would hold the weights alone. Would the run go on as if nothing had happened? Here is an ordinary loop. Its learning rate falls from step to step, and would reach 0 after 200:


# %%
def train(model, optimizer, first, last):
    """Steps first … last − 1; returns the weights at the start and after each step, as vectors."""
    places = [nn.utils.parameters_to_vector(model.parameters()).detach()]
    for number in range(first, last):
        optimizer.param_groups[0]["lr"] = 0.003 * (1 - number / 200)
        batch = torch.randint(len(images), (50,))  # from torch's generator, as all in augment
        x = augment(dataset.train_images[batch], TrainingConfig()).to(device)
        loss = F.cross_entropy(model(x), labels[batch.to(device)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        places.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    return torch.stack(places)


# %% [markdown]
# We train a *small model* of 2 blocks, made by `new_model` at the top, for 100 steps, and keep four things. The run then goes on to step 140: this is the run that was never stopped. `go_on`, in the next folded cell, plays the resumed run. It begins like a new process, brings back all four things, or three of them, and takes the same 40 steps.


# %% tags=["hide-input"]
def go_on(saved, without=None):
    """The next 40 steps of a new model that got back what was saved, perhaps except one thing."""
    back = {name: value for name, value in copy.deepcopy(saved).items() if name != without}
    model, optimizer = new_model()  # also seeds the generator, as at the start
    if "the weights" in back:
        model.load_state_dict(back["the weights"])
    if "the optimizer's memory" in back:
        optimizer.load_state_dict(back["the optimizer's memory"])
    if "the random state" in back:
        torch.set_rng_state(back["the random state"])
    first = back.get("the number of steps", 0)
    return train(model, optimizer, first, first + 40)


# %%
model, optimizer = new_model()
before = train(model, optimizer, 0, 100)
saved = {  # copies, because the next step changes the tensors that state_dict() hands out
    "the weights": copy.deepcopy(model.state_dict()),
    "the optimizer's memory": copy.deepcopy(optimizer.state_dict()),
    "the number of steps": 100,
    "the random state": torch.get_rng_state(),
}
never_stopped = train(model, optimizer, 100, 140)
resumed_runs = {"with all four": go_on(saved)}
for thing in saved:
    resumed_runs[f"without {thing}"] = go_on(saved, without=thing)
same = torch.equal(resumed_runs["with all four"], never_stopped)
print("with all four, as if never stopped:", same)

# %% [markdown]
# With all four, the resumed run is the same run. Now we leave out the optimizer's memory and bring back the other three. Here is how far each step moves the weights:

# %% tags=["hide-input"]
LOOKS = {  # of the lines in two figures
    "without the number of steps": ("#009E73", "-"),
    "without the optimizer's memory": ("#D55E00", "-"),
    "without the random state": ("#CC79A7", "-"),
    "with all four": ("#0072B2", "--"),
}


def step_lengths(places):
    """How far each step moves the weights."""
    return places.diff(dim=0).norm(dim=1).tolist()


_, axis = plt.subplots(figsize=(6.6, 3.0), layout="constrained")
lengths = step_lengths(torch.cat([before[80:], never_stopped[1:]]))
axis.plot(range(81, 141), lengths, color="#BBBBBB", lw=6, label="never stopped")
for name in ("without the optimizer's memory", "with all four"):
    colour, line = LOOKS[name]
    lengths = step_lengths(resumed_runs[name])
    axis.plot(range(101, 141), lengths, line, color=colour, lw=2, label=name)
axis.axvline(100, color="black", ls=":", lw=1)
axis.set(xlabel="step", ylabel="length of the step", xticks=range(80, 141, 10), ylim=(0, None))
axis.set_title("The small model, stopped after step 100", fontsize=11)
axis.legend()
plots.show("without the optimizer's memory, the first steps after 100 are far longer than before")

# %% [markdown]
# Without its memory, the first steps after the stop are several times as long as those before. Why? AdamW remembers a running mean of each weight's gradients, and divides it by their usual size. After the gradients 1, −1, 1, −1, the usual size is 1, but the mean is near 0, so the weight hardly moves. A *new* optimizer has seen only one gradient. It divides that by its own size, so nearly *every* weight moves by about the full learning rate.
#
# Check this by hand. There are 80,138 weights, and the learning rate is 0.0015 at this step. If each weight moves just that far, the step is √80,138 × 0.0015 ≈ 0.42 long, as high as the orange spike.
#
# And the other things? We measure how far the weights are from those of the run that was never stopped. (Without the weights, the model begins anew, so we do not draw that run.)

# %% tags=["hide-input"]
_, axis = plt.subplots(figsize=(6.6, 3.2), layout="constrained")
ends = []
for name, (colour, line) in LOOKS.items():
    distances = (resumed_runs[name] - never_stopped).norm(dim=1).tolist()
    ends.append(f"{name}, distance {distances[-1]:.1f}")
    axis.plot(range(100, 141), distances, line, color=colour, lw=2, label=name)
axis.set(xlabel="step", ylabel="distance of the weights", xlim=(100, 140), ylim=(None, 4))
axis.set_title("How far is the small model from the run that was never stopped?", fontsize=11)
axis.legend(loc="upper left")
plots.show("lines over the steps: distance from the run never stopped", parts=ends)

# %% [markdown]
# Only the blue line stays at 0. The others leave it with the first step, and nothing complains. The green one ends highest: without the number of steps, the learning rate begins at 0.003 again.
#
# Far away need not mean bad. But if you compare two ideas, you cannot tell whether a difference comes from the idea or from the interruption.
#
# ## Does `fit` bring all of it back?
#
# Give our `fit` a `checkpoint`, the path of a file, and it saves what it needs to go on. With `resume=True` it goes on from there. First, here is an undisturbed run of the small model, of two epochs with 40 steps each. (It hardly learns anything, but we only ask whether two runs end with equal weights.)

# %%
config = TrainingConfig(epochs=2, batch_size=50, learning_rate=3e-3)
undisturbed, _ = new_model()
history = fit(undisturbed, dataset, config)

# %% [markdown]
# Now the same run again. In step 60 of 80, somebody presses the stop button. (`count_steps`, in the next folded cell, does it with a hook that counts the forward passes, one in each step.)


# %% tags=["hide-input"]
def count_steps(model, stop_in=None):
    """A list that grows with each step of a run; in step `stop_in`, stop is pressed."""
    steps = []

    def count(*_):
        steps.append(len(steps) + 1)
        if len(steps) == stop_in:
            signal.raise_signal(signal.SIGINT)  # what Jupyter's stop button sends, and Ctrl+C

    model.register_forward_hook(count)  # each step has one forward pass
    return steps


# %%
stopped, _ = new_model()
steps = count_steps(stopped, stop_in=60)
try:
    fit(stopped, dataset, config, checkpoint=folder / "run.pt")
except KeyboardInterrupt as interrupt:
    print("interrupted:", str(interrupt).replace(str(folder), "…"))
print("steps of this run:", len(steps))
print("steps in the file:", torch.load(folder / "run.pt", weights_only=True)["step"])

# %% [markdown]
# Stop was pressed in the middle of step 60, which is in the middle of epoch 2. `fit` finished this step, and then saved.
#
# Now we resume, with a new model that starts from quite different weights:

# %%
seed_everything(1)
resumed = VisionTransformer(SMALL)
steps = count_steps(resumed)
history = fit(resumed, dataset, config, checkpoint=folder / "run.pt", resume=True)
print("steps of this run:", len(steps))

# %% tags=["nbval-check-output"]
pairs = zip(resumed.parameters(), undisturbed.parameters(), strict=True)
print("the same weights, bit for bit:", all(torch.equal(a, b) for a, b in pairs))

# %% [markdown]
# The resumed run took the 20 steps that were left, and all weights are the same, down to the last bit.
#
# <details><summary>Does "bit for bit" hold on another machine?</summary>
#
# We tested it on one kind of CPU, with the same number of threads and the same versions. Another machine may add numbers in another order. Then the last digits differ, and the differences grow from step to step. On a GPU this can happen even on the same machine.
#
# </details>
#
# In a terminal, you stop `python -m vit_minimal.training --recipe cpu` with Ctrl+C and resume it with the same command and `--resume`.
#
# ## What is in the file, and when is it written?
#
# Of the four things, `fit` leaves out the random state, because it seeds the generator at every step, from the seed of the run and the number of the step. (A loop that is seeded only once needs the random state.) But it adds others:

# %% tags=["nbval-check-output"]
print(", ".join(torch.load(folder / "run.pt", weights_only=True)))

# %% [markdown]
# Here is what they are, and the three moments at which `fit` writes them. (Some names end in `.0`, because a run with Muon has two optimizers. The **scaler** is for float16, in part 4.)

# %%
diagrams.what_is_saved()

# %% [markdown]
# And if the process is killed? We killed {{len(record("kill_and_resume").runs):d}} short runs at random moments, and started each of them again (`benchmarks/kill_and_resume.py`). They saved after every epoch, however short. {{sum(run.had_state and run.epochs_left > 0 for run in record("kill_and_resume").runs):d}} of them really had to resume, because a file had been saved and epochs were left. All {{len(record("kill_and_resume").runs):d}} ended with the same weights as the undisturbed run.
# {{assert all(run.same for run in record("kill_and_resume").runs)}}

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
# ## Recap of part 2, and a question
#
# - To resume, a run needs the weights, the optimizer's memory, the number of steps, and the random state unless every step is seeded anew, as in `fit`. If one is missing, it goes on as another run, and nothing complains.
# - `fit` with a `checkpoint` saves what it needs, also when you press stop, and `resume=True` goes on from there.
#
# **2.** A checkpoint holds weights, optimizer and step, but the run shuffles its images with torch's generator and never seeds it again. What goes wrong after a resume?
#
# <details><summary>Answer</summary>
#
# The run draws another order of the images, and is another run. If it was saved in the middle of an epoch, some images of that epoch come twice and some not at all.
#
# </details>
#
# **Try it yourself:** exercise 11.2 in the [exercise notebook](exercises/11_faster_and_safer_training.ipynb) lets you write what saves a run.
#
# **This is a good place to stop.** The other parts are for readers with a loop of their own or in Colab (part 3), with an older GPU (part 4), with batches that do not fit (part 5), or with a model to hand on (part 6). [Notebook 12](12_fine_tuning.ipynb) needs none of them.

# %% [markdown]
# # Part 3: safer, with a loop of your own
#
# ## What do you save?
#
# The four things of part 2, and the scheduler and the scaler if you have them. But there is more than one random state: PyTorch has a generator for the CPU and one for each GPU, and NumPy and Python have their own.

# %%
GENERATORS = {  # of each: how to get its state, and how to set it
    "PyTorch": (torch.get_rng_state, torch.set_rng_state),
    "CUDA": (torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all),  # [] without a GPU
    "NumPy": (np.random.get_state, np.random.set_state),
    "Python": (random.getstate, random.setstate),
}


def save_run(path, step, parts):
    """All that the next step depends on, into a file that holds an old state or a new one."""
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {name: get() for name, (get, _) in GENERATORS.items()} | {"step": step}
    unfinished = path.with_suffix(".unfinished")
    with open(unfinished, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # else a power cut could leave the new name without the content
    os.replace(unfinished, path)


# %% [markdown]
# Why the second name? A crash in the middle of `torch.save` leaves half a file. So the unfinished file has another name. When it is complete, `os.replace` puts it in the place of the old one, in one piece. (This is a promise of a local disk. We have not tested it on Google Drive.)
#
# The way back is shorter. (PyTorch's safe loading does not take NumPy's state, hence `weights_only=False`. But then a file can run code that is hidden in it.)


# %%
def load_run(path, parts, generators=GENERATORS):
    """Brings all of that back; returns the number of steps."""
    state = torch.load(path, map_location="cpu", weights_only=False)  # for files of your own only
    for name, part in parts.items():
        part.load_state_dict(state[name])
    for name in generators:
        GENERATORS[name][1](state[name])
    return state["step"]


# %% [markdown]
# Does the file hold everything? Here is a loop that draws from three generators:


# %%
def own_run(last, resume=None, save=None, generators=GENERATORS):
    """A loop of your own, up to step `last`; gives the weights at its end, as one vector."""
    model, optimizer = new_model()  # also seeds all generators, as at the start
    parts = {"model": model, "optimizer": optimizer}
    first = load_run(resume, parts, generators) if resume else 0
    for _ in range(first, last):
        batch = torch.randint(len(images), (16,)).to(device)  # PyTorch
        x = normalize(images[batch]) * np.random.uniform(0.8, 1.2)  # NumPy: another contrast
        x = x.flip(3) if random.random() < 0.5 else x  # Python: a mirror image
        loss = F.cross_entropy(model(x), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if save:
        save_run(save, last, parts)
    return nn.utils.parameters_to_vector(model.parameters()).detach()


# %% [markdown]
# One run takes eight steps at a stretch. Another stops after four, and goes on from its file with a new model. The third does the same, but restores only PyTorch's random state. Which of them end with equal weights?

# %% tags=["nbval-check-output"]
at_a_stretch = own_run(8)
own_run(4, save=folder / "own.pt")
in_two_parts = own_run(8, resume=folder / "own.pt")
torch_alone = own_run(8, resume=folder / "own.pt", generators=["PyTorch"])
print("all of it restored, equal weights:  ", torch.equal(in_two_parts, at_a_stretch))
print("random state of PyTorch alone, equal:", torch.equal(torch_alone, at_a_stretch))

# %% [markdown]
# With PyTorch's state alone, the batches are the right ones, but their contrasts and mirror images differ. (A generator that you made yourself, with `torch.Generator()` or `np.random.default_rng()`, has a state of its own.)
#
# If your loop goes through shuffled images, epoch by epoch, save it at the end of an epoch. In the middle, the order of the images and your place in it would belong in the file, too.
#
# ## Where does the file survive?
#
# In Colab, the whole machine is thrown away at the end of a session, but your Google Drive stays. With `True` below, data sets land there *from then on*, and so do the runs of `python -m vit_minimal.training`:

# %%
KEEP_ON_DRIVE = False

if KEEP_ON_DRIVE:
    from google.colab import drive

    drive.mount("/content/drive")  # asks for your permission
    os.environ["VIT_MINIMAL_DATA"] = "/content/drive/MyDrive/vit-minimal"

# %% [markdown]
# For a `fit` of your own, write `checkpoint="/content/drive/MyDrive/my-run.pt"`. But Colab copies to Drive in the background, so the last save may not be there yet. `drive.flush_and_unmount()` waits for the copies.
#
# ## Recap of part 3, and a question
#
# - Save all that the next step depends on, with every random state. Then test once, before a long run, that you can stop and resume it.
# - Write to a second name and rename the file, in a place that survives the machine.
#
# **3.** A loop calls `torch.save(state, "run.pt")` after each epoch, always with this name. It is killed, and `run.pt` cannot be loaded. What has happened?
#
# <details><summary>Answer</summary>
#
# It was killed while it wrote. The old state was overwritten, and the new one is incomplete. With a second name and `os.replace`, the old one would still be there.
#
# </details>

# %% [markdown]
# # Part 4: when your 16 bits are float16
#
# On a T4, the GPU of free Colab, `fit` trains in float16. What can go wrong there? Here are two stored runs of a *tiny model*, even smaller than the small one, with equal seeds and equal batches (`benchmarks/formats.py`). In the second one, we provoked a failure:

# %%
(formats,) = read_records("../data/results/formats.json")
runs = {(run["way"], run["seed"]): run for run in formats["runs"]}
print("loss at step           50    100    150    200    250    300")
for name, way in (("float32", "float32"), ("float16", "float16, loss / 65,536")):
    losses = runs[way, 0]["loss"]  # each is a mean over ten steps
    print(f"{name:17}", *(f"{losses[step // 10 - 1]:6.2f}" for step in range(50, 301, 50)))

# %% [markdown]
# The second run learns nothing, without an error and without a NaN: its loss stays a little above ln 10 ≈ 2.30, that of guessing. What had we done? We multiplied the loss by a tiny factor, 1/65,536, and divided the gradients by it again before the step:
#
#     (factor * loss).backward()                # every gradient is `factor` times as large
#     for parameter in model.parameters():
#         parameter.grad /= factor              # as large as it should be
#     optimizer.step()
#
# In exact numbers, this changes nothing. And in float32 or float16? We try it on one gradient of the small model:


# %%
def gradient_with(factor, precision):
    """The gradient of 50 images in the small model, by way of the loss times a factor."""
    small, _ = new_model()
    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
        loss = F.cross_entropy(small(normalize(images[:50])), labels[:50])
    (factor * loss).backward()
    return torch.cat([parameter.grad.flatten() / factor for parameter in small.parameters()])


plain = gradient_with(1, torch.float32)
for precision in (torch.float32, torch.float16):
    small_loss = gradient_with(1 / 65_536, precision)
    print(
        f"{precision}, loss × 1/65,536: {(small_loss == 0).float().mean():.1%} of the gradient is 0"
    )
    print(f"    the same as with the loss as it is, in float32: {torch.equal(small_loss, plain)}")

# %% [markdown]
# In float32, it changes nothing, to the last bit: 65,536 is a power of 2, so only the exponents move. In float16, nearly all of the gradient becomes 0, and a 0 stays 0 when it is divided by the factor. So the small range was to blame.
#
# How near to this failure is an ordinary run?
#
# ## How small are gradients?
#
# We give 16 variants of one photo of a cat to the CIFAR-10 model, and collect the gradients of the hidden activations in each block's MLP, which autocast would keep in 16 bits. A **backward hook** on the layer `fc1` is a function that PyTorch calls during the backward pass, and `of_output[0]` is the gradient of what the layer puts out. (Gradients that are 0 in float32 already are left out.)

# %%
seed_everything(0)
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
    return sizes[sizes > 0]


sizes = gradient_sizes(trained)

# %% [markdown]
# What would become of these float32 numbers in float16? And with a larger batch? In a batch of 512, each image counts for 1/512 of the mean loss instead of 1/16, so the gradients of its activations are divided by 32. (The gradients of the weights are not: they are means over all images.) The cure multiplies the loss by 65,536, and with it every gradient: that is the third row.

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
    "∞": (limits.max, BINS[-1], 0.25),
}
figure, rows = plt.subplots(3, figsize=(6.6, 5.4), layout="constrained", sharex=True)
said = []
for axis, (name, hill) in zip(rows, hills.items(), strict=True):
    heights, _, _ = axis.hist(hill, BINS, color="#0072B2", histtype="step", lw=2)
    top = 1.6 * max(heights)
    for zone, (left, right, dark) in ZONES.items():
        start = max(left, BINS[0])  # of what is drawn
        axis.axvspan(start, right, color="black", alpha=dark, lw=0, zorder=0)
        part = ((hill > left) & (hill <= right)).float().mean().item()
        words = zone if zone == "∞" else f"{zone}\n{part:.1%}".replace("%", " %")
        axis.text(math.sqrt(start * right), 0.96 * top, words, ha="center", va="top", fontsize=10)
        said.append(f"{name}, {zone}: {part:.1%}")
    axis.set(xscale="log", xlim=(BINS[0], BINS[-1]), ylim=(0, top), yticks=[])
    axis.set_title(name, loc="left", fontsize=10.5)
rows[-1].set_xlabel("size of a gradient (height: how many have this size)")
figure.suptitle("The CIFAR-10 model's gradients in float16 (16 variants of one cat)", fontsize=11)
plots.show("three hills over the size of a gradient, on four zones", "Gradients in float16", said)

# %% [markdown]
# In the run saved here, most of the gradients in the first row lie in the light grey zone: float16 has numbers for them, but with fewer digits. (Another batch, with a larger loss, would have larger gradients.) In a larger batch, a large part becomes 0. With the larger loss, nearly all come back.
#
# This cure is called **loss scaling**: the four lines from above, with a factor that is *large*. The divided gradients of the weights are float32, which can hold small numbers.
#
# ## How large may the factor be?
#
# PyTorch finds the factor by itself:
#
#     scaler = torch.amp.GradScaler(device.type)  # 1: begins with the factor 65,536
#     scaler.scale(loss).backward()               # 2: multiplies the loss
#     scaler.step(optimizer)                      # 3: divides the gradients, and takes the step
#     scaler.update()                             # 4: adapts the factor
#
# The gradient of a weight is first computed in float16, whose largest number is 65,504, and only then kept in float32. So if the factor is too large, some gradient becomes ∞. Then `scaler.step` leaves out the step, and `scaler.update` halves the factor. After 2,000 good steps in a row, `scaler.update` doubles it. Here are six steps of the small model that begin with a factor that is too large:

# %%
small, small_optimizer = new_model()
scaler = torch.amp.GradScaler(device.type, init_scale=2.0**20)  # 1
print(" loss        factor   largest gradient × factor   step")
for _ in range(6):
    factor = scaler.get_scale()
    with torch.autocast(device.type, dtype=torch.float16):
        loss = F.cross_entropy(small(normalize(images[:50])), labels[:50])
    scaler.scale(loss).backward()  # 2
    largest = max(parameter.grad.abs().max().item() for parameter in small.parameters())
    scaler.step(small_optimizer)  # 3: divides the gradients first, and steps if all are finite
    scaler.update()  # 4
    small_optimizer.zero_grad()
    done = "left out" if scaler.get_scale() < factor else "taken"
    print(f"{loss:.3f} {factor:13,.0f} {largest:27,.0f}   {done}")

# %% [markdown]
# In the run saved here, two factors are too large. Their steps are left out, so the loss stays as it was. With 262,144, the largest gradient just fits, and from then on every step is taken.
#
# **Change one thing.** Write `2.0**24` instead of `2.0**20`, and run the cell again. What do you expect?
#
# <details><summary>What you should see</summary>
#
# From 2²⁴, six halvings lead down to 2¹⁸, the first factor that fitted in the run saved here. So all six steps are left out, and the loss never moves. (Where infinities of both signs meet, you see `nan`.)
#
# </details>
#
# <details><summary>Two warnings for a float16 loop of your own</summary>
#
# If you clip gradients, divide them first, or you clip the scaled ones: put `scaler.unscale_(optimizer)` before `nn.utils.clip_grad_norm_(model.parameters(), 1.0)`, and `scaler.step` will not divide again. And float16 can overflow in the *forward* pass, too, where an activation above 65,504 becomes ∞. No factor on the loss helps there.
#
# </details>

# %% [markdown]
# ## How many gradients may become 0?
#
# Does it matter at all? A gradient that becomes 0 was tiny anyway. So we trained the tiny model in six ways: in float32, in bfloat16, and in float16 with four factors. The loss is multiplied by the factor, and the gradients are divided by it. The factor 65,536 is the scaler's first, and 1 means no scaling. The factors 1/128 and 1/65,536 do harm on purpose, and the last failed above. Which of the others will learn?
#
# Below each way, the figure says which share of the gradients of the first block's hidden activations became 0. (Batches of {{record("formats").batch:d}} images.)

# %% tags=["hide-input"]
WAYS = {  # in the record, and below the figure
    "float32": "float32",
    "bfloat16": "bfloat16",
    "float16, scaled": "float16\n× 65,536",
    "float16": "float16\n× 1",
    "float16, loss / 128": "float16\n× 1/128",
    "float16, loss / 65,536": "float16\n× 1/65,536",
}
found = {}  # of each way and seed: the share of zeros in %, and the loss of the last 50 steps
for run in formats["runs"]:
    found[run["way"], run["seed"]] = 100 * run["zeros"], np.mean(run["loss"][-5:])
seeds = sorted({seed for _, seed in found})
figure, (axis, row) = plt.subplots(
    2, figsize=(6.6, 4.3), layout="constrained", sharex=True, height_ratios=(8, 1)
)
axis.axhline(math.log(10), color="black", ls=":", lw=1.2)
axis.text(-0.4, math.log(10) + 0.015, "guessing: ln 10", va="bottom", fontsize=10)
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
row.set_ylabel("became\n0", rotation=0, ha="right", va="center", fontsize=10)
axis.tick_params(bottom=False)
axis.set(ylabel="loss of the last 50 steps", ylim=(1.5, 2.45))
axis.set_title(
    f"The tiny model after {formats['steps']} steps on drawn shapes, in six ways", fontsize=11
)
axis.legend(loc="center right", bbox_to_anchor=(0.8, 0.62), frameon=False)
plots.show("three points for each way to train, low for five, high for the sixth", "Six ways", said)

# %% [markdown]
# Besides float32, four ways learned. Seed by seed, they end within 0.05 of its loss, even where up to {{max(run.zeros for run in record("formats").runs if run.way == "float16, loss / 128"):.0%}} of the counted gradients became 0. Where practically all became 0, the model learned nothing. The few digits of bfloat16 did no harm that we could see.
# {{assert all(abs(sum(a.loss[-5:]) - sum(b.loss[-5:])) / 5 < 0.05 for a in record("formats").runs for b in record("formats").runs if a.seed == b.seed and a.way != "float16, loss / 65,536" and b.way == "float32")}}
# {{assert all(run.zeros > 0.99 and min(run.loss) > 2.3 and sum(run.loss[-5:]) / 5 > math.log(10) for run in record("formats").runs if run.way == "float16, loss / 65,536")}}
#
# But these are {{len({run.seed for run in record("formats").runs}):d}} seeds and {{record("formats").steps:d}} steps of one very small model. Another model may need the gradients that ours did without. Loss scaling costs four lines, so take it as an *insurance*.
#
# ## Recap of part 4, and a question
#
# - float16 has a small range, so small gradients become 0, without a word.
# - Loss scaling multiplies the loss before the backward pass, and divides the gradients after it. That saves most of them.
#
# **4.** A loop says `(scale * loss).backward()`, then `loss = loss / scale`, then `optimizer.step()`, with a scale of 65,536. What is wrong, and what happens?
#
# <details><summary>Answer</summary>
#
# The second line divides the loss when the gradients are computed already, so they stay 65,536 times too large. Plain gradient descent ruins the model in its first step. AdamW hides the mistake, because it divides each gradient by its usual size.
#
# </details>
#
# **Try it yourself:** exercise 11.3 in the [exercise notebook](exercises/11_faster_and_safer_training.ipynb) lets you write a step with loss scaling.

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
# # Part 5: when one batch is too much
#
# ## What if a batch does not fit into memory?
#
# Then a GPU stops with `torch.OutOfMemoryError: CUDA out of memory`. A smaller batch would fit, but that would be another training. So send the same batch through in parts. `backward()` *adds* to the gradients that are already there, so several small passes leave what one large pass would have left. This is called **gradient accumulation**:

# %%
diagrams.gradient_accumulation()

# %% [markdown]
# Is the gradient the same? We try it on the small model, with 64 images in two and in four parts:

# %%
small, _ = new_model()


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
# They agree up to rounding, on four conditions: the parts are equally large, each loss is divided by their number, no layer may look at the whole batch (batch norm does), and nothing may be drawn at random during the passes (dropout does).
#
# And the memory? The forward pass keeps activations for the backward pass, which frees them. `kept_megabytes`, in the next folded cell, counts those of the clock model of part 1:


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
kept = {
    parts: kept_megabytes(model, images[: 64 // parts], labels[: 64 // parts])[0]
    for parts in (1, 4)
}

# %% tags=["hide-input"]
_, axis = plt.subplots(figsize=(6.6, 2.8), layout="constrained")
said, start = [], 0
for parts, colour in ((1, "#D55E00"), (4, "#0072B2")):
    times = [
        start + k / (2 * parts) for k in range(2 * parts + 1)
    ]  # up in a pass, down in the next
    axis.fill_between(times, [kept[parts] * (k % 2) for k in range(2 * parts + 1)], color=colour)
    name = "64 images at once" if parts == 1 else f"{parts} parts of {64 // parts}"
    said.append(f"{name}: {kept[parts]:.0f} MB")
    axis.text(start + 0.5, 1.04 * kept[parts], said[-1], ha="center", va="bottom")
    start += 1.2
axis.set(ylim=(0, 1.2 * kept[1]), xticks=[], ylabel="MB", xlabel="time (schematic) →")
axis.set_title("Activations of the clock model in float32 (heights measured)", fontsize=11)
plots.show("one high hill beside four low ones", "Memory of activations", said)

# %% [markdown]
# Each part keeps its activations only until its own backward pass is over, so four parts need a quarter at a time. There is as much to compute as before. And four numbers for each weight always come on top: the weight, its gradient and the two means of AdamW.
#
# Would 16 bits halve the memory?

# %%
sixteen_bits = torch.float16 if pick_precision(device) == torch.float16 else torch.bfloat16
kept_16, full = kept_megabytes(model, images[:64], labels[:64], sixteen_bits)
print(f"64 images at once, in 16 bits: {kept_16:.0f} MB, of which {full:.0f} MB in float32")

# %% [markdown]
# <details><summary>Why do they not halve it?</summary>
#
# The main reason is what stays in float32: in the run saved here, nearly all of it is the residual stream, which the norms keep as their input. The stream begins with weights, which are float32, and a float32 number plus a 16-bit number is float32. Besides, 16-bit copies of the weights are kept, and so are the attention weights where attention is not fused, as here in 16 bits.
#
# </details>
#
# ## How do several GPUs share the work?
#
# In the same way, but all parts at the same time. You start one process for each GPU. Each has the whole model, and takes its share of every batch. Then the processes average their gradients and take the same step:

# %%
diagrams.two_processes()

# %% [markdown]
# PyTorch calls this *DistributedDataParallel*. To start two processes, type
#
#     torchrun --nproc-per-node=2 -m vit_minimal.training --recipe h200
#
# If one of them dies, all end with an error, and `--resume` goes on from the last save. We have not measured how much time this saves.
#
# Up to rounding, the two take the step that one process would take, as a test of the course checks. The conditions are those of accumulation, except that nobody divides the loss: the mean of the gradients does that.
#
# ## Recap of part 5, and a question
#
# - A batch may be cut into equal parts: the mean of the parts' gradients is the gradient of the whole batch.
# - Take the parts one after the other to save memory, or side by side, on several GPUs, which should save time.
#
# **5.** A model runs out of memory even with one image at a time. Does gradient accumulation help? Do two GPUs with DistributedDataParallel?
#
# <details><summary>Answer</summary>
#
# Neither does. No part is smaller than one image, and each of the two processes has the whole model. If the activations are what is too much, 16 bits help, or `torch.utils.checkpoint`, which keeps only some activations and computes the others once more. If the weights, their gradients and the optimizer's two means are already too much, take an optimizer with less memory, or cut the model itself, which this course does not do.
#
# </details>
#
# **Try it yourself:** exercise 11.4 in the [exercise notebook](exercises/11_faster_and_safer_training.ipynb) asks what to average when the shares are not equal.

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
# # Part 6: using a model without the course
#
# How can somebody use your model who does not have this course? `torch.export` puts the weights and the list of operations into one file. (For programs that do not have PyTorch, see [notebook 12](12_fine_tuning.ipynb).)

# %%
exported = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors").eval()
picture = load_image(Path(data.__file__).with_name("chelsea.png"), 32)
two = torch.stack(
    [picture, picture.flip(2)]
)  # from one image, the file might learn to take one only
pair = normalize(two)
any_batch = {"images": {0: torch.export.Dim("batch")}}
program = torch.export.export(exported, (pair,), dynamic_shapes=any_batch)
torch.export.save(program, folder / "model.pt2")
torch.save(pair[:1], folder / "image.pt")  # one image, to try it out

# %% [markdown]
# A new Python process, without the course, loads the file and looks at a cat. These are the lines to copy:

# %%
CODE = """
import sys, torch
folder = sys.argv[1]
model = torch.export.load(folder + "/model.pt2").module()
torch.save(model(torch.load(folder + "/image.pt")), folder + "/logits.pt")
print("the course was imported:", "vit_minimal" in sys.modules)
"""
words = [sys.executable, "-c", CODE, str(folder)]
print(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
with torch.no_grad():
    ours, theirs = exported(pair[:1]), torch.load(folder / "logits.pt")
print(f"class {theirs.argmax().item()}; largest difference: {(ours - theirs).abs().max():.0e}")
assert torch.allclose(ours, theirs, atol=1e-4)  # rounding

# %% [markdown]
# Class 3 is "cat", and for this image the new process computes our logits, up to rounding. The file expects images that are normalized as in this course.
#
# **Next:** you can train fast and safely. But who says that you have to begin with random weights? [12 · From a pretrained model to your own pictures](12_fine_tuning.ipynb).
