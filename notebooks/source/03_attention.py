# %% [markdown]
# # 03 · Attention: every token asks every token
#
# **After this notebook you can** compute attention for one query by hand, write it for all queries and several heads, say what the
# √d is for and what happens without it, check your code against two of PyTorch's own, and read in the class token's row whom it listens to.
#
# | | |
# |---|---|
# | You need | notebook 02: 65 tokens, the first of which is the class token |
# | Time to read | about 25 minutes |
# | Time to run | less than a minute, on any machine |
# | Package module | `vit_minimal/attention.py` |
#
# **Letters:** B images in a batch, T tokens, D numbers in an embedding, h heads, d = D / h numbers in a head.

# %%
import time

import torch
from torch import nn
from torch.nn import functional as F

from vit_minimal import patchify, plots, shapes10

torch.manual_seed(0)
torch.set_printoptions(precision=2, sci_mode=False)

# %% [markdown]
# ## The problem
#
# Patch 12 holds a dark corner. Is it the corner of a frame, or the end of a stripe? Patch 12 cannot know: its 16 pixels are all it has.
# It would have to ask the others, and listen most to those who have something to say about corners.
#
# Attention is this asking, with three vectors for each token:
#
# - a **query**: what I am looking for,
# - a **key**: what I have to offer,
# - a **value**: what I say if you listen to me.
#
# All three are computed from the token by linear maps that are learned: $q = x W_q$, $k = x W_k$, $v = x W_v$.
#
# A query is compared with all keys. The better a key fits, the more its token's value counts in the answer. The answer is a
# weighted mean of the values.
#
# ## One query, by hand
#
# Three tokens, d = 2, numbers that fit on a line. Token 0 asks with its query (1, 0):

# %% tags=["nbval-check-output"]
query = torch.tensor([1.0, 0.0])
keys = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
values = torch.tensor([[10.0, 0.0], [0.0, 10.0], [5.0, 5.0]])

scores = torch.stack([query @ key for key in keys])  # how well does each key fit?
print("scores ", scores)

# %% [markdown]
# The dot product is 1·1 + 0·0 = 1 with key 0, then 0, then 2. Token 2 fits best, token 1 not at all. To turn scores into shares that
# are positive and sum to 1, take the softmax: e to the power of each score, divided by the sum of all.

# %% tags=["nbval-check-output"]
weights = scores.exp() / scores.exp().sum()
print("weights", weights, "sum", weights.sum())

answer = sum(weight * value for weight, value in zip(weights, values, strict=True))
print("answer ", answer)

# %% [markdown]
# Check it on paper: e¹ ≈ 2.718, e⁰ = 1 and e² ≈ 7.389 sum to 11.107; the shares are 0.2447, 0.0900 and 0.6652. The answer's first number
# is 0.2447 · 10 + 0.0900 · 0 + 0.6652 · 5 ≈ 5.77.
#
# ## All queries at once
#
# Every token asks, so there are T queries. A loop over queries works, and a loop is what a matrix product is: row i of
# $QK^\top$ holds the scores of query i with all keys.

# %% tags=["nbval-check-output"]
queries = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])

loop = torch.stack([(keys @ q).softmax(dim=0) @ values for q in queries])
matrix = (queries @ keys.T).softmax(dim=-1) @ values
print(matrix)
print("loop = matrix product:", torch.allclose(loop, matrix))

# %%
names = ["token 0", "token 1", "token 2"]
plots.show_matrix(
    (queries @ keys.T).softmax(dim=-1),
    names,
    names,
    "who listens to whom",
    size=1.0,
    x_label="is listened to",
    y_label="listens",
)

# %% [markdown]
# Each **row** is one query's shares and sums to 1. Columns need not: everyone listens most to token 2 (token 1 as much to itself), and nobody much to token 0.
#
# The softmax must run over the *keys*, the last axis. Over the other axis the shapes are the same. What will the rows sum to?

# %% tags=["nbval-check-output"]
wrong = (queries @ keys.T).softmax(dim=0)  # over the queries: wrong
print("rows sum to", wrong.sum(dim=1), "and should sum to 1")

# %% [markdown]
# ## Why divide by √d
#
# The paper that introduced the Transformer ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Eq. 1) has one more piece:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$
#
# A score is a sum of d products. If queries and keys are independent random numbers with mean 0 and variance 1, each product has mean 0 and
# variance 1 too, and variances of independent terms add up: the score has variance d. So its typical size is √d. Let us see.

# %%
widths = [4, 16, 64, 256, 1024]
sizes = [(torch.randn(4000, d) * torch.randn(4000, d)).sum(dim=1).std().item() for d in widths]
plots.show_lines(
    widths,
    {"√d": [d**0.5 for d in widths], "measured standard deviation": sizes},
    x_label="d, numbers in a head",
    y_label="size of a score",
    title="Scores grow with the square root of d",
    log="xy",
)

# %% [markdown]
# What is wrong with large scores? Softmax looks at differences. If the best score leads by 10, it takes all: e¹⁰ is 22,026. Here is the largest
# of 65 weights, on average over many queries, with and without the division:

# %%
largest = {"not divided": [], "divided by √d": []}
for d in widths:
    scores = torch.randn(500, d) @ torch.randn(65, d).T  # 500 queries, 65 keys
    largest["not divided"].append(scores.softmax(dim=-1).amax(dim=-1).mean().item())
    largest["divided by √d"].append((scores / d**0.5).softmax(dim=-1).amax(dim=-1).mean().item())
plots.show_lines(
    widths,
    largest,
    "d, numbers in a head",
    "largest of 65 weights",
    "One token takes it all",
    dashed=("equal shares", 1 / 65),
    log="x",
)

# %% [markdown]
# With numbers of this size and without the division, one key wins nearly everything as soon as d is large: the token listens to one other, at random. Worse, it can hardly change
# its mind. If a score grows by a little, its weight p grows by p(1 − p) times that, which is almost nothing for p near 1 as for p near 0: the softmax is
# **saturated**. Summed over the 65 weights this is 1 − Σp², so we can measure how much room for change is left:

# %%
room = {"not divided": [], "divided by √d": []}
for d in widths:
    scores = torch.randn(500, d) @ torch.randn(65, d).T
    for name, divisor in (("not divided", 1), ("divided by √d", d**0.5)):
        weights = (scores / divisor).softmax(dim=-1)
        room[name].append(1 - weights.square().sum(dim=-1).mean().item())
plots.show_lines(
    widths, room, "d, numbers in a head", "1 − Σp²", "How much room for change is left", log="x"
)

# %% [markdown]
# With the division it stays near 1 for every d. Without it, at d = 64, the width of a head in most ViTs, less than a third is left. (An untrained ViT
# starts with much smaller queries and keys, so it would not notice at once. They grow in training.)
#
# Now the formula as a function. The variance grows with d, so we divide by √d and not by d; and d is the width **of a head**, not of the embedding.
# A ViT lets every token attend to every other. Where that is forbidden, as in text models that must not see the next word, a *mask* sets the forbidden scores to −∞, and the softmax gives them a share of 0.
# The model leaves the mask at None; notebooks 09 and 10 put one in.


# %% [markdown] tags=["exercise-only"]
# # Exercises 03 · Attention
#
# They go with notebook [03](../03_attention.ipynb). If you start here: each token (D numbers) is turned into a *query*, a *key* and a *value* by linear maps. A query is compared with all keys by dot products; a softmax makes shares of these scores, and the answer is the sum of the values, weighted by the shares. Several *heads* do this side by side, each with d = D / h numbers. Shapes: (B, T, D) for tokens, (B, h, T, d) within the heads.

# %% tags=["exercise-only"]
import torch
from torch import nn

from checks import check
from vit_minimal.attention import attend, head_dim

# %% [markdown] tags=["exercise:attention_weights"]
# The heart of it: softmax(QKᵀ/√d). Queries (…, T, d) and keys (…, T, d) give weights (…, T, T), whose row i says how much query i listens to each key. The three dots stand for any axes in front, such as (B, h), or none. Queries and keys need not be equally many: Q queries and K keys give (…, Q, K).
#
# Hint: `@` multiplies the last two axes as matrices. Which two axes of the keys must change places for that? `transpose(-2, -1)` counts from the end.
#
# Hint: d is the length of one query, `queries.shape[-1]`. The shares of one query sum to 1 over the keys, which is the last axis of the scores.


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


# %% tags=["nbval-check-output"]
q, k, v = torch.randn(3, 2, 5, 65, 16)  # three tensors (B=2, h=5, T=65, d=16)
ours = attention_weights(q, k) @ v
theirs = F.scaled_dot_product_attention(q, k, v)
print("equal to PyTorch's:", torch.allclose(ours, theirs, atol=1e-6))

# %% [markdown]
# ## Several heads
#
# One softmax gives one set of shares. But a token may have two questions at once: "where does my edge go on?" and "what colour is the
# background?". So attention runs h times side by side, each time on its own d = D/h numbers, and the answers are put next to each other again.
#
# What is split are the queries, keys and values. Each of their numbers is computed from *all* D numbers of the token, so every head sees the whole token.
#
# Splitting D = 6 numbers of T = 4 tokens into h = 2 heads looks like a job for `view`. Let us use numbers we can read: token t holds
# 10·t + 0, 1, …, 5. Head 0 must get the numbers ending in 0, 1, 2 of *every token*, head 1 those ending in 3, 4, 5. Before you
# run the cell: what does `view(h, T, d)` give to head 0?

# %% tags=["nbval-check-output"]
T, D, h = 4, 6, 2
x = 10 * torch.arange(T)[:, None] + torch.arange(D)  # (T, D)
print("head 0, view alone (wrong):")
print(x.view(h, T, D // h)[0])
print("head 0, view and transpose:")
print(x.view(T, h, D // h).transpose(0, 1)[0])

# %% [markdown]
# It is the mistake of notebook 01 once more. `view(h, T, d)` has the right shape and assigns the numbers to the wrong heads: head 0 gets all of
# tokens 0 and 1, and its "four tokens" are halves of two. Split the last axis in the place where it is (`T, h, d`), then move the heads to the front.
#
# In the module, queries, keys and values come from one linear map of width 3·D, which is the same as three maps of width D and faster, and
# the same as h · 3 maps of width d. First, a word about widths that do not fit:


# %% [markdown] tags=["exercise:split_heads"]
# Split the last axis of tokens (B, T, D) into h heads: (B, h, T, d). Head 0 gets the first d numbers of *every* token, head 1 the next d, and so on.
#
# Hint: First give the two parts of the last axis names, where they are: (B, T, h, d).
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
# Solution: √64 = 8. That is what the √d is for: divided by it, scores have the size 1 whatever d is.

# %% tags=["exercise-only", "exercise:score_size"]
# solution
# | score_size = ...
score_size = 64**0.5
# end of solution


# %% tags=["same-as:vit_minimal.attention.head_dim"]
# vit_minimal/attention.py
def head_dim(embed_dim, num_heads):
    """d = D / h. ValueError if h does not divide D."""
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"num_heads {num_heads} does not divide embed_dim {embed_dim}")
    return embed_dim // num_heads


# %% [markdown]
# Then the attention itself. The formula is what you know; where PyTorch's own function computes it faster, that is called instead.


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


# %% [markdown] tags=["exercise:MultiHeadSelfAttention"]
# All of it in a module. `__init__` is written: `self.qkv` makes 3·D numbers of each token's D, the queries' first, then the keys', then the values'; `self.proj` is the last linear map. Write `split_heads`, which gives queries, keys and values, each (B, h, T, d), and `forward`: (B, T, D) → (B, T, D). The dropouts and the mask may be left out. Your solutions of 3.1 and 3.2 are there as `attention_weights` and `split_heads`. (The method `self.split_heads(x)` has the name of your function, and takes no number of heads: the module knows it, `self.num_heads`.)
#
# Hint: `self.qkv(x).chunk(3, dim=-1)` gives three tensors (B, T, D). Each is split into heads as in exercise 3.2.
#
# Hint: weights @ values is (B, h, T, d). Before the heads can be put side by side again, h has to go back behind T. Then `self.proj`.
#
# Solution: (This is the course's version, which uses PyTorch's fused function where that is fast. `attention_weights(queries, keys) @ values` is the same, up to rounding.)


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
# *Find the bug.* The heads (B, h, T, d) are put side by side again: (B, T, D). The shape is right, and the model trains. But see what the last lines print: only token 0 holds something, in both heads; after the merge two tokens do. Repair the function.
#
# Hint: `reshape` reads the numbers in the order in which they lie: all of head 0 comes first, with all its tokens.
#
# Hint: Which axis must come first after the batch, so that all numbers of token 0 lie next to each other?
#
# Solution: T has to stand before h, as in (B, T, h, d); then the last two are flattened.


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
# Three things to notice:
#
# - `proj`, the last linear map, mixes the heads. Without it, each head could write only into its own d numbers of the token.
# - The dropouts do nothing at their default rate of 0. `proj_drop` is here because the ViT paper's recipe uses dropout after dense layers; `attn_drop_rate`, on
#   the weights, is here because other libraries offer it.
# - On a GPU, and in float32, the formula is replaced by PyTorch's fused kernel, which never stores the T × T weights. It computes the same, up to rounding; above we compared
#   that function's CPU version. On the CPU this was written on, training with the formula is {{speed_of_the_formula("bfloat16"):.1f}} times as fast as with the fused function when both run
#   in bfloat16, and {{1 - speed_of_the_formula("float32"):.0%}} slower when both run in float32.
#   {{assert speed_of_the_formula("float32") < 1 < speed_of_the_formula("bfloat16")}}
#   So in bfloat16 the CPU keeps the formula.
#
# ### Somebody else's multi-head attention
#
# PyTorch has `nn.MultiheadAttention`. Give it our weights, and it must give our output. (It takes queries, keys and values from three places, here
# all from x, and returns the output and the weights.)

# %% tags=["nbval-check-output"]
ours = MultiHeadSelfAttention(embed_dim=48, num_heads=4)
theirs = nn.MultiheadAttention(embed_dim=48, num_heads=4, batch_first=True)
theirs.in_proj_weight, theirs.in_proj_bias = ours.qkv.weight, ours.qkv.bias
theirs.out_proj.weight, theirs.out_proj.bias = ours.proj.weight, ours.proj.bias

x = torch.randn(2, 65, 48)
output, _ = theirs(x, x, x)
print("equal:", torch.allclose(ours(x), output, atol=1e-6))

# %% [markdown]
# ## What attention cannot see: order
#
# Notebook 02 claimed it, now we can prove it. Let $\Pi$ be a permutation of the tokens. Queries, keys and values are computed token by token, so they
# are permuted too. The scores become $\Pi QK^\top\Pi^\top$: the same numbers, rows and columns moved. Softmax works on each row, and the weighted
# mean does not care in which order it sums. So the output is $\Pi$ applied to the old output. Attention is **permutation equivariant**:

# %% tags=["nbval-check-output"]
order = torch.randperm(65)
print(
    "permute, then attend = attend, then permute:",
    torch.allclose(ours(x[:, order]), ours(x)[:, order], atol=1e-6),
)

# %% [markdown]
# And if the class token stays first while only the patches are shuffled, its output does not change at all. Position embeddings are the only
# place where a ViT learns what is next to what.
#
# ## Whom the class token listens to
#
# Row 0 of the weights belongs to the class token. It is where its question lands: one query against 65 keys, in each head. 64 of the
# 65 keys come from patches (the first is its own), so row 0 without its first entry can be drawn over the image.
#
# To see what such a map *can* show, we ask by hand. Suppose training had found query and key maps that hand on the colours of a patch, measured from the
# mean of all. Then a query is looking for patches of its own colour. Three patches ask (framed in their maps):

# %%
images, _ = shapes10(1, seed=6)
colours = patchify(images.float() / 127.5 - 1, 4)  # (B, N, C·P·P)
colours = colours - colours.mean(dim=1, keepdim=True)
colours = 48**0.5 * F.normalize(colours, dim=-1)  # all of one length, so that direction counts
weights = attention_weights(colours, colours)[0]  # (N, N): row i says whom patch i hears

asking = [13, 45, 0]  # on the first stripe, on the third, on the background
maps = weights[asking].reshape(3, 8, 8)
titles = [f"asked by patch {i}" for i in asking]
places = [(i // 8, i % 8) for i in asking]
plots.show_heat(images.expand(3, -1, -1, -1), maps, titles, frames=places)

# %% [markdown]
# Patches 13 and 45 find all three stripes, also those they do not touch, and patch 0 finds the background around them. No training was needed for that, only a
# query that asks for something.
#
# An untrained class token has no such query. With random maps, its row is nearly flat:

# %%
tokens = torch.cat([0.02 * torch.randn(1, 1, 48), colours], dim=1)  # (1, 65, 48)
queries, keys, _ = ours.split_heads(tokens)
row = attention_weights(queries, keys)[0, :, 0]  # (h, T): from the class token, in each head
print(f"an equal share is {1 / 65:.4f}; shares lie between {row.min():.4f} and {row.max():.4f}")

# %% [markdown]
# It hears nearly the mean of everything. Training is what makes the question sharp, and notebook 00 shows a trained one.
#
# Now the mistake announced in notebook 02: mask row 0, so that the class token may only look at itself. (Masking its *column* would hide it from the
# patches, and it could still read them.) Two images, one class token: will it come out equal for both?

# %% tags=["nbval-check-output"]
two_images = torch.randn(2, 65, 48)
two_images[:, 0] = two_images[0, 0]  # the class token is the same in both, as at the start
mask = torch.ones(65, 65, dtype=torch.bool)
mask[0, 1:] = False  # row 0: the class token sees only itself
q, k, v = ours.split_heads(two_images)
masked = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)[:, :, 0]
print("masked: the same for both images:", torch.equal(masked[0], masked[1]))
free = F.scaled_dot_product_attention(q, k, v)[:, :, 0]
print("free:   the same for both images:", torch.equal(free[0], free[1]))

# %% [markdown] tags=["exercise:blind_mask"]
# *Predict.* `mask` (T, T) is True where a query (row) may look at a key (column). Token 0 is the class token. Which line makes it see itself alone?
#
# - a: `mask[0, 1:] = False`
# - b: `mask[1:, 0] = False`
# - c: `mask[:, 0] = False`
# - d: `mask[0, 0] = False`
#
# Hint: Row i holds the shares of query i.
#
# Hint: The class token's question lands in one row. Which entries of it are the other tokens?
#
# Solution: **a**. Row 0 is what the class token listens to; all but its own entry is closed.

# %% tags=["exercise-only", "exercise:blind_mask"]
# solution
# | blind_mask = ...  # "a", "b", "c" or "d"
blind_mask = "a"
# end of solution

# %% [markdown]
# Masked, it learns nothing about either image. The patches still exchange what they know, but nobody reads the result.
#
# ## What it costs
#
# T queries times T keys: the attention weights grow with T². Twice the side of the image, or half the side of the patch, means four times T and
# sixteen times the weights. We measure one layer for one image on this machine, and beside it the linear maps, which grow with T.


# %%
def milliseconds(function, repeats=20):
    """The time of a call: the best of several, since other programs can only make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


layer = MultiHeadSelfAttention(192, 3)
lengths = [65, 145, 257, 577]  # 8², 12², 16² and 24² patches, and a class token
softmax_part, linear_part = [], []

# %%
with torch.no_grad():
    for T in lengths:
        x = torch.randn(1, T, 192)
        q, k, v = layer.split_heads(x)
        softmax_part.append(milliseconds(lambda q=q, k=k, v=v: attention_weights(q, k) @ v))
        linear_part.append(milliseconds(lambda x=x: layer.proj(layer.qkv(x)[..., :192])))

lines = {"softmax(QKᵀ/√d)·V": softmax_part, "linear maps": linear_part}
plots.show_lines(
    lengths, lines, "tokens T", "milliseconds", "One attention layer, one image", log="xy"
)

# %% [markdown]
# On logarithmic axes the slope is the power: about 1 for the linear maps, 2 for the arithmetic of the softmax part when T is large. (What is measured can differ,
# since memory has a say too.) At T = 65 the quadratic part is the smaller one. At T = 577, the length for an image of 384 pixels in patches of 16, it is most of the
# attention layer.
#
# > **Keep this:** attention is a weighted mean of values, and the weights are a softmax over keys. √d keeps the softmax from freezing, heads
# > let a token ask several things, and row 0 is where the class token's question lands.
#
# ## Recap
#
# - Score = query · key, divided by √d. Softmax over the keys makes each row sum to 1. The answer is the weighted mean of the values.
# - Heads: split the last axis into (h, d) first, then move h to the front. `view` alone mixes up the tokens.
# - Attention does not see order, and its weights grow with T².
# - In attention, the class token is changed by its own row only. Mask that row, and it stays blind.
#
# ## Questions
#
# **1.** Somebody divides by √D instead of √d, with h = 12 heads. What happens to the attention weights?
#
# <details><summary>Answer</summary>
#
# √D is √12 ≈ 3.5 times as large as √d. Scores come out at 1/3.5 of their size, so at the start the shares are even closer to equal. It trains (queries
# and keys can grow to make up for it), but it is not the model that the paper describes, and parameters trained elsewhere give wrong results.
#
# </details>
#
# **2.** How many parameters does `MultiHeadSelfAttention(192, 3)` have? And with 6 heads?
#
# <details><summary>Answer</summary>
#
# qkv: 192 · 576 + 576 = 111,168. proj: 192 · 192 + 192 = 37,056. Together 148,224. With 6 heads the same: heads only cut the same numbers
# in thinner slices.
#
# </details>
#
# **3.** All keys are equal. What is the answer to any query?
#
# <details><summary>Answer</summary>
#
# All scores are equal, so all weights are 1/T, and the answer is the mean of the values, whatever the question was.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 03](exercises/03_attention.ipynb), with checks that say what is wrong.
#
# **Next: [04 · The Vision Transformer](04_vision_transformer.ipynb).** Patches, a class token, attention: we put the whole model together.
