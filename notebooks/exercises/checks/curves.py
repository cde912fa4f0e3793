"""Curves of a training in which one thing is wrong, drawn for the exercise that asks which."""

import math
from pathlib import Path

import matplotlib.pyplot as plt

import vit_minimal
from vit_minimal import plots
from vit_minimal.records import read_records

CAUSES = {  # as they are numbered in the notebook, and as the record names them
    1: "the learning rate is far too small",
    2: "the learning rate is far too large",
    3: "softmax before a loss that applies it itself",
    4: "batches in the order of the classes",
    5: "far too few training images",
    6: "validation images prepared in another way",
}
CURVES = {"A": 5, "B": 2, "C": 6, "D": 3, "E": 1, "F": 4}  # which cause made which curve
HEALTHY = "nothing is wrong"
TOP = 5  # of the loss; what is higher is cut off


def recorded_curves():
    """{letter or HEALTHY: (loss of every step, {step: loss on images held out})}."""
    results = Path(vit_minimal.__file__).parents[1] / "data" / "results"
    record = read_records(results / "training_curves.json")[-1]
    by_cause = {run["what"]: run for run in record["runs"]}
    named = {HEALTHY: HEALTHY} | {letter: CAUSES[cause] for letter, cause in CURVES.items()}
    every = record["every"]
    return {
        name: (
            by_cause[what]["training"],
            {every * (i + 1): loss for i, loss in enumerate(by_cause[what]["validation"])},
        )
        for name, what in named.items()
    }


def draw_curves():
    """A panel for each training, the healthy one first."""
    _, panels = plt.subplots(4, 2, figsize=(7, 9), sharex=True, layout="constrained")
    words = []
    panels = list(panels.flat)
    legend = panels.pop(1)
    for panel, (name, (training, validation)) in zip(
        panels, recorded_curves().items(), strict=True
    ):
        steps, losses = list(validation), list(validation.values())
        panel.plot(range(1, len(training) + 1), training, color=plots.OKABE_ITO[0], linewidth=0.8)
        panel.plot(steps, losses, "o-", color=plots.OKABE_ITO[1], markersize=3)
        panel.axhline(math.log(10), color="black", linestyle=":", linewidth=1)
        panel.set_ylim(0, TOP)
        panel.set_title(name, fontsize=11, fontweight="bold")
        panel.set_ylabel("loss")
        words.append(
            f"{name}: training loss {training[0]:.1f}, then {training[len(training) // 2]:.2f}, at "
            f"the end {training[-1]:.2f}; held out {losses[0]:.1f} to {losses[-1]:.2f}"
        )
    for panel in panels[-2:]:
        panel.set_xlabel("step")
    legend.axis("off")
    lines = panels[0].lines
    texts = ("loss of the batch", "loss on 250 images\nheld out", "ln 10: guessing")
    legend.legend(lines, texts, loc="center", fontsize=10)
    plots.show("losses of seven trainings", parts=words)
