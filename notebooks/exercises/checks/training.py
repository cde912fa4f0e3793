"""The exercises of notebook 05: schedule, validation, and two bugs of training loops."""

import copy
import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .engine import Piece
from .helpers import Wrong, cases_of, random
from .words import number_from
from .wrong_training import (
    after_warmup,
    by_hand,
    learning_rate_at,
    more_schedules,
    step_that_tells,
    step_with,
    step_without_zero,
    with_climb,
)


def whole_schedule(piece, total_steps, warmup_steps, peak):
    """The rates of all steps, asked for from the last to the first."""

    def rate(step):
        value = piece(step, total_steps, warmup_steps, peak)
        one = torch.is_tensor(value) and value.numel() == 1  # will do: a schedule keeps no graph
        return float(number_from(value.item() if one else value))

    return [rate(step) for step in reversed(range(total_steps))][::-1]


def validation_split(images, labels, held_out):
    """Training images and labels, then the last `held_out` of both for validation."""
    return images[:-held_out], labels[:-held_out], images[-held_out:], labels[-held_out:]


def split_cases():
    for n, held_out in ((10, 3), (6, 1), (7, 5)):
        yield {
            "images": random(n, 1, 2, 2),
            "labels": 7 * torch.arange(n) % 5,
            "held_out": held_out,
        }


def share_right(model, images, labels, batch_size):
    """The share of right answers over all images, whatever the size of the last batch."""
    right = 0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        right += (model(x).argmax(dim=1) == y).sum().item()
    return right / len(images)


def batch_accuracies(model, images, labels, batch_size):
    pairs = zip(images.split(batch_size), labels.split(batch_size), strict=True)
    return [(model(x).argmax(dim=1) == y).float().mean().item() for x, y in pairs]


def without_the_last_batch(model, images, labels, batch_size):
    full = len(images) // batch_size * batch_size  # images in full batches
    return count_right(model, images[:full], labels[:full]) / max(1, full)


def mean_of_batches(model, images, labels, batch_size):
    accuracies = batch_accuracies(model, images, labels, batch_size)
    return sum(accuracies) / len(accuracies)


def count_right(model, images, labels):
    model = copy.copy(model)
    model.most = len(images)
    return (model(images).argmax(dim=1) == labels).sum().item()


class Turned(nn.Module):
    """A model whose logits are an image's numbers, read backwards. It takes so many and no more."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def forward(self, x):
        if len(x) > self.most:
            raise Wrong(
                f"the model is given {len(x)} images at once, though batch_size is {self.most}: more "
                "do not fit"
            )
        return x.flip(1)


def accuracy_cases():
    """The last batch is small, and better."""
    for n, batch_size in ((7, 3), (5, 4), (6, 3), (3, 10), (5, 2)):
        images = random(n, 4)
        labels = images.flip(1).argmax(dim=1)
        labels[: n // 2] = (labels[: n // 2] + 1) % 4
        model = Turned(batch_size)
        yield {"model": model, "images": images, "labels": labels, "batch_size": batch_size}
    orders = torch.stack(
        [torch.randperm(4, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    )
    labels = torch.tensor([3, 0, 3, 1, 3, 2])  # the largest score is 3, also where class 3 is wrong
    yield {"model": Turned(4), "images": orders.float(), "labels": labels, "batch_size": 4}


def training_step(model, optimizer, images, labels):
    """One step of an optimizer; gives the loss before it."""
    loss = cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def three_steps(piece, seed, optimizer, brightness=1, **settings):
    """The losses of three steps on a linear model, and its parameters after them."""
    torch.manual_seed(seed)
    model = nn.Linear(4, 3)
    optimizer = optimizer(model.parameters(), **settings)
    images, labels = brightness * random(6, 4, seed=seed), torch.arange(6) % 3
    losses = [number_from(piece(model, optimizer, images, labels)) for _ in range(3)]
    if not model.training:
        raise Wrong("it leaves the model in evaluation mode: the next step trains it as well")
    return {f"the loss that step {i} gives": loss for i, loss in enumerate(losses, 1)} | {
        "the weights after three steps": model.weight.detach().clone(),
        "the biases after three steps": model.bias.detach().clone(),
    }


def step_cases():
    # What a process's first optimizer imports takes seconds, which must not count as the reader's.
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    return [
        {"seed": 0, "optimizer": torch.optim.SGD, "lr": 0.5},
        {"seed": 1, "optimizer": torch.optim.SGD, "lr": 0.1, "momentum": 0.9},
        # gradients that are longer than 1
        {"seed": 3, "optimizer": torch.optim.SGD, "lr": 0.05, "brightness": 5},
        {"seed": 2, "optimizer": torch.optim.AdamW, "lr": 0.02},
    ]


EXERCISES = [
    Piece(
        "learning_rate_at",
        "5.1",
        "Warm-up and cosine",
        level=2,
        minutes=12,
        reference=learning_rate_at,
        use=whole_schedule,
        cases=lambda: (
            cases_of(
                ("total_steps", "warmup_steps", "peak"),
                (20, 4, 1.0),
                (10, 1, 0.01),
                (7, 3, 2e-3),
                (5, 0, 0.1),
            )
            + cases_of(("total_steps", "warmup_steps", "peak"), (300, 10, 1e-3))
        ),
        more=more_schedules,
        has_gradient=False,
        item="step",
        mistakes={
            "the first step is wasted at a rate of zero: step 0 takes 1/warmup_steps of the peak": (
                with_climb(lambda step, n: step / n)
            ),
            "there is no warm-up": with_climb(lambda step, n: 1.0),
            "the cosine runs over all steps: it should begin after the warm-up": (
                lambda step, total, warmup, peak: (
                    learning_rate_at(step, total, warmup, peak)
                    if step < warmup
                    else peak * (1 + math.cos(math.pi * step / total)) / 2
                )
            ),
            "it goes below zero: half a cosine from 1 to 0 is (1 + cos) / 2": after_warmup(
                lambda share: math.cos(math.pi * share)
            ),
            "this is a quarter of a cosine: half of one begins flat and ends flat": after_warmup(
                lambda share: math.cos(math.pi / 2 * share)
            ),
            "it falls in a line: half a cosine begins flat and ends flat": after_warmup(
                lambda share: 1 - share
            ),
            "math.cos takes radians: half a turn is π, not 180": after_warmup(
                lambda share: (1 + math.cos(180 * share)) / 2
            ),
            "the peak is forgotten: these are shares of it": (
                lambda step, total, warmup, peak: learning_rate_at(step, total, warmup, 1.0)
            ),
            "the fall should end one step after the last, at `total_steps`: divide by total_steps − "
            "warmup_steps": (
                lambda step, total, warmup, peak: learning_rate_at(
                    step, max(total - 1, warmup + 1), warmup, peak
                )
            ),
            "step warmup_steps belongs to the fall: the climb ends at warmup_steps − 1": (
                lambda step, total, warmup, peak: (
                    peak * (step + 1) / warmup
                    if step <= warmup
                    else learning_rate_at(step, total, warmup, peak)
                )
            ),
            "it stays at the peak after the warm-up": after_warmup(lambda share: 1.0),
        },
    ),
    Piece(
        "validation_split",
        "5.2",
        "Set images aside",
        level=1,
        minutes=5,
        reference=validation_split,
        cases=split_cases,
        has_gradient=False,
        mistakes={
            "the validation images are trained on too: leave them out of the training part": (
                lambda x, y, n: (x, y, x[-n:], y[-n:])
            ),
            "the first images were set aside: take the last": (
                lambda x, y, n: (x[n:], y[n:], x[:n], y[:n])
            ),
            "training and validation are exchanged": (
                lambda x, y, n: (x[-n:], y[-n:], x[:-n], y[:-n])
            ),
            "the order is wrong: images and labels of one part, then of the other": (
                lambda x, y, n: (x[:-n], x[-n:], y[:-n], y[-n:])
            ),
            "`held_out` is the number to set aside, not the number to train on": (
                lambda x, y, n: (x[:n], y[:n], x[n:], y[n:])
            ),
            "the validation part comes first: the training part should": (
                lambda x, y, n: (x[-n:], x[:-n], y[-n:], y[:-n])
            ),
            "one image too many is set aside: the last `held_out`": (
                lambda x, y, n: (x[: -n - 1], y[: -n - 1], x[-n - 1 :], y[-n - 1 :])
            ),
            "one image too few is set aside, or the last is lost": (
                lambda x, y, n: (x[: len(x) - n + 1], y[: len(x) - n + 1], x[-n + 1 :], y[-n + 1 :])
            ),
            "the labels do not belong to the images any more": (
                lambda x, y, n: (x[:-n], y[n:], x[-n:], y[:n])
            ),
        },
    ),
    Piece(
        "share_right",
        "5.3",
        "Find the bug: accuracy in batches",
        level=2,
        minutes=8,
        reference=share_right,
        broken=mean_of_batches,
        cases=accuracy_cases,
        has_gradient=False,
        mistakes={
            "the last, smaller batch is left out": without_the_last_batch,
            "right answers are divided by the number of batches, not of images": (
                lambda model, images, labels, size: (
                    count_right(model, images, labels) / len(images.split(size))
                )
            ),
            "every batch counts as a full one: the last has fewer images": (
                lambda model, images, labels, size: (
                    count_right(model, images, labels) / (len(images.split(size)) * size)
                )
            ),
            "it gives the number of right answers, not their share": (
                lambda model, images, labels, size: count_right(model, images, labels)
            ),
            "shares of batches are added up, and divided by the number of images: add up how many "
            "are right": lambda model, images, labels, size: (
                sum(batch_accuracies(model, images, labels, size)) / len(images)
            ),
            "`max` gives the largest score, `argmax` says of which class it is": (
                lambda model, images, labels, size: (
                    sum(
                        (model(x).max(dim=1).values == y).sum().item()
                        for x, y in zip(images.split(size), labels.split(size), strict=True)
                    )
                    / len(images)
                )
            ),
            "the share is rounded down to a whole number: `/` divides, `//` rounds down": (
                lambda model, images, labels, size: int(share_right(model, images, labels, size))
            ),
            "the model is never called: its logits are not the images": (
                lambda model, images, labels, size: (
                    count_right(nn.Identity(), images, labels) / len(images)
                )
            ),
            "only one batch is counted": (
                lambda model, images, labels, size: batch_accuracies(model, images, labels, size)[
                    -1
                ]
            ),
        },
    ),
    Piece(
        "training_step",
        "5.4",
        "Find the bug: a step that overshoots",
        level=2,
        minutes=8,
        reference=training_step,
        broken=step_without_zero,
        cases=step_cases,
        use=three_steps,
        has_gradient=False,
        mistakes={
            "the weights do not move as they should: zero_grad, backward, step, in this order; "
            "before `backward` there is no gradient, after `zero_grad` there is none any more": (
                step_with(num_steps=0)
            ),
            "it gives the loss after the step: that before it was asked for": step_that_tells(True),
            "the optimizer is not used: `optimizer.step()` moves the weights, in its own way": by_hand,
            "two steps are made": step_with(num_steps=2),
            "cross_entropy wants logits: it applies the softmax itself": step_with(
                lambda logits, labels: cross_entropy(logits.softmax(dim=1), labels)
            ),
            "the loss is summed over the batch: a mean does not depend on its size": step_with(
                lambda logits, labels: cross_entropy(logits, labels, reduction="sum")
            ),
        },
    ),
]
