# %% [markdown]
# # 13 · A museum of silent bugs
#
# **After this notebook you can** find seventeen{{assert numbered_sections("13_silent_bugs") == 17}} bugs that hardly ever raise an error, each with a check of a few lines, and say what they cost if nobody finds them. Well-known repositories have had some of them.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 04; what is said about costs uses the ± of 09 |
# | Time to read | about 30 minutes, with a good place to stop, and 10 more for a second visit |
# | Time to run | at the quick budget {{notebook_seconds("13_silent_bugs"):about}} on two cores of a recent server CPU |
# | Package modules | those of the model, from `patches.py` to `vision_transformer.py`, broken on purpose |
#
# A silent bug raises no error. The shapes fit, the loss falls, and the number at the end looks like a number. How would you notice?

# %%
import copy
import math
import time

import matplotlib.pyplot as plt
import torch
from torch import nn

from vit_minimal import (
    MultiHeadSelfAttention,
    VisionTransformer,
    ViTConfig,
    diagrams,
    patchify,
    plots,
    seed_everything,
)
from vit_minimal.attention import attention_weights
from vit_minimal.experiments import mean_and_width, pooled_spread, spread_of, summarize
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records

# %% [markdown]
# ## Which of these models is broken?
#
# Here are the losses of three models during training. They have the same size and see the same drawn shapes. One is right, and each of the others has a bug that mixes up its numbers. Which one is right?

# %% tags=["hide-input"]
silent = {}  # data set: bug: its runs, one for each seed
for record in read_records("../data/results/silent_bugs.json"):
    for run in record["runs"]:
        silent.setdefault(record["dataset"], {}).setdefault(run["bug"], []).append(run)


def mean_loss(name):
    return torch.tensor([run["train_loss"] for run in silent["shapes10"][name]]).mean(dim=0)


losses = {
    letter: mean_loss(name)
    for letter, name in (("A", "patches by reshape"), ("B", "none"), ("C", "heads by view"))
}
_, axis = plt.subplots(figsize=(5, 3), layout="constrained")
for (letter, values), marker, stroke in zip(losses.items(), "osd", ("-", "--", ":"), strict=True):
    axis.plot(range(1, 6), values, stroke, marker=marker, color="#444444", label=letter)
axis.set(xlabel="pass", ylabel="loss in training", xticks=range(1, 6))
axis.grid(alpha=0.3)
axis.legend()
plots.show(
    "the losses of three models over five passes",
    "Which one is right?",
    [f"{letter}: from {of[0]:.2f} to {of[-1]:.2f}" for letter, of in losses.items()],
)

# %% [markdown]
# <details><summary>The answer</summary>
#
# B. In C every attention head gets numbers of the wrong tokens, and in the end its loss is as low as B's. In A the patches are cut wrongly, and its loss is the lowest of the three. The accuracy on new images would mislead you as well: it is {{mean(silent_bug("patches by reshape")):.0%}} for A, and {{mean(silent_bug("none")):.0%}} for B and for C.{{assert
# round(100 * mean(silent_bug("heads by view"))) == round(100 * mean(silent_bug("none")))}}{{assert
# mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "patches by reshape"])
# < 0.6 * mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "none"])}}{{assert
# abs(mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "heads by view"])
# - mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "none"])) < 0.05}}
# </details>
#
# So you can rely neither on the loss nor on the accuracy. Whether code is right is a question that you can **check**, without any training. This notebook is a museum of such checks. At its end stands what each bug costs a model in which nobody has checked.
#
# ## A museum of bugs
#
# The museum has four rooms and seventeen bugs. Most of them raise no error. A few do, but only on a GPU (11), with another number of images (4 and 10) or at another image size (8). Where a link leads to a repository, it had the bug, and most of these are well known. Such bugs happen to experts, too.
#
# Each exhibit has a **check** of a few lines. The function `catch` runs it twice: on the right piece, which must pass, and on the wrong one, whose symptom it prints. It also measures how long that takes. In the pictures, orange-red shows what is wrong: a cross, a frame or a number.


# %% tags=["bug-tools"]
seconds = []  # that each check has taken


@torch.no_grad()
def catch(check, right, wrong):
    """Run a check on a right piece, which passes, and a wrong one, whose symptom is printed."""
    started = time.perf_counter()
    check(right)
    seed_everything(0)
    try:
        check(wrong)
    except AssertionError as symptom:
        print(f"caught: {symptom}")
    else:
        raise RuntimeError("the check did not notice")
    seconds.append(time.perf_counter() - started)


def percent(share):
    return f"{100 * float(share):.0f} %"


# %% [markdown]
# ## Room 1: shapes that fit by accident
#
# Here numbers land in the wrong place, and nothing complains, because the shape fits.
#
# *Guess first:* an image has three channels of 8 × 8 numbers. It is white in its upper right quarter and black elsewhere. It is cut into four patches with nothing but a `reshape`. How white is each patch?
#
# ### 1. Patches by `reshape` alone
#
# (C, H, W) has as many numbers as (N, C·P·P), so a reshape runs. But it cuts the image into stretches of rows, and not into squares. It also takes the channels apart: patch 0 gets numbers of the red channel only (notebook 01). In the picture each cell is one number of an image, and its colour says to which patch the code gives it.


# %% tags=["bug", "nbval-check-output"]
def patches_by_reshape(images, P):
    B, C, H, W = images.shape
    return images.reshape(B, (H // P) * (W // P), C * P * P)


def check_patches(cut):
    image = torch.zeros(1, 3, 8, 8)
    image[:, :, :4, 4:] = 1  # patch 1, upper right, is white, everything else black
    patches = cut(image, 4)
    white = ", ".join(percent(patch.mean()) for patch in patches[0])
    assert patches[0].mean(dim=1).tolist() == [0, 1, 0, 0], f"the white part of each patch: {white}"


catch(check_patches, right=patchify, wrong=patches_by_reshape)


# %% tags=["hide-input"]
def owner(parts):
    """The numbers 0, 1, 2, … were sorted into parts (k, …): the part that each went to."""
    found = torch.empty(parts.numel(), dtype=torch.long)
    found[parts.flatten().long()] = torch.arange(len(parts)).repeat_interleave(parts[0].numel())
    return found


numbers = torch.arange(3.0 * 8 * 8).view(1, 3, 8, 8)
diagrams.owners(
    *(owner(cut(numbers, 4)[0]).view(3, 8, 8) for cut in (patchify, patches_by_reshape)),
    owner="patch",
    panels=("red", "green", "blue"),
    title="Exhibit 1: which patch gets which number of an image",
)

# %% [markdown]
# ### 2. Heads by `view` alone
#
# The same mistake with heads: (B, T, D) → (B, h, T, d) needs a transpose in between. Each head should get d numbers *of every token*. By `view` alone it gets one long stretch: head 0 has all 12 numbers of token 0, 8 of token 1, and no others ([FuxiCTR](https://github.com/reczoo/FuxiCTR/issues/30)). In the picture the colour of a number says which head gets it. In the check each number is the index of its token, and the five rows of head 0 should come from the tokens 0 to 4.


# %% tags=["bug", "nbval-check-output"]
def heads_by_transpose(x, h):
    B, T, D = x.shape
    return x.view(B, T, h, D // h).transpose(1, 2)


def heads_by_view(x, h):
    B, T, D = x.shape
    return x.view(B, h, T, D // h)


def check_heads(split):
    x = torch.arange(5).view(1, 5, 1).repeat(1, 1, 12)  # (B, T, D): token 1 holds only ones
    rows = split(x, 3)[0, 0, :, 0].tolist()  # head 0: from which token each row comes
    assert rows == [0, 1, 2, 3, 4], f"the rows of head 0 come from tokens {rows}"


catch(check_heads, right=heads_by_transpose, wrong=heads_by_view)

# %% tags=["hide-input"]
numbers = torch.arange(5.0 * 12).view(1, 5, 12)
diagrams.owners(
    *(owner(split(numbers, 3)[0]).view(5, 12) for split in (heads_by_transpose, heads_by_view)),
    owner="head",
    rows="tokens",
    columns="the D = 12 numbers of a token",
    title="Exhibit 2: which head gets which number of the tokens",
)

# %% [markdown]
# ### 3. The same on the way back
#
# (B, h, T, d) must become (B, T, h, d) before it is flattened. Otherwise the numbers of one token end up in several. A transformer from scratch [had it](https://github.com/jsbaan/transformer-from-scratch/pull/6). Its test was a small task to be learned, and passed.


# %% tags=["bug", "nbval-check-output"]
def check_merge(merge):
    heads = torch.zeros(1, 3, 5, 4)  # (B, h, T, d)
    heads[0, :, 0] = 1  # only token 0 holds something
    tokens = merge(heads)[0].abs().sum(dim=-1).nonzero().flatten().tolist()
    assert tokens == [0], f"what token 0 held is found in tokens {tokens}"


catch(
    check_merge,
    right=lambda heads: heads.transpose(1, 2).flatten(2),
    wrong=lambda heads: heads.reshape(1, 5, 12),
)

# %% [markdown]
# ### 4. `x[0]` for `x[:, 0]`
#
# This reads all tokens of the first image instead of the first token of each. `x[0]` is right for (T, B, D), which PyTorch's layers take by default. After a switch to batch first, it gives T answers, and all other images are ignored. If T = B, nothing complains; otherwise the loss does. The check finds the bug at any size: it changes image 1 and looks at whose answer moves.


# %% tags=["bug"]
def check_read(read):
    tokens = torch.randn(4, 5, 8)
    changed = tokens.clone()
    changed[1] += 1  # another second image
    moved = (read(changed) - read(tokens)).abs().sum(dim=-1).nonzero().flatten().tolist()
    assert moved == [1], f"image 1 was changed; the answers that changed: {moved or 'none'}"


catch(check_read, right=lambda tokens: tokens[:, 0], wrong=lambda tokens: tokens[0])

# %% [markdown]
# ## Room 2: attention that mixes the wrong things
#
# *Guess first:* a layer takes the images of a batch for tokens. A class token then attends to the class tokens of all images in the batch, and to nothing else. What will such a model answer for different images?
#
# ### 5. Softmax over the wrong axis
#
# The scores are (B, h, T, T): queries, then keys. `softmax(dim=-2)`, or a `dim=2` that was right for (B, T, T) before the heads came in, runs over the queries, and the *columns* sum to 1. One token then reads less than 100 % in all, and another more. A widely read implementation [had it](https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/146), and the person who reported it saw no difference in the results.


# %% tags=["bug"]
def softmax_over_queries(queries, keys):
    return (queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5).softmax(dim=-2)


def check_rows(weights):
    # 3 * makes the scores large, and so the shares of attention uneven
    rows = weights(3 * torch.randn(5, 8), torch.randn(5, 8)).sum(dim=-1)
    low, high = percent(rows.min()), percent(rows.max())
    assert torch.allclose(rows, torch.ones(5)), f"tokens read between {low} and {high} in all"


catch(check_rows, right=attention_weights, wrong=softmax_over_queries)

# %% tags=["hide-input"]
seed_everything(0)
queries, keys = 3 * torch.randn(5, 8), torch.randn(5, 8)
diagrams.amounts(
    attention_weights(queries, keys),
    softmax_over_queries(queries, keys),
    [f"token {i}" for i in range(5)],
    range(5),
    columns="reads from token",
    sums=True,
    key="white: 0, dark: reads a lot",
    title="Exhibit 5: how much each token (row) reads from each (column)",
)

# %% [markdown]
# ### 6. Scaled by √D, not by √d
#
# A head has d = D / h numbers, and the variance of the scores grows with that number (notebook 03). With √D attention starts too even. [vit-pytorch](https://github.com/lucidrains/vit-pytorch/issues/65) had it, and so had [Karpathy's lecture](https://github.com/karpathy/ng-video-lecture/pull/6). The check compares with PyTorch's own attention.


# %% tags=["bug"]
def weights_scaled_by_D(queries, keys):  # (B, h, T, d)
    D = queries.shape[1] * queries.shape[-1]
    return (queries @ keys.transpose(-2, -1) / D**0.5).softmax(dim=-1)


def check_scale(weights):
    queries, keys = 3 * torch.randn(2, 6, 5, 4), torch.randn(2, 6, 5, 4)
    values = torch.eye(5).expand(2, 6, 5, 5)  # show the weights themselves
    expected = nn.functional.scaled_dot_product_attention(queries, keys, values)
    error = (weights(queries, keys) - expected).abs().max()
    assert error < 1e-5, f"shares of attention are off by up to {100 * error:.0f} points"


catch(check_scale, right=attention_weights, wrong=weights_scaled_by_D)

# %% [markdown]
# ### 7. Attention across the batch
#
# PyTorch's `nn.MultiheadAttention` wants (T, B, D) unless told `batch_first=True`. Given (B, T, D) it takes images for tokens: each token attends to the tokens in the same place of *all images*, and to no other token of its own image ([TabFormer](https://github.com/IBM/TabFormer/pull/14)).


# %% tags=["bug"]
def check_images_alone(make):
    layer = make()
    x = torch.randn(4, 5, 12)
    together, alone = layer(x, x, x)[0][:1], layer(x[:1], x[:1], x[:1])[0]
    change = (together - alone).abs().max() / alone.abs().max()
    assert change < 1e-4, f"other images of the batch change an answer by {percent(change)}"


catch(
    check_images_alone,
    right=lambda: nn.MultiheadAttention(12, 3, batch_first=True),
    wrong=lambda: nn.MultiheadAttention(12, 3),  # given (B, T, D), it takes it for (T, B, D)
)


# %% tags=["hide-input"]
@torch.no_grad()
def looks_at(batch_first):
    """How much the query of image 0, token 2 reads from each token of each image: (B, T)."""
    layer = nn.MultiheadAttention(12, 3, batch_first=batch_first)
    x = torch.randn(4, 5, 12)
    weights, read = layer(x, x, x)[1], torch.zeros(4, 5)
    if batch_first:
        read[0] = weights[0, 2]  # (B, T, T)
    else:
        read[:, 2] = weights[2, 0]  # (T, B, B)
    return read


seed_everything(0)
reads = 2 * looks_at(True), 2 * looks_at(False)
diagrams.amounts(
    *reads,
    [f"image {i}" for i in range(4)],
    range(5),
    columns="token",
    marked=(0, 2),
    bad=(1, 2, 4, 3, "other images"),
    key="white: 0, dark: the token in the black frame reads a lot of it",
    title="Exhibit 7: what token 2 of image 0 attends to",
)

# %% [markdown]
# A ViT with a class token then gives every image the same answer, since all class tokens start equal and attend only to each other. With mean pooling it trains, and each answer depends on the rest of the batch.
#
# ### 8. LayerNorm over tokens as well
#
# With `nn.LayerNorm((T, D))`, perhaps out of a habit from BatchNorm, the mean and the variance are those of all tokens of an image. Every token then notices a change in any other, without attention, and another image size does not fit.


# %% tags=["bug"]
def check_norm(norm):
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[0, 0] *= 10  # the first token only
    change = (norm(changed) - norm(x))[0, 1:].abs().max()
    assert change < 1e-6, f"token 0 was changed, and others changed by up to {change:.2f}"


catch(check_norm, right=nn.LayerNorm(8), wrong=nn.LayerNorm((5, 8)))


# %% tags=["hide-input"]
@torch.no_grad()
def change(norm):
    """How much each number (T, D) changes if only the first token does."""
    seed_everything(0)
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[0, 0] *= 10
    return (norm(changed) - norm(x))[0].abs()


changes = torch.stack([change(nn.LayerNorm(8)), change(nn.LayerNorm((5, 8)))])
diagrams.amounts(
    *changes / changes[1, 1:].max(),
    [f"token {i}" for i in range(5)],
    columns="the D = 8 numbers of a token",
    bad=(1, 0, 5, 8, "should not change"),
    key="white: hardly changed or not at all, dark: changed a lot",
    title="Exhibit 8: only token 0 was made ten times as large. What changes?",
)

# %% [markdown]
# The right norm takes nearly all of the factor out again, so even token 0 hardly changes. With the wrong norm all tokens change.
#
# *This is a good place to stop.*
#
# ## Room 3: parameters that nobody trains, or that do not exist
#
# ### 9. A parameter that is moved too early
#
# `nn.Parameter(…).to("cuda")` gives a plain tensor, a *copy* of the parameter. The model computes with it, but it is neither trained nor saved, so a loaded model has other random numbers in its place. On a laptop `.to("cpu")` copies nothing, and every test passes. The check needs no GPU: `.to(torch.float64)` makes a copy as well.


# %% tags=["bug", "nbval-check-output"]
class Positions(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.weight = make(torch.randn(1, 5, 8))


def check_saved(make):
    saved, loaded = Positions(make), Positions(make)
    loaded.load_state_dict(saved.state_dict())
    error = (saved.weight - loaded.weight).abs().max()
    assert error == 0, f"after saving and loading, positions differ by up to {error:.1f}"


catch(check_saved, right=nn.Parameter, wrong=lambda x: nn.Parameter(x).to(torch.float64))

# %% [markdown]
# *Guess first:* a `nn.Linear(8, 8)` has 72 parameters. How many has `nn.Sequential(*[nn.Linear(8, 8)] * 6)`?
#
# | The bug | What it does | The check |
# |---|---|---|
# | 10. `torch.randn(batch_size, 1, D)` as a class token | Each *place in the batch* learns its own. A batch of another size, or a single image, cannot be put through. | Equal images get equal tokens. |
# | 11. Blocks in a Python list | A list is not a module, so the optimizer does not find its parameters, and nobody saves them. Only the embedding and the head learn. | Count the parameters. |
# | 12. `[block] * L` | It is L times the *same* block: all share their weights. | Count the parameters. |
# | 13. An argument that is ignored | A constructor takes `num_heads`, but further down the code says 8. | Change it, and expect a difference. |
#
# The code of these four checks is folded. They print, from 10 to 13:


# %% tags=["bug", "hide-input", "nbval-check-output"]
class ClassTokenForAll(nn.Module):
    def __init__(self, batch_size, D):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 1, D))

    def forward(self, tokens):
        return torch.cat([self.weight.expand(len(tokens), -1, -1), tokens], dim=1)


class ClassTokenForEachPlace(ClassTokenForAll):
    def __init__(self, batch_size, D):
        super().__init__(batch_size, D)
        self.weight = nn.Parameter(torch.randn(batch_size, 1, D))


def check_class_token(kind):
    tokens = kind(4, 8)(torch.zeros(4, 5, 8))[:, 0]
    differ = (tokens - tokens[0]).abs().max()
    assert differ == 0, f"equal images of one batch get class tokens that differ by {differ:.1f}"


catch(check_class_token, right=ClassTokenForAll, wrong=ClassTokenForEachPlace)


def encoder(holder):
    model = nn.Module()
    model.blocks = holder([nn.Linear(8, 8) for _ in range(3)])
    return model


def check_parameters(holder):
    count = sum(p.numel() for p in encoder(holder).parameters())
    assert count == 3 * 72, f"three layers of 72 parameters have {count} in all"


catch(check_parameters, right=nn.ModuleList, wrong=list)


def check_depth(blocks):
    count = sum(p.numel() for p in nn.Sequential(*blocks).parameters())
    assert count == 6 * 72, f"six blocks of 72 parameters have {count} in all"


catch(check_depth, right=[nn.Linear(8, 8) for _ in range(6)], wrong=[nn.Linear(8, 8)] * 6)


def eight_heads_always(embed_dim, num_heads):
    return MultiHeadSelfAttention(embed_dim, 8)


def check_argument(make):
    answers = []
    for num_heads in (1, 2):
        torch.manual_seed(0)  # the same weights and the same tokens
        answers.append(make(16, num_heads)(torch.randn(1, 5, 16)))
    assert not torch.equal(*answers), "1 head and 2 heads give the same answer to the last bit"


catch(check_argument, right=MultiHeadSelfAttention, wrong=eight_heads_always)

# %% [markdown]
# ## Room 4: the sum, the norm and the answer
#
# *Guess first:* a classifier of ten classes ends in a softmax, and `nn.CrossEntropyLoss` follows. The model is sure and right for every image. What is its loss?
#
# ### 14. Softmax twice
#
# `nn.CrossEntropyLoss` applies a softmax itself. If the model has applied one already, the scores that reach the loss lie between 0 and 1, so the right class can be ahead of the others by 1 at most. The loss then has a floor: for ten classes it is ln(1 + 9/e) ≈ 1.46. And the model can hardly get there, because near the floor the first softmax passes on almost no gradient.


# %% tags=["bug", "nbval-check-output"]
def check_loss(end):
    sure_and_right = 50 * torch.eye(10)
    loss = nn.functional.cross_entropy(end(sure_and_right), torch.arange(10))
    assert loss < 0.01, f"a model that is sure and right has a loss of {loss:.2f}"


catch(check_loss, right=nn.Identity(), wrong=nn.Softmax(dim=-1))

# %% [markdown]
# The last three, with the code of their checks folded:
#
# | The bug | What it does | The check |
# |---|---|---|
# | 15. Dropout that `eval()` does not switch off | The function `scaled_dot_product_attention` with `dropout_p=0.1` drops at test time too, unlike the module `nn.Dropout`. timm [had it](https://github.com/huggingface/pytorch-image-models/pull/1978), and the [documentation](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html) warns of it. | Ask twice, and expect the same. |
# | 16. No norm at the end | Pre-norm blocks never normalise the residual stream itself. Without the last LayerNorm, the head reads it raw: far too small before training, and of any size later. | What the head reads has a standard deviation of 1. |
# | 17. `x = attn(norm(x))` for `x = x + attn(norm(x))` | Without the residual connection, a layer cannot leave a token as it is by adding nothing. | Try such a layer. |


# %% tags=["bug", "hide-input"]
class AlwaysDrops(MultiHeadSelfAttention):
    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        out = nn.functional.scaled_dot_product_attention(
            queries, keys, values, dropout_p=self.attn_drop_rate
        )
        return self.proj(out.transpose(1, 2).flatten(2))


def check_repeatable(attention):
    layer, x = attention(24, 3, attn_drop_rate=0.1).eval(), torch.randn(2, 5, 24)
    first, second = layer(x), layer(x)
    change = (first - second).abs().max() / first.abs().max()
    assert change == 0, f"asked twice, the answer changes by up to {percent(change)}"


catch(check_repeatable, right=MultiHeadSelfAttention, wrong=AlwaysDrops)


class NoFinalNorm(VisionTransformer):
    def __init__(self, config):
        super().__init__(config)
        self.norm = nn.Identity()


def check_final_norm(kind):
    model = kind(ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3))
    std = model.forward_features(torch.randn(4, 3, 8, 8))[:, 0].std(dim=-1).mean()
    assert 0.9 < std < 1.1, f"the head reads numbers with a standard deviation of {std:.2f}, not 1"


catch(check_final_norm, right=VisionTransformer, wrong=NoFinalNorm)


def check_residual(block):
    x = torch.randn(2, 16)
    left = (block(x, layer=torch.zeros_like) - x).abs().max()
    assert left == 0, f"a layer that adds nothing changes a token by up to {left:.1f}"


catch(check_residual, right=lambda x, layer: x + layer(x), wrong=lambda x, layer: layer(x))


# %% [markdown] tags=["exercise-only"]
# # Exercises 13 · A museum of silent bugs
#
# They go with notebook [13](../13_silent_bugs.ipynb). If you start here: tokens are (B, T, D), for B images of T tokens with D numbers each, and none of the bugs below raises an error.

# %% tags=["exercise-only"]
import torch
from torch.nn import functional as F

from checks import check
from checks.silent_bugs import MysteryAttention
from vit_minimal import MultiHeadSelfAttention

# %% [markdown] tags=["exercise:normalized"]
# *Find the bug.* A layer norm: the D numbers *of each token* are brought to mean 0 and variance 1, then scaled and shifted by (D,) learned numbers. In the version below a token feels what the others hold, without any attention. See what the last lines print: only token 2 is changed, and token 0 should not notice. Repair it.
#
# Hint: The second argument of `F.layer_norm` is the shape over which it runs, counted from the end.
#
# Hint: It should be the last axis alone.
#
# Solution: `x.shape[1:]` is (T, D): mean and variance of all tokens together. `x.shape[-1:]` is (D,).


# %% tags=["exercise-only", "exercise:normalized"]
def normalized(x, scale, shift):
    """(B, T, D) → (B, T, D): each token normalised, then scaled and shifted."""
    # solution
    # | return F.layer_norm(x, x.shape[1:]) * scale + shift
    return F.layer_norm(x, x.shape[-1:], scale, shift)
    # end of solution


tokens = torch.arange(12.0).reshape(1, 3, 4)
changed = tokens.clone()
changed[0, 2] *= 10
for x in (tokens, changed):
    print(normalized(x, torch.ones(4), torch.zeros(4))[0, 0])

# %% [markdown] tags=["exercise:loss_of"]
# *Find the bug.* The loss of a classifier, from logits (B, K) and labels (B,). Below, a model that is sure and right should have a loss of nearly 0. What is printed? Repair it.
#
# Hint: What does `F.cross_entropy` expect, scores or probabilities?
#
# Hint: It applies the softmax itself.
#
# Solution: A softmax of a softmax cannot come near 1: with ten classes the loss has a floor at ln(1 + 9/e) ≈ 1.46.


# %% tags=["exercise-only", "exercise:loss_of"]
def loss_of(logits, labels):
    """The mean cross-entropy of logits (B, K) and labels (B,)."""
    # solution
    # | return F.cross_entropy(logits.softmax(dim=-1), labels)
    return F.cross_entropy(logits, labels)
    # end of solution


print(loss_of(50 * torch.eye(10), torch.arange(10)))

# %% [markdown] tags=["exercise:heads_it_has"]
# *Measure.* A layer of attention was built with `num_heads=3`, and its attribute `num_heads` says 3. Exhibit 13 of the museum taught you not to believe it. Its weights, `layer.qkv` and `layer.proj`, have the names and the shapes of the course's `MultiHeadSelfAttention`, and with D = 24 they have these shapes for any number of heads. How many heads does it use?
#
# Hint: Which numbers of heads are possible with D = 24? For each of them you could say what the layer should give.
#
# Hint: Build a layer of which you know the number of heads, give it the same weights (`load_state_dict`), and compare what the two give for the same tokens.
#
# Solution: Weights do not tell the number of heads, and neither does a shape. Only what is computed does: with six heads the course's layer gives the same numbers, with any other number it gives others.

# %% tags=["exercise-only", "exercise:heads_it_has"]
layer = MysteryAttention(24, num_heads=3)

# solution
# | heads_it_has = ...
x = torch.randn(2, 5, 24)
for num_heads in (1, 2, 3, 4, 6, 8, 12, 24):
    known = MultiHeadSelfAttention(24, num_heads)
    known.load_state_dict(layer.state_dict())
    if torch.allclose(known(x), layer(x), atol=1e-5):
        heads_it_has = num_heads
# end of solution

# %% [markdown]
# None of these checks looks at the accuracy. There are five ways to write one:
#
# | A check can … | as in exhibits |
# |---|---|
# | mark an input, and see where it comes out | 1 to 4, 8 |
# | compare with a number that is known | 5, 11, 12, 14, 16, 17 |
# | compare with somebody else's code | 6 |
# | do a thing twice, and expect the same | 7, 9, 10, 15 |
# | change a setting, and expect a difference | 13 |
#
# And how long do they take?

# %%
print(
    f"{len(seconds)} checks, each on a right and a wrong piece: {sum(seconds):.1f} seconds in all"
)

# %% [markdown]
# *This is another good place to stop.*
#
# ## What each silent bug costs
#
# Would the accuracy have told? We put fourteen of the bugs into a model, one at a time, and trained it as if nothing had happened. The other three were left out: 4 and 10 stop such a model with an error, and 13 has no effect until somebody asks for another number of heads.
#
# We did this twice: with the recipe of the experiments on CIFAR-10 (notebook 07: four blocks, three passes over 45,000 images, {{len(runs("class_token_place", "class token").accuracies):d}} seeds without a bug and three with each), and with a small model on 2,000 drawn shapes (200 steps, three seeds each). The script is `benchmarks/silent_bugs.py`. **Guess first:** which bugs cost most?
#
# In the figure, the small curves are the losses in training on CIFAR-10, dashed without the bug. At the right is what the bug costs or gives: full marks on CIFAR-10, hollow ones on drawn shapes.

# %% tags=["hide-input"]
BUGS = {  # name on record: how the figure calls it
    "patches by reshape": "1 patches by reshape",
    "heads by view": "2 heads by view",
    "heads without transpose": "3 no transpose on the way back",
    "softmax over the queries": "5 softmax over the queries",
    "scaled by √D": "6 scaled by √D",
    "attention across the batch": "7 attention across the batch",
    "attention across the batch, mean pooling": "7 the same with mean pooling",
    "LayerNorm over all tokens": "8 LayerNorm over all tokens",
    "positions not trained": "9 positions not trained",
    "blocks in a Python list": "11 blocks in a Python list",
    "one block, repeated": "12 one block, repeated",
    "softmax twice": "14 softmax twice",
    "dropout never off": "15 dropout never off",
    "no norm at the end": "16 no norm at the end",
    "no residual connection": "17 no residual connection",
}
BASES = {  # what a model with a bug is compared with, if not with the ordinary one
    "dropout never off": "none, with dropout",
    "attention across the batch, mean pooling": "none, mean pooling",
}
GUESSING = 0.2  # twice what guessing gets: models below it hardly vary, and are not pooled
full = read_records("../data/results/experiments_cifar10_full.json")
for record in read_records("../data/results/silent_bugs_cifar10.json"):
    for run in record["runs"]:
        silent.setdefault("CIFAR-10, full", {}).setdefault(run["bug"], []).append(run)
ordinary = {  # the same runs without a bug, of the experiments of notebooks 07 to 10
    "none": summarize("class_token_place", "full", full)["class token"].accuracies,
    "none, mean pooling": summarize("single_patches", "full", full)["mean of patches"].accuracies,
}
spreads = {  # of the runs of one setting
    "CIFAR-10, full": pooled_spread(full),
    **{
        name: spread_of([[run["accuracy"] for run in of] for of in silent[name].values()], GUESSING)
        for name in ("shapes10", "cifar10")
    },
}


def reached(name, where):
    """The accuracies of the models with a bug."""
    if where == "CIFAR-10, full" and name in ordinary:
        return ordinary[name]
    return [run["accuracy"] for run in silent[where][name]]


def effect_of(name, where, base=None):
    """By how many points a bug's models are ahead of others, and half the 95 % interval of that."""
    base = base or BASES.get(name, "none")
    (one, width), (other, wide) = (
        mean_and_width(reached(of, where), spreads[where]) for of in (name, base)
    )
    return 100 * (one - other), 100 * math.hypot(width, wide)


effects = {
    name: {where: effect_of(name, where) for where in ("CIFAR-10, full", "shapes10")}
    for name in BUGS
}
guess = {name for name in BUGS if max(reached(name, "CIFAR-10, full")) < GUESSING}
rows = sorted(BUGS, key=lambda name: (name not in guess, effects[name]["CIFAR-10, full"][0]))

figure = plt.figure(figsize=(6.6, 0.56 * len(rows) + 1), layout="constrained")
grid = figure.add_gridspec(len(rows), 2, width_ratios=(1, 5), hspace=0)
plain = torch.tensor([run["train_loss"] for run in silent["CIFAR-10, full"]["none"]]).mean(dim=0)
panel = figure.add_subplot(grid[:, 1])
said = []
for row, name in enumerate(rows):
    curve = figure.add_subplot(grid[row, 0])
    found = [run["train_loss"] for run in silent["CIFAR-10, full"][name]]
    curve.plot(plain, "--", color="gray", lw=1.5)
    curve.plot(torch.tensor(found).mean(dim=0), color=plots.OKABE_ITO[1], lw=2)
    curve.set(ylim=(0.6, 2.5), xticks=[], yticks=[])
    curve.spines[["top", "right"]].set_visible(False)
    (here, width), (drawn, wide) = effects[name].values()
    words = f"{here:+.1f} ± {width:.1f}".replace("-", "\N{MINUS SIGN}")
    if name in guess:
        words = "only guesses"
    else:
        panel.errorbar(here, row + 0.1, xerr=width, fmt="o", capsize=3, color="black")
    if max(reached(name, "shapes10")) < GUESSING:
        place = {"transform": panel.get_yaxis_transform(), "ha": "right", "color": "gray"}
        panel.text(1, row + 0.25, "guesses on drawn shapes", fontsize=9, va="center", **place)
    else:
        panel.errorbar(
            drawn, row + 0.3, xerr=wide, fmt="D", mfc="white", ms=4, capsize=2, color="gray"
        )
    place = {"transform": panel.get_yaxis_transform(), "va": "center", "zorder": 3}
    panel.text(0, row - 0.25, BUGS[name], weight="bold", **place)
    panel.text(1, row - 0.25, words, ha="right", **place)
    said.append(f"{BUGS[name]}: {words} on CIFAR-10, {drawn:+.1f} ± {wide:.1f} on drawn shapes")
panel.errorbar([], [], xerr=[], fmt="o", capsize=3, color="black", label="CIFAR-10")
panel.errorbar([], [], xerr=[], fmt="D", mfc="white", ms=4, color="gray", label="drawn shapes")
panel.axvline(0, color="gray", lw=1, zorder=0)
panel.set(ylim=(len(rows) - 0.5, -0.5), yticks=[], xlabel="difference in accuracy, in points")
panel.spines[["left", "top", "right"]].set_visible(False)
figure.legend(loc="outside upper center", ncols=2, frameon=False)
plots.show("a row for each bug: its losses, and by how many points it is ahead", "", said)

# %% [markdown]
# | on CIFAR-10 | bugs |
# |---|---|
# | **ruin the model** | 7 with a class token: it guesses. 11: it gets {{mean(bug_runs("blocks in a Python list")):.0%}} of the images right. 17: {{mean(bug_runs("no residual connection")):.0%}} |
# | **cost {{min(cost_of_bug(name).mean for name in ("softmax twice", "patches by reshape", "positions not trained", "attention across the batch, mean pooling", "one block, repeated")):.0p}} to {{max(cost_of_bug(name).mean for name in ("softmax twice", "patches by reshape", "positions not trained", "attention across the batch, mean pooling", "one block, repeated")):.0p}} points** | 14, 1, 9, 7 with mean pooling, 12 |
# | **cost nothing that we see** | 2, 3, 5, 8, 15, 16: no effect seen. 6: ahead by {{bug_on_cifar10("scaled by √D"):±.1p}}, a hint at most among so many comparisons |
# {{assert max(bug_runs("attention across the batch")) < 0.11}}
# {{assert all(differs(bug_on_cifar10(name)) and bug_on_cifar10(name).mean < 0 for name in ("softmax twice", "patches by reshape", "positions not trained", "attention across the batch, mean pooling", "one block, repeated"))}}
# {{assert not any(differs(bug_on_cifar10(name)) for name in ("heads by view", "heads without transpose", "softmax over the queries", "LayerNorm over all tokens", "dropout never off", "no norm at the end"))}}
# {{assert differs(bug_on_cifar10("scaled by √D")) and bug_on_cifar10("scaled by √D").mean > 0}}
#
# **You would notice the first group,** if you know what to expect. **You would hardly notice the second.** If you met such a model, you might think that it is too small, or trained too briefly. Nothing in its curve is strange, but for 14, whose loss has a floor. **And nobody would notice the third.** All four bugs inside an image's own attention are in it: 2, 3, 5 and 6.
#
# **The drawn shapes tell another story.** There LayerNorm over all tokens (8) costs {{-bug_effect("LayerNorm over all tokens").mean:.0p}} points, and here no effect is seen. Without residual connections (17) no effect is seen there, in a model of two blocks, and here they cost {{cost_of_bug("no residual connection").mean:.0p}} points. Patches by reshape (1), model A of the puzzle, is *ahead* there by {{bug_effect("patches by reshape").mean:.0p}} points; the second visit looks for the reason. So what a bug costs in one model and on one task says little about another.
# {{assert differs(bug_effect("LayerNorm over all tokens")) and not differs(bug_effect("no residual connection")) and differs(bug_effect("patches by reshape")) and bug_effect("patches by reshape").mean > 0}}
#
# ### Why repair a bug that costs nothing?
#
# A model that is trained with a bug learns to live with it. Heads by view (2), for example, is another model, in which a head gets stretches of tokens, and it seems to be just as good. But it is not the model whose weights you download, nor the one that others will write when they load yours. So we put the bugs into the model that comes with this course *after* it was trained without them:
#
# | bug | trained with it: difference in points | right, if put into a trained model | its mean confidence |
# |---|---|---|---|
# | none | | {{loaded_bug("none").accuracy:.1%}} | {{loaded_bug("none").sure:.0%}} |
# | 2 heads by view | {{bug_on_cifar10("heads by view"):+±.1p}} | **{{loaded_bug("heads by view").accuracy:.1%}}** | {{loaded_bug("heads by view").sure:.0%}} |
# | 3 no transpose on the way back | {{bug_on_cifar10("heads without transpose"):+±.1p}} | **{{loaded_bug("heads without transpose").accuracy:.1%}}** | {{loaded_bug("heads without transpose").sure:.0%}} |
# | 5 softmax over the queries | {{bug_on_cifar10("softmax over the queries"):+±.1p}} | **{{loaded_bug("softmax over the queries").accuracy:.1%}}** | {{loaded_bug("softmax over the queries").sure:.0%}} |
# | 6 scaled by √D | {{bug_on_cifar10("scaled by √D"):+±.1p}} | **{{loaded_bug("scaled by √D").accuracy:.1%}}** | {{loaded_bug("scaled by √D").sure:.0%}} |
# | 15 dropout never off | {{bug_on_cifar10("dropout never off"):+±.1p}} | {{loaded_bug("dropout never off").accuracy:.1%}} | {{loaded_bug("dropout never off").sure:.0%}} |
# | 16 no norm at the end | {{bug_on_cifar10("no norm at the end"):+±.1p}} | {{loaded_bug("no norm at the end").accuracy:.1%}} | **{{loaded_bug("no norm at the end").sure:.0%}}** |
# | 1 patches by reshape | {{bug_on_cifar10("patches by reshape"):+±.1p}} | {{loaded_bug("patches by reshape").accuracy:.1%}} | {{loaded_bug("patches by reshape").sure:.0%}} |
# | 14 softmax twice | {{bug_on_cifar10("softmax twice"):+±.1p}} | {{loaded_bug("softmax twice").accuracy:.1%}} | **{{loaded_bug("softmax twice").sure:.0%}}** |
# | 17 no residual connection | {{bug_on_cifar10("no residual connection"):+±.1p}} | {{loaded_bug("no residual connection").accuracy:.1%}} | {{loaded_bug("no residual connection").sure:.0%}} |
#
# The *confidence* is the share that the model gives to its answer. Here are the surprises:
#
# - **Free in training, and a disaster afterwards:** 2 and 3 leave little more than guessing of a trained model. This is what you meet when pretrained weights "do not work". 5 and 6 take {{loaded_bug("none").accuracy - loaded_bug("softmax over the queries").accuracy:.0p}} and {{loaded_bug("none").accuracy - loaded_bug("scaled by √D").accuracy:.0p}} points from it: such a model seems to work, only not as well as its authors say.
# - **Expensive in training, and invisible afterwards:** a second softmax (14) keeps the order of the classes, so the accuracy does not change in the least. Only the confidence falls, to {{loaded_bug("softmax twice").sure:.0%}}: ten shares between 0 and 1 make nearly equal shares once more.
# - **Invisible in both:** without the last norm (16) this model has as many images right as before. But it is far too sure of itself: {{loaded_bug("no norm at the end").sure:.0%}} on average, where {{loaded_bug("no norm at the end").accuracy:.0%}} are right.
# {{assert all(loaded_bug(name).accuracy < 0.2 for name in ("heads by view", "heads without transpose", "patches by reshape", "no residual connection")) and loaded_bug("softmax twice").accuracy == loaded_bug("none").accuracy}}
# {{assert abs(loaded_bug("no norm at the end").accuracy - loaded_bug("none").accuracy) < 0.001 and loaded_bug("no norm at the end").sure > loaded_bug("no norm at the end").accuracy + 0.05}}
#
# (One trained model, on the {{record("silent_bugs_loaded").judged_on:s}} images of CIFAR-10; the left column is of smaller models, trained for three passes.)
#
# Each check finds its bug before any training. The accuracy misses half of them.
#
# ## A check for your own model
#
# Some checks need only the model and a few images, so they can be put into one function:


# %% tags=["own-model"]
def suspicions(model, images):
    """What is wrong with a classifier, as far as a few images (B, C, H, W) can tell."""
    try:
        model, found = copy.deepcopy(model).eval(), []
    except RuntimeError:  # PyTorch copies no tensor that was computed from a parameter
        return ["it holds a tensor that was made from a parameter and is none (9)"]
    try:
        logits, alone = model(images), model(images[:1])
    except RuntimeError as error:
        return [f"it does not answer for {len(images)} images and for one (10?): {error}"]
    if (len(logits), len(alone)) != (len(images), 1):
        return ["not one answer for each image (4)"]
    size = logits.abs().max()
    # Two ways to one number may round differently; a GPU's TF32 has steps of 2**-10
    rounding = 8 * max(torch.finfo(logits.dtype).eps, 2**-10) * size
    apart = (alone - logits[:1]).abs().max() > rounding
    if (model(images) != logits).any():
        found.append("asked twice, it answers differently (15)")
    elif apart:  # where no two answers agree, this one says nothing
        found.append("an answer depends on the other images (7, with mean pooling)")
    if (logits - logits[:1]).abs().max() <= 1e-6 * size:
        found.append("all images get the same answer (7, with a class token)")
    if logits.min() >= 0 and (logits.sum(dim=-1) - 1).abs().max() < 0.01:
        found.append("it ends in a softmax (14)")
    logits.square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None]
    if idle:
        found.append(f"no gradient reaches {', '.join(idle)}: frozen, or not used")
    return found or ["nothing found"]


# %% [markdown]
# The numbers in brackets are those of the exhibits. Here the function looks at a right model and at three that have a bug (`AlwaysDrops` stands in the folded cell of room 4):


# %% tags=["nbval-check-output"]
class AcrossTheBatch(MultiHeadSelfAttention):
    def forward(self, x):  # (B, T, D), taken for (T, B, D)
        return super().forward(x.transpose(0, 1)).transpose(0, 1)


SMALL = ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3)
seed_everything(0)
images = torch.randn(4, 3, 8, 8)
models = {name: VisionTransformer(SMALL) for name in ("right", "across", "drops", "softmax")}
for block in models["across"].blocks:
    block.attn = AcrossTheBatch(24, 3)
for block in models["drops"].blocks:
    block.attn = AlwaysDrops(24, 3, attn_drop_rate=0.1)
models["softmax"] = nn.Sequential(models["softmax"], nn.Softmax(dim=-1))
for name, model in models.items():
    print(f"{name:8} {'; '.join(suspicions(model, images))}")

# %% [markdown]
# If your head starts at zero, all images get the same answer before the first step; then look at the features in front of the head. The function cannot find everything:
#
# - **1 to 3, 5, 6, 8, 16 and 17** compute something wrong, but for each image alone and the same every time. Each has its own check above. The surest for all is a right answer: copy your weights into somebody else's model and compare the outputs, as notebook 04 does.
# - **11 and 12** hide parameters, or have too few. Count them, and save and load the model once.
# - **13** shows when the setting changes.
#
# ## Recap, and what to do in your own model
#
# - **Do not wait for the accuracy to tell you.** Of fourteen silent bugs in a small model, seven cost nothing that we see on CIFAR-10, and on drawn shapes one raised the accuracy.
# - **A bug that costs nothing is still a bug.** Two of these seven leave little more than guessing of a trained model, if the weights come from a right one.
# - **A check needs no training:** mark, compare, repeat, or change. Write one for each reshape, with sizes that all differ: several images, several heads, T ≠ B. Put `suspicions` in front of your first training.
#
# ## Questions
#
# <details><summary>Which of the bugs would a test on a batch of one image miss?</summary>
#
# Exhibit 7, because its check compares an image in company with the same image alone. And 10, if the model was built for a batch of one.
# </details>
#
# <details><summary>You load pretrained weights into your own model. Every name and every shape fits, and it has {{loaded_bug("heads by view").accuracy:.0%}} of the images right. Where do you look first?</summary>
#
# At whatever has no parameters and so cannot fail to load: how patches are cut, how heads are split and put together, over which axis the softmax runs, by what the scores are divided, which token is read. Compare with the other implementation, block by block, on one image: the first block whose output differs has the bug.
# </details>
#
# **Try it yourself:** [exercises 13](exercises/13_silent_bugs.ipynb), with checks that say what is wrong.
#
# **Next:** the [capstone](exercises/15_capstone.ipynb), in which you write a Vision Transformer from an empty cell. ([Notebook 14](14_more_claims.ipynb) is a reference, with more claims to look up.)
#
# **Farewell:** this is the last notebook of the course to read from top to bottom. You began with the pixels of one image. Now you can build a Vision Transformer, train it, look inside, doubt a claim, make a model that somebody else trained do something for you, and find the bugs in your own. Take your own pictures, and have fun.
#
# ---
#
# ## For a second visit
#
# **Skip this on a first reading.**
#
# ### How the ± is made
#
# On CIFAR-10 the ± comes from the pooled spread of all settings of notebooks 07 to 10, whose recipe and images these runs share. On the drawn shapes it is the spread of one run about the mean of its setting, pooled over all models of this benchmark. Models that guess hardly vary, so they are left out and keep the interval of their own seeds.
#
# ### Why does one bug help?
#
# We did not expect that patches by reshape would be ahead, so we looked for a control: strips of two whole rows with all their colours, which are no bug. Like the wrong patches they span the whole width of the image; unlike them, they keep the three colours of a place together.

# %% tags=["hide-input"]
show_effects(
    {
        f"{label}, {where}": (
            f"from {100 * sum(reached('none', of)) / 3:.0f} %",
            *effect_of(name, of),
        )
        for of, where in (("shapes10", "drawn shapes"), ("cifar10", "photographs"))
        for name, label in (("patches by reshape", "bug 1"), ("strips of two rows", "strips"))
    },
    "difference in accuracy, in points",
    "Bug 1 and a control, against square patches",
)

# %% [markdown]
# On the drawn shapes the strips help too, by {{bug_effect("strips of two rows"):±.1p}} points, and the bug is ahead of them by {{bug_effect("patches by reshape", "strips of two rows"):±.1p}}, which may be nothing. So a window that spans the whole width is a likely reason for most of the lead. But strips differ from squares in their height as well, and we have tried no other windows. On photographs, 2,000 images of CIFAR-10 and the same small model, the bug costs points, and the strips show no effect. (The ± on photographs is {{bug_effect("patches by reshape", dataset="cifar10").width:.1p}} here, but {{gain(runs("pooling", "mean of patches")).width:.1p}} for CIFAR-10 above. These are smaller models: their seeds vary more, and their pool holds only three settings.)
# {{assert differs(bug_effect("patches by reshape", dataset="cifar10")) and bug_effect("patches by reshape", dataset="cifar10").mean < 0 and not differs(bug_effect("strips of two rows", dataset="cifar10"))}}
# {{assert all(differs(bug_effect(name)) and bug_effect(name).mean > 0 for name in ("patches by reshape", "strips of two rows")) and not differs(bug_effect("patches by reshape", "strips of two rows"))}}
