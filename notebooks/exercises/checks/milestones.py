"""A model that is written from an empty cell, and the milestones on the way to it.

The weights of the course's model are copied into the reader's, and a part of them is set to zero, so
that first the class token alone decides, then the MLPs too, then an attention that spreads evenly over
all tokens, and in the end all of it. What fails first says where the mistake lies.
"""

import contextlib
import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import vit_minimal
from vit_minimal.pretrained import load_checkpoint

from .engine import NotSolved, Piece
from .helpers import Raised, Wrong, attempt, has_placeholder, limited, random, same
from .modules import DRAWS, WithWeights, weights_for
from .symptoms import symptom
from .words import difference, raising
from .wrong_capstone import PlainViT

NOT_EMPTY = ("vit_minimal", "timm", "torchvision", "transformers")


def shipped_weights():
    """The weights of the model that comes with the course, under timm's plain names."""
    checkpoints = Path(vit_minimal.__file__).parents[1] / "data" / "checkpoints"
    weights = load_checkpoint(checkpoints / "cifar10-cpu-long.safetensors").state_dict()
    plain = {"cls_token.weight": "cls_token", "pos_embed.weight": "pos_embed"}
    return {plain.get(name, name): tensor for name, tensor in weights.items()}


def quieten(model, parts):
    """Set weights to zero so that the MLPs, or the attention, add nothing, or so that the attention
    spreads evenly.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            silent = {"mlp": ".fc2.", "attention": ".attn.proj."}
            if any(silent.get(part, "…") in name for part in parts):
                parameter.zero_()
            elif "choice" in parts and ".qkv." in name:
                parameter[: len(parameter) * 2 // 3] = 0
    return model


class StagedWeights(WithWeights):
    """As WithWeights; the setting `quiet` names what is silenced once the weights are copied."""

    def build(self, piece, settings):
        settings = dict(settings)
        parts = settings.pop("quiet", ())
        return quieten(super().build(piece, settings), parts)

    def judge_training(self, module, ours, more):
        """As WithWeights; dropout, of whatever rate and kind, is the reader's own business."""
        for part in module.modules():
            if isinstance(part, nn.modules.dropout._DropoutNd):
                part.p = 0.0
        first = attempt(lambda: module(*more))
        if all(same(attempt(lambda: module(*more)), first) for _ in range(DRAWS)):  # none are drawn
            super().judge_training(module, ours, more)


@dataclass(frozen=True)
class Milestone:
    """What works once it is reached, what is silenced until then, the sizes to try, how the names
    of those parameters go on which it depends, and in words what is silenced.
    """

    name: str
    quiet: tuple
    sizes: tuple
    concerns: tuple = ("",)
    silenced: str = ""


SMALL = {
    "image_size": 8,
    "patch_size": 4,
    "in_channels": 3,
    "num_classes": 5,
    "embed_dim": 12,
    "depth": 1,
    "num_heads": 3,
    "mlp_ratio": 2.0,
}
OTHER = SMALL | {"in_channels": 1, "depth": 2, "num_heads": 2, "num_classes": 3, "mlp_ratio": 1.5}
UNEVEN = SMALL | {"mlp_ratio": 0.8}  # 9.6 hidden numbers
WIDE = SMALL | {"image_size": 12, "patch_size": 3, "embed_dim": 8, "depth": 3, "num_heads": 4}
MILESTONES = (
    Milestone(
        "class token, its position, the last norm and the head",
        ("attention", "mlp"),
        (SMALL, OTHER),
        ("cls_token", "pos_embed", "norm.", "head."),
        "with `attn.proj` and `mlp.fc2` set to zero: attention and MLPs add nothing",
    ),
    Milestone(
        "the MLP of a block",
        ("attention",),
        (SMALL, OTHER),
        (".mlp.", ".norm2."),
        "with `attn.proj` set to zero: the attention adds nothing",
    ),
    Milestone(
        "patches, positions and values, with an attention that spreads evenly",
        ("choice", "mlp"),
        (SMALL, OTHER),
        ("patch_embed.", ".attn.qkv.", ".attn.proj.", ".norm1."),
        "with `mlp.fc2` set to zero, and all queries and keys: each token looks at all others alike",
    ),
    Milestone(
        "the attention",
        ("mlp",),
        (SMALL, OTHER),
        (".attn.",),
        "with `mlp.fc2` set to zero: the MLPs add nothing",
    ),
    Milestone("the whole model", (), (SMALL, OTHER, WIDE, UNEVEN)),
)
NAMES = "the names and shapes of its parameters"
STEPS = (NAMES, *(m.name for m in MILESTONES), "one call after another, and gradients")


def how_far(done):
    """Words for how many milestones are reached, and which is the next."""
    return (
        f"{done} of {len(STEPS)} milestones reached, and the next is milestone {done + 1}, "
        f"{STEPS[done]}."
    )


def cases_of_milestone(milestone):
    for B, sizes in zip((2, 1, 3, 2), milestone.sizes, strict=False):
        size = sizes["image_size"]
        yield {
            "settings": sizes | ({"quiet": milestone.quiet} if milestone.quiet else {}),
            "images": random(B, sizes["in_channels"], size, size, seed=B),
        }


def all_cases():
    return [case for milestone in MILESTONES for case in cases_of_milestone(milestone)]


def whole_cases():
    """Those in which nothing is silenced."""
    return list(cases_of_milestone(MILESTONES[-1]))


def some_of(names):
    """Some names in words: the first six, and how many more."""
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown


def named(module):
    """A module whose parameters can be asked for; AttributeError if it was never set up as one."""
    if isinstance(module, nn.Module):
        list(module.named_parameters())
    return module


def check_names(answer):
    """Wrong if a model cannot be built, or has other parameters than the list in the notebook."""
    for sizes in (SMALL, OTHER, UNEVEN):
        module = attempt(lambda sizes=sizes: named(answer(**sizes)))
        if isinstance(module, Raised):
            words = raising(module.error)
            if "cannot assign" in words or "'_parameters'" in words or "'_modules'" in words:
                words += "\n  (`__init__` begins with `super().__init__()`)"
            raise Wrong(words, "exception")
        if not isinstance(module, nn.Module):
            raise Wrong(f"a {type(module).__name__} is not an nn.Module", "shape")
        expected = weights_for(PlainViT, tuple(sizes.items()))
        found = dict(module.named_parameters())
        missing = [name for name in expected if name not in found]
        more = [name for name in found if name not in expected]
        if missing or more:
            words = f"missing: {some_of(missing)}. " if missing else ""
            if more:
                words += f"Not in the list: {some_of(more)}. "
            kept_in_a_list = any(type(value) is list for value in vars(module).values())
            if missing and kept_in_a_list:
                words += (
                    "PyTorch does not look into a plain list: use nn.ModuleList or nn.Sequential. "
                )
            raise Wrong(f"{words}(for {sizes})")
        for name, parameter in expected.items():
            if found[name].shape != parameter.shape:
                rounding = "; r · D is rounded down" if sizes is UNEVEN else ""
                raise Wrong(
                    f"`{name}` has the shape {tuple(found[name].shape)}, expected "
                    f"{tuple(parameter.shape)} (for {sizes}{rounding})"
                )


def check_origin(answer):
    """Wrong if a part of a model comes from a library of models, where it was to be written."""
    for name, part in answer(**SMALL).named_modules():
        origin = type(part).__module__.split(".")[0]
        if origin in NOT_EMPTY:
            raise Wrong(
                f"`{name or 'the model'}` is the {type(part).__name__} of {origin}: in this exercise "
                "you write all parts yourself, of what `torch` has"
            )


class FromEmptyCell(Piece):
    """A class that is written from its signature alone; the check goes from milestone to milestone."""

    def praise(self):
        return f"right, on {self.num_cases} cases: all {len(STEPS)} milestones are reached."

    def is_open(self, answer):
        """As long as `__init__` has a blank; one in `forward` alone is told of by `judge_numbers`."""
        return has_placeholder(getattr(answer, "__init__", None))

    def judge_numbers(self, answer):
        done = 0
        try:
            check_names(answer)
            done = 1
            for milestone in MILESTONES:
                self.reach(answer, milestone)
                done += 1
            self.num_cases = sum(len(milestone.sizes) for milestone in MILESTONES)
        except Wrong as reason:
            if has_placeholder(answer) if done else self.is_open(answer):
                raise NotSolved(how_far(done) if done else "") from None
            raise Wrong(f"{how_far(done)}\n  {reason}", reason.kind) from None

    def reach(self, answer, milestone):
        """Wrong if the answer differs from the reference in one of the cases of a milestone."""
        cases = list(cases_of_milestone(milestone))
        values = [self.outcome(answer, case) for case in cases]
        expected = [self.outcome(self.reference, case) for case in cases]
        if all(map(same, values, expected)):
            return
        if not all(map(same, values, [self.outcome(answer, case) for case in cases])):
            raise Wrong(
                "two calls with the same weights and images give different logits: something random "
                "stays on in evaluation, such as `F.dropout` without `training=self.training`"
            )
        # A mistake that explains all that there is to see is likelier than one that explains this
        for seen in (all_cases(), cases):
            if words := self.usual_mistake(answer, seen):
                raise Wrong(words)
        tries = [t for t in zip(cases, values, expected, strict=True) if not same(t[1], t[2])]
        raise self.diagnosis_of(answer, milestone, tries)

    def usual_mistake(self, answer, cases):
        """The words of the first usual mistake that gives the same in all cases, else None."""
        values = [self.outcome(answer, case) for case in cases]
        for words, mistake in self.mistakes.items():
            if all(
                same(value, self.outcome_of_mistake(words, mistake, case))
                for value, case in zip(values, cases, strict=True)
            ):
                return words
        return None

    def outcome_of_mistake(self, words, mistake, case):
        """What a mistake gives for a case, which its settings tell from others: kept once known."""
        key = words, str(case["settings"])
        if key not in self.outcomes_of_mistakes:
            self.outcomes_of_mistakes[key] = self.outcome(mistake, case)
        return self.outcomes_of_mistakes[key]

    def diagnosis_of(self, answer, milestone, tries):
        """What does not hold in the first case that differs, or the first number that differs."""
        case, value, expected = tries[0]
        found = difference(value, expected)
        if found.kind == "numbers":
            if words := self.never_used(answer, milestone, case) or symptom(tries):
                found = Wrong(words, "invariant")
            else:
                more = "none of the usual mistakes alone gives these numbers: perhaps there are two"
                found = Wrong(f"{found}\n  ({more})", found.kind)
        sizes = {k: v for k, v in case["settings"].items() if k != "quiet"}
        images = f"{len(case['images'])} image{'s' if len(case['images']) > 1 else ''}"
        silenced = f"; {milestone.silenced}" if milestone.silenced else ""
        return Wrong(f"{found}\n  (the case: {images}, {sizes}{silenced})", found.kind)

    def never_used(self, answer, milestone, case):
        """Words for a parameter on which this milestone should depend, and does not; else None."""
        ours = set(self.use.unused(self.reference, **copy.deepcopy(case)))
        theirs = []
        with contextlib.suppress(Exception):  # what it raises has been told before
            theirs = limited(lambda: self.use.unused(answer, **copy.deepcopy(case)))
        for part in milestone.concerns:
            for name in theirs:
                if part in f".{name}" and name not in ours:
                    return f"`{name}` is never used: nothing depends on it"
        return None

    def judge_calls(self, answer):
        check_origin(answer)
        try:
            super().judge_calls(answer)
        except Wrong as reason:
            raise Wrong(f"{how_far(len(STEPS) - 1)}\n  {reason}", reason.kind) from None
