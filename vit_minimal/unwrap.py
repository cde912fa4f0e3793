"""The model itself, inside of what PyTorch wraps around it, and its weights under their own names.

`torch.compile`, `DistributedDataParallel`, `DataParallel` and `AveragedModel` give back a module
that holds the model, passes some of its attributes on and not others, and puts a prefix of its own
before the names of its weights. A wrapper of anybody else computes something of its own, and is
never looked through, whatever its attributes are called.
"""

from dataclasses import replace

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from .vision_transformer import ViTConfig

WRAPPERS = nn.DataParallel, DistributedDataParallel, AveragedModel
COMPILED = "_orig_mod"  # where torch.compile keeps what it has compiled


def _place_inside(module):
    """Under which name a wrapper of PyTorch holds what it wraps; None for any other module."""
    if COMPILED in dict(module.named_children()):
        return COMPILED
    return "module" if isinstance(module, WRAPPERS) else None


def _look_inside(model):
    """What PyTorch's wrappers hold in the end, and what they put before the names of its weights."""
    prefix = ""
    while place := _place_inside(model):
        model, prefix = getattr(model, place), f"{prefix}{place}."
    return model, prefix


def unwrap_model(model):
    """The model with a `config` that `model` is or holds. ValueError if there is none.

    If its head was replaced by one of another size, its `config` is made to say so.
    """
    found, _ = _look_inside(model)
    if not isinstance(getattr(found, "config", None), ViTConfig):
        holds = "" if found is model else f" of a {type(found).__name__}"
        raise ValueError(  # noqa: TRY004
            f"a {type(model).__name__}{holds} is no model of this course: expected a "
            "VisionTransformer, or another module with a `config` (a ViTConfig). A wrapper of your own "
            "becomes one by self.config = model.config"
        )
    head = getattr(found, "head", None)
    if isinstance(head, nn.Linear) and head.out_features != found.config.num_classes:
        found.config = replace(found.config, num_classes=head.out_features)
    return found


def plain_name(name, prefix=""):
    """The name of a weight without the `prefix` of wrappers, and without torch.compile's, which a
    block that was compiled alone has in the middle.
    """
    return name.removeprefix(prefix).replace(f"{COMPILED}.", "")


def plain_parameters(model):
    """`model.named_parameters()`, under plain names."""
    prefix = _look_inside(model)[1]
    return [(plain_name(name, prefix), weight) for name, weight in model.named_parameters()]


def plain_state_dict(model):
    """`model.state_dict()`, under plain names."""
    prefix = _look_inside(model)[1]
    return {plain_name(name, prefix): tensor for name, tensor in model.state_dict().items()}


def load_plain_state_dict(model, weights):
    """`model.load_state_dict(weights)`, where `weights` go by plain names."""
    prefix = _look_inside(model)[1]
    model.load_state_dict({name: weights[plain_name(name, prefix)] for name in model.state_dict()})
