"""Every token looks at every token: scaled dot-product attention, in several heads.

B batch, T tokens, D embedding width, h heads, d = D / h.
Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, Eq. 1 and Section 3.2.2.
"""

import torch
from torch import nn


def attention_weights(queries, keys, mask=None):
    """softmax(QKᵀ/√d) over the keys: (…, T, d), (…, T, d) → (…, T, T), each row sums to 1.

    Where `mask` (T, T) is False, the token of that row may not attend to that of the column; each
    row needs a True.
    """
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1)


def head_dim(embed_dim, num_heads):
    """d = D / h. ValueError if h does not divide D."""
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"num_heads {num_heads} does not divide embed_dim {embed_dim}")
    return embed_dim // num_heads


def attend(queries, keys, values, mask=None, drop_rate=0.0):
    """The values, averaged with `attention_weights`: three (B, h, T, d) → (B, h, T, d).

    With `drop_rate` some weights are zeroed at random and the rest scaled up (dropout). ValueError
    if the mask is of numbers, not of True and False.
    """
    if mask is not None and mask.dtype != torch.bool:  # PyTorch's function would add its numbers
        raise ValueError(f"a mask holds True where a token may attend, this one is {mask.dtype}")
    if queries.is_cuda or queries.dtype == torch.float32:  # fused; slow on CPUs in bfloat16
        return nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=drop_rate
        )
    weights = attention_weights(queries, keys, mask)  # (B, h, T, T)
    return nn.functional.dropout(weights, drop_rate) @ values


torch.fx.wrap("attend")  # a graph that torch.fx draws calls it, and chooses when it runs


class MultiHeadSelfAttention(nn.Module):
    """Tokens (B, T, D) → tokens (B, T, D): h attentions side by side, each on d = D/h numbers.

    `mask` (T, T), True where a token (row) may attend to another (column); None: everywhere.
    """

    def __init__(self, embed_dim, num_heads, attn_drop_rate=0.0, proj_drop_rate=0.0, mask=None):
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)  # moves with the model
        self.num_heads, self.head_dim = num_heads, head_dim(embed_dim, num_heads)
        self.attn_drop_rate = attn_drop_rate
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def split_heads(self, x):
        """Tokens (B, T, D) → queries, keys and values, each (B, h, T, d)."""
        B, T, _ = x.shape
        heads = (B, T, self.num_heads, self.head_dim)  # D → (h, d)
        queries, keys, values = self.qkv(x).chunk(3, dim=-1)  # (B, T, D) each
        return (
            queries.reshape(heads).transpose(1, 2),
            keys.reshape(heads).transpose(1, 2),
            values.reshape(heads).transpose(1, 2),
        )

    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        drop_rate = self.attn_drop_rate if self.training else 0.0
        out = attend(queries, keys, values, self.mask, drop_rate)  # (B, h, T, d)
        out = out.transpose(1, 2).flatten(2)  # (B, T, D): the heads side by side again
        return self.proj_drop(self.proj(out))
