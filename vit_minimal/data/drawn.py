"""Images that are drawn, not downloaded: Shapes-10, Needle-10 and Corners-2.

The same seed gives the same bytes on every platform: only operations that IEEE 754 rounds exactly
are used, and numpy's legacy generator, whose stream is frozen. The first images of a seed do not
depend on how many are drawn.
"""

import numpy as np
import torch

CHUNK = 250  # images drawn at a time, so that the arrays fit into the caches


def _in_chunks(n, seed, draw):
    """The first `n` of what `draw(random)` gives, CHUNK at a time: one tensor for each array.

    ValueError if `n` is below 0.
    """
    if n < 0:
        raise ValueError(f"the number of images to draw must be at least 0, is {n}")
    random = np.random.RandomState(seed)
    chunks = [draw(random) for _ in range(max(1, -(-n // CHUNK)))]
    return tuple(torch.from_numpy(np.concatenate(part)[:n]) for part in zip(*chunks, strict=True))


# ------------------------------------------------------------------------------------ Shapes-10

SHAPES10_CLASSES = (
    "disc", "ring", "square", "frame", "triangle",
    "plus", "cross", "crescent", "stripes", "hourglass",
)  # fmt: skip
SHAPES10_TEST_SEED = 1_000  # far from the small seeds on which recipes are tried and chosen


def shapes10(n, seed=0):
    """`n` drawn images uint8 (n, 3, 32, 32) and their labels int64 (n,): ten kinds of shape.

    Place, size, tilt and colours are random, clutter lies below and in front.
    """
    return _in_chunks(n, seed, _draw_shapes)


def _draw_shapes(random):
    """Images and labels of one chunk."""
    draws = np.float32(random.random_sample((CHUNK, 64)))  # a row decides one image
    noise = np.float32(random.random_sample((CHUNK, 3, 32, 32)))
    column = iter(draws.T[:, :, None, None])  # each use takes the next (n, 1, 1) of them

    def between(low, high):
        return low + (high - low) * next(column)

    def colour(low, high):
        return np.stack([between(low, high) for _ in range(3)], axis=1)  # (n, 3, 1, 1)

    def paint(canvas, coverage, colour):
        return canvas + coverage[:, None] * (colour - canvas)

    y, x = np.float32(np.mgrid[:32, :32][:, None] + 0.5)  # (1, 32, 32) each, in pixels

    def blob():
        """How much of each pixel a small oblong covers: clutter."""
        dx, dy = x - between(0, 32), y - between(0, 32)
        wide, high = between(0.8, 2.6), between(0.8, 2.6)
        return np.clip(1.5 - np.sqrt((dx / wide) ** 2 + (dy / high) ** 2), 0, 1)

    labels = np.minimum((next(column) * 10).astype(np.int64), 9)  # (n, 1, 1)
    dark, bright = colour(10, 120), colour(140, 250)
    swap = (next(column) < 0.5)[:, None]  # dark on bright as often as bright on dark
    background, foreground = np.where(swap, bright, dark), np.where(swap, dark, bright)
    ramp = (x + y - 32) * between(-1, 1)
    canvas = background + ramp[:, None]  # (n, 3, 32, 32)
    for _ in range(3):
        canvas = paint(canvas, blob(), colour(0, 256))

    radius = between(7, 12)
    centre_x, centre_y = between(11, 21), between(11, 21)
    tilt = between(-0.1, 0.1)  # tan of half the angle: no sine, whose last bit varies
    cos, sin = (1 - tilt**2) / (1 + tilt**2), 2 * tilt / (1 + tilt**2)
    dx, dy = (x - centre_x) / radius, (y - centre_y) / radius
    u, v = cos * dx + sin * dy, cos * dy - sin * dx  # the shape's own axes, its size is 1
    inside = np.choose(labels, _shape_distances(u, v))
    canvas = paint(canvas, np.clip(inside * radius + 0.5, 0, 1), foreground)

    for _ in range(2):
        canvas = paint(canvas, blob(), colour(0, 256))
    return np.clip(canvas + 24 * noise - 12, 0, 255).astype(np.uint8), labels[:, 0, 0]


def _shape_distances(u, v):
    """For each class how far (u, v) lies inside its shape, about, in units of its size."""
    wide, high = np.abs(u), np.abs(v)
    away, square = np.sqrt(u * u + v * v), np.maximum(wide, high)
    slant, fall = np.abs(u + v) * 0.7071, np.abs(u - v) * 0.7071  # 45° turned
    return [
        0.9 - away,  # disc
        0.2 - np.abs(away - 0.75),  # ring
        0.8 - square,  # square
        0.18 - np.abs(square - 0.68),  # frame
        0.5 - np.maximum(v, 0.866 * wide - 0.5 * v),  # triangle
        np.maximum(np.minimum(0.24 - wide, 0.95 - high), np.minimum(0.24 - high, 0.95 - wide)),
        np.maximum(np.minimum(0.24 - slant, 0.95 - fall), np.minimum(0.24 - fall, 0.95 - slant)),
        np.minimum(0.95 - away, np.sqrt((u - 0.5) ** 2 + v * v) - 0.75),  # crescent
        np.minimum(0.9 - wide, 0.17 - np.abs(np.abs(high - 0.35) - 0.35)),  # stripes
        np.minimum(0.85 - high, (high - wide) * 0.7071 + 0.08),  # hourglass
    ]


# ------------------------------------------------------------------------------------ Needle-10

NEEDLE10_CLASSES = (
    "top", "left", "rows", "columns", "checks",
    "blocks", "diagonal", "antidiagonal", "ring", "cross",
)  # fmt: skip
_PATTERNS = (  # 4 × 4 pixels a class, half of them bright: brightness alone says nothing
    "1111 1111 0000 0000", "1100 1100 1100 1100", "1111 0000 1111 0000", "1010 1010 1010 1010",
    "1010 0101 1010 0101", "1100 1100 0011 0011", "1100 0110 0011 1001", "0011 0110 1100 1001",
    "0110 1001 1001 0110", "1001 0110 0110 1001",
)  # fmt: skip


def needle10(n, seed=0):
    """`n` images uint8 (n, 3, 32, 32), their labels int64 (n,), and where the answer is, int64 (n,).

    An image is 8 × 8 tiles of 4 × 4 pixels, each with one of ten patterns. One tile is warm (more
    red than blue), the others are cool: the pattern of the warm one is the class, and its index
    (row by row, as `patchify` counts patches of 4 × 4) is the place that a model has to look at.
    """
    return _in_chunks(n, seed, _hide_needles)


def _hide_needles(random):
    """Images, labels and places of one chunk."""
    draws = random.random_sample((CHUNK, 64, 6))  # a row for each tile
    noise = random.random_sample((CHUNK, 3, 32, 32))
    patterns = np.array([[int(bit) for bit in p.replace(" ", "")] for p in _PATTERNS])
    kinds = (draws[..., 0] * 10).astype(np.int64)  # (n, 64)
    places = (draws[:, 0, 5] * 64).astype(np.int64)
    image = np.arange(CHUNK)

    grey = 100 + 100 * draws[..., 1]
    cool = 20 + 30 * draws[..., 2]
    cool[image, places] *= -1  # the rest varies more: few random projections single it out
    colours = np.stack([grey - cool, grey + 120 * draws[..., 3] - 60, grey + cool], axis=-1)
    shade = np.where(patterns[kinds], 1.0, 0.6 * draws[..., 4, None])  # (n, 64, 16)
    tiles = colours[..., None] * shade[:, :, None]  # (n, 64, 3, 16)
    tiles = tiles.reshape(-1, 8, 8, 3, 4, 4).transpose(0, 3, 1, 4, 2, 5)  # rows, columns of pixels
    images = np.clip(tiles.reshape(-1, 3, 32, 32) + 24 * noise - 12, 0, 255).astype(np.uint8)
    return images, kinds[image, places], places


# ------------------------------------------------------------------------------------ Corners-2


def corners2(n, seed=0, near=False):
    """`n` images uint8 (n, 3, 32, 32) of 8 × 8 grey tiles but for two corners, upper left and lower
    right, each of which is warm (more red than blue) or cool; labels int64 (n,): 1 if both are of
    one kind, 0 if not. Neither corner alone says anything about the label. If they shall be `near`,
    the lower right tile changes places with the one on the right of the upper left.
    """
    images, labels = _in_chunks(n, seed, _colour_corners)
    if near:
        beside, corner = images[:, :, :4, 4:8].clone(), images[:, :, -4:, -4:].clone()
        images[:, :, :4, 4:8], images[:, :, -4:, -4:] = corner, beside
    return images, labels


def _colour_corners(random):
    """Images and labels of one chunk."""
    draws = random.random_sample((CHUNK, 8, 8, 2))
    corners = random.random_sample((CHUNK, 2, 2))
    noise = random.random_sample((CHUNK, 3, 32, 32))
    warm = corners[..., 0] < 0.5  # (n, 2)
    tint = np.zeros((CHUNK, 8, 8))
    tint[:, [0, -1], [0, -1]] = (30 + 30 * corners[..., 1]) * np.where(warm, 1, -1)
    grey = 90 + 75 * draws[..., 0]
    tiles = np.stack([grey + tint, grey + 20 * draws[..., 1] - 10, grey - tint], axis=1)
    images = tiles.repeat(4, axis=2).repeat(4, axis=3) + 24 * noise - 12
    labels = (warm[:, 0] == warm[:, 1]).astype(np.int64)
    return np.clip(images, 0, 255).astype(np.uint8), labels
