"""The exercises of notebook 17: loss scaling, and unequal shares of a batch."""

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .engine import Piece
from .helpers import first_optimizer, pairs, random
from .words import truth_from


class WithGain(nn.Linear):
    """A linear map whose bias counts a thousandfold, so that its gradient overflows first."""

    def forward(self, x):
        return nn.functional.linear(x, self.weight, 1000 * self.bias)


class WithLoudInput(nn.Linear):
    """A linear map whose last input counts a thousandfold: of one gradient a part overflows first."""

    def __init__(self, num_inputs, num_outputs):
        super().__init__(num_inputs, num_outputs)
        self.gain = torch.ones(num_inputs)
        self.gain[-1] = 1000
        with torch.no_grad():
            self.weight /= self.gain

    def forward(self, x):
        return nn.functional.linear(x, self.gain * self.weight, self.bias)


def gradients_are_finite(model):
    return all(bool(p.grad.isfinite().all()) for p in model.parameters())


def a_number_is_finite(model):
    """Whether of each gradient some number is finite, which is not enough."""
    return all(bool(p.grad.isfinite().any()) for p in model.parameters())


def a_gradient_is_finite(model):
    """Whether one gradient is finite, which is not enough."""
    return any(bool(p.grad.isfinite().all()) for p in model.parameters())


def scaled_step(model, optimizer, loss, scale):
    """A step against the gradient of `scale` times the loss, divided by it; none if that overflows."""
    return step_that()(model, optimizer, loss, scale)


def step_that(
    zeroes=True,
    scales=True,
    divides=True,
    looks=gradients_are_finite,
    part_by_part=False,
    answer=bool,
):
    """A step with loss scaling, or one that leaves something of it out."""

    def piece(model, optimizer, loss, scale):
        if zeroes:
            optimizer.zero_grad()
        (scale * loss if scales else loss).backward()
        finite = (looks or gradients_are_finite)(model)
        for parameter in model.parameters():
            if divides:
                parameter.grad /= scale
            if part_by_part and not parameter.grad.isfinite().all():
                parameter.grad = None
        if finite or part_by_part or not looks:
            optimizer.step()
        return answer(finite)

    return piece


def scaled_steps(piece, seed, steps, kind=nn.Linear, optimizer=torch.optim.SGD, **settings):
    """What steps of a linear model answer, and its weights after them. Each has a scale, and a
    brightness of its images, and some overflow.
    """
    torch.manual_seed(seed)
    model = kind(4, 3)
    optimizer = optimizer(model.parameters(), **settings)
    images, labels = random(6, 4, seed=seed), torch.arange(6) % 3
    cross_entropy(model(images), labels).backward()  # somebody looked at a gradient before
    answers = []
    for scale, brightness in steps:
        loss = cross_entropy(model(brightness * images), labels)
        answers.append(truth_from(piece(model, optimizer, loss, scale)))
    return {f"what step {i} answers": answer for i, answer in enumerate(answers, 1)} | {
        "the weights after all steps": model.weight.detach().clone(),
        "the biases after all steps": model.bias.detach().clone(),
    }


def step_cases():
    first_optimizer()
    sgd = {"optimizer": torch.optim.SGD, "lr": 0.5}
    momentum = {"optimizer": torch.optim.SGD, "lr": 1e-3, "momentum": 0.9}
    return [
        {"seed": 0, "steps": ((1024.0, 1), (1e38, 1000), (256.0, 1)), **sgd},
        {"seed": 1, "steps": ((64.0, 1), (1e38, 1000), (2.0, 1), (512.0, 1)), **momentum},
        {
            "seed": 2,
            "steps": ((8.0, 1), (3e36, 1e-3), (4.0, 1), (1e37, 1e3)),  # one overflows, then both
            "kind": WithGain,
            **momentum,
        },
        {
            "seed": 4,
            "steps": ((8.0, 1), (1e37, 1), (4.0, 1)),
            "kind": WithLoudInput,
            "optimizer": torch.optim.SGD,
            "lr": 1e-6,
        },
        {"seed": 3, "steps": ((8.0, 1), (16.0, math.inf), (4.0, 1)), **sgd},
    ]


def shared_gradient(gradients, sizes):
    """The gradient of the mean loss over all images, from those over each process's share."""
    weighted = [n * gradient for gradient, n in zip(gradients, sizes, strict=True)]
    return sum(weighted) / sum(sizes)


def shares():
    for sizes in ((48, 16), (1, 2, 3), (5, 5), (2, 9, 4, 1)):
        gradients = [random(3, 2, seed=i) for i in range(len(sizes))]
        yield {"gradients": gradients, "sizes": list(sizes)}


STEP_STEPS = {
    "the gradients are not divided by the scale (`gradient / scale` alone changes nothing)": {
        "divides": False
    },
    "nobody looks whether all gradients are finite": {"looks": False},
    "the loss is not multiplied": {"scales": False},
    "zero_grad is missing": {"zeroes": False},
    "the answer is turned round": {"answer": lambda finite: not finite},
    "the answer is always True": {"answer": lambda finite: True},
}


def zeroed_afterwards(model, optimizer, loss, scale):
    (scale * loss).backward()
    optimizer.zero_grad()
    optimizer.step()
    return True


def by_the_loss(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    for parameter in model.parameters():
        parameter.grad /= scale
    if loss.isfinite():
        optimizer.step()
    return bool(loss.isfinite())


def zeroed_at_the_end(model, optimizer, loss, scale):
    taken = step_that(zeroes=False)(model, optimizer, loss, scale)
    optimizer.zero_grad()
    return taken


def more_steps():
    return (
        {
            "zero_grad comes after backward, and throws away what it gave": zeroed_afterwards,
            "only the loss is looked at: it may be finite and a gradient of it not": by_the_loss,
            "zero_grad comes at the end: gradients that somebody left before are still there": (
                zeroed_at_the_end
            ),
        }
        | {words: step_that(**steps) for words, steps in STEP_STEPS.items()}
        | pairs(step_that, STEP_STEPS)
    )


EXERCISES = [
    Piece(
        "scaled_step",
        "17.1",
        "Loss scaling by hand",
        level=2,
        minutes=10,
        reference=scaled_step,
        use=scaled_steps,
        cases=step_cases,
        more=more_steps,
        has_gradient=False,
        mistakes={
            "the gradients are not divided by the scale: the step is `scale` times too long": (
                step_that(divides=False)
            ),
            "a step is taken though a gradient is infinite, which does the weights no good: look first": (
                step_that(looks=False)
            ),
            "nobody looks whether the gradients are finite: a step along infinite ones ruins the "
            "weights, and True says that it was taken": (
                step_that(looks=False, answer=lambda finite: True)
            ),
            "the loss is not multiplied before `backward`, so that small gradients stay small, and "
            "dividing makes them smaller still": step_that(scales=False),
            "there is no loss scaling in it: multiply before `backward`, divide after it": (
                step_that(scales=False, divides=False)
            ),
            "the gradients of the step before are still there: zero_grad": step_that(zeroes=False),
            "of a gradient some numbers are finite and others not: all have to be, `.all()`": step_that(
                looks=a_number_is_finite
            ),
            "one gradient is finite and another not: all have to be": step_that(
                looks=a_gradient_is_finite
            ),
            "a part of the model is moved: if one gradient overflows, leave out the whole step": (
                step_that(part_by_part=True)
            ),
            "the answer is turned round: True means that the step was taken": step_that(
                answer=lambda finite: not finite
            ),
        },
    ),
    Piece(
        "shared_gradient",
        "17.2",
        "Find the bug: unequal shares",
        level=1,
        minutes=5,
        reference=shared_gradient,
        broken=lambda gradients, sizes: sum(gradients) / len(gradients),
        cases=shares,
        has_gradient=False,
        mistakes={
            "it is not divided by the number of all images": (
                lambda gradients, sizes: sum(n * g for g, n in zip(gradients, sizes, strict=True))
            ),
            "it is divided by the number of processes: the shares should sum to 1": (
                lambda gradients, sizes: (
                    sum(n * g for g, n in zip(gradients, sizes, strict=True)) / len(sizes)
                )
            ),
            "one process is taken, the largest: all images count": (
                lambda gradients, sizes: gradients[sizes.index(max(sizes))]
            ),
            "the mean of the gradients is multiplied by the number of images: weigh each with its own": (
                lambda gradients, sizes: sum(gradients) / len(gradients) * sum(sizes)
            ),
            "the gradients are added up and not averaged": lambda gradients, sizes: sum(gradients),
            "the shares are turned round: more images should count more": (
                lambda gradients, sizes: (
                    sum(g / n for g, n in zip(gradients, sizes, strict=True))
                    / sum(1 / n for n in sizes)
                )
            ),
        },
    ),
]
