# %% [markdown]
# # 01 · Patches: an image becomes a sequence
#
# A Transformer was invented to read sentences, one word after another. A photograph has no words and no obvious reading order. In this notebook you turn one into the other, and you meet a bug that raises no error, keeps every shape right and scrambles the whole picture.
#
# **After this notebook you can** cut any batch of images into patches with three tensor operations, explain why a plain `view` does it wrong, show that a strided convolution does the same job in one step, work out what a patch size costs, and say what a trained model looks for in a patch.
#
# | | |
# |---|---|
# | You need | Python, a little PyTorch (what a tensor's shape is) |
# | Time to read | about 35 minutes, with a break |
# | Time to run | seconds, on any machine |
# | Package module | `vit_minimal/patches.py` |
#
# **Letters for shapes, here and in the whole course:** B images in a batch, C channels, H × W pixels, P pixels along the side of a patch, N patches, D numbers in a token.

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
# This is the whole model, from a photograph to class scores, and the part in full colour is today's. The image is cut into patches, and one linear map, called E, turns each patch into a vector of D numbers, its token. What happens to the tokens afterwards is the subject of notebooks 02 to 04.
#
# The cat is called Chelsea and comes with the library scikit-image. You will see a lot of this cat.
#
# ## What should one element of the sequence be?
#
# A Transformer reads a *sequence of vectors*. In a sentence it is clear what the elements are: words, or pieces of words. In a photograph we have to decide.
#
# The purest choice is one element per pixel. At 32 × 32 pixels that already makes 1,024 elements. In attention, which notebook 03 is about, every element looks at every other, so there would be about a million pairs to compare, and that for a thumbnail. A photograph from a phone has ten thousand times as many pixels.
#
# The paper that introduced the Vision Transformer ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Section 3.1) makes the elements larger. It cuts the image into squares of P × P pixels. Each square is called a **patch**, and each patch is one element. The paper's title begins with this idea: *An Image is Worth 16x16 Words*.
#
# Here is Chelsea again, with more pixels and only 16 patches, so that you can recognise each of them.

# %%
large = load_image(cat_file, 256)  # the same picture, for human eyes
diagrams.patch_sequence(large, 64)

# %% [markdown]
# The patches are numbered like words on a page, from left to right and from top to bottom. Below the photograph they stand in that order in one line, and that line is what the model gets. Follow patch 5, the left eye, from the photograph to the line.
#
# Notice also what the line has lost. Patch 9 lies directly below patch 5 in the photograph, but in the line the two are four places apart. How a model can know that they were neighbours is a question for notebook 02.
#
# The course works with images of 32 × 32 pixels and with P = 4. That is the size of CIFAR-10, a well-known collection of small photographs in ten classes. How long is the sequence then, and how long is each vector? Work it out before you run the next cell.

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
# Let us take an image that is small enough to read. It has 4 rows, 6 columns and one channel, and its pixels hold the numbers from 0 to 23. Each number says where the pixel lies in the computer's memory, which stores an image row after row. With P = 2 there are 2 rows of 3 patches.

# %% tags=["nbval-check-output"]
tiny = torch.arange(24).reshape(1, 1, 4, 6)  # (B, C, H, W)
print(tiny[0, 0])

# %% [markdown]
# The patch at the upper left must be 0, 1, 6, 7. Two Python loops with a slice inside get all six patches right:

# %% tags=["nbval-check-output"]
squares = []
for top in (0, 2):
    for left in (0, 2, 4):
        square = tiny[0, 0, top : top + 2, left : left + 2]
        squares.append(square.flatten())  # (2, 2) → (4,)
by_loop = torch.stack(squares)  # (N, C·P·P) = (6, 4)
print(by_loop)

# %% [markdown]
# This is correct, and slow. For a batch of a thousand images of 64 patches, Python would run the loop body 64,000 times in every step of training. We want one operation for the whole batch.
#
# The tempting line is a single `view`: 24 numbers go in, and six patches of four numbers come out.

# %% tags=["nbval-check-output"]
print(tiny.view(6, 4))

# %% [markdown]
# The shape is right. The content is wrong: the first "patch" is 0, 1, 2, 3, which is a piece of the image's first row.
#
# What happened? `view` never moves a number. It reads the memory from the beginning and puts the brackets in other places. In memory, however, the pixels of a square are not neighbours. After the first two pixels of a patch come two pixels of the *next* patch:

# %%
diagrams.memory((4, 6), 2)

# %% [markdown]
# Each colour is one patch. In the strip called "in memory" every colour occurs twice, in two separate places, because every patch has two rows. `view` cuts this strip into six equal pieces, and each piece gets parts of two patches. The last row of the figure shows what we want: the same 24 numbers in another order, in which every piece has one colour.
#
# No error is raised and no warning is given. Training would start as usual, and nothing would tell you that the model is looking at strips. **That is why this course checks with numbers you can read, and not with shapes alone.**
#
# ### The right way: name, reorder, flatten
#
# To reorder the pixels we have to be able to say what belongs together. The trick is to see that the row of a pixel is really two numbers in one: *which row of patches* it lies in, and *which row inside the patch*. Row 3 of the tiny image, for example, is row 1 of patches and row 1 inside the patch, since 3 = 1 · 2 + 1. The same goes for its column.
#
# So we split each side in two with `reshape`. Then `permute` moves the axes, and a second `reshape` puts them together again. Here is the whole plan for the tiny image; we walk through it row by row.

# %%
diagrams.axes_of_patchify(tiny.shape, 2)

# %% [markdown]
# **From the first row to the second,** `reshape` turns four axes into six. The height of 4 becomes 2 rows of patches with 2 rows of pixels in each, and the width of 6 becomes 3 columns of patches with 2 columns of pixels in each. The blue axes say *which patch*, the grey ones say *where in the patch*. Nothing has moved yet, but now every patch has an address. The patch in row 0 and column 1 of patches is this one:

# %% tags=["nbval-check-output"]
split = tiny.reshape(1, 1, 2, 2, 3, 2)  # (B, C, H/P, P, W/P, P)
print(split[0, 0, 0, :, 1, :])  # row 0 of patches, column 1 of patches

# %% [markdown]
# Compare it with patch 1 in the last row of the figure with the colours: these are its numbers, still in the form of a square. We can already take out single patches, and what remains is to write them down one after the other.
#
# **From the second row to the third,** the arrows cross. A tensor is read like a car's odometer: the last axis turns fastest, the first axis slowest. We want to finish one patch before the next begins, so the blue axes, 2 and 4, must stand before the grey ones, 1, 3 and 5. `permute` takes exactly that list: the old numbers of the axes in their new order.
#
# **From the third row to the last,** `reshape` writes the numbers out in the new order and joins what belongs together: the blue axes become N, the grey ones C·P·P. Follow pixel 15, which lies in row 2 and column 3. For rows the rule is row = (row of patches) · P + (row inside), and for columns it is the same. Here 2 = 1 · 2 + 0 and 3 = 1 · 2 + 1, so pixel 15 belongs to row 1 and column 1 of patches. That is patch 1 · 3 + 1 = 4. Inside the patch it has row 0 and column 1, so it is number 1 there. Look for it in the output.

# %% tags=["nbval-check-output"]
moved = split.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P)
flat = moved.reshape(1, 6, 4)  # (B, N, C·P·P)
print(flat[0])
print("the same as the loop:", torch.equal(flat[0], by_loop))

# %% [markdown]
# Those are the loop's six patches, without a loop, and 15 stands in patch 4 at place 1. Only the last step moves any number in memory. `permute` merely notes the new order, and the last `reshape` then has to copy. A `view` in its place would stop with an error this time: it never copies, and after `permute` the order we want no longer fits the order in memory.
#
# Now we write this as functions, and they should complain when something cannot work. The first one counts the patches.


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
    patches = images.reshape(B, C, rows, P, columns, P)  # name the halves of each side
    patches = patches.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P): reorder
    return patches.reshape(B, rows * columns, C * P * P)  # (B, N, C·P·P)
    # end of solution


# %% [markdown]
# > **If you like einops:** the same in one line is
# > `rearrange(images, "b c (r p) (s q) -> b (r s) (c p q)", p=P, q=P)`. It names the halves just as we did. The course stays with
# > `reshape` and `permute`, so that nothing stands between you and PyTorch.
#
# ## How can we be sure?
#
# After a bug that no error reports, one correct example is not enough. Here are three independent checks.
#
# ### 1. Somebody else's code
#
# PyTorch has had this operation for years, under the name `unfold`. We compare on an awkward input, which is not square and has five channels. If we agree there, we can trust ourselves elsewhere too.

# %% tags=["nbval-check-output"]
awkward = torch.randn(2, 5, 24, 40)
theirs = F.unfold(awkward, kernel_size=8, stride=8)  # (B, C·P·P, N): patches in columns
print(tuple(patchify(awkward, 8).shape))
print("same numbers:", torch.equal(patchify(awkward, 8), theirs.transpose(1, 2)))

# %% [markdown]
# ### 2. The way back
#
# If cutting loses nothing, there must be an exact inverse. It takes the same three steps backwards: split the patches up, move the axes back to where they came from, and flatten. After the split the axes are (B, rows, columns, C, P, P), with the numbers 0 to 5. We want (B, C, rows, P, columns, P), and in the numbers of the first list that reads (0, 3, 1, 4, 2, 5).


# %% [markdown] tags=["exercise:unpatchify"]
# Now write the way back: (B, N, C·P·P) → (B, C, H, W), exactly what `patchify` was given.
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
# ### 3. Your eyes
#
# We cut the photograph of Chelsea twice, once with the tempting `view` and once with `patchify`, and lay the 64 tiles out in their 8 × 8 grid. (It does not hurt.)
#
# What will the 64 tiles of `view` look like: a cat in disorder, stripes, noise? And will the colours be those of the cat? Decide before you run the second cell.


# %%
def lay_out(patches, patch_size, grid_size):
    """Colour patches (N, C·P·P) as one picture (C, height, width), white lines between them."""
    # Only for the eye: enlarge each tile, give it a white border, and lay it out as a larger patch
    rows, columns = grid_size
    tiles = patches.reshape(-1, 3, patch_size, patch_size)
    tiles = F.interpolate(tiles, scale_factor=4)
    tiles = F.pad(tiles, (0, 2, 0, 2), value=255)
    side = 4 * patch_size + 2
    size = rows * side, columns * side
    return unpatchify(tiles.reshape(1, rows * columns, -1), side, size)[0]


# %%
by_view = lay_out(photo.view(64, 48), 4, (8, 8))
by_patchify = lay_out(patchify(photo[None], 4)[0], 4, (8, 8))
titles = ["the image", "64 tiles by view", "64 tiles by patchify"]
plots.show_images([photo, by_view, by_patchify], titles, columns=3, size=2.3)

# %% [markdown]
# On the right every tile is a square piece of the cat. In the middle there are stripes in green and violet and no cat left, although the middle picture holds exactly the same 3,072 numbers.
#
# Where do the colours come from? Each tile in the middle is a strip of 48 numbers in a row from memory, which is one and a half rows of the image. Memory holds the whole red channel first, then all of green, then all of blue. So 62 of the 64 strips come from a single colour channel. Take a strip of 48 red values: `lay_out` believes that its numbers 0–15 are red, 16–31 green and 32–47 blue, although all 48 are red. A row of the image has 32 pixels, so red and blue get the same half of two successive rows, which nearly agree, and green gets the other half. Where that half is brighter we see green, and where it is darker, violet.
#
# ### What if P does not divide the image?
#
# The original photograph has 300 rows and 451 columns, and 64 divides neither. Watch what a convolution does with it, and what our function does:

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
# The convolution drops the last 44 rows and the last 3 columns without a word, and `patchify` refuses. What would be right? You can crop the image, pad it with zeros or resize it. That is a decision about your data, so the function leaves it to you. (`load_image`, which we used above, scales the picture and then crops what is too long.)
#
# ## Why does a patch go through a linear map?
#
# A patch is now a list of 48 numbers, and each says how bright one pixel is in one colour. That is a poor language for talking about pictures. What we would like to know of a patch is whether there is an edge in it, which way the edge runs, or which colour is strongest. No single number tells you this, but much of it is a **weighted sum** of the 48. The right half minus the left half, for example, says how much brighter it gets towards the right.
#
# A linear map is just that: a list of weighted sums. Let us make one by hand for the tiny image. Its three rows of weights measure the mean of a patch, right minus left, and bottom minus top.

# %% tags=["nbval-check-output"]
mean = [0.25, 0.25, 0.25, 0.25]  # upper left, upper right, lower left, lower right
right_minus_left = [-0.5, 0.5, -0.5, 0.5]
bottom_minus_top = [-0.5, -0.5, 0.5, 0.5]
weights = torch.tensor([mean, right_minus_left, bottom_minus_top])  # (3, C·P·P)

patches = patchify(tiny.float(), 2)  # (B, N, C·P·P) = (1, 6, 4)
by_matrix = patches @ weights.T  # (1, 6, 4) @ (4, 3) → (1, 6, 3)
print(by_matrix[0])

# %% [markdown]
# Each row of the output describes one patch in three numbers. The first patch, 0, 1, 6, 7, has the mean 3.5. The other two columns are the same for all patches, and you can see why in the tiny image: its numbers grow by 1 with each step to the right and by 6 with each step down.
#
# The model does this with D rows of weights instead of three, and nobody writes them by hand: they are learned. The result for a patch is called its **token**, a vector of D numbers. The matrix is called **E** in Eq. 1 of the paper, for *embedding*. There are good reasons for this step, and for keeping it so simple:
#
# - **One width for the whole model.** Every part of a Transformer takes vectors of D numbers and gives vectors of D numbers, whatever the size of a patch.
# - **One map for all places.** The same E is applied to every patch, so an edge detector that is learned in one corner works in all the others.
# - **Linear is enough for a start.** The parts that follow can bend and combine these numbers as much as they like. E only has to offer them useful ones.
#
# Here it is at the size of the course. As the ViT paper's code does, we first bring the bytes from 0 … 255 to −1 … 1, which `normalize` does, and let E add a learned bias.

# %% tags=["nbval-check-output"]
D = 192
E = nn.Linear(C * P * P, D)
x = normalize(photo[None])  # (B, C, H, W), bytes 0 … 255 → −1 … 1
tokens = E(patchify(x, P))  # (B, N, C·P·P) → (B, N, D)
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
# Is that another idea? A convolution slides a window over the image. At each stop it multiplies the pixels in the window with a kernel, which is a small grid of weights, and adds up the products. In other words, it computes a weighted sum at each stop. The *stride* says how far the window moves from one stop to the next. When the stride is as long as the window is wide, the window jumps from patch to patch and never overlaps itself. (With a shorter stride the patches would overlap: there would be more of them, and a pixel would stand in several. Some later models, such as CvT, do that.)
#
# So the convolution should give the numbers that we have just worked out by hand. We only have to write each row of weights as a 2 × 2 kernel:

# %% tags=["nbval-check-output"]
kernels = weights.reshape(3, 1, 2, 2)  # (D, C, P, P) with D = 3
by_window = F.conv2d(tiny.float(), kernels, stride=2)  # (B, D, H/P, W/P) = (1, 3, 2, 3)
print(by_window[0])

# %% [markdown]
# These are the same 18 numbers. The matrix gave a list of six patches with three numbers each. The convolution gives three small pictures of 2 × 3 patches, one for each row of weights: the means, then right minus left, then bottom minus top. To get tokens from it, flatten the grid into a line and exchange two axes. Does it hold for a real photograph, with 192 kernels and a bias?

# %% tags=["nbval-check-output"]
conv = nn.Conv2d(C, D, kernel_size=P, stride=P)
with torch.no_grad():
    conv.weight.copy_(E.weight.reshape(D, C, P, P))  # the same numbers, in the kernel's shape
    conv.bias.copy_(E.bias)

by_matrix = E(patchify(x, P))  # (B, N, D)
grid = conv(x)  # (B, D, H/P, W/P)
by_window = grid.flatten(2).transpose(1, 2)  # (B, D, N) → (B, N, D)
print("equal up to rounding:", torch.allclose(by_matrix, by_window, atol=1e-6))

# %% [markdown] tags=["exercise:patch_tokens"]
# The same linear map on every patch is a convolution whose window is one patch and jumps by one patch. You are given images (B, C, H, W), a matrix (D, C·P·P) with its bias (D,), and P. Each patch, flattened as by `patchify`, is multiplied with the matrix, and the bias is added. Return the tokens (B, N, D), with one call of `F.conv2d(images, kernel, bias, stride=…)`.
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
# *Find the bug.* `F.unfold` cuts images into patches too. Somebody used it to write a `patchify`. The shape is right and no error is raised, but the patches are wrong. Run the cell below: the first patch of the tiny image of 4 × 6 pixels should be 0, 1, 6, 7. What is it? Repair the function.
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


print(unfolded(torch.arange(24.0).reshape(1, 1, 4, 6), 2))

# %% [markdown]
# So one operation goes by three names: *unfold and multiply*, *reshape, permute and multiply*, and *strided convolution*. Whichever you meet in somebody's code, you now know the other two.
#
# ## The module
#
# Which of the three should our module use? It uses the convolution, for two reasons. Published ViTs store E in the shape of kernels, so their weights fit. And other people's tools find a layer by its name, `patch_embed.proj` in timm.
#
# <details><summary>For later: why <code>forward</code> calls <code>self.proj</code> (you can skip this)</summary>
#
# Such tools often watch a layer through a *forward hook*, a function that PyTorch runs each time the layer is called. If `forward` used `self.proj.weight` without calling `self.proj`, a hook on it would never run.
#
# </details>
#
# Since a convolution accepts images of any size and quietly drops what does not fit, this small function checks the size first:


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
# The last line is the one from the comparison above. `flatten(2)` turns the grid into a line, row by row, which is the order of `patchify`. `transpose(1, 2)` brings the D numbers of a token to the end, where a Transformer expects them. We try it on five images, and then on a batch of the wrong kind:

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
# We have used P = 4 without asking why. Here is the same photograph of 32 × 32 pixels at four patch sizes. The upper row shows the patches. The lower row gives each patch a single colour, its mean.

# %%
pieces, averages, titles = [], [], []
for size in (4, 8, 16, 32):
    side = 32 // size  # patches along one side
    pieces.append(lay_out(patchify(photo[None], size)[0], size, (side, side)))
    averages.append(F.avg_pool2d(photo[None].float(), size)[0].to(torch.uint8))
    titles.append(f"P = {size}\nN = {side * side}")
titles += ["64 colours", "16 colours", "4 colours", "1 colour"]
plots.show_images(pieces + averages, titles, columns=4, size=1.65)

# %% [markdown]
# The upper row always holds the whole photograph, since no pixel is lost. What changes is how finely the model can tell *places* apart. Detail inside a patch survives in its token, but attention cannot point at it, since it deals with whole tokens. A map with one number per patch, such as the purple maps of notebook 00, cannot draw anything finer than the lower row. At P = 4 it can still show two eyes and a nose, and at P = 8 one of the eyes is gone. At P = 16 there are four places left, and at P = 32 the sequence is a single patch, which has no other to look at.
#
# Then why not make patches as small as possible? Because the sequence gets long. Halve P, and N becomes four times as large. Attention compares all pairs, so its part of the work becomes **sixteen** times as large. The table is for 32 × 32 pixels and D = 192.

# %% tags=["nbval-check-output"]
print("  P  patches N  pairs N²   numbers per patch  parameters of E")
for size in (1, 2, 4, 8, 16, 32):
    n = (32 // size) ** 2
    print(f"{size:3}  {n:9,}  {n * n:9,}  {3 * size**2:17,}  {D * (3 * size**2 + 1):15,}")

# %% [markdown]
# At P = 32 there is nothing to compare, at P = 16 hardly anything, and at P = 1 there are a million pairs.
#
# Look at "numbers per patch". A token holds D = 192 numbers. Up to P = 8 a patch has no more numbers than that, so E can keep all of them. At P = 16 it has to squeeze 768 numbers into 192, and something must go. This is a matter of D, not of P alone: ViT-B/16, the paper's base model, cuts images of 224 × 224 pixels into 14 · 14 = 196 patches of 16 × 16, and it has room for their 768 numbers, with D = 768.
#
# P = 4 is a common choice for CIFAR-10, and it is ours. What the choice does to *accuracy* cannot be worked out on paper: notebook [08](08_pitfalls_patch_size.ipynb) measures it.
#
# **A good place for a break.** You can now turn images into tokens, and you know what they cost. That is all that notebook 02 needs. What follows is optional: we look at what training has put into E.
#
# ## Optional: what E learned
#
# What does a trained model look for in a patch? So far E has held random numbers. With this course comes a model that was trained on CIFAR-10, and its E is a stack of 192 kernels, one for each number of a token. Before we look at them, let us make sure that it really is our operation. We cut the cat with `patchify`, multiply by hand, and compare with what the model computes:

# %% tags=["nbval-check-output"]
model = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
trained = model.patch_embed.proj.weight.detach()  # (D, C, P, P)
bias = model.patch_embed.proj.bias.detach()  # (D,)
print("kernels:", tuple(trained.shape))

by_hand = patchify(x, 4) @ trained.flatten(1).T + bias  # (B, N, 48) @ (48, D) + (D,)
same = torch.allclose(by_hand, model.patch_embed(x), atol=1e-5)
print("the model's own tokens:", same)

# %% [markdown]
# A kernel has three channels, so we can look at it as a tiny colour picture: grey stands for a weight of 0, brighter for positive weights and darker for negative ones. A kernel answers with a large number when the patch looks like this picture.
#
# Has training put anything into them? For comparison we take the kernels of the fresh module above. We measure how *rough* each kernel is: how much neighbouring weights differ, as a mean of squares, compared with the weights themselves. For independent random weights we can say beforehand what comes out. The difference of two of them has twice the variance of one, and we add the differences in two directions, so it is 2 + 2 = 4.

# %%
untrained = embed.proj.weight.detach()


def roughness(kernels):
    """How much neighbouring weights of kernels (n, C, P, P) differ, compared with their size."""
    across = kernels.diff(dim=3).pow(2).mean(dim=(1, 2, 3))
    down = kernels.diff(dim=2).pow(2).mean(dim=(1, 2, 3))
    return (across + down) / kernels.pow(2).mean(dim=(1, 2, 3))


print(f"mean roughness, trained:   {roughness(trained).mean():.1f}")
print(f"mean roughness, untrained: {roughness(untrained).mean():.1f}")

# %% [markdown]
# Neighbouring weights agree more after training than chance would make them. Now we look at the eight smoothest kernels, chosen by the same rule on both sides.


# %%
def smoothest(kernels, count):
    """The smoothest kernels, each scaled so that its colours are strong but not glaring."""
    order = roughness(kernels).argsort()
    return [0.8 * kernel / kernel.abs().max() for kernel in kernels[order[:count]]]


pictures = smoothest(trained, 8) + smoothest(untrained, 8)
titles = [f"trained {i}" for i in range(1, 9)] + [f"untrained {i}" for i in range(1, 9)]
titles[0], titles[6] = "trained 1:\na slanted edge", "trained 7:\norange and blue"
plots.show_images(pictures, titles, columns=4, size=1.55)

# %% [markdown]
# The upper two rows are trained, the lower two untrained. Even the smoothest untrained kernels look like confetti. Two of the trained ones can be put into words, in the run saved here. Number 1 is an edge: dark in the upper right corner, bright in the lower left one. Number 7 sets orange on its left side against blue on its right. The others change gently from one colour to another, and few of them have a name. Nobody told the model about edges or colours. It was told only which of ten words belongs to each photograph. (The ViT paper looks into E of a much larger model, in the left part of its Figure 7, and finds smooth patterns too.)
#
# Names after the fact are cheap, however. So we go the other way: we write patterns down and search for the kernel that resembles each of them most. The measure is the *cosine similarity*: it is 1 for the same pattern, however strong, and 0 for patterns with no overlap. The sign does not count, because the next layer can multiply by −1.

# %%
grey = torch.ones(3, 4, 4)  # (C, P, P)
line = torch.tensor([-1.0, 1.0, 1.0, -1.0])  # dark, bright, bright, dark
edge = torch.tensor([-1.0, -1.0, 1.0, 1.0])  # dark, dark, bright, bright
orange_blue = torch.tensor([1.0, 0.0, -1.0]).reshape(3, 1, 1)  # weights of red, green, blue
patterns = {
    "vertical line": grey * line,
    "horizontal line": grey * line.reshape(4, 1),
    "vertical edge": grey * edge,
    "horizontal edge": grey * edge.reshape(4, 1),
    "orange and blue": grey * edge * orange_blue,
    "green": grey * torch.tensor([-1.0, 2.0, -1.0]).reshape(3, 1, 1),
    "brightness": grey,
}

# %% [markdown]
# With 192 kernels to choose from, one of them resembles anything a little. How much is luck? We draw twenty stacks of 192 random kernels and search each of them in the same way.


# %%
def closest(kernels, pattern):
    """The kernel that is most like a pattern (C, P, P), and their similarity, 0 … 1."""
    similarity = F.cosine_similarity(kernels.flatten(1), pattern.reshape(1, -1))  # (n,)
    best = similarity.abs().argmax()
    return kernels[best] * similarity[best].sign(), similarity[best].abs().item()


draws = [nn.Conv2d(C, D, kernel_size=P).weight.detach() for _ in range(20)]
print("closest kernel:    trained   luck: mean ± standard deviation")
for name, pattern in patterns.items():
    luck = torch.tensor([closest(kernels, pattern)[1] for kernels in draws])
    print(f"{name:17}{closest(trained, pattern)[1]:9.2f}{luck.mean():12.2f} ± {luck.std():.2f}")

# %% [markdown]
# The last column says how close one gets by luck, and how much luck varies. In the run saved here the vertical line, the horizontal edge, orange against blue and green lie above it by about five times that spread, or more: training has put them there, or something like them. The horizontal line lies about three times above. And then comes a surprise. The model has no plain vertical edge to speak of. For brightness, the most obvious question of all, its best kernel has a similarity of 0.48, and among random kernels the best has 0.41 on average, give or take 0.04. So it is hardly better than luck.
#
# What do such kernels see? We slide three of them over the photograph, and with each an untrained kernel, the one that is closest to the same pattern. For this picture the window moves by one pixel instead of four, so that we see more. The tokens hold every fourth value of it, in both directions.

# %%
pictures, titles = [], []
for name in ("vertical line", "horizontal edge", "brightness"):
    pictures.append(0.7 * patterns[name])  # paler, so that white stands out from the page
    titles += [name, "trained", "its answer", "untrained", "its answer"]
    for kernels in (trained, untrained):
        kernel = closest(kernels, patterns[name])[0]  # (C, P, P)
        answer = F.conv2d(x, kernel[None])[0]  # (1, 29, 29): a number for each place of the window
        pictures.append(kernel / kernel.abs().max())
        pictures.append((answer / answer.abs().max()).expand(3, -1, -1))

plots.show_images(pictures, titles, columns=5, size=1.35)

# %% [markdown]
# Each row begins with the pattern that it is about. In the answers, as in the kernels, grey stands for 0. White means that the place looks like the kernel, and black means that it looks like the kernel's negative.
#
# - The trained **vertical line** draws what runs up and down: the bright side of the bridge of the nose in white, the dark lines beside it in black. But look at the untrained kernel. It resembles the pattern only a little, and it finds the nose too. A picture that makes sense is not yet a sign of learning; the table was needed.
# - The trained **horizontal edge** has its pattern in a clear form. Where fur turns into a dark eye, on the upper rim of both eyes, it answers black, and where the left eye turns into fur again, it answers white. The untrained one mixes this with edges in other directions.
# - For **brightness** the *untrained* kernel gives the better black-and-white photograph! The trained one, number 1 from above with its sign reversed, turns it into a relief, lit from one side.
#
# Is that so for the other kernels too? Let us try all 192 of them, on four photographs. We measure how closely each kernel's answer follows the brightness of the place: 1 means that the two rise and fall together, 0 that they have nothing to do with each other. The cell prints the median, which is the value of the kernel in the middle.


# %%
def agreement(kernels, image):
    """How well each kernel's answer follows the brightness of an image, 0 … 1 (a correlation)."""
    brightness = F.conv2d(image, grey[None])[0].flatten()  # a number for each place
    answers = F.conv2d(image, kernels)[0].flatten(1)  # (192, places)
    both = torch.cat([brightness[None], answers])
    return both.corrcoef()[0, 1:].abs()


for file in ("chelsea.png", "rocket.jpg", "coffee.png", "motorcycle_left.png"):
    picture = normalize(load_image(cat_file.with_name(file), 32)[None])
    before, after = agreement(untrained, picture).median(), agreement(trained, picture).median()
    print(f"{file:20} untrained {before:.2f}   trained {after:.2f}")

# %% [markdown]
# Yes, for most of them. On all four photographs the middle kernel follows brightness less than half as well after training. An untrained kernel cannot help measuring it: the pixels of a patch are mostly bright together and dark together, so almost any weighted sum of them says how bright the patch is. If 192 numbers all said that, most of them would say nothing new. (That explanation is ours, and the measurement is of one trained model.) Brightness is not lost, however. It is spread over many kernels, and from all of them together it can still be recovered, as we now see.
#
# ### Can you get the photograph back out of the tokens?
#
# At P = 4 a token has room for all the 48 numbers of its patch. Does a trained E really keep them, or has training thrown away what a classifier does not need? We can test it. Each token gives 192 equations for the 48 unknown numbers of its patch, and `lstsq`, the method of least squares, solves them:

# %% tags=["nbval-check-output"]
tokens = model.patch_embed(x)[0].detach()  # (N, D)
solved = torch.linalg.lstsq(trained.flatten(1), (tokens - bias).T).solution  # (48, N)
same = torch.allclose(solved.T, patchify(x, 4)[0], atol=1e-3)
print("all patches recovered from their tokens:", same)

# %% [markdown]
# Nothing is lost: every pixel of Chelsea can be computed back from her 64 tokens, and with the pixels their brightness. An untrained E would pass this test too, since 192 random sums are more than enough for 48 unknowns. The point is that training has not changed this. Whatever the model decides to ignore, it ignores later. When the first block begins, everything that the small photograph shows is still there.
#
# ## Recap
#
# - A Transformer needs a sequence. We cut the image into N = (H/P)·(W/P) squares and flatten each to C·P·P numbers.
# - `view` alone gives the right shape with the wrong content. Reshape, permute, reshape gives the right content.
# - One linear map, the same for all patches, turns each patch into a token of D numbers. A convolution with stride = kernel size is that map.
# - P decides N, and attention compares N² pairs.
# - In a trained model, some kernels resemble lines, edges or colours more than chance explains, and most follow plain brightness less than untrained ones. Even so, nothing is lost: the tokens still hold every pixel.
#
# > **Remember:** a patch is a place, not a stretch of memory. `reshape` names axes, `permute` sets the order in which they are read, and
# > only numbers you can read tell you whether the order is right.
#
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
# Nothing essential: it could learn the same map with its weights reordered. The 48 numbers would come in another order, and the 48 weights in each row of E could be reordered in the same way. But weights that were trained with one order are useless with the other. With (C, P, P) they fit the kernels of a convolution.
#
# </details>
#
# **3.** The wrong `view` gives every "patch" 48 numbers of the image, and each number goes to exactly one patch. Why should a model care?
#
# <details><summary>Answer</summary>
#
# The linear map is the same for all patches. It can be useful for all of them only if "number 7 of a patch" means the same in each: this channel, this place within the square. After the wrong `view` it does not. Number 7 is red and in column 7 for tile 0, red and in column 23 for tile 1, and green for tile 30. Besides, pixels that are near each other in the image are no longer together in one token.
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
