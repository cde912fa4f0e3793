# %% [markdown]
# # 14 · More claims, to look up
#
# **After this notebook you can** say of twelve more common sentences about the class token and Vision Transformers whether they were true here, and test a sentence of your own.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 25 minutes, or two for the one card that you came for |
# | Time to run | at the quick budget {{notebook_seconds("14_more_claims"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `variants.py`, and `data/results/` |
#
# [Notebook 10](10_claims_put_to_the_test.ipynb) has the six other sentences of the list.

# %%
import contextlib
import io
from functools import partial

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
from vit_minimal.experiments import pooled_spread, summarize
from vit_minimal.records import read_records
from vit_minimal.variants import ConvNet

# %% [markdown]
# ## Your guess first
#
# There are four verdicts. A sentence gets one, and so does each part of it. A part that names its case, such as *with Muon*, is judged in that case.
#
# - **holds**: a usual case that we tested shows it, and none contradicts it;
# - **does not hold**: all cases that we tested contradict it, or it allows no exception and there is one;
# - **holds in part**: one part of it, or one usual case, is true, and another is false;
# - **not settled**: the interval leaves room for yes and no, the comparison was not fair, or the case that the sentence is about was not tested.
#
# Which verdict do you expect for each sentence? "It" is the class token.
#
# | | the sentence | your verdict |
# |---|---|---|
# | | **A: a control decides** | |
# | 9 | CNNs struggle with long-range dependencies, ViTs do not. | |
# | 4 | The class token's attention shows where the model looks. | |
# | 10 | ViTs need more data than CNNs. | |
# | | **B: the words decide** | |
# | 1 | It summarises the whole image. | |
# | 18 | Fine-tune with a small learning rate. | |
# | 17 | ViTs are only good when pretrained. | |
# | 3 | After the last layer it holds what is needed to classify. | |
# | | **C: the setting decides** | |
# | 8 | It works under GPT's mask as well. | |
# | 13 | Position embeddings matter. | |
# | 14 | Training needs a warm-up. | |
# | 15 | Small patches are noisy. | |
# | 7 | Registers help. | |
#
# Card 9 is worked in full, and you can run it. The other cards show what is on record: first the long ones of a group, then the short ones, whose details are folded. Two models come up again and again:
#
# | name | model | training |
# |---|---|---|
# | **shipped** | six blocks, patches of 4 × 4 pixels (P = 4) | {{record("cifar10_cpu_long").training.epochs:d}} passes over CIFAR-10, one run |
# | **small** | four blocks, P = 4 | three passes over CIFAR-10 with Muon, three seeds or more |
#
# A ± is half of a 95 % interval, and *no effect seen* means that the interval includes 0. The end of the notebook says where the intervals come from.


# %% tags=["hide-input"]
def records(name):
    return read_records(f"../data/results/{name}.json")


cifar10 = records("experiments_cifar10_full")
spread = pooled_spread(cifar10)


def measured(experiment):
    """{setting: Summary} of an experiment with the small ViT on CIFAR-10."""
    return summarize(experiment, "full", cifar10, spread)


# %% [markdown]
# ## Group A: a control decides
#
# The first number of an experiment often looks like an answer. Ask at each of these three cards: what else could have given it?
#
# ### 9. "CNNs struggle with long-range dependencies, ViTs do not"
#
# **Said** in [tutorials](https://www.vizuaranewsletter.com/p/why-do-we-need-transformers-for-vision): a convolution sees a small neighbourhood, attention the whole image. **The harm:** somebody replaces a CNN that needed only a larger view.
#
# **Tested:** we read *struggle* as: after training, a model is no better than a guess. In the task *Corners-2*, two tiles of 4 × 4 pixels are each warm or cool, and the question is whether they agree. A guess is right for 50 %. *What counts:* ten points more than that.
#
# - **The task:** the tiles lie *apart*, in opposite corners of an image of 32 × 32 pixels.
# - **The control:** the same tiles lie *side by side*. If a model fails here too, its failure says nothing about the distance.


# %% tags=["nbval-check-output"]
def draw(side_by_side):
    learned = corners2(4_000, seed=0, near=side_by_side)
    new = corners2(1_000, seed=1, near=side_by_side)
    return Dataset(*learned, *new, ("differ", "agree"), "corners2")


apart, side_by_side = draw(False), draw(True)
print(f"the tiles agree in {apart.train_labels.sum():,} of 4,000 images")

# %% tags=["hide-input"]
_, panels = plt.subplots(1, 2, figsize=(5, 2.7), layout="constrained")
shown = (apart.train_labels == 0).nonzero()[0, 0]
for panel, task, words in zip(
    panels, (apart, side_by_side), ("apart", "side by side"), strict=True
):
    panel.imshow(plots.as_picture(task.train_images[shown]))
    panel.set_title(f"{words}: the tiles differ")
    panel.axis("off")
plots.show(
    "a picture of grey tiles; one warm and one cool tile lie in opposite corners, or side by side",
    "Corners-2",
)

# %% [markdown]
# A CNN *sees* 15 pixels if each number of its last layer depends on 15 × 15 pixels. Usual CNNs see the whole image. We gave the one that sees 15 only three layers, so that it is as short-sighted as the sentence has it.
#
# **Your guess:** which model learns which of the two tasks?
#
# | model | optimizer | apart | side by side |
# |---|---|---|---|
# | CNN that sees 15 pixels | AdamW | | |
# | CNN that sees 47 pixels | AdamW | | |
# | ViT | Muon | | |
# | ViT | AdamW | | |
#
# Here are the models:

# %%
small = ViTConfig(patch_size=4, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, num_classes=2)
vit = partial(VisionTransformer, small)
cnn_15 = partial(ConvNet, small, strides=(2, 2, 1))
cnn_47 = partial(ConvNet, small, strides=(2, 2, 2, 1, 1))

# %% [markdown]
# A function trains one of them for ten passes:


# %%
def train(make, task, optimizer="adamw", seed=0):
    """How many images a new model has right: of those that it learned from, and of new ones."""
    seed_everything(seed)
    model, config = make(), TrainingConfig(
        epochs=10, batch_size=50, learning_rate=1e-3, optimizer=optimizer, label_smoothing=0.0,
        flip=False, crop_padding=0, seed=seed,
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):  # what it would print after each pass
        fit(model, task, config)
    learned = 100 * evaluate(model, task.train_images, task.train_labels)
    new = 100 * evaluate(model, task.test_images, task.test_labels)
    return f"learned images {learned:3.0f} %, new ones {new:3.0f} %"


# %% [markdown]
# First, the tiles are apart:

# %%
print("CNN, 15 pixels:", train(cnn_15, apart))
print("CNN, 47 pixels:", train(cnn_47, apart))
print("ViT, Muon:     ", train(vit, apart, "muon"))
print("ViT, AdamW:    ", train(vit, apart))

# %% [markdown]
# Two models learn the task. The other two only guess on new images: the ViT with AdamW, and the CNN that sees 15 pixels, which learned many images by heart. Is it the distance that defeats them? The control tells:

# %%
print("CNN, 15 pixels:", train(cnn_15, side_by_side))
print("ViT, AdamW:    ", train(vit, side_by_side))

# %% [markdown]
# For the CNN it is the distance, because it learns the task side by side. The ViT with AdamW guesses again, so something else may defeat it. Without the control, we would have said that this ViT struggles with distances.
#
# **Result:** the record has test images of three seeds, at the best of three learning rates or more.
#
# | model, optimizer | apart: test images right | side by side |
# |---|---|---|
# | CNN that sees 15 pixels, AdamW | {{mean(corners("CNN that sees 15 pixels, AdamW").accuracies):.1%}} | {{mean(corners("CNN that sees 15 pixels, AdamW", near=True).accuracies):.1%}} |
# | CNN that sees 47 pixels, AdamW | {{mean(corners("CNN that sees 47 pixels, AdamW").accuracies):.1%}} | not tried |
# | ViT, Muon | {{mean(corners("ViT, Muon").accuracies):.1%}} | {{corners("ViT, Muon", near=True).accuracies[0]:.1%}} in two seeds, {{min(corners("ViT, Muon", near=True).accuracies):.1%}} in one |
# | ViT, AdamW | {{mean(corners("ViT, AdamW").accuracies):.1%}} | {{mean(corners("ViT, AdamW", near=True).accuracies):.1%}} |
#
# {{assert
# all(overlap(corners("CNN that sees 15 pixels, AdamW", count).accuracies, [0.5, 0.5, 0.5]) for count in (4_000, 20_000)) and min(corners("CNN that sees 15 pixels, AdamW", near=True).accuracies) > 0.9}}{{assert
# min(corners("CNN that sees 47 pixels, AdamW").accuracies + corners("ViT, Muon").accuracies) > 0.99 and [right > 0.99 for right in corners("ViT, Muon", near=True).accuracies] == [True, True, False]}}{{assert
# max(max(row.validation_by_rate.values()) for row in records("far_corners") if row.model == "ViT, AdamW") < 0.6 and all(max(row.accuracies) < 0.53 for row in records("far_corners") if row.model == "ViT, AdamW")}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *CNNs struggle*, if they see 15 of 32 pixels, which is unusual | **holds**: this one learns the task side by side, and guesses when the tiles are apart |
# | *CNNs struggle*, if they see the whole image | **does not hold**: the one that sees 47 pixels learns the task with the tiles apart |
# | *ViTs do not*, with Muon | **holds**: this one learns the task with the tiles apart |
# | *ViTs do not*, with AdamW | **not settled**: this one guesses side by side too |
#
# <details><summary>Why can 15 pixels not do it?</summary>
#
# No square of 15 × 15 pixels holds both corners, so each number of the last layer depends on one of them at most. After that, the CNN only takes sums. Take one picture and colour its corners in all four ways. Then its score for *agree* is always the sum of two parts: w or c for a warm or cool upper left corner, and w′ or c′ for the lower right one.
#
# | upper left | lower right warm | lower right cool |
# |---|---|---|
# | warm | w + w′ (agree) | w + c′ (differ) |
# | cool | c + w′ (differ) | c + c′ (agree) |
#
# *It cannot have all four right.* To do so, both scores of *agree* would have to be above zero, and both of *differ* below. But the first two and the last two have the same sum, w + c + w′ + c′. So three of four, 75 %, are the most.
#
# *Training does not even lead there.* It lowers the cross-entropy, which is a convex function of the four parts: where its slope is zero, it is lowest. Set all parts to zero. Each part stands in one cell that agrees, which pulls it up, and in one that differs, which pulls it down just as hard. So the slope is zero there, and the lowest loss on average belongs to a score of zero, a guess. (The CNN may still learn its training images by heart, since not every picture is among them in all four ways.)
#
# </details>
#
# *Limits:* one task, two distances, small models of unlike depth, ten passes, no CNN with Muon. With the tiles apart, the ViT with Muon fails at one of three rates (one seed), and with AdamW it fails at all five. We do not know why, nor why one seed with Muon fails side by side.{{assert corners("ViT, Muon").validation_by_rate["0.003"] < 0.6 and min(corners("ViT, Muon").validation_by_rate[rate] for rate in ("0.001", "0.01")) > 0.99 and len(corners("ViT, Muon").validation_by_rate) == 3 and len(corners("ViT, AdamW").validation_by_rate) == len(corners("ViT, AdamW", near=True).validation_by_rate) == 5}}
#
# *Try it yourself:* `train(partial(ConvNet, small, strides=(2, 2, 2, 1)), apart)`. This CNN sees 31 pixels, all of one tile and most of the other. What do you expect?
#
# <details><summary>Answer</summary>
#
# It learns the task, though less well than the CNN that sees 47. With seeds 0 to 2 all learned images were right, and 84 to 85 % of the new ones.
#
# </details>
#
# **So in your model:** before you replace a CNN, compute how far it sees (exercise 14.1). Before you blame a distance, try the same task without it.
#
# All cards have this form: the sentence, how we read it, what counts, the result with its control, the verdict, the limits. The commands to try on them are for a terminal (in a cell, put `!` in front).
#
# ### 4. "The class token's attention shows where the model looks"
#
# **Said** in tutorials. [One](https://karanalytics.github.io/AIHandsOnBook/chapters/llm-foundations/attention-image-analysis) verifies with it that a model is right for the right reasons. **The harm:** somebody approves a model because its heat map looks right.
#
# **Tested:** if the sentence is true of the last block's attention, the answer depends on the patches that this attention marks (test a), and on the attention itself (test b). *What counts:* one point.
#
# - **Test a, with the shipped model:** noise covers the 16 patches of 64 that the attention marks. Marked patches often lie in the middle, where any noise may do harm. So in the control, noise covers the 16 patches that the attention marks in *another* image.
# - **Test b, with a model of two blocks:** in the task Needle-10, one patch holds the answer ([notebook 06](06_inside_the_class_token.ipynb)), and the attention of both blocks marks it. We forbid the class token of one block to attend to the patches.
#
# **Result:** in test a, noise on the marked patches costs {{deleted("attention of the last block", "loss beyond another image's", 16):±.1p}} points more than the control. In test b, forbidding attention in block 1 costs {{min(run.trained.accuracy - run.trained.accuracy_without[0] for run in record("needle10").runs):.0p}} points or more. Forbidding it in the last block costs {{seed_by_seed([run.trained.accuracy for run in record("needle10").runs], [run.trained.accuracy_without[1] for run in record("needle10").runs]):±.1p}}.{{assert
# interval(deleted("attention of the last block", "loss beyond another image's", 16))[0] > 0.01}}{{assert
# interval(seed_by_seed([run.trained.accuracy for run in record("needle10").runs], [run.trained.accuracy_without[1] for run in record("needle10").runs]))[1] < 0.01}}{{assert
# all(share > 10 * record("needle10").chance for run in record("needle10").runs for share in run.trained.share)}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *shows*, test a: the answer depends on the marked patches | **holds** for the shipped model |
# | *shows*, test b: the answer depends on the attention of the last block | **does not hold** for the model of two blocks: its last block attends to the right patch, but block 1 has already done the work |

# %% tags=["hide-input"]
(deletions,) = records("deletions")
attention = deletions["attention of the last block"]
curves = {"the control": attention["another image's"], "marked": attention["highest"]}
needle = [run["trained"] for run in records("needle10")[0]["runs"]]
_, (noise, bars) = plt.subplots(1, 2, figsize=(5.7, 3.2), layout="constrained")
plots.show_lines(
    deletions["counts"],
    {name: [100 * right for right in curve["mean"]] for name, curve in curves.items()},
    "patches of 64 covered with noise", "test images right in %", "test a: shipped model",
    axis=noise, widths={name: [100 * w for w in curve["width"]] for name, curve in curves.items()},
)  # fmt: skip
for block in (0, 1):
    lost = [100 * (run["accuracy"] - run["accuracy_without"][block]) for run in needle]
    places = [block + 0.28 * (seed - 1) for seed in range(3)]
    drawn = bars.bar(places, lost, 0.24, color=plots.curve_style(block)["color"])
    bars.bar_label(drawn, fmt="%.1f", fontsize=9)
bars.set(ylabel="points lost (bar: a seed)", title="test b: Needle-10", ylim=(0, 100))
bars.set_xticks((0, 1), ("no attention\nin block 1", "none in the\nlast block"))
plots.show("accuracy falls faster with noise on the marked patches than on those marked in another image; in "
           "Needle-10 three bars of 34 to 91 points for block 1, and of at most 0.5 for the last block",
           "what is lost")  # fmt: skip

# %% [markdown]
# *Limits:* two models, two tasks. Noise may do harm of its own, beyond what it hides.
#
# *Try it yourself:* `python benchmarks/needle.py --seeds 1`
#
# **So in your model:** before you say "it looks there", take away what lies there, and as much of something else.
#
# ### 10. "ViTs need more data than CNNs"
#
# **Result:** with 1,000 images of CIFAR-10, a CNN is {{mean(cnn_lead(1_000)):.1p}} points ahead of a ViT. With 45,000, its lead is {{seed_by_seed(cnn_lead(1_000), cnn_lead(45_000)):±.1p}} points smaller.{{assert
# all(interval(cnn_lead(count))[0] > 0 for count in (1_000, 7_000, 45_000)) and differs(seed_by_seed(cnn_lead(1_000), cnn_lead(45_000)))}}
#
# **Not settled**, because the control is missing: the ViT was trained with Muon and the CNN with AdamW, so the optimizer could have made the difference as well.
#
# **So in your model:** with few images, train a small CNN beside your ViT, and try a pretrained ViT ([notebook 12](12_fine_tuning.ipynb)).
#
# <details><summary>How it was tested</summary>
#
# **Said** since the [ViT paper](https://arxiv.org/abs/2010.11929), whose ViTs overtake CNNs with about a hundred million images. **The harm:** somebody with few images rules out a pretrained ViT too.
#
# **Tested:** we read *need more* as: fewer images cost a ViT more than a CNN. Both make about 700 steps, at the best of three learning rates; three seeds, compared seed by seed. *What counts:* one point.
#
# | training images | small ViT, Muon | CNN, AdamW |
# |---|---|---|
# | 1,000 | {{mean(few_images("ViT, Muon", 1_000)):.1%}} | {{mean(few_images("CNN, AdamW", 1_000)):.1%}} |
# | 7,000 | {{mean(few_images("ViT, Muon", 7_000)):.1%}} | {{mean(few_images("CNN, AdamW", 7_000)):.1%}} |
# | 45,000 | {{mean(few_images("ViT, Muon", 45_000)):.1%}} | {{mean(few_images("CNN, AdamW", 45_000)):.1%}} |
#
# *Limits:* 700 steps are only two passes over 45,000 images. The CNN costs {{records("training_images")[1].flops / records("training_images")[0].flops - 1:.0%}} more FLOPs and has {{round(records("training_images")[1].parameters, -3):,}} parameters, the ViT {{round(records("training_images")[0].parameters, -3):,}}.{{assert records("training_images")[1].model == "CNN, AdamW" and records("training_images")[0].model == "ViT, Muon"}} Training both with one optimizer, to their plateau at each number of images, would settle it.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/cnn_and_vit.py images --seeds 1 --counts 1000`
#
# </details>
#
# ---
#
# **What group A teaches:** before you explain a number, name what else could have made it, and measure that.
#
# ## Group B: the words decide
#
# In these four sentences the verdict hangs on a word or two. Before you read a card, ask: what would contradict its sentence?
#
# ### 1. "It summarises the whole image"
#
# **Said** since [BERT](https://arxiv.org/abs/1810.04805), whose final class token stands for a whole text. **The harm:** somebody searches photographs by this vector alone, and may miss colours that the patches hold.
#
# **Tested:** we read *summarises* as: the class can be read from it, and *the whole image* as: so can the colours of its regions. A linear regression reads the mean colours of sixteen regions from the shipped model's class token. Its rival reads them from the mean of the patches before block 1, which has lost the places and knows only the image's average look. *What counts:* five points more or less than the rival.
#
# **Result:** after the last block, the class token explains {{colours("trained", "class_token", -1):.0%}} of the variance of the colours, and the rival {{colours("trained", "patch_mean", 0):.0%}}. After blocks 1 to 5, the class token explains {{min(colours("trained", "class_token", b) for b in range(1, 6)):.0%}} to {{max(colours("trained", "class_token", b) for b in range(1, 6)):.0%}}.{{assert
# colours("trained", "class_token", -1) < colours("trained", "patch_mean", 0) - 0.05 and colours("trained", "patch_mean", 0) < min(colours("trained", "class_token", b) for b in range(1, 6)) - 0.05}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *it summarises*, after the last block | **holds**: the class can be read from it (card 3) |
# | *the whole image*, after blocks 1 to 5 | **holds** for the colours of all regions together |
# | *the whole image*, after the last block | **does not hold**: it tells less of them than the image's average look |

# %% tags=["hide-input"]
(contents,) = records("class_token_contents")
colours = contents["colours"]
curves = {
    "mean of patches": colours["trained"]["patch_mean"],
    "class token": colours["trained"]["class_token"],
    "class token, untrained": colours["untrained"]["class_token"],
}
_, axis = plt.subplots(figsize=(5.2, 3.7), layout="constrained")
plots.show_lines(
    range(7), {name: [100 * share for share in curve] for name, curve in curves.items()},
    "blocks passed", "variance explained in %", "Colours of sixteen regions, shipped model",
    dashed=("the rival", 100 * colours["trained"]["patch_mean"][0]), axis=axis,
)  # fmt: skip
plots.show(f"variance explained after each block, for {', '.join(curves)}", "Colours of regions")

# %% [markdown]
# So no block of this model has both at their best: the class is read best after the last block, the colours after the second. The class token of an untrained model stays near the rival, so it is training that makes the middle blocks tell more. At each block, the mean of the patches tells more of the colours than the class token does.{{assert all(colours("trained", "patch_mean", b) > colours("trained", "class_token", b) for b in range(7)) and max(range(7), key=lambda b: colours("trained", "class_token", b)) == 2 and all(abs(colours("untrained", "class_token", b) - colours("trained", "patch_mean", 0)) < 0.02 for b in range(1, 7))}}
#
# *Limits:* one model, a linear reader, no interval, and one number for all regions. Such a number may come from places, or only from the kind of scene: sky above, grass below.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/class_token_contents.py --seeds 1`
#
# **So in your model:** if more than the class should count, such as colours, try the mean of the patches, or a middle block.
#
# ### 18. "Fine-tune with a small learning rate"
#
# **Said** in many guides. [Keras's](https://keras.io/guides/transfer_learning/) asks for a very low rate, but for a model whose new head was trained first. **The harm:** somebody stops before the new task is learned.
#
# **Tested:** the shipped model learns Shapes-10 from ten images per class, in 60 steps ([notebook 12](12_fine_tuning.ipynb)). We read *small* as: a smaller rate does better than a larger one, on the new task or on the old one, CIFAR-10. For the old task, the old head is put back. *What counts:* one point.
#
# **Result:** at two rates, means of three seeds on test images:
#
# | rate | new task: Shapes-10 | old task: CIFAR-10 |
# |---|---|---|
# | 0.0003 | {{mean(kept("fine-tuned", 3e-4)):.0%}} | {{mean(kept("fine-tuned", 3e-4, "cifar10")):.0%}} |
# | 0.001 | {{mean(kept("fine-tuned", 1e-3)):.0%}} | {{mean(kept("fine-tuned", 1e-3, "cifar10")):.0%}} |
# | the smaller rate is | {{seed_by_seed(kept("fine-tuned", 1e-3), kept("fine-tuned", 3e-4)):±.1p}} points behind | {{seed_by_seed(kept("fine-tuned", 3e-4, "cifar10"), kept("fine-tuned", 1e-3, "cifar10")):±.1p}} points ahead |
#
# {{assert
# below(kept("fine-tuned", 1e-3, "cifar10"), kept("fine-tuned", 3e-4, "cifar10")) and differs(seed_by_seed(kept("fine-tuned", 3e-4, "cifar10"), kept("fine-tuned", 1e-3, "cifar10")))}}{{assert
# below(kept("fine-tuned", 3e-4), kept("fine-tuned", 1e-3)) and differs(seed_by_seed(kept("fine-tuned", 1e-3), kept("fine-tuned", 3e-4)))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *small*, for the old task | **holds**: the smaller rate leaves more of it |
# | *small*, for the new task | **does not hold** at 60 steps: the larger of the two rates is ahead |
#
# What of larger rates? For those there is one run each, and for the new task only validation images:

# %% tags=["hide-input"]
rates = [3e-4, 1e-3, 3e-3, 1e-2]
runs = [run for run in records("fine_tuning") if run["part"] == "rates"]
runs = {run["rate"]: run for run in runs if run["method"] == "fine-tuned"}
tasks = {"new task:\nvalidation images": "validation", "old task:\ntest images": "cifar10"}
_, panels = plt.subplots(1, 2, figsize=(5.4, 3), sharey=True, layout="constrained")
for index, (panel, (title, what)) in enumerate(zip(panels, tasks.items(), strict=True)):
    right = [100 * runs[rate][what] for rate in rates]
    panel.plot(range(4), right, **plots.curve_style(index))
    for place, share in enumerate(right):
        panel.annotate(f"{share:.0f}", (place, share), xytext=(4, 6), textcoords="offset points")
    panel.set(title=title, xlabel="learning rate", ylim=(0, 100), xlim=(-0.4, 3.8))
    panel.set_xticks(range(4), [f"{rate:g}" for rate in rates])
    panel.grid(alpha=0.3)
panels[0].set_ylabel("images right in %")
plots.show("one run for each rate: the new task is best at 0.001, the old one at 0.0003, and both are "
           "lost at 0.01", "fine-tuning, 60 steps")  # fmt: skip

# %% [markdown]
# From 0.001 on, a smaller rate was better for the new task too. This may be what the guides mean.{{assert
# max((r for r in records("fine_tuning") if r.part == "rates" and r.method == "fine-tuned"), key=lambda r: r.validation).rate == 1e-3}}{{assert
# tuning("cifar10").accuracy > tuning("rates", method="fine-tuned", rate=3e-4).cifar10 > tuning("rates", method="fine-tuned", rate=1e-3).cifar10 > tuning("rates", method="fine-tuned", rate=3e-3).cifar10 > tuning("rates", method="fine-tuned", rate=1e-2).cifar10}}
#
# *Limits:* one model, 60 steps. All images are shrunk to 16 × 16 pixels, so the shipped model begins at {{tuning("cifar10").accuracy:.0%}} of CIFAR-10, not at {{record("cifar10_cpu_long").accuracy:.0%}}.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/fine_tuning.py --seeds 1 --counts 10 --methods fine-tuned`
#
# **So in your model:** try several rates, above and below your first guess. The smaller one forgets less.
#
# ### 17. "ViTs are only good when pretrained"
#
# **Result:** the shipped model started from random weights, and is right for {{record("cifar10_cpu_long").accuracy:.1%}} of the 10,000 test images (one run).
#
# **Does not hold**, because *only* allows no exception, and here is one.{{assert record("cifar10_cpu_long").accuracy > 0.85}}
#
# **So in your model:** if no pretrained weights fit your images, train from scratch, for long enough.
#
# <details><summary>How it was tested</summary>
#
# **Said** of the first ViTs, pretrained on hundreds of millions of images, until [DeiT](https://arxiv.org/abs/2012.12877) did without. **The harm:** somebody has many unusual images and no weights that fit, and gives up on a ViT.
#
# **Tested:** we read *only* as: no ViT is good without pretraining. *What counts:* 85 % of CIFAR-10's test images, a line that we drew after the measurement. If yours is 90 %, our model does not decide. The 95.7 % that [vitookit](https://github.com/erow/vitookit) reports from random weights would; we did not repeat that run.
#
# *Limits:* one data set of small images. Our ViTs of four blocks stay below 85 % even after 24 passes.{{assert max(accuracies("cifar10_cpu_24_passes")) < 0.85}} That pretraining *helps* is another sentence, and with few labels it is true ([notebook 12](12_fine_tuning.ipynb)).
#
# *Try it yourself* ({{record("cifar10_cpu_long").seconds:time}} on two cores): `python -m vit_minimal.training --recipe cpu-long --dataset cifar10`
#
# </details>
#
# ### 3. "After the last layer it holds what is needed to classify"
#
# **Result:** the shipped model is right for {{record("class_token_journey").accuracy.mean:.1%}} of {{record("class_token_journey").probes_judged_on:,}} test images. A new linear classifier that reads only its final class token is right for {{probe("class_token", -1).mean:.1%}}.{{assert
# record("class_token_journey").accuracy.mean - probe("class_token", -1).mean < 0.01 < record("class_token_journey").accuracy.mean - probe("class_token", -2).mean}}
#
# **Holds**, because it is true of any good model whose head reads nothing else, and a new reader confirms it to within {{rounded_up(record("class_token_journey").accuracy.mean - probe("class_token", -1).mean):.1p}} points.
#
# **So in your model:** classify from the class token, but keep the patches for whatever else you want to know about the image.
#
# <details><summary>How it was tested</summary>
#
# **Said** in the [ViT paper](https://arxiv.org/abs/2010.11929), whose head reads nothing but the class token. **The harm:** somebody takes it to mean *only the class token*, and throws away patches that a later task needs.
#
# **Tested:** we read *holds what is needed* as: a classifier that reads nothing else does as well as the whole model. That leaves *after the last layer* to be tested: could it be read earlier? So a new linear classifier reads the class token after each block. *What counts:* one point behind the model.
#
# One block earlier, the reader is right for {{probe("class_token", -2).mean:.1%}}, so the last layer is needed. The mean of the patches holds much of the class too: its reader ends {{distance(probe("class_token", -1), probe("patch_mean", -1)):±.1p}} points behind the reader of the class token.{{assert
# below(probe("patch_mean", -1), probe("class_token", -1))}}
#
# *Limits:* one model; the ± is over its test images.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/class_token_journey.py`
#
# </details>
#
# ---
#
# **What group B teaches:** one word can turn a true sentence into a false one. Before you test a sentence, write down what would contradict it.
#
# ## Group C: the setting decides
#
# The words of these five sentences are clear, but what is true in one setting need not be in another. Ask at each card: which setting is mine?
#
# ### 8. "It works under GPT's mask as well"
#
# **Said** in effect by [iLLaMA](https://arxiv.org/abs/2404.06773), a ViT with GPT's mask that puts the class token last. **The harm:** somebody gives the mask to a ViT whose class token comes first. The ViT can only guess, and no error says why.
#
# **Tested:** under GPT's mask, a token attends only to itself and to those before it. We read *works as well* as: with the mask, the small ViT learns too. *What counts:* ten points more than a guess, which is right for 10 %.
#
# **Result:** with the class token last, {{runs("causal_mask", "causal, class token last").mean:.1%}} are right, and with the class token first {{runs("causal_mask", "causal, class token first").mean:.1%}}, which is a guess.{{assert
# all(right == 0.1 for right in runs("causal_mask", "causal, class token first").accuracies)}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *it works*, in the last place | **holds**: it learns, and we see no effect of the mask ({{gain(runs("causal_mask", "causal, class token last")):+±.1p}} points) |
# | *it works*, in the first place, as in BERT and ViTs | **does not hold**, by construction: it attends only to itself, so it is the same for every image |
#
# {{assert
# not differs(runs("causal_mask", "causal, class token last"))}}

# %% tags=["hide-input"]
see, masks = torch.ones(5, 5), measured("causal_mask")
first, last = ["class", *"1234"], [*"1234", "class"]
kinds = {
    "no mask": (see, first, "all tokens see all"),
    "class first": (see.tril(), first, "causal, class token first"),
    "class last": (see.tril(), last, "causal, class token last"),
}
figure, panels = plt.subplots(1, 3, figsize=(5.7, 2.8), layout="constrained")
for panel, (title, (mask, labels, setting)) in zip(panels, kinds.items(), strict=True):
    plots.show_matrix(
        mask, labels, labels, f"{title}\n{100 * masks[setting].mean:.1f} % right",
        numbers=False, axis=panel, colours="Blues", limit=1.5,
    )  # fmt: skip
    panel.tick_params(axis="x", rotation=90)
figure.supxlabel("attended to (a sketch: 4 patches)", fontsize=10)
figure.supylabel("attends", fontsize=10)
reached = [f"{title} {100 * masks[kind[2]].mean:.1f} %" for title, kind in kinds.items()]
plots.show("blue where a token attends to another", "three masks", reached)

# %% [markdown]
# *Limits:* one model; images, not text.
#
# *Try it yourself:* `python -m vit_minimal.experiments causal_mask --seeds 1`
#
# **So in your model:** put the class token where it sees the patches. Check that the head reads different things for two images.
#
# ### 13. "Position embeddings matter"
#
# **Said** in the [ViT paper](https://arxiv.org/abs/2010.11929), where models without them are clearly behind. **The harm:** little, since it is true. But somebody may think that any start will do, and draw them too large.
#
# **Tested:** we read *matter* as: with them, the accuracy of the small ViT differs from that without. *What counts:* one point.
#
# **Result:** compared with a model without positions, those learned from N(0, 0.02) add {{distance(runs("position_init", "N(0, 0.02)"), runs("position_init", "zeros, frozen")):±.1p}} points, and sines and cosines {{distance(runs("position_untrained", "sines and cosines"), runs("position_untrained", "none")):±.1p}}. Positions learned from N(0, 1), as `torch.randn` draws them, cost {{distance(runs("position_init", "zeros, frozen"), runs("position_init", "N(0, 1)")):±.1p}} points.{{assert -runs("position_init", "zeros, frozen").difference > corrected()}}{{assert
# differs(distance(runs("position_init", "N(0, 1)"), runs("position_init", "zeros, frozen")))}}{{assert
# interval(distance(runs("position_untrained", "sines and cosines"), runs("position_untrained", "none")))[0] > 0.01}}{{assert
# not differs(distance(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", "none")))}}
#
# **Holds**, because two usual ways to give positions show it, and no usual way contradicts it. With N(0, 1) the accuracy differs too, though perhaps by less than a point. Small positions that are never trained are unusual, and show no clear effect.

# %% tags=["hide-input"]
ways = {
    "learned": "learned, from N(0, 0.02)", "sines and cosines": "sines and cosines", "none": "none",
    "N(0, 0.02), frozen": "N(0, 0.02), never trained",
}  # fmt: skip
found = measured("position_untrained")
rows = {label: found[name] for name, label in ways.items()}
rows["learned, from N(0, 1)"] = measured("position_init")["N(0, 1)"]
plots.show_summaries(rows, "Small ViT on CIFAR-10: positions")

# %% [markdown]
# [Notebook 07](07_pitfalls_initialization.ipynb) finds out why large ones hurt.
#
# *Limits:* one model, one data set. After 14 passes instead of three, learned positions still add {{loss(runs("position_untrained", "none", budget="long")):±.1p}} points (seeds: {{len(runs("position_untrained", "learned", budget="long").accuracies):d}} with them, {{len(runs("position_untrained", "none", budget="long").accuracies):d}} without).
#
# *Try it yourself:* `python -m vit_minimal.experiments position_init --seeds 1 --settings "N(0, 0.02)" "zeros, frozen"`
#
# **So in your model:** learn the positions, and start them small, from N(0, 0.02).
#
# ### 14. "Training needs a warm-up"
#
# **Result:** a warm-up adds {{warm_up_gain("warmup_and_norm_deep", "post-norm", 1):.1p}} points with twelve blocks, post-norm and AdamW (one run against one run). The small ViT shows no effect: {{distance(runs("warmup_and_norm", "pre-norm, warm-up, Muon"), runs("warmup_and_norm", "pre-norm, none, Muon")):±.1p}} points.{{assert
# not any(differs(distance(runs("warmup_and_norm", f"{norm}, warm-up, Muon"), runs("warmup_and_norm", f"{norm}, none, Muon"))) for norm in ("pre-norm", "post-norm"))}}{{assert
# len(reached("warmup_and_norm_deep", "post-norm, none, AdamW")) == len(reached("warmup_and_norm_deep", "post-norm, warm-up, AdamW")) == 1}}
#
# **Holds in part.** The part that holds: twelve blocks with post-norm need it, as far as one pair of runs can tell. The part that does not: four blocks train without it.
#
# **So in your model:** keep a short warm-up, above all with AdamW and many blocks.
#
# <details><summary>How it was tested</summary>
#
# **Said** of Transformers in general. [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) find it true of post-norm, and not of pre-norm. **The harm:** somebody whose training fails looks for the fault in the warm-up.
#
# **Tested:** with a warm-up, the learning rate climbs for the first tenth of the steps. No other length was tried. We read *needs* as: without one, training ends far behind. The models have pre-norm or post-norm ([notebook 04](04_vision_transformer.ipynb)). Four blocks made three passes, twelve blocks one pass. *What counts:* ten points.
#
# | blocks, optimizer | runs with and without | pre-norm: points gained | post-norm: points gained | *needs* |
# |---|---|---|---|---|
# | 12, AdamW | one each | {{warm_up_gain("warmup_and_norm_deep", "pre-norm", 1):.1p}} | {{warm_up_gain("warmup_and_norm_deep", "post-norm", 1):.1p}} | **not settled** with pre-norm, which is close to the line; **holds** with post-norm |
# | 4, AdamW, a third of the rate | one each | {{warm_up_gain("warmup_and_norm", "pre-norm", 0.3):.1p}} | {{warm_up_gain("warmup_and_norm", "post-norm", 0.3):.1p}} | **does not hold** |
# | 4, AdamW, the full rate | {{len(reached("warmup_and_norm", "pre-norm, none, AdamW")):d}} each with pre-norm, {{len(reached("warmup_and_norm", "post-norm, none, AdamW")):d}} with post-norm | {{warm_up_gain("warmup_and_norm", "pre-norm", 1):.1p}} | {{warm_up_gain("warmup_and_norm", "post-norm", 1):.1p}} | **does not hold** |
# | 4, Muon | three or more | {{distance(runs("warmup_and_norm", "pre-norm, warm-up, Muon"), runs("warmup_and_norm", "pre-norm, none, Muon")):±.1p}} | {{distance(runs("warmup_and_norm", "post-norm, warm-up, Muon"), runs("warmup_and_norm", "post-norm, none, Muon")):±.1p}} | **does not hold** |
#
# {{assert
# all(abs(warm_up_gain("warmup_and_norm", norm, rate)) < 0.06 for norm in ("pre-norm", "post-norm") for rate in (0.3, 1)) and all(warm_up_gain("warmup_and_norm", "pre-norm", rate) > warm_up_gain("warmup_and_norm", "post-norm", rate) for rate in (0.3, 1))}}{{assert
# 0.07 < warm_up_gain("warmup_and_norm_deep", "pre-norm", 1) < 0.13 and warm_up_gain("warmup_and_norm_deep", "post-norm", 1) > 0.2}}
#
# Note that with four blocks and AdamW the warm-up did more for pre-norm than for post-norm, unlike in the paper. With so few runs, we would not build on it.
#
# *Limits:* few runs with AdamW; one pass for the deep models, which may catch up later.
#
# *Try it yourself:* `python -m vit_minimal.experiments warmup_and_norm --seeds 1 --rates 1 --settings "post-norm, warm-up, AdamW" "post-norm, none, AdamW"`
#
# </details>
#
# ### 15. "Small patches are noisy"
#
# **Result:** at a strong noise (32 of 255) that is new to the model, patches of 4 × 4 pixels are {{seed_by_seed(under_noise(8, 32), under_noise(4, 32)):±.1p}} points behind those of 8 × 8. After training with that noise, they are {{seed_by_seed(under_noise(4, 32, True), under_noise(8, 32, True)):±.1p}} points ahead.{{assert
# interval(seed_by_seed(under_noise(4, 32), under_noise(8, 32)))[1] < 0}}{{assert
# below(under_noise(8, 32, learned=True), under_noise(4, 32, learned=True)) and interval(seed_by_seed(under_noise(4, 32, True), under_noise(8, 32, True)))[0] > 0}}
#
# **Holds in part.** The part that holds: small patches fall behind at strong noise that is new. The part that does not: they lead at weaker noise, and at the noise that they were trained with.
#
# **So in your model:** if you know your noise and use small patches, train with it. Patches of 4 × 4 gained {{seed_by_seed(under_noise(4, 32, True), under_noise(4, 32)).mean:.0p}} points at that noise, and lost {{seed_by_seed(under_noise(4, 0), under_noise(4, 0, True)).mean:.0p}} on clean images.{{assert
# differs(seed_by_seed(under_noise(4, 32, True), under_noise(4, 32)))}}{{assert
# differs(seed_by_seed(under_noise(4, 0), under_noise(4, 0, True)))}}
#
# <details><summary>How it was tested</summary>
#
# **Said** in talk about patch sizes. The nearest in print that we found is [a study](https://arxiv.org/abs/2509.20939), in which larger first kernels resist noise better. **The harm:** somebody with noisy images chooses large patches without a test.
#
# **Tested:** we read *are noisy* as: when the images are noisy, the small ViT is worse with P = 4 than with P = 8. The noise has a standard deviation of 8 to 64, where pixel values go to 255. Some models trained on clean images, others with a noise of 32. Three seeds, compared seed by seed. *What counts:* one point.
#
# | noise on the test images | lead of P = 4, trained on clean images | lead of P = 4, trained with a noise of 32 |
# |---|---|---|
# | none | {{seed_by_seed(under_noise(4, 0), under_noise(8, 0)):+±.1p}} | {{seed_by_seed(under_noise(4, 0, True), under_noise(8, 0, True)):+±.1p}} |
# | 8 | {{seed_by_seed(under_noise(4, 8), under_noise(8, 8)):+±.1p}} | {{seed_by_seed(under_noise(4, 8, True), under_noise(8, 8, True)):+±.1p}} |
# | 16 | {{seed_by_seed(under_noise(4, 16), under_noise(8, 16)):+±.1p}} | {{seed_by_seed(under_noise(4, 16, True), under_noise(8, 16, True)):+±.1p}} |
# | 32 | {{seed_by_seed(under_noise(4, 32), under_noise(8, 32)):+±.1p}} | {{seed_by_seed(under_noise(4, 32, True), under_noise(8, 32, True)):+±.1p}} |
# | 64 | {{seed_by_seed(under_noise(4, 64), under_noise(8, 64)):+±.1p}} | {{seed_by_seed(under_noise(4, 64, True), under_noise(8, 64, True)):+±.1p}} |
#
# {{assert
# all(min(under_noise(4, d)) > max(under_noise(8, d)) for d in (8, 16)) and max(under_noise(4, 64)) < min(under_noise(8, 64)) and max(under_noise(4, 64, learned=True)) < min(under_noise(8, 64, learned=True))}}
#
# Is it worth training with noise for P = 8 too? It gained nothing at 32 ({{seed_by_seed(under_noise(8, 32, True), under_noise(8, 32)):+±.1p}} points), only at 64 ({{seed_by_seed(under_noise(8, 64, True), under_noise(8, 64)):+±.1p}}), and lost {{seed_by_seed(under_noise(8, 0), under_noise(8, 0, True)):±.1p}} on clean images.{{assert
# not differs(seed_by_seed(under_noise(8, 32, True), under_noise(8, 32))) and differs(seed_by_seed(under_noise(8, 64, True), under_noise(8, 64))) and differs(seed_by_seed(under_noise(8, 0), under_noise(8, 0, True)))}} [Notebook 16](16_detail_and_noise.ipynb) shows the curves.
#
# *Limits:* one kind of noise, and one strength of it in training.
#
# *Try it yourself* (CIFAR-10): `python benchmarks/patch_size.py noise --seeds 1`
#
# </details>
#
# ### 7. "Registers help"
#
# **Result:** *registers* are learned tokens that the head never reads. With four of them, the small ViT is {{gain(runs("pooling", "class token, 4 registers")):+±.1p}} points ahead: no effect seen.{{assert
# not differs(runs("pooling", "class token, 4 registers")) and interval(gain(runs("pooling", "class token, 4 registers")))[1] < 0.01}}
#
# **Not settled**, because the sentence was said of large models with an illness that registers cure, and we tested a small one.
#
# **So in your model:** look for the illness before the cure: a few patch tokens that are much longer than the rest.
#
# <details><summary>How it was tested</summary>
#
# **Said** by a title: *Vision Transformers Need Registers* ([Darcet et al. 2023](https://arxiv.org/abs/2309.16588)). In large models, a few patch tokens become very large in norm, and these spoil the attention maps. **The harm:** somebody trains a healthy model again with registers, for a gain that may not exist.
#
# **Tested:** we read *help* as: raise the accuracy. Both models are at the best of three learning rates. *What counts:* one point, and a gain of that size lies outside the interval.{{assert all(len(runs("pooling", name).at_rates) == 3 for name in ("class token", "class token, 4 registers"))}}
#
# *Limits:* one model, and no attention maps. We did not look for the illness in it. The shipped model shows no sign of it ([notebook 06](06_inside_the_class_token.ipynb)). A large model with the illness, trained with registers and without, would settle it.
#
# *Try it yourself:* `python -m vit_minimal.experiments pooling --seeds 1 --settings "class token" "class token, 4 registers"`
#
# </details>
#
# ---
#
# **What group C teaches:** a number belongs to the setting in which it was measured. Name the setting whenever you quote the number, and test in the one that you will use.
#
# ## The twelve at a glance, and what to do in your own model
#
# Which card surprised you most?
#
# | | your guess | verdict | in your own model |
# |---|---|---|---|
# | 9 | | holds in part | Compute how far a CNN sees. |
# | 4 | | holds in part | Take away what the map marks, and watch the answer. |
# | 10 | | not settled | With few images, try a small CNN too. |
# | 1 | | holds in part | For more than the class, try the mean of the patches. |
# | 18 | | holds in part | Try rates above and below your guess. |
# | 17 | | does not hold | No weights? Train from scratch, for long enough. |
# | 3 | | holds | Classify from the class token, keep the patches. |
# | 8 | | holds in part | Put the class token where it sees the patches. |
# | 13 | | holds | Learn the positions, from N(0, 0.02). |
# | 14 | | holds in part | Keep a short warm-up. |
# | 15 | | holds in part | Small patches and a known noise? Train with it, and count the cost on clean images. |
# | 7 | | not settled | Look for the illness before the cure. |
#
# **Try it yourself:** [exercises 14](exercises/14_more_claims.ipynb)
#
# ## For a second visit
#
# **Where do the lines come from?** We set what counts on a card after the measurements. If your line is another, judge by the numbers.
#
# **Where do the intervals come from?** For the small ViT, from the spread between runs that differ in their seed alone, averaged over all settings on record. So even a setting with a single run would have one. Models with AdamW or twelve blocks may vary more, so they get a ± only from three runs of their own (card 14). On cards 4 (test b), 10, 15 and 18, the differences of three seeds give the ±. On cards 3 and 4 (test a), the test images of the shipped model do.
#
# <details><summary>Where do the numbers come from? A table of records and claims</summary>
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
# | [few labels](../data/results/fine_tuning.json) | 18 |
# | [24 passes](../data/results/cifar10_cpu_24_passes.json) of four blocks, and [the shipped model](../data/results/cifar10_cpu_long.json) | 17 |
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
# Solution: **b**. If (1) is true the small patches stay behind, if (2) is, they need not. (Notebook 16 did it: trained with noise, the small patches led again, though they still paid more for it than the large ones.)

# %% tags=["exercise-only", "exercise:control"]
# solution
# | control = ...  # "a", "b", "c" or "d"
control = "b"
# end of solution
