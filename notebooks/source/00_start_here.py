# %% [markdown]
# # 00 · Start here: a Vision Transformer in five steps
#
# A model that looks at a photograph and says "cat": what does it look *at*? Run the next two cells (Shift + Enter) and see for yourself. The first one is the set-up cell, with which every notebook begins. It is folded, and it prints nothing if all is well.

# %%
from pathlib import Path

from skimage import data

from vit_minimal import attention_maps, diagrams, load_checkpoint, load_image

photo = Path(data.__file__).with_name("chelsea.png")  # a cat that comes with scikit-image
image = load_image(photo, 32)  # what the model gets: 3 × 32 × 32 numbers
trained = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")

maps = attention_maps(trained, image[None]).mean(dim=2)  # (L, B, T, T), the mean over heads
class_token_looks = maps[:, 0, 0, 1:]  # (L, N): in each block, from the class token to the patches
last_three = ["block 4", "block 5", "block 6"]
diagrams.attention_over(
    load_image(photo, 256), class_token_looks[3:], (8, 8), last_three, columns=2
)

# %% [markdown]
# On the top left is the photograph. In the other three pictures, the more purple a place is, the more the model looks at it. The number below each is the share of its attention that full purple stands for. In block 4 that is the eyes. In block 5 it is the nose and, oddly, a corner of the background. In block 6 it is the stripes on the forehead, and a little of many other places. Nobody told the model where a cat keeps its eyes. It was shown 50,000 small images and the name of what is on each, and the rest it worked out by itself.
#
# Who is looking? The photograph was shrunk to 32 × 32 pixels and cut into 8 × 8 = 64 squares of 4 × 4 pixels, the *patches*. To these the model adds one vector of its own, the **class token**. At first it is the same for every picture. Then it passes through six *blocks*, one after the other, and in each of them it looks at the patches and takes something from each: a lot from the purple ones, little from the pale ones. After the sixth, the model reads the class token, and nothing but the class token, to give its answer:

# %%
from vit_minimal.augment import normalize
from vit_minimal.data import CIFAR10_CLASSES

answer = trained(normalize(image[None])).softmax(dim=1)[0]  # a share for each of ten classes
for share, label in zip(*answer.topk(3), strict=True):
    print(f"{share:.0%} {CIFAR10_CLASSES[label]}")

# %% [markdown]
# It is a cat, and a cat is what it was. (Her name is Chelsea.)
#
# Every part of this model is built in front of you in notebooks 01 to 04, in about {{sum([minutes_to_read("01_patches"), minutes_to_read("02_class_token"), minutes_to_read("03_attention"), minutes_to_read("04_vision_transformer")]):d}} minutes of reading, starting from an empty cell. In notebook 06 you will find out whether *looking at* a patch also means *using* it. (Not always!) And before this page ends, you will have trained a small one of your own.
#
# **After this notebook you** will know that your machine is ready. You will have trained a Vision Transformer, asked it for predictions, and seen where it looks. You need not understand how yet, because that is what the other notebooks are for.
#
# | | |
# |---|---|
# | You need | Python, and to have seen PyTorch before |
# | Time to read | about 20 minutes |
# | Time to run | {{notebook_seconds("00_start_here"):about}} on two cores of a recent server CPU, {{notebook_seconds("00_start_here", "float32"):about}} on one core of an older one; no GPU needed |
# | Package module | `vit_minimal/machine.py` |
#
# ## Is my machine ready?
#
# The next cell looks around. ✓ means fine; ! is followed by what to fix.

# %%
from vit_minimal import check_machine
from vit_minimal.data import data_root

if check_machine(data_root()):
    print("\nReady.")

# %% [markdown]
# <details><summary>What these lines mean, and what you can change</summary>
#
# - **Device:** if PyTorch can use a GPU, so does the course. Everything runs on a laptop's CPU too. A Mac's GPU is used if PyTorch offers it, but we have not tested this, nor the course on Windows. The precision is the kind of number in matrix products. It is float32, or a 16-bit kind where the hardware is faster with that: float16 on a T4, bfloat16 on newer GPUs and on some CPUs.
# - **Budget:** `quick` means one to four minutes per experiment, and `full` is what a GPU is for. With a CUDA GPU you get `full`, otherwise `quick` (on Apple's GPUs as well). The environment variable `VIT_MINIMAL_BUDGET` overrides this choice.
# - **Data:** CIFAR-10 is a set of 60,000 small photographs in ten classes, the usual one for models of this size. If it is not on your disk, the course draws a set of its own, **Shapes-10**, in seconds and without a network. To download CIFAR-10 (170 MB), run `from vit_minimal import load_cifar10; load_cifar10()` once. `VIT_MINIMAL_DATASET` says which set the notebooks take: `auto`, `cifar10` or `shapes10`.
#
# Set such a variable before you start, or in a first cell: `%env VIT_MINIMAL_DATASET=shapes10`.
#
# </details>
#
# ## The map
#
# Where is all this going? Here is the whole model that has just looked at the cat, and the notebook that builds each part of it.

# %%
scores = dict(zip(CIFAR10_CLASSES, answer.tolist(), strict=True))
diagrams.overview(image, scores=scores)

# %% [markdown]
# Read it like a comic strip, from the top left to the bottom right. An image is cut into patches, and each patch becomes a vector, a **token** (notebook 01). The orange class token joins them, and every token is told its position (02). In each block, **attention** lets the tokens take from one another, and an **MLP**, a small network, works on each token by itself (03, 04). At the end a linear layer, the **head**, turns the class token into a score for each class (04). You will meet this diagram again at the top of each of these notebooks, with that notebook's part highlighted. The letters stand for numbers that you will meet again: B images in a batch, N patches, T = N + 1 tokens, D numbers in a token, L blocks.
#
# | notebook | the question it answers | package module | to read | to run |
# |---|---|---|---|---|
# | **00 Start here** | is my machine ready, and where is this going? | `machine.py` | {{minutes_to_read("00_start_here"):d}} min | {{notebook_seconds("00_start_here"):about}} |
# | [01 Patches](01_patches.ipynb) | how does an image become a sequence? | `patches.py` | {{minutes_to_read("01_patches"):d}} min | {{notebook_seconds("01_patches"):about}} |
# | [02 The class token](02_class_token.ipynb) | which vector do we read at the end, and how does a model know where each patch was? | `class_token.py` | {{minutes_to_read("02_class_token"):d}} min | {{notebook_seconds("02_class_token"):about}} |
# | [03 Attention](03_attention.ipynb) | how do tokens exchange what they hold? | `attention.py` | {{minutes_to_read("03_attention"):d}} min | {{notebook_seconds("03_attention"):about}} |
# | [04 The Vision Transformer](04_vision_transformer.ipynb) | how does it all fit together, and is it right? | `vision_transformer.py` | {{minutes_to_read("04_vision_transformer"):d}} min | {{notebook_seconds("04_vision_transformer"):about}} |
# | [05 Training on CIFAR-10](05_training_on_cifar10.ipynb) | what does each ingredient of a recipe give, and how do I stop and resume? | `data/`, `augment.py`, `training/` | {{minutes_to_read("05_training_on_cifar10"):d}} min | {{notebook_seconds("05_training_on_cifar10"):about}} |
# | [06 Inside the class token](06_inside_the_class_token.ipynb) | what does it gather, from where, and in which block? | `inspection.py`, `explorer.py` | {{minutes_to_read("06_inside_the_class_token"):d}} min | {{notebook_seconds("06_inside_the_class_token"):about}} |
# | [07 Pitfalls: how a model starts](07_pitfalls_initialization.ipynb) | which starts cannot learn, and how would I know before the first step? | `experiments/`, `variants.py` | {{minutes_to_read("07_pitfalls_initialization"):d}} min | {{notebook_seconds("07_pitfalls_initialization"):about}} |
# | [08 Pitfalls: the size of a patch](08_pitfalls_patch_size.ipynb) | what does a patch size cost, and what does it give? | `experiments/` | {{minutes_to_read("08_pitfalls_patch_size"):d}} min | {{notebook_seconds("08_pitfalls_patch_size"):about}} |
# | [09 Pitfalls: the class token mishandled](09_pitfalls_class_token.ipynb) | what if it is read from the wrong place, and what are its rivals? | `variants.py`, `experiments/` | {{minutes_to_read("09_pitfalls_class_token"):d}} min | {{notebook_seconds("09_pitfalls_class_token"):about}} |
# | [10 Claims, put to the test](10_claims_put_to_the_test.ipynb) | which of the things that are commonly said are true? | `data/results/` | {{minutes_to_read("10_claims_put_to_the_test"):d}} min | {{notebook_seconds("10_claims_put_to_the_test"):about}} |
#
# The reading times are a guess. Each notebook has exercises beside it, which check themselves: [these](exercises/00_start_here.ipynb) go with this one. Whatever a notebook builds is also in the package `vit_minimal`, and a comment such as `# vit_minimal/patches.py` tells you where. A test makes sure that the two never differ. If you teach, there is [a guide](exercises/README.md) for you.
#
# <details><summary>How the running times were measured</summary>
#
# From top to bottom, at the budget `quick`, on two cores of a recent server CPU, which has instructions for bfloat16, and rounded ([the records](../data/results/notebook_times.json)). On one core of a processor without them, a notebook took up to four times as long. On a GPU the notebooks train longer models, and on a T4 they have not been timed yet.
# {{assert all("2 threads" in run.hardware for run in records("notebook_times").bfloat16.values())}}
# {{assert all(", 1 thread" in run.hardware for run in records("notebook_times").float32.values())}}
# {{assert 3.5 < max(notebook_seconds(name, "float32") / notebook_seconds(name) for name in records("notebook_times").float32) < 4.5}}
#
# </details>
#
# Now the whole story once, in five steps, with a model of your own. The training takes one to four minutes, depending on your machine, and all the rest takes seconds.
#
# ## 1 · Load
#
# What does a model learn from? From images whose right answer is known.

# %%
from vit_minimal import load_dataset, pick_budget, plots

dataset = load_dataset()
if pick_budget() == "quick":  # without a GPU
    dataset = dataset.first(10_000, 2_000)  # enough to learn something in minutes

names = [dataset.class_names[label] for label in dataset.train_labels[:12]]
plots.show_images(dataset.train_images[:12], names, columns=6, size=1.15)

# %% [markdown]
# Here are twelve of the training images with their classes. Each has 32 × 32 pixels. In the run saved here they are from Shapes-10, ten kinds of shapes that the course draws for itself, so that nobody has to wait for a download. They look easy, but try to describe a "ring" by its pixels! Its place, size and colours are random, it may be bright on dark or dark on bright, it is slightly tilted, and there is clutter around it. The best of five linear classifiers on the raw pixels gets {{max(run.accuracy for run in record("shapes10_linear").runs):.0%}} of the Shapes-10 test images right. Guessing is right for 10 % of them.
# {{assert len(record("shapes10_linear").runs) == 5}}
#
# ## 2 · Train
#
# Can a Vision Transformer do better? This one is small and starts from random numbers, so at this moment it knows nothing at all.

# %%
from vit_minimal import RECIPES, VisionTransformer, fit, seed_everything

recipe = RECIPES["quick" if pick_budget() == "quick" else "cpu"]
seed_everything(0)
model = VisionTransformer(recipe.model)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

history = fit(model, dataset, recipe.training)

# %% [markdown]
# Each line that begins with "epoch" stands for one pass over the training images, an *epoch*. It shows the loss, which is small when the right class gets a large share, then the accuracy on the training images, the speed, and the time left. Loss and accuracy are averages over the epoch, while the model is learning.
#
# How bad is bad? A model that knows nothing gives each of the ten classes a share of 1/10. The loss of an image is minus the logarithm of the share that its right class was given, so here it is −ln(1/10) = 2.30, the dotted line below.

# %%
epochs = range(1, len(history.train_loss) + 1)
guessing = ("guessing: ln 10", 2.303)
losses = {"loss": history.train_loss}
plots.show_lines(epochs, losses, "epoch", "training loss", "It learns", guessing)

# %% [markdown]
# Look at the first point: even the average over the very first epoch lies below the dotted line. If a model of yours ever stays *on* this line, it is not learning. Something is broken, and you need not wait for the end.
#
# ## 3 · Predict
#
# Has it understood something, or has it learned its training images by heart? What counts is what the model does with images that it has never seen.

# %%
from vit_minimal import evaluate

accuracy = evaluate(model, dataset.test_images, dataset.test_labels)
print(f"{accuracy:.1%} of {len(dataset.test_labels):,} test images right")

# %%
import torch

images, labels = dataset.test_images[:200], dataset.test_labels[:200]
device = next(model.parameters()).device
with torch.no_grad():
    scores = model.eval()(normalize(images.to(device)))  # (200, 10), a score for each class
guesses = scores.argmax(dim=1).cpu()

mistakes = torch.nonzero(guesses != labels).flatten()
chosen = [0, 1, 2, 3, 4, 5, *mistakes[:6].tolist()]

# %% [markdown]
# A list of successes is dull, so the upper row shows the first six test images, and the lower row the first six that the model gets wrong. Whatever is wrong has a red border.

# %%
import matplotlib.pyplot as plt

_, axes = plt.subplots(2, 6, figsize=(7, 3.1), layout="constrained")
verdicts = []
for axis, i in zip(axes.flat, chosen, strict=False):
    answer, truth = dataset.class_names[guesses[i]], dataset.class_names[labels[i]]
    colour, width = ("black", 0.5) if answer == truth else ("#C00000", 4)
    verdicts.append(answer if answer == truth else f"{answer}?\nno, {truth}")
    axis.imshow(plots.as_picture(images[i]))
    axis.set(xticks=[], yticks=[])
    axis.set_title(verdicts[-1], color=colour)
    axis.spines[:].set(color=colour, linewidth=width)
plots.show("six test images, and six that the model gets wrong", parts=verdicts)

# %% [markdown]
# Look at the lower row. You would have got most of these at a glance, so why did the model not? In the run saved here three of the six mistakes mix up a ring and a frame. Both are a band around a hole, and at this size the corners are nearly all that tells them apart.
#
# On Shapes-10 the recipe `quick` ended at {{min(accuracies("shapes10_quick")):.1%}} to {{max(accuracies("shapes10_quick")):.1%}} for three seeds, that is, for three different random starts.
# {{assert len(accuracies("shapes10_quick")) == 3}}
# Photographs are much harder. On CIFAR-10 the recipe `cpu`, five passes over all 50,000 images in less than five minutes on two CPU cores, got {{min(accuracies("cifar10_cpu")):.1%}} to {{max(accuracies("cifar10_cpu")):.1%}} of the {{records("cifar10_cpu")[0].judged_on:s}} images right.
# {{assert all(run.training.epochs == 5 and run.seconds < 300 for run in records("cifar10_cpu"))}}
# {{assert below(accuracies("cifar10_cpu"), accuracies("shapes10_quick"))}}
# Without a GPU this notebook shows the model only the first 10,000 of its 50,000 training images, so expect less if you run it on CIFAR-10.
#
# ## 4 · Look where it looks
#
# Where does *your* class token look? Like the one that looked at the cat, it pays each of the 65 tokens a share of its attention, and the shares sum to 1. One of the 65 is the class token itself, and its share is not drawn. Below, the shares of the 64 patches are laid over three images. Each map has its own scale: full purple is its largest share, and that is the number written below it. In the middle is your model, and on the right, as a control, the same model with the random weights that it started from.

# %%
seed_everything(0)
untrained = VisionTransformer(recipe.model)


def last_look(model, images):
    """How the class token shares its attention in the last block: (B, N), the mean over heads."""
    last = attention_maps(model, images)[-1].mean(dim=1)  # (B, T, T)
    return last[:, 0, 1:].cpu()  # from token 0 to the patches


for i in (chosen[0], chosen[1], chosen[6]):  # two right ones, and the first mistake
    one = images[i : i + 1]  # (1, 3, 32, 32)
    pair = torch.cat([last_look(model, one), last_look(untrained, one)])  # (2, N)
    diagrams.attention_over(images[i], pair, (8, 8), ["trained", "untrained"], columns=3)

# %% [markdown] tags=["exercise-only"]
# # Exercises 00 · Start here
#
# These exercises go with notebook [00](../00_start_here.ipynb) and need nothing but Python and a little PyTorch. This is what you should know: an image of H × W pixels is cut into patches of P × P. Each patch becomes a *token*, and one more token, the class token, is put in front. At the end the model gives ten scores, its *logits*, one for each class.

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
# A model that knows nothing gives each of ten classes the same share, 1/10. What is its cross-entropy loss? Give three digits, or let Python work it out.
#
# Hint: The cross-entropy of an image is minus the natural logarithm of the share that its right class was given.
#
# Hint: `import math`, then `math.log`. Is the result positive?
#
# Solution: −ln(1/10) = ln 10 ≈ 2.303. Remember this number: a model whose loss stays there has learned nothing.

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
# *Measure and conclude.* `loss_after_training(rate)` trains a small ViT for 60 steps on 100 drawn images and returns its last loss on them. It takes some seconds. At a learning rate of 1e-5 it does badly, and at 0.5 as well. Find a rate at which the loss ends below 0.5, and look at what happens on both sides of it.
#
# Hint: Rates are tried in powers of ten: 1e-4, 1e-3, … Where does the loss stop falling and begin to rise?
#
# Hint: `for rate in (1e-4, 1e-3, 1e-2, 1e-1): print(rate, loss_after_training(rate))`
#
# Solution: If the rate is too small, 60 steps lead nowhere. If it is too large, the loss jumps about or stays where guessing is. In between lies a range that is somewhat wider than one power of ten, and any rate in it will do.

# %% tags=["exercise-only", "exercise:learning_rate"]
print(loss_after_training(1e-5), loss_after_training(0.5))

# solution
# | learning_rate = ...
learning_rate = 2e-3
# end of solution

# %% [markdown]
# Look at the right column first. The untrained class token spreads its attention evenly: every patch gets about 1/65 of it, or 1.5 %. On its own scale all places are therefore equally purple, and the small number below tells that there is nothing to see. The middle column is what training has made of that. In the run saved here a handful of patches get most of the attention, and the most purple patch of each image gets between a fifth and a third of it. Most of these patches lie on the shape or at its edge. The third image is the first of the mistakes, the ring that was taken for a frame: the model looks at two pieces of its band and at little else.
#
# We had to look at the right column before we could say any of this. Without a control, a pattern might come from the image, or from the way the model is built. This one came with training. It does not tell us yet *what* the model responds to, be it the shape, its edges or its brightness, nor whether it uses all that it looks at. Keep that in mind until notebook 06.
#
# And something that is none of the ten classes? Let us show the model from the top of the page, the one that knows photographs, a rocket.

# %%
rocket = photo.with_name("rocket.jpg")
image = load_image(rocket, 32)
answer = trained(normalize(image[None])).softmax(dim=1)[0]
for share, label in zip(*answer.topk(3), strict=True):
    print(f"{share:.0%} {CIFAR10_CLASSES[label]}")

looks = last_look(trained, image[None])
diagrams.attention_over(load_image(rocket, 256), looks, (8, 8), ["block 6"])

# %% [markdown]
# It says that the rocket is a ship. Before you laugh: the model has ten words, and none of them is "rocket". It must always answer with one of the ten, and its shares always sum to 1. Something tall and white with masts beside it and lights at its foot: of all ten, a ship is not the worst guess.
#
# The map is worth a second look. Among the most purple patches are the tip of the rocket, the two towers, and the ground with its lights, but also a strip of plain sky on the right. The model looks mostly at sensible places, and it is wrong all the same. A map of attention shows where a model looks. It does not show what the model makes of it.
#
# ## 5 · What you will be able to explain
#
# At the end of notebook 04 you will have seen every line of your model being built. You will be able to say
#
# - why cutting an image into patches takes a permute and not only a reshape (01),
# - why the class token is the same for all images at the start, and how it comes to differ from one image to the next (02),
# - why a Transformer without positions cannot tell an image from its shuffled pieces (02),
# - what queries, keys and values are, and what the √d is for (03),
# - what the residual stream is, and where the parameters and the operations are (04),
# - how to be sure that a model is right *before* you train it (04).
#
# ## Recap
#
# You have loaded images, trained a Vision Transformer for five epochs, asked it about images that it had never seen, and looked at its attention. The untrained control has shown that, on these images, the pattern comes from training. Two models have been wrong before your eyes, one on a shape and one on a rocket.
#
# > **Remember:** a Vision Transformer is a sequence model on patches. In this one an extra token, the class token, gathers what is needed, and one linear layer reads it.
#
# ## Questions
#
# **1.** The photograph was cut into 8 × 8 patches. How many tokens pass through each block?
#
# <details><summary>Answer</summary>
#
# 65: one for each of the 64 patches, and the class token.
#
# </details>
#
# **2.** Your training starts at a loss of 2.30 and is still there after three epochs. What do you know?
#
# <details><summary>Answer</summary>
#
# The model does what guessing does, so it has learned nothing. More epochs will hardly help. Look for what is broken: a learning rate that is far too high, a layer that gets no gradient, labels that do not belong to their images.
#
# </details>
#
# **3.** Why did we lay the attention of an *untrained* model over the same images?
#
# <details><summary>Answer</summary>
#
# To have something to compare with. If the untrained map had shown the same purple patches, they would have come from the images or from the way the model is built, and not from what it has learned.
#
# </details>
#
# ## If something went wrong
#
# | you see | the cause | what to do |
# |---|---|---|
# | `The package vit_minimal is not here` | the notebook runs in another Python | start with `python3 start.py` (on Windows `py start.py`), or choose the Python in `.venv` as the kernel |
# | in Kaggle the first cell fails | there the network is switched off | switch on *Internet* in the notebook's settings, which needs a verified account |
# | the loss stays at 2.30 | a broken cell above, or a changed learning rate | Kernel → Restart Kernel and Run All Cells |
# | training takes many minutes | a busy or older machine | close other programs, or train for less: `from dataclasses import replace`, then `fit(model, dataset, replace(recipe.training, epochs=2))` |
# | it learns, but the accuracy is low | too few epochs or images | on all of CIFAR-10 five epochs give {{mean(accuracies("cifar10_cpu")):.0%}} and sixty {{record("cifar10_cpu_long").accuracy:.0%}}{{assert records("cifar10_cpu")[0].training.epochs == 5 and record("cifar10_cpu_long").training.epochs == 60}} |
# | `num_heads 3 does not divide embed_dim 64` | two sizes do not fit | the message names them: the heads must divide the width, and the patch must divide height and width of the image |
# | out of memory | too many images at once, or too many tokens | a smaller batch, or larger patches ([notebook 08](08_pitfalls_patch_size.ipynb)) |
# | a hosted notebook has forgotten everything | its disk lasts as long as its session | [notebook 05](05_training_on_cifar10.ipynb) has a cell that keeps checkpoints on Google Drive |
#
# ---
#
# **Try it yourself:** the [exercises](exercises/00_start_here.ipynb) check your answers and tell you what is wrong with them.
#
# **Next: [01 · Patches](01_patches.ipynb).** How does an image become a sequence?
