"""The exercises of notebook 04: the block, the whole model, and what it costs."""

import copy

from torch import nn

from vit_minimal.vision_transformer import EncoderBlock, VisionTransformer, ViTConfig

from .counts import counted, more_counts, parameters_of, parameters_of_layers, parameters_without
from .engine import Answer, Piece
from .helpers import Wrong, attempt, random, same
from .modules import WithWeights, check_method
from .words import difference
from .wrong_models import (
    and_post_norm,
    block_by,
    block_with,
    class_token_behind_registers,
    mlp_first,
    model_with,
    more_block_mistakes,
    more_model_mistakes,
    pool,
    positions_before_class_token,
)

DROPS = {"pos_drop_rate": 0.5, "proj_drop_rate": 0.5, "attn_drop_rate": 0.5, "drop_path_rate": 0.5}
TINY = {"image_size": 8, "embed_dim": 12, "depth": 2, "num_heads": 3, "num_classes": 5}


def block_cases():
    for changes, shape, rate in (
        ({}, (2, 5, 12), 0.0),
        ({"num_heads": 1, "mlp_ratio": 2.75}, (1, 9, 12), 0.5),  # not in eval mode
        ({"embed_dim": 8, "num_heads": 4, "mlp_ratio": 1.5}, (3, 4, 8), 0.5),
        ({"norm_first": False}, (2, 6, 12), 0.0),
        ({"norm_eps": 0.1}, (1, 3, 12), 0.0),
    ):
        config = ViTConfig(**TINY | changes)
        settings = {"config": config, "drop_path_rate": rate}
        yield {"settings": settings, "x": random(*shape)}


use_block = WithWeights(EncoderBlock)


def check_dropped_paths(answer):
    """Wrong if in training something else is dropped than what is added to the tokens."""
    x, rate = random(16, 3, 12), 0.99999  # as good as always
    settings = {"config": ViTConfig(**TINY), "drop_path_rate": rate}
    module = use_block.build(answer, settings)
    left_out, attended = module(x), x + module.attn(module.norm1(x))
    value = module.train()(x)
    for i, image in enumerate(value):
        if not any(same(image, other[i]) for other in (x, left_out, attended)):
            raise Wrong(
                "in training with a drop_path_rate, the tokens themselves are dropped or scaled: "
                "drop_path belongs around what is *added* to them. (You may leave it out.)"
            )


def model_cases():
    for changes, B, C, size in (
        ({}, 2, 3, (8, 8)),
        ({"image_size": (8, 12), "in_channels": 1}, 1, 1, (8, 12)),
        ({"num_registers": 2}, 3, 3, (8, 8)),
        ({"pool": "mean"}, 2, 3, (8, 8)),
        ({"pool": "mean", "num_registers": 1}, 2, 3, (8, 8)),
        ({"pool": "attention", "num_registers": 2}, 2, 3, (8, 8)),
        ({"pos_embed": "sinusoidal"}, 2, 3, (8, 8)),
        ({"pool": "mean", "depth": 1}, 1, 3, (8, 8)),
        ({"pool": "attention", "depth": 3}, 1, 3, (8, 8)),
        (DROPS, 2, 3, (8, 8)),  # not in eval mode
    ):
        config = ViTConfig(**TINY | changes)
        yield {"settings": {"config": config}, "images": random(B, C, *size)}


use_model = WithWeights(VisionTransformer)


def check_forward_features(answer):
    """Wrong if the method, on which all of notebook 06 relies, does not give what it should."""
    module = use_model.build(answer, {"config": ViTConfig(**TINY)})
    check_method(module, VisionTransformer, "forward_features", random(2, 3, 8, 8))


def config_cases():
    yield {"config": ViTConfig()}
    yield {"config": ViTConfig(**TINY)}
    yield {"config": ViTConfig(224, 16, num_classes=1000, embed_dim=384, depth=12, num_heads=6)}
    yield {"config": ViTConfig(28, 7, in_channels=1, embed_dim=20, num_heads=4, mlp_ratio=2.0)}
    for depth, ratio in ((1, 1.5), (3, 2.75)):
        yield {
            "config": ViTConfig(
                **TINY | {"embed_dim": 10, "num_heads": 2, "depth": depth, "mlp_ratio": ratio}
            )
        }


def stack(config):
    """L blocks, one after the other."""
    return nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth)))


def stack_of_one(config):
    return nn.Sequential(*[EncoderBlock(config)] * config.depth)


def stack_of_copies(config):
    block = EncoderBlock(config)
    return nn.Sequential(*(copy.deepcopy(block) for _ in range(config.depth)))


def blocks_in(stack):
    """Its encoder blocks, told by their parts: the reader's own class, solved in 4.1, is another."""
    parts = ("norm1", "attn", "norm2", "mlp")
    return [part for part in stack.modules() if all(hasattr(part, name) for name in parts)]


def use_stack(piece, config):
    """What can be told about a stack: its kind, its blocks, what they share, and what it computes."""
    stack = piece(config)
    if not isinstance(stack, nn.Module):
        return f"a {type(stack).__name__}"
    blocks = blocks_in(stack)
    in_blocks = {id(p): p.numel() for block in blocks for p in block.parameters()}
    parameters = list(stack.parameters())  # each once, however many blocks have it
    return {
        "blocks": len(stack) if isinstance(stack, nn.Sequential) else len(blocks),
        "different blocks": len({id(block) for block in blocks}),
        "numbers in all blocks together": sum(in_blocks.values()),
        "numbers outside of blocks": sum(p.numel() for p in parameters) - sum(in_blocks.values()),
        "numbers that are frozen": sum(p.numel() for p in parameters if not p.requires_grad),
        "different starts": len({block.attn.qkv.weight.sum().item() for block in blocks}),
        "in training mode": stack.training,
        "heads in each block": sorted({block.attn.num_heads for block in blocks}),
        "can be called": type(stack).forward is not nn.ModuleList.forward,
    }


def check_stack(answer):
    """Wrong if a stack computes something else than its blocks, one after the other."""
    config = ViTConfig(**TINY | {"depth": 3})
    stack, x = answer(config), random(2, 5, 12)
    expected = x
    for block in blocks_in(stack):
        expected = block.eval()(expected)
    for train in (False, True):
        value = attempt(lambda train=train: stack.train(train)(x))
        if not same(value, expected):
            raise Wrong(
                "the blocks are there, and what the stack makes of tokens is not what they make of "
                "them one after the other: nothing else should stand between or behind them, and "
                f"no path is dropped (a drop_path_rate of 0). {difference(value, expected)}"
            )


EXERCISES = [
    Piece(
        "EncoderBlock",
        "4.1",
        "The encoder block",
        level=2,
        minutes=12,
        reference=EncoderBlock,
        cases=block_cases,
        use=use_block,
        also=check_dropped_paths,
        more=more_block_mistakes,
        mistakes={
            "the attention replaces the tokens: `x +` is missing in Eq. 2": block_with(
                first=lambda self, x: self.attn(self.norm1(x))
            ),
            "the MLP replaces the tokens: `x +` is missing in Eq. 3": block_with(
                second=lambda self, x: self.mlp(self.norm2(x))
            ),
            "this is post-norm: in a ViT the norm stands before the layer, and the sum stays as it "
            "is": block_with(
                first=lambda self, x: self.norm1(x + self.attn(x)),
                second=lambda self, x: self.norm2(x + self.mlp(x)),
            ),
            "the attention reads tokens that are not normalised: norm1 is missing": block_with(
                first=lambda self, x: x + self.attn(x)
            ),
            "the MLP reads tokens that are not normalised: norm2 is missing": block_with(
                second=lambda self, x: x + self.mlp(x)
            ),
            "norm1 is used twice: the MLP has its own norm2": block_with(
                second=lambda self, x: x + self.mlp(self.norm1(x))
            ),
            "norm1 and norm2 are exchanged": block_with(
                first=lambda self, x: x + self.attn(self.norm2(x)),
                second=lambda self, x: x + self.mlp(self.norm1(x)),
            ),
            "the residual stream itself is normalised: what is added to must be x, not norm(x)": (
                block_with(first=lambda self, x: self.norm1(x) + self.attn(self.norm1(x)))
            ),
            "the MLP's half adds to a normalised copy: what is added to must be x, not norm(x)": (
                block_with(second=lambda self, x: self.norm2(x) + self.mlp(self.norm2(x)))
            ),
            "both halves add to a normalised copy: what is added to must be x, not norm(x)": (
                block_with(
                    first=lambda self, x: self.norm1(x) + self.attn(self.norm1(x)),
                    second=lambda self, x: self.norm2(x) + self.mlp(self.norm2(x)),
                )
            ),
            "both norms are missing: attention and MLP read normalised tokens": block_with(
                first=lambda self, x: x + self.attn(x), second=lambda self, x: x + self.mlp(x)
            ),
            "attention and MLP both read the input of the block: the MLP comes after, Eq. 3": (
                block_by(lambda self, x: x + self.attn(self.norm1(x)) + self.mlp(self.norm2(x)))
            ),
            "the MLP comes first: Eq. 2 is the attention": block_by(mlp_first),
            "the lines of post-norm run as well: `return` is missing where norm_first is True": (
                block_by(and_post_norm)
            ),
            "both `x +` are missing: attention and MLP add to the tokens, they do not replace them": (
                block_by(lambda self, x: self.mlp(self.norm2(self.attn(self.norm1(x)))))
            ),
        },
    ),
    Piece(
        "VisionTransformer",
        "4.2",
        "The whole model",
        level=3,
        minutes=20,
        reference=VisionTransformer,
        cases=model_cases,
        more=more_model_mistakes,
        use=use_model,
        also=check_forward_features,
        mistakes={
            "the norm after the last block is missing, Eq. 4": model_with(
                features=lambda self, x: self.blocks(x)
            ),
            "the norm stands before the blocks: Eq. 4 normalises what comes out of the last": (
                model_with(features=lambda self, x: self.blocks(self.norm(x)))
            ),
            "the head reads the first patch (or a register): the class token is token 0": model_with(
                read=lambda self, x: self.head(x[:, 1])
            ),
            "the head reads the last token: the class token is token 0": model_with(
                read=lambda self, x: self.head(x[:, -1])
            ),
            "it reads `x[0]`, the first image: the first *token* is `x[:, 0]`": model_with(
                read=lambda self, x: self.head(x[0])
            ),
            "the mean runs over all tokens: with pool='class' token 0 is read": model_with(
                read=lambda self, x: self.head(x.mean(dim=1))
            ),
            "the head is missing: these are D numbers, not one for each class": model_with(
                read=lambda self, x: x[:, 0]
            ),
            "positions are not added": model_with(
                embed=lambda self, patches: self.cls_token(self.reg_token(patches))
            ),
            "positions are added before the class token comes in, so that it gets none": model_with(
                embed=positions_before_class_token
            ),
            "registers come before the class token: the order is class, registers, patches": (
                model_with(embed=class_token_behind_registers)
            ),
            "`pool` is ignored: token 0 is the class token only if pool is 'class'": model_with(
                pooled=lambda self, x: self.head(x[:, 0])
            ),
            "the mean runs over registers too: patches begin at self.num_prefix": model_with(
                pooled=lambda self, x: pool(self, x, 0)
            ),
            "the first patch is left out of the mean: patches begin at self.num_prefix": model_with(
                pooled=lambda self, x: pool(self, x, 1)
            ),
            "attention pooling is not used: with pool='attention' self.attn_pool weighs the "
            "patches": model_with(
                pooled=lambda self, x: self.head(x[:, self.num_prefix :].mean(dim=1))
            ),
            "it gives probabilities: the loss expects logits, and applies the softmax itself": (
                model_with(
                    read=lambda self, x: self.head(x[:, 0]).softmax(dim=-1),
                    pooled=lambda self, x: pool(self, x, self.num_prefix).softmax(dim=-1),
                )
            ),
            "where the class token is read it gives probabilities: the loss expects logits": (
                model_with(read=lambda self, x: self.head(x[:, 0]).softmax(dim=-1))
            ),
        },
    ),
    Piece(
        "parameters_of",
        "4.3",
        "Count the parameters",
        level=2,
        minutes=12,
        reference=parameters_of,
        cases=config_cases,
        use=counted,
        more=more_counts,
        has_gradient=False,
        mistakes={
            "D numbers are missing: the class token, its row of positions, or the bias of the patch "
            "embedding": parameters_without(lambda c: c.embed_dim),
            "2·D numbers are missing: the norm after the last block, or the class token *and* its row of "
            "positions": parameters_without(lambda c: 2 * c.embed_dim),
            "all norms are missing: a scale and a shift for each of D numbers, 2·L + 1 times": (
                parameters_without(lambda c: (2 * c.depth + 1) * 2 * c.embed_dim)
            ),
            "a norm has a scale *and* a shift, 2·D numbers": parameters_without(
                lambda c: (2 * c.depth + 1) * c.embed_dim
            ),
            "a block has two norms, not one": parameters_without(
                lambda c: c.depth * 2 * c.embed_dim
            ),
            "attention's last map, `proj`, is missing in each block": parameters_without(
                lambda c: c.depth * (c.embed_dim**2 + c.embed_dim)
            ),
            "4·D numbers are missing in each block: the biases of qkv and proj, or the two norms": parameters_without(
                lambda c: c.depth * 4 * c.embed_dim
            ),
            "the biases of the MLP are missing": parameters_without(
                lambda c: c.depth * (int(c.embed_dim * c.mlp_ratio) + c.embed_dim)
            ),
            "one block was counted: there are L": parameters_without(
                lambda c: (c.depth - 1) * parameters_of_layers(c)
            ),
            "one block was counted, norms and all: there are L": parameters_without(
                lambda c: (c.depth - 1) * (parameters_of_layers(c) + 4 * c.embed_dim)
            ),
            "L is not used: there are as many blocks": parameters_without(
                lambda c: (
                    (c.depth - 1) * (parameters_of_layers(c) + 4 * c.embed_dim) + 2 * c.embed_dim
                )
            ),
            "the biases of qkv are missing, 3·D in each block": parameters_without(
                lambda c: c.depth * 3 * c.embed_dim
            ),
            "the head is missing": parameters_without(lambda c: c.num_classes * (c.embed_dim + 1)),
            "the bias of the head is missing": parameters_without(lambda c: c.num_classes),
            "the positions are missing: a row of D numbers for each of T = N + 1 tokens": (
                lambda c: parameters_of(c) - c.embed_dim * ((c.image_size // c.patch_size) ** 2 + 1)
            ),
        },
    ),
    Piece(
        "stack",
        "4.4",
        "Find the bug: L blocks",
        level=1,
        minutes=6,
        reference=stack,
        broken=stack_of_one,
        cases=lambda: [{"config": ViTConfig(**TINY | {"depth": depth})} for depth in (3, 1, 5)],
        use=use_stack,
        also=check_stack,
        has_gradient=False,
        mistakes={
            "a list is not a module: its blocks are neither trained nor saved": (
                lambda config: [EncoderBlock(config) for _ in range(config.depth)]
            ),
            "copies of one block start equal: build each block anew, so that it draws its own "
            "weights": stack_of_copies,
            "there is one block too many or too few: range(L) counts L": (
                lambda config: nn.Sequential(
                    *(EncoderBlock(config) for _ in range(1, config.depth))
                )
            ),
            "a ModuleList cannot be called: nn.Sequential runs its parts one after the other": (
                lambda config: nn.ModuleList(EncoderBlock(config) for _ in range(config.depth))
            ),
            "this is a single block": lambda config: nn.Sequential(EncoderBlock(config)),
        },
    ),
    Answer(
        "times_as_many_weights",
        "4.5",
        "Half the patch side",
        level=1,
        minutes=4,
        expected=(257 / 65) ** 2,
        tolerance=3e-3,  # to one decimal
        mistakes={
            16: "nearly: the class token is in both, so T does not grow by quite 4",
            4: "this is by how much the number of patches grows; every token weighs every token",
            257 / 65: "this is by how much T grows; the weights are a table of T × T",
            0.25: "half the side means four times as many patches, not half as many",
            (65 / 17) ** 2: "this is from P = 8 to P = 4",
            2: "P is halved along both sides of the image: four times the patches",
            8: "T × T: both sides of the table grow",
            256: "these are the patches at P = 2",
        },
    ),
]
