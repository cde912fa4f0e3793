"""Draws static/class-token.png, the picture of the README, from the course's model and record.

python site/draw_picture.py
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data

from vit_minimal import attention_maps, load_checkpoint
from vit_minimal.data import load_image
from vit_minimal.plots import OKABE_ITO, as_picture

COURSE = Path(__file__).resolve().parents[1]
PICTURE = COURSE / "site" / "static" / "class-token.png"
SIDE, PATCH, GAP = 32, 4, 1  # pixels


def main():
    photo = load_image(get_sample_data("grace_hopper.jpg", asfileobj=False), SIDE)
    model = load_checkpoint(COURSE / "data/checkpoints/cifar10-cpu-long.safetensors")
    maps = attention_maps(model, photo[None])[:, 0].mean(dim=1)  # (L, T, T), mean over heads
    looks = maps[:, 0, 1:].unflatten(1, model.patch_embed.grid_size)
    (record,) = json.loads((COURSE / "data/results/class_token_journey.json").read_text("utf-8"))
    known = 100 * np.array(record["probes"]["class_token"]["mean"])

    layers = len(looks)
    figure = plt.figure(figsize=(11, 4.6), layout="constrained")
    rows = figure.add_gridspec(2, layers + 2, height_ratios=[1, 1.25])
    draw_patches(figure.add_subplot(rows[0, 0]), photo)
    for layer, shares in enumerate(looks, start=1):
        axis = figure.add_subplot(rows[0, layer + 1])
        axis.imshow(shares, cmap="viridis", vmin=0)
        axis.set(title=f"layer {layer}", xticks=[], yticks=[])
    before = figure.add_subplot(rows[0, 1])
    before.axis("off")
    before.text(0.5, 0.5, "[class]\nlooks at\nthe patches", ha="center", va="center", fontsize=12)

    axis = figure.add_subplot(rows[1, 1:])
    axis.plot(range(layers + 1), known, "o-", color=OKABE_ITO[0])
    for layer, value in enumerate(known):
        axis.annotate(
            f"{value:.0f} %", (layer, value), (0, 8), textcoords="offset points", ha="center"
        )
    axis.axhline(10, color="gray", linestyle=":")
    axis.text(layers + 0.45, 12, "guessing", color="dimgray", ha="right")
    axis.set(xlim=(-0.5, layers + 0.5), ylim=(0, 105), xticks=range(layers + 1))
    axis.set_xticklabels(["at the start", *(f"after layer {i}" for i in range(1, layers + 1))])
    axis.set_title("What a linear classifier can read from the class token (CIFAR-10 test images)")
    axis.set_ylabel("right, in %")
    axis.grid(axis="y", alpha=0.3)
    figure.savefig(PICTURE, dpi=100)


def draw_patches(axis, photo):
    """The photo (3, H, W), cut into patches, with gaps between them."""
    step = PATCH + GAP
    side = SIDE // PATCH * step - GAP
    canvas = np.ones((side, side, 3))
    picture = as_picture(photo)
    for row, column in np.ndindex(SIDE // PATCH, SIDE // PATCH):
        patch = picture[row * PATCH :, column * PATCH :][:PATCH, :PATCH]
        canvas[row * step :, column * step :][:PATCH, :PATCH] = patch
    axis.imshow(canvas)
    axis.set(title="64 patches", xticks=[], yticks=[])
    axis.axis("off")


if __name__ == "__main__":
    main()
