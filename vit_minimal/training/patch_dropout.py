"""Patch dropout: a ViT reads a set of patches, so it can be trained on a part of them.

B batch, N patches, T tokens, D embedding width. Liu et al. 2022, https://arxiv.org/abs/2208.07220.
"""

from contextlib import contextmanager

import torch
from torch import nn


class PatchDropout(nn.Module):
    """Keep, in each image, a random part of the patches: tokens (B, T, D) → (B, T′, D).

    The first `num_prefix` tokens (class token, registers) stay, and so does the share 1 − `rate` of
    the others, at least one; each image draws its own. In evaluation mode all tokens stay.
    """

    def __init__(self, rate, num_prefix=1):
        super().__init__()
        self.rate, self.num_prefix = rate, num_prefix

    def forward(self, tokens):
        if not self.training:
            return tokens
        B, T, D = tokens.shape
        N = T - self.num_prefix
        kept = max(1, round(N * (1 - self.rate)))
        lots = torch.rand(B, N, device=tokens.device)
        chosen = lots.argsort(dim=1)[:, :kept] + self.num_prefix  # (B, kept)
        patches = tokens.gather(1, chosen[:, :, None].expand(B, kept, D))
        return torch.cat([tokens[:, : self.num_prefix], patches], dim=1)


def check_can_drop_patches(model):
    """ValueError if `model` is not one that may be trained on a part of its patches."""
    if not getattr(model, "usual_order", False):
        fault = "is no VisionTransformer that keeps its class token before the patches"
    elif any(block.attn.mask is not None for block in model.blocks):
        fault = "has a mask, which counts on all patches being there"
    else:
        return
    raise ValueError(
        f"patch_drop_rate leaves out patches, and {type(model).__name__} {fault}: train it with "
        "patch_drop_rate 0"
    )


@contextmanager
def patches_dropped(model, rate):
    """A context in which `model`, while it trains, is shown a part of each image's patches.

    Positions are added before the choice: a patch that stays still says where it was.
    """
    plain = model.pos_drop  # what tokens pass on their way into the first block
    model.pos_drop = nn.Sequential(plain, PatchDropout(rate, model.num_prefix)).train(
        plain.training
    )
    try:
        yield
    finally:
        model.pos_drop = plain
