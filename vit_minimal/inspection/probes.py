"""What tokens hold: linear classifiers that read it after each block."""

from dataclasses import dataclass

import torch

from ..data.dataset import as_labels
from .looking import first_patch, look_into, ready, token_states

PENALTY = 0.01  # of a probe, as a share of its features' variances


@dataclass(frozen=True, eq=False)  # tensors have no single truth value
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


def features(model, images):
    """What a classifier could read of images, before the first block and after each:
    {"class_token": …, "patch_mean": …}, (L + 1, B, D) each. ValueError if there is no class token.
    """
    model, images = ready(model, images)
    first = first_patch(model)
    seen = [
        torch.stack([tokens[:, :, 0], tokens[:, :, first:].mean(dim=2)]).cpu()
        for (tokens,) in token_states(model, images)
    ]
    class_token, patch_mean = torch.cat(seen, dim=2)
    return {"class_token": class_token, "patch_mean": patch_mean}


def class_token_journey(model, images, labels):
    """The `Journey` of the class token, from images in random order and their labels int64 (B,):
    probes are fitted on the first half and scored on the second.

    A probe is a linear classifier on one token of the residual stream, fitted by least squares
    with a small penalty; the idea is Alain and Bengio 2016, https://arxiv.org/abs/1610.01644. The
    probes take memory for about (L + 1)·N·D² numbers. ValueError if the model has no class token,
    or the labels do not fit.
    """
    model, images = ready(model, images)
    first, half = first_patch(model), len(images) // 2
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


def fit_class_token_probes(model, images, labels):
    """Probes of the class token before the first block and after each: weights (L + 1, D, K) and
    biases (L + 1, 1, K), fitted like those of `class_token_journey`, on all of the images.
    """
    model, images = ready(model, images)
    first_patch(model)
    labels = as_labels(labels, len(images), model.config.num_classes)
    answers = torch.nn.functional.one_hot(labels, model.config.num_classes)
    seen = token_states(model, images, answers)
    weights, biases = fit_probes((tokens[:, :, 0], wanted) for tokens, wanted in seen)
    return weights.cpu(), biases.cpu()


def read_class_token(model, images, weights, biases):
    """What `fit_class_token_probes` reads from the class token of each image: (L + 1, B, K).

    The scores of an image sum to 1 and are near 1 for a class that is read clearly; being outputs
    of a least-squares fit, they can lie below 0 or above 1. ValueError if there is no class token.
    """
    model, images = ready(model, images)
    first_patch(model)
    scores = [
        (tokens[:, :, 0] @ weights.to(tokens) + biases.to(tokens)).cpu()
        for (tokens,) in token_states(model, images)
    ]
    return torch.cat(scores, dim=1)


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
