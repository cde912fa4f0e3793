"""Each ingredient of the augmentation does what its name says, image by image."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional as tv

from vit_minimal import augment as module
from vit_minimal.augment import (
    OPERATIONS,
    augment,
    mix,
    normalize,
    random_crop,
    random_erase,
    random_flip,
    trivial_augment,
)
from vit_minimal.training import TrainingConfig

PLAIN = TrainingConfig(flip=False, crop_padding=0)


def pictures(B=200, C=3, H=4, W=5):
    return torch.randint(1, 256, (B, C, H, W), dtype=torch.uint8)


def smooth(B=6, C=3, H=24, W=36):
    """Bytes without noise, which would make every interpolation another one."""
    return F.interpolate(torch.rand(B, C, 4, 6) * 255, (H, W), mode="bilinear").to(torch.uint8)


# --- bytes, mirror, window ------------------------------------------------------------------------


def test_bytes_become_minus_one_to_one_and_floats_pass():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    normal = normalize(images)
    assert normal.dtype == torch.float32
    torch.testing.assert_close(normal.flatten(), torch.tensor([-1, -0.6, 1]))
    assert torch.equal(normalize(normal), normal)


def test_flipping_mirrors_half_of_the_images_and_nothing_else():
    images = pictures()
    flipped = random_flip(images)
    same = (flipped == images).flatten(1).all(dim=1)
    mirrored = (flipped == images.flip(3)).flatten(1).all(dim=1)
    assert (same | mirrored).all()
    assert 70 < mirrored.sum() < 130


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_cropping_shows_a_window_of_the_padded_image_another_for_each(padding):
    images = pictures()
    cropped = random_crop(images, padding)
    assert cropped.shape == images.shape and cropped.dtype == images.dtype
    padded = F.pad(images, (padding,) * 4)
    offsets = [(y, x) for y in range(2 * padding + 1) for x in range(2 * padding + 1)]
    fits = [
        (cropped == padded[:, :, y : y + 4, x : x + 5]).flatten(1).all(dim=1) for y, x in offsets
    ]
    assert torch.equal(torch.stack(fits).sum(dim=0), torch.ones(200, dtype=torch.int64))
    assert all(fit.any() for fit in fits)


# --- boxes ----------------------------------------------------------------------------------------


def changed_pixels(images, originals):
    """(B, H, W), True where some channel differs."""
    return (images != originals).any(dim=1)


def test_erasing_greys_out_one_box_in_a_share_of_the_images():
    images = normalize(pictures(2_000, H=20, W=30))
    erased = random_erase(images, 0.25)
    boxes = changed_pixels(erased, images)
    assert (erased[boxes[:, None].expand_as(images)] == 0).all()
    assert 400 < boxes.flatten(1).any(dim=1).sum() < 600
    for box in boxes[boxes.flatten(1).any(dim=1)][:50]:
        rows, columns = box.any(dim=1), box.any(dim=0)
        assert torch.equal(box, rows[:, None] & columns)
        assert all((side.int().diff().abs().sum() <= 2) for side in (rows, columns))
    area = boxes.float().mean(dim=(1, 2))
    assert 0.30 < area.max() <= 0.40 and area[area > 0].min() < 0.03
    assert random_erase(images, 0.0).equal(images)


def test_boxes_cover_2_to_33_percent_and_are_up_to_3_3_times_as_high_as_wide_or_wide_as_high():
    images = torch.ones(4_000, 1, 64, 96)  # shares count, not pixels
    erased = random_erase(images, 1.0)[:, 0] == 0
    high, wide = erased.any(dim=2), erased.any(dim=1)
    cut = high[:, 0] | high[:, -1] | wide[:, 0] | wide[:, -1]  # whose box may reach beyond the edge
    height, width = high[~cut].float().mean(dim=1), wide[~cut].float().mean(dim=1)
    area, aspect = height * width, (height / width).log()
    assert len(area) > 1_000
    assert 0.017 < area.min() < 0.025 and 0.30 < area.max() < 0.35
    assert aspect.min().exp() == pytest.approx(0.3, abs=0.04)
    assert aspect.max().exp() == pytest.approx(3.3, abs=0.35)
    small = area < 0.1  # seldom cut, so that the edges do not choose among them
    assert abs(aspect[small].mean()) < 0.06
    shares = [(aspect[small].abs() < limit).float().mean() for limit in (0.4, 0.8)]
    assert shares == pytest.approx([0.4 / 1.194, 0.8 / 1.194], abs=0.06)  # even in its logarithm


def test_other_image_fills_a_box_and_the_label_says_how_much_of_it():
    images = torch.arange(40.0)[:, None, None, None].expand(40, 3, 16, 24).contiguous()
    mixed, targets = mix(images, torch.arange(40), 40, cutmix=1.0)
    assert mixed.shape == images.shape and targets.shape == (40, 40)
    boxes = changed_pixels(mixed, images)
    assert len(boxes.flatten(1).unique(dim=0)) > 20  # each image has its own
    for box in boxes:
        assert torch.equal(box, box.any(dim=1)[:, None] & box.any(dim=0))
    for i in range(40):
        own = (mixed[i] == i).float().mean().item()
        assert targets[i, i].item() == pytest.approx(own, abs=1e-6)
        (others,) = torch.where(targets[i] > 0)
        assert len(others) <= 2
        for other in others.tolist():
            share = (mixed[i] == other).float().mean().item()
            assert targets[i, other].item() == pytest.approx(share, abs=1e-6)


def test_mixing_up_blends_every_pixel_in_the_ratio_of_the_labels():
    images, labels = torch.randn(300, 2, 3, 5), torch.arange(300)
    mixed, targets = mix(images, labels, 300, mixup=1.0)
    torch.testing.assert_close(mixed, torch.einsum("ij,jchw->ichw", targets, images))
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(300))
    shares = targets.diagonal().sort().values
    torch.testing.assert_close(shares, torch.linspace(0, 1, 300), atol=0.1, rtol=0)  # Beta(1, 1)


def test_with_both_each_image_draws_one_of_them():
    images = torch.arange(400.0)[:, None, None, None].expand(400, 1, 8, 8).contiguous()
    mixed, _ = mix(images, torch.zeros(400, dtype=torch.int64), 10, mixup=1.0, cutmix=1.0)
    whole = mixed == mixed.round()
    blended = (~whole).flatten(1).any(dim=1)
    assert 130 < blended.sum() < 270
    assert whole[~blended].all()


@pytest.mark.parametrize("alphas", [(0.2, 0.0), (0.0, 1.0), (0.2, 1.0)])
def test_one_image_alone_stays_as_it_is(alphas):
    images, labels = torch.randn(1, 3, 8, 8), torch.tensor([2])
    mixed, targets = mix(images, labels, 4, *alphas)
    torch.testing.assert_close(mixed, images)
    torch.testing.assert_close(targets, torch.tensor([[0.0, 0, 1, 0]]))


# --- one operation of many, against torchvision's -------------------------------------------------

REFERENCES = {
    "_brightness": lambda x, s: tv.adjust_brightness(x, 1 + 0.9 * s),
    "_contrast": lambda x, s: tv.adjust_contrast(x, 1 + 0.9 * s),
    "_saturation": lambda x, s: tv.adjust_saturation(x, 1 + 0.9 * s),
    "_sharpness": lambda x, s: tv.adjust_sharpness(x, 1 + 0.9 * s),
    "_autocontrast": lambda x, s: tv.autocontrast(x),
    "_posterize": lambda x, s: tv.posterize(x, 8 - int(4 * abs(s))),
    "_solarize": lambda x, s: tv.solarize(x, 256 * (1 - abs(s))),
    "_rotate": lambda x, s: tv.rotate(x, 30 * s, tv.InterpolationMode.BILINEAR),
}


def to_bytes(images):
    return images.round().clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("name", REFERENCES)
def test_operation_equals_torchvision_s_with_another_strength_for_each_image(name):
    images, strength = smooth(), torch.tensor([-0.9, -0.5, -0.1, 0.2, 0.6, 0.95])
    ours = to_bytes(getattr(module, name)(images.float(), strength[:, None, None, None]))
    for image, mine, s in zip(images, ours, strength.tolist(), strict=True):
        theirs = REFERENCES[name](image, s)
        assert (mine.int() - theirs.int()).abs().max() <= 2  # torchvision rounds in between
        if name != "_posterize":
            assert not torch.equal(mine, image)


@pytest.mark.parametrize("by", [{"c": 3.0}, {"c": -5.0}, {"f": 2.0}, {"f": -4.0}])
def test_shift_by_whole_pixels_moves_them_and_black_enters(by):
    images = pictures(3, H=12, W=20).float()
    dx, dy = int(by.get("c", 0)), int(by.get("f", 0))
    padded = F.pad(images, (20, 20, 20, 20))
    expected = padded[:, :, 20 + dy : 32 + dy, 20 + dx : 40 + dx]
    torch.testing.assert_close(module._warp(images, **by), expected, atol=1e-3, rtol=0)


def test_shear_slants_columns_in_proportion_to_the_height():
    ramp = torch.arange(40.0).expand(1, 1, 11, 40)  # each pixel holds its column
    slanted = module._warp(ramp, b=torch.tensor([0.3]))
    rows = torch.arange(11.0)[:, None] - 5
    expected = torch.arange(40.0) + 0.3 * rows
    torch.testing.assert_close(slanted[0, 0, :, 4:-4], expected[:, 4:-4], atol=1e-3, rtol=0)


def test_shears_and_shifts_go_along_their_axes_up_to_three_tenths(monkeypatch):
    made = []

    def warp(x, **by):
        made.append(by)
        return x

    monkeypatch.setattr(module, "_warp", warp)
    images, strength = smooth(2), torch.tensor([1.0, -0.5])[:, None, None, None]
    for operation in OPERATIONS[-4:]:
        operation(images, strength)
    amounts = [{name: values.tolist() for name, values in by.items()} for by in made]
    expected = [("b", 0.3), ("d", 0.3), ("c", 0.3 * 36), ("f", 0.3 * 24)]
    assert amounts == [{name: pytest.approx([m, -m / 2])} for name, m in expected]


def test_every_image_meets_one_operation_and_every_operation_some_image(monkeypatch):
    met = []

    def spy(operation):
        def counted(x, s):
            met.append(len(x))
            return operation(x, s)

        return counted

    spies = tuple(operation and spy(operation) for operation in OPERATIONS)
    monkeypatch.setattr(module, "OPERATIONS", spies)
    images = smooth(len(OPERATIONS) * 10)
    made = trivial_augment(images)
    assert met == [10] * (len(OPERATIONS) - 1)
    assert made.dtype == torch.uint8 and made.shape == images.shape
    unchanged = (made == images).flatten(1).all(dim=1).sum()
    assert 10 <= unchanged < 40  # one operation in thirteen is none; weak ones may show nothing


@pytest.mark.parametrize("B", [1, 2, 5])
def test_small_batches_meet_all_operations_in_time(B):
    seen = [trivial_augment(smooth(B)).shape for _ in range(30)]
    assert set(seen) == {(B, 3, 24, 36)}
    images = smooth(B)
    assert any(not torch.equal(trivial_augment(images), images) for _ in range(30))


@pytest.mark.parametrize("C", [1, 2, 4])
def test_other_numbers_of_channels_work(C):
    assert trivial_augment(smooth(26, C)).shape == (26, C, 24, 36)


# --- the whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        random_flip,
        lambda images: random_crop(images, 2),
        trivial_augment,
        lambda images: random_erase(normalize(images), 1.0),
        lambda images: mix(normalize(images), torch.arange(200) % 10, 10, 0.2, 1.0)[0],
    ],
)
def test_seed_fixes_what_is_drawn(change):
    images, before = pictures(H=8, W=8), None
    before = images.clone()
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(change(images))
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    "ingredient",
    [{"flip": True}, {"crop_padding": 2}, {"trivial_augment": True}, {"erase": 1.0}],
    ids=str,
)
def test_each_ingredient_can_be_switched_on_alone(ingredient):
    images = pictures(H=8, W=8)
    assert torch.equal(augment(images, PLAIN), normalize(images))
    made = augment(images, replace(PLAIN, **ingredient))
    assert made.dtype == torch.float32 and made.shape == images.shape
    assert not torch.equal(made, normalize(images))
