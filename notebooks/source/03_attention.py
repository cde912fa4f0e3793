# %% [markdown]
# # 03 · Attention: every token asks every token
#
# **After this notebook you can** compute attention for one query by hand, write it for all queries and several heads, say what the
# √d is for and what happens without it, prove your code equal to two of PyTorch's own, and read the class token's row as the question it
# asks.
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

from vit_minimal import ClassToken, PatchEmbedding, PositionEmbedding, plots, shapes10

torch.manual_seed(0)
torch.set_printoptions(precision=2, sci_mode=False)

# %% [markdown]
# ## The problem
#
# Patch 12 holds a dark corner. Is it the corner of a frame, or the end of a stripe? Patch 12 cannot know: its 48 pixels are all it has.
# It would have to ask the others, and listen most to those who have something to say about corners.
#
# Attention is this asking, with three vectors for each token:
#
# - a **query**: what I am looking for,
# - a **key**: what I have to offer,
# - a **value**: what I say if you listen to me.
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
# Check it on paper: e¹ ≈ 2.72, e⁰ = 1 and e² ≈ 7.39 sum to 11.11; 2.72 / 11.11 ≈ 0.24, 1 / 11.11 ≈ 0.09, 7.39 / 11.11 ≈ 0.67. The answer's
# first number is 0.24 · 10 + 0.09 · 0 + 0.67 · 5 ≈ 5.77.
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
# Each **row** is one query's shares and sums to 1. Columns need not: token 2 is listened to by everyone, token 0 by few.
#
# The softmax must run over the *keys*, the last axis. Over the other axis the shapes are the same and the meaning is lost:

# %% tags=["nbval-check-output"]
wrong = (queries @ keys.T).softmax(dim=0)  # over the queries: wrong
print("rows sum to", wrong.sum(dim=1), "and should sum to 1")

# %% [markdown]
# ## Why divide by √d
#
# The paper that introduced it ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Eq. 1) has one more piece:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$
#
# A score is a sum of d products. If queries and keys are random numbers with variance 1, each product has variance 1 and mean 0, the
# d products are independent, and variances of independent terms add up: the score has variance d. So its typical size is √d. Let us see.

# %%
widths = [4, 16, 64, 256, 1024]
sizes = [(torch.randn(4000, d) * torch.randn(4000, d)).sum(dim=1).std().item() for d in widths]
plots.show_lines(
    widths,
    {"measured standard deviation": sizes, "√d": [d**0.5 for d in widths]},
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
# Without the division one key wins nearly everything as soon as d is large, before the model has learned anything: it listens to one
# random token. Worse, it can hardly change its mind. Where softmax is **saturated** (one weight near 1, all others near 0) its gradient is near
# 0, as the next cell measures:

# %%
for d in (4, 64, 1024):
    q = torch.randn(200, d, requires_grad=True)
    k, v = torch.randn(65, d), torch.randn(65, 1)
    norms = []
    for scale in (1, d**0.5):
        (gradient,) = torch.autograd.grad(((q @ k.T / scale).softmax(dim=-1) @ v).sum(), q)
        norms.append((gradient * scale).norm(dim=1).median().item() / d**0.5)
    print(
        f"d = {d:4}: typical gradient through the softmax {norms[0]:.4f} not divided, {norms[1]:.4f} divided"
    )

# %% [markdown]
# (We compare the gradient of the softmax itself, per number of the query, with the factor 1/√d taken out again. The median query is shown, since
# a few lucky ones with two equal leaders still learn.) At d = 1024 almost nothing gets through without the division.
#
# Now the formula as a function. Dividing keeps the *variance* at 1, so it is √d, and not d, and d is the width **of a head**:


# %% tags=["same-as:vit_minimal.attention.attention_weights"]
# vit_minimal/attention.py
def attention_weights(queries, keys):
    """softmax(QKᵀ/√d) over the keys: (…, T, d), (…, T, d) → (…, T, T), each row sums to 1."""
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    return scores.softmax(dim=-1)


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
# Splitting D = 6 numbers of T = 4 tokens into h = 2 heads looks like a job for `view`. Let us use numbers we can read: token t holds
# 10·t + 0, 1, …, 5. Head 0 must get the numbers ending in 0, 1, 2 of *every token*, head 1 those ending in 3, 4, 5.

# %% tags=["nbval-check-output"]
T, D, h = 4, 6, 2
x = 10 * torch.arange(T)[:, None] + torch.arange(D)  # (T, D)
print("head 0, view alone (wrong):")
print(x.view(h, T, D // h)[0])
print("head 0, view and transpose:")
print(x.view(T, h, D // h).transpose(0, 1)[0])

# %% [markdown]
# It is the mistake of notebook 01 once more. `view(h, T, d)` has the right shape and deals the tokens out wrongly: head 0 gets all of tokens 0 and 1,
# and its "four tokens" are halves of two. Split the last axis in the place where it is (`T, h, d`), then move the heads to the front.
#
# In the module, queries, keys and values come from one linear map of width 3·D, which is the same as three maps of width D and faster, and
# the same as h · 3 maps of width d. First, a word about widths that do not fit:


# %% tags=["same-as:vit_minimal.attention.head_width"]
# vit_minimal/attention.py
def head_width(embed_dim, num_heads):
    """d = D / h. ValueError if h does not divide D."""
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"num_heads {num_heads} does not divide embed_dim {embed_dim}")
    return embed_dim // num_heads


# %% tags=["same-as:vit_minimal.attention.MultiHeadSelfAttention"]
# vit_minimal/attention.py
class MultiHeadSelfAttention(nn.Module):
    """Tokens (B, T, D) → tokens (B, T, D): h attentions side by side, each on d = D/h numbers."""

    def __init__(self, embed_dim, num_heads, attn_drop_rate=0.0, proj_drop_rate=0.0):
        super().__init__()
        self.num_heads, self.head_width = num_heads, head_width(embed_dim, num_heads)
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.attn_drop = nn.Dropout(attn_drop_rate)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def split_heads(self, x):
        """Tokens (B, T, D) → queries, keys and values, each (B, h, T, d)."""
        B, T, _ = x.shape
        qkv = self.qkv(x).reshape(B, T, 3, self.num_heads, self.head_width)
        return qkv.permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        if x.is_cuda:  # the same numbers from one fused kernel
            drop = self.training * self.attn_drop.p
            out = nn.functional.scaled_dot_product_attention(queries, keys, values, dropout_p=drop)
        else:
            out = self.attn_drop(attention_weights(queries, keys)) @ values  # (B, h, T, d)
        out = out.transpose(1, 2).flatten(2)  # (B, T, D): the heads side by side again
        return self.proj_drop(self.proj(out))


# %% [markdown]
# Three things to notice:
#
# - `proj`, the last linear map, mixes the heads. Without it, what head 0 found could never meet what head 1 found in this layer.
# - The dropouts do nothing at their default rate of 0. They are here because the ViT paper's recipe uses dropout.
# - On a GPU the formula is replaced by PyTorch's fused kernel, which never stores the T × T weights. It is the same formula; we
#   have just seen that the results agree. On a CPU, the plain formula trains faster at our sizes.
#
# ### Somebody else's multi-head attention
#
# PyTorch has `nn.MultiheadAttention`. Give it our weights, and it must say what we say:

# %% tags=["nbval-check-output"]
ours = MultiHeadSelfAttention(embed_dim=48, num_heads=4)
theirs = nn.MultiheadAttention(embed_dim=48, num_heads=4, batch_first=True)
theirs.in_proj_weight, theirs.in_proj_bias = ours.qkv.weight, ours.qkv.bias
theirs.out_proj.weight, theirs.out_proj.bias = ours.proj.weight, ours.proj.bias

x = torch.randn(2, 65, 48)
print("equal:", torch.allclose(ours(x), theirs(x, x, x)[0], atol=1e-6))

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
# ## The class token's question
#
# Row 0 of the weights belongs to the class token: **what it asks, and whom it listens to**. It is one query against 65 keys, in each head. Let
# us draw row 0 for an image: one map per head, untrained.

# %%
images, _ = shapes10(1, seed=6)
tokens = PatchEmbedding(32, 4, 3, 48)(images.float() / 127.5 - 1)
tokens = PositionEmbedding((8, 8), 48)(ClassToken(48)(tokens))  # (1, 65, 48)

queries, keys, _ = ours.split_heads(tokens)
weights = attention_weights(queries, keys)  # (B, h, T, T)
to_patches = weights[0, :, 0, 1:].reshape(4, 8, 8)  # from token 0 to the patches, as a grid
print(f"to itself: {weights[0, :, 0, 0].mean():.3f} (an equal share is {1 / 65:.3f})")
heads = [f"head {i}" for i in range(4)]
plots.show_heat(images.expand(4, -1, -1, -1), to_patches, heads, limit=3 / 65)

# %% [markdown]
# One flat colour: every share is close to 1/65 ≈ 0.015. An untrained class token asks for nothing in particular and hears the mean of
# everything. Training is what
# makes the question sharp; notebook 00 shows a trained one, and notebook 06 follows it through the layers.
#
# Now the mistake announced in notebook 02, "treat the class token like padding": mask its row, so that it may only look at itself.

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

# %% [markdown]
# Masked, it learns nothing about any image, in any layer. The rest of the network works as before, and nobody reads it.
#
# ## What it costs
#
# T queries times T keys: attention's weights grow with T². Twice the side of the image, or half the side of the patch, means four times T and
# sixteen times the weights. Measured on this machine, for one image and one layer, with the linear maps (which grow with T) beside it:

# %%
layer = MultiHeadSelfAttention(192, 3)


def milliseconds(function, repeats=5):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[repeats // 2]  # the median


lengths = [65, 257, 1025, 2049]
cost = {"softmax(QKᵀ/√d)·V": [], "linear maps": []}
with torch.no_grad():
    for T in lengths:
        x = torch.randn(1, T, 192)
        q, k, v = layer.split_heads(x)
        cost["softmax(QKᵀ/√d)·V"].append(
            milliseconds(lambda q=q, k=k, v=v: attention_weights(q, k) @ v)
        )
        cost["linear maps"].append(milliseconds(lambda x=x: layer.proj(layer.qkv(x)[..., :192])))

# %%
plots.show_lines(
    lengths, cost, "tokens T", "milliseconds", "One image, one layer, D = 192, 3 heads", log="xy"
)

# %% [markdown]
# On these logarithmic axes a line twice as steep means a power twice as high: T² above, T below. At T = 65 the quadratic part does not hurt yet. At a
# few thousand tokens it is nearly all there is.
#
# > **Keep this:** attention is a weighted mean of values, and the weights are a softmax over keys. √d keeps the softmax from freezing, heads
# > let a token ask several things, and row 0 is what the class token asks.
#
# ## Recap
#
# - Score = query · key, divided by √d. Softmax over the keys makes each row sum to 1. The answer is the weighted mean of the values.
# - Heads: split the last axis into (h, d) first, then move h to the front. `view` alone mixes up the tokens.
# - Attention does not see order, and costs T².
# - The class token is changed by its own row only. Mask that row, and it stays blind.
#
# ## Questions
#
# **1.** Somebody divides by √D instead of √d, with h = 12 heads. What happens to the weights?
#
# <details><summary>Answer</summary>
#
# √D is √12 ≈ 3.5 times larger than √d. Scores come out 3.5 times too small, so at the start the shares are even closer to equal. It trains (the
# weights can grow to make up for it), but it is not the model the paper describes, and weights from elsewhere give wrong results.
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
# **Next: [04 · The Vision Transformer](04_vision_transformer.ipynb).** Patches, a class token, attention: we put the whole model together.
