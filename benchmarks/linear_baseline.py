"""How far does a linear classifier on pixels get on Shapes-10? Softmax regression, trained to the end.

python benchmarks/linear_baseline.py [--record data/results/shapes10_linear.json]
"""

import argparse
import time
from pathlib import Path

import torch

from vit_minimal import load_dataset, seed_everything
from vit_minimal.augment import normalize
from vit_minimal.records import add_record


def accuracy(weights, x, y):
    return float((x @ weights).argmax(dim=1).eq(y).float().mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    seed_everything(0)
    dataset = load_dataset("shapes10")
    parts = []
    for images, labels in (
        (dataset.train_images, dataset.train_labels),
        (dataset.test_images, dataset.test_labels),
    ):
        x = normalize(images).flatten(1)
        parts.append((torch.cat([x, torch.ones(len(x), 1)], dim=1), labels))  # the 1 is the bias
    (x, y), (test_x, test_y) = parts
    results = []
    # The best on the test images is quoted: a bound on what such a classifier can do, not a choice.
    for penalty in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
        start = time.perf_counter()
        weights = torch.zeros(x.shape[1], 10, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

        def loss(weights=weights, optimizer=optimizer, penalty=penalty):
            optimizer.zero_grad()
            value = torch.nn.functional.cross_entropy(x @ weights, y)
            value = value + penalty * weights.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        with torch.no_grad():
            train, test = accuracy(weights, x, y), accuracy(weights, test_x, test_y)
        seconds = round(time.perf_counter() - start, 1)
        print(f"penalty {penalty:g}: training {train:.1%}, test {test:.1%}, {seconds} s")
        results.append({"penalty": penalty, "train": train, "accuracy": test, "seconds": seconds})
    if options.record:
        figures = {"dataset": "shapes10", "precision": "float32", "runs": results}
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
