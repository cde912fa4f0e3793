"""The exercises of notebook 01: an image becomes a sequence."""

import torch
from torch.nn.functional import conv2d, unfold

from vit_minimal.patches import patchify, unpatchify

from .engine import Piece, called
from .helpers import Raised, Wrong, attempt, cases_of, random
from .words import raising
from .wrong_patches import (
    back,
    by_reshape,
    convolved,
    cut,
    more_pixel_mistakes,
    more_token_mistakes,
    other_orders,
    other_ways_back,
    tokens_of_grid,
    tokens_with_kernel,
)


def patch_cases():
    """Not square, one image, one channel, C ≠ P, not contiguous, double precision."""
    yield {"images": torch.arange(24.0).reshape(1, 1, 4, 6), "patch_size": 2}
    yield {"images": random(2, 3, 8, 12), "patch_size": 4}
    yield {"images": random(3, 5, 12, 6), "patch_size": 3}
    yield {"images": random(1, 2, 4, 8, seed=1).transpose(2, 3), "patch_size": 4}
    yield {"images": random(2, 3, 4, 4), "patch_size": 1}
    yield {"images": random(2, 3, 4, 6).double(), "patch_size": 2}


def refuses(remedy, impossible):
    """An `also`: Wrong unless each of some {words: case}, which cannot work, ends in a ValueError."""

    def also(answer):
        for what, case in impossible.items():
            outcome = attempt(lambda case=case: called(answer, **case))
            if not isinstance(outcome, Raised):
                raise Wrong(f"{what}, and no error says so: leave {remedy}")
            if not isinstance(outcome.error, ValueError):
                raise Wrong(f"{what}, and {raising(outcome.error)}\n  Leave {remedy}")

    return also


def patch_of_pixel(row, column, patch_size, width):
    """The index of the patch that a pixel belongs to, row by row."""
    return (row // patch_size) * (width // patch_size) + column // patch_size


def pixel_cases():
    return cases_of(
        ("row", "column", "patch_size", "width"),
        (0, 5, 4, 8),
        (5, 1, 4, 8),
        (9, 14, 4, 16),
        (7, 3, 2, 12),
        (31, 0, 8, 48),
        (45, 41, 4, 48),
        (2, 99, 3, 120),
    )


def back_cases():
    for B, C, H, W, P in ((2, 3, 8, 12, 4), (1, 1, 4, 4, 2), (3, 5, 12, 6, 3), (1, 2, 8, 4, 4)):
        patches = patchify(random(B, C, H, W), P)
        yield {"patches": patches, "patch_size": P, "image_size": (H, W), "in_channels": C}
    patches = random(12, 6, 2).transpose(0, 2)  # (2, 6, 12), not contiguous
    yield {"patches": patches, "patch_size": 2, "image_size": (4, 6), "in_channels": 3}


def patch_tokens(images, weight, bias, patch_size):
    """Patches times a matrix (D, C·P·P), by one convolution: (B, N, D)."""
    return tokens_of_grid(convolved(images, weight, bias, patch_size))


def token_cases():
    for B, C, H, W, P, D in ((2, 3, 8, 12, 4, 5), (1, 2, 6, 6, 3, 7), (3, 1, 4, 8, 2, 11)):
        yield {
            "images": random(B, C, H, W),
            "weight": random(D, C * P * P, seed=1) / P,
            "bias": random(D, seed=2),
            "patch_size": P,
        }


def overlapping_tokens(images, weight, bias, patch_size):
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    return tokens_of_grid(conv2d(images, kernel, bias))


def unfolded(images, patch_size):
    """The same patches from F.unfold."""
    return unfold(images, patch_size, stride=patch_size).transpose(1, 2)


def unfolded_by_reshape(images, patch_size):
    columns = unfold(images, patch_size, stride=patch_size)
    return columns.reshape(len(images), columns.shape[2], columns.shape[1])


EXERCISES = [
    Piece(
        "patch_of_pixel",
        "1.1",
        "Which patch holds this pixel?",
        level=1,
        minutes=5,
        reference=patch_of_pixel,
        cases=pixel_cases,
        more=more_pixel_mistakes,
        mistakes={
            "it counts column by column: patches are counted like words on a page, a row first": (
                lambda row, column, P, W: (column // P) * (W // P) + row // P
            ),
            "a row of patches holds W/P of them, not W and not P": (
                lambda row, column, P, W: (row // P) * W + column // P
            ),
            "a row of patches holds W/P of them, not P": (
                lambda row, column, P, W: (row // P) * P + column // P
            ),
            "this is the row within the patch (%): which patch it is says //": (
                lambda row, column, P, W: (row % P) * (W // P) + column % P
            ),
            "this is the index of the pixel, in an image of W columns, divided by the patch": (
                lambda row, column, P, W: (row * W + column) // (P * P)
            ),
            "`/` gives a fraction: `//` rounds down to a whole patch": (
                lambda row, column, P, W: (row / P) * (W / P) + column / P
            ),
        },
    ),
    Piece(
        "patchify",
        "1.2",
        "Cut images into patches",
        level=2,
        minutes=15,
        reference=patchify,
        cases=patch_cases,
        more=other_orders,
        also=refuses(
            "the line with patch_grid, which refuses them",
            {
                f"{H} × {W} pixels cannot be cut with P = 4": {
                    "images": torch.zeros(1, 3, H, W),
                    "patch_size": 4,
                }
                for H, W in ((6, 6), (6, 8), (8, 6))
            },
        ),
        mistakes={
            "right shape, but no number was moved: a reshape alone cuts the image into strips of "
            "rows. Split H and W in two, permute, then flatten": by_reshape,
            "right shape, but the patches run column by column: look at the order of the two grid "
            "axes in permute": cut((0, 4, 2, 1, 3, 5)),
            "right shape, but the channels come last within a patch: the course flattens (C, P, P), "
            "look at the end of permute": cut((0, 2, 4, 3, 5, 1)),
            "right shape, but each patch is mirrored along its diagonal: its columns come before "
            "its rows, look at the last two axes of permute": cut((0, 2, 4, 1, 5, 3)),
            "right shape, but grid and pixels are exchanged: 'which patch' must come before "
            "'where in the patch'": cut((0, 3, 5, 1, 2, 4)),
            "H must be split into (rows, P) and W into (columns, P), each where it stands: "
            "(B, C, rows, P, columns, P)": cut(
                (0, 2, 3, 1, 4, 5), split=lambda rows, columns, P: (rows, columns, P, P)
            ),
            "a side is split into (rows, P), not (P, rows): the patch changes slower than the "
            "pixel": cut((0, 3, 5, 1, 2, 4), split=lambda rows, columns, P: (P, rows, P, columns)),
            "right shape, but C stands between the two axes of the grid": cut((0, 2, 1, 4, 3, 5)),
            "right shape, but the channels come first: every patch needs all its channels, so C "
            "belongs behind the grid": cut((0, 1, 2, 4, 3, 5)),
            "the grid is kept as two axes: flatten rows and columns to N": (
                lambda images, P: patchify(images, P).unflatten(1, (images.shape[2] // P, -1))
            ),
            "this is what F.unfold gives, (B, C·P·P, N): the course has the patches in front": (
                lambda images, P: patchify(images, P).transpose(1, 2)
            ),
        },
    ),
    Piece(
        "unpatchify",
        "1.3",
        "And back",
        level=2,
        minutes=10,
        reference=unpatchify,
        cases=back_cases,
        more=other_ways_back,
        also=refuses(
            "the two lines that raise a ValueError",
            {
                f"{N} patches of {length} numbers do not fill 4 × 4 pixels with P = 2": {
                    "patches": torch.zeros(1, N, length),
                    "patch_size": 2,
                    "image_size": (4, 4),
                    "in_channels": 1,
                }
                for N, length in ((9, 4), (8, 2), (4, 8))
            },
        ),
        mistakes={
            "right shape, but nothing was moved: put the halves of each side next to each other "
            "before you flatten them": (
                lambda patches, P, size, C: patches.reshape(len(patches), C, *size)
            ),
            "the patches lie mirrored along the image's diagonal: grid rows belong to image rows": (
                back((0, 3, 2, 4, 1, 5))
            ),
            "each patch is mirrored along its own diagonal: look at the two axes of length P": (
                back((0, 3, 1, 5, 2, 4))
            ),
            "grid and pixels are exchanged: within a side the grid comes first, then the pixel": (
                back((0, 3, 4, 1, 5, 2))
            ),
            "the two P stand next to each other at the end: each side needs its grid axis and its "
            "pixel axis together": back((0, 3, 1, 2, 4, 5)),
            "the channels come last: they belong behind the batch": back((0, 1, 4, 2, 5, 3)),
            "the numbers were split as if they were an image, before anything was moved: begin with "
            "(B, rows, columns, C, P, P)": (
                lambda patches, P, size, C: (
                    patches.reshape(len(patches), C, size[0] // P, P, size[1] // P, P)
                    .permute(0, 1, 2, 4, 3, 5)
                    .reshape(len(patches), C, *size)
                )
            ),
            "this is patchify's permute once more; the way back needs its inverse": (
                back((0, 2, 4, 1, 3, 5))
            ),
        },
    ),
    Piece(
        "patch_tokens",
        "1.4",
        "A convolution that cuts and projects",
        level=2,
        minutes=15,
        reference=patch_tokens,
        cases=token_cases,
        more=more_token_mistakes,
        mistakes={
            "the kernel's axes are in the wrong order: a row of the matrix runs over (C, P, P)": (
                tokens_with_kernel(lambda w, C, P: w.reshape(-1, P, P, C).permute(0, 3, 1, 2))
            ),
            "each kernel is mirrored along its diagonal: no transpose is needed": (
                tokens_with_kernel(lambda w, C, P: w.reshape(-1, C, P, P).transpose(2, 3))
            ),
            "a matrix is no kernel: it has the shape (D, C·P·P), a kernel (D, C, P, P)": (
                lambda images, w, b, P: conv2d(images, w, b, stride=P)
            ),
            "the matrix was transposed: a row belongs to one of the D numbers": (
                tokens_with_kernel(lambda w, C, P: w.T.reshape(-1, C, P, P))
            ),
            "right shape, but the tokens run column by column": (
                lambda images, w, b, P: tokens_of_grid(convolved(images, w, b, P).mT)
            ),
            "the bias is missing": (
                lambda images, w, b, P: patch_tokens(images, w, torch.zeros_like(b), P)
            ),
            "the windows overlap: they move by one pixel. The stride must be P": overlapping_tokens,
            "tokens and embedding are exchanged, (B, D, N): a transpose is missing at the end": (
                lambda images, w, b, P: patch_tokens(images, w, b, P).transpose(1, 2)
            ),
            "right shape, wrong order: (B, D, N) becomes (B, N, D) by transpose, not by reshape": (
                lambda images, w, b, P: (
                    patch_tokens(images, w, b, P).transpose(1, 2).reshape(len(images), -1, len(w))
                )
            ),
            "the grid is kept, (B, D, H/P, W/P): flatten(2) makes a line of it": convolved,
        },
    ),
    Piece(
        "unfolded",
        "1.5",
        "Find the bug: patches from F.unfold",
        level=2,
        minutes=8,
        reference=unfolded,
        broken=unfolded_by_reshape,
        cases=patch_cases,
        mistakes={
            "(B, C·P·P, N) is what unfold gives: the patches still stand in columns": (
                lambda images, P: unfold(images, P, stride=P)
            ),
            "the windows overlap: without a stride unfold moves by one pixel": (
                lambda images, P: unfold(images, P).transpose(1, 2)
            ),
            "this transposes the images: patches then run column by column, mirrored": (
                lambda images, P: unfolded(images.transpose(2, 3), P)
            ),
            "transpose(0, 1) moves the batch: exchange axes 1 and 2": (
                lambda images, P: unfold(images, P, stride=P).transpose(0, 1)
            ),
            "transposed, and then reshaped to the wrong shape again": (
                lambda images, P: unfolded(images, P).reshape(
                    len(images), images.shape[1] * P * P, -1
                )
            ),
        },
    ),
]
