"""Training on a part of the patches: which stay, when all do, and which models may."""

from dataclasses import replace

import pytest
import torch

from vit_minimal import Dataset, TrainingConfig, VisionTransformer, ViTConfig, evaluate, fit
from vit_minimal.training.patch_dropout import PatchDropout, patches_dropped
from vit_minimal.variants import BlindClassToken, ClassTokenLast, ConvNet, LateClassToken

CONFIG = ViTConfig(image_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=2, num_registers=2)
ONCE = TrainingConfig(epochs=1, batch_size=4, patch_drop_rate=0.5)


def marked_tokens(B, T):
    """Tokens (B, T, 2) that say whose they are: their image and their place."""
    return torch.stack(
        torch.meshgrid(torch.arange(B), torch.arange(T), indexing="ij"), dim=-1
    ).float()


@pytest.mark.parametrize("rate, kept", [(0.5, 6), (0.25, 9), (0.7, 4), (0.99, 1)])
@pytest.mark.parametrize("num_prefix", [0, 1, 3])
def test_prefix_tokens_stay_and_each_image_keeps_its_share_of_its_own_patches(
    rate, kept, num_prefix
):
    torch.manual_seed(0)
    tokens = marked_tokens(5, num_prefix + 12)
    out = PatchDropout(rate, num_prefix)(tokens)
    assert torch.equal(out[:, :num_prefix], tokens[:, :num_prefix])
    places = out[:, num_prefix:, 1]
    assert places.shape == (5, kept) and places.min() >= num_prefix
    assert (out[:, :, 0] == torch.arange(5)[:, None]).all()  # nobody else's
    assert all(len(row.unique()) == kept for row in places)  # none twice
    if kept < 12:
        assert len({tuple(row.sort().values.tolist()) for row in places}) > 1  # each draws its own


def test_every_patch_stays_equally_often():
    torch.manual_seed(0)
    places = PatchDropout(0.75, 1)(marked_tokens(20_000, 13))[:, 1:, 1].long()
    share = places.flatten().bincount(minlength=13)[1:] / 20_000
    assert (share - 0.25).abs().max() < 5 * (0.25 * 0.75 / 20_000) ** 0.5  # five standard errors


def test_the_order_of_what_stays_changes_nothing():
    """A ViT reads a set: with all patches kept, in random order, it answers the same."""
    torch.manual_seed(0)
    model, images = VisionTransformer(CONFIG).double(), torch.randn(3, 3, 16, 16).double()
    with torch.no_grad():
        expected = model(images)
        with patches_dropped(model, 1e-9):
            assert torch.allclose(model(images), expected, atol=1e-12, rtol=0)
        with patches_dropped(model, 0.5):
            assert not torch.allclose(model(images), expected, atol=1e-6)


def test_all_patches_are_judged_and_the_model_is_as_it_was():
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG)
    plain, names = model.pos_drop, [name for name, _ in model.named_modules()]
    images = torch.randn(3, 3, 16, 16)
    with torch.no_grad(), pytest.raises(ZeroDivisionError), patches_dropped(model, 0.5):
        assert model.forward_features(images).shape[1] == 3 + 8
        model.eval()
        assert model.forward_features(images).shape[1] == 3 + 16
        raise ZeroDivisionError
    assert model.pos_drop is plain and [name for name, _ in model.named_modules()] == names


def drawn_images(n=8, size=16):
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=draws)
    return Dataset(
        images, torch.arange(n) % 10, images, torch.arange(n) % 10, tuple("abcdefghij"), "drawn"
    )


@pytest.mark.parametrize(
    "whole_epochs, expected", [(0, [11, 11, 11]), (1, [11, 11, 19]), (5, [19] * 3)]
)
def test_the_last_epochs_are_trained_on_all_patches(whole_epochs, expected):
    """So are the images by which an epoch is judged."""
    torch.manual_seed(0)
    model, seen = VisionTransformer(CONFIG), {True: [], False: []}
    model.blocks[0].register_forward_pre_hook(
        lambda block, inputs: seen[block.training].append(inputs[0].shape[1])
    )
    config = replace(ONCE, epochs=3, whole_epochs=whole_epochs, validation_images=4)
    fit(model, drawn_images(), config, "cpu")
    assert seen[True] == expected  # a step of four images to an epoch
    assert set(seen[False]) == {19}
    evaluate(model, drawn_images().test_images, drawn_images().test_labels)
    assert set(seen[False]) == {19}


def convolutions(config):
    return ConvNet(replace(config, num_registers=0), width=8)


@pytest.mark.parametrize("kind", [ClassTokenLast, LateClassToken, BlindClassToken, convolutions])
def test_models_that_cannot_spare_a_patch_are_refused(kind):
    model = kind(replace(CONFIG, num_registers=0))
    with pytest.raises(ValueError, match=f"patch_drop_rate.*{type(model).__name__}"):
        fit(model, drawn_images(), ONCE, "cpu")
    fit(model, drawn_images(), replace(ONCE, patch_drop_rate=0.0), "cpu")


@pytest.mark.parametrize("pool", ["class", "mean", "attention"])
@pytest.mark.parametrize("pos_embed", ["learned", "sinusoidal"])
def test_every_other_model_learns_on_a_part(pool, pos_embed):
    torch.manual_seed(0)
    model = VisionTransformer(replace(CONFIG, pool=pool, pos_embed=pos_embed))
    config = replace(ONCE, epochs=60, learning_rate=3e-3, crop_padding=0, flip=False)
    dataset = drawn_images()
    fit(model, dataset, config, "cpu")
    assert evaluate(model, dataset.train_images, dataset.train_labels) >= 0.75


def test_a_compiled_model_is_compiled_once_for_some_patches_and_once_for_all():
    """Not anew in each step, of which PyTorch would tire, and go on uncompiled without a word."""
    torch._dynamo.reset()
    compiled = []

    def count(graph, examples):
        compiled.append(graph)
        return graph.forward

    model, images = VisionTransformer(CONFIG), torch.randn(2, 3, 16, 16)
    network = torch.compile(model, backend=count)
    for _ in range(10):
        with patches_dropped(model, 0.5):
            network(images)
    for _ in range(3):
        network(images)
    assert len(compiled) == 2
