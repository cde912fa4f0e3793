"""What can be missed: the class token cut off from the patches, and patches that become noise."""

from collections.abc import Iterable

import torch

from ..data.dataset import as_images, as_labels
from ..patches import patchify, unpatchify
from ..settings import plain_number
from ..unwrap import unwrap_model
from .looking import as_scores, attention_changed, first_patch, logits_of, ready, wide


def check_blocks(model, blocks):
    """The set of these numbers of blocks. ValueError names those that the model does not have."""
    depth = model.config.depth
    if not isinstance(blocks, Iterable):
        raise ValueError(f"blocks must be a list of 0 … {depth - 1}, is {blocks!r}")  # noqa: TRY004
    blocks = [plain_number(number) for number in blocks]
    if wrong := [number for number in blocks if type(number) is not int or not 0 <= number < depth]:
        raise ValueError(f"no blocks {wrong}: there are 0 … {depth - 1}")
    return set(blocks)


def knock_out(model, images, blocks):
    """Logits (B, num_classes) if the class token may not read the patches in these `blocks`, a list
    of 0 … L − 1, counted like `model.blocks`.

    What it gave to the patches goes to the other tokens, in proportion: to itself, and to registers
    (through which something of the patches may still reach it). ValueError if the model has no
    class token or no such block.
    """
    model, images = ready(model, images)
    first, blocks = first_patch(model), check_blocks(model, blocks)

    def blind(number, weights, values):
        if number in blocks:
            weights[:, :, 0, first:] = 0
            weights[:, :, 0] /= weights[:, :, 0].sum(dim=-1, keepdim=True).clamp(min=1e-30)
        return weights @ values

    with attention_changed(model, blind):
        return logits_of(model, images)


def mean_reads(model, images):
    """What the class token reads in each block and head, mean over these images: (L, h, d).

    What a head reads is its weighted mean of values, before `proj` brings the heads together.
    ValueError if the model has no class token.
    """
    model, images = ready(model, images)
    first_patch(model)
    sums = [0] * model.config.depth

    def add(number, weights, values):
        mixed = weights @ values
        sums[number] += wide(mixed[:, :, 0]).sum(dim=0)
        return mixed

    with attention_changed(model, add):
        logits_of(model, images)
    return torch.stack(sums).cpu() / len(images)


def mean_ablation(model, images, blocks, reads):
    """Logits (B, num_classes) if in these `blocks`, a list of 0 … L − 1, the class token gets, of
    whatever it would read, only the mean over many images: `reads`, from `mean_reads`.

    Unlike after `knock_out`, what arrives is of the usual kind, and only says nothing of the image.
    ValueError if the model has no class token or no such block, or `reads` is not of this model.
    """
    model, images = ready(model, images)
    first_patch(model)
    blocks, reads = check_blocks(model, blocks), torch.as_tensor(reads)
    h = model.config.num_heads
    shape = (model.config.depth, h, model.config.embed_dim // h)
    if reads.shape != shape:
        raise ValueError(f"reads must be {shape}, from mean_reads; is {tuple(reads.shape)}")

    def replace(number, weights, values):
        mixed = weights @ values
        if number in blocks:
            mixed[:, :, 0] = reads[number].to(mixed)
        return mixed

    with attention_changed(model, replace):
        return logits_of(model, images)


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


ORDERS = ("highest", "lowest", "random")


def deletion_test(model, images, labels, scores, counts, seed=0, orders=ORDERS):
    """Which answers are right when k patches of the images, uint8, become noise, for each k of
    `counts`: the patches with the highest `scores` (B, N), with the lowest, or any (equal scores
    in random order). {"highest": (len(counts), B) true or false, "lowest": …, "random": …}, or only
    those of `orders`. ValueError if there is no such order, a score is NaN, or the numbers of scores
    or `counts` do not fit.
    """
    if unknown := set(orders) - set(ORDERS):
        raise ValueError(f"no orders {sorted(unknown)}: there are {', '.join(ORDERS)}")
    model, images, scores = unwrap_model(model), as_images(images), as_scores(scores)
    N, counts = model.num_tokens - model.num_prefix, list(counts)
    if scores.shape != (len(images), N):
        expected = f"scores must be one for each patch, {(len(images), N)}"
        raise ValueError(f"{expected}; are {tuple(scores.shape)}")
    if wrong := [k for k in counts if not 0 <= k <= N]:
        raise ValueError(f"{wrong} patches cannot become noise: counts go from 0 to {N}")
    labels = as_labels(labels, len(images), model.config.num_classes)
    draws = torch.Generator().manual_seed(seed)
    anyhow = torch.rand(scores.shape, generator=draws).argsort(dim=1)  # patches in random order
    ranked = scores.gather(1, anyhow).argsort(dim=1, stable=True)
    lowest = anyhow.gather(1, ranked)
    sorted_patches = {"highest": lowest.flip(1), "lowest": lowest, "random": anyhow}
    right = {}
    for name in orders:
        order, guesses = sorted_patches[name], []
        for k in counts:
            which = torch.zeros(scores.shape, dtype=torch.bool).scatter(1, order[:, :k], True)
            noisy = replace_by_noise(images, which, model.config.patch_size, seed + 1)
            guesses.append(logits_of(model, noisy).argmax(dim=1))
        right[name] = torch.stack(guesses) == labels.cpu()
    return right
