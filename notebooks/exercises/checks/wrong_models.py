"""Wrong versions of a block and of a model, and of two mistakes at once."""

from vit_minimal.vision_transformer import EncoderBlock, VisionTransformer

from .helpers import pairs, with_forward


def block_by(norm_first):
    """A block whose pre-norm half, all that the exercise asks for, is done otherwise."""

    def forward(self, x):
        return norm_first(self, x) if self.norm_first else EncoderBlock.forward(self, x)

    return with_forward(EncoderBlock, forward)


def mlp_first(self, x):
    x = x + self.mlp(self.norm2(x))
    return x + self.attn(self.norm1(x))


def and_post_norm(self, x):
    x = x + self.attn(self.norm1(x))
    x = x + self.mlp(self.norm2(x))
    x = self.norm1(x + self.attn(x))
    return self.norm2(x + self.mlp(x))


def block_with(first=None, second=None):
    """A block whose first or second step is done otherwise."""

    def norm_first(self, x):
        x = first(self, x) if first else x + self.attn(self.norm1(x))
        return second(self, x) if second else x + self.mlp(self.norm2(x))

    return block_by(norm_first)


def model_with(features=None, read=None, embed=None, pooled=None):
    """A model in which one step is done otherwise; `read` is for pool='class', `pooled` for others."""

    def forward_features(self, images):
        patches = self.patch_embed(images)
        if embed:
            x = embed(self, patches)
        else:
            x = self.pos_embed(self.cls_token(self.reg_token(patches)))
        return features(self, x) if features else self.norm(self.blocks(self.pos_drop(x)))

    def forward(self, images):
        x = self.forward_features(images)
        if self.config.pool == "class":
            return read(self, x) if read else self.head(x[:, 0])
        return pooled(self, x) if pooled else pool(self, x, self.num_prefix)

    changed = {"forward_features": forward_features, "forward": forward}
    return type("VisionTransformer", (VisionTransformer,), changed)


def pool(model, x, skip):
    """What the head makes of a model that pools patches, when `skip` tokens are left out."""
    return model.head(model.attn_pool(x[:, skip:]) if model.attn_pool else x[:, skip:].mean(dim=1))


def positions_before_class_token(model, patches):
    table, R = model.pos_embed.weight, model.num_prefix
    return model.cls_token(model.reg_token(patches + table[:, R:]))


def class_token_behind_registers(model, patches):
    return model.pos_embed(model.reg_token(model.cls_token(patches)))


BLOCK_STEPS = {
    "the attention replaces the tokens: `x +` is missing": {
        "first": lambda self, x: self.attn(self.norm1(x))
    },
    "norm1 is missing: the attention reads the tokens as they are": {
        "first": lambda self, x: x + self.attn(x)
    },
    "the attention's half adds to norm1(x) and not to x": {
        "first": lambda self, x: self.norm1(x) + self.attn(self.norm1(x))
    },
    "norm1 comes after the attention: it should come before": {
        "first": lambda self, x: x + self.norm1(self.attn(x))
    },
    "norm1 is applied to the sum: that is post-norm": {
        "first": lambda self, x: self.norm1(x + self.attn(x))
    },
    "the attention is multiplied with the tokens: Eq. 2 adds": {
        "first": lambda self, x: x * self.attn(self.norm1(x))
    },
    "the attention is subtracted: Eq. 2 adds": {
        "first": lambda self, x: x - self.attn(self.norm1(x))
    },
    "the attention gets norm2": {"first": lambda self, x: x + self.attn(self.norm2(x))},
    "the MLP replaces the tokens: `x +` is missing": {
        "second": lambda self, x: self.mlp(self.norm2(x))
    },
    "norm2 is missing: the MLP reads the tokens as they are": {
        "second": lambda self, x: x + self.mlp(x)
    },
    "the MLP's half adds to norm2(x) and not to x": {
        "second": lambda self, x: self.norm2(x) + self.mlp(self.norm2(x))
    },
    "norm2 comes after the MLP: it should come before": {
        "second": lambda self, x: x + self.norm2(self.mlp(x))
    },
    "norm2 is applied to the sum: that is post-norm": {
        "second": lambda self, x: self.norm2(x + self.mlp(x))
    },
    "the MLP is multiplied with the tokens: Eq. 3 adds": {
        "second": lambda self, x: x * self.mlp(self.norm2(x))
    },
    "the MLP is subtracted: Eq. 3 adds": {"second": lambda self, x: x - self.mlp(self.norm2(x))},
    "the MLP gets norm1": {"second": lambda self, x: x + self.mlp(self.norm1(x))},
}


def to_the_input(count_first):
    """A block whose MLP adds to the block's input, with the first sum once more or left out."""

    def norm_first(self, x):
        y = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(y)) + (y if count_first else 0)

    return block_by(norm_first)


def more_block_mistakes():
    return (
        {
            "the MLP adds to the block's input, so that what the attention gave is lost: Eq. 3 adds "
            "to z′": to_the_input(False),
            "the block's input is in the sum twice: Eq. 3 adds to z′ alone": to_the_input(True),
        }
        | {words: block_with(**steps) for words, steps in BLOCK_STEPS.items()}
        | pairs(block_with, BLOCK_STEPS)
    )


MODEL_STEPS = {
    "the norm after the last block is missing": {"features": lambda self, x: self.blocks(x)},
    "the norm is applied before the blocks too": {
        "features": lambda self, x: self.norm(self.blocks(self.norm(x)))
    },
    "the positions come after the blocks: they belong before them, Eq. 1": {
        "features": lambda self, x: self.norm(self.pos_embed(self.blocks(x))),
        "embed": lambda self, patches: self.cls_token(self.reg_token(patches)),
    },
    "the positions are not added": {
        "embed": lambda self, patches: self.cls_token(self.reg_token(patches))
    },
    "the positions are added twice": {
        "embed": lambda self, patches: self.pos_embed(
            self.pos_embed(self.cls_token(self.reg_token(patches)))
        )
    },
    "the class token comes before the registers": {"embed": class_token_behind_registers},
    "the head reads token 1": {"read": lambda self, x: self.head(x[:, 1])},
    "the logits of all tokens are added up: only the class token is read": {
        "read": lambda self, x: self.head(x).sum(dim=1)
    },
    "the mean of all tokens is read: with pool='class' only the class token is": {
        "read": lambda self, x: self.head(x.mean(dim=1))
    },
    "softmax is applied": {"read": lambda self, x: self.head(x[:, 0]).softmax(dim=-1)},
}


def more_model_mistakes():
    shorter = {
        "forward_features gives less than all T tokens, after the norm: which of them is read is "
        "forward's business": lambda first: with_features(lambda self, x: x[:, first]),
    }
    return (
        {words: way(slice(1, None)) for words, way in shorter.items()}
        | {words: model_with(**steps) for words, steps in MODEL_STEPS.items()}
        | pairs(model_with, MODEL_STEPS)
    )


def with_features(part):
    """A model whose forward_features gives a part of the tokens."""

    def forward_features(self, images):
        return part(self, self.norm(VisionTransformer.forward_features(self, images)))

    return type("VisionTransformer", (VisionTransformer,), {"forward_features": forward_features})
