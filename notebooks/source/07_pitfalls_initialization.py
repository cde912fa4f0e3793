# %% [markdown]
# # 07 · Pitfalls, measured: how a model starts
#
# **After this notebook you can** check a start before you train: one batch shows the first loss and whether images differ, and two steps show blocks without a gradient. You can also say what such a sign, or a short run, does *not* tell you.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05 |
# | Time to read | about 25 minutes, with a place to stop halfway, and ten more for the second visit |
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
# Signs and costs belong to one model: it follows notebook 05's recipe `cpu`, with {{recorded("weight_init", "Xavier")[0].run.model.depth:d}} blocks and tokens of width D = {{recorded("weight_init", "Xavier")[0].run.model.embed_dim:d}}. The signs on record come from 100 images of CIFAR-10. The costs come from {{recorded("weight_init", "Xavier")[0].run.training.epochs:d}} passes over {{records("experiments_cifar10_full")[0].trained_on:,}} images.
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3 for r in recorded("weight_init", "Xavier"))}}

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
from vit_minimal.diagrams.card import CLASS, HEAD, MLP, PATCH, POSITION, dark
from vit_minimal.experiments import make_model, plan, pooled_spread, run_experiment, summarize
from vit_minimal.forest import show_effects, show_then_and_now
from vit_minimal.records import read_records

dataset = load_dataset()
images, labels = normalize(dataset.train_images[:100]), dataset.train_labels[:100]

# %% [markdown]
# ## What is a start?
#
# Before the first step, a model holds random numbers. We write N(0, 0.02) for normal numbers of mean 0 and standard deviation 0.02. `torch.randn` draws from N(0, 1), numbers that are 50 times larger.
#
# We compare each start with a *base*, in which class token, positions and weights all come from N(0, 0.02). A start differs from its base in one thing. What do large positions do in the model? In the picture, a bar is the *size* of a vector, the root mean square of its D numbers. All bars have one scale:


# %% tags=["hide-input"]
def cifar10_model(experiment, setting, seed=0):
    """The CIFAR-10 model of a start, before its first step."""
    return make_model(plan(experiment, "full", seed)[setting, 1])  # at 1 × the usual learning rate


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
diagrams.what_adds_up(added)

# %% [markdown]
# Every token starts as a sum: what it holds, plus its position. A patch holds its pixels, mapped to D numbers, and the class token holds a vector that is learned. The sum enters the *residual stream*, the running sum to which every block adds its part. With positions from N(0, 1), each position is three times as large as the patch to which it is added.
#
# **Guess:** where do the large positions do more harm, on the patches or on the class token?
#
# ## One sign: the spread between images
#
# Can you see a bad start before you train? We give twelve images to an untrained model, and look at what its head receives. This is the class token after the last *norm*, the LayerNorm that brings the numbers of each token to mean 0 and size 1. Each image is a row; positive numbers are purple, and negative ones are orange:

# %% tags=["hide-input"]
_, halves = plt.subplots(2, 1, figsize=(6.4, 3.8), layout="constrained")
for half, name in zip(halves, ("N(0, 0.02)", "N(0, 1)"), strict=True):
    with torch.no_grad():
        read = cifar10_model("position_init", name).forward_features(images[:12])[:, 0]
    title = f"before the first step: positions from {name}"
    plots.show_matrix(
        read, [], [], title, numbers=False, axis=half, signed=True, limit=2.5, y_label="12 images"
    )
halves[1].set_xlabel("the D = 96 numbers of the class token that the head receives")
plots.show(
    "two times 12 rows of 96 coloured cells: above, the rows differ; below, all rows are alike"
)

# %% [markdown]
# Above, many columns are alike in all rows, but the rows still differ. Below, all twelve images look almost the same to the head. We measure this as the *spread between images*, or *spread* for short: the standard deviation of each column, averaged over the columns. It lies between 0 and about 1. We take a spread below 0.05 as a warning.
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


# %% [markdown]
# The next table has two pairs of columns. The first pair is on record for CIFAR-10, as the mean of three seeds. The second pair is what your machine sees now. Each row names the numbers that differ from the base, and how they start:


# %% tags=["hide-input"]
KINDS = {
    "position_init": "positions",
    "patch_position_init": "patches' positions",
    "class_token_init": "class token",
    "weight_init": "weights",
}
known_signs = read_records("../data/results/start_signs.json")[0]["rows"]


def on_record(sign, experiment, setting):
    """A sign on 100 images of CIFAR-10, the mean of three seeds."""
    start = {"dataset": "cifar10", "budget": "full", "experiment": experiment, "setting": setting}
    return mean(row[sign] for row in known_signs if start.items() <= row.items())


def show_starts(experiment, *settings):
    print(f"{'':27}CIFAR-10, on record   here: {dataset.name}")
    print(f"{'before step 1':27}   loss  spread        loss  spread")
    for setting in settings:
        known = [on_record(sign, experiment, setting) for sign in ("loss", "spread")]
        here = at_the_start(cifar10_model(experiment, setting), images, labels)
        name = f"{KINDS[experiment]}: {setting}"
        print("{:27}{:7.3f}{:8.3f}{:12.3f}{:8.3f}".format(name, *known, *here))


show_starts("position_init", "N(0, 0.02)", "N(0, 1)")

# %% [markdown]
# All losses are close to ln 10. **What stands out is the spread: on CIFAR-10 it is {{mean(at_start("spread", "position_init", "N(0, 0.02)")) / mean(at_start("spread", "position_init", "N(0, 1)")):.0f}} times smaller with positions from N(0, 1).** Does your machine see it, too? (In the run saved here it looks at drawn shapes, where spreads are somewhat larger.)
# {{assert all(one <= other for name in ("position_init", "patch_position_init", "class_token_init", "weight_init") for of in experiment(name) if "frozen" not in of
# for one, other in zip(at_start("spread", name, of), at_start("spread", name, of, "shapes10"), strict=True))}}
#
# A sign is not yet a cost, because training may make a bad start good.
#
# ## What do large positions cost?
#
# So we need the results of training. From each start the CIFAR-10 model was trained with several *seeds*, which means other random numbers each time, and judged on the 10,000 test images. The *cost* of a start is how many points it is behind its base, where a point is one per cent of the test images. So a positive cost is always a loss.
# {{assert all(len(of.accuracies) >= 3 for name in ("weight_init", "class_token_init",
# "class_token_init_rates", "position_init", "patch_position_init", "position_untrained") for of in experiment(name).values())}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
#
# **Guess:** what do positions cost that start as zeros, from N(0, 1), and from N(0, 10)?


# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
noise = pooled_spread(cifar10)  # by how much runs of one setting differ


def on_cifar10(experiment, setting):
    """Per cent right on CIFAR-10; the cost of a start in points, and half its 95 % interval."""
    of = summarize(experiment, "full", cifar10, noise)[setting]
    return 100 * of.mean, -100 * of.difference, 100 * of.difference_width


def show_costs(experiment, *settings):
    effects = {}
    for setting in settings:
        right, points, width = on_cifar10(experiment, setting)
        effects[f"{KINDS[experiment]}: {setting}"] = (f"{right:.1f} % right", points, width)
    right, *_ = on_cifar10(experiment, "N(0, 0.02)")
    base = f"the base, {KINDS[experiment]} from N(0, 0.02): {right:.1f} % right"
    show_effects(effects, "cost in points on CIFAR-10", base)


show_costs("position_init", "zeros", "N(0, 1)", "N(0, 10)")

# %% [markdown]
# A bar shows the 95 % interval. Where it reaches 0, the mark is hollow: we see *no measurable effect*. (The base has {{len(runs("position_init", "N(0, 0.02)").accuracies):d}} seeds on record and the other starts have three. Three seeds tell little about the noise, so the intervals of all starts that learn come from one *pooled* noise, which [notebook 10](10_claims_put_to_the_test.ipynb) explains.)
# {{assert all(len(of.accuracies) == 3 for name in ("weight_init", "class_token_init", "position_init", "patch_position_init", "position_untrained")
# for setting, of in experiment(name).items() if setting not in ("N(0, 0.02)", "learned"))}}
#
# **Positions from N(0, 1), which is `torch.randn`, cost {{loss(runs("position_init", "N(0, 1)")):±.1p}} points. Zeros cost nothing measurable.**
# {{assert not differs(runs("position_init", "zeros"))}}
#
# **At this learning rate, no positions at all would have been better.** A model whose positions are zero and stay zero cannot know where a patch lies. It loses {{loss(runs("position_untrained", "none")):±.1p}} points, which is {{distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")):±.1p}} fewer than with `torch.randn`.
# {{assert distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).mean > distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).width}}
#
# A small spread and a large cost come together here. But is the small spread the *reason* for the cost? If so, it should cost points elsewhere, too. So we look for another start that has a small spread.
#
# ## The class token
#
# The class token itself can start too large. **Guess:** does it cost as much as large positions?

# %%
show_starts("class_token_init", "N(0, 0.02)", "zeros", "N(0, 1)", "N(0, 10)")

# %% [markdown]
# With the class token from N(0, 1), the spread on CIFAR-10 is {{mean(at_start("spread", "class_token_init", "N(0, 0.02)")) / mean(at_start("spread", "class_token_init", "N(0, 1)")):.0f}} times smaller than at the base, and below our warning. What the token starts with stays in the residual stream up to the last norm, and *drowns* what it gathers. What does the drowning cost?
# {{assert all(spread < 0.05 for data in ("cifar10", "shapes10") for spread in at_start("spread", "class_token_init", "N(0, 1)", data))}}

# %% tags=["hide-input"]
show_costs("class_token_init", "zeros", "N(0, 1)", "N(0, 10)")

# %% [markdown]
# **The class token from N(0, 1) costs {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} points. So a start with a warning can cost little or nothing.** From N(0, 10) its spread is smaller still, and it costs {{loss(runs("class_token_init", "N(0, 10)")):±.1p}}.
# {{assert not any(differs(runs("class_token_init", name)) for name in ("zeros", "all 1", "N(0, 1)"))}}
# {{assert differs(runs("class_token_init", "N(0, 10)"))}}
#
# Is the small spread innocent, then? We cannot say so yet. Positions from N(0, 1) have a smaller spread than a class token from N(0, 1), {{mean(at_start("spread", "position_init", "N(0, 1)")):.3f}} against {{mean(at_start("spread", "class_token_init", "N(0, 1)")):.3f}}. So a spread that is small enough may still be what costs points. To rule this out, we need a start that loses as many points *without* a small spread.
#
# ## So what is wrong with `torch.randn`?
#
# The line with `torch.randn` gives *every* token a large position, the class token and the patches. Which of them cost the points? We take a model whose class token has no position at all, so that only the patches' positions can be large. The table sets it between the two starts that you know:


# %% tags=["hide-input", "nbval-check-output"]
print("on CIFAR-10                      spread              cost")
print("what comes from N(0, 1)     base -> this start     in points")
for name, experiment in (
    ("all positions (torch.randn)", "position_init"),
    ("patches' positions alone", "patch_position_init"),
    ("class token", "class_token_init"),
):
    small, large = (on_record("spread", experiment, of) for of in ("N(0, 0.02)", "N(0, 1)"))
    _, points, width = on_cifar10(experiment, "N(0, 1)")
    print(f"{name:27}{small:6.3f} -> {large:.3f}{points:14.1f} ± {width:.1f}")

# %% [markdown]
# (The second row has a base of its own: the same model, without a position for the class token, and with the patches' positions from N(0, 0.02).)
#
# The patches' positions alone cost about as much as all positions together, and their spread stays above our warning. **So large positions of the patches are enough to lose these points, and a small spread is not needed.**
# {{assert not differs(distance(gain(runs("patch_position_init", "N(0, 1)")), gain(runs("position_init", "N(0, 1)"))))}}
# {{assert below(runs("patch_position_init", "N(0, 1)"), runs("patch_position_init", "N(0, 0.02)"))}}
# {{assert all(spread > 0.05 for data in ("cifar10", "shapes10") for spread in at_start("spread", "patch_position_init", "N(0, 1)", data))}}
#
# Where does the warning for `torch.randn` come from, then? Look at the first figure once more: there, the class token gets a position of size 1 as well. This makes the sum as large as a class token from N(0, 1), and so it drowns what the token gathers. The warning comes mostly from this one position, and the points are lost at the patches.
#
# Why do large positions of the patches cost so much? The patches drown in them, but it is open whether that is the reason: the second visit has an experiment.
#
# **Back to the two lines.** The first one, with `torch.randn`, is the mistake. Could you have known?
#
# - *Yes*, you could have seen that something is wrong. One batch through the new model shows a spread of {{mean(at_start("spread", "position_init", "N(0, 1)")):.2f}}, where the second line gives {{mean(at_start("spread", "position_init", "N(0, 0.02)")):.2f}}.
# - *No*, you could not have seen what it costs. Large positions of the patches alone lose the same points without a warning, and a class token from N(0, 1) has the warning and costs little or nothing.
# - *What to do:* start class token and positions at zero or from N(0, 0.02), and look at the spread before you train.
#
# *Limit:* the costs are those of one learning rate and of three passes. With each line at its own best rate, `torch.randn` still loses {{reached("position_init_rates", "N(0, 0.02)", 1)[0] - reached("position_init_rates", "N(0, 1)", 3)[0]:.1p}} points (one seed). The second visit has more on both.
#
# This is a good place to stop. What follows asks the same of the weights.
#
# ## Weights: three zeros
#
# Can a start look perfect, and the model still not learn? Now we vary the weights: the matrices of the blocks and of the head. Three starts put zeros there:
#
# - **All zero**: every one of these matrices is zero.
# - **Head zero**: only the head's matrix is zero. This is how the first ViT [started](https://github.com/google-research/vision_transformer).
# - **Second zero**: in each block, the two matrices that write into the residual stream are zero. They are the output of attention and fc2, the second matrix of the MLP.
#
# **Guess:** which of them cannot learn?

# %%
ZEROS = "N(0, 0.02)", "all zero", "head zero", "second zero"
show_starts("weight_init", *ZEROS)

# %% [markdown]
# All three begin at ln 10 or next to it, which looks perfect. Two of them have no spread: with all weights zero and with second zero the blocks add nothing at first, so no pixel reaches the class token. But can every block move? For that it needs a *gradient*. Its size hardly matters, because Muon and AdamW rescale it; only a zero stays a zero.
#
# One step is not enough to find this out. The gradient travels from the loss backwards through the head to the blocks, and the head's matrix multiplies it on the way. With a head of zeros, nothing arrives at the blocks in the first step, although the model is healthy: the head moves first, and from then on the blocks get their gradient. So we take two steps, and print the gradient of the block that gets the least:


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


for name in ZEROS:
    one, two = two_steps(cifar10_model("weight_init", name), images, labels)
    print(f"weights: {name:12} step 1: {one:.4f}   step 2: {two:.4f}")

# %% [markdown]
# Only "all zero" has no gradient in the second step either. Why? The matrices of a block stand in pairs: fc1 before fc2, and the values before the output of attention. In a pair, x enters, h stands between, and y goes into the residual stream. In the second row of the picture, the pair is the blocks and the head:

# %% tags=["hide-input"]
diagrams.zero_pairs()

# %% [markdown]
# W₂ gets its gradient through h, and W₁ gets its own through W₂. If both are zero, each waits for the other for ever. If only W₂ is zero, it moves in the first step and W₁ in the second. The head and the blocks do the same: the token that the head reads is not zero, so a head of zeros moves in the first step, and the blocks in the second.
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
# And after training? On CIFAR-10 a model with all weights zero is right for {{runs("weight_init", "all zero").mean:.1%}} with every seed, so it only guesses. Head zero costs {{loss(runs("weight_init", "head zero")):±.1p}} points and second zero {{loss(runs("weight_init", "second zero")):±.1p}}, so neither has a measurable effect. **So yes, a start can have a perfect first loss and not learn. The gradients of two steps find it.**
# {{assert all(max(least) == 0 for least in at_start("gradients", "weight_init", "all zero"))}}
# {{assert all(second > 0.01 for of in ("head zero", "second zero", "N(0, 0.02)") for data in ("cifar10", "shapes10") for _, second in at_start("gradients", "weight_init", of, data))}}
# {{assert all(accuracy == 0.1 for accuracy in runs("weight_init", "all zero").accuracies)}}
# {{assert not any(differs(runs("weight_init", name)) for name in ("head zero", "second zero"))}}
#
# *Limit:* each block has one number here, so a dead MLP beside a living attention goes unnoticed.
#
# ## Weights: four random starts
#
# How large should random weights be? The first GPT (Radford et al. 2018) drew them from N(0, 0.02), and BERT and timm's ViTs followed. *Xavier* draws larger numbers, such that the outputs of a square layer are about as large as its inputs. PyTorch's default lies between the two in this model, and weights from N(0, 1) are far larger. **Guess:** in which order will they learn?

# %%
RANDOM = "N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)"
show_starts("weight_init", *RANDOM)

# %% [markdown]
# The larger the weights, the farther is the loss above ln 10: the model is sure of answers that it only guesses. We take a loss more than 0.2 above ln 10 as a warning. On CIFAR-10 it warns of Xavier and N(0, 1) with every seed, and of PyTorch's default with none. What did these starts cost there?
# {{assert all((loss > math.log(10) + 0.2) == (of in ("Xavier", "N(0, 1)")) for of in ("N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)", "head zero", "second zero", "all zero") for loss in at_start("loss", "weight_init", of))}}
#
# | weights | first loss on CIFAR-10 | cost in points |
# |---|---|---|
# | N(0, 0.02) | {{mean(at_start("loss", "weight_init", "N(0, 0.02)")):.3f}} | the base |
# | PyTorch's default | {{mean(at_start("loss", "weight_init", "PyTorch's default")):.3f}} | {{loss(runs("weight_init", "PyTorch's default")):±.1p}} |
# | Xavier | {{mean(at_start("loss", "weight_init", "Xavier")):.3f}} | {{loss(runs("weight_init", "Xavier")):±.1p}} |
# | N(0, 1) | {{mean(at_start("loss", "weight_init", "N(0, 1)")):.3f}} | {{loss(runs("weight_init", "N(0, 1)")):±.1p}} |
# {{assert below(runs("weight_init", "N(0, 1)"), runs("weight_init", "Xavier"))}}
# {{assert below(runs("weight_init", "Xavier"), runs("weight_init", "PyTorch's default"))}}
# {{assert below(runs("weight_init", "PyTorch's default"), runs("weight_init", "N(0, 0.02)"))}}
#
# **Among these four, the higher the first loss, the higher the cost.** PyTorch's default gives no warning, because its first loss is only a little too high, but it costs points all the same.
# {{assert all(list(losses) == sorted(losses) for losses in zip(*(at_start("loss", "weight_init", of) for of in ("N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)")), strict=True))}}
#
# <details><summary>How large is 0.02 for a layer?</summary>
#
# A linear layer adds up D products. If its inputs have size 1 and its weights come from N(0, s), its outputs have the size s·√D. Only s = 1/√D keeps the size, and for a square matrix Xavier draws that. It is 0.10 at our D = 96, and 0.036 at the D = 768 of the first GPT. So with weights from N(0, 0.02) the outputs are about a fifth as large as the inputs at our D, and half as large at GPT's. GPT's paper found this "sufficient", since the model uses LayerNorm throughout. (In our experiments the biases start at zero, and the projection of the patches keeps PyTorch's start.)
# </details>
#
# ## What a short run does not tell you
#
# Instead of reading signs, you could simply try the starts for a few seconds each. Would that have told you the order? We train a smaller model, with 2 blocks and 17 tokens, on the images that you have, with five seeds for each start. This takes most of the time that the whole notebook needs:


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
    return found


trained = short_run("weight_init", ["N(0, 0.02)", "PyTorch's default", "Xavier"])

# %% [markdown]
# In the run saved here the costs are negative: Xavier is far *ahead* of N(0, 0.02), and PyTorch's default is ahead, too. (The ± of a cost comes from its differences seed by seed.) Beside the costs on CIFAR-10:

# %% tags=["hide-input"]
here_and_there = {"weights: N(0, 0.02), the base": ((0, float("inf")), (0, float("inf")))}
for setting in ("PyTorch's default", "Xavier"):
    of = trained[setting]
    here = -100 * of.difference, 100 * of.difference_width
    here_and_there[f"weights: {setting}"] = here, on_cifar10("weight_init", setting)[1:]
show_then_and_now(
    here_and_there,
    "trained here",
    "CIFAR-10, on record",
    "cost in points",
    "the same starts of the weights in two trainings",
    ticks=8,
)

# %% [markdown]
# **The order is reversed: Xavier wins the short run, and on CIFAR-10 it costs {{loss(runs("weight_init", "Xavier")).mean:.1p}} points.** So do not choose a start by a short run of a small model on other images. The first loss is no better off: in the short run it warns of the start that wins.
# {{assert all(loss > math.log(10) + 0.2 for loss in at_start("loss", "weight_init", "Xavier", "shapes10", "quick"))}}
#
# *Limit:* the two trainings differ in the model, the images, the number of steps and the learning rate. We did not measure which of these turns the order, so we cannot say that it is the shortness alone.
#
# ## What is a look at the start worth?
#
# The figure shows all starts above on CIFAR-10: how far they spread, and what they cost. The dotted lines are our warning and a cost of one point, which is about what three seeds can tell from none. (Both axes are stretched, so that small numbers have room.) **Guess:** in which two of the four fields would all marks lie if the spread were a perfect forecast?
# {{assert all(len(at_start("loss", "weight_init", of)) == 3 for of in ("N(0, 0.02)", "Xavier"))}}

# %% tags=["hide-input"]
STYLES = {
    "class_token_init": (CLASS, "o"),
    "position_init": (POSITION, "s"),
    "patch_position_init": (PATCH, "D"),
    "weight_init": (MLP, "^"),
}
STARTS = {  # on which side of its mark the name of a start stands; "" if it would not be read
    ("position_init", "zeros"): "",
    ("position_init", "N(0, 1)"): "right",
    ("position_init", "N(0, 10)"): "right",
    ("patch_position_init", "N(0, 0.02)"): "",
    ("patch_position_init", "N(0, 1)"): "left",
    ("class_token_init", "zeros"): "",
    ("class_token_init", "N(0, 1)"): "left",
    ("class_token_init", "N(0, 10)"): "left",
    ("weight_init", "N(0, 0.02)"): "",
    ("weight_init", "all zero"): "right",
    ("weight_init", "head zero"): "",
    ("weight_init", "second zero"): "right",
    ("weight_init", "PyTorch's default"): "left",
    ("weight_init", "Xavier"): "left",
    ("weight_init", "N(0, 1)"): "left",
}
WARNS, COSTS = 0.05, 1  # below the one and above the other
FIELDS = {  # whether the spread warns and the start costs points: where its name is, and its colour
    (True, True): ("caught", 0.01, 0.97, "#e8f3ec"),
    (False, True): ("missed", 0.99, 0.97, "#fbe9df"),
    (True, False): ("false alarm", 0.01, 0.03, "#fbe9df"),
    (False, False): ("fine", 0.99, 0.03, "#e8f3ec"),
}
LEFT, RIGHT, BELOW, ABOVE = -1e-5, 1.2, -1.2, 200

_, axis = plt.subplots(figsize=(6.6, 5.6), layout="constrained")
axis.set_xscale("function", functions=(np.cbrt, lambda root: root**3))  # room for small spreads
axis.set_yscale("symlog", linthresh=COSTS, linscale=0.6)  # and for small costs
axis.set(xlim=(LEFT, RIGHT), ylim=(BELOW, ABOVE))
axis.set_xticks(
    [0, 0.001, 0.01, WARNS, 0.2, 0.5, 1], ["0", "0.001", "0.01", "0.05", "0.2", "0.5", "1"]
)
axis.set_yticks([0, COSTS, 3, 10, 30, 60], ["0", "1", "3", "10", "30", "60"])
axis.minorticks_off()
axis.set(xlabel="spread between images, before the first step", ylabel="cost in points")
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
    spread, loss = (on_record(sign, experiment, setting) for sign in ("spread", "loss"))
    points = 0 if setting == "N(0, 0.02)" else on_cifar10(experiment, setting)[1]
    colour, marker = STYLES[experiment]
    axis.plot(
        spread, points, marker, color=colour, markersize=8, markeredgecolor="black", clip_on=False
    )
    if loss > 2.303 + 0.2:
        axis.plot(spread, points, "o", markersize=17, markerfacecolor="none", color=HEAD)
    axis.annotate(
        setting if side else "", (spread, points), xytext=(11 if side == "right" else -11, 0),
        textcoords="offset points", ha="left" if side == "right" else "right", va="center",
        color=dark(colour),
    )  # fmt: skip
    field, *_ = FIELDS[spread < WARNS, points > COSTS]
    said.append(f"{KINDS[experiment]}: {setting}: {field}, spread {spread:.4f}, cost {points:z.1f}")
axis.annotate(
    "zeros, head zero,\nthe two bases",
    (0.46, -0.05),
    xytext=(-11, 0),
    textcoords="offset points",
    ha="right",
    va="center",
)
for experiment, (colour, marker) in STYLES.items():
    axis.plot(
        [], [], marker, color=colour, markeredgecolor="black", markersize=8, label=KINDS[experiment]
    )
axis.plot(
    [], [], "o", markersize=14, markerfacecolor="none", color=HEAD, label="the first loss warns"
)
axis.figure.legend(loc="outside upper center", ncols=3, frameon=False)
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
# The two green fields would hold them all, "caught" and "fine". **But the spread is no forecast: six of the fifteen starts lie in the red fields.** It misses large positions of the patches and all weights that start too large, and it warns of two starts that cost nothing measurable. What do the other signs add?
# {{assert not any(differs(runs(name, of)) for name, of in (("class_token_init", "N(0, 1)"), ("weight_init", "second zero")))}}
#
# | sign | it catches | it misses | false alarms |
# |---|---|---|---|
# | the spread is below 0.05 | class token and positions that start large; all weights zero | large positions of the patches alone; weights that start too large | second zero; the class token from N(0, 1) |
# | the first loss is more than 0.2 above ln(number of classes) | weights by Xavier and from N(0, 1) | large class token and positions; PyTorch's default; all weights zero | Xavier in the short run |
# | a block has no gradient in the second step | all weights zero | all other faults here | none here |
# {{assert all(loss < math.log(10) + 0.2 for name in ("position_init", "patch_position_init", "class_token_init") for of in ("N(0, 0.02)", "N(0, 1)") for loss in at_start("loss", name, of))}}
# {{assert all(second > 0 for name, of in (("position_init", "N(0, 1)"), ("position_init", "N(0, 10)"), ("patch_position_init", "N(0, 1)"), ("class_token_init", "N(0, 1)"), ("class_token_init", "N(0, 10)"), ("weight_init", "Xavier"), ("weight_init", "PyTorch's default"), ("weight_init", "N(0, 1)")) for _, second in at_start("gradients", name, of))}}
#
# The four faults once more, with what to do about them:
#
# | fault | the sign that shows it | its cost in points | what to do |
# |---|---|---|---|
# | all positions start large, N(0, 1) | the spread (none, if only the patches' are large) | {{loss(runs("position_init", "N(0, 1)")):±.1p}} | start them at zero or from N(0, 0.02) |
# | the class token starts large, N(0, 10) | the spread | {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} | the same |
# | the weights start too large, Xavier | the first loss (none for PyTorch's default) | {{loss(runs("weight_init", "Xavier")):±.1p}} | compare N(0, 0.02), Xavier and your framework's default on your own task, at three learning rates each |
# | all weights start at zero | two steps, and the spread | {{loss(runs("weight_init", "all zero")):±.1p}} | start one matrix of each pair at random |
#
# **In your own model,** run `at_the_start` and `two_steps` on one batch before you train. Compare the first loss with ln(number of classes): that is ln 10 for ten classes only. If a sign warns, try a smaller start of what it points to. Only training can tell whether that helps. (If your branches have scales that start at zero, such as LayerScale, take a third step. For a class token that is cut off, [notebook 09](09_pitfalls_class_token.ipynb) has a check.)
#
# *Limit:* we chose the two thresholds after we had seen the results. With 0.4 in place of 0.05, for example, the spread would have caught the patches' positions too. On other models and images the thresholds may do worse.
# {{assert all((spread < 0.4) == caught for name, of, caught in (("patch_position_init", "N(0, 1)", True), ("patch_position_init", "N(0, 0.02)", False), ("weight_init", "N(0, 0.02)", False)) for spread in at_start("spread", name, of))}}
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
# Ask for the same at other learning rates, each start judged at its best on validation images, with several seeds. Ask for it on *your* task, too: here the order of three starts turned round between two trainings.
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
# **Skip this on a first reading.** Each of these sections needs only the part above, so you can take them in any order.
#
# ### Why do large positions of the patches cost points?
#
# Patches can drown like the class token, but somewhere else. The picture shows class tokens of your images just before the last norm, and after it. (In the run saved here these are drawn shapes, so the spreads are somewhat larger than those on record.)


# %% tags=["hide-input"]
@torch.no_grad()
def before_the_last_norm(experiment, setting):
    model = cifar10_model(experiment, setting)
    model.norm = torch.nn.Identity()
    return model.forward_features(images)[:, 0]


diagrams.norm_divides(
    {
        "all from N(0, 0.02)": before_the_last_norm("class_token_init", "N(0, 0.02)"),
        "class token from N(0, 1)": before_the_last_norm("class_token_init", "N(0, 1)"),
        "class token without a position": before_the_last_norm("patch_position_init", "N(0, 0.02)"),
        "the same, patches' positions from N(0, 1)": before_the_last_norm(
            "patch_position_init", "N(0, 1)"
        ),
    }
)

# %% [markdown]
# - **A large class token** (second row): before the norm the spread is about a fifth smaller than in the row above. But all images share a part of size 1, and the norm divides by the size of the whole token.
# - **Large positions of the patches** (last row): here the spread has shrunk before the last norm. We think that the *first* norm does it, which divides each patch by a size that is mostly its position's. The patches drown in their positions, and the class token gathers less that differs.
#
# <details><summary>How far does the first norm drown a patch?</summary>
#
# Between drawn shapes, what differs at one patch has a size of 0.31 at the start. A position from N(0, 1) adds about 1.01 that all images share, and the first norm divides the sum by its size. Without a position, the norm brings the difference to size 1. With it, the difference is left with 0.31/√(0.31² + 1.01²) ≈ 0.29. With positions from N(0, 0.02) nearly all of it is left, and with positions from N(0, 10) only 0.03.
# </details>
#
# Is it this drowning that costs the points? We trained more starts to find out:
#
# - *Drowned without large positions.* A single vector from N(0, 1), which is added to all patches, drowns them just as well. With positions from N(0, 0.02) beside it, this costs {{loss(runs("patch_drowning", "N(0, 0.02), a shared part from N(0, 1)")):±.1p}} points.
# - *Large positions without drowning.* With positions from N(0, 1) we made the patches 50 times larger as well, so that they do not drown. This still costs {{loss(runs("patch_drowning", "N(0, 1), patches × 50")):±.1p}} points. But so do the large patches by themselves: with positions from N(0, 0.02) they cost {{loss(runs("patch_drowning", "N(0, 0.02), patches × 50")):±.1p}}.
#
# **So the positions need not be large, and the patches need not drown: patches that enter large cost points in every way that we tried.** How much of the cost of `torch.randn` is the drowning, these starts cannot tell.
# {{assert all(loss(runs("patch_drowning", of)).mean > loss(runs("patch_drowning", of)).width for of in ("N(0, 0.02), a shared part from N(0, 1)", "N(0, 1), patches × 50", "N(0, 0.02), patches × 50"))}}
#
# <details><summary>What exactly was tried, and with how many seeds?</summary>
#
# In all of these models the class token has no position, so that only the patches can be large:
#
# | positions of the patches | the patches themselves | cost in points | seeds |
# |---|---|---|---|
# | N(0, 1) | as usual | {{loss(runs("patch_position_init", "N(0, 1)")):±.1p}} | {{len(runs("patch_position_init", "N(0, 1)").accuracies):d}} |
# | N(0, 0.02) | plus one vector from N(0, 1) | {{loss(runs("patch_drowning", "N(0, 0.02), a shared part from N(0, 1)")):±.1p}} | {{len(runs("patch_drowning", "N(0, 0.02), a shared part from N(0, 1)").accuracies):d}} |
# | N(0, 1) | 50 times larger | {{loss(runs("patch_drowning", "N(0, 1), patches × 50")):±.1p}} | {{len(runs("patch_drowning", "N(0, 1), patches × 50").accuracies):d}} |
# | N(0, 0.02) | 50 times larger | {{loss(runs("patch_drowning", "N(0, 0.02), patches × 50")):±.1p}} | {{len(runs("patch_drowning", "N(0, 0.02), patches × 50").accuracies):d}} |
#
# The vector is the bias of the patch embedding, and it is trained like the rest. The last row is the control of the third. Perhaps what the blocks add is too small beside large patches, or a step is; we tested neither.
# </details>
#
# ### Do the costs stay at other learning rates, and after more passes?
#
# Large positions have farther to go, so perhaps they need longer steps. With one seed we tried other rates, for the weights too. Rate 1 is the usual one, {{runs("weight_init", "Xavier").learning_rate:g}} at its highest:
#
# | times the base's rate | 0.3 | 1 | 3 | 9 |
# |---|---|---|---|---|
# | all from N(0, 0.02) | {{reached("position_init_rates", "N(0, 0.02)", 0.3)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 0.02)", 1)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 0.02)", 3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 0.02)", 9)[0]:.1%}} |
# | positions: N(0, 1) | {{reached("position_init_rates", "N(0, 1)", 0.3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 1)", 1)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 1)", 3)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 1)", 9)[0]:.1%}} |
# | weights: PyTorch's default | {{reached("weight_init_rates", "PyTorch's default", 0.3)[0]:.1%}} | **{{reached("weight_init_rates", "PyTorch's default", 1)[0]:.1%}}** | {{reached("weight_init_rates", "PyTorch's default", 3)[0]:.1%}} | |
# | weights: Xavier | {{reached("weight_init_rates", "Xavier", 0.3)[0]:.1%}} | **{{reached("weight_init_rates", "Xavier", 1)[0]:.1%}}** | {{reached("weight_init_rates", "Xavier", 3)[0]:.1%}} | |
#
# (These are runs with seed 0. So the base has {{reached("position_init_rates", "N(0, 0.02)", 1)[0]:.1%}} at rate 1 here, while the mean of its {{len(runs("weight_init", "N(0, 0.02)").accuracies):d}} seeds is {{runs("weight_init", "N(0, 0.02)").mean:.1%}}.)
#
# Steps three times as long help positions from N(0, 1), while they harm the base. Steps nine times as long harm both. (The validation images choose the same best rates.) For the weights N(0, 0.02) is ahead at all three rates, so the learning rate alone does not explain their order on CIFAR-10.
# {{assert reached("position_init_rates", "N(0, 0.02)", 1)[0] == max(reached("position_init_rates", "N(0, 0.02)", rate)[0] for rate in (0.3, 1, 3, 9))}}
# {{assert all(max((found.validation_accuracy, rate) for rate in (0.3, 1, 3, 9) for found in recorded("position_init_rates", name, rate)[:1])[1] == best for name, best in (("N(0, 0.02)", 1), ("N(0, 1)", 3)))}}
# {{assert reached("position_init_rates", "N(0, 1)", 3)[0] == max(reached("position_init_rates", "N(0, 1)", rate)[0] for rate in (0.3, 1, 3, 9))}}
# {{assert all(reached("weight_init_rates", other, rate)[0] < reached("weight_init_rates", "N(0, 0.02)", rate)[0] for other in ("Xavier", "PyTorch's default") for rate in (0.3, 1, 3))}}
# {{assert all(reached("weight_init_rates", "N(0, 0.02)", rate)[0] == reached("position_init_rates", "N(0, 0.02)", rate)[0] for rate in (0.3, 1, 3))}}
# {{assert all(reached("weight_init_rates", other, 1)[0] > reached("weight_init_rates", other, rate)[0] for other in ("N(0, 0.02)", "Xavier", "PyTorch's default") for rate in (0.3, 3))}}
#
# Do longer steps help a large class token as well? They do not. With three seeds, a class token from N(0, 10) is right for {{runs("class_token_init", "N(0, 10)"):±.1%}} of the test images at the usual rate, and for {{runs("class_token_init_rates", "N(0, 10)", rate=3):±.1%}} at three times the rate.
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
# **A class token from N(0, 10) gets rid of many of its extra errors. For positions from N(0, 1) we see no such healing,** and none for weights by Xavier.
#
# ### Positions that are not trained
#
# Must positions learn? This table shows what positions cost that are never trained, against learned ones from N(0, 0.02):
#
# | positions | cost in points |
# |---|---|
# | none | {{loss(runs("position_untrained", "none")):±.1p}} |
# | N(0, 0.02), never trained | {{loss(runs("position_untrained", "N(0, 0.02), frozen")):±.1p}} |
# | N(0, 0.3), the size of the patches, never trained | {{loss(runs("position_untrained", "N(0, 0.3), frozen")):±.1p}} |
# | sines and cosines of notebook 02, with none for the class token | {{loss(runs("position_untrained", "sines and cosines")):±.1p}} |
#
# All of them cost points. But which of them are better than no positions? Those from N(0, 0.02) are not measurably better: their cost is about that of the first row. Those from N(0, 0.3) win back about half of what a model without positions loses, and sines and cosines about three fifths.
# {{assert not differs(distance(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", "none")))}}
# {{assert all(low < (runs("position_untrained", name).mean - runs("position_untrained", "none").mean) / loss(runs("position_untrained", "none")).mean < high
# for name, low, high in (("N(0, 0.3), frozen", 0.45, 0.55), ("sines and cosines", 0.55, 0.65)))}}
# {{assert all(below(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", name))
# and below(runs("position_untrained", name), runs("position_untrained", "learned"))
# for name in ("N(0, 0.3), frozen", "sines and cosines"))}}
