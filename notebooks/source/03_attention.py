# %% [markdown]
# # 03 · Attention: every token looks at every other
#
# **After this notebook you can** work out attention for one query with pencil and paper, say what each of its four matrices is for and why it divides by √d, build multi-head attention that gives the same numbers as PyTorch's, and see what a trained class token
# looks at in a photograph of a cat. In the exercises you write it all from an empty cell.
#
# | | |
# |---|---|
# | You need | notebook 02: an image as 65 tokens, the first of which is the class token |
# | Time to read | about 50 minutes, with a place for a break before the cat |
# | Time to run | less than a minute, on any machine |
# | Package module | `vit_minimal/attention.py` |
#
# **Letters:** B images in a batch, N patches, T = N + 1 tokens, D numbers in a token, L blocks, h heads, d = D / h numbers in a head.
#
# Where the text names a number that a cell prints, it is the one in the run saved here. On your machine the last digits may differ.

# %%
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import LinearSegmentedColormap
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
cat = load_image(cat_file, 32)  # (C, H, W), whole numbers 0 … 255, not yet normalised
cat_large = load_image(cat_file, 96)  # the same picture, for our own eyes
diagrams.overview(cat, "attention")

# %% [markdown]
# Notebooks 01 and 02 have turned the image into 65 tokens, and so far no token knows anything about any other. Attention is the
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
# Could you tell from the 16 pixels on the right what they show? On the left you can, because you see the patches *around* them: it is the corner of an eye.
# The token of patch 27 has to look around in the same way. And the class token has to look at all patches to know that this is a cat.
#
# But where to look, and how much at each place? In short:
#
# > **Attention is a weighted mean. Each token takes a weighted mean of what all tokens hand over, and the weights are computed from the tokens themselves.**
#
# Fixed weights would look at the same places in every image. Weights that come from the tokens can follow the cat wherever it sits.
#
# We build attention in four steps, and each does more at once than the one before: one query by hand, all queries of one head, a list of heads, and all heads in one go.

# %% [markdown]
# ## Step 1 · One query, by hand
#
# How can tokens decide how much one of them should take from another? Each token brings three small vectors:
#
# - a **query** says what the token is *looking for*,
# - a **key** says what the token *offers*,
# - a **value** is what the token *hands over* to whoever looks at it.
#
# A query is compared with every key. The better a key fits, the more its token's value counts in the mean. A token *attends to* another, or simply looks at it, when it takes from the other's value.
#
# Our example has three tokens: the class token, a patch of a nose and a patch of an eye. Every vector has two numbers. We gave them a meaning; in a trained model nobody does.
#
# | | the first number says | the second number says |
# |---|---|---|
# | token, key | how round | how pink |
# | query | how round a thing it looks for | how pink a thing |
# | value | how much speaks for an eye | how much speaks for a nose |
#
# The class token is looking for something round, so its query is (1, 0).

# %% tags=["nbval-check-output"]
names = ["[class]", "nose", "eye"]
tokens = torch.tensor([[1.0, 1.0], [0.0, 2.0], [2.0, 0.0]])  # (T, D): how round, how pink

query = torch.tensor([1.0, 0.0])  # (d,): what [class] is looking for
keys = torch.tensor([[1.0, 0.0], [0.0, 2.0], [2.0, -2.0]])  # (T, d): what each token offers
values = torch.tensor([[5.0, 5.0], [0.0, 10.0], [10.0, 0.0]])  # (T, d): what it hands over

scores = torch.stack([query @ key for key in keys])  # (T,): how well does each key fit?
print("scores ", scores)

# %% [markdown]
# The fit is measured by the dot product: multiply number by number and add up. For the eye's key that is 1·2 + 0·(−2) = 2, the best fit of the three. (Why its −2, *not pink*? A key need not copy its token. Step 2 makes it with a matrix.)
#
# Scores are not yet weights. The weights of a mean are not negative and sum to 1. The **softmax** makes them so: take e to the power of each score, and divide by the sum of these. Even a score of 0 leaves some weight, since e⁰ = 1.

# %% tags=["nbval-check-output"]
weights = scores.exp() / scores.exp().sum()  # (T,)
print("weights", weights, "sum", weights.sum())

answer = weights[0] * values[0] + weights[1] * values[1] + weights[2] * values[2]  # (d,)
print("answer ", answer)

# %% [markdown]
# Check it on paper: e¹ ≈ 2.718, e⁰ = 1 and e² ≈ 7.389 sum to 11.107, so the weights are 0.2447, 0.0900 and 0.6652. The first number
# of the answer is 0.2447 · 5 + 0.0900 · 0 + 0.6652 · 10 ≈ 7.88. In one picture:

# %%
diagrams.attention_by_hand(tokens, query, keys, values, names, scaled=False)

# %% [markdown]
# Follow one row from left to right: the key meets the query and gives a score, the softmax turns the scores into weights, and each weight says how much of its value is taken. The box at the bottom adds up the rows.
#
# What did the class token get? Every value gives ten points. Those of the eye all go to *eye*, and those of the nose to *nose*. The class token's own are undecided, five and five, because it starts the same for every image. In the answer, 7.88 of ten points say *eye*. A model then *adds* the answer to the class token, as notebook 02 said.

# %% [markdown]
# ## Step 2 · One head: three linear maps
#
# In step 1 we wrote down queries, keys and values. A model computes them from the tokens, with three learned matrices. If the rows of x are the tokens:
#
# $$Q = x W_q, \qquad K = x W_k, \qquad V = x W_v$$
#
# A token has D numbers, and its query, key and value have d each. So each matrix has the shape (D, d). In our example both are 2, and these matrices made the numbers of step 1:

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
# Now every token is looking for something: the nose with (2, −1) for something round and not pink, the eye with (0, 1) for something pink. T queries need T · T scores, and
# one matrix product gives them all: row i of $QK^\top$ holds the scores of query i. A second product takes all the means.

# %%
diagrams.attention_in_tables(queries, keys, values)

# %% [markdown]
# Follow the orange frames, from row 0 of Q to row 0 of the result: that is step 1 again, what [class] takes. The two tables in the middle have one number for each pair of tokens. A loop over the queries gives the same:

# %% tags=["nbval-check-output"]
loop = []
for q in queries:
    loop.append((keys @ q).softmax(dim=0) @ values)
loop = torch.stack(loop)  # (T, d)

weights = (queries @ keys.T).softmax(dim=-1)  # (T, T): over the keys, so each row sums to 1
print(weights @ values)
print("loop = matrix product:", torch.allclose(loop, weights @ values))

# %% [markdown]
# The softmax must run over the *keys*, the last axis. With `dim=0` the shape is the same and nothing complains, but the rows no longer sum to 1.
#
# Attention with one such set of maps is called a **head**. (The *head* that gives the class scores is something else.) In this notebook *weights* are always those of the mean, and learned numbers are called *parameters*, except in PyTorch's `.weight`.
#
# Two questions are left. Why three maps? And does this still work when d is not 2 but 64?

# %% [markdown]
# ### Why not simply compare the tokens?
#
# Without W_q and W_k, a score would be the dot product of token and token, $xx^\top$. Here are both tables of scores. Purple is positive and orange negative. The largest score in a row gets the largest weight.

# %%
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
tables = {"x·xᵀ: no maps": tokens @ tokens.T, "QKᵀ: with maps": queries @ keys.T}
for axis, (title, table) in zip(axes, tables.items(), strict=True):
    plots.show_matrix(table, names, names, title, axis=axis, signed=True, limit=6)
    axis.set_xlabel("is looked at")
axes[0].set_ylabel("looks")
plots.show("scores of three tokens: without the maps the table is symmetric, with them it is not")

# %% [markdown]
# The maps change three things:
#
# - **The scores are no longer symmetric.** On the right, the nose gives the eye a 6, and the eye gives the nose a 2. On the left, both are 0.
# - **A token can look at what is unlike itself.** On the left, the eye looks most at the eye and the nose at the nose. (If all tokens had the same length, each would look most at itself.) On the right, the nose looks at the eye and the eye at the nose.
# - **A token can look for something.** On the left, [class] has the row 2, 2, 2, because of what it *is*. On the right, it prefers the eye.
#
# The third map, W_v, decides what is handed over. The class token could find the eye because it is *round*, and then take only its *colour*. What I am looking for, what I offer and what I hand over are three different things, and so there are three maps.

# %% [markdown]
# ### Why divide by √d?
#
# Now the second question. A score is a sum of d products, so it grows with d. How fast? We draw random queries and keys, whose numbers are independent, with mean 0 and standard deviation 1. Each query meets 65 keys. We print the size of a score and the largest of the 65 weights, without and with a division by √d.

# %%
for d in (4, 16, 64, 256, 1024):
    random_scores = (torch.randn(500, 1, d) @ torch.randn(500, d, 65)).squeeze(1)  # (500, T)
    size = random_scores.std().item()
    largest = [(random_scores / by).softmax(dim=-1).amax(dim=-1).mean() for by in (1, d**0.5)]
    print(f"d = {d:4}, √d = {d**0.5:2.0f}: size of a score {size:4.1f}, largest weight", end=" ")
    print(f"{largest[0]:.2f}, after division by √d {largest[1]:.2f}")

# %% [markdown]
# The size of a score, its standard deviation, is √d. And the further apart the scores are, the more the softmax gives to a single token, as with the scores of step 1 and their multiples. (To add one number to all of them would change nothing.)

# %% tags=["hide-input"]
purple = "#AA4499"  # the colour of attention in this course
figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), sharey=True, layout="constrained")
for axis, factor in zip(axes, (1, 2, 4), strict=True):
    weights = (factor * scores).softmax(dim=0)  # (T,)
    bars = axis.bar(names, weights, color=purple)
    axis.bar_label(bars, fmt="%.4f")
    axis.set(title=f"scores × {factor}", ylim=(0, 1.12))
axes[0].set_ylabel("weight")
plots.show("weights of three tokens: the further apart the scores, the more goes to the eye")

# %% [markdown]
# So with a large d, one *random* token gets nearly everything: a weight of 0.95 at d = 1024. Such a softmax is called **saturated**. It is bad for learning. The gradient reaches W_q and W_k only through the weights, and a weight near 0 or 1 hardly moves when its score changes.
#
# Divided by √d, such scores keep the size 1, and the largest weight stays near 0.1, whatever d is. The paper that introduced the Transformer ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Eq. 1) writes all of attention in one line:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$
#
# Here d is the width **of a head**. It is not D, the width of the token.
#
# <details><summary>Why √d and not d?</summary>
#
# Each of the d products has mean 0 and variance 1, and the variances of independent terms add up. So the *variance* of a score grows with d, and its typical size, the square root of that, only with √d.
#
# </details>
#
# <details><summary>Does a real model need it, and is it enough?</summary>
#
# A ViT starts with smaller numbers, so the division matters only once training has made them grow. The second visit measures this on the cat.
#
# √d is fixed and cannot follow if the scores grow further. In very large models they grew so far that the authors also normalise queries and keys, which is called *QK-norm* ([Dehghani et al. 2023](https://arxiv.org/abs/2302.05442)).
#
# </details>
#
# Here is the formula as a function. (The `mask` can wait for the second visit.)


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
# Hint: Two steps are left. Which axis of `queries` has the length d? And a row of the scores belongs to one query: along which axis do you walk if you go from key to key in that row?


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
# Now one head is complete. Its three matrices are `nn.Linear` layers, which can learn and add a bias.


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
# One head works. Why do models have several? One softmax can make only one mixture. Suppose the class token of our example wants to know about the eye *and* the nose. With one set of weights, it
# can only look half at each:

# %% tags=["nbval-check-output"]
half_at_each = torch.tensor([0.0, 0.5, 0.5]) @ values  # weights of [class], nose, eye
print("one head, half at each:", half_at_each.tolist(), " value of [class]:", values[0].tolist())

at_the_eye = torch.tensor([0.0, 0.0, 1.0]) @ values
at_the_nose = torch.tensor([0.0, 1.0, 0.0]) @ values
print("two heads, side by side:", torch.cat([at_the_eye, at_the_nose]).tolist())

# %% [markdown]
# One head has one set of weights: what it gives the eye, it takes from the nose. And different mixtures can give the same mean. Here it is (5, 5), exactly the class token's own value, so the class token cannot tell "an eye and a nose" from "I looked only at myself". A second head has weights of its own, and then it can. (This is an argument, not a measurement, and our two heads also have twice the numbers. The photo will show that trained heads differ, not that several are better than one.)
#
# So attention runs h times side by side, and each head has its own three maps. Real heads *share* the width of a token: each works with d = D / h numbers, so that all outputs side by side have D numbers again. A last linear map, `proj`, mixes them.

# %%
diagrams.heads_side_by_side(num_heads=4, embed_dim=48, one_map=False)

# %% [markdown]
# From top to bottom: every head gets all D numbers of a token, and makes its own queries, keys and values, d numbers wide. The small squares are invented weights for 6 tokens. In code this is a loop:


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
# Why `proj`? The answer is added to the token. Without `proj`, head 0 could change only the first d of the token's D numbers, head 1 only the next d, and so on.

# %% [markdown]
# ## Step 4 · All heads in one go
#
# The loop is right, but it makes many small matrix products: 3·h for the maps, and 2·h more for scores and means. Processors are usually faster with one large product. So the maps of all heads become one `nn.Linear` from D to 3·D numbers, called `qkv`: first the queries of all heads, then all keys, then all values. One box takes the place of four:

# %%
diagrams.heads_side_by_side(num_heads=4, embed_dim=48)

# %% [markdown]
# One line is tricky: each head must get its own numbers of every token. Take T = 4 tokens, D = 6 numbers and h = 2 heads. Token t holds 10·t + 0, 1, …, 5. Head 0 should get the numbers that end in 0, 1, 2, and head 1 the others. It looks like a job for `view`. What does `view(h, T, d)` give to head 0?

# %%
diagrams.heads_in_memory(T=4, D=6, h=2)

# %% [markdown]
# `view` takes the numbers in the order in which they lie in memory. So head 0 gets the first twelve: all of tokens 0 and 1, and nothing of the others. The shape is right all the same. The cure has two moves: first split the last axis in two with `unflatten`, (T, h, d), then bring the heads to the front.

# %% tags=["nbval-check-output"]
T, D, h = 4, 6, 2
numbers = 10 * torch.arange(T)[:, None] + torch.arange(D)  # (T, D)
print("head 0, view alone (wrong):")
print(numbers.view(h, T, D // h)[0])
print("head 0, unflatten and transpose:")
print(numbers.unflatten(-1, (h, D // h)).transpose(0, 1)[0])


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
# Hint: Write the dot product out as a sum. You could find the size of one of its terms first. If you would rather measure, draw many pairs of vectors with `torch.randn`.
#
# Hint: For independent terms it is the variances that add up, not the standard deviations. What is the variance of a product of two such numbers?
#
# Solution: √64 = 8. This is what the √d is for: once they are divided by it, scores have size 1 whatever d is.

# %% tags=["exercise-only", "exercise:score_size"]
# solution
# | score_size = ...
score_size = 64**0.5
# end of solution

# %% [markdown]
# With that line, multi-head attention is one small class. (With the batch in front, the two axes that change places are 1 and 2.) The two lines of `OneHead` now serve all heads at once, because a matrix product in PyTorch leaves the front axes, B and h, as they are:


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
# Is this the same as the list of heads? We copy the list's parameters and compare. In an `nn.Linear`, each row of the matrix makes one output, so we stack the small matrices:

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
# Could we have made the same mistake twice? PyTorch's own module, `nn.MultiheadAttention`, must give our output with our parameters. It takes three inputs, for queries, keys and values, which are all x here.

# %% tags=["nbval-check-output"]
theirs = nn.MultiheadAttention(embed_dim=48, num_heads=4, batch_first=True)
theirs.in_proj_weight, theirs.in_proj_bias = all_at_once.qkv.weight, all_at_once.qkv.bias
theirs.out_proj.weight, theirs.out_proj.bias = all_at_once.proj.weight, all_at_once.proj.bias

output, _ = theirs(x, x, x)
print("equal:", torch.allclose(all_at_once(x), output, atol=1e-6))

# %% [markdown]
# ## What can attention not see?
#
# Your multi-head attention is complete and agrees with PyTorch's. But does it know which patch stands where? Notebook 02 claimed that it does not. To see why, go back to the three tokens, and let the nose and the eye swap places. Each query and each key is computed from one token alone. So the score of eye with nose is the same number as before, in another cell of the table:

# %% tags=["nbval-check-output"]
order = [0, 2, 1]  # [class], eye, nose
swapped = tokens[order]
before, after = queries @ keys.T, (swapped @ W_q) @ (swapped @ W_k).T  # (T, T): scores
figure, axes = plt.subplots(1, 2, figsize=(7, 2.9), layout="constrained")
for axis, table, rows in ((axes[0], before, [0, 1, 2]), (axes[1], after, order)):
    labels = [names[row] for row in rows]
    plots.show_matrix(table, labels, labels, "", axis=axis, signed=True, limit=6)
    axis.set_xlabel("is looked at")
axes[0].set(title="scores before", ylabel="looks")
axes[1].set(title="scores after the swap")
plots.show("scores of three tokens, before and after the nose and the eye have changed places")
print("the same cells, moved:", torch.equal(before[order][:, order], after))

# %% [markdown]
# Find the 6, the score of nose with eye: it has moved, and it is still 6. A mean does not depend on the order, so every token gets what it got before. A layer whose outputs change places exactly as its inputs did, and do not change otherwise, is called **permutation equivariant**. With 65 tokens and all heads:

# %% tags=["nbval-check-output"]
x = torch.randn(2, 65, 48)  # (B, T, D)
order = torch.randperm(65)
shuffled_first = all_at_once(x[:, order])
shuffled_last = all_at_once(x)[:, order]
same = torch.allclose(shuffled_first, shuffled_last, atol=1e-6)
print("permute, then attend = attend, then permute:", same)

# %% [markdown]
# If only the patches are shuffled, the class token's output does not change at all. So only position embeddings tell a ViT which patch is next to which. Without them it could only guess from what the patches show.
#
# **This is a good place for a coffee.** Pictures come next.

# %% [markdown]
# ## What do the heads look at in the cat?
#
# So far our heads had random parameters. Now we open the **shipped model** of notebooks 00 to 02: L = 6 blocks of h = 3 heads, D = 192 and so d = 64. It was trained on CIFAR-10 and has never seen our cat. The function `attention_maps` returns the weights of all heads in all blocks. (Blocks are counted from 1 in this course, heads from 0.)

# %%
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")


def says(image):
    """What the model thinks an image (C, H, W) shows, and with what probability."""
    with torch.no_grad():
        probabilities = shipped(normalize(image[None])).softmax(dim=-1)[0]  # (10,)
    best = probabilities.argmax()
    return f"the model says {CIFAR10_CLASSES[best]} with {probabilities[best]:.2f}"


print(says(cat))
# without normalize: attention_maps calls it itself, and the model needs it done first, as in says
cat_maps = attention_maps(shipped, cat[None])[:, 0]  # (L, h, T, T): block, head, from, to

# %% [markdown]
# Each map is a table of 65 × 65 weights. Row 0 is what the class token looks at. Column 0 is the class token itself, and column n + 1 is patch n. We take head 1 of block 4, chosen from the 18 because its map is easy to read.

# %%
block, class_token = 4, 0
head_1 = cat_maps[block - 1, 1]  # (T, T)
white_to_purple = LinearSegmentedColormap.from_list("", ["white", purple])
look = {"cmap": white_to_purple, "vmin": 0, "vmax": 0.16, "aspect": "auto"}
heights = {"height_ratios": (1, 10), "sharex": True}
figure, axes = plt.subplots(2, 1, figsize=(5.5, 5.6), layout="constrained", **heights)
favourites = head_1[class_token].topk(6).indices  # the columns with the largest weights
axes[0].imshow(head_1[[class_token]], **look)
axes[0].plot(favourites, [-0.65] * 6, "v", color="black", markersize=5, clip_on=False)
axes[0].set(yticks=[], ylim=(0.5, -0.5))
axes[0].set_title("row 0, enlarged: what [class] looks at", pad=13)
axes[1].imshow(head_1, **look)
ticks = range(0, 65, 8)
axes[1].set(title="all 65 × 65 weights", xticks=ticks, yticks=ticks)
axes[1].set(xlabel="is looked at (column n + 1 is patch n)", ylabel="looks")
plots.show("the weights of one head as a table, white for 0, and its first row enlarged above it")
print("columns of the six largest weights in row 0:", sorted(favourites.tolist()))
print(f"[class] gives itself {head_1[class_token, class_token]:.1%}")
to_stripes = torch.isin(head_1.argmax(dim=-1), torch.tensor([8, 16, 48]))  # (T,)
print(f"{to_stripes.sum()} of 65 tokens give their largest weight to column 8, 16 or 48")

# %% [markdown]
# If all 65 weights were equal, each would be about 1.5 %. Full purple stands for 16 % or more, here and in the next three figures.
#
# Triangles mark the six largest weights of row 0, those of patches 17, 18, 19, 26, 27 and 30. The class token gives itself only 0.6 %.
#
# <details><summary>What are the dark vertical stripes?</summary>
#
# The stripes at columns 8, 16 and 48 are patches at the right edge of the photo, and 32 of the 65 tokens give their largest weight to one of them. The class token does not follow them. In large models, patches of empty background can attract attention in a similar way, and the *registers* of notebook 02 were invented as a remedy. Notebook [06](06_inside_the_class_token.ipynb) examines the stripes.
#
# </details>
#
# What do these patches show? We lay row 0 over the photo, and beside it the same row of heads 0 and 2. (The model saw the cat at only 32 × 32 pixels.)

# %%
head_names = ["head 0", "head 1", "head 2"]
class_looks = cat_maps[block - 1, :, class_token, 1:]  # (h, N)
same_scale = {"columns": 2, "full": 0.16}  # full purple is a weight of 16 % or more
diagrams.attention_over(cat_large, class_looks, (8, 8), head_names, **same_scale)

# %% [markdown]
# Head 1 has found both eyes. Nobody told the model what an eye is. But this is one head of 18, picked for its readable map, and one photo. A test below shows the limits. The other heads differ: head 0 spreads its weights widely, and head 2 takes most from the fur beside the left eye, patch 17. Notebook 06 draws all six blocks.
#
# And patch 27, with which we began? Where would *you* look, to find out whether you are part of a face? It has a dark frame below. (After three blocks, the token at that place is no longer only this patch.)

# %%
marked = cat_large.clone()  # (C, H, W), 12 pixels to a patch
marked[:, 35:49, 35:49] = 0  # a black square around patch 27 …
marked[:, 37:47, 37:47] = cat_large[:, 37:47, 37:47]  # … and the photo back inside it

token = 27 + 1  # token 0 is the class token
looks = cat_maps[block - 1, :, token, 1:]  # (h, N)
diagrams.attention_over(marked, looks, (8, 8), head_names, **same_scale)

# %% [markdown]
# In head 0, the token of patch 27 looks most at **the other eye**, and then at the nose. In head 1 it looks at itself and at the patch above it. In head 2 it looks most at fur at the left edge, which is less easy to explain.
#
# ### Does the head look for eyes, or for a place?
#
# Perhaps head 1 always looks at the same patches, and the eyes happened to be there. So we mirror the photo *and* move it down by two patches: both eyes get another column and another row. Rows pushed out at the bottom come back in at the top. The second test is a photo without eyes, a rocket at night. What do you expect?


# %%
def moved(image, patches_down):
    """An image (C, H, W), mirrored and moved down."""
    pixels = patches_down * image.shape[1] // 8
    return image.flip(dims=[-1]).roll(pixels, dims=1)


rocket_file = Path(data.__file__).with_name("rocket.jpg")
rocket, rocket_large = load_image(rocket_file, 32), load_image(rocket_file, 96)
small = {"the cat": cat, "mirrored and moved": moved(cat, 2), "a rocket": rocket}
large = [cat_large, moved(cat_large, 2), rocket_large]
looks = []
for name, image in small.items():
    maps = attention_maps(shipped, image[None])[:, 0]  # (L, h, T, T)
    looks.append(maps[block - 1, 1, class_token, 1:])
    print(f"{name}: {says(image)}")
large, looks = torch.stack(large), torch.stack(looks)  # (3, C, H, W) and (3, N)
diagrams.attention_over(large, looks, (8, 8), list(small), full=0.16)

# %% [markdown]
# In the middle, the weights have followed the eyes. So it is not the place alone that counts: the weights are computed from the tokens, as promised. (The model was trained on mirrored and shifted images, so it could learn this.)
#
# On the right, the same head looks at the lights on the ground. So "it looks for eyes" was too much to say. "It looks for small things that stand out" fits both photos, but a third could spoil it. (The model calls the rocket a ship, an honest mistake, since CIFAR-10 has no rockets.) Whether the model *uses* what it looks at is another question, which notebook 06 answers.

# %% [markdown]
# ## Recap
#
# - Attention is a weighted mean of values. A score is query · key, divided by √d, and the softmax over the keys makes the weights of each row sum to 1.
# - Three linear maps let a token look for one thing, offer another and hand over a third. A fourth map, `proj`, mixes what the heads have found.
# - Dividing by √d keeps the scores from growing with the width of a head, so that the gradient still reaches queries and keys.
# - Several heads make several mixtures. In memory, split the last axis into (h, d) first, then move h to the front; `view` alone mixes up the tokens.
# - Attention does not see order. It has T · T weights, so twice as many tokens make four times as many. What this costs is counted in notebook 04.
#
# > **Remember:** a query says what a token is looking for, a key what a token offers, a value what it hands over. Row 0 of the weights is what the class token looks at.

# %% [markdown]
# ## Questions
#
# **1.** Someone divides by √D instead of √d, with h = 12 heads. What happens to the attention weights?
#
# <details><summary>Answer</summary>
#
# √D is √12 ≈ 3.5 times as large as √d. The scores are 3.5 times smaller, so at the start the weights are even closer to equal. The model trains, since queries
# and keys can grow to make up for it. But it is not the model that the paper describes, and parameters that were trained elsewhere give wrong results.
#
# </details>
#
# **2.** Redo step 1 with the division. What are the weights, and how many of the ten points say *eye*?
#
# <details><summary>Answer</summary>
#
# Here d = 2, so the scores 1, 0 and 2 become 0.71, 0 and 1.41. The weights are 0.28, 0.14 and 0.58, and 7.18 of the ten points say *eye*, instead of 7.88.
#
# </details>
#
# **3.** How many parameters does `AllHeadsAtOnce(192, 3)` have? And with 6 heads?
#
# <details><summary>Answer</summary>
#
# qkv has 192 · 576 + 576 = 111,168, proj has 192 · 192 + 192 = 37,056, together 148,224. With 6 heads there are just as many: more heads only cut the same numbers
# into thinner slices.
#
# </details>
#
# **4.** All keys are equal. What does a token get, whatever its query is?
#
# <details><summary>Answer</summary>
#
# All scores are equal, so all weights are 1/T. Every token gets the plain mean of the values.
#
# </details>
#
# **5.** To save parameters, someone uses one matrix for both $W_q$ and $W_k$. Which limitation of x·xᵀ goes away, and which stays?
#
# <details><summary>Answer</summary>
#
# The scores stay symmetric: query i · key j is the same number as query j · key i. So nose–eye and eye–nose get the same score. What goes away is that raw
# resemblance decides: the matrix can ignore some numbers and enlarge others. But if the mapped vectors all have the same length, each token still looks most at itself.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 03](exercises/03_attention.ipynb), which check your answers and tell you what is wrong with them.
#
# **Next: [04 · The Vision Transformer](04_vision_transformer.ipynb).** Patches, a class token, attention: we put the whole model together. Its attention is the package's `MultiHeadSelfAttention`, which computes what your `AllHeadsAtOnce` does.
#
# ---

# %% [markdown]
# ## For a second visit: arrows, a control, masks and the package's code
#
# **Skip this on a first reading.** Each of these sections needs only the part above, so you can take them in any order.
#
# ### The dot product as arrows
#
# What does the dot product of step 1 measure? The keys have the colours of their tokens: orange for [class] and blue for the patches. The dashed arrow is the query. It has the same numbers as the key of [class], so it is drawn a little above it.

# %% tags=["hide-input"]
colours = ["#E69F00", "#0072B2", "#0072B2"]  # [class] is orange, patches are blue
arrow = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 18}
figure, axis = plt.subplots(figsize=(5.5, 4.2), layout="constrained")
for name, key, score, colour in zip(names, keys.tolist(), scores.tolist(), colours, strict=True):
    axis.annotate("", key, (0, 0), arrowprops={**arrow, "color": colour, "linewidth": 3})
    axis.plot((score, score), (key[1], 0), ":", color="black")
    axis.plot(score, 0, "o", color="black", markersize=5)
    axis.text(key[0] + 0.15, key[1] + 0.2, f"key of {name}: score {score:.0f}")
arrow.update(arrowstyle="->", color="black", linestyle="--")
axis.annotate("", (1, 0.14), (0, 0.14), arrowprops=arrow)  # drawn a little above its place
axis.text(0.14, 0.3, "query")
axis.axhline(0, color="gray", linewidth=0.5)
axis.set(xlim=(-0.5, 4.7), ylim=(-2.5, 2.7), xlabel="roundness", ylabel="pinkness", aspect="equal")
plots.show("three keys as arrows; the score is how far each reaches along the query")

# %% [markdown]
# The score is how far a key reaches along the query (times the query's length, here 1). The eye's key reaches furthest. The nose's key stands at a right angle and gets 0. The −2 in the eye's key plays no part for this query. A query for pink, (0, 1), would score −2 with it.

# %% [markdown]
# ### Is all of this learned?
#
# An untrained model of the same shape is the control, and we measure three things. How uneven is the class token's row in block 4? How often does a patch look most at itself, as it would with x·xᵀ and tokens of one length? (By chance it would be one time in 64.) And how much do the scores in a row differ, before they are divided by √d? The weights tell us.
#
# <details><summary>How do the weights tell the spread of the scores?</summary>
#
# The softmax divides all weights p of a row by the same sum, so
#
# $$\log p = \frac{\text{score}}{\sqrt d} - \text{constant of the row}$$
#
# The constant does not change the standard deviation within the row.
#
# </details>

# %%
untrained = VisionTransformer(shipped.config).eval()
untrained_maps = attention_maps(untrained, cat[None])[:, 0]  # (L, h, T, T)

for kind, maps in {"untrained": untrained_maps, "trained": cat_maps}.items():
    multiples = 65 * maps[block - 1, :, class_token]  # (h, T): 1 is an equal weight
    itself = maps[:, :, 1:, 1:].argmax(dim=-1) == torch.arange(64)  # (L, h, N)
    spread = 8 * maps.log().std(dim=-1).mean()  # √d = 8; the mean over all rows
    low, high = f"{multiples.min():.3f}", f"{multiples.max():.2f}"
    print(f"{kind}: [class] gives {low} to {high} times an equal weight,")
    print(f"  {itself.float().mean():.1%} of the patches look most at themselves,")
    print(f"  the scores in a row have a standard deviation of {spread:.1f}")

# %% [markdown]
# Before training, the row is nearly flat: every token gets about an equal weight. After training, one patch gets ten times that and another next to nothing. So the pattern is learned. In the trained model, patches favour themselves somewhat, but among the patches the largest weight goes to another one more than nine times in ten.
#
# The standard deviation of the scores has grown from 0.3 to 8.7, a little more than the 8 of random vectors with d = 64. Divided by √d = 8, it is about 1. So without the division, the trained softmax would be as uneven as the one in *Why divide by √d?*
#
# ### Masks: who may look at whom
#
# What becomes of a token that is not allowed to look at the others? Models that write text need that, since a word must not see the words that follow. They use a **mask**, a table that is True where a token (row) may look at another (column). Where it is False, `attention_weights` sets the score to −∞, and the softmax turns that into a weight of 0.
#
# A ViT needs no mask, but one makes a good experiment. Two masks are easily confused, so here they are for three tokens:

# %%
row_closed, column_closed = torch.ones(3, 3), torch.ones(3, 3)
row_closed[0, 1:] = 0  # row 0: [class] sees only itself
column_closed[1:, 0] = 0  # column 0: nobody else sees [class]
figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
titles = "[class] sees only itself", "nobody else sees [class]"
for axis, closed, title in zip(axes, (row_closed, column_closed), titles, strict=True):
    plots.show_matrix(closed, names, names, title, axis=axis, colours=white_to_purple)
    axis.set_xlabel("is looked at")
axes[0].set_ylabel("looks")
plots.show("two masks, 1 where a token may look at another and 0 where it is not allowed to")

# %% [markdown]
# With the mask on the right, the class token can still look at everything. With the mask on the left, it sees nothing but itself. We apply the left mask to two images that start with the same class token. Will the class token's output be the same for both?

# %% tags=["nbval-check-output"]
two_images = torch.randn(2, 65, 48)  # (B, T, D)
two_images[:, 0] = two_images[0, 0]  # the class token is the same in both, as at the start
mask = torch.ones(65, 65, dtype=torch.bool)
mask[0, 1:] = False  # row 0: the class token sees only itself

q, k, v = all_at_once.qkv(two_images).chunk(3, dim=-1)  # treated as a single head
masked = (attention_weights(q, k, mask) @ v)[:, 0]  # (B, D): what the class tokens get
free = (attention_weights(q, k) @ v)[:, 0]
print("masked: the same for both images:", torch.allclose(masked[0], masked[1], atol=1e-6))
print("free:   the same for both images:", torch.allclose(free[0], free[1], atol=1e-6))

# %% [markdown]
# With the mask, the class token learns nothing about either image: only its own row of the mask decides what it receives. The patches still exchange what they hold, but none of it reaches the class token. Notebook [09](09_pitfalls_class_token.ipynb) puts such masks into whole models.
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
# The second is the weighted mean. Its last two lines are the formula as you know it. The lines above them call PyTorch's function instead, where it is faster. The first two lines are a guard: PyTorch's function also takes a mask of numbers, but it *adds* them to the scores, so that a 0 forbids nothing.


# %% tags=["same-as:vit_minimal.attention.attend"]
# vit_minimal/attention.py
def attend(queries, keys, values, mask=None, drop_rate=0.0):
    """The values, averaged with `attention_weights`: three (B, h, T, d) → (B, h, T, d).

    With `drop_rate` some weights are zeroed at random and the rest scaled up (dropout). ValueError
    if the mask is of numbers, not of True and False.
    """
    if mask is not None and mask.dtype != torch.bool:  # PyTorch's function would add its numbers
        raise ValueError(f"a mask holds True where a token may attend, this one is {mask.dtype}")
    if queries.is_cuda or queries.dtype == torch.float32:  # fused; slow on CPUs in bfloat16
        return nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=drop_rate
        )
    weights = attention_weights(queries, keys, mask)  # (B, h, T, T)
    return nn.functional.dropout(weights, drop_rate) @ values


# %% [markdown]
# Does PyTorch's function give the same as the formula?

# %% tags=["nbval-check-output"]
q, k, v = torch.randn(3, 2, 5, 65, 16)  # three tensors (B=2, h=5, T=65, d=16)
by_formula = attention_weights(q, k) @ v
fused = F.scaled_dot_product_attention(q, k, v)
print("formula = PyTorch's function:", torch.allclose(by_formula, fused, atol=1e-6))

# %% [markdown]
# It does. PyTorch's function is *fused*. The formula needs several separate routines (*kernels*), one after the other, and stores all T × T weights in between. A fused function can do everything in one, without storing the weights. This is also why `attention_maps` has to compute the weights anew.
#
# <details><summary>Why is there a condition, and not always the fused function?</summary>
#
# Fused is not always faster. The record `data/results/attention_kernels.json` compares, on one CPU, training with the fused function and with the formula. In bfloat16, a 16-bit kind of number, the formula was {{speed_of_the_formula("bfloat16"):.1f}} times as fast as the fused function. In float32 the formula was {{1 - speed_of_the_formula("float32"):.0%}} slower.
# {{assert speed_of_the_formula("float32") < 1 < speed_of_the_formula("bfloat16")}}
# So `attend` calls the fused function on a GPU and in float32, and keeps the formula for a CPU in bfloat16.
#
# </details>
#
# The third piece is the module. It can hold a mask, for experiments, and two **dropouts**, which set some numbers to zero at random while a model trains. One stands after `proj`, as in the ViT paper's recipe. The other acts on the weights; other libraries have it too. Both are off unless you ask for them.

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
# ### Is one large product faster than a loop?
#
# We time twelve heads: as a list, in one go with the formula, and in one go with the package's fused function.


# %%
from vit_minimal import attention  # the package's module


def milliseconds(layer, x, repeats=10):
    """The time of a call: the best of several, since other programs can only make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        layer(x)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


wide = torch.randn(1, 65, 192)  # (B, T, D)
with torch.no_grad():
    for kind in (ListOfHeads, AllHeadsAtOnce, attention.MultiHeadSelfAttention):
        print(f"{kind.__name__:22} {milliseconds(kind(192, 12), wide):6.2f} ms")

# %% [markdown]
# In the run saved here, all heads at once take half the time of the list, and the fused function brings almost nothing more at T = 65.
#
# **Next: [04 · The Vision Transformer](04_vision_transformer.ipynb).**
