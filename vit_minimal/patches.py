"""An image as a sequence: cut it into squares, flatten each, project each to a vector.

B batch, C channels, H × W image, P patch side, N = (H/P)·(W/P) patches, D embedding width.
Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929, Section 3.1 and Eq. 1.
"""

import torch
from torch import nn


def patch_grid(image_size, patch_size):
    """How many patches fit, (H/P, W/P). ValueError if P does not divide both sides."""
    H, W = (image_size, image_size) if isinstance(image_size, int) else image_size
    if min(patch_size, H, W) < 1 or H % patch_size or W % patch_size:
        raise ValueError(f"patch_size {patch_size} does not divide the image size {H} × {W}")
    return H // patch_size, W // patch_size


def patchify(images, patch_size):
    """Cut images (B, C, H, W) into patches (B, N, C·P·P), row by row; ValueError if P does not fit.

    Each is flattened as (C, P, P): equals `F.unfold(images, P, stride=P).transpose(1, 2)`.
    """
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    patches = images.reshape(B, C, rows, P, columns, P)  # split H and W, two axes each
    patches = patches.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P): reorder
    return patches.reshape(B, rows * columns, C * P * P)  # (B, N, C·P·P)


def unpatchify(patches, patch_size, image_size, in_channels=3):
    """The exact inverse of patchify, (B, N, C·P·P) → (B, C, H, W). ValueError if N does not fit."""
    B, N, length = patches.shape
    C, P = in_channels, patch_size
    rows, columns = patch_grid(image_size, P)
    if rows * columns != N or length != C * P * P:
        raise ValueError(f"expected (B, {rows * columns}, {C * P * P}), got {tuple(patches.shape)}")
    images = patches.reshape(B, rows, columns, C, P, P)
    images = images.permute(0, 3, 1, 4, 2, 5)  # (B, C, H/P, P, W/P, P)
    return images.reshape(B, C, rows * P, columns * P)


def expect_images(images, image_shape):
    """The `images` (B, C, H, W) themselves. ValueError unless each is `image_shape`, (C, H, W)."""
    shape = tuple(images.shape[1:])
    if shape != image_shape:
        raise ValueError(f"expected (C, H, W) = {image_shape}, got {shape}")
    return images


torch.fx.wrap("expect_images")  # a graph that torch.fx draws calls it, and cannot look inside


class PatchEmbedding(nn.Module):
    """Images (B, C, H, W) → patch tokens (B, N, D): patchify and one linear map, E in Eq. 1.

    Both in one: a convolution with stride = kernel size. ValueError for images of another shape.
    """

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.patch_size, self.grid_size = patch_size, patch_grid(image_size, patch_size)
        self.image_shape = (in_channels, *(side * patch_size for side in self.grid_size))
        self.proj = nn.Conv2d(in_channels, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images):
        grid = self.proj(expect_images(images, self.image_shape))  # (B, D, H/P, W/P)
        return grid.flatten(2).transpose(1, 2)  # (B, N, D)
