"""An image as patches: held against F.unfold, its own inverse and a linear map over each patch."""

import pytest
import torch
import torch.nn.functional as F

from vit_minimal.patches import PatchEmbedding, patch_grid, patchify, unpatchify

SHAPES = [  # B, C, H, W, P
    (2, 3, 32, 32, 4),
    (1, 3, 8, 12, 4),
    (2, 1, 10, 6, 2),
    (3, 5, 21, 14, 7),
    (1, 4, 6, 6, 6),
    (2, 2, 3, 5, 1),
]
each_shape = pytest.mark.parametrize("B, C, H, W, P", SHAPES)


@each_shape
def test_patchify_equals_unfold(B, C, H, W, P):
    images = torch.randn(B, C, H, W)
    patches = patchify(images, P)
    assert patches.shape == (B, (H // P) * (W // P), C * P * P)
    assert torch.equal(patches, F.unfold(images, P, stride=P).transpose(1, 2))


@each_shape
def test_unpatchify_is_the_exact_inverse(B, C, H, W, P):
    images = torch.randn(B, C, H, W)
    assert torch.equal(unpatchify(patchify(images, P), P, (H, W), C), images)
    patches = torch.randn(B, (H // P) * (W // P), C * P * P)
    assert torch.equal(patchify(unpatchify(patches, P, (H, W), C), P), patches)


def test_one_number_stands_for_a_square_image_and_three_channels_are_usual():
    images = torch.randn(2, 3, 6, 6)
    assert torch.equal(unpatchify(patchify(images, 2), 2, 6), images)
    assert patch_grid(6, 2) == patch_grid((6, 6), 2) == (3, 3)
    assert patch_grid((4, 6), 2) == (2, 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.bfloat16])
def test_other_dtypes_are_cut_alike(dtype):
    images = torch.randint(0, 2, (2, 3, 4, 6)).to(dtype)
    patches = patchify(images, 2)
    assert patches.dtype == dtype
    assert torch.equal(patches.float(), patchify(images.float(), 2))
    assert torch.equal(unpatchify(patches, 2, (4, 6)), images)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.transpose(2, 3),
        lambda x: x[:, :, ::2, ::2],
        lambda x: x[:, 1:2].expand(-1, 3, -1, -1),
        lambda x: x.contiguous(memory_format=torch.channels_last),
    ],
    ids=["transposed", "strided", "expanded", "channels last"],
)
def test_images_need_not_be_contiguous(view):
    images = view(torch.randn(2, 3, 8, 12))
    assert not images.is_contiguous()
    assert torch.equal(patchify(images, 2), patchify(images.contiguous(), 2))


def test_patches_come_row_by_row():
    numbers = torch.arange(6).reshape(2, 3)  # what each patch holds in all its pixels
    image = numbers.repeat_interleave(2, 0).repeat_interleave(2, 1)[None, None]
    assert patchify(image, 2)[0].tolist() == [[n] * 4 for n in range(6)]


def test_a_patch_is_flattened_channel_by_channel_then_row_by_row():
    image = torch.arange(12).reshape(1, 3, 2, 2)
    assert patchify(image, 2).tolist() == [[list(range(12))]]


@each_shape
def test_embedding_is_patchify_and_one_linear_map(B, C, H, W, P):
    images = torch.randn(B, C, H, W, dtype=torch.float64)
    embed = PatchEmbedding((H, W), P, C, embed_dim=7).double()
    by_hand = F.linear(patchify(images, P), embed.proj.weight.flatten(1), embed.proj.bias)
    tokens = embed(images)
    assert tokens.shape == (B, (H // P) * (W // P), 7)
    assert embed.grid_size == (H // P, W // P)
    torch.testing.assert_close(tokens, by_hand, rtol=0, atol=1e-12)


# --- what cannot be cut ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image_size, patch_size, named",
    [
        (32, 5, "patch_size 5 .* 32 × 32"),
        ((32, 30), 4, "patch_size 4 .* 32 × 30"),
        ((30, 32), 4, "patch_size 4 .* 30 × 32"),
        (4, 8, "patch_size 8 .* 4 × 4"),
        (32, 0, "patch_size 0"),
        (32, -4, "patch_size -4"),
    ],
)
def test_patch_size_that_does_not_divide_is_named(image_size, patch_size, named):
    H, W = (image_size, image_size) if isinstance(image_size, int) else image_size
    for cut in (
        lambda: patchify(torch.zeros(1, 3, H, W), patch_size),
        lambda: unpatchify(torch.zeros(1, 4, 3), patch_size, image_size),
        lambda: PatchEmbedding(image_size, patch_size, 3, 8),
    ):
        with pytest.raises(ValueError, match=named):
            cut()


@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8), (1, 2, 3, 8, 8)])
def test_patchify_wants_four_dimensions(shape):
    with pytest.raises(ValueError, match="expected 4"):
        patchify(torch.zeros(shape), 4)


@pytest.mark.parametrize("shape", [(2, 5, 12), (2, 6, 11), (1, 4, 18)])
def test_unpatchify_names_the_shape_it_wanted_and_the_one_it_got(shape):
    with pytest.raises(ValueError) as refusal:
        unpatchify(torch.zeros(shape), 2, (4, 6))
    assert "(B, 6, 12)" in str(refusal.value) and str(shape) in str(refusal.value)


@pytest.mark.parametrize("shape", [(6, 12), (12,), (1, 2, 6, 12)])
def test_unpatchify_wants_three_dimensions(shape):
    with pytest.raises(ValueError, match="expected"):
        unpatchify(torch.zeros(shape), 2, (4, 6))


@pytest.mark.parametrize(
    "shape",
    [(2, 1, 8, 12), (2, 3, 12, 8), (2, 3, 16, 24), (3, 8, 12), (1, 2, 3, 8, 12)],
    ids=["channels", "turned", "size", "no batch", "five dimensions"],
)
def test_embedding_names_the_shape_it_wanted_and_the_one_it_got(shape):
    with pytest.raises(ValueError) as refusal:
        PatchEmbedding((8, 12), 4, 3, 16)(torch.zeros(shape))
    got = ", ".join(map(str, shape[1:])) + ")"
    assert "(3, 8, 12)" in str(refusal.value) and got in str(refusal.value)
