"""Drawn images are the same everywhere, and their answers are right."""

import hashlib

import numpy as np
import pytest
import torch

from vit_minimal import patchify
from vit_minimal.data.drawn import NEEDLE10_CLASSES, SHAPES10_CLASSES, corners2, needle10, shapes10


def digest(arrays):
    return hashlib.sha256(b"".join(array.numpy().tobytes() for array in arrays)).hexdigest()


def test_shapes_are_the_same_bytes_on_every_platform():
    expected = "803fe1691e868d892c9543617db96f12cd93249b384a18e6dd2036b42370bcf5"
    assert digest(shapes10(64, seed=3)) == expected


def test_shapes_have_the_form_of_a_data_set():
    images, labels = shapes10(30)
    assert images.dtype == torch.uint8 and images.shape == (30, 3, 32, 32)
    assert labels.dtype == torch.int64 and labels.shape == (30,)
    assert [len(part) for part in shapes10(0)] == [0, 0]


@pytest.mark.parametrize("draw", [shapes10, needle10, corners2])
@pytest.mark.parametrize("n", [-1, -5, -1_000])
def test_fewer_images_than_none_are_refused(draw, n):
    with pytest.raises(ValueError, match=str(n)):
        draw(n)


@pytest.mark.parametrize("draw", [shapes10, needle10, corners2])
@pytest.mark.parametrize("few, many", [(10, 30), (100, 300), (251, 600)])
def test_first_images_do_not_depend_on_how_many_are_drawn(draw, few, many):
    for one, other in zip(draw(few, seed=5), draw(many, seed=5), strict=True):
        assert torch.equal(one, other[:few])


@pytest.mark.parametrize("draw", [shapes10, needle10, corners2])
def test_each_seed_draws_other_images(draw):
    images = torch.cat([draw(250, seed)[0] for seed in range(4)])
    assert len(images.flatten(1).unique(dim=0)) == 1_000


@pytest.mark.parametrize("draw", [shapes10, needle10, corners2])
def test_drawing_leaves_the_generators_alone(draw):
    np.random.seed(1)
    torch.manual_seed(1)
    undisturbed = float(np.random.random()), torch.rand(()).item()
    np.random.seed(1)
    torch.manual_seed(1)
    draw(10)
    assert (float(np.random.random()), torch.rand(()).item()) == undisturbed


def test_every_class_is_as_frequent_as_the_others():
    _, labels = shapes10(5_000, seed=2)
    counts = labels.bincount(minlength=10)
    assert len(counts) == len(SHAPES10_CLASSES) == 10
    assert counts.min() > 400 and counts.max() < 600


class Largest:
    def __init__(self, seed):
        pass

    def random_sample(self, shape):
        return np.full(shape, np.nextafter(1.0, 0.0))


def test_largest_number_that_can_be_drawn_has_a_class(monkeypatch):
    monkeypatch.setattr(np.random, "RandomState", Largest)
    assert shapes10(2)[1].tolist() == [9, 9]


def test_linear_classifier_on_pixels_stays_below_one_half():
    def rows(images):
        return torch.cat([images.flatten(1).float() / 255 - 0.5, torch.ones(len(images), 1)], dim=1)

    images, labels = shapes10(2_500, seed=10)  # fewer than pixels: as many unknowns as images
    fresh_images, fresh_labels = shapes10(1_000, seed=11)
    x, wanted = rows(images), torch.nn.functional.one_hot(labels, 10).float()
    ridge = 1_000 * torch.eye(len(x))  # the one that does best
    weights = x.T @ torch.cholesky_solve(wanted, torch.linalg.cholesky(x @ x.T + ridge))
    accuracy = ((rows(fresh_images) @ weights).argmax(dim=1) == fresh_labels).float().mean()
    assert 0.12 < accuracy < 0.5


def tiles(images):
    """Every tile's pixels as (n, 64, colours, 16), floats."""
    return patchify(images, 4).unflatten(2, (3, 16)).float()


def test_needles_are_the_same_bytes_on_every_platform():
    assert (
        digest(needle10(64, seed=3))
        == "46d5d3c54cef3f9e8e58f07d42ceadd118e0d66f6ff27a5805f83da5c810830e"
    )


def test_needles_have_the_form_of_a_data_set():
    images, labels, places = needle10(600, seed=1)
    assert images.dtype == torch.uint8 and images.shape == (600, 3, 32, 32)
    assert labels.dtype == places.dtype == torch.int64 and labels.shape == places.shape == (600,)
    assert labels.unique().tolist() == list(range(len(NEEDLE10_CLASSES)))
    assert places.unique().tolist() == list(range(64))


def test_the_needle_is_the_one_warm_tile():
    images, _, places = needle10(500, seed=2)
    red, _, blue = tiles(images).mean(dim=3).unbind(dim=2)  # (n, 64) each
    assert torch.equal((red > blue).nonzero()[:, 1], places)


def test_the_pattern_of_the_needle_is_the_class_and_clutter_says_nothing():
    images, labels, places = needle10(500, seed=2)
    grey = tiles(images).mean(dim=2)  # (n, 64, 16)
    bright = grey > grey.mean(dim=2, keepdim=True)
    assert (bright.sum(dim=2) == 8).all()
    patterns = torch.stack([bright[labels == c][0, places[labels == c][0]] for c in range(10)])
    found = (bright[:, :, None] == patterns).all(dim=3).long().argmax(dim=2)  # (n, 64)
    image = torch.arange(500)
    assert torch.equal(found[image, places], labels)
    same = (found == labels[:, None]).float()
    same[image, places] = 0
    assert 0.09 < same.sum() / (500 * 63) < 0.11  # as often as by chance


def test_largest_number_that_can_be_drawn_has_a_needle(monkeypatch):
    monkeypatch.setattr(np.random, "RandomState", Largest)
    _, labels, places = needle10(2)
    assert labels.tolist() == [9, 9] and places.tolist() == [63, 63]


def test_corners_are_the_same_bytes_on_every_platform():
    assert (
        digest(corners2(64, seed=3))
        == "c458a2f3e015c1154954fb34fe7d2e7d5f696579c68ed941844e626a003f3689"
    )


def test_only_the_two_corners_together_decide():
    images, labels = corners2(2_000, seed=1)
    assert images.shape == (2_000, 3, 32, 32) and images.dtype == torch.uint8
    pixels = tiles(images).mean(dim=3)  # (n, 64, colours)
    warmth = pixels[..., 0] - pixels[..., 2]
    assert warmth[:, 1:63].abs().max() < 30 < warmth[:, [0, 63]].abs().min()
    warm = warmth[:, [0, 63]] > 0
    assert torch.equal(labels, (warm[:, 0] == warm[:, 1]).long())
    agree = (warm == labels[:, None].bool()).float().mean(dim=0)  # each corner alone
    assert (agree - 0.5).abs().max() < 0.06 and (warm.float().mean(dim=0) - 0.5).abs().max() < 0.06


def test_near_corners_are_the_same_images_but_for_two_tiles_that_changed_places():
    far, labels = corners2(300, seed=1)
    near, same = corners2(300, seed=1, near=True)
    assert torch.equal(labels, same)
    order = list(range(64))
    order[1], order[63] = 63, 1
    assert torch.equal(tiles(near), tiles(far)[:, order])
