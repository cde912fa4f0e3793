"""Attention from the formula: held against PyTorch's function and PyTorch's module."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vit_minimal.attention import MultiHeadSelfAttention, attention_weights, head_dim

HEADS = [1, 3, 4]
D = 12


class AsOnGPU(torch.Tensor):
    """A tensor that says it is on a GPU, so that the fused kernel is taken."""

    is_cuda = True


def random_attention(num_heads, **rates):
    """An attention in float64 whose biases are not zero."""
    attention = MultiHeadSelfAttention(D, num_heads, **rates).double()
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.5)
    return attention


def random_tokens(B=2, T=5):
    return torch.randn(B, T, D, dtype=torch.float64)


# --- the formula ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 7, 4), (1, 1, 1, 9)])
def test_weights_equal_pytorch_s_function(shape):
    queries, keys = torch.randn(2, *shape, dtype=torch.float64)
    identity = torch.eye(shape[-2], dtype=torch.float64).expand(*shape[:-1], -1)
    theirs = F.scaled_dot_product_attention(queries, keys, identity)
    torch.testing.assert_close(attention_weights(queries, keys), theirs, rtol=0, atol=1e-12)


def test_each_query_shares_out_one_over_the_keys():
    weights = attention_weights(torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4))
    assert weights.shape == (2, 3, 5, 7)
    assert weights.min() > 0
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))


def test_weights_stay_finite_when_scores_are_huge():
    weights = attention_weights(torch.full((3, 4), 1e4), torch.randn(5, 4) * 1e4)
    assert weights.isfinite().all()


# --- several heads --------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [1, 5, 17])
@pytest.mark.parametrize("num_heads", HEADS)
@pytest.mark.parametrize("B", [1, 3])
def test_equals_pytorch_s_module_with_the_same_weights(B, num_heads, T):
    ours, x = random_attention(num_heads), random_tokens(B, T)
    theirs = nn.MultiheadAttention(D, num_heads, batch_first=True, dtype=torch.float64)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.proj.weight,
            "out_proj.bias": ours.proj.bias,
        }
    )
    expected, weights = theirs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-12)
    queries, keys, _ = ours.split_heads(x)
    torch.testing.assert_close(attention_weights(queries, keys), weights, rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_heads", HEADS)
def test_equals_pytorch_s_function_with_heads_cut_by_hand(num_heads):
    attention, x = random_attention(num_heads), random_tokens()
    d = D // num_heads
    queries, keys, values = attention.qkv(x).split(D, dim=-1)
    heads = [
        F.scaled_dot_product_attention(*(part[..., i * d : i * d + d] for part in parts))
        for i in range(num_heads)
        for parts in [(queries, keys, values)]
    ]
    expected = attention.proj(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_heads", HEADS)
def test_heads_are_split_into_batch_head_token_width(num_heads):
    for part in random_attention(num_heads).split_heads(random_tokens(B=2, T=5)):
        assert part.shape == (2, num_heads, 5, D // num_heads)


@pytest.mark.parametrize("num_heads", HEADS)
def test_fused_kernel_gives_the_same_numbers(num_heads):
    attention, x = random_attention(num_heads), random_tokens()
    fused = attention(x.as_subclass(AsOnGPU)).as_subclass(torch.Tensor)
    torch.testing.assert_close(fused, attention(x), rtol=0, atol=1e-12)


@pytest.fixture
def fused_calls(monkeypatch):
    """Grows with each call of PyTorch's fused kernel."""
    calls, kernel = [], F.scaled_dot_product_attention

    def counted(*tensors, **settings):
        calls.append(tensors[0].dtype)
        return kernel(*tensors, **settings)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    return calls


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("subclass", [torch.Tensor, AsOnGPU], ids=["CPU", "GPU"])
def test_kernel_is_fused_on_gpus_and_in_float32(dtype, subclass, fused_calls):
    attention, x = random_attention(3).to(dtype), random_tokens().to(dtype).as_subclass(subclass)
    attention(x)
    on_gpu = subclass is AsOnGPU
    assert fused_calls == ([dtype] if on_gpu or dtype == torch.float32 else [])


@pytest.mark.parametrize("subclass", [torch.Tensor, AsOnGPU], ids=["CPU", "GPU"])
def test_under_autocast_what_counts_is_the_precision_of_the_queries(subclass, fused_calls):
    attention, x = random_attention(3).float(), random_tokens().float().as_subclass(subclass)
    with torch.autocast("cpu", torch.bfloat16):
        attention(x)
    assert fused_calls == ([torch.bfloat16] if subclass is AsOnGPU else [])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA can use")
@pytest.mark.parametrize("num_heads", HEADS)
def test_gpu_gives_the_same_numbers(num_heads):
    attention, x = random_attention(num_heads), random_tokens()
    expected = attention(x)
    on_gpu = attention.cuda()(x.cuda()).cpu()
    torch.testing.assert_close(on_gpu, expected, rtol=0, atol=1e-10)


# --- what follows from the formula ----------------------------------------------------------------


@pytest.mark.parametrize("num_heads", HEADS)
def test_permuted_tokens_give_permuted_outputs(num_heads):
    attention, x = random_attention(num_heads), random_tokens(T=6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(attention(x[:, order]), attention(x)[:, order])


@pytest.mark.parametrize("num_heads", HEADS)
def test_samples_of_a_batch_do_not_see_each_other(num_heads):
    attention, x = random_attention(num_heads), random_tokens(B=3).requires_grad_()
    out = attention(x)
    out[0].sum().backward()
    assert x.grad[0].any() and not x.grad[1:].any()
    for i in range(3):
        torch.testing.assert_close(attention(x[i : i + 1]), out[i : i + 1])


def test_every_token_sees_every_token():
    attention, x = random_attention(3), random_tokens(B=1).requires_grad_()
    for i in range(5):
        (gradient,) = torch.autograd.grad(attention(x)[0, i].sum(), x)
        assert gradient[0].any(dim=-1).all()


# --- masks ----------------------------------------------------------------------------------------

MASKS = {
    "causal": torch.ones(5, 5).tril().bool(),
    "each alone": torch.eye(5).bool(),
    "one is blind": torch.tensor([[True] + [False] * 4] + [[True] * 5] * 4),
    "all": torch.ones(5, 5).bool(),
}
each_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


def masked_attention(mask):
    attention = random_attention(3)
    attention.mask = mask
    return attention


def masked_by_hand(attention, x):
    """One token after the other: it attends to those that its row of the mask allows."""
    tokens = []
    queries, keys, values = attention.split_heads(x)  # each (B, h, T, d)
    for i, allowed in enumerate(attention.mask):
        scores = torch.einsum("bhd,bhjd->bhj", queries[:, :, i], keys[:, :, allowed])
        weights = (scores / keys.shape[-1] ** 0.5).exp()
        weights = weights / weights.sum(dim=-1, keepdim=True)
        tokens.append(torch.einsum("bhj,bhjd->bhd", weights, values[:, :, allowed]))
    return attention.proj(torch.stack(tokens, dim=2).transpose(1, 2).flatten(2))


@each_mask
@pytest.mark.parametrize("subclass", [torch.Tensor, AsOnGPU], ids=["formula", "fused"])
def test_under_a_mask_a_token_attends_to_what_its_row_allows(mask, subclass):
    attention, x = masked_attention(mask), random_tokens()
    found = attention(x.as_subclass(subclass)).as_subclass(torch.Tensor)
    torch.testing.assert_close(found, masked_by_hand(attention, x), rtol=0, atol=1e-12)


@each_mask
def test_all_precisions_agree_under_a_mask(mask):
    attention, x = masked_attention(mask), random_tokens()
    exact = attention(x)
    for dtype, error in ((torch.float32, 1e-5), (torch.bfloat16, 0.1)):  # fused, formula
        found = attention.to(dtype)(x.to(dtype)).double()
        assert (found - exact).abs().max() < error * exact.std()


@each_mask
def test_weights_are_zero_where_the_mask_forbids_and_sum_to_one(mask):
    weights = attention_weights(*torch.randn(2, 2, 3, 5, 4), mask)
    assert not weights[..., ~mask].any() and weights[..., mask].all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))


@pytest.mark.parametrize("score", [-1e6, 1e6])
def test_a_mask_forbids_whatever_the_scores_are(score):
    queries, keys = torch.ones(2, 4), torch.tensor([[score], [0.0]]).expand(2, 4)
    mask = torch.tensor([[True, False], [False, True]])
    assert attention_weights(queries, keys, mask).tolist() == [[1, 0], [0, 1]]


@each_mask
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fused", "formula"])
def test_gradients_go_where_the_mask_allows_and_are_finite(mask, dtype):
    attention = masked_attention(mask).to(dtype)
    x = random_tokens(B=1).to(dtype).requires_grad_()
    for i in range(5):
        (gradient,) = torch.autograd.grad(attention(x)[0, i].sum(), x)
        assert gradient.isfinite().all()
        assert torch.equal(gradient[0].any(dim=-1), mask[i])


@pytest.mark.parametrize("numbers", [torch.float64, torch.float32, torch.bfloat16, torch.int64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fused", "formula"])
def test_a_mask_of_numbers_is_refused_instead_of_added(numbers, dtype):
    attention = masked_attention(MASKS["causal"].to(numbers)).to(dtype)
    with pytest.raises(ValueError, match="mask"):
        attention(random_tokens().to(dtype))


# --- dropout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("subclass", [torch.Tensor, AsOnGPU], ids=["formula", "fused"])
def test_weights_are_dropped_in_training_only(subclass):
    x = random_tokens().as_subclass(subclass)
    dropping = random_attention(3, attn_drop_rate=0.5)
    assert not torch.equal(dropping(x), dropping(x))
    dropping.eval()
    assert torch.equal(dropping(x), dropping(x))
    never = random_attention(3)
    never.load_state_dict(dropping.state_dict())
    assert torch.equal(dropping(x), never.train()(x))


@pytest.mark.parametrize("subclass", [torch.Tensor, AsOnGPU], ids=["formula", "fused"])
def test_dropped_weights_are_made_up_for_by_the_others(subclass):
    x = random_tokens(B=1).as_subclass(subclass)
    attention = random_attention(3, attn_drop_rate=0.3)
    many = attention(x.expand(4_000, -1, -1)).mean(dim=0, keepdim=True)
    difference = (many - attention.eval()(x)).abs().max()
    assert difference < 0.1 * many.std()


def test_all_weights_dropped_leave_the_bias():
    attention = random_attention(3, attn_drop_rate=1.0)
    assert torch.equal(attention(random_tokens()), attention.proj.bias.expand(2, 5, D))


def test_output_is_dropped_in_training_only():
    attention, x = random_attention(3, proj_drop_rate=1.0), random_tokens()
    assert not attention(x).any()
    assert attention.eval()(x).all()


# --- heads that do not fit ------------------------------------------------------------------------


@pytest.mark.parametrize("embed_dim, num_heads", [(10, 3), (8, 16), (8, 0), (8, -2)])
def test_heads_that_do_not_divide_the_width_are_named(embed_dim, num_heads):
    for make in (head_dim, MultiHeadSelfAttention):
        with pytest.raises(ValueError, match=f"num_heads {num_heads} .* embed_dim {embed_dim}"):
            make(embed_dim, num_heads)
    assert head_dim(12, 4) == 3
