"""The exercises of notebook 00: what goes in, what comes out, and a first free choice."""

import functools
import math

import torch
from torch.nn.functional import cross_entropy

from vit_minimal.augment import normalize
from vit_minimal.data.drawn import shapes10
from vit_minimal.device import random_state_kept
from vit_minimal.vision_transformer import VisionTransformer, ViTConfig

from .engine import Answer, Measurement, Piece
from .helpers import Wrong, pairs, random


def accuracy(logits, labels):
    """The share of images whose largest logit is that of their class, 0 … 1."""
    return (logits.argmax(dim=1) == labels).float().mean().item()


def accuracy_cases():
    for n, num_classes in ((8, 10), (1, 10), (7, 3), (13, 15)):
        logits = random(n, num_classes)
        labels = logits.argmax(dim=1)
        labels[: n // 4] = (labels[: n // 4] + 1) % num_classes
        labels[8:] = (labels[8:] + 1) % num_classes
        yield {"logits": logits, "labels": labels}
    equal = torch.eye(6)[:, [3, 1, 0, 2, 5, 4]]  # square: the wrong axis gives no error
    yield {"logits": equal, "labels": torch.tensor([2, 1, 3, 0, 5, 5])}
    yield {"logits": -1 - random(5, 4).abs(), "labels": torch.tensor([0, 1, 2, 3, 0])}


@functools.cache  # a rate always ends at the same loss
def loss_after_training(learning_rate, steps=60):
    """The last loss of a small ViT after some steps of AdamW on drawn shapes, always the same ones."""
    with random_state_kept():
        torch.manual_seed(0)
        model = VisionTransformer(ViTConfig(patch_size=8, embed_dim=64, depth=2, num_heads=2))
    images, labels = shapes10(100, seed=0)
    x = normalize(images)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    for _ in range(steps):
        loss = cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return cross_entropy(model(x), labels).item()


def try_learning_rate(rate):
    if rate <= 0:
        raise Wrong("a learning rate is positive: at zero nothing moves, below it the loss climbs")
    if rate > 1:
        raise Wrong("this is beyond any step that a ViT survives with AdamW: stay below 1")
    loss = loss_after_training(rate)
    guessing = math.log(10)
    if loss < 0.5:
        print(f"  (the loss ends at {loss:.2f})")
        return
    small = loss_after_training(rate / 4) > loss
    if math.isfinite(loss) and small:
        raise Wrong(
            f"the loss ends at {loss:.2f}, and higher still at a quarter of the rate: the steps "
            "are too small to get anywhere"
        )
    if loss > guessing + 0.5:
        where = "far above guessing"
    elif loss > guessing - 0.2:
        where = "where guessing is"
    else:
        where = "and lower at a quarter of the rate"
    raise Wrong(f"the loss ends at {loss:.2f}, {where}: the steps are too large to settle anywhere")


def axis_slip(axis):
    """argmax along another axis, as far as there are labels for what comes out."""
    return lambda logits, labels: logits.argmax(dim=axis)[: len(labels)] == labels


def accuracy_with(right=lambda logits, labels: logits.argmax(dim=1) == labels, total=None):
    """An accuracy that counts other images as right, or makes another number of them."""
    total = total or (lambda right, logits: right.float().mean().item())
    return lambda logits, labels: total(right(logits, labels), logits)


STEPS = {  # mistakes of which two may come together
    "it compares along the wrong axis, dim=0": {"right": axis_slip(0)},
    "the classes are added up: argmax over dim=1 finds the largest": {
        "right": lambda logits, labels: logits.sum(dim=1).argmax() == labels
    },
    "argmax without a dim gives one place in the whole table: it should be dim=1": {
        "right": lambda logits, labels: logits.argmax() == labels
    },
    "it is in per cent": {"total": lambda right, logits: 100 * right.float().mean().item()},
    "it is a number of images, not a share": {
        "total": lambda right, logits: right.float().sum().item()
    },
    "it is a number of images, and a tensor": {"total": lambda right, logits: right.sum()},
    "it is a tensor: `.item()` is missing": {"total": lambda right, logits: right.float().mean()},
    "it is divided by the number of classes, not of images": {
        "total": lambda right, logits: right.float().sum().item() / logits.shape[1]
    },
}


def more_mistakes():
    return {w: accuracy_with(**s) for w, s in STEPS.items()} | pairs(accuracy_with, STEPS)


EXERCISES = [
    Answer(
        "sequence_length",
        "0.1",
        "How many tokens?",
        level=1,
        minutes=3,
        expected=17,
        mistakes={
            16: "these are the patches: one token more stands in front of them",
            65: "this is the length at P = 4; here P is 8",
            5: "the image is cut along both sides, so into 4 × 4 patches and not 4",
            9: "rows and columns of patches are multiplied, not added: 4 × 4",
            64: "these are the patches at P = 4, without the class token; here P is 8",
            256: "these are patches of 2 × 2; here P is 8",
            1024: "these are the pixels",
            1025: "this is one token for each pixel",
        },
    ),
    Answer(
        "guessing_loss",
        "0.2",
        "The loss of a model that knows nothing",
        level=1,
        minutes=4,
        expected=math.log(10),
        tolerance=3e-3,
        mistakes={
            0.1: "this is the share that it gives the right class: the loss is minus its logarithm",
            1.0: "this is the logarithm to base 10: PyTorch takes the natural one, math.log",
            math.log2(10): "this is the logarithm to base 2: PyTorch takes the natural one",
            -math.log(10): "the sign: minus the logarithm of a share below 1 is positive",
            -math.log(
                0.9
            ): "this is the loss of a model that gives the right class nine tenths: it "
            "gives it 1/10",
            -9
            * math.log(0.9): "only the right class counts, with the share that it was given, 1/10",
            0.9: "this is the share of wrong guesses: the loss is minus the logarithm of 1/10",
        },
    ),
    Piece(
        "accuracy",
        "0.3",
        "From logits to an accuracy",
        level=1,
        minutes=6,
        reference=accuracy,
        cases=accuracy_cases,
        has_gradient=False,
        more=more_mistakes,
        mistakes={
            "it compares along the wrong axis: dim=1 holds the classes, dim=0 the images": (
                lambda logits, labels: (
                    (logits.argmax(dim=0)[: len(labels)] == labels).float().mean().item()
                )
            ),
            "argmax(dim=0) asks which *image* is largest for each class: the classes lie along dim=1": (
                lambda logits, labels: (logits.argmax(dim=0) == labels).float().mean().item()
            ),
            "it gives the number of images, not their share: divide by how many there are": (
                lambda logits, labels: (logits.argmax(dim=1) == labels).float().sum().item()
            ),
            "it gives per cent: the course's accuracies are shares, 0 … 1": (
                lambda logits, labels: 100 * accuracy(logits, labels)
            ),
            "it gives a tensor: `.item()` makes a plain number of it": (
                lambda logits, labels: (logits.argmax(dim=1) == labels).float().mean()
            ),
            "it gives the share of *wrong* images": (
                lambda logits, labels: 1 - accuracy(logits, labels)
            ),
            "it gives the mean of the largest logits: argmax says *which* class, max how much": (
                lambda logits, labels: logits.max(dim=1).values.mean().item()
            ),
        },
    ),
    Measurement(
        "learning_rate",
        "0.4",
        "Find a learning rate",
        level=2,
        minutes=8,
        trial=try_learning_rate,
    ),
]
