# %% [markdown]
# # 02 · The class token: one vector that belongs to no patch
#
# **After this notebook you can** say what the class token is and what it is not, add it and the position embeddings to a batch of
# patches, explain why one needs positions at all, tell BERT's [CLS] from GPT's last token, and recognise the usual mistakes, some of
# which run without an error.
#
# | | |
# |---|---|
# | You need | notebook 01: an image as 64 tokens, shape (B, N, D) |
# | Time to read | about 20 minutes |
# | Time to run | seconds, on any machine |
# | Package module | `vit_minimal/class_token.py` |
#
# **Letters:** B images in a batch, N patches, T = N + 1 tokens, D numbers in an embedding.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from vit_minimal import PatchEmbedding, patchify, plots, shapes10, unpatchify

torch.manual_seed(0)
images, labels = shapes10(3, seed=2)
x = images.float() / 127.5 - 1  # uint8 0 … 255 → -1 … 1
patches = PatchEmbedding(image_size=32, patch_size=4, in_channels=3, embed_dim=48)(x)
print("patch tokens (B, N, D):", tuple(patches.shape))
plots.show_images(images, [f"image {i}" for i in range(3)], columns=3)

# %% [markdown]
# ## Which token do we read at the end?
#
# A Transformer takes T vectors and gives T vectors back. Ours gets 64 patches and returns 64 vectors, but we want **one** answer:
# "triangle". Which of the 64 should the classifier look at?
#
# - *The first?* That is the top left corner of the image, in a photograph often sky. It could learn to collect what the others know, but then it
#   has two jobs: to be the sky, and to be the answer.
# - *The mean of all?* A good idea, and it works. It gives every output the same weight, and leaves the weighing to the layers before.
# - *An extra one.* Add a token that stands for no patch and has nothing to say about any place. It can spend all of its D numbers on
#   the answer, and take from each patch as much as it likes.
#
# The third is the **class token**, written [class] in the ViT paper and $\mathbf{x}_\text{class}$ in its Eq. 1. The idea
# comes from a language model, BERT ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)), which puts a token [CLS] in front of
# every input.
#
# ## One learned vector for all images
#
# What is in the extra token? Nothing that depends on the image. It is a row of D numbers that is learned like any weight, and it is
# **the same for every image**. As a parameter it has the shape (1, 1, D): one image, one token, D numbers.

# %% tags=["nbval-check-output"]
D = patches.shape[-1]
token = nn.Parameter(torch.randn(1, 1, D) * 0.02)

B = len(patches)
in_front = token.expand(B, 1, D)  # (1, 1, D) → (B, 1, D)
tokens = torch.cat([in_front, patches], dim=1)  # (B, 1 + N, D)
print("with the class token (B, T, D):", tuple(tokens.shape))

# %% [markdown]
# Here is the batch as the model sees it: three images, each a stack of 65 rows. (Drawn are the class token's row and
# 15 of the 64 patches, from the middle of the sequence. Each image has its own scale: white is zero.)

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3.6), layout="constrained")
shown = [0, *range(28, 43)]  # token 0 is the class token, token n + 1 is patch n
names = ["[class]", *(f"patch {n - 1}" for n in shown[1:])]
for i, axis in enumerate(axes):
    rows = tokens[i, shown].detach()
    labels_left = names if i == 0 else []
    plots.show_matrix(rows, labels_left, [], f"image {i}", numbers=False, axis=axis, signed=True)
    axis.set_xlabel(f"{D} numbers")
plots.show("three images as rows of coloured cells; the first row, [class], is pale and the same")

# %% [markdown]
# Row 0 is pale, since its numbers start small, and it is equal in all three images. The other rows differ, because the images do.
#
# ### Expanded, not copied
#
# `expand` does not copy the vector B times. It makes a view: the B rows are the same piece of memory, which you can see in the
# strides (how far to walk in memory for one step along an axis; 0 means "stay where you are").

# %% tags=["nbval-check-output"]
print("strides:", in_front.stride())
print("same memory:", in_front.data_ptr() == token.data_ptr())

# %% [markdown]
# (The `cat` after it copies the row into each stack in any case, so `expand` is not about saving memory. What counts is that there is *one*
# parameter. `repeat`, which copies, would do as well.)
#
# What does that mean for learning? Every image pulls the one vector in its own direction, and autograd adds these pulls up. Let us
# check with a loss in which image i pulls with strength i + 1:

# %% tags=["nbval-check-output"]
token.grad = None  # gradients add up, should you run this cell twice
strength = torch.arange(1.0, B + 1).reshape(B, 1, 1)  # 1, 2, 3
(strength * token.expand(B, 1, D)).sum().backward()
print("gradient of each number:", token.grad[0, 0, :5].tolist(), "…")  # 1 + 2 + 3

# %% [markdown]
# 1 + 2 + 3 = 6: one vector, the sum of all pulls.
#
# As a module:


# %% [markdown] tags=["exercise-only"]
# # Exercises 02 · The class token
#
# They go with notebook [02](../02_class_token.ipynb). If you start here: the patches have become N tokens of D numbers each, (B, N, D). One more token is put in front of them, the *class token*: one learned vector, the same for every image, whose place at the output the classifier will read. To each of the T = N + 1 tokens a learned *position* is added, because nothing else in the model knows what stands where (Eq. 1 of the paper: z₀ = [x_class; x₁E; …; x_N E] + E_pos).

# %% tags=["exercise-only"]
import torch
from torch import nn

from checks import check
from vit_minimal import sinusoidal_2d

# %% [markdown] tags=["exercise:ClassToken"]
# Write the module. `self.weight` holds `count` vectors (as a rule 1), shared by all images: an `nn.Parameter` of the shape (1, count, D), which starts as small random numbers, 0.02 times `torch.randn`. `forward` puts it in front of the tokens of each image: (B, N, D) → (B, count + N, D).
#
# Hint: `torch.cat` along `dim=1` joins tokens, but the batch sizes must agree: one is 1, the other B.
#
# Hint: `weight.expand(B, -1, -1)` shows the one vector B times without copying it. B is known when `forward` is called, and not before.


# %% tags=["same-as:vit_minimal.class_token.ClassToken", "exercise:ClassToken"]
# vit_minimal/class_token.py
class ClassToken(nn.Module):
    """Put one learned vector, x_class in Eq. 1, or `count` first: (B, N, D) → (B, count + N, D)."""

    def __init__(self, embed_dim, count=1):
        super().__init__()
        # solution
        # | self.weight = ...
        self.weight = nn.Parameter(torch.randn(1, count, embed_dim) * 0.02)
        # end of solution

    def forward(self, tokens):
        # solution
        # | return ...  # your code
        B = tokens.shape[0]  # not len(tokens): an exported model would keep this number for ever
        return torch.cat([self.weight.expand(B, -1, -1), tokens], dim=1)
        # end of solution


# %% [markdown]
# (`count` is for later: extra learned tokens that take part in attention, but that nobody reads at the end, are called *registers*.)
#
# Why `tokens.shape[0]`, when `len(tokens)` is the same number? Because one day you may export the model, to run it in a phone or a
# browser. An exporter watches one batch go through and writes down what happens. `shape[0]` it writes down as "the batch size, whatever
# it is". `len` turns the size into an ordinary Python number first, so the exported model would accept batches of that one size only.
#
# ## It starts out knowing nothing
#
# Before the first layer the class token is the same for a ring and for a triangle. So whatever it knows at the end, **attention must
# have carried there**. Watch it happen. We let the class token look at all tokens once, with random weights, and ask whether it
# differs between the three images.

# %% tags=["nbval-check-output"]
cls_token = ClassToken(D)
tokens = cls_token(patches)  # (B, T, D)
look = nn.MultiheadAttention(D, num_heads=3, batch_first=True)  # notebook 03 opens this box
after, _ = look(tokens, tokens, tokens)  # queries, keys, values: all tokens (notebook 03)

print("differs between images before:", bool(tokens[:, 0].std(dim=0).max() > 0))
print("differs between images after: ", bool(after[:, 0].std(dim=0).max() > 0))

# %% [markdown]
# That is the whole mechanism, and it explains a gotcha: **if anything stops the class token from looking at the patches** (a mask that lets it
# see only itself, as in the GPT picture below), it stays the same for all images, and the model can only ever learn how frequent the classes are.
#
# ## Where is everything? Positions
#
# Attention treats its input as a bag: what one token takes from another depends on what the two hold, not on where they are, and a sum has no
# order. Shuffle the patches, and the class token receives exactly the same. That is hard to believe, so let us look. Left the image, right the
# same 64 patches in random order (*inside* a patch the pixels keep their order):

# %%
order = torch.randperm(64)
shuffled = unpatchify(patchify(images, 4)[:, order], 4, image_size=32)
plots.show_images(
    torch.stack([images[0], shuffled[0]]), ["in order", "shuffled"], columns=2, size=2
)

# %% tags=["nbval-check-output"]
in_order = cls_token(patches)
out_of_order = cls_token(patches[:, order])
seen_1, _ = look(in_order, in_order, in_order)
seen_2, _ = look(out_of_order, out_of_order, out_of_order)
change = (seen_1 - seen_2)[:, 0].abs().max()
print("without positions the class token changes by at most", f"{change:.5f}")

# %% [markdown]
# Nothing but rounding. In the right picture we no longer see a shape; for the class token without positions the two are *the same image*, and no
# amount of training changes that, since every layer works in this way.
#
# The remedy in Eq. 1: to each token add a vector that says where it is, $\mathbf{E}_\text{pos}$, with one row for each of the T places.
#
# (Here $\mathbf{x}^n_p$ is patch n, flattened, and semicolons stack rows.)
#
# $$\mathbf{z}_0 = [\mathbf{x}_\text{class};\ \mathbf{x}^1_p\mathbf{E};\ \dots;\ \mathbf{x}^N_p\mathbf{E}] + \mathbf{E}_\text{pos},
# \qquad \mathbf{E}_\text{pos} \in \mathbb{R}^{(N+1)\times D}$$
#
# Why *add*, and not append? Because it is the same here. Suppose that *before* the projection we appended to each patch's pixel numbers a code for its place: N
# numbers, all zero but a 1 at its own. One linear map of the longer vector is (pixels times **E**) plus (the row of the map that belongs to this place). That is
# Eq. 1 for a patch, so adding loses nothing, and keeps the width D.
#
# ### Learned or computed
#
# The ViT paper *learns* the rows of $\mathbf{E}_\text{pos}$, from small random numbers. One can also *compute* them, from sines and
# cosines of the row and the column, with wavelengths from 6 patches to 63,000
# ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Section 3.5, here for two axes). Then neighbours are alike from the start.


# %% tags=["same-as:vit_minimal.class_token.sinusoidal_2d"]
# vit_minimal/class_token.py
def sinusoidal_2d(grid_size, embed_dim, temperature=10_000.0):
    """Sines and cosines of each patch's column and row: (N, D)."""
    if embed_dim % 4:
        raise ValueError(f"sinusoidal positions need an embed_dim divisible by 4, not {embed_dim}")
    y, x = torch.meshgrid(*map(torch.arange, grid_size), indexing="ij")  # rows, columns
    frequencies = temperature ** -torch.linspace(0, 1, embed_dim // 4)  # radians per patch
    x, y = x.reshape(-1, 1) * frequencies, y.reshape(-1, 1) * frequencies  # (N, D/4) each
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=1)


# %% [markdown]
# To see what a set of position vectors "knows", compare each with all others. Below is one small map for each of the 64 places: how
# similar is this place's vector to the vector of every other place? (Cosine similarity: 1 is the same direction, 0 unrelated.) First the
# computed ones.

# %%
plots.show_similarity_grid(sinusoidal_2d((8, 8), 192), (8, 8), "computed: sines and cosines")

# %% [markdown]
# In each small map the brightest spot is the place itself, and similarity fades over the next four or five patches, along the rows and along
# the columns: the vectors know that the image has two dimensions. (Mind the colour bar: even the darkest spots are at 0.74, because the long waves
# hardly change over 8 patches.) Now the learned ones *before* any training:

# %%
torch.manual_seed(0)
plots.show_similarity_grid(torch.randn(64, 192) * 0.02, (8, 8), "learned: before training")

# %% [markdown]
# Each is similar to itself and to nobody else. Nothing tells the model that patch 1 is next to patch 0 and patch 8 below it: **it has
# to find out from the images.** After training, the paper finds (its Figure 7) that neighbours have become alike, with the same
# two dimensions as above. Whether they do in *your* model you can see for yourself: `plots.show_similarity_grid(model.pos_embed.weight[0, 1:], (8, 8))`.
#
# The module. A learned table has a row for the class token too, so T rows and not N. The computed one has nothing to say about a token that
# is nowhere, and gives it a row of zeros:


# %% [markdown] tags=["exercise:PositionEmbedding"]
# Write `self.weight`, a parameter with a row for each token, (1, T, D), that starts as 0.02 times `torch.randn`; and `forward`, which adds it. `grid_size` is the pair (rows, columns) of the grid of patches; `num_prefix` tokens stand before them, as a rule one, the class token. (With `sinusoidal=True` positions are computed, not learned. That part is written.)
#
# Hint: How many patches has a grid of rows × columns? How many tokens are there in all?
#
# Hint: (B, T, D) + (1, T, D): PyTorch repeats the axis of length 1 for you.


# %% tags=["same-as:vit_minimal.class_token.PositionEmbedding", "exercise:PositionEmbedding"]
# vit_minimal/class_token.py
class PositionEmbedding(nn.Module):
    """Add to every token a vector that says where it is, E_pos in Eq. 1: (B, T, D) → (B, T, D)."""

    def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
        super().__init__()
        if sinusoidal:
            table = nn.functional.pad(sinusoidal_2d(grid_size, embed_dim), (0, 0, num_prefix, 0))
            self.register_buffer("weight", table[None], persistent=False)
        else:
            # solution
            # | self.weight = ...
            num_tokens = num_prefix + grid_size[0] * grid_size[1]
            self.weight = nn.Parameter(torch.randn(1, num_tokens, embed_dim) * 0.02)
            # end of solution

    def forward(self, tokens):
        # solution
        # | return ...  # your code
        return tokens + self.weight
        # end of solution


# %% [markdown] tags=["exercise:numbers_before_block_1"]
# Three things are learned before the first block: the patch embedding, the class token and the positions. How many numbers do the last two hold together, for images of 32 × 32, P = 4, D = 192 and batches of 128?
#
# Hint: Which of the two depends on the number of tokens? Which of them on the batch?
#
# Hint: The class token has 192. There are 64 patches, and how many rows of positions?
#
# Solution: 192 for the class token, and 65 · 192 = 12,480 for the positions, since the class token has a row too. 12,672 together, whatever the batch.

# %% tags=["exercise-only", "exercise:numbers_before_block_1"]
# solution
# | numbers_before_block_1 = ...
numbers_before_block_1 = 192 + 65 * 192
# end of solution

# %% [markdown] tags=["exercise:embedded"]
# *Find the bug.* `positions` (1, N + 1, D) has a row for each token, the class token's first. The function below runs, and the loss falls. But patches get the positions of their neighbours. See what is printed for the class token and four patches, whose positions are 10, 11, 12, 13, 14. Repair it.
#
# Hint: In Eq. 1 there is one sum, at the very end.
#
# Hint: `positions[:, :-1]` are the rows 0 … N − 1. Row 0 is not a patch's.
#
# Solution: Join first, then add all rows at once, and no slice is needed. The symptom is silent in a model that learns its positions from scratch; with weights from elsewhere it shifts the whole image by a patch (notebook 02).


# %% tags=["exercise-only", "exercise:embedded"]
def embedded(patches, class_token, positions):
    """(B, N, D), (1, 1, D), (1, N + 1, D) → (B, N + 1, D): [class; patches] + positions, Eq. 1."""
    in_front = class_token.expand(len(patches), -1, -1)
    # solution
    # | return torch.cat([in_front, patches + positions[:, :-1]], dim=1)
    return torch.cat([in_front, patches], dim=1) + positions
    # end of solution


counted = torch.arange(10.0, 15.0).reshape(1, 5, 1)  # positions 10 … 14, all tokens zero
print(embedded(torch.zeros(1, 4, 1), torch.zeros(1, 1, 1), counted)[0, :, 0])

# %% [markdown] tags=["exercise:shuffled_patches"]
# *Predict.* A trained ViT with a class token, but **without** positions. In its blocks tokens hear each other by *attention*: each takes a sum over all tokens, weighted by how well their contents fit (notebook 03). You shuffle the patches of a test image. The logits …
#
# - a: … stay the same, up to rounding
# - b: … change a little, and the class mostly stays
# - c: … are no better than guessing
# - d: … there are none: it raises an error
#
# Hint: The class token gets a weighted sum. What does a sum know about the order of its terms?
#
# Hint: The weight of a patch depends on its content. Does it depend on where the patch stands?
#
# Solution: **a**. Without positions a patch is weighed by its content alone, and a sum has no order. The patches hear each other in the same way, so after each block they are what they were, in another order.

# %% tags=["exercise-only", "exercise:shuffled_patches"]
# solution
# | shuffled_patches = ...  # "a", "b", "c" or "d"
shuffled_patches = "a"
# end of solution

# %% [markdown]
# With positions, the class token can tell the shuffled image from the other:

# %% tags=["nbval-check-output"]
pos_embed = PositionEmbedding((8, 8), D)
in_order = pos_embed(cls_token(patches))
out_of_order = pos_embed(cls_token(patches[:, order]))
seen_1, _ = look(in_order, in_order, in_order)
seen_2, _ = look(out_of_order, out_of_order, out_of_order)
change = (seen_1 - seen_2)[:, 0].abs().max()
print("with positions the class token changes by at most", f"{change:.5f}")
assert change > 3e-6

# %% [markdown]
# Still small, because positions start small and an untrained class token looks at all patches almost equally. But it is more than rounding:
# training now has something to enlarge. Before, it had nothing.
#
# ## Why BERT reads its first token and GPT its last
#
# The class token is often said to be "as in BERT and GPT". BERT: yes. GPT: no, and the reason is one picture. Who may look at whom?
#
# In BERT and in a ViT every token sees every token. GPT predicts the next word, so a token must not see what comes after it: its
# attention is **causal**. Put a class token first in such a model, and it can look at nobody but itself.

# %%
names = ["[class]", "a", "cat", "sat"]
everyone = torch.ones(4, 4)
causal = everyone.tril()  # row i may look at the columns 0 … i
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
plots.show_matrix(everyone, names, names, "BERT, ViT: all see all", axis=axes[0])
plots.show_matrix(causal, names, names, "GPT: nobody sees ahead", axis=axes[1])
for axis in axes:
    axis.set(xlabel="is looked at", ylabel="looks")
plots.show("who looks at whom: on the left all at all, on the right nobody at a later token")

# %% [markdown]
# Read the top row on the right: 1, 0, 0, 0. A class token there would stay the same for all sentences. In a causal model the only
# token that has seen everything is the *last* one, and that is the one GPT reads. So the rule is not "the class token comes first"
# but "**read a token that has seen everything**". In a ViT any place in the sequence would do; first is a convention.
#
# ## Three mistakes, and one that is none
#
# ### 1. The batch size in the parameter

# %% tags=["nbval-check-output"]
wrong = nn.Parameter(torch.randn(3, 1, D))  # one vector for each place in the batch
print("a batch of 3:", tuple(torch.cat([wrong, patches], dim=1).shape))
try:
    torch.cat([wrong, patches[:2]], dim=1)  # the last batch of an epoch is often smaller
except RuntimeError as error:
    print("a batch of 2:", str(error).split(".")[0])

# %% [markdown]
# With batches of 3 it trains. But it learns three different class tokens, and which one an image gets depends on its place in the
# batch. The error comes with the first batch of another size, often at the end of an epoch, or when you classify a single image.
# *The check:* the parameter's shape must begin with (1, 1, …).
#
# ### 2. Positions off by one
#
# A table of N + 1 rows meant for [class] and N patches, used with a model that has no class token: if somebody cuts the table to the
# first N rows to make the shapes fit, each patch gets the position of the patch before it, and patch 0 gets the class token's.

# %%
table = torch.cat([torch.zeros(1, 192), sinusoidal_2d((8, 8), 192)])  # slot 0: the class token
right, off_by_one = table[1:], table[:-1]
moved = off_by_one.reshape(8, 8, 192)[:, 0]  # what the patches of the first column are told
home = [int(torch.argmax(right @ row)) for row in moved[1:]]  # whose position is it really?
print("the first column's patches 8, 16, 24, … are told they are", home)

# %% [markdown]
# The whole image moves by one patch, and the first column wraps around to the end of the row above (7 is the last patch of the top
# row; patch 0 got the class token's row, which has no place). Nothing complains. Weights that were trained elsewhere now see a shifted image; a table
# learned from scratch would not mind (Question 3). *The check:* compare with something that is right, such as the logits of the model that the
# weights come from. Notebook 04 does.
#
# ### 3. Is a class token without a position slot a mistake?
#
# Often said, half true. Some code adds positions to the patches first and puts the class token in front afterwards. Then the class
# token has no slot. What is lost? Look at the sum in Eq. 1: the class token enters the model as
# $\mathbf{x}_\text{class} + \mathbf{E}_\text{pos}[0]$, two learned vectors that are only ever seen added together. One can do the
# work of both:

# %% tags=["nbval-check-output"]
with torch.no_grad():
    with_slot = pos_embed(cls_token(patches))
    merged = ClassToken(D)
    merged.weight.copy_(cls_token.weight + pos_embed.weight[:, :1])
    without_slot = merged(patches + pos_embed.weight[:, 1:])
print("the same input for the first layer:", torch.equal(with_slot, without_slot))

# %% [markdown]
# So nothing is lost in what the model can express. (Training can differ a little: two summands get the same gradient, so their sum moves
# twice as far.) It becomes a mistake when *weights* travel between two programs that disagree about it, as in mistake 2. Our loader for the weights of
# timm, the best-known library of image models, handles both.
#
# ### 4. Reading token 1
#
# `x[:, 1]` is the top left patch. Everything runs, the loss falls, because that patch too attends to all others. How would you
# notice? Ask the *logits* (the ten scores that the classifier gives) whether they depend on what you think they depend on. Here a random tensor
# stands for what comes out of the last layer; in your model, take the real one:

# %% tags=["nbval-check-output"]
head = nn.Linear(D, 10)


def depends_on(read):
    """Which tokens of the last layer the logits depend on."""
    last = torch.randn(2, 65, D, requires_grad=True)  # stands for the encoder's output
    head(last[:, read]).sum().backward()
    return last.grad.abs().sum(dim=(0, 2)).nonzero().flatten().tolist()


print("x[:, 0] depends on token", depends_on(0))
print("x[:, 1] depends on token", depends_on(1))

# %% [markdown]
# *The check:* a gradient. It belongs in your tests, because accuracy is a poor witness: a model that reads token 1 can still learn.
#
# > **Keep this:** the class token is one learned vector, the same for all images, that belongs to no patch. All it knows about an
# > image it has been told by attention. Positions are what make the patches more than a bag.
#
# ## Recap
#
# - We need one vector to classify. The class token is an extra one, with no place of its own.
# - One parameter (1, 1, D), expanded over the batch; its gradient is the sum over the images.
# - Attention alone cannot see order. One vector per place, learned or computed, is added to the tokens.
# - Read a token that has seen everything: in a ViT that can be any, in GPT it is the last.
#
# ## Questions
#
# **1.** How many numbers do the class token and the learned positions add to a model with N = 64 and D = 192?
#
# <details><summary>Answer</summary>
#
# 192 for the class token and 65 · 192 = 12,480 for the positions: 12,672 together.
#
# </details>
#
# **2.** Somebody initialises the class token with zeros. Does it stay zero, since its gradient might be zero too?
#
# <details><summary>Answer</summary>
#
# No. What enters the first layer is zero plus its position. And even without a position, how the token mixes the patches depends on what it
# holds, so changing it changes the loss, and the gradient is not zero.
#
# </details>
#
# **3.** You shuffle the patches of every image with the *same* permutation, in training and in testing, and learn positions. How much
# accuracy do you lose?
#
# <details><summary>Answer</summary>
#
# None, apart from chance: the learned table has no notion of neighbours at the start, so one fixed order is as good as another. With
# computed positions you would probably lose a little, since these say that neighbours are alike.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 02](exercises/02_class_token.ipynb), with checks that say what is wrong.
#
# **Next: [03 · Attention](03_attention.ipynb).** We have used it as a closed box so far. Now we open it.
