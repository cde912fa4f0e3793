"""Muon against torch's, and against what it is for: singular values near 1."""

import copy
import pickle

import pytest
import torch

from vit_minimal import TrainingConfig, VisionTransformer, ViTConfig
from vit_minimal.training import make_optimizers, muon
from vit_minimal.training.muon import Muon, newton_schulz

SHAPES = [(6, 6), (12, 4), (4, 12), (12, 4)]  # two alike go together


def matrices():
    return [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def run(optimizer, parameters, steps=5):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon since 2.9")
@pytest.mark.parametrize(
    "dtype, tolerance", [(torch.bfloat16, 0), (torch.float16, 1e-3), (torch.float32, 1e-3)]
)
def test_the_steps_are_those_of_torch(dtype, tolerance, monkeypatch):
    monkeypatch.setattr(muon, "pick_precision", lambda device: dtype)
    ours = matrices()
    theirs = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    settings = {"lr": 0.01, "weight_decay": 0.1}
    run(Muon(ours, **settings), ours)
    run(torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **settings), theirs)
    for one, other in zip(ours, theirs, strict=True):  # torch's products are always bfloat16
        torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


@pytest.mark.parametrize("shape", [*SHAPES[:3], (1, 7), (192, 64)])
def test_singular_values_end_near_one_and_directions_stay(shape):
    torch.manual_seed(0)
    matrix = 100 * torch.randn(shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    # Diagonal if the singular vectors are the same
    turned = u.mT @ newton_schulz(matrix[None])[0] @ v.mT
    values = turned.diagonal()
    assert 0.3 < values.min() <= values.max() < 1.3
    torch.testing.assert_close(turned, torch.diag(values), atol=1e-3, rtol=0)


def test_zero_gradients_leave_a_matrix_as_it_is():
    (matrix,) = parameters = [torch.nn.Parameter(torch.ones(3, 2))]
    matrix.grad = torch.zeros(3, 2)
    Muon(parameters, lr=0.1).step()
    assert torch.equal(matrix, torch.ones(3, 2))


def test_a_parameter_without_a_gradient_is_left_alone():
    first, second = parameters = matrices()[:2]
    first.grad, before = torch.ones_like(first), second.detach().clone()
    Muon(parameters, lr=0.1, weight_decay=0.1).step()
    assert torch.equal(second, before)


def test_a_stopped_run_goes_on_as_if_it_had_not_been():
    whole = matrices()
    halves = [torch.nn.Parameter(matrix.detach().clone()) for matrix in whole]
    run(optimizer := Muon(whole, lr=0.01), whole)
    run(optimizer, whole)
    run(first := Muon(halves, lr=0.01), halves)
    second = Muon(halves, lr=0.5)
    second.load_state_dict(first.state_dict())
    run(second, halves)
    for one, other in zip(whole, halves, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_takes_the_same_steps_in_the_same_precision(copied, monkeypatch):
    seen = []
    monkeypatch.setattr(
        muon, "newton_schulz", lambda x, dtype: seen.append(dtype) or newton_schulz(x, dtype)
    )
    for precision in ("bfloat16", "float32"):
        optimizer = Muon(matrices(), lr=0.01, precision=precision)
        run(optimizer, optimizer.param_groups[0]["params"])
        twin = copied(optimizer)
        pair = [made.param_groups[0]["params"] for made in (optimizer, twin)]
        for made, parameters in zip((optimizer, twin), pair, strict=True):
            run(made, parameters)
        assert all(map(torch.equal, *pair))
        assert set(seen) == {getattr(torch, precision)}
        seen.clear()


def test_a_closure_computes_the_gradients():
    ours = matrices()
    alike = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    optimizer = Muon(ours, lr=0.1)

    def closure():
        loss = sum((matrix**2).sum() for matrix in ours)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert loss == sum((matrix**2).sum() for matrix in alike)
    for matrix in alike:
        matrix.grad = 2 * matrix.detach()
    assert Muon(alike, lr=0.1).step() is None
    assert all(map(torch.equal, ours, alike))


def test_an_unknown_precision_is_refused():
    for wrong in ("bf16", "half", torch.bfloat16):
        with pytest.raises(ValueError, match="precision"):
            Muon(matrices(), lr=0.1, precision=wrong)


def test_what_is_no_matrix_is_named():
    with pytest.raises(ValueError, match=r"matrices \(m, n\), got a parameter of shape \(3,\)"):
        Muon([torch.nn.Parameter(torch.ones(3))], lr=0.1)


@pytest.mark.parametrize(
    "precision, device_s, expected",
    [
        (None, torch.bfloat16, torch.bfloat16),
        ("float16", torch.bfloat16, torch.float32),  # as on a T4, on a card that can do more
        ("float32", torch.bfloat16, torch.float32),
        ("bfloat16", torch.float32, torch.bfloat16),
    ],
)
def test_products_are_in_the_precision_of_the_run(precision, device_s, expected, monkeypatch):
    seen = []
    monkeypatch.setattr(muon, "pick_precision", lambda device: device_s)
    monkeypatch.setattr(
        muon, "newton_schulz", lambda x, dtype: seen.append(dtype) or newton_schulz(x, dtype)
    )
    config = TrainingConfig(optimizer="muon", precision=precision)
    model = VisionTransformer(ViTConfig(image_size=8, embed_dim=12, depth=1, num_heads=1))
    model(torch.zeros(1, 3, 8, 8)).sum().backward()
    make_optimizers(model, config)[0].step()
    assert set(seen) == {expected}
