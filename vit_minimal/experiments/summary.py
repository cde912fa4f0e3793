"""Means over seeds, their intervals, and differences to an experiment's base."""

import math
import statistics
from dataclasses import dataclass

from .grid import EXPERIMENTS, key, plan

T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # Student's t, 1 … 9 degrees


def mean_and_width(values):
    """The mean of one number per seed, and half the width of its 95 % interval (Student's t)."""
    if len(values) < 2:
        return values[0], math.inf
    t = T_95[min(len(values) - 1, len(T_95)) - 1]
    return statistics.mean(values), t * statistics.stdev(values) / len(values) ** 0.5


@dataclass
class Summary:
    """What a setting reached on the test images; intervals are 95 % over seeds, ± half a width."""

    accuracies: list[float]  # one per seed
    mean: float
    width: float
    difference: float  # to the base of the experiment, seed by seed
    difference_width: float
    learning_rate: float  # the one of those tried that was best on the validation images


def summarize(name, budget, records):
    """{setting: Summary} of an experiment, from whatever records there are of it; settings without
    any are left out.
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
        shared = [reached[seed] - base[seed]["accuracy"] for seed in reached if seed in base]
        rate = next(iter(seeds.values()))["run"]["training"]["learning_rate"]
        summaries[label] = Summary(
            list(reached.values()),
            *mean_and_width(list(reached.values())),
            *(mean_and_width(shared) if shared else (math.nan, math.inf)),
            rate,
        )
    return summaries


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
