"""The exercises of notebook 13: bugs that run."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, layer_norm

from vit_minimal.attention import attention_weights

from .engine import Answer, Piece
from .helpers import Wrong, attempt, random, same


def normalized(x, scale, shift):
    """Each token's D numbers brought to mean 0 and variance 1, then scaled and shifted."""
    return layer_norm(x, x.shape[-1:], scale, shift)


def normalized_over_tokens(x, scale, shift):
    return layer_norm(x, x.shape[1:]) * scale + shift


def check_constant_token(answer):
    """Wrong if a token of equal numbers, whose variance is 0, does not become the shift alone."""
    scale, shift = torch.ones(4), random(4, seed=2)
    value = attempt(lambda: answer(torch.ones(1, 2, 4), scale, shift))
    if not same(value, shift.expand(1, 2, 4)):
        raise Wrong(
            "a token whose numbers are all equal has a variance of 0: add a little, such as 1e-5, "
            "to the variance before you divide by its root"
        )


def by_hand(x, scale, shift, axes, correction=0):
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, correction=correction, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def loss_of(logits, labels):
    """The mean cross-entropy."""
    return cross_entropy(logits, labels)


class MysteryAttention(nn.Module):
    """A multi-head self-attention that takes `num_heads`, and has as many heads as it likes."""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        queries, keys, values = self.qkv(x).unflatten(-1, (3, 6, -1)).permute(2, 0, 3, 1, 4)
        out = attention_weights(queries, keys) @ values
        return self.proj(out.transpose(1, 2).flatten(2))


EXERCISES = [
    Piece(
        "normalized",
        "13.1",
        "Find the bug: a norm that tells tales",
        level=2,
        minutes=8,
        reference=normalized,
        broken=normalized_over_tokens,
        also=check_constant_token,
        cases=lambda: [
            {"x": 3 * random(2, 5, 4) + 1, "scale": random(4, seed=1), "shift": random(4, seed=2)},
            {"x": 3 * random(1, 3, 3) + 1, "scale": random(3, seed=1), "shift": random(3, seed=2)},
            {"x": 3 * random(2, 2, 6) + 1000, "scale": random(6, seed=1), "shift": random(6)},
        ],
        mistakes={
            "it runs over the tokens, for each of the D numbers: it should run over the D numbers of "
            "each token": lambda x, scale, shift: by_hand(x, scale, shift, (1,)),
            "it runs over the batch: answers then depend on the other images": (
                lambda x, scale, shift: by_hand(x, scale, shift, (0, 1))
            ),
            "scale and shift are not used": lambda x, scale, shift: layer_norm(x, x.shape[-1:]),
            "scale and shift are exchanged": lambda x, scale, shift: normalized(x, shift, scale),
            "nearly: a layer norm divides by D, `std` and `var` by D − 1. `correction=0` does the "
            "same": lambda x, scale, shift: by_hand(x, scale, shift, (2,), correction=1),
            "it is divided by the variance: by its root, the standard deviation": (
                lambda x, scale, shift: (
                    (x - x.mean(-1, keepdim=True))
                    / (x.var(-1, correction=0, keepdim=True) + 1e-5)
                    * scale
                    + shift
                )
            ),
            "it is divided by the length of the token, and its mean is not taken away": (
                lambda x, scale, shift: x / x.norm(dim=-1, keepdim=True) * scale + shift
            ),
            "the mean is not taken away": (
                lambda x, scale, shift: (
                    x / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt() * scale + shift
                )
            ),
            "the mean is taken away, and nothing is divided": (
                lambda x, scale, shift: (x - x.mean(dim=-1, keepdim=True)) * scale + shift
            ),
        },
    ),
    Piece(
        "loss_of",
        "13.2",
        "Find the bug: a loss with a floor",
        level=1,
        minutes=6,
        reference=loss_of,
        broken=lambda logits, labels: cross_entropy(logits.softmax(dim=-1), labels),
        cases=lambda: [
            {"logits": 4 * random(5, 3), "labels": torch.tensor([0, 2, 1, 1, 0])},
            {"logits": 4 * random(1, 10), "labels": torch.tensor([7])},
            {"logits": torch.tensor([[200.0, 0.0], [0.0, 200.0]]), "labels": torch.tensor([1, 1])},
        ],
        mistakes={
            "the softmax was replaced by another function that squeezes the scores: none is needed": (
                lambda logits, labels: cross_entropy(logits.sigmoid(), labels)
            ),
            "the losses are added up: it should be their mean": (
                lambda logits, labels: cross_entropy(logits, labels, reduction="sum")
            ),
            "one loss for each image: it should be their mean": (
                lambda logits, labels: cross_entropy(logits, labels, reduction="none")
            ),
            "the sign: minus the logarithm": (
                lambda logits, labels: -cross_entropy(logits, labels)
            ),
            "the softmax is missing: a loss of the scores themselves": (
                lambda logits, labels: -logits[torch.arange(len(labels)), labels].mean()
            ),
            "the logarithm is missing: a loss of probabilities": (
                lambda logits, labels: (
                    -logits.softmax(dim=-1)[torch.arange(len(labels)), labels].mean()
                )
            ),
        },
    ),
    Answer(
        "heads_it_has",
        "13.3",
        "Measure: how many heads does it have?",
        level=3,
        minutes=10,
        expected=6,
        mistakes={
            3: "this is what was asked for. Measure",
            4: "this is d, how many numbers a head has: D / h",
            8: "this is d of three heads, or another guess. Measure",
            24: "this is D: it would be one head for each number",
        },
    ),
]
