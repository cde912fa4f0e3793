# %% [markdown]
# # 07 · Pitfalls, measured: how a model starts
#
# **After this notebook you can** check a model before you train it: one batch shows the first loss and whether images differ, and two steps show whether every block can move. You can also say what such a sign does *not* tell you.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05 |
# | Time to read | about 25 minutes, in two parts of which the second is short, and ten more for the second visit |
# | Time to run | at the quick budget {{notebook_seconds("07_pitfalls_initialization"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `variants.py` |
#
# One of these two lines is a mistake:
#
# ```python
# self.pos_embed = nn.Parameter(torch.randn(1, 65, 96))
# self.pos_embed = nn.Parameter(torch.randn(1, 65, 96) * 0.02)
# ```
#
# Both lines run, both models train, and there is no warning. After three passes over CIFAR-10 the model with the second line is right for {{runs("position_init", "N(0, 0.02)").mean:.1%}} of the test images, and the one with the first line for {{runs("position_init", "N(0, 1)").mean:.1%}}. Could you have known before the first step? This notebook looks for *signs* in a new model, and sets each beside its *cost* after training.
# {{assert below(runs("position_init", "N(0, 1)"), runs("position_init", "N(0, 0.02)"))}}
#
# Every table and figure says where its numbers come from:
#
# | | which model | which images |
# |---|---|---|
# | **on CIFAR-10** | the model of recipe `cpu` in notebook 05: {{recorded("weight_init", "Xavier")[0].run.model.depth:d}} blocks, width D = {{recorded("weight_init", "Xavier")[0].run.model.embed_dim:d}} | All is on record. A sign comes from 100 images, as the mean of three seeds. A cost comes from three seeds or more, {{recorded("weight_init", "Xavier")[0].run.training.epochs:d}} passes over {{records("experiments_cifar10_full")[0].trained_on:,}} images and the 10,000 test images. |
# | **here** | the same model, untrained | 100 images that your machine has; in the run saved here drawn shapes, Shapes-10 |
#
# (A *seed* fixes the random numbers, so another seed means another model of the same kind.)
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3 for r in recorded("weight_init", "Xavier"))}}
# {{assert all(len(of.accuracies) >= 3 for name in ("weight_init", "class_token_init",
# "class_token_init_rates", "position_init", "patch_position_init", "position_untrained") for of in experiment(name).values())}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert all(len(at_start("loss", "weight_init", of)) == 3 for of in ("N(0, 0.02)", "Xavier"))}}

# %%
import copy
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from vit_minimal import diagrams, load_dataset, plots
from vit_minimal.augment import normalize
from vit_minimal.device import pick_budget
from vit_minimal.diagrams.card import CLASS, MLP, PATCH, POSITION, dark
from vit_minimal.experiments import make_model, plan, pooled_spread, run_experiment, summarize
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records

dataset = load_dataset()
images, labels = normalize(dataset.train_images[:100]), dataset.train_labels[:100]

# %% [markdown]
# ## What is a start?
#
# Before the first step, a model holds random numbers. We write N(0, 0.02) for normal numbers of mean 0 and standard deviation 0.02. `torch.randn` draws from N(0, 1), numbers that are 50 times larger.
#
# We compare each start with a *base*, in which class token, positions and weights all come from N(0, 0.02). Only one of the three differs in a start. `cifar10_model` makes a new model with such a start, and `plan` knows the settings of all our runs:


# %% tags=["nbval-check-output"]
def cifar10_model(experiment, setting, seed=0):
    """The CIFAR-10 model of a start, before its first step."""
    return make_model(plan(experiment, "full", seed)[setting, 1])  # at 1 × the usual learning rate


for setting in ("N(0, 0.02)", "N(0, 1)"):
    positions = cifar10_model("position_init", setting).pos_embed.weight
    print(f"positions: {setting:10}   {tuple(positions.shape)}, deviation {positions.std():.2f}")

# %% [markdown]
# Every token starts as a sum: what it holds, plus its position. A patch holds its pixels, mapped to D numbers, and the class token holds a vector that is learned. The sum enters the *residual stream*, the running sum to which every block adds its part.
#
# How large are the two parts of that sum? In the picture, which is measured *here*, a bar is the *size* of a vector: the root mean square of its D numbers.


# %% tags=["hide-input"]
def size(numbers):
    return numbers.detach().square().mean().sqrt().item()


added = {}
for name in ("N(0, 0.02)", "N(0, 1)"):
    model = cifar10_model("position_init", name)
    of_class, *of_patches = model.pos_embed.weight[0]
    added[f"positions from {name}"] = (
        (size(model.patch_embed(images)), size(torch.stack(of_patches))),
        (size(model.cls_token.weight), size(of_class)),
    )
diagrams.what_adds_up(added, "sizes before the first step")

# %% [markdown]
# With positions from N(0, 1), a position is three times as large as the patch to which it is added, and about fifty times as large as the class token.
#
# **Guess:** where do the large positions do more harm, at the patches or at the class token?
#
# ## One sign: the spread between images
#
# Can you see a bad start before you train? We give twelve images to an untrained model, and look at what its head receives: the class token after the last *norm*, the LayerNorm that brings the numbers of each token to mean 0 and size 1. Each image is a row; purple numbers are positive, and orange ones negative:

# %% tags=["hide-input"]
_, halves = plt.subplots(2, 1, figsize=(6.4, 3.8), layout="constrained")
for half, name in zip(halves, ("N(0, 0.02)", "N(0, 1)"), strict=True):
    with torch.no_grad():
        read = cifar10_model("position_init", name).forward_features(images[:12])[:, 0]
    title = f"positions from {name}, before the first step, here"
    plots.show_matrix(
        read, [], [], title, numbers=False, axis=half, signed=True, limit=2.5, y_label="12 images"
    )
halves[1].set_xlabel("the D = 96 numbers of the class token that the head receives")
plots.show(
    "two times 12 rows of 96 coloured cells: above, the rows differ; below, all rows are alike"
)

# %% [markdown]
# Above, the rows differ. Below, all twelve images look almost the same to the head. We measure this as the *spread between images*, or *spread* for short: the standard deviation of each column, averaged over the columns. It is 0 when all images look the same, and about 1 at most. We take a spread below 0.05 as a warning, a threshold that we chose after we had seen the results.
#
# The **first loss** is a second sign. A model that knows nothing about ten classes should give each of them 10 %. Its loss is then −ln 0.1 = ln 10 ≈ 2.303.
#
# `at_the_start` measures both on one batch. It also takes your own model, if that has timm's names and its head reads the class token.


# %%
@torch.no_grad()
def at_the_start(model, images, labels):
    """The first loss, and the spread between images."""
    model = copy.deepcopy(model).eval()  # without dropout; your model stays as it is
    read = model.forward_features(images)[:, 0]  # what the head reads: (B, D)
    return cross_entropy(model.head(read), labels).item(), read.std(dim=0).mean().item()


# %%
for setting in ("N(0, 0.02)", "N(0, 1)"):
    loss, spread = at_the_start(cifar10_model("position_init", setting), images, labels)
    print(f"here, positions: {setting:10}   first loss {loss:.3f}   spread {spread:.3f}")

# %% [markdown]
# Both losses are close to ln 10, so they show nothing. **The spread stands out: with positions from N(0, 1) it is close to 0.** On CIFAR-10, too, it falls from {{mean(at_start("spread", "position_init", "N(0, 0.02)")):.3f}} to {{mean(at_start("spread", "position_init", "N(0, 1)")):.3f}}. (There all spreads are somewhat smaller than with drawn shapes.)
# {{assert all(one <= other for name in ("position_init", "patch_position_init", "class_token_init", "weight_init") for of in experiment(name) if "frozen" not in of
# for one, other in zip(at_start("spread", name, of), at_start("spread", name, of, "shapes10"), strict=True))}}
# {{assert all(loss < math.log(10) + 0.2 for name in ("position_init", "patch_position_init", "class_token_init") for of in ("N(0, 0.02)", "N(0, 1)") for loss in at_start("loss", name, of))}}
#
# A sign is not yet a cost, because training may make a bad start good.
#
# ## What do large positions cost?
#
# To find the cost we have to train. The *cost* of a start is how many points it ends behind its base, where a point is one per cent of the test images.
#
# **Guess:** what do positions cost that start as zeros, from N(0, 1), and from N(0, 10)? And what does it cost to have no positions at all?


# %% tags=["hide-input"]
KINDS = {
    "position_init": "positions",
    "patch_position_init": "patches' positions",
    "class_token_init": "class token",
    "weight_init": "weights",
}
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
noise = pooled_spread(cifar10)  # by how much runs of one setting differ


def on_cifar10(experiment, setting):
    """Per cent right on CIFAR-10; the cost of a start in points, and half its 95 % interval."""
    of = summarize(experiment, "full", cifar10, noise)[setting]
    return 100 * of.mean, -100 * of.difference, 100 * of.difference_width


costs = {}
for name, experiment, setting in (
    ("zeros", "position_init", "zeros"),
    ("N(0, 1)", "position_init", "N(0, 1)"),
    ("N(0, 10)", "position_init", "N(0, 10)"),
    ("none at all", "position_untrained", "none"),
):
    right, points, width = on_cifar10(experiment, setting)
    costs[name] = (f"{right:.1f} % right", points, width)
right, *_ = on_cifar10("position_init", "N(0, 0.02)")
show_effects(
    costs,
    "cost in points",
    f"on CIFAR-10, how positions start\n(the base, N(0, 0.02): {right:.1f} % right)",
)

# %% [markdown]
# A bar is a 95 % interval; the end of this notebook says how it is made. Where it reaches 0, the mark is hollow: we see *no measurable effect*.
#
# **Positions from N(0, 1), which is `torch.randn`, cost {{loss(runs("position_init", "N(0, 1)")):±.1p}} points. Zeros cost nothing measurable.** Even a model without any positions ends {{distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")):±.1p}} points ahead of `torch.randn`, although it cannot know where a patch lies.
# {{assert not differs(runs("position_init", "zeros"))}}
# {{assert runs("position_untrained", "learned").mean == runs("position_init", "N(0, 0.02)").mean}}
# {{assert distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).mean > distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).width}}
#
# *Limit:* these costs belong to one learning rate. With each of the two lines at its own best rate, `torch.randn` still loses {{reached("position_init_rates", "N(0, 0.02)", 1)[0] - reached("position_init_rates", "N(0, 1)", 3)[0]:.1p}} points (one seed; the second visit has more, also after more passes).
#
# A small spread and a large cost come together here. Is the small spread the *reason* for the cost? We ask two questions:
#
# 1. Is a small spread *enough* to cost points? Then every start with a small spread loses some.
# 2. Is a small spread *needed* to lose these points? Then no start with a larger spread loses them.
#
# ## Is a small spread enough? A large class token
#
# The class token itself can start too large. What it starts with stays in the residual stream up to the last norm. The picture takes the class tokens of 100 images apart, into what all of them share and what differs between images. It is measured *here*; the left side shows them before the last norm, and the right side after it:


# %% tags=["hide-input"]
@torch.no_grad()
def before_the_last_norm(experiment, setting):
    model = cifar10_model(experiment, setting)
    model.norm = torch.nn.Identity()
    return model.forward_features(images)[:, 0]


diagrams.norm_divides(
    {
        f"class token from {setting}": before_the_last_norm("class_token_init", setting)
        for setting in ("N(0, 0.02)", "N(0, 1)")
    },
    "class tokens before the first step",
)

# %% [markdown]
# Before the norm, images differ by nearly as much in the second start as in the first. But with a large class token they also share a part of size 1, and the norm divides everything by the size of the whole token. What the token gathers *drowns*: hardly any of it reaches the head.
#
# **Guess:** does a large class token cost as much as large positions?
#
# | class token, on CIFAR-10 | spread | cost in points |
# |---|---|---|
# | N(0, 0.02), the base | {{mean(at_start("spread", "class_token_init", "N(0, 0.02)")):.3f}} | |
# | zeros | {{mean(at_start("spread", "class_token_init", "zeros")):.3f}} | {{loss(runs("class_token_init", "zeros")):±.1p}} |
# | N(0, 1) | {{mean(at_start("spread", "class_token_init", "N(0, 1)")):.3f}} | {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} |
# | N(0, 10) | {{mean(at_start("spread", "class_token_init", "N(0, 10)")):.3f}} | {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} |
# {{assert all(spread < 0.05 for data in ("cifar10", "shapes10") for spread in at_start("spread", "class_token_init", "N(0, 1)", data))}}
# {{assert not any(differs(runs("class_token_init", name)) for name in ("zeros", "all 1", "N(0, 1)"))}}
# {{assert differs(runs("class_token_init", "N(0, 10)"))}}
#
# **A class token from N(0, 1) has a spread below our warning, and it costs little or nothing.** But the one from N(0, 10) has a smaller spread still, and it costs {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} points. So perhaps a spread only has to be small *enough* to cost points. Then a spread of exactly 0 should cost a lot. Is there a start that has one?
#
# ## A spread of 0: weights that start as zeros
#
# There are even two. Now we vary the weights: the matrices of the blocks and of the head. Three starts put zeros there:
#
# - **All zero**: every one of these matrices is zero.
# - **Head zero**: only the head's matrix is zero. This is how the first ViT [started](https://github.com/google-research/vision_transformer).
# - **Second zero**: in each block, the two matrices that write into the residual stream are zero. They are the output of attention and fc2, the second matrix of the MLP.
#
# **Guess:** which of them cannot learn?
#
# | weights, on CIFAR-10 | first loss | spread | cost in points |
# |---|---|---|---|
# | N(0, 0.02), the base | {{mean(at_start("loss", "weight_init", "N(0, 0.02)")):.3f}} | {{mean(at_start("spread", "weight_init", "N(0, 0.02)")):.3f}} | |
# | all zero | {{mean(at_start("loss", "weight_init", "all zero")):.3f}} | {{mean(at_start("spread", "weight_init", "all zero")):.3f}} | {{loss(runs("weight_init", "all zero")):±.1p}} |
# | head zero | {{mean(at_start("loss", "weight_init", "head zero")):.3f}} | {{mean(at_start("spread", "weight_init", "head zero")):.3f}} | {{loss(runs("weight_init", "head zero")):±.1p}} |
# | second zero | {{mean(at_start("loss", "weight_init", "second zero")):.3f}} | {{mean(at_start("spread", "weight_init", "second zero")):.3f}} | {{loss(runs("weight_init", "second zero")):±.1p}} |
# {{assert all(max(at_start("spread", "weight_init", of)) == 0 for of in ("all zero", "second zero"))}}
# {{assert all(accuracy == 0.1 for accuracy in runs("weight_init", "all zero").accuracies)}}
# {{assert not any(differs(runs("weight_init", name)) for name in ("head zero", "second zero"))}}
#
# With all zero and with second zero, the blocks add nothing at first. So no pixel reaches the class token, and the spread is 0. After training, all zero is right for {{runs("weight_init", "all zero").mean:.1%}} of the images with every seed, which is guessing. But second zero costs nothing measurable. **So a small spread is not enough to cost points: even a spread of 0 can be harmless.**
#
# ### What tells the dead start from the healthy one?
#
# To learn, every block has to move, and for that it needs a *gradient*. How long the gradient is hardly matters: AdamW and Muon, the optimizers of this course, make steps of about the same length from a long gradient and from a short one. Only a gradient of zero gives no step.
#
# One step is too few to find this out. On its way back from the loss to the blocks, the gradient is multiplied by the head's matrix. With head zero nothing arrives at the blocks in the first step, although this start is healthy. So `two_steps` takes two steps, and notes the gradient of the block that gets the least:


# %%
def gradient(block):
    """The length of the gradient of a block's matrices as one vector; without any it is 0."""
    matrices = [parameter for parameter in block.parameters() if parameter.ndim > 1]
    return get_total_norm([p.grad for p in matrices if p.grad is not None]).item()


def two_steps(model, images, labels):
    """The gradient of the block that gets the least, in the first step and in the second."""
    model, least = copy.deepcopy(model).eval(), []  # without dropout or skipped blocks
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        least.append(min(map(gradient, model.blocks)))
        optimizer.step()
    return least


# %%
for name in ("N(0, 0.02)", "all zero", "head zero", "second zero"):
    one, two = two_steps(cifar10_model("weight_init", name), images, labels)
    print(f"here, weights: {name:12}  step 1: {one:.1e}   step 2: {two:.1e}")

# %% [markdown]
# Only all zero has no gradient in the second step either, so it is dead. Why? The matrices of a block stand in pairs: fc1 before fc2, and the values before the output of attention. In such a pair x enters, h stands between the matrices, and y goes into the residual stream:

# %% tags=["hide-input"]
diagrams.zero_pairs()

# %% [markdown]
# - **All zero.** W₂ gets its gradient through h, and W₁ gets its own through W₂. Both are zero, so each waits for the other for ever.
# - **Head zero.** Here the pair is the blocks and the head. The token that the head reads is not zero, so the head moves in the first step, and the blocks in the second.
# - **Second zero.** Only W₂ is zero. It moves in the first step, and W₁ in the second.
#
# <details><summary>The same with the chain rule</summary>
#
# ```
# y = W₂ h      h = f(W₁ x)      f(0) = 0
#
# gradient of W₂ = (gradient of y) · hᵀ                  = 0, because W₁ = 0 makes h = 0
# gradient of W₁ = (f′ times W₂ᵀ · gradient of y) · xᵀ   = 0, because W₂ = 0
# ```
#
# Queries and keys act through the values, so they get no gradient either. What can still move is the same for every image, so the head can only learn how frequent the classes are.
# </details>
#
# **So a start can have a perfect first loss and never learn, and the gradients of two steps show it.** (Each block has one number here, so a dead MLP beside a living attention goes unnoticed.)
# {{assert all(max(least) == 0 for least in at_start("gradients", "weight_init", "all zero"))}}
# {{assert all(second > 0.01 for of in ("head zero", "second zero", "N(0, 0.02)") for data in ("cifar10", "shapes10") for _, second in at_start("gradients", "weight_init", of, data))}}
#
# ## Is a small spread needed? Large positions of the patches alone
#
# `torch.randn` gives *every* token a large position, the class token and the patches. Which of them cost the points? We take a model whose class token has no position at all, so that only the patches' positions can be large:
#
# | positions of the patches, on CIFAR-10 | spread | cost in points |
# |---|---|---|
# | N(0, 0.02), the base of this model | {{mean(at_start("spread", "patch_position_init", "N(0, 0.02)")):.3f}} | |
# | N(0, 1) | {{mean(at_start("spread", "patch_position_init", "N(0, 1)")):.3f}} | {{loss(runs("patch_position_init", "N(0, 1)")):±.1p}} |
#
# This costs about as much as `torch.randn`, with {{loss(runs("position_init", "N(0, 1)")):±.1p}} points, and its spread stays far above our warning. **So large positions of the patches are enough to lose these points, and a spread below 0.05 is not needed.** (The spread does fall by half, and a threshold of 0.4 would have caught this start. But with any threshold, second zero is a false alarm.)
# {{assert not differs(distance(gain(runs("patch_position_init", "N(0, 1)")), gain(runs("position_init", "N(0, 1)"))))}}
# {{assert below(runs("patch_position_init", "N(0, 1)"), runs("patch_position_init", "N(0, 0.02)"))}}
# {{assert all(spread > 0.05 for data in ("cifar10", "shapes10") for spread in at_start("spread", "patch_position_init", "N(0, 1)", data))}}
# {{assert all((spread < 0.4) == caught for name, of, caught in (("patch_position_init", "N(0, 1)", True), ("patch_position_init", "N(0, 0.02)", False), ("weight_init", "N(0, 0.02)", False)) for spread in at_start("spread", name, of))}}
#
# Where does the warning for `torch.randn` come from, then? We give a large position to the class token alone:

# %%
model = cifar10_model("position_init", "N(0, 0.02)")
large = cifar10_model("position_init", "N(0, 1)").pos_embed.weight
with torch.no_grad():
    model.pos_embed.weight[:, 0] = large[:, 0]  # token 0 is the class token
_, spread = at_the_start(model, images, labels)
print(f"here, the class token's position alone from N(0, 1): spread {spread:.3f}")

# %% [markdown]
# This one position is enough for the warning, because it drowns the class token just as a large class token does. **So the warning comes from the position of the class token, and the points are lost at the patches.** Why they are lost there is open: the second visit has an experiment.
#
# ## What is a look at the start worth?
#
# The figure shows all starts so far. The dotted lines are our warning, and a cost of one point, which is about what three seeds can tell from none. **Guess:** in which two of the four fields would all marks lie if the spread were a perfect forecast?

# %% tags=["hide-input"]
known_signs = read_records("../data/results/start_signs.json")[0]["rows"]


def on_record(sign, experiment, setting):
    """A sign on 100 images of CIFAR-10, the mean of three seeds."""
    start = {"dataset": "cifar10", "budget": "full", "experiment": experiment, "setting": setting}
    return mean(row[sign] for row in known_signs if start.items() <= row.items())


STYLES = {
    "class_token_init": (CLASS, "o"),
    "position_init": (POSITION, "s"),
    "patch_position_init": (PATCH, "D"),
    "weight_init": (MLP, "^"),
}
STARTS = {  # on which side of its mark the name of a start stands
    ("position_init", "zeros"): "right",
    ("position_init", "N(0, 1)"): "right",
    ("position_init", "N(0, 10)"): "right",
    ("patch_position_init", "N(0, 1)"): "right",
    ("class_token_init", "zeros"): "right",
    ("class_token_init", "N(0, 1)"): "left",
    ("class_token_init", "N(0, 10)"): "left",
    ("weight_init", "all zero"): "right",
    ("weight_init", "head zero"): "left",
    ("weight_init", "second zero"): "right",
}
WARNS, COSTS = 0.05, 1  # below the one and above the other
FIELDS = {  # whether the spread warns and the start costs points: where its name is, and its colour
    (True, True): ("caught", 0.01, 0.97, "#e8f3ec"),
    (False, True): ("missed", 0.99, 0.97, "#fbe9df"),
    (True, False): ("false alarm", 0.01, 0.03, "#fbe9df"),
    (False, False): ("fine", 0.99, 0.03, "#e8f3ec"),
}
LEFT, RIGHT, BELOW, ABOVE = -1e-5, 0.8, -1.4, 200

_, axis = plt.subplots(figsize=(6.2, 5.2), layout="constrained")
axis.set_xscale("function", functions=(np.cbrt, lambda root: root**3))  # room for small spreads
axis.set_yscale("symlog", linthresh=COSTS, linscale=1)  # and for small costs
axis.set(xlim=(LEFT, RIGHT), ylim=(BELOW, ABOVE))
axis.set_xticks([0, 0.001, 0.01, WARNS, 0.2, 0.5], ["0", "0.001", "0.01", "0.05", "0.2", "0.5"])
axis.set_yticks([0, COSTS, 3, 10, 30, 60], ["0", "1", "3", "10", "30", "60"])
axis.minorticks_off()
axis.set(
    xlabel="spread before the first step (stretched)", ylabel="cost in points (stretched)",
    title="on CIFAR-10",
)  # fmt: skip
for (warned, lost), (name, x, y, colour) in FIELDS.items():
    axis.fill_between(
        (LEFT, WARNS) if warned else (WARNS, RIGHT), *((COSTS, ABOVE) if lost else (BELOW, COSTS)),
        color=colour, linewidth=0, zorder=0,
    )  # fmt: skip
    axis.text(
        x, y, name, transform=axis.transAxes, fontsize=13, weight="bold", color="#595959",
        ha="left" if x < 0.5 else "right", va="top" if y > 0.5 else "bottom",
    )  # fmt: skip
axis.axvline(WARNS, color="gray", linestyle=":")
axis.axhline(COSTS, color="gray", linestyle=":")
said = []
for (experiment, setting), side in STARTS.items():
    spread, points = on_record("spread", experiment, setting), on_cifar10(experiment, setting)[1]
    colour, marker = STYLES[experiment]
    axis.plot(
        spread, points, marker, color=colour, markersize=7, markeredgecolor="black", clip_on=False
    )
    axis.annotate(
        setting, (spread, points), xytext=(9 if side == "right" else -9, 0),
        textcoords="offset points", ha="left" if side == "right" else "right", va="center",
        color=dark(colour),
    )  # fmt: skip
    field, *_ = FIELDS[spread < WARNS, points > COSTS]
    said.append(f"{KINDS[experiment]}: {setting}: {field}, spread {spread:.4f}, cost {points:z.1f}")
for experiment, (colour, marker) in STYLES.items():
    axis.plot(
        [], [], marker, color=colour, markeredgecolor="black", markersize=7, label=KINDS[experiment]
    )
axis.figure.legend(loc="outside upper center", ncols=2, frameon=False)
plots.show("all starts by their spread and their cost, in four fields", "", said)

# %% [markdown] tags=["exercise-only"]
# # Exercises 07 · Pitfalls: how a model starts
#
# They go with notebook [07](../07_pitfalls_initialization.ipynb). If you start here: before its first step a model should give each class the same share, all its blocks should get gradients, and what the head reads should differ between images. These three can be measured on one batch.

# %% tags=["exercise-only"]
import torch
from torch.nn.utils import get_total_norm

from checks import check
from checks.initialization import spread_at

# %% [markdown] tags=["exercise:start_loss"]
# *Predict.* A new model for **100** classes starts well. What is its loss before the first step?
#
# Hint: Each class gets 1/100.
#
# Hint: The loss is minus the natural logarithm of what the right class got.
#
# Solution: ln 100 ≈ 4.605. Write the number for your classes down before you start a training.

# %% tags=["exercise-only", "exercise:start_loss"]
# solution
# | start_loss = ...
start_loss = -torch.tensor(1 / 100).log().item()
# end of solution

# %% [markdown] tags=["exercise:gradient_by_block"]
# Which block gets a signal? Send the gradient of a loss back through the model and give, for each block of `model.blocks`, the length of its gradient: all gradients of the block's parameters written as one long vector, and the length of that.
#
# Hint: `loss.backward()` fills `p.grad` of every parameter p; `block.parameters()` are those of one block.
#
# Hint: The squared length of a long vector is the sum of the squared lengths of its parts. `get_total_norm([…])` does it.


# %% tags=["exercise-only", "exercise:gradient_by_block"]
def gradient_by_block(model, loss):
    """The length of the gradient in each block: a list of L numbers."""
    # solution
    # | return ...  # your code
    loss.backward()
    return [get_total_norm([p.grad for p in block.parameters()]).item() for block in model.blocks]
    # end of solution


# %% [markdown] tags=["exercise:spread_between_images"]
# Does the class token differ between images? Take the standard deviation (`torch.std`) over the images of each of its D numbers, and give the mean of these: one number. `tokens` are (B, T, D).
#
# Hint: Which tokens are the class tokens of all images?
#
# Hint: `std(dim=0)` runs over the first axis, `mean()` over what is left, `item()` makes a number of it.


# %% tags=["exercise-only", "exercise:spread_between_images"]
def spread_between_images(tokens):
    """By how much the class token differs between images, from tokens (B, T, D)."""
    # solution
    # | return ...  # your code
    return tokens[:, 0].std(dim=0).mean().item()
    # end of solution


# %% [markdown] tags=["exercise:parameter_groups"]
# *Find the bug.* An optimizer gets its parameters in two groups: those that weight decay shrinks, and those that it spares. Maps should shrink, which are the matrices and the kernel of the patch embedding (its shape is (D, C, P, P)). Spared are biases, norms, and the vectors that are put in or added: class token, registers, positions. All must be trained. In the code below some are in no group at all. Which? Repair it.
#
# Hint: Print name and `ndim` of each parameter of a `VisionTransformer`. Which number of axes does nobody ask for?
#
# Hint: A rule that leaves nobody out: one condition for shrinking, and *else* the other group. Names begin with `cls_token`, `reg_token`, `pos_embed`.
#
# Solution: Class token and positions have three axes, the kernel four. Whoever asks for 2 and 1 forgets them, and no error says so: the class token stays as it was drawn. On CIFAR-10 that had no measurable effect for the class token (notebook 09), but it cost {{-runs("position_init", "N(0, 0.02), frozen").difference:.1p}} points for the positions.


# %% tags=["exercise-only", "exercise:parameter_groups"]
def parameter_groups(model, weight_decay):
    """Groups for an optimizer: a list of dictionaries with `params` and `weight_decay`."""
    shrinking, spared = [], []
    for name, parameter in model.named_parameters():
        # solution
        # | if parameter.ndim == 2:
        # |     shrinking.append(parameter)
        # | elif parameter.ndim == 1:
        # |     spared.append(parameter)
        if parameter.ndim < 2 or name.startswith(("cls_token", "reg_token", "pos_embed")):
            spared.append(parameter)
        else:
            shrinking.append(parameter)
        # end of solution
    return [
        {"params": shrinking, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


# %% [markdown] tags=["exercise:drowning_std"]
# *Measure and conclude.* A class token that starts large drowns what it gathers: it differs less between images when the head reads it. `spread_at(std)` gives this difference for an untrained model of six blocks whose class token is drawn with the standard deviation `std`. Find a `std` at which it has fallen to about a tenth of what it is at 0.02 (anything from 5 % to 20 % will do).
#
# Hint: Try powers of ten first: 0.1, 1, 10, each divided by `spread_at(0.02)`.
#
# Hint: Between 0.1 and 1 the share falls from two fifths to a twentieth.
#
# Solution: About 0.5. Notebook 07 shows why: the last norm divides the sum of the token and all it has gathered by a size that is nearly all the token's own. (It does not say that training ends badly: see notebook 07.)

# %% tags=["exercise-only", "exercise:drowning_std"]
print(spread_at(0.1) / spread_at(0.02))

# solution
# | drowning_std = ...
drowning_std = 0.5
# end of solution

# %% [markdown]
# The two green fields would hold them all. **But three of the ten starts lie in the red fields.** The spread misses large positions of the patches. Second zero is a false alarm, and the class token from N(0, 1) may be another: its cost of {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} points is at the edge of what we can measure.
# {{assert all(loss(runs(name, of)).mean < 1 for name, of in (("class_token_init", "N(0, 1)"), ("weight_init", "second zero"), ("position_init", "zeros"), ("class_token_init", "zeros"), ("weight_init", "head zero")))}}
#
# With the gradients beside the spread, and with what to do:
#
# | start, on CIFAR-10 | does the spread warn? | do two steps warn? | cost in points | what to do |
# |---|---|---|---|---|
# | all positions from N(0, 1) | yes | no | {{loss(runs("position_init", "N(0, 1)")):±.1p}} | start them at zero or from N(0, 0.02) |
# | the patches' positions from N(0, 1) | **no** | no | {{loss(runs("patch_position_init", "N(0, 1)")):±.1p}} | the same |
# | class token from N(0, 10) | yes | no | {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} | the same |
# | weights: all zero | yes | yes | {{loss(runs("weight_init", "all zero")):±.1p}} | start one matrix of each pair at random |
# | weights: second zero | **yes** | no | {{loss(runs("weight_init", "second zero")):±.1p}} | nothing: it is healthy |
# {{assert all(second > 0 for name, of in (("position_init", "N(0, 1)"), ("position_init", "N(0, 10)"), ("patch_position_init", "N(0, 1)"), ("class_token_init", "N(0, 1)"), ("class_token_init", "N(0, 10)"), ("weight_init", "Xavier"), ("weight_init", "PyTorch's default"), ("weight_init", "N(0, 1)")) for _, second in at_start("gradients", name, of))}}
# {{assert all(spread < 0.05 for name, of in (("position_init", "N(0, 1)"), ("class_token_init", "N(0, 10)"), ("weight_init", "all zero")) for spread in at_start("spread", name, of))}}
#
# **In your own model,** before you train:
#
# 1. Run `two_steps` on one batch. A block without a gradient in the second step cannot learn: look for a pair of matrices that are both zero. (If your head starts at zero and scales in your branches do, too, as in ReZero, take a third step.)
# 2. Run `at_the_start` on the same batch. If the spread is below 0.05, look for a class token or positions that start large, and try smaller ones. If you find matrices of zeros instead, the first check has judged them already.
# 3. Compare the first loss with ln(number of classes). Part two has starts for which it is too high.
#
# A sign is a reason to look. Only training tells what it costs. (For a class token that is cut off, [notebook 09](09_pitfalls_class_token.ipynb) has a check.)
#
# **Back to the two lines:** could you have known? You could have seen that something is odd, because the spread is {{mean(at_start("spread", "position_init", "N(0, 1)")):.2f}} where the right line gives {{mean(at_start("spread", "position_init", "N(0, 0.02)")):.2f}}. You could not have seen the cost: one start with this sign costs nothing measurable, and another costs as much without it.
#
# This ends the first part. It is a good place to stop.
#
# ## Part two: how large should random weights be?
#
# The first GPT (Radford et al. 2018) drew its weights from N(0, 0.02), and BERT and timm's ViTs followed. *Xavier* draws larger numbers, such that the outputs of a square layer are about as large as its inputs. PyTorch's default lies between the two in this model, and weights from N(0, 1) are far larger.
#
# ### What does the first loss tell?
#
# **Guess:** in which order will the four learn?
#
# | weights, on CIFAR-10 | first loss | spread | cost in points |
# |---|---|---|---|
# | N(0, 0.02), the base | {{mean(at_start("loss", "weight_init", "N(0, 0.02)")):.3f}} | {{mean(at_start("spread", "weight_init", "N(0, 0.02)")):.3f}} | |
# | PyTorch's default | {{mean(at_start("loss", "weight_init", "PyTorch's default")):.3f}} | {{mean(at_start("spread", "weight_init", "PyTorch's default")):.3f}} | {{loss(runs("weight_init", "PyTorch's default")):±.1p}} |
# | Xavier | {{mean(at_start("loss", "weight_init", "Xavier")):.3f}} | {{mean(at_start("spread", "weight_init", "Xavier")):.3f}} | {{loss(runs("weight_init", "Xavier")):±.1p}} |
# | N(0, 1) | {{mean(at_start("loss", "weight_init", "N(0, 1)")):.3f}} | {{mean(at_start("spread", "weight_init", "N(0, 1)")):.3f}} | {{loss(runs("weight_init", "N(0, 1)")):±.1p}} |
# {{assert below(runs("weight_init", "N(0, 1)"), runs("weight_init", "Xavier"))}}
# {{assert below(runs("weight_init", "Xavier"), runs("weight_init", "PyTorch's default"))}}
# {{assert below(runs("weight_init", "PyTorch's default"), runs("weight_init", "N(0, 0.02)"))}}
# {{assert all(list(losses) == sorted(losses) for losses in zip(*(at_start("loss", "weight_init", of) for of in ("N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)")), strict=True))}}
# {{assert all(spread > 0.05 for of in ("Xavier", "PyTorch's default", "N(0, 1)") for spread in at_start("spread", "weight_init", of))}}
#
# **Among these four, the higher the first loss, the higher the cost.** A high loss means that the model is sure of answers that it only guesses. We take a loss more than 0.2 above ln 10 as a warning, which is again a threshold chosen afterwards. It catches Xavier and N(0, 1) with every seed. It misses PyTorch's default, which costs points all the same. The spread warns of none of them.
# {{assert all((loss > math.log(10) + 0.2) == (of in ("Xavier", "N(0, 1)")) for of in ("N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)", "head zero", "second zero", "all zero") for loss in at_start("loss", "weight_init", of))}}
#
# <details><summary>How large is 0.02 for a layer?</summary>
#
# A linear layer adds up D products. If its inputs have size 1 and its weights come from N(0, s), its outputs have the size s·√D. Only s = 1/√D keeps the size, and for a square matrix Xavier draws that. It is 0.10 at our D = 96, and 0.036 at the D = 768 of the first GPT. So with weights from N(0, 0.02) the outputs are about a fifth as large as the inputs at our D, and half as large at GPT's. GPT's paper found this "sufficient", since the model uses LayerNorm throughout. (In our experiments the biases start at zero, and the projection of the patches keeps PyTorch's start.)
# </details>
#
# ### Could a small training choose for you?
#
# You could simply try the starts for a few seconds each. We train a smaller model, with 2 blocks and 17 tokens, on the images that your machine has, five seeds for each start. (This takes most of the notebook's running time.)


# %% tags=["hide-input"]
def short_run(name, settings):
    """Train some settings of an experiment with five seeds each, and print a table."""
    budget = "quick" if dataset.name == "shapes10" else pick_budget()
    found = run_experiment(name, budget, 5, dataset, settings=settings, verbose=False)
    print(f"trained here, on {dataset.name}")
    for setting in settings:
        of, plans = found[setting], [plan(name, budget, seed) for seed in range(5)]
        first = mean(
            at_the_start(make_model(plan[setting, 1]), images, labels)[0] for plan in plans
        )
        cost = f"cost {-100 * of.difference:+5.1f} ± {100 * of.difference_width:4.1f} points"
        print(
            f"{KINDS[name]}: {setting:18}{100 * of.mean:5.1f} ± {100 * of.width:4.1f} %  "
            f"{'the base' if setting == settings[0] else cost:26}  first loss {first:.2f}"
        )


short_run("weight_init", ["N(0, 0.02)", "PyTorch's default", "Xavier"])

# %% [markdown]
# In the run saved here the costs are negative: both other starts are *ahead* of N(0, 0.02). **That is the reverse of the order on CIFAR-10. Xavier, of which the first loss warns, wins the small training.** The two trainings differ in model, images, steps and learning rate all at once, and we do not know which of these turns the order. So compare N(0, 0.02), Xavier and your framework's default on your own model and task, at three learning rates each.
# {{assert all(loss > math.log(10) + 0.2 for loss in at_start("loss", "weight_init", "Xavier", "shapes10", "quick"))}}
#
# ## Questions
#
# <details><summary>A class token of ones gives the same answers as one of zeros. Why?</summary>
#
# LayerNorm subtracts the mean over the D entries, and a constant is nothing but mean. So no block and no head can see it.
# </details>
#
# <details><summary>Somebody shows that start A beats start B at a learning rate of 0.001. What would you ask for?</summary>
#
# Ask for the same at other learning rates, each start judged at its best on validation images, with several seeds. Ask for it on *your* task, too: in part two the order of three starts turned round between two trainings.
# </details>
#
# **Try it yourself:** [exercises 07](exercises/07_pitfalls_initialization.ipynb), with checks that say what is wrong.
#
# **Next:** [08 · the size of a patch](08_pitfalls_patch_size.ipynb).
#
# ---
#
# ## For a second visit
#
# **Skip this on a first reading.** Each of these sections needs only the two parts above, so you can take them in any order.
#
# ### Why do large positions of the patches cost points?
#
# Patches can drown like the class token, but somewhere else. The picture shows class tokens of the model whose class token has no position, measured *here*:


# %% tags=["hide-input"]
diagrams.norm_divides(
    {
        f"patches' positions from {setting}": before_the_last_norm("patch_position_init", setting)
        for setting in ("N(0, 0.02)", "N(0, 1)")
    },
    "class tokens before the first step",
)

# %% [markdown]
# In the second row the spread has shrunk *before* the last norm already, and so has the whole token. We think that the *first* norm does it, which divides each patch by a size that is mostly its position's. The patches drown in their positions, and the class token gathers less that differs.
#
# <details><summary>How far does the first norm drown a patch?</summary>
#
# Between drawn shapes, what differs at one patch has a size of 0.31 at the start. A position from N(0, 1) adds about 1.01 that all images share, and the first norm divides the sum by its size. Without a position, the norm brings the difference to size 1. With it, the difference is left with 0.31/√(0.31² + 1.01²) ≈ 0.29. With positions from N(0, 0.02) nearly all of it is left, and with positions from N(0, 10) only 0.03.
# </details>
#
# Is it this drowning that costs the points? We trained more starts of this model to find out, on CIFAR-10:
#
# | | positions of the patches | the patches themselves | do they drown? | cost in points | seeds |
# |---|---|---|---|---|---|
# | 1 | N(0, 1) | as usual | yes | {{loss(runs("patch_position_init", "N(0, 1)")):±.1p}} | {{len(runs("patch_position_init", "N(0, 1)").accuracies):d}} |
# | 2 | N(0, 0.02) | plus one vector from N(0, 1), the same for all | yes | {{loss(runs("patch_drowning", "N(0, 0.02), a shared part from N(0, 1)")):±.1p}} | {{len(runs("patch_drowning", "N(0, 0.02), a shared part from N(0, 1)").accuracies):d}} |
# | 3 | N(0, 1) | 50 times larger | no | {{loss(runs("patch_drowning", "N(0, 1), patches × 50")):±.1p}} | {{len(runs("patch_drowning", "N(0, 1), patches × 50").accuracies):d}} |
# | 4 | N(0, 0.02) | 50 times larger | no | {{loss(runs("patch_drowning", "N(0, 0.02), patches × 50")):±.1p}} | {{len(runs("patch_drowning", "N(0, 0.02), patches × 50").accuracies):d}} |
#
# In row 2 the patches drown without large positions, and it costs points. In row 3 the positions are large and the patches do not drown, and it costs points as well. But row 4 is the control of row 3: large patches cost no less by themselves. **So the positions need not be large, and the patches need not drown: patches that enter large cost points in every way that we tried.** How much of the cost of `torch.randn` is the drowning, these starts cannot tell. Perhaps what the blocks add is too small beside large patches, or a step is; we tested neither. (The vector of row 2 is the bias of the patch embedding, and it is trained like the rest.)
# {{assert all(loss(runs("patch_drowning", of)).mean > loss(runs("patch_drowning", of)).width for of in ("N(0, 0.02), a shared part from N(0, 1)", "N(0, 1), patches × 50", "N(0, 0.02), patches × 50"))}}
#
# ### Do the costs stay at other learning rates, and after more passes?
#
# Large positions have farther to go, so perhaps they need longer steps. We tried other rates on CIFAR-10, for the weights too, all with seed 0. Rate 1 is the usual one, {{runs("weight_init", "Xavier").learning_rate:g}} at its highest:
#
# | times the base's rate | 0.3 | 1 | 3 | 9 |
# |---|---|---|---|---|
# | all from N(0, 0.02) | {{reached("position_init_rates", "N(0, 0.02)", 0.3)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 0.02)", 1)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 0.02)", 3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 0.02)", 9)[0]:.1%}} |
# | positions: N(0, 1) | {{reached("position_init_rates", "N(0, 1)", 0.3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 1)", 1)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 1)", 3)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 1)", 9)[0]:.1%}} |
# | weights: PyTorch's default | {{reached("weight_init_rates", "PyTorch's default", 0.3)[0]:.1%}} | **{{reached("weight_init_rates", "PyTorch's default", 1)[0]:.1%}}** | {{reached("weight_init_rates", "PyTorch's default", 3)[0]:.1%}} | |
# | weights: Xavier | {{reached("weight_init_rates", "Xavier", 0.3)[0]:.1%}} | **{{reached("weight_init_rates", "Xavier", 1)[0]:.1%}}** | {{reached("weight_init_rates", "Xavier", 3)[0]:.1%}} | |
#
# Steps three times as long help positions from N(0, 1), while they harm the base. Steps nine times as long harm both. (The validation images choose the same best rates.) For the weights N(0, 0.02) is ahead at all three rates, so the learning rate alone does not explain their order on CIFAR-10.
# {{assert reached("position_init_rates", "N(0, 0.02)", 1)[0] == max(reached("position_init_rates", "N(0, 0.02)", rate)[0] for rate in (0.3, 1, 3, 9))}}
# {{assert all(max((found.validation_accuracy, rate) for rate in (0.3, 1, 3, 9) for found in recorded("position_init_rates", name, rate)[:1])[1] == best for name, best in (("N(0, 0.02)", 1), ("N(0, 1)", 3)))}}
# {{assert reached("position_init_rates", "N(0, 1)", 3)[0] == max(reached("position_init_rates", "N(0, 1)", rate)[0] for rate in (0.3, 1, 3, 9))}}
# {{assert all(reached("weight_init_rates", other, rate)[0] < reached("weight_init_rates", "N(0, 0.02)", rate)[0] for other in ("Xavier", "PyTorch's default") for rate in (0.3, 1, 3))}}
# {{assert all(reached("weight_init_rates", "N(0, 0.02)", rate)[0] == reached("position_init_rates", "N(0, 0.02)", rate)[0] for rate in (0.3, 1, 3))}}
# {{assert all(reached("weight_init_rates", other, 1)[0] > reached("weight_init_rates", other, rate)[0] for other in ("N(0, 0.02)", "Xavier", "PyTorch's default") for rate in (0.3, 3))}}
#
# Longer steps do not help a large class token. With three seeds, a class token from N(0, 10) is right for {{runs("class_token_init", "N(0, 10)"):±.1%}} of the test images at the usual rate, and for {{runs("class_token_init_rates", "N(0, 10)", rate=3):±.1%}} at three times the rate.
# {{assert runs("class_token_init_rates", "N(0, 10)", rate=3).mean < runs("class_token_init", "N(0, 10)").mean}}
#
# And with more passes? After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes all models are better, and points shrink by themselves. So the table counts *extra errors*: how many more errors a start makes than its base, in per cent of the base's errors.
#
# | start | extra errors after 3 passes, in % | after 14 passes, in % | seeds of the latter |
# |---|---|---|---|
# | positions from N(0, 1) | {{more_errors("position_init", "N(0, 1)"):±.0p}} | {{more_errors("position_init", "N(0, 1)", "long"):±.0p}} | {{len(runs("position_init", "N(0, 1)", budget="long").accuracies):d}} |
# | class token from N(0, 10) | {{more_errors("class_token_init", "N(0, 10)"):±.0p}} | {{more_errors("class_token_init", "N(0, 10)", "long"):±.0p}} | {{len(runs("class_token_init", "N(0, 10)", budget="long").accuracies):d}} |
# | weights by Xavier | {{more_errors("weight_init", "Xavier"):±.0p}} | {{more_errors("weight_init", "Xavier", "long"):±.0p}} | {{len(runs("weight_init", "Xavier", budget="long").accuracies):d}} |
# {{assert below(more_errors("class_token_init", "N(0, 10)", "long"), more_errors("class_token_init", "N(0, 10)"))}}
# {{assert not differs(distance(more_errors("position_init", "N(0, 1)"), more_errors("position_init", "N(0, 1)", "long")))}}
# {{assert more_errors("weight_init", "Xavier", "long").mean > more_errors("weight_init", "Xavier").mean}}
#
# **A class token from N(0, 10) gets rid of many of its extra errors. For positions from N(0, 1) we see no such healing.** We see none for weights by Xavier either; the last column says on how many seeds that rests.
#
# ### How are the intervals made?
#
# On CIFAR-10 most starts have three seeds, and the base has {{len(runs("position_init", "N(0, 0.02)").accuracies):d}}. Three seeds tell little about the noise, so we pool the noise of all settings on record, as [notebook 10](10_claims_put_to_the_test.ipynb) explains. Settings that reach less than half of the best accuracy do not take part, because they vary in another way. So for weights from N(0, 1) and for all zero the noise is that of their own three seeds. A small training has too few runs to pool; its ± comes from the differences between two starts, seed by seed.
# {{assert all(len(of.accuracies) == 3 for name in ("weight_init", "class_token_init", "position_init", "patch_position_init", "position_untrained")
# for setting, of in experiment(name).items() if setting not in ("N(0, 0.02)", "learned"))}}
# {{assert all((runs(name, of).mean < spread().least) == (of in ("all zero", "N(0, 1)") and name == "weight_init") for name in ("weight_init", "class_token_init", "position_init", "patch_position_init", "position_untrained") for of in experiment(name))}}
