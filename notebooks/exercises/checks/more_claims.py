"""The exercises of notebook 14: how far a CNN sees, and which control tells."""

import math

from .engine import Answer, Piece
from .helpers import cases_of


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
        "receptive_field",
        "14.1",
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
        "control",
        "14.2",
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
