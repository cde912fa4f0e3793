"""Where a start goes wrong, what each sign says of it before training, and what it costs after."""

import numpy as np

from ..plots import as_array, show
from .card import (
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

GROUPS = {True: "costly", None: "not settled", False: "harmless"}
RIGHT, WRONG, NEITHER = tint(MLP, 0.22), tint(INK, 0.25), "white"


def what_adds_up(starts, title=""):
    """What enters the residual stream: what a token holds, plus its position, as bars to one scale.

    `starts` are {name: ((patch, its position), (class token, its position))}, all of them sizes.
    """
    tall, x1, x2 = 15.5, 13.5, 27
    held, positions = np.array(list(starts.values()), dtype=float).max(axis=(0, 1))
    unit = min(7 / held, 15 / positions)
    card, said = Card(height=4.5 + tall * len(starts)), []
    for x, words in ((x1, "what it holds"), (x2, "its position")):
        card.text(x, 2, words, 10, QUIET, ha="left")
    for k, (name, tokens) in enumerate(starts.items()):
        y = 6.4 + tall * k
        card.text(2, y, name, 11.5, ha="left", weight="bold")
        card.box(50, y + 2, 7, 9, MLP, "blocks", 10.5)
        card.box(59.4, y + 2, 5.4, 3.6, HEAD, "head", 10.5)
        card.arrow((57.2, y + 3.8), (59.2, y + 3.8))
        for row, (words, colour, (held, position)) in enumerate(
            zip(("class token", "a patch"), (CLASS, PATCH), tokens[::-1], strict=True)
        ):
            middle = y + 3.8 + 5.4 * row
            card.text(x1 - 1, middle, words, 10.5, ha="right")
            for x, size, fill in ((x1, held, colour), (x2, position, POSITION)):
                card.rectangle(x, middle - 1.3, size * unit, 2.6, fill)
                card.text(x + size * unit + 0.6, middle, f"{size:.2f}", 10, ha="left")
            card.plus(x2 - 2, middle, 1.2)
            card.arrow((x2 + position * unit + 4, middle), (49.8, middle))
            said.append(f"{name}, {words}: {held:.2f} plus {position:.2f}")
    show(
        "bars for a class token and a patch: what each holds, plus its position; the sums go "
        "into the blocks, and the class token goes on to the head",
        title,
        said,
    )


def norm_divides(tokens, title=""):
    """Class tokens of several images, {name: (B, D)}, before a norm and after it, as bars to one scale.

    Of each: the size of what all images share, and the standard deviation over the images. Between
    them is the mean size of a token, by which the norm divides.
    """
    tall, x1, x2 = 11.5, 2, 41
    card, rows = Card(height=12.5 + tall * len(tokens)), {}
    for name, of in tokens.items():
        of = as_array(of)
        of = of - of.mean(axis=1, keepdims=True)
        size = np.sqrt((of**2).mean(axis=1, keepdims=True))
        if len(of) < 2 or not size.all():
            raise ValueError(f"expected two or more tokens that are not constant, got {name!r}")
        rows[name] = [
            [np.sqrt((part.mean(axis=0) ** 2).mean()), part.std(axis=0, ddof=1).mean()]
            for part in (of, of / size)
        ] + [size.mean()]
    unit = 19 / max(max(before + after) for before, after, _ in rows.values())
    for y, colour, words in (
        (1.8, CLASS, "what the class tokens of all images share"),
        (4.8, PATCH, "what differs between images"),
    ):
        card.token(x1, y - 0.9, colour, 1.8)
        card.text(x1 + 2.6, y, words, 10, QUIET, ha="left")
    for x, words in ((x1, "before the last norm"), (x2, "what the head reads")):
        card.text(x, 8.6, words, 10.5, ha="left")
    # A mean of quotients is not the quotient of the means
    words = "each number is a mean over images; the norm divides image by image"
    card.text(x1, 10 + tall * len(tokens) + 1, words, 10, QUIET, ha="left")
    for k, (name, (before, after, size)) in enumerate(rows.items()):
        y = 12.4 + tall * k
        card.text(x1, y, name, 11.5, ha="left", weight="bold")
        for x, bars in ((x1, before), (x2, after)):
            for row, (length, colour) in enumerate(zip(bars, (CLASS, PATCH), strict=True)):
                middle = y + 3.2 + 2.9 * row
                card.rectangle(x, middle - 1.1, length * unit, 2.2, colour)
                card.text(x + length * unit + 0.6, middle, f"{length:.3f}", 10, ha="left")
        card.text(34, y + 3, f"÷ {size:.3f}", 10.5)
        card.arrow((30, y + 4.8), (38, y + 4.8))
    show(
        "bars for what the class tokens of all images share and for their spread, before a norm "
        "and after it, which divides by the size of a token",
        title,
        [
            f"{name}: spread {of[0][1]:.3f}, after the norm {of[1][1]:.3f}"
            for name, of in rows.items()
        ],
    )


def zero_pairs(title=""):
    """Two matrices, one behind the other: with both at zero neither moves, with one at zero both do.

    Blocks and a head are such a pair, too.
    """
    card = Card(height=45)
    pairs = {  # which matrix is zero, what is written below each, and what follows
        "all zero": (
            (True, True),
            "no gradient, as W₂ = 0",
            "no gradient, as h = 0",
            "dead forever",
        ),
        "head zero": (
            (False, True),
            "no gradient in step 1",
            "a gradient, as token ≠ 0",
            "alive",
        ),
        "second zero": (
            (False, True),
            "no gradient in step 1, as W₂ = 0",
            "a gradient, as h ≠ 0",
            "alive",
        ),
    }
    names = {"head zero": ("token", "logits", "blocks", "head")}  # h, y, W₁ and W₂ there
    for k, (name, (zero, *below, verdict)) in enumerate(pairs.items()):
        h, y_of, *matrices = names.get(name, ("h", "y", "W₁", "W₂"))
        y = 2.4 + 15 * k
        card.text(2, y, name, 11.5, ha="left", weight="bold")
        for x, words in (
            (3, "x"),
            (24.5, f"{h} = 0" if zero[0] else h),
            (45.6 + 0.4 * len(y_of), y_of),
        ):
            card.text(x, y + 5.4, words, 11)
        for x, matrix, none, words in zip((13, 36), matrices, zero, below, strict=True):
            words_of_box = f"{matrix} {'=' if none else '≠'} 0"
            card.box(
                x - 4.8,
                y + 3.4,
                9.6,
                4,
                LINE if none else MLP,
                words_of_box,
                11,
                share=0.0 if none else 0.3,
            )
            card.text(x, y + 9.6, words, 10, QUIET if "no gradient" in words else dark(MLP))
        for left, right in ((4.4, 8.0), (18.0, 21.4), (27.6, 31.0), (41.0, 44.6)):
            card.arrow((left, y + 5.4), (right, y + 5.4))
        card.text(57, y + 5.4, verdict, 11.5, weight="bold")
    show(
        "three rows of two matrices, one behind the other; in the second row they are the blocks and "
        "the head",
        title,
        [f"{name}: {', '.join(words)}" for name, (_, *words) in pairs.items()],
    )


def signs_and_costs(starts, signs=(), title=""):
    """A table of starts {(kind, name): (points, width, costly, warns)}: first the costly ones, then
    those that are not settled, then the harmless ones.

    A start costs `points` ± `width`; `costly` is True, False, or None if that is not settled; `warns`
    has True or False for each of the `signs`, of which there may be none, or None for a sign that is
    silent about a start that it was not made for. A cell is green where a sign is right: it warns of
    a costly start, or is silent about a harmless one. The line above a group counts the warnings.
    Bars show the costs where there is room: with at most three signs.
    """
    groups = {
        costly: {start: of for start, of in starts.items() if of[2] is costly} for costly in GROUPS
    }
    groups = {costly: of for costly, of in groups.items() if of}
    tall, head, top = 3.3, 4.4, 9.4
    card = Card(height=top + tall * len(starts) + head * len(groups) + (3.4 if signs else 0.6))
    places = [6.35 * k + 0.6 * (k > 2) + 0.8 * (k > 3) for k in range(len(signs))]
    places = [59.2 - places[-1] + place for place in places]  # the last column ends at the right
    room = min(places, default=65) - 33.4  # for long bars, if there are few signs
    most, said, y = max(points for points, *_ in starts.values()), [], top
    card.text(33, 1.8, title, 11)
    card.text(1, 6.4, "start", 10.5, ha="left", weight="bold")
    card.text(30.8, 6.4, "cost in\npoints", 10.5, ha="right", weight="bold", linespacing=1.1)
    for x, sign in zip(places, signs, strict=True):
        words = sign.replace(" ", "\n") if len(sign) < 12 else "\n".join(sign.rsplit(" ", 1))
        card.text(x + 2.95, 6.4, words, 10.5, weight="bold", linespacing=1.1)
    for costly, members in groups.items():
        card.line((1, y), (65, y), colour=LINE, line=0.9)
        counted = ", warned of" if signs and costly is not None else ""
        card.text(1, y + head / 2, GROUPS[costly] + counted, 10.5, ha="left", weight="bold")
        if costly is not None:
            for k, x in enumerate(places):
                count = f"{sum(bool(warns[k]) for *_, warns in members.values())} of {len(members)}"
                card.text(x + 2.95, y + head / 2, count, 10.5, weight="bold")
                said.append(f"{signs[k]} warns of {count} that are {GROUPS[costly]}")
        y += head
        for (kind, name), (points, width, _, warns) in members.items():
            middle = y + tall / 2
            card.text(1, middle, f"{kind}: {name}", 10, ha="left")
            number = f"{points:z.1f} ± {width:.1f}".replace("-", "\N{MINUS SIGN}")
            share = max(points, 0) / most
            card.text(31.2, middle, number, 10, ha="right")
            if room > 10:
                card.rectangle(32.4, middle - 0.6, room * share, 1.2, QUIET)
            said += [] if signs else [f"{kind}: {name} costs {number} points"]
            for x, warned in zip(places, warns, strict=True):
                wrong = costly is not None and warned is not None and warned != costly
                right = costly is not None and bool(warned) == costly
                fill = RIGHT if right else WRONG if wrong else NEITHER
                card.rectangle(x, y + 0.15, 5.9, tall - 0.3, fill)
                word, weight = "warns" if warned else "silent", "bold" if wrong else "normal"
                card.text(x + 2.95, middle, word, 10, weight=weight)
            y += tall
    legend = ((1, RIGHT, "the sign is right"), (19, WRONG, "the sign is wrong")) if signs else ()
    for x, fill, words in legend:
        card.rectangle(x, y + 1, 1.8, 1.8, fill)
        card.text(x + 2.6, y + 1.9, words, 10, QUIET, ha="left")
    signs_too = ", and whether each sign warns" if signs else ""
    show(f"a table with a row for each start: its cost{signs_too}", title, said)
