"""Pictures: what is drawn is what was given, with axes that say what they show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from vit_minimal import plots, shapes10


@pytest.fixture(autouse=True)
def figures(monkeypatch):
    """Draw without a window; each test reads its figure from `plt.gcf()`."""
    plt.switch_backend("agg")
    monkeypatch.setitem(plt.rcParams, "image.cmap", "viridis")  # put back after each test
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    yield
    plt.close("all")


def test_bytes_and_normalised_images_give_the_same_picture():
    images, _ = shapes10(1)
    picture = plots.as_picture(images[0])
    assert picture.shape == (32, 32, 3) and 0 <= picture.min() < picture.max() <= 1
    assert np.allclose(picture, plots.as_picture(images[0] / 127.5 - 1), atol=1e-6)
    assert plots.as_picture(images[0, :1]).shape == (32, 32)


def test_images_stand_below_their_titles():
    plots.show_images(shapes10(3)[0], ["a", "b", "c"], columns=2)
    axes = plt.gcf().axes
    assert [axis.get_title() for axis in axes] == ["a", "b", "c", ""]
    assert [len(axis.images) for axis in axes] == [1, 1, 1, 0]


def test_a_frame_stands_around_its_pixels():
    plots.show_images(shapes10(2)[0], frames=[(0, 4, 4), (8, 12, 16)])
    (frame,) = plt.gcf().axes[1].patches
    assert (*frame.get_xy(), frame.get_width(), frame.get_height()) == (7.5, 11.5, 16, 16)


def test_matrix_shows_its_numbers_and_names():
    plots.show_matrix(torch.tensor([[0.25, 0.75]]), ["row"], ["left", "right"], x_label="to")
    axis = plt.gcf().axes[0]
    assert [text.get_text() for text in axis.texts] == ["0.25", "0.75"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["left", "right"]
    assert axis.get_xlabel() == "to"


def test_numbers_of_a_matrix_can_have_as_many_decimals_each():
    for decimals, texts in ((None, ["0.1", "0", "2"]), (2, ["0.10", "0.00", "2.00"])):
        plots.show_matrix(torch.tensor([[0.1, -0.001, 2.0]]), signed=True, decimals=decimals)
        assert [text.get_text() for text in plt.gcf().axes[0].texts] == texts


def test_each_place_is_most_similar_to_itself():
    positions = torch.randn(6, 16)
    plots.show_similarity_grid(positions, (2, 3), "title")
    picture = plt.gcf().axes[0].images[0].get_array()  # maps of 2 × 3 with a gap after each
    expected = torch.cosine_similarity(positions[:, None], positions, dim=-1).unflatten(1, (2, 3))
    for place in range(6):
        top, left = 3 * (place // 3), 4 * (place % 3)
        shown = picture[top : top + 2, left : left + 3]
        assert np.allclose(shown, expected[place], atol=1e-6)
        assert shown.argmax() == place


def test_maps_of_similarity_can_be_given_a_scale():
    positions = torch.randn(6, 16)
    plots.show_similarity_grid(positions, (2, 3))
    lowest = torch.cosine_similarity(positions[:, None], positions, dim=-1).min()
    assert plt.gcf().axes[0].images[0].get_clim() == (pytest.approx(float(lowest), abs=1e-6), 1)
    plots.show_similarity_grid(positions, (2, 3), limits=(-1, 0.5))
    assert plt.gcf().axes[0].images[0].get_clim() == (-1, 0.5)


def test_one_map_of_similarity_can_be_framed_and_each_place_is_marked():
    plots.show_similarity_grid(torch.randn(6, 16), (2, 3), frame=(1, 2))
    *places, framed = plt.gcf().axes[0].patches
    assert len(places) == 6 and places[5].get_xy() == (9.5, 3.5)  # maps of 2 × 3 with a gap
    assert framed.get_xy() == (7, 2) and (framed.get_width(), framed.get_height()) == (4, 3)


def test_a_matrix_can_be_given_its_colours():
    plots.show_matrix(torch.eye(2), signed=True, colours="gray")
    (image,) = plt.gcf().axes[0].images
    assert image.get_cmap().name == "gray" and image.get_clim() == (-1, 1)


def test_lines_are_told_apart_without_colour():
    plots.show_lines([1, 2, 4], {"a": [1, 2, 3], "b": [3, 2, 1]}, "x", "y", dashed=("c", 2))
    axis = plt.gcf().axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("x", "y")
    assert len({(line.get_linestyle(), line.get_marker()) for line in axis.lines}) == 3
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b", "c"]


def styles(lines):
    return {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}


@pytest.mark.parametrize("length", [3, 40], ids=["short", "long, without markers"])
@pytest.mark.parametrize("count", [6, 14])
def test_every_curve_is_drawn_and_none_looks_like_another(count, length):
    curves = {f"curve {i}": np.arange(length) + i for i in range(count)}
    plots.show_lines(range(length), curves, "x", "y", widths={"curve 5": np.ones(length)})
    (axis,) = plt.gcf().axes
    for line, (name, values) in zip(axis.lines, curves.items(), strict=True):
        assert line.get_label() == name and line.get_ydata().tolist() == values.tolist()
    assert len(styles(axis.lines)) == count
    assert len(axis.get_legend().get_texts()) == count
    (band,) = axis.collections
    assert tuple(band.get_facecolor()[0, :3]) == to_rgb(axis.lines[5].get_color())


def test_logarithmic_axes_and_axes_from_zero():
    plots.show_lines([1, 10, 100], {"a": [1, 10, 100]}, "x", "y", log="xy")
    axis = plt.gcf().axes[0]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "10", "100"]
    plots.show_lines([1, 2], {"a": [4, 1_048_576]}, "x", "y", log="y")
    labels = [label.get_text() for label in plt.gcf().axes[0].get_yticklabels()]
    assert "1,000,000" in labels and "500,000" not in labels
    plots.show_lines([1, 2], {"a": [5, 6]}, "x", "y", from_zero=True)
    assert plt.gcf().axes[0].get_ylim()[0] == 0


def test_dots_stand_in_rows_with_their_mean():
    plots.show_dots({"a": [0.1, 0.3], "b": [0.5]}, "accuracy")
    axis = plt.gcf().axes[0]
    dots, mean, *_ = axis.lines
    assert dots.get_xdata().tolist() == pytest.approx([0.1, 0.3])
    assert list(mean.get_xdata()) == pytest.approx([0.2, 0.2])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    assert axis.yaxis_inverted()
    assert axis.get_xlabel() == "accuracy\n(dot: a run, line: mean)"


def test_a_band_reaches_as_far_as_the_width_says():
    plots.show_lines([1, 2], {"a": [0.5, 0.6], "b": [0.1, 0.2]}, "x", "y", widths={"a": [0.1, 0.2]})
    (band,) = plt.gcf().axes[0].collections
    corners = {tuple(np.round(corner, 6)) for corner in band.get_paths()[0].vertices}
    assert corners == {(1, 0.4), (1, 0.6), (2, 0.4), (2, 0.8)}


def test_a_figure_in_a_notebook_has_words_beside_it(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "get_backend", lambda: "module://matplotlib_inline.backend_inline")
    monkeypatch.setattr("IPython.display.display", lambda figure, metadata: shown.append(metadata))
    plots.show_lines([1, 2, 3], {"a": [3, 0.5, 1], "b": [1, 2, 3]}, "epoch", "loss", "It learns")
    plots.show_images(shapes10(3)[0], ["a\nring", "", "b"])
    plots.show_dots({"a": [0.1, 0.3]}, "accuracy")
    assert [words["image/png"]["alt"] for words in shown] == [
        "It learns: loss over epoch. a from 3 to 1, between 0.5 and 3; b from 1 to 3",
        "3 pictures: a ring; b",
        "accuracy, a dot for each run. Means: a 0.2",
    ]
    assert not plt.get_fignums()  # else the cell would show them once more


def test_lines_and_dots_can_be_panels_of_one_figure():
    _, panels = plt.subplots(1, 3)
    _, rows = plt.subplots(1, 2, sharey=True)
    plots.show_lines([1, 2], {"a": [3, 1], "b": [1, 3]}, "epoch", "loss", "c", axis=panels[1])
    for row in rows:
        plots.show_dots({"a": [0.1, 0.3], "b": [0.2]}, "accuracy", axis=row)
    assert len(plt.get_fignums()) == 2
    assert panels[1].get_title() == "c" and len(panels[1].lines) == 2
    assert [text.get_text() for text in panels[1].get_legend().get_texts()] == ["a", "b"]
    assert all(row.yaxis_inverted() for row in rows)  # "a" is on top in both


def contrast(one, other):
    """WCAG 2.2: at least 3 for lines, 4.5 for text."""
    darker, brighter = sorted(map(plots.luminance, (one, other)))
    return (brighter + 0.05) / (darker + 0.05)


def test_colours_stand_out_from_white():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)  # from WCAG's tables
    assert all(contrast(colour, "white") >= 3 for colour in (*plots.OKABE_ITO, "gray"))


def colour_maps():
    return {image.get_cmap().name for axis in plt.gcf().axes for image in axis.images}


def test_amounts_are_viridis_and_signed_values_are_purple_and_orange():
    for signed, colours in ((False, {"viridis"}), (True, {"PuOr"})):
        plots.show_matrix(torch.randn(2, 3), signed=signed)
        assert colour_maps() == colours
    plt.rcParams["image.cmap"] = "jet"  # whatever a reader has set
    plots.show_images(torch.rand(2, 1, 8, 8))
    assert colour_maps() == {"gray"}
    for limits, colours in ((None, {"viridis"}), ((-1, 1), {"PuOr"})):
        plots.show_similarity_grid(torch.randn(4, 8), (2, 2), limits=limits)
        assert colour_maps() == colours


@pytest.mark.parametrize("signed", [False, True])
def test_zero_lies_where_the_colour_map_has_its_middle_or_its_end(signed):
    plots.show_matrix(torch.tensor([[-3.0, 2.0]]), signed=signed)
    low, high = plt.gcf().axes[0].images[0].get_clim()
    assert (low, high) == (-3 if signed else 0, 3)


def test_half_a_matrix_leaves_the_other_half_empty():
    plots.show_matrix(torch.tensor([[torch.nan, 2.0], [torch.nan, torch.nan]]))
    (axis,) = plt.gcf().axes
    assert [(text.get_text(), text.get_position()) for text in axis.texts] == [("2", (1, 0))]
    assert axis.images[0].get_clim() == (0, 2)


@pytest.mark.parametrize("signed", [False, True])
def test_numbers_can_be_read_on_every_colour(signed):
    plots.show_matrix(torch.linspace(-1 if signed else 0, 1, 60).view(6, 10), signed=signed)
    (axis,) = plt.gcf().axes
    (drawn,) = axis.images
    for text in axis.texts:
        column, row = text.get_position()
        background = drawn.cmap(drawn.norm(drawn.get_array()[row, column]))
        assert contrast(text.get_color(), background) >= 4.5
