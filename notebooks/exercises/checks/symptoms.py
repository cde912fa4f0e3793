"""What holds of the right numbers and not of an answer's, when no usual mistake explains it.

`symptom(tries)` looks at all cases at once, because in a single one many things agree by accident. A
try is (case, value, expected). None of this knows an exercise: it looks for a factor, an offset,
exchanged axes, sums that are not 1, a place where alone it is wrong, and the like.
"""

import itertools
import math
from dataclasses import fields, is_dataclass

import torch

from .helpers import listed

WRITTEN = (  # how a number of the case may enter: in words, and as a function
    ("`{}`", lambda n: n),
    ("1/`{}`", lambda n: 1 / n),
    ("√`{}`", lambda n: n**0.5),
    ("1/√`{}`", lambda n: n**-0.5),
    ("`{}` − 1", lambda n: n - 1),
    ("`{}`²", lambda n: n * n),
)
FUNCTIONS = (
    ("the square of what is expected", torch.square),
    ("the root of what is expected", lambda x: x.clamp(min=0).sqrt()),
    ("e to the power of what is expected", torch.exp),
    ("the logarithm of what is expected", lambda x: x.clamp(min=1e-30).log()),
    ("1 divided by what is expected", lambda x: 1 / x),
    ("1 minus what is expected", lambda x: 1 - x),
    ("the absolute value of what is expected: a sign is lost", torch.abs),
    ("what is expected, rounded down", torch.floor),
    ("what is expected, rounded", torch.round),
    ("the softmax, over the last axis, of what is expected", lambda x: x.softmax(-1)),
)


def symptom(tries, item="index"):
    """Words for something that holds of what is expected, and not of what an answer gives; or None.

    A message shows shapes and numbers of the first try that is wrong. `item` is what the places of a
    plain list are called.
    """
    tries, where = narrowed([(case, tensor_of(v), tensor_of(e)) for case, v, e in tries])
    if any(value is None or expected is None for _, value, expected in tries):
        return None
    if any(value.dtype != expected.dtype for _, value, expected in tries):
        return None
    tries = [(case, v.detach().double(), e.detach().double()) for case, v, e in tries]
    tries = [t for t in tries if t[2].numel()]
    tries = sorted(tries, key=is_right)
    if not tries or is_right(tries[0]):
        return None
    if any(value.shape != expected.shape for _, value, expected in tries):
        words = first_of((axes_in_another_order, numbers_in_another_shape), tries)
    else:
        words = first_of(SAME_SHAPE, tries)
    if words and item != "index":
        words = words.replace("along axis 0 ", "").replace("index", item)
    return words and where + words


def is_right(a_try):
    _, value, expected = a_try
    return value.shape == expected.shape and close(value, expected)


def first_of(looks, tries):
    return next(filter(None, (look(tries) for look in looks)), None)


def tensor_of(value):
    """A tensor, a number, or a list of numbers, as a tensor; a list of tensors as it is; else None."""
    if torch.is_tensor(value):
        return value
    if isinstance(value, (int, float)):
        return torch.tensor(float(value), dtype=torch.float64)
    items = listed(value)
    if items and all(isinstance(item, (int, float)) for item in items):
        return torch.tensor(items, dtype=torch.float64)
    if items and all(torch.is_tensor(item) or isinstance(item, (int, float)) for item in items):
        return items
    return None


def narrowed(tries):
    """Tries of several tensors each, narrowed to the first that is wrong; and words for which."""
    if not all(isinstance(v, list) and isinstance(e, list) for _, v, e in tries):
        return [
            (c, None if isinstance(v, list) else v, None if isinstance(e, list) else e)
            for c, v, e in tries
        ], ""
    count = {len(v) for _, v, _ in tries} | {len(e) for _, _, e in tries}
    if len(count) != 1:
        return [(c, None, None) for c, _, _ in tries], ""
    for i in range(count.pop()):
        part = [(c, tensor_of(v[i]), tensor_of(e[i])) for c, v, e in tries]
        if not all(v.shape == e.shape and close(v, e) for _, v, e in part):
            return part, f"number {i} of what it gives (counted from 0): "
    return [(c, None, None) for c, _, _ in tries], ""


def close(value, expected):
    limit = 1e-4 * max(1e-3, expected.abs().nan_to_num(posinf=0).max().item())
    return torch.allclose(value, expected.to(value), rtol=0, atol=limit, equal_nan=True)


# ---- Another shape


def axes_in_another_order(tries):
    axes = tries[0][1].dim()
    if axes > 5 or any(v.dim() != axes or e.dim() != axes for _, v, e in tries):
        return None
    for order in itertools.permutations(range(axes)):
        moved = [(v.permute(order), e) for _, v, e in tries]
        if all(v.shape == e.shape and close(v, e) for v, e in moved):
            value, expected = of_another_shape(tries)
            return (
                f"the numbers are right, and their axes stand in another order: "
                f"{tuple(value.shape)}, expected {tuple(expected.shape)}, which is your "
                f"`.permute{order}`"
            )
    return None


def of_another_shape(tries):
    return next((v, e) for _, v, e in tries if v.shape != e.shape)


def numbers_in_another_shape(tries):
    if any(v.numel() != e.numel() for _, v, e in tries):
        return None
    value, expected = of_another_shape(tries)
    shapes = f"the shape is {tuple(value.shape)}, expected {tuple(expected.shape)}"
    if all(close(v.flatten(), e.flatten()) for _, v, e in tries):
        return f"{shapes}. The numbers themselves are right, in the right order"
    if all(close(v.flatten().sort().values, e.flatten().sort().values) for _, v, e in tries):
        return f"{shapes}. All the right numbers are there, in the wrong places"
    return None


# ---- The right shape


def not_finite(tries):
    for case, value, expected in tries:
        if expected.isfinite().all() and not value.isfinite().all():
            held = "nan (not a number)" if value.isnan().any() else "infinity"
            size = max((t.abs().max().item() for _, t in tensors_in(case) if t.numel()), default=0)
            return (
                f"it holds {held}, and should not. The largest number that went in is {size:.3g}: "
                "what becomes of it on the way (e^x overflows at 89; what is 0/0?)"
            )
    return None


def all_the_same(tries):
    def constant(t):
        return bool((t == t.flatten()[0]).all())

    if all(v.numel() > 1 and constant(v) and not constant(e) for _, v, e in tries):
        return f"all numbers are the same, {tries[0][1].flatten()[0].item():.4g}"
    return None


def turned_sign(tries):
    if all(close(-v, e) for _, v, e in tries):
        return "right but for the sign"
    return None


def by_an_offset(tries):
    offsets = []
    for _, value, expected in tries:
        offset = (value - expected).flatten()[0].item()
        if not close(value - offset, expected):
            return None
        offsets.append(offset)
    if all(abs(o) < 1e-9 for o in offsets):
        return None
    words = named_number([abs(o) for o in offsets], tries)
    side = "large" if max(offsets, key=abs) > 0 else "small"
    if words and (all(o >= 0 for o in offsets) or all(o <= 0 for o in offsets)):
        return f"too {side} by {words}, everywhere"
    return None


def by_a_factor(tries):
    factors = []
    for _, value, expected in tries:
        at = expected.abs().argmax()
        if expected.flatten()[at] == 0:
            continue
        factor = (value.flatten()[at] / expected.flatten()[at]).item()
        if not math.isfinite(factor) or not close(value, factor * expected):
            return None
        factors.append((factor, (_, value, expected)))
    if not factors or all(abs(f) < 1e-9 for f, _ in factors):
        return None
    words = named_number([f for f, _ in factors], [t for _, t in factors])
    return f"right but for a factor of {words}" if words else None


def by_a_function(tries):
    for words, function in FUNCTIONS:
        found = [function(e) for _, _, e in tries]
        if all(
            f.isfinite().all() and close(v, f) for (_, v, _), f in zip(tries, found, strict=True)
        ):
            return f"this is {words}"
    return None


def sums_to_one(tries):
    axes = min(e.dim() for _, _, e in tries)
    if any(e.min() < 0 for _, _, e in tries):
        return None  # no shares: that these sum to 1 is a coincidence, which no reader expects
    for axis in range(-1, -axes - 1, -1):
        sums = [(v.sum(axis), e.sum(axis)) for _, v, e in tries]
        if not all(close(e, torch.ones_like(e)) for _, e in sums):
            continue
        wrong = next((v for v, _ in sums if not close(v, torch.ones_like(v))), None)
        if wrong is None:
            continue
        others = [
            other
            for other in range(-1, -axes - 1, -1)
            if all(close(v.sum(other), torch.ones_like(v.sum(other))) for _, v, _ in tries)
        ]
        sums = wrong.flatten()
        far = sums[(sums - 1).abs().argmax()].item()
        shown = next(filter(lambda s: float(s) != 1, (f"{far:.3g}", f"{far:.6g}")), f"{far}")
        words = f"along the axis {axis} there are numbers that sum to {shown}, not to 1"
        return words + (f"; along the axis {others[0]} they do" if others else "")
    return None


def out_of_range(tries):
    lowest = min(e.min().item() for _, _, e in tries)
    highest = max(e.max().item() for _, _, e in tries)
    value = tries[0][1]  # of the case that is shown
    if lowest >= 0 and value.min().item() < -1e-6:
        return "some of its numbers are negative, none should be"
    if lowest >= 0 and highest <= 1 and value.max().item() > 1 + 1e-4:
        return "some of its numbers are larger than 1, none should be"
    return None


def moved(tries):
    axes = min(e.dim() for _, _, e in tries)
    ways = [
        (f"the axes {i} and {j} are exchanged", lambda x, i=i, j=j: x.transpose(i, j))
        for i, j in itertools.combinations(range(axes), 2)
    ]
    for i in range(axes):
        ways += [
            (f"the order along axis {i} is turned round", lambda x, i=i: x.flip(i)),
            (f"along axis {i} all stands one place too early", lambda x, i=i: x.roll(-1, i)),
            (f"along axis {i} all stands one place too late", lambda x, i=i: x.roll(1, i)),
        ]
    for words, way in ways:
        if all(way(e).shape == v.shape and close(v, way(e)) for _, v, e in tries):
            return f"all the right numbers, but {words}"
    if all(close(v.flatten().sort().values, e.flatten().sort().values) for _, v, e in tries):
        return "right shape, and all the right numbers, but in the wrong places" + (
            where_they_moved(tries)
        )
    return None


def where_they_moved(tries):
    axes = min(e.dim() for _, _, e in tries)
    for axis in range(axes):
        if all(close(v.sort(axis).values, e.sort(axis).values) for _, v, e in tries):
            return f": they are exchanged along axis {axis} alone"
    for axis in range(axes):
        rows = [
            (v.transpose(0, axis).flatten(1), e.transpose(0, axis).flatten(1))
            for _, v, e in tries
            if axes > 1 and v.shape[axis] > 1
        ]
        if rows and all(close(v.sort(1).values, e.sort(1).values) for v, e in rows):
            return f": each index of axis {axis} holds what it should, in another order"
    return ""


def in_one_place(tries):
    """Along which axis, and at which of its ends, alone it is wrong or right."""
    axes = min(e.dim() for _, _, e in tries)
    for axis in range(axes):
        found = []
        for case, v, e in tries:
            far = (v - e).abs() > 1e-4 * max(1e-3, e.abs().max().item())
            mark = far.transpose(0, axis).flatten(1).any(1) if v.dim() > 1 else far
            if mark.any():
                found.append(((case, v, e), mark))
        wrong, marks = [t for t, _ in found], [m for _, m in found]
        if not marks or any(m.all() for m in marks):
            continue  # also if such an axis has one place alone
        for words, picks in (
            ("only index 0 is wrong", lambda m: not m[1:].any()),
            ("only the last index is wrong", lambda m: not m[:-1].any()),
            ("only index 0 is right", lambda m: bool(m[1:].all())),
            ("only the last index is right", lambda m: bool(m[:-1].all())),
        ):
            if all(picks(m) for m in marks):
                return f"along axis {axis} {words}"
        begins = [int(m.nonzero()[0]) for m in marks]
        if all(not m[:k].any() and m[k:].all() for m, k in zip(marks, begins, strict=True)):
            name = named_number(begins, wrong)
            return (
                f"along axis {axis} it is wrong from index {name or begins[0]} on, and right before"
            )
        ends = [int(m.nonzero()[-1]) + 1 for m in marks]
        if all(m[:k].all() and not m[k:].any() for m, k in zip(marks, ends, strict=True)):
            name = named_number(ends, wrong)
            return (
                f"along axis {axis} it is right from index {name or ends[0]} on, and wrong before"
            )
    return None


def right_in_sum(tries):
    axes = min(e.dim() for _, _, e in tries)
    for axis in range(axes):
        if any(e.shape[axis] == 1 and not close(v, e) for _, v, e in tries):
            continue  # there a sum is the number itself
        if all(close(v.sum(axis), e.sum(axis)) for _, v, e in tries):
            return f"the sums along axis {axis} are right, what is summed is not"
    return None


SAME_SHAPE = (
    not_finite,
    turned_sign,
    by_an_offset,
    by_a_factor,
    all_the_same,
    sums_to_one,
    moved,
    by_a_function,
    in_one_place,
    out_of_range,
    right_in_sum,
)


# ---- Numbers that a case holds


def named_number(found, tries):
    """Words for a number of each try: a plain one if it is always the same, else one of the case."""
    numbers = [numbers_of(case) for case, _, _ in tries]
    if len(numbers) != len(found) or not found:
        return None
    for name in numbers[0] if len({round(f, 6) for f in found}) > 1 else ():
        for words, function in WRITTEN:
            values = [n.get(name) for n in numbers]
            if any(not v or v <= 0 for v in values):
                continue
            if all(
                math.isclose(function(v), f, rel_tol=1e-3)
                for v, f in zip(values, found, strict=True)
            ):
                return words.format(name)
    first = found[0]
    if all(math.isclose(f, first, rel_tol=1e-3) for f in found):
        shown = round(first) if math.isclose(first, round(first), rel_tol=1e-3) else first
        return f"{shown:.4g}"
    return None


def numbers_of(case, prefix=""):
    """{name: number} of a case: its numbers, those of its settings, the sides of its tensors."""
    found = {}
    for name, value in case.items():
        name = prefix + name
        if isinstance(value, dict):
            found |= numbers_of(value)
        elif is_dataclass(value):
            held = {f.name: getattr(value, f.name) for f in fields(value)}
            found |= numbers_of(held, f"{name}.")
        elif torch.is_tensor(value):
            found |= {f"{name}.shape[{axis}]": side for axis, side in enumerate(value.shape)}
        elif isinstance(value, (list, tuple)):
            found[f"len({name})"] = len(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[name] = value
    return found


def tensors_in(value, name=""):
    """(name, tensor) of all floating-point tensors in a case."""
    if torch.is_tensor(value) and value.is_floating_point():
        yield name, value
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from tensors_in(held, str(key))
    elif isinstance(value, (list, tuple)):
        for i, held in enumerate(value):
            yield from tensors_in(held, f"{name}[{i}]")
