"""Forest plots: many effects with their intervals in one picture, a row for each."""

import math
import textwrap

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from .plots import curve_style, show

EFFECT_STYLES = {
    "effect seen": {"color": "black", "marker": "o", "linestyle": "none"},
    "no effect seen": {
        "color": "#767676",
        "marker": "D",
        "markerfacecolor": "white",
        "linestyle": "none",
    },
}

BETTER = "A better", "B better"
AS_SAID = {  # what a sentence may say of A − B: (what is asked, the answers that agree with it)
    "> 0": ("ahead", ("ahead",)),
    "not > 0": ("ahead", ("not ahead",)),
    "< 0": ("behind", ("behind",)),
    "0": (None, ("neither",)),
    "not 0": (None, ("ahead", "behind")),
    "A better": ("A or B", ("A better",)),
    "B better": ("A or B", ("B better",)),
    "alike": ("A or B", ("alike",)),
}
SIGNS = {"✓": "as said", "✗": "not as said", "?": "open"}


def in_words(number, width, counts, asked=None):
    """What a difference A − B ± width says, where only `counts` points or more count: A is "ahead" or
    "behind", "neither" is ahead, or that is "not settled". Who has `asked` only whether A is "ahead"
    hears "ahead", "not ahead" or "not settled", and likewise with "behind". Who has asked for "A or B"
    hears that they are "alike" if all of the interval is smaller than what counts; else which of the
    two is better, "A better" or "B better", if it leaves out 0, however small the difference.
    """
    low, high = number - width, number + width
    neither = -counts < low and high < counts
    ahead, behind = low > 0 and number >= counts, high < 0 and number <= -counts
    if asked == "A or B":
        answers = {"alike": neither, "A better": low > 0, "B better": high < 0}
    elif asked == "ahead":
        answers = {"ahead": ahead, "not ahead": high < counts}
    elif asked == "behind":
        answers = {"behind": behind, "not behind": low > -counts}
    else:
        answers = {"ahead": ahead, "behind": behind, "neither": neither}
    return next((answer for answer, said in answers.items() if said), "not settled")


def judge(number, width, counts, should):
    """What a difference says `in_words`, and one of SIGNS: did the sentence say so, by AS_SAID?"""
    asked, agree = AS_SAID[should]
    words = in_words(number, width, counts, asked)
    return words, "?" if words == "not settled" else "✓" if words in agree else "✗"


def show_effects(effects, x_label, title="", counts=None, scale=(-math.inf, math.inf)):
    """Effects {name: (words, number, half its 95 % interval)}, the first on top.

    A row is a line of three columns: the name with the words below it, the mark, and the number. A
    mark is black where the interval does not reach 0, else grey and hollow. Where None stands for an
    effect, its name is the heading of those below. If only effects of `counts` points or more count,
    the zone of the smaller ones is grey, and below a number stands what it says `in_words`, to which
    a fourth entry of an effect goes as what is asked; a mark is then black if one side is ahead, and
    a line below the picture says so. A number beyond the ends of `scale` is an arrow there.
    """
    said, several, (low, high) = [], [of for of in effects.values() if of is not None], scale
    # In points, for the numbers: they end at one place
    room = 6.5 * max(len(f"{_signed(number)} ± {width:.1f}") for _, number, width, *_ in several)
    height = (0.4 if counts else 0.46) * len(effects)
    figure, axis = plt.subplots(figsize=(5.6, (1.5 if counts else 1.2) + height),
                                layout="constrained")  # fmt: skip
    for row, (name, of) in enumerate(effects.items()):
        place = {"xycoords": axis.get_yaxis_transform(), "textcoords": "offset points"}
        place |= {"ha": "right", "va": "center"}
        if of is None:
            axis.axhline(row + 0.35, color="lightgray", linewidth=1, zorder=0)
            axis.annotate(name, (0, row), xytext=(-8, -2), style="italic", **place)
            said.append(name)
            continue
        words, number, width, *asked = of
        shown = f"{_signed(number)} ± {width:.1f}"
        label = "effect seen" if abs(number) > width else "no effect seen"
        style, verdict = EFFECT_STYLES[label], label
        if counts:
            verdict = in_words(number, width, counts, *asked)
            seen = verdict in ("ahead", "behind", *BETTER)
            style = EFFECT_STYLES["effect seen" if seen else "no effect seen"]
            axis.annotate(verdict, (1, row), xytext=(8 + room, -7), fontsize=9, **place)
        if low <= number <= high:
            axis.errorbar(number, row, xerr=width, capsize=3, **style)
        else:
            edge, way = (high, ">") if number > high else (low, "<")
            axis.plot(edge, row, **style | {"marker": way})
        said.append(f"{name} ({verdict}): {shown}")
        axis.annotate(name, (0, row), xytext=(-8, 7 if words else 0), weight="bold", **place)
        axis.annotate(words, (0, row), xytext=(-8, -7), fontsize=9, **place)
        axis.annotate(shown, (1, row), xytext=(8 + room, 7 if counts else 0), **place)
    if counts:  # the zone widens the picture
        zone = axis.axvspan(-counts, counts, color="0.9", linewidth=0, zorder=-1)
    _scale(axis, (len(effects) - 0.4, -0.6), x_label, ticks=4)
    axis.grid(axis="x", alpha=0.3)
    if counts:
        axis.set_title(title)
        marks = [axis.plot([], [], **style)[0] for style in EFFECT_STYLES.values()]
        key = ["one is better", "alike or not settled", f"under {counts} point"]
        figure.legend([*marks, zone], key, loc="outside lower center", ncols=3, fontsize=9,
                      handletextpad=0.4, columnspacing=1.2, frameon=False)  # fmt: skip
    else:
        for label, style in EFFECT_STYLES.items():
            if any(f"({label})" in words for words in said):
                axis.plot([], [], label=label, **style)
        figure.legend(loc="outside upper center", ncols=2, title=title, frameon=False)
    show(f"{x_label}, a row for each effect", title, said)


def show_claims(claims, verdicts, scale, counts):
    """Sentences {sentence: (verdict, comparisons)}, and below each the comparisons that test it.

    A comparison is (words, number, half its 95 % interval or None; infinite: nobody can say, and no
    interval is drawn). Behind them stands what the sentence says of it, one of AS_SAID, if that is not
    "> 0"; `counts` is the smallest effect that counts. A comparison takes two lines: the words, and
    below them a sign (✓ if it came out as the sentence says, ✗ if not, ? if that is open) and the number
    with what it says `in_words`. Where the mark should be if the sentence is true, the picture is pale.
    `scale` are the ends of the axis: a number beyond them is an arrow there, with what its interval has
    on the axis. `verdicts` names all there are, so that each keeps its colour and mark from figure to
    figure.
    """
    _, axis = plt.subplots(figsize=(5, 1), layout="constrained")
    low, high = scale
    pale = {"> 0": [(counts, high)], "< 0": [(low, -counts)], "0": [(-counts, counts)]}
    pale |= {"not 0": [(low, -counts), (counts, high)], "not > 0": [(low, counts)]}
    pale |= {"A better": pale["> 0"], "B better": pale["< 0"], "alike": pale["0"]}
    row, said = 0, []
    beside = {"transform": axis.get_yaxis_transform(), "va": "center", "zorder": 3}
    beside["in_layout"] = False  # a long sentence does not narrow the picture
    for sentence, (verdict, comparisons) in claims.items():
        style = curve_style(verdicts.index(verdict)) | {"linestyle": "none"}
        axis.plot(0.02, row, transform=axis.get_yaxis_transform(), markersize=9, **style)
        for line in textwrap.wrap(sentence, 44):
            axis.text(0.06, row, line, color=style["color"], weight="bold", **beside)
            row += 1
        said.append(f"{sentence}: {verdict}")
        for words, number, width, *predicted in comparisons:
            middle = row + 0.35
            should = predicted[0] if predicted else "> 0"
            for part in pale[should]:
                axis.fill_betweenx(
                    (middle - 0.65, middle + 0.65), *part, color="#cfe3f5", linewidth=0, zorder=0
                )
            mark = {"color": "0.25", "markersize": 5, "zorder": 4}
            known = width if width and math.isfinite(width) else 0
            if low <= number <= high:
                axis.errorbar(number, middle, xerr=known or None, capsize=3, fmt="o", **mark)
            else:
                ends = number - known, number + known
                seen = [min(max(end, low), high) for end in ends]
                axis.plot(seen, (middle, middle), color=mark["color"], zorder=4)
                for edge, way, beyond in ((low, "<", ends[0] < low), (high, ">", ends[1] > high)):
                    if beyond:
                        axis.plot(edge, middle, way, clip_on=False, **mark)
            found = _signed(number) + (f" ± {known:.1f}" if known else "")
            answer, sign = judge(number, width or 0, counts, should)
            axis.text(0.06, row, words, fontsize=9, **beside)
            axis.text(0.06, row + 0.7, sign, weight="bold", **beside)
            axis.text(0.1, row + 0.7, f"{found}: {answer}", fontsize=9, **beside)
            said.append(f"{words}: {found}: {answer}, {SIGNS[sign]}")
            row += 1.55
        row += 0.45
    for index, verdict in enumerate(verdicts):
        style = curve_style(index) | {"linestyle": "none", "markersize": 9}
        if any(verdict == of for of, _ in claims.values()):
            axis.plot([], [], label=verdict, **style)
    said_of_pale = "points; pale: where the mark should be if the sentence is true"
    _scale(axis, (row - 0.8, -0.8), said_of_pale, ticks=5)
    axis.set_xlabel(axis.get_xlabel(), loc="right")
    axis.set_xlim(low - 2 * (high - low), high + 0.03 * (high - low))
    axis.set_xticks([tick for tick in axis.get_xticks() if low <= tick <= high])
    axis.figure.set_figheight(1.2 + 0.23 * row)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, columnspacing=0.8,
                handletextpad=0, frameon=False)  # fmt: skip
    show("sentences with their verdicts and the comparisons behind them", "claims", said)


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
