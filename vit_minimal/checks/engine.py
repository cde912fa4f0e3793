"""How an answer to an exercise is tried, and how what is wrong with it is found out.

An exercise knows a right version and the usual wrong ones. The reader's version runs on the same
cases as these. If it differs from the right one, whichever wrong one it agrees with says why.
"""

import ast
import contextlib
import copy
import ctypes
import dis
import functools
import inspect
import linecache
import math
import operator
import sysconfig
import textwrap
import threading
import traceback
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

NO_DATA = (ModuleType, torch.dtype, torch.device)
SECONDS = 20  # what a case may take; the references take milliseconds


class Wrong(Exception):
    """What is wrong with an answer, in words for its author."""


class NotSolved(Exception):
    """There is no answer yet."""


@dataclass
class Exercise:
    """What all kinds have in common. Calling one checks an answer and prints the verdict."""

    name: str
    number: str  # "3.2": the second exercise of notebook 03
    title: str
    level: int  # 1 … 3
    minutes: int
    state: str = field(default="open", init=False)

    def __call__(self, answer):
        try:
            self.judge(answer)
        except NotSolved as reason:
            self.state = "open"
            print(f"· {self.number} {self.name}: not solved yet. {reason}".rstrip())
        except Wrong as reason:
            self.state = "wrong"
            print(f"✗ {self.number} {self.name}: {reason}")
        except Exception as error:  # noqa: BLE001 an answer of a kind that nobody thought of
            self.state = "wrong"
            print(
                f"✗ {self.number} {self.name}: the check cannot make sense of it ({raising(error)})"
            )
        else:
            self.state = "solved"
            print(f"✓ {self.number} {self.name}: {self.praise()}")

    def judge(self, answer):
        """Return if the answer is right; raise Wrong or NotSolved with the reason if it is not."""
        raise NotImplementedError

    def praise(self):
        return "right."


@dataclass
class Piece(Exercise):
    """A function or a class to write, or to repair.

    Calling it hands on the reader's version if it is right, else the course's own: later cells run.

    `cases()` gives dictionaries of arguments, `use(piece, **case)` says what is done with a piece.
    `mistakes` maps what one would say about a usual mistake to a version that makes it. `broken` is
    the version that the reader is given to repair, if there is one. `also(answer)` raises Wrong for
    what the cases do not show.
    """

    reference: object
    cases: object
    mistakes: dict
    use: object = None
    broken: object = None
    also: object = None
    has_gradient: bool = True

    def __post_init__(self):
        self.use = self.use or (lambda piece, **case: piece(*case.values()))
        self.tried = 0

    def __call__(self, answer):
        if answer is self.reference:
            print(
                f"{'✓' if self.state == 'solved' else '·'} {self.number} {self.name}: this is the "
                "course's own version. Run the cell with yours again, then this one."
            )
            return answer
        super().__call__(answer)
        return answer if self.state == "solved" else self.reference

    def praise(self):
        return f"right, on {self.tried} case{'s' * (self.tried > 1)}."

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
        self.tried = len(tries)
        if all(value is ... for _, value in tries):
            raise NotSolved
        if self.broken and all(same(v, self.outcome(self.broken, c)) for c, v in tries):
            raise NotSolved("The bug is still in it.")
        for case, value in tries:
            expected = self.outcome(self.reference, case)
            if not same(value, expected):
                raise Wrong(self.diagnosis(answer, tries, case, value, expected))
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
        try:
            value = limited(lambda: self.use(piece, **given))
        except Wrong:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 whatever the reader's code raises
            return Raised(error)
        changed = [name for name in case if not same(case[name], given[name])]
        if changed:
            raise Wrong(
                f"it changes {changed[0]}, which it was given, in place (`+=`, or a function whose "
                "name ends in _): whoever called it still needs that"
            )
        return value

    def diagnosis(self, answer, tries, case, value, expected):
        """Words for what is wrong: of the usual mistake that agrees in all cases, else of the
        first difference. One case is not enough: in a small one many mistakes agree.
        """
        for words, mistake in self.mistakes.items():
            with contextlib.suppress(Wrong):
                if all(same(v, self.outcome(mistake, c)) for c, v in tries):
                    return words
        words = f"{difference(value, expected)}\n  (the case: {describe_case(case)})"
        if names := outside_names(answer, object):
            words += f"\n  (it reads {names} of the notebook: is that meant?)"
        return words

    def judge_gradient(self, answer):
        """Wrong if the answer's numbers are right and no gradient comes back through them."""
        case = copy.deepcopy(next(iter(self.cases())))
        floats = [v for v in case.values() if torch.is_tensor(v) and v.is_floating_point()]
        for value in floats:
            value.requires_grad_()
        expected, on_the_way = self.with_parameters(self.reference, case)
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
        mix = torch.linspace(-1, 1, expected.numel()).reshape(expected.shape)
        names = list(on_the_way)
        theirs, ours = (
            torch.autograd.grad(
                (out * mix).sum(), [*floats, *map(of.get, names)], allow_unused=True
            )
            for out, of in ((value, parameters), (expected, on_the_way))
        )
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
        raise Wrong(f"{number:g} is not it")


@dataclass
class Measurement(Exercise):
    """A number of free choice: `trial(number)` tries it out and raises Wrong if it does not do."""

    trial: object

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        self.trial(plain_number(answer))


def plain_number(answer):
    """A number, also of a tensor or an array of one element. Wrong if it is none."""
    number = answer
    if hasattr(answer, "item"):
        with contextlib.suppress(ValueError, RuntimeError):
            number = answer.item()
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise Wrong(f"expected a number, got {describe(answer)}")
    if not math.isfinite(number):
        raise Wrong(f"expected a finite number, got {number}")
    return number


@dataclass
class Raised:
    """An exception of a piece, as its outcome: equal if of one kind with one message."""

    error: Exception

    def __eq__(self, other):
        if not isinstance(other, Raised):
            return False
        return (type(self.error), str(self.error)) == (type(other.error), str(other.error))


class _TimeIsUp(BaseException):
    """Thrown into the thread of an endless loop; no `except Exception` holds it back."""


def limited(call, seconds=None):
    """What call() returns or raises; Wrong if that takes too long. Works on every system."""
    outcome, seconds, done = {}, seconds or SECONDS, threading.Event()

    def work():
        try:
            outcome["value"] = call()
        except BaseException as error:  # noqa: BLE001 raised again below, in the caller's thread
            outcome["error"] = error
        finally:
            done.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        done.wait(seconds)  # not join(): interrupted, that takes the thread for finished
    finally:  # it is done, or the time is up, or somebody pressed stop
        late = not done.is_set()
        ident, stop = ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeIsUp)
        for _ in range(10):  # code may hold it back more than once
            if not done.is_set():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, stop)
                done.wait(0.1)
    if late:
        raise Wrong(f"it was stopped after {seconds:g} seconds: is there a loop without an end?")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def same(value, expected, tolerance=1e-4):
    """Whether two outcomes are equal up to rounding: tensors, numbers, sequences of these, others.

    `tolerance` is relative to the largest expected number. Tensors must be of one shape and kind.
    """
    if torch.is_tensor(expected):
        if not torch.is_tensor(value) or value.shape != expected.shape:
            return False
        if value.dtype != expected.dtype:
            return False
        if not expected.is_floating_point():
            return torch.equal(value, expected)
        if not expected.numel():
            return True
        limit = tolerance * max(1e-3, expected.detach().abs().nan_to_num().max().item())
        return torch.allclose(value, expected, rtol=0, atol=limit, equal_nan=True)
    if isinstance(expected, bool) or expected is None:
        return value is expected
    if isinstance(expected, (int, float)):
        with contextlib.suppress(TypeError):
            value = operator.index(value)  # a whole number of numpy or torch will do
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        if isinstance(expected, int):
            return value == expected and isinstance(value, int)
        return math.isclose(value, expected, rel_tol=tolerance, abs_tol=1e-9)
    if isinstance(expected, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(value) != len(expected):
            return False
        return all(same(*pair, tolerance) for pair in zip(value, expected, strict=True))
    if isinstance(expected, dict):
        if not isinstance(value, dict) or set(value) != set(expected):
            return False
        return all(same(value[key], expected[key], tolerance) for key in expected)
    if isinstance(expected, nn.Module):
        return same(dict(value.state_dict()), dict(expected.state_dict()), tolerance)
    return value == expected


def difference(value, expected):
    """The first thing in which an outcome differs from the expected one, in words."""
    if isinstance(value, Raised):
        return raising(value.error)
    if value is None:
        return "it returns nothing: is there a `return`?"
    if torch.is_tensor(expected):
        return difference_of_tensors(value, expected)
    if isinstance(expected, int) and isinstance(value, float):
        return f"it gives {value}, expected the whole number {expected} (`//` divides so)"
    if isinstance(expected, (int, float)) and torch.is_tensor(value) and value.numel() == 1:
        return "it gives a tensor, expected a plain number: `.item()` takes it out"
    if isinstance(expected, dict) and isinstance(value, dict):
        wrong = next((k for k in expected if not same(value.get(k), expected[k])), None)
        return f"{wrong}: {describe(value.get(wrong))}, expected {describe(expected.get(wrong))}"
    if isinstance(expected, (list, tuple)) and isinstance(value, (list, tuple)):
        if len(value) != len(expected):
            return f"it gives {len(value)} things, expected {len(expected)}"
        for i, pair in enumerate(zip(value, expected, strict=True)):
            if not same(*pair):
                return f"at index {i} of what it gives: {difference(*pair)}"
    return f"it gives {describe(value)}, expected {describe(expected)}"


def difference_of_tensors(value, expected):
    if not torch.is_tensor(value):
        return f"it gives {describe(value)}, expected a tensor"
    if value.shape != expected.shape:
        return f"the shape is {tuple(value.shape)}, expected {tuple(expected.shape)}"
    if value.dtype != expected.dtype:
        return f"the numbers are {value.dtype}, expected {expected.dtype}"
    if value.numel() <= 16:
        yours, right = (t.detach().double().mul(1e4).round().div(1e4) for t in (value, expected))
        return (
            f"right shape, wrong numbers:\n  yours    {yours.tolist()}\n  expected {right.tolist()}"
        )
    far = ~torch.isclose(value, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
    first = tuple(far.nonzero()[0].tolist()) if far.any() else ()
    return (
        f"right shape, but {int(far.sum())} of {far.numel()} numbers differ; the first at "
        f"{list(first)}: {value[first].item():.4g}, expected {expected[first].item():.4g}"
    )


def raising(error):
    """An exception in the reader's code, with the line in which it came up."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = f"it raises {type(error).__name__}: {' '.join(lines[:3])}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_readers(f.filename)]
    if frames:
        line = linecache.getline(frames[-1].filename, frames[-1].lineno).strip()
        words += f"\n  in the line: {line}" if line else ""
    if "view size is not compatible" in str(error):
        words += (
            "\n  (`view` needs its numbers side by side in memory; `reshape` copies if it must)"
        )
    return words


def is_readers(filename):
    """Whether a file holds the reader's code: a cell, and neither this package nor a library."""
    libraries = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), "<frozen")
    return not filename.startswith(libraries) and "site-packages" not in filename


def describe(value):
    if torch.is_tensor(value):
        return f"a tensor {tuple(value.shape)} of {value.dtype}"
    if isinstance(value, (int, float, str, bool, list, tuple)) and len(str(value)) < 60:
        return repr(value)
    return f"{'an' if type(value).__name__[0] in 'aeiou' else 'a'} {type(value).__name__}"


def describe_case(case):
    parts = []
    for name, value in case.items():
        if isinstance(value, dict):
            parts.append(describe_case(value))
        elif is_dataclass(value):
            changed = {f.name: getattr(value, f.name) for f in fields(value)}
            changed = {k: v for k, v in changed.items() if v != getattr(type(value), k, v)}
            parts.append(describe_case(changed) or "the default configuration")
        elif torch.is_tensor(value):
            parts.append(f"{name} {tuple(value.shape)}")
        else:
            parts.append(f"{name} {describe(value)}")
    return ", ".join(parts)


def functions_of(piece):
    """The functions of an answer: itself, or the methods that the reader's class defines."""
    if inspect.isclass(piece):
        methods = (inspect.unwrap(f) for f in vars(piece).values() if callable(f))
        return [f for f in methods if inspect.isfunction(f)]
    while isinstance(piece, functools.partial):
        piece = piece.func
    piece = inspect.unwrap(piece)
    return [piece] if inspect.isfunction(piece) else []


def has_placeholder(piece):
    """Whether a `...` stands where code should: as a statement, a value, or what is returned."""
    for function in functions_of(piece):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except (OSError, TypeError, SyntaxError):  # typed into a prompt, or part of a longer line
            continue
        for node in ast.walk(tree):
            held = node.value if isinstance(node, (ast.Expr, ast.Assign, ast.Return)) else None
            if isinstance(held, ast.Constant) and held.value is ...:
                return True
    return False


def outside_names(piece, kinds):
    """The notebook's variables of some kinds (no functions and modules) that an answer reads."""
    found, seen, todo = set(), set(), functions_of(piece)
    while todo:
        function = todo.pop()
        if function in seen:
            continue
        seen.add(function)
        names = names_in(function.__code__) & set(function.__globals__)
        for name in names:
            value = function.__globals__[name]
            if inspect.isfunction(value) and value.__globals__ is function.__globals__:
                todo.append(value)  # a helper of the reader's
                continue
            tool = callable(value) and not isinstance(value, nn.Module)
            if isinstance(value, kinds) and not tool and not isinstance(value, NO_DATA):
                found.add(f"`{name}`")
    return " and ".join(sorted(found))


def names_in(code):
    """All global names that some code, or code within it, reads."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    for constant in code.co_consts:
        if inspect.iscode(constant):
            names |= names_in(constant)
    return names


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
        module = piece(**settings)
        if not isinstance(module, nn.Module):
            raise Wrong(f"a {type(module).__name__} is not an nn.Module")
        if words := self.look(module, settings):
            raise Wrong(words)
        expected = dict(self.reference(**settings).named_parameters())
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
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, tensor in expected.items():
                found[name].copy_(torch.randn(tensor.shape, generator=random) / 3)
        return module.eval()
