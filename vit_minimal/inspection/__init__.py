"""Looking into a model: where its tokens look, what they hold, and what happens without them.

L blocks, B batch, h heads, T tokens, N patches, D embedding width. A token is what leaves a block
(the residual stream); the last norm and the head come after it. Images are uint8, or floats that
are normalised already, as tensors or NumPy arrays; whatever device the model is on, results are on
the CPU. A model that was compiled or wrapped is looked into like the plain one. All refuse, with a
ValueError, a variant that keeps its tokens in another order than class token, registers, patches, and
a model of which the blocks are not those of its `config`. Who looks at whom is not said either where
an attention layer has a `forward` or a hook of its own; what the tokens hold is.
"""

from .ablations import deletion_test, knock_out, mean_ablation, mean_reads, replace_by_noise
from .looking import look_into
from .maps import (
    attention_distance,
    attention_maps,
    attention_rollout,
    gradient_attention,
    pointing_accuracy,
)
from .probes import (
    Journey,
    class_token_journey,
    features,
    fit_class_token_probes,
    fit_probes,
    read_class_token,
)
