"""How one looks into a model: probes beside it, and a class token that is cut off in two ways."""

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
        for i, share in enumerate((0.1, 0.8, 0.3, 0.1) if number else (0.15,) * 4):  # made up
            card.rectangle(middle - 4 + 2 * i, 3.8, 2, 2, tint(CLASS, share), LINE, 0.7, zorder=2)
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
    """What a class token reads if it is left alone, knocked out, or given the mean.

    `weights` (T,) is its row of attention, its own share first; `values` (T, d) are those of all
    tokens, and `usual` (d,) is what it reads on average over many images.
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
        "left alone": (weights, weights @ values, "reads this image"),
        "knock-out": (alone, alone @ values, "reads only itself, which never happened in training"),
        "mean ablation": (weights, usual, "gets the usual, which says nothing about this image"),
    }
    side, high, pitch, top = min(5.4, 39 / (T + d)), 4.4, 9.8, 9.6
    first, second = 17, 17 + side * T + 8
    card, said = Card(height=top + pitch * len(ways)), []
    heads = (
        (first, T, "attention of the class token", ATTENTION),
        (second, d, "what it reads", MLP),
    )
    for x, cells, words, colour in heads:
        card.text(x + side * cells / 2, 2.2, words, 11, dark(colour), weight="bold")
    for i in range(T):
        card.token(first + side * (i + 0.5) - TOKEN / 2, 4.6, PATCH if i else CLASS)
    for row, (name, (shares, read, words)) in enumerate(ways.items()):
        y, given = top + row * pitch, name == "mean ablation"
        middle = y + high / 2
        card.text(1.6, middle, name, 11, ha="left", weight="bold")
        for i, share in enumerate(shares):
            shade = tint(ATTENTION, 0.05 + 0.8 * share)
            card.cell(first + side * i, y, side, high, shade, f"{share:.0%}", 10.5)
        end = first + side * T
        if given:  # whatever it would have read is thrown away
            card.line((end + 0.6, middle), (end + 3, middle), line=1.6)
            card.line((end + 3, y + 0.6), (end + 3, y + high - 0.6), line=2.4)
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
        "three rows: the shares that the class token gives to itself and to the patches, and the "
        "weighted sum of the values that it reads; knocked out, it gives all to itself; under mean "
        "ablation what it reads is replaced by the mean over many images",
        "A class token left alone, knocked out, and given the mean",
        said,
    )
