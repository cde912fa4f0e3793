"""How many images a model gets right."""

import torch

from ..augment import normalize
from ..data.dataset import as_images, as_labels
from ..device import autocast, evaluating, pick_precision
from ..unwrap import unwrap_model


@torch.inference_mode()
def evaluate(model, images, labels, batch_size=500, precision=None):
    """The share of `images` (n, C, H, W) whose most likely class is their label, 0 … 1.

    Images are uint8, or floats that are normalised already; NumPy arrays do too. Runs where the
    model is, without dropout, and leaves the model in the mode it was in. Matrix products are in
    `precision`, else in the one that suits the device; in those of the model where its weights are
    not float32. A model that was compiled or wrapped is judged as the plain one.
    ValueError if there are no images, or the labels do not fit them or the model.
    """
    model, images = unwrap_model(model), as_images(images)
    labels = as_labels(labels, len(images), model.config.num_classes)
    if len(images) == 0:
        raise ValueError("there are no images to evaluate the model on")
    device, dtype = next(model.parameters()).device, next(model.parameters()).dtype
    precision = precision or pick_precision(device)
    if dtype != torch.float32:
        precision = torch.float32  # which leaves everything as it is
    correct = 0
    with evaluating(model):
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            with autocast(device, precision):
                logits = model(normalize(x.to(device)).to(dtype))
            correct += (logits.argmax(dim=1) == y.to(device)).sum()
    return float(correct) / len(images)
