"""The exercises of notebook 10: from numbers to a verdict."""

import statistics

from .engine import Answer, Piece
from .helpers import cases_of, pairs


def interval(values, t):
    """Mean and half the width of the interval: t standard errors to each side."""
    return statistics.mean(values), t * statistics.stdev(values) / len(values) ** 0.5


def paired_difference(first, second, t):
    """Of second − first, seed by seed: mean and half the width."""
    return interval([b - a for a, b in zip(first, second, strict=True)], t)


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
        item="value",
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
    Answer(
        "what_to_say",
        "10.3",
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
]
