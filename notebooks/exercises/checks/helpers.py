"""What the checks share: inputs, wrong versions, a time limit, comparing two outcomes, reading code.

Nothing in here knows an exercise: the kinds of exercises are in engine.py.
"""

import ast
import ctypes
import dis
import functools
import inspect
import io
import itertools
import math
import numbers
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import nn

NO_DATA = (ModuleType, torch.dtype, torch.device)
SECONDS = 20  # what a case may take; the references take milliseconds


class Wrong(Exception):
    """What is wrong with an answer, in words for its author, and what kind of words they are:

    the "cause", an "invariant" that does not hold, a "shape" or type, an "exception" of the answer,
    or only that some "numbers" differ.
    """

    def __init__(self, words, kind="cause"):
        super().__init__(words)
        self.kind = kind


# ---- Cases and wrong versions


def random(*shape, seed=0):
    """A tensor of normal random numbers, the same ones each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def first_optimizer():
    """What a process's first optimizer imports takes seconds, which must not count as the reader's."""
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)


def cases_of(names, *rows):
    """Cases from a table: the names of the arguments, and for each case a row of their values."""
    return [dict(zip(names, row, strict=True)) for row in rows]


def turned(value):
    """A case with other numbers of the same shapes: its floating-point tensors read backwards along
    their longest axis, so that shares still sum to 1.
    """
    if torch.is_tensor(value) and value.is_floating_point() and value.dim():
        return value.flip(max(range(value.dim()), key=lambda axis: value.shape[axis]))
    if isinstance(value, dict):
        return {key: turned(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)) and all(map(torch.is_tensor, value)):
        return type(value)(map(turned, value))
    return value


def stirred(value):
    """A case with other numbers of the same shapes: its floating-point tensors, each number times
    another factor.
    """
    if torch.is_tensor(value) and value.is_floating_point():
        generator = torch.Generator().manual_seed(1)
        return value * (0.5 + torch.rand(value.shape, generator=generator).to(value))
    if isinstance(value, dict):
        return {key: stirred(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)) and all(map(torch.is_tensor, value)):
        return type(value)(map(stirred, value))
    return value


def pairs(build, singles):
    """{words: version} of two mistakes at once, of all that change different steps of a piece.

    `build(**steps)` makes a version in which some steps are done otherwise, and `singles` are
    {words: steps}.
    """
    return {
        f"two things. First: {words}. Second: {more}": build(**steps, **others)
        for (words, steps), (more, others) in itertools.combinations(singles.items(), 2)
        if not set(steps) & set(others)
    }


def with_forward(parent, forward):
    """A class that differs from its parent in forward(self, x) alone."""
    return type(parent.__name__, (parent,), {"forward": forward})


# ---- Running an answer


@dataclass
class Raised:
    """An exception of a piece, as its outcome: equal if of one kind with one message."""

    error: BaseException

    def __eq__(self, other):
        if not isinstance(other, Raised):
            return False
        return type(self.error) is type(other.error) and str(self.error) == str(other.error)


class _TimeIsUp(BaseException):
    """Thrown into the thread of an endless loop; no `except Exception` holds it back."""


def limited(call):
    """What call() returns or raises; Wrong if that takes too long. Works on every system."""
    outcome = {}
    done = threading.Event()

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
        done.wait(SECONDS)  # not join(): interrupted, that takes the thread for finished
    finally:  # it is done, or the time is up, or somebody pressed stop
        late = not done.is_set()
        ident, stop = ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeIsUp)
        for _ in range(10):  # code may hold it back more than once
            if not done.is_set():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, stop)
                done.wait(0.1)
    if late:
        raise Wrong(
            f"it was stopped after {SECONDS:g} seconds: is there a loop without an end, "
            "or is it very slow?"
        )
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def attempt(call):
    """What call() returns, or Raised if it raises. Wrong if that takes too long, or says so."""
    try:
        return limited(call)
    except Wrong:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 whatever the reader's code raises
        return Raised(error)


# ---- Comparing


def without_numpy(value):
    """Python's own number for one of NumPy's, and a list for an array; all else unchanged."""
    is_numpy = type(value).__module__ == "numpy" and hasattr(value, "tolist")
    return value.tolist() if is_numpy else value


def is_plain(value):
    """Whether a value is made of tensors, numbers and words, so that two of them can be compared."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return torch.is_tensor(value) or isinstance(value, (int, float, str))


def settled(value):
    """What a generator, or another iterator, gives, as a list; all else unchanged."""
    return list(value) if isinstance(value, Iterator) else value


def listed(value):
    """The items of a list, a tuple, a tensor or an array, numbers as Python's own; else None."""
    value = without_numpy(value)
    if torch.is_tensor(value) and value.dim():
        value = list(value)
    if not isinstance(value, (list, tuple)):
        return None
    return [v.item() if torch.is_tensor(v) and not v.dim() else without_numpy(v) for v in value]


def same(value, expected, tolerance=1e-4):
    """Whether two outcomes are equal up to rounding: tensors, numbers, sequences of these, others.

    `tolerance` is relative to the largest expected number. Tensors must be of one shape and kind;
    for a sequence other sequences do, and NumPy's numbers for Python's.
    """
    value = without_numpy(value)
    if torch.is_tensor(expected):
        return same_tensor(value, expected, tolerance)
    if isinstance(expected, bool) or expected is None:
        return value is expected
    if isinstance(expected, (int, float)):
        return same_number(value, expected, tolerance)
    if isinstance(expected, (list, tuple)):
        items, others = listed(value), listed(expected)
        if items is None or len(items) != len(others):
            return False
        return all(same(v, e, tolerance) for v, e in zip(items, others, strict=True))
    if isinstance(expected, dict):
        if not isinstance(value, dict) or set(value) != set(expected):
            return False
        return all(same(value[key], expected[key], tolerance) for key in expected)
    if isinstance(expected, nn.Module):
        if not isinstance(value, nn.Module):
            return False
        return same(dict(value.state_dict()), dict(expected.state_dict()), tolerance)
    return value == expected


def same_tensor(value, expected, tolerance):
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


def same_number(value, expected, tolerance):
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    if isinstance(expected, int):
        return not isinstance(value, float) and value == expected
    return math.isclose(value, expected, rel_tol=tolerance, abs_tol=1e-9)


# ---- Reading the code of an answer


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
    return bool(blanks_in(piece))


def blanks_in(piece):
    """The names of those functions of an answer in which a `...` stands, and is come to."""
    found = []
    for function in functions_of(piece):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except (OSError, TypeError, SyntaxError):  # typed into a prompt, or part of a longer line
            continue
        for node in reached(tree.body):
            held = node.value if isinstance(node, (ast.Expr, ast.Assign, ast.Return)) else None
            if isinstance(held, ast.Constant) and held.value is ...:
                found.append(function.__name__)
                break
    return found


def reached(statements):
    """Statements and those within them, but for what stands behind a `return` and is never run."""
    for statement in statements:
        yield statement
        for _, held in ast.iter_fields(statement):
            if isinstance(held, list) and all(isinstance(h, ast.stmt) for h in held):
                yield from reached(held)
            elif isinstance(held, list):
                for part in held:  # except, and case
                    yield from reached(getattr(part, "body", ()))
        if ends(statement):
            return


def ends(statement):
    """Whether nothing that stands behind a statement is run."""
    if isinstance(statement, ast.If) and statement.orelse:
        return all(any(map(ends, part)) for part in (statement.body, statement.orelse))
    return isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue))


def watched(piece):
    """A function like an answer, and a dictionary that holds under "gave" what it gave last."""
    record = {}

    @functools.wraps(piece)
    def function(*given, **by_name):
        record.clear()
        record["gave"] = piece(*given, **by_name)
        return record["gave"]

    return function, record


class FewLines(io.TextIOBase):
    """Takes what is printed, keeps the first lines of it, and counts the others."""

    def __init__(self, most=5):
        self.most, self.kept, self.more = most, "", 0

    def writable(self):
        return True

    def write(self, text):
        for line in text.splitlines(keepends=True):
            if self.kept.count("\n") < self.most:
                self.kept += line
            else:
                self.more += line.endswith("\n")
        return len(text)

    def __str__(self):
        more = f"… and {self.more} more lines\n" if self.more else ""
        return (self.kept + more).rstrip("\n")


def outside_names(piece, counts=lambda value: True):
    """The notebook's variables that an answer reads, of those that count; no functions or modules."""
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
            if counts(value) and not tool and not isinstance(value, NO_DATA):
                found.add(f"`{name}`")
    return " and ".join(sorted(found))


def belongs_to_a_notebook(value):
    """Whether it is data or weights, which another notebook does not have; a constant is neither."""
    if torch.is_tensor(value):
        return value.numel() > 1
    return isinstance(value, nn.Module) and any(True for _ in value.parameters())


def names_in(code):
    """All global names that some code, or code within it, reads."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    for constant in code.co_consts:
        if inspect.iscode(constant):
            names |= names_in(constant)
    return names
