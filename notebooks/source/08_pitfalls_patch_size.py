# %% [markdown]
# # 08 · Pitfalls, measured: the size of a patch
#
# **After this notebook you can** choose a patch size by what it costs and what it gives, and say how far two common sentences are true: "large patches miss detail" and "small patches are noisy".
#
# | | |
# |---|---|
# | You need | notebooks 01, 04 and 05; 07 for how experiments are run |
# | Time to read | about 25 minutes, and 10 more for a second visit |
# | Time to run | at the quick budget {{notebook_seconds("08_pitfalls_patch_size"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("08_pitfalls_patch_size", "float32"):about}} on one core of an older one; on a T4 not measured yet |
# | Package modules | `experiments/`, `pretrained.py`, `patches.py` |
#
# Let us begin with a puzzle. We trained one small model on CIFAR-10, three times through the images. With patches of 4 × 4 pixels it was right for {{runs("patch_size", "P = 4").mean:.1%}} of the test images, with patches of 8 × 8 only for {{runs("patch_size", "P = 8").mean:.1%}}. That seems to settle it: small patches are better. Then we let both do about the same amount of computing, and the larger patches won, with {{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1p}} against {{runs("patch_size", "P = 4").mean:.1%}}. So which patch is the better one?
#
# The answer lies in what a patch costs, so that comes first. Then we test a common saying: "patches too small are noisy, patches too large miss detail".
#
# Like notebook 05, the run saved here uses drawn shapes, because we asked for them. Your numbers will differ a little from those in the text.

# %%
import contextlib
import io
import time
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
    pick_budget,
    plots,
    resize_patches,
    unpatchify,
)
from vit_minimal.augment import normalize
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.experiments import (
    as_table,
    cost,
    make_model,
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
part = dataset.first(2_500, 1_000)  # what the experiments use at the quick budget

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
# - **Every token goes through the matrices.** Queries, keys, values and the projection behind attention are four matrices of D × D, which makes 4 · 2·T·D² = 8·T·D² FLOPs. The MLP, whose hidden width is r times as wide, has two matrices of D × r·D, which makes 4r·T·D². With four times the tokens, this part takes four times the work.
# - **Every token is compared with every other.** The scores QKᵀ take 2·T²·D FLOPs, and so does the weighted sum of the values. With four times the tokens, this part takes *sixteen* times the work.
#
# $$\underbrace{(8 + 4r)\,T D^2}_{\text{every token through the matrices}} \;+\; \underbrace{4\,T^2 D}_{\text{every token with every other}}$$
#
# So is it four, or sixteen? Make a guess, then let us measure it on the model of notebook 05's recipe `cpu`: D = 96, r = 2, four blocks. The table shows the FLOPs of the forward pass of **one** image, the memory that PyTorch keeps of it for the backward pass, and the time of both passes of **16** images. The time is the shortest of twenty, because other work on your machine can only make it longer.


# %%
def planned(P, budget):
    """One run of the experiment: patches of P × P, the first seed, the base's learning rate."""
    return plan("patch_size", budget, seed=0)[f"P = {P}", 1]  # 1 × that rate


runs = {P: planned(P, "full") for P in (32, 16, 8, 4, 2)}
costs = {P: cost(run, batch_size=16, steps=1) for P, run in runs.items()}


def both_passes(model, images):
    """The seconds of a forward and a backward pass."""
    start = time.perf_counter()
    model(images).sum().backward()
    return time.perf_counter() - start


timed, batch = {P: make_model(run) for P, run in runs.items()}, torch.randn(16, 3, 32, 32)
turns = [{P: both_passes(model, batch) for P, model in timed.items()} for _ in range(20)]
seconds = {P: min(turn[P] for turn in turns) for P in timed}

# %%
print(" P  tokens  million FLOPs  KB kept           time")
for P, of in costs.items():
    flops, kept, relative = of["flops"] / 1e6, of["kept_bytes"] / 1e3, seconds[P] / seconds[4]
    print(f"{P:2}{of['tokens']:8,}{flops:15.1f}{kept:9,.0f}{relative:10.2f} × P = 4")


# %% tags=["hide-input"]
def parts(of, run):
    """The million FLOPs of a forward pass: patches to tokens, matrices, attention."""
    T, D, depth = of["tokens"], run["model"]["embed_dim"], run["model"]["depth"]
    matrices = depth * (8 + 4 * run["model"]["mlp_ratio"]) * T * D**2 / 1e6
    attention = depth * 4 * T**2 * D / 1e6
    return of["flops"] / 1e6 - matrices - attention, matrices, attention


names_of_parts = "pixels to tokens, and the head", "every token through the matrices"
names_of_parts += ("every token with every other",)
figure, axis = plt.subplots(figsize=(6.6, 2.7), layout="constrained")
rows, left = [f"P = {P}" for P in costs], [0.0] * len(costs)
for index, name in enumerate(names_of_parts):
    widths = [parts(of, runs[P])[index] for P, of in costs.items()]
    axis.barh(rows, widths, left=left, color=plots.OKABE_ITO[(3, 0, 1)[index]], label=name)
    left = [start + width for start, width in zip(left, widths, strict=True)]
axis.invert_yaxis()
axis.set(xlabel="million FLOPs of one image, forward", title="Four times, or sixteen?")
axis.legend()
plots.show("bars that grow with the number of patches; attention's part grows fastest", "FLOPs")

# %% [markdown]
# - **FLOPs double at the first step, from P = 32 to 16, and grow {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times at the last, from 4 to 2.** With few tokens the growth is below four times: there is one class token at every size, and the projection of the patches costs the same whatever P is. With many tokens it is above four, because attention takes over. With r = 2, its share of a block is T / (T + 4·D): 14 % at 65 tokens, 40 % at 257, and 73 % at {{patch_cost(1).tokens:,}}, where each pixel is a patch.
# {{assert 1.9 < patch_cost(16).flops / patch_cost(32).flops < 2.1}}
# - **Time depends on the machine.** Where it grows much less than the FLOPs, most of it probably goes into starting PyTorch's operations, of which every P has equally many. There the order may even turn round.
# - **Memory grows like T, not like T².** The T² attention weights are never kept: PyTorch's fused attention works through them piece by piece, and computes them again in the backward pass.
# {{assert patch_cost(1).kept_bytes / patch_cost(2).kept_bytes < 1.02 * patch_cost(1).tokens / patch_cost(2).tokens}}
#
# ## What it gives: two fair comparisons
#
# Here are all trainings of this notebook. Those called "live" run while you read. The live ones on shapes take 2,500 images and set 500 of them aside for validation.
#
# | question | images trained on | D | passes | seeds |
# |---|---|---|---|---|
# | equal passes, live | 2,000 drawn shapes | 64 | 5 | 3 |
# | equal passes, equal FLOPs, on record | {{records("experiments_cifar10_full")[0].trained_on:,}} of CIFAR-10 | 96 | 3, and 1 to 72 | 3 (P = 4: {{len(runs("patch_size", "P = 4").accuracies):d}}) |
# | small details, live | 4,000 with a needle | 64 | 3 | 1 |
# | small details and controls, on record | 4,000 or 44,000 | 64 or 192 | 3 or 33 | 3 |
# | noise, live | 2,000 drawn shapes | 64 | 5 | 1 |
# | noise and a control, on record | {{records("experiments_cifar10_full")[0].trained_on:,}} of CIFAR-10 | 96 | 3 | 3 |
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert [recorded("patch_size_longer", name)[0].run.training.epochs for name in experiment("patch_size_longer")] == [3, 1, 12, 36, 72]}}
# {{assert all(len(of.accuracies) == 3 for name in ("patch_size", "patch_size_longer") for setting, of in experiment(name).items() if setting != "P = 4")}}
#
# ### Equal passes
#
# First, every size sees every training image equally often. The differences to P = 4 are taken seed by seed, so their intervals need not match those of the means.


# %%
def quietly(name, **options):
    """Run an experiment without a line for each run."""
    with contextlib.redirect_stdout(io.StringIO()):
        return run_experiment(name, dataset=dataset, **options)


sizes = ["P = 4", "P = 8", "P = 16", "P = 32"] if pick_budget() == "quick" else None  # None: all
print(as_table(quietly("patch_size", settings=sizes)))  # takes a minute or two

# %% [markdown]
# In the run saved here, the mean falls from line to line, but the intervals are wide. CIFAR-10 follows with the second comparison.
#
# ### Equal FLOPs
#
# A pass with P = 8 costs only a quarter of a pass with P = 4. Spend what you save on four times the passes, and P = 8 wins. **Guess before you read on:** does P = 16 with twelve times the passes do better still?
#
# | | accuracy after 3 passes | passes with about equal FLOPs | their FLOPs (P = 4: 1) | accuracy after them |
# |---|---|---|---|---|
# | P = 2 † | {{runs("patch_size", "P = 2").mean:.1%}} | 1 | {{patch_cost(2).flops / (3 * patch_cost(4).flops):.1f}} | {{runs("patch_size_longer", "P = 2, a third of the passes").mean:.1%}} |
# | P = 4 | {{runs("patch_size", "P = 4").mean:.1%}} | 3 | 1 | {{runs("patch_size", "P = 4").mean:.1%}} |
# | P = 8 | {{runs("patch_size", "P = 8").mean:.1%}} | 12 | {{4 * patch_cost(8).flops / patch_cost(4).flops:.1f}} | **{{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}}** |
# | P = 16 | {{runs("patch_size", "P = 16").mean:.1%}} | 36 | {{12 * patch_cost(16).flops / patch_cost(4).flops:.1f}} | {{runs("patch_size_longer", "P = 16, 12 × the passes").mean:.1%}} |
# | P = 32 | {{runs("patch_size", "P = 32").mean:.1%}} | 72 | {{24 * patch_cost(32).flops / patch_cost(4).flops:.1f}} | {{runs("patch_size_longer", "P = 32, 24 × the passes").mean:.1%}} |
# {{assert all(abs(patch_cost(4).flops / (passes * patch_cost(P).flops) - 1) < 0.1 for P, passes in ((8, 4), (16, 12), (32, 24)))}}
#
# † P = 2 was computed in float32, the others in bfloat16. We did not train for less than one pass.
# {{assert all(r.precision == ("float32" if name == "P = 2" else "bfloat16")
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# Each accuracy has a 95 % interval of ± {{runs("patch_size", "P = 8").width:.1p}} points or less, from the spread between seeds, pooled over all settings on record (notebook 07). Differences are taken before rounding.
# {{assert max(of.width for name in ("patch_size", "patch_size_longer") for of in experiment(name).values()) == runs("patch_size", "P = 8").width}}
#
# **The two comparisons have two answers. At equal passes P = 4 is ahead of P = 8 by {{-runs("patch_size", "P = 8").difference:.1p}} points. At equal FLOPs P = 8 is ahead of P = 4 by {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")):±.1p}} points.**
# {{assert below(runs("patch_size", "P = 8"), runs("patch_size", "P = 4"))}}
# {{assert below(runs("patch_size_longer", "P = 4"), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert differs(runs("patch_size_longer", "P = 8, 4 × the passes"))}}
#
# A line joins the two trainings of each size.

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
_, axis = plt.subplots(figsize=(6.8, 5.4), layout="constrained")
for P, (name, passes) in EQUAL_FLOPS.items():
    colour = (4, 8, 16, 32, 2).index(P)  # as in the figures below
    style = plots.curve_style(colour) | {"marker": ""}
    spent = [n * costs[P]["flops"] / (3 * costs[4]["flops"]) for n in (3, passes)]
    of = [reached[f"P = {P}"], reached[name]]
    means, widths = [100 * one.mean for one in of], [100 * one.width for one in of]
    axis.errorbar(spent, means, yerr=widths, capsize=3, lw=1.5, **style)
    axis.plot(spent[0], means[0], "o", ms=11, mfc="none", mew=1.8, color=style["color"])
    axis.plot(spent[1], means[1], "s", ms=6, color=style["color"])
    where = {"textcoords": "offset points", "color": style["color"], "fontsize": 11}
    words = f"P = {P}, {passes} pass" + "es" * (passes > 1)
    if P == 32:  # on the right its words would lie on the line of P = 2
        words = words.replace(", ", ",\n")
        axis.annotate(words, (spent[1], means[1]), (-9, 5), ha="right", **where)
    else:  # those of 4 and 16 lie close to each other
        shift = (12, -13 if P == 16 else -4)
        axis.annotate(words, (spent[1], means[1]), shift, **where)
    if P != 4:
        beside, side = {2: ((0, 12), "center"), 8: ((-11, 2), "right")}.get(P, ((0, -21), "center"))
        axis.annotate(f"P = {P}", (spent[0], means[0]), beside, ha=side, **where)
axis.plot([], [], "o", ms=11, mfc="none", mew=1.8, color="black", label="equal passes: 3")
axis.plot([], [], "s", ms=6, color="black", label="about equal FLOPs")
axis.axvline(1, color="gray", lw=1, zorder=0)
axis.text(1.04, 46.8, "the FLOPs of P = 4", color="#555555", fontsize=10.5)
axis.set_xscale("log")
axis.set_xticks([0.05, 0.1, 0.25, 0.5, 1, 2, 5], ["1/20", "1/10", "1/4", "1/2", "1", "2", "5"])
axis.set_xticks([], minor=True)
axis.set_xlabel("FLOPs of the whole training (P = 4 is 1)", size=11)
axis.set_ylabel("accuracy on CIFAR-10 in %", size=11)
axis.legend(loc="upper left", frameon=False, fontsize=11)
axis.set(xlim=(0.028, 10), ylim=(46, 76))
axis.grid(alpha=0.3)
plots.show(
    "accuracy over the FLOPs of the whole training, two points for each patch size; at equal passes "
    "P = 2 and P = 4 are highest, at equal FLOPs P = 8",
    "Equal passes and equal FLOPs",
    [f"{name} {100 * of.mean:.1f} %" for name, of in reached.items()],
)

# %% [markdown]
# - **At equal passes** (circles), smaller is better from P = 16 to 8 to 4. At both ends the trend stops: P = 32 and P = 16 cannot be told apart, and P = 2 differs from P = 4 by {{gain(runs("patch_size", "P = 2")):±.1p}} points, for {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times the FLOPs.
# {{assert below(runs("patch_size", "P = 16"), runs("patch_size", "P = 8"))}}
# {{assert not differs(distance(runs("patch_size", "P = 16"), runs("patch_size", "P = 32")))}}
# {{assert not differs(runs("patch_size", "P = 2"))}}
# - **At equal FLOPs** (squares), P = 8 is the best of the five. P = 16 stays {{-runs("patch_size_longer", "P = 16, 12 × the passes").difference:.1p}} points below P = 4. P = 32 is far below: its image is one patch, so that attention has next to nothing to do. P = 2 is far below too, probably because one pass is too short.
# {{assert differs(runs("patch_size_longer", "P = 16, 12 × the passes"))}}
# {{assert -runs("patch_size_longer", "P = 32, 24 × the passes").difference > 0.05}}
# {{assert differs(runs("patch_size_longer", "P = 2, a third of the passes"))}}
#
# What limits these answers:
#
# - **One small budget, and one learning rate for all sizes.** With more passes the order may change.
# {{assert len({of.learning_rate for name in ("patch_size", "patch_size_longer") for of in experiment(name).values()}) == 1}}
# - **FLOPs are not seconds.** Which trainings take equal time depends on your machine. The table of costs does not tell: it timed 16 images at once, and a step here takes 128.
# {{assert all(r.run.training.batch_size == 128 for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# - **More passes are also more updates.** P = 8 saw each image four times as often, and made four times as many steps of the optimizer. This comparison cannot say which of the two made it win. The experiment `patch_size_updates` asks that: it gives P = 4 as many steps, with batches of 32.
#
# ## "Large patches miss detail"
#
# Where could detail be lost? The projection E turns the 3·P² numbers of a patch into D numbers. As long as D ≥ 3·P², nothing has to be lost. With larger patches some patches that differ must become the same token, unless the pixels depend on each other, as neighbours in a photograph do.
#
# How much can be kept at best? The next cell finds, on training images, the linear projection to D = 64 numbers that keeps most, by squared error. (This is principal component analysis.) Then it rebuilds two test images from what is kept.

# %%
D = 64
pixels = dataset.train_images[:4_000].float() / 127.5 - 1
originals = dataset.test_images[:2].float() / 127.5 - 1
rebuilt, titles = [originals], ["original"]
for P in (4, 8, 16, 32):
    patches = patchify(pixels, P).flatten(0, 1)  # (n·N, 3·P²)
    mean = patches.mean(dim=0)
    _, directions = torch.linalg.eigh(torch.cov(patches.T))  # those with most variance come last
    kept = directions[:, -D:]  # (3·P², D)
    rebuilt.append(unpatchify((patchify(originals, P) - mean) @ kept @ kept.T + mean, P, 32))
    titles.append(f"P = {P}\n{3 * P * P:,} → {min(D, 3 * P * P)}")
plots.show_images(
    torch.stack(rebuilt, dim=1).flatten(0, 1),
    titles + [""] * 5,  # the second row shows the same sizes
    columns=5,
    words="two drawn images, each rebuilt from 64 numbers or fewer to a patch; P = 16 and 32 blur",
)

# %% [markdown]
# At P = 4 nothing is lost. At P = 8 fine noise goes, at P = 16 edges blur, and at P = 32, where 3,072 numbers become 64, most small things are gone. A wider token loses less: ViT-B/16, the base model of the ViT paper, has D = 768 = 3·16², so its projection need not lose anything.
#
# ### Is detail that could be kept also found?
#
# To test this we need images whose answer is small: Needle-10 from notebook 06. An image is made of 8 × 8 tiles of 4 × 4 pixels, each with one of ten patterns. One tile is warm, which means that it has more red than blue. It is the **needle**, and its pattern is the class. All other tiles are cool, and tell nothing. The second picture shows where red exceeds blue, and the patch that holds the needle at three sizes.

# %%
images, labels, places = needle10(4_500, seed=0)
row, column = divmod(places[0].item(), 8)  # of the tile that decides
left, top = 4 * column, 4 * row  # in pixels
diagrams.cuts(images[0], (4, 8, 16), (left, top, 4), "A needle of 4 × 4 pixels, three patch sizes")
red, _, blue = images[0].float()
shown = [(3 * (red - blue)).clamp(0, 255).byte()[None]]  # bright where there is more red
frames = [(left, top, 4)]
for P in (4, 8, 16):
    x, y = left // P * P, top // P * P  # of the patch that holds the needle
    shown.append(images[0, :, y : y + P, x : x + P])
    frames.append((left - x, top - y, 4))
titles = ["where there is more\nred than blue"]
titles += [f"P = 4: the needle,\n“{NEEDLE10_CLASSES[labels[0]]}”"]
titles += [f"P = {P}: the needle\nand {(P // 4) ** 2 - 1} cool tiles" for P in (8, 16)]
words = "a map that is brightest in the needle, and the patch that holds the needle, three times"
plots.show_images(shown, titles, columns=4, size=1.65, frames=frames, words=words)

# %% [markdown]
# With P = 4 the needle is a whole patch. Its tile always fits this grid, so P = 4 is favoured by alignment as well as by size. With P = 8 the needle lies in one of four places of its patch, and with P = 16 in one of sixteen. How many needles will each size find in 500 new images?

# %%
needles = Dataset(
    images[:4_000], labels[:4_000], images[4_000:], labels[4_000:], NEEDLE10_CLASSES, "needle10"
)
for P in (4, 8, 16):
    run = planned(P, "quick")
    run["training"] |= {"epochs": 3, "validation_images": 0}
    model, _ = train_run(run, needles)
    found = evaluate(model, needles.test_images, needles.test_labels)
    print(f"P = {P:2}: {found:4.0%} of the needles found")

# %% [markdown]
# That is a surprise. P = 4 finds every needle, while P = 8 is no better than a guess among the ten classes, which is right for 10 %. Is the needle *lost* at P = 8, or only *harder to find*? On record are these three trainings and five controls. Each row names what differs from the training above:

# %% tags=["hide-input"]
parts = {part["part"]: part["rows"] for part in read_records("../data/results/patch_size.json")}
CHANGES = {  # a field: its value above, and how another one is named
    "image_size": (32, "images of {0} × {0}"),
    "embed_dim": (64, "D = {}"),
    "passes": (3, "{} passes"),
    "trained_on": (4_000, "{:,} images"),
}
rows = {}
for of in parts["needles"]:
    changed = [text.format(of[f]) for f, (usual, text) in CHANGES.items() if of[f] != usual]
    name = ", ".join([f"P = {of['patch_size']}", *changed])
    rows[name] = [100 * accuracy for accuracy in of["accuracies"]]
plots.show_dots(rows, "needles found (%)", "Lost, or harder to find?", dashed=("guessing", 10))

# %% [markdown]
# Look at the seeds one by one: they differ widely.
#
# | control | needles found by the seeds | what it says |
# |---|---|---|
# | P = 8, images of 64 × 64 | {{needles(image_size=64)[0]:.0p}}, {{needles(image_size=64)[1]:.0p}} and {{needles(image_size=64)[2]:.0%}} | A patch side of 8 is no obstacle in itself. |
# | P = 8, D = 192 = 3·8² | {{needles(embed_dim=192)[0]:.0p}}, {{needles(embed_dim=192)[1]:.0p}} and {{needles(embed_dim=192)[2]:.0%}} | Room for every number helps little in three passes. |
# | P = 8, 33 passes | {{needles(passes=33)[0]:.0p}}, {{needles(passes=33)[1]:.0p}} and {{needles(passes=33)[2]:.0%}} | These are eleven times the steps. They help: two seeds find nearly all. |
# | P = 8, 44,000 images | {{needles(patch_size=8, trained_on=44_000)[0]:.0p}}, {{needles(patch_size=8, trained_on=44_000)[1]:.0p}} and {{needles(patch_size=8, trained_on=44_000)[2]:.0%}} | As many steps on more images help too: one seed finds all, the others find some. |
# | P = 16, 44,000 images | {{needles(patch_size=16, trained_on=44_000)[0]:.0p}}, {{needles(patch_size=16, trained_on=44_000)[1]:.0p}} and {{needles(patch_size=16, trained_on=44_000)[2]:.0%}} | So many steps hardly help P = 16. |
# {{assert all(accuracy == 1 for accuracy in needles(image_size=64))}}
# {{assert below(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), needles(embed_dim=192))}}
# {{assert sorted(needles(passes=33))[1] > 0.98 and sorted(needles(passes=33))[0] < 0.6}}
# {{assert sorted(needles(patch_size=8, trained_on=44_000))[1] > 0.75 and sorted(needles(patch_size=8, trained_on=44_000))[0] < 0.4}}
# {{assert max(needles(patch_size=16, trained_on=44_000)) < 0.2}}
#
# The first control is the task of P = 4 in larger print: each pixel is drawn as 2 × 2 equal ones. A patch then holds one tile and not four, there are 64 patches and not 16, and a patch has only 48 different numbers. Which of the three helped stays open.
#
# The sentence about detail mixes two claims. **In this test, detail below the patch was not lost at P = 8. It was harder to find**: in both longer trainings, two seeds of three found three quarters of the needles or more, although 64 numbers cannot hold all 192 of a patch. For P = 16 the question stays open.
#
# ## "Small patches are noisy"
#
# A patch of 4 × 4 has fewer pixels to average over than one of 16 × 16. If that is what "noisy" means, we can test it: train on clean images, then add the same noise to the test images of all models.


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
# What does a noise of 64 do to a model of each size that was trained on drawn shapes?

# %%
noisy = with_noise(part.test_images, 64)
models = {}  # by patch size
for P in (4, 8, 16):
    models[P], _ = train_run(planned(P, "quick"), part)
    clean, with_64 = (evaluate(models[P], x, part.test_labels) for x in (part.test_images, noisy))
    print(f"P = {P:2}: {clean:.1%} right without noise, {with_64:.1%} with it")

# %% [markdown]
# In the run saved here, noise costs P = 4 far more than the other two. The upper picture is the same test on CIFAR-10. The lower one is a control, whose models were trained on images with a noise of 32. The bands are 95 % intervals, not pooled, because under noise P = 4 varies more than usual.
# {{assert max(under_noise(4, 32)) - min(under_noise(4, 32)) > 6 * spread().deviation}}

# %% tags=["hide-input"]
_, axes = plt.subplots(2, 1, figsize=(6, 6.6), layout="constrained")
trainings = {"noise": "trained without noise", "noise_learned": "trained with a noise of 32"}
for axis, (name, title) in zip(axes, trainings.items(), strict=True):
    lines, widths = {}, {}
    for P in (4, 8, 16):
        of = [row["accuracies"] for row in parts[name] if row["patch_size"] == P]
        found = [mean_and_width([100 * seed[str(d)] for seed in of]) for d in NOISE]
        lines[f"P = {P}"], widths[f"P = {P}"] = zip(*found, strict=True)
    x_label = "standard deviation of the noise (values go from 0 to 255)"
    plots.show_lines(NOISE, lines, x_label, "accuracy in %", title, widths=widths, axis=axis)
    axis.set(xticks=NOISE, ylim=(0, 75))
    axis.legend(loc="lower left", title="band: 95 % interval\nof three seeds")
plots.show(
    "two panels, accuracy over noise for P = 4, 8 and 16; without noise in training P = 4 starts "
    "highest and ends far below the others, with it P = 4 leads up to a noise of 32",
    "CIFAR-10, noise at test time",
)

# %% [markdown]
# **In the upper picture the sentence holds.** At a noise of 32 the model with P = 4 has fallen from {{mean(under_noise(4, 0)):.0p}} to {{mean(under_noise(4, 32)):.0%}}. P = 8 still has {{mean(under_noise(8, 32)):.0p}} of its {{mean(under_noise(8, 0)):.0%}}, and P = 16 has lost less than a point of its {{mean(under_noise(16, 0)):.0%}}.
# {{assert mean(under_noise(16, 0)) - mean(under_noise(16, 32)) < 0.01}}
# Up to a noise of 16 P = 4 stays ahead. From 32 on, the best model on clean images is the worst.
# {{assert all(below(under_noise(P, noise), under_noise(4, noise))
# for P in (8, 16) for noise in (0, 8, 16))}}
# {{assert all(below(under_noise(4, noise), under_noise(P, noise))
# for P in (8, 16) for noise in (32, 64))}}
#
# **The lower picture changes the verdict.** At the noise that the models were trained with, P = 4 leads again (after equal passes, as everywhere in this test): the three reach {{mean(under_noise(4, 32, learned=True)):.0p}}, {{mean(under_noise(8, 32, learned=True)):.0p}} and {{mean(under_noise(16, 32, learned=True)):.0%}}.
# {{assert all(below(under_noise(P, 32, learned=True), under_noise(4, 32, learned=True))
# for P in (8, 16))}}
# So small patches can be read through noise, once a model has learned to. On clean images that costs P = 4 ten points, and P = 8 two.
# {{assert all(round(100 * (mean(under_noise(P, 0)) - mean(under_noise(P, 0, learned=True)))) == points
# for P, points in ((4, 10), (8, 2)))}}
# And the model has learned *this* noise. At twice as much, P = 4 drops to {{mean(under_noise(4, 64, learned=True)):.0%}}, and P = 8 is {{seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)):±.1p}} points ahead, seed by seed. Three seeds can only just tell this difference from chance; but the lead of P = 4 is gone.
# {{assert 1 < seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)).mean / seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)).width < 1.5}}
#
# We saw what happens and not why: besides averaging over fewer pixels, the models also differ in how accurate they are.
#
# ## What to do in your own model
#
# - **Say first what is limited, and compare sizes at that**: passes, FLOPs or seconds. After three passes, we saw no gain of P = 2 over P = 4. At the same FLOPs, P = 8 was better.
# - **If small details matter, try smaller patches** before you call the details lost. In our test they found every needle, and the needle's tile fitted their grid. A longer training helped P = 8, but hardly P = 16.
# - **If you know how strong the noise will be, train small patches with it.** At that noise P = 4 gained a lot from it, and P = 8 and P = 16 hardly anything. At twice that noise, the lead of P = 4 was gone.{{assert mean(under_noise(4, 32, learned=True)) - mean(under_noise(4, 32)) > 0.15 and all(abs(mean(under_noise(P, 32, learned=True)) - mean(under_noise(P, 32))) < 0.01 for P in (8, 16))}}
#
# ## Recap
#
# - Halving the patch side gives four times as many patches. The FLOPs grow by less than four times where tokens are few, because class token and projection cost the same at every size. They grow by more where tokens are many, because attention's part grows with T².
# - At **equal passes**, P = 4 was ahead of P = 8 on CIFAR-10. At **equal FLOPs**, P = 8 was ahead of P = 4.
# - A projection with D ≥ 3·P² **can keep everything**. With D = 64 and P = 8 our needles were harder to find. After eleven times the steps, two seeds of three found most of them.
# - Models with small patches were **disturbed most by noise that they had not met**, and led again, after equal passes, at the noise they were trained with.
#
# ## Questions
#
# <details><summary>Your images are 224 × 224 and P = 16. You halve P. How many times the FLOPs?</summary>
#
# N grows from 196 to 784. All that is done for each token costs four times as much, and attention's part sixteen times. In ViT-B, with D = 768 and r = 4, this part grows from 4 to 15 % of a block, which makes about 4.5 times in all.
# </details>
#
# <details><summary>Somebody finds P = 8 better than P = 4, "at the same training time". Somebody else finds the opposite, "after the same passes". Who is right?</summary>
#
# Both may be. By FLOPs, one pass with P = 4 pays for about four with P = 8. By the clock, it depends on the machine and the size of a batch.
# {{assert round(patch_cost(4).flops / patch_cost(8).flops) == 4}}
# Say what you hold fixed: passes, FLOPs or time.
# </details>
#
# <details><summary>D = 192 and P = 8, colour images: must the projection lose anything?</summary>
#
# No: 3 · 8² = 192.
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
# Let us make everything small: a patch of two pixels, a kernel of two weights, and one number that the model computes from them, their dot product. Then the patch is enlarged to four pixels. Which kernel of four weights gives the same number? The obvious way is to resize the kernel like an image. Now there are twice as many products to add up, so we also try half of it.
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

# %% [markdown]
# Of these three only the pseudo-inverse gives 5 again, and it does so for every patch that is enlarged. When a patch is made *smaller*, not every kernel can be matched, because two patches that differ may become the same.
#
# ### A whole model
#
# `resize_patches` does this with all kernels of a model. Here is one of the models of the noise test, P = 4 on drawn shapes, given patches of 8 × 8 for images of 64 × 64 in the three ways. All rows judge the same 1,000 images, so we can compare image by image: the interval is that of the difference to the model as trained. The last column says how far the patch tokens are from the old ones, relative to their size.


# %%
def judged(model, pictures):
    """Which images are right, 0 or 1 for each, and all patch tokens."""
    with torch.no_grad():
        right = predict(model, pictures).argmax(dim=1) == part.test_labels
        return right.float(), model.patch_embed(normalize(pictures))


model = models[4].eval()
larger = interpolate(part.test_images.float(), size=64, mode="bilinear", antialias=True)
larger = larger.round().to(torch.uint8)  # images of 64 × 64

exact, naive, divided = (resize_patches(model, patch_size=8, image_size=64) for _ in range(3))
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
# In the run saved here, kernels resized like images make tokens that are off by nearly three times their own size. Yet the model loses only a few points, probably because the norm in the first block takes out much of a common factor. Divided by four, the tokens are off by 12 %, and with the pseudo-inverse by 8 %. What is left comes from enlarging whole images, which mixes pixels across the borders of patches. In accuracy, the model with divided kernels and the one with the pseudo-inverse cannot be told from the model as trained: the intervals of both differences hold zero.
#
# ### What a token covers
#
# The sizes of image and patch can also be changed separately. Then each token covers another part of the picture. Here is what that does to the model of CIFAR-10 that the package ships, judged on 10,000 images:
#
# | | a token covers | grid | accuracy |
# |---|---|---|---|
# | as trained: P = 4 at 32 × 32 | 4 × 4 original pixels | 8 × 8 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy:.1%}} |
# | P = 8 at 64 × 64 | 4 × 4 | 8 × 8 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy:.1%}} |
# | P = 8 at 32 × 32 | 8 × 8 | 4 × 4 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=32).accuracy:.1%}} |
# | P = 4 at 64 × 64 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=64).accuracy:.1%}} |
# | P = 2 at 32 × 32 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=2, image_size=32).accuracy:.1%}} |
#
# **Where a token covers what it covered before, almost nothing is lost.** Nothing can be gained either, since an enlarged image has no new detail. The other three rows lose {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy
# - max(only(only(records("patch_size"), part="resampling").rows, patch_size=P, image_size=size).accuracy for P, size in ((8, 32), (4, 64), (2, 32))):.0p}} points or more.
# {{assert only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy - only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy < 0.005}}
#
# So the enlarged kernel does not break a model. In the other rows the tokens change: each covers another window, and the windows lie at other distances than the blocks have learned. That is not all, as the last two rows show. They have the same windows and the same grid, and still differ by {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=64).accuracy - only(only(records("patch_size"), part="resampling").rows, patch_size=2, image_size=32).accuracy:.0p}} points. The last one's kernels were made smaller, which no kernel survives unchanged.
#
# When the grid changes, the positions must be resized too, like an image; exercise 8.4 does that. To recover, you would train on, which we did not do.

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
