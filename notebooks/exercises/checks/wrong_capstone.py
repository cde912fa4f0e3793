"""The course's model with timm's plain names, and versions of it that do one thing otherwise."""

import torch
from torch import nn
from torch.nn.functional import gelu, relu

from vit_minimal.attention import MultiHeadSelfAttention, attention_weights
from vit_minimal.patches import PatchEmbedding
from vit_minimal.vision_transformer import MLP, EncoderBlock, ViTConfig


class PlainViT(nn.Module):
    """Images (B, C, H, W) → logits (B, K), with parameters named as timm names them."""

    block, attention, mlp, layer_norm = EncoderBlock, MultiHeadSelfAttention, MLP, nn.LayerNorm

    def __init__(
        self,
        image_size=32,
        patch_size=8,
        in_channels=3,
        num_classes=10,
        embed_dim=64,
        depth=3,
        num_heads=4,
        mlp_ratio=2.0,
    ):
        super().__init__()
        config = ViTConfig(
            image_size=image_size,
            embed_dim=embed_dim,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
        )
        num_tokens = 1 + (image_size // patch_size) ** 2
        self.patch_embed = PatchEmbedding(image_size, patch_size, in_channels, embed_dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, num_tokens, embed_dim) * 0.02)
        self.blocks = nn.Sequential(*(EncoderBlock(config) for _ in range(depth)))
        self.norm = nn.LayerNorm(embed_dim, eps=config.norm_eps)
        self.head = nn.Linear(embed_dim, num_classes)
        for block in self.blocks:  # the same parts and weights, another way of computing
            block.__class__ = self.block
            block.attn.__class__, block.mlp.__class__ = self.attention, self.mlp
        for norm in [part for part in self.modules() if isinstance(part, nn.LayerNorm)]:
            norm.__class__ = self.layer_norm

    def embed(self, images):
        patches = self.patch_embed(images)
        return torch.cat([self.cls_token.expand(len(images), -1, -1), patches], 1) + self.pos_embed

    def read(self, tokens):
        return self.head(self.norm(tokens)[:, 0])

    def forward(self, images):
        return self.read(self.blocks(self.embed(images)))


def with_parts(**parts):
    """A version of the model in which methods, or the classes of its parts, are others."""
    return type("PlainViT", (PlainViT,), parts)


def with_block(forward):
    return with_parts(block=type("EncoderBlock", (EncoderBlock,), {"forward": forward}))


def with_attention(
    weigh=attention_weights, split=None, merge=lambda out: out.transpose(1, 2).flatten(2), end=None
):
    """A model whose attention computes its weights, its heads or its output otherwise."""

    def forward(self, x):
        q, k, v = (split or MultiHeadSelfAttention.split_heads)(self, x)
        out = merge(weigh(q, k) @ v)
        return end(self, out) if end else self.proj(out)

    kind = type("MultiHeadSelfAttention", (MultiHeadSelfAttention,), {"forward": forward})
    return with_parts(attention=kind)


def with_activation(activation):
    def forward(self, x):
        return self.fc2(activation(self.fc1(x)))

    return with_parts(mlp=type("MLP", (MLP,), {"forward": forward}))


def with_norm(normalise):
    """A model in which all norms compute otherwise, before their weight and bias."""

    def forward(self, x):
        return normalise(x) * self.weight + self.bias

    return with_parts(layer_norm=type("LayerNorm", (nn.LayerNorm,), {"forward": forward}))


def centred(x):
    return x - x.mean(dim=-1, keepdim=True)


def class_token_behind(self, images):
    patches = self.patch_embed(images)
    return torch.cat([patches, self.cls_token.expand(len(images), -1, -1)], 1) + self.pos_embed


def no_position_for_the_class_token(self, images):
    patches = self.patch_embed(images) + self.pos_embed[:, 1:]
    return torch.cat([self.cls_token.expand(len(images), -1, -1), patches], 1)


def positions_for_the_class_token_alone(self, images):
    first = (self.cls_token + self.pos_embed[:, :1]).expand(len(images), -1, -1)
    return torch.cat([first, self.patch_embed(images)], 1)


def no_positions(self, images):
    first = self.cls_token.expand(len(images), -1, -1)
    return torch.cat([first, self.patch_embed(images)], 1)


def positions_in_front_of_each_block(self, images):
    x = no_positions(self, images)
    for block in self.blocks:
        x = block(x + self.pos_embed)
    return self.read(x)


def columns_first(self, images):
    first = self.cls_token.expand(len(images), -1, -1)
    patches = self.patch_embed.proj(images).transpose(2, 3).flatten(2).mT
    return torch.cat([first, patches], 1) + self.pos_embed


def reshaped_without_transpose(self, images):
    grid = self.patch_embed.proj(images)
    patches = grid.reshape(len(images), -1, grid.shape[1])
    first = self.cls_token.expand(len(images), -1, -1)
    return torch.cat([first, patches], 1) + self.pos_embed


def heads_by_reshape(self, x):
    """Each of q, k, v (B, T, D) → (B, h, T, d) in a single step, which tears tokens apart."""
    B, T, _ = x.shape
    return [part.reshape(B, self.num_heads, T, -1) for part in self.qkv(x).chunk(3, dim=-1)]


def heads_outermost(self, x):
    """The 3D numbers taken for h heads of q, k and v each, instead of q, k and v of h heads."""
    B, T, _ = x.shape
    parts = self.qkv(x).reshape(B, T, self.num_heads, 3, self.head_dim)
    return parts.permute(3, 0, 2, 1, 4)


def one_head(self, x):
    return [part[:, None] for part in self.qkv(x).chunk(3, dim=-1)]


def in_order(*order):
    def split(self, x):
        parts = MultiHeadSelfAttention.split_heads(self, x)
        return [parts[i] for i in order]

    return split


def adding_to_copies(self, x):
    y = self.norm1(x)
    z = self.norm2(y + self.attn(y))
    return z + self.mlp(z)


MISTAKES = {
    "the logits are probabilities already: leave the softmax to the loss": with_parts(
        read=lambda self, x: PlainViT.read(self, x).softmax(dim=-1)
    ),
    "the norm after the last block is missing (Eq. 4)": with_parts(
        read=lambda self, x: self.head(x[:, 0])
    ),
    "the head reads the mean of all tokens: it should read the class token, token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x).mean(dim=1))
    ),
    "the head reads the mean of the patches: it should read the class token, token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x)[:, 1:].mean(dim=1))
    ),
    "the head reads the mean of all tokens, and the norm comes after it: it should read the class "
    "token, token 0, of the normalised ones": with_parts(
        read=lambda self, x: self.head(self.norm(x.mean(dim=1)))
    ),
    "the head reads the mean of the patches, and the norm comes after it: it should read the class "
    "token, token 0, of the normalised ones": with_parts(
        read=lambda self, x: self.head(self.norm(x[:, 1:].mean(dim=1)))
    ),
    "the head reads the last token: the class token is token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x)[:, -1])
    ),
    "the head reads token 1, the first patch: the class token is token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x)[:, 1])
    ),
    "the class token stands behind the patches: it should stand in front of them": with_parts(
        embed=class_token_behind, read=lambda self, x: self.head(self.norm(x)[:, -1])
    ),
    "the class token stands behind the patches, and the head reads a patch": with_parts(
        embed=class_token_behind
    ),
    "the class token has no position: row 0 of `pos_embed` is its own": with_parts(
        embed=no_position_for_the_class_token
    ),
    "no position is added to any token": with_parts(embed=no_positions),
    "the positions are added in front of each block: once is enough, Eq. 1": with_parts(
        forward=positions_in_front_of_each_block
    ),
    "only the class token gets its position: the patches have theirs too": with_parts(
        embed=positions_for_the_class_token_alone
    ),
    "the patches are counted column by column: they should be counted row by row": with_parts(
        embed=columns_first
    ),
    "(B, D, H/P, W/P) was reshaped to (B, N, D), which tears the D numbers of a patch apart: flatten "
    "the two axes of the grid, then exchange axes 1 and 2": with_parts(
        embed=reshaped_without_transpose
    ),
    "the norms divide by the unbiased deviation, PyTorch's default: a LayerNorm has "
    "`unbiased=False`, which divides the sum of squares by D and not by D − 1": with_norm(
        lambda x: centred(x) / x.std(dim=-1, keepdim=True)
    ),
    "the norms do not subtract the mean, and divide by the unbiased deviation: a LayerNorm subtracts "
    "it, and has `unbiased=False`": with_norm(lambda x: x / x.std(dim=-1, keepdim=True)),
    "the norms do not subtract the mean of a token's numbers": with_norm(
        lambda x: x / x.std(dim=-1, keepdim=True, unbiased=False)
    ),
    "the norms divide by the root of the mean square: a LayerNorm subtracts the mean first": (
        with_norm(lambda x: x / x.square().mean(dim=-1, keepdim=True).sqrt())
    ),
    "the norms divide by the variance: it is its root, the deviation": with_norm(
        lambda x: centred(x) / (x.var(dim=-1, keepdim=True, unbiased=False) + 1e-5)
    ),
    "the norms divide by the unbiased variance: it is its root, the deviation, with "
    "`unbiased=False`": with_norm(lambda x: centred(x) / (x.var(dim=-1, keepdim=True) + 1e-5)),
    "the norms only subtract the mean: they divide by the deviation too": with_norm(centred),
    "the norms take mean and deviation over all tokens: each token has its own, over its D numbers": (
        with_norm(lambda x: (x - x.mean((1, 2), True)) / x.std((1, 2), keepdim=True))
    ),
    "the activation of the MLP is ReLU: it should be GELU": with_activation(relu),
    "GELU is approximated by tanh: take the exact one, which is PyTorch's default": with_activation(
        lambda x: gelu(x, approximate="tanh")
    ),
    "the MLP has no activation between its two linear maps": with_activation(lambda x: x),
    "the MLP reads tokens that are not normalised: norm2 is missing": with_block(
        lambda self, x: (y := x + self.attn(self.norm1(x))) + self.mlp(y)
    ),
    "the MLP replaces the tokens: `x +` is missing in Eq. 3": with_block(
        lambda self, x: self.mlp(self.norm2(x + self.attn(self.norm1(x))))
    ),
    "attention and MLP both replace the tokens: `x +` is missing in Eq. 2 and 3": with_block(
        lambda self, x: self.mlp(self.norm2(self.attn(self.norm1(x))))
    ),
    "the attention replaces the tokens: `x +` is missing in Eq. 2": with_block(
        lambda self, x: (y := self.attn(self.norm1(x))) + self.mlp(self.norm2(y))
    ),
    "this is post-norm: normalise what attention and MLP read, not what they have added to": (
        with_block(lambda self, x: self.norm2((y := self.norm1(x + self.attn(x))) + self.mlp(y)))
    ),
    "what is added to is the normalised copy: add to x itself": with_block(adding_to_copies),
    "the attention's half adds to norm1(x) and not to x, Eq. 2": with_block(
        lambda self, x: (y := (n := self.norm1(x)) + self.attn(n)) + self.mlp(self.norm2(y))
    ),
    "the MLP's half adds to norm2(x) and not to x, Eq. 3": with_block(
        lambda self, x: (n := self.norm2(x + self.attn(self.norm1(x)))) + self.mlp(n)
    ),
    "norm1 comes after the attention: it should come before, Eq. 2": with_block(
        lambda self, x: (y := x + self.norm1(self.attn(x))) + self.mlp(self.norm2(y))
    ),
    "norm2 comes after the MLP: it should come before, Eq. 3": with_block(
        lambda self, x: (y := x + self.attn(self.norm1(x))) + self.norm2(self.mlp(y))
    ),
    "the norms come after attention and MLP: they should come before, Eq. 2 and 3": with_block(
        lambda self, x: (y := x + self.norm1(self.attn(x))) + self.norm2(self.mlp(y))
    ),
    "the norms of a block are exchanged: norm1 belongs to the attention": with_block(
        lambda self, x: (y := x + self.attn(self.norm2(x))) + self.mlp(self.norm1(y))
    ),
    "the attention reads tokens that are not normalised: norm1 is missing": with_block(
        lambda self, x: (y := x + self.attn(x)) + self.mlp(self.norm2(y))
    ),
    "attention and MLP both read the input of the block: the MLP comes after, Eq. 3": with_block(
        lambda self, x: x + self.attn(self.norm1(x)) + self.mlp(self.norm2(x))
    ),
    "the MLP comes first in a block: the attention should": with_block(
        lambda self, x: (y := x + self.mlp(self.norm2(x))) + self.attn(self.norm1(y))
    ),
    "`attn.proj` is not used: it comes after the heads are side by side again": with_attention(
        end=lambda self, out: out
    ),
    "keys and values are exchanged: `qkv` gives queries, keys, values": with_attention(
        split=in_order(0, 2, 1)
    ),
    "queries and values are exchanged: `qkv` gives queries, keys, values": with_attention(
        split=in_order(2, 1, 0)
    ),
    "`qkv` is split by heads first: it gives all queries, then all keys, then all values": (
        with_attention(split=heads_outermost)
    ),
    "(B, h, T, d) is reshaped to (B, T, D), which puts other tokens side by side: exchange the axes "
    "of heads and tokens first": with_attention(
        merge=lambda out: out.reshape(out.shape[0], out.shape[2], -1)
    ),
    "(B, T, D) is reshaped to (B, h, T, d) in a single step, which tears tokens apart: to "
    "(B, T, h, d), then exchange two axes": with_attention(split=heads_by_reshape),
    "there is one head only: `num_heads` is not used": with_attention(split=one_head),
    "the scores are not divided by √d": with_attention(lambda q, k: (q @ k.mT).softmax(dim=-1)),
    "the scores are divided by d: it is √d": with_attention(
        lambda q, k: (q @ k.mT / q.shape[-1]).softmax(dim=-1)
    ),
    "the scores are divided by √D: a head has d = D / h numbers": with_attention(
        lambda q, k: (q @ k.mT / (q.shape[1] * q.shape[-1]) ** 0.5).softmax(dim=-1)
    ),
    "the scores are multiplied by √d: they should be divided by it": with_attention(
        lambda q, k: (q @ k.mT * q.shape[-1] ** 0.5).softmax(dim=-1)
    ),
    "the softmax runs over the queries: each query's shares should sum to 1, dim=-1": (
        with_attention(lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-2))
    ),
    "queries and keys are exchanged: `qkv` gives queries, keys, values": with_attention(
        split=in_order(1, 0, 2)
    ),
    "there is no softmax: a token's shares are positive and sum to 1": with_attention(
        lambda q, k: q @ k.mT / q.shape[-1] ** 0.5
    ),
    "only the first block is used: there are `depth` of them, one after the other": with_parts(
        forward=lambda self, images: self.read(self.blocks[0](self.embed(images)))
    ),
    "the last block is left out": with_parts(
        forward=lambda self, images: self.read(self.blocks[:-1](self.embed(images)))
    ),
}
