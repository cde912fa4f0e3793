"""From an image to a sequence, and in memory: what `view` takes for a patch or for a head."""

from itertools import pairwise

import numpy as np

from ..plots import as_array, show
from .card import HEAD, INK, LINE, MLP, PATCH, POSITION, QUIET, SERIES, Card, dark, tint

ROOM = 24  # numbers in a row


def _in_a_row(N):
    """The numbers of the patches that are drawn in a row, None where some are left out."""
    return [*range(N)] if N <= 16 else [*range(11), None, *range(N - 4, N)]


def patch_sequence(image, patch_size):
    """An image (C, H, W) with its patches numbered, and the same patches in a row, (N, C·P·P)."""
    (C, H, W), P = image.shape, patch_size
    if P < 1 or H % P or W % P:
        raise ValueError(f"patch_size {P} does not divide the image size {H} × {W}")
    rows, columns = H // P, W // P
    N, scale = rows * columns, min(32 / H, 34 / W)
    if rows * columns > 256:
        raise ValueError(f"the figure has room for 256 patches, not for {N}")
    side, high, wide = P * scale, H * scale, W * scale
    area = max(high, 20)  # what the image takes, or the words beside it
    shown, y = _in_a_row(N), area + 5.6
    pitch = 62 / max(len(shown), 8)
    size = min(pitch - 0.5, 6)
    card, top = Card(height=y + size + 7), 2 + (area - high) / 2
    card.picture(2, top, wide, high, image)
    for i in range(rows + 1):
        card.line((2, top + i * side), (2 + wide, top + i * side), colour="white", line=1.2)
    for i in range(columns + 1):
        card.line((2 + i * side, top), (2 + i * side, top + high), colour="white", line=1.2)
    if side >= 2.9:  # else there is no room for a number
        for n in range(N):
            row, column = divmod(n, columns)
            card.on_picture(2 + (column + 0.5) * side, top + (row + 0.5) * side, str(n))
    x = 2 + wide + 3.2
    lines = [
        (f"(C, H, W) = ({C}, {H}, {W})", True),
        (f"P = {P}", True),
        ("", False),
        (f"{rows} rows of {columns} patches:", False),
        (f"N = {rows} · {columns} = {N}", True),
        ("", False),
        (f"{P} · {P} pixels, {C} channels:" if C > 1 else f"{P} · {P} pixels:", False),
        (f"C·P·P = {C * P * P:,} numbers", True),
    ]
    for k, (words, code) in enumerate(lines):
        at = top + high / 2 + 2.5 * (k - (len(lines) - 1) / 2)
        (card.shape if code else card.text)(x, at, words, size=11, ha="left")
    starts = {}
    for k, n in enumerate(shown):
        left = 2 + k * pitch
        if n is None:
            card.text(left + size / 2, y + size / 2, "…", 16, QUIET)
            continue
        row, column = divmod(n, columns)
        piece = image[:, row * P : (row + 1) * P, column * P : (column + 1) * P]
        card.picture(left, y, size, size, piece)
        card.rectangle(left, y, size, size, "none", PATCH, 1.4, zorder=2)
        card.text(left + size / 2, y + size + 1.4, str(n), 10, dark(PATCH))
        first, _ = starts.get(row, (left, None))
        starts[row] = first, left + size
    for row, (left, right) in starts.items():
        if right - left > 2 * size:
            card.bracket(left, right, y + size + 2.8, f"row {row}")
    show(
        f"an image ({C}, {H}, {W}) cut into {rows} rows of {columns} patches of {P} × {P} pixels, "
        f"numbered row by row from 0 to {N - 1}; below it the patches in this order, one after the "
        f"other, each {C * P * P} numbers",
        "An image as a sequence of patches",
    )


def _strip(card, y, groups, colour_of, cell, high=3.4, gap=1.0, left=2.0, words=None):
    """Groups of numbers in a row, with a gap between groups. Gives the (left, right) of each.

    `words` are what is written for number 0, 1, 2, …, if not the number itself.
    """
    spans, x = [], left
    for group in groups:
        for i, number in enumerate(group):
            written = str(number) if words is None else f"{words[number]:g}"
            card.cell(x + i * cell, y, cell, high, colour_of[number], written)
        spans.append((x, x + len(group) * cell))
        x += len(group) * cell + gap
    return spans


def _verdict(card, y, good, words):
    """What is to be said of a way: ✓ or ✗ and words, on the right."""
    sign, colour = ("✓", dark(MLP)) if good else ("✗", dark(HEAD))
    card.text(64, y, f"{sign} {words}", 11, colour, ha="right", weight="bold")


def memory(shape, patch_size):
    """A small image (H, W) in memory, and which of its numbers each way takes for a patch.

    `view(N, P·P)` cuts memory into strips; reshape, permute, reshape cuts the image into squares.
    """
    (H, W), P = shape, patch_size
    if min(H, W, P) < 1 or H % P or W % P:
        raise ValueError(f"patch_size {P} does not divide the image size {H} × {W}")
    N = (H // P) * (W // P)
    if H * W > ROOM or not 2 <= N <= len(SERIES):
        raise ValueError(
            f"the figure has room for {ROOM} numbers in 2 to {len(SERIES)} patches, "
            f"not for {H * W} in {N}"
        )
    image = np.arange(H * W).reshape(H, W)
    by_view = image.reshape(N, P * P)
    right = image.reshape(H // P, P, W // P, P).transpose(0, 2, 1, 3).reshape(N, P * P)
    patch_of = np.empty(H * W, dtype=int)
    patch_of[right] = np.arange(N)[:, None]
    colour_of = [SERIES[patch] for patch in patch_of]

    side, top = 3.2, 5
    y = top + H * side + 5.2
    card = Card(height=y + 29)
    card.text(2, 2.8, f"an image of {H} × {W} numbers", 11.5, ha="left", weight="bold")
    for (row, column), number in np.ndenumerate(image):
        at = 2 + column * side, top + row * side
        card.cell(*at, side, side, colour_of[number], str(number))
    x = 2 + W * side + 3.5
    where = top + H * side / 2
    remarks = ["A number says where the pixel", "lies in memory, row after row.", ""]
    remarks += ["A colour says to which patch", f"of {P} × {P} pixels it belongs."]
    card.text(x, where, "\n".join(remarks), 11, ha="left", linespacing=1.35)

    card.text(2, y, "in memory", 11.5, ha="left", weight="bold")
    _strip(card, y + 1.8, [range(H * W)], colour_of, 62 / (H * W))
    gap = 1.2
    cell = (62 - gap * (N - 1)) / (H * W)
    ways = ((f"view({N}, {P * P})", by_view), ("reshape, permute, reshape", right))
    said = []
    for k, (name, patches) in enumerate(ways):
        at = y + 9 + 10.5 * k
        colours = [len({colour_of[number] for number in patch}) for patch in patches]
        good = max(colours) == 1
        card.shape(2, at, name, size=11, ha="left", weight="bold")
        several = f"{max(colours)} colours"
        if min(colours) < max(colours):
            several = f"up to {several}"
        count = "one colour" if good else several
        _verdict(card, at, good, f"{count} in a patch")
        for i, (left, end) in enumerate(_strip(card, at + 1.8, patches, colour_of, cell, gap=gap)):
            card.rectangle(left, at + 1.8, end - left, 3.4, "none", INK, 1.6, zorder=4)
            card.text((left + end) / 2, at + 6.6, f"patch {i}", 10, QUIET)
        listed = "; ".join(f"patch {i} {p.tolist()}" for i, p in enumerate(patches))
        said.append(f"{name} gives {listed}, {count} in a patch")
    show(
        f"{H * W} numbers, coloured by patch, first as an image of {H} × {W}, then in memory, row "
        "after row",
        "Two ways to cut an image into patches",
        said,
    )


ROLES = ("image", "channel", "row of\npatches", "row in\nthe patch")
ROLES += ("column of\npatches", "column in\nthe patch")
ORDER = (0, 2, 4, 1, 3, 5)  # of the axes: the image, which patch, where in the patch
COLOUR_OF_AXIS = (LINE, POSITION, PATCH, POSITION, PATCH, POSITION)


def axes_of_patchify(shape, patch_size):
    """The axes of images (B, C, H, W) while they are cut: split, moved, and put together again."""
    (B, C, H, W), P = shape, patch_size
    if min(B, C, H, W, P) < 1 or H % P or W % P:
        raise ValueError(f"patch_size {P} does not divide the image size {H} × {W}")
    rows, columns = H // P, W // P
    lengths = (f"B = {B}", f"C = {C}", f"H/P = {rows}", f"P = {P}", f"W/P = {columns}", f"P = {P}")
    pitch, wide, left = 8.5, 7.7, 13.2
    card = Card(height=54.5)

    def box(y, first, last, colour, words, high=4.2):
        """A box from the first to the last of six places."""
        card.box(left + first * pitch, y, (last - first) * pitch + wide, high, colour, words, 10.5)

    def centre(place):
        return left + place * pitch + wide / 2

    split, moved, end = 16.4, 33, 48  # where the rows of boxes begin
    for first, last, colour, words in (
        (0, 0, LINE, f"B = {B}"),
        (1, 1, POSITION, f"C = {C}"),
        (2, 3, INK, f"height H = {H}"),
        (4, 5, INK, f"width W = {W}"),
    ):
        box(2, first, last, colour, words)
        for place in range(first, last + 1):
            card.arrow((centre(place), 6.4), (centre(place), 10.8))
    for place, axis in enumerate(ORDER):
        colour = COLOUR_OF_AXIS[axis]
        card.text(centre(axis), 13.6, ROLES[axis], 10, dark(colour), linespacing=1.1)
        box(split, axis, axis, colour, f"axis {axis}\n{lengths[axis]}", 5.6)
        card.arrow((centre(axis), split + 5.8), (centre(place), moved - 0.2), colour=colour, line=2)
        box(moved, place, place, colour, f"axis {axis}\n{lengths[axis]}", 5.6)
    for first, last, colour, words in (
        (1, 2, PATCH, "which patch"),
        (3, 5, POSITION, "where in the patch"),
    ):
        sides = left + first * pitch, left + last * pitch + wide
        card.bracket(*sides, moved + 6.2, words, colour=dark(colour), size=11)
        card.arrow((sum(sides) / 2, end - 4.1), (sum(sides) / 2, end - 0.2), colour=colour, line=2)
    card.arrow((centre(0), moved + 5.8), (centre(0), end - 0.2), colour=LINE, line=2)
    box(end, 0, 0, LINE, f"B = {B}")
    box(end, 1, 2, PATCH, f"N = {rows} · {columns} = {rows * columns}")
    box(end, 3, 5, POSITION, f"C·P·P = {C} · {P} · {P} = {C * P * P}")
    order = ", ".join(map(str, ORDER))
    for y, words in (
        (8.4, "reshape"),
        ((split + moved + 5.6) / 2, "permute(\n 0, 2, 4,\n 1, 3, 5)"),
        ((moved + 5.6 + end) / 2, "reshape"),
    ):
        card.shape(2, y, words, 11, ha="left", weight="bold", linespacing=1.3)
    named = ", ".join(
        f"{name} ({role})".replace("\n", " ") for name, role in zip(lengths, ROLES, strict=True)
    )
    show(
        f"reshape splits (B, C, H, W) = ({B}, {C}, {H}, {W}) into six axes: {named}; "
        f"permute({order}) brings rows and columns of patches, which patch, before channel, row and "
        f"column in the patch; reshape joins them to (B, N, C·P·P) = ({B}, {rows * columns}, "
        f"{C * P * P})",
        "The axes of the images while they are cut into patches",
    )


def strided_convolution(image, kernel, patches=(0,)):
    """A kernel (P, P) that jumps over a small image (H, W), and some of its sums as patch · column."""
    image, kernel = as_array(image), as_array(kernel)
    (H, W), P = image.shape, len(kernel)
    if kernel.shape != (P, P) or H % P or W % P:
        raise ValueError(f"a kernel {kernel.shape} does not divide the image size {H} × {W}")
    rows, columns = H // P, W // P
    N = rows * columns
    if H * W > ROOM or len(SERIES) < N or P > 3:
        raise ValueError(
            f"the figure has room for {ROOM} numbers in {len(SERIES)} patches of at most 3 × 3, "
            f"not for {H * W} in {N} of {P} × {P}"
        )
    cut = image.reshape(rows, P, columns, P).transpose(0, 2, 1, 3).reshape(N, P * P)
    sums = cut @ kernel.flatten()
    side, top, grey = 3.2, 9, tint(POSITION, 0.3)
    left, middle, right = 2, 28, 47  # where the image, the kernel and the sums begin
    bottom = top + H * side
    card = Card(height=bottom + 7.2 + 5 * len(patches))
    for x, words in ((left, "the image"), (middle, "the kernel"), (right, "one sum per patch")):
        card.text(x, 2.4, words, 11.5, ha="left", weight="bold")
    stops = [left + (column + 0.5) * P * side for column in range(columns)]
    for start, end in pairwise(stops):
        card.arc((start, top - 0.3), (end, top - 0.3), -0.45)
    card.text(left, top - 3.9, f"stride {P}", 10, QUIET, ha="left")
    for (row, column), number in np.ndenumerate(image):
        colour = SERIES[row // P * columns + column // P]
        card.cell(left + column * side, top + row * side, side, side, colour, f"{number:g}")
    wide, high = 4.8, 4.2  # of a weight and of a sum
    for (row, column), number in np.ndenumerate(kernel):
        at = middle + column * wide, top + H * side / 2 + (row - P / 2) * high
        card.cell(*at, wide, high, grey, f"{number:g}")
    for n, number in enumerate(sums):
        at = right + n % columns * wide, top + H * side / 2 + (n // columns - rows / 2) * high
        card.cell(*at, wide, high, SERIES[n], f"{number:g}")
    for start, end in ((left + W * side, middle), (middle + P * wide, right)):
        card.arrow((start + 1, top + H * side / 2), (end - 1, top + H * side / 2))
    for n in patches:
        row, column = divmod(n, columns)
        corner = left + column * P * side, top + row * P * side
        card.rectangle(*corner, P * side, P * side, "none", INK, 2.4, zorder=4)
    card.text(left, bottom + 4, "the same as patch · column of E", 11.5, ha="left", weight="bold")
    thin = (right - middle - 3) / (P * P)
    for k, n in enumerate(patches):
        y = bottom + 6.4 + 5 * k
        card.text(left, y + side / 2, f"patch {n}", 10, ha="left")
        _strip(card, y, [range(P * P)], [SERIES[n]] * P * P, 3.7, side, left=8, words=cut[n])
        card.text((8 + 3.7 * P * P + middle) / 2, y + side / 2, "·", 20, weight="bold")
        weights = kernel.flatten()
        _strip(card, y, [range(P * P)], [grey] * P * P, thin, side, left=middle, words=weights)
        card.text(right - 1.5, y + side / 2, "=", 12)
        card.cell(right, y, wide, side, SERIES[n], f"{sums[n]:g}")
    listed = ", ".join(f"{number:g}" for number in sums)
    show(
        f"a kernel of {P} × {P} weights jumps over an image of {H} × {W} numbers by {P} and gives one "
        f"sum for each of the {N} patches: {listed}",
        "A convolution whose stride is the side of its kernel",
        [f"patch {n} {cut[n].tolist()} times the weights is {sums[n]:g}" for n in patches],
    )


def heads_in_memory(T, D, h):
    """Tokens (T, D) in memory, and which numbers each way gives to the heads, (h, T, d).

    Token t holds the numbers 10·t + 0, 1, …, D − 1. `view(h, T, d)` gives a head some tokens whole;
    `view(T, h, d).transpose(0, 1)` gives it d numbers of every token.
    """
    if min(T, D, h) < 1 or D % h:
        raise ValueError(f"num_heads {h} does not divide embed_dim {D}")
    most = len(SERIES)
    if T * D > ROOM or most < T or not 2 <= h <= 3 or D > 10:
        raise ValueError(
            f"the figure has room for {ROOM} numbers, {most} tokens and 2 or 3 heads, "
            f"not for {T} tokens of {D} numbers in {h} heads"
        )
    d = D // h
    x = 10 * np.arange(T)[:, None] + np.arange(D)
    ways = (
        (f"view({h}, {T}, {d})", x.reshape(h, T, d)),
        (f"view({T}, {h}, {d}).transpose(0, 1)", x.reshape(T, h, d).transpose(1, 0, 2)),
    )
    colours = [*SERIES[:1], *SERIES[2:], SERIES[1]]  # orange, the class token's, comes last
    colour_of = {number: colours[number // 10] for number in x.flat}
    side, top = 3.2, 7.4
    y = top + T * side + 4.8
    card = Card(height=y + 17.8 + T * side)
    card.text(2, 2.4, f"{T} tokens of {D} numbers", 11.5, ha="left", weight="bold")
    left = 10.5
    for (token, i), number in np.ndenumerate(x):
        card.cell(left + i * side, top + token * side, side, side, colour_of[number], str(number))
    for token in range(T):
        card.text(left - 1, top + (token + 0.5) * side, f"token {token}", 10, ha="right")
    for head in range(h):
        start = left + head * d * side
        card.bracket(start + 0.3, start + d * side - 0.3, top - 0.4, f"head {head}", below=False)
        if head:
            card.line((start, top), (start, top + T * side), colour=INK, line=2.2, zorder=4)
    remarks = [f"A head gets d = {d} numbers", "of every token.", "", "One colour per token."]
    words = "\n".join(remarks)
    card.text(left + D * side + 3, top + T * side / 2, words, 11, ha="left", linespacing=1.35)
    card.text(2, y, "in memory", 11.5, ha="left", weight="bold")
    _strip(card, y + 1.8, [x.flatten().tolist()], colour_of, 62 / (T * D))
    said = []
    wide = min(side, (31 / h - 2) / d)
    for (name, heads), start in zip(ways, (2, 35), strict=True):
        at = y + 9.4
        held = [len({number // 10 for number in head.flat}) for head in heads]
        good = set(held) == {T}
        card.shape(start, at, name, ha="left", weight="bold")
        for head in range(h):
            corner = start + head * (d * wide + 2), at + 4.4
            card.text(corner[0] + d * wide / 2, at + 3, f"head {head}", 10, QUIET)
            for (token, i), number in np.ndenumerate(heads[head]):
                cell = corner[0] + i * wide, corner[1] + token * side
                card.cell(*cell, wide, side, colour_of[number], str(number))
            card.rectangle(*corner, d * wide, T * side, "none", INK, 1.6, zorder=4)
        sign, colour = ("✓", dark(MLP)) if good else ("✗", dark(HEAD))
        words = f"{sign} a head holds {min(held)} of {T} tokens"
        card.text(start, at + 6 + T * side, words, 11, colour, ha="left", weight="bold")
        listed = "; ".join(f"head {i} {a.tolist()}" for i, a in enumerate(heads))
        said.append(f"{name} gives {listed}")
    show(
        f"{T} tokens of {D} numbers, coloured by token, in memory one token after the other",
        f"Two ways to split {D} numbers into {h} heads",
        said,
    )
