"""The exercises of notebook 08: what the size of a patch costs, and what moves with it."""

from itertools import combinations

import torch
from torch.nn.functional import interpolate

from .engine import Answer, Piece
from .helpers import cases_of, random


def tokens_of(height, width, patch_size, num_prefix):
    """The number of tokens of an image: its patches, and those in front."""
    return (height // patch_size) * (width // patch_size) + num_prefix


def block_flops(T, D, mlp_ratio):
    """FLOPs of one block on one image, matrix products only, 2·a·b·c for (a, b) times (b, c)."""
    linear = 4 * D * D + 2 * mlp_ratio * D * D  # qkv and proj, fc1 and fc2: for each token
    return float(2 * T * linear + 2 * (2 * T * T * D))  # QKᵀ, and the weights times V


PARTS = {  # of the FLOPs of a block, in words
    "queries, keys and values": lambda T, D, r: 6 * T * D * D,
    "one of queries, keys and values": lambda T, D, r: 2 * T * D * D,
    "proj": lambda T, D, r: 2 * T * D * D,
    "QKᵀ": lambda T, D, r: 2 * T * T * D,
    "the weights times V": lambda T, D, r: 2 * T * T * D,
    "one of the MLP's two maps": lambda T, D, r: 2 * T * r * D * D,
    "the other of the MLP's two maps": lambda T, D, r: 2 * T * r * D * D,
}


def flops_with(names, times=1.0, attention=None, mlp=None):
    """Without some parts, times a factor, or with another number for attention or the MLP."""

    def piece(T, D, mlp_ratio):
        left = block_flops(T, D, mlp_ratio) - sum(PARTS[name](T, D, mlp_ratio) for name in names)
        if attention:
            left += attention(T, D) - 4 * T * T * D
        if mlp:
            left += mlp(T, D, mlp_ratio) - 4 * T * mlp_ratio * D * D
        return times * left

    return piece


def more_counts():
    """Counts that forget up to three parts, or half of what is left, or a factor in one part."""
    found = {
        "in attention T² is not multiplied with D: (T, d) times (d, T) takes 2·T·T·d": flops_with(
            [], attention=lambda T, D: 4 * T * T
        ),
        "in attention T is not squared: each token is compared with each": flops_with(
            [], attention=lambda T, D: 4 * T * D
        ),
        "in the MLP r·D is not multiplied with D: D → r·D takes 2·D·r·D for each token": flops_with(
            [], mlp=lambda T, D, r: 4 * T * r * D
        ),
    }
    for times, said in (
        (1, ""),
        (0.5, "a multiplication and an addition are two operations; and "),
    ):
        for n in (1, 2, 3):
            for names in combinations(PARTS, n):
                found[f"{said}this is missing: {', '.join(names)}"] = flops_with(names, times)
    return found


def tokens_to_grid(tokens, rows, columns):
    """Patch tokens (B, N, D) → a picture of D channels (B, D, rows, columns)."""
    return tokens.transpose(1, 2).unflatten(2, (rows, columns))


def grid_by_reshape(tokens, rows, columns):
    return tokens.reshape(len(tokens), tokens.shape[2], rows, columns)


def resized_positions(positions, old_grid, new_grid):
    """Positions (1, 1 + N, D) for another grid; the class token's row stays as it is."""
    first, patches = positions[:, :1], positions[:, 1:]
    picture = tokens_to_grid(patches, *old_grid)
    picture = interpolate(picture, size=new_grid, mode="bicubic", antialias=True)
    return torch.cat([first, picture.flatten(2).transpose(1, 2)], dim=1)


def resized_with(fold=tokens_to_grid, mode="bicubic", antialias=True):
    """A version that folds the patches up otherwise, or interpolates otherwise."""

    def piece(positions, old_grid, new_grid):
        first, patches = positions[:, :1], positions[:, 1:]
        picture = fold(patches, *old_grid)
        picture = interpolate(picture, size=new_grid, mode=mode, antialias=antialias)
        return torch.cat([first, picture.flatten(2).transpose(1, 2)], dim=1)

    return piece


def as_a_line(positions, length):
    """Positions (1, N, D), stretched along N as if it were one axis of the image."""
    return interpolate(positions.transpose(1, 2), size=length, mode="linear").transpose(1, 2)


def position_cases():
    for old, new, D in (((2, 3), (4, 6), 5), ((4, 4), (2, 2), 3), ((3, 5), (6, 4), 4)):
        yield {
            "positions": random(1, 1 + old[0] * old[1], D),
            "old_grid": old,
            "new_grid": new,
        }


def grid_cases():
    yield {"tokens": torch.arange(12.0).reshape(1, 6, 2), "rows": 2, "columns": 3}
    yield {"tokens": random(2, 9, 4), "rows": 3, "columns": 3}
    yield {"tokens": random(3, 4, 4), "rows": 1, "columns": 4}
    yield {"tokens": random(2, 6, 7), "rows": 3, "columns": 2}


EXERCISES = [
    Piece(
        "tokens_of",
        "8.1",
        "How long is the sequence?",
        level=1,
        minutes=4,
        reference=tokens_of,
        cases=lambda: cases_of(
            ("height", "width", "patch_size", "num_prefix"),
            (32, 32, 4, 1),
            (32, 48, 8, 1),
            (224, 224, 16, 5),
            (28, 28, 7, 0),
            (40, 24, 8, 9),
        ),
        has_gradient=False,
        mistakes={
            "the tokens in front are missing": lambda H, W, P, prefix: (H // P) * (W // P),
            "you count one token in front, whatever `num_prefix` says": (
                lambda H, W, P, prefix: (H // P) * (W // P) + 1
            ),
            "a patch covers P × P pixels: divide by P along both sides": (
                lambda H, W, P, prefix: H * W // P + prefix
            ),
            "rows and columns of patches are multiplied, not added": (
                lambda H, W, P, prefix: H // P + W // P + prefix
            ),
            "the tokens in front are multiplied: they come on top": (
                lambda H, W, P, prefix: (H // P) * (W // P) * prefix
            ),
            "one token too many: `num_prefix` counts the class token already": (
                lambda H, W, P, prefix: (H // P) * (W // P) + prefix + 1
            ),
            "the image need not be square": lambda H, W, P, prefix: (H // P) ** 2 + prefix,
        },
    ),
    Piece(
        "block_flops",
        "8.2",
        "What a block costs",
        level=2,
        minutes=12,
        reference=block_flops,
        cases=lambda: cases_of(
            ("T", "D", "mlp_ratio"),
            (65, 192, 4),
            (257, 192, 4),
            (17, 64, 2),
            (5, 8, 2.5),
            (9, 8, 1.75),
        ),
        more=more_counts,
        has_gradient=False,
        mistakes={
            "a multiplication and an addition are two operations: twice as many": (
                lambda T, D, r: block_flops(T, D, r) / 2
            ),
            "QKᵀ and the weights times V are missing, 2·T²·D each": (
                lambda T, D, r: block_flops(T, D, r) - 4 * T * T * D
            ),
            "one of two is missing: QKᵀ, or the weights times V": (
                lambda T, D, r: block_flops(T, D, r) - 2 * T * T * D
            ),
            "attention's last map, `proj`, is missing": (
                lambda T, D, r: block_flops(T, D, r) - 2 * T * D * D
            ),
            "the MLP has two maps, up and down": (
                lambda T, D, r: block_flops(T, D, r) - 2 * T * r * D * D
            ),
            "queries, keys and values are three maps": (
                lambda T, D, r: block_flops(T, D, r) - 4 * T * D * D
            ),
            "the MLP is missing": lambda T, D, r: block_flops(T, D, r) - 4 * T * r * D * D,
        },
    ),
    Answer(
        "epochs_in_the_same_time",
        "8.3",
        "Equal what?",
        level=1,
        minutes=4,
        expected=8.4,
        tolerance=1e-2,
        mistakes={
            12: "this is for equal FLOPs: the question is about time",
            3: "these are equal epochs",
            3 * 4 / 2.8: "for time the FLOPs do not matter: only the seconds do",
            3 + 2.8: "how many times as fast is a factor: multiply",
            2.8: "this is how many epochs go into one: there are three",
            3 / 2.8: "the other way round: patches of 8 are the faster ones",
        },
    ),
    Piece(
        "resized_positions",
        "8.4",
        "Positions for another grid",
        level=3,
        minutes=15,
        reference=resized_positions,
        cases=position_cases,
        has_gradient=False,
        mistakes={
            "rows and columns of the old grid are exchanged": resized_with(
                lambda patches, rows, columns: tokens_to_grid(patches, columns, rows)
            ),
            "a reshape alone mixes the D numbers with the places: transpose first": resized_with(
                grid_by_reshape
            ),
            "without antialias=True a larger grid is not averaged when it shrinks": (
                resized_with(antialias=False)
            ),
            "rows and columns are exchanged in both grids": (
                lambda positions, old, new: resized_positions(positions, old[::-1], new[::-1])
            ),
            "the patches were resized as a line: neighbours above and below are then lost": (
                lambda positions, old, new: torch.cat(
                    [positions[:, :1], as_a_line(positions[:, 1:], new[0] * new[1])], dim=1
                )
            ),
            "they were resized as a line: neighbours above and below are then lost": (
                lambda positions, old, new: as_a_line(positions, 1 + new[0] * new[1])
            ),
            "this is bilinear: the exercise asks for mode='bicubic', antialias=True": resized_with(
                mode="bilinear"
            ),
            "this is the nearest place: the exercise asks for mode='bicubic', antialias=True": (
                resized_with(mode="nearest", antialias=False)
            ),
            "the last row was left off, and not the first: the class token's comes first": (
                lambda positions, old, new: torch.cat(
                    [
                        positions[:, :1],
                        resized_positions(positions.roll(1, dims=1), old, new)[:, 1:],
                    ],
                    dim=1,
                )
            ),
            "this is bilinear and not antialiased: the exercise asks for mode='bicubic', "
            "antialias=True": resized_with(mode="bilinear", antialias=False),
            "the class token's row is lost": (
                lambda positions, old, new: resized_positions(positions, old, new)[:, 1:]
            ),
            "the class token's row stands at the end": (
                lambda positions, old, new: resized_positions(positions, old, new).roll(-1, dims=1)
            ),
        },
    ),
    Piece(
        "tokens_to_grid",
        "8.5",
        "Find the bug: from tokens to a picture",
        level=2,
        minutes=7,
        reference=tokens_to_grid,
        broken=grid_by_reshape,
        cases=grid_cases,
        mistakes={
            "rows and columns are exchanged": (
                lambda tokens, rows, columns: tokens_to_grid(tokens, columns, rows)
            ),
            "the picture is mirrored along its diagonal: patches are counted row by row": (
                lambda tokens, rows, columns: tokens_to_grid(tokens, columns, rows).transpose(2, 3)
            ),
            "the channels come last, (B, rows, columns, D)": (
                lambda tokens, rows, columns: tokens.unflatten(1, (rows, columns))
            ),
            "the grid is not folded up, (B, D, N)": (
                lambda tokens, rows, columns: tokens.transpose(1, 2)
            ),
        },
    ),
]
