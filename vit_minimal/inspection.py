"""Looking into a model: where its tokens look, what they hold, and what happens without them.

L layers, B batch, h heads, T tokens, N patches, D embedding width. A token is what leaves a block
(the residual stream); the last norm and the head come after it.
"""

import contextlib
import math
from dataclasses import dataclass

import torch

from .attention import attention_weights
from .augment import normalize
from .patches import patchify, unpatchify

SLICE = 100  # images that go through the model at a time
PENALTY = 0.01  # of a probe, as a share of its features' squares


@contextlib.contextmanager
def _hooked(model, hooks):
    """The model in evaluation mode, with forward hooks {module: hook}; afterwards as it was."""
    was_training = model.training
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    try:
        yield model.eval()
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()


def _slices(model, images):
    """The images as the model wants them, some at a time: uint8 ones are normalised."""
    device = next(model.parameters()).device
    for part in images.split(SLICE):
        yield normalize(part.to(device))


def _class_token_of(model):
    """How many tokens stand before the patches. ValueError if none of them is a class token."""
    if model.config.pool != "class":
        raise ValueError(f'this needs a class token: pool="class", not pool="{model.config.pool}"')
    return model.num_prefix


@torch.no_grad()
def _look(model, images):
    """Slice by slice: what enters the first block and leaves each, (L + 1, b, T, D), and who looks
    at whom, (L, b, h, T, T). The weights are computed beside the model's own attention, from the
    same queries and keys, so its outputs stay what they are.
    """
    tokens, maps = [], []

    def keep_maps(attention, inputs, output):
        queries, keys, _ = attention.split_heads(inputs[0])
        maps.append(attention_weights(queries, keys))

    hooks = {block.attn: keep_maps for block in model.blocks}
    hooks |= {block: lambda block, inputs, output: tokens.append(output) for block in model.blocks}
    hooks[model.pos_drop] = lambda drop, inputs, output: tokens.append(output)
    for x in _slices(model, images):
        with _hooked(model, hooks):
            model.forward_features(x)
        yield torch.stack(tokens), torch.stack(maps)
        tokens.clear()
        maps.clear()


@torch.no_grad()
def _logits(model, images):
    with _hooked(model, {}):
        return torch.cat([model(x) for x in _slices(model, images)])


def attention_maps(model, images):
    """Who looks at whom: (L, B, h, T, T); row i of a map says where token i looks, and sums to 1.

    `images` are uint8 or already normalised, (B, C, H, W). MemoryError if all maps do not fit.
    """
    T = model.num_prefix + math.prod(model.patch_embed.grid_size)
    shape = (model.config.depth, len(images), model.config.num_heads, T, T)
    try:
        maps = torch.empty(shape, device=next(model.parameters()).device)
    except RuntimeError as error:  # what torch raises, on a GPU a kind of it
        text = (
            f"the maps of {len(images)} images take {4e-9 * math.prod(shape):.1f} GB: ask for fewer"
        )
        raise MemoryError(text) from error
    for part, (_, found) in zip(maps.split(SLICE, dim=1), _look(model, images), strict=True):
        part.copy_(found)
    return maps


def attention_rollout(model, images):
    """How much of each patch could reach the class token: (B, N), at least 0, in all at most 1.

    Attention, mean over heads, averaged with the identity (the residual path), multiplied through
    the layers: Abnar and Zuidema 2020, https://arxiv.org/abs/2005.00928, Section 3. ValueError if
    the model has no class token.
    """
    first = _class_token_of(model)
    rolled = []
    for _, maps in _look(model, images):
        reach = torch.eye(maps.shape[-1], device=maps.device)  # of the tokens that enter
        for weights in maps.mean(dim=2):  # (b, T, T)
            reach = (weights @ reach + reach) / 2
        rolled.append(reach[:, 0, first:])
    return torch.cat(rolled)


def gradient_attention(model, images, classes=None):
    """Attention that speaks for a class: (B, N), at least 0. `classes` (B,): else the likeliest.

    Each weight counts by how much the class's logit grows with it, negative ones not at all, mean
    over heads, added up through the layers: Chefer et al. 2021, https://arxiv.org/abs/2103.15679,
    Eq. 5 and 6. ValueError if the model has no class token.
    """
    first = _class_token_of(model)
    rolled, done = [], 0
    for x in _slices(model, images):
        weights = []

        def keep(layer, found, weights=weights):
            weights.append(found)
            return found

        with torch.enable_grad(), _attention_changed(model, keep):
            logits = model(x.requires_grad_())  # so that weights have gradients in frozen models
        chosen = logits.argmax(dim=1) if classes is None else classes[done : done + len(x)]
        total = logits.gather(1, chosen.to(x.device)[:, None]).sum()
        reach = torch.eye(weights[0].shape[-1], device=x.device)
        for found, slope in zip(weights, torch.autograd.grad(total, weights), strict=True):
            reach = reach + (found * slope).clamp(min=0).mean(dim=1).detach() @ reach
        rolled.append(reach[:, 0, first:])
        done += len(x)
    return torch.cat(rolled)


def attention_distance(model, images):
    """How far patches look, in pixels: (L, h), the mean over images and over asking patches.

    The mean of the distance between the two patches' centres, weighted by attention among patches:
    Dosovitskiy et al. 2021, Section 4.5 and Fig. 7.
    """
    rows, columns = model.patch_embed.grid_size
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
    apart = model.config.patch_size * torch.cdist(places, places)  # (N, N)
    sums = 0
    for _, maps in _look(model, images):
        among = maps[..., model.num_prefix :, model.num_prefix :]
        among = among / among.sum(dim=-1, keepdim=True)
        sums += (among * apart.to(maps.device)).sum(dim=-1).mean(dim=-1).sum(dim=1)  # (L, h)
    return sums / len(images)


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
    """The `Journey` of the class token: probes are fitted on the first half of the images, and
    scored on the second. ValueError if the model has no class token.

    A probe is a linear classifier on one token of the residual stream, fitted by least squares
    with a small penalty; the idea is Alain and Bengio 2016, https://arxiv.org/abs/1610.01644.
    """
    first, half = _class_token_of(model), len(images) // 2
    answers = torch.nn.functional.one_hot(labels, model.config.num_classes).float()

    def streams(tokens):  # what the probes read: (L + 1, 2 + N, b, D + 1)
        read = [tokens[:, :, :1], tokens[:, :, first:].mean(dim=2, keepdim=True)]
        read = torch.cat([*read, tokens[:, :, first:]], dim=2).transpose(1, 2)
        return torch.nn.functional.pad(read, (0, 1), value=1.0)  # the 1 becomes the bias

    gram = moments = 0
    for (tokens, _), wanted in zip(
        _look(model, images[:half]), answers[:half].split(SLICE), strict=True
    ):
        x = streams(tokens)
        gram = gram + x.mT @ x
        moments = moments + x.mT @ wanted.to(x)
    penalty = PENALTY * gram.diagonal(dim1=-2, dim2=-1)  # so that no probe depends on the scale
    probes = torch.linalg.solve(gram + torch.diag_embed(penalty + 1e-6), moments)

    right = similarity = self_attention = 0
    for (tokens, maps), wanted in zip(
        _look(model, images[half:]), labels[half:].split(SLICE), strict=True
    ):
        guesses = (streams(tokens) @ probes).argmax(dim=-1)  # (L + 1, 2 + N, b)
        right += (guesses == wanted.to(guesses.device)).sum(dim=-1)
        states = tokens[:, :, 0]
        similarity += torch.cosine_similarity(states, states[-1:], dim=-1).sum(dim=1)
        self_attention += maps[..., 0, 0].mean(dim=2).sum(dim=1)
    scored = len(images) - half
    accuracy = right.cpu() / scored
    return Journey(
        accuracy[:, 0],
        accuracy[:, 1],
        accuracy[:, 2:],
        similarity.cpu() / scored,
        self_attention.cpu() / scored,
        scored,
    )


# ----------------------------------------------------------------------------------- Knocking out


@contextlib.contextmanager
def _attention_changed(model, change):
    """While it lasts, each block mixes its values by `change(layer, weights (b, h, T, T))`."""

    def mixing(layer):
        def mix(attention, inputs, output):
            queries, keys, values = attention.split_heads(inputs[0])
            weights = change(layer, attention_weights(queries, keys))
            return attention.proj((weights @ values).transpose(1, 2).flatten(2))

        return mix

    hooks = {block.attn: mixing(layer) for layer, block in enumerate(model.blocks)}
    with _hooked(model, hooks):
        yield


def knock_out(model, images, layers):
    """Logits (B, num_classes) if the class token may not read the patches in some layers (0 … L − 1).

    What it gave to them goes to the other tokens, in proportion: without registers, to itself.
    ValueError if the model has no class token or no such layer.
    """
    first, layers = _class_token_of(model), set(layers)
    if wrong := layers - set(range(model.config.depth)):
        raise ValueError(f"no layers {sorted(wrong)}: there are 0 … {model.config.depth - 1}")

    def blind(layer, weights):
        if layer in layers:
            weights[:, :, 0, first:] = 0
            weights[:, :, 0] /= weights[:, :, 0].sum(dim=-1, keepdim=True)
        return weights

    with _attention_changed(model, blind):
        return _logits(model, images)


def replace_by_noise(images, which, patch_size, seed=0):
    """The images, uint8 (B, C, H, W), with random pixels where `which` (B, N) is true."""
    draws = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 256, images.shape, generator=draws, dtype=torch.uint8)
    parts = (patchify(pixels, patch_size) for pixels in (noise, images.cpu()))
    mixed = torch.where(which.cpu()[..., None], *parts)
    return unpatchify(mixed, patch_size, tuple(images.shape[2:]), images.shape[1]).to(images.device)


def deletion_test(model, images, labels, scores, counts, seed=0):
    """Which answers stay right when k patches become noise: those with the highest `scores` (B, N),
    the lowest, or a random choice. {"highest": (len(counts), B) true or false, "lowest", "random"}
    """
    draws = torch.Generator().manual_seed(seed)
    order = {
        "highest": scores.cpu(),
        "lowest": -scores.cpu(),
        "random": torch.rand(scores.shape, generator=draws),
    }
    ranks = {name: s.argsort(dim=1, descending=True).argsort(dim=1) for name, s in order.items()}
    right = {}
    for name, rank in ranks.items():
        guesses = []
        for k in counts:
            noisy = replace_by_noise(images, rank < k, model.config.patch_size, seed)
            guesses.append(_logits(model, noisy).argmax(dim=1).cpu())
        right[name] = torch.stack(guesses) == labels
    return right


def pointing_accuracy(scores, places, top=1):
    """How often the patch that matters (`places` (B,)) is among the `top` of `scores` (B, N)."""
    found = scores.cpu().topk(top, dim=1).indices == places[:, None]
    return found.any(dim=1).float().mean().item()
