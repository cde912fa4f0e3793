"""How an answer that is a class is tried: built, given weights, called again and again."""

import copy
import functools

import torch
from torch import nn

from .helpers import Wrong, attempt, same, settled, turned
from .words import difference

DRAWS = 10  # of a module that may be random: two alone are the same every now and then


class WithWeights:
    """A `use` for classes: build, give it weights that the reference gets too, call.

    The case's `settings` go to the constructor, the rest to the call. `look(module, settings)` may
    return words for what is usually wrong with a module that was just built.
    """

    def __init__(self, reference, look=lambda module, settings: None):
        self.reference, self.look = reference, look

    def __call__(self, piece, settings, **inputs):
        return self.build(piece, settings)(*inputs.values())

    def build(self, piece, settings):
        """A module with the weights of `weights_for`, in evaluation mode. Wrong if it has others."""
        module = piece(**settings)
        if not isinstance(module, nn.Module):
            raise Wrong(f"a {type(module).__name__} is not an nn.Module", "shape")
        if words := self.look(module, settings):
            raise Wrong(words)
        expected = weights_for(self.reference, tuple(settings.items()))
        found = dict(module.named_parameters())
        for name, tensor in expected.items():
            shape = tuple(tensor.shape)
            if name not in found:
                raise Wrong(
                    f"there is no parameter `{name}` of shape {shape}; there are "
                    f"{', '.join(found) or 'none'} (is it an nn.Parameter, set on self?)"
                )
            if found[name].shape != tensor.shape:
                raise Wrong(
                    f"the parameter `{name}` has the shape {tuple(found[name].shape)}, "
                    f"expected {shape}"
                )
            if not found[name].requires_grad:
                raise Wrong(f"the parameter `{name}` is frozen: it has to be trained")
        if more := set(found) - set(expected):
            raise Wrong(f"there are parameters that nobody asked for: {', '.join(sorted(more))}")
        with torch.no_grad():
            for name, tensor in expected.items():
                found[name].copy_(tensor)
        return module.eval()

    def unused(self, piece, settings, **inputs):
        """The names of the parameters on which what a module gives does not depend."""
        module = self.build(piece, settings)
        names, parameters = zip(*module.named_parameters(), strict=True)
        output = module(*inputs.values()).sum()
        if not output.requires_grad:
            return list(names)
        found = torch.autograd.grad(output, parameters, allow_unused=True)
        return [name for name, gradient in zip(names, found, strict=True) if gradient is None]

    def judge_calls(self, piece, settings, **inputs):
        """Wrong if a module is right at its first call only, or only in evaluation, or if a call
        changes it.
        """
        module, ours = self.build(piece, settings), self.build(self.reference, settings)
        before = copy.deepcopy(module.state_dict())
        first = list(inputs.values())
        more = [torch.cat([x, x.flip(0)[:1] + 0.5]) for x in first]
        calls = (first, list(map(turned, first)), more, [v[:1] for v in more])
        for call, x in zip(("first", "second", "third", "fourth"), calls, strict=True):
            value, expected = attempt(lambda x=x: module(*x)), ours(*x)
            if not same(value, expected):
                found = difference(value, expected)
                raise Wrong(
                    f"a single call is right, but the {call} call of the same module, with other "
                    f"images or another number of them, is not. Does it keep something? {found}"
                )
            self.judge_unchanged(module, before)
            if any(part.training for part in module.modules()):
                raise Wrong("it switches to training mode: that is for whoever calls it to decide")
        self.judge_training(module.train(), ours.train(), more)

    def judge_training(self, module, ours, more):
        """Wrong if a module is right in evaluation, and in training it is not."""
        expected = ours(*more)
        if not all(same(ours(*more), expected) for _ in range(DRAWS)):
            return  # in training it draws random numbers, which readers may leave out
        value = attempt(lambda: module(*more))
        if not same(value, expected):
            raise Wrong(
                "it is right in evaluation mode, and not in training: nothing in here depends on "
                f"`self.training` as long as all rates are 0. {difference(value, expected)}"
            )
        if not all(part.training for part in module.modules()):
            raise Wrong("it switches itself to evaluation: that is for whoever calls it to decide")

    def judge_unchanged(self, module, before):
        after = module.state_dict()
        for name in sorted(set(after) | set(before)):
            if (
                name not in before
                or name not in after
                or not torch.equal(after[name], before[name])
            ):
                raise Wrong(
                    f"a call changes `{name}` of the module: weights are changed by an optimizer, "
                    "between two calls, and by nobody else"
                )


@functools.cache
def weights_for(reference, settings):
    """{name: tensor}: random numbers, the same ones each time, for each parameter of a class."""
    generator = torch.Generator().manual_seed(0)
    module = reference(**dict(settings))
    return {
        name: torch.randn(parameter.shape, generator=generator) / 3
        for name, parameter in module.named_parameters()
    }


def check_method(module, reference, name, x):
    """Wrong if a method, on which other code relies, gives something else than the reference's."""
    value = attempt(lambda: settled(getattr(module, name)(x)))
    expected = getattr(reference, name)(module, x)
    if not same(value, expected):
        found = difference(value, expected)
        raise Wrong(f"{name}: {found}", found.kind)
