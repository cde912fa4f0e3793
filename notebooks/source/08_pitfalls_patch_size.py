# %% [markdown]
# # 08 · Pitfalls, measured: the size of a patch
#
# **After this notebook you can** choose a patch size by what it costs and what it gives, and tell where two common sentences hold and where they do not: "large patches miss detail" and "small patches are noisy".
#
# | | |
# |---|---|
# | You need | notebooks 01, 04 and 05; 07 for how experiments are run |
# | Time to read | about 25 minutes, and 10 more for a second visit |
# | Time to run | at the quick budget {{notebook_seconds("08_pitfalls_patch_size"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("08_pitfalls_patch_size", "float32"):about}} on one core of an older one |
# | Package modules | `experiments/`, `pretrained.py`, `patches.py` |
#
# Let us begin with a puzzle. We trained a small model on CIFAR-10, a new one for each patch size, three times through the images. With patches of 4 × 4 pixels it was right for {{runs("patch_size", "P = 4").mean:.1%}} of the test images, and with patches of 8 × 8 only for {{runs("patch_size", "P = 8").mean:.1%}}. That seems to settle it: small patches are better. Then we let both do about the same amount of computing, and the larger patches won, with {{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}} against {{runs("patch_size", "P = 4").mean:.1%}}. So which patch is the better one?
#
# The answer lies in what a patch costs, so that comes first.
#
# The run saved here uses drawn shapes, because we asked for them. On CIFAR-10 your live results will be quite different.

# %%
import copy
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from skimage import data
from torch.nn.functional import interpolate

from vit_minimal import (
    Dataset,
    diagrams,
    evaluate,
    load_dataset,
    load_image,
    needle10,
    patchify,
    plots,
    resize_patches,
    unpatchify,
)
from vit_minimal.augment import normalize
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.experiments import (
    as_table,
    cost,
    mean_and_width,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
    train_run,
)
from vit_minimal.records import read_records
from vit_minimal.training import predict

dataset = load_dataset()
part = dataset.first(2_500, 1_000)  # of the 2,500, 500 are for validation: 2,000 to train on

# %% [markdown]
# ## What a patch size costs
#
# The patch size P is the side of a patch in pixels. Here is one photograph of 32 × 32 pixels, cut at five patch sizes. Each square becomes one token, and that token is all that the model gets of the square.

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)
diagrams.cuts(cat, (2, 4, 8, 16, 32), title="One photograph, five patch sizes")

# %% [markdown]
# Halving the patch side gives four times as many patches. Does it also give four times the work? We count work in FLOPs, floating-point operations: here multiplications and additions. A matrix product of shapes (a, b) and (b, c) takes 2·a·b·c of them. For T tokens of width D, a block has two kinds of products:
#
# - **Every token goes through the matrices.** Queries, keys, values and the projection behind attention are four matrices of D × D, which take 8·T·D² FLOPs. The MLP, whose hidden width is r times as wide, has two of D × r·D, which take 4r·T·D². With four times the tokens, this part takes four times the work.
# - **Every token is compared with every other.** The scores QKᵀ take 2·T²·D FLOPs, and so does the weighted sum of the values. With four times the tokens, this part takes *sixteen* times the work.
#
# $$\underbrace{(8 + 4r)\,T D^2}_{\text{every token through the matrices}} \;+\; \underbrace{4\,T^2 D}_{\text{every token with every other}}$$
#
# So is it four, or sixteen? Make a guess, then let us measure it on the model of notebook 05's recipe `cpu`: D = 96, r = 2, four blocks. Each line of the table halves the patch side. It shows by which factor three things grow: the tokens, the FLOPs, and the memory in which PyTorch keeps numbers for the backward pass.


# %%
def planned(P, budget):
    """All that fixes one training in the experiment "patch_size": its model, its steps, seed 0."""
    return plan("patch_size", budget, seed=0)[f"P = {P}", 1]  # 1: at the usual learning rate


runs = {P: planned(P, "full") for P in (32, 16, 8, 4, 2)}
costs = {P: cost(run) for P, run in runs.items()}

print(f"from P = 32, {costs[32]['tokens']} tokens")
print("          tokens   FLOPs  memory")
for larger, P in pairwise(costs):
    factors = [costs[P][name] / costs[larger][name] for name in ("tokens", "flops", "kept_bytes")]
    print(f"to P = {P:<2}" + "".join(f"{factor:6.1f} ×" for factor in factors))

# %% [markdown]
# It is neither. At the first halving the FLOPs double, and at the last they grow to {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times as many. The picture shows why.


# %% tags=["hide-input"]
def work_of(P):
    """The FLOPs of a forward pass: patches to tokens, matrices, attention. (The head adds 1,920.)"""
    of, T = runs[4]["model"], (32 // P) ** 2 + 1
    D, depth = of["embed_dim"], of["depth"]
    return 2 * 3 * 32**2 * D, depth * (8 + 4 * of["mlp_ratio"]) * T * D**2, depth * 4 * T**2 * D


work = {f"P = {P}": work_of(P) for P in (*runs, 1)}
names_of_parts = ("pixels to tokens", "every token through the matrices")
names_of_parts += ("every token with every other",)
figure, axis = plt.subplots(figsize=(6.6, 3.4), layout="constrained")
left = [0.0] * len(work)
for index, name in enumerate(names_of_parts):
    shares = [100 * of[index] / sum(of) for of in work.values()]
    colour, ink = plots.OKABE_ITO[(3, 0, 1)[index]], ("black", "white", "white")[index]
    bars = axis.barh(list(work), shares, left=left, color=colour, label=name)
    inside = [f"{share:.0f} %" if share > 8 else "" for share in shares]
    axis.bar_label(bars, inside, label_type="center", color=ink, fontsize=10.5)
    left = [start + share for start, share in zip(left, shares, strict=True)]
for row, of in enumerate(work.values()):
    total = sum(of) / 1e6
    axis.text(102, row, f"{total:,.{1 if total < 100 else 0}f} million", va="center", size=10.5)
axis.invert_yaxis()
axis.set(xlim=(0, 123), xticks=range(0, 101, 25), title="What the FLOPs of one image go into")
axis.set_xlabel("share in %; beside the bar, all FLOPs of the forward pass")
axis.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plots.show(
    "a bar for each patch size, divided in three; the share of pixels to tokens is largest at "
    "P = 32, that of attention at P = 1",
    "What the FLOPs of one image go into",
    [f"{row} {sum(of) / 1e6:,.1f} million" for row, of in work.items()],
)

# %% [markdown]
# - **With large patches, a halving takes less than four times the FLOPs.** There is one class token at every size, and turning pixels into tokens costs the same whatever P is: a third of the work at P = 32.
# - **With small patches, it takes more, because attention takes over.** Its share is 14 % at P = 4, 40 % at P = 2, and 73 % at P = 1, where each pixel is a patch.
# {{assert 1.9 < patch_cost(16).flops / patch_cost(32).flops < 2.1}}
# - **Time grew by less than the FLOPs.** On the CPU on record, with 16 images at a time, the first halving took {{patch_cost(16).seconds / patch_cost(32).seconds:.1f}} times as long, and the last {{patch_cost(2).seconds / patch_cost(4).seconds:.1f}} times.
# {{assert all(patch_cost(P).seconds / patch_cost(2 * P).seconds < patch_cost(P).flops / patch_cost(2 * P).flops for P in (2, 4, 8, 16))}}
# - **Memory grows like T, not like T².** PyTorch's fused attention never keeps the T² weights. It computes them again, piece by piece, in the backward pass.
# {{assert patch_cost(1).kept_bytes / patch_cost(2).kept_bytes < 1.02 * patch_cost(1).tokens / patch_cost(2).tokens}}
#
# ## What it gives: two fair comparisons
#
# Four things can be held equal: the *passes* over the training images, the *steps* (updates of the weights by the optimizer), the *FLOPs*, and the *time*. From here on, each comparison says first which of them it holds equal.
#
# ### Equal passes
#
# **Held equal: passes, and with them steps.** FLOPs and time differ. On a CPU, the run below takes the quick budget: a smaller model, with D = 64 and two blocks.
#
# *Live: 2,000 images (drawn shapes in the run saved here), D = 64, 5 passes, 3 seeds.*

# %%
compared = run_experiment("patch_size", dataset=dataset, settings=["P = 4", "P = 8"])
print()
print(as_table(compared))  # the difference is taken seed by seed

# %% [markdown]
# In the run saved here, P = 4 is ahead: the 95 % interval of the difference does not hold zero, although those of the two accuracies overlap. All three are from these three seeds alone. The difference is the surer number because it is taken seed by seed, and what a seed does to both sizes drops out.
#
# ### Equal FLOPs
#
# **Held equal: FLOPs, nearly.** Passes, steps and time differ. A pass with P = 8 costs only a quarter of a pass with P = 4. So P = 8 can make four times the passes, and then it wins. **Guess before you read on:** does P = 16, with twelve times the passes of P = 4, do better still?
#
# *On record: {{records("experiments_cifar10_full")[0].trained_on:,}} images of CIFAR-10, D = 96, 1 to 72 passes, 3 seeds ({{len(runs("patch_size", "P = 4").accuracies):d}} for P = 4).*
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert [recorded("patch_size_longer", name)[0].run.training.epochs for name in experiment("patch_size_longer")] == [3, 1, 12, 36, 72]}}
# {{assert all(len(of.accuracies) == 3 for name in ("patch_size", "patch_size_longer") for setting, of in experiment(name).items() if setting != "P = 4")}}
# {{assert all(abs(patch_cost(4).flops / (passes * patch_cost(P).flops) - 1) < 0.1 for P, passes in ((8, 4), (16, 12), (32, 24)))}}
# {{assert all(r.precision == ("float32" if name == "P = 2" else "bfloat16")
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# First compare the hollow marks with each other: they had the same passes. Then compare the marks near the dotted line: they had about the same FLOPs. P = 4 has one mark for both. Whole multiples of the passes do not meet that line exactly: P = 8 had {{1 - 4 * patch_cost(8).flops / patch_cost(4).flops:.0%}} fewer FLOPs than P = 4, P = 16 had {{1 - 12 * patch_cost(16).flops / patch_cost(4).flops:.0%}} fewer, and P = 32 {{1 - 24 * patch_cost(32).flops / patch_cost(4).flops:.0%}}.

# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting
reached = summarize("patch_size", "full", cifar10, spread)
reached |= summarize("patch_size_longer", "full", cifar10, spread)
EQUAL_FLOPS = {  # patch size: the setting with about the FLOPs of P = 4, and its passes
    2: ("P = 2, a third of the passes", 1),
    4: ("P = 4", 3),
    8: ("P = 8, 4 × the passes", 12),
    16: ("P = 16, 12 × the passes", 36),
    32: ("P = 32, 24 × the passes", 72),
}
_, axis = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
PLACES = {  # of the words beside a hollow mark and beside a filled one
    2: ((0, 11, "center"), (9, -4, "left")),
    4: ((9, -4, "left"), None),
    8: ((-9, 2, "right"), (-9, 4, "right")),
    16: ((9, -12, "left"), (9, -10, "left")),
    32: ((0, -20, "center"), (9, -4, "left")),
}
for P, (name, passes) in EQUAL_FLOPS.items():
    style = plots.curve_style({4: 0, 8: 1, 16: 2, 32: 3, 2: 4}[P])  # as in the figures below
    flops = costs[P]["flops"] / costs[4]["flops"]  # of a pass
    spent, of = (flops, flops * passes / 3), (reached[f"P = {P}"], reached[name])
    means, widths = ([100 * getattr(one, what) for one in of] for what in ("mean", "width"))
    axis.plot(spent, means, color=style["color"], linewidth=1.2, linestyle=style["linestyle"])
    for k in (1, 0):  # the hollow mark of three passes on top
        face = {"markerfacecolor": style["color"] if k else "white", "linestyle": "none"}
        axis.errorbar(spent[k], means[k], widths[k], capsize=3, **style | face)
    words = f"P = {P}" if PLACES[P][1] else f"P = {P}, {passes} passes"
    beside = (words, f"{passes} passes" if passes > 1 else "1 pass")
    for k, place in enumerate(PLACES[P]):
        if place:
            *shift, side = place
            at = {"textcoords": "offset points", "ha": side, "color": style["color"]}
            weight = "normal" if k else "bold"
            axis.annotate(beside[k], (spent[k], means[k]), shift, **at, weight=weight)
axis.axvline(1, color="gray", linestyle=":", linewidth=1, zorder=0)
axis.set(xscale="log", xlim=(0.025, 9), ylim=(45, 76))
shares = [costs[P]["flops"] / costs[4]["flops"] for P in (32, 16, 8, 4, 2)]
axis.set_xticks(shares, [f"1/{1 / of:.1f}" if of < 1 else f"{of:.2g}" for of in shares])
axis.set_xticks([], minor=True)
axis.set(xlabel="FLOPs of the training, times those of P = 4", ylabel="accuracy on CIFAR-10 in %")
axis.set_title("hollow: three passes; filled: about equal FLOPs (P = 2: one pass)", fontsize=11)
axis.grid(alpha=0.3)
plots.show(
    "a line for each patch size, from its three passes to about the FLOPs of P = 4: hollow marks rise "
    "to P = 4 and stay there at P = 2; of the marks at the FLOPs of P = 4, that of P = 8 is highest",
    "Equal passes and equal FLOPs",
    [f"{name} {100 * of.mean:.1f} %" for name, of in reached.items()],
)

# %% [markdown]
# **The two comparisons have two answers. At equal passes P = 4 is ahead of P = 8 by {{loss(runs("patch_size", "P = 8")):±.1p}} points. At equal FLOPs P = 8 is ahead of P = 4 by {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")):±.1p}} points.**
# {{assert below(runs("patch_size", "P = 8"), runs("patch_size", "P = 4"))}}
# {{assert below(runs("patch_size_longer", "P = 4"), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert differs(runs("patch_size_longer", "P = 8, 4 × the passes"))}}
#
# Each bar in the figure is a 95 % interval, and so is each ± of this section. They come from the pooled spread between seeds (notebook 07). No bar is longer than ± {{runs("patch_size", "P = 8").width:.1p}} points. Differences are taken before rounding.
# {{assert max(of.width for name in ("patch_size", "patch_size_longer") for of in experiment(name).values()) == runs("patch_size", "P = 8").width}}
#
# - **At equal passes**, smaller is better from P = 16 to 8 to 4. At both ends the trend stops. P = 32 and P = 16 cannot be told apart. P = 2 (trained in float32, all others in bfloat16) differs from P = 4 by {{gain(runs("patch_size", "P = 2")):±.1p}} points, for {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times the FLOPs.
# {{assert all(r.precision == "bfloat16" for name in experiment("patch_size_longer") for r in recorded("patch_size_longer", name))}}
# {{assert below(runs("patch_size", "P = 16"), runs("patch_size", "P = 8"))}}
# {{assert not differs(distance(runs("patch_size", "P = 16"), runs("patch_size", "P = 32")))}}
# {{assert not differs(runs("patch_size", "P = 2"))}}
# - **At equal FLOPs**, P = 8 is the best of the four sizes that share them. P = 16, even with 36 passes, stays {{loss(runs("patch_size_longer", "P = 16, 12 × the passes")):±.1p}} points below P = 4; a part of that may be the {{1 - 12 * patch_cost(16).flops / patch_cost(4).flops:.0%}} of FLOPs that it lacks. P = 32 is far below. Perhaps that is because its image is one patch, so that attention has next to nothing to do, or because 3,072 numbers become 96. We did not test which. P = 2 is far below too, although its one pass took {{patch_cost(2).flops / (3 * patch_cost(4).flops):.1f}} times the FLOPs. One pass is probably too short.
# {{assert differs(runs("patch_size_longer", "P = 16, 12 × the passes"))}}
# {{assert -runs("patch_size_longer", "P = 32, 24 × the passes").difference > 0.05}}
# {{assert differs(runs("patch_size_longer", "P = 2, a third of the passes"))}}
#
# P = 8 not only saw the images four times as often. It also made four times as many steps. Which of the two made it win? The experiment `patch_size_updates` gives P = 4 as many steps in its three passes, with batches of 32 images in place of 128.
#
# **Held equal in the last three rows: steps, nearly.** Passes, FLOPs and the size of a batch differ.
#
# | | images in a batch | passes | steps | accuracy |
# |---|---|---|---|---|
# | P = 4 | 128 | 3 | {{3 * (45_000 // 128):,}} | {{runs("patch_size", "P = 4"):±.1%}} |
# | P = 4 | 32 | 3 | {{3 * (45_000 // 32):,}} | {{runs("patch_size_updates", "P = 4, batches of 32", rate=1):±.1%}} |
# | P = 4, half the learning rate | 32 | 3 | {{3 * (45_000 // 32):,}} | {{reached("patch_size_updates", "P = 4, batches of 32", 0.5)[0]:.1%}}, one seed |
# | P = 8 | 128 | 12 | {{12 * (45_000 // 128):,}} | {{runs("patch_size_longer", "P = 8, 4 × the passes"):±.1%}} |
#
# With as many steps, P = 4 stays behind P = 8. At half the learning rate, one seed makes up about half of the distance between the first row and the last. But smaller batches do not only give more steps, they also make each step noisier. So the table suggests that a part of what P = 8 gained is due to its *passes*, and does not prove it.
# {{assert 0.4 < (reached("patch_size_updates", "P = 4, batches of 32", 0.5)[0] - runs("patch_size", "P = 4").mean) / runs("patch_size_longer", "P = 8, 4 × the passes").difference < 0.6}}
# {{assert below(runs("patch_size_updates", "P = 4, batches of 32", rate=1), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert len(reached("patch_size_updates", "P = 4, batches of 32")) == 3 and len(reached("patch_size_updates", "P = 4, batches of 32", 0.5)) == 1 and reached("patch_size_updates", "P = 4, batches of 32", 0.5)[0] < runs("patch_size_longer", "P = 8, 4 × the passes").mean - 0.01}}
# {{assert all(r.run.training.batch_size == 128 for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# **What could reverse these answers: more passes.** This is one small budget, with one learning rate for all sizes.
# {{assert len({of.learning_rate for name in ("patch_size", "patch_size_longer") for of in experiment(name).values()}) == 1}}
#
# ## "Large patches miss detail"
#
# Where could detail be lost? The projection E turns the 3·P² numbers of a patch into D numbers. As long as D ≥ 3·P², nothing has to be lost. If D is smaller than 3·P², E must give the same token to some patches that differ. That need not matter much. In a photograph, neighbouring pixels are much alike, so fewer numbers may do.
#
# How much can be kept at best? From training images, the next cell finds the linear projection to D = 64 numbers whose squared error is smallest. (This is principal component analysis.) Then it rebuilds a test image from these numbers, and draws below it what was lost.

# %%
D = 64
pixels = dataset.train_images[:4_000].float() / 127.5 - 1
original = dataset.test_images[:1].float() / 127.5 - 1
rebuilt, lost, titles = [], [], []
for P in (4, 8, 16, 32):
    patches = patchify(pixels, P).flatten(0, 1)  # (n·N, 3·P²)
    mean = patches.mean(dim=0)
    _, directions = torch.linalg.eigh(torch.cov(patches.T))  # those with most variance come last
    kept = directions[:, -D:]  # (3·P², D)
    rebuilt.append(unpatchify((patchify(original, P) - mean) @ kept @ kept.T + mean, P, 32))
    lost.append(3 * (original - rebuilt[-1]))  # zero is grey
    titles.append(f"P = {P}: {3 * P * P:,} → {min(D, 3 * P * P)}")
titles[0] += "\nthe original"
plots.show_images(
    torch.cat(rebuilt + lost),
    titles + [f"P = {P}: what is lost,\n3 times as strong" for P in (4, 8, 16, 32)],
    columns=4,
    size=1.65,
    words="a drawn image, rebuilt from 64 numbers or fewer to a patch, and what that lost: nothing at "
    "P = 4; noise, a little of the edges and of small spots at P = 8; whole shapes at P = 16 and 32",
)

# %% [markdown]
# In the run saved here, nothing is lost at P = 4, so that its picture is the original. At P = 8, noise is lost and some sharpness of the edges, but not only that: parts of the yellow spot at the left and of the green one at the lower right stand out among what is lost. These are small details. At P = 16 every edge blurs, and the yellow spot is almost gone. At P = 32 only the large shape is left. The faint arc at the lower left, which is clearer below, was not in the original. Every image is put together from the same 64 pictures here, and their unwanted parts do not cancel everywhere.
#
# A wider token loses less. With D = 768 = 3·16², ViT-B/16 of the ViT paper need not lose anything.
#
# ### Does a model find small details?
#
# To test this we need images whose class depends on something small: Needle-10 from notebook 06. An image is made of 8 × 8 tiles of 4 × 4 pixels, each with one of ten patterns. One tile is warm, which means that it has more red than blue. It is the **needle**, and its pattern is the class. All other tiles are cool, with more blue than red, and tell nothing.

# %%
images, labels, places = needle10(4_500, seed=0)  # a place counts the tiles row by row: 0 … 63

# %% tags=["hide-input"]
tiles = patchify(images.float(), 4)[torch.arange(len(images)), places]  # each image's needle
means = torch.stack([tiles[labels == k].mean(dim=0) for k in range(10)]).reshape(10, 3, 4, 4)
words = "ten patterns of 4 × 4 pixels, each the mean of all its needles"
plots.show_images(means.byte(), NEEDLE10_CLASSES, columns=5, size=1.1, words=words)

example = 229  # its needle is bright
row, column = divmod(places[example].item(), 8)
left, top = 4 * column, 4 * row  # in pixels
image, frame = images[example], (left, top, 4)
diagrams.cuts(image, (4, 8, 16), frame, "A needle of 4 × 4 pixels, three patch sizes")
shown, frames = [], []
for P in (4, 8, 16):
    x, y = left // P * P, top // P * P  # of the patch that holds the needle
    shown.append(image[:, y : y + P, x : x + P])
    frames.append((left - x, top - y, 4))
titles = [f"the needle,\n“{NEEDLE10_CLASSES[labels[example]]}”"]
titles += [f"the needle\nand {(P // 4) ** 2 - 1} cool tiles" for P in (8, 16)]
words = "the patch that holds the needle, for P = 4, 8 and 16"
plots.show_images(shown, titles, columns=3, size=2.25, frames=frames, words=words)

# %% [markdown]
# Above are the ten patterns. Below them is one image, cut at three sizes, and below each cut the patch that holds the needle. With P = 4 the needle is a whole patch. With P = 8 it lies in one of four places of its patch, and with P = 16 in one of sixteen. How many needles will each size find in 500 new images? (*To find* a needle means here to name its pattern, so a model that guesses finds one in ten.)
#
# **Held equal: passes and steps.**
#
# *Live: 4,000 images with a needle, D = 64, 3 passes, 1 seed.*

# %%
needles = Dataset(
    images[:4_000], labels[:4_000], images[4_000:], labels[4_000:], NEEDLE10_CLASSES, "needle10"
)
for P in (4, 8, 16):
    run = planned(P, "quick")  # with this experiment's images and passes changed:
    run["training"] |= {"epochs": 3, "validation_images": 0}
    model, _ = train_run(run, needles)
    found = evaluate(model, needles.test_images, needles.test_labels)
    print(f"P = {P:2}: {found:4.0%} of the needles found")

# %% [markdown]
# That is a surprise. P = 4 finds every needle, while P = 8 is no better than guessing. Is the needle *lost* at P = 8, or only *harder to find*? We repeated the three trainings with three seeds, and added five controls, grouped by what they change.
#
# **Held equal: passes and steps, except in the group that has eleven times the steps.**
#
# *On record: 4,000 images with a needle, D = 64, 3 passes, 3 seeds, unless the row says otherwise.*

# %% tags=["hide-input"]
parts = {part["part"]: part["rows"] for part in read_records("../data/results/patch_size.json")}
GROUPS = {  # which rows answer a question: P, D, passes, side of the images, images trained on
    "as above": {f"P = {P}": (P, 64, 3, 32, 4_000) for P in (4, 8, 16)},
    "11 times the steps": {
        "P = 8, 33 passes": (8, 64, 33, 32, 4_000),
        "P = 8, 44,000 images": (8, 64, 3, 32, 44_000),
        "P = 16, 44,000 images": (16, 64, 3, 32, 44_000),
    },
    "a wider token": {"P = 8, D = 192": (8, 192, 3, 32, 4_000)},
    "larger print": {"P = 8, images of 64 × 64": (8, 64, 3, 64, 4_000)},
}
FIELDS = ("patch_size", "embed_dim", "passes", "image_size", "trained_on")
measured = {tuple(of[f] for f in FIELDS): of["accuracies"] for of in parts["needles"]}
_, axis = plt.subplots(figsize=(6.6, 5.2), layout="constrained")
rows, ticks, y = {}, {}, 0.0
for heading, group in GROUPS.items():
    ticks[y] = heading
    for name, fields in group.items():
        y += 1
        ticks[y], rows[name] = name, [100 * accuracy for accuracy in measured[fields]]
        colour = plots.OKABE_ITO[(4, 8, 16).index(fields[0])]
        axis.plot(rows[name], [y] * 3, "o", ms=8, color=colour, alpha=0.6)
    y += 1.4
axis.axvline(10, color="gray", linestyle=":", zorder=0)
axis.text(12, 0.15, "guessing", color="#555555", va="center")
axis.set_yticks(list(ticks), list(ticks.values()), size=11)
for label in axis.get_yticklabels():
    if label.get_text() in GROUPS:
        label.set_fontweight("bold")
title = "Lost, or harder to find?"
axis.set(xlim=(0, 104), ylim=(y - 0.6, -0.6), title=title)
axis.set_xlabel("needles found (%), a dot for each of three seeds")
axis.tick_params(axis="y", length=0)
axis.grid(axis="x", alpha=0.3)
axis.spines[["top", "right", "left"]].set_visible(False)
said = [f"{name} {', '.join(f'{share:.0f}' for share in of)} %" for name, of in rows.items()]
plots.show("needles found, a dot for each of three seeds", title, said)

# %% [markdown]
# **At P = 8 the needles were not lost, but harder to find.** The controls say so:
#
# - **More steps help P = 8 a lot.** We gave it eleven times the steps, once by more passes and once by more images. Both times two seeds of three found three quarters of the needles or more. So the needles can be found although 64 numbers cannot hold all 192 of a patch. For P = 16 the question stays open: with 44,000 images it stayed near guessing, and we tried nothing longer.
# - **Room for every number helps, but not enough in three passes.** With D = 192 = 3·8² nothing has to be lost. All three seeds gained: they found {{min(needles(embed_dim=192)):.0p}} to {{max(needles(embed_dim=192)):.0p}} % of the needles, in place of {{min(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)):.0p}} to {{max(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)):.0p}} %. But that is less than a fifth.
# {{assert max(needles(embed_dim=192)) < 0.2}}
# - **Larger print is easy.** We draw each pixel as 2 × 2 equal ones, which makes images of 64 × 64. A patch of 8 × 8 then holds one tile, as a patch of 4 × 4 did before. Every seed finds all needles. So nothing is wrong with patches of 8 × 8 pixels as such.
# {{assert all(accuracy == 1 for accuracy in needles(image_size=64))}}
# {{assert below(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), needles(embed_dim=192))}}
# {{assert sorted(needles(passes=33))[1] > 0.98 and sorted(needles(passes=33))[0] < 0.6}}
# {{assert sorted(needles(patch_size=8, trained_on=44_000))[1] > 0.75 and sorted(needles(patch_size=8, trained_on=44_000))[0] < 0.4}}
# {{assert max(needles(patch_size=16, trained_on=44_000)) < 0.2}}
#
# Why harder? Probably because of what one linear projection has to tell apart. With P = 4 these are ten patterns of one tile. With P = 8 it needs directions for 4 places × 10 patterns, and the token also mixes the needle with three other tiles.
#
# **What could reverse this: needles that lie elsewhere.** A needle always fits the grid of P = 4, which is favoured by that as well as by its size.
#
# ## "Small patches are noisy"
#
# A patch of 4 × 4 has fewer pixels to average over than one of 16 × 16. If that is what "noisy" means, we can test it by adding the same noise to the test images of all models.


# %%
def with_noise(images, deviation):
    """Images uint8 plus normal noise of this standard deviation (of values 0 … 255)."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + deviation * noise).round().clamp(0, 255).to(torch.uint8)


NOISE = (0, 8, 16, 32, 64)
plots.show_images(
    torch.cat([with_noise(part.test_images[:1], deviation) for deviation in NOISE]),
    [f"noise {deviation}" for deviation in NOISE],
    columns=len(NOISE),
    words="one drawn image with more and more noise; small things disappear in it first",
)

# %% [markdown]
# What does a noise of 64 do to a model of each size that was trained on clean images?
#
# **Held equal: passes and steps, here and in the rest of this section.**
#
# *Live: 2,000 images (drawn shapes in the run saved here), D = 64, 5 passes, 1 seed.*

# %%
noisy = with_noise(part.test_images, 64)
models = {}  # by patch size
for P in (4, 8, 16):
    models[P], _ = train_run(planned(P, "quick"), part)
    clean, with_64 = (evaluate(models[P], x, part.test_labels) for x in (part.test_images, noisy))
    print(f"P = {P:2}: {clean:.1%} right without noise, {with_64:.1%} with it")

# %% [markdown]
# In the run saved here, noise costs P = 4 far more than the other two. Is that so on CIFAR-10 too? And is it still so if the models have met noise in training?
#
# *On record: {{records("experiments_cifar10_full")[0].trained_on:,}} images of CIFAR-10, D = 96, 3 passes, 3 seeds.*
#
# On the left are accuracies, with a dot for each seed. On the right are differences to P = 8, which answer our question. Each ± of this section, and each bar, is the 95 % interval of such a difference. Here it comes from three differences, one for each seed. The pooled spread would be too small, because noise makes runs differ more: at a noise of 32, the three seeds of P = 4 lie {{max(under_noise(4, 32)) - min(under_noise(4, 32)):.1p}} points apart. But three differences tell less than a pooled spread, so these intervals are wider than those above. The lead of P = 4 without noise, for example, is {{seed_by_seed(under_noise(4, 0), under_noise(8, 0)):±.1p}} points here and was {{loss(runs("patch_size", "P = 8")):±.1p}} there.
# {{assert under_noise(8, 0) == runs("patch_size", "P = 8").accuracies}}
# {{assert max(under_noise(4, 32)) - min(under_noise(4, 32)) > 6 * spread().deviation}}

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 2, figsize=(6.6, 6), sharex=True, sharey="col", layout="constrained")
trainings = {"noise": "trained without noise", "noise_learned": "trained with a noise of 32"}
said = []
for (left, right), (name, title) in zip(axes, trainings.items(), strict=True):
    seeds = {P: [] for P in (4, 8, 16)}  # of each, a list of accuracies: one for each noise
    for of in parts[name]:
        seeds[of["patch_size"]].append([100 * of["accuracies"][str(d)] for d in NOISE])
    for index, (P, found) in enumerate(seeds.items()):
        style, found = plots.curve_style(index), torch.tensor(found)  # (seeds, noises)
        line = {"color": style["color"], "linestyle": style["linestyle"]}
        left.plot(NOISE, found.mean(dim=0), **line)
        left.plot(NOISE, found.T, style["marker"], color=style["color"], alpha=0.5, ms=4)
        if P == 8:
            right.axhline(0, **line)
            continue
        differences = (found - torch.tensor(seeds[8])).T.tolist()
        means, widths = zip(*map(mean_and_width, differences), strict=True)
        places = [noise + {4: -0.6, 16: 0.6}[P] for noise in NOISE]  # one bar beside the other
        right.errorbar(places, means, widths, capsize=3, markersize=5, **style)
        ends = f"{means[0]:+.1f} without noise, {means[-1]:+.1f} at 64"
        said.append(f"{title}: P = {P} against P = 8 {ends}")
    left.set(title=title, ylabel="accuracy in %", ylim=(0, 75))
    right.set(title=title, ylabel="points ahead of P = 8", xticks=NOISE)
for axis in axes.flat:
    axis.grid(alpha=0.3)
figure.supxlabel("standard deviation of the noise (values go from 0 to 255)", fontsize=10.5)
key_of = [
    plt.Line2D([], [], **plots.curve_style(index), label=f"P = {P}")
    for index, P in enumerate((4, 8, 16))
]
figure.legend(handles=key_of, loc="outside upper center", ncols=3, frameon=False)
plots.show(
    "on the left accuracy over noise for P = 4, 8 and 16, on the right their differences to P = 8; "
    "without noise in training P = 4 starts highest and ends far below the others, with it P = 4 "
    "leads up to a noise of 32",
    "CIFAR-10, noise at test time",
    said,
)

# %% [markdown]
# **P = 4 suffers most from noise that is stronger than what it was trained with. If it was trained with a noise of 32, it is ahead at all strengths up to 32.**
#
# - **Trained on clean images** (above), P = 4 stays ahead up to a noise of 16. At 32 it has fallen from {{mean(under_noise(4, 0)):.0p}} to {{mean(under_noise(4, 32)):.0%}}, while P = 8 still has {{mean(under_noise(8, 32)):.0p}} of its {{mean(under_noise(8, 0)):.0%}}, and P = 16 has lost less than a point of its {{mean(under_noise(16, 0)):.0%}}. The best model on clean images has become the worst.
# {{assert mean(under_noise(16, 0)) - mean(under_noise(16, 32)) < 0.01}}
# {{assert all(below(under_noise(P, noise), under_noise(4, noise))
# for P in (8, 16) for noise in (0, 8, 16))}}
# {{assert all(below(under_noise(4, noise), under_noise(P, noise))
# for P in (8, 16) for noise in (32, 64))}}
# - **Trained with a noise of 32** (below), P = 4 leads at this noise and at the weaker ones that we tried, ahead of P = 8 by {{seed_by_seed(under_noise(4, 32, learned=True), under_noise(8, 32, learned=True)):±.1p}} points at 32 and by {{seed_by_seed(under_noise(4, 0, learned=True), under_noise(8, 0, learned=True)):±.1p}} on clean images. So patches of 4 × 4 can be read through noise, once a model has learned to.
# {{assert all(below(under_noise(P, 32, learned=True), under_noise(4, 32, learned=True))
# for P in (8, 16))}}
# {{assert all(seed_by_seed(under_noise(4, noise, learned=True), under_noise(P, noise, learned=True)).mean
# > seed_by_seed(under_noise(4, noise, learned=True), under_noise(P, noise, learned=True)).width
# for P in (8, 16) for noise in (0, 8, 16, 32))}}
# - **At a noise of 64** (below), that lead is gone. P = 4 drops to {{mean(under_noise(4, 64, learned=True)):.0%}}, and P = 8 is {{seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)):±.1p}} points ahead.
# {{assert 1 < seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)).mean / seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)).width < 1.5}}
#
# **What could reverse this: equal FLOPs.** There the order may differ, as it did on clean images. And we saw what happens, not why: the models also differ in accuracy without noise.
#
# ## What to do in your own model
#
# Say first what is limited, and compare sizes at that. Suppose that it is ten minutes on two cores of our CPU. P = 8 was ahead at equal FLOPs, so is it the one to take? **Guess** before you look at the last column.
#
# **Held equal: time, nearly.** The times are rough estimates, from forward and backward passes of 16 images.
#
# | training | passes | about | right on CIFAR-10 |
# |---|---|---|---|
# | P = 4 | 10 | {{10 * 45_000 / 16 * patch_cost(4).seconds:about}} | {{runs("patch_size_at_equal_time", "P = 4, 10 passes").mean:.1%}} |
# | P = 8 | 30 | {{30 * 45_000 / 16 * patch_cost(8).seconds:about}} | {{runs("patch_size_at_equal_time", "P = 8, 30 passes").mean:.1%}} |
# {{assert 0.8 < 10 * patch_cost(4).seconds / (30 * patch_cost(8).seconds) < 1.25}}
# {{assert all(plan("patch_size_at_equal_time", "full", 0)[name, 1]["training"] | {"epochs": 3} == plan("patch_size", "full", 0)["P = 4", 1]["training"] for name in ("P = 4, 10 passes", "P = 8, 30 passes"))}}
#
# **With ten minutes, P = 4 is ahead by {{runs("patch_size_at_equal_time", "P = 4, 10 passes").mean - runs("patch_size_at_equal_time", "P = 8, 30 passes").mean:.1p}} points.** (That is two seeds each. By the pooled spread such a difference is known to ± {{distance(runs("patch_size_at_equal_time", "P = 4, 10 passes"), runs("patch_size_at_equal_time", "P = 8, 30 passes")).width:.1p}}, so its direction is sure, for this model.) With the FLOPs of three passes, P = 8 was ahead by {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")).mean:.1p}}. So what looked like an advantage of larger patches was one of short training: P = 8 learned sooner, and P = 4 went further.
# {{assert differs(distance(runs("patch_size_at_equal_time", "P = 4, 10 passes"), runs("patch_size_at_equal_time", "P = 8, 30 passes"))) and runs("patch_size_at_equal_time", "P = 4, 10 passes").mean > runs("patch_size_at_equal_time", "P = 8, 30 passes").mean}}
#
# **The rule:** decide what is limited. Let two neighbouring patch sizes use all of it. Take the one that is better on your validation images.
#
# Two more pieces of advice:
#
# - **If small details matter, try smaller patches, or more steps,** before you call the details lost.
# - **If you know how strong the noise will be at most, try training with it.** At a noise of 32, P = 4 gained a lot from that, while P = 8 and P = 16 hardly changed. But we tried one strength, at equal passes. And on clean images, this training cost P = 4 ten points and P = 8 two.{{assert mean(under_noise(4, 32, learned=True)) - mean(under_noise(4, 32)) > 0.15 and all(abs(mean(under_noise(P, 32, learned=True)) - mean(under_noise(P, 32))) < 0.01 for P in (8, 16))}}
# {{assert all(round(100 * (mean(under_noise(P, 0)) - mean(under_noise(P, 0, learned=True)))) == points
# for P, points in ((4, 10), (8, 2)))}}
#
# ## Recap
#
# - Halving the patch side gives four times the patches. Where tokens are few, the FLOPs grow by less than that, because the class token and the way from pixels to tokens cost the same for every P. Where tokens are many, they grow by more, because attention's part grows with T².
# - A projection with D ≥ 3·P² **can keep everything**. With D = 64 and P = 8 ours cannot keep everything, but in three passes this was not the main reason why the needles were hard to find.
#
# And the sentences that are said of patches, for our small models:
#
# | it is said | true here | not true here |
# |---|---|---|
# | "smaller is better" | after the same passes, from P = 16 to 8 to 4 | at the FLOPs of a short training, where P = 8 is ahead of P = 4 (with ten minutes each, P = 4 is); and P = 2 after the same passes, where no difference to P = 4 is seen |
# | "large patches miss detail" | P = 8 needed far more steps to find the needles | with P = 8 they were not lost: with more steps, most seeds found most of them (P = 16 stays open) |
# | "small patches are noisy" | P = 4 loses most points when noise comes that it was not trained with | P = 4 is ahead up to the noise that it was trained with |
#
# ## Questions
#
# <details><summary>Your images are 224 × 224, P = 16, and the model is a ViT-B, with D = 768 and r = 4. You halve P. How many times the FLOPs does a block take? And in a model as narrow as ours, with D = 96 and r = 2?</summary>
#
# About 4.5 times in ViT-B, and 8.0 times in the narrow one. N grows from 196 to 784, so the matrices cost four times as much, and comparing tokens sixteen times. In ViT-B the comparing is 4 % of a block before and 15 % after. In the narrow block it is 34 % before and 67 % after. The narrower the tokens, the sooner attention takes over.
# </details>
#
# <details><summary>Somebody finds P = 8 better than P = 4, "at the same training time". Somebody else finds the opposite, "after the same passes". Who is right?</summary>
#
# Both may be. The FLOPs of one pass with P = 4 are enough for about four with P = 8, and its time, on our CPU, for {{patch_cost(4).seconds / patch_cost(8).seconds:.1f}}. After the same passes P = 4 was ahead here. At the same FLOPs P = 8 was. At the same *time*, ten minutes each on our CPU, P = 4 was ahead again. But time depends on the machine, and the answer on how much of it there is: after three minutes the first may well be right.
# {{assert round(patch_cost(4).flops / patch_cost(8).flops) == 4}}
# </details>
#
# **Try it yourself:** [exercises 08](exercises/08_pitfalls_patch_size.ipynb), with checks that say what is wrong.
#
# **Next:** [09 · the class token mishandled, and its rivals](09_pitfalls_class_token.ipynb).
#
# ---
#
# ## For a second visit: other patches for a trained model
#
# **Skip this on a first reading.** A model was trained with patches of 4 × 4 on images of 32 × 32. Now it is to read images of 64 × 64, at the cost it had. Patches of 8 × 8 would give it as many tokens as before, and each would hold the same part of the picture. So its kernels, which have 4 × 4 weights for each colour channel, must become kernels of 8 × 8. How?
#
# ### Two pixels become four
#
# Let us make everything small: a patch of two pixels, a kernel of two weights, and one number that the model computes from them, their dot product. Then the patch is enlarged to four pixels. Which kernel of four weights gives the same number? The obvious way is to resize the kernel like an image. But then there are twice as many products to add up, so we also try half of that kernel.
#
# [FlexiViT](https://arxiv.org/abs/2212.08013) asks for the right kernel directly. Enlarging a patch x is a matrix B of shape (4, 2): x becomes Bx. We want a kernel w′ with w′·Bx = w·x for every x, which means Bᵀw′ = w. These are two equations for four weights, so infinitely many kernels solve them. The pseudo-inverse of Bᵀ gives the shortest of those.


# %% tags=["nbval-check-output"]
def enlarged(pixels):
    """Two numbers → four, between the old ones on straight lines."""
    return interpolate(pixels[None, None], size=4, mode="linear")[0, 0]


patch, kernel = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 1.0])  # x and w
B = torch.stack([enlarged(unit) for unit in torch.eye(2)], dim=1)  # (4, 2)
print(f"x = {patch.tolist()} becomes Bx = {(B @ patch).tolist()}; before, w·x = {kernel @ patch:g}")
kernels = {
    "resized like an image": enlarged(kernel),
    "the same, divided by 2": enlarged(kernel) / 2,
    "pseudo-inverse": torch.linalg.pinv(B.T) @ kernel,
}
for name, larger in kernels.items():
    weights = ", ".join(f"{weight:.3f}" for weight in larger)
    print(f"{name:23} w′ = ({weights})   w′·Bx = {larger @ B @ patch:6.3f}")

# %% tags=["hide-input"]
pairs = [(patch, kernel), *((B @ patch, larger) for larger in kernels.values())]
titles = ("before", "resized like\nan image", "the same,\ndivided by 2", "pseudo-\ninverse")
_, axes = plt.subplots(2, 4, figsize=(6.6, 3.4), sharey="row", layout="constrained")
said = []
for column, title, pair in zip(axes.T, titles, pairs, strict=True):
    for axis, values, colour in zip(column, pair, plots.OKABE_ITO[:2], strict=True):
        width = 4 / len(values)  # two wide pixels, or four narrow ones
        centres = [(k + 0.5) * width for k in range(len(values))]
        bars = axis.bar(centres, values, width, color=colour, edgecolor="white")
        axis.bar_label(
            bars, [f"{value:.2f}".rstrip("0").rstrip(".") for value in values], fontsize=8.5
        )
        axis.set(xticks=[], yticks=[], ylim=(0, 3.6 if axis is column[0] else 2.5))
        axis.spines[["top", "right", "left"]].set_visible(False)
    column[0].set_title(title, fontsize=10.5)
    product = f"{pair[0] @ pair[1]:g}"
    column[1].set_xlabel(f"dot product\n{product}", fontsize=10.5, fontweight="bold")
    said.append(f"{' '.join(title.split())} {product}")
axes[0, 0].set_ylabel("pixels")
axes[1, 0].set_ylabel("kernel")
words = "a patch as bars, below it its kernel, and below both their dot product: four times"
plots.show(words, "Two pixels become four", said)

# %% [markdown]
# Of these three only the pseudo-inverse gives 5 again, and it does so for every patch that is enlarged. When a patch is made *smaller*, most kernels cannot be matched, because two patches that differ may become the same.
#
# ### A whole model
#
# `resize_patches` does this with all kernels of a model. Here is one of the models of the noise test, P = 4 on drawn shapes, given patches of 8 × 8 for images of 64 × 64 in the three ways. For each way you see its accuracy on 1,000 test images. Then comes the difference to the model as trained, in points. Its 95 % interval is from the images: both models judge the same ones, so we can compare image by image. The last column tells how far the new patch tokens are from the old ones, relative to their size.


# %%
def judged(model, pictures):
    """Which images are right, 0 or 1 for each, and all patch tokens."""
    with torch.no_grad():
        right = predict(model, pictures).argmax(dim=1) == part.test_labels
        return right.float(), model.patch_embed(normalize(pictures))


model = models[4].eval()
larger = interpolate(part.test_images.float(), size=64, mode="bilinear", antialias=True)
larger = larger.round().to(torch.uint8)  # images of 64 × 64

exact = resize_patches(model, patch_size=8, image_size=64)  # its kernels by the pseudo-inverse
naive, divided = copy.deepcopy(exact), copy.deepcopy(exact)  # these get other kernels:
resized = interpolate(model.patch_embed.proj.weight.data, size=8, mode="bilinear")
naive.patch_embed.proj.weight.data = resized
divided.patch_embed.proj.weight.data = resized / 4  # four times the pixels

# %%
before, old = judged(model, part.test_images)
print(f"{'as trained: P = 4, 32 × 32':30}{before.mean():6.1%}")
kinds = {"resized like images": naive, "the same, divided by 4": divided, "pseudo-inverse": exact}
for name, other in kinds.items():
    right, tokens = judged(other, larger)
    change = 100 * (right - before)  # of each image: −100, 0 or 100
    width = 1.96 * change.std() / len(change) ** 0.5
    points = f"{change.mean():+5.1f} ± {width:.1f} points"
    off = (tokens - old).norm() / old.norm()
    print(f"{name:30}{right.mean():6.1%}, {points}, tokens off by {off:.0%}")

# %% [markdown]
# In the run saved here, kernels resized like images make tokens that are off by nearly three times their own size. Yet the model loses only a few points, probably because the norm in the first block takes out much of a common factor. With the other two, tokens are off by 12 and 8 %. What is left comes from enlarging whole images, which mixes pixels across the borders of patches. In accuracy, neither can be told from the model as trained: both intervals hold zero.
#
# ### When only one of the sizes changes
#
# The model of CIFAR-10 that the package ships loses little too: it is right for {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy:.1%}} of 10,000 images as trained, and for {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy:.1%}} with P = 8 at 64 × 64, where a token covers what it covered before. (By the images alone, each share is known to ± {{1.96 * (0.893 * 0.107 / 10_000) ** 0.5:.1p}} points; we did not compare the two image by image.) If image and patch do not grow together, each token covers another window, at other distances than the blocks have learned:
# {{assert only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy - only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy < 0.005}}
#
# | | a token covers | grid | accuracy |
# |---|---|---|---|
# | P = 8 at 32 × 32 | 8 × 8 original pixels | 4 × 4 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=32).accuracy:.1%}} |
# | P = 4 at 64 × 64 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=64).accuracy:.1%}} |
# | P = 2 at 32 × 32 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=2, image_size=32).accuracy:.1%}} |
#
# The last two have the same windows and the same grid. Probably P = 2 is worse because its kernels had to be made smaller, where most cannot be matched. The positions were resized too, like an image; exercise 8.4 does that.

# %% [markdown] tags=["exercise-only"]
# # Exercises 08 · Pitfalls: the size of a patch
#
# They go with notebook [08](../08_pitfalls_patch_size.ipynb). If you start here: an image of H × W pixels makes (H/P)·(W/P) patches of P × P pixels. A block does linear maps on each of the T tokens, and compares each token with each. A model's positions belong to one grid of patches.

# %% tags=["exercise-only"]
import torch
from torch.nn import functional as F

from checks import check

# %% [markdown] tags=["exercise:tokens_of"]
# How many tokens does an image make? Give a whole number, since it will be the side of a tensor. `num_prefix` is the number of tokens in front of the patches: class token and registers.
#
# Hint: How many patches fit along each side?
#
# Hint: Multiply, then add what stands in front.


# %% tags=["exercise-only", "exercise:tokens_of"]
def tokens_of(height, width, patch_size, num_prefix):
    """The number of tokens T of an image of height × width pixels."""
    # solution
    # | return ...  # your code
    return (height // patch_size) * (width // patch_size) + num_prefix
    # end of solution


# %% [markdown] tags=["exercise:block_flops"]
# How many floating-point operations does one block take for one image? Count matrix products only: (a, b) times (b, c) takes 2·a·b·c. There are queries, keys and values (D → 3·D), QKᵀ, the weights times V, `proj` (D → D), and the two maps of the MLP (D → r·D → D, with r = `mlp_ratio`).
#
# Hint: Per token: 3·D·D for q, k and v, D·D for proj, 2·r·D·D for the MLP. All of it for T tokens, and twice.
#
# Hint: QKᵀ is (T, d) times (d, T) in each of h heads: with h·d = D that is 2·T·T·D in all. The weights times V cost the same.


# %% tags=["exercise-only", "exercise:block_flops"]
def block_flops(T, D, mlp_ratio):
    """The FLOPs of one block on T tokens of width D."""
    # solution
    # | return ...  # your code
    linear = 2 * T * (4 * D * D + 2 * mlp_ratio * D * D)
    attention = 2 * (2 * T * T * D)
    return linear + attention
    # end of solution


# PyTorch counts too: torch.utils.flop_counter.FlopCounterMode, as in notebook 04

# %% [markdown] tags=["exercise:passes_in_the_same_time"]
# *Predict.* Suppose that one pass over the images with P = 4 takes 4 times the FLOPs of one with P = 8, and 2.8 times the seconds. You have trained with P = 4 for 3 passes. How many passes with P = 8 take the same **time**?
#
# Hint: What is held fixed: passes, FLOPs or time?
#
# Hint: Each pass with P = 4 gives room for 2.8 with P = 8.
#
# Solution: 3 · 2.8 = 8.4. By FLOPs it would be 12, at equal passes 3. Whoever compares patch sizes has to say which of the three.

# %% tags=["exercise-only", "exercise:passes_in_the_same_time"]
# solution
# | passes_in_the_same_time = ...
passes_in_the_same_time = 3 * 2.8
# end of solution

# %% [markdown] tags=["exercise:resized_positions"]
# A model was trained with positions for a grid of `old_grid` (rows, columns) patches; now there are `new_grid`. `positions` is (1, 1 + N, D), the class token's row first. Resize the positions of the patches like an image with D channels, by `F.interpolate(picture, size=new_grid, mode="bicubic", antialias=True)`, and leave the class token's row as it is.
#
# Hint: The class token has no place in the image: take its row off first, and put it back at the end.
#
# Hint: (1, N, D) → (1, D, N) → (1, D, rows, columns) by `transpose` and `unflatten`; then back again.


# %% tags=["exercise-only", "exercise:resized_positions"]
def resized_positions(positions, old_grid, new_grid):
    """(1, 1 + N, D) → (1, 1 + N′, D): positions for another grid of patches."""
    # solution
    # | return ...  # your code
    first, patches = positions[:, :1], positions[:, 1:]
    picture = patches.transpose(1, 2).unflatten(2, old_grid)
    picture = F.interpolate(picture, size=new_grid, mode="bicubic", antialias=True)
    return torch.cat([first, picture.flatten(2).transpose(1, 2)], dim=1)
    # end of solution


# %% [markdown] tags=["exercise:tokens_to_grid"]
# *Find the bug.* To draw patch tokens (B, N, D), or to give them to a convolution, somebody makes a picture with D channels of them: (B, D, rows, columns). The shape is right. Below are six tokens of two numbers; the first number of token n is n, the second is n + 100. Look at what is printed, and repair the function.
#
# Hint: Channel 0 should hold the first numbers of all tokens: 0 … 5.
#
# Hint: In memory the D numbers of a token lie next to each other. They have to move: which axes change places before the grid is folded up?
#
# Solution: `transpose`, then fold. It is the mistake of notebook 01 the other way round.


# %% tags=["exercise-only", "exercise:tokens_to_grid"]
def tokens_to_grid(tokens, rows, columns):
    """Patch tokens (B, N, D) → a picture of D channels (B, D, rows, columns)."""
    # solution
    # | B, N, D = tokens.shape
    # | return tokens.reshape(B, D, rows, columns)
    return tokens.transpose(1, 2).unflatten(2, (rows, columns))
    # end of solution


numbered = torch.arange(6)[None, :, None] + torch.tensor([0, 100])
print(tokens_to_grid(numbered, 2, 3)[0, 0])
