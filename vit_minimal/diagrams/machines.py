"""What a machine computes with, and several machines at work on one model."""

from ..plots import show
from .card import HEAD, INK, LINE, PATCH, POSITION, QUIET, SERIES, Card, ink_on, tint

FORMATS = {"float32": (1, 8, 23), "float16": (1, 5, 10), "bfloat16": (1, 8, 7)}  # bits
FIELDS = {"sign": SERIES[7], "exponent": SERIES[1], "fraction": SERIES[0]}


def float_formats():
    """The bits of three kinds of numbers: one square each, in the colour of what it is for."""
    card, left, side = Card(height=24), 13.5, 1.6
    for row, (name, sizes) in enumerate(FORMATS.items()):
        x, y = left, 5 + 6.5 * row
        card.text(left - 1.5, y + side / 2, name, 12, ha="right")
        for (field, colour), size in zip(FIELDS.items(), sizes, strict=True):
            centre = x + size * side / 2
            if row == 0:
                card.text(centre, y - 2, field, 11, ha="right" if size == 1 else "center")
            for _ in range(size):
                card.token(x, y, colour, side)
                x += side
            card.text(centre, y + side + 1.5, str(size), 10, QUIET)
    bits = (f"{name} {' + '.join(map(str, sizes))}" for name, sizes in FORMATS.items())
    show(f"squares in rows, one for each bit of {', '.join(FIELDS)}: {'; '.join(bits)}")


ROWS_OF_A_FILE = (  # what the two rows of entries are for
    "blue: what the next steps need",
    "grey: for the log, and to check that the file is of this run",
)
PARTS_OF_A_RUN = (  # the entries of the file that `fit` saves, and what they are, in two rows
    (
        ("model", "weights"),
        ("optimizer.0", "its memory"),
        ("scheduler.0", "learning\nrate"),
        ("scaler", "factor on\nthe loss"),
        ("step", "number\nof steps"),
    ),
    (
        ("history", "log of past\nepochs"),
        ("totals", "this epoch's\nloss so far"),
        ("seconds", "this epoch's\ntime so far"),
        ("of", "settings of\nthe run"),
    ),
)


def what_is_saved():
    """Steps of a run, the moments between two of them at which it is saved, and what a file holds."""
    card, left, top, side, gap = Card(height=52.5), 4.0, 6.5, 2.6, 1.2
    steps, floor = 9, 22
    for epoch in range(2):
        x = left + epoch * (steps * side + gap)
        card.text(x + steps * side / 2, top - 2.4, f"epoch {epoch + 1}", 11)
        for k in range(steps):
            card.token(x + k * side, top, POSITION, side)
    start = left + steps * side + gap  # of the second epoch
    moments = {
        "end of an\nepoch, if\nthe last file\nis a minute\nold": start - gap / 2,
        "stop: after\nits step": start + 4 * side,
        "end of\nthe run": start + steps * side,
    }
    for words, x in moments.items():
        card.arrow((x, top + side + 0.5), (x, floor - 0.6), colour=HEAD, line=1.8)
        card.text(x + 1.2, 15.2, words, 11, ha="left", linespacing=1.3)
    card.text(left, 13.8, "A square is a training step.", 11, ha="left")
    card.text(left, 16.6, "Saved between two steps:", 11, ha="left", weight="bold")
    pitch, wide, high, deep = 12.5, 11.4, 4.4, 29.0
    card.rectangle(1.5, floor, 63, deep, "white", LINE, 1.4)
    title = "one file: when it is complete, it replaces the one before"
    card.text(left, floor + 2.2, title, 11, ha="left", weight="bold")
    rows = zip(PARTS_OF_A_RUN, ROWS_OF_A_FILE, (PATCH, POSITION), strict=True)
    for row, (parts, words, colour) in enumerate(rows):
        y = floor + 6.8 + 12.2 * row
        card.text(left, y - 1.9, words, 11, ha="left")
        for k, (name, holds) in enumerate(parts):
            x = 2.3 + k * pitch
            card.box(x, y, wide, high, colour, name, 11)
            card.text(x + wide / 2, y + high + 2.4, holds, 10, QUIET, linespacing=1.3)
    held = ". ".join(
        f"{words}: " + "; ".join(f"{name}, {holds}" for name, holds in parts)
        for words, parts in zip(ROWS_OF_A_FILE, PARTS_OF_A_RUN, strict=True)
    )
    show(
        "two epochs of steps in a row. Arrows lead from the end of an epoch, from a step in which "
        "stop was pressed, and from the end of the run to one file. When it is complete, it replaces "
        f"the one before. Its entries, {held}".replace("\n", " "),
        "What is saved, and when",
    )


def two_processes():
    """A batch in two halves, a model for each, and the mean of their gradients."""
    card = Card(height=27)
    top, bottom, middle, high = 2.5, 15, 12.25, 7
    card.box(1.5, 8.5, 9, 7.5, PATCH, "batch")
    for number, y in (1, top), (2, bottom):
        centre = y + high / 2
        card.arrow((10.5, middle), (12.5, middle), (12.5, centre), (14.5, centre))
        card.box(14.5, y, 11, high, PATCH, "half the\nimages")
        card.arrow((25.5, centre), (29.5, centre))
        card.box(29.5, y, 12.5, high, POSITION, f"process {number}:\nwhole model")
        card.arrow((42, centre), (46, centre))
        card.box(46, y, 10, high, HEAD, "gradient")
        card.arrow((56, centre), (61, centre), (61, middle + (3 if y > middle else -3)))
        back = y if y > middle else y + high
        card.arrow((57.5, middle), (35.75, middle), (35.75, back))
    card.box(57.5, middle - 3, 7, 6, HEAD, "mean")
    card.text(49, middle - 1.3, "back to both", 10, INK)
    card.text(33, 25, "both take the same step with the mean, so their models stay equal", 11, INK)
    show(
        "From left to right: a batch is cut into two halves. Each half goes to a process with a "
        "whole model, which gives a gradient. Both gradients lead to their mean, which goes "
        "back to both models"
    )


def gradient_accumulation(parts=4):
    """A batch in parts, one after the other: each adds to the gradient, then there is one step.

    ValueError if there are fewer than two parts, or more than five, which have no room.
    """
    if not 2 <= parts <= 5:
        raise ValueError(f"expected 2 to 5 parts, not {parts}")
    card, top, high, tall = Card(height=30), 4.5, 6.2, 2.3
    pitch, wide, floor = 45 / parts, 45 / parts - 2.6, 25
    card.text(24, 2, "time →", 10, QUIET)
    for k in range(parts):
        x = 2 + k * pitch
        card.box(x, top, wide, high, PATCH, f"part {k + 1}")
        card.arrow((x + wide / 2, top + high), (x + wide / 2, floor - (k + 1) * tall - 0.4))
        for j in range(k + 1):
            colour = HEAD if j == k else tint(HEAD, 0.45)
            y = floor - (j + 1) * tall
            card.rectangle(x, y, wide, tall, colour, "white", 0.8)
            if j == k:
                card.text(x + wide / 2, y + tall / 2, f"1/{parts}", 10, ink_on(HEAD), zorder=3)
    card.text(
        2,
        floor + 2.2,
        f"the gradient: each (loss / {parts}).backward() adds its part",
        11,
        ha="left",
    )
    for y, colour, words in (5.5, HEAD, "new"), (9, tint(HEAD, 0.45), "already there"):
        card.rectangle(51, y, 2, tall, colour, "white", 0.8)
        card.text(54, y + tall / 2, words, 10, ha="left")
    full = floor - parts * tall / 2
    card.arrow((2 + 45 - 2.6, full), (50, full))
    card.box(50, full - 3.5, 14, 7, POSITION, "one step", 11, weight="bold")
    show(
        f"{parts} parts of a batch, one after the other; each adds a layer to the gradient, and "
        "after the last there is one step",
        "Gradient accumulation",
    )
