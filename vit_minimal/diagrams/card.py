"""The visual language of the diagrams: a white card, and what can be drawn on it.

Colour says what a thing is, in every figure: patches are blue, the class token is orange, positions
are grey, attention is purple, an MLP is green, the head is red. Lengths are tenths of an inch, and
y points down. Text has 10 points or more, so that a card of 6.6 inches can be read on a phone.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from ..plots import as_picture, luminance

PATCH, CLASS, POSITION = "#0072B2", "#E69F00", "#7F7F7F"
ATTENTION, MLP, HEAD = "#AA4499", "#009E73", "#D55E00"
INK, LINE, QUIET = "#222222", "#444444", "#595959"  # text, arrows, remarks

# For things that have no role, such as the pixels of patch 0, 1, 2, … (Okabe and Ito, and a grey)
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#BBBBBB")

FAINT = 0.4  # how strong a part is that a figure is not about
WIDTH = 66  # of a card: 6.6 inches
TOKEN = 2.6  # the side of a token


def tint(colour, share):
    """The colour on a white card, if only this share of it is there."""
    return tuple(1 - share + share * np.array(to_rgb(colour)))


def dark(colour):
    """The colour, darkened until words in it can be read on white and on its own tint."""
    rgb = np.array(to_rgb(colour))
    while luminance(rgb) > 0.13:
        rgb = 0.95 * rgb
    return tuple(rgb)


def ink_on(colour):
    """The ink, black or white, that can be read on this colour: a contrast of 4.5 or more."""
    return "white" if luminance(colour) < 0.179 else "black"


def rounded(points, radius):
    """A path through points (n, 2) whose corners are round."""
    points = np.asarray(points, dtype=float)
    path, codes = [points[0]], [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        into, out = corner - before, after - corner
        reach = min(radius, np.linalg.norm(into) / 2, np.linalg.norm(out) / 2)
        start = corner - reach * into / np.linalg.norm(into)
        end = corner + reach * out / np.linalg.norm(out)
        path += [start, corner, end]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*path, points[-1]], [*codes, Path.LINETO])


class Card:
    """An empty white card. What is drawn while `strength` is below 1 is as pale as that."""

    def __init__(self, height, width=WIDTH):
        self.figure, self.axis = plt.subplots(figsize=(width / 10, height / 10))
        self.figure.set_facecolor("white")
        self.axis.set_position([0, 0, 1, 1])
        self.axis.set(xlim=(0, width), ylim=(height, 0))
        self.axis.axis("off")
        self.strength = 1.0
        # Notebooks crop a figure to what is drawn, so draw the card
        self.rectangle(0, 0, width, height, "white", zorder=-1)

    def rectangle(self, x, y, width, height, fill, edge="none", line=0.0, zorder=1):
        fill, edge = (c if c == "none" else tint(c, self.strength) for c in (fill, edge))
        self.axis.add_patch(
            Rectangle((x, y), width, height, fc=fill, ec=edge, lw=line, zorder=zorder)
        )

    def text(self, x, y, words, size=11, colour=INK, ha="center", va="center", **style):
        """Words; a single line is centred by its capitals, so that words in a row share a line."""
        level = "rotation" not in style and "\n" not in words
        if va == "center" and level and any(map(str.isalnum, words)):
            y, va = y + 0.05 * size, "baseline"
        return self.axis.text(
            x, y, words, size=size, color=tint(colour, self.strength), ha=ha, va=va, **style
        )

    def shape(self, x, y, words, size=10, **style):
        """A shape such as (B, T, D), or a piece of code."""
        return self.text(x, y, words, size, family="monospace", **style)

    def box(self, x, y, width, height, colour, words="", size=11, share=0.16, **style):
        """A rounded box with words in its middle."""
        fill, edge = tint(colour, share * self.strength), tint(colour, self.strength)
        style_of_box = "round,pad=0,rounding_size=0.9"
        self.axis.add_patch(
            FancyBboxPatch((x, y), width, height, style_of_box, fc=fill, ec=edge, lw=1.4, zorder=2)
        )
        self.text(x + width / 2, y + height / 2, words, size, linespacing=1.3, zorder=3, **style)

    def arrow(self, *points, colour=LINE, line=1.3, head=True, radius=1.2, zorder=1.5):
        """An arrow along points (x, y), with round corners."""
        self._arrow({"path": rounded(points, radius)}, colour, line, head, zorder)

    def arc(self, start, end, bend, colour=LINE, line=1.3, head=True, zorder=1.5):
        """A bent arrow from one point to another; `bend` is the height of its bow, as a share."""
        bow = {"posA": start, "posB": end, "connectionstyle": f"arc3,rad={bend}"}
        self._arrow({**bow, "shrinkA": 0, "shrinkB": 0}, colour, line, head, zorder)

    def _arrow(self, course, colour, line, head, zorder):
        style = "-|>,head_length=0.5,head_width=0.22" if head else "-"
        look = {"color": tint(colour, self.strength), "lw": line, "zorder": zorder}
        caps = {"joinstyle": "miter", "capstyle": "butt"}
        self.axis.add_patch(
            FancyArrowPatch(**course, arrowstyle=style, mutation_scale=10 + line, **look, **caps)
        )

    def line(self, *points, colour=LINE, line=1.3, style="-", zorder=1):
        x, y = zip(*points, strict=True)
        look = {"lw": line, "ls": style, "solid_capstyle": "butt", "zorder": zorder}
        self.axis.plot(x, y, color=tint(colour, self.strength), **look)

    def plus(self, x, y, radius=1.5, colour=INK, sign="+"):
        """A sum (or with another sign, a product) in a circle."""
        look = {"fc": "white", "ec": tint(colour, self.strength), "lw": 1.5, "zorder": 4}
        self.axis.add_patch(Circle((x, y), radius, **look))
        reach = 0.58 * radius
        self.line((x - reach, y), (x + reach, y), colour=colour, line=1.5, zorder=5)
        if sign == "+":
            self.line((x, y - reach), (x, y + reach), colour=colour, line=1.5, zorder=5)

    def token(self, x, y, colour=PATCH, side=TOKEN):
        self.rectangle(x, y, side, side, colour, "white", 0.8, zorder=2)

    def cell(self, x, y, width, height, colour, words, size=10):
        """A coloured cell with a number in it."""
        self.rectangle(x, y, width, height, colour, "white", 1.0, zorder=2)
        self.text(x + width / 2, y + height / 2, words, size, ink_on(colour), zorder=3)

    def picture(self, x, y, width, height, image):
        """An image (C, H, W), uint8 or −1 … 1."""
        extent = (x, x + width, y + height, y)
        look = {"interpolation": "nearest", "cmap": "gray", "vmin": 0, "vmax": 1}
        picture = as_picture(image)
        self.axis.imshow(picture, extent=extent, aspect="equal", alpha=self.strength, **look)

    def on_picture(self, x, y, words, size=10):
        """Words on a picture: white with a dark outline, readable on bright and on dark."""
        outline = withStroke(linewidth=2.6, foreground=INK)
        self.text(x, y, words, size, "white", path_effects=[outline])

    def bracket(self, left, right, y, words, height=0.8, below=True, colour=QUIET, size=10):
        """A bracket from left to right, open to the side away from its words."""
        sign = 1 if below else -1
        edge = y + sign * height
        self.line((left, y), (left, edge), (right, edge), (right, y), colour=colour, line=1.1)
        va = "top" if below else "bottom"
        self.text((left + right) / 2, edge + 0.5 * sign, words, size, colour, va=va)
