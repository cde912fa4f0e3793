# %% [markdown]
# # 10 · Claims, put to the test
#
# **After this notebook you can** say which of the sentences that are commonly said about the class token and Vision Transformers were true here, by how much, and how far the test reaches.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04; 06 to 09 for how each experiment is made |
# | Time to read | about 30 minutes |
# | Time to run | about a minute on the two server cores it was built on, at the quick budget; on a T4 not measured yet |
# | Package modules | none of its own: `data/results/` and the experiments behind it |
#
# Each sentence below stands, in some form, in papers, lectures or tutorials. Next to it is what we measured. A sentence **holds**, **holds in part** or **does not hold** *for what was tested*, and each section says what that was and was not. ± is a 95 % interval over three seeds, unless it says otherwise; accuracies are on test images.
#
# @TABLE@
#
# All CIFAR-10 figures but those of the shipped model come from small models (300,000 parameters, four blocks) after three passes over 45,000 images. That is one corner of a large field. Where a large model after long training is known to differ, the section says so.

# %%
from dataclasses import replace

import torch

from vit_minimal import (
    Dataset,
    TrainingConfig,
    ViTConfig,
    corners2,
    evaluate,
    fit,
    load_dataset,
    plots,
    seed_everything,
)
from vit_minimal.experiments import as_table, mean_and_width, run_experiment, summarize
from vit_minimal.runtime import read_records
from vit_minimal.variants import ConvNet

dataset = load_dataset()


def records(name):
    return read_records(f"../data/results/{name}.json")


cifar10 = records("experiments_cifar10_full")


def show_record(experiment, settings=None):
    """The table and the figure of an experiment on CIFAR-10, from its records."""
    measured = summarize(experiment, "full", cifar10)
    measured = {name: of for name, of in measured.items() if name in (settings or measured)}
    print(as_table(measured))
    plots.show_summaries(measured, "CIFAR-10")


# %% [markdown]
# ## What the class token holds
#
# ### 1. "It summarises the whole image"
#
# A summary of what? The shipped model's class token was trained for one question, the class. We ask it others. A linear regression reads the mean colours of sixteen regions of the image from it, after each block, and the same from the mean of the patch tokens. 0 % means: no better than the mean of all images.

# %%
(contents,) = records("class_token_contents")
(journey,) = records("class_token_journey")
colours = {
    "class token": contents["colours"]["trained"]["class_token"],
    "mean of patches": contents["colours"]["trained"]["patch_mean"],
    "class token, untrained model": contents["colours"]["untrained"]["class_token"],
}
plots.show_lines(
    range(7),
    {name: [100 * share for share in shares] for name, shares in colours.items()},
    "blocks passed",
    "variance of colours explained in %",
    "colours of sixteen regions",
    size=(7.0, 3.2),
)
plots.show_lines(
    range(7),
    {
        kind.replace("_", " "): [100 * right for right in journey["probes"][kind]["mean"]]
        for kind in ("class_token", "patch_mean")
    },
    "blocks passed",
    "classes right in %",
    "the class, by a linear classifier",
)

# %% [markdown]
# @1@
#
# ### 2. "It gathers from all patches, layer by layer"
#
# @2@
#
# ### 3. "After the last layer it holds what is needed to classify"
#
# @3@
#
# ### 4. "The class token's attention shows where the model looks"
#
# Notebook 06 has the experiment: in Needle-10 one patch of 64 decides. How often is it the one with the highest score?

# %%
(needles,) = records("needle10")
pointing = {}
for method in needles["runs"][0]["trained"]["pointing"]:
    for state in ("untrained", "trained"):
        values = [100 * run[state]["pointing"][method] for run in needles["runs"]]
        pointing[f"{method}, {state}"] = values
plots.show_dots(pointing, "highest score on the needle in %", "where the model looks")

# %% [markdown]
# @4@
#
# ## Without it
#
# ### 5. "Without it, the model only understands single patches"
#
# A model that understands single patches is easy to build: forbid the tokens to see each other. Here it is next to one whose patches do see each other and which has no class token either. Both give the mean of the patches to the head.

# %%
single = run_experiment("single_patches", dataset=dataset)
print(as_table(single))
plots.show_summaries(single, "drawn shapes")

# %%
show_record("single_patches")

# %% [markdown]
# @5@
#
# ### 6. "A class token classifies better than the mean of the patches"
#
# The comparison of notebook 09, each at its own learning rate:

# %%
show_record("pooling")

# %% [markdown]
# @6@
#
# ### 7. "Registers help"
#
# @7@
#
# ## Its kin
#
# ### 8. "It is like BERT's [CLS], and like GPT"
#
# In BERT a [CLS] token stands first and every token sees every other. In GPT a token sees itself and those before it. We put a class token under GPT's mask, first and last:

# %%
show_record("causal_mask")

# %% [markdown]
# @8@
#
# ## Far apart
#
# ### 9. "CNNs struggle with long-range dependencies, ViTs do not"
#
# Corners-2 is drawn to test this. Everything is grey but for two tiles of 4 × 4 in opposite corners, each warm or cool. The question is whether they agree. Neither corner alone says anything.

# %%
images, labels = corners2(3_200, 0)
names = ("differ", "agree")
corners = Dataset(images[:2_200], labels[:2_200], images[2_200:], labels[2_200:], names, "corners2")
plots.show_images(images[:6], [names[label] for label in labels[:6]], columns=6)

# %% [markdown]
# Two small CNNs. In the first, what the last convolution computes at a place depends on 15 × 15 pixels, so no place sees both corners; the mean over places comes after. In the second it is 47 × 47. Six runs of two passes each:


# %%
def train_cnn(strides, seed):
    """The accuracy in % of a CNN on Corners-2."""
    seed_everything(seed)
    model = ConvNet(ViTConfig(num_classes=2), strides=strides)
    config = TrainingConfig(
        epochs=2, batch_size=50, learning_rate=3e-3, label_smoothing=0.0, flip=False, crop_padding=0,
        validation_images=200, seed=seed,
    )  # fmt: skip
    fit(model, corners, config)
    return 100 * evaluate(model, corners.test_images, corners.test_labels)


# %%
kinds = {"CNN that sees 15 pixels": (2, 2, 1), "CNN that sees 47 pixels": (2, 2, 2, 1, 1)}
found = {name: [train_cnn(strides, seed) for seed in range(3)] for name, strides in kinds.items()}


# %%
def show_groups(groups, x_label, title, dashed=None):
    """Dots for the seeds of each group, with their interval."""
    widths = {name: mean_and_width(values)[1] for name, values in groups.items()}
    plots.show_dots(groups, x_label, title, dashed, widths=widths)


show_groups(found, "right in %", "Corners-2: 2,000 images, 2 passes", ("guessing", 50))

# %% [markdown]
# The record has the same with a ViT, and with more images. Each model at the best of three learning rates:

# %%
far = records("far_corners")
for count in (4_000, 20_000):
    rows = [row for row in far if row["trained_on"] == count]
    show_groups(
        {row["model"]: [100 * right for right in row["accuracies"]] for row in rows},
        "right in %",
        f"Corners-2: {count:,} images, {rows[0]['training']['epochs']} passes",
        ("guessing", 50),
    )

# %% [markdown]
# @9@
#
# ### 10. "ViTs need more data than CNNs"
#
# CIFAR-10 with fewer and fewer of its images, the same number of steps each, a CNN of as many FLOPs, each model at the best of three learning rates (chosen on validation images with one seed):

# %%
counts = (1_000, 7_000, 45_000)
lines, widths = {}, {}
for row in records("training_images"):
    mean, width = mean_and_width([100 * right for right in row["accuracies"]])
    lines.setdefault(row["model"], []).append(mean)
    widths.setdefault(row["model"], []).append(width)
plots.show_lines(
    counts, lines, "training images", "accuracy in %", "CIFAR-10", log="x", widths=widths
)

# %% [markdown]
# @10@
#
# ## How it starts and how it is trained
#
# ### 11. "Its initialisation decides"

# %%
show_record("class_token_init")

# %% [markdown]
# @11@
#
# ### 12. "It must be updated by attention like any other token"

# %%
show_record("class_token_cut")

# %% [markdown]
# @12@
#
# ### 13. "Position embeddings matter"

# %%
show_record("position_init", ("N(0, 0.02)", "zeros, frozen"))

# %% [markdown]
# @13@
#
# ### 14. "Training needs a warm-up"
#
# @14@
#
# ## Patches
#
# ### 15. "Small patches are noisy"
#
# @15@
#
# ### 16. "Large patches miss detail"
#
# @16@
#
# ## What this table is not
#
# @LIMITS@
#
# ## Questions
#
# @QUESTIONS@
