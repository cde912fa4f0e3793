# %% [markdown]
# # 09 · Pitfalls, measured: the class token mishandled, and its rivals
#
# **After this notebook you can** say what it costs to read the class token from the wrong place, compare it fairly with its rivals, and find the bugs that tutorials and repositories have had, each with a test of a few lines.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 04; 07 for how experiments are run |
# | Time to read | about 50 minutes, with two good places to stop, and 10 more for a second visit |
# | Time to run | at the quick budget about two minutes{{assert round(notebook_seconds("09_pitfalls_class_token") / 60) == 2}} on two cores of a recent server CPU |
# | Package modules | `variants.py`, `experiments/` |
#
# The class token is one row of a matrix. If you take the wrong row, or average it with the others, nothing crashes, and the loss goes down. How much is lost, and how would you notice?
#
# Numbers that the text quotes from drawn shapes are those of the run saved here. Yours will differ.

# %%
import copy
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from vit_minimal import (
    MultiHeadSelfAttention,
    VisionTransformer,
    ViTConfig,
    diagrams,
    load_dataset,
    patchify,
    pick_budget,
    plots,
    seed_everything,
)
from vit_minimal.attention import attention_weights
from vit_minimal.diagrams.card import CLASS, PATCH, dark
from vit_minimal.experiments import (
    as_table,
    mean_and_width,
    pooled_spread,
    run_experiment,
    spread_of,
    summarize,
)
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records

dataset = load_dataset()
quick = pick_budget() == "quick"

# %% [markdown]
# ## Which of these models is broken?
#
# Here are the losses of three models during training. They have the same size and see the same drawn shapes. One is right, and each of the others has a bug that mixes up its numbers. Which one is right?

# %% tags=["hide-input"]
silent = {}  # data set: bug: its runs, one for each seed
for record in read_records("../data/results/silent_bugs.json"):
    for run in record["runs"]:
        silent.setdefault(record["dataset"], {}).setdefault(run["bug"], []).append(run)


def mean_loss(name):
    return torch.tensor([run["train_loss"] for run in silent["shapes10"][name]]).mean(dim=0)


losses = {
    letter: mean_loss(name)
    for letter, name in (("A", "patches by reshape"), ("B", "none"), ("C", "heads by view"))
}
_, axis = plt.subplots(figsize=(5, 3), layout="constrained")
for (letter, values), marker, stroke in zip(losses.items(), "osd", ("-", "--", ":"), strict=True):
    axis.plot(range(1, 6), values, stroke, marker=marker, color="#444444", label=letter)
axis.set(xlabel="pass", ylabel="loss in training", xticks=range(1, 6))
axis.grid(alpha=0.3)
axis.legend()
plots.show(
    "the losses of three models over five passes",
    "Which one is right?",
    [f"{letter}: from {of[0]:.2f} to {of[-1]:.2f}" for letter, of in losses.items()],
)

# %% [markdown]
# <details><summary>The answer</summary>
#
# B. In C every attention head gets numbers of the wrong tokens, and in the end its loss is as low as B's. In A the patches are cut wrongly, and its loss is the lowest of the three. The accuracy on new images would mislead you as well: it is {{mean(silent_bug("patches by reshape")):.0%}} for A, and {{mean(silent_bug("none")):.0%}} for B and for C.{{assert
# round(100 * mean(silent_bug("heads by view"))) == round(100 * mean(silent_bug("none")))}}{{assert
# mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "patches by reshape"])
# < 0.6 * mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "none"])}}{{assert
# abs(mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "heads by view"])
# - mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "none"])) < 0.05}}
# </details>
#
# So you can rely neither on the loss nor on the accuracy. If the question is what something costs, **measure** it, with several seeds and an interval: that is the first half, about the class token and its rivals. If the question is whether code is right, **check** it, without any training: that is the second, a museum of bugs.
#
# ## What a head can read
#
# After the last norm there are T tokens, and the head takes one vector. Which one? Here are five answers, each with its line of code. The first is the rule of the paper. The second is a bug, and so is the third if you meant to read the class token. The last two are the class token's rivals. In the last line `w` holds one weight for each patch, which depends on the image.

# %% tags=["hide-input"]
T = 17
one, patches, fits = torch.eye(T), torch.ones(T), torch.zeros(T)
patches[0] = 0
seed_everything(0)
fits[1:] = torch.randn(T - 1).softmax(dim=0)
diagrams.heads_read(
    {
        "class token": ("x[:, 0]", one[0]),
        "reads the first patch": ("x[:, 1]", one[1]),
        "averages all tokens": ("x.mean(dim=1)", torch.ones(T)),
        "mean of patches": ("x[:, 1:].mean(dim=1)", patches),
        "attention pooling": ("(w * x[:, 1:]).sum(dim=1)", fits),
    },
    title="What a head reads",
)

# %% [markdown]
# ## Read from the wrong place
#
# The second and the third answer are small classes of `vit_minimal/variants.py`. `ReadsFirstPatch` is off by one, as when somebody takes the slice `x[:, 1:]` first and then reads `x[:, 0]`. `AveragesAllTokens` takes the mean over everything:


# %% tags=["same-as:vit_minimal.variants.ReadsFirstPatch", "same-as:vit_minimal.variants.AveragesAllTokens"]
# vit_minimal/variants.py
class ReadsFirstPatch(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images)[:, 1])


class AveragesAllTokens(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images).mean(dim=1))


# %% [markdown]
# > **How to read a ±.** Train the same model with three seeds, and you get three accuracies. How far they lie apart is the noise, and a difference has to be larger than the noise. The ± says how large: it is half of a 95 % interval. Three seeds are too few to measure the noise well. So we *pool* it: we average it over many settings, as if all had the same. Where that matters we say so: the lead of 7.5 ± 3.5 points that you will meet below would be 7.5 ± 8.9 by its own seeds alone. If the interval of a difference reaches 0, we say *no effect seen*, which is not the same as *no effect*.
#
# The experiment `class_token_place` compares these two models with the ordinary one (and others at the full budget): 200 steps on 2,000 drawn shapes, judged by 1,000, all at one learning rate, 0.01. It takes about a minute.

# %%
places = ["class token", "reads the first patch", "averages all tokens"] if quick else None
# pooled: the intervals come from all runs together (second visit)
options = {"dataset": dataset, "pooled": True, "verbose": False}
print(as_table(run_experiment("class_token_place", seeds=5, settings=places, **options)))

# %% [markdown]
# Reading a patch costs 11.8 ± 3.1 points, yet the model does not fall to guessing, which would be 10 %. A conjecture: attention is open to every token, so the patch can learn to gather from the others as the class token does. Averaging all tokens is ahead by 3.8 ± 3.1, only just: by its own seeds alone, no effect would be seen.
#
# Now the same on **CIFAR-10**, from the record: the model of notebook 05's recipe `cpu`, three passes over 45,000 images, one learning rate, three seeds of each change and {{len(runs("class_token_place", "class token").accuracies):d}} of the ordinary class token. Five more changes are on record:
#
# - The class token stands last, and is read there.
# - It stands last, but the head still reads token 0, a patch.
# - It has no position embedding of its own.
# - There are five class tokens, and the head reads their mean.
# - It joins the patches only in the last block.
#
# **Guess first:** which of these seven changes does harm, and does one help?

# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting


def show_gains(measured, words, title):
    """By how much each setting is ahead of the first."""
    base, *others = measured
    effects = {
        name: (words[name], 100 * of.difference, 100 * of.difference_width)
        for name, of in measured.items()
        if name in others
    }
    title = f"{title}, against the {base} ({100 * measured[base].mean:.1f} %)"
    show_effects(effects, "difference in accuracy, in points", title)


CHANGES = {
    "reads the first patch": "x[:, 1]",
    "averages all tokens": "x.mean(dim=1)",
    "class token last": "it stands behind the patches",
    "last, but reads token 0": "which is a patch now",
    "no position of its own": "only patches have positions",
    "5 class tokens": "the head reads their mean",
    "only in the last block": "it joins the patches there",
}
show_gains(summarize("class_token_place", "full", cifar10, spread), CHANGES, "CIFAR-10")
for variant in ("ReadsFirstPatch", "AveragesAllTokens"):
    found = [of["train_loss"] for of in cifar10 if of["run"]["variant"] == variant]
    passes = " → ".join(f"{loss:.2f}" for loss in torch.tensor(found).mean(dim=0))
    print(f"{variant:17} loss in training, pass by pass: {passes}")

# %% [markdown]
# In three of the changes no effect is seen: class token last, no position of its own, and 5 class tokens all lie within {{max(rounded_up(abs(gain(runs("class_token_place", name)).mean)) for name in
# ("class token last", "no position of its own", "5 class tokens")):.1p}} points of the ordinary class token, each known to ± {{max(gain(runs("class_token_place", name)).width for name in
# ("class token last", "no position of its own", "5 class tokens")):.1p}}.{{assert
# all(abs(gain(runs("class_token_place", name)).mean) < gain(runs("class_token_place", name)).width for name in
# ("class token last", "no position of its own", "5 class tokens"))}} (The token can do without a position because both are learned and only ever added: one learned vector can be the same sum.)
#
# - **Reading a patch** costs {{-runs("class_token_place", "reads the first patch").difference:.1p}} points,{{assert
# differs(runs("class_token_place", "reads the first patch"))}} whether the slice was off by one or the class token stands last and token 0 is read.{{assert
# differs(runs("class_token_place", "last, but reads token 0"))}}{{assert
# abs(runs("class_token_place", "reads the first patch").mean
# - runs("class_token_place", "last, but reads token 0").mean) < 0.001}} The model of the drawn shapes lost far more; we did not test why.
# - **Averaging all tokens** is ahead by {{runs("class_token_place", "averages all tokens").difference:.1p}} points.{{assert
# differs(runs("class_token_place", "averages all tokens"))}} That is no surprise, because it is nearly the mean of the patches, which at the same learning rate is ahead by {{distance(runs("pooling", "mean of patches", 1), runs("pooling", "class token")).mean:.1p}}.
# - **Joining only in the last block**, after [CaiT](https://arxiv.org/abs/2103.17239), the class token is ahead by {{gain(runs("class_token_place", "only in the last block")):±.1p}} points. We noticed that only after looking at many comparisons, and whether it may be luck is a question for [notebook 10](10_claims_put_to_the_test.ipynb), card 2. In this one model of four blocks, after three passes, it lost nothing that we could see by joining so late.
#
# ### Which tokens does a model read?
#
# The two lines below the figure show that the loss falls in spite of the mistake, and nobody tells you how low it should be. But you can ask the *gradient* which tokens the answer depends on, after the last norm:


# %% tags=["nbval-check-output"]
def tokens_read(model, norm, images):
    """The indices of the tokens that have a say in the answer; `norm` is the model's last norm."""
    kept = []

    def keep(module, inputs, output):  # (B, T, D)
        output.retain_grad()
        kept.append(output)

    hook = norm.register_forward_hook(keep)
    model(images).square().sum().backward()
    hook.remove()
    return kept[0].grad.abs().sum(dim=(0, 2)).nonzero().flatten().tolist()


SMALL = ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3)
seed_everything(0)
for kind in (VisionTransformer, ReadsFirstPatch, AveragesAllTokens):
    model, images = kind(SMALL), torch.randn(2, 3, 8, 8)
    print(f"{kind.__name__:18} reads tokens {tokens_read(model, model.norm, images)}")

# %% [markdown]
# It works for your own model too: `norm` is the module whose output the head reads. A head that starts at zero passes no gradient on, so give it random weights first. And the list tells what *may* be read, not how much.
#
# ## The rivals, compared fairly
#
# The head can also read the **mean of the patches**. Or it reads a weighted mean whose weights are learned, which is **attention pooling**: each patch x gets the score x · q / √D with one learned query q, and a softmax turns the scores into weights. **Registers** are no rival but an addition: learned tokens that take part in attention and that no head reads.
#
# A comparison at one learning rate favours the kind of head that this rate suits. ViT's authors noticed: their mean pooling had looked far worse than the class token until they tried other rates for it ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Appendix D.3). So we try the class token and the mean here, on drawn shapes, at five learning rates, with three seeds each. (At the full budget the other rivals follow.) The rate that is best on *validation* images counts, and the table shows the *test* images. It takes about a minute.

# %%
rivals = ["class token", "mean of patches"] if quick else None
pooling = run_experiment("pooling", settings=rivals, **options)
print(as_table(pooling))
for name, of in pooling.items():
    print(f"{name}: best on validation images with a learning rate of {of.learning_rate:g}")

# %% [markdown]
# The mean is ahead by 7.5 ± 3.5 points (differences are taken before rounding). What would a comparison at *one* rate have said? The upper panel shows the accuracy at each rate, with bands for the intervals, and the lower one the lead of the mean. (At 0.01 the class token has the five seeds from above.)

# %% tags=["hide-input"]
token, mean = (pooling[name].at_rates for name in ("class token", "mean of patches"))
_, (upper, lower) = plt.subplots(2, 1, figsize=(6, 5.2), sharex=True, layout="constrained")
for reached, label, colour, stroke in (
    (token, "class token", dark(CLASS), "-o"),
    (mean, "mean of patches", PATCH, "--s"),
):
    middle, width = 100 * torch.tensor(list(reached.values())).T
    upper.plot(list(reached), middle, stroke, color=colour, markersize=4, label=label)
    upper.fill_between(list(reached), middle - width, middle + width, color=colour, alpha=0.2, lw=0)
leads = {
    rate: (100 * (mean[rate][0] - of), 100 * math.hypot(width, mean[rate][1]))
    for rate, (of, width) in token.items()
}
ahead, width = zip(*leads.values(), strict=True)
lower.axhline(0, color="gray", linewidth=1)
lower.errorbar(list(leads), ahead, yerr=width, fmt="o", capsize=4, color="black")
lower.set_xscale("log")
lower.set_xticks(list(leads), [f"{rate:g}" for rate in leads])
lower.set_xticks([], minor=True)
lower.set(xlabel="learning rate", ylabel="lead of the mean, points")
upper.set_ylabel("test accuracy in %")
upper.legend()
for axis in (upper, lower):
    axis.grid(alpha=0.3)
plots.show(
    "two curves of accuracy over learning rates, and below their difference",
    "Class token or mean of patches?",
    [
        f"at {rate:g}: {100 * mean[rate][0]:.1f} % against {100 * token[rate][0]:.1f} %, "
        f"{ahead:+.1f} ± {width:.1f}"
        for rate, (ahead, width) in leads.items()
    ],
)

# %% [markdown]
# **The curves cross.** At the lowest rate the class token is ahead, by 6.5 ± 3.5 points. That rests on the pooling: by their own seeds alone it would be ± 8.9 here as well. At the three highest rates the mean is ahead either way, at 0.04 by as much as 16.7 points. There the mean does not get better; the class token gets worse. So with one rate for both, you could have reported a lead of the class token, a small lead of the mean, or a large one. (The lesson applies to this notebook too: the experiments above had one rate for all.)
#
# On **CIFAR-10** the rate was chosen on validation images as well, but with the first seed only. The learning rate of the recipe `cpu`, half of it and twice that rate were tried. The mean of the patches got twice the recipe's rate (four times, tried for it alone, was worse), and the others kept the recipe's own.{{assert
# runs("pooling", "mean of patches").learning_rate == 2 * runs("pooling", "class token").learning_rate
# and runs("pooling", "attention pooling").learning_rate == runs("pooling", "class token").learning_rate
# == runs("pooling", "class token, 4 registers").learning_rate == runs("class_token_place", "class token").learning_rate}}

# %% tags=["hide-input"]
RIVALS = {
    "mean of patches": "x[:, 1:].mean(dim=1)",
    "attention pooling": "a learned, weighted mean",
    "class token, 4 registers": "four more tokens, not read",
}
show_gains(summarize("pooling", "full", cifar10, spread), RIVALS, "CIFAR-10, each at its best rate")

# %% [markdown]
# The mean of the patches leads by {{runs("pooling", "mean of patches").difference:.1p}} points, attention pooling by {{
# runs("pooling", "attention pooling").difference:.1p}}.{{assert
# differs(runs("pooling", "mean of patches")) and differs(runs("pooling", "attention pooling"))}} (At the recipe's rate the lead of the mean was {{distance(runs("pooling", "mean of patches", 1), runs("pooling", "class token")).mean:.1p}} too: here the search for rates changed nothing that can be seen.{{assert
# not differs(distance(runs("pooling", "mean of patches"), runs("pooling", "mean of patches", 1)))}}) Four registers show no effect: whatever they do, it is hardly more than {{largest(gain(runs("pooling", "class token, 4 registers"))):.1p}} points either way.{{assert
# abs(gain(runs("pooling", "class token, 4 registers")).mean) < gain(runs("pooling", "class token, 4 registers")).width}}
#
# **What we know:** in the small model of CIFAR-10, trained briefly and each head at its own rate, the mean of the patches beats the class token. On the drawn shapes it is ahead as well, but there the lead is sure only if the noise is pooled (7.5 ± 8.9 by their own seeds alone). **What we do not know** from this: whether it does in a large model or after long training. In the ViT paper's comparison the two came out alike, and notebook 10 says what longer training changes here. The course has the class token because it can be followed through the blocks.
#
# *This is a good place to stop.*
#
# ## A museum of bugs
#
# The museum has four rooms and seventeen{{assert numbered_sections("09_pitfalls_class_token") == 17}} bugs. Most of them raise no error. A few do, but only on a GPU (11), with another number of images (4 with nearly every number, 10 with some) or at another image size (8). Where a link leads to a well-known repository, it had the bug. Such bugs happen to experts, too. In rooms 1 and 2 you see the code of each exhibit; rooms 3 and 4 are tables.
#
# Each exhibit has a **check** of a few lines. The function `catch` runs it twice: on the right piece and on the wrong one, whose symptom it prints. In the pictures, orange-red shows what is wrong: a cross, a frame or a number.


# %% tags=["bug-tools"]
@torch.no_grad()
def catch(check, right, wrong):
    """Run a check on a right piece, which passes, and a wrong one, whose symptom is printed."""
    check(right)
    seed_everything(0)
    try:
        check(wrong)
    except AssertionError as symptom:
        print(f"caught: {symptom}")
    else:
        raise RuntimeError("the check did not notice")


def percent(share):
    return f"{100 * float(share):.0f} %"


# %% [markdown]
# ## Room 1: shapes that fit by accident
#
# Here numbers land in the wrong place, and nothing complains, because the shape fits.
#
# *Guess first:* an image has three channels of 8 × 8 numbers. It is white in its upper right quarter and black elsewhere. It is cut into four patches with nothing but a `reshape`. How white is each patch?
#
# ### 1. Patches by `reshape` alone
#
# (C, H, W) has as many numbers as (N, C·P·P), so a reshape runs. But it cuts the image into stretches of rows, and not into squares. It also takes the channels apart: patch 0 gets numbers of the red channel only (notebook 01). In the picture each cell is one number of an image, and its colour says to which patch the code gives it.


# %% tags=["bug", "nbval-check-output"]
def patches_by_reshape(images, P):
    B, C, H, W = images.shape
    return images.reshape(B, (H // P) * (W // P), C * P * P)


def check_patches(cut):
    image = torch.zeros(1, 3, 8, 8)
    image[:, :, :4, 4:] = 1  # patch 1, upper right, is white, everything else black
    patches = cut(image, 4)
    white = ", ".join(percent(patch.mean()) for patch in patches[0])
    assert patches[0].mean(dim=1).tolist() == [0, 1, 0, 0], f"patches are white by {white}"


catch(check_patches, right=patchify, wrong=patches_by_reshape)


# %% tags=["hide-input"]
def owner(parts):
    """The numbers 0, 1, 2, … were sorted into parts (k, …): the part that each went to."""
    found = torch.empty(parts.numel(), dtype=torch.long)
    found[parts.flatten().long()] = torch.arange(len(parts)).repeat_interleave(parts[0].numel())
    return found


numbers = torch.arange(3.0 * 8 * 8).view(1, 3, 8, 8)
diagrams.owners(
    *(owner(cut(numbers, 4)[0]).view(3, 8, 8) for cut in (patchify, patches_by_reshape)),
    owner="patch",
    panels=("red", "green", "blue"),
    title="Exhibit 1: which patch gets which number of an image",
)

# %% [markdown]
# ### 2. Heads by `view` alone
#
# The same mistake with heads: (B, T, D) → (B, h, T, d) needs a transpose in between. Each head should get d numbers *of every token*. By `view` alone it gets one long stretch: head 0 has all 12 numbers of token 0, 8 of token 1, and no others ([FuxiCTR](https://github.com/reczoo/FuxiCTR/issues/30)). In the picture the colour of a number says which head gets it. In the check each number is the index of its token, and the five rows of head 0 should come from the tokens 0 to 4.


# %% tags=["bug", "nbval-check-output"]
def heads_by_transpose(x, h):
    B, T, D = x.shape
    return x.view(B, T, h, D // h).transpose(1, 2)


def heads_by_view(x, h):
    B, T, D = x.shape
    return x.view(B, h, T, D // h)


def check_heads(split):
    x = torch.arange(5).view(1, 5, 1).repeat(1, 1, 12)  # (B, T, D): token 1 holds only ones
    rows = split(x, 3)[0, 0, :, 0].tolist()  # head 0: from which token each row comes
    assert rows == [0, 1, 2, 3, 4], f"the rows of head 0 come from tokens {rows}"


catch(check_heads, right=heads_by_transpose, wrong=heads_by_view)

# %% tags=["hide-input"]
numbers = torch.arange(5.0 * 12).view(1, 5, 12)
diagrams.owners(
    *(owner(split(numbers, 3)[0]).view(5, 12) for split in (heads_by_transpose, heads_by_view)),
    owner="head",
    rows="tokens",
    columns="the D = 12 numbers of a token",
    title="Exhibit 2: which head gets which number of the tokens",
)

# %% [markdown]
# ### 3. The same on the way back
#
# (B, h, T, d) must become (B, T, h, d) before it is flattened. Otherwise the numbers of one token end up in several. A transformer from scratch [had it](https://github.com/jsbaan/transformer-from-scratch/pull/6). Its test was a small task to be learned, and passed.


# %% tags=["bug", "nbval-check-output"]
def check_merge(merge):
    heads = torch.zeros(1, 3, 5, 4)  # (B, h, T, d)
    heads[0, :, 0] = 1  # only token 0 holds something
    tokens = merge(heads)[0].abs().sum(dim=-1).nonzero().flatten().tolist()
    assert tokens == [0], f"what token 0 held is found in tokens {tokens}"


catch(
    check_merge,
    right=lambda heads: heads.transpose(1, 2).flatten(2),
    wrong=lambda heads: heads.reshape(1, 5, 12),
)

# %% [markdown]
# ### 4. `x[0]` for `x[:, 0]`
#
# This reads all tokens of the first image instead of the first token of each. `x[0]` is right for (T, B, D), which PyTorch's layers take by default. After a switch to batch first, it gives T answers, and all other images are ignored. If T = B, nothing complains; otherwise the loss does. The check finds the bug at any size: it changes image 1 and looks at whose answer moves.


# %% tags=["bug"]
def check_read(read):
    tokens = torch.randn(4, 5, 8)
    changed = tokens.clone()
    changed[1] += 1  # another second image
    moved = (read(changed) - read(tokens)).abs().sum(dim=-1).nonzero().flatten().tolist()
    assert moved == [1], f"image 1 was changed; the answers that changed: {moved or 'none'}"


catch(check_read, right=lambda tokens: tokens[:, 0], wrong=lambda tokens: tokens[0])

# %% [markdown]
# ## Room 2: attention that mixes the wrong things
#
# *Guess first:* a layer takes the images of a batch for tokens. A class token then attends to the class tokens of all images in the batch, and to nothing else. What will such a model answer for different images?
#
# ### 5. Softmax over the wrong axis
#
# The scores are (B, h, T, T): queries, then keys. `softmax(dim=-2)`, or a `dim=2` that was right for (B, T, T) before the heads came in, runs over the queries, and the *columns* sum to 1. One token then reads less than 100 % in all, and another more. A widely read implementation [had it](https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/146), and the person who reported it saw no difference in the results.


# %% tags=["bug"]
def softmax_over_queries(queries, keys):
    return (queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5).softmax(dim=-2)


def check_rows(weights):
    # 3 * makes the scores large, and so the shares of attention uneven
    rows = weights(3 * torch.randn(5, 8), torch.randn(5, 8)).sum(dim=-1)
    low, high = percent(rows.min()), percent(rows.max())
    assert torch.allclose(rows, torch.ones(5)), f"tokens read between {low} and {high} in all"


catch(check_rows, right=attention_weights, wrong=softmax_over_queries)

# %% tags=["hide-input"]
seed_everything(0)
queries, keys = 3 * torch.randn(5, 8), torch.randn(5, 8)
diagrams.amounts(
    attention_weights(queries, keys),
    softmax_over_queries(queries, keys),
    [f"token {i}" for i in range(5)],
    range(5),
    columns="reads from token",
    sums=True,
    key="white: 0, dark: reads a lot",
    title="Exhibit 5: how much each token (row) reads from each (column)",
)

# %% [markdown]
# ### 6. Scaled by √D, not by √d
#
# A head has d = D / h numbers, and the variance of the scores grows with that number (notebook 03). With √D attention starts too even. [vit-pytorch](https://github.com/lucidrains/vit-pytorch/issues/65) had it, and so had [Karpathy's lecture](https://github.com/karpathy/ng-video-lecture/pull/6). The check compares with PyTorch's own attention.


# %% tags=["bug"]
def weights_scaled_by_D(queries, keys):  # (B, h, T, d)
    D = queries.shape[1] * queries.shape[-1]
    return (queries @ keys.transpose(-2, -1) / D**0.5).softmax(dim=-1)


def check_scale(weights):
    queries, keys = 3 * torch.randn(2, 6, 5, 4), torch.randn(2, 6, 5, 4)
    values = torch.eye(5).expand(2, 6, 5, 5)  # show the weights themselves
    expected = nn.functional.scaled_dot_product_attention(queries, keys, values)
    error = (weights(queries, keys) - expected).abs().max()
    assert error < 1e-5, f"shares of attention are off by up to {100 * error:.0f} points"


catch(check_scale, right=attention_weights, wrong=weights_scaled_by_D)

# %% [markdown]
# ### 7. Attention across the batch
#
# PyTorch's `nn.MultiheadAttention` wants (T, B, D) unless told `batch_first=True`. Given (B, T, D) it takes images for tokens: each token attends to the tokens in the same place of *all images*, and to no other token of its own image ([TabFormer](https://github.com/IBM/TabFormer/pull/14)).


# %% tags=["bug"]
def check_images_alone(make):
    layer = make()
    x = torch.randn(4, 5, 12)
    together, alone = layer(x, x, x)[0][:1], layer(x[:1], x[:1], x[:1])[0]
    change = (together - alone).abs().max() / alone.abs().max()
    assert change < 1e-4, f"other images of the batch change an answer by {percent(change)}"


catch(
    check_images_alone,
    right=lambda: nn.MultiheadAttention(12, 3, batch_first=True),
    wrong=lambda: nn.MultiheadAttention(12, 3),  # given (B, T, D), it takes it for (T, B, D)
)


# %% tags=["hide-input"]
@torch.no_grad()
def looks_at(batch_first):
    """How much the query of image 0, token 2 reads from each token of each image: (B, T)."""
    layer = nn.MultiheadAttention(12, 3, batch_first=batch_first)
    x = torch.randn(4, 5, 12)
    weights, read = layer(x, x, x)[1], torch.zeros(4, 5)
    if batch_first:
        read[0] = weights[0, 2]  # (B, T, T)
    else:
        read[:, 2] = weights[2, 0]  # (T, B, B)
    return read


seed_everything(0)
reads = 2 * looks_at(True), 2 * looks_at(False)
diagrams.amounts(
    *reads,
    [f"image {i}" for i in range(4)],
    range(5),
    columns="token",
    marked=(0, 2),
    bad=(1, 2, 4, 3, "other images"),
    key="white: 0, dark: the token in the black frame reads a lot of it",
    title="Exhibit 7: what token 2 of image 0 attends to",
)

# %% [markdown]
# A ViT with a class token then gives every image the same answer, since all class tokens start equal and attend only to each other. With mean pooling it trains, and each answer depends on the rest of the batch.
#
# ### 8. LayerNorm over tokens as well
#
# With `nn.LayerNorm((T, D))`, perhaps out of a habit from BatchNorm, the mean and the variance are those of all tokens of an image. Every token then notices a change in any other, without attention, and another image size does not fit.


# %% tags=["bug"]
def check_norm(norm):
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[0, 0] *= 10  # the first token only
    change = (norm(changed) - norm(x))[0, 1:].abs().max()
    assert change < 1e-6, f"token 0 was changed, and others changed by up to {change:.2f}"


catch(check_norm, right=nn.LayerNorm(8), wrong=nn.LayerNorm((5, 8)))


# %% tags=["hide-input"]
@torch.no_grad()
def change(norm):
    """How much each number (T, D) changes if only the first token does."""
    seed_everything(0)
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[0, 0] *= 10
    return (norm(changed) - norm(x))[0].abs()


changes = torch.stack([change(nn.LayerNorm(8)), change(nn.LayerNorm((5, 8)))])
diagrams.amounts(
    *changes / changes[1, 1:].max(),
    [f"token {i}" for i in range(5)],
    columns="the D = 8 numbers of a token",
    bad=(1, 0, 5, 8, "should not change"),
    key="white: hardly changed or not at all, dark: changed a lot",
    title="Exhibit 8: only token 0 was made ten times as large. What changes?",
)

# %% [markdown]
# The right norm takes the factor out again, but for a trace, so even token 0 hardly changes. With the wrong norm all tokens change.
#
# *This is the second good place to stop.*
#
# ## Room 3: parameters that nobody trains, or that do not exist
#
# *Guess first:* a `nn.Linear(8, 8)` has 72 parameters. How many has `nn.Sequential(*[nn.Linear(8, 8)] * 6)`?
#
# | The bug | What it does | The check |
# |---|---|---|
# | 9. `nn.Parameter(…).to("cuda")` | It gives a plain tensor, a *copy* of the parameter, which is neither trained nor saved: a loaded model has other random positions. On a laptop `.to("cpu")` copies nothing, and every test passes. (The check has `.to(torch.float64)` for the GPU.) | Save, load and compare. |
# | 10. `torch.randn(batch_size, 1, D)` as a class token | Each *place in the batch* learns its own. A batch of another size, or a single image, cannot be put through. | Equal images get equal tokens. |
# | 11. Blocks in a Python list | A list is not a module, so the optimizer does not find its parameters, and nobody saves them. Only the embedding and the head learn. | Count the parameters. |
# | 12. `[block] * L` | It is L times the *same* block: all share their weights. | Count the parameters. |
# | 13. An argument that is ignored | A constructor takes `num_heads`, but further down the code says 8. | Change it, and expect a difference. |
#
# The code of the checks is folded. The five print, from 9 to 13:


# %% tags=["bug", "hide-input", "nbval-check-output"]
class Positions(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.weight = make(torch.randn(1, 5, 8))


def check_saved(make):
    saved, loaded = Positions(make), Positions(make)
    loaded.load_state_dict(saved.state_dict())
    error = (saved.weight - loaded.weight).abs().max()
    assert error == 0, f"after saving and loading, positions differ by up to {error:.1f}"


catch(check_saved, right=nn.Parameter, wrong=lambda x: nn.Parameter(x).to(torch.float64))


class ClassTokenForAll(nn.Module):
    def __init__(self, batch_size, D):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 1, D))

    def forward(self, tokens):
        return torch.cat([self.weight.expand(len(tokens), -1, -1), tokens], dim=1)


class ClassTokenForEachPlace(ClassTokenForAll):
    def __init__(self, batch_size, D):
        super().__init__(batch_size, D)
        self.weight = nn.Parameter(torch.randn(batch_size, 1, D))


def check_class_token(kind):
    tokens = kind(4, 8)(torch.zeros(4, 5, 8))[:, 0]
    differ = (tokens - tokens[0]).abs().max()
    assert differ == 0, f"equal images of one batch get class tokens that differ by {differ:.1f}"


catch(check_class_token, right=ClassTokenForAll, wrong=ClassTokenForEachPlace)


def encoder(holder):
    model = nn.Module()
    model.blocks = holder([nn.Linear(8, 8) for _ in range(3)])
    return model


def check_parameters(holder):
    count = sum(p.numel() for p in encoder(holder).parameters())
    assert count == 3 * 72, f"three layers of 72 parameters have {count} in all"


catch(check_parameters, right=nn.ModuleList, wrong=list)


def check_depth(blocks):
    count = sum(p.numel() for p in nn.Sequential(*blocks).parameters())
    assert count == 6 * 72, f"six blocks of 72 parameters have {count} in all"


catch(check_depth, right=[nn.Linear(8, 8) for _ in range(6)], wrong=[nn.Linear(8, 8)] * 6)


def eight_heads_always(embed_dim, num_heads):
    return MultiHeadSelfAttention(embed_dim, 8)


def check_argument(make):
    answers = []
    for num_heads in (1, 2):
        torch.manual_seed(0)  # the same weights and the same tokens
        answers.append(make(16, num_heads)(torch.randn(1, 5, 16)))
    assert not torch.equal(*answers), "1 head and 2 heads give the same answer to the last bit"


catch(check_argument, right=MultiHeadSelfAttention, wrong=eight_heads_always)

# %% [markdown]
# ## Room 4: the sum, the norm and the answer
#
# *Guess first:* a classifier of ten classes ends in a softmax, and `nn.CrossEntropyLoss` follows. The model is sure and right for every image. What is its loss?
#
# | The bug | What it does | The check |
# |---|---|---|
# | 14. Softmax twice | `nn.CrossEntropyLoss` applies a softmax itself. After another one, its loss has a floor: for ten classes ln(1 + 9/e) ≈ 1.46. | A model that is sure and right has a loss of almost 0. |
# | 15. Dropout that `eval()` does not switch off | The function `scaled_dot_product_attention` with `dropout_p=0.1` drops at test time too, unlike the module `nn.Dropout`. timm [had it](https://github.com/huggingface/pytorch-image-models/pull/1978), and the [documentation](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html) warns of it. | Ask twice, and expect the same. |
# | 16. No norm at the end | Pre-norm blocks never normalise the residual stream itself. Without Equation 4 of the paper, the head reads it raw: far too small before training, and of any size later. | What the head reads has a standard deviation of 1. |
# | 17. `x = attn(norm(x))` for `x = x + attn(norm(x))` | Without the residual connection, a layer cannot leave a token as it is by adding nothing. | Try such a layer. |


# %% tags=["bug", "hide-input"]
def check_loss(end):
    sure_and_right = 50 * torch.eye(10)
    loss = nn.functional.cross_entropy(end(sure_and_right), torch.arange(10))
    assert loss < 0.01, f"a model that is sure and right has a loss of {loss:.2f}"


catch(check_loss, right=nn.Identity(), wrong=nn.Softmax(dim=-1))


class AlwaysDrops(MultiHeadSelfAttention):
    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        out = nn.functional.scaled_dot_product_attention(
            queries, keys, values, dropout_p=self.attn_drop_rate
        )
        return self.proj(out.transpose(1, 2).flatten(2))


def check_repeatable(attention):
    layer, x = attention(24, 3, attn_drop_rate=0.1).eval(), torch.randn(2, 5, 24)
    first, second = layer(x), layer(x)
    change = (first - second).abs().max() / first.abs().max()
    assert change == 0, f"asked twice, the answer changes by up to {percent(change)}"


catch(check_repeatable, right=MultiHeadSelfAttention, wrong=AlwaysDrops)


class NoFinalNorm(VisionTransformer):
    def __init__(self, config):
        super().__init__(config)
        self.norm = nn.Identity()


def check_final_norm(kind):
    model = kind(ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3))
    std = model.forward_features(torch.randn(4, 3, 8, 8))[:, 0].std(dim=-1).mean()
    assert 0.9 < std < 1.1, f"the head reads numbers with a standard deviation of {std:.2f}, not 1"


catch(check_final_norm, right=VisionTransformer, wrong=NoFinalNorm)


def check_residual(block):
    x = torch.randn(2, 16)
    left = (block(x, layer=torch.zeros_like) - x).abs().max()
    assert left == 0, f"a layer that adds nothing changes a token by up to {left:.1f}"


catch(check_residual, right=lambda x, layer: x + layer(x), wrong=lambda x, layer: layer(x))


# %% [markdown] tags=["exercise-only"]
# # Exercises 09 · Pitfalls: the class token mishandled, and its rivals
#
# They go with notebook [09](../09_pitfalls_class_token.ipynb). If you start here: after the last block there are T tokens, (B, T, D). The class token is token 0, registers (tokens that nobody reads) may follow, then the patches. A head may read the class token, or a mean of the patches, plain or weighted.

# %% tags=["exercise-only"]
import torch
from torch.nn import functional as F

from checks import check
from checks.mishandled import Mystery, MysteryAttention, Unseeing
from vit_minimal import MultiHeadSelfAttention

# %% [markdown] tags=["exercise:mean_of_patches"]
# The mean of the patch tokens: (B, T, D) → (B, D). `num_prefix` tokens stand in front of the patches, and are not patches.
#
# Hint: Where do the patches begin?
#
# Hint: Axis 0 are the images, axis 1 the tokens, axis 2 the numbers of a token.


# %% tags=["exercise-only", "exercise:mean_of_patches"]
def mean_of_patches(tokens, num_prefix):
    """(B, T, D) → (B, D): the mean of the patches."""
    # solution
    # | return ...  # your code
    return tokens[:, num_prefix:].mean(dim=1)
    # end of solution


# %% [markdown] tags=["exercise:attention_pool"]
# A weighted mean: how well does each token fit a learned query? The scores are the dot products of `x` (B, T, D) with `query` (D,), divided by √D; a softmax makes shares of them for each image; the answer is the sum of the tokens, weighted by their shares: (B, D).
#
# Hint: `x @ query` is (B, T). Over which axis should the shares of one image sum to 1?
#
# Hint: (B, T) shares and (B, T, D) tokens: `weights[..., None] * x`, then a sum over tokens.


# %% tags=["exercise-only", "exercise:attention_pool"]
def attention_pool(x, query):
    """(B, T, D), (D,) → (B, D): the tokens' mean, weighted by how well each fits the query."""
    # solution
    # | return ...  # your code
    weights = (x @ query / x.shape[-1] ** 0.5).softmax(dim=1)
    return (weights[..., None] * x).sum(dim=1)
    # end of solution


# %% [markdown] tags=["exercise:normalized"]
# *Find the bug.* A layer norm: the D numbers *of each token* are brought to mean 0 and variance 1, then scaled and shifted by (D,) learned numbers. In the version below a token feels what the others hold, without any attention. See what the last lines print: only token 2 is changed, and token 0 should not notice. Repair it.
#
# Hint: The second argument of `F.layer_norm` is the shape over which it runs, counted from the end.
#
# Hint: It should be the last axis alone.
#
# Solution: `x.shape[1:]` is (T, D): mean and variance of all tokens together. `x.shape[-1:]` is (D,).


# %% tags=["exercise-only", "exercise:normalized"]
def normalized(x, scale, shift):
    """(B, T, D) → (B, T, D): each token normalised, then scaled and shifted."""
    # solution
    # | return F.layer_norm(x, x.shape[1:]) * scale + shift
    return F.layer_norm(x, x.shape[-1:], scale, shift)
    # end of solution


tokens = torch.arange(12.0).reshape(1, 3, 4)
changed = tokens.clone()
changed[0, 2] *= 10
for x in (tokens, changed):
    print(normalized(x, torch.ones(4), torch.zeros(4))[0, 0])

# %% [markdown] tags=["exercise:loss_of"]
# *Find the bug.* The loss of a classifier, from logits (B, K) and labels (B,). Below, a model that is sure and right should have a loss of nearly 0. What is printed? Repair it.
#
# Hint: What does `F.cross_entropy` expect, scores or probabilities?
#
# Hint: It applies the softmax itself.
#
# Solution: A softmax of a softmax cannot come near 1: with ten classes the loss has a floor at ln(1 + 9/e) ≈ 1.46.


# %% tags=["exercise-only", "exercise:loss_of"]
def loss_of(logits, labels):
    """The mean cross-entropy of logits (B, K) and labels (B,)."""
    # solution
    # | return F.cross_entropy(logits.softmax(dim=-1), labels)
    return F.cross_entropy(logits, labels)
    # end of solution


print(loss_of(50 * torch.eye(10), torch.arange(10)))

# %% [markdown] tags=["exercise:token_read"]
# *Measure.* Somebody gives you this model, and says that its head reads "the class token". It takes images of 16 × 16 and has 17 tokens. Find out, without reading its code, the index of the token that the head really reads. (`model.forward_features(images)` gives the tokens after the last norm, `model.head` is the linear map that reads one of them.)
#
# Hint: If the head read token 3, the logits would be `model.head` of token 3. You can try each token.
#
# Hint: With `tokens = model.forward_features(images)` compare `model.head(tokens[:, i])` with `model(images)`, for each i. (Notebook 09 asks the gradient instead, which works for heads of every kind.)
#
# Solution: For one token the head gives the model's logits to the last digit.

# %% tags=["exercise-only", "exercise:token_read"]
model = Mystery()

# solution
# | token_read = ...
images = torch.randn(2, 3, 16, 16)
tokens, logits = model.forward_features(images), model(images)
same = [torch.allclose(model.head(tokens[:, i]), logits) for i in range(tokens.shape[1])]
token_read = same.index(True)
# end of solution

# %% [markdown] tags=["exercise:unseen_patch"]
# *Measure.* Another model. It takes images of 16 × 16, cut into patches of 4 × 4, and somewhere in its blocks one patch is hidden from all other tokens. Whatever is in that patch, the logits are the same. Which patch is it? Patches are counted from 0, row by row. You may call the model, and nothing else is needed.
#
# Hint: Mark one input and see whether it comes out. What is an input here, and what is the output?
#
# Hint: Change the pixels of one patch at a time, those of `images[:, :, 4 * row : 4 * row + 4, …]`, and compare the logits before and after. The gradient of the logits with respect to the images says the same for all pixels at once.
#
# Solution: The patch whose pixels have no gradient, in all three channels. Its attention map would not have told: the hidden token looks at others as before, and only nobody looks at it. A model that does not see the corner of an image trains and scores nearly as well, so nobody would have noticed.

# %% tags=["exercise-only", "exercise:unseen_patch"]
model = Unseeing()

# solution
# | unseen_patch = ...
images = torch.randn(2, 3, 16, 16, requires_grad=True)
model(images).square().sum().backward()
felt = images.grad.abs().sum(dim=(0, 1))  # (16, 16): how much each pixel matters
unseen_patch = felt.unflatten(1, (4, 4)).unflatten(0, (4, 4)).sum(dim=(1, 3)).argmin().item()
# end of solution

# %% [markdown] tags=["exercise:heads_it_has"]
# *Measure.* A layer of attention was built with `num_heads=3`, and its attribute `num_heads` says 3. Exhibit 13 of the museum taught you not to believe it. Its weights, `layer.qkv` and `layer.proj`, have the names and the shapes of the course's `MultiHeadSelfAttention`, and with D = 24 they have these shapes for any number of heads. How many heads does it use?
#
# Hint: Which numbers of heads are possible with D = 24? For each of them you could say what the layer should give.
#
# Hint: Build a layer of which you know the number of heads, give it the same weights (`load_state_dict`), and compare what the two give for the same tokens.
#
# Solution: Weights do not tell the number of heads, and neither does a shape. Only what is computed does: with six heads the course's layer gives the same numbers, with any other number it gives others.

# %% tags=["exercise-only", "exercise:heads_it_has"]
layer = MysteryAttention(24, num_heads=3)

# solution
# | heads_it_has = ...
x = torch.randn(2, 5, 24)
for num_heads in (1, 2, 3, 4, 6, 8, 12, 24):
    known = MultiHeadSelfAttention(24, num_heads)
    known.load_state_dict(layer.state_dict())
    if torch.allclose(known(x), layer(x), atol=1e-5):
        heads_it_has = num_heads
# end of solution

# %% [markdown]
# None of these checks looks at the accuracy. There are five ways to write one.
#
# | A check can … | as in exhibits |
# |---|---|
# | mark an input, and see where it comes out | 1 to 4, 8 |
# | compare with a number that is known | 5, 11, 12, 14, 16, 17 |
# | compare with somebody else's code | 6 |
# | do a thing twice, and expect the same | 7, 9, 10, 15 |
# | change a setting, and expect a difference | 13 |
#
# ## What each silent bug costs
#
# Would the accuracy have told? We put fourteen of the bugs into a small model, one at a time, and trained it as if nothing had happened: 200 steps on 2,000 drawn shapes with a learning rate of 0.01, three seeds each (`benchmarks/silent_bugs.py`). The other three were left out: 4 and 10 stop this model with an error, and 13 has no effect until somebody asks for another number of heads. **Guess first:** which bugs cost most?

# %% tags=["hide-input"]
BUGS = {  # name on record: name and words in the figure
    "patches by reshape": ("1 patches by reshape", "stretches of rows, no squares"),
    "heads by view": ("2 heads by view", "a head gets stretches of tokens"),
    "heads without transpose": ("3 no transpose back", "the numbers of a token scatter"),
    "softmax over the queries": ("5 softmax over queries", "the columns sum to 1"),
    "scaled by √D": ("6 scaled by √D", "attention starts too even"),
    "attention across the batch": ("7 across the batch", "tokens read other images"),
    "LayerNorm over all tokens": ("8 norm over tokens", "one mean for all tokens"),
    "positions not trained": ("9 positions untrained", "they stay as they were drawn"),
    "blocks in a Python list": ("11 blocks in a list", "no block is trained"),
    "one block, repeated": ("12 one block, repeated", "all blocks share their weights"),
    "softmax twice": ("14 softmax twice", "the loss has a floor"),
    "dropout never off": ("15 dropout never off", "against one that has dropout"),
    "no norm at the end": ("16 no norm at the end", "the head reads the raw stream"),
    "no residual connection": ("17 no residual", "layers cannot just add"),
}
BASES = {"dropout never off": "none, with dropout"}  # a bug's model without the bug; else "none"
GUESSING = 0.2  # twice what guessing gets: models below it hardly vary, and are not pooled


def reached(name, dataset_name="shapes10"):
    """The accuracies of the models with a bug, in per cent."""
    return [100 * run["accuracy"] for run in silent[dataset_name][name]]


def effect_of(name, base="none", dataset_name="shapes10"):
    """By how many points a bug's models are ahead of others, and half the 95 % interval of that."""
    pooled = spread_of([reached(bug, dataset_name) for bug in silent[dataset_name]], 100 * GUESSING)
    (one, width), (other, wide) = (
        mean_and_width(reached(of, dataset_name), pooled) for of in (name, base)
    )
    return one - other, math.hypot(width, wide)


effects = {
    label: (words, *effect_of(name, BASES.get(name, "none")))
    for name, (label, words) in BUGS.items()
}
across = effect_of("attention across the batch, mean pooling", "none, mean pooling")
effects["7 with mean pooling"] = ("against one that has it", *across)
show_effects(
    dict(sorted(effects.items(), key=lambda effect: effect[1][1])),
    "difference in accuracy, in points",
    f"Drawn shapes, against {sum(reached('none')) / 3:.0f} % without a bug",
)

# %% [markdown]
# - **Two leave a model that guesses:** 11, and 7 with a class token. You would notice.
# - **Three train on and lose a lot:** LayerNorm over all tokens (8) costs {{-bug_effect("LayerNorm over all tokens").mean:.0p}} points, softmax twice (14) costs {{-bug_effect("softmax twice").mean:.0p}}, and attention across the batch (7), in a model with mean pooling, costs {{-bug_effect("attention across the batch, mean pooling", "none, mean pooling").mean:.0p}}. If you met such a model, you might think that it is too small, or trained too briefly.
# - **In eight no effect is seen, at ± {{bug_effect("scaled by √D").width:.0p}} points**, and the repeated block (12) only just shows one. They may still cost something: a difference has to be larger than about {{bug_effect("scaled by √D").width:.0p}} points to count here, twice as much as in the table of rivals (the second visit says why).
# - **One is ahead**, by {{bug_effect("patches by reshape"):±.1p}} points: patches by reshape (1), model A of the puzzle. The second visit has a likely reason. The lead does not carry over: on 2,000 photographs of CIFAR-10 the same bug costs {{-bug_effect("patches by reshape", dataset="cifar10").mean:.1p}} points.
# {{assert all(max(silent_bug(name)) < 0.13 for name in ("attention across the batch", "blocks in a Python list", "blocks in a Python list, mean pooling"))}}
# {{assert all(differs(bug_effect(name)) and bug_effect(name).mean < 0 for name in ("LayerNorm over all tokens", "softmax twice")) and differs(bug_effect("attention across the batch, mean pooling", "none, mean pooling"))}}
# {{assert differs(bug_effect("one block, repeated")) and not any(differs(bug_effect(name)) for name in ("heads by view", "heads without transpose", "softmax over the queries", "scaled by √D", "positions not trained", "no norm at the end", "no residual connection")) and not differs(bug_effect("dropout never off", "none, with dropout"))}}
# {{assert [name for name in ("heads by view", "heads without transpose", "softmax over the queries", "scaled by √D", "positions not trained", "no norm at the end", "no residual connection") if bug_effect(name).mean < -0.035] == ["softmax over the queries", "no residual connection"]}}
# {{assert abs(abs(bug_effect("one block, repeated").mean) - bug_effect("one block, repeated").width) < 0.015}}
# {{assert differs(bug_effect("patches by reshape")) and bug_effect("patches by reshape").mean > 0}}
#
# Three cautions. In thirteen of the fifteen rows the models with the bug are compared with the same three runs without one: if these were lucky, all thirteen lie too far to the left. Of fifteen comparisons, one may well count by chance alone. And all of this is one small model after 200 steps, at a rate that is not the class token's best.
#
# Each check finds the bug that it was written for, before any training. The accuracy misses about half of them, and prefers one.
#
# ## A check for your own model
#
# Some checks need only the model and a few images, so they can be put into one function:


# %% tags=["own-model"]
def suspicions(model, images):
    """What is wrong with a classifier, as far as a few images (B, C, H, W) can tell."""
    model, found = copy.deepcopy(model).eval(), []
    logits, alone = model(images), model(images[:1])
    if (len(logits), len(alone)) != (len(images), 1):
        return ["not one answer for each image (4)"]
    size = logits.abs().max()
    # Two ways to one number may round differently; a GPU's TF32 has steps of 2**-10
    rounding = 8 * max(torch.finfo(logits.dtype).eps, 2**-10) * size
    apart = (alone - logits[:1]).abs().max() > rounding
    if (model(images) != logits).any():
        found.append("asked twice, it answers differently (15)")
    elif apart:  # where no two answers agree, this one says nothing
        found.append("an answer depends on the other images (7, with mean pooling)")
    if (logits - logits[:1]).abs().max() <= 1e-6 * size:
        found.append("all images get the same answer (7, with a class token)")
    if logits.min() >= 0 and (logits.sum(dim=-1) - 1).abs().max() < 0.01:
        found.append("it ends in a softmax (14)")
    logits.square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None]
    if idle:
        found.append(f"no gradient reaches {', '.join(idle)}: frozen, or not used")
    return found or ["nothing found"]


# %% [markdown]
# The numbers in brackets are those of the exhibits. Here the function looks at a right model and at three that have a bug (`AlwaysDrops` stands in the folded cell of room 4):


# %% tags=["nbval-check-output"]
class AcrossTheBatch(MultiHeadSelfAttention):
    def forward(self, x):  # (B, T, D), taken for (T, B, D)
        return super().forward(x.transpose(0, 1)).transpose(0, 1)


seed_everything(0)
images = torch.randn(4, 3, 8, 8)
models = {name: VisionTransformer(SMALL) for name in ("right", "across", "drops", "softmax")}
for block in models["across"].blocks:
    block.attn = AcrossTheBatch(24, 3)
for block in models["drops"].blocks:
    block.attn = AlwaysDrops(24, 3, attn_drop_rate=0.1)
models["softmax"] = nn.Sequential(models["softmax"], nn.Softmax(dim=-1))
for name, model in models.items():
    print(f"{name:8} {'; '.join(suspicions(model, images))}")

# %% [markdown]
# If your head starts at zero, all images get the same answer before the first step; then look at the features in front of the head. The function cannot find everything:
#
# - **1 to 3, 5, 6, 8, 16 and 17** compute something wrong, but for each image alone and the same every time. Each has its own check above. The surest for all is a right answer: copy your weights into somebody else's model and compare the outputs, as notebook 04 does.
# - **9, 11 and 12** hide parameters, or have too few. Count them, and save and load the model once.
# - **10** stops with an error when the number of images changes, and **13** shows when the setting does.
#
# ## Recap, and what to do in your own model
#
# - **A model that reads the wrong token trains all the same.** At one learning rate the first patch cost 11.8 ± 3.1 points on drawn shapes and {{loss(runs("class_token_place", "reads the first patch")):±.1p}} on CIFAR-10. Ask the gradient which token your head reads.
# - **Compare heads each at its own learning rate**, and look at the interval of their difference. The mean of the patches was ahead of the class token by 7.5 ± 3.5 points on drawn shapes, if we pool, and by {{gain(runs("pooling", "mean of patches")):±.1p}} on CIFAR-10, where attention pooling was ahead by {{gain(runs("pooling", "attention pooling")):±.1p}}. On a small model start with one of these two; take the class token if you want to look inside.
# - **Do not wait for the accuracy to tell you.** Of fourteen silent bugs in a small model, eight showed no effect that could be seen at ± {{bug_effect("scaled by √D").width:.0p}} points, and one raised the accuracy.
# - **A check needs no training:** mark, compare, repeat, or change. Write one for each reshape, with sizes that all differ: several images, several heads, T ≠ B. Put `suspicions` in front of your first training.
#
# ## Questions
#
# <details><summary>Your model reads the first patch instead of the class token. Will the loss tell?</summary>
#
# No. It falls as well, and nothing tells you how low it should be. `tokens_read` tells at once.
# </details>
#
# <details><summary>Which of the bugs would a test on a batch of one image miss?</summary>
#
# Exhibit 7, because its check compares an image in company with the same image alone. And 10, if the model was built for a batch of one.
# </details>
#
# **Try it yourself:** [exercises 09](exercises/09_pitfalls_class_token.ipynb), with checks that say what is wrong.
#
# **Next:** [10 · claims, put to the test](10_claims_put_to_the_test.ipynb).
#
# ---
#
# ## For a second visit
#
# **Skip this on a first reading.**
#
# ### How the ± is made
#
# What is pooled is the spread of one run about the mean of its setting, as if all varied alike and runs were independent. For CIFAR-10 these are all settings on record ([notebook 07](07_pitfalls_initialization.ipynb)), for the tables of drawn shapes all that have run on your machine, and for the bugs the models of their benchmark. Models that guess hardly vary: they are left out, and keep the interval of their own seeds.
#
# Judged by their own seeds alone, *averages all tokens*, the leads at the two lowest rates and the lead with own rates (7.5 ± 8.9) would show no effect.
#
# So the same ordinary model has two thresholds, and we cannot say which is right. In the table of rivals a difference has to be larger than 3.5 points to count, and among the silent bugs larger than {{bug_effect("scaled by √D").width:.1p}}: the runs pooled in the table vary half as much from seed to seed. With a threshold of 3.5, two of the eight bugs without an effect (17 and 5) would count as losses.
#
# ### The losses of the silent bugs
#
# The dashed line is the model without a bug:

# %% tags=["hide-input"]
SHOWN = (
    "attention across the batch",
    "softmax twice",
    "LayerNorm over all tokens",
    "no residual connection",
)
_, axes = plt.subplots(2, 2, figsize=(6.2, 4.4), sharex=True, sharey=True, layout="constrained")
for axis, name in zip(axes.flat, SHOWN, strict=True):
    axis.plot(range(1, 6), mean_loss("none"), "--", color="gray", lw=2, label="without a bug")
    axis.plot(range(1, 6), mean_loss(name), color=plots.OKABE_ITO[1], lw=2.5, label="with the bug")
    axis.set_title(BUGS[name][0], fontsize=11)
    axis.grid(alpha=0.3)
for axis in axes[:, 0]:
    axis.set_ylabel("loss")
for axis in axes[1]:
    axis.set_xlabel("pass")
axes[0, 0].legend(loc="lower left", frameon=False)
plots.show(
    "four small panels, the loss over five passes for a bug and for the ordinary model",
    "Loss in training",
    [f"{name}: from {mean_loss(name)[0]:.2f} to {mean_loss(name)[-1]:.2f}" for name in SHOWN],
)

# %% [markdown]
# With 7 the loss stays where it began, near ln 10, and so it does with 11. Softmax twice (14) hardly moves either, but much of this is only the scale of its loss, which has a high floor. With 8 it hardly moves for three passes. With all others it falls as losses do, as here with 17, and without the dashed line you would have nothing to compare it with.
# {{assert all(mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if run.bug == name]) > 2.2 for name in ("attention across the batch", "blocks in a Python list"))}}
# {{assert all(run.train_loss[-1] < 2.2 for of in records("silent_bugs") for run in of.runs if run.bug not in ("attention across the batch", "blocks in a Python list", "blocks in a Python list, mean pooling") and of.dataset == "shapes10")}}
#
# ### Why does one bug help?
#
# We did not expect that patches by reshape would be ahead, so we looked for a control: strips of two whole rows with all their colours, which are no bug. Like the wrong patches they span the whole width of the image; unlike them, they keep the three colours of a place together.

# %% tags=["hide-input"]
show_effects(
    {
        f"{label}, {where}": (
            f"from {sum(reached('none', of)) / 3:.0f} %",
            *effect_of(name, dataset_name=of),
        )
        for of, where in (("shapes10", "drawn shapes"), ("cifar10", "CIFAR-10"))
        for name, label in (("patches by reshape", "bug 1"), ("strips of two rows", "strips"))
    },
    "difference in accuracy, in points",
    "Bug 1 and a control, against square patches",
)

# %% [markdown]
# On the drawn shapes the strips help too, by {{bug_effect("strips of two rows"):±.1p}} points, and the bug is ahead of them by {{bug_effect("patches by reshape", "strips of two rows"):±.1p}}, which may be nothing. So a window that spans the whole width is a likely reason for most of the lead. But strips differ from squares in their height as well, and we have tried no other windows. On CIFAR-10 the bug costs points, and the strips show no effect. (The ± on CIFAR-10 is {{bug_effect("patches by reshape", dataset="cifar10").width:.1p}} here, but {{gain(runs("pooling", "mean of patches")).width:.1p}} in the first half. These are smaller models, trained on 2,000 images: their seeds vary more, and their pool holds only three settings.)
# {{assert differs(bug_effect("patches by reshape", dataset="cifar10")) and bug_effect("patches by reshape", dataset="cifar10").mean < 0 and not differs(bug_effect("strips of two rows", dataset="cifar10"))}}
# {{assert all(differs(bug_effect(name)) and bug_effect(name).mean > 0 for name in ("patches by reshape", "strips of two rows")) and not differs(bug_effect("patches by reshape", "strips of two rows"))}}
