# %% [markdown]
# # 01 · Patches: an image becomes a sequence
#
# **After this notebook you can** cut any batch of images into patches with reshape, permute, reshape, say why a
# plain `view` does it wrong without an error, show that a strided convolution is the same thing plus a linear map, and tell what
# a patch size costs.
#
# | | |
# |---|---|
# | You need | Python, a little PyTorch (what a tensor's shape is) |
# | Time to read | about 15 minutes |
# | Time to run | seconds, on any machine |
# | Package module | `vit_minimal/patches.py` |
#
# **Letters for shapes, here and in the whole course:** B images in a batch, C channels, H × W pixels, P pixels along the side of a
# patch, N patches, D numbers in an embedding.

# %%
import matplotlib.pyplot as plt
import torch
from matplotlib.cbook import get_sample_data
from torch import nn
from torch.nn import functional as F

from vit_minimal import plots, shapes10

# %% [markdown]
# ## An image is not a sequence. Yet.
#
# A Transformer reads a *sequence of vectors*: a word, a word, a word. A photograph is a grid of pixels. Before anything else can
# happen we must decide what one element of the sequence should be.
#
# One pixel per element is the purest choice. At 32 × 32 pixels it already makes 1,024 elements, and attention, the step in which
# every element looks at every other (notebook 03), then makes about a million comparisons, for a thumbnail. The paper that introduced the Vision
# Transformer ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Section 3.1) cuts the image into squares of
# P × P pixels instead, and calls each square, a **patch**, one element.
#
# Here is what that looks like on a photograph (Grace Hopper, who gave programmers the compiler; a US Navy picture that
# matplotlib installs with itself).

# %%
with get_sample_data("grace_hopper.jpg") as file:
    photo = torch.from_numpy(plt.imread(file).copy()).permute(2, 0, 1)  # (C, H, W), uint8
photo = photo[:, :576, :512]  # cut off 30 rows: 576 and 512 can both be divided by 64
print("channels, height, width:", tuple(photo.shape))

squares = [photo[:, r : r + 64, c : c + 64] for r in range(0, 576, 64) for c in range(0, 512, 64)]
plots.show_images(squares, columns=8, size=0.6)

# %% [markdown]
# Nine rows of eight squares: 72 patches. Read them like a page, left to right and top to bottom, and you have a sequence. The list
# comprehension above did it with a Python loop, one slice per patch. On a GPU, for a batch of a thousand images, we want a single
# operation.
#
# The course works with images of 32 × 32 pixels, the size of CIFAR-10. With P = 4, how long is the sequence, and how long is each
# vector? Work it out before you run the next cell.

# %% tags=["nbval-check-output"]
H = W = 32  # pixels
P = 4  # pixels along the side of a patch
C = 3  # colours: red, green, blue

N = (H // P) * (W // P)
print(f"{N} patches, each a vector of {C * P * P} numbers")

# %% [markdown] tags=["exercise-only"]
# # Exercises 01 · Patches
#
# They go with notebook [01](../01_patches.ipynb). If you start here: a Transformer reads a sequence of vectors. An image (C, H, W) becomes one by cutting it into squares of P × P pixels, *row by row like words on a page*, and writing the numbers of each square in a line, channel by channel: (N, C·P·P) with N = (H/P)·(W/P). B images are cut at once. In the checks images need not be square, nor have three channels.

# %% tags=["exercise-only"]
import torch
from torch.nn import functional as F

from checks import check
from vit_minimal.patches import patch_grid

# %% [markdown] tags=["exercise:patch_of_pixel"]
# A warm-up without tensors. Which patch holds the pixel in this row and this column? Rows and columns are counted from 0, all four arguments are whole numbers, and so is the answer: patch 0 is at the upper left, patch 1 to its right.
#
# Hint: `//` divides and rounds down: the pixel in row 9 lies in row 9 // 4 = 2 of patches of side 4.
#
# Hint: Above a row of patches lie all rows before it. How many patches are there in each? It depends on the width.


# %% tags=["exercise-only", "exercise:patch_of_pixel"]
def patch_of_pixel(row, column, patch_size, width):
    """The index of the patch that holds a pixel; patches are counted row by row."""
    # solution
    # | return ...  # your code
    return (row // patch_size) * (width // patch_size) + column // patch_size
    # end of solution


# %% [markdown]
# 64 patches instead of 1,024 pixels, and not one number thrown away: 64 · 48 = 32 · 32 · 3.
#
# ## By hand, on an image small enough to read
#
# Take a 4 × 4 image with one channel, and give each pixel **the number of the patch it belongs to**. If we cut the image correctly,
# each patch must come out as four equal numbers. You can check that by eye, which you cannot do with a photograph.

# %% tags=["nbval-check-output"]
tiny = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])
tiny = tiny[None, None]  # (B=1, C=1, H=4, W=4)
print(tiny[0, 0])

# %% [markdown]
# The tempting line is a single `view`. Sixteen numbers go in, four patches of four numbers come out.

# %% tags=["nbval-check-output"]
print(tiny.view(1, 4, 4)[0])  # wrong: look at the rows

# %% [markdown]
# The shape is right and the content is wrong: each "patch" holds two different numbers, because it is a *row of the image*. `view`
# never moves a number. It reads the memory from the beginning and puts the brackets elsewhere, and in memory the pixels of a
# square are not neighbours: after the first two pixels of a patch come two pixels of the next patch.
#
# There is no error and no warning. A model trained on this will even learn something. **That is why we test with numbers we can
# read, and not with shapes.**
#
# Here is the same mistake on a picture. Above, an image; below, what a model would get as its 64 "patches".

# %%
image = shapes10(8, seed=5)[0][2:3]  # (1, 3, 32, 32), uint8: a drawn shape, made on the spot
wrong = image.view(1, 64, 48)
plots.show_images(image, titles=["the image"], columns=1, size=2)
plots.show_patches(wrong[0], grid_size=(8, 8), size=3)

# %% [markdown]
# Each tile should be a square piece of the image. It is 48 numbers in a row from memory instead: one strip, a row and a half of the
# image. And since the three colours lie one after the other in memory, 62 of the 64 strips hold a single colour, of which the picture
# shows the first third as red, the second as green and the last as blue. Hence the false colours.
#
# ## The right way: name the halves, reorder them, flatten
#
# The height H is really two numbers in one: *which row of patches* and *which pixel row inside the patch*. The same goes for the
# width. So:
#
# | step | shape | what happens |
# |---|---|---|
# | start | (B, C, H, W) | |
# | `reshape` splits each side in two | (B, C, **H/P**, P, **W/P**, P) | the halves get names |
# | `permute` puts "which patch" first | (B, **H/P**, **W/P**, C, P, P) | the order of reading changes |
# | `reshape` flattens | (B, N, C·P·P) | the numbers are written out in the new order |
#
# (Memory stays as it was until the last step. There PyTorch has to copy, and `view`, which never copies, would refuse.)
#
# Follow it on the tiny image, with H/P = W/P = 2:

# %% tags=["nbval-check-output"]
split = tiny.reshape(1, 1, 2, 2, 2, 2)  # (B, C, H/P, P, W/P, P)
moved = split.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P)
print(moved.reshape(1, 4, 4)[0])

# %% [markdown]
# Four equal numbers in each row. Now as functions that say clearly when something cannot work. First: how many patches are there?


# %% tags=["same-as:vit_minimal.patches.patch_grid"]
# vit_minimal/patches.py
def patch_grid(image_size, patch_size):
    """How many patches fit, (H/P, W/P). ValueError if P does not divide both sides."""
    H, W = (image_size, image_size) if isinstance(image_size, int) else image_size
    if min(patch_size, H, W) < 1 or H % patch_size or W % patch_size:
        raise ValueError(f"patch_size {patch_size} does not divide the image size {H} × {W}")
    return H // patch_size, W // patch_size


# %% [markdown]
# And the cutting itself, three lines:


# %% [markdown] tags=["exercise:patchify"]
# `patch_grid((H, W), P)` gives the rows and columns of the grid of patches, and refuses sizes that P does not divide. Cut the images: (B, C, H, W) → (B, N, C·P·P). The first check is an image of 4 × 4 with the numbers 0 … 15, P = 2, so you can follow on paper: patch 0 is 0, 1, 4, 5.
#
# Hint: H is two numbers in one: which row of patches, and which row of pixels within it. `reshape` to (B, C, rows, P, columns, P) gives each a name.
#
# Hint: Then `permute` so that 'which patch' comes before 'where in the patch': (B, rows, columns, C, P, P). Then `reshape` again. (`view` will not do after `permute`.)


# %% tags=["same-as:vit_minimal.patches.patchify", "exercise:patchify"]
# vit_minimal/patches.py
def patchify(images, patch_size):
    """Cut images (B, C, H, W) into patches (B, N, C·P·P), row by row."""
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    # solution
    # | return ...  # your code
    patches = images.reshape(B, C, rows, P, columns, P)  # name the halves of each side
    patches = patches.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P): reorder
    return patches.reshape(B, rows * columns, C * P * P)  # (B, N, C·P·P)
    # end of solution


# %%
plots.show_patches(patchify(image, 4)[0], grid_size=(8, 8), size=3)

# %% [markdown]
# Now the tiles are what they should be, and you still see the shape.
#
# > **If you like einops:** the same in one line is
# > `rearrange(images, "b c (r p) (s q) -> b (r s) (c p q)", p=P, q=P)`. It names the halves just as we did. The course stays with
# > `reshape` and `permute`, so that nothing stands between you and PyTorch.
#
# ## Three ways to be sure
#
# **1. Somebody else's code.** PyTorch has had this operation for years, under the name `unfold`. If we agree with it on an awkward
# input (not square, five channels, another patch size), we can trust ourselves.

# %% tags=["nbval-check-output"]
awkward = torch.randn(2, 5, 24, 40)
theirs = F.unfold(awkward, kernel_size=8, stride=8)  # (B, C·P·P, N): patches in columns
print(tuple(patchify(awkward, 8).shape))
print("same numbers:", torch.equal(patchify(awkward, 8), theirs.transpose(1, 2)))

# %% [markdown]
# **2. The way back.** Cutting loses nothing, so there must be an exact inverse: split the patches up again, move the halves back to
# where they came from, flatten.


# %% [markdown] tags=["exercise:unpatchify"]
# The way back: (B, N, C·P·P) → (B, C, H, W), exactly what `patchify` was given.
#
# Hint: Do the steps of `patchify` in reverse: split, move, flatten.
#
# Hint: After the split the axes are (B, rows, columns, C, P, P). They should be (B, C, rows, first P, columns, second P): where does each of these names stand in the first list?


# %% tags=["same-as:vit_minimal.patches.unpatchify", "exercise:unpatchify"]
# vit_minimal/patches.py
def unpatchify(patches, patch_size, image_size, in_channels=3):
    """The exact inverse of patchify, (B, N, C·P·P) → (B, C, H, W)."""
    B, N, length = patches.shape
    C, P = in_channels, patch_size
    rows, columns = patch_grid(image_size, P)
    if rows * columns != N or length != C * P * P:
        raise ValueError(f"expected (B, {rows * columns}, {C * P * P}), got {tuple(patches.shape)}")
    # solution
    # | return ...  # your code
    images = patches.reshape(B, rows, columns, C, P, P)
    images = images.permute(0, 3, 1, 4, 2, 5)  # (B, C, H/P, P, W/P, P)
    return images.reshape(B, C, rows * P, columns * P)
    # end of solution


# %% tags=["nbval-check-output"]
back = unpatchify(patchify(awkward, 8), 8, image_size=(24, 40), in_channels=5)
print("nothing lost:", torch.equal(back, awkward))

# %% [markdown]
# **3. Your eyes.** The photograph, cut with our function. It is not square, and need not be.

# %%
pieces = patchify(photo[None], 64)  # (1, 72, 12288)
plots.show_patches(pieces[0], grid_size=(9, 8), size=4)

# %% [markdown]
# ### What cannot be divided
#
# The uncropped photograph has 606 rows, and 64 does not divide 606. A strided convolution, for one,
# silently drops the last 30 rows. Ours says so:

# %% tags=["nbval-check-output"]
try:
    patchify(torch.zeros(1, 3, 606, 512), 64)
except ValueError as error:
    print(error)

# %% [markdown]
# What would be right? Crop (as we did), pad with zeros, or resize the image. Each is a decision about your data, so it is yours
# and not the function's.
#
# ## From patch to token: one linear map
#
# A patch is 48 raw numbers. The model works with vectors of its own width D, so each patch goes through the same linear map, the
# matrix **E** in the paper's Eq. 1: 48 numbers in, D numbers out. The result is called a **token**. (As the ViT paper's code does, we add a bias, D more
# numbers, and bring the bytes to −1 … 1 first.)

# %% tags=["nbval-check-output"]
D = 192
E = nn.Linear(C * P * P, D)
tokens = E(patchify(image.float() / 127.5 - 1, P))  # (B, N, C·P·P) → (B, N, D)
print(tuple(tokens.shape))

# %% [markdown]
# Open timm's ViT, or torchvision's, and you will see no `patchify`. You will see a convolution:
#
# ```python
# nn.Conv2d(in_channels, embed_dim, kernel_size=patch_size, stride=patch_size)
# ```
#
# Is that another idea? A convolution slides a window over the image, multiplies it with its kernels and adds up. With a stride as
# long as the kernel, the window jumps from one patch to the next and never overlaps: for every patch, D weighted sums over its
# C·P·P pixels. That is the linear map, word for word. Let us give both the same weights and compare.

# %% tags=["nbval-check-output"]
conv = nn.Conv2d(C, D, kernel_size=P, stride=P)
with torch.no_grad():
    conv.weight.copy_(E.weight.reshape(D, C, P, P))  # the same numbers, in the kernel's shape
    conv.bias.copy_(E.bias)

x = image.float() / 127.5 - 1  # bytes 0 … 255 → -1 … 1
by_hand = E(patchify(x, P))  # (B, N, D)
by_conv = conv(x).flatten(2).transpose(1, 2)  # (B, D, H/P, W/P) → (B, D, N) → (B, N, D)
print("equal up to rounding:", torch.allclose(by_hand, by_conv, atol=1e-6))

# %% [markdown] tags=["exercise:patch_tokens"]
# The same linear map on every patch is a convolution whose window is one patch and jumps by one patch. You are given images (B, C, H, W), a matrix (D, C·P·P) with its bias (D,), and P: each patch, flattened as by `patchify`, is multiplied with the matrix, and the bias is added. Give the tokens (B, N, D), with one call of `F.conv2d(images, kernel, bias, stride=…)`.
#
# Hint: The kernel of a convolution has the shape (D, C, P, P). A row of the matrix runs over a patch in the order of `patchify`.
#
# Hint: What comes out is (B, D, H/P, W/P). `flatten(2)` makes a line of the grid; then two axes must change places.


# %% tags=["exercise-only", "exercise:patch_tokens"]
def patch_tokens(images, weight, bias, patch_size):
    """Images (B, C, H, W) → tokens (B, N, D): patches times a matrix, by one convolution."""
    # solution
    # | return ...  # your code
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    return F.conv2d(images, kernel, bias, stride=patch_size).flatten(2).transpose(1, 2)
    # end of solution


# %% [markdown] tags=["exercise:unfolded"]
# *Find the bug.* `F.unfold` cuts images into patches too. Somebody used it for a `patchify`; the shape is right, a model trained on it learns something, but less than it should. Run the cell below: the first patch of the tiny image should be 0, 1, 4, 5. What is it? Repair the function.
#
# Hint: What is the shape of what `F.unfold` returns, and which axis counts the patches?
#
# Hint: (B, C·P·P, N) becomes (B, N, C·P·P) by moving numbers, and a `reshape` moves none.
#
# Solution: `reshape` only puts the brackets elsewhere, `transpose` exchanges the axes. The shapes are the same.


# %% tags=["exercise-only", "exercise:unfolded"]
def unfolded(images, patch_size):
    """Images (B, C, H, W) → patches (B, N, C·P·P), by F.unfold."""
    columns = F.unfold(images, patch_size, stride=patch_size)
    # solution
    # | return columns.reshape(len(images), columns.shape[2], columns.shape[1])
    return columns.transpose(1, 2)
    # end of solution


print(unfolded(torch.arange(16.0).reshape(1, 1, 4, 4), 2))

# %% [markdown]
# So the three names of this operation, *unfold and multiply*, *reshape, permute and multiply*, *strided convolution*, mean one
# thing. The module uses the convolution, as published ViTs do: their weights come in its shape, and a tool that watches or replaces the
# layer `proj` finds a layer that is really called. First, a check of what comes in:


# %% tags=["same-as:vit_minimal.patches.expect_images"]
# vit_minimal/patches.py
def expect_images(images, image_shape):
    """The `images` (B, C, H, W) themselves. ValueError unless each is `image_shape`, (C, H, W)."""
    shape = tuple(images.shape[1:])
    if shape != image_shape:
        raise ValueError(f"expected (C, H, W) = {image_shape}, got {shape}")
    return images


# %% tags=["same-as:vit_minimal.patches.PatchEmbedding"]
# vit_minimal/patches.py
class PatchEmbedding(nn.Module):
    """Images (B, C, H, W) → patch tokens (B, N, D): patchify and one linear map, E in Eq. 1."""

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.patch_size, self.grid_size = patch_size, patch_grid(image_size, patch_size)
        self.image_shape = (in_channels, *(side * patch_size for side in self.grid_size))
        self.proj = nn.Conv2d(in_channels, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images):
        grid = self.proj(expect_images(images, self.image_shape))  # (B, D, H/P, W/P)
        return grid.flatten(2).transpose(1, 2)  # (B, N, D)


# %% [markdown]
# As in the comparison above, `flatten(2)` turns the grid of patches into a line, row by row, which is the order of `patchify`, and `transpose(1, 2)` brings the
# embedding to the end, where a Transformer expects it. And an image that does not fit is refused with both shapes named:

# %% tags=["nbval-check-output"]
embed = PatchEmbedding(image_size=32, patch_size=4, in_channels=3, embed_dim=192)
print(tuple(embed(torch.randn(5, 3, 32, 32)).shape))
try:
    embed(torch.randn(5, 1, 28, 28))  # a batch of MNIST
except ValueError as error:
    print(error)

# %% [markdown]
# ## What a patch size costs
#
# Small patches keep more places apart and make the sequence long. Halve P, and N becomes four times as large. Attention compares
# all pairs, so its part of the work becomes **sixteen** times as large. The table is for 32 × 32 pixels and D = 192.

# %% tags=["nbval-check-output"]
print("  P  patches N  pairs N²   numbers per patch  parameters of E")
for size in (1, 2, 4, 8, 16, 32):
    n = (32 // size) ** 2
    print(f"{size:3}  {n:9,}  {n * n:9,}  {3 * size**2:17,}  {D * (3 * size**2 + 1):15,}")

# %%
sizes = [1, 2, 4, 8, 16]
patches = [(32 // size) ** 2 for size in sizes]
plots.show_lines(
    sizes,
    {"patches N": patches, "pairs N² that attention compares": [n * n for n in patches]},
    x_label="patch side P, pixels",
    y_label="count",
    title="32 × 32 pixels: what a patch size costs",
    log="xy",
)

# %% [markdown]
# Both axes are logarithmic. At P = 16 four tokens are left and almost nothing to compare; at P = 1 there are a million pairs. P = 4
# is a common choice for CIFAR-10, and ours. What the choice does to *accuracy* is a question for an experiment.
#
# > **Keep this:** a patch is a place, not a stretch of memory. `reshape` names axes, `permute` sets the order in which they are read, and
# > only numbers you can read tell you whether the order is right.
#
# ## Recap
#
# - A Transformer needs a sequence. We cut the image into N = (H/P)·(W/P) squares and flatten each to C·P·P numbers.
# - `view` alone gives the right shape with the wrong content. Reshape, permute, reshape gives the right content.
# - One linear map turns each patch into a token of D numbers. A convolution with stride = kernel size is that map.
# - P decides N, and attention compares N² pairs.
#
# ## Questions
#
# **1.** You train on 32 × 32 images with P = 4 and then feed a 64 × 64 image to the same patch embedding (without our check). Does
# the convolution complain? How many tokens come out?
#
# <details><summary>Answer</summary>
#
# It does not complain: a convolution takes any size. Out come 16 · 16 = 256 tokens instead of 64. What breaks is further down, where
# the position embeddings expect 64 patches. That is why our module checks the size at the door.
#
# </details>
#
# **2.** `patchify` flattens each patch as (C, P, P). What would change for the model if it were (P, P, C)?
#
# <details><summary>Answer</summary>
#
# Nothing it could not learn: the 48 numbers come in another order, and the 48 rows of E can be reordered in the same way. But weights
# trained with one order are useless with the other. With (C, P, P) the weights fit a convolution's kernel.
#
# </details>
#
# **3.** The wrong `view` gives every "patch" 48 numbers of the image, and each number goes to exactly one. Why should a model care?
#
# <details><summary>Answer</summary>
#
# The linear map is the same for all patches. It can only be useful for all if "number 7 of a patch" means the same in each: this
# channel, this place within the square. After the wrong `view` the numbers of a tile come from a strip instead, so what is near in
# the image is no longer together in one token: number 7 is red and in column 7 for tile 0, red and in column 23 for tile 1, green for tile 30.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 01](exercises/01_patches.ipynb), with checks that say what is wrong.
#
# **Next: [02 · The class token](02_class_token.ipynb).** We have 64 tokens, and one label to predict. Which token should we read?
