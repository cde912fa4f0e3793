"""Draws static/class-token.png, the picture of the README, from the course's model and record.

python site/draw_picture.py
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from skimage import data

from vit_minimal import attention_maps, load_checkpoint, load_image
from vit_minimal.augment import normalize
from vit_minimal.data import CIFAR10_CLASSES
from vit_minimal.diagrams.card import ATTENTION, CLASS, HEAD, INK, dark, tint
from vit_minimal.plots import as_picture

COURSE = Path(__file__).resolve().parents[1]
PICTURE = COURSE / "site" / "static" / "class-token.png"
SIDE, CUT = 32, 8  # pixels, patches along a side
COLUMNS, PANEL, GAP = 4, 1.84, 0.16  # inches
ABOVE, BELOW = 0.42, 0.5  # inches: the name of a panel, the bar with its number
TITLE, NUMBER, WORD = 17, 17, 30  # points: to be read where the picture is 380 pixels wide


def main():
    cat = Path(data.__file__).with_name("chelsea.png")
    image = load_image(cat, SIDE)
    model = load_checkpoint(COURSE / "data/checkpoints/cifar10-cpu-long.safetensors")
    maps = attention_maps(model, image[None])[:, 0].mean(dim=1)  # (L, T, T), mean over heads
    looks = maps[:, 0, 1:].unflatten(1, (CUT, CUT)).numpy()
    answer = model(normalize(image[None])).softmax(dim=1)[0].detach()
    (record,) = json.loads((COURSE / "data/results/class_token_journey.json").read_text("utf-8"))
    known = record["probes"]["class_token"]["mean"]

    rows = -(-(len(looks) + 2) // COLUMNS)
    width = COLUMNS * (PANEL + GAP)
    height = rows * (ABOVE + PANEL + BELOW) + GAP
    figure = plt.figure(figsize=(width, height), facecolor="white")
    photo = as_picture(load_image(cat, 256))
    brightness = photo.mean(axis=-1)
    pale = 0.45 + 0.55 * (brightness - brightness.min()) / np.ptp(brightness)
    for place in range(len(looks) + 2):
        row, column = divmod(place, COLUMNS)
        left = GAP / 2 + column * (PANEL + GAP)
        bottom = height - (row + 1) * (ABOVE + PANEL + BELOW) + BELOW
        axis = figure.add_axes([left / width, bottom / height, PANEL / width, PANEL / height])
        axis.set(xlim=(0, CUT), ylim=(CUT, 0))
        axis.axis("off")
        if place > len(looks):
            draw_answer(axis, CIFAR10_CLASSES[answer.argmax()], answer.max())
            continue
        axis.set_title(f"block {place}" if place else "64 patches", size=TITLE, color=INK)
        if place == 0:
            axis.imshow(photo, extent=(0, CUT, CUT, 0))
            draw_cuts(axis)
        else:
            axis.imshow(pale, extent=(0, CUT, CUT, 0), cmap="gray", vmin=0, vmax=1)
            draw_attention(axis, looks[place - 1])
        draw_bar(axis, known[place])
    figure.savefig(PICTURE, dpi=120)


def draw_cuts(axis):
    for at in range(1, CUT):
        axis.plot([at, at], [0, CUT], [0, CUT], [at, at], color="white", lw=1.2)


def draw_attention(axis, shares):
    """Purple over the patches (8, 8), as in `diagrams.attention_over`."""
    layer = np.empty((CUT, CUT, 4))
    layer[..., :3], layer[..., 3] = to_rgb(ATTENTION), 0.85 * shares / shares.max()
    axis.imshow(layer, extent=(0, CUT, CUT, 0), interpolation="nearest")


def draw_bar(axis, share):
    """Below a panel, how much can be read from the class token."""
    at, high, long = CUT + 0.6, 0.8, 4.9
    axis.add_patch(Rectangle((0, at), long, high, fc=tint(CLASS, 0.22), clip_on=False))
    axis.add_patch(Rectangle((0, at), long * share, high, fc=CLASS, clip_on=False))
    axis.text(CUT, at + 0.43, percent(share), size=NUMBER, color=dark(CLASS), ha="right", va="center",
              weight="bold")  # fmt: skip


def percent(share):
    return f"{100 * share:.0f} %"


def draw_answer(axis, word, share):
    axis.set_title("answer", size=TITLE, color=INK)
    axis.add_patch(Rectangle((0, 0), CUT, CUT, fc=tint(HEAD, 0.16), ec=HEAD, lw=3))
    axis.text(CUT / 2, 3.4, word, size=WORD, color=INK, ha="center", va="center", weight="bold")
    axis.text(CUT / 2, 5.9, percent(share), size=TITLE, color=INK, ha="center", va="center")


if __name__ == "__main__":
    main()
