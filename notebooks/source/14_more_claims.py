# %% [markdown]
# # 14 · More claims, to look up
#
# **After this notebook you can** say of twelve more common sentences about the class token and Vision Transformers whether they were true here, and how far the test reaches.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04; what a card needs besides, it says |
# | Time to read | about 20 minutes, or two for the one card that you came for |
# | Time to run | at the quick budget {{notebook_seconds("14_more_claims"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `forest.py`, and `data/results/` |
#
# [Notebook 10](10_claims_put_to_the_test.ipynb) has the six other sentences of the list.

# %%
import contextlib
import io
from dataclasses import replace

import matplotlib.pyplot as plt
import torch

from vit_minimal import (
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    corners2,
    evaluate,
    fit,
    plots,
    seed_everything,
)
from vit_minimal.experiments import (
    key,
    mean_and_width,
    plan,
    pooled_spread,
    summarize,
)
from vit_minimal.forest import show_claims, show_forest
from vit_minimal.records import read_records
from vit_minimal.variants import ConvNet

# %% [markdown]
# ## How to read a card
#
# Each card says where its sentence is **said**, what **harm** the belief does, and how we read its words. Most cards end with a command for a terminal (in a cell, put `!` in front).
#
# We read a sentence in its ordinary sense, and judge its words alone:
#
# - **holds**: it is true in every usual case that we tested;
# - **does not hold**: it is false;
# - **holds in part**: one part or one usual case is true, and another is false or not shown;
# - **not settled**: the interval leaves room for yes and no, or the comparison was not fair.
#
# For example, *ViTs are only good when pretrained* (17) says that no other ViT is good. One good ViT that nobody pretrained contradicts it, so it does not hold, even if pretraining often helps.
#
# A ± is half of a 95 % interval, and *no effect seen* means that the interval includes 0. As in [notebook 10](10_claims_put_to_the_test.ipynb), a difference counts from one point on.
#
# <details><summary>Where do the intervals come from?</summary>
#
# They come from the spread between runs of one setting, averaged over all settings on record. Where a card says *seed by seed*, three differences give them, and where it says *over images*, the test images of one model.
#
# </details>
#
# A card that names no model means a small ViT: patches of 4 × 4 pixels (P = 4), four blocks, three passes over CIFAR-10 with Muon. The *shipped model* comes with this course, has six blocks and made {{record("cifar10_cpu_long").training.epochs:d}} passes.
#
# What is your guess? "It" is the class token.
#
# | | the sentence | your verdict |
# |---|---|---|
# | 1 | It summarises the whole image. | |
# | 3 | After the last layer it holds what is needed to classify. | |
# | 4 | The class token's attention shows where the model looks. | |
# | 7 | Registers help. | |
# | 8 | It works under GPT's mask as well. | |
# | 9 | CNNs struggle with long-range dependencies, ViTs do not. | |
# | 10 | ViTs need more data than CNNs. | |
# | 13 | Position embeddings matter. | |
# | 14 | Training needs a warm-up. | |
# | 15 | Small patches are noisy. | |
# | 17 | ViTs are only good when pretrained. | |
# | 18 | Fine-tune with a small learning rate. | |


# %% tags=["hide-input"]
def records(name):
    return read_records(f"../data/results/{name}.json")


cifar10 = records("experiments_cifar10_full")
known = {key(record["run"]): record["accuracy"] for record in cifar10}
spread = pooled_spread(cifar10)


def measured(experiment, names=None):
    """{setting: Summary} of an experiment on CIFAR-10; `names` renames and selects."""
    found = summarize(experiment, "full", cifar10, spread)
    return {new: found[name] for name, new in names.items()} if names else found


def differences(one, other):
    """one − other of two lists with a share for each seed."""
    return [a - b for a, b in zip(one, other, strict=True)]


def seed_by_seed(one, other):
    """The mean of their differences, and half its interval: points."""
    return tuple(100 * number for number in mean_and_width(differences(one, other)))


def between(one, other):
    """one − other in points, and half the interval: of two Summaries, or of two (mean, width)."""
    pairs = [of if isinstance(of, tuple) else (of.mean, of.width) for of in (one, other)]
    (first, first_width), (second, second_width) = pairs
    return 100 * (first - second), 100 * (first_width**2 + second_width**2) ** 0.5


def under_noise(part, P, deviation):
    rows = [row for row in patches[part] if row["patch_size"] == P]
    return [row["accuracies"][str(deviation)] for row in rows]


def tuned(part, method, what="accuracy", **fields):
    """The runs on record of a way of training with few labels of Shapes-10: `what` each reached."""
    wanted = {"part": part, "method": method} | fields
    return [run[what] for run in few_labels if wanted.items() <= run.items()]


def warm_up_gain(norm, optimizer, rate=1, depth=4):
    """With a warm-up − without in points, half the interval, and the two numbers of seeds."""
    experiment = "warmup_and_norm" if depth == 4 else "warmup_and_norm_deep"
    pair, seeds = [], []
    for how in ("warm-up", "none"):
        runs = [
            plan(experiment, "full", seed)[f"{norm}, {how}, {optimizer}", rate]
            for seed in range(13)
        ]
        right = [known[key(run)] for run in runs if key(run) in known]
        pair.append(mean_and_width(right, spread))  # infinite where the spread does not apply
        seeds.append(len(right))
    gain, width = between(*pair)
    return gain, width if min(seeds) > 2 else None, seeds


def show_curves(x, lines, x_label, y_label, title, **options):
    """Curves in a picture that can be read on a telephone: the legend is inside."""
    _, axis = plt.subplots(figsize=(5.2, 3.5), layout="constrained")
    plots.show_lines(x, lines, x_label, y_label, title, axis=axis, **options)
    plots.show(f"{y_label} over {x_label}, for {', '.join(lines)}", title)


(contents,) = records("class_token_contents")
(journey,) = records("class_token_journey")
(deletions,) = records("deletions")
images_on = {(row["model"], row["trained_on"]): row for row in records("training_images")}
corners_on = {(row["model"], row["trained_on"]): row for row in records("far_corners")}
patches = {part["part"]: part["rows"] for part in records("patch_size")}
few_labels = records("fine_tuning")
pooling, masks = measured("pooling"), measured("causal_mask")
positions = measured("position_init")
marked = deletions["attention of the last block"]["loss beyond another image's"]
sixteen = deletions["counts"].index(16)
needle = [run["trained"] for run in records("needle10")[0]["runs"]]
lost_without = [  # in block 1 and in the last: by seed, if the class token may not attend to patches
    [run["accuracy"] - run["accuracy_without"][block] for run in needle] for block in (0, 1)
]
new_4, new_8 = (under_noise("noise", P, 32) for P in (4, 8))
learned_4, learned_8 = (under_noise("noise_learned", P, 32) for P in (4, 8))
placeless = contents["colours"]["trained"]["patch_mean"][0]
small_new, large_new = (tuned("kept", "fine-tuned", rate=rate) for rate in (3e-4, 1e-3))
small_old, large_old = (tuned("kept", "fine-tuned", "cifar10", rate=rate) for rate in (3e-4, 1e-3))


def over_a_guess(model, *predicted):
    """A comparison: test images of Corners-2 that a model has right, on average; two answers, so 50."""
    right = corners_on[model, 4_000]["accuracies"]
    return f"{model} − a guess", 100 * mean_and_width(right)[0] - 50, None, *predicted


def masked(place):
    """A comparison: test images of CIFAR-10 that are right under GPT's mask; ten classes, so 10."""
    return 100 * masks[f"causal, class token {place}"].mean - 10, None


CLAIMS = {  # number: (sentence, verdict, comparisons: what was compared, points, half the interval)
    1: ("It summarises the whole image", "holds in part", []),
    3: ("After the last layer it holds what is needed to classify", "holds", []),
    4: ("The class token's attention shows where the model looks", "holds in part", [
        ("harm of noise: its patches − another's",
         *(100 * marked[of][sixteen] for of in ("mean", "width"))),
        ("Needle-10: with last block's look − without",
         *seed_by_seed(lost_without[1], [0, 0, 0]))]),
    7: ("Registers help", "does not hold", [
        ("four registers − none",
         *between(pooling["class token, 4 registers"], pooling["class token"]))]),
    8: ("It works under GPT's mask as well", "holds in part", [
        ("class token last − a guess", *masked("last")),
        ("class token first − a guess", *masked("first"))]),
    9: ("CNNs struggle with long-range dependencies, ViTs do not", "holds in part", [
        over_a_guess("CNN that sees 15 pixels, AdamW", "0"),
        over_a_guess("CNN that sees 47 pixels, AdamW", "0"),
        over_a_guess("ViT, Muon"),
        over_a_guess("ViT, AdamW")]),
    10: ("ViTs need more data than CNNs", "not settled", []),
    13: ("Position embeddings matter", "holds", [
        ("learned, from N(0, 0.02) − none",
         *between(positions["N(0, 0.02)"], positions["zeros, frozen"]))]),
    14: ("Training needs a warm-up", "holds in part", [
        ("12 blocks, post-norm, AdamW: with − without",
         *warm_up_gain("post-norm", "AdamW", depth=12)[:2]),
        ("4 blocks, pre-norm, Muon: with − without", *warm_up_gain("pre-norm", "Muon")[:2])]),
    15: ("Small patches are noisy", "holds in part", [
        ("noise of 32 is new: large − small", *seed_by_seed(new_8, new_4)),
        ("trained with it: large − small", *seed_by_seed(learned_8, learned_4))]),
    17: ("ViTs are only good when pretrained", "does not hold", []),
    18: ("Fine-tune with a small learning rate", "holds in part", [
        ("new task, 60 steps: small rate − larger", *seed_by_seed(small_new, large_new)),
        ("old task, 60 steps: small rate − larger", *seed_by_seed(small_old, large_old))]),
}  # fmt: skip

# %% [markdown]
# ## The twelve at a glance
#
# Take sentence 13. Its row compares learned positions with none: they add {{distance(runs("position_init", "N(0, 0.02)"), runs("position_init", "zeros, frozen")).mean:.1p}} points. If the sentence is true, learned positions are ahead, so the mark should lie in the pale part. It does.
#
# All rows are differences in points, and an arrow leads beyond the scale. *Neither* means that neither side is ahead by a point or more. A row without a ± has one seed, or three that agree. The verdicts on sentences 1, 3, 10 and 17 rest on something else, so they have no row. Begin with the cards where you guessed otherwise.

# %% tags=["hide-input"]
VERDICTS = "holds", "does not hold", "holds in part", "not settled"
show_claims(
    {f"{n} · {claim}": found for n, (claim, *found) in CLAIMS.items()}, VERDICTS, (-22, 22), 1
)

# %% [markdown]
# ## The cards
#
# ### 1. "It summarises the whole image"
#
# **Said** since [BERT](https://arxiv.org/abs/1810.04805), whose final class token stands for a whole text. **The harm:** somebody searches photographs by this vector alone, and may miss colours that the patches hold.
#
# **Tested:** we read *summarises* as: the class can be read from it, and *whole* as: so can what each region shows. A linear regression reads the mean colours of sixteen regions from the shipped model's class token. Its rival reads them from the mean of the patches before block 1. A mean has lost the places, so it knows only what the whole image looks like on average. That alone is a good guess for each region.
#
# **Result:** after the last block the class token explains {{colours("trained", "class_token", -1):.0%}} of the variance of the colours, and the rival {{colours("trained", "patch_mean", 0):.0%}}.{{assert
# colours("trained", "class_token", -1) < colours("trained", "patch_mean", 0) < colours("trained", "class_token", 2)}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *it summarises* | **holds**, almost by definition: training asks for the class (card 3) |
# | *the whole image* | **not shown**: it ends with less of the colours than its rival; whether regions are missing, we cannot say |

# %% tags=["hide-input"]
colours = {
    "class token": contents["colours"]["trained"]["class_token"],
    "class token, untrained model": contents["colours"]["untrained"]["class_token"],
}
show_curves(
    range(7), {name: [100 * share for share in of] for name, of in colours.items()},
    "blocks passed", "variance explained in %", "Colours of sixteen regions",
    dashed=("mean of patches, no places", 100 * placeless),
)  # fmt: skip

# %% [markdown]
# The colours rise to {{colours("trained", "class_token", 2):.0%}} after block 2 and then fall. Training does this: an untrained model keeps {{colours("untrained", "class_token", -1):.0%}}. *Our guess, not tested:* training asks for the class only, so later blocks write over the rest.{{assert
# all(colours("trained", "class_token", b) > colours("trained", "class_token", b + 1) for b in range(2, 6))}}{{assert
# colours("trained", "class_token", -1) < colours("untrained", "class_token", -1) < colours("trained", "class_token", 2)}}
#
# *Limits:* one model, a linear reader, no interval.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/class_token_contents.py --seeds 1`
#
# ### 3. "After the last layer it holds what is needed to classify"
#
# **Said** in the [ViT paper](https://arxiv.org/abs/2010.11929), whose head reads nothing else. **The harm:** somebody hears an *only* in it, and throws away patches that a later task needs.
#
# **Tested:** we read *what is needed* as: a *reader*, which is a linear classifier, does about as well as the whole model. It reads the shipped model's class token, the mean of its patches, or a single patch.
#
# **Result:** after the last block the reader of the class token is right for {{probe("class_token", -1).mean:.1%}} of the images, and the model's own head for {{record("class_token_journey").accuracy.mean:.1%}}. The reader of the mean is {{distance(probe("class_token", -1), probe("patch_mean", -1)):±.1p}} points behind (over images), and that of the best single patch {{probe("class_token", -1).mean - max(record("class_token_journey").probes.patches.mean[-1]):.0p}}.{{assert
# below(probe("patch_mean", -1), probe("class_token", -1))}}
#
# **Holds**, because a reader of the class token alone comes within {{rounded_up(record("class_token_journey").accuracy.mean - probe("class_token", -1).mean):.1p}} points of the model. The words could have failed: a class token that attends to no patch holds nothing (card 8). They do not say *only there*, which was not tested.

# %% tags=["hide-input"]
every = journey["probes"]["patches"]
best = [
    max(zip(means, widths, strict=True))
    for means, widths in zip(every["mean"], every["width"], strict=True)
]
read = {
    "class token": journey["probes"]["class_token"],
    "mean of patches": journey["probes"]["patch_mean"],
    "best single patch": {
        "mean": [mean for mean, _ in best],
        "width": [width for _, width in best],
    },
}
show_curves(
    range(7), {name: [100 * right for right in of["mean"]] for name, of in read.items()},
    "blocks passed", "classes right in %", "Linear readers of the shipped model",
    widths={name: [100 * width for width in of["width"]] for name, of in read.items()},
    dashed=("the model's own head", 100 * journey["accuracy"]["mean"]),
)  # fmt: skip

# %% [markdown]
# *Limits:* one model, judged on {{record("class_token_journey").probes_judged_on:,}} test images. Nothing trains the patches to hold the class at the end, so part of the lead is built in.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/class_token_journey.py`
#
# ### 4. "The class token's attention shows where the model looks"
#
# **Said** in tutorials. [One](https://karanalytics.github.io/AIHandsOnBook/chapters/llm-foundations/attention-image-analysis) verifies with it that a model is right for the right reasons. **The harm:** somebody approves a model because its heat map looks right.
#
# **Tested:** we read *shows where* as: the answer depends on the patches that the last block's attention marks. So we turn 16 of the shipped model's 64 patches into noise. We read *the model looks* as: the answer also depends on the attention in that block. In Needle-10 ([notebook 06](06_inside_the_class_token.ipynb)) one patch holds the answer, and both blocks of a small model attend to it. In one block at a time, we forbid its class token to attend to any patch.
#
# **Result:** noise on the marked patches does {{deleted("attention of the last block", "loss beyond another image's", 16):±.1p}} points more harm than on those that *another* image marks (over images). In Needle-10, accuracy falls by at least {{min(run.trained.accuracy - run.trained.accuracy_without[0] for run in record("needle10").runs):.0p}} points if this is forbidden in block 1. If it is forbidden in the last block, accuracy falls by at most {{rounded_up(max(run.trained.accuracy - run.trained.accuracy_without[1] for run in record("needle10").runs)):.1p}}.{{assert
# interval(deleted("attention of the last block", "loss beyond another image's", 16))[0] > 0}}{{assert
# not differs(seed_by_seed([run.trained.accuracy for run in record("needle10").runs], [run.trained.accuracy_without[1] for run in record("needle10").runs]))}}{{assert
# all(share > 10 * record("needle10").chance for run in record("needle10").runs for share in run.trained.share)}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *shows where* | **holds**: the answer depends on the patches that it marks |
# | *the model looks* | **does not hold** in Needle-10: attending there, too, gives {{seed_by_seed([run.trained.accuracy for run in record("needle10").runs], [run.trained.accuracy_without[1] for run in record("needle10").runs]):±.1p}} points (seed by seed), less than one, as block 1 has done the work |

# %% tags=["hide-input"]
attention = deletions["attention of the last block"]
curves = {
    "at random": deletions["random"]["highest"],
    "another image's": attention["another image's"],
    "marked": attention["highest"],
}
_, (noise, bars) = plt.subplots(1, 2, figsize=(6.8, 3.3), layout="constrained")
plots.show_lines(
    deletions["counts"],
    {name: [100 * right for right in of["mean"]] for name, of in curves.items()},
    "patches of 64 turned into noise", "right in %", "shipped model", axis=noise,
    widths={name: [100 * width for width in of["width"]] for name, of in curves.items()},
)  # fmt: skip
for block, lost in enumerate(lost_without):
    places = [block + 0.25 * (seed - 1) for seed in range(3)]
    bars.bar(places, [100 * share for share in lost], 0.2, color=plots.curve_style(block)["color"])
bars.set(
    xlabel="a bar for each seed",
    ylabel="points lost",
    title="Needle-10: forbidden in …",
    ylim=(0, 100),
)
bars.set_xticks((0, 1), ("block 1", "last block"))
plots.show("accuracy falls fastest with noise on the marked patches; in Needle-10 three bars of 34 to 91 "
           "points for block 1, and of at most 0.5 for the last block", "what is lost")  # fmt: skip

# %% [markdown]
# *Another image's* patches are a control, since marked patches often lie together in the middle.
#
# *Limits:* few models, two tasks. Noise may do harm of its own, beyond what it hides.
#
# *Try it yourself:* `python benchmarks/needle.py --seeds 1`
#
# ### 7. "Registers help"
#
# **Said** by a title: *Vision Transformers Need Registers* ([Darcet et al. 2023](https://arxiv.org/abs/2309.16588)). There they cure large models, whose attention maps a few very long patch tokens spoil. **The harm:** somebody trains a healthy model again with registers, for a gain that may not exist.
#
# **Tested:** we read *help* as: raise the accuracy. A class token with four *registers*, learned tokens that the head never reads, meets one without. Both have their best rate.
#
# **Result:** with registers the model is {{gain(runs("pooling", "class token, 4 registers")):+±.1p}} points ahead: no effect seen.{{assert
# not differs(runs("pooling", "class token, 4 registers"))}}
#
# **Does not hold**, because for this model a gain of one point lies outside the interval. A large model with the illness may gain; the shipped one shows no sign of it ([notebook 06](06_inside_the_class_token.ipynb)).{{assert
# interval(gain(runs("pooling", "class token, 4 registers")))[1] < 0.01}}

# %% tags=["hide-input"]
plots.show_summaries(
    {"no register": pooling["class token"], "four registers": pooling["class token, 4 registers"]},
    "CIFAR-10: registers",
)

# %% [markdown]
# *Limits:* one model, and accuracy alone.
#
# *Try it yourself:* `python -m vit_minimal.experiments pooling --seeds 1 --settings "class token" "class token, 4 registers"`
#
# ### 8. "It works under GPT's mask as well"
#
# **Said** in effect by [iLLaMA](https://arxiv.org/abs/2404.06773), a ViT with GPT's mask that puts the class token last. **The harm:** somebody gives the mask to a ViT whose class token comes first. It guesses, and no error says why.
#
# **Tested:** we read the sentence as: there, too, it learns. Under GPT's mask, a token attends only to itself and to those before it.
#
# **Result:** with the class token last, {{runs("causal_mask", "causal, class token last").mean:.1%}} are right, {{gain(runs("causal_mask", "causal, class token last")):±.1p}} points more than without a mask: no effect seen. With the class token first, {{runs("causal_mask", "causal, class token first").mean:.1%}} are, which is a guess.{{assert
# not differs(runs("causal_mask", "causal, class token last"))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *it works*, in the last place | **holds**: it learns |
# | *it works*, in the first place, where BERT and ViTs have it | **does not hold**, by construction: it attends only to itself, so it is the same for every image |
#
# {{assert
# all(right == 0.1 for right in runs("causal_mask", "causal, class token first").accuracies)}}

# %% tags=["hide-input"]
see = torch.ones(5, 5)
first, last = ["class", *"1234"], [*"1234", "class"]
kinds = {
    "no mask": (see, first, "all tokens see all"),
    "mask, class first": (see.tril(), first, "causal, class token first"),
    "mask, class last": (see.tril(), last, "causal, class token last"),
}
figure, panels = plt.subplots(1, 3, figsize=(6.6, 2.9), layout="constrained")
for panel, (title, (mask, labels, setting)) in zip(panels, kinds.items(), strict=True):
    of = masks[setting]
    interval = f" ± {100 * of.width:.1f}" if of.width else ""  # all seeds guess alike
    plots.show_matrix(
        mask, labels, labels, f"{title}\n{100 * of.mean:.1f}{interval} %",
        numbers=False, axis=panel, colours="Blues", limit=1.5,
    )  # fmt: skip
    panel.tick_params(axis="x", rotation=90)
figure.supxlabel("is seen (a sketch: 4 patches)", fontsize=10)
figure.supylabel("sees", fontsize=10)
reached = "; ".join(f"{title} {100 * masks[of[2]].mean:.1f} %" for title, of in kinds.items())
plots.show(f"three masks, blue where a token sees another: {reached}", "who sees whom")

# %% [markdown]
# *Limits:* one model; images, not text.
#
# *Try it yourself:* `python -m vit_minimal.experiments causal_mask --seeds 1`
#
# ### 9. "CNNs struggle with long-range dependencies, ViTs do not"
#
# **Said** in [tutorials](https://www.vizuaranewsletter.com/p/why-do-we-need-transformers-for-vision): a convolution sees a small neighbourhood, attention the whole image. **The harm:** somebody replaces a CNN that needed only a larger view.
#
# **Tested:** we read *struggle* as: it does no better than a guess. That judges each model by itself, so their optimizers may differ. In the task *Corners-2*, two tiles of 4 × 4 pixels in opposite corners are each warm or cool: do they agree? Each model learns for ten passes at its best learning rate.
#
# **Result:** three seeds each, which agree. A CNN *sees* 15 pixels if each number of its last layer depends on 15 × 15.
#
# | model, optimizer | test images right | all validation images right after |
# |---|---|---|
# | CNN that sees 15 pixels, AdamW | {{mean(corners("CNN that sees 15 pixels, AdamW").accuracies):.1%}} | never |
# | CNN that sees 47 pixels, AdamW | {{mean(corners("CNN that sees 47 pixels, AdamW").accuracies):.1%}} | {{passes_until(1, "CNN that sees 47 pixels, AdamW")[0]:d}} or {{passes_until(1, "CNN that sees 47 pixels, AdamW")[-1]:d}} passes |
# | ViT, Muon | {{mean(corners("ViT, Muon").accuracies):.1%}} | {{passes_until(1, "ViT, Muon")[0]:d}} to {{passes_until(1, "ViT, Muon")[-1]:d}} passes |
# | ViT, AdamW | {{mean(corners("ViT, AdamW").accuracies):.1%}} | never |
#
# {{assert
# all(overlap(corners("CNN that sees 15 pixels, AdamW", count).accuracies, [0.5, 0.5, 0.5]) for count in (4_000, 20_000))}}{{assert
# all(right == 1 for right in corners("CNN that sees 47 pixels, AdamW").accuracies)}}{{assert
# max(max(row.validation_by_rate.values()) for row in records("far_corners") if row.model == "ViT, AdamW") < 0.6 and all(max(corners("ViT, AdamW", count).accuracies) < 0.53 for count in (4_000, 20_000))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *CNNs struggle, ViTs do not*, said of 15 pixels and of Muon | **holds**: this CNN is no better than a guess, and the ViT is |
# | *CNNs* and *ViTs* in general | **does not hold**: the CNN with 47 pixels does not struggle, and the ViT with AdamW does |

# %% tags=["hide-input"]
images, labels = corners2(100, 0)
figure, panels = plt.subplot_mosaic(
    [["differ", "curves"], ["agree", "curves"]],
    figsize=(5.4, 3.6), width_ratios=[1, 3], layout="constrained",
)  # fmt: skip
for label, name in enumerate(("differ", "agree")):
    example = images[(labels == label).nonzero()[0, 0]]
    panels[name].imshow(plots.as_picture(example))
    panels[name].set_title(f"they {name}", fontsize=9)
    panels[name].axis("off")
axis = panels["curves"]
short = {"CNN that sees 47 pixels, AdamW": "CNN, 47 pixels", "ViT, Muon": "ViT, Muon",
         "CNN that sees 15 pixels, AdamW": "CNN, 15 pixels", "ViT, AdamW": "ViT, AdamW"}  # fmt: skip
for index, (model, label) in enumerate(short.items()):
    for seed, run in enumerate(corners_on[model, 4_000]["validation_by_pass"]):
        style = plots.curve_style(index) | {"markersize": 4, "alpha": 0.8}
        axis.plot(range(1, 11), [100 * right for right in run], **style,
                  label=label if seed == 0 else None)  # fmt: skip
axis.set(
    xlabel="passes over 4,000 images",
    ylabel="validation images right in %",
    title="a line for each seed",
)
axis.grid(alpha=0.3)
axis.legend(loc="center right", fontsize=9)
plots.show(
    "two example images, and accuracy by pass: CNN that sees 47 pixels at 100 % after one or two, "
    "ViT with Muon after six to nine, the other two stay near 50 %", "Corners-2",
)  # fmt: skip

# %% [markdown]
# On the 2,000 test images of the table, a guess is off by a point or so.
#
# <details><summary>Why can 15 pixels not do it?</summary>
#
# No number of that CNN's last layer depends on both corners, and then only sums are taken. So each corner adds a part of its own to the score, w or w′ if it is warm, c or c′ if it is cool:
#
# | upper left | lower right warm | lower right cool |
# |---|---|---|
# | warm | w + w′ (agree) | w + c′ (differ) |
# | cool | c + w′ (differ) | c + c′ (agree) |
#
# The two scores that agree have the same sum as the two that differ, so no threshold has one pair above it and the other below. Three of the four cells, 75 %, remain possible, and we do not know why the CNN stays below that.
#
# </details>
#
# *Limits:* one task, one distance, small models of unlike depth, ten passes, no CNN with Muon. With Muon the ViT guesses at one of three rates (one seed), and with AdamW at all five.{{assert corners("ViT, Muon").validation_by_rate["0.003"] < 0.6 and min(corners("ViT, Muon").validation_by_rate[rate] for rate in ("0.001", "0.01")) > 0.99 and len(corners("ViT, Muon").validation_by_rate) == 3 and len(corners("ViT, AdamW").validation_by_rate) == 5}}
#
# *Try it yourself:* `train_cnn((2, 2, 2, 1), corners)`, after the three cells below. This CNN sees 31 pixels. What do you expect?
#
# <details><summary>Answer</summary>
#
# It can learn the task, because 31 pixels reach from all of one corner's tile into the other's. With seed 0 nearly all new images were right after four passes. With `seed=2` the CNN was still near a guess.
#
# </details>


# %%
def train(model, of, seed):
    """The accuracy of a model after 4 passes, on the images that it learned from and on new ones."""
    config = TrainingConfig(
        epochs=4, batch_size=50, learning_rate=1e-3, optimizer="adamw", label_smoothing=0.0,
        flip=False, crop_padding=0, seed=seed,
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        fit(model, of, config)
    learned = 100 * evaluate(model, of.train_images, of.train_labels)
    new = 100 * evaluate(model, of.test_images, of.test_labels)
    return f"learned images {learned:3.0f} %, new ones {new:3.0f} %"


def train_cnn(strides, of, seed=0):
    seed_everything(seed)
    return train(ConvNet(ViTConfig(num_classes=2), strides=strides), of, seed)


# %% tags=["nbval-check-output"]
train_set, test_set = corners2(4_000, seed=0), corners2(1_000, seed=1)
corners = Dataset(*train_set, *test_set, ("differ", "agree"), "corners2")
nonsense = replace(corners, train_labels=corners.train_labels[torch.randperm(4_000)])
print(f"in {corners.train_labels.sum():,} of 4,000 images the corners agree")

# %%
print("CNN, 15 pixels:", train_cnn((2, 2, 1), corners))
print("CNN, 15 pixels, labels at random:", train_cnn((2, 2, 1), nonsense))
print("CNN, 47 pixels:", train_cnn((2, 2, 2, 1, 1), corners))
seed_everything(0)
small = ViTConfig(patch_size=4, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, num_classes=2)
print("ViT, AdamW:", train(VisionTransformer(small), corners, seed=0))

# %% [markdown]
# The CNN with 15 pixels learns images by heart: on random labels it gets at least as far. The ViT with AdamW does not even learn its training images. *Our guess, not tested:* few directions of its gradient lead to the corners, and only Muon makes all equally large.
#
# ### 10. "ViTs need more data than CNNs"
#
# **Said** since the [ViT paper](https://arxiv.org/abs/2010.11929), whose ViTs overtake CNNs with about a hundred million images. **The harm:** somebody with few images rules out a pretrained ViT too (card 17).
#
# **Tested:** we read *need more* as: fewer images cost a ViT more. That compares the two, so their optimizers should be alike, but ours are not: a ViT with Muon meets a CNN with AdamW. The CNN costs about as many FLOPs ({{
# records("training_images")[1].flops / records("training_images")[0].flops - 1:.0%}} more). Both get 1,000 to 45,000 images of CIFAR-10. They take about 700 steps, at the best of three learning rates.
#
# **Result:** with 1,000 images the CNN is {{mean(cnn_lead(1_000)):.1p}} points ahead. With 45,000 images its lead is {{seed_by_seed(cnn_lead(1_000), cnn_lead(45_000)):±.1p}} points smaller (seed by seed).{{assert
# all(interval(cnn_lead(count))[0] > 0 for count in (1_000, 7_000, 45_000)) and differs(seed_by_seed(cnn_lead(1_000), cnn_lead(45_000)))}}
#
# **Not settled**, because the optimizers differed. Besides, 700 steps are only two passes over 45,000 images. Training both to their plateau at each number of images, with one optimizer, would settle it.

# %% tags=["hide-input"]
sizes_tried, lines, widths = (1_000, 7_000, 45_000), {}, {}
for (model, _), row in images_on.items():
    mean, width = mean_and_width([100 * right for right in row["accuracies"]])
    lines.setdefault(model, []).append(mean)
    widths.setdefault(model, []).append(width)
show_curves(
    sizes_tried, lines, "training images", "accuracy in %", "CIFAR-10, 700 steps each", log="x",
    widths=widths,
)  # fmt: skip

# %% [markdown]
# *Limits:* the CNN has {{round(records("training_images")[1].parameters, -3):,}} parameters and the ViT {{round(records("training_images")[0].parameters, -3):,}}.{{assert records("training_images")[1].model == "CNN, AdamW" and records("training_images")[0].model == "ViT, Muon"}}
#
# *Try it yourself* (CIFAR-10): `python benchmarks/cnn_and_vit.py images --seeds 1 --counts 1000`
#
# ### 13. "Position embeddings matter"
#
# **Said** in the [ViT paper](https://arxiv.org/abs/2010.11929), where models without them are clearly behind. **The harm:** little, since it is true. Somebody who hears *any will do* in it may draw them too large.
#
# **Tested:** we read *matter* as: with them, the accuracy differs from that without. A model without them does not know where its patches are.
#
# **Result:** positions learned from N(0, 0.02) add {{distance(runs("position_init", "N(0, 0.02)"), runs("position_init", "zeros, frozen")):±.1p}} points on CIFAR-10. Learned from N(0, 1), as `torch.randn` draws them, they end {{distance(runs("position_init", "zeros, frozen"), runs("position_init", "N(0, 1)")):±.1p}} points below none.{{assert -runs("position_init", "zeros, frozen").difference > corrected()}}{{assert
# differs(distance(runs("position_init", "N(0, 1)"), runs("position_init", "zeros, frozen")))}}{{assert
# not differs(distance(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", "none")))}}
#
# **Holds**, because both are effects, one up and one down. So it also matters how they are made. Small ones that are never trained, which is unusual, show no clear effect.

# %% tags=["hide-input"]
ways = {
    "learned": "learned, from N(0, 0.02)", "none": "none", "N(0, 0.02), frozen": "N(0, 0.02), never trained",
    "N(0, 0.3), frozen": "N(0, 0.3), never trained", "sines and cosines": "sines and cosines",
}  # fmt: skip
large = measured("position_init", {"N(0, 1)": "learned, from N(0, 1)"})
plots.show_summaries(measured("position_untrained", ways) | large, "CIFAR-10: positions")

# %% [markdown]
# Why do large ones hurt? [Notebook 07](07_pitfalls_initialization.ipynb) finds that the patches' positions do it: they are three times as large as what the patches hold.
#
# *Limits:* one model, one data set. After 14 passes instead of three, learned positions still add {{loss(runs("position_untrained", "none", budget="long")):±.1p}} points (one seed).
#
# *Try it yourself:* `python -m vit_minimal.experiments position_init --seeds 1 --settings "N(0, 0.02)" "zeros, frozen"`
#
# ### 14. "Training needs a warm-up"
#
# **Said** of Transformers in general. [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) find it true of post-norm, and not of pre-norm. **The harm:** somebody spends runs on the length of a warm-up that changes nothing.
#
# **Tested:** we read *needs* as: without a warm-up, training ends more than ten points behind. With one, the learning rate climbs for the first tenth of the steps. The models have pre-norm or post-norm ([notebook 04](04_vision_transformer.ipynb)). With four blocks they had Muon or AdamW, with twelve only AdamW.
#
# **Result:** with twelve blocks and post-norm, one pass without a warm-up makes {{mean(reached("warmup_and_norm_deep", "post-norm, none, AdamW")):.1%}} right, and with it {{mean(reached("warmup_and_norm_deep", "post-norm, warm-up, AdamW")) - mean(reached("warmup_and_norm_deep", "post-norm, none, AdamW")):.1p}} points more (one seed). With Muon, four blocks and pre-norm a warm-up changes the accuracy by {{distance(runs("warmup_and_norm", "pre-norm, warm-up, Muon"), runs("warmup_and_norm", "pre-norm, none, Muon")):±.1p}} points: no effect seen.{{assert
# not any(differs(distance(runs("warmup_and_norm", f"{norm}, warm-up, Muon"), runs("warmup_and_norm", f"{norm}, none, Muon"))) for norm in ("pre-norm", "post-norm"))}}{{assert
# [len(reached("warmup_and_norm_deep", f"post-norm, {how}, AdamW")) for how in ("warm-up", "none")] == [1, 1]}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *needs*, with AdamW, post-norm and twelve blocks | **holds**, as far as one seed and one pass can tell |
# | *needs*, with AdamW and pre-norm, as in this course | **not settled**: a warm-up gives three to nine points, with one or two seeds |
# | *needs*, with Muon and four blocks | **does not hold**: ten points lie far outside the interval |

# %% tags=["hide-input"]
TRIED_WITHOUT = [("Muon", 1, 4), ("AdamW", 0.3, 4), ("AdamW", 1, 4), ("AdamW", 1, 12)]
gains = {}
for optimizer, rate, depth in TRIED_WITHOUT:
    highest = (
        rate
        * plan("warmup_and_norm", "full", 0)["pre-norm, none, Muon", 1]["training"]["learning_rate"]
    )
    for norm in ("pre-norm", "post-norm"):
        name = f"{optimizer}, rate {highest:g}, {depth} blocks, {norm}"
        *effect, seeds = warm_up_gain(norm, optimizer, rate, depth)
        words = "one seed each" if seeds == [1, 1] else "{} seeds with, {} without".format(*seeds)
        gains[name] = (norm, words, *effect)
show_forest(gains, "points on test images, with − without", "What a warm-up adds", bold=())

# %% [markdown]
# With AdamW, post-norm gains more than pre-norm with twelve blocks, and less with four. So here, unlike in the cited study, pre-norm gains as well. Hollow marks have too few seeds for an interval.{{assert
# [round(100 * (mean(reached(name, "pre-norm, warm-up, AdamW", rate)) - mean(reached(name, "pre-norm, none, AdamW", rate)))) for name, rate in (("warmup_and_norm", 0.3), ("warmup_and_norm", 1), ("warmup_and_norm_deep", 1))] == [3, 4, 9]}}{{assert
# all(mean(reached("warmup_and_norm", "post-norm, warm-up, AdamW", rate)) - mean(reached("warmup_and_norm", "post-norm, none, AdamW", rate)) < mean(reached("warmup_and_norm", "pre-norm, warm-up, AdamW", rate)) - mean(reached("warmup_and_norm", "pre-norm, none, AdamW", rate)) for rate in (1, 0.3))}}{{assert
# mean(reached("warmup_and_norm_deep", "post-norm, warm-up, AdamW", 1)) - mean(reached("warmup_and_norm_deep", "post-norm, none, AdamW", 1)) > mean(reached("warmup_and_norm_deep", "pre-norm, warm-up, AdamW", 1)) - mean(reached("warmup_and_norm_deep", "pre-norm, none, AdamW", 1)) > 0.05}}
#
# *Limits:* the deep models made one pass, and may catch up.
#
# *Try it yourself:* `python -m vit_minimal.experiments warmup_and_norm --seeds 1 --rates 1 --settings "post-norm, warm-up, AdamW" "post-norm, none, AdamW"`
#
# ### 15. "Small patches are noisy"
#
# **Said** in talk about patch sizes. The nearest in print that we found is [a study](https://arxiv.org/abs/2509.20939), in which larger first kernels resist noise better. **The harm:** somebody with noisy images takes large patches, and gives up what small ones gain by training with the noise.
#
# **Tested:** we read *are noisy* as: under noise, small patches are behind. Patches of 4 × 4 pixels (P = 4) meet those of 8 × 8 (P = 8). The noise has a standard deviation of 8 to 64, where pixel values go to 255.
#
# **Result:** three seeds each, seed by seed ([notebook 08](08_pitfalls_patch_size.ipynb)).
#
# | trained on | lead of P = 4 on clean test images | its lead at a noise of 32 |
# |---|---|---|
# | clean images | {{seed_by_seed(under_noise(4, 0), under_noise(8, 0)):±.1p}} points | {{seed_by_seed(under_noise(4, 32), under_noise(8, 32)):±.1p}} points |
# | images with that noise | {{seed_by_seed(under_noise(4, 0, True), under_noise(8, 0, True)):±.1p}} points | {{seed_by_seed(under_noise(4, 32, True), under_noise(8, 32, True)):±.1p}} points |
#
# {{assert
# interval(seed_by_seed(under_noise(4, 32), under_noise(8, 32)))[1] < 0}}{{assert
# below(under_noise(8, 32, learned=True), under_noise(4, 32, learned=True)) and interval(seed_by_seed(under_noise(4, 32, True), under_noise(8, 32, True)))[0] > 0}}{{assert
# differs(distance(seed_by_seed(under_noise(4, 0), under_noise(8, 0)), seed_by_seed(under_noise(4, 32, True), under_noise(8, 32, True))))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *are noisy*, under strong noise (32 or more) that is new to the model | **holds**: small patches fall behind |
# | *are noisy*, under weaker noise (8 or 16), or at 32 after training with it | **does not hold**: small patches are ahead |
#
# {{assert
# all(min(under_noise(4, d)) > max(under_noise(8, d)) for d in (8, 16)) and max(under_noise(4, 64)) < min(under_noise(8, 64))}}

# %% tags=["hide-input"]
deviations, curves, bands = (0, 8, 16, 32, 64), {}, {}
for part, how in (("noise", "clean"), ("noise_learned", "with noise")):
    for P in (4, 8):
        shares = [[100 * right for right in under_noise(part, P, d)] for d in deviations]
        found = [mean_and_width(values) for values in shares]
        curves[f"P = {P}, trained {how}"] = [mean for mean, _ in found]
        bands[f"P = {P}, trained {how}"] = [width for _, width in found]
show_curves(
    deviations, curves, "noise on the test images", "accuracy in %", "CIFAR-10 under noise",
    from_zero=True, widths=bands,
)  # fmt: skip

# %% [markdown]
# *Limits:* one kind of noise. Training with it costs P = 4 more than P = 8 on clean images. At twice the noise of its training P = 4 is {{seed_by_seed(under_noise(8, 64, True), under_noise(4, 64, True)):±.1p}} points behind.{{assert
# differs(seed_by_seed(under_noise(4, 0), under_noise(4, 0, True)))}}{{assert
# max(under_noise(4, 64, learned=True)) < min(under_noise(8, 64, learned=True))}}
#
# *Try it yourself* (CIFAR-10): `python benchmarks/patch_size.py noise --seeds 1`
#
# ### 17. "ViTs are only good when pretrained"
#
# **Said** of the first ViTs, pretrained on hundreds of millions of images, until [DeiT](https://arxiv.org/abs/2012.12877) did without. **The harm:** somebody with many unusual images gives up on a ViT, because there are no weights for them.
#
# **Tested:** we read *only* as: none is good without. Our line for *good* is 85 %. We drew it after the training of the shipped model, which started from random weights.
#
# **Result:** the shipped model (one seed) is right for {{record("cifar10_cpu_long").accuracy:.1%}} of CIFAR-10's 10,000 test images.
#
# **Does not hold**, because of the word *only*: the shipped model is good, and nobody pretrained it.
#
# Another sentence is that pretraining *helps*. With ten images of Shapes-10 per class, a model pretrained on CIFAR-10 is {{seed_by_seed(tuned("fine-tuned", 10), tuned("from scratch, 10 × the steps", 10)):±.0p}} points ahead of one from scratch with ten times the steps ([notebook 12](12_fine_tuning.ipynb), seed by seed).{{assert
# below(tuned("from scratch, 10 × the steps", 180), tuned("fine-tuned", 10))}}{{assert record("cifar10_cpu_long").accuracy > 0.85}}

# %% tags=["hide-input"]
counts, curves, bands = (10, 30, 90, 180), {}, {}
for name, method in {
    "pretrained, 60 steps": "fine-tuned",
    "from scratch, 600 steps": "from scratch, 10 × the steps",
}.items():
    found = [
        mean_and_width(tuned("trained", method, images_per_class=n, task="shapes10"))
        for n in counts
    ]
    curves[name] = [100 * mean for mean, _ in found]
    bands[name] = [100 * width for _, width in found]
show_curves(
    counts, curves, "training images per class", "accuracy in %", "Shapes-10: with and without pretraining",
    log="x", from_zero=True, widths=bands,
)  # fmt: skip

# %% [markdown]
# *Limits:* small models, two data sets. On the second half of the test images, as in card 3, the same model reaches {{record("class_token_journey").accuracy.mean:.1%}}. The first half gives {{2 * record("cifar10_cpu_long").accuracy - record("class_token_journey").accuracy.mean:.1%}}, and we do not know why it is harder.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/fine_tuning.py --seeds 1 --counts 10 --methods fine-tuned "from scratch"`
#
# ### 18. "Fine-tune with a small learning rate"
#
# **Said** in many guides. [Keras's](https://keras.io/guides/transfer_learning/) asks for a very low rate, but for a model whose new head was trained first. **The harm:** somebody stops before the new task is learned.
#
# **Tested:** we read *small* as: smaller than the best rate from scratch, which was 0.001 with the same images and steps. It meets 0.0003, for 60 steps on ten images per class ([notebook 12](12_fine_tuning.ipynb)). The words name no task, so we measure the new one, Shapes-10, and the old one, CIFAR-10, with its old head put back.{{assert
# all(max((r for r in records("fine_tuning") if r.part == "rates" and r.method == method), key=lambda r: r.validation).rate == 1e-3 for method in ("fine-tuned", "from scratch"))}}
#
# **Result:** the smaller rate is {{seed_by_seed(kept("fine-tuned", 1e-3), kept("fine-tuned", 3e-4)):±.1p}} points behind on the new task, and {{seed_by_seed(kept("fine-tuned", 3e-4, "cifar10"), kept("fine-tuned", 1e-3, "cifar10")):±.1p}} ahead on the old one (seed by seed).{{assert
# below(kept("fine-tuned", 1e-3, "cifar10"), kept("fine-tuned", 3e-4, "cifar10")) and differs(seed_by_seed(kept("fine-tuned", 1e-3, "cifar10"), kept("fine-tuned", 3e-4, "cifar10")))}}{{assert
# below(kept("fine-tuned", 3e-4), kept("fine-tuned", 1e-3)) and differs(seed_by_seed(kept("fine-tuned", 3e-4), kept("fine-tuned", 1e-3)))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *small*, for the old task | **holds**: of the {{tuning("cifar10").accuracy:.0%}} before fine-tuning it leaves {{mean(kept("fine-tuned", 3e-4, "cifar10")):.0%}}, more than the larger rate |
# | *small*, for the new task | **does not hold** at 60 steps: the larger rate is ahead |

# %% tags=["hide-input"]
rates = [3e-4, 1e-3, 3e-3, 1e-2]
tasks = {"Shapes-10, new": ("validation", "accuracy"), "CIFAR-10, old": ("cifar10", "cifar10")}
_, axis = plt.subplots(figsize=(5.2, 3.7), layout="constrained")
for index, (name, (of_one, of_three)) in enumerate(tasks.items()):
    style = plots.curve_style(index)
    line = [100 * tuned("rates", "fine-tuned", of_one, rate=rate)[0] for rate in rates]
    axis.plot(rates, line, color=style["color"], linestyle=":", label=f"{name}: one seed")
    found = [mean_and_width(tuned("kept", "fine-tuned", of_three, rate=rate)) for rate in rates[:2]]
    means, widths = zip(*[(100 * mean, 100 * width) for mean, width in found], strict=True)
    axis.errorbar(rates[:2], means, widths, capsize=4, **style | {"linestyle": "none"},
                  label=f"{name}: three seeds")  # fmt: skip
before = 100 * next(run["accuracy"] for run in few_labels if run["part"] == "cifar10")
axis.axhline(before, color="gray", linestyle="--", label="CIFAR-10 before fine-tuning")
axis.set_xscale("log")
axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
axis.set_xticks([], minor=True)
axis.set(
    xlabel="learning rate",
    ylabel="accuracy in %",
    title="Fine-tuning: after 60 steps",
    ylim=(0, 100),
)
axis.grid(alpha=0.3)
axis.legend(fontsize=9)
plots.show("accuracy over the rate: on the old task it falls from 60 % at 0.0003 on, on the new task it "
           "is best at 0.001, and both are lost at 0.01", "fine-tuning")  # fmt: skip

# %% [markdown]
# *Limits:* with more steps the smaller rate may catch up on the new task.{{assert
# tuning("cifar10").accuracy > tuning("rates", method="fine-tuned", rate=3e-4).cifar10 > tuning("rates", method="fine-tuned", rate=1e-3).cifar10 > tuning("rates", method="fine-tuned", rate=3e-3).cifar10 > tuning("rates", method="fine-tuned", rate=1e-2).cifar10}}{{assert
# max((r for r in records("fine_tuning") if r.part == "rates" and r.method == "fine-tuned"), key=lambda r: r.validation).rate == 1e-3 and tuning("rates", method="fine-tuned", rate=1e-2).validation < 0.2}}
#
# *Try it yourself* (CIFAR-10): `python benchmarks/fine_tuning.py --seeds 1 --counts 10 --methods fine-tuned`
#
# ## What to do in your own model
#
# | | because of claim |
# |---|---|
# | Before you say "it looks there", take away what lies there, and as much of something else. | 4 |
# | Put the class token where it sees the patches. Check with two images that what the head reads differs. | 8 |
# | Learn the positions from N(0, 0.02). Those from `torch.randn` cost {{loss(runs("position_init", "N(0, 1)")).mean:.1p}} points ([notebook 07](07_pitfalls_initialization.ipynb)). | 13 |
# | With few labels, begin with a pretrained model. Try several rates. | 17, 18 |
# | If you expect noise, train with it. At a noise of 32 P = 4 gained {{seed_by_seed(under_noise(4, 32, True), under_noise(4, 32)).mean:.0p}} points, and on clean images it lost {{seed_by_seed(under_noise(4, 0), under_noise(4, 0, True)).mean:.0p}}. | 15 |{{assert
# differs(seed_by_seed(under_noise(4, 32, True), under_noise(4, 32)))}}
#
# **Try it yourself:** [exercises 14](exercises/14_more_claims.ipynb)
#
# ## Where the numbers come from
#
# <details><summary>A table of records and claims</summary>
#
# | records | claims |
# |---|---|
# | [experiments](../data/results/experiments_cifar10_full.json) | 7, 8, 13, 14 |
# | [longer training](../data/results/experiments_cifar10_long.json) | 13 |
# | [journey](../data/results/class_token_journey.json) of the shipped class token | 1, 3 |
# | [deletions](../data/results/deletions.json) | 4 |
# | [contents](../data/results/class_token_contents.json) of class tokens | 1 |
# | [needle](../data/results/needle10.json) | 4 |
# | [corners](../data/results/far_corners.json) | 9 |
# | [training images](../data/results/training_images.json) | 10 |
# | [patches](../data/results/patch_size.json) | 15 |
# | [few labels](../data/results/fine_tuning.json) | 17, 18 |
# | [the shipped model](../data/results/cifar10_cpu_long.json) | 17 |
#
# </details>

# %% [markdown] tags=["exercise-only"]
# # Exercises 14 · More claims, to look up
#
# They go with notebook [14](../14_more_claims.ipynb). If you start here: a convolution slides a small square, its *kernel*, over the image, and its *stride* is how far it moves at a time.

# %% tags=["exercise-only"]
import math

from checks import check

# %% [markdown] tags=["exercise:receptive_field"]
# Claims about CNNs hang on how far one sees. One number that comes out of stacked convolutions depends on a square of pixels. How many along its side? With one layer of kernel k, k. A further layer adds k − 1 steps, and a step is as wide as the product of all strides *before* it. Give the number of pixels, for a list of kernel sizes and a list of strides, first layer first.
#
# Hint: Two layers of kernel 3 and stride 1: 1 + 2 + 2 = 5.
#
# Hint: Keep two numbers while you walk through the layers: what is seen so far, and how wide a step is. The first begins at 1, the second at 1.


# %% tags=["exercise-only", "exercise:receptive_field"]
def receptive_field(kernel_sizes, strides):
    """How many pixels along a side an output of stacked convolutions depends on."""
    # solution
    # | return ...  # your code
    field, step = 1, 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field
    # end of solution


# %% [markdown] tags=["exercise:control"]
# *Conclude.* On clean test images models with small patches are ahead of models with large ones; when noise is added to the test images they fall behind. Two explanations: (1) small patches cannot be read through noise; (2) models with small patches could, but never saw noise in training. Which further experiment tells them apart?
#
# - a: The same with ten seeds.
# - b: Train all models on noisy images, and test them with noise.
# - c: Train all models for twice as long.
# - d: Test with more and with less noise.
#
# Hint: What would you expect to see if (1) is true? And if (2) is?
#
# Hint: Look for an experiment for which (1) and (2) predict *different* results.
#
# Solution: **b**. If (1) is true the small patches stay behind, if (2) is, they need not. (Notebook 08 did it: trained with noise, the small patches led again, though they still paid more for it than the large ones.)

# %% tags=["exercise-only", "exercise:control"]
# solution
# | control = ...  # "a", "b", "c" or "d"
control = "b"
# end of solution
