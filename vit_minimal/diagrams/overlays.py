"""Maps of attention, laid over the images that they are of."""

import numpy as np
from matplotlib.colors import to_rgb

from ..plots import as_array, as_picture, show
from .card import ATTENTION, CLASS, FAINT, HEAD, QUIET, SERIES, WIDTH, Card, tint


def _peaks(shares, count):
    """The (row, column) of so many largest shares, none of which touch each other."""
    found = []
    for place in np.argsort(shares, axis=None)[::-1]:
        r, c = (int(i) for i in np.unravel_index(place, shares.shape))
        if len(found) < count and all(max(abs(r - a), abs(c - b)) > 1 for a, b in found):
            found.append((r, c))
    return found


def _pale(image, darkest=0.45):
    """An image (C, H, W) as a pale grey one (1, H, W), −1 … 1, in which black is `darkest`."""
    brightness = as_picture(image).reshape(*image.shape[1:], -1).mean(axis=-1)  # (H, W), 0 … 1
    span = max(brightness.max() - brightness.min(), 1e-12)
    return (darkest + (1 - darkest) * (brightness - brightness.min()) / span)[None] * 2 - 1


def _purple(card, x, y, width, height, shares, full):
    """Over a picture, each patch as purple as its share (rows, columns) of `full`."""
    layer = np.empty((*shares.shape, 4))
    layer[..., :3] = to_rgb(ATTENTION)
    layer[..., 3] = 0.85 * np.minimum(shares / max(full, 1e-12), 1)
    extent = (x, x + width, y + height, y)
    card.axis.imshow(layer, extent=extent, interpolation="nearest", aspect="equal")


def attention_over(
    image,
    weights,
    grid_size,
    names=None,
    columns=4,
    arrows=0,
    full=None,
    scale="",
    frame=None,
    outlined=0,
):
    """An image (C, H, W), and beside it a pale grey copy with each map of attention laid over it.

    `weights` are k maps, (k, N) or (k, rows, columns), of patches in a grid of `grid_size`. A patch
    is as purple as its share of what the most attended one has, so each map has its own scale: what
    full purple stands for is written below it. The copy is pale, or a dark patch of the photo could
    be taken for one without attention. With `full`, a share, all maps have one scale: full purple
    stands for that share or more, and below each map is its largest. Where the maps are no shares,
    `scale` says in words what full purple stands for, once, in place of numbers. With k images
    (k, C, H, W), each map is laid over its own, which stands above it; `arrows` lead from the class
    token to so many patches, those with the largest shares that do not touch each other; `frame` is
    the (row, column) of a patch that is framed everywhere, and the `outlined` highest patches of each
    map are framed in it.
    """
    rows, across = grid_size
    maps = as_array(weights)
    if maps.ndim not in (2, 3) or maps[0].size != rows * across:
        raise ValueError(f"expected k maps of {rows} × {across} patches, got {maps.shape}")
    maps = maps.reshape(len(maps), rows, across)
    names = [f"map {i + 1}" for i in range(len(maps))] if names is None else list(names)
    if len(names) != len(maps):
        raise ValueError(f"{len(names)} names for {len(maps)} maps")
    images = as_array(image)
    single = images.ndim == 3
    if single:
        images = images[None]
    elif len(images) != len(maps):
        raise ValueError(f"{len(images)} images for {len(maps)} maps")
    columns = min(columns, len(maps) + 1) if single else len(maps)
    gap, above = 1.6, 5.4 if arrows else 2.8
    width = min((62 - gap * (columns - 1)) / columns, 24)
    high = width * images.shape[2] / images.shape[3]
    pitch = high + above + 3.2
    lift = 0 if single else 2  # names stand only above the images
    one_scale = full is not None and not scale  # it needs a line of its own, below all maps
    height = 2 - lift + pitch * -(-(len(maps) + len(images)) // columns)
    card = Card(height=height + 2 * one_scale)
    left = WIDTH / 2 - (columns * (width + gap) - gap) / 2
    below = "full purple:" if full is None else "up to"
    said = []
    for i, name in enumerate(["image", *names] if single else [*names, *names]):
        row, column = divmod(i, columns)
        x, y = left + column * (width + gap), 1 + row * (pitch - lift) + above
        if frame is not None:
            corner = x + frame[1] * width / across, y + frame[0] * high / rows
            card.rectangle(*corner, width / across, high / rows, "none", HEAD, 1.8, zorder=5)
        k = i - len(images)  # of the map
        card.picture(x, y, width, high, images[i] if k < 0 else _pale(images[0 if single else k]))
        if single or k < 0:
            card.text(x + width / 2, y - above + 1.4, name, 11)
        if k < 0:
            continue
        shares = maps[k]
        _purple(card, x, y, width, high, shares, shares.max() if full is None else float(full))
        if not scale:
            card.text(x + width / 2, y + high + 1.6, f"{below} {shares.max():.1%}", 10, QUIET)
        if arrows:
            card.token(x + width / 2 - 1.2, y - 3, CLASS, 2.4)
        for patch in np.argsort(shares, axis=None)[::-1][:outlined]:
            r, c = divmod(int(patch), across)
            corner = x + c * width / across, y + r * high / rows
            card.rectangle(*corner, width / across, high / rows, "none", HEAD, 1.4, zorder=5)
        for r, c in _peaks(shares, arrows):
            to = x + (c + 0.5) * width / across, y + (r + 0.5) * high / rows
            line = 0.7 + 1.3 * shares[r, c] / shares.max()
            card.arrow((x + width / 2, y - 0.6), to, colour=CLASS, line=line, zorder=4)
        r, c = divmod(int(shares.argmax()), across)
        most = "highest" if scale else f"up to {shares.max():.1%},"
        said.append(f"{name}: {most} at row {r}, column {c}")
    if one_scale:
        card.text(WIDTH / 2, y + high + 3.6, f"full purple: {full:.0%} or more", 10, QUIET)
    elif scale:
        card.text(WIDTH / 2, y + high + 1.6, f"full purple: {scale}", 10, QUIET)
    show(
        f"an image, and {len(maps)} times the same image with the attention to its {rows} × "
        f"{across} patches laid over it, purple where there is much",
        parts=said,
    )


def journey(image, weights, grid_size, scores, class_names, classes=4, title=""):
    """An image (C, H, W) on the way of its class token through L blocks: where the token looks, and
    what a probe reads from it.

    `weights` (L, N) are its attention to the patches of a grid, mean over heads. All maps have one
    scale, which ends at the largest share of any block and is written below the image; patches with
    half of that or more are framed. `scores` (L + 1, K) are what the probes read before the first
    block and after each, about 0 to 1. Only the classes are listed that are read best at the end, or
    in the most blocks before. More than three maps stand in two rows, so that each is large enough to
    see where it is purple.
    """
    rows, columns = grid_size
    maps, scores = as_array(weights), as_array(scores)
    if maps.ndim != 2 or maps.shape[1] != rows * columns or not 1 <= len(maps) <= 9:
        raise ValueError(f"expected 1 to 9 maps of {rows} × {columns} patches, got {maps.shape}")
    if scores.shape != (len(maps) + 1, len(class_names)):
        expected = (len(maps) + 1, len(class_names))
        raise ValueError(f"expected scores {expected}: a row more than maps, is {scores.shape}")
    firsts = scores.argmax(axis=1)
    lead = np.bincount(firsts[1:], minlength=len(class_names))
    rank = np.lexsort((-scores[-1], -lead, np.arange(len(lead)) != firsts[-1]))  # last key first
    listed = rank[:classes].tolist()

    gap, top, cell, photo = 1.2, 3.4 if title else 0.6, 3.0, 17.0
    across = len(maps) if len(maps) <= 3 else -(-len(maps) // 2)
    left = photo + 2.6
    width = min((WIDTH - 1 - left + gap) / across - gap, 20)
    tall = image.shape[1] / image.shape[2]
    pitch = width * tall + 3.6
    table = top + max(pitch * -(-len(maps) // across), photo * tall + 6.4) + 1.2
    card = Card(height=table + 2.4 + cell * len(listed) + 1)
    if title:
        card.text(WIDTH / 2, 1.5, title, 12)
    full = maps.max()
    card.text(1 + photo / 2, top + 1.4, "the image", 11)
    card.picture(1, top + 3, photo, photo * tall, image)
    card.text(1 + photo / 2, top + photo * tall + 4.8, f"full purple: {full:.0%}", 10.5, QUIET)
    for block, shares in enumerate(maps):
        x = left + (block % across) * (width + gap)
        y = top + (block // across) * pitch
        card.text(x + width / 2, y + 1.4, f"block {block + 1}", 11)
        card.picture(x, y + 3, width, width * tall, _pale(image, 0.6))
        _purple(card, x, y + 3, width, width * tall, shares.reshape(rows, columns), full)
        for patch in np.flatnonzero(shares >= full / 2):
            row, column = divmod(int(patch), columns)
            corner = x + column * width / columns, y + 3 + row * width * tall / rows
            card.rectangle(
                *corner, width / columns, width * tall / rows, "none", HEAD, 1.2, zorder=5
            )
    names, said = 10.5, []
    step = (WIDTH - names - 1) / len(scores)
    card.text(names - 0.8, table + 0.8, "scores", 10, QUIET, ha="right")
    for column, read in enumerate(scores):
        x = names + column * step
        place = f"after {column}" if column else "start"
        card.text(x + (step - 0.7) / 2, table + 0.8, place, 10, QUIET)
        for row, k in enumerate(listed):
            share = float(np.clip(read[k], 0, 1))
            words = f"{read[k]:.2f}".replace("-0.00", "0.00")
            y = table + 2.4 + row * cell
            card.cell(x, y, step - 0.7, cell, tint(CLASS, share), words, 10)
        said.append(f"{place}: {class_names[firsts[column]]}")
    for row, k in enumerate(listed):
        card.text(names - 0.8, table + 2.4 + (row + 0.5) * cell, class_names[k], 11, ha="right")
    show(
        f"an image, and {len(maps)} times the same image, purple where the class token looks in each "
        "block; below each, how clearly a probe reads which class from the token",
        title,
        said,
    )


def windows(image, sides, title=""):
    """A square image (C, H, H), once for each number of pixels that a model sees to a side, with an
    orange frame around each window of that size: one in the upper left corner and one in the lower
    right, or a single one around the middle if it is larger than the image. What lies in no frame
    is pale.
    """
    _, H, W = image.shape
    if H != W:
        raise ValueError(f"windows are drawn on square images, not on {H} × {W} pixels")
    gap, largest, top = 1.6, max(*sides, H), 3.8
    scale = min((WIDTH - 4 - gap * (len(sides) - 1)) / len(sides), 26) / largest
    wide = largest * scale
    left = (WIDTH - len(sides) * (wide + gap) + gap) / 2
    card = Card(height=top + wide + 1.2)
    for k, side in enumerate(sides):
        middle = left + k * (wide + gap) + wide / 2
        card.text(middle, 1.9, f"sees {side} pixels", 13, weight="bold")
        x, y = middle - H * scale / 2, top + (wide - H * scale) / 2
        seen, beyond = min(side, H), max(side - H, 0) / 2
        card.strength = FAINT
        card.picture(x, y, H * scale, H * scale, image)
        card.strength = 1
        for start in sorted({0, H - seen}):  # both corners, if they differ: pixels
            end = start + seen
            corner = x + start * scale, y + start * scale
            card.picture(*corner, seen * scale, seen * scale, image[:, start:end, start:end])
            frame = (place - beyond * scale for place in corner)
            card.rectangle(*frame, side * scale, side * scale, "none", SERIES[4], 2.4, zorder=4)
    seen = [f"{side}: {min(side, H)} × {min(side, H)} pixels of it" for side in sides]
    show(
        f"the same image of {H} × {H} pixels {len(sides)} times, each with frames around the most that "
        "is seen from one place: in two corners, unless one frame holds it all",
        title,
        seen,
    )
