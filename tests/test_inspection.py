"""What inspection measures is what the formulas say, and looking leaves no trace."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from vit_minimal import (
    Dataset,
    TrainingConfig,
    explore_attention,
    fit,
    needle10,
    patchify,
)
from vit_minimal.attention import MultiHeadSelfAttention, attend
from vit_minimal.augment import normalize
from vit_minimal.data.drawn import NEEDLE10_CLASSES
from vit_minimal.inspection import (
    ablations,
    attention_distance,
    attention_maps,
    attention_rollout,
    class_token_journey,
    deletion_test,
    features,
    fit_class_token_probes,
    gradient_attention,
    knock_out,
    look_into,
    looking,
    maps,
    mean_ablation,
    mean_reads,
    pointing_accuracy,
    read_class_token,
    replace_by_noise,
)
from vit_minimal.variants import VARIANTS, UnseenClassToken
from vit_minimal.vision_transformer import EncoderBlock, VisionTransformer, ViTConfig

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=12, depth=3, num_heads=3)
SETTINGS = [
    {},
    {"pool": "mean", "num_heads": 4},
    {"num_registers": 2, "norm_first": False},
    {"image_size": (8, 20), "num_heads": 1, "depth": 1},
    {"pool": "attention", "pos_embed": "sinusoidal"},
]


def lively(variant=VisionTransformer, **settings):
    model = variant(replace(CONFIG, **settings))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def pictures(model, B=2):
    return torch.randn(B, *model.patch_embed.image_shape)


@torch.no_grad()
def maps_by_hand(model, images):
    """softmax(QKᵀ/√d), one head after the other, from slices of the weights: (L, B, h, T, T)."""
    D, h = model.config.embed_dim, model.config.num_heads
    x = model.pos_embed(model.cls_token(model.reg_token(model.patch_embed(images))))
    layers = []
    for block in model.blocks:
        qkv = block.norm1(x) if model.config.norm_first else x
        qkv = qkv @ block.attn.qkv.weight.T + block.attn.qkv.bias
        queries, keys = (
            qkv[..., :D].split(D // h, dim=-1),
            qkv[..., D : 2 * D].split(D // h, dim=-1),
        )
        heads = [
            torch.softmax(q @ k.transpose(1, 2) / (D // h) ** 0.5, dim=2)
            for q, k in zip(queries, keys, strict=True)
        ]
        layers.append(torch.stack(heads, dim=1))
        x = block(x)
    return torch.stack(layers)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_maps_are_the_formula_worked_by_hand(settings):
    model = lively(**settings).eval()
    images = pictures(model)
    maps = attention_maps(model, images)
    tokens = model.pos_embed.weight.shape[1]
    assert maps.shape == (model.config.depth, 2, model.config.num_heads, tokens, tokens)
    torch.testing.assert_close(maps, maps_by_hand(model, images), rtol=0, atol=1e-6)
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(maps.shape[:-1]))
    assert not maps.requires_grad


def test_bytes_are_normalised_first():
    model = lively()
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(attention_maps(model, images), attention_maps(model, normalize(images)))


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_logits_hooks_and_mode_as_they_were(training):
    model = lively().train(training)
    images = pictures(model)
    before = model(images)
    attention_maps(model, images)
    assert torch.equal(model(images), before)
    assert all(module.training == training for module in model.modules())
    assert not any(block.attn._forward_hooks for block in model.blocks)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_failing_leaves_hooks_and_mode_as_they_were(training):
    model = lively().train(training)
    with pytest.raises(ValueError, match=r"\(3, 8, 8\).* 8, 16\)"):
        attention_maps(model, torch.zeros(2, 3, 8, 16))
    assert model.training == training
    assert not any(block.attn._forward_hooks for block in model.blocks)


def test_dropout_does_not_blur_the_maps():
    model = lively(attn_drop_rate=0.5, pos_drop_rate=0.5, drop_path_rate=0.5)
    images = pictures(model)
    maps = attention_maps(model.train(), images)
    assert torch.equal(maps, attention_maps(model.eval(), images))


@pytest.mark.parametrize("B", [1, 4, 5])
@pytest.mark.parametrize(
    "look",
    [
        attention_maps,
        attention_rollout,
        attention_distance,
        lambda model, images: gradient_attention(model, images, torch.arange(len(images))),
        lambda model, images: knock_out(model, images, [1]),
        mean_reads,
        lambda model, images: mean_ablation(model, images, [1], torch.ones(3, 3, 4)),
        lambda model, images: read_class_token(
            model, images, torch.ones(4, 12, 10), torch.ones(4, 1, 10)
        ),
    ],
)
def test_slices_make_no_difference(B, look, monkeypatch):
    model = lively().eval()
    images = pictures(model, B)
    whole = look(model, images)
    monkeypatch.setattr(looking, "SLICE", 2 * 5**2)  # two images of five tokens
    torch.testing.assert_close(look(model, images), whole)


@pytest.mark.parametrize("look", [attention_maps, attention_rollout, gradient_attention])
@pytest.mark.parametrize("images", [torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8).byte()])
def test_models_in_other_precisions_can_be_looked_into(look, images):
    assert look(lively().double(), images).dtype == torch.float64


@pytest.mark.parametrize("look", [attention_maps, attention_rollout, attention_distance])
def test_no_image_is_an_error(look):
    with pytest.raises(ValueError, match="no image"):
        look(lively(), torch.zeros(0, 3, 8, 8))


def test_too_many_maps_are_refused_before_any_is_computed(monkeypatch):
    monkeypatch.setattr(maps, "look_into", lambda *_: pytest.fail("computed"))
    images = torch.zeros(1, 3, 8, 8).expand(10**13, -1, -1, -1)
    with pytest.raises(MemoryError, match=r"10000000000000 images take .* GB: ask for fewer"):
        attention_maps(lively(), images)


# --- rollout, gradients, distance -----------------------------------------------------------------

WITH_CLASS_TOKEN = [s for s in SETTINGS if s.get("pool", "class") == "class"]


def pass_by_hand(model, images):
    """Logits, attention weights that have a gradient, and tokens, all without the package's hooks."""
    h, first = model.config.num_heads, model.config.norm_first
    x = model.pos_embed(model.cls_token(model.reg_token(model.patch_embed(images))))
    tokens, weights = [x], []
    for block in model.blocks:
        read = block.norm1(x) if first else x
        B, T, D = read.shape
        q, k, v = (
            part.reshape(B, T, h, D // h).transpose(1, 2)
            for part in (read @ block.attn.qkv.weight.T + block.attn.qkv.bias).split(D, dim=2)
        )
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / (D // h) ** 0.5
        if block.attn.mask is not None:
            scores = scores.where(block.attn.mask, -1e9)
        weights.append(torch.softmax(scores, dim=-1))
        mixed = torch.einsum("bhij,bhjd->bihd", weights[-1], v).reshape(B, T, D)
        x = x + block.attn.proj(mixed) if first else block.norm1(x + block.attn.proj(mixed))
        x = x + block.mlp(block.norm2(x)) if first else block.norm2(x + block.mlp(x))
        tokens.append(x)
    return model.head(model.norm(x)[:, 0]), weights, tokens


@pytest.mark.parametrize("settings", WITH_CLASS_TOKEN, ids=str)
def test_rollout_equals_a_loop_over_images_and_layers(settings):
    model = lively(**settings).eval()
    images = pictures(model, 3)
    rolled = attention_rollout(model, images)
    maps = maps_by_hand(model, images).double().numpy()
    for b, row in enumerate(rolled):
        reach = np.eye(maps.shape[-1])
        for layer in maps[:, b]:
            mixed = 0.5 * layer.mean(axis=0) + 0.5 * np.eye(maps.shape[-1])
            reach = (mixed / mixed.sum(axis=1, keepdims=True)) @ reach
        np.testing.assert_allclose(row.numpy(), reach[0, model.num_prefix :], atol=1e-6)
    assert (rolled >= 0).all() and (rolled.sum(dim=1) <= 1 + 1e-6).all()


@pytest.mark.parametrize("settings", [*WITH_CLASS_TOKEN, {"variant": UnseenClassToken}], ids=str)
@pytest.mark.parametrize("frozen", [True, False])
def test_gradient_attention_equals_the_formula_worked_by_hand(settings, frozen):
    model = lively(**settings).eval()
    images = pictures(model, 3)
    logits, weights, _ = pass_by_hand(model, images)
    classes = torch.tensor([7, 0, 3])
    slopes = torch.autograd.grad(logits[torch.arange(3), classes].sum(), weights)
    reach = torch.eye(weights[0].shape[-1]).expand(3, -1, -1)
    for found, slope in zip(weights, slopes, strict=True):
        reach = reach + torch.relu(found * slope).mean(dim=1) @ reach
    expected = reach[:, 0, model.num_prefix :]
    model.requires_grad_(not frozen)
    found = gradient_attention(model, images, classes)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert not found.requires_grad and not images.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.no_grad():
        likeliest = gradient_attention(model, images, logits.argmax(dim=1))
    assert torch.equal(gradient_attention(model, images), likeliest)


def test_gradients_want_one_class_for_each_image():
    model = lively()
    with pytest.raises(ValueError, match=r"\(2,\).*\(1,\)"):
        gradient_attention(model, pictures(model), torch.tensor([3]))
    with pytest.raises(ValueError, match="0 … 9"):
        gradient_attention(model, pictures(model), torch.tensor([3, 10]))


def without_preference(**settings):
    """A model in which every token looks everywhere alike."""
    model = lively(**settings)
    for block in model.blocks:
        nn.init.zeros_(block.attn.qkv.weight)
        nn.init.zeros_(block.attn.qkv.bias)
    return model


def test_distance_of_even_attention_is_the_mean_over_all_pairs():
    model = without_preference(image_size=(8, 20), num_registers=2)
    centres = [(4 * r, 4 * c) for r in range(2) for c in range(5)]
    mean = np.mean([math.dist(one, other) for one in centres for other in centres])
    distance = attention_distance(model, pictures(model, 3))
    torch.testing.assert_close(distance, torch.full((3, 3), float(mean)))


def test_distance_equals_a_loop_over_patches():
    model = lively(image_size=(8, 12), num_registers=1).eval()
    images = pictures(model, 2)
    maps = maps_by_hand(model, images)[..., 2:, 2:]
    expected = torch.zeros(3, 3)
    for asking in range(6):
        for asked in range(6):
            apart = 4 * math.dist(divmod(asking, 3), divmod(asked, 3))
            share = maps[..., asking, asked] / maps[..., asking, :].sum(dim=-1)
            expected += apart * share.mean(dim=1) / 6
    torch.testing.assert_close(attention_distance(model, images), expected)


# --- the journey ----------------------------------------------------------------------------------


def labelled(model, n):
    """Images in which a pattern on the first patch decides, under some noise."""
    images, labels = 0.3 * pictures(model, n), torch.arange(n) % 10
    images[:, :, :4, :4] += torch.randn(10, 3, 4, 4)[labels]
    return images, labels


@pytest.mark.parametrize("settings", WITH_CLASS_TOKEN, ids=str)
def test_journey_equals_probes_fitted_one_by_one(settings, monkeypatch):
    monkeypatch.setattr(looking, "SLICE", 17)
    model = lively(**settings).double().eval()
    images, labels = labelled(model, 120)
    images = images.double()
    journey = class_token_journey(model, images, labels)
    with torch.no_grad():
        _, weights, tokens = pass_by_hand(model, images)

    def probe(x):  # ridge regression as least squares with one more row for each number
        x = x - x[:60].mean(dim=0)
        wanted = nn.functional.one_hot(labels[:60], 10).double()
        rows = torch.diag(0.1 * x[:60].norm(dim=0))
        fitted = torch.linalg.lstsq(
            torch.cat([x[:60], rows]),
            torch.cat([wanted - wanted.mean(dim=0), torch.zeros(len(rows), 10)]),
        ).solution
        guesses = (x[60:] @ fitted + wanted.mean(dim=0)).argmax(dim=1)
        return (guesses == labels[60:]).double().mean().item()

    first = model.num_prefix
    for layer, x in enumerate(tokens):
        assert journey.patch_mean[layer] == pytest.approx(probe(x[:, first:].mean(dim=1)), abs=0.02)
        places = [probe(x[:, token]) for token in range(first, x.shape[1])]
        assert journey.patches[layer].tolist() == pytest.approx(places, abs=0.02)
        if layer:
            assert journey.class_token[layer] == pytest.approx(probe(x[:, 0]), abs=0.02)
        similarity = nn.functional.cosine_similarity(x[60:, 0], tokens[-1][60:, 0]).mean()
        assert journey.similarity[layer] == pytest.approx(similarity.item(), abs=1e-5)
    for layer, found in enumerate(weights):
        share = found[60:, :, 0, 0].mean().item()
        assert journey.self_attention[layer] == pytest.approx(share, abs=1e-5)
    assert journey.num_scored == 60 and len(journey.class_token) == len(tokens)


def test_before_the_first_block_the_class_token_knows_nothing():
    model = lively()
    images, labels = labelled(model, 300)
    journey = class_token_journey(model, images, labels)
    assert journey.class_token[0] == pytest.approx(0.1, abs=0.01)  # one answer for all images
    assert journey.patches[0, 0] > 0.5 and journey.patches[0, 1:].max() < 0.3
    assert journey.similarity[-1] == pytest.approx(1)


def test_neither_shift_nor_scale_of_a_feature_matters_to_a_probe():
    model = lively(depth=1)
    images, labels = labelled(model, 300)
    plain = class_token_journey(model, images, labels).patches[0]
    with torch.no_grad():
        model.pos_embed.weight += 30 * torch.randn_like(model.pos_embed.weight)
    shifted = class_token_journey(model, images, labels).patches[0]
    assert shifted.tolist() == pytest.approx(plain.tolist(), abs=0.01)
    with torch.no_grad():
        scale = torch.linspace(0.1, 9, 12)
        model.pos_embed.weight *= scale
        model.patch_embed.proj.weight *= scale[:, None, None, None]
        model.patch_embed.proj.bias *= scale
    scaled = class_token_journey(model, images, labels).patches[0]
    assert scaled.tolist() == pytest.approx(plain.tolist(), abs=0.01)


@pytest.mark.parametrize(
    "images, labels, said",
    [(1, 1, "two images or more"), (4, 3, r"\(4,\).*\(3,\)"), (4, 4, "labels must be 0 … 9")],
)
def test_labels_that_do_not_fit_are_refused(images, labels, said):
    model = lively()
    with pytest.raises(ValueError, match=said):
        class_token_journey(model, pictures(model, images), torch.arange(labels) + 7)


# --- knock-outs -----------------------------------------------------------------------------------


def test_knocking_out_nothing_changes_nothing():
    model = lively(num_registers=2).eval()
    images = pictures(model)
    torch.testing.assert_close(knock_out(model, images, []), model(images))


@pytest.mark.parametrize("registers", [0, 2])
def test_knocking_out_is_one_more_mask_in_those_layers(registers):
    model = lively(UnseenClassToken, num_registers=registers).eval()
    images = pictures(model)
    found = knock_out(model, images, [0, 2])
    for block in (model.blocks[0], model.blocks[2]):
        mask = block.attn.mask.clone()
        mask[0, model.num_prefix :] = False
        block.attn.mask = mask
    torch.testing.assert_close(found, model(images), atol=1e-4, rtol=1e-4)


def test_a_class_token_that_reads_no_patch_sees_no_image():
    model = lively()
    logits = knock_out(model, pictures(model, 5), range(3))
    torch.testing.assert_close(logits, logits[:1].expand(5, -1))
    one_left = knock_out(model, pictures(model, 5), [0, 2])
    assert one_left.std(dim=0).min() > 1e-3


def test_knock_out_equals_keys_that_are_masked():
    model = lively(num_registers=1, depth=1).eval()
    images = pictures(model)
    block, tokens = model.blocks[0], pass_by_hand(model, images)[2][0]
    mask = torch.zeros(len(tokens[0]), len(tokens[0]))
    mask[0, 2:] = -torch.inf
    q, k, v = block.attn.split_heads(block.norm1(tokens))
    mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    x = tokens + block.attn.proj(mixed.transpose(1, 2).flatten(2))
    x = x + block.mlp(block.norm2(x))
    expected = model.head(model.norm(x)[:, 0])
    torch.testing.assert_close(knock_out(model, images, [0]), expected)


@pytest.mark.parametrize("blocks", [torch.tensor([2, 0]), np.array([0, 2]), range(0, 3, 2), {0, 2}])
def test_blocks_may_be_any_collection_of_whole_numbers(blocks):
    model = lively()
    images = pictures(model)
    assert torch.equal(knock_out(model, images, blocks), knock_out(model, images, [0, 2]))
    assert torch.equal(
        knock_out(model, images, blocks[:0] if hasattr(blocks, "shape") else []),
        knock_out(model, images, []),
    )


@pytest.mark.parametrize("blocks", [2, "2", None, [True, False, True], [0.0], np.float32([1])])
def test_blocks_that_are_no_whole_numbers_are_refused(blocks):
    with pytest.raises(ValueError, match="block"):
        knock_out(lively(), torch.zeros(1, 3, 8, 8), blocks)


@pytest.mark.parametrize("blocks", [[3], [-1], [0, 7]])
def test_a_block_that_is_not_there_is_named(blocks):
    images, reads = torch.zeros(1, 3, 8, 8), torch.zeros(3, 3, 4)
    for cut in (knock_out, lambda *given: mean_ablation(*given, reads)):
        with pytest.raises(ValueError, match=rf"no blocks \[{blocks[-1]}\]: there are 0 … 2"):
            cut(lively(), images, blocks)


@pytest.mark.parametrize("registers", [0, 2])
@pytest.mark.parametrize("norm_first", [True, False])
def test_what_the_class_token_reads_is_its_weighted_mean_of_values(registers, norm_first):
    model = lively(num_registers=registers, norm_first=norm_first).eval()
    images = pictures(model, 5)
    expected, x = [], pass_by_hand(model, images)[2][0]
    with torch.no_grad():
        for block in model.blocks:
            queries, keys, values = block.attn.split_heads(block.norm1(x) if norm_first else x)
            read = nn.functional.scaled_dot_product_attention(queries, keys, values)
            expected.append(read[:, :, 0].mean(dim=0))
            x = block(x)
    torch.testing.assert_close(mean_reads(model, images), torch.stack(expected))


@pytest.mark.parametrize("blocks", [[], [1], [0, 2], [0, 1, 2]])
def test_one_images_own_mean_changes_nothing(blocks):
    model = lively(num_registers=1).eval()
    image = pictures(model, 1)
    reads = mean_reads(model, image)
    torch.testing.assert_close(mean_ablation(model, image, blocks, reads), model(image))


def test_a_class_token_that_gets_the_mean_in_all_blocks_sees_no_image():
    model = lively()
    images = pictures(model, 5)
    reads = mean_reads(model, images)
    logits = mean_ablation(model, images, range(3), reads)
    torch.testing.assert_close(logits, logits[:1].expand(5, -1))
    one_left = mean_ablation(model, images, [0, 2], reads)
    assert one_left.std(dim=0).min() > 1e-3


def test_the_mean_of_another_model_is_refused():
    model = lively()
    reads = mean_reads(lively(depth=2), pictures(model))
    with pytest.raises(ValueError, match=r"reads must be \(3, 3, 4\).* is \(2, 3, 4\)"):
        mean_ablation(model, pictures(model), [0], reads)


def test_probes_that_are_kept_read_what_those_of_the_journey_read():
    model = lively()
    images, labels = pictures(model, 60), torch.arange(60) % 10
    weights, biases = fit_class_token_probes(model, images[:30], labels[:30])
    scores = read_class_token(model, images[30:], weights, biases)
    assert weights.shape == (4, 12, 10) and scores.shape == (4, 30, 10)
    right = (scores.argmax(dim=-1) == labels[30:]).float().mean(dim=1)
    torch.testing.assert_close(right, class_token_journey(model, images, labels).class_token)
    torch.testing.assert_close(scores.sum(dim=-1), torch.ones(4, 30), rtol=0, atol=1e-3)


@pytest.mark.parametrize("settings", WITH_CLASS_TOKEN, ids=str)
def test_features_are_the_class_token_and_the_mean_patch_of_each_block(settings, monkeypatch):
    monkeypatch.setattr(looking, "SLICE", 17)
    model = lively(**settings).eval()
    images, first = pictures(model, 5), model.num_prefix
    with torch.no_grad():
        *_, tokens = pass_by_hand(model, images)
    found = features(model, images)
    for block, x in enumerate(tokens):
        expected = x[:, 0], x[:, first:].mean(dim=1)
        for reading, wanted in zip(("class_token", "patch_mean"), expected, strict=True):
            torch.testing.assert_close(found[reading][block], wanted)
    assert len(found["class_token"]) == len(found["patch_mean"]) == len(tokens)


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_without_a_class_token_there_is_no_journey(pool):
    model, images = lively(pool=pool), torch.zeros(2, 3, 8, 8)
    for look in (
        attention_rollout,
        gradient_attention,
        features,
        lambda *given: class_token_journey(*given, torch.zeros(2, dtype=torch.int64)),
        lambda *given: knock_out(*given, [0]),
    ):
        with pytest.raises(ValueError, match=f'a class token: pool="class", not pool="{pool}"'):
            look(model, images)


@pytest.mark.parametrize(
    "look",
    [
        attention_maps,
        attention_rollout,
        gradient_attention,
        attention_distance,
        features,
        lambda model, images: knock_out(model, images, [0]),
        lambda model, images: class_token_journey(model, images, torch.tensor([1, 2])),
    ],
)
def test_looking_leaves_no_hook_and_every_module_in_its_mode(look):
    model = lively().train()
    model.blocks[1].eval()  # a part that is frozen, say
    modes = [module.training for module in model.modules()]
    images = pictures(model)
    state = torch.get_rng_state()
    look(model, images)
    with pytest.raises(ValueError, match=r"\(3, 8, 8\).* 8, 16\)"):
        look(model, torch.zeros(2, 3, 8, 16))
    assert modes == [module.training for module in model.modules()]
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


# --- models that were changed ---------------------------------------------------------------------


class Cosine(MultiHeadSelfAttention):
    """A reader's attention, whose scores are cosines."""

    def forward(self, x):
        queries, keys, values = self.split_heads(x)
        queries, keys = (10 * nn.functional.normalize(part, dim=-1) for part in (queries, keys))
        return self.proj(attend(queries, keys, values).transpose(1, 2).flatten(2))


def with_an_own_attention(model):
    own = Cosine(model.config.embed_dim, model.config.num_heads).to(model.head.weight.dtype)
    own.load_state_dict(model.blocks[1].attn.state_dict())
    model.blocks[1].attn = own


def with_a_hook_on_the_attention(model):
    model.blocks[1].attn.register_forward_hook(lambda attention, inputs, output: output * 0)


def with_fewer_blocks(model):
    model.blocks = model.blocks[:1]


def with_one_block_twice(model):
    model.blocks = nn.Sequential(model.blocks[0], model.blocks[1], model.blocks[0])


CHANGES = (
    with_an_own_attention,
    with_a_hook_on_the_attention,
    with_fewer_blocks,
    with_one_block_twice,
)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_model_that_answers_in_another_way_is_not_explained_like_the_usual_one(change, dtype):
    for name, look in LOOKS.items():
        if name == "class_token_probes" and "attention" in change.__name__:
            continue  # which asks for tokens alone, see below
        model, images = lively().to(dtype), pictures(lively()).to(dtype)
        look(model, images)
        change(model)
        with pytest.raises(ValueError) as refused:
            look(model, images)
        assert len(str(refused.value)) < 300, name


@pytest.mark.parametrize("change", CHANGES[:2])
def test_what_the_tokens_hold_is_seen_whatever_the_attention_is(change):
    model = lively().eval()
    images = pictures(model)
    before = features(model, images)["class_token"]
    change(model)
    states = features(model, images)["class_token"]
    torch.testing.assert_close(model.head(model.norm(states[-1])), model(images))
    assert torch.equal(states[:2], before[:2]) and not torch.allclose(states[2:], before[2:])


class Normalising(VisionTransformer):
    def forward(self, images):
        return super().forward(3 * images + 1)


def with_a_hook_before(model):
    model.register_forward_pre_hook(lambda model, inputs: (3 * inputs[0] + 1,))
    return model


@pytest.mark.parametrize(
    "make", [lambda: lively(Normalising), lambda: with_a_hook_before(lively())]
)
@pytest.mark.parametrize(
    "look",
    [
        attention_maps,
        attention_rollout,
        attention_distance,
        gradient_attention,
        mean_reads,
        lambda model, images: features(model, images)["class_token"],
    ],
)
def test_what_a_model_does_to_its_images_counts_for_every_look(make, look):
    torch.manual_seed(0)
    changed = make()
    plain, images = VisionTransformer(changed.config), pictures(changed) / 4
    plain.load_state_dict(changed.state_dict())
    assert torch.equal(look(changed, images), look(plain, 3 * images + 1))
    assert not torch.allclose(look(changed, images), look(plain, images))


def test_activation_checkpointing_changes_no_gradient():
    class Checkpointing(EncoderBlock):
        def forward(self, x):
            return checkpoint(super().forward, x, use_reentrant=False)

    model = lively()
    images = pictures(model)
    expected = gradient_attention(model, images, [1, 2])
    for block in model.blocks:
        block.__class__ = Checkpointing
    torch.testing.assert_close(gradient_attention(model, images, [1, 2]), expected)


@pytest.mark.parametrize(
    "look", [attention_maps, lambda model, images: knock_out(model, images, [1])]
)
def test_the_callers_autocast_changes_nothing_that_is_seen(look):
    model = lively()
    images = pictures(model)
    expected = look(model, images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(look(model, images), expected)


# --- variants -------------------------------------------------------------------------------------

LOOKS = {
    "look_into": lambda model, images: next(look_into(model, images)),
    "attention_maps": attention_maps,
    "attention_rollout": attention_rollout,
    "gradient_attention": gradient_attention,
    "attention_distance": attention_distance,
    "class_token_journey": lambda model, images: class_token_journey(
        model, images, torch.tensor([1, 2])
    ),
    "knock_out": lambda model, images: knock_out(model, images, [0]),
    "mean_reads": mean_reads,
    "mean_ablation": lambda model, images: mean_ablation(
        model, images, [0], mean_reads(model, images)
    ),
    "class_token_probes": lambda model, images: read_class_token(
        model, images, *fit_class_token_probes(model, images, torch.tensor([1, 2]))
    ),
    "explore_attention": lambda model, images: explore_attention(model, images[0]),
}
OTHER_ORDER = ("ClassTokenLast", "LastButReadsFirst", "CausalClassTokenLast", "LateClassToken")
each_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


@each_look
@pytest.mark.parametrize("name", OTHER_ORDER)
def test_model_with_another_order_of_tokens_is_refused(name, look):
    model, images = lively(VARIANTS[name]), torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(
        ValueError, match=f"{name} does not keep .* class token, registers, patches"
    ):
        look(model, images)


@pytest.mark.parametrize("name", VARIANTS)
def test_deleting_patches_asks_for_no_order_of_tokens(name):
    model, images = lively(VARIANTS[name]), torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    right = deletion_test(model, images, torch.tensor([1, 2]), torch.rand(2, 4), [1, 4])
    assert right["highest"].shape == (2, 2)
    assert torch.equal(right["highest"][1], right["lowest"][1])  # all patches are noise in both


@each_look
@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in OTHER_ORDER])
def test_every_other_variant_can_be_looked_into(name, look):
    model, images = lively(VARIANTS[name]), torch.randint(0, 256, (2, 3, 8, 8)).byte()
    if name == "CutClassToken" and look is gradient_attention:
        with pytest.raises(ValueError, match=r"no gradient leads .* CutClassToken to its"):
            look(model, images)
    else:
        look(model, images)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in OTHER_ORDER])
def test_a_variant_answers_as_ever_while_one_looks(name):
    model = lively(VARIANTS[name]).eval()
    images = pictures(model)
    torch.testing.assert_close(knock_out(model, images, []), model(images), atol=1e-4, rtol=1e-4)
    mask = model.blocks[0].attn.mask
    if mask is not None:
        maps = attention_maps(model, images)
        assert not maps[..., ~mask].any() and maps[..., mask].all()


def test_a_blind_class_token_owes_its_answer_to_no_patch():
    model = lively(VARIANTS["BlindClassToken"])
    images = pictures(model)
    for look in (attention_rollout, gradient_attention):
        assert not look(model, images).any()


# --- patches that become noise --------------------------------------------------------------------


def test_noise_falls_on_the_chosen_patches_only():
    images = torch.randint(0, 256, (3, 3, 8, 12), dtype=torch.uint8)
    which = torch.rand(3, 6) < 0.5
    noisy = replace_by_noise(images, which, 4, seed=1)
    changed = (patchify(noisy, 4) != patchify(images, 4)).any(dim=2)
    assert torch.equal(changed, which) and noisy.dtype == torch.uint8
    assert torch.equal(noisy, replace_by_noise(images, which, 4, seed=1))
    assert not torch.equal(noisy, replace_by_noise(images, which, 4, seed=2))


def test_deletion_takes_the_highest_the_lowest_or_any_patches():
    model = lively(image_size=(8, 12)).eval()
    images = torch.randint(0, 256, (40, 3, 8, 12), dtype=torch.uint8)
    model.head.bias.data -= knock_out(model, images, []).mean(dim=0)  # so that images decide
    labels = knock_out(model, images, []).argmax(dim=1)  # so that every answer is right at first
    scores = torch.rand(40, 6)
    right = deletion_test(model, images, labels, scores, (0, 2, 6), seed=5)
    assert {name: part.shape for name, part in right.items()} == dict.fromkeys(
        ("highest", "lowest", "random"), (3, 40)
    )
    for name, order in (("highest", scores), ("lowest", -scores)):
        for row, k in zip(right[name], (0, 2, 6), strict=True):
            which = order >= order.sort(dim=1, descending=True).values[:, k - 1 : k] if k else None
            noisy = replace_by_noise(images, which, 4, seed=6) if k else images
            with torch.no_grad():
                assert torch.equal(row, model(normalize(noisy)).argmax(dim=1) == labels)
    assert right["random"][0].all() and not right["random"][2].all()
    assert torch.equal(right["random"][2], right["highest"][2])  # all patches are noise
    other = deletion_test(model, images, labels, -scores, iter([2]), seed=5)
    assert torch.equal(other["lowest"][0], right["highest"][1])
    assert torch.equal(other["random"][0], right["random"][1])  # whatever the scores
    some = {tuple(row.tolist()) for row in (right["highest"][1], right["random"][1])}
    assert len(some) == 2
    (only,) = deletion_test(model, images, labels, scores, [2], seed=5, orders=["random"]).items()
    assert only[0] == "random" and torch.equal(only[1][0], right["random"][1])
    with pytest.raises(
        ValueError, match=r"no orders \['best'\]: there are highest, lowest, random"
    ):
        deletion_test(model, images, labels, scores, [2], orders=["best"])


def test_scores_and_counts_that_do_not_fit_are_refused():
    model = lively(image_size=(8, 12))
    images, labels = torch.zeros(2, 3, 8, 12, dtype=torch.uint8), [0, 1]
    for shape in [(2, 1), (1, 6), (2, 7), (2, 5), (6,), (2, 2, 3)]:
        with pytest.raises(ValueError, match=r"\(2, 6\)"):
            deletion_test(model, images, labels, torch.zeros(shape), [1])
    for wrong in (-1, 7):
        with pytest.raises(ValueError, match=str(wrong)):
            deletion_test(model, images, labels, torch.zeros(2, 6), [0, wrong])
    bad = torch.tensor([[0.0] * 6, [0.0] * 5 + [math.nan]])
    for ask in (
        lambda: deletion_test(model, images, labels, bad, [1]),
        lambda: pointing_accuracy(bad, [0, 0]),
    ):
        with pytest.raises(ValueError, match="NaN"):
            ask()


def test_equal_scores_are_taken_in_random_order(monkeypatch):
    taken = []

    def take(images, which, *_):
        taken.append(which)
        return images

    monkeypatch.setattr(ablations, "replace_by_noise", take)
    model = lively(image_size=(8, 12))
    images = torch.zeros(200, 3, 8, 12, dtype=torch.uint8)
    deletion_test(model, images, torch.zeros(200).long(), torch.zeros(200, 6), [2])
    for which in taken:
        assert (which.sum(dim=1) == 2).all() and which.sum(dim=0).min() > 40


def test_noise_wants_bytes():
    with pytest.raises(ValueError, match=r"must be uint8, are torch\.float32"):
        replace_by_noise(torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, dtype=torch.bool), 4)


def test_a_trained_model_points_at_the_needle_and_an_untrained_one_does_not():
    images, labels, places = needle10(2_800, seed=2)
    rows, columns = places // 8, places % 8
    quarters = images.view(-1, 3, 2, 16, 2, 16)  # of each image the one with the needle will do
    images = quarters[torch.arange(2_800), :, rows // 4, :, columns // 4]  # (n, 3, 16, 16)
    places = rows % 4 * 4 + columns % 4
    test_images, places = images[2_500:], places[2_500:]
    dataset = Dataset(
        images[:2_500], labels[:2_500], test_images, labels[2_500:], NEEDLE10_CLASSES, "needle10"
    )
    torch.manual_seed(0)
    config = ViTConfig(image_size=16, embed_dim=32, depth=2, num_heads=2, mlp_ratio=2.0)
    model = VisionTransformer(config)

    def share():  # of the class token's attention that lands on the needle: mean over all heads
        looks = attention_maps(model, test_images)[:, :, :, 0, 1:]
        return looks.mean(dim=(0, 2))[torch.arange(300), places].mean().item()

    assert 0.9 < 16 * share() < 1.1
    settings = {"optimizer": "muon", "learning_rate": 1e-2, "flip": False, "crop_padding": 0}
    fit(model, dataset, TrainingConfig(epochs=2, batch_size=50, **settings))
    assert 16 * share() > 5
    for look in (attention_rollout, gradient_attention):
        assert pointing_accuracy(look(model, test_images), places) > 0.8


def test_pointing_counts_the_images_whose_patch_is_among_the_highest():
    scores = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.0, 0.1, 0.9]])
    places = torch.tensor([1, 2, 2, 0])
    assert [pointing_accuracy(scores, places, top) for top in (1, 2, 3)] == [0.5, 0.75, 1.0]
    flat = torch.zeros(4, 8)
    assert [pointing_accuracy(flat, places, top) for top in (1, 2)] == [1 / 8, 2 / 8]
