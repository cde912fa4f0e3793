"""The class token: one learned vector that gathers something else from each image."""

import numpy as np

from ..plots import as_array, as_picture, show
from .attention import softmax
from .card import ATTENTION, CLASS, INK, PATCH, QUIET, Card, dark, ink_on


def _striped(card, x, y, width, height, shares, colours, numbers):
    """What a class token has gathered: stripes as wide as the shares, the widest first, with white
    lines between them and the number of their patch where it fits.
    """
    for i in np.argsort(-shares, kind="stable"):
        share, number = shares[i], str(numbers[i])
        card.rectangle(x, y, width * share, height, colours[i], "white", 1.2, zorder=2)
        if width * share > 1.3 * len(number):
            middle = x + width * share / 2, y + height / 2
            card.text(*middle, number, 10, ink_on(colours[i]), zorder=4)
        x += width * share


def _made_up(patches):
    """Shares for patches (N, C, P, P): more for those that stand out from the mean of all."""
    pixels = patches.reshape(len(patches), patches.shape[1], -1)
    apart = np.abs(pixels - pixels.mean(axis=(0, 2), keepdims=True)).mean(axis=(1, 2))
    return softmax((apart - apart.mean()) / (apart.std() + 1e-6))


def class_token_idea(images, weights=None, grid=3, numbers=None, result="different"):
    """The idea of the class token, for two images (2, C, H, W), each cut into grid × grid patches.

    One learned vector, the same for both images, stands in front of the patches. By attention it
    gathers from them, and the sum of the old vector and the gathered one, framed, is another one for
    each image. `weights` (2, grid²) are what it takes from each patch; without them, made-up ones
    are larger where a patch stands out. The words between what the two have gathered are the
    `result`. `numbers` (2, grid²) are those of the patches, else 0 … grid² − 1: for an image and the
    same one shuffled, say.
    """
    images = as_array(images)
    if images.ndim != 4 or len(images) != 2 or min(images.shape[2:]) < grid or grid < 1:
        raise ValueError(f"expected two images (2, C, H, W), got {images.shape}")
    N, P = grid * grid, min(images.shape[2:]) // grid
    weights = None if weights is None else as_array(weights)
    if weights is not None and weights.shape != (2, N):
        raise ValueError(f"expected weights (2, {N}), got {weights.shape}")
    numbers = [range(N)] * 2 if numbers is None else as_array(numbers).tolist()
    if [len(row) for row in numbers] != [N, N]:
        raise ValueError(f"expected numbers (2, {N}) of the patches")
    card, step, first, after, wide = Card(height=46), 26.8 / N, 19.4, 47.4, 17.6
    gathered, stripes = after + wide / 2, (after + 6.2, wide - 6.8)  # where, and how wide
    size = min(3.2, step - 0.4)
    heads = (
        (6.5, "image", INK),
        (15.8, "[class]", dark(CLASS)),
        (gathered, "[class]", dark(CLASS)),
    )
    for x, words, colour in (*heads, (first + N * step / 2, "patches", dark(PATCH))):
        card.text(x, 2.2, words, 11.5, colour, weight="bold")
    card.text(15.8, 4.4, "learned", 10, QUIET)
    card.text(gathered, 4.4, "old + gathered", 10, QUIET)
    centres, said = (15, 36.4), []
    for middle, name, image, known in zip(centres, "AB", images, numbers, strict=True):
        image = image[:, : P * grid, : P * grid]
        cut = image.reshape(len(image), grid, P, grid, P).transpose(1, 3, 0, 2, 4)
        patches = cut.reshape(N, len(image), P, P)
        shares = _made_up(patches.astype(float)) if weights is None else weights["AB".index(name)]
        shares = shares / shares.sum()
        card.picture(1, middle - 5.5, 11, 11, image)
        card.text(6.5, middle + 7.1, name)
        card.token(13.8, middle - 2, CLASS, 4)
        top = middle - size / 2
        for i, patch in enumerate(patches):
            x = first + i * step
            card.picture(x, top, size, size, patch)
            card.rectangle(x, top, size, size, "none", PATCH, 1.4, zorder=2)
            if len(str(N - 1)) < size:
                card.text(x + size / 2, top + size + 1.3, str(known[i]), 10, dark(PATCH))
            line = 0.4 + 5 * shares[i] / shares.max()
            bend = -0.26 - 0.14 * (1 - i / N)
            to = stripes[0] + stripes[1] / 2, middle - 4.4
            card.arc((x + size / 2, top - 0.3), to, bend, ATTENTION, line, head=False)
        under, before = middle + size / 2 + 2.8, after - 1.1
        way = (18.6, middle), (18.6, under), (before, under), (before, middle)
        card.arrow((17.8, middle), *way, (after + 0.6, middle), colour=CLASS, line=2)
        colours = [as_picture(patch).reshape(P * P, -1).mean(axis=0) for patch in patches]
        colours = [tuple(np.broadcast_to(colour, 3)) for colour in colours]
        card.rectangle(after, middle - 4, wide, 8, "none", CLASS, 2.5, zorder=3)
        card.token(after + 0.7, middle - 2, CLASS, 4)
        card.text(after + 5.45, middle, "+", 13)
        _striped(card, stripes[0], middle - 3, stripes[1], 6, shares, colours, known)
        largest = int(shares.argmax())
        said.append(f"image {name}: most from patch {known[largest]}, {shares[largest]:.0%}")
    upper, lower = centres
    for x, reach, words in ((15.8, 2.6, "the same"), (gathered, 4.4, result)):
        between = (upper + reach + lower - reach) / 2
        dashed = "-" if words == "the same" else ":"
        low = lower - reach if x == 15.8 else lower - 6.6
        card.line((x, upper + reach), (x, between - 1.6), colour=CLASS, line=2, style=dashed)
        card.line((x, between + 1.6), (x, low), colour=CLASS, line=2, style=dashed)
        card.text(x, between, words)
    show(
        "before the first block the same learned vector stands in front of the patches of both "
        "images; arrows, thicker where more is taken, lead from the patches to what is gathered; "
        f"the old class token plus what it gathered is the new one, and the two are {result}",
        "The class token gathers from its image",
        said,
    )
