"""The whole model in one figure, from an image to class scores: notebooks 00 to 04 open with it."""

from ..plots import as_array, show
from .card import (
    ATTENTION,
    CLASS,
    FAINT,
    HEAD,
    INK,
    MLP,
    PATCH,
    POSITION,
    QUIET,
    TOKEN,
    Card,
    dark,
    tint,
)

PARTS = {
    "patches": "01  patches",
    "class_token": "02  class token",
    "attention": "03  attention",
    "model": "04  the whole model",
}
GRID = 8  # patches along a side
STEP, GAP = 3.2, 1.5  # from token to token, and what dots between two of them take


def _places(top):
    """The y of the class token, of the patches that are drawn, and of the dots between them."""
    y = [top + STEP, top + 2 * STEP + GAP, top + 3 * STEP + GAP, top + 4 * STEP + 2 * GAP]
    return top, y, [y[1] - GAP / 2 - 0.3, y[3] - GAP / 2 - 0.3]


def _column(card, x, top, colour=PATCH, first=None):
    """A column of tokens with dots where some are left out; `first` is the class token's colour."""
    y_class, y_patches, y_dots = _places(top)
    if first:
        card.token(x, y_class, first)
    for y in y_patches:
        card.token(x, y, colour)
    for y in y_dots:
        card.text(x + TOKEN / 2, y, "⋮", 12, colour)


def _captions(card, y, *captions):
    for x, name, shape in captions:
        card.text(x, y, name)
        card.shape(x, y + 2.2, shape)


def _heading(card, part, lit, left, right, y):
    weight = "bold" if lit else "normal"
    card.text(left, y, PARTS[part], 12, ha="left", weight=weight)
    card.line((left, y + 1.7), (right, y + 1.7), colour=INK, line=2.4 if lit else 1.2)


def _draw_patches(card, image, top):
    """Image → patches → E → tokens, along y = middle."""
    channels, height, _ = image.shape
    side, middle = height // GRID, top + 3 * STEP + GAP - (STEP - TOKEN) / 2
    left, upper, size = 2, middle - 7, 14
    card.picture(left, upper, size, size, image)
    for i in range(GRID + 1):
        at = i * size / GRID
        card.line((left + at, upper), (left + at, upper + size), colour="white", line=0.8)
        card.line((left, upper + at), (left + size, upper + at), colour="white", line=0.8)
    card.arrow((16.8, middle), (20.6, middle))
    card.text(18.5, middle - 1.2, "cut", 10)
    shown = (0, GRID * GRID // 2 - GRID // 2 - 1, GRID * GRID // 2 - GRID // 2, GRID * GRID - 1)
    _, places, dots = _places(top)
    for y, number in zip(places, shown, strict=True):
        row, column = divmod(number, GRID)
        at = left + column * size / GRID, upper + row * size / GRID
        card.rectangle(*at, size / GRID, size / GRID, "none", PATCH, 1.6, zorder=2)
        piece = image[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
        card.picture(21, y, TOKEN, TOKEN, piece)
        card.rectangle(21, y, TOKEN, TOKEN, "none", PATCH, 1.4, zorder=2)
        card.text(24.1, y + TOKEN / 2, str(number), 10, dark(PATCH), ha="left")
    for y in dots:
        card.text(21 + TOKEN / 2, y, "⋮", 12, PATCH)
    card.arrow((26.3, middle), (28.8, middle))
    card.box(28.8, middle - 5, 5, 10, PATCH, "linear\nE", 10.5)
    card.arrow((33.8, middle), (36.3, middle))
    _column(card, 36.5, top)
    numbers = f"(B, {GRID**2}, {channels * side * side})"
    _captions(
        card, top + 20.8,
        (9, "image", f"(B, {channels}, {height}, {height})"),
        (22.3, "patches", numbers),
        (37.8, "tokens", f"(B, {GRID**2}, D)"),
    )  # fmt: skip
    return middle


def _draw_class_token(card, top, middle):
    """Tokens with the class token in front, and the positions that are added."""
    card.arrow((39.8, middle), (47, middle))
    _column(card, 47.2, top, first=CLASS)
    card.text(46.4, top + TOKEN / 2, "[class]", 11, dark(CLASS), ha="right", weight="bold")
    card.plus(53.4, middle)
    _column(card, 57, top, POSITION, first=POSITION)
    shape = f"{GRID**2 + 1}, D)"
    _captions(
        card, top + 20.8, (48.5, "tokens", f"(B, {shape}"), (58.3, "positions", f"(1, {shape}")
    )


def _mixing(card, x, top, colour, everyone):
    """Small tokens before and after a layer: lines between all of them, or each to itself."""
    side, step, reach = 1.8, 2.45, 8.2
    middle = top + side / 2
    for i in range(5):
        for j in range(5) if everyone else [i]:
            ends = (x + side, middle + i * step), (x + reach, middle + j * step)
            if everyone and j > 0:
                card.line(*ends, colour=tint(colour, 0.45), line=0.6, zorder=2.2)
            else:
                line = (1.6, 0.8, 2.6, 1.2, 2.0)[i] if everyone else 1.4
                card.line(*ends, colour=colour, line=line, zorder=2.5)
    for i in range(5):
        for at in (x, x + reach):
            card.token(at, top + i * step, CLASS if i == 0 else PATCH, side)


def _draw_blocks(card, top, lit):
    """L blocks, each attention and an MLP."""
    card.strength = lit("model")
    for k in (2, 1, 0):
        card.box(5 + 0.8 * k, top - 0.8 * k, 34.5, 18.4, POSITION, share=0.05)
    card.strength = lit("attention")
    card.box(6.5, top + 1.3, 15.2, 15.8, ATTENTION)
    card.text(14.1, top + 2.9, "attention", weight="bold")
    _mixing(card, 9.1, top + 4.6, ATTENTION, everyone=True)
    card.strength = lit("model")
    card.arrow((21.7, top + 9.2), (24.3, top + 9.2), zorder=3)
    card.box(24.3, top + 1.3, 13.7, 15.8, MLP)
    card.text(31.15, top + 2.9, "MLP", weight="bold")
    _mixing(card, 26.15, top + 4.6, MLP, everyone=False)
    card.text(22.25, top + 20.8, "L blocks, each adds to the tokens")
    card.shape(22.25, top + 23, f"(B, {GRID**2 + 1}, D)")


def _draw_scores(card, top, scores, num_classes):
    """The class token read, the head, and a bar for each of the best classes."""
    middle = top + 9.2
    card.arrow((41.5, middle), (44.6, middle))
    _column(card, 45, top, tint(PATCH, 0.35), first=CLASS)
    y = top + TOKEN / 2
    card.arrow((47.8, y), (52.6, y), colour=CLASS, line=2)
    card.box(52.8, y - 2.1, 7.6, 4.2, HEAD, "head")
    card.arrow((56.6, y + 2.1), (56.6, y + 4.6))
    best = sorted(scores.items(), key=lambda item: -item[1])[:4] if scores else []
    shares = [share for _, share in best] or [1, 0.3, 0.15, 0.08]
    for k, share in enumerate(shares):
        at = y + 5.2 + 2.7 * k
        length = 6 * max(share, 0) / max(max(shares), 1e-9)
        card.rectangle(51, at, length + 0.2, 1.7, HEAD if k == 0 else tint(HEAD, 0.5))
        if best:
            card.text(51.8 + length, at + 0.85, best[k][0], 10, ha="left")
    shape = f"(B, {GRID**2 + 1}, D)"
    _captions(
        card, top + 20.8, (46.3, "tokens", shape), (57.3, "class scores", f"(B, {num_classes})")
    )


def overview(image, part=None, scores=None, num_classes=10):
    """From an image (C, H, W) to class scores, with one part lit: a key of PARTS, "head", or None for
    all.

    The image is cut into 8 × 8 patches, each (C, P, P). `scores` are numbers by class,
    {name: score}, of which the four largest get a bar with their name.
    """
    if part not in (*PARTS, "head", None):
        raise ValueError(f"part is one of {', '.join(PARTS)}, head or None, not {part!r}")
    channels, height, width = image.shape
    if height != width or height % GRID:
        size = f"{height} × {width}"
        raise ValueError(f"expected a square image whose side {GRID} divides, not {size}")
    scores = {name: float(as_array(score)) for name, score in (scores or {}).items()}

    def lit(*parts):
        return 1.0 if part is None or part in parts else FAINT

    card, upper, lower = Card(height=64.6), 6.4, 39.6
    spans = {"patches": (2, 39.1), "class_token": (42, 64), "attention": (5, 21.7)}
    for name, (left, right) in (spans | {"model": (24.3, 64)}).items():
        card.strength = lit(name)
        y = upper - 4 if name in ("patches", "class_token") else lower - 5.2
        _heading(card, name, part == name, left, right, y)
    card.strength = lit("patches")
    middle = _draw_patches(card, image, upper)
    card.strength = lit("class_token")
    _draw_class_token(card, upper, middle)
    card.strength = lit("class_token", "attention")
    below = lower + 9.2
    card.arrow((60.4, middle), (64, middle), (64, lower - 7.8), (2.4, lower - 7.8), (2.4, below),
               (6.2, below), colour=QUIET, zorder=3)  # fmt: skip
    _draw_blocks(card, lower, lit)
    card.strength = lit("model", "head")
    _draw_scores(card, lower, scores, num_classes)
    side = height // GRID
    show(
        f"an image ({channels}, {height}, {width}) is cut into {GRID**2} patches of "
        f"{channels * side * side} numbers; a linear map E makes each a token of D numbers; the "
        f"class token is put in front and positions are added, {GRID**2 + 1} tokens; L blocks "
        "follow, each attention, in which tokens take from all tokens, and an MLP for each token "
        "alone; at the end a head reads the class token alone and gives a score for each class",
        "From an image to class scores" + (f", lit: {PARTS.get(part, part)}" if part else ""),
        [f"{name} {score:.3g}" for name, score in scores.items()],
    )
