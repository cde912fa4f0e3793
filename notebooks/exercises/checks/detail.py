"""The exercises of notebook 16: what a token can keep of a patch, and noise."""

import torch

from .engine import Answer, Piece
from .helpers import random


def rebuild(patches, training_patches, k):
    """Patches (n, m), squeezed into k numbers each by PCA and rebuilt: (n, m)."""
    return rebuilt_with()(patches, training_patches, k)


def rebuilt_with(
    mean=lambda patches, training: training.mean(dim=0),
    kept=lambda directions, k: directions[:, -k:],
    subtract=True,
    add=True,
    back=True,
):
    """A version that takes another mean or other directions, or leaves out a step."""

    def piece(patches, training_patches, k):
        middle = mean(patches, training_patches)
        _, directions = torch.linalg.eigh(torch.cov(training_patches.T))
        matrix = kept(directions, k)
        numbers = (patches - middle if subtract else patches) @ matrix
        if not back:
            return numbers
        return numbers @ matrix.T + (middle if add else 0)

    return piece


def patch_cases():
    """Numbers of unlike variance and a mean that is far from zero."""
    for n, m, count, k in ((5, 6, 20, 2), (3, 4, 30, 3), (7, 8, 12, 1), (1, 5, 40, 4)):
        scale = torch.arange(1.0, m + 1).flip(0)
        yield {
            "patches": random(n, m, seed=1) * scale + 3,
            "training_patches": random(count, m) * scale + torch.arange(float(m)),
            "k": k,
        }


def noisy(images, noise):
    """Images 0 … 255 of type uint8, plus whole numbers of noise."""
    return (images + noise).clamp(0, 255).to(torch.uint8)


def wrapped(images, noise):
    """The noise added modulo 256."""
    return (images + noise).to(torch.uint8)


def noisy_cases():
    yield {
        "images": torch.tensor([250, 128, 3], dtype=torch.uint8),
        "noise": torch.tensor([10, 10, -10]),
    }
    for shape, deviation in (((1, 3, 4, 4), 64), ((2, 1, 5, 3), 200), ((2, 3, 2, 2), 8)):
        yield {
            "images": (random(*shape) * 80 + 128).clamp(0, 255).to(torch.uint8),
            "noise": (random(*shape, seed=1) * deviation).round().long(),
        }


EXERCISES = [
    Piece(
        "rebuild",
        "16.1",
        "What k numbers can keep of a patch",
        level=2,
        minutes=8,
        reference=rebuild,
        cases=patch_cases,
        has_gradient=False,
        mistakes={
            "these are the k numbers of each patch: on the way back they are multiplied with the "
            "same matrix, transposed": rebuilt_with(back=False),
            "the mean is missing at the end: what was subtracted has to be added again": (
                rebuilt_with(add=False)
            ),
            "the mean was added at the end, and not subtracted before": rebuilt_with(
                subtract=False
            ),
            "there is no mean: subtract it, and add it again at the end": rebuilt_with(
                subtract=False, add=False
            ),
            "these are the k directions with least variance: those with most come last": (
                rebuilt_with(kept=lambda directions, k: directions[:, :k])
            ),
            "directions are columns, and here rows are taken": rebuilt_with(
                kept=lambda directions, k: directions[-k:].T
            ),
            "this is the mean of the patches that are rebuilt: take that of the training patches": (
                rebuilt_with(mean=lambda patches, training: patches.mean(dim=0))
            ),
            "this is one mean of all numbers: each of the m numbers has a mean of its own, dim=0": (
                rebuilt_with(mean=lambda patches, training: training.mean())
            ),
            "the last direction, with most variance, is left out": rebuilt_with(
                kept=lambda directions, k: directions[:, -k - 1 : -1]
            ),
        },
    ),
    Answer(
        "noise_of_a_mean",
        "16.2",
        "The noise of a mean",
        level=1,
        minutes=3,
        expected=4.0,
        mistakes={
            0.5: "the variance falls by a factor of 64, and the standard deviation by its root",
            32: "this is the noise of one pixel: in a mean much of it cancels",
            256: "this is the noise of the sum: divide it by the number of pixels",
            2048: "noise of 64 pixels does not add up to 64 times as much: it cancels in part",
            8: "this is for a patch of 4 × 4: how many red values has one of 8 × 8?",
            16: "this is the variance: take its root",
        },
    ),
    Piece(
        "noisy",
        "16.3",
        "Find the bug: noise on bright pixels",
        level=1,
        minutes=5,
        reference=noisy,
        broken=wrapped,
        cases=noisy_cases,
        has_gradient=False,
        mistakes={
            "the type is still that of the noise: end with .to(torch.uint8)": (
                lambda images, noise: (images + noise).clamp(0, 255)
            ),
            "numbers below 0 are not cut off": (
                lambda images, noise: (images + noise).clamp(max=255).to(torch.uint8)
            ),
            "numbers above 255 are not cut off": (
                lambda images, noise: (images + noise).clamp(min=0).to(torch.uint8)
            ),
            "it is the sum that has to lie between 0 and 255, not the noise": (
                lambda images, noise: (images + noise.clamp(0, 255)).to(torch.uint8)
            ),
            "the range ends at 255, not at 1": (
                lambda images, noise: (images + noise).clamp(0, 1).to(torch.uint8)
            ),
            "the largest of a uint8 is 255, not 256": (
                lambda images, noise: (images + noise).clamp(0, 256).to(torch.uint8)
            ),
        },
    ),
]
