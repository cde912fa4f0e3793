"""A forest plot: many effects with their intervals in one picture, a row for each."""

import math

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from .plots import curve_style, show


def show_forest(effects, x_label, title="", groups=()):
    """Effects {name: (group, words, number, half its 95 % interval)}, the first on top.

    Each row has its name, below it the words and the number, and at the right the mark with its
    interval. Groups differ in colour and marker; `groups` names some that come first, so that they
    keep theirs from figure to figure. Where the number is None, the words stand alone;
    where the interval is infinite or None, the mark has none.
    ValueError if there is no number at all.
    """
    numbers = [number for *_, number, _ in effects.values() if number is not None]
    if not numbers:
        raise ValueError("a forest plot needs at least one effect with a number")
    used = {group for group, *_ in effects.values()}
    groups = list(dict.fromkeys([*groups, *(group for group, *_ in effects.values())]))
    said = []
    _, axis = plt.subplots(figsize=(5.6, 1.7 + 0.48 * len(effects)), layout="constrained")
    for row, (name, (group, words, number, width)) in enumerate(effects.items()):
        style = curve_style(groups.index(group)) | {"linestyle": "none"}
        if number is not None:
            known = width is not None and math.isfinite(width)
            axis.errorbar(number, row, xerr=width if known else None, capsize=3, **style)
            shown = f"{number:+.1f}".replace("-", "\N{MINUS SIGN}")
            words += f": {shown}" + (f" ± {width:.1f}" if known else "")
        said.append(f"{name} ({group}): {words}")
        paper = {
            "facecolor": axis.get_facecolor(),
            "edgecolor": "none",
            "pad": 1,
        }  # over the 0 line
        place = {"transform": axis.get_yaxis_transform(), "va": "center", "zorder": 3}
        axis.text(0.01, row - 0.45, name, weight="bold", color=style["color"], bbox=paper, **place)
        axis.text(0.01, row, words, fontsize=9, **place)
    for index, group in enumerate(groups):  # also of a group whose effects have no number
        if group in used:
            axis.plot([], [], label=group, **curve_style(index) | {"linestyle": "none"})
    low, high = axis.get_xlim()
    axis.axvline(0, color="gray", linewidth=1, zorder=0)
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    axis.set_xticks([tick for tick in axis.get_xticks() if low <= tick <= high])
    # The left half is for the words
    axis.set(xlim=(2 * low - high, high), ylim=(len(effects) - 0.4, -0.9), yticks=[])
    axis.set_xlabel(x_label)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, title=title, frameon=False)
    axis.spines[["left", "top", "right"]].set_visible(False)
    show(f"{x_label}, a row for each effect", title, said)
