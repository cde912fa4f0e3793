# %% [markdown]
# # 03 · Attention: every token looks at every other
#
# **After this notebook you can** work out attention for one query with pencil and paper, write multi-head attention from an empty cell, say
# what each of its four matrices is for and what goes wrong without the √d, show that your code gives the same numbers as PyTorch's, and see what a trained class token
# looks at in a photograph of a cat.
#
# | | |
# |---|---|
# | You need | notebook 02: an image as 65 tokens, the first of which is the class token |
# | Time to read | about 40 minutes |
# | Time to run | less than a minute, on any machine |
# | Package module | `vit_minimal/attention.py` |
#
# **Letters:** B images in a batch, N patches, T = N + 1 tokens, D numbers in a token, h heads, d = D / h numbers in a head.

# %%
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from skimage import data
from torch import nn
from torch.nn import functional as F

from vit_minimal import (
    VisionTransformer,
    attention_maps,
    diagrams,
    load_checkpoint,
    load_image,
    patchify,
    plots,
)
from vit_minimal.augment import normalize
from vit_minimal.data import CIFAR10_CLASSES

torch.manual_seed(0)
torch.set_printoptions(precision=2, sci_mode=False)

# %%
cat_file = Path(data.__file__).with_name("chelsea.png")  # scikit-image ships a cat
cat = load_image(cat_file, 32)  # (C, H, W), what a model gets
cat_large = load_image(cat_file, 96)  # the same picture, for our own eyes
diagrams.overview(cat, "attention")

# %% [markdown]
# You are here. Notebooks 01 and 02 have turned the image into 65 tokens, and so far no token knows anything about any other. Attention changes that, and it is the
# only place in the whole model where tokens meet.
#
# ## What is this patch?

# %%
patch_27 = cat[:, 12:16, 12:16]  # row 3 and column 3 of the 8 × 8 grid, counted from 0
plots.show_images(
    [cat, patch_27],
    ["the image", "patch 27 alone"],
    columns=2,
    size=2.4,
    frames=[(12, 12, 4), (0, 0, 4)],
)

# %% [markdown]
# On the right are the 16 pixels of patch 27. Could you tell what they show? On the left you can: it is the corner of an eye. You could tell because you looked at the patches *around* it.
# The token of patch 27 starts out with its 16 pixels and its position. If it is to know that it belongs to an eye, it has to look at other tokens, and the class token has to look at
# all of them if it is to know that this is a cat.
#
# But at which tokens, and how much at each? Here is the answer, in one sentence, and the rest of this notebook explains it:
#
# > **Attention is a weighted mean. Each token takes a mean of what all tokens hand over, and the weights of this mean are computed from the tokens themselves.**
#
# The second half is what makes it special. A mean with fixed weights would look at the same places in every image. When the weights come from
# the tokens, they can follow the cat wherever it sits, and at the end of this notebook you will watch them do it.
#
# We build attention in five steps: one query by hand, one head, a list of heads, the same heads in one go, and what libraries do in practice.
#
# ## Step 1 · One query, by hand
#
# How can tokens decide how much one of them should take from another? Each token brings three small vectors:
#
# - a **query** says what the token is *looking for*,
# - a **key** says what the token *offers*,
# - a **value** is what the token *hands over* to whoever looks at it.
#
# A query is compared with every key. The better a key fits, the more its token's value counts in the mean. We say that a token *attends to* another, or simply that it looks at it, and we mean that it takes from the other's value.
#
# Our example has three tokens of two numbers: the class token, a patch of a nose and a patch of an eye. Let the first number say how round the thing is,
# and the second how orange. In a trained model nobody gives the numbers such names, but they help us to follow. The class token is looking for
# something round, so its query is (1, 0).

# %% tags=["nbval-check-output"]
names = ["[class]", "nose", "eye"]
x = torch.tensor([[1.0, 1.0], [0.0, 2.0], [2.0, 0.0]])  # (T, D): how round, how orange

query = torch.tensor([1.0, 0.0])  # (d,): what [class] is looking for
keys = torch.tensor([[1.0, 0.0], [0.0, 2.0], [2.0, -2.0]])  # (T, d): what each token offers
values = torch.tensor([[5.0, 5.0], [0.0, 10.0], [10.0, 0.0]])  # (T, d): what it hands over

scores = torch.stack([query @ key for key in keys])  # (T,): how well does each key fit?
print("scores ", scores)

# %% [markdown]
# The dot product measures the fit: multiply number by number and add up. With the key of [class] that is 1·1 + 0·0 = 1, with the nose's it is 0, and with the eye's 2. So the eye fits best and the nose not at all.
#
# Scores are not yet weights. The weights of a mean have to be positive and sum to 1, and the **softmax** makes them so: take e to the power of each score, and divide
# by the sum of all of these.

# %% tags=["nbval-check-output"]
weights = scores.exp() / scores.exp().sum()  # (T,)
print("weights", weights, "sum", weights.sum())

answer = weights[0] * values[0] + weights[1] * values[1] + weights[2] * values[2]  # (d,)
print("answer ", answer)

# %% [markdown]
# Check it on paper: e¹ ≈ 2.718, e⁰ = 1 and e² ≈ 7.389 sum to 11.107, so the weights are 0.2447, 0.0900 and 0.6652. The first number
# of the answer is 0.2447 · 5 + 0.0900 · 0 + 0.6652 · 10 ≈ 7.88.
#
# The whole step in one picture, with the same numbers:

# %%
diagrams.attention_by_hand(x, query, keys, values, names, scaled=False)

# %% [markdown]
# Follow one row from left to right: a token's key meets the query and gives a score, the softmax makes a weight of it, and the weight decides how much of the token's value is taken. The
# bar at the bottom adds up the three rows.
#
# What did the class token get? Every value has ten points to give, the first number for "there is an eye", the second for "there is a nose". The class token was looking for
# something round, so of its ten points 7.88 now say *eye*.
#
# ## Step 2 · One head: three linear maps
#
# Where do queries, keys and values come from? We made them up, but a model has to compute them, and all it has are the tokens. It does so with three
# linear maps, whose matrices are learned:
#
# $$q = x W_q, \qquad k = x W_k, \qquad v = x W_v$$
#
# The numbers of step 1 came from three such matrices. If the tokens are the rows of a matrix, one matrix product serves all tokens at once:

# %% tags=["nbval-check-output"]
W_q = torch.tensor([[0.0, 0.5], [1.0, -0.5]])  # (D, d)
W_k = torch.tensor([[1.0, -1.0], [0.0, 1.0]])
W_v = torch.tensor([[5.0, 0.0], [0.0, 5.0]])

all_queries = x @ W_q  # (T, D) @ (D, d) → (T, d)
print("query of [class] as in step 1:", torch.equal(all_queries[0], query))
print("keys and values as in step 1: ", torch.equal(x @ W_k, keys), torch.equal(x @ W_v, values))
print("queries of all three tokens:", all_queries.tolist())

# %% [markdown]
# So the class token is not the only one that is looking for something. The nose has the query (2, −1), something round and not orange, and the eye has (0, 1), something orange. With T queries we need T · T scores, and
# this is again a matrix product: row i of $QK^\top$ holds the scores of query i with all keys. We check it against a loop.

# %% tags=["nbval-check-output"]
loop = []
for q in all_queries:
    loop.append((keys @ q).softmax(dim=0) @ values)
loop = torch.stack(loop)  # (T, d)

weights = (all_queries @ keys.T).softmax(dim=-1)  # (T, T)
print(weights @ values)
print("loop = matrix product:", torch.allclose(loop, weights @ values))

# %% [markdown]
# The softmax must run over the *keys*, the last axis. Over the other axis all shapes stay the same, so nothing complains. What will the rows sum to then?

# %% tags=["nbval-check-output"]
wrong = (all_queries @ keys.T).softmax(dim=0)  # over the queries: wrong
print("rows sum to", wrong.sum(dim=1), "and should sum to 1")

# %% [markdown]
# ### Why not simply compare the tokens?
#
# Are the maps W_q and W_k necessary? We could leave them out and take the dot product of token and token, $xx^\top$. Here are the weights with and without the maps:

# %%
without_maps = (x @ x.T).softmax(dim=-1)  # (T, T)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
plots.show_matrix(without_maps, names, names, "x·xᵀ: no maps", axis=axes[0])
plots.show_matrix(weights, names, names, "with $W_q$ and $W_k$", axis=axes[1])
for axis in axes:
    axis.set_xlabel("is looked at")
axes[0].set_ylabel("looks")
plots.show("weights of three tokens: without the maps nose and eye look most at themselves")

# %% [markdown]
# Each row belongs to a token that looks, each column to one that is looked at, and each row sums to 1. Compare the two:
#
# - **Without the maps, a token looks most at what resembles it**, and nothing resembles the eye as much as the eye. The map then tells it what it knew already. With the
#   maps, the nose looks at the eye and the eye at the nose.
# - **Without the maps, the scores are symmetric.** The score of nose with eye is that of eye with nose, so no token can be interested in another without the other being just as interested in it.
# - **Without the maps, [class] has no choice.** It is as similar to the nose as to the eye. With the maps it can look for one thing and leave the other.
#
# One vector cannot say what I am looking for, what I offer and what I hand over, if these are three different things. That is why there are three maps.
#
# You may suspect that our three tokens were picked to make the point. So we take the cat, whose 64 patches nobody picked, with their colours as tokens (measured from the mean colour, and all brought to the same length).

# %%
colours = patchify(cat[None].float() / 127.5 - 1, 4)[0]  # (N, C·P·P)
colours = colours - colours.mean(dim=0)
colours = 48**0.5 * F.normalize(colours, dim=-1)  # 48 numbers of size 1
alike = (colours @ colours.T / 48**0.5).softmax(dim=-1)  # (N, N); the root is explained below

own = (alike.argmax(dim=-1) == torch.arange(64)).sum().item()
print(f"{own} of 64 patches look most at themselves")
shown = [27, 53, 3]
diagrams.attention_over(cat_large, alike[shown], (8, 8), [f"patch {i} looks" for i in shown])

# %% [markdown]
# The first picture is the image. In the others the brightest patch is the one that is looked at most, and darker patches get less. All 64 patches look most at themselves, as they must: among vectors of
# one length, none fits a vector better than the vector itself. We will count the same thing in a trained model at the end.
#
# ### Why divide by √d
#
# The paper that introduced the Transformer ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Eq. 1) writes what we have so far in one line, with one more piece:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$
#
# What is the √d doing there? A score is a sum of d products. Suppose that queries and keys are independent random numbers with mean 0 and variance 1. Then each product has mean 0 and
# variance 1 too, and variances of independent terms add up. The score has variance d, so its typical size is √d. Let us measure it:

# %%
widths = [4, 16, 64, 256, 1024]
sizes = []
for d in widths:
    products = torch.randn(2000, d) * torch.randn(2000, d)  # 2000 queries, each with a key
    sizes.append(products.sum(dim=1).std().item())
plots.show_lines(
    widths,
    {"√d": [d**0.5 for d in widths], "measured standard deviation": sizes},
    x_label="d, numbers in a head",
    y_label="size of a score",
    title="Scores grow with the square root of d",
    log="xy",
)

# %% [markdown]
# The two lines lie on each other. A head of most ViTs has d = 64 numbers, so its scores would be of size 8.
#
# And why are large scores bad? The softmax looks at differences. If the best score leads the next by 10, its weight is e¹⁰ ≈ 22,000 times as large. Here is one query with 65 keys at d = 64, without and with the division:

# %%
scores = torch.randn(64) @ torch.randn(64, 65)  # (T,): one query, 65 keys
figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True, layout="constrained")
axes[0].bar(range(65), scores.softmax(dim=-1))
axes[1].bar(range(65), (scores / 64**0.5).softmax(dim=-1))
axes[0].set(title="not divided", xlabel="key", ylabel="weight")
axes[1].set(title="divided by √d", xlabel="key")
plots.show("65 weights: not divided, a few have nearly all; divided, all have a part")

# %% [markdown]
# Not divided, a few of the 65 keys take nearly everything, and they were not chosen for a reason: all of these vectors are random. Divided, every key keeps a part.
#
# Worse, the model can hardly get out of this. If a score grows by a little, its weight p grows by p(1 − p) times as much. That is almost nothing when p is near 1, and almost nothing when p is near 0. Learning needs
# weights that move, and these do not: the softmax is **saturated**. Summed over the 65 weights, p(1 − p) is 1 − Σp², so we can measure how much room for change is left.

# %%
room = {"not divided": [], "divided by √d": []}
for d in widths:
    scores = torch.randn(500, d) @ torch.randn(65, d).T  # (500, 65): 500 queries, 65 keys
    for name, divisor in (("not divided", 1), ("divided by √d", d**0.5)):
        weights = (scores / divisor).softmax(dim=-1)
        room[name].append(1 - weights.square().sum(dim=-1).mean().item())
plots.show_lines(
    widths, room, "d, numbers in a head", "1 − Σp²", "How much room for change is left", log="x"
)

# %% [markdown]
# With the division, the room for change stays near 1 for every d. Without it, less than a third is left at d = 64. We divide by √d and not by d, because it is the variance that grows with d. And d is the width **of a head**, not of
# the token.
#
# Now the formula as a function. It has one more argument. A ViT lets every token look at every other, but in text models, for example, a token must not see the next word. A **mask**
# says who may look at whom: where it is False, the score becomes −∞, and the softmax turns that into a weight of 0. The ViT leaves it at None.


# %% [markdown] tags=["exercise-only"]
# # Exercises 03 · Attention
#
# They go with notebook [03](../03_attention.ipynb). If you start here: linear maps turn each token (D numbers) into three vectors. A *query* says what the token is looking for, a *key* says what it offers, and a *value* is what it hands over. A query is compared with all keys by dot products, a softmax makes weights of these scores, and the result is the mean of the values with these weights. Several *heads* do this side by side, each with d = D / h numbers. Shapes: (B, T, D) for tokens, (B, h, T, d) within the heads.

# %% tags=["exercise-only"]
import torch
from torch import nn

from checks import check
from vit_minimal.attention import attend, head_dim

# %% [markdown] tags=["exercise:attention_weights"]
# The heart of attention: softmax(QKᵀ/√d). Queries (…, T, d) and keys (…, T, d) give weights (…, T, T), whose row i says how much query i looks at each key. The three dots stand for any axes in front, such as (B, h), or none. There need not be as many queries as keys: Q queries and K keys give (…, Q, K).
#
# Hint: `@` multiplies the last two axes as matrices. Which two axes of the keys must change places for that? `transpose(-2, -1)` counts from the end.
#
# Hint: d is the length of one query, `queries.shape[-1]`. The weights of one query sum to 1 over the keys, which is the last axis of the scores.


# %% tags=["same-as:vit_minimal.attention.attention_weights", "exercise:attention_weights"]
# vit_minimal/attention.py
def attention_weights(queries, keys, mask=None):
    """softmax(QKᵀ/√d) over the keys: (…, T, d), (…, T, d) → (…, T, T), each row sums to 1.

    Where `mask` (T, T) is False, the token of that row may not attend to that of the column; each
    row needs a True.
    """
    # solution
    # | return ...  # your code; the mask may be left out
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1)
    # end of solution


# %% [markdown]
# PyTorch has the whole formula as one function, `scaled_dot_product_attention`. Ours should give the same:

# %% tags=["nbval-check-output"]
q, k, v = torch.randn(3, 2, 5, 65, 16)  # three tensors (B=2, h=5, T=65, d=16)
ours = attention_weights(q, k) @ v
theirs = F.scaled_dot_product_attention(q, k, v)
print("equal to PyTorch's:", torch.allclose(ours, theirs, atol=1e-6))

# %% [markdown]
# And here is one head, complete. The three matrices are now `nn.Linear` layers, so that they can learn (each also has a bias, one number that is added to each output).


# %%
class OneHead(nn.Module):
    """Tokens (B, T, D) → what each takes from all: (B, T, d)."""

    def __init__(self, embed_dim, d):
        super().__init__()
        self.W_q = nn.Linear(embed_dim, d)  # what am I looking for?
        self.W_k = nn.Linear(embed_dim, d)  # what do I offer?
        self.W_v = nn.Linear(embed_dim, d)  # what do I hand over?

    def forward(self, x):
        weights = attention_weights(self.W_q(x), self.W_k(x))  # (B, T, T)
        return weights @ self.W_v(x)  # (B, T, d)


head = OneHead(embed_dim=48, d=12)
print("tokens (2, 65, 48) →", tuple(head(torch.randn(2, 65, 48)).shape))

# %% [markdown]
# ## Step 3 · A list of heads
#
# Why do models have several heads? Because one softmax can make one mixture only. Suppose the class token wants to know about the eye *and* about the nose. With a single set of weights, all it
# can do is look half at each:

# %% tags=["nbval-check-output"]
half_at_each = torch.tensor([0.0, 0.5, 0.5]) @ values  # weights of [class], nose, eye
print("one head, half at each:", half_at_each.tolist(), " value of [class]:", values[0].tolist())

at_the_eye = torch.tensor([0.0, 0.0, 1.0]) @ values
at_the_nose = torch.tensor([0.0, 1.0, 0.0]) @ values
print("two heads, side by side:", torch.cat([at_the_eye, at_the_nose]).tolist())

# %% [markdown]
# The mixture (5, 5) could be one eye and one nose, or two things that are half of each. It even equals what the class token would have got from itself. Two heads keep the two findings apart.
#
# So attention runs h times side by side. Each head has its own three maps, and therefore its own idea of what to look for, and each works with d = D / h numbers, so that the outputs of all heads, put next to each other, have D numbers again. At
# the end one more linear map, `proj`, mixes what the heads have found.

# %%
diagrams.heads_side_by_side(num_heads=3, embed_dim=192)

# %% [markdown]
# Read the picture from top to bottom. The small squares are the weights of each head, T rows and T columns, and they differ from head to head (here they are made up). The picture draws the maps of all heads as one box, `qkv`, which is where
# step 4 will take us.
#
# In code, a list of heads and a loop say exactly this:


# %%
class ListOfHeads(nn.Module):
    """Tokens (B, T, D) → tokens (B, T, D): h heads, one after the other."""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        d = embed_dim // num_heads
        self.heads = nn.ModuleList(OneHead(embed_dim, d) for _ in range(num_heads))
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        found = [head(x) for head in self.heads]  # h tensors (B, T, d)
        return self.proj(torch.cat(found, dim=-1))  # side by side: (B, T, h·d) = (B, T, D)


list_of_heads = ListOfHeads(embed_dim=48, num_heads=4)
print("tokens (2, 65, 48) →", tuple(list_of_heads(torch.randn(2, 65, 48)).shape))

# %% [markdown]
# Two details are easily misread. Every head sees the *whole* token: what is d numbers wide are its query, key and value, and each of them is computed from all D numbers. And without `proj` each head could write
# only into its own d numbers of the token.
#
# ## Step 4 · All heads in one go
#
# This code is right. Why change it? Because with h heads it makes 3·h small matrix products, one after the other, and processors are usually faster with a single large one. The maps of all heads can stand in one matrix of width 3·D,
# called `qkv`: first the queries of all heads, then all keys, then all values. What comes out has to be handed out to the heads, and that is the one tricky line of this notebook.
#
# Splitting D = 6 numbers of T = 4 tokens into h = 2 heads looks like a job for `view`. Let us use numbers that we can read: token t holds 10·t + 0, 1, …, 5. Head 0 should get the numbers
# that end in 0, 1, 2 of *every* token, head 1 those that end in 3, 4, 5. Before you go on: what does `view(h, T, d)` give to head 0?

# %%
diagrams.heads_in_memory(T=4, D=6, h=2)

# %% [markdown]
# `view` never moves a number. It takes them in the order in which they lie in memory, so head 0 gets the first twelve: all of tokens 0 and 1, and nothing of the others. It is the mistake of notebook 01 once more, and the shape
# is right again. The cure: split the last axis where it stands, (T, h, d), then move the heads to the front.

# %% tags=["nbval-check-output"]
T, D, h = 4, 6, 2
numbers = 10 * torch.arange(T)[:, None] + torch.arange(D)  # (T, D)
print("head 0, view alone (wrong):")
print(numbers.view(h, T, D // h)[0])
print("head 0, view and transpose:")
print(numbers.view(T, h, D // h).transpose(0, 1)[0])


# %% [markdown] tags=["exercise:split_heads"]
# Split the last axis of tokens (B, T, D) into h heads: (B, h, T, d). Head 0 gets the first d numbers of *every* token, head 1 the next d, and so on.
#
# Hint: First give names to the two parts of the last axis, where they stand: (B, T, h, d).
#
# Hint: Then the heads move in front of the tokens: two axes change places.


# %% tags=["exercise-only", "exercise:split_heads"]
def split_heads(x, num_heads):
    """Tokens (B, T, D) → (B, h, T, d): each head has some numbers of all tokens."""
    # solution
    # | return ...  # your code
    B, T, D = x.shape
    return x.reshape(B, T, num_heads, D // num_heads).transpose(1, 2)
    # end of solution


# %% [markdown] tags=["exercise:score_size"]
# *Predict.* The d = 64 numbers of a query are independent, with mean 0 and standard deviation 1, and so are those of a key. What is the standard deviation of their dot product?
#
# Hint: A dot product is a sum of 64 products. Each has variance 1, and variances of independent terms add up.
#
# Hint: The standard deviation is the square root of the variance.
#
# Solution: √64 = 8. This is what the √d is for: once they are divided by it, scores have size 1 whatever d is.

# %% tags=["exercise-only", "exercise:score_size"]
# solution
# | score_size = ...
score_size = 64**0.5
# end of solution

# %% [markdown]
# Now the pieces of the package. First, a check that h divides D:


# %% tags=["same-as:vit_minimal.attention.head_dim"]
# vit_minimal/attention.py
def head_dim(embed_dim, num_heads):
    """d = D / h. ValueError if h does not divide D."""
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"num_heads {num_heads} does not divide embed_dim {embed_dim}")
    return embed_dim // num_heads


# %% [markdown]
# Then the weighted mean itself, which can go two ways. The last two lines are the formula as you know it. The lines above them call PyTorch's function instead where it is faster; step 5 says when that is.


# %% tags=["same-as:vit_minimal.attention.attend"]
# vit_minimal/attention.py
def attend(queries, keys, values, mask=None, drop_rate=0.0):
    """What `attention_weights` mix of the values: three (B, h, T, d) → (B, h, T, d).

    With `drop_rate` some weights are zeroed at random and the rest scaled up (dropout).
    """
    if queries.is_cuda or queries.dtype == torch.float32:  # fused; slow on CPUs in bfloat16
        return nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=drop_rate
        )
    weights = attention_weights(queries, keys, mask)  # (B, h, T, T)
    return nn.functional.dropout(weights, drop_rate) @ values


# %% [markdown]
# And the module. `split_heads` makes queries, keys and values and hands them out to the heads; `forward` lets every head take its weighted mean, puts the heads side by side again and applies `proj`. The dropouts do nothing at their default rate of 0.

# %% [markdown] tags=["exercise:MultiHeadSelfAttention"]
# All of it in a module. `__init__` is written: `self.qkv` makes 3·D numbers of each token's D, the queries first, then the keys, then the values; `self.proj` is the last linear map. Write `split_heads`, which gives queries, keys and values, each (B, h, T, d), and `forward`: (B, T, D) → (B, T, D). You may leave out the dropouts and the mask. Your solutions of 3.1 and 3.2 are there as `attention_weights` and `split_heads`. (The method `self.split_heads(x)` has the same name as your function, but it needs no number of heads: the module knows it, `self.num_heads`.)
#
# Hint: `self.qkv(x).chunk(3, dim=-1)` gives three tensors (B, T, D). Each is split into heads as in exercise 3.2.
#
# Hint: weights @ values is (B, h, T, d). Before the heads can be put side by side again, h has to go back behind T. Then comes `self.proj`.
#
# Solution: (This is the course's version, which uses PyTorch's fused function where that is fast. `attention_weights(queries, keys) @ values` gives the same, up to rounding.)


# %% tags=["same-as:vit_minimal.attention.MultiHeadSelfAttention", "exercise:MultiHeadSelfAttention"]
# vit_minimal/attention.py
class MultiHeadSelfAttention(nn.Module):
    """Tokens (B, T, D) → tokens (B, T, D): h attentions side by side, each on d = D/h numbers.

    `mask` (T, T), True where a token (row) may attend to another (column); None: everywhere.
    """

    def __init__(self, embed_dim, num_heads, attn_drop_rate=0.0, proj_drop_rate=0.0, mask=None):
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)  # moves with the model
        self.num_heads, self.head_dim = num_heads, head_dim(embed_dim, num_heads)
        self.attn_drop_rate = attn_drop_rate
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def split_heads(self, x):
        """Tokens (B, T, D) → queries, keys and values, each (B, h, T, d)."""
        # solution
        # | return ...  # your code
        B, T, _ = x.shape
        heads = (B, T, self.num_heads, self.head_dim)  # D → (h, d)
        queries, keys, values = self.qkv(x).chunk(3, dim=-1)  # (B, T, D) each
        return (
            queries.reshape(heads).transpose(1, 2),
            keys.reshape(heads).transpose(1, 2),
            values.reshape(heads).transpose(1, 2),
        )
        # end of solution

    def forward(self, x):
        # solution
        # | return ...  # your code
        queries, keys, values = self.split_heads(x)
        drop_rate = self.attn_drop_rate if self.training else 0.0
        out = attend(queries, keys, values, self.mask, drop_rate)  # (B, h, T, d)
        out = out.transpose(1, 2).flatten(2)  # (B, T, D): the heads side by side again
        return self.proj_drop(self.proj(out))
        # end of solution


# %% [markdown] tags=["exercise:merge_heads"]
# *Find the bug.* The heads (B, h, T, d) are put side by side again: (B, T, D). The shape is right, and the model trains. But look at what the last lines print: only token 0 holds something, in both heads, and after the merge two tokens do. Repair the function.
#
# Hint: `reshape` reads the numbers in the order in which they lie: all of head 0 comes first, with all its tokens.
#
# Hint: Which axis must come first after the batch, so that all numbers of token 0 lie next to each other?
#
# Solution: T has to stand before h, as in (B, T, h, d). Then the last two axes are flattened.


# %% tags=["exercise-only", "exercise:merge_heads"]
def merge_heads(heads):
    """Heads (B, h, T, d) → tokens (B, T, h·d): the heads side by side."""
    # solution
    # | B, h, T, d = heads.shape
    # | return heads.reshape(B, T, h * d)
    return heads.transpose(1, 2).flatten(2)
    # end of solution


marked = torch.zeros(1, 2, 4, 3)
marked[:, :, 0] = 1  # token 0 in both heads
print(merge_heads(marked)[0])

# %% [markdown]
# Is this really the same as the list of heads? We can prove it by copying weights. The big matrix `qkv` gets the small ones stacked on top of each other: the queries of all heads, then the keys, then the values.

# %% tags=["nbval-check-output"]
fused = MultiHeadSelfAttention(embed_dim=48, num_heads=4)
heads = list_of_heads.heads
small_maps = [head.W_q for head in heads] + [head.W_k for head in heads]
small_maps = small_maps + [head.W_v for head in heads]  # 12 maps from D = 48 to d = 12
with torch.no_grad():
    fused.qkv.weight.copy_(torch.cat([small.weight for small in small_maps]))
    fused.qkv.bias.copy_(torch.cat([small.bias for small in small_maps]))
fused.proj.load_state_dict(list_of_heads.proj.state_dict())

x = torch.randn(2, 65, 48)  # (B, T, D)
print("fused = list of heads:", torch.allclose(fused(x), list_of_heads(x), atol=1e-6))

# %% [markdown]
# ### Somebody else's multi-head attention
#
# We could still have made the same mistake twice. PyTorch has a module of its own, `nn.MultiheadAttention`, written by other people. If it gets our weights, it must give our output. It takes queries, keys and values from three inputs, which are
# all x here, and returns the output and the weights.

# %% tags=["nbval-check-output"]
theirs = nn.MultiheadAttention(embed_dim=48, num_heads=4, batch_first=True)
theirs.in_proj_weight, theirs.in_proj_bias = fused.qkv.weight, fused.qkv.bias
theirs.out_proj.weight, theirs.out_proj.bias = fused.proj.weight, fused.proj.bias

output, _ = theirs(x, x, x)
print("equal:", torch.allclose(fused(x), output, atol=1e-6))

# %% [markdown]
# ## Step 5 · In practice
#
# What do the lines do that we have passed over? Three things.
#
# - **The fused kernel.** A kernel is a small program that runs on the processor. The formula needs several of them, one after the other, and stores all T × T weights in between. PyTorch's `scaled_dot_product_attention` is *fused*: one kernel does everything and never stores the weights. It
#   computes the same, up to rounding, as we have seen above.
# - **The choice.** Fused is not always faster. On the CPU this was written on, training with the formula is {{speed_of_the_formula("bfloat16"):.1f}} times as fast as with the fused function when both run
#   in bfloat16, a 16-bit kind of number. When both run in float32, the formula is {{1 - speed_of_the_formula("float32"):.0%}} slower.
#   {{assert speed_of_the_formula("float32") < 1 < speed_of_the_formula("bfloat16")}}
#   So `attend` calls the fused function on a GPU and in float32, and keeps the formula for a CPU in bfloat16.
# - **The dropouts.** Dropout sets some numbers to zero at random while a model trains. `proj_drop` is here because the ViT paper's recipe uses dropout after dense layers. `attn_drop_rate`, dropout on
#   the weights, is here because other libraries offer it. Both are off unless you ask for them.
#
# ## What do the heads look at in the cat?
#
# Enough of random numbers. This course ships with a model that was trained on CIFAR-10, 6 blocks with 3 heads each. It has never seen our cat. The function `attention_maps` gives the weights of all heads in all blocks. Row 0 of such a map belongs to the
# class token, and its entries 1 to 64 say how much the class token takes from each patch, so we can lay them over the photo.

# %%
model = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
with torch.no_grad():
    probabilities = model(normalize(cat[None])).softmax(dim=-1)[0]  # (10,)
best = probabilities.argmax()
print(f"the model says {CIFAR10_CLASSES[best]} with {probabilities[best]:.2f}")


def class_token_looks(image):
    """Image (C, H, W) → (L, h, N): what the class token takes from each patch."""
    maps = attention_maps(model, image[None])  # (L, B, h, T, T): block, image, head, from, to
    return maps[:, 0, :, 0, 1:]  # of the only image; from token 0; to tokens 1 … 64


looks = class_token_looks(cat)  # (L, h, N)
head_names = ["head 0", "head 1", "head 2"]
diagrams.attention_over(cat_large, looks[3], (8, 8), head_names, columns=2)  # 3 is block 4

# %% [markdown]
# These are the three heads of block 4, and the bright patches are those that the class token looks at. Head 1 has found the eyes. Both of them! Nobody told the model what an eye is. It was trained on images and ten class names, nothing else.
# The other two heads do not look at the same places. Head 2 is mostly at the brow and the bridge of the nose, and head 0 spreads its attention more widely. Each head has its own queries and keys, so each can be looking for something else. (Blocks are counted from 1 in this course, heads from 0.)
#
# And the other blocks? Here is what the class token looks at in each of them, as the mean over the three heads:

# %%
block_names = [f"block {i}" for i in range(1, 7)]
diagrams.attention_over(cat_large, looks.mean(dim=1), (8, 8), block_names)

# %% [markdown]
# In block 1 it looks nearly everywhere. No patch gets twice as much as an equal share, which is 1/65. Then it begins to choose: the lower part of the picture in block 2, the eyes in block 4, the nose and mouth in block 5. Not everything makes such a nice story. In block 3 the brightest patch is a pale spot at the right edge, and that is not even cat.
#
# How do the heads differ? One way to put a number on it is to count the patches that it takes to collect half of the attention. If a head looked at all patches equally, it would be 32.

# %%
largest_first = looks.sort(dim=-1, descending=True).values  # (L, h, N)
collected = largest_first.cumsum(dim=-1) / largest_first.sum(dim=-1, keepdim=True)
patches_for_half = (collected < 0.5).sum(dim=-1) + 1  # (L, h)
plots.show_matrix(
    patches_for_half.T,  # (h, L)
    head_names,
    range(1, 7),
    "How many patches hold half of the attention?",
    x_label="block",
)

# %% [markdown]
# Heads of the same block can be far apart. In block 4, four patches hold half of what head 1 takes, while head 0 needs sixteen. The heads of block 1 come nearest to 32.
#
# In step 2 we promised to count something. With x·xᵀ all 64 patches looked most at themselves, and the scores were symmetric. How is it in a trained model, with its maps $W_q$ and $W_k$?

# %%
maps = attention_maps(model, cat[None])[:, 0]  # (L, h, T, T)
among_patches = maps[:, :, 1:, 1:]  # (L, h, N, N)
own = (among_patches.argmax(dim=-1) == torch.arange(64)).float().mean()
print(f"over all heads, {own:.0%} of the patches look most at themselves")

block_4_head_1 = maps[3, 1]  # (T, T)
print(f"[class] looks at patch 27 with {block_4_head_1[0, 28]:.3f}")  # patch 27 is token 28
print(f"patch 27 looks at [class] with {block_4_head_1[28, 0]:.3f}")

# %% [markdown]
# Most patches look mainly at something else, and the class token looks at the corner of the eye much more than the eye looks back. The three roles have come apart, and this is what the maps are for.
#
# ### Does the head look for eyes, or for a place?
#
# Perhaps head 1 of block 4 always looks at the same patches, and the eyes happened to be there. We can test that. Mirror the photo, so that the eyes are somewhere else. And give it a photo without eyes, a rocket at night. What do you expect?

# %%
name = ["block 4, head 1"]
mirrored, mirrored_large = cat.flip(dims=[-1]), cat_large.flip(dims=[-1])
head_1 = class_token_looks(mirrored)[3, 1]  # (N,)
diagrams.attention_over(mirrored_large, head_1[None], (8, 8), name, arrows=3)

# %%
rocket_file = Path(data.__file__).with_name("rocket.jpg")
rocket, rocket_large = load_image(rocket_file, 32), load_image(rocket_file, 96)
head_1 = class_token_looks(rocket)[3, 1]  # (N,)
diagrams.attention_over(rocket_large, head_1[None], (8, 8), name, arrows=3)

# %% [markdown]
# The arrows lead to the three patches with the largest weights. In the mirrored photo the weights have followed the eyes to the other side. So it is not the place that counts: the weights are computed from the tokens, as promised. But on the rocket the same head looks at the lights on the ground. "It looks for eyes" was too much to say. "It looks for small bright or dark things that stand out" fits both photos better, and
# after a hundred photos we would probably put it differently again.
#
# So be careful with names for heads. One photo suggests a story, and a second photo can spoil it. Whether the model *uses* what it looks at is yet another question, to which notebook 06 has answers.
#
# ### And before training?
#
# Is the pattern really learned? An untrained model is the control. Its class token looks at all patches nearly equally, and it is worth knowing why, because there are two possible reasons. Its class token is small, since its numbers start at a few hundredths. And its *matrices* are small:
# in a ViT they start with random numbers of size 0.02. But between token and matrix stands a **layer norm**, which notebook 04 explains; here it is enough that it brings every token to size 1. So which of the two keeps the row flat? We try all four combinations.

# %%
untrained = VisionTransformer(model.config)
photo = normalize(cat[None])  # (B, C, H, W)
x = untrained.pos_embed(untrained.cls_token(untrained.patch_embed(photo)))  # (B, T, D), notebook 02
sizes = {"as it starts": x, "normed": untrained.blocks[0].norm1(x)}
layers = {"of nn.Linear": MultiHeadSelfAttention(192, 3), "of size 0.02": untrained.blocks[0].attn}

for size, tokens in sizes.items():
    for matrices, layer in layers.items():
        q, k, _ = layer.split_heads(tokens)
        shares = 65 * attention_weights(q, k)[0, :, 0]  # (h, T): 1 is an equal share
        print(f"token {size:12}, matrices {matrices:12}: {shares.min():.2f} … {shares.max():.2f}")

shares = 65 * maps[3, :, 0]  # (h, T)
print(f"{'trained, block 4':42}: {shares.min():.2f} … {shares.max():.2f}")

# %% [markdown]
# The numbers are shares in units of an equal share, so 1.00 … 1.00 would be perfectly flat. A token as it starts gives a flat row with either matrix, because a small token makes a small query. But no ViT works like this: its norm comes first. The last of the four lines is a real untrained model. Its tokens
# have size 1, and what keeps its scores near 0 and its row nearly flat are the small matrices. With the larger numbers that PyTorch's `nn.Linear` starts with, the row is uneven even before training, at random.
#
# So a flat row is where a real model starts, and training has to make the difference. It did: in block 4 of the trained model the class token gives one patch ten times an equal share.
#
# ## What attention cannot see: order
#
# Does attention know which patch stands where? Notebook 02 claimed that it does not, and now we can prove it. Let $\Pi$ be a permutation, which puts the tokens into another order. Queries, keys and values are computed token by token, so they
# are permuted too. The scores become $\Pi QK^\top\Pi^\top$: the same numbers, with rows and columns moved. The softmax works on each row, and for a weighted
# mean it does not matter in which order one adds. So the output is $\Pi$ applied to the old output. In one word, attention is **permutation equivariant**:

# %% tags=["nbval-check-output"]
x = torch.randn(2, 65, 48)  # (B, T, D)
order = torch.randperm(65)
print(
    "permute, then attend = attend, then permute:",
    torch.allclose(fused(x[:, order]), fused(x)[:, order], atol=1e-6),
)

# %% [markdown]
# If the class token stays first and only the patches are shuffled, its output does not change at all. Position embeddings are the only
# thing that tells a ViT what is next to what.
#
# ## Masks: who may look at whom
#
# What becomes of a token that may not look at the others? Notebook 02 announced this mistake, and here it is. We mask row 0 except for its first entry, so that the class token may look only at itself. (Masking its *column* would be another mistake: it would hide the class token from the
# patches, and the class token could still read them.) Two images, one class token. Will the class token's output be the same for both?

# %% tags=["nbval-check-output"]
two_images = torch.randn(2, 65, 48)  # (B, T, D)
two_images[:, 0] = two_images[0, 0]  # the class token is the same in both, as at the start
mask = torch.ones(65, 65, dtype=torch.bool)
mask[0, 1:] = False  # row 0: the class token sees only itself
q, k, v = fused.split_heads(two_images)
masked = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)[:, :, 0]
print("masked: the same for both images:", torch.equal(masked[0], masked[1]))
free = F.scaled_dot_product_attention(q, k, v)[:, :, 0]
print("free:   the same for both images:", torch.equal(free[0], free[1]))

# %% [markdown] tags=["exercise:blind_mask"]
# *Predict.* `mask` (T, T) is True where a query (row) may look at a key (column). Token 0 is the class token. Which line makes it look only at itself?
#
# - a: `mask[0, 1:] = False`
# - b: `mask[1:, 0] = False`
# - c: `mask[:, 0] = False`
# - d: `mask[0, 0] = False`
#
# Hint: Row i holds the weights of query i.
#
# Hint: The class token's query has one row. Which entries of it belong to the other tokens?
#
# Solution: **a**. Row 0 says what the class token looks at; all entries but its own are closed.

# %% tags=["exercise-only", "exercise:blind_mask"]
# solution
# | blind_mask = ...  # "a", "b", "c" or "d"
blind_mask = "a"
# end of solution

# %% [markdown]
# With the mask, the class token learns nothing about either image. The patches still exchange what they know, but nobody reads the result. Notebooks 09 and 10 put such masks into whole models.
#
# ## What it costs
#
# How much work is it when everybody looks at everybody? T queries meet T keys, so there are T² weights in each head:

# %% tags=["nbval-check-output"]
for side, patch in ((32, 4), (384, 16)):
    T = (side // patch) ** 2 + 1
    print(f"image {side:3}, patch {patch:2}: T = {T:3}, {T * T:7,} weights in each head")

# %% [markdown]
# Nine times as many tokens make 79 times as many weights. Twice the side of the image, or half the side of the patch, means four times T and
# sixteen times the weights. The linear maps, on the other hand, work token by token, so their cost grows with T only. We measure both parts of one layer, for one image on this machine.


# %%
def milliseconds(function, *inputs, repeats=10):
    """The time of a call: the best of several, since other programs can only make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*inputs)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


def weighted_mean(q, k, v):
    return attention_weights(q, k) @ v


# %%
layer = MultiHeadSelfAttention(192, 3)
lengths = [65, 145, 257, 577]  # 8², 12², 16² and 24² patches, and a class token
mean_part, linear_part = [], []


def linear_maps(x):
    return layer.proj(layer.qkv(x)[..., :192])  # 192 numbers, as many as the heads would give


with torch.no_grad():
    for T in lengths:
        x = torch.randn(1, T, 192)  # (B, T, D)
        mean_part.append(milliseconds(weighted_mean, *layer.split_heads(x)))
        linear_part.append(milliseconds(linear_maps, x))

# %%
lines = {"softmax(QKᵀ/√d)·V": mean_part, "linear maps": linear_part}
plots.show_lines(
    lengths, lines, "tokens T", "milliseconds", "One attention layer, one image", log="xy"
)

# %% [markdown]
# On logarithmic axes the slope is the power: about 1 for the linear maps, and 2 for the arithmetic of the weighted mean when T is large. (Measured times can differ from that,
# since memory has a say too.) At T = 65 the quadratic part is the smaller one. At T = 577, the length for an image of 384 pixels in patches of 16, it is most of the
# attention layer.
#
# And was step 4 worth the trouble? Here are twelve heads, in a loop and in one go:

# %%
in_a_loop, in_one_go = ListOfHeads(192, 12), MultiHeadSelfAttention(192, 12)
x = torch.randn(1, 65, 192)  # (B, T, D)
with torch.no_grad():
    print(f"list of heads {milliseconds(in_a_loop, x):.2f} ms")
    print(f"in one go     {milliseconds(in_one_go, x):.2f} ms")

# %% [markdown]
# In the run saved here, one go takes less than half the time of the loop. Two things help it: a few large matrix products in place of many small ones, and the fused kernel of step 5.
#
# ## Recap
#
# - Attention is a weighted mean of values. A score is query · key, divided by √d, and the softmax over the keys makes the weights of each row sum to 1.
# - Three linear maps let a token look for one thing, offer another and hand over a third. With x·xᵀ a token could only look for what resembles it, most of all itself.
# - Several heads make several mixtures. In memory, split the last axis into (h, d) first, then move h to the front; `view` alone mixes up the tokens.
# - Attention does not see order, and the number of weights grows with T².
# - In attention, the class token is changed by its own row only. Mask that row, and it learns nothing about the image.
#
# > **Remember:** a query says what a token is looking for, a key what a token offers, a value what it hands over. Row 0 of the weights is what the class token looks at.
#
# ## Questions
#
# **1.** Somebody divides by √D instead of √d, with h = 12 heads. What happens to the attention weights?
#
# <details><summary>Answer</summary>
#
# √D is √12 ≈ 3.5 times as large as √d. The scores have 1/3.5 of their size, so at the start the weights are even closer to equal. The model trains, since queries
# and keys can grow to make up for it. But it is not the model that the paper describes, and parameters that were trained elsewhere give wrong results.
#
# </details>
#
# **2.** How many parameters does `MultiHeadSelfAttention(192, 3)` have? And with 6 heads?
#
# <details><summary>Answer</summary>
#
# qkv has 192 · 576 + 576 = 111,168, proj has 192 · 192 + 192 = 37,056, together 148,224. With 6 heads there are just as many: more heads only cut the same numbers
# into thinner slices.
#
# </details>
#
# **3.** All keys are equal. What does a token get, whatever its query is?
#
# <details><summary>Answer</summary>
#
# All scores are equal, so all weights are 1/T. Every token gets the plain mean of the values.
#
# </details>
#
# **4.** Somebody saves parameters and uses one matrix for both $W_q$ and $W_k$. Which limitation of x·xᵀ goes away, and which stays?
#
# <details><summary>Answer</summary>
#
# The scores stay symmetric: query i · key j is the same number as query j · key i. So the eye cannot be looked at without looking back. What goes away is that raw
# resemblance decides: the matrix can ignore some numbers and enlarge others. Still, among tokens whose mapped vectors have one length, each would look most at itself.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 03](exercises/03_attention.ipynb), which check your answers and tell you what is wrong with them.
#
# **Next: [04 · The Vision Transformer](04_vision_transformer.ipynb).** Patches, a class token, attention: we put the whole model together.
