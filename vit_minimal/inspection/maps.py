"""Where tokens look: maps of attention, and how to score them."""

import math

import torch

from ..data.dataset import as_labels
from .looking import (
    as_scores,
    attention_changed,
    first_patch,
    logits_of,
    look_into,
    ready,
    slices,
    wide,
)


def attention_maps(model, images):
    """Who looks at whom: (L, B, h, T, T); row i of a map says where token i looks, and sums to 1.

    MemoryError if the memory for all maps is refused.
    """
    model, images = ready(model, images)
    T = model.num_tokens
    shape = (model.config.depth, len(images), model.config.num_heads, T, T)
    try:
        maps = wide(torch.empty(shape, dtype=next(model.parameters()).dtype))
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
    model, images = ready(model, images)
    first = first_patch(model)
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
    model, images = ready(model, images)
    first = first_patch(model)
    if classes is None:
        classes = logits_of(model, images).argmax(dim=1)
    classes = as_labels(classes, len(images), model.config.num_classes)
    rolled = []
    for x, chosen in slices(model, images, classes):
        weights = []

        def keep(number, found, values, weights=weights):
            weights.append(found)
            return found @ values

        with torch.enable_grad(), attention_changed(model, keep):
            logits = model(x.requires_grad_())  # so that frozen models have gradients too
            total = logits.gather(1, chosen.to(x.device)[:, None]).sum()
            # As a tuple: blocks with activation checkpointing run once more in grad, and add theirs
            weights = tuple(weights)
            slopes = torch.autograd.grad(total, weights, allow_unused=True)
        if any(slope is None for slope in slopes):
            kind = type(model).__name__
            raise ValueError(f"no gradient leads from the logits of {kind} to its attention")
        reach = wide(torch.eye(weights[0].shape[-1]).to(x))
        for found, slope in zip(weights, slopes, strict=True):
            gain = wide(found.detach()) * wide(slope)
            reach = reach + gain.clamp(min=0).mean(dim=1) @ reach
        rolled.append(reach[:, 0, first:].detach().cpu())
    return torch.cat(rolled)


def attention_distance(model, images):
    """How far patches look, in pixels: (L, h), the mean over images and over asking patches.

    The mean distance to the centres of all patches, weighted by the attention among patches:
    Dosovitskiy et al. 2021, Section 4.5 and Fig. 7.
    """
    model, images = ready(model, images)
    rows, columns = model.patch_embed.grid_size
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
    apart = model.config.patch_size * torch.cdist(places, places)  # (N, N)
    sums = 0
    for _, maps in look_into(model, images):
        among = maps[..., model.num_prefix :, model.num_prefix :]
        among = among / among.sum(dim=-1, keepdim=True).clamp(min=1e-30)
        sums += (among * apart.to(maps)).sum(dim=-1).mean(dim=-1).sum(dim=1).cpu()  # (L, h)
    return sums / len(images)


def pointing_accuracy(scores, places, top=1):
    """How often the patch that matters (`places` (B,)) is among the `top` of `scores` (B, N), 0 … 1.

    Where scores are equal, this is the chance of it if one of them is drawn. ValueError for NaN.
    """
    scores, places = as_scores(scores), torch.as_tensor(places).cpu()
    own = scores.gather(1, places[:, None])
    higher, equal = (scores > own).sum(dim=1), (scores == own).sum(dim=1)
    return ((top - higher) / equal).clamp(0, 1).mean().item()
