"""From stored bytes to what the model sees: normalisation, and random variants of each image.

Everything works on whole batches (B, C, H, W), on the device that holds them.
"""

import torch


def normalize(images):
    """uint8 0 … 255 → float32 −1 … 1, as the ViT paper's code does. Floats pass unchanged."""
    return images.float().div(127.5).sub(1) if images.dtype == torch.uint8 else images


def random_flip(images, generator=None):
    """Mirror each image left to right with probability ½."""
    flip = torch.rand(len(images), 1, 1, 1, device=images.device, generator=generator) < 0.5
    return torch.where(flip, images.flip(-1), images)


def random_crop(images, padding, generator=None):
    """Move each image by up to `padding` pixels along both axes; zeros enter at the edges."""
    B, C, H, W = images.shape
    device = images.device
    padded = torch.nn.functional.pad(images, (padding,) * 4)
    limit = 2 * padding + 1
    top, left = torch.randint(limit, (2, B, 1), device=device, generator=generator)
    rows = (top + torch.arange(H, device=device))[:, None, :, None]  # (B, 1, H, 1)
    columns = (left + torch.arange(W, device=device))[:, None, None, :]  # (B, 1, 1, W)
    image = torch.arange(B, device=device)[:, None, None, None]
    channel = torch.arange(C, device=device)[None, :, None, None]
    return padded[image, channel, rows, columns]
