"""Wrong versions of the exercises of notebook 03, and of two mistakes at once."""

from vit_minimal.attention import MultiHeadSelfAttention, attention_weights

from .helpers import pairs, with_forward


def scores(queries, keys):
    return queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5


def plain_exponentials(queries, keys):
    e = scores(queries, keys).exp()
    return e / e.sum(dim=-1, keepdim=True)


def split_heads(x, num_heads):
    """Tokens (B, T, D) → (B, h, T, d)."""
    B, T, D = x.shape
    return x.reshape(B, T, num_heads, D // num_heads).transpose(1, 2)


def merge_heads(heads):
    """Heads (B, h, T, d) → tokens (B, T, D): the heads side by side again."""
    return heads.transpose(1, 2).flatten(2)


def merge_by_reshape(heads):
    B, h, T, d = heads.shape
    return heads.reshape(B, T, h * d)


def attention_with(
    weigh=attention_weights,
    merge=merge_heads,
    split=split_heads,
    order=(0, 1, 2),
    last=True,
    interleaved=False,
):
    """A forward in which one step is done otherwise."""

    def forward(self, x):
        parts = self.qkv(x).chunk(3, dim=-1)
        if interleaved:
            heads = self.qkv(x).unflatten(-1, (self.num_heads, 3, -1))
            parts = [heads[:, :, :, i].flatten(2) for i in range(3)]
        queries, keys, values = [split(parts[i], self.num_heads) for i in order]
        out = merge(weigh(queries, keys) @ values)
        return self.proj(out) if last else out

    return with_forward(MultiHeadSelfAttention, forward)


def weigh_with(scale=lambda q: q.shape[-1] ** 0.5, shares=lambda s: s.softmax(dim=-1), swap=False):
    """Attention weights with other scores, or another way from scores to shares."""

    def piece(queries, keys):
        if swap:
            queries, keys = keys, queries
        return shares(queries @ keys.mT / scale(queries))

    return piece


WEIGHT_STEPS = {
    "the scores are not divided by √d": {"scale": lambda q: 1},
    "the scores are divided by d: it is √d": {"scale": lambda q: q.shape[-1]},
    "the scores are multiplied by √d: they should be divided": {
        "scale": lambda q: q.shape[-1] ** -0.5
    },
    "the scores are multiplied by d: they should be divided by √d": {
        "scale": lambda q: 1 / q.shape[-1]
    },
    "the scores are divided by √T, the number of queries: d is the length of a query": {
        "scale": lambda q: q.shape[-2] ** 0.5
    },
    "keys and queries are exchanged: rows belong to queries": {"swap": True},
    "the columns sum to 1, not the rows: dim=-1": {"shares": lambda s: s.softmax(dim=-2)},
    "there is no softmax": {"shares": lambda s: s},
    "the scores are divided by their sum: a softmax takes e to their power first": {
        "shares": lambda s: s / s.sum(dim=-1, keepdim=True)
    },
    "the softmax runs over the whole table: each row by itself should sum to 1": {
        "shares": lambda s: s.flatten().softmax(dim=0).reshape(s.shape)
    },
}


def by_number_of_keys(queries, keys):
    return (queries @ keys.mT / keys.shape[-2] ** 0.5).softmax(dim=-1)


def of_unit_vectors(queries, keys):
    queries, keys = (x / x.norm(dim=-1, keepdim=True) for x in (queries, keys))
    return (queries @ keys.mT).softmax(dim=-1)


def more_weight_mistakes():
    """Further mistakes with attention weights, and pairs of them."""
    return (
        {
            "the scores are divided by the root of the number of keys: d is the length of a query, "
            "queries.shape[-1]": by_number_of_keys,
            "queries and keys are divided by their own lengths: only √d divides": of_unit_vectors,
        }
        | {words: weigh_with(**steps) for words, steps in WEIGHT_STEPS.items()}
        | pairs(weigh_with, WEIGHT_STEPS)
    )


def split_by_view(x, h):
    return x.reshape(len(x), h, x.shape[1], -1)


ATTENTION_STEPS = {
    "the scores are not divided by √d": {"weigh": weigh_with(scale=lambda q: 1)},
    "the scores are divided twice: once by √d is enough, also where `attention_weights` does it": {
        "weigh": weigh_with(scale=lambda q: q.shape[-1])
    },
    "the columns sum to 1, not the rows": {"weigh": weigh_with(shares=lambda s: s.softmax(dim=-2))},
    "there is no softmax": {"weigh": weigh_with(shares=lambda s: s)},
    "the heads are put together without the transpose": {"merge": merge_by_reshape},
    "the heads are averaged: they should stand side by side": {
        "merge": lambda heads: heads.mean(dim=1).repeat(1, 1, heads.shape[1])
    },
    "the heads are interleaved where they are put together: h comes before d": {
        "merge": lambda heads: heads.permute(0, 2, 3, 1).flatten(2)
    },
    "heads are split by a reshape alone": {"split": lambda x, h: split_by_view(x, h)},
    "D is split into (d, h) and not (h, d), so that neighbours land in different heads": {
        "split": lambda x, h: x.reshape(*x.shape[:2], -1, h).permute(0, 3, 1, 2)
    },
    "queries and keys are exchanged": {"order": (1, 0, 2)},
    "keys and values are exchanged": {"order": (0, 2, 1)},
    "the weights average the keys: they should average the values": {"order": (0, 1, 1)},
    "the weights average the queries: they should average the values": {"order": (0, 1, 0)},
    "`proj` is not used": {"last": False},
}


def more_attention_mistakes():
    alone = {words: attention_with(**steps) for words, steps in ATTENTION_STEPS.items()}
    return alone | pairs(attention_with, ATTENTION_STEPS)
