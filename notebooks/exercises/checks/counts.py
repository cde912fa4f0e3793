"""A formula for the number of parameters, and what it may forget."""

from dataclasses import replace
from itertools import combinations
from unittest import mock

from torch import nn

from .helpers import Wrong, without_numpy


def parameters_of_layers(config):
    """Of one block's attention and MLP."""
    D, hidden = config.embed_dim, int(config.embed_dim * config.mlp_ratio)
    return 4 * D * D + 4 * D + 2 * D * hidden + hidden + D


def parameters_of(config):
    """The number of parameters of a class-token ViT with learned positions, by a formula."""
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N = (config.image_size // P) ** 2
    embedding = config.in_channels * P * P * D + D
    norms = (2 * L + 1) * 2 * D
    head = D * config.num_classes + config.num_classes
    return embedding + D + (N + 1) * D + L * parameters_of_layers(config) + norms + head


def parameters_without(missing):
    """A formula that forgets missing(config) parameters."""
    return lambda config: parameters_of(config) - missing(config)


def counted(piece, config):
    """What a formula gives for a model; a whole number with a point behind it will do."""

    def refuse(*_, **__):
        raise Wrong("it builds a model: work the number out from `config` alone, by a formula")

    with mock.patch.object(nn.Module, "__init__", refuse):
        number = without_numpy(piece(config))
    return int(number) if isinstance(number, float) and number.is_integer() else number


PARTS = {  # what a formula may forget or count twice, and how many numbers that is
    "the class token": lambda c: c.embed_dim,
    "the positions": lambda c: c.embed_dim * ((c.image_size // c.patch_size) ** 2 + 1),
    "the matrix of the patch embedding": lambda c: c.in_channels * c.patch_size**2 * c.embed_dim,
    "the bias of the patch embedding": lambda c: c.embed_dim,
    "the biases of qkv": lambda c: 3 * c.depth * c.embed_dim,
    "the biases of proj": lambda c: c.depth * c.embed_dim,
    "the biases of the MLP": lambda c: c.depth * (int(c.embed_dim * c.mlp_ratio) + c.embed_dim),
    "one of each norm's scale and shift in the blocks": lambda c: 2 * c.depth * c.embed_dim,
    "the norms of the blocks": lambda c: 4 * c.depth * c.embed_dim,
    "the last norm": lambda c: 2 * c.embed_dim,
    "the bias of the head": lambda c: c.num_classes,
    "the matrix of the head": lambda c: c.num_classes * c.embed_dim,
    "all channels of a patch but one": lambda c: (
        (c.in_channels - 1) * c.patch_size**2 * c.embed_dim
    ),
    "one of the two sides of the grid of positions": lambda c: (
        c.embed_dim * ((c.image_size // c.patch_size) ** 2 - c.image_size // c.patch_size)
    ),
    "half of the MLP's matrices": lambda c: c.depth * c.embed_dim * int(c.embed_dim * c.mlp_ratio),
    "the whole MLP": lambda c: (
        c.depth * (2 * c.embed_dim * int(c.embed_dim * c.mlp_ratio))
        + c.depth * (int(c.embed_dim * c.mlp_ratio) + c.embed_dim)
    ),
}


def more_counts():
    """Formulas that forget up to three parts, or all biases, or count a part twice."""

    def without(names):
        return parameters_without(lambda c: sum(PARTS[name](c) for name in names))

    few = [names for n in (1, 2, 3) for names in combinations(PARTS, n)]
    biases = [name for name in PARTS if "bias" in name]
    return (
        {f"this is missing: {' and '.join(names)}": without(names) for names in few}
        | {"the biases are missing: every linear map has one": without(biases)}
        | {
            f"{name}: counted twice": parameters_without(lambda c, part=part: -part(c))
            for name, part in PARTS.items()
        }
        | {
            "the MLP is int(D · mlp_ratio) wide, cut off at the end, not int(mlp_ratio) · D": (
                lambda c: parameters_of(replace(c, mlp_ratio=float(int(c.mlp_ratio))))
            ),
        }
    )
