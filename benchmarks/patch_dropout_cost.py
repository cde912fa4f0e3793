"""What a training step costs when the model is shown a part of the patches only.

    python benchmarks/patch_dropout_cost.py [--record data/results/patch_dropout_cost.json]

The model and the batches of the recipe `cpu`, on drawn images. The settings take turns, step by step,
so that whatever else the machine does meets all of them alike; compared is the time of the
processor, and the median over the turns. The last lines are about the recipe as a whole: its passes,
counted in passes over whole images.
"""

import argparse
import statistics
import time
from dataclasses import replace

import torch

from vit_minimal import RECIPES, VisionTransformer, load_dataset, seed_everything
from vit_minimal.records import add_record, as_path
from vit_minimal.training.run import Run

RATES = (0.0, 0.5, 2 / 3, 0.75)


def step_times(rates, turns, dataset, config):
    """Seconds of the processor that each of `turns` steps takes at each rate."""
    runs = {}
    for rate in rates:
        seed_everything(0)
        model = VisionTransformer(RECIPES["cpu"].model)
        changed = replace(config, patch_drop_rate=rate, whole_epochs=0, epochs=turns + 1)
        runs[rate] = Run(model, dataset, changed, torch.device("cpu"))
        runs[rate].train_step()  # the first one also fetches what later ones find
    seconds = {rate: [] for rate in rates}
    for _ in range(turns):
        for rate, run in runs.items():
            began = time.process_time()
            run.train_step()
            seconds[rate].append(time.process_time() - began)
    return seconds


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--record", type=as_path, metavar="FILE")
    options = parser.parse_args(arguments)
    config = RECIPES["cpu"].training
    dataset = load_dataset("shapes10").first(10 * config.batch_size, 10)
    seconds = step_times(RATES, options.turns, dataset, config)
    whole = statistics.median(seconds[0.0])
    ratios = {rate: statistics.median(found) / whole for rate, found in seconds.items()}
    for rate, ratio in ratios.items():
        print(f"{rate:.0%} of the patches left out: a step costs {ratio:.2f} of a whole one")
    dropping = config.epochs - config.whole_epochs if config.patch_drop_rate else 0
    passes = config.epochs - dropping
    if dropping:
        passes += dropping * ratios[config.patch_drop_rate]
    print(f"the {config.epochs} passes of the recipe cpu cost {passes:.2f} whole ones")
    if options.record:
        figures = {
            "dataset": dataset.name,
            "seeds": [0],
            "batch_size": config.batch_size,
            "turns": options.turns,
            "rates": list(ratios),
            "ratios": list(ratios.values()),
            "seconds_of_a_whole_step": whole,
            "whole_passes_of_cpu": passes,
        }
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
