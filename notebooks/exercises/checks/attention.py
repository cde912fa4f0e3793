"""The exercises of notebook 03: which token attends to which."""

import inspect

import torch

from vit_minimal.attention import MultiHeadSelfAttention, attention_weights

from .engine import Answer, Piece
from .helpers import Wrong, attempt, random, same, with_forward
from .modules import WithWeights, check_method
from .words import difference
from .wrong_attention import (
    attention_with,
    merge_by_reshape,
    merge_heads,
    more_attention_mistakes,
    more_weight_mistakes,
    plain_exponentials,
    scores,
    split_by_view,
    split_heads,
)


def weight_cases():
    """One head, several, more keys than queries, not contiguous, large scores."""
    yield {"queries": random(4, 3) * 2, "keys": random(4, 3, seed=1) * 2}
    yield {"queries": random(2, 3, 5, 4) * 2, "keys": random(2, 3, 5, 4, seed=1) * 2}
    yield {"queries": random(1, 2, 3, 8), "keys": random(1, 2, 6, 8, seed=1)}
    yield {"queries": random(4, 5, 2).transpose(1, 2), "keys": random(4, 5, 2, seed=1).mT}
    yield {"queries": 80 * random(1, 1, 4, 6), "keys": 80 * random(1, 1, 4, 6, seed=1)}
    yield {"queries": random(3, 4, 4).double(), "keys": random(3, 4, 4, seed=1).double()}
    steep = torch.tensor([[0.0, 0.0], [200.0, 0.0], [-200.0, 0.0]])  # scores 280 apart
    yield {"queries": steep, "keys": torch.tensor([[1.0, 0.5], [0.0, 1.0], [-1.0, 0.0]])}


def check_mask(answer):
    """Wrong if a mask, which may be left out, is taken and used in another way than the course's."""
    if "mask" not in inspect.signature(answer).parameters:
        return
    mask = torch.ones(4, 4, dtype=torch.bool).tril()
    hidden = 200 * torch.triu(torch.ones(4, 4), 1) - 100  # what is hidden has the largest scores
    first = random(2, 4, 3), random(2, 4, 3, seed=1)
    if same(attempt(lambda: answer(*first, mask=mask)), attention_weights(*first)):
        return  # it is left out
    for pair in (first, (first[0][0], first[1][0]), (2 * torch.eye(4), hidden.mT)):
        value, expected = (
            attempt(lambda x=pair: answer(*x, mask=mask)),
            attention_weights(*pair, mask),
        )
        if not same(value, expected):
            raise Wrong(
                "it is right without a mask, and wrong with one: where the mask is False, the score "
                "becomes −∞ before the softmax, so that nothing gets through. (You may also leave "
                f"the mask out.) {difference(value, expected)}"
            )


def split_cases():
    yield {"x": torch.arange(24.0).reshape(1, 4, 6), "num_heads": 2}
    yield {"x": random(2, 5, 12), "num_heads": 3}
    yield {"x": random(3, 6, 6), "num_heads": 6}
    yield {"x": random(12, 5, 2).transpose(0, 2), "num_heads": 4}
    yield {"x": random(1, 3, 4), "num_heads": 1}


def merge_cases():
    yield {"heads": torch.arange(12.0).reshape(1, 2, 3, 2)}
    yield {"heads": random(2, 3, 5, 4)}
    yield {"heads": random(3, 4, 4, 4)}
    yield {"heads": random(1, 6, 1, 2)}
    yield {"heads": random(2, 8, 3, 2)}


def attention_cases():
    """Several heads, one head, one image, more tokens than numbers, not contiguous."""
    yield {"settings": {"embed_dim": 12, "num_heads": 3}, "x": 2 * random(2, 5, 12)}
    yield {"settings": {"embed_dim": 8, "num_heads": 1}, "x": 2 * random(3, 4, 8)}
    settings = {"embed_dim": 4, "num_heads": 2, "attn_drop_rate": 0.5}  # not in eval mode
    yield {"settings": settings, "x": 2 * random(1, 9, 4)}
    yield {"settings": {"embed_dim": 6, "num_heads": 6}, "x": 2 * random(6, 5, 2).transpose(0, 2)}
    settings = {"embed_dim": 8, "num_heads": 2, "proj_drop_rate": 0.5}
    yield {"settings": settings, "x": random(2, 13, 8)}
    yield {"settings": {"embed_dim": 8, "num_heads": 2}, "x": 20 * random(2, 4, 8)}  # large scores


use_attention = WithWeights(MultiHeadSelfAttention)


def check_split_heads(answer):
    """Wrong if the method, on which others rely, does not give what it should."""
    module = use_attention.build(answer, {"embed_dim": 6, "num_heads": 3})
    check_method(module, MultiHeadSelfAttention, "split_heads", random(2, 4, 6))


HIDDEN = torch.ones(5, 5, dtype=torch.bool).tril()  # one object: weights are kept by settings


def check_module(answer):
    """Wrong if split_heads, or a mask that the module takes, does not give what it should."""
    check_split_heads(answer)
    if "mask" not in inspect.signature(answer).parameters:
        return
    settings, x = {"embed_dim": 6, "num_heads": 3}, 2 * random(2, 5, 6)
    plain = attempt(lambda: use_attention(answer, settings, x=x))
    value = attempt(lambda: use_attention(answer, settings | {"mask": HIDDEN}, x=x))
    expected = use_attention(MultiHeadSelfAttention, settings | {"mask": HIDDEN}, x=x)
    if not same(value, expected) and not same(value, plain):
        raise Wrong(
            "it is right without a mask, and wrong with one: where `self.mask` is False, the score "
            "becomes −∞ before the softmax, so that nothing gets through. (You may also leave the "
            f"mask out.) {difference(value, expected)}"
        )


EXERCISES = [
    Piece(
        "attention_weights",
        "3.1",
        "Who looks at whom",
        level=2,
        minutes=10,
        reference=attention_weights,
        cases=weight_cases,
        more=more_weight_mistakes,
        also=check_mask,
        mistakes={
            "the columns sum to 1, not the rows: the softmax must run over the keys, dim=-1": (
                lambda queries, keys: scores(queries, keys).softmax(dim=-2)
            ),
            "the softmax runs over axis 1: count from the end, dim=-1, since any axes may stand in "
            "front": lambda queries, keys: scores(queries, keys).softmax(dim=1),
            "axes 1 and 2 are not always the last two: count from the end, transpose(-2, -1)": (
                lambda queries, keys: (
                    queries @ keys.transpose(1, 2) / queries.shape[-1] ** 0.5
                ).softmax(dim=-1)
            ),
            "the scores are not divided by √d": (
                lambda queries, keys: (queries @ keys.mT).softmax(dim=-1)
            ),
            "the scores are divided by d: it is √d, since a sum of d terms is of size √d": (
                lambda queries, keys: (queries @ keys.mT / queries.shape[-1]).softmax(dim=-1)
            ),
            "the scores are multiplied by √d: they should be divided": (
                lambda queries, keys: (queries @ keys.mT * queries.shape[-1] ** 0.5).softmax(dim=-1)
            ),
            "the scores are divided by √T: d is the length of a query, the last axis": (
                lambda queries, keys: (queries @ keys.mT / queries.shape[-2] ** 0.5).softmax(dim=-1)
            ),
            "these are the scores: the softmax is missing": scores,
            "keys and queries are exchanged: rows belong to queries": (
                lambda queries, keys: attention_weights(keys, queries)
            ),
            "the division comes after the softmax: the rows then sum to 1/√d": (
                lambda queries, keys: (queries @ keys.mT).softmax(dim=-1) / queries.shape[-1] ** 0.5
            ),
            "large scores overflow: e⁹⁰ is too large for float32. torch.softmax subtracts the "
            "largest score first": plain_exponentials,
        },
    ),
    Piece(
        "split_heads",
        "3.2",
        "Split the heads",
        level=2,
        minutes=8,
        reference=split_heads,
        cases=split_cases,
        mistakes={
            "right shape, but a head holds all numbers of some tokens, instead of some numbers of "
            "all tokens: split the last axis where it is, then move the heads": split_by_view,
            "the heads still stand behind the tokens, (B, T, h, d): a transpose is missing": (
                lambda x, h: x.reshape(*x.shape[:2], h, -1)
            ),
            "the last axis is split into (d, h): neighbours then land in different heads": (
                lambda x, h: x.reshape(*x.shape[:2], -1, h).permute(0, 3, 1, 2)
            ),
            "every head has the tokens as columns, (B, h, d, T)": (
                lambda x, h: split_heads(x, h).transpose(2, 3)
            ),
            "a shape needs whole numbers: D // h, since / gives a fraction": (
                lambda x, h: x.reshape(*x.shape[:2], h, x.shape[2] / h)
            ),
            "the heads have moved into the batch, (B·h, T, d)": (
                lambda x, h: split_heads(x, h).flatten(0, 1)
            ),
        },
    ),
    Answer(
        "score_size",
        "3.3",
        "How large are the scores?",
        level=1,
        minutes=4,
        expected=8,
        tolerance=0.05,  # whoever simulates it is near
        mistakes={
            128**0.5: "each query number meets one key number: a sum of 64 terms, not of 128",
            128: "variances are added up, not standard deviations, and there is one term for each of d",
            32: "variances add up: 64 terms of variance 1, and then the root",
            64: "this is the variance; the standard deviation is its square root",
            1: "this is the size *after* the division by √d",
            4096: "variances add up: 64 terms of variance 1",
            0: "this is the mean: positive and negative terms cancel on average, but a single score "
            "is as a rule not near zero",
            0.125: "this is 1/√d, what one multiplies with to bring the scores to size 1",
        },
    ),
    Piece(
        "MultiHeadSelfAttention",
        "3.4",
        "Multi-head self-attention",
        level=3,
        minutes=20,
        reference=MultiHeadSelfAttention,
        cases=attention_cases,
        more=more_attention_mistakes,
        use=use_attention,
        also=check_module,
        mistakes={
            "it divides by √D: a head's queries have d = D / h numbers": attention_with(
                weigh=lambda q, k: (q @ k.mT / (q.shape[1] * q.shape[-1]) ** 0.5).softmax(dim=-1)
            ),
            "the scores are not divided by √d": attention_with(
                weigh=lambda q, k: (q @ k.mT).softmax(dim=-1)
            ),
            "the rows of the attention weights do not sum to 1, their columns do: the softmax must "
            "run over the keys": attention_with(weigh=lambda q, k: scores(q, k).softmax(dim=-2)),
            "the heads are put together without the transpose: numbers of several tokens land in "
            "one": attention_with(merge=merge_by_reshape),
            "heads are split by a reshape alone: a head then holds all numbers of some tokens": (
                attention_with(split=split_by_view)
            ),
            "heads are split by a reshape alone, and put together in the same way": attention_with(
                split=split_by_view,
                merge=lambda heads: heads.flatten(1, 2).reshape(len(heads), heads.shape[2], -1),
            ),
            "the last linear map, `proj`, is not used: it mixes the heads": attention_with(
                last=False
            ),
            "queries and keys are exchanged, in qkv (queries come first) or in the call": (
                attention_with(order=(1, 0, 2))
            ),
            "keys and values are exchanged: qkv gives queries, keys, values, in this order": (
                attention_with(order=(0, 2, 1))
            ),
            "queries and values are exchanged: qkv gives queries, keys, values, in this order": (
                attention_with(order=(2, 1, 0))
            ),
            "qkv gives all queries, then all keys, then all values; here they are taken head by head": (
                attention_with(interleaved=True)
            ),
            "it is one attention of width D: the heads are never split": attention_with(
                split=lambda x, h: x[:, None]
            ),
            "the input is added: the residual connection belongs to the block, not in here": (
                with_forward(
                    MultiHeadSelfAttention,
                    lambda self, x: x + MultiHeadSelfAttention.forward(self, x),
                )
            ),
        },
    ),
    Piece(
        "merge_heads",
        "3.5",
        "Find the bug: heads put together",
        level=2,
        minutes=8,
        reference=merge_heads,
        broken=merge_by_reshape,
        cases=merge_cases,
        mistakes={
            "the heads are summed: they should stand side by side, D = h·d numbers": (
                lambda heads: heads.sum(dim=1)
            ),
            "right shape, but the numbers of the heads are interleaved: h before d in the last axis": (
                lambda heads: heads.permute(0, 2, 3, 1).flatten(2)
            ),
            "tokens and numbers were exchanged: exchange heads and tokens, axes 1 and 2": (
                lambda heads: heads.transpose(2, 3).reshape(len(heads), heads.shape[2], -1)
            ),
            "this is (B, T, h, d): flatten the last two axes": (
                lambda heads: heads.transpose(1, 2)
            ),
            "all heads are stacked as if they were tokens, (B, h·T, d)": (
                lambda heads: heads.flatten(1, 2)
            ),
        },
    ),
    Answer(
        "blind_mask",
        "3.6",
        "A mask that hides the patches from the class token",
        level=1,
        minutes=4,
        expected="a",
        mistakes={
            "b": "this is column 0: the patches cannot see the class token, but it sees them",
            "c": "this is column 0 with the class token itself: nobody sees it, and it sees the "
            "patches",
            "d": "it sees all patches, and only itself it does not see",
        },
    ),
]
