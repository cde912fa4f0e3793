# %% [markdown]
# # 05 · Training on CIFAR-10: a recipe, ingredient by ingredient
#
# **After this notebook you can** train a ViT from scratch and say what each ingredient of the recipe is for, find a learning rate, stop a run and resume it, tell from a curve what is wrong, choose the precision for your machine, and use more than one GPU.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 45 minutes |
# | Time to run | at the quick budget {{notebook_seconds("05_training_on_cifar10"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("05_training_on_cifar10", "float32"):about}} on one core of an older one; on a T4 not measured yet |
# | Package modules | `data/`, `augment.py`, `training/` |
#
# The saved outputs come from small models on drawn shapes, so that you can change something and see within seconds what happens. What a whole recipe gives on CIFAR-10 stands in
# a table near the end; its records lie in `data/results/`. If CIFAR-10 is on your disk the cells take it, and the numbers differ; `VIT_MINIMAL_DATASET=shapes10` gives those you
# see here.

# %%
import _thread  # its interrupt_main() does what the stop button of Jupyter does
import contextlib
import io
import math
import os
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

os.environ["KINETO_LOG_LEVEL"] = "99"  # keeps PyTorch's profiler quiet

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from vit_minimal import (
    RECIPES,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    evaluate,
    fit,
    load_dataset,
    pick_budget,
    pick_device,
    pick_precision,
    plots,
    seed_everything,
)
from vit_minimal.augment import mix, normalize, random_erase, trivial_augment
from vit_minimal.device import autocast
from vit_minimal.records import read_records

seed_everything(0)
device = pick_device()

# %% [markdown]
# ## Data, in three parts
#
# `load_cifar10()` fetches CIFAR-10 once (170 MB) and checks it; after that a load takes less than a second. `load_dataset()` takes it if it is there, and draws Shapes-10 if not.
#
# There are training images and test images. We set aside a third set, for **validation**: the last of the training images. (`fit`, further down, takes the last ones of each class, so that data sorted by class do no harm.) Whatever you choose (a learning rate, an
# ingredient, when to stop), choose it there. The test images are for one question at the very end: how good is the model that I have settled on? Whoever chooses by the test images keeps the luckiest of
# many tries, and reports a number that is too good.

# %%
dataset = load_dataset()
HELD_OUT = 1_000 if pick_budget() == "quick" else 5_000
if pick_budget() == "quick":
    dataset = dataset.first(4_000 + HELD_OUT, 1_000)
num_train = len(dataset.train_images) - HELD_OUT  # the last HELD_OUT are for validation
print(f"{num_train:,} images to train on, {HELD_OUT:,} to choose by")
print(f"{len(dataset.test_images):,} for the end")

plots.show_images(dataset.train_images[:16])

# %% [markdown]
# You may miss a `DataLoader`. As bytes, all of CIFAR-10's training images are 50,000 × 3 × 32 × 32 = 154 MB, so we put them on the device once and cut batches out by index. The model
# never waits for a disk or for other processes. (For data that does not fit there you need a `DataLoader`.) `normalize` turns bytes 0 … 255 into floats −1 … 1, a batch at a time.
#
# ## The plain loop
#
# This is all that training takes. Draw a batch, compute the loss, go one step against the gradient, repeat. The model is small: patches of 8 × 8 pixels
# make only 17 tokens.

# %%
MODEL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)
seed_everything(0)
model = VisionTransformer(MODEL).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)

for epoch in range(4):
    for batch in torch.randperm(num_train, device=device).split(50):
        loss = F.cross_entropy(model(normalize(images[batch])), labels[batch])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    accuracy = evaluate(model, images[num_train:], labels[num_train:])
    print(f"epoch {epoch + 1}: last loss {loss.item():.2f}, validation {accuracy:.1%}")

# %% [markdown]
# It runs, but after four passes it has hardly begun to learn: guessing would be right in 10 %. What follows are the usual ways to learn more in the same time. We measure which of them help here.
#
# ## Which step to take
#
# A gradient says in which direction the loss rises fastest, *here*; the way down is against it. It does not say how far to go, and in a narrow valley this way down points at the other wall and not along the floor. The drawing
# shows such a valley in two dimensions, and twenty steps of three optimizers, from the same start.


# %%
def descend(optimizer_of, steps=20):
    """The path of an optimizer on the valley x² / 20 + y², from (−9, 2)."""
    point = nn.Parameter(torch.tensor([-9.0, 2.0]))
    optimizer, path = optimizer_of([point]), [point.tolist()]
    for _ in range(steps):
        (point[0] ** 2 / 20 + point[1] ** 2).backward()
        optimizer.step()
        optimizer.zero_grad()
        path.append(point.tolist())
    return path


paths = {
    "SGD": descend(lambda p: torch.optim.SGD(p, lr=0.9)),
    "SGD with momentum": descend(lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.7)),
    "Adam": descend(lambda p: torch.optim.Adam(p, lr=0.6)),
}
plots.show_paths(paths, lambda x, y: x**2 / 20 + y**2, title="Twenty steps down a valley")

# %% [markdown]
# - **SGD** goes against the gradient. It swings from wall to wall and creeps along the floor.
# - **Momentum** steps along a decaying sum of the gradients so far: the swings cancel, the way along the floor adds up. (The plain loop above used it already.)
# - **Adam** also divides, number by number, by the running size (a root mean square) of that number's gradients. Steep and flat directions get steps of about the same length. **AdamW** adds
#   *weight decay*: at each step the parameters shrink a little. `fit` lets only matrices shrink, and spares norms, biases, positions and the class token.
# - **Muon** ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)) treats the update of a matrix as a map, which stretches some directions much and others hardly, and evens this out before it steps (by a *Newton–Schulz iteration* it makes
#   all singular values about equal): no direction is left behind. `fit` uses it for the matrices in the blocks, and AdamW for all the rest. (PyTorch has had it since 2.9. Ours, in `training/muon.py`, takes the same steps; it multiplies in float32 where the hardware has no bfloat16, which there is many times faster.)
#
# ## The ladder
#
# `fit(model, dataset, config)` is the plain loop with all of this built in. Each ingredient is a field of `TrainingConfig`, and each can be switched off. We start with
# the plain loop, which is SGD with momentum and nothing else:

# %%
PLAIN = TrainingConfig(
    epochs=4,
    batch_size=50,
    optimizer="sgd",
    learning_rate=0.1,
    warmup=0.0,
    schedule="constant",
    weight_decay=0.0,
    label_smoothing=0.0,
    clip_norm=0.0,
    flip=False,
    crop_padding=0,
    validation_images=HELD_OUT,
)

# %% [markdown]
# and add one ingredient at a time. Each rung keeps what the rungs above it have. A new optimizer needs its own learning rate, so two rungs change that too.

# %%
RUNGS = {
    "SGD with momentum": {},
    "+ AdamW": {"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.05},
    "+ warm-up and cosine": {"schedule": "cosine", "warmup": 0.1},
    "+ clipping": {"clip_norm": 1.0},
    "+ Muon": {"optimizer": "muon", "learning_rate": 1e-2, "weight_decay": 0.1},
    "+ flip and crop": {"flip": True, "crop_padding": 2},
}
LADDER, config = {}, PLAIN
for name, changes in RUNGS.items():
    config = replace(config, **changes)
    LADDER[name] = config

# %% [markdown]
# *Warm-up and cosine*: the learning rate climbs from near zero, then falls back to zero (the next section draws it). *Clipping*: write all gradients of the model as one long vector; if it is longer than
# 1, shorten it to 1, so that one odd batch cannot throw the model off. *Flip and crop*: mirrored and shifted images (pictures follow).
#
# One run is not enough to compare by. The same recipe with another seed (other weights at the start, another order of images) gives another accuracy. So each rung is climbed with
# three seeds.


# %%
def quietly(model, config, data=dataset):
    """Train without printing a line per epoch; returns the History."""
    with contextlib.redirect_stdout(io.StringIO()):
        return fit(model, data, config)


def train_new(config, seed=0):
    """The History of a new model, trained with this configuration and seed."""
    seed_everything(seed)
    return quietly(VisionTransformer(MODEL), replace(config, seed=seed))


reached = {}
for name, config in LADDER.items():
    reached[name] = [train_new(config, seed).validation_accuracy[-1] for seed in range(3)]
    mean, low, high = statistics.mean(reached[name]), min(reached[name]), max(reached[name])
    print(f"{name:22} {mean:6.1%}   from {low:.1%} to {high:.1%}")

# %%
plots.show_dots(reached, "validation accuracy", "Each rung, three seeds")

# %% [markdown]
# In the saved run SGD reaches twice chance. AdamW adds more than half to that, and Muon almost doubles it again. Schedule and clipping make no difference that three seeds could show, and flip
# and crop *cost* about twelve points. Is augmentation bad, then? Not in general: four passes are too few to learn anything by heart, so there is nothing that it could prevent, and it makes every image harder. Three sections on you will
# see where it pays. (The learning rates are what a few trials on the same validation images gave.) A ladder belongs to its budget, its model and its data: measure your own.
#
# On CIFAR-10 the same ladder takes half an hour, so we climbed it for you (`benchmarks/training_ladder.py`): the model of the recipe `cpu`, five passes over {{record("training_ladder").trained_on:,}} images, judged on 5,000 others.
# {{assert all(rung.training.epochs == 5 and len(rung.accuracies) == 3 for rung in record("training_ladder").rungs)}}
# {{assert record("training_ladder").judged_on == "5,000 validation"}}

# %%
(climbed,) = read_records("../data/results/training_ladder.json")
plots.show_dots(
    {name: rung["accuracies"] for name, rung in zip(LADDER, climbed["rungs"], strict=True)},
    "validation accuracy",
    "CIFAR-10: each rung, three seeds",
)

# %% [markdown]
# Muon again gives most, from {{mean(ladder("+ clipping")):.1p}} to {{mean(ladder("+ Muon")):.1%}}, and clipping again nothing that shows.
# {{assert below(ladder("+ clipping"), ladder("+ Muon"))}}
# {{assert mean(ladder("+ Muon")) - mean(ladder("+ clipping")) > mean(ladder("+ clipping")) - mean(ladder("SGD, constant rate"))}}
# {{assert overlap(ladder("+ clipping"), ladder("+ warm-up and cosine"))}}
# {{assert abs(mean(ladder("+ clipping")) - mean(ladder("+ warm-up and cosine"))) < 0.01}}
# But warm-up and cosine, which made no difference above, give {{mean(ladder("+ warm-up and cosine")) - mean(ladder("+ AdamW")):.1p}} points here, and flip and crop cost nothing: other images, another model and a longer run make another ladder.
# {{assert overlap(ladder("+ flip and crop"), ladder("+ Muon"))}}
# {{assert abs(mean(ladder("+ flip and crop")) - mean(ladder("+ Muon"))) < 0.01}}
#
# How far can you trust such dots? Three seeds show the luck of the start. The validation images add their own: with n of them the accuracy p is uncertain by √(p(1 − p)/n), which is
# about 1.5 points at n = 1,000 and p = 60 %. Believe a gap that is clearly larger than both.
#
# ## The learning rate: up, then down, and how to find it
#
# Adam's running sizes are guesses at first, made from a few batches, so the first steps should be small. At the end the model should settle: with a constant rate it keeps jumping around
# the place it wants to reach. So a function says which share of the full rate each step takes:


# %% tags=["same-as:vit_minimal.training.optimizers.make_scheduler"]
# vit_minimal/training/optimizers.py
def make_scheduler(optimizer, config, total_steps):
    """The learning rate climbs in a line, then stays or falls along half a cosine to zero."""
    climbing = max(1, int(config.warmup * total_steps))
    falling = max(1, total_steps - climbing)

    def share(step):
        if step < climbing:
            return (step + 1) / climbing
        if config.schedule == "constant":
            return 1.0
        return (1 + math.cos(math.pi * (step - climbing) / falling)) / 2

    return LambdaLR(optimizer, share)


# %% [markdown]
# With n warm-up steps, step 0 takes 1/n of the rate and step n − 1 all of it. From there on the cosine takes it from all to nothing.


# %%
def rates(config, total_steps=200):
    """The learning rate at every step."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    scheduler = make_scheduler(optimizer, config, total_steps)
    seen = []
    for _ in range(total_steps):
        seen.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return seen


config = replace(PLAIN, learning_rate=1e-3)
curves = {
    "constant": rates(config),
    "warm-up 10 %, then constant": rates(replace(config, warmup=0.1)),
    "warm-up 10 %, then cosine": rates(replace(config, warmup=0.1, schedule="cosine")),
}
plots.show_lines(range(200), curves, "step of 200", "learning rate", "Three schedules")

# %% [markdown]
# A schedule fits one length of run; ask for more epochs and `fit` makes a longer one.
#
# And how high should the rate climb? Try: short runs, each at ten times the rate before.

# %%
tried = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
sweep = {rate: train_new(replace(LADDER["+ clipping"], learning_rate=rate)) for rate in tried}
plots.show_lines(
    tried,
    {"validation accuracy": [history.validation_accuracy[-1] for history in sweep.values()]},
    "learning rate (AdamW)",
    "validation accuracy",
    "Too low, right, too high",
    ("guessing", 0.1),
    log="x",
)

# %% [markdown] tags=["exercise-only"]
# # Exercises 05 · Training on CIFAR-10
#
# They go with notebook [05](../05_training_on_cifar10.ipynb). If you start here: training draws a batch of images, computes the loss, goes one step against its gradient, and repeats. Around this loop there are ingredients, such as a learning rate that climbs and falls, or images that are blended. Three parts of the data are kept apart: images to train on, images to choose by (validation), and test images for the end.

# %% tags=["exercise-only"]
import math

import torch
from torch.nn import functional as F

from checks import check

# %% [markdown] tags=["exercise:learning_rate_at"]
# The learning rate at step 0, 1, …, `total_steps` − 1. First it climbs in a line: step 0 takes 1/`warmup_steps` of `peak`, and step `warmup_steps` − 1 takes all of it. Then it falls along half a cosine: it begins at `peak` at step `warmup_steps`, and would reach zero at step `total_steps`.
#
# Hint: For the climb count from 1: (step + 1) of `warmup_steps`.
#
# Hint: (1 + cos(π·s)) / 2 goes from 1 to 0 while s goes from 0 to 1. Which share of the fall is done at a step?


# %% tags=["exercise-only", "exercise:learning_rate_at"]
def learning_rate_at(step, total_steps, warmup_steps, peak):
    """The learning rate at a step: up in a line, then down half a cosine."""
    # solution
    # | return ...  # your code
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * share)) / 2
    # end of solution


# %% [markdown]
# In the saved run the top is near 1e-3. At 1e-5 the steps are too short to get anywhere in four passes; at 0.1 they are too long to settle anywhere. A factor of ten to either side of the top costs much.
#
# ## Augmentation, as pictures
#
# *Augmentation* shows the model another variant of each image each time. Only changes that keep the class are allowed: a mirrored horse is a horse, a mirrored 3 is no longer a 3.
#
# Flip and crop are the two simplest. A crop puts a black frame around the image and cuts a window of the old size out of it, somewhere. In one dimension, with a frame of 2: from
# `0 0 a b c 0 0`, a window at 1 is `0 a b`. Each image of the batch draws its own window, and there is no Python loop over images, which would be slow. `gather` picks, for every output pixel,
# the column or the row that it comes from:


# %% tags=["same-as:vit_minimal.augment.random_flip", "same-as:vit_minimal.augment.random_crop"]
# vit_minimal/augment.py
def random_flip(images):
    """Mirror each image left to right with probability ½."""
    flip = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    columns = torch.arange(images.shape[3], device=images.device)
    columns = torch.where(flip, columns.flip(0), columns)  # (B, 1, 1, W)
    return images.gather(3, columns.expand(images.shape))


def random_crop(images, padding):
    """Move each image by up to `padding` pixels along both axes; zeros enter at the edges."""
    B, C, H, W = images.shape
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, B, 1, 1, 1), device=images.device)
    rows = top + torch.arange(H, device=images.device)[:, None]  # (B, 1, H, 1)
    columns = left + torch.arange(W, device=images.device)  # (B, 1, 1, W)
    padded = padded.gather(2, rows.expand(B, C, H, W + 2 * padding))
    return padded.gather(3, columns.expand(B, C, H, W))


# %% [markdown]
# One image, at the left of each row, and seven variants of it:

# %%
original = dataset.train_images[8]
seven = original.expand(7, -1, -1, -1)
for name, variants in {
    "flip": random_flip(seven),
    "crop": random_crop(seven, 4),
    "trivial": trivial_augment(seven),
    "erase": random_erase(normalize(seven), 1.0),
}.items():
    row = torch.cat([normalize(original[None]), normalize(variants)])
    plots.show_images(row, ["original", name] + [""] * 6)

# %% [markdown]
# *Trivial* is TrivialAugment ([Müller and Hutter 2021](https://arxiv.org/abs/2103.10158)): one operation drawn from a list (brightness, contrast, rotation, shear, …) at a strength that is drawn
# too. Here it is borderline: a *plus* that is turned by 30° is nearer to a *cross*, and both are classes of Shapes-10. Look at your classes before you augment. *Erase* greys out a box ([Zhong et al. 2020](https://arxiv.org/abs/1708.04896)), so that no single part decides.
#
# Two more change the label as well. **Mixup** ([Zhang et al. 2018](https://arxiv.org/abs/1710.09412)) blends two images, **cutmix** ([Yun et al. 2019](https://arxiv.org/abs/1905.04899)) puts
# a box of one into the other. The label becomes a mixture in the same ratio: "70 % ring, 30 % plus". The ratio is drawn from Beta(α, α): with α = 1 every ratio is equally likely, with α = 0.2 most images stay nearly
# pure.

# %%
some, some_labels = normalize(dataset.train_images[:8]), dataset.train_labels[:8]


def say(target):
    """The two largest shares of a mixed label, in words."""
    shares, classes = target.topk(2)
    named = zip(shares.tolist(), classes.tolist(), strict=True)
    return "\n".join(f"{share:.0%} {dataset.class_names[c]}" for share, c in named if share > 0.005)


for settings in ({"mixup": 1.0}, {"cutmix": 1.0}):
    seed_everything(3)
    mixed, targets = mix(some, some_labels, 10, **settings)
    plots.show_images(mixed, [say(target) for target in targets])

# %% [markdown] tags=["exercise:mixup"]
# Blend each image of a batch with another. You get images (B, C, H, W), targets (B, K) with one row of shares for each image, `order` (B,), which names the other image (image i is blended with image `order[i]`), and `share` (B,), how much each image keeps of itself. Give the blended images and the targets that belong to them.
#
# Hint: `images[order]` are the other images, in the right order.
#
# Hint: `share` has one axis, the images have four: `share.reshape(-1, 1, 1, 1)`. The targets have two.


# %% tags=["exercise-only", "exercise:mixup"]
def mixup(images, targets, order, share):
    """Blended images (B, C, H, W), and their targets (B, K)."""
    # solution
    # | return ...  # your code
    weight = share.reshape(-1, 1, 1, 1)
    mixed = weight * images + (1 - weight) * images[order]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[order]
    # end of solution


# %% [markdown] tags=["exercise:validation_split"]
# Set the last `held_out` images (at least one) aside for validation. Give four things: the images to train on, their labels, the validation images, their labels.
#
# Hint: `images[:-3]` leaves out the last three, `images[-3:]` are the last three.
#
# Hint: The same slices for images and labels, in the order of the statement.


# %% tags=["exercise-only", "exercise:validation_split"]
def validation_split(images, labels, held_out):
    """Training images, training labels, validation images, validation labels."""
    # solution
    # | return ...  # your code
    return images[:-held_out], labels[:-held_out], images[-held_out:], labels[-held_out:]
    # end of solution


# %% [markdown] tags=["exercise:share_right"]
# *Find the bug.* The accuracy of a model is computed in batches, since not all images fit at once. Seven images in batches of three make two batches of three and one of one. Below, the single image is right and all others are wrong: 1 of 7 is 14 %. What does the function say? Repair it.
#
# Hint: A mean of three means counts each batch alike. How many images are in the last?
#
# Hint: Count right answers over all batches, and divide once, by the number of images.
#
# Solution: The mean of batch means is right only if all batches have one size. With 10,000 images in batches of 512 the last has 272, and each of these counts almost double.


# %% tags=["exercise-only", "exercise:share_right"]
def share_right(model, images, labels, batch_size):
    """The share of right answers, 0 … 1, computed in batches."""
    # solution
    # | accuracies = []
    # | for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
    # |     accuracies.append((model(x).argmax(dim=1) == y).float().mean().item())
    # | return sum(accuracies) / len(accuracies)
    right = 0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        right += (model(x).argmax(dim=1) == y).sum().item()
    return right / len(images)
    # end of solution


logits = torch.eye(7)  # a model that gives these: image i is taken for class i
labels = torch.tensor([1, 2, 3, 4, 5, 0, 6])  # only the last is right
print(share_right(lambda x: x, logits, labels, batch_size=3))

# %% [markdown] tags=["exercise:training_step"]
# *Find the bug.* One step of training, called again and again. The training is restless: the loss swings and sometimes climbs, as if the learning rate were far too high, and a lower one only hides it. Repair the step. (It gives the loss before the step, as a number.)
#
# Hint: What does `backward` do to the gradients that are there already?
#
# Hint: It adds. So they must be set to zero once per step: before `backward`, or after `step`.
#
# Solution: Without `zero_grad` each step goes along the sum of *all* gradients so far.


# %% tags=["exercise-only", "exercise:training_step"]
def training_step(model, optimizer, images, labels):
    """One step against the gradient of the mean cross-entropy; gives the loss before it."""
    loss = F.cross_entropy(model(images), labels)
    # solution
    # | loss.backward()
    # | optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    # end of solution
    return loss.item()


# %% [markdown] tags=["exercise:smoothed_share"]
# *Predict.* Label smoothing of 0.1 with ten classes: 0.1 is taken from the right class and spread evenly over **all** ten classes. What is the target of the right class?
#
# Hint: What is left of 1, and what comes back?
#
# Hint: 0.1 spread over ten classes is 0.01 for each, the right one too.
#
# Solution: 0.9 + 0.01 = 0.91, and 0.01 for each of the others.

# %% tags=["exercise-only", "exercise:smoothed_share"]
# solution
# | smoothed_share = ...
smoothed_share = 1 - 0.1 + 0.1 / 10
# end of solution

# %% [markdown]
# The upper row is mixup, the lower one cutmix. Related, but without a second image: with **label smoothing** the target is 0.91 for the right class and 0.01 for each of the other classes (at the usual 0.1), so that the
# model has no reason to become ever more certain. The loss can then no longer reach 0.
#
# ## Overfitting, shown and cured
#
# A model with more parameters than images *can* learn the images by heart. Take only 500 images and go over them sixty times. Then do the same with flip and crop.

# %%
few = replace(
    dataset,
    train_images=torch.cat([dataset.train_images[:500], dataset.train_images[num_train:]]),
    train_labels=torch.cat([dataset.train_labels[:500], dataset.train_labels[num_train:]]),
)
long = replace(LADDER["+ Muon"], epochs=60)
seed_everything(0)
plain = quietly(VisionTransformer(MODEL), long, few)
seed_everything(0)
varied = quietly(VisionTransformer(MODEL), replace(long, flip=True, crop_padding=2), few)

# %%
plots.show_lines(
    range(1, 61),
    {
        "plain, training": plain.train_accuracy,
        "plain, validation": plain.validation_accuracy,
        "augmented, training": varied.train_accuracy,
        "augmented, validation": varied.validation_accuracy,
    },
    "epoch",
    "accuracy",
    "500 images, 60 passes",
)

# %% [markdown]
# Plain: every training image is right in the end, and half of the validation images are wrong. The gap between the two is the sign of learning by heart. Augmented: the model never sees quite the same image twice. It
# learns more slowly (its training accuracy is measured on augmented images), and for some twenty passes it is no better. But then it goes on, past 70 %, where the plain run has stopped near 50 %.
# (It also beats the ladder's runs with their 4,000 images: these took 320 steps, this one 600.)
#
# ## Precision: which numbers to multiply
#
# In 16 bits, matrix products need half the memory traffic, and recent hardware has special units for them. Two 16-bit formats are in use. One has fine steps and a small range, the other a wide range and
# coarse steps:

# %% tags=["nbval-check-output"]
print("           full precision from   largest   next after 1")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    info = torch.finfo(dtype)
    name = str(dtype).removeprefix("torch.")
    print(f"{name:9} {info.tiny:20.1e} {info.max:11.1e} {1 + info.eps:12.7f}")

tiny = torch.tensor(1e-8)
print("\n1e-8 as float16:", tiny.half().item(), "   as bfloat16:", tiny.bfloat16().item())
print("256 + 1 in bfloat16:", (torch.tensor(256.0).bfloat16() + 1).item())

# %% [markdown]
# - **float16**: below 6e-5 precision fades, and 1e-8 is simply 0. Many gradients are that small. So the loss is multiplied by a large number before the backward pass, and the gradients are divided by it
#   afterwards: *loss scaling*, PyTorch's `GradScaler`.
# - **bfloat16** has the range of float32, so gradients survive. But 256 + 1 is 256.
#
# With either, a weight kept in 16 bits would not move when its updates are small against it. So the weights stay in float32, and only the products are computed in 16 bits. That is what *autocast* does.
#
# A T4, the GPU that Colab lends for free, multiplies float16 fast. It has no unit for bfloat16: PyTorch accepts it there and emulates it, slowly. GPUs from Ampere on (2020) and some CPUs multiply bfloat16 fast.
# `pick_precision` looks at the hardware:

# %%
seed_everything(0)
model = VisionTransformer(ViTConfig(depth=4, mlp_ratio=2.0)).to(device)  # 65 tokens, width 192
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
x, y = normalize(images[:64]), labels[:64]


def step(precision):
    """One step (we only time it: on a GPU with float16 it would need loss scaling)."""
    with autocast(device, precision):
        loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()  # waits for the device


took = {}
for precision in dict.fromkeys((torch.float32, pick_precision(device))):  # each once
    times = []
    for _ in range(6):
        start = time.perf_counter()
        step(precision)
        times.append(time.perf_counter() - start)
    took[str(precision).removeprefix("torch.")] = 1000 * statistics.median(times[1:])
plots.show_bars(took, "milliseconds", f"A training step of 64 images, on {device}")

# %% [markdown]
# One bar in the saved run: that machine has no faster kind than float32. On two cores that have units for bfloat16 our model makes {{only(record("throughput").runs, model="ours", precision="bfloat16").steps_per_second / only(record("throughput").runs, model="ours", precision="float32").steps_per_second:.1f}} times as many steps per second with it (`data/results/throughput.json`).
#
# ## Where the time goes
#
# PyTorch's profiler writes down how long each operation takes, by the names that PyTorch gives them: `mm`, `addmm` and `bmm` are matrix products, `copy_` is a copy or a change of format, names
# with `backward` belong to the backward pass.

# %%
on_gpu = device.type == "cuda"
with torch.profiler.profile() as profile:
    step(pick_precision(device))
spent = {
    event.key: (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1000
    for event in profile.key_averages()
    if event.device_type.name == ("CUDA" if on_gpu else "CPU")
}
top = dict(sorted(spent.items(), key=lambda item: -item[1])[:10])
shares = {
    name.removeprefix("aten::").removeprefix("_scaled_dot_product_"): 100 * ms / sum(spent.values())
    for name, ms in top.items()
}
plots.show_bars(shares, "% of the time", "The ten operations that take longest")

# %% [markdown]
# In the saved run, in float32, the matrix products take about two thirds of the time. The rest goes to softmax, norms, GELU, additions: little arithmetic, but every number has to be read from memory and written
# back. A unit that multiplies faster shortens the first part only, and adds copies for the change of format. That is why units that multiply ten times as fast do not make training ten times as fast.
#
# The data are not in this picture: on our two cores, whole batches are augmented at {{min(run.ratio for run in record("augmentation").runs):.0f}} to {{max(run.ratio for run in record("augmentation").runs):.0f}} times the images per second of a `DataLoader` with two workers and torchvision's transforms (`benchmarks/augmentation.py`). A CPU's
# model can take neither; on a GPU it is the difference between a model that waits and one that does not.
#
# ## Stop and resume
#
# A run of hours will be interrupted: a closed laptop, a Colab session at its limit, Ctrl+C. With a `checkpoint`, `fit` writes all that the run consists of after
# each epoch and when it is interrupted. `resume=True` goes on from there.
#
# "Goes on" is meant literally: on a CPU, the weights at the end are equal, bit for bit, to those of a run that was never stopped. That needs care with random numbers. Here every
# step seeds the generators with a number made from the run's seed and the step's number, so that a step draws the same whoever takes it.
#
# Live through it: an undisturbed run first, then one that a timer interrupts, as you would with the stop button. (`fit` finishes the step it is in before it stops; a second interrupt
# does not wait.)

# %%
short = LADDER["+ flip and crop"]
folder = Path(tempfile.mkdtemp())


def new_model():
    seed_everything(0)
    return VisionTransformer(MODEL)


undisturbed = new_model()
start = time.perf_counter()
history = fit(undisturbed, dataset, short)
half = (time.perf_counter() - start) / 2

# %%
timer = threading.Timer(half, _thread.interrupt_main)
timer.start()
try:
    fit(new_model(), dataset, short, checkpoint=folder / "run.pt")
except KeyboardInterrupt as interrupt:
    print("interrupted:", str(interrupt).replace(str(folder), "…"))
timer.cancel()

# %% [markdown]
# What is in the file?

# %% tags=["nbval-check-output"]
kept = torch.load(folder / "run.pt", weights_only=True)
print(*kept, sep=", ")

# %% [markdown]
# The weights, the memory of both optimizers, where the schedules are, the scale of float16's loss, how many steps were taken, the sums and the seconds for this epoch's line, the history, and which run
# this is: another model or configuration is refused, with the names of what differs. Now the rest of the run, by a model that starts from other weights:

# %%
seed_everything(1)
resumed = VisionTransformer(MODEL)
history = fit(resumed, dataset, short, checkpoint=folder / "run.pt", resume=True)

# %% tags=["nbval-check-output"]
pairs = zip(resumed.parameters(), undisturbed.parameters(), strict=True)
print("the same weights, bit for bit:", all(torch.equal(a, b) for a, b in pairs))

# %% [markdown]
# In a terminal: Ctrl+C, and later the same command with `--resume`. A process that is killed without warning loses at most the last minute, or the epoch it was in where an epoch takes longer. (We killed {{len(record("kill_and_resume").runs):d}} runs at random
# moments and started them again, five of them from the beginning, because they had not finished an epoch: all {{len(record("kill_and_resume").runs):d}} ended with the same weights.
# {{assert sum(not run.had_state for run in record("kill_and_resume").runs) == 5}}
# {{assert all(run.same for run in record("kill_and_resume").runs)}}
# The script is `benchmarks/kill_and_resume.py`.) The same bits are promised for the same machine and settings only: another GPU adds in another order.
#
# In Colab the machine is thrown away at the end of a session, with all that is on it. Your Google Drive is not. With `True` in the next cell, data sets and the states of runs that are started afterwards land there. (Anywhere else, leave it as it is.)

# %%
KEEP_ON_DRIVE = False

if KEEP_ON_DRIVE:
    from google.colab import drive

    drive.mount("/content/drive")  # asks for your permission
    os.environ["VIT_MINIMAL_DATA"] = "/content/drive/MyDrive/vit-minimal"

# %% [markdown]
# ## Reading curves
#
# Three of the runs from the search for a learning rate, as losses:

# %%
plots.show_lines(
    range(1, PLAIN.epochs + 1),
    {f"{rate:g}": sweep[rate].train_loss for rate in (1e-5, 1e-3, 1e-1)},
    "epoch",
    "training loss",
    "Learning rate too low, right, too high",
    ("guessing: ln 10", math.log(10)),
)

# %% [markdown]
# At 1e-3 the loss falls from the first pass on. The two others stay near ln 10, little better than guessing, for opposite reasons, and the beginning tells them apart best: at 0.1 the first pass is *worse* than guessing
# (a model that is sure and wrong), at 1e-5 the curve hardly moves.
#
# | you see | the cause is (most often) | try |
# |---|---|---|
# | the loss falls, but in a straight, slow line | learning rate too low, or too few steps | 3 times the rate |
# | the loss rises above ln 10 first, and stays near it | learning rate far too high | a tenth of the rate |
# | the loss does not move from ln 10 | learning rate far too low, or the head reads the wrong token | ten times the rate; the four checks in the second part of notebook 04 |
# | the loss stays near ln 10, though one batch can be learned by heart | labels do not belong to their images | show 16 images with their labels |
# | the loss falls, then jumps up and stays there | learning rate too high or warm-up too short | half the rate, twice the warm-up, clipping |
# | the loss becomes NaN: `fit` stops and says so | the same; or float16 without loss scaling | as above; `precision="float32"` to tell |
# | training accuracy climbs, validation falls behind | learning by heart | augmentation, a smaller model, more weight decay |
# | validation is better than training | augmentation makes the training images harder, and the training figure is a mean over the epoch | nothing: it is as it should be |
# | validation jumps from epoch to epoch until the last few | learning rate still high | nothing: wait for the end of the cosine, or judge a moving average of the weights (EMA) |
# | out of memory: `fit` names a batch size | batch too large | the one it names, with a somewhat lower rate |
#
# The *exponential moving average* of the weights (EMA, `ema_decay`) is the last ingredient. Beside the weights that jump from step to step, keep their mean over the recent past, and judge that. A decay of 0.999 is a mean over
# about 1,000 steps. Early in a run that would be, mostly, the random weights from the start. So `fit` begins with shorter means: in step n the decay is at most (1 + n)/(10 + n), which is a mean over about the last ninth of all steps so far.
#
# ## Now for real
#
# These are the recipes that the package brings, each with a name:

# %% tags=["nbval-check-output"]
print("            width  depth  passes  batch  optimizer  augmentation")
for name, recipe in RECIPES.items():
    m, t = recipe.model, recipe.training
    used = [
        i
        for i in ("flip", "crop_padding", "trivial_augment", "erase", "mixup", "cutmix")
        if getattr(t, i)
    ]
    print(
        f"{name:10} {m.embed_dim:6} {m.depth:6} {t.epochs:7} {t.batch_size:6}  {t.optimizer:9}  {', '.join(used)}"
    )

# %% [markdown]
# In a terminal, in the course's folder:
#
#     python -m vit_minimal.data prepare                                                   # once, 170 MB
#     python -m vit_minimal.training --recipe cpu --dataset cifar10 --validation 5000      # to choose
#     python -m vit_minimal.training --recipe cpu --dataset cifar10                        # once, for the figure
#
# `--set learning_rate=1e-3 model.depth=6` changes settings, `--resume` goes on, `--record FILE` keeps the figures. The weights land in `data/runs/`; `load_checkpoint(path)` makes a model of
# them.
#
# | recipe | machine | time | accuracy on the {{record("cifar10_cpu_long").judged_on:s}} images |
# |---|---|---|---|
# | `cpu` | two CPU cores | {{min(run.seconds for run in records("cifar10_cpu")):.0f}} to {{max(run.seconds for run in records("cifar10_cpu")):.0f}} s | {{min(accuracies("cifar10_cpu")):.1%}} to {{max(accuracies("cifar10_cpu")):.1%}} (three seeds){{assert len(accuracies("cifar10_cpu")) == 3}} |
# | `cpu-long` | two CPU cores | {{record("cifar10_cpu_long").seconds:,.0f}} s ({{record("cifar10_cpu_long").seconds:time}}) | {{record("cifar10_cpu_long").accuracy:.1%}} (one seed) |
# | `t4`, `h200` | GPU | not measured yet | not measured yet |
#
# `cpu-long` gave the model that comes with the course (`data/checkpoints/`, with a [card](../data/README.md#checkpoints)); notebook 06 looks inside it. This is its run:

# %%
(long_run,) = read_records("../data/results/cifar10_cpu_long.json")
plots.show_lines(
    range(1, 61),
    {"training, as augmented and mixed": long_run["history"]["train_accuracy"]},
    "epoch",
    "accuracy",
    f"cpu-long: {long_run['accuracy']:.1%} on the test images at the end",
    ("test, at the end", long_run["accuracy"]),
    from_zero=True,
)

# %% [markdown]
# The training accuracy stays far below the test accuracy: in most training images there are two classes (mixup or cutmix), and the label that counts here is only the larger share.
#
# Here, at the end, is the one use of the test images in this notebook. The ladder says that the rung "+ Muon" is the best of ours, so that is the recipe we settle on.

# %%
chosen = new_model()
history = quietly(chosen, LADDER["+ Muon"])
accuracy = evaluate(chosen, dataset.test_images, dataset.test_labels)
error = math.sqrt(accuracy * (1 - accuracy) / len(dataset.test_labels))
print(f"{accuracy:.1%} ± {error:.1%} of {len(dataset.test_labels):,} test images right")

with torch.no_grad():
    shown = normalize(dataset.test_images[:200].to(device))
    guesses = chosen.eval()(shown).argmax(dim=1).cpu()
wrong = (guesses != dataset.test_labels[:200]).nonzero().flatten()[:8]
verdicts = [
    f"{dataset.class_names[guesses[i]]}, no:\n{dataset.class_names[dataset.test_labels[i]]}"
    for i in wrong.tolist()
]
plots.show_images(dataset.test_images[wrong], verdicts)

# %% [markdown]
# Far from perfect: a tiny model, 4,000 images, four passes. Some mistakes are between shapes that share parts, such as an hourglass and a triangle; others have no excuse but the budget.
#
# ## More than one GPU
#
#     torchrun --nproc-per-node=2 -m vit_minimal.training --recipe h200
#
# starts two processes. Each has the whole model, takes half of every batch, and computes its gradients. Then they average them (*DistributedDataParallel*), and take the same step:
#
#     batch ─┬─ first half  → model → gradients ─┐
#            └─ second half → model → gradients ─┴─ mean → the same step in both
#
# So it is the training that one process would do, up to rounding, in less time (a test compares the two); with augmentation the draws differ, for each process draws for its own images. If one
# process dies, all end with an error, and `--resume` goes on from the last whole epoch.
#
# ## What others get, and what we get
#
# A plain ViT with a class token, from scratch on CIFAR-10, nothing pretrained:
#
# | | accuracy on the test images |
# |---|---|
# | [tintn/vision-transformer-from-scratch](https://github.com/tintn/vision-transformer-from-scratch) | 75.5 % |
# | [UvA Deep Learning tutorial 15](https://uvadlc-notebooks.readthedocs.io) | 75.6 % |
# | [kentaroy47/vision-transformers-cifar10](https://github.com/kentaroy47/vision-transformers-cifar10) | 80 % (200 passes), 89 % (1,000) |
# | [omihub777/ViT-CIFAR](https://github.com/omihub777/ViT-CIFAR) | 90.9 % (2 h 14 min on a V100) |
# | ViT-Lite-7/4, [Hassani et al. 2021](https://arxiv.org/abs/2104.05704) | 91.4 % |
# | the plain ViT in "Vision Transformer for Small-Size Datasets", [Lee et al. 2021](https://arxiv.org/abs/2112.13492) | 93.6 % (300 passes) |
# | vitookit (a toolkit for ViTs) | 95.7 % (patch 2), 96.9 % (input enlarged to 64 × 64), 600 passes |
# | **ours, `--recipe cpu-long`** | {{record("cifar10_cpu_long").accuracy:.1%}}, {{record("cifar10_cpu_long").training.epochs:d}} passes, {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, {{record("cifar10_cpu_long").parameters / 1e6:.1f}} million parameters |
# | **ours, `--recipe cpu`** | {{min(accuracies("cifar10_cpu")):.1%}} to {{max(accuracies("cifar10_cpu")):.1%}}, {{records("cifar10_cpu")[0].training.epochs:d}} passes, {{mean(run.seconds for run in records("cifar10_cpu")):.0f}} s on two CPU cores |
#
# (The other projects' figures are their own; we did not repeat their runs.) The table is about budgets as much as about skill: passes, patch size and augmentation differ from row to row. A convolution knows
# from the start that neighbouring pixels belong together and that a thing may lie anywhere; a ViT has to learn both from the images, and 50,000 are not many.
#
# > **Keep this:** choose on validation images; compare with several seeds; measure an ingredient before you believe in it; and make sure, before a long run,
# > that it can be resumed.
#
# ## Recap
#
# - The loop is ten lines. Everything else is ingredients: an optimizer with a step for each parameter, a schedule, clipping, augmentation, a moving average of the weights.
# - Each ingredient is worth what it gives on *your* data and budget: measure with several seeds.
# - Keep the images on the device as bytes, and augment whole batches there.
# - With either 16-bit format the weights stay in float32; float16 needs loss scaling besides.
# - Find the learning rate by trying, and let it come down by the end.
#
# ## Questions
#
# **1.** Why do biases, norms, positions and the class token get no weight decay?
#
# <details><summary>Answer</summary>
#
# It is a rule of thumb. Decay keeps the matrices from growing without need. A bias or a norm's scale is a single number per channel: pulling it to zero limits what the layer can express and guards
# against little. The class token and the positions are inputs, not maps: pulled to zero they would say less.
#
# </details>
#
# **2.** Your validation accuracy is 2 points above the training accuracy. Is there a leak?
#
# <details><summary>Answer</summary>
#
# Not necessarily. Training accuracy is measured on augmented, perhaps mixed images, and as a mean over an epoch in which the model was still learning. To compare fairly, call
# `evaluate` on the training images, without augmentation, with the final weights.
#
# </details>
#
# **3.** You double the batch size. What else changes?
#
# <details><summary>Answer</summary>
#
# There are half as many steps, and each gradient is less noisy. To get as far, the steps must be longer: a learning rate between √2 and 2 times as high is the usual first try, with a longer warm-up.
# The memory for activations doubles.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 05](exercises/05_training_on_cifar10.ipynb), with checks that say what is wrong.
#
# **Next:** what has the class token learned? [Notebook 06](06_inside_the_class_token.ipynb) looks inside.
