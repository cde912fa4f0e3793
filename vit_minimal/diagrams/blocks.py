"""The residual stream: an encoder block, and the class token on its way through all of them."""

import math

import matplotlib.pyplot as plt
import numpy as np

from ..plots import as_array, show
from .card import (
    ATTENTION,
    CLASS,
    HEAD,
    INK,
    LINE,
    MLP,
    PATCH,
    POSITION,
    QUIET,
    Card,
    dark,
    tint,
)

LANES = (CLASS, PATCH, PATCH, PATCH)  # one for each token
LANE = 0.95  # from one lane to the next
EDGE = LANE * len(LANES) / 2  # from the middle of the stream to its edge


def _stream(card, left, right, y):
    """The tokens as lanes beside each other, in an arrow; `y` is the middle of the stream."""
    for i, colour in enumerate(LANES):
        at = y + (i - (len(LANES) - 1) / 2) * LANE
        card.line((left, at), (right - 1.8, at), colour=tint(colour, 0.8), line=4.6)
    tip = [(right - 1.8, y - 1.35 * EDGE), (right, y), (right - 1.8, y + 1.35 * EDGE)]
    card.axis.fill(*zip(*tip, strict=True), color=LINE, lw=0, zorder=2)


def _read(card, x, stream, *onward, words="reads"):
    """An arrow that begins with a bar across all lanes and goes onward through these points."""
    reach = EDGE - LANE / 2
    card.line((x, stream - reach), (x, stream + reach), colour=LINE, line=2)
    lanes = [stream + (i - (len(LANES) - 1) / 2) * LANE for i in range(len(LANES))]
    card.axis.plot([x] * len(LANES), lanes, "o", color=LINE, ms=4.5, zorder=4)
    card.arrow((x, stream - EDGE), *onward)
    card.text(x + 0.9, stream - 4, words, 10, QUIET, ha="left")


def _add(card, x, stream, *before, words="adds"):
    """An arrow through these points to a plus on the stream."""
    card.arrow(*before, (x, stream - 2.4))
    card.plus(x, stream, 2.3)
    card.text(x - 0.9, stream - 4, words, 10, QUIET, ha="right")


def block(norm_first=True):
    """The residual stream through an encoder block: both layers read from it and add to it.

    With `norm_first` a layer reads a normalised copy, as in a ViT; else the stream itself is
    normalised after each sum, as in the Transformer of 2017.
    """
    card, y, stream = Card(height=29.6), 7.2, 18
    _stream(card, 2, 64, stream)
    layers = (
        (0, "attention", ATTENTION, "between tokens", "attn", "norm1"),
        (29, "MLP", MLP, "each token alone", "mlp", "norm2"),
    )
    for shift, name, colour, says, code, norm in layers:
        tap = 4 + shift
        if norm_first:
            card.box(shift + 6, y - 2.6, 9.8, 5.2, POSITION, "LayerNorm", 10.5)
            _read(card, tap, stream, (tap, y), (shift + 5.9, y))
            card.arrow((shift + 15.8, y), (shift + 17.9, y))
            left, plus = shift + 18, shift + 29.7
            words = f"x = x + {code}({norm}(x))"
        else:
            left, plus = shift + 7.2, shift + 20
            _read(card, tap, stream, (tap, y), (left - 0.1, y))
            card.box(shift + 23.2, stream - 3, 6.4, 6, POSITION, "Layer\nNorm", 10.5)
            words = f"x = {norm}(x + {code}(x))"
        card.box(left, y - 2.6, 9.6, 5.2, colour, name, weight="bold")
        card.text(left + 4.8, y - 4.2, says, 10, dark(colour))
        _add(card, plus, stream, (left + 9.6, y), (plus, y))
        card.shape(shift + 17, stream + 5.4, words, size=10.5)
    card.text(32.2, stream + 9, "residual stream", 10.5, QUIET, ha="right")
    card.shape(33.2, stream + 9, "(B, T, D)", size=10.5, colour=QUIET, ha="left")
    if norm_first:
        ways = "each layer reads a normalised copy and adds what it finds: the stream stays a sum"
    else:
        ways = "each layer reads it and adds what it finds, then the stream itself is normalised"
    show(
        "the tokens run through as parallel lanes, the class token's beside the patches'; first "
        f"attention, between tokens, then an MLP, for each token alone; {ways}",
        "The residual stream through a block, " + ("pre-norm" if norm_first else "post-norm"),
    )


def stream(depth):
    """The class token in the residual stream: all L = `depth` blocks add to it, the head reads it.

    Below each block stands what the class token is the sum of by then: where it started, and what
    each block has added. Of more than five blocks, the first three and the last are drawn.
    """
    if depth < 1:
        raise ValueError(f"expected a depth of 1 or more, not {depth}")
    drawn = list(range(1, depth + 1)) if depth <= 5 else [1, 2, 3, None, depth]
    lane, upper, start, end = 16.4, 2, 6.5, 49.5
    pitch = (end - start) / len(drawn)
    bottom = lane + 7 + 1.9 * (len(drawn) + 1)
    card = Card(height=bottom + 3.4)
    for i in range(1, len(LANES)):
        at = lane + i * LANE
        card.line((2, at), (end, at), colour=tint(PATCH, 0.3), line=4.6)
    card.line((2, lane), (end, lane), colour=CLASS, line=6)

    def piece(x, y, high, colours, wide=4.6):
        for k, colour in enumerate(colours):
            part = wide / len(colours)
            card.rectangle(x - wide / 2 + k * part, y, part, high, colour, zorder=3)

    def pile(x, blocks, words):
        """What it is the sum of after these blocks: its start at the bottom, a piece for each."""
        piece(x, bottom - 1.9, 1.6, [CLASS])
        for k, block in enumerate(blocks):
            y = bottom - 1.9 * (k + 2)
            if block is None:
                card.text(x, y + 0.85, "⋮", 11, QUIET)
            else:
                piece(x, y, 1.6, [ATTENTION, MLP])
        card.text(x, bottom + 1.4, words, 10, QUIET)

    pile(4.3, [], "start")
    card.text(2, lane + 6.4, "the class token is the sum of", 10, QUIET, ha="left")
    for i, number in enumerate(drawn):
        middle = start + pitch * (i + 0.5)
        if number is None:
            card.text(middle, upper + 2.6, "…", 18, QUIET)
            continue
        card.box(middle - 3.8, upper, 7.6, 5.6, POSITION)
        card.text(middle, upper + 1.9, f"block {number}", 10.5, zorder=4)
        piece(middle, upper + 3.4, 1.2, [ATTENTION, MLP])
        read, add = middle - 2.3, middle + 2.3
        card.axis.plot(read, lane, "o", color=LINE, ms=5.5, zorder=4)
        card.arrow((read, lane), (read, upper + 5.8))
        card.arrow((add, upper + 5.6), (add, lane - 1.6))
        card.plus(add, lane, 1.5)
        pile(add, drawn[: i + 1], f"+ block {number}")
    card.arrow((end, lane), (end + 2.4, lane), colour=CLASS, line=2)
    card.box(end + 2.4, lane - 2.3, 5, 4.6, POSITION, "norm", 10.5)
    card.arrow((end + 7.4, lane), (end + 9.5, lane), colour=CLASS, line=2)
    card.box(end + 9.6, lane - 2.3, 5, 4.6, HEAD, "head", 10.5)
    show(
        "the class token is a running sum: it begins as a learned vector, and each of "
        f"{depth} blocks reads it and adds what its attention and its MLP find; after the last "
        "block a norm and the head read it",
        "The class token on its way through the blocks",
    )


def _reach(numbers):
    """From the lowest to the highest of what `_bars` draws: numbers (D,), their band and zero."""
    mean, deviation = numbers.mean(), numbers.std()
    return min(numbers.min(), mean - deviation, 0), max(numbers.max(), mean + deviation, 0)


def _bars(card, top, numbers, name, scale):
    """Numbers (D,) as bars around zero, with their mean as a line and one deviation as a band."""
    mean, deviation = numbers.mean(), numbers.std()
    low, high = _reach(numbers)
    zero, step = top + 4 + high * scale, 60 / len(numbers)
    words = f"dashed: mean {mean:.2f}   grey: ± standard deviation {deviation:.2f}"
    card.text(2, top, name, 11.5, ha="left", weight="bold")
    card.text(64, top, _minus(words), 11, QUIET, ha="right")
    y = zero - (mean + deviation) * scale
    card.rectangle(2, y, 62, 2 * deviation * scale, "#E4E4E4", zorder=0.5)
    row = zero - low * scale + 2.3  # of the numbers, below all bars and the band
    for i, number in enumerate(numbers):
        x, at = 3 + (i + 0.5) * step, zero - number * scale
        wide = min(0.56 * step, 4.6)
        card.rectangle(x - wide / 2, zero, wide, at - zero, tint(PATCH, 0.45), zorder=2)
        card.axis.plot(x, at, "o", color=INK, ms=7, zorder=5)
        decimals = max(0, 2 - max(0, len(f"{abs(number):.0f}") - 1))
        card.text(x, row, _minus(f"{number:.{decimals}f}"), 10)
    card.text(1.2, zero, "0", 10)
    card.line((2, zero), (64, zero), line=1.1, zorder=3)
    card.line((2, zero - mean * scale), (64, zero - mean * scale), line=1.6, style="--", zorder=4)
    return row


def _minus(words):
    """With a minus sign before negative numbers, and none before zero."""
    return words.replace("-0.00", "0.00").replace("-", "−")


def layer_norm(numbers, eps=1e-6):
    """A token's numbers (D,) before and after a LayerNorm that does not scale or shift them yet."""
    numbers = as_array(numbers).astype(float)
    if numbers.ndim != 1 or not 2 <= len(numbers) <= 12:
        raise ValueError(f"expected 2 to 12 numbers, (D,), got {numbers.shape}")
    normed = (numbers - numbers.mean()) / np.sqrt(numbers.var() + eps)
    units = [max(a.std(), 1e-9) for a in (numbers, normed)]  # both rows: one deviation, one height
    reaches = [np.subtract(*_reach(a)[::-1]) for a in (numbers, normed)]
    steps = [reach / unit for reach, unit in zip(reaches, units, strict=True)]
    far = max(steps) > 3 * min(steps)  # then one of the rows would be flat: each fills its own
    tall = [12 if far else 12 * step / max(steps) for step in steps]
    scales = [height / max(reach, 1e-9) for height, reach in zip(tall, reaches, strict=True)]
    card = Card(height=sum(tall) + 23.6)
    middle = _bars(card, 2.4, numbers, "before", scales[0]) + 2.8
    _bars(card, middle + 3.4, normed, "after step 1", scales[1])
    card.text(33, middle, "− mean, then ÷ standard deviation", 10.5, QUIET)
    for x in (16.5, 49.5):
        card.arrow((x, middle - 1.2), (x, middle + 1.4), colour=QUIET)
    listed = [", ".join(_minus(f"{number:.2f}") for number in a) for a in (numbers, normed)]
    show(
        f"bars for {len(numbers)} numbers, before {listed[0]}, with mean {numbers.mean():.2f} and "
        f"standard deviation {numbers.std():.2f}; after {listed[1]}, with mean 0 and standard "
        f"deviation {normed.std():.2f}",
        "A token before and after LayerNorm",
    )


def gelu(values=(-1, 1, 2)):
    """GELU, x·Φ(x), against ReLU, with its height at each of these values."""
    if len(values) == 0:
        raise ValueError("expected at least one value")
    _, axis = plt.subplots(figsize=(6.6, 3.7), facecolor="white", layout="constrained")

    def height(x):
        return x * (1 + math.erf(x / 2**0.5)) / 2  # Φ is the normal distribution's

    far = max(3, *(abs(value) for value in values)) + 0.2
    x = np.linspace(-far, far, 400)
    axis.axhline(0, color=LINE, lw=0.8)
    axis.plot(x, np.maximum(x, 0), color=QUIET, ls="--", lw=1.8, label="ReLU(x) = max(x, 0)")
    curve = {"color": MLP, "lw": 3, "label": "GELU(x) = x · Φ(x)"}
    axis.plot(x, [height(value) for value in x], **curve)
    for value in values:
        at = height(value)
        axis.plot(value, at, "o", color=MLP, mec="white", ms=9, zorder=4)
        text = _minus(f"GELU({value:g}) = {at:.2f}")
        # Below the curve where it is low; at the picture's left edge above it
        beside = (-4, 9) if value < 1 - far else (0, -21) if value < 0 else (9, -13)
        look = {"color": dark(MLP), "size": 11, "ha": "center" if beside[0] == 0 else "left"}
        axis.annotate(text, (value, at), beside, textcoords="offset points", **look)
    axis.legend(loc="upper left", fontsize=11, frameon=False, reverse=True)
    axis.set(xlim=(-far, far + 0.9), ylim=(-0.17 * far - 0.1, far))
    axis.set_xlabel("x", size=11)
    axis.tick_params(labelsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    show(
        "for large x both are x, for very negative x both are 0; in between GELU is smooth and "
        "dips a little below zero, where ReLU has a corner",
        "GELU beside ReLU",
        [f"GELU({value:g}) = {height(value):z.2f}" for value in values],
    )
