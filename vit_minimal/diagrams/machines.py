"""What a machine computes with, and several machines at work on one model."""

from ..plots import show
from .card import HEAD, INK, PATCH, POSITION, QUIET, SERIES, Card

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
    card.text(49, middle - 1.3, "the same step", 10, INK)
    card.text(33, 25, "both take the same step, so their models stay equal", 11, INK)
    show(
        "From left to right: a batch is cut into two halves. Each half goes to a process with a "
        "whole model, which gives a gradient. Both gradients lead to their mean, and from there "
        "the same step leads back to both models"
    )
