"""Attention: one query by hand, tables of numbers, and several heads."""

import numpy as np

from ..plots import as_array, show
from .card import ATTENTION, CLASS, INK, MLP, PATCH, QUIET, WIDTH, Card, dark, ink_on, tint


def softmax(scores):
    """exp(scores) / Σ exp(scores), over the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def digits(numbers):
    """How many decimals are shown of an array (…, d): 0 if all are whole, at most 1 or 2."""
    most = 2 if numbers.shape[-1] < 3 else 1
    exact = (n for n in range(most) if np.allclose(np.round(numbers, n), numbers, atol=1e-6))
    return next(exact, most)


def vector(numbers, decimals):
    """Numbers as [1.0 0.5], all with as many decimals."""
    return "[" + " ".join(f"{number:.{decimals}f}" for number in numbers) + "]"


def _checked(tokens, query, keys, values, names):
    """The arrays, tokens as well if there are any; ValueError if their shapes do not fit."""
    query, keys, values = (as_array(a).astype(float) for a in (query, keys, values))
    tokens = None if tokens is None else as_array(tokens).astype(float)
    if not (query.ndim == 1 and keys.ndim == values.ndim == 2):
        raise ValueError("expected query (d,), keys (T, d) and values (T, d)")
    T, d = keys.shape
    if len(query) != d or len(values) != T or (tokens is not None and len(tokens) != T):
        shapes = f"query {query.shape}, keys {keys.shape}, values {values.shape}"
        raise ValueError(f"these do not fit together: {shapes}, with {T} keys of {d} numbers")
    drawn = [a for a in (tokens, query, keys, values) if a is not None]
    if not 2 <= T <= 5 or max(a.shape[-1] for a in drawn) > 3:
        raise ValueError("the figure has room for 2 to 5 tokens of at most 3 numbers")
    room = 10 if max(a.shape[-1] for a in drawn) == 3 else 100
    if max(np.abs(a).max() for a in drawn) >= room:
        raise ValueError(f"the figure has room for numbers below {room}")
    names = [f"token {i}" for i in range(T)] if names is None else list(names)
    if len(names) != T:
        raise ValueError(f"{len(names)} names for {T} tokens")
    return tokens, query, keys, values, names


def _lines_of_sum(weights, values, decimals, result):
    """The weighted sum, written out in as many lines as it takes."""
    terms = [f"{w:.3f}·{vector(v, decimals)}" for w, v in zip(weights, values, strict=True)]
    lines = [""]
    for i, term in enumerate([*terms, None]):
        piece = f"≈ {vector(result, 2)}" if term is None else f"+ {term}" if i else term
        if len(lines[-1]) + len(piece) > 66:
            lines.append("")
        lines[-1] = f"{lines[-1]} {piece}".strip()
    return lines


def attention_by_hand(tokens, query, keys, values, names=None, scaled=True):
    """What one token takes from all: tokens (T, D) or None, query (d,), keys (T, d), values (T, d).

    The first token is the one that attends. The scores are q·k/√d, or q·k if not `scaled`.
    """
    tokens, query, keys, values, names = _checked(tokens, query, keys, values, names)
    T, d = keys.shape
    scores = keys @ query / (d**0.5 if scaled else 1)
    weights = softmax(scores)
    result = weights @ values
    formula = f"q·k / √{d}" if scaled else "q·k"
    columns = {"tokens x": (2, 11), "keys k": (15, 11), "scores": (28, 7), "weights": (41.5, 10)}
    columns["values v"] = 54, 10
    if tokens is None:
        columns = {"tokens" if name == "tokens x" else name: at for name, at in columns.items()}
    lines = _lines_of_sum(weights, values, digits(values), result)
    top, step, high = 16.6, 6.6, 4.4
    bottom = top + T * step
    card = Card(height=bottom + 6.6 + 2.5 * len(lines))

    ink = {"tokens": INK, "tokens x": INK, "values v": dark(MLP)}
    for title, (left, width) in columns.items():
        where = left + width / 2, 12
        card.text(*where, title, 11.5, ink.get(title, dark(ATTENTION)), weight="bold")

    (left, width), asks = columns["scores"], top + high / 2
    middle = left + width / 2
    card.shape(middle, 14.3, formula, colour=dark(ATTENTION))
    words = f"query q = {vector(query, digits(query))}"
    reach = 11 if d == 3 else 9
    card.box(middle - reach, 2, 2 * reach, 4.4, CLASS, words, share=0.35)
    card.text(12.5, 2.8, f"{names[0]} attends", 10, dark(CLASS))
    card.arrow(
        (2, asks), (0.9, asks), (0.9, 4.2), (middle - reach - 0.1, 4.2), colour=CLASS, line=1.8
    )
    card.arrow((middle, 6.4), (middle, 10.4), colour=CLASS, line=1.8)

    # One softmax over all scores
    card.box(37, top - 0.6, 2.4, bottom - top - 1, ATTENTION, "softmax", 10, rotation=90)

    for i in range(T):
        y, colour = top + i * step, CLASS if i == 0 else PATCH
        centre = y + high / 2
        words = names[i] if tokens is None else f"{names[i]}\n{vector(tokens[i], digits(tokens))}"
        card.box(*_at((2, 11), y), high, colour, words, 10, share=0.25)
        for column, colour, numbers in (("keys k", ATTENTION, keys), ("values v", MLP, values)):
            words = vector(numbers[i], digits(numbers))
            size = 11 if len(words) < 11 else 10
            card.box(*_at(columns[column], y), high, colour, words, size)
        card.box(*_at(columns["scores"], y), high, ATTENTION, f"{scores[i]:.2f}", share=0.06)
        for start, end in ((13, 15), (26, 28), (35, 37), (39.4, 41.5)):
            card.arrow((start, centre), (end - 0.2, centre))
        left, width = columns["weights"]
        bar = y + high - 1.3  # below the number
        card.rectangle(left, bar, width, 1.3, tint(ATTENTION, 0.1))
        card.rectangle(left, bar, width * weights[i], 1.3, tint(ATTENTION, 0.7))
        card.rectangle(left, y, width, high, "none", ATTENTION, 1.2, zorder=3)
        card.text(left + width / 2, y + 1.7, f"{weights[i]:.3f}", zorder=4)
        card.text(52.75, centre, "×", 13)
        under = y + high + 0.9  # the way of the value
        way = (7.5, y + high), (7.5, under), (59, under), (59, y + high + 0.1)
        card.arrow(*way, colour=MLP, radius=0.6)
    card.line((41.5, bottom - 0.2), (64, bottom - 0.2), line=1.6)
    card.arrow((52.75, bottom - 0.2), (52.75, bottom + 2.2))
    card.text(51.4, bottom + 0.9, "sum", 10, ha="right")
    card.box(2, bottom + 2.4, 62, 2.2 + 2.5 * len(lines), CLASS, share=0.25)
    for k, line in enumerate(lines):
        card.shape(33, bottom + 4.75 + 2.5 * k, line, size=10.5)
    parts = [
        f"{name}: key {vector(k, digits(keys))}, score {s:.2f}, weight {w:.3f}, "
        f"value {vector(v, digits(values))}"
        for name, k, s, w, v in zip(names, keys, scores, weights, values, strict=True)
    ]
    show(
        f"the query of {names[0]}, {vector(query, digits(query))}, is compared with every key by "
        f"{formula}; a softmax makes weights of the scores; the sum of the values with these "
        f"weights is {vector(result, 2)}",
        f"What {names[0]} takes from {T} tokens",
        parts,
    )


def _short(number):
    """A number in few characters: 2, −1, .67, 7.9."""
    text = (
        f"{number:.0f}"
        if float(number).is_integer()
        else f"{number:.{1 if abs(number) >= 1 else 2}f}"
    )
    return text.replace("0.", ".", 1) if abs(number) < 1 and "." in text else text


def attention_in_tables(queries, keys, values):
    """softmax(QKᵀ) V with its numbers, as tables: queries, keys and values (T, d) of one head. The
    row of the first token is framed; a weight is the darker the larger it is.
    """
    queries, keys, values = (as_array(table) for table in (queries, keys, values))
    if not queries.shape == keys.shape == values.shape or queries.ndim != 2:
        shapes = ", ".join(str(table.shape) for table in (queries, keys, values))
        raise ValueError(f"expected queries, keys and values of one shape (T, d), got {shapes}")
    T, d = queries.shape
    if not (2 <= T <= 3 and 1 <= d <= 2):
        raise ValueError(f"the figure has room for 2 or 3 tokens of 1 or 2 numbers, not {T} of {d}")
    scores = queries @ keys.T
    weights = softmax(scores)
    tables = {  # its shape, its numbers, its colour, and what leads to it
        "Q": ("T, d", queries, ATTENTION, ""),
        "Kᵀ": ("d, T", keys.T, ATTENTION, "·"),
        "scores": ("T, T", scores, ATTENTION, "="),
        "weights": ("T, T", weights, ATTENTION, "softmax"),
        "V": ("T, d", values, MLP, "·"),
        "result": ("T, d", weights @ values, MLP, "="),
    }
    side = min(3.6, 44 / (3 * T + 3 * d))
    card, middle = Card(height=T * side + 11), 6.2 + T * side / 2
    x = (WIDTH - 20 - side * (3 * T + 3 * d)) / 2
    for name, (shape, numbers, colour, sign) in tables.items():
        rows, columns = numbers.shape
        if sign == "softmax":
            card.arrow((x + 0.8, middle), (x + 7.2, middle))
            card.text(x + 4, middle - 1.6, sign, 10)
        elif sign:
            card.text(x + 1.5, middle, sign, 14)
        x += {"": 0, "softmax": 8}.get(sign, 3)
        top, width = middle - rows * side / 2, columns * side
        for (i, j), number in np.ndenumerate(numbers):
            share = 0.1 + 0.9 * number if name == "weights" else 0.16
            cell = x + j * side, top + i * side, side, side
            card.cell(*cell, tint(colour, share), _short(number))
        if name not in ("Kᵀ", "V"):
            card.rectangle(x, top, width, side, "none", CLASS, 2.5, zorder=4)
        card.text(x + width / 2, 2.8, name, 11, dark(colour), weight="bold")
        card.shape(x + width / 2, middle + T * side / 2 + 2.4, f"({shape})")
        x += width
    show(
        "tables of numbers: Q (T, d) times Kᵀ (d, T) gives the scores (T, T); a softmax makes weights "
        "(T, T) of them; the weights times V (T, d) give the result (T, d); in Q, scores, weights "
        "and result the row of the first token is framed",
        f"Attention of {T} tokens with {d} numbers, as tables",
        [f"{name}: {np.round(numbers, 2).tolist()}" for name, (_, numbers, _, _) in tables.items()],
    )


def _at(column, y):
    left, width = column
    return left, y, width


def _head(card, left, width, shape, pattern, colour, top):
    """One head in its column: q, k and v, its map (T, T), and its output."""
    side = (width - 2) / 3
    for i, letter in enumerate("qkv"):
        x = left + i * (side + 1)
        card.box(x, top, side, 3.4, MLP if letter == "v" else ATTENTION, letter)
    rows, columns = pattern.shape
    size = min(2 * side + 1, 9)
    x, y = left + (2 * side + 1 - size) / 2, top + 5.6
    for (i, j), share in np.ndenumerate(pattern / pattern.max()):
        cell = size / columns, size / rows
        shade = tint(ATTENTION, 0.06 + 0.84 * share)
        card.rectangle(x + j * cell[0], y + i * cell[1], *cell, shade, "white", 0.5)
    card.rectangle(x, y, size, size, "none", ATTENTION, 1.2, zorder=3)
    middle, down = x + size / 2, left + 2.5 * side + 2
    for start in (left + side / 2, left + 1.5 * side + 1):
        turn = top + 4.2
        card.arrow((start, top + 3.4), (start, turn), (middle, turn), (middle, y - 0.1), radius=0.5)
    card.arrow((down, top + 3.4), (down, y + 11.6))
    card.arrow((middle, y + size), (middle, y + 11.6))
    card.text((x + size + down) / 2, y + size / 2, "×", 13)
    card.box(left, y + 11.8, width, 3.6, colour, shape, 10, share=1, family="monospace")


def heads_side_by_side(num_heads, embed_dim, maps=None, one_map=True):
    """Tokens (B, T, D) → q, k, v of h heads (B, h, T, d) → their outputs side by side (B, T, D).

    `maps` (h, T, T) are drawn as the heads' attention; without them, made-up ones are. Of more than
    four heads, the first two and the last are drawn. With `one_map` a single linear map makes q, k
    and v of all heads; without it each head has three of its own.
    """
    h, D = num_heads, embed_dim
    if h < 1 or D % h:
        raise ValueError(f"num_heads {h} does not divide embed_dim {D}")
    d = D // h
    if maps is None:
        made_up = np.random.default_rng(3).normal(size=(h, 6, 6))
        maps = softmax(1.6 * made_up)
    maps = as_array(maps)
    if maps.ndim != 3 or len(maps) != h:
        raise ValueError(f"expected a map (T, T) for each of {h} heads, got {tuple(maps.shape)}")
    drawn = list(range(h)) if h <= 4 else [0, 1, None, h - 1]
    gap = 2.6
    width = (62 - gap * (len(drawn) - 1)) / len(drawn)
    if len(drawn) < 3:
        width = 18
    lefts = [WIDTH / 2 + (i - len(drawn) / 2) * (width + gap) + gap / 2 for i in range(len(drawn))]
    left, whole = lefts[0], lefts[-1] + width - lefts[0]
    card = Card(height=61.4)
    middles = [x + width / 2 for x in lefts]
    card.box(left, 2, whole, 4, PATCH, f"tokens  (B, T, {D})", share=0.25, family="monospace")
    if one_map:
        card.arrow((WIDTH / 2, 6), (WIDTH / 2, 8.4))
        card.box(left, 8.6, whole, 4, ATTENTION, f"qkv: linear, {D} → 3 · {D}", share=0.08)
    colours = [tint(QUIET, share) for share in np.linspace(0.55, 0.15, len(drawn))]  # no amounts
    part = whole / len(drawn)
    for i, (middle, index, colour) in enumerate(zip(middles, drawn, colours, strict=True)):
        fill = "white" if index is None else colour
        card.rectangle(left + i * part, 43.4, part, 4, fill, "white", 1.2, zorder=3)
        if index is None:
            for y in (17, 28, 37.8, 45.4):
                card.text(middle, y, "…", 18, QUIET, zorder=4)
            continue
        if not one_map:
            card.arrow((middle, 6), (middle, 8.4))
            own = f"3 maps {D} → {d}"
            card.box(middle - width / 2, 8.6, width, 4, ATTENTION, own, 10, share=0.08)
        card.arrow((middle, 12.6), (middle, 15.4))
        card.text(middle, 17, f"head {index}", 11.5, dark(ATTENTION), weight="bold")
        _head(card, middle - width / 2, width, f"(B, T, {d})", maps[index], colour, 19)
        card.arrow((middle, 40), (middle, 43.2))
        card.text(left + (i + 0.5) * part, 45.4, f"{d}", 10.5, ink_on(colour), zorder=4)
    card.arrow((WIDTH / 2, 47.6), (WIDTH / 2, 51))
    card.text(WIDTH / 2 + 1.2, 49.2, f"side by side: {h} · {d} = {D}", 10, QUIET, ha="left")
    card.box(left, 51.2, whole, 4, ATTENTION, f"proj: linear, {D} → {D}", share=0.08)
    card.arrow((WIDTH / 2, 55.2), (WIDTH / 2, 57.6))
    card.shape(WIDTH / 2, 59.2, f"(B, T, {D})", size=11)
    make = "a linear map makes" if one_map else "three linear maps in each head make"
    show(
        f"{make} queries, keys and values of the tokens (B, T, {D}); {h} heads work "
        f"side by side, each with its own q, k and v of d = {d} numbers, its own map of attention "
        f"(T, T) and its own output (B, T, {d}); the outputs are put side by side again, "
        f"(B, T, {D}), and a last linear map mixes them",
        f"{h} heads side by side" if h > 1 else "A single head",
    )
