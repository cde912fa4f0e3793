# %% [markdown]
# # 10 · Claims, put to the test
#
# **After this notebook you can** say which common sentences about the class token and Vision Transformers were true here, by how much, and how far the test reaches.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04; what a card needs from a later notebook, it says |
# | Time to read | about 25 minutes, five of them for the appendix |
# | Time to run | at the quick budget a minute{{assert round(notebook_seconds("10_claims_put_to_the_test") / 60) == 1}} on two cores of a recent server CPU, three to four{{assert 3 * 60 < notebook_seconds("10_claims_put_to_the_test", "float32") < 4 * 60}} on one core of an older one |
# | Package modules | `experiments/`, `forest.py`, and `data/results/` |
#
# You have probably said one of these sentences yourself; we have. Here each one meets an experiment.

# %%
import statistics
from pathlib import Path

import matplotlib.pyplot as plt
from skimage import data  # for a photograph

from vit_minimal import (
    diagrams,
    knock_out,
    load_checkpoint,
    load_dataset,
    load_image,
    needle10,
    plots,
)
from vit_minimal.data import CIFAR10_CLASSES
from vit_minimal.diagrams import card
from vit_minimal.experiments import (
    contrast,
    key,
    mean_and_width,
    plan,
    pooled_spread,
    run_experiment,
    students_t,
    summarize,
)
from vit_minimal.forest import show_claims, show_then_and_now
from vit_minimal.records import read_records

shapes10 = load_dataset("shapes10")  # drawn shapes, on which training takes seconds
cifar10 = read_records("../data/results/experiments_cifar10_full.json")  # runs on CIFAR-10

# %% [markdown]
# ## Your guess first
#
# Which of these six sentences would you sign, for a small ViT that is trained on CIFAR-10? There are four verdicts:
#
# - **holds**: the sentence is true;
# - **holds in part**: one part is true, and another is not, or is not shown;
# - **does not hold**: it is not true here;
# - **not settled**: our experiment cannot decide it.
#
# One rule decides among them: **a verdict judges the words of its sentence**, and not what people conclude from it. For a word such as *only* or *must*, one example against it is enough. Words that cannot fail, because the model is built so, are true *by construction*. A verdict reaches as far as what was tested.
#
# Take a pencil, or double-click this cell, and write a verdict and a number into each row. "It" is the class token. A *point* is one per cent of the test images.
#
# | | the sentence | your verdict | on CIFAR-10, after short training | your number |
# |---|---|---|---|---|
# | 2 | It gathers from all patches, layer by layer. | | A class token joins for the last of four blocks only. How many points does that cost? | |
# | 5 | Without it, the model only understands single patches. | | The patches cannot see each other. How many of 100 test images are right? | |
# | 6 | A class token classifies better than the mean of the patches. | | By how many points? | |
# | 11 | Its initialisation decides. | | It starts 500 times as large as usual. How many points does that cost? | |
# | 12 | It must be updated by attention like any other token. | | It never reads the patches. How many of 100 test images are right? | |
# | 16 | Large patches miss detail. | | On Needle-10: a tile of 4 × 4 pixels holds the answer. In how many of 100 images do patches of 8 × 8 find it? | |
#
# The sentences keep their numbers from a list of {{numbered_sections("10_claims_put_to_the_test") + numbered_sections("14_more_claims"):d}}. [Notebook 14](14_more_claims.ipynb) has the others. In each card the result comes after the pictures, so that you may guess once more.
#
# The **base** is small: patches of 4 × 4 pixels (P = 4), a class token and four blocks. The optimizer Muon trains it for three *passes* over 45,000 images of CIFAR-10, with {{len(runs("pooling", "class token").accuracies):d}} **seeds**. A seed fixes what is random, such as the weights at the start. A model that is compared with it differs only in what the card names, and has three seeds. The **shipped model**, which comes with this course, has six blocks and made {{record("cifar10_cpu_long").training.epochs:d}} passes.{{assert recorded("class_token_init", "N(0, 0.02)")[0].run.training.epochs == 3}}
#
# ## The first card
#
# ### 5. "Without it, the model only understands single patches"
#
# **Tested:** two models without a class token, whose heads read the mean of the patches. In *single patches*, a mask keeps the tokens from seeing each other. *Patches together* has no mask.
#
# *Runs:* CIFAR-10, else like the base.
#
# A guess is right for one image in ten. How far do single patches get? First we train both models on drawn shapes. Expect lower numbers there, because this training is much shorter. Read the ± as "give or take". (Your numbers may differ from those saved here.)

# %%
names = {"single patches": "mean of patches, no attention", "patches together": "mean of patches"}
settings = list(names.values())
found = run_experiment("single_patches", dataset=shapes10, settings=settings, verbose=False)
single, together = (found[setting].accuracies for setting in names.values())
for name, reached in zip(names, (single, together), strict=True):
    print(f"{name + ':':17} {100 * sum(reached) / len(reached):.1f} %")
difference, width = contrast([together], [single])
print(f"together − single: {100 * difference:+.1f} ± {100 * width:.1f} points")

# %% [markdown]
# The runs on CIFAR-10 took longer, and are on record:

# %% tags=["hide-input"]
known = {key(record["run"]): record["accuracy"] for record in cifar10}
plots.show_dots(
    {
        label: [100 * known[key(plan("single_patches", "full", n)[name, 1])] for n in range(3)]
        for label, name in reversed(names.items())
    },
    "accuracy on test images in %",
    "CIFAR-10: does it help to see each other?",
)

# %% [markdown]
# **Result:** on CIFAR-10, single patches are right for {{runs("single_patches", "mean of patches, no attention").mean:.0%}}, and patches together for {{distance(runs("single_patches", "mean of patches"), runs("single_patches", "mean of patches, no attention")):±.1p}} points more.
#
# **Does not hold**, because patches together are *without it* as well, and they understand more than *single patches*.{{assert
# below(runs("single_patches", "mean of patches, no attention"), runs("single_patches", "mean of patches"))}}
#
# Still, single patches get surprisingly far. [BagNet](https://arxiv.org/abs/1904.00760) reads ImageNet from small patches whose order does not count, while ours keep their positions.
#
# *What it teaches:* an accuracy means something only next to what a simpler model reaches.
#
# *Limits:* one patch size on each data set, short training, and no learning rate was tuned.
#
# *Try it yourself:* `python -m vit_minimal.experiments single_patches --seeds 1`
#
# ## How sure is a number?
#
# In card 5 the effect is large. Most effects are smaller, and then three seeds can mislead. The first three runs of the base lay within {{max(runs("pooling", "class token").accuracies[:3]) - min(runs("pooling", "class token").accuracies[:3]):.1p}} points of each other. Ten more lay within {{max(runs("pooling", "class token").accuracies[3:]) - min(runs("pooling", "class token").accuracies[3:]):.1p}}.{{assert max(runs("pooling", "class token").accuracies[3:]) - min(runs("pooling", "class token").accuracies[3:]) > 3 * (max(runs("pooling", "class token").accuracies[:3]) - min(runs("pooling", "class token").accuracies[:3]))}}
#
# So we ask all *settings* at once, that is, all ways in which the small model was built and trained: how far is a run from the mean of its setting? The answer is one standard deviation, which all settings share. (Statisticians call it *pooled*.)

# %% tags=["nbval-check-output"]
spread = pooled_spread(cifar10)
print(f"a run about the mean of its setting: {100 * spread.deviation:.2f} points")

# %% [markdown]
# The picture below shows the four terms that follow. It compares the base with four *registers*, more tokens that the head does not read, and with attention pooling (card 6), once in three runs and once in the last of them alone.
#
# - A **95 % interval** is the bar. About 95 of 100 such bars hold the number that very many seeds would give. What stands after a ± is half its length.
# - **No effect seen**: the bar includes 0. The effect may be anything in it.
# - **Hint**: the bar does not include 0, but that is not enough. The record has {{comparisons():d}} comparisons with a base, and if there were no effects at all, two or three bars would still miss 0 by chance.{{assert comparisons() == 53}}{{assert 2 <= 0.05 * comparisons() <= 3}}
# - **Clear**: the dot lies beyond the **threshold**, where the grey ends. In at least 95 of 100 records without any effects, no dot would.


# %% tags=["hide-input"]
def records(name):
    return read_records(f"../data/results/{name}.json")


def measured(experiment, names=None):
    """{setting: Summary} of an experiment on CIFAR-10; `names` renames and selects."""
    found = summarize(experiment, "full", cifar10, spread)
    return {new: found[name] for name, new in names.items()} if names else found


def first_seed(experiment, setting, rate):
    """The accuracy in % at a factor of the base's learning rate, None if that was not tried."""
    right = known.get(key(plan(experiment, "full", 0)[setting, rate]))
    return right and 100 * right


def points(of, sign=1):
    """What a Summary is ahead of its base, and half the interval, in points."""
    return sign * 100 * of.difference, 100 * of.difference_width


def lead(ahead, behind):
    """The same for lists of shares, one share for each seed."""
    return tuple(100 * number for number in contrast(ahead, behind))


(journey,) = records("class_token_journey")
patches = {part["part"]: part["rows"] for part in records("patch_size")}
place = measured("class_token_place")


def between(one, other):
    """one − other in points, and half the interval: of two Summaries, or of two (mean, width)."""
    pairs = [of if isinstance(of, tuple) else (of.mean, of.width) for of in (one, other)]
    (first, first_width), (second, second_width) = pairs
    return 100 * (first - second), 100 * (first_width**2 + second_width**2) ** 0.5


def show_runs(summaries, axis, title):
    """A dot for each seed, the mean and its interval, on an axis of a figure of several panels."""
    runs = {name: [100 * right for right in of.accuracies] for name, of in summaries.items()}
    widths = {name: 100 * of.width for name, of in summaries.items()}
    plots.show_dots(runs, "accuracy on test images in %", title, widths=widths, axis=axis)


starts, single = measured("class_token_init"), measured("single_patches")
sizes, longer = measured("patch_size"), measured("patch_size_longer")
cut_off = place | measured("class_token_cut") | measured("class_token_untrained")
reads_in = journey["mean_ablations"]["from a block on"]  # cut off in all blocks but the first few
reads_in = [  # right answers if it reads in the first 0, 1, … 6 blocks alone: (mean, width)
    *zip(reads_in["mean"], reads_in["width"], strict=True),
    (journey["accuracy"]["mean"], journey["accuracy"]["width"]),
]
needles = {  # found with Needle-10's 4,000 images, by patch size and passes
    (row["patch_size"], row["passes"]): row["accuracies"]
    for row in patches["needles"]
    if (row["embed_dim"], row["image_size"], row["trained_on"]) == (64, 32, 4_000)
}
budgets = {"full": cifar10, "long": records("experiments_cifar10_long")}
spreads = {budget: pooled_spread(of) for budget, of in budgets.items()}


def then_and_now(experiment, setting):
    """(points ahead of the base, half the interval) after few passes, and after many."""
    return tuple(
        points(summarize(experiment, budget, of, spreads[budget])[setting])
        for budget, of in budgets.items()
    )


mean_then, mean_now = then_and_now("pooling", "mean of patches")
CLAIMS = {  # number: (sentence, verdict, comparisons: what was compared, points, half the interval)
    5: ("Without it, the model only understands single patches", "does not hold", [
        ("patches together − single patches",
         *between(single["mean of patches"], single["mean of patches, no attention"]), "0")]),
    2: ("It gathers from all patches, layer by layer", "holds", [
        ("one more block to read in, smallest gain",
         *min(between(*pair) for pair in zip(reads_in[1:], reads_in[:-1], strict=True)))]),
    6: ("A class token classifies better than the mean of the patches", "does not hold", [
        ("class token − mean, 3 passes", -mean_then[0], mean_then[1]),
        ("the same after 14 passes", -mean_now[0], mean_now[1])]),
    11: ("Its initialisation decides", "holds in part", [
        ("start N(0, 0.02) − start N(0, 10)",
         *between(starts["N(0, 0.02)"], starts["N(0, 10)"]), "not 0"),
        ("start N(0, 0.02) − start zeros",
         *between(starts["N(0, 0.02)"], starts["zeros"]), "not 0")]),
    12: ("It must be updated by attention like any other token", "holds in part", [
        ("updated in all blocks − in none",
         *between(cut_off["class token"], cut_off["sees itself alone"])),
        ("updated in all blocks − in the last alone",
         *between(cut_off["class token"], place["only in the last block"]))]),
    16: ("Large patches miss detail", "holds in part", [
        ("Needle-10: (P = 4) − (P = 8)",
         *lead([needles[4, 3]], [needles[8, 3]])),
        ("the same, P = 8 after 33 passes",
         *between(mean_and_width(needles[4, 3]), mean_and_width(needles[8, 33]))),
        ("CIFAR-10, with the same passes",
         *between(sizes["P = 4"], sizes["P = 8"])),
        ("CIFAR-10, with the same FLOPs",
         *between(longer["P = 4"], longer["P = 8, 4 × the passes"]))]),
}  # fmt: skip

# %% tags=["hide-input"]
TO_INTERVAL = students_t(spread.degrees)  # standard errors from a number to the end of its bar
TO_THRESHOLD = students_t(spread.degrees, 1 - 0.05 / 53)  # from 0 to the threshold: appendix
heads = summarize("pooling", "full", cifar10, spread)
base, tried = heads["class token"].accuracies, heads["attention pooling"].accuracies
judged = {
    "attention pooling, 3 runs": tried,
    "its last run alone": tried[2:],
    "4 registers, 3 runs": heads["class token, 4 registers"].accuracies,
}
figure, panels = plt.subplots(2, 1, figsize=(5.2, 5.2), layout="constrained")
reached = [100 * right for right in base]
plots.show_dots(
    {"its first\n3 seeds": reached[:3], f"{len(base) - 3} more": reached[3:]},
    "accuracy on test images in %", "CIFAR-10: runs of the base", axis=panels[0],
)  # fmt: skip
panels[1].axvline(0, color="gray", linewidth=1)
for row, accuracies in enumerate(judged.values()):
    far = 100 * (statistics.mean(accuracies) - statistics.mean(base))
    error = 100 * spread.deviation * (1 / len(accuracies) + 1 / len(base)) ** 0.5
    grey = -TO_THRESHOLD * error, TO_THRESHOLD * error
    panels[1].fill_betweenx((row - 0.4, row + 0.4), *grey, color="0.88", linewidth=0)
    panels[1].errorbar(far, row, xerr=TO_INTERVAL * error, capsize=4, fmt="o", color="black")
words = zip(("clear", "hint", "no effect seen"), judged, strict=True)
panels[1].set_yticks(range(len(judged)), [f"{verdict}\n({name})" for verdict, name in words])
panels[1].set(xlim=(-3.5, 3.5), ylim=(2.5, -0.5), title="Three differences to the base",
              xlabel="points ahead of the base\n(bar: 95 % interval, grey: up to the threshold)")  # fmt: skip
plots.show("above, the first three runs lie close together, and ten more spread widely; below, a "
           "difference beyond the threshold is clear, one between 0 and the threshold is a hint, and "
           "one whose interval includes 0 is no effect seen", "how sure a number is")  # fmt: skip

# %% [markdown]
# More runs turned the hint into a clear effect. They can also turn one into nothing. Now compute the verdicts. The constants, which the appendix explains, say how many standard errors it is to the end of a bar, about two, and to the threshold, more than three.{{assert 1.9 < students_t(spread().degrees) < 2.1}}{{assert 3 < students_t(spread().degrees, 1 - 0.05 / comparisons()) < 3.5}}{{assert
# [largest < corrected(1) for largest in (runs("pooling", "attention pooling").accuracies[2] - runs("pooling", "class token").mean,)] == [True] and runs("pooling", "attention pooling").difference > corrected()}}

# %% tags=["nbval-check-output"]
for name, accuracies in judged.items():
    difference = statistics.mean(accuracies) - statistics.mean(base)
    error = spread.deviation * (1 / len(accuracies) + 1 / len(base)) ** 0.5  # the standard error
    half, threshold = TO_INTERVAL * error, TO_THRESHOLD * error  # half of the interval
    size = abs(difference)
    verdict = "clear" if size > threshold else "hint" if size > half else "no effect seen"
    print(f"{name}: {100 * difference:+z.1f} ± {100 * half:.1f} points, {verdict}")

# %% [markdown]
# Put `judged["mean of patches"] = heads["mean of patches"].accuracies` above the loop, and you have the verdict of card 6 before you read it.
#
# ## The other five
#
# The last line of each card is one to try, in a terminal, or in a cell here after a `!`. It runs a quick version with one seed, which has no interval and may come out the other way.
#
# ### 2. "It gathers from all patches, layer by layer"
#
# **Tested:** does the shipped class token gather in each block? A *probe*, a linear classifier, looks for the class in it after each block. And the model answers while its class token reads in the first blocks only. In the others it gets the *usual mean*, what it reads there on average over many images.
#
# **Also tested:** *must* it gather in every block? The first way **cuts** the trained model in one block, where its class token reads either nothing or the usual mean. In the second way, a small model is trained with a class token that comes **late**, for the last block only.
#
# *Runs:* CIFAR-10. One shipped model; the late class token against the base.
#
# An arrow leads to the token that reads. It is purple for the class token, and grey for a patch:

# %% tags=["hide-input"]
diagrams.cut_or_late(6, 3, 4)

# %% [markdown]
# Cut a block yourself, on a photograph of a cat. Which one will matter most?

# %%
block = 6  # yours, from 1 to 6
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
photo = load_image(Path(data.__file__).with_name("chelsea.png"), 32)[None]
for blocks in ([], [block - 1]):  # the package counts from 0
    shares = knock_out(shipped, photo, blocks).softmax(dim=1)[0]
    said = f"cut in block {block}" if blocks else "not cut"
    print(f"{said}: {shares.max():.0%} {CIFAR10_CLASSES[shares.argmax()]}")

# %% [markdown]
# That is one photograph, and the record has 5,000. Which would you trust more to tell what a model *needs*: cutting a trained model, or training one late?

# %% tags=["hide-input"]
cuts = {"reads nothing": "knock_outs", "reads the usual mean": "mean_ablations"}
lost = {name: journey[how]["loss, one block"] for name, how in cuts.items()}
figure, panels = plt.subplots(
    3, 1, figsize=(5.2, 7.4), height_ratios=[6, 6, 4], layout="constrained"
)
probed, allowed = journey["probes"]["class_token"], list(zip(*reads_in, strict=True))
found = {
    "probe": (probed["mean"], probed["width"]),
    "answer, if it reads in these alone": allowed,
}
plots.show_lines(
    range(7),
    {name: [100 * share for share in shares] for name, (shares, _) in found.items()},
    "blocks passed",
    "classes right in %",
    "The shipped model: layer by layer",
    widths={name: [100 * width for width in widths] for name, (_, widths) in found.items()},
    axis=panels[0],
)
panels[0].set_ylim(0, 125)  # room for the legend above the lines
panels[0].set_yticks(range(0, 101, 25))
panels[0].legend(loc="upper left", ncols=2, columnspacing=1)
plots.show_lines(
    range(1, 7),
    {name: [100 * points for points in of["mean"]] for name, of in lost.items()},
    "the block in which the class token is cut off",
    "points lost",
    "First way: the shipped model, cut in one block",
    widths={name: [100 * width for width in of["width"]] for name, of in lost.items()},
    axis=panels[1],
)
late = {"in all blocks": "class token", "only in the last": "only in the last block"}
show_runs(
    {name: place[of] for name, of in late.items()},
    panels[2],
    "Second way: trained with the class token …",
)
plots.show(
    "the probe finds the class better after every block, and the model answers better the more blocks its class token may read in; cuts in early blocks cost little, one in the last block costs most; small models whose class "
    "token is there for the last block alone are somewhat ahead", "a class token cut off, or late",
)  # fmt: skip
# %% [markdown]
# **Result:** from {{probe("class_token", 1).mean:.0%}} after block 1, the probe gets better with every block. So does the model with every block in which its class token may read, by {{distance(ablated("mean_ablations", "from a block on", 2), ablated("mean_ablations", "from a block on", 1)):±.1p}} points or more. A cut in block 1, 2 or 3 still costs about a point at most, as later blocks make up for it. The late class token is {{gain(runs("class_token_place", "only in the last block")):±.2p}} points *better* than the base. That is right at the threshold, so we call it a hint.{{assert
# all(probe("class_token", b).mean < probe("class_token", b + 1).mean for b in range(6))}}{{assert
# all(differs(distance(ablated("mean_ablations", "from a block on", b + 1), ablated("mean_ablations", "from a block on", b))) and ablated("mean_ablations", "from a block on", b + 1).mean - ablated("mean_ablations", "from a block on", b).mean >= ablated("mean_ablations", "from a block on", 2).mean - ablated("mean_ablations", "from a block on", 1).mean > 0 for b in range(1, 6)) and record("class_token_journey").accuracy.mean - ablated("mean_ablations", "from a block on", 6).mean > 0.05}}{{assert
# max(cut("knock_outs", b).mean for b in (1, 2, 3)) < 0.011 and max(cut("knock_outs", b).mean for b in (1, 2, 3)) < min(cut("knock_outs", b).mean for b in (4, 5, 6))}}{{assert
# differs(runs("class_token_place", "only in the last block")) and abs(runs("class_token_place", "only in the last block").difference - corrected()) < 0.0003}}
#
# **Holds**, because both of its parts do:
#
# | part of the sentence | what the test says |
# |---|---|
# | *from all patches* | **by construction**: a softmax gives no token the weight 0, so the class token reads every patch in every block |
# | *layer by layer* | **holds** for the shipped model: reading in one more block always adds right answers |
#
# The probe alone would not show this, because an MLP can make what is already there easier to read. Tutorials say so, for example [this one](https://www.abhik.ai/concepts/transformers/cls-token). Whether the class token *needs* all these blocks is another question. A probe on the mean of the patches finds the class in {{probe("patch_mean", 1).mean:.0%}} of the images after block 1, and in {{probe("patch_mean", 5).mean:.0%}} after block 5, so perhaps it could read everything at the end.{{assert
# all(probe("patch_mean", b).mean < probe("patch_mean", b + 1).mean for b in range(6))}}
#
# **To learn what a model needs, trust the second way.** The cut surprises a model that was never trained for it: in the last block, reading nothing costs {{cut("knock_outs", 6).mean:.0p}} points, and reading the usual mean only {{cut("mean_ablations", 6).mean:.0p}}.{{assert
# cut("mean_ablations", 6).mean < 0.5 * cut("knock_outs", 6).mean}} A late class token that is trained so loses nothing here.
#
# *What it teaches:* a cut tells how *this* model works, and training without a part tells whether it is needed.
#
# *Limits:* intervals of the shipped model are over test images. If it reads nothing instead of the usual mean, block 1 alone adds no right answers.{{assert
# ablated("knock_outs", "from a block on", 2).mean < ablated("knock_outs", "from a block on", 1).mean}} The quick version, with two blocks, comes out the other way.
#
# *Try it yourself:* `python -m vit_minimal.experiments class_token_place --seeds 1 --settings "class token" "only in the last block"`
#
# ### 6. "A class token classifies better than the mean of the patches"
#
# **Tested:** a class token against the mean of the patches. In the [ViT paper](https://arxiv.org/abs/2010.11929) (Appendix D.3) the mean did poorly at first, and the learning rate explained all of it. So we tried several rates with the first seed. The one that was best on *validation* images, marked by a ring, was run with more seeds. **Attention pooling** is a third way, a weighted mean whose weights a learned query decides.
#
# *Runs:* CIFAR-10, like the base but for head and rate.
#
# Which one is ahead, and by how much?

# %% tags=["hide-input"]
readings = ("class token", "mean of patches", "attention pooling")
tried, chosen = (0.5, 1, 2, 4), {}
base_rate = plan("pooling", "full", 0)["class token", 1]["training"]["learning_rate"]
figure, panels = plt.subplots(2, 1, figsize=(5.4, 6.2), height_ratios=[3, 2], layout="constrained")
for index, reading in enumerate(readings):
    line = {rate: first_seed("pooling", reading, rate) for rate in tried}
    line = {rate: right for rate, right in line.items() if right}
    panels[0].plot(line.keys(), line.values(), **plots.curve_style(index), label=reading)
    best = heads[reading].learning_rate / base_rate
    panels[0].plot(
        best, line[best], "o", ms=14, mfc="none", color=plots.curve_style(index)["color"]
    )
    chosen[f"{reading},\nrate × {best:g}"] = heads[reading]
panels[0].set_xscale("log", base=2)
panels[0].set_xticks(tried, ["½", "1", "2", "4"])
panels[0].set(xlabel="learning rate, times the base's", ylabel="accuracy on test images in %",
              title="First seed; ring: best on validation images")  # fmt: skip
panels[0].grid(alpha=0.3)
panels[0].legend()
show_runs(chosen, panels[1], "All seeds after 3 passes, at the rate of the ring")
plots.show("above, accuracy over the learning rate for three ways of reading; below, all seeds of each "
           "at its best rate", "what the head reads")  # fmt: skip

# %% [markdown]
# **Result:** after three passes the mean, at twice the base's rate, is {{ahead("pooling", "mean of patches", "class token"):s}} *better*. After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes it is {{gain(runs("pooling", "mean of patches", budget="long")):±.1p}} points ahead, so no effect is seen.{{assert
# runs("pooling", "mean of patches").learning_rate == 2 * runs("pooling", "class token").learning_rate}}
#
# **Does not hold**, because it does not *classify better*: the first difference is clear and points the other way, and after longer training it is not ahead either.{{assert
# runs("pooling", "mean of patches").difference > corrected() and not differs(runs("pooling", "mean of patches", budget="long"))}}
#
# After three passes attention pooling, too, is clearly better than the class token.{{assert
# runs("pooling", "attention pooling").difference > corrected()}}{{assert
# gain(runs("pooling", "mean of patches")).mean > 0 and recorded("pooling", "mean of patches", rate=4)[0].validation_accuracy < recorded("pooling", "mean of patches", rate=2)[0].validation_accuracy and max(recorded("pooling", "mean of patches", rate=rate)[0].validation_accuracy for rate in (0.5, 1)) < recorded("pooling", "mean of patches", rate=2)[0].validation_accuracy}} Card 5's mean, at the base's rate, reached as much.{{assert
# abs(runs("single_patches", "mean of patches").mean - runs("pooling", "mean of patches").mean) < 0.001}}
#
# *What it teaches:* give each side its own best rate, and choose it on images that the verdict does not use.
#
# *Limits:* the class token's best rate is not known exactly: at ½ and 2 it had a single seed, and at 2 its *test* accuracy is a hair above that at 1.{{assert
# 0 < recorded("pooling", "class token", 2)[0].accuracy - recorded("pooling", "class token", 1)[0].accuracy < 0.002}} [A later recipe](https://arxiv.org/abs/2205.01580) prefers the mean.
#
# *Try it yourself:* `python -m vit_minimal.experiments pooling --seeds 1 --settings "class token" "mean of patches"`
#
# ### 11. "Its initialisation decides"
#
# **Tested:** six starts of the class token against that of the base, N(0, 0.02), drawn around 0 with a standard deviation of 0.02. This one and zeros are the usual ones. Two starts are also *frozen*: the class token is not trained, but its position embedding is. (Card 12 removes that, too.)
#
# *Runs:* CIFAR-10, else like the base.
#
# A question in [PyTorch's forum](https://discuss.pytorch.org/t/value-of-cls-token-for-transformer-encoders/164441) supposes that the choice matters. Which start would you worry about?

# %% tags=["hide-input"]
plots.show_summaries(starts, "CIFAR-10: starts of the class token")

# %% [markdown]
# **Result:** the largest, N(0, 10), is {{ahead("class_token_init", "N(0, 0.02)", "N(0, 10)"):s}} worse. For the five others no effect is seen.{{assert
# not any(differs(runs("class_token_init", name)) for name in ("zeros", "all 1", "N(0, 1)", "N(0, 0.02), frozen", "zeros, frozen"))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *decides*, said of a start that is much too large | **holds**: the harm of N(0, 10) is clear |
# | *decides*, said of zeros or N(0, 0.02) | **does not hold**: they differ by {{largest(gain(runs("class_token_init", "zeros"))):.1p}} points at most, by the interval |
#
# {{assert -runs("class_token_init", "N(0, 10)").difference > corrected()}}
# N(0, 1), which is what `torch.randn` gives, is **not settled**: it may cost up to {{reach(loss(runs("class_token_init", "N(0, 1)")), 1):.1p}} points, or nothing.
#
# *What it teaches:* "decides" is a matter of range. Say which range you tried.
#
# *Limits:* one learning rate.
#
# *Try it yourself:* `python -m vit_minimal.experiments class_token_init --seeds 1 --settings "N(0, 0.02)" "N(0, 10)"`
#
# ### 12. "It must be updated by attention like any other token"
#
# **Tested:** any other token reads all tokens in each block. *Alone* is a class token that never reads the patches. Card 2's *late* one reads them in one block of four.
#
# **Also tested** are three cuts of which the sentence does not speak. *Unseen*, the patches do not read the class token, which is still updated. *Detached*, no gradient passes through it. *Not trained*, it stays as it was at the start. As a position embedding would be trained in its place, these models and their base have none for it.
#
# *Runs:* CIFAR-10, else like the base.
#
# The *step* in the picture is that of the optimizer, which trains the class token:

# %% tags=["hide-input"]
diagrams.cut_class_token(
    ways={
        "alone": ("reads", "it does not read patches"),
        "unseen": ("is read", "patches do not read it"),
        "detached": ("gradient", "no gradient through it"),
        "not trained": ("step", "it stays as it was"),
    },
    colour_of_patches=card.QUIET,
)

# %% [markdown]
# Which two of the five does a model not survive? The figure has two groups, each with its base on top:

# %% tags=["hide-input"]
shown = {
    "with a position:\nnot cut": "class token",
    "alone": "sees itself alone",
    "late (card 2)": "only in the last block",
    "unseen": "unseen by the patches",
    "detached": "detached before the head",
    "without a position:\nnot cut": "no position",
    "not trained, as drawn": "no position, frozen",
    "not trained, zero": "no position, frozen at zero",
}
_, axis = plt.subplots(figsize=(5.8, 4.8), layout="constrained")
show_runs({name: cut_off[of] for name, of in shown.items()}, axis, "A class token, cut off")
axis.set_xlim(67, 71)
axis.axhline(4.5, color="gray", linewidth=1)
for row, of in enumerate(shown.values()):
    if cut_off[of].mean < 0.6:
        axis.text(67.1, row, f"← {100 * cut_off[of].mean:.1f} %, far to the left", va="center")
means = (f"{name} {100 * cut_off[of].mean:.1f}" for name, of in shown.items())
plots.show("accuracy in % of models that miss something", "CIFAR-10", means)

# %% [markdown]
# **Result:** a model fails if its class token is *alone* or *detached*. *Late*, it is even ahead, which is a hint. For *unseen* and *not trained* no effect is seen.{{assert
# not any(differs(of) for of in (runs("class_token_cut", "unseen by the patches"), runs("class_token_untrained", "no position, frozen"), runs("class_token_untrained", "no position, frozen at zero")))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *must be updated by attention* | **by construction**: the head reads nothing else, so alone, the class token gives every image the same answer |
# | *like any other token* | **does not hold**: late, it is updated in one block of four and loses nothing |
#
# In the ViT paper it is a token like the others (Section 3.1). In [CaiT](https://arxiv.org/abs/2103.17239) it comes late, and the patches never read it.
#
# - *Detached*, only the head learns, which still gets {{runs("class_token_cut", "detached before the head").mean:.0%}} right.
# - *Unseen* costs {{distance(runs("class_token_cut", "class token"), runs("class_token_cut", "unseen by the patches")):+±.1p}} points.
# - *Not trained* costs {{distance(runs("class_token_untrained", "no position"), runs("class_token_untrained", "no position, frozen")):+±.1p}} if it stays as drawn, and {{distance(runs("class_token_untrained", "no position"), runs("class_token_untrained", "no position, frozen at zero")):+±.1p}} if it is zero.
#
# *What it teaches:* take a sentence apart before you test it, and give each part its own base.
#
# *Limits:* one small model.
#
# *Try it yourself:* `python -m vit_minimal.experiments class_token_cut --seeds 1`
#
# ### 16. "Large patches miss detail"
#
# **Tested:** patches of 8 × 8 pixels (P = 8) against P = 4, first on a detail. In Needle-10, an image is made of tiles of 4 × 4 pixels. One tile has more red than blue, and its pattern is the answer, one of ten. In the picture it has an orange frame. For P = 4 it is a whole patch, and for P = 8 a quarter of one:

# %% tags=["hide-input"]
images, _, tiles = needle10(250, seed=0)
row, column = divmod(tiles[229].item(), 8)  # image 229 has a bright one
diagrams.cuts(images[229], (4, 8), (4 * column, 4 * row, 4), "An image of Needle-10, cut twice")

# %% [markdown]
# Then on CIFAR-10, once with the same number of passes, and once with the same **FLOPs**, the additions and multiplications of the training. Larger patches are fewer, so the same FLOPs pay for more passes.
#
# *Runs:* Needle-10, three seeds of a smaller model. CIFAR-10, else like the base.
#
# Which patches win, each time? In the lower half, compare the hollow marks, and then those on the grey bar:

# %% tags=["hide-input"]
cost = {row["patch_size"]: row["flops"] for row in patches["cost"]}
trained = {  # for each patch size: after three passes, and after more
    P: [("patch_size", "full", f"P = {P}"), ("patch_size_longer", "full", f"P = {P}, {more}")]
    for P, more in {8: "4 × the passes", 16: "12 × the passes", 32: "24 × the passes"}.items()
}
trained[4] = [("patch_size", "full", "P = 4"), ("patch_size", "long", "P = 4")]
_, (above, axis) = plt.subplots(
    2, 1, figsize=(5.2, 6.4), height_ratios=[2, 4], layout="constrained"
)
found = [(4, 3), (8, 3), (8, 33)]
for row, tried in enumerate(found):
    above.plot([100 * right for right in needles[tried]], [row] * 3, "o", color="0.3", alpha=0.6)
above.set_yticks(range(3), ["P = {},\n{} passes".format(*tried) for tried in found])
above.set(xlabel="images in which the tile is found, in %\n(dot: a run)", title="Needle-10",
          xlim=(0, 104), ylim=(2.5, -0.5))  # fmt: skip
above.grid(axis="x", alpha=0.3)
for index, P in enumerate((4, 8, 16, 32)):
    line = []
    for experiment, budget, setting in trained[P]:
        passes = plan(experiment, budget, 0)[setting, 1]["training"]["epochs"]
        of = summarize(experiment, budget, budgets[budget], spreads[budget])[setting]
        line.append((cost[P] * passes / (3 * cost[4]), 100 * of.mean, 100 * of.width, passes))
    x, y, widths, passes = zip(*line, strict=True)
    style = plots.curve_style(index)
    axis.errorbar(x, y, widths, capsize=4, **style, label=f"P = {P}")
    axis.plot(x[0], y[0], **style | {"markerfacecolor": "white"}, zorder=4)
    beside, side = ((-8, 2), "right") if P == 8 else ((8, -4), "left")  # not on a line
    axis.annotate(f"{passes[1]} passes", (x[1], y[1]), beside, textcoords="offset points",
                  fontsize=9, color=style["color"], ha=side)  # fmt: skip
axis.axvline(1, color="0.85", linewidth=7, zorder=0)
axis.set_xscale("log")
axis.set_xticks([0.04, 0.1, 0.25, 1, 4], ["1/25", "1/10", "1/4", "1", "4"])
axis.set_xticks([], minor=True)
axis.set(xlabel="FLOPs, times the base's", ylabel="accuracy on test images in %", xlim=(0.03, 22),
         title="CIFAR-10. Hollow: 3 passes; grey: same FLOPs")  # fmt: skip
axis.grid(alpha=0.3)
axis.legend(loc="upper left")
plots.show(
    "above, the tile is found by P = 4, and by P = 8 only after more passes; below, accuracy over FLOPs, a line for each patch size from three passes to more: after three passes "
    "P = 4 is far above the others; at the FLOPs of the base P = 8 is above P = 4, P = 16 close below",
    "patch sizes",
)

# %% [markdown]
# **Result:** after three passes P = 4 finds the tile in all images, and P = 8 guesses. To see whether P = 8 can find it at all, we gave it 11 times the passes, more FLOPs than P = 4 had. Then two of three seeds find it in almost all images, and the third in {{min(needles(passes=33)):.0%}}. On CIFAR-10, P = 8 is {{ahead("patch_size", "P = 4", "P = 8"):s}} worse with the same passes, and {{ahead("patch_size_longer", "P = 8, 4 × the passes", "P = 4"):s}} *better* with the same FLOPs.{{assert
# min(needles(patch_size=4)) == 1 and overlap(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), [0.1, 0.1, 0.1])}}{{assert
# sorted(needles(passes=33))[1] > 0.98}}{{assert
# runs("patch_size_longer", "P = 8, 4 × the passes").difference > corrected()}}{{assert
# abs(4 * patch_cost(8).flops / patch_cost(4).flops - 1) < 0.1 and abs(12 * patch_cost(16).flops / patch_cost(4).flops - 1) < 0.1 and abs(24 * patch_cost(32).flops / patch_cost(4).flops - 1) < 0.1}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *miss detail*, after as many passes | **holds**: P = 8 guesses where P = 4 finds every tile |
# | *large patches*, as such | **does not hold**: they need not miss it, as two of three seeds find it in the end |
#
# People often mean that models get better with smaller patches, as [Wang et al. 2025](https://arxiv.org/abs/2502.03738) report for ImageNet.
#
# P = 8 does not learn more from an image, it only costs less. After three passes it is right for {{runs("patch_size", "P = 8").mean:.0%}} of the images, and P = 4 for {{runs("class_token_init", "N(0, 0.02)").mean:.0%}}.
#
# *What it teaches:* say what you hold equal, passes or FLOPs, before you say which is better.
#
# *Limits:* one kind of detail. On CIFAR-10, one learning rate, which was found for P = 4, and one width, whatever a patch holds.
#
# *Try it yourself:* `python -m vit_minimal.experiments patch_size_longer --seeds 1 --settings "P = 4" "P = 8, 4 × the passes"`
#
# ## The six at a glance
#
# Below each sentence are the comparisons that test it: A − B in points, and what it should be if the sentence were true. An arrow leads beyond the scale. How often did you guess right, and how far off were your numbers?

# %% tags=["hide-input"]
VERDICTS = "holds", "does not hold", "holds in part", "not settled"
show_claims({f"{n} · {claim}": found for n, (claim, *found) in CLAIMS.items()}, VERDICTS, (-6, 13))

# %% [markdown]
# Half of these six hold in part, so ask *which* part.
#
# ## What becomes of the effects with more training?
#
# After three passes the base is still learning. It is right for {{runs("class_token_init", "N(0, 0.02)").mean:.0%}} of the test images then, and for {{runs("class_token_init", "N(0, 0.02)", budget="long").mean:.0%}} after {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes. So we trained some other models for as long. Which effects will grow, and which go away?

# %% tags=["hide-input"]
TRAINED_LONGER = [  # a row of the figure each: (label, experiment, setting)
    ("mean of the patches (claim 6)", "pooling", "mean of patches"),
    ("attention pooling (claim 6)", "pooling", "attention pooling"),
    ("class token from N(0, 10) (claim 11)", "class_token_init", "N(0, 10)"),
    ("positions from N(0, 1) (claim 13)", "position_init", "N(0, 1)"),
]
show_then_and_now(
    {label: then_and_now(experiment, setting) for label, experiment, setting in TRAINED_LONGER},
    "after 3 passes",
    "after 14 passes",
    "points ahead of the base model after as many passes",
    "CIFAR-10, test images",
    scale=(-12, 5),
)

# %% [markdown]
# The last row is from notebook 14: position embeddings that start 50 times as large as usual.
#
# The harm of N(0, 10) was largely a delay: {{loss(runs("class_token_init", "N(0, 10)", budget="long")).mean:.1p}} of {{loss(runs("class_token_init", "N(0, 10)")).mean:.1p}} points are left. (Notebook 07 looks for its reason.){{assert
# differs(runs("class_token_init", "N(0, 10)", budget="long"))}} Of the harm of large positions more than half is left, {{loss(runs("position_init", "N(0, 1)", budget="long")).mean:.1p}} of {{loss(runs("position_init", "N(0, 1)")).mean:.1p}} points. The leads of the other two ways to read look smaller too, but not by more than their intervals allow. Attention pooling had one seed for the long training.
#
# Points shrink by themselves when all models get better, so count mistakes too. Large positions add about three tenths to the base's mistakes both times, so their harm has not healed. Attention pooling saves about eight of 100 both times, so its lead need not have shrunk. Read the numbers on the cards as "after three passes".{{assert
# loss(runs("class_token_init", "N(0, 10)", budget="long")).mean < 0.3 * loss(runs("class_token_init", "N(0, 10)")).mean}}{{assert
# 0.5 < runs("position_init", "N(0, 1)", budget="long").difference / runs("position_init", "N(0, 1)").difference < 0.65 and differs(runs("position_init", "N(0, 1)", budget="long"))}}{{assert
# all(0.25 < loss(runs("position_init", "N(0, 1)", budget=b)).mean / (1 - runs("class_token_init", "N(0, 0.02)", budget=b).mean) < 0.35 for b in ("full", "long"))}}{{assert
# all(0.075 < gain(runs("pooling", "attention pooling", budget=b)).mean / (1 - runs("class_token_init", "N(0, 0.02)", budget=b).mean) < 0.085 for b in ("full", "long"))}}{{assert
# [differs(distance(gain(runs(e, s)), gain(runs(e, s, budget="long")))) for e, s in (("class_token_init", "N(0, 10)"), ("position_init", "N(0, 1)"), ("pooling", "mean of patches"), ("pooling", "attention pooling"))] == [True, True, False, False]}}{{assert
# all(0 < runs("pooling", s, budget="long").difference < runs("pooling", s).difference for s in ("mean of patches", "attention pooling"))}}
#
# ## What to do in your own model
#
# | | because of claim |
# |---|---|
# | To classify, try the mean of the patches or attention pooling as well. | 6 |
# | Start the class token at zero or N(0, 0.02). | 11 |{{assert
# not differs(runs("class_token_init", "zeros"))}}
# | Feed two images, and check that what the head reads differs. A class token that sees nothing raises no error. | 12 |
# | Before you say that a part is needed, train a model without it. | 2 |
# | Before you choose a patch size, say whether passes, FLOPs or minutes are fixed: on our CPU P = 8 was ahead at the FLOPs of three minutes, and P = 4 after ten minutes each (notebook 08). | 16 |{{assert
# 2.5 < 3 * 45_000 / 16 * patch_cost(4).seconds / 60 < 3.5 and differs(runs("patch_size_at_equal_time", "P = 8, 30 passes")) and runs("patch_size_at_equal_time", "P = 8, 30 passes").difference < 0}}
# | Put a simpler model beside every accuracy. | 5 |
#
# ## Recap
#
# - **The class token is one way to read the image out.** It has to read the patches once, and gradients have to pass through it. Here it might come late, did not have to be trained, and did not have to be read by the patches. The mean of the patches did at least as well.
# - **The size of an effect belongs to its training.** After 14 passes one had shrunk to a fraction.
# - **These cards are not a law.** Most rest on small models, short training and one data set of small photographs.
#
# ## Questions
#
# <details><summary>Somebody trains with a class token and with the mean of the patches, at one learning rate and with one seed, and finds the mean 1.5 points better. What would you ask?</summary>
#
# How was the learning rate found, and for which of the two? By how much do two runs of the *same* setting differ? And was anything chosen on the images that it was judged by?
# </details>
#
# <details><summary>In a trained model the class token is cut off from the patches in block 2, and the accuracy stays the same. May you say that a class token does not need block 2?</summary>
#
# Not yet. *This* model does without it, perhaps because later blocks make up for it. Ask a model that was trained without (claim 2).
# </details>
#
# **Try it yourself:** [exercises 10](exercises/10_claims_put_to_the_test.ipynb), with checks.
#
# You have built the model, trained it, looked inside, and doubted it. **Here the main path ends.**
#
# **More sentences:** [notebook 14](14_more_claims.ipynb) has the other twelve.
#
# **Next:** [notebook 11](11_faster_and_safer_training.ipynb) makes the training faster, and safe against interruptions.
#
# ## Appendix
#
# ### What the shared spread takes for granted
#
# - *All settings vary alike, and their runs are independent.* Bartlett's test finds nothing against the first (p = {{equal_variances():.2f}}), and without what a shared seed adds the spread would only be smaller.{{assert equal_variances() > 0.2 and shared_by_seeds() < spread().deviation}}
# - *Settings that fail*, below half of the best one's mean, keep the interval of their own seeds.
# - *Not covered:* the choice of the test images, which all models share, and a base that had luck, which would make all others look worse.
# - *The constants* are values of Student's t. For the threshold, the share of cases that an interval may miss, 0.05, is divided by the number of comparisons (Bonferroni). With three runs against the base it is {{corrected():.1p}} points, and with one run {{corrected(1):.1p}}.
# - *Longer training* has its own spread, with {{spread("long").degrees:d}} degrees of freedom. Its learning rates were chosen after three passes.
# - *Rounding.* We subtract first and round last, so a difference may look 0.1 off.
#
# ### Where the numbers come from
#
# | records | claims |
# |---|---|
# | [experiments](../data/results/experiments_cifar10_full.json) | 2, 5, 6, 11, 12, 16 |
# | [longer training](../data/results/experiments_cifar10_long.json) | 6, 11, 16 |
# | [journey](../data/results/class_token_journey.json) of the shipped class token | 2 |
# | [patches](../data/results/patch_size.json) | 16 |

# %% [markdown] tags=["exercise-only"]
# # Exercises 10 · Claims, put to the test
#
# They go with notebook [10](../10_claims_put_to_the_test.ipynb). If you start here: two settings are compared by training each with several seeds. A mean over seeds has an interval: with n seeds and standard deviation s, the mean ± t·s/√n, where t depends on n (4.30 for three seeds, at 95 %).

# %% tags=["exercise-only"]
import math
import statistics

from checks import check

# %% [markdown] tags=["exercise:interval"]
# The mean of some values, and half the width of its interval: t times the standard error, which is the standard deviation (with n − 1) divided by √n. Give both, in this order.
#
# Hint: `statistics.stdev` divides by n − 1, `statistics.pstdev` by n.
#
# Hint: The more seeds, the narrower: by √n.


# %% tags=["exercise-only", "exercise:interval"]
def interval(values, t):
    """The mean of some values and half the width of its interval."""
    # solution
    # | return ...  # your code
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(len(values))
    # end of solution


# %% [markdown] tags=["exercise:paired_difference"]
# Two settings were run with the same seeds: `first[i]` and `second[i]` had seed i. Give the mean of the difference second − first, and half the width of its interval. Whatever a seed does to both alike should cancel. Your solution of 10.1 is `interval`.
#
# Hint: Subtract seed by seed first. What is left is one list of numbers.
#
# Hint: Then it is exercise 10.1.


# %% tags=["exercise-only", "exercise:paired_difference"]
def paired_difference(first, second, t):
    """Of second − first, seed by seed: the mean and half the width of its interval."""
    # solution
    # | return ...  # your code
    return interval([b - a for a, b in zip(first, second, strict=True)], t)
    # end of solution


# %% [markdown] tags=["exercise:what_to_say"]
# *Conclude.* With three seeds each, setting B was better than A by +0.9 ± 1.8 points (95 %). What may be said?
#
# - a: A and B are equally good.
# - b: B is better.
# - c: Three seeds do not separate the difference from none; it is hardly larger than 3 points.
# - d: Nothing at all.
#
# Hint: From where to where does the interval reach?
#
# Hint: Which differences lie in it, and which do not?
#
# Solution: **c**. The interval runs from −0.9 to +2.7. It includes 0, and it also includes 2; it does not include 5.

# %% tags=["exercise-only", "exercise:what_to_say"]
# solution
# | what_to_say = ...  # "a", "b", "c" or "d"
what_to_say = "c"
# end of solution
