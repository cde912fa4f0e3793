# %% [markdown]
# # 05 · Training on CIFAR-10: a recipe, ingredient by ingredient
#
# **After this notebook you can** train a ViT from scratch, find a learning rate, measure what an ingredient of a recipe is worth, read a training curve, and train a model on CIFAR-10 on your own machine.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 45 minutes, in three sittings of 22, 5 and 14, and 4 for looking things up |
# | Time to run | {{notebook_seconds("05_training_on_cifar10"):about}} on two cores of a recent server CPU, with small models and drawn shapes, the budget `quick`. On a GPU the cells are larger, and nobody has timed them there yet |
# | Package modules | `data/`, `augment.py`, `training/` |

# %%
import contextlib
import io
import statistics
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from skimage import data
from torch import nn
from torch.nn import functional as F

from vit_minimal import (
    RECIPES,
    History,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    diagrams,
    evaluate,
    fit,
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
    normalize,
    random_crop,
    random_erase,
    random_flip,
    trivial_augment,
)
from vit_minimal.data import CIFAR10_CLASSES, data_root, stratified_order, wanted_dataset
from vit_minimal.records import read_records
from vit_minimal.training import (
    confusion_matrix,
    estimate_seconds,
    make_scheduler,
    predict,
)
from vit_minimal.training.muon import newton_schulz

seed_everything(0)
device = pick_device()

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
diagrams.overview(cat)

# %% [markdown]
# You have built every part of this picture, but its numbers are still random. Today they learn. Training is a loop of five stations, and everything else is an *ingredient* that acts at one of them:

# %%
diagrams.training_loop()

# %% [markdown]
# The first sitting is about *steps*, on the right of this map: which way, and how far? What is each ingredient worth, and how much of that is luck? The second is about *images*, on the left: when does it pay to vary them? The third is *the recipe*: how the best rule works, how to skip half of every image, and a real run on CIFAR-10.
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
# </details>
#
# ## The plain loop: how far does it get alone?
#
# First we need images. The course can draw some: ten kinds of shapes, called **Shapes-10**, so that anybody can repeat this notebook offline. (If CIFAR-10 is on your disk, the cells take it, and the text will not fit, unless a first cell says `%env VIT_MINIMAL_DATASET=shapes10`.) To save time we take the first 5,000 of 10,000 drawings, and we set 1,000 of those aside, to judge the model by.

# %%
quick = pick_budget() == "quick"
dataset = load_dataset()
if quick:
    dataset = dataset.first(5_000, 1_000)
num_train = len(dataset.train_images) - 1_000
batch_size = 50 if quick else 500  # a large batch keeps a GPU busy
print(f"{num_train:,} images to train on, 1,000 set aside")

names = [dataset.class_names[label] for label in dataset.train_labels[:10]]
plots.show_images(dataset.train_images[:10], names, columns=5)

# %% [markdown]
# Our **small model** cuts an image into 16 patches of 8 × 8 pixels, where the picture at the top has 64. It does all the work on shapes in this notebook.

# %%
MODEL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)
seed_everything(0)
model = VisionTransformer(MODEL).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)

# %% [markdown]
# The next cell holds the five stations of the map. We need no DataLoader: the images fit into memory, and we cut batches out by index. `normalize` turns bytes from 0 to 255 into floats from −1 to 1.
#
# How far do four passes over the 4,000 images, four **epochs**, get? A random answer is right for 10 % of the images. Guess.


# %%
def one_step(model, optimizer, batch):
    """The loss on a batch of images, given by their indices, and a step against its gradient."""
    logits = model(normalize(images[batch]))  # forward
    loss = F.cross_entropy(logits, labels[batch])  # how wrong?
    loss.backward()  # backward: a gradient for each weight
    optimizer.step()  # step: all weights move
    optimizer.zero_grad()  # because `backward` adds to what is there
    return loss.item()


for epoch in range(4):
    for batch in torch.randperm(num_train, device=device).split(batch_size):  # draw
        loss = one_step(model, optimizer, batch)
    accuracy = evaluate(model, images[num_train:], labels[num_train:])
    print(f"epoch {epoch + 1}: last loss {loss:.2f}, set aside: {accuracy:.1%} right")

# %% [markdown]
# It has hardly begun to learn: the loss is still near ln 10 ≈ 2.3, the loss of a model that guesses. With photographs and a larger model, this kind of loop gets {{mean(ladder("SGD, constant rate")):.1%}}. Better ingredients, more images and more passes will lift that to {{record("real_run").accuracy:.1%}}.
#
# ## Is the loop broken, or only slow?
#
# There is a quick test for bugs. We give the loop one batch of 50 images, 150 times. A healthy loop can learn so few by heart.

# %%
seed_everything(0)
pupil = VisionTransformer(MODEL).to(device)
its_optimizer = torch.optim.SGD(pupil.parameters(), lr=0.1, momentum=0.9)
fifty = torch.arange(50, device=device)
for _ in range(150):
    loss = one_step(pupil, its_optimizer, fifty)
print(f"loss {loss:.3f}")
print(f"the 50 images: {evaluate(pupil, images[fifty], labels[fifty]):.1%} right")
print(f"set aside: {evaluate(pupil, images[num_train:], labels[num_train:]):.1%} right")

# %% [markdown]
# So the loop can learn. The test does not find every bug (labels that belong to other images can be learned by heart, too), but we may suspect that the loop is only slow.
#
# The last two lines also show why we set images aside. The model is perfect on its 50 images, and hardly better than chance on others. This is called **overfitting**, and no training image can show it to you.
#
# The images set aside are called the **validation** images, and they are for choosing: a learning rate, an ingredient. The **test** images wait for the very end, when you have settled on a model and ask how good it is. Had you chosen by the test images, you would report the luckiest of many tries.
#
# ## Which way should a step go?
#
# We go against the gradient, the direction in which the loss rises fastest. But in a narrow valley, the steepest way down points at the opposite wall and not along the floor. What would you do, if you could remember the earlier steps?
#
# Here are three rules. Each takes the gradient and a memory and returns a direction, and the step goes against it:


# %%
def sgd(gradient, memory):
    """No memory: straight against the gradient."""
    return gradient


def momentum(gradient, memory):
    """A sum of all gradients so far, in which the old ones fade."""
    memory["sum"] = 0.5 * memory.get("sum", 0) + gradient
    return memory["sum"]


def adam(gradient, memory):
    """The mean gradient, divided by the usual size of a gradient, elementwise."""
    t = memory["t"] = memory.get("t", 0) + 1
    memory["mean"] = 0.5 * memory.get("mean", 0) + 0.5 * gradient
    memory["square"] = 0.9 * memory.get("square", 0) + 0.1 * gradient**2
    # Both began at 0, so at first they are too small. These divisions make up for it:
    mean, square = memory["mean"] / (1 - 0.5**t), memory["square"] / (1 - 0.9**t)
    return mean / square.sqrt()


# %% [markdown]
# *Elementwise* means that each number of the gradient is divided by its own usual size. (Our memories are 0.5 and 0.9, shorter than PyTorch's 0.9 and 0.999, because thirty steps are few.)
#
# All three start at the same place in a valley that is steep in y and flat in x. Each rule gets its own best rate: of thirty between 0.1 and 3, the one whose path is lowest on average.


# %%
def height(x, y):
    return x**2 / 30 + y**2


def descend(rule, rate, steps=30):
    """The path through the valley, from (−9, 1.5)."""
    point, memory = torch.tensor([-9.0, 1.5], requires_grad=True), {}
    path = [point.tolist()]
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(height(*point), point)
        with torch.no_grad():
            point -= rate * rule(gradient, memory)
        path.append(point.tolist())
    return path


paths = {}
for name, rule in {"SGD": sgd, "momentum": momentum, "Adam": adam}.items():
    tries = {step / 10: descend(rule, step / 10) for step in range(1, 31)}
    best = min(tries, key=lambda rate: sum(height(*point) for point in tries[rate]))
    paths[f"{name}, rate {best:g}"] = tries[best]
diagrams.descent(paths, height, title="Thirty steps down a valley")

# %% [markdown]
# - **SGD** (stochastic gradient descent, here with exact gradients) swings from wall to wall, and then creeps along the floor: a rate that is low enough for the steep walls is too low for the flat floor.
# - **Momentum** gets much further. Along the floor all gradients agree, so their sum grows. (Across the valley, its swings fade no sooner than those of SGD.) The plain loop used momentum already.
# - **Adam** divides x and y each by its own usual size, so its first step is equally long in both, and the flat direction no longer falls behind. But it does not settle: when all recent gradients are small, even a small one is large for its kind, and the swings across the valley grow again. A rate that falls may help, and we will measure that.
#
# Our valley flatters Adam, because it lies along the axes. In a valley that runs diagonally, x and y would both be steep, and dividing each by its own size would not help.
#
# **AdamW** is Adam with *weight decay*: at every step, weights also shrink by a tiny share. (Here only matrices do; PyTorch by default shrinks all parameters.) It is usually there against overfitting. We have not measured what it gives.
#
# ## How high may the learning rate be?
#
# A rule chooses the direction, and the learning rate says how far to go. From here on `fit(model, dataset, config)` trains: it is the plain loop with all ingredients built in. It sets the validation images aside by itself: the last ones of each class, the same for every seed. The ingredients are fields of `TrainingConfig`, and first we switch them all off:

# %%
PLAIN = TrainingConfig(
    epochs=4,
    batch_size=batch_size,
    optimizer="sgd",
    learning_rate=0.1,
    warmup=0.0,
    schedule="constant",
    weight_decay=0.0,
    label_smoothing=0.0,  # on by default, not used in this notebook
    clip_norm=0.0,
    flip=False,
    crop_padding=0,
    validation_images=1_000,
)

# %% [markdown]
# Two ingredients change the length of a step. **Clipping** is a guard against a rare, huge gradient: if the gradients of all parameters, taken as one vector, are longer than 1, it shortens them to length 1. (Adam and Muon divide the size of a gradient out, so it should matter less for them.) A **schedule** changes the rate during the training:
#
# - *Warm-up:* at first the rate climbs from near zero. One reason is that Adam then knows the usual size of a gradient from very few batches.
# - *Cosine:* afterwards the rate falls to zero along half a cosine, so that the model settles instead of jumping around.

# %% tags=["hide-input"]
total = 200
schedule = make_scheduler(
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0),
    TrainingConfig(warmup=0.1, schedule="cosine"),
    total,
)
(share_at,) = schedule.lr_lambdas
curve = {"warm-up and cosine": [share_at(step) for step in range(total)]}
title = "A schedule: warm-up, then half a cosine"
_, axis = plt.subplots(figsize=(6.0, 2.3), layout="constrained")
plots.show_lines(range(total), curve, "step of 200", "share of the rate", title, axis=axis)
axis.get_legend().remove()
plots.show(
    "the rate climbs in a line for 20 of 200 steps, then falls to zero along half a cosine", title
)

# %% [markdown]
# We train with AdamW and both of these. What will the loss do if the rate is far too low, or far too high? Guess.
#
# *Set-up: 4,000 shapes, 4 passes, 1 seed for each rate, the small model, run here.*

# %%
ADAMW = replace(PLAIN, optimizer="adamw", learning_rate=2e-3, weight_decay=0.05)
SCHEDULED = replace(ADAMW, warmup=0.1, schedule="cosine")
CLIPPED = replace(SCHEDULED, clip_norm=1.0)


def quietly(model, config, data=dataset):
    """Train without printing a line per epoch; returns the History."""
    with contextlib.redirect_stdout(io.StringIO()):
        return fit(model, data, config)


def train_new(config, seed=0):
    """A new model, trained with this configuration and seed, and its History."""
    seed_everything(seed)
    model = VisionTransformer(MODEL)
    return model, quietly(model, replace(config, seed=seed))


# %%
losses = {}
for rate in (1e-5, 1e-3, 1e-1):
    try:
        _, history = train_new(replace(CLIPPED, learning_rate=rate))
    except FloatingPointError:
        print(f"At {rate:g} the loss stopped being a number.")
        continue
    losses[rate] = history.train_loss
    print(f"rate {rate:g}: training loss", ", ".join(f"{loss:.2f}" for loss in losses[rate]))

# %% [markdown]
# At 0.001, the loss leaves ln 10 ≈ 2.3 behind. At 0.00001 it hardly moves. At 0.1 the first epoch is *worse* than guessing, and the last is hardly better.
#
# Is the best rate the same for each rule? We search for each by itself, and a fourth rule joins in, **Muon**. It treats the step of a matrix as a whole, and not number by number. How, you will see in the third sitting.
#
# *Set-up: 4,000 shapes, 4 passes, 3 seeds for each rate, the small model, on record in `learning_rates`. All with warm-up and cosine, and all clipped except the dashed line.*

# %% tags=["hide-input"]
(tried,) = read_records("../data/results/learning_rates.json")
COLOUR = {"SGD with momentum": 1, "AdamW": 2, "Muon": 3}  # the rules keep theirs in this notebook
figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
best, rules = [], {"SGD with momentum": 1, "SGD without clipping": 1} | COLOUR
for name, index in rules.items():
    rows = {row["rate"]: row["accuracies"] for row in tried["rows"] if row["optimizer"] == name}
    means, style = [statistics.mean(seeds) for seeds in rows.values()], plots.curve_style(index)
    unclipped = name not in COLOUR
    style |= {"linestyle": "--", "mfc": "white"} if unclipped else {"linestyle": "-"}
    axis.plot(list(rows), means, **style, label="the same, not clipped" if unclipped else name)
    dots = {"color": style["color"], "mfc": style.get("mfc", style["color"]), "alpha": 0.35}
    axis.plot(list(rows), list(rows.values()), "o", **dots)
    best.append(f"{name}: {max(means):.3f} at best")
title = "On record: Shapes-10, small model, 4 passes, warm-up and cosine"
axis.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy", title=title)
axis.xaxis.set_major_formatter("{x:g}")
axis.grid(alpha=0.3)
axis.legend()
plots.show("hills: Muon's is the highest, and those of SGD lie furthest right", title, best)

# %% [markdown]
# A pale dot is a seed, and a line joins the means of three. Muon gets {{mean(swept("Muon")):.1%}} at its best rate, {{best_rate("Muon"):g}}. AdamW gets {{mean(swept("AdamW")):.1%}} at {{best_rate("AdamW"):g}}, and SGD with momentum {{mean(swept("SGD with momentum")):.1%}} at {{best_rate("SGD with momentum"):g}}. SGD with the schedule but without clipping is no better: it gets {{mean(swept("SGD without clipping")):.1%}} at {{best_rate("SGD without clipping"):g}}, and at 1 and 3 its loss became NaN. So with good rates, Muon is far ahead on these shapes.
#
# But at the rate of 0.001, AdamW is ahead, with {{mean(swept("AdamW", 0.001)):.1%}} against {{mean(swept("Muon", 0.001)):.1%}}. There we would have thrown Muon away by mistake. So find the rate by trying, in factors of three or ten, for each rule anew.
# {{assert below(swept("AdamW"), swept("Muon")) and max(swept("Muon", 0.001)) < min(swept("AdamW", 0.001))}}
# {{assert max(swept("SGD with momentum")) < min(swept("AdamW")) and max(swept("SGD without clipping")) < min(swept("AdamW"))}}
# {{assert mean(swept("SGD without clipping")) < mean(swept("SGD with momentum")) and [row.rate for row in record("learning_rates").diverged if row.optimizer == "SGD without clipping"] == [1, 3]}}
# {{assert all(min(rates) < best_rate(name) < max(rates) for name in ("Muon", "AdamW", "SGD with momentum") for rates in [[row.rate for row in record("learning_rates").rows if row.optimizer == name]])}}
# {{assert best_rate("Muon") < best_rate("SGD with momentum") and best_rate("AdamW") < best_rate("SGD with momentum")}}
# {{assert record("learning_rates").dataset == "shapes10" and record("learning_rates").trained_on == 4000 and all(row.training.clip_norm == 1 and row.training.epochs == 4 and len(row.accuracies) == 3 for row in record("learning_rates").rows if row.optimizer not in ("SGD without clipping", "SGD, constant rate"))}}
#
# ## What is each ingredient worth?
#
# We climb a ladder of six rungs. The first is the plain loop. A rung with a plus adds something to the one before it; *flip and crop* mirror and shift the images. A rung with *instead* replaces the rule for the step, and brings its own rate and weight decay.
#
# Which of the five changes will give most? Write down your guess.

# %%
MUON = replace(CLIPPED, optimizer="muon", learning_rate=1e-2, weight_decay=0.1)
VARIED = replace(MUON, flip=True, crop_padding=2)

LADDER = {
    "SGD with momentum": PLAIN,
    "AdamW instead": ADAMW,
    "+ warm-up and cosine": SCHEDULED,
    "+ clipping": CLIPPED,
    "Muon instead": MUON,
    "+ flip and crop": VARIED,
}

# %% [markdown]
# With another **seed**, the same recipe starts from other random weights, sees the images in another order, and ends at another accuracy. So each rung has three seeds. A second ladder, on photographs, is recorded.
#
# *Set-up, left: 4,000 shapes, 4 passes, 3 seeds a rung, the small model, run here. Muon's rate was chosen by these very runs; AdamW's 0.002 was not in the search, and its best rate there, {{best_rate("AdamW"):g}}, gave {{mean(swept("AdamW")):.1%}}. Right: {{record("training_ladder").trained_on:,}} images of CIFAR-10, 5 passes, 3 seeds a rung, one rate for each rule, a model of {{record("real_run").parameters / 1e6:.1f}} million parameters, on record in `training_ladder`.*
# {{assert all(rung.training.epochs == 5 and len(rung.accuracies) == 3 for rung in record("training_ladder").rungs)}}
# {{assert record("training_ladder").judged_on == "5,000 validation"}}

# %%
ladder = {name: [train_new(config, seed) for seed in range(3)] for name, config in LADDER.items()}

# %% tags=["hide-input"]
(climbed,) = read_records("../data/results/training_ladder.json")
reached = {name: [run.validation_accuracy[-1] for _, run in runs] for name, runs in ladder.items()}
on_record = {name: rung["accuracies"] for name, rung in zip(LADDER, climbed["rungs"], strict=True)}
ours = {"shapes10": "Shapes-10", "cifar10": "CIFAR-10"}[dataset.name]
ladders = {
    f"run here: {ours},\nsmall model, 4 passes": reached,
    "on record: CIFAR-10,\nlarger model, 5 passes": on_record,
}
figure, panels = plt.subplots(
    1, 2, figsize=(7, 4.5), sharex=True, sharey=True, layout="constrained"
)
words = ["two ladders, three dots for each rung"]
for panel, (title, rungs) in zip(panels, ladders.items(), strict=True):
    plots.show_dots(rungs, "validation accuracy", title, axis=panel)
    before = None
    for row, (name, values) in enumerate(rungs.items()):
        number, sign = f"{statistics.mean(values):.1%}", ""
        if before:
            above, below = min(values) > max(before), max(values) < min(before)
            sign = " ▲" if above else " ▼" if below else " ≈"
        panel.text(
            statistics.mean(values), row - 0.32, number + sign, ha="center", va="bottom", fontsize=9
        )
        words.append(
            f"{title}, {name}: mean {number}{sign}, {min(values):.1%} to {max(values):.1%}"
        )
        before = values
panels[0].set_ylim(5.5, -0.8)
panels[0].margins(x=0.2)  # room for the numbers
key = "▲ or ▼: all three seeds lie above or below all three\nof the rung before. ≈: the seeds overlap."
figure.supxlabel(key, fontsize=9.5)
plots.show("; ".join(words))

# %% [markdown]
# If a change did nothing, its three seeds would still get a triangle, ▲ or ▼, in about one case of ten.
#
# - **Muon gives the most, on both sides.** On shapes it almost doubles the accuracy.
# - **AdamW comes second.** But a part of this step is SGD's rate and not the rule: at {{best_rate("SGD, constant rate"):g}}, its best rate without schedule and clipping, SGD gets {{mean(swept("SGD, constant rate")):.1%}} on shapes (`learning_rates`; at 0.3 its loss became NaN). In the search above, SGD gets less at the same rates, as the schedule lowers them and four passes are short.
# - The schedule gives AdamW a little on CIFAR-10, and on shapes nothing that shows. Clipping makes no difference that we can be sure of. (Notebook [15](15_more_about_training.ipynb) looks closer.)
# - **And here is a surprise: flip and crop make it worse on shapes,** and on CIFAR-10 they change nothing that shows. Is augmentation bad, then? The next sitting asks.
# {{assert below(ladder("+ clipping"), ladder("+ Muon")) and min(ladder("+ Muon")) > max(max(ladder(name)) for name in ("SGD, constant rate", "+ AdamW", "+ warm-up and cosine", "+ clipping"))}}
# {{assert mean(ladder("+ Muon")) - mean(ladder("+ clipping")) > mean(ladder("+ AdamW")) - mean(ladder("SGD, constant rate")) > mean(ladder("+ warm-up and cosine")) - mean(ladder("+ AdamW")) > 0}}
# {{assert min(ladder("+ AdamW")) > max(ladder("SGD, constant rate")) and mean(swept("AdamW")) < 0.363}}
# {{assert best_rate("SGD, constant rate") == 0.2 and {row.rate for row in record("learning_rates").diverged if row.optimizer == "SGD, constant rate"} == {0.3, 1} and max(max(row.accuracies) for row in record("learning_rates").rows if row.optimizer.startswith("SGD")) < min(swept("AdamW")) and all(round(100 * mean(swept(name, 0.1))) == 11 for name in ("SGD with momentum", "SGD without clipping"))}}
# {{assert mean(ladder("+ clipping")) < mean(ladder("+ warm-up and cosine")) and min(ladder("+ warm-up and cosine")) > max(ladder("+ AdamW"))}}
# {{assert overlap(ladder("+ flip and crop"), ladder("+ Muon")) and abs(mean(ladder("+ flip and crop")) - mean(ladder("+ Muon"))) < 0.01}}
#
# ## How much of this is luck?
#
# The plain loop ended at 16.0 %. The ladder's first rung is the same loop, and its mean is 19.7 %. What differs is the order of the images, which of them are set aside, and, for two of the three seeds, the first weights. How much can that do?
#
# For Muon we try three sets of first weights, each with the same three orders. These nine runs can answer one more question: does a falling rate help Muon? So each gets a partner with the same first weights and order, whose rate stays constant after the warm-up.
#
# *Set-up: 4,000 shapes, 4 passes, 3 first weights × 3 orders × 2 schedules, the small model, run here.*


# %%
def nine_runs(config):
    """The validation accuracy in the end, by first weights and order."""
    ends = {}
    for start in range(3):
        for order in range(3):
            seed_everything(start)  # decides the first weights
            ordered = replace(config, seed=order)  # decides the order, in `fit`
            run = quietly(VisionTransformer(MODEL), ordered)
            ends[start, order] = run.validation_accuracy[-1]
    return ends


with_constant = nine_runs(replace(MUON, schedule="constant"))
with_cosine = nine_runs(MUON)

# %% tags=["hide-input"]
title = f"Muon on {ours}, small model, 4 passes: nine pairs"
_, axis = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
colour, rows = plots.curve_style(COLOUR["Muon"])["color"], list(with_cosine)
places = [row + 0.6 * start for row, (start, _) in enumerate(rows)]  # a gap between the weights
arrow = {"arrowstyle": "-|>", "color": "gray", "shrinkA": 4, "shrinkB": 4}
for place, run in zip(places, rows, strict=True):
    ends = (with_cosine[run], place), (with_constant[run], place)
    axis.annotate("", *ends, arrowprops=arrow)
sides = {"constant rate": (with_constant, "white"), "cosine": (with_cosine, colour)}
for name, (ends, fill) in sides.items():
    label = f"{name}: mean {statistics.mean(ends.values()):.1%}"
    look = {"mfc": fill, "mec": colour, "ms": 7}
    axis.plot([ends[run] for run in rows], places, "o", **look, label=label)
of_the_ladder = [places[rows.index((seed, seed))] for seed in range(3)]
ring = {"mfc": "none", "mec": "black", "ms": 13}
diagonal = [with_cosine[seed, seed] for seed in range(3)]
axis.plot(diagonal, of_the_ladder, "o", **ring, label="a run of the ladder")
axis.set_yticks(places, [f"first weights {start}, order {order}" for start, order in rows])
axis.invert_yaxis()
axis.set(xlabel="validation accuracy", title=title)
axis.grid(axis="x", alpha=0.3)
axis.figure.legend(fontsize=9.5, loc="outside lower center", ncols=3)
words = (f"{run}: {with_constant[run]:.3f} to {with_cosine[run]:.3f}" for run in rows)
plots.show("an arrow for each pair, from the constant rate to the cosine", title, words)

# %% [markdown]
# *Luck:* look at the full dots. The order alone moves the result by four to seven points. Each run of the ladder is, by chance, the best of the three that share its first weights. So the ladder's 67.0 % are a little lucky: the mean of all nine is 64.5 %. Still, all nine end above 60 %. In the ladder, AdamW stayed below 40 %, and Muon with flip and crop ended at 57 % or below: no accident of the order, it seems.
#
# *Pairs:* full and empty dots overlap, but the falling rate is ahead in all nine pairs, by one to eight points, and by 4.5 on average. (The rate was found *with* the cosine, and a lower one might suit the constant schedule better.)
#
# So do not believe a gap of a few points between two runs. Compare several seeds, in pairs if you can. The choice of 1,000 validation images is a second, smaller kind of luck: an accuracy p on n images has a standard error of √(p(1 − p)/n), which is 1.5 points at 60 %.
#
# **This is a good place to stop.**

# %% [markdown]
# ## Where do more images come from?
#
# Welcome back. Now to the left of the map, and to the surprise of the ladder. *Augmentation* shows the model another variant of each image each time. Only changes that keep the class are allowed: a mirrored horse is a horse, but a mirrored 3 is no longer a 3. Here is our cat at 32 × 32 pixels, and what four kinds of augmentation make of it:

# %%
seed_everything(410)  # chosen for variants that are easy to tell apart
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
# A *flip* mirrors the image. A *crop* puts a black frame around it and cuts a window of the original size out, at a random place; the frame is 4 pixels wide here, so that you see it, and 2 in our runs. *Trivial* is TrivialAugment ([Müller and Hutter 2021](https://arxiv.org/abs/2103.10158)): one random operation, such as brightness, rotation or shear. *Erase* greys out a box ([Zhong et al. 2020](https://arxiv.org/abs/1708.04896)), so that no single part decides.
#
# ## When does augmentation pay?
#
# Why did flip and crop cost accuracy on shapes? Our guess: in four passes, a model learns little by heart, so there is little for augmentation to prevent, and it mainly makes images harder. Do the ladder's three models of Muon, trained without augmentation, know their training images better than others?

# %%
sorted_out = stratified_order(dataset.train_labels)  # as in `fit`: those set aside come last
parts = {"training": sorted_out[:num_train], "set aside": sorted_out[num_train:]}
for name, chosen in parts.items():
    right = [evaluate(of, images[chosen], labels[chosen]) for of, _ in ladder["Muon instead"]]
    print(f"{name}: {statistics.mean(right):.1%} right")

# %% [markdown]
# They do, but not by much. If the guess is right, flip and crop should help where a model sees few images often: now Muon gets 500 images and sixty passes.
#
# *Set-up: 500 shapes, 60 passes, 1 seed, the small model, run here.*

# %%
few = dataset.first(500 + 1_000)  # 500 to train on, and 1,000 that `fit` sets aside
long = replace(MUON, epochs=60, batch_size=50)
seed_everything(0)
as_they_are = quietly(VisionTransformer(MODEL), long, few)
seed_everything(0)
flipped = quietly(VisionTransformer(MODEL), replace(long, flip=True, crop_padding=2), few)

# %% tags=["hide-input"]
pair = {"as they are": as_they_are, "flip and crop": flipped}
figure, panels = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
for panel, (title, run) in zip(panels, pair.items(), strict=True):
    curves = {"training": run.train_accuracy, "validation": run.validation_accuracy}
    plots.show_lines(range(1, 61), curves, "epoch", "accuracy", title, axis=panel)
    panel.label_outer()
title = f"500 images of {ours}: Muon, small model, 60 passes"
figure.suptitle(title)
plots.show("the gap between training and validation is smaller with flip and crop", title)

# %% [markdown]
# On the left, the model gets every training image right in the end, and nearly half of the validation images wrong: overfitting. On the right, each image comes in up to 50 variants: 25 places for the window, each mirrored or not. The model learns more slowly, but climbs to almost 70 %, while the other stopped near 52 %. Do photographs agree?
#
# *Set-up: {{record("where_augmentation_pays").trained_on:,}} images of CIFAR-10, {{record("where_augmentation_pays").settings[0].training.epochs:d}} passes with Muon, 3 seeds, a small model with learned positions, on record in `where_augmentation_pays`. The ladders had more images and fewer passes, so we cannot say which of the two decides.*

# %% tags=["hide-input"]
(recorded_gains,) = read_records("../data/results/where_augmentation_pays.json")
gains = {row["setting"]: row["accuracies"] for row in recorded_gains["settings"]}
names = {
    "as they are": "without flip and crop",
    "flip, crop": "flip and crop (base)",
    "flip, crop, TrivialAugment": "+ TrivialAugment",
    "flip, crop, erase": "+ erase",
}
shown = {name: gains[setting] for name, setting in names.items()}
passes = recorded_gains["settings"][0]["training"]["epochs"]
title = f"On record: {recorded_gains['trained_on']:,} images of CIFAR-10, {passes} passes"
_, axis = plt.subplots(figsize=(6.6, 2.9), layout="constrained")
axis.axvline(statistics.mean(shown["flip, crop"]), color="gray", linestyle=":")
plots.show_dots(shown, "validation accuracy", title, axis=axis)
means = "; ".join(f"{name} {statistics.mean(values):.2f}" for name, values in shown.items())
plots.show(f"a row of three dots for each ingredient. Means: {means}", title)

# %% [markdown]
# They do. Flip and crop lift the mean from {{mean(augmented("without flip and crop")):.1p}} to {{mean(augmented("flip and crop (base)")):.1%}}, which the dotted line marks. Erase on top of them adds nothing that shows, and TrivialAugment costs something in each of the three seeds.
# {{assert below(augmented("without flip and crop"), augmented("flip and crop (base)"))}}
# {{assert record("where_augmentation_pays").judged_on == "2,000 validation" and len(augmented("+ erase")) == 3}}
# {{assert all(less < base for less, base in zip(augmented("+ TrivialAugment"), augmented("flip and crop (base)"), strict=True)) and all(row.training.optimizer == "muon" for row in record("where_augmentation_pays").settings)}}
#
# **This is another good place to stop.**

# %% [markdown]
# ## What does Muon do with a matrix?
#
# Welcome back. This sitting ends with a real run on CIFAR-10. To train such a model yourself, start now in a terminal, and read on: `python -m vit_minimal.training --recipe cpu --dataset cifar10` (with a GPU, `--recipe t4`).
#
# The recipe of this run has Muon in it, which was far ahead on both ladders. How does Muon work? A matrix W turns an input x into W·x. The step is a matrix too. Call it ΔW: after the step, the input gives W·x + ΔW·x, so ΔW·x is the *change* that the step makes for it. In two dimensions, all inputs of length 1 form a circle. Here are their changes:

# %%
diagrams.even_step(torch.tensor([[0.3, 1.4], [-0.25, 0.3]]))

# %% [markdown]
# Follow the orange arrow. On the left, it is an input. In the middle, it is the change that momentum's step makes for this input: the longest of all, about 1.5. The blue input is changed least, by about 0.3. These two lengths are the **singular values** of the step. **Muon** ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)) builds on momentum's step in three thoughts:
#
# 1. One learning rate serves all directions. If it is low enough for the longest arrow, little happens along the faint one.
# 2. So make all arrows equally long, and leave them their directions. On the right, the orange arrow has shrunk to 1.0, the blue one has grown, and the ellipse is a circle.
# 3. Now a step of the same greatest length goes as far in the faint direction as in the strong one.
#
# So we picture it, and Muon's authors suspect that the faint directions matter for learning. We measured that Muon helps, and not why. (Its rate of {{best_rate("Muon"):g}} and momentum's {{best_rate("SGD with momentum"):g}} cannot be compared: they multiply steps of other lengths.)
#
# A singular value decomposition (SVD) finds directions and lengths, so the fourth rule is as short as the others:


# %%
def even_out(step):
    """The same directions, with all singular values set to 1."""
    left, _, right = torch.linalg.svd(step, full_matrices=False)
    return left @ right  # the singular values stood between these two


def muon(gradient, memory):
    """For a matrix: momentum's step, evened out and scaled."""
    scale = 0.2 * max(gradient.shape) ** 0.5
    return scale * even_out(momentum(gradient, memory))


# %% [markdown]
# With singular values of 1, no row is longer than 1, so in a large matrix each single number is tiny. The scale ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)) makes them about as large as they usually are in Adam's steps.
#
# The decomposition is slow, so the real Muon uses a few matrix products instead, a *Newton–Schulz iteration*. Are real steps uneven, and how even do the products make them? We take the last steps of our plain loop, whose model has hardly learned, for the eight matrices of its two blocks.

# %%
last_steps = [
    optimizer.state[matrix]["momentum_buffer"]  # the sum of all gradients, as in `momentum`
    for matrix in model.blocks.parameters()
    if matrix.ndim == 2
]
evened = [newton_schulz(step[None])[0] for step in last_steps]

# %% tags=["hide-input"]
kinds = {"momentum's steps": last_steps, "after Muon's products": evened}
title = "Last steps of the plain loop: 8 matrices, 64 directions each"
_, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
words = []
for (name, matrices), index, line in zip(kinds.items(), (1, 3), ("-", "--"), strict=True):
    style = {"color": plots.curve_style(index)["color"], "linestyle": line}
    lengths = torch.stack([torch.linalg.svdvals(matrix) for matrix in matrices])
    curves = lengths / lengths[:, :1]
    axis.plot(range(1, 65), curves.T.cpu(), lw=1.1, **style)
    counts = (curves > 0.1).sum(dim=1).tolist()
    axis.plot([], [], **style, label=f"{name}: {min(counts)} to {max(counts)} above a tenth")
    words.append(f"{name}: {min(counts)} to {max(counts)} of 64 directions above a tenth")
axis.axhline(0.1, color="black", ls=":", lw=1, label="a tenth of the largest")
axis.set(yscale="log", ylim=(1e-3, 1.5), xlabel="direction, sorted", title=title)
axis.set_ylabel("singular value (largest = 1)")
axis.yaxis.set_major_formatter("{x:g}")
axis.figure.legend(fontsize=9.5, loc="outside lower center")
axis.grid(alpha=0.3)
plots.show("momentum's curves fall steeply, those after Muon's products much less", title, words)

# %% [markdown]
# A line is a matrix. Of its 64 directions, two to five get more than a tenth of the largest change. After Muon's products, 18 to 44 do. The ellipse is much rounder, but no circle: a few products enlarge a tiny singular value by a limited factor only (notebook [15](15_more_about_training.ipynb) shows them). The cliff at the right end is the direction that the LayerNorms remove.
#
# Muon is for the matrices of the blocks. For the first and the last layer, patch embedding and head, Jordan et al. advise AdamW, and `fit` follows them.

# %% [markdown]
# ## Why can a ViT skip half of an image, and a CNN cannot?
#
# An ordinary convolution needs all pixels of a rectangle, and painting some of them grey saves no work. A ViT reads a *set* of tokens, each of which carries its position, and attention takes any number of them. So you can leave patches out, and the arithmetic shrinks with them. **Patch dropout** ([Liu et al. 2022](https://arxiv.org/abs/2208.07220)) trains on a random part of each image's patches. Each patch draws a random number, `argsort` sorts the patches by it, and `gather` picks the tokens of those that come first.


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
# What does it leave of our cat? As tokens we give it their numbers, 0 to 64, and see which come out.

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
# Could you still tell? On half of the patches, a step takes {{record("patch_dropout_cost").ratios[1]:.3f}} of the time of a step on whole images (`patch_dropout_cost`). That is less than half, probably because 33 tokens form a quarter of the pairs of 65.
#
# Does it pay? The course's recipe for CIFAR-10 on a CPU, called `cpu`, makes {{records("cifar10_cpu")[0].training.epochs - 1:d}} passes over half images and then one over whole ones, on which it will be judged. A fair rival gets the same time, and a rate of its own, the better of two: {{records("cifar10_cpu")[0].training.epochs - 1:d}} × {{record("patch_dropout_cost").ratios[1]:.3f}} + 1 = {{record("patch_dropout_cost").whole_passes_of_cpu:.1f}} passes over whole images, so we give it {{records("cifar10_seven_whole_passes")[0].training.epochs:d}}. Guess which is ahead.
#
# *Set-up: 50,000 images of CIFAR-10, {{records("cifar10_cpu_bfloat16")[0].training.epochs:d}} or {{records("cifar10_seven_whole_passes")[0].training.epochs:d}} passes with Muon, 3 seeds, the model of the recipe `cpu`, on record in `cifar10_cpu_bfloat16` and `cifar10_seven_whole_passes`. The test images judge here. The choice of half images had been made before, on validation images, with one run of each kind (notebook [15](15_more_about_training.ipynb)).*

# %% tags=["hide-input"]
sides = {"half images, 14 passes": "cifar10_cpu_bfloat16"}
sides["whole images, 7 passes"] = "cifar10_seven_whole_passes"
runs_of = {name: read_records(f"../data/results/{file}.json") for name, file in sides.items()}
shown = {name: [run["accuracy"] for run in runs] for name, runs in runs_of.items()}
title = "On record: CIFAR-10, model of recipe cpu, about equal time"
plots.show_dots(shown, "accuracy on test images", title)

# %% [markdown]
# Half images lead, by {{mean(accuracies("cifar10_cpu_bfloat16")) - mean(accuracies("cifar10_seven_whole_passes")):.1p}} points on average, and the seeds do not overlap. The reason may be more steps, or that each pass shows another half of an image, which is a kind of augmentation. We have not told them apart.
# {{assert record("real_run").history.validation_accuracy[-1] > max(accuracies("cifar10_seven_whole_passes_validation"))}}
# {{assert len(accuracies("cifar10_seven_whole_passes")) == len(accuracies("cifar10_cpu_bfloat16")) == 3 and max(accuracies("cifar10_seven_whole_passes")) < min(accuracies("cifar10_cpu") + accuracies("cifar10_cpu_bfloat16"))}}
# {{assert all(run.training.epochs == 7 and run.training.patch_drop_rate == 0 and run.training.validation_images == 0 for run in records("cifar10_seven_whole_passes"))}}
# {{assert record("patch_dropout_cost").rates[1] == 0.5 and all(run.training.patch_drop_rate == 0.5 and run.training.whole_epochs == 1 and run.training.epochs == 14 for run in records("cifar10_cpu") + records("cifar10_cpu_bfloat16"))}}
# {{assert round(13 * record("patch_dropout_cost").ratios[1] + 1, 1) == round(record("patch_dropout_cost").whole_passes_of_cpu, 1)}}
# {{assert record("real_run").training.patch_drop_rate == 0.5}}
#
# ## The real run: CIFAR-10 on your machine
#
# Now you know what the recipe `cpu` is made of: Muon, weight decay, the schedule and clipping for the steps, flip, crop and half images on the left of the map. (What flip and crop give in it, we have not measured.)
#
# If `TRAIN_NOW` is true, as it is by default with a GPU, the next cells fetch CIFAR-10 once (170 MB) and train with the recipe that suits your machine (on a GPU, `t4`, with other settings). If you stop the training, run the cell again: it resumes where it stopped. Otherwise you see the recorded run in the same figures.
#
# *Set-up: 45,000 images of CIFAR-10, {{record("real_run").training.epochs:d}} passes, 1 seed, judged on 5,000 validation images and, once, on 10,000 test images, on record in `real_run`.*

# %%
TRAIN_NOW = pick_budget() == "full" and wanted_dataset() != "shapes10"
# TRAIN_NOW = True  # on a CPU, remove the first # of this line to fetch CIFAR-10 and train

# %% tags=["hide-input"]
if TRAIN_NOW:
    try:
        cifar10 = load_cifar10()
    except OSError as error:
        TRAIN_NOW = False
        print(f"{error}\nSo you see the recorded run. data/README.md says how to get CIFAR-10.")

# %%
if TRAIN_NOW:
    chosen = "t4" if device.type == "cuda" else "cpu"
    config = replace(RECIPES[chosen].training, validation_images=5_000)
    seed_everything(config.seed)
    trained = VisionTransformer(RECIPES[chosen].model)
    minutes = estimate_seconds(trained, cifar10, config) / 60
    print(f"Recipe {chosen}: {config.epochs} epochs, about {minutes:.0f} minutes")
    state = data_root() / "runs" / f"notebook-05-{chosen}.state.pt"
    state.parent.mkdir(parents=True, exist_ok=True)
    history = fit(trained, cifar10, config, checkpoint=state, resume=True)
    counts = confusion_matrix(trained, cifar10.test_images, cifar10.test_labels)
else:
    (recorded,) = read_records("../data/results/real_run.json")
    history, counts = History(**recorded["history"]), torch.tensor(recorded["confusion"])

# %% tags=["hide-input"]
settings = vars(config) if TRAIN_NOW else recorded["training"]
title = "Your run on CIFAR-10" if TRAIN_NOW else "On record: the real run, CIFAR-10, recipe cpu"
curves = {"training": history.train_accuracy, "validation": history.validation_accuracy}
figure, axis = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
if settings["patch_drop_rate"]:
    first_whole = settings["epochs"] - settings["whole_epochs"] + 0.5
    axis.axvspan(first_whole, settings["epochs"] + 0.5, color="lightgray", label="whole images")
epochs = range(1, len(history.train_accuracy) + 1)
plots.show_lines(epochs, curves, "epoch", "accuracy", title, axis=axis)
ends = [f"{name} ends at {values[-1]:.2f}" for name, values in curves.items()]
plots.show("two rising curves, accuracy over epochs", title, ends)

# %% tags=["nbval-check-output"]
accuracy = counts.trace().item() / counts.sum().item()  # counts (true class, answer)
print(f"After the last epoch: {accuracy:.1%} of the {counts.sum():,} test images")

# %% [markdown]
# The recorded run, of a model with {{record("real_run").parameters / 1e6:.1f}} million parameters, took {{record("real_run").seconds:time}} on one thread of a two-core machine that had other work to do.{{assert record("real_run").dataset == "cifar10" and record("real_run").judged_on == "10,000 test" and "2 cores, cpu" in record("real_run").hardware}}{{assert record("real_run").training.validation_images == 5000 and record("real_run").training.flip and record("real_run").training.patch_drop_rate == 0.5}}
#
# Its curve looks odd: validation lies above training until the last epoch, which is shaded. There, training jumps above validation. Is that a mistake?{{assert [v > t for v, t in zip(record("real_run").history.validation_accuracy, record("real_run").history.train_accuracy)] == [True] * 13 + [False]}} No. Three effects are at work:
#
# - **Harder images.** Until the last epoch, training images are mirrored and shifted, and half of each is missing. We asked three finished models of this recipe about their own training images (`harder_images`). They are right for {{mean(record("harder_images").models["as they are"]):.1%}} as they are, {{mean(record("harder_images").models["flip and crop"]):.1%}} mirrored and shifted, {{mean(record("harder_images").models["half of the patches"]):.1%}} with half of the patches left out, and {{mean(record("harder_images").models["both"]):.1%}} with all of this. So it is mostly the missing half that is hard, at least for a finished model.
# - **Overfitting.** The same models get {{mean(accuracies("cifar10_cpu_bfloat16")):.1%}} of the test images right, against {{mean(record("harder_images").models["as they are"]):.1%}} of their own. Before the last epoch, the harder images outweigh this gap: {{mean(record("harder_images").models["both"]):.1%}} on those is {{mean(accuracies("cifar10_cpu_bfloat16")) - mean(record("harder_images").models["both"]):.1p}} points *less* than on test images, before rounding, and in epochs 12 and 13 training lies one to two points below validation.
# - **A mean over an epoch.** Training accuracy is counted while the model still learns, and validation accuracy afterwards. That probably matters most early on, where the gap is {{record("real_run").history.validation_accuracy[0] - record("real_run").history.train_accuracy[0]:.0p}} points.
# {{assert all(0.01 < v - t < 0.02 for v, t in zip(record("real_run").history.validation_accuracy[11:13], record("real_run").history.train_accuracy[11:13]))}}
# {{assert all(len(of) == 3 for of in record("harder_images").models.values()) and record("harder_images").judged_on == "50,000 training"}}
# {{assert mean(record("harder_images").models["as they are"]) - mean(record("harder_images").models["flip and crop"]) < 0.01 and mean(record("harder_images").models["flip and crop"]) - mean(record("harder_images").models["half of the patches"]) > 0.04}}
# {{assert 0.01 < mean(accuracies("cifar10_cpu_bfloat16")) - mean(record("harder_images").models["both"]) < 0.02}}
#
# ## What does the model still get wrong?
#
# Which classes are hard, and what are they taken for? A **confusion matrix** counts that. The right answers, on the diagonal, are grey.

# %% tags=["hide-input"]
shares = 100 * counts / counts.sum(dim=1, keepdim=True)
mistakes = shares - shares.diagonal().diag()
title = "CIFAR-10 test images: per cent of each class"
figure, axis = plt.subplots(figsize=(6.9, 6.2), layout="constrained")
limit = mistakes.max().item()
classes, look = CIFAR10_CLASSES, {"limit": limit, "colours": "Oranges"}
plots.show_matrix(shares.round(), classes, classes, title, axis=axis, **look)
axis.set(xlabel="answer", ylabel="true class")
axis.tick_params("x", rotation=45)
for i, share in enumerate(shares.diagonal().tolist()):
    axis.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, color="lightgray"))
    axis.text(i, i, f"{share:.0f}", ha="center", va="center", fontsize=9, weight="bold")
plots.show("a table of 10 × 10 numbers; dark cells off the grey diagonal are mistakes", title)

# %% [markdown]
# In the recorded run, the hardest class is *{{min(zip([row[i] / sum(row) for i, row in enumerate(record("real_run").confusion)], record("real_run").class_names))[1]:s}}*, and the most frequent mistake is *{{record("real_run").class_names[max((row[j] / sum(row), i, j) for i, row in enumerate(record("real_run").confusion) for j in range(10) if i != j)[1]]:s}}* taken for *{{record("real_run").class_names[max((row[j] / sum(row), i, j) for i, row in enumerate(record("real_run").confusion) for j in range(10) if i != j)[2]]:s}}*.
#
# And which mistakes is the model most certain of? (Of the recorded run we show words only: the course does not redistribute CIFAR-10.)

# %% tags=["nbval-check-output"]
if TRAIN_NOW:
    shares, answers = predict(trained, cifar10.test_images).softmax(dim=1).max(dim=1)
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
# With `--recipe cpu-long`, the line for the terminal becomes a run of two hours, whose model comes with this course ([its card](../data/README.md#checkpoints)) and is opened up in notebook 06.{{assert 6300 < record("cifar10_cpu_long").seconds < 8100}}

# %% [markdown] tags=["exercise-only"]
# # Exercises 05 · Training on CIFAR-10
#
# They go with notebook [05](../05_training_on_cifar10.ipynb). If you start here: training draws a batch of images, computes the loss, goes one step against its gradient, and repeats. Around this loop there are ingredients, such as a learning rate that climbs and falls, or images that are mirrored. Three parts of the data are kept apart: images to train on, images to choose by (validation), and test images for the end.

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


# %% [markdown]
# ## Recap
#
# - If a loop learns little, let it learn one batch by heart. If it cannot, do not look for better ingredients yet.
# - Find the learning rate by trying, for each rule anew.
# - Muon, which makes the singular values of each matrix's step far more equal, gave the most on both of our ladders. On shapes it did better with a rate that falls to zero.
# - In our runs, augmentation paid where few images were seen many times, and not where many were seen a few times.
# - A ViT reads a set of patches, so it can train on some of them. That made steps cheaper, and paid at equal time.
#
# > **Remember:** choose on validation images, compare with several seeds, measure an ingredient before you believe in it, and keep the test images for the report.
#
# ## A question
#
# Why does Muon not handle the class token, the biases and the norms?
#
# <details><summary>Answer</summary>
#
# They are vectors. A vector, taken as a matrix with one row, has a single singular value, so all that Muon could do is to fix its length.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 05](exercises/05_training_on_cifar10.ipynb), with checks that say what is wrong.
#
# **Next:** what has the class token learned? [Notebook 06](06_inside_the_class_token.ipynb) looks inside. (Notebook [15](15_more_about_training.ipynb) has more about training, to look up.)
#
# ---
#
# ## To look up: sick curves
#
# You have seen the white frames: **0** and **6** are the real run, and healthy; **2** and **3** are the learning rates of 0.1 and 0.00001, drawn from 2.2 to 2.5; **5** is overfitting on 500 shapes, against which augmentation helped.

# %%
measured = {
    0: [history.train_loss],
    5: [as_they_are.train_accuracy, as_they_are.validation_accuracy],
    6: [history.train_accuracy, history.validation_accuracy],
}
measured |= {frame: [losses[rate]] for frame, rate in {2: 1e-1, 3: 1e-5}.items() if rate in losses}
diagrams.curve_gallery(measured)

# %% [markdown]
# What is **bold** you have seen at work. The rest is usual advice.
#
# | you see | the usual cause | try |
# |---|---|---|
# | **1** the loss falls, but in a straight, slow line | learning rate too low, or too few steps | 3 times the rate |
# | **2** the loss starts above ln 10 and ends hardly below it | learning rate far too high | **a lower rate**, say a tenth |
# | **3** the loss does not move from ln 10 | (a) learning rate far too low; (b) the gradient does not arrive; (c) labels do not belong to their images | (a) **a higher rate**; (b) **let it learn one batch by heart**; (c) show 16 images with their labels, because wrong ones can be learned by heart, too |
# | **4** the loss falls, then jumps up and stays there, or becomes NaN: then `fit` stops and says so | learning rate too high or warm-up too short; for NaN also float16 without loss scaling (notebook 11) | half the rate, twice the warm-up, clipping; `precision="float32"` |
# | **7** validation jumps from epoch to epoch until the last few | learning rate still high | wait for the end of the cosine, or judge the mean of the recent weights (EMA, notebook [15](15_more_about_training.ipynb)) |

# %% [markdown]
# ## To look up: what others get, and what we get
#
# This is what plain ViTs with a class token reach on CIFAR-10, trained from scratch. We did not repeat the runs of other projects.
#
# | | test images | budget |
# |---|---|---|
# | [tintn](https://github.com/tintn/vision-transformer-from-scratch) | 75.5 % | |
# | [UvA Deep Learning tutorial 15](https://uvadlc-notebooks.readthedocs.io/en/latest/tutorial_notebooks/tutorial15/Vision_Transformer.html) | 75.6 % | |
# | **ours, `--recipe cpu`** | {{min(accuracies("cifar10_cpu") + accuracies("cifar10_cpu_bfloat16")):.1%}} to {{max(accuracies("cifar10_cpu") + accuracies("cifar10_cpu_bfloat16")):.1%}}{{assert len(accuracies("cifar10_cpu")) == len(accuracies("cifar10_cpu_bfloat16")) == 3}} | six runs on all 50,000 images, {{records("cifar10_cpu")[0].training.epochs:d}} epochs, most of them over half images, {{records("cifar10_cpu")[0].parameters / 1e6:.1f}} million parameters |
# | [kentaroy47](https://github.com/kentaroy47/vision-transformers-cifar10) | 80 %, 89 % | 200 epochs, 1,000 epochs |
# | **ours, `--recipe cpu-long`** | {{record("cifar10_cpu_long").accuracy:.1%}} | one seed, {{record("cifar10_cpu_long").training.epochs:d}} epochs, {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, {{record("cifar10_cpu_long").parameters / 1e6:.1f}} million parameters |
# | [omihub777](https://github.com/omihub777/ViT-CIFAR) | 90.9 % | 2 h 14 min on a V100 |
# | ViT-Lite-7/4 of [Hassani et al. 2021](https://arxiv.org/abs/2104.05704) | 91.4 % | |
# | **ours, `--recipe t4`** | {{record("cifar10_t4").accuracy:.1%}} | one seed, {{record("cifar10_t4").training.epochs:d}} epochs, {{record("cifar10_t4").parameters / 1e6:.1f}} million parameters. The accuracy was measured on a CPU; the time on a T4, about {{record("t4_estimate").minutes_at_full_rates:.0f}} to {{record("t4_estimate").minutes_at_half_of_them:.0f}} min, is estimated from counted FLOPs, bytes and launches (`t4_estimate`) |
# | the plain ViT of [Lee et al. 2021](https://arxiv.org/abs/2112.13492) | 93.6 % | 100 epochs of three variants of each image |
# | [vitookit](https://github.com/erow/vitookit) | 95.7 % | 200 epochs of three variants of each image, P = 2 |
# | vitookit | 96.9 % | input enlarged to 64 × 64 |
#
# Budgets differ from row to row: epochs, patch size and augmentation. Our own rows differ in many settings, and we have not measured which of them matter.
