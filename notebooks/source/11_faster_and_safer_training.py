# %% [markdown]
# # 11 · Faster and safer training
#
# How much faster do 16-bit numbers make a training, and what do they lose? And what must a file hold, so that a stopped training goes on as if nothing had happened?
#
# | part | afterwards you can | minutes |
# |---|---|---|
# | 1 · Faster, with 16-bit numbers | find out where the time of a step goes, and choose a format of numbers | 14 |
# | 2 · Safer, with our `fit` | stop a run, and resume it to exactly the same weights | 8 |
#
# | | |
# |---|---|
# | You need | notebook 05, or any training loop that you have written yourself |
# | Time to read | about 22 minutes |
# | Time to run | {{notebook_seconds("11_faster_and_safer_training"):about}} on two cores of a recent server CPU |
# | Package modules | `vit_minimal/training/`, `vit_minimal/device.py` |

# %% tags=["hide-input"]
import copy
import math
import os
import signal
import tempfile
import time
from pathlib import Path

os.environ["KINETO_LOG_LEVEL"] = "99"  # keeps PyTorch's profiler quiet

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    diagrams,
    fit,
    load_dataset,
    pick_device,
    pick_precision,
    plots,
    seed_everything,
)
from vit_minimal.augment import augment, normalize

device = pick_device()
dataset = load_dataset().first(2_000, 500)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)

# %% tags=["hide-input"]
TINY = ViTConfig(patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0)


def new_model():
    """The tiny model and its optimizer, always from the same seed."""
    seed_everything(0)
    model = VisionTransformer(TINY).to(device)
    return model, torch.optim.AdamW(model.parameters(), lr=3e-3)


folder = Path(tempfile.mkdtemp())  # for the files that this notebook writes

# %% [markdown]
# (The saved run uses drawn shapes and a CPU. Yours may use CIFAR-10 and a GPU.)
#
# # Part 1: faster, with 16-bit numbers
#
# The *shipped model*, which comes with this course, was trained for {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, in 16-bit numbers. How much longer would it have taken with the usual 32 bits, and why?
# {{assert record("cifar10_cpu_long").precision == "bfloat16"}}
#
# ## Where does the time go?
#
# We time a training step of a model with 4 blocks, the *clock model*. (In float32, PyTorch's usual format, the line with `autocast` does nothing. We turn it on later.)

# %%
BATCH = 16 if device.type == "cpu" else 512


def make_step(width):
    """A function that takes one training step with a new clock model of this width."""
    seed_everything(0)
    model = VisionTransformer(ViTConfig(embed_dim=width, depth=4, mlp_ratio=2.0)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)  # all in one go

    def step(precision=torch.float32):
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            loss = F.cross_entropy(model(normalize(images[:BATCH])), labels[:BATCH])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()  # the number is needed here, so a GPU has to finish first

    return step


# %% [markdown]
# A **profiler** writes down how long each operation takes. Here are the longest rows of its list for one step. *Guess first:* there are four linear layers in each of the 4 blocks, and the head is one more. (The patch embedding, also a linear map, runs as a convolution, in a row of its own.) How many calls of a linear layer do you expect in the forward pass?


# %% tags=["hide-input"]
def own_time(row):
    """The time of an operation without those that it calls."""
    if row.device_type.name != "CPU":  # the kernels of a GPU are listed once more
        return 0
    return row.self_device_time_total if device.type == "cuda" else row.self_cpu_time_total


# %%
step = make_step(192)
step()  # the first step prepares things, so we do not count it
with torch.profiler.profile() as profile:
    step()
print(f"{'own time':>11} {'calls':>6}   operation")
for row in sorted(profile.key_averages(), key=own_time, reverse=True)[:6]:
    print(f"{own_time(row) / 1000:8.1f} ms {row.count:6}   {row.key}")

# %% [markdown]
# A row is one kind of operation: how long all its calls took, without what they call in turn. `addmm` is a linear layer, a matrix product to which a bias is added: 4 × 4 + 1 = 17 calls. In the backward pass each of them needs two products, one for the gradient of its input and one for that of its weights. These are the 2 × 17 = 34 calls of `mm`. So the backward pass takes about twice as long.
#
# Now all rows in six groups, from 20 steps.

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


def shares_of(step, steps=20):
    """How many per cent of a step each group takes, by the shortest times of its operations."""
    step()  # the first step prepares things, so we do not count it
    profiled = []  # of each step: the time of every operation
    for _ in range(steps):
        with torch.profiler.profile() as profile, torch.profiler.record_function("a step"):
            step()  # it has a name, so that Python's own time counts, too
        took = {}
        for row in profile.key_averages():
            took[row.key] = took.get(row.key, 0) + own_time(row)
        profiled.append(took)
    spent = dict.fromkeys([*GROUPS, OTHERS], 0.0)
    for name in profiled[0]:
        spent[group_of(name)] += min(took.get(name, 0) for took in profiled)
    return {group: 100 * amount / sum(spent.values()) for group, amount in spent.items()}


# %%
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
# Matrix products come first, because they do most of the arithmetic. A token of width D takes about D² multiplications in a linear layer, and only a few times D in a norm or an addition. **Fused attention**, of which FlashAttention is the best-known kind, computes QKᵀ, the softmax and the product with the values in one operation. Nearly all of its arithmetic is products, so it is blue as well. The optimizer's bar is short: AdamW visits each weight once in a step, while the forward pass alone uses it for 1,040 tokens, 65 in each of 16 images.
#
# <details><summary>Change one thing: does the blue share grow or shrink with <code>make_step(384)</code>?</summary>
#
# It grows, because D² grows faster than D. Afterwards, write 192 again and run these cells once more, because the next ones use their numbers.
#
# </details>
#
# ## How much faster can a step become?
#
# Modern GPUs have **tensor cores**, units that multiply small matrices in one go. Suppose they make the matrix products, and nothing else, eight times as fast. Is a step eight times as fast? Let the products take 80 of 100 parts of its time. Then 80 becomes 80 / 8 = 10, and the rest stays 20. That is 30 parts instead of 100, so a step is about 3.3 times as fast. The figure takes the share of your run:


# %%
def share_of_products(shares):
    """The share of matrix products in a step, from 0 to 1."""
    return sum(shares[group] for group in PRODUCTS) / 100


share = share_of_products(shares)


def step_gain(factor):
    """How many times as fast a step is, if its products are `factor` times as fast."""
    return 1 / (1 - share + share / factor)


# %% tags=["hide-input"]
speeds = {"as they are": 1, "2 times as fast": 2, "8 times as fast": 8, "no time at all": math.inf}
_, axis = plt.subplots(figsize=(6.6, 2.7), layout="constrained")
said = []
for row, (name, factor) in enumerate(speeds.items()):
    products, rest, gain = 100 * share / factor, 100 * (1 - share), f"{step_gain(factor):.1f} ×"
    axis.barh(row, products, color="#0072B2", label=None if row else "matrix products")
    axis.barh(row, rest, left=products, color="#BBBBBB", label=None if row else "the rest")
    axis.text(products + rest + 1, row, gain, va="center")
    said.append(f"products {name}: {products:.0f} + {rest:.0f}, {gain}")
axis.set_yticks(range(len(speeds)), [f"products:\n{name}" for name in speeds], fontsize=9)
axis.set(xlim=(0, 140), xticks=range(0, 101, 20), xlabel="time of a step (100: in float32)")
title = "Amdahl's law: how many times as fast is a step? (calculated)"
axis.set_title(title, fontsize=11)
axis.invert_yaxis()
axis.legend(loc="lower right")
plots.show("bars of a blue part and a grey part", title, said)

# %% [markdown]
# The blue part shrinks, and the grey part stays. This is **Amdahl's law**: the part that you do not speed up sets the limit.
#
# ## How much do 16-bit numbers gain?
#
# In **float32**, each number has 32 bits. Numbers of 16 bits take half the memory, and hardware with units for them multiplies them several times as fast. There are two such formats, **float16** and **bfloat16**. We try both on one product:


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
# In the run saved here, float16 takes many times as *long*. We suppose that this CPU has units for bfloat16 only.
#
# Now a whole step. Inside `torch.autocast`, PyTorch multiplies matrices in 16-bit numbers, although the weights stay in float32. This is called **mixed precision**. Amdahl's law predicts what the step gains. Does the clock agree?

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
print(f"predicted: {step_gain(factors[sixteen_bits]):.1f} times as fast")
print(f"measured:  {min(took[torch.float32]) / min(took[sixteen_bits]):.1f} times as fast")

# %% [markdown]
# The two are near each other, but seldom equal, and the fold says why.
#
# And the shipped model? We have not trained it in float32. But a similar model, of the same width and with 9 blocks, took {{only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second:.2f}} times as many steps per second in bfloat16 on two cores. If the shipped model gained as much, its {{record("cifar10_cpu_long").seconds:time}} would have been about {{round(record("cifar10_cpu_long").seconds * only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second / 900) / 4:.2f}} hours in float32. The gain differs from model to model, with the share of the products.
# {{assert record("cifar10_cpu_long").model.embed_dim == 192 and record("cifar10_cpu_long").model.depth < 9}}
#
# <details><summary>Why are prediction and measurement not equal?</summary>
#
# Two things make the prediction too high. It lets the rest take as long as before, but in 16 bits numbers must also be copied from one format to the other. And on a CPU our attention calls PyTorch's fused function only in float32, as its backward pass was slow in bfloat16 when we tried; so attention may gain less than the product that we timed. One thing makes it too low: a profiler slows small operations most, so the true share of the products is probably larger.
#
# </details>
#
# ## Why can a GPU wait for Python?
#
# On a GPU the rest hides one more thing. There Python does not compute: it sends *orders*, and goes on without waiting. The GPU works through them one by one. Suppose that Python needs 10 µs for an order. Here are four operations of 20 µs each, and four of 5 µs:

# %% tags=["hide-input"]
ORDER = 10  # µs that Python needs to send an order
_, panels = plt.subplots(2, figsize=(6.6, 3.4), layout="constrained", sharex=True)
said = []
for panel, work in zip(panels, (20, 5), strict=True):
    ready, busy = 0, []
    for number in range(4):
        start = max(ready, ORDER * (number + 1))  # when the order is there, and the GPU is free
        busy.append((start, work))
        ready = start + work
    panel.broken_barh([(ORDER * i, ORDER) for i in range(4)], (1.1, 0.8), fc="#BBBBBB", ec="white")
    panel.broken_barh(
        [(4 * ORDER, ready - 4 * ORDER)], (1.1, 0.8), fc="white", ec="#767676", hatch="//"
    )
    panel.broken_barh(busy, (0.1, 0.8), fc="#0072B2", ec="white")
    panel.set_yticks((0.5, 1.5), ("GPU computes", "Python orders"))
    panel.set_title(
        f"operations of {work} µs: the GPU is busy for {4 * work} of {ready} µs", fontsize=10
    )
    said.append(f"operations of {work} µs: the GPU is busy for {4 * work} of {ready} µs")
panels[1].set_xlabel("time in µs (hatched: loss.item() waits for the GPU)")
plots.show("two rows of bars for each: what Python and the GPU do", "Orders and work", said)

# %% [markdown]
# With long operations, Python runs ahead. With short ones the GPU is done before the next order comes, so faster products gain nothing. Then give each operation more to do with a larger batch, or merge small operations with `TrainingConfig(compile=True)`, which hands the model to `torch.compile`.
#
# And `loss.item()` asks for a number that only the GPU has. Python waits until all orders are done, and the next step begins with an idle GPU. So `fit` adds up the losses on the GPU, and looks at the sum only every 50 steps.
#
# ## What do 16 bits lose?
#
# The two 16-bit formats spend their bits differently:

# %%
diagrams.float_formats()

# %% [markdown]
# A number is usually ± 1.fraction × 2 to the power of the exponent: 6.5, for example, is 1.625 × 2². The orange bits decide *how large or small* it can be, and the blue bits *how many digits* it has. What does each format lose?
#
# - **bfloat16 has few digits.** With 7 bits of fraction, the next number after 1 is 1 + 2⁻⁷ ≈ 1.008. A weight of 1 that should move by 0.003 is rounded back to 1. So the weights stay in float32, and only the products, and what directly follows them, such as the GELU, run in 16 bits.
# - **float16 has a small range.** Its 5 bits give 32 exponents, of which two are reserved, and the others run from −14 to 15. Below 2⁻¹⁴ the leading 1 becomes 0, so that numbers go on down to 2⁻¹⁰ × 2⁻¹⁴ = 2⁻²⁴ ≈ 6 × 10⁻⁸, with fewer and fewer digits. A gradient of 10⁻⁸ is nearer to 0 than to that, so it becomes 0. With 8 bits of exponent, like float32, bfloat16 reaches about 10⁻³⁸ with all its digits.
#
# The cure is **loss scaling**. Multiply the loss by 65,536, and every gradient becomes that many times as large. Compute each gradient in float16, then divide it in float32. If a gradient becomes too large for float16, which ends at 65,504, it turns into infinity. Then the step is skipped and the factor halved. So the factor changes, and belongs in the file of part 2. (Loss and factor are float32, and only the gradients have to fit.) Here are both losses and the cure in numbers:

# %% tags=["nbval-check-output"]
print("1 + 0.003 in bfloat16:", (torch.tensor(1.0).bfloat16() + 0.003).item())
gradient, factor = torch.tensor(1e-8), 65_536
print(f"1e-8 in bfloat16:      {gradient.bfloat16().item():.2g}")
print(f"1e-8 in float16:       {gradient.half().item():.2g}")
scaled = (factor * gradient).half()
print(
    f"… times 65,536:        {scaled.item():.2g}, divided again: {scaled.float().item() / factor:.2g}"
)

# %% [markdown]
# So `fit` uses the factor in float16, and needs none in bfloat16. Does the *training* lose anything? [Notebook 17](17_beyond_fit.ipynb) measures one very small model, with three seeds. After {{record("formats").steps:d}} steps its loss differs by less than 0.05 from that in float32, both in bfloat16 and in float16 with scaling.{{assert record("formats").every == 10}}
# {{assert len({run.seed for run in record("formats").runs}) == 3 and all(abs(sum(a.loss[-5:]) - sum(b.loss[-5:])) / 5 < 0.05 for a in record("formats").runs for b in record("formats").runs if a.seed == b.seed and a.way in ("bfloat16", "float16, scaled") and b.way == "float32")}}
#
# ## Which format should you take?
#
# Take bfloat16 if your hardware multiplies it, because it needs no factor. Else take float16 on an NVIDIA GPU, and stay with float32 elsewhere. `pick_precision` chooses so, and `fit` follows it, unless you set `TrainingConfig(precision="float32")`:

# %%
print("this machine:", pick_precision(device))

# %% [markdown]
# <details><summary>To look up: which machine multiplies what?</summary>
#
# | machine | precision | why |
# |---|---|---|
# | an NVIDIA GPU of the Ampere generation or newer (compute capability 8.0 or more) | bfloat16 | its tensor cores multiply it |
# | an older NVIDIA GPU | float16, with loss scaling | its tensor cores, as in a T4, do not know bfloat16. On a GPU without tensor cores, time a step in float32, too |
# | a CPU with instructions for bfloat16 (AMX or AVX-512 BF16) | bfloat16 | these instructions |
# | any other CPU | float32 | most would have to emulate the 16-bit formats |
# | an Apple GPU | float32 | we have not tested the others there |
#
# </details>
#
# **1.** On a new GPU, bfloat16 makes a step only twice as fast, although its tensor cores multiply many times as fast. What would you look at next?
#
# <details><summary>Answer</summary>
#
# At what is not a matrix product. A new profile may show that norms, additions and copies now take most of the time, and `torch.compile` merges many of them. Then compare the time in the profile with the clock. On a GPU, a profile like ours holds only the time in which the GPU works. It cannot show that the GPU waits for Python, or for data as in [notebook 17](17_beyond_fit.ipynb).
#
# </details>
#
# **Try it yourself:** exercise 11.1 in the [exercise notebook](exercises/11_faster_and_safer_training.ipynb) lets you predict such a gain.

# %% [markdown] tags=["exercise-only"]
# # Exercises 11 · Faster and safer training
#
# They go with notebook [11](../11_faster_and_safer_training.ipynb). If you start here: the matrix products of a training step can be made faster by numbers of 16 bits, the rest cannot. And a long training run is stopped and resumed.

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
# Imagine that the connection is lost after 90 % of a run like that of the shipped model. Without a saved file, {{0.9 * record("cifar10_cpu_long").seconds:time}} of work are gone. What has to be in such a file?
#
# ## Why are the weights not enough?
#
# The simplest file would hold the weights alone. Here is an ordinary loop, whose learning rate falls from step to step, and would reach 0 after 200:


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
# We train the *tiny model* (2 blocks, D = 64, P = 8) for 100 steps, and keep four things: the weights, the optimizer's memory, the number of steps, and the state of the random generator. Then the run goes on to step 140, never stopped. `go_on`, in the folded cell, plays the resumed run: like a new process, it brings back all four, or three of them, and takes the same 40 steps.


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
# With all four, it is the same run. We leave out one after the other. How far do the weights end from those of the run never stopped? (Without the weights, the model begins anew, so we do not draw that run.)

# %% tags=["hide-input"]
LOOKS = {  # of the lines in two figures
    "without the number of steps": ("#009E73", "-"),
    "without the optimizer's memory": ("#D55E00", "-"),
    "without the random state": ("#CC79A7", "-"),
    "with all four": ("#0072B2", "--"),
}

# %% tags=["hide-input"]
_, axis = plt.subplots(figsize=(6.6, 3.2), layout="constrained")
ends = []
for name, (colour, line) in LOOKS.items():
    distances = (resumed_runs[name] - never_stopped).norm(dim=1).tolist()
    ends.append(f"{name}, distance {distances[-1]:.1f}")
    axis.plot(range(100, 141), distances, line, color=colour, lw=2, label=name)
axis.set(xlabel="step", ylabel="distance of the weights", xlim=(100, 140))
axis.set_ylim(top=1.12 * axis.get_ylim()[1])  # room for the legend
axis.set_title("How far is the tiny model from the run that was never stopped?", fontsize=11)
axis.legend(loc="upper left")
plots.show("lines over the steps: distance from the run never stopped", parts=ends)

# %% [markdown]
# Only the blue line stays at 0. The others leave it with the first step, and nothing complains. The green one ends highest: without the number of steps, the learning rate begins at 0.003 again. A run that ends elsewhere need not be worse. But it is another run: if you compare two learning rates, and one of the runs was resumed like this, you no longer know what made the difference.
#
# The orange line starts most steeply. Why? Here is how far each step moves the weights:


# %% tags=["hide-input"]
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
axis.set_title("The tiny model, stopped after step 100", fontsize=11)
axis.legend()
plots.show("without the optimizer's memory, the first steps after 100 are far longer than before")

# %% [markdown]
# Without its memory, the first steps are several times as long as before. AdamW remembers two numbers for each weight: the running mean of its gradients, and their usual size. It divides the first by the second. After the gradients 1, −1, 1, −1, the usual size is 1, but the mean is near 0, so the weight hardly moves. A *new* optimizer has seen only one gradient. It divides that by its own size, so nearly *every* weight moves by about the full learning rate.
#
# Check this by hand. There are 81,226 weights, and the learning rate is 0.0015 at this step. If each weight moves just that far, the step is √81,226 × 0.0015 ≈ 0.43 long, about as high as the orange spike.
#
# ## Does `fit` bring all of it back?
#
# Give our `fit` a `checkpoint`, the path of a file, and it saves what it needs. With `resume=True` it goes on from there. First an undisturbed run of the tiny model, of two epochs with 40 steps each:

# %%
config = TrainingConfig(epochs=2, batch_size=50, learning_rate=3e-3)
undisturbed, _ = new_model()
history = fit(undisturbed, dataset, config)

# %% [markdown]
# Now the same run again. In step 60 of 80, someone presses the stop button.


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
# `fit` finished step 60, in the middle of epoch 2, and then saved. Now we resume, with a new model that starts from quite different weights:

# %%
seed_everything(1)
resumed = VisionTransformer(TINY)
steps = count_steps(resumed)
history = fit(resumed, dataset, config, checkpoint=folder / "run.pt", resume=True)
print("steps of this run:", len(steps))

# %% tags=["nbval-check-output"]
pairs = zip(resumed.parameters(), undisturbed.parameters(), strict=True)
print("the same weights, bit for bit:", all(torch.equal(a, b) for a, b in pairs))

# %% [markdown]
# The 20 steps that were left lead to the same weights, down to the last bit.
#
# <details><summary>Does this hold on another machine, and how is it done in a terminal?</summary>
#
# In a terminal, you stop `python -m vit_minimal.training --recipe cpu` with Ctrl+C and resume it with the same command and `--resume`.
#
# We tested "bit for bit" on one kind of CPU, with the same number of threads and the same versions. Another machine may add numbers in another order. Then the last digits differ, and more so from step to step. On a GPU this can happen even on the same machine.
#
# </details>
#
# What is in the file, and when does `fit` write it?

# %%
diagrams.what_is_saved()

# %% [markdown]
# There is no random state, because `fit` seeds the generator at every step, from the seed of the run and the number of the step. The **scaler** holds the factor of loss scaling.
#
# If the process is killed, at most one epoch and a minute of work are lost. We killed {{len(record("kill_and_resume").runs):d}} short runs at random moments, and started each of them again. {{sum(run.had_state and run.epochs_left > 0 for run in record("kill_and_resume").runs):d}} of them really had to resume, because a file had been saved and epochs were left. All ended with the same weights as the undisturbed run.
# {{assert all(run.same for run in record("kill_and_resume").runs)}}
#
# <details><summary>How we killed them, and what the names in the file are</summary>
#
# The script is `benchmarks/kill_and_resume.py`. For these runs, which last seconds, we switched the minute between two files off. Some names in the file end in `.0`, because a run with Muon has two optimizers. `torch.load(path, weights_only=True)` gives all of them as a dictionary.
#
# </details>

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
        optimizer.load_state_dict(copy.deepcopy(self.optimizer))  # which it keeps and changes
        torch.set_rng_state(self.random)
        return self.step
        # end of solution


# %% [markdown]
# ## Recap
#
# - Find out which part of a step takes the time, speed up that part, and expect no more than the rest allows (Amdahl's law).
# - Mixed precision computes products in 16 bits and keeps the weights in float32. bfloat16 has few digits. float16 has a small range, and needs a factor on the loss.
# - To resume, a run needs the weights, the optimizer's memory, the number of steps, and all random states unless every step is seeded anew, as in `fit`; in float16 also the factor, and if you stop within an epoch of a shuffled list, that list and your place in it. If one is missing, nothing complains.
#
# **Try it yourself:** exercise 11.2 in the [exercise notebook](exercises/11_faster_and_safer_training.ipynb) lets you write what saves a run.
#
# **Next:** who says that you have to begin with random weights? [12 · From a pretrained model to your own pictures](12_fine_tuning.ipynb).
