"""Vision Transformers that treat the class token otherwise, and a convolutional net beside them.

B batch, N patches, T tokens, D embedding width. Each ViT changes as little of VisionTransformer as it
can and has its parameters, so that one experiment can hold them against each other.
"""

import torch
from torch import nn

from .vision_transformer import VisionTransformer


class ReadsFirstPatch(VisionTransformer):
    """Off by one: the head reads token 1, the patch in the upper left corner (without registers)."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, 1])


class AveragesAllTokens(VisionTransformer):
    """The mean over all tokens, the class token among them."""

    def forward(self, images):
        return self.head(self.forward_features(images).mean(dim=1))


class WithClassToken(VisionTransformer):
    """What the variants below are made of, which say something of the class token. ValueError for a
    configuration without one, or with registers where a variant has no place for them.
    """

    takes_registers = True

    def __init__(self, config):
        name = type(self).__name__
        if config.pool != "class":
            raise ValueError(f'{name} needs a class token: pool="class", not pool="{config.pool}"')
        if config.num_registers and not self.takes_registers:
            raise ValueError(f"{name} has no place for registers: num_registers must be 0")
        super().__init__(config)


class ClassTokenLast(WithClassToken):
    """The class token after the patches, as text models that read from left to right have it."""

    usual_order = takes_registers = False

    def forward_features(self, images):
        x = self.cls_token(self.patch_embed(images)).roll(-1, dims=1)  # the first becomes the last
        return self.norm(self.blocks(self.pos_drop(self.pos_embed(x))))

    def forward(self, images):
        return self.head(self.forward_features(images)[:, -1])


class LastButReadsFirst(ClassTokenLast):
    """The class token after the patches, and the head still reads token 0."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, 0])


class NoPositionForClassToken(WithClassToken):
    """Only patches get a position embedding (timm's `no_embed_class`)."""

    takes_registers = False

    def forward_features(self, images):
        without_token = nn.functional.pad(self.patch_embed(images), (0, 0, 1, 0))
        patches = self.pos_embed(without_token)[:, 1:]
        return self.norm(self.blocks(self.pos_drop(self.cls_token(patches))))


class SeveralClassTokens(WithClassToken):
    """The head reads the mean of the class token and the registers: R + 1 class tokens."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, : self.num_prefix].mean(dim=1))


class LateClassToken(WithClassToken):
    """The class token joins the patches before the last block only.

    After Touvron et al. 2021, https://arxiv.org/abs/2103.17239, Section 3, where it joins late too,
    but the patches stay as they are from there on.
    """

    usual_order = False  # before the last block
    takes_registers = False

    def forward_features(self, images):
        x = self.pos_embed(self.cls_token(self.patch_embed(images)))
        class_tokens, patches = x[:, :1], self.blocks[:-1](self.pos_drop(x[:, 1:]))
        return self.norm(self.blocks[-1](torch.cat([class_tokens, patches], dim=1)))


class CutClassToken(WithClassToken):
    """The class token is detached before the head: nothing behind the head gets a gradient."""

    def forward(self, images):
        return self.head(self.forward_features(images)[:, 0].detach())


class Masked(VisionTransformer):
    """A mask, the same in all blocks, forbids some tokens to attend to some others."""

    def __init__(self, config):
        super().__init__(config)
        mask = self.forbid(torch.ones(self.num_tokens, self.num_tokens, dtype=torch.bool))
        for block in self.blocks:
            block.attn.mask = mask

    def forbid(self, mask):
        """The mask (T, T), True where a token (row) may attend to another (column)."""
        raise NotImplementedError


class BlindClassToken(Masked, WithClassToken):
    """The class token sees itself alone."""

    def forbid(self, mask):
        mask[0, 1:] = False
        return mask


class UnseenClassToken(Masked, WithClassToken):
    """No patch sees the class token: it reads, and is not read."""

    def forbid(self, mask):
        mask[1:, 0] = False
        return mask


class PatchesAlone(Masked):
    """No token sees another. With a mean at the end: a vote of patches that know nothing else."""

    def forbid(self, mask):
        return torch.eye(len(mask), dtype=torch.bool)


class CausalClassTokenFirst(Masked, WithClassToken):
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
        channels, layers = config.in_channels, []
        for stride in strides:
            layers += [nn.Conv2d(channels, width, 3, stride, padding=1), nn.BatchNorm2d(width)]
            layers += [nn.ReLU()]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, config.num_classes)

    def forward(self, images):
        return self.head(self.layers(images).mean(dim=(2, 3)))


VARIANTS = {variant.__name__: variant for variant in (
    VisionTransformer, ReadsFirstPatch, AveragesAllTokens, ClassTokenLast, LastButReadsFirst,
    NoPositionForClassToken, SeveralClassTokens, LateClassToken, CutClassToken, BlindClassToken,
    UnseenClassToken, PatchesAlone, CausalClassTokenFirst, CausalClassTokenLast,
)}  # fmt: skip
