"""The kinds of exercises: how an answer is tried, and how what is wrong with it is found out.

An exercise knows a right version and the usual wrong ones. The reader's version runs on the same
cases as these. If it differs from the right one, whichever wrong one it agrees with says why.
"""

import contextlib
import copy
import inspect
import math
from dataclasses import dataclass, field

import torch
from torch import nn

from vit_minimal.device import random_state_kept
from vit_minimal.terminal import say

from .helpers import (
    FewLines,
    Raised,
    Wrong,
    attempt,
    belongs_to_a_notebook,
    blanks_in,
    has_placeholder,
    is_plain,
    limited,
    listed,
    outside_names,
    same,
    settled,
    stirred,
    turned,
    watched,
)
from .modules import WithWeights
from .symptoms import symptom, tensors_in
from .words import describe, describe_case, difference, frames_of, plain_number, raising

LOST = (  # where a gradient does not come through
    "(`detach`, `no_grad`, `.data`, `.item()`, numpy, or a tensor or an nn.Parameter that is made anew "
    "on the way)"
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
    that makes it, and `more()` gives further ones, such as pairs of mistakes, which are tried when
    none of the usual ones explains an answer. `item` is what the places of a list are that it gives:
    "step". `broken` is the version that the reader is given to
    repair, if there is one. `also(answer)` raises Wrong for what the cases do not show.
    """

    reference: object
    cases: object
    mistakes: dict
    use: object = None
    broken: object = None
    also: object = None
    has_gradient: bool = True
    more: object = dict
    item: str = "index"

    def __post_init__(self):
        if self.use is None:
            self.use = called
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
        if self.state == "wrong":
            say(
                f"  (`{self.name}` is the course's own version from here on: run your cell again to "
                "get yours back.)"
            )
        return answer if self.state == "solved" else self.reference

    def praise(self):
        cases = "case" if self.num_cases == 1 else "cases"
        return f"right, on {self.num_cases} {cases}."

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        if not callable(answer):
            kind = "class" if inspect.isclass(self.reference) else "function"
            raise Wrong(f"expected a {kind}, got {describe(answer)}", "shape")
        if isinstance(answer, nn.Module) and inspect.isclass(self.reference):
            raise Wrong("this is a module that was built already: hand in the class itself")
        printed = FewLines()
        try:
            with random_state_kept(), contextlib.redirect_stdout(printed):
                self.judge_numbers(answer)
                self.judge_calls(answer)
        except Wrong:
            if self.is_open(answer):  # only now: `...` is also an index
                raise NotSolved(self.what_is_blank(answer)) from None
            raise
        finally:
            if str(printed):
                say(f"(what your code printed:)\n{printed}")

    def is_open(self, answer):
        """Whether there is still a blank in an answer that is not right."""
        return has_placeholder(answer)

    def what_is_blank(self, answer):
        """Words for the methods of a class that have a blank; for a function there is nothing to say."""
        names = " and ".join(f"`{name}`" for name in blanks_in(answer))
        return f"Still to write: {names}." if inspect.isclass(answer) and names else ""

    def judge_numbers(self, answer):
        """Wrong if an answer gives something else than the reference in one of the cases."""
        tries = [(case, self.outcome(answer, case)) for case in self.cases()]
        self.num_cases = len(tries)
        if all(value is ... for _, value in tries):
            raise NotSolved(self.what_is_blank(answer))
        if self.broken and all(same(v, self.outcome(self.broken, c)) for c, v in tries):
            raise NotSolved("The bug is still in it.")
        tries = [(case, value, self.outcome(self.reference, case)) for case, value in tries]
        if not all(same(value, expected) for _, value, expected in tries):
            raise self.diagnosis(answer, tries)
        if names := outside_names(answer, belongs_to_a_notebook):
            raise Wrong(
                f"it uses {names} of the notebook, so it works for this notebook only: "
                "take what it needs from its arguments"
            )

    def judge_calls(self, answer):
        """Wrong if an answer that gives the right numbers fails in how it comes by them."""
        if self.also:
            self.also(answer)
        if isinstance(self.use, WithWeights):
            for case in self.cases():
                limited(lambda case=case: self.use.judge_calls(answer, **copy.deepcopy(case)))
        else:
            self.judge_once_more(answer)
        self.judge_seed(answer)
        if self.has_gradient:
            for case in self.cases():
                limited(lambda case=case: self.judge_gradient(answer, case))

    def outcome(self, piece, case):
        """What a piece gives for a case; a Raised if it raises. Wrong if it changes its input."""
        given = copy.deepcopy(case)
        function, record = (piece, {}) if inspect.isclass(piece) else watched(piece)
        try:
            value = attempt(lambda: settled(self.use(function, **given)))
        except Wrong:
            if record.get("gave", ...) is not None:
                raise
        if record.get("gave", ...) is None:  # whatever the check made of it
            raise difference(None, None)
        if isinstance(value, Raised) and "gave" in record and not frames_of(value.error):
            raise self.of_another_kind(record["gave"], case)  # it is the check that cannot use it
        changed = [name for name in case if not same(given[name], case[name])]
        if changed:
            raise Wrong(
                f"it changes {changed[0]}, which it was given, in place (`+=`, or a function whose "
                "name ends in _): whoever called it still needs that"
            )
        return value

    def of_another_kind(self, gave, case):
        """A Wrong: what a function gave is of no use for what is done with it."""
        function, record = watched(self.reference)
        self.use(function, **copy.deepcopy(case))
        words = f"it gives {describe(gave)}, expected {describe(record['gave'])}"
        return Wrong(f"{words}, or something that can be used like it", "shape")

    def diagnosis(self, answer, tries):
        """A Wrong: what is said of the usual mistake, or of the further one, that agrees in all
        cases; else what does not hold in them; else the first difference. One case is not enough:
        in a small one many mistakes agree.
        """
        wrong = [t for t in tries if not same(t[1], t[2])]
        again = [(c, v) for c, v, _ in wrong if is_plain(v)]
        if not all(same(self.outcome(answer, c), v) for c, v in again):
            return Wrong(self.at_random())
        for mistakes in (self.mistakes, self.more()):
            for words, mistake in mistakes.items():
                with contextlib.suppress(Wrong):
                    if all(
                        same(v, self.outcome_of(words, mistake, i))
                        for i, (_, v, _) in enumerate(tries)
                    ):
                        return Wrong(words)
        # what is shown is of one case: of another shape, if there is one
        shapes = [tuple(getattr(x, "shape", ())) for t in wrong for x in t[1:]]
        first = next((i for i in range(len(wrong)) if shapes[2 * i] != shapes[2 * i + 1]), 0)
        case, value, expected = wrong[first]
        tries = [wrong[first], *(t for t in tries if t is not wrong[first])]
        found = difference(value, expected, self.item)
        if found.kind in ("shape", "numbers") and (
            words := self.symptom(answer, tries, found.kind)
        ):
            found = Wrong(words, "invariant")
        words = f"{found}\n  (the case: {describe_case(case)})"
        if right := sum(same(v, e) for _, v, e in tries):
            words += f"\n  ({right} of {len(tries)} cases are right)"
        if names := outside_names(answer):
            words += f"\n  (it reads {names} of the notebook: is that meant?)"
        return Wrong(words, found.kind)

    def at_random(self):
        if isinstance(self.use, WithWeights):
            return (
                "two calls with the same weights and inputs give different numbers: something random "
                "stays on in evaluation, such as dropout (`F.dropout` without "
                "`training=self.training`, or an `nn.Dropout` that `forward` makes anew) or drop_path"
            )
        return (
            "two calls with the same arguments give different results: does it draw random numbers, "
            "or keep something from one call to the next?"
        )

    def symptom(self, answer, tries, kind):
        """Words for something that does not hold, if something can be said; else None."""
        if any(isinstance(value, Raised) for _, value, _ in tries):
            return None
        words = symptom(tries, self.item)
        if not words and kind == "numbers":
            with contextlib.suppress(Exception):
                words = limited(lambda: self.independent_of(answer, tries))
        return words

    def independent_of(self, answer, tries):
        """Words for an argument, or a parameter, on which an answer does not depend and should."""
        if isinstance(self.use, WithWeights):
            case = tries[0][0]
            needed = set(self.use.unused(self.reference, **copy.deepcopy(case)))
            names = [n for n in self.use.unused(answer, **copy.deepcopy(case)) if n not in needed]
            return f"`{names[0]}` is never used: nothing depends on it" if names else None
        for name in tries[0][0]:
            changed = [
                (c | {name: way(c[name])}, v, e) for c, v, e in tries for way in (turned, stirred)
            ]
            ours = [same(self.outcome(self.reference, c), e) for c, _, e in changed]
            theirs = [same(self.outcome(answer, c), v) for c, v, _ in changed]
            if all(theirs) and not all(ours):
                return f"what it gives does not depend on `{name}`: is that used?"
        return None

    def outcome_of(self, words, mistake, i):
        """What a mistake gives for case number i: worked out the first time, then kept."""
        if (words, i) not in self.outcomes_of_mistakes:
            case = list(self.cases())[i]
            self.outcomes_of_mistakes[words, i] = self.outcome(mistake, case)
        return self.outcomes_of_mistakes[words, i]

    def judge_once_more(self, answer):
        """Wrong if an answer is right in each case and not if it gets other numbers of that shape."""
        for case in reversed(list(self.cases())):
            again = turned(case)
            value, expected = self.outcome(answer, again), self.outcome(self.reference, again)
            if not same(value, expected):
                raise Wrong(
                    "it is right at its first call, and wrong when it is called again with other "
                    f"numbers: does it keep something? {difference(value, expected)}\n"
                    f"  (the case: {describe_case(again)})"
                )

    def judge_seed(self, answer):
        """Wrong if random numbers go on in the same way whatever they were before an answer ran."""

        def goes_on_alike(piece):
            states = []
            for seed in (1, 2):
                torch.manual_seed(seed)
                attempt(lambda: self.use(piece, **copy.deepcopy(next(iter(self.cases())))))
                states.append(torch.get_rng_state())
            return torch.equal(*states)

        if goes_on_alike(answer) and not goes_on_alike(self.reference):
            raise Wrong(
                "it sets the seed of the whole notebook (`torch.manual_seed`): whatever is drawn "
                "afterwards is then the same each time"
            )

    def judge_gradient(self, answer, case):
        """Wrong if the answer's numbers are right and no gradient comes back through them."""
        case = copy.deepcopy(case)
        floats = dict(tensors_in(case))
        for tensor in floats.values():
            tensor.requires_grad_()
        expected, parameters_of_ours = self.with_parameters(self.reference, case)
        several = not torch.is_tensor(expected)
        expected = [t for _, t in tensors_in(expected)]
        if not any(t.requires_grad for t in expected):
            return
        names = [*floats, *parameters_of_ours]
        try:
            value, parameters = self.with_parameters(answer, case)
            value = [t for _, t in tensors_in(listed(value) if several else value)]
            inputs = [*floats.values(), *(parameters[n] for n in parameters_of_ours)]
            theirs = gradients(value, inputs)
        except Exception as error:
            if "inplace operation" in str(error):
                words = (
                    "the numbers are right, but no gradient comes back: numbers that it needs on the "
                    "way back were changed in place (`x += …`, or a function whose name ends in _). "
                    "`x = x + …` makes new ones"
                )
                raise Wrong(words) from error
            raise Wrong(
                f"the numbers are right, but not where a gradient is wanted: {raising(error)}"
            ) from error
        ours = gradients(expected, [*floats.values(), *parameters_of_ours.values()])
        largest = max(g.abs().max().item() for g in ours if g is not None)
        wrong = [
            name
            for name, their, our in zip(names, theirs, ours, strict=True)
            if not same(their, our, 1e-3) and not both_vanish(their, our, 1e-5 * largest)
        ]
        if not any(t.requires_grad for t in value):
            raise Wrong(
                "the numbers are right, but no gradient comes back through them: something takes "
                f"them out of the graph {LOST}"
            )
        if wrong:
            raise Wrong(
                f"the numbers are right, their gradient is not, that of `{wrong[0]}`: a part of the "
                f"calculation is taken out of the graph {LOST}\n"
                f"  (the case: {describe_case(case)})"
            )

    def with_parameters(self, piece, case):
        """What a piece gives for a case, and the parameters of the module that it is, by name."""
        if not isinstance(self.use, WithWeights):
            return settled(self.use(piece, **case)), {}
        inputs = dict(case)
        module = self.use.build(piece, inputs.pop("settings"))
        return module(*inputs.values()), dict(module.named_parameters())


def called(piece, **case):
    """What a function gives for a case. Parameters that are known by name only get it by name."""
    try:
        parameters = inspect.signature(piece).parameters
    except (TypeError, ValueError):  # a function of a library may not tell
        return piece(*case.values())
    by_name = {n for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    named = {name: value for name, value in case.items() if name in by_name}
    return piece(*(v for name, v in case.items() if name not in named), **named)


def both_vanish(gradient, other, limit):
    """Whether two gradients are no more than what rounding leaves of a sum that cancels."""
    return all(g is None or g.abs().max().item() < limit for g in (gradient, other))


def gradients(outputs, inputs):
    """Of a weighted sum of the outputs' numbers, another weight for each; None where unused."""
    outputs = [output for output in outputs if output.requires_grad]
    if not outputs:
        return [None] * len(inputs)
    mixed = [torch.linspace(-1, 1, t.numel()).reshape(t.shape).to(t) * t for t in outputs]
    return torch.autograd.grad(sum(t.sum() for t in mixed), inputs, allow_unused=True)


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
            raise Wrong(f"choose one of the letters {letters}, got {describe(answer)}", "shape")
        raise Wrong(self.mistakes[letter])

    def judge_number(self, answer):
        number = plain_number(answer)
        if math.isclose(number, self.expected, rel_tol=self.tolerance):
            return
        nearest = min(self.mistakes, key=lambda value: abs(value - number))
        if math.isclose(number, nearest, rel_tol=max(self.tolerance, 5e-3), abs_tol=1e-9):
            raise Wrong(self.mistakes[nearest])
        raise Wrong(f"{number:g} is not it", "numbers")


@dataclass
class Measurement(Exercise):
    """A number of free choice: `trial(number)` tries it out and raises Wrong if it does not do."""

    trial: object

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        self.trial(plain_number(answer))
