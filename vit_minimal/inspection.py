"""Looking into a model without changing what it computes.

L layers, B batch, h heads, T tokens.
"""

import torch

from .attention import attention_weights
from .augment import normalize


@torch.no_grad()
def attention_maps(model, images):
    """Who looks at whom: (L, B, h, T, T); row i of a map says where token i looks, and sums to 1.

    `images` are uint8 or already normalised, (B, C, H, W). The weights are computed beside the
    model's own attention, from the same queries and keys, so its outputs stay what they are.
    """
    maps = []

    def record(attention, inputs, output):
        queries, keys, _ = attention.split_heads(inputs[0])
        maps.append(attention_weights(queries, keys))

    hooks = [block.attn.register_forward_hook(record) for block in model.blocks]
    was_training = model.training
    try:
        model.eval()
        model.forward_features(normalize(images.to(next(model.parameters()).device)))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return torch.stack(maps)
