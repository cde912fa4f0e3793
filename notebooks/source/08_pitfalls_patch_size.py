# %% [markdown]
# # 08 · Pitfalls, measured: the size of a patch
#
# **After this notebook you can** choose a patch size by what it costs and what it gives, and say how far two common sentences are true: "large patches miss detail" and "small patches are noisy". On a second visit you give a trained model other patches.
#
# | | |
# |---|---|
# | You need | notebooks 01, 04 and 05; 07 for how experiments are run |
# | Time to read | about 25 minutes, and 10 more for a second visit |
# | Time to run | at the quick budget {{notebook_seconds("08_pitfalls_patch_size"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("08_pitfalls_patch_size", "float32"):about}} on one core of an older one; on a T4 not measured yet |
# | Package modules | `experiments/`, `pretrained.py`, `patches.py` |
#
# Let us begin with a puzzle. We trained one small model on CIFAR-10, three times through the images. With patches of 4 × 4 pixels it was right for {{runs("patch_size", "P = 4").mean:.0%}} of the test images, with patches of 8 × 8 only for {{runs("patch_size", "P = 8").mean:.0%}}. That seems to settle it: small patches are better. Then we let both do about the same amount of computing, and the larger patches won, with {{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.0p}} against {{runs("patch_size", "P = 4").mean:.0%}}. So which patch is the better one?
#
# The answer lies in what a patch costs, so that comes first. After the two comparisons we test what many introductions say: "patches too small are noisy, patches too large miss detail".
#
# Numbers that the text quotes from drawn shapes are those of the run saved here. Yours will differ a little.

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
# The patch size P is the side of a patch in pixels. It decides how many tokens there are, what they cost, and how much of the image one of them holds. Here is one photograph at 32 × 32 pixels, the size of almost all images in this notebook, cut at five patch sizes. Each square becomes one token, and the token is all that the model gets of it.

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)
diagrams.cuts(cat, (2, 4, 8, 16, 32), title="One photograph, five patch sizes")

# %% [markdown]
# Halving the patch side gives four times as many patches. Does it also give four times the work? We count the work of a block in FLOPs, which are floating-point operations: here multiplications and additions. A matrix product of shapes (a, b) and (b, c) takes 2·a·b·c of them. For T tokens of width D, there are two kinds of products in a block:
#
# - **Every token goes through the matrices.** Queries, keys, values and the projection behind attention are four matrices of D × D, which makes 4 · 2·T·D² = 8·T·D² FLOPs. The MLP, whose hidden width is r times as wide, has two matrices of D × r·D, which makes 2 · 2r·T·D² = 4r·T·D². With four times the tokens, this part takes four times the work.
# - **Every token is compared with every other.** The scores QKᵀ take 2·T²·D FLOPs, and so does the weighted sum of the values: 4·T²·D together. With four times the tokens, this part takes *sixteen* times the work.
#
# $$\underbrace{(8 + 4r)\,T D^2}_{\text{every token through the matrices}} \;+\; \underbrace{4\,T^2 D}_{\text{every token with every other}}$$
#
# So is it four, or sixteen? Make a guess, then let us measure. The model is the one of notebook 05's recipe `cpu`: D = 96, r = 2, four blocks. The table shows three prices: the FLOPs of the forward pass of **one** image, the memory that PyTorch keeps of it for the backward pass, and the time of both passes of **16** images, with that of P = 4 as the unit. The sizes take turns, twenty times, and the shortest time of each counts, because other work on your machine can only make it longer.


# %%
def with_model(run, **changes):
    """The same run with other settings of the model."""
    return run | {"model": run["model"] | changes}


base = plan("patch_size", "full", seed=0)["P = 4", 1]  # the model of the recipe `cpu`
runs = {P: with_model(base, patch_size=P) for P in (2, 4, 8, 16, 32)}
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

# %% [markdown]
# Read the table from the bottom up, so that the patches become smaller.
#
# - **FLOPs double at the first step, from P = 32 to 16, and grow {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times at the last, from 4 to 2.** With few tokens the growth is below four times: the class token is there at every size, and the projection of the patches costs the same whatever P is. With many tokens it is above four, because attention takes over. With r = 2, its share of a block is 4·T²·D / (16·T·D² + 4·T²·D) = T / (T + 4·D): 14 % at 65 tokens and 40 % at 257.
# {{assert 1.9 < patch_cost(16).flops / patch_cost(32).flops < 2.1}}
# - **Time need not follow the FLOPs, and depends on the machine.** When we measured for the record, P = 4 took {{patch_cost(4).flops / patch_cost(8).flops:.1f}} times the FLOPs of P = 8 but {{patch_cost(4).seconds / patch_cost(8).seconds:.1f}} times the seconds, and P = 16 took {{patch_cost(16).flops / patch_cost(32).flops:.1f}} times the FLOPs of P = 32 but {{patch_cost(16).seconds / patch_cost(32).seconds:.1f}} times the seconds. What does your table say? Divide each time by the one below it. Where that gives much less than for the FLOPs, most of the time probably goes into starting PyTorch's operations, of which every P has equally many. At the bottom of the table the order may even turn round.
# {{assert patch_cost(16).seconds / patch_cost(32).seconds < 1.3}}
# - **Memory grows like T, not like T².** The table of attention weights has T² entries, but it is never kept. PyTorch's fused attention works through it piece by piece, and computes it again in the backward pass.
# {{assert patch_cost(1).kept_bytes / patch_cost(2).kept_bytes < 1.02 * patch_cost(1).tokens / patch_cost(2).tokens}}
#
# What if every pixel is a token? P = 1 was measured beforehand. It has {{patch_cost(1).tokens:,}} tokens, {{patch_cost(1).flops / patch_cost(4).flops:.0f}} times the FLOPs of P = 4 and {{patch_cost(1).kept_bytes / patch_cost(4).kept_bytes:.0f}} times its memory. Attention's share of a block is 73 % there.
#
# ## What it gives: two fair comparisons
#
# ### Equal passes
#
# The first comparison that comes to mind lets every size see every training image equally often. Only P differs. Here it is on drawn shapes, with three seeds; the first line of the table is the base, P = 4:


# %%
def quietly(name, **options):
    """Run an experiment without a line for each run."""
    with contextlib.redirect_stdout(io.StringIO()):
        return run_experiment(name, dataset=dataset, **options)


sizes = ["P = 4", "P = 8", "P = 16", "P = 32"] if pick_budget() == "quick" else None  # None: all
print(as_table(quietly("patch_size", settings=sizes)))  # takes a minute or two

# %% [markdown]
# In the run saved here, the mean falls from line to line. How far it falls is uncertain, because with three seeds the intervals are wide. CIFAR-10 will be clearer.
#
# ### Equal FLOPs
#
# Is P = 4 the best size, then? A pass with P = 8 costs only a quarter of a pass with P = 4. Spend what you save on four times the passes, and P = 8 wins, as you know from the puzzle. **Guess before you read on:** does P = 16 with twelve times the passes do better still?
#
# On CIFAR-10 both comparisons are on record for the model of the table above and {{records("experiments_cifar10_full")[0].trained_on:,}} training images. Each size has three seeds, but for P = 4: it is the base of many experiments and has {{len(runs("patch_size", "P = 4").accuracies):d}}.
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert [recorded("patch_size_longer", name)[0].run.training.epochs for name in experiment("patch_size_longer")] == [3, 1, 12, 36, 72]}}
# {{assert all(len(of.accuracies) == 3 for name in ("patch_size", "patch_size_longer") for setting, of in experiment(name).items() if setting != "P = 4")}}
#
# | | equal passes: accuracy after 3 | equal FLOPs: passes | their FLOPs (P = 4 is 1) | accuracy after these |
# |---|---|---|---|---|
# | P = 2 † | {{runs("patch_size", "P = 2").mean:.1%}} | 1 | {{patch_cost(2).flops / (3 * patch_cost(4).flops):.1f}} | {{runs("patch_size_longer", "P = 2, a third of the passes").mean:.1%}} |
# | P = 4 | {{runs("patch_size", "P = 4").mean:.1%}} | 3 | 1 | {{runs("patch_size", "P = 4").mean:.1%}} |
# | P = 8 | {{runs("patch_size", "P = 8").mean:.1%}} | 12 | {{4 * patch_cost(8).flops / patch_cost(4).flops:.1f}} | **{{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}}** |
# | P = 16 | {{runs("patch_size", "P = 16").mean:.1%}} | 36 | {{12 * patch_cost(16).flops / patch_cost(4).flops:.1f}} | {{runs("patch_size_longer", "P = 16, 12 × the passes").mean:.1%}} |
# | P = 32 | {{runs("patch_size", "P = 32").mean:.1%}} | 72 | {{24 * patch_cost(32).flops / patch_cost(4).flops:.1f}} | {{runs("patch_size_longer", "P = 32, 24 × the passes").mean:.1%}} |
# {{assert all(abs(patch_cost(4).flops / (passes * patch_cost(P).flops) - 1) < 0.1 for P, passes in ((8, 4), (16, 12), (32, 24)))}}
#
# Each accuracy has a 95 % interval of ± {{runs("patch_size", "P = 8").width:.1p}} points, and that of P = 4 one of ± {{runs("patch_size", "P = 4").width:.1p}}. They come from the spread between seeds, pooled over all settings on record (notebook 07). P = 2 cannot have fewer passes than one, which already costs more than the three of P = 4.
# {{assert len({round(of.width, 9) for name in ("patch_size", "patch_size_longer") for of in experiment(name).values()}) == 2}}
#
# † P = 2 was computed in float32 and the others in bfloat16. We did not measure what that alone changes.
# {{assert all(r.precision == ("float32" if name == "P = 2" else "bfloat16")
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# **The two comparisons have two answers. At equal passes P = 4 is ahead of P = 8 by {{-runs("patch_size", "P = 8").difference:.1p}} points; at equal FLOPs P = 8 is ahead of P = 4, with {{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.2p}} against {{runs("patch_size", "P = 4").mean:.2%}}, which makes {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")):±.1p}} points.**
# {{assert below(runs("patch_size", "P = 8"), runs("patch_size", "P = 4"))}}
# {{assert below(runs("patch_size_longer", "P = 4"), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert differs(runs("patch_size_longer", "P = 8, 4 × the passes"))}}
#
# The picture shows the table: circles are equal passes, squares are about equal FLOPs, and a line joins the two trainings of each size.

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
_, axis = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
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
    words = f"{passes} pass" + "es" * (passes > 1)
    if P == 32:  # on the right its words would lie on the line of P = 2
        axis.annotate(words, (spent[1], means[1]), (-9, 6), ha="right", **where)
    else:
        words = words if P != 4 else f"P = 4: {words}"
        shift = {4: (11, 0), 16: (9, -11)}.get(P, (10, -4))  # those two lie close to each other
        axis.annotate(words, (spent[1], means[1]), shift, **where)
    if P != 4:
        beside, side = {2: ((10, -4), "left"), 8: ((-11, 2), "right")}.get(P, ((0, -21), "center"))
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
axis.set(xlim=(0.028, 12), ylim=(46, 76))
axis.grid(alpha=0.3)
plots.show(
    "accuracy over the FLOPs of the whole training, two points for each patch size; at equal passes "
    "P = 2 and P = 4 are highest, at equal FLOPs P = 8",
    "Equal passes and equal FLOPs",
    [f"{name} {100 * of.mean:.1f} %" for name, of in reached.items()],
)

# %% [markdown]
# - **At equal passes** (circles), smaller is better from P = 16 to 8 to 4, and there the trend ends on both sides. P = 32 and P = 16 cannot be told apart.
# {{assert below(runs("patch_size", "P = 16"), runs("patch_size", "P = 8"))}}
# {{assert not differs(distance(runs("patch_size", "P = 16"), runs("patch_size", "P = 32")))}}
# Neither can P = 2 and P = 4: for {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times the FLOPs, the difference is {{gain(runs("patch_size", "P = 2")):±.1p}} points.
# {{assert not differs(runs("patch_size", "P = 2"))}}
# - **At equal FLOPs** (squares), P = 8 is the best of the five. P = 16 stays {{-runs("patch_size_longer", "P = 16, 12 × the passes").difference:.1p}} points below P = 4, and P = 32 far below. With P = 32 the image is one patch and attention has next to nothing to do: the model is little more than an MLP on all pixels at once.
# {{assert differs(runs("patch_size_longer", "P = 16, 12 × the passes"))}}
# {{assert -runs("patch_size_longer", "P = 32, 24 × the passes").difference > 0.05}}
# P = 2 is far below too, probably because a training of one pass, which makes 351 steps, is too short.
# {{assert differs(runs("patch_size_longer", "P = 2, a third of the passes"))}}
#
# What limits these answers:
#
# - **One small budget.** P = 2 may well pull ahead later: the best published result at 32 × 32 pixels that notebook 05 lists, 95.7 % after 600 passes, has patches of 2.
# - **One learning rate** for all sizes.
# {{assert len({of.learning_rate for name in ("patch_size", "patch_size_longer") for of in experiment(name).values()}) == 1}}
# - **FLOPs are not seconds.** On the machine of the record, the 12 passes of P = 8 took {{4 * patch_cost(8).seconds / patch_cost(4).seconds:.1f}} times as long as the 3 of P = 4. On yours it is about 4 times what your table says for P = 8.
# - **More passes are also more updates.** P = 8 saw each image four times as often and made four times as many steps of the optimizer. We cannot say which of the two made it win: the experiment `patch_size_updates`, which gives P = 4 as many steps on smaller batches, is not on record yet.
#
# ## "Large patches miss detail"
#
# Where could detail be lost? The projection E turns the 3·P² numbers of a patch into D numbers. As long as D ≥ 3·P², nothing has to be lost. With larger patches something must get lost, unless pixels repeat each other, as neighbours often do.
#
# How much can be kept at best? The next cell finds, on training images, the linear projection to D = 64 numbers that keeps most, by squared error. (This is principal component analysis.) Then it rebuilds two test images from what is kept. D = 64 is the width of our quick models.

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
plots.show_images(torch.stack(rebuilt, dim=1).flatten(0, 1), titles * 2, columns=5)

# %% [markdown]
# At P = 4 nothing is lost. At P = 8 fine noise goes, at P = 16 edges blur and the smallest things disappear, and at P = 32, where 3,072 numbers become 64, most of the small things are gone. A wider token loses less. ViT-B/16, the base model of the ViT paper, has 3·16² = 768 numbers to a patch and D = 768, so its projection need not lose anything.
#
# From here on data and models change more often, so here are all trainings of this notebook in one table. "Live" are those that run while you read.
#
# | for the question | images trained on | D | passes | seeds | when |
# |---|---|---|---|---|---|
# | what a size gives, a first look | 2,000 drawn shapes | 64 | 5 | 3 | live |
# | equal passes, equal FLOPs | {{records("experiments_cifar10_full")[0].trained_on:,}} of CIFAR-10 | 96 | 3, and 1 to 72 | 3 (P = 4: {{len(runs("patch_size", "P = 4").accuracies):d}}) | on record |
# | is a small thing found? | 4,000 with a needle | 64 | 3 | 1 | live |
# | the same, with controls | 4,000 or 44,000 | 64 or 192 | 3 or 33 | 3 | on record |
# | does noise disturb? a first look | 2,000 drawn shapes | 64 | 5 | 1 | live |
# | the same, with a control | {{records("experiments_cifar10_full")[0].trained_on:,}} of CIFAR-10 | 96 | 3 | 3 | on record |
#
# ### A question below the patch
#
# Is detail that *could* be kept also *found*? To test this we need images whose answer is small. Notebook 06 has such images, called Needle-10: 8 × 8 tiles of 4 × 4 pixels, each with one of ten patterns. One tile is warm, which means that it has more red than blue. It is the **needle**, and its pattern is the class. All other tiles are cool, and tell nothing. Here is an image, and below it the patch that holds the needle, enlarged: this is what one token is made of. The frames are for you; the model gets no such help.

# %%
images, labels, places = needle10(4_500, seed=0)
row, column = divmod(places[0].item(), 8)  # of the tile that decides
left, top = 4 * column, 4 * row  # in pixels
diagrams.cuts(images[0], (4, 8, 16), (left, top, 4), "A needle of 4 × 4 pixels, three patch sizes")
holding, frames = [], []  # the patch with the needle, and where in it the needle is
for P in (4, 8, 16):
    x, y = left // P * P, top // P * P
    holding.append(images[0, :, y : y + P, x : x + P])
    frames.append((left - x, top - y, 4))
titles = [f"P = 4: the needle,\n“{NEEDLE10_CLASSES[labels[0]]}”"]
titles += [f"P = {P}: the needle and\n{(P // 4) ** 2 - 1} cool tiles" for P in (8, 16)]
plots.show_images(holding, titles, columns=3, size=2.1, frames=frames)

# %% [markdown]
# With P = 4 the patch is the needle. With P = 8 the needle is one of four tiles of its patch and can lie in any of four places, and with P = 16 it is one of sixteen. We train each size for three passes over 4,000 such images, with D = 64 and one seed. How many needles will each find in 500 new images?

# %%
needles = Dataset(
    images[:4_000], labels[:4_000], images[4_000:], labels[4_000:], NEEDLE10_CLASSES, "needle10"
)
for P in (4, 8, 16):
    run = with_model(plan("patch_size", "quick", seed=0)["P = 4", 1], patch_size=P)
    run["training"] = run["training"] | {"epochs": 3, "validation_images": 0}
    model, _ = train_run(run, needles)
    found = evaluate(model, needles.test_images, needles.test_labels)
    print(f"P = {P:2}: {found:4.0%} of the needles found")

# %% [markdown]
# That is a surprise. P = 4 finds every needle, while P = 8 does no better than somebody who guesses among the ten classes and is right for 10 %. Is the needle *lost* at P = 8, or only *harder to find*? On record are these three trainings and five controls, with three seeds each. Each row of the picture names what differs from the training above:

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
# Each control asks one question. Look at the three seeds rather than at their mean, because they can differ widely.
#
# | row | its question | needles found by the three seeds | its answer |
# |---|---|---|---|
# | P = 8, images of 64 × 64 | Is it the number 8? | {{needles(image_size=64)[0]:.0p}}, {{needles(image_size=64)[1]:.0p}} and {{needles(image_size=64)[2]:.0%}} | No |
# | P = 8, D = 192 | Is the token too narrow? With 192 = 3·8² numbers nothing need be lost. | {{needles(embed_dim=192)[0]:.0p}}, {{needles(embed_dim=192)[1]:.0p}} and {{needles(embed_dim=192)[2]:.0%}} | Room alone helps little in three passes. We did not go on. |
# | P = 8, 33 passes | Was the training too short? These are eleven times the steps. | {{needles(passes=33)[0]:.0p}}, {{needles(passes=33)[1]:.0p}} and {{needles(passes=33)[2]:.0%}} | Yes, for two seeds of three, and with D = 64 |
# | P = 8, 44,000 images | The same number of steps, but each image only three times | {{needles(patch_size=8, trained_on=44_000)[0]:.0p}}, {{needles(patch_size=8, trained_on=44_000)[1]:.0p}} and {{needles(patch_size=8, trained_on=44_000)[2]:.0%}} | Yes, for two seeds of three, one of them only in part |
# | P = 16, 44,000 images | And P = 16? | {{needles(patch_size=16, trained_on=44_000)[0]:.0p}}, {{needles(patch_size=16, trained_on=44_000)[1]:.0p}} and {{needles(patch_size=16, trained_on=44_000)[2]:.0%}} | Not before we stopped |
# {{assert all(accuracy == 1 for accuracy in needles(image_size=64))}}
# {{assert below(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), needles(embed_dim=192))}}
# {{assert sorted(needles(passes=33))[1] > 0.98 and sorted(needles(passes=33))[0] < 0.6}}
# {{assert sorted(needles(patch_size=8, trained_on=44_000))[1] > 0.75 and sorted(needles(patch_size=8, trained_on=44_000))[0] < 0.4}}
# {{assert max(needles(patch_size=16, trained_on=44_000)) < 0.2}}
#
# Do not read too much into the first control. Its images are those above with each pixel drawn as 2 × 2 equal ones: the task of P = 4 once more, in larger print. Three things change at once. A patch holds one tile and not four, there are 64 patches and not 16, and a patch has only 48 different numbers, which fit into D = 64. So a patch side of 8 is no obstacle in itself, but which of the three matters stays open.
#
# The sentence about detail mixes two claims. **In this test, detail below the patch was not lost at P = 8. It was harder to find**: with eleven times the steps, two seeds of three found three quarters of the needles or more, although 64 numbers cannot hold all 192 of a patch. The enlarged patches suggest why it is harder: the projection must tell four places in a patch apart, where with P = 4 there was one. We did not test that.
#
# ## "Small patches are noisy"
#
# A patch of 4 × 4 has fewer pixels to average over than one of 16 × 16. If that is what "noisy" means, we can test it: train models on clean images, then add noise to the test images, the same noise for all models.


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
)

# %% [markdown]
# First on drawn shapes, with one seed: what does a noise of 64 do to a model of each size?

# %%
noisy = with_noise(part.test_images, 64)
models = {}  # by patch size
for P in (4, 8, 16):
    models[P], _ = train_run(plan("patch_size", "quick", seed=0)[f"P = {P}", 1], part)
    clean, with_64 = (evaluate(models[P], x, part.test_labels) for x in (part.test_images, noisy))
    print(f"P = {P:2}: {clean:.1%} right without noise, {with_64:.1%} with it")

# %% [markdown]
# In the run saved here, noise costs P = 4 far more than the other two. But this is one seed, on drawn shapes.
#
# On CIFAR-10 the same test is on record with three seeds for each size. The upper picture shows models that never met noise, as in the cell above. The lower one is a control: the same models, trained on images with a noise of 32. The bands are 95 % intervals, each from its own three seeds. They are wider than the ± {{runs("patch_size", "P = 8").width:.1p}} points of the table above, for two reasons: three seeds alone tell little of how much they vary, and under noise those of P = 4 vary more than the pooled spread would have it.
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
# **The lower picture changes the verdict.** P = 4 leads again, and at the noise they were trained with the three reach {{mean(under_noise(4, 32, learned=True)):.0p}}, {{mean(under_noise(8, 32, learned=True)):.0p}} and {{mean(under_noise(16, 32, learned=True)):.0%}}.
# {{assert all(below(under_noise(P, 32, learned=True), under_noise(4, 32, learned=True))
# for P in (8, 16))}}
# So small patches can be read through noise, once a model has learned to. It pays for that with ten points on clean images, and P = 8 with two.
# {{assert all(round(100 * (mean(under_noise(P, 0)) - mean(under_noise(P, 0, learned=True)))) == points
# for P, points in ((4, 10), (8, 2)))}}
# And it has learned *this* noise: at twice as much P = 4 falls behind P = 8, with {{mean(under_noise(4, 64, learned=True)):.0p}} against {{mean(under_noise(8, 64, learned=True)):.0%}}, a difference of {{distance(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)):±.1p}} points. It cannot be told apart from P = 16 there.
# {{assert differs(distance(under_noise(4, 64, learned=True), under_noise(8, 64, learned=True)))}}
# {{assert not differs(distance(under_noise(4, 64, learned=True), under_noise(16, 64, learned=True)))}}
#
# We saw what happens and not why. The averaging over pixels is one explanation, but the three models also differ in how accurate they are.
#
# ## What to do in your own model
#
# - **Say first what is limited, and compare sizes at that**: passes, FLOPs or seconds. At a fixed number of passes, P = 4 did best here, and P = 2 gained nothing for its price. At fixed FLOPs, P = 8 with more passes did better. We tried neither few images nor long trainings.
# - **If small details matter, try smaller patches or a longer training** before you call them lost. In our test either helped.
# - **If you know how strong the noise will be, train with it.** If it may be twice as strong, P = 8 did better than P = 4 in our test.
#
# ## Recap
#
# - Halving the patch side gives four times as many patches. In our table the FLOPs grew by {{patch_cost(16).flops / patch_cost(32).flops:.1f}} to {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times: by less than four where tokens are few, and by more than four where they are many, because attention's part grows with T².
# - At **equal passes**, P = 4 was ahead of P = 8 on CIFAR-10, and P = 8 ahead of P = 16. At **equal FLOPs**, P = 8 was ahead of P = 4.
# - A projection with D ≥ 3·P² **can keep everything**. A narrower one must lose something, unless pixels repeat each other, but not always what matters: with P = 8 and D = 64 our needles were harder to find, and not lost.
# - Models with small patches were **disturbed most by noise that they had not met**, and led again when they were trained with it.
#
# ## Questions
#
# <details><summary>Your images are 224 × 224 and P = 16. You halve P. How many times the FLOPs?</summary>
#
# N grows from 196 to 784. All that is done for each token costs four times as much, and attention's part sixteen times. So it is between four and sixteen in all, and closer to four the smaller attention's share is. In ViT-B, with D = 768 and r = 4, this share grows from 4 to 15 %, which makes about 4.5 times in all.
# </details>
#
# <details><summary>Somebody finds P = 8 better than P = 4, "at the same training time". Somebody else finds the opposite, "after the same passes". Who is right?</summary>
#
# Both may be. By FLOPs, one pass with P = 4 pays for about four with P = 8. By the clock it depends on the machine: on that of the record it pays for {{patch_cost(4).seconds / patch_cost(8).seconds:.1f}}, and on yours for 1 divided by the time of P = 8 in your table.
# {{assert round(patch_cost(4).flops / patch_cost(8).flops) == 4}}
# Say what you hold fixed: passes, FLOPs or time.
# </details>
#
# <details><summary>D = 192 and P = 8, colour images: must the projection lose anything?</summary>
#
# No: 3 · 8² = 192. Whether the model finds what it needs among the 192 numbers is another question.
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
# Of these three only the pseudo-inverse gives 5 again, and it does so for every patch that is enlarged. When a patch is made *smaller*, no kernel can do that, because two patches that differ may become the same.
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
# In the run saved here, kernels resized like images make tokens that are off by nearly three times their own size. Yet the model loses only a few points, probably because the norm in the first block takes out much of a common factor. Divided by four, the tokens are off by 12 %, and with the pseudo-inverse by 8 %. What is left comes from enlarging whole images, which mixes pixels across the borders of patches. In accuracy neither can be told from the model as trained: both intervals hold zero.
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
# So the enlarged kernel does not break a model. Most likely it is the blocks that suffer when tokens change: they have learned what windows of one size mean, and how far apart these lie. When the grid changes, the positions must be resized too, like an image; exercise 8.4 does that. To recover, you would train on, which we did not do.

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
