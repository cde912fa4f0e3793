"""The command line of the experiments."""

import argparse
import sys

from ..data import load_dataset
from ..records import as_path
from ..terminal import print_plainly
from .grid import BASE, EXPERIMENTS
from .runs import run_experiment
from .summary import as_table


def main(arguments=None):
    print_plainly()
    parser = argparse.ArgumentParser(
        prog="python -m vit_minimal.experiments",
        description="Run an experiment, or what is left of it, and sum it up.",
    )
    parser.add_argument("name", choices=EXPERIMENTS)
    parser.add_argument("--budget", choices=BASE)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dataset", choices=("auto", "cifar10", "shapes10"))
    help_text = "of the records, else data/runs; processes that share a folder share the runs"
    parser.add_argument("--folder", type=as_path, help=help_text)
    help_text = "only these settings of the experiment, by their names"
    parser.add_argument("--settings", nargs="+", metavar="SETTING", help=help_text)
    help_text = "only these factors of the learning rate, where the experiment has several"
    parser.add_argument("--rates", nargs="+", type=float, metavar="FACTOR", help=help_text)
    options = parser.parse_args(arguments)
    try:
        dataset = load_dataset(options.dataset)
        summaries = run_experiment(
            options.name,
            options.budget,
            options.seeds,
            dataset,
            options.folder,
            options.settings,
            options.rates,
        )
    except KeyboardInterrupt:
        sys.exit("interrupted: all that was done is kept, the same command goes on")
    except (MemoryError, OSError, ValueError) as error:
        sys.exit(str(error))
    print(as_table(summaries))


if __name__ == "__main__":
    main()
