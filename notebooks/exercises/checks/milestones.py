"""A model that is written from an empty cell, and the milestones on the way to it.

The weights of the course's model are copied into the reader's, and a part of them is set to zero, so
that first the class token alone decides, then the MLPs too, then an attention that looks everywhere
alike, and in the end all of it. What fails first says where the mistake lies.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import gelu, relu

import vit_minimal
from vit_minimal.attention import MultiHeadSelfAttention, attention_weights
from vit_minimal.patches import PatchEmbedding
from vit_minimal.pretrained import load_checkpoint
from vit_minimal.vision_transformer import MLP, EncoderBlock, ViTConfig

from .engine import NotSolved, Piece
from .helpers import Raised, Wrong, attempt, has_placeholder, random, same
from .modules import WithWeights, weights_for
from .words import difference, raising

NOT_EMPTY = ("vit_minimal", "timm", "torchvision", "transformers")


# ---- The course's model, with timm's plain names, and versions of it that do one thing otherwise


class PlainViT(nn.Module):
    """Images (B, C, H, W) → logits (B, K), with parameters named as timm names them."""

    block, attention, mlp = EncoderBlock, MultiHeadSelfAttention, MLP

    def __init__(
        self,
        image_size=32,
        patch_size=8,
        in_channels=3,
        num_classes=10,
        embed_dim=64,
        depth=3,
        num_heads=4,
        mlp_ratio=2.0,
    ):
        super().__init__()
        config = ViTConfig(
            image_size=image_size,
            embed_dim=embed_dim,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
        )
        num_tokens = 1 + (image_size // patch_size) ** 2
        self.patch_embed = PatchEmbedding(image_size, patch_size, in_channels, embed_dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, num_tokens, embed_dim) * 0.02)
        self.blocks = nn.Sequential(*(EncoderBlock(config) for _ in range(depth)))
        self.norm = nn.LayerNorm(embed_dim, eps=config.norm_eps)
        self.head = nn.Linear(embed_dim, num_classes)
        for block in self.blocks:  # the same parts and weights, another way of computing
            block.__class__ = self.block
            block.attn.__class__, block.mlp.__class__ = self.attention, self.mlp

    def embed(self, images):
        patches = self.patch_embed(images)
        return torch.cat([self.cls_token.expand(len(images), -1, -1), patches], 1) + self.pos_embed

    def read(self, tokens):
        return self.head(self.norm(tokens)[:, 0])

    def forward(self, images):
        return self.read(self.blocks(self.embed(images)))


def with_parts(**parts):
    """A version of the model in which methods, or the classes of its parts, are others."""
    return type("PlainViT", (PlainViT,), parts)


def with_block(forward):
    return with_parts(block=type("EncoderBlock", (EncoderBlock,), {"forward": forward}))


def with_attention(
    weigh=attention_weights, split=None, merge=lambda out: out.transpose(1, 2).flatten(2), end=None
):
    """A model whose attention computes its weights, its heads or its output otherwise."""

    def forward(self, x):
        q, k, v = (split or MultiHeadSelfAttention.split_heads)(self, x)
        out = merge(weigh(q, k) @ v)
        return end(self, out) if end else self.proj(out)

    kind = type("MultiHeadSelfAttention", (MultiHeadSelfAttention,), {"forward": forward})
    return with_parts(attention=kind)


def with_activation(activation):
    def forward(self, x):
        return self.fc2(activation(self.fc1(x)))

    return with_parts(mlp=type("MLP", (MLP,), {"forward": forward}))


def class_token_behind(self, images):
    patches = self.patch_embed(images)
    return torch.cat([patches, self.cls_token.expand(len(images), -1, -1)], 1) + self.pos_embed


def no_position_for_the_class_token(self, images):
    patches = self.patch_embed(images) + self.pos_embed[:, 1:]
    return torch.cat([self.cls_token.expand(len(images), -1, -1), patches], 1)


def positions_for_the_class_token_alone(self, images):
    first = (self.cls_token + self.pos_embed[:, :1]).expand(len(images), -1, -1)
    return torch.cat([first, self.patch_embed(images)], 1)


def no_positions(self, images):
    first = self.cls_token.expand(len(images), -1, -1)
    return torch.cat([first, self.patch_embed(images)], 1)


def columns_first(self, images):
    first = self.cls_token.expand(len(images), -1, -1)
    patches = self.patch_embed.proj(images).transpose(2, 3).flatten(2).mT
    return torch.cat([first, patches], 1) + self.pos_embed


def reshaped_without_transpose(self, images):
    grid = self.patch_embed.proj(images)
    patches = grid.reshape(len(images), -1, grid.shape[1])
    first = self.cls_token.expand(len(images), -1, -1)
    return torch.cat([first, patches], 1) + self.pos_embed


def heads_by_reshape(self, x):
    """Each of q, k, v (B, T, D) → (B, h, T, d) in a single step, which tears tokens apart."""
    B, T, _ = x.shape
    return [part.reshape(B, self.num_heads, T, -1) for part in self.qkv(x).chunk(3, dim=-1)]


def heads_outermost(self, x):
    """The 3D numbers taken for h heads of q, k and v each, instead of q, k and v of h heads."""
    B, T, _ = x.shape
    parts = self.qkv(x).reshape(B, T, self.num_heads, 3, self.head_dim)
    return parts.permute(3, 0, 2, 1, 4)


def one_head(self, x):
    return [part[:, None] for part in self.qkv(x).chunk(3, dim=-1)]


def in_order(*order):
    def split(self, x):
        parts = MultiHeadSelfAttention.split_heads(self, x)
        return [parts[i] for i in order]

    return split


def adding_to_copies(self, x):
    y = self.norm1(x)
    z = self.norm2(y + self.attn(y))
    return z + self.mlp(z)


MISTAKES = {
    "the logits are probabilities already: leave the softmax to the loss": with_parts(
        read=lambda self, x: PlainViT.read(self, x).softmax(dim=-1)
    ),
    "the norm after the last block is missing (Eq. 4)": with_parts(
        read=lambda self, x: self.head(x[:, 0])
    ),
    "the head reads the mean of all tokens: it should read the class token, token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x).mean(dim=1))
    ),
    "the head reads the mean of the patches: it should read the class token, token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x)[:, 1:].mean(dim=1))
    ),
    "the head reads the last token: the class token is token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x)[:, -1])
    ),
    "the head reads token 1, the first patch: the class token is token 0": with_parts(
        read=lambda self, x: self.head(self.norm(x)[:, 1])
    ),
    "the class token stands behind the patches: it should stand in front of them": with_parts(
        embed=class_token_behind, read=lambda self, x: self.head(self.norm(x)[:, -1])
    ),
    "the class token stands behind the patches, and the head reads a patch": with_parts(
        embed=class_token_behind
    ),
    "the class token has no position: row 0 of `pos_embed` is its own": with_parts(
        embed=no_position_for_the_class_token
    ),
    "no position is added to any token": with_parts(embed=no_positions),
    "only the class token gets its position: the patches have theirs too": with_parts(
        embed=positions_for_the_class_token_alone
    ),
    "the patches are counted column by column: they should be counted row by row": with_parts(
        embed=columns_first
    ),
    "(B, D, H/P, W/P) was reshaped to (B, N, D), which tears the D numbers of a patch apart: flatten "
    "the two axes of the grid, then exchange axes 1 and 2": with_parts(
        embed=reshaped_without_transpose
    ),
    "the activation of the MLP is ReLU: it should be GELU": with_activation(relu),
    "GELU is approximated by tanh: take the exact one, which is PyTorch's default": with_activation(
        lambda x: gelu(x, approximate="tanh")
    ),
    "the MLP has no activation between its two linear maps": with_activation(lambda x: x),
    "the MLP reads tokens that are not normalised: norm2 is missing": with_block(
        lambda self, x: (y := x + self.attn(self.norm1(x))) + self.mlp(y)
    ),
    "the MLP replaces the tokens: `x +` is missing in Eq. 3": with_block(
        lambda self, x: self.mlp(self.norm2(x + self.attn(self.norm1(x))))
    ),
    "attention and MLP both replace the tokens: `x +` is missing in Eq. 2 and 3": with_block(
        lambda self, x: self.mlp(self.norm2(self.attn(self.norm1(x))))
    ),
    "the attention replaces the tokens: `x +` is missing in Eq. 2": with_block(
        lambda self, x: (y := self.attn(self.norm1(x))) + self.mlp(self.norm2(y))
    ),
    "this is post-norm: normalise what attention and MLP read, not what they have added to": (
        with_block(lambda self, x: self.norm2((y := self.norm1(x + self.attn(x))) + self.mlp(y)))
    ),
    "what is added to is the normalised copy: add to x itself": with_block(adding_to_copies),
    "the norms of a block are exchanged: norm1 belongs to the attention": with_block(
        lambda self, x: (y := x + self.attn(self.norm2(x))) + self.mlp(self.norm1(y))
    ),
    "the attention reads tokens that are not normalised: norm1 is missing": with_block(
        lambda self, x: (y := x + self.attn(x)) + self.mlp(self.norm2(y))
    ),
    "attention and MLP both read the input of the block: the MLP comes after, Eq. 3": with_block(
        lambda self, x: x + self.attn(self.norm1(x)) + self.mlp(self.norm2(x))
    ),
    "the MLP comes first in a block: the attention should": with_block(
        lambda self, x: (y := x + self.mlp(self.norm2(x))) + self.attn(self.norm1(y))
    ),
    "`attn.proj` is not used: it comes after the heads are side by side again": with_attention(
        end=lambda self, out: out
    ),
    "keys and values are exchanged: `qkv` gives queries, keys, values": with_attention(
        split=in_order(0, 2, 1)
    ),
    "queries and values are exchanged: `qkv` gives queries, keys, values": with_attention(
        split=in_order(2, 1, 0)
    ),
    "`qkv` is split by heads first: it gives all queries, then all keys, then all values": (
        with_attention(split=heads_outermost)
    ),
    "(B, h, T, d) is reshaped to (B, T, D), which puts other tokens side by side: exchange the axes "
    "of heads and tokens first": with_attention(
        merge=lambda out: out.reshape(out.shape[0], out.shape[2], -1)
    ),
    "(B, T, D) is reshaped to (B, h, T, d) in a single step, which tears tokens apart: to "
    "(B, T, h, d), then exchange two axes": with_attention(split=heads_by_reshape),
    "there is one head only: `num_heads` is not used": with_attention(split=one_head),
    "the scores are not divided by √d": with_attention(lambda q, k: (q @ k.mT).softmax(dim=-1)),
    "the scores are divided by d: it is √d": with_attention(
        lambda q, k: (q @ k.mT / q.shape[-1]).softmax(dim=-1)
    ),
    "the scores are divided by √D: a head has d = D / h numbers": with_attention(
        lambda q, k: (q @ k.mT / (q.shape[1] * q.shape[-1]) ** 0.5).softmax(dim=-1)
    ),
    "the scores are multiplied by √d: they should be divided by it": with_attention(
        lambda q, k: (q @ k.mT * q.shape[-1] ** 0.5).softmax(dim=-1)
    ),
    "the softmax runs over the queries: each query's shares should sum to 1, dim=-1": (
        with_attention(lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-2))
    ),
    "queries and keys are exchanged: `qkv` gives queries, keys, values": with_attention(
        split=in_order(1, 0, 2)
    ),
    "there is no softmax: a token's shares are positive and sum to 1": with_attention(
        lambda q, k: q @ k.mT / q.shape[-1] ** 0.5
    ),
    "only the first block is used: there are `depth` of them, one after the other": with_parts(
        forward=lambda self, images: self.read(self.blocks[0](self.embed(images)))
    ),
    "the last block is left out": with_parts(
        forward=lambda self, images: self.read(self.blocks[:-1](self.embed(images)))
    ),
}


def shipped_weights():
    """The weights of the model that comes with the course, under timm's plain names."""
    checkpoints = Path(vit_minimal.__file__).parents[1] / "data" / "checkpoints"
    weights = load_checkpoint(checkpoints / "cifar10-cpu-long.safetensors").state_dict()
    plain = {"cls_token.weight": "cls_token", "pos_embed.weight": "pos_embed"}
    return {plain.get(name, name): tensor for name, tensor in weights.items()}


# ---- The milestones


def quieten(model, parts):
    """Set weights to zero so that the MLPs, or the attention, add nothing, or so that the attention
    looks everywhere alike.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            silent = {"mlp": ".fc2.", "attention": ".attn.proj."}
            if any(silent.get(part, "…") in name for part in parts):
                parameter.zero_()
            elif "choice" in parts and ".qkv." in name:
                parameter[: len(parameter) * 2 // 3] = 0
    return model


class StagedWeights(WithWeights):
    """As WithWeights; the setting `quiet` names what is silenced once the weights are copied."""

    def build(self, piece, settings):
        settings = dict(settings)
        parts = settings.pop("quiet", ())
        return quieten(super().build(piece, settings), parts)


@dataclass(frozen=True)
class Milestone:
    """What works once it is reached, what is silenced until then, and the sizes to try."""

    name: str
    quiet: tuple
    sizes: tuple


SMALL = {
    "image_size": 8,
    "patch_size": 4,
    "in_channels": 3,
    "num_classes": 5,
    "embed_dim": 12,
    "depth": 1,
    "num_heads": 3,
    "mlp_ratio": 2.0,
}
OTHER = SMALL | {"in_channels": 1, "depth": 2, "num_heads": 2, "num_classes": 3, "mlp_ratio": 1.5}
WIDE = SMALL | {"image_size": 12, "patch_size": 3, "embed_dim": 8, "depth": 3, "num_heads": 4}
MILESTONES = (
    Milestone(
        "class token, its position, the last norm and the head",
        ("attention", "mlp"),
        (SMALL, OTHER),
    ),
    Milestone("the MLP of a block", ("attention",), (SMALL, OTHER)),
    Milestone(
        "patches, positions and values, with an attention that looks everywhere alike",
        ("choice", "mlp"),
        (SMALL, OTHER),
    ),
    Milestone("the attention", ("mlp",), (SMALL, OTHER)),
    Milestone("the whole model", (), (SMALL, OTHER, WIDE, SMALL | {"mlp_ratio": 0.75})),
)
NAMES = "the names and shapes of its parameters"
STEPS = (NAMES, *(m.name for m in MILESTONES), "one call after another, and gradients")


def cases_of_milestone(milestone):
    for B, sizes in zip((2, 1, 3, 2), milestone.sizes, strict=False):
        size = sizes["image_size"]
        yield {
            "settings": sizes | ({"quiet": milestone.quiet} if milestone.quiet else {}),
            "images": random(B, sizes["in_channels"], size, size, seed=B),
        }


def all_cases():
    return [case for milestone in MILESTONES for case in cases_of_milestone(milestone)]


def whole_cases():
    """Those in which nothing is silenced."""
    return list(cases_of_milestone(MILESTONES[-1]))


def some_of(names):
    """Some names in words: the first six, and how many more."""
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown


def named(module):
    """A module whose parameters can be asked for; AttributeError if it was never set up as one."""
    if isinstance(module, nn.Module):
        list(module.named_parameters())
    return module


def check_names(answer):
    """Wrong if a model cannot be built, or has other parameters than the list in the notebook."""
    for sizes in (SMALL, OTHER):
        module = attempt(lambda sizes=sizes: named(answer(**sizes)))
        if isinstance(module, Raised):
            words = raising(module.error)
            if "cannot assign" in words or "'_parameters'" in words or "'_modules'" in words:
                words += "\n  (`__init__` begins with `super().__init__()`)"
            raise Wrong(words, "exception")
        if not isinstance(module, nn.Module):
            raise Wrong(f"a {type(module).__name__} is not an nn.Module", "shape")
        expected = weights_for(PlainViT, tuple(sizes.items()))
        found = dict(module.named_parameters())
        missing = [name for name in expected if name not in found]
        more = [name for name in found if name not in expected]
        if missing or more:
            words = f"missing: {some_of(missing)}. " if missing else ""
            if more:
                words += f"Not in the list: {some_of(more)}. "
            kept_in_a_list = any(type(value) is list for value in vars(module).values())
            if missing and kept_in_a_list:
                words += (
                    "PyTorch does not look into a plain list: use nn.ModuleList or nn.Sequential. "
                )
            raise Wrong(f"{words}(for {sizes})")
        for name, parameter in expected.items():
            if found[name].shape != parameter.shape:
                raise Wrong(
                    f"`{name}` has the shape {tuple(found[name].shape)}, expected "
                    f"{tuple(parameter.shape)} (for {sizes})"
                )


def check_origin(answer):
    """Wrong if a part of a model comes from a library of models, where it was to be written."""
    for name, part in answer(**SMALL).named_modules():
        origin = type(part).__module__.split(".")[0]
        if origin in NOT_EMPTY:
            raise Wrong(
                f"`{name or 'the model'}` is the {type(part).__name__} of {origin}: in this exercise "
                "you write all parts yourself, of what `torch` has"
            )


class FromEmptyCell(Piece):
    """A class that is written from its signature alone; the check goes from milestone to milestone."""

    def praise(self):
        return f"right, on {self.num_cases} cases: all {len(STEPS)} milestones are reached."

    def judge_numbers(self, answer):
        done = 0
        try:
            check_names(answer)
            done = 1
            for milestone in MILESTONES:
                self.reach(answer, milestone)
                done += 1
            self.num_cases = sum(len(milestone.sizes) for milestone in MILESTONES)
        except Wrong as reason:
            words = f"milestone {done + 1} of {len(STEPS)}, {STEPS[done]}, is not reached"
            if has_placeholder(answer):
                raise NotSolved(f"{words} yet." if done else "") from None
            raise Wrong(f"{words}.\n  {reason}", reason.kind) from None

    def reach(self, answer, milestone):
        """Wrong if the answer differs from the reference in one of the cases of a milestone."""
        cases = list(cases_of_milestone(milestone))
        values = [self.outcome(answer, case) for case in cases]
        expected = [self.outcome(self.reference, case) for case in cases]
        if all(map(same, values, expected)):
            return
        # A mistake that explains all that there is to see is likelier than one that explains this
        for seen in (all_cases(), cases):
            if words := self.usual_mistake(answer, seen):
                raise Wrong(words)
        tries = [t for t in zip(cases, values, expected, strict=True) if not same(t[1], t[2])]
        raise self.diagnosis_of(answer, tries)

    def usual_mistake(self, answer, cases):
        """The words of the first usual mistake that gives the same in all cases, else None."""
        values = [self.outcome(answer, case) for case in cases]
        for words, mistake in self.mistakes.items():
            if all(
                same(value, self.outcome(mistake, case))
                for value, case in zip(values, cases, strict=True)
            ):
                return words
        return None

    def diagnosis_of(self, answer, tries):
        """What does not hold in the first case that differs, or the first number that differs."""
        case, value, expected = tries[0]
        found = difference(value, expected)
        if found.kind == "numbers":
            words = self.symptom(answer, tries, found.kind)
            found = Wrong(words, "invariant") if words else found
        sizes = {k: v for k, v in case["settings"].items() if k != "quiet"}
        return Wrong(f"{found}\n  (the case: {len(case['images'])} images, {sizes})", found.kind)

    def judge_calls(self, answer):
        check_origin(answer)
        try:
            super().judge_calls(answer)
        except Wrong as reason:
            words = f"milestone {len(STEPS)} of {len(STEPS)}, {STEPS[-1]}, is not reached."
            raise Wrong(f"{words}\n  {reason}", reason.kind) from None
