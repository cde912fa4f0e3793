"""Is the model in the laboratory's page PyTorch's, and how fast is it? 1,000 images in Chromium.

    python benchmarks/laboratory.py [--record data/results/laboratory.json] [--images 1000]

The images are the test images of Shapes-10. The page is opened from a file, in headless Chromium, and
its worker computes one image after the other. Chromium has to be installed.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from shipped import CHECKPOINT
from vit_minimal import attention_maps, knock_out, load_checkpoint, shapes10
from vit_minimal.data import SHAPES10_TEST_SEED
from vit_minimal.laboratory import open_shipped_laboratory
from vit_minimal.records import add_record

AT_A_TIME = 50
LOOK = """async (images) => {
    const seen = [];
    for (const image of images) {
        const found = await ask('look', { image: Uint8Array.from(image) });
        const maps = found.attention.map((map) => [...map]).flat();
        seen.push([[...found.logits], maps, found.milliseconds]);
    }
    return seen; }"""


def look_in_the_page(page, images):
    """Logits (n, K), the class token's attention (n, L·h·T), and milliseconds, a list."""
    seen = []
    for part in images.flatten(1).split(AT_A_TIME):
        seen += page.evaluate(LOOK, part.tolist())
        print(f"{len(seen)} of {len(images)} images", flush=True)
    logits, maps, milliseconds = zip(*seen, strict=True)
    return torch.tensor(logits), torch.tensor(maps), list(milliseconds)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    options = parser.parse_args(arguments)

    images, _ = shapes10(options.images, SHAPES10_TEST_SEED)
    model = load_checkpoint(CHECKPOINT)
    expected = knock_out(model, images, [])
    names = ("chromium", "chromium-browser", "google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        path = Path(folder) / "page.html"
        open_shipped_laboratory().save(path)
        browser = running.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, names))), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(path.as_uri())
        page.wait_for_function("typeof shown === 'object'", timeout=120_000)
        logits, maps, milliseconds = look_in_the_page(page, images)
        megabytes = path.stat().st_size / 1e6
        version = browser.version
        browser.close()
    attention = attention_maps(model, images)[:, :, :, 0].transpose(0, 1).flatten(1)
    tenths = statistics.quantiles(milliseconds, n=10)
    figures = {
        "images": len(images),
        "same_class": (logits.argmax(dim=1) == expected.argmax(dim=1)).sum().item(),
        "largest_difference_of_logits": (logits - expected).abs().max().item(),
        "largest_difference_of_attention": (maps - attention).abs().max().item(),
        "milliseconds": {"least": min(milliseconds), "median": tenths[4], "nine_tenths": tenths[8]},
        "megabytes": megabytes,
        "browser": f"Chromium {version}",
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    if options.record:
        add_record(options.record, figures)


if __name__ == "__main__":
    main()
