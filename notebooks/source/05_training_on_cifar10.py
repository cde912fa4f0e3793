# %% [markdown]
# # 05 · Training on CIFAR-10: a recipe, ingredient by ingredient
#
# **After this notebook you can** train a ViT from scratch and say what each ingredient of the recipe is for, find a learning rate, read a training curve, and train a model on CIFAR-10 on your own machine, from the download to its most confident mistakes.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 55 minutes, in two sittings, and 30 more to look up and for a second visit |
# | Time to run | {{notebook_seconds("05_training_on_cifar10"):about}} on two cores of a recent server CPU, {{notebook_seconds("05_training_on_cifar10", "float32"):about}} on one core of an older one, with small models and drawn shapes (the budget called `quick`); on a T4 not measured yet |
# | Package modules | `data/`, `augment.py`, `training/` |

# %%
import contextlib
import io
import math
import statistics
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from skimage import data
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.flop_counter import FlopCounterMode

from vit_minimal import (
    RECIPES,
    History,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    diagrams,
    evaluate,
    fit,
    load_checkpoint,
    load_cifar10,
    load_dataset,
    load_image,
    patchify,
    pick_budget,
    pick_device,
    plots,
    seed_everything,
    unpatchify,
)
from vit_minimal.augment import (
    mix,
    normalize,
    random_crop,
    random_erase,
    random_flip,
    trivial_augment,
)
from vit_minimal.data import CIFAR10_CLASSES, data_root, wanted_dataset
from vit_minimal.records import read_records
from vit_minimal.training import (
    confusion_matrix,
    estimate_seconds,
    predict,
)
from vit_minimal.training.muon import newton_schulz

seed_everything(0)
device = pick_device()

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
diagrams.overview(cat)

# %% [markdown]
# You have built every part of this picture. What is missing is the **training**: the numbers in E, in the class token, in all the blocks and in the head are still random. Today they learn.
#
# Training is a loop of five stations, and everything else is an *ingredient*: something that acts at one of the five. This is the map for today.

# %%
diagrams.training_loop()

# %% [markdown]
# We start with the bare loop, and it will learn almost nothing. Then we add one ingredient after the other, measure what each is worth, and look closely at the two that matter most: the rule for the step, and its length. That is the first sitting. The second is about images. At its end, one cell fetches CIFAR-10, trains a model on it, and tells you how many of the 10,000 test images are right.
#
# ## The plain loop: how far does it get alone?
#
# First we need images. We set some of the training images aside, to judge the model by while we work.

# %%
dataset = load_dataset()
HELD_OUT, BATCH, RATE = (1_000, 50, 0.1) if pick_budget() == "quick" else (5_000, 512, 0.2)
if pick_budget() == "quick":
    dataset = dataset.first(4_000 + HELD_OUT, 1_000)
num_train = len(dataset.train_images) - HELD_OUT
print(f"{num_train:,} images to train on, {HELD_OUT:,} set aside")

names = [dataset.class_names[label] for label in dataset.train_labels[:10]]
plots.show_images(dataset.train_images[:10], names, columns=5)

# %% [markdown]
# The first line says where the images come from. In the run saved here they are drawn shapes, called **Shapes-10**, because we asked for them: anybody can repeat that run without an internet connection. If CIFAR-10 is on your disk, the cells take it, and your numbers will be quite different ones.
#
# The model is small: patches of 8 × 8 pixels make only 17 tokens. `normalize` turns bytes from 0 to 255 into floats from −1 to 1, a batch at a time. (With a GPU the cells use all of CIFAR-10, in batches of 512. The gradient of a larger batch is less noisy, so the rate is doubled, which is a cautious choice.)

# %%
MODEL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)
seed_everything(0)
model = VisionTransformer(MODEL).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)

# %% [markdown]
# And here are the five stations of the picture, in six lines. (The sixth clears the gradients, because `backward` adds to what is there.) Four **epochs** are four passes over the training images. A random answer is right for 10 % of the images. How far do four epochs get? Guess.

# %%
for epoch in range(4):
    for batch in torch.randperm(num_train, device=device).split(BATCH):  # draw
        logits = model(normalize(images[batch]))  # forward
        loss = F.cross_entropy(logits, labels[batch])  # how wrong?
        loss.backward()  # backward: a gradient for each weight
        optimizer.step()  # step: all weights move
        optimizer.zero_grad()
    accuracy = evaluate(model, images[num_train:], labels[num_train:])
    print(f"epoch {epoch + 1}: last loss {loss.item():.2f}, validation {accuracy:.1%}")

# %% [markdown]
# It runs, and it has hardly begun to learn. Everything that follows is about learning more in the same number of steps.
#
# <details><summary>Where is the DataLoader?</summary>
#
# We need none. As bytes, all of CIFAR-10's training images are 50,000 × 3 × 32 × 32 = 154 MB. We put them on the device once and cut batches out by index, so the model never waits for a disk.
#
# </details>
#
# <details><summary>In a hurry?</summary>
#
# Then start with this recipe, and come back for the reasons:
#
# ```python
# recipe = RECIPES["cpu"]  # a model, and how to train it; "t4" if you have a GPU
# model = VisionTransformer(recipe.model)
# fit(model, load_cifar10(), recipe.training)
# ```
#
# In your own code, try four things first. Use Muon for the matrices of the blocks and AdamW for everything else. Let the learning rate climb for a tenth of the steps, and then fall to zero. If you pass over the images many times, mirror and shift them. And set validation images aside to choose by.
#
# </details>
#
# ## Which images may I look at?
#
# The loop was judged by the images that we set aside, and they have a name: the **validation** images. Whatever you choose, be it a learning rate, an ingredient, or the moment to stop, choose it by them. The test images answer one question at the very end: how good is the model that I have settled on? If you choose by the test images, you keep the luckiest of many tries, and you report a number that is too good.
#
# ## What is each ingredient worth?
#
# `fit(model, dataset, config)` is the plain loop with all ingredients built in. Each is a field of `TrainingConfig`, and each can be switched off. We climb a ladder of six rungs. It begins with the plain loop, and each line of the table keeps what the lines before it have.
#
# | rung | what it adds |
# |---|---|
# | SGD with momentum | nothing: the plain loop |
# | + AdamW | another rule for the step, with a little weight decay |
# | + warm-up and cosine | the learning rate climbs from near zero, then falls back to zero |
# | + clipping | take the gradients of all parameters as one vector: if it is longer than 1, it is shortened to length 1 |
# | + Muon | a third rule, for the matrices of the blocks. AdamW keeps the rest. Rate and weight decay are Muon's own |
# | + flip and crop | the images are mirrored and shifted |
#
# Which of the five additions will give most? Write down your guess. The sections after this one explain them.

# %%
PLAIN = TrainingConfig(
    epochs=4,
    batch_size=BATCH,
    optimizer="sgd",
    learning_rate=RATE,
    warmup=0.0,
    schedule="constant",
    weight_decay=0.0,
    label_smoothing=0.0,
    clip_norm=0.0,
    flip=False,
    crop_padding=0,
    validation_images=HELD_OUT,
)

# %%
FASTER = RATE / 0.1  # every rate grows with the batch as the plain loop's does
RUNGS = {
    "SGD with momentum": {},
    "+ AdamW": {"optimizer": "adamw", "learning_rate": 2e-3 * FASTER, "weight_decay": 0.05},
    "+ warm-up and cosine": {"schedule": "cosine", "warmup": 0.1},
    "+ clipping": {"clip_norm": 1.0},
    "+ Muon": {"optimizer": "muon", "learning_rate": 1e-2 * FASTER, "weight_decay": 0.1},
    "+ flip and crop": {"flip": True, "crop_padding": 2},
}
LADDER, config = {}, PLAIN
for name, changes in RUNGS.items():
    config = replace(config, **changes)
    LADDER[name] = config

# %% [markdown]
# One run is not enough to compare by. The same recipe with another **seed** starts from other random weights, sees the images in another order, and ends at another accuracy. So each rung runs with three seeds.


# %%
def quietly(model, config, data=dataset):
    """Train without printing a line per epoch; returns the History."""
    with contextlib.redirect_stdout(io.StringIO()):
        return fit(model, data, config)


def train_new(config, seed=0):
    """The History of a new model, trained with this configuration and seed."""
    seed_everything(seed)
    return quietly(VisionTransformer(MODEL), replace(config, seed=seed))


# %%
reached = {}
for name, config in LADDER.items():
    reached[name] = [train_new(config, seed).validation_accuracy[-1] for seed in range(3)]
    mean, low, high = statistics.mean(reached[name]), min(reached[name]), max(reached[name])
    print(f"{name:22} mean {mean:6.1%}, range {low:.1%} to {high:.1%}")

# %% [markdown]
# This is measurement A: 4,000 drawn shapes, four passes, our small model. (Its first rung is the plain loop's recipe and ends higher: `fit` shuffles in another order and sets other images aside. Such luck is why we run several seeds.)
#
# A ladder belongs to its budget, its model and its data. What holds for drawn shapes need not hold for photographs. So most questions in this notebook get two answers: one that is measured while you watch, and one that we measured on CIFAR-10 and recorded. On CIFAR-10 the ladder takes half an hour. We climbed it for you, with {{record("training_ladder").trained_on:,}} images, five passes and the model of the recipe `cpu`. That is measurement B, on the right. (Each measurement has a letter. A table at the end lists them all.)
# {{assert all(rung.training.epochs == 5 and len(rung.accuracies) == 3 for rung in record("training_ladder").rungs)}}
# {{assert record("training_ladder").judged_on == "5,000 validation"}}

# %% tags=["hide-input"]
(climbed,) = read_records("../data/results/training_ladder.json")
on_record = {name: rung["accuracies"] for name, rung in zip(LADDER, climbed["rungs"], strict=True)}
ours = {"shapes10": "Shapes-10", "cifar10": "CIFAR-10"}[dataset.name]
ladders = {f"A, here: {ours}": reached, "B, recorded: CIFAR-10": on_record}
figure, panels = plt.subplots(
    1, 2, figsize=(7, 3.6), sharex=True, sharey=True, layout="constrained"
)
for panel, (title, rungs) in zip(panels, ladders.items(), strict=True):
    plots.show_dots(rungs, "validation accuracy", title, axis=panel)
means = "; ".join(f"{name} {statistics.mean(values):.2f}" for name, values in reached.items())
plots.show(f"two ladders, three dots for each rung. Means of the left one: {means}")

# %% [markdown]
# **On both sides, Muon gives the most.** On the left it almost doubles the accuracy, and on CIFAR-10 it lifts the mean from {{mean(ladder("+ clipping")):.1p}} to {{mean(ladder("+ Muon")):.1%}}. That is a comparison at equal steps, and a step with Muon is more arithmetic: a quarter more on the left, and a few per cent on the right, as the part for a second visit counts. Is the lead Muon's, or has Muon only got a better rate? We come back to that.
# {{assert below(ladder("+ clipping"), ladder("+ Muon"))}}
# {{assert mean(ladder("+ Muon")) - mean(ladder("+ clipping")) > mean(ladder("+ clipping")) - mean(ladder("SGD, constant rate"))}}
#
# **Clipping makes no difference that we can be sure of.** On the left the seeds with it lie somewhat higher, and they overlap with those without. The optimizer on that rung is AdamW. As the next section shows, it divides by the usual size of the gradients anyway: if all of them were half as long, its steps would be the same. So clipping can only tame the odd gradient that is much longer than the others. It is cheap insurance.
# {{assert overlap(ladder("+ clipping"), ladder("+ warm-up and cosine"))}}
# {{assert abs(mean(ladder("+ clipping")) - mean(ladder("+ warm-up and cosine"))) < 0.01}}
#
# **The schedule pays on CIFAR-10.** On the left, with AdamW, the difference that warm-up and cosine make is too small for three seeds to show. (With Muon the cosine pays on the shapes as well, as the part for a second visit measures.) On CIFAR-10 they give {{mean(ladder("+ warm-up and cosine")) - mean(ladder("+ AdamW")):.1p}} points.
#
# **And here is a surprise:** flip and crop *cost* more than ten points on the left, and give nothing on CIFAR-10. Is augmentation bad, then? Not in general. Our guess: four or five passes are too few to learn anything by heart, so there is nothing that augmentation could prevent, and it only makes every image harder. The second sitting puts that guess to the test.
# {{assert overlap(ladder("+ flip and crop"), ladder("+ Muon"))}}
# {{assert abs(mean(ladder("+ flip and crop")) - mean(ladder("+ Muon"))) < 0.01}}
#
# <details><summary>How far can you trust such dots?</summary>
#
# The range of three seeds shows the luck of the start. The validation images add their own luck: an accuracy p on n of them has a standard error of √(p(1 − p)/n), which is about 1.5 points at n = 1,000 and p = 60 %. And chance can play with more than the start: when we changed nothing but the *order* of the images, one seed of the rung with Muon came out nearly ten points lower. So believe a gap of ten points only if several seeds agree, as they do for Muon.
#
# </details>
#
# **In one sentence:** in our two short runs the rule for the step mattered most, and every other ingredient has to be measured for the task at hand.
#
# So what do these rules do?
#
# ## Which way should a step go?
#
# The gradient says in which direction the loss rises fastest, so we go against it. But in a narrow valley, the steepest way down points at the opposite wall and not along the floor. What would you do, if you could remember the earlier steps?
#
# Here are three answers. Each rule takes the gradient and returns a direction, and the step goes against that direction. A rule may keep a memory:


# %%
def sgd(gradient, memory):
    """No memory: straight against the gradient."""
    return gradient


def momentum(gradient, memory):
    """A sum of all gradients so far, in which the old ones fade."""
    memory["sum"] = 0.7 * memory.get("sum", 0) + gradient
    return memory["sum"]


def adam(gradient, memory):
    """The mean gradient, divided by the usual size of a gradient, number by number."""
    t = memory["t"] = memory.get("t", 0) + 1
    memory["mean"] = 0.7 * memory.get("mean", 0) + 0.3 * gradient
    memory["square"] = 0.9 * memory.get("square", 0) + 0.1 * gradient**2
    mean, square = memory["mean"] / (1 - 0.7**t), memory["square"] / (1 - 0.9**t)
    return mean / square.sqrt()


# %% [markdown]
# <details><summary>Why does Adam divide by 1 − 0.7ᵗ?</summary>
#
# Both of Adam's memories start at 0 and so are too small at first. The division by 1 − 0.7ᵗ and 1 − 0.9ᵗ makes up for that. Our memories are shorter than the usual ones, 0.9 and 0.999, because twenty steps are few. A test checks that all three take the very steps of PyTorch's optimizers.
#
# </details>
#
# All three start at the same place in a valley that is steep in y and flat in x. For each rule we tried twenty learning rates between 0.1 and 2, and show the path that is lowest on average.


# %%
def height(x, y):
    return x**2 / 60 + y**2


def descend(rule, rate, steps=20):
    """The path through the valley, from (−9, 2)."""
    point, memory = torch.tensor([-9.0, 2.0], requires_grad=True), {}
    path = [point.tolist()]
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(height(*point), point)
        with torch.no_grad():
            point -= rate * rule(gradient, memory)
        path.append(point.tolist())
    return path


paths = {}
for name, rule in {"SGD": sgd, "momentum": momentum, "Adam": adam}.items():
    tries = {step / 10: descend(rule, step / 10) for step in range(1, 21)}
    best = min(tries, key=lambda rate: sum(height(*point) for point in tries[rate]))
    paths[f"{name}, rate {best:g}"] = tries[best]
diagrams.descent(paths, height, title="Twenty steps down a valley")

# %% [markdown]
# - **SGD** (stochastic gradient descent) swings from wall to wall once or twice, and then creeps along the floor: a rate that is low enough for the steep walls is too low for the flat floor.
# - **Momentum** adds up the way along the floor, where all gradients agree, so it travels much further. Across the valley the gradients change sign and largely cancel, although it takes a while. The plain loop used it already.
# - **Adam** divides x and y each by its own usual size, so the steep and the flat direction get steps of similar length. Near the goal it runs past and turns back, because its memory of the earlier gradients still points forward. (Our valley lies along the axes, which flatters Adam: in a valley that lies askew, x and y are both steep.)
#
# **AdamW** is Adam with *weight decay*: at each step the parameters shrink a little. `fit` lets only matrices shrink.
#
# **In one sentence:** momentum remembers the way, and Adam also makes flat directions count.
#
# ## What does Muon do with a matrix?
#
# Most of a Transformer's parameters are matrices, but SGD and Adam treat a matrix as a bag of numbers. The step of a matrix W is a matrix too. Call it ΔW: after the step, an input x gives W·x + ΔW·x, so ΔW·x is what the layer does *differently* for this input. For some inputs that is a lot, and for others almost nothing. A picture of two dimensions shows it. Take all inputs x of length 1, a circle, and look at ΔW·x:

# %%
diagrams.even_step(torch.tensor([[1.4, 0.4], [0.3, 0.4]]))

# %% [markdown]
# Momentum's step turns the circle into an ellipse. The arrows inside the ellipse lie along its two axes, and their lengths are called **singular values**. The orange direction gets a long step and the blue one a short step, so the layer changes a lot along orange and hardly along blue. **Muon** ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)) takes the same step, keeps the two axes, and sets both singular values to about 1: the ellipse becomes a circle again.
#
# How uneven is a real step? Guess how many of 64 directions get at least a tenth of what the strongest one gets. We take the last step of our plain loop, for the first matrix of the MLP in block 1. `newton_schulz` is the function that evens it out.

# %%
matrix = model.blocks[0].mlp.fc1.weight
momentum_step = optimizer.state[matrix]["momentum_buffer"]  # (128, 64)
before = torch.linalg.svdvals(momentum_step)
after = torch.linalg.svdvals(newton_schulz(momentum_step[None])[0])
before, after = before / before[0], after / after[0]

plots.show_lines(
    range(1, len(before) + 1),
    {"momentum's step": before, "the same, after Newton–Schulz": after},
    "direction, sorted",
    "singular value\n(largest = 1)",
    "One step of one matrix",
    dashed=("a tenth of the largest", 0.1),
    log="y",
)
for name, spread in {"before": before, "after": after}.items():
    strong = (spread > 0.1).sum().item()
    print(f"{name}: {strong} of {len(spread)} directions get more than a tenth of the largest")

# %% [markdown]
# Note that the vertical axis is logarithmic, and that each curve is divided by its own largest value. Before, a few directions take almost everything. After, most of them take part. It is no perfect circle: `newton_schulz` comes close to one with a few matrix products, but the faintest third of the directions still lags behind.
#
# Does a weak direction hold a small but steady signal, or only noise? This figure cannot tell. What we know is that on both ladders the rung with Muon, which lets them take part, paid. In `fit`, Muon moves the matrices in the blocks, and AdamW moves everything else, both at the same rate. (That works because Muon's steps are scaled so that their numbers are about as large as AdamW's.) The ten lines of `newton_schulz` are the first thing in the part for a second visit.
#
# **In one sentence:** Muon takes momentum's step, and lets many more of its directions take part.
#
# ## How high may the learning rate be?
#
# A rule chooses the direction, and the learning rate says how far to go. Guess what a rate does that is a hundred times too low, and one that is a hundred times too high. Then try it, with AdamW: three short runs, one seed each. A rate that is far too high can make the loss infinite. `fit` then stops with a `FloatingPointError`, and the figure leaves the run out.

# %%
sweep = {}
for rate in (1e-5, 1e-3, 1e-1):
    try:
        sweep[rate] = train_new(replace(LADDER["+ clipping"], learning_rate=rate))
    except FloatingPointError:
        print(f"At {rate:g} the loss stopped being a number.")

verdicts = {1e-5: "too low", 1e-3: "works", 1e-1: "too high"}
plots.show_lines(
    range(1, PLAIN.epochs + 1),
    {f"{rate:g}: {verdicts[rate]}": sweep[rate].train_loss for rate in sweep},
    "epoch",
    "training loss",
    "AdamW at three learning rates",
    ("guessing: ln 10", math.log(10)),
    size=(5.0, 3.2),
)

# %% [markdown]
# At 0.001, the loss leaves ln 10 behind, the loss of a model that guesses. The two others end near it. The reasons are opposite. At 0.1 the first epoch is *worse* than guessing, because a model whose steps are too long soon gives some wrong class a large share. At 0.00001 the curve hardly moves.
#
# Now to the question that the ladder left open. Is Muon still ahead if each optimizer gets its best rate? In measurement C we tried up to five rates for each, on the images and the model of the ladder, with warm-up and cosine:

# %% tags=["hide-input"]
(tried,) = read_records("../data/results/learning_rates.json")
curves = {}  # {optimizer: {rate: the mean of its seeds}}
for row in tried["rows"]:
    curves.setdefault(row["optimizer"], {})[row["rate"]] = statistics.mean(row["accuracies"])
shown = {"SGD with momentum": "SGD, clipped", "SGD without clipping": "SGD, not clipped"}
panels = {"C, recorded": ("Muon", "AdamW"), "the same, SGD with momentum": tuple(shown)}
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
for axis, (title, optimizers) in zip(axes, panels.items(), strict=True):
    axis.axhline(0.1, color="black", linestyle=":", lw=1, label="guessing")
    for name in optimizers:
        style = plots.curve_style(list(curves).index(name))
        axis.plot(*zip(*curves[name].items(), strict=True), **style, label=shown.get(name, name))
        for row in (row for row in tried["rows"] if row["optimizer"] == name):
            axis.plot([row["rate"]] * 3, row["accuracies"], "o", color=style["color"], alpha=0.35)
    axis.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy", title=title)
    axis.grid(alpha=0.3)
    axis.legend()
    axis.label_outer()
best = [f"{name}: {max(means.values()):.3f} at best" for name, means in curves.items()]
title = "Muon and AdamW, and SGD with and without clipping, over the learning rate"
plots.show("Muon's hill is higher than AdamW's and lies further right; SGD stays low", title, best)

# %% [markdown]
# A dot is a seed, and a line joins the means of three. The same in numbers, with one column for each optimizer's own best rate and two for rates that all of them share:
#
# | | best of its rates | accuracy there | at {{best_rate("AdamW"):g}} | at 0.001 |
# |---|---|---|---|---|
# | Muon | {{best_rate("Muon"):g}} | **{{mean(swept("Muon")):.1%}}** | {{mean(swept("Muon", best_rate("AdamW"))):.1%}} | {{mean(swept("Muon", 0.001)):.1%}} |
# | AdamW | {{best_rate("AdamW"):g}} | **{{mean(swept("AdamW")):.1%}}** | {{mean(swept("AdamW")):.1%}} | {{mean(swept("AdamW", 0.001)):.1%}} |
# | SGD with momentum, clipped | {{best_rate("SGD with momentum"):g}} | **{{mean(swept("SGD with momentum")):.1%}}** | not tried | not tried |
# | the same, not clipped | {{best_rate("SGD without clipping"):g}} | **{{mean(swept("SGD without clipping")):.1%}}** | not tried | not tried |
#
# Best against best, Muon is far ahead, so on these shapes its lead does not come from a better rate. (The rates are a factor of three apart. In the run saved here the ladder's AdamW, at 0.002, came a little higher.) But look at the last column: at a rate of 0.001, AdamW is ahead. If we had compared the two at that one rate, we would have thrown Muon away by mistake.
#
# SGD stays behind at each of its rates. (At 0.1 it is even behind the ladder's first rung, which had a constant rate: warm-up and cosine take away half of a short run's way.) Does clipping hold it back? At 0.3 it may; the seeds overlap. But without it, the loss stops being a number at the two higher rates, and with it, the best rate gives more.
# {{assert max(swept("SGD with momentum")) < min(swept("AdamW")) and max(swept("SGD without clipping")) < min(swept("AdamW"))}}
# {{assert mean(swept("SGD without clipping")) < mean(swept("SGD with momentum")) and [row.rate for row in record("learning_rates").diverged] == [1, 3]}}
# {{assert below(swept("AdamW"), swept("Muon")) and max(swept("Muon", 0.001)) < min(swept("AdamW", 0.001))}}
# {{assert record("learning_rates").dataset == "shapes10" and all(row.training.clip_norm == 1 for row in record("learning_rates").rows if row.optimizer != "SGD without clipping")}}
#
# ## Why does the rate climb, and then fall?
#
# In its first steps, Adam judges the usual size of gradients from very few batches. Such a judgement may be far off, so these steps should be small. (That is the usual reason. How much a warm-up gives is another question, which notebook 10 puts to the test in claim 14.) At the end the model should settle: with a constant rate it keeps jumping around the place that it wants to reach. So a function says which share of the full rate each step takes:


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
# With n warm-up steps, step 0 takes 1/n of the rate and step n − 1 all of it. From there on, the cosine takes it from all to nothing.


# %% tags=["hide-input"]
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
    "warm-up, then cosine": rates(replace(config, warmup=0.1, schedule="cosine")),
}
plots.show_lines(range(200), curves, "step of 200", "learning rate", "Two schedules")

# %% [markdown]
# **In one sentence:** find the rate by trying, in factors of three or ten, for each optimizer anew, and let it come down by the end.
#
# You now have the half of a recipe that is about *steps*. **This is a good place to stop.** The second sitting is about the *images*, and ends with the real run.
#
# ## Where do more images come from?
#
# Welcome back. The first sitting was about gradients and steps, on the right of the map. Now come the stations on the left, where images go in. (Two of the boxes, label smoothing and the average of the weights, wait in the part for a second visit.)

# %%
diagrams.training_loop("images")

# %% [markdown]
# *Augmentation* shows the model another variant of each image each time. Only changes that keep the class are allowed: a mirrored horse is a horse, but a mirrored 3 is no longer a 3. Here is our cat at 32 × 32 pixels, and what four kinds of augmentation make of it:

# %%
seed_everything(410)  # draws that can be told apart
four = cat.expand(4, -1, -1, -1)
variants = {
    "original": normalize(four[:1]),
    "flip": normalize(random_flip(four[:1])),
    "crop": normalize(random_crop(four[:2], 4)),
    "trivial": normalize(trivial_augment(four)),
    "erase": random_erase(normalize(four), 1.0),
}
titles = [name for name, images_of in variants.items() for _ in images_of]
plots.show_images(torch.cat(list(variants.values())), titles, columns=4, size=1.7)

# %% [markdown]
# Most recipes use the first two. A *flip* mirrors the image. A *crop* puts a black frame around it and cuts a window of the original size out, at a random place. *Trivial* is TrivialAugment ([Müller and Hutter 2021](https://arxiv.org/abs/2103.10158)): one operation, such as brightness, rotation or shear, with both the operation and its strength drawn at random. *Erase* greys out a box ([Zhong et al. 2020](https://arxiv.org/abs/1708.04896)), so that no single part decides.
#
# ## When does augmentation pay?
#
# On the ladder, flip and crop cost accuracy. Our guess was that four passes are too few to learn anything by heart. If that is right, the opposite must help: few images, seen often. So what happens if a model sees only 500 images, but sixty times? With enough parameters it can learn them by heart and still do badly on new ones, which is called **overfitting**. This is measurement D, without augmentation and with flip and crop:

# %%
few = replace(  # 1,500 images, of which `fit` will set 1,000 aside
    dataset,
    train_images=torch.cat([dataset.train_images[:500], dataset.train_images[num_train:]]),
    train_labels=torch.cat([dataset.train_labels[:500], dataset.train_labels[num_train:]]),
)
long = replace(LADDER["+ Muon"], epochs=60, batch_size=50, learning_rate=1e-2)
seed_everything(0)
plain = quietly(VisionTransformer(MODEL), long, few)
seed_everything(0)
varied = quietly(VisionTransformer(MODEL), replace(long, flip=True, crop_padding=2), few)

# %% tags=["hide-input"]
histories = {"D: 500 images, as they are": plain, "D: with flip and crop": varied}
figure, panels = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
for panel, (title, history) in zip(panels, histories.items(), strict=True):
    curves = {"training": history.train_accuracy, "validation": history.validation_accuracy}
    plots.show_lines(range(1, 61), curves, "epoch", "accuracy", title, axis=panel)
    panel.label_outer()
plots.show("500 images: the gap between training and validation is smaller with flip and crop")

# %% [markdown]
# On the left, the model gets every training image right in the end, and nearly half of the validation images wrong. This gap is the sign of learning by heart. On the right, each image comes in up to 50 variants: 25 places for the window, each mirrored or not. The model learns more slowly, and for some twenty epochs it is no better. But then it climbs past 70 %, while the other stopped near 50 %.
#
# Photographs show the same, though less. Measurement E is recorded: {{record("where_augmentation_pays").trained_on:,}} images of CIFAR-10, {{record("where_augmentation_pays").settings[0].training.epochs:d}} passes, the small model with learned positions, three seeds. There, flip and crop lift the mean of three seeds from {{mean(augmented("without flip and crop")):.1p}} to {{mean(augmented("flip and crop (base)")):.1%}}. Stronger kinds wait in the part for a second visit.
# {{assert below(augmented("without flip and crop"), augmented("flip and crop (base)"))}}
#
# Note what changed between the ladder and this run: there are fewer images, and there are more steps. We have not taken the two apart, and D is one seed. (E has three, and agrees.)
#
# **In one sentence:** augmentation paid where a model saw few images often, and did not pay where it saw each image a few times only.
#
# ## Why can a ViT skip half of an image, and a CNN cannot?
#
# An ordinary convolution needs all pixels of a rectangle. You can paint some of them grey, but that saves no work. A ViT reads a *set* of tokens. Each token carries its position, attention takes any number of tokens, and the class token does not care how many there are. So you can leave patches out, and the arithmetic shrinks with them. **Patch dropout** ([Liu et al. 2022](https://arxiv.org/abs/2208.07220)) trains on a random part of each image's patches. It is a few lines of code:


# %% tags=["same-as:vit_minimal.training.patch_dropout.PatchDropout"]
# vit_minimal/training/patch_dropout.py
class PatchDropout(nn.Module):
    """Keep, in each image, a random part of the patches: tokens (B, T, D) → (B, T′, D)."""

    def __init__(self, rate, num_prefix=1):
        super().__init__()
        self.rate, self.num_prefix = rate, num_prefix

    def forward(self, tokens):
        if not self.training:
            return tokens
        B, T, D = tokens.shape
        N = T - self.num_prefix
        kept = max(1, round(N * (1 - self.rate)))
        lots = torch.rand(B, N, device=tokens.device)
        chosen = lots.argsort(dim=1)[:, :kept] + self.num_prefix  # (B, kept)
        patches = tokens.gather(1, chosen[:, :, None].expand(B, kept, D))
        return torch.cat([tokens[:, : self.num_prefix], patches], dim=1)


# %% [markdown]
# To see what it leaves of our cat, we give it numbers instead of tokens: the class token is 0 and the patches are 1 to 64. The numbers that come out are the patches that stay.

# %%
seed_everything(0)
numbers = torch.arange(65.0).reshape(1, 65, 1)  # (B, T, D) with D = 1
patches = patchify(normalize(cat[None]), 4)  # (1, 64, 48)
pictures = []
for rate in (0.0, 0.25, 0.5, 0.75):
    kept = PatchDropout(rate)(numbers).flatten()[1:].long() - 1
    shown = torch.zeros_like(patches)  # grey
    shown[:, kept] = patches[:, kept]
    pictures.append(unpatchify(shown, 4, 32))
titles = ["all patches", "25 % left out", "50 % left out", "75 % left out"]
plots.show_images(torch.cat(pictures), titles, columns=4, size=1.7)

# %% [markdown]
# Could you still tell? For the model of the recipe `cpu`, a step on half of the 64 patches takes {{record("patch_dropout_cost").ratios[1]:.3f}} of the time of a step on whole images. (It is less than half, because with half of the tokens there are only a quarter of the pairs that attend to each other.) So you can make more than twice as many passes in the same time. The last pass should be over whole images, because the model will be judged on those: `TrainingConfig(patch_drop_rate=0.5, whole_epochs=1)`.
#
# Does it pay? The fair comparison is at equal time. The recipe `cpu` makes {{records("cifar10_cpu")[0].training.epochs:d}} passes, all but the last over halves, which take as long as {{records("cifar10_cpu")[0].training.epochs - 1:d}} × {{record("patch_dropout_cost").ratios[1]:.3f}} + 1 = {{record("patch_dropout_cost").whole_passes_of_cpu:.1f}} passes over whole images. Guess which side wins:
#
# | CIFAR-10, test images, equal time of the steps | three seeds |
# |---|---|
# | **G** {{records("cifar10_cpu")[0].training.epochs:d}} passes, all but the last over half of the patches | {{min(accuracies("cifar10_cpu")):.1p}} to {{max(accuracies("cifar10_cpu")):.1%}} |
# | **I** {{records("cifar10_seven_whole_passes")[0].training.epochs:d}} passes over whole images | {{min(accuracies("cifar10_seven_whole_passes")):.1p}} to {{max(accuracies("cifar10_seven_whole_passes")):.1%}} |
#
# The halves win, by {{mean(accuracies("cifar10_cpu")) - mean(accuracies("cifar10_seven_whole_passes")):.1p}} points on average. These are test images, after training on all 50,000. The validation images say the same: with 45,000 to train on, the halves give {{record("real_run").history.validation_accuracy[-1]:.1%}} and the whole images {{max(accuracies("cifar10_seven_whole_passes_validation")):.1%}}, at the better of two rates (one seed each).{{assert max(accuracies("cifar10_seven_whole_passes_validation")) == records("cifar10_seven_whole_passes_validation")[1].accuracy and records("cifar10_seven_whole_passes_validation")[1].training.learning_rate == records("cifar10_seven_whole_passes")[0].training.learning_rate}} Why do halves win? Twice as many steps may be one reason. Another may be that each pass shows another half of an image, which is a kind of augmentation. We have not told the two apart.
# {{assert len(accuracies("cifar10_seven_whole_passes")) == 3 and max(accuracies("cifar10_seven_whole_passes")) < min(accuracies("cifar10_cpu"))}}
# {{assert all(run.training.epochs == 7 and run.training.patch_drop_rate == 0 and run.training.validation_images == 0 for run in records("cifar10_seven_whole_passes"))}}
# {{assert record("patch_dropout_cost").rates[1] == 0.5 and records("cifar10_cpu")[0].training.patch_drop_rate == 0.5 and records("cifar10_cpu")[0].training.whole_epochs == 1}}
# {{assert record("real_run").training.patch_drop_rate == 0.5}}
#
# **In one sentence:** a ViT can train on a part of each image, which makes steps cheaper, and whether more of the cheaper steps are worth it has to be measured at equal time.
#
# ## The real run: CIFAR-10 on your machine
#
# Now everything comes together. If `TRAIN_NOW` is true, the next cell fetches CIFAR-10 once, which is 170 MB and takes between seconds and a minute. With a GPU, it is on by default. Otherwise you see measurement F, a run that we recorded, in the same figures.

# %%
TRAIN_NOW = pick_budget() == "full" and wanted_dataset() != "shapes10"
# TRAIN_NOW = True  # on a CPU, remove the first # of this line to fetch CIFAR-10 and train

if TRAIN_NOW:
    try:
        cifar10 = load_cifar10()
    except OSError as error:
        TRAIN_NOW = False
        print(f"{error}\nSo you see the recorded run. data/README.md says how to get CIFAR-10.")

# %% [markdown]
# This cell takes the recipe that suits your machine, says how long it will take, and trains. You may stop it: run the cell again, and it resumes where it stopped. (The recipe for a CPU is measurement F. The one for a GPU, `t4`, has not run on a GPU yet, so its minutes are an estimate.)

# %%
if TRAIN_NOW:
    chosen = "t4" if device.type == "cuda" else "cpu"
    config = replace(RECIPES[chosen].training, validation_images=5_000)
    seed_everything(config.seed)
    model = VisionTransformer(RECIPES[chosen].model)
    minutes = estimate_seconds(model, cifar10, config) / 60
    print(f"Recipe {chosen}: {config.epochs} epochs, about {minutes:.0f} minutes")
    state = data_root() / "runs" / f"notebook-05-{chosen}.state.pt"
    state.parent.mkdir(parents=True, exist_ok=True)
    history = fit(model, cifar10, config, checkpoint=state, resume=True)
    counts = confusion_matrix(model, cifar10.test_images, cifar10.test_labels)
else:
    (recorded,) = read_records("../data/results/real_run.json")
    history, counts = History(**recorded["history"]), torch.tensor(recorded["confusion"])

# %% [markdown]
# Its ingredients are those that you have met today. (On a GPU the recipe is `t4`, which has some from the second visit on top.)

# %%
settings = vars(config) if TRAIN_NOW else recorded["training"]
for name in (
    *("epochs", "batch_size", "validation_images"),
    *("optimizer", "weight_decay", "clip_norm", "learning_rate", "warmup", "schedule"),
    *("flip", "crop_padding", "patch_drop_rate", "whole_epochs"),
):
    print(f"{name:18} {settings[name]}")

# %% [markdown]
# And here are the curve and the number. Two things look odd and are not. Validation lies above training for most of the run, because training accuracy is measured on harder images: half of the patches are missing, and they are flipped and cropped too. And training accuracy jumps above validation in the shaded epoch at the end, which trains on whole images that are still flipped and cropped. So the missing patches probably made most of the difference. (In that epoch the rate also falls to zero.)

# %%
accuracy = counts.trace().item() / counts.sum().item()
title = f"CIFAR-10: {accuracy:.1%} of the test images, at the end"
curves = {"training": history.train_accuracy, "validation": history.validation_accuracy}
figure, axis = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
if settings["patch_drop_rate"]:
    first_whole = settings["epochs"] - settings["whole_epochs"] + 0.5
    axis.axvspan(first_whole, settings["epochs"] + 0.5, color="lightgray", label="whole images")
epochs = range(1, len(history.train_accuracy) + 1)
plots.show_lines(epochs, curves, "epoch", "accuracy", title, axis=axis)
ends = [f"{name} ends at {values[-1]:.2f}" for name, values in curves.items()]
plots.show("two rising curves, accuracy over epochs", title, ends)

# %% [markdown]
# Measurement F used the recipe `{{record("real_run").recipe:s}}`: {{record("real_run").parameters / 1e6:.1f}} million parameters, one seed, {{record("real_run").seconds:time}} on one thread of a two-core machine that had other work to do. It ends at {{record("real_run").accuracy:.1%}}, a little less than the three runs of measurement G, probably because it held out 5,000 of the 50,000 images for the validation curve. The test images were used once, at the end, and nothing was chosen by looking at them.{{assert record("real_run").dataset == "cifar10" and record("real_run").judged_on == "10,000 test" and "2 cores, cpu" in record("real_run").hardware}}{{assert record("real_run").training.validation_images == 5000 and record("real_run").training.flip and record("real_run").training.patch_drop_rate == 0.5}}{{assert sum(v > t for v, t in zip(record("real_run").history.validation_accuracy, record("real_run").history.train_accuracy)) > record("real_run").training.epochs / 2}}
#
# Which classes are hard, and what are they taken for? A **confusion matrix** counts that. Its rows are the true classes and its columns the model's answers. The right answers, on the diagonal, are left white, so that the mistakes stand out.

# %% tags=["hide-input"]
shares = 100 * counts / counts.sum(dim=1, keepdim=True)
mistakes = shares - shares.diagonal().diag()
title = "Of 100 images of a class, how many get which answer"
figure, axis = plt.subplots(figsize=(6.9, 6.2), layout="constrained")
limit = mistakes.max().item()
plots.show_matrix(shares.round(), CIFAR10_CLASSES, CIFAR10_CLASSES, title, axis=axis, limit=limit)
axis.set(xlabel="answer", ylabel="true class")
axis.tick_params("x", rotation=45)
for i, share in enumerate(shares.diagonal().tolist()):
    axis.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, color="white"))
    axis.text(i, i, f"{share:.0f}", ha="center", va="center", fontsize=9, weight="bold")
plots.show("a table of 10 × 10 numbers; bright cells off the white diagonal are mistakes", title)

# %% [markdown]
# In the recorded run, the class that the model knows best is *{{max(zip([row[i] / sum(row) for i, row in enumerate(record("real_run").confusion)], record("real_run").class_names))[1]:s}}*, with {{max([row[i] / sum(row) for i, row in enumerate(record("real_run").confusion)]):.0%}} right answers, and the hardest is *{{min(zip([row[i] / sum(row) for i, row in enumerate(record("real_run").confusion)], record("real_run").class_names))[1]:s}}*, with {{min([row[i] / sum(row) for i, row in enumerate(record("real_run").confusion)]):.0%}}. The most frequent mistake is *{{record("real_run").class_names[max((row[j] / sum(row), i, j) for i, row in enumerate(record("real_run").confusion) for j in range(10) if i != j)[1]]:s}}* taken for *{{record("real_run").class_names[max((row[j] / sum(row), i, j) for i, row in enumerate(record("real_run").confusion) for j in range(10) if i != j)[2]]:s}}*: it happens to {{max((row[j] / sum(row), i, j) for i, row in enumerate(record("real_run").confusion) for j in range(10) if i != j)[0]:.0%}} of the images of that class.
#
# Last, the mistakes of which the model is most certain. If you trained, you see their pictures: would you have been sure? Of the recorded run we show words only, because this course does not redistribute CIFAR-10's pictures.

# %%
if TRAIN_NOW:
    shares, answers = predict(model, cifar10.test_images).softmax(dim=1).max(dim=1)
    wrong = shares.masked_fill(answers == cifar10.test_labels, 0).topk(8).indices
    names = [
        f"{CIFAR10_CLASSES[cifar10.test_labels[i]]}, not\n{CIFAR10_CLASSES[answers[i]]}"
        for i in wrong
    ]
    plots.show_images(cifar10.test_images[wrong], names, columns=4, size=1.6)
else:
    for mistake in recorded["worst_mistakes"]:
        certain = f"{mistake['share']:.1%}"
        print(f"{mistake['class']:10} taken for {mistake['answer']:10} with {certain}")

# %% [markdown]
# What does a trained model say to photographs that are not CIFAR-10's at all? Here are five that come with scikit-image, at 32 × 32 pixels, and the first answer of the model of measurement H, which comes with this course. CIFAR-10 has no rocket, no cup and no person among its ten classes. What would *you* answer, if you had to choose one?

# %%
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
files = ("chelsea.png", "horse.png", "rocket.jpg", "coffee.png", "astronaut.png")
photos = torch.stack([load_image(Path(data.__file__).with_name(file), 32) for file in files])
shares, answers = predict(shipped, photos).softmax(dim=1).max(dim=1)
titles = [
    f"{CIFAR10_CLASSES[answer]}, {share:.0%}"
    for answer, share in zip(answers, shares.tolist(), strict=True)
]
plots.show_images(photos, titles, columns=5, size=1.4)

# %% [markdown]
# It knows the cat, and even the silhouette of a horse. The rocket becomes a ship. And it is rather sure that the cup of coffee is an automobile. (Is it the two round spots below the cup, like wheels? That is only a guess.) A classifier must choose one of its classes, so a high share does not mean that it has seen such a thing before.
#
# In a terminal, a run is one line: `python -m vit_minimal.training --recipe cpu --dataset cifar10`. With `--recipe cpu-long` it becomes a run of two hours, measurement H, which produced the course's model ([its card](../data/README.md#checkpoints)), the one that notebook 06 opens up. The GPU recipes `t4` and `h200` have not been measured yet.{{assert 6300 < record("cifar10_cpu_long").seconds < 8100}}
#
# A long run should also be fast, and survive a closed laptop. Notebook [11](11_faster_and_safer_training.ipynb) is about both.

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
# ## Recap
#
# - The loop has five stations, in six lines. Everything else is ingredients: an optimizer, a schedule, clipping, augmentation, fewer patches.
# - Each ingredient is worth what it gives with *your* data and budget. Measure it with several seeds.
# - Muon evens out the singular values of each matrix's step, and it gave the most on both of our ladders.
# - Find the learning rate by trying, and let it come down by the end.
# - Augmentation paid where a model saw few images often, and not where it saw each image a few times only.
# - A ViT reads a set of patches, so it can skip some of them, and each step takes less time: less than half of it, for the recipe `cpu` on half of the patches.
#
# > **Remember:** choose on validation images, compare with several seeds, measure an ingredient before you believe in it, and touch the test images once.
#
# ## Questions
#
# **1.** Why do biases, norms, positions and the class token get no weight decay?
#
# <details><summary>Answer</summary>
#
# It is a rule of thumb. Decay keeps the matrices from growing without need. A bias or a norm's scale is a single number per channel: pulling it to zero limits what the layer can express and guards against little. The class token and the positions are inputs, not maps: pulled to zero they would say less.
#
# </details>
#
# **2.** Your validation accuracy is 2 points above the training accuracy. Is there a leak?
#
# <details><summary>Answer</summary>
#
# Not necessarily. Training accuracy is measured on augmented, perhaps mixed images, and as a mean over an epoch in which the model was still learning. To compare fairly, call `evaluate` on the training images, without augmentation, with the final weights.
#
# </details>
#
# **3.** You double the batch size. What else changes?
#
# <details><summary>Answer</summary>
#
# There are half as many steps, and each gradient is less noisy. To get as far, the steps must be longer: a learning rate between √2 and 2 times as high is the usual first try, with a longer warm-up. The memory for activations doubles.
#
# </details>
#
# **4.** Why does Muon not handle the class token, the biases and the norms?
#
# <details><summary>Answer</summary>
#
# They are vectors. A vector, taken as a matrix with one row, has a single singular value, so Newton–Schulz would only fix its length: no direction is there to be brought up.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 05](exercises/05_training_on_cifar10.ipynb), with checks that say what is wrong.
#
# **Next:** what has the class token learned? [Notebook 06](06_inside_the_class_token.ipynb) looks inside.
#
# ---
#
# # To look up, and for a second visit
#
# The first reading ends here. Next come two pages to look things up: sick curves, and what others get. After them, each section stands alone and waits until you need it: Muon's arithmetic, crops, mixed images, averages.
#
# ## What does a sick curve look like?
#
# You have seen most of the curves below today: 0 was the learning rate that worked, 2 and 3 were the two wrong ones, 5 was the model that learned 500 images by heart, and 6 was the real run before its last epoch. Here they are once more, as sketches, with three others that you may meet. Curves 0 to 4 show a loss, and 5 to 7 an accuracy. (6 and 7 look odd, but are healthy.)

# %%
diagrams.curve_gallery()

# %% [markdown]
# | you see | the cause is (most often) | try |
# |---|---|---|
# | **1** the loss falls, but in a straight, slow line | learning rate too low, or too few steps | 3 times the rate |
# | **2** the loss starts or rises above ln 10, and stays near it | learning rate far too high | a tenth of the rate |
# | **3** the loss does not move from ln 10 | learning rate far too low; or a part of the model gets no gradient; or labels do not belong to their images | ten times the rate; the four checks in the second part of notebook 04; show 16 images with their labels |
# | **4** the loss falls, then jumps up and stays there | learning rate too high or warm-up too short | half the rate, twice the warm-up, clipping |
# | **5** training accuracy climbs, validation falls behind | learning by heart | augmentation, a smaller model, more weight decay |
# | **6** validation is better than training | augmentation or missing patches make the training images harder, and the training accuracy is a mean over the epoch | nothing: it is as it should be |
# | **7** validation jumps from epoch to epoch until the last few | learning rate still high | nothing: wait for the end of the cosine, or judge the average of the weights (EMA) |
# | the loss becomes NaN: `fit` stops and says so | as for 4; or float16 without loss scaling (notebook 11) | as for 4; `precision="float32"` to tell |
# | out of memory: `fit` names a batch size | batch too large | the one it names, with a somewhat lower rate |
#
# ## What others get, and what we get
#
# A plain ViT with a class token, from scratch on CIFAR-10, nothing pretrained. The other projects' figures are their own; we did not repeat their runs.
#
# | | accuracy on the test images |
# |---|---|
# | [UvA Deep Learning tutorial 15](https://uvadlc-notebooks.readthedocs.io/en/latest/tutorial_notebooks/tutorial15/Vision_Transformer.html) | 75.6 % |
# | **ours, `--recipe cpu`** (G) | {{min(accuracies("cifar10_cpu")):.1%}} to {{max(accuracies("cifar10_cpu")):.1%}}{{assert len(accuracies("cifar10_cpu")) == 3}} (three seeds), {{records("cifar10_cpu")[0].training.epochs:d}} epochs, most of them over half of the patches, {{records("cifar10_cpu")[0].parameters / 1e6:.1f}} million parameters |
# | [kentaroy47/vision-transformers-cifar10](https://github.com/kentaroy47/vision-transformers-cifar10) | 80 % (200 epochs), 89 % (1,000) |
# | **ours, `--recipe cpu-long`** (H) | {{record("cifar10_cpu_long").accuracy:.1%}} (one seed), {{record("cifar10_cpu_long").training.epochs:d}} epochs, {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, {{record("cifar10_cpu_long").parameters / 1e6:.1f}} million parameters |
# | [omihub777/ViT-CIFAR](https://github.com/omihub777/ViT-CIFAR) | 90.9 % (2 h 14 min on a V100) |
# | [vitookit](https://github.com/erow/vitookit) (a toolkit for ViTs) | 95.7 % (patch 2), 96.9 % (input enlarged to 64 × 64), 200 epochs of three variants of each image |
#
# <details><summary>Three more</summary>
#
# | | accuracy on the test images |
# |---|---|
# | [tintn/vision-transformer-from-scratch](https://github.com/tintn/vision-transformer-from-scratch) | 75.5 % |
# | ViT-Lite-7/4, [Hassani et al. 2021](https://arxiv.org/abs/2104.05704) | 91.4 % |
# | the plain ViT in "Vision Transformer for Small-Size Datasets", [Lee et al. 2021](https://arxiv.org/abs/2112.13492) | 93.6 % (100 epochs of three variants of each image, as its code has it) |
#
# </details>
#
# The table is about budgets as much as about skill: epochs, patch size and augmentation differ from row to row. Between our own two rows, the second has six times as many parameters, more than four times as many passes, whole images, stronger augmentation and an average of the weights. We have not measured which of these carries it from 80 to 89 %. A convolution knows from the start that neighbouring pixels belong together and that a thing may lie anywhere. A ViT has to learn both from the images, and 50,000 are not many.
#
# <details><summary>What each lettered number stands on</summary>
#
# | | the question | images | passes | model | where, and how often |
# |---|---|---|---|---|---|
# | **A** | what is each ingredient worth? | 4,000 drawn shapes | 4 | small | here, 3 seeds |
# | **B** | and on photographs? | {{record("training_ladder").trained_on:,}} of CIFAR-10 | 5 | recipe `cpu` | recorded, 3 seeds |
# | **C** | which optimizer wants which rate? | 4,000 drawn shapes | 4 | small | recorded, 3 seeds |
# | **D** | when does augmentation pay? | 500 drawn shapes | 60 | small | here, 1 seed |
# | **E** | and on photographs? | {{record("where_augmentation_pays").trained_on:,}} of CIFAR-10 | {{record("where_augmentation_pays").settings[0].training.epochs:d}} | small, learned positions | recorded, 3 seeds |
# | **F** | the real run, with its curve | 45,000 of CIFAR-10 | {{record("real_run").training.epochs:d}} | recipe `cpu` | recorded, 1 seed |
# | **G** | what does the recipe `cpu` reach? | 50,000 of CIFAR-10 | {{records("cifar10_cpu")[0].training.epochs:d}} | recipe `cpu` | recorded, 3 seeds |
# | **H** | how far do two hours get? | 50,000 of CIFAR-10 | {{record("cifar10_cpu_long").training.epochs:d}} | recipe `cpu-long` | recorded, 1 seed |
# | **I** | and with whole images only? | 50,000 of CIFAR-10 | {{records("cifar10_seven_whole_passes")[0].training.epochs:d}} | recipe `cpu` | recorded, 3 seeds |
#
# A to E are judged on validation images. F to I are judged on the 10,000 test images, once, at the end. The optimizer is part of the question in A to C, and Muon in all others. *Small* is the model of the plain loop.{{assert record("real_run").training.validation_images == 5000 and record("learning_rates").trained_on == 4000}}
#
# </details>
#
# ## How does Muon even out a step without a slow decomposition?
#
# A singular value decomposition would do it, but it takes long. There is a trick that needs matrix products only: the polynomial a·s + b·s³ + c·s⁵, applied to a matrix, moves each singular value s and leaves the directions alone. Repeated, it is called a *Newton–Schulz iteration*. Here is what five rounds make of five singular values:

# %% tags=["nbval-check-output"]
COEFFICIENTS = 3.4445, -4.7750, 2.0315  # Muon's choice: small values grow fast
ROUNDS = 5

a, b, c = COEFFICIENTS
values = torch.tensor([0.001, 0.01, 0.1, 0.5, 1.0])
print("before", [round(value, 3) for value in values.tolist()])
for _ in range(ROUNDS):
    values = a * values + b * values**3 + c * values**5
print("after ", [round(value, 2) for value in values.tolist()])

# %% [markdown]
# The largest was a thousand times the smallest, and now it is less than twice as large. The values need not end at exactly 1: Muon's coefficients are chosen for speed, and any value between 0.002 and 1 ends between 0.68 and 1.2. Smaller ones stay behind, because five rounds can lift a value by a factor of at most 3.44⁵, some 480. These are the faint directions in the figure of the first part. For a whole matrix X, s³ becomes X Xᵀ X, and the rest is bookkeeping:


# %% tags=["same-as:vit_minimal.training.muon.newton_schulz"]
# vit_minimal/training/muon.py
def newton_schulz(matrices, dtype=torch.float32):
    """Matrices (k, m, n) with the same singular vectors, whose singular values lie near 1."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(dtype)  # the square of the shorter side is cheaper
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)  # no singular value beyond 1
    for _ in range(ROUNDS):
        square = x @ x.mT
        # x = a·x + (b·square + c·square·square)·x, for all matrices of the stack at once
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


# %% [markdown]
# (`torch.baddbmm(x, y, z, beta=a, alpha=c)` is a·x + c·(y @ z), for a stack of matrices.) The first division makes sure that no singular value begins above 1. That is on the safe side: from about 1.26 on, the polynomial makes a value grow without end.
#
# What does it cost? We count the multiplications and additions of forward and backward, and those of Newton–Schulz, for our small model and for the recipe `cpu` on whole images:


# %%
def share_of_muon(config, batch):
    """The arithmetic of Newton–Schulz, as a share of that of forward and backward."""
    counted = VisionTransformer(config).to(device)
    with FlopCounterMode(display=False) as training:
        F.cross_entropy(counted(normalize(images[:batch])), labels[:batch]).backward()
    with FlopCounterMode(display=False) as evening:
        for parameter in counted.blocks.parameters():
            if parameter.ndim == 2:
                newton_schulz(parameter.detach()[None])
    return evening.get_total_flops() / training.get_total_flops()


cpu = RECIPES["cpu"]
print(f"small model, batches of {BATCH}: Muon adds {share_of_muon(MODEL, BATCH):.0%}")
size = cpu.training.batch_size
print(f"recipe cpu, batches of {size}: Muon adds {share_of_muon(cpu.model, size):.0%}")

# %% [markdown]
# Newton–Schulz is the same work for any batch, so the share falls as the batch grows.
#
# Muon is for the matrices of the blocks only. E and the head are matrices too, but they are the first and the last layer, and for those Jordan et al. advise AdamW. PyTorch has had Muon since version 2.9, and a test makes sure that ours takes the same steps. (In which sense is such a step the steepest? If the size of a matrix is measured by its largest singular value, then the step of a given size that lowers the loss most, to first order, is the one whose singular values are all equal, as [Bernstein and Newhouse 2024](https://arxiv.org/abs/2409.20325) show.)
#
# ## How is a whole batch cropped without a loop?
#
# In one dimension, with a frame of 2, `0 0 a b c 0 0` gives `0 a b` if the window begins at 1. Each image of the batch draws its own window, without a Python loop: `gather` picks, for every output pixel, the column or the row that it comes from.


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
# ## Do stronger ingredients help, where images are few?
#
# You saw *trivial* and *erase* on the cat. Look at your classes before you use them: a *plus* that is turned by 30° is closer to a *cross*, and both are classes of Shapes-10.
#
# Two more kinds change the label as well. **Mixup** ([Zhang et al. 2018](https://arxiv.org/abs/1710.09412)) blends two images, and **cutmix** ([Yun et al. 2019](https://arxiv.org/abs/1905.04899)) puts a box of one into the other. The label becomes a mixture in the same ratio, such as "70 % ring, 30 % plus". The ratio is drawn from a Beta(α, α) distribution. With α = 1 every ratio is equally likely, and with α = 0.2 most images stay nearly pure. Below, the upper row is mixup and the lower one cutmix. (The share counts pixels. A box may hold many pixels of the other image and little of its shape.)

# %%
picked = [0, 1, 5, 7]
some, some_labels = normalize(dataset.train_images[picked]), dataset.train_labels[picked]


def in_words(target):
    """The two largest shares of a mixed label, in words."""
    shares, classes = target.topk(2)
    lines = [
        f"{share:.0%} {dataset.class_names[number]}"
        for share, number in zip(shares.tolist(), classes.tolist(), strict=True)
    ]
    return "\n".join(lines)


seed_everything(3)
blended, blended_targets = mix(some, some_labels, 10, mixup=1.0)
boxed, boxed_targets = mix(some, some_labels, 10, cutmix=1.0)
titles = [in_words(target) for target in torch.cat([blended_targets, boxed_targets])]
plots.show_images(torch.cat([blended, boxed]), titles, columns=4, size=1.6)

# %% [markdown]
# **Label smoothing** is related, but needs no second image: at the usual 0.1 the target is 0.91 for the right class and 0.01 for each of the other nine, so that the model has no reason to become ever more certain.
#
# What do they give where learning by heart is possible? Measurement E tells. Flip and crop are the base, with the dotted line at their mean. Each row below adds one ingredient to it. (The average of the weights is explained in the next section.)

# %% tags=["hide-input"]
(recorded_gains,) = read_records("../data/results/where_augmentation_pays.json")
gains = {row["setting"]: row["accuracies"] for row in recorded_gains["settings"]}
figure, axis = plt.subplots(figsize=(6, 4.8), layout="constrained")
axis.axvline(statistics.mean(gains["flip and crop (base)"]), color="gray", linestyle=":")
title = f"E, recorded: CIFAR-10, {recorded_gains['trained_on']:,} images"
plots.show_dots(gains, "validation accuracy", title, axis=axis)
means = "; ".join(f"{name} {statistics.mean(values):.2f}" for name, values in gains.items())
plots.show(f"a row of three dots for each ingredient. Means: {means}", title)

# %% [markdown]
# Flip and crop pay, but stronger augmentation does not. No other ingredient adds anything that shows, mixup and patch dropout may cost a little, and the two strongest kinds of augmentation cost something, in each of the three seeds: TrivialAugment ends at {{mean(augmented("+ TrivialAugment")):.1%}} and cutmix at {{mean(augmented("+ cutmix")):.1%}}. We suppose that they make the images too hard for so short a run. The recipe `cpu-long`, which has both, makes {{record("cifar10_cpu_long").training.epochs:d}} passes over 50,000 images. This ladder, too, belongs to its budget.
# {{assert record("cifar10_cpu_long").training.trivial_augment and record("cifar10_cpu_long").training.cutmix > 0}}
# {{assert all(mean(augmented(name)) - mean(augmented("flip and crop (base)")) < 0.01 for name in ("+ erase", "+ mixup", "+ label smoothing", "+ weight average (EMA)", "+ patch dropout"))}}
# {{assert all(less < base for name in ("+ TrivialAugment", "+ cutmix") for less, base in zip(augmented(name), augmented("flip and crop (base)"), strict=True))}}
# {{assert record("where_augmentation_pays").trained_on == 2000}}
#
# ## Is the average of many models better than the last one? (EMA)
#
# While the rate is high, the weights jump from step to step around a better place. What if you do not judge the weights of one moment but their mean over the recent past? This is the **exponential moving average** of the weights (EMA). After each step, the average moves a little towards the weights:
#
# `average = 0.99 * average + 0.01 * weights`
#
# That makes it a mean over about 100 steps. It costs no gradient, because nobody trains it. It only follows. In `fit` it is one setting, `ema_decay=0.99`, and then the average is what `fit` judges. The training itself stays the same. So two runs with the same seed, one with the setting and one without, show the average and the weights of *one* training:

# %%
figure, panels = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
for panel, schedule in zip(panels, ("constant", "cosine"), strict=True):
    curves = {}
    for index, (name, decay) in enumerate({"weights": 0.0, "their average": 0.99}.items()):
        config = replace(LADDER["+ Muon"], schedule=schedule, ema_decay=decay)
        runs = torch.tensor([train_new(config, seed).validation_accuracy for seed in range(3)])
        thin = {"color": plots.curve_style(index)["color"], "lw": 0.8, "alpha": 0.5}
        panel.plot(range(1, PLAIN.epochs + 1), runs.T, **thin)
        curves[name] = runs.mean(dim=0)
        print(f"{schedule}, {name}: in the end", [f"{run[-1]:.1%}" for run in runs])
    title = f"{schedule} rate, three seeds"
    epochs = range(1, PLAIN.epochs + 1)
    plots.show_lines(epochs, curves, "epoch", "validation accuracy", title, axis=panel)
    panel.label_outer()
plots.show("weights and their average: at a constant rate the average ends ahead")

# %% [markdown]
# At a constant rate, the average ends five to seven points above the weights, in each of the three seeds. With the cosine the rate falls, the weights stop jumping by themselves, and the average gains nothing: it ends a little *behind*, because it lags.
#
# Now compare the dashed line on the left with the solid line on the right. They end at about the same place. So in these short runs, averaging the weights and letting the rate come down gave about the same, and both together gave no more.
