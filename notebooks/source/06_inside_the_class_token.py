# %% [markdown]
# # 06 · Inside the class token: what it gathers, from where, and in which block
#
# **After this notebook you can** follow a class token through a model on any photo, measure what can be read off it, find out which blocks and patches a model needs, and say when an attention map misleads.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 40 minutes |
# | Time to run | {{notebook_seconds("06_inside_the_class_token"):about}} on two cores of a recent server CPU, {{notebook_seconds("06_inside_the_class_token", "float32"):about}} on one core of an older one |
# | Package modules | `inspection/`, `explorer.py`, `diagrams/overlays.py` |
#
# Most tutorials show one attention map. It lies on a dog, and everybody nods. But does the model use what the map shows? Does every block matter? And when can the dog be read off the class token? We find out by experiment.
#
# The model is `shipped`, which comes with the course: six blocks of three heads, trained on CIFAR-10, right for {{record("cifar10_cpu_long").accuracy:.1%}} of the test images. Two smaller models join for a section each, and every figure says whose it is. What `shipped` does with thousands of images comes from a [record](../data/README.md#results); all other numbers are those of the run saved here. Blocks count from 1 in the text and from 0 in code.

# %%
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from safetensors.torch import load_file
from skimage import data

from vit_minimal import (
    RECIPES,
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    attention_maps,
    attention_rollout,
    class_token_journey,
    diagrams,
    evaluate,
    explore_attention,
    fit,
    gradient_attention,
    knock_out,
    load_checkpoint,
    load_dataset,
    load_image,
    needle10,
    pick_device,
    plots,
    seed_everything,
)
from vit_minimal.data import CIFAR10_CLASSES
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.inspection import (
    look_into,
    mean_ablation,
    mean_reads,
    pointing_accuracy,
    read_class_token,
)
from vit_minimal.records import read_records

# %% [markdown]
# ## The journey
#
# The class token enters the first block as the same vector for every image. After the last block, the head reads the class off it. What happens in between? Let us watch it on a cat.

# %%
device = pick_device()
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors").to(device)
probes = load_file("../data/checkpoints/cifar10-cpu-long-probes.safetensors")
weights, biases = probes["weights"], probes["biases"]  # (L + 1, D, K) and (L + 1, 1, K)


def photo(name, size=32):
    """A picture that comes with scikit-image, uint8 (3, size, size)."""
    return load_image(Path(data.__file__).with_name(name), size)


def show_journey(seen, large):
    """Where the class token of `shipped` looks in an image, and what is read off it."""
    images = seen[None]  # what the model gets: (1, 3, 32, 32)
    looks = attention_maps(shipped, images)[:, 0, :, 0, 1:].mean(dim=1)  # (L, N), mean of heads
    scores = read_class_token(shipped, images, weights, biases)[:, 0]  # (L + 1, K)
    chances = knock_out(shipped, images, []).softmax(dim=1)[0]  # nothing knocked out
    title = f"shipped: {chances.max():.0%} {CIFAR10_CLASSES[chances.argmax()]}"
    diagrams.journey(large, looks, (8, 8), scores, CIFAR10_CLASSES, title=title)


show_journey(photo("chelsea.png"), photo("chelsea.png", 48))

# %% [markdown]
# Each column is a block. The more purple a patch, the more the class token attends to it; each map has its own scale, so block 1, where all patches get about the same, is purple all over. Listed are four classes: the one that is read best at the end, then those that lead after a block, then the runners-up. The numbers say how clearly a class can be read off the class token there: 1 is a full vote for it, 0.10, or one in ten, means that nothing is known, and below that the vote is against it.
#
# At the start all classes stand at 0.10, because nothing of the image has arrived. Then the token seems to change its mind. After block 2 "frog" is far ahead of "cat". In block 4 "cat" takes the lead, in the same block in which the class token attends to an eye. (It is tempting to see a reason there. We test that below.) After block 6 the frog is gone.
#
# ### Where do the numbers come from?
#
# The model names a class only at its end, so we need other readers on the way. A **linear probe** ([Alain and Bengio 2016](https://arxiv.org/abs/1610.01644)) is a linear map that is fitted to read the class off a token. Each column has its own:
#
#     scores = class token · W + b          (1, 192) · (192, 10) + (1, 10) → (1, 10)
#
# W and b are chosen so that over 20,000 training images the scores come as near as possible to 1 for the true class and 0 for the others, in the sense of least squares. The model stays as it is. So a score is no probability. It can lie below 0 or above 1. By hand, after block 4:

# %%
cat, CAT = photo("chelsea.png")[None], CIFAR10_CLASSES.index("cat")
tokens, _ = next(look_into(shipped, cat))  # what enters block 1 and leaves each: (L + 1, 1, T, D)
by_hand = tokens[4, 0, :1].cpu() @ weights[4] + biases[4]  # (1, D) · (D, K) + (1, K)
assert torch.allclose(by_hand, read_class_token(shipped, cat, weights, biases)[4], atol=1e-3)
print(f"cat {by_hand[0, CAT]:.2f}, frog {by_hand[0, CIFAR10_CLASSES.index('frog')]:.2f}")

# %% [markdown]
# Notebook 04 read the class token with the model's own norm and head, which were trained for the end only. A probe is made for its block. It shows what *can* be read there, and not whether the model uses it.
#
# Now three pictures for which the model is not prepared: a rocket, a motorcycle, and the silhouette of a horse.

# %%
for name in ("rocket.jpg", "motorcycle_left.png", "horse.png"):
    show_journey(photo(name), photo(name, 40))

# %% [markdown]
# CIFAR-10 has no rockets. After block 1 the token reads "airplane", which is not a bad idea, and only in the last two blocks does "ship" stay ahead. There are no motorcycles either, and the token never quite decides between automobile and truck. The horse is the surprise: the model was trained on photographs, and yet it names a black shape on white. After block 1 "truck" was ahead, and then, until block 4, "airplane".
#
# **Hover over it.** These maps are means over heads, and `explore_attention` takes them apart. Hover over a patch or the class token, or use Tab and the arrow keys, and see where it looks. Choose a block and a head. On GitHub you see a still picture instead.

# %%
explore_attention(shipped, cat[0])

# %% [markdown]
# ## How much can be read, over 5,000 images?
#
# Four pictures are anecdotes. Now new probes are fitted on one half of CIFAR-10's test images, which the model has not seen, and scored on the other {{record("class_token_journey").probes_judged_on:,d}}. They read one of three things: the class token, the mean of all patch tokens, or one patch token.
#
# A probe is trained, so part of its accuracy is its own work. The control is an **untrained** twin of `shipped`, with random weights. Before you look: how much do you expect of an untrained class token?

# %%
(record,) = read_records("../data/results/class_token_journey.json")


def draw(axis, x, curves, **style):
    """Curves {name: {"mean": …, "width": …}}, each with a band for the 95 % interval."""
    for index, (name, found) in enumerate(curves.items()):
        mean, width = np.array(found["mean"]), np.array(found["width"])
        look = plots.curve_style(index) | style
        axis.plot(x, mean, label=name, markersize=4, **look)
        axis.fill_between(x, mean - width, mean + width, color=look["color"], alpha=0.2, lw=0)
    axis.grid(alpha=0.3)


def in_words(axis):
    """Where the curves of a panel begin and end, for readers who cannot see them."""
    curves = [line for line in axis.lines if not line.get_label().startswith("_")]
    ends = [(line.get_label(), *line.get_ydata()[[0, -1]]) for line in curves]
    return [f"{name}: from {first:.2f} to {last:.2f}" for name, first, last in ends]


# %% tags=["hide-input"]
figure, axis = plt.subplots(figsize=(6.2, 3.9), layout="constrained")
for kind, state, stroke in (("probes", "trained", "-"), ("untrained_probes", "untrained", "--")):
    patches = np.array(record[kind]["patches"]["mean"]).mean(axis=1)  # over the 64 places
    curves = {
        f"class token, {state}": record[kind]["class_token"],
        f"mean of the patches, {state}": record[kind]["patch_mean"],
        f"one patch, {state}": {"mean": patches, "width": 0 * patches},
    }
    draw(axis, range(7), curves, linestyle=stroke)
axis.axhline(0.1, color="gray", lw=1)
title = "shipped and its untrained twin: what can be read off the tokens"
axis.set(title=title, xlabel="after block (0: before the first; grey line: guessing)")
axis.set(ylabel="accuracy of the probe", ylim=(0, 1))
figure.legend(loc="outside lower center", ncols=2, fontsize=9)
plots.show("curves over the blocks", title, in_words(axis))

# %% [markdown]
# More can be read after each block. Off the trained class token, a probe reads the right class in {{probe("class_token", 1).mean:.0%}} of the images after block 1, in {{probe("class_token", 6).mean:.0%}} after block 6.
# {{assert probe("class_token", 0).mean < 0.11}}
# {{assert all(below(probe("class_token", block - 1), probe("class_token", block)) for block in range(1, 7))}}
# But the class token is not the only one that gathers. Until block 3 the plain *mean of the patches* gives more, after block 4 the two are level, and only in the last two blocks does the class token pull ahead. Even one patch token gives {{mean(probe("patches", 6).mean):.0%}} at the end, averaged over the places.
# {{assert all(below(probe("class_token", block), probe("patch_mean", block)) for block in (0, 1, 2, 3))}}
# {{assert overlap(probe("class_token", 4), probe("patch_mean", 4))}}
# {{assert all(below(probe("patch_mean", block), probe("class_token", block)) for block in (5, 6))}}
#
# And the control? An untrained class token gives {{at(record("class_token_journey").untrained_probes.class_token, 1).mean:.0%}} after block 1, with nothing learned: it takes something like a mean of all patches, and we suppose that mean colours already tell many a ship from a frog. The trained one gives {{probe("class_token", 1).mean:.0%}} there. So the class token's first jump is no sign of learning, though what stands behind the two numbers may differ. From block 2 on the trained one is ahead, and at the end the two stand at {{probe("class_token", 6).mean:.0p}} against {{at(record("class_token_journey").untrained_probes.class_token, 6).mean:.0%}}.
# {{assert probe("class_token", 1).mean - at(record("class_token_journey").untrained_probes.class_token, 1).mean < 0.03}}
# {{assert all(below(at(record("class_token_journey").untrained_probes.class_token, block), probe("class_token", block)) for block in range(2, 7))}}
#
# ## Which blocks does it need?
#
# To see what the model *needs*, take something away: in some blocks, we let the class token learn nothing about the image. There are two ways.
#
# - **Knock-out.** It may not attend to the patches, so all of its attention goes to itself. That is simple, but strange: a class token that reads nothing but itself never occurred in training.
# - **Mean ablation.** It gets what it *usually* reads in this block, the mean over many other images. That is less strange, and it says nothing about this image.
#
# If the first hurts much more, its strangeness is to blame. (Either way the patch tokens go on as before. What the mean replaces is what each head of the class token reads, before `proj` mixes the heads.) Here are both on the cat, one block at a time. The mean is over eight other pictures, which is few, but enough to see the difference.

# %%
names = ["rocket.jpg", "motorcycle_left.png", "horse.png", "astronaut.png"]
names += ["coffee.png", "camera.png", "coins.png", "hubble_deep_field.jpg"]
reads = mean_reads(shipped, torch.stack([photo(name) for name in names]))  # (L, h, d)

print(f"shipped gives {knock_out(shipped, cat, []).softmax(dim=1)[0, CAT]:.0%} for cat. Without")
for block in range(6):
    out = knock_out(shipped, cat, [block]).softmax(dim=1)[0, CAT]
    mean = mean_ablation(shipped, cat, [block], reads).softmax(dim=1)[0, CAT]
    print(f"block {block + 1}: {out:4.0%} by knock-out, {mean:4.0%} by mean ablation")

# %% [markdown]
# Look at block 6. The knock-out leaves 34 % and mean ablation 77 %, so for this photo most of the damage of the knock-out is its strangeness. And block 4, with the eye? Mean ablation leaves 81 % there, so the answer does not hang on that look alone. Does this hold for 5,000 test images? The record cuts in one block, in all up to it, and in all from it on. The means are taken over the other 5,000.

# %% tags=["hide-input"]
ways = {"knock_outs": "knock-out", "mean_ablations": "mean ablation"}
kinds = {
    "in this block only": "one block",
    "up to this block": "up to a block",
    "from this block on": "from a block on",
}
figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.6), sharey=True, layout="constrained")
for axis, (key, way) in zip(axes, ways.items(), strict=True):
    draw(axis, range(1, 7), {name: record[key][kind] for name, kind in kinds.items()})
    axis.axhline(record["accuracy"]["mean"], color="gray", lw=1)
    axis.set(title=way, xlabel="block", ylim=(0, 1))
axes[0].set_ylabel("accuracy")
title = "shipped: the class token cut off (grey line: left alone)"
figure.suptitle(title, fontsize=11)
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
words = [f"{axis.get_title()}: {line}" for axis in axes for line in in_words(axis)]
plots.show("two panels, each with three curves over the blocks", title, words)

# %% [markdown]
# Look first at the circles, where one block is cut. In blocks 1 to 3 it hardly matters: the accuracy changes by {{100 * max(abs(ablated(how, "loss, one block", block).mean) for how in ("knock_outs", "mean_ablations") for block in (1, 2, 3)):.1f}} points at most, whichever way you cut. In block 6 the ways disagree. The knock-out costs {{ablated("knock_outs", "loss, one block", 6).mean:.0p}} points and the mean ablation {{ablated("mean_ablations", "loss, one block", 6).mean:.0p}}. As with the cat, most of the loss by knock-out is not lost information about the image.
# {{assert all(abs(ablated(how, "loss, one block", block).mean) < 0.0125 for how in ("knock_outs", "mean_ablations") for block in (1, 2, 3))}}
# {{assert 2 * ablated("mean_ablations", "loss, one block", 6).mean < ablated("knock_outs", "loss, one block", 6).mean}}
#
# Now the squares, on the right. Without its reading in *all* of blocks 1 to 3, the model is right for {{ablated("mean_ablations", "up to a block", 3).mean:.1%}} of the images, against {{record("class_token_journey").accuracy.mean:.1%}} of these 5,000 when left alone. Without blocks 1 to 5, when the class token meets the image for the first time in block 6, it is still {{ablated("mean_ablations", "up to a block", 5).mean:.0%}}. The patches have gathered the class among themselves by then, as their mean showed above. In one design the class token joins for the last two blocks only ([CaiT, Touvron et al. 2021](https://arxiv.org/abs/2103.17239)).
# {{assert overlap(ablated("mean_ablations", "up to a block", 3), record("class_token_journey").accuracy)}}
# {{assert ablated("mean_ablations", "up to a block", 5).mean > 0.75}}
#
# The other way round (diamonds) it does not work. Cut off from block 4 on, the model is right for {{ablated("mean_ablations", "from a block on", 4).mean:.0%}} of the images by mean ablation and for {{ablated("knock_outs", "from a block on", 4).mean:.0%}} by knock-out, although a probe after block 3 is right for {{probe("class_token", 3).mean:.0%}}. That is no contradiction. The probe was fitted to the token at that place. The model's own head was trained on tokens that had read in all six blocks.
# {{assert below(ablated("mean_ablations", "from a block on", 4), probe("class_token", 3))}}
#
# ### Two blocks at once
#
# Does "no loss" mean "not needed"? Not if another block stands in. So we cut in pairs. The diagonal has the loss without a single block. Compare a pair with the sum of its two diagonal numbers.

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(6.8, 3.8), layout="constrained")
for axis, (key, way) in zip(axes, ways.items(), strict=True):
    lost = np.diag(record[key]["loss, one block"]["mean"])
    pairs = zip(record["cuts"]["two blocks"], record[key]["loss, two blocks"]["mean"], strict=True)
    for (one, other), loss in pairs:
        lost[one - 1, other - 1] = lost[other - 1, one - 1] = loss
    look = {"x_label": "block", "y_label": "and block", "limit": 80, "axis": axis}
    plots.show_matrix((100 * lost).round(), range(1, 7), range(1, 7), way, **look)
title = "shipped: points lost without two blocks (diagonal: without one)"
figure.suptitle(title, fontsize=11)
diagonals = [np.diag(axis.images[0].get_array()).tolist() for axis in axes]
plots.show(f"two tables of 6 × 6 numbers; on the diagonals {diagonals}", title)

# %% [markdown]
# Under mean ablation, block 5 alone costs {{ablated("mean_ablations", "loss, one block", 5).mean:.1p}} points and block 6 alone {{ablated("mean_ablations", "loss, one block", 6).mean:.1p}}. Together they cost {{ablated_pair("mean_ablations", "loss, two blocks", 5, 6).mean:.1p}}, far more than the sum. So the small loss without block 5 says little about what is read there. Either each block stands in for the other, or most answers survive one loss but not two. This experiment cannot tell the two apart. Among blocks 1 to 3, no pair costs more than {{100 * max(ablated_pair(how, "loss, two blocks", *pair).mean for how in ("knock_outs", "mean_ablations") for pair in ((1, 2), (1, 3), (2, 3))):.1f}} points, either way.
# {{assert 1.3 * (ablated("mean_ablations", "loss, one block", 5).mean + ablated("mean_ablations", "loss, one block", 6).mean) < ablated_pair("mean_ablations", "loss, two blocks", 5, 6).mean}}
#
# ## Looking is not needing: a needle in a haystack
#
# Can a block be dispensable even if the class token attends to exactly the right place there? In photos nobody knows the right place, but in `needle10` we do. Its images have 8 × 8 tiles with one of ten patterns each. Exactly one tile is *warm*, with more red than blue, and **its** pattern is the class. A tile is a patch, so we know the one patch that matters. Here it is framed:

# %%
images, labels, places = needle10(4_500, seed=0)
needles = Dataset(
    images[:4_000], labels[:4_000], images[4_000:], labels[4_000:], NEEDLE10_CLASSES, "needle10"
)
places = places[4_000:]  # of the test images' needles: the index of the patch, 0 … 63

plots.show_images(
    needles.test_images[:5],
    [NEEDLE10_CLASSES[label] for label in needles.test_labels[:5]],
    columns=5,
    size=1.3,
    frames=[(4 * (place % 8), 4 * (place // 8), 4) for place in places[:5].tolist()],
)

# %% [markdown]
# A second model learns this now: `seeker`, with two blocks of two heads.

# %%
SEEKER = ViTConfig(embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0)
seed_everything(0)
seeker = VisionTransformer(SEEKER)
config = TrainingConfig(
    epochs=2,
    batch_size=50,
    optimizer="muon",
    learning_rate=1e-2,
    weight_decay=0.1,
    label_smoothing=0.0,
    flip=False,  # a mirrored "diagonal" is an "antidiagonal"
    crop_padding=0,
)
fit(seeker, needles, config)
right = evaluate(seeker, needles.test_images, needles.test_labels)
print(f"seeker: {right:.1%} of the test images right")

# %%
maps = attention_maps(seeker, needles.test_images)  # blocks, images, heads, from, to
looks = maps[:, :, :, 0, 1:]  # from the class token to the patches: (L, B, h, N)
place = divmod(places[0].item(), 8)  # row, column
title = "seeker: where its class token looks"
plots.show_attention(needles.test_images[0], looks[:, 0].unflatten(-1, (8, 8)), place, title)

# %% [markdown]
# Nobody told it where the needle is, and yet in each block one head puts nearly everything on it. Is that so in every image? The **pointing game** asks how often the patch with the highest value is the needle. Guessing finds one needle in 64. Four maps play: the attention of **block 1** and **block 2**, averaged over heads, and two that go through both blocks.
#
# - **Rollout** ([Abnar and Zuidema 2020](https://arxiv.org/abs/2005.00928)). What the class token reads in block 2 is a *mixture* of patches that block 1 has made. Rollout follows it back: it multiplies A_L · … · A_1, where A is ½ · attention + ½ · I, and the identity I stands for the residual connection.
# - **Gradients** ([Chefer et al. 2021](https://arxiv.org/abs/2103.15679)). Each attention weight is multiplied by how much the logit of *one class*, here the predicted one, would rise if that weight grew. A is attention times this gradient, without negative values, averaged over heads. Start from R = I and take R ← R + A · R through the blocks.
#
# The control is the same model before training.

# %%
seed_everything(0)
untrained = VisionTransformer(SEEKER)


def class_token_maps(model, images):
    """Four maps of where the class token looks, each (B, N), by name."""
    looks = attention_maps(model, images).mean(dim=2)[:, :, 0, 1:]
    return {
        "attention of block 1": looks[0],
        "attention of block 2": looks[1],
        "rollout": attention_rollout(model, images),
        "gradients": gradient_attention(model, images),
    }


trained_maps = class_token_maps(seeker, needles.test_images)
untrained_maps = class_token_maps(untrained, needles.test_images)
print("points at the needle:    seeker   untrained   (guessing: 1.6 %)")
for name in trained_maps:
    after = pointing_accuracy(trained_maps[name], places)
    before = pointing_accuracy(untrained_maps[name], places)
    print(f"{name:22} {after:8.1%} {before:11.1%}")

# %% [markdown]
# After training all four point at the needle nearly always; before training they do not. Do not skip this control: of the three models in the record below, one points at the needle by rollout in {{record("needle10").runs[2].untrained.pointing.rollout:.0%}} of the images *before* training, because a tile that differs from all others can stand out in random projections too.
# {{assert len(record("needle10").runs) == 3}}
# {{assert all(min(run.trained.pointing.values()) > 50 * record("needle10").chance for run in record("needle10").runs)}}
# {{assert all(max(run.untrained.pointing.values()) < 0.1 for run in record("needle10").runs[:2])}}
#
# So both blocks look at the needle. Does `seeker` need both looks?

# %%
test = needles.test_images
reads = mean_reads(seeker, needles.train_images[:1_000])
print("seeker, cut off in   by knock-out   by mean ablation")
for name, blocks in {"nowhere": [], "block 1": [0], "block 2": [1], "both": [0, 1]}.items():
    ways_out = knock_out(seeker, test, blocks), mean_ablation(seeker, test, blocks, reads)
    out, mean = [(found.argmax(dim=1) == needles.test_labels).float().mean() for found in ways_out]
    print(f"{name:18} {out:14.1%} {mean:18.1%}")

# %% [markdown]
# Cut off in both blocks, it can only guess: the cuts do what they say. Cut off in block 2 it loses **nothing**, although its map of block 2 lies on the needle. That map did not tell us. It does not mean that what the class token reads in block 2 is worthless. Without block 1 it is all that the model has, and it is right far more often than by guessing. In this model block 2 is a spare: it carries the answer, and is not needed while block 1 has brought it already. Is this one model's whim? Here are three models from three seeds, on {{record("needle10").judged_on:s}} images (`benchmarks/needle.py`):

# %% tags=["nbval-check-output"]
(needle_record,) = read_records("../data/results/needle10.json")
print("seeker   block 2 at the needle   right   cut off in block 1   in block 2")
for run in needle_record["runs"]:
    found = run["trained"]
    without_1, without_2 = found["accuracy_without"]
    points = found["pointing"]["attention of layer 2"]
    print(
        f"seed {run['seed']} {points:22.1%} {found['accuracy']:9.1%} {without_1:15.1%} {without_2:14.1%}"
    )

# %% [markdown]
# It is not. In all three, both blocks look at the needle, as their record says, and by knock-out, without what it reads in block 2 the model loses at most {{max(run.trained.accuracy - run.trained.accuracy_without[1] for run in record("needle10").runs):.1%}} of the answers. How much is lost without block 1 differs widely. It differs even for one seed on two machines: seed 0 is also the seed of the cell above, which ran elsewhere. In the model of seed 0 that is on record, block 2 is not even a spare: without block 1 it is right for {{record("needle10").runs[0].trained.accuracy_without[0]:.1%}} of the images, which is guessing, although it looks at the needle.{{assert record("needle10").runs[0].trained.accuracy_without[0] < 0.12}}
# {{assert all(min(run.trained.share) > 10 * record("needle10").chance > 5 * max(run.untrained.share) for run in record("needle10").runs)}}
# {{assert all(run.trained.accuracy > 0.99 and run.trained.accuracy_without[1] > 0.99 for run in record("needle10").runs)}}
#
# > **Remember:** an attention map shows where a token *looks*. Whether the model *needs* what it sees there, you learn by taking it away.
#
# ## Which maps know the class?
#
# Back to `shipped` and photographs, where the right patch is unknown. A **deletion test** replaces the k patches with the *highest* values of a map by random pixels, and counts what is still right. Noise hurts wherever it stands, so the control is k patches at *random*.
#
# A second control is often forgotten. The gradient map is made for one class. Does it show what speaks for *that* class, or what matters for any answer? Ask the same method about the class that the model puts *second*. If the map knows its class, taking those patches away must hurt less than taking away the patches of the first class.

# %% tags=["hide-input"]
deletions = record["deletions"]
maps = ["attention of the last block", "rollout", "gradients", "gradients of the second class"]
curves = {f"highest: {of}": deletions[of]["highest"] for of in maps}
curves["random patches"] = deletions["gradients"]["random"]
curves["lowest: gradients"] = deletions["gradients"]["lowest"]
panels = {"three maps": (0, 1, 2, 4, 5), "one map, two classes": (2, 3, 4)}
figure, axes = plt.subplots(1, 2, figsize=(6.4, 4), sharey=True, layout="constrained")
for axis, (name, shown) in zip(axes, panels.items(), strict=True):
    for index, (label, found) in enumerate(curves.items()):
        if index in shown:
            draw(axis, deletions["counts"], {label: found}, **plots.curve_style(index))
    axis.set(title=name, xlabel="patches of 64 that became noise", ylim=(0, 1))
axes[0].set_ylabel("accuracy")
title = f"shipped: patches taken away, {record['deleted_from']:,} images"
figure.suptitle(title, fontsize=11)
handles = {line.get_label(): line for axis in axes for line in axis.lines}
figure.legend(handles.values(), handles, loc="outside lower center", ncols=2, fontsize=9)
words = [f"{axis.get_title()}: {line}" for axis in axes for line in in_words(axis)]
plots.show("two panels of falling curves", title, words)

# %% [markdown]
# Take 16 of the 64 patches away, and the model is right for {{deleted("gradients", "random", 16).mean:.0%}} of the images if the 16 were chosen at random. It is right for {{deleted("attention of the last block", "highest", 16).mean:.0%}} if the last block attends to them most, for {{deleted("rollout", "highest", 16).mean:.0%}} if rollout chose them, and for {{deleted("gradients", "highest", 16).mean:.0%}} if the gradients did. So all three maps say something about what matters, and the gradients say most.
# {{assert all(interval(deleted(kind, "loss beyond random", 16))[0] > 0 for kind in ("attention of the last block", "rollout", "gradients"))}}
# {{assert below(deleted("gradients", "highest", 16), deleted("attention of the last block", "highest", 16))}}
# {{assert below(deleted("gradients", "highest", 16), deleted("rollout", "highest", 16))}}
# With only four patches, what rollout chose cannot be told from random patches: the difference is {{deleted("rollout", "loss beyond random", 4):±.1p}} points.
# {{assert interval(deleted("rollout", "loss beyond random", 4))[0] <= 0}}
#
# The second panel holds the surprise. Noise on the 16 patches that speak for the class in *second* place costs hardly more than noise on random ones: {{deleted("gradients of the second class", "highest", 16).mean:.0%}} of the answers stay right, against {{deleted("gradients", "random", 16).mean:.0%}}, and the two intervals overlap. So the gradient map is about its class, and not merely about what matters for any answer. (Patches that speak for two classes are in both maps, and losing a rival's patches may even help. With 32 patches or more, the curve falls below the random one.)
# {{assert below(deleted("gradients of the second class", "highest", 32), deleted("gradients", "random", 32))}}
# {{assert overlap(deleted("gradients of the second class", "highest", 16), deleted("gradients", "random", 16))}}
# {{assert below(deleted("gradients", "highest", 16), deleted("gradients of the second class", "highest", 16))}}
# Attention and rollout cannot tell classes apart, because no class enters them. The other end of the gradient map passes the test too: noise on its *lowest* 16 leaves {{deleted("gradients", "lowest", 16).mean:.0%}}, more than noise on random ones.
#
# One control is still missing: the highest patches of a map often lie together, and random ones are scattered. In notebook 00 you moved the same pattern elsewhere; for thousands of images that remains to be done.
# {{assert below(deleted("gradients", "random", 16), deleted("gradients", "lowest", 16))}}
#
# ## A second model, a different story
#
# How much of this belongs to `shipped` alone? `small` is the quick recipe of notebook 00: three blocks, trained now on drawn shapes. Size, images and training all differ, so we shall see *that* it differs, and not why. It also helps to separate two questions that are easily confused. What can be *read* off the class token after k blocks? A probe says. What does the model *answer* if its class token reads in blocks 1 to k only? Its own head says.

# %%
shapes = load_dataset("shapes10")
seed_everything(0)
small = VisionTransformer(RECIPES["quick"].model)
fit(small, shapes, RECIPES["quick"].training)
images, labels = shapes.test_images, shapes.test_labels
journey = class_token_journey(small, images, labels)  # fits on the first half, scores the second
half = len(images) // 2
reads = mean_reads(small, images[:half])


def right_without(blocks):
    """The accuracy of `small` on the second half, by knock-out and by mean ablation."""
    out = knock_out(small, images[half:], blocks)
    mean = mean_ablation(small, images[half:], blocks, reads)
    return [(found.argmax(dim=1) == labels[half:]).float().mean().item() for found in (out, mean)]


# %%
out, mean = zip(*(right_without(range(k, 3)) for k in range(4)), strict=True)
plots.show_lines(
    range(4),
    {"probe": journey.class_token, "head, knock-out": out, "head, mean ablation": mean},
    "blocks in which the class token has read",
    "accuracy",
    "small: what can be read, and what it answers",
    ("guessing", 0.1),
    size=(4.8, 3.2),
)
print(f"small: {right_without([])[0]:.1%} right. Without")
for block in range(3):
    out, mean = right_without([block])
    print(f"block {block + 1}: {out:6.1%} by knock-out, {mean:6.1%} by mean ablation")

# %% [markdown]
# A probe after block 2 is right for more than 80 % of the images. The model's own head is right for about 70 % if block 3 supplies only its mean reading, and for about 36 % if block 3 is knocked out. All three are true at once: they are about different readers of different tokens.
#
# `small` differs from `shipped` in three ways. It has no block to spare: by mean ablation each of the three costs it several points. The knock-out exaggerates in *every* block, and not mainly in the last. And the first third of its blocks is worth more: when it reads in block 1 only, it is right for 36 % by mean ablation, and `shipped` with its blocks 1 and 2 for {{ablated("mean_ablations", "from a block on", 3).mean:.0%}}.
#
# ## Your own photo
#
# `shipped` sees 32 × 32 pixels and knows ten classes. The photo here comes with matplotlib (Rear Admiral Grace Hopper, in the public domain). Put the path of your own in its place, of an animal or a vehicle if the answer is to have a chance. The cell takes the largest square from its middle and shrinks it. For single heads, add `explore_attention(shipped, mine)`.

# %%
PHOTO = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
mine = load_image(PHOTO, 32)  # uint8 (3, 32, 32)
chances = knock_out(shipped, mine[None], []).softmax(dim=1)[0]
for label in chances.argsort(descending=True)[:3].tolist():
    print(f"{CIFAR10_CLASSES[label]:10} {chances[label]:.0%}")
show_journey(mine, load_image(PHOTO, 40))

# %% [markdown] tags=["exercise-only"]
# # Exercises 06 · Inside the class token
#
# They go with notebook [06](../06_inside_the_class_token.ipynb). If you start here: in every block and head, each of the T tokens divides its attention among all tokens. The shares form a table of T × T whose rows sum to 1. Token 0 is the class token, and token n + 1 is patch n; patches are counted from 0, row by row. All tables of a model and a batch are `maps`, (L, B, h, T, T). A *linear probe* is a linear map that is fitted to read the class off a token.

# %% tags=["exercise-only"]
import torch

from checks import check

# %% [markdown] tags=["exercise:class_token_map"]
# From the tables of one block, `maps` (B, h, T, T), make a picture for each image and head of what the class token attends to: (B, h, rows, columns). The patches form a grid of rows × columns.
#
# Hint: A row of a table belongs to the token that looks. Which row is the class token's?
#
# Hint: Its first entry is the share that it gives to itself. The others are the patches, and `unflatten(-1, (rows, columns))` folds them up.


# %% tags=["exercise-only", "exercise:class_token_map"]
def class_token_map(maps, rows, columns):
    """(B, h, T, T) → (B, h, rows, columns): the shares that the class token gives to the patches."""
    # solution
    # | return ...  # your code
    return maps[:, :, 0, 1:].unflatten(-1, (rows, columns))
    # end of solution


# %% [markdown] tags=["exercise:rollout"]
# What the class token reads in a later block is a mixture that the earlier blocks have made. *Rollout* follows it back in four steps. Average the heads of each block. Average the table A with the identity matrix, (A + I) / 2, since each token also stays what it was. Multiply these through the blocks, later ones on the left. Take the class token's row, without its own entry. `maps` (L, B, h, T, T) → (B, N).
#
# Hint: Begin with the identity, `torch.eye(T)`: before the first block each token holds itself. Then go through the blocks, first to last.
#
# Hint: The mean over heads is over the third axis of five. What reaches a token through a further block is a weighted sum of what had reached the tokens it attends to: a matrix product, with the new table on the left. After the loop it is (B, T, T).


# %% tags=["exercise-only", "exercise:rollout"]
def rollout(maps):
    """How much of each patch could reach the class token: (L, B, h, T, T) → (B, N)."""
    # solution
    # | return ...  # your code
    eye = torch.eye(maps.shape[-1]).to(maps)
    reach = eye
    for weights in maps.mean(dim=2):
        reach = (weights + eye) / 2 @ reach
    return reach[:, 0, 1:]
    # end of solution


# %% [markdown] tags=["exercise:probe_scores"]
# Fit a linear probe by least squares. Find the matrix that takes the training features (n, D), each with a 1 appended for the bias, as near as possible to their one-hot labels (n, K). Then give the scores (m, K) of other features (m, D).
#
# Hint: `torch.linalg.lstsq(A, Y).solution` is the X that makes A @ X nearest to Y. `torch.eye(K)[labels]` are one-hot targets.
#
# Hint: `torch.cat([features, torch.ones(len(features), 1)], dim=1)` appends the 1, for the training features and for the others.


# %% tags=["exercise-only", "exercise:probe_scores"]
def probe_scores(train_features, train_labels, features, num_classes):
    """Scores (m, K) of features (m, D), by a linear map that is fitted to the training features."""
    # solution
    # | return ...  # your code
    targets = torch.eye(num_classes)[train_labels]
    known = torch.cat([train_features, torch.ones(len(train_features), 1)], dim=1)
    asked = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    return asked @ torch.linalg.lstsq(known, targets).solution
    # end of solution


# %% [markdown] tags=["exercise:without_looking"]
# *Find the bug.* To see whether a model needs some tokens, hide them: no token may look at them, and the other tokens share in proportion what the hidden ones would have got. `scores` (…, T, T) are the attention scores before the softmax, `hidden` (T,) is True for the tokens to hide. Look at what the rows sum to, and repair the function.
#
# Hint: After the softmax, the shares of the hidden tokens are gone and nobody has got them.
#
# Hint: Which score makes a softmax give exactly 0? e to the power of what is 0?
#
# Solution: −∞ before the softmax: e^−∞ = 0, and the others sum to 1. (To set shares to 0 and divide each row by its sum is the same.)


# %% tags=["exercise-only", "exercise:without_looking"]
def without_looking(scores, hidden):
    """Attention weights (…, T, T) in which the hidden keys get nothing."""
    # solution
    # | return scores.softmax(dim=-1).masked_fill(hidden, 0.0)
    return scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)
    # end of solution


print(without_looking(torch.zeros(3, 3), torch.tensor([False, True, False])).sum(dim=-1))

# %% [markdown] tags=["exercise:what_follows"]
# *Conclude.* In block 5 the class token gives 80 % of one head's attention to token 12, which is patch 11. What follows for sure?
#
# - a: Patch 11 decides the class.
# - b: In what the class token takes in by this head, the value of token 12 has a weight of 80 %.
# - c: Without patch 11 the model would be wrong.
# - d: The object is in patch 11.
#
# Hint: What does a share multiply? What is done with the result?
#
# Hint: After four blocks, does token 12 hold only what was in patch 11?
#
# Solution: **b**, and no more. Whether the model *needs* what the class token looks at, you learn by taking it away. Notebook 06 has a block in which it looks at the right patch, and nothing is lost if it may not.

# %% tags=["exercise-only", "exercise:what_follows"]
# solution
# | what_follows = ...  # "a", "b", "c" or "d"
what_follows = "b"
# end of solution

# %% [markdown]
# The model says cat, with 39 %. None of the ten classes is right, and yet their shares must sum to 1: a classifier has no way to say "none of these". (The table need not list the same classes as the model: probes and head are different readers.)
#
# ## Recap
#
# > **Remember:** probes tell you what can be read off a token, cuts tell you what the model needs, and controls tell you whether either means anything.
#
# - The class can be read off the class token better after each block, but a probe does not say that the model reads it there.
# - A knock-out may hurt because it is strange. Mean ablation is less strange, and takes away what was said about this image.
# - No loss without one block does not mean that it does nothing. Another may stand in.
# - Looking is not needing: attention may lie on the needle in a block that could be left out.
# - Score a map against a control: the untrained model, random patches, or the same method asked about another class.
#
# ## Questions
#
# **1.** A probe reads the class off a single corner patch, far better than chance. Is the object in the corner?
#
# <details><summary>Answer</summary>
#
# Not necessarily. From the first block on every patch token can look at all the others. A token belongs to a place, but what it holds need not come from there.
#
# </details>
#
# **2.** A probe reads the class off the class token after block 2 in 80 % of the images, but with the class token cut off in block 3 the model is right in 40 %. Is one of the two wrong?
#
# <details><summary>Answer</summary>
#
# No. The probe was fitted to the token as it is after block 2. The model's head was trained on tokens that had read in block 3 as well.
#
# </details>
#
# **3.** You replace the ten most attended patches by noise, and the accuracy falls from 90 to 60 %. What is missing before you may conclude that the model used them?
#
# <details><summary>Answer</summary>
#
# How far it falls when ten patches are chosen at random.
#
# </details>
#
# **4.** A knock-out of one block costs 40 points, and mean ablation of the same block 10. How much does the model need what its class token reads there?
#
# <details><summary>Answer</summary>
#
# What it reads there about *this* image is worth about 10 points, as long as the other blocks read as usual and can stand in. Much of the other 30 is the price of an input that the model never met in training.
#
# </details>
#
# ## For a second visit: the patch tokens
#
# Three shorter questions about `shipped`. They stand behind the recap because they are about the patches.
#
# ### What does a patch token know, and where?
#
# The head reads the class token only. What could be read off the patch tokens? Each cell below is the accuracy of a probe on the one patch token at that place. In the second panel `shipped` gets all images *mirrored*. A pattern that comes from the photographs must turn around with them, and one that belongs to the model must stay.

# %% tags=["hide-input"]
kinds = {
    "shipped": "probes",
    "shipped, mirrored": "mirrored_probes",
    "untrained twin": "untrained_probes",
}
figure, axes = plt.subplots(1, 3, figsize=(6.8, 3.6), layout="constrained")
grids = {}
for axis, (name, kind) in zip(axes, kinds.items(), strict=True):
    grids[name] = 100 * np.array(record[kind]["patches"]["mean"][-1]).reshape(8, 8)
    drawn = axis.imshow(grids[name], cmap=plots.AMOUNTS)
    axis.set_title(name, fontsize=11)
    axis.set(xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axis, orientation="horizontal", label="accuracy in %")
title = "A probe on one patch token, after the last block"
figure.suptitle(title, fontsize=11)
words = [f"{name}: from {grid.min():.0f} to {grid.max():.0f} %" for name, grid in grids.items()]
plots.show("three maps of 8 × 8 cells, a cell for each patch", title, words)

# %% tags=["nbval-check-output"]
grid, mirrored, untrained_grid = grids.values()
for name, other in {
    "the mirrored run, as it is": mirrored,
    "the mirrored run, turned around": mirrored[:, ::-1],
    "its own mirror image": grid[:, ::-1],
    "the untrained twin": untrained_grid,
}.items():
    correlation = np.corrcoef(grid.ravel(), other.ravel())[0, 1]
    print(f"shipped, correlation with {name:32} {correlation:.2f}")

# %% [markdown]
# The probes do best in the middle and along the upper and lower edges. Their accuracies lie between {{min(probe("patches", 6).mean):.0p}} and {{max(probe("patches", 6).mean):.0%}}. Did the pattern turn around? We cannot tell. It is nearly its own mirror image, so it agrees with the mirrored run either way, and a test that can only come out one way tests nothing. The untrained twin says more. It has learned no preference for any place, and yet the patterns are alike, with a correlation of {{statistics.correlation(probe("patches", 6).mean, at(record("class_token_journey").untrained_probes.patches, 6).mean):.2f}}. So part of the pattern seems to come from the photographs and not from training. Why the edges say so much is unexplained.
# {{assert statistics.correlation(probe("patches", 6).mean, mirrored(probe("patches", 6).mean)) > 0.8}}
# {{assert min(statistics.correlation(probe("patches", 6).mean, other) for other in (at(record("class_token_journey").mirrored_probes.patches, 6).mean, mirrored(at(record("class_token_journey").mirrored_probes.patches, 6).mean))) > 0.8}}
# {{assert statistics.correlation(probe("patches", 6).mean, at(record("class_token_journey").untrained_probes.patches, 6).mean) > 0.5}}
#
# The overall level is easier to interpret. Even a corner, which mostly shows background, is right for {{min(probe("patches", 6).mean[place] for place in (0, 7, 56, 63)):.0%}} of the images or more. A token belongs to a place; what it holds need not come from there.
#
# ### Registers and artefacts
#
# The softmax makes each token give away 100 % of its attention, even when nothing is worth reading. In large models such idle attention gathers on a few *sinks*: in text often on the first token ([Xiao et al. 2023](https://arxiv.org/abs/2309.17453)), in images on patches of empty background. Their vectors grow far longer than the others and spoil the maps ([Darcet et al. 2024](https://arxiv.org/abs/2309.16588)). The cure is spare tokens, which all may look at and whose output is thrown away: **registers**, `ViTConfig(num_registers=4)`.
#
# Two signs would call for them in `shipped`: a class token that attends mostly to itself, and patch tokens that are much longer than the rest.

# %% tags=["nbval-check-output"]
long = record["long_patches"]
print("shipped    longest patch token against the median   class token's")
print("           mean over images    largest of all       share for itself")
for block, share in enumerate(record["self_attention"]):
    mean, largest = long["mean"][block], long["largest"][block]
    print(f"block {block + 1} {mean:12.1f} {largest:18.1f} {share:24.1%}")

# %% [markdown]
# Neither sign is there. With even attention, the class token would give itself 1.5 %, and `shipped` gives {{max(record("class_token_journey").self_attention):.1%}} at most. The longest patch token is on average less than twice as long as the median one, and in no image more than {{max(record("class_token_journey").long_patches.largest):.1f}} times. So by these two signs, `shipped` has no artefacts for registers to cure. Darcet and colleagues found long patches in large models, trained for long on much more data.
# {{assert max(record("class_token_journey").long_patches.mean) < 2}}
# {{assert max(record("class_token_journey").self_attention) < 0.1}}
#
# ### How far do patches look?
#
# A convolution sees its neighbours only; a patch in a ViT may look anywhere. `attention_distance` takes the mean distance from each patch to the patches it looks at, weighted by how much (Fig. 7 of the ViT paper). If each patch spread its attention evenly, it would be 16.5 pixels.

# %%
plots.show_dots(
    {f"block {block}": heads for block, heads in enumerate(record["distances"], start=1)},
    "mean distance to what a patch looks at (pixels)",
    "shipped: how far the heads of each block look",
    dashed=("even attention", 16.55),
    dot="head",
)

# %% [markdown]
# The six times three heads lie between {{min(min(heads) for heads in record("class_token_journey").distances):.0f}} and {{max(max(heads) for heads in record("class_token_journey").distances):.0f}} pixels, and none of them looks at its neighbours only. Heads below 16.5 may like what is near. They may also look towards the middle of the image, which is nearer to everyone: a mean distance cannot tell these apart.
# {{assert 8 < min(min(heads) for heads in record("class_token_journey").distances)}}
#
# ---
#
# **Try it yourself:** [exercises 06](exercises/06_inside_the_class_token.ipynb), with checks that say what is wrong.
#
# **Next:** what goes wrong, and how to notice: notebooks [07](07_pitfalls_initialization.ipynb) to [09](09_pitfalls_class_token.ipynb).
