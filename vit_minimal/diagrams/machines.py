"""Several machines at work on one model."""

from ..plots import show
from .card import HEAD, INK, PATCH, POSITION, Card


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
    card.box(57.5, middle - 3, 7, 6, HEAD, "mean")
    card.text(33, 25, "then both take the same step, and their models stay equal", 11, INK)
    show(
        "From left to right: a batch is cut into two halves. Each half goes to a process with a "
        "whole model, which gives a gradient. Both gradients lead to their mean"
    )
