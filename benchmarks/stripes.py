"""Do the shipped model's tokens agree on a few patches to attend to, and are these patches special?

    python benchmarks/stripes.py [--record data/results/stripes.json]

In a table of attention, a patch to which many tokens attend is a dark column, a stripe. For every
block and head: the share of all tokens' attention that the patch with the largest share gets; how
many of the T tokens give their largest weight to one of three patches, those that most tokens choose;
how long the token of the first patch is when it enters the block, against the median patch token of
its image; and how many patches of the image are rougher, that is, have a larger standard deviation
of their pixels. The images are those on which benchmarks/class_token_journey.py judges. Nothing is
trained or chosen here. Intervals (95 %) are over images.
"""

import argparse

import torch

from class_token_journey import mean_and_width
from shipped import CHECKPOINT
from vit_minimal import load_checkpoint, load_dataset
from vit_minimal.inspection import look_into
from vit_minimal.records import add_record

AGREED = 3  # patches, of which is counted how many tokens choose one


def stripes(tokens, maps, roughness):
    """Of each block, image and head, (L, b, h) each: what the docstring above lists, from tokens
    (L + 1, b, T, D), maps (L, b, h, T, T), and the roughness (b, N) of patches.
    """
    shares, patch = maps.mean(dim=-2)[..., 1:].max(dim=-1)  # of all tokens, to each patch
    lengths = tokens[:-1, :, 1:].norm(dim=-1)  # of the patch tokens that enter a block: (L, b, N)
    lengths = lengths / lengths.median(dim=-1, keepdim=True).values
    chosen = torch.nn.functional.one_hot(maps.argmax(dim=-1), maps.shape[-1]).sum(dim=-2)[..., 1:]
    rougher = roughness[:, None, :] > roughness[:, :, None]  # (b, N, N)
    rougher = rougher.double().mean(dim=-1).expand(len(maps), -1, -1)
    return {
        "share": shares,
        "agree": chosen.topk(AGREED).values.sum(dim=-1),
        "length": lengths.gather(-1, patch),
        "rougher": rougher.gather(-1, patch),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", metavar="FILE")
    options = parser.parse_args()
    model, dataset = load_checkpoint(CHECKPOINT), load_dataset("cifar10")
    images = dataset.test_images[len(dataset.test_images) // 2 :]
    side = model.patch_embed.image_shape[1] // model.patch_embed.grid_size[0]
    squares = (
        images.double().unfold(2, side, side).unfold(3, side, side)
    )  # (n, C, rows, columns, P, P)
    roughness = squares.std(dim=(-2, -1)).mean(dim=1).flatten(1)
    parts = []
    for tokens, maps, rough in look_into(model, images, roughness):
        parts.append(stripes(tokens, maps, rough))
    figures = {"even_share": 1 / maps.shape[-1], "tokens": maps.shape[-1], "images": len(images)}
    for name in parts[0]:
        found = (
            torch.cat([part[name] for part in parts], dim=1).transpose(1, 2).double()
        )  # (L, h, n)
        figures[name] = mean_and_width(found) | {"largest": found.amax(dim=-1).tolist()}
        print(name, {key: torch.tensor(of).round(decimals=3) for key, of in figures[name].items()})
    if options.record:
        add_record(
            options.record, {"dataset": dataset.name, "checkpoint": CHECKPOINT.name} | figures
        )


if __name__ == "__main__":
    main()
