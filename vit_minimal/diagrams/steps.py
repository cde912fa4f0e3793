"""What moves the weights: one step of training as a loop, paths down a valley, what Muon does to a
step, and what the curves of a training look like, healthy and sick.
"""

import math

import numpy as np
from matplotlib.patches import Circle, Polygon

from ..plots import as_array, show
from .card import (
    HEAD,
    INK,
    LINE,
    PATCH,
    POSITION,
    QUIET,
    SERIES,
    Card,
    dark,
    tint,
)

LOOP = (  # what there is, how one gets there, its code, its colour
    ("batch", "draw", "images[batch]", PATCH),
    ("model", "forward", "model(x)", POSITION),
    ("loss", "how wrong?", "cross_entropy", HEAD),
    ("gradient", "backward", ".backward()", HEAD),
    ("weights", "step", ".step()", POSITION),
)
INGREDIENTS = {  # what acts on each of them in notebook 05
    "batch": ("flip\nand crop",),
    "model": ("patch\ndropout",),
    "loss": ("label\nsmoothing",),
    "gradient": ("clipping",),
    "weights": ("momentum,\nAdam, Muon", "learning rate,\nschedule", "weight decay"),
}
LAST = 5  # so many steps at the end of a path are black
GROUND = "#ededed"  # behind a curve that was drawn by hand
GUESSING = math.log(10)  # the loss of a model that guesses one of ten classes


def training_loop():
    """A training step as a loop, and where each ingredient of a recipe acts on it."""
    card, top, high, wide, pitch, left = Card(height=39.5), 10.5, 6, 10.4, 13.2, 1.4
    middle = top + high / 2

    for k, (name, happens, code, colour) in enumerate(LOOP):
        x = left + k * pitch
        card.box(x, top, wide, high, colour, name, 12, weight="bold")
        card.text(x + wide / 2, top - 1.6, happens, 10, QUIET)
        card.shape(x + wide / 2, top + high + 1.8, code)
        if k:
            card.arrow((x - pitch + wide, middle), (x, middle))
        y = top + high + 6
        for words in INGREDIENTS[name]:
            tall = 5.4 if "\n" in words else 3.4
            card.box(x - 0.7, y, wide + 1.4, tall, colour, words, 10, share=0.07)
            if y == top + high + 6:
                card.arrow((x + wide / 2, y), (x + wide / 2, top + high + 3.2), colour=QUIET)
            y += tall + 0.9
    first, last = left + wide / 2, left + 4 * pitch + wide / 2
    card.arrow((last, top - 3), (last, 4.2), (first, 4.2), (first, top - 3), line=1.8)
    card.text((first + last) / 2, 2.4, "again, with the new weights and the next batch", 11)
    card.text(left, 34, "Each ingredient acts at one place of the loop.", 11, ha="left")
    acts = "; ".join(f"on the {name}: {', '.join(of)}" for name, of in INGREDIENTS.items() if of)
    show(
        "a batch goes forward through the model, a loss says how wrong it is, its gradient is "
        "computed backward, a step changes the weights, and all begins again. Ingredients act "
        + acts,
        "One step of training",
    )


def descent(paths, height, title=""):
    """Paths by name {name: points (n, 2)}, one below the other, over the contour lines of
    `height(x, y)`, a valley that is flat in x and steep in y, whose lowest point is at the cross.
    They lie in −10 … 4 × −2 … 2, and both directions are drawn at one scale, so that the lengths of
    steps can be compared. The last five steps of each path are black.
    """
    scale, left = 4.2, 4.0
    tall = 4 * scale
    pitch = tall + 3.8
    card = Card(height=pitch * len(paths) + 6.1)
    card.text(left, 2.3, title, 12, ha="left", weight="bold")
    card.text(left + 14 * scale, 2.3, "x and y at one scale", 10, QUIET, ha="right")
    x, y = np.meshgrid(np.linspace(-10, 4, 200), np.linspace(-2, 2, 200))
    heights, levels = height(x, y), 12

    def place(x, y, middle):
        return left + scale * (x + 10), middle - scale * y

    for k, (name, points) in enumerate(paths.items()):
        points, colour = as_array(points), SERIES[(0, 4, 2)[k % 3]]
        middle = 6.5 + pitch * k + tall / 2
        card.text(left, middle - tall / 2 - 1.4, name, 11, dark(colour), ha="left")
        card.axis.contour(
            *place(x, y, middle), heights, levels=levels, colors="lightgray", zorder=0
        )
        across, down = place(*points.T, middle)
        card.axis.plot(across, down, "o-", color=colour, ms=3.5, lw=1.5, zorder=3)
        end = slice(-LAST - 1, None)
        card.axis.plot(across[end], down[end], ".-", color=INK, ms=7, lw=2, zorder=6)
        card.text(across[0] + 1.2, down[0], "start", 10, ha="left")
        card.text(across[-1] + 0.8, down[-1] + 3.2, f"step {len(points) - 1}", 10, ha="left")
        card.text(left - 1.6, middle, "y: steep", 10, QUIET, rotation=90)
        card.plus(*place(0, 0, middle), radius=0.9, colour=QUIET)
    card.text(left + 7 * scale, 6.5 + pitch * len(paths) - 2, "x: flat", 10, QUIET)
    numbers = "; ".join(
        f"{name} from {np.round(as_array(path)[0], 1).tolist()} "
        f"to {np.round(as_array(path)[-1], 1).tolist()}"
        for name, path in paths.items()
    )
    show(
        "paths over the contour lines of a valley, one below the other, whose lowest point is "
        f"marked by a cross; each dot is a step, and the last five steps are black: {numbers}",
        title,
    )


def _frame_of(card, centre, axes, colours, scale, words):
    """The unit circle under a matrix with columns `axes` (2, 2): a closed curve and its two axes."""
    x, y = centre
    angles = np.linspace(0, 2 * np.pi, 100)
    curve = axes @ np.stack([np.cos(angles), np.sin(angles)])
    points = np.stack([x + scale * curve[0], y - scale * curve[1]], axis=1)
    card.axis.add_patch(Polygon(points, fc=tint(POSITION, 0.1), ec=LINE, lw=1.3, zorder=1))
    for axis, colour in zip(axes.T, colours, strict=True):
        end = x + scale * axis[0], y - scale * axis[1]
        card.arrow((x, y), end, colour=colour, line=2.4, zorder=3)
        away = axis / np.linalg.norm(axis) * (scale * np.linalg.norm(axis) + 2.1)
        card.text(x + away[0], y - away[1], f"{np.linalg.norm(axis):.1f}", 11, dark(colour))
    card.axis.add_patch(Circle(centre, 0.5, fc=INK, ec="none", zorder=4))
    card.text(x, 2.6, words, 11, weight="bold")


def even_step(matrix):
    """What momentum's matrix M (2, 2) makes of each input of length 1, and what it makes of them when
    it is evened out.

    The circle of inputs becomes an ellipse, whose axes are as long as the singular
    values; with both of them set to 1 it is a circle again. ValueError if the matrix is not 2 × 2 or
    has no inverse.
    """
    matrix = as_array(matrix).astype(float)
    if matrix.shape != (2, 2) or abs(np.linalg.det(matrix)) < 1e-6:
        raise ValueError(f"expected a matrix (2, 2) that can be inverted, not {matrix.tolist()}")
    left, lengths, right = np.linalg.svd(matrix)
    sides = np.where(left[0] < 0, -1, 1)  # a pair of directions may be turned round: to the right
    left, right = left * sides, right * sides[:, None]
    scale, y = 10 / max(*lengths, 1), 14.5
    colours = SERIES[4], SERIES[0]
    card, ratio = Card(height=31), lengths[0] / lengths[1]
    steps = right.T, left * lengths, left
    words = "inputs x", "momentum: M·x", "Muon: (M evened out)·x"
    for k, (axes, title) in enumerate(zip(steps, words, strict=True)):
        _frame_of(card, (11 + 22 * k, y), axes, colours, scale, title)
    remarks = "all of length 1", f"about {ratio:.0f} : 1", "equally long"
    values = "", f"singular values about {lengths[0]:.1f}, {lengths[1]:.1f}", "singular values 1, 1"
    for k, (remark, value) in enumerate(zip(remarks, values, strict=True)):
        card.text(11 + 22 * k, 26.2, remark, 10.5)
        card.text(11 + 22 * k, 29, value, 10, QUIET)
    show(
        f"the inputs x are a circle with two arrows; momentum's M·x are an ellipse, in which one arrow "
        f"is about {lengths[0]:.1f} long and the other {lengths[1]:.1f}; with Muon they are a circle "
        "again: both arrows point where they did in the ellipse, and are equally long",
        "What momentum and Muon make of the same inputs",
    )


def _sketches():
    """What is drawn, loss or accuracy, and its curves over a training, by title."""
    time = np.linspace(0, 1, 60)
    luck = np.random.default_rng(0).standard_normal((3, 60))
    falls = 0.4 + (GUESSING - 0.4) * np.exp(-4 * time)
    learns = 0.1 + 0.7 * (1 - np.exp(-4 * time))
    jump = np.where(time < 0.45, falls, GUESSING - 0.15) + 0.04 * luck[0]
    restless = (learns - 0.25 * np.abs(luck[1]) * np.clip(1.1 - time, 0, 1)).clip(0.1)
    return {
        "0  healthy": ("loss", falls),
        "1  slow": ("loss", GUESSING - 0.5 * time),
        "2  from above": ("loss", GUESSING + 0.15 * np.exp(-5 * time) - 0.02 * time),
        "3  flat": ("loss", GUESSING + 0.005 * luck[2]),
        "4  a jump": ("loss", jump),
        "5  by heart": ("accuracy", 1 - 0.9 * np.exp(-4 * time), 0.5 - 0.4 * np.exp(-6 * time)),
        "6  ahead": ("accuracy", 0.6 - 0.5 * np.exp(-4 * time), learns),
        "7  restless": ("accuracy", learns + 0.05, restless),
    }


def curve_gallery(runs=None):
    """Eight training curves: a healthy one, and what may be wrong with the others. All losses share one
    range, and all accuracies another.

    `runs` are curves that were measured, by the number of the sketch whose place they take:
    {0: [loss], 5: [training accuracy, validation accuracy]}. Sketches are grey.
    """
    runs = runs or {}
    card, wide, high, pitch, tall = Card(height=37), 12.7, 9.5, 16, 15
    for k, (title, (kind, *sketch)) in enumerate(_sketches().items()):
        x, y = 3.1 + pitch * (k % 4), 3.6 + tall * (k // 4)
        # A curve at 1 stays below the frame's edge
        low, top, marks = (0, 3, "30") if kind == "loss" else (0, 1.09, ("100", "0"))
        card.rectangle(x, y, wide, high, "white" if k in runs else GROUND, LINE, 1.0)
        card.text(x, y - 1.5, title, 11, ha="left", weight="bold")
        curves = runs.get(k, sketch)
        means = " means" if kind == "loss" else ""  # a measured loss is the mean over an epoch
        epochs = f"{len(curves[0])} epoch{means or 's'}" if k in runs else "epochs"
        card.text(x + wide / 2, y + high + 1.3, f"{kind}, {epochs}", 10, QUIET)
        if k % 4 == 0 or k == 5:  # where a range is first met
            for mark, place in zip(marks, (y + 0.8, y + high - 0.8), strict=True):
                card.text(x - 0.3, place, mark, 10, QUIET, ha="right")
        if kind == "loss":
            level = y + high * (1 - GUESSING / top)
            card.line((x, level), (x + wide, level), colour=QUIET, style=":", line=1)
        for curve, colour, style in zip(curves, (SERIES[0], HEAD), ("-", "--"), strict=False):
            curve = as_array(curve)
            across = x + np.linspace(0.4, wide - 0.4, len(curve))
            share = ((curve - low) / (top - low)).clip(0, 1)
            points = zip(across, y + high * (1 - share), strict=True)
            card.line(*points, colour=colour, style=style, line=1.6, zorder=3)
        if k in runs and kind == "loss":
            ends = " → ".join(f"{of:.2f}" for of in (curves[0][0], curves[0][-1]))
            card.text(x + 0.6, y + high - 1.2, ends, 10, ha="left")
    keys = "dotted: ln 10, chance level     blue: training     dashed: validation"
    card.text(2.4, 33.1, keys, 10.5, ha="left")
    card.text(
        2.4,
        35.4,
        "white: a run that was measured     grey: a sketch     accuracies in %",
        10.5,
        ha="left",
    )
    measured = ", ".join(map(str, sorted(runs))) or "none"
    show(
        "eight small frames with curves over the time of a training: a loss that falls as it "
        "should, and seven others, named "
        + "; ".join(list(_sketches())[1:])
        + f". Measured: {measured}. The others are sketches",
        "Training curves",
    )
