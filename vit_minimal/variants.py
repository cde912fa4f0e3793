"""Vision Transformers that treat the class token otherwise: by mistake, or by design.

B batch, N patches, T tokens, D embedding width. Each changes as little of VisionTransformer as it
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
        out = nn.functional.scaled_dot_product_attention(queries, keys, values, self.mask)
        return self.proj(out.transpose(1, 2).flatten(2))


class BlindClassToken(VisionTransformer):
    """A mask by which the class token sees itself alone."""

    def __init__(self, config):
        super().__init__(config)
        mask = torch.ones(2 * self.pos_embed.weight.shape[1:2], dtype=torch.bool)
        self.register_buffer("mask", self.forbid(mask), persistent=False)
        for block in self.blocks:
            block.attn.__class__ = MaskedAttention  # the same weights, drawn in the same order

    @staticmethod
    def forbid(mask):
        mask[0, 1:] = False
        return mask

    def forward_features(self, images):
        for block in self.blocks:
            block.attn.mask = self.mask  # follows the model from device to device
        return super().forward_features(images)


class UnseenClassToken(BlindClassToken):
    """A mask by which no patch sees the class token: it listens, but does not speak."""

    @staticmethod
    def forbid(mask):
        mask[1:, 0] = False
        return mask


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
    )
}
