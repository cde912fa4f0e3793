"""The kinds of exercises: how an answer is tried, and how what is wrong with it is found out.

An exercise knows a right version and the usual wrong ones. The reader's version runs on the same
cases as these. If it differs from the right one, whichever wrong one it agrees with says why.
"""

import contextlib
import copy
import functools
import inspect
import math
from dataclasses import dataclass, field

import torch
from torch import nn

from vit_minimal.device import say

from .helpers import (
    Wrong,
    attempt,
    describe,
    describe_case,
    difference,
    has_placeholder,
    limited,
    outside_names,
    plain_number,
    raising,
    same,
)


class NotSolved(Exception):
    """There is no answer yet, or, in words, why it is still what the exercise began with."""


@dataclass
class Exercise:
    """What all kinds have in common. Calling one checks an answer and prints the verdict."""

    name: str
    number: str  # "3.2": the second exercise of notebook 03
    title: str
    level: int  # 1 … 3
    minutes: int
    state: str = field(default="open", init=False)
    kind: str | None = field(default=None, init=False)  # of what was said last: see Wrong

    def __call__(self, answer):
        self.kind = None
        try:
            self.judge(answer)
        except NotSolved as reason:
            self.state, self.kind = "open", "cause" if str(reason) else None
            say(f"· {self.number} {self.name}: not solved yet. {reason}".rstrip())
        except Wrong as reason:
            self.state, self.kind = "wrong", reason.kind
            say(f"✗ {self.number} {self.name}: {reason}")
        except Exception as error:  # noqa: BLE001 an answer of a kind that nobody thought of
            self.state, self.kind = "wrong", "exception"
            say(
                f"✗ {self.number} {self.name}: the check cannot make sense of it ({raising(error)})"
            )
        else:
            self.state = "solved"
            say(f"✓ {self.number} {self.name}: {self.praise()}")

    def judge(self, answer):
        """Return if the answer is right; raise Wrong or NotSolved with the reason if it is not."""
        raise NotImplementedError

    def praise(self):
        return "right."


@dataclass
class Piece(Exercise):
    """A function or a class to write, or to repair.

    Calling it hands on the reader's version if it is right, else the course's own: later cells run.

    `cases()` gives dictionaries of arguments, the same ones each time; `use(piece, **case)` says
    what is done with a piece. `mistakes` maps what one would say about a usual mistake to a version
    that makes it. `broken` is the version that the reader is given to repair, if there is one.
    `also(answer)` raises Wrong for what the cases do not show.
    """

    reference: object
    cases: object
    mistakes: dict
    use: object = None
    broken: object = None
    also: object = None
    has_gradient: bool = True

    def __post_init__(self):
        if self.use is None:
            self.use = lambda piece, **case: piece(*case.values())
        self.num_cases = 0
        self.outcomes_of_mistakes = {}

    def __call__(self, answer):
        if answer is self.reference:
            mark = "✓" if self.state == "solved" else "·"
            say(
                f"{mark} {self.number} {self.name}: this is the course's own version. Run the cell "
                "with yours again, then this one."
            )
            return answer
        super().__call__(answer)
        return answer if self.state == "solved" else self.reference

    def praise(self):
        cases = "case" if self.num_cases == 1 else "cases"
        return f"right, on {self.num_cases} {cases}."

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        if not callable(answer):
            kind = "class" if inspect.isclass(self.reference) else "function"
            raise Wrong(f"expected a {kind}, got {describe(answer)}")
        if isinstance(answer, nn.Module) and inspect.isclass(self.reference):
            raise Wrong("this is a module that was built already: hand in the class itself")
        if has_placeholder(answer):
            raise NotSolved
        tries = [(case, self.outcome(answer, case)) for case in self.cases()]
        self.num_cases = len(tries)
        if all(value is ... for _, value in tries):
            raise NotSolved
        if self.broken and all(same(v, self.outcome(self.broken, c)) for c, v in tries):
            raise NotSolved("The bug is still in it.")
        for case, value in tries:
            expected = self.outcome(self.reference, case)
            if not same(value, expected):
                raise self.diagnosis(answer, tries, case, value, expected)
        if names := outside_names(answer, (torch.Tensor, nn.Module, list, dict)):
            raise Wrong(
                f"it uses {names} of the notebook, so it works for this notebook only: "
                "take what it needs from its arguments"
            )
        if self.also:
            self.also(answer)
        if self.has_gradient:
            limited(lambda: self.judge_gradient(answer))  # a new thread keeps no `no_grad`

    def outcome(self, piece, case):
        """What a piece gives for a case; a Raised if it raises. Wrong if it changes its input."""
        given = copy.deepcopy(case)
        value = attempt(lambda: self.use(piece, **given))
        changed = [name for name in case if not same(case[name], given[name])]
        if changed:
            raise Wrong(
                f"it changes {changed[0]}, which it was given, in place (`+=`, or a function whose "
                "name ends in _): whoever called it still needs that"
            )
        return value

    def diagnosis(self, answer, tries, case, value, expected):
        """A Wrong: what is said of the usual mistake that agrees in all cases, else of the first
        difference. One case is not enough: in a small one many mistakes agree.
        """
        for words in self.mistakes:
            with contextlib.suppress(Wrong):
                if all(same(v, self.outcome_of(words, i, c)) for i, (c, v) in enumerate(tries)):
                    return Wrong(words)
        found = difference(value, expected)
        words = f"{found}\n  (the case: {describe_case(case)})"
        if names := outside_names(answer, object):
            words += f"\n  (it reads {names} of the notebook: is that meant?)"
        return Wrong(words, found.kind)

    def outcome_of(self, words, i, case):
        """What a usual mistake gives for case number i: worked out the first time, then kept."""
        if (words, i) not in self.outcomes_of_mistakes:
            self.outcomes_of_mistakes[words, i] = self.outcome(self.mistakes[words], case)
        return self.outcomes_of_mistakes[words, i]

    def judge_gradient(self, answer):
        """Wrong if the answer's numbers are right and no gradient comes back through them."""
        case = copy.deepcopy(next(iter(self.cases())))
        floats = [v for v in case.values() if torch.is_tensor(v) and v.is_floating_point()]
        for value in floats:
            value.requires_grad_()
        expected, parameters_of_ours = self.with_parameters(self.reference, case)
        if not torch.is_tensor(expected) or not expected.requires_grad:
            return
        try:
            value, parameters = self.with_parameters(answer, case)
        except Exception as error:
            raise Wrong(
                f"the numbers are right, but not where a gradient is wanted: {raising(error)}"
            ) from error
        if not value.requires_grad:
            raise Wrong(
                "the numbers are right, but no gradient comes back through them: something takes "
                "them out of the graph (`detach`, `no_grad`, `.data`, `.item()`, numpy, or a new "
                "nn.Parameter that is made on the way)"
            )
        names = list(parameters_of_ours)
        theirs = gradients(value, [*floats, *(parameters[name] for name in names)])
        ours = gradients(expected, [*floats, *parameters_of_ours.values()])
        if not same(theirs, ours, tolerance=1e-3):
            raise Wrong(
                "the numbers are right, their gradient is not: a part of the calculation is taken "
                "out of the graph (`detach`, `no_grad`, `.data`)"
            )

    def with_parameters(self, piece, case):
        """What a piece gives for a case, and the parameters of the module that it is, by name."""
        if not isinstance(self.use, WithWeights):
            return self.use(piece, **case), {}
        inputs = dict(case)
        module = self.use.build(piece, inputs.pop("settings"))
        return module(*inputs.values()), dict(module.named_parameters())


def gradients(output, inputs):
    """Of a weighted sum of the output's numbers, another weight for each; None where unused."""
    mix = torch.linspace(-1, 1, output.numel()).reshape(output.shape)
    return torch.autograd.grad((output * mix).sum(), inputs, allow_unused=True)


@dataclass
class Answer(Exercise):
    """A value to predict or to measure. `mistakes` maps usual wrong values to what led there."""

    expected: object
    mistakes: dict
    tolerance: float = 1e-3  # relative, for numbers

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        if isinstance(self.expected, str):
            self.judge_letter(answer)
        else:
            self.judge_number(answer)

    def judge_letter(self, answer):
        letter = answer.strip(" .:)(").lower() if isinstance(answer, str) else answer
        if letter == self.expected:
            return
        if not isinstance(letter, str) or letter not in self.mistakes:
            letters = ", ".join(sorted({self.expected, *self.mistakes}))
            raise Wrong(f"choose one of the letters {letters}, got {describe(answer)}")
        raise Wrong(self.mistakes[letter])

    def judge_number(self, answer):
        number = plain_number(answer)
        if math.isclose(number, self.expected, rel_tol=self.tolerance):
            return
        for value, words in self.mistakes.items():
            if math.isclose(number, value, rel_tol=self.tolerance, abs_tol=1e-9):
                raise Wrong(words)
        raise Wrong(f"{number:g} is not it", "numbers")


@dataclass
class Measurement(Exercise):
    """A number of free choice: `trial(number)` tries it out and raises Wrong if it does not do."""

    trial: object

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        self.trial(plain_number(answer))


class WithWeights:
    """A `use` for classes: build, give it weights that the reference gets too, call.

    The case's `settings` go to the constructor, the rest to the call. `look(module, settings)` may
    return words for what is usually wrong with a module that was just built.
    """

    def __init__(self, reference, look=lambda module, settings: None):
        self.reference, self.look = reference, look

    def __call__(self, piece, settings, **inputs):
        return self.build(piece, settings)(*inputs.values())

    def build(self, piece, settings):
        """A module with the weights of `weights_for`, in evaluation mode. Wrong if it has others."""
        module = piece(**settings)
        if not isinstance(module, nn.Module):
            raise Wrong(f"a {type(module).__name__} is not an nn.Module")
        if words := self.look(module, settings):
            raise Wrong(words)
        expected = weights_for(self.reference, tuple(settings.items()))
        found = dict(module.named_parameters())
        for name, tensor in expected.items():
            shape = tuple(tensor.shape)
            if name not in found:
                raise Wrong(
                    f"there is no parameter `{name}` of shape {shape}; there are "
                    f"{', '.join(found) or 'none'} (is it an nn.Parameter, set on self?)"
                )
            if found[name].shape != tensor.shape:
                raise Wrong(
                    f"the parameter `{name}` has the shape {tuple(found[name].shape)}, "
                    f"expected {shape}"
                )
        if more := set(found) - set(expected):
            raise Wrong(f"there are parameters that nobody asked for: {', '.join(sorted(more))}")
        with torch.no_grad():
            for name, tensor in expected.items():
                found[name].copy_(tensor)
        return module.eval()


@functools.cache
def weights_for(reference, settings):
    """{name: tensor}: random numbers, the same ones each time, for each parameter of a class."""
    generator = torch.Generator().manual_seed(0)
    module = reference(**dict(settings))
    return {
        name: torch.randn(parameter.shape, generator=generator) / 3
        for name, parameter in module.named_parameters()
    }
