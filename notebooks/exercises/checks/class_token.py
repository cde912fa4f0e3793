"""The exercises of notebook 02: one vector that belongs to no patch, and positions."""

import torch
from torch import nn

from vit_minimal.class_token import ClassToken, PositionEmbedding

from .engine import Answer, Piece
from .helpers import Wrong, pairs, random, with_forward
from .modules import WithWeights

BATCH, TOKENS, WIDTH = 128, 65, 192  # of exercise 2.3


def class_token_cases():
    """Several images, one image, several tokens, not contiguous, all sides equal."""
    yield {"settings": {"embed_dim": 6}, "tokens": random(3, 4, 6)}
    yield {"settings": {"embed_dim": 5}, "tokens": random(1, 7, 5)}
    yield {"settings": {"embed_dim": 4, "count": 3}, "tokens": random(2, 5, 4)}
    yield {"settings": {"embed_dim": 3}, "tokens": random(3, 2, 4).transpose(0, 2)}
    yield {"settings": {"embed_dim": 4}, "tokens": random(4, 4, 4)}


def look_at_class_token(module, settings):
    weight = getattr(module, "weight", None)
    if not torch.is_tensor(weight):
        return None
    if not isinstance(weight, nn.Parameter):
        return (
            "`weight` is a plain tensor: it would be neither trained nor saved. nn.Parameter(…) "
            "makes a parameter of it"
        )
    count, D = settings.get("count", 1), settings["embed_dim"]
    if weight.dim() == 3 and weight.shape[1:] == (count, D) and len(weight) > 1:
        return (
            "the class token has the batch size in its shape: it is one vector for all images, "
            "(1, count, D), and is expanded when the batch is known"
        )
    if weight.shape == (1, 1, D) and count > 1:
        return (
            f"`count` is ignored: {count} tokens were asked for, `weight` has the shape (1, 1, D)"
        )
    if weight.shape == (1, D) or weight.shape == (D,):
        return (
            f"`weight` has the shape {tuple(weight.shape)}: give it one axis for the batch and one "
            "for the tokens too, (1, count, D)"
        )
    return None


def position_cases():
    yield {"settings": {"grid_size": (2, 4), "embed_dim": 8}, "tokens": random(2, 9, 8)}
    yield {"settings": {"grid_size": (1, 1), "embed_dim": 4}, "tokens": random(1, 2, 4)}
    settings = {"grid_size": (3, 2), "embed_dim": 4, "num_prefix": 3}
    yield {"settings": settings, "tokens": random(3, 9, 4)}
    yield {
        "settings": {"grid_size": (2, 3), "embed_dim": 4, "num_prefix": 0},
        "tokens": random(2, 6, 4),
    }
    for grid, prefix in (((2, 2), 1), ((2, 3), 3), ((3, 1), 0)):
        settings = {"grid_size": grid, "embed_dim": 8, "num_prefix": prefix, "sinusoidal": True}
        yield {"settings": settings, "tokens": random(2, prefix + grid[0] * grid[1], 8)}


def look_at_positions(module, settings):
    weight, (rows, columns) = getattr(module, "weight", None), settings["grid_size"]
    if not torch.is_tensor(weight):
        return None
    prefix = settings.get("num_prefix", 1)
    if settings.get("sinusoidal") and isinstance(weight, nn.Parameter):
        return "with sinusoidal=True positions are computed: leave that branch as it is"
    if not settings.get("sinusoidal") and not isinstance(weight, nn.Parameter):
        return "`weight` is a plain tensor: nn.Parameter(…) makes a parameter of it"
    if weight.dim() == 3 and weight.shape[1] == rows * columns + prefix:
        return None
    if weight.dim() == 3 and weight.shape[1] == rows * columns:
        return (
            "there is a row for each patch and none for the class token: num_prefix more rows are "
            "needed"
        )
    if weight.dim() == 3 and prefix > 1 and weight.shape[1] == rows * columns + 1:
        return f"`num_prefix` is ignored: there are {prefix} tokens before the patches, not one"
    if weight.dim() == 3 and weight.shape[1] == rows + columns + prefix:
        return "a grid of rows × columns holds their product, not their sum"
    if weight.dim() == 3 and weight.shape[1] in (rows**2 + prefix, columns**2 + prefix):
        return "the grid need not be square: rows × columns"
    if weight.dim() == 2:
        return "`weight` has no axis for the batch: (1, T, D), so that it is added to every image"
    return None


def check_start(settings):
    """An `also`: the weights should be small random numbers, another set for each token."""

    def also(answer):
        weight = answer(**settings).weight.detach()
        for token in weight[0]:
            if token.std() < 0.015 or token.mean().abs() > 0.01:
                raise Wrong(
                    f"a token of `weight` starts with a mean of {token.mean():.2f} and a standard "
                    f"deviation of {token.std():.2f}: they should be 0 and 0.02"
                )
        if not 0.015 < weight.std() < 0.03:
            raise Wrong(
                f"`weight` starts with a standard deviation of {weight.std():.2f}: it should be "
                "0.02, small random numbers"
            )
        if (weight[0, 0] - weight[0, 1]).std() < 0.01:
            raise Wrong("all tokens start with the same numbers: each needs its own")

    return also


def joined(patches, class_token, *, last=False):
    """[class; patches], or with the class token at the end: (B, N, D), (1, 1, D) → (B, N + 1, D)."""
    one_each = class_token.expand(len(patches), -1, -1)
    return torch.cat([patches, one_each] if last else [one_each, patches], dim=1)


def embedded(patches, class_token, positions):
    """[class; patches] + positions, Eq. 1: (B, N, D), (1, 1, D), (1, N + 1, D) → (B, N + 1, D)."""
    return joined(patches, class_token) + positions


def embedded_off_by_one(patches, class_token, positions):
    return joined(patches + positions[:, :-1], class_token)


def token_with(first=None, patches=lambda self, x: x, last=False):
    """A ClassToken that puts in something else, or changes the patches as well."""

    def forward(self, x):
        token = first(self, x) if first else self.weight
        return joined(patches(self, x), token, last=last)

    return with_forward(ClassToken, forward)


TOKEN_STEPS = {
    "the class token comes last: in this course it is token 0": {"last": True},
    "it is added to every patch too: it should be a token of its own, and nothing more": {
        "patches": lambda self, x: x + self.weight[:, :1]
    },
    "what is put in front is drawn anew, or zero: `self.weight` should be": {
        "first": lambda self, x: torch.zeros_like(self.weight)
    },
    "the order of the tokens in front is turned round": {
        "first": lambda self, x: self.weight.flip(1)
    },
}


def position_with(first=lambda self: self.weight[:, :1], rest=lambda self: self.weight[:, 1:]):
    """A PositionEmbedding that adds other rows to the first token, or to the others."""

    def forward(self, x):
        return torch.cat([x[:, :1] + first(self), x[:, 1:] + rest(self)], dim=1)

    return with_forward(PositionEmbedding, forward)


POSITION_STEPS = {
    "the class token gets no position": {"first": lambda self: 0},
    "the class token gets the last row": {"first": lambda self: self.weight[:, -1:]},
    "the patches get the rows of their neighbours: patch 0 is token 1": {
        "rest": lambda self: self.weight[:, :-1]
    },
    "the patches get no position": {"rest": lambda self: 0},
}


def more_position_mistakes():
    """Further mistakes with positions, and pairs of them."""
    ways = {
        "the tokens are multiplied by √D, as words are in the first Transformer: Eq. 1 only adds": (
            lambda self, x: x * x.shape[-1] ** 0.5 + self.weight
        ),
        "this is the mean of tokens and positions: Eq. 1 takes their sum": (
            lambda self, x: (x + self.weight) / 2
        ),
        "the positions are added twice": lambda self, x: x + 2 * self.weight,
    }
    return (
        {words: with_forward(PositionEmbedding, way) for words, way in ways.items()}
        | {words: position_with(**steps) for words, steps in POSITION_STEPS.items()}
        | pairs(position_with, POSITION_STEPS)
    )


def embedded_cases():
    for B, N, D in ((2, 4, 6), (1, 9, 4), (5, 5, 5)):
        yield {
            "patches": random(B, N, D),
            "class_token": random(1, 1, D, seed=1),
            "positions": random(1, N + 1, D, seed=2),
        }


EXERCISES = [
    Piece(
        "ClassToken",
        "2.1",
        "The class token",
        level=2,
        minutes=12,
        reference=ClassToken,
        cases=class_token_cases,
        more=lambda: (
            {words: token_with(**steps) for words, steps in TOKEN_STEPS.items()}
            | pairs(token_with, TOKEN_STEPS)
        ),
        use=WithWeights(ClassToken, look_at_class_token),
        also=check_start({"embed_dim": 1000, "count": 2}),
        mistakes={
            "the class token comes last: in this course it is token 0": with_forward(
                ClassToken, lambda self, x: joined(x, self.weight, last=True)
            ),
            "it is added to every patch: it should be a token of its own, torch.cat along dim=1": (
                with_forward(ClassToken, lambda self, x: x + self.weight[:, :1])
            ),
            "it takes the place of the first patch: the sequence must become longer": (
                with_forward(ClassToken, lambda self, x: joined(x[:, 1:], self.weight))
            ),
            "only one of the tokens is put in front, where `count` were asked for": (
                with_forward(ClassToken, lambda self, x: joined(x, self.weight[:, :1]))
            ),
        },
    ),
    Piece(
        "PositionEmbedding",
        "2.2",
        "Positions",
        level=2,
        minutes=10,
        reference=PositionEmbedding,
        cases=position_cases,
        more=more_position_mistakes,
        use=WithWeights(PositionEmbedding, look_at_positions),
        also=check_start({"grid_size": (2, 2), "embed_dim": 1000}),
        mistakes={
            "the class token gets no position: in Eq. 1 every row gets one, row 0 too": with_forward(
                PositionEmbedding,
                lambda self, x: torch.cat([x[:, :1], x[:, 1:] + self.weight[:, 1:]], dim=1),
            ),
            "tokens are multiplied by positions: Eq. 1 adds": with_forward(
                PositionEmbedding, lambda self, x: x * self.weight
            ),
            "positions are appended: Eq. 1 adds them, and D stays D": with_forward(
                PositionEmbedding,
                lambda self, x: torch.cat([x, self.weight.expand(len(x), -1, -1)], dim=-1),
            ),
            "it gives the positions alone: add them to the tokens": with_forward(
                PositionEmbedding, lambda self, x: self.weight.expand(len(x), -1, -1)
            ),
            "positions are subtracted: Eq. 1 adds": with_forward(
                PositionEmbedding, lambda self, x: x - self.weight
            ),
        },
    ),
    Answer(
        "numbers_before_block_1",
        "2.3",
        "What class token and positions cost",
        level=1,
        minutes=4,
        expected=WIDTH + TOKENS * WIDTH,
        tolerance=0,  # a count
        mistakes={
            TOKENS * WIDTH: "one of two is missing: the class token has 192 numbers of its own, "
            "and its position has another 192",
            (TOKENS - 1) * WIDTH: "these are the positions of the patches alone",
            WIDTH: "this is the class token alone",
            BATCH * TOKENS * WIDTH: "none of them has one for each image; and the class token has "
            "numbers of its own",
            TOKENS + WIDTH: "positions are vectors: each of the 65 has 192 numbers",
            BATCH * (TOKENS + 1) * WIDTH: "none of them has one for each image: the batch does not "
            "matter",
            (BATCH + TOKENS) * WIDTH: "the class token is one vector for the whole batch",
            2
            * (TOKENS - 1)
            * WIDTH: "the class token is one vector and not one for each patch, and "
            "it has a position too",
            (TOKENS + 49 + 1)
            * WIDTH: "this counts the patch embedding too: the question is about the other two",
        },
    ),
    Piece(
        "embedded",
        "2.4",
        "Find the bug: who gets which position?",
        level=2,
        minutes=8,
        reference=embedded,
        broken=embedded_off_by_one,
        cases=embedded_cases,
        mistakes={
            "the patches are right now, but the class token has no position: row 0 is its own": (
                lambda patches, class_token, positions: joined(
                    patches + positions[:, 1:], class_token
                )
            ),
            "the class token has come last, so every token gets the position of its neighbour": (
                lambda patches, class_token, positions: (
                    joined(patches, class_token, last=True) + positions
                )
            ),
            "all tokens get the class token's position: row 0 is for token 0 alone": (
                lambda patches, class_token, positions: (
                    joined(patches, class_token) + positions[:, :1]
                )
            ),
            "the patches get a position twice: add once, after the class token is in front": (
                lambda patches, class_token, positions: (
                    joined(patches + positions[:, 1:], class_token) + positions
                )
            ),
            "the patches get two positions, one of them their neighbours': add once": (
                lambda patches, class_token, positions: (
                    joined(patches + positions[:, :-1], class_token) + positions
                )
            ),
            "row 0 is the class token's, and the last row is the last patch's": (
                lambda patches, class_token, positions: joined(
                    patches + positions[:, :-1], class_token + positions[:, -1:]
                )
            ),
            "the patches still have the positions of their neighbours: patch 0 is token 1": (
                lambda patches, class_token, positions: joined(
                    patches + positions[:, :-1], class_token + positions[:, :1]
                )
            ),
        },
    ),
    Answer(
        "shuffled_patches",
        "2.5",
        "Shuffled patches, no positions",
        level=1,
        minutes=3,
        expected="a",
        mistakes={
            "b": "not even a little, but for rounding: without positions nothing in the model depends "
            "on the order. The class token gets a sum over the patches",
            "c": "it would guess if it had lost something. But it never knew the order, and "
            "everything else is still there",
            "d": "the shapes are the same, so nothing can raise an error",
        },
    ),
]
