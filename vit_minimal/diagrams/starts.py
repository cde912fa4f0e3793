"""What a start costs after training, and what each sign says of it before."""

from ..plots import show
from .card import INK, LINE, MLP, QUIET, Card, tint

GROUPS = {True: "costly", None: "not settled", False: "harmless"}
RIGHT, WRONG, NEITHER = tint(MLP, 0.22), tint(INK, 0.25), "white"


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
