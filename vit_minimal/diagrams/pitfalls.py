"""Where the pitfalls of notebooks 08 and 09 lie: in a patch size, in what a head reads."""

import numpy as np

from ..plots import as_array, show
from .card import (
    ATTENTION,
    CLASS,
    FAINT,
    HEAD,
    INK,
    LINE,
    PATCH,
    POSITION,
    QUIET,
    SERIES,
    TOKEN,
    Card,
    tint,
)


def cuts(image, patch_sizes, frame=None, title=""):
    """An image (C, H, W), cut into patches of each of these sizes, with their number below.

    `frame` is a (left, top, side) in pixels, with an orange frame around it in each picture.
    """
    (_, H, W), sizes = image.shape, list(patch_sizes)
    for P in sizes:
        if P < 1 or H % P or W % P:
            raise ValueError(f"patch_size {P} does not divide the image size {H} × {W}")
    gap = 1.4
    wide = min((62 - gap * (len(sizes) - 1)) / len(sizes), 30)
    high = wide * H / W
    left = (66 - len(sizes) * (wide + gap) + gap) / 2
    card = Card(height=high + 8.4)
    for k, P in enumerate(sizes):
        x0, scale = left + k * (wide + gap), wide / W
        card.text(x0 + wide / 2, 1.9, f"P = {P}", 11, weight="bold")
        card.picture(x0, 3.6, wide, high, image)
        thin = 0.5 if P * scale < 1.2 else 1.1
        for at in range(0, H + 1, P):
            y = 3.6 + at * scale
            card.line((x0, y), (x0 + wide, y), colour="white", line=thin, zorder=3)
        for at in range(0, W + 1, P):
            x = x0 + at * scale
            card.line((x, 3.6), (x, 3.6 + high), colour="white", line=thin, zorder=3)
        if frame is not None:
            corner = x0 + frame[0] * scale - 0.25, 3.6 + frame[1] * scale - 0.25
            side = frame[2] * scale + 0.5  # around the square, not over it
            for colour, line in (("white", 4.2), (SERIES[4], 2.4)):  # edges: seen on any picture
                card.rectangle(*corner, side, side, "none", colour, line, zorder=4)
        count = (H // P) * (W // P)
        words = f"{count:,} patches" if count > 1 else "1 patch"
        card.text(x0 + wide / 2, 3.6 + high + 1.6, words, 10.5)
    counted = [f"P = {P}: {(H // P) * (W // P):,}" for P in sizes]
    show(
        f"the same picture of {H} × {W} pixels {len(sizes)} times, each with a white grid over it; "
        "the larger the patch side P, the fewer patches there are" + (
            ", and an orange frame marks one small square" if frame is not None else ""
        ),
        title,
        counted,
    )  # fmt: skip


def heads_read(readers, num_registers=0, title=""):
    """What a head reads of the tokens: {name: (code, weights (T,))}, a row for each.

    On top the tokens: the class token, registers, patches. A cell below is as dark as its weight is
    large, on a scale of its row, which is written at its end. Where the weight is NaN, the model has
    no such token, and no cell is drawn.
    """
    weights = {name: as_array(of) for name, (_, of) in readers.items()}
    (T,) = {len(of) for of in weights.values()}
    side, left, top = min(30 / T, 3.0), 24, 5
    bottom = top + 6 + 5.6 * len(readers)
    card = Card(height=bottom + 3)
    colours = [CLASS] + [POSITION] * num_registers + [PATCH] * (T - 1 - num_registers)
    card.text(left - 1.4, top + side / 2, "tokens after the last norm", 10, QUIET, ha="right")
    for i, colour in enumerate(colours):
        card.token(left + i * side, top, colour, side)
    x = left
    for count, colour, words in (
        (1, CLASS, "class token"),
        (num_registers, POSITION, "registers"),
        (T - 1 - num_registers, PATCH, "patches"),
    ):
        if count:
            card.token(x, top - 3, colour, 1.6)
            card.text(x + 2.2, top - 2.2, words, 10, QUIET, ha="left")
            x += 5 + 0.8 * len(words)
    for i, weight in enumerate((0, 0.3, 1)):
        card.rectangle(left + 1.8 * i, bottom, 1.8, 1.6, _read(weight), LINE, 0.7)
    words = "white: not read; darker: more weight in its row"
    card.text(left + 6.4, bottom + 0.8, words, 10, QUIET, ha="left")
    for k, (name, (code, _)) in enumerate(readers.items()):
        y, of = top + 5.4 + 5.6 * k, weights[name]
        card.text(left - 1.4, y + side / 2, name, 10.5, ha="right")
        for i, weight in enumerate(of / np.nanmax(of)):
            if not np.isnan(weight):
                card.rectangle(left + i * side, y, side, side, _read(weight), LINE, 0.7, zorder=2)
        right, (first, last) = left + T * side, np.flatnonzero(of > 1e-6)[[0, -1]]
        # A bracket below the cells that are read, and from it on to the head
        start, end, foot = left + first * side + 0.3, left + (last + 1) * side - 0.3, y + side + 0.8
        for edge in (start, end):
            card.line((edge, y + side + 0.2), (edge, foot), colour=INK, line=1.3)
        card.arrow((start, foot), (right + 3.2, foot), colour=INK)
        card.box(right + 3.4, foot - 1.5, 5.4, 3, INK, "head", 10)
        begins = left + side * int(np.isnan(of).argmin())  # at the first token that there is
        card.shape(begins, y + side + 2.2, code, 10, colour=QUIET, ha="left")
        card.text(right + 3.0, y + side + 2.2, _shares(of), 10, QUIET, ha="right")
    read = [
        f"{name}: {int((of > 1e-6).sum())} of {int((~np.isnan(of)).sum())} tokens, {_shares(of)}"
        for name, of in weights.items()
    ]
    show(
        f"a row of {T} tokens, the class token first, and below it a row for each kind of head with "
        "the tokens that it reads in grey, over a bracket from which an arrow leads to the head",
        title,
        read,
    )


def _read(weight):
    """The colour of a cell that has this share of its row's largest weight: also the least is grey."""
    return tint(INK, 0.12 + 0.68 * weight) if weight > 1e-6 else "white"


def _shares(weights):
    """The weights that a head gives to what it reads, once their sum is 1, in words."""
    read = weights[weights > 1e-6] / np.nansum(weights)
    if np.ptp(read) > 1e-6:
        return f"{read.min():.2f} to {read.max():.2f}"
    return "weight 1" if len(read) == 1 else f"1/{len(read)} each"


DASHED = (0, (3, 1.5))
WAYS_TO_CUT = {  # the arrows that each takes away: they are pale, with crosses on them
    "not cut": ((), ""),
    "left out": (("step",), "no step of the optimizer"),
    "detached": (("gradient", "step"), "no gradient, so no step"),
    "alone": (("reads",), "it attends to itself alone"),
    "unseen": (("is read",), "no patch attends to it"),
}


def cut_class_token(title=""):
    """A class token that is not cut off, and four ways to cut it off: each arrow that a way takes away
    is pale, with a cross on it. Purple and grey arrows point to the token that attends, and so receives.
    """
    card, top = Card(height=77 + 3 * bool(title)), 1 + 3 * bool(title)
    if title:
        card.text(33, 2, title, 12)
    for k, (colour, words) in enumerate(
        (
            (ATTENTION, "what the class token receives"),
            (QUIET, "what a patch receives from it"),
            (None, "(patch to patch is not drawn)"),
            (LINE, "step: changes the class token"),
            (LINE, "gradient: from the head back"),
            (LINE, "pale, with ×: cut"),
        )
    ):
        at = top + 3 + 3.4 * k
        card.strength = FAINT if k == 5 else 1.0
        if k == 4:
            card.line((36, at), (39.2, at), colour=colour, line=1.6, style=DASHED)
        if colour:
            card.arrow((36 + 3.1 * (k == 4), at), (40, at), colour=colour, line=1.6)
        card.strength = 1.0
        card.text(41.4, at, words, 10, QUIET, ha="left")
    card.text(37.6, at, "×", 17, HEAD, weight="bold")
    for k, (name, (missing, words)) in enumerate(WAYS_TO_CUT.items()):
        panel = k + (k > 0)  # beside the first is the legend
        x0, y0 = 1 + 33 * (panel % 2), top + 25.4 * (panel // 2)
        before, after, y = x0 + 7.4, x0 + 19, y0 + 8.6  # two columns of tokens, the first row
        rows = [y + TOKEN / 2 + 3.8 * row for row in range(4)]
        left, right = before + TOKEN + 0.4, after - 0.4
        middle, below, back = (left + right) / 2, rows[-1] + TOKEN / 2 + 1.4, rows[0] - 3.2
        card.text(x0 + 1, y0 + 1.4, name, 11.5, ha="left", weight="bold")
        card.text(x0 + 2.2 + 1.08 * len(name), y0 + 1.4, words, 10, QUIET, ha="left")
        card.rectangle(middle - 2.6, y - 0.7, 5.2, 15.6, tint(POSITION, 0.22), zorder=0.5)
        card.text(middle, below, "block", 10, QUIET)
        for column, at_side in ((before, "before"), (after, "after")):
            card.text(column + TOKEN / 2, below, at_side, 10, QUIET)
            for row, at in enumerate(rows):
                card.token(column, at - TOKEN / 2, PATCH if row else CLASS)
        card.text(middle + 4, back - 1.4, "gradient", 10, QUIET)
        card.text(x0 + 2.4, rows[0], "step", 10, QUIET)
        card.box(x0 + 25, rows[0] - 1.7, 5.6, 3.4, HEAD, "head", 10)
        card.arrow((left, rows[0]), (right, rows[0]), colour=ATTENTION, line=1.6)
        card.arrow((after + TOKEN + 0.3, rows[0]), (x0 + 24.8, rows[0]), colour=HEAD, line=1.6)
        start, end = (x0 + 27.8, rows[0] - 1.9), (middle, y - 0.6)
        patches, first = rows[1:], rows[0]
        parts = {  # the points of the arrows, and their colour
            "reads": ([[(left, at), (right, first)] for at in patches], ATTENTION),
            "is read": ([[(left, first), (right, at)] for at in patches], QUIET),
            "gradient": ([[start, (start[0], back), (end[0], back), end]], LINE),
            "step": ([[(x0 + 4.6, first), (before - 0.3, first)]], LINE),
        }
        crossed = {  # where the crosses stand: near the patches, where no other arrow is
            "reads": [(left + 1.3, at + 0.16 * (first - at)) for at in patches],
            "is read": [(right - 1.3, first + 0.84 * (at - first)) for at in patches],
            "gradient": [(x0 + 24.5, back)],
            "step": [(x0 + 5.6, first)],
        }
        for part, (arrows, colour) in parts.items():
            card.strength = FAINT if part in missing else 1.0
            for points in arrows:
                if part == "gradient":
                    card.line(*points[:3], colour=colour, line=1.6, style=DASHED)
                    points = points[2:]
                card.arrow(*points, colour=colour, line=1.6, zorder=1.5 - (part in missing) / 2)
            card.strength = 1.0
            for place in crossed[part] if part in missing else ():
                card.text(*place, "×", 17, HEAD, weight="bold", zorder=6)
    show(
        "five times the same tokens before and after a block, the class token on top: arrows to each "
        "token from those that it attends to, purple to the class token, a red one to the head, a "
        "dark one for the step of the optimizer and a dashed one for the gradient; in each picture but the "
        "first some of them are pale, with crosses on them, because the cut takes them away",
        title,
        [f"{name}: {words or 'nothing is missing'}" for name, (_, words) in WAYS_TO_CUT.items()],
    )


def exchange(num_patches=4, title=""):
    """A row of tokens through blocks, and the same row with the first two exchanged: what comes out is
    exchanged in the same way, and otherwise the same.
    """
    card, top = Card(height=27 + 3 * bool(title)), 3 * bool(title)
    if title:
        card.text(33, 2, title, 12)
    names = ["c", *map(str, range(1, num_patches + 1))]
    side = min(4.4, 28 / len(names) - 0.6)
    said = []
    for k, words in enumerate(("class token first", "first two exchanged")):
        order = [1, 0, *range(2, len(names))] if k else range(len(names))
        left, step = 2 + 33 * k, side + 0.6
        card.text(left, top + 1.6, words, 11, ha="left", weight="bold")
        card.box(left - 0.6, top + 11.4, step * len(names) + 0.6, 5, INK, "the same blocks", 10.5)
        for slot, token in enumerate(order):
            x, colour = left + slot * step, PATCH if token else CLASS
            middle = x + side / 2
            card.cell(x, top + 4.6, side, 3.6, colour, names[token], 11)
            card.arrow((middle, top + 8.4), (middle, top + 11.2), colour=LINE)
            card.arrow((middle, top + 16.6), (middle, top + 19.4), colour=LINE)
            card.cell(x, top + 19.6, side, 3.6, colour, names[token] + "\N{PRIME}", 11)
        said.append(f"{words}: {' '.join(names[token] for token in order)}")
        if k:
            card.bracket(left, left + 2 * step - 0.6, top + 23.7, "exchanged in the same way")
    show(
        "two rows of tokens go through the same blocks; in the second row the first two are exchanged, "
        "and so are the first two that come out",
        title,
        said,
    )
