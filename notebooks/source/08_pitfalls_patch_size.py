# %% [markdown]
# # 08 · Pitfalls, measured: the size of a patch
#
# **After this notebook you can** say what a patch size costs, compare two sizes fairly, and choose one for your own model.
#
# | | |
# |---|---|
# | You need | notebooks 01, 04 and 05; 07 for how experiments are run |
# | Time to read | about 15 minutes |
# | Time to run | at the quick budget {{notebook_seconds("08_pitfalls_patch_size"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `training/`, `pretrained.py` |
#
# The 16 in the name ViT-B/16 is the side of a patch, in pixels. After the same training, one size can be ten points of accuracy better than the next.
#
# Here is a puzzle. Which patches are better for the small model (four blocks, D = 96) on CIFAR-10, those of 4 × 4 pixels or those of 8 × 8? Both get the same amount of one thing: **epochs**, **time**, or **FLOPs**, the additions and multiplications. The comparison is made in a short training and in a longer one:
#
# | both models get | short: 4 × 4 and 8 × 8 train for | your guess | longer | your guess |
# |---|---|---|---|---|
# | the same epochs | 3 and 3 epochs | | 10 and 10 epochs | |
# | about the same time | 3 and 9 | | 10 and 30 | |
# | about the same FLOPs | 3 and 12 | | 10 and 40 | |
#
# Which size is better in each of the six comparisons, or is it not settled? **Write down your guesses.**
# {{assert [recorded(*of)[0].run.training.epochs for of in (("patch_size", "P = 8"), ("patch_size_at_equal_time_short", "P = 8, 3 × the epochs"), ("patch_size_longer", "P = 8, 4 × the epochs"), ("patch_size_and_epochs", "P = 8, 10 epochs"), ("patch_size_at_equal_time", "P = 8, 30 epochs"), ("patch_size_at_equal_time", "P = 8, 40 epochs"))] == [3, 9, 12, 10, 30, 40]}}
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
from vit_minimal.experiments import (  # most of these serve the folded cells, which draw
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
# Here is one photograph of 32 × 32 pixels, cut at five patch sizes. P is the side of a patch in pixels. Each patch becomes one token.

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)
diagrams.cuts(cat, (32, 16, 8, 4, 2), title="One photograph, five patch sizes")

# %% [markdown]
# Halving the patch side gives four times as many patches. Does it also make four times the work? **Guess** the factor of each of the four halvings.
#
# PyTorch counted the FLOPs of one image through the small model, and we timed a forward and a backward pass of 16 images on our CPU. The numbers beside the lines are the factors:
# {{assert [plan("patch_size", "full", 0)["P = 4", 1]["model"][of] for of in ("depth", "embed_dim", "mlp_ratio", "num_heads")] == [4, 96, 2, 3] and plan("patch_size", "full", 0)["P = 4", 1]["training"]["optimizer"] == "muon"}}

# %% tags=["hide-input"]
SIZES = (32, 16, 8, 4, 2)
rows = read_records("../data/results/patch_size.json")
rows = next(record["rows"] for record in rows if record["part"] == "cost")
costs = {row["patch_size"]: row for row in rows}  # on record
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
axis.set_title("The small model: what each halving of the patch side costs")
axis.grid(axis="y", alpha=0.3)
axis.spines[["top", "right"]].set_visible(False)
plots.show(
    "two lines that rise from P = 32 to P = 2, that of the FLOPs more steeply than that of the time",
    "What each halving of the patch side costs",
    said,
)

# %% [markdown]
# The FLOPs grow about fourfold only from P = 8 to P = 4; before that they grow less, and after it more. **And FLOPs are not seconds:** at every halving, the time grows less than the FLOPs. This is measured; the reason is our guess: small matrices do not fill the processor, and every operation has a fixed cost.
# {{assert all(patch_cost(P).seconds / patch_cost(2 * P).seconds < patch_cost(P).flops / patch_cost(2 * P).flops for P in (2, 4, 8, 16))}}
# {{assert 1.9 < patch_cost(16).flops / patch_cost(32).flops < 2.1 and 4 < patch_cost(4).flops / patch_cost(8).flops < 4.2 and 3.2 > patch_cost(8).flops / patch_cost(16).flops and 5 < patch_cost(2).flops / patch_cost(4).flops < 6}}
#
# ## Why the factors differ
#
# In notebook 04 we counted the FLOPs of a block. With T tokens of width D and an MLP that is r times as wide inside, there are two kinds:
#
# | | FLOPs of a block | with four times the tokens |
# |---|---|---|
# | **every token goes through the matrices** of attention and of the MLP | (8 + 4r)·T·D² | four times the work |
# | **every token is compared with every other**: QKᵀ, and the weighted sum of the values | 4·T²·D | sixteen times the work |
#
# Turning pixels into tokens is the third part. Here are all three for the small model, where r is 2: first pixels to tokens, then the two of the table.

# %% tags=["nbval-check-output"]
D, r, blocks = 96, 2, 4


def work_of(P):
    """The FLOPs of one image, forward: pixels to tokens, matrices, pairs of tokens."""
    T = (32 // P) ** 2 + 1  # patches, and the class token
    return 2 * 3 * 32**2 * D, blocks * (8 + 4 * r) * T * D**2, blocks * 4 * T**2 * D


for P in SIZES:  # PyTorch counted the same, and 1,920 for the head
    assert sum(work_of(P)) + 2 * D * 10 == costs[P]["flops"]
    parts = " + ".join(f"{part / 1e6:5.1f}" for part in work_of(P))
    print(f"P = {P:2}: {parts} = {sum(work_of(P)) / 1e6:5.1f} million FLOPs")

# %% tags=["hide-input"]
work = {f"P = {P}": work_of(P) for P in (*SIZES, 1)}
names_of_parts = ("pixels to tokens", "every token through the matrices")
names_of_parts += ("every token with every other",)
figure, axis = plt.subplots(figsize=(6.6, 3.4), layout="constrained")
left = [0.0] * len(work)
for index, name in enumerate(names_of_parts):
    shares = [100 * of[index] / sum(of) for of in work.values()]
    colour, ink = (("#E0D4EC", "black"), ("#A98BC8", "black"), ("#4B2673", "white"))[index]
    bars = axis.barh(list(work), shares, left=left, color=colour, label=name)
    inside = [f"{share:.0f} %" if share > 8 else "" for share in shares]
    axis.bar_label(bars, inside, label_type="center", color=ink, fontsize=10.5)
    left = [start + share for start, share in zip(left, shares, strict=True)]
for row, of in enumerate(work.values()):
    total = sum(of) / 1e6
    axis.text(102, row, f"{total:,.{1 if total < 100 else 0}f} million", va="center", size=10.5)
axis.invert_yaxis()
axis.set(xlim=(0, 123), xticks=range(0, 101, 25))
axis.set_title("The small model: what the FLOPs of one image go into")
axis.set_xlabel("share in %; beside the bar, all FLOPs")
axis.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plots.show(
    "a bar for each patch size, divided in three; the share of pixels to tokens is largest at "
    "P = 32, that of attention at P = 1",
    "What the FLOPs of one image go into",
    [f"{row} {sum(of) / 1e6:,.1f} million" for row, of in work.items()],
)

# %% [markdown]
# **At large patches** a halving costs less than fourfold, for two reasons. There is only ever one class token: from P = 32 to P = 16 the tokens grow from 2 to 5, not to 8. And turning pixels into tokens costs the same at every size.
#
# **At small patches**, comparing tokens takes over, the part that grows sixteenfold. At P = 1, where each pixel is a patch, it is 73 % of the work.
#
# ## How much time is it on your machine?
#
# To compare two sizes at equal time, you have to know your clock. In the time of one epoch with P = 4, how many epochs with P = 8 can **your** machine make? By FLOPs it is about four. `estimate_seconds` works it out from a few steps of a training.

# %%
dataset = load_dataset()  # Shapes-10 in the run saved here: drawings of simple shapes
ten_batches = dataset.first(1_280, 10)  # 1,280 images to train on, enough for a clock
training = TrainingConfig(epochs=1, batch_size=128, optimizer="muon")  # as in the runs on record


def seconds_of_an_epoch(P):
    """The time of one epoch with these images, from three steps of the small model."""
    config = ViTConfig(patch_size=P, embed_dim=D, depth=blocks, num_heads=3, mlp_ratio=r)
    return estimate_seconds(VisionTransformer(config), ten_batches, training, steps=3)


tries = [(seconds_of_an_epoch(4), seconds_of_an_epoch(8)) for _ in range(8)]
of_4, of_8 = (min(times) for times in zip(*tries, strict=True))  # other programs only add
print(f"on your machine one epoch of P = 4 buys {of_4 / of_8:.1f} epochs of P = 8")

# %% [markdown]
# In our tries it came out between 2.7 and four. Other programs disturb a clock, so run the cell twice. Below, "equal time" means three epochs with P = 8 for one with P = 4.
# {{assert 2.8 < patch_cost(4).seconds / patch_cost(8).seconds < 3.1}}
#
# ## A short training, compared in three ways
#
# Now both sizes are trained, on {{records("experiments_cifar10_full")[0].trained_on:,}} images of CIFAR-10 with the optimizer Muon, whose learning rate falls to zero by the end. The rate was found for P = 4, and the other sizes use it unchanged. In the picture, each mark is the mean of one setting's seeds. One unit of the axis is the FLOPs of one epoch with P = 8. An epoch with P = 4 costs about four units, so its three epochs stand at 12. The dotted line shows what they reach. Is P = 8 above that line? The number with a sign says by how many points.
#
# Every ± is half of a 95 % interval over seeds, three or more unless we say so. (It uses the spread of all settings together, so one seed has a ±, too, and a wider one.) The verdicts *better*, *worse*, *alike* and *not settled* are those of notebook 05, with a grey zone of one point.
# {{assert len({of.learning_rate for name in ("patch_size", "patch_size_longer", "patch_size_at_equal_time", "patch_size_at_equal_time_short", "patch_size_and_epochs") for of in experiment(name).values()}) == 1}}
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert all(len(of.accuracies) >= 3 for name in ("patch_size", "patch_size_longer", "patch_size_at_equal_time", "patch_size_at_equal_time_short") for setting, of in experiment(name).items() if setting != "P = 8, 40 epochs") and len(runs("patch_size_and_epochs", "P = 8, 10 epochs").accuracies) >= 3}}
# {{assert all((r.run.training.schedule, r.run.training.optimizer, r.run.training.learning_rate) == ("cosine", "muon", recorded("patch_size", "P = 4")[0].run.training.learning_rate) for of in (("patch_size", "P = 4"), ("patch_size", "P = 8"), ("patch_size_longer", "P = 8, 4 × the epochs"), ("patch_size_at_equal_time", "P = 4, 10 epochs"), ("patch_size_at_equal_time", "P = 8, 30 epochs")) for r in recorded(*of))}}
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
names = ("patch_size_at_equal_time_short", "patch_size_at_equal_time", "patch_size_and_epochs")
short, long, tens = (summarize(name, "full", cifar10, spread) for name in names)
SHORT = {  # epochs of P = 8: what they reached, what is equal, and where that is written
    3: (reached["P = 8"], "equal epochs", (9, -6), "left"),
    9: (short["P = 8, 3 × the epochs"], "equal time", (-9, 10), "right"),
    12: (reached["P = 8, 4 × the epochs"], "equal FLOPs", (6, 13), "left"),
}
LONGER = {
    10: (tens["P = 8, 10 epochs"], "equal epochs", (-14, 16), "right"),
    30: (long["P = 8, 30 epochs"], "equal time", (2, -27), "left"),
    40: (long["P = 8, 40 epochs"], "equal FLOPs", (9, 5), "left"),
}
OF_4 = {3: reached["P = 4"], 10: tens["P = 4, 10 epochs"], 40: tens["P = 4, 40 epochs"]}


def draw(compared, level, trainings, title):
    """All these trainings {P: {epochs: its Summary}}, and how P = 8 compares with `level` epochs of P = 4."""
    _, axis = plt.subplots(figsize=(6.6, 4.0), layout="constrained")
    said = []
    for index, (P, found) in enumerate(trainings.items()):
        places = [epochs * costs[P]["flops"] / costs[8]["flops"] for epochs in found]
        points = [100 * of.mean for of in found.values()]
        widths = [100 * of.width for of in found.values()]
        style = plots.curve_style(index)
        axis.errorbar(places, points, widths, capsize=3, markersize=6, label=f"P = {P}", **style)
        said += [f"P = {P}, {n} epochs: {y:.1f} %" for n, y in zip(found, points, strict=True)]
    line, colour = 100 * trainings[4][level].mean, plots.curve_style(0)["color"]
    axis.axhline(line, color=colour, linewidth=1, linestyle=":")
    words = f"P = 4, {level} epochs: {line:.1f} %"
    end, ha = (212, "right") if level == 3 else (2.5, "left")
    axis.text(end, line + 0.5, words, color=colour, weight="bold", size=10.5, ha=ha)
    for epochs, of in trainings[4].items():
        place = epochs * costs[4]["flops"] / costs[8]["flops"], 100 * of.mean
        shift, ha = ((8, -9), "left") if epochs == 3 else ((-8, 9), "right")
        at = {"textcoords": "offset points", "ha": ha, "va": "center", "size": 10}
        words = f"{epochs} epochs" + ("\n(one seed)" if len(of.accuracies) == 1 else "")
        axis.annotate(words, place, shift, color=colour, **at)
    for epochs, (of, equal, shift, ha) in compared.items():
        axis.vlines(epochs, *sorted((100 * of.mean, line)), color="gray", linewidth=1, zorder=0)
        lead = f"{100 * of.difference:+.1f}".replace("-", "−")
        at = {"textcoords": "offset points", "ha": ha, "va": "center", "size": 10}
        color = plots.curve_style(1)["color"]
        words = f"{equal}\n{epochs} epochs: {lead}"
        words += "\n(one seed)" if len(of.accuracies) == 1 else ""
        axis.annotate(words, (epochs, 100 * of.mean), shift, color=color, **at)
    axis.set_xscale("log")
    axis.set_xticks((3, 12, 40, 160), ("3", "12", "40", "160"))
    axis.set_xticks((), minor=True)
    axis.set(xlim=(2.3, 215), ylim=(56, 86), ylabel="test accuracy in %, CIFAR-10")
    axis.set(xlabel="FLOPs of the training, in epochs with P = 8 (logarithmic)", title=title)
    axis.legend(loc="lower right", frameon=False)
    axis.grid(alpha=0.3)
    plots.show("accuracy over FLOPs: each mark is a setting of P = 4 or of P = 8", title, said)


begun = {4: {3: OF_4[3]}, 8: {epochs: of[0] for epochs, of in SHORT.items()}}
draw(SHORT, 3, begun, "The small model, a short training")

# %% [markdown]
# **It depends on what is equal.** At equal epochs P = 4 is better, by {{loss(runs("patch_size", "P = 8")):±.1p}} points. At equal time it is not settled. At equal FLOPs P = 8 is better, by {{gain(runs("patch_size_longer", "P = 8, 4 × the epochs")):±.1p}}.
# {{assert below(runs("patch_size", "P = 8"), runs("patch_size", "P = 4"))}}
# {{assert below(runs("patch_size_longer", "P = 4"), runs("patch_size_longer", "P = 8, 4 × the epochs"))}}
# {{assert differs(runs("patch_size_longer", "P = 8, 4 × the epochs"))}}
# {{assert not differs(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")) and interval(gain(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")))[1] > 0.01}}
#
# The clock matters here, too. If yours says nearly four, equal time is equal FLOPs, and P = 8 is ahead at equal time. If it says well under three, P = 8 gets fewer epochs, and P = 4 looks better.
#
# **On your machine**, the next cell repeats the comparison at equal epochs with the tiny model (two blocks, D = 64): both sizes get five epochs of 2,000 images. Each seed trains both sizes, and we subtract within each seed.

# %%
compared = run_experiment("patch_size", dataset=dataset, settings=["P = 4", "P = 8"], verbose=False)
print(as_table(compared))

# %% [markdown]
# In the run saved here, on drawn shapes, P = 4 is better too.
#
# ## A longer training: the lines cross
#
# At equal FLOPs, P = 8 was better. Does it stay so if P = 4 gets ten epochs in place of three? We add the longer trainings to the same picture. Marks above each other have about the same FLOPs; between marks, a line only guides the eye. The dotted line is now that of ten epochs:

# %% tags=["hide-input"]
of_8 = {epochs: of[0] for epochs, of in sorted((SHORT | LONGER).items())}
draw(LONGER, 10, {4: OF_4, 8: of_8}, "The small model, a longer training")

# %% [markdown]
# **In the longer training, P = 4 is better in all three ways, even at equal FLOPs.** The two curves cross. From about 12 to 40 on the axis, P = 8 gains {{distance(runs("patch_size_and_epochs", "P = 8, 40 epochs"), runs("patch_size_longer", "P = 8, 4 × the epochs")):±.1p}} points (one seed), and P = 4 gains {{distance(runs("patch_size_and_epochs", "P = 4, 10 epochs"), runs("patch_size", "P = 4")):±.1p}}, by chance the same number as in the short training.
# {{assert differs(runs("patch_size_at_equal_time", "P = 8, 40 epochs")) and runs("patch_size_at_equal_time", "P = 8, 40 epochs").difference < 0}}
# {{assert differs(runs("patch_size_at_equal_time", "P = 8, 30 epochs")) and runs("patch_size_at_equal_time", "P = 8, 30 epochs").difference < 0}}
# {{assert differs(runs("patch_size_and_epochs", "P = 8, 10 epochs")) and runs("patch_size_and_epochs", "P = 8, 10 epochs").difference < -0.08}}
# {{assert len(runs("patch_size_at_equal_time", "P = 8, 40 epochs").accuracies) == 1}}
#
# **Why is P = 8 behind now?** For equal FLOPs it makes four times the epochs, and after many epochs each size flattens. From 30 to 40 epochs, P = 8 gains {{distance(runs("patch_size_and_epochs", "P = 8, 40 epochs"), runs("patch_size_at_equal_time", "P = 8, 30 epochs")):±.1p}} points, while P = 4, from 3 to 10, is still on its steep part. And the level of P = 8 is lower: after 40 epochs each, it is {{distance(runs("patch_size_and_epochs", "P = 4, 40 epochs"), runs("patch_size_and_epochs", "P = 8, 40 epochs")):±.1p}} points behind (one seed each). It is not too weak to learn the training images: its training loss ends at {{mean([r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 8, 40 epochs")]):.2f}}, and that of P = 4 after ten epochs at {{mean([r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 epochs")]):.2f}}. Why its level is lower, we did not test.
# {{assert 0 < distance(runs("patch_size_and_epochs", "P = 4, 40 epochs"), runs("patch_size_and_epochs", "P = 4, 10 epochs")).mean < distance(runs("patch_size_and_epochs", "P = 8, 40 epochs"), runs("patch_size_and_epochs", "P = 8, 10 epochs")).mean and len(runs("patch_size_and_epochs", "P = 4, 40 epochs").accuracies) == 1}}
# {{assert max(r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 8, 40 epochs")) < 0.5 * min(r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 epochs"))}}
#
# Here are the answers to the puzzle, as the points by which P = 8 is ahead. P = 4 is better where they are negative:
#
# | both models get | short | longer |
# |---|---|---|
# | the same epochs | {{gain(runs("patch_size", "P = 8")):+±.1p}} | {{gain(runs("patch_size_and_epochs", "P = 8, 10 epochs")):+±.1p}} |
# | about the same time | {{gain(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")):+±.1p}}, not settled | {{gain(runs("patch_size_at_equal_time", "P = 8, 30 epochs")):+±.1p}} |
# | about the same FLOPs | **{{gain(runs("patch_size_longer", "P = 8, 4 × the epochs")):+±.1p}}** | {{gain(runs("patch_size_at_equal_time", "P = 8, 40 epochs")):+±.1p}} (one seed) |
#
# **P = 8 is better in one comparison of six**, and there it also made four times the steps. If P = 4 makes as many, with smaller batches, P = 8 is still better at the common learning rate, with {{runs("patch_size_longer", "P = 8, 4 × the epochs").mean:.1%}} against {{runs("patch_size_updates", "P = 4, batches of 32", rate=1).mean:.1%}}. With half the rate for P = 4 it is not settled (one seed).
#
# **What could change these results:** a learning rate tuned for each size, another optimizer than Muon, a larger model, more images, or stronger augmentation.
#
# ## And the other sizes?
#
# Is smaller always better at equal epochs, and larger always better at equal FLOPs? Here are five sizes in the short training:

# %% tags=["hide-input"]
EQUAL_FLOPS = {  # patch size: the setting with about the FLOPs of P = 4, and its epochs
    32: ("P = 32, 24 × the epochs", 72),
    16: ("P = 16, 12 × the epochs", 36),
    8: ("P = 8, 4 × the epochs", 12),
    4: ("P = 4", 3),
    2: ("P = 2, a third of the epochs", 1),
}
figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.9), sharey=True, layout="constrained")
panels = {  # title: of each patch size the setting and its epochs
    "the same epochs": {P: (f"P = {P}", 3) for P in EQUAL_FLOPS},
    "about the same FLOPs": EQUAL_FLOPS,
}
for axis, (title, settings) in zip(axes, panels.items(), strict=True):
    found = [reached[name] for name, _ in settings.values()]
    means, widths = [100 * one.mean for one in found], [100 * one.width for one in found]
    alike = 5 if axis is axes[0] else 4  # on the right, P = 2 had more FLOPs and stands alone
    axis.plot(range(alike), means[:alike], color="#999999", linewidth=1, zorder=1)
    for place, (P, mean, width) in enumerate(zip(settings, means, widths, strict=True)):
        style = plots.curve_style({4: 0, 8: 1, 16: 2, 32: 3, 2: 4}[P]) | {"linestyle": "none"}
        filled = {} if place < alike else {"markerfacecolor": "white"}
        axis.errorbar(place, mean, width, capsize=3, markersize=7, **style, **filled)
        at = {"textcoords": "offset points", "ha": "center", "color": style["color"], "size": 10.5}
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axis.annotate(f"{mean:.1f}", (place, mean), (0, 11), **at, weight="bold", bbox=white)
    ticks = [f"{P}\n{epochs}" for P, (_, epochs) in settings.items()]
    axis.set_xticks(range(len(settings)), ticks, size=10.5)
    axis.set(title=title, xlim=(-0.5, 4.5), ylim=(45, 76))
    axis.grid(axis="y", alpha=0.3)
under = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
axes[0].annotate("P\nepochs", (0, 0), (-5, -6), ha="right", va="top", size=10.5, **under)
factor = costs[2]["flops"] / (3 * costs[4]["flops"])
axes[1].text(4.42, 53.6, f"{factor:.1f} times\nthe FLOPs", ha="right", va="top", size=10)
axes[0].set_ylabel("test accuracy on CIFAR-10 in %")
figure.suptitle("CIFAR-10, the small model: a short training, compared in two ways", fontsize=12)
plots.show(
    "two panels, accuracy over patch size: after the same epochs it rises from P = 16 to P = 4, and "
    "P = 2 is like P = 4; at about the same FLOPs P = 8 is highest",
    "Equal epochs and equal FLOPs",
    [f"{name} {100 * one.mean:.1f} %" for name, one in reached.items()],
)

# %% [markdown]
# **No, and no again.** At equal epochs, P = 4 and P = 2 are alike. At equal FLOPs, P = 8 is better than P = 4, but P = 16 is worse than P = 4 by {{loss(runs("patch_size_longer", "P = 16, 12 × the epochs")):±.1p}} points, and P = 32 is far behind. P = 2 has an open mark, because its single epoch takes nearly twice the FLOPs.
# {{assert below(runs("patch_size", "P = 16"), runs("patch_size", "P = 8"))}}
# {{assert -0.01 < interval(gain(runs("patch_size", "P = 2")))[0] and interval(gain(runs("patch_size", "P = 2")))[1] < 0.01}}
# {{assert interval(loss(runs("patch_size_longer", "P = 16, 12 × the epochs")))[0] > 0}}
# {{assert -runs("patch_size_longer", "P = 32, 24 × the epochs").difference > 0.05}}
# {{assert 1.8 < patch_cost(2).flops / (3 * patch_cost(4).flops) < 2}}
#
# On ImageNet smaller patches go on to help, at a higher cost, [down to a single pixel](https://arxiv.org/abs/2502.03738) (Wang et al. 2025). [Nguyen et al. 2024](https://arxiv.org/abs/2406.09415), too, train good ViTs in which every pixel is a token.
#
# ## A warning about curves
#
# May you save time, and read a short training off the curve of a longer one? Here are the two longer trainings of equal time, on the validation images. The stars are separate short trainings.

# %% tags=["hide-input"]
on_record = {key(record["run"]): record for record in cifar10}


def recorded(experiment, setting):
    """The records of one setting of an experiment, of all seeds that there are."""
    planned = (plan(experiment, "full", seed)[setting, 1] for seed in range(20))  # 1 × the rate
    return [on_record[key(run)] for run in planned if key(run) in on_record]


alone_in = {
    4: ("patch_size", "P = 4"),
    8: ("patch_size_at_equal_time_short", "P = 8, 3 × the epochs"),
}
figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.4), sharey=True, layout="constrained")
said = []
for index, (P, few, epochs) in enumerate(((4, 3, 10), (8, 9, 30))):
    found = recorded("patch_size_at_equal_time", f"P = {P}, {epochs} epochs")
    curve = 100 * torch.tensor([record["validation_curve"] for record in found]).mean(dim=0)
    found = [record["validation_accuracy"] for record in recorded(*alone_in[P])]
    on_curve, alone = curve[few - 1].item(), 100 * sum(found) / len(found)
    axis, style = axes[index], plots.curve_style(index) | {"linewidth": 1.5, "markersize": 4}
    axis.plot(range(1, epochs + 1), curve, **style)
    axis.plot(few, alone, "*", color=style["color"], ms=13, zorder=4)
    at = {"color": style["color"], "size": 10.5, "textcoords": "offset points"}
    line = {"arrowstyle": "-", "color": style["color"], "lw": 0.8}
    words = f"{few} epochs in all: {alone:.0f} %"
    axis.annotate(words, (few, alone), (-26, 46), **at, arrowprops=line)
    words = f"after {few} of {epochs}: {on_curve:.0f} %"
    axis.annotate(words, (few, on_curve), (14, -36), **at, arrowprops=line)
    axis.set(title=f"P = {P}, {epochs} epochs", xlabel="epochs", ylim=(30, 90))
    axis.set_xticks((1, few, epochs))
    axis.grid(alpha=0.3)
    said.append(f"P = {P}: {on_curve:.0f} % after {few} of {epochs} epochs, {alone:.0f} % if alone")
axes[0].set_ylabel("validation accuracy in %")
figure.suptitle("CIFAR-10, the small model (means of the seeds)", fontsize=12)
plots.show(
    "two panels, a rising curve in each, and a star that lies above the curve: a short training that "
    "is the whole training reaches more than a longer one after as many epochs",
    "Short trainings beside the curves of longer ones",
    said,
)

# %% [markdown]
# **No:** both stars lie four to five points above the curve. At its end a training's learning rate has fallen to zero, which probably helps; on the curve it is still high. How far a curve misleads need not be the same elsewhere.
# {{assert 0.035 < mean([r.validation_accuracy for r in recorded("patch_size", "P = 4")]) - mean([r.validation_curve[2] for r in recorded("patch_size_at_equal_time", "P = 4, 10 epochs")]) < 0.05}}
# {{assert 0.035 < mean([r.validation_accuracy for r in recorded("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")]) - mean([r.validation_curve[8] for r in recorded("patch_size_at_equal_time", "P = 8, 30 epochs")]) < 0.05}}
#
# > ### What to do in your own model
# >
# > 1. Decide what limits your training. With few images or a fixed number of epochs, compare at equal epochs. With a limit of time, compare at equal time, and measure your own factor, as above.
# > 2. Train two neighbouring patch sizes, for example P = 8 and P = 16, each with two seeds or more. Each of these four trainings gets a quarter of your time, and its learning rate ends at zero.
# > 3. Keep the better *model*, judged on your validation images. If you train again, for longer or on more images, compare again: the other size may win.
# >
# > For other patches in a model that is trained already, `resize_patches` resamples its weights, as [exercises 08](exercises/08_pitfalls_patch_size.ipynb) show.
#
# <details><summary>For a second visit: equal amounts, memory, both ends, steps, flattening</summary>
#
# **Where the ± comes from.** It uses the pooled spread of all settings, which we assume to vary alike, so that one run has an interval, too. Differences are taken before rounding. All models are tested on 10,000 images, and the learning rate is at most {{recorded("patch_size", "P = 4")[0].run.training.learning_rate:.3f}}.
#
# **"About" the same.** The 16 images were timed in float32; the trainings used bfloat16. Exactly equal FLOPs would be {{10 * patch_cost(4).flops / patch_cost(8).flops:.1f}} epochs of P = 8 in place of 40. And the 36 epochs of P = 16 take {{1 - 36 * patch_cost(16).flops / (3 * patch_cost(4).flops):.0%}} fewer FLOPs than three of P = 4, perhaps a part of the small gap between them.
#
# **Memory.** What an image leaves for the backward pass is {{patch_cost(4).kept_bytes / patch_cost(8).kept_bytes:.1f}} times as much at P = 4 as at P = 8.
#
# **Both ends.** At equal epochs, P = 2 and P = 4 differ by {{gain(runs("patch_size", "P = 2")):±.1p}} points; P = 2 was trained in float32, which is more exact. Which of P = 32 and P = 16 is better is not settled. We did not test why P = 32 and P = 2 are far behind in the right panel.
# {{assert all(r.precision == "bfloat16" for name in experiment("patch_size_longer") if name[:6] != "P = 2," for r in recorded("patch_size_longer", name))}}
# {{assert not differs(distance(runs("patch_size", "P = 16"), runs("patch_size", "P = 32")))}}
# {{assert differs(runs("patch_size_longer", "P = 2, a third of the epochs"))}}
#
# **Steps.** To make as many steps as P = 8, P = 4 had batches of 32 images in place of 128, for three epochs. The lead of P = 8 is then {{distance(runs("patch_size_longer", "P = 8, 4 × the epochs"), runs("patch_size_updates", "P = 4, batches of 32", rate=1)):±.1p}} points, and {{distance(runs("patch_size_longer", "P = 8, 4 × the epochs"), runs("patch_size_updates", "P = 4, batches of 32", rate=0.5)):±.1p}} at half the rate for P = 4. Smaller batches also make each step noisier, and we did not tune P = 8.
# {{assert abs(distance(runs("patch_size_longer", "P = 8, 4 × the epochs"), runs("patch_size_updates", "P = 4, batches of 32", rate=0.5)).mean) < distance(runs("patch_size_longer", "P = 8, 4 × the epochs"), runs("patch_size_updates", "P = 4, batches of 32", rate=0.5)).width}}
# {{assert below(runs("patch_size_updates", "P = 4, batches of 32", rate=1), runs("patch_size_longer", "P = 8, 4 × the epochs"))}}
# {{assert len(reached("patch_size_updates", "P = 4, batches of 32")) == 3 and len(reached("patch_size_updates", "P = 4, batches of 32", 0.5)) == 1}}
# {{assert all(r.run.training.batch_size == 128 for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# **Flattening.** Counted in epochs, P = 8 does not flatten first: from 3 to 10 epochs it gains more than P = 4, so the lead of P = 4 shrinks by {{distance(gain(runs("patch_size_and_epochs", "P = 8, 10 epochs")), gain(runs("patch_size", "P = 8"))):±.1p}} points.
# {{assert interval(distance(runs("patch_size_and_epochs", "P = 4, 40 epochs"), runs("patch_size_and_epochs", "P = 8, 40 epochs")))[0] > 0.01}}
# {{assert differs(distance(gain(runs("patch_size_and_epochs", "P = 8, 10 epochs")), gain(runs("patch_size", "P = 8")))) and runs("patch_size_and_epochs", "P = 8, 10 epochs").difference > runs("patch_size", "P = 8").difference}}
#
# </details>
#
# ## A question
#
# <details><summary>Your images are 224 × 224, P = 16, and the model is a ViT-B, with D = 768 and r = 4. You halve P. How many times the FLOPs does a block take? And in a model as narrow as ours, with D = 96 and r = 2?</summary>
#
# About 4.5 times in ViT-B, and 8.0 times in the narrow one. T grows from 197 to 785, so the matrices cost about four times as much, and comparing tokens about sixteen times. In ViT-B the comparing is 4 % of a block before and 15 % after. In the narrow block it is 34 % before and 67 % after. The narrower the tokens, the sooner attention takes over.
# </details>
#
# **Try it yourself:** [exercises 08](exercises/08_pitfalls_patch_size.ipynb), with checks that say what is wrong.
#
# **Next:** [09 · the class token mishandled, and its rivals](09_pitfalls_class_token.ipynb). Later, [16](16_detail_and_noise.ipynb) tests two sayings about patch sizes, "large patches miss detail" and "small patches are noisy".

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

# %% [markdown] tags=["exercise:epochs_in_the_same_time"]
# *Predict.* Suppose that one epoch with P = 4 takes 4 times the FLOPs of one with P = 8, and 2.8 times the seconds. You have trained with P = 4 for 3 epochs. How many epochs with P = 8 take the same **time**?
#
# Hint: What is held fixed: epochs, FLOPs or time?
#
# Hint: Each epoch with P = 4 gives room for 2.8 with P = 8.
#
# Solution: 3 · 2.8 = 8.4. By FLOPs it would be 12, at equal epochs 3. If you compare patch sizes, say which of the three you held equal.

# %% tags=["exercise-only", "exercise:epochs_in_the_same_time"]
# solution
# | epochs_in_the_same_time = ...
epochs_in_the_same_time = 3 * 2.8
# end of solution

# %% [markdown] tags=["exercise-only"]
# ## Before 8.4: other patches for a trained model
#
# **You may skip this and the next cell.** A model was trained with patches of 4 × 4 on images of 32 × 32. Now it gets images of 64 × 64. With patches of 8 × 8 it has as many tokens as before, and each holds the same part of the picture. So its kernels of 4 × 4 weights must become kernels of 8 × 8. How?
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
# **This too you may skip.** `resize_patches` resamples all kernels of a model, and its positions. We train a model with P = 4 for half a minute, and give it patches of 8 × 8 for images of 64 × 64 in the three ways. Each line shows the accuracy on 1,000 test images, and the difference from the model as trained, with a 95 % interval over these images. The last number tells how far the new patch tokens are from the old ones, relative to their size.


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
resized = F.interpolate(model.patch_embed.proj.weight.detach(), size=8, mode="bilinear")
with torch.no_grad():
    naive.patch_embed.proj.weight.copy_(resized)
    divided.patch_embed.proj.weight.copy_(resized / 4)  # four times the pixels

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
# On drawn shapes, kernels resized like images put our tokens off by more than twice their own size. Yet the model lost only a few points, probably because the norm in the first block takes out much of a common factor. The pseudo-inverse gave nearly the old tokens. Its remaining error comes from enlarging whole images: pixels are mixed across the borders of patches, and values are rounded.
#
# The shipped model classifies {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy:.1%}} of 10,000 test images correctly as trained, and {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy:.1%}} with P = 8 at 64 × 64. If image and patch do not grow together, each token covers another window, and the model loses a lot:
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
# *Find the bug.* To draw patch tokens (B, N, D), or to give them to a convolution, someone makes a picture with D channels of them: (B, D, rows, columns). The shape is right. Below are six tokens of two numbers; the first number of token n is n, the second is n + 100. Look at what is printed, and repair the function.
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
