"""The forest plots: a row for each effect, its mark where its number says."""

import matplotlib.pyplot as plt
import pytest

from vit_minimal.forest import EFFECT_STYLES, in_words, show_effects


def marks(axis):
    """{row: (number, ends of the interval or None, colour, shape)}"""
    found = {}
    for container in axis.containers:
        line, _, bars = container.lines
        segments = bars[0].get_segments() if bars else []
        ends = tuple(segments[0][:, 0]) if segments else None
        style = line.get_color(), line.get_marker()
        found[line.get_ydata()[0]] = (line.get_xdata()[0], ends, *style)
    return found


def style_of(verdict):
    return EFFECT_STYLES[verdict]["color"], EFFECT_STYLES[verdict]["marker"]


def test_effects_stand_between_their_names_and_their_numbers_with_the_mark_of_their_verdict(
    monkeypatch,
):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    show_effects({"a": ("x[:, 1]", -1.8, 0.8), "b": ("a mean", 0.1, 0.8)}, "points", "a title")
    axis = plt.gcf().axes[0]
    found = marks(axis)
    assert {row: mark[0] for row, mark in found.items()} == {0: -1.8, 1: 0.1}
    assert [mark[2:] for mark in found.values()] == [style_of("worse"), style_of("alike")]
    assert style_of("worse")[0] == "black" != style_of("alike")[0]
    words = [text.get_text() for text in axis.texts]
    assert words[:4] == ["a", "x[:, 1]", "−1.8 ± 0.8", "worse"]
    assert words[4:] == ["b", "a mean", "+0.1 ± 0.8", "alike"]
    boxes = [text.get_window_extent() for text in axis.texts]
    marks_from, marks_to = axis.get_window_extent().intervalx
    for name, what, number, verdict in (boxes[:4], boxes[4:]):
        assert what.y1 < name.y0, "the words below the name"
        assert verdict.y1 < number.y0, "the verdict below the number"
        assert verdict.x1 == number.x1
        assert min(name.x0, what.x0) >= 0 and name.x1 == what.x1 < marks_from
        assert marks_to < number.x0 and number.x1 <= plt.gcf().bbox.x1
    assert boxes[2].x1 == boxes[6].x1, "the numbers end at one place"
    low, high = axis.get_xlim()
    assert low <= -2.6 < 0.9 <= high and high - low < 4
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


WORDS = {  # (number, half the interval): where one point or more counts
    (1.9, 0.7): "better",
    (-1.9, 0.7): "worse",
    (0.2, 0.7): "alike",
    # Small, but the interval leaves out 0; and so small that all of it does not count
    (0.9, 0.8): "better",
    (-0.8, 0.7): "worse",
    (0.3, 0.2): "alike",
    (-0.3, 0.2): "alike",
} | dict.fromkeys([(number, 1.0) for number in (0.9, -0.9, 0.3, -0.3)] + [(-5, 6)], "not settled")


@pytest.mark.parametrize(("difference", "word"), WORDS.items())
def test_two_are_alike_or_one_is_better_or_that_is_not_settled(difference, word):
    number, width = difference
    assert in_words(number, width, 1) == word
    turned = {"better": "worse", "worse": "better"}
    assert in_words(-number, width, 1) == turned.get(word, word), "B − A says the same"


def test_effects_say_in_words_what_they_are_where_an_effect_has_to_reach_a_size(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    effects = {"a": ("", 1.9, 0.7), "b": ("words", 0.8, 0.8), "c": ("", 0.1, 0.2)}
    show_effects(effects, "points", counts=1)
    axis = plt.gcf().axes[0]
    words = [text.get_text() for text in axis.texts]
    assert [word for word in words if word in WORDS.values()] == [
        "better",
        "not settled",
        "alike",
    ]
    said = [style_of(word) for word in ("better", "not settled", "alike")]
    assert [mark[2:] for mark in marks(axis).values()] == said
    (zone,) = axis.patches
    assert (zone.get_x(), zone.get_width()) == (-1, 2)
    plt.close("all")


def test_an_effect_beyond_the_scale_is_an_arrow_and_a_line_says_what_the_marks_mean(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    effects = {"far": ("", -58.9, 0.3), "near": ("", 1.3, 0.7)}
    show_effects(effects, "points", counts=1, scale=(-4, 4))
    axis = plt.gcf().axes[0]
    (mark,) = (of for of in axis.lines if of.get_marker() == "v" and len(of.get_xdata()))
    assert (*mark.get_xdata(), *mark.get_ydata()) == (-4, 0)
    (arrow,) = (text for text in axis.texts if text.arrow_patch)
    assert (arrow.xy, arrow.xyann[0] < 0) == ((-4, 0), True), "it points on, to the left"
    assert list(marks(axis)) == [1], "the other has its interval"
    assert axis.get_xlim()[0] > -6
    (key,) = plt.gcf().legends
    words = [text.get_text() for text in key.get_texts()]
    assert words == ["better", "worse", "under 1 point"]
    plt.close("all")


def test_pictures_with_one_reach_have_one_scale(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    ends = set()
    for effect in (("", 0.1, 0.7), ("", -2.1, 0.7)):
        show_effects({"one": effect}, "points", reach=3)
        ends.add(plt.gcf().axes[0].get_xlim())
    ((low, high),) = ends
    assert low <= -3 and high >= 3
    show_effects({"far": ("", 9.0, 0.7)}, "points", reach=3)
    assert plt.gcf().axes[0].get_xlim()[1] > 9.7, "what lies beyond is in the picture"
    plt.close("all")


def test_each_verdict_has_its_own_mark_and_the_line_below_explains_those_in_the_picture(
    monkeypatch,
):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    examples = {"better": 2.0, "worse": -2.0, "alike": 0.0, "not settled": 0.9}
    assert [*EFFECT_STYLES] == [*examples]
    show_effects({word: ("", number, 0.95) for word, number in examples.items()}, "points")
    (key,) = plt.gcf().legends
    assert [text.get_text() for text in key.get_texts()] == [*examples, "under 1 point"]
    drawn = [mark[3] for mark in marks(plt.gcf().axes[0]).values()]
    assert drawn == [line.get_marker() for line in key.get_lines()] and len({*drawn}) == 4
    plt.close("all")
    show_effects({"one": ("", 2.0, 0.5)}, "points")
    (key,) = plt.gcf().legends
    assert [text.get_text() for text in key.get_texts()] == ["better", "under 1 point"]
    plt.close("all")
