# %% [markdown]
# # 00 · Start here: your first Vision Transformer
#
# A model that looks at a photograph and says "cat": what does it look *at*? Run the cells from the top, one after another, with Shift + Enter, and see for yourself. The first cell only sets things up. It may be folded away, and it prints nothing if all is well.
#
# | | |
# |---|---|
# | You need | Python, and to have seen PyTorch before |
# | You will have | tested whether a model needs what it looks at, trained a small one of your own, and looked inside it |
# | Time to read | about 18 minutes |
# | Time to run | about {{notebook_seconds("00_start_here"):about}} on two cores of a recent server CPU, {{notebook_seconds("00_start_here", "float32"):about}} on one core of an older one, and longer if the machine is busy; no GPU needed |
# | Package module | `vit_minimal/machine.py` |

# %% [markdown]
# ## Where does a model look?
#
# Here is a photo, and a **Vision Transformer** (ViT) that comes with this course, already trained. We call it the **shipped model**, and `shipped` in code. The next cell draws where it looks.

# %%
from pathlib import Path

from skimage import data

from vit_minimal import attention_maps, diagrams, load_checkpoint, load_image

photo = Path(data.__file__).with_name("chelsea.png")  # a cat that comes with scikit-image
cat = load_image(photo, 32)  # what the model gets: 3 × 32 × 32 whole numbers, 0 … 255
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")

maps = attention_maps(shipped, cat[None])  # 6 blocks, 1 image, 3 heads, 65 tokens × 65 tokens
looks = maps.mean(dim=2)[:, 0, 0, 1:]  # (6, 64): mean over heads; from token 0 to the 64 patches
last_three = ["block 4", "block 5", "block 6"]
large = load_image(photo, 256)
diagrams.attention_over(large, looks[3:], (8, 8), last_three, columns=2, full=0.08)

# %% [markdown]
# On the top left is the photograph, sharp, for your eyes. In the other three pictures, the more purple a place is, the more the model looks at it, or, as people say, *attends to* it. If the attention were spread evenly, each square would get about 1.5 %. A fully purple square gets 8 % or more.
#
# The model is a chain of six *blocks*, and these are the last three. In block 4 it looks at the eyes. In block 5 it looks at the nose and, oddly, at a corner of the background. In block 6 it looks at the stripes on the forehead, and a little at many other places. Nobody told it where a cat's eyes are: it was given 50,000 small images and their classes.
#
# ## Who is looking?
#
# The model does not get the sharp photo. It gets 32 × 32 pixels, and it cuts them into a grid of 8 × 8 squares, the *patches*, of 4 × 4 pixels each.

# %%
from vit_minimal import plots


def with_grid(images):
    """Images (…, 32, 32), 4 times as large, with a white line between the patches."""
    images = images.repeat_interleave(4, dim=-2).repeat_interleave(4, dim=-1)
    images[..., ::16, :] = 255
    images[..., ::16] = 255
    return images


plots.show_images([with_grid(cat)], ["what the model gets"], columns=1, size=2.6)

# %% [markdown]
# Each patch becomes a vector, called a **token**. In front of these 64 tokens the model puts one more, which comes from no patch: the **class token**. It is the class token that looks. A patch's token describes, at first, its own patch only, but the class token is free to collect from all of them whatever helps to name the image. In each block it takes something from the patches: a lot from the purple ones, little from the pale ones. (It looks through three *heads* at once, and the pictures show their mean.)
#
# After the last block the model reads the class token, and nothing else, to give its answer: a score for each of ten classes. A function called *softmax* turns the scores into probabilities: none is negative, and they add up to 1. What are they for the cat?

# %%
import torch

from vit_minimal.augment import normalize
from vit_minimal.data import CIFAR10_CLASSES

with torch.inference_mode():  # nothing will be learned from this
    scores = shipped(normalize(cat[None]))[0]  # ten scores; the model wants scaled pixels
for probability, label in zip(*scores.softmax(dim=0).topk(3), strict=True):
    print(f"{probability:.0%} {CIFAR10_CLASSES[label]}")

# %% [markdown]
# These are the three largest. The model says cat, and it is right. (Her name is Chelsea.) How often is it right? It classifies {{record("cifar10_cpu_long").accuracy:.1%}} of 10,000 test photographs correctly, none of which it had seen. That the two numbers are so close is an accident: one is a probability for one photo, the other a share of 10,000 photos.
# {{assert round(100 * record("cifar10_cpu_long").accuracy) == 89}}
# {{assert record("cifar10_cpu_long").judged_on == "10,000 test"}}
#
# ## Does it need what it looks at?
#
# A map cannot tell. An experiment can: we cover the eight patches that got the most attention in a block with the mean colour of the photo, and show the model the covered cat.

# %%
from vit_minimal import patchify, unpatchify

mean_colour = cat.float().mean(dim=(1, 2)).to(torch.uint8).repeat_interleave(16)  # of one patch


def most_attended(block):
    """Which eight patches got the most attention in this block: (8, 8), true or false."""
    chosen = torch.zeros(64, dtype=torch.bool)
    chosen[looks[block - 1].topk(8).indices] = True
    return chosen.reshape(8, 8)


def cover(chosen):
    """The cat (3, 32, 32), with the chosen patches covered."""
    patches = patchify(cat[None], 4)  # (1, 64, 48)
    patches[0, chosen.flatten()] = mean_colour
    return unpatchify(patches, 4, image_size=32)[0]


# %% [markdown]
# A cat with brown squares is an unusual image, and the squares alone could make the model less sure. So we need a control: the same squares in the same arrangement, but elsewhere. What leaves on one side comes back on the other.

# %%
own_place = most_attended(4)
elsewhere = own_place.roll((3, 2), dims=(0, 1))  # 3 patches down, 2 to the right
titles = ["where block 4 looks", "moved: 3 down, 2 right"]
plots.show_images([cover(own_place), cover(elsewhere)], titles, columns=2, size=2.4)

# %% [markdown]
# There are 8 × 8 such moves, less the one that moves nothing: 63 other places. For each block we compute the probability of "cat" with the squares where it looks, and at all the other places.


# %%
@torch.inference_mode()
def probability_of_cat(image):
    """The probability that the model gives to "cat", 0 … 1."""
    return shipped(normalize(image[None]))[0].softmax(dim=0)[CIFAR10_CLASSES.index("cat")].item()


covered, moved = {}, {}
for block in (4, 5, 6):
    chosen = most_attended(block)
    covered[block] = probability_of_cat(cover(chosen))
    moves = [(down, right) for down in range(8) for right in range(8) if down or right]
    moved[block] = [probability_of_cat(cover(chosen.roll(move, dims=(0, 1)))) for move in moves]

# %% [markdown]
# Before you look, guess: which of the three blocks looked at the places that matter most? Purple frames mark the covered patches. (Cells that only draw, like this one, have their code folded: a click shows it.)

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

purple = "#AA4499"  # the colour of attention in this course
_, axes = plt.subplot_mosaic([[4, 5, 6], ["dots"] * 3], figsize=(6, 5), layout="constrained")
for row, block in enumerate(covered):
    axes[block].imshow(plots.as_picture(cover(most_attended(block))))
    for down, right in most_attended(block).nonzero().tolist():
        frame = Rectangle((4 * right - 0.5, 4 * down - 0.5), 4, 4, ec=purple, fc="none", lw=1.5)
        axes[block].add_patch(frame)
    axes[block].set(title=f"block {block}: {covered[block]:.0%} cat", xticks=[], yticks=[])
    grey = axes["dots"].plot(moved[block], [row] * 63, "o", color="gray", alpha=0.4, markersize=6)
    own = axes["dots"].plot(covered[block], row, "D", color=purple, markersize=9)
line = axes["dots"].axvline(probability_of_cat(cat), color="black", linestyle=":")
words = ["where it looks", "63 other places", "uncovered"]
axes["dots"].figure.legend([*own, *grey, line], words, loc="outside lower center", ncols=3)
axes["dots"].set_yticks(range(3), [f"block {block}" for block in covered])
axes["dots"].set(ylim=(2.5, -0.5), xlabel='probability of "cat"')
axes["dots"].xaxis.set_major_formatter("{x:.0%}")
said = [
    f"block {block}: {left:.0%}, moved {min(moved[block]):.0%} to {max(moved[block]):.0%}"
    for block, left in covered.items()
]
plots.show("the cat with eight patches covered, and the probabilities of cat", parts=said)
for block, left in covered.items():
    rank = 1 + sum(other <= left for other in moved[block])
    print(f"block {block}: where it looks has rank {rank} of 64 (1 does the most harm)")

# %% [markdown]
# Each row of the plot belongs to the picture with the same block. The purple diamond is that picture, and the grey dots are the same squares elsewhere.
#
# - What **block 6** looks at matters most. Without it, the probability of "cat" falls from 89 % to 49 %, and of all 64 places this one does the most harm.
# - **Block 4** looks at the eyes. Without them, the probability falls to 74 %, but that is only the middle of the ranking: about half of the other places do more harm.
# - What **block 5** looks at matters least. Its place is the 63rd of 64.
#
# So in this test the map on the eyes, which looks so convincing, marks nothing special. One photograph and eight patches prove little, and notebook 06 makes such tests on thousands of images.
#
# Such models are worth understanding. The Vision Transformer is [from 2020](https://arxiv.org/abs/2010.11929), and today it is the part that sees in [CLIP](https://arxiv.org/abs/2103.00020), in [Segment Anything](https://arxiv.org/abs/2304.02643) and in many chat models that accept images.
#
# ## 1 · Load
#
# Now the whole story with a model of your own, in four steps: load, train, predict, look. First, is your machine ready? ✓ means fine; ! is followed by what to fix.

# %%
from vit_minimal import check_machine
from vit_minimal.data import data_root

if check_machine(data_root()):
    print("\nReady.")

# %% [markdown]
# `budget: quick` means that the notebooks train for a few minutes at most. From here on, the text speaks of the run saved here. In your own, some numbers will differ a little.
#
# <details><summary>What these lines mean, and what you can change</summary>
#
# - **Device:** if PyTorch can use a GPU, so does the course. Everything runs on a laptop's CPU too. We have not tested a Mac's GPU, nor Windows. The number format of matrix products is float32, or one of 16 bits where the hardware is faster with that.
# - **Budget:** with a CUDA GPU you get `full`, otherwise `quick` (on Apple's GPUs as well). The environment variable `VIT_MINIMAL_BUDGET` overrides this choice. With `full`, this notebook trains the recipe `cpu` on all of CIFAR-10, and with `quick` the recipe `quick`. (`cpu` has its name because even a CPU can train it.)
# - **Data:** CIFAR-10 is a set of 60,000 small photographs in ten classes. If it is not on your disk, the course draws a set of its own, Shapes-10, in seconds and without a network. To download CIFAR-10 (170 MB), run `from vit_minimal import load_cifar10; load_cifar10()` once. `VIT_MINIMAL_DATASET` says which set the notebooks take: `auto`, `cifar10` or `shapes10`.
#
# Set such a variable before you start, or in a first cell: `%env VIT_MINIMAL_DATASET=shapes10`.
#
# </details>
#
# A model learns from images whose right answer is known. The saved notebooks take them from **Shapes-10**, which the course draws itself, so that anyone can repeat the run offline. If the photographs of CIFAR-10 are on your disk, you see those instead, and your numbers will be others. The first line that the cell prints says which set it took, and why: for the saved run, we had asked for Shapes-10.

# %%
from vit_minimal import load_dataset, pick_budget

dataset = load_dataset()
if pick_budget() == "quick":  # without a GPU
    dataset = dataset.first(10_000, 2_000)  # enough to learn something in minutes

first = [(dataset.train_labels == k).nonzero()[0].item() for k in range(10)]  # one of each class
plots.show_images(dataset.train_images[first], dataset.class_names, columns=5, size=1.3)

# %% [markdown]
# Here is one training image of each class, 32 × 32 pixels. Guessing classifies 10 % of the images correctly, which is called *chance level*. A linear classifier on the raw pixels (the best of five settings that we tried) reaches {{max(run.accuracy for run in record("shapes10_linear").runs):.0%}} on the Shapes-10 test images.
# {{assert len(record("shapes10_linear").runs) == 5}}
#
# ## 2 · Train
#
# Can a Vision Transformer do better? A *recipe* says how large a model is and how to train it. On a CPU you get the recipe `quick`, and what it trains is the **quick model**. With a CUDA GPU you get a larger one. Either starts from random numbers, so at first it knows nothing.

# %%
from vit_minimal import RECIPES, VisionTransformer, evaluate, fit, seed_everything

recipe = RECIPES["quick" if pick_budget() == "quick" else "cpu"]
seed_everything(0)
model = VisionTransformer(recipe.model)

sizes = model.config
print(f"{sizes.depth} blocks of {sizes.num_heads} heads, {sizes.embed_dim} numbers per token")
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
before = evaluate(model, dataset.test_images, dataset.test_labels)
print(f"before training: {before:.1%} of the test images classified correctly\n")

history = fit(model, dataset, recipe.training)

# %% [markdown]
# Before training the model is at chance level. Then each line stands for one *epoch*, in which the model sees every training image once. The line shows the loss and the accuracy, averaged over the epoch.
#
# What is the *loss*? Take the probability that the model gave to the right class. The loss is minus its logarithm, so it is small when that probability is large. A model that knows nothing gives each of the ten classes a probability of 1/10, and its loss is −ln(1/10) = 2.30, the dotted line in the figure. Did your model get away from it? (If a model *stays* there, see question 2 at the end.)

# %%
knows_nothing = torch.tensor(10).log().item()  # 2.30
curve, epochs = {"your model": history.train_loss}, range(1, recipe.training.epochs + 1)
dashed = ("chance level", knows_nothing)
plots.show_lines(epochs, curve, "epoch", "loss", dashed=dashed, from_zero=True, size=(5, 2.6))

# %% [markdown]
# Even the average over the very first epoch is already below the dotted line.
#
# ## 3 · Predict
#
# Has the model only learned its training images by heart? To find out, we give it images that it has never seen.

# %%
accuracy = evaluate(model, dataset.test_images, dataset.test_labels)
seen = evaluate(model, dataset.train_images, dataset.train_labels)
print(f"{seen:.1%} of {len(dataset.train_labels):,} training images classified correctly")
print(f"{accuracy:.1%} of {len(dataset.test_labels):,} test images classified correctly")

# %% [markdown]
# The model classifies 94.2 % of the test images correctly. It knows the training images a little better, as one would expect.
#
# <details><summary>How much does this depend on the random start?</summary>
#
# Three runs of the recipe `quick` on these same images, each from another start, ended between {{min(accuracies("shapes10_quick")):.1%}} and {{max(accuracies("shapes10_quick")):.1%}}. The run saved here ended a little below them: three starts do not show the whole range, and another machine also rounds differently.
#
# </details>
# {{assert len(accuracies("shapes10_quick")) == 3}}
#
# What do its mistakes look like? We let it name the first 200 test images. When a model is judged, it has to be in *evaluation mode*, so we call `model.eval()`. (`load_checkpoint` and `evaluate` do that themselves.)

# %%
images, labels = dataset.test_images[:200], dataset.test_labels[:200]
device = next(model.parameters()).device
model.eval()  # training has left it in training mode
with torch.inference_mode():
    logits = model(normalize(images.to(device)))  # (200, 10), a score for each class
guesses = logits.argmax(dim=1).cpu()

mistakes = torch.nonzero(guesses != labels).flatten()
chosen = [0, 1, 2, 3, 4, 5, *mistakes[:6].tolist()]

# %% [markdown]
# The upper row shows the first six test images, and the lower row the first six that the model names wrongly. Above each image is what the model says, and below it what the image is. A wrong answer is red.

# %% tags=["hide-input"]
_, axes = plt.subplots(2, 6, figsize=(6, 3.2), layout="constrained")
verdicts = []
for axis, i in zip(axes.flat, chosen, strict=False):
    guess, truth = dataset.class_names[guesses[i]], dataset.class_names[labels[i]]
    colour, width = ("black", 0.5) if guess == truth else ("#C00000", 3)
    axis.imshow(plots.as_picture(images[i]))
    axis.set(xticks=[], yticks=[], xlabel=f"is {truth}")
    axis.set_title(f"says {guess}", fontsize=10, color=colour)
    axis.spines[:].set(color=colour, linewidth=width)
    verdicts.append(f"{truth} named {guess}")
plots.show("six test images, and six that the model gets wrong", parts=verdicts)

# %% [markdown]
# Look at the lower row. Two of the six mistakes take a ring for a frame. Both are a band around a hole, which may be the reason.
#
# ## 4 · Look where it looks
#
# Where does *your* class token look? In each block it gives each of the 65 tokens a share of its attention, an *attention weight*, and the weights sum to 1. (The class token is one of the 65: it comes first, as number 0.) We take the last block, and as a control the same model before training. How much of the attention goes to the eight patches that get the most of it?

# %%
seed_everything(0)
untrained = VisionTransformer(recipe.model)


def last_look(model, images):
    """How the class token shares its attention in the last block: (images, patches)."""
    last = attention_maps(model, images)[-1].mean(dim=1)  # (images, tokens, tokens)
    return last[:, 0, 1:].cpu()  # from token 0 to the patches


mine, control = last_look(model, images), last_look(untrained, images)
for name, look in (("untrained", control), ("trained", mine)):
    eight, most = look.topk(8).values.sum(dim=1).mean(), look.max()
    print(f"{name}: {eight:.0%} to eight patches, on average; never more than {most:.1%} to one")

# %% [markdown]
# In the untrained model the eight patches get hardly more than their even share, 8/65 or about 12 %. In the trained model they get 77 % of the attention, on average over 200 images. So the preference for a few patches comes from training.
#
# Which patches are they? Here are a frame from the last picture, which the model named correctly, and a ring, which it took for a frame. Below each is its map. On the right is the control, the untrained model on the frame.

# %%
right, wrong = chosen[2], chosen[-1]
names = dataset.class_names
titles = [f"says {names[guesses[i]]}, is {names[labels[i]]}" for i in (right, wrong)]
maps = torch.stack([mine[right], mine[wrong], control[right]])  # (3, 64)
shown = with_grid(images[[right, wrong, right]])
diagrams.attention_over(shown, maps, (8, 8), [*titles, "untrained"], full=0.2)

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
# A model that knows nothing gives each of ten classes the same probability, 1/10. What is its cross-entropy loss? Give three digits, or let Python work it out.
#
# Hint: The cross-entropy of an image is minus the natural logarithm of the probability that its right class was given.
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
# Solution: If the rate is too small, 60 steps lead nowhere. If it is too large, the loss jumps about or stays where a model is that knows nothing. In between lies a range that is somewhat wider than one power of ten, and any rate in it will do.

# %% tags=["exercise-only", "exercise:learning_rate"]
print(loss_after_training(1e-5), loss_after_training(0.5))

# solution
# | learning_rate = ...
learning_rate = 2e-3
# end of solution

# %% [markdown]
# Both times one patch on the band gets more than a quarter of the attention, and both times the model says frame. (For the real frame, an empty corner gets attention, too.) The map does not tell us why one of the answers is wrong.
#
# **Your turn:** go back to the first cell that draws, put the path of a photo of your own in place of `photo`, and run the cells of the first two sections again. Try something that is none of the ten classes, too. The probabilities always sum to 1, so the model has no way to say "none of these".
#
# > **Remember:** a Vision Transformer turns an image into a row of vectors, its tokens, and treats them as a Transformer treats the words of a sentence. In this one an extra token, the class token, gathers what is needed, and one linear layer reads it.
#
# ## Where to go from here
#
# Here is the whole model, and above each part the number of the notebook that builds it.

# %%
diagrams.overview(cat, scores=dict(zip(CIFAR10_CLASSES, scores, strict=True)))

# %% [markdown]
# Read it like a comic strip, from the top left to the bottom right. B is the number of images, D the length of a token, and L the number of blocks.
#
# - **01 Patches:** an image is cut into patches, and one linear layer, called E, turns each patch into a vector, a **token**.
# - **02 The class token:** the orange class token joins them, and every token is told its position.
# - **03 Attention:** **attention** lets them exchange information, block by block.
# - **04 The whole model:** after attention comes an **MLP**, a small network that works on each token by itself. After the last block one linear layer, the **head**, turns the class token into a score for each class. The bars are the largest of them.
#
# **In which order?** Notebooks 00 to 10 are the main path: 01 to 04 build the model, and then you train it, look inside it, break it on purpose, and test common claims about it. Read 11 to 17 in any order, as you need them. In 18, the [capstone](exercises/18_capstone.ipynb), you write a model from an empty cell. All of it takes about {{sum(map(minutes_to_read, [p.stem for p in (ROOT / "notebooks" / "source").glob("*.py")])) / 60:.0f}} hours to read, without second visits and exercises.
#
# <details><summary>All eighteen notebooks: the question of each, and how long it takes</summary>
#
# | notebook | the question it answers | package module | to read | to run |
# |---|---|---|---|---|
# | **00 Start here** | is my machine ready, and where is this going? | `machine.py` | {{minutes_to_read("00_start_here"):d}} min | {{notebook_seconds("00_start_here"):about}} |
# | [01 Patches](01_patches.ipynb) | how does an image become a sequence? | `patches.py` | {{minutes_to_read("01_patches"):d}} min | {{notebook_seconds("01_patches"):about}} |
# | [02 The class token](02_class_token.ipynb) | which vector do we read at the end, and how does a model know where each patch was? | `class_token.py` | {{minutes_to_read("02_class_token"):d}} min | {{notebook_seconds("02_class_token"):about}} |
# | [03 Attention](03_attention.ipynb) | how do tokens exchange what they hold? | `attention.py` | {{minutes_to_read("03_attention"):d}} min | {{notebook_seconds("03_attention"):about}} |
# | [04 The Vision Transformer](04_vision_transformer.ipynb) | how does it all fit together, and is it right? | `vision_transformer.py` | {{minutes_to_read("04_vision_transformer"):d}} min | {{notebook_seconds("04_vision_transformer"):about}} |
# | [05 Training on CIFAR-10](05_training_on_cifar10.ipynb) | which ingredients of a recipe help, and what do I reach on CIFAR-10? | `data/`, `augment.py`, `training/` | {{minutes_to_read("05_training_on_cifar10"):d}} min | {{notebook_seconds("05_training_on_cifar10"):about}} |
# | [06 Inside the class token](06_inside_the_class_token.ipynb) | what does it gather, from where, and in which block? | `inspection.py`, `explorer.py` | {{minutes_to_read("06_inside_the_class_token"):d}} min | {{notebook_seconds("06_inside_the_class_token"):about}} |
# | [07 Pitfalls: how a model starts](07_pitfalls_initialization.ipynb) | from which starts can a model not learn, and how would I know before the first step? | `experiments/`, `variants.py` | {{minutes_to_read("07_pitfalls_initialization"):d}} min | {{notebook_seconds("07_pitfalls_initialization"):about}} |
# | [08 Pitfalls: the size of a patch](08_pitfalls_patch_size.ipynb) | what does a patch size cost, and what does it give? | `experiments/` | {{minutes_to_read("08_pitfalls_patch_size"):d}} min | {{notebook_seconds("08_pitfalls_patch_size"):about}} |
# | [09 Pitfalls: the class token mishandled](09_pitfalls_class_token.ipynb) | what if it is read from the wrong place or cut off, and what are its rivals? | `variants.py`, `experiments/` | {{minutes_to_read("09_pitfalls_class_token"):d}} min | {{notebook_seconds("09_pitfalls_class_token"):about}} |
# | [10 Claims, put to the test](10_claims_put_to_the_test.ipynb) | which common sentences about Vision Transformers are true? | `data/results/` | {{minutes_to_read("10_claims_put_to_the_test"):d}} min | {{notebook_seconds("10_claims_put_to_the_test"):about}} |
# | [11 Faster and safer training](11_faster_and_safer_training.ipynb) | what makes a training slow, and how do I stop and resume it? | `training/`, `device.py` | {{minutes_to_read("11_faster_and_safer_training"):d}} min | {{notebook_seconds("11_faster_and_safer_training"):about}} |
# | [12 From a pretrained model to your own pictures](12_fine_tuning.ipynb) | ten labels per class of something new: what do I do? | `pretrained.py`, `data/` | {{minutes_to_read("12_fine_tuning"):d}} min | {{notebook_seconds("12_fine_tuning"):about}} |
# | [13 A museum of silent bugs](13_silent_bugs.ipynb) | which bugs raise no error, what do they cost, and which check finds them? | those of 01 to 04 | {{minutes_to_read("13_silent_bugs"):d}} min | {{notebook_seconds("13_silent_bugs"):about}} |
# | [14 More claims, to look up](14_more_claims.ipynb) | and which of twelve other sentences? | `data/results/` | {{minutes_to_read("14_more_claims"):d}} min | {{notebook_seconds("14_more_claims"):about}} |
# | [15 More about training, to look up](15_more_about_training.ipynb) | what do a recipe's settings stand on, and how does Muon compute its step? | `training/`, `augment.py` | {{minutes_to_read("15_more_about_training"):d}} min | {{notebook_seconds("15_more_about_training"):about}} |
# | [16 Pitfalls: small details and noise](16_detail_and_noise.ipynb) | do large patches miss detail, and are small ones noisy? | `patches.py`, `experiments/` | {{minutes_to_read("16_detail_and_noise"):d}} min | {{notebook_seconds("16_detail_and_noise"):about}} |
# | [17 Beyond fit, to look up](17_beyond_fit.ipynb) | what if your loop, your GPU, your memory or your user is another one? | `training/`, `device.py` | {{minutes_to_read("17_beyond_fit"):d}} min | {{notebook_seconds("17_beyond_fit"):about}} |
#
# The reading times are a guess. Times to run are rounded, for a full run of the notebook with the budget `quick`, on two cores of a recent server CPU that has instructions for bfloat16 ([the records](../data/results/notebook_times.json)). On one core of a processor without them, some notebooks took up to a little over three times as long. On a GPU the notebooks train longer models, and on a T4 they have not been timed yet.
# {{assert all("2 threads" in run.hardware for run in records("notebook_times").bfloat16.values())}}
# {{assert all(", 1 thread" in run.hardware for run in records("notebook_times").float32.values())}}
# {{assert 3 < max(notebook_seconds(name, "float32") / notebook_seconds(name) for name in records("notebook_times").bfloat16 if name in records("notebook_times").float32) < 3.5}}
#
# </details>
#
# <details><summary>Models and letters of the course</summary>
#
# Four models come back again and again, and a notebook says which one it uses:
#
# | name | blocks, D, P | how it was trained |
# |---|---|---|
# | **shipped model** | {{record("cifar10_cpu_long").model.depth:d}}, {{record("cifar10_cpu_long").model.embed_dim:d}}, {{record("cifar10_cpu_long").model.patch_size:d}} | {{record("cifar10_cpu_long").training.epochs:d}} epochs on CIFAR-10; it comes with the course and reaches {{record("cifar10_cpu_long").accuracy:.1%}} |
# | **small model** | {{records("cifar10_cpu")[0].model.depth:d}}, {{records("cifar10_cpu")[0].model.embed_dim:d}}, {{records("cifar10_cpu")[0].model.patch_size:d}} | three epochs on 45,000 images of CIFAR-10, with the optimizer Muon; it reaches {{runs("class_token_init", "N(0, 0.02)").mean:.1%}}. The records of 07 to 10, 13, 14 and 16 change one thing in it |
# | **quick model** | 3, 96, 4 | five epochs on drawn shapes: yours, above, and again in 06 |
# | **tiny model** | 2, 64, 8 | seconds, mostly on drawn shapes; what your machine trains while you wait |
#
# **Letters.** B images in a batch; C channels, H × W pixels; P patch side; N patches; T tokens, usually N + 1; D numbers in a token; h heads of d = D / h numbers; L blocks; K classes; R registers (notebook 06); r the MLP's width divided by D. N(0, 0.02) are normal random numbers with a standard deviation of 0.02.
#
# Where a word is explained, you can look up in [Terms](TERMS.md).
#
# </details>
#
# Whatever a notebook builds is also in the package `vit_minimal`, and a comment such as `# vit_minimal/patches.py` tells you where. If you teach, there is [a guide](exercises/README.md) for you.
#
# ## Questions
#
# **1.** In block 4 the model looked at the cat's eyes. Would it fail on a cat whose eyes are closed? How could you find out?
#
# <details><summary>Answer</summary>
#
# The map cannot tell you. It shows where the model looks, but not what the answer depends on. To find out, change the image and nothing else, as you did when you covered what block 4 looks at. For this photo, covering most of both eyes did no more harm than covering as many patches elsewhere usually did. Covering two eyes is not the same as closing them, so the best test would be photographs of cats that sleep.
#
# </details>
#
# **2.** Your training starts at a loss of 2.30 and is still there after three epochs. What do you know?
#
# <details><summary>Answer</summary>
#
# It has learned nothing yet, and the loss does not tell you why. Something may be broken: a learning rate that is far too high, a layer that gets no gradient, labels that do not belong to their images. Or the model only learns slowly: in notebook 14 a healthy one stays at chance level for some thirty epochs. So let it learn a single batch by heart, as in notebook 05. If it cannot do even that, something is broken.
#
# </details>
#
# <details><summary><b>If something went wrong</b></summary>
#
# | you see | the cause | what to do |
# |---|---|---|
# | `The package vit_minimal is not here` | the notebook runs in another Python | start with `python3 start.py` (on Windows `py start.py`), or choose the Python in `.venv` as the kernel |
# | on Kaggle the first cell fails | there the network is switched off | switch on *Internet* in the notebook's settings, which needs a verified account |
# | here the loss stays at 2.30 | a broken cell above, or a changed learning rate | Kernel → Restart Kernel and Run All Cells |
# | training takes many minutes | a busy or older machine | close other programs, or train for less: `from dataclasses import replace`, then `fit(model, dataset, replace(recipe.training, epochs=2))` |
# | it learns, but the accuracy is low | too few epochs or images | without a GPU this notebook trains on 10,000 images only; on all 50,000 of CIFAR-10 the recipe `cpu` gives {{mean(accuracies("cifar10_cpu")):.0%}} and the recipe `cpu-long` {{record("cifar10_cpu_long").accuracy:.0%}} |
# | `num_heads 3 does not divide embed_dim 64` | two sizes do not fit | the message names them: the width must be divisible by the number of heads, and the image's height and width by the patch size |
# | out of memory | too many images at once, or too many tokens | a smaller batch, or larger patches ([notebook 08](08_pitfalls_patch_size.ipynb)) |
# | a hosted notebook has forgotten everything | its disk lasts as long as its session | [notebook 17](17_beyond_fit.ipynb) has a cell that keeps checkpoints on Google Drive |
#
# </details>
#
# ---
#
# **Try it yourself:** the [exercises](exercises/00_start_here.ipynb) check your answers and tell you what is wrong with them.
#
# **Next: [01 · Patches](01_patches.ipynb).** How does an image become a sequence?
