"""One learned vector that belongs to no patch, and what tells tokens where they are.

B batch, N patches, T = N + 1 tokens, D embedding width. Dosovitskiy et al. 2021, Eq. 1;
the idea is the [CLS] of BERT, Devlin et al. 2018, https://arxiv.org/abs/1810.04805.
"""

import torch
from torch import nn


class ClassToken(nn.Module):
    """Put one learned vector, x_class in Eq. 1, before each sequence: (B, N, D) → (B, 1 + N, D).

    Or `count` of them, (B, count + N, D): registers are class tokens that nobody reads.
    """

    def __init__(self, embed_dim, count=1):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, count, embed_dim) * 0.02)

    def forward(self, tokens):
        B = tokens.shape[0]  # not len(tokens): an exported model would keep this number for ever
        return torch.cat([self.weight.expand(B, -1, -1), tokens], dim=1)


class PositionEmbedding(nn.Module):
    """Add to every token a vector that says where it is, E_pos in Eq. 1: (B, T, D) → (B, T, D).

    `num_prefix` tokens (the class token) come before the patches and have no place in the image:
    learned embeddings give each a slot of its own, sinusoidal ones (fixed) add zero to them.
    """

    def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
        super().__init__()
        if sinusoidal:
            table = nn.functional.pad(sinusoidal_2d(grid_size, embed_dim), (0, 0, num_prefix, 0))
            self.register_buffer("weight", table[None], persistent=False)
        else:
            num_tokens = num_prefix + grid_size[0] * grid_size[1]
            self.weight = nn.Parameter(torch.randn(1, num_tokens, embed_dim) * 0.02)

    def forward(self, tokens):
        return tokens + self.weight


def sinusoidal_2d(grid_size, embed_dim, temperature=10_000.0):
    """Sines and cosines of each patch's column and row: (N, D). ValueError if 4 does not divide D.

    Vaswani et al. 2017, Section 3.5, once per axis as in https://arxiv.org/abs/2205.01580.
    """
    if embed_dim % 4:
        raise ValueError(f"sinusoidal positions need an embed_dim divisible by 4, not {embed_dim}")
    y, x = torch.meshgrid(*map(torch.arange, grid_size), indexing="ij")  # rows, columns
    frequencies = temperature ** -torch.linspace(0, 1, embed_dim // 4)  # radians per patch
    x, y = x.reshape(-1, 1) * frequencies, y.reshape(-1, 1) * frequencies  # (N, D/4) each
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=1)
