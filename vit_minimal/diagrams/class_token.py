"""The class token: one learned vector that gathers something else from each image; and findings about
it, each at its place in a model.
"""

import numpy as np
from matplotlib.patches import Circle

from ..plots import as_array, as_picture, show
from .attention import softmax
from .card import (
    ATTENTION,
    CLASS,
    HEAD,
    INK,
    LINE,
    PATCH,
    POSITION,
    QUIET,
    TOKEN,
    WIDTH,
    Card,
    dark,
    ink_on,
    tint,
)


def _striped(card, x, y, width, height, shares, colours, numbers):
    """What a class token has gathered: stripes as wide as the shares, the widest first, with white
    lines between them and the number of their patch where it fits.
    """
    for i in np.argsort(-shares, kind="stable"):
        share, number = shares[i], str(numbers[i])
        card.rectangle(x, y, width * share, height, colours[i], "white", 1.2, zorder=2)
        if width * share > 1.3 * len(number):
            middle = x + width * share / 2, y + height / 2
            card.text(*middle, number, 10, ink_on(colours[i]), zorder=4)
        x += width * share


def _made_up(patches):
    """Shares for patches (N, C, P, P): more for those that stand out from the mean of all."""
    pixels = patches.reshape(len(patches), patches.shape[1], -1)
    apart = np.abs(pixels - pixels.mean(axis=(0, 2), keepdims=True)).mean(axis=(1, 2))
    return softmax((apart - apart.mean()) / (apart.std() + 1e-6))


def class_token_idea(images, weights=None, grid=3, numbers=None, result="different"):
    """The idea of the class token, for two images (2, C, H, W), each cut into grid × grid patches.

    One learned vector, the same for both images, stands in front of the patches. By attention it
    gathers from them, and the sum of the old vector and the gathered one, framed, is another one for
    each image. `weights` (2, grid²) are what it takes from each patch; without them, made-up ones
    are larger where a patch stands out. The words between what the two have gathered are the
    `result`. `numbers` (2, grid²) are those of the patches, else 0 … grid² − 1: for an image and the
    same one shuffled, say.
    """
    images = as_array(images)
    if images.ndim != 4 or len(images) != 2 or min(images.shape[2:]) < grid or grid < 1:
        raise ValueError(f"expected two images (2, C, H, W), got {images.shape}")
    N, P = grid * grid, min(images.shape[2:]) // grid
    weights = None if weights is None else as_array(weights)
    if weights is not None and weights.shape != (2, N):
        raise ValueError(f"expected weights (2, {N}), got {weights.shape}")
    numbers = [range(N)] * 2 if numbers is None else as_array(numbers).tolist()
    if [len(row) for row in numbers] != [N, N]:
        raise ValueError(f"expected numbers (2, {N}) of the patches")
    card, step, first, after, wide = Card(height=46), 26.8 / N, 19.4, 47.4, 17.6
    gathered, stripes = after + wide / 2, (after + 6.2, wide - 6.8)  # where, and how wide
    size = min(3.2, step - 0.4)
    heads = (
        (6.5, "image", INK),
        (15.8, "[class]", dark(CLASS)),
        (gathered, "[class]", dark(CLASS)),
    )
    for x, words, colour in (*heads, (first + N * step / 2, "patches", dark(PATCH))):
        card.text(x, 2.2, words, 11.5, colour, weight="bold")
    card.text(15.8, 4.4, "learned", 10, QUIET)
    card.text(gathered, 4.4, "old + gathered", 10, QUIET)
    centres, said = (15, 36.4), []
    for middle, name, image, known in zip(centres, "AB", images, numbers, strict=True):
        image = image[:, : P * grid, : P * grid]
        cut = image.reshape(len(image), grid, P, grid, P).transpose(1, 3, 0, 2, 4)
        patches = cut.reshape(N, len(image), P, P)
        shares = _made_up(patches.astype(float)) if weights is None else weights["AB".index(name)]
        shares = shares / shares.sum()
        card.picture(1, middle - 5.5, 11, 11, image)
        card.text(6.5, middle + 7.1, name)
        card.token(13.8, middle - 2, CLASS, 4)
        top = middle - size / 2
        for i, patch in enumerate(patches):
            x = first + i * step
            card.picture(x, top, size, size, patch)
            card.rectangle(x, top, size, size, "none", PATCH, 1.4, zorder=2)
            if len(str(N - 1)) < size:
                card.text(x + size / 2, top + size + 1.3, str(known[i]), 10, dark(PATCH))
            line = 0.4 + 5 * shares[i] / shares.max()
            bend = -0.26 - 0.14 * (1 - i / N)
            to = stripes[0] + stripes[1] / 2, middle - 4.4
            card.arc((x + size / 2, top - 0.3), to, bend, ATTENTION, line, head=False)
        under, before = middle + size / 2 + 2.8, after - 1.1
        way = (18.6, middle), (18.6, under), (before, under), (before, middle)
        card.arrow((17.8, middle), *way, (after + 0.6, middle), colour=CLASS, line=2)
        colours = [as_picture(patch).reshape(P * P, -1).mean(axis=0) for patch in patches]
        colours = [tuple(np.broadcast_to(colour, 3)) for colour in colours]
        card.rectangle(after, middle - 4, wide, 8, "none", CLASS, 2.5, zorder=3)
        card.token(after + 0.7, middle - 2, CLASS, 4)
        card.text(after + 5.45, middle, "+", 13)
        _striped(card, stripes[0], middle - 3, stripes[1], 6, shares, colours, known)
        largest = int(shares.argmax())
        said.append(f"image {name}: most from patch {known[largest]}, {shares[largest]:.0%}")
    upper, lower = centres
    for x, reach, words in ((15.8, 2.6, "the same"), (gathered, 4.4, result)):
        between = (upper + reach + lower - reach) / 2
        dashed = "-" if words == "the same" else ":"
        low = lower - reach if x == 15.8 else lower - 6.6
        card.line((x, upper + reach), (x, between - 1.6), colour=CLASS, line=2, style=dashed)
        card.line((x, between + 1.6), (x, low), colour=CLASS, line=2, style=dashed)
        card.text(x, between, words)
    show(
        "before the first block the same learned vector stands in front of the patches of both "
        "images; arrows, thicker where more is taken, lead from the patches to what is gathered; "
        f"the old class token plus what it gathered is the new one, and the two are {result}",
        "The class token gathers from its image",
        said,
    )


# Where a number may stand in `class_token_places`
PLACES = "start", "row", "attention", "patches", "last block", "head", "another token"


def class_token_places(read, cut, findings):
    """What was found out about a class token, each finding at its place in a model.

    `read` (L + 1,) are the shares of the images whose class a probe reads off it, before the first
    block and after each, and `cut` (L,) the points that the model gains, here mostly below 0, if it
    is cut off in this block only. `findings` {place: (words, size)} are numbered in their order:
    below in a list, and above at one of PLACES. ValueError for another place, for fewer than 3 blocks
    or more than 8, and if `read` is not one longer than `cut`.
    """
    read, cut = (as_array(numbers).astype(float) for numbers in (read, cut))
    depth = len(cut)
    if not 3 <= depth <= 8 or len(read) != depth + 1:
        raise ValueError(f"expected 3 to 8 blocks, and a probe more, not {depth} and {len(read)}")
    if wrong := [place for place in findings if place not in PLACES]:
        raise ValueError(f"no places {wrong}: there are {PLACES}")
    first, *patches = rows = [6.4, 10.4, 14.4]
    bars, hang, top = 28.2, 33, 44.4
    card, step = Card(height=top + 3.7 * len(findings) - 1.2), 50 / depth
    lefts = [4.6 + place * step for place in range(depth + 1)]
    middles = [left + (TOKEN + step) / 2 for left in lefts[:-1]]
    _blocks(card, lefts, step, rows)
    end = lefts[-1] + TOKEN
    card.arrow((end + 0.3, first), (60.2, first), colour=HEAD, line=1.6)
    card.box(60.4, first - 1.7, 5, 3.4, HEAD, "head", 10)

    words = "after each block: a probe reads the class off the class token, in %"
    card.text(2, 19.4, words, 10, QUIET, ha="left")
    for left, share in zip(lefts, read, strict=True):
        card.rectangle(left, bars - 5.4 * share, TOKEN, 5.4 * share, CLASS)
        card.text(left + TOKEN / 2, bars - 5.4 * share - 1.2, f"{100 * share:.0f}", 10)
    card.line((2, bars), (WIDTH - 2, bars), line=0.8)
    card.text(
        2,
        31,
        "in each block: A − B in points if the class token is cut off there only",
        10,
        QUIET,
        ha="left",
    )
    scale = 5 / max(np.abs(cut).max(), 1e-9)
    for middle, points in zip(middles, cut, strict=True):
        long = scale * max(-points, 0)
        card.rectangle(middle - TOKEN / 2, hang, TOKEN, long, tint(HEAD, 0.8))
        number = f"{points:+z.1f}".replace("-", "\N{MINUS SIGN}").replace("+0.0", "0.0")
        card.text(middle, hang + long + 1.4, number, 10)
    card.line((2, hang), (WIDTH - 2, hang), line=0.8)

    at = {
        "start": (2.4, first),
        "row": (2.4, (patches[0] + patches[1]) / 2),
        "attention": (middles[1], (first + patches[0]) / 2),
        "patches": (middles[depth // 2], (patches[0] + patches[1]) / 2),
        "last block": (middles[-1], (first + patches[0]) / 2),
        "head": (62.9, first - 3.6),
        "another token": (end + 2, patches[0]),
    }
    for number, (place, (words, size)) in enumerate(findings.items(), 1):
        y = top + 3.7 * (number - 1)
        for x, middle in (at[place], (2.8, y)):
            card.axis.add_patch(Circle((x, middle), 1.45, fc="white", ec=INK, lw=1.4, zorder=4))
            card.text(x, middle, str(number), 10, weight="bold", zorder=6)
        card.text(5.4, y, words, 11, ha="left")
        card.text(WIDTH - 1.6, y, size, 10.5, ha="right")
    show(
        f"a class token and patches go through {depth} blocks to the head; below the model, bars show "
        "what a probe reads off the class token after each block, and what is lost if it is cut off "
        "in one; numbers in the model lead to a list of what was found",
        "What was found out about the class token, at its place in the model",
        [f"{n}, {p}: {w}, {size}" for n, (p, (w, size)) in enumerate(findings.items(), 1)],
    )


def _blocks(card, lefts, step, rows):
    """Rows of tokens, the class token on top, that attend to each other in blocks between `lefts`."""
    first, *patches = rows
    for left in lefts:
        for middle in rows:
            card.token(left, middle - TOKEN / 2, CLASS if middle == first else PATCH)
    for block, begin in enumerate(lefts[:-1], 1):
        left, right = begin + TOKEN + 0.4, begin + step - 0.4
        card.rectangle(left, first - 2, right - left, 12, tint(POSITION, 0.12), zorder=0)
        card.text((left + right) / 2, first - 3.6, f"block {block}", 10, QUIET)
        for middle in rows:
            card.arrow((left, middle), (right, middle), colour=LINE)
        for middle in patches:
            card.arrow((left, middle), (right, first), colour=ATTENTION, line=1.6)
            for other in rows:
                if other != middle and middle != first:
                    card.arrow((left, other), (right, middle), colour=QUIET, line=0.8)
