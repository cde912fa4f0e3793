"""Which weights are moved how far: optimizers, the learning rate's course, the weights' EMA."""

import math

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from ..unwrap import plain_parameters
from .muon import Muon

TOKENS = "cls_token", "reg_token", "pos_embed"


def make_optimizers(model, config):
    """AdamW, SGD, or Muon for the blocks' matrices and AdamW for the rest.

    Only matrices decay: not biases, norms, positions or the class token, also of a VisionTransformer
    that `model` holds. With `config.layer_decay` below 1 each block has a rate of its own (see
    TrainingConfig); ValueError if that or Muon is asked for, and there are no `blocks`.
    """
    names = plain_parameters(model)
    depth = 1 + max((_block_of(name) for name, _ in names), default=-1)
    asked_for = {"layer_decay": config.layer_decay < 1, "muon": config.optimizer == "muon"}
    for setting, asked in asked_for.items():
        if asked and not depth:
            raise ValueError(
                f"{setting} needs a model with blocks, and {type(model).__name__} has none: no "
                'weight of it is called "blocks.0.…"'
            )
    hidden, decay, no_decay = {}, {}, {}  # {blocks above: parameters}
    for name, parameter in names:
        above = _blocks_above(name, depth) if config.layer_decay < 1 else 0
        if parameter.ndim < 2 or any(part.startswith(TOKENS) for part in name.split(".")):
            kind = no_decay
        elif config.optimizer == "muon" and name.startswith("blocks."):
            kind = hidden
        else:
            kind = decay
        kind.setdefault(above, []).append(parameter)

    def groups(kind, **settings):
        rates = {above: config.learning_rate * config.layer_decay**above for above in kind}
        return [{"params": kind[above], "lr": rates[above], **settings} for above in kind]

    plain = groups(decay) + groups(no_decay, weight_decay=0.0)
    settings = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        return [torch.optim.SGD(plain, momentum=0.9, **settings)]
    adamw = torch.optim.AdamW(plain, fused=True, **settings)
    if config.optimizer == "adamw":
        return [adamw]
    return [Muon(groups(hidden), precision=config.precision, **settings), adamw]


def _block_of(name):
    """The number of the block that a parameter belongs to, counted from 0; −1 if to none."""
    first, _, rest = name.partition(".")
    return int(rest.partition(".")[0]) if first == "blocks" else -1


def _blocks_above(name, depth):
    """How often a parameter's rate is multiplied by the layer decay: 0 for the head, 1 for the last
    block and the norm after it, depth + 1 for what stands before the first block, as in timm.
    """
    if name.startswith(("patch_embed", *TOKENS)):
        return depth + 1
    if name.startswith("blocks."):
        return depth - _block_of(name)
    return 1 if name.startswith("norm.") else 0


def make_scheduler(optimizer, config, total_steps):
    """The learning rate climbs in a line, then stays or falls along half a cosine to zero."""
    climbing = max(1, int(config.warmup * total_steps))
    falling = max(1, total_steps - climbing)

    def share(step):
        if step < climbing:
            return (step + 1) / climbing
        if config.schedule == "constant":
            return 1.0
        return (1 + math.cos(math.pi * (step - climbing) / falling)) / 2

    return LambdaLR(optimizer, share)


class MovingAverage(AveragedModel):
    """A copy of `model` that follows it: the exponential moving average (EMA) of its weights.

    Buffers are not averaged but copied, BatchNorm's means and variances among them. With `decay`
    0.999 it would hold on to its start for thousands of steps. So in step n the decay is at most
    (1 + n)/(10 + n), as TensorFlow's ExponentialMovingAverage has it: an average over the last
    ninth of all steps.
    """

    def __init__(self, model, decay):
        super().__init__(model)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model):
        """Take a step towards `model`. torch's own method copies the number of steps to the GPU each
        time, for which the CPU would wait.
        """
        n = self.n_averaged.item()  # lies on the CPU
        decay = min(self.decay, (1 + n) / (10 + n)) if n else 0.0  # the first step begins anew
        averages, weights = list(self.module.parameters()), list(model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for buffer, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
            buffer.copy_(theirs)
        self.n_averaged += 1
