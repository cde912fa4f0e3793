"""How one looks into a model: probes beside it, a class token that is cut off in two ways or comes
late, blocks in which it may read, and attention weighed by a gradient.
"""

import numpy as np

from ..plots import as_array, show
from .card import (
    ATTENTION,
    CLASS,
    HEAD,
    LINE,
    MLP,
    PATCH,
    POSITION,
    QUIET,
    TOKEN,
    WIDTH,
    Card,
    dark,
    tint,
)


def probes(depth, embed_dim, num_classes):
    """A model of `depth` blocks, with a reader of the class token before the first block and after
    each. Of more than three blocks, the first two and the last are drawn.
    """
    if depth < 1:
        raise ValueError(f"a model has a depth of 1 or more, not {depth}")
    drawn = list(range(1, depth + 1)) if depth <= 3 else [1, 2, None, depth]
    card, reader, token = Card(height=40.6), 8.4, 20.4
    card.rectangle(1.2, 17.6, 63.6, 18.2, tint(POSITION, 0.06), POSITION, 1.4, zorder=0)
    card.text(2.6, 34, "the model: nothing in it changes", 10, QUIET, ha="left")
    step = 48.6 / len(drawn)
    cells = min(num_classes, 10)
    favourites = [number for number in (0, *drawn) if number is not None]
    strengths = (0.0, 0.3, 0.5, 0.8)  # made up, as is the class that a probe favours
    liked = {
        number: (min(6, cells - 1) if i < len(favourites) - 1 else min(3, cells - 1), strength)
        for i, (number, strength) in enumerate(zip(favourites, strengths, strict=False))
    }

    def place(x, number):
        """The tokens at one place of the model, and the probe that reads the first of them."""
        middle = x + TOKEN / 2
        card.token(x, token, CLASS)
        for row in (1, 2):
            card.token(x, token + 3.2 * row, PATCH)
        card.text(middle, token + 10.4, "⋮", 12, PATCH)
        card.arrow((middle, token), (middle, reader + 4.4), colour=CLASS, line=1.8)
        width = min(9.6, step - 1)
        card.rectangle(middle - width / 2, reader, width, 4.2, "white", LINE, 1.4, zorder=2)
        card.text(middle, reader + 2.1, f"probe {number}", zorder=3)
        card.arrow((middle, reader - 0.2), (middle, 6), colour=LINE)
        for i in range(cells):
            share = 0.12 + (i == liked[number][0]) * liked[number][1]
            at = middle - 0.48 * cells + 0.96 * i
            card.rectangle(at, 3.8, 0.96, 2, tint(CLASS, share), LINE, 0.7, zorder=2)
        if cells < num_classes:
            card.text(middle + 0.48 * cells + 1, 4.8, "…", 10, QUIET)
        below = f"after block {number}" if number else "start"
        card.text(middle, 37.8, below, 10.5)

    x = 5.2
    place(x, 0)
    for number in drawn:
        if number is None:
            card.text(x + TOKEN / 2 + step / 2, token + 5, "…", 18, QUIET)
            x += step
            continue
        left, right = x + TOKEN + 0.6, x + step - 0.6
        card.arrow((left, token + 5), (left + 1.4, token + 5), head=False)
        card.arrow((right - 2, token + 5), (right, token + 5))
        card.box(left + 1.5, token + 0.4, right - left - 3.4, 9.4, POSITION, "block", 10.5)
        x += step
        place(x, number)
    read = token + TOKEN / 2
    card.arrow((x + TOKEN, read), (58.4, read), colour=CLASS, line=1.8)
    card.box(58.6, token - 0.7, 5.6, 4, HEAD, "head", 10.5)
    card.text(2, 1.6, f"{num_classes} scores", 10.5, ha="left")
    shapes = f"(1, {embed_dim}) · ({embed_dim}, {num_classes}) → (1, {num_classes})"
    card.shape(WIDTH - 2, 1.6, shapes, ha="right")
    show(
        f"tokens go through {depth} blocks; before the first block and after each, a probe of its "
        f"own reads the class token and gives {num_classes} scores; the head reads it at the end "
        "only; nothing in the model changes",
        "Probes: readers beside the model",
    )


def cut_off(weights, values, usual):
    """What a class token gathers if it is left alone, knocked out, or given the mean.

    `weights` (T,) is its row of attention, its own share first; `values` (T, d) are those of all
    tokens, and `usual` (d,) is what it gathers on average over many images.
    """
    weights, values, usual = (as_array(a).astype(float) for a in (weights, values, usual))
    T, d = values.shape if values.ndim == 2 else (0, 0)
    if weights.shape != (T,) or usual.shape != (d,) or not (2 <= T <= 5 and 1 <= d <= 3):
        shapes = f"{weights.shape}, {values.shape} and {usual.shape}"
        raise ValueError(
            f"expected weights (T,), values (T, d) and usual (d,) of 2 to 5 tokens and at most 3 "
            f"numbers, got {shapes}"
        )
    alone = np.eye(T)[0]
    ways = {
        "left alone": (weights, weights @ values, "gathers from this image"),
        "knock-out": (alone, alone @ values, "gathers from itself alone, as never in training"),
        "mean ablation": (weights, usual, "gets the usual, which says nothing about this image"),
    }
    side, high, pitch = min(5.4, 39 / (T + d)), 4.4, 9.8
    table, first, second = 8.2, 17, 17 + side * T + 8
    top = table + 3.2 * d + 2.6
    card, said = Card(height=top + pitch * len(ways) + 3.4), []
    heads = (
        (first, T, "attention of the class token", ATTENTION),
        (second, d, "what it gathers", MLP),
    )
    for x, cells, words, colour in heads:
        card.text(x + side * cells / 2, 2.2, words, 11, dark(colour), weight="bold")
    card.text(1.6, table + 1.6 * d, "values", 11, dark(MLP), ha="left")
    for i in range(T):
        card.token(first + side * (i + 0.5) - TOKEN / 2, 4.6, PATCH if i else CLASS)
        for k in range(d):
            text = f"{values[i, k]:.1f}"
            card.cell(first + side * i, table + 3.2 * k, side, 3.2, tint(MLP, 0.2), text, 10)
    for row, (name, (shares, read, words)) in enumerate(ways.items()):
        y, given = top + row * pitch, name == "mean ablation"
        middle = y + high / 2
        card.text(1.6, middle, name, 11, ha="left", weight="bold")
        for i, share in enumerate(shares):
            shade = tint(ATTENTION, 0.05 + 0.8 * share)
            card.cell(first + side * i, y, side, high, shade, f"{share:.0%}", 10.5)
        end = first + side * T
        if given:  # whatever it would have gathered is thrown away
            card.line((end + 0.6, middle), (end + 3, middle), line=1.6)
            card.line((end + 3, y + 0.6), (end + 3, y + high - 0.6), line=2.4)
            centre = second + side * d / 2
            card.arrow((centre, y + high + 3.6), (centre, y + high + 0.3))
            card.box(
                WIDTH - 24.6, y + high + 3.7, 23.6, 3.6, POSITION, "mean over other images", 10
            )
        else:
            card.arrow((end + 0.6, middle), (second - 0.6, middle))
            card.text(end + 3.6, middle - 1.5, "· values", 10, dark(MLP))
        for i, number in enumerate(read):
            shade = tint(POSITION, 0.35) if given else tint(MLP, 0.2)
            text = f"{number:.1f}".replace("-0.0", "0.0")
            card.cell(second + side * i, y, side, high, shade, text, 10.5)
        card.text(first, y + high + 1.7, words, 10, QUIET, ha="left")
        said.append(f"{name}: {np.round(read, 1).tolist()}, {words}")
    show(
        "above, the values of a class token and of patches; below, three rows: the shares that the "
        "class token gives to itself and to the patches, and the weighted sum of the values that it "
        "gathers; knocked out, it gives all to itself; under mean ablation what it gathers is replaced "
        "by the mean over other images",
        "A class token left alone, knocked out, and given the mean",
        said,
    )


def reading_blocks(depth, panels, largest, title="", unit="%", digits=0):
    """Strips of `depth` squares that mark the blocks in which a class token gathers, and beside each
    a bar for what comes of it.

    `panels` {heading: (cuts, amounts)}, one or two. `cuts` are lists of the blocks, counted from 1,
    in which the class token is cut off: one list, strip and row. `amounts` {way: {"mean": (rows,),
    "width": (rows,)}}, in `unit`: up to two bars to a row, on a scale that ends at `largest`; a line at
    the end of a bar is the interval, mean ± width. With `digits` after the point, ± width is written too.
    """
    if not 1 <= len(panels) <= 2:
        raise ValueError(f"expected one or two panels, got {len(panels)}")
    for cuts, amounts in panels.values():
        if wrong := sorted({block for cut in cuts for block in cut} - set(range(1, depth + 1))):
            raise ValueError(f"no blocks {wrong}: there are 1 … {depth}")
        for way, found in amounts.items():
            if len(found["mean"]) != len(cuts) or len(found["width"]) != len(cuts):
                raise ValueError(f"expected {len(cuts)} means and widths for {way!r}, one to a row")
    side, share = 2.4, (WIDTH - 2) / len(panels)
    thick, top = 2.2, 11.2 if title else 7.6
    rows = max(len(cuts) for cuts, _ in panels.values())
    bars = max(len(amounts) for _, amounts in panels.values())
    pitch = max(side, thick * bars) + 1.2
    card, said = Card(height=top + pitch * rows + 3.6), []
    if title:
        card.text(WIDTH / 2, 2, title, 12)
    for left, (heading, (cuts, amounts)) in zip((1.4, 1.4 + share), panels.items(), strict=False):
        start = left + side * depth + 1.4
        scale = (left + share - start - (9.4 if digits else 7.6)) / largest
        card.text(left, top - 6, heading, 11, ha="left", weight="bold")
        for block in range(1, depth + 1):
            card.text(left + side * (block - 0.5), top - 2, str(block), 10, QUIET)
        shades = [tint(HEAD, 0.8), tint(HEAD, 0.35)][: len(amounts)]
        if len(amounts) > 1:
            for k, (way, shade) in enumerate(zip(amounts, shades, strict=True)):
                card.rectangle(start + 18 * k, top - 3.1, 2, 2, shade)
                card.text(start + 18 * k + 2.8, top - 2.1, way, 10.5, ha="left")
        for row, cut in enumerate(cuts):
            y = top + row * pitch
            middle = y + (pitch - 1.2) / 2
            for block in range(1, depth + 1):
                x, gathers = left + side * (block - 1), block not in cut
                fill = CLASS if gathers else "white"
                card.rectangle(x, middle - side / 2, side, side, fill, LINE, 0.9, zorder=2)
                if not gathers:
                    card.text(x + side / 2, middle, "×", 10, QUIET, zorder=3)
            said.append(f"{heading}, cut off in {cut or 'no block'}:")
            for k, (way, shade) in enumerate(zip(amounts, shades, strict=True)):
                mean, width = (float(amounts[way][part][row]) for part in ("mean", "width"))
                at = middle + thick * (k - (len(amounts) - 1) / 2)
                long = scale * max(mean, 0)
                card.rectangle(start, at - thick / 2 + 0.15, long, thick - 0.3, shade)
                low, high = (start + scale * max(mean + sign * width, 0) for sign in (-1, 1))
                card.line((low, at), (high, at), line=1.2, zorder=3)
                sure = f" ± {width:.{digits}f}" if digits else ""
                text = f"{round(mean, digits) + 0.0:.{digits}f}{sure} {unit}".rstrip()
                card.text(high + 0.8, at, text, 10, ha="left")
                said[-1] += f" {way} {text}"
        card.line((start, top - 0.4), (start, top + pitch * len(cuts) - 0.8), line=1)
    y = top + pitch * rows + 1.4
    card.rectangle(1.4, y - 1, 2, 2, CLASS, LINE, 0.9)
    card.text(4.2, y, "the class token gathers in this block", 10, QUIET, ha="left")
    card.rectangle(40, y - 1, 2, 2, "white", LINE, 0.9)
    card.text(41, y, "×", 10, QUIET, zorder=3)
    card.text(42.8, y, "it is cut off", 10, QUIET, ha="left")
    show(
        f"strips of {depth} squares, one for each block, which mark where the class token gathers, and "
        "a bar beside each",
        title,
        said,
    )


def cut_or_late(depth, cut, late):
    """Does a class token have to gather in every block? Two ways to find out, one above the other: a
    model of `depth` blocks in which it is cut off from block `cut` on, counted from 1, and a model
    of `late` blocks that it joins before the last one.
    """
    if not 1 <= cut <= depth or late < 1:
        raise ValueError(f"no block {cut} of {depth}, or no blocks at all: {late}")
    card = Card(height=38)
    cut_blocks = f"block {cut}" if cut == depth else f"blocks {cut} to {depth}"
    ways = {
        f"First way: a trained model, cut in {cut_blocks}": (depth, 0, cut),
        "Second way: a model trained with a class token that comes late": (late, late - 1, None),
    }
    for top, (heading, (blocks, joins, first_cut)) in zip((1, 20), ways.items(), strict=True):
        card.text(2, top + 1, heading, 11, ha="left", weight="bold")
        step = 52 / blocks
        first, *patches = rows = [top + 5.4 + 4 * row for row in range(3)]
        for place in range(blocks + 1):
            for middle in rows if place >= joins else patches:
                colour = CLASS if middle == first else PATCH
                card.token(3 + place * step, middle - TOKEN / 2, colour)
        for block in range(1, blocks + 1):
            left, right = 3 + (block - 1) * step + TOKEN + 0.4, 3 + block * step - 0.4
            card.rectangle(left, top + 3.4, right - left, 12, tint(POSITION, 0.12), zorder=0)
            card.text((left + right) / 2, top + 16.8, f"block {block}", 10, QUIET)
            for middle in patches:
                card.arrow((left, middle), (right, middle), colour=LINE)
                for other in patches:
                    if other != middle:  # the patches read each other, in every block
                        card.arrow((left, middle), (right, other), colour=QUIET, line=0.8)
            if block <= joins:
                continue
            for middle in patches:  # they read the class token, where there is one
                card.arrow((left, first), (right, middle), colour=QUIET, line=0.8)
            card.arrow((left, first), (right, first), colour=LINE)
            gone = first_cut is not None and block >= first_cut
            card.strength = 0.3 if gone else 1.0
            for middle in patches:
                card.arrow((left, middle), (right, first), colour=ATTENTION, line=1.6)
            card.strength = 1.0
            if gone:
                cross = (left + right) / 2, (first + patches[0]) / 2 + 0.8
                card.text(*cross, "×", 24, HEAD, weight="bold", zorder=6)
        card.arrow((55 + TOKEN + 0.4, first), (59.6, first), colour=HEAD, line=1.6)
        card.box(59.8, first - 1.7, 5, 3.4, HEAD, "head", 10)
    show(
        "tokens go through blocks, the class token on top, with purple arrows where it attends, and grey "
        f"ones where a patch attends; above, those from the patches are crossed out in {cut_blocks}; "
        "below, there is no class token before the last block",
        "Two ways to find out where a class token has to gather",
    )


def weighed_by_gradient(attention, slopes):
    """How a gradient map turns one row of attention into a map for each class.

    `attention` (N,) are the shares of 2 to 6 patches, and `slopes` {class: (N,)} how much the logit
    of the class rises with the weight of each. Below them stands the product, 0 where it is negative.
    """
    attention = as_array(attention).astype(float)
    slopes = {name: as_array(found).astype(float) for name, found in slopes.items()}
    if attention.ndim != 1 or not 2 <= len(attention) <= 6:
        raise ValueError(f"expected attention to 2 to 6 patches, got {attention.shape}")
    for name, found in slopes.items():
        if found.shape != attention.shape:
            raise ValueError(f"expected {attention.shape} slopes for {name}, got {found.shape}")
    N = len(attention)
    products = {name: np.maximum(attention * found, 0) for name, found in slopes.items()}
    largest = max(*(product.max() for product in products.values()), 1e-12)
    first, high = 29.5, 3.8
    side, pitch = 35.5 / N, 2 * high + 2
    card = Card(height=11.4 + pitch * len(slopes))

    def row(y, words, numbers, shades, form):
        card.text(first - 1.2, y + high / 2, words, 10.5, ha="right")
        for i, (number, shade) in enumerate(zip(numbers, shades, strict=True)):
            text = form.format(number).replace("-", "−")
            card.cell(first + side * i, y, side, high, shade, text, 10.5)

    for i in range(N):
        card.token(first + side * (i + 0.5) - TOKEN / 2, 1.4, PATCH)
    shades = [tint(ATTENTION, 0.05 + 0.8 * share) for share in attention]
    row(5.2, "the class token's attention", attention, shades, "{:.0%}")
    for k, (name, found) in enumerate(slopes.items()):
        y = 11 + pitch * k
        row(y, f"slope of “{name}”", found, [tint(HEAD, 0.12)] * N, "{:+.1f}")
        shades = [tint(ATTENTION, 0.05 + 0.8 * share / largest) for share in products[name]]
        row(y + high, "product, 0 if negative", products[name], shades, "{:.2f}")
    show(
        f"the attention to {N} patches, multiplied by the slope of the logit of each class; negative "
        "products become 0",
        "Attention weighed by a gradient",
        [f"{name}: {np.round(product, 2).tolist()}" for name, product in products.items()],
    )
