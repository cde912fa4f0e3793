# %% [markdown]
# # 04 · The Vision Transformer: the whole model
#
# **After this notebook you can**
#
# - write a Vision Transformer in twenty-five lines, on top of the four modules that you know from notebooks 01 to 03, and explain each line;
# - show that it gives the same outputs as timm's model, which thousands of people rely on;
# - watch a trained model make up its mind about a photograph, block by block;
# - and, after the second visit, find a broken model in seconds, before a long training.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 03 |
# | Time to read | about 35 minutes, and 40 more for a second visit |
# | Time to run | half a minute to a minute, on most machines |
# | Package modules | `vit_minimal/vision_transformer.py`, `vit_minimal/pretrained.py` |
#
# **Letters:** B images, C channels, H × W pixels, P patch side, N patches, T = N + 1 tokens, D embedding width, h heads of d = D / h numbers, L blocks, K classes.
#
# Where the text quotes a number that a cell has measured, it is the number of the run saved here. On your machine the last digit may differ.

# %%
import math
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from skimage import data
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import vit_minimal
from vit_minimal import (
    ClassToken,
    MultiHeadSelfAttention,
    PatchEmbedding,
    PositionEmbedding,
    ViTConfig,
    attention_weights,
    diagrams,
    load_checkpoint,
    load_image,
    load_timm_state_dict,
    load_torchvision_state_dict,
    patchify,
    plots,
    seed_everything,
    shapes10,
)

seed_everything(0)

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
diagrams.overview(cat, "model")
# %% [markdown]
# You have already built most of this picture, in notebooks 01 to 03. Today we finish the block, and put the head behind the blocks.
#
# The picture leaves out the norms, and it simplifies one thing: the arrows run *through* attention and then *through* the MLP, as if each replaced the tokens. Here is what one block really does:

# %%
diagrams.block()

# %% [markdown]
# The coloured lanes are the tokens, with the class token in orange. They run straight through the block. Attention works on a copy of all lanes and adds to each lane what it has found. Then the MLP works on a copy and adds its conclusions.
#
# ## What is still missing?
#
# The ViT paper ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929)) describes the whole model in four equations. They look dense, but you know half of the symbols already:
#
# $$
# \begin{aligned}
# \mathbf{z}_0 &= [\mathbf{x}_\text{class};\ \mathbf{x}_p^1\mathbf{E};\ \cdots;\ \mathbf{x}_p^N\mathbf{E}] + \mathbf{E}_\text{pos} && \text{(1)} \\
# \mathbf{z}'_\ell &= \mathrm{MSA}(\mathrm{LN}(\mathbf{z}_{\ell-1})) + \mathbf{z}_{\ell-1} && \text{(2)} \\
# \mathbf{z}_\ell &= \mathrm{MLP}(\mathrm{LN}(\mathbf{z}'_\ell)) + \mathbf{z}'_\ell && \text{(3)} \\
# \mathbf{y} &= \mathrm{LN}(\mathbf{z}_L^0) && \text{(4)}
# \end{aligned}
# $$
#
# Here $\mathbf{z}_\ell$ are the tokens after block ℓ, and $\mathbf{z}'_\ell$ are the tokens half-way through it. MSA is the multi-head self-attention of notebook 03. In words, and in the code that we are about to write:
#
# | equation | in words | in our code |
# |---|---|---|
# | 1 | cut and project the image, put the class token in front, add positions | `self.pos_embed(self.cls_token(self.patch_embed(images)))` |
# | 2 | the tokens look at each other | `x = x + self.attn(self.norm1(x))` |
# | 3 | each token works on what it has gathered | `x = x + self.mlp(self.norm2(x))` |
# | 4 | normalise, and read the class token, which is row 0 | `self.norm(x)[:, 0]` |
#
# Equations 2 and 3 together are one **block**, and a model has L of them. After Eq. 4 comes the **head**, a single linear map from **y** to one score for each class. These scores are called **logits**. (*The* head is this classifier. The h *attention heads* of notebook 03 sit inside every block.)
#
# Three symbols are new: MLP, the plus signs, and LN. We take them in this order.
#
# ## The MLP: why is attention not enough?
#
# Attention carries information *between* tokens. Suppose it has brought two facts into one token: whether the patch above is *dark*, and whether the patch below is *bright*. If it is dark above **and** bright below, there is an edge between them. Each fact is 0 for no or 1 for yes. We wish for a score that is 1 if both are 1, and 0 in the three other cases.
#
# Could another attention layer compute this score? It could, at a high price. What a token *receives* is a weighted mean of values, and each value is a linear map of one token. The only *nonlinearity*, a bend, is the softmax, and it gives one weight per head for each pair of tokens. So a head can answer about one such question for a pair: it looks at a certain token only if both facts are 1. But a block has only h heads, and a token holds many facts. We want something cheaper: many bent numbers for each token.
#
# Why not a linear map? We want 0, 0, 0, 1. A linear map is c + a · dark + b · bright. The first three cases force c = a = b = 0, so the fourth is 0 too.
#
# A bend saves us. Take 6 · dark + 6 · bright − 9. In the four cases this number is −9, −3, −3 and 3. Now flatten whatever is negative to zero, and divide by 3: the results are 0, 0, 0 and 1. The bend that ViTs use is called **GELU** ([Hendrycks and Gimpel 2016](https://arxiv.org/abs/1606.08415)). It is a ReLU, which is max(x, 0), with its corner rounded off:

# %%
diagrams.gelu((-9, -3, 3))

# %% [markdown]
# GELU multiplies x by Φ(x), the probability that a number drawn from the standard normal distribution is below x. For large positive x this is almost 1, and for large negative x almost 0. We chose 6 and 9 so that our sums, the dots, lie far from the dip in the middle.


# %% tags=["nbval-check-output"]
def bent_score(dark, bright):
    return F.gelu(6 * dark + 6 * bright - 9) / 3


dark_above = torch.tensor([0.0, 1.0, 0.0, 1.0])  # the four cases
bright_below = torch.tensor([0.0, 0.0, 1.0, 1.0])
scores = bent_score(dark_above, bright_below)
print([round(score, 2) + 0.0 for score in scores.tolist()])  # + 0.0 turns −0.0 into 0.0

# %% [markdown]
# For comparison, here is the linear map with the smallest squared error. The dots are our four cases, with their scores. The colour is the score for all values of the two facts, also for those between no and yes, purple where it is positive and orange where it is negative, and the thin lines join points where it is 0, 0.5 and 1:


# %%
LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 2, "alpha": 0.8}


def linear_score(dark, bright):
    return dark / 2 + bright / 2 - 0.25


def draw_cases(axis, score):
    """A dot for each of the four cases, and beside it its score."""
    for x, y in zip(dark_above, bright_below, strict=True):
        number = f"{score(x, y):.2f}".replace("-0.00", "0.00").replace("-", "−")
        axis.plot(x, y, "o", color="black", markersize=5)
        beside = (1.35 * x - 0.175, 1.35 * y - 0.175)  # a little outwards
        axis.text(*beside, number, ha="center", va="center", size=11, bbox=LABEL)


# %% tags=["hide-input"]
def draw_scores(axis, score, title):
    """The score as a colour over the plane of the two facts, with three lines of equal score."""
    side = torch.linspace(-0.4, 1.6, 201)
    dark, bright = torch.meshgrid(side, side, indexing="xy")
    plane = score(dark, bright)
    picture = axis.pcolormesh(dark, bright, plane, cmap=plots.SIGNED, vmin=-1.2, vmax=1.2)
    levels = (1e-3, 0.5, 1)  # 1e-3 for 0: flat parts are 0 up to rounding
    lines = axis.contour(dark, bright, plane, levels, colors="black", linewidths=0.8)
    axis.set(title=title, xlabel="how dark it is above", xticks=(0, 1), yticks=(0, 1))
    return picture, lines


# %% tags=["hide-input"]
PLACES = [  # of the numbers on the lines
    [(0.7, -0.2), (1.2, 0.3), (1.5, 1.0)],
    [(0.55, 0.95), (0.85, 0.9), (1.3, 0.7)],
]
figure, panels = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
for panel, score, places in zip(panels, (linear_score, bent_score), PLACES, strict=True):
    title = "the best linear map" if score is linear_score else "with a bend"
    colours, lines = draw_scores(panel, score, title)
    for number in panel.clabel(lines, fmt="%.1f", fontsize=11, manual=places):
        number.set_bbox(LABEL | {"pad": 0.5})
    draw_cases(panel, score)
panels[0].set_ylabel("how bright it is below")
figure.colorbar(colours, ax=panels, extend="max", ticks=(-1, -0.5, 0, 0.5, 1), label="score")
plots.show(
    "scores for dark above and bright below: the best linear map gives −0.25, 0.25, 0.25 and 0.75, "
    "a tilted plane; with a bend they are 0, 0, 0 and 1, and the lines for 0, 0.5 and 1 lie close "
    "together before the last case"
)

# %% [markdown]
# On the left is a tilted plane, which must rise steadily: it cannot stay flat and then jump. The bend folds the plane, so that three corners lie flat and only the fourth stands up. The very pale strip is GELU's dip below zero, and the line for 0 is where the score comes up out of it.
#
# An **MLP** (multi-layer perceptron) is many such detectors side by side. A linear map widens the D numbers of a token to 4·D, and each of these is a detector that can combine *all* D numbers. GELU bends them, and a second linear map writes what they have found back into D numbers. The factor 4 is a habit of the field; the shipped model, which you will load below, uses 2.
#
# The same MLP serves all tokens, but each token passes through it alone. Let us disturb one token of 65 and see which tokens come out differently. How many do you expect?

# %% tags=["nbval-check-output"]
mlp = nn.Sequential(nn.Linear(192, 768), nn.GELU(), nn.Linear(768, 192))
x = torch.randn(1, 65, 192)  # (B, T, D)
disturbed = x.clone()
disturbed[0, 7] += 1  # token 7 only
change = (mlp(x) - mlp(disturbed)).abs().sum(dim=(0, 2))  # (T,)
print("tokens that come out differently:", change.nonzero().flatten().tolist())

# %% [markdown]
# Only token 7. So the two halves of a block share the work: attention moves information between tokens, and the MLP draws conclusions within each token.
#
# ## The residual stream: why the plus signs?
#
# Neither attention nor the MLP *replaces* a token. Each computes something and **adds** it to what is already there. What is added is called a *residual* ([He et al. 2016](https://arxiv.org/abs/1512.03385), ResNet). So a token is a running sum, from Eq. 1 to the head, and people call the lanes the **residual stream**. What the class token gathered in block 2 is still part of the sum in block 9, unless a later block subtracts it.
#
# As code, the picture is ten lines long. The attention is that of notebook 03, and the norms are the subject of the next section. (`eps` keeps them from dividing by zero.)


# %%
class Block(nn.Module):
    def __init__(self, D, h, wide=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(D, eps=1e-6)
        self.attn = MultiHeadSelfAttention(D, h)  # notebook 03
        self.norm2 = nn.LayerNorm(D, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(D, wide * D), nn.GELU(), nn.Linear(wide * D, D))

    def forward(self, x):  # (B, T, D)
        x = x + self.attn(self.norm1(x))  # Eq. 2: tokens look at tokens
        return x + self.mlp(self.norm2(x))  # Eq. 3: each token by itself


# %% [markdown]
# Why add? Let us take the two plus signs away and send 16 different drawings through 12 untrained blocks. The patches are 8 × 8 pixels here, so an image has 17 tokens.
#
# After each block we measure how different the tokens *of one image* are: 1 minus the cosine similarity, averaged over all pairs of its tokens. At 0 all of them point in the same direction. What do you expect?


# %%
class NoPlus(Block):
    def forward(self, x):
        x = self.attn(self.norm1(x))  # Eq. 2 without its plus sign
        return self.mlp(self.norm2(x))  # Eq. 3 without its plus sign


def difference_of(vectors):
    """1 − cosine similarity, the mean over all pairs of n vectors: (…, n, D) → (…)."""
    units = F.normalize(vectors, dim=-1)
    n = units.shape[-2]
    total = (units @ units.mT).sum(dim=(-2, -1)) - n  # n pairs are a vector with itself
    return 1 - total / (n * (n - 1))


# %%
images, labels = shapes10(64, seed=4)
pictures = images.float() / 127.5 - 1  # 64 drawn images, −1 … 1


@torch.no_grad()
def differences(kind, seed, images=pictures[:16]):
    """How different an image's tokens are, after 0 … 12 untrained blocks of a kind: (13,)."""
    seed_everything(seed)
    x = ClassToken(48)(PatchEmbedding(32, 8, 3, 48)(images))
    stages = [PositionEmbedding((4, 4), 48)(x)]  # (B, T, D)
    for _ in range(12):
        stages.append(kind(48, 3)(stages[-1]))
    return difference_of(torch.stack(stages).double()).mean(dim=1)


# %%
def draw_band(axis, steps, values, index, name):
    """The mean of several runs as a curve, and a band from their lowest to their highest."""
    style = plots.curve_style(index) | {"marker": None}
    axis.plot(steps, values.mean(dim=0), **style, label=name)  # values: (runs, steps)
    lowest, highest = values.amin(dim=0), values.amax(dim=0)
    axis.fill_between(steps, lowest, highest, color=style["color"], alpha=0.2)


noise = 2 * torch.rand_like(pictures[:16]) - 1  # images without a background
print(f"random pixels   before block 1: {differences(Block, 0, noise)[0]:.2f}")

AFTER = "after block (0: before block 1)"
kinds = {"with plus signs": Block, "without": NoPlus}
figure, axis = plt.subplots(figsize=(6.5, 2.9), layout="constrained")
for index, (name, kind) in enumerate(kinds.items()):
    found = torch.stack([differences(kind, seed) for seed in range(6)])  # (6, 13)
    draw_band(axis, range(13), found, index, name)
    print(f"{name:15} after block 2: {found[:, 2].mean():.0e}")
axis.set(xlabel=AFTER, ylabel="how different (1 − cosine)", ylim=(-0.02, 0.65))
axis.set_xticks(range(13))
axis.legend()
plots.show(
    "without plus signs the difference between an image's tokens falls from 0.61 almost to 0 in "
    "block 1, and from block 2 on it is 0 to the eye; with them it falls slowly, to 0.07 after "
    "block 12. Bands from the lowest to the highest of six seeds"
)

# %% [markdown]
# The bands span six random starts. Both curves begin at 0.61, because the patches of a drawing share one background; images of random pixels begin near 1.
#
# **Without the plus signs** a few millionths are left after *two* blocks, as the last printed line says. In an untrained model each token looks at all others almost evenly, so each is *replaced* by almost the same mean.
#
# **With the plus signs** each token keeps what it was and receives the mean on top. The tokens still become more alike, but slowly: 0.07 is left after twelve blocks. ([Dong et al. 2021](https://arxiv.org/abs/2103.03404) prove the collapse for attention alone.) And after training? Notebook 13 trains the small model, four blocks, on CIFAR-10 without its plus signs: it does learn something, but ends {{100 * cost_of_bug("no residual connection").mean:.0f}} points of accuracy lower.
#
# A sum has a second virtue: its gradient goes to both terms unchanged. So the error at the head reaches block 1 along the stream, whatever attention and MLPs do to it on the way.
#
# ## LayerNorm: why read a normalised copy?
#
# A running sum can grow, and its length differs from block to block and from image to image. So attention and MLP read a copy that went through a **layer norm** (LN, [Ba et al. 2016](https://arxiv.org/abs/1607.06450)). It takes each token by itself, and works in two steps:
#
# 1. It **normalises**: it subtracts the mean of the D numbers and divides by their standard deviation. Then every token has the same length, √D.
# 2. It **scales and shifts** each of the D numbers, by amounts that are learned. They start at 1 and 0, so at first this changes nothing.
#
# Here is the first step for a token with D = 8 numbers that are easy to check by hand:

# %%
token = torch.tensor([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
diagrams.layer_norm(token)

# %% [markdown]
# The dots stand around the dashed mean in the same pattern in both rows: step 1 shifts the numbers, divides them all by the same number, and does nothing else. The grey band reaches one standard deviation to each side of the mean.
#
# By hand: the mean is 5. The squared distances from it are 9, 1, 1, 1, 0, 0, 4 and 16. Their mean is 4, so the standard deviation is 2. The last number, 9, becomes (9 − 5) / 2 = 2. PyTorch agrees:

# %% tags=["nbval-check-output"]
print([round(number, 2) for number in F.layer_norm(token, (8,)).tolist()])

# %% [markdown]
# How much does the sum of a real model grow, and would attention mind? We take the shipped model and the 65 tokens of our cat. In front of each of its six blocks we measure the mean length of the tokens. Then we give them to the block's attention in three ways: as they are, *normalised* by step 1 alone, and through the block's own norm, which has learned step 2. For each way we look at the largest attention weight of a token. If it is near 1, the token attends to a single one:


# %%
def largest_weight(attention, x):
    """The largest attention weight of a token, the mean over all tokens and heads."""
    queries, keys, _ = attention.split_heads(x)
    return attention_weights(queries, keys).amax(dim=-1).mean().item()


shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
lengths, largest = [], {"as they are": [], "normalised": [], "through the block's norm": []}
with torch.no_grad():
    x = cat[None].float() / 127.5 - 1  # (1, 3, 32, 32), −1 … 1
    x = shipped.pos_embed(shipped.cls_token(shipped.patch_embed(x)))  # (1, T, D)
    for block in shipped.blocks:
        lengths.append(x.norm(dim=-1).mean().item())
        given = x, F.layer_norm(x, (192,)), block.norm1(x)
        for of, tokens in zip(largest.values(), given, strict=True):
            of.append(largest_weight(block.attn, tokens))
        x = block(x)

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.4), width_ratios=(1, 1.3), layout="constrained")
panels[0].plot(range(1, 7), lengths, "o-", color="black", markersize=5)
panels[0].set(title="length of a token", ylim=(0, 30))
for index, (name, weights) in enumerate(largest.items()):
    panels[1].plot(range(1, 7), weights, **plots.curve_style(index), markersize=5, label=name)
panels[1].axhline(1 / 65, color="black", linestyle=":", label="even attention, 1/65")
panels[1].set(title="its largest attention weight", ylim=(0, 1))
for panel in panels:
    panel.set(xlabel="in front of block", xticks=range(1, 7))
figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plots.show(
    "the length of a token grows from block to block; so does its largest attention weight if the "
    "tokens are given as they are. Normalised, it falls a little, and through the block's own norm "
    "it is small in every block",
    parts=[
        f"block {number}: length {length:.1f}, largest attention weight "
        + ", ".join(f"{name} {of[number - 1]:.2f}" for name, of in largest.items())
        for number, length in enumerate(lengths, 1)
    ],
)
scales = [round(block.norm1.weight.mean().item(), 2) for block in shipped.blocks]
print("the mean of each norm's learned scales:", scales)

# %% [markdown]
# **The sum grows:** block 6 gets tokens that are about six times as long as those for block 1.
#
# **And attention would mind.** Without a norm, queries and keys grow with their tokens, and the scores with both. In block 6, the tokens as they are have twice the length of normalised ones, so the scores are about four times as large, and the largest weight is 0.81 in place of 0.26: the saturated softmax of notebook 03.
#
# **What do the two steps do about it?** After the first, every token has the length √192, or about 13.9. So attention no longer depends on *how long* the sum has grown. This does not make attention soft: in block 1 the tokens even get longer, and attention gets sharper. How soft it is, each block learns by the second step. Here the scales are below 1 on average, and with them the weights are 0.05 to 0.13. (The figure does not show what a model trained without norms would do.)
#
# In the diagram of the block, the two norms stand beside the stream, not on it. The sum itself is never normalised on its way. That order is called **pre-norm**. Only at the very end, in Eq. 4, one last norm is put on the stream itself, so that the head gets numbers of a known size.
#
# ## The whole model, in twenty-five lines
#
# That was the last piece. Ten of the lines are the block above, and here are the other fifteen. The patches, the class token and the positions are the modules that you built in notebooks 01 and 02:


# %%
class ViT(nn.Module):
    def __init__(self, D=192, L=9, h=3, P=4, wide=4):
        super().__init__()
        self.patch_embed = PatchEmbedding(32, P, 3, D)  # notebook 01
        self.cls_token = ClassToken(D)  # notebook 02
        self.pos_embed = PositionEmbedding((32 // P, 32 // P), D)  # notebook 02
        self.blocks = nn.Sequential()
        for _ in range(L):
            self.blocks.append(Block(D, h, wide))
        self.norm = nn.LayerNorm(D, eps=1e-6)
        self.head = nn.Linear(D, 10)

    def forward(self, images):  # (B, 3, 32, 32)
        x = self.pos_embed(self.cls_token(self.patch_embed(images)))  # Eq. 1: (B, T, D)
        x = self.norm(self.blocks(x))  # Eq. 2 and 3, L times, and the norm of Eq. 4
        return self.head(x[:, 0])  # the class token's logits: (B, 10)


# %% [markdown]
# That is all. Read `forward` with the four equations beside you: a whole family of image models fits into three lines. In this notebook the model comes in four sizes; the small ones only save time:
#
# | where | D | L | tokens T |
# |---|---|---|---|
# | the collapse, above | 48 | 12 | 17 |
# | the shapes of the tensors (next cell), and the costs | 192 | 9 | 65 |
# | comparison with timm, and the four checks | 96 | 3 | 65 |
# | the shipped model | 192 | 6 | 65 |
#
# All have 3 heads. The MLP widens to 4·D numbers, and in the shipped model to 2·D.
#
# Before you run the next cell, write down the shape after each part for a batch of two images. D is 192.

# %% tags=["nbval-check-output"]
model = ViT()
x = torch.randn(2, 3, 32, 32)
for name in ("patch_embed", "cls_token", "pos_embed", "blocks", "norm"):
    x = getattr(model, name)(x)  # the parts of forward, one by one
    print(f"{name:12} {tuple(x.shape)}")
print(f"{'head':12} {tuple(model.head(x[:, 0]).shape)}")

# %% [markdown]
# The tokens keep their shape (B, T, D) from the class token to the last norm. So you can stack 6 blocks, or 9, or 24, and nothing else changes.
#
# ## Is it right?
#
# The shapes are right, but shapes prove little. A norm in the wrong place, or queries and keys swapped, would leave them all as they are. There is a much stronger test: give two models **the same weights** and compare their logits. (From here on, *weights* in the text are a model's parameters. The other kind are *attention weights*.)
#
# The weights of a model are a dictionary from names to tensors, its `state_dict()`. If two models are built the same way, theirs hold tensors of the same shapes, perhaps under other names. Ours calls the linear maps of the MLP `mlp.0` and `mlp.2`, their places in `nn.Sequential`; timm calls them `mlp.fc1` and `mlp.fc2`. So we need a function that renames. A second one adds noise to every parameter, because two biases that are both 0 could be exchanged, and no one would notice.


# %%
def renamed(weights, changes):
    """The same tensors; in their names each piece that is a key of `changes` is replaced."""
    result = {}
    for name, tensor in weights.items():
        new_name = name
        for old, new in changes.items():
            new_name = new_name.replace(old, new)
        result[new_name] = tensor
    return result


def shake(model):
    """Add noise to every parameter: no bias is 0 any more, and no two norms are alike."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


# %% [markdown]
# **timm** is the best-known library of image models, and its ViT shares no line of code with yours; all they share is PyTorch's layers. We build a small one, fill it with random weights, and load these into *your* class. Our names follow timm's, so four entries are enough:

# %%
import timm

theirs = timm.models.VisionTransformer(
    img_size=32, patch_size=4, embed_dim=96, depth=3, num_heads=3, num_classes=10
).eval()
shake(theirs)

timm_to_yours = {
    "cls_token": "cls_token.weight",
    "pos_embed": "pos_embed.weight",
    "mlp.fc1.": "mlp.0.",
    "mlp.fc2.": "mlp.2.",
}
yours = ViT(D=96, L=3)
x = torch.randn(5, 3, 32, 32)
yours.load_state_dict(renamed(theirs.state_dict(), timm_to_yours))
with torch.no_grad():
    difference = (yours(x) - theirs(x)).abs().max().item()
    print(f"logits up to {theirs(x).abs().max():.1f}, largest difference {difference:.1g}")
assert difference < 1e-5

# %% [markdown]
# The logits are the same: here the difference is exactly 0. A machine that adds in another order rounds differently, and shows something like 1e-06.
#
# Could this test have failed? Let us exchange queries and keys on purpose, in every block. The first third of `qkv` makes the queries and the second third the keys:

# %%
wrong = renamed(theirs.state_dict(), timm_to_yours)
for name, tensor in wrong.items():
    if ".qkv." in name:
        queries, keys, values = tensor.chunk(3)
        wrong[name] = torch.cat([keys, queries, values])
yours.load_state_dict(wrong)  # no complaint: all names and all shapes fit
with torch.no_grad():
    difference = (yours(x) - theirs(x)).abs().max().item()
print(f"queries and keys swapped: largest difference {difference:.1f}")
assert difference > 0.1

# %% [markdown]
# No error, no wrong shape, yet the logits differ. The test finds the mistake, and your model passed it.
#
# ## What do your twenty-five lines see?
#
# The same code can hold trained weights. We give it those of the shipped model, whose tokens we measured above. Our model's input is scaled by `/ 127.5 − 1`, which is all that `normalize` did in notebook 00. Its training took {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, and it classifies {{record("cifar10_cpu_long").accuracy:.1%}} of the test images of CIFAR-10 correctly. The two photos below are not from CIFAR-10.

# %%
from vit_minimal.data import CIFAR10_CLASSES

vit = ViT(D=192, L=6, h=3, P=4, wide=2).eval()
vit.load_state_dict(renamed(shipped.state_dict(), {"mlp.fc1.": "mlp.0.", "mlp.fc2.": "mlp.2."}))


def load_photo(name, size=32):
    """A photo that comes with scikit-image: uint8 (3, size, size)."""
    return load_image(Path(data.__file__).with_name(name), size)


rocket = load_photo("rocket.jpg")
photos = torch.stack([cat, rocket]).float() / 127.5 - 1  # (2, 3, 32, 32), −1 … 1
with torch.inference_mode():
    probabilities = vit(photos).softmax(dim=-1)  # (2, 10): each row sums to 1


# %% tags=["hide-input"]
def show_answer(panels, photo, probabilities, title, colour):
    """A photo as the model gets it, and beside it a bar for the probability of every class."""
    picture, bars = panels
    picture.imshow(plots.as_picture(photo))
    picture.axis("off")
    best = probabilities.argmax().item()
    bars.barh(CIFAR10_CLASSES, probabilities, color="#BBBBBB")
    bars.barh(CIFAR10_CLASSES[best], probabilities[best], color=colour)
    bars.text(probabilities[best] + 0.02, best, f"{probabilities[best]:.2f}", va="center")
    bars.set(title=title, xlim=(0, 1.05))
    bars.invert_yaxis()


# %% tags=["hide-input"]
figure, panels = plt.subplots(2, 2, figsize=(7, 5.6), width_ratios=(1, 1.5), layout="constrained")
wrong_title = "ship: wrong, it is a rocket"
show_answer(panels[0], cat, probabilities[0], "cat: right", plots.OKABE_ITO[2])
show_answer(panels[1], rocket, probabilities[1], wrong_title, plots.OKABE_ITO[1])
panels[1, 1].set_xlabel("probability (softmax of the logits)")
plots.show(
    "two photos of 32 × 32 pixels with bars for ten classes: cat 0.89, which is right, and ship 0.63 for a rocket, which is wrong"
)

# %% [markdown]
# On the left is what the model gets. Your twenty-five lines call the cat a cat, with a probability of 0.89, and the rocket a ship, with 0.63. That is wrong, but "rocket" is not among their ten answers.
#
# ### When does the model make up its mind?
#
# The class token is a running sum, and the head reads it after the last block. We can also read the unfinished sum: we take the class token after *every* block, send it through the last norm and the head, and look at the probabilities. This trick is called a **logit lens** ([nostalgebraist 2020](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens)). What do you expect at 0, before any block has run?

# %%
with torch.inference_mode():
    stages = [vit.pos_embed(vit.cls_token(vit.patch_embed(photos)))]
    for block in vit.blocks:
        stages.append(block(stages[-1]))
    class_tokens = torch.stack(stages)[:, :, 0]  # (L + 1, B, D)
    early = vit.head(vit.norm(class_tokens)).softmax(dim=-1)  # (L + 1, B, K)


# %%
NAMED = {"cat": 0, "ship": 1, "airplane": 2, "frog": 3, "deer": 4}  # each with its curve style


def draw_lens(axis, early, title):
    """The probability of each class after 0 … L blocks; those in NAMED in colour."""
    for name, curve in zip(CIFAR10_CLASSES, early.T, strict=True):  # early: (L + 1, K)
        if name in NAMED:
            axis.plot(range(7), curve, **plots.curve_style(NAMED[name]), markersize=5, label=name)
        else:
            label = "the five others" if name == "truck" else None
            axis.plot(range(7), curve, color="#C8C8C8", linewidth=1, zorder=1, label=label)
    axis.set(title=title, xlabel=AFTER, ylim=(0, 1), xticks=range(7))


# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(6.2, 3.8), sharey=True, layout="constrained")
draw_lens(panels[0], early[:, 0], "the cat")
draw_lens(panels[1], early[:, 1], "the rocket")
panels[0].set_ylabel("probability of the class")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plots.show(
    "probabilities of the classes read after each of six blocks: for the cat, cat rises slowly and "
    "jumps to 0.89 in block 6; for the rocket, airplane leads first, then ship, which jumps to 0.63, "
    "and deer comes second"
)

# %% [markdown]
# At 0 the two panels agree for every class. They must, because before the first block the class token is the same vector for every image. That the head leans towards "cat" and "airplane" there says nothing about the photo.
#
# From block 1 on the panels differ. For the cat, "frog" is slightly ahead after block 1. From block 2 on "cat" leads, and block 6 settles it. For the rocket "airplane" rises above its start in block 1 and still leads after block 2. Later blocks turn it into a ship, and the last one brings "deer" to the second place.
#
# Do not believe all of this story. The last norm and the head were trained to read the class token after block 6. What earlier blocks know in another form stays invisible. So a leap in block 6 may only mean that norm and head can read that block best. Notebook 06 uses a reader that was fitted to each block, and tells a somewhat different story. The second visit here measures how much each block adds to the sum.
#
# > **Remember:** a token is a running sum. Attention lets tokens look at each other, the MLP works on each token alone, both add to the sum, and at the end the head reads row 0. And the strongest test of a forward pass is this one: same weights, same logits as someone else's model.
#
# ## Recap
#
# - A block is `x = x + attn(norm1(x))`, then `x = x + mlp(norm2(x))`. Before the first block comes Eq. 1. The last block is followed by a norm; then a linear head reads row 0.
# - The MLP's bend lets a token score that two facts hold *together*. A linear map can add two facts, but it cannot be an "and".
# - The plus signs slow the merging of an image's tokens, as you saw in untrained models, and give the gradient a direct path. The norms keep what attention and MLP get at a known size.
# - Loading someone else's weights is renaming, if the two models are built the same way.
# - The class token's running sum can be read after every block, and on the cat and the rocket you saw the answer change on its way.
#
# ## Questions
#
# **1.** You load timm's weights, but by mistake your code gives the tensors of `norm1` to `norm2`, and those of `norm2` to `norm1`. Does `load_state_dict` complain? How would you notice?
#
# <details><summary>Answer</summary>
#
# It does not complain, because both norms have the same shapes. Only the logits tell you, and only if the two norms hold different numbers. That is why we added noise to every parameter before we compared.
#
# </details>
#
# **2.** The Transformer of 2017 put its norms *on* the stream, after each sum, which is called post-norm. Why does pre-norm put a norm after the last block, when post-norm has none there?
#
# <details><summary>Answer</summary>
#
# With pre-norm only copies are normalised. The stream itself is as long as the sums happen to make it, and that differs between images and blocks: after block 6 the class token's is 28.0 for the cat and 38.2 for the rocket, as the second visit prints. So that the head gets numbers of a fixed size, one norm stands before it. With post-norm the last thing that each block does is to normalise the stream. (Notebook 13 trains four blocks without it.)
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 04](exercises/04_vision_transformer.ipynb), with checks that tell you what is wrong.
#
# **Next: [05 · Training on CIFAR-10](05_training_on_cifar10.ipynb).** You have now seen every line of the model. Only the training around it is missing.

# %% [markdown]
# ## For a second visit: what each block adds, four checks, costs, and what a ViT gives up
#
# Notebook 05 needs nothing of this part. It is for the day when you change a model. Run its cells from the top, and read whichever section you need.
#
# ### How much does each block add?
#
# What attention and the MLP add to the class token is a vector of D numbers each. How long are these vectors, next to the sum itself?

# %%
added = []
with torch.inference_mode():
    for block, x in zip(vit.blocks, stages[:-1], strict=True):
        from_attention = block.attn(block.norm1(x))
        from_mlp = block.mlp(block.norm2(x + from_attention))
        added.append(torch.stack([from_attention, from_mlp])[:, :, 0].norm(dim=-1))  # (2, B)
added = torch.stack(added)  # (L, 2, B)
lengths = class_tokens.norm(dim=-1)  # (L + 1, B)
for i, name in enumerate(("cat", "rocket")):
    print(f"{name:7}", [round(length, 1) for length in lengths[:, i].tolist()])


# %%
def draw_added(axis, added, lengths, title):
    """Bars for what each block adds, and a line for the length of the sum: (L, 2) and (L + 1,)."""
    blocks = torch.arange(1, len(added) + 1)  # the colours are those of the diagram of the block
    axis.bar(blocks - 0.68, added[:, 0], 0.36, color="#AA4499", label="attention adds")
    axis.bar(blocks - 0.32, added[:, 1], 0.36, color="#009E73", label="the MLP adds")
    axis.plot(range(len(lengths)), lengths, "o-", color="black", markersize=5, label="the sum")
    axis.set(title=title, xlabel=AFTER, xticks=range(len(lengths)))


# %%
figure, panels = plt.subplots(1, 2, figsize=(6.2, 3.6), sharey=True, layout="constrained")
draw_added(panels[0], added[:, :, 0], lengths[:, 0], "the cat's class token")
draw_added(panels[1], added[:, :, 1], lengths[:, 1], "the rocket's class token")
panels[0].set_ylabel("length of the vector")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plots.show(
    "for the cat and the rocket, the length of the class token, a line that rises steeply in block "
    "1, and bars for what attention and the MLP add: the MLP adds most in block 1 and by far most "
    "in block 6, where the cat's line does not rise"
)

# %% [markdown]
# The cat's sum grows from 3.8 to 28.0, and the rocket's tenfold. In block 1 the MLP adds far more than attention. In blocks 2 to 4 attention adds more than the MLP, for the rocket also in block 5.
#
# In block 6 comes a surprise: for the cat, its MLP adds a vector that is almost as long as the whole sum, and yet the sum does not get longer. How can that be? Read the bars: attention adds a vector of about 12 to a sum of 28, so whatever its direction, at least 16 are left. A vector of 25 at a right angle to that would give at least √(16² + 25²) ≈ 30. We see 28.0, so this one must point partly *against* what the stream and the attention of block 6 had brought. A running sum never forgets by itself, but an MLP can learn to cancel a part of it. (The rocket's sum does get longer.)

# %% [markdown]
# ### How do you find a broken model before a long training?
#
# Even a broken model often learns something, only less. The four checks below take seconds, and each of them catches a common kind of mistake. For each check we also build a broken model that it catches. The linear maps start with small random weights, as timm's do, from the package's function `init_linear`. Notebook 13 has more such checks.
#
# **Check 1: the loss at the start is ln 10,** about 2.303, as in notebook 00. The broken model has a head whose weights are a hundred times too large.

# %%
from vit_minimal.vision_transformer import init_linear

seed_everything(0)
model = ViT(D=96, L=3).apply(init_linear)
loss = F.cross_entropy(model(pictures), labels)
print(f"loss at the start {loss.item():.3f}, ln 10 = {math.log(10):.3f}")
assert abs(loss.item() - math.log(10)) < 0.2

broken = ViT(D=96, L=3).apply(init_linear)
with torch.no_grad():
    broken.head.weight.mul_(100)
print(f"head too large: {F.cross_entropy(broken(pictures), labels).item():.1f}")

# %% [markdown]
# The broken model is *confidently* wrong. A loss that is too high at the start can also come from a head that still has 1,000 outputs: ln 1000 is 6.9.
#
# **Check 2: the answer depends on every patch, and on no other image.** We take the gradient of one logit of image 0. Zero gradient strongly suggests that the logit does not depend on the pixel. It does not prove it, because a curve can also be flat at one point only.


# %% tags=["nbval-check-output"]
def depends_on(model):
    """Print the images, and how many patches of image 0, that a logit of image 0 depends on."""
    probe = pictures[:4].clone().requires_grad_()
    model(probe)[0, 0].backward()
    per_patch = patchify(probe.grad, 4).abs().sum(dim=2)  # (4, N)
    found = per_patch.sum(dim=1).nonzero().flatten().tolist()
    print(f"images {found}, and {int((per_patch[0] > 0).sum())} of 64 patches of image 0")


depends_on(model)

# %% [markdown]
# Now the broken model. Some modules want tokens as (N, B, D). Someone converts with `reshape`, which is wrong, and converts back correctly with `transpose`. Take two images of four tokens each, where token 2 of image 1 is written 12:

# %% tags=["nbval-check-output"]
tokens = torch.tensor([[0, 1, 2, 3], [10, 11, 12, 13]])  # (B, N)
print("before:", tokens.tolist())
print("after: ", tokens.reshape(4, 2).transpose(0, 1).tolist())


# %% tags=["nbval-check-output"]
class MixedBatch(PatchEmbedding):
    def forward(self, images):
        x = super().forward(images)  # (B, N, D)
        B, N, D = x.shape
        return x.reshape(N, B, D).transpose(0, 1)  # the shape is right, the order is not


broken = ViT(D=96, L=3).apply(init_linear)
broken.patch_embed = MixedBatch(32, 4, 3, 96)
depends_on(broken)

# %% [markdown]
# The images are shuffled into each other. With four images, the answer for image 0 depends on all four, and on a quarter of its own patches. The loss may still fall.
#
# **Check 3: the gradient reaches every parameter.** In the broken model the class token attends only to itself, in every block.


# %% tags=["nbval-check-output"]
def without_gradient(model):
    """The parameters that the loss does not depend on, after one backward pass."""
    model.zero_grad()
    F.cross_entropy(model(pictures), labels).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert all(g is None or g.isfinite().all() for g in gradients.values())
    return [name for name, g in gradients.items() if g is None or not g.any()]


print("without a gradient:", without_gradient(model))


# %% tags=["nbval-check-output"]
class ClassTokenAlone(MultiHeadSelfAttention):
    def forward(self, x):
        _, _, values = self.split_heads(x)  # (B, h, T, d)
        values = values.transpose(1, 2).flatten(2)  # (B, T, D)
        own = self.proj(values[:, :1])  # the class token takes its own value alone
        return torch.cat([own, super().forward(x)[:, 1:]], dim=1)


broken = ViT(D=96, L=3).apply(init_linear)
for block in broken.blocks:
    block.attn = ClassTokenAlone(96, 3)
print("in the broken model:", without_gradient(broken))

# %% [markdown]
# The patch embedding of the broken model will never learn, because nothing that reaches the head depends on the patches. (The list names whole tensors. The positions are not in it, because the class token's row does have a gradient.)
#
# **Check 4: it can learn one small batch by heart** (it can *overfit* it). With 16 images and no regularisation, the loss must come down to nearly 0. If it does not, look at these in turn:
#
# - the model, the loss and the learning rate;
# - the pixels, which may not have been scaled;
# - the labels, because two equal images may have different ones.
#
# The broken training takes the softmax of the logits, although `cross_entropy` already takes one.


# %%
def learn_by_heart(model, steps, rate, broken=False):
    """Train on 16 images, always the same: the loss at each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0)
    losses = []
    for _ in range(steps):
        logits = model(pictures[:16])
        loss = F.cross_entropy(logits.softmax(dim=-1) if broken else logits, labels[:16])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
for broken in (False, True):
    seed_everything(0)
    losses = learn_by_heart(ViT(D=96, L=3).apply(init_linear), 60, rate=1e-3, broken=broken)
    print("broken:" if broken else "right: ", f"first loss {losses[0]:.2f}, last {losses[-1]:.2f}")
    assert (losses[-1] < 0.1) != broken

# %% [markdown]
# The broken one starts at ln 10 and its gradients reach everything, so the first three checks let it pass. But its loss stays far above 0. Notebook 13 shows how low it can get.
#
# ### Where are the parameters, and where does the arithmetic go?
#
# You have probably heard that attention is expensive because its cost grows with the *square* of the number of tokens. Only two of its parts grow with T²: the scores QKᵀ and the weighted mean. What share of the arithmetic do you expect for them?
#
# We count the model with D = 192, L = 9 and P = 4 by hand; notebook 08 uses the result. A linear map from a to b numbers has a·b weights and b biases. For each token it takes a·b multiplications and as many additions, together 2·a·b floating-point operations (**FLOPs**).

# %% tags=["nbval-check-output"]
D, L, P, T = 192, 9, 4, 65
parameters = {
    "MLPs": L * (D * 4 * D + 4 * D + 4 * D * D + D),
    "attention:\nlinear maps": L * (D * 3 * D + 3 * D + D * D + D),
    "attention:\nscores, mean": 0,
    "all the rest": (3 * P * P * D + D) + D + T * D + (2 * L + 1) * 2 * D + (10 * D + 10),
}
flops = {
    "MLPs": L * 2 * T * (D * 4 * D + 4 * D * D),
    "attention:\nlinear maps": L * 2 * T * (D * 3 * D + D * D),
    "attention:\nscores, mean": L * 2 * (T * T * D + T * T * D),
    "all the rest": 2 * 64 * (3 * P * P) * D + 2 * D * 10,
}

# %% tags=["nbval-check-output"]
counter = FlopCounterMode(display=False)
with counter, sdpa_kernel(SDPBackend.MATH):  # older counters miss the fused kernel's products
    ViT()(torch.randn(1, 3, 32, 32))
actual = sum(parameter.numel() for parameter in ViT().parameters())
print(f"{actual:,} parameters, as by hand: {actual == sum(parameters.values())}")
print("FLOPs of the matrix products, as by hand:", counter.get_total_flops() == sum(flops.values()))


# %%
def draw_shares(axis, amounts, column, label):  # plotting only
    places = [row + 0.4 * column for row in range(4)]
    per_cent = [100 * amount / sum(amounts.values()) for amount in amounts.values()]
    bars = axis.barh(places, per_cent, 0.38, color=plots.OKABE_ITO[column], label=label)
    axis.bar_label(bars, fmt="%.1f %%", padding=3)


# %%
figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
draw_shares(axis, parameters, 0, "parameters")
draw_shares(axis, flops, 1, "FLOPs")
axis.set_yticks([row + 0.2 for row in range(4)], list(flops))
axis.invert_yaxis()
axis.set(xlabel="share of the whole model in %", xlim=(0, 80))
axis.legend(loc="lower right")
plots.show(
    "shares of parameters and of FLOPs: the MLPs have about two thirds of both, attention's linear "
    "maps about a third, the scores and the weighted mean no parameters and 5 % of the FLOPs"
)

# %% [markdown]
# The scores and the weighted mean take about a *twentieth* of the FLOPs. "Attention is quadratic" is true, but at 65 tokens that is not where the arithmetic goes: the MLPs take most of it.
#
# <details><summary>What happens with P = 2, where there are 257 tokens?</summary>
#
# Count the FLOPs of one block, for one token. The four linear maps of attention cost 4 · 2·D² = 8D², the MLP costs 2 · 2·D·4D = 16D², and scores and weighted mean together cost 2 · 2·T·D = 4TD. So the share is 4TD / (24D² + 4TD). Divide above and below by 4D, and T / (6D + T) remains. With D = 192, 6D is 1,152. At T = 65 the share is 65 / 1,217 = 5 %, and at T = 257 it is 257 / 1,409 = 18 %.
#
# </details>
#
# As a check from outside, here are the sizes that the tests of Google's code ([google-research/vision_transformer](https://github.com/google-research/vision_transformer)) list for 224 × 224 pixels and 1,000 classes. (The device `meta` keeps shapes without numbers, so this costs no memory.)

# %% tags=["nbval-check-output"]
published = {
    "Ti/16": (192, 3, 5_717_416),
    "S/16": (384, 6, 22_050_664),
    "B/16": (768, 12, 86_567_656),
}
for name, (width, heads, expected) in published.items():
    config = ViTConfig(224, 16, num_classes=1000, embed_dim=width, depth=12, num_heads=heads)
    with torch.device("meta"):
        same_kind = vit_minimal.VisionTransformer(config)
    count = sum(parameter.numel() for parameter in same_kind.parameters())
    print(f"{name:5} {count:11,}  as published: {count == expected}")

# %% [markdown]
# ### What does a ViT give up?
#
# A convolutional network (CNN) knows two things about pictures before it has seen a single one. A convolution combines a pixel with its neighbours, so near things belong together (**locality**). And it uses the same small kernel everywhere, so a cat that moves to the right is still processed as a cat (**translation equivariance**: its features move with it, and their mean over all places hardly changes). A ViT has much less of this *inductive bias*: attention has no notion of near and far, and each place has a position vector of its own, which starts at random.
#
# Let us watch the second point. We roll a photo to the right; what leaves on that side comes back on the left. Then we take the largest change of the ten probabilities. We divide it by the same change between two different photos, on average, so 1 means "as different as another photo". (We measure only change, not whether the answer is right: five of our six photos belong to none of the ten classes.)
#
# For comparison we take a small CNN. Rolling puts a seam inside the photo, and this CNN is built to ignore it: it pads in a circle and takes the mean over all places. So it needs no training here. Its answer must stay the same *whatever* its weights are.

# %%
cnn = nn.Sequential(
    nn.Conv2d(3, 16, kernel_size=3, padding=1, padding_mode="circular"),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),  # the mean over all places
    nn.Flatten(),
    nn.Linear(16, 10),
)

# %%
names = ["chelsea.png", "rocket.jpg", "astronaut.png", "coffee.png", "motorcycle_left.png"]
names.append("hubble_deep_field.jpg")  # galaxies
six = torch.stack([load_photo(name) for name in names]).float() / 127.5 - 1  # (6, 3, 32, 32)


# %%
moves = range(0, 17, 2)  # in pixels


@torch.inference_mode()
def changes(model):
    """How much each move changes the answer for each photo: (6, 9). 1 is another photo."""
    answers = torch.stack([model(six.roll(pixels, dims=3)).softmax(dim=-1) for pixels in moves])
    moved = (answers - answers[0]).abs().amax(dim=-1)  # (9, 6)
    others = (answers[0][:, None] - answers[0]).abs().amax(dim=-1)  # (6, 6), 0 on its diagonal
    return (moved / (others.sum() / 30)).T  # 30 pairs of different photos


# %%
def draw_photos(axis, of_vit):  # plotting only
    mean = of_vit.mean(dim=0)
    axis.plot(moves, of_vit.T, color="#BBBBBB", linewidth=1)  # of_vit: (6, 9)
    axis.plot([], color="#BBBBBB", linewidth=1, label="shipped model, each photo")
    axis.plot(moves, mean, color=plots.OKABE_ITO[0], label="shipped model, mean")
    axis.plot(moves[::2], mean[::2], "o", color=plots.OKABE_ITO[0], label="whole patches")


# %% tags=["hide-input"]
figure, axis = plt.subplots(figsize=(6.5, 3.7), layout="constrained")
draw_photos(axis, changes(vit))
of_cnn = changes(cnn).mean(dim=0)
axis.plot(moves, of_cnn, **plots.curve_style(1) | {"marker": None}, label="untrained CNN")
axis.axhline(1, color="black", linestyle=":", label="another photo")
axis.set(xlabel="shift (pixels)", ylabel="change of the answer", xticks=moves, ylim=(-0.05, 1.75))
axis.legend(loc="upper left", ncols=2)
plots.show(
    "the mean change of the ViT's answer zigzags upwards with the shift: moves by whole patches, of "
    "4, 8, 12 and 16 pixels, change it less than the moves between them; the six photos "
    "differ a lot; the CNN's answer stays the same"
)
with torch.inference_mode():
    moved_cat = vit(six[:1].roll(8, dims=3)).softmax(dim=-1)[0]
print(f"the cat moved by 8 pixels is a cat with {moved_cat[CIFAR10_CLASSES.index('cat')]:.2f}")

# %% [markdown]
# **The CNN's answer does not change.** (Deeper CNNs downsample, so for them this holds only approximately.) **The shipped model's does.** For the cat, the probability of "cat" falls from 0.89 to 0.60 after a shift of 8 pixels. The six photos differ a lot, and for two of them some far move changes more than another photo does on average.
#
# But look at the zigzag of the mean: a move by whole patches changes the answer less than the moves just before and after it. The patches then hold the same pixels as before, only at other positions. All moves in between cut the picture into new patches, and put the seam inside one.
#
# So a ViT has to learn from examples what a CNN is given for free. In the paper's experiments (Section 4.3), a ViT was much worse than a CNN of similar cost after training on 9 million images, and better with 90 million and more. Later, strong augmentation and regularisation let ViTs compete after training on ImageNet's 1.3 million images alone ([Touvron et al. 2021](https://arxiv.org/abs/2012.12877), [Steiner et al. 2022](https://arxiv.org/abs/2106.10270)).
#
# Notebook 14 asks whether we see that on CIFAR-10.

# %% [markdown]
# ## To look things up: what the package's model adds
#
# This part is a reference for the package's model, which computes what your twenty-five lines compute:

# %% tags=["nbval-check-output"]
small = ViT(D=96, L=3)
shake(small)
package = vit_minimal.VisionTransformer(ViTConfig(embed_dim=96, depth=3))  # h = 3, P = 4
package.load_state_dict(renamed(small.state_dict(), {"mlp.0.": "mlp.fc1.", "mlp.2.": "mlp.fc2."}))
x = torch.randn(5, 3, 32, 32)
with torch.no_grad():
    print("the same logits:", torch.allclose(small(x), package(x), atol=1e-5))

# %% [markdown]
# (Both use the *same* attention, so this proves less than timm did.) It has these switches, most of them fields of `ViTConfig`:
#
# | switch | what it does | where it is used |
# |---|---|---|
# | `pool` | lets the head read the mean of the patches, or a learned weighted mean, instead of a class token | notebook 09 |
# | `num_registers` | adds **registers**: learned tokens that take part in attention but that no head reads | notebooks 06 and 14 |
# | `pos_embed="sinusoidal"` | computes the positions instead of learning them | notebook 02 |
# | `…_drop_rate` | **dropout**: while training, sets random numbers to zero, so that the model relies on no single one | your own experiments |
# | `drop_path_rate` | **stochastic depth**: while training, skips what attention or an MLP would add, for random images. The rate grows with depth: 0 at the first block, the given rate at the last | your own experiments |
# | `norm_first=False` | **post-norm**, the order of 2017, drawn below | notebook 14 |
# | `model.reset_head(K)` | (a method) replaces the head when your classes differ | your own data |
#
# A cell that starts with a file name repeats the code of that file, and a test keeps the two identical. The MLP, with its dropout:


# %% tags=["same-as:vit_minimal.vision_transformer.MLP"]
# vit_minimal/vision_transformer.py
class MLP(nn.Module):
    """Two linear layers with a GELU between, on each token alone: (B, T, D) → (B, T, D)."""

    def __init__(self, embed_dim, hidden_dim, drop_rate=0.0):
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, embed_dim)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x):
        return self.drop(self.fc2(self.drop(nn.functional.gelu(self.fc1(x)))))


# %% [markdown]
# Stochastic depth, which scales up what it does not skip, so that the mean stays what it was:


# %% tags=["same-as:vit_minimal.vision_transformer.drop_path"]
# vit_minimal/vision_transformer.py
def drop_path(x, rate):
    """Zero whole samples with probability `rate`, scale up the rest (arxiv.org/abs/1603.09382)."""
    if rate == 0:
        return x
    kept = x.new_empty(x.shape[0], 1, 1).bernoulli_(1 - rate)  # 1 or 0 for each sample
    return x * kept / (1 - rate)


# %% [markdown]
# A post-norm block, in which the norm stands *on* the stream, after each sum:

# %%
diagrams.block(norm_first=False)

# %% [markdown]
# In `EncoderBlock` below, the last two lines are post-norm. [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) show why it needs a careful warm-up in the settings that they study, and notebook 14 measures whether it does here.

# %% [markdown] tags=["exercise-only"]
# # Exercises 04 · The Vision Transformer
#
# They go with notebook [04](../04_vision_transformer.ipynb). If you start here: all the pieces exist already, which are the patch embedding, the class token, the positions, multi-head attention and the MLP. In a *block*, attention mixes the tokens, and an MLP works on each token alone; both work on a normalised copy of the tokens and add to the tokens. After L blocks comes one more norm, and a linear head reads token 0, the class token. As equations, with LN for a norm: z₀ = [class token; patches·E] + positions (1); z′ = MSA(LN(z)) + z (2); z″ = MLP(LN(z′)) + z′ (3), for each block; y = LN(token 0) (4). `ViTConfig` holds the numbers: `embed_dim` D, `depth` L, `num_heads` h, `patch_size` P, …

# %% tags=["exercise-only"]
from dataclasses import replace

import torch
from torch import nn

from checks import check
from vit_minimal import (
    MLP,
    ClassToken,
    MultiHeadSelfAttention,
    PatchEmbedding,
    PositionEmbedding,
    ViTConfig,
)
from vit_minimal.vision_transformer import AttentionPooling, drop_path, init_linear

# %% [markdown] tags=["exercise:EncoderBlock"]
# Write the two lines of a pre-norm block, Eq. 2 and 3: attention, then the MLP, each *added* to the tokens. `self.norm1`, `self.attn`, `self.norm2` and `self.mlp` are there. (The package wraps what is added in `drop_path(…, rate)`, which is for training; you may leave it out. The post-norm variant is already written, so that you can compare.)
#
# Hint: Eq. 2: z′ = MSA(LN(z)) + z. Eq. 3: z″ = MLP(LN(z′)) + z′.
#
# Hint: Add to the sum as it is, *not* to its normalised copy. The MLP reads what the attention has changed.


# %% tags=["same-as:vit_minimal.vision_transformer.EncoderBlock", "exercise:EncoderBlock"]
# vit_minimal/vision_transformer.py
class EncoderBlock(nn.Module):
    """Attention mixes the tokens, an MLP works on each; both add to the residual stream."""

    def __init__(self, config, drop_path_rate=0.0):
        super().__init__()
        D, drop_rate = config.embed_dim, config.proj_drop_rate
        self.norm_first, self.drop_path_rate = config.norm_first, drop_path_rate
        self.norm1 = nn.LayerNorm(D, eps=config.norm_eps)
        self.attn = MultiHeadSelfAttention(D, config.num_heads, config.attn_drop_rate, drop_rate)
        self.norm2 = nn.LayerNorm(D, eps=config.norm_eps)
        self.mlp = MLP(D, int(D * config.mlp_ratio), drop_rate)

    def forward(self, x):
        rate = self.drop_path_rate if self.training else 0.0
        if self.norm_first:
            # solution
            # | return ...  # your code
            x = x + drop_path(self.attn(self.norm1(x)), rate)  # Eq. 2
            return x + drop_path(self.mlp(self.norm2(x)), rate)  # Eq. 3
            # end of solution
        x = self.norm1(x + drop_path(self.attn(x), rate))
        return self.norm2(x + drop_path(self.mlp(x), rate))


# %% [markdown]
# `ViTConfig` holds every number of the architecture and refuses combinations that cannot work:

# %% tags=["nbval-check-output"]
print(ViTConfig())
for wrong in ({"patch_size": 5}, {"num_heads": 5}, {"pool": "max"}):
    try:
        ViTConfig(**wrong)
    except ValueError as error:
        print(error)

# %% [markdown]
# `pool="attention"` is attention with a single learned query, the same for all images. It is the plainest of its kind: others add maps for keys and values, and an MLP.


# %% tags=["same-as:vit_minimal.vision_transformer.AttentionPooling"]
# vit_minimal/vision_transformer.py
class AttentionPooling(nn.Module):
    """Tokens (B, T, D) → their mean (B, D), weighted by how well each fits one learned query."""

    def __init__(self, embed_dim):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(embed_dim))  # at zero all tokens weigh the same

    def forward(self, x):
        weights = (x @ self.query / x.shape[-1] ** 0.5).softmax(dim=1)  # (B, T)
        return (weights[:, None] @ x).squeeze(1)


# %% [markdown]
# The small starting weights, as in the four checks:


# %% tags=["same-as:vit_minimal.vision_transformer.init_linear"]
# vit_minimal/vision_transformer.py
def init_linear(module):
    """Draw a linear map with standard deviation 0.02, zero its bias; leave other modules alone."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


# %% [markdown]
# The whole model, in which the three lines of your `forward` are easy to find:


# %% [markdown] tags=["exercise:VisionTransformer"]
# The whole model. `__init__` is already written. `forward_features` does Eq. 1 to 3 and the norm of Eq. 4: images (B, C, H, W) → tokens (B, T, D). `forward` reads the tokens: with `self.config.pool == "class"` the class token goes to `self.head`; otherwise the patches, which begin at token `self.num_prefix`, are averaged: by `self.attn_pool` if there is one, and by a plain mean if not. (The dropout `self.pos_drop` stands before the blocks; with its rate of 0 it does nothing.)
#
# Hint: Eq. 1 from the inside: `patch_embed`, `reg_token` (registers; does nothing if there are none), `cls_token`, `pos_embed`. `reg_token` and `cls_token` put their tokens *in front*, and the class token has to end up as token 0.
#
# Hint: Then `pos_drop`, `blocks`, `norm`. The class token of all images is `x[:, 0]`.


# %% tags=["same-as:vit_minimal.vision_transformer.VisionTransformer", "exercise:VisionTransformer"]
# vit_minimal/vision_transformer.py
class VisionTransformer(nn.Module):
    """Images (B, C, H, W) → logits (B, num_classes). Order of tokens: class, registers, patches."""

    usual_order = True  # False in variants that keep their tokens in another order

    def __init__(self, config):
        super().__init__()
        self.config = config
        D, R, P, C = config.embed_dim, config.num_registers, config.patch_size, config.in_channels
        has_class, fixed = config.pool == "class", config.pos_embed == "sinusoidal"
        self.patch_embed = PatchEmbedding(config.image_size, P, C, D)
        rows, columns = self.patch_embed.grid_size
        self.num_prefix = R + 1 if has_class else R  # tokens in front of the patches
        self.num_tokens = self.num_prefix + rows * columns  # T
        self.reg_token = ClassToken(D, R) if R else nn.Identity()
        self.cls_token = ClassToken(D) if has_class else nn.Identity()
        self.pos_embed = PositionEmbedding(self.patch_embed.grid_size, D, self.num_prefix, fixed)
        self.pos_drop = nn.Dropout(config.pos_drop_rate)
        rates = [config.drop_path_rate * i / max(1, config.depth - 1) for i in range(config.depth)]
        self.blocks = nn.Sequential(*(EncoderBlock(config, rate) for rate in rates))
        self.norm = nn.LayerNorm(D, eps=config.norm_eps) if config.norm_first else nn.Identity()
        self.attn_pool = AttentionPooling(D) if config.pool == "attention" else None
        self.head = nn.Linear(D, config.num_classes)
        self.apply(init_linear)

    def reset_head(self, num_classes):
        """Replace the head by a new, untrained one for `num_classes` classes; `config` follows."""
        self.config = replace(self.config, num_classes=num_classes)
        head = nn.Linear(self.config.embed_dim, self.config.num_classes)
        head.apply(init_linear).train(self.training)
        self.head = head.to(next(self.parameters()))  # its device and dtype

    def forward_features(self, images):
        """Images (B, C, H, W) → tokens (B, T, D) after the last block and norm."""
        # solution
        # | return ...  # your code
        x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))  # Eq. 1
        return self.norm(self.blocks(self.pos_drop(x)))  # Eq. 2, 3; the norm of Eq. 4
        # end of solution

    def forward(self, images):
        # solution
        # | return ...  # your code
        x = self.forward_features(images)
        if self.config.pool == "class":
            return self.head(x[:, 0])  # y in Eq. 4
        patches = x[:, self.num_prefix :]  # (B, N, D)
        return self.head(self.attn_pool(patches) if self.attn_pool else patches.mean(dim=1))
        # end of solution


# %% [markdown] tags=["exercise:parameters_of"]
# How many parameters does a model have? Write the formula: from a `ViTConfig` with a class token, learned positions and square images (`image_size` is a whole number), without building the model.
#
# Hint: Patch embedding, class token, positions, L blocks of (two norms, qkv, proj, fc1, fc2), a last norm, the head. Every linear map has a bias; a norm has a scale and a shift.
#
# Hint: qkv has D · 3D + 3D numbers, proj D · D + D. fc1 and fc2 lie between D and `int(D * config.mlp_ratio)`. Positions: one row for each of T tokens.


# %% tags=["exercise-only", "exercise:parameters_of"]
def parameters_of(config):
    """The number of parameters of a ViT with a class token, by a formula."""
    # solution
    # | return ...  # your code
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, int(D * config.mlp_ratio)
    embedding = config.in_channels * P * P * D + D
    tokens = D + (N + 1) * D  # class token and positions
    attention = (3 * D * D + 3 * D) + (D * D + D)
    mlp = (D * hidden + hidden) + (hidden * D + D)
    head = D * config.num_classes + config.num_classes
    return embedding + tokens + L * (2 * 2 * D + attention + mlp) + 2 * D + head
    # end of solution


sum(p.numel() for p in VisionTransformer(ViTConfig()).parameters())  # one way to compare

# %% [markdown] tags=["exercise:stack"]
# *Find the bug.* Someone builds the L blocks of a model. It trains, but look at what the last line prints. Repair it.
#
# Hint: What does `[thing] * 3` put into the list, three things or one thing three times?
#
# Hint: Each block has to be built: call `EncoderBlock(config)` L times.
#
# Solution: `[block] * L` holds the same block L times, so all blocks share their weights. Nothing fails; the model is just much smaller than you think.


# %% tags=["exercise-only", "exercise:stack"]
def stack(config):
    """L encoder blocks, one after the other."""
    # solution
    # | return nn.Sequential(*[EncoderBlock(config)] * config.depth)
    return nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth)))
    # end of solution


blocks = stack(ViTConfig(depth=3))
print(len(blocks), "blocks, different ones:", len({id(block) for block in blocks}))

# %% [markdown] tags=["exercise:times_as_many_weights"]
# *Predict.* Images of 32 × 32 with P = 4: each head of each block has a table of T × T attention weights. With P = 2, how many times as many entries has the table? To one decimal.
#
# Hint: How many patches are there with P = 4, and with P = 2? T is one more.
#
# Hint: T = 65 and T = 257.
#
# Solution: (257 / 65)² ≈ 15.6. Half the patch side means four times the patches and nearly sixteen times the attention weights. All other costs of a block grow with T only.

# %% tags=["exercise-only", "exercise:times_as_many_weights"]
# solution
# | times_as_many_weights = ...
times_as_many_weights = (257 / 65) ** 2
# end of solution

# %% [markdown]
# ### Weights from torchvision
#
# **torchvision**, PyTorch's own library of image models, has trained weights too, under these other names:

# %%
from torchvision.models import VisionTransformer as TorchvisionViT

torchvision_to_ours = {
    "class_token": "cls_token.weight",
    "conv_proj.": "patch_embed.proj.",
    "encoder.pos_embedding": "pos_embed.weight",
    "encoder.layers.encoder_layer_": "blocks.",
    ".ln_": ".norm",  # ln_1 and ln_2 → norm1 and norm2
    ".self_attention.in_proj_": ".attn.qkv.",
    ".self_attention.out_proj.": ".attn.proj.",
    ".mlp.0.": ".mlp.fc1.",
    ".mlp.3.": ".mlp.fc2.",
    "encoder.ln.": "norm.",
    "heads.head.": "head.",
}

# %%
from_torchvision = TorchvisionViT(
    image_size=32,
    patch_size=4,
    num_layers=3,
    num_heads=3,
    hidden_dim=96,
    mlp_dim=384,
    num_classes=10,
).eval()
shake(from_torchvision)

ours = VisionTransformer(ViTConfig(embed_dim=96, depth=3, num_heads=3)).eval()
x = torch.randn(5, 3, 32, 32)
ours.load_state_dict(renamed(from_torchvision.state_dict(), torchvision_to_ours))
with torch.no_grad():
    difference = (ours(x) - from_torchvision(x)).abs().max().item()
    largest = from_torchvision(x).abs().max().item()
    print(f"torchvision: logits up to {largest:.1f}, largest difference {difference:.1g}")
assert difference < 1e-5

# %% [markdown]
# torchvision's attention is PyTorch's `nn.MultiheadAttention`, so this is a second opinion on ours. The package's loaders rename too, and say what differs if the weights do not fit, as here, where timm's loader gets torchvision's weights:

# %% tags=["nbval-check-output"]
load_torchvision_state_dict(ours, from_torchvision.state_dict())
with torch.no_grad():
    print("the package's loader agrees:", torch.allclose(ours(x), from_torchvision(x), atol=1e-5))
try:
    load_timm_state_dict(ours, from_torchvision.state_dict())
except ValueError as error:
    print(str(error))

# %% [markdown]
# The message names what is missing, and the loader that fits.
