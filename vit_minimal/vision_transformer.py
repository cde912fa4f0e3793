"""The Vision Transformer: patches, a class token, L encoder blocks, one linear head.

B batch, C channels, H × W image, T tokens, D embedding width. Names follow timm's.
Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929, Eq. 1–4.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from .attention import MultiHeadSelfAttention, head_dim
from .class_token import ClassToken, PositionEmbedding, sinusoidal_2d
from .patches import PatchEmbedding, patch_grid
from .settings import check_choice, check_kinds, check_least, check_share, plain_number


@dataclass(frozen=True)
class ViTConfig:
    """Everything that fixes the architecture. Combinations that cannot work are a ValueError."""

    image_size: int | tuple[int, int] = 32  # pixels: one side of a square, or (H, W)
    patch_size: int = 4  # pixels
    in_channels: int = 3
    num_classes: int = 10
    embed_dim: int = 192  # D
    depth: int = 9  # L, encoder blocks
    num_heads: int = 3  # h
    mlp_ratio: float = 4.0  # hidden width of the MLP, in units of D
    pool: str = "class"  # what the head reads: the "class" token, the "mean" patch, "attention"
    num_registers: int = 0  # spare tokens (Darcet et al. 2024, https://arxiv.org/abs/2309.16588)
    pos_embed: str = "learned"  # or "sinusoidal", fixed
    norm_first: bool = True  # normalise before each layer ("pre-norm"), or after ("post-norm")
    norm_eps: float = 1e-6  # what LayerNorm adds to a variance; Hugging Face's ViTs have 1e-12
    pos_drop_rate: float = 0.0  # dropout on the tokens that enter the first block
    proj_drop_rate: float = 0.0  # dropout in and after the MLP, and after the attention
    attn_drop_rate: float = 0.0  # dropout on the attention weights
    drop_path_rate: float = 0.0  # how often the last block's layers are skipped; 0 at the first,
    # and so in a model of one block

    def __post_init__(self):
        self._check_image_size()
        widths = ("in_channels", "num_classes", "embed_dim", "depth")
        rates = ("pos_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate")
        check_kinds(self, (*widths, "patch_size", "num_heads", "num_registers"), int)
        check_kinds(self, (*rates, "mlp_ratio", "norm_eps"), float)
        check_kinds(self, ("norm_first",), bool)
        for name in widths:
            check_least(name, getattr(self, name), 1)
        for name in ("num_registers", "norm_eps"):
            check_least(name, getattr(self, name), 0)
        for name in rates:
            check_share(name, getattr(self, name))
        if not 1 <= self.embed_dim * self.mlp_ratio < 1e9:
            raise ValueError(f"mlp_ratio {self.mlp_ratio} gives the MLP no possible hidden width")
        check_choice("pool", self.pool, ("class", "mean", "attention"))
        check_choice("pos_embed", self.pos_embed, ("learned", "sinusoidal"))
        patch_grid(self.image_size, self.patch_size)  # which say what does not fit
        head_dim(self.embed_dim, self.num_heads)
        if self.pos_embed == "sinusoidal":
            sinusoidal_2d((1, 1), self.embed_dim)

    def _check_image_size(self):
        size = plain_number(self.image_size)
        if hasattr(size, "__len__"):  # a list, from JSON, or an array
            size = tuple(plain_number(side) for side in size)
        sides = size if isinstance(size, tuple) and len(size) == 2 else [size]
        if not all(type(side) is int for side in sides):
            given = self.image_size
            raise ValueError(f"image_size must be a whole number or two, (H, W), is {given!r}")
        object.__setattr__(self, "image_size", size)


class MLP(nn.Module):
    """Two linear layers with a GELU between, on each token alone: (B, T, D) → (B, T, D)."""

    def __init__(self, embed_dim, hidden_dim, drop_rate=0.0):
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, embed_dim)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x):
        return self.drop(self.fc2(self.drop(nn.functional.gelu(self.fc1(x)))))


def drop_path(x, rate):
    """Zero whole samples with probability `rate`, scale up the rest (arxiv.org/abs/1603.09382)."""
    if rate == 0:
        return x
    kept = x.new_empty(x.shape[0], 1, 1).bernoulli_(1 - rate)  # 1 or 0 for each sample
    return x * kept / (1 - rate)


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
            x = x + drop_path(self.attn(self.norm1(x)), rate)  # Eq. 2
            return x + drop_path(self.mlp(self.norm2(x)), rate)  # Eq. 3
        x = self.norm1(x + drop_path(self.attn(x), rate))
        return self.norm2(x + drop_path(self.mlp(x), rate))


class AttentionPooling(nn.Module):
    """Tokens (B, T, D) → their mean (B, D), weighted by how well each fits one learned query."""

    def __init__(self, embed_dim):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(embed_dim))  # at zero all tokens weigh the same

    def forward(self, x):
        weights = (x @ self.query / x.shape[-1] ** 0.5).softmax(dim=1)  # (B, T)
        return (weights[:, None] @ x).squeeze(1)


def init_linear(module):
    """Draw a linear map with standard deviation 0.02, zero its bias; leave other modules alone."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


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
        x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))  # Eq. 1
        return self.norm(self.blocks(self.pos_drop(x)))  # Eq. 2, 3; the norm of Eq. 4

    def forward(self, images):
        x = self.forward_features(images)
        if self.config.pool == "class":
            return self.head(x[:, 0])  # y in Eq. 4
        patches = x[:, self.num_prefix :]  # (B, N, D)
        return self.head(self.attn_pool(patches) if self.attn_pool else patches.mean(dim=1))
