"""The forest plots: a row for each effect or comparison, its mark where its number says."""

import math

import matplotlib.pyplot as plt
import pytest

from vit_minimal.forest import (
    EFFECT_STYLES,
    in_words,
    judge,
    show_claims,
    show_effects,
)


def marks(axis):
    """{row: (number, ends of the interval or None, colour)}"""
    found = {}
    for container in axis.containers:
        line, _, bars = container.lines
        segments = bars[0].get_segments() if bars else []
        ends = tuple(segments[0][:, 0]) if segments else None
        found[line.get_ydata()[0]] = (line.get_xdata()[0], ends, line.get_color())
    return found


def test_effects_stand_between_their_names_and_their_numbers_black_where_one_is_seen(
    monkeypatch,
):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    show_effects({"a": ("x[:, 1]", -1.8, 0.8), "b": ("a mean", 0.1, 0.8)}, "points", "a title")
    axis = plt.gcf().axes[0]
    found = marks(axis)
    assert {row: mark[0] for row, mark in found.items()} == {0: -1.8, 1: 0.1}
    seen, unseen = (style["color"] for style in EFFECT_STYLES.values())
    assert [mark[2] for mark in found.values()] == [seen, unseen]
    words = [text.get_text() for text in axis.texts]
    assert words == ["a", "x[:, 1]", "−1.8 ± 0.8", "b", "a mean", "+0.1 ± 0.8"]
    boxes = [text.get_window_extent() for text in axis.texts]
    marks_from, marks_to = axis.get_window_extent().intervalx
    for name, what, number in (boxes[:3], boxes[3:]):
        assert what.y1 < name.y0, "the words below the name"
        assert min(name.x0, what.x0) >= 0 and name.x1 == what.x1 < marks_from
        assert marks_to < number.x0 and number.x1 <= plt.gcf().bbox.x1
    assert boxes[2].x1 == boxes[5].x1, "the numbers end at one place"
    low, high = axis.get_xlim()
    assert low <= -2.6 < 0.9 <= high and high - low < 4
    legend = [text.get_text() for text in plt.gcf().legends[0].get_texts()]
    assert legend == ["effect seen", "no effect seen"]
    plt.close("all")


def test_a_heading_among_effects_has_no_mark(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    show_effects({"after 3 passes": None, "a": ("a mean", 1.9, 0.7)}, "points")
    axis = plt.gcf().axes[0]
    assert {row: mark[0] for row, mark in marks(axis).items()} == {1: 1.9}
    words = [text.get_text() for text in axis.texts]
    assert words == ["after 3 passes", "a", "a mean", "+1.9 ± 0.7"]
    plt.close("all")


def test_zero_is_in_the_picture_where_all_effects_lie_on_one_side(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    for side in (-1, 1):
        show_effects({"one": ("w", 8.0 * side, 0.5), "two": ("w", 4.0 * side, 0.5)}, "x")
        axis = plt.gcf().axes[0]
        low, high = axis.get_xlim()
        assert low < 0 < high and 0 in axis.get_xticks()
        plt.close("all")


def test_claims_show_what_was_compared_what_was_predicted_and_what_is_off_the_scale(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    claims = {
        "1 · It helps": ("holds", [("with − without", 2.0, 0.5), ("far away", 80.0, None)]),
        "2 · It is alike": ("fails", [("one − the other", -3.0, 1.0, "0")]),
        "3 · It is so": ("holds", []),
        "4 · It differs": ("open", [("less", 0.2, 0.5, "< 0"), ("either way", 3.0, 0.5, "not 0")]),
    }
    show_claims(claims, ("holds", "fails", "open"), (-5, 10), 2)
    axis = plt.gcf().axes[0]
    assert [mark[:2] for mark in marks(axis).values()] == [
        (2.0, (1.5, 2.5)),
        (-3.0, (-4.0, -2.0)),
        (0.2, (-0.3, 0.7)),
        (3.0, (2.5, 3.5)),
    ]
    assert [line.get_xdata()[0] for line in axis.lines if line.get_marker() == ">"] == [10]
    pale = [tuple(b.get_datalim(axis.transData).intervalx) for b in axis.collections
            if b.get_zorder() == 0]  # fmt: skip
    predicted = [(2, 10), (2, 10), (-2, 2), (-5, -2), (-5, -2), (2, 10)]
    assert pale == [pytest.approx(ends) for ends in predicted]
    words = [text.get_text() for text in axis.texts]
    assert words[1:7] == [
        "with − without",
        "✓",
        "+2.0 ± 0.5: ahead",
        "far away",
        "✓",
        "+80.0: ahead",
    ]
    assert {"−3.0 ± 1.0: behind", "+0.2 ± 0.5: not behind", "+3.0 ± 0.5: ahead"} <= set(words)
    assert {text.get_text() for text in axis.get_legend().get_texts()} == {"holds", "fails", "open"}
    plt.close("all")


def test_an_interval_that_leaves_the_scale_is_drawn_as_far_as_it_is_on_it(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    compared = [("wide", 20.0, 60.0, "not 0"), ("to one side", 12.0, 6.0), ("far", 80.0, 1.0)]
    show_claims({"It is so": ("open", compared)}, ("open",), (-5, 10), 1)
    axis = plt.gcf().axes[0]
    arrows = [line for line in axis.lines if line.get_marker() in ("<", ">")]
    ends = [(line.get_marker(), line.get_xdata()[0]) for line in arrows]
    assert ends == [("<", -5), (">", 10), (">", 10), (">", 10)]
    bars = [tuple(line.get_xdata()) for line in axis.lines if line.get_color() == "0.25"]
    assert [bar for bar in bars if len(bar) == 2] == [(-5, 10), (6.0, 10), (10, 10)]
    pale = [b.get_datalim(axis.transData).intervalx for b in axis.collections]
    assert [(low < 0, high > 0) for low, high in pale] == [(True, False)] + 3 * [(False, True)]
    plt.close("all")


WORDS = {  # (number, half the interval, what is asked): where one point or more counts
    (1.9, 0.7, None): "ahead",
    (1.26, 0.73, "ahead"): "ahead",
    (1.0, 0.5, None): "ahead",
    (0.9, 0.5, None): "not settled",
    (0.9, 0.5, "ahead"): "not settled",
    (0.5, 0.4, None): "neither",
    (0.5, 0.4, "ahead"): "not ahead",
    (0.8, 0.8, "ahead"): "not settled",
    (-0.8, 0.8, "ahead"): "not ahead",
    (0.8, 0.8, "behind"): "not behind",
    (-0.8, 0.8, None): "not settled",
    (0.1, 0.7, None): "neither",
    (-1.9, 0.7, None): "behind",
    (-1.9, 0.7, "ahead"): "not ahead",
    (-5.0, 6.0, "ahead"): "not settled",
}


@pytest.mark.parametrize(("difference", "word"), WORDS.items())
def test_a_difference_is_ahead_or_not_or_not_settled(difference, word):
    number, width, asked = difference
    assert in_words(number, width, 1, asked) == word
    turned = {"ahead": "behind", "behind": "ahead"}
    other = " ".join(turned.get(part, part) for part in word.split(" "))
    assert in_words(-number, width, 1, turned.get(asked)) == other, "B − A says the same"


def test_effects_say_in_words_what_they_are_where_an_effect_has_to_reach_a_size(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    effects = {
        "a": ("", 1.9, 0.7, "ahead"),
        "b": ("words", -0.8, 0.8, "ahead"),
        "c": ("", 0.9, 0.2),
    }
    show_effects(effects, "points", counts=1)
    axis = plt.gcf().axes[0]
    words = [text.get_text() for text in axis.texts]
    assert [word for word in words if word in WORDS.values()] == [
        "ahead",
        "not ahead",
        "not settled",
    ]
    seen, unseen = (style["color"] for style in EFFECT_STYLES.values())
    assert [mark[2] for mark in marks(axis).values()] == [seen, unseen, unseen]
    (zone,) = axis.patches
    assert (zone.get_x(), zone.get_width()) == (-1, 2)
    plt.close("all")


def test_claims_say_how_each_comparison_came_out_if_an_effect_has_to_reach_a_size(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    expected = {
        ("seen", 2.0, 0.5): ("✓", "+2.0 ± 0.5: ahead"),
        ("the other way", -3.0, 1.0): ("✗", "−3.0 ± 1.0: not ahead"),
        ("not the other way", 0.8, 0.8, "< 0"): ("✗", "+0.8 ± 0.8: not behind"),
        ("behind", -2.0, 0.8, "< 0"): ("✓", "−2.0 ± 0.8: behind"),
        ("exact", 0.0, None): ("✗", "0.0: not ahead"),
        ("nobody can say", 0.9, math.inf): ("?", "+0.9: not settled"),
        ("alike", 0.1, 0.8, "0"): ("✓", "+0.1 ± 0.8: neither"),
        ("not alike", 5.0, 1.0, "0"): ("✗", "+5.0 ± 1.0: ahead"),
        ("different", -5.0, 1.0, "not 0"): ("✓", "−5.0 ± 1.0: behind"),
        ("perhaps different", -0.5, 0.8, "not 0"): ("?", "−0.5 ± 0.8: not settled"),
        ("no lead", 0.2, 0.5, "not > 0"): ("✓", "+0.2 ± 0.5: not ahead"),
        ("a lead", 3.0, 0.5, "not > 0"): ("✗", "+3.0 ± 0.5: ahead"),
    }
    show_claims({"It is so": ("open", list(expected))}, ("open",), (-5, 10), counts=1)
    axis = plt.gcf().axes[0]
    words = [text.get_text() for text in axis.texts]
    assert list(zip(words[2::3], words[3::3], strict=True)) == list(expected.values())
    for (_, number, width, *should), (sign, found) in expected.items():
        answer = found.split(": ")[1]
        assert judge(number, width or 0, 1, *should or ["> 0"]) == (answer, sign)
    pale = [tuple(b.get_datalim(axis.transData).intervalx) for b in axis.collections
            if b.get_zorder() == 0]  # fmt: skip
    assert [pale[0], pale[2], pale[6], *pale[8:10], pale[-1]] == [
        (1, 10),
        (-5, -1),
        (-1, 1),
        (-5, -1),
        (1, 10),
        (-5, 1),
    ]
    plt.close("all")


def test_asked_for_a_or_b_the_answers_are_the_same_on_both_sides():
    found = {(1.9, 0.7): "A better", (-1.9, 0.7): "B better", (0.2, 0.7): "alike"}
    # Small, but the interval leaves out 0; and so small that all of it does not count
    found |= {(0.9, 0.8): "A better", (-0.8, 0.7): "B better"}
    found |= {(0.3, 0.2): "alike", (-0.3, 0.2): "alike"}
    found |= {(number, 1.0): "not settled" for number in (0.9, -0.9, 0.3, -0.3)}
    assert {of: in_words(*of, 1, "A or B") for of in found} == found
    assert judge(1.9, 0.7, 1, "A better") == ("A better", "✓")
    assert judge(-1.9, 0.7, 1, "A better") == ("B better", "✗")
    assert judge(-1.9, 0.7, 1, "B better") == ("B better", "✓")
    assert judge(0.2, 0.7, 1, "A better") == ("alike", "✗")
    assert judge(6.7, 0.9, 1, "alike") == ("A better", "✗")
    assert judge(0.9, 1.0, 1, "alike") == ("not settled", "?")


def test_an_effect_beyond_the_scale_is_an_arrow_and_a_line_says_what_the_marks_mean(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    effects = {"far": ("", -58.9, 0.3, "A or B"), "near": ("", 1.3, 0.7, "A or B")}
    show_effects(effects, "points", counts=1, scale=(-4, 4))
    axis = plt.gcf().axes[0]
    (arrow,) = (line for line in axis.lines if line.get_marker() == "<")
    assert (*arrow.get_xdata(), *arrow.get_ydata()) == (-4, 0)
    assert list(marks(axis)) == [1], "the other has its interval"
    assert axis.get_xlim()[0] > -6
    (key,) = plt.gcf().legends
    words = [text.get_text() for text in key.get_texts()]
    assert words == ["one is better", "alike or not settled", "under 1 point"]
    plt.close("all")
