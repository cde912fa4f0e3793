# %% [markdown]
# # 06 · Inside the class token: what it gathers, from where, and at which layer
#
# **After this notebook you can** draw where a class token looks, measure what it knows after each layer, find out which layers and patches a model needs by taking them away, say when an attention map
# misleads, and do all of this with a photo of your own.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04 |
# | Time to read | about 40 minutes |
# | Time to run | at the quick budget {{notebook_seconds("06_inside_the_class_token"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("06_inside_the_class_token", "float32"):about}} on one core of an older one; on a T4 not measured yet |
# | Package modules | `inspection.py`, `explorer.py`, `plots.py`, `data/drawn.py` |
#
# Most tutorials show one attention map, over a dog, and it lies on the dog. We begin where we know what a map *should* show, so that we can score it.

# %%
import matplotlib
import numpy as np
import torch

from vit_minimal import (
    RECIPES,
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    attention_distance,
    attention_maps,
    attention_rollout,
    class_token_journey,
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
from vit_minimal.augment import normalize
from vit_minimal.data import CIFAR10_CLASSES
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.inspection import deletion_test, pointing_accuracy
from vit_minimal.records import read_records

# %% [markdown]
# ## A needle in a haystack
#
# `needle10` draws images of 8 × 8 tiles, 4 × 4 pixels each. Every tile bears one of ten patterns (stripes, checks, a diagonal, …). Exactly one tile is *warm*, which means that it has more red than blue, and **its** pattern is the class. The patterns on all
# other tiles are clutter. Since a tile is a patch, we know for every image which of the 64 patches a class token has to read. Here it is framed:

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
    size=1.6,
    frames=[(4 * (place % 8), 4 * (place // 8), 4) for place in places[:5].tolist()],
)

# %% [markdown]
# Two blocks with two heads each are enough to learn this, and two passes over 4,000 images.

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
print(f"{evaluate(seeker, needles.test_images, needles.test_labels):.1%} of the test images right")

# %% [markdown]
# So it has found out, from labels alone, that the warm tile counts. Where does its class token look? `attention_maps` gives all weights of all layers. Row 0 of a map is the class token's; without its first entry (the
# share it gives to itself) it can be drawn over the patches.

# %%
maps = attention_maps(seeker, needles.test_images)  # layers, images, heads, from, to
looks = maps[:, :, :, 0, 1:]  # from the class token to the patches: (L, B, h, N)
place = divmod(places[0].item(), 8)  # row, column
plots.show_attention(needles.test_images[0], looks[:, 0].unflatten(-1, (8, 8)), frame=place)

# %% [markdown]
# Each map has its own scale, whose end stands above it. In each layer one head puts nearly everything on the needle and the other does not. (What the shares of a map lack to 100 % went to the class token itself.)
#
# ## A score for a map
#
# One image is an anecdote. The **pointing game** asks, for every test image: is the patch with the highest value the needle? Guessing would be right once in 64 times. Four maps play:
#
# - the attention of **layer 1** and of **layer 2**, averaged over the heads;
# - **rollout** ([Abnar and Zuidema 2020](https://arxiv.org/abs/2005.00928)). What the class token reads in layer 2 is no longer a patch but a *mixture* that layer 1 has made. Rollout follows it back to the patches: it multiplies the
#   attention matrices of the layers,
#
#       A_l = ½ · (attention matrix of layer l, averaged over its heads) + ½ · I
#       rollout = row 0 of A_L · … · A_2 · A_1
#
#   The identity I stands for the residual connection, which adds to each token what it was. That it counts for half is an assumption of the method;
# - **gradients** ([Chefer et al. 2021](https://arxiv.org/abs/2103.15679)): the same walk through the layers, with R = I at first and R ← R + A_l · R, where A_l is the attention of layer l times the gradient of the predicted class's logit, negative values set to 0, averaged over heads. A weight
#   counts as far as that logit would rise with it.
#
# All four play for the trained model, and, as a control, for the same model before training.

# %%
seed_everything(0)
untrained = VisionTransformer(SEEKER)


def class_token_maps(model, images):
    """Four maps of where the class token looks, each (B, N), by name."""
    looks = attention_maps(model, images).mean(dim=2)[:, :, 0, 1:]
    return {
        "attention of layer 1": looks[0],
        "attention of layer 2": looks[1],
        "rollout": attention_rollout(model, images),
        "gradients": gradient_attention(model, images),
    }


trained_maps = class_token_maps(seeker, needles.test_images)
untrained_maps = class_token_maps(untrained, needles.test_images)
print("points at the needle:    trained   untrained   (guessing: 1.6 %)")
for name in trained_maps:
    after = pointing_accuracy(trained_maps[name], places)
    before = pointing_accuracy(untrained_maps[name], places)
    print(f"{name:22} {after:9.1%} {before:11.1%}")

# %% [markdown]
# Trained, all four point at the needle, layer 2 and the gradients with a few misses. Untrained is not the same as guessing: a tile that differs from all others stands out in *random* projections too, up or down. For the three models of
# the record below, before training, rollout points at the needle in {{record("needle10").runs[0].untrained.pointing.rollout:.1p}}, {{record("needle10").runs[1].untrained.pointing.rollout:.1p}} and {{record("needle10").runs[2].untrained.pointing.rollout:.1%}} of the images.
# {{assert len(record("needle10").runs) == 3}}
# {{assert all(min(run.trained.pointing.values()) > 50 * record("needle10").chance for run in record("needle10").runs)}}
# A map that lies on the object does not show that a model has learned anything, unless its untrained twin's does not.
#
# ## Looking is not using
#
# Averaged over heads, both layers look at the needle. Does the model need both? Forbid it: `knock_out(model, images, layers)` cuts the class token off from the patches in the layers that you name (counted from 0, like
# `model.blocks`). What it gave to them it then gives to itself.


# %%
def accuracy_without(model, images, labels, layers):
    """The accuracy when the class token may not read the patches in these layers."""
    guesses = knock_out(model, images, layers).argmax(dim=1)
    return (guesses == labels).float().mean().item()


for name, layers in {"not cut off": [], "layer 1": [0], "layer 2": [1], "both": [0, 1]}.items():
    right = accuracy_without(seeker, needles.test_images, needles.test_labels, layers)
    print(f"{name:12} {right:6.1%} right")

# %% [markdown]
# Cut off in both layers the class token sees no image at all and is right in about 10 %: the knock-out does what it says. Cut off in layer 2 it loses **nothing**, although its map of layer 2 lies on the
# needle. It had read the pattern in layer 1 already; layer 2 looks again, and what it finds there is not needed. None of the four maps told us so.
#
# Cut off in layer 1 it loses much. That is harder to read: the class token now gives all of its attention to itself, which it never did in training, and part of the loss may come from that
# strangeness. *No loss* shows that a layer is not needed; *a loss* alone does not show how much it is.
#
# Is this one model's whim? Three models, from three seeds (`benchmarks/needle.py`, {{record("needle10").judged_on:s}} images):

# %% tags=["nbval-check-output"]
(needle_record,) = read_records("../data/results/needle10.json")
print("seed   layer 2 points at the needle   right   cut off in layer 1   in layer 2")
for run in needle_record["runs"]:
    found = run["trained"]
    without_1, without_2 = found["accuracy_without"]
    points = found["pointing"]["attention of layer 2"]
    print(
        f"{run['seed']:4} {points:30.1%} {found['accuracy']:7.1%} {without_1:20.1%} {without_2:12.1%}"
    )

# %% [markdown]
# It is not. In each of the three both layers look at the needle, and without layer 2 the model loses at most {{max(run.trained.accuracy - run.trained.accuracy_without[1] for run in record("needle10").runs):.1%}} of the answers.
# {{assert all(min(run.trained.share) > 10 * record("needle10").chance > 5 * max(run.untrained.share) for run in record("needle10").runs)}}
# {{assert all(run.trained.accuracy > 0.99 and run.trained.accuracy_without[1] > 0.99 for run in record("needle10").runs)}}
#
# > **Keep this:** an attention map shows where a token *looks*. Whether it *needs* what it sees there, you learn by taking it away.
#
# ## Images where nobody knows the answer
#
# From here on there are two models. `shipped` comes with the course: six layers, trained on CIFAR-10, {{record("cifar10_cpu_long").accuracy:.1%}} of the test images right (its [card](../data/README.md#checkpoints)). `model` is the one that the cells look into: `shipped` if CIFAR-10 is on your disk, and else
# the small recipe of notebook 00 with three layers, trained now on Shapes-10. The saved outputs show the second case; figures of `shipped` on CIFAR-10 are drawn from records. (The functions of `inspection.py` normalise images for you; if you call a model yourself, you must.)

# %%
device = pick_device()
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors").to(device)
dataset = load_dataset()
if dataset.name == "cifar10":
    model = shipped
else:
    seed_everything(0)
    model = VisionTransformer(RECIPES["quick"].model)
    fit(model, dataset, RECIPES["quick"].training)
images, labels = dataset.test_images[:2_000], dataset.test_labels[:2_000]
print(f"{evaluate(model, images, labels):.1%} of {len(images):,} test images right")

# %%
looks = attention_maps(model, images[9:10])[:, 0, :, 0, 1:]  # (L, h, N)
plots.show_attention(images[9], looks.unflatten(-1, model.patch_embed.grid_size))

# %% [markdown]
# A row for each layer, a column for each head (an equal share would be 1.5 %). For this image, in the saved run, most heads look at a few patches on the shape or at its edge, two of layer 2 at the same ones; one, head 2 of layer 3, looks more broadly, at background.
#
# ### Hover over it
#
# `explore_attention` makes a small page of its own. Hover over a patch or over the class token (or tap it, or use Tab and the arrow keys) and see where it looks; choose layer and head; switch the numbers on. It needs no
# network, and is made for JupyterLab, VS Code and Colab. (On GitHub, which runs no scripts, and before you have run the cell yourself, you see a picture instead.)

# %%
explore_attention(model, images[9])

# %% [markdown]
# ## The journey
#
# The class token starts as the same vector for every image, so it knows nothing. At the end one linear layer reads the class off it. And in between? After each block we fit a **linear probe**
# ([Alain and Bengio 2016](https://arxiv.org/abs/1610.01644)): a linear classifier that is given this one token, as it leaves the block, and nothing else. It is fitted by least squares on one half of the images and scored on the other half. If it can
# read the class there, the class is there.
#
# `class_token_journey` does this for the class token, for the mean of all patch tokens, and for every single patch token.

# %%
journey = class_token_journey(model, images, labels)
plots.show_lines(
    range(model.config.depth + 1),
    {
        "class token": journey.class_token,
        "mean of the patches": journey.patch_mean,
        "one patch (mean over places)": journey.patches.mean(dim=1),
    },
    "after block (0: before the first)",
    "accuracy of the probe",
    f"What can be read off the tokens ({journey.num_scored:,} images)",
    ("guessing", 0.1),
)

# %% [markdown]
# Before the first block the class token is the same for all images, and a single patch says little. Then all three rise, the class token most. (Its last probe, 94.8 % in the saved run, is level with the model's own head, although it had
# 1,000 images to learn from, and the head 10,000.) Now `shipped`, on CIFAR-10. The bands are 95 % intervals over images:

# %%
(record,) = read_records("../data/results/class_token_journey.json")
names = {"class token": "class_token", "mean of the patches": "patch_mean"}
curves = {name: record["probes"][key]["mean"] for name, key in names.items()}
widths = {name: record["probes"][key]["width"] for name, key in names.items()}
curves["one patch (mean over places)"] = np.mean(record["probes"]["patches"]["mean"], axis=1)
plots.show_lines(
    range(len(curves["class token"])),
    curves,
    "after block (0: before the first)",
    "accuracy of the probe",
    f"The model of the course on CIFAR-10 ({record['probes_judged_on']:,} images)",
    ("guessing", 0.1),
    widths=widths,
)

# %% [markdown]
# Does the class token gather the image layer by layer? It knows more after each block.
# {{assert probe("class_token", 0).mean < 0.11}}
# {{assert all(below(probe("class_token", block - 1), probe("class_token", block)) for block in range(1, 7))}}
# But until block 3 the plain *mean of the patches* knows more than the class token does, after block 4 they are level, and only in the last two blocks the class token
# pulls ahead, to {{probe("class_token", 6).mean:.1p}} against {{probe("patch_mean", 6).mean:.1%}}.
# {{assert all(below(probe("class_token", block), probe("patch_mean", block)) for block in (0, 1, 2, 3))}}
# {{assert overlap(probe("class_token", 4), probe("patch_mean", 4))}}
# {{assert all(below(probe("patch_mean", block), probe("class_token", block)) for block in (5, 6))}}
# And a single patch, any of the 64, is enough for {{min(probe("patches", 6).mean):.1p}} to {{max(probe("patches", 6).mean):.1%}} at the end: the class token is not the only one that gathers.
#
# Nobody reads the patch tokens after the last block: the head reads the class token only. What do they know, place by place?

# %%
rows, columns = model.patch_embed.grid_size
accuracies = (100 * journey.patches[-1]).reshape(rows, columns)
is_border = torch.ones(rows, columns, dtype=torch.bool)
is_border[1:-1, 1:-1] = False
border, inside = accuracies[is_border].mean(), accuracies[~is_border].mean()
print(f"mean along the border {border:.0f} %, inside {inside:.0f} %")
plots.show_matrix(
    accuracies.round(),
    range(1, rows + 1),
    range(1, columns + 1),
    title="Accuracy (%) of a probe on one patch, after the last block",
    x_label="column",
    y_label="row",
    size=0.5,
)

# %% [markdown]
# In the saved run every place alone is enough for well over half of the images, and the border, where there is mostly background, knows no less than the inside, where the shapes are. What it knows must have come from elsewhere. A token belongs to a place; what it holds need not come from there.
#
# ## Which layers does it need?
#
# Probes say where the class *can* be read, not where the class token takes it from. So cut it off again: in one layer, and from a layer on to the end. (In the last layer the two are the same.)

# %%
part, part_labels = images[:1_000], labels[:1_000]
depth = model.config.depth
one = [accuracy_without(model, part, part_labels, [layer]) for layer in range(depth)]
onward = [accuracy_without(model, part, part_labels, range(layer, depth)) for layer in range(depth)]
plots.show_lines(
    range(1, depth + 1),
    {"cut off in this layer only": one, "cut off from this layer on": onward},
    "layer",
    "accuracy",
    "The class token may not read the patches",
    ("left alone", accuracy_without(model, part, part_labels, [])),
    from_zero=True,
)

# %% [markdown]
# This small model has no layer to spare. And look at layer 3: without it some 40 % are right in the saved run, though the probe *before* it, after block 2, reads more than 80 % correctly. How can both be true? The probe is made for
# that place. The model's own head is not: it was trained to read a class token that has been through layer 3, and cannot read this one. A probe tells what is there, not what the model can use.

# %%
cuts = record["knock_outs"]
names = {
    "cut off in this layer only": "one layer",
    "cut off from this layer on": "from a layer on",
}
plots.show_lines(
    range(1, len(cuts["one layer"]["mean"]) + 1),
    {name: cuts[key]["mean"] for name, key in names.items()},
    "layer",
    "accuracy",
    "The model of the course on CIFAR-10 (5,000 images)",
    ("left alone", record["accuracy"]["mean"]),
    from_zero=True,
    widths={name: cuts[key]["width"] for name, key in names.items()},
)

# %% [markdown]
# The larger model is quite different. Cut off in any one of layers 1 to 3, the class token loses about one point at most; in layer 4 it loses {{knock_out("loss, one layer", 4):.1p}} points, in layer 5 {{knock_out("loss, one layer", 5):.1p}}, in layer 6 {{knock_out("loss, one layer", 6):.0p}}.
# {{assert all(knock_out("loss, one layer", layer) < 0.0105 for layer in (1, 2, 3))}}
# So no single one of the first three layers is
# needed: what the class token misses there it can fetch in another. Whether it could do without all three at once, this does not show. There is a design in which the class token enters only for the last two layers
# ([CaiT, Touvron et al. 2021](https://arxiv.org/abs/2103.17239)).
#
# But from layer 4 on to the end it cannot do without: {{knock_out("from a layer on", 4):.1%}} are left, although the probe after block 3 reads {{probe("class_token", 3).mean:.0%}} off it. The same as above.
#
# ## Does the map show what matters?
#
# With the needle we knew the answer. Here we can only ask the model: replace the pixels of k patches by random ones, those with the *highest* values of a map, and see what accuracy is left. Noise is strange to the model wherever it stands, so the
# control is k patches chosen at *random*. A map that shows what matters must hurt more than chance, and its *lowest* patches less.

# %%
counts = (0, 2, 4, 8, 16, 24, 32, 48)
some, some_labels = images[:500], labels[:500]
scores = {
    "attention of the last layer": attention_maps(model, some)[-1].mean(dim=1)[:, 0, 1:],
    "rollout": attention_rollout(model, some),
    "gradients": gradient_attention(model, some),
}
curves = {}
for name, score in scores.items():
    right = deletion_test(model, some, some_labels, score, counts)  # each (len(counts), B)
    curves[f"highest: {name}"] = right["highest"].float().mean(dim=1)
curves["random"] = right["random"].float().mean(dim=1)
curves["lowest: gradients"] = right["lowest"].float().mean(dim=1)
plots.show_lines(
    counts, curves, "how many of 64 patches became noise", "accuracy", "Taking patches away"
)

# %%
deletions = record["deletions"]
curves = {f"highest: {name}": deletions[name]["highest"] for name in scores}
curves["random"] = deletions["gradients"]["random"]
curves["lowest: gradients"] = deletions["gradients"]["lowest"]
banded = ("highest: gradients", "random")  # five bands would hide one another
plots.show_lines(
    deletions["counts"],
    {name: curve["mean"] for name, curve in curves.items()},
    "how many of 64 patches became noise",
    "accuracy",
    f"The model of the course on CIFAR-10 ({record['deleted_from']:,} images)",
    widths={name: curves[name]["width"] for name in banded},
)

# %% [markdown]
# With 16 of 64 patches gone, `shipped` still gets {{deleted("gradients", "random", 16).mean:.0%}} right if they are chosen at random ({{deleted("gradients", "random", 0).mean:.0%}} with none gone). It keeps {{deleted("attention of the last layer", "highest", 16).mean:.0%}} if they are those that the last layer attends to most, {{deleted("rollout", "highest", 16).mean:.0%}} by rollout, and {{deleted("gradients", "highest", 16).mean:.0%}} by gradients. So all three maps say something about what
# matters, and the gradients say most.
# {{assert all(interval(deleted(kind, "loss beyond random", 16))[0] > 0 for kind in ("attention of the last layer", "rollout", "gradients"))}}
# {{assert below(deleted("gradients", "highest", 16), deleted("attention of the last layer", "highest", 16))}}
# For `shipped`, rollout is the weakest: its two or four highest patches hurt no more than random ones (the difference at four: {{deleted("rollout", "loss beyond random", 4):±.1p}} points).
# {{assert deleted("rollout", "highest", 16).mean > deleted("attention of the last layer", "highest", 16).mean}}
# {{assert all(interval(deleted("rollout", "loss beyond random", count))[0] <= 0 for count in (2, 4))}}
# Its lowest are no better than random either: {{deleted("rollout", "lowest", 16).mean:.1p}} against {{deleted("rollout", "random", 16).mean:.1%}} at 16; by gradients {{deleted("gradients", "lowest", 16).mean:.1%}}.
# {{assert overlap(deleted("rollout", "lowest", 16), deleted("rollout", "random", 16))}}
# {{assert below(deleted("gradients", "random", 16), deleted("gradients", "lowest", 16))}}
#
# In the small model, in the upper figure, the order is another: with 16 patches gone, rollout and gradients leave some 23 %, the last layer's attention 56 %, chance 81 %. Which map is best depends on the model.
#
# A map may show where a token looks, and still be a poor guide to what would change the answer.
#
# ## Sinks and registers
#
# The softmax makes each token give away 100 %, even when nothing is worth reading. In large models such idle attention gathers on a few tokens, so-called *sinks*: in text often on the first
# ([Xiao et al. 2023](https://arxiv.org/abs/2309.17453)), in images on patches of empty background whose vectors grow far longer than all others ([Darcet et al. 2024](https://arxiv.org/abs/2309.16588)).
# The second paper's cure is to offer spare tokens for that purpose, which every token may look at and whose output is thrown away: **registers**, `ViTConfig(num_registers=4)`.
#
# Two signs to look for: a class token that attends to itself, and patches that are much longer than the rest. A *forward hook* is PyTorch's way to see what a module returns without changing it:


# %%
@torch.no_grad()
def patch_lengths(model, images):
    """How long each patch's vector is after each block: (L, B, N)."""
    kept = []

    def keep(module, inputs, output):
        kept.append(output[:, model.num_prefix :].norm(dim=-1))  # without the class token

    hooks = [block.register_forward_hook(keep) for block in model.blocks]
    device = next(model.parameters()).device
    model.eval()
    model(normalize(images.to(device)))
    for hook in hooks:
        hook.remove()
    return torch.stack(kept)


lengths = patch_lengths(model, images[:500])
longest = (lengths.max(dim=2).values / lengths.median(dim=2).values).mean(dim=1)
print("layer   class token's share for itself   longest patch / median")
for layer in range(model.config.depth):
    print(f"{layer + 1:5} {journey.self_attention[layer]:32.1%} {longest[layer]:24.1f}")

# %% [markdown]
# In the saved run neither sign is there: the class token gives itself less than an equal share (1.5 %), and the longest patch is not much longer than the median. `shipped` gives itself {{min(record("class_token_journey").self_attention):.1p}} to {{max(record("class_token_journey").self_attention):.1%}} on CIFAR-10 (in its record), which is no sink either. Darcet and
# colleagues found long patches in large models that were trained for long, on much more data. The experiment `pooling` of notebook 09 tries registers at the full budget.
#
# ## Aside: the patches
#
# **How far do they look?** A convolution sees its neighbours and nothing else; a patch in a ViT may look anywhere. `attention_distance` takes the mean distance from each patch to the patches it looks at, weighted by how much
# (Fig. 7 of the ViT paper). For attention that is the same everywhere it would be 16.5 pixels, the mean distance between two patches of the image (a patch and itself included).

# %%
distances = attention_distance(model, images[:500])
plots.show_dots(
    {f"layer {layer}": heads for layer, heads in enumerate(distances, start=1)},
    "mean distance to what a patch looks at (pixels)",
    "How far the heads of each layer look",
    dashed=("even attention", 16.55),
    dot="head",
)

# %% [markdown]
# In the saved run all heads lie below 16.5. That may mean a liking for near patches, or only that all look towards the middle of the image, which is nearer to everyone: the mean cannot tell. No head looks at its neighbours only.
#
# **What have the positions learned?** Nobody tells the model which patches are neighbours: it starts with 65 random vectors, one for the class token and one for each patch. Here are those of the patches in `shipped`. Each small map belongs to the patch at its place
# and shows how similar its vector is to all others (yellow: alike).

# %%
positions = shipped.pos_embed.weight[0, 1:]  # without the class token's: (N, D)
grid = shipped.patch_embed.grid_size
plots.show_similarity_grid(positions, grid, "Positions learned by the model of the course")

# %% [markdown]
# Neighbours are alike: the model has found out from the images alone how the patches lie. And in the middle rows the right edge is less unlike the left one (a cosine of about −0.1) than the middle is (−0.5); top and bottom do not come together so. That may come from augmentation: half of the training images were mirrored left to right.
#
# ## Your own photo
#
# `shipped` sees 32 × 32 pixels and knows ten classes. This cell takes the largest square from the middle of a photo and shrinks it. The photo here comes with matplotlib (Rear Admiral Grace Hopper, in the public domain): put the
# path of your own in its place, of an animal or a vehicle if the answer is to have a chance.

# %%
PHOTO = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
photo = load_image(PHOTO, size=32)  # uint8 (3, 32, 32)
with torch.no_grad():
    chances = shipped(normalize(photo[None].to(device))).softmax(dim=1)[0]
for label in chances.argsort(descending=True)[:3].tolist():
    print(f"{CIFAR10_CLASSES[label]:10} {chances[label]:.0%}")
explore_attention(shipped, photo)

# %% [markdown] tags=["exercise-only"]
# # Exercises 06 · Inside the class token
#
# They go with notebook [06](../06_inside_the_class_token.ipynb). If you start here: in every layer and head each of the T tokens gives shares of its attention to all tokens, a table of T × T whose rows sum to 1; token 0 is the class token, and token n + 1 is patch n; patches are counted from 0, row by row. All tables of a model and a batch are `maps`, (L, B, h, T, T). A *linear probe* is a linear map, fitted to read the class off a token.

# %% tags=["exercise-only"]
import torch

from checks import check

# %% [markdown] tags=["exercise:class_token_map"]
# From the tables of one layer, `maps` (B, h, T, T), make a picture for each image and head of what the class token listens to: (B, h, rows, columns). The patches form a grid of rows × columns.
#
# Hint: The row of a table belongs to the token that listens. Which row is the class token's?
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
# What the class token reads in a later layer is a mixture that the earlier layers have made. *Rollout* follows it back: average the heads of each layer, then average the table A with the identity matrix, (A + I) / 2, since each token also stays what it was; multiply these through the layers, later ones on the left; take the class token's row, without its own entry. `maps` (L, B, h, T, T) → (B, N).
#
# Hint: Begin with the identity, `torch.eye(T)`: before the first layer each token holds itself. Then go through the layers, first to last.
#
# Hint: The mean over heads is over the third axis of five. What reaches a token through a further layer is a weighted sum of what had reached the tokens it listens to: a matrix product, with the new table on the left. After the loop it is (B, T, T).


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
# Fit a linear probe by least squares: find the matrix that takes the training features (n, D), each with a 1 appended for the bias, as near as possible to their one-hot labels (n, K); then give the scores (m, K) of other features (m, D).
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
# *Find the bug.* To see whether a model needs some tokens, hide them: nobody may look at them, and the others share among themselves what these would have got, in proportion. `scores` (…, T, T) are the attention scores before the softmax, `hidden` (T,) is True for the tokens to hide. Look at what the rows sum to, and repair the function.
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
# *Conclude.* In layer 5 the class token gives 80 % of one head's attention to token 12, which is patch 11. What follows for sure?
#
# - a: Patch 11 decides the class.
# - b: In what the class token takes in by this head, the value of token 12 has a weight of 80 %.
# - c: Without patch 11 the model would be wrong.
# - d: The object is in patch 11.
#
# Hint: What does a share multiply? What is done with the result?
#
# Hint: After four layers, does token 12 hold only what was in patch 11?
#
# Solution: **b**, and no more. Whether it *needs* what it looks at one learns by taking it away (notebook 06 has a layer that looks at the right patch and can be left out without a loss).

# %% tags=["exercise-only", "exercise:what_follows"]
# solution
# | what_follows = ...  # "a", "b", "c" or "d"
what_follows = "b"
# end of solution

# %% [markdown]
# In the saved run, 39 % for a cat. None of the ten classes is right, and yet their shares must sum to 1: a classifier has no way to say "none of these".
#
# ## Recap
#
# > **Keep this:** the class token is not a summary that is *given*. It is built, layer by layer, from what it asks for. Probes tell you when the answer is there, knock-outs which steps the model needs, controls whether a map means anything.
#
# - Where the answer is known, attention, rollout and gradients can be scored. The control is the untrained model.
# - Where it is not, take away what a map calls important. The control is a random choice.
# - Looking is not using: a layer may look at the needle and not be needed.
# - A probe says what can be read off a token by a linear layer made for it, no more.
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
# **2.** A probe reads the class off the class token after block 2 in 80 % of the images, but with the class token cut off in layer 3 the model is right in 40 %. Is one of the two wrong?
#
# <details><summary>Answer</summary>
#
# No. The probe was fitted to the token as it is after block 2. The model's head was trained on tokens that went on reading in layer 3.
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
# **4.** Cut off from the patches in *every* layer, which class does the model name?
#
# <details><summary>Answer</summary>
#
# The same one for every image: nothing of the image reaches the class token. (With registers something could: they read the patches, and the class token reads them.)
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 06](exercises/06_inside_the_class_token.ipynb), with checks that say what is wrong.
#
# **Next:** what goes wrong, and how to notice: notebooks [07](07_pitfalls_initialization.ipynb) to [09](09_pitfalls_class_token.ipynb).
