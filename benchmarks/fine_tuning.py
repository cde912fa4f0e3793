"""Few labels of something new: what does it help to have learned CIFAR-10 first?

    python benchmarks/fine_tuning.py [--record data/results/fine_tuning.json] [--seeds 3]
        [--methods fine-tuned "from scratch"] [--counts 10]

Two new tasks. Shapes-10, shrunk to 16 × 16 pixels: 2,400 images to draw training images from, 600
others as test images. And scikit-learn's 1,797 handwritten digits of 8 × 8 pixels, enlarged to
16 × 16: the last 60 images of each class are the test images, the training images are drawn from the
others. Each seed draws other training images. The pretrained model is the shipped one, its positions
resized to 4 × 4 patches: at 16 × 16 pixels a step is four times as cheap as at 32 × 32.

Every training takes 60 steps of 30 images (one way, ten times as many), so with 10, 30, 90 and 180
images per class 20, 6, 2 and 1 passes. Each way of training has its own learning rate, chosen at
ten images per class of Shapes-10 by 600 images that are neither trained on nor test images; that of
the long trainings with more images at 180 per class.

Every run is recorded as soon as it is done, and a run on record is not repeated: stop and call again.

`cifar10`: what the shipped model reaches on 1,000 test images of CIFAR-10, shrunk to 16 × 16.
`rates`: the choice of the rates, and what a run leaves of CIFAR-10: the old head is put back, and
judged on the same images.
`trained`: from scratch, fine-tuned, and fine-tuned with smaller rates for earlier blocks.
`kept`: fine-tuned on ten images per class of Shapes-10 with each rate, and with smaller rates for earlier
blocks: what each reaches on the new task, and leaves of CIFAR-10.
`features`: nothing is trained but a linear probe, or nothing at all (the nearest neighbour): on the
pixels, on the class token and on the mean of the patches, after each block, of the shipped model and
of an untrained twin. Ten seeds. `probe` is scikit-learn's RidgeClassifierCV on standardised features,
which chooses its penalty on the training images, and with more than ten images per class it reads the
last block alone, or the run would take too long; `least_squares` is the probe of notebook 06, whose
penalty is fixed and tiny.
"""

import argparse
import contextlib
import copy
import functools
import io
import itertools
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from shipped import CHECKPOINT
from vit_minimal import (
    Dataset,
    TrainingConfig,
    VisionTransformer,
    evaluate,
    fit,
    load_checkpoint,
    load_dataset,
    resize_patches,
    seed_everything,
    shapes10,
)
from vit_minimal.data import SHAPES10_TEST_SEED
from vit_minimal.inspection import features, fit_probes
from vit_minimal.records import add_record, read_records

SIZE, STEPS, POOL, JUDGED_ON = 16, 60, 2_400, 600
COUNTS = 10, 30, 90, 180  # training images per class
BASE = TrainingConfig(
    batch_size=30, flip=False, crop_padding=1, label_smoothing=0.0, precision="float32"
)
SCRATCH, LONGER = "from scratch", "from scratch, 10 × the steps"
TUNED, DECAYED = "fine-tuned", "fine-tuned, layer decay 0.7"
RATES = {
    SCRATCH: (3e-4, 1e-3, 3e-3),
    LONGER: (1e-4, 3e-4, 1e-3, 3e-3),
    TUNED: (3e-4, 1e-3, 3e-3, 1e-2),
    DECAYED: (3e-4, 1e-3, 3e-3),
}
TRAINED = [  # (task, method, images per class), the most important first
    *(("shapes10", method, count) for count in (10, 180) for method in (TUNED, SCRATCH)),
    *(("digits", method, 10) for method in (TUNED, SCRATCH)),
    *(("shapes10", method, count) for count in (30, 90) for method in (TUNED, SCRATCH)),
    *(("shapes10", method, count) for method in (DECAYED, LONGER) for count in (10, 180, 30, 90)),
]
KEPT = *((TUNED, rate) for rate in RATES[TUNED]), (DECAYED, 1e-3)
SHOWN = "accuracy", "validation", "cifar10"  # what a run says of itself
CHOICE_SEED = 1_000  # far from those by which the methods are compared
FEATURE_SEEDS = 10
PENALTIES = np.logspace(-1, 6, 8)


def at_size(images):
    """uint8 (n, 3, 16, 16) of square images (n, C, H, W), whose C is 1 or 3."""
    mode = {"mode": "area"} if images.shape[-1] > SIZE else {"mode": "bicubic"}
    pixels = F.interpolate(images.float(), (SIZE, SIZE), **mode).clamp(0, 255).round()
    return pixels.byte().expand(-1, 3, -1, -1).contiguous()


@functools.cache
def task(name):
    """Images, labels, the places of those to train on, and of the test images."""
    if name == "shapes10":
        pool = shapes10(POOL, seed=0)
        test = shapes10(JUDGED_ON, seed=SHAPES10_TEST_SEED)
        images, labels = (torch.cat(pair) for pair in zip(pool, test, strict=True))
        places = torch.arange(len(labels))
        return at_size(images), labels, places[:POOL], places[POOL:]
    found = load_digits()
    images, labels = torch.tensor(found.images)[:, None] * 255 / 16, torch.tensor(found.target)
    own = [(labels == label).nonzero().flatten() for label in range(10)]
    pool, test = (torch.cat([of[part] for of in own]) for part in (slice(-60), slice(-60, None)))
    return at_size(images), labels, pool, test


def draw(labels, places, count, seed):
    """`count` of the `places` (n,) of each class, at random."""
    random = np.random.RandomState(seed)
    drawn = []
    for label in range(10):
        own = places[labels[places] == label]
        drawn.append(own[torch.from_numpy(random.permutation(len(own))[:count])])
    return torch.cat(drawn)


def pretrained():
    return resize_patches(load_checkpoint(CHECKPOINT), 4, image_size=SIZE)


def config_of(method, rate, count, seed):
    """What a way of training trains with."""
    steps = STEPS * (10 if method == LONGER else 1)
    epochs = steps // (10 * count // BASE.batch_size)
    layer_decay = 0.7 if method == DECAYED else 1.0
    return replace(BASE, epochs=epochs, learning_rate=rate, seed=seed, layer_decay=layer_decay)


def train(name, method, config, count):
    """The trained model, and the images that it did not see and that are no test images."""
    images, labels, pool, test = task(name)
    drawn = draw(labels, pool, count, config.seed)
    others = pool[~torch.isin(pool, drawn)][:JUDGED_ON]
    classes = tuple(map(str, range(10)))
    dataset = Dataset(images[drawn], labels[drawn], images[test], labels[test], classes, name)
    seed_everything(config.seed)
    model = pretrained()
    if method in (SCRATCH, LONGER):
        model = VisionTransformer(model.config)
    model.reset_head(10)
    with contextlib.redirect_stdout(io.StringIO()):
        fit(model, dataset, config)
    return model, others


def judge(model, name, places):
    images, labels, *_ = task(name)
    return evaluate(model, images[places], labels[places], precision=torch.float32)


@functools.cache
def cifar10():
    """1,000 test images of CIFAR-10 at 16 × 16, and their labels."""
    photos = load_dataset("cifar10")
    return at_size(photos.test_images[:1_000]), photos.test_labels[:1_000]


def left_of_cifar10(model):
    """The accuracy on CIFAR-10 of this model under the shipped model's old head."""
    body = copy.deepcopy(model)
    body.head = pretrained().head
    return evaluate(body, *cifar10(), precision=torch.float32)


def probe(known, labels, asked):
    """Labels (L + 1, m) by linear probes that are fitted to the `known` features (L + 1, n, D)."""
    answers = []
    for seen, wanted in zip(known, asked, strict=True):
        model = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=PENALTIES))
        answers.append(model.fit(seen.numpy(), labels.numpy()).predict(wanted.numpy()))
    return torch.from_numpy(np.stack(answers))


def read(name, readings, counts):
    """Rows for the `readings` {(model, reading): (L + 1, n, D)} of a task's images: for each count
    of images per class, and each seed, the accuracies of two probes and of the nearest neighbour.
    """
    _, labels, pool, test = task(name)
    rows = []
    for (model, reading), seen in readings.items():
        for count in counts:
            found = {"probe": [], "least_squares": [], "neighbour": []}  # (seeds, L + 1) each
            for seed in range(FEATURE_SEEDS):
                drawn = draw(labels, pool, count, seed)
                known, asked = seen[:, drawn], seen[:, test]
                weights, biases = fit_probes([(known, F.one_hot(labels[drawn], 10))])
                directions = F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).mT
                blocks = slice(None) if count == 10 else slice(-1, None)
                answers = {
                    "probe": probe(known[blocks], labels[drawn], asked[blocks]),
                    "least_squares": (asked @ weights + biases).argmax(dim=-1),
                    "neighbour": labels[drawn][directions.argmax(dim=-1)],
                }
                for how, of in answers.items():  # of: (L + 1, m)
                    found[how].append((of == labels[test]).float().mean(dim=1).tolist())
            row = {"task": name, "model": model, "reading": reading, "images_per_class": count}
            rows.append(row | found)
    return rows


def measure_features(name):
    images, *_ = task(name)
    trained = pretrained().eval()
    seed_everything(0)
    models = {"trained": trained, "untrained": VisionTransformer(trained.config).eval()}
    readings = {("none", "pixels"): images.flatten(1)[None] / 127.5 - 1}
    for state, model in models.items():
        readings |= {(state, reading): of for reading, of in features(model, images).items()}
    return read(name, readings, COUNTS[:3] if name == "digits" else COUNTS)


class Record:
    """What is on record, and what comes to it."""

    def __init__(self, path):
        self.path = path
        self.known = read_records(path) if path else []

    def find(self, **fields):
        """The record with these fields, or None."""
        found = (known for known in self.known if fields.items() <= known.items())
        return next(found, None)

    def add(self, key, measure):
        """Measure what has this `key`, unless it is on record."""
        if self.find(**key):
            return
        figures = key | measure()
        found = {name: figures[name] for name in SHOWN if name in figures}
        print(*key.values(), found, sep=", ", flush=True)
        self.known.append(figures)
        if self.path:
            add_record(self.path, figures)


def chosen_at(method, count):
    """With how many images per class a rate is chosen: a long training bears more with more images."""
    return 180 if method == LONGER and count > 10 else 10


def measure_rate(method, rate, count):
    config = config_of(method, rate, count, CHOICE_SEED)
    model, others = train("shapes10", method, config, count)
    figures = {"validation": judge(model, "shapes10", others), "training": asdict(config)}
    return figures if method in (SCRATCH, LONGER) else figures | {"cifar10": left_of_cifar10(model)}


def measure(name, method, rate, count, seed):
    config = config_of(method, rate, count, seed)
    model, _ = train(name, method, config, count)
    return {"accuracy": judge(model, name, task(name)[3]), "training": asdict(config)}


def measure_kept(method, rate, seed):
    config = config_of(method, rate, 10, seed)
    model, _ = train("shapes10", method, config, 10)
    figures = {"accuracy": judge(model, "shapes10", task("shapes10")[3])}
    return figures | {"cifar10": left_of_cifar10(model), "training": asdict(config)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=RATES, default=[*RATES])
    parser.add_argument("--counts", type=int, nargs="+", choices=COUNTS, default=COUNTS)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    record = Record(options.record)
    record.add({"part": "cifar10"}, lambda: {"accuracy": left_of_cifar10(pretrained())})
    for name in ("shapes10", "digits"):
        key = {"part": "features", "task": name}
        record.add(key, lambda name=name: {"rows": measure_features(name)})
    wanted = [of for of in TRAINED if of[1] in options.methods and of[2] in options.counts]
    for (name, method, count), seed in itertools.product(wanted, range(options.seeds)):
        choice = {"part": "rates", "method": method, "images_per_class": chosen_at(method, count)}
        for rate in RATES[method]:
            figures = functools.partial(measure_rate, method, rate, choice["images_per_class"])
            record.add(choice | {"rate": rate}, figures)
        runs = [record.find(**choice, rate=rate) for rate in RATES[method]]
        rate = max(runs, key=lambda run: run["validation"])["rate"]
        key = {"part": "trained", "task": name, "method": method}
        key |= {"images_per_class": count, "seed": seed}
        record.add(key, functools.partial(measure, name, method, rate, count, seed))
    for (method, rate), seed in itertools.product(KEPT, range(options.seeds)):
        if method in options.methods:
            key = {"part": "kept", "method": method, "rate": rate, "seed": seed}
            record.add(key, functools.partial(measure_kept, method, rate, seed))


if __name__ == "__main__":
    main()
