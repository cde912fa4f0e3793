# %% [markdown]
# # 10 · Claims, put to the test
#
# **After this notebook you can** say which common sentences about Vision Transformers were true here, by how much, and how far the test reaches. You also take home the class token on one page.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05; 06 to 09 tell more about the sentences |
# | Time to read | about 20 minutes, without the appendix |
# | Time to run | at the quick budget {{notebook_seconds("10_claims_put_to_the_test"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `forest.py`, and `data/results/` |
#
# Someone tells you that *large patches miss detail*. So you train two models, for the same number of epochs on the same photographs: one with patches of 8 × 8 pixels (P = 8), and one with 4 × 4 (P = 4). Of 100 test images, the model with the larger patches classifies {{-runs("patch_size", "P = 8").difference:.0p}} fewer correctly, and you drop it. Was that right?
#
# Six such sentences have a card here. They keep their numbers from our list of {{numbered_sections("10_claims_put_to_the_test") + numbered_sections("14_more_claims"):d}}; [notebook 14](14_more_claims.ipynb) has the others. First comes what every card rests on: how sure is a number?

# %%
import math
import statistics

import matplotlib.pyplot as plt

from vit_minimal import diagrams, load_dataset, plots
from vit_minimal.experiments import (
    contrast,
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


budgets = {  # how the models were trained: a few epochs, more of them, a larger model
    "full": cifar10,
    "long": records("experiments_cifar10_long"),
    "large": records("experiments_cifar10_large"),
}
spreads = {budget: pooled_spread(of) for budget, of in budgets.items()}
AXIS = "← A worse  |  A − B in points  |  A better →"


def less_base(experiment, setting, budget="full", words=""):
    """A row of a figure: a setting of an experiment on CIFAR-10 less its base, in points."""
    tried = summarize(experiment, budget, budgets[budget], spreads[budget])[setting]
    return words, 100 * tried.difference, 100 * tried.difference_width


def show_card(number, title, rows, found=None, **more):
    """The picture of a card: a row for each effect, or for each setting what its seeds `found`."""
    title = f"Card {number} · {title}"
    if found is None:
        show_effects(rows, AXIS, title, counts=1, **more)
        return
    _, axis = plt.subplots(figsize=(5.6, 1.2 + 0.45 * len(rows)), layout="constrained")
    for row, shares in enumerate(rows.values()):
        axis.plot([100 * share for share in shares], [row] * len(shares), "ko", ms=8, alpha=0.5)
    axis.axvline(10, color="gray", linestyle=":", zorder=0)
    axis.text(11.5, -0.5, "chance level", color="#555555", va="center")
    axis.set_yticks(range(len(rows)), rows)
    axis.set(xlim=(0, 104), ylim=(len(rows) - 0.5, -0.9), xlabel=found, title=title)
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right", "left"]].set_visible(False)
    said = [f"{name}: " + ", ".join(f"{s:.0%}" for s in of) for name, of in rows.items()]
    plots.show(f"{found}, a row for each setting", title, said)


# %% [markdown]
# ## How sure is a number?
#
# Most cards compare a model with the **base**. It is the *small model* of this course: {{recorded("class_token_init", "N(0, 0.02)")[0].run.model.depth:d}} blocks with P = 4 and a class token, trained with Muon on 45,000 photographs of CIFAR-10 for {{recorded("class_token_init", "N(0, 0.02)")[0].run.training.epochs:d}} epochs. It classifies {{runs("pooling", "class token").mean:.0%}} of the test images correctly. A **point** is one per cent of the test images.
#
# A **run** is one training, and its **seed** fixes what is random in it, such as the first weights. How far apart do runs lie that differ in their seed alone? The first three runs of the base lie within {{max(runs("pooling", "class token").accuracies[:3]) - min(runs("pooling", "class token").accuracies[:3]):.1p}} points of each other, but the next ten only within {{max(runs("pooling", "class token").accuracies[3:]) - min(runs("pooling", "class token").accuracies[3:]):.1p}}.{{assert max(runs("pooling", "class token").accuracies[3:]) - min(runs("pooling", "class token").accuracies[3:]) > 3 * (max(runs("pooling", "class token").accuracies[:3]) - min(runs("pooling", "class token").accuracies[:3]))}} So three runs say little about luck.
#
# We therefore **pool**. A **setting** is everything about a run but its seed: the base is one setting, and the base with P = 8 is another. All settings of the small model together tell how much runs differ: a run typically lies {{spread().deviation:.2p}} points from the mean of its setting (standard deviation).
#
# With this number, `less` gives the interval of a difference:

# %% tags=["nbval-check-output"]
spread = pooled_spread(cifar10)


def less(a, b):
    """A − B in points, and half of its 95 % interval, from their runs."""
    error = spread.deviation * (1 / len(a) + 1 / len(b)) ** 0.5  # the standard error
    half = students_t(spread.degrees) * error  # about two standard errors
    return 100 * (statistics.mean(a) - statistics.mean(b)), 100 * half


base = summarize("pooling", "full", cifar10, spread)["class token"].accuracies
for a, b in ((base[:3], base[3:6]), (base[:6], base[6:])):
    difference, half = less(a, b)
    print(f"the base less itself, {len(a)} and {len(b)} runs: {difference:+.1f} ± {half:.1f}")

# %% [markdown]
# The number before ± is **A − B**, the difference of two means. The number behind it is half of a **95 % interval**: about 95 of 100 such intervals hold the difference that very many runs would give. (To make one from only your own two settings, see [notebook 05](05_training_on_cifar10.ipynb).)
#
# B is always a model, and A is that model with one thing changed. B is the base, unless the card names another.
#
# ## From a bar to a word
#
# In a figure, a mark is A − B, and the **bar** around it is the interval. Differences below one point are small, and lie in the **grey zone**. Four bars, which are made up, show the four answers:

# %% tags=["hide-input"]
show_effects(
    {
        "wholly in the grey zone": ("", 0.2, 0.6),
        "wholly right of 0": ("if only by little", 1.6, 0.8),
        "wholly left of 0": ("if only by little", -1.0, 0.9),
        "anywhere else": ("more runs are needed", 0.7, 1.2),
    },
    AXIS,
    "Where the bar lies, and which word it gets",
)

# %% [markdown]
# Read the figure from the top: the first row that fits a bar gives its word. A and B are **alike**, A is **better**, A is **worse**, or that is **not settled**.
#
# Try it on the two printed lines above. Both compare runs of the base with other runs of the base, so the true difference is 0. With three runs a side, the interval leaves the grey zone: these six runs do not settle even that. With 6 and 7 runs it lies inside: *alike*.{{assert
# abs(distance(runs("pooling", "class token").accuracies[:3], runs("pooling", "class token").accuracies[3:6]).mean) < 0.01 < distance(runs("pooling", "class token").accuracies[:3], runs("pooling", "class token").accuracies[3:6]).mean + corrected(3, 3) * students_t(spread().degrees) / students_t(spread().degrees, 1 - 0.05 / comparisons())}}{{assert
# abs(distance(runs("pooling", "class token").accuracies[:6], runs("pooling", "class token").accuracies[6:]).mean) + corrected(6, 7) * students_t(spread().degrees) / students_t(spread().degrees, 1 - 0.05 / comparisons()) < 0.01}}
#
# On the cards, A has {{len(runs("pooling", "mean of patches").accuracies):d}} runs, and the base has {{len(runs("pooling", "class token").accuracies):d}}, unless a card says otherwise.{{assert
# all(len(runs(*of).accuracies) == 3 for of in (("patch_size", "P = 8"), ("patch_size_at_equal_time_short", "P = 8, 3 × the epochs"), ("patch_size_longer", "P = 8, 4 × the epochs"), ("patch_size_at_equal_time", "P = 8, 30 epochs"), ("pooling", "mean of patches"), ("pooling", "attention pooling"), ("single_patches", "mean of patches, no attention"), ("class_token_init", "zeros"), ("class_token_init", "all 1"), ("class_token_init", "N(0, 1)"), ("class_token_init", "N(0, 10)"), ("class_token_cut", "sees itself alone"), ("class_token_place", "only in the last block")))}}
#
# <details><summary><b>Many comparisons</b>: which of the bars leave out 0 by luck?</summary>
#
# The record has {{comparisons():d}} comparisons with a base. If no models differed, about three bars would still leave out 0.{{assert comparisons() == 58}}{{assert 2.5 <= 0.05 * comparisons() < 3.5}} So the appendix has a stricter test. Every *better* or *worse* after three epochs with Muon that a verdict rests on passes it. The runs with AdamW in card 6 are a record of their own, and too few for such a test.{{assert
# all(abs(runs(*of).difference) > corrected() for of in (("patch_size", "P = 8"), ("patch_size_longer", "P = 8, 4 × the epochs"), ("pooling", "mean of patches"), ("pooling", "attention pooling"), ("class_token_init", "N(0, 10)"), ("class_token_cut", "sees itself alone")))}}{{assert
# distance(runs("single_patches", "mean of patches"), runs("single_patches", "mean of patches, no attention")).mean > corrected(3, 3)}}
#
# </details>
#
# <details><summary><b>Why on test images?</b></summary>
#
# Notebook 05 keeps the test images for the end, and here they judge every comparison. They choose nothing: learning rates were chosen on validation images. But we drew the grey zone after we had seen the results, and thousands of papers have used the same test images. On new ones, models lost some points, but the better ones mostly stayed better ([Recht et al. 2018](https://arxiv.org/abs/1806.00451)).
#
# </details>
#
# ## Six sentences
#
# People mostly say *often*, which fits almost any result. So we ask *where* a sentence is true: in all the cases that we tested, in some of them, or in none?
#
# A word such as *better* judges one bar. A **verdict** judges a sentence. There are four of them, here and in notebook 14.
#
# A sentence may have parts, and a part may be tested in several cases. A part that says *only*, *must* or *always* is false as soon as there is one exception.
#
# | verdict | parts and cases |
# |---|---|
# | **holds** | all are true |
# | **does not hold** | none is true, and one is false at least |
# | **holds in part** | some are true, and others are false or not settled |
# | **not settled** | anything else: the interval leaves room for yes and no, the comparison was not fair, or the case was not tested |
#
# Which of the six would you sign? The first is that of the story above. The others ask whether a class token is needed (5, 6), how it starts (11), and where it must attend to the patches (2, 12).
#
# | | the sentence | your verdict |
# |---|---|---|
# | 16 | Large patches miss detail. | |
# | 5 | Without a class token, the model only understands single patches. | |
# | 6 | A class token classifies better than the mean of the patches. | |
# | 11 | The class token's initialization decides. | |
# | 2 | The class token gathers from all patches, layer by layer. | |
# | 12 | The class token must be updated by attention like any other token. | |
#
# Each card ends with advice for your own model, its *limits*, and a line to try: a quick version with one seed, which may come out the other way.
#
# ### 16. "Large patches miss detail"
#
# **Tested:** B has P = 4, and A has P = 8. The verdict rests on *Needle-10*: drawn images in which only a detail of 4 × 4 pixels gives the class. The tiny model is trained on 4,000 of them, three times for each setting.

# %% tags=["hide-input"]
(drawn,) = (of["rows"] for of in records("patch_size") if of["part"] == "needles")
(more,) = (of["rows"] for of in records("patch_size") if of["part"] == "needles_at_equal_flops")


def needles(P, epochs):
    """What the seeds of the tiny model found, from 4,000 images of 32 × 32."""
    wanted = {"patch_size": P, "passes": epochs, "embed_dim": 64}
    wanted |= {"image_size": 32, "trained_on": 4_000}
    (found,) = (row for row in drawn + more if wanted.items() <= row.items())
    return found["accuracies"]


show_card(
    16,
    "Needle-10, tiny model: a dot for each seed",
    {
        "B: P = 4, 3 epochs": needles(4, 3),
        "A: P = 8, 3 epochs": needles(8, 3),
        "A: P = 8, 12 epochs": needles(8, 12),
        "A: P = 8, 33 epochs": needles(8, 33),
    },
    found="test images classified correctly, in %",
)

# %% [markdown]
# **Result:** after three epochs, P = 4 finds every detail, and P = 8 stays near chance level. With more epochs, P = 8 begins to find it: after twelve, each of its runs classifies more than half of the images correctly, and after 33 two of three nearly all.{{assert
# min(needles(patch_size=4)) == 1 and overlap(needles(patch_size=8, embed_dim=64, image_size=32, passes=3, trained_on=4_000), [0.1, 0.1, 0.1])}}{{assert
# min(only(only(records("patch_size"), part="needles_at_equal_flops").rows, patch_size=8, passes=12).accuracies) > 0.5}}{{assert
# sorted(needles(passes=33))[1] > 0.98 and min(needles(passes=33)) < 0.6}}
#
# **Holds in part.** The part that holds: after three epochs, P = 8 misses the detail. The part that does not: P = 8 *can* find it, if it trains longer and is lucky with its seed.
#
# **So was it right to drop the larger patches?** That is another question: which size to choose for photographs. An epoch with P = 8 costs less, so "the same training" may mean the same epochs, the same time, or the same **FLOPs** (additions and multiplications). The answer depends on which of these you hold equal, and on how long you train:
#
# | CIFAR-10, small model: both get | epochs of P = 8 and of P = 4 | A − B in points: P = 8 is |
# |---|---|---|
# | the same epochs | 3 and 3 | {{gain(runs("patch_size", "P = 8")):+±.1p}}: worse |
# | about the same time | 9 and 3 | {{gain(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")):+±.1p}}: not settled |
# | about the same FLOPs | 12 and 3 | {{gain(runs("patch_size_longer", "P = 8, 4 × the epochs")):+±.1p}}: better |
# | about the same time, longer | 30 and 10 | {{gain(runs("patch_size_at_equal_time", "P = 8, 30 epochs")):+±.1p}}: worse |
# | about the same FLOPs, longer | 40 and 10 | {{gain(runs("patch_size_at_equal_time", "P = 8, 40 epochs")):+±.1p}}: worse, one run of P = 8 |{{assert
# abs(4 * patch_cost(8).flops / patch_cost(4).flops - 1) < 0.1}}{{assert
# 2.8 < patch_cost(4).seconds / patch_cost(8).seconds < 3.1}}{{assert
# not differs(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")) and interval(gain(runs("patch_size_at_equal_time_short", "P = 8, 3 × the epochs")))[1] > 0.01}}{{assert
# interval(loss(runs("patch_size_at_equal_time", "P = 8, 30 epochs")))[0] > 0.01 and interval(loss(runs("patch_size_at_equal_time", "P = 8, 40 epochs")))[0] > 0.01}}{{assert
# [recorded(*of)[0].run.training.epochs for of in (("patch_size_at_equal_time_short", "P = 8, 3 × the epochs"), ("patch_size_longer", "P = 8, 4 × the epochs"), ("patch_size_at_equal_time", "P = 4, 10 epochs"), ("patch_size_at_equal_time", "P = 8, 30 epochs"), ("patch_size_at_equal_time", "P = 8, 40 epochs"))] == [9, 12, 10, 30, 40]}}{{assert
# len(runs("patch_size_at_equal_time", "P = 8, 40 epochs").accuracies) == 1}}{{assert
# interval(gain(runs("patch_size_longer", "P = 8, 4 × the epochs")))[0] > 0 and interval(loss(runs("patch_size", "P = 8")))[0] > 0.01}}
#
# **So in your model:** if you can pay for the longer training, take the smaller patches: then dropping P = 8 was right. If you can pay for a short one only, compare two sizes at equal FLOPs or equal time, not at equal epochs; at equal FLOPs, P = 8 was ahead in the short training.
#
# *Limits:* all at the learning rate that was found for P = 4. The one lead of P = 8 is not settled if P = 4 makes as many steps, with smaller batches and half that rate (one seed). The longer trainings still use the deviation of three epochs. On Needle-10, the detail is exactly one patch of P = 4.
#
# *Try it yourself:* `python -m vit_minimal.experiments patch_size_longer --seeds 1 --settings "P = 4" "P = 8, 4 × the epochs"`, which asks the second question.
#
# *Measured in* [notebook 16](16_detail_and_noise.ipynb) on Needle-10, and in [08](08_pitfalls_patch_size.ipynb) on photographs. *Said* in [this guide](https://25621.github.io/ai-learning-guides/guides/multimodal-learning/projects/patch-size-study/).
#
# ### 5. "Without a class token, the model only understands single patches"
#
# **Tested:** neither model here has a class token: the head reads the mean of the patches. In B, the patches attend to each other. In A, each attends to itself alone, so A can understand only single patches. If the sentence were true, B would do no better than A.

# %% tags=["hide-input"]
single = summarize("single_patches", "full", cifar10, spread)
alone = single["mean of patches, no attention"].accuracies
together = single["mean of patches"].accuracies
show_card(
    5,
    "CIFAR-10, small model, 3 epochs:\nwithout a class token, A is …",
    {"single patches": ("B: patches together", *less(alone, together))},
)

# %% [markdown]
# **Result:** single patches are {{distance(runs("single_patches", "mean of patches"), runs("single_patches", "mean of patches, no attention")):±.1p}} points worse than patches together. (On their own they already reach {{runs("single_patches", "mean of patches, no attention").mean:.0%}}.)
#
# **Does not hold**, because a model without a class token gains from more than single patches: attention mixes the patches with or without one.{{assert
# below(runs("single_patches", "mean of patches, no attention"), runs("single_patches", "mean of patches"))}}
#
# **So in your model:** you may leave the class token out, if the head reads something else. Keep the attention between the patches.
#
# *Limits:* one patch size, three epochs, and no tuned learning rate. Elsewhere, too, single patches get far: see [BagNet](https://arxiv.org/abs/1904.00760).
#
# *Try it yourself:* `python -m vit_minimal.experiments single_patches --seeds 1`, or run the cell in the appendix.
#
# *Measured* with the heads of [notebook 09](09_pitfalls_class_token.ipynb). *Said* almost so in [this article](https://saadsohail5104.medium.com/understanding-the-role-of-the-class-token-in-vision-transformers-vit-d0f7750d7066).
#
# ### 6. "A class token classifies better than the mean of the patches"
#
# **Tested:** the head of B reads the class token. The head of A reads the mean of the patches, or a mean with learned weights, which is called **attention pooling**. With Muon, each has the learning rate that was best for it on validation images. With AdamW, both have one rate.


# %% tags=["hide-input"]
def with_adamw(budget):
    """The mean of patches less the class token, both trained with AdamW at one learning rate."""
    adamw = records(f"experiments_cifar10_{budget}")
    heads = summarize("pooling", budget, adamw, pooled_spread(adamw))
    at_one_rate = (heads[head].at_rates[9e-4] for head in ("class token", "mean of patches"))
    (token, width), (mean, wide) = at_one_rate  # of both, the mean and half its interval
    return "mean, AdamW", 100 * (mean - token), 100 * math.hypot(wide, width)


show_card(
    6,
    "CIFAR-10, small model:\nA has no class token",
    {
        "3 epochs": less_base("pooling", "mean of patches", words="mean, Muon"),
        "14 epochs": less_base("pooling", "mean of patches", "long", words="mean, Muon"),
        "3 epochs, AdamW": with_adamw("adamw"),
        "14 epochs, AdamW": with_adamw("adamw_long"),
        "attention pooling": less_base("pooling", "attention pooling", words="3 epochs, Muon"),
    },
)

# %% [markdown]
# **Result:** in three of the four trainings, the mean is better than the class token. With Muon it leads by {{gain(runs("pooling", "mean of patches")):±.1p}} points after three epochs and by {{gain(runs("pooling", "mean of patches", budget="long")):±.1p}} after 14. With AdamW, the class token leads after three epochs, by {{distance(runs("pooling", "class token", 1, "adamw"), runs("pooling", "mean of patches", 1, "adamw")):±.1p}}, and the mean leads after {{recorded("pooling", "class token", budget="adamw_long")[0].run.training.epochs:d}}, by {{distance(runs("pooling", "mean of patches", 1, "adamw_long"), runs("pooling", "class token", 1, "adamw_long")):±.1p}}. With Muon, attention pooling is better, too.{{assert
# min(interval(gain(runs("pooling", s)))[0] for s in ("attention pooling", "mean of patches")) > 0.01}}{{assert
# interval(gain(runs("pooling", "mean of patches", budget="long")))[0] > 0 and recorded("pooling", "mean of patches", rate=2, budget="long")[0].run.training.epochs == recorded("pooling", "class token", budget="adamw_long")[0].run.training.epochs == 14}}{{assert
# interval(distance(runs("pooling", "mean of patches", 1, "adamw_long"), runs("pooling", "class token", 1, "adamw_long")))[0] > 0}}
#
# **Holds in part.** The part that holds: after a short training with **AdamW**, the class token is ahead. The part that does not: after a longer one it is behind. With Muon it is never ahead, neither at a common learning rate nor when each has its best.{{assert
# len(recorded("pooling", "class token", budget="adamw")) == len(recorded("pooling", "mean of patches", budget="adamw")) == 3 and interval(distance(runs("pooling", "class token", 1, "adamw"), runs("pooling", "mean of patches", 1, "adamw")))[0] > 0.01}}{{assert
# len(recorded("pooling", "class token", budget="adamw_long")) == len(recorded("pooling", "mean of patches", budget="adamw_long")) == 3}}{{assert
# all(max(reached("pooling", "class token", rate)) < min(reached("pooling", s, rate)) for s in ("mean of patches", "attention pooling") for rate in (0.5, 1, 2))}}{{assert
# all(reached("pooling", "mean of patches", rate)[0] < reached("pooling", "class token")[0] for rate in (0.5, 4))}}{{assert
# all(runs("pooling", s, budget=b).difference > 0 for s in ("mean of patches", "attention pooling") for b in ("full", "long", "large"))}}
#
# What looked like a rule of the optimizer was one of the short training: after three epochs with AdamW the class token has reached only {{runs("pooling", "class token", 1, "adamw").mean:.0%}}, and after {{recorded("pooling", "class token", budget="adamw_long")[0].run.training.epochs:d}} it has {{runs("pooling", "class token", 1, "adamw_long").mean:.0%}}. Why the order turns on the way, we do not know. With Muon, the lead of the mean is smaller after 14 epochs than after three, but after 60 it is there (below).{{assert
# differs(distance(gain(runs("pooling", "mean of patches")), gain(runs("pooling", "mean of patches", budget="long"))))}}
#
# **So in your model:** try both heads, with your own optimizer and each at its own learning rate. Do not expect one to win everywhere.
#
# *Limits:* at other rates than the best, most settings have one or two runs. Longer training kept the rates of three epochs, and the larger model had the base's rate only.{{assert
# all(runs("pooling", s, budget="long").learning_rate == runs("pooling", s).learning_rate for s in ("class token", "mean of patches", "attention pooling"))}}{{assert
# len({runs("pooling", s, budget="large").learning_rate for s in ("class token", "mean of patches", "attention pooling")}) == 1}}{{assert
# max(recorded("pooling", "mean of patches", rate=rate)[0].validation_accuracy for rate in (0.5, 1, 4)) < recorded("pooling", "mean of patches", rate=2)[0].validation_accuracy}}{{assert
# all(max(recorded("pooling", s, rate=rate)[0].validation_accuracy for rate in (0.5, 2)) < recorded("pooling", s)[0].validation_accuracy for s in ("class token", "attention pooling"))}}
#
# *Try it yourself:* `python -m vit_minimal.experiments pooling --seeds 1 --settings "class token" "mean of patches"`
#
# *Measured in* [notebook 09](09_pitfalls_class_token.ipynb). [This page](https://saikatkumardey.com/ml-wiki/concepts/classification-token) *says* that a class token *often* does better, and a later recipe of ViT's authors ([Beyer et al. 2022](https://arxiv.org/abs/2205.01580)) prefers the mean.
#
# ### 11. "The class token's initialization decides"
#
# **Tested:** A starts the class token in one of four ways, and B as the base does, from N(0, 0.02): around 0, with a standard deviation of 0.02. `torch.randn` gives N(0, 1).

# %% tags=["hide-input"]
show_card(
    11,
    "CIFAR-10, small model, 3 epochs:\nA starts from …",
    {
        start: less_base("class_token_init", start)
        for start in ("zeros", "all 1", "N(0, 1)", "N(0, 10)")
    },
)

# %% [markdown]
# **Result:** N(0, 10) is {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} points worse. Zeros and *all 1* are *alike* with the base. N(0, 1) is *not settled*: its bar reaches from more than one point of harm to just beyond 0.{{assert
# all(abs(runs("class_token_init", name).difference) + runs("class_token_init", name).difference_width < 0.01 for name in ("zeros", "all 1"))}}{{assert
# interval(loss(runs("class_token_init", "N(0, 1)")))[1] > 0.01 and not differs(runs("class_token_init", "N(0, 1)")) and -0.001 < interval(loss(runs("class_token_init", "N(0, 1)")))[0] < 0}}{{assert interval(loss(runs("class_token_init", "N(0, 10)")))[0] > 0.01}}
#
# **Holds in part.** The part that holds: a start that is much too large does harm. The part that does not: zeros, ones and N(0, 0.02) end *alike*, so between them the start does not matter. For N(0, 1), which people do use, we cannot say.
#
# **So in your model:** start the class token at zero or from N(0, 0.02). If you use `torch.randn`, multiply it by 0.02.
#
# *Limits:* one learning rate and three epochs; after 14, much of the harm has gone, and after 60 all of it, in one run (below).
#
# *Try it yourself:* `python -m vit_minimal.experiments class_token_init --seeds 1 --settings "N(0, 0.02)" "N(0, 10)"`
#
# *Measured in* [notebook 07](07_pitfalls_initialization.ipynb), and explained there. A question in [PyTorch's forum](https://discuss.pytorch.org/t/value-of-cls-token-for-transformer-encoders/164441) *supposes* the sentence.
#
# ## In how many blocks?
#
# Must the class token attend to the patches in every block? Card 2 goes the first way below: it **cuts** a trained model, in block 6 for example. Card 12 goes the second way: it **trains** a model in which the class token comes late. The class token is orange, the patches are blue, and purple arrows show where the class token attends to the patches:

# %% tags=["hide-input"]
diagrams.cut_or_late(6, 6, 4)

# %% [markdown]
# ### 2. "The class token gathers from all patches, layer by layer"
#
# **Tested:** B is the *shipped model* of {{recorded("pooling", "class token", budget="large")[0].run.model.depth:d}} blocks, trained for {{record("cifar10_cpu_long").training.epochs:d}} epochs. In A, the class token is cut off from the image in one block: what it would receive there is replaced by its usual mean over many images (*mean ablation*). Here, ± is half of a 95 % interval over 5,000 test images, and not over runs.

# %% tags=["hide-input"]
(journey,) = records("class_token_journey")
lost = journey["mean_ablations"]["loss, one block"]
show_card(
    2,
    "CIFAR-10, shipped model:\nA is cut in …",
    {
        f"block {block}": ("", -100 * points, 100 * half)
        for block, (points, half) in enumerate(zip(lost["mean"], lost["width"], strict=True), 1)
    },
)

# %% [markdown]
# **Result:** cut in block 1 or 2, the model is *alike* with the whole one. Cut in one of blocks 3 to 6 it is worse, and the cut in block 6 costs most: {{cut("mean_ablations", 6):±.1p}} points. A second test cuts all blocks, and then gives them back one by one, from the first on:
#
# | not cut | none | block 1 | 1 and 2 | 1 to 3 | 1 to 4 | 1 to 5 | all |
# |---|---|---|---|---|---|---|---|
# | test images classified correctly, in % | {{ablated("mean_ablations", "from a block on", 1).mean:.0p}} | {{ablated("mean_ablations", "from a block on", 2).mean:.0p}} | {{ablated("mean_ablations", "from a block on", 3).mean:.0p}} | {{ablated("mean_ablations", "from a block on", 4).mean:.0p}} | {{ablated("mean_ablations", "from a block on", 5).mean:.0p}} | {{ablated("mean_ablations", "from a block on", 6).mean:.0p}} | {{record("class_token_journey").accuracy.mean:.0p}} |{{assert
# all(abs(cut("mean_ablations", b).mean) + cut("mean_ablations", b).width < 0.01 for b in (1, 2))}}{{assert
# all(cut("mean_ablations", b).mean > cut("mean_ablations", b).width and cut("mean_ablations", b).mean + cut("mean_ablations", b).width > 0.01 for b in (3, 4, 5, 6))}}{{assert
# all(cut("mean_ablations", b).mean < interval(cut("mean_ablations", 6))[0] for b in range(1, 6))}}{{assert
# all(ablated(how, "from a block on", b + 1).mean - ablated(how, "from a block on", b).mean >= ablated("knock_outs", "from a block on", 4).mean - ablated("knock_outs", "from a block on", 3).mean for how in ("mean_ablations", "knock_outs") for b in range(2, 6))}}{{assert
# all(record("class_token_journey").accuracy.mean - ablated(how, "from a block on", 6).mean > 0.05 for how in ("mean_ablations", "knock_outs"))}}{{assert
# interval(distance(ablated("knock_outs", "from a block on", 4), ablated("knock_outs", "from a block on", 3)))[0] > 0.01}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *layer by layer*: each block adds to those before it (table) | **holds** in this order of cuts, for blocks 2 to 6; of block 1 the two ways to cut say different things (limits) |
# | *layer by layer*: each block is needed by itself (figure) | **does not hold**: blocks 1 and 2 are not |
# | *from all patches* | **not settled**, as no patch was cut: a softmax gives each some weight, perhaps too small to matter |
#
# **So in your model:** before you say that a block matters, cut it, and say what the class token receives in its place.
#
# *Limits:* one trained model, one run. A cut surprises a model that was trained whole, and what stands in its place matters. If the class token receives *nothing* (*knock-out*), each of blocks 4 to 6 costs more than each of blocks 1 to 3, and in the second test blocks 2 to 6 add something, but block 1 does not.{{assert
# ablated("knock_outs", "from a block on", 2).mean < ablated("knock_outs", "from a block on", 1).mean}}{{assert
# max(cut("knock_outs", b).mean for b in (1, 2, 3)) < 0.011 and max(cut("knock_outs", b).mean for b in (1, 2, 3)) < min(cut("knock_outs", b).mean for b in (4, 5, 6))}}
#
# *Try it yourself:* `python benchmarks/class_token_journey.py`, which needs CIFAR-10.
#
# *Measured in* [notebook 06](06_inside_the_class_token.ipynb). *Said* in tutorials such as [this one](https://www.abhik.ai/concepts/transformers/cls-token).
#
# ### 12. "The class token must be updated by attention like any other token"
#
# **Tested:** small models of four blocks are trained. In the base, every token attends to all tokens in every block. In *alone*, the class token attends to nothing but itself, in all of them. In *late*, it joins before the last block, and attends to the patches there only.

# %% tags=["hide-input"]
show_card(
    12,
    "CIFAR-10, small model, 3 epochs:\nA is …",
    {
        "alone": less_base("class_token_cut", "sees itself alone", words="off the scale"),
        "late": less_base("class_token_place", "only in the last block"),
    },
    scale=(-3, 3),
)

# %% [markdown]
# **Result:** *alone* stays at chance level, {{runs("class_token_cut", "sees itself alone").mean:.0%}}. *Late* loses no points: it is {{gain(runs("class_token_place", "only in the last block")):±.1p}} points *better* than the base. We do not know why, and this lead only just passes the stricter test (appendix).{{assert
# all(accuracy == 0.1 for accuracy in runs("class_token_cut", "sees itself alone").accuracies)}}{{assert
# differs(runs("class_token_place", "only in the last block")) and runs("class_token_place", "only in the last block").difference > 0.01 and abs(runs("class_token_place", "only in the last block").difference - corrected()) < 0.0003}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *must be updated by attention* | **holds** by construction: nothing else brings the image to the head |
# | *like any other token* | **does not hold** here: of four blocks, *late* attends to the patches in one only, and is not worse after three epochs |{{assert interval(gain(runs("class_token_place", "only in the last block")))[0] > 0}}
#
# **So in your model:** the class token must attend to the patches somewhere, but not everywhere, so it may join late. After training, feed two images, and check that what the head reads differs. In *alone* it does not.
#
# *Limits:* one small model and one learning rate.
#
# *Try it yourself:* `python -m vit_minimal.experiments class_token_cut --seeds 1 --settings "class token" "sees itself alone"`
#
# *Alone* is from [notebook 09](09_pitfalls_class_token.ipynb); *late* is new here. We found nobody who *says* "must", but [this question](https://datascience.stackexchange.com/questions/90649/class-token-in-vit-and-bert) comes close. In [CaiT](https://arxiv.org/abs/2103.17239) the class token comes late by design.
#
# ## How far do the cards reach?
#
# Most cards rest on a small model, three epochs and Muon, an optimizer that few ViTs use. What is left of their effects in other trainings?
#
# Cards 6, 11 and 12 were measured again after {{recorded("pooling", "class token", budget="long")[0].run.training.epochs:d}} epochs, where the base reaches {{runs("pooling", "class token", budget="long").mean:.0%}}. Cards 6 and 11 were also measured in a larger model, where it reaches {{runs("pooling", "class token", budget="large").mean:.0%}}. This one has {{recorded("pooling", "class token", budget="large")[0].run.model.depth:d}} blocks and {{recorded("pooling", "class token", budget="large")[0].parameters / 1e6:.1f}} million parameters in place of {{recorded("pooling", "class token")[0].parameters / 1e6:.1f}} million.

# %% tags=["hide-input"]
again = {  # effect: (experiment, setting, how it was trained)
    "mean": ("pooling", "mean of patches", [*budgets]),
    "attention\npooling": ("pooling", "attention pooling", [*budgets]),
    "late": ("class_token_place", "only in the last block", ["full", "long"]),
    "N(0, 10)": ("class_token_init", "N(0, 10)", [*budgets]),
}
labels = {"full": "small, 3 epochs", "long": "longer, 14 epochs", "large": "larger, 3 epochs"}
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
        shown = f"{number:+.2f} ± {width:.2f}".replace("-", "−")
        at_the_end = {"xycoords": axis.get_yaxis_transform(), "va": "center", "fontsize": 9}
        axis.annotate(shown, (1.02, y), color=style["color"], **at_the_end)
        said.append(f"{name}, {label}: {shown}")
axis.set_yticks(range(len(again)), again)
axis.invert_yaxis()
axis.set_xlabel(AXIS)
axis.spines[["left", "top", "right"]].set_visible(False)
axis.figure.suptitle("CIFAR-10: the same effects in three trainings")
axis.figure.legend(loc="outside lower center", ncols=3, frameon=False, handletextpad=0.2)
plots.show(
    "for each effect, a dot with its 95 % interval for each training", "three trainings", said
)

# %% [markdown]
# - **After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} epochs**, each effect comes out smaller. The mean and attention pooling are still better, N(0, 10) is still worse, and *late* is *not settled*. The lead of the mean only just leaves out 0. (The base, the mean and N(0, 10) have {{len(runs("pooling", "class token", budget="long").accuracies):d}} runs here, attention pooling has {{len(runs("pooling", "attention pooling", budget="long").accuracies):d}}, and *late* has {{["no run", "one run", "two runs", "three runs"][len(runs("class_token_place", "only in the last block", budget="long").accuracies)]:s}}.){{assert
# len(runs("pooling", "class token", budget="long").accuracies) == len(runs("pooling", "mean of patches", budget="long").accuracies) == len(runs("class_token_init", "N(0, 10)", budget="long").accuracies)}}{{assert
# not differs(distance(gain(runs("pooling", "attention pooling")), gain(runs("pooling", "attention pooling", budget="long"))))}}{{assert
# all(abs(runs(*of, budget="long").difference) < abs(runs(*of).difference) for of in (("pooling", "mean of patches"), ("pooling", "attention pooling"), ("class_token_init", "N(0, 10)"), ("class_token_place", "only in the last block")))}}{{assert
# all(differs(runs("pooling", s, budget="long")) and runs("pooling", s, budget="long").difference > 0 for s in ("attention pooling", "mean of patches"))}}{{assert
# differs(runs("class_token_init", "N(0, 10)", budget="long")) and runs("class_token_init", "N(0, 10)", budget="long").difference <= -0.01 and loss(runs("class_token_init", "N(0, 10)", budget="long")).mean < 0.3 * loss(runs("class_token_init", "N(0, 10)")).mean}}{{assert
# differs(distance(gain(runs("class_token_init", "N(0, 10)")), gain(runs("class_token_init", "N(0, 10)", budget="long"))))}}{{assert
# not differs(runs("class_token_place", "only in the last block", budget="long")) and interval(loss(runs("class_token_place", "only in the last block", budget="long")))[1] > 0.01}}
# - **In the larger model**, two runs a side make long bars. N(0, 10) costs less than in the small one. The lead of the mean is *not settled*, and that of attention pooling only just leaves out 0.{{assert
# not differs(runs("pooling", "mean of patches", budget="large")) and 0 < interval(gain(runs("pooling", "attention pooling", budget="large")))[0] < 0.0001}}{{assert
# all(len(runs(*of, budget="large").accuracies) == 2 for of in (("pooling", "class token"), ("pooling", "mean of patches"), ("pooling", "attention pooling"), ("class_token_init", "N(0, 10)")))}}{{assert
# differs(distance(loss(runs("class_token_init", "N(0, 10)")), loss(runs("class_token_init", "N(0, 10)", budget="large"))))}}
# - **After {{recorded("pooling", "class token", budget="longest")[0].run.training.epochs:d}} epochs**, the class token of the small model reaches {{recorded("pooling", "class token", budget="longest")[0].accuracy:.1%}} and the mean {{recorded("pooling", "mean of patches", budget="longest")[0].accuracy:.1%}}. This is one run each, without an interval, but the lead of the mean is there as well. And a start from N(0, 10) has caught up, with {{recorded("class_token_init", "N(0, 10)", budget="longest")[0].accuracy:.1%}} (one run).{{assert
# recorded("class_token_init", "N(0, 10)", budget="longest")[0].accuracy > recorded("pooling", "class token", budget="longest")[0].accuracy}}{{assert
# len(recorded("pooling", "class token", budget="longest")) == len(recorded("pooling", "mean of patches", budget="longest")) == 1 and recorded("pooling", "mean of patches", budget="longest")[0].accuracy - recorded("pooling", "class token", budget="longest")[0].accuracy > 0.015}}
# - **With AdamW**, what card 6 says depends on the length of the training. At {{recorded("pooling", "class token", budget="adamw")[0].run.training.learning_rate:g}}, the best of three rates after three epochs with seed 0, the class token leads by {{distance(runs("pooling", "class token", 1, "adamw"), runs("pooling", "mean of patches", 1, "adamw")):±.1p}} points after three epochs, and the mean by {{distance(runs("pooling", "mean of patches", 1, "adamw_long"), runs("pooling", "class token", 1, "adamw_long")):±.1p}} after {{recorded("pooling", "class token", budget="adamw_long")[0].run.training.epochs:d}} (three runs a side). After three epochs the mean is no better at twice the rate or at half of it, and attention pooling is {{recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("pooling", "attention pooling", budget="adamw")[0].accuracy:.1p}} points behind (one run a side). So the lead of the mean belongs to models that are further along.
# - **With AdamW**, card 11 becomes stronger: N(0, 10) costs {{recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("class_token_init", "N(0, 10)", budget="adamw")[0].accuracy:.1p}} points (one run a side).{{assert
# max(recorded("pooling", "class token", rate, budget="adamw")[0].validation_accuracy for rate in (0.5, 1, 2)) == recorded("pooling", "class token", budget="adamw")[0].validation_accuracy and max(mean([r.accuracy for r in recorded("pooling", "mean of patches", rate, budget="adamw")]) for rate in (0.5, 2)) < runs("pooling", "mean of patches", 1, "adamw").mean and len(recorded("pooling", "mean of patches", 0.5, budget="adamw")) == len(recorded("class_token_init", "N(0, 10)", budget="adamw")) == 1}}{{assert
# recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("class_token_init", "N(0, 10)", budget="adamw")[0].accuracy > 0.15 and recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("pooling", "attention pooling", budget="adamw")[0].accuracy > 0.02}}
#
# **And if small differences were counted otherwise?** No verdict changes if the grey zone ends at 0.5 or at 2 points in place of 1.{{assert
# runs("class_token_init", "zeros").difference_width > 0.005}}{{assert
# all(abs(of.difference) + of.difference_width < 0.02 for of in (runs("class_token_init", "N(0, 1)"), runs("class_token_place", "only in the last block")))}}{{assert
# all(abs(cut("mean_ablations", b).mean) + cut("mean_ablations", b).width < 0.005 for b in (1, 2)) and all(abs(of.mean) - of.width > 0.02 for of in (loss(runs("class_token_init", "N(0, 10)")), cut("mean_ablations", 6), distance(runs("single_patches", "mean of patches"), runs("single_patches", "mean of patches, no attention"))))}}{{assert
# interval(gain(runs("pooling", "attention pooling")))[1] > 0.02 and interval(gain(runs("pooling", "mean of patches")))[1] > 0.02}}
#
# So 5 does not hold, and the other five hold in part. And **the size of a difference, and even its sign, belongs to its training**: to its length, to what is held equal, to the model, and to the optimizer.
#
# ## The class token on one page
#
# Differences are in points. They count from the small model after three epochs, unless the row says otherwise.
#
# | question | answer | size | more |
# |---|---|---|---|
# | What is it? | One learned vector of D numbers, the same for all images. It stands before the N patches as token 0, and the head reads it after the last norm. | D = {{recorded("pooling", "class token", budget="large")[0].run.model.embed_dim:d}} of {{recorded("pooling", "class token", budget="large")[0].parameters / 1e6:.1f}} million numbers in the shipped model | [02](02_class_token.ipynb), [04](04_vision_transformer.ipynb) |
# | Where does it start? | At zero, ones or N(0, 0.02), which are *alike*. A start that is far too large is worse. | N(0, 10): {{gain(runs("class_token_init", "N(0, 10)")):+±.1p}} | [07](07_pitfalls_initialization.ipynb) |
# | Must this vector be trained? | No. Kept at zero, without a position, it is not settled against the same model with a trained one after three epochs, and *alike* after {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} epochs, because biases can give it a query. | {{gain(runs("class_token_untrained", "no position, frozen at zero")):+±.1p}}; after {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} epochs {{gain(runs("class_token_untrained", "no position, frozen at zero", budget="long")):+±.1p}} | [09](09_pitfalls_class_token.ipynb) |
# | Is its place special? | No. The blocks do not know which token is first. Behind the patches, and read there, it is *alike*. | {{gain(runs("class_token_place", "class token last")):+±.1p}} | [09](09_pitfalls_class_token.ipynb) |
# | What tells it about the image? | Attention, and nothing else. If it attends to itself alone, it is the same for all images. | chance level, {{runs("class_token_cut", "sees itself alone").mean:.0%}} | [03](03_attention.ipynb), [09](09_pitfalls_class_token.ipynb) |
# | In how many blocks must it attend to the patches? | The last of four was enough for a small model that was trained so. | *late*: {{gain(runs("class_token_place", "only in the last block")):+±.1p}}; after {{recorded("class_token_place", "only in the last block", budget="long")[0].run.training.epochs:d}} epochs {{gain(runs("class_token_place", "only in the last block", budget="long")):+±.1p}} | card 12 |
# | When can you do without it? | When the head may read something else. In most of our trainings, the mean of the patches and attention pooling were better. After three epochs with AdamW, they were worse. | the mean: {{gain(runs("pooling", "mean of patches")):+±.1p}}; after {{recorded("pooling", "class token", budget="long")[0].run.training.epochs:d}} epochs {{gain(runs("pooling", "mean of patches", budget="long")):+±.1p}}; with AdamW {{distance(runs("pooling", "mean of patches", 1, "adamw"), runs("pooling", "class token", 1, "adamw")):+±.1p}}, after {{recorded("pooling", "class token", budget="adamw_long")[0].run.training.epochs:d}} epochs {{distance(runs("pooling", "mean of patches", 1, "adamw_long"), runs("pooling", "class token", 1, "adamw_long")):+±.1p}} | [09](09_pitfalls_class_token.ipynb) |
# | Can you do without attention between the patches? | At a price. A head that reads the mean of single patches is worse. | against the mean of patches that attend to each other: {{distance(runs("single_patches", "mean of patches, no attention"), runs("single_patches", "mean of patches")):+±.1p}} | card 5 |
# | How does it fail? | Silently. A head that reads token 1 in its place trains well and ends lower. `tokens_read` finds it. | {{gain(runs("class_token_place", "reads the first patch")):+±.1p}} | [09](09_pitfalls_class_token.ipynb), [13](13_silent_bugs.ipynb) |
# | Does its attention explain the answer? | Only in part. Noise on the 8 patches with most attention in the last block costs the shipped model more than on 8 random ones, but on the 8 highest of a gradient map it costs more still. | {{deleted("attention of the last block", "loss beyond random", 8):±.1p}} and {{deleted("gradients", "loss beyond random", 8):±.1p}} points beyond random | [00](00_start_here.ipynb), [06](06_inside_the_class_token.ipynb) |{{assert
# 0 < interval(deleted("attention of the last block", "loss beyond random", 8))[0] and below(deleted("attention of the last block", "loss beyond random", 8), deleted("gradients", "loss beyond random", 8))}}{{assert
# abs(runs("class_token_untrained", "no position, frozen at zero", budget="long").difference) + runs("class_token_untrained", "no position, frozen at zero", budget="long").difference_width < 0.01}}{{assert
# abs(runs("class_token_place", "class token last").difference) + runs("class_token_place", "class token last").difference_width < 0.01}}{{assert
# differs(runs("class_token_place", "reads the first patch")) and runs("class_token_place", "reads the first patch").difference < -0.01}}{{assert
# (runs("pooling", "mean of patches", budget="long").difference < runs("pooling", "mean of patches").difference) and (runs("pooling", "attention pooling", budget="long").difference < runs("pooling", "attention pooling").difference)}}
#
# What does it gather block by block? In the shipped model, a linear probe can read the class off more and more images, and late blocks are needed most:
#
# | | start | block 1 | 2 | 3 | 4 | 5 | 6 |
# |---|---|---|---|---|---|---|---|
# | the probe reads the class after this block, in % of the images | {{probe("class_token", 0).mean:.0p}} | {{probe("class_token", 1).mean:.0p}} | {{probe("class_token", 2).mean:.0p}} | {{probe("class_token", 3).mean:.0p}} | {{probe("class_token", 4).mean:.0p}} | {{probe("class_token", 5).mean:.0p}} | {{probe("class_token", 6).mean:.0p}} |
# | A − B in points if it is cut off in this block only, over 5,000 images | | {{Record(mean=-cut("mean_ablations", 1).mean, width=cut("mean_ablations", 1).width):+±.1p}} | {{Record(mean=-cut("mean_ablations", 2).mean, width=cut("mean_ablations", 2).width):+±.1p}} | {{Record(mean=-cut("mean_ablations", 3).mean, width=cut("mean_ablations", 3).width):+±.1p}} | {{Record(mean=-cut("mean_ablations", 4).mean, width=cut("mean_ablations", 4).width):+±.1p}} | {{Record(mean=-cut("mean_ablations", 5).mean, width=cut("mean_ablations", 5).width):+±.1p}} | {{Record(mean=-cut("mean_ablations", 6).mean, width=cut("mean_ablations", 6).width):+±.1p}} |
#
# ## What to do in your own model
#
# Each card has its own advice. This holds for all of them:
#
# | | because of claim |
# |---|---|
# | Before you compare two models, say what both get: epochs, time, FLOPs, and a learning rate of their own. | 6, 16 |
# | Train with several seeds, and look at the interval of the difference. | 5, 6, 11, 12, 16 |
# | Measure an effect once more in your own training, before you build on it. | 6, 11, 12 |
#
# ## Questions
#
# <details><summary>Someone tries a class token and the mean of the patches, at one learning rate, with one seed, and finds the mean 1.5 points better. What would you ask?</summary>
#
# How was the learning rate found, and for which of the two? By how much do runs of the *same* setting differ? Was anything chosen on the images that judged it?
# </details>
#
# **Try it yourself:** [exercises 10](exercises/10_claims_put_to_the_test.ipynb), with checks.
#
# You have built a model, trained it, and doubted it. **Here the main path ends.**
#
# **Next:** notebooks 11 to 17 can be read in any order, as you need them: [11](11_faster_and_safer_training.ipynb) makes the training faster and safe against interruptions, and [12](12_fine_tuning.ipynb) begins with pretrained weights. The [capstone](exercises/18_capstone.ipynb) has exercises only.
#
# ## Appendix
#
# ### Card 5, run on your machine
#
# Both models without a class token train briefly on drawn shapes, three runs each. `contrast` makes the interval from the spread of these six runs. (Your numbers may differ.)

# %%
shapes10 = load_dataset("shapes10")
settings = ["mean of patches, no attention", "mean of patches"]
found = run_experiment("single_patches", dataset=shapes10, settings=settings, verbose=False)
apart, together = (found[setting].accuracies for setting in settings)
print(f"single patches:   {100 * statistics.mean(apart):.1f} %")
print(f"patches together: {100 * statistics.mean(together):.1f} %")
difference, width = contrast([together], [apart])
print(f"together − single: {100 * difference:+.1f} ± {100 * width:.1f} points")

# %% [markdown]
# ### Which bars leave out 0 by luck?
#
# The stricter test asks each difference to be larger than a **threshold**, and not only larger than half of its bar. In at least 95 of 100 records without any true difference, none of the {{comparisons():d}} would be larger than its threshold (Bonferroni's correction). Here are two models that are better than the base:

# %% tags=["nbval-check-output"]
pooling = summarize("pooling", "full", cifar10, spread)
places = summarize("class_token_place", "full", cifar10, spread)
farther = students_t(spread.degrees, 1 - 0.05 / 58) / students_t(spread.degrees)

for found, name in ((pooling, "mean of patches"), (places, "only in the last block")):
    difference, half = less(found[name].accuracies, base)
    print(f"{name}: {difference:+.2f} ± {half:.2f}, threshold {half * farther:.2f}")

# %% [markdown]
# *Late*, the second, is too close to its threshold to rely on. No verdict rests on its lead: card 12 needs only that *late* is not worse.
#
# ### What the pooled spread takes for granted
#
# Runs are taken to be independent, and all settings to vary alike, against which Bartlett's test finds nothing.{{assert equal_variances() > 0.2}} A setting that classifies less than half as many images correctly as the best one, as *alone* does, takes no part in the pooling, and its interval rests on its own runs. The choice of test images and a lucky base are not covered.
#
# After 14 epochs and in the larger model, the deviations are others: {{spread("long").deviation:.2p}} and {{spread("large").deviation:.2p}} points, in place of {{spread().deviation:.2p}}. They are pooled over fewer runs, so they are less sure.
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
#
# The page on the class token also uses the [deletions](../data/results/deletions.json) of notebook 06.

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
# Solution: **c**. The interval runs from −0.9 to +2.7. It includes 0, and it also includes 2; it does not include 5. In the words of the notebook: *not settled*.

# %% tags=["exercise-only", "exercise:what_to_say"]
# solution
# | what_to_say = ...  # "a", "b", "c" or "d"
what_to_say = "c"
# end of solution
