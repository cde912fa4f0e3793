# %% [markdown]
# # 08 · Pitfalls, measured: the size of a patch
#
# **After this notebook you can** choose a patch size by what it costs and what it gives, say what "large patches miss detail" and "small patches are noisy" mean and how far each is true, and give a trained model other patches.
#
# | | |
# |---|---|
# | You need | notebooks 01, 04 and 05; 07 for how experiments are run |
# | Time to read | about 30 minutes |
# | Time to run | at the quick budget {{notebook_seconds("08_pitfalls_patch_size"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("08_pitfalls_patch_size", "float32"):about}} on one core of an older one; on a T4 not measured yet |
# | Package modules | `experiments/`, `pretrained.py`, `patches.py` |
#
# "Patches too small are noisy, patches too large miss detail", says every introduction. Both can be tried. The patch size P decides how many tokens there are, what they cost, and what one of them can mean.
#
# Numbers that the text quotes from drawn shapes are those of the run saved here. Yours will differ a little.

# %%
import contextlib
import io
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
    mean_and_width,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
    train_run,
)
from vit_minimal.records import read_records

dataset = load_dataset()
part = dataset.first(2_500, 1_000)  # what the experiments use at the quick budget
SEEDS = range(3)

# %% [markdown]
# ## What a patch size costs
#
# Here is one photograph at 32 × 32 pixels, the size of all images in this notebook, cut at five patch sizes. Each square becomes one token, and the token is all that the model gets of it.

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)
diagrams.cuts(cat, (2, 4, 8, 16, 32), title="One photograph, five patch sizes")

# %% [markdown]
# Halving the patch side gives four times as many patches. Does it also give four times the work? Each token passes through all the matrices of a block, so with four times the tokens these do four times the work. But attention compares every token with every other, and that makes sixteen times. Per block, for T tokens of width D and an MLP whose hidden width is r times as wide, the matrix products take this many FLOPs (multiplications and additions):
#
# $$\underbrace{(8 + 4r)\,T D^2}_{\text{every token through the matrices}} \;+\; \underbrace{4\,T^2 D}_{\text{every token with every other}}$$
#
# So is it four, or sixteen? Let us count, in one image's forward pass. We also count what PyTorch keeps of it for the backward pass, and measure the time of both passes for 16 images, relative to P = 4. The model is the one of notebook 05's recipe `cpu`: D = 96, r = 2, four blocks.


# %%
def with_model(run, **changes):
    """The same run with other settings of the model."""
    return run | {"model": run["model"] | changes}


base = plan("patch_size", "full", seed=0)["P = 4", 1]  # the model of the recipe `cpu`
costs = {P: cost(with_model(base, patch_size=P), batch_size=16) for P in (2, 4, 8, 16, 32)}
print(" P  tokens  parameters  FLOPs in millions  kept in KB   time")
for P, of in costs.items():
    time = of["seconds"] / costs[4]["seconds"]
    print(
        f"{P:2}{of['tokens']:8,}{of['parameters']:12,}{of['flops'] / 1e6:19.1f}"
        f"{of['kept_bytes'] / 1e3:12,.0f}{time:11.2f} × P = 4"
    )

# %% [markdown]
# Four things are worth seeing.
#
# - **FLOPs grow by less than four times, or by more.** With few tokens it is less: the class token passes through everything as well, and the projection costs the same whatever P is. With many it is more, because attention takes over. With r = 2, its share of a block is T / (T + 4·D): 14 % at 65 tokens, 40 % at 257, and 73 % at 1,025.
# - **Time follows the FLOPs only while there is enough to do.** From P = 16 to 32 the FLOPs halve, and the time hardly falls, or not at all. Probably most of it goes into starting each of PyTorch's operations.
# {{assert 1.9 < patch_cost(16).flops / patch_cost(32).flops < 2.1}}
# {{assert patch_cost(16).seconds / patch_cost(32).seconds < 1.3}}
# - **Memory grows like T**, although the table of attention weights has T² entries: it is never kept. PyTorch's fused attention works through it piece by piece, and computes it again in the backward pass. Otherwise every head of every block would keep T² numbers.
# {{assert patch_cost(1).kept_bytes / patch_cost(2).kept_bytes < 1.02 * patch_cost(1).tokens / patch_cost(2).tokens}}
# - **Parameters do not go in one direction.** They are fewest at P = 4 and nearly twice as many at P = 32: small patches need more positions, large ones a larger projection, 3·P²·D.
# {{assert min(only(records("patch_size"), part="cost").rows, key=lambda r: r.parameters).patch_size == 4}}
# {{assert 1.8 < patch_cost(32).parameters / patch_cost(4).parameters < 2}}
#
# P = 1, where every pixel is a token, was measured in the same way beforehand (`data/results/patch_size.json`):

# %% tags=["nbval-check-output"]
parts = {part["part"]: part["rows"] for part in read_records("../data/results/patch_size.json")}
recorded_costs = {row["patch_size"]: row for row in parts["cost"]}
pixel, four = recorded_costs[1], recorded_costs[4]
print(
    f"P = 1: {pixel['tokens']:,} tokens, {pixel['flops'] / four['flops']:.0f} × the FLOPs of P = 4, "
    f"{pixel['seconds'] / four['seconds']:.0f} × its time, "
    f"{pixel['kept_bytes'] / four['kept_bytes']:.0f} × what is kept"
)

# %% [markdown]
# ## What it gives, at equal passes
#
# The first question one asks: the same number of passes over the training images, only P differs. First on drawn shapes while you wait, then on CIFAR-10 from the record, three passes over {{records("experiments_cifar10_full")[0].trained_on:,}} images with the model above.
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# The first line of each table is the base, P = 4.


# %%
def quietly(name, **options):
    """Run an experiment without a line for each run."""
    with contextlib.redirect_stdout(io.StringIO()):
        return run_experiment(name, dataset=dataset, **options)


sizes = ["P = 4", "P = 8", "P = 16", "P = 32"] if pick_budget() == "quick" else None  # None: all
measured = quietly("patch_size", settings=sizes)  # takes a minute or two
print(as_table(measured))

# %%
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting
measured = summarize("patch_size", "full", cifar10, spread)
print(as_table(measured))

# %% [markdown]
# The intervals of the second table come from the spread pooled over all settings on record that work: {{spread().deviation:.2p}} points with {{spread().degrees:d}} degrees of freedom, since three seeds tell little of how much they vary (notebook 07). P = 2 was trained on a machine that multiplies in float32, the others in bfloat16; what that alone changes was not measured.
# {{assert all(r.precision == ("float32" if name == "P = 2" else "bfloat16")
# for name in experiment("patch_size") for r in recorded("patch_size", name))}}
#
# From P = 16 on, the smaller the patch the better, down to P = 4, and by a lot: {{-runs("patch_size", "P = 8").difference:.1p}} points from 8 to 4.
# {{assert below(runs("patch_size", "P = 16"), runs("patch_size", "P = 8"))}}
# {{assert below(runs("patch_size", "P = 8"), runs("patch_size", "P = 4"))}}
# **There it ends**: P = 2, with {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times the FLOPs, reaches {{runs("patch_size", "P = 2").mean:.1%}} where P = 4 has {{runs("patch_size", "P = 4").mean:.1%}}. An effect of a point or more, in either direction, would have shown.
# {{assert not differs(runs("patch_size", "P = 2")) and largest(gain(runs("patch_size", "P = 2"))) <= 0.01}}
# {{assert all(len(of.accuracies) == 3 for of in experiment("patch_size").values())}}
# That is a surprise, if you expect the trend to go on. Would P = 2 pull ahead with more passes, another rate or a wider model? We did not try. It may: the best published result at 32 × 32 pixels that notebook 05 lists, 95.7 % after 600 passes, has patches of 2.
#
# P = 16 and P = 32 cannot be told apart.
# {{assert not differs(distance(runs("patch_size", "P = 16"), runs("patch_size", "P = 32")))}}
# At P = 32 the image is one patch, so attention has next to nothing to do, and what is trained is little more than an MLP on all pixels at once. After three passes four patches are worth no more than that. (All sizes share one learning rate, and P = 32 has {{patch_cost(32).parameters / patch_cost(16).parameters:.1f}} times the parameters of P = 16.)
# {{assert len({of.learning_rate for of in experiment("patch_size").values()}) == 1}}
#
# ## What it gives, at equal compute
#
# But a pass with P = 8 costs a quarter of one with P = 4. With the compute that is saved you can make four passes. That is a second question, as fair as the first, and it can have another answer.
#
# How many passes does each size get for the FLOPs of one with P = 4, how many did we take, and what do these cost?
#
# | | passes by FLOPs | passes taken | FLOPs, P = 4 is 1 | time, P = 4 is 1 |
# |---|---|---|---|---|
# | P = 2 | {{patch_cost(4).flops / patch_cost(2).flops:.2f}} | ⅓ | {{patch_cost(2).flops / (3 * patch_cost(4).flops):.1f}} | {{patch_cost(2).seconds / (3 * patch_cost(4).seconds):.1f}} |
# | P = 4 | 1 | 1 | 1 | 1 |
# | P = 8 | {{patch_cost(4).flops / patch_cost(8).flops:.1f}} | 4 | {{4 * patch_cost(8).flops / patch_cost(4).flops:.1f}} | {{4 * patch_cost(8).seconds / patch_cost(4).seconds:.1f}} |
# | P = 16 | {{patch_cost(4).flops / patch_cost(16).flops:.1f}} | 12 | {{12 * patch_cost(16).flops / patch_cost(4).flops:.1f}} | {{12 * patch_cost(16).seconds / patch_cost(4).seconds:.1f}} |
# | P = 32 | {{patch_cost(4).flops / patch_cost(32).flops:.1f}} | 24 | {{24 * patch_cost(32).flops / patch_cost(4).flops:.1f}} | {{24 * patch_cost(32).seconds / patch_cost(4).seconds:.1f}} |
#
# Times are those of the record; on your machine, as in the first section, they differ. Now the accuracy on CIFAR-10 over the FLOPs. Each size but P = 4 has two points, its cheaper and its dearer training, and a line joins them.{{assert all(abs(patch_cost(4).flops / (passes * patch_cost(P).flops) - 1) < 0.1 for P, passes in ((8, 4), (16, 12), (32, 24)))}}

# %% tags=["hide-input"]
longer = summarize("patch_size_longer", "full", cifar10, spread)
everything = summarize("patch_size", "full", cifar10, spread) | longer
PAIRS = {  # patch size: {setting: passes over the images, in units of the base's}
    2: {"P = 2, a third of the passes": 1 / 3, "P = 2": 1},
    4: {"P = 4": 1},
    8: {"P = 8": 1, "P = 8, 4 × the passes": 4},
    16: {"P = 16": 1, "P = 16, 12 × the passes": 12},
    32: {"P = 32": 1, "P = 32, 24 × the passes": 24},
}
_, axis = plt.subplots(figsize=(6.6, 4.2), layout="constrained")
for index, (P, settings) in enumerate(PAIRS.items()):
    spent = [passes * costs[P]["flops"] / costs[4]["flops"] for passes in settings.values()]
    reached = [100 * everything[name].mean for name in settings]
    widths = [100 * everything[name].width for name in settings]
    style = plots.curve_style(index) | {"capsize": 3, "lw": 2, "ms": 7}
    axis.errorbar(spent, reached, yerr=widths, label=f"P = {P}", **style)
axis.axvline(1, color="gray", lw=1, zorder=0)
axis.set_xscale("log")
axis.set_xticks([0.05, 0.1, 0.25, 0.5, 1, 2, 5], ["1/20", "1/10", "1/4", "1/2", "1", "2", "5"])
axis.set_xticks([], minor=True)
axis.set_xlabel("FLOPs of the whole training (P = 4 is 1)", size=11)
axis.set_ylabel("accuracy on CIFAR-10 in %", size=11)
axis.legend(loc="upper left", frameon=False, ncols=2)
axis.set_ylim(46, 79)
axis.grid(alpha=0.3)
said = [f"{name} {100 * of.mean:.1f} %" for name, of in everything.items()]
plots.show(
    "accuracy over the FLOPs of the whole training, a line for each patch size; at equal passes the "
    "smaller patches are higher, at the grey line, where FLOPs are equal, P = 8 is highest",
    "Equal passes and equal FLOPs",
    said,
)

# %% [markdown]
# **The two questions have two answers.** Compare the left ends of the lines, and the smaller patches win (P = 2 has its equal passes at the right end). Stand at the grey line, where the FLOPs are equal, and P = 8 is on top: with four times the passes it reaches {{runs("patch_size_longer", "P = 8, 4 × the passes").mean:.1%}}, {{runs("patch_size_longer", "P = 8, 4 × the passes").difference:.1p}} points more than P = 4.
# {{assert below(runs("patch_size_longer", "P = 4"), runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# {{assert differs(runs("patch_size_longer", "P = 8, 4 × the passes"))}}
# P = 16 comes to {{runs("patch_size_longer", "P = 16, 12 × the passes").mean:.1%}}, {{-runs("patch_size_longer", "P = 16, 12 × the passes").difference:.1p}} points less than P = 4. Most of what it seemed to lack was training, but not all.
# {{assert differs(runs("patch_size_longer", "P = 16, 12 × the passes"))}}
# P = 32, the image as one patch, gains less from 24 times the passes and stays at {{runs("patch_size_longer", "P = 32, 24 × the passes").mean:.1%}}.
# {{assert runs("patch_size_longer", "P = 32, 24 × the passes").mean - runs("patch_size", "P = 32").mean
# < runs("patch_size_longer", "P = 16, 12 × the passes").mean - runs("patch_size", "P = 16").mean}}
# At the other end P = 2, given a single pass, reaches {{runs("patch_size_longer", "P = 2, a third of the passes").mean:.1%}}, probably because it took too few steps: 351, where P = 4 took 1,053.
# {{assert differs(runs("patch_size_longer", "P = 2, a third of the passes"))}}
# {{assert all(len(of.accuracies) == 3 for of in experiment("patch_size_longer").values())}}
# So at equal FLOPs the best size lies in between.
#
# By the clock the comparison is kinder to the small patches, as the last column of the table shows. And this is one budget, at one learning rate for all. Larger patches also got more updates: P = 8 made four times those of P = 4. Whether its lead comes from seeing the images more often or from the updates was not tested. P = 4 would gain from more passes as well: after five over 50,000 images it has {{min(accuracies("cifar10_five_whole_passes")):.0p}} to {{max(accuracies("cifar10_five_whole_passes")):.0%}}.
#
# ## "Large patches miss detail"
#
# Where would the detail be lost? The projection E turns the 3·P² numbers of a patch into D. As long as D ≥ 3·P² nothing has to be lost; beyond that, something must be, unless pixels repeat each other as neighbours often do. Here is the most that any linear projection to D = 64 numbers (the width of our quick models) could keep, by squared error: a principal component analysis finds it. Drawn as images:

# %%
D = 64
pixels = dataset.train_images[:2_000].float() / 127.5 - 1
shown, titles = [pixels[:4]], ["original"] * 4
for P in (4, 8, 16, 32):
    patches = patchify(pixels, P)  # (n, N, 3·P²)
    mean = patches.mean(dim=(0, 1))
    _, _, components = torch.pca_lowrank(patches.flatten(0, 1) - mean, q=min(D, 3 * P * P))
    kept = (patches[:4] - mean) @ components @ components.T + mean
    shown.append(unpatchify(kept, P, 32))
    titles += [f"P = {P}: {3 * P * P:,} → {D}"] * 4
plots.show_images(torch.cat(shown), titles, columns=4, size=1.5)

# %% [markdown]
# At P = 4 nothing is lost. At P = 8 fine noise goes, at P = 16 edges blur, and at P = 32, where 3,072 numbers become 64, small shapes go altogether and large ones blur. So detail is lost where 3·P² exceeds D, and a wider token loses less. ViT-B/16 has 3·16² = 768 numbers to a patch and D = 768: the projection of the paper's base model need not lose anything.
#
# ### A question below the patch
#
# Is detail that could be *kept* also *found*? Test it with images whose answer is known to be small. In Needle-10 (notebook 06) one tile of 4 × 4 pixels decides the class, and tiles lie on a grid of 4. With P = 4 a patch is a tile. With P = 8 four tiles share a patch. In the picture the orange frame marks the needle; the model gets no such help.

# %%
images, labels, places = needle10(4_500, seed=0)
row, column = divmod(places[0].item(), 8)  # of the tile that decides
frame = (4 * column, 4 * row, 4)  # left, top and side in pixels
diagrams.cuts(images[0], (4, 8, 16), frame, "A needle of 4 × 4 pixels, and three patch sizes")

# %%
needles = Dataset(
    images[:4_000], labels[:4_000], images[4_000:], labels[4_000:], NEEDLE10_CLASSES, "needle10"
)


def accuracies_on_needles(P):
    reached = []
    for seed in SEEDS:
        run = with_model(plan("patch_size", "quick", seed)["P = 4", 1], patch_size=P)
        run["training"] = run["training"] | {"epochs": 2, "validation_images": 0}
        model, _ = train_run(run, needles)
        reached.append(100 * evaluate(model, needles.test_images, needles.test_labels))
    return reached


for P in (4, 8, 16):
    right = " ".join(f"{accuracy:5.0f}" for accuracy in accuracies_on_needles(P))
    print(f"P = {P:2}: needles found by three seeds, in %: {right}")

# %% [markdown]
# From all to guessing, which is 10 %: twice the patch side, and the model guesses. A result of this size wants a control. Is the needle *lost* at P = 8, or only *harder to find*? The record has longer training, more images, wider tokens, and the same images at twice the size, three seeds each:

# %% tags=["hide-input"]
rows = {}
for row in parts["needles"]:
    name = "P = {patch_size}, D = {embed_dim}, {image_size} × {image_size},".format(**row)
    name += "\n{passes} passes of {trained_on:,} images".format(**row)
    rows[name] = [100 * accuracy for accuracy in row["accuracies"]]
plots.show_dots(rows, "needles found (%)", "Lost, or harder to find?", dashed=("guessing", 10))

# %% [markdown]
# Read the rows against the second one. (Look at the dots and not at the line of their mean: with 44,000 images the three runs of P = 8 reach from {{min(needles(patch_size=8, trained_on=44_000)):.0p}} to {{max(needles(patch_size=8, trained_on=44_000)):.0%}}, and their mean says little.)
#
# - **Images twice as large**, so that a patch of 8 × 8 is one tile again: all right. So it is not the number 8 that hurts but the number of tiles in a patch. (There are more tokens as well, 64 as for P = 4, so this control alone cannot tell the two apart.)
# {{assert all(accuracy == 1 for accuracy in needles(image_size=64))}}
# - **Wider tokens**, D = 192 = 3·8², so that nothing need be lost: {{mean(needles(embed_dim=192)):.0%}} instead of {{mean(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)):.0p}}. That is better, and far from all.
# {{assert below(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), needles(embed_dim=192))}}
# So the compression is not all of it, and in these runs not most of it.
# - **Eleven times the passes, or eleven times the images**, which is the same number of steps: two seeds of three find all or most of the needles, with D = 64.
# {{assert sorted(needles(passes=33))[1] > 0.75}}
# {{assert sorted(needles(patch_size=8, trained_on=44_000))[1] > 0.75}}
# So 64 numbers can hold enough of them. The needles were harder to find. A likely reason: a projection must set one tile apart from its neighbours in each of four places, where with P = 4 it had one.
#
# "Large patches miss detail" makes two separate claims. In this test, detail below the patch was not lost but cost many times the training, and P = 16 had not found it when we stopped.
# {{assert max(needles(patch_size=16, trained_on=44_000)) < 0.2}}
#
# ## "Small patches are noisy"
#
# A patch of 4 × 4 has fewer pixels to average over than one of 16 × 16. If that is what is meant by noisy, it can be tested directly: train models with small and large patches on clean images, then add noise to the test images, the same for all. This is what noise looks like:


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

# %%
models = {}  # by patch size, a list of one per seed
for P in (4, 8, 16):
    runs = [plan("patch_size", "quick", seed)[f"P = {P}", 1] for seed in SEEDS]
    models[P] = [train_run(run, part)[0] for run in runs]


# %%
def under_noise(P):
    """Mean accuracy in % and the width of its interval, at each level of noise."""
    noisy = [with_noise(part.test_images, deviation) for deviation in NOISE]
    reached = [[100 * evaluate(m, x, part.test_labels) for m in models[P]] for x in noisy]
    return [mean_and_width(values) for values in reached]


def show_noise(measured, title):
    plots.show_lines(
        NOISE,
        {f"P = {P}": [mean for mean, _ in of] for P, of in measured.items()},
        "standard deviation of the noise (values go from 0 to 255)",
        "accuracy in %",
        title,
        from_zero=True,
        widths={f"P = {P}": [width for _, width in of] for P, of in measured.items()},
    )


show_noise({P: under_noise(P) for P in models}, "drawn shapes, noise at test time")


# %%
def noise_on_cifar10(part):
    """The same from the record, three seeds."""
    measured = {}
    for P in (4, 8, 16):
        rows = [row["accuracies"] for row in parts[part] if row["patch_size"] == P]
        measured[P] = [mean_and_width([100 * row[str(d)] for row in rows]) for d in NOISE]
    return measured


show_noise(noise_on_cifar10("noise"), "CIFAR-10, trained without noise")

# %% [markdown]
# On CIFAR-10 the sentence holds, and more strongly than it sounds. At a noise of 32 the model with P = 4 has fallen from {{mean(under_noise(4, 0)):.0p}} to {{mean(under_noise(4, 32)):.0%}}, while P = 8 still has {{mean(under_noise(8, 32)):.0p}} of its {{mean(under_noise(8, 0)):.0%}} and P = 16 has lost less than a point of its {{mean(under_noise(16, 0)):.0%}}.
# {{assert mean(under_noise(16, 0)) - mean(under_noise(16, 32)) < 0.01}}
# Up to a noise of 16 P = 4 stays ahead; from 32 on the best model on clean images is the worst.
# {{assert all(below(under_noise(P, noise), under_noise(4, noise))
# for P in (8, 16) for noise in (0, 8, 16))}}
# {{assert all(below(under_noise(4, noise), under_noise(P, noise))
# for P in (8, 16) for noise in (32, 64))}}
# On the drawn shapes P = 4 falls fastest too. There the bands of three seeds are wide, and with much noise they overlap, so we cannot say which leads there.
#
# Is that a property of small patches, or of models that never saw noise? The control: the same models, trained on images with a noise of 32.

# %%
show_noise(noise_on_cifar10("noise_learned"), "CIFAR-10, trained with a noise of 32")

# %% [markdown]
# P = 4 leads again, and at the noise it was trained with the three reach {{mean(under_noise(4, 32, learned=True)):.0p}}, {{mean(under_noise(8, 32, learned=True)):.0p}} and {{mean(under_noise(16, 32, learned=True)):.0%}}.
# {{assert all(below(under_noise(P, 32, learned=True), under_noise(4, 32, learned=True))
# for P in (8, 16))}}
# So small patches can be read through noise; a model has to be taught to. It pays for that with ten points on clean images, and P = 8 with two.
# {{assert all(round(100 * (mean(under_noise(P, 0)) - mean(under_noise(P, 0, learned=True)))) == points
# for P, points in ((4, 10), (8, 2)))}}
# (What it has learned is *this* noise: at twice as much P = 4 falls behind once more, {{mean(under_noise(4, 64, learned=True)):.0p}} against {{mean(under_noise(8, 64, learned=True)):.0%}}.)
# {{assert max(under_noise(4, 64, learned=True)) < min(under_noise(8, 64, learned=True))}}
#
# ## Other patches for a trained model
#
# A model with patches of 4 × 4 is to read images twice as large, at the cost it had. Its projection must become one of 8 × 8. The obvious way is to resize the kernels like images. But the dot product of a resized kernel with a resized patch is not what it was: there are four times as many pixels to add up, so it is about four times as large. You could divide by four. [FlexiViT](https://arxiv.org/abs/2212.08013) does better, and asks for the kernel that leaves the *dot product* as it was. Enlarging a patch x by itself is a matrix: x becomes Bx. We want a kernel w′ with w′·Bx = w·x for every x, that is Bᵀw′ = w, and the pseudo-inverse of Bᵀ solves it. The solution is exact for patches that were each enlarged by themselves. An enlarged *image* also mixes a little across the borders of its patches, and for smaller patches the solution is as near as possible. `resize_patches` does that. Here is one of the models of the noise test, with other patches:

# %%
model = models[4][0]
larger = interpolate(part.test_images.float(), size=64, mode="bilinear", antialias=True)
larger = larger.round().to(torch.uint8)  # images of 64 × 64

exact = resize_patches(model, patch_size=8, image_size=64)
naive = resize_patches(model, patch_size=8, image_size=64)
divided = resize_patches(model, patch_size=8, image_size=64)
resized = interpolate(model.patch_embed.proj.weight.data, size=8, mode="bilinear")
naive.patch_embed.proj.weight.data = resized
divided.patch_embed.proj.weight.data = resized / 4  # four times the pixels
results = {
    "P = 4, 32 × 32, as trained": (model, part.test_images),
    "P = 8, 64 × 64, kernels resized like images": (naive, larger),
    "P = 8, 64 × 64, the same, divided by 4": (divided, larger),
    "P = 8, 64 × 64, pseudo-inverse": (exact, larger),
    "P = 8, 32 × 32: a quarter of the tokens": (resize_patches(model, 8), part.test_images),
    "P = 2, 32 × 32: four times the tokens": (resize_patches(model, 2), part.test_images),
}
plots.show_bars(
    {name: 100 * evaluate(m, x, part.test_labels) for name, (m, x) in results.items()},
    "accuracy on test images in %",
    "one trained model, other patches",
)

# %% [markdown]
# The first four bars have as many tokens as before, of the same content. The accuracy is a coarse judge here, so let us also ask how far the new tokens are from the old ones, relative to their size:


# %%
@torch.no_grad()
def token_error(other):
    """How far the patch tokens of the enlarged images are from those of the originals."""
    old = model.patch_embed(normalize(part.test_images[:200]))
    new = other.patch_embed(normalize(larger[:200]))
    return ((new - old).norm() / old.norm()).item()


for name, other in (("like images", naive), ("divided by 4", divided), ("pseudo-inverse", exact)):
    print(f"{name:16} tokens are off by {token_error(other):4.0%}")

# %% [markdown]
# In the run saved here, kernels resized like images make tokens that are wrong by nearly three times their own size, and the model loses only six points, probably because the norm in the first block takes much of a common factor out again. Divided by four, the tokens are off by 12 %, and with the pseudo-inverse by 8 %. What is left is what the enlargement has mixed across the borders of patches. In accuracy these two cannot be told from the model as trained, since a share of 1,000 images is itself uncertain by about 3 points.
#
# With another content to each token, the last two bars, a good part of the accuracy is lost, or nearly all. Here is the same with the model of CIFAR-10 that the package ships. What matters is how many pixels *of the original image* a token covers:

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

# %% [markdown]
# | | original pixels to a token | grid | accuracy |
# |---|---|---|---|
# | as trained: P = 4 at 32 × 32 | 4 × 4 | 8 × 8 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy:.1%}} |
# | P = 8 at 64 × 64 | 4 × 4 | 8 × 8 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=64).accuracy:.1%}} |
# | P = 2 at 16 × 16 | 4 × 4, from a smaller image | 8 × 8 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=2, image_size=16).accuracy:.1%}} |
# | P = 8 at 32 × 32 | 8 × 8 | 4 × 4 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=32).accuracy:.1%}} |
# | P = 2 at 32 × 32 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=2, image_size=32).accuracy:.1%}} |
# | P = 4 at 64 × 64 | 2 × 2 | 16 × 16 | {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=64).accuracy:.1%}} |
#
# Only the second row keeps both the content of a token and the grid, and almost nothing is lost. (Nothing but chance can be gained either: an enlarged image has no new detail.) All others lose {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy
# - max(r.accuracy for r in only(records("patch_size"), part="resampling").rows
# if (r.patch_size, r.image_size) not in ((4, 32), (8, 64))):.0p}} points or more. In the third row the grid is the old one, but the small image itself has lost its detail. Which of P = 8 and P = 2 at 32 × 32 does worse depends on the data: here it is P = 2, and on the drawn shapes above it was P = 8.
# {{assert only(only(records("patch_size"), part="resampling").rows, patch_size=2, image_size=32).accuracy < only(only(records("patch_size"), part="resampling").rows, patch_size=8, image_size=32).accuracy}}
#
# So it is not the enlarged kernel that breaks the model. Most likely it is the blocks that follow: they have learned what windows of one size mean, and how far apart they lie. (Where the grid changes, `resize_patches` also has to resize the grid of positions like an image.) A kernel made smaller loses something itself, because 48 numbers become 12. The ViT paper, which changes the size of the images and not of the patches, trains on for a while afterwards, and FlexiViT trains with many patch sizes from the start. We did neither.
#
# ## What to do in your own model
#
# - **Start from what you hold fixed.** If images are few and time is not, take the smallest patch you can afford. If arithmetic is what you can afford, take one size larger and make more passes. (By the clock larger patches gain less than by FLOPs.)
# - **Compare sizes at equal FLOPs as well as at equal passes**, and say which.
# - **Expect to train longer** if small detail matters and a patch holds several of its tiles. With D < 3·P² the embedding also compresses, but in our test that mattered less than the training.
# - **If the images will be noisy, train with noise.** A larger patch is the weaker remedy.
# - **To move to larger images**, enlarge the patches with them (`resize_patches`), so that each token keeps its content and the grid its size.
#
# ## Recap
#
# - Halving the patch side gives four times as many patches. The FLOPs of our model grew by {{min(half.flops / whole.flops for half, whole in
# zip(only(records("patch_size"), part="cost").rows,
# only(records("patch_size"), part="cost").rows[1:])):.0f}} to {{max(half.flops / whole.flops for half, whole in
# zip(only(records("patch_size"), part="cost").rows,
# only(records("patch_size"), part="cost").rows[1:])):.0f}} times: by less than four where tokens are few, by more where they are many, because attention's part grows with T².
# - At **equal passes** smaller patches won on CIFAR-10, from P = 16 down to P = 4; P = 2 was no better than P = 4 (for {{patch_cost(2).flops / patch_cost(4).flops:.1f}} times the FLOPs), and P = 32 and P = 16 could not be told apart. For the same FLOPs P = 8 was ahead of P = 4, and P = 16 came close. Say which of the two you hold fixed.
# - Large patches **need not lose** detail as long as D ≥ 3·P². They make it harder to find.
# - Models with small patches were **disturbed most by noise that they had not met**, and led again when they were trained with it.
# - Trained weights can be moved to larger images with larger patches. Given other tokens, the model of CIFAR-10 lost {{only(only(records("patch_size"), part="resampling").rows, patch_size=4, image_size=32).accuracy
# - max(r.accuracy for r in only(records("patch_size"), part="resampling").rows
# if (r.patch_size, r.image_size) not in ((4, 32), (8, 64))):.0p}} points or more without further training.
#
# ## Questions
#
# <details><summary>Your images are 224 × 224 and P = 16. You halve P. How many times the FLOPs?</summary>
#
# N grows from 196 to 784. All that is done for each token costs four times as much, attention's part sixteen times: between four and sixteen in all, near four as long as T is small beside 4·D or more. (An MLP of width 4·D makes it 6·D. For ViT-B, D = 768, attention's share grows from 4 to 15 %, and that makes about 4.5 times in all.)
# </details>
#
# <details><summary>Somebody finds P = 8 better than P = 4, "at the same training time". Somebody else finds the opposite, "after the same passes". Who is right?</summary>
#
# Both may be. By FLOPs, one pass with P = 4 pays for about four with P = 8, and by the clock for two or three, depending on the machine.
# {{assert round(patch_cost(4).seconds / patch_cost(8).seconds) == 3}}
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
