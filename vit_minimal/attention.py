"""Every token asks every token: scaled dot-product attention, in several heads.

B batch, T tokens, D embedding width, h heads, d = D / h.
Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, Eq. 1 and Section 3.2.2.
"""

from torch import float32, nn


def attention_weights(queries, keys):
    """softmax(QKᵀ/√d) over the keys: (…, T, d), (…, T, d) → (…, T, T), each row sums to 1."""
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    return scores.softmax(dim=-1)


def head_width(embed_dim, num_heads):
    """d = D / h. ValueError if h does not divide D."""
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"num_heads {num_heads} does not divide embed_dim {embed_dim}")
    return embed_dim // num_heads


class MultiHeadSelfAttention(nn.Module):
    """Tokens (B, T, D) → tokens (B, T, D): h attentions side by side, each on d = D/h numbers."""

    def __init__(self, embed_dim, num_heads, attn_drop_rate=0.0, proj_drop_rate=0.0):
        super().__init__()
        self.num_heads, self.head_width = num_heads, head_width(embed_dim, num_heads)
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.attn_drop = nn.Dropout(attn_drop_rate)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def split_heads(self, x):
        """Tokens (B, T, D) → queries, keys and values, each (B, h, T, d)."""
        B, T, _ = x.shape
        shape = (B, T, self.num_heads, self.head_width)  # D → (h, d)
        return [part.reshape(shape).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1)]

    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        if x.is_cuda or queries.dtype == float32:  # fused; slow on CPUs in bfloat16
            drop = self.training * self.attn_drop.p
            out = nn.functional.scaled_dot_product_attention(queries, keys, values, dropout_p=drop)
        else:
            out = self.attn_drop(attention_weights(queries, keys)) @ values  # (B, h, T, d)
        out = out.transpose(1, 2).flatten(2)  # (B, T, D): the heads side by side again
        return self.proj_drop(self.proj(out))
