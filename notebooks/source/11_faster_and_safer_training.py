# %% [markdown]
# # 11 · Faster and safer training
#
# **After this notebook you can**
#
# - measure where the time of a training step goes, and say how much a faster unit could gain at most;
# - choose the kind of number for your machine, and explain why one 16-bit format needs a trick and the other does not;
# - stop a training whenever you like, and resume it to exactly the same weights;
# - train on several GPUs, and export a model to a file that runs without this course.
#
# | | |
# |---|---|
# | You need | notebook 05, or any training loop that you have written yourself |
# | Time to read | about 30 minutes |
# | Time to run | {{notebook_seconds("11_faster_and_safer_training", "float32"):about}} on one core of an older server CPU |
# | Package modules | `vit_minimal/training/`, `vit_minimal/device.py` |

# %%
import _thread  # its interrupt_main() does what the stop button of Jupyter does
import copy
import math
import os
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
# Your model learns, and now you want a bigger one. Suddenly a training takes hours, and two new wishes come up. You want it to be *fast*, and you want it to be *safe*: a closed laptop must not cost you a night. The first half of this notebook is about speed, the second about safety.
#
# ## Where does the time go?
#
# Before you make anything faster, measure. Otherwise you may spend a day on a part that hardly takes any time. Which part of a training step takes longest, would you say? Here is a step of a model with four blocks, 65 tokens and a width of 192:

# %%
seed_everything(0)
model = VisionTransformer(ViTConfig(depth=4, mlp_ratio=2.0)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
BATCH = 16 if device.type == "cpu" else 512


def step(precision=torch.float32):
    """One training step, for the clock (float16 would need loss scaling besides, see below)."""
    with autocast(device, precision):
        loss = F.cross_entropy(model(normalize(images[:BATCH])), labels[:BATCH])
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()  # the number is needed here, so a GPU has to finish first


step()  # the first step prepares things, so we do not count it
with torch.profiler.profile() as profile:
    step()

# %% [markdown]
# A **profiler** writes down how long each operation takes. PyTorch's profiler knows dozens of them, by names such as `aten::addmm`. That is more than one wants to read, so we put them into six groups.

# %%
GROUPS = {  # parts of their names, looked for from top to bottom
    "fused attention": ("attention",),
    "matrix products": ("mm", "convolution"),
    "softmax, norm, GELU": ("softmax", "layer_norm", "gelu"),
    "additions and copies": ("add", "sum", "mul", "copy", "cat", "fill", "div", "sub"),
    "optimizer": ("adam",),
}


def group_of(name):
    if name.startswith("aten::"):  # else it is one of Python's or autograd's
        for group, parts in GROUPS.items():
            if any(part in name for part in parts):
                return group
    return "everything else"


# %%
spent = dict.fromkeys(["matrix products", *GROUPS, "everything else"], 0.0)
for event in profile.key_averages():
    if event.device_type.name == "CPU":  # the operation itself, and not what a GPU calls it
        on_gpu = device.type == "cuda"
        time_of_its_own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        spent[group_of(event.key)] += time_of_its_own

total = sum(spent.values())
shares = {group: 100 * amount / total for group, amount in spent.items()}
plots.show_bars(shares, "% of a training step", f"Where the time of a step goes, on {device.type}")

# %% [markdown]
# Matrix products come first, as one would hope, since they are where the arithmetic is. The second bar belongs to them: **fused attention** is one operation that computes QKᵀ, the softmax and the product with the values in one go, so most of it is matrix products too. (On a GPU, the picture counts only the time in which the GPU works, and not the gaps in which it waits for Python.)
#
# The other bars hold little arithmetic. An addition or a norm reads every number from memory, does almost nothing with it, and writes it back. So here is the question for anybody who wants to buy speed: if a new unit multiplies matrices eight times as fast, how much faster is a step?

# %%
share = (spent["matrix products"] + spent["fused attention"]) / total
print(f"{share:.0%} of the step are matrix products, with attention")
for factor in (2, 8, math.inf):
    gain = 1 / (1 - share + share / factor)
    name = "infinitely" if factor == math.inf else f"{factor} times as"
    print(f"if they were {name} fast: a step {gain:.1f} times as fast")

# %% [markdown]
# This is **Amdahl's law**: the part that you do not speed up sets the limit. Even a unit that needs no time at all for its products leaves you with the rest. Keep it in mind for the next two sections, because 16-bit numbers shorten the products, and compiling shortens the rest.
#
# One thing is missing from the picture: the data. While a model waits for its next batch, it learns nothing. How long does a batch take to prepare?

# %%
start = time.perf_counter()
for _ in range(5):
    augment(images[:BATCH], TrainingConfig())  # flip and crop
data_time = (time.perf_counter() - start) / 5

start = time.perf_counter()
step()
print(f"preparing a batch takes {data_time / (time.perf_counter() - start):.1%} of a training step")

# %% [markdown]
# Next to nothing, because the course keeps all images on the device as bytes and augments whole batches there. The usual way is a `DataLoader`, which works on one image after the other. On two CPU cores, our way prepares {{min(run.ratio for run in record("augmentation").runs):.0f}} to {{max(run.ratio for run in record("augmentation").runs):.0f}} times as many images per second as a `DataLoader` with two workers (`benchmarks/augmentation.py`). Next to a slow CPU model you would not notice either of them. Next to a GPU you would: there, a slow `DataLoader` is the most common reason why a training is slow.
#
# A third way to be faster is to compute less. A Vision Transformer can leave out half of the patches while it trains: [notebook 05](05_training_on_cifar10.ipynb) does that.
#
# ## Which numbers should a machine multiply?
#
# PyTorch computes in **float32**, with 32 bits for each number. Numbers of 16 bits take half the memory, and recent hardware has special units that multiply them many times as fast. There are two formats, and they spend their 16 bits differently:

# %% tags=["nbval-check-output"]
print("            smallest      largest   next after 1")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    limits = torch.finfo(dtype)
    smallest = limits.smallest_normal * limits.eps  # above zero; its last digits are lost
    name = str(dtype).removeprefix("torch.")
    print(f"{name:9} {smallest:11.0e} {limits.max:12.5g} {1 + limits.eps:14.7f}")

# %% [markdown]
# **float16** has fine steps, but a small range: nothing above 65,504, and nothing between zero and 6e-8. **bfloat16** is the other way round. It covers the range of float32, but its steps are coarse. Two sums show what that means:

# %% tags=["nbval-check-output"]
print("1e-8 as float16: ", torch.tensor(1e-8).half().item())
print("1e-8 as bfloat16:", torch.tensor(1e-8).bfloat16().item())
print("256 + 1 in bfloat16:", (torch.tensor(256.0).bfloat16() + 1).item())

# %% [markdown]
# The last line is a warning. If weights were kept in bfloat16, a small update would be rounded away, and the model would stop learning. So the weights stay in float32, and only the matrix products are computed in 16 bits. This is called **mixed precision**, and in PyTorch the context `torch.autocast` does it.
#
# And float16? Are there numbers in a training that are too small for it? Let us look at the gradients that flow back from block to block in the model that comes with the course, for 16 variants of one cat.

# %%
trained = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
gradients = []
for block in trained.blocks:
    block.register_full_backward_hook(lambda _, into, out: gradients.append(out[0].flatten()))

variants = augment(cat.expand(16, -1, -1, -1), TrainingConfig())
loss = F.cross_entropy(trained(variants), torch.full((16,), 3))  # class 3 is "cat"
loss.backward()
sizes = torch.cat(gradients).abs()
sizes = sizes[sizes > 0]  # after the last block only the class token is read: the others get 0

# %%
SMALLEST, FULL, LARGEST = 2.0**-24, 2.0**-14, 65504.0
_, axis = plt.subplots(figsize=(6.6, 3.4), layout="constrained")
bins = torch.logspace(-11, 6, 86).tolist()
axis.hist(sizes, bins, color="#0072B2", label="loss as it is")
axis.hist(2**16 * sizes, bins, color="#D55E00", label="loss × 65,536")
axis.axvspan(bins[0], SMALLEST, color="black", alpha=0.25, lw=0, zorder=0)
axis.axvspan(SMALLEST, FULL, color="black", alpha=0.1, lw=0, zorder=0)
axis.axvspan(LARGEST, bins[-1], color="black", alpha=0.25, lw=0, zorder=0)
top = 1.3 * axis.get_ylim()[1]
for x, words in ((8e-10, "zero"), (2e-6, "inexact"), (2, "exact"), (2.5e5, "∞")):
    axis.text(x, 0.93 * top, words, ha="center", va="center")
axis.set(xscale="log", xlim=(bins[0], bins[-1]), ylim=(0, top), yticks=[])
axis.set(xlabel="size of a gradient", ylabel="how many", title="What float16 makes of gradients")
axis.legend(loc="center left")
plots.show("two hills: one in the range where float16 is inexact, the other where it is exact")

exact = (sizes >= FULL).float().mean().item()
print(f"only {exact:.0%} of the gradients are in the range where float16 is exact")

# %% [markdown]
# The blue hill lies mostly in the range called *inexact*. There, float16 has fewer and fewer digits left. Its left end reaches into the range called *zero*, where it has none: the gradient becomes 0, and whatever it had to say is lost. A larger batch makes it worse. The loss is a mean over the batch, so with 32 times as many images the whole hill moves left by a factor of 32.
#
# The cure is surprisingly simple. Multiply the loss by a large number, for example 65,536, before the backward pass. Every gradient is then 65,536 times as large, and the hill moves to where the orange one is, in the range that float16 holds with all its digits. Before the optimizer's step, divide the gradients by the same number, in float32. This is called **loss scaling**.
#
# How large should the number be? PyTorch's `GradScaler` finds out by trying. If a gradient overflows, it becomes infinite. Then the scaler leaves out this step and halves the number. If all goes well for 2,000 steps, it doubles it.

# %% [markdown] tags=["exercise-only"]
# # Exercises 11 · Faster and safer training
#
# They go with notebook [11](../11_faster_and_safer_training.ipynb). If you start here: the matrix products of a training step can be made faster by numbers of 16 bits, the rest cannot. One of the 16-bit formats, float16, turns small gradients into 0, unless the loss is multiplied by a large number before the backward pass. A long training is stopped and resumed. And several processes can share a batch, each with its own copy of the model, if they average their gradients.

# %% tags=["exercise-only"]
import copy

import torch

from checks import check

# %% [markdown] tags=["exercise:times_as_fast"]
# *Predict.* Matrix products take 70 % of a training step. A new unit computes them eight times as fast, and nothing else changes. How many times as fast is a step? (Two digits are enough.)
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
# bfloat16 needs none of this, since its range is that of float32. So which of the three should you take? `pick_precision` looks at the hardware:
#
# | machine | precision | why |
# |---|---|---|
# | a GPU from 2020 on (Ampere or newer) | bfloat16 | fast units, no loss scaling |
# | an older GPU, such as the T4 that Colab lends for free | float16, with loss scaling | it has no unit for bfloat16; PyTorch emulates it there, slowly |
# | a CPU with instructions for bfloat16 (AMX or AVX-512 BF16) | bfloat16 | fast units, no loss scaling |
# | any other CPU | float32 | it would have to convert each number first |
#
# Is the last row true? Let us time a step in float32 and in bfloat16, whatever this machine is made for.

# %%
took = {}
for precision in (torch.float32, torch.bfloat16):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        step(precision)
        times.append(time.perf_counter() - start)
    took[str(precision).removeprefix("torch.")] = 1000 * min(times)

plots.show_bars(took, "milliseconds", f"A training step of {BATCH} images, on {device.type}")
ratio = took["bfloat16"] / took["float32"]
print(f"bfloat16 takes {ratio:.2g} times as long; pick_precision: {pick_precision(device)}")

# %% [markdown]
# In the run saved here, bfloat16 is not faster but many times slower! That machine has no instructions for it, so every product is emulated, and `pick_precision` is right to choose float32. On two cores that do have them, our model makes {{only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second:.1f}} times as many steps per second in bfloat16 as in float32 (`data/results/throughput.json`). A format is fast only where there is a unit for it.
#
# ## Can the rest be shortened too?
#
# It can, on a GPU. There, each addition, norm and GELU is a small program of its own, called a **kernel**, and each reads all numbers from memory and writes them back. `torch.compile` reads your model and merges neighbouring kernels into one, so that numbers travel once. `TrainingConfig(compile=True)` is all you have to write, and the recipe `h200` does. The first step then takes a minute or more, because that is when the compiling happens, so it pays in long runs only. On a machine that cannot compile, `fit` says so in one sentence and trains the model as it is.
#
# ## How do you stop a training, and go on?
#
# A run of hours will be interrupted some day: a closed laptop, a Colab session at its limit, Ctrl+C. So you save something from time to time, and resume from it later. But what? The weights, certainly. Are they enough?
#
# Let us try. A small model trains for 140 steps. We save it after 100, and go on from there twice: once with the weights alone, and once with the optimizer's memory too. At each step we measure how far it moves the weights.

# %%
SMALL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)


def new_model():
    seed_everything(0)
    model = VisionTransformer(SMALL).to(device)
    return model, torch.optim.AdamW(model.parameters(), lr=3e-3)


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

# %%
plots.show_lines(
    range(81, 141),
    {"weights alone": weights_alone, "weights and memory": weights_and_memory},
    "step",
    "how far it moves the weights",
    "Stopped after step 100, and resumed",
    from_zero=True,
)
print("as if never stopped:", weights_and_memory == never_stopped)

# %% [markdown]
# With the weights alone, the first steps after the stop are far too long. AdamW remembers a running mean of each weight's gradients, and divides it by their usual size. Where gradients point now this way and now that way, the mean is small, and so is the step. A new optimizer knows one gradient only, and divides it by its own size. So every weight moves by the full learning rate, whether its gradients agree or not. From there on, it is another run.
#
# With the memory, the run goes on as if nothing had happened. This is meant literally: the cell compares with a run that was never stopped, and finds the same numbers.
#
# Two details made this possible, and both are easily forgotten. First, `state_dict()` hands out the tensors themselves. Training would go on changing them, so we keep a deep copy. (Writing them to a file does the same.) Second, random numbers: a resumed run must draw the same batches and the same augmentations. That is why every step above seeds the generator with its own number.

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
# `fit` does all of this for you. Give it a `checkpoint`, which is the path of a file. It writes the state of the run there, at the latest a minute after the last time if an epoch is over, and also when you interrupt it. With `resume=True` it goes on from there. Here a timer presses the stop button for you:

# %%
config = TrainingConfig(epochs=2, batch_size=50, learning_rate=3e-3)
folder = Path(tempfile.mkdtemp())
start = time.perf_counter()
undisturbed, _ = new_model()
fit(undisturbed, dataset, config)

timer = threading.Timer((time.perf_counter() - start) / 2, _thread.interrupt_main)
timer.start()
try:
    fit(new_model()[0], dataset, config, checkpoint=folder / "run.pt")
except KeyboardInterrupt as interrupt:
    print("interrupted:", str(interrupt).replace(str(folder), "…"))
timer.cancel()

# %% [markdown]
# Now we resume with a model that starts from quite different weights. Does it end where the undisturbed run ended?

# %%
seed_everything(1)
resumed = VisionTransformer(SMALL)
history = fit(resumed, dataset, config, checkpoint=folder / "run.pt", resume=True)

# %% tags=["nbval-check-output"]
pairs = zip(resumed.parameters(), undisturbed.parameters(), strict=True)
print("the same weights, bit for bit:", all(torch.equal(a, b) for a, b in pairs))
print("in the file:", ", ".join(torch.load(folder / "run.pt", weights_only=True)))

# %% [markdown]
# The file holds more than our two entries: the scaler's number for float16, the schedule of the learning rate, how many steps were taken, what was measured so far, and under `of` which run this is. A file from another run is refused, with the names of the settings that differ.
#
# We did not trust a single try. We killed {{len(record("kill_and_resume").runs):d}} runs at random moments, without warning, and started each of them again. All {{len(record("kill_and_resume").runs):d}} ended with the same weights as the undisturbed run (`benchmarks/kill_and_resume.py`).
# {{assert all(run.same for run in record("kill_and_resume").runs)}}
# A run that is killed without warning loses what it did since it last wrote its state. And "bit for bit" is a promise for one machine: another GPU adds in another order.
#
# ### Where the file should lie
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
# From here on, `fit(model, dataset, config, checkpoint=checkpoint, resume=True)` is one line for both cases: it begins the run if there is no such file, and goes on with it if there is. In a terminal, `python -m vit_minimal.training --recipe cpu` keeps its state in the same folder. Press Ctrl+C to stop it, and repeat the command with `--resume`.
#
# ## How do several GPUs share the work?
#
# Suppose you have two GPUs. The usual plan is to start one process for each. Both have the whole model, and each takes half of every batch:

# %%
diagrams.two_processes()

# %% [markdown]
# Each process computes the gradient of its own half. Then they average the two gradients and take the same step, so the two copies of the model stay equal. PyTorch calls this *DistributedDataParallel*. But is it still the same training? Let us compare the mean of the two gradients with the gradient of the whole batch:

# %% tags=["nbval-check-output"]
model, _ = new_model()


def gradient(x, y):
    """The gradient of the mean loss over some images, as one long vector."""
    parts = torch.autograd.grad(F.cross_entropy(model(normalize(x)), y), model.parameters())
    return torch.cat([part.flatten() for part in parts])


whole = gradient(images[:64], labels[:64])
halves = gradient(images[:32], labels[:32]), gradient(images[32:64], labels[32:64])
difference = (whole - (halves[0] + halves[1]) / 2).norm() / whole.norm()
print("the same gradient, up to rounding:", difference.item() < 1e-4)

# %% [markdown]
# They agree, because the loss is a mean over images, and the mean of two means over equally many images is the mean over all. This also shows where it would fail: with halves of different sizes. Layers that look at the whole batch, such as batch norm, would be another exception, but a ViT has none.
#
# So two processes do what one process would do, in less time. A test of the course trains both ways and compares the weights. To start them, type
#
#     torchrun --nproc-per-node=2 -m vit_minimal.training --recipe h200
#
# With augmentation the draws differ from those of one process, because each draws for its own images. If one process dies, all of them end with an error, and `--resume` goes on from the last whole epoch.

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
# In the end somebody wants to *use* your model, in a program that has never heard of `vit_minimal`. The weights alone would not help them, because they are useless without the code. **Exporting** puts both into one file: the weights, and the list of operations that the model performs.
#
# One thing goes wrong more often than any other. Our model expects numbers from −1 to 1, and the program has pixels from 0 to 255. So let the exported model take pixels, and do the rest itself:


# %%
class FromPixels(nn.Module):
    """Pixels 0 … 255 (B, 3, 32, 32) in, a probability for each class (B, 10) out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images.float() / 127.5 - 1).softmax(dim=-1)


whole = FromPixels(load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")).eval()
pair = torch.stack([cat, cat.flip(2)])  # two example images show the exporter the shapes
any_batch = {"images": {0: torch.export.Dim("batch")}}
program = torch.export.export(whole, (pair,), dynamic_shapes=any_batch)
torch.export.save(program, folder / "cat.pt2")
torch.save(cat[None], folder / "cat.pt")  # one image, to try it out

# %% [markdown]
# The line with `any_batch` says that axis 0 may have any length. Without it, the exported model would take batches of two for ever, because that is what the exporter has seen.
#
# Now the test. We start a new Python process, which imports PyTorch and nothing of the course. It loads the file and looks at the cat:

# %% tags=["nbval-check-output"]
CODE = """
import sys, torch
model = torch.export.load(sys.argv[1] + "/cat.pt2").module()
probabilities = model(torch.load(sys.argv[1] + "/cat.pt"))
print("class", probabilities.argmax().item(), "with", f"{probabilities.max().item():.1f}")
print("the course was imported:", "vit_minimal" in sys.modules)
"""
words = [sys.executable, "-c", CODE, str(folder)]
print(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
with torch.no_grad():
    print("here: class 3, which is cat, with", f"{whole(cat[None])[0, 3].item():.1f}")

# %% [markdown]
# The stranger says the same as we do. Programs that are not written in Python, for phones or browsers, often want another format, **ONNX**.
#
# <details><summary>The same in ONNX</summary>
#
# You need three more packages: `pip install onnx onnxscript onnxruntime`. Then
#
# ```python
# torch.onnx.export(
#     whole, (pair,), "cat.onnx", dynamo=True, dynamic_shapes=any_batch,
#     input_names=["images"], output_names=["probabilities"],
# )
#
# import onnxruntime
#
# session = onnxruntime.InferenceSession("cat.onnx", providers=["CPUExecutionProvider"])
# (probabilities,) = session.run(None, {"images": cat[None].numpy()})
# ```
#
# A test of the course (`tests/test_export.py`) exports several of our models this way and compares their logits for batches of 1, 2 and 7.
#
# </details>
#
# > **Remember:** measure before you make anything faster, and before a long run, try once whether you can stop and resume it.
#
# ## Recap
#
# - A profiler shows where the time goes. The part that you do not speed up sets the limit (Amdahl's law).
# - Weights stay in float32, and products are computed in 16 bits where the machine has a unit for them. float16 needs loss scaling, because small gradients would become 0. bfloat16 does not.
# - Weights alone are not enough to resume. Save the optimizer's memory, the number of steps and what the random numbers depend on as well.
# - Several processes average their gradients. With equal shares, that is the gradient of the whole batch.
# - An exported file holds weights and operations. Put the preparation of the images into it.
#
# ## Questions
#
# **1.** You move from float32 to bfloat16 on a new GPU, and a step is only twice as fast, although its units multiply many times as fast. What would you look at next?
#
# <details><summary>Answer</summary>
#
# At what is not a matrix product. A new profile will show that norms, additions and copies now take most of the time, and `torch.compile` shortens them. If the GPU is idle in between, look at how the data arrive.
#
# </details>
#
# **2.** Somebody divides the *loss* by the scale after the backward pass, and not the gradients. What happens?
#
# <details><summary>Answer</summary>
#
# Nothing good: the gradients are computed already, so they stay 65,536 times too long. With plain gradient descent the first step ruins the model. AdamW hides the mistake, because it divides each gradient by its usual size. But clipping gradients to a length of 1 would then shorten every one of them.
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
# **Next:** with a fast and safe training, [notebook 05](05_training_on_cifar10.ipynb) has recipes that are worth an evening of your machine. Have you seen what the class token learns in them? [Notebook 06](06_inside_the_class_token.ipynb) looks inside.
