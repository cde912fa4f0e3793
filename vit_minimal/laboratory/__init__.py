"""The class-token laboratory: one page in which a trained model runs in the reader's browser.

`page.html` is its frame, `vision_transformer.js` the model, and the other scripts the page around it.
Here they become one file that asks for nothing: scripts, weights and pictures stand in it.
"""

import base64
import gzip
import html
import io
import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ..data import CIFAR10_CLASSES, load_image
from ..data.drawn import shapes10
from ..device import dtype_name
from ..pretrained import check_described, load_checkpoint
from ..records import write_whole
from ..unwrap import unwrap_model
from ..vision_transformer import VisionTransformer

SOURCES = Path(__file__).parent
CHECKPOINTS = SOURCES.parents[1] / "data" / "checkpoints"  # of the course
SHARP = 160  # pixels along a side of a photo, as the reader sees it
PHOTOS = {  # which come with scikit-image
    "cat": "chelsea.png",
    "horse": "horse.png",
    "rocket": "rocket.jpg",
    "motorcycle": "motorcycle_left.png",
    "coffee": "coffee.png",
    "astronaut": "astronaut.png",
    "camera": "camera.png",
    "coins": "coins.png",
    "galaxies": "hubble_deep_field.jpg",
}


class Laboratory:
    """What `open_laboratory` returns: notebooks show it, `save(path)` writes the page."""

    def __init__(self, page):
        self.html = page

    def _repr_html_(self):
        frame = 'style="width: 100%; height: 85vh; border: 1px solid #888" title="The laboratory"'
        return f'<iframe srcdoc="{html.escape(self.html)}" {frame}></iframe>'

    def save(self, path):
        """Write the page to a file, whose folder is made if need be. OSError if that cannot be."""
        write_whole(path, lambda unfinished: unfinished.write_text(self.html, encoding="utf-8"))


def open_laboratory(model, class_names, probes=None, pictures=None, *, on_site=False):
    """A page on which `model` runs, and the reader changes what its class token may do.

    `probes` are {"weights": (L + 1, D, K), "biases": (L + 1, 1, K)}, from
    `inspection.fit_class_token_probes`; without them the page does not say what can be read from the
    class token after each block. `pictures` are {name: path of a photo, or image uint8 (3, H, W)};
    else photos of scikit-image and a few drawn shapes. The page holds the weights in float16: 4.7 MB
    for the model of the course. Only `on_site` do its links lead to the pages of the course.

    ValueError for a model that the page cannot compute: one without a class token, with registers,
    with norms behind its layers, with one colour channel, of a class other than VisionTransformer, or
    one that was changed so that its configuration no longer describes it (a mask, another head).
    """
    model = unwrap_model(model)
    _check(model, class_names)
    tensors = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    tensors["pos_embed.weight"] = model.pos_embed.weight.detach()  # in no state dict if it is fixed
    if probes is not None:
        tensors |= {
            f"probes.{name}": torch.as_tensor(probes[name]) for name in ("weights", "biases")
        }
    numbers = [tensor.cpu().float().numpy().astype("<f2") for tensor in tensors.values()]
    content = gzip.compress(b"".join(array.tobytes() for array in numbers), mtime=0)
    size = model.patch_embed.image_shape[1:]
    if pictures is None:
        pictures = {name: photo_file(file) for name, file in PHOTOS.items()} | _drawings(size)
    data = {
        "config": asdict(model.config),
        "classNames": list(class_names),
        "tensors": [[name, tensor.numel()] for name, tensor in tensors.items()],
        "numbers": base64.b64encode(content).decode(),  # one after the other, float16
        "hasProbes": probes is not None,
        "pictures": [_picture(name, picture, size) for name, picture in pictures.items()],
    }
    return Laboratory(_page(data, on_site))


def open_shipped_laboratory(*, on_site=False):
    """The laboratory of the model and the probes that come with the course."""
    from safetensors.torch import load_file

    model = load_checkpoint(CHECKPOINTS / "cifar10-cpu-long.safetensors")
    probes = load_file(CHECKPOINTS / "cifar10-cpu-long-probes.safetensors")
    return open_laboratory(model, CIFAR10_CLASSES, probes, on_site=on_site)


def _check(model, class_names):
    config, kind = model.config, type(model)
    faults = {
        f"it is a {kind.__name__}, not a VisionTransformer": kind is not VisionTransformer,
        f'it needs a class token: pool="class", not pool="{config.pool}"': config.pool != "class",
        f"it has {config.num_registers} registers": config.num_registers > 0,
        "its norms stand behind its layers": not config.norm_first,
        f"it takes images of {config.in_channels} channels, not of 3": config.in_channels != 3,
    }
    for fault, found in faults.items():
        if found:
            raise ValueError(f"the laboratory cannot run this model: {fault}")
    check_described(model, "the laboratory cannot run it")
    if len(class_names) != config.num_classes:
        expected = f"the model has {config.num_classes} classes"
        raise ValueError(f"{expected}, and class_names are {len(class_names)}")


def _page(data, on_site):
    """The frame with its scripts and its data."""
    page = (SOURCES / "page.html").read_text(encoding="utf-8")
    if not on_site:  # there is nothing beside the page that a link could lead to
        page = re.sub(r' href="(notebooks/|index)[^"]*"', "", page)
    # "</" would end the script that holds it
    page = page.replace("@DATA@", json.dumps(data).replace("</", "<\\/"))
    for name in re.findall(r"@(\w+\.js)@", page):
        page = page.replace(f"@{name}@", (SOURCES / name).read_text(encoding="utf-8"))
    return page


# --- pictures -------------------------------------------------------------------------------------


def photo_file(file):
    from skimage import data

    return Path(data.__file__).with_name(file)


def _drawings(size):
    """Three shapes, of which no model of CIFAR-10 has heard, if its images are as large as they."""
    if size != (32, 32):
        return {}
    images, _ = shapes10(3, seed=0)
    return {f"shape {number}": image for number, image in enumerate(images, start=1)}


def _picture(name, picture, size):
    """What the page gets of a picture: the bytes for the model and, of a photo, a sharper one."""
    if isinstance(picture, (torch.Tensor, np.ndarray)):
        picture = torch.as_tensor(picture)
        return {"name": name, "pixels": _base64(_of_size(name, picture, size))}
    sharp = load_image(picture, tuple(SHARP * side // max(size) for side in size))
    return {"name": name, "pixels": _base64(load_image(picture, size)), "sharp": _jpeg(sharp)}


def _of_size(name, image, size):
    if image.dtype != torch.uint8 or tuple(image.shape) != (3, *size):
        found = f"{dtype_name(image.dtype)} {tuple(image.shape)}"
        raise ValueError(f"picture {name!r} must be uint8 {(3, *size)} or a path, is {found}")
    return image


def _base64(image):
    return base64.b64encode(np.ascontiguousarray(image.numpy())).decode()


def _jpeg(image):
    """An image (3, H, W) as an address that holds the picture itself."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
