# %% [markdown]
# # 02 · The class token: one vector that belongs to no patch
#
# **After this notebook you can** put a class token and positions on a batch of patches, explain how a vector that is the same for every image comes to tell a cat from a rocket, show that a model without positions cannot tell an image from its shuffled pieces, and catch three mistakes, two of which run without an error.
#
# | | |
# |---|---|
# | You need | notebook 01: an image as 64 tokens, shape (B, N, D) |
# | Time to read | about 45 minutes, in two sittings |
# | Time to run | seconds, on any machine |
# | Package module | `vit_minimal/class_token.py` |
#
# **Letters:** B images in a batch, N patches, T = N + 1 tokens, D numbers in an embedding.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import ListedColormap
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
from vit_minimal.diagrams.card import ATTENTION  # purple, in all diagrams of the course
from vit_minimal.inspection import look_into

photos = Path(data.__file__).parent  # photographs that come with scikit-image
cat = load_image(photos / "chelsea.png", 128)  # (C, H, W), uint8
rocket = load_image(photos / "rocket.jpg", 128)
diagrams.overview(load_image(photos / "chelsea.png", 32), "class_token")

# %% [markdown]
# You are at the part that is lit. Notebook 01 made 64 tokens of an image, and today two things happen to them: an orange vector, the class token, is put on top, and a grey vector is added to each row to say where it stands.
#
# ## Which of the 64 vectors holds the answer?
#
# A Transformer takes a stack of vectors and returns a stack of the same size. In between lie several *blocks*. In each block the vectors first exchange information, and then a small network, the MLP, works on each of them alone. If we feed it 64 patch tokens, it returns 64 vectors, one for each patch. But we want *one* answer, "cat", and the classifier at the end reads *one* vector. Which one should it be?
#
# - **The first?** It belongs to the top left corner of the image, which in a photograph is often sky. The model could learn to collect the answer there. But then this token has two jobs: it describes a piece of sky, and it carries the answer for the whole image.
# - **The mean of all 64?** This is a good idea, and it works. It gives every patch the same weight, whether it shows the cat or the sofa, and leaves it to the blocks before it to make the important vectors stand out.
# - **An extra one?** We add a token that stands for no patch. It has nothing to describe, so it can use all of its D numbers for the answer, and take from each patch as much as it likes.
#
# The third idea is the **class token**, written [class] in the ViT paper and $\mathbf{x}_\text{class}$ in its Eq. 1. It comes from the language model BERT ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)), which puts a token called [CLS] in front of every text.
#
# ## How can it take anything from the patches?
#
# Tokens exchange information by **attention**, the first half of each block. Notebook 03 opens that box. Today one sentence about it is enough: *each token takes a weighted mean of all tokens, and the weights are computed from the tokens themselves.* (More exactly, it is a mean of a linear map of them: notebook 03.) If a token gives another one a large weight, we say that it *attends to* it, or looks at it.
#
# Here is a weighted mean that you can check in your head. Three patches hold one number each: 2, 4 and 8. The class token gives them the weights ½, ¼ and ¼, which sum to 1. It takes ½ · 2 + ¼ · 4 + ¼ · 8 = 1 + 1 + 2 = **4**.
#
# The next diagram shows the same step for two photographs, each cut into nine patches to keep the picture small. Follow the orange square from left to right.

# %%
diagrams.class_token_idea(torch.stack([cat, rocket]))

# %% [markdown]
# On the left, the *same* orange square stands in front of both images. It knows nothing about either. The orange line leads to the same token after attention. The purple arcs are the weights with which it takes from the patches, and a thicker arc is a larger weight. On the right stand two *different* vectors, because the class token has taken from different patches. The stripes show the mixture: each has a patch's mean colour, and its width is that patch's weight. (The weights in this diagram are made up, and the weight that the class token gives to itself is left out. You will see real ones further down.)
#
# This is the heart of the course, so let us also say what the class token is **not**.
#
# - It is not a **mean**. It *takes* weighted means, block after block, and the weights are its own choice.
# - It is not a **pixel**, nor a patch. It has no place in the image. Its place in the stack, row 0, is a convention.
# - It is not a **label**. The name misleads here. The right answer is never put into it, and there is one class token for all ten classes. "Class token" means the token from which the class is *read*.
#
# ## What is in it at the start?
#
# Nothing that depends on the image. The class token is a row of D numbers that is learned like any other weight, and **it is the same for every image**. As a parameter it has the shape (1, 1, D): one image, one token, D numbers.
#
# We take a batch of three photographs at 32 × 32 pixels, the size that our model works with, and make patch tokens of them as in notebook 01. To keep the examples small we take D = 48. A patch also holds 48 numbers, but that is a coincidence.

# %%
torch.manual_seed(0)
files = ["chelsea.png", "rocket.jpg", "coffee.png"]
images = torch.stack([load_image(photos / file, 32) for file in files])  # (B, C, H, W)
x = normalize(images)  # bytes 0 … 255 → -1 … 1, as in notebook 01
patches = PatchEmbedding(image_size=32, patch_size=4, in_channels=3, embed_dim=48)(x)

print("patch tokens (B, N, D):", tuple(patches.shape))
plots.show_images(images, ["cat", "rocket", "coffee"], columns=3, size=2)

# %% [markdown]
# Now we put the class token in front: repeat it for each image, then join it to the patches along axis 1, the axis of tokens.

# %% tags=["nbval-check-output"]
D = patches.shape[-1]
token = nn.Parameter(torch.randn(1, 1, D) * 0.02)  # learned; starts small

B = len(patches)
in_front = token.expand(B, 1, D)  # (1, 1, D) → (B, 1, D)
tokens = torch.cat([in_front, patches], dim=1)  # (B, 1 + N, D)
print("with the class token (B, T, D):", tuple(tokens.shape))

# %% [markdown]
# What does the model see now? Each image has become a stack of 65 rows of numbers. We draw them as grey cells: white is large, black is large and negative, and middle grey is zero. On top is row 0, the class token, and below it are eight of the 64 patches, those from the middle of the image. They are the patches 24 to 31, and in `tokens` they are the rows 25 to 32, since row 0 is the class token. The class token's numbers start small, so row 0 is drawn with a finer scale of its own. Within each line of pictures all three have the same scale.

# %%
figure, axes = plt.subplots(2, 3, figsize=(7, 3.6), height_ratios=[1, 7], layout="constrained")
for i, name in enumerate(["cat", "rocket", "coffee"]):
    row_0 = tokens[i, :1].detach()  # (1, D): the class token
    eight = tokens[i, 25:33].detach()  # (8, D): patches 24 … 31
    fine = axes[0, i].imshow(row_0, cmap="gray", aspect="auto", vmin=-0.05, vmax=0.05)
    coarse = axes[1, i].imshow(eight, cmap="gray", aspect="auto", vmin=-1, vmax=1)
    axes[0, i].set(title=name, xticks=[], yticks=[])
    axes[1, i].set(xticks=[], yticks=[], xlabel=f"{D} numbers")
axes[0, 0].set_yticks([0], ["[class]"])
axes[1, 0].set_yticks(range(8), [f"patch {n}" for n in range(24, 32)])
figure.colorbar(fine, ax=axes[0], ticks=[-0.05, 0.05])
figure.colorbar(coarse, ax=axes[1], ticks=[-1, 0, 1])
plots.show("three images as rows of grey cells; the top row, [class], is the same in all three")
assert tokens[0, 0].equal(tokens[1, 0]) and tokens[0, 0].equal(tokens[2, 0])

# %% [markdown]
# The top row looks like a bar code, and it is the *same* bar code three times. The last line of the cell checks that its numbers are equal. The rows below it differ from image to image, because the patches do. Most rows of the rocket look alike, since most of its patches hold the same night sky.
#
# ### One parameter, many images
#
# `expand` does not copy the vector. It makes a view, in which all B rows are the same piece of memory. You can see that in the strides, which say how far to walk in memory for one step along each axis. A stride of 0 means "stay where you are".

# %% tags=["nbval-check-output"]
print("strides:", in_front.stride())
print("same memory:", in_front.data_ptr() == token.data_ptr())

# %% [markdown]
# Saving memory is not the point, because `torch.cat` (no relation to the photograph) copies the row into each stack anyway. The point is that there is *one* parameter.
#
# What does that mean for learning? Every image pulls the one vector in its own direction, and autograd adds up the pulls. Let us check this with a loss in which image i pulls with strength i + 1. What gradient do you expect for three images?

# %% tags=["nbval-check-output"]
token.grad = None  # gradients add up, should you run this cell twice
strength = torch.arange(1.0, B + 1).reshape(B, 1, 1)  # 1, 2, 3
loss = (strength * token.expand(B, 1, D)).sum()
loss.backward()
print("gradient of the first numbers:", token.grad[0, 0, :5].tolist())

# %% [markdown]
# 1 + 2 + 3 = 6. There is one vector, and it gets the sum of all pulls. So it can learn only what helps on balance, over all images. It cannot hold anything about one particular image. It can hold a good way to begin looking at any.
#
# Here it is as a module:


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
        B = tokens.shape[0]  # not len(tokens): an exported model would keep this number for ever
        return torch.cat([self.weight.expand(B, -1, -1), tokens], dim=1)
        # end of solution


# %% [markdown]
# `count` is there for *registers*: extra learned tokens that take part in attention like the class token, but that nobody reads at the end. Large ViTs use them as scratch paper, where they would otherwise scribble on patches of the background ([Darcet et al. 2024](https://arxiv.org/abs/2309.16588)).
#
# <details><summary>For later: why <code>shape[0]</code> and not <code>len</code>? (You can skip this.)</summary>
#
# `len(tokens)` gives the same number, and in this notebook it would work. The difference shows when you *export* the model, to run it on a phone or in a browser. Many exporters *trace*: they send one example batch through the model and write down each step. They write down `shape[0]` as "the batch size, whatever it is". But `len` always returns an ordinary Python number, and a tracing exporter would write that number down as a constant. If the example batch had three images, the exported model would be made for batches of three from then on.
#
# </details>
#
# ## How does it come to know one image from another?
#
# Before the first block the class token is the same for a cat and for a rocket. So whatever it knows at the end, **attention must have brought there**. Let us watch it happen. All tokens attend to all tokens, once, through an untrained layer, and we measure how much the class token differs between the cat and the rocket.
#
# `nn.MultiheadAttention` is PyTorch's version of the box that notebook 03 opens. It takes the tokens three times, and notebook 03 says why.

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
# Before attention the difference is exactly 0. After it, the two vectors differ, and the only thing that can have made them differ is the patches. That is the whole mechanism, and you have just run it. In a full model there are several blocks, and each *adds* what it has gathered to the token.
#
# This also explains a mistake. **If anything stops the class token from attending to the patches**, such as a mask that lets it see only itself, it stays the same for all images. Then the model can learn how frequent each class is, and nothing else.
#
# ### And a trained one?
#
# An untrained layer looks nowhere in particular. Training changes that. The course comes with a small ViT that was trained on CIFAR-10, 60,000 small photographs in ten classes. It has six blocks, and three attentions side by side in each, called *heads*. We show it the cat, and draw how much its class token attends to each patch in the last block.

# %%
checkpoint = "../data/checkpoints/cifar10-cpu-long.safetensors"
model = load_checkpoint(checkpoint).eval()

maps = attention_maps(model, images[:1])  # (L, B, h, T, T): L blocks, h heads
last_block = maps[-1, 0]  # (h, T, T): row = who looks, column = at whom
at_patches = last_block[:, 0, 1:]  # (h, N): from token 0, the class token, to the patches
diagrams.attention_over(cat, at_patches, (8, 8), ["head 1", "head 2", "head 3"], columns=2)
to_itself = last_block[:, 0, 0]  # (h,): from the class token to the class token
print("the class token's attention to itself:", ", ".join(f"{share:.1%}" for share in to_itself))

# %% [markdown]
# The more purple a patch is, the more the class token attends to it. The maps are drawn over a sharper copy of the photograph; the model saw 32 × 32 pixels. Each map has its own scale, and the number below says what its darkest purple stands for. The weights of a head sum to 100 %. In each head the class token's attention to itself is less than 2 %, so nearly everything goes to the patches. Even so, it loses nothing of its own: the block *adds* what has been gathered, so the token also keeps all that it was (notebook 04). If it spread its attention evenly, each of the 65 tokens would get 1/65, which is 1.5 %. Instead, head 2 gives almost 20 % to a single patch on the forehead. Head 1 looks along the lower edge, at the whiskers on the left, at the nose, and at the blurred corner on the right. Head 3 prefers the bridge of the nose. So each head has favourites of its own, and not all of them are what you or I would look at to recognise a cat.
#
# ### Two class tokens drift apart
#
# Now we can watch the main idea at work in a trained model. `look_into` returns what the tokens hold before the first block and after each of the six. We take the class token of the cat and that of the rocket, and ask after each block how alike they are. The measure is the *cosine similarity*: 1 means the same direction, 0 means at a right angle, so unrelated, and below 0 the vectors point away from each other. We do the same for the cat and the cup of coffee. At what height will both curves begin?

# %%
for states, _ in look_into(model, images):  # one batch, so the loop runs once
    held = states[:, :, 0]  # (L + 1, B, D): the class token, before block 1 and after each block
curves = {}
for i, name in [(1, "cat and rocket"), (2, "cat and coffee")]:
    curves[name] = torch.cosine_similarity(held[:, 0], held[:, i], dim=-1)  # (L + 1,)
    print(name, [f"{value:.2f}" for value in curves[name].tolist()])
where = "after block (0: before block 1)"
plots.show_lines(range(7), curves, where, "cosine similarity", from_zero=True)

# %% [markdown]
# Both begin at 1.00, because at 0 there is only one vector. At the end they are at 0.11 and 0.07 in the run saved here: almost at right angles. Attention must have started what drew them apart, since nothing else passes between tokens. See how differently the two pairs go. After block 1 the cat and the rocket are at 0.81, while the cat and the coffee are still at 0.99. In both pairs the last block makes by far the largest step. These are three photographs and one model, so do not read more into the single steps.
#
# Remember two questions for later. *How* does the model compute its weights? Notebook 03 answers that. And does the class token really *use* what it looks at? Looking is not the same as using, and notebook 06 puts it to the test.
#
# You have the first half of today's story: what the class token is, and how it learns about an image. Stretch your legs if you like. The second half is about *where* things are.
#
# ## Does the model know where the patches are?
#
# Read our sentence about attention once more: a weighted mean of all tokens, with weights computed from the tokens themselves. It says nothing about *where* a token stands. Take the small example from above and shuffle the patches, so that they hold 8, 2 and 4. Each patch keeps its weight, because that is computed from what the patch and the class token hold. The class token takes ¼ · 8 + ½ · 2 + ¼ · 4 = 2 + 1 + 1 = **4**, the same as before. A sum has no order.
#
# So a model of attention alone should not notice when we shuffle the patches of a photograph. That is hard to believe, so let us try. The pixels *inside* each patch stay as they are.

# %%
torch.manual_seed(0)
order = torch.randperm(64)  # the same new order for all images


def shuffle_patches(images, patch_size):
    """Images (B, C, H, W) with their 64 patches in the new order."""
    pieces = patchify(images, patch_size)[:, order]  # (B, N, C·P·P)
    return unpatchify(pieces, patch_size, image_size=images.shape[-1])


pair = torch.stack([cat, rocket])  # (2, C, 128, 128): 64 patches of 16 × 16
cat_shuffled, rocket_shuffled = shuffle_patches(pair, 16)
four = torch.stack([cat, cat_shuffled, rocket, rocket_shuffled])
titles = ["cat", "cat, shuffled", "rocket", "rocket, shuffled"]
plots.show_images(four, titles, columns=4, size=1.5)

# %% [markdown]
# You no longer see a rocket in the last picture. Does the class token notice? We compare what it holds after attention, once for the photographs in order and once for the shuffled ones.

# %%
in_order = class_token_after(cls_token(patches))  # (B, D)
shuffled = class_token_after(cls_token(patches[:, order]))
change = (in_order - shuffled).abs().max()
print(f"without positions, the class token changes by {change:.1g}")
print(f"its numbers go up to {in_order.abs().max():.1g}")
assert change < 1e-6

# %% [markdown]
# In the run saved here the change is 7e-08, that is 7 · 10⁻⁸ or 0.00000007. Numbers in float32 carry about seven digits, so this is rounding and nothing else. For the class token the two pictures are **the same image**. No amount of training would change that, because every block works in this way.
#
# ### The remedy: add a position to each token
#
# To each token we add a vector that says where it stands. These vectors form a table, $\mathbf{E}_\text{pos}$, with one row for each of the T places. Together with the class token this is Eq. 1 of the paper:
#
# $$\mathbf{z}_0 = [\mathbf{x}_\text{class};\ \mathbf{x}^1_p\mathbf{E};\ \dots;\ \mathbf{x}^N_p\mathbf{E}] + \mathbf{E}_\text{pos},
# \qquad \mathbf{E}_\text{pos} \in \mathbb{R}^{(N+1)\times D}$$
#
# Here $\mathbf{x}^n_p$ is patch n, flattened, $\mathbf{E}$ is the linear map of notebook 01, and the semicolons stack rows. The paper counts the patches from 1, so its patches 1 … N are our patches 0 … N − 1.
#
# Why do we *add* the position, and not append it? It feels as if adding would smear the patch. But there is a place where you can append and get exactly the sum: *before* the linear map. Let us append to the pixels of a patch a code for its place, N numbers that are all 0 except for a 1 at its own place. Such a code is called *one-hot*. Now the linear map needs N more rows, and these are the rows of a position table. (In this section E has a row for each pixel; in notebook 01's layer it is a column.) Here is an example with 2 pixels and 3 places that you can follow by hand. The patch stands at place 1, the middle one.

# %% tags=["nbval-check-output"]
E = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # 2 pixels → D = 2
E_pos = torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])  # 3 places
pixels = torch.tensor([2.0, 1.0])
place = torch.tensor([0.0, 1.0, 0.0])  # one-hot: place 1

appended = torch.cat([pixels, place])  # [2, 1, 0, 1, 0]
one_map = torch.cat([E, E_pos])  # (5, 2): the rows of E, below them the rows of E_pos
print("append, then map:", (appended @ one_map).tolist())
print("map, then add:   ", (pixels @ E + E_pos[1]).tolist())

# %% [markdown]
# The pixels meet **E** and give 2 · [1, 2] + 1 · [3, 4] = [5, 8], as they would alone. The code picks out the one row that belongs to its place, [30, 40]. Their sum is Eq. 1.
#
# So adding to the token is the same as appending to the *pixels*. It is not the same as appending to the *token*, which would make the token wider and keep patch and position apart for certain. After a sum they share the same D numbers. With 192 of them there is room for both, and the width that we save makes every later layer cheaper.
#
# As a module, this is one parameter and one plus sign. The table has a row for the class token too, so it has T rows and not N. All of that stands under `else` and in `forward`. The other branch, `sinusoidal`, is for positions that are computed, and you can skip it until we come to them.


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
# Now the same comparison with positions. Each patch gets the position of the place where it stands, so a shuffled patch gets another one than before.

# %%
torch.manual_seed(0)
pos_embed = PositionEmbedding((8, 8), D)
in_order = class_token_after(pos_embed(cls_token(patches)))  # (B, D)
shuffled = class_token_after(pos_embed(cls_token(patches[:, order])))
change = (in_order - shuffled).abs().max()
print(f"with positions, the class token changes by {change:.1g}")
assert change > 3e-6

# %% [markdown]
# In the run saved here this is 2e-05, a few hundred times as much as rounding. It is still small, because positions start small and an untrained class token attends to all patches almost equally. But it is real: training now has something to enlarge. Before, it had nothing.
#
# ### What do the photographs say?
#
# In a trained model, positions have had time to grow. We show ours the cat and the rocket, in order and shuffled, and print its answer for each, and the probability. (CIFAR-10 has no class for rockets, so expect an honest mistake.) Then we set all its positions to zero and do it again. Which lines will be equal?

# %%
without = load_checkpoint(checkpoint).eval()
nn.init.zeros_(without.pos_embed.weight)  # the same model, its positions set to zero

cat_shuffled, rocket_shuffled = shuffle_patches(images[:2], 4)
four = torch.stack([images[0], cat_shuffled, images[1], rocket_shuffled])

for name, network in {"with positions": model, "without positions": without}.items():
    print(name)
    shares = network(normalize(four)).softmax(dim=1)  # (4, 10)
    for title, share in zip(titles, shares, strict=True):
        print(f"    {title:17} {CIFAR10_CLASSES[share.argmax()]:9} {share.max():.2f}")

# %% [markdown]
# Look at the lower half first. Without positions, each photograph and its shuffled version get the same answer with the same probability, as promised. With positions, the model can tell them apart: it calls the rocket in order a ship, and the shuffled rocket an airplane.
#
# And here is a surprise: the shuffled cat is still a cat, with 0.86. We see a heap of fur, and it seems that for this model a heap of fur is a cat. One photograph proves little. But notebook 10 takes common sentences about ViTs, calls them *claims* and tests them by experiment, and its claim 5, "without a class token the model only understands single patches", comes close to this one. The claim does not hold, but single patches turn out to be worth a lot: a model whose patches never exchange anything gets {{runs("single_patches", "mean of patches, no attention").mean:.0%}} of CIFAR-10's test images right. With attention it is {{runs("single_patches", "mean of patches").mean:.0%}}, and guessing gets 10 %.
#
# A warning about the lower half: it is not what a model *without positions* can do. This one was trained with them and then robbed of them. A model that is trained without them from the start loses {{-runs("position_init", "zeros, frozen").difference:.0p}} points of accuracy (claim 13 there).
#
# ## Learned or computed: what do the positions know?
#
# The ViT paper *learns* the rows of $\mathbf{E}_\text{pos}$, starting from small random numbers. Does such a table know that patch 1 lies to the right of patch 0, and patch 8 below it?
#
# To find out we compare each row with all others by their cosine similarity, the measure from above. For each of the 64 places this gives a small map of 8 × 8, and the maps are laid out like the patches of the image. We will look at three tables: learned before training, learned after training, and computed. For the two learned ones the colours run from -1 to 1. The computed one needs a finer scale, so read its colour bar before you compare.
#
# Here is a learned table *before* training. It has D = 192, like our trained model. (The examples above had 48.)

# %%
torch.manual_seed(0)
untrained = torch.randn(64, 192) * 0.02  # (N, D), as PositionEmbedding starts
plots.show_similarity_grid(untrained, (8, 8), "learned, before training", limits=(-1, 1))

# %% [markdown]
# Each map has one bright dot, the place itself. Each place is similar only to itself. Nothing tells this model that patch 1 is next to patch 0: **it has to find that out from the images.** Does it? Here is the table of our trained model.

# %%
trained = model.pos_embed.weight[0, 1:].detach()  # (N, D), without the class token's row
plots.show_similarity_grid(trained, (8, 8), "learned, after training", limits=(-1, 1))

# %% [markdown]
# **It does.** Look at the bright spots. In each map the spot lies around the place itself and reaches to its neighbours, so neighbours have become alike. Now go through the maps of the top line from left to right: the spot travels along the top edge. Go through a column of maps, and it travels down. At the border the spots are drawn out into bands, since places at the border resemble other places of the same border. The darkest spots, which are the most unlike places, lie some rows or columns away. Nobody told this model that its 64 vectors form a grid. It has found that out from photographs. It is one model and one table, but the ViT paper shows the same for a large model of its own (Figure 7).
#
# How sure can we be that these are rows and columns, and not just blurry spots? If this model keeps rows and columns apart, then the position of a patch should be *a vector for its row plus a vector for its column*. We can compute the best such vectors, which are means, and see how much of the differences between the 64 positions they explain.


# %% tags=["nbval-check-output"]
def rows_and_columns(positions):
    """How much of the differences between 64 positions (N, D) the row and the column explain."""
    table = positions.reshape(8, 8, -1)
    table = table - table.mean(dim=(0, 1))  # differences from the mean position
    row = table.mean(dim=1, keepdim=True)  # (8, 1, D): a vector for each row
    column = table.mean(dim=0, keepdim=True)  # (1, 8, D): a vector for each column
    rest = table - row - column
    return 1 - rest.square().sum() / table.square().sum()


print(f"before training: {rows_and_columns(untrained):.0%}")
print(f"after training:  {rows_and_columns(trained):.0%}")

# %% [markdown]
# After training it is almost everything: 96 %. Before training it is 22 %, and that is what chance gives. Why 22? We measure differences from the mean. If you know 63 of 64 such differences, you know the last one too, because they sum to zero. So 64 random vectors vary in 63 independent ways. The 8 row vectors account for 7 of these, because they too sum to zero, and the 8 column vectors for another 7. Chance spreads evenly over all 63, and (7 + 7)/63 is 22 %.
#
# So this model names its patches as a chess player names the squares, with one sign for the column and one for the row.
#
# ### Computed positions
#
# One can also *compute* the table, and have neighbours alike from the start. Each row of the table then holds sines and cosines of the patch's column and of its row. The short waves tell neighbours apart, and longer ones tell one side of the image from the other. The idea comes from the first Transformer ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Section 3.5); here it is used once for each axis.


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
# With D = 192 there are 48 wavelengths, which serve four times: sine and cosine, for the column and for the row. Here are the sines of three of them, the shortest, one in between and the longest, as the eight patches of the top row get them. The legend says after how many patches each wave repeats.

# %%
computed = sinusoidal_2d((8, 8), 192)  # (N, D); the first 48 numbers are sines of the column
waves = {}
for k in [0, 6, 47]:
    repeats = 2 * torch.pi * 10_000 ** (k / 47)  # patches from one crest to the next
    waves[f"{repeats:,.0f} patches"] = computed[:8, k]
plots.show_lines(range(8), waves, "column of the patch", "number in the token", size=(4.9, 2.6))

# %% [markdown]
# The first wave changes a lot from each patch to the next. The second is slow. It does not come around within the image, so with its cosine beside it, each column gets a pair of numbers of its own. The third is a flat line. Why have a wave that repeats only after 63,000 patches, in an image that is 8 patches wide? It is a relic. The formula was made for text, where a sequence may have thousands of words. We keep the formula as it is in the literature, and here the longest waves do hardly anything.

# %%
plots.show_similarity_grid(computed, (8, 8), "computed, on a finer scale")

# %% [markdown]
# Again the brightest spot of each map is the place itself, and the similarity fades along rows and columns. Nobody had to train for that. The colour bar begins at 0.74, so do not compare its colours with those of the learned tables, whose bar begins at -1. Here even the places farthest apart are that much alike, because the long waves hardly change over eight patches.
#
# Now you can read the first branch of `PositionEmbedding`. The class token is nowhere in the image, so with computed positions it gets a row of zeros. `pad(…, (0, 0, num_prefix, 0))` adds such rows to the table: none on the left, none on the right, `num_prefix` above and none below. `register_buffer` keeps a table that is not trained.
#
# > **Remember:** the class token is one learned vector, the same for all images, that belongs to no patch. All it knows about an
# > image, attention has brought there. Positions turn a bag of patches into an image.
#
# **You can stop here today.** This is the main story, and it is all that notebook 03 needs.
#
# ## For a second sitting: BERT, GPT and some mistakes
#
# Welcome back. Two questions are left: must the class token stand first, and what can go wrong with it?
#
# ### Why does BERT read its first token, and GPT its last?
#
# BERT and GPT are language models, and both are built from attention. To classify a text, BERT reads a class token in front of it, and GPT reads a token at its end. The reason fits into one picture: who may look at whom?
#
# In BERT and in a ViT every token may look at every token. GPT learns to predict the next word, so no token may look at the words that come after it. Such attention is called **causal**. In the picture a purple cell means that the token of this row may look at the token of this column.

# %%
names = ["[class]", "a", "cat", "sat"]
everyone = torch.ones(4, 4)
causal = everyone.tril()  # row i may look at the columns 0 … i
figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), layout="constrained")
for axis, allowed in zip(axes, [everyone, causal], strict=True):
    purple = ListedColormap(["white", ATTENTION])
    axis.pcolormesh(allowed, cmap=purple, vmin=0, vmax=1, edgecolors="grey")
    places = [0.5, 1.5, 2.5, 3.5]  # the middle of each cell
    axis.set_xticks(places, names)
    axis.set_yticks(places, names)
    axis.invert_yaxis()  # row 0 on top
    axis.set(xlabel="is looked at", ylabel="looks")
axes[0].set_title("BERT, ViT: all see all")
axes[1].set_title("GPT: nobody sees ahead")
plots.show("who looks at whom: on the left all at all, on the right nobody at a later token")

# %% [markdown]
# Look at the top row on the right. A class token that stands first in such a model can look only at itself, so it would stay the same for every sentence. The only token that has seen everything is the *last* one. So when GPT classifies a text, it reads the last position. The first GPT even put an extra learned token there for that purpose ([Radford et al. 2018](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf), Figure 1): a class token that stands last.
#
# | | who looks at whom | what is read in training | what is read to classify |
# |---|---|---|---|
# | ViT's class token | all at all | the class token, and nothing else | the class token |
# | BERT's [CLS] | all at all | hidden words at their own places; [CLS] for "does the second sentence follow the first?" | [CLS] |
# | GPT | each at itself and at what came before | every position, for its next token | the last position |
#
# So the rule is not "the class token comes first". The rule is "**read a token that has seen everything**". In a ViT any place in the stack would do, and the first is a convention.
#
# ### Three mistakes, and one more
#
# Four suspects follow. The first three are mistakes, and each comes with a check for your own tests. The last one turns out not to be a mistake.
#
# #### 1. The batch size in the parameter

# %% tags=["nbval-check-output"]
wrong = nn.Parameter(torch.randn(3, 1, D))  # one vector for each place in the batch
print("a batch of 3:", tuple(torch.cat([wrong, patches], dim=1).shape))
try:
    torch.cat([wrong, patches[:2]], dim=1)  # the last batch of an epoch is often smaller
except RuntimeError as error:
    print("a batch of 2:", str(error).split(".")[0])

# %% [markdown]
# With batches of three images this trains. But it learns three different class tokens, and an image gets one by its place in the batch. The error comes with the first batch of another size, perhaps on the day you classify a single image.
#
# *The check:* the shape of the parameter begins with 1.
#
# #### 2. Positions off by one
#
# Weights from elsewhere come with a table of N + 1 rows, for [class] and N patches. Somebody uses it in a model that has no class token, and cuts off the *last* row to make the shapes fit. Now each patch gets the row of the one before it:
#
# | patch | the position it should get | the position it gets |
# |---|---|---|
# | 0 | row 0, column 0 | the class token's |
# | 1 | row 0, column 1 | row 0, column 0 |
# | 7 | row 0, column 7 | row 0, column 6 |
# | 8 | row 1, column 0 | row 0, column 7 |
# | 63 | row 7, column 7 | row 7, column 6 |
#
# Where does that leave the image? On the right, each patch is drawn where its new position says it is.

# %%
pieces = patchify(cat[None], 16)  # (1, N, C·P·P)
told = pieces.roll(-1, dims=1)  # patch n is told that it is patch n - 1
told[:, -1] = 127  # nobody is told that it is patch 63
moved = unpatchify(told, 16, image_size=128)[0]
plots.show_images(
    torch.stack([cat, moved]), ["as it is", "where the positions put it"], 2, size=1.8
)

# %% [markdown]
# The whole image has moved *to the left* by one patch, and its first column has wrapped around to the right edge, one row higher. Patch 0 is missing, since it was told that it is nowhere. The last place is empty.
#
# Would a trained model complain? Ours has a class token, so we can only imitate the mistake. The class token keeps its row, and the patches get theirs off by one.

# %% tags=["nbval-check-output"]
shifted = load_checkpoint(checkpoint).eval()
right_table = model.pos_embed.weight  # (1, T, D)
with torch.no_grad():
    shifted.pos_embed.weight[:, 1:] = right_table[:, :-1]  # off by one
    for name, network in {"right": model, "off by one": shifted}.items():
        share = network(x[:1]).softmax(dim=1)[0, 3]  # class 3 is cat
        print(f"{name:10}  cat: {share:.2f}")

# %% [markdown]
# No error, no warning, and 0.88 instead of 0.89. This is one photograph, so it does not say how much the mistake costs on many, and measuring that would take a whole test set. But you see how such a bug can live for years: whoever tries the model on a picture or two notices nothing. A table that is learned from scratch would not mind at all (Question 3).
#
# *The check:* compare with something that is right, such as the scores of the model that the weights come from. Notebook 04 does that.
#
# #### 3. Reading token 1
#
# The class token is `x[:, 0]`. What if somebody writes `x[:, 1]`, the top left patch? Everything runs and the loss falls, because that patch attends to all others too. How would you notice?
#
# The gradient knows. The ten scores that the model returns, its *logits*, should depend on token 0 of the last layer and on no other. A *hook* is a function that PyTorch calls whenever a layer has run. We put one on `norm`, the last layer before the classifier. It catches the tokens that come out, and then we see on which of them a logit has a gradient. We take a single logit, that of the cat, and not the sum of all ten. Training puts no pressure on the sum of the logits, because softmax does not notice if all of them grow by the same amount. So its gradient may be near zero even for a token that is read.

# %%
from vit_minimal.variants import AveragesAllTokens, ReadsFirstPatch


def tokens_read(model, images):
    """Which of the tokens that leave the last norm the logit of class 3, cat, depends on."""
    caught = []

    def catch(layer, inputs, output):
        caught.append(output)

    hook = model.norm.register_forward_hook(catch)
    cat_logits = model(images)[:, 3]  # (B,); any one class would do
    hook.remove()
    gradient = torch.autograd.grad(cat_logits.sum(), caught)[0]  # (B, T, D); summed over images
    size = gradient.abs().sum(dim=(0, 2))  # (T,): 0 for a token that nobody reads
    return size.nonzero().flatten().tolist()


# %% [markdown]
# A check is worth something only if it can fail. So we run it on the trained model, and on two variants from the package that get the same weights: `ReadsFirstPatch` makes exactly this mistake, and `AveragesAllTokens` reads the mean of all 65 tokens.

# %% tags=["nbval-check-output"]
for kind in (type(model), ReadsFirstPatch, AveragesAllTokens):
    candidate = kind(model.config).eval()
    candidate.load_state_dict(model.state_dict())
    read = tokens_read(candidate, x)
    verdict = "yes" if read == [0] else "no"
    print(f"{kind.__name__:18} token 0 alone: {verdict:3} ({len(read)} read, first: {read[0]})")

# %% [markdown]
# The check tells all three apart. For `ReadsFirstPatch` the "no" is a bug. For `AveragesAllTokens` it is the truth about a design that works, the mean from the beginning of this notebook. The check says what a model does, and you decide whether you meant it.
#
# *The check* for a model that should read its class token: `assert tokens_read(model, images) == [0]`. Do not rely on accuracy here, because a model that reads token 1 can still learn.
#
# #### And one that is not a mistake: a class token without a position
#
# Some code adds positions to the patches first and puts the class token in front afterwards. Then the class token has no position, and people call that a bug. What is lost? In Eq. 1 the class token enters the model as $\mathbf{x}_\text{class} + \mathbf{E}_\text{pos}[0]$. These are two learned vectors that are only ever seen as their sum, so one vector can do the work of both:

# %% tags=["nbval-check-output"]
with torch.no_grad():
    with_position = pos_embed(cls_token(patches))
    merged = ClassToken(D)
    merged.weight.copy_(cls_token.weight + pos_embed.weight[:, :1])
    without_position = merged(patches + pos_embed.weight[:, 1:])
print("the same input for the first block:", torch.equal(with_position, without_position))

# %% [markdown]
# Nothing is lost in what the model can express. Training can differ a little: with two vectors, each step of plain gradient descent moves their sum twice as far as it would move one. It becomes a mistake only when *weights* travel between two programs that disagree about it, as in mistake 2. Our loader for weights from timm, the best-known library of image models, handles both.
#
# > **Remember** from this sitting: what counts is not that the class token stands first, but that it has seen everything. And a mistake that
# > raises no error needs a check that can fail.
#
# ## Recap
#
# - The classifier reads one vector. The class token is an extra one, with no place in the image, and it is free for that job.
# - It is one parameter of shape (1, 1, D), expanded over the batch. Its gradient is the sum over the images.
# - Attention is a weighted mean with weights computed from the tokens, so it cannot see order. One vector for each place, learned or computed, is added to the tokens.
# - Read a token that has seen everything. In a ViT that can be any token; in GPT it is the last.
# - A check that hooks the real model shows which token is read.
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
# **2.** Somebody initialises the class token with zeros. Could it stay zero because its gradient is zero?
#
# <details><summary>Answer</summary>
#
# In general, no. What enters the first block is zero plus its position, and that sum decides how the token mixes the patches. So the loss depends on what the class token holds, and it would be a great coincidence if the slope were exactly zero at this point. The first step then moves it away from zero.
#
# </details>
#
# **3.** You shuffle the patches of every image with the *same* permutation, in training and in testing, and learn positions. How much
# accuracy do you lose?
#
# <details><summary>Answer</summary>
#
# None, except for random variation. The learned table has no notion of neighbours at the start, so one fixed order is as good as another. With
# computed positions you would probably lose a little, since these say that neighbours are alike.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 02](exercises/02_class_token.ipynb), with checks that tell you what is wrong.
#
# **Next: [03 · Attention](03_attention.ipynb).** We have used attention as a closed box so far. Now we open it.
