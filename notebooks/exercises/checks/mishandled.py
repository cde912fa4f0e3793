"""The exercises of notebook 09: what else the head could read, and which token it does read."""

import torch

from vit_minimal.device import seed_everything
from vit_minimal.vision_transformer import VisionTransformer, ViTConfig

from .engine import Answer, Piece
from .helpers import pairs, random


def mean_of_patches(tokens, num_prefix):
    """The mean of the patches: (B, T, D) → (B, D)."""
    return tokens[:, num_prefix:].mean(dim=1)


def attention_pool(x, query):
    """The tokens' mean, weighted by how well each fits a query: (B, T, D), (D,) → (B, D)."""
    weights = (x @ query / x.shape[-1] ** 0.5).softmax(dim=1)
    return (weights[..., None] * x).sum(dim=1)


def pool_with(weigh, total=lambda weights, x: (weights[..., None] * x).sum(dim=1)):
    return lambda x, query: total(weigh(x @ query, x.shape[-1]), x)


POOL_STEPS = {
    "the scores are not divided by √D": {"weigh": lambda scores, D: scores.softmax(dim=1)},
    "the scores are divided by D: it is √D": {
        "weigh": lambda scores, D: (scores / D).softmax(dim=1)
    },
    "the softmax runs over the images": {
        "weigh": lambda scores, D: (scores / D**0.5).softmax(dim=0)
    },
    "there is no softmax": {"weigh": lambda scores, D: scores / D**0.5},
    "the weighted tokens are averaged, though their shares sum to 1 already: add them up": {
        "total": lambda weights, x: (weights[..., None] * x).mean(dim=1)
    },
    "the sum runs over the D numbers: it should run over the tokens": {
        "total": lambda weights, x: (weights[..., None] * x).sum(dim=2)
    },
}


def pool_by(weigh=lambda scores, D: (scores / D**0.5).softmax(dim=1), **steps):
    return pool_with(weigh, **steps)


def more_pools():
    """Further mistakes with pooling, and pairs of them."""

    def by_number(axis, divided):
        def piece(x, query):
            scores = x * query / (x.shape[-1] ** 0.5 if divided else 1)
            return (scores.softmax(dim=axis) * x).sum(dim=1)

        return piece

    each = "each number of a token gets a share of its own: a token has one, from the dot product "
    return (
        {
            f"{each}`x @ query`": by_number(1, True),
            f"{each}`x @ query`, divided": by_number(1, False),
        }
        | {f"{each}(`x @ query`), and they sum to 1 over the tokens": by_number(-1, False)}
        | {f"{each}(`x @ query`), and they sum to 1 over tokens": by_number(-1, True)}
        | {words: pool_by(**steps) for words, steps in POOL_STEPS.items()}
        | pairs(pool_by, POOL_STEPS)
    )


class Mystery(VisionTransformer):
    """A model whose head reads a token that nobody would guess."""

    def __init__(self):
        seed_everything(0)
        super().__init__(ViTConfig(image_size=16, embed_dim=24, depth=2, num_heads=3))

    def forward(self, images):
        return self.head(self.forward_features(images)[:, 6])


class Unseeing(VisionTransformer):
    """A model in which one patch is hidden from all other tokens, in every block."""

    def __init__(self):
        seed_everything(1)
        super().__init__(ViTConfig(image_size=16, embed_dim=24, depth=2, num_heads=3))
        mask = torch.ones(self.num_tokens, self.num_tokens, dtype=torch.bool)
        mask[:, 10] = False
        mask[10, 10] = True  # each row needs a True
        for block in self.blocks:
            block.attn.mask = mask


EXERCISES = [
    Piece(
        "mean_of_patches",
        "9.1",
        "The mean of the patches",
        level=1,
        minutes=4,
        reference=mean_of_patches,
        cases=lambda: [
            {"tokens": random(2, 6, 4), "num_prefix": 3},
            {"tokens": random(1, 5, 3), "num_prefix": 1},
            {"tokens": random(3, 4, 4), "num_prefix": 0},
            {"tokens": random(2, 9, 5), "num_prefix": 5},
        ],
        mistakes={
            "class token and registers are in it: patches begin at `num_prefix`": (
                lambda tokens, prefix: tokens.mean(dim=1)
            ),
            "only the class token is left out, the registers are in it": (
                lambda tokens, prefix: tokens[:, 1:].mean(dim=1)
            ),
            "this is the sum: its size grows with the number of patches": (
                lambda tokens, prefix: tokens[:, prefix:].sum(dim=1)
            ),
            "this is the mean over the D numbers: average over tokens, dim=1": (
                lambda tokens, prefix: tokens[:, prefix:].mean(dim=2)
            ),
            "this is the mean over the batch: average over tokens, dim=1": (
                lambda tokens, prefix: tokens[:, prefix:].mean(dim=0)
            ),
            "divided by the number of all tokens, though only patches were added up": (
                lambda tokens, prefix: tokens[:, prefix:].sum(dim=1) / tokens.shape[1]
            ),
            "the class token alone is left out, and it is divided by the number of all tokens": (
                lambda tokens, prefix: tokens[:, 1:].sum(dim=1) / tokens.shape[1]
            ),
            "one patch is left out: patches begin at `num_prefix`, not after it": (
                lambda tokens, prefix: tokens[:, prefix + 1 :].mean(dim=1)
            ),
            "the last tokens are left out, not the first": (
                lambda tokens, prefix: tokens[:, : tokens.shape[1] - prefix].mean(dim=1)
            ),
        },
    ),
    Piece(
        "attention_pool",
        "9.2",
        "Attention pooling",
        level=2,
        minutes=10,
        reference=attention_pool,
        cases=lambda: [
            {"x": 2 * random(2, 5, 4), "query": 2 * random(4, seed=1)},
            {"x": 2 * random(1, 3, 6), "query": 2 * random(6, seed=1)},
            {"x": 2 * random(3, 3, 3), "query": 2 * random(3, seed=1)},
            {  # scores 400 apart
                "x": torch.tensor([[[1.0], [0.0]], [[-1.0], [-1.005]]]),
                "query": torch.tensor([200.0]),
            },
        ],
        more=more_pools,
        mistakes={
            "the scores are not divided by √D": pool_with(lambda scores, D: scores.softmax(dim=1)),
            "the scores are divided by D: it is √D": pool_with(
                lambda scores, D: (scores / D).softmax(dim=1)
            ),
            "the softmax runs over the images: every image has its own shares, dim=1": pool_with(
                lambda scores, D: (scores / D**0.5).softmax(dim=0)
            ),
            "there is no softmax: shares are positive and sum to 1": pool_with(
                lambda scores, D: scores / D**0.5
            ),
            "the query is not used: this is the plain mean": (lambda x, query: x.mean(dim=1)),
            "this is the token that fits best: all count, by their share": (
                lambda x, query: x[torch.arange(len(x)), (x @ query).argmax(dim=1)]
            ),
            "the weighted tokens are averaged, though their shares sum to 1 already: add them up": (
                pool_with(
                    lambda scores, D: (scores / D**0.5).softmax(dim=1),
                    lambda weights, x: (weights[..., None] * x).mean(dim=1),
                )
            ),
            "these are the shares: weigh the tokens with them": (
                lambda x, query: (x @ query / x.shape[-1] ** 0.5).softmax(dim=1)
            ),
        },
    ),
    Answer(
        "token_read",
        "9.3",
        "Measure: which token does it read?",
        level=2,
        minutes=10,
        expected=6,
        mistakes={
            0: "this is what it should read. Measure",
            5: "this is the number of the patch; the class token is token 0",
            1: "this would be the usual slip. Measure",
            7: "one too far: token i is tokens[:, i], counted from 0",
            8: "too far: token i is tokens[:, i], counted from 0. Measure",
            16: "this is the last token. Measure",
            17: "this is the number of tokens, counted from 1",
        },
    ),
    Answer(
        "unseen_patch",
        "9.4",
        "Measure: which patch does it not see?",
        level=3,
        minutes=10,
        expected=9,
        mistakes={
            10: "this is the index of the token: token n + 1 is patch n",
            11: "one more than the token's index: token n + 1 is patch n",
            6: "rows and columns of patches are exchanged: they are counted row by row",
            0: "the logits change if this patch does. Measure all 16",
        },
    ),
]
