"""Means over seeds, their intervals, and differences to an experiment's base."""

import json
import math
import statistics
from dataclasses import dataclass, field

from .grid import EXPERIMENTS, key, plan

T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # Student's t, 1 … 9 degrees


def students_t(degrees, share=0.95):
    """How many standard errors an interval that holds this share reaches to, with so many degrees of
    freedom. ValueError for a share other than 95 % where they are fewer than ten.
    """
    if degrees < 1:
        return math.inf
    if degrees <= len(T_95):
        if share != 0.95:
            raise ValueError(f"{degrees} degrees of freedom: only 95 % are known, not {share:%}")
        return T_95[degrees - 1]
    z = statistics.NormalDist().inv_cdf((1 + share) / 2)
    first = (z**3 + z) / 4  # the expansion of Abramowitz and Stegun, 26.7.5
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


@dataclass(frozen=True)
class Spread:
    """By how much runs of one setting differ, pooled over many settings that vary alike."""

    deviation: float  # the standard deviation of one run about its setting's mean
    degrees: int  # of freedom: one less than seeds, for each setting
    least: float  # a setting whose mean lies below this is none of them

    def width(self, seeds):
        """Half the width of the 95 % interval of a mean over so many seeds."""
        return students_t(self.degrees) * self.deviation / seeds**0.5


def working_settings(records):
    """The accuracies of each setting of a record that works: a list of lists, one number per seed.

    A setting, which here means all of a run but its seed, works if it was run with two seeds or more
    and its mean is at least half of the best one's: what fails, or guesses, varies in another way
    or not at all. Settings that reach the same accuracies seed by seed are one model and count once.
    """
    found = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        run = json.loads(key(record["run"]))
        del run["training"]["seed"]
        found.setdefault(json.dumps(run, sort_keys=True), []).append(record["accuracy"])
    several = {tuple(values) for values in found.values() if len(values) > 1}
    least = max(map(statistics.mean, several), default=0) / 2
    return sorted(list(values) for values in several if statistics.mean(values) >= least)


def pooled_spread(records):
    """The Spread of all settings of a record that work; that they vary alike is assumed.

    ValueError if no setting was run with two seeds.
    """
    settings = working_settings(records)
    if not settings:
        raise ValueError("a spread needs a setting with two seeds or more: there is none on record")
    return spread_of(settings, max(map(statistics.mean, settings)) / 2)


def spread_of(settings, least):
    """The Spread of settings, lists of one accuracy per seed; not of those of a mean below `least`."""
    variance, degrees = _pooled([values for values in settings if statistics.mean(values) >= least])
    return Spread(variance**0.5, degrees, least)


def _pooled(lists):
    """The variance that lists of numbers share, each about its own mean; its degrees of freedom."""
    degrees = sum(len(values) - 1 for values in lists)
    squares = sum((len(values) - 1) * statistics.variance(values) for values in lists)
    return squares / degrees, degrees


def mean_and_width(values, spread=None):
    """The mean of one number per seed, and half the width of its 95 % interval (Student's t).

    The interval comes from the values alone, or from the `spread`, if they are accuracies of a
    setting that works.
    """
    mean = statistics.mean(values)
    if spread is not None and mean >= spread.least:
        return mean, spread.width(len(values))
    if len(values) < 2:
        return mean, math.inf
    error = statistics.stdev(values) / len(values) ** 0.5
    return mean, students_t(len(values) - 1) * error


def contrast(ahead, behind):
    """The mean of the lists `ahead` summed up, less that of `behind`, and half the width of its 95 %
    interval. Each list holds a number per seed; all are taken to vary alike (Student's t with their
    own pooled spread).
    """
    lists = [*ahead, *behind]
    variance, degrees = _pooled(lists)
    error = (variance * sum(1 / len(values) for values in lists)) ** 0.5
    difference = sum(map(statistics.mean, ahead)) - sum(map(statistics.mean, behind))
    return difference, students_t(degrees) * error


@dataclass
class Summary:
    """What a setting reached on the test images; intervals are 95 % over seeds, ± half a width."""

    accuracies: list[float]  # one per seed
    mean: float
    width: float
    difference: float  # to the base of the experiment
    difference_width: float
    learning_rate: float  # the one of those tried that was best on the validation images
    at_rates: dict = field(default_factory=dict)  # {each one tried: (mean, width)}


def summarize(name, budget, records, spread=None):
    """{setting: Summary} of an experiment, from whatever records there are of it; settings without
    any are left out.

    A setting's interval comes from its own seeds, and that of a difference from the differences seed
    by seed, over the seeds that both have. With a `spread`, see `pooled_spread`, both come from that
    one: three seeds tell little of how much they vary, and a lucky three look far too sure. Runs then
    count as independent, so that a difference is one of means, over all seeds that either has. A
    setting that does not work keeps the interval of its own seeds.
    """
    known = {key(record["run"]): record for record in records}
    found = {label: {} for label in EXPERIMENTS[name].settings}  # {setting: {rate: {seed: record}}}
    for seed in sorted({record["seed"] for record in records}):
        for (label, rate), run in plan(name, budget, seed).items():
            if record := known.get(key(run)):
                found[label].setdefault(rate, {})[seed] = record
    best = {label: _best_rate(rates) for label, rates in found.items() if rates}
    base, summaries = best.get(next(iter(found)), {}), {}
    for label, seeds in best.items():
        reached = {seed: record["accuracy"] for seed, record in seeds.items()}
        against = {seed: record["accuracy"] for seed, record in base.items()}
        tried = {
            _rate_of(of): mean_and_width([record["accuracy"] for record in of.values()], spread)
            for of in found[label].values()
        }
        summaries[label] = Summary(
            list(reached.values()),
            *mean_and_width(list(reached.values()), spread),
            *_difference(reached, against, spread),
            _rate_of(seeds),
            dict(sorted(tried.items())),
        )
    return summaries


def _rate_of(seeds):
    """The learning rate that the runs {seed: record} of one setting share."""
    return next(iter(seeds.values()))["run"]["training"]["learning_rate"]


def _difference(reached, against, spread):
    """The mean difference of two {seed: accuracy}, and half the width of its interval."""
    shared = sorted(reached.keys() & against.keys())
    if not shared:
        return math.nan, math.inf
    if spread is None or reached == against:
        return mean_and_width([reached[seed] - against[seed] for seed in shared])
    (ahead, width), (behind, other) = (
        mean_and_width(list(of.values()), spread) for of in (reached, against)
    )
    return ahead - behind, math.hypot(width, other)


def _best_rate(rates):
    """Of {rate: {seed: record}} the seeds of the rate that is best on validation images, over the
    seeds that were run at every rate.
    """
    shared = set.intersection(*(set(seeds) for seeds in rates.values()))
    if not shared:
        return next(iter(rates.values()))

    def on_validation(seeds):
        return statistics.mean(seeds[seed]["validation_accuracy"] for seed in shared)

    return max(rates.values(), key=on_validation)


def as_table(summaries):
    """The summaries as text, a line for each setting."""
    width = max(map(len, summaries), default=0)
    lines = [f"{'':{width}}  test accuracy     against the first  seeds"]
    for label, of in summaries.items():
        against = f"{100 * of.difference:+5.1f} ± {100 * of.difference_width:4.1f} points"
        lines.append(
            f"{label:{width}}  {100 * of.mean:5.1f} ± {100 * of.width:4.1f} %  "
            f"{'' if label == next(iter(summaries)) else against:19}  {len(of.accuracies)}"
        )
    return "\n".join(lines)
