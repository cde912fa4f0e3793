# %% [markdown]
# # 10 · Claims, put to the test
#
# **After this notebook you can** say which common sentences about Vision Transformers were true here, by how much, and how far the test reaches.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 20 minutes, without the appendix and what is folded |
# | Time to run | at the quick budget {{notebook_seconds("10_claims_put_to_the_test"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `forest.py`, and `data/results/` |
#
# Somebody tells you that *large patches miss detail*. So you train one model with patches of 8 × 8 pixels (P = 8) and one with 4 × 4 (P = 4), for the same number of passes over the same photographs. The larger patches come out {{-runs("patch_size", "P = 8").difference:.0p}} points worse, and you drop them. Was that right?
#
# Here six such sentences meet an experiment. Each has a card, under its number in our list of {{numbered_sections("10_claims_put_to_the_test") + numbered_sections("14_more_claims"):d}}. ([Notebook 14](14_more_claims.ipynb) has the others.) A card ends in one of four verdicts:
#
# - **holds**: the sentence is true here;
# - **holds in part**: one part is true, another is not or is not settled;
# - **does not hold**: it is false here;
# - **not settled**: our experiment cannot decide.

# %%
import statistics

import matplotlib.pyplot as plt

from vit_minimal import diagrams, load_dataset, needle10, plots
from vit_minimal.experiments import (
    contrast,
    key,
    plan,
    pooled_spread,
    run_experiment,
    students_t,
    summarize,
)
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records

cifar10 = read_records("../data/results/experiments_cifar10_full.json")  # runs on CIFAR-10


# %% tags=["hide-input"]
# This folded cell reads what else is on record, and prepares the figures.
def records(name):
    return read_records(f"../data/results/{name}.json")


budgets = {  # how the models were trained: a few passes, more of them, a larger model
    "full": cifar10,
    "long": records("experiments_cifar10_long"),
    "large": records("experiments_cifar10_large"),
}
spreads = {budget: pooled_spread(of) for budget, of in budgets.items()}
AXIS = "← B better  |  A − B in points  |  A better →"


def less_base(experiment, setting, budget="full", words=""):
    """A row of a figure: a setting of an experiment on CIFAR-10 less its base, in points."""
    tried = summarize(experiment, budget, budgets[budget], spreads[budget])[setting]
    return words, 100 * tried.difference, 100 * tried.difference_width


(journey,) = records("class_token_journey")
replaced = {"the usual mean": "mean_ablations", "nothing": "knock_outs"}
steps = {  # right answers of a model whose class token reads in no block, in block 1, in 1 and 2, …
    how: [*zip(part["mean"], part["width"], strict=True), tuple(journey["accuracy"].values())]
    for how, of in replaced.items()
    for part in [journey[of]["from a block on"]]
}

# %% [markdown]
# ## How sure is a number?
#
# Most cards compare a model with the **base**: a small ViT of {{recorded("class_token_init", "N(0, 0.02)")[0].run.model.depth:d}} blocks with P = 4 and a class token, trained on 45,000 photographs of CIFAR-10 for {{recorded("class_token_init", "N(0, 0.02)")[0].run.training.epochs:d}} passes. (A **pass** goes over all training images once.) It is right for {{runs("pooling", "class token").mean:.0%}} of the test images.
#
# A **run** is one training, and its **seed** fixes what is random in it, such as the first weights. The first three runs of the base lie within {{max(runs("pooling", "class token").accuracies[:3]) - min(runs("pooling", "class token").accuracies[:3]):.1p}} **points** of each other (a point is one per cent of the test images), and ten more within {{max(runs("pooling", "class token").accuracies[3:]) - min(runs("pooling", "class token").accuracies[3:]):.1p}}.{{assert max(runs("pooling", "class token").accuracies[3:]) - min(runs("pooling", "class token").accuracies[3:]) > 3 * (max(runs("pooling", "class token").accuracies[:3]) - min(runs("pooling", "class token").accuracies[:3]))}} So three runs say little about luck. We therefore **pool**. A **setting** is everything about a run but its seed: the base is one setting, and the base with P = 8 is another. All settings of the small model together tell how far a run lies from the mean of its setting. With this one standard deviation, we compare the base with itself:

# %% tags=["nbval-check-output"]
spread = pooled_spread(cifar10)
print(f"from a run to the mean of its setting: {100 * spread.deviation:.2f} points")


def compare(a, b):
    """A − B in points, and half of its 95 % interval, from their runs."""
    error = spread.deviation * (1 / len(a) + 1 / len(b)) ** 0.5  # the standard error
    half = students_t(spread.degrees) * error  # about two standard errors
    return 100 * (statistics.mean(a) - statistics.mean(b)), 100 * half


base = summarize("pooling", "full", cifar10, spread)["class token"].accuracies
for a, b in ((base[:3], base[3:6]), (base[:6], base[6:])):
    difference, half = compare(a, b)
    print(f"{len(a)} and {len(b)} runs: {difference:+.1f} ± {half:.1f}")

# %% [markdown]
# The number before ± is **A − B**, the difference of two means. The number behind it is half of a **95 % interval**: about 95 of 100 such intervals hold the difference that very many runs would give. Where the axis of a figure says A − B, a dot is A − B, and the **bar** around it is the interval.
#
# Differences below one point are small, and lie in the **grey zone**. (We drew this line after the measurements.) Read the table from the top: the first line that fits a bar gives its answer.
#
# | the bar | the answer |
# |---|---|
# | lies wholly in the grey zone | **alike** |
# | lies wholly right of 0 | **A better**, if perhaps only by little |
# | lies wholly left of 0 | **B better**, likewise |
# | anything else | **not settled**: more runs, or another test, are needed |
#
# So with three runs a side, whether the base is like itself is *not settled*, because the bar reaches beyond +1. With 6 and 7 runs, the answer is *alike*.{{assert
# abs(distance(runs("pooling", "class token").accuracies[:3], runs("pooling", "class token").accuracies[3:6]).mean) < 0.01 < distance(runs("pooling", "class token").accuracies[:3], runs("pooling", "class token").accuracies[3:6]).mean + corrected(3, 3) * students_t(spread().degrees) / students_t(spread().degrees, 1 - 0.05 / comparisons())}}{{assert
# abs(distance(runs("pooling", "class token").accuracies[:6], runs("pooling", "class token").accuracies[6:]).mean) + corrected(6, 7) * students_t(spread().degrees) / students_t(spread().degrees, 1 - 0.05 / comparisons()) < 0.01}}
#
# In these figures, A has {{len(runs("pooling", "mean of patches").accuracies):d}} runs, and the base has {{len(runs("pooling", "class token").accuracies):d}}. Other numbers of runs are named where they occur.{{assert
# all(len(runs(*of).accuracies) == 3 for of in (("patch_size", "P = 8"), ("patch_size_at_equal_time_short", "P = 8, 3 × the epochs"), ("patch_size_longer", "P = 8, 4 × the epochs"), ("patch_size_at_equal_time", "P = 8, 30 epochs"), ("pooling", "mean of patches"), ("pooling", "attention pooling"), ("class_token_init", "zeros"), ("class_token_init", "all 1"), ("class_token_init", "N(0, 1)"), ("class_token_init", "N(0, 10)"), ("class_token_cut", "sees itself alone"), ("class_token_place", "only in the last block")))}}
#
# ## Was it right to drop the larger patches?
#
# ### 16. "Large patches miss detail"
#
# **Tested:** P = 8 against P = 4, first on photographs, then on images in which only a detail counts.
#
# In the opening, both had as many passes, but those of P = 8 are cheaper. Nine of them take about as long as three with P = 4, by our estimate for two CPU cores, and twelve need about as many **FLOPs** (additions and multiplications).{{assert
# abs(4 * patch_cost(8).flops / patch_cost(4).flops - 1) < 0.1}}{{assert
# 2.8 < patch_cost(4).seconds / patch_cost(8).seconds < 3.1}}
#
# **Your guess:** which is better in the same time? And if both train about three times as long?

# %% tags=["hide-input"]
compared = {  # what is the same: (experiment, setting of A, passes of A and of B)
    "same passes": ("patch_size", "P = 8", 3, 3),
    "same time": ("patch_size_at_equal_time_short", "P = 8, 3 × the epochs", 9, 3),
    "same FLOPs": ("patch_size_longer", "P = 8, 4 × the epochs", 12, 3),
    "same time, longer": ("patch_size_at_equal_time", "P = 8, 30 epochs", 30, 10),
}
show_effects(
    {
        same: less_base(experiment, setting, words=f"passes: A {a}, B {b}")
        for same, (experiment, setting, a, b) in compared.items()
    },
    AXIS,
    "CIFAR-10, small ViT: A is P = 8, B is P = 4",
    counts=1,
)

# %% [markdown]
# **So, was it right?** At the learning rate that was found for P = 4:
#
# - If you can pay for ten passes with P = 4, dropping the larger patches **was right**, by our estimate of time: in the same time, P = 8 is {{loss(runs("patch_size_at_equal_time", "P = 8, 30 epochs")):±.1p}} points worse. (Here both have {{len(runs("patch_size_at_equal_time", "P = 4, 10 epochs").accuracies):d}} runs.)
# - If you can pay for only three and count time, whether dropping them was right is *not settled*.
# - If you can pay for only three and count FLOPs, dropping them **was wrong**: P = 8 is {{gain(runs("patch_size_longer", "P = 8, 4 × the epochs")):±.1p}} points better.{{assert
# len(runs("patch_size_at_equal_time", "P = 4, 10 epochs").accuracies) == len(runs("patch_size_at_equal_time", "P = 8, 30 epochs").accuracies)}}{{assert
# runs("patch_size_longer", "P = 8, 4 × the epochs").difference > corrected()}}{{assert
# not differs(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")) and interval(gain(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")))[1] > 0.01}}{{assert
# interval(loss(runs("patch_size_at_equal_time", "P = 8, 30 epochs")))[0] > 0.01}}{{assert
# [recorded(*of)[0].run.training.epochs for of in (("patch_size_at_equal_time_short", "P = 8, 3 × the epochs"), ("patch_size_longer", "P = 8, 4 × the epochs"), ("patch_size_at_equal_time", "P = 4, 10 epochs"), ("patch_size_at_equal_time", "P = 8, 30 epochs"), ("patch_size_at_equal_time", "P = 8, 40 epochs"))] == [9, 12, 10, 30, 40]}}
#
# Is it *detail* that P = 8 misses? Photographs cannot tell, because there much besides detail may decide. In an image of *Needle-10*, nothing but a detail does: one tile of 4 × 4 pixels has more red than blue, and its pattern is the answer, one of ten:

# %% tags=["hide-input"]
images, _, tiles = needle10(250, seed=0)
row, column = divmod(tiles[229].item(), 8)  # image 229 has a bright one
diagrams.cuts(images[229], (4, 8), (4 * column, 4 * row, 4), "An image of Needle-10, cut twice")

# %% [markdown]
# We read *miss* in two ways: P = 8 does not find the tile *after three passes*, or does not find it *however long* it trains.
#
# A model of two blocks is trained on 4,000 of these images. With P = 4, three passes are enough, so only P = 8 trains longer:
#
# | patches | passes | right answers in %, run by run |
# |---|---|---|
# | P = 4 | 3 | {{100 * needles(patch_size=4)[0]:.0f}}, {{100 * needles(patch_size=4)[1]:.0f}}, {{100 * needles(patch_size=4)[2]:.0f}} |
# | P = 8 | 3 | {{100 * needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)[0]:.0f}}, {{100 * needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)[1]:.0f}}, {{100 * needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)[2]:.0f}} |
# | P = 8 | {{only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=8).passes:d}} (about the same FLOPs) | {{100 * only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=8).accuracies[0]:.0f}}, {{100 * only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=8).accuracies[1]:.0f}}, {{100 * only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=8).accuracies[2]:.0f}} |
# | P = 8 | 33 | {{100 * needles(passes=33)[0]:.0f}}, {{100 * needles(passes=33)[1]:.0f}}, {{100 * needles(passes=33)[2]:.0f}} |
#
# **Result:** after three passes, P = 8 is near guessing, which is right for 10 % of the images. After 33, its three runs lie far apart: the seed alone can make a large difference.{{assert
# min(needles(patch_size=4)) == 1 and overlap(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), [0.1, 0.1, 0.1])}}{{assert
# sorted(needles(passes=33))[1] > 0.98 and min(needles(passes=33)) < 0.6}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *miss*, after three passes | **holds** on Needle-10: P = 4 finds all tiles, P = 8 hardly more than by guessing |
# | *miss*, however long they train | **does not hold**: P = 8 *can* find them (after 33 passes, two of three runs reach {{100 * sorted(needles(passes=33))[1]:.0f}} and {{100 * sorted(needles(passes=33))[2]:.0f}} %), but not reliably (the third stops at {{100 * sorted(needles(passes=33))[0]:.0f}} %) |
#
# *What it teaches:* say what you hold equal and how long you train, and train more than once.
#
# <details><summary>Who says it, why it may be, the limits, and a line to try</summary>
#
# *Said:* [this guide](https://25621.github.io/ai-learning-guides/guides/multimodal-learning/projects/patch-size-study/) says that small patches buy fine detail. The two readings are ours.
#
# *Why:* a patch of 8 × 8 pixels has {{3 * 8**2:d}} numbers and its token has 64, so detail can be lost there. That cannot be all: with tokens of {{3 * 8**2:d}} numbers, P = 8 still found less than a fifth of the tiles in three passes (notebook 16).{{assert
# max(needles(embed_dim=192)) < 0.2}}
#
# *Limits:* the detail is exactly one patch of P = 4. On photographs, where P = 8 also has fewer tokens, P = 4 may draw level at the same FLOPs if it makes more steps at half the rate (notebook 08, second visit). At ten passes of P = 4, the same FLOPs are 40 passes of P = 8, which is then {{loss(runs("patch_size_at_equal_time", "P = 8, 40 epochs")):±.1p}} points worse ({{["no run", "one run", "two runs", "three runs"][len(runs("patch_size_at_equal_time", "P = 8, 40 epochs").accuracies)]:s}}). From ten passes on, the bars still use the deviation of three. On ImageNet, [smaller patches](https://arxiv.org/abs/2502.03738) were better.{{assert
# differs(runs("patch_size_at_equal_time", "P = 8, 40 epochs")) and runs("patch_size_at_equal_time", "P = 8, 40 epochs").difference < -0.01}}
#
# *Try it yourself*, in a terminal: `python benchmarks/patch_size.py needles_at_equal_flops --seeds 1`, or `python -m vit_minimal.experiments patch_size_longer --seeds 1 --settings "P = 4" "P = 8, 4 × the epochs"`. This and the lines of the other cards are a quick version with one seed, which may come out the other way.
# </details>
#
# ## Your turn: five more sentences
#
# Sentences 5 and 2 are said much as they stand here, and a question in a forum supposes 11. We sharpened the others, as we did on card 16 with *however long*: the source of 6 says *often*, and for 12 we found nobody who writes *must*. A strong sentence is worth testing because one counterexample refutes it, while *often* fits almost any result.
#
# Which would you sign, for a small ViT trained on CIFAR-10? Write a verdict and an answer into each row.
#
# | | the sentence | your verdict | the question | your answer |
# |---|---|---|---|---|
# | 5 | Without a class token, the model only understands single patches. | | How many points do patches gain by seeing each other? | |
# | 6 | A class token classifies better than the mean of the patches. | | By how many points? | |
# | 11 | The class token's initialisation decides. | | How many points does a start cost that is 500 times as large as usual? | |
# | 2 | The class token gathers from all patches, layer by layer. | | Which of the six blocks of a trained model adds the most right answers? | |
# | 12 | The class token must be updated by attention like any other token. | | How many points does a model of four blocks lose if its class token reads the patches in the last block only? | |
#
# ## Without a class token
#
# ### 5. "Without a class token, the model only understands single patches"
#
# **Tested:** two models without a class token, whose heads read the mean of the patches. In *single patches*, a mask keeps the patches from seeing each other. *Patches together* has no mask. (This figure shows the runs themselves, not A − B.)

# %% tags=["hide-input"]
names = {"single patches": "mean of patches, no attention", "patches together": "mean of patches"}
known = {key(record["run"]): record["accuracy"] for record in cifar10}
plots.show_dots(
    {
        label: [100 * known[key(plan("single_patches", "full", n)[name, 1])] for n in range(3)]
        for label, name in reversed(names.items())
    },
    "accuracy on test images in %",
    "CIFAR-10, small ViT, 3 passes, 3 runs each",
)

# %% [markdown]
# **Result:** patches together are {{distance(runs("single_patches", "mean of patches"), runs("single_patches", "mean of patches, no attention")):±.1p}} points better. Single patches are right for {{runs("single_patches", "mean of patches, no attention").mean:.0%}} of the images.
#
# **Does not hold**, because *patches together* have no class token either, and understand more: attention mixes the patches with or without one.{{assert
# below(runs("single_patches", "mean of patches, no attention"), runs("single_patches", "mean of patches"))}}
#
# *What it teaches:* an accuracy means something only next to what a simpler model reaches.
#
# <details><summary>Who says it, the limits, and a line to try</summary>
#
# *Said:* almost so in [this article](https://saadsohail5104.medium.com/understanding-the-role-of-the-class-token-in-vision-transformers-vit-d0f7750d7066).
#
# *Limits:* one patch size, short training, and no tuned learning rate. Elsewhere, too, single patches get far: see [BagNet](https://arxiv.org/abs/1904.00760).
#
# *Try it yourself:* `python -m vit_minimal.experiments single_patches --seeds 1`. (The appendix runs it on drawn shapes.)
# </details>
#
# ### 6. "A class token classifies better than the mean of the patches"
#
# **Tested:** the base, whose head reads the class token, against a model whose head reads the **mean** of the patches. In the [ViT paper](https://arxiv.org/abs/2010.11929) (Appendix D.3), the mean did poorly until its learning rate changed. So each has the rate that was best on *validation* images.
#
# This card is yours. Compare the two:

# %% tags=["nbval-check-output"]
mean = summarize("pooling", "full", cifar10, spread)["mean of patches"].accuracies
difference, half = compare(mean, base)  # A reads the mean, B the class token
print(f"mean − class token: {difference:+.1f} ± {half:.1f}")

# %% [markdown]
# Which line of the table in "How sure is a number?" fits? Write down the answer and your verdict before you look at the figure, which also shows **attention pooling**, a mean with weights that a learned query decides:

# %% tags=["hide-input"]
show_effects(
    {
        "mean": less_base("pooling", "mean of patches"),
        "attention pooling": less_base("pooling", "attention pooling"),
    },
    AXIS,
    "CIFAR-10, small ViT, 3 passes:\nA pools by …, B is the base",
    counts=1,
)

# %% [markdown]
# **Result:** both bars lie wholly right of 0, so both models are better than the class token.{{assert
# min(runs("pooling", s).difference for s in ("attention pooling", "mean of patches")) > corrected()}}{{assert
# min(interval(gain(runs("pooling", s)))[0] for s in ("attention pooling", "mean of patches")) > 0.01}}
#
# **Does not hold**, because the mean is better. In no training on record is the class token ahead, if both have the same rate or each has its best. (With a badly chosen rate, the mean falls behind: see the fold.){{assert
# all(max(reached("pooling", "class token", rate)) < min(reached("pooling", s, rate)) for s in ("mean of patches", "attention pooling") for rate in (0.5, 1, 2))}}{{assert
# all(reached("pooling", "mean of patches", rate)[0] < reached("pooling", "class token")[0] for rate in (0.5, 4))}}{{assert
# all(runs("pooling", s, budget=b).difference > 0 for s in ("mean of patches", "attention pooling") for b in ("full", "long", "large"))}}
#
# Why is the mean better? We do not know. Its lead shrinks in longer training (below), so perhaps a class token only learns more slowly.{{assert
# differs(distance(gain(runs("pooling", "mean of patches")), gain(runs("pooling", "mean of patches", budget="long"))))}}
#
# *What it teaches:* give each side its own learning rate, and choose it on images that the verdict does not use.
#
# <details><summary>Who says it, the rates, the limits, and a line to try</summary>
#
# *Said:* [this page](https://saikatkumardey.com/ml-wiki/concepts/classification-token) says that it *often* does. Ours is the stronger sentence.
#
# *Rates:* these are test images of the first seed, right in %, at several rates. The best on validation images is bold.{{assert
# max(recorded("pooling", "mean of patches", rate=rate)[0].validation_accuracy for rate in (0.5, 1, 4)) < recorded("pooling", "mean of patches", rate=2)[0].validation_accuracy}}{{assert
# all(max(recorded("pooling", s, rate=rate)[0].validation_accuracy for rate in (0.5, 2)) < recorded("pooling", s)[0].validation_accuracy for s in ("class token", "attention pooling"))}}
#
# | times the base's rate | ½ | 1 | 2 | 4 |
# |---|---|---|---|---|
# | class token | {{100 * reached("pooling", "class token", 0.5)[0]:.1f}} | **{{100 * reached("pooling", "class token")[0]:.1f}}** | {{100 * reached("pooling", "class token", 2)[0]:.1f}} | |
# | mean of the patches | {{100 * reached("pooling", "mean of patches", 0.5)[0]:.1f}} | {{100 * reached("pooling", "mean of patches")[0]:.1f}} | **{{100 * reached("pooling", "mean of patches", 2)[0]:.1f}}** | {{100 * reached("pooling", "mean of patches", 4)[0]:.1f}} |
# | attention pooling | {{100 * reached("pooling", "attention pooling", 0.5)[0]:.1f}} | **{{100 * reached("pooling", "attention pooling")[0]:.1f}}** | {{100 * reached("pooling", "attention pooling", 2)[0]:.1f}} | |
#
# Over three seeds, the choice changed nothing for the mean: at the base's rate, it is right for as many images as at twice that rate.{{assert
# runs("pooling", "mean of patches").learning_rate == 2 * runs("pooling", "class token").learning_rate}}{{assert
# round(runs("pooling", "mean of patches", rate=1).mean, 3) == round(runs("pooling", "mean of patches").mean, 3) and len(recorded("pooling", "mean of patches", rate=1)) == 3}}
#
# *Limits:* at the rates that are not bold, most settings have one or two runs. After 14 passes, the rates are those of three passes, and the lead of the mean may be luck (appendix). The larger models ran at the base's rate only. [A later recipe](https://arxiv.org/abs/2205.01580) prefers the mean.{{assert
# all(runs("pooling", s, budget="long").learning_rate == runs("pooling", s).learning_rate for s in ("class token", "mean of patches", "attention pooling"))}}{{assert
# len({runs("pooling", s, budget="large").learning_rate for s in ("class token", "mean of patches", "attention pooling")}) == 1}}
#
# *Try it yourself:* `python -m vit_minimal.experiments pooling --seeds 1 --settings "class token" "mean of patches"`
# </details>
#
# ## Its start
#
# ### 11. "The class token's initialisation decides"
#
# **Tested:** four starts of the class token against that of the base. The base draws it from N(0, 0.02): around 0, with a standard deviation of 0.02. N(0, 1) is the start that `torch.randn` gives.

# %% tags=["hide-input"]
show_effects(
    {
        start: less_base("class_token_init", start)
        for start in ("zeros", "all 1", "N(0, 1)", "N(0, 10)")
    },
    AXIS,
    "CIFAR-10, small ViT, 3 passes:\nA starts from …, B is the base",
    counts=1,
)

# %% [markdown]
# **Result:** the largest start, N(0, 10), is {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} points worse than that of the base. Zeros and *all 1* are *alike* with it. Whether N(0, 1) does harm remains open: its bar reaches from none to more than a point.{{assert
# all(abs(runs("class_token_init", name).difference) + runs("class_token_init", name).difference_width < 0.01 for name in ("zeros", "all 1"))}}{{assert
# interval(loss(runs("class_token_init", "N(0, 1)")))[1] > 0.01 and not differs(runs("class_token_init", "N(0, 1)"))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *decides*: a start that is much too large | **holds**: N(0, 10) is worse |
# | *decides*: N(0, 1) or N(0, 0.02) | **not settled** |
# | *decides*: zeros or N(0, 0.02) | **does not hold**: they are alike |{{assert interval(loss(runs("class_token_init", "N(0, 10)")))[0] > 0.01}}
#
# Why does a large start do harm? A norm divides the class token by its size, so what a large one gathers counts little at first. Whether that costs the points is open (notebook 07).
#
# *What it teaches:* say which range you tried.
#
# <details><summary>Who says it, the limits, and a line to try</summary>
#
# *Said:* a question in [PyTorch's forum](https://discuss.pytorch.org/t/value-of-cls-token-for-transformer-encoders/164441) supposes so. It does not say which starts it means, so the readings are ours.
#
# *Limits:* one learning rate.
#
# *Try it yourself:* `python -m vit_minimal.experiments class_token_init --seeds 1 --settings "N(0, 0.02)" "N(0, 10)"`
# </details>
#
# ## What it has to read
#
# Must the class token read the patches in every block? There are two ways to find out: **cut** a trained model, or **train** a model without some of the reading. The class token is gold, the patches are blue, and purple arrows show where the class token reads the patches:

# %% tags=["hide-input"]
diagrams.cut_or_late(6, 4, 4)

# %% [markdown]
# ### 2. "The class token gathers from all patches, layer by layer"
#
# **Tested:** the first way, on the model shipped with this course: {{plan("class_token_init", "large", 0)["zeros", 1]["model"]["depth"]:d}} blocks, {{record("cifar10_cpu_long").training.epochs:d}} passes, one run. We cut the class token's reading in all blocks from one block on (in the picture from block 4 on), and try each block as the first. In a cut block, a **stand-in** takes the place of what the class token would read: *the usual mean*, which is what it reads there on average over many images, or *nothing*, so that it reads only itself.

# %% tags=["hide-input"]
cut_blocks = [list(range(n, 7)) for n in range(1, 8)]
panels = {}
for how, right in steps.items():
    mean_right, width = ([100 * share for share in part] for part in zip(*right, strict=True))
    panels[f"Stand-in: {how}"] = (
        cut_blocks,
        {"right answers": {"mean": mean_right, "width": width}},
    )
title = "CIFAR-10, shipped model, 60 passes, one run: right answers in %"
diagrams.reading_blocks(6, panels, 100, title, unit="", digits=1)

# %% [markdown]
# From row to row, one more block reads. The number behind ± is half of a 95 % interval, here over 5,000 test images and not over runs.
#
# **Result:** which block adds most depends on the stand-in. With *the usual mean* (left) it is block 4, from {{100 * ablated("mean_ablations", "from a block on", 4).mean:.1f}} to {{ablated("mean_ablations", "from a block on", 5).mean:.1%}}; with *nothing* (right) it is block 6, from {{100 * ablated("knock_outs", "from a block on", 6).mean:.1f}} to {{record("class_token_journey").accuracy.mean:.1%}}. Each of blocks 2 to 6 adds {{distance(ablated("knock_outs", "from a block on", 4), ablated("knock_outs", "from a block on", 3)):±.1p}} points or more, with either stand-in. Block 1 adds a little with *the usual mean*, from {{100 * ablated("mean_ablations", "from a block on", 1).mean:.1f}} to {{ablated("mean_ablations", "from a block on", 2).mean:.1%}}. With *nothing*, the right answers even fall, from {{100 * ablated("knock_outs", "from a block on", 1).mean:.1f}} to {{ablated("knock_outs", "from a block on", 2).mean:.1%}}; guessing is right for 10 %.{{assert
# interval(distance(ablated("mean_ablations", "from a block on", 2), ablated("mean_ablations", "from a block on", 1)))[0] > 0.01}}{{assert
# all(ablated(how, "from a block on", b + 1).mean - ablated(how, "from a block on", b).mean >= ablated("knock_outs", "from a block on", 4).mean - ablated("knock_outs", "from a block on", 3).mean for how in ("mean_ablations", "knock_outs") for b in range(2, 6))}}{{assert
# all(record("class_token_journey").accuracy.mean - ablated(how, "from a block on", 6).mean > 0.05 for how in ("mean_ablations", "knock_outs"))}}{{assert
# all(ablated("mean_ablations", "from a block on", 5).mean - ablated("mean_ablations", "from a block on", 4).mean > 0.05 + other for other in [record("class_token_journey").accuracy.mean - ablated("mean_ablations", "from a block on", 6).mean, *(ablated("mean_ablations", "from a block on", b + 1).mean - ablated("mean_ablations", "from a block on", b).mean for b in (1, 2, 3, 5))])}}{{assert
# all(record("class_token_journey").accuracy.mean - ablated("knock_outs", "from a block on", 6).mean > 0.05 + ablated("knock_outs", "from a block on", b + 1).mean - ablated("knock_outs", "from a block on", b).mean for b in range(1, 6))}}{{assert
# interval(distance(ablated("knock_outs", "from a block on", 4), ablated("knock_outs", "from a block on", 3)))[0] > 0.01}}{{assert
# all(interval(ablated("knock_outs", "from a block on", b))[0] < 0.1 for b in (1, 2)) and ablated("knock_outs", "from a block on", 2).mean < ablated("knock_outs", "from a block on", 1).mean}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *layer by layer*: each block adds to those before it | **holds** in this order of cuts, for blocks 2 to 6 |
# | *layer by layer*: each block is needed by itself | **does not hold**: if only block 1 or only block 2 is cut, with *the usual mean*, the model is *alike* with the whole one. With *nothing*, blocks 1 to 3 cost about a point each at most (notebook 06) |
# | *from all patches* | **not settled**: a softmax gives each patch some weight, perhaps too small to matter |{{assert
# all(abs(cut("mean_ablations", b).mean) + cut("mean_ablations", b).width < 0.01 for b in (1, 2))}}{{assert
# max(cut("knock_outs", b).mean for b in (1, 2, 3)) < 0.011 and max(cut("knock_outs", b).mean for b in (1, 2, 3)) < min(cut("knock_outs", b).mean for b in (4, 5, 6)) and max(cut("mean_ablations", b).mean for b in (1, 2, 3)) < 0.011}}
#
# A cut surprises a model that was trained whole, and we do not know how many of the points are due to that. So the next card trains models without the part.
#
# *What it teaches:* the stand-in can decide the result, and so can the order of the cuts.
#
# <details><summary>Who says it, the limits, and a line to try</summary>
#
# *Said:* in tutorials such as [this one](https://www.abhik.ai/concepts/transformers/cls-token).
#
# *Limits:* one trained model, one run.
#
# *Try it yourself:* `python benchmarks/class_token_journey.py`, which needs CIFAR-10.
# </details>
#
# ### 12. "The class token must be updated by attention like any other token"
#
# **Tested:** the second way, on small models. Any other token reads all tokens in each block. In **alone**, the class token never reads the patches. In **late**, it joins before the last of the four blocks, and reads the patches there only.

# %% tags=["hide-input"]
show_effects(
    {
        "alone": less_base("class_token_cut", "sees itself alone", words="◂ off the scale"),
        "late": less_base("class_token_place", "only in the last block"),
    },
    AXIS,
    "CIFAR-10, small ViT, 3 passes:\nA is …, B is the base",
    counts=1,
    scale=(-3, 3),
)

# %% [markdown]
# **Result:** *alone* is right for {{100 * runs("class_token_cut", "sees itself alone").mean:.0f}} of 100 images, which is a guess. *Late* loses no points: it is {{gain(runs("class_token_place", "only in the last block")):±.1p}} points *better* than the base. We do not know why, and this lead may be luck (appendix).{{assert
# differs(runs("class_token_place", "only in the last block")) and runs("class_token_place", "only in the last block").difference > 0.01 and abs(runs("class_token_place", "only in the last block").difference - corrected()) < 0.0003}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *must be updated by attention* | **holds** by construction: nothing else brings the image to the head |
# | *like any other token* | **does not hold** here: in four blocks, *late* reads in one only, and is not worse after three passes |{{assert interval(gain(runs("class_token_place", "only in the last block")))[0] > 0}}
#
# In the quick version below, which has two blocks, *late* may be far behind: that depends on the seed.
#
# *What it teaches:* take a sentence apart before you test it.
#
# <details><summary>Who says it, a start that is never trained, the limits, and a line to try</summary>
#
# *Said:* we found nobody who writes *must*. [This question](https://datascience.stackexchange.com/questions/90649/class-token-in-vit-and-bert) asks why the ViT paper builds it so. [CaiT](https://arxiv.org/abs/2103.17239) lets the class token come late.
#
# *A start that is never trained:* must training update the class token's start? Here the class token has no position embedding in any model. It would be added to the start, and training it would do the same as training the start. Compared with a trained start, a random start that is never trained comes out at {{gain(runs("class_token_untrained", "no position, frozen")):+±.1p}} points after three passes, and zeros at {{gain(runs("class_token_untrained", "no position, frozen at zero")):+±.1p}}: both are *not settled*, but neither bar reaches as far as a point worse. After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes, zeros are *alike* with the trained start.{{assert
# abs(runs("class_token_untrained", "no position, frozen at zero", budget="long").difference) + runs("class_token_untrained", "no position, frozen at zero", budget="long").difference_width < 0.01}}{{assert
# all(not differs(runs("class_token_untrained", s)) and -0.01 < interval(gain(runs("class_token_untrained", s)))[0] and interval(gain(runs("class_token_untrained", s)))[1] > 0.01 for s in ("no position, frozen", "no position, frozen at zero"))}}
#
# *Limits:* one small model and one learning rate.
#
# *Try it yourself:* `python -m vit_minimal.experiments class_token_place --seeds 1 --settings "class token" "only in the last block"`
# </details>
#
# ## How far do the cards reach?
#
# What is left of the effects of cards 6, 11 and 12 after longer training, or in a larger model? They were measured again after {{recorded("pooling", "class token", budget="long")[0].run.training.epochs:d}} passes, where the base is right for {{runs("pooling", "class token", budget="long").mean:.0%}} of the test images, and in a larger model, where it is right for {{runs("pooling", "class token", budget="large").mean:.0%}}: it has {{recorded("pooling", "class token", budget="large")[0].run.model.depth:d}} blocks and {{recorded("pooling", "class token", budget="large")[0].parameters / 1e6:.1f}} million parameters in place of {{recorded("pooling", "class token")[0].parameters / 1e6:.1f}} million.

# %% tags=["hide-input"]
again = {  # effect: (experiment, setting, how it was trained)
    "mean": ("pooling", "mean of patches", [*budgets]),
    "attention\npooling": ("pooling", "attention pooling", [*budgets]),
    "late": ("class_token_place", "only in the last block", ["full", "long"]),
    "N(0, 10)": ("class_token_init", "N(0, 10)", [*budgets]),
}
labels = {"full": "small, 3 passes", "long": "longer, 14 passes", "large": "larger, 3 passes"}
_, axis = plt.subplots(figsize=(6, 4.6), layout="constrained")
axis.axvspan(-1, 1, color="0.9", linewidth=0, zorder=-1)
axis.axvline(0, color="gray", linewidth=1, zorder=0)
said = []
for place, (budget, label) in enumerate(labels.items()):
    style = plots.curve_style(place) | {"marker": "os^"[place], "linestyle": "none"}
    for row, (name, (experiment, setting, trained)) in enumerate(again.items()):
        if budget not in trained:
            continue
        _, number, width = less_base(experiment, setting, budget)
        y = row + 0.27 * (place - 1)
        axis.errorbar(number, y, xerr=width, capsize=3, label=label if row == 0 else None, **style)
        shown = f"{number:+.1f} ± {width:.1f}".replace("-", "−")
        at_the_end = {"xycoords": axis.get_yaxis_transform(), "va": "center", "fontsize": 9}
        axis.annotate(shown, (1.02, y), color=style["color"], **at_the_end)
        said.append(f"{name}, {label}: {shown}")
axis.set_yticks(range(len(again)), again)
axis.invert_yaxis()
axis.set_xlabel(AXIS)
axis.spines[["left", "top", "right"]].set_visible(False)
axis.figure.suptitle("CIFAR-10: the same effects in three trainings, B is the base of each")
axis.figure.legend(loc="outside lower center", ncols=3, frameon=False, handletextpad=0.2)
plots.show(
    "for each effect, a dot with its 95 % interval for each training", "three trainings", said
)

# %% [markdown]
# After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes, each effect comes out smaller than after three. (For the mean this change only just leaves out 0, and for attention pooling it is itself *not settled*.) The mean and attention pooling are still better, though perhaps by little, N(0, 10) is still worse, and *late* is *not settled*. The base, the mean and N(0, 10) have {{len(runs("pooling", "class token", budget="long").accuracies):d}} runs here, attention pooling has {{len(runs("pooling", "attention pooling", budget="long").accuracies):d}}, and *late* has {{["no run", "one run", "two runs", "three runs"][len(runs("class_token_place", "only in the last block", budget="long").accuracies)]:s}}.{{assert
# len(runs("pooling", "class token", budget="long").accuracies) == len(runs("pooling", "mean of patches", budget="long").accuracies) == len(runs("class_token_init", "N(0, 10)", budget="long").accuracies)}}{{assert
# not differs(distance(gain(runs("pooling", "attention pooling")), gain(runs("pooling", "attention pooling", budget="long"))))}}{{assert
# all(abs(runs(*of, budget="long").difference) < abs(runs(*of).difference) for of in (("pooling", "mean of patches"), ("pooling", "attention pooling"), ("class_token_init", "N(0, 10)"), ("class_token_place", "only in the last block")))}}{{assert
# all(differs(runs("pooling", s, budget="long")) and runs("pooling", s, budget="long").difference > 0 for s in ("attention pooling", "mean of patches"))}}{{assert
# differs(runs("class_token_init", "N(0, 10)", budget="long")) and runs("class_token_init", "N(0, 10)", budget="long").difference <= -0.01 and loss(runs("class_token_init", "N(0, 10)", budget="long")).mean < 0.3 * loss(runs("class_token_init", "N(0, 10)")).mean}}{{assert
# differs(distance(gain(runs("class_token_init", "N(0, 10)")), gain(runs("class_token_init", "N(0, 10)", budget="long"))))}}{{assert
# not differs(runs("class_token_place", "only in the last block", budget="long")) and interval(loss(runs("class_token_place", "only in the last block", budget="long")))[1] > 0.01}}
#
# In the larger model, two runs a side make long bars. N(0, 10) costs less than in the small one. The lead of the mean is *not settled*, and that of attention pooling only just leaves out 0.{{assert
# not differs(runs("pooling", "mean of patches", budget="large")) and 0 < interval(gain(runs("pooling", "attention pooling", budget="large")))[0] < 0.0001}}{{assert
# all(len(runs(*of, budget="large").accuracies) == 2 for of in (("pooling", "class token"), ("pooling", "mean of patches"), ("pooling", "attention pooling"), ("class_token_init", "N(0, 10)")))}}{{assert
# differs(distance(loss(runs("class_token_init", "N(0, 10)")), loss(runs("class_token_init", "N(0, 10)", budget="large"))))}}
#
# So most verdicts rest on a small model after three passes, and only those of card 2 and of a part of card 16 on longer training.
#
# ## The six at a glance
#
# Put your five answers beside what was measured, in points:
#
# | | the sentence | measured | after {{recorded("pooling", "class token", budget="long")[0].run.training.epochs:d}} passes | verdict |
# |---|---|---|---|---|
# | 16 | Large patches miss detail. | P = 8 finds {{100 * needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)[0]:.0f}}, {{100 * needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)[1]:.0f}} and {{100 * needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000)[2]:.0f}} of 100 tiles after three passes, and {{100 * needles(passes=33)[0]:.0f}}, {{100 * needles(passes=33)[1]:.0f}} and {{100 * needles(passes=33)[2]:.0f}} after 33 | not measured | **holds in part** |
# | 5 | Without a class token, the model only understands single patches. | patches gain {{distance(runs("single_patches", "mean of patches"), runs("single_patches", "mean of patches, no attention")):±.1p}} | not measured | **does not hold** |
# | 6 | A class token classifies better than the mean of the patches. | it is *worse* by {{gain(runs("pooling", "mean of patches")):±.1p}} | *worse* by {{gain(runs("pooling", "mean of patches", budget="long")):±.1p}}, which may be luck | **does not hold** |
# | 11 | The class token's initialisation decides. | N(0, 10) costs {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} | it costs {{loss(runs("class_token_init", "N(0, 10)", budget="long")):±.1p}} | **holds in part** |
# | 2 | The class token gathers from all patches, layer by layer. | block 4 or block 6: it depends on the stand-in | not measured | **holds in part** |
# | 12 | The class token must be updated by attention like any other token. | none: it is *better* by {{gain(runs("class_token_place", "only in the last block")):±.1p}}, which may be luck | *not settled*: {{gain(runs("class_token_place", "only in the last block", budget="long")):+±.1p}} | **holds in part** |
#
# None of the six holds as a whole. But only 5 and 2 are said much as they stand here: 6, 12 and 16 we sharpened, and on 11 the readings are ours.
#
# ## What to do in your own model
#
# | | because of claim |
# |---|---|
# | Choose a patch size for the computing and the time that you have. | 16 |
# | Try the mean of the patches or attention pooling as well. | 6 |
# | Start the class token at zero or N(0, 0.02). | 11 |
# | Feed two images, and check that what the head reads differs. (In *alone*, it does not.) | 12 |
#
# ## Recap
#
# - **The class token is one way to read the image out.** It has to read the patches, but after three passes, reading them in one block was enough, and the mean of the patches was better.
# - **The size of a difference belongs to its training**: to its length, to what is held equal, and to the model.
#
# ## Questions
#
# <details><summary>Somebody tries a class token and the mean of the patches, at one learning rate, with one seed, and finds the mean 1.5 points better. What would you ask?</summary>
#
# How was the learning rate found, and for which of the two? By how much do runs of the *same* setting differ? Was anything chosen on the images that judged it?
# </details>
#
# **Try it yourself:** [exercises 10](exercises/10_claims_put_to_the_test.ipynb), with checks.
#
# You have built a model, trained it, and doubted it. **Here the main path ends.**
#
# **Next:** [notebook 11](11_faster_and_safer_training.ipynb) makes the training faster, and safe against interruptions.
#
# ## Appendix
#
# ### Card 5, run on your machine
#
# Does attention between patches help on drawn shapes too? Here both models of card 5 train briefly on them, three runs each. The interval rests on these six runs, so `contrast` makes it from their own spread. (Your numbers may differ.)

# %%
shapes10 = load_dataset("shapes10")
settings = ["mean of patches, no attention", "mean of patches"]
found = run_experiment("single_patches", dataset=shapes10, settings=settings, verbose=False)
single, together = (found[setting].accuracies for setting in settings)
print(f"single patches:   {100 * statistics.mean(single):.1f} %")
print(f"patches together: {100 * statistics.mean(together):.1f} %")
difference, width = contrast([together], [single])
print(f"together − single: {100 * difference:+.1f} ± {100 * width:.1f} points")

# %% [markdown]
# ### Which bars leave out 0 by luck?
#
# The record has {{comparisons():d}} comparisons with a base. If no models differed, about three bars would still leave out 0.{{assert comparisons() == 58}}{{assert 2.5 <= 0.05 * comparisons() < 3.5}} A stricter test asks each difference to be larger than a **threshold**, and not only larger than half of its bar. In at least 95 of 100 records without any true difference, none would be larger than its threshold. Here are two models that are better than the base:

# %% tags=["nbval-check-output"]
late = summarize("class_token_place", "full", cifar10, spread)["only in the last block"].accuracies
farther = students_t(spread.degrees, 1 - 0.05 / 58) / students_t(spread.degrees)

for name, accuracies in (("mean of patches", mean), ("late", late)):
    difference, half = compare(accuracies, base)
    print(f"{name}: {difference:+.2f} ± {half:.2f}, threshold {half * farther:.2f}")

# %% [markdown]
# *Late* is just above its threshold, too close to it to rely on, so its lead may be luck. No verdict rests on it: card 12 needs only that *late* is not worse. After 14 passes, the bar of the mean only just leaves out 0, so that lead may be luck too; the verdict of card 6 stands without it.
#
# ### What the pooled spread takes for granted
#
# Runs are taken to be independent, and all settings to vary alike. Bartlett's test finds nothing against the latter (p = {{equal_variances():.2f}}).{{assert equal_variances() > 0.2}} A setting that is right for less than half as many images as the best one, as *alone* is, takes no part in the pooling, and its interval rests on its own runs. The choice of test images and a lucky base are not covered.
#
# After 14 passes and in the larger model, the deviations are others: {{spread("long").deviation:.2p}} and {{spread("large").deviation:.2p}} points, in place of {{spread().deviation:.2p}}. They are pooled over fewer runs, so they are less sure.
#
# ### Where the numbers come from
#
# | records | claims |
# |---|---|
# | [experiments](../data/results/experiments_cifar10_full.json) | 5, 6, 11, 12, 16 |
# | [longer training](../data/results/experiments_cifar10_long.json) | 6, 11, 12 |
# | [a larger model](../data/results/experiments_cifar10_large.json) | 6, 11 |
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
