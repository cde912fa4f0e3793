"""What the checks share: random inputs, a time limit, comparing two outcomes, and words for both.

Nothing in here knows an exercise: the kinds of exercises are in engine.py.
"""

import ast
import contextlib
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
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

import vit_minimal

NO_DATA = (ModuleType, torch.dtype, torch.device)
SECONDS = 20  # what a case may take; the references take milliseconds
# Folders whose code is not the reader's. Readers may keep modules of their own beside the notebooks.
OURS = (Path(__file__).parent, Path(vit_minimal.__file__).parent)
LIBRARIES = ("site-packages", "dist-packages")  # Debian, and so Colab, has the second


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


def cases_of(names, *rows):
    """Cases from a table: the names of the arguments, and for each case a row of their values."""
    return [dict(zip(names, row, strict=True)) for row in rows]


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
        raise Wrong(f"it was stopped after {SECONDS:g} seconds: is there a loop without an end?")
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


def check_method(module, reference, name, x):
    """Wrong if a method, on which other code relies, gives something else than the reference's."""
    value = attempt(lambda: getattr(module, name)(x))
    expected = getattr(reference, name)(module, x)
    if not same(value, expected):
        found = difference(value, expected)
        raise Wrong(f"{name}: {found}", found.kind)


# ---- Comparing


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


def same(value, expected, tolerance=1e-4):
    """Whether two outcomes are equal up to rounding: tensors, numbers, sequences of these, others.

    `tolerance` is relative to the largest expected number. Tensors must be of one shape and kind.
    """
    if torch.is_tensor(expected):
        return same_tensor(value, expected, tolerance)
    if isinstance(expected, bool) or expected is None:
        return value is expected
    if isinstance(expected, (int, float)):
        return same_number(value, expected, tolerance)
    if isinstance(expected, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(value) != len(expected):
            return False
        return all(same(v, e, tolerance) for v, e in zip(value, expected, strict=True))
    if isinstance(expected, dict):
        if not isinstance(value, dict) or set(value) != set(expected):
            return False
        return all(same(value[key], expected[key], tolerance) for key in expected)
    if isinstance(expected, nn.Module):
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
    with contextlib.suppress(TypeError):
        value = operator.index(value)  # a whole number of numpy or torch will do
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    if isinstance(expected, int):
        return isinstance(value, int) and value == expected
    return math.isclose(value, expected, rel_tol=tolerance, abs_tol=1e-9)


# ---- Describing


def difference(value, expected):
    """The first thing in which an outcome differs from the expected one: a Wrong."""
    if isinstance(value, Raised):
        return Wrong(raising(value.error), "exception")
    if value is None:
        return Wrong("it returns nothing: is there a `return`?", "shape")
    if torch.is_tensor(expected):
        return difference_of_tensors(value, expected)
    if isinstance(expected, int) and isinstance(value, float):
        words = f"it gives {value}, expected the whole number {expected} (`//` divides so)"
        return Wrong(words, "numbers")
    if isinstance(expected, (int, float)) and torch.is_tensor(value) and value.numel() == 1:
        words = "it gives a tensor, expected a plain number: `.item()` takes it out"
        return Wrong(words, "shape")
    if isinstance(expected, dict) and isinstance(value, dict):
        wrong = next((k for k in expected if not same(value.get(k), expected[k])), None)
        words = f"{wrong}: {describe(value.get(wrong))}, expected {describe(expected.get(wrong))}"
        return Wrong(words, "numbers")
    if isinstance(expected, (list, tuple)) and isinstance(value, (list, tuple)):
        if len(value) != len(expected):
            return Wrong(f"it gives {len(value)} things, expected {len(expected)}", "shape")
        for i, right in enumerate(expected):
            if not same(value[i], right):
                inner = difference(value[i], right)
                return Wrong(f"at index {i} of what it gives: {inner}", inner.kind)
    words = f"it gives {describe(value)}, expected {describe(expected)}"
    both_numbers = isinstance(expected, (int, float)) and isinstance(value, (int, float))
    return Wrong(words, "numbers" if both_numbers else "shape")


def difference_of_tensors(value, expected):
    if not torch.is_tensor(value):
        return Wrong(f"it gives {describe(value)}, expected a tensor", "shape")
    if value.shape != expected.shape:
        words = f"the shape is {tuple(value.shape)}, expected {tuple(expected.shape)}"
        return Wrong(words, "shape")
    if value.dtype != expected.dtype:
        return Wrong(f"the numbers are {value.dtype}, expected {expected.dtype}", "shape")
    if value.numel() <= 16:
        words = (
            f"right shape, wrong numbers:\n  yours    {rounded(value)}"
            f"\n  expected {rounded(expected)}"
        )
        return Wrong(words, "numbers")
    far = ~torch.isclose(value, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
    first = tuple(far.nonzero()[0].tolist()) if far.any() else ()
    words = (
        f"right shape, but {int(far.sum())} of {far.numel()} numbers differ; the first at "
        f"{list(first)}: {value[first].item():.4g}, expected {expected[first].item():.4g}"
    )
    return Wrong(words, "numbers")


def rounded(tensor):
    """Its numbers with four decimals, as nested lists."""
    return tensor.detach().double().mul(1e4).round().div(1e4).tolist()


def raising(error):
    """An exception in the reader's code, with the line in which it came up."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = f"it raises {type(error).__name__}: {' '.join(lines[:3])}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_readers(f.filename)]
    if frames:
        line = linecache.getline(frames[-1].filename, frames[-1].lineno).strip()
        if line:
            words += f"\n  in the line: {line}"
    if "view size is not compatible" in str(error):
        words += (
            "\n  (`view` needs its numbers side by side in memory; `reshape` copies if it must)"
        )
    return words


def is_readers(filename):
    """Whether a file holds the reader's code: a cell or a module of theirs, and neither these
    checks, nor the course's package, nor a library.
    """
    path = Path(filename)
    if filename.startswith("<frozen") or path.is_relative_to(sysconfig.get_path("stdlib")):
        return False
    if any(path.is_relative_to(folder) for folder in OURS):
        return False
    return not any(name in path.parts for name in LIBRARIES)


def describe(value):
    """A value in a few words: itself if it is short, else its kind."""
    if torch.is_tensor(value):
        return f"a tensor {tuple(value.shape)} of {value.dtype}"
    if isinstance(value, (int, float, str, bool, list, tuple)) and len(str(value)) < 60:
        return repr(value)
    kind = type(value).__name__
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind}"


def describe_case(case):
    """The arguments of a case, in words; of a configuration what is not the default."""
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
