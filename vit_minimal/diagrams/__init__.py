"""Diagrams of a Vision Transformer, in one visual language (card.py). They know arrays, not models.

Each function draws one figure, works out all numbers in it from what it is given, and shows it with
words for readers who cannot see it.
"""

from .attention import attention_by_hand, attention_in_tables, heads_side_by_side
from .blocks import block, gelu, layer_norm, stream
from .class_token import class_token_idea, class_token_places
from .looking import cut_off, cut_or_late, probes, reading_blocks, weighed_by_gradient
from .machines import (
    float_formats,
    gradient_accumulation,
    two_processes,
    what_is_saved,
)
from .museum import amounts, owners, shares, weights_of_blocks
from .overlays import attention_over, journey, windows
from .pitfalls import (
    cut_class_token,
    cuts,
    exchange,
    heads_read,
)
from .sequences import (
    axes_of_patchify,
    heads_in_memory,
    memory,
    patch_sequence,
    strided_convolution,
)
from .starts import norm_divides, signs_and_costs, what_adds_up, zero_pairs
from .steps import curve_gallery, descent, even_step, training_loop
from .transfer import layer_decay, transfer
from .whole import overview
