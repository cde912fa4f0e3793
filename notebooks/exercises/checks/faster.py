"""The exercises of notebook 11: a limit to speed, what a run is, loss scaling, unequal shares."""

import copy
import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .engine import Answer, Piece
from .helpers import Wrong, pairs, random


class WithGain(nn.Linear):
    """A linear map whose bias counts a thousandfold, so that its gradient overflows first."""

    def forward(self, x):
        return nn.functional.linear(x, self.weight, 1000 * self.bias)


def gradients_are_finite(model):
    return all(bool(p.grad.isfinite().all()) for p in model.parameters())


def scaled_step(model, optimizer, loss, scale):
    """A step against the gradient of `scale` times the loss, divided by it; none if that overflows."""
    return step_that()(model, optimizer, loss, scale)


def step_that(zeroes=True, scales=True, divides=True, looks=True, part_by_part=False, answer=bool):
    """A step with loss scaling, or one that leaves something of it out."""

    def piece(model, optimizer, loss, scale):
        if zeroes:
            optimizer.zero_grad()
        (scale * loss if scales else loss).backward()
        finite = gradients_are_finite(model)
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
        answers.append(bool(piece(model, optimizer, loss, scale)))
    return answers, model.weight.detach().clone(), model.bias.detach().clone()


def step_cases():
    # What a process's first optimizer imports takes seconds, which must not count as the reader's.
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    sgd = {"optimizer": torch.optim.SGD, "lr": 0.5}
    momentum = {"optimizer": torch.optim.SGD, "lr": 1e-3, "momentum": 0.9}
    return [
        {"seed": 0, "steps": ((1024.0, 1), (1e38, 1000), (256.0, 1)), **sgd},
        {"seed": 1, "steps": ((64.0, 1), (1e38, 1000), (2.0, 1), (512.0, 1)), **momentum},
        {"seed": 2, "steps": ((8.0, 1), (3e36, 1e-3), (4.0, 1)), "kind": WithGain, **momentum},
        {"seed": 3, "steps": ((8.0, 1), (16.0, math.inf), (4.0, 1)), **sgd},
    ]


class Snapshot:
    """All that a run needs to go on, as it was at one moment."""

    keeps = ("model", "optimizer", "random", "step")  # what the wrong versions leave out
    copies = ("model", "optimizer")

    def __init__(self, model, optimizer, step):
        def kept(name, state):
            return copy.deepcopy(state) if name in self.copies else state

        self.model = kept("model", model.state_dict())
        self.optimizer = kept("optimizer", optimizer.state_dict())
        self.random, self.step = torch.get_rng_state(), step

    def restore(self, model, optimizer):
        """Bring a model and its optimizer back to that moment; returns the number of steps."""
        if "model" in self.keeps:
            model.load_state_dict(self.model)
        if "optimizer" in self.keeps:
            optimizer.load_state_dict(self.optimizer)
        if "random" in self.keeps:
            torch.set_rng_state(self.random)
        return self.step if "step" in self.keeps else 0


def snapshot(without="", live=()):
    """A Snapshot that leaves a part out, or keeps the tensors themselves and no copy of them."""
    keeps = tuple(name for name in Snapshot.keeps if name != without)
    copies = tuple(name for name in Snapshot.copies if name not in live)
    return type("Snapshot", (Snapshot,), {"keeps": keeps, "copies": copies})


def a_run(kind, momentum=0.9):
    """A small model with dropout and a norm that keeps means, and its optimizer."""
    layers = (nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))
    settings = {"momentum": momentum} if kind is torch.optim.SGD else {}
    model = nn.Sequential(*layers)
    return model, kind(model.parameters(), lr=0.1, **settings)


def train(model, optimizer, first, last):
    """Steps first … last − 1, on drawn batches, at a learning rate that falls from step to step."""
    for step in range(first, last):
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
        loss = cross_entropy(model(torch.randn(6, 4)), torch.arange(6) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def weights_of(model):
    return [tensor.clone() for tensor in model.state_dict().values()]


def stopped_and_resumed(piece, kind, seed, after=4):
    """At which step a run goes on from a snapshot, its weights in the end, and the undisturbed ones."""
    torch.manual_seed(seed)
    model, optimizer = a_run(kind)
    train(model, optimizer, 0, after)
    moment = piece(model, optimizer, after)
    train(model, optimizer, after, 8)  # the run goes on: the snapshot must not
    undisturbed = weights_of(model)
    torch.manual_seed(seed + 100)  # another day, another process
    model, optimizer = a_run(kind, momentum=0.5)  # begun with other settings
    step = moment.restore(model, optimizer)
    if isinstance(step, bool) or not isinstance(step, int):
        raise Wrong(f"restore gives {step!r}, expected the number of steps that were taken")
    train(model, optimizer, step, 8)
    return step, weights_of(model), undisturbed


def run_cases():
    step_cases()
    return [
        {"kind": torch.optim.SGD, "seed": 0},
        {"kind": torch.optim.AdamW, "seed": 1, "after": 3},
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


def snapshot_with(
    model=True, optimizer=True, random=True, step=True, live_model=False, live_optimizer=False
):
    """A Snapshot that leaves several parts out, or keeps some tensors themselves."""
    parts = {"model": model, "optimizer": optimizer, "random": random, "step": step}
    copies = [n for n, live in (("model", live_model), ("optimizer", live_optimizer)) if not live]
    keeps = tuple(name for name, kept in parts.items() if kept)
    return type("Snapshot", (Snapshot,), {"keeps": keeps, "copies": tuple(copies)})


SNAPSHOT_STEPS = {
    "the model's weights move on with the run: copy.deepcopy": {"live_model": True},
    "the optimizer's memory moves on with the run: copy.deepcopy": {"live_optimizer": True},
    "nothing is a copy: copy.deepcopy": {"live_model": True, "live_optimizer": True},
    "the optimizer's memory is not brought back": {"optimizer": False},
    "the state of the generator is not brought back": {"random": False},
    "the number of steps is forgotten": {"step": False},
    "the weights are not brought back": {"model": False},
    "neither weights nor the optimizer's memory are brought back": {
        "model": False,
        "optimizer": False,
    },
}


def more_snapshots():
    alone = {words: snapshot_with(**steps) for words, steps in SNAPSHOT_STEPS.items()}
    return alone | pairs(snapshot_with, SNAPSHOT_STEPS)


EXERCISES = [
    Answer(
        "times_as_fast",
        "11.1",
        "A unit that is eight times as fast",
        level=1,
        minutes=3,
        expected=1 / (0.3 + 0.7 / 8),
        tolerance=0.01,
        mistakes={
            8: "the matrix products become 8 times as fast, the other 30 % do not change",
            0.7 * 8: "speeds cannot be added up: add the times that remain",
            0.3 + 0.7 * 8: "speeds cannot be added up, times can: 0.3 stays, 0.7 becomes shorter",
            4.5: "a mean of speeds: times add up, speeds do not",
            7: "the rest of the step is not gone: 0.3 of it stays as it is",
            1.7: "times add up: 0.3 stays, and 0.7 becomes an eighth of itself",
            1 / 0.3: "this is the limit, for products that take no time at all",
            0.3 + 0.7 / 8: "this is how long a step takes now: how many times as fast is that?",
            1 / (0.7 + 0.3 / 8): "the shares are exchanged: it is the 70 % that become shorter",
        },
    ),
    Piece(
        "Snapshot",
        "11.2",
        "What a run consists of",
        level=3,
        minutes=12,
        reference=Snapshot,
        use=stopped_and_resumed,
        cases=run_cases,
        more=more_snapshots,
        has_gradient=False,
        mistakes={
            "the snapshot moves on with the run: `state_dict()` gives the tensors themselves, so "
            "keep a copy (`copy.deepcopy`)": snapshot(live=("model", "optimizer")),
            "the model's weights in the snapshot move on with the run: copy its state_dict": (
                snapshot(live=("model",))
            ),
            "the optimizer's memory in the snapshot moves on with the run: copy its state_dict": (
                snapshot(live=("optimizer",))
            ),
            "the optimizer begins without its memory: save and load its state_dict too": (
                snapshot(without="optimizer")
            ),
            "the random numbers are others, so dropout and batches are: torch.get_rng_state and "
            "torch.set_rng_state": snapshot(without="random"),
            "it begins again at step 0, with the learning rate of that step": (
                snapshot(without="step")
            ),
            "the weights are not brought back": snapshot(without="model"),
        },
    ),
    Piece(
        "scaled_step",
        "11.3",
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
        "11.4",
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
