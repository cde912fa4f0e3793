"""Figures in prose: the sources name a record and a format, and the builder writes the number.

In the text cells of notebooks/source/*.py, and in the sources of README.md and data/README.md,

    {{runs("patch_size", "P = 8").mean:.1%}}     becomes     61.3 %
    {{assert below(runs(…), runs(…))}}           becomes     nothing; the build fails if it is false

What stands between the braces is a Python expression over the functions of this module and the files
in data/results; behind the last colon stands a format: Python's own, or one of these, for a share x:

    .1%     100·x, with a unit: 61.3 %        .1p     100·x, without one: 61.3
    ±.1%    mean and 95 % interval: 61.3 ± 0.4 %, of all that `interval` takes
    +±.1p   the same of a difference, without a unit and with its sign: +1.3 ± 0.7
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

import torch

from checks import EXERCISES
from vit_minimal.experiments import (
    EXPERIMENTS,
    Summary,
    contrast,
    key,
    mean_and_width,
    plan,
    pooled_spread,
    spread_of,
    students_t,
    summarize,
    working_settings,
)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "results"
PLACEHOLDER = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
NO_BREAK = "\N{NO-BREAK SPACE}"  # a time is not torn apart where a column is narrow
FORMAT = re.compile(r"(?:(?P<sign>\+?)(?P<plus_minus>±))?\.(?P<digits>\d)(?P<unit>[%p])")


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
def spread(budget="full"):
    """The Spread of runs on CIFAR-10 at a budget, pooled over all settings that work."""
    return pooled_spread(records(f"experiments_cifar10_{budget}"))


@functools.cache
def experiment(name, budget="full"):
    """{setting: Summary} of an experiment on CIFAR-10 at a budget, with intervals from the pooled
    spread.
    """
    return summarize(name, budget, records(f"experiments_cifar10_{budget}"), spread(budget))


def runs(name, setting, rate=None, budget="full"):
    """The Summary of one setting of an experiment on CIFAR-10, at a budget; with a `rate`, a factor
    of the base's learning rate, a Record of mean and width at that rate, which need not be the best.
    """
    if rate is None:
        return experiment(name, budget)[setting]
    reached = [found.accuracy for found in recorded(name, setting, rate, budget)]
    mean, width = mean_and_width(reached, spread(budget))
    return Record(mean=mean, width=width)


@functools.cache
def recorded(name, setting, rate=1, budget="full"):
    """The records of one setting of an experiment on CIFAR-10, at a budget, one per seed; `rate` is a
    factor of the base's learning rate.
    """
    known = {key(found.run): found for found in records(f"experiments_cifar10_{budget}")}
    seeds = sorted({found.seed for found in known.values()})
    wanted = [key(plan(name, budget, seed)[setting, rate]) for seed in seeds]
    found = [known[run] for run in wanted if run in known]
    if not found:  # of no run everything could be asserted
        raise ValueError(f"no run of {setting!r} in {name} is on record")
    return found


def gain(of):
    """By how much a Summary is ahead of the base of its experiment, with its interval."""
    return Record(mean=of.difference, width=of.difference_width)


def loss(of):
    """By how much a Summary is behind the base of its experiment, with its interval."""
    return Record(mean=-of.difference, width=of.difference_width)


def distance(one, other):
    """one − other with its 95 % interval: of two that have a mean and a width, as if independent
    (where both were tried on the same images, the interval is wider than it need be), or of two lists
    with one share for each seed, which are taken to vary alike.
    """
    if isinstance(one, (Summary, Record)):
        return Record(mean=one.mean - other.mean, width=math.hypot(one.width, other.width))
    return lead([one], [other])


def seed_by_seed(one, other):
    """one − other of two lists with one share for each seed, from the differences of the seeds: the
    two need not vary alike.
    """
    mean, width = mean_and_width([a - b for a, b in zip(one, other, strict=True)])
    return Record(mean=mean, width=width)


def lead(ahead, behind):
    """What `contrast` says of lists that hold a share for each seed, as a Record."""
    difference, width = contrast(ahead, behind)
    return Record(mean=difference, width=width)


def reached(name, setting, rate=1):
    """What a setting of an experiment on CIFAR-10 reached at one factor of the base's learning rate,
    one share for each seed.
    """
    return [found.accuracy for found in recorded(name, setting, rate)]


def ahead(name, one, other, budget="full"):
    """By how many points one setting of an experiment is better than another, without a sign, for a
    sentence. ValueError if it is not, by the interval.
    """
    of = distance(*(runs(name, setting, budget=budget) for setting in (one, other)))
    if of.mean <= of.width:
        raise ValueError(f"{one!r} is not better than {other!r} by its interval")
    return f"{formatted(of, '±.1p')} points"


def more_errors(name, setting, budget="full"):
    """How many more errors than the base of its experiment a setting makes, as a share of the base's,
    with its interval: notebook 07.
    """
    base, *_ = experiment(name, budget)
    ours, theirs = (runs(name, of, budget=budget) for of in (setting, base))
    ratio = (1 - ours.mean) / (1 - theirs.mean)
    width = math.hypot(ours.width / (1 - ours.mean), theirs.width / (1 - theirs.mean))
    return Record(mean=ratio - 1, width=ratio * width)


def at_start(what, name, setting, dataset="cifar10", budget="full"):
    """What the seeds of a setting show before the first step: the "loss", the "spread" between
    images, or the "gradients" of two steps, of the model of a budget: notebook 07.
    """
    wanted = {"experiment": name, "setting": setting, "dataset": dataset, "budget": budget}
    return [row[what] for row in record("start_signs").rows if wanted.items() <= row.items()]


def then_and_now(name, setting):
    """Two cells of a table: how far a setting is ahead of the base of its experiment after few passes
    and after many, the latter with its number of seeds.
    """
    cells = []
    for budget in ("full", "long"):
        of = runs(name, setting, budget=budget)
        if math.isfinite(of.difference_width):
            cells.append(formatted(gain(of), "+±.1p"))
        else:  # one seed of a setting that does not work
            cells.append(formatted(of.difference, ".1p"))
    return " | ".join(cells) + f" ({len(of.accuracies)})"


def reach(of, end):
    """One end of a difference's interval, 1 or −1, as its printed digits add up to it."""
    return round(round(100 * of.mean, 1) + end * round(100 * of.width, 1), 1) / 100


def rounded_up(share):
    """A bound in tenths of a point: what is said to be below it is."""
    return math.ceil(1000 * share - 1e-9) / 1000


def largest(of):
    """The end of a difference's interval that is farther from 0, rounded up: no effect is above it."""
    return rounded_up(abs(of.mean) + of.width)


def bartlett(groups):
    """The p-value of Bartlett's test that groups of numbers vary alike; near 0 they do not."""
    freedoms = torch.tensor([len(values) - 1 for values in groups], dtype=torch.float64)
    variances = torch.tensor([statistics.variance(values) for values in groups]).double()
    degrees, count = freedoms.sum(), len(groups)
    pooled = (freedoms * variances).sum() / degrees
    statistic = degrees * pooled.log() - (freedoms * variances.log()).sum()
    statistic /= 1 + ((1 / freedoms).sum() - 1 / degrees) / (3 * (count - 1))
    half = torch.tensor((count - 1) / 2, dtype=torch.float64)
    return torch.special.gammaincc(half, statistic.clamp(min=0) / 2).item()


def equal_variances():
    """What Bartlett's test says of the settings of the pooled spread."""
    return bartlett(working_settings(records("experiments_cifar10_full")))


def shared_by_seeds():
    """The standard deviation that is left of the pooled one, if what a seed adds to all settings with
    the seeds 0, 1 and 2 is taken out first.
    """
    found = [v for v in working_settings(records("experiments_cifar10_full")) if len(v) == 3]
    reached = torch.tensor(found, dtype=torch.float64)
    left = reached - reached.mean(dim=1, keepdim=True)
    left -= left.mean(dim=0)
    return (left.square().sum() / ((len(found) - 1) * 2)).sqrt().item()


@functools.cache
def comparisons():
    """How many settings are compared with the base of their experiment on CIFAR-10: pairs of
    different models, with two seeds or more; a pair that stands in two experiments counts once.
    """
    pairs = set()
    for name in EXPERIMENTS:
        rates = {
            round(run["training"]["learning_rate"], 9): rate
            for (_, rate), run in plan(name, "full", 0).items()
        }
        several = [
            key(plan(name, "full", 0)[label, rates[round(of.learning_rate, 9)]])
            for label, of in experiment(name).items()
            if len(of.accuracies) > 1
        ]
        pairs |= {(several[0], other) for other in several[1:] if other != several[0]}
    return len(pairs)


def corrected(seeds=3, others=None):
    """Half the width of a difference of so many seeds to so many others, else the base's, that all
    comparisons together exceed by chance in at most 5 of 100 cases (Bonferroni).
    """
    share = 1 - 0.05 / comparisons()
    others = others or len(runs("class_token_init", "N(0, 0.02)").accuracies)
    error = spread().deviation * (1 / seeds + 1 / others) ** 0.5
    return students_t(spread().degrees, share) * error


def patch_cost(patch_size):
    """What patches of this size cost: tokens, parameters, FLOPs, seconds: notebook 08."""
    return only(only(records("patch_size"), part="cost").rows, patch_size=patch_size)


def needles(**fields):
    """One row of notebook 16's needles: what its seeds reached, and at P = 8 at which places."""
    parts = ("needles", "needles_at_equal_flops")
    rows = [row for part in parts for row in only(records("patch_size"), part=part).rows]
    return only(rows, **fields)


def under_noise(patch_size, deviation, learned=False):
    """What the seeds reached at a noise, trained on clean images or on noisy ones: notebook 16."""
    rows = only(records("patch_size"), part="noise_learned" if learned else "noise").rows
    return [row.accuracies[str(deviation)] for row in rows if row.patch_size == patch_size]


def ladder(rung):
    """What the seeds of a rung of notebook 05's ladder reached on CIFAR-10."""
    return only(record("training_ladder").rungs, rung=rung).accuracies


def augmented(setting):
    """What the seeds of one ingredient reached on 2,000 images of CIFAR-10: notebook 05."""
    return only(record("where_augmentation_pays").settings, setting=setting).accuracies


def swept(optimizer, rate=None):
    """What the seeds of an optimizer reached at a learning rate, or at its best: notebook 05."""
    rows = [row for row in record("learning_rates").rows if row.optimizer == optimizer]
    if rate is None:
        return max((row.accuracies for row in rows), key=mean)
    return only(rows, rate=rate).accuracies


def best_rate(optimizer):
    """The learning rate at which the mean of the seeds is highest: notebook 05."""
    rows = [row for row in record("learning_rates").rows if row.optimizer == optimizer]
    return max(rows, key=lambda row: mean(row.accuracies)).rate


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


def kept(method, rate, what="accuracy"):
    """What the seeds of a fine-tuning at a rate reached on the new task, or left of "cifar10", the old
    one: notebook 12.
    """
    runs = [r for r in records("fine_tuning") if r.part == "kept"]
    return [r[what] for r in runs if (r.method, r.rate) == (method, rate)]


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


def silent_bug(name, dataset="shapes10"):
    """What the seeds reached with a bug of notebook 13's museum in the model, or with "none"."""
    found = [run for of in records("silent_bugs") if of.dataset == dataset for run in of.runs]
    return [run.accuracy for run in found if run.bug == name]


def bug_effect(name, base="none", dataset="shapes10"):
    """By how much a model with a bug is ahead of one without, from the pooled spread of all models
    that do better than twice guessing: those that guess hardly vary.
    """
    bugs = {run.bug for of in records("silent_bugs") if of.dataset == dataset for run in of.runs}
    found = {bug: silent_bug(bug, dataset) for bug in bugs}
    pooled = spread_of(found.values(), least=0.2)
    one, other = (mean_and_width(found[bug], pooled) for bug in (name, base))
    return Record(mean=one[0] - other[0], width=math.hypot(one[1], other[1]))


def bug_runs(name):
    """What the seeds reached on CIFAR-10 with a bug in the model: notebook 13."""
    found = [run for of in records("silent_bugs_cifar10") for run in of.runs]
    return [run.accuracy for run in found if run.bug == name]


def bug_on_cifar10(name):
    """By how much a model with a bug is ahead of the same model without it, on CIFAR-10 and with the
    recipe of the experiments, whose runs without a bug and whose pooled spread are used: notebook 13.
    """
    bases = {
        "dropout never off": bug_runs("none, with dropout"),
        "attention across the batch, mean pooling": reached("single_patches", "mean of patches"),
    }
    base = bases.get(name, reached("class_token_place", "class token"))
    one, other = (mean_and_width(of, spread()) for of in (bug_runs(name), base))
    return Record(mean=one[0] - other[0], width=math.hypot(one[1], other[1]))


def cost_of_bug(name):
    """By how much it is behind."""
    of = bug_on_cifar10(name)
    return Record(mean=-of.mean, width=of.width)


def loaded_bug(name):
    """What weights that were trained without a bug reach in a model that has it, as a share, and how
    sure it is: notebook 13.
    """
    return only(record("silent_bugs_loaded").runs, bug=name)


def deleted(map_of, which, count):
    """What the shipped model reaches or loses when `count` patches of a map become noise, those that
    are "highest" in it, say; the map "random" has no order: notebook 06.
    """
    found = record("deletions")
    return at(found[map_of][which], found.counts.index(count))


def colours(state, kind, block):
    """The share of the variance of an image's colours that can be read after a block, 0 before the
    first, from a model "trained" or "untrained": notebook 14.
    """
    return record("class_token_contents").colours[state][kind][block]


def pointing(state):
    """How often the highest score lies on the needle, of all methods and models."""
    return [hit for run in record("needle10").runs for hit in run[state].pointing.values()]


def cut(how, block):
    """What the shipped model loses if its class token is cut off in one block, 1 … L."""
    return ablated(how, "loss, one block", block)


def few_images(model, trained_on, longer=False):
    """What the seeds of a model reached with so many images of CIFAR-10: notebook 14."""
    rows = [row for row in records("training_images") if (row.steps > 1_000) == longer]
    return only(rows, model=model, trained_on=trained_on).accuracies


def cnn_lead(trained_on, optimizer="AdamW", longer=False):
    """By how much the CNN, with AdamW, is ahead of the ViT with so many images, by seed."""
    models = "CNN, AdamW", f"ViT, {optimizer}"
    both = (few_images(model, trained_on, longer) for model in models)
    return [cnn - vit for cnn, vit in zip(*both, strict=True)]


def corners(model, trained_on=4_000, near=False):
    """The row of one model on Corners-2, whose two tiles are far apart or near: notebook 14."""
    drawn = "corners2, side by side" if near else "corners2"
    return only(records("far_corners"), model=model, trained_on=trained_on, dataset=drawn)


def warm_up_gain(name, norm, rate):
    """By how much AdamW is ahead with a warm-up: points, the mean over its seeds; notebook 14."""
    with_it, without = (reached(name, f"{norm}, {how}, AdamW", rate) for how in ("warm-up", "none"))
    return statistics.mean(with_it) - statistics.mean(without)


def fall(patch_size):
    """What a noise of 32 costs a model that never met any, by seed."""
    both = (under_noise(patch_size, deviation) for deviation in (0, 32))
    return [clean - noisy for clean, noisy in zip(*both, strict=True)]


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


def minutes_of_exercises(name):
    """What the board at the end of a notebook's exercises adds up to."""
    first = f"{int(name[:2])}."
    return sum(e.minutes for e in EXERCISES.values() if e.number.startswith(first))


def hours_of_main_path(minutes):
    """What the notebooks 00 to 10 take together; `minutes` says it of one, by its name."""
    sources = sorted((ROOT / "notebooks" / "source").glob("[01][0-9]_*.py"))
    return sum(minutes(source.stem) for source in sources if int(source.stem[:2]) <= 10) / 60


def numbered_sections(name):
    """How many things of a notebook have a number: the claims of 10 and 14 and the bugs of 13, which are
    sections, rows of a table, or both.
    """
    return len({*re.findall(r"^# (?:###|\|) (\d+)\. ", source_of(name), re.MULTILINE)})


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
    """Whether two 95 % intervals overlap: no proof that the two are alike, and `differs` of their
    `distance` is the finer test.
    """
    return not below(one, other) and not below(other, one)


def differs(of):
    """Whether a difference is beyond its 95 % interval: that of a Summary to its base, or a Record as
    `distance` gives it.
    """
    middle, width = (
        (of.difference, of.difference_width) if isinstance(of, Summary) else (of.mean, of.width)
    )
    if not math.isfinite(width):
        raise ValueError("a difference needs two seeds or more")
    return abs(middle) > width


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
    if house["plus_minus"]:
        low, high = interval(value)
        text = (
            f"{50 * (low + high):{house['sign']}.{digits}f} ± {50 * (high - low):.{digits}f}{unit}"
        )
        if house["sign"]:
            text = re.sub(r"^[+-](?=[0.]+ )", "", text)  # a zero has no sign
    else:
        text = f"{100 * value:.{digits}f}{unit}"
    return text.replace("-", "\N{MINUS SIGN}")


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
