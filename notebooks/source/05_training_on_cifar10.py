# %% [markdown]
# # 05 · Training on CIFAR-10: a recipe, ingredient by ingredient
#
# **After this notebook you can** train a ViT from scratch, find a learning rate, train on CIFAR-10 on your own machine, and say with a few seeds whether a change made your model better.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 34 minutes, in three sittings of 15, 8 and 11, and 5 for looking things up |
# | Time to run | {{notebook_seconds("05_training_on_cifar10"):about}} on two cores of a recent server CPU, with drawn shapes |
# | Package modules | `data/`, `augment.py`, `training/` |
#
# <details><summary>On a GPU, or with CIFAR-10 on your disk</summary>
#
# On a GPU, the cells take more shapes and larger batches, so your numbers differ from ours. The second sitting then also trains on CIFAR-10, which on a T4 takes {{record("t4_estimate").minutes_at_full_rates:.0f}} to {{record("t4_estimate").minutes_at_half_of_them:.0f}} minutes, by our estimate. `TRAIN_NOW = False` below the imports leaves it out.
#
# If CIFAR-10 is on your disk, the cells use it. To stay with shapes, put `%env VIT_MINIMAL_DATASET=shapes10` into a cell above all others.
#
# </details>

# %%
import contextlib
import io
import itertools
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
    random_flip,
)
from vit_minimal.data import CIFAR10_CLASSES, data_root, wanted_dataset
from vit_minimal.experiments import contrast
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records
from vit_minimal.training import (
    confusion_matrix,
    estimate_seconds,
    make_scheduler,
    predict,
)

seed_everything(0)
device = pick_device()

# %%
# Whether the second sitting trains on CIFAR-10: by default with a GPU. True asks for it on a CPU.
TRAIN_NOW = pick_budget() == "full" and wanted_dataset() != "shapes10"

# %% [markdown]
# You have built a whole ViT, but its weights are still random. Today you train them. Training is a loop of five stations, and everything else is an *ingredient* that acts at one of them:

# %%
diagrams.training_loop()

# %% [markdown]
# Read it in three sittings:
#
# 1. **Steps:** which way do they go, and how far?
# 2. **A real run:** what does each ingredient give, and what do all of them reach on CIFAR-10?
# 3. **Can you believe it?** How much of the result is luck, and when does an ingredient pay?
#
# ## The plain loop: how far does it get alone?
#
# **Shapes-10** has ten kinds of drawn shapes. Of its 10,000 training images we take 5,000, and set 1,000 of these aside to judge the model by. All numbers in the text are from our run on these shapes, unless we name CIFAR-10. (If your cells use CIFAR-10, your numbers differ.)

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
# The **tiny model** does all the work on shapes: 2 blocks, D = 64, and 16 patches of 8 × 8 pixels. Its positions are computed from sines, which leaves one thing less to learn in a training of seconds. (On CIFAR-10, learned ones do better: notebook [14](14_more_claims.ipynb).)

# %%
MODEL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)
seed_everything(0)
model = VisionTransformer(MODEL).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)

# %% [markdown]
# The next cell holds the five stations of the map. The images fit into memory, so we cut batches out by index.
#
# How far do four **epochs** take us, each with all 4,000 images? Chance level is 10 %. Guess.


# %%
def one_step(model, optimizer, batch):
    """The loss on a batch of images, given by their indices, and a step against its gradient."""
    logits = model(normalize(images[batch]))  # forward
    loss = F.cross_entropy(logits, labels[batch])  # how wrong?
    optimizer.zero_grad()  # because `backward` adds to what is there
    loss.backward()  # backward: a gradient for each weight
    optimizer.step()  # step: all weights move
    return loss.item()


for epoch in range(4):
    for batch in torch.randperm(num_train, device=device).split(batch_size):  # draw
        loss = one_step(model, optimizer, batch)
    accuracy = evaluate(model, images[num_train:], labels[num_train:])
    print(f"epoch {epoch + 1}: last loss {loss:.2f}, set aside: {accuracy:.1%} right")

# %% [markdown]
# It has barely begun to learn: the loss is still near ln 10 ≈ 2.3, which is the loss of giving each class the same probability.
#
# On CIFAR-10's photographs ([Krizhevsky 2009](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf)), such a loop brings a larger model to {{mean(ladder("SGD, constant rate")):.1%}} of the validation images after five epochs (mean of three seeds). At the end of the second sitting, the same model reaches {{record("real_run").accuracy:.1%}} of the test images, with a whole recipe, more images and {{record("real_run").training.epochs:d}} epochs.
# {{assert record("real_run").model.depth == record("training_ladder").model.depth and record("real_run").model.embed_dim == record("training_ladder").model.embed_dim and record("real_run").model.patch_size == record("training_ladder").model.patch_size}}
#
# ## Is the loop broken, or only slow?
#
# There is a quick test for bugs. We give the loop the same batch of 50 images 150 times. A healthy loop can learn so few images by heart.

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
# So the loop can learn, and we may suspect that it is only slow. (The test does not find every bug: labels that belong to other images can be learned by heart, too.)
#
# The last line shows why we set images aside: on images other than its 50, the model is hardly better than chance. This is **overfitting**, and no training image can show it to you.
#
# The images set aside are called the **validation** images. They are for choosing, for example a learning rate or an ingredient. The **test** images wait for the very end: if you chose by them, you would report the luckiest of many tries. (Later, this course does compare settings on test images. But then it shows all settings, and chooses none of them for a report.)
#
# ## Which way should a step go?
#
# We go against the gradient, the direction in which the loss rises fastest. But in a narrow valley, the steepest way down points at the opposite wall and not along the floor. Here are three rules. Each takes the gradient and a memory and returns a direction, and the step goes against it:


# %%
def sgd(gradient, memory):
    """No memory: straight against the gradient."""
    return gradient


def momentum(gradient, memory):
    """A sum of all gradients so far, in which the old ones fade."""
    memory["sum"] = 0.5 * memory.get("sum", 0) + gradient
    return memory["sum"]


def adam(gradient, memory):
    """A mean in which old gradients fade, divided by their usual size, elementwise."""
    t = memory["t"] = memory.get("t", 0) + 1
    memory["mean"] = 0.5 * memory.get("mean", 0) + 0.5 * gradient
    memory["square"] = 0.9 * memory.get("square", 0) + 0.1 * gradient**2
    # Both began at 0, so at first they are too small. These divisions make up for it:
    mean, square = memory["mean"] / (1 - 0.5**t), memory["square"] / (1 - 0.9**t)
    return mean / square.sqrt()


# %% [markdown]
# *Elementwise* means that each number of the gradient is divided by its own usual size. (Real memories are longer: PyTorch's Adam uses 0.9 for the mean and 0.999 for the square.)
#
# All three start at the same place in a valley that is steep in y and flat in x. For each rule we try thirty rates, from 0.1 to 3, and keep the one whose path has the lowest mean height.


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
# - **SGD** (stochastic gradient descent, here with exact gradients) swings from wall to wall, and then creeps: a rate that is low enough for the steep walls is too low for the flat floor.
# - **Momentum** gets much further. Along the floor all gradients agree, so their sum grows. From wall to wall they alternate and partly cancel, so the rate may be higher.
# - **Adam** ([Kingma and Ba 2015](https://arxiv.org/abs/1412.6980)) divides x and y each by its own usual size, so the flat direction no longer falls behind. (Our valley flatters it, because it lies along the axes.)
#
# But Adam's path does not settle at its end: its last five steps, in black, still jump from side to side. Near the floor all gradients are small, and Adam divides by that small size. A rate that falls may help.
#
# ViTs are usually trained with **AdamW** ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)). It is Adam with *decoupled weight decay*: at every step, each weight also shrinks by a tiny share of itself, whatever its gradient says. We have not measured what it gives here.
#
# <details><summary>What is weight decay good for?</summary>
#
# It is often said to work against overfitting, but what it does in a deep network is less clear: [D'Angelo et al. (2024)](https://arxiv.org/abs/2310.04415) find that it helps by changing how the training moves.
#
# </details>
#
# ## A fourth rule: what does Muon do with a matrix?
#
# Most weights of a ViT stand in matrices. For a matrix W, momentum returns a matrix M of the same size, and the step turns W into W − rate · M. So for an input x, the output W·x changes by −rate · M·x. Leave rate and sign aside and look at M·x. In two dimensions, all inputs of length 1 form a circle:

# %%
diagrams.even_step(torch.tensor([[0.3, 1.4], [-0.25, 0.3]]))

# %% [markdown]
# Follow the orange arrow. On the left, it is an input. In the middle, it is M·x for this input: the longest of all, about 1.5. The blue input gives the shortest, about 0.3. These two lengths are the **singular values** of M.
#
# One learning rate serves both. If it is low enough for the long arrow, the model hardly moves along the short one. Muon's authors suspect that these short directions matter for learning, too. So **Muon** ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)) makes all arrows equally long and leaves them their directions: on the right, the ellipse has become a circle. A singular value decomposition (SVD) finds directions and lengths, so the fourth rule is as short as the others:


# %%
def even_out(matrix):
    """The same directions, with all singular values set to 1: the right panel."""
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    return left @ right  # the singular values stood between these two


def muon(gradient, memory):
    """For a matrix: what momentum returns, evened out and scaled."""
    scale = 0.2 * max(gradient.shape) ** 0.5
    return scale * even_out(momentum(gradient, memory))


# %% [markdown]
# `fit` uses Muon for the matrices of the blocks, and AdamW for everything else.
#
# <details><summary>The scale, the real Muon, and which matrices it gets</summary>
#
# The scale ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)) makes the numbers about as large as they usually are in Adam's steps. The real Muon replaces the decomposition by a few matrix products, which come close. Notebook [15](15_more_about_training.ipynb) builds them, and shows how uneven the gradient of a ViT is.
#
# For the first and the last layer, patch embedding and head, Jordan et al. advise AdamW, and the course follows them.
#
# </details>
#
# ## What may change the length of a step?
#
# A rule gives a direction. Two more ingredients change how long the step in this direction is: a schedule and clipping. A **schedule** changes the rate during the training:
#
# - *Warm-up:* at first the rate climbs from near zero. One reason: in the first steps Adam has seen few batches, so its estimate of the usual size of a gradient is poor.
# - *Cosine* ([Loshchilov and Hutter 2017](https://arxiv.org/abs/1608.03983)): afterwards the rate falls to zero along half a cosine, so that the model settles instead of jumping around.

# %% tags=["hide-input"]
total = 200
stand_in = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
schedule = make_scheduler(stand_in, TrainingConfig(warmup=0.1, schedule="cosine"), total)
rates = []
for _ in range(total):
    rates.append(schedule.get_last_lr()[0])
    stand_in.step()
    schedule.step()
title = "A schedule: warm-up, then half a cosine"
_, axis = plt.subplots(figsize=(6.0, 2.3), layout="constrained")
lines = {"warm-up and cosine": rates}
plots.show_lines(range(total), lines, "step of 200", "share of the rate", title, axis=axis)
axis.get_legend().remove()
plots.show(
    "the rate climbs in a line for 20 of 200 steps, then falls to zero along half a cosine", title
)

# %% [markdown]
# **Clipping** limits what one huge gradient can do: if the gradients of all parameters, taken as one vector, are longer than 1, it shortens them to length 1 before the rule sees them. With SGD, the step gets shorter. Adam and Muon set the length of a step themselves; there, clipping keeps one huge gradient from filling the memory.
#
# ## How high may the learning rate be?
#
# From here on, `fit(model, dataset, config)` trains. It is the plain loop with all ingredients built in, and it sets the validation images aside itself. Each ingredient is a field of `TrainingConfig`. `PLAIN` switches all of them off, and the lines after it switch on AdamW, the schedule and clipping, one at a time.
#
# What will the loss do if the rate is far too low, or far too high? Guess.

# %%
PLAIN = TrainingConfig(
    optimizer="sgd",
    learning_rate=0.1,
    warmup=0.0,
    schedule="constant",
    clip_norm=0.0,
    # the same for all runs below, or off:
    epochs=4,
    batch_size=batch_size,
    weight_decay=0.0,
    label_smoothing=0.0,  # softer targets: on by default, tested in notebook 15
    flip=False,
    crop_padding=0,
    validation_images=1_000,
)

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
    print(f"rate {rate:g}: mean loss per epoch", ", ".join(f"{loss:.2f}" for loss in losses[rate]))

# %% [markdown]
# At 0.001, the loss leaves ln 10 ≈ 2.3 behind. At 0.00001 it barely moves. At 0.1, the mean over the first epoch is *above* ln 10, and the mean over the last is barely below it.
#
# Is the best rate the same for each rule? We search for each of three: SGD with momentum, AdamW and Muon.
#
# *Set-up: the tiny model, 4,000 shapes, 4 epochs, 3 seeds for each rate, all with warm-up, cosine and clipping, on record in `learning_rates`.*

# %% tags=["hide-input"]
(tried,) = read_records("../data/results/learning_rates.json")
COLOUR = {"SGD with momentum": 1, "AdamW": 2, "Muon": 3}
figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
best = []
for name, index in COLOUR.items():
    rows = [row for row in tried["rows"] if row["optimizer"] == name]
    rates = [row["rate"] for row in rows]
    seeds = [[100 * accuracy for accuracy in row["accuracies"]] for row in rows]
    means = [statistics.mean(reached) for reached in seeds]
    style = plots.curve_style(index) | {"linestyle": "-"}
    axis.plot(rates, means, **style, label=name)
    axis.plot(rates, seeds, "o", color=style["color"], alpha=0.35)
    best.append(f"{name}: {max(means):.1f} % at best")
title = "On record: Shapes-10, tiny model, 4 epochs, warm-up and cosine"
axis.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy, %", title=title)
axis.xaxis.set_major_formatter("{x:g}")
axis.grid(alpha=0.3)
axis.legend()
plots.show("hills: Muon's is the highest, and that of SGD lies furthest right", title, best)

# %% [markdown]
# A pale dot is a seed, and a line joins the means of three.
#
# | rule | the best of the rates tried | accuracy there |
# |---|---|---|
# | Muon | {{best_rate("Muon"):g}} | {{mean(swept("Muon")):.1%}} |
# | AdamW | {{best_rate("AdamW"):g}} | {{mean(swept("AdamW")):.1%}} |
# | SGD with momentum | {{best_rate("SGD with momentum"):g}} | {{mean(swept("SGD with momentum")):.1%}} |
#
# But at the rate of 0.001, AdamW is ahead of Muon. If we had tried only this rate, we would have thrown Muon away by mistake. So find the rate by trying, in factors of three or ten, for each rule anew.
#
# <details><summary><i>Limit:</i> is this fair to SGD?</summary>
#
# Not quite. In so short a training, schedule and clipping together hold SGD back (we have not separated the two). With a constant rate and no clipping, SGD reaches {{mean(swept("SGD, constant rate")):.1%}} at its best rate, {{best_rate("SGD, constant rate"):g}}. Its mean is still below AdamW's, and whether three seeds settle this, the third sitting asks.
#
# </details>
#
# **This is a good place to stop.**
# {{assert max(swept("SGD with momentum", 0.1) + swept("SGD without clipping", 0.1)) < min(swept("SGD, constant rate", 0.1)) and best_rate("SGD, constant rate") == 0.2}}
# {{assert interval(distance(swept("AdamW"), swept("SGD, constant rate")))[0] > 0.01}}
# {{assert below(swept("AdamW"), swept("Muon")) and max(swept("Muon", 0.001)) < min(swept("AdamW", 0.001))}}
# {{assert max(swept("SGD with momentum")) < min(swept("AdamW"))}}
# {{assert all(min(rates) < best_rate(name) < max(rates) for name in ("Muon", "AdamW", "SGD with momentum") for rates in [[row.rate for row in record("learning_rates").rows if row.optimizer == name]])}}
# {{assert best_rate("Muon") < best_rate("SGD with momentum") and best_rate("AdamW") < best_rate("SGD with momentum")}}
# {{assert record("learning_rates").dataset == "shapes10" and record("learning_rates").trained_on == 4000 and all(row.training.clip_norm == 1 and row.training.epochs == 4 and len(row.accuracies) == 3 for row in record("learning_rates").rows if row.optimizer not in ("SGD without clipping", "SGD, constant rate"))}}

# %% [markdown]
# ## What is each ingredient worth?
#
# Welcome back. One ingredient needs a picture first. *Augmentation* shows the model another variant of an image each time. A *flip* mirrors the image. A *crop* puts a black frame around it (4 pixels wide here, 2 for the shapes), and then cuts out a window of the original size at a random place. Only changes that keep the class are allowed: a mirrored horse is a horse, but a mirrored 3 is no longer a 3.

# %% tags=["hide-input"]
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
seed_everything(410)  # chosen for crops that are easy to tell apart
variants = {
    "original": cat[None],
    "flip": random_flip(cat[None]),
    "crop": random_crop(cat.expand(2, -1, -1, -1), 4),
}
titles = [name for name, images_of in variants.items() for _ in images_of]
plots.show_images(torch.cat(list(variants.values())), titles, columns=4, size=1.7)

# %% [markdown]
# Now we climb a ladder of six rungs. The first is the plain loop, run by `fit` with other random numbers, and three times. A rung with a plus adds something to the one before it. A rung with *instead* replaces the rule, and with it the rate and the weight decay. Which of the five changes will give most? Write down your guess.

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
# Each rung is trained with three **seeds**. With another seed, the same recipe starts from other random weights and sees the images in another order. A second ladder, on photographs, is on record. There the **small model** climbs: 4 blocks, D = 96, patches of 4 × 4.
#
# *Set-up, left: the tiny model, 4,000 shapes, 4 epochs, 3 seeds a rung, run here. Right: the small model, {{record("training_ladder").trained_on:,}} images of CIFAR-10, 5 epochs, 3 seeds a rung, 5,000 validation images, on record in `training_ladder`.*
# {{assert all(rung.training.epochs == 5 and len(rung.accuracies) == 3 for rung in record("training_ladder").rungs)}}
# {{assert record("training_ladder").judged_on == "5,000 validation" and (record("training_ladder").model.depth, record("training_ladder").model.embed_dim, record("training_ladder").model.patch_size) == (4, 96, 4)}}

# %%
ladder = {name: [train_new(config, seed) for seed in range(3)] for name, config in LADDER.items()}

# %% tags=["hide-input"]
(climbed,) = read_records("../data/results/training_ladder.json")
recorded_seeds = [rung["accuracies"] for rung in climbed["rungs"]]
ended = [[run.validation_accuracy[-1] for _, run in runs] for runs in ladder.values()]
ours = {"shapes10": "Shapes-10", "cifar10": "CIFAR-10"}[dataset.name]
ladders = {  # {title: {rung: accuracies in per cent}}
    title: {
        name: [100 * accuracy for accuracy in seeds]
        for name, seeds in zip(LADDER, rungs, strict=True)
    }
    for title, rungs in {
        f"run here: {ours},\ntiny model, 4 epochs": ended,
        "on record: CIFAR-10,\nsmall model, 5 epochs": recorded_seeds,
    }.items()
}
figure, panels = plt.subplots(
    1, 2, figsize=(7, 4.3), sharex=True, sharey=True, layout="constrained"
)
words = ["two ladders, three dots for each rung"]
for panel, (title, rungs) in zip(panels, ladders.items(), strict=True):
    plots.show_dots(rungs, "validation accuracy, %", title, axis=panel)
    for row, (name, seeds) in enumerate(rungs.items()):
        mean = statistics.mean(seeds)
        panel.text(mean, row - 0.32, f"{mean:.1f}", ha="center", va="bottom", fontsize=9)
        words.append(f"{title}, {name}: mean {mean:.1f} %, {min(seeds):.1f} to {max(seeds):.1f}")
panels[0].set_ylim(5.5, -0.8)
panels[0].margins(x=0.2)  # room for the numbers
plots.show("; ".join(words))

# %% [markdown]
# Two steps are large on both sides: to AdamW, and to Muon, which gives most. We measured only that Muon helps, and not why. And here is a surprise: on shapes, accuracy falls with flip and crop. Could that be luck? In the third sitting we ask this about each of the steps.
# {{assert mean(ladder("+ Muon")) - mean(ladder("+ clipping")) > mean(ladder("+ AdamW")) - mean(ladder("SGD, constant rate")) > mean(ladder("+ warm-up and cosine")) - mean(ladder("+ AdamW")) > 0.01}}
#
# ## The real run: CIFAR-10 on your machine
#
# The recipe `cpu` has every ingredient of the ladder's top rung, and one more, *half images*: in all epochs but the last, the model sees a random half of each image's patches. The third sitting shows how that works.
#
# - If `TRAIN_NOW` is true, the next cells fetch CIFAR-10 once (170 MB) and train with the recipe that suits your machine: `cpu`, or `t4` on a GPU. If you stop the training, run the cell again: it resumes.
# - Otherwise you see the recorded run in the same figures.
#
# *Set-up: the small model, 45,000 images of CIFAR-10, {{record("real_run").training.epochs:d}} epochs, 1 seed, judged on 5,000 validation images and, once, on 10,000 test images, on record in `real_run`.*
# {{assert record("real_run").training.patch_drop_rate == 0.5}}

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
def in_per_cent(shares):
    return [100 * share for share in shares]


settings = vars(config) if TRAIN_NOW else recorded["training"]
title = "Your run on CIFAR-10" if TRAIN_NOW else "On record: the real run, CIFAR-10, recipe cpu"
curves = {
    "training": in_per_cent(history.train_accuracy),
    "validation": in_per_cent(history.validation_accuracy),
}
figure, axis = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
if settings["patch_drop_rate"]:
    first_whole = settings["epochs"] - settings["whole_epochs"] + 0.5
    axis.axvspan(first_whole, settings["epochs"] + 0.5, color="lightgray", label="whole images")
epochs = range(1, len(history.train_accuracy) + 1)
plots.show_lines(epochs, curves, "epoch", "accuracy, %", title, axis=axis)
ends = [f"{name} ends at {values[-1]:.0f} %" for name, values in curves.items()]
plots.show("two rising curves, accuracy over epochs", title, ends)

# %% tags=["nbval-check-output"]
accuracy = counts.trace().item() / counts.sum().item()  # counts (true class, answer)
print(f"After the last epoch: {accuracy:.1%} of the {counts.sum():,} test images")

# %% [markdown]
# The recorded run took {{record("real_run").seconds:time}} on one core, in float32. In bfloat16, three more runs took {{min(run.seconds for run in records("cifar10_cpu_bfloat16")) / 60:.0f}} to {{max(run.seconds for run in records("cifar10_cpu_bfloat16")) / 60:.0f}} minutes each.{{assert record("real_run").dataset == "cifar10" and record("real_run").judged_on == "10,000 test" and "2 cores, cpu" in record("real_run").hardware and all("2 cores, cpu, 1 thread" in run.hardware and run.precision == "bfloat16" for run in records("cifar10_cpu_bfloat16"))}}{{assert record("real_run").training.validation_images == 5000 and record("real_run").training.flip and record("real_run").training.patch_drop_rate == 0.5 and record("real_run").precision == "float32"}}
#
# Validation lies *above* training until the last epoch, which is shaded. Is that a mistake?{{assert [v > t for v, t in zip(record("real_run").history.validation_accuracy, record("real_run").history.train_accuracy)] == [True] * 13 + [False]}}
#
# No. Training accuracy is counted while the model still learns, and on *harder images*: half of their patches are missing. (They are also mirrored and shifted, which barely matters.) In the last epoch no patch is missing, and training jumps above validation.
#
# <details><summary>How much harder are these images?</summary>
#
# We gave three finished models of this recipe their own training images in several ways (`harder_images`):
#
# | as they are | mirrored and shifted | half of the patches | all of this | test images |
# |---|---|---|---|---|
# | {{mean(record("harder_images").models["as they are"]):.1%}} | {{mean(record("harder_images").models["flip and crop"]):.1%}} | {{mean(record("harder_images").models["half of the patches"]):.1%}} | {{mean(record("harder_images").models["both"]):.1%}} | {{mean(accuracies("cifar10_cpu_bfloat16")):.1%}} |
#
# Read it from left to right. The models know their own images better than the test images: that is overfitting. Mirroring and shifting barely matter. But with half of the patches missing, their accuracy falls below that on the test images.
#
# </details>
# {{assert all(len(of) == 3 for of in record("harder_images").models.values()) and record("harder_images").judged_on == "50,000 training"}}
# {{assert mean(record("harder_images").models["as they are"]) - mean(record("harder_images").models["flip and crop"]) < 0.01 and mean(record("harder_images").models["flip and crop"]) - mean(record("harder_images").models["half of the patches"]) > 0.04}}
# {{assert 0.01 < mean(accuracies("cifar10_cpu_bfloat16")) - mean(record("harder_images").models["both"]) < 0.02}}
#
# ### What does the model still get wrong?
#
# A **confusion matrix** counts what each class is taken for. The right answers, on the diagonal, are grey.

# %% tags=["hide-input"]
shares = 100 * counts / counts.sum(dim=1, keepdim=True)
mistakes = shares - shares.diagonal().diag()
title = "CIFAR-10 test images: per cent of each class"
figure, axis = plt.subplots(figsize=(5.8, 5.4), layout="constrained")
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
# And which mistakes is the model most certain of? (The recorded run gives words only, because the course does not redistribute CIFAR-10.)

# %% tags=["nbval-check-output"]
if TRAIN_NOW:
    probabilities = predict(trained, cifar10.test_images).softmax(dim=1)
    certain, answers = probabilities.max(dim=1)
    wrong = certain.masked_fill(answers == cifar10.test_labels, 0).topk(8).indices
    names = [
        f"{CIFAR10_CLASSES[cifar10.test_labels[i]]}, not\n{CIFAR10_CLASSES[answers[i]]}"
        for i in wrong
    ]
    plots.show_images(cifar10.test_images[wrong], names, columns=4, size=1.6)
else:
    for mistake in recorded["worst_mistakes"]:
        probability = f"{mistake['share']:.1%}"
        print(f"{mistake['class']:10} taken for {mistake['answer']:10} with {probability}")

# %% [markdown]
# <details><summary>Not every such mistake is the model's</summary>
#
# About one test label in 200 is wrong ([Northcutt et al. 2021](https://arxiv.org/abs/2103.14749)). And some right answers are too easy, because 3.3 % of the test images have a near-duplicate among the training images ([Barz and Denzler 2020](https://arxiv.org/abs/1902.00423)).
#
# </details>
#
# **This is another good place to stop.** (If the curves of a run of yours look sick, see the table at the end.)

# %% [markdown]
# ## Why can a ViT skip half of an image when a CNN cannot?
#
# Welcome back. How can half images work, and do they pay? An ordinary convolution needs all pixels of a rectangle. A ViT takes a *set* of tokens, each of which carries its position. So you can leave patches out, and the arithmetic shrinks with them.
#
# **Patch dropout** ([Liu et al. 2022](https://arxiv.org/abs/2208.07220)) trains on a random part of each image's patches. Each patch draws a random number, `argsort` sorts the patches by it, and `gather` picks the tokens of those that come first.


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
# What does it leave of the cat? Instead of real tokens we put in the numbers 0 to 64 (0 is the class token), and see which of them come out.

# %% tags=["hide-input"]
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
# Could you still tell that it is a cat? And does it pay? A step on half images takes {{record("patch_dropout_cost").ratios[1]:.0%}} of the usual time (`patch_dropout_cost`). So the recipe `cpu`, with {{records("cifar10_cpu")[0].training.epochs - 1:d}} epochs of half images and then one of whole ones, costs as much as about {{record("patch_dropout_cost").whole_passes_of_cpu:.0f}} whole epochs. Its rival gets the same time: {{records("cifar10_seven_whole_passes")[0].training.epochs:d}} epochs of whole images, at the better of two learning rates. Which is ahead? Guess.
#
# *Set-up: the small model, 50,000 images of CIFAR-10, Muon, 3 seeds of each kind, on record in `cifar10_cpu_bfloat16` and `cifar10_seven_whole_passes`. Half images, and the rival's rate, had been chosen before, on validation images (notebook [15](15_more_about_training.ipynb)).*
#
# | test images, in % | three seeds | mean |
# |---|---|---|
# | half images, {{records("cifar10_cpu")[0].training.epochs:d}} epochs | {{accuracies("cifar10_cpu_bfloat16")[0]:.1p}}, {{accuracies("cifar10_cpu_bfloat16")[1]:.1p}}, {{accuracies("cifar10_cpu_bfloat16")[2]:.1p}} | {{mean(accuracies("cifar10_cpu_bfloat16")):.1p}} |
# | whole images, {{records("cifar10_seven_whole_passes")[0].training.epochs:d}} epochs | {{accuracies("cifar10_seven_whole_passes")[0]:.1p}}, {{accuracies("cifar10_seven_whole_passes")[1]:.1p}}, {{accuracies("cifar10_seven_whole_passes")[2]:.1p}} | {{mean(accuracies("cifar10_seven_whole_passes")):.1p}} |
#
# Half images are ahead. There are two possible reasons: the model takes more steps, and each epoch shows another half. We have not separated them.
# {{assert record("real_run").history.validation_accuracy[-1] > max(accuracies("cifar10_seven_whole_passes_validation"))}}
# {{assert len(accuracies("cifar10_seven_whole_passes")) == len(accuracies("cifar10_cpu_bfloat16")) == 3 and max(accuracies("cifar10_seven_whole_passes")) < min(accuracies("cifar10_cpu") + accuracies("cifar10_cpu_bfloat16"))}}
# {{assert interval(distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")))[0] > 0}}
# {{assert all(run.training.epochs == 7 and run.training.patch_drop_rate == 0 and run.training.validation_images == 0 for run in records("cifar10_seven_whole_passes"))}}
# {{assert record("patch_dropout_cost").rates[1] == 0.5 and all(run.training.patch_drop_rate == 0.5 and run.training.whole_epochs == 1 and run.training.epochs == 14 for run in records("cifar10_cpu") + records("cifar10_cpu_bfloat16"))}}
# {{assert round(13 * record("patch_dropout_cost").ratios[1] + 1, 1) == round(record("patch_dropout_cost").whole_passes_of_cpu, 1) and round(record("patch_dropout_cost").whole_passes_of_cpu) == 7}}
#
# ## How much of this is luck?
#
# Look at the last table again. Within a row only the seed changed, and yet the half images lie up to {{max(accuracies("cifar10_cpu_bfloat16")) - min(accuracies("cifar10_cpu_bfloat16")):.1p}} points apart. So the {{mean(accuracies("cifar10_cpu_bfloat16")) - mean(accuracies("cifar10_seven_whole_passes")):.1p}} points between the means are partly luck: six other seeds would give another number. We would like to know the difference that we would find with very many seeds. From the six that we have, we can compute a range for it, the **95 % interval**: {{distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")):+±.1p}} points, so from {{interval(distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")))[0]:.1p}} to {{interval(distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")))[1]:.1p}}. If we repeated the whole comparison 100 times with new seeds, about 95 of the 100 intervals would hold it.
#
# **In the whole course, ± is half of a 95 % interval**, and each notebook says over what: over seeds, or over the test images of one model.
#
# <details><summary>How is the interval computed?</summary>
#
# | step | how | here |
# |---|---|---|
# | 1. How much do *seeds* vary? | by the **variance**: square the distances of the seeds from their mean, add them, and divide by 2, one less than the number of seeds. Take the mean of both rows | ({{1e4 * statistics.variance(accuracies("cifar10_cpu_bfloat16")):.2f}} + {{1e4 * statistics.variance(accuracies("cifar10_seven_whole_passes")):.2f}}) / 2 = {{5e3 * (statistics.variance(accuracies("cifar10_cpu_bfloat16")) + statistics.variance(accuracies("cifar10_seven_whole_passes"))):.2f}} |
# | 2. How much does the *difference* vary? | by its **standard error**. Means of three vary less than single seeds | √({{5e3 * (statistics.variance(accuracies("cifar10_cpu_bfloat16")) + statistics.variance(accuracies("cifar10_seven_whole_passes"))):.2f}} · (1/3 + 1/3)) = {{100 * (0.5 * (statistics.variance(accuracies("cifar10_cpu_bfloat16")) + statistics.variance(accuracies("cifar10_seven_whole_passes"))) * 2 / 3) ** 0.5:.2f}} points |
# | 3. The **95 % interval** | reaches 2.78 standard errors to both sides | {{distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")):+±.1p}} points |
#
# - The factor 2.78 is *Student's t* for two times three seeds. It is larger for fewer seeds, and smaller for more: for two times five it is 2.31.
# - The seeds in the table above are rounded. The other numbers are computed from the seeds before rounding.
# - Over test images, an accuracy p on n images has the standard error √(p(1 − p)/n). At 60 % on our 1,000 validation images that is 1.5 points.
#
# </details>
# {{assert round(students_t(4), 2) == 2.78 and round(students_t(8), 2) == 2.31}}
#
# ## From an interval to a word
#
# May you now say "better"? For this course, a difference of less than one point is too small to matter. This is a choice, not a law. We call the zone from −1 to +1 **grey**, and use four words. Here is an invented example for each, and then half images:

# %% tags=["hide-input"]
half, whole = (
    [100 * run["accuracy"] for run in read_records(f"../data/results/{name}.json")]
    for name in ("cifar10_cpu_bfloat16", "cifar10_seven_whole_passes")
)
rows = {  # {name: (words below it, the difference, half of its 95 % interval)}
    "example 1": ("leaves the zone, right of 0", 3.0, 1.4),
    "example 2": ("leaves the zone, left of 0", -3.0, 1.4),
    "example 3": ("all of it in the zone", 0.2, 0.5),
    "example 4": ("leaves the zone, holds 0", 0.2, 1.7),
    "half images": ("begins in the zone, right of 0", *contrast([half], [whole])),
}
show_effects(rows, "new − old, in points", "Five intervals, four words")

# %% [markdown]
# - **better** or **worse**: the interval reaches out of the grey zone, and all of it lies on one side of 0.
# - **alike**: the interval lies inside the grey zone.
# - **not settled**: the interval reaches out of the grey zone and holds 0. These seeds cannot tell.
#
# So half images are *better* at equal time. Whether by more than one point, these seeds do not say: {{interval(distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")))[0]:.1p}} is in the interval, too. Here is the rule as code, for three seeds of each setting. It judges all steps of both ladders, before any rounding:
# {{assert differs(distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes"))) and interval(distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")))[1] > 0.01}}


# %%
def compare(new, old):
    """new − old in points, half of its 95 % interval, and the word; of three seeds each, in %."""
    difference = statistics.mean(new) - statistics.mean(old)
    variance = (statistics.variance(new) + statistics.variance(old)) / 2
    width = 2.78 * (variance * (1 / 3 + 1 / 3)) ** 0.5
    low, high = difference - width, difference + width
    if low > -1 and high < 1:
        word = "alike"
    elif low <= 0 <= high:
        word = "not settled"
    else:
        word = "better" if low > 0 else "worse"
    return difference, width, word


for title, rungs in ladders.items():
    print(title.replace("\n", " "))
    for (_, old), (name, new) in itertools.pairwise(rungs.items()):
        difference, width, word = compare(new, old)
        print(f"    {name:20} {difference:+5.1f} ± {width:3.1f} points: {word}")

# %% [markdown]
# - **Muon is better on both sides.** On shapes, a badly chosen rate does not explain it: in the first sitting, the best of five rates gave Muon {{mean(swept("Muon")):.1%}} and AdamW {{mean(swept("AdamW")):.1%}}. (On this ladder, AdamW has a rate between two of those five.) On CIFAR-10 each rule had one rate, so there part of the step may be tuning.
# - **AdamW is better on both sides, but on shapes the race was not fair.** The plain rung's rate, 0.1, is too low for SGD. At {{best_rate("SGD, constant rate"):g}} it does better, and then AdamW leads by only about 6 ± 8 points, which is *not settled*. (The rate of {{best_rate("SGD with momentum"):g}} in the first sitting was SGD's best *with* schedule and clipping.)
# - **The schedule** is better on CIFAR-10 and not settled on shapes. **Clipping** is settled on neither side. Notebook [15](15_more_about_training.ipynb) looks at both again.
# - **Flip and crop are worse on shapes**, and not settled on CIFAR-10. Is augmentation bad, then?
#
# <details><summary><i>Limit:</i> part of a step from one rule to another may be tuning, and not the rule</summary>
#
# With well-tuned rates, language models trained only 1.1 to 1.4 times as fast with Muon as with AdamW ([Wen et al. 2025](https://arxiv.org/abs/2509.02046)).
#
# </details>
#
# Notebook [10](10_claims_put_to_the_test.ipynb) gets narrower intervals from three seeds, and shows what goes wrong when you make many comparisons.
# {{assert all(max(seeds) - min(seeds) > mean(ladder("+ flip and crop")) - mean(ladder("+ Muon")) for seeds in (ladder("+ Muon"), ladder("+ flip and crop")))}}
# {{assert not differs(distance(ladder("+ flip and crop"), ladder("+ Muon"))) and interval(distance(ladder("+ flip and crop"), ladder("+ Muon")))[1] > 0.01}}
# {{assert below(ladder("+ clipping"), ladder("+ Muon")) and differs(distance(ladder("+ AdamW"), ladder("SGD, constant rate"))) and differs(distance(ladder("+ warm-up and cosine"), ladder("+ AdamW")))}}
# {{assert not differs(distance(ladder("+ clipping"), ladder("+ warm-up and cosine"))) and interval(distance(ladder("+ clipping"), ladder("+ warm-up and cosine")))[0] < -0.01}}

# %% [markdown]
# ## When does augmentation pay?
#
# Our guess: in four epochs, a model learns little by heart, so there is little for augmentation to prevent, and it mainly makes images harder. If that is right, flip and crop should help where a model sees few images many times. So now we train on only 500 shapes, for sixty epochs, with Muon and one seed. (With one seed we cannot compute an interval, so we do not say *better* yet. The photographs below have three.)

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
    curves = {
        "training": in_per_cent(run.train_accuracy),
        "validation": in_per_cent(run.validation_accuracy),
    }
    plots.show_lines(range(1, 61), curves, "epoch", "accuracy, %", title, axis=panel)
    panel.set_xticks(range(0, 61, 20))
    panel.label_outer()
title = f"500 images of {ours}: Muon, tiny model, 60 epochs"
figure.suptitle(title)
plots.show("the gap between training and validation is smaller with flip and crop", title)

# %% [markdown]
# On the left, the model gets every training image right in the end, but nearly half of the validation images wrong. That is overfitting. On the right, each image comes in up to 2 × 5 × 5 = 50 variants: mirrored or not, at 5 × 5 places of the window. Validation climbs to almost 70 % instead of about 52 %.
#
# Photographs agree. There, flip and crop lift the mean to {{mean(augmented("flip and crop (base)")):.1%}}: better, by {{distance(augmented("flip and crop (base)"), augmented("without flip and crop")):±.1p}} points. (Notebook [15](15_more_about_training.ipynb) tries seven more ingredients on top, and none is better.)
#
# <details><summary>The set-up of the photographs, and a limit</summary>
#
# The tiny model with learned positions, {{record("where_augmentation_pays").trained_on:,}} images of CIFAR-10, {{record("where_augmentation_pays").settings[0].training.epochs:d}} epochs with Muon, 3 seeds, 2,000 validation images, on record in `where_augmentation_pays`.
#
# *Limit:* the ladders had more images *and* fewer epochs, so we cannot say which of the two decides.
#
# </details>
# {{assert record("where_augmentation_pays").judged_on == "2,000 validation" and all(len(row.accuracies) == 3 and row.training.optimizer == "muon" for row in record("where_augmentation_pays").settings)}}
# {{assert below(augmented("without flip and crop"), augmented("flip and crop (base)"))}}

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
# The learning rate at step 0, 1, …, `total_steps` − 1. First it climbs in a line: step 0 takes 1/`warmup_steps` of `peak`, and step `warmup_steps` − 1 takes all of it. Then it falls along half a cosine: it begins at `peak` at step `warmup_steps`, and would reach zero at step `total_steps`. `warmup_steps` may be 0: then there is no climb.
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
# - Muon gave the most on both of our ladders. On CIFAR-10, part of that may be tuning. Half images paid at equal time, and augmentation paid where few images were seen many times.
# - Three seeds of each setting give the difference an interval, and the interval a word.
#
#
# > **Remember:** choose on validation images, compare with several seeds, and keep the test images for the report.
#
# ## A question
#
# Why does Muon not handle the class token, the biases and the norms?
#
# <details><summary>Answer</summary>
#
# They are vectors. A vector, taken as a matrix with one row, has a single singular value, so all that Muon could do is to fix its length. `fit` gives them to AdamW.
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
# White frames were measured: 0 and 6 in the real run, 2, 3 and 5 in other cells of this notebook. Each point of a loss curve is the mean over an epoch; the numbers in a frame are its first and its last point. Grey frames are sketches, and the advice about them is the usual one, not measured.

# %%
measured = {
    0: [history.train_loss],
    5: [as_they_are.train_accuracy, as_they_are.validation_accuracy],
    6: [history.train_accuracy, history.validation_accuracy],
}
measured |= {frame: [losses[rate]] for frame, rate in {2: 1e-1, 3: 1e-5}.items() if rate in losses}
diagrams.curve_gallery(measured)

# %% [markdown]
# | you see | the usual cause | try |
# |---|---|---|
# | **0** the loss is below ln 10 from the first epoch on, and keeps falling | none: this is healthy | go on |
# | **1** the loss falls, but in a straight, slow line | learning rate too low, or too few steps | 3 times the rate |
# | **2** the first epoch's mean is *clearly* above ln 10 (2.39 in our run), and the last hardly below it | learning rate far too high | a tenth of the rate |
# | **3** the loss stays within 0.01 of ln 10 | (a) learning rate far too low; (b) the gradient does not arrive; (c) labels do not belong to their images | (a) a higher rate; (b) let it learn one batch by heart; (c) show 16 images with their labels |
# | **4** the loss falls, then jumps up and stays there, or becomes NaN: then `fit` stops and says so | learning rate too high or warm-up too short; for NaN also float16 without loss scaling (notebook [17](17_beyond_fit.ipynb)) | half the rate, twice the warm-up, clipping; `precision="float32"` |
# | **5** training goes on to 100 %, and validation stops far below | overfitting | more images, augmentation |
# | **6** validation lies above training | none: training images are made harder | judge by validation |
# | **7** validation jumps from epoch to epoch until the last few | learning rate still high | wait for the end of the cosine, or judge the mean of the recent weights (EMA, notebook [15](15_more_about_training.ipynb)) |

# %% [markdown]
# ## To look up: what others get, and what we get
#
# Plain ViTs with a class token, trained from scratch, are reported to reach 75.6 to 95.7 % of CIFAR-10's test images. We did not repeat the runs of other projects. Budgets differ from row to row: epochs, patch size and augmentation.
#
# <details><summary>The table, with our three recipes</summary>
#
# | | test images | budget |
# |---|---|---|
# | [UvA Deep Learning tutorial 15](https://uvadlc-notebooks.readthedocs.io/en/latest/tutorial_notebooks/tutorial15/Vision_Transformer.html) | 75.6 % | see there |
# | **ours, `--recipe cpu`** | {{min(accuracies("cifar10_cpu") + accuracies("cifar10_cpu_bfloat16")):.1%}} to {{max(accuracies("cifar10_cpu") + accuracies("cifar10_cpu_bfloat16")):.1%}}{{assert len(accuracies("cifar10_cpu")) == len(accuracies("cifar10_cpu_bfloat16")) == 3}} | six runs on all 50,000 images, {{records("cifar10_cpu")[0].training.epochs:d}} epochs, most of them over half images, {{records("cifar10_cpu")[0].parameters / 1e6:.1f}} million parameters |
# | [kentaroy47](https://github.com/kentaroy47/vision-transformers-cifar10) | 80 %, 89 % | 200 epochs, 1,000 epochs |
# | **ours, `--recipe cpu-long`** | {{record("cifar10_cpu_long").accuracy:.1%}} | one seed, {{record("cifar10_cpu_long").training.epochs:d}} epochs, {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, {{record("cifar10_cpu_long").parameters / 1e6:.1f}} million parameters |
# | ViT-Lite-7/4 of [Hassani et al. 2021](https://arxiv.org/abs/2104.05704) | 91.4 % | see there |
# | **ours, `--recipe t4`** | {{record("cifar10_t4").accuracy:.1%}} | one seed, {{record("cifar10_t4").training.epochs:d}} epochs, {{record("cifar10_t4").parameters / 1e6:.1f}} million parameters. Its accuracy was measured on a CPU; its time on a T4, {{record("t4_estimate").minutes_at_full_rates:.0f}} to {{record("t4_estimate").minutes_at_half_of_them:.0f}} min, is estimated (`t4_estimate`) |
# | the plain ViT of [Lee et al. 2021](https://arxiv.org/abs/2112.13492) | 93.6 % | 100 epochs of three variants of each image |
# | [vitookit](https://github.com/erow/vitookit) | 95.7 % | 200 epochs of three variants of each image, P = 2 |
#
# Our own rows differ in many settings, and we have not measured which of them matter.
#
# In a terminal, `python -m vit_minimal.training --recipe cpu-long --dataset cifar10` is a run of two hours. Its model is the **shipped model** ([its card](../data/README.md#checkpoints)), which notebook 06 opens up.{{assert 6300 < record("cifar10_cpu_long").seconds < 8100}}
#
# </details>
