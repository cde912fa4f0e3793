"""The cells of notebook 12 that wait for a network or a GPU run here, with small random weights."""

import ast
from pathlib import Path

import numpy as np
import timm
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

import fine_tuning
from vit_minimal import (
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    evaluate,
    fit,
    load_timm_state_dict,
    resize_patches,
)
from vit_minimal.inspection import features

SOURCE = Path(__file__).resolve().parents[1] / "notebooks" / "source" / "12_fine_tuning.py"
SMALL = {"embed_dim": 24, "depth": 2, "num_heads": 3}


def cells():
    """What the notebook defines and these cells need, by name."""
    known = {"F": F, "torch": torch, "VisionTransformer": VisionTransformer, "features": features}
    known |= {"np": np, "RidgeClassifierCV": RidgeClassifierCV, "make_pipeline": make_pipeline}
    known |= {"StandardScaler": StandardScaler}
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body:
        if getattr(node, "name", "") in ("Enlarging", "probe", "probe_on_cifar10"):
            exec(compile(ast.Module([node], []), str(SOURCE), "exec"), known)  # noqa: S102
    return known


def small_cifar10():
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (60, 3, 32, 32), dtype=torch.uint8, generator=random)
    labels = torch.arange(60) % 10
    images[:, 0] = 25 * labels[:, None, None].byte()  # so that there is something to learn
    names = tuple(map(str, range(10)))
    return Dataset(images[:40], labels[:40], images[40:], labels[40:], names, "cifar10")


def from_timm(kind, num_classes=1000):
    """A model of a kind, with the weights of a small one of timm, which has no head."""
    theirs = timm.models.VisionTransformer(img_size=64, patch_size=16, num_classes=0, **SMALL)
    config = ViTConfig(image_size=64, patch_size=16, num_classes=num_classes, **SMALL)
    return load_timm_state_dict(kind(config), theirs.state_dict(), head=False)


def test_a_model_that_enlarges_is_fine_tuned_on_images_of_another_size():
    torch.manual_seed(0)
    large, dataset = from_timm(cells()["Enlarging"], num_classes=10), small_cifar10()
    start = large.blocks[0].mlp.fc1.weight.detach().clone()
    config = TrainingConfig(epochs=2, batch_size=20, learning_rate=3e-4, layer_decay=0.75)
    fit(large, dataset, config, device="cpu")
    assert not large.blocks[0].mlp.fc1.weight.equal(start)
    assert 0 <= evaluate(large, dataset.test_images, dataset.test_labels) <= 1
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    enlarged = F.interpolate(images, (64, 64), mode="bicubic", antialias=True)
    with torch.no_grad():
        torch.testing.assert_close(
            large.eval()(images), large.head(large.forward_features(enlarged)[:, 0])
        )


def test_the_probe_on_cifar10_takes_a_resized_model():
    torch.manual_seed(0)
    smaller = resize_patches(from_timm(VisionTransformer), patch_size=16, image_size=48)
    accuracy = cells()["probe_on_cifar10"](smaller, small_cifar10(), count=40)
    assert accuracy > 0.3  # the class is written in the colour of each image


def test_the_notebook_fits_its_probe_as_its_record_does():
    random = torch.Generator().manual_seed(0)
    known, asked = (torch.randn(count, 40, generator=random) for count in (30, 200))
    labels = (known[:, 0] > 0).long()  # one of 40 features holds the class, and 30 images show it
    answers = cells()["probe"](known, labels, asked)
    assert answers.equal(fine_tuning.probe(known[None], labels, asked[None])[0])
    assert (answers == (asked[:, 0] > 0)).float().mean() > 0.6
