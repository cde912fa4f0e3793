"""A pretrained model gets a new head, and what each way of using it leaves as it was: notebook 12."""

from ..plots import show
from .card import (
    ATTENTION,
    CLASS,
    HEAD,
    INK,
    LINE,
    PATCH,
    POSITION,
    QUIET,
    Card,
    dark,
    ink_on,
    tint,
)

LEFT, GAP, HIGH = 22, 0.7, 3.4  # where rows of boxes begin; between boxes; their height
ENDS = 6.4  # the width of the first box and of the head


def _parts(depth):
    """The parts of a model in a row: (name, colour, width, how many steps of decay below the head)."""
    if not 1 <= depth <= 8:
        raise ValueError(f"the figure has room for 1 to 8 blocks, not for {depth}")
    wide = (64 - LEFT - 2 * ENDS - (depth + 1) * GAP) / depth
    blocks = [(str(i + 1), ATTENTION, wide, depth - i) for i in range(depth)]
    return [("embed", PATCH, ENDS, depth + 1), *blocks, ("head", HEAD, ENDS, 0)]


def _row(card, y, parts, share_of):
    """The parts as boxes; `share_of(steps)` is the share of the rate that a part is trained with."""
    x = LEFT
    for name, colour, wide, steps in parts:
        share = share_of(steps)
        if share is None:
            card.rectangle(x, y, wide, HIGH, "white", POSITION, 1.2, zorder=2)
            card.text(x + wide / 2, y + HIGH / 2, name, 10, QUIET, zorder=3)
        else:
            fill = tint(colour, max(share, 0.12))
            card.rectangle(x, y, wide, HIGH, fill, colour, 1.4, zorder=2)
            card.text(x + wide / 2, y + HIGH / 2, name, 10, ink_on(fill), zorder=3)
        x += wide + GAP


def transfer(depth=6, old_classes=10, new_classes=10):
    """A model of `depth` blocks loses its head and gets a new one; then, row by row, what each way of
    using it trains. White boxes stay as they are, and coloured ones are trained.

    ValueError if there is no block, or more than eight.
    """
    parts = _parts(depth)
    card, top = Card(height=41.1), 4.6
    card.text(2, top + HIGH / 2, "pretrained", 11, ha="left", weight="bold")
    _row(card, top, parts[:-1], lambda steps: 1.0)
    end = LEFT + sum(wide + GAP for _, _, wide, _ in parts[:-1])
    card.text(LEFT, top - 1.7, "patches, class token", 10, dark(PATCH), ha="left")
    middle = (LEFT + ENDS + end) / 2
    card.text(middle, top - 1.7, f"{depth} blocks", 10, dark(ATTENTION))
    # The old head leaves to the right below, the new one comes from below
    card.rectangle(end, top, ENDS, HIGH, "white", HEAD, 1.2, zorder=2)
    card.text(end + ENDS / 2, top + HIGH / 2, "head", 10, dark(HEAD), zorder=3)
    card.line((end + 0.4, top + HIGH), (end + ENDS - 0.4, top), colour=HEAD, line=1.6, zorder=2.5)
    card.text(end + ENDS, top - 1.7, f"{old_classes} old classes", 10, dark(HEAD), ha="right")
    y = top + HIGH + 3.4
    card.arrow(
        (end - 2.5, top + HIGH + 0.2), (end - 2.5, y + 1.8), (end - 0.2, y + 1.8), colour=CLASS
    )
    card.text(end - 3.6, y + 1.8, "the class token goes on", 10, dark(CLASS), ha="right")
    card.box(end, y, ENDS, HIGH, HEAD, "new", 10)
    card.text(end + ENDS, y + HIGH + 1.5, f"{new_classes} new classes", 10, dark(HEAD), ha="right")

    rows = (
        ("b · nearest class token", lambda steps: None, parts[:-1]),
        ("c · linear probe", lambda steps: None if steps else 1.0, parts),
        ("d · fine-tuning", lambda steps: 1.0, parts),
    )
    y += HIGH + 5.2
    card.line((2, y - 1.2), (64, y - 1.2), colour=POSITION, line=0.8)
    for k, (name, share_of, shown) in enumerate(rows):
        at = y + 1 + k * (HIGH + 2)
        card.text(2, at + HIGH / 2, name, 11, INK, ha="left")
        _row(card, at, shown, share_of)
        if k == 0:
            card.text(end + ENDS / 2, at + HIGH / 2, "no head", 10, QUIET)
    y += 1 + len(rows) * (HIGH + 2)
    card.rectangle(LEFT, y + 0.4, 2.6, 2, "white", POSITION, 1.2)
    card.text(LEFT + 3.4, y + 1.4, "stays as it is", 10, QUIET, ha="left")
    card.rectangle(LEFT + 18, y + 0.4, 2.6, 2, ATTENTION, ATTENTION, 1.2)
    card.text(LEFT + 21.4, y + 1.4, "trained", 10, LINE, ha="left")
    show(
        f"a pretrained model of an embedding, {depth} blocks and a head for {old_classes} classes; the "
        f"head is taken off and a new one, for {new_classes} classes, reads the class token. The "
        "nearest class token trains nothing and has no head, a linear probe trains the head alone, "
        "and fine-tuning trains everything",
        "A pretrained model and its new head",
    )


def layer_decay(depth=6, decay=0.7):
    """What fine-tuning trains at one rate, and with a layer decay: the paler a part, the lower its rate.

    ValueError if there is no block, or more than eight.
    """
    parts = _parts(depth)
    card = Card(height=14.4)
    rows = {"d · fine-tuning": lambda steps: 1.0, "… with layer decay": lambda steps: decay**steps}
    for k, (name, share_of) in enumerate(rows.items()):
        at = 1 + k * (HIGH + 2)
        card.text(2, at + HIGH / 2, name, 11, INK, ha="left")
        _row(card, at, parts, share_of)
    card.text(LEFT, 13, "the paler a box, the lower its learning rate", 10, QUIET, ha="left")
    rates = ", ".join(f"{decay**steps:.2g}" for *_, steps in parts)
    show(
        "fine-tuning trains an embedding, "
        f"{depth} blocks and a head at one rate; layer decay gives them these shares of it: {rates}",
        "Fine-tuning with layer decay",
    )
