# %% [markdown]
# # 04 · The Vision Transformer: the whole model
#
# **After this notebook you can** write a ViT from its four equations, say what flows along the residual stream and why the norm comes first,
# count parameters and operations by hand, load weights from timm and torchvision into your own model, and climb a ladder of checks
# before you spend an hour on training.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 03 |
# | Time to read | about 25 minutes |
# | Time to run | half a minute to a minute, on most machines |
# | Package modules | `vit_minimal/vision_transformer.py`, `vit_minimal/pretrained.py` |
#
# **Letters:** B images, C channels, H × W pixels, P patch side, N patches, T = N + 1 tokens, D embedding width, h heads, L blocks (the paper's
# layers).

# %%
import math
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from vit_minimal import (
    ClassToken,
    MultiHeadSelfAttention,
    PatchEmbedding,
    PositionEmbedding,
    ViTConfig,
    load_timm_state_dict,
    load_torchvision_state_dict,
    plots,
    seed_everything,
    shapes10,
)

seed_everything(0)

# %% [markdown]
# ## Four equations
#
# Attention and the MLP are called *layers* here, and a pair of them a *block*. The paper ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929)) says everything in four lines. $\mathbf{z}_\ell$ are
# the tokens after block ℓ, $\mathbf{z}'_\ell$ the tokens half-way, after its attention, $\mathbf{z}_L^0$ is row 0 after the last block. MSA is multi-head
# self-attention, and LN a layer norm: it brings each token's D numbers to mean 0 and variance 1, then scales and shifts them by learned numbers.
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
# | equation | in words | in our code |
# |---|---|---|
# | 1 | cut, project, put the class token in front, add positions | `self.pos_embed(self.cls_token(self.patch_embed(images)))` |
# | 2 | tokens exchange what they know | `x = x + self.attn(self.norm1(x))` |
# | 3 | each token thinks about what it heard | `x = x + self.mlp(self.norm2(x))` |
# | 4 | read the class token, row 0 | `self.norm(x)[:, 0]` |
#
# After Eq. 4 comes the head, one linear map from **y** to the class scores, the *logits*.
#
# Equation 1 is notebooks 01 and 02, MSA is notebook 03. What is left is the MLP, the two plus signs and the norms.
#
# ## The MLP: each token by itself
#
# Attention moves information *between* tokens, and it is linear in the values. The MLP works on each token *alone*, and it is not linear: up to
# four times the width, a GELU (a smooth ReLU), back down. The same MLP for all tokens, so two equal tokens stay equal.


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


# %% tags=["nbval-check-output"]
mlp = MLP(48, 192)
x = torch.randn(1, 65, 48)
changed = x.clone()
changed[0, 7] += 1  # disturb token 7 only
print(
    "tokens that notice:",
    (mlp(x) - mlp(changed)).abs().sum(dim=(0, 2)).nonzero().flatten().tolist(),
)

# %% [markdown]
# ## The residual stream
#
# Look at the plus signs in Eq. 2 and 3. A layer never *replaces* a token, it *adds* to it. So each token is a running sum, from Eq. 1
# through all layers to the end, and every layer reads from it and writes to it. This sum is called the residual stream.
#
# This helps twice. On the way back, the gradient finds a path along the plus signs that passes through neither attention nor MLP. And what the class token
# has heard in block 2 is still in the sum in block 9, unless something subtracts it.
#
# ### The norm comes first
#
# A running sum grows. Each layer should see numbers of about the same size, so they are normalised. *Where* the norm stands matters:
#
# - **post-norm**, the Transformer of 2017: `x = norm(x + attn(x))`. The sum itself is normalised, again and again.
# - **pre-norm**, the ViT: `x = x + attn(norm(x))`. Only what a layer *reads* is normalised. The stream stays a plain sum, and one last
#   norm (Eq. 4) follows at the end.
#
# Our block can do both, so that we can compare. (`drop_path` skips a layer's contribution for random images while training,
# a regulariser called stochastic depth. At its rate of 0 it does nothing.)


# %% tags=["same-as:vit_minimal.vision_transformer.drop_path"]
# vit_minimal/vision_transformer.py
def drop_path(x, rate):
    """Zero whole samples with probability `rate`, scale up the rest (arxiv.org/abs/1603.09382)."""
    if rate == 0:
        return x
    kept = x.new_empty(x.shape[0], 1, 1).bernoulli_(1 - rate)  # 1 or 0 for each sample
    return x * kept / (1 - rate)


# %% [markdown] tags=["exercise-only"]
# # Exercises 04 · The Vision Transformer
#
# They go with notebook [04](../04_vision_transformer.ipynb). If you start here: all pieces are there, patch embedding, class token, positions, multi-head attention and an MLP. In a *block* attention mixes the tokens and an MLP works on each token alone; both read a normalised copy of the tokens and add to them. After L blocks one more norm follows, and a linear head reads token 0. As equations, with LN for a norm: z₀ = [class token; patches·E] + positions (1); z′ = MSA(LN(z)) + z (2); z″ = MLP(LN(z′)) + z′ (3), for each block; y = LN(token 0) (4). `ViTConfig` holds the numbers: `embed_dim` D, `depth` L, `num_heads` h, `patch_size` P, …

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
# Write the two lines of a pre-norm block, Eq. 2 and 3: attention, then the MLP, each *added* to the tokens. `self.norm1`, `self.attn`, `self.norm2` and `self.mlp` are there. (`drop_path(…, rate)` around what is added is for training; it may be left out. The post-norm variant is written, so that you can compare.)
#
# Hint: Eq. 2: z′ = MSA(LN(z)) + z. Eq. 3: z″ = MLP(LN(z′)) + z′.
#
# Hint: What is added to is the sum so far, *not* normalised. The MLP reads what the attention has changed.


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
# `config` is a `ViTConfig`, a frozen dataclass that holds every number of the architecture and refuses combinations that cannot work:

# %% tags=["nbval-check-output"]
print(ViTConfig())
for wrong in ({"patch_size": 5}, {"num_heads": 5}, {"pool": "max"}):
    try:
        ViTConfig(**wrong)
    except ValueError as error:
        print(error)

# %% [markdown]
# Now the comparison: 24 blocks, untrained, once with each order. How large is the gradient that arrives at each block's MLP? (Before you look: it comes in
# from the last block, on the right. In which direction will the curves fall?)


# %%
def gradient_norms(norm_first, seed, depth=24):
    """The gradient of each block's first MLP matrix, when the loss is read from row 0."""
    seed_everything(seed)
    config = ViTConfig(embed_dim=96, num_heads=3, norm_first=norm_first)
    blocks = nn.Sequential(*(EncoderBlock(config) for _ in range(depth)))
    readout = nn.Sequential(nn.LayerNorm(96), nn.Linear(96, 10))
    logits = readout(blocks(torch.randn(16, 65, 96))[:, 0])
    F.cross_entropy(logits, torch.arange(16) % 10).backward()
    return torch.stack([block.mlp.fc1.weight.grad.norm() for block in blocks])


# %%
norms = {
    name: torch.stack([gradient_norms(norm_first, seed) for seed in range(3)]).mean(dim=0)
    for name, norm_first in (("pre-norm (ViT)", True), ("post-norm (2017)", False))
}
title = "What arrives at each block, before training"
plots.show_lines(
    range(1, 25), norms, "block", "gradient norm, mean of 3 seeds", title, from_zero=True
)

# %% [markdown]
# They run in opposite directions. With pre-norm the first blocks get the most; with post-norm the last do.
# [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) show that in the settings they study, large gradients near the output are why post-norm
# needs a careful warm-up.
#
# Do not read more into it than is there. The differences are small, a factor of 1.5 at most, these are random tokens and PyTorch's default weights (the model below starts with
# smaller ones), and a gradient before training is not an accuracy after it.
#
# ## The whole model
#
# One small piece before it. Besides reading the class token, our model can pool in two other ways, for comparisons: by the plain mean of the
# patches, and by a weighted mean, whose weights come from one learned query.


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
# And now all of it. Follow `forward_features` with the four equations beside you; everything above it only builds the parts. (`reg_token`
# adds registers where they are asked for: extra learned tokens that nobody reads. The last line of `__init__` initialises the linear maps as timm does, and `reset_head` is for the day when you have other classes.)


# %% tags=["same-as:vit_minimal.vision_transformer.init_linear"]
# vit_minimal/vision_transformer.py
def init_linear(module):
    """Start a linear map at N(0, 0.02²) and its bias at zero; leave any other module as it is."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


# %% [markdown] tags=["exercise:VisionTransformer"]
# The whole model. `__init__` is written. `forward_features` does Eq. 1 to 3 and the norm of Eq. 4: images (B, C, H, W) → tokens (B, T, D). `forward` reads them: with `self.config.pool == "class"` the class token goes to `self.head`; else the patches, which begin at token `self.num_prefix`, are averaged, by `self.attn_pool` if there is one, by a plain mean if not. (The dropout `self.pos_drop` stands before the blocks; with its rate of 0 it does nothing.)
#
# Hint: Eq. 1 from the inside: `patch_embed`, `reg_token` (registers; does nothing if there are none), `cls_token`, `pos_embed`. Each puts its tokens *in front*, and the class token shall be token 0.
#
# Hint: Then `pos_drop`, `blocks`, `norm`. The class token of all images is `x[:, 0]`.


# %% tags=["same-as:vit_minimal.vision_transformer.VisionTransformer", "exercise:VisionTransformer"]
# vit_minimal/vision_transformer.py
class VisionTransformer(nn.Module):
    """Images (B, C, H, W) → logits (B, num_classes). Order of tokens: class, registers, patches."""

    usual_order = True  # False in a variant with another: what reads its tokens refuses it

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
# *Find the bug.* Somebody builds the L blocks of a model. It trains, but see what the last line prints. Repair it.
#
# Hint: What does `[thing] * 3` put into the list, three things or one thing three times?
#
# Hint: Each block has to be built: call `EncoderBlock(config)` L times.
#
# Solution: `[block] * L` holds the same block L times, so all layers share their weights. Nothing fails, the model is only smaller than you think.


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
# Solution: (257 / 65)² ≈ 15.6. Half the patch side is four times the patches and nearly sixteen times the attention weights. What else costs time in a block grows with T only.

# %% tags=["exercise-only", "exercise:times_as_many_weights"]
# solution
# | times_as_many_weights = ...
times_as_many_weights = (257 / 65) ** 2
# end of solution

# %% [markdown]
# Send two images through and write down the shape after each part (K is the number of classes):


# %%
def report(name, letters):
    """A hook that prints the shape of what a module gives."""
    return lambda module, inputs, output: print(f"{name:12} {letters}  {tuple(output.shape)}")


# %% tags=["nbval-check-output"]
model = VisionTransformer(ViTConfig())
hooks = [model.patch_embed.register_forward_hook(report("patch_embed", "(B, N, D)"))]
for name in ("cls_token", "pos_embed", "blocks", "norm"):
    hooks.append(getattr(model, name).register_forward_hook(report(name, "(B, T, D)")))
hooks.append(model.head.register_forward_hook(report("head", "(B, K)   ")))

logits = model(torch.randn(2, 3, 32, 32))
for hook in hooks:
    hook.remove()

# %% [markdown]
# ## Count it
#
# ### Parameters
#
# By hand, with D = 192, L = 9 blocks, P = 4 and MLPs four times as wide. (Try it on paper: only the blocks are work.)

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
for name, count in by_hand.items():
    print(f"{name:16} {count:9,}  {count / sum(by_hand.values()):6.1%}")
actual = sum(parameter.numel() for parameter in model.parameters())
print(f"{'sum':16} {sum(by_hand.values()):9,}  the model has {actual:,}")

# %% [markdown]
# Two thirds sit in the MLPs, one third in attention, and the class token, this course's hero, is 192 numbers out of four million.
#
# Counting our own model by our own formula proves little. The tests of Google's own code ([google-research/vision_transformer](https://github.com/google-research/vision_transformer))
# list the sizes of their models, for 224 × 224 pixels and 1,000 classes, and ours must agree to the last digit. (`meta` is a device without memory: shapes only, so that even B/16 costs nothing.)

# %% tags=["nbval-check-output"]
published = {
    "Ti/16": (192, 3, 5_717_416),
    "S/16": (384, 6, 22_050_664),
    "B/16": (768, 12, 86_567_656),
}
for name, (width, heads, expected) in published.items():
    config = ViTConfig(224, 16, num_classes=1000, embed_dim=width, depth=12, num_heads=heads)
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in VisionTransformer(config).parameters())
    print(
        f"{name:5} {count:11,} {'as published' if count == expected else f'published: {expected:,}'}"
    )

# %% [markdown]
# ### Operations
#
# A matrix product of (a, b) by (b, c) takes a·b·c multiplications and as many additions: 2·a·b·c floating-point operations (FLOPs). For one image, and for
# matrix products only (norms, softmax and GELU are small change, and PyTorch's counter leaves them out too):

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
    model(torch.randn(1, 3, 32, 32))
print("PyTorch's counter agrees:", counter.get_total_flops() == sum(flops.values()))

# %% [markdown]
# The part that grows with T², QKᵀ and the weighted mean, is about a twentieth at T = 65. "Attention is quadratic" is true, and at this size not
# where the arithmetic goes. Halve the patch size and look again: T = 257. (Question 2.)
#
# ## The same numbers as timm and torchvision
#
# A model can have the right shapes and the right number of parameters and still compute something else: a norm in the wrong place, queries and
# keys exchanged, another GELU. The test that catches all of these: give somebody else's model and ours **the same weights** and compare
# the logits. Our parameter names follow timm's, so that there is little to rename.

# %%
import timm

config = ViTConfig(image_size=32, patch_size=4, embed_dim=96, depth=3, num_heads=3)
ours = VisionTransformer(config).eval()
theirs = timm.models.VisionTransformer(
    img_size=32, patch_size=4, embed_dim=96, depth=3, num_heads=3, num_classes=10
).eval()
for parameter in theirs.parameters():  # biases and norms too, so that none is 0 or 1
    parameter.data += 0.1 * torch.randn_like(parameter)

x = torch.randn(5, 3, 32, 32)
load_timm_state_dict(ours, theirs.state_dict())
with torch.no_grad():
    difference = (ours(x) - theirs(x)).abs().max().item()
print(f"timm: logits up to {theirs(x).abs().max():.1f}, largest difference {difference:.0e}")
assert difference < 1e-5

# %%
from torchvision.models import VisionTransformer as TorchvisionViT

theirs = TorchvisionViT(
    image_size=32,
    patch_size=4,
    num_layers=3,
    num_heads=3,
    hidden_dim=96,
    mlp_dim=384,
    num_classes=10,
).eval()
for parameter in theirs.parameters():
    parameter.data += 0.1 * torch.randn_like(parameter)

load_torchvision_state_dict(ours, theirs.state_dict())
with torch.no_grad():
    difference = (ours(x) - theirs(x)).abs().max().item()
print(f"torchvision: logits up to {theirs(x).abs().max():.1f}, largest difference {difference:.0e}")
assert difference < 1e-5

# %% [markdown]
# Rounding, and nothing else. Weights that do not fit are refused with the name of every parameter that differs:

# %% tags=["nbval-check-output"]
try:
    load_torchvision_state_dict(
        VisionTransformer(ViTConfig(embed_dim=96, depth=2)), theirs.state_dict()
    )
except ValueError as error:
    print(str(error)[:160], "…")

# %% [markdown]
# ## Before you train: the sanity ladder
#
# Training takes minutes to hours, and a broken model often trains, only worse. These four rungs take seconds. Climb them each time you change a model.
#
# ### Rung 1: the loss at the start is ln 10
#
# An untrained model has no reason to prefer a class. It should give each of 10 classes about 1/10, and the cross-entropy of that is
# ln 10 ≈ 2.303. Much more means that it is *confidently* wrong, usually because the head starts too large. (Images that nobody normalised do *not*
# show here: the layer norms hide them. Look at `x.min()` and `x.max()`.)

# %%
seed_everything(0)
model = VisionTransformer(config)
images, labels = shapes10(64, seed=4)
x = images.float() / 127.5 - 1
loss = F.cross_entropy(model(x), labels)
print(f"loss at the start {loss.item():.3f}, ln 10 = {math.log(10):.3f}")
assert abs(loss.item() - math.log(10)) < 0.2

# %% [markdown]
# ### Rung 2: samples do not see each other
#
# Does the output for image 0 depend on image 1? A wrong `view` can mix up the batch, and the loss still falls. Ask the gradient. Which numbers should the
# list hold?

# %% tags=["nbval-check-output"]
probe = x[:4].clone().requires_grad_()
model(probe)[0].sum().backward()  # the logits of image 0
print("image 0 depends on images", probe.grad.abs().sum(dim=(1, 2, 3)).nonzero().flatten().tolist())

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
# An empty list, as it should be. To see that the rung would catch something, break the model: a class token that hears only itself, the masked row of notebook 03,
# in every block.


# %% tags=["nbval-check-output"]
class DeafAttention(MultiHeadSelfAttention):
    def forward(self, x):
        own = self.split_heads(x)[2].transpose(1, 2).flatten(2)[:, :1]  # its own value, weight 1
        return torch.cat([self.proj(own), super().forward(x)[:, 1:]], dim=1)


deaf = VisionTransformer(config)
for block in deaf.blocks:
    block.attn = DeafAttention(96, 3)
print("without a gradient:", without_gradient(deaf))

# %% [markdown]
# The patch embedding does not learn, because nobody reads the patches. (The list names whole tensors. Parts of others, such as 64 of the 65 position rows,
# get no gradient either.) The class token itself *has* a gradient, so "the class token gets a gradient" alone
# would have told us nothing.
#
# ### Rung 4: it can learn one batch by heart
#
# 64 images, no regularisation. A model with thousands of times more parameters than there are labels must bring the loss to nearly 0. If it
# cannot, the fault is in the model, the loss or the learning rate, and not in the data or your patience.

# %%
seed_everything(0)
model = VisionTransformer(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
losses = []
for _ in range(100):
    loss = F.cross_entropy(model(x), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"loss after 100 steps: {losses[-1]:.3f}")
assert losses[-1] < 0.1

plots.show_lines(
    range(1, len(losses) + 1),
    {"loss": losses},
    "step",
    "cross-entropy",
    "One batch, learned by heart",
    ("ln 10", math.log(10)),
)

# %% [markdown]
# From ln 10 down to almost nothing. The model is ready for data.
#
# > **Keep this:** tokens are running sums. Attention lets them listen, the MLP lets them think, each adds to the sum, and at the end we
# > read row 0. And: same weights, same logits as somebody else's model is the strongest test of a forward pass.
#
# ## Recap
#
# - A block is `x + attn(norm(x))`, then `x + mlp(norm(x))`. Before the first: Eq. 1. After the last: norm, row 0, one linear head.
# - Pre-norm keeps the residual stream a plain sum: layers read a normalised copy of it.
# - About two thirds of the parameters and of the work are in the MLPs at this size.
# - Four checks before training: loss at ln 10, no leaks between samples, gradients everywhere, one batch by heart.
#
# ## Questions
#
# **1.** Rung 1 gives you a loss of 7. Name two possible causes.
#
# <details><summary>Answer</summary>
#
# The head still has 1,000 outputs: ln 1000 is 6.9. Or its weights start too large: then most images get a few large scores, and most of these are wrong. To
# tell, print the shape of the logits and their standard deviation, which should be well below 1 at the start.
#
# </details>
#
# **2.** With P = 2 there are 256 patches and T = 257. What share of the FLOPs is then in QKᵀ and the weighted mean?
#
# <details><summary>Answer</summary>
#
# Per block and token, in units of 2·D: the four linear maps of attention cost 4·D, the MLP 8·D, scores and weighted mean 2·T. So the share is
# 2T / (12D + 2T): at T = 65 it is 130 / 2,434 = 5 %, at T = 257 it is 514 / 2,818 = 18 %.
#
# </details>
#
# **3.** Why does pre-norm need a norm after the last block, when post-norm does not?
#
# <details><summary>Answer</summary>
#
# With pre-norm only copies are normalised. The stream itself keeps growing, and its size differs between images and blocks. The head should read
# numbers of a fixed size, so one norm stands before it. With post-norm the last thing each block does is to normalise the stream.
#
# </details>
#
# ---
#
# **Try it yourself:** [exercises 04](exercises/04_vision_transformer.ipynb), with checks that say what is wrong.
#
# **Next: [05 · Training on CIFAR-10](05_training_on_cifar10.ipynb).** Notebook [00](00_start_here.ipynb) trained a smaller model of this kind, and you have now seen every line of that model. What was
# left out is the training around it: a longer version of rung 4's loop.
