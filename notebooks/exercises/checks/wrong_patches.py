"""Wrong versions of the exercises of notebook 01, and of two mistakes at once."""

import itertools

from torch.nn.functional import conv2d, fold

from vit_minimal.patches import patchify

from .helpers import pairs


def cut(order, split=lambda rows, columns, P: (rows, P, columns, P)):
    """patchify with another order of the axes, or with H and W split otherwise into four."""

    def piece(images, patch_size):
        (B, C, H, W), P = images.shape, patch_size
        rows, columns = H // P, W // P
        axes = images.reshape(B, C, *split(rows, columns, P))
        return axes.permute(order).reshape(B, rows * columns, C * P * P)

    return piece


def by_reshape(images, patch_size):
    (B, C, H, W), P = images.shape, patch_size
    return images.reshape(B, (H // P) * (W // P), C * P * P)


def back(order):
    """unpatchify with another order of the axes (B, H/P, W/P, C, P, P)."""

    def piece(patches, patch_size, image_size, in_channels):
        B, P, (H, W) = len(patches), patch_size, image_size
        split = patches.reshape(B, H // P, W // P, in_channels, P, P).permute(order)
        return split.reshape(B, in_channels, H, W)

    return piece


def convolved(images, weight, bias, patch_size):
    """The tokens where their patches are: (B, D, H/P, W/P)."""
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    return conv2d(images, kernel, bias, stride=patch_size)


def tokens_of_grid(grid):
    """(B, D, H/P, W/P) → (B, N, D), row by row."""
    return grid.flatten(2).transpose(1, 2)


def tokens_with_kernel(make_kernel):
    """patch_tokens with another way from the matrix to a kernel (D, C, P, P)."""

    def piece(images, weight, bias, patch_size):
        kernel = make_kernel(weight, images.shape[1], patch_size)
        return tokens_of_grid(conv2d(images, kernel, bias, stride=patch_size))

    return piece


SPLIT = ("batch", "channel", "row of patches", "row in the patch", "column of patches")


SPLIT += ("column in the patch",)


def in_words(order):
    return ", ".join(SPLIT[axis] for axis in order)


def other_orders():
    """patchify with every order of the six axes, after each way to split H and W."""
    right = (0, 2, 4, 1, 3, 5)
    splits = {
        "": lambda rows, columns, P: (rows, P, columns, P),
        "H and W are split with rows and columns of patches exchanged. ": (
            lambda rows, columns, P: (columns, P, rows, P)
        ),
    }
    return {
        f"{said}before the last reshape the axes are ({in_words(order)}); they should be "
        f"({in_words(right)})": cut(order, split)
        for said, split in splits.items()
        for order in ((0, *rest) for rest in itertools.permutations(range(1, 6)))
        if said or order != right
    } | {
        "the batch is flattened along with the patches: it stays an axis of its own": (
            lambda images, P: patchify(images, P).flatten(0, 1)
        )
    }


def other_ways_back():
    """unpatchify with every order of the six axes, after each way to split what came in."""
    names = ("batch", "row of patches", "column of patches", "channel", "row in the patch")
    names += ("column in the patch",)
    right = (0, 3, 1, 4, 2, 5)
    splits = {
        "": lambda rows, columns, C, P: (rows, columns, C, P, P),
        "rows and columns of patches are exchanged in the first reshape. ": (
            lambda rows, columns, C, P: (columns, rows, C, P, P)
        ),
        "a patch is flattened as (C, P, P), so C comes before the two P in the first reshape. ": (
            lambda rows, columns, C, P: (rows, columns, P, P, C)
        ),
    }

    def way(order, split):
        def piece(patches, patch_size, image_size, in_channels):
            B, P, (H, W) = len(patches), patch_size, image_size
            axes = patches.reshape(B, *split(H // P, W // P, in_channels, P)).permute(order)
            return axes.reshape(B, in_channels, H, W)

        return piece

    def said(order, split):
        axes = list(names) if "as (C, P, P)" not in split else [*names[:3], *names[4:], names[3]]
        got = ", ".join(axes[i] for i in order)
        return f"{split}Before the last reshape the axes are ({got}); they should be ({wanted})"

    wanted = ", ".join(names[i] for i in right)
    return {
        said(order, split): way(order, axes)
        for split, axes in splits.items()
        for order in ((0, *rest) for rest in itertools.permutations(range(1, 6)))
        if split or order != right
    } | {
        "F.fold wants the patches as columns, (B, C·P·P, N): transpose first": (
            lambda patches, P, size, C: fold(patches, size, P, stride=P)
        )
    }


def pixel_with(above=lambda row, P: row // P, side=lambda column, P: column // P, per_row=None):
    """patch_of_pixel with another number of rows above, of patches per row, or beside it."""
    per_row = per_row or (lambda P, W: W // P)
    return lambda row, column, P, W: above(row, P) * per_row(P, W) + side(column, P)


PIXEL_STEPS = {
    "row and column are exchanged": {
        "swapped": True,
    },
    "the row is not divided: `//` says which row of patches it is in": {
        "above": lambda row, P: row
    },
    "the column is not divided": {"side": lambda column, P: column},
    "a row of patches holds W/P of them, not W": {"per_row": lambda P, W: W},
    "a row of patches holds W/P of them, not P": {"per_row": lambda P, W: P},
    "rows and columns of patches are added: the rows above are W/P patches each": {
        "per_row": lambda P, W: 1
    },
    "patches are counted from 0": {"side": lambda column, P: column // P + 1},
    "it divides without rounding down at each step: `//`, and not `/`": {
        "above": lambda row, P: row / P,
        "side": lambda column, P: column / P,
    },
}


def pixel_version(swapped=False, **steps):
    piece = pixel_with(**steps)
    return (lambda row, column, P, W: piece(column, row, P, W)) if swapped else piece


def more_pixel_mistakes():
    rounded = {
        "`int` around the whole is too late: each division is rounded down by itself, `//`": (
            lambda row, column, P, W: int(row / P * W / P + column / P)
        )
    }
    alone = {words: pixel_version(**steps) for words, steps in PIXEL_STEPS.items()}
    return alone | rounded | pairs(pixel_version, PIXEL_STEPS)


def tokens_by(tokens_of_kernel=None, bias=True, stride=lambda P: P, grid=tokens_of_grid):
    """patch_tokens in which some steps are done otherwise."""

    def piece(images, weight, bias_numbers, patch_size):
        C, P = images.shape[1], patch_size
        kernel = (tokens_of_kernel or (lambda w, C, P: w.reshape(-1, C, P, P)))(weight, C, P)
        numbers = bias_numbers if bias else None
        return grid(conv2d(images, kernel, numbers, stride=stride(P)))

    return piece


TOKEN_STEPS = {
    "the kernel's axes are in the wrong order, (C, P, P) it should be": {
        "tokens_of_kernel": lambda w, C, P: w.reshape(-1, P, P, C).permute(0, 3, 1, 2)
    },
    "the bias is missing": {"bias": False},
    "the stride is half of P: it must be P": {"stride": lambda P: max(1, P // 2)},
    "tokens and embedding are exchanged, (B, D, N)": {"grid": lambda grid: grid.flatten(2)},
    "the tokens run column by column": {"grid": lambda grid: tokens_of_grid(grid.mT)},
    "the grid is kept": {"grid": lambda grid: grid},
}


def more_token_mistakes():
    alone = {words: tokens_by(**steps) for words, steps in TOKEN_STEPS.items()}
    return alone | pairs(tokens_by, TOKEN_STEPS)
