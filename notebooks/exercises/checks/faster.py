"""The exercises of notebook 11: a limit to speed, and what a run is."""

import copy

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .engine import Answer, Piece
from .helpers import Wrong, first_optimizer, pairs


class Snapshot:
    """All that a run needs to go on, as it was at one moment."""

    keeps = ("model", "optimizer", "random", "step")  # what the wrong versions leave out
    copies = ("model", "optimizer")

    def __init__(self, model, optimizer, step):
        def kept(name, state):
            return copy.deepcopy(state) if name in self.copies else state

        self.model = kept("model", model.state_dict())
        self.optimizer = kept("optimizer", optimizer.state_dict())
        self.random, self.step = torch.get_rng_state(), step

    def restore(self, model, optimizer):
        """Bring a model and its optimizer back to that moment; returns the number of steps."""
        if "model" in self.keeps:
            model.load_state_dict(self.model)
        if "optimizer" in self.keeps:
            optimizer.load_state_dict(self.optimizer)
        if "random" in self.keeps:
            torch.set_rng_state(self.random)
        return self.step if "step" in self.keeps else 0


def snapshot(without="", live=()):
    """A Snapshot that leaves a part out, or keeps the tensors themselves and no copy of them."""
    keeps = tuple(name for name in Snapshot.keeps if name != without)
    copies = tuple(name for name in Snapshot.copies if name not in live)
    return type("Snapshot", (Snapshot,), {"keeps": keeps, "copies": copies})


def a_run(kind, momentum=0.9):
    """A small model with dropout and a norm that keeps means, and its optimizer."""
    layers = (nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))
    settings = {"momentum": momentum} if kind is torch.optim.SGD else {}
    model = nn.Sequential(*layers)
    return model, kind(model.parameters(), lr=0.1, **settings)


def train(model, optimizer, first, last):
    """Steps first … last − 1, on drawn batches, at a learning rate that falls from step to step."""
    for step in range(first, last):
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
        loss = cross_entropy(model(torch.randn(6, 4)), torch.arange(6) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def weights_of(model, when):
    """{name, and when: tensor} of all that a model holds, the means of its norm too."""
    return {f"`{name}` {when}": tensor.clone() for name, tensor in model.state_dict().items()}


def stopped_and_resumed(piece, kind, seed, after=4):
    """At which step a run goes on from a snapshot, its weights in the end, and the undisturbed ones."""
    torch.manual_seed(seed)
    model, optimizer = a_run(kind)
    train(model, optimizer, 0, after)
    moment = piece(model, optimizer, after)
    train(model, optimizer, after, 8)  # the run goes on: the snapshot must not
    undisturbed = weights_of(model, "of the run that was not stopped")
    torch.manual_seed(seed + 100)  # another day, another process
    model, optimizer = a_run(kind, momentum=0.5)  # begun with other settings
    step = moment.restore(model, optimizer)
    if isinstance(step, bool) or not isinstance(step, int):
        raise Wrong(f"restore gives {step!r}, expected the number of steps that were taken")
    train(model, optimizer, step, 8)
    resumed = weights_of(model, "of the run that goes on from the snapshot")
    return {"the number of steps": step} | undisturbed | resumed


def run_cases():
    first_optimizer()
    return [
        {"kind": torch.optim.SGD, "seed": 0},
        {"kind": torch.optim.AdamW, "seed": 1, "after": 3},
    ]


def snapshot_with(
    model=True, optimizer=True, random=True, step=True, live_model=False, live_optimizer=False
):
    """A Snapshot that leaves several parts out, or keeps some tensors themselves."""
    parts = {"model": model, "optimizer": optimizer, "random": random, "step": step}
    copies = [n for n, live in (("model", live_model), ("optimizer", live_optimizer)) if not live]
    keeps = tuple(name for name, kept in parts.items() if kept)
    return type("Snapshot", (Snapshot,), {"keeps": keeps, "copies": tuple(copies)})


SNAPSHOT_STEPS = {
    "the model's weights move on with the run: copy.deepcopy": {"live_model": True},
    "the optimizer's memory moves on with the run: copy.deepcopy": {"live_optimizer": True},
    "nothing is a copy: copy.deepcopy": {"live_model": True, "live_optimizer": True},
    "the optimizer's memory is not brought back": {"optimizer": False},
    "the state of the generator is not brought back": {"random": False},
    "the number of steps is forgotten": {"step": False},
    "the weights are not brought back": {"model": False},
    "neither weights nor the optimizer's memory are brought back": {
        "model": False,
        "optimizer": False,
    },
}


def more_snapshots():
    alone = {words: snapshot_with(**steps) for words, steps in SNAPSHOT_STEPS.items()}
    return alone | pairs(snapshot_with, SNAPSHOT_STEPS)


EXERCISES = [
    Answer(
        "times_as_fast",
        "11.1",
        "A unit that is eight times as fast",
        level=1,
        minutes=3,
        expected=1 / (0.3 + 0.7 / 8),
        tolerance=0.01,
        mistakes={
            8: "the matrix products become 8 times as fast, the other 30 % do not change",
            0.7 * 8: "speeds cannot be added up: add the times that remain",
            0.3 + 0.7 * 8: "speeds cannot be added up, times can: 0.3 stays, 0.7 becomes shorter",
            4.5: "a mean of speeds: times add up, speeds do not",
            7: "the rest of the step is not gone: 0.3 of it stays as it is",
            1.7: "times add up: 0.3 stays, and 0.7 becomes an eighth of itself",
            1 / 0.3: "this is the limit, for products that take no time at all",
            0.3 + 0.7 / 8: "this is how long a step takes now: how many times as fast is that?",
            1 / (0.7 + 0.3 / 8): "the shares are exchanged: it is the 70 % that become shorter",
        },
    ),
    Piece(
        "Snapshot",
        "11.2",
        "What a run consists of",
        level=3,
        minutes=12,
        reference=Snapshot,
        use=stopped_and_resumed,
        cases=run_cases,
        more=more_snapshots,
        has_gradient=False,
        mistakes={
            "the snapshot moves on with the run: `state_dict()` gives the tensors themselves, so "
            "keep a copy (`copy.deepcopy`)": snapshot(live=("model", "optimizer")),
            "the model's weights in the snapshot move on with the run: copy its state_dict": (
                snapshot(live=("model",))
            ),
            "the optimizer's memory in the snapshot moves on with the run: copy its state_dict": (
                snapshot(live=("optimizer",))
            ),
            "the optimizer begins without its memory: save and load its state_dict too": (
                snapshot(without="optimizer")
            ),
            "the random numbers are others, so dropout and batches are: torch.get_rng_state and "
            "torch.set_rng_state": snapshot(without="random"),
            "it begins again at step 0, with the learning rate of that step": (
                snapshot(without="step")
            ),
            "the weights are not brought back": snapshot(without="model"),
        },
    ),
]
