"""Looking into a model: where its tokens look, what they hold, and what happens without them.

L layers, B batch, h heads, T tokens, N patches, D embedding width. A token is what leaves a block
(the residual stream); the last norm and the head come after it. Images are uint8, or floats that
are normalised already, as tensors or NumPy arrays; whatever device the model is on, results are on
the CPU. A model that was compiled or wrapped is looked into like the plain one. All refuse, with a
ValueError, a variant that keeps its tokens in another order than class token, registers, patches.
"""

import contextlib
import math
from dataclasses import dataclass

import torch

from .attention import attention_weights
from .augment import normalize
from .data.dataset import as_images, as_labels
from .device import evaluating
from .patches import patchify, unpatchify
from .unwrap import unwrap_model

SLICE = 100 * 65**2  # attention weights of a head that are held at a time: 100 images of 65 tokens
PENALTY = 0.01  # of a probe, as a share of its features' variances


def _ready(model, images):
    """The plain model and a tensor of images, if its tokens are where we look for them."""
    model, images = unwrap_model(model), as_images(images)
    if len(images) == 0:
        raise ValueError("there is no image to look at")
    if not getattr(model, "usual_order", False):
        raise ValueError(
            f"{type(model).__name__} does not keep its tokens in the order class token, registers, "
            "patches from the first block on: whatever is read here would be of the wrong token"
        )
    return model, images


def _wide(tensor):
    """In float32 at least: sums and solutions of many float16 numbers would be lost."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _slices(model, images, *others):
    """Some images at a time, as the model wants them, and what of the `others` belongs to them."""
    weight = next(model.parameters())
    length = max(1, SLICE // model.num_tokens**2)
    for part, *more in zip(*(array.split(length) for array in (images, *others)), strict=True):
        yield normalize(part.to(weight.device)).to(weight.dtype), *more


@contextlib.contextmanager
def _hooked(model, hooks):
    """The model in evaluation mode, with forward hooks {module: hook}; afterwards as it was."""
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    try:
        with evaluating(model), _eager(model):
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


def _first_patch(model):
    """The index of the first patch token. ValueError if there is no class token before it."""
    if model.config.pool != "class":
        raise ValueError(f'this needs a class token: pool="class", not pool="{model.config.pool}"')
    return model.num_prefix


def _weights_and_values(attention, x):
    """What an attention layer makes of tokens (b, T, D): (b, h, T, T) and (b, h, T, d)."""
    queries, keys, values = attention.split_heads(x)
    return attention_weights(queries, keys, attention.mask), values


@torch.no_grad()
def look_into(model, images, *others):
    """Slice by slice: what enters the first block and leaves each, (L + 1, b, T, D); who looks at
    whom, (L, b, h, T, T); and what of the `others` belongs to these images. The weights are
    computed beside the model's own attention, from the same queries and keys, so its outputs stay
    what they are.
    """
    model, images = _ready(model, images)
    tokens, maps = [], []

    def keep_maps(attention, inputs, output):
        weights, _ = _weights_and_values(attention, inputs[0])
        maps.append(weights)

    hooks = {block.attn: keep_maps for block in model.blocks}
    hooks |= {block: lambda block, inputs, output: tokens.append(output) for block in model.blocks}
    hooks[model.pos_drop] = lambda drop, inputs, output: tokens.append(output)
    for x, *more in _slices(model, images, *others):
        with _hooked(model, hooks):
            model.forward_features(x)
        yield _wide(torch.stack(tokens)), _wide(torch.stack(maps)), *more
        tokens.clear()
        maps.clear()


@torch.no_grad()
def _logits(model, images):
    with _hooked(model, {}):
        return torch.cat([model(x).cpu() for (x,) in _slices(model, images)])


# ------------------------------------------------------------------------------ where tokens look


def attention_maps(model, images):
    """Who looks at whom: (L, B, h, T, T); row i of a map says where token i looks, and sums to 1.

    MemoryError if the memory for all maps is refused.
    """
    model, images = _ready(model, images)
    T = model.num_tokens
    shape = (model.config.depth, len(images), model.config.num_heads, T, T)
    try:
        maps = _wide(torch.empty(shape, dtype=next(model.parameters()).dtype))
    except RuntimeError as error:
        size = f"{4e-9 * math.prod(shape):.1f} GB"
        raise MemoryError(f"the maps of {len(images)} images take {size}: ask for fewer") from error
    done = 0
    for _, found in look_into(model, images):
        maps[:, done : done + found.shape[1]] = found
        done += found.shape[1]
    return maps


def attention_rollout(model, images):
    """How much of each patch could reach the class token: (B, N), at least 0, in all at most 1.

    Attention, mean over heads, averaged with the identity (the residual path), multiplied through
    the layers: Abnar and Zuidema 2020, https://arxiv.org/abs/2005.00928, Section 3. ValueError if
    the model has no class token.
    """
    model, images = _ready(model, images)
    first = _first_patch(model)
    rolled = []
    for _, maps in look_into(model, images):
        reach = torch.eye(maps.shape[-1]).to(maps)  # of the tokens that enter
        for weights in maps.mean(dim=2):  # (b, T, T)
            reach = (weights @ reach + reach) / 2
        rolled.append(reach[:, 0, first:].cpu())
    return torch.cat(rolled)


def gradient_attention(model, images, classes=None):
    """Attention that speaks for a class: (B, N), at least 0. `classes` (B,): else the likeliest.

    Each weight counts by how much the class's logit grows with it, negative ones not at all, mean
    over heads, added up through the layers: Chefer et al. 2021, https://arxiv.org/abs/2103.15679,
    Eq. 5 and 6. ValueError if the model has no class token, if a class is not the model's, or if no
    gradient leads from the logits to the attention.
    """
    model, images = _ready(model, images)
    first = _first_patch(model)
    if classes is None:
        classes = _logits(model, images).argmax(dim=1)
    classes = as_labels(classes, len(images), model.config.num_classes)
    rolled = []
    for x, chosen in _slices(model, images, classes):
        weights = []

        def keep(layer, found, weights=weights):
            weights.append(found)
            return found

        with torch.enable_grad(), _attention_changed(model, keep):
            logits = model(x.requires_grad_())  # so that frozen models have gradients too
            total = logits.gather(1, chosen.to(x.device)[:, None]).sum()
            slopes = torch.autograd.grad(total, weights, allow_unused=True)
        if any(slope is None for slope in slopes):
            kind = type(model).__name__
            raise ValueError(f"no gradient leads from the logits of {kind} to its attention")
        reach = _wide(torch.eye(weights[0].shape[-1]).to(x))
        for found, slope in zip(weights, slopes, strict=True):
            gain = _wide(found.detach()) * _wide(slope)
            reach = reach + gain.clamp(min=0).mean(dim=1) @ reach
        rolled.append(reach[:, 0, first:].detach().cpu())
    return torch.cat(rolled)


def attention_distance(model, images):
    """How far patches look, in pixels: (L, h), the mean over images and over asking patches.

    The mean distance to the centres of all patches, weighted by the attention among patches:
    Dosovitskiy et al. 2021, Section 4.5 and Fig. 7.
    """
    model, images = _ready(model, images)
    rows, columns = model.patch_embed.grid_size
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
    apart = model.config.patch_size * torch.cdist(places, places)  # (N, N)
    sums = 0
    for _, maps in look_into(model, images):
        among = maps[..., model.num_prefix :, model.num_prefix :]
        among = among / among.sum(dim=-1, keepdim=True).clamp(min=1e-30)
        sums += (among * apart.to(maps)).sum(dim=-1).mean(dim=-1).sum(dim=1).cpu()  # (L, h)
    return sums / len(images)


# ------------------------------------------------------------------------------- what tokens hold


@dataclass(frozen=True)
class Journey:
    """What the tokens hold, where blocks begin and end: entry 0 is before the first block.

    The accuracies are those of linear probes, 0 … 1, on `num_scored` images that these were not
    fitted on.
    """

    class_token: torch.Tensor  # (L + 1,) accuracy of a probe on the class token
    patch_mean: torch.Tensor  # (L + 1,) on the mean of the patch tokens
    patches: torch.Tensor  # (L + 1, N) on one patch token, for each place
    similarity: torch.Tensor  # (L + 1,) cosine of the class token and its last state, mean
    self_attention: torch.Tensor  # (L,) the share of its attention that goes to itself, mean
    num_scored: int


def class_token_journey(model, images, labels):
    """The `Journey` of the class token, from images in random order and their labels int64 (B,):
    probes are fitted on the first half and scored on the second.

    A probe is a linear classifier on one token of the residual stream, fitted by least squares
    with a small penalty; the idea is Alain and Bengio 2016, https://arxiv.org/abs/1610.01644. The
    probes take memory for about (L + 1)·N·D² numbers. ValueError if the model has no class token,
    or the labels do not fit.
    """
    model, images = _ready(model, images)
    first, half = _first_patch(model), len(images) // 2
    labels = as_labels(labels, len(images), model.config.num_classes)
    if half < 1:
        raise ValueError(
            "the probes need two images or more: one half to fit them, one to score them"
        )

    def streams(tokens):  # what the probes read: (L + 1, 2 + N, b, D)
        read = [tokens[:, :, :1], tokens[:, :, first:].mean(dim=2, keepdim=True)]
        return torch.cat([*read, tokens[:, :, first:]], dim=2).transpose(1, 2)

    answers = torch.nn.functional.one_hot(labels[:half], model.config.num_classes)
    seen = look_into(model, images[:half], answers)
    weights, biases = fit_probes((streams(tokens), wanted) for tokens, _, wanted in seen)
    right = similarity = self_attention = 0
    for tokens, maps, wanted in look_into(model, images[half:], labels[half:]):
        guesses = (streams(tokens) @ weights + biases).argmax(dim=-1)  # (L + 1, 2 + N, b)
        right += (guesses == wanted.to(guesses.device)).sum(dim=-1).cpu()
        states = tokens[:, :, 0]
        similarity += torch.cosine_similarity(states, states[-1:], dim=-1).sum(dim=1).cpu()
        self_attention += maps[..., 0, 0].mean(dim=2).sum(dim=1).cpu()
    scored = len(images) - half
    accuracy = right / scored
    return Journey(
        class_token=accuracy[:, 0],
        patch_mean=accuracy[:, 1],
        patches=accuracy[:, 2:],
        similarity=similarity / scored,
        self_attention=self_attention / scored,
        num_scored=scored,
    )


def fit_probes(parts):
    """Weights (…, D, K) and biases (…, 1, K) of ridge regressions, from parts of the features
    (…, b, D) and of the wanted outputs (b, K). Neither a shift nor a scale of a feature matters.
    """
    count = 0
    for x, wanted in parts:
        wanted = wanted.to(x)
        if not count:
            origin = x[..., :1, :]  # nearer to the mean than 0 is, so that rounding does less harm
            gram = moments = total = answers = 0
        x = x - origin
        gram += x.mT @ x
        moments += x.mT @ wanted
        total += x.sum(dim=-2, keepdim=True)
        answers += wanted.sum(dim=0, keepdim=True)
        count += len(wanted)
    mean, share = total / count, answers / count
    gram -= count * mean.mT @ mean  # now the features' covariance, times the number of images
    moments -= count * mean.mT @ share
    gram.diagonal(dim1=-2, dim2=-1).mul_(1 + PENALTY).add_(1e-12)
    weights = torch.linalg.solve(gram.cpu(), moments.cpu()).to(gram)  # MPS may not know how
    return weights, share - (origin + mean) @ weights


# ----------------------------------------------------------------------------- what can be missed


@contextlib.contextmanager
def _attention_changed(model, change):
    """While it lasts, each block mixes its values by `change(layer, weights (b, h, T, T))`."""

    def mixing(layer):
        def mix(attention, inputs, output):
            weights, values = _weights_and_values(attention, inputs[0])
            mixed = change(layer, weights) @ values  # (b, h, T, d)
            return attention.proj(mixed.transpose(1, 2).flatten(2))

        return mix

    hooks = {block.attn: mixing(layer) for layer, block in enumerate(model.blocks)}
    with _hooked(model, hooks):
        yield


def knock_out(model, images, layers):
    """Logits (B, num_classes) if the class token may not read the patches in `layers`, a list of
    0 … L − 1, counted like `model.blocks`.

    What it gave to the patches goes to the other tokens, in proportion: to itself, and to registers
    (through which something of the patches may still reach it). ValueError if the model has no
    class token or no such layer.
    """
    model, images = _ready(model, images)
    first, layers = _first_patch(model), set(layers)
    wrong = layers - set(range(model.config.depth))
    if wrong:
        raise ValueError(f"no layers {sorted(wrong)}: there are 0 … {model.config.depth - 1}")

    def blind(layer, weights):
        if layer in layers:
            weights[:, :, 0, first:] = 0
            weights[:, :, 0] /= weights[:, :, 0].sum(dim=-1, keepdim=True).clamp(min=1e-30)
        return weights

    with _attention_changed(model, blind):
        return _logits(model, images)


def replace_by_noise(images, which, patch_size, seed=0):
    """Images uint8 (B, C, H, W), with random pixels where `which` (B, N) is true."""
    images, which = as_images(images), torch.as_tensor(which)
    if images.dtype != torch.uint8:
        raise ValueError(f"noise is drawn as bytes: the images must be uint8, are {images.dtype}")
    draws = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 256, images.shape, generator=draws, dtype=torch.uint8)
    parts = (patchify(pixels.cpu(), patch_size) for pixels in (noise, images))
    mixed = torch.where(which[..., None], *parts)
    return unpatchify(mixed, patch_size, tuple(images.shape[2:]), images.shape[1])


def deletion_test(model, images, labels, scores, counts, seed=0):
    """Which answers are right when k patches of the images, uint8, become noise, for each k of
    `counts`: the patches with the highest `scores` (B, N), with the lowest, or any (equal scores
    in random order). {"highest": (len(counts), B) true or false, "lowest": …, "random": …}
    """
    model, images, scores = unwrap_model(model), as_images(images), torch.as_tensor(scores)
    labels = as_labels(labels, len(images), model.config.num_classes)
    draws = torch.Generator().manual_seed(seed)
    anyhow = torch.rand(scores.shape, generator=draws).argsort(dim=1)  # patches in random order
    ranked = scores.cpu().gather(1, anyhow).argsort(dim=1, stable=True)
    lowest = anyhow.gather(1, ranked)
    counts = list(counts)  # gone through three times
    right = {}
    for name, order in (("highest", lowest.flip(1)), ("lowest", lowest), ("random", anyhow)):
        guesses = []
        for k in counts:
            which = torch.zeros(scores.shape, dtype=torch.bool).scatter(1, order[:, :k], True)
            noisy = replace_by_noise(images, which, model.config.patch_size, seed + 1)
            guesses.append(_logits(model, noisy).argmax(dim=1))
        right[name] = torch.stack(guesses) == labels.cpu()
    return right


def pointing_accuracy(scores, places, top=1):
    """How often the patch that matters (`places` (B,)) is among the `top` of `scores` (B, N), 0 … 1.

    Where scores are equal, this is the chance of it if one of them is drawn.
    """
    scores, places = torch.as_tensor(scores).cpu(), torch.as_tensor(places).cpu()
    own = scores.gather(1, places[:, None])
    higher, equal = (scores > own).sum(dim=1), (scores == own).sum(dim=1)
    return ((top - higher) / equal).clamp(0, 1).mean().item()
