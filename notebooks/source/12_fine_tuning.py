# %% [markdown]
# # 12 · From a pretrained model to your own pictures
#
# **After this notebook you can**
#
# - give a pretrained model a new head, and say what each of four ways to use it trains and what it leaves alone;
# - say when pretraining helps, when it does not, and how you find out for your own task;
# - recognise seven usual mistakes by their symptoms;
# - take a folder of your own pictures to a classifier that runs without this course.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04; 05 and 06 help |
# | Time to read | about 35 minutes, and 5 more for a second visit |
# | Time to run | some minutes on two CPU cores, without a network |
# | Package modules | `pretrained.py`, `data/images.py`, `inspection/` |

# %%
import copy
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import timm
import torch
from PIL import Image
from skimage import data
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vit_minimal import (
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    attention_rollout,
    diagrams,
    evaluate,
    fit,
    load_checkpoint,
    load_cifar10,
    load_image,
    load_timm_state_dict,
    pick_device,
    plots,
    resize_patches,
    seed_everything,
    shapes10,
)
from vit_minimal.augment import normalize, random_crop
from vit_minimal.data import CIFAR10_CLASSES, SHAPES10_CLASSES, SHAPES10_TEST_SEED
from vit_minimal.experiments import mean_and_width
from vit_minimal.inspection import features, fit_probes
from vit_minimal.records import read_records
from vit_minimal.training import confusion_matrix, predict

device = pick_device()
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
diagrams.overview(cat)

# %% [markdown]
# Everything in this picture has learned CIFAR-10 by now: ten classes of animals and vehicles, 50,000 photographs, hours of training. And then you come with a task of your own. It has other classes, and you have ten pictures of each.
#
# > **Your model has learned CIFAR-10. You have ten pictures per class of something else. What do you do?**
#
# Here are four answers that you will meet in practice:
#
# - **a.** Train a new model from scratch on your 100 pictures.
# - **b.** Train nothing. Let the model turn each picture into its class token, and give a new picture the class of its nearest neighbour.
# - **c.** Keep the model as it is, and train only a new head. This is called a **linear probe**, as in notebook 06.
# - **d.** Give the model a new head and go on training all of it. This is called **fine-tuning**.
#
# Before you read on, write down two things: which answer wins, and by how many points it beats the one that comes second. It is safe to guess. Guessing a *class* is right for 10 % of the pictures.
#
# > **In the run saved here** the cells ran on a CPU. All numbers that the text reports from a cell are from that run, and yours will differ a little. What takes longer than your patience stands in a [record](../data/README.md#results), and the text says so.
#
# ## The new task
#
# We take Shapes-10 as the something else, because it needs no download and has as many pictures as we want to test on. It is far from photographs: drawn discs, rings and crescents of any colour, in any place, with clutter in front. We shrink the pictures to 16 × 16 pixels, which leaves 16 patches of 4 × 4. That makes a training step four times as cheap.

# %%
SIZE, COUNT = 16, 10  # pixels along a side, training pictures per class


def at_size(images):
    """uint8 (n, 3, 16, 16) of square images (n, C, H, W), whose C is 1 or 3."""
    mode = {"mode": "area"} if images.shape[-1] > SIZE else {"mode": "bicubic"}
    pixels = F.interpolate(images.float(), (SIZE, SIZE), **mode).clamp(0, 255).round()
    return pixels.byte().expand(-1, 3, -1, -1).contiguous()


def draw(labels, count, seed):
    """The places of `count` images of each class, at random."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return torch.cat([order[labels[order] == label][:count] for label in labels.unique()])


pool, pool_labels = shapes10(1_000, seed=0)  # where training pictures are drawn from
test, test_labels = shapes10(500, seed=SHAPES10_TEST_SEED)
pool, test = at_size(pool), at_size(test)
shown = draw(pool_labels, 1, seed=0)
plots.show_images(pool[shown], SHAPES10_CLASSES, columns=5)

# %% [markdown]
# ## Off with the head
#
# The model is `shipped`, which comes with the course. Its last layer, the **head**, turns the class token into ten scores: airplane, automobile, and so on. Nobody needs these for discs and rings, so the head goes. What stays is a machine that turns a picture into a class token. A vector that is used like this, for another task, is called a **feature**.

# %% tags=["hide-input"]
diagrams.transfer(depth=6, old_classes=10, new_classes=10, layer_decay=0.7)

# %% [markdown]
# White boxes keep their weights. Everything else is trained, and the four ways differ in nothing but that. Layer decay, in the last row, comes later.
#
# One thing has to be changed first. `shipped` has learned a position for each of 64 patches, and our pictures have 16. `resize_patches` stretches the grid of positions as one resizes a picture, from 8 × 8 to 4 × 4. The class token keeps its own position, because it has no place in the grid. Does the model survive it?

# %%
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors").to(device)
pretrained = resize_patches(shipped, patch_size=4, image_size=SIZE)
print("positions:", *(tuple(m.pos_embed.weight.shape) for m in (shipped, pretrained)))
small_cat = at_size(cat[None])
chances = predict(pretrained, small_cat).softmax(dim=1)[0]
print(f"the cat at 16 × 16: {CIFAR10_CLASSES[chances.argmax()]}, {chances.max():.0%}")

# %% [markdown]
# A single cat is an anecdote. On 1,000 test photographs of CIFAR-10, shrunk in the same way, the resized model is right for {{tuning("cifar10").accuracy:.1%}}, against {{record("cifar10_cpu_long").accuracy:.1%}} at full size on all 10,000. So it sees less well, and still sees a lot.
#
# ## Four answers, three seeds
#
# Answer b first, since it trains nothing. `features` gives the class token after each block; we take it after the last. Two class tokens are near each other if they point in the same direction, which is what the cosine measures.

# %%
def nearest_class(known, labels, asked):
    """Labels (m,) of the features (m, D) that are asked about: that of the nearest known (n, D)."""
    similarity = F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T  # cosines (m, n)
    return labels[similarity.argmax(dim=1)]


pool_tokens = features(pretrained, pool)["class_token"][-1]  # (1000, D)
test_tokens = features(pretrained, test)["class_token"][-1]  # (500, D)


def right(answers):
    return (answers == test_labels).float().mean().item()


drawn = draw(pool_labels, COUNT, seed=0)
answers = nearest_class(pool_tokens[drawn], pool_labels[drawn], test_tokens)
print(f"nearest neighbour, class token: {right(answers):.1%}")

# %% [markdown]
# Is that good? A **control** tells. The same method can compare pictures by their *pixels*, without any model. And how much does the training on CIFAR-10 have to do with it? An untrained model has class tokens too. We take both controls along.
#
# Answer c is a linear map from class token to ten scores, fitted by least squares as in notebook 06.

# %%
seed_everything(0)
untrained = VisionTransformer(pretrained.config).to(device)
seen = {"class token": (pool_tokens, test_tokens)}
seen["pixels"] = tuple(images.flatten(1) / 127.5 - 1 for images in (pool, test))
seen["untrained class token"] = tuple(
    features(untrained, images)["class_token"][-1] for images in (pool, test)
)


def probe(known, labels, asked):
    """Labels (m,) by a linear probe that is fitted to the known features."""
    weights, bias = fit_probes([(known, F.one_hot(labels, 10))])
    return (asked @ weights + bias).argmax(dim=1)


# %% [markdown]
# Answers a and d both train all weights, for the same 60 steps. They differ in where they start. `reset_head` puts a new, untrained head on the model. Each has its own learning rate, chosen on pictures that are neither trained on nor tested on. The record has the choice.

# %%
config = TrainingConfig(
    epochs=20, batch_size=30, learning_rate=1e-3, flip=False, crop_padding=1, label_smoothing=0.0
)


def train(start, seed):
    """A copy of `start` with a new head, trained on ten pictures per class."""
    drawn = draw(pool_labels, COUNT, seed)
    few = Dataset(pool[drawn], pool_labels[drawn], test, test_labels, SHAPES10_CLASSES, "few")
    seed_everything(seed)
    model = copy.deepcopy(start)
    model.reset_head(len(SHAPES10_CLASSES))
    fit(model, few, replace(config, seed=seed))
    return model


# %% tags=["quiet"]
reached = {}
for seed in range(3):
    drawn = draw(pool_labels, COUNT, seed)
    for name, (known, asked) in seen.items():
        for way, method in (("neighbour", nearest_class), ("probe", probe)):
            answers = method(known[drawn], pool_labels[drawn], asked)
            reached.setdefault(f"{way}, {name}", []).append(right(answers))
    seed_everything(seed)
    fresh = VisionTransformer(pretrained.config)
    for name, start in (("from scratch", fresh), ("fine-tuned", pretrained)):
        model = train(start, seed)
        reached.setdefault(name, []).append(evaluate(model, test, test_labels))
tuned = model  # the last one, for later
