"""What the silent bugs of notebook 13's museum cost: accuracy lost, and the losses in training.

python benchmarks/silent_bugs.py --record data/results/silent_bugs.json
python benchmarks/silent_bugs.py --dataset cifar10 --budget full --record data/results/silent_bugs_cifar10.json
python benchmarks/silent_bugs.py --dataset cifar10 --loaded --record data/results/silent_bugs_loaded.json

Each bug is put into the same model, which then trains as if nothing had happened. Of the museum,
those are left out that stop with an error in this setup, because a shape does not fit, and the
ignored argument, which changes nothing as long as nobody asks for another number of heads.
The full budget is that of the experiments: the same model, the same images, the same judges.
What is on record is not run again. With --loaded nothing is trained: a model with the bug gets the
weights of the model that comes with the course, which was trained without it.
"""

import argparse
import contextlib
import io
from dataclasses import asdict, replace
from itertools import product

import torch
from torch import nn

from shipped import CHECKPOINT
from vit_minimal import (
    VisionTransformer,
    evaluate,
    fit,
    load_checkpoint,
    load_dataset,
    seed_everything,
)
from vit_minimal.attention import MultiHeadSelfAttention, attention_weights
from vit_minimal.experiments import BASE
from vit_minimal.experiments.grid import QUICK_IMAGES
from vit_minimal.patches import PatchEmbedding
from vit_minimal.pretrained import read_config
from vit_minimal.records import add_record, read_records
from vit_minimal.training import Recipe, TrainingConfig, predict
from vit_minimal.vision_transformer import EncoderBlock

DROPOUT = 0.1


class PatchesByReshape(PatchEmbedding):
    def forward(self, images):
        B, N = len(images), self.grid_size[0] * self.grid_size[1]
        return nn.functional.linear(
            images.reshape(B, N, -1), self.proj.weight.flatten(1), self.proj.bias
        )


class Strips(PatchesByReshape):
    """Not a bug: patches of two whole rows, with all their colours."""

    def forward(self, images):
        B, C, H, W = images.shape
        rows = H // (self.grid_size[0] * self.grid_size[1])
        strips = images.reshape(B, C, H // rows, rows * W).transpose(1, 2)
        return nn.functional.linear(strips.flatten(2), self.proj.weight.flatten(1), self.proj.bias)


class HeadsByView(MultiHeadSelfAttention):
    def split_heads(self, x):
        B, T, _ = x.shape
        parts = self.qkv(x).chunk(3, dim=-1)
        return [part.reshape(B, self.num_heads, T, self.head_dim) for part in parts]


class Explicit(MultiHeadSelfAttention):
    """Attention by its formula, so that a part of it can be wrong."""

    def weigh(self, queries, keys):
        return attention_weights(queries, keys)

    def put_together(self, out):
        return out.transpose(1, 2).flatten(2)

    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        return self.proj(self.put_together(self.weigh(queries, keys) @ values))


class SoftmaxOverQueries(Explicit):
    def weigh(self, queries, keys):
        return (queries @ keys.transpose(-2, -1) / self.head_dim**0.5).softmax(dim=-2)


class ScaledByD(Explicit):
    def weigh(self, queries, keys):
        return attention_weights(queries / self.num_heads**0.5, keys)


class NoTransposeBack(Explicit):
    def put_together(self, out):
        B, h, T, d = out.shape
        return out.reshape(B, T, h * d)


class AlwaysDrops(Explicit):
    def weigh(self, queries, keys):
        return nn.functional.dropout(attention_weights(queries, keys), DROPOUT)


class AcrossTheBatch(MultiHeadSelfAttention):
    def forward(self, x):
        return super().forward(x.transpose(0, 1)).transpose(0, 1)


class NoResidual(EncoderBlock):
    def forward(self, x):
        return self.mlp(self.norm2(self.attn(self.norm1(x))))


class SoftmaxTwice(VisionTransformer):
    def forward(self, images):
        return super().forward(images).softmax(dim=-1)


def become(kind, *modules):
    """Turn modules into another kind; their parameters, and so the start, stay as they are."""
    for module in modules:
        module.__class__ = kind


def attention(kind):
    return lambda model: become(kind, *(block.attn for block in model.blocks))


def one_block(model):
    model.blocks = nn.Sequential(*[model.blocks[0]] * len(model.blocks))


def no_final_norm(model):
    model.norm = nn.Identity()


def norm_over_tokens(model):
    shape = (model.num_tokens, model.config.embed_dim)
    for block in model.blocks:
        block.norm1, block.norm2 = nn.LayerNorm(shape), nn.LayerNorm(shape)
    model.norm = nn.LayerNorm(shape)


MEAN = {"pool": "mean"}

# {name: (how the model that it is put into differs from the base, how it is put in)}
BUGS = {
    "none": ({}, lambda model: None),
    "patches by reshape": ({}, lambda model: become(PatchesByReshape, model.patch_embed)),
    "heads by view": ({}, attention(HeadsByView)),
    "heads without transpose": ({}, attention(NoTransposeBack)),
    "softmax over the queries": ({}, attention(SoftmaxOverQueries)),
    "scaled by √D": ({}, attention(ScaledByD)),
    "attention across the batch": ({}, attention(AcrossTheBatch)),
    "LayerNorm over all tokens": ({}, norm_over_tokens),
    "positions not trained": ({}, lambda model: model.pos_embed.requires_grad_(False)),
    "blocks in a Python list": ({}, lambda model: model.blocks.requires_grad_(False)),
    "one block, repeated": ({}, one_block),
    "no norm at the end": ({}, no_final_norm),
    "no residual connection": ({}, lambda model: become(NoResidual, *model.blocks)),
    "softmax twice": ({}, lambda model: become(SoftmaxTwice, model)),
    "dropout never off": ({}, attention(AlwaysDrops)),
    "none, with dropout": ({"attn_drop_rate": DROPOUT}, lambda model: None),
    "none, mean pooling": (MEAN, lambda model: None),
    "attention across the batch, mean pooling": (MEAN, attention(AcrossTheBatch)),
    # What frozen blocks leave to learn if the head reads the patches, which have embeddings that train
    "blocks in a Python list, mean pooling": (
        MEAN,
        lambda model: model.blocks.requires_grad_(False),
    ),
    # Controls for the first bug: as many numbers to a token, in other windows of the image
    "strips of two rows": ({}, lambda model: become(Strips, model.patch_embed)),
}


QUICK_ONLY = ("strips of two rows",)  # with 64 patches a token would be half a row
LOADABLE = (  # bugs into whose model the weights of a right one can be loaded without an error
    "none",
    "patches by reshape",
    "heads by view",
    "heads without transpose",
    "softmax over the queries",
    "scaled by √D",
    "attention across the batch",
    "one block, repeated",
    "no norm at the end",
    "no residual connection",
    "softmax twice",
    "dropout never off",
)


def cost_of(name, seed, dataset, base):
    """What training with one bug in the model of a recipe comes to."""
    changes, put_in = BUGS[name]
    seed_everything(seed)
    model = VisionTransformer(replace(base.model, **changes))
    put_in(model)
    with contextlib.redirect_stdout(io.StringIO()):
        history = fit(model, dataset, replace(base.training, seed=seed))
    reached = evaluate(model, dataset.test_images, dataset.test_labels)
    figures = {"bug": name, "accuracy": reached}
    if name == "positions not trained":  # nor saved: another process draws others
        seed_everything(1_000 + seed)
        with torch.no_grad():
            model.pos_embed.weight.normal_(0, 0.02)
        figures["after_loading"] = evaluate(model, dataset.test_images, dataset.test_labels)
    return figures | {"train_loss": history.train_loss}


def loaded_into(name, dataset):
    """What weights that were trained without a bug reach in a model that has it, and how sure it is:
    the mean of the largest share that it gives to a class.
    """
    right = load_checkpoint(CHECKPOINT)
    model = VisionTransformer(right.config)
    _, put_in = BUGS[name]
    put_in(model)
    found = model.load_state_dict(right.state_dict(), strict=False)
    assert not found.missing_keys, found
    left_over = {key.split(".")[0] for key in found.unexpected_keys}
    assert left_over <= {"norm"}, left_over  # one of the bugs leaves the last norm out
    seed_everything(0)  # for the dropout that is never off
    logits = predict(model, dataset.test_images)
    reached = (logits.argmax(dim=1) == dataset.test_labels).float().mean().item()
    sure = logits.softmax(dim=1).amax(dim=1).mean().item()
    return {"bug": name, "accuracy": reached, "sure": sure}


def recipe_of(record):
    return Recipe(read_config(record["model"]), TrainingConfig(**record["training"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--bugs", nargs="+", default=list(BUGS), choices=list(BUGS))
    parser.add_argument("--dataset", default="shapes10", choices=["shapes10", "cifar10"])
    parser.add_argument("--budget", default="quick", choices=["quick", "full"])
    parser.add_argument("--record", help="add the figures to this JSON file, run by run")
    parser.add_argument(
        "--loaded",
        action="store_true",
        help="train nothing, but load the weights that come with the course",
    )
    options = parser.parse_args()
    if options.loaded and options.dataset != "cifar10":
        parser.error("--loaded needs --dataset cifar10: that is what the weights were trained on")
    if options.budget != "quick" and {*options.bugs} != {*BUGS} and {*options.bugs} & {*QUICK_ONLY}:
        parser.error(f"only the quick budget has {', '.join(QUICK_ONLY)}: patches must be large")
    base, dataset = BASE[options.budget], load_dataset(options.dataset)
    if options.loaded:
        runs = [loaded_into(name, dataset) for name in LOADABLE]
        print(*(f"{run['bug']}: {run['accuracy']:.1%}" for run in runs), sep="\n")
        if options.record:
            judged_on = f"{len(dataset.test_labels):,} test"
            setup = {
                "dataset": options.dataset,
                "checkpoint": CHECKPOINT.name,
                "judged_on": judged_on,
            }
            add_record(options.record, setup | {"runs": runs})
        return
    names = options.bugs
    if options.budget == "quick":
        dataset = dataset.first(*QUICK_IMAGES)
    else:
        names = [name for name in names if name not in QUICK_ONLY]
    setup = {
        "dataset": options.dataset,
        "trained_on": len(dataset.train_labels) - base.training.validation_images,
        "judged_on": f"{len(dataset.test_labels):,} test",
        "model": asdict(base.model),
        "training": asdict(base.training),  # but for the seed
    }
    known = read_records(options.record) if options.record else []
    here = [of for of in known if all(of[name] == setup[name] for name in ("dataset", "judged_on"))]
    same = [of for of in here if recipe_of(of) == base]
    done = {(run["bug"], of["seed"]) for of in same for run in of["runs"]}
    for seed, name in product(options.seeds, names):
        if (name, seed) in done:
            continue
        run = cost_of(name, seed, dataset, base)
        print(seed, name, f"{run['accuracy']:.1%}", flush=True)
        if options.record:
            add_record(options.record, setup | {"seed": seed, "runs": [run]})


if __name__ == "__main__":
    main()
