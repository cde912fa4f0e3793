"""Figures in prose: the sources name a record and a format, and the builder writes the number.

In the text cells of notebooks/source/*.py, and in the sources of README.md and data/README.md,

    {{runs("patch_size", "P = 8").mean:.1%}}     becomes     61.3 %
    {{assert below(runs(…), runs(…))}}           becomes     nothing; the build fails if it is false

What stands between the braces is a Python expression over the functions of this module and the files
in data/results; behind the last colon stands a format: Python's own, or one of these, for a share x:

    .1%     100·x, with a unit: 61.3 %        .1p     100·x, without one: 61.3
    ±.1%    mean and 95 % interval: 61.3 ± 0.4 %, of all that `interval` takes
    time    seconds, in words of a table: 45 s, 2.5 min, 1 h 53 min
    about   seconds, in round numbers: 10 s, a minute, 4 min

An assertion stands beside the sentence that it carries, or on a line of its own below it: what it
says of order and overlap has to be true of the records for as long as the sentence is there.
"""

import functools
import json
import math
import re
import statistics
from pathlib import Path

from checks import EXERCISES
from vit_minimal.experiments import Summary, key, mean_and_width, plan, summarize

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "results"
PLACEHOLDER = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
NO_BREAK = "\N{NO-BREAK SPACE}"  # a time is not torn apart where a column is narrow
FORMAT = re.compile(r"(?P<plus_minus>±?)\.(?P<digits>\d)(?P<unit>[%p])")


class Record(dict):
    """A dictionary whose entries are attributes too: record("needle10").runs[0].seed."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError as error:
            known = ", ".join(map(str, self))
            raise AttributeError(f"no {name!r} in this record: there are {known}") from error


def records(name):
    """All that data/results/NAME.json holds: a list of records, or a dictionary of them."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"), object_hook=Record)


def record(name):
    """The only record of a file."""
    (found,) = records(name)
    return found


def accuracies(name):
    """What the runs of a file reached, one share for each."""
    return [run.accuracy for run in records(name)]


def only(rows, **fields):
    """The one of some rows in which these fields have these values."""
    (found,) = (row for row in rows if all(row[name] == fields[name] for name in fields))
    return found


def at(series, index):
    """One entry of {mean: [...], width: [...]}, as a Record of a mean and a width."""
    return Record(mean=series.mean[index], width=series.width[index])


@functools.cache
def experiment(name, budget="full", dataset="cifar10"):
    """{setting: Summary} of an experiment."""
    return summarize(name, budget, records(f"experiments_{dataset}_{budget}"))


def runs(name, setting):
    """The Summary of one setting of an experiment on CIFAR-10, at the full budget."""
    return experiment(name)[setting]


@functools.cache
def recorded(name, setting, rate=1):
    """The records of one setting of an experiment on CIFAR-10, at the full budget, one per seed;
    `rate` is a factor of the base's learning rate.
    """
    known = {key(found.run): found for found in records("experiments_cifar10_full")}
    seeds = sorted({found.seed for found in known.values()})
    wanted = [key(plan(name, "full", seed)[setting, rate]) for seed in seeds]
    found = [known[run] for run in wanted if run in known]
    if not found:  # of no run everything could be asserted
        raise ValueError(f"no run of {setting!r} in {name} is on record")
    return found


def patch_cost(patch_size):
    """What patches of this size cost: tokens, parameters, FLOPs, seconds: notebook 08."""
    return only(only(records("patch_size"), part="cost").rows, patch_size=patch_size)


def needles(**fields):
    """What the seeds of one row of notebook 08's table of needles reached."""
    return only(only(records("patch_size"), part="needles").rows, **fields).accuracies


def under_noise(patch_size, deviation, learned=False):
    """What the seeds reached at a noise, trained on clean images or on noisy ones: notebook 08."""
    rows = only(records("patch_size"), part="noise_learned" if learned else "noise").rows
    return [row.accuracies[str(deviation)] for row in rows if row.patch_size == patch_size]


def ladder(rung):
    """What the seeds of a rung of notebook 05's ladder reached on CIFAR-10."""
    return only(record("training_ladder").rungs, rung=rung).accuracies


def augmented(setting):
    """What the seeds of one ingredient reached on 2,000 images of CIFAR-10: notebook 05."""
    return only(record("where_augmentation_pays").settings, setting=setting).accuracies


def speed_of_the_formula(precision):
    """How many times as fast as with the fused kernel a CPU trains with attention's formula."""
    rates = only(record("attention_kernels").runs, precision=precision).images_per_second
    return rates.explicit / rates.fused


def probe(kind, block):
    """What a probe reads off the shipped model after a block, 0 before the first: notebook 06."""
    return at(record("class_token_journey").probes[kind], block)


def knock_out(kind, block):
    """What the shipped model reaches or loses, cut off in a block, 1 … L: notebook 06."""
    return record("class_token_journey").knock_outs[kind].mean[block - 1]


def ablated(how, kind, block):
    """What the shipped model reaches or loses, cut off in a block, up to it or from it on, by
    "knock_outs" or "mean_ablations": notebook 06.
    """
    return at(record("class_token_journey")[how][kind], block - 1)


def ablated_pair(how, kind, one, other):
    """The same for two blocks, one before the other."""
    found = record("class_token_journey")
    return at(found[how][kind], found.cuts["two blocks"].index([one, other]))


def tuning(part, **fields):
    """The one record of notebook 12 of a part, with these fields."""
    (found,) = (r for r in records("fine_tuning") if ({"part": part} | fields).items() <= r.items())
    return found


def tuned(method, count, task="shapes10"):
    """What the seeds of a way of training reached with so many images per class: notebook 12."""
    runs = [r for r in records("fine_tuning") if r.part == "trained" and r.task == task]
    return [r.accuracy for r in runs if (r.method, r.images_per_class) == (method, count)]


def _read_off(reading, count, how, model, task):
    rows = tuning("features", task=task).rows
    model = "none" if reading == "pixels" else model
    return only(rows, reading=reading, images_per_class=count, model=model)[how]


def read_off(reading, count, how="probe", model="trained", task="shapes10", block=-1):
    """What the seeds of a probe, or of the nearest neighbour, reached after a block: notebook 12."""
    return [blocks[block] for blocks in _read_off(reading, count, how, model, task)]


def best_block(reading, count, task="shapes10"):
    """The block, 1 … L, after which the trained model's probe is best on average: notebook 12."""
    seeds = _read_off(reading, count, "probe", "trained", task)
    means = [mean(block) for block in zip(*seeds, strict=True)]
    return means.index(max(means))


def mirrored(values, columns=8):
    """The values of patches, row by row, with left and right exchanged."""
    rows = [values[i : i + columns] for i in range(0, len(values), columns)]
    return [value for row in rows for value in reversed(row)]


def deleted(map_of, which, count):
    """What the shipped model reaches or loses without `count` patches of a map: notebook 06."""
    deletions = record("class_token_journey").deletions
    return at(deletions[map_of][which], deletions.counts.index(count))


def notebook_seconds(name, precision="bfloat16"):
    """How long a notebook took at its last build, on a machine that multiplies in this precision."""
    return records("notebook_times")[precision][name].seconds


def source_of(name):
    return (ROOT / "notebooks" / "source" / f"{name}.py").read_text(encoding="utf-8")


def minutes_to_read(name):
    """The reading time that stands at the head of a notebook."""
    head = r"^# \| Time to read \| about (\d+) minutes(?:, .*)? \|$"
    (minutes,) = re.findall(head, source_of(name), re.MULTILINE)
    return int(minutes)


def numbered_sections(name):
    """How many sections of a notebook have a number: the claims of 10, the bugs of 09."""
    return len(re.findall(r"^# ### \d+\. ", source_of(name), re.MULTILINE))


def number_of_exercises():
    return len(EXERCISES)


def lines_of(*modules):
    """How many lines some modules of the package have together."""
    paths = [ROOT / "vit_minimal" / f"{module}.py" for module in modules]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def mean(values):
    return statistics.mean(values)


def interval(of):
    """The ends of a 95 % interval: of a Summary, of a Record with mean and width, or over seeds, of
    a list of shares.
    """
    has_width = isinstance(of, (Summary, Record))
    middle, width = (of.mean, of.width) if has_width else mean_and_width(list(of))
    if not math.isfinite(width):
        raise ValueError("one seed has no interval")
    return middle - width, middle + width


def below(one, other):
    """Whether all of one 95 % interval lies below all of another."""
    return interval(one)[1] < interval(other)[0]


def overlap(one, other):
    """Whether two 95 % intervals overlap. (Where the seeds are shared, `differs` is the finer test.)"""
    return not below(one, other) and not below(other, one)


def differs(of):
    """Whether the difference of a Summary to its base, seed by seed, is beyond its 95 % interval."""
    if not math.isfinite(of.difference_width):
        raise ValueError("a difference needs two seeds or more")
    return abs(of.difference) > of.difference_width


def _as_time(seconds):
    half_minutes, minutes = round(seconds / 30), round(seconds / 60)
    if seconds <= 60:
        time = f"{seconds:.0f} s"
    elif half_minutes < 120:
        time = f"{half_minutes / 2:g} min"
    else:
        time = f"{minutes // 60} h {minutes % 60} min"
    return time.replace(" ", NO_BREAK)


def _about(seconds):
    if seconds < 45:
        return f"{10 * max(1, int(seconds / 10 + 0.5))}{NO_BREAK}s"
    minutes = int(seconds / 60 + 0.5)
    return "a minute" if minutes == 1 else f"{minutes}{NO_BREAK}min"


def formatted(value, form):
    """A value as the prose has it."""
    if form == "time":
        return _as_time(value)
    if form == "about":
        return _about(value)
    house = FORMAT.fullmatch(form)
    if not house:
        return format(value, form)
    digits, unit = house["digits"], " %" if house["unit"] == "%" else ""
    if not house["plus_minus"]:
        return f"{100 * value:.{digits}f}{unit}"
    low, high = interval(value)
    return f"{50 * (low + high):.{digits}f} ± {50 * (high - low):.{digits}f}{unit}"


def fill(text):
    """The text with its placeholders filled. ValueError names one that cannot be, or is false."""

    def filled(match):
        inside = " ".join(line.removeprefix("#").strip() for line in match[1].splitlines())
        try:
            if inside.startswith("assert "):
                if evaluate(inside.removeprefix("assert ")) is not True:
                    raise ValueError("the records say otherwise")
                return ""
            expression, _, form = inside.rpartition(":")
            return formatted(evaluate(expression), form.strip())
        except Exception as error:
            raise ValueError(f"{{{{{inside}}}}}: {error}") from error

    text = re.sub(r"[ \t]*\n?[ \t]*(?=\{\{assert\s)", "", text)
    return PLACEHOLDER.sub(filled, text)


def evaluate(expression):
    """The value of an expression over what this module knows."""
    return eval(expression, dict(globals()))
