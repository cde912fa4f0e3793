"""Vision Transformers that treat the class token otherwise, and a convolutional net beside them.

B batch, N patches, T tokens, D embedding width. Each ViT changes as little of VisionTransformer as it
can and has its parameters, so that one experiment can hold them against each other.
"""

import torch
from torch import nn

from .attention import MultiHeadSelfAttention
from .vision_transformer import VisionTransformer


class ReadsFirstPatch(VisionTransformer):
    """Off by one: the head reads token 1, the patch in the upper left corner."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, 1])


class AveragesAllTokens(VisionTransformer):
    """The mean over all tokens, the class token among them."""

    def forward(self, images):
        return self.head(self.forward_features(images).mean(dim=1))


class ClassTokenLast(VisionTransformer):
    """The class token after the patches, as text models that read from left to right have it."""

    def forward_features(self, images):
        x = torch.cat(
            [self.patch_embed(images), self.cls_token.weight.expand(len(images), -1, -1)], 1
        )
        return self.norm(self.blocks(self.pos_drop(self.pos_embed(x))))

    def forward(self, images):
        return self.head(self.forward_features(images)[:, -1])


class LastButReadsFirst(ClassTokenLast):
    """The class token after the patches, and the head still reads token 0."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, 0])


class NoPositionForClassToken(VisionTransformer):
    """Only patches get a position embedding (timm's `no_embed_class`)."""

    def forward_features(self, images):
        patches = self.patch_embed(images) + self.pos_embed.weight[:, 1:]
        return self.norm(self.blocks(self.pos_drop(self.cls_token(patches))))


class SeveralClassTokens(VisionTransformer):
    """The head reads the mean of the class token and the registers: R + 1 class tokens."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, : self.num_prefix].mean(dim=1))


class LateClassToken(VisionTransformer):
    """The class token joins the patches before the last block only.

    After Touvron et al. 2021, https://arxiv.org/abs/2103.17239, Section 3, where it joins late too,
    but the patches stay as they are from there on.
    """

    def forward_features(self, images):
        position, positions = self.pos_embed.weight.split(
            [1, self.pos_embed.weight.shape[1] - 1], 1
        )
        patches = self.blocks[:-1](self.pos_drop(self.patch_embed(images) + positions))
        class_token = (self.cls_token.weight + position).expand(len(images), -1, -1)
        return self.norm(self.blocks[-1](torch.cat([class_token, patches], dim=1)))


class CutClassToken(VisionTransformer):
    """The class token is detached before the head: nothing behind the head gets a gradient."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, 0].detach())


class MaskedAttention(MultiHeadSelfAttention):
    """Attention in which `mask` (T, T) says who may look (row) at whom (column)."""

    mask = None

    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        scores = queries @ keys.transpose(-2, -1) / self.head_width**0.5
        weights = scores.masked_fill(~self.mask, -torch.inf).softmax(dim=-1)
        out = (self.attn_drop(weights) @ values).transpose(1, 2).flatten(2)
        return self.proj_drop(self.proj(out))


class Masked(VisionTransformer):
    """A mask, the same in all blocks, forbids some tokens to see some others."""

    def __init__(self, config):
        super().__init__(config)
        T = self.pos_embed.weight.shape[1]
        mask = self.forbid(torch.ones(T, T, dtype=torch.bool))
        self.register_buffer("mask", mask, persistent=False)
        for block in self.blocks:
            block.attn.__class__ = MaskedAttention  # the same weights, drawn in the same order

    def forward_features(self, images):
        for block in self.blocks:
            block.attn.mask = self.mask  # follows the model from device to device
        return super().forward_features(images)


class BlindClassToken(Masked):
    """The class token sees itself alone."""

    def forbid(self, mask):
        mask[0, 1:] = False
        return mask


class UnseenClassToken(Masked):
    """No patch sees the class token: it listens, but does not speak."""

    def forbid(self, mask):
        mask[1:, 0] = False
        return mask


class PatchesAlone(Masked):
    """No token sees another. With a mean at the end: a vote of patches that know nothing else."""

    def forbid(self, mask):
        return mask & torch.eye(len(mask), dtype=torch.bool)


class CausalClassTokenFirst(Masked):
    """Each token sees itself and those before it, as in GPT; the class token is the first."""

    def forbid(self, mask):
        return mask.tril()


class CausalClassTokenLast(CausalClassTokenFirst, ClassTokenLast):
    """Each token sees itself and those before it, as in GPT; the class token is the last."""


class ConvNet(nn.Module):
    """No Transformer at all: 3 × 3 convolutions, the mean over all places, a linear head.

    Images (B, C, H, W) → logits (B, num_classes). A number of the last layer sees 1 + 2·Σ jᵢ pixels
    to a side, jᵢ being the product of the `strides` before layer i: 11 for five strides of 1, and
    47 for 2, 2, 2, 1, 1.
    """

    def __init__(self, config, width=64, strides=(2, 2, 2, 1, 1)):
        super().__init__()
        self.config = config  # a ViTConfig, of which only channels and classes count here
        channels = [config.in_channels, *[width] * len(strides)]
        layers = []
        for before, after, stride in zip(channels, channels[1:], strides, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride, padding=1), nn.BatchNorm2d(after)]
            layers += [nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, config.num_classes)

    def forward(self, images):
        return self.head(self.layers(images).mean(dim=(2, 3)))


VARIANTS = {
    variant.__name__: variant
    for variant in (
        VisionTransformer,
        ReadsFirstPatch,
        AveragesAllTokens,
        ClassTokenLast,
        LastButReadsFirst,
        NoPositionForClassToken,
        SeveralClassTokens,
        LateClassToken,
        CutClassToken,
        BlindClassToken,
        UnseenClassToken,
        PatchesAlone,
        CausalClassTokenFirst,
        CausalClassTokenLast,
    )
}
