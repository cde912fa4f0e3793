# %% [markdown]
# # 13 · A museum of silent bugs
#
# **After this notebook you can** recognise seventeen{{assert numbered_sections("13_silent_bugs") == 17}} silent bugs, say what they cost if nobody finds them, and track one down in a model of your own without training it.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 04; what is said about costs uses the ± of 09 |
# | Time to read | about 35 minutes, 20 of them for part one, 5 for part two and 10 for part three; 3 more for a second visit |
# | Time to run | at the quick budget {{notebook_seconds("13_silent_bugs"):about}} on two cores of a recent server CPU |
# | Package modules | those of the model, from `patches.py` to `vision_transformer.py`, broken on purpose |
#
# A silent bug raises no error, at least at the sizes that you happen to use. The loss falls, and the accuracy looks plausible. How would you notice?

# %%
import math
import time
from dataclasses import replace

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
from vit_minimal.experiments import key, mean_and_width, plan, pooled_spread, spread_of
from vit_minimal.forest import EFFECT_STYLES, show_effects
from vit_minimal.records import read_records
from vit_minimal.vision_transformer import EncoderBlock

# %% [markdown]
# ## Which of these models is right?
#
# Here are three models of the same size, trained on the same drawn shapes: their losses, and their accuracies on new images. In two of them a bug sends numbers to the wrong places. Which one is right?

# %% tags=["hide-input"]
silent = {}  # data set: bug: its runs, one for each seed
for record in read_records("../data/results/silent_bugs.json"):
    for run in record["runs"]:
        silent.setdefault(record["dataset"], {}).setdefault(run["bug"], []).append(run)


puzzle = {"A": "patches by reshape", "B": "none", "C": "heads by view"}
_, axis = plt.subplots(figsize=(5, 3), layout="constrained")
said = []
for (letter, name), marker, stroke in zip(puzzle.items(), "osd", ("-", "--", ":"), strict=True):
    of = silent["shapes10"][name]
    values = torch.tensor([run["train_loss"] for run in of]).mean(dim=0)
    label = f"{letter}: {sum(run['accuracy'] for run in of) / len(of):.0%} right".replace("%", " %")
    axis.plot(range(1, 6), values, stroke, marker=marker, color="#444444", label=label)
    said.append(f"{label}, loss from {values[0]:.2f} to {values[-1]:.2f}")
axis.set(xlabel="pass", ylabel="loss in training", xticks=range(1, 6))
axis.grid(alpha=0.3)
axis.legend()
plots.show("the losses of three models over five passes", "Which one is right?", said)


# %% [markdown]
# <details><summary>The answer</summary>
#
# B is right. In C every attention head gets numbers of the wrong tokens, and the model looks as good as B. In A the patches are cut wrongly, and the model looks best of all.{{assert
# round(100 * mean(silent_bug("heads by view"))) == round(100 * mean(silent_bug("none")))}}{{assert
# mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "patches by reshape"])
# < 0.6 * mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "none"])}}{{assert
# abs(mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "heads by view"])
# - mean([run.train_loss[-1] for of in records("silent_bugs") for run in of.runs if of.dataset == "shapes10" and run.bug == "none"])) < 0.05}}
# </details>
#
# ## Why look for a bug that costs nothing?
#
# Neither bug of the puzzle costs anything there, because a model that is *trained* with such a bug can learn to live with it. But weights that you download were trained without it.
#
# So we took a larger model that comes with this course, which was trained without any bug, and put the two bugs into its code *afterwards*. All its weights still load without an error, but see its accuracy. (Guessing is right for 10 %.)
#
# | bug | trained with it, drawn shapes | put in afterwards, CIFAR-10 |
# |---|---|---|
# | none (model B) | {{mean(silent_bug("none")):.0%}} | **{{loaded_bug("none").accuracy:.1%}}** |
# | heads by view (model C) | {{mean(silent_bug("heads by view")):.0%}} | **{{loaded_bug("heads by view").accuracy:.1%}}** |
# | patches by reshape (model A) | {{mean(silent_bug("patches by reshape")):.0%}} | **{{loaded_bug("patches by reshape").accuracy:.1%}}** |
#
# So the loss and the accuracy may look fine, and the bug does its harm later. But you can **check** for it without any training. Part one shows seventeen bugs and their checks, part two compares what they cost, and part three has tools for your own model.
#
# ## Part one: the museum
#
# All bugs of the museum are in the model. Those in the data or in the training loop, such as a forgotten `zero_grad`, are not shown. Each linked repository had the bug once: such bugs happen to experts, too.
#
# An exhibit begins with what two experiments on CIFAR-10 gave:
#
# | label | what we did | right model |
# |---|---|---|
# | *Trained* | A small model of four blocks was trained with the bug: three passes over 45,000 images, three seeds. | {{mean(runs("class_token_place", "class token").accuracies):.0%}} |
# | *Afterwards* | The bug was put into the larger model, which had been trained without it: accuracy on {{record("silent_bugs_loaded").judged_on:s}} images. | {{loaded_bug("none").accuracy:.1%}} |
#
# "No cost seen" means that the difference may be chance. The intervals leave room for a cost of {{max(cost_of_bug(name).mean + cost_of_bug(name).width for name in ("heads by view", "heads without transpose", "softmax over the queries", "LayerNorm over all tokens", "dropout never off", "no norm at the end")):.1p}} points at most.
#
# Each bug has a **check** of a few lines. The function `catch` runs it twice: on the right code, which must pass, and on the wrong code, whose symptom it prints. Folded cells draw the pictures, where orange-red shows what is wrong. Three other folded cells hold the checks of six exhibits, and the text before them says so.


# %% tags=["bug-tools"]
SMALL = ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3)  # a model for quick checks
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
# Here numbers land in the wrong place, and nothing complains.
#
# *Guess first:* an image of 3 × 8 × 12 numbers is cut into six patches of side 4 with nothing but a `reshape`. We mark the 48 numbers of its upper right corner, which should be patch 2. How many of the marks does each patch get?
#
# ### 1. Patches by reshape
#
# *Trained: {{cost_of_bug("patches by reshape").mean:.0p}} of {{mean(runs("class_token_place", "class token").accuracies):.0p}} points lost. Afterwards: {{loaded_bug("patches by reshape").accuracy:.0%}}.*
#
# (C, H, W) has as many numbers as (N, C·P·P), so a `reshape` alone runs. But it cuts the image into stretches of rows, and not into squares. On the drawn shapes of the puzzle this bug wins. On photographs it loses.


# %% tags=["bug", "nbval-check-output"]
def patches_by_reshape(images, P):
    B, C, H, W = images.shape
    return images.reshape(B, (H // P) * (W // P), C * P * P)


def check_patches(cut):
    image = torch.zeros(1, 3, 8, 12)  # B, C, H, W; P = 4 makes N = 6: no two sizes are equal
    image[0, :, :4, 8:] = marks = torch.arange(1.0, 49).view(3, 4, 4)
    patches = cut(image, 4)[0]
    counts = (patches > 0).sum(dim=1).tolist()
    assert counts == [0, 0, 48, 0, 0, 0], f"marked numbers in each patch: {counts}"
    assert torch.equal(patches[2], marks.flatten()), "the order inside a patch is wrong"


catch(check_patches, right=patchify, wrong=patches_by_reshape)


# %% [markdown]
# The corner is spread over three patches, a third to each. Here is a smaller image, of 8 × 8, with four patches:


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
# ### 2. Heads by view
#
# *Trained: no cost seen. Afterwards: {{loaded_bug("heads by view").accuracy:.0%}}.*
#
# Heads allow the same mistake. (B, T, D) → (B, h, T, d) needs a transpose in between, because each head should get d numbers *of every token*. With `view` alone, head 0 gets one stretch of T · d numbers. For T = 5, D = 12 and h = 3, that is all of token 0 and 8 of the 12 numbers of token 1. [FuxiCTR](https://github.com/reczoo/FuxiCTR/issues/30) had this bug.


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
# ### 3. No transpose back
#
# *Trained: no cost seen. Afterwards: {{loaded_bug("heads without transpose").accuracy:.0%}}.*
#
# On the way back, (B, h, T, d) must become (B, T, h, d) before it is flattened. Otherwise the numbers of one token end up in several tokens. A [transformer from scratch](https://github.com/jsbaan/transformer-from-scratch/pull/6) had this bug, and passed its author's test: it learned a small task all the same.
#
# The check marks token 0 and looks for the mark after the merge. Both merges and the check are folded, because exercise 3.5 has this bug too.


# %% tags=["bug", "hide-input", "nbval-check-output"]
def merge_by_transpose(heads):
    return heads.transpose(1, 2).flatten(2)


def no_transpose_back(heads):
    B, h, T, d = heads.shape
    return heads.reshape(B, T, h * d)


def check_merge(merge):
    heads = torch.zeros(1, 3, 5, 4)  # (B, h, T, d)
    heads[0, :, 0] = 1  # only token 0 holds something
    tokens = merge(heads)[0].abs().sum(dim=-1).nonzero().flatten().tolist()
    assert tokens == [0], f"what token 0 held is found in tokens {tokens}"


catch(check_merge, right=merge_by_transpose, wrong=no_transpose_back)


# %% [markdown]
# ## Room 2: mixing the wrong things
#
# Here each number is in its place. But attention, or a norm, mixes it with the wrong ones, or in the wrong shares.
#
# ### 4. Softmax over the queries
#
# *Trained: no cost seen. Afterwards: {{loaded_bug("softmax over the queries").accuracy:.0%}}.*
#
# The scores are (B, h, T, T): queries, then keys. `softmax(dim=-2)` runs over the queries, so the *columns* sum to 1. (`dim=2` is the same axis. It was right for (B, T, T), before the heads came in.) One token then reads less than 100 % in all, another more. A widely read [implementation](https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/146) had this bug, and whoever reported it saw no difference in the results.


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
    title="Exhibit 4: how much each token (row) reads from each token (column)",
)


# %% [markdown]
# ### 5. Scaled by √D
#
# *Trained: no cost seen. Afterwards: {{loaded_bug("scaled by √D").accuracy:.0%}}.*
#
# The variance of the scores grows with d = D / h, the size of a head (notebook 03), so they should be divided by √d. If they are divided by √D, attention starts too even. [vit-pytorch](https://github.com/lucidrains/vit-pytorch/issues/65) had this bug, and so had [Karpathy's lecture](https://github.com/karpathy/ng-video-lecture/pull/6). The check compares with PyTorch's own attention.


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
# With bug 4 or 5 put in afterwards, a model seems to work, only not as well as its authors say. That may be harder to suspect than guessing.{{assert
# all(loaded_bug(name).accuracy < 0.2 for name in ("heads by view", "heads without transpose", "attention across the batch")) and
# all(loaded_bug(name).accuracy > 0.7 for name in ("scaled by √D", "softmax over the queries"))}}
#
# ### 6. Across the batch
#
# *Trained: guesses with a class token, {{cost_of_bug("attention across the batch, mean pooling").mean:.0p}} points lost with mean pooling. Afterwards: {{loaded_bug("attention across the batch").accuracy:.0%}}.*
#
# PyTorch's `nn.MultiheadAttention` expects (T, B, D) unless it is told `batch_first=True`. If it gets (B, T, D), each token attends to the tokens in the same place of *all images*, and to no other token of its own image. [TabFormer](https://github.com/IBM/TabFormer/pull/14) had this bug.
#
# *Guess first:* what does such a model answer for different images, if it reads a class token?


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
    wrong=lambda: nn.MultiheadAttention(12, 3),  # expects (T, B, D), but gets (B, T, D)
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
    title="Exhibit 6: what token 2 of image 0 attends to",
)


# %% [markdown]
# A ViT with a class token then gives every image the same answer: all class tokens start equal, and they attend only to each other. With mean pooling the model learns, but each answer depends on the rest of the batch.
#
# ### 7. Norm over tokens
#
# *Trained: no cost seen. Afterwards: does not load (the shapes differ).*
#
# `nn.LayerNorm((T, D))` normalises all tokens of an image together. If one token changes, all change, without any attention.


# %% tags=["bug"]
def check_norm(norm):
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[0, 0] *= 10  # the first token only
    change = (norm(changed) - norm(x))[0, 1:].abs().max()
    assert change < 1e-6, f"token 0 was changed, and others changed by up to {change:.2f}"


catch(check_norm, right=nn.LayerNorm(8), wrong=nn.LayerNorm((5, 8)))


# %% [markdown]
# *This is a good place to stop.*
#
# ## Room 3: parameters that nobody trains, or that do not exist
#
# ### 8. Moved parameter
#
# *Trained: {{cost_of_bug("positions not trained").mean:.0p}} points lost, if it is the positions. Afterwards: does not load (their name is not found).*
#
# `nn.Parameter(…).to("cuda")` gives a plain tensor, a *copy* of the parameter. The model computes with this copy, which is neither trained nor saved, so a loaded model has other random numbers there. On a laptop `.to("cpu")` copies nothing, and every test passes. Our check needs no GPU, because `.to(torch.float64)` makes a copy as well.


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
# ### 9. Blocks in a list
#
# *Trained: {{cost_of_bug("blocks in a Python list").mean:.0p}} points lost. Afterwards: does not load (the blocks' names are not found).*
#
# A Python list is not a module, so the optimizer does not find its blocks, and nobody saves them. Only what comes before and after them learns. This is silent on a CPU. On a GPU `model.to("cuda")` leaves the blocks behind, and the first forward pass stops with an error.
#
# ### 10. One block, repeated
#
# *Trained: {{cost_of_bug("one block, repeated").mean:.0p}} points lost. Afterwards: {{loaded_bug("one block, repeated").accuracy:.0%}}.*
#
# `[block] * L` has L entries, but all of them are the same block. The `state_dict` still has the names of all L blocks, so a right model's weights load with the message `<All keys matched successfully>`. PyTorch writes them all into the one block, and those of the last block are left.
#
# *Guess first:* a `nn.Linear(8, 8)` has 72 parameters. How many has `nn.Sequential(*[nn.Linear(8, 8)] * 6)`? One check counts the parameters, and so finds 9 and 10.


# %% tags=["bug", "nbval-check-output"]
def model_of(blocks):
    model = nn.Module()
    model.blocks = blocks
    return model


def check_count(blocks):
    count = sum(p.numel() for p in model_of(blocks).parameters())
    assert count == 6 * 72, f"six blocks of 72 parameters have {count} in all"


six = [nn.Linear(8, 8) for _ in range(6)]
catch(check_count, right=nn.ModuleList(six), wrong=six)
catch(check_count, right=nn.ModuleList(six), wrong=nn.ModuleList([nn.Linear(8, 8)] * 6))


# %% tags=["hide-input"]
diagrams.weights_of_blocks(
    {
        "right": (range(6), "432 parameters"),
        "9. in a list": ([None] * 6, "0 parameters"),
        "10. repeated": ([0] * 6, "72 parameters"),
    },
    title="Exhibits 9 and 10: which weights do the six blocks have?",
)


# %% [markdown]
# ## Room 4: the answer, the sum and the norm
#
# *Guess first:* a classifier of ten classes ends in a softmax, and `nn.CrossEntropyLoss` follows. The model is sure and right for every image. What is its loss?
#
# ### 11. Softmax twice
#
# *Trained: {{cost_of_bug("softmax twice").mean:.0p}} points lost. Afterwards: {{loaded_bug("softmax twice").accuracy:.0%}}, as without it.*
#
# `nn.CrossEntropyLoss` applies a softmax itself. If the model has applied one already, the scores that reach the loss lie between 0 and 1, so the right class can be ahead by 1 at most. For ten classes the loss then has a floor of ln(1 + 9/e) ≈ 1.46. The model hardly gets there, because near the floor its own softmax passes on almost no gradient.


# %% tags=["bug", "nbval-check-output"]
def check_loss(end):
    sure_and_right = 50 * torch.eye(10)
    loss = nn.functional.cross_entropy(end(sure_and_right), torch.arange(10))
    assert loss < 0.01, f"a model that is sure and right has a loss of {loss:.2f}"


catch(check_loss, right=nn.Identity(), wrong=nn.Softmax(dim=-1))


# %% tags=["hide-input"]
sure_and_right = 50 * torch.eye(10)[3]
diagrams.shares(
    sure_and_right.softmax(dim=0),
    sure_and_right.softmax(dim=0).softmax(dim=0),
    answer=3,
    columns="the shares of the ten classes",
    title="Exhibit 11: what the loss makes of a model that is sure and right",
)


# %% [markdown]
# ### 12. No residual
#
# *Trained: {{cost_of_bug("no residual connection").mean:.0p}} points lost. Afterwards: {{loaded_bug("no residual connection").accuracy:.0%}}.*
#
# With `x = layer(x)` instead of `x = x + layer(x)`, the output of a layer replaces the token. The check sets the last weights of both branches of a block to zero. Such a block should return its input.


# %% tags=["bug"]
class NoResidual(EncoderBlock):
    def forward(self, x):
        return self.mlp(self.norm2(self.attn(self.norm1(x))))


def check_residual(kind):
    block, x = kind(SMALL), torch.randn(2, 5, 24)
    for last in (block.attn.proj, block.mlp.fc2):  # the ends of its two branches
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    change = (block(x) - x).abs().max()
    assert change == 0, f"a block that adds nothing changes a token by up to {change:.1f}"


catch(check_residual, right=EncoderBlock, wrong=NoResidual)


# %% [markdown]
# Two smaller exhibits complete the room. The folded cell holds both bugs and both checks.
#
# | bug | trained | afterwards | what happens | how the check finds it |
# |---|---|---|---|---|
# | 13. Dropout never off | no cost seen | {{loaded_bug("dropout never off").accuracy:.0%}} | The module `nn.Dropout` stops when you call `eval()`. The function `scaled_dot_product_attention` with `dropout_p=0.1` does not, as its [documentation](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html) warns. [timm](https://github.com/huggingface/pytorch-image-models/pull/1978) had this bug. | It asks twice, and expects the same answer. |
# | 14. No last norm | no cost seen | {{loaded_bug("no norm at the end").accuracy:.0%}} | Pre-norm blocks never normalise the residual stream itself. Without the last LayerNorm the head reads it raw. | It expects a standard deviation of 1, which every LayerNorm gives before training, and finds far less. |


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


class NoLastNorm(VisionTransformer):
    def __init__(self, config):
        super().__init__(config)
        self.norm = nn.Identity()


def check_last_norm(kind):
    model = kind(SMALL)
    std = model.forward_features(torch.randn(4, 3, 8, 8))[:, 0].std(dim=-1).mean()
    assert 0.9 < std < 1.1, f"the head reads numbers with a standard deviation of {std:.2f}, not 1"


catch(check_repeatable, right=MultiHeadSelfAttention, wrong=AlwaysDrops)
catch(check_last_norm, right=VisionTransformer, wrong=NoLastNorm)


# %% [markdown]
# ## A corner for bugs that wait for another size or setting
#
# In our two experiments these three bugs stop with an error or change nothing, so they have no numbers. The folded cell holds all three with their checks.
#
# | bug | when it is silent | what happens | how the check finds it |
# |---|---|---|---|
# | 15. `x[0]` for `x[:, 0]` | a batch has as many images as an image has tokens | In (B, T, D), `x[:, 0]` is the first token of each image. `x[0]` is right only for (T, B, D), the default of PyTorch's attention. Here it gives all tokens of image 0. | It changes image 1. Only the answer for image 1 may change. |
# | 16. Class token for each place | all batches have one size | `torch.randn(batch_size, 1, D)` makes a class token for each *place in the batch*, and each learns its own. | All class tokens of a batch must be equal. |
# | 17. Ignored argument | nobody changes it | A constructor takes `num_heads`, but further down the code says 8. | It changes the number of heads, keeps the weights, and expects another answer. |


# %% tags=["bug", "hide-input", "nbval-check-output"]
def check_read(read):
    tokens = torch.arange(4.0 * 5 * 8).view(4, 5, 8)  # (B, T, D)
    changed = tokens.clone()
    changed[1] += 1  # only the second image is another one
    answers = (read(changed) - read(tokens)).abs().sum(dim=-1).nonzero().flatten().tolist()
    assert answers == [1], f"image 1 was changed; the answers that changed: {answers or 'none'}"


def check_class_token(make):
    tokens = make(4, 8).expand(4, 1, 8)  # the class tokens of four images, D = 8
    differ = (tokens - tokens[0]).abs().max()
    assert differ == 0, f"the class tokens of one batch differ by up to {differ:.1f}"


def check_argument(make):
    one, two = make(16, num_heads=1), make(16, num_heads=2)
    two.load_state_dict(one.state_dict())
    x = torch.randn(1, 5, 16)
    assert not torch.equal(one(x), two(x)), "1 head and 2 heads give exactly the same answer"


catch(check_read, right=lambda tokens: tokens[:, 0], wrong=lambda tokens: tokens[0])
catch(
    check_class_token,
    right=lambda batch_size, D: nn.Parameter(torch.randn(1, 1, D)),
    wrong=lambda batch_size, D: nn.Parameter(torch.randn(batch_size, 1, D)),
)
catch(
    check_argument,
    right=MultiHeadSelfAttention,
    wrong=lambda D, num_heads: MultiHeadSelfAttention(D, 8),
)

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
# *Find the bug.* A layer norm: the D numbers *of each token* are brought to mean 0 and variance 1, then scaled and shifted by (D,) learned numbers. In the version below a token changes when another one does, without any attention. See what the last lines print: only token 2 is changed, and token 0 should stay as it is. Repair it.
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
# *Measure.* A layer of attention was built with `num_heads=3`, and its attribute `num_heads` says 3. Exhibit 17 of the museum taught you not to believe it. Its weights, `layer.qkv` and `layer.proj`, have the names and the shapes of the course's `MultiHeadSelfAttention`, and with D = 24 they have these shapes for any number of heads. How many heads does it use?
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
# Each of these checks marks or changes one thing and sees what comes out, or compares with a known result, with somebody else's code, or with an answer that must be alike. How long do they take?

# %%
print(f"{len(seconds)} checks, each run twice: {1000 * sum(seconds):.0f} milliseconds in all")

# %% [markdown]
# *This is another good place to stop.*
#
# ## Part two: what do the bugs cost?
#
# Suppose that nobody checks. Would the accuracy have shown these bugs, or the loss?
#
# ### The costs in one table
#
# Here are the two experiments again. *Trained* is the difference to the right model in points, with its 95 % interval. *Confidence* is the share that a model gives to its answer, on average.
#
# | bug | trained | afterwards: accuracy | confidence |
# |---|---|---|---|
# | none | ({{mean(runs("class_token_place", "class token").accuracies):.1%}}) | {{loaded_bug("none").accuracy:.1%}} | {{loaded_bug("none").sure:.0%}} |
# | **large cost: {{-bug_on_cifar10("softmax twice").mean:.0p}} points or more** | | | |
# | 6 across the batch, class token | guesses | {{loaded_bug("attention across the batch").accuracy:.1%}} | {{loaded_bug("attention across the batch").sure:.0%}} |
# | 9 blocks in a list | {{bug_on_cifar10("blocks in a Python list"):+±.1p}} | does not load | |
# | 12 no residual | {{bug_on_cifar10("no residual connection"):+±.1p}} | {{loaded_bug("no residual connection").accuracy:.1%}} | {{loaded_bug("no residual connection").sure:.0%}} |
# | 11 softmax twice | {{bug_on_cifar10("softmax twice"):+±.1p}} | {{loaded_bug("softmax twice").accuracy:.1%}} | {{loaded_bug("softmax twice").sure:.0%}} |
# | **smaller cost: {{cost_of_bug("one block, repeated").mean:.0p}} to {{cost_of_bug("patches by reshape").mean:.0p}} points** | | | |
# | 1 patches by reshape | {{bug_on_cifar10("patches by reshape"):+±.1p}} | {{loaded_bug("patches by reshape").accuracy:.1%}} | {{loaded_bug("patches by reshape").sure:.0%}} |
# | 8 moved parameter | {{bug_on_cifar10("positions not trained"):+±.1p}} | does not load | |
# | 6 across the batch, mean pooling | {{bug_on_cifar10("attention across the batch, mean pooling"):+±.1p}} | does not fit | |
# | 10 one block, repeated | {{bug_on_cifar10("one block, repeated"):+±.1p}} | {{loaded_bug("one block, repeated").accuracy:.1%}} | {{loaded_bug("one block, repeated").sure:.0%}} |
# | **no cost seen** | | | |
# | 13 dropout never off | {{bug_on_cifar10("dropout never off"):+±.1p}} | {{loaded_bug("dropout never off").accuracy:.1%}} | {{loaded_bug("dropout never off").sure:.0%}} |
# | 14 no last norm | {{bug_on_cifar10("no norm at the end"):+±.1p}} | {{loaded_bug("no norm at the end").accuracy:.1%}} | {{loaded_bug("no norm at the end").sure:.0%}} |
# | 2 heads by view | {{bug_on_cifar10("heads by view"):+±.1p}} | {{loaded_bug("heads by view").accuracy:.1%}} | {{loaded_bug("heads by view").sure:.0%}} |
# | 7 norm over tokens | {{bug_on_cifar10("LayerNorm over all tokens"):+±.1p}} | does not load | |
# | 4 softmax over the queries | {{bug_on_cifar10("softmax over the queries"):+±.1p}} | {{loaded_bug("softmax over the queries").accuracy:.1%}} | {{loaded_bug("softmax over the queries").sure:.0%}} |
# | 3 no transpose back | {{bug_on_cifar10("heads without transpose"):+±.1p}} | {{loaded_bug("heads without transpose").accuracy:.1%}} | {{loaded_bug("heads without transpose").sure:.0%}} |
# | 5 scaled by √D | {{bug_on_cifar10("scaled by √D"):+±.1p}} | {{loaded_bug("scaled by √D").accuracy:.1%}} | {{loaded_bug("scaled by √D").sure:.0%}} |
# {{assert max(bug_runs("attention across the batch")) < 0.11}}
# {{assert all(cost_of_bug(name).mean > 0.15 for name in ("blocks in a Python list", "no residual connection", "softmax twice"))}}
# {{assert all(differs(bug_on_cifar10(name)) and bug_on_cifar10(name).mean < 0 for name in ("softmax twice", "patches by reshape", "positions not trained", "attention across the batch, mean pooling", "one block, repeated"))}}
# {{assert not any(differs(bug_on_cifar10(name)) for name in ("heads by view", "heads without transpose", "softmax over the queries", "LayerNorm over all tokens", "dropout never off", "no norm at the end"))}}
# {{assert differs(bug_on_cifar10("scaled by √D")) and bug_on_cifar10("scaled by √D").mean > 0}}
# {{assert all(loaded_bug(name).accuracy < 0.13 for name in ("one block, repeated", "patches by reshape", "no residual connection")) and loaded_bug("softmax twice").accuracy == loaded_bug("none").accuracy}}
# {{assert abs(loaded_bug("no norm at the end").accuracy - loaded_bug("none").accuracy) < 0.001 and loaded_bug("no norm at the end").sure > loaded_bug("none").sure + 0.1}}
#
# - **Trained with their bug, seven of fourteen show no cost.** Scaling by √D (5) is even ahead, which is a hint at most among so many comparisons.
# - **Put in afterwards, most do great harm.** Only softmax twice (11), dropout never off (13) and no last norm (14) leave the accuracy almost as it was.
# - **Two of these three show in the confidence.** A second softmax (11) keeps the order of the classes, so it changes no answer, but the confidence falls. Without the last norm (14) the confidence rises. (The norm's weights are left over, so they loaded only with `strict=False`.)
#
# The picture shows the column *trained*. The lower axis is finer, so that you can see the intervals:

# %% tags=["hide-input"]
BUGS = {  # name on record: how the museum calls it
    "patches by reshape": "1 patches by reshape",
    "heads by view": "2 heads by view",
    "heads without transpose": "3 no transpose back",
    "softmax over the queries": "4 softmax over the queries",
    "scaled by √D": "5 scaled by √D",
    "attention across the batch": "6 across the batch, class token",
    "attention across the batch, mean pooling": "6 across the batch, mean pooling",
    "LayerNorm over all tokens": "7 norm over tokens",
    "positions not trained": "8 moved parameter",
    "blocks in a Python list": "9 blocks in a list",
    "one block, repeated": "10 one block, repeated",
    "softmax twice": "11 softmax twice",
    "no residual connection": "12 no residual",
    "dropout never off": "13 dropout never off",
    "no norm at the end": "14 no last norm",
}
BASES = {  # what a model with a bug is compared with, if not with the ordinary one
    "dropout never off": "none, with dropout",
    "attention across the batch, mean pooling": "none, mean pooling",
}
GUESSING = 0.2  # twice what guessing gets: models below it hardly vary, and are not pooled
PHOTOS, SHAPES = "CIFAR-10, full", "shapes10"
full = read_records("../data/results/experiments_cifar10_full.json")
for record in read_records("../data/results/silent_bugs_cifar10.json"):
    for run in record["runs"]:
        silent.setdefault(PHOTOS, {}).setdefault(run["bug"], []).append(run)
known = {key(record["run"]): record for record in full}
for name, experiment, setting in (  # the same runs without a bug, of notebooks 07 to 10
    ("none", "class_token_place", "class token"),
    ("none, mean pooling", "single_patches", "mean of patches"),
):
    seeds = sorted({record["seed"] for record in full})
    runs = [key(plan(experiment, "full", seed)[setting, 1]) for seed in seeds]
    silent[PHOTOS][name] = [known[run] for run in runs if run in known]
spreads = {  # of the runs of one setting
    PHOTOS: pooled_spread(full),
    **{
        name: spread_of([[run["accuracy"] for run in of] for of in silent[name].values()], GUESSING)
        for name in ("shapes10", "cifar10")
    },
}


def reached(name, where):
    """The accuracies of the models with a bug."""
    return [run["accuracy"] for run in silent[where][name]]


def effect_of(name, where, base=None):
    """By how many points a bug's models are ahead of others, and half the 95 % interval of that."""
    base = base or BASES.get(name, "none")
    (one, width), (other, wide) = (
        mean_and_width(reached(of, where), spreads[where]) for of in (name, base)
    )
    return 100 * (one - other), 100 * math.hypot(width, wide)


def verdict_of(name, where):
    gain, width = effect_of(name, where)
    if max(reached(name, where)) < GUESSING:
        return "guesses"
    return "no effect seen" if abs(gain) <= width else "gain seen" if gain > 0 else "cost seen"


STYLES = {
    "cost seen": EFFECT_STYLES["effect seen"],
    "gain seen": EFFECT_STYLES["effect seen"] | {"marker": ">", "markersize": 7},
    "no effect seen": EFFECT_STYLES["no effect seen"],
}


def draw(panel, names, where, title):
    """A row for each bug, with the mark of its verdict; what was said."""
    said = []
    for row, name in enumerate(names):
        (gain, width), verdict = effect_of(name, where), verdict_of(name, where)
        said.append(f"{BUGS[name]} ({title}): {verdict}")
        if verdict in STYLES:
            panel.errorbar(gain, row, xerr=width, capsize=3, **STYLES[verdict])
            said[-1] += f", {gain:+.1f} ± {width:.1f}"
        else:
            panel.text(0.04, row, verdict, transform=panel.get_yaxis_transform(), va="center")
    panel.axvline(0, color="gray", lw=1, zorder=0)
    panel.grid(axis="x", alpha=0.3)
    panel.set(ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)))
    panel.set_yticklabels([BUGS[name] for name in names])
    panel.tick_params(axis="y", length=0)
    panel.spines[["left", "top", "right"]].set_visible(False)
    panel.set_title(title, fontsize=11)
    return said


def add_legend(figure):
    marks = [plt.Line2D([], [], label=label, **style) for label, style in STYLES.items()]
    figure.legend(
        handles=marks, loc="outside upper center", ncols=3, frameon=False, columnspacing=1
    )


order = sorted(BUGS, key=lambda name: effect_of(name, PHOTOS)[0])
seen = [name for name in order if verdict_of(name, PHOTOS) in ("guesses", "cost seen")]
unseen = [name for name in order if name not in seen]
figure, (upper, lower) = plt.subplots(
    2, 1, figsize=(5.6, 6.2), height_ratios=(len(seen), len(unseen)), layout="constrained"
)
said = draw(upper, seen, PHOTOS, "CIFAR-10: a cost is seen")
said += draw(lower, unseen, PHOTOS, "CIFAR-10: no cost is seen (finer axis)")
lower.set_xlim(-2.3, 2.3)
lower.set_xlabel("difference in accuracy, in points", loc="right")
add_legend(figure)
plots.show("what each bug costs in a model that is trained with it, CIFAR-10", "", said)

# %% [markdown]
# ### Is the cost the same on another task?
#
# We also trained with each bug on the drawn shapes of the puzzle: a model of two blocks, 200 steps on 2,000 images, three seeds. The right model reaches {{mean(silent_bug("none")):.0%}}. For most bugs the verdict is the same. Here are the five for which it is not:

# %% tags=["hide-input"]
cost = {"guesses", "cost seen"}
both = {name: {verdict_of(name, where) for where in (PHOTOS, SHAPES)} for name in order}
differ = [name for name, found in both.items() if len(found) > 1 and not found <= cost]
figure, panels = plt.subplots(
    1, 2, figsize=(5.6, 2.6), sharey=True, width_ratios=(38, 74), layout="constrained"
)
said = draw(panels[0], differ, PHOTOS, "CIFAR-10") + draw(panels[1], differ, SHAPES, "drawn shapes")
panels[0].set_xlim(-33, 5)
panels[1].set_xlim(-34, 42)
for panel in panels:
    panel.set_xticks(range(-20, int(panel.get_xlim()[1]), 20))
figure.supxlabel("difference in accuracy, in points", fontsize=10)
add_legend(figure)
plots.show("five bugs whose verdict differs between two tasks", "", said)

# %% [markdown]
# For three of the five, the two tasks differ by more than chance. On drawn shapes the norm over tokens (7) costs {{-bug_effect("LayerNorm over all tokens").mean:.0p}} points, and no residual (12), whose cost is large on CIFAR-10, gives {{bug_effect("no residual connection"):+±.1p}}, which may be nothing. Patches by reshape (1) are even *ahead* there, by {{bug_effect("patches by reshape").mean:.0p}} points; the second visit looks for the reason. The tasks differ in their images, in the depth of the model and in the length of training, and we cannot say which of these decides. So what a bug costs in one place may say little about another.
# {{assert differs(bug_effect("LayerNorm over all tokens")) and not differs(bug_effect("no residual connection")) and differs(bug_effect("patches by reshape")) and bug_effect("patches by reshape").mean > 0}}
# {{assert all((abs(bug_on_cifar10(name).mean - bug_effect(name).mean) > math.hypot(bug_on_cifar10(name).width, bug_effect(name).width)) == apart for name, apart in (("LayerNorm over all tokens", True), ("no residual connection", True), ("patches by reshape", True), ("positions not trained", False), ("scaled by √D", False)))}}
#
# ### Would the loss have shown them?
#
# These are the losses on CIFAR-10 in training, for the two groups with a cost. Dashed and dotted lines are right models:


# %% tags=["hide-input"]
def curve(name):
    """The loss of each pass, on average over the seeds."""
    found = [run["train_loss"] for run in silent[PHOTOS][name]]
    return torch.tensor(found).mean(dim=0)


groups = {
    "large cost": [name for name in seen if effect_of(name, PHOTOS)[0] < -12],
    "smaller cost": [name for name in seen if effect_of(name, PHOTOS)[0] >= -12],
}
figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True, layout="constrained")
said = []
for panel, (group, names) in zip(panels, groups.items(), strict=True):
    lines = {name: (BUGS[name], "-", plots.OKABE_ITO[1]) for name in names}
    lines["none"] = ("right", "--", "black")
    if group == "smaller cost":
        lines["none, mean pooling"] = ("right, mean pooling", ":", "black")
    place = 0
    for name in sorted(lines, key=lambda name: float(curve(name)[-1])):
        (label, stroke, colour), end = lines[name], float(curve(name)[-1])
        panel.plot((1, 2, 3), curve(name), stroke, color=colour)
        said.append(f"{label}: the loss ends at {end:.2f}")
        place = max(end, place + 0.13)  # the labels may not touch; a line leads to each
        panel.plot((3.03, 3.2), (end, place), color=colour, lw=0.6)
        label = label.replace("across the batch", "across")
        panel.text(3.25, place, label, va="center", fontsize=9, color=colour)
    panel.set(title=group, xlabel="pass", xticks=(1, 2, 3), xlim=(0.9, 6.3), ylim=(0.7, 2.4))
    panel.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("loss in training")
plots.show("losses in training, a panel for each group with a cost", "", said)
apart = [float(abs(curve(name) - curve(BASES.get(name, "none")))[-1]) for name in unseen]
print(f"no cost seen: after three passes all {len(apart)} losses lie within {max(apart):.2f}")
print(f"of that of a right model, which is {curve('none')[-1]:.2f}")

# %% [markdown]
# - **Large cost:** the loss falls far less than that of a right model. You can see that if you know how far it should fall. (Softmax twice has a floor of 1.46, so its height compares with no other line.)
# - **Smaller cost:** the loss falls, and ends higher than it should. A model that is too small, or trained too briefly, could look the same.
# - **No cost seen:** the loss shows nothing either, as the line below the picture says.
#
# *This is a third place to stop.*

# %% [markdown]
# ## Part three: your own model
#
# In part one you held every piece in your hand. Your own model comes as a whole. Here are three tools that question it, in folded cells for you to copy, and at the end a model for you to diagnose.
#
# ### Ask the whole model
#
# `suspicions(model, images)` needs two images or more. It asks four questions:
#
# - Is there one answer for each image, however many there are? (15, 16)
# - Does an answer stay the same when you ask again, and when you ask for one image alone? (13, 6)
# - Do the parameters that an answer depends on stand in `model.parameters()`? (8, 9)
# - Is there a softmax at the end? (11)
#
# The first folded cell defines `suspicions`, the second one right model and four with a bug:


# %% tags=["own-model", "hide-input"]
def no_answers(model, images):
    """Why a classifier does not answer for each of some images (B, C, H, W), or None if it does."""
    try:
        logits, alone = model(images), model(images[:1])
    except RuntimeError as error:
        return f"it does not answer for {len(images)} images and for one (16?): {error}"
    if (len(logits), len(alone)) != (len(images), 1):
        return "not one answer for each image (15)"
    return None if logits.isfinite().all() else "some of its answers are not finite numbers"


def unsteady_answers(model, images):
    """How the answers of a classifier change, or do not change, against expectation: a list."""
    logits, again, alone = model(images), model(images), model(images[:1])
    size, step, found = logits.abs().max(), torch.finfo(logits.dtype).eps, []
    changed = (again - logits).abs().max() / size
    apart = (alone - logits[:1]).abs().max() / size
    if changed > max(step, 2**-14):
        found.append("asked twice, it answers differently (13)")
    elif apart > 4 * max(step, 2**-10):  # an image alone may round otherwise, most so in TF32
        found.append("an answer depends on the other images (6, with mean pooling)")
    if (logits - logits[:1]).abs().max() <= 1e-6 * size:
        found.append("all images get the same answer (6, with a class token)")
    return found


def parameters_behind(answers):
    """All tensors that would get a gradient from some answers: PyTorch remembers the steps that led
    to an answer, and at the beginning of these steps are the parameters.
    """
    waiting, seen, found = [answers.grad_fn], {None}, []
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        waiting += [before for before, _ in step.next_functions]
        if hasattr(step, "variable"):
            found.append(step.variable)
    return found


def wrong_parameters(model, images):
    """Parameters that do not learn, or that nobody knows of: a list."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    behind, found = {id(parameter) for parameter in parameters_behind(model(images))}, []
    if behind - names.keys():
        found.append("it computes with parameters that are not in model.parameters() (8 or 9)")
    idle = [name for number, name in names.items() if number not in behind]
    if idle:
        found.append(f"no gradient reaches {', '.join(idle)}: frozen, or not used")
    return found


@torch.enable_grad()
def suspicions(model, images):
    """What is wrong with a classifier, as far as a few images (B, C, H, W) can tell.

    Ask in float32: the coarse rounding of bfloat16 can hide bug 6.
    """
    if len(images) < 2:
        raise ValueError("give at least two images: their answers are compared")
    images, modes = images.detach(), {module: module.training for module in model.modules()}
    model.eval()
    try:
        if why := no_answers(model, images):
            return [why]
        found, logits = unsteady_answers(model, images), model(images)
        if logits.min() >= 0 and (logits.sum(dim=-1) - 1).abs().max() < 0.01:
            found.append("it ends in a softmax (11)")
        found += wrong_parameters(model, images)
        return found or ["nothing found"]
    finally:
        for module, mode in modes.items():
            module.training = mode


# %% tags=["across", "hide-input"]
class AcrossTheBatch(MultiHeadSelfAttention):
    def forward(self, x):  # treats (B, T, D) as (T, B, D)
        return super().forward(x.transpose(0, 1)).transpose(0, 1)


seed_everything(0)
images = torch.randn(4, 3, 8, 8)
models = {
    "right": VisionTransformer(SMALL),
    "6 across the batch, class token": VisionTransformer(SMALL),
    "6 across the batch, mean pooling": VisionTransformer(replace(SMALL, pool="mean")),
    "11 softmax twice": nn.Sequential(VisionTransformer(SMALL), nn.Softmax(dim=-1)),
    "13 dropout never off": VisionTransformer(SMALL),
}
for name, model in models.items():
    for block in model.blocks if name[:2] in ("6 ", "13") else ():
        kind, options = (
            (AcrossTheBatch, {}) if name[0] == "6" else (AlwaysDrops, {"attn_drop_rate": 0.1})
        )
        block.attn = kind(24, 3, **options)

# %% tags=["asked", "nbval-check-output"]
for name, model in models.items():
    print(f"{name:33} {'; '.join(suspicions(model, images))}")

# %% [markdown]
# Two limits: if your head starts at zero, all images get the same answer before the first step, so ask the model without its head. And a moved parameter (8) is found only where `.to` makes a copy, not on a laptop with `.to("cpu")`.
#
# ### Ask one attention
#
# What goes wrong in the same way for every image, such as heads by view, `suspicions` cannot find. But you can test attention itself in two ways:
#
# - Without a mask or positions of its own, attention does not know the order of its tokens. So if every token moves one place on, each answer should *move along*.
# - *PyTorch's* attention with the same weights should give the same answers.
#
# *Guess first:* bugs 2 to 6, 13 and 17 are in the attention. Which of them does the first test find?
#
# The first folded cell defines `suspicions_about_attention`, and `pytorch_attention`, which copies the weights. The second builds an attention with each bug. All should have three heads:


# %% tags=["own-attention", "hide-input"]
@torch.no_grad()
def suspicions_about_attention(attention, tokens, reference=None):
    """What is wrong with an attention (B, T, D) → (B, T, D) in eval mode, without a mask."""
    answers, found = attention(tokens), []
    near = 0.01 * answers.abs().max()  # for rounding
    if (attention(tokens.roll(1, dims=1)) - answers.roll(1, dims=1)).abs().max() > near:
        found.append("does not move along")
    if reference and (reference(tokens, tokens, tokens)[0] - answers).abs().max() > near:
        found.append("not as PyTorch's")
    return found or ["nothing found"]


def pytorch_attention(attention, num_heads):
    """PyTorch's attention with the weights of another one, whose maps are called qkv and proj."""
    reference = nn.MultiheadAttention(attention.proj.in_features, num_heads, batch_first=True)
    weights = {"in_proj_weight": attention.qkv.weight, "in_proj_bias": attention.qkv.bias}
    weights |= {f"out_proj.{name}": p for name, p in attention.proj.named_parameters()}
    reference.load_state_dict(weights)
    return reference.eval()


# %% tags=["attentions", "hide-input"]
class Attention(MultiHeadSelfAttention):
    """Three heads in three steps, any of which can be that of an exhibit."""

    def __init__(self, split=heads_by_transpose, weigh=attention_weights, merge=merge_by_transpose):
        super().__init__(24, num_heads=3)
        self.split, self.weigh, self.merge = split, weigh, merge

    def forward(self, x):
        parts = self.qkv(x).chunk(3, dim=-1)
        queries, keys, values = (self.split(part.contiguous(), 3) for part in parts)
        return self.proj(self.merge(self.weigh(queries, keys) @ values))


seed_everything(0)
attentions = {
    "right": Attention(),
    "2 heads by view": Attention(split=heads_by_view),
    "3 no transpose back": Attention(merge=no_transpose_back),
    "4 softmax over the queries": Attention(weigh=softmax_over_queries),
    "5 scaled by √D": Attention(weigh=weights_scaled_by_D),
    "6 across the batch": AcrossTheBatch(24, 3),
    "13 dropout never off": AlwaysDrops(24, 3, attn_drop_rate=0.1),
    "17 ignored argument": MultiHeadSelfAttention(24, 8),
}

# %% tags=["asked", "nbval-check-output"]
tokens = 3 * torch.randn(2, 5, 24)  # large, so that the shares of attention are uneven
for name, attention in attentions.items():
    reference = pytorch_attention(attention.eval(), num_heads=3)
    found = suspicions_about_attention(attention, tokens, reference)
    print(f"{name:27} {', '.join(found)}")

# %% [markdown]
# Moving the tokens finds bugs 2 and 3. It also notices 13, whose answers change each time. The other four treat all places alike.
#
# The comparison with PyTorch finds all seven. It also blames a right attention that keeps its queries, keys and values in another order than PyTorch does.
#
# ### Compare piece by piece
#
# The most thorough test of a whole model is somebody else's model with the same weights, compared piece by piece. The folded cell defines `compare`, which does that. Here our second block has no residual connection:


# %% tags=["own-pieces", "hide-input"]
@torch.no_grad()
def pieces_of(model, images):
    """What the patch embedding, each block, the last norm, the head and the whole model give."""
    pieces = [model.patch_embed, *model.blocks, model.norm, model.head, model]
    blocks = [f"block {i}" for i in range(1, len(model.blocks) + 1)]
    names, outputs = ["patches", *blocks, "last norm", "head", "answers"], []

    def keep(piece, inputs, output):
        outputs.append(output)

    hooks = [piece.register_forward_hook(keep) for piece in {*pieces}]  # one, if a block runs twice
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()(images)
    finally:  # leave the model as it was
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return dict(zip(names, outputs, strict=True))


def compare(ours, reference, images):
    """{piece: whether two models with the same weights give the same there}."""
    theirs = pieces_of(reference, images)
    return {
        name: "same" if torch.allclose(output, theirs[name], atol=1e-5) else "differs"
        for name, output in pieces_of(ours, images).items()
    }


# %% tags=["reference", "nbval-check-output"]
ours, reference = VisionTransformer(SMALL), VisionTransformer(SMALL)
ours.blocks[1] = NoResidual(SMALL)
reference.load_state_dict(ours.state_dict())
for piece, said in compare(ours, reference, images).items():
    print(f"{piece:10} {said}")

# %% [markdown]
# The bug is in the first piece that differs, or on the way to it, as the class token and the positions are on the way to block 1.
#
# ### Which tool finds which bug?
#
# | what you call | bugs that it can find |
# |---|---|
# | `suspicions` | across the batch (6), moved parameter (8, where it makes a copy), blocks in a list (9), softmax twice (11), dropout never off (13), `x[0]` (15), class token for each place (16) |
# | `suspicions_about_attention`, tokens moved | heads by view (2), no transpose back (3), dropout never off (13) |
# | the same, with PyTorch's attention | also softmax over the queries (4), scaled by √D (5), across the batch (6), ignored argument (17) |
# | `reference.load_state_dict(ours.state_dict())` | norm over tokens (7), moved parameter (8), blocks in a list (9) and no last norm (14), with an error |
# | `compare`, after these weights have loaded | patches by reshape (1), all in the attention (2 to 6, 13, 17), softmax twice (11), no residual (12) |
# | `sum(p.numel() for p in model.parameters())` | blocks in a list (9) and one block, repeated (10), if you know the right number |
#
# ### Your turn: a model with one bug
#
# The folded cell makes `mystery`, a model with one of the seventeen bugs. Please do not open it yet. Its settings are those of the reference. This is what the tools say:

# %% tags=["mystery", "hide-input"]
seed_everything(0)
mystery = VisionTransformer(SMALL)
mystery.blocks = nn.Sequential(*[mystery.blocks[0]] * 2)

# %% tags=["asked-mystery", "nbval-check-output"]
reference = VisionTransformer(SMALL)
print("the whole model: ", suspicions(mystery, images))
for block in mystery.blocks:
    pytorchs = pytorch_attention(block.attn, num_heads=3)
    print("one attention:   ", suspicions_about_attention(block.attn, tokens, pytorchs))
print("load_state_dict: ", reference.load_state_dict(mystery.state_dict()))
print("piece by piece:  ", *compare(mystery, reference, images).values())

# %% [markdown]
# Nothing is found, and yet there is a bug. Go through the table, and strike out every bug that these answers exclude. Which one is left? Ask `mystery` the question that settles it:

# %%
# your question to `mystery`

# %% [markdown]
# <details><summary>The answer</summary>
#
# `suspicions` excludes bugs 6, 8, 9, 11, 13, 15 and 16. The attention excludes 2 to 5 and 17. That the weights load without an error excludes 7 and 14, and the comparison excludes 1 and 12. **One block, repeated (10)** is left. The question that settles it is `sum(p.numel() for p in mystery.parameters())`. It gives 8,842 parameters, and for `reference` 16,066.
#
# The comparison cannot see this bug, because it gave the reference the weights of `mystery`, the same for both blocks. With a right model's weights in `mystery`, block 1 would differ.
# </details>
#
# ## Recap, and what to do in your own model
#
# - **Do not wait for the accuracy to tell you.** Of fourteen silent bugs in a small model, seven show no cost on CIFAR-10. With two of these, heads by view and no transpose back, downloaded weights do little better than guessing.
# - **A check needs no training.** Write one for each reshape, with sizes that all differ, so that two swapped axes are noticed. Use the three tools, and count the parameters, before your first training.
#
# **Try it yourself:** [exercises 13](exercises/13_silent_bugs.ipynb), with checks that say what is wrong.
#
# **Next:** the [capstone](exercises/17_capstone.ipynb), in which you write a Vision Transformer from an empty cell. ([Notebook 14](14_more_claims.ipynb) is a reference, with more claims to look up.)
#
# **Farewell:** this is the last notebook to read from top to bottom. You began with the pixels of one image. Now you can build a Vision Transformer, train it, look inside, doubt a claim, use a model that somebody else trained, and find the bugs in your own. Take your own pictures, and have fun.
#
# ---
#
# ## For a second visit
#
# **Skip this on a first reading.**
#
# ### How the ± is made
#
# On CIFAR-10 the ± comes from the pooled spread of all settings of notebooks 07 to 10, whose recipe and images these runs share. On the drawn shapes it is pooled over all models of this benchmark. Models far below the others, such as blocks in a list (9), are left out of the pool, and their interval comes from their own seeds. Across the batch (6) with mean pooling and dropout never off (13) are compared with a right model of their own, which has three seeds.{{assert
# all((mean(bug_runs(name)) < spread().least) == (name in ("blocks in a Python list", "attention across the batch")) for name in ("softmax twice", "no residual connection", "blocks in a Python list", "attention across the batch"))}}
#
# Bug 6 with a class token can do no more than guess, so it has one seed on CIFAR-10. With mean pooling it is judged on batches of 500 test images. The moved parameter (8) is the positions, which stay random. The script is `benchmarks/silent_bugs.py`.
#
# ### Why does one bug help?
#
# Why are patches by reshape ahead on drawn shapes? We tried a control that is no bug: each token is a strip, two whole rows of the image in all three colours. Like the wrong patches, a strip spans the width of the image, but it keeps the colours together. We trained the same small model with both on the drawn shapes, and on 2,000 photographs of CIFAR-10.

# %% tags=["hide-input"]
show_effects(
    {
        f"{label}, {where}": (
            f"right model: {100 * sum(reached('none', of)) / 3:.0f} %",
            *effect_of(name, of),
        )
        for of, where in (("shapes10", "drawn shapes"), ("cifar10", "photographs"))
        for name, label in (("patches by reshape", "bug 1"), ("strips of two rows", "strips"))
    },
    "difference in accuracy, in points",
    "Patches by reshape (bug 1) and a control, against square patches",
)

# %% [markdown]
# On the drawn shapes the strips help too, by {{bug_effect("strips of two rows"):±.1p}} points. The bug is ahead of them by {{bug_effect("patches by reshape", "strips of two rows"):±.1p}}, which may be nothing. So a window that spans the whole width is a possible reason for most of the lead. Or square patches may only learn more slowly: in the puzzle the loss of model B was still falling. We have not tried longer trainings, nor other windows.
#
# On the photographs the bug costs points, and the strips show no effect.
# {{assert differs(bug_effect("patches by reshape", dataset="cifar10")) and bug_effect("patches by reshape", dataset="cifar10").mean < 0 and not differs(bug_effect("strips of two rows", dataset="cifar10"))}}
# {{assert all(differs(bug_effect(name)) and bug_effect(name).mean > 0 for name in ("patches by reshape", "strips of two rows")) and not differs(bug_effect("patches by reshape", "strips of two rows"))}}
