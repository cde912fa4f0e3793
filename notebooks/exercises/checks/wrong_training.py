"""Wrong versions of the exercises of notebook 05, and of two mistakes at once."""

import math

import torch
from torch.nn.functional import cross_entropy

from .helpers import pairs


def learning_rate_at(step, total_steps, warmup_steps, peak):
    """Up in a line from peak / warmup_steps to peak, then down half a cosine to zero."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * share)) / 2


def after_warmup(fall):
    """A schedule with the right climb and another fall: a function of the share that is done."""

    def piece(step, total_steps, warmup_steps, peak):
        if step < warmup_steps:
            return learning_rate_at(step, total_steps, warmup_steps, peak)
        return peak * fall((step - warmup_steps) / (total_steps - warmup_steps))

    return piece


def with_climb(climb):
    def piece(step, total_steps, warmup_steps, peak):
        if step < warmup_steps:
            return peak * climb(step, warmup_steps)
        return learning_rate_at(step, total_steps, warmup_steps, peak)

    return piece


def schedule_with(climb=lambda step, n: (step + 1) / n, fall=None, share=None):
    """A schedule with another climb or fall, or another share of the fall that is done."""
    fall = fall or (lambda s: (1 + math.cos(math.pi * s)) / 2)
    share = share or (lambda step, total, warmup: (step - warmup) / (total - warmup))

    def piece(step, total_steps, warmup_steps, peak):
        if step < warmup_steps:
            return peak * climb(step, warmup_steps)
        return peak * fall(share(step, total_steps, warmup_steps))

    return piece


SCHEDULE_STEPS = {
    "the first step is wasted at a rate of zero: step + 1": {"climb": lambda step, n: step / n},
    "the climb is rounded down to zero: `/` and not `//`": {
        "climb": lambda step, n: (step + 1) // n
    },
    "there is no warm-up": {"climb": lambda step, n: 1.0},
    "the fall runs over all steps: (step − warmup_steps) / (total_steps − warmup_steps)": {
        "share": lambda step, total, warmup: step / total
    },
    "the steps of the warm-up count in the fall: step − warmup_steps": {
        "share": lambda step, total, warmup: step / (total - warmup)
    },
    "the fall is divided by all steps: total_steps − warmup_steps": {
        "share": lambda step, total, warmup: (step - warmup) / total
    },
    "the half is missing: 1 + cos goes from 2 to 0": {"fall": lambda s: 1 + math.cos(math.pi * s)},
    "1 + is missing: cos goes from 1 to −1": {"fall": lambda s: math.cos(math.pi * s)},
    "this is a sine: it begins in the middle. A cosine begins at 1": {
        "fall": lambda s: (1 + math.sin(math.pi * s)) / 2
    },
    "it climbs: 1 + cos falls, 1 − cos climbs": {"fall": lambda s: (1 - math.cos(math.pi * s)) / 2},
    "it falls in a line": {"fall": lambda s: 1 - s},
    "a quarter of a cosine": {"fall": lambda s: math.cos(math.pi / 2 * s)},
    "twice as many turns: half a cosine is π·s": {
        "fall": lambda s: (1 + math.cos(2 * math.pi * s)) / 2
    },
}


def more_schedules():
    alone = {words: schedule_with(**steps) for words, steps in SCHEDULE_STEPS.items()}
    return alone | pairs(schedule_with, SCHEDULE_STEPS)


def step_without_zero(model, optimizer, images, labels):
    loss = cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_that_tells(loss_after):
    """A training step that gives the loss after it; or one without `backward`."""

    def piece(model, optimizer, images, labels):
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        if loss_after:
            loss.backward()
        optimizer.step()
        return (cross_entropy(model(images), labels) if loss_after else loss).item()

    return piece


def by_hand(model, optimizer, images, labels):
    loss = cross_entropy(model(images), labels)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= optimizer.param_groups[0]["lr"] * parameter.grad
    return loss.item()


def step_with(loss_of=cross_entropy, num_steps=1):
    """A training step with another loss, or with none or several steps of the optimizer."""

    def piece(model, optimizer, images, labels):
        loss = loss_of(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        for _ in range(num_steps):
            optimizer.step()
        return loss.item()

    return piece
