# %% [markdown]
# # 02 · The class token: one vector that belongs to no patch
#
# An image is now 64 vectors, and we want one answer: "cat". Which vector do we read it from? And how does a model know where each patch was?
#
# **After this notebook you can** add a class token and positions to a batch of patches, explain how a vector that is the same for every image comes to tell a cat from a rocket, and show that a model without positions cannot tell an image from its shuffled pieces.
#
# | | |
# |---|---|
# | You need | notebook 01: an image as 64 tokens, shape (B, N, D) |
# | Time to read | about 30 minutes, and 25 more for the second visit |
# | Time to run | seconds, on any machine |
# | Package module | `vit_minimal/class_token.py` |
#
# **Letters:** B images in a batch, N patches, T = N + 1 tokens, D numbers in a token, L blocks, h heads. Where the text names a number that a cell prints, the last digits may differ on your machine.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from skimage import data
from torch import nn

from vit_minimal import (
    PatchEmbedding,
    attention_maps,
    diagrams,
    load_checkpoint,
    load_image,
    patchify,
    plots,
    unpatchify,
)
from vit_minimal.augment import normalize
from vit_minimal.data.cifar10 import CIFAR10_CLASSES
from vit_minimal.inspection import look_into

photos = Path(data.__file__).parent  # photographs that come with scikit-image
cat = load_image(photos / "chelsea.png", 128)  # (C, H, W), uint8
rocket = load_image(photos / "rocket.jpg", 128)
diagrams.overview(load_image(photos / "chelsea.png", 32), "class_token")

# %% [markdown]
# You are at the part that is lit. Notebook 01 turned an image into 64 tokens, and today two things happen to them: an orange vector, the class token, is put on top, and a grey vector is added to each row to say where the row belongs.
#
# ## Which of the 64 vectors holds the answer?
#
# A Transformer takes a stack of vectors and returns a stack of the same size. In between lie several *blocks*. In each block the vectors first exchange information, and then a small network, the MLP, works on each of them alone. If we feed it 64 patch tokens, it returns 64 vectors. But the classifier at the end reads *one* vector. Which one should it be?
#
# - **The first?** It belongs to the top left corner of the image, which is often sky. It would have two jobs: to describe a piece of sky, and to carry the answer for the whole image.
# - **The mean of all 64?** This works well too; notebook [09](09_pitfalls_class_token.ipynb) compares the two. But its weights are fixed: it takes 1/64 of each vector.
# - **An extra one?** We add a token that stands for no patch. It can use all of its D numbers for the answer, and decide how much it takes from which patch.
#
# We take the extra one, because it gives the answer **one place of its own**. It is called the **class token**, written [class] in the ViT paper and $\mathbf{x}_\text{class}$ in its Eq. 1. It comes from the language model BERT ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)), which puts a token called [CLS] in front of every text. The place in front is a convention. What counts is that the token may look at all others. (Notebook [14](14_more_claims.ipynb) tells what happens where it may not.)
#
# ## How can it take anything from the patches?
#
# Tokens exchange information by **attention**, the first half of each block. Notebook 03 opens that box. For now, one sentence about it is enough: *each token takes a weighted mean of all tokens, and the weights are computed from the tokens themselves.* (More exactly, a mean of what the tokens hand over.) If a token gives another one a large weight, we say that it *attends to* it, or looks at it.
#
# Here is a weighted mean that you can check in your head. Three patches hold one number each: 2, 4 and 8. The class token gives them the weights ½, ¼ and ¼, which sum to 1. It takes ½ · 2 + ¼ · 4 + ¼ · 8 = 1 + 1 + 2 = **4**.
#
# The next diagram shows the same step for two photographs, each cut into nine patches to keep the picture small. The orange line carries the class token along, unchanged. The purple arcs bring the weighted mean of the patches, and a thicker arc is a larger weight. In the orange frame the two are added: the old class token plus what it has gathered is the new class token. (Its own small weight is left out here and in the example above.)

# %%
diagrams.class_token_idea(torch.stack([cat, rocket])[:, :, ::2, ::2])  # every other pixel

# %% [markdown]
# The *same* orange square stands in front of both images, and it holds nothing about either. In the frames on the right stand two *different* vectors, because the patches hold different things. The stripes in a frame, between white gaps, are a recipe. Each stripe is one patch, in its mean colour, and its width is the patch's weight. They are sorted by width, since a sum has no order. The weights in this diagram are made up.
#
# The name misleads a little. No right answer is ever put into the class token: the classifier reads the class *from* it, after the last block.
#
# ## What is in it at the start?
#
# Nothing that depends on the image. The class token is a row of D numbers that is learned like any other parameter, and **it is the same for every image**.
#
# Let us build it. We take three photographs at 32 × 32 pixels, the size that our model works with, and make patch tokens of them as in notebook 01. To keep the examples small we take D = 96.

# %%
torch.manual_seed(0)
files = ["chelsea.png", "rocket.jpg", "coffee.png"]
images = torch.stack([load_image(photos / file, 32) for file in files])  # (B, C, H, W)
x = normalize(images)  # bytes 0 … 255 → -1 … 1, as in notebook 01
patches = PatchEmbedding(image_size=32, patch_size=4, in_channels=3, embed_dim=96)(x)

print("patch tokens (B, N, D):", tuple(patches.shape))
plots.show_images(images, ["cat", "rocket", "coffee"], columns=3, size=1.5)

# %% [markdown]
# Now we put the class token in front. We repeat it for each image, and join it to the patches along axis 1, the axis of tokens.

# %% tags=["nbval-check-output"]
D = patches.shape[-1]
token = nn.Parameter(torch.randn(1, 1, D) * 0.02)  # learned; starts small

B = len(patches)
in_front = token.expand(B, 1, D)  # (1, 1, D) → (B, 1, D)
tokens = torch.cat([in_front, patches], dim=1)  # (B, 1 + N, D)
print("with the class token (B, T, D):", tuple(tokens.shape))

# %% [markdown]
# Each image is now a stack of 65 rows of numbers. We draw the numbers as cells: purple is positive, orange negative, and white zero. Row 0 on top is the class token. It starts with small numbers, so we draw it 20 times as strong. It pushes each patch down by one, so patch n is row n + 1. Here are patches 28 … 31.

# %% tags=["hide-input"]
strong = tokens.detach() * torch.tensor([20.0] + [1.0] * 64).reshape(1, 65, 1)  # row 0 × 20
figure, axes = plt.subplots(2, 3, figsize=(5.8, 2.5), layout="constrained", height_ratios=[1, 4])
for i, name in enumerate(["cat", "rocket", "coffee"]):
    for axis, rows in zip(axes[:, i], [strong[i, :1], strong[i, 29:33]], strict=True):
        drawn = axis.imshow(
            rows, cmap=plots.SIGNED, aspect="auto", vmin=-1, vmax=1, interpolation="nearest"
        )
        axis.set(xticks=[], yticks=[])
    axes[0, i].set_title(name)
    axes[1, i].set_xlabel(f"{D} numbers")
axes[0, 0].set_yticks([0], ["[class] × 20"])
axes[1, 0].set_yticks(range(4), [f"patch {n}" for n in range(28, 32)])
figure.colorbar(drawn, ax=axes, ticks=[-1, 0, 1])
plots.show("three images as rows of coloured cells; the top row, [class], is the same in all three")
assert tokens[0, 0].equal(tokens[1, 0]) and tokens[0, 0].equal(tokens[2, 0])

# %% [markdown]
# The top row looks like a bar code, and it is the *same* bar code three times. Below it, the rows of the rocket look alike, since these patches hold mostly night sky.
#
# There is *one* parameter, of shape (1, 1, D), and `expand` shows it to every image without copying it. In training every image pulls it in its own direction, and the gradient adds up all pulls. So it can hold nothing about one particular image, only a starting point that suits every image. Here it is as a module, in which `count` stays 1. (A larger `count` adds *registers*, extra tokens that large ViTs use as scratch paper, [Darcet et al. 2024](https://arxiv.org/abs/2309.16588).)

# %% [markdown] tags=["exercise-only"]
# # Exercises 02 · The class token
#
# They go with notebook [02](../02_class_token.ipynb). If you start here: the patches have become N tokens of D numbers each, (B, N, D). One more token is put in front of them, the *class token*. It is one learned vector, the same for every image, and what comes out in its place at the end is what the classifier reads. To each of the T = N + 1 tokens a learned *position* is added, because nothing else in the model knows what stands where (Eq. 1 of the paper: z₀ = [x_class; x₁E; …; x_N E] + E_pos).

# %% tags=["exercise-only"]
import torch
from torch import nn

from checks import check
from vit_minimal import sinusoidal_2d

# %% [markdown] tags=["exercise:ClassToken"]
# Write the module. `self.weight` holds `count` vectors, shared by all images, and `count` is usually 1. It is an `nn.Parameter` of the shape (1, count, D), and it starts as small random numbers, 0.02 times `torch.randn`. `forward` puts it in front of the tokens of each image: (B, N, D) → (B, count + N, D).
#
# Hint: `torch.cat` along `dim=1` joins tokens, but the batch sizes must agree: one is 1, the other B.
#
# Hint: `weight.expand(B, -1, -1)` shows the one vector B times without copying it. B is known when `forward` is called, and not before.


# %% tags=["same-as:vit_minimal.class_token.ClassToken", "exercise:ClassToken"]
# vit_minimal/class_token.py
class ClassToken(nn.Module):
    """Puts one learned vector (x_class in Eq. 1), or `count` of them, in front:
    (B, N, D) → (B, count + N, D).
    """

    def __init__(self, embed_dim, count=1):
        super().__init__()
        # solution
        # | self.weight = ...
        self.weight = nn.Parameter(torch.randn(1, count, embed_dim) * 0.02)
        # end of solution

    def forward(self, tokens):
        # solution
        # | return ...  # your code
        B = tokens.shape[0]
        return torch.cat([self.weight.expand(B, -1, -1), tokens], dim=1)
        # end of solution


# %% [markdown]
# ## How does it find out which image it belongs to?
#
# Before the first block the class token is the same for a cat and for a rocket. The vector that leaves the last block as row 0 differs. So **attention must have brought everything** that it knows about the image at the end.
#
# Let us watch that happen in one untrained layer of attention. We measure how much the class token differs between the cat and the rocket, before and after. `nn.MultiheadAttention` is PyTorch's version of the box that notebook 03 opens. (There you will see why it wants the tokens three times.)

# %%
torch.manual_seed(0)
cls_token = ClassToken(D)
look = nn.MultiheadAttention(D, num_heads=3, batch_first=True)  # untrained


def class_token_after(tokens):
    """What attention makes of token 0: (B, T, D) → (B, D)."""
    mixed, _ = look(tokens, tokens, tokens)  # (B, T, D)
    return mixed[:, 0]


before = cls_token(patches)[:, 0]  # (B, D)
after = class_token_after(cls_token(patches))  # (B, D)
print(f"cat against rocket, largest difference before: {(before[0] - before[1]).abs().max():.1g}")
print(f"cat against rocket, largest difference after:  {(after[0] - after[1]).abs().max():.1g}")
assert before[0].equal(before[1]) and not after[0].equal(after[1])

# %% [markdown]
# Before attention the difference is exactly 0. Afterwards the two class tokens differ, and only the patches can be the cause. (This is the bare output of attention. In a model, the block would now add it to the class token that went in.)
#
# And in a trained model, after each of its blocks? We look at the **shipped model** of notebook [00](00_start_here.ipynb), whose six blocks were trained on the photographs of CIFAR-10. We compare the class token of the cat with that of the rocket, of the cup of coffee, and of a tighter crop of the cat's own photograph.
#
# The measure is the *cosine similarity*: 1 means the same direction, 0 a right angle, and below 0 the vectors point away from each other. Where will the three curves start, and which will fall?

# %%
checkpoint = "../data/checkpoints/cifar10-cpu-long.safetensors"
shipped = load_checkpoint(checkpoint)  # ready to be looked into: in evaluation mode

closer = load_image(photos / "chelsea.png", 40)[:, 4:36, 4:36]  # the middle, 32 × 32 pixels
batches = look_into(shipped, torch.cat([images, closer[None]]))  # one batch after the other
states, _ = next(batches)  # (L + 1, B, T, D), and the attention, which is not needed here
held = states[:, :, 0]  # (L + 1, B, D): the class token, before block 1 and after each block
curves = {}
for i, name in enumerate(["rocket", "coffee", "tighter crop"], start=1):
    curves[name] = torch.cosine_similarity(held[:, 0], held[:, i], dim=-1)  # (L + 1,)
    print(f"the cat and the {name:12} after block 6: {curves[name][-1]:.2f}")
where = "after block (0: before block 1)"
label = "cosine similarity\nwith the cat"
plots.show_lines(range(7), curves, where, label, from_zero=True, size=(5, 2.8))

# %% [markdown]
# All begin at 1, because before block 1 all images share one vector. In the end the cat is almost at a right angle to the rocket and to the coffee, and the two crops of the cat stay together, at 0.90. (These are four pictures and one model, so do not read too much into it.)
#
# Two questions stay open. *How* does the model compute its weights? Notebook 03 answers that. And does the class token really *use* what it looks at? Notebook 06 puts that to the test.
#
# ## Does the model know where the patches are?
#
# So far we know *what* the class token gathers. The second half of today's story is about *where*. Look at our sentence about attention again: each token takes a weighted mean, with weights that are computed from the tokens. It does not mention where a token stands.
#
# Take the small example from above and shuffle the patches, so that they hold 8, 2 and 4. Each patch keeps its weight, because the weight is computed from what the patch and the class token hold. The class token takes ¼ · 8 + ½ · 2 + ¼ · 4 = 2 + 1 + 1 = **4**, the same as before. A sum has no order.
#
# Here is the same thought as a picture. B is the cat once more, with its nine patches shuffled. Each patch has taken its number and its arc along, and the recipe on the right is the same, stripe by stripe:

# %%
nine = torch.tensor([7, 2, 4, 0, 8, 3, 6, 1, 5])  # the new order of 3 × 3 patches
whole = cat[:, :126:2, :126:2]  # every other pixel: 63 = 3 · 21
in_disorder = unpatchify(patchify(whole[None], 21)[:, nine], 21, image_size=63)[0]
numbers = torch.stack([torch.arange(9), nine])
pair = torch.stack([whole, in_disorder])
diagrams.class_token_idea(pair, numbers=numbers, result="the same")

# %% [markdown]
# So a model of attention alone should not notice when we shuffle the patches of a photograph. That is hard to believe, so let us try, with 64 patches. The pixels *inside* each patch stay as they are.

# %%
torch.manual_seed(0)
order = torch.randperm(64)  # the same new order for all images


def shuffle_patches(images, patch_size):
    """Images (B, C, H, W) with their 64 patches in the new order."""
    pieces = patchify(images, patch_size)[:, order]  # (B, N, C·P·P)
    return unpatchify(pieces, patch_size, image_size=images.shape[-1])


large = torch.stack([load_image(photos / file, 72) for file in files[:2]])  # cat and rocket
cat_shuffled, rocket_shuffled = shuffle_patches(large, 9)  # 64 patches of 9 × 9
titles = ["cat", "cat, shuffled", "rocket", "rocket, shuffled"]
plots.show_images([large[1], rocket_shuffled], titles[2:], columns=2, size=2.4)

# %% [markdown]
# You no longer see a rocket on the right. Does the class token notice the change? We compare what it holds after attention, once for the photographs in order and once for the shuffled ones. The same **E** makes each patch's token, wherever the patch lies, so it is enough to shuffle the tokens.

# %%
in_order = class_token_after(cls_token(patches))  # (B, D)
shuffled = class_token_after(cls_token(patches[:, order]))
change = (in_order - shuffled).abs().max()
print(f"without positions, the class token changes by {change:.1g}")
print(f"its numbers go up to {in_order.abs().max():.1g}")
assert change < 1e-6

# %% [markdown]
# The change is 7e-08, that is 7 · 10⁻⁸. Numbers in float32 carry about seven digits, so this is rounding and nothing else. For the class token the two pictures are **the same image**.
#
# <details><summary>Would more blocks or training help?</summary>
#
# No. The patch tokens attend in the same way, so each of them comes out with the same numbers as before, only in another row. The next block then faces the same situation.
#
# </details>
#
# ## The remedy: add a position to each token
#
# To each token we add a vector that says where it stands. These vectors form a table, $\mathbf{E}_\text{pos}$, with one row for each of the T places. In code this is one learned table and one plus sign:

# %% tags=["nbval-check-output"]
table = nn.Parameter(torch.randn(1, 1 + 64, D) * 0.02)  # (1, T, D): one row for each place
z_0 = cls_token(patches) + table  # (B, T, D) + (1, T, D): the same table for each image
print("what enters block 1 (B, T, D):", tuple(z_0.shape))

# %% [markdown]
# Here are the first five numbers of the first three tokens of the cat, as our cells have made them. They are rounded, so a sum may seem to be off by 0.01.

# %% tags=["nbval-check-output"]
figure, axes = plt.subplots(1, 3, figsize=(7, 1.9), layout="constrained")
parts = [cls_token(patches)[0], table[0], z_0[0]]  # (T, D) each
for axis, part, title in zip(axes, parts, ["tokens", "+ E_pos", "= z₀"], strict=True):
    names = ["[class]", "patch 0", "patch 1"] if axis is axes[0] else []
    style = {"axis": axis, "signed": True, "limit": 0.25, "decimals": 2}
    plots.show_matrix(part[:3, :5].detach(), names, [], title, **style)
plots.show("three small tables of numbers: the tokens, the positions, and their sums")

# %% [markdown]
# Together with the class token this is Eq. 1 of the paper:
#
# $$\mathbf{z}_0 = [\mathbf{x}_\text{class};\ \mathbf{x}^1_p\mathbf{E};\ \dots;\ \mathbf{x}^N_p\mathbf{E}] + \mathbf{E}_\text{pos},
# \qquad \mathbf{E}_\text{pos} \in \mathbb{R}^{(N+1)\times D}$$
#
# Here $\mathbf{x}^n_p$ is patch n, flattened into a row, $\mathbf{E}$ is the linear map of notebook 01, and the semicolons stack rows. The paper counts its patches from 1, and we count from 0.
#
# And here it is as a module. Skip the first branch for now: there the table is computed, not learned, and the second visit shows how. `else` creates the learned table, and `forward` adds it.

# %% [markdown] tags=["exercise:PositionEmbedding"]
# Write `self.weight`, a parameter with a row for each token, (1, T, D), that starts as 0.02 times `torch.randn`; and `forward`, which adds it. `grid_size` is the pair (rows, columns) of the grid of patches. `num_prefix` tokens stand before them, usually one, the class token. (With `sinusoidal=True` positions are computed, not learned. That part is written.)
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
# Hint: Think of the two modules, and of the shapes of their `weight`. Which of the given numbers stand in these shapes, and which do not?
#
# Hint: The positions have a row for each token of the sequence. How many tokens is that, and how many numbers are in a row?
#
# Solution: 192 for the class token, and 65 · 192 = 12,480 for the positions, since the class token has a row too. 12,672 together, whatever the batch.

# %% tags=["exercise-only", "exercise:numbers_before_block_1"]
# solution
# | numbers_before_block_1 = ...
numbers_before_block_1 = 192 + 65 * 192
# end of solution

# %% [markdown] tags=["exercise:embedded"]
# *Find the bug.* `positions` (1, N + 1, D) has a row for each token, the class token's first. The function below runs, and the loss falls. But the patches get the positions of their neighbours. Look at what is printed for the class token and four patches, whose positions should be 10, 11, 12, 13, 14. Repair the function.
#
# Hint: In Eq. 1 there is one sum, at the very end.
#
# Hint: `positions[:, :-1]` are the rows 0 … N − 1. Row 0 is not a patch's.
#
# Solution: Join first, then add all rows at once, and no slice is needed. The symptom is silent in a model that learns its positions from scratch. With weights from elsewhere, it shifts the whole image by a patch (notebook 02).


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
# *Predict.* A trained ViT has a class token, but **no** positions. In its blocks tokens attend to each other: each takes a weighted mean of all tokens, and the weights are computed from what the tokens hold (notebook 03). You shuffle the patches of a test image. The logits …
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
# Solution: **a**. Without positions a patch is weighed by its content alone, and a sum has no order. The patches attend to each other in the same way, so after each block they are what they were, in another order.

# %% tags=["exercise-only", "exercise:shuffled_patches"]
# solution
# | shuffled_patches = ...  # "a", "b", "c" or "d"
shuffled_patches = "a"
# end of solution

# %% [markdown]
# Now the comparison from before, with positions. Each patch gets the position of the place where it stands, so a patch that has moved gets a different position.

# %%
torch.manual_seed(0)
pos_embed = PositionEmbedding((8, 8), D)
in_order = class_token_after(pos_embed(cls_token(patches)))  # (B, D)
shuffled = class_token_after(pos_embed(cls_token(patches[:, order])))
change = (in_order - shuffled).abs().max()
print(f"with positions, the class token changes by {change:.1g}")
assert change > 3e-6

both = pos_embed(cls_token(patches))
_, weights = look(both, both, both)  # (B, T, T): row = who looks; the mean over the heads
multiples = 65 * weights[0, 0]  # (T,): the class token's row; 1 means exactly an equal weight
print(f"weights, as multiples of an equal one: {multiples.min():.3f} to {multiples.max():.3f}")

# %% [markdown]
# The change is 3e-05. That is a few hundred times as much as rounding, so positions do count. It is still tiny, because this untrained class token weighs all tokens almost evenly, as the last line shows.
#
# <details><summary>Why do even weights hardly notice a new order?</summary>
#
# With even weights, it makes no difference which patch carries which position: the sum is the same. Take two patches, 2 and 4, and two positions, 10 and 20. First the patches stand in order, then they have changed places. (Suppose, to keep it simple, that only the patch decides its weight.)
#
# - Even weights: ½ · (2 + 10) + ½ · (4 + 20) = **18**, and then ½ · (4 + 10) + ½ · (2 + 20) = **18** again.
# - Weights ¾ for the 2 and ¼ for the 4: ¾ · (2 + 10) + ¼ · (4 + 20) = **15**, and then ¼ · (4 + 10) + ¾ · (2 + 20) = **20**.
#
# So in a single layer of attention only *uneven* weights notice.
#
# </details>
#
# Added up, a patch and its position can still be told apart. The second visit recovers the place of 63 of 64 patches from the sum.
#
# ## What does the trained model say?
#
# In the shipped model, positions have had time to grow. We show it the cat and the rocket, in order and shuffled, and print its answers. CIFAR-10 has no rockets, so expect an honest mistake.

# %%
small = shuffle_patches(images[:2], 4)  # what the model gets: 32 × 32 pixels
four = torch.stack([images[0], small[0], images[1], small[1]])


def print_answers(network):
    """What a model says of the four images, and with which probability."""
    probabilities = network(normalize(four)).softmax(dim=1)  # (4, 10)
    for title, ten in zip(titles, probabilities, strict=True):
        print(f"{title:17} {CIFAR10_CLASSES[ten.argmax()]:9} {ten.max():.2f}")


print_answers(shipped)
plots.show_images([large[0], cat_shuffled], titles[:2], columns=2, size=2.4)

# %% [markdown]
# With positions, the model can tell an image from its shuffled pieces: it calls the rocket in order a ship, and the shuffled rocket an airplane. And here is a surprise. The heap of 64 pieces in the picture is still a cat, with 0.86. To this model, at least in this one photograph, a heap of fur is a cat.
#
# Now we set the positions of the patches to zero and ask again. (Row 0, which belongs to the class token, stays.) Which lines will be equal?

# %%
without = load_checkpoint(checkpoint)
with torch.no_grad():
    without.pos_embed.weight[:, 1:] = 0  # row 0 is the class token's
print_answers(without)

# %% [markdown]
# Without positions, each photograph and its shuffled version get the same answer with the same probability, as promised.
#
# How much are positions worth, then? This experiment does not say, because that model was trained with positions and then lost them. So we trained another model twice, the **small model** of the course: 4 blocks, D = 96, three epochs on CIFAR-10.
#
# | the small model | test images classified correctly | seeds |
# |---|---|---|
# | with learned positions | {{runs("class_token_place", "class token"):±.1%}} | {{len(runs("class_token_place", "class token").accuracies):d}} |
# | without positions | {{runs("position_init", "zeros, frozen"):±.1%}} | {{len(runs("position_init", "zeros, frozen").accuracies):d}} |
#
# *The ± is half of a 95 % interval over seeds. Notebook 05 says how to read such an interval.*
#
# So positions are worth {{loss(runs("position_init", "zeros, frozen")).mean:.1p}} points here.{{assert below(runs("position_init", "zeros, frozen"), runs("class_token_place", "class token"))}} But the model without them is far above the chance level of 10 %: which pieces an image is made of says much about it, even in disorder.{{assert runs("position_init", "zeros, frozen").mean > 0.5}}
#
# ## What do learned positions know?
#
# The rows of $\mathbf{E}_\text{pos}$ start as small random numbers, and they are *learned*. Does such a table come to know that patch 1 lies to the right of patch 0, and patch 8 below it?
#
# We pick one place, in row 2 and column 5, and compare its vector with those of all 64 places by cosine similarity. That gives a map of 8 × 8. We draw it twice: for an untrained table and for that of the shipped model.

# %%
torch.manual_seed(0)
untrained = torch.randn(64, 192) * 0.02  # (N, D), as PositionEmbedding starts
trained = shipped.pos_embed.weight[0, 1:].detach()  # (N, D), without the class token's row
place = 2 * 8 + 5  # row 2, column 5

figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for axis, name, positions in zip(axes, ["before", "after"], [untrained, trained], strict=True):
    alike = torch.cosine_similarity(positions[place], positions, dim=-1)  # (N,)
    drawn = axis.imshow(alike.reshape(8, 8), cmap=plots.SIGNED, vmin=-1, vmax=1)
    axis.set(title=f"{name} training", xlabel="column of the patch", ylabel="row of the patch")
    axis.set(xticks=range(8), yticks=range(8))
figure.colorbar(drawn, ax=axes, label="cosine similarity", ticks=[-1, 0, 1])
plots.show("one position compared with all: a single purple cell before, a purple spot after")

# %% [markdown]
# Before training there is one purple cell, the place itself. All others are near 0, so nothing tells the model that two places are neighbours. After training a purple spot lies around the place: neighbours have become alike. The most unlike places, in orange, lie far away, near the opposite corner.
#
# Nobody told this model which places are neighbours. **It has found that out from photographs.** The ViT paper shows the same for a large model (Figure 7). The second visit draws the maps of all 64 places, and asks how much of a grid they form.
#
# ## Recap
#
# - The classifier reads one vector. The class token is an extra one, free for that job. The mean of the patches works too.
# - It is one parameter of shape (1, 1, D), repeated for each image of the batch.
# - Attention is a weighted mean with weights computed from the tokens, so it does not notice their order.
# - One vector for each place is added to the tokens. In training the vectors of neighbouring places become alike.
#
# > **Remember:** the class token is one learned vector, the same for all images, that belongs to no patch. Everything that
# > it knows about an image came through attention. Positions turn a bag of patches into an image.
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
# **2.** You shuffle the patches of every image with the *same* permutation, in training and in testing, and learn positions. How much
# accuracy do you lose?
#
# <details><summary>Answer</summary>
#
# None, except for random variation, if you shuffle *after* the augmentation. (A crop or a flip of a shuffled image would mix pieces of different patches.) The learned table has no notion of neighbours at the start, so one fixed order is as good as another.
#
# </details>
#
# ---
#
# **You can stop here today.** This is all that notebook 03 needs. Practise with the [exercises](exercises/02_class_token.ipynb), whose checks tell you what is wrong, or go on to **[03 · Attention](03_attention.ipynb)**.
#
# ## For a second visit: three heads, a closer look, computed positions, and a silent mistake
#
# Each of these sections needs only the first visit, so you can take them in any order.
#
# ### To which patches does a trained class token attend?
#
# Notebook 00 showed means over heads. Each block has three attention operations side by side, called *heads*. (*The* head, the classifier at the end, is something else.) This course counts heads from 0 and blocks from 1. Here are the three heads of block 6, the last one, for the cat and the rocket.

# %%
# attention_maps and look_into take bytes and normalise them; look_into yields batch by batch
maps = attention_maps(shipped, images[:2])  # (L, B, h, T, T): L blocks, h heads
last_block = maps[-1]  # (B, h, T, T): row = who looks, column = at whom
from_class = last_block[:, :, 0]  # (B, h, T): row 0, what the class token looks at
heads = ["head 0", "head 1", "head 2"]
for file, weights in zip(files[:2], from_class, strict=True):
    photo = load_image(photos / file, 96)  # sharper than what the model sees
    diagrams.attention_over(photo, weights[:, 1:], (8, 8), heads)  # 1: = the patches
own = from_class[..., 0]  # (B, h): what the class token keeps for itself
print(f"[class] gives itself {own.min():.1%} to {own.max():.1%} of its attention")

# %% [markdown]
# Each map has its own scale, and the number below says what its darkest purple stands for. An even share would be 1/65, which is 1.5 %. Instead, head 1 gives almost 20 % to a single patch on the cat's forehead, and in the other image it picks the tips of the rocket and the towers. Head 0 looks along the lower edge of both photographs. So each head has favourites of its own, and not all of them are where a person would look.
#
# And the printed line? Almost all of its attention goes to the patches: it gives itself 3.5 % at most.
#
# ### Is the class token really one parameter?
#
# The proof is its gradient, as you will see. But first a look at memory: `expand` makes a view, in which all B rows are the same piece of it. You can see that in the *strides*, which say how far to walk in memory for one step along each axis. A stride of 0 means "stay where you are".

# %% tags=["nbval-check-output"]
print("strides:", in_front.stride())
print("same memory:", in_front.data_ptr() == token.data_ptr())

# %% [markdown]
# We said that its gradient adds up the pulls of all images (for a loss that is a mean over the batch, it is their mean). Take a loss in which the three images pull with the strengths 1, 2 and 3. What gradient do you expect?

# %% tags=["nbval-check-output"]
token.grad = None  # if you run this cell twice, gradients add up
strength = torch.arange(1.0, B + 1).reshape(B, 1, 1)  # 1, 2, 3
loss = (strength * token.expand(B, 1, D)).sum()
loss.backward()
print("gradient of the first numbers:", token.grad[0, 0, :5].tolist())

# %% [markdown]
# 1 + 2 + 3 = 6, so the one vector gets the sum.
#
# ### Does adding smear the patch?
#
# A vector of 192 numbers, as in the shipped model, has room for a patch and a position at once. Let us measure how long the two are and how alike. Then comes the test: given only the sum, can you tell the place? We guess the row of the table that is most similar to the sum.

# %%
with torch.no_grad():
    of_patches = shipped.patch_embed(x)  # (B, N, D): the patches, no positions yet
sums = of_patches + trained  # (B, N, D): each patch and its position
alike = torch.cosine_similarity(of_patches, trained, dim=-1)  # (B, N)
chance = torch.cosine_similarity(*torch.randn(2, 10_000, 192), dim=-1)
print(f"mean length: patch {of_patches.norm(dim=-1).mean():.1f}", end=", ")
print(f"position {trained.norm(dim=-1).mean():.1f}")
print(f"mean absolute cosine similarity: {alike.abs().mean():.2f}", end=", ")
print(f"of random vectors {chance.abs().mean():.2f}")

guess = torch.cosine_similarity(sums[:, :, None], trained, dim=-1).argmax(dim=-1)  # (B, N)
print("places guessed right, of 64:", (guess == torch.arange(64)).sum(dim=1).tolist())
for i, n in (guess != torch.arange(64)).nonzero().tolist():
    print(f"    image {i}: patch {n} is taken for {guess[i, n].item()}")

# %% [markdown]
# The two stand almost at a right angle. That sounds like a clever arrangement, but two *random* directions do the same: their absolute cosine similarity is 0.06 on average, and here it is 0.04. **In 192 dimensions two random directions are almost always almost at a right angle.**
#
# So there is room, and the position stays visible, although it is about half as long as the patch: we find 63 of 64 places in each photograph. Each of the three misses goes to a neighbour, for example from patch 59 to 60.
#
# One could also *append* the position to the token. That keeps the two apart for certain, but it makes every later layer wider and more expensive.
#
# ### When is adding exactly the same as appending?
#
# They are the same if you append *before* the linear map **E**, and if the code for the place is simple enough. To the pixels of a patch we append a code for its place: N numbers that are all 0, except for a 1 at its own place. Such a code is called *one-hot*. The linear map then needs N more rows, and these rows are a position table. Here is an example with 2 pixels and 3 places that you can follow by hand. The patch stands at place 1, the middle one.

# %% tags=["nbval-check-output"]
E = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # a row for each of 2 pixels, D = 2
E_pos = torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])  # 3 places
pixels = torch.tensor([2.0, 1.0])
place = torch.tensor([0.0, 1.0, 0.0])  # one-hot: place 1

appended = torch.cat([pixels, place])  # [2, 1, 0, 1, 0]
one_map = torch.cat([E, E_pos])  # (5, 2): the rows of E, below them the rows of E_pos
print("append, then map:", (appended @ one_map).tolist())
print("map, then add:   ", (pixels @ E + E_pos[1]).tolist())

# %% [markdown]
# The pixels meet **E** and give 2 · [1, 2] + 1 · [3, 4] = [5, 8], as they would alone. The code picks out the one row that belongs to its place, [30, 40]. Their sum is Eq. 1. So adding to the token is the same as appending a one-hot code to the *pixels*.
#
# ### Is it a grid, or just blurry spots?
#
# Here are the maps of all 64 learned positions, laid out like the patches of the image. The one of the first visit stands in row 2 and column 5 and has a frame. In each map, a white square marks its own place.

# %%
title = "after training, all 64 places"
plots.show_similarity_grid(trained, (8, 8), title, limits=(-1, 1), frame=(2, 5))

# %% [markdown]
# Go through the maps of the top line from left to right: the purple spot travels along the top edge. Go down a column of maps, and it travels down. In the map of the top left place, the strongest orange lies *inside* the map, and the far corner is paler again.
#
# Has the model learned more than "near places are alike"? If it keeps rows and columns apart, then the position of a patch should be *a vector for its row plus a vector for its column*. The best such vectors are means. How much of the differences between the 64 positions do they explain?
#
# A high number alone would not prove a grid, since a table of round, blurry spots would get one as well. How high? We build such a table, with spots wide enough that neighbours are as alike as in the trained table.


# %% tags=["nbval-check-output"]
def rows_and_columns(positions):
    """How much of the differences between 64 positions (N, D) the row and the column explain."""
    apart = (positions - positions.mean(dim=0)).reshape(8, 8, -1)  # from the mean position
    row = apart.mean(dim=1, keepdim=True)  # (8, 1, D): a vector for each row
    column = apart.mean(dim=0, keepdim=True)  # (1, 8, D): a vector for each column
    rest = apart - row - column
    return 1 - rest.square().sum() / apart.square().sum()


def neighbours(positions):
    """The mean cosine similarity of places side by side, measured from the mean position."""
    apart = (positions - positions.mean(dim=0)).reshape(8, 8, -1)
    return torch.cosine_similarity(apart[:, 1:], apart[:, :-1], dim=-1).mean()


places = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0))  # (N, 2): row and column
spots = torch.exp(-torch.cdist(places, places).square() / (2 * 1.6**2))  # (N, N): 1 at the place
for name, positions in {"untrained": untrained, "round spots": spots, "trained": trained}.items():
    alike, explained = neighbours(positions), rows_and_columns(positions)
    print(f"{name:12} neighbours {alike:5.2f}   rows and columns explain {explained:.0%}")

# %% [markdown]
# Rows and columns explain 96 % of the trained table, and 74 % of the round spots. So round spots of this shape give 74 %, and the 22 points from there to 96 % need another explanation. This model names its patches much as a chess player names the squares, with a letter for the column and a number for the row.
#
# The untrained table gets 22 % (another number, and the same only by accident). That is chance: of the 63 independent differences from the mean, rows account for 7 (eight rows, less one for the mean) and columns for another 7, and 14/63 is 22 %.
#
# ### Do positions have to be learned?
#
# One can also *compute* the table, and have neighbours alike from the start. The idea comes from the first Transformer ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Section 3.5). Each position holds sines and cosines of the patch's column, and then the same of its row. Short waves tell neighbours apart, and longer ones tell one side of the image from the other.


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
# With D = 192 there are 48 wavelengths. Here are the sines of three of them for the eight patches of the top row. The legend says after how many patches each wave repeats.

# %%
computed = sinusoidal_2d((8, 8), 192)  # (N, D); the first 48 numbers are sines of the column
waves = {}
for k in [0, 6, 47]:
    repeats = 2 * torch.pi * 10_000 ** (k / 47)  # patches from one crest to the next
    waves[f"{repeats:,.0f} patches"] = computed[:8, k]
y_label = "sine: one number\nin the position"
plots.show_lines(range(8), waves, "column of the patch", y_label, size=(4.9, 2.6))

# %% [markdown]
# The first wave changes a lot from most patches to the next. The second is slower and does not repeat within the image. The third is a flat line, because it repeats only after 63,000 patches. It is a relic: the formula was made for text, where a sequence may have thousands of words.
#
# Here are the maps of the computed table. The long waves hardly change from place to place and make all places alike, so we subtract the mean position first. Does this table have the grid that the shipped model had to find?

# %% tags=["nbval-check-output"]
differences = computed - computed.mean(dim=0)
title = "computed, all 64 places"
plots.show_similarity_grid(differences, (8, 8), title, limits=(-1, 1), frame=(0, 0))

of_column, of_row = computed.reshape(8, 8, 192).split(96, dim=-1)  # (rows, columns, D / 2) each
print("first half the same in every row:    ", of_column.equal(of_column[:1].expand(8, 8, 96)))
print("second half the same in every column:", of_row.equal(of_row[:, :1].expand(8, 8, 96)))

# %% [markdown]
# Yes, the grid is there from the start. The purple spot travels here too, and the map of the top left place, the one in the frame, is least alike inside, as in the learned table. The two lines below the figure say why: half of the numbers depend on the column alone, and the other half on the row alone. So row and column explain all of the computed table, and 96 % of the learned one (the section before this measures it).
#
# Is the formula better, then? It is worse in the small model, trained as in the first visit. With the learned table this model reaches {{runs("position_untrained", "learned"):±.1%}} on CIFAR-10, and with the formula {{runs("position_untrained", "sines and cosines"):±.1%}}, over {{len(runs("position_untrained", "sines and cosines").accuracies):d}} seeds. Do not take that as a verdict on the idea. The sines go up to 1, while the learned numbers start at 0.02, and the wavelengths were made for long texts. We tuned neither.{{assert below(runs("position_untrained", "sines and cosines"), runs("position_untrained", "learned"))}}
#
# In `PositionEmbedding` the computed table is the first branch. The class token is nowhere in the image, so `pad` puts a row of zeros above the table for it. `register_buffer` keeps a table that is not trained.
#
# ### A silent mistake: positions off by one
#
# Weights from elsewhere come with a table of N + 1 rows, for [class] and N patches. Someone uses it in a model that has no class token, and cuts off the *last* row to make the shapes fit. Now patch 0 gets the position of the class token, patch 1 that of patch 0, patch 8 that of patch 7, and so on. What does that do to an image? On the right, each patch is drawn where its new position says it is. Follow the patch in the white frame.

# %%
coffee = load_image(photos / "coffee.png", 72)  # patches of 9 × 9
marked = coffee.clone()
marked[:, 27:36, :9] = 255  # a white square on patch 24 (row 3, column 0) …
marked[:, 28:35, 1:8] = coffee[:, 28:35, 1:8]  # … and the photo back inside it

pieces = patchify(marked[None], 9)  # (1, N, C·P·P)
told = pieces.roll(-1, dims=1)  # patch n is told that it is patch n - 1
told[:, -1] = 127  # nobody is told that it is patch 63
moved = unpatchify(told, 9, image_size=72)[0]
plots.show_images([marked, moved], ["the image", "as the positions say"], columns=2, size=2.4)

# %% [markdown]
# The whole image has moved *to the left* by one patch, and its first column has wrapped around to the right edge, one row higher, as you see in the frame. Patch 0 is missing, and the last place is empty.
#
# Would a trained model complain? The shipped model has a class token, so the row of [class] stays as it is, and we shift only the positions of the patches. A single photograph would tell you little, so we cut 36 overlapping pieces out of each of our three, and count how often the answer changes. For comparison, we do the same with the model whose patches have no positions.


# %%
def cut_out(file, side=128, step=24):
    """Square pieces of a photograph, shrunk to 32 × 32 pixels: (36, C, 32, 32), uint8."""
    photo = load_image(photos / file, 256)
    squares = photo.unfold(1, side, step).unfold(2, side, step)  # (C, 6, 6, side, side)
    squares = squares.permute(1, 2, 0, 3, 4).flatten(0, 1).float()
    return nn.functional.interpolate(squares, (32, 32), mode="area").round().to(torch.uint8)


off_by_one = load_checkpoint(checkpoint)
many = normalize(torch.cat([cut_out(file) for file in files]))
with torch.no_grad():
    off_by_one.pos_embed.weight[:, 1:] = shipped.pos_embed.weight[:, :-1]
    answers = shipped(many).argmax(dim=1)
    for name, network in {"positions off by one": off_by_one, "no positions": without}.items():
        changed = (network(many).argmax(dim=1) != answers).reshape(3, 36).sum(dim=1)
        of_cat, of_rocket, of_coffee = changed.tolist()
        print(f"{name}: {changed.sum()} of {len(many)} answers change", end=" ")
        print(f"(cat {of_cat}, rocket {of_rocket}, coffee {of_coffee})")

# %% [markdown]
# There is no error and no warning. With positions off by one, 19 of 108 answers change, about one in six, and 50 if the patches have no positions.
#
# Of the 36 answers for the cat, only 3 change. Try the model on a picture or two, and you may notice nothing. These are answers that change, not accuracy: the pieces overlap, and CIFAR-10 has no class for two of the three photographs.
#
# *The check:* compare with something that is right, such as the scores of the model that the weights come from. Notebook 04 does that.
#
# Two mistakes with the class token itself, a class token of its own for each image of the batch and a classifier that reads the wrong token, are in notebooks [13](13_silent_bugs.ipynb) and [09](09_pitfalls_class_token.ipynb). Notebook 09 also shows that a class token needs no position of its own.
#
# > **Remember** from this visit: a mistake that raises no error needs a check that can fail.
#
# ---
#
# **Try it yourself:** [exercises 02](exercises/02_class_token.ipynb), with checks that tell you what is wrong.
#
# **Next: [03 · Attention](03_attention.ipynb).** We have used attention as a closed box so far. Now we open it.
