"""The exercises of notebook 10: from numbers to a verdict."""

import math
import statistics

from .engine import Answer, Piece
from .helpers import cases_of, pairs


def interval(values, t):
    """Mean and half the width of the interval: t standard errors to each side."""
    return statistics.mean(values), t * statistics.stdev(values) / len(values) ** 0.5


def paired_difference(first, second, t):
    """Of second − first, seed by seed: mean and half the width."""
    return interval([b - a for a, b in zip(first, second, strict=True)], t)


def receptive_field(kernel_sizes, strides):
    """How many pixels along a side an output of stacked convolutions sees."""
    field, jump = 1, 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel - 1) * jump
        jump *= stride
    return field


def field_with(start=1, step=lambda kernel: kernel - 1, late=False):
    def piece(kernel_sizes, strides):
        field, jump = start, 1
        for kernel, stride in zip(kernel_sizes, strides, strict=True):
            if late:
                jump *= stride
            field += step(kernel) * jump
            if not late:
                jump *= stride
        return field

    return piece


def previous_stride_only(kernel_sizes, strides):
    before = [1, *strides]
    return 1 + sum((kernel - 1) * step for kernel, step in zip(kernel_sizes, before, strict=False))


def interval_cases():
    return cases_of(
        ("values", "t"),
        ([69.0, 69.4, 68.9], 4.30),  # the t of 95 % for two, three and five values
        ([1.0, 3.0], 12.71),
        ([10.0, 12.0, 11.0, 15.0, 9.0], 2.78),
        ([-1.0, -4.0, 2.0, -3.0], 3.18),
    )


def spread_with(deviation=statistics.stdev, root=lambda n: n**0.5, t_of=lambda t: t, width=1):
    """An interval with another deviation, root, t or width."""

    def piece(values, t):
        half = t_of(t) * deviation(values) / root(len(values))
        return statistics.mean(values), width * half

    return piece


SPREAD_STEPS = {
    "the standard deviation is divided by n, not n − 1 (`stdev`)": {"deviation": statistics.pstdev},
    "the root is missing: this is the variance": {"deviation": statistics.variance},
    "the root of n is missing: this is for a single run": {"root": lambda n: 1},
    "it is divided by n: by √n": {"root": lambda n: n},
    "it is divided by √(n − 1): n − 1 is in the standard deviation already, here it is √n": {
        "root": lambda n: (n - 1) ** 0.5
    },
    "t is not used": {"t_of": lambda t: 1},
    "1.96 holds for many values": {"t_of": lambda t: 1.96},
    "this is the whole width: half of it stands behind ±": {"width": 2},
}


def more_intervals():
    alone = {words: spread_with(**steps) for words, steps in SPREAD_STEPS.items()}
    return alone | pairs(spread_with, SPREAD_STEPS)


def paired_cases():
    return cases_of(
        ("first", "second", "t"),
        ([60.0, 64.0, 62.0], [61.0, 66.5, 63.2], 4.30),
        ([1.0, 5.0], [4.0, 3.0], 12.71),
        ([70.0, 71.0, 69.0, 72.0, 70.5], [69.0, 70.5, 68.0, 72.5, 69.5], 2.78),
    )


def field_cases():
    return cases_of(
        ("kernel_sizes", "strides"),
        ([3, 3], [1, 1]),
        ([3], [1]),
        ([5, 3, 3], [2, 1, 2]),
        ([3, 3, 3, 3], [2, 2, 2, 1]),
        ([1, 7], [1, 3]),
        ([2, 4, 3], [2, 4, 1]),
    )


EXERCISES = [
    Piece(
        "interval",
        "10.1",
        "An interval over seeds",
        level=2,
        minutes=8,
        reference=interval,
        cases=interval_cases,
        more=more_intervals,
        has_gradient=False,
        mistakes={
            "the standard deviation is divided by n: with a few values it is n − 1 (`stdev`)": (
                lambda values, t: (
                    statistics.mean(values),
                    t * statistics.pstdev(values) / len(values) ** 0.5,
                )
            ),
            "the root of n is missing: this is for a single further run, not for the mean": (
                lambda values, t: (statistics.mean(values), t * statistics.stdev(values))
            ),
            "it is divided by n: the error of a mean shrinks with the root of n": (
                lambda values, t: (
                    statistics.mean(values),
                    t * statistics.stdev(values) / len(values),
                )
            ),
            "t is not used: with three seeds one standard error is far too narrow": (
                lambda values, t: (
                    statistics.mean(values),
                    statistics.stdev(values) / len(values) ** 0.5,
                )
            ),
            "1.96 holds for many values; `t` is for these few": (
                lambda values, t: interval(values, 1.96)
            ),
            "this is the whole width: half of it stands behind ±": (
                lambda values, t: (interval(values, t)[0], 2 * interval(values, t)[1])
            ),
            "the order: the mean first, then half the width": (
                lambda values, t: interval(values, t)[::-1]
            ),
            "these are the ends: give the mean and half the width": (
                lambda values, t: (
                    interval(values, t)[0] - interval(values, t)[1],
                    interval(values, t)[0] + interval(values, t)[1],
                )
            ),
        },
    ),
    Piece(
        "paired_difference",
        "10.2",
        "Seed by seed",
        level=2,
        minutes=8,
        reference=paired_difference,
        cases=paired_cases,
        has_gradient=False,
        mistakes={
            "the sign: second − first": (
                lambda first, second, t: paired_difference(second, first, t)
            ),
            "this is the difference of the means with the width of the second: what a seed does to "
            "both does not cancel": (
                lambda first, second, t: (
                    statistics.mean(second) - statistics.mean(first),
                    interval(second, t)[1],
                )
            ),
            "the widths of both are added: subtract seed by seed, then take the interval": (
                lambda first, second, t: (
                    statistics.mean(second) - statistics.mean(first),
                    interval(second, t)[1] + interval(first, t)[1],
                )
            ),
            "the widths are combined as if the two were independent: the same seeds were used": (
                lambda first, second, t: (
                    statistics.mean(second) - statistics.mean(first),
                    (interval(second, t)[1] ** 2 + interval(first, t)[1] ** 2) ** 0.5,
                )
            ),
            "the widths are subtracted: subtract seed by seed, then take the interval": (
                lambda first, second, t: (
                    statistics.mean(second) - statistics.mean(first),
                    interval(second, t)[1] - interval(first, t)[1],
                )
            ),
            "the differences lost their signs: second − first may be negative": (
                lambda first, second, t: interval(
                    [abs(b - a) for a, b in zip(first, second, strict=True)], t
                )
            ),
            "sorted, the values no longer belong to the same seeds": (
                lambda first, second, t: paired_difference(sorted(first), sorted(second), t)
            ),
        },
    ),
    Piece(
        "receptive_field",
        "10.3",
        "How far a CNN sees",
        level=2,
        minutes=10,
        reference=receptive_field,
        cases=field_cases,
        has_gradient=False,
        mistakes={
            "a pixel sees itself: begin with 1": field_with(start=0),
            "a kernel adds its side minus one: the middle was there already": field_with(
                start=0, step=lambda kernel: kernel
            ),
            "a step is as wide as the product of *all* strides before, not only the last of them": (
                previous_stride_only
            ),
            "kernels are added up: each adds its side minus one": (
                lambda kernels, strides: sum(kernels)
            ),
            "strides are not counted: after a stride of 2 a step is two pixels wide": (
                lambda kernels, strides: receptive_field(kernels, [1] * len(strides))
            ),
            "a layer's stride works on the layers *after* it": field_with(late=True),
            "a layer's own stride is used: it works on the layers after it, and they multiply": (
                lambda kernels, strides: (
                    1 + sum((k - 1) * s for k, s in zip(kernels, strides, strict=True))
                )
            ),
            "strides are added up: a step is as wide as the *product* of all strides before": (
                lambda kernels, strides: (
                    1 + sum((k - 1) * (1 + sum(strides[:i])) for i, k in enumerate(kernels))
                )
            ),
            "an even kernel is taken for an odd one: each adds its side minus one": field_with(
                step=lambda kernel: 2 * (kernel // 2)
            ),
            "this is half of it, one side: a kernel reaches to both": field_with(
                step=lambda kernel: kernel // 2
            ),
            "kernels are multiplied: two of side 3 see 5 pixels, not 9": (
                lambda kernels, strides: math.prod(kernels)
            ),
        },
    ),
    Answer(
        "what_to_say",
        "10.4",
        "+0.9 ± 1.8",
        level=1,
        minutes=4,
        expected="c",
        mistakes={
            "a": "not to see a difference is not to see that there is none: 2 points would fit too",
            "b": "zero lies within the interval: so would a difference of −0.5",
            "d": "something can: a difference of 5 points does not fit",
        },
    ),
    Answer(
        "control",
        "10.5",
        "Which control?",
        level=2,
        minutes=5,
        expected="b",
        mistakes={
            "a": "this makes the same finding firmer; it does not tell the two explanations apart",
            "c": "this changes another thing, how much is learned, and leaves both explanations",
            "d": "this shows where it begins, and not why",
        },
    ),
]
