"""What a model answers, and how often it is right."""

import torch

from ..augment import normalize
from ..data.dataset import as_images, as_labels
from ..device import autocast, evaluating, pick_precision
from ..unwrap import unwrap_model


@torch.inference_mode()
def predict(model, images, batch_size=500, precision=None):
    """The logits of `images` (n, C, H, W), without dropout: (n, num_classes), float32, on the CPU.

    Images are uint8, or floats that are normalised already; NumPy arrays do too. Runs where the
    model is, and leaves the model in the mode it was in. Matrix products are in `precision`, else
    in the one that suits the device; in those of the model where its weights are not float32. A
    model that was compiled or wrapped is asked as the plain one. ValueError if there are no images.
    """
    model, images = unwrap_model(model), as_images(images)
    if len(images) == 0:
        raise ValueError("there are no images to evaluate the model on")
    device, dtype = next(model.parameters()).device, next(model.parameters()).dtype
    precision = precision or pick_precision(device)
    if dtype != torch.float32:
        precision = torch.float32  # which leaves everything as it is
    logits = []
    with evaluating(model):
        for x in images.split(batch_size):
            with autocast(device, precision):
                logits.append(model(normalize(x.to(device)).to(dtype)).float())
    return torch.cat(logits).cpu()


def evaluate(model, images, labels, batch_size=500, precision=None):
    """The share of `images` (n, C, H, W) whose most likely class is their label, 0 … 1.

    For the rest see `predict`. ValueError also if the labels do not fit the images or the model.
    """
    counts = confusion_matrix(model, images, labels, batch_size, precision)
    return counts.trace().item() / counts.sum().item()


def confusion_matrix(model, images, labels, batch_size=500, precision=None):
    """How many images of class i (row) are taken for class j (column): (num_classes, num_classes).

    For the rest see `evaluate`.
    """
    K, images = unwrap_model(model).config.num_classes, as_images(images)
    labels = as_labels(labels, len(images), K).cpu()
    answers = predict(model, images, batch_size, precision).argmax(dim=1)
    counts = torch.zeros(K * K, dtype=torch.long)
    return counts.scatter_add(0, labels * K + answers, torch.ones_like(labels)).reshape(K, K)
