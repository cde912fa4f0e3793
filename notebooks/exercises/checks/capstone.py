"""The exercises of 15: a model from an empty cell, its training, curves and a table to read."""

import contextlib
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from vit_minimal.augment import normalize
from vit_minimal.data.drawn import shapes10
from vit_minimal.device import evaluating

from .curves import CAUSES, CURVES
from .engine import Exercise, NotSolved
from .helpers import Raised, Wrong, attempt
from .milestones import FromEmptyCell, StagedWeights, whole_cases
from .words import describe, raising
from .wrong_capstone import MISTAKES, PlainViT

NEW_IMAGES, NEW_SEED = 1_000, 31_415  # drawn for the check alone
THRESHOLDS = (0.2, 0.4, 0.6)
SOME = 500  # images, where a look will do
HARDLY = 0.15  # right answers: five standard errors above guessing, of NEW_IMAGES
CLEARLY = 0.06  # three standard errors of the difference on so many, near 10 %


@dataclass
class Matching(Exercise):
    """A dictionary of choices. `why(key, choice)` says why a wrong choice is none."""

    expected: dict
    choices: tuple
    why: object

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        if not isinstance(answer, dict) or set(answer) != set(self.expected):
            keys = ", ".join(map(repr, self.expected))
            raise Wrong(f"expected a dictionary with the keys {keys}", "shape")
        open_ones = [key for key, choice in answer.items() if choice is ...]
        if len(open_ones) == len(answer):
            raise NotSolved
        answer = {key: self.plain(choice) for key, choice in answer.items()}
        for key, choice in answer.items():
            if choice not in (*self.choices, ...) or isinstance(choice, bool):
                choices = ", ".join(map(repr, self.choices))
                raise Wrong(f"{key}: choose one of {choices}, got {describe(choice)}", "shape")
        wrong = [k for k, choice in answer.items() if choice not in (self.expected[k], ...)]
        if wrong:
            right = len(answer) - len(wrong) - len(open_ones)
            reasons = "".join(f"\n  {key}: {self.why(key, answer[key])}" for key in wrong)
            raise Wrong(f"{right} of {len(answer)} are right.{reasons}")
        if open_ones:
            raise NotSolved(f"What is there is right; open: {', '.join(open_ones)}.")

    def plain(self, choice):
        """A choice as the exercise has it: "Yes " and True are "yes", and "5" is 5."""
        if isinstance(choice, bool) and "yes" in self.choices:
            return "yes" if choice else "no"
        if isinstance(choice, str):
            word = choice.strip().lower()
            return next((c for c in self.choices if str(c) == word), choice)
        return choice


SIGNS = {  # how one would recognise each cause
    1: "if the rate were far too small, both curves would hardly move from where they begin",
    2: "if the rate were far too large, both curves would leap, at times far above guessing, and be no "
    "better than guessing between the leaps: the loss of a batch never comes far below the dotted line",
    3: "with two softmaxes, whatever the model answers, the loss lies between 1.46 and 2.46: it would "
    "fall, but far more slowly than in the healthy training, and never below 1.46",
    4: "with batches in the order of the classes, the loss of a batch would be a saw: it falls far "
    "below the dotted line while one class lasts and leaps when the next begins, until the model gives "
    "up and guesses",
    5: "with far too few images, the loss of the batches would go to zero while the other rises: they "
    "are learned by heart",
    6: "if only the validation images were prepared in another way, the training itself would be the "
    "healthy one, blue curve for blue curve, and orange alone would be worse",
}

CONCLUSIONS = {
    "a": "one example is enough to show that something can be done",
    "b": "0.1 points are 10 of 10,000 images: the standard error of each figure is four times that",
    "c": "same project, same code, only longer. Each is one run, so it holds the luck of a seed too; but 9 "
    "points are twenty standard errors of the test set, and far more than seeds of one recipe differ by",
    "d": "the rows differ in epochs and augmentation too: the table does not say which of them did it",
    "e": "24.5 % of the answers are wrong in the first row, 3.1 % in the last: an eighth",
    "f": "the test images come from the same source as the training images: photographs from elsewhere "
    "are another matter, about which the table says nothing",
}


@dataclass
class Trained(Exercise):
    """A model that was trained on Shapes-10, judged on images that nobody has seen."""

    def judge(self, answer):
        if answer is ...:
            raise NotSolved
        if isinstance(answer, type):
            raise Wrong(
                "this is the class: build a model of it, train it, and hand in that", "shape"
            )
        if not isinstance(answer, nn.Module):
            raise Wrong(f"expected a trained model, got {describe(answer)}", "shape")
        images, labels = shapes10(NEW_IMAGES, NEW_SEED)
        logits = self.logits_of(answer, normalize(images))
        self.accuracy = share_right(logits, labels)
        if self.accuracy < THRESHOLDS[-1]:
            reached = sum(self.accuracy >= threshold for threshold in THRESHOLDS)
            marks = ", ".join(
                f"{threshold:.0%} {'✓' if i < reached else '·'}"
                for i, threshold in enumerate(THRESHOLDS)
            )
            raise Wrong(
                f"{self.accuracy:.1%} of {NEW_IMAGES:,} new images are right (milestones: {marks}).\n"
                f"  {self.what_is_seen(answer, images, labels, logits)}"
            )

    def praise(self):
        return f"right, for {self.accuracy:.1%} of {NEW_IMAGES:,} new images."

    def logits_of(self, model, x):
        """The logits of some images. Wrong if they have another shape or are no numbers."""
        weights = next(model.parameters(), None)
        x = x if weights is None else x.to(weights.device)

        def call(some):
            with torch.no_grad(), evaluating(model):
                return model(some)

        parts = []
        for some in x.split(100):  # the time limit is for each: a large model is slow, and may be
            logits = attempt(lambda some=some: call(some))
            if isinstance(logits, Raised):
                raise Wrong(raising(logits.error), "exception")
            if not torch.is_tensor(logits) or logits.shape != (len(some), 10):
                raise Wrong(
                    f"for {len(some)} images it gives {describe(logits)}, expected logits "
                    f"({len(some)}, 10)",
                    "shape",
                )
            parts.append(logits)
        logits = torch.cat(parts)
        if not logits.isfinite().all():
            raise Wrong(
                "its logits are no numbers any more (nan or infinite): the training has run away. A "
                "smaller learning rate, a warm-up, or gradients that are clipped"
            )
        return logits.cpu()

    def what_is_seen(self, model, images, labels, logits):
        """Words about a model that is not good enough."""
        share = share_right(logits[:SOME], labels[:SOME])
        others = {
            "0 … 1, as of `images / 255`": images[:SOME] / 255,
            "0 … 255, as of the raw `images`": images[:SOME].float(),
        }
        for name, x in others.items():
            with contextlib.suppress(Wrong):  # numbers for which it was not made may be too much
                if share_right(self.logits_of(model, x), labels[:SOME]) > share + CLEARLY:
                    return (
                        f"It does better with numbers {name}: was it trained on them? The check gives "
                        "it `normalize(images)`, so train on that."
                    )
        if logits.std(dim=0).max() < 1e-3 * max(1.0, logits.abs().max().item()):
            return (
                "It gives all images the same logits, so it does not see them: was the learning rate "
                "too large, or does the class token never look at the patches?"
            )
        old_images, old_labels = shapes10(SOME, 0)
        old_logits = self.logits_of(model, normalize(old_images))
        on_old = share_right(old_logits, old_labels)
        for first in (SOME // 5, SOME):  # few are often the first ones
            on_first = share_right(old_logits[:first], old_labels[:first])
            if on_first > self.accuracy + 0.25:
                return (
                    f"Of the first {first} training images {on_first:.0%} are right: it knows those by "
                    "heart. Train on more images."
                )
        if self.accuracy > HARDLY and (words := of_a_softmax(old_logits, on_old)):
            return words
        loss = cross_entropy(old_logits, old_labels).item()
        seen = f"On the first {SOME} training images the loss is {loss:.2f}"
        if self.accuracy < THRESHOLDS[0]:
            if loss > math.log(10) - 0.03:
                learned, first = "it has learned nothing yet", "Did"
            else:
                learned = "it has hardly begun to learn"
                first = "If the loss of each epoch still falls, then more epochs. If not, did"
            return (
                f"Guessing is right for 10 %. {seen}, and guessing has ln 10 = 2.30: {learned}. "
                f"{first} the training see `x`, which is `normalize(images)`? If it did, look at "
                "one step (zero_grad, backward, step), at the batches (drawn in random order) and at "
                "the rate: near 1e-3, where 0.1 is far too large and 1e-5 far too small."
            )
        return (
            f"{seen}, and {on_old:.0%} of them are right, so it is still learning: more epochs, or a "
            "rate near 1e-3 that falls to zero at the end."
        )


def of_a_softmax(logits, share):
    """Words for logits of training images that look as if a softmax too many was there; else None.

    One in the model shows in its output. One in the loss leaves a model that is far surer than it is
    right, because only shares near 0 and 1 make that loss small. Cross-entropy alone leaves none such
    on the images that it has seen.
    """
    asked = (
        "Does your model or your loss apply a softmax of its own? `F.cross_entropy` has one already, "
        "and with two the training is slow: give it plain logits."
    )
    if logits.min() >= 0 and (logits.sum(dim=1) - 1).abs().max() < 1e-3:
        return f"What it gives is shares from 0 to 1 that sum to 1. {asked}"
    sure = logits.softmax(dim=1).amax(dim=1).mean().item()
    if sure > share + 0.2:
        return (
            f"Of the first {SOME} training images {share:.0%} are right, and it is sure of its answers "
            f"by {sure:.0%}, on average. {asked}"
        )
    return None


def share_right(logits, labels):
    return (logits.argmax(dim=1) == labels).float().mean().item()


EXERCISES = [
    FromEmptyCell(
        "ViT",
        "18.1",
        "A ViT from an empty cell",
        level=3,
        minutes=60,
        reference=PlainViT,
        cases=whole_cases,
        use=StagedWeights(PlainViT),
        mistakes=MISTAKES,
    ),
    Trained("trained", "18.2", "Train it", level=2, minutes=25),
    Matching(
        "causes",
        "18.3",
        "Read the curve",
        level=2,
        minutes=10,
        expected=CURVES,
        choices=tuple(CAUSES),
        why=lambda letter, cause: f"not {cause}: {SIGNS[cause]}.",
    ),
    Matching(
        "conclusions",
        "18.4",
        "Read the table",
        level=2,
        minutes=10,
        expected={"a": "yes", "b": "no", "c": "yes", "d": "no", "e": "yes", "f": "no"},
        choices=("yes", "no"),
        why=lambda letter, choice: f"{CONCLUSIONS[letter]}.",
    ),
]
