"""Attention to hover over: one piece of HTML that needs no network, no widgets, no kernel."""

import base64
import hashlib
import io
import json
from pathlib import Path

from .data.dataset import as_images
from .inspection import attention_maps
from .records import write_whole
from .unwrap import unwrap_model

TEMPLATE = Path(__file__).with_suffix(".html")


class Explorer:
    """What `explore_attention` returns: notebooks show it, `save(path)` writes a page."""

    def __init__(self, html):
        self.html = html

    def _repr_html_(self):
        return self.html

    def save(self, path):
        """Write the page to a file, whose folder is made if need be. OSError if that cannot be."""
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        page = f'<!doctype html><html lang="en">{head}<title>Attention</title>\n{self.html}'
        write_whole(path, lambda unfinished: unfinished.write_text(page, encoding="utf-8"))


def explore_attention(model, image, block=None, head=None):
    """Hover over, tap or Tab to a token of `image` (C, H, W) and see where it looks.

    `image` is uint8 or normalised, of one channel or three. Opens at `block` (1 … L, else the last)
    and `head` (0 … h − 1, else their mean), for the first token. Where scripts are taken away (on
    GitHub) a picture of that token's attention stays. The page holds L·h·T² weights: 0.25 MB for 6
    blocks, 3 heads and 65 tokens, but 15 MB for a ViT-B/16. ValueError if the image is not the
    model's, or there is no such block or head.
    """
    from matplotlib.image import imsave  # `import vit_minimal` must not wait for matplotlib

    from .plots import as_picture

    model = unwrap_model(model)
    config, grid_size = model.config, model.patch_embed.grid_size
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        text = f"expected one image (C, H, W), C = 1 or 3, got {tuple(image.shape)}"
        raise ValueError(text)
    blocks, heads = range(1, config.depth + 1), range(config.num_heads)
    for name, chosen, known in (("block", block, blocks), ("head", head, heads)):
        if chosen is not None and chosen not in known:
            raise ValueError(f"{name} {chosen}: the model has {name}s {known[0]} … {known[-1]}")
    images = as_images(image[None])
    image = images[0]
    maps = attention_maps(model, images)[:, 0].float()  # (L, h, T, T)
    picture = as_picture(image)
    data = {
        "blocks": config.depth,
        "heads": config.num_heads,
        "rows": grid_size[0],
        "columns": grid_size[1],
        "prefix": model.num_prefix,
        "hasClass": config.pool == "class",
        "block": int(block or config.depth),  # JSON knows no numbers of NumPy
        "head": 0 if head is None else int(head) + 1,  # of the slider, whose 0 is the mean
        "image": _picture_url(lambda file: imsave(file, picture, cmap="gray")),
        "weights": base64.b64encode((65535 * maps).round().numpy().astype("<u2")).decode(),
    }
    first = "class token" if config.pool == "class" else "first token"
    shown = maps[:, :, 0, model.num_prefix :].unflatten(-1, grid_size).mean(dim=1)
    html = TEMPLATE.read_text(encoding="utf-8")
    html = html.replace("@ALT@", f"where the {first} looks, block by block, mean of all heads")
    html = html.replace("@STILL@", _picture_url(_still(picture, shown, first)))
    html = html.replace("@DATA@", json.dumps(data))
    html = html.replace("@ID@", "vit-" + hashlib.sha256(html.encode()).hexdigest()[:12])
    return Explorer(html)


def _still(picture, maps, token):
    """What writes a figure: the picture, and one map (rows, columns) for each block."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8 / (len(maps) + 1) + 0.8), layout="constrained")
    axes = figure.subplots(1, len(maps) + 1)
    axes[0].imshow(picture, cmap="gray")
    figure.suptitle(f"Where the {token} looks, mean of all heads", fontsize=10)
    for block, shares in enumerate(maps, start=1):
        axes[block].imshow(shares.numpy(), cmap="viridis", vmin=0)
        axes[block].set_title(f"block {block}", fontsize=9)
    for axis in axes:
        axis.axis("off")
    return lambda file: figure.savefig(file, dpi=80)


def _picture_url(write):
    """What `write(file)` writes, a PNG, as an address that holds the picture itself."""
    file = io.BytesIO()
    write(file)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
