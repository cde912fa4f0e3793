# %% [markdown]
# # 08 · Pitfalls, measured: the size of a patch
#
# **After this notebook you can** choose a patch size by what it costs and what it gives, and say how far three common sentences are true: "smaller is better", "large patches miss detail" and "small patches are noisy".
#
# | | |
# |---|---|
# | You need | notebooks 01, 04 and 05; 06 for Needle-10, 07 for how experiments are run |
# | Time to read | about 20 minutes, with a place to stop after twelve |
# | Time to run | at the quick budget {{notebook_seconds("08_pitfalls_patch_size"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `pretrained.py`, `patches.py` |
#
# Let us begin with a puzzle. Which patches are better for a small model on CIFAR-10, those of 4 × 4 pixels or those of 8 × 8? We compared them three times. Each time, both models got the same amount of one thing:
#
# - **passes**: a pass shows the model every training image once;
# - **FLOPs**, floating-point operations: here they are multiplications and additions;
# - **time**, which need not follow the FLOPs, because every operation also has a fixed cost.
#
# | both models get | with 4 × 4 | with 8 × 8 | which is better? |
# |---|---|---|---|
# | the same passes | 3 passes | 3 passes | ? |
# | about the same FLOPs | 3 passes | 12 passes | ? |
# | an estimated nine minutes | 10 passes | 30 passes | ? |
#
# Write down three guesses. One of the three answers surprised us.
#
# **Where the numbers come from.** What is *on record* we measured before, on CIFAR-10. What is *live* is trained here, in the saved run on drawn shapes, because the course must run without a download. If you have CIFAR-10, your live numbers will be quite different.

# %%
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from skimage import data

from vit_minimal import (
    Dataset,
    diagrams,
    evaluate,
    load_dataset,
    load_image,
    needle10,
    patchify,
    plots,
    unpatchify,
)
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.experiments import (
    as_table,
    cost,
    key,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
    train_run,
)
from vit_minimal.records import read_records

dataset = load_dataset()  # for the saved run we asked for Shapes-10, drawings of simple shapes

# %% [markdown]
# ## What a patch size costs
#
# The patch size P is the side of a patch in pixels. Here is one photograph of 32 × 32 pixels, cut at five patch sizes. Each square becomes one token, and that token is all that the model gets of the square.

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)
diagrams.cuts(cat, (2, 4, 8, 16, 32), title="One photograph, five patch sizes")

# %% [markdown]
# Halving the patch side gives four times as many patches. Does it also make four times the work? We count work in FLOPs. Multiplying matrices of shapes (a, b) and (b, c) takes 2·a·b·c of them. A block has T tokens of width D, and the hidden layer of its MLP is r times as wide. It does two kinds of products:
#
# | | the products | FLOPs | with four times the tokens |
# |---|---|---|---|
# | **every token goes through the matrices** | queries, keys, values and the projection behind attention: four matrices of D × D; the MLP: two of D × r·D | (8 + 4r)·T·D² | 4 times the work |
# | **every token is compared with every other** | the scores QKᵀ, and the weighted sum of the values | 4·T²·D | *16* times the work |
#
# So is it four, or sixteen? **Guess**, and then let us count. Our model has four blocks, with D = 96 and r = 2. Each line of the output halves the patch side. It shows by which factor the tokens grow, the FLOPs, and the time that our CPU needs for 16 images, forward and backward.
#
# {{assert plan("patch_size", "full", 0)["P = 4", 1]["model"]["depth"] == 4}}

# %% tags=["nbval-check-output"]
parts = {of["part"]: of["rows"] for of in read_records("../data/results/patch_size.json")}
seconds = {of["patch_size"]: of["seconds"] for of in parts["cost"]}  # on record, for 16 images

sizes = plan("patch_size", "full", seed=0)  # a run of each size, at 1 times the usual learning rate
runs = {P: sizes[f"P = {P}", 1] for P in (32, 16, 8, 4, 2)}
costs = {P: cost(run) for P, run in runs.items()}

print(f"from P = 32, {costs[32]['tokens']} tokens")
print("          tokens   FLOPs    time")
for larger, P in pairwise(costs):
    factors = [costs[P][name] / costs[larger][name] for name in ("tokens", "flops")]
    factors.append(seconds[P] / seconds[larger])
    print(f"to P = {P:<2}" + "".join(f"{factor:6.1f} ×" for factor in factors))

# %% [markdown]
# It is neither. Even the tokens do not quite grow fourfold, because there is one class token at every size. The first halving doubles the FLOPs, and the last makes them {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times as many. **And FLOPs are not seconds:** at every halving, the time grows less than the FLOPs. The picture shows what the FLOPs go into.
# {{assert all(patch_cost(P).seconds / patch_cost(2 * P).seconds < patch_cost(P).flops / patch_cost(2 * P).flops for P in (2, 4, 8, 16))}}


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
# **Among large patches, a halving takes less than four times the FLOPs. Among small ones it takes more.** At P = 32, turning pixels into tokens is a third of the work, and this part costs the same at every size. At P = 1, where each pixel is a patch, comparing tokens is 73 % of it.
# {{assert 1.9 < patch_cost(16).flops / patch_cost(32).flops < 2.1}}
#
# ## Equal passes, or equal FLOPs?
#
# We start with equal passes. They also mean equal *steps*, which are updates of the weights. Is a small patch then better than a large one?
#
# **How to read a ±.** Every ± and every error bar is a 95 % interval. For runs on record it comes from the spread between seeds, pooled over all our experiments (notebook 10). For live runs and under noise, it comes from the seeds shown. We call two settings different if the interval of their *difference* does not contain zero.
#
# *Live: 2,000 images, D = 64, 5 passes, 3 seeds.*

# %%
compared = run_experiment("patch_size", dataset=dataset, settings=["P = 4", "P = 8"], verbose=False)
print(as_table(compared))

# %% [markdown]
# **In the run saved here, P = 4 is ahead.** The two intervals overlap, but the difference is surer, because it is taken seed by seed.
#
# Was that fair? A pass with P = 8 takes only a quarter of the FLOPs of a pass with P = 4. So let us give P = 8 four times the passes. **Guess** again: who is ahead now? And where will P = 16 stand, with twelve times the passes?
#
# On the left of the picture, all sizes had three passes. On the right, the larger patches had up to {{max(1 - passes * patch_cost(P).flops / patch_cost(4).flops for P, passes in ((8, 4), (16, 12), (32, 24))):.0%}} fewer FLOPs than P = 4, because we rounded their passes. P = 2 had more: even a single pass takes nearly twice those FLOPs.
#
# *On record: {{records("experiments_cifar10_full")[0].trained_on:,}} images, D = 96, {{len(runs("patch_size", "P = 4").accuracies):d}} seeds of P = 4 and three of each other size. All sizes had the same learning rate; a rate tuned for each size might change an answer.*
# {{assert len({of.learning_rate for name in ("patch_size", "patch_size_longer", "patch_size_at_equal_time", "patch_size_at_equal_time_short") for of in experiment(name).values()}) == 1}}
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert [recorded("patch_size_longer", name)[0].run.training.epochs for name in experiment("patch_size_longer")] == [3, 1, 12, 36, 72]}}
# {{assert all(len(of.accuracies) == 3 for name in ("patch_size", "patch_size_longer") for setting, of in experiment(name).items() if setting != "P = 4")}}
# {{assert all(len(runs("patch_size_at_equal_time", name).accuracies) == 3 for name in ("P = 4, 10 passes", "P = 8, 30 passes"))}}
# {{assert all(r.precision == ("float32" if name == "P = 2" else "bfloat16")
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# {{assert all(patch_cost(4).flops > passes * patch_cost(P).flops for P, passes in ((8, 4), (16, 12), (32, 24)))}}
# {{assert 1.8 < patch_cost(2).flops / (3 * patch_cost(4).flops) < 2}}

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
    of = [reached[name] for name, _ in settings.values()]
    means, widths = [100 * one.mean for one in of], [100 * one.width for one in of]
    axis.plot(means, color="#999999", linewidth=1, zorder=1)
    for place, (P, mean, width) in enumerate(zip(settings, means, widths, strict=True)):
        style = plots.curve_style({4: 0, 8: 1, 16: 2, 32: 3, 2: 4}[P]) | {"linestyle": "none"}
        axis.errorbar(place, mean, width, capsize=3, markersize=7, **style)
        at = {"textcoords": "offset points", "ha": "center", "color": style["color"], "size": 10.5}
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axis.annotate(f"{mean:.1f}", (place, mean), (0, 11), **at, weight="bold", bbox=white)
    ticks = [f"{P}\n{passes}" for P, (_, passes) in settings.items()]
    axis.set_xticks(range(len(settings)), ticks, size=10.5)
    axis.set(title=title, xlim=(-0.5, 4.5), ylim=(45, 76))
    axis.grid(axis="y", alpha=0.3)
factor = costs[2]["flops"] / (3 * costs[4]["flops"])
axes[1].text(-0.42, 53.6, f"{factor:.1f} times\nthe FLOPs", va="top", size=10)
axes[0].set_ylabel("accuracy on CIFAR-10 in %")
figure.supxlabel("patch size P, and below it the number of passes", fontsize=10.5)
plots.show(
    "two panels, accuracy over patch size: after the same passes it falls from P = 4 to P = 16, and "
    "P = 2 is no better than P = 4; at about the same FLOPs P = 8 is highest",
    "Equal passes and equal FLOPs",
    [f"{name} {100 * of.mean:.1f} %" for name, of in reached.items()],
)

# %% [markdown]
# **At equal passes P = 4 is ahead of P = 8 by {{loss(runs("patch_size", "P = 8")):±.1p}} points. At equal FLOPs P = 8 is ahead of P = 4 by {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")):±.1p}}.** Differences are taken before rounding.
#
# Neither trend goes on for ever. On the left, we measured no difference between P = 2 and P = 4. On the right, P = 16 and P = 32 fall behind P = 4.
# {{assert below(runs("patch_size", "P = 8"), runs("patch_size", "P = 4"))}}
# {{assert below(runs("patch_size_longer", "P = 4"), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert differs(runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert below(runs("patch_size", "P = 16"), runs("patch_size", "P = 8"))}}
# {{assert not differs(runs("patch_size", "P = 2"))}}
# {{assert differs(runs("patch_size_longer", "P = 16, 12 × the passes"))}}
# {{assert -runs("patch_size_longer", "P = 32, 24 × the passes").difference > 0.05}}
#
# <details><summary>For a second visit: what happens at both ends, and was it the passes or the steps that helped P = 8?</summary>
#
# **Both ends.** At equal passes, P = 32 and P = 16 cannot be told apart. P = 2 differs from P = 4 by {{gain(runs("patch_size", "P = 2")):±.1p}} points. It was trained in float32 and all others in bfloat16; float32 is the more exact of the two, so we do not think that this held P = 2 back. At equal FLOPs, P = 16 is {{loss(runs("patch_size_longer", "P = 16, 12 × the passes")):±.1p}} points below P = 4. It had {{1 - 12 * patch_cost(16).flops / patch_cost(4).flops:.0%}} fewer FLOPs, because twelve times the passes fall short of the exact factor. That may be a part of it. P = 32 is far below. Its image is one patch, so that attention has next to nothing to do, and 3,072 numbers become 96. P = 2 is far below too, probably because a single pass is too short. We did not test these reasons.
# {{assert all(r.precision == "bfloat16" for name in experiment("patch_size_longer") if name[:6] != "P = 2," for r in recorded("patch_size_longer", name))}}
# {{assert not differs(distance(runs("patch_size", "P = 16"), runs("patch_size", "P = 32")))}}
# {{assert differs(runs("patch_size_longer", "P = 2, a third of the passes"))}}
#
# **Passes or steps?** With four times the passes, P = 8 also had four times the steps. The experiment `patch_size_updates` gives P = 4 as many steps in its three passes, by batches of 32 images in place of 128.
#
# | | images in a batch | passes | steps | accuracy |
# |---|---|---|---|---|
# | P = 4 | 128 | 3 | {{3 * (45_000 // 128):,}} | {{runs("patch_size", "P = 4"):±.1%}} |
# | P = 4 | 32 | 3 | {{3 * (45_000 // 32):,}} | {{runs("patch_size_updates", "P = 4, batches of 32", rate=1):±.1%}} |
# | P = 4, half the learning rate | 32 | 3 | {{3 * (45_000 // 32):,}} | {{reached("patch_size_updates", "P = 4, batches of 32", 0.5)[0]:.1%}}, one seed |
# | P = 8 | 128 | 12 | {{12 * (45_000 // 128):,}} | {{runs("patch_size_longer", "P = 8, 4 × the passes"):±.1%}} |
#
# With as many steps at the same learning rate, P = 4 stays behind P = 8. At half the rate its one seed stands about halfway between the first row and the last, and cannot be told apart from the last. So a tuned P = 4 may tie with P = 8. Smaller batches also make each step noisier, so we cannot say what the *passes* alone did.
# {{assert not differs(distance(runs("patch_size_longer", "P = 8, 4 × the passes"), runs("patch_size_updates", "P = 4, batches of 32", rate=0.5)))}}
# {{assert 0.4 < (reached("patch_size_updates", "P = 4, batches of 32", 0.5)[0] - runs("patch_size", "P = 4").mean) / runs("patch_size_longer", "P = 8, 4 × the passes").difference < 0.6}}
# {{assert below(runs("patch_size_updates", "P = 4, batches of 32", rate=1), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert len(reached("patch_size_updates", "P = 4, batches of 32")) == 3 and len(reached("patch_size_updates", "P = 4, batches of 32", 0.5)) == 1 and reached("patch_size_updates", "P = 4, batches of 32", 0.5)[0] < runs("patch_size_longer", "P = 8, 4 × the passes").mean - 0.01}}
# {{assert all(r.run.training.batch_size == 128 for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# </details>
#
# ## Equal time, and longer
#
# Now for the third line of the puzzle. In the time of one pass with P = 4, our CPU does about three with P = 8. We also let both train longer: ten passes with P = 4, thirty with P = 8. Do you stand by your **guess**?
#
# **The nine minutes are estimated.** We timed 16 images, forward and backward, in float32. The trainings used batches of 128 and bfloat16. In so small a batch the fixed costs weigh more, and most of all on P = 8. So P = 8 probably deserves more than thirty passes, and the comparison is too kind to P = 4. We shall come back to this.
# {{assert formatted(10 * 45_000 / 16 * patch_cost(4).seconds, "about") == formatted(30 * 45_000 / 16 * patch_cost(8).seconds, "about") == "9\N{NO-BREAK SPACE}min"}}
# {{assert all(plan("patch_size_at_equal_time", "full", 0)[name, 1]["training"] | {"epochs": 3} == plan("patch_size", "full", 0)["P = 4", 1]["training"] for name in ("P = 4, 10 passes", "P = 8, 30 passes", "P = 8, 40 passes"))}}
# {{assert 2.8 < patch_cost(4).seconds / patch_cost(8).seconds < 3.1}}

# %% tags=["hide-input"]
on_record = {key(of["run"]): of for of in cifar10}
_, axis = plt.subplots(figsize=(6.6, 3.9), layout="constrained")
said = []
for index, (P, passes) in enumerate({4: 10, 8: 30}.items()):
    planned = (plan("patch_size_at_equal_time", "full", seed) for seed in range(3))
    keys = [key(each[f"P = {P}, {passes} passes", 1]) for each in planned]
    courses = [on_record[k]["validation_curve"] for k in keys if k in on_record]
    courses = 100 * torch.tensor(courses)  # (seeds, passes)
    minutes = [count * 45_000 / 16 * seconds[P] / 60 for count in range(1, passes + 1)]
    style, mean = plots.curve_style(index), courses.mean(dim=0)
    axis.plot(minutes, mean, color=style["color"], linestyle=style["linestyle"])
    axis.plot(minutes, courses.T, style["marker"], color=style["color"], alpha=0.4, ms=4)
    y, side = ((82, "bottom"), (70, "top"))[index]  # above its curve, and below
    at = {"color": style["color"], "weight": "bold", "ha": "right", "va": side}
    axis.text(9.4, y, f"P = {P}: {mean[-1]:.1f} % at the end", **at)
    said.append(
        f"P = {P} {mean[passes // 10 - 1]:.0f} % after a tenth, {mean[-1]:.0f} % at the end"
    )
axis.set(xlim=(0, 9.7), ylim=(30, 90), xticks=range(10), title="About nine minutes each")
axis.set_xlabel("minutes of training, estimated from 16 images, not timed")
axis.set_ylabel("validation images right (%),\na dot for each of three seeds")
axis.grid(alpha=0.3)
plots.show(
    "two curves over nine minutes, with a dot for each seed and pass: P = 8 is higher at first, P = 4 "
    "passes it between two minutes and three and ends above it",
    "About nine minutes each",
    said,
)

# %% [markdown]
# **P = 8 leads at first. P = 4 catches up between two and three minutes. On the test images it ends at {{runs("patch_size_at_equal_time", "P = 4, 10 passes").mean:.1%}}, {{loss(runs("patch_size_at_equal_time", "P = 8, 30 passes")):±.1p}} points ahead.**
# {{assert differs(runs("patch_size_at_equal_time", "P = 8, 30 passes")) and runs("patch_size_at_equal_time", "P = 8, 30 passes").difference < 0}}
# {{assert all(mean([r.validation_curve[3 * k - 1] for r in recorded("patch_size_at_equal_time", "P = 8, 30 passes")]) > mean([r.validation_curve[k - 1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]) for k in (1, 2))}}
# {{assert all(mean([r.validation_curve[3 * k - 1] for r in recorded("patch_size_at_equal_time", "P = 8, 30 passes")]) < mean([r.validation_curve[k - 1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]) for k in range(3, 11))}}
# {{assert 2 < 3 * 45_000 / 16 * patch_cost(4).seconds / 60 < 3}}
#
# **These curves do not show what a *short* training gives.** After three passes P = 4 stands at {{mean([r.validation_curve[2] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]):.0%}} here, but a training of only three passes ended at {{mean([r.validation_accuracy for r in recorded("patch_size", "P = 4")]):.0%}} of the same images. By then its learning rate had fallen to zero, which probably helps. Here it is still high.
# {{assert mean([r.validation_curve[2] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]) < mean([r.validation_accuracy for r in recorded("patch_size", "P = 4")]) - 0.03}}
# {{assert mean([r.validation_curve[11] for r in recorded("patch_size_at_equal_time", "P = 8, 30 passes")]) < runs("patch_size_longer", "P = 8, 4 × the passes").mean - 0.02}}
#
# ## Was it the time, or the length?
#
# So P = 4 wins after all. But two things have changed since P = 8 won: the time was equal, not the FLOPs, and the training was longer. Which of them changed the winner? We know two of four cells. What would you write into the others?
#
# | points by which P = 8 is ahead | equal FLOPs | equal time |
# |---|---|---|
# | **short**, 3 passes with P = 4 | 12 passes with P = 8: {{gain(runs("patch_size_longer", "P = 8, 4 × the passes")):+±.1p}} | 9 passes: ? |
# | **longer**, 10 passes with P = 4 | 40 passes: ? | 30 passes: {{gain(runs("patch_size_at_equal_time", "P = 8, 30 passes")):+±.1p}} |

# %% tags=["hide-input"]
short, long = (
    summarize(name, "full", cifar10, spread)
    for name in ("patch_size_at_equal_time_short", "patch_size_at_equal_time")
)
leads = {  # after a short training and after a longer one; colours that mean no patch size
    "equal FLOPs": (reached["P = 8, 4 × the passes"], long["P = 8, 40 passes"], "#6A3D9A", "^"),
    "equal time": (short["P = 8, 3 × the passes"], long["P = 8, 30 passes"], "#8A6D00", "v"),
}
_, axis = plt.subplots(figsize=(6.6, 3.6), layout="constrained")
axis.axhline(0, color="gray", linewidth=1)
for index, (name, (*pair, colour, marker)) in enumerate(leads.items()):
    points = [100 * of.difference for of in pair]
    widths = [100 * of.difference_width for of in pair]
    places = [place + (-0.03, 0.03)[index] for place in (0, 1)]
    look = {"color": colour, "marker": marker, "markersize": 7, "linestyle": "-"}
    axis.errorbar(places, points, widths, capsize=4, **look)
    for place, y, side in zip((-0.1, 1.1), points, ("right", "left"), strict=True):
        words = f"{name}: {y:+.1f}".replace("-", "−")
        apart = (0.35, -0.35)[index] if place > 1 else 0  # there the two ends lie close together
        at = {"color": colour, "ha": side, "va": "center", "size": 10.5}
        axis.text(place, y + apart, words, **at)
axis.set_xticks((0, 1), ("short,\n3 passes with P = 4", "longer,\n10 passes with P = 4"))
axis.set(xlim=(-0.85, 1.85), ylabel="points by which P = 8\nis ahead", title="Time, or length?")
axis.grid(axis="y", alpha=0.3)
plots.show(
    "two lines that fall from above 0 to far below it, close to each other",
    "Time, or length?",
    [
        f"{name} {100 * one.difference:+.1f}, {100 * other.difference:+.1f}"
        for name, (one, other, *_) in leads.items()
    ],
)

# %% [markdown]
# **It was mostly the length.** Both lines fall steeply, and they lie close together. The missing cells are {{gain(runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes")):+±.1p}} (short, equal time), where we see no difference, and {{gain(runs("patch_size_at_equal_time", "P = 8, 40 passes")):+±.1p}} (longer, equal FLOPs). So of our four comparisons P = 8 won one: the short training at equal FLOPs.
#
# *On record: {{len(runs("patch_size", "P = 4").accuracies):d}} seeds of P = 4 in the short training, {{len(runs("patch_size_at_equal_time", "P = 8, 40 passes").accuracies):d}} of P = 8 with 40 passes, and three of each other setting.*
# {{assert not differs(runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes"))}}
# {{assert differs(runs("patch_size_at_equal_time", "P = 8, 40 passes")) and runs("patch_size_at_equal_time", "P = 8, 40 passes").difference < 0}}
# {{assert runs("patch_size_longer", "P = 8, 4 × the passes").difference - runs("patch_size_at_equal_time", "P = 8, 40 passes").difference > 0.04 and runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes").difference - runs("patch_size_at_equal_time", "P = 8, 30 passes").difference > 0.04}}
# {{assert differs(distance(runs("patch_size_longer", "P = 8, 4 × the passes"), runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes"))) and round(100 * (runs("patch_size_longer", "P = 8, 4 × the passes").mean - runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes").mean)) == 2}}
# {{assert not differs(distance(runs("patch_size_at_equal_time", "P = 8, 40 passes"), runs("patch_size_at_equal_time", "P = 8, 30 passes")))}}
# {{assert [recorded(*of)[0].run.training.epochs for of in (("patch_size_at_equal_time_short", "P = 8, 3 × the passes"), ("patch_size_at_equal_time", "P = 8, 30 passes"), ("patch_size_at_equal_time", "P = 8, 40 passes"))] == [9, 30, 40]}}
# {{assert 0.95 < 10 * patch_cost(4).flops / (40 * patch_cost(8).flops) < 1.05 and 0.95 < 3 * patch_cost(4).seconds / (9 * patch_cost(8).seconds) < 1.05}}
# {{assert len(runs("patch_size_at_equal_time_short", "P = 8, 3 × the passes").accuracies) == 3}}
#
# The cell at forty passes also answers the doubt about the estimated minutes. If time followed the FLOPs, P = 8 would deserve forty passes, and there, too, P = 4 is ahead.
#
# ### Why does more training help P = 4 more?
#
# Is the model with P = 8 too weak to learn the training images? Or does it learn them, but in a way that helps less with new ones? Here is the training loss of the last pass:
#
# | at equal FLOPs | passes | loss on training images | test images right |
# |---|---|---|---|
# | **short**, P = 4 | 3 | {{mean([r.train_loss[-1] for r in recorded("patch_size", "P = 4")]):.2f}} | {{runs("patch_size", "P = 4").mean:.1%}} |
# | **short**, P = 8 | 12 | {{mean([r.train_loss[-1] for r in recorded("patch_size_longer", "P = 8, 4 × the passes")]):.2f}} | {{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}} |
# | **longer**, P = 4 | 10 | {{mean([r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes")]):.2f}} | {{runs("patch_size_at_equal_time", "P = 4, 10 passes").mean:.1%}} |
# | **longer**, P = 8 | 40 | {{mean([r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 8, 40 passes")]):.2f}} | {{runs("patch_size_at_equal_time", "P = 8, 40 passes").mean:.1%}} |
# {{assert max(r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 8, 40 passes")) < 0.5 * min(r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 4, 10 passes"))}}
# {{assert max(r.train_loss[-1] for r in recorded("patch_size_longer", "P = 8, 4 × the passes")) < min(r.train_loss[-1] for r in recorded("patch_size", "P = 4"))}}
#
# **It is not too weak to learn them.** In the longer training, P = 8 fits the training images much better than P = 4, and yet is right for fewer new ones. It *overfits*: much of what it has learned holds for the training images only. From 30 passes to 40 its training loss still falls, from {{mean([r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 8, 30 passes")]):.2f}} to {{mean([r.train_loss[-1] for r in recorded("patch_size_at_equal_time", "P = 8, 40 passes")]):.2f}}, while we see no gain on the test images. So more images or stronger augmentation may help P = 8 more than P = 4. We did not test that.
#
# ## The puzzle, solved
#
# **Stop here for a moment: this is the main result.**
#
# | both models get | right with 4 × 4 | right with 8 × 8 |
# |---|---|---|
# | the same passes | 3 passes: **{{runs("patch_size", "P = 4").mean:.1%}}** | 3 passes: {{runs("patch_size", "P = 8").mean:.1%}} |
# | about the same FLOPs | 3 passes: {{runs("patch_size", "P = 4").mean:.1%}} | 12 passes: **{{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}}** |
# | an estimated nine minutes | 10 passes: **{{runs("patch_size_at_equal_time", "P = 4, 10 passes").mean:.1%}}** | 30 passes: {{runs("patch_size_at_equal_time", "P = 8, 30 passes").mean:.1%}} |
#
# The winner changes twice. So "smaller is better" needs two additions: what was held equal, and how long the training was. **What could reverse this:** another machine, a learning rate tuned for each size, more images or stronger augmentation.
#
# ## What to do in your own model
#
# **The rule: decide what limits your training, for example the time. Let two neighbouring patch sizes use all of it. Take the one that is better on your validation images, and compare again when you have more time.**
#
# If you already have a trained model and want other patches, its weights can be resampled. `resize_patches` does that, and [exercises 08](exercises/08_pitfalls_patch_size.ipynb) show how.
#
# ## The second part: two sayings, tested
#
# ### "Large patches miss detail"
#
# Where could detail be lost? The projection E turns the 3·P² numbers of a patch into D numbers. If D ≥ 3·P², nothing has to be lost. If D is smaller, E must give the same token to some patches that differ. But neighbouring pixels of a photograph are much alike, so fewer numbers may do.
#
# How much can D = 64 numbers keep at best? The next cell finds the linear projection with the smallest squared error, by principal component analysis (PCA). It rebuilds one test image from these numbers, and draws below it what was lost. **Guess** first: at which patch size will you see a loss?

# %%
D = 64
pixels = dataset.train_images[:4_000].float() / 127.5 - 1
original = dataset.test_images[:1].float() / 127.5 - 1
around = original - original.mean(dim=(2, 3), keepdim=True)  # each colour around its mean
rebuilt, lost, titles = [], [], []
for P in (4, 8, 16, 32):
    patches = patchify(pixels, P).flatten(0, 1)  # (n·N, 3·P²)
    mean = patches.mean(dim=0)
    _, directions = torch.linalg.eigh(torch.cov(patches.T))  # those with most variance come last
    kept = directions[:, -D:]  # (3·P², D)
    rebuilt.append(unpatchify((patchify(original, P) - mean) @ kept @ kept.T + mean, P, 32)[0])
    lost.append(original[0] - rebuilt[-1])  # zero is grey
    share = lost[-1].square().sum() / around.square().sum()
    titles.append((f"P = {P}\n{3 * P * P:,} → {min(D, 3 * P * P)}", f"lost: {100 * share:.0f} %"))

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 5, figsize=(6.6, 3.5), layout="constrained")
shown = [
    (original[0], "the original\n"),
    *zip(rebuilt, [above for above, _ in titles], strict=True),
]
shown += [(None, ""), *zip(lost, [below for _, below in titles], strict=True)]
arrow = {"arrowstyle": "-|>", "color": "black", "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
for axis, (picture, title) in zip(axes.flat, shown, strict=True):
    axis.axis("off")
    if picture is None:
        words = "what is lost,\nin % of the\nvariance of\nthis image"
        axis.text(0.5, 0.5, words, ha="center", va="center", size=10)
        axis.set(xlim=(0, 1), ylim=(0, 1))
        continue
    axis.imshow(plots.as_picture(picture))
    axis.set_title(title, fontsize=10)
    if dataset.name == "shapes10" and axis in axes[0]:  # a yellow spot at the left edge
        axis.annotate("", (2.6, 22), (10, 22), arrowprops=arrow)
plots.show(
    "a drawn image, rebuilt from 64 numbers or fewer to a patch, and what that lost: nothing at "
    "P = 4; noise, the outline of the cross and parts of small spots at P = 8; small spots and sharp "
    "edges at P = 16 and 32, where the yellow spot at the arrow is gone",
    "What 64 numbers a patch can keep",
    [" ".join(of).replace("\n", ": ") for of in titles],
)

# %% [markdown]
# **P = 4 loses nothing, because 48 numbers fit into 64. In the run saved here P = 8 loses noise and a little along the outline of the cross, and P = 16 and P = 32 lose small spots and sharp edges.** The arrow shows such a spot. A wider token loses less: ViT-B/16, with D = 768 = 3·16², need not lose anything.
#
# **Does a model find small details?** We need images whose class depends on something small: Needle-10 from notebook 06. An image has 8 × 8 tiles of 4 × 4 pixels, each with one of ten patterns. One tile has more red than blue. It is the **needle**, and its pattern is the class. All other tiles have more blue than red, and tell nothing.
#
# The first picture shows ten needles, one of each pattern; their colours vary. The second shows one image, cut at three sizes, with its needle framed in orange and the patch around it in black. Below is that patch alone. At P = 4 the needle is a whole patch. At P = 8 it lies in one of four places of its patch, and at P = 16 in one of sixteen.

# %%
images, labels, places = needle10(4_500, seed=0)  # a place counts the tiles row by row: 0 … 63

# %% tags=["hide-input"]
tiles = patchify(images, 4)[torch.arange(len(images)), places]  # each image's needle, flat
contrast = tiles.float().std(dim=1)
clear = []  # of each pattern one with strong contrast, not the strongest
for k in range(10):
    strongest = contrast[labels == k].topk(40).indices
    clear.append(tiles[labels == k][strongest[-1]])
words = "ten needles of 4 × 4 pixels, one of each pattern; light and dark pixels vary in colour"
needles_shown = torch.stack(clear).reshape(10, 3, 4, 4)
plots.show_images(needles_shown, NEEDLE10_CLASSES, columns=5, size=1.1, words=words)

example = 229  # its needle is bright
row, column = divmod(places[example].item(), 8)
left, top = 4 * column, 4 * row  # in pixels
figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.9), layout="constrained")
empty = {"fill": False, "clip_on": False}
for (above, below), P in zip(axes.T, (4, 8, 16), strict=True):
    x, y = left // P * P, top // P * P  # of the patch that holds the needle
    above.imshow(plots.as_picture(images[example]))
    for at in range(P, 32, P):
        above.axhline(at - 0.5, color="white", lw=1)
        above.axvline(at - 0.5, color="white", lw=1)
    below.imshow(plots.as_picture(images[example])[y : y + P, x : x + P])
    for colour, wide in (("white", 6), ("black", 3.5)):
        corner = x - 0.5, y - 0.5  # pixel 0 is drawn from −0.5 to 0.5
        above.add_patch(plt.Rectangle(corner, P, P, **empty, ec=colour, lw=wide, zorder=3))
    for axis, corner in ((above, (left, top)), (below, (left - x, top - y))):
        corner = corner[0] - 0.5, corner[1] - 0.5
        look = empty | {"ec": plots.OKABE_ITO[1], "lw": 2.2, "zorder": 4}
        axis.add_patch(plt.Rectangle(corner, 4, 4, **look))
        axis.axis("off")
    above.set_title(f"P = {P}: {(32 // P) ** 2} patches", fontsize=10.5, weight="bold")
    others = (
        f"and {(P // 4) ** 2 - 1} other tiles"
        if P > 4
        else f"“{NEEDLE10_CLASSES[labels[example]]}”"
    )
    below.set_title(f"the needle, {others}", fontsize=10)
plots.show(
    "an image cut into patches of three sizes, with an orange frame around its needle and a black "
    "one around the patch that holds it; below, that patch alone",
    "A needle of 4 × 4 pixels, three patch sizes",
)

# %% [markdown]
# How many needles will each size find in 500 new images? *To find* one means to name its pattern, so a model that guesses finds one in ten.
#
# *Live, at equal passes: 4,000 images with a needle, a smaller model (two blocks, D = 64), 3 passes, one seed.*

# %%
needles = Dataset(
    images[:4_000], labels[:4_000], images[4_000:], labels[4_000:], NEEDLE10_CLASSES, "needle10"
)
for P in (4, 8, 16):
    run = plan("patch_size", "quick", seed=0)[f"P = {P}", 1]  # with other images and passes:
    run["training"] |= {"epochs": 3, "validation_images": 0}
    model, _ = train_run(run, needles)
    found = evaluate(model, needles.test_images, needles.test_labels)
    print(f"P = {P:2}: {found:4.0%} of the needles found")

# %% [markdown]
# In the run saved here, P = 4 finds every needle, and P = 8 is hardly better than guessing. Is the needle *lost* at P = 8, or only *harder to find*? We asked four more questions, one for each part of the picture below:
#
# - **about the same FLOPs:** were three passes for all sizes fair? P = 8 gets twelve passes, and P = 16 gets 31.
# - **11 times the steps:** does P = 8 have to train for longer still? It gets 33 passes of the same 4,000 images.
# - **11 times the images:** or does it need more images? It gets three passes of 44,000, in as many steps.
# - **a wider model:** does a token need more room? It gets D = 192, as many numbers as a patch has.
#
# *On record: three seeds and 1,000 new images; the rest is as above.*
# {{assert only(records("patch_size"), part="needles").judged_on == only(records("patch_size"), part="needles_at_equal_flops").judged_on == "1,000 test"}}

# %% tags=["hide-input"]
GROUPS = {  # which rows answer a question: P, D, passes, side of the images, images trained on
    "as above": {f"P = {P}": (P, 64, 3, 32, 4_000) for P in (4, 8, 16)},
    "about the same FLOPs": {
        "P = 8: 12 passes": (8, 64, 12, 32, 4_000),
        "P = 16: 31 passes": (16, 64, 31, 32, 4_000),
    },
    "11 times the steps": {"P = 8: 33 passes": (8, 64, 33, 32, 4_000)},
    "11 times the images": {"P = 8: 3 passes": (8, 64, 3, 32, 44_000)},
    "a wider model": {"P = 8: 3 passes, D = 192": (8, 192, 3, 32, 4_000)},
}
FIELDS = ("patch_size", "embed_dim", "passes", "image_size", "trained_on")
measured = parts["needles"] + parts["needles_at_equal_flops"]
measured = {tuple(of[f] for f in FIELDS): of["accuracies"] for of in measured}
_, axis = plt.subplots(figsize=(6.6, 5), layout="constrained")
rows, ticks, y = {}, {}, 0.0
for heading, group in GROUPS.items():
    ticks[y] = heading
    for name, fields in group.items():
        y += 1
        ticks[y] = name
        rows[f"{heading}, {name}"] = found = [100 * share for share in measured[fields]]
        colour = plots.OKABE_ITO[(4, 8, 16).index(fields[0])]
        axis.plot(found, [y] * 3, "o", ms=8, color=colour, alpha=0.6)
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
# **At P = 8 the needles were not lost, but harder to find.**
#
# - **Three passes were not fair.** With about the FLOPs of P = 4, every seed of P = 8 finds more than half of the needles. Every seed of P = 4 finds them all.
# - **With eleven times the steps, two seeds of three found three quarters of the needles or more.** That holds for the same images and for new ones, so we see no sign that P = 8 needs more images. The needles can be found, although 64 numbers cannot hold all of a patch.
# - **A wider model helps a little.** All three seeds gained, and still found less than a fifth in three passes.
# {{assert min(only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=8).accuracies) > 0.5}}
# {{assert max(only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=8).accuracies) < min(needles(patch_size=4)) == 1}}
# {{assert max(only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=16).accuracies) < 0.15}}
# {{assert max(needles(embed_dim=192)) < 0.2}}
# {{assert below(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), needles(embed_dim=192))}}
# {{assert sorted(needles(passes=33))[1] > 0.98 and sorted(needles(passes=33))[0] < 0.6}}
# {{assert sorted(needles(patch_size=8, trained_on=44_000))[1] > 0.75 and sorted(needles(patch_size=8, trained_on=44_000))[0] < 0.4}}
#
# Why are they harder to find? Our guess, which we did not test: at P = 8 the projection has to tell apart ten patterns in four places, with three other tiles mixed in. P = 16 stays open: with 31 passes it is hardly above guessing, and we tried nothing longer. **What could reverse this: needles that lie elsewhere.** Ours always fit the grid of P = 4.
#
# ### "Small patches are noisy"
#
# A patch of 4 × 4 has fewer pixels to average over than one of 16 × 16. If that is what "noisy" means, we can test it: we add the same noise to the test images of all models.

# %%
NOISE = (0, 8, 16, 32, 64)  # standard deviations; values go from 0 to 255
clean = dataset.test_images[:1]
noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
plots.show_images(
    torch.cat([(clean + d * noise).round().clamp(0, 255).to(torch.uint8) for d in NOISE]),
    [f"noise {d}" for d in NOISE],
    columns=len(NOISE),
    words="one drawn image with more and more noise; small things disappear in it first",
)

# %% [markdown]
# Which size will suffer most if all models were trained on clean images? And if all met a noise of 32 in training? **Guess**, then look.
#
# *On record, at equal passes: 3 passes, 3 seeds.*
# {{assert under_noise(8, 0) == runs("patch_size", "P = 8").accuracies}}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.7), sharey=True, layout="constrained")
trainings = {"noise": "trained without noise", "noise_learned": "trained with a noise of 32"}
said = []
for axis, (name, title) in zip(axes, trainings.items(), strict=True):
    for index, P in enumerate((4, 8, 16)):
        found = [of["accuracies"] for of in parts[name] if of["patch_size"] == P]
        found = torch.tensor([[100 * of[str(d)] for d in NOISE] for of in found])  # (seeds, noises)
        style, mean = plots.curve_style(index), found.mean(dim=0)
        axis.plot(NOISE, mean, color=style["color"], linestyle=style["linestyle"])
        axis.plot(NOISE, found.T, style["marker"], color=style["color"], alpha=0.5, ms=4)
        said.append(f"{title}: P = {P} {mean[0]:.0f} % without noise, {mean[-1]:.0f} % at 64")
    axis.set(title=title, xticks=NOISE, ylim=(0, 75))
    axis.grid(alpha=0.3)
axes[0].set_ylabel("accuracy on CIFAR-10 in %,\na dot for each of three seeds")
figure.supxlabel("standard deviation of the noise (values go from 0 to 255)", fontsize=10.5)
key_of = [
    plt.Line2D([], [], **plots.curve_style(index), label=f"P = {P}")
    for index, P in enumerate((4, 8, 16))
]
figure.legend(handles=key_of, loc="outside upper center", ncols=3, frameon=False)
plots.show(
    "accuracy over noise for P = 4, 8 and 16; without noise in training P = 4 starts highest and ends "
    "far below the others, with it P = 4 leads up to a noise of 32",
    "CIFAR-10, noise at test time",
    said,
)

# %% [markdown]
# - **Trained without noise** (left), P = 4 is ahead up to a noise of 16. At 32 it is last: it has fallen to {{mean(under_noise(4, 32)):.0%}}, while the other two have lost less than four points.
# {{assert all(mean(under_noise(P, 0)) - mean(under_noise(P, 32)) < 0.04 for P in (8, 16))}}
# {{assert all(below(under_noise(P, noise), under_noise(4, noise))
# for P in (8, 16) for noise in (0, 8, 16))}}
# {{assert all(below(under_noise(4, noise), under_noise(P, noise))
# for P in (8, 16) for noise in (32, 64))}}
# - **Trained with a noise of 32** (right), P = 4 is ahead of P = 8 by {{seed_by_seed(under_noise(4, 32, learned=True), under_noise(8, 32, learned=True)):±.1p}} points at this noise, and behind by {{seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)):±.1p}} at a noise of 64.
# {{assert all(below(under_noise(P, 32, learned=True), under_noise(4, 32, learned=True))
# for P in (8, 16))}}
# {{assert all(seed_by_seed(under_noise(4, noise, learned=True), under_noise(P, noise, learned=True)).mean
# > seed_by_seed(under_noise(4, noise, learned=True), under_noise(P, noise, learned=True)).width
# for P in (8, 16) for noise in (0, 8, 16, 32))}}
# {{assert differs(seed_by_seed(under_noise(8, 64, learned=True), under_noise(4, 64, learned=True)))}}
#
# So patches of 4 × 4 can be read through noise, once a model has learned to. That has a price: on clean images it cost P = 4 ten points and P = 8 about two. At P = 16 we see no loss.
# {{assert round(100 * (mean(under_noise(4, 0)) - mean(under_noise(4, 0, learned=True)))) == 10}}
# {{assert round(100 * (mean(under_noise(8, 0)) - mean(under_noise(8, 0, learned=True)))) == 2}}
# {{assert not differs(seed_by_seed(under_noise(16, 0), under_noise(16, 0, learned=True)))}}
#
# **What could reverse this: equal FLOPs or equal time.**
#
# ### Recap of the second part
#
# | it is said | true here | not true here |
# |---|---|---|
# | "large patches miss detail" | after three passes P = 8 is hardly better than guessing. P = 16 is not much better after 31 passes | with about the FLOPs of P = 4, P = 8 found more than half of the needles |
# | "small patches are noisy" | trained on clean images, P = 4 is the worst from a noise of 32 on | trained with a noise of 32, P = 4 is ahead up to 32 |
#
# For your own model:
#
# - **If small details matter, try smaller patches, or more steps,** before you call the details lost.
# - **If you know how strong the noise will be at most, try training with it.** At a noise of 32, P = 4 gained a lot from that, while P = 8 and P = 16 hardly changed there.{{assert mean(under_noise(4, 32, learned=True)) - mean(under_noise(4, 32)) > 0.15 and all(abs(mean(under_noise(P, 32, learned=True)) - mean(under_noise(P, 32))) < 0.01 for P in (8, 16))}}
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
# Both may be. Our CPU manages an estimated {{patch_cost(4).seconds / patch_cost(8).seconds:.1f}} passes with P = 8 in the time of one with P = 4. A machine whose times follow the FLOPs would manage about four, and then P = 8 may win a short training. So the answer depends on how long they train, and probably on the machine.
# </details>
#
# **Try it yourself:** [exercises 08](exercises/08_pitfalls_patch_size.ipynb), with checks that say what is wrong.
#
# **Next:** [09 · the class token mishandled, and its rivals](09_pitfalls_class_token.ipynb).

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
