"""The model itself, inside of what PyTorch wraps around it, and its weights under their own names.

`torch.compile`, `DistributedDataParallel`, `DataParallel` and `AveragedModel` give back a module
that holds the model, passes some of its attributes on and not others, and puts a prefix of its own
before the names of its weights.
"""

from dataclasses import replace

from torch import nn

PREFIXES = "_orig_mod.", "module."  # of torch.compile, and of the other three


def unwrap_model(model):
    """The model with a `config` that `model` is or holds; its `config` follows a head of another size.

    ValueError if there is none.
    """
    found = model
    while "config" not in vars(found):  # hasattr would be true of a wrapper that passes it on
        inside = [getattr(found, prefix[:-1], None) for prefix in PREFIXES]
        inside = [module for module in inside if isinstance(module, nn.Module)]
        if not inside:
            raise ValueError(
                f"a {type(model).__name__} is no model of this course: expected a VisionTransformer, "
                "or another module with a `config` (a ViTConfig)"
            )
        found = inside[0]
    head = getattr(found, "head", None)
    if isinstance(head, nn.Linear) and head.out_features != found.config.num_classes:
        found.config = replace(found.config, num_classes=head.out_features)
    return found


def plain_name(name):
    """The name of a weight without the prefixes of wrappers."""
    name = name.replace("_orig_mod.", "")  # a block that was compiled alone has it in the middle
    while name.startswith(PREFIXES[1]):
        name = name.removeprefix(PREFIXES[1])
    return name


def plain_state_dict(model):
    """`model.state_dict()`, under plain names."""
    return {plain_name(name): tensor for name, tensor in model.state_dict().items()}


def load_plain_state_dict(model, weights):
    """`model.load_state_dict(weights)`, where `weights` go by plain names."""
    model.load_state_dict({name: weights[plain_name(name)] for name in model.state_dict()})
