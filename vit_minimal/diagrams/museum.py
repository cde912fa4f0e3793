"""What a silent bug does, as coloured cells: the right version on the left, the wrong one beside it."""

import numpy as np

from ..plots import as_array, show
from .card import ATTENTION, INK, LINE, QUIET, WIDTH, Card, dark, tint

RIGHT, WRONG = "#009E73", "#D55E00"
# Pale, so that a cross stands out, and neither of the two colours above
OWNERS = ("#A6CFE8", "#F5EE9E", "#DDB3D6", "#C9C9C9", "#B9C6EE", "#CDE8C9")
GAP = 3.0  # between the two versions


def _as_panels(values):
    """(rows, columns) or (panels, rows, columns), as the latter. ValueError for any other shape."""
    values = as_array(values)
    if values.ndim not in (2, 3):
        raise ValueError(f"expected (rows, columns) or (panels, rows, columns), got {values.shape}")
    return values if values.ndim == 3 else values[None]


def _both(right, wrong):
    right, wrong = _as_panels(right), _as_panels(wrong)
    if right.shape != wrong.shape:
        raise ValueError(f"right and wrong differ in shape: {right.shape} and {wrong.shape}")
    return right, wrong


def _room(left):
    """What each version may take, if the first begins here."""
    return (64 - left - GAP) / 2


def _card(height, title):
    """A card with room for its title above y = 0."""
    room = 3.2 if title else 0
    card = Card(height + room)
    if title:
        card.axis.set_ylim(height, -room)
        card.rectangle(0, -room, WIDTH, room, "white", zorder=-1)
        card.text(2, -1.2, title, 11, ha="left")
    return card


def _headings(card, lefts):
    for x, words, colour in zip(lefts, ("right", "wrong"), (RIGHT, WRONG), strict=True):
        card.text(x, 2.2, words, 11.5, dark(colour), ha="left", weight="bold")


def _cross(card, x, y, side):
    """A cross in the middle of a cell."""
    half = 0.26 * side
    for slope in (-half, half):
        card.line((x - half, y - slope), (x + half, y + slope), colour=WRONG, line=1.4, zorder=3)


def owners(
    right,
    wrong,
    owner,
    panels=(),
    rows="",
    columns="",
    labels=None,
    framed=None,
    key="",
    title="",
):
    """To which part each number of an array goes: whole numbers (rows, columns), or several panels
    of them (panels, rows, columns), in the right version and in the wrong one.

    Equal numbers have one colour, which the legend calls "`owner` 0", "`owner` 1" and so on. A cross
    is on each number that went to another part than it should.
    `panels` are the names of the panels, `rows` and `columns` say what runs down and across.
    `labels` are texts for the cells, in the right version and in the wrong one, in place of the
    crosses, in a frame where they differ, "" for a cell without one. `framed` is a frame in every
    panel: its first row and column, and those behind its last. `key` says what labels or frame mean.
    """
    right, wrong = _both(right, wrong)
    labels = [np.asarray(of).reshape(right.shape) for of in labels] if labels else None
    count = int(max(right.max(), wrong.max())) + 1
    if min(right.min(), wrong.min()) < 0 or count > len(OWNERS):
        raise ValueError(f"expected whole numbers 0 … {len(OWNERS) - 1}")
    panel_count, high, wide = right.shape
    start, gap = 5 if rows else 2, 1.2
    half = _room(start)
    side = min((half - gap * (panel_count - 1)) / (panel_count * wide), 3.2)
    used = panel_count * (wide * side + gap) - gap
    top = 7 if panels else 4.4
    bottom = top + high * side
    legend = bottom + (4.2 if columns else 1.6)
    card, lefts = _card(legend + (5.8 if key else 3.4), title), (start, start + half + GAP)
    _headings(card, lefts)
    for number, (version, left) in enumerate(zip((right, wrong), lefts, strict=True)):
        for panel in range(panel_count):
            x0 = left + panel * (wide * side + gap)
            if framed:
                first, begin, last, behind = framed
                x, y = x0 + begin * side, top + first * side
                wide_high = ((behind - begin) * side, (last - first) * side)
                card.rectangle(x, y, *wide_high, "none", INK, 2.4, zorder=4)
            if panels:
                card.text(x0 + wide * side / 2, top - 1.6, panels[panel], 10, QUIET)
            for (row, column), value in np.ndenumerate(version[panel]):
                x, y = x0 + column * side, top + row * side
                card.rectangle(x, y, side, side, OWNERS[int(value)], "white", 0.7, zorder=2)
                if labels:
                    words, expected = (of[panel, row, column] for of in (labels[number], labels[0]))
                    if words and words != expected:
                        inner = 0.8 * side
                        corner = x + 0.1 * side, y + 0.1 * side
                        card.rectangle(*corner, inner, inner, "none", WRONG, 1.6, zorder=3)
                    card.text(x + side / 2, y + side / 2, words, 11, INK, zorder=4)
                elif value != right[panel, row, column]:
                    _cross(card, x + side / 2, y + side / 2, side)
        if columns:
            card.text(left + used / 2, bottom + 1.6, columns, 10, QUIET)
    if rows:
        card.text(start - 1.7, (top + bottom) / 2, rows, 10, QUIET, rotation=90)
    step = (64 - start) / max(count + 1, 5)
    for value in range(count):
        x = start + value * step
        card.rectangle(x, legend, 1.8, 1.8, OWNERS[value], zorder=2)
        card.text(x + 2.5, legend + 0.9, f"{owner} {value}", 10, ha="left")
    if key:
        card.text(start, legend + 3.6, key, 10, QUIET, ha="left")
    if not labels and (right != wrong).any():
        _cross(card, start + count * step + 0.9, legend + 0.9, 1.8)
        card.text(start + count * step + 2.5, legend + 0.9, "wrong place", 10, ha="left")
    parts = [len(np.unique(version[..., 0, :])) for version in (right, wrong)]
    show(
        f"two grids of {panel_count} × {high} × {wide} coloured cells, a colour for each {owner}; in "
        f"the right version the first row holds {parts[0]} of {count} colours, in the wrong one "
        f"{parts[1]}, and the colours lie elsewhere",
        title,
    )


def _fill(amount):
    """The colour of an amount 0 … 1: the larger, the more purple."""
    return tint(ATTENTION, min(float(amount), 1))


def _key(card, y, words):
    """What a cell means, behind three cells from 0 to dark."""
    for i, amount in enumerate((0, 0.5, 1)):
        card.rectangle(2 + 1.8 * i, y, 1.8, 1.8, _fill(amount), LINE, 0.6, zorder=2)
    card.text(8.4, y + 0.9, words, 10, QUIET, ha="left")


def amounts(
    right,
    wrong,
    row_names=(),
    column_names=(),
    columns="",
    marked=None,
    bad=None,
    key="",
    title="",
):
    """Amounts 0 … 1 as cells (rows, columns), in the right version and in the wrong one: the larger,
    the more purple.

    `columns` says what runs across; `marked` is a (row, column) with a frame. `bad` is a frame in the
    wrong version: its first row and column, those behind its last, and the words below it. `key` says
    what a cell means.
    """
    right, wrong = (panel[0] for panel in _both(right, wrong))
    high, wide = right.shape
    start = 9.5 if len(row_names) else 2
    half = _room(start)
    side = min(half / wide, 3.2)
    top = 4.4 + (2.4 if len(column_names) else 0) + (2.4 if columns else 0)
    bottom = top + high * side + (3.6 if bad else 1.6)
    card, lefts = _card(bottom + (3.4 if key else 0), title), (start, start + half + GAP)
    _headings(card, lefts)
    if bad:
        first, left, last, behind, words = bad
        x, y = lefts[1] + left * side, top + first * side
        wide_high = ((behind - left) * side, (last - first) * side)
        card.rectangle(x, y, *wide_high, "none", WRONG, 2.4, zorder=4)
        card.text(lefts[1], top + high * side + 1.6, words, 10, dark(WRONG), ha="left")
    for i, name in enumerate(row_names):
        card.text(start - 0.8, top + (i + 0.5) * side, name, 10, QUIET, ha="right")
    for version, left in zip((right, wrong), lefts, strict=True):
        if columns:
            card.text(left, 5.2, columns, 10, QUIET, ha="left")
        for j, name in enumerate(column_names):
            card.text(left + (j + 0.5) * side, top - 1.2, str(name), 10, QUIET)
        for (i, j), amount in np.ndenumerate(version):
            x, y = left + j * side, top + i * side
            card.rectangle(x, y, side, side, _fill(amount), LINE, 0.6, zorder=2)
        if marked is not None:
            x, y = left + marked[1] * side, top + marked[0] * side
            card.rectangle(x, y, side, side, "none", INK, 2.4, zorder=4)
    if key:
        _key(card, bottom, key)
    touched = [int((version > 1e-6).sum()) for version in (right, wrong)]
    show(
        f"two grids of {high} × {wide} cells, the more purple the larger: {touched[0]} cells are "
        f"coloured in the right version, {touched[1]} in the wrong one",
        title,
    )


def weights_of_blocks(versions, title=""):
    """The weights of a model's blocks, a row for each version {name: (weights, words)}, the right
    one first: a whole number for each block, or None where nothing finds its weights.

    Blocks with one number have the same weights, and one colour; one without is empty. A cross is
    on each block whose weights are another's than in the first row. The words stand at the end.
    """
    right, _ = next(iter(versions.values()))
    side, start = 4.6, 19
    card, said = _card(6 + 5.6 * len(versions), title), []
    words = "the number says which weights a block has; empty: none found; a cross: not its own"
    card.text(2, 2.2, words, 10, QUIET, ha="left")
    for row, (name, (weights, words)) in enumerate(versions.items()):
        y = 4.4 + 5.6 * row
        colour = dark(WRONG if row else RIGHT)
        card.text(2, y + side / 2, name, 11, colour, ha="left", weight="bold")
        for column, weight in enumerate(weights):
            x, known = start + column * side, weight is not None
            fill = OWNERS[weight] if known else "white"
            card.rectangle(x, y, side, side, fill, LINE, 0.8, zorder=2)
            wrong = known and weight != right[column]
            if wrong:
                _cross(card, x + side / 2 + 1, y + side / 2, 0.7 * side)
            if known:
                card.text(x + side / 2 - (1 if wrong else 0), y + side / 2, str(weight), 11)
        card.text(start + len(right) * side + 1.4, y + side / 2, words, 11, colour, ha="left")
        found = [weight for weight in weights if weight is not None]
        said.append(f"{name}: {len(set(found))} weights in {len(weights)} blocks, {words}")
    show("a row of blocks for each version, coloured by the weights that they have", title, said)


def shares(right, wrong, answer, columns="", title=""):
    """The shares (classes,) that two versions of a model give to the classes, as bars; the one of
    the class `answer` is dark, and its loss stands below. `columns` says what runs across.
    """
    versions = [as_array(version) for version in (right, wrong)]
    high, top, half = 8.0, 6.4, _room(2)
    step, bottom, said = half / len(versions[0]), top + high, []
    card, lefts = _card(bottom + 6, title), (2, 2 + half + GAP)
    _headings(card, lefts)
    for version, left, colour in zip(versions, lefts, (RIGHT, WRONG), strict=True):
        for i, share in enumerate(version):
            x, height = left + (i + 0.1) * step, high * float(share)
            fill = INK if i == answer else "#BBBBBB"
            card.rectangle(x, bottom - height, 0.8 * step, height, fill, zorder=2)
        card.line((left, bottom), (left + half, bottom))
        words = f"{version[answer]:.0%}".replace("%", " %")
        x, y = left + (answer + 0.5) * step, bottom - high * float(version[answer])
        card.text(x, y - 1.2, words, 10, dark(colour))
        loss = f"loss {abs(np.log(version[answer])):.2f}"
        card.text(left, bottom + 1.8, columns, 10, QUIET, ha="left")
        card.text(left, bottom + 4.2, loss, 11, dark(colour), ha="left", weight="bold")
        said.append(f"the right class gets {words}, {loss}")
    show(f"two rows of {len(versions[0])} bars, a bar for each class", title, said)
