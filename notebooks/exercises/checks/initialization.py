"""The exercises of notebook 07: how a model starts, and how one would notice a bad start."""

import copy
import functools
import math

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from vit_minimal.augment import normalize
from vit_minimal.data.drawn import shapes10
from vit_minimal.device import random_state_kept, seed_everything
from vit_minimal.vision_transformer import VisionTransformer, ViTConfig

from .engine import Answer, Measurement, Piece
from .helpers import Wrong, random, same, settled
from .words import describe, difference

SMALL = {"image_size": 8, "embed_dim": 12, "depth": 3, "num_heads": 3}


def gradient_by_block(model, loss):
    """The length of the gradient of `loss` in each block: a list of L numbers."""
    loss.backward()
    return [get_total_norm([p.grad for p in b.parameters()]).item() for b in model.blocks]


def use_on_model(piece, seed, depth):
    seed_everything(seed)
    model = VisionTransformer(ViTConfig(**SMALL | {"depth": depth}))
    before = copy.deepcopy(model.state_dict())
    loss = 3 * cross_entropy(model(3 * random(4, 3, 8, 8)), torch.arange(4))
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, parameters.values(), retain_graph=True, allow_unused=True)
    lengths = settled(piece(model, loss))
    if not same(dict(model.state_dict()), dict(before)):
        raise Wrong("it changes the model's weights: it should only measure")
    for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
        found = parameter.grad  # None, or zero, if the function has cleared up behind itself
        if found is not None and found.any() and not same(found, gradient):
            raise Wrong(f"it changes the gradient of `{name}`: it should only measure")
    return lengths


def gradients_with(of_block):
    def piece(model, loss):
        loss.backward()
        return [float(of_block([p.grad for p in b.parameters()])) for b in model.blocks]

    return piece


def spread_between_images(tokens):
    """By how much the class token differs between images: a number, from tokens (B, T, D)."""
    return tokens[:, 0].std(dim=0).mean().item()


SHARED = ("cls_token", "reg_token", "pos_embed")  # vectors that are added or put in, not maps


def parameter_groups(model, weight_decay):
    """Two groups for an optimizer: maps shrink, everything else is trained and does not."""
    maps, others = [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2 and not name.startswith(SHARED):
            maps.append(parameter)
        else:
            others.append(parameter)
    return [
        {"params": maps, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def groups_by(shrinks, trained=lambda parameter: True):
    """A version that groups by shrinks(name, parameter), and leaves out what is not `trained`."""

    def piece(model, weight_decay):
        groups = []
        for name, parameter in model.named_parameters():
            if trained(parameter):
                decay = weight_decay if shrinks(name, parameter) else 0.0
                groups.append({"params": [parameter], "weight_decay": decay})
        return groups

    return piece


def is_matrix(name, parameter):
    return parameter.ndim == 2


def decays(piece, config, weight_decay):
    """{parameter: its weight decay}, or in words what became of it."""
    model = VisionTransformer(config)
    found = {name: "not trained" for name, _ in model.named_parameters()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = settled(piece(model, weight_decay))
    if groups is None:
        raise difference(groups, [])
    is_list = isinstance(groups, (list, tuple))
    if not is_list or not all(isinstance(g, dict) and "params" in g for g in groups):
        raise Wrong(
            f"it gives {describe(groups)}, expected a list of groups for an optimizer, dictionaries "
            'such as {"params": […], "weight_decay": 0.0}',
            "shape",
        )
    for group in groups:
        if more := set(group) - {"params", "weight_decay"}:
            raise Wrong(f"a group sets {', '.join(sorted(more))} too: all are trained alike")
        params = [group["params"]] if torch.is_tensor(group["params"]) else group["params"]
        for parameter in params:
            if id(parameter) not in names:
                raise Wrong(
                    f"a group holds {describe(parameter)}, expected parameters of the model"
                )
            name = names[id(parameter)]
            if found[name] == "not trained":
                found[name] = group.get("weight_decay", "not given")
            else:
                found[name] = "twice"
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            found[name] = "frozen"
    return found


@functools.cache  # the same std always gives the same spread
def spread_at(std):
    """The spread of the class token between images at the start, if it is drawn from N(0, std)."""
    with random_state_kept(), torch.no_grad():
        torch.manual_seed(0)
        model = VisionTransformer(ViTConfig(patch_size=8, embed_dim=64, depth=6, num_heads=2))
        model.cls_token.weight.normal_(0, std)
        return spread_between_images(model.forward_features(normalize(shapes10(50, seed=0)[0])))


def try_std(std):
    if std <= 0:
        raise Wrong("a standard deviation is positive")
    share = spread_at(std) / spread_at(0.02)
    if share > 0.2:
        raise Wrong(f"too small: the spread is still {share:.0%} of what it is at 0.02")
    if share < 0.05:
        raise Wrong(f"too large: the spread has fallen to {share:.1%} of what it is at 0.02")
    print(f"  (the spread is {share:.0%} of what it is at 0.02)")


EXERCISES = [
    Answer(
        "start_loss",
        "7.1",
        "The loss before the first step",
        level=1,
        minutes=3,
        expected=math.log(100),
        tolerance=3e-3,
        mistakes={
            math.log(10): "this is for ten classes; here there are 100",
            math.log(100)
            / 100: "this is divided by the number of classes: the loss is a mean over images",
            10 * math.log(10): "the logarithm of 100 is twice that of 10, not ten times",
            0.01: "this is the probability of each class: the loss is minus its logarithm",
            2: "this is the logarithm to base 10: PyTorch takes the natural one",
            math.log2(100): "this is the logarithm to base 2: PyTorch takes the natural one",
            -math.log(100): "the sign: minus the logarithm of a probability below 1 is positive",
        },
    ),
    Piece(
        "gradient_by_block",
        "7.2",
        "Which block gets a signal?",
        level=2,
        minutes=10,
        reference=gradient_by_block,
        cases=lambda: [{"seed": 0, "depth": 3}, {"seed": 1, "depth": 1}, {"seed": 2, "depth": 5}],
        use=use_on_model,
        has_gradient=False,
        mistakes={
            "lengths of single tensors are added up: the length of all numbers as one vector is the "
            "root of the sum of squares": gradients_with(
                lambda grads: sum(g.norm() for g in grads)
            ),
            "there are no gradients yet: `loss.backward()` makes them": (
                lambda model, loss: [
                    get_total_norm([p.grad for p in b.parameters()]).item() for b in model.blocks
                ]
            ),
            "the root is missing: this is the squared length": gradients_with(
                lambda grads: sum(g.square().sum() for g in grads)
            ),
            "this is the mean length of the tensors": gradients_with(
                lambda grads: sum(g.norm() for g in grads) / len(grads)
            ),
            "this is the largest number of each gradient, not the length": gradients_with(
                lambda grads: max(g.abs().max() for g in grads)
            ),
            "these are the lengths of the parameters, not of their gradients: `p.grad`": (
                lambda model, loss: [
                    get_total_norm(list(b.parameters())).item() for b in model.blocks
                ]
            ),
            "this is one length for all blocks together: a list with one for each": (
                lambda model, loss: sum(n**2 for n in gradient_by_block(model, loss)) ** 0.5
            ),
            "this is the sum of absolute values: the length is the root of the sum of squares": (
                gradients_with(lambda grads: sum(g.abs().sum() for g in grads))
            ),
            "only one tensor of each block is measured": gradients_with(
                lambda grads: grads[0].norm()
            ),
            "this is the mean of the numbers: positive and negative ones cancel": gradients_with(
                lambda grads: torch.cat([g.flatten() for g in grads]).mean()
            ),
            "only matrices are measured: biases and norms have gradients too": gradients_with(
                lambda grads: get_total_norm([g for g in grads if g.ndim > 1])
            ),
        },
    ),
    Piece(
        "spread_between_images",
        "7.3",
        "Does it differ between images?",
        level=1,
        minutes=6,
        reference=spread_between_images,
        cases=lambda: [
            {"tokens": random(5, 4, 6)},
            {"tokens": random(2, 3, 3) + 4},
            {"tokens": random(9, 2, 5)},
        ],
        has_gradient=False,
        mistakes={
            "this is the spread over the D numbers of one token: compare images, dim=0": (
                lambda tokens: tokens[:, 0].std(dim=1).mean().item()
            ),
            "divided by n: torch.std divides by n − 1 unless told otherwise": (
                lambda tokens: tokens[:, 0].std(dim=0, correction=0).mean().item()
            ),
            "all tokens are in it: the class token is tokens[:, 0]": (
                lambda tokens: tokens.std(dim=0).mean().item()
            ),
            "the D numbers are averaged first: what differs between images cancels. First the standard "
            "deviation, dim=0, then the mean": (
                lambda tokens: tokens[:, 0].mean(dim=1).std().item()
            ),
            "this is the first patch: the class token is tokens[:, 0]": (
                lambda tokens: tokens[:, 1].std(dim=0).mean().item()
            ),
            "this is the first image: `tokens[0]` holds its tokens": (
                lambda tokens: tokens[0].std(dim=0).mean().item()
            ),
            "this is the variance: the standard deviation is its root": (
                lambda tokens: tokens[:, 0].var(dim=0).mean().item()
            ),
            "this is the spread of all numbers at once: D numbers differ from each other in any "
            "case": lambda tokens: tokens[:, 0].std().item(),
            "one number for each of D: average them": (lambda tokens: tokens[:, 0].std(dim=0)),
        },
    ),
    Piece(
        "parameter_groups",
        "7.4",
        "Find the bug: who is trained?",
        level=2,
        minutes=12,
        reference=parameter_groups,
        broken=groups_by(is_matrix, trained=lambda p: p.ndim <= 2),
        cases=lambda: [
            {"config": ViTConfig(**SMALL), "weight_decay": 0.1},
            {"config": ViTConfig(**SMALL | {"num_registers": 2}), "weight_decay": 0.03},
        ],
        use=decays,
        has_gradient=False,
        mistakes={
            "now all are trained, but class token and positions shrink: they are added, they are "
            "not maps": groups_by(lambda name, p: p.ndim >= 2),
            "the class token is trained and does not shrink, the positions do": groups_by(
                lambda name, p: p.ndim >= 2 and not name.startswith(("cls_token", "reg_token"))
            ),
            "the patch embedding does not shrink: its kernel (D, C, P, P) is a map like any other": (
                groups_by(is_matrix)
            ),
            "the two are exchanged: maps should shrink, biases, norms and added vectors should not": (
                groups_by(lambda name, p: p.ndim < 2 or name.startswith(SHARED))
            ),
            "only what has more than two axes shrinks: maps are matrices, and the kernel": (
                groups_by(lambda name, p: p.ndim > 2)
            ),
            "everything shrinks, norms and biases too": groups_by(lambda name, p: True),
            "nothing shrinks": groups_by(lambda name, p: False),
            "the patch embedding is not trained: its kernel has four axes": groups_by(
                is_matrix, trained=lambda p: p.ndim <= 3
            ),
            "registers shrink: they are class tokens that nobody reads": groups_by(
                lambda name, p: p.ndim >= 2 and not name.startswith(("cls_token", "pos_embed"))
            ),
        },
    ),
    Measurement(
        "drowning_std",
        "7.5",
        "When does the class token drown what it gathers?",
        level=2,
        minutes=8,
        trial=try_std,
    ),
]
