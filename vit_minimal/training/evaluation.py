"""What a model answers, and how often it is right."""

import torch

from ..augment import normalize
from ..data.dataset import as_images, as_labels
from ..device import autocast, check_finite, evaluating, pick_precision
from ..unwrap import unwrap_model

NOT_FINITE = (
    ": a weight or a pixel is not, or the numbers leave the range of float16, for which predict and "
    "evaluate have precision=torch.float32"
)


@torch.no_grad()
def predict(model, images, batch_size=500, precision=None):
    """The logits of `images` (n, C, H, W), without dropout: (n, num_classes), float32, on the CPU.

    Images are uint8, or floats that are normalised already; NumPy arrays do too. Runs where the
    model is, and leaves the model in the mode it was in. Matrix products are in `precision` (a
    dtype), else in the one that suits the device; a model whose weights are not float32 computes in
    theirs. A model that was compiled or wrapped is asked as the plain one. ValueError if there are
    no images, FloatingPointError if logits are not finite.
    """
    model, images = unwrap_model(model), as_images(images)
    if len(images) == 0:
        raise ValueError("there are no images to evaluate the model on")
    device, dtype = next(model.parameters()).device, next(model.parameters()).dtype
    precision = precision or pick_precision(device)
    if dtype != torch.float32:
        precision = torch.float32  # which leaves everything as it is
    logits = []
    with evaluating(model), torch.autocast(device.type, enabled=False):  # the caller's, if any
        for x in images.split(batch_size):
            with autocast(device, precision):
                logits.append(model(normalize(x.to(device)).to(dtype)).float())
    return check_finite(torch.cat(logits).cpu(), NOT_FINITE)


def evaluate(model, images, labels, batch_size=500, precision=None):
    """The share of `images` (n, C, H, W) whose most likely class is their label, 0 … 1.

    For the rest see `predict`. ValueError also if the labels do not fit the images or the model.
    """
    counts = confusion_matrix(model, images, labels, batch_size, precision)
    return counts.trace().item() / counts.sum().item()


def confusion_matrix(model, images, labels, batch_size=500, precision=None):
    """How many images of class i (row) are taken for class j (column): (num_classes, num_classes).

    For the rest see `evaluate`. ValueError also if the model does not give one number for each class.
    """
    K, images = unwrap_model(model).config.num_classes, as_images(images)
    labels = as_labels(labels, len(images), K).cpu()
    logits = predict(model, images, batch_size, precision)
    if logits.shape[1:] != (K,):
        raise ValueError(
            f"the model's outputs are {tuple(logits.shape)}, and its config says num_classes {K}: "
            "model.reset_head(num_classes) changes both"
        )
    answers = logits.argmax(dim=1)
    counts = torch.zeros(K * K, dtype=torch.long)
    return counts.scatter_add(0, labels * K + answers, torch.ones_like(labels)).reshape(K, K)
