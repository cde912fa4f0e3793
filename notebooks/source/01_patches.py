# %% [markdown]
# # 01 · Patches: an image becomes a sequence
#
# A Transformer was invented to read sentences, and a sentence is a sequence of words. A photograph has no words and no obvious order. In this notebook you turn a photograph into a sequence, and you meet a bug that raises no error, keeps every shape right and scrambles the whole picture.
#
# **After this notebook you can** cut any batch of images into patches with three tensor operations, explain why a plain `view` does it wrong, show that a strided convolution does the same job in one step, work out what a patch size costs, and get a photograph back out of what a trained model's first layer makes.
#
# | | |
# |---|---|
# | You need | Python, a little PyTorch: shapes of tensors, `nn.Module`, learned parameters |
# | Time to read | about 25 minutes, without the last two parts |
# | Time to run | seconds, on any machine |
# | Package module | `vit_minimal/patches.py` |
#
# **Letters for shapes** mean the same in the whole course. Today's are: B images in a batch, C channels, H × W pixels in an image, P pixels along the side of a patch, N patches in an image, D numbers in the vector that stands for a patch.

# %%
from pathlib import Path

import torch
from skimage import data
from torch import nn
from torch.nn import functional as F

from vit_minimal import diagrams, load_checkpoint, load_image, plots
from vit_minimal.augment import normalize

torch.manual_seed(0)
cat_file = Path(data.__file__).with_name("chelsea.png")
photo = load_image(cat_file, 32)  # (C, H, W) = (3, 32, 32), whole numbers 0 … 255
diagrams.overview(photo, "patches")

# %% [markdown]
# This is the whole model, from a photograph to class scores, and the part in full colour is today's. The image is cut into patches, and one linear map, called E, turns each patch into a vector of D numbers, its *token*. Notebooks 02 to 04 build what follows.
#
# The cat is called Chelsea and comes with the library scikit-image. You will see a lot of this cat.
#
# ## What should one element of the sequence be?
#
# A Transformer reads a *sequence of vectors*. In a sentence the elements are words, or pieces of words. In a photograph we have to decide.
#
# The most direct choice is one element per pixel. At 32 × 32 pixels that makes 1,024 elements. In attention, which notebook 03 is about, every element looks at every other, so even such a small picture would have about a million pairs to compare.
#
# The paper that introduced the Vision Transformer ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Section 3.1) makes the elements larger. It cuts the image into squares of P × P pixels. Each square is called a **patch**, and each patch is one element. The paper's title begins with this idea: *An Image is Worth 16x16 Words*.
#
# Here is Chelsea again, with more pixels and only 16 patches, so that you can recognise each of them.

# %%
large = load_image(cat_file, 256)  # the same picture, for human eyes
diagrams.patch_sequence(large, 64)

# %% [markdown]
# The patches are numbered like words on a page, from left to right and from top to bottom. Below the photograph they stand in that order in one line, and this is the sequence.
#
# Written as one list of C·P·P pixel values, a patch is a vector. It holds only colours. Nothing in the vector of patch 9 says that it lies directly below patch 5, the one with the left eye. How a model can know where a patch was is a question for notebook 02.
#
# The course works with P = 4 and with images of 32 × 32 pixels. That is the size of the images in CIFAR-10, a well-known collection of small photographs in ten classes. How long is the sequence then, and how long is each vector? Work it out before you run the next cell.

# %% tags=["nbval-check-output"]
H = W = 32  # pixels
P = 4  # pixels along the side of a patch
C = 3  # channels: red, green, blue

N = (H // P) * (W // P)
print(f"{N} patches, each a vector of {C * P * P} numbers")

# %% [markdown] tags=["exercise-only"]
# # Exercises 01 · Patches
#
# They go with notebook [01](../01_patches.ipynb). If you start here: a Transformer reads a sequence of vectors. An image (C, H, W) becomes one if you cut it into squares of P × P pixels, *row by row like words on a page*, and write the numbers of each square in a line, channel by channel: (N, C·P·P) with N = (H/P)·(W/P). A whole batch of B images is cut at once. The checks also use images that are not square and do not have three channels.

# %% tags=["exercise-only"]
import torch
from torch.nn import functional as F

from checks import check
from vit_minimal.patches import patch_grid

# %% [markdown] tags=["exercise:patch_of_pixel"]
# Here is a warm-up without tensors. Which patch holds the pixel in this row and this column? Rows and columns are counted from 0, all four arguments are whole numbers, and so is the answer. Patch 0 is at the upper left, and patch 1 is to its right.
#
# Hint: `//` divides and rounds down: the pixel in row 9 lies in row 9 // 4 = 2 of patches of side 4.
#
# Hint: All the rows of patches above it come first. How many patches are there in each? It depends on the width.


# %% tags=["exercise-only", "exercise:patch_of_pixel"]
def patch_of_pixel(row, column, patch_size, width):
    """The index of the patch that holds a pixel; patches are counted row by row."""
    # solution
    # | return ...  # your code
    return (row // patch_size) * (width // patch_size) + column // patch_size
    # end of solution


# %% [markdown]
# There are 64 patches instead of 1,024 pixels, and not a single number has been thrown away: 64 · 48 = 32 · 32 · 3.
#
# ## How do you cut all patches at once?
#
# Let us take an image that is small enough to read. It has 4 rows, 6 columns and one channel, and its pixels hold the numbers from 0 to 23. Each number says where the pixel lies in the computer's memory, which stores an image row after row.

# %% tags=["nbval-check-output"]
tiny = torch.arange(24).reshape(1, 1, 4, 6)  # (B, C, H, W)
print(tiny[0, 0])

# %% [markdown]
# With P = 2 there are six patches, and the one at the upper left must be 0, 1, 6, 7. Two Python loops with a slice inside cut all six correctly:

# %% tags=["nbval-check-output"]
squares = []
for top in (0, 2):
    for left in (0, 2, 4):
        square = tiny[0, 0, top : top + 2, left : left + 2]
        squares.append(square.flatten())  # (2, 2) → (4,)
by_loop = torch.stack(squares)  # (N, C·P·P) = (6, 4)
print(by_loop)

# %% [markdown]
# This is correct, and slow: Python takes one step after the other, one for each patch. We want one operation for all patches.
#
# The tempting line is a single `view`: 24 numbers go in, and six patches of four numbers come out.

# %% tags=["nbval-check-output"]
print(tiny.view(6, 4))

# %% [markdown]
# The shape is right. The content is wrong: the first "patch" is 0, 1, 2, 3, which is a piece of the image's first row.
#
# What happened? `view` never moves a number. It reads the memory from the beginning and puts the brackets in other places. (`tiny.reshape(6, 4)` would do the same here.) In memory, however, the pixels of a square are not all neighbours. After the first two pixels of a patch come two pixels of the *next* patch:

# %%
diagrams.memory((4, 6), 2)

# %% [markdown]
# Each colour is one patch. In the strip called "in memory" every colour occurs in two separate places, because every patch has two rows. `view` cuts this strip into six equal pieces, and each piece gets parts of two patches. The last row of the figure shows what we want: the same 24 numbers in another order, in which every piece has one colour.
#
# No error is raised. Training would start as usual, and nothing would tell you that the model is looking at strips. **That is why this course checks the numbers, and not the shapes alone.**
#
# ### The right way: name, reorder, flatten
#
# To reorder the pixels we have to be able to say what belongs together. The trick is to see that the row of a pixel is really two numbers in one: *which row of patches* it lies in, and *which row inside the patch*. We count from 0, so row 2 of the tiny image is row 1 of patches and row 0 inside the patch, since 2 = 1 · 2 + 0. The same goes for its column.
#
# So we split the axis H into two axes with `reshape`, and W as well. Then `permute` changes the order of the axes, and a second `reshape` puts them together again. Here is the whole plan for the tiny image:

# %%
diagrams.axes_of_patchify(tiny.shape, 2)

# %% [markdown]
# **First, name.** `reshape` turns four axes into six. The blue axes say *which patch* and the light grey ones *which number of the patch*: its channel, its row and its column. The batch, in dark grey, stays in front. The order is still the old one, but now every patch has an address. The patch in row 0 and column 1 of patches is this one:

# %% tags=["nbval-check-output"]
# (B, C, H/P, P, W/P, P): 4 rows are 2 · 2, and 6 columns are 3 · 2
split = tiny.reshape(1, 1, 2, 2, 3, 2)
print(split[0, 0, 0, :, 1, :])  # image 0, channel 0, row 0 and column 1 of patches

# %% [markdown]
# These are the numbers of patch 1, still in the form of a square.
#
# **Then reorder.** A tensor is read like the digits of a counter: the last axis changes fastest, the first axis slowest. We want to finish one patch before the next begins, so the blue axes, 2 and 4, must stand before the light grey ones, 1, 3 and 5. `permute` gets the axes by their old index, in the new order: first the image, then which patch, then where in it. Take care with the two axes called P: if you exchange them, every patch comes out with its rows and columns swapped, and no shape warns you.
#
# **Then flatten.** The second `reshape` writes the numbers out in the new order and joins what belongs together: the blue axes become N, and the light grey ones become C·P·P.

# %% tags=["nbval-check-output"]
reordered = split.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P)
flat = reordered.reshape(1, 6, 4)  # (B, N, C·P·P)
print(flat[0])
print("the same as the loop:", torch.equal(flat[0], by_loop))

# %% [markdown]
# Those are the loop's six patches, without a loop. Only the last step moves numbers in memory: `permute` changes the order of the axes while the numbers stay where they are, and `reshape` then has to copy them.
#
# Now we write this as functions that refuse sizes that do not fit. The first one counts the patches.


# %% tags=["same-as:vit_minimal.patches.patch_grid"]
# vit_minimal/patches.py
def patch_grid(image_size, patch_size):
    """How many patches fit, (H/P, W/P). ValueError if P does not divide both sides."""
    H, W = (image_size, image_size) if isinstance(image_size, int) else image_size
    if min(patch_size, H, W) < 1 or H % patch_size or W % patch_size:
        raise ValueError(f"patch_size {patch_size} does not divide the image size {H} × {W}")
    return H // patch_size, W // patch_size


# %% [markdown]
# The second one cuts, in the three steps that you have just seen:

# %% [markdown] tags=["exercise:patchify"]
# `patch_grid((H, W), P)` gives the rows and columns of the grid of patches, and refuses sizes that P does not divide. Cut the images: (B, C, H, W) → (B, N, C·P·P). The first check is an image of 4 × 6 pixels with the numbers 0 … 23 and P = 2, so that you can follow on paper: patch 0 is 0, 1, 6, 7.
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
    patches = images.reshape(B, C, rows, P, columns, P)  # split H and W, two axes each
    patches = patches.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P): reorder
    return patches.reshape(B, rows * columns, C * P * P)  # (B, N, C·P·P)
    # end of solution


# %% [markdown]
# <details><summary>If you like einops: the same in one line</summary>
#
# `rearrange(images, "b c (r p) (s q) -> b (r s) (c p q)", p=P, q=P)` names the axes just as we did. The course stays with `reshape` and `permute`, so that nothing stands between you and PyTorch.
#
# </details>
#
# ## How can we be sure?
#
# When a bug raises no error, one correct example is not enough. So we first compare with someone else's code, PyTorch's `unfold`. The input is awkward on purpose, not square and with five channels.

# %% tags=["nbval-check-output"]
awkward = torch.randn(2, 5, 24, 40)
theirs = F.unfold(awkward, kernel_size=8, stride=8)  # (B, C·P·P, N): patches in columns
print(tuple(patchify(awkward, 8).shape))
print("same numbers:", torch.equal(patchify(awkward, 8), theirs.transpose(1, 2)))

# %% [markdown]
# Second, if cutting loses nothing, there must be an exact way back. It takes the same steps backwards. Before its last `reshape`, `patchify` had the axes (B, rows, columns, C, P, P), numbered from 0 to 5. Now write down the order that we want, and look up the old number of each axis:
#
# | the axis that we want | B | C | rows | P: row in the patch | columns | P: column in the patch |
# |---|---|---|---|---|---|---|
# | its old number | 0 | 3 | 1 | 4 | 2 | 5 |

# %% [markdown] tags=["exercise:unpatchify"]
# Now write the way back: (B, N, C·P·P) → (B, C, H, W), exactly what `patchify` was given.
#
# Hint: Do the steps of `patchify` in reverse: split, reorder, flatten.
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
# Third, use your eyes. We cut Chelsea into 64 tiles twice, once with the tempting `view` and once with `patchify`, and let `unpatchify` lay the tiles out in their 8 × 8 grid. What will the tiles of `view` look like: a cat in disorder, or noise? And will the colours be those of the cat? Decide before you run the cell.


# %%
def with_lines(image, patch_size):
    """An image (C, H, W) of bytes, enlarged, with white lines between its patches."""
    picture = F.interpolate(image[None], scale_factor=4)[0]  # (C, 4·H, 4·W)
    picture[:, :: 4 * patch_size] = 255  # white rows
    picture[:, :, :: 4 * patch_size] = 255  # white columns
    return picture


by_view = unpatchify(photo.view(1, 64, 48), P, image_size=32)[0]
by_patchify = unpatchify(patchify(photo[None], P), P, image_size=32)[0]
pictures = [with_lines(by_view, P), with_lines(by_patchify, P)]
plots.show_images(pictures, ["64 tiles by view", "64 tiles by patchify"], columns=2, size=3.3)

# %% [markdown]
# On the right every tile is a square piece of the cat. On the left is a mosaic in green and violet, although both pictures hold exactly the same 3,072 numbers. It gets darker towards the bottom, because memory holds all of red first, then all of green, then all of blue, and a brown cat has little blue.
#
# <details><summary>Where do green and violet come from?</summary>
#
# Each tile on the left is a strip of 48 numbers in a row from memory, nearly always from a single colour channel. A row of the image has 32 pixels, so the strip is one and a half rows long. Take 48 red values that begin at the left border:
#
# | numbers of the strip | where in the image | drawn as |
# |---|---|---|
# | 0–15 | left half of a row | red |
# | 16–31 | right half of the same row | green |
# | 32–47 | left half of the row below | blue |
#
# What is drawn as red and as blue comes from places that touch, so the two nearly agree. Green comes from elsewhere. Where it is brighter we see green, and where it is darker, violet.
#
# </details>
#
# ## Why does a patch go through a linear map?
#
# A patch is now a list of 48 numbers, and each says how bright one pixel is in one colour. Could the model read this list as it is? It could, but such numbers say little: nobody recognises a cat by the red of one pixel. What helps is to know whether there is an edge in the patch, which way the edge runs, or which colour is strongest. No single number tells you this, but a **weighted sum** of the 48 can tell you much of it. The right half minus the left half, for example, says how much brighter it gets towards the right.
#
# A linear map is just that: a list of weighted sums. Let us write three of them by hand, one to a column of a matrix: brightness, right minus left, and bottom minus top. We try them on the large photograph, so that there are enough patches of 4 × 4 pixels to see something. The function `normalize` rescales bytes from 0 … 255 to −1 … 1.

# %% tags=["nbval-check-output"]
ramp = torch.tensor([-1.0, -1.0, 1.0, 1.0])
brightness = torch.ones(C, P, P)
right_minus_left = ramp.expand(C, P, P)  # the left half counts −1, the right half +1
bottom_minus_top = ramp.reshape(P, 1).expand(C, P, P)
weights = torch.stack([brightness, right_minus_left, bottom_minus_top]).flatten(1).T  # (48, 3)

patches = patchify(normalize(large[None]), P)  # (B, N, C·P·P) = (1, 4096, 48)
sums = patches @ weights  # (1, 4096, 48) @ (48, 3) → (1, 4096, 3)
print(tuple(sums.shape))

# %%
sum_maps = sums[0].T.reshape(3, 1, 64, 64)  # each sum of all patches, in their places
scale = torch.tensor([48.0, 10.0, 10.0]).reshape(3, 1, 1, 1)  # strong edges: black or white
sum_maps = (sum_maps / scale).expand(3, 3, 64, 64)  # three equal channels make grey
titles = ["the photograph", "brightness", "right minus left", "bottom minus top"]
plots.show_images([large, *sum_maps], titles, columns=2, size=2.5)

# %% [markdown]
# Each grey picture shows what one column of weights finds, one number per patch. The more positive the number, the lighter the square; mid-grey is 0. Look at the left eye: "right minus left" draws the sides and "bottom minus top" draws the lids.
#
# The model does this with D columns of weights instead of three, and nobody writes them by hand: they are learned. The D sums of a patch are its **token**. We choose D freely. A wide token leaves room for what later blocks find out from other patches.
#
# The matrix is called **E** in Eq. 1 of the paper, for *embedding*. There a patch is a row of numbers, x, and its token is x E. So E has the shape (C·P·P, D), which the paper writes as (P²·C, D), and each *column* makes one sum. PyTorch's `nn.Linear` keeps the transposed, Eᵀ, in which each *row* makes one sum.
#
# The same E is applied to every patch, so an edge detector that is learned in one corner works in all the others. A linear map is enough here, because the parts that follow are not linear. E only has to offer them useful numbers.
#
# Here is the map with the sizes of this course, with a learned bias added, as in the ViT paper's code.

# %% tags=["nbval-check-output"]
D = 192
linear = nn.Linear(C * P * P, D)  # linear.weight is Eᵀ: (D, C·P·P) = (192, 48)
x = normalize(photo[None])  # (B, C, H, W), −1 … 1
tokens = linear(patchify(x, P))  # x E + bias: (B, N, C·P·P) → (B, N, D)
print(tuple(tokens.shape))

# %% [markdown]
# ## Why do real ViTs contain a convolution instead?
#
# Open the ViT of timm or of torchvision, two widely used libraries of models, and you will find no `patchify`. You will find this:
#
# ```python
# nn.Conv2d(in_channels, embed_dim, kernel_size=patch_size, stride=patch_size)
# ```
#
# Is that another idea? A convolution slides a window over the image. At each stop it multiplies the pixels in the window by the weights of a *kernel*, a small grid, and adds up the products: a weighted sum. The *stride* says how far the window moves from one stop to the next. Here the stride is as long as the window is wide, so the window jumps from patch to patch and never overlaps itself. This is the tiny image again, with a kernel of four weights:

# %%
diagrams.strided_convolution(tiny[0, 0], torch.tensor([[1, 0], [2, -1]]), patches=(0, 4))

# %% [markdown]
# The window on patch 0 gives 1 · 0 + 0 · 1 + 2 · 6 − 1 · 7 = 5. Below the image you see the same sum as a patch times a column of E, and once more for patch 4: the kernel *is* this column of weights, written as a square. (The figure lays the column on its side.)
#
# For a colour image a kernel has such a square for each channel. D kernels make D grids of sums, (B, D, H/P, W/P). To get tokens from them, flatten each grid, (B, D, N), and swap two axes, (B, N, D). Does this hold for a real photograph, with 192 kernels and a bias?

# %% tags=["nbval-check-output"]
conv = nn.Conv2d(C, D, kernel_size=P, stride=P)
with torch.no_grad():
    conv.weight.copy_(linear.weight.reshape(D, C, P, P))  # the same numbers, in the kernel's shape
    conv.bias.copy_(linear.bias)

grid = conv(x)  # (B, D, H/P, W/P)
by_window = grid.flatten(2).transpose(1, 2)  # (B, D, N) → (B, N, D)
print("equal up to rounding:", torch.allclose(tokens, by_window, atol=1e-6))

# %% [markdown] tags=["exercise:patch_tokens"]
# The same linear map on every patch is a convolution whose window is one patch and jumps by one patch. You are given images (B, C, H, W), a matrix (D, C·P·P), as `nn.Linear` keeps it, with its bias (D,), and P. Each patch, flattened as by `patchify`, is multiplied with each row of the matrix, and the bias is added. Return the tokens (B, N, D), with one call of `F.conv2d(images, kernel, bias, stride=…)`.
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
# *Find the bug.* `F.unfold` cuts images into patches too. Someone used it to write a `patchify`. The shape is right and no error is raised, but the patches are wrong. Run the cell below: the first patch of the tiny image of 4 × 6 pixels should be 0, 1, 6, 7. What is it? Repair the function.
#
# Hint: What is the shape of what `F.unfold` returns, and which axis counts the patches?
#
# Hint: (B, C·P·P, N) becomes (B, N, C·P·P) when two axes change places, and a `reshape` leaves the order as it is.
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


print(unfolded(torch.arange(24.0).reshape(1, 1, 4, 6), 2))

# %% [markdown]
# So the convolution is our `patchify` and our matrix, written as one library call. Our module uses it too, under timm's name `patch_embed.proj`, so that the weights of published ViTs can be loaded. (Some models let small windows overlap in several layers instead, a *convolutional stem*, [Xiao et al. 2021](https://arxiv.org/abs/2106.14881).)
#
# One danger comes with it. A convolution accepts images of any size and quietly drops the rows and columns that do not fit, so this small function checks the size first:


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
# The last line is the one from the comparison above. We try the module on five images, and then on a batch of the wrong kind:

# %% tags=["nbval-check-output"]
embed = PatchEmbedding(image_size=32, patch_size=4, in_channels=3, embed_dim=192)
images = torch.randn(5, 3, 32, 32)
print("tokens:", tuple(embed(images).shape))
try:
    embed(torch.randn(5, 1, 28, 28))  # MNIST's handwritten digits, grey
except ValueError as error:
    print("refused:", error)

# %% [markdown]
# ## What does a patch size cost?
#
# We have used P = 4 without asking why. Here is the same photograph of 32 × 32 pixels at four patch sizes.

# %%
sizes = (4, 8, 16, 32)
titles = [f"P = {size}\nN = {(32 // size) ** 2}" for size in sizes]
plots.show_images([with_lines(photo, size) for size in sizes], titles, columns=4, size=1.7)

# %% [markdown]
# Every picture holds the whole photograph. What changes is how finely the model can tell *places* apart. Attention deals with whole tokens, so it cannot point at anything smaller than a square of this figure. At P = 4 it can point at a part of an eye, and at P = 8 at one eye. At P = 16 the eye is lost in a quarter of the picture, and at P = 32 the only patch has no other patch to look at.
#
# Then why not make patches as small as possible? Because the sequence gets long. Halve P, and N becomes four times as large. Attention compares all pairs, and their number becomes **sixteen** times as large. (Pairs are only a part of the cost. The other layers work on each token alone, so their cost becomes four times as large.) The table is for 32 × 32 pixels and D = 192.

# %% tags=["nbval-check-output"]
print("  P  patches N  pairs N²   numbers per patch  parameters of E")
for size in (1, 2, 4, 8, 16, 32):
    n = (32 // size) ** 2
    print(f"{size:3}  {n:9,}  {n * n:9,}  {3 * size**2:17,}  {D * (3 * size**2 + 1):15,}")

# %% [markdown]
# At P = 1 there are a million pairs, and at P = 16 only 16. Between the two, P = 4 is a common choice for images of this size, and it is ours. What the choice does to *accuracy* cannot be worked out on paper: notebook [08](08_pitfalls_patch_size.ipynb) measures it.
#
# Now look at "numbers per patch". A token holds D = 192 numbers. Up to P = 8 a patch has no more than that, so E has room for all of them. At P = 16 it has to squeeze 768 numbers into 192, and something must go. ViT-B/16, the paper's base model, also has P = 16, but its D = 768 is room for exactly the numbers of a patch.
#
# ## Can you get the photograph back out of what E makes?
#
# Perhaps training has made E throw away what a classifier does not need. Let us test that.
#
# With this course comes the **shipped model**, a ViT of six blocks that was trained on CIFAR-10. We first make sure that its E is our operation: we cut the cat with `patchify`, multiply by hand, and compare with the tokens of the model's own `patch_embed`.

# %% tags=["nbval-check-output"]
shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
kernels = shipped.patch_embed.proj.weight.detach()  # (D, C, P, P)
bias = shipped.patch_embed.proj.bias.detach()  # (D,)
x = normalize(photo[None])  # (B, C, H, W), −1 … 1, as before
tokens = shipped.patch_embed(x).detach()  # (B, N, D)

trained_E = kernels.flatten(1).T  # (C·P·P, D) = (48, 192)
by_hand = patchify(x, P) @ trained_E + bias  # (B, N, 48) @ (48, D) + (D,)
print("the model's own tokens:", torch.allclose(by_hand, tokens, atol=1e-5))

# %% [markdown]
# Now suppose that we have only the tokens, E and the bias. Each token gives 192 equations for the 48 unknown numbers of its patch, and `lstsq`, the method of least squares, solves them. `unpatchify` puts the patches together, and the last step goes from −1 … 1 back to bytes.

# %% tags=["nbval-check-output"]
patches = torch.linalg.lstsq(trained_E.T, (tokens[0] - bias).T).solution.T  # (N, C·P·P)
image = unpatchify(patches[None], P, image_size=32)[0]  # (C, H, W), −1 … 1
recovered = ((image + 1) * 127.5).round().to(torch.uint8)  # bytes 0 … 255
print("every byte of the photograph:", torch.equal(recovered, photo))

# %%
token_maps = tokens[0, :, :2].T.reshape(2, 1, 8, 8)  # numbers 0 and 1 of each, in their places
token_maps = token_maps / token_maps.abs().amax((1, 2, 3), keepdim=True)
pictures = [photo, *token_maps, recovered]
titles = ["the photograph", "number 0 of each token", "number 1 of each token"]
titles += ["from all 192 numbers"]
plots.show_images(pictures, titles, columns=2, size=2.3)

# %% [markdown]
# Each map shows one of the 192 numbers. One alone shows no cat; all 192 give back every byte.
#
# An untrained E would pass this test too, since 192 random sums are more than enough for 48 unknowns. So the test shows one thing: training has not made E throw anything away.
#
# ## Recap
#
# - A Transformer needs a sequence. We cut the image into N = (H/P)·(W/P) squares and flatten each to C·P·P numbers.
# - `view` alone, or `reshape` alone, gives the right shape with the wrong content. What is missing is a `permute` between two of them: split, permute, join.
# - One linear map, the same for all patches, turns each patch into a token of D numbers. A convolution with stride = kernel size is that map.
# - P decides N, and attention compares N² pairs.
# - At P = 4 the tokens that the shipped model's E makes, before block 1, still hold every pixel.
#
# > **Remember:** a patch is a place, not a stretch of memory. `reshape` splits and joins axes, `permute` sets the order in which they are read, and
# > a correct shape does not tell you whether the order is right: compare the numbers.

# %% [markdown]
# ## Questions
#
# **1.** You train on 32 × 32 images with P = 4 and then feed a 64 × 64 image to the same patch embedding, without our check. Does the convolution complain? How many tokens come out?
#
# <details><summary>Answer</summary>
#
# It does not complain: a convolution takes any size. It gives 16 · 16 = 256 tokens instead of 64. The model breaks further on, where the position embeddings of notebook 02 expect 64 patches. That is why our module checks the size first.
#
# </details>
#
# **2.** `patchify` flattens each patch as (C, P, P). What would change for the model if it were (P, P, C)?
#
# <details><summary>Answer</summary>
#
# Nothing essential: it could learn the same map with its weights reordered. The 48 numbers would come in another order, and the 48 weights in each column of E could be reordered in the same way. But weights that were trained with one order are useless with the other. With (C, P, P) they fit the kernels of a convolution.
#
# </details>
#
# **3.** The wrong `view` gives every "patch" 48 numbers of the image, and each number goes to exactly one patch. Why should a model care?
#
# <details><summary>Answer</summary>
#
# The linear map is the same for all patches. It can be useful for all of them only if "number 7 of a patch" means the same in each: this channel, this place within the square. After the wrong `view` it does not. Number 7 is red and in column 7 for tile 0, red and in column 23 for tile 1, and green for tile 30. Besides, pixels that lie below each other in the image are hardly ever together in one token.
#
# </details>
#
# **4.** A patch has 48 numbers and its token has 192. Does the token know more than the patch?
#
# <details><summary>Answer</summary>
#
# No. All 192 numbers are weighted sums of the same 48, so they say the same things in many ways. (That is why we could compute the patches back from their tokens.) The additional room is for later: the blocks that follow write into the token what they have found out from other patches.
#
# </details>
#
# ---
#
# **Try it yourself:** the [exercises 01](exercises/01_patches.ipynb) check your answer and tell you what is wrong with it.
#
# **Next: [02 · The class token](02_class_token.ipynb).** We have 64 tokens, and one label to predict. Which token should we read?

# %% [markdown]
# ---
#
# ## For a second visit: what happens if P does not divide the image?
#
# Nothing later in the course needs this part or the next. The original photograph of Chelsea has 300 rows and 451 columns, and 64 divides neither. Watch what a convolution does with it, and what our function does:

# %% tags=["nbval-check-output"]
original = torch.zeros(1, 3, 300, 451)
window = nn.Conv2d(3, 1, kernel_size=64, stride=64)  # one number for each patch of 64 × 64
rows, columns = window(original).shape[2:]
print(f"the convolution covers {rows * 64} × {columns * 64} pixels")
try:
    patchify(original, 64)
except ValueError as error:
    print("patchify:", error)

# %% [markdown]
# The convolution drops the last 44 rows and the last 3 columns without a word, and `patchify` refuses. What would be right? You can crop the image, pad it with zeros or resize it. That is a decision about your data, so the function leaves it to you.
#
# ## For a second visit: what did E learn?
#
# Does the shipped model's E hold anything that a person would recognise? It is a stack of 192 kernels, one for each number of a token, and a kernel gives a large number where the patch looks like the kernel. So we write down four patterns that seem useful, and find the kernel closest to each.

# %%
grey = torch.ones(3, 4, 4)  # (C, P, P)
line = torch.tensor([-1.0, 1.0, 1.0, -1.0])  # dark, bright, bright, dark
edge = torch.tensor([-1.0, -1.0, 1.0, 1.0])  # dark, dark, bright, bright
orange_blue = torch.tensor([1.0, 0.0, -1.0]).reshape(3, 1, 1)  # weights of red, green, blue
patterns = {
    "vertical line": grey * line,
    "horizontal line": grey * line.reshape(4, 1),
    "orange and blue": grey * edge * orange_blue,
    "brightness": grey,
}

# %% [markdown]
# The measure is the *cosine similarity*: it is 1 for the same pattern, however strong, and 0 for patterns with no overlap. The sign does not count, because the next layer can multiply by −1.
#
# With 192 kernels to choose from, one of them resembles anything a little. How much is luck? As a control we search 1,000 stacks of 192 *random* kernels in the same way, and count those that come as close as the trained one. We smooth them first, by replacing each weight with the mean of a square of 2 × 2. Our patterns are smooth, and smooth kernels match them more easily, whatever they have learned.


# %%
def closest(stack, pattern):
    """The kernel of a stack (D, C, P, P) most like a pattern (C, P, P), and their similarity."""
    similarity = F.cosine_similarity(stack.flatten(1), pattern.reshape(1, -1))  # (D,)
    best = similarity.abs().argmax()
    return stack[best] * similarity[best].sign(), similarity[best].abs().item()


draws = [nn.Conv2d(C, D, kernel_size=P).weight.detach() for _ in range(1000)]
padded = [F.pad(stack, (0, 1, 0, 1), mode="replicate") for stack in draws]
smooth = [F.avg_pool2d(stack, 2, stride=1) for stack in padded]
print("closest kernel:    trained   smooth random   as close as the trained one")
for name, pattern in patterns.items():
    trained = closest(kernels, pattern)[1]
    luck = torch.tensor([closest(stack, pattern)[1] for stack in smooth])
    as_close = (luck >= trained).sum()
    print(f"{name:17}{trained:9.2f}{luck.mean():16.2f}{as_close.item():10,} of 1,000 stacks")

# %% [markdown]
# None of the random stacks comes as close to the vertical line as the trained kernels do, so E has learned it. About two in a hundred come as close to the horizontal line, which is weaker evidence. About a quarter do for orange against blue, so there it may be enough that training made kernels smoother. And no trained kernel comes close to plain brightness: all random stacks are more similar to it. Brightness is not lost, since we could compute every pixel back, but it takes several kernels together to measure it.
#
# A kernel has three channels, so it can be drawn as a tiny colour picture: mid-grey stands for 0, brighter for positive weights and darker for negative ones. Below each pattern stand the trained kernel that is closest to it and the closest one of a random stack, smoothed.

# %%
pictures, titles = [0.7 * pattern for pattern in patterns.values()], list(patterns)
for title, stack in (("trained", kernels), ("smooth random", smooth[0])):
    for pattern in patterns.values():
        kernel, similarity = closest(stack, pattern)
        pictures.append(kernel / kernel.abs().max())
        titles.append(f"{title}\nsimilarity {similarity:.2f}")

plots.show_images(pictures, titles, columns=4, size=1.6)

# %% [markdown]
# The vertical line and the two colours can be recognised in the trained kernels. The horizontal line needs some imagination. The last row shows one of the random stacks. All this comes from a single trained model and four patterns that we chose. In the left part of its Figure 7, the ViT paper shows the few patterns that make up most of the kernels of a much larger model (their *principal components*). They are smooth too.
