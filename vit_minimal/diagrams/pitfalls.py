"""Where the pitfalls of notebooks 07 to 09 lie: in a start, in a patch size, in what a head reads."""

import numpy as np
from matplotlib.patches import Arc

from ..plots import as_array, show
from .card import (
    ATTENTION,
    CLASS,
    HEAD,
    INK,
    LINE,
    PATCH,
    POSITION,
    QUIET,
    SERIES,
    TOKEN,
    Card,
    dark,
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
    wide = min((62 - gap * (len(sizes) - 1)) / len(sizes), 24)
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
    large, on a scale of its row, which is written at its end.
    """
    weights = {name: as_array(of) for name, (_, of) in readers.items()}
    (T,) = {len(of) for of in weights.values()}
    side, left, top = min(30 / T, 3.0), 24, 5
    bottom = top + 5.4 + 5.0 * len(readers)
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
    words = "white: not read; darker grey: more weight"
    card.text(left + 6.4, bottom + 0.8, words, 10, QUIET, ha="left")
    for k, (name, (code, _)) in enumerate(readers.items()):
        y, of = top + 5.4 + 5.0 * k, weights[name]
        card.text(left - 1.4, y + side / 2, name, 10.5, ha="right")
        for i, weight in enumerate(of / of.max()):
            card.rectangle(left + i * side, y, side, side, _read(weight), LINE, 0.7, zorder=2)
        right = left + T * side
        card.arrow((right + 0.6, y + side / 2), (right + 3.2, y + side / 2), colour=INK)
        card.box(right + 3.4, y + side / 2 - 1.5, 5.4, 3, INK, "head", 10)
        card.shape(left, y + side + 1.3, code, 10, colour=QUIET, ha="left")
        card.text(right + 3.0, y + side + 1.3, _shares(of), 10, QUIET, ha="right")
    read = [
        f"{name}: {int((of > 1e-6).sum())} of {T} tokens, {_shares(of)}"
        for name, of in weights.items()
    ]
    show(
        f"a row of {T} tokens, the class token first, and below it a row for each kind of head with "
        "the tokens that it reads in grey",
        title,
        read,
    )


def _read(weight):
    """The colour of a cell that has this share of its row's largest weight: also the least is grey."""
    return tint(INK, 0.12 + 0.68 * weight) if weight > 1e-6 else "white"


def _shares(weights):
    """The weights that a head gives to what it reads, once their sum is 1, in words."""
    read = weights[weights > 1e-6] / weights.sum()
    if np.ptp(read) > 1e-6:
        return f"{read.min():.2f} to {read.max():.2f}"
    return "weight 1" if len(read) == 1 else f"1/{len(read)} each"


SHARED_AND_OWN = {"class token": (CLASS, PATCH), "patch": (POSITION, PATCH)}  # their colours


def norm_divides(tokens, title="", of="class token"):
    """A token of two images in the residual stream, and after the next norm; `of` which kind it is.

    `tokens` are {name: (size of what the images share, size of what differs between them)}. Each
    has a row, in the scale of the first one where it fits: a long arrow for what both share, and an
    arrow up for what is the first image's own, down for the second's. The norm keeps the direction
    and makes the length 1: two points on a circle. The sizes are those given; that the two differ
    in opposite directions is a choice of the drawing.
    """
    if not all(size > 0 for sizes in tokens.values() for size in sizes):
        raise ValueError(f"expected sizes above 0, got {tokens}")
    tall, x0, centre, radius = 27, 3, 50, 8.5
    card, apart = Card(height=tall * len(tokens)), {}
    common, different = SHARED_AND_OWN[of]
    largest = [min(24 / shared, 7.5 / own) for shared, own in tokens.values()]
    scales = [min(largest[0], fits) for fits in largest]
    for k, ((name, (shared, own)), scale) in enumerate(zip(tokens.items(), scales, strict=True)):
        y = tall * k + 15.4
        long, high = shared * scale, own * scale
        card.text(2, y - 13, name, 11.5, ha="left", weight="bold")
        words = f"shared {shared:.2g}, differs by {own:.2g}"
        card.text(2, y - 10, words, 10.5, QUIET, ha="left")
        angle = np.arctan2(own, shared)
        apart[name] = 2 * np.sin(angle)
        arc = {"theta1": -90, "theta2": 90, "color": LINE, "lw": 1.2, "ls": ":"}
        card.axis.add_patch(Arc((centre, y), 2 * radius, 2 * radius, **arc))
        seen = high > 1.5
        for sign, image in ((-1, "A"), (1, "B")):
            tip = x0 + long, y + sign * high
            if seen:
                card.arrow((x0 + long, y), tip, colour=different, line=2.6)
                words = f"image {image}"
                card.text(tip[0] + 1.6, y + sign * high / 2, words, 10, dark(different), ha="left")
            card.line((x0, y), tip, colour=QUIET, line=1, style=":")
            point = centre + radius * np.cos(angle), y + sign * radius * np.sin(angle)
            card.line((centre, y), point, colour=QUIET, line=1, style=":")
            card.axis.plot(*point, "o", color=HEAD, ms=9, zorder=5)
        card.arrow((x0, y), (x0 + long, y), colour=common, line=4)
        if not seen:
            words = "what differs is too small for an arrow"
            card.text(x0, y + 3.2, words, 10, dark(different), ha="left")
        if scales[0] > 1.02 * scale:  # a difference that one might see
            words = f"drawn {scales[0] / scale:,.0f} times smaller than at the top"
            below = high + 2 if seen else 5.8
            card.text(x0, y + below, words, 10, QUIET, ha="left")
        card.arrow((39, y), (46, y), colour=LINE)
        card.text(42, y - 2.2, "÷ size", 10, QUIET)
        card.text(centre + 4, y - 13, "after the norm", 10.5, QUIET)
    show(
        f"arrows of a {of} of two images: a part that both share, and a part in which they "
        "differ; beside it two points on a circle, where the norm puts them",
        title,
        [f"{name}: the points are {far:.2g} apart" for name, far in apart.items()],
    )


WAYS_TO_CUT = {  # what is missing in each, which is drawn pale and crossed out
    "left out": ("step", "no step of the optimizer"),
    "detached": ("gradient", "no gradient, so no step"),
    "alone": ("reads", "it attends to itself alone"),
    "unseen": ("is read", "no patch attends to it"),
}


def cut_class_token(title="", ways=WAYS_TO_CUT):
    """Four ways to cut off a class token: what each takes away is crossed out. `ways` are {name:
    (what is missing: "reads", "is read", "step" or "gradient", words)}, by default four mistakes.
    """
    card, top = Card(height=56 + 3 * bool(title)), 3 * bool(title)
    if title:
        card.text(33, 2, title, 12)
    for k, (name, (missing, words)) in enumerate(ways.items()):
        x0, y0 = 1 + 33 * (k % 2), top + 1 + 26 * (k // 2)
        before, after, y = x0 + 7.4, x0 + 19, y0 + 8.6  # two columns of tokens, the first row
        rows = [y + TOKEN / 2 + 3.8 * row for row in range(4)]

        gone = {missing, "step"} if missing == "gradient" else {missing}  # no gradient, no step

        def arrow(part, *points, colour, gone=gone):
            card.strength = 0.3 if part in gone else 1.0
            card.arrow(*points, colour=colour, line=1.6)
            card.strength = 1.0

        card.text(x0 + 1, y0 + 1.4, name, 11.5, ha="left", weight="bold")
        card.text(x0 + 2.2 + 1.08 * len(name), y0 + 1.4, words, 10, QUIET, ha="left")
        middle, below = (before + after + TOKEN) / 2, rows[-1] + TOKEN / 2 + 1.4
        card.rectangle(middle - 2.6, y - 0.7, 5.2, 15.6, tint(POSITION, 0.22), zorder=0.5)
        card.text(middle, below, "block", 10, QUIET)
        for column, words in ((before, "before"), (after, "after")):
            card.text(column + TOKEN / 2, below, words, 10, QUIET)
            for row, at in enumerate(rows):
                card.token(column, at - TOKEN / 2, PATCH if row else CLASS)
        left, right = before + TOKEN + 0.4, after - 0.4
        arrow("itself", (left, rows[0]), (right, rows[0]), colour=ATTENTION)
        for patch in rows[1:]:
            arrow("reads", (left, patch), (right, rows[0]), colour=ATTENTION)
            arrow("is read", (left, rows[0]), (right, patch), colour=ATTENTION)
        arrow("head", (after + TOKEN + 0.3, rows[0]), (x0 + 24.8, rows[0]), colour=HEAD)
        card.box(x0 + 25, rows[0] - 1.7, 5.6, 3.4, HEAD, "head", 10)
        back = rows[0] - 3.2
        card.text(middle + 4, back - 1.4, "gradient", 10, dark(POSITION))
        start, end = (x0 + 27.8, rows[0] - 1.9), (middle, y - 0.6)
        arrow("gradient", start, (start[0], back), (end[0], back), end, colour=LINE)
        arrow("step", (x0 + 4.6, rows[0]), (before - 0.3, rows[0]), colour=LINE)
        card.text(x0 + 2.4, rows[0], "no\nstep" if "step" in gone else "step", 10, QUIET)
        cross = {
            "step": (x0 + 5.9, rows[0]),
            "gradient": (x0 + 24.5, back),
            "reads": (right - 2, rows[1] - 1.9),
            "is read": (left + 2, rows[1] - 1.9),
        }
        card.text(*cross[missing], "×", 24, HEAD, weight="bold", zorder=6)
    y = top + 54
    card.arrow((8.4, y), (12.4, y), colour=ATTENTION, line=1.6)
    words = "the token at the tip attends to the one at the tail"
    card.text(13.4, y, words, 10, QUIET, ha="left")
    show(
        "four times the same tokens before and after a block, the class token on top: purple arrows "
        "to each token from those that it attends to, a red one to the head, grey ones for the gradient and the step "
        "of the optimizer; in each picture one kind of arrow is crossed out",
        title,
        [f"{name}: {words}" for name, (_, words) in ways.items()],
    )
