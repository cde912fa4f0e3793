# %% [markdown]
# # 00 · Start here: a Vision Transformer in five steps
#
# **After this notebook you** know that your machine is ready and how much time the course takes. You have trained a Vision Transformer, asked it
# for predictions, and seen where it looks. You need not understand how yet. That is what the other notebooks are for.
#
# | | |
# |---|---|
# | You need | Python, and to have seen PyTorch before |
# | Time to read | about 10 minutes |
# | Time to run | {{notebook_seconds("00_start_here"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("00_start_here", "float32"):about}} on one core of an older one; no GPU needed |
#
# ## Is my machine ready?
#
# Run the next two cells (Shift + Enter). The first, which every notebook begins with, does nothing where the course is installed, and says nothing. In the second, a ✓ is good. A ! comes with what to do.

# %%
from vit_minimal import check_machine, plots
from vit_minimal.data import data_root

if check_machine(data_root()):
    print("\nReady.")

# %% [markdown]
# - **Device:** a GPU that PyTorch can use is used. Everything runs on a laptop's CPU. The precision is the kind of
#   number in matrix products: float32 everywhere, or a 16-bit kind where the hardware is faster with it.
# - **Budget:** `quick` means one to four minutes per experiment, `full` is what a GPU is for. The environment variable `VIT_MINIMAL_BUDGET` chooses;
#   without it, you get `full` with a CUDA GPU and `quick` without (also on Apple's GPUs).
# - **Data:** CIFAR-10 is 60,000 small photographs in ten classes, the usual data set for models of this size. Where it is not on the disk, the course
#   draws its own, **Shapes-10**, in seconds and without network. (The saved outputs were made with it.) To fetch CIFAR-10 (170 MB), run `from vit_minimal import load_cifar10; load_cifar10()` once.
#   `VIT_MINIMAL_DATASET` (`auto`, `cifar10` or `shapes10`) chooses which one the notebooks take. Set such variables before you start, or in a first cell: `%env VIT_MINIMAL_DATASET=shapes10`.
#
# ## The map
#
# | notebook | the question it answers | package module | to read | to run |
# |---|---|---|---|---|
# | **00 Start here** | is my machine ready, and where is this going? | `machine.py` | {{minutes_to_read("00_start_here"):d}} min | {{notebook_seconds("00_start_here"):about}} |
# | [01 Patches](01_patches.ipynb) | how does an image become a sequence? | `patches.py` | {{minutes_to_read("01_patches"):d}} min | {{notebook_seconds("01_patches"):about}} |
# | [02 The class token](02_class_token.ipynb) | which vector do we read at the end, and how does a model know where each patch was? | `class_token.py` | {{minutes_to_read("02_class_token"):d}} min | {{notebook_seconds("02_class_token"):about}} |
# | [03 Attention](03_attention.ipynb) | how do tokens exchange what they know? | `attention.py` | {{minutes_to_read("03_attention"):d}} min | {{notebook_seconds("03_attention"):about}} |
# | [04 The Vision Transformer](04_vision_transformer.ipynb) | how does it all fit together, and is it right? | `vision_transformer.py` | {{minutes_to_read("04_vision_transformer"):d}} min | {{notebook_seconds("04_vision_transformer"):about}} |
# | [05 Training on CIFAR-10](05_training_on_cifar10.ipynb) | what does each ingredient of a recipe give, and how do I stop and resume? | `data/`, `augment.py`, `training/` | {{minutes_to_read("05_training_on_cifar10"):d}} min | {{notebook_seconds("05_training_on_cifar10"):about}} |
# | [06 Inside the class token](06_inside_the_class_token.ipynb) | what does it gather, from where, and at which layer? | `inspection.py`, `explorer.py` | {{minutes_to_read("06_inside_the_class_token"):d}} min | {{notebook_seconds("06_inside_the_class_token"):about}} |
# | [07 Pitfalls: how a model starts](07_pitfalls_initialization.ipynb) | which starts cannot learn, and how would I know before the first step? | `experiments/`, `variants.py` | {{minutes_to_read("07_pitfalls_initialization"):d}} min | {{notebook_seconds("07_pitfalls_initialization"):about}} |
# | [08 Pitfalls: the size of a patch](08_pitfalls_patch_size.ipynb) | what does a patch size cost, and what does it give? | `experiments/` | {{minutes_to_read("08_pitfalls_patch_size"):d}} min | {{notebook_seconds("08_pitfalls_patch_size"):about}} |
# | [09 Pitfalls: the class token mishandled](09_pitfalls_class_token.ipynb) | what if it is read from the wrong place, and what are its rivals? | `variants.py`, `experiments/` | {{minutes_to_read("09_pitfalls_class_token"):d}} min | {{notebook_seconds("09_pitfalls_class_token"):about}} |
# | [10 Claims, put to the test](10_claims_put_to_the_test.ipynb) | which of the things that are commonly said are true? | `data/results/` | {{minutes_to_read("10_claims_put_to_the_test"):d}} min | {{notebook_seconds("10_claims_put_to_the_test"):about}} |
#
# (The running times are those of two cores of a recent server CPU (with instructions for bfloat16), rounded; on one core of a processor without that they took up to four times as long.
# {{assert 3.5 < max(notebook_seconds(name, "float32") / notebook_seconds(name) for name in records("notebook_times").float32) < 4.5}}
# The reading times are a guess.) Each notebook has exercises beside it, which check themselves: [these](exercises/00_start_here.ipynb) go with this one. ([For teachers](exercises/README.md).)
#
# In notebooks 01 to 04 the model is built in front of
# you, and every piece of it is also in the package `vit_minimal`: a comment such as `# vit_minimal/patches.py` tells you where. A test
# makes sure that the two never differ.
#
# Now the whole story, in five steps.
#
# ## 1 · Load

# %%
from vit_minimal import load_dataset, pick_budget

dataset = load_dataset()
if pick_budget() == "quick":
    dataset = dataset.first(10_000, 2_000)  # enough to learn something in minutes

names = [dataset.class_names[label] for label in dataset.train_labels[:16]]
plots.show_images(dataset.train_images[:16], names)

# %% [markdown]
# Sixteen training images with their classes. Each has 32 × 32 pixels. Shapes-10 looks easy, but try to describe a "ring" by its pixels: place, size and
# colours are random, dark on bright or bright on dark, slightly tilted, with clutter behind and in front. A linear classifier on the pixels, the best of five that we fitted, gets {{max(run.accuracy for run in record("shapes10_linear").runs):.0%}} of
# the Shapes-10 test images right (chance is 10 %).
# {{assert len(record("shapes10_linear").runs) == 5}}
#
# ## 2 · Train

# %%
from vit_minimal import RECIPES, VisionTransformer, fit, seed_everything

recipe = RECIPES["quick" if pick_budget() == "quick" else "cpu"]
seed_everything(0)
model = VisionTransformer(recipe.model)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

history = fit(model, dataset, recipe.training)

# %% [markdown]
# One line per pass over the training images (an *epoch*): the loss and the accuracy on the training images, both averaged over the epoch while the model
# learns, images per second, and the time left. Guessing, with 1/10 for each class, has a loss of −ln(1/10) = 2.30 and an accuracy of 10 %.

# %%
epochs = range(1, len(history.train_loss) + 1)
plots.show_lines(
    epochs,
    {"loss": history.train_loss},
    "epoch",
    "training loss",
    "It learns",
    ("guessing: ln 10", 2.303),
)

# %% [markdown]
# ## 3 · Predict
#
# What counts is what the model does with images it has never seen.

# %%
import torch

from vit_minimal import evaluate
from vit_minimal.augment import normalize

accuracy = evaluate(model, dataset.test_images, dataset.test_labels)
print(f"{accuracy:.1%} of {len(dataset.test_labels):,} test images right")

# %%
device = next(model.parameters()).device
shown = dataset.test_images[:16]
with torch.no_grad():
    guesses = model.eval()(normalize(shown.to(device))).argmax(dim=1)
verdicts = [
    dataset.class_names[guess]
    if guess == label
    else f"{dataset.class_names[guess]}, no:\n{dataset.class_names[label]}"
    for guess, label in zip(guesses.tolist(), dataset.test_labels.tolist(), strict=False)
]
plots.show_images(shown, verdicts)

# %% [markdown]
# Above each image stands the guess, and where it was wrong, the right answer below it (in the saved run, for one of the sixteen). On Shapes-10 the recipe `quick` ended at
# {{min(accuracies("shapes10_quick")):.1%}} to {{max(accuracies("shapes10_quick")):.1%}} for three seeds.
# {{assert len(accuracies("shapes10_quick")) == 3}}
# CIFAR-10 is much harder: the recipe `cpu` (five passes over all 50,000 images, less than five minutes on two CPU cores) got {{min(accuracies("cifar10_cpu")):.1%}} to {{max(accuracies("cifar10_cpu")):.1%}} of the {{records("cifar10_cpu")[0].judged_on:s}} images right.
# {{assert all(run.training.epochs == 5 and run.seconds < 300 for run in records("cifar10_cpu"))}}
# {{assert below(accuracies("cifar10_cpu"), accuracies("shapes10_quick"))}}
# (At the quick budget
# this notebook shows CIFAR-10's first 10,000 images only, so expect less.)
#
# ## 4 · Look where it looks
#
# The model cut each image into 8 × 8 = 64 patches of 4 × 4 pixels and made a vector of each, a **token**. In front of them it put one more: the **class
# token**. It is the only one that the classifier reads. All it knows about an image it has gathered from the others, by *attention*: a share for each of the
# 65 tokens, itself included, summing to 1. The shares of the 64 patches can be drawn over the image.

# %%
from vit_minimal import attention_maps

maps = attention_maps(model, shown[:6]).cpu()  # (L, B, h, T, T): layers, images, heads, from, to
last = maps[-1].mean(dim=1)  # the last layer, averaged over its heads
class_token_looks = last[:, 0, 1:].reshape(-1, 8, 8)  # from token 0 to the patches
plots.show_heat(shown[:6], class_token_looks, verdicts[:6])

# %% [markdown]
# The upper row shows the images, the lower row how much attention the class token pays to each patch in the last layer. (An equal share for all would be
# 1/65 ≈ 0.015.) In the saved run the bright squares lie mostly on the shape, and often on an edge or a tip of it, but not only there. Did this pattern come from
# training? A control: the same model with the weights it started from.

# %%
seed_everything(0)
untrained = VisionTransformer(recipe.model)
maps = attention_maps(untrained, shown[:6])
start = maps[-1].mean(dim=1)[:, 0, 1:].reshape(-1, 8, 8)
plots.show_heat(shown[:6], start, limit=class_token_looks.max())

# %% [markdown] tags=["exercise-only"]
# # Exercises 00 · Start here
#
# They go with notebook [00](../00_start_here.ipynb) and need nothing but Python and a little PyTorch. What to know: an image of H × W pixels is cut into patches of P × P, each becomes a *token*, one more token (the class token) is put in front, and the model gives ten scores, its *logits*, one for each class.

# %% tags=["exercise-only"]
import torch

from checks import check
from checks.start_here import loss_after_training

# %% [markdown] tags=["exercise:sequence_length"]
# An image of 32 × 32 pixels is cut into patches of 8 × 8. How many tokens enter the first block? Write down a number before you run the check.
#
# Hint: How many patches fit along one side? And along both?
#
# Hint: In notebook 00 patches of 4 × 4 pixels made a grid of 8 × 8 patches, and 65 tokens.
#
# Solution: 32 / 8 = 4 along each side, so 16 patches, and the class token.

# %% tags=["exercise-only", "exercise:sequence_length"]
# solution
# | sequence_length = ...
sequence_length = (32 // 8) ** 2 + 1
# end of solution

# %% [markdown] tags=["exercise:guessing_loss"]
# A model that knows nothing gives each of ten classes the same share, 1/10. What is its cross-entropy loss? Three digits will do; or let Python work it out.
#
# Hint: The cross-entropy of an image is minus the natural logarithm of the share that its right class was given.
#
# Hint: `import math`, then `math.log`. Is the result positive?
#
# Solution: −ln(1/10) = ln 10 ≈ 2.303. Remember this number: a training that stays there has learned nothing.

# %% tags=["exercise-only", "exercise:guessing_loss"]
# solution
# | guessing_loss = ...
guessing_loss = -torch.tensor(1 / 10).log().item()
# end of solution

# %% [markdown] tags=["exercise:accuracy"]
# Write a function that takes logits (B, K), for B images and K classes, and labels (B,), and gives the share of images whose largest logit is that of their class: a plain number, 0 … 1.
#
# Hint: `argmax` says *where* the largest number is. Along which axis do the classes lie?
#
# Hint: Comparing two tensors gives True and False; `.float().mean()` of that is a share, and `.item()` takes the number out of a tensor.


# %% tags=["exercise-only", "exercise:accuracy"]
def accuracy(logits, labels):
    """The share of right answers, 0 … 1, from logits (B, K) and labels (B,)."""
    # solution
    # | return ...  # your code
    return (logits.argmax(dim=1) == labels).float().mean().item()
    # end of solution


# %% [markdown] tags=["exercise:learning_rate"]
# *Measure and conclude.* `loss_after_training(rate)` trains a small ViT for 60 steps on 100 drawn images and returns its last loss on them. It takes some seconds. At a rate of 1e-5 and at 0.5 it does badly. Find a rate at which the loss ends below 0.5, and look at what happens on both sides of it.
#
# Hint: Rates are tried in powers of ten: 1e-4, 1e-3, … Where does the loss stop falling and begin to rise?
#
# Hint: `for rate in (1e-4, 1e-3, 1e-2, 1e-1): print(rate, loss_after_training(rate))`
#
# Solution: Too small, and 60 steps lead nowhere; too large, and the loss jumps about or stays where guessing is. In between there is a range, somewhat wider than one power of ten. Any rate in it will do.

# %% tags=["exercise-only", "exercise:learning_rate"]
print(loss_after_training(1e-5), loss_after_training(0.5))

# solution
# | learning_rate = ...
learning_rate = 2e-3
# end of solution

# %% [markdown]
# On the same scale, an untrained class token looks everywhere alike: the contrast came with training. It does not tell us what the model responds to, the shape,
# its edges or its brightness. And whether *looking at* a patch means *using* it is another question: keep it in mind.
#
# ## 5 · What you will be able to explain
#
# At the end of notebook 04 you will have seen every line of the model above being built, and be able to say
#
# - why cutting an image into patches takes a permute and not only a reshape (01),
# - why the class token is the same for all images at the start, and how it comes to know one image from another (02),
# - why a Transformer without positions cannot tell an image from its shuffled pieces (02),
# - what queries, keys and values are, and what the √d is for (03),
# - what the residual stream is, and where the parameters and the operations are (04),
# - how to be sure that a model is right *before* training it (04).
#
# > **Keep this:** a Vision Transformer is a sequence model on patches. In this one an extra token gathers what is needed, and one linear layer reads it.
#
# ## If something went wrong
#
# | you see | the cause | what to do |
# |---|---|---|
# | `The package vit_minimal is not here` | the notebook runs in another Python | start with `python3 start.py` |
# | the loss stays at 2.30 | a broken cell above, or a changed learning rate | Kernel → Restart Kernel and Run All Cells |
# | training takes many minutes | a busy or older machine | close other programs, or train for less: `from dataclasses import replace`, then `fit(model, dataset, replace(recipe.training, epochs=2))` |
#
# ---
#
# **Try it yourself:** [exercises 00](exercises/00_start_here.ipynb), with checks that say what is wrong.
#
# **Next: [01 · Patches](01_patches.ipynb).** How does an image become a sequence?
