"""Forest plots: many effects with their intervals in one picture, a row for each."""

import math

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from .plots import show

# A verdict of `in_words`: its mark. Filled where one of two is ahead, up or down; else hollow and grey
_FILLED = {"color": "black", "markersize": 7, "linestyle": "none"}
_HOLLOW = {"color": "#767676", "markerfacecolor": "white", "linestyle": "none"}
EFFECT_STYLES = {
    "better": _FILLED | {"marker": "^"},
    "worse": _FILLED | {"marker": "v"},
    "alike": _HOLLOW | {"marker": "D"},
    "not settled": _HOLLOW | {"marker": "o", "markersize": 7},
}

BETTER_OR_WORSE = "better", "worse"


def in_words(number, width, counts):
    """What a difference A − B ± width says of A, where only `counts` points or more count.

    The two are "alike" if all of the interval is smaller than that; else A is one of
    BETTER_OR_WORSE, if the interval leaves out 0, however small the difference; else that is "not
    settled".
    """
    low, high = number - width, number + width
    if -counts < low and high < counts:
        return "alike"
    if low > 0 or high < 0:
        return BETTER_OR_WORSE[high < 0]
    return "not settled"


def show_effects(effects, x_label, title="", counts=1, scale=(-math.inf, math.inf), reach=0):
    """Effects {name: (words, number, half its 95 % interval)}, the first on top.

    A row is a line of three columns: the name with the words below it, the mark, and the number, below
    which stands what it says `in_words`. Each of these verdicts has its mark, and the zone of effects
    of less than `counts` points is grey. A line below the picture explains those that are in it. A
    number beyond the ends of `scale` has its mark at that end, with an arrow that points on. With a
    `reach` the axis goes at least from −reach to reach, so that several pictures share a scale.
    """
    said, (low, high) = [], scale
    # In points, for the numbers: they end at one place
    room = 6.5 * max(
        len(f"{_signed(number)} ± {width:.1f}") for _, number, width in effects.values()
    )
    figure, axis = plt.subplots(figsize=(5.6, 1.5 + 0.4 * len(effects)), layout="constrained")
    verdicts = set()
    for row, (name, (words, number, width)) in enumerate(effects.items()):
        place = {"xycoords": axis.get_yaxis_transform(), "textcoords": "offset points"}
        place |= {"ha": "right", "va": "center"}
        shown, verdict = f"{_signed(number)} ± {width:.1f}", in_words(number, width, counts)
        style = EFFECT_STYLES[verdict]
        verdicts.add(verdict)
        if low <= number <= high:
            axis.errorbar(number, row, xerr=width, capsize=3, **style)
        else:
            edge, way = (high, 1) if number > high else (low, -1)
            axis.plot(edge, row, **style)
            axis.annotate("", (edge, row), xytext=(15 * way, 0), textcoords="offset points",
                          arrowprops={"arrowstyle": "<-", "color": style["color"], "shrinkA": 0},
                          annotation_clip=False)  # fmt: skip
        said.append(f"{name} ({verdict}): {shown}")
        axis.annotate(name, (0, row), xytext=(-8, 7 if words else 0), weight="bold", **place)
        axis.annotate(words, (0, row), xytext=(-8, -7), fontsize=9, **place)
        axis.annotate(shown, (1, row), xytext=(8 + room, 7), **place)
        axis.annotate(verdict, (1, row), xytext=(8 + room, -7), fontsize=9, **place)
    # All of the zone is in the picture: the limits of the axis reach as far
    zone = axis.axvspan(-counts, counts, color="0.9", linewidth=0, zorder=-1)
    low, high = axis.get_xlim()
    axis.set_xlim(min(low, -1.1 * reach), max(high, 1.1 * reach))
    _scale(axis, (len(effects) - 0.4, -0.6), x_label, ticks=4)
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(title)
    shown = {word: style for word, style in EFFECT_STYLES.items() if word in verdicts}
    marks = [axis.plot([], [], **style)[0] for style in shown.values()]
    figure.legend([*marks, zone], [*shown, f"under {counts} point"],
                  loc="outside lower center", ncols=5, fontsize=9, handlelength=1.2,
                  handletextpad=0.4, columnspacing=1.2, frameon=False)  # fmt: skip
    show(f"{x_label}, a row for each effect", title, said)


def _signed(number):
    """One decimal with its sign, which 0.0 does not have."""
    shown = f"{number:+z.1f}".replace("-", "\N{MINUS SIGN}")
    return "0.0" if shown == "+0.0" else shown


def _scale(axis, rows, x_label, ticks):
    """The line at 0, which is in the picture, and the first row on top."""
    low, high = axis.get_xlim()
    margin = 0.05 * (high - low)
    low, high = min(low, -margin), max(high, margin)  # the line is in the picture, and its 0
    axis.axvline(0, color="gray", linewidth=1, zorder=0)
    axis.set_xlim(low, high)
    axis.xaxis.set_major_locator(MaxNLocator(ticks, steps=(1, 2, 5, 10)))
    axis.set_xticks([tick for tick in axis.get_xticks() if low <= tick <= high])
    axis.set(xlim=(low, high), ylim=rows, yticks=[], xlabel=x_label)
    axis.spines[["left", "top", "right"]].set_visible(False)
