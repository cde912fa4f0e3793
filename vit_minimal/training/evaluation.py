"""How many images a model gets right."""

import torch

from ..augment import normalize
from ..data import check_labels
from ..device import autocast, evaluating, pick_precision


@torch.inference_mode()
def evaluate(model, images, labels, batch_size=500, precision=None):
    """The share of `images` (n, C, H, W) whose most likely class is their label, 0 … 1.

    Runs where the model is, without dropout, and leaves the model in the mode it was in. Matrix
    products are in `precision`, else in the one that suits the device.
    ValueError if there are no images or the labels do not fit the model.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"cannot evaluate {len(images)} images with {len(labels)} labels")
    check_labels(labels, model.config.num_classes)
    device = next(model.parameters()).device
    correct = 0
    with evaluating(model):
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            with autocast(device, precision or pick_precision(device)):
                logits = model(normalize(x.to(device)))
            correct += (logits.argmax(dim=1) == y.to(device)).sum()
    return float(correct) / len(images)
