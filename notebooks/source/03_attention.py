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
# | Time to read | about 60 minutes |
# | Sittings | two, with a place for a coffee between them |
# | Time to run | less than a minute, on any machine |
# | Package module | `vit_minimal/attention.py` |
#
# **Letters:** B images in a batch, N patches, T = N + 1 tokens, D numbers in a token, L blocks, h heads, d = D / h numbers in a head.

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
    plots,
)
from vit_minimal.augment import normalize
from vit_minimal.data import CIFAR10_CLASSES

torch.manual_seed(0)
torch.set_printoptions(precision=4, sci_mode=False)

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
# But at which tokens, and how much at each? Here is the answer, and the rest of this notebook explains it:
#
# > **Attention is a weighted mean. Each token takes a mean of what all tokens hand over, and the weights of this mean are computed from the tokens themselves.**
#
# The second half is what makes it special. A mean with fixed weights would look at the same places in every image. When the weights come from
# the tokens, they can follow the cat wherever it sits, and later in this notebook you will watch them do it. What a token gets in this way does not replace the token. It is *added* to it, as the overview says.
#
# We build attention in four steps: one query by hand, one head, a list of heads, and the same heads in one go. Then you can have a coffee, and after it comes the reward: what trained heads look at, and what patch 27 finds. Step 5, what libraries do in practice, stands
# at the end, and you can skip it on a first reading.
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
# Our example has three tokens of two numbers: the class token, a patch of a nose and a patch of an eye. In a token and in its query and key, let the first number say how round something is,
# and the second how orange. In its value, let the first number count as evidence for "there is an eye", and the second for "there is a nose". In a trained model nobody gives the numbers such names, but they help us to follow. The class token is looking for
# something round, so its query is (1, 0).

# %% tags=["nbval-check-output"]
names = ["[class]", "nose", "eye"]
tokens = torch.tensor([[1.0, 1.0], [0.0, 2.0], [2.0, 0.0]])  # (T, D): how round, how orange

query = torch.tensor([1.0, 0.0])  # (d,): what [class] is looking for
keys = torch.tensor([[1.0, 0.0], [0.0, 2.0], [2.0, -2.0]])  # (T, d): what each token offers
values = torch.tensor([[5.0, 5.0], [0.0, 10.0], [10.0, 0.0]])  # (T, d): what it hands over

scores = torch.stack([query @ key for key in keys])  # (T,): how well does each key fit?
print("scores ", scores)

# %% [markdown]
# The dot product measures the fit: multiply number by number and add up. With the key of [class] that is 1·1 + 0·0 = 1, with the nose's it is 0, and with the eye's 2. So the eye fits best and the nose not at all. The −2 in the eye's key plays no part yet. A negative number in a key means: do not come to me if you look for orange.
#
# Scores are not yet weights. The weights of a mean have to be positive and sum to 1, and the **softmax** turns scores into such weights: take e to the power of each score, and divide
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
# The whole step in one picture, with the same numbers (rounded to two digits):

# %%
diagrams.attention_by_hand(tokens, query, keys, values, names, scaled=False)

# %% [markdown]
# Follow one row from left to right: a token's key meets the query and gives a score, the softmax makes a weight of it, and the weight decides how much of the token's value is taken. The
# bar at the bottom adds up the three rows.
#
# What did the class token get? Every value has ten points to give. The eye gives all ten to *eye*, the nose gives all ten to *nose*, and the class token, which knows nothing yet, gives five to each. The class token was looking for
# something round, and in the answer 7.88 of the ten points say *eye*. Most of them, 6.65, come from the eye itself, and 1.22 come from the class token's own undecided value.
#
# ## Step 2 · One head: three linear maps
#
# Where do queries, keys and values come from? We made them up, but a model has to compute them, and all it has are the tokens. It does so with three
# linear maps, whose matrices are learned. If the rows of a matrix x are the tokens, one matrix product serves them all at once:
#
# $$Q = x W_q, \qquad K = x W_k, \qquad V = x W_v$$
#
# Attention with one such set of three maps is called a **head**. The numbers of step 1 came from these three matrices:

# %% tags=["nbval-check-output"]
W_q = torch.tensor([[0.0, 0.5], [1.0, -0.5]])  # (D, d)
W_k = torch.tensor([[1.0, -1.0], [0.0, 1.0]])
W_v = torch.tensor([[5.0, 0.0], [0.0, 5.0]])

queries = tokens @ W_q  # (T, D) @ (D, d) → (T, d)
print("query of [class] as in step 1:", torch.equal(queries[0], query))
print("keys as in step 1:  ", torch.equal(tokens @ W_k, keys))
print("values as in step 1:", torch.equal(tokens @ W_v, values))
print("queries of all three tokens:", queries.tolist())

# %% [markdown]
# Some words in this notebook have two meanings, so let us agree. *Weights* are always the weights of the mean, and learned numbers are called parameters (though PyTorch calls them `weight`). A *linear map* is a layer, while an *attention map* is a table of weights, and soon a picture. And the *head* in the overview, which gives the class scores, is not a head of attention.
#
# The class token is not the only one that is looking for something. The nose has the query (2, −1), something round and not orange, and the eye has (0, 1), something orange. With T queries we need T · T scores, and
# this is again a matrix product: row i of $QK^\top$ holds the scores of query i with all keys. We check it against a loop.

# %% tags=["nbval-check-output"]
loop = []
for q in queries:
    loop.append((keys @ q).softmax(dim=0) @ values)
loop = torch.stack(loop)  # (T, d)

weights = (queries @ keys.T).softmax(dim=-1)  # (T, T)
print(weights @ values)
print("loop = matrix product:", torch.allclose(loop, weights @ values))

# %% [markdown]
# The softmax must run over the *keys*, the last axis. Over the other axis all shapes stay the same, so nothing complains. What will the rows sum to then?

# %% tags=["nbval-check-output"]
wrong = (queries @ keys.T).softmax(dim=0)  # over the queries: wrong
print("rows sum to", wrong.sum(dim=1), "and should sum to 1")

# %% [markdown]
# ### Why not simply compare the tokens?
#
# Are the maps W_q and W_k necessary? We could leave them out and take the dot product of token and token, $xx^\top$. Here are the scores without and with the maps (purple is positive, orange is negative, white is zero):

# %%
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
plots.show_matrix(tokens @ tokens.T, names, names, "x·xᵀ: no maps", axis=axes[0], signed=True)
plots.show_matrix(queries @ keys.T, names, names, "QKᵀ: with maps", axis=axes[1], signed=True)
for axis in axes:
    axis.set_xlabel("is looked at")
axes[0].set_ylabel("looks")
plots.show("scores of three tokens: without the maps the table is symmetric, with them it is not")

# %% [markdown]
# Each row belongs to a token that looks, and each column to one that is looked at. The largest score in a row gets the largest weight. Compare the two tables:
#
# - **Without the maps, the scores are symmetric.** Mirror the left table at its diagonal, and nothing changes. So the score of nose with eye is also that of eye with nose. (The weights need not be equal, because each row has a softmax of its own.) On the right, the nose gives the eye a 6, and the eye gives the nose a 2.
# - **Without the maps, a token looks at what resembles it**, and nothing resembles the eye as much as the eye. (Among tokens of the same length this is always so. A much longer token can still win.) With the maps, the nose looks at the eye and the eye at the nose.
# - **Without the maps, [class] cannot say what it wants.** In our example it is as similar to the nose as to the eye. With the maps it can look for one thing and leave the other.
#
# And W_v? It decides what is handed over. Ours only multiplies by five, so our values look like copies of the tokens. But the class token could find the eye because it is *round*, and then take only its *colour* from it: with $W_v = (0\;\;1)^\top$ each token would hand over how orange it is and nothing else.
#
# What I am looking for, what I offer and what I hand over are three different things. That is why there are three maps.
#
# ### Why divide by √d
#
# The paper that introduced the Transformer ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Eq. 1) writes what we have so far in one line, with one more piece:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$
#
# What is the √d doing there? Let us first see what the softmax does when scores grow. We take the scores of step 1, then twice and four times as much:

# %%
purple = "#AA4499"  # the colour of attention in this course
figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), sharey=True, layout="constrained")
for axis, factor in zip(axes, (1, 2, 4), strict=True):
    weights = (factor * scores).softmax(dim=0)  # (T,)
    bars = axis.bar(names, weights, color=purple)
    axis.bar_label(bars, fmt="%.4f")
    axis.set(title=f"scores × {factor}", ylim=(0, 1.12))
axes[0].set_ylabel("weight")
plots.show("weights of three tokens: the larger the scores, the more goes to the eye")

# %% [markdown]
# The ranking of the tokens is the same in all three panels, but the larger the scores, the more the winner takes. The softmax looks at differences: if the best score leads the next by 10, its weight is e¹⁰ ≈ 22,000 times as large.
#
# Now, how large are the scores of a model? A score is a sum of d products. Suppose that queries and keys are independent random numbers with mean 0 and variance 1. Then each product has mean 0 and
# variance 1 too, and variances of independent terms add up. The score has variance d, so its typical size should be √d. Let us measure it:

# %%
for d in (4, 16, 64, 256, 1024):
    products = torch.randn(2000, d) * torch.randn(2000, d)  # 2000 queries, each with a key
    size = products.sum(dim=1).std().item()
    print(f"d = {d:4}: √d = {d**0.5:2.0f}, a score's standard deviation is {size:4.1f}")

# %% [markdown]
# The measured sizes agree with √d. A head of most ViTs has d = 64 numbers, so its scores would be of size 8. Here is one query with 65 keys at d = 64, without and with the division.
#
# The cell also prints the **room for change**: how much the weights p would still move if the scores moved a little. It is the sum of p(1 − p) over the row, and below the figure we shall see why.

# %%
random_scores = torch.randn(64) @ torch.randn(64, 65)  # (T,): one query, 65 keys
figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True, layout="constrained")
for axis, name, divisor in zip(axes, ("not divided", "divided by √d"), (1, 8), strict=True):
    weights = (random_scores / divisor).softmax(dim=0)  # (T,)
    axis.bar(range(65), weights, color=purple)
    axis.set(title=name, xlabel="key")
    room = (weights * (1 - weights)).sum()  # how much the weights can still move
    print(f"{name:13}: largest weight {weights.max():.2f}, room for change {room:.2f}")
axes[0].set_ylabel("weight")
plots.show("65 weights: not divided, a few have nearly all; divided, nearly all have a part")

# %% [markdown]
# Not divided, a few of the 65 keys take nearly everything, for no reason at all: these vectors are random. Divided, nearly every key keeps a part.
#
# Worse, the model can hardly get out of this. Learning moves scores by small steps, so what does a small step do to a weight p? If the score grows by a little, the weight grows by p(1 − p) times that little. Let the score grow by 0.1. A weight of 0.5 grows by about 0.025. A weight of 0.99 grows by about 0.001, and so does
# a weight of 0.01. Where one weight is near 1 and all others are near 0, nothing moves: the softmax is **saturated**.
#
# A flat row has small weights too, 1/65 each. But there are 65 of them, and together they can still move a lot. So we add up p(1 − p) over the row. This is the room for change that the cell has printed, and for a perfectly flat row it is 64/65, nearly 1.
#
# We divide by √d and not by d, because it is the *variance* that grows with d. And d is the width **of a head**, not of the token. Let us redo step 1, where d = 2: divided by √2, the scores are 0.71, 0 and 1.41, the weights 0.28, 0.14 and 0.58, and 7.18 of the ten points say *eye*, instead of 7.88.
#
# To be honest, a real ViT does not start with such large scores. Its matrices begin with random numbers of size 0.02, so its queries and keys are small and nothing saturates, divided or not. But queries and keys grow during training, and √d keeps the behaviour of the softmax the same for every width d.
#
# Now the formula as a function. Look at its first and its last line. What stands between them, the **mask**, says who may look at whom. It gets its own section below, and a ViT leaves it at None.


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
# From one head the class token gets (5, 5), and this is exactly its own undecided value. It cannot tell "an eye and a nose" from "I looked at nobody but myself". Two heads keep the two findings apart.
#
# So attention runs h times side by side. Each head has its own three maps, and therefore its own idea of what to look for. In our example the second head made the answer twice as long. Real heads *share* the width instead: each works with d = D / h numbers, so two heads have half the width each, and the outputs of all heads, put next to each other, have D numbers again. At
# the end one more linear map, `proj`, mixes what the heads have found.

# %%
diagrams.heads_side_by_side(num_heads=3, embed_dim=192)

# %% [markdown]
# Read the picture from top to bottom. The small squares are the weights of each head, T rows and T columns, and they differ from head to head (here they are made up). The box `qkv` is three maps in one: it makes the queries, the keys and the values of all heads. Step 4 will
# write it that way.
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
# Two details are easily misread. Every head sees the *whole* token. Only its query, key and value are d numbers wide, and each of them is computed from all D numbers. And without `proj` each head could write
# only into its own d numbers of the token.
#
# ## Step 4 · All heads in one go
#
# This code is right. Why change it? Because with h heads it makes 3·h small matrix products, one after the other, and processors are usually faster with a single large one. The linear maps of all heads can stand in one matrix of width 3·D,
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
# With that line, multi-head attention is one small class. (`unflatten` splits one axis into two, as `view` just did.) The heart of it is still the two lines of `OneHead`, the weights and the mean. They now serve all heads at once, because a matrix product in PyTorch leaves the axes in front, B and h, as they are:


# %%
class AllHeadsAtOnce(nn.Module):
    """Tokens (B, T, D) → tokens (B, T, D): h heads, side by side."""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, embed_dim // num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def split_heads(self, x):  # (B, T, D) → (B, h, T, d)
        return x.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)  # (B, T, D) each
        q, k, v = self.split_heads(q), self.split_heads(k), self.split_heads(v)
        weights = attention_weights(q, k)  # (B, h, T, T)
        out = weights @ v  # (B, h, T, d)
        out = out.transpose(1, 2).flatten(2)  # (B, T, D): the heads side by side again
        return self.proj(out)


# %% [markdown]
# Is this really the same as the list of heads? We can check it by copying parameters. The big matrix `qkv` gets the small ones stacked on top of each other: the queries of all heads, then the keys, then the values.

# %% tags=["nbval-check-output"]
all_at_once = AllHeadsAtOnce(embed_dim=48, num_heads=4)
heads = list_of_heads.heads
small_maps = [head.W_q for head in heads] + [head.W_k for head in heads]
small_maps = small_maps + [head.W_v for head in heads]  # 12 maps from D = 48 to d = 12
with torch.no_grad():
    all_at_once.qkv.weight.copy_(torch.cat([small.weight for small in small_maps]))
    all_at_once.qkv.bias.copy_(torch.cat([small.bias for small in small_maps]))
all_at_once.proj.load_state_dict(list_of_heads.proj.state_dict())

x = torch.randn(2, 65, 48)  # (B, T, D)
same = torch.allclose(all_at_once(x), list_of_heads(x), atol=1e-6)
print("all at once = list of heads:", same)

# %% [markdown]
# ### Somebody else's multi-head attention
#
# We could still have made the same mistake twice. PyTorch has a module of its own, `nn.MultiheadAttention`, written by other people. If it gets our parameters, it must give our output. It takes queries, keys and values from three inputs, which are
# all x here, and returns the output and the weights.

# %% tags=["nbval-check-output"]
theirs = nn.MultiheadAttention(embed_dim=48, num_heads=4, batch_first=True)
theirs.in_proj_weight, theirs.in_proj_bias = all_at_once.qkv.weight, all_at_once.qkv.bias
theirs.out_proj.weight, theirs.out_proj.bias = all_at_once.proj.weight, all_at_once.proj.bias

output, _ = theirs(x, x, x)
print("equal:", torch.allclose(all_at_once(x), output, atol=1e-6))

# %% [markdown]
# You have written the multi-head attention of the Transformer, and you have checked it against PyTorch's. **This is a good place for a coffee.** What comes next needs no new mathematics, only curiosity.
#
# ## What do the heads look at in the cat?
#
# Enough random numbers. This course ships with a model that was trained on CIFAR-10, L = 6 blocks with h = 3 heads each. It has never seen our cat. The function `attention_maps` computes, from the model's own queries and keys, the weights of all heads in all blocks. Row 0 of such a map belongs to the
# class token, and its entries 1 to 64 say how much the class token takes from each patch, so we can lay them over the photo. (Blocks are counted from 1 in this course, heads from 0.)

# %%
model = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")


def says(image):
    """What the model takes an image (C, H, W) for, and with what probability."""
    with torch.no_grad():
        probabilities = model(normalize(image[None])).softmax(dim=-1)[0]  # (10,)
    best = probabilities.argmax()
    return f"the model says {CIFAR10_CLASSES[best]} with {probabilities[best]:.2f}"


print(says(cat))
cat_maps = attention_maps(model, cat[None])[:, 0]  # (L, h, T, T): block, head, from, to

block, class_token = 4, 0
head_names = ["head 0", "head 1", "head 2"]
looks = cat_maps[block - 1, :, class_token, 1:]  # (h, N)
diagrams.attention_over(cat_large, looks, (8, 8), head_names, columns=2)

# %% [markdown]
# These are the three heads of block 4. The class token looks at the purple patches, and below each picture you read what full purple stands for. (An equal share for each of the 65 tokens would be one sixty-fifth, about 1.5 %.) Head 1 has found the eyes. Both of them! Nobody told the model what an eye is. It was trained on images and ten class names, nothing else.
#
# The other two heads distribute their attention differently. Head 0 also looks most at a patch of the left eye, but it spreads the rest widely. Head 2 takes most from the fur beside the left eye, and much from the brow and the bridge of the nose. Each head has its own queries and keys, so each can be looking for something else.
#
# ### And patch 27?
#
# We began with the question what patch 27 is. The maps of one block cannot answer it, but they show where patch 27 looks for an answer. Where would *you* look, if you had to find out whether you are part of a face? In the next picture patch 27 has a dark frame.

# %%
marked = cat_large.clone()  # (C, H, W), 12 pixels to a patch
marked[:, 35:49, 35:49] = 0  # a black square around patch 27 …
marked[:, 37:47, 37:47] = cat_large[:, 37:47, 37:47]  # … and the photo back inside it

token = 27 + 1  # token 0 is the class token
diagrams.attention_over(marked, cat_maps[block - 1, :, token, 1:], (8, 8), head_names, columns=2)

# %% [markdown]
# In head 0, patch 27 looks most at **the other eye**, and then at the nose. In head 1 it looks at its own eye: at itself and at the patch above it. Head 2 is less easy to read. Its largest weight goes to a patch of fur at the left edge.
#
# The 16 pixels of patch 27 could have been anything. After this block its token also holds something of the other eye and of the nose. (By block 4 all tokens have looked around three times already, so the token of the other eye is more than its pixels, too.)
#
# ### Block by block
#
# And the class token in the other blocks? Here is what it looks at in each of them, as the mean over the three heads:

# %%
block_names = [f"block {i}" for i in range(1, 7)]
class_token_looks = cat_maps[:, :, class_token, 1:].mean(dim=1)  # (L, N)
diagrams.attention_over(cat_large, class_token_looks, (8, 8), block_names)

# %% [markdown]
# Read the numbers below the pictures, since each picture has its own purple. In block 1 the class token looks nearly everywhere: no patch gets as much as twice an equal share. Full purple lies in the corners there, and we cannot say why. Then it begins to choose: the lower part of the picture in block 2, the eyes in block 4, the nose and mouth in block 5. Not everything makes such a nice story. In block 3 its favourite patch is a pale spot at the right edge, and that is not even cat. In block 5 the top right corner gets nearly as much as the nose.
#
# ### Does the head look for eyes, or for a place?
#
# Perhaps head 1 of block 4 always looks at the same patches, and the eyes happened to be there. We can test that. We mirror the photo *and* move it down by two patches. (What leaves the picture below comes in again at the top.) Now the eyes are somewhere else, in both directions. What do you expect?

# %%
name, head = ["block 4, head 1"], 1


def moved(image, patches_down):
    """An image (C, H, W), mirrored and moved down."""
    pixels = patches_down * image.shape[1] // 8
    return image.flip(dims=[-1]).roll(pixels, dims=1)


maps = attention_maps(model, moved(cat, 2)[None])[:, 0]  # (L, h, T, T)
looks = maps[block - 1, head, class_token, 1:]  # (N,)
print(says(moved(cat, 2)))
diagrams.attention_over(moved(cat_large, 2), looks[None], (8, 8), name, arrows=3)

# %% [markdown]
# The arrows lead to the three patches with the largest weights, skipping each that touches a larger one. These have followed the eyes, to the other side and down. So it is not the place alone that counts: the weights are computed from the tokens, as promised. (The model was trained on mirrored and shifted images, so it had the chance to learn this.) Its answer stays at 0.89 too. That does not hold for every move: notebook 04 moves the photo sideways, and at 8 pixels the cat gets only 0.60.
#
# And a photo without eyes, a rocket at night?

# %%
rocket_file = Path(data.__file__).with_name("rocket.jpg")
rocket, rocket_large = load_image(rocket_file, 32), load_image(rocket_file, 96)
maps = attention_maps(model, rocket[None])[:, 0]  # (L, h, T, T)
looks = maps[block - 1, head, class_token, 1:]  # (N,)
print(says(rocket))
diagrams.attention_over(rocket_large, looks[None], (8, 8), name, arrows=3)

# %% [markdown]
# The model takes the rocket for a ship, an honest mistake, since CIFAR-10 has no rockets. The same head now looks at the lights on the ground. "It looks for eyes" was too much to say. "It looks for small things that stand out" fits both photos better, and
# after a hundred photos we would probably put it differently again.
#
# So be careful with names for heads. One photo suggests a story, and a second photo can spoil it. Whether the model *uses* what it looks at is yet another question, to which notebook 06 has answers.
#
# ### And before training?
#
# Is all of this really learned? An untrained model of the same shape is the control, and we compare two things. How uneven is the class token's row in block 4? And how often does a patch look most at itself? (We count all heads of all blocks. By chance alone it would be one time in 64.)

# %%
untrained = VisionTransformer(model.config)
untrained_maps = attention_maps(untrained, cat[None])[:, 0]  # (L, h, T, T)

for kind, maps in {"untrained": untrained_maps, "trained": cat_maps}.items():
    shares = 65 * maps[block - 1, :, class_token]  # (h, T): 1 is an equal share
    among_patches = maps[:, :, 1:, 1:]  # (L, h, N, N)
    itself = (among_patches.argmax(dim=-1) == torch.arange(64)).float().mean()
    row = f"[class] gives {shares.min():.3f} … {shares.max():.3f} equal shares"
    print(f"{kind:9}: {row}; {itself:.1%} look most at themselves")

# %% [markdown]
# Before training, the row is nearly flat: every token gets about one equal share. The matrices of a ViT start with random numbers of size 0.02, so queries and keys are small and the scores are near 0. After training, one patch gets ten times an equal share and another next to nothing. So the pattern is learned.
#
# The self-looking rate starts near chance (2.0 %) and rises to 8.0 %. So a trained patch does have a liking for itself. But more than nine times in ten its largest weight goes to another patch. With x·xᵀ, among tokens of the same length, it would always look most at itself.
#
# ## Masks: who may look at whom
#
# What becomes of a token that may not look at the others? Text models need that, since a word must not see the words that follow. They use a **mask**, a table that is True where a token (row) may look at another (column). Where it is False, `attention_weights` sets the score to −∞, and the softmax turns that into a weight of 0.
#
# A ViT needs no mask, but one makes a good experiment. Two masks are easily confused, so here they are for three tokens:

# %%
row_closed, column_closed = torch.ones(3, 3), torch.ones(3, 3)
row_closed[0, 1:] = 0  # row 0: [class] sees only itself
column_closed[1:, 0] = 0  # column 0: nobody else sees [class]
figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
titles = "[class] sees only itself", "nobody else sees [class]"
for axis, closed, title in zip(axes, (row_closed, column_closed), titles, strict=True):
    plots.show_matrix(closed, names, names, title, axis=axis, signed=True)
    axis.set_xlabel("is looked at")
axes[0].set_ylabel("looks")
plots.show("two masks, 1 where a token may look at another and 0 where it may not")

# %% [markdown]
# With the mask on the right, the class token can still look at everything. With the mask on the left, it sees nothing but itself. We take the left one, and two different images with the same class token. Will the class token's output be the same for both?

# %% tags=["nbval-check-output"]
two_images = torch.randn(2, 65, 48)  # (B, T, D)
two_images[:, 0] = two_images[0, 0]  # the class token is the same in both, as at the start
mask = torch.ones(65, 65, dtype=torch.bool)
mask[0, 1:] = False  # row 0: the class token sees only itself

q, k, v = all_at_once.qkv(two_images).chunk(3, dim=-1)  # used as one head, for short
masked = (attention_weights(q, k, mask) @ v)[:, 0]  # (B, D): what the class tokens get
free = (attention_weights(q, k) @ v)[:, 0]
print("masked: the same for both images:", torch.allclose(masked[0], masked[1], atol=1e-6))
print("free:   the same for both images:", torch.allclose(free[0], free[1], atol=1e-6))

# %% [markdown]
# With the mask, the class token learns nothing about either image. The patches still exchange what they know, but nobody reads the result. Notebooks 09 and 10 put such masks into whole models.
#
# ## What attention cannot see: order
#
# Does attention know which patch stands where? Notebook 02 claimed that it does not, and now you can see why. Try it with our three tokens first, and let nose and eye change places. Each query and each key is computed from one token alone, so the score of eye with nose is still the same number. It only stands at another place in the table:

# %% tags=["nbval-check-output"]
order = [0, 2, 1]  # [class], eye, nose
swapped = tokens[order]
print("scores before:", (queries @ keys.T).tolist())
print("scores after: ", ((swapped @ W_q) @ (swapped @ W_k).T).tolist())

# %% [markdown]
# Rows 1 and 2 have changed places, and so have columns 1 and 2. The softmax works on each row, and for a weighted
# mean it does not matter in which order one adds. So every token gets what it got before. The outputs change places like the tokens, and nothing else happens. This is called **permutation equivariant**. With 65 tokens and all heads:

# %% tags=["nbval-check-output"]
x = torch.randn(2, 65, 48)  # (B, T, D)
order = torch.randperm(65)
shuffled_first = all_at_once(x[:, order])
shuffled_last = all_at_once(x)[:, order]
same = torch.allclose(shuffled_first, shuffled_last, atol=1e-6)
print("permute, then attend = attend, then permute:", same)

# %% [markdown]
# If the class token stays first and only the patches are shuffled, its output does not change at all. Position embeddings are the only
# thing that tells a ViT what is next to what.
#
# ## Step 5 · In practice
#
# **You can skip this step on a first reading** and go on with the recap. It answers three questions. What does the package's code add to ours? Is one go really faster than a loop? And what does it cost when everybody looks at everybody?
#
# ### The package's version
#
# The package does what `AllHeadsAtOnce` does, in three pieces. The first checks that h divides D:


# %% tags=["same-as:vit_minimal.attention.head_dim"]
# vit_minimal/attention.py
def head_dim(embed_dim, num_heads):
    """d = D / h. ValueError if h does not divide D."""
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"num_heads {num_heads} does not divide embed_dim {embed_dim}")
    return embed_dim // num_heads


# %% [markdown]
# The second is the weighted mean. Its last two lines are the formula as you know it. The lines above them call PyTorch's function instead, where it is faster.


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
# Two things are new here:
#
# - **The fused kernel.** A kernel is a small program that runs on the processor (not one of the convolution kernels of notebook 01). The formula needs several of them, one after the other, and stores all T × T weights in between. PyTorch's `scaled_dot_product_attention` is *fused*: one kernel can do everything, without storing the weights. This is also why `attention_maps` has to compute the weights anew.
# - **The condition.** Fused is not always faster. The record `data/results/attention_kernels.json` compares, on one CPU, training with the fused function and with the formula. In bfloat16, a 16-bit kind of number, the formula was {{speed_of_the_formula("bfloat16"):.1f}} times as fast as the fused function. In float32 it was {{1 - speed_of_the_formula("float32"):.0%}} slower.
#   {{assert speed_of_the_formula("float32") < 1 < speed_of_the_formula("bfloat16")}}
#   So `attend` calls the fused function on a GPU and in float32, and keeps the formula for a CPU in bfloat16.
#
# The third piece is the module. It has a mask, for experiments, and two **dropouts**. Dropout sets some numbers to zero at random while a model trains. `proj_drop` is here because the ViT paper's recipe uses dropout after dense layers, and `attn_drop_rate`, dropout on
# the weights, because other libraries offer it. Both are off unless you ask for them.

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
# The parameters have the same names as in our version, so we can copy them and compare:

# %% tags=["nbval-check-output"]
packaged = MultiHeadSelfAttention(embed_dim=48, num_heads=4)
packaged.load_state_dict(all_at_once.state_dict())
print("package = ours:", torch.allclose(packaged(x), all_at_once(x), atol=1e-6))

# %% [markdown]
# ### Is one go faster than a loop?
#
# Here are twelve heads, three times: as a list, in one go with the formula, and in one go with the package's fused function.


# %%
def milliseconds(layer, x, repeats=10):
    """The time of a call: the best of several, since other programs can only make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        layer(x)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


x = torch.randn(1, 65, 192)  # (B, T, D)
with torch.no_grad():
    for layer in (ListOfHeads(192, 12), AllHeadsAtOnce(192, 12), MultiHeadSelfAttention(192, 12)):
        print(f"{type(layer).__name__:22} {milliseconds(layer, x):6.2f} ms")

# %% [markdown]
# In the run saved here the list of heads takes by far the longest. How much one go gains depends on the machine, but a few large matrix products in place of many small ones were worth the trouble of step 4.
#
# ### What does it cost when everybody looks at everybody?
#
# We count multiplications. The linear maps work token by token: `qkv` needs T · D · 3D and `proj` needs T · D · D, together 4·T·D². The weighted mean works on pairs: the scores need T · T · D and the mean of the values as many again, together 2·T²·D. (In notebook 04 PyTorch counts for us.)


# %%
def linear_maps(T, D):
    return 4 * T * D**2


def weighted_mean(T, D):
    return 2 * T**2 * D


lengths = [65, 145, 257, 577, 1025]  # 8², 12², 16², 24² and 32² patches, and a class token
lines = {
    "linear maps": [linear_maps(T, 192) / 1e6 for T in lengths],
    "weighted mean": [weighted_mean(T, 192) / 1e6 for T in lengths],
}
plots.show_lines(
    lengths, lines, "tokens T", "million multiplications", "One attention layer, D = 192", log="xy"
)

# %% [markdown]
# The linear maps grow with T, the weighted mean with T². At T = 65, the length for our small images, the weighted mean is the small part. The lines cross where 2·T²·D = 4·T·D², that is at T = 2·D = 384. At T = 577, the length for an image of 384 pixels in patches of 16, the weighted mean is the larger part. Twice the side of the image means about four times as many tokens and sixteen times as many pairs.
#
# Multiplications are not seconds. Memory access takes time as well, so a clock can tell a slightly different story.
#
# ## Recap
#
# - Attention is a weighted mean of values. A score is query · key, divided by √d, and the softmax over the keys makes the weights of each row sum to 1.
# - Three linear maps let a token look for one thing, offer another and hand over a third. With x·xᵀ a token could look only for what resembles it, and the scores of two tokens with each other would always be equal.
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
# The scores stay symmetric: query i · key j is the same number as query j · key i. So the nose and the eye have one score with each other, whichever of them looks. What goes away is that raw
# resemblance decides: the matrix can ignore some numbers and enlarge others. Still, among tokens whose mapped vectors have one length, each would look most at itself.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 03](exercises/03_attention.ipynb), which check your answers and tell you what is wrong with them.
#
# **Next: [04 · The Vision Transformer](04_vision_transformer.ipynb).** Patches, a class token, attention: we put the whole model together.
