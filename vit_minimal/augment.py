"""From stored bytes to what the model sees: random variants, normalisation, mixing.

Everything works on whole batches (B, C, H, W), on the device that holds them, and each image draws
for itself. All draws come from torch's global generators: `torch.manual_seed` fixes them.
torchvision's v2 transforms draw once for a whole batch, which is why these are written here.
"""

import warnings

import torch
from torch.nn import functional as F


def augment(images, config):
    """Bytes (B, C, H, W) → what the model trains on, float32; `config` is a TrainingConfig."""
    if config.flip:
        images = random_flip(images)
    if config.crop_padding:
        images = random_crop(images, config.crop_padding)
    if config.trivial_augment:
        images = trivial_augment(images)
    images = normalize(images)
    return random_erase(images, config.erase) if config.erase else images


def normalize(images):
    """uint8 0 … 255 → float32 −1 … 1, as the ViT paper's code does. Floats pass unchanged.

    A warning says so if floats plainly have another range; ValueError for other types.
    """
    if images.dtype == torch.uint8:
        return images.float().div_(127.5).sub_(1)
    if not images.is_floating_point():
        kind = str(images.dtype).removeprefix("torch.")
        raise ValueError(
            f"images must be uint8 0 … 255 or floats −1 … 1, are {kind}: "
            "convert whole numbers 0 … 255 to uint8"
        )
    _warn_of_another_range(images)
    return images


def _warn_of_another_range(images):
    if images.numel() == 0:
        return
    low, high = (bound.item() for bound in images.detach().aminmax())
    remedy = None
    if 0 <= low < high <= 1:
        remedy = "2 * images - 1 makes them so if they go from 0 to 1"
    elif low < -10 or high > 10:
        remedy = "images / 127.5 - 1 makes them so if they go from 0 to 255"
    if remedy:
        warnings.warn(
            f"these floats from {low:.3g} to {high:.3g} do not look normalised: the model expects "
            f"uint8 0 … 255 or floats −1 … 1, and {remedy}",
            stacklevel=3,
        )


def random_flip(images):
    """Mirror each image left to right with probability ½."""
    flip = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    columns = torch.arange(images.shape[3], device=images.device)
    columns = torch.where(flip, columns.flip(0), columns)  # (B, 1, 1, W)
    return images.gather(3, columns.expand(images.shape))


def random_crop(images, padding):
    """Move each image by up to `padding` pixels along both axes; zeros enter at the edges."""
    B, C, H, W = images.shape
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, B, 1, 1, 1), device=images.device)
    rows = top + torch.arange(H, device=images.device)[:, None]  # (B, 1, H, 1)
    columns = left + torch.arange(W, device=images.device)  # (B, 1, 1, W)
    padded = padded.gather(2, rows.expand(B, C, H, W + 2 * padding))
    return padded.gather(3, columns.expand(B, C, H, W))


def random_erase(images, probability):
    """Grey out a box of 2 to 33 % of some images (Zhong et al. 2020, arxiv.org/abs/1708.04896).

    `images` are float, with grey at 0.
    """
    area, aspect, chance = torch.rand(3, len(images), device=images.device)
    area, aspect = 0.02 + 0.31 * area, 3.3 ** (2 * aspect - 1)
    box = _random_box(images, (area * aspect).sqrt(), (area / aspect).sqrt())
    box &= (chance < probability)[:, None, None, None]
    return images * ~box


def mix(images, labels, num_classes, mixup=0.0, cutmix=0.0):
    """Blend each image with another of the batch; targets (B, num_classes) say how much of each.

    mixup (Zhang et al. 2018, arxiv.org/abs/1710.09412) blends every pixel in one ratio, cutmix (Yun
    et al. 2019, arxiv.org/abs/1905.04899) takes a box from the other. The ratio is drawn from
    Beta(α, α); `mixup` and `cutmix` are their α, 0 means never. With both, each image draws which.
    """
    B, device = len(images), images.device
    use_cutmix = torch.rand(B, 1, 1, 1, device=device) < (0.5 if mixup else 1.0)
    keep = torch.ones(B, 1, 1, 1, device=device)  # the share of the image itself, at each pixel
    if mixup:
        keep = _beta(mixup, B, device)[:, None, None, None]
    if cutmix:
        side = (1 - _beta(cutmix, B, device)).sqrt()
        box = _random_box(images, side, side)
        keep = torch.where(use_cutmix, 1.0 - box.float(), keep)
    targets = F.one_hot(labels, num_classes).float()
    share = keep.mean(dim=(1, 2, 3))[:, None]  # (B, 1)
    pairs = ((images, keep), (targets, share))  # the other image is the one before in the batch
    return tuple(torch.lerp(own.roll(1, dims=0), own, weight) for own, weight in pairs)


def _beta(alpha, count, device):
    drawn = torch.distributions.Beta(alpha, alpha).sample((count,))
    return drawn.to(device, non_blocking=True)  # else the CPU would wait for the GPU in each step


def _random_box(images, height, width):
    """(B, 1, H, W), True in one box per image; its size (B,) is in shares of the sides.

    The centre lies anywhere; what sticks out is cut off.
    """
    spans = []
    for size, share in zip(images.shape[2:], (height, width), strict=True):
        centre = torch.rand(len(images), 1, device=images.device) * size
        pixels = torch.arange(size, device=images.device) + 0.5
        spans.append((pixels - centre).abs() < share[:, None] * size / 2)  # (B, size)
    return (spans[0][:, :, None] & spans[1][:, None, :])[:, None]


# --------------------------------------------------------------------------- one random operation


def trivial_augment(images):
    """One random operation of random strength for each image (arxiv.org/abs/2103.10158).

    uint8 in, uint8 out. The operations are those of RandAugment (Cubuk et al. 2020) at its strengths,
    without equalize. Each takes a slice of the batch, in a random order: images that stand side by
    side often meet the same one, which does no harm where the batch was shuffled.
    """
    strength = 2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1
    order = torch.randperm(len(OPERATIONS)).tolist()
    images = images.float()
    parts = zip(images.tensor_split(len(order)), strength.tensor_split(len(order)), strict=True)
    changed = [
        part if OPERATIONS[choice] is None else OPERATIONS[choice](part, s)
        for choice, (part, s) in zip(order, parts, strict=True)
        if len(part)
    ]
    return torch.cat(changed).round_().clamp_(0, 255).to(torch.uint8)


def _brightness(x, s):
    return x * (1 + 0.9 * s)


def _contrast(x, s):
    return torch.lerp(_grey(x).mean(dim=(1, 2, 3), keepdim=True), x, 1 + 0.9 * s)


def _saturation(x, s):
    return torch.lerp(_grey(x), x, 1 + 0.9 * s)


def _sharpness(x, s):
    blurred = x.clone()  # the outermost pixels stay, as PIL does it
    blurred[..., 1:-1, 1:-1] = (9 * F.avg_pool2d(x, 3, stride=1) + 4 * x[..., 1:-1, 1:-1]) / 13
    return torch.lerp(blurred, x, 1 + 0.9 * s)


def _autocontrast(x, s):
    low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (x - low) * 255 / (high - low), x)


def _posterize(x, s):
    step = 2 ** (4 * s.abs()).floor()  # 8 to 5 bits remain
    return (x / step).floor() * step


def _solarize(x, s):
    return torch.where(x >= 256 * (1 - s.abs()), 255 - x, x)


def _grey(x):
    """Luma (B, 1, H, W) of red, green and blue; the plain mean of any other number of channels."""
    if x.shape[1] != 3:
        return x.mean(dim=1, keepdim=True)
    return 0.299 * x[:, 0:1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3]


def _warp(x, a=1.0, b=0.0, c=0.0, d=0.0, e=1.0, f=0.0):
    """Pixel (x, y) of the result comes from (a·x + b·y + c, d·x + e·y + f), from the centre."""
    B, _, H, W = x.shape
    zero = x.new_zeros(B)
    a, b, c, d, e, f = (zero + value for value in (a, b, c, d, e, f))
    rows = (a, b * H / W, c * 2 / W), (d * W / H, e, f * 2 / H)  # affine_grid runs from −1 to 1
    matrix = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)  # (B, 2, 3)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _rotate(x, s):
    angle = s.flatten() * torch.pi / 6  # up to 30°
    return _warp(x, a=angle.cos(), b=-angle.sin(), d=angle.sin(), e=angle.cos())


OPERATIONS = (
    None,  # the image as it is
    *(_brightness, _contrast, _saturation, _sharpness, _autocontrast, _posterize, _solarize),
    _rotate,
    lambda x, s: _warp(x, b=0.3 * s.flatten()),  # shear along x
    lambda x, s: _warp(x, d=0.3 * s.flatten()),  # shear along y
    lambda x, s: _warp(x, c=x.shape[3] * 0.3 * s.flatten()),  # shift along x
    lambda x, s: _warp(x, f=x.shape[2] * 0.3 * s.flatten()),  # shift along y
)
