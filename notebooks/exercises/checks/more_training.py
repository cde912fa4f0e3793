"""The exercises of notebook 15: two ways of mixing labels."""

import torch

from .engine import Answer, Piece
from .helpers import pairs, random


def mixup(images, targets, order, share):
    """Each image with another: share of its own, 1 − share of number order[i]; targets likewise."""
    weight = share.reshape(-1, 1, 1, 1)
    mixed = weight * images + (1 - weight) * images[order]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[order]


def mix_with(shares=lambda s: s, of_targets=lambda s: s, of_images=lambda s: s):
    """A mixup with other shares: of all, of the targets alone, or of the images alone."""

    def piece(images, targets, order, share):
        share = shares(share)
        mixed, _ = mixup(images, targets, order, of_images(share))
        return mixed, mixup(images, targets, order, of_targets(share))[1]

    return piece


MIX_STEPS = {
    "one share is used for the whole batch, the mean of all: each image has its own": {
        "shares": lambda s: s.mean().expand_as(s)
    },
    "one share is used for the whole batch, that of the first: each image has its own": {
        "shares": lambda s: s[:1].expand_as(s)
    },
    "both images count one half: `share` says how much an image keeps": {
        "shares": lambda s: torch.full_like(s, 0.5)
    },
    "the targets have the shares exchanged": {"of_targets": lambda s: 1 - s},
    "the targets are not mixed": {"of_targets": torch.ones_like},
    "the images have the shares exchanged": {"of_images": lambda s: 1 - s},
    "the images are not mixed": {"of_images": torch.ones_like},
}


def more_mixes():
    return {w: mix_with(**s) for w, s in MIX_STEPS.items()} | pairs(mix_with, MIX_STEPS)


def mixup_cases():
    for B, C, H, W, K in ((4, 3, 2, 5, 10), (5, 1, 4, 4, 3), (1, 3, 2, 2, 4)):
        yield {
            "images": random(B, C, H, W),
            "targets": torch.eye(K)[torch.arange(B) % K],
            "order": torch.arange(B).roll(1),
            "share": random(B, seed=1).sigmoid(),
        }
    yield {
        "images": random(5, 2, 3, 4),
        "targets": random(5, 6, seed=2).softmax(dim=1),  # mixed before, or smoothed
        "order": torch.tensor([3, 1, 4, 0, 2]),  # one is its own partner
        "share": random(5, seed=1).sigmoid(),
    }


EXERCISES = [
    Piece(
        "mixup",
        "15.1",
        "Mixup",
        level=2,
        minutes=10,
        reference=mixup,
        cases=mixup_cases,
        more=more_mixes,
        mistakes={
            "the images are mixed, the targets are not: a blend of two images is of both classes": (
                lambda images, targets, order, share: (
                    mixup(images, targets, order, share)[0],
                    targets,
                )
            ),
            "the shares are exchanged: `share` is what an image keeps of itself": (
                lambda images, targets, order, share: mixup(images, targets, order, 1 - share)
            ),
            "the targets have the shares exchanged": (
                lambda images, targets, order, share: (
                    mixup(images, targets, order, share)[0],
                    mixup(images, targets, order, 1 - share)[1],
                )
            ),
            "the targets are mixed with those of other images: both take number order[i]": (
                lambda images, targets, order, share: (
                    mixup(images, targets, order, share)[0],
                    mixup(images, targets, order.argsort(), share)[1],
                )
            ),
            "one share is used for the whole batch: each image has its own": (
                lambda images, targets, order, share: mixup(
                    images, targets, order, share[:1].expand_as(share)
                )
            ),
            "what is added does not sum to 1: the other image gets 1 − share": (
                lambda images, targets, order, share: (
                    share.reshape(-1, 1, 1, 1) * images + images[order],
                    share[:, None] * targets + targets[order],
                )
            ),
        },
    ),
    Answer(
        "smoothed_share",
        "15.2",
        "Label smoothing",
        level=1,
        minutes=3,
        expected=0.91,
        mistakes={
            0.9 + 0.1 / 9: "the 0.1 is spread over all ten classes, not over the nine others",
            0.8: "0.1 is taken away once, and a tenth of it comes back",
            0.9: "nearly: the 0.1 is spread over all ten classes, and the right one gets its part",
            0.1: "this is what is taken away",
            0.01: "this is the target of each *other* class",
            1.0: "this is the target without smoothing",
        },
    ),
]
