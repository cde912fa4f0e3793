"""How one looks: with hooks on the parts of a model, slice by slice, without changing its outputs."""

import contextlib

import torch

from ..attention import attention_weights
from ..augment import normalize
from ..data.dataset import as_images
from ..device import check_finite, evaluating
from ..unwrap import unwrap_model

SLICE = 100 * 65**2  # attention weights of a head that are held at a time: 100 images of 65 tokens


def ready(model, images):
    """The plain model and a tensor of images, if its tokens are where we look for them, and its
    blocks are those that its `config` tells of.
    """
    model, images = unwrap_model(model), as_images(images)
    if len(images) == 0:
        raise ValueError("there is no image to look at")
    if not getattr(model, "usual_order", False):
        raise ValueError(
            f"{type(model).__name__} does not keep its tokens in the order class token, registers, "
            "patches from the first block on: whatever is read here would be of the wrong token"
        )
    blocks, depth = list(model.blocks), model.config.depth
    if len(blocks) != depth or len(set(blocks)) != depth:
        raise ValueError(
            f"the model has {len(set(blocks))} different blocks in {len(blocks)} places, and its "
            f"config says depth {depth}: build it from a config with the right depth"
        )
    return model, images


def as_scores(scores):
    """A tensor of scores. ValueError if some are NaN, which is neither high nor low."""
    scores = torch.as_tensor(scores).cpu()
    numbers = ~scores.isnan()
    if not numbers.all():
        raise ValueError("some of the scores are NaN")
    return scores


def wide(tensor):
    """In float32 at least: sums and solutions of many float16 numbers would be lost."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def slices(model, images, *others):
    """Some images at a time, as the model wants them, and what of the `others` belongs to them."""
    weight = next(model.parameters())
    length = max(1, SLICE // model.num_tokens**2)
    for part, *more in zip(*(array.split(length) for array in (images, *others)), strict=True):
        yield normalize(part.to(weight.device)).to(weight.dtype), *more


@contextlib.contextmanager
def hooked(model, hooks):
    """The model in evaluation mode and in its own precision, with forward hooks {module: hook};
    afterwards as it was.
    """
    device = next(model.parameters()).device.type
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    try:
        with evaluating(model), _eager(model), torch.autocast(device, enabled=False):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _eager(model):
    """Parts of the model that were compiled run as they are written: compiled code ignores hooks."""
    for module in model.modules():
        if hasattr(module, "_orig_mod") or module._compiled_call_impl:
            return torch.compiler.set_stance("force_eager")
    return contextlib.nullcontext()


def first_patch(model):
    """The index of the first patch token. ValueError if there is no class token before it."""
    if model.config.pool != "class":
        raise ValueError(f'this needs a class token: pool="class", not pool="{model.config.pool}"')
    return model.num_prefix


def weights_and_values(attention, x, output):
    """What an attention layer makes of tokens (b, T, D): (b, h, T, T) and (b, h, T, d).

    ValueError if its `output` (b, T, D) was made in another way, by an own `forward` or a hook: what
    is shown would not be what answers.
    """
    queries, keys, values = attention.split_heads(x)
    weights = attention_weights(queries, keys, attention.mask)
    with torch.no_grad():
        expected = brought_together(attention, weights @ values)
        error = wide(expected - output).norm() / wide(output).norm().clamp(min=1e-30)
    bound = 0.05 if output.dtype.itemsize < 4 else 0.01  # kernels round otherwise
    as_usual = ~(error > bound)  # NaN is no sign of another way
    if not as_usual:
        raise ValueError(
            f"a {type(attention).__name__} of this model does not give what softmax(QKᵀ/√d)·V gives: "
            "it has a forward of its own or a hook, which cannot be looked into"
        )
    return weights, values


def brought_together(attention, mixed):
    """What the heads of an attention layer have read, (b, h, T, d) → (b, T, D)."""
    return attention.proj(mixed.transpose(1, 2).flatten(2))


@torch.no_grad()
def token_states(model, images, *others, also=()):
    """Slice by slice: what enters the first block and leaves each, (L + 1, b, T, D), and what of the
    `others` belongs to these images. Pairs (module, hook) of `also` look at other parts meanwhile.
    """
    model, images = ready(model, images)
    tokens = []

    def keep(module, inputs, output):
        tokens.append(output)

    hooks = {module: keep for module in (model.pos_drop, *model.blocks)} | dict(also)
    for x, *more in slices(model, images, *others):
        with hooked(model, hooks):
            model(x)
        yield wide(torch.stack(tokens)), *more
        tokens.clear()


@torch.no_grad()
def look_into(model, images, *others):
    """Slice by slice: what enters the first block and leaves each, (L + 1, b, T, D); who looks at
    whom, (L, b, h, T, T); and what of the `others` belongs to these images. The weights are
    computed beside the model's own attention, from the same queries and keys, so its outputs stay
    what they are. ValueError if they are not what attention makes of these weights.
    """
    model, images = ready(model, images)
    maps = []

    def keep_maps(attention, inputs, output):
        weights, _ = weights_and_values(attention, inputs[0], output)
        maps.append(weights)

    also = [(block.attn, keep_maps) for block in model.blocks]
    for tokens, *more in token_states(model, images, *others, also=also):
        yield tokens, wide(torch.stack(maps)), *more
        maps.clear()


@torch.no_grad()
def logits_of(model, images):
    """The logits (B, num_classes), in the model's own precision. FloatingPointError if they are not
    finite.
    """
    with hooked(model, {}):
        return check_finite(torch.cat([model(x).cpu() for (x,) in slices(model, images)]))


@contextlib.contextmanager
def attention_changed(model, mix):
    """While it lasts, `mix(number of the block, weights (b, h, T, T), values (b, h, T, d))` gives
    what the heads of each block read, (b, h, T, d).
    """

    def mixing(number):
        def hook(attention, inputs, output):
            mixed = mix(number, *weights_and_values(attention, inputs[0], output))
            return brought_together(attention, mixed)

        return hook

    hooks = {block.attn: mixing(number) for number, block in enumerate(model.blocks)}
    with hooked(model, hooks):
        yield
