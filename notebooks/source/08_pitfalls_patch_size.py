# %% [markdown]
# # 08 · Pitfalls, measured: the size of a patch
#
# **After this notebook you can** say what a patch size costs, compare two sizes fairly, and choose one for your own model.
#
# | | |
# |---|---|
# | You need | notebooks 01, 04 and 05; 07 for how experiments are run |
# | Time to read | about 13 minutes |
# | Time to run | at the quick budget {{notebook_seconds("08_pitfalls_patch_size"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `training/`, `pretrained.py` |
#
# Let us begin with a puzzle. Which patches are better for a small model on CIFAR-10, those of 4 × 4 pixels or those of 8 × 8? Let us give both models the same amount of one thing:
#
# - **passes**: a pass, which others call an epoch, shows the model every training image once;
# - **time**, estimated for our CPU;
# - **FLOPs**, floating-point operations: here they are multiplications and additions.
#
# We compared them each way twice, in a short training and in a longer one:
#
# | both models get | short: 3 passes with 4 × 4, against | longer: 10 passes with 4 × 4, against |
# |---|---|---|
# | the same passes | 3 passes with 8 × 8: ? | 10 passes with 8 × 8: ? |
# | about the same time | 9 passes with 8 × 8: ? | 30 passes with 8 × 8: ? |
# | about the same FLOPs | 12 passes with 8 × 8: ? | 40 passes with 8 × 8: ? |
#
# Which size wins in each of the six? **Write down your guesses**, and allow for a tie.
# {{assert [recorded(*of)[0].run.training.epochs for of in (("patch_size", "P = 8"), ("patch_size_at_equal_time_short", "P = 8, 3 × the passes"), ("patch_size_longer", "P = 8, 4 × the passes"), ("patch_size_and_passes", "P = 8, 10 passes"), ("patch_size_at_equal_time", "P = 8, 30 passes"), ("patch_size_at_equal_time", "P = 8, 40 passes"))] == [3, 9, 12, 10, 30, 40]}}
# {{assert 0.95 < 10 * patch_cost(4).flops / (40 * patch_cost(8).flops) < 1.05 and 0.95 < 3 * patch_cost(4).seconds / (9 * patch_cost(8).seconds) < 1.05}}

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from skimage import data

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    diagrams,
    load_dataset,
    load_image,
    plots,
)
from vit_minimal.experiments import (
    as_table,
    key,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
)
from vit_minimal.records import read_records
from vit_minimal.training import estimate_seconds

# %% [markdown]
# ## What a patch size costs
#
# Here is one photograph of 32 × 32 pixels, cut at five patch sizes. P is the side of a patch in pixels. Each patch becomes one token, which is all that the model gets of it.

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)
diagrams.cuts(cat, (2, 4, 8, 16, 32), title="One photograph, five patch sizes")

# %% [markdown]
# Halving the patch side gives four times as many patches. Does it also make four times the work? Let us count the FLOPs. Multiplying matrices of shapes (a, b) and (b, c) takes 2·a·b·c of them. A block with T tokens of width D does two kinds of products; r says how many times as wide as a token the hidden layer of the MLP is.
#
# | | the products | FLOPs | with four times the tokens |
# |---|---|---|---|
# | **every token goes through the matrices** | queries, keys, values and the projection behind attention: four matrices of D × D; the MLP: two of D × r·D | (8 + 4r)·T·D² | four times the work |
# | **every token is compared with every other** | the scores QKᵀ, and the weighted sum of the values | 4·T²·D | sixteen times the work |
#
# So is it four, or sixteen? **Guess**, and then let us count for a small model: four blocks, D = 96, r = 2. All results on record in this notebook come from this model.
# {{assert plan("patch_size", "full", 0)["P = 4", 1]["model"]["depth"] == 4}}

# %% tags=["nbval-check-output"]
D, r, blocks = 96, 2, 4
SIZES = (32, 16, 8, 4, 2)


def work_of(P):
    """The FLOPs of one image, forward: pixels to tokens, matrices, pairs of tokens."""
    T = (32 // P) ** 2 + 1  # patches, and the class token
    return 2 * 3 * 32**2 * D, blocks * (8 + 4 * r) * T * D**2, blocks * 4 * T**2 * D


rows = read_records("../data/results/patch_size.json")
rows = next(record["rows"] for record in rows if record["part"] == "cost")
costs = {row["patch_size"]: row for row in rows}  # on record
for P in SIZES:  # PyTorch counts the same, and 1,920 for the head
    assert sum(work_of(P)) + 2 * D * 10 == costs[P]["flops"]
    print(f"P = {P:2}: {costs[P]['tokens']:3} tokens, {sum(work_of(P)) / 1e6:5.1f} million FLOPs")

# %% [markdown]
# We also timed 16 images on our CPU, forward and backward. Beside each line stands the factor of each halving.

# %% tags=["hide-input"]
_, axis = plt.subplots(figsize=(6.6, 3.5), layout="constrained")
places, said = range(len(SIZES)), []
for index, (what, name) in enumerate({"flops": "FLOPs", "seconds": "time on our CPU"}.items()):
    relative = [costs[P][what] / costs[SIZES[0]][what] for P in SIZES]
    colour, linestyle, marker = (("#6A3D9A", "-", "^"), ("#8A6D00", "--", "v"))[index]
    axis.semilogy(places, relative, color=colour, linestyle=linestyle, marker=marker)
    look = {"color": colour, "size": 10.5, "textcoords": "offset points"}
    axis.annotate(name, (4, relative[-1]), (8, 0), va="center", weight="bold", **look)
    shift, ha, va = (((-6, 5), "right", "bottom"), ((6, -5), "left", "top"))[index]
    for place in places[1:]:
        factor = relative[place] / relative[place - 1]
        middle = (place - 0.5, (relative[place] * relative[place - 1]) ** 0.5)
        axis.annotate(f"× {factor:.1f}", middle, shift, ha=ha, va=va, **look)
    said.append(f"{name} at P = 2: {relative[-1]:.0f} times that at P = 32")
axis.set_xticks(places, [f"P = {P}" for P in SIZES])
axis.set_yticks((1, 10, 100), ("1", "10", "100"))
axis.set(xlim=(-0.2, 5.5), ylim=(0.6, 250), ylabel="times that of P = 32")
axis.set_title("What each halving of the patch side costs")
axis.grid(axis="y", alpha=0.3)
axis.spines[["top", "right"]].set_visible(False)
plots.show(
    "two lines that rise from P = 32 to P = 2, that of the FLOPs more steeply than that of the time",
    "What each halving of the patch side costs",
    said,
)

# %% [markdown]
# The FLOPs grow about fourfold only in the middle, from P = 8 to P = 4. The first halving doubles them, and the last makes them {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times as many. **And FLOPs are not seconds:** at every halving, the time grows less. Why do the factors of the FLOPs differ so much? Let us see what they go into.
# {{assert all(patch_cost(P).seconds / patch_cost(2 * P).seconds < patch_cost(P).flops / patch_cost(2 * P).flops for P in (2, 4, 8, 16))}}
# {{assert 1.9 < patch_cost(16).flops / patch_cost(32).flops < 2.1 and 4 < patch_cost(4).flops / patch_cost(8).flops < 4.2 and 3.2 > patch_cost(8).flops / patch_cost(16).flops}}

# %% tags=["hide-input"]
work = {f"P = {P}": work_of(P) for P in (*SIZES, 1)}
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
axis.set(
    xlim=(0, 123), xticks=range(0, 101, 25), title="Set-up A: what the FLOPs of one image go into"
)
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
# At P = 32, a third of the work is turning pixels into tokens, which costs the same at every size. So a halving costs less than fourfold. At P = 1, where each pixel is a patch, 73 % of the work is comparing tokens, and that part grows sixteenfold.
#
# ## First round: equal passes, or equal FLOPs?
#
# Suppose that all sizes get three passes. Is a small patch then better than a large one? And is that fair? A pass with P = 8 takes a quarter of the FLOPs of one with P = 4. Who is ahead if P = 8 gets four times the passes, and P = 16 twelve times? **Guess** both answers.
#
# **Where the numbers come from.** We trained the model above on {{records("experiments_cifar10_full")[0].trained_on:,}} images of CIFAR-10 and tested it on 10,000. The learning rate is the same for all sizes. It falls to zero by the end of each training, however short. A setting has three seeds or more, unless we say so. Every ± and every error bar is a 95 % interval, and we call two settings different if the interval of their *difference* does not contain zero.
# {{assert len({of.learning_rate for name in ("patch_size", "patch_size_longer", "patch_size_at_equal_time", "patch_size_at_equal_time_short", "patch_size_and_passes") for of in experiment(name).values()}) == 1}}
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert all(len(of.accuracies) >= 3 for name in ("patch_size", "patch_size_longer", "patch_size_at_equal_time", "patch_size_at_equal_time_short") for setting, of in experiment(name).items() if setting != "P = 8, 40 passes") and len(runs("patch_size_and_passes", "P = 8, 10 passes").accuracies) >= 3}}
# {{assert all(r.run.training.schedule == "cosine" for r in recorded("patch_size", "P = 4"))}}
# {{assert all(r.run.training.epochs == 3
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# {{assert [recorded("patch_size_longer", name)[0].run.training.epochs for name in experiment("patch_size_longer")] == [3, 1, 12, 36, 72]}}
# {{assert all(r.precision == ("float32" if name == "P = 2" else "bfloat16")
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}

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
figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.9), sharey=True, layout="constrained")
panels = {  # title: of each patch size the setting and its passes
    "the same passes": {P: (f"P = {P}", 3) for P in EQUAL_FLOPS},
    "about the same FLOPs": EQUAL_FLOPS,
}
for axis, (title, settings) in zip(axes, panels.items(), strict=True):
    found = [reached[name] for name, _ in settings.values()]
    means, widths = [100 * one.mean for one in found], [100 * one.width for one in found]
    alike = 0 if axis is axes[0] else 1  # on the right, P = 2 had more FLOPs and stands alone
    axis.plot(range(alike, len(means)), means[alike:], color="#999999", linewidth=1, zorder=1)
    for place, (P, mean, width) in enumerate(zip(settings, means, widths, strict=True)):
        style = plots.curve_style({4: 0, 8: 1, 16: 2, 32: 3, 2: 4}[P]) | {"linestyle": "none"}
        filled = {} if place >= alike else {"markerfacecolor": "white"}
        axis.errorbar(place, mean, width, capsize=3, markersize=7, **style, **filled)
        at = {"textcoords": "offset points", "ha": "center", "color": style["color"], "size": 10.5}
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axis.annotate(f"{mean:.1f}", (place, mean), (0, 11), **at, weight="bold", bbox=white)
    ticks = [f"{P}\n{passes}" for P, (_, passes) in settings.items()]
    axis.set_xticks(range(len(settings)), ticks, size=10.5)
    axis.set(title=title, xlim=(-0.5, 4.5), ylim=(45, 76))
    axis.grid(axis="y", alpha=0.3)
under = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
axes[0].annotate("P\npasses", (0, 0), (-5, -6), ha="right", va="top", size=10.5, **under)
factor = costs[2]["flops"] / (3 * costs[4]["flops"])
axes[1].text(-0.42, 53.6, f"{factor:.1f} times\nthe FLOPs", va="top", size=10)
axes[0].set_ylabel("test accuracy on CIFAR-10 in %")
figure.suptitle("A short training: patch sizes compared in two ways", fontsize=12)
plots.show(
    "two panels, accuracy over patch size: after the same passes it falls from P = 4 to P = 16, and "
    "P = 2 is no better than P = 4; at about the same FLOPs P = 8 is highest",
    "Equal passes and equal FLOPs",
    [f"{name} {100 * one.mean:.1f} %" for name, one in reached.items()],
)

# %% [markdown]
# **At equal passes P = 4 is ahead of P = 8 by {{loss(runs("patch_size", "P = 8")):±.1p}} points. At equal FLOPs P = 8 is ahead of P = 4 by {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")):±.1p}}.** (Differences are taken before rounding.)
#
# Neither trend goes on for ever. On the left, we see no difference between P = 2 and P = 4. On the right, P = 32 falls far behind P = 4, and P = 16 is {{loss(runs("patch_size_longer", "P = 16, 12 × the passes")):±.1p}} points behind. But its 36 passes take {{1 - 36 * patch_cost(16).flops / (3 * patch_cost(4).flops):.0%}} fewer FLOPs than three of P = 4, which may have made a part of this small gap. P = 2 stands alone, because a single pass already takes nearly twice the FLOPs.
# {{assert below(runs("patch_size", "P = 8"), runs("patch_size", "P = 4"))}}
# {{assert below(runs("patch_size_longer", "P = 4"), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert differs(runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert below(runs("patch_size", "P = 16"), runs("patch_size", "P = 8"))}}
# {{assert not differs(runs("patch_size", "P = 2"))}}
# {{assert differs(runs("patch_size_longer", "P = 16, 12 × the passes"))}}
# {{assert -runs("patch_size_longer", "P = 32, 24 × the passes").difference > 0.05}}
# {{assert 1.8 < patch_cost(2).flops / (3 * patch_cost(4).flops) < 2}}
#
# ## Second round: your machine's time, and a longer training
#
# So P = 8 has won a round. But perhaps what limits your training is time, not FLOPs. In the time of one pass with P = 4, how many passes with P = 8 can be made? By FLOPs it is about four. We timed 16 images on our CPU and estimated {{patch_cost(4).seconds / patch_cost(8).seconds:.1f}}. How many is it on **your** machine? The next cell times batches of 128, as a real training takes them. (`estimate_seconds`, from the package, makes a few steps of a training and works out how long the whole would take.)
# {{assert 2.8 < patch_cost(4).seconds / patch_cost(8).seconds < 3.1}}

# %%
dataset = load_dataset()  # for the saved run we asked for Shapes-10, drawings of simple shapes
few = dataset.first(1_280, 10)  # a pass of ten batches is enough for a clock


def seconds_of_a_pass(P):
    """The time of one pass over few images, from three steps of the model above."""
    run = plan("patch_size", "full", seed=0)[f"P = {P}", 1]
    config = TrainingConfig(**run["training"] | {"epochs": 1, "validation_images": 0})
    return estimate_seconds(VisionTransformer(ViTConfig(**run["model"])), few, config, steps=3)


tries = [(seconds_of_a_pass(4), seconds_of_a_pass(8)) for _ in range(8)]
small, large = (min(seconds) for seconds in zip(*tries, strict=True))  # others only add time
bought = small / large
print(f"on your machine one pass of P = 4 buys {bought:.1f} passes of P = 8")

# %% [markdown]
# In our tries, it came out between about three and four. Other programs disturb a clock, so run the cell twice. If you too get more than {{patch_cost(4).seconds / patch_cost(8).seconds:.1f}}, there is a likely reason: each operation has a fixed cost, which weighs more with only 16 images, and most of all at P = 8, where there is least to do. So our estimate is probably kind to P = 4.
#
# The next picture marks your number. **Guess again** before you look: what changes when P = 4 gets ten passes in place of three?

# %% tags=["hide-input"]
names = ("patch_size_at_equal_time_short", "patch_size_at_equal_time", "patch_size_and_passes")
short, long, tens = (summarize(name, "full", cifar10, spread) for name in names)
trainings = {  # by how much P = 8 is ahead at 1, 3 and 4 passes for each of P = 4
    "short": (reached["P = 8"], short["P = 8, 3 × the passes"], reached["P = 8, 4 × the passes"]),
    "longer": (tens["P = 8, 10 passes"], long["P = 8, 30 passes"], long["P = 8, 40 passes"]),
}
_, axis = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
axis.axhline(0, color="gray", linewidth=1)
axis.text(0.55, 0.3, "above: P = 8 is ahead", color="#555555", size=10)
axis.text(0.55, -0.3, "below: P = 4 is ahead", color="#555555", size=10, va="top")
axis.axvline(bought, color="#777777", linestyle=":", zorder=0)
axis.text(bought, 4.7, "your machine", color="#555555", size=10, ha="center")
passes_of = {"short": "3 passes of P = 4", "longer": "10 passes of P = 4"}
said = []
for index, (name, leads) in enumerate(trainings.items()):
    points = [100 * lead.difference for lead in leads]
    widths = [100 * lead.difference_width for lead in leads]
    colour, linestyle, marker = (("#6A3D9A", "-", "^"), ("#8A6D00", "--", "v"))[index]
    places = [place + (-0.04, 0.04)[index] for place in (1, 3, 4)]
    axis.errorbar(
        places, points, widths, capsize=4, color=colour, ls=linestyle, marker=marker, ms=7
    )
    shift, ha = (((-8, 9), "right"), ((8, -10), "left"))[index]
    at = {"textcoords": "offset points", "va": "center", "color": colour, "size": 10.5}
    for place, y in zip(places, points, strict=True):
        where = (shift, ha) if place > 1.5 else ((-8, 9), "right")
        axis.annotate(f"{y:+.1f}".replace("-", "−"), (place, y), where[0], ha=where[1], **at)
    at = {"color": colour, "weight": "bold", "size": 10.5, "va": "center"}
    axis.text(*((0.62, -4.2), (1.7, -9.7))[index], f"{name}:\n{passes_of[name]}", **at)
    said.append(f"{name}: " + ", ".join(f"{y:+.1f}" for y in points))
ticks = ("1\nequal passes", "3\nequal time,\nestimated", "4\nequal\nFLOPs")
axis.set_xticks((1, 3, 4), ticks)
axis.set(xlim=(0.5, 4.7), ylim=(-12, 5.6), ylabel="points by which P = 8\nis ahead on test images")
axis.set_xlabel("passes of P = 8 for each pass of P = 4")
axis.set_title("CIFAR-10: the six comparisons", pad=10)
axis.grid(axis="y", alpha=0.3)
plots.show(
    "two lines that rise from left to right: the short training ends above 0, the longer one below",
    "The six comparisons",
    said,
)

# %% [markdown]
# **P = 8 wins one comparison of six: equal FLOPs in a short training.** From right to left:
#
# - **Equal FLOPs**: the lead of {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")):+±.1p}} points turns into {{gain(runs("patch_size_at_equal_time", "P = 8, 40 passes")):+±.1p}} in the longer training. With 40 passes, P = 8 has {{len(runs("patch_size_at_equal_time", "P = 8, 40 passes").accuracies):d}} seed, so this interval is wider.
# - **Equal time**, by our estimate: in the short training we see no difference, {{gain(runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes")):+±.1p}}. In the longer one it is {{gain(runs("patch_size_at_equal_time", "P = 8, 30 passes")):+±.1p}}.
# - **Equal passes**: P = 8 is far behind, {{gain(runs("patch_size", "P = 8")):+±.1p}} in the short training and {{gain(runs("patch_size_and_passes", "P = 8, 10 passes")):+±.1p}} in the longer one.
#
# Where does your machine stand on the axis? In a short training the winner depends on that: at three there is a tie, and at four P = 8 wins. Well below three, P = 4 probably wins. **In the longer training P = 4 wins at all three places**, so there the exact number matters less.
# {{assert not differs(runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes"))}}
# {{assert differs(runs("patch_size_at_equal_time", "P = 8, 40 passes")) and runs("patch_size_at_equal_time", "P = 8, 40 passes").difference < 0}}
# {{assert differs(runs("patch_size_at_equal_time", "P = 8, 30 passes")) and runs("patch_size_at_equal_time", "P = 8, 30 passes").difference < 0}}
# {{assert differs(runs("patch_size_and_passes", "P = 8, 10 passes")) and runs("patch_size_and_passes", "P = 8, 10 passes").difference < -0.08}}
# {{assert len(runs("patch_size_at_equal_time", "P = 8, 40 passes").accuracies) == 1}}
#
# **Could we have saved the short trainings?** No: do not read a short training off the curve of a longer one. Here are the two longer trainings of equal time, tried on the validation images after every pass. After three of its ten passes, P = 4 stands at {{mean([r.validation_curve[2] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]):.0%}}. The star is another training of P = 4, which had three passes in all and reached {{mean([r.validation_accuracy for r in recorded("patch_size", "P = 4")]):.0%}}. By its end its learning rate had fallen to zero, which probably helps; on the curve it is still high.
# {{assert mean([r.validation_curve[2] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]) < mean([r.validation_accuracy for r in recorded("patch_size", "P = 4")]) - 0.03}}
# {{assert mean([r.validation_curve[11] for r in recorded("patch_size_at_equal_time", "P = 8, 30 passes")]) < runs("patch_size_longer", "P = 8, 4 × the passes").mean - 0.02}}
# {{assert formatted(10 * 45_000 / 16 * patch_cost(4).seconds, "about") == formatted(30 * 45_000 / 16 * patch_cost(8).seconds, "about") == "9\N{NO-BREAK SPACE}min"}}

# %% tags=["hide-input"]
on_record = {key(record["run"]): record for record in cifar10}


def minutes_of(passes, P):
    """What so many passes take, estimated from the time of 16 images."""
    return passes * 45_000 / 16 * costs[P]["seconds"] / 60


def recorded(experiment, setting):
    """The records of one setting of an experiment, of all seeds that there are."""
    planned = (plan(experiment, "full", seed)[setting, 1] for seed in range(20))
    return [on_record[key(run)] for run in planned if key(run) in on_record]


panes = {"sharex": True, "layout": "constrained", "gridspec_kw": {"height_ratios": (3, 1.3)}}
figure, (axis, strip) = plt.subplots(2, 1, figsize=(6.6, 5), **panes)
courses, said = {}, []
for index, (P, passes) in enumerate({4: 10, 8: 30}.items()):
    found = recorded("patch_size_at_equal_time", f"P = {P}, {passes} passes")
    found = 100 * torch.tensor([record["validation_curve"] for record in found])
    courses[P] = course = found.mean(dim=0)  # of the seeds
    minutes = [minutes_of(count, P) for count in range(1, passes + 1)]
    axis.plot(minutes, course, **plots.curve_style(index) | {"linewidth": 1.5, "markersize": 4})
    y, side = ((83, "bottom"), (71, "top"))[index]  # above its curve, and below
    at = {"color": plots.OKABE_ITO[index], "weight": "bold", "ha": "right", "va": side}
    axis.text(9.5, y, f"P = {P}, {passes} passes: {course[-1]:.1f} %", size=10.5, **at)
    said.append(f"P = {P} ends at {course[-1]:.0f} %")
alone = [record["validation_accuracy"] for record in recorded("patch_size", "P = 4")]
alone, minute = 100 * sum(alone) / len(alone), minutes_of(3, 4)
look = {"color": plots.OKABE_ITO[0], "size": 10.5}
look["arrowprops"] = {"arrowstyle": "-", "color": plots.OKABE_ITO[0], "lw": 0.8}
words = f"P = 4 after 3 of 10 passes: {courses[4][2]:.0f} %"
axis.annotate(words, (minute, courses[4][2].item()), (3.1, 52), **look)
axis.plot(minute, alone, "*", color=plots.OKABE_ITO[0], ms=12, zorder=4)
axis.annotate(f"P = 4, 3 passes in all: {alone:.0f} %", (minute, alone), (0.3, 80), **look)
said.append(f"P = 4 {courses[4][2]:.0f} % after 3 of 10 passes, {alone:.0f} % if these are all")
axis.set(ylim=(30, 90), ylabel="validation\naccuracy in %")
axis.set_title("CIFAR-10: about nine minutes each (means of the seeds)", fontsize=11.5)
leads = courses[8][2::3] - courses[4]  # three passes of P = 8 take about the time of one of P = 4
minutes = [minutes_of(count, 4) for count in range(1, 11)]
strip.axhline(0, color="gray", linewidth=1)
strip.bar(
    minutes, leads, width=0.35, zorder=2, color=[plots.OKABE_ITO[int(lead > 0)] for lead in leads]
)
strip.set(
    xlim=(0, 9.7), ylim=(-5.5, 5.5), xticks=range(10), ylabel="points by which\nP = 8 is ahead"
)
strip.set_xlabel("minutes of training, estimated from 16 images")
for part in (axis, strip):
    part.grid(alpha=0.3)
plots.show(
    "two curves over nine minutes and bars for their difference: P = 8 is higher at first, P = 4 is "
    "ahead from its third pass on; a star shows that three passes with P = 4 give more if they are "
    "the whole training",
    "About nine minutes each",
    said,
)

# %% [markdown]
# What the curves do show is one pair of trainings: P = 8 leads at first, and P = 4 is ahead from its third pass on, as the bars say.
# {{assert all(mean([r.validation_curve[3 * k - 1] for r in recorded("patch_size_at_equal_time", "P = 8, 30 passes")]) > mean([r.validation_curve[k - 1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]) for k in (1, 2))}}
# {{assert all(mean([r.validation_curve[3 * k - 1] for r in recorded("patch_size_at_equal_time", "P = 8, 30 passes")]) < mean([r.validation_curve[k - 1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]) for k in range(3, 11))}}
#
# ## Why does a longer training favour P = 4?
#
# At equal time and at equal FLOPs, a longer training favours P = 4. At equal passes it does not: there its lead even becomes a little smaller. How does that fit together? Is P = 8 perhaps too weak to learn the training images? Let us sort the runs by their passes, with the training loss of the last pass.
# {{assert differs(distance(gain(runs("patch_size_and_passes", "P = 8, 10 passes")), gain(runs("patch_size", "P = 8")))) and runs("patch_size_and_passes", "P = 8, 10 passes").difference > runs("patch_size", "P = 8").difference}}
#
# | passes | P = 4: training loss | P = 4: test accuracy | P = 8: training loss | P = 8: test accuracy |
# |---|---|---|---|---|
# | 3 | {{mean([r.train_loss[-1] for r in recorded("patch_size", "P = 4")]):.2f}} | {{runs("patch_size", "P = 4").mean:.1%}} | {{mean([r.train_loss[-1] for r in recorded("patch_size", "P = 8")]):.2f}} | {{runs("patch_size", "P = 8").mean:.1%}} |
# | 10 | {{mean([r.train_loss[-1] for r in recorded("patch_size_and_passes", "P = 4, 10 passes")]):.2f}} | {{runs("patch_size_and_passes", "P = 4, 10 passes").mean:.1%}} | {{mean([r.train_loss[-1] for r in recorded("patch_size_and_passes", "P = 8, 10 passes")]):.2f}} | {{runs("patch_size_and_passes", "P = 8, 10 passes").mean:.1%}} |
# | 12 | – | – | {{mean([r.train_loss[-1] for r in recorded("patch_size_longer", "P = 8, 4 × the passes")]):.2f}} | {{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}} |
# | 40 | – | – | {{mean([r.train_loss[-1] for r in recorded("patch_size_and_passes", "P = 8, 40 passes")]):.2f}} | {{runs("patch_size_and_passes", "P = 8, 40 passes").mean:.1%}} ({{len(runs("patch_size_and_passes", "P = 8, 40 passes").accuracies):d}} seed) |
#
# **P = 4 had more left to gain.** From 3 to 10 passes P = 4 gains {{distance(runs("patch_size_and_passes", "P = 4, 10 passes"), runs("patch_size", "P = 4")):±.1p}} points, and P = 8 no less: {{distance(runs("patch_size_and_passes", "P = 8, 10 passes"), runs("patch_size", "P = 8")):±.1p}}. But at equal FLOPs they do not start alike. After three passes P = 4 is far from finished, with a loss of {{mean([r.train_loss[-1] for r in recorded("patch_size", "P = 4")]):.2f}}. P = 8 has had twelve passes by then and stands at {{mean([r.train_loss[-1] for r in recorded("patch_size_longer", "P = 8, 4 × the passes")]):.2f}}. Another 28 bring it only {{distance(runs("patch_size_and_passes", "P = 8, 40 passes"), runs("patch_size_longer", "P = 8, 4 × the passes")):±.1p}} points more.
# {{assert distance(runs("patch_size_and_passes", "P = 8, 10 passes"), runs("patch_size", "P = 8")).mean > distance(runs("patch_size_and_passes", "P = 4, 10 passes"), runs("patch_size", "P = 4")).mean}}
#
# **P = 8 is not too weak.** After 40 passes its training loss is far below that of P = 4 after 10, and yet it is right for fewer test images. So the gap between training and test is larger for P = 8.
# {{assert max(r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 8, 40 passes")) < 0.5 * min(r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes"))}}
# {{assert max(r.train_loss[-1] for r in recorded("patch_size_longer", "P = 8, 4 × the passes")) < min(r.train_loss[-1] for r in recorded("patch_size", "P = 4"))}}
#
# **Is that the patch, or the repetition?** In part we can tell. Repetition did not hurt P = 8: its test accuracy is higher after 40 passes than after 10. And where both have seen each image ten times, P = 8 fits the training images less well *and* is behind in the test. So repetition alone does not explain why P = 8 is behind. But would P = 4 open such a gap too, if it saw each image forty times? These runs do not tell.
# {{assert below(runs("patch_size_and_passes", "P = 8, 10 passes"), runs("patch_size_and_passes", "P = 8, 40 passes")) and min(r.train_loss[-1] for r in recorded("patch_size_and_passes", "P = 8, 10 passes")) > max(r.train_loss[-1] for r in recorded("patch_size_and_passes", "P = 4, 10 passes"))}}
#
# ## The puzzle, solved
#
# Here are the test accuracies, with the better one in bold.
#
# | both models get | short, 4 × 4 against 8 × 8 | longer, 4 × 4 against 8 × 8 |
# |---|---|---|
# | the same passes | **{{runs("patch_size", "P = 4").mean:.1%}}** against {{runs("patch_size", "P = 8").mean:.1%}} | **{{runs("patch_size_and_passes", "P = 4, 10 passes").mean:.1%}}** against {{runs("patch_size_and_passes", "P = 8, 10 passes").mean:.1%}} |
# | about the same time | {{runs("patch_size", "P = 4").mean:.1%}} against {{runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes").mean:.1%}}, a tie | **{{runs("patch_size_at_equal_time", "P = 4, 10 passes").mean:.1%}}** against {{runs("patch_size_at_equal_time", "P = 8, 30 passes").mean:.1%}} |
# | about the same FLOPs | {{runs("patch_size", "P = 4").mean:.1%}} against **{{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}}** | **{{runs("patch_size_at_equal_time", "P = 4, 10 passes").mean:.1%}}** against {{runs("patch_size_at_equal_time", "P = 8, 40 passes").mean:.1%}} ({{len(runs("patch_size_at_equal_time", "P = 8, 40 passes").accuracies):d}} seed) |
#
# So "smaller is better" needs two additions: what was held equal, and how long the training was. **What could change these results:** a learning rate tuned for each size, more images, or stronger augmentation.
#
# > ### What to do in your own model
# >
# > 1. Decide what limits your training. If it is time, measure it on your machine, as you did here.
# > 2. Train two neighbouring patch sizes, for example P = 8 and P = 16, each in all the time that you have, with a schedule that ends when the time ends.
# > 3. Keep the size that is better on your validation images. Compare again when you have more time or more images.
# >
# > If you want other patches for a model that is trained already, `resize_patches` resamples its weights; [exercises 08](exercises/08_pitfalls_patch_size.ipynb) show how.
#
# **Try it on your machine.** The next cell repeats the first comparison of the puzzle with a smaller model (two blocks, D = 64): both sizes get five passes over 2,000 images.

# %%
compared = run_experiment("patch_size", dataset=dataset, settings=["P = 4", "P = 8"], verbose=False)
print(as_table(compared))

# %% [markdown]
# In the run saved here, on drawn shapes, P = 4 is ahead too. The intervals of the two accuracies overlap, but the difference is taken seed by seed, and it is clear: a seed that is lucky for one size is lucky for the other.
#
# <details><summary>For a second visit: the intervals, the minutes, both ends, and whether it was the steps</summary>
#
# **The intervals.** The spread between seeds is pooled over all our experiments on CIFAR-10 (notebook 10), because three seeds alone say little about it. P = 4 with three passes has {{len(runs("patch_size", "P = 4").accuracies):d}} seeds. In the last cell above, the spread comes from the three differences that you see.
#
# **The minutes.** We timed 16 images in float32, but the trainings used batches of 128 and bfloat16. The 40 passes of P = 8 are a little short, too: exactly equal FLOPs would be {{10 * patch_cost(4).flops / patch_cost(8).flops:.1f}}.
#
# **Both ends.** At equal passes, P = 2 differs from P = 4 by {{gain(runs("patch_size", "P = 2")):±.1p}} points; it was trained in float32, which is more exact than the bfloat16 of the others. P = 32 and P = 16 cannot be told apart. At equal FLOPs both ends are far behind. We did not test why.
# {{assert all(r.precision == "bfloat16" for name in experiment("patch_size_longer") if name[:6] != "P = 2," for r in recorded("patch_size_longer", name))}}
# {{assert not differs(distance(runs("patch_size", "P = 16"), runs("patch_size", "P = 32")))}}
# {{assert differs(runs("patch_size_longer", "P = 2, a third of the passes"))}}
#
# **Steps.** With four times the passes, P = 8 also had four times the steps, which are updates of the weights. We gave P = 4 as many steps in its three passes, by batches of 32 images in place of 128. It reached {{runs("patch_size_updates", "P = 4, batches of 32", rate=1):±.1%}}, still behind the {{runs("patch_size_longer", "P = 8, 4 × the passes"):±.1%}} of P = 8. With half the learning rate it was {{distance(runs("patch_size_longer", "P = 8, 4 × the passes"), runs("patch_size_updates", "P = 4, batches of 32", rate=0.5)):±.1p}} points behind ({{len(reached("patch_size_updates", "P = 4, batches of 32", 0.5)):d}} seed), which is a borderline case. So a tuned rate may bring P = 4 level with P = 8 at equal FLOPs. Smaller batches also make each step noisier, so this does not tell what the passes alone did.
# {{assert abs(distance(runs("patch_size_longer", "P = 8, 4 × the passes"), runs("patch_size_updates", "P = 4, batches of 32", rate=0.5)).mean - distance(runs("patch_size_longer", "P = 8, 4 × the passes"), runs("patch_size_updates", "P = 4, batches of 32", rate=0.5)).width) < 0.002}}
# {{assert below(runs("patch_size_updates", "P = 4, batches of 32", rate=1), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert len(reached("patch_size_updates", "P = 4, batches of 32")) == 3 and len(reached("patch_size_updates", "P = 4, batches of 32", 0.5)) == 1}}
# {{assert all(r.run.training.batch_size == 128 for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# </details>
#
# ## Questions
#
# <details><summary>Your images are 224 × 224, P = 16, and the model is a ViT-B, with D = 768 and r = 4. You halve P. How many times the FLOPs does a block take? And in a model as narrow as ours, with D = 96 and r = 2?</summary>
#
# About 4.5 times in ViT-B, and 8.0 times in the narrow one. T grows from 197 to 785, so the matrices cost about four times as much, and comparing tokens about sixteen times. In ViT-B the comparing is 4 % of a block before and 15 % after. In the narrow block it is 34 % before and 67 % after. The narrower the tokens, the sooner attention takes over.
# </details>
#
# <details><summary>Somebody finds P = 8 better than P = 4, "at the same training time". Somebody else finds the opposite, "after the same passes". Who is right?</summary>
#
# Both may be, because they held different things equal: after the same passes, P = 8 has had a quarter of the FLOPs, and less time. Ask both of them how long they trained, too. In our runs, P = 8 won only at equal FLOPs, and only in a short training.
# </details>
#
# **Try it yourself:** [exercises 08](exercises/08_pitfalls_patch_size.ipynb), with checks that say what is wrong.
#
# **Next:** [09 · the class token mishandled, and its rivals](09_pitfalls_class_token.ipynb). Two sayings about patch sizes, "large patches miss detail" and "small patches are noisy", have a notebook of their own: [16](16_detail_and_noise.ipynb).

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

# %% [markdown] tags=["exercise-only"]
# ## Before 8.4: other patches for a trained model
#
# **You may skip this and the next cell.** A model was trained with patches of 4 × 4 on images of 32 × 32. Now it is to read images of 64 × 64 at the same cost. With patches of 8 × 8 it gets as many tokens as before, and each holds the same part of the picture. So its kernels, which have 4 × 4 weights for each colour channel, must become kernels of 8 × 8. How?
#
# Let us make everything small: a patch of two pixels, a kernel of two weights, and their dot product. Then the patch is enlarged to four pixels. Which kernel of four weights gives the same dot product? We could resize the kernel like an image. But then there are twice as many products to add up, so we also try half of that kernel.
#
# [FlexiViT](https://arxiv.org/abs/2212.08013) asks for the right kernel directly. A matrix B of shape (4, 2) enlarges a patch: x becomes Bx. We want a kernel w′ with w′·Bx = w·x for every x, which means Bᵀw′ = w. These are two equations for four weights, so infinitely many kernels solve them. The pseudo-inverse of Bᵀ gives the shortest of those. **Guess:** which of the three kernels give the old dot product again?


# %% tags=["exercise-only"]
def enlarged(pixels):
    """Two numbers → four, between the old ones on straight lines."""
    return F.interpolate(pixels[None, None], size=4, mode="linear")[0, 0]


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
torch.testing.assert_close(B.T @ larger, kernel)  # so the last one is right for every patch

# %% [markdown] tags=["exercise-only"]
# Of these three only the pseudo-inverse gives 5 again, and it does so for every patch that is enlarged. When a patch is made *smaller*, most kernels cannot be matched, because two patches that differ may become the same.
#
# If the grid of patches changes, the positions must change too. That is the next exercise.

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


# %% [markdown] tags=["exercise-only"]
# ## After 8.4: a whole model
#
# **This too you may skip.** `resize_patches` resamples all kernels of a model, and its positions. We train a model with P = 4 for half a minute, and give it patches of 8 × 8 for images of 64 × 64 in the three ways. Each line shows its accuracy on 1,000 test images, and the difference from the model as trained, with a 95 % interval. It comes from the images, which both models judge one by one. The last number tells how far the new patch tokens are from the old ones, relative to their size.


# %% tags=["exercise-only", "shows"]
import copy

from vit_minimal import load_dataset, resize_patches
from vit_minimal.augment import normalize
from vit_minimal.experiments import plan, train_run
from vit_minimal.training import predict

part = load_dataset().first(2_500, 1_000)
model, _ = train_run(plan("patch_size", "quick", seed=0)["P = 4", 1], part)
model.eval()


def judged(model, pictures):
    """Which images are right, 0 or 1 for each, and all patch tokens."""
    with torch.no_grad():
        right = predict(model, pictures).argmax(dim=1) == part.test_labels
        return right.float(), model.patch_embed(normalize(pictures))


larger = F.interpolate(part.test_images.float(), size=64, mode="bilinear", antialias=True)
larger = larger.round().to(torch.uint8)  # images of 64 × 64

exact = resize_patches(model, patch_size=8, image_size=64)  # its kernels by the pseudo-inverse
naive, divided = copy.deepcopy(exact), copy.deepcopy(exact)  # these get other kernels:
resized = F.interpolate(model.patch_embed.proj.weight.data, size=8, mode="bilinear")
naive.patch_embed.proj.weight.data = resized
divided.patch_embed.proj.weight.data = resized / 4  # four times the pixels

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

# %% [markdown] tags=["exercise-only"]
# On drawn shapes, kernels resized like images put our tokens off by more than twice their own size. Yet the model lost only a few points, probably because the norm in the first block takes out much of a common factor. The other two kernels gave nearly the old tokens. The remaining error of the pseudo-inverse comes from enlarging whole images: pixels are mixed across the borders of patches, and values are rounded.
#
# The model of CIFAR-10 that the package ships was right for {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy:.1%}} of 10,000 images as trained, and for {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy:.1%}} with P = 8 at 64 × 64. If image and patch do not grow together, each token covers another window, and the model loses a lot:
# {{assert only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy - only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy < 0.005}}
#
# | | a token covers | grid | accuracy |
# |---|---|---|---|
# | P = 8 at 32 × 32 | 8 × 8 original pixels | 4 × 4 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=32).accuracy:.1%}} |
# | P = 4 at 64 × 64 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=64).accuracy:.1%}} |
# | P = 2 at 32 × 32 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=2, image_size=32).accuracy:.1%}} |
#
# The last two have the same windows and grid. P = 2 is worse, probably because most kernels cannot be matched when they are made smaller.

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
