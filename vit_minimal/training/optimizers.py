"""Which weights are moved how far: optimizers, the learning rate's course, the weights' EMA."""

import math

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from ..unwrap import plain_name
from .muon import Muon


def make_optimizers(model, config):
    """AdamW, SGD, or Muon for the blocks' matrices and AdamW for the rest.

    Only matrices decay: not biases, norms, positions or the class token.
    """
    tokens = ("cls_token", "reg_token", "pos_embed")
    hidden, decay, no_decay = [], [], []
    for name, parameter in model.named_parameters():
        name = plain_name(name)
        if parameter.ndim < 2 or name.startswith(tokens):
            no_decay.append(parameter)
        elif config.optimizer == "muon" and name.startswith("blocks."):
            hidden.append(parameter)
        else:
            decay.append(parameter)
    groups = [{"params": decay}, {"params": no_decay, "weight_decay": 0.0}]
    settings = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        return [torch.optim.SGD(groups, momentum=0.9, **settings)]
    adamw = torch.optim.AdamW(groups, fused=True, **settings)
    if config.optimizer == "adamw":
        return [adamw]
    return [Muon(hidden, precision=config.precision, **settings), adamw]


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
