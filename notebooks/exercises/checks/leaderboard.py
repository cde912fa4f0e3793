"""A leaderboard in a file that a workshop shares: who reaches the best accuracy in a given time?

The file holds one entry a line (JSON), so that several files become one by being put end to end.
"""

import datetime
import json
import math
import platform
import time
from dataclasses import asdict, dataclass, fields

import torch
from filelock import FileLock
from torch import nn

from vit_minimal.augment import normalize
from vit_minimal.data.drawn import SHAPES10_TEST_SEED, shapes10
from vit_minimal.device import describe_device, evaluating, pick_device
from vit_minimal.records import as_path, check_writable
from vit_minimal.terminal import say

TRAINED_ON, JUDGED_ON = 2_000, 2_000  # images of Shapes-10
HELD_OUT = 400  # of the first, when something is only tried out
SECONDS = 300  # what everybody has


class Refused(ValueError):
    """Why something cannot be entered, in a sentence."""


@dataclass(frozen=True)
class Entry:
    """A line of the board. Refused says in a sentence what cannot be."""

    name: str
    accuracy: float  # 0 … 1, on JUDGED_ON test images
    seconds: float  # that the training took
    allowed: float  # seconds
    parameters: int
    machine: str
    date: str
    note: str = ""

    def __post_init__(self):
        for field in fields(self):
            value, kinds = getattr(self, field.name), {float: (int, float)}
            if not isinstance(value, kinds.get(field.type, field.type)) or value is True:
                raise Refused(f"{field.name} should be a {field.type.__name__}, is {value!r}")
        check_name(self.name)
        if not 0 <= self.accuracy <= 1:
            raise Refused(f"an accuracy is a share from 0 to 1, is {self.accuracy:g}")
        if not 0 < self.seconds < math.inf:
            raise Refused(f"the training took {self.seconds:g} seconds, which cannot be")
        if self.seconds > self.allowed:
            raise Refused(
                f"the training took {self.seconds:.0f} seconds, and {self.allowed:g} are allowed: "
                "stop a little earlier"
            )


def check_name(name):
    """Refused unless this can stand in a column of names."""
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 24 or not name.isprintable():
        raise Refused(f"a name has 1 to 24 characters in one line, got {name!r:.60}")


def measure(train, seconds):
    """Try out `train(images, labels, seconds)`, print its accuracy, give (accuracy, seconds, model).

    It trains on all but HELD_OUT of the images and is judged on those, so the board's own test images
    are kept for entries. For what cannot be judged the reason is printed, and None comes back.
    """
    images, labels = shapes10(TRAINED_ON, seed=0)
    tried, held_out = slice(None, -HELD_OUT), slice(-HELD_OUT, None)
    try:
        accuracy, took, model = trained_and_judged(
            train, seconds, (images[tried], labels[tried]), (images[held_out], labels[held_out])
        )
    except Refused as reason:
        say(f"✗ not measured: {reason}")
        return None
    say(f"{accuracy:.1%} of {HELD_OUT} drawings set aside are right, after {took:.1f} seconds")
    if took > seconds:
        say(
            f"! It took {took:.1f} seconds of {seconds:g}: an entry would be refused. Stop earlier."
        )
    return accuracy, took, model


def trained_and_judged(train, seconds, training, test):
    """(accuracy on the second pair, seconds it took, model), each pair being images and labels."""
    if isinstance(train, (type, nn.Module)) or not callable(train):
        raise Refused(
            f"hand in your function `train(images, labels, seconds)`, not {in_words(train)}"
        )
    began = time.perf_counter()
    model = train(*training, seconds)
    took = time.perf_counter() - began
    if not isinstance(model, nn.Module):
        raise Refused(f"train should return a model, an nn.Module; it returned {in_words(model)}")
    test_images, test_labels = test
    device = next((parameter.device for parameter in model.parameters()), "cpu")
    with torch.no_grad(), evaluating(model):
        parts = [model(normalize(x.to(device))).float().cpu() for x in test_images.split(500)]
    logits = torch.cat(parts)
    if logits.shape != (len(test_images), 10):
        found = tuple(logits.shape)
        raise Refused(f"the logits of {len(test_images)} images are {found}, not (…, 10)")
    if not logits.isfinite().all():
        raise Refused("the model's logits are no numbers any more: its training has run away")
    return (logits.argmax(dim=1) == test_labels).float().mean().item(), took, model


def in_words(thing):
    """What was handed in, in a line."""
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    return "a model" if isinstance(thing, nn.Module) else f"{thing!r:.60}"


def enter(path, name, train, seconds=SECONDS, note=""):
    """Train on all images, judge, append a line to the file, give the entry.

    For what cannot be entered the reason is printed, the file stays as it was, and None comes back.
    """
    try:
        entry = made_entry(path, name, train, seconds, note)
    except Refused as reason:
        say(f"✗ not entered: {reason}")
        return None
    append(path, entry)
    say(f"✓ entered: {entry.accuracy:.1%} after {entry.seconds:.0f} seconds")
    return entry


def made_entry(path, name, train, seconds, note):
    """The entry of a training that is done now. Refused if it cannot be one."""
    check_name(name)  # before minutes of training
    if others := {entry.allowed for entry in read_board(path)[0]} - {seconds}:
        raise Refused(f"this board is for {min(others):g} seconds, not for {seconds:g}")
    check_writable(as_path(path).absolute().parent)
    accuracy, took, model = trained_and_judged(
        train, seconds, shapes10(TRAINED_ON, seed=0), shapes10(JUDGED_ON, SHAPES10_TEST_SEED)
    )
    return Entry(
        name.strip(),
        accuracy,
        round(took, 3),
        seconds,
        sum(parameter.numel() for parameter in model.parameters()),
        f"{platform.machine()}, {describe_device(pick_device())}, torch {torch.__version__}",
        datetime.date.today().isoformat(),
        note,
    )


def append(path, entry):
    """Add a line to the file. Those who write at the same time wait for one another."""
    path = as_path(path)
    with FileLock(path.with_suffix(".lock")), path.open("a+", encoding="utf-8") as file:
        file.seek(0)
        text = file.read()
        file.write("\n" if text and not text.endswith("\n") else "")
        file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")


def read_board(path):
    """(entries, what was left out and why) of a file; both are empty if there is none yet."""
    path, entries, left_out = as_path(path), [], []
    if not path.exists():
        return entries, left_out
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            held = json.loads(line)
            entries.append(Entry(**held))
        except (ValueError, TypeError) as error:
            reason = str(error).replace("Entry.__init__() ", "")
            left_out.append(f"line {number} is left out: {reason}")
    return entries, left_out


def show_board(path):
    """Print where the file lies, then its entries, the best first, with the interval that comes of
    2,000 test images.
    """
    entries, left_out = read_board(path)
    say(f"The board {as_path(path).resolve()}" + (":" if entries else " is empty."))
    for place, e in enumerate(sorted(entries, key=lambda e: -e.accuracy), 1):
        width = 1.96 * (e.accuracy * (1 - e.accuracy) / JUDGED_ON) ** 0.5
        say(
            f"{place:3} {e.name:24} {e.accuracy:6.1%} ± {width:.1%} {e.seconds:5.0f} s "
            f"{e.parameters:>10,} parameters  {e.machine}  {e.note}".rstrip()
        )
    for words in left_out:
        say(f"! {words}")
