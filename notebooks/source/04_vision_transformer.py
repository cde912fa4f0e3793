# %% [markdown]
# # 04 · The Vision Transformer: the whole model
#
# **After this notebook you can**
#
# - write a Vision Transformer in twenty-five lines, on top of the four modules that you know from notebooks 01 to 03, and explain each line;
# - show that it computes the same as the model of timm, a library that thousands of people rely on;
# - watch your model make up its mind about a photograph, block by block;
# - say where its parameters and its arithmetic are, and run four checks before you spend an hour on training.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 03 |
# | Time to read | about 90 minutes |
# | Sittings | two, with a clear place to stop between them |
# | Time to run | half a minute to a minute, on most machines |
# | Package modules | `vit_minimal/vision_transformer.py`, `vit_minimal/pretrained.py` |
#
# **Letters:** B images, C channels, H × W pixels, P patch side, N patches, T = N + 1 tokens, D embedding width, h heads, L blocks, K classes.

# %%
import math
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from skimage import data
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import vit_minimal
from vit_minimal import (
    ClassToken,
    MultiHeadSelfAttention,
    PatchEmbedding,
    PositionEmbedding,
    ViTConfig,
    attention_weights,
    diagrams,
    load_checkpoint,
    load_image,
    load_timm_state_dict,
    load_torchvision_state_dict,
    patchify,
    plots,
    seed_everything,
    shapes10,
)

seed_everything(0)

# %%
cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
diagrams.overview(cat, "model")
# %% [markdown]
# You have already built most of this picture. Notebook 01 made tokens of the patches, notebook 02 put the class token in front and added positions, and notebook 03 let the tokens look at each other. Today we add three pieces, the MLP, the residual stream and the norm, and put everything together. Only the MLP has a box of its own in the picture. The other two hide in the words "each adds to the tokens": the adding is the residual stream, and a norm precedes each addition.
#
# The first half of this notebook builds the model, tests it and shows it a cat. That is the first sitting. The second asks what is inside the model and what can go wrong.
#
# ## What is still missing?
#
# The ViT paper ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929)) describes the whole model in four equations. They look dense, but you know half of the symbols already:
#
# $$
# \begin{aligned}
# \mathbf{z}_0 &= [\mathbf{x}_\text{class};\ \mathbf{x}_p^1\mathbf{E};\ \cdots;\ \mathbf{x}_p^N\mathbf{E}] + \mathbf{E}_\text{pos} && \text{(1)} \\
# \mathbf{z}'_\ell &= \mathrm{MSA}(\mathrm{LN}(\mathbf{z}_{\ell-1})) + \mathbf{z}_{\ell-1} && \text{(2)} \\
# \mathbf{z}_\ell &= \mathrm{MLP}(\mathrm{LN}(\mathbf{z}'_\ell)) + \mathbf{z}'_\ell && \text{(3)} \\
# \mathbf{y} &= \mathrm{LN}(\mathbf{z}_L^0) && \text{(4)}
# \end{aligned}
# $$
#
# Here $\mathbf{z}_\ell$ are the tokens after block ℓ, and $\mathbf{z}'_\ell$ are the tokens half-way through it. MSA is the multi-head self-attention of notebook 03. In words, and in the code that we are about to write:
#
# | equation | in words | in our code |
# |---|---|---|
# | 1 | cut and project the image, put the class token in front, add positions | `self.pos_embed(self.cls_token(self.patch_embed(images)))` |
# | 2 | the tokens look at each other | `x = x + self.attn(self.norm1(x))` |
# | 3 | each token works on what it has gathered | `x = x + self.mlp(self.norm2(x))` |
# | 4 | normalise, and read the class token, which is row 0 | `self.norm(x)[:, 0]` |
#
# Equations 2 and 3 together are one **block**, and a model has L of them. After Eq. 4 comes the **head**, a single linear map from **y** to one score for each class. These scores are called **logits**. The word *head* has two meanings in this field: *the* head is this classifier, while the h *attention heads* of notebook 03 sit inside every block.
#
# Three symbols are new: MLP, the plus signs, and LN. We take them in this order.
#
# ## The MLP: why is attention not enough?
#
# Attention carries information *between* tokens. But look at what it does with the values: once the weights are fixed, it takes a weighted mean, and a mean is a rather tame operation. It blends what two patches hold. By itself, such a mean can hardly draw a conclusion from both, such as "dark above *and* bright below, so this is an edge".
#
# Drawing conclusions is the job of the **MLP** (multi-layer perceptron). It takes one token at a time, widens its D numbers to 4·D, bends each of them, and brings them back to D. The bend is essential: without it, two linear maps in a row are just one linear map. The bend that Transformers use is called **GELU**. It is a ReLU with its corner rounded off:

# %%
diagrams.gelu((-1, 1, 2))

# %% [markdown]
# Large positive numbers pass almost unchanged, and large negative ones become almost zero. Just left of zero the curve dips a little below the axis, so small negative numbers stay small and negative. In between, GELU multiplies x by Φ(x), the probability that a normally distributed random number is below x. PyTorch agrees with the three points in the figure:

# %% tags=["nbval-check-output"]
bent = F.gelu(torch.tensor([-1.0, 1.0, 2.0]))
print([round(number, 2) for number in bent.tolist()])

# %% [markdown]
# The same MLP serves all tokens, but each token passes through it alone. Let us disturb one token of 65 and see which tokens come out differently. How many do you expect?

# %% tags=["nbval-check-output"]
mlp = nn.Sequential(nn.Linear(48, 192), nn.GELU(), nn.Linear(192, 48))
x = torch.randn(1, 65, 48)  # (B, T, D)
disturbed = x.clone()
disturbed[0, 7] += 1  # token 7 only
change = (mlp(x) - mlp(disturbed)).abs().sum(dim=(0, 2))  # (T,)
print("tokens that come out differently:", change.nonzero().flatten().tolist())

# %% [markdown]
# Only token 7. So the two layers of a block share the work: attention moves information between tokens, and the MLP works on each token by itself.
#
# ## The residual stream: why the plus signs?
#
# Look at Eq. 2 and 3 once more. Neither attention nor the MLP *replaces* a token. Each computes something and **adds** it to what is already there:

# %%
diagrams.block()

# %% [markdown]
# The coloured lanes are the tokens, with the class token in orange. They run straight through the block. Attention reads a copy of all lanes and adds to each lane what it has found. Then the MLP reads a copy and adds its conclusions. This is why people call the lanes the **residual stream**: a token is a running sum, from Eq. 1 to the head, and each layer adds one more term. What the class token gathered in block 2 is still part of the sum in block 9, unless a later layer subtracts it.
#
# Are two plus signs really that important? In the second half we take them away and see what is left.
#
# ## LayerNorm: why does each layer read a normalised copy?
#
# A running sum can grow. (We will measure it on the cat: from the input of the first block to the output of the last, the class token becomes about seven times as long.) An attention layer that gets large numbers has the saturated softmax of notebook 03, in which one weight takes nearly everything. So each layer reads its copy through a **layer norm** (LN). For each token by itself, LN subtracts the mean of the D numbers and divides by their standard deviation. Here is a token with D = 8 numbers that are easy to check by hand:

# %%
token = torch.tensor([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
diagrams.layer_norm(token)

# %% [markdown]
# The mean is 5. The squared distances from it are 9, 1, 1, 1, 0, 0, 4 and 16. Their mean is 4, so the standard deviation is 2. The last number, 9, becomes (9 − 5) / 2 = 2. Check it against PyTorch's:

# %% tags=["nbval-check-output"]
print([round(number, 2) + 0.0 for number in F.layer_norm(token, (8,)).tolist()])

# %% [markdown]
# The module `nn.LayerNorm` then multiplies each of the D numbers by a learned scale and adds a learned shift. They start at 1 and 0, so at first they change nothing.
#
# Look again at where the two norms stand in the block diagram: beside the stream, not on it. The sum itself is never normalised on its way. That order is called **pre-norm**. Only at the very end, in Eq. 4, one last norm is put on the stream itself, so that the head reads numbers of a known size.
#
# ## The whole model, in twenty-five lines
#
# That was the last piece. Here is the block, ten lines long. It uses the attention of notebook 03 as it is. (`eps` is a tiny number that keeps LN from dividing by zero; timm uses this one.)


# %%
class Block(nn.Module):
    def __init__(self, D, h, wide=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(D, eps=1e-6)
        self.attn = MultiHeadSelfAttention(D, h)  # notebook 03
        self.norm2 = nn.LayerNorm(D, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(D, wide * D), nn.GELU(), nn.Linear(wide * D, D))

    def forward(self, x):  # (B, T, D)
        x = x + self.attn(self.norm1(x))  # Eq. 2: tokens look at tokens
        return x + self.mlp(self.norm2(x))  # Eq. 3: each token by itself


# %% [markdown]
# And here is the Vision Transformer, in fifteen more. The patches, the class token and the positions are the modules that you built in notebooks 01 and 02:


# %%
class ViT(nn.Module):
    def __init__(self, D=192, L=9, h=3, P=4, wide=4):
        super().__init__()
        self.patch_embed = PatchEmbedding(32, P, 3, D)  # notebook 01
        self.cls_token = ClassToken(D)  # notebook 02
        self.pos_embed = PositionEmbedding((32 // P, 32 // P), D)  # notebook 02
        self.blocks = nn.Sequential()
        for _ in range(L):
            self.blocks.append(Block(D, h, wide))
        self.norm = nn.LayerNorm(D, eps=1e-6)
        self.head = nn.Linear(D, 10)

    def forward(self, images):  # (B, 3, 32, 32)
        x = self.pos_embed(self.cls_token(self.patch_embed(images)))  # Eq. 1: (B, T, D)
        x = self.norm(self.blocks(x))  # Eq. 2 and 3, L times, and the norm of Eq. 4
        return self.head(x[:, 0])  # the class token's logits: (B, 10)


# %% [markdown]
# That is all. Read `forward` with the four equations beside you: a whole family of image models fits into three lines.
#
# Before you run the next cell, write down the shape after each part for a batch of two images. D is 192.


# %%
def report(name, letters):
    """A hook, which PyTorch calls with a module's output; this one prints the output's shape."""
    return lambda module, inputs, output: print(f"{name:12} {letters}  {tuple(output.shape)}")


# %% tags=["nbval-check-output"]
model = ViT()
hooks = [model.patch_embed.register_forward_hook(report("patch_embed", "(B, N, D)"))]
for name in ("cls_token", "pos_embed", "blocks", "norm"):
    hooks.append(getattr(model, name).register_forward_hook(report(name, "(B, T, D)")))
hooks.append(model.head.register_forward_hook(report("head", "(B, K)   ")))

logits = model(torch.randn(2, 3, 32, 32))
for hook in hooks:
    hook.remove()

# %% [markdown]
# The tokens keep their shape (B, T, D) from the class token to the last norm. That is what makes blocks stackable: you can have 6 of them, or 9, or 24, and nothing else changes.
#
# ## Is it right?
#
# The shapes are right, but shapes prove little. A norm in the wrong place, or queries and keys exchanged, would leave them all as they are. There is a much stronger test: give two models **the same weights** and compare their logits. (Notebook 03 kept the word for the weights of a mean. Here, as everybody does, we say weights for a model's parameters.)
#
# The weights of a model are a dictionary from names to tensors, its `state_dict()`. Two models that compute the same thing have the same tensors in it, perhaps under other names. Ours calls the linear maps of the MLP `mlp.0` and `mlp.2`, their places in `nn.Sequential`. Other people call them `mlp.fc1` and `mlp.fc2`. So we need a function that renames:


# %%
def renamed(weights, changes):
    """The same tensors; in their names each piece that is a key of `changes` is replaced."""
    result = {}
    for name, tensor in weights.items():
        new_name = name
        for old, new in changes.items():
            new_name = new_name.replace(old, new)
        result[new_name] = tensor
    return result


# %%
def shake(model):
    """Add noise to every parameter: no bias is 0 any more, and no two norms are alike."""
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)


# %% [markdown]
# ### Step 1: against the package
#
# First we compare our twenty-five lines with the model in this course's package, which later notebooks train.

# %% tags=["nbval-check-output"]
shake(model)
package = vit_minimal.VisionTransformer(ViTConfig())  # D = 192, L = 9, h = 3, P = 4
package.load_state_dict(renamed(model.state_dict(), {"mlp.0.": "mlp.fc1.", "mlp.2.": "mlp.fc2."}))

x = torch.randn(5, 3, 32, 32)
with torch.no_grad():
    print("the same logits:", torch.allclose(model(x), package(x), atol=1e-5))

# %% [markdown]
# `load_state_dict` raises an error if a name or a shape does not fit, so the two models have the same parameters. And with the same parameters they give the same logits.
#
# How much does that prove? Less than it seems. Both models use the *same* attention, patch embedding, class token and positions, those of notebooks 01 to 03. If the attention exchanged queries and keys, both would be wrong together. So this step checks what we wrote today, the block and the order of things, and nothing else.
#
# ### Step 2: against somebody else
#
# **timm** is the best-known library of image models, and its ViT was written by other people. It shares no line of code with yours; both only stand on PyTorch's layers. We build a small one, fill it with random weights, and load these weights into *your* class. This course chose its names after timm's, so four entries are enough:

# %%
import timm

theirs = timm.models.VisionTransformer(
    img_size=32, patch_size=4, embed_dim=96, depth=3, num_heads=3, num_classes=10
).eval()
shake(theirs)

timm_to_yours = {
    "cls_token": "cls_token.weight",
    "pos_embed": "pos_embed.weight",
    "mlp.fc1.": "mlp.0.",
    "mlp.fc2.": "mlp.2.",
}
yours = ViT(D=96, L=3)
yours.load_state_dict(renamed(theirs.state_dict(), timm_to_yours))
with torch.no_grad():
    difference = (yours(x) - theirs(x)).abs().max().item()
    print(f"logits up to {theirs(x).abs().max():.1f}, largest difference {difference:.0e}")
assert difference < 1e-5

# %% [markdown]
# Up to rounding there is no difference. In the run saved here not even a last digit differs.
#
# Could this test have failed? Let us make the mistake from above on purpose. The first third of `qkv` makes the queries and the second third the keys. We exchange the two, in every block:

# %%
wrong = renamed(theirs.state_dict(), timm_to_yours)
for name, tensor in wrong.items():
    if ".qkv." in name:
        queries, keys, values = tensor.chunk(3)
        wrong[name] = torch.cat([keys, queries, values])
yours.load_state_dict(wrong)  # no complaint: all names and all shapes fit
with torch.no_grad():
    difference = (yours(x) - theirs(x)).abs().max().item()
print(f"queries and keys exchanged: largest difference {difference:.1f}")
assert difference > 0.1

# %% [markdown]
# No error and no wrong shape, but other logits. The test finds the mistake, and your model passed it. Your twenty-five lines, with the four modules below them, are the real thing.
#
# ## What do your twenty-five lines see?
#
# So they can carry trained weights as well. We load those of the model that is shipped with this course. It has 6 blocks, and its MLPs are only twice as wide as the tokens. Training it took {{record("cifar10_cpu_long").seconds:time}} on two CPU cores, and it is right for {{record("cifar10_cpu_long").accuracy:.1%}} of the test images of CIFAR-10, small photographs of ten kinds of things. The two photos below are not from CIFAR-10.

# %%
from vit_minimal.data import CIFAR10_CLASSES

shipped = load_checkpoint("../data/checkpoints/cifar10-cpu-long.safetensors")
vit = ViT(D=192, L=6, h=3, P=4, wide=2)
vit.load_state_dict(renamed(shipped.state_dict(), {"mlp.fc1.": "mlp.0.", "mlp.fc2.": "mlp.2."}))

rocket = load_image(Path(data.__file__).with_name("rocket.jpg"), 32)
photos = torch.stack([cat, rocket])  # uint8 (2, 3, 32, 32)
with torch.no_grad():
    logits = vit(photos.float() / 127.5 - 1)  # (2, 10)
for name, row in zip(("cat", "rocket"), logits, strict=True):
    print(f"{name:7}", [round(number, 1) for number in row.tolist()])


# %%
def show_answer(panels, photo, probabilities, title, colour):
    """A photo as the model gets it, and beside it a bar for the probability of every class."""
    picture, bars = panels
    picture.imshow(plots.as_picture(photo))
    picture.axis("off")
    best = probabilities.argmax().item()
    bars.barh(CIFAR10_CLASSES, probabilities, color="#BBBBBB")
    bars.barh(CIFAR10_CLASSES[best], probabilities[best], color=colour)
    bars.text(probabilities[best] + 0.02, best, f"{probabilities[best]:.2f}", va="center")
    bars.set(title=title, xlabel="probability (softmax of the logits)", xlim=(0, 1.05))
    bars.invert_yaxis()


# %%
probabilities = logits.softmax(dim=-1)  # (2, 10): each row sums to 1
figure, panels = plt.subplots(2, 2, figsize=(7, 5.6), width_ratios=(1, 1.5), layout="constrained")
wrong_title = "ship: wrong, it is a rocket"
show_answer(panels[0], cat, probabilities[0], "cat: right", plots.OKABE_ITO[2])
show_answer(panels[1], rocket, probabilities[1], wrong_title, plots.OKABE_ITO[1])
plots.show(
    "two photos of 32 × 32 pixels with bars for ten classes: cat 0.89, which is right, and ship 0.63 for a rocket, which is wrong"
)

# %% [markdown]
# On the left is what the model gets, 32 × 32 pixels. Your twenty-five lines call the cat a cat, with a probability of 0.89. The rocket they call a ship, with 0.63. That is wrong, but the model had no class "rocket" to choose from, and at this size even you might take a pale mast in front of dark blue, with lights along the bottom, for a ship at night.
#
# ### When does the model make up its mind?
#
# Here the residual stream pays off. The class token is a running sum, and the head reads it after the last block. Nothing stops us from reading the unfinished sum: we take the class token after *every* block, send it through the last norm and the head, and look at the probabilities. This trick is called a **logit lens** ([nostalgebraist 2020](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens)). What do you expect for block 0, before any block has run?

# %%
with torch.no_grad():
    stages = [vit.pos_embed(vit.cls_token(vit.patch_embed(photos.float() / 127.5 - 1)))]
    for block in vit.blocks:
        stages.append(block(stages[-1]))
    class_tokens = torch.stack(stages)[:, :, 0]  # (L + 1, B, D)
    early = vit.head(vit.norm(class_tokens)).softmax(dim=-1)  # (L + 1, B, K)

figure, panels = plt.subplots(1, 2, figsize=(7, 3.3), sharey=True, layout="constrained")
for i, title in enumerate(("the cat", "the rocket")):
    panels[i].plot(range(7), early[:, i], color="#DDDDDD", linewidth=1)  # all ten classes
    for index, name in enumerate(("cat", "ship", "airplane", "frog", "deer")):
        probability = early[:, i, CIFAR10_CLASSES.index(name)]
        panels[i].plot(range(7), probability, **plots.curve_style(index), markersize=5, label=name)
    panels[i].set(title=title, xlabel="after block (0: before the first)", ylim=(0, 1))
panels[0].set_ylabel("probability of the class")
panels[0].legend(loc="upper left")
plots.show(
    "probabilities of the classes read after each of six blocks: for the cat, cat rises slowly and "
    "jumps to 0.89 in block 6; for the rocket, airplane leads first, then ship, which jumps to 0.63, "
    "and deer comes second"
)

# %% [markdown]
# At block 0 the two panels agree. They must: before the first block the class token has not looked at anything, so it is the same vector for every image. (The head happens to read a little "cat" in it, and nearly as much "bird" and "airplane".) Then they part. The pale grey lines are the other five classes. For the cat, "frog" is slightly ahead after block 1, and from block 2 on "cat" leads, by little, until block 6 decides. The rocket holds a surprise. After blocks 1 and 2 the best guess is "airplane", the nearest thing to a rocket among the ten classes! But "airplane" was high at block 0 already, before the model had looked at anything, so do not give it too much credit. Later blocks add something that turns the rocket into a ship, and the last block brings a runner-up that nobody would have guessed: "deer".
#
# Enjoy the story, but do not believe all of it. The last norm and the head were trained to read the class token after block 6. What they make of an unfinished sum is what *they* would say. Information that is there already, in a form that they cannot read, stays invisible.
#
# While we have the sums at hand, we can check the promise from the section on norms. How long is the class token as a vector, block by block?

# %%
for i, name in enumerate(("cat", "rocket")):
    lengths = class_tokens[:, i].norm(dim=-1)  # (L + 1,)
    print(f"{name:7}", [round(length, 1) for length in lengths.tolist()])

# %% [markdown]
# The first number is the class token that enters block 1, the last is the one that the head reads. The sum does grow, by a factor of seven for the cat and of ten for the rocket. It does not grow in every block: a layer can also add something that points the other way.
#
# ### Where does the class token look?
#
# Notebook 03 has shown this for the cat. What does a model look at when it is *wrong*? We walk through the six blocks once more, this time with the rocket. In each block we take the queries and keys, compute the attention weights, and keep row 0, the class token's, averaged over the three heads. (Rows and columns are counted from 0, as in notebook 03.)

# %%
looks = []
with torch.no_grad():
    for number, block in enumerate(vit.blocks):
        x = stages[number][1:]  # the rocket's tokens that enter this block: (1, T, D)
        queries, keys, values = block.attn.split_heads(block.norm1(x))  # (1, h, T, d)
        weights = attention_weights(queries, keys)  # (1, h, T, T)
        looks.append(weights[0, :, 0, 1:].mean(dim=0))  # (N,): from the class token to the patches
        row, column = divmod(looks[-1].argmax().item(), 8)
        print(f"block {number + 1}: {looks[-1].max():.1%} at row {row}, column {column}")

large = load_image(Path(data.__file__).with_name("rocket.jpg"), 256)  # the same photo, for us
diagrams.attention_over(large, torch.stack(looks), (8, 8), [f"block {i}" for i in range(1, 7)])

# %% [markdown]
# Purple marks where the class token looks. Each map has its own scale: full purple is the weight that is printed below it, while an even spread would give each of the 65 tokens 1/65, about 1.5 %. In block 1 it looks nearly everywhere. From block 2 on it leaves out most of the dark sky. It prefers the ground with its lights and, in block 4, the tower at the left. In block 6 it touches the tips of all three: left tower, rocket and right tower.
#
# So the model did *look* at the rocket, and still said ship. Lights in a row along the bottom and thin masts before dark blue: you can see how a ship might come out of that. But that is our story, not a measurement. The maps show where the class token looks, on one photo. Whether it *uses* what it sees there is another question, and notebook 06 is about nothing else.
#
# > **You can stop here today.** You have built a Vision Transformer, checked it, and seen it at work.
#
# The second sitting looks inside: what costs what, why the plus signs are there, what a ViT gives up against a CNN, and how you test a model before you train it.
#
# ## Where are the parameters, and where does the arithmetic go?
#
# First the parameters. Take D = 192, L = 9 blocks, P = 4 and MLPs four times as wide as the tokens. Try it on paper first: only the blocks take any effort. A linear map from a to b numbers has a·b weights and b biases, and a norm has D scales and D shifts.

# %% tags=["nbval-check-output"]
D, L, P, T = 192, 9, 4, 65
by_hand = {
    "patch embedding": 3 * P * P * D + D,
    "class token": D,
    "positions": T * D,
    "attention (9 ×)": L * (3 * D * D + 3 * D + D * D + D),
    "MLP (9 ×)": L * (4 * D * D + 4 * D + 4 * D * D + D),
    "norms": (2 * L + 1) * 2 * D,
    "head": 10 * D + 10,
}
actual = sum(parameter.numel() for parameter in ViT().parameters())
print(f"by hand {sum(by_hand.values()):,}, and the model has {actual:,}")
for name in ("attention (9 ×)", "MLP (9 ×)"):
    print(f"{name} {by_hand[name] / actual:.1%} of them")

# %% [markdown]
# Two thirds of the parameters are in the MLPs and one third is in attention. And the class token, the hero of this course? It is 192 numbers out of four million.
#
# Counting our own model with our own formula proves little, so let us borrow somebody else's numbers. The tests of Google's code ([google-research/vision_transformer](https://github.com/google-research/vision_transformer)) list the sizes of their models for 224 × 224 pixels and 1,000 classes. Ours must agree to the last digit. (The device `meta` keeps shapes without numbers, so that even the largest model costs no memory.)

# %% tags=["nbval-check-output"]
published = {
    "Ti/16": (192, 3, 5_717_416),
    "S/16": (384, 6, 22_050_664),
    "B/16": (768, 12, 86_567_656),
}
for name, (width, heads, expected) in published.items():
    config = ViTConfig(224, 16, num_classes=1000, embed_dim=width, depth=12, num_heads=heads)
    with torch.device("meta"):
        same_kind = vit_minimal.VisionTransformer(config)
    count = sum(parameter.numel() for parameter in same_kind.parameters())
    print(f"{name:5} {count:11,}  as published: {count == expected}")

# %% [markdown]
# Now the arithmetic. You have probably heard that attention is expensive because its cost grows with the *square* of the number of tokens. Is that what our model spends its arithmetic on? Write down a guess, in per cent, before you go on.
#
# We count floating-point operations (FLOPs). A matrix product of (a, b) by (b, c) takes a·b·c multiplications and as many additions, so 2·a·b·c operations. We count matrix products only, for one image. Norms, softmax and GELU cost very little, and PyTorch's own counter leaves them out as well.

# %% tags=["nbval-check-output"]
flops = {
    "patch embedding": 2 * 64 * (3 * P * P) * D,
    "queries, keys, values": L * 2 * T * D * 3 * D,
    "scores QKᵀ": L * 2 * T * T * D,
    "weights times V": L * 2 * T * T * D,
    "attention's last map": L * 2 * T * D * D,
    "MLP": L * 2 * 2 * T * D * 4 * D,
    "head": 2 * D * 10,
}
for name, count in flops.items():
    print(f"{name:22} {count / 1e6:7.1f} million  {count / sum(flops.values()):6.1%}")

# %% tags=["nbval-check-output"]
counter = FlopCounterMode(display=False)
with counter, sdpa_kernel(SDPBackend.MATH):  # older counters miss the fused kernel's products
    ViT()(torch.randn(1, 3, 32, 32))
print("PyTorch's counter agrees:", counter.get_total_flops() == sum(flops.values()))

# %%
groups = {  # each part: its parameters and its FLOPs
    "MLPs": (by_hand["MLP (9 ×)"], flops["MLP"]),
    "attention:\nlinear maps": (
        by_hand["attention (9 ×)"],
        flops["queries, keys, values"] + flops["attention's last map"],
    ),
    "attention:\nscores, mean": (0, flops["scores QKᵀ"] + flops["weights times V"]),
}
groups["all the rest"] = (
    actual - sum(parameters for parameters, _ in groups.values()),
    sum(flops.values()) - sum(operations for _, operations in groups.values()),
)

# %%
figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for column, (what, total) in enumerate((("parameters", actual), ("FLOPs", sum(flops.values())))):
    places = [row + 0.4 * column for row in range(len(groups))]
    per_cent = [100 * amounts[column] / total for amounts in groups.values()]
    bars = axis.barh(places, per_cent, height=0.38, color=plots.OKABE_ITO[column], label=what)
    axis.bar_label(bars, fmt="%.1f %%", padding=3)
axis.set_yticks([row + 0.2 for row in range(len(groups))], list(groups))
axis.invert_yaxis()
axis.set(xlabel="share of the whole model in %", xlim=(0, 80))
axis.legend(loc="lower right")
plots.show(
    "shares of parameters and of FLOPs: the MLPs have about two thirds of both, attention's linear "
    "maps about a third, the scores and the weighted mean no parameters and 5 % of the FLOPs"
)

# %% [markdown]
# Did you guess this? Only one group grows with T², the scores and the weighted mean. It has no parameters at all, and it takes about a *twentieth* of the FLOPs. "Attention is quadratic" is true, but at 65 tokens that is not where the arithmetic goes. The MLPs take most of it. Question 2 asks what happens with smaller patches, where there are more tokens.
#
# ## What if we take the plus signs away?
#
# The plus signs look harmless, two characters in twenty-five lines. Let us remove them and stack 24 blocks, a common depth for a large ViT. Each layer now replaces the tokens:


# %%
class NoPlus(Block):
    def forward(self, x):
        x = self.attn(self.norm1(x))  # Eq. 2 without its plus sign
        return self.mlp(self.norm2(x))  # Eq. 3 without its plus sign


def deep_model(kind, D=96, P=4):
    """The model with 24 blocks of one kind, untrained."""
    model = ViT(D=D, L=0, P=P)
    for _ in range(24):
        model.blocks.append(kind(D, 3))
    return model


# %% [markdown]
# We send 16 drawn images through, all different, and stop after every block to measure two things. How alike are the 65 tokens of *one image*? And how alike are the class tokens of *different images*? "Alike" means their cosine similarity, averaged over all pairs: 1 says that all vectors point in the same direction, 0 that they have nothing in common. We do this for six random starts of the untrained model.


# %%
def alike(vectors):
    """The mean cosine similarity over all pairs of n different vectors: (…, n, D) → (…)."""
    units = F.normalize(vectors, dim=-1)
    n = units.shape[-2]
    total = (units @ units.mT).sum(dim=(-2, -1)) - n  # n pairs are a vector with itself
    return total / (n * (n - 1))


def measure(kind, seed, start=None):
    """Block by block: how alike the tokens of an image are, and the images' class tokens: (2, 24)."""
    seed_everything(seed)
    model = deep_model(kind)
    if start:
        model.apply(start)
    x = model.pos_embed(model.cls_token(model.patch_embed(pictures)))  # (B, T, D)
    tokens, class_tokens = [], []
    for block in model.blocks:
        x = block(x)
        tokens.append(alike(x).mean())
        class_tokens.append(alike(x[:, 0]))
    return torch.stack([torch.stack(tokens), torch.stack(class_tokens)])


# %%
images, labels = shapes10(64, seed=4)
pictures = images[:16].float() / 127.5 - 1  # uint8 0 … 255 → −1 … 1
found = {}
with torch.no_grad():
    for name, kind in (("with plus signs", Block), ("without", NoPlus)):
        found[name] = torch.stack([measure(kind, seed) for seed in range(6)])  # (6, 2, 24)


# %%
def draw_band(axis, steps, values, index, name):
    """The mean of several seeds as a curve, and a band from their lowest to their highest."""
    style = plots.curve_style(index) | {"marker": None}
    axis.plot(steps, values.mean(dim=0), **style, label=name)  # values: (seeds, steps)
    lowest, highest = values.amin(dim=0), values.amax(dim=0)
    axis.fill_between(steps, lowest, highest, color=style["color"], alpha=0.2)


figure, panels = plt.subplots(1, 2, figsize=(7, 3.3), sharey=True, layout="constrained")
for i, title in enumerate(("the 65 tokens of an image", "class tokens of 16 images")):
    for index, (name, values) in enumerate(found.items()):
        draw_band(panels[i], range(1, 25), values[:, i], index, name)
    panels[i].set(title=title, xlabel="block", ylim=(0, 1.05))
panels[0].set_ylabel("how alike (cosine similarity)")
panels[0].legend(loc="lower right")
plots.show(
    "without plus signs the tokens of an image are equal from block 2 on, and the class tokens of "
    "different images grow alike; with them both stay apart for longer. Bands from the lowest to "
    "the highest of six seeds"
)

# %% [markdown]
# Each curve is the mean of six seeds, and its band reaches from the lowest to the highest of them.
#
# Look at the left panel first. Without the plus signs, the 65 tokens of an image point in the same direction after *two* blocks, and they do so from each of the six starts. The reason is the weighted mean. In an untrained model each token looks at all others almost evenly, so each token is *replaced* by almost the same mean. From then on there is nothing to choose between: 65 equal values have the same mean, however you weigh them. The other 22 blocks cannot bring the places back.
#
# With the plus signs each token keeps what it was and receives the mean on top. The tokens grow alike too, to about 0.9 by block 10, and a little further after it. But 0.9 is not 1. What still differs is small, and yet a norm and a linear map can read it, as the training below will show.
#
# What does this mean for the token that we read? Without the plus signs all tokens of an image point one way, so up to their length they carry the same information. The class token can no longer be told from a patch.
#
# The right panel is about *different* images: from block to block their class tokens drift together. The collapse *within* an image happens in all six seeds. The drift *between* images depends on the start.
#
# <details><summary>How far does it depend on the start?</summary>
#
# `init_linear` from `vit_minimal.vision_transformer` gives the linear maps smaller weights, those that the package's model begins with. Try it in a cell of your own: `measure(NoPlus, seed, start=init_linear)`. The tokens of an image collapse just the same. But how alike the class tokens of different images are after 24 blocks then varies widely from seed to seed.
#
# Mathematicians have looked at the collapse within an image as well: [Dong et al. 2021](https://arxiv.org/abs/2103.03404) prove that attention alone, with neither residuals nor MLPs, drives all tokens to one and the same vector, extremely fast in the number of blocks.
#
# </details>
#
# ### Could training repair it?
#
# Let both models overfit the same 16 images, that is, learn them by heart. We try three seeds. (The tokens are few and narrow, D = 48 and patches of 8 × 8 pixels, so that it takes seconds.) We also keep the size of the gradient that arrives in block 1 at the first step, because the usual explanation of the plus signs is that without them the gradient fades on its way back.


# %%
def learn_by_heart(kind, seed):
    """20 steps of training on 16 images: the losses, and block 1's gradient at the first step."""
    seed_everything(seed)
    model = deep_model(kind, D=48, P=8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0)
    losses, sizes = [], []
    for _ in range(20):
        loss = F.cross_entropy(model(pictures), labels[:16])
        optimizer.zero_grad()
        loss.backward()
        gradient = [parameter.grad.flatten() for parameter in model.blocks[0].parameters()]
        losses.append(loss.item())
        sizes.append(torch.cat(gradient).norm().item())
        optimizer.step()
    return losses, sizes[0]


# %%
figure, axis = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for index, (name, kind) in enumerate((("with plus signs", Block), ("without", NoPlus))):
    runs = [learn_by_heart(kind, seed) for seed in range(3)]
    draw_band(axis, range(20), torch.tensor([losses for losses, _ in runs]), index, name)
    sizes = [round(size, 1) for _, size in runs]
    print(f"{name:16} gradient in block 1 at the start, three seeds: {sizes}")
frequencies = labels[:16].bincount() / 16  # of each class among the 16 images
from_frequencies = -(frequencies * frequencies.log()).sum().item()
print(f"loss of a model that always answers with the class frequencies: {from_frequencies:.2f}")
axis.axhline(from_frequencies, color="black", linestyle=":", label="class frequencies")
axis.set(xlabel="steps of training", ylabel="cross-entropy", ylim=(0, 2.8), xticks=range(0, 21, 5))
axis.legend(loc="lower left")
plots.show(
    "with plus signs the loss on 16 images falls quickly; without, it stays at that of a model "
    "that knows only the class frequencies. Bands from the lowest to the highest of three seeds"
)

# %% [markdown]
# With the plus signs the loss falls quickly, for each of the three seeds. Without them it settles on the dotted line, at 2.22. That is the loss of a model that ignores the image and always answers with the class frequencies. In this experiment of 20 steps at one learning rate, two characters decide whether 24 blocks learn anything.
#
# And the gradient? Here comes the surprise: it has *not* faded away. Without the plus signs it is smaller, in the run saved here to a third or a quarter for two of the seeds and hardly at all for the third. A likely reason is that the norms keep restoring the size of everything that passes through them. So a vanished gradient does not explain this failure. In networks without norms it can be different, and there the plus signs do help the gradient.
#
# What does explain it? We measured three things: the gradient arrives, the tokens of an image have become equal, and the loss stays at the class frequencies. The rest is a guess. Equal tokens cannot tell one *place* from another, but that alone does not say why the model cannot tell the *images* apart. The drift of the class tokens in the right panel may be the other half. Note also that the trained model is smaller than the one in the panels: D is 48 instead of 96, and P is 8 instead of 4.
#
# ## What does a ViT give up?
#
# Before Vision Transformers there were convolutional networks (CNNs), and there still are. A CNN knows two things about pictures before it has seen a single one. The first is **locality**: a convolution combines a pixel with its neighbours, so near things belong together. The second is **translation**: the same small kernel is used everywhere, so a cat that moves to the right is still processed as a cat. The ViT paper calls such built-in knowledge *inductive bias*, and says that a ViT has much less of it (Section 3.1).
#
# You can see why in your own lines. The patch embedding and the MLP treat all patches alike. Attention has no notion of near and far, and each place has a position vector of its own, which starts at random. Nothing in the model says that patch 9 lies beside patch 10.
#
# Let us watch the second point on the cat. We move the photo to the right; what leaves on that side comes back on the left. Two models look at it: a tiny CNN with random weights, and your ViT with its trained ones. The CNN pads its input in a circle, which means that beyond the right edge it finds the left one, so the edges do not spoil the comparison.
#
# In a CNN two things happen one after the other. The maps that its kernel computes move along with the photo; that is called **equivariance**. Then the mean over all places forgets where things were, so the answer stays the same; that is **invariance**. We check both. Some of our moves are whole patches of 4 pixels, and some are not, so that every patch is cut elsewhere.

# %%
maps = nn.Sequential(
    nn.Conv2d(3, 16, kernel_size=3, padding=1, padding_mode="circular"),
    nn.ReLU(),
)
cnn = nn.Sequential(maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
photo = cat[None].float() / 127.5 - 1  # (1, 3, 32, 32)
with torch.no_grad():
    moved = torch.roll(photo, shifts=6, dims=3)
    follow = torch.allclose(maps(moved), torch.roll(maps(photo), shifts=6, dims=3), atol=1e-5)
    print("the maps of the CNN move along with the photo:", follow)


# %%
def largest_change(model, moved):
    """By how much the probability of any class changes at most when the photo is moved."""
    change = model(moved).softmax(dim=-1) - model(photo).softmax(dim=-1)  # (1, K)
    return change.abs().max().item()


with torch.no_grad():
    of_cnn = []
    print("the ViT: moved by, largest change of a probability, answer")
    for pixels in (0, 2, 4, 6, 8, 12):
        moved = torch.roll(photo, shifts=pixels, dims=3)
        of_cnn.append(largest_change(cnn, moved))
        probability, best = vit(moved).softmax(dim=-1)[0].max(dim=0)
        answer = f"{CIFAR10_CLASSES[best]} {probability:.2f}"
        print(f"{pixels:2} pixels   {largest_change(vit, moved):.2f}   {answer}")
    print(f"the CNN: largest change in all these moves {max(of_cnn):.6f}")
    other = largest_change(cnn, rocket[None].float() / 127.5 - 1)
    print(f"the CNN: change if the photo is the rocket {other:.6f}")

# %% [markdown]
# This CNN's answer does not change when the cat moves, whatever its weights are: it is built that way. The last line is the control: for another photo, its answer does change. (Deeper CNNs downsample, so for them this holds only approximately.) The ViT's answer does move. It changes more the farther the cat moves. Whether whole patches (4, 8) are easier than 2 or 6 pixels, one photograph cannot tell. At 12 the cat has become a frog. Small moves do little harm, probably because training used shifts of up to 4 pixels: the model had to *learn* to put up with them.{{assert record("cifar10_cpu_long").training.crop_padding == 4}} Remember that this is one photo, and that the move leaves an ugly seam where its two sides meet. In notebook 03 the cat was moved down by 8 pixels and mirrored, and it kept its 0.89; here, 8 pixels sideways bring it to 0.60.
#
# So a ViT has to learn from examples what a CNN is given for free, and the question is whether there are enough examples. In the paper's experiments (Section 4.3), a ViT was much worse than a CNN of similar cost after training on 9 million images, and better with 90 million and more. The knowledge that is built into a CNN is a help when data are scarce, and can become a limit when there are plenty. Later work found another way out: strong augmentation and regularisation let ViTs compete with CNNs after training on ImageNet's 1.3 million images alone ([Touvron et al. 2021](https://arxiv.org/abs/2012.12877)).
#
# This course has measured a small piece of that curve, on CIFAR-10. A small CNN beat a small ViT by {{mean(only(records("training_images"), model="CNN, AdamW", trained_on=1_000).accuracies) - mean(only(records("training_images"), model="ViT, Muon", trained_on=1_000).accuracies):.1p}} points with 1,000 training images, by {{mean(only(records("training_images"), model="CNN, AdamW", trained_on=7_000).accuracies) - mean(only(records("training_images"), model="ViT, Muon", trained_on=7_000).accuracies):.1p}} points with 7,000 and by {{mean(only(records("training_images"), model="CNN, AdamW", trained_on=45_000).accuracies) - mean(only(records("training_images"), model="ViT, Muon", trained_on=45_000).accuracies):.1p}} points with 45,000.{{assert
# all(below(only(records("training_images"), model="ViT, Muon", trained_on=count).accuracies,
# only(records("training_images"), model="CNN, AdamW", trained_on=count).accuracies) for count in
# (1_000, 7_000, 45_000))}} The gap became smaller from the first size to the second, and beyond that, three seeds cannot tell.{{assert
# mean(only(records("training_images"), model="CNN, AdamW", trained_on=1_000).accuracies) -
# mean(only(records("training_images"), model="ViT, Muon", trained_on=1_000).accuracies) >
# mean(only(records("training_images"), model="CNN, AdamW", trained_on=7_000).accuracies) -
# mean(only(records("training_images"), model="ViT, Muon", trained_on=7_000).accuracies)}} Whether more images would close it is *not settled* by this: the sizes end far below those of the paper, and the two models differ in more than their bias. Notebook 10 has the details and the limits.
#
# ## Is it ready? Four checks before training
#
# Training takes minutes to hours, and a broken model often trains too, just badly. The following four checks take seconds. Think of them as the rungs of a ladder, and climb it each time you change a model. We climb it with your own class `ViT`. Its linear maps get the small starting weights that timm uses too, from the package's function `init_linear`.
#
# ### Rung 1: the loss at the start is ln 10
#
# An untrained model has no reason to prefer a class. It should give each of 10 classes about 1/10, and the cross-entropy of that is ln 10 ≈ 2.303. A much larger loss means that the model is *confidently* wrong, usually because the head starts too large.
#
# <details><summary>What this rung does not show</summary>
#
# It does not notice images that nobody normalised, because the layer norms hide them. Look at `x.min()` and `x.max()` for that.
#
# </details>

# %%
from vit_minimal.vision_transformer import init_linear

seed_everything(0)
model = ViT(D=96, L=3).apply(init_linear)
x = images.float() / 127.5 - 1  # 64 drawn images, −1 … 1
loss = F.cross_entropy(model(x), labels)
print(f"loss at the start {loss.item():.3f}, ln 10 = {math.log(10):.3f}")
assert abs(loss.item() - math.log(10)) < 0.2

# %% [markdown]
# ### Rung 2: the class token depends on every patch, and on no other image
#
# Does the answer for image 0 depend on all 64 patches of image 0? And does it depend on image 1? It should not, but a wrong `view` can mix up the batch, and the loss still falls. The gradient knows: where it is zero, nothing depends. Which numbers should the two lines print?

# %% tags=["nbval-check-output"]
probe = x[:4].clone().requires_grad_()
model(probe)[0, 0].backward()  # one logit of image 0: training leaves the sum of all ten alone
per_patch = patchify(probe.grad, 4).abs().sum(dim=2)  # (4, N)
print("a logit of image 0 depends on")
print("images", per_patch.sum(dim=1).nonzero().flatten().tolist())
print("patches of image 0:", int((per_patch[0] > 0).sum()), "of 64")

# %% [markdown]
# ### Rung 3: the gradient reaches every parameter


# %% tags=["nbval-check-output"]
def without_gradient(model):
    """The parameters that the loss does not depend on, after one backward pass."""
    F.cross_entropy(model(x), labels).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert all(g is None or g.isfinite().all() for g in gradients.values())
    return [name for name, g in gradients.items() if g is None or not g.any()]


model.zero_grad()
print("without a gradient:", without_gradient(model))

# %% [markdown]
# The list is empty, as it should be. Would the rung catch a real mistake? Let us break a model on purpose: in every block, the class token attends only to itself, as in the masked row of notebook 03.


# %% tags=["nbval-check-output"]
class ClassTokenAlone(MultiHeadSelfAttention):
    def forward(self, x):
        _, _, values = self.split_heads(x)  # (B, h, T, d)
        values = values.transpose(1, 2).flatten(2)  # (B, T, D)
        own = self.proj(values[:, :1])  # the class token takes its own value, with weight 1
        return torch.cat([own, super().forward(x)[:, 1:]], dim=1)


broken = ViT(D=96, L=3).apply(init_linear)
for block in broken.blocks:
    block.attn = ClassTokenAlone(96, 3)
print("without a gradient:", without_gradient(broken))

# %% [markdown]
# Now the patch embedding has no gradient and will never learn, because nobody reads the patches.
#
# <details><summary>Why are the positions and the class token not in the list?</summary>
#
# The list names whole tensors. One of the 65 rows of the positions, the class token's, has a gradient; the other 64 have none. The class token has a gradient even in this useless model, so a test that looks only there would have told us nothing.
#
# </details>
#
# ### Rung 4: it can overfit one batch
#
# We take 32 images and no regularisation, and let the model learn this one batch by heart. A model with thousands of times more parameters than there are labels must bring the loss to nearly 0. If it cannot, the fault is in the model, the loss or the learning rate, and not in the data or in your patience.

# %%
seed_everything(0)
model = ViT(D=96, L=3).apply(init_linear)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
losses = []
for _ in range(100):
    loss = F.cross_entropy(model(x[:32]), labels[:32])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"loss at the start {losses[0]:.3f}, after 100 steps {losses[-1]:.3f}")
assert losses[-1] < 0.1

# %% [markdown]
# The loss begins near ln 10 and falls to almost nothing. The model is ready for data.
#
# > **Remember:** a token is a running sum. Attention lets tokens look at each other, the MLP works on each token alone, both add to the sum, and at the end the head reads row 0. And the strongest test of a forward pass is this one: same weights, same logits as somebody else's model.
#
# ## Recap
#
# - A block is `x = x + attn(norm1(x))`, then `x = x + mlp(norm2(x))`. Before the first block comes Eq. 1. After the last come a norm, row 0 and one linear head.
# - Loading somebody else's weights is renaming, if the two models compute the same. Compare with a model that shares no code with yours, or you test only the part that differs. If both share code, a mistake in the shared part stays invisible.
# - The class token's running sum can be read after every block, and on the cat and the rocket you saw the answer change on its way.
# - About two thirds of the parameters and most of the arithmetic are in the MLPs, at this size.
# - Without the plus signs the tokens of an image become equal within two blocks, and in our experiment 24 blocks learned nothing from the images.
# - A ViT has to learn locality and translation from data.
# - Four checks before training: the loss starts at ln 10, the class token depends on every patch of its own image, gradients arrive everywhere, one batch can be overfitted.
#
# ## Questions
#
# **1.** Rung 1 gives you a loss of 7. Name two possible causes.
#
# <details><summary>Answer</summary>
#
# The head may still have 1,000 outputs: ln 1000 is 6.9. Or its weights start too large: then most images get a few large scores, and most of these are wrong. To find out which it is, print the shape of the logits and their standard deviation. The latter should be well below 1 at the start.
#
# </details>
#
# **2.** With P = 2 there are 256 patches and T = 257. What share of the FLOPs is then in QKᵀ and the weighted mean?
#
# <details><summary>Answer</summary>
#
# Count the FLOPs of one block, for one token. The four linear maps of attention cost 4 · 2·D² = 8D², the MLP costs 2 · 2·D·4D = 16D², and scores and weighted mean together cost 2 · 2·T·D = 4TD. So the share is 4TD / (24D² + 4TD). Divide above and below by 4D, and T / (6D + T) remains. With D = 192, 6D is 1,152. At T = 65 the share is 65 / 1,217 = 5 %, and at T = 257 it is 257 / 1,409 = 18 %. (Patch embedding and head are left out, which changes little.)
#
# </details>
#
# **3.** The Transformer of 2017 put its norms *on* the stream, after each sum, which is called post-norm. Why does pre-norm need a norm after the last block, when post-norm does not?
#
# <details><summary>Answer</summary>
#
# With pre-norm only copies are normalised. The stream itself keeps growing, and its size differs between images and blocks. The head should read numbers of a fixed size, so one norm stands before it. With post-norm the last thing that each block does is to normalise the stream.
#
# </details>
#
# **4.** You load timm's weights, but by mistake your table sends `norm1` to `norm2` and `norm2` to `norm1`. Does `load_state_dict` complain? How would you notice?
#
# <details><summary>Answer</summary>
#
# It does not complain, because both norms have the same shapes. Only the logits tell you, and only if the two norms hold different numbers. That is why we added noise to every parameter before we compared.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 04](exercises/04_vision_transformer.ipynb), with checks that tell you what is wrong.
#
# **Next: [05 · Training on CIFAR-10](05_training_on_cifar10.ipynb).** The model of notebook [00](00_start_here.ipynb) was of this kind, and you have now seen every line of it. Only the training around it is missing: a longer version of rung 4's loop.

# %% [markdown]
# ## To look things up: what the package's model adds
#
# The course goes on in notebook 05, and you may stop here. This last section is a reference: it shows the package's own code, and how it loads weights from torchvision. Come back when you need one of its switches.
#
# The model in the package computes what your twenty-five lines compute. It also has switches, most of which are fields of `ViTConfig`. Later notebooks need them for their comparisons:
#
# | switch | what it does | where it is used |
# |---|---|---|
# | `pool` | lets the head read the mean of the patches, or a learned weighted mean, instead of a class token | notebook 09 |
# | `num_registers` | adds learned tokens that take part in attention and that nobody reads, called registers | notebook 09 |
# | `pos_embed="sinusoidal"` | computes the positions instead of learning them | notebook 02 |
# | `…_drop_rate` | **dropout**: while training, sets random numbers to zero, so that the model relies on no single one | for your own experiments |
# | `drop_path_rate` | **stochastic depth**: while training, skips what a layer would add, for random images. The rate grows with depth: 0 at the first block, the given rate at the last | for your own experiments |
# | `norm_first=False` | **post-norm**, the order of 2017, drawn below | notebook 10 |
# | `model.reset_head(K)` | is a method: it gives the model a new head, when you have other classes | your own data |
#
# Each cell below whose first line names a file, such as `# vit_minimal/vision_transformer.py`, is a copy of the code in that file, and one of the course's tests checks that copy and original agree. First the MLP, now with its dropout:


# %% tags=["same-as:vit_minimal.vision_transformer.MLP"]
# vit_minimal/vision_transformer.py
class MLP(nn.Module):
    """Two linear layers with a GELU between, on each token alone: (B, T, D) → (B, T, D)."""

    def __init__(self, embed_dim, hidden_dim, drop_rate=0.0):
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, embed_dim)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x):
        return self.drop(self.fc2(self.drop(nn.functional.gelu(self.fc1(x)))))


# %% [markdown]
# Stochastic depth works on what a layer adds. For some images that becomes zero, so the layer is skipped; for the others it is scaled up, so that the mean stays what it was. With a rate of 0 nothing happens.


# %% tags=["same-as:vit_minimal.vision_transformer.drop_path"]
# vit_minimal/vision_transformer.py
def drop_path(x, rate):
    """Zero whole samples with probability `rate`, scale up the rest (arxiv.org/abs/1603.09382)."""
    if rate == 0:
        return x
    kept = x.new_empty(x.shape[0], 1, 1).bernoulli_(1 - rate)  # 1 or 0 for each sample
    return x * kept / (1 - rate)


# %% [markdown]
# (The model reads shapes as `x.shape[0]` everywhere. Notebook 02 told you why: an exported model would otherwise accept one batch size only.)
#
# The block can stand in two orders. You know pre-norm. The Transformer of 2017 had the norm *on* the stream, after each sum:

# %%
diagrams.block(norm_first=False)

# %% [markdown]
# Here the running sum itself is normalised, twice in every block. In the code, the last two lines are post-norm.
#
# <details><summary>Which order is better?</summary>
#
# [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) show that in the settings they study, post-norm has large gradients near the output at the start, and that this is why it needs a careful warm-up (a learning rate that begins small and rises). Notebook 10 measures whether it does here.
#
# </details>

# %% [markdown] tags=["exercise-only"]
# # Exercises 04 · The Vision Transformer
#
# They go with notebook [04](../04_vision_transformer.ipynb). If you start here: all the pieces exist already, which are the patch embedding, the class token, the positions, multi-head attention and the MLP. In a *block*, attention mixes the tokens, and an MLP works on each token alone; both read a normalised copy of the tokens and add to the tokens. After L blocks comes one more norm, and a linear head reads token 0, the class token. As equations, with LN for a norm: z₀ = [class token; patches·E] + positions (1); z′ = MSA(LN(z)) + z (2); z″ = MLP(LN(z′)) + z′ (3), for each block; y = LN(token 0) (4). `ViTConfig` holds the numbers: `embed_dim` D, `depth` L, `num_heads` h, `patch_size` P, …

# %% tags=["exercise-only"]
from dataclasses import replace

import torch
from torch import nn

from checks import check
from vit_minimal import (
    MLP,
    ClassToken,
    MultiHeadSelfAttention,
    PatchEmbedding,
    PositionEmbedding,
    ViTConfig,
)
from vit_minimal.vision_transformer import AttentionPooling, drop_path, init_linear

# %% [markdown] tags=["exercise:EncoderBlock"]
# Write the two lines of a pre-norm block, Eq. 2 and 3: attention, then the MLP, each *added* to the tokens. `self.norm1`, `self.attn`, `self.norm2` and `self.mlp` are there. (The package wraps what is added in `drop_path(…, rate)`, which is for training; you may leave it out. The post-norm variant is already written, so that you can compare.)
#
# Hint: Eq. 2: z′ = MSA(LN(z)) + z. Eq. 3: z″ = MLP(LN(z′)) + z′.
#
# Hint: Add to the sum as it is, *not* to its normalised copy. The MLP reads what the attention has changed.


# %% tags=["same-as:vit_minimal.vision_transformer.EncoderBlock", "exercise:EncoderBlock"]
# vit_minimal/vision_transformer.py
class EncoderBlock(nn.Module):
    """Attention mixes the tokens, an MLP works on each; both add to the residual stream."""

    def __init__(self, config, drop_path_rate=0.0):
        super().__init__()
        D, drop_rate = config.embed_dim, config.proj_drop_rate
        self.norm_first, self.drop_path_rate = config.norm_first, drop_path_rate
        self.norm1 = nn.LayerNorm(D, eps=config.norm_eps)
        self.attn = MultiHeadSelfAttention(D, config.num_heads, config.attn_drop_rate, drop_rate)
        self.norm2 = nn.LayerNorm(D, eps=config.norm_eps)
        self.mlp = MLP(D, int(D * config.mlp_ratio), drop_rate)

    def forward(self, x):
        rate = self.drop_path_rate if self.training else 0.0
        if self.norm_first:
            # solution
            # | return ...  # your code
            x = x + drop_path(self.attn(self.norm1(x)), rate)  # Eq. 2
            return x + drop_path(self.mlp(self.norm2(x)), rate)  # Eq. 3
            # end of solution
        x = self.norm1(x + drop_path(self.attn(x), rate))
        return self.norm2(x + drop_path(self.mlp(x), rate))


# %% [markdown]
# `config` is a `ViTConfig`. It holds every number of the architecture and refuses combinations that cannot work:

# %% tags=["nbval-check-output"]
print(ViTConfig())
for wrong in ({"patch_size": 5}, {"num_heads": 5}, {"pool": "max"}):
    try:
        ViTConfig(**wrong)
    except ValueError as error:
        print(error)

# %% [markdown]
# The weighted mean of the patches, for `pool="attention"`, is attention with a single query, which is learned and the same for all images:


# %% tags=["same-as:vit_minimal.vision_transformer.AttentionPooling"]
# vit_minimal/vision_transformer.py
class AttentionPooling(nn.Module):
    """Tokens (B, T, D) → their mean (B, D), weighted by how well each fits one learned query."""

    def __init__(self, embed_dim):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(embed_dim))  # at zero all tokens weigh the same

    def forward(self, x):
        weights = (x @ self.query / x.shape[-1] ** 0.5).softmax(dim=1)  # (B, T)
        return (weights[:, None] @ x).squeeze(1)


# %% [markdown]
# The linear maps start with small random weights, as timm's do. You have met this function on the ladder of checks:


# %% tags=["same-as:vit_minimal.vision_transformer.init_linear"]
# vit_minimal/vision_transformer.py
def init_linear(module):
    """Start a linear map at N(0, 0.02²) and its bias at zero; leave any other module as it is."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


# %% [markdown]
# And here is the whole model with all its switches. It is long, but find the three lines of your `forward` in it: they are the first and the second line of `forward_features` and the line with `x[:, 0]`. Almost everything else builds parts or chooses between them.


# %% [markdown] tags=["exercise:VisionTransformer"]
# The whole model. `__init__` is already written. `forward_features` does Eq. 1 to 3 and the norm of Eq. 4: images (B, C, H, W) → tokens (B, T, D). `forward` reads the tokens: with `self.config.pool == "class"` the class token goes to `self.head`; otherwise the patches, which begin at token `self.num_prefix`, are averaged: by `self.attn_pool` if there is one, and by a plain mean if not. (The dropout `self.pos_drop` stands before the blocks; with its rate of 0 it does nothing.)
#
# Hint: Eq. 1 from the inside: `patch_embed`, `reg_token` (registers; does nothing if there are none), `cls_token`, `pos_embed`. `reg_token` and `cls_token` put their tokens *in front*, and the class token has to end up as token 0.
#
# Hint: Then `pos_drop`, `blocks`, `norm`. The class token of all images is `x[:, 0]`.


# %% tags=["same-as:vit_minimal.vision_transformer.VisionTransformer", "exercise:VisionTransformer"]
# vit_minimal/vision_transformer.py
class VisionTransformer(nn.Module):
    """Images (B, C, H, W) → logits (B, num_classes). Order of tokens: class, registers, patches."""

    usual_order = True  # False in variants that keep their tokens in another order

    def __init__(self, config):
        super().__init__()
        self.config = config
        D, R, P, C = config.embed_dim, config.num_registers, config.patch_size, config.in_channels
        has_class, fixed = config.pool == "class", config.pos_embed == "sinusoidal"
        self.patch_embed = PatchEmbedding(config.image_size, P, C, D)
        rows, columns = self.patch_embed.grid_size
        self.num_prefix = R + 1 if has_class else R  # tokens in front of the patches
        self.num_tokens = self.num_prefix + rows * columns  # T
        self.reg_token = ClassToken(D, R) if R else nn.Identity()
        self.cls_token = ClassToken(D) if has_class else nn.Identity()
        self.pos_embed = PositionEmbedding(self.patch_embed.grid_size, D, self.num_prefix, fixed)
        self.pos_drop = nn.Dropout(config.pos_drop_rate)
        rates = [config.drop_path_rate * i / max(1, config.depth - 1) for i in range(config.depth)]
        self.blocks = nn.Sequential(*(EncoderBlock(config, rate) for rate in rates))
        self.norm = nn.LayerNorm(D, eps=config.norm_eps) if config.norm_first else nn.Identity()
        self.attn_pool = AttentionPooling(D) if config.pool == "attention" else None
        self.head = nn.Linear(D, config.num_classes)
        self.apply(init_linear)

    def reset_head(self, num_classes):
        """Replace the head by a new, untrained one for `num_classes` classes; `config` follows."""
        self.config = replace(self.config, num_classes=num_classes)
        head = nn.Linear(self.config.embed_dim, self.config.num_classes)
        head.apply(init_linear).train(self.training)
        self.head = head.to(next(self.parameters()))  # its device and dtype

    def forward_features(self, images):
        """Images (B, C, H, W) → tokens (B, T, D) after the last block and norm."""
        # solution
        # | return ...  # your code
        x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))  # Eq. 1
        return self.norm(self.blocks(self.pos_drop(x)))  # Eq. 2, 3; the norm of Eq. 4
        # end of solution

    def forward(self, images):
        # solution
        # | return ...  # your code
        x = self.forward_features(images)
        if self.config.pool == "class":
            return self.head(x[:, 0])  # y in Eq. 4
        patches = x[:, self.num_prefix :]  # (B, N, D)
        return self.head(self.attn_pool(patches) if self.attn_pool else patches.mean(dim=1))
        # end of solution


# %% [markdown] tags=["exercise:parameters_of"]
# How many parameters does a model have? Write the formula: from a `ViTConfig` with a class token, learned positions and square images (`image_size` is a whole number), without building the model.
#
# Hint: Patch embedding, class token, positions, L blocks of (two norms, qkv, proj, fc1, fc2), a last norm, the head. Every linear map has a bias; a norm has a scale and a shift.
#
# Hint: qkv has D · 3D + 3D numbers, proj D · D + D. fc1 and fc2 lie between D and `int(D * config.mlp_ratio)`. Positions: one row for each of T tokens.


# %% tags=["exercise-only", "exercise:parameters_of"]
def parameters_of(config):
    """The number of parameters of a ViT with a class token, by a formula."""
    # solution
    # | return ...  # your code
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, int(D * config.mlp_ratio)
    embedding = config.in_channels * P * P * D + D
    tokens = D + (N + 1) * D  # class token and positions
    attention = (3 * D * D + 3 * D) + (D * D + D)
    mlp = (D * hidden + hidden) + (hidden * D + D)
    head = D * config.num_classes + config.num_classes
    return embedding + tokens + L * (2 * 2 * D + attention + mlp) + 2 * D + head
    # end of solution


sum(p.numel() for p in VisionTransformer(ViTConfig()).parameters())  # one way to compare

# %% [markdown] tags=["exercise:stack"]
# *Find the bug.* Somebody builds the L blocks of a model. It trains, but look at what the last line prints. Repair it.
#
# Hint: What does `[thing] * 3` put into the list, three things or one thing three times?
#
# Hint: Each block has to be built: call `EncoderBlock(config)` L times.
#
# Solution: `[block] * L` holds the same block L times, so all blocks share their weights. Nothing fails; the model is just much smaller than you think.


# %% tags=["exercise-only", "exercise:stack"]
def stack(config):
    """L encoder blocks, one after the other."""
    # solution
    # | return nn.Sequential(*[EncoderBlock(config)] * config.depth)
    return nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth)))
    # end of solution


blocks = stack(ViTConfig(depth=3))
print(len(blocks), "blocks, different ones:", len({id(block) for block in blocks}))

# %% [markdown] tags=["exercise:times_as_many_weights"]
# *Predict.* Images of 32 × 32 with P = 4: each head of each block has a table of T × T attention weights. With P = 2, how many times as many entries has the table? To one decimal.
#
# Hint: How many patches are there with P = 4, and with P = 2? T is one more.
#
# Hint: T = 65 and T = 257.
#
# Solution: (257 / 65)² ≈ 15.6. Half the patch side means four times the patches and nearly sixteen times the attention weights. All other costs of a block grow with T only.

# %% tags=["exercise-only", "exercise:times_as_many_weights"]
# solution
# | times_as_many_weights = ...
times_as_many_weights = (257 / 65) ** 2
# end of solution

# %% [markdown]
# ### Weights from torchvision
#
# People have spent years of computing time on training Vision Transformers, and their weights are freely available. **torchvision**, PyTorch's own library of image models, has other names for nearly everything. It takes eleven entries, and reading them is a good exercise: which of your modules is which of theirs? (They say *layer* where we say block, and *in_proj* for the map that makes queries, keys and values.)

# %%
from torchvision.models import VisionTransformer as TorchvisionViT

torchvision_to_ours = {
    "class_token": "cls_token.weight",
    "conv_proj.": "patch_embed.proj.",
    "encoder.pos_embedding": "pos_embed.weight",
    "encoder.layers.encoder_layer_": "blocks.",
    ".ln_": ".norm",  # ln_1 and ln_2 → norm1 and norm2
    ".self_attention.in_proj_": ".attn.qkv.",
    ".self_attention.out_proj.": ".attn.proj.",
    ".mlp.0.": ".mlp.fc1.",
    ".mlp.3.": ".mlp.fc2.",
    "encoder.ln.": "norm.",
    "heads.head.": "head.",
}

# %%
from_torchvision = TorchvisionViT(
    image_size=32,
    patch_size=4,
    num_layers=3,
    num_heads=3,
    hidden_dim=96,
    mlp_dim=384,
    num_classes=10,
).eval()
shake(from_torchvision)

ours = VisionTransformer(ViTConfig(embed_dim=96, depth=3, num_heads=3)).eval()
x = torch.randn(5, 3, 32, 32)
ours.load_state_dict(renamed(from_torchvision.state_dict(), torchvision_to_ours))
with torch.no_grad():
    difference = (ours(x) - from_torchvision(x)).abs().max().item()
    largest = from_torchvision(x).abs().max().item()
    print(f"torchvision: logits up to {largest:.1f}, largest difference {difference:.0e}")
assert difference < 1e-5

# %% [markdown]
# torchvision's ViT uses PyTorch's own `nn.MultiheadAttention`, so this is a second opinion on the attention as well.
#
# The package's `load_timm_state_dict` and `load_torchvision_state_dict` do the same renaming. On top of that they accept some special cases. And if the weights do not fit, they say what differs. Here we pass weights of torchvision to the loader for timm:

# %% tags=["nbval-check-output"]
load_torchvision_state_dict(ours, from_torchvision.state_dict())
with torch.no_grad():
    print("the package's loader agrees:", torch.allclose(ours(x), from_torchvision(x), atol=1e-5))
try:
    load_timm_state_dict(ours, from_torchvision.state_dict())
except ValueError as error:
    print(str(error))
