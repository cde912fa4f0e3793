"""What is said about an answer: a value or a case in words, and the first thing that differs."""

import contextlib
import linecache
import math
import numbers
import sysconfig
import traceback
from dataclasses import fields, is_dataclass
from pathlib import Path

import torch

import vit_minimal

from .helpers import Raised, Wrong, listed, same, without_numpy

# Folders whose code is not the reader's. Readers may keep modules of their own beside the notebooks.
OURS = (Path(__file__).parent, Path(vit_minimal.__file__).parent)
LIBRARIES = ("site-packages", "dist-packages")  # Debian, and so Colab, has the second


NUMBER_OF = {}  # {name of an exercise: its number}; filled where all are known


def difference(value, expected, item="index"):
    """The first thing in which an outcome differs from the expected one: a Wrong. `item` is what the
    places of a list are called.
    """
    if isinstance(value, Raised):
        return Wrong(raising(value.error), "exception")
    if value is None:
        return Wrong("it returns nothing: is there a `return`?", "shape")
    if torch.is_tensor(expected):
        return difference_of_tensors(value, expected)
    value = without_numpy(value)
    if isinstance(expected, int) and isinstance(value, float):
        words = f"it gives {value}, expected the whole number {expected}"
        if abs(value - expected) < 1:
            words += " (`//` divides so)"
        return Wrong(words, "shape" if value == expected else "numbers")
    if isinstance(expected, (int, float)) and torch.is_tensor(value) and value.numel() == 1:
        words = "it gives a tensor, expected a plain number: `.item()` takes it out"
        return Wrong(words, "shape")
    if isinstance(expected, dict) and isinstance(value, dict):
        wrong = next((k for k in expected if not same(value.get(k), expected[k])), None)
        if torch.is_tensor(expected.get(wrong)):
            words = f"{wrong}: {difference(value.get(wrong), expected[wrong])}"
        else:
            held, wanted = describe(value.get(wrong)), describe(expected.get(wrong))
            words = f"{wrong}: {held}, expected {wanted}"
        return Wrong(words, "invariant")  # a property that has a name
    if isinstance(expected, (list, tuple)) and listed(value) is not None:
        return difference_of_lists(listed(value), listed(expected), item)
    words = f"it gives {describe(value)}, expected {describe(expected)}"
    both_numbers = isinstance(expected, (int, float)) and isinstance(value, (int, float))
    return Wrong(words, "numbers" if both_numbers else "shape")


def difference_of_lists(value, expected, item):
    if len(value) != len(expected):
        return Wrong(f"it gives {len(value)} things, expected {len(expected)}", "shape")
    i = next(i for i, right in enumerate(expected) if not same(value[i], right))
    inner = difference(value[i], expected[i])
    place = f"index {i} of what it gives" if item == "index" else f"{item} {i}"
    return Wrong(f"at {place}: {inner}", inner.kind)


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
    frames = frames_of(error)
    if frames:
        line = linecache.getline(frames[-1].filename, frames[-1].lineno).strip()
        if line:
            words += f"\n  in the line: {line}"
    if isinstance(error, NameError) and (number := NUMBER_OF.get(error.name)):
        words += f"\n  (`{error.name}` comes from exercise {number}: run its two cells first)"
    if "view size is not compatible" in str(error):
        words += (
            "\n  (`view` needs its numbers side by side in memory; `reshape` copies if it must. Neither "
            "exchanges two axes: if that is what you want, it is `transpose`)"
        )
    return words


def frames_of(error):
    """Where in the reader's own code an exception came up: the frames from outside in; maybe none."""
    return [f for f in traceback.extract_tb(error.__traceback__) if is_readers(f.filename)]


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


def plain_number(answer):
    """A number, also of a tensor or an array of one element. Wrong if it is none."""
    number = answer
    if hasattr(answer, "item"):
        with contextlib.suppress(ValueError, RuntimeError):
            number = answer.item()
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise Wrong(f"expected a number, got {describe(answer)}", "shape")
    if not math.isfinite(number):
        raise Wrong(f"expected a finite number, got {number}", "shape")
    return number


def number_from(value):
    """A plain number that a function gave. Wrong if it gave something else, such as a tensor."""
    number = without_numpy(value)
    if isinstance(number, numbers.Real) and not isinstance(number, bool):
        return number
    if number is None or (torch.is_tensor(value) and value.numel() == 1):
        raise difference(value, 0.0)
    raise Wrong(f"it gives {describe(value)}, expected a number", "shape")


def truth_from(value):
    """True or False, as a function gave it, of PyTorch and NumPy too. Wrong if it gave neither."""
    truth = without_numpy(value)
    if torch.is_tensor(truth) and truth.dtype == torch.bool and truth.numel() == 1:
        truth = truth.item()
    if isinstance(truth, bool):
        return truth
    if truth is None:
        raise difference(value, True)
    raise Wrong(f"it gives {describe(value)}, expected True or False", "shape")


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
