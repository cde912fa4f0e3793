# %% [markdown]
# # 11 · Faster and safer training
#
# How much faster do 16-bit numbers make a training, and what do they lose? And what must a file hold, so that a training that was stopped goes on as if nothing had happened? Each part is a sitting of its own. What you may want to look up later, such as a loop of your own or float16, is in [notebook 17](17_beyond_fit.ipynb).
#
# | part | afterwards you can | minutes |
# |---|---|---|
# | 1 · Faster, with 16-bit numbers | find out where the time of a step goes, and choose the format of numbers for your machine | 15 |
# | 2 · Safer, with our `fit` | stop a run whenever you like, and resume it to exactly the same weights | 10 |
#
# | | |
# |---|---|
# | You need | notebook 05, or any training loop that you have written yourself |
# | Time to read | about 25 minutes |
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
# (The saved run uses 2,000 drawn shapes, on a CPU. Yours may use images of CIFAR-10, and your GPU.)
#
# # Part 1: faster, with 16-bit numbers
#
# The *shipped model*, which comes with this course, was trained for {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, in 16-bit numbers. With the usual 32 bits it would have taken longer. How much longer, and why?
# {{assert record("cifar10_cpu_long").precision == "bfloat16"}}
#
# ## Where does the time go?
#
# We look into a training step of a model with 4 blocks. We call it the *clock model*, because we only time it. (In float32, PyTorch's usual format, the line with `autocast` does nothing. We turn it on later.)

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
# A **profiler** writes down how long each operation takes. `shares_of`, in the next folded cell, profiles 20 steps, sorts the operations into six groups by their names, and takes each operation's shortest time, because other programs only add time.

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


# %% [markdown]
# Guess before you look: what share of a step are matrix products, in attention and elsewhere?

# %%
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
# Matrix products come first, because they do most of the arithmetic. **Fused attention**, of which FlashAttention is the best-known kind, computes QKᵀ, the softmax and the product with the values in one operation. Nearly all of its arithmetic is products, so it is blue as well, with its softmax. The optimizer's bar is short: AdamW visits each weight once in a step. In the forward pass alone, a matrix of a block is used for 1,040 tokens, 65 in each of 16 images.
#
# **Change one thing.** Write `make_step(384)`. Does the blue share grow or shrink? (Afterwards, write 192 again and run the cell with `make_step` once more, because the next cells use its numbers.)
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
# The blue part shrinks, and the grey part stays. So a step is *not* eight times as fast: look at the third bar. This is **Amdahl's law**: the part that you do not speed up sets the limit.
#
# ## How much do 16-bit numbers gain?
#
# In **float32**, each number has 32 bits. Numbers of 16 bits take half the memory, and hardware with units for them multiplies them several times as fast. There are two such formats, **float16** and **bfloat16**. How much do they gain in one matrix product? We multiply the tokens of a batch by a matrix of 192 × 384. `seconds`, in the next folded cell, takes the shortest of several tries.


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
# In the run saved here, bfloat16 is faster than float32, and float16 takes many times as *long*. We suppose that this CPU has units for bfloat16 only and emulates float16.
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

name = str(sixteen_bits).removeprefix("torch.")
rows = {  # of each: the time of its products and of the rest, and the gain
    "float32, measured": (100 * share, 100 * (1 - share), 1),
    f"{name}, predicted": (100 * share / factors[sixteen_bits], 100 * (1 - share), predicted),
    f"{name}, measured": (100 / measured * share_now, 100 / measured * (1 - share_now), measured),
}
print(f"{'(float32: 100)':22} products   the rest   a step is")
for words, (products, rest, gain) in rows.items():
    print(f"{words:22} {products:8.0f} {rest:10.0f} {gain:8.1f} × as fast")

# %% [markdown]
# Compare the last two numbers of the last column. They are near each other, but seldom equal. Two things make the prediction too high:
#
# - It lets the rest take as long as before, but in 16 bits numbers must also be copied from one format to the other.
# - On our CPU, attention is fused in float32 but not in 16 bits, so it gains less than the product that we timed.
#
# One thing makes it too low: a profiler slows small operations most, so the true share of the products is probably larger.
#
# Which side wins depends on your machine, and on what else it is doing. The clock gives only the total time of the last row. How much of it is products comes from a second profile, in 16 bits. Where attention is not fused there, its softmax counts as rest.
#
# `TrainingConfig(compile=True)` can speed up the rest on a GPU, in long runs: it hands the model to `torch.compile`, which merges small operations such as norms and additions. On our CPU it made training slower: a compiled model took {{only(record("compiled").runs, model="ours", precision="bfloat16").steps_per_second / only(record("compiled").runs, model="compiled", precision="bfloat16").steps_per_second:.1f}} times as long for a step in bfloat16.
# {{assert only(record("compiled").runs, model="compiled", precision="bfloat16").steps_per_second < only(record("compiled").runs, model="ours", precision="bfloat16").steps_per_second}}
#
# ## What do 16 bits lose?
#
# The two 16-bit formats spend their bits differently:

# %%
diagrams.float_formats()

# %% [markdown]
# A number is usually ± 1.fraction × 2 to the power of the exponent: 6.5, for example, is 1.625 × 2². So the orange bits decide *how large or small* a number can be, and the blue bits *how many digits* it has. PyTorch knows the limits of each format:

# %% tags=["nbval-check-output"]
print("             largest   next number after 1   becomes 0 below")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    limits = torch.finfo(dtype)
    zero = limits.smallest_normal * limits.eps / 2
    row = f"{str(dtype).removeprefix('torch.'):9} {limits.max:10.5g} {1 + limits.eps:21.7f}"
    print(f"{row} {zero:17.0e}")

# %% [markdown]
# The closer the next number is to 1, the more digits the format has. The last column is its lower end: in float16, numbers below 3 × 10⁻⁸ become 0. Here is what that does:

# %% tags=["nbval-check-output"]
print("256 + 1 in bfloat16:", (torch.tensor(256.0).bfloat16() + 1).item())
print("1e-8 as bfloat16:", torch.tensor(1e-8).bfloat16().item())
print("1e-8 as float16: ", torch.tensor(1e-8).half().item())

# %% [markdown]
# In bfloat16, many small updates of a weight would be rounded away, as in the first line. So the weights stay in float32, where small updates count. Only the products, and what directly follows them, such as the GELU, run in 16 bits. And float16 turns very small numbers into 0, as in the last line. Some gradients are that small, so `fit` uses **loss scaling** in float16, which [notebook 17](17_beyond_fit.ipynb) explains.
#
# Does the *training* lose anything? Part 2 of notebook 17 measures the training loss of one very small model. In all three seeds, its mean over the last 50 of {{record("formats").steps:d}} steps differs by less than 0.05 from that in float32, both in bfloat16 and in float16 with scaling.{{assert record("formats").every == 10}}
# {{assert len({run.seed for run in record("formats").runs}) == 3 and all(abs(sum(a.loss[-5:]) - sum(b.loss[-5:])) / 5 < 0.05 for a in record("formats").runs for b in record("formats").runs if a.seed == b.seed and a.way in ("bfloat16", "float16, scaled") and b.way == "float32")}}
#
# ## Which format should you take?
#
# Not all hardware can multiply in bfloat16. `pick_precision` chooses by this table, and `fit` follows it, unless you set `TrainingConfig(precision="float32")`:
#
# | machine | precision | why |
# |---|---|---|
# | an NVIDIA GPU of the Ampere generation or newer (compute capability 8.0 or more) | bfloat16 | its tensor cores multiply it |
# | an older NVIDIA GPU | float16, with loss scaling | its tensor cores, as in a T4, do not know bfloat16. On a GPU without tensor cores, time a step in float32, too |
# | a CPU with instructions for bfloat16 (AMX or AVX-512 BF16) | bfloat16 | these instructions |
# | any other CPU | float32 | most would have to emulate the 16-bit formats |
# | an Apple GPU | float32 | we have not tested the others there |

# %%
print("this machine:", pick_precision(device))

# %% [markdown]
# Back to the {{record("cifar10_cpu_long").seconds:time}} of the shipped model. We have not trained it in float32. But a similar model, of the same width and with 9 blocks, took {{only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second:.2f}} times as many steps per second in bfloat16 on two cores. (The gain differs from model to model, with the share of the products.) If the shipped model gained as much, it would have taken about {{round(record("cifar10_cpu_long").seconds * only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second / 900) / 4:.2f}} hours in float32.
# {{assert record("cifar10_cpu_long").model.embed_dim == 192 and record("cifar10_cpu_long").model.depth < 9}}
#
# ## Recap of part 1, and a question
#
# - Find out which part of a step takes the time, speed up that part, and expect no more than the rest allows (Amdahl's law).
# - Mixed precision computes products in 16 bits and keeps the weights in float32. bfloat16 has few digits, and float16 a small range. In the short trainings of notebook 17, this did no visible harm.
# - Take bfloat16 if your hardware multiplies it, else float16 on an NVIDIA GPU, else stay with float32.
#
# **1.** You move from float32 to bfloat16 on a new GPU, and a step is only twice as fast, although its tensor cores multiply many times as fast. What would you look at next?
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
# We train the *tiny model* (2 blocks, D = 64, P = 8) for 100 steps, and keep four things. The run then goes on to step 140: this is the run that was never stopped. `go_on`, in the next folded cell, plays the resumed run. It begins like a new process, brings back all four things, or three of them, and takes the same 40 steps.


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
# With all four, the resumed run is the same run. Now we leave out the optimizer's memory. Here is how far each step moves the weights:

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
axis.set_title("The tiny model, stopped after step 100", fontsize=11)
axis.legend()
plots.show("without the optimizer's memory, the first steps after 100 are far longer than before")

# %% [markdown]
# Without its memory, the first steps after the stop are several times as long as those before. Why? AdamW remembers two numbers for each weight: the running mean of its gradients, and their usual size. It divides the first by the second. After the gradients 1, −1, 1, −1, the usual size is 1, but the mean is near 0, so the weight hardly moves. A *new* optimizer has seen only one gradient. It divides that by its own size, so nearly *every* weight moves by about the full learning rate.
#
# Check this by hand. There are 81,226 weights, and the learning rate is 0.0015 at this step. If each weight moves just that far, the step is √81,226 × 0.0015 ≈ 0.43 long, about as high as the orange spike.
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
axis.set_title("How far is the tiny model from the run that was never stopped?", fontsize=11)
axis.legend(loc="upper left")
plots.show("lines over the steps: distance from the run never stopped", parts=ends)

# %% [markdown]
# Only the blue line stays at 0. The others leave it with the first step, and nothing complains. The green one ends highest: without the number of steps, the learning rate begins at 0.003 again.
#
# Far away need not mean bad. But if you compare two settings, you cannot tell whether a difference comes from the setting or from the interruption.
#
# ## Does `fit` bring all of it back?
#
# Give our `fit` a `checkpoint`, the path of a file, and it saves what it needs to go on. With `resume=True` it goes on from there. First, here is an undisturbed run of the tiny model, of two epochs with 40 steps each.

# %%
config = TrainingConfig(epochs=2, batch_size=50, learning_rate=3e-3)
undisturbed, _ = new_model()
history = fit(undisturbed, dataset, config)

# %% [markdown]
# Now the same run again. In step 60 of 80, someone presses the stop button. (`count_steps`, in the next folded cell, does it with a hook that counts the forward passes, one in each step.)


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
resumed = VisionTransformer(TINY)
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
# We tested it on one kind of CPU, with the same number of threads and the same versions. Another machine may add numbers in another order. Then the last digits differ, and more so from step to step. On a GPU this can happen even on the same machine.
#
# </details>
#
# In a terminal, you stop `python -m vit_minimal.training --recipe cpu` with Ctrl+C and resume it with the same command and `--resume`.
#
# ## What is in the file, and when is it written?
#
# `fit` needs no random state: it seeds the generator at every step, from the seed of the run and the number of the step. (A loop that is seeded only once needs it.) But the file holds other things:

# %% tags=["nbval-check-output"]
print(", ".join(torch.load(folder / "run.pt", weights_only=True)))

# %% [markdown]
# Here is what they are, and when `fit` writes them. At the end of an epoch, it does so only if a minute has passed since the last time. (Some names end in `.0`, because a run with Muon has two optimizers. The **scaler** is for float16, and idle here.)

# %%
diagrams.what_is_saved()

# %% [markdown]
# And if the process is killed? Then at most one epoch and a minute of work are lost. We killed {{len(record("kill_and_resume").runs):d}} short runs at random moments, and started each of them again (`benchmarks/kill_and_resume.py`). For these runs, which last seconds, we switched that minute off. {{sum(run.had_state and run.epochs_left > 0 for run in record("kill_and_resume").runs):d}} of them really had to resume, because a file had been saved and epochs were left. All {{len(record("kill_and_resume").runs):d}} ended with the same weights as the undisturbed run.
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
        optimizer.load_state_dict(copy.deepcopy(self.optimizer))  # which it keeps and changes
        torch.set_rng_state(self.random)
        return self.step
        # end of solution


# %% [markdown]
# ## Recap of part 2
#
# - To resume, a run needs the weights, the optimizer's memory, the number of steps, and the random state unless every step is seeded anew, as in `fit`. If one is missing, it goes on as another run, and nothing complains.
# - `fit` with a `checkpoint` saves what it needs, also when you press stop, and `resume=True` goes on from there.
#
# **Try it yourself:** exercise 11.2 in the [exercise notebook](exercises/11_faster_and_safer_training.ipynb) lets you write what saves a run.
#
# **Next:** you can train fast and safely. But who says that you have to begin with random weights? [12 · From a pretrained model to your own pictures](12_fine_tuning.ipynb).
