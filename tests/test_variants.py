"""Each variant does what its name says, and nothing else: held against the ordinary model."""

import copy

import pytest
import torch

from vit_minimal import (
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    fit,
    resize_patches,
    shapes10,
)
from vit_minimal.variants import (
    VARIANTS,
    AveragesAllTokens,
    BlindClassToken,
    CausalClassTokenFirst,
    CausalClassTokenLast,
    ClassTokenLast,
    ConvNet,
    CutClassToken,
    LastButReadsFirst,
    LateClassToken,
    NoPositionForClassToken,
    PatchesAlone,
    ReadsFirstPatch,
    SeveralClassTokens,
    UnseenClassToken,
)

CONFIG = {
    "image_size": (8, 12), "patch_size": 4, "in_channels": 2, "num_classes": 5,
    "embed_dim": 12, "depth": 2, "num_heads": 3, "mlp_ratio": 2.0,
}  # fmt: skip


def pair(variant, **changes):
    """The ordinary model and the variant with the same weights, none of them small."""
    config = ViTConfig(**CONFIG | changes)
    plain, other = VisionTransformer(config).eval(), variant(config).eval()
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    other.load_state_dict(plain.state_dict())
    return plain, other


@pytest.fixture
def images():
    return torch.randn(3, 2, 8, 12)


@pytest.mark.parametrize("variant", VARIANTS.values())
def test_has_the_weights_of_the_ordinary_model_and_answers_in_its_shape(variant, images):
    config = ViTConfig(**CONFIG)
    torch.manual_seed(1)
    plain = VisionTransformer(config).state_dict()
    torch.manual_seed(1)
    model = variant(config)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in plain.items())
    assert model.state_dict().keys() == plain.keys()
    assert model(images).shape == (3, 5) and model(images[:1]).shape == (1, 5)


@pytest.mark.parametrize(
    ("variant", "reads"),
    [
        (ReadsFirstPatch, lambda x: x[:, 1]),
        (AveragesAllTokens, lambda x: x.mean(dim=1)),
        (SeveralClassTokens, lambda x: (x[:, 0] + x[:, 1] + x[:, 2]) / 3),
    ],
)
def test_reads_other_tokens(variant, reads, images):
    plain, other = pair(variant, num_registers=2 if variant is SeveralClassTokens else 0)
    expected = plain.head(reads(plain.forward_features(images)))
    torch.testing.assert_close(other(images), expected)
    assert not torch.allclose(plain(images), expected)


def test_a_class_token_at_the_end_with_its_own_position_is_an_ordinary_one(images):
    plain, other = pair(ClassTokenLast)
    with torch.no_grad():
        other.pos_embed.weight.copy_(plain.pos_embed.weight.roll(-1, dims=1))
    torch.testing.assert_close(other(images), plain(images))


def test_last_but_reads_first_reads_a_patch(images):
    last, wrong = pair(ClassTokenLast)[1], pair(LastButReadsFirst)[1]
    wrong.load_state_dict(last.state_dict())
    expected = last.head(last.forward_features(images)[:, 0])
    torch.testing.assert_close(wrong(images), expected)
    assert not torch.allclose(last(images), expected)


def test_no_position_for_the_class_token_is_a_position_of_zeros(images):
    plain, other = pair(NoPositionForClassToken)
    assert not torch.allclose(other(images), plain(images))
    torch.nn.init.zeros_(plain.pos_embed.weight[:, 0])
    torch.testing.assert_close(other(images), plain(images))


def test_a_late_class_token_joins_before_the_last_block(images):
    plain, other = pair(LateClassToken, depth=1)
    torch.testing.assert_close(other(images), plain(images))
    _, other = pair(LateClassToken)
    seen = []
    for block in other.blocks:
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    other(images)
    assert seen == [6, 7]


def test_a_cut_class_token_trains_the_head_alone(images):
    plain, other = pair(CutClassToken)
    torch.testing.assert_close(other(images), plain(images))
    other(images).sum().backward()
    trained = {name for name, weight in other.named_parameters() if weight.grad is not None}
    assert trained == {"head.weight", "head.bias"}


def test_a_blind_class_token_says_the_same_of_every_image(images):
    plain, other = pair(BlindClassToken)
    answers = other(images)
    torch.testing.assert_close(answers, answers[:1].expand(3, -1))
    assert not torch.allclose(plain(images)[0], plain(images)[1])
    patches = other.forward_features(images)[:, 1:]
    torch.testing.assert_close(patches[:, 0].std(0) > 0, torch.ones(12, dtype=torch.bool))


def test_patches_alone_know_nothing_of_each_other(images):
    plain, other = pair(PatchesAlone, pool="mean")
    before, answers = other.forward_features(images), plain(images)
    images[:, :, :4, 4:8] += 1  # the second of six patches: neither side may notice
    changed = (other.forward_features(images) - before).abs().amax(dim=(0, 2)) > 1e-4
    assert changed.tolist() == [False, True] + [False] * 4
    assert not torch.allclose(other(images), answers)


T, F = True, False
MASKS = {  # of a class token and two patches; the class token is the last of the last
    BlindClassToken: [[T, F, F], [T, T, T], [T, T, T]],
    UnseenClassToken: [[T, T, T], [F, T, T], [F, T, T]],
    PatchesAlone: [[T, F, F], [F, T, F], [F, F, T]],
    CausalClassTokenFirst: [[T, F, F], [T, T, F], [T, T, T]],
    CausalClassTokenLast: [[T, F, F], [T, T, F], [T, T, T]],
}
each_mask = pytest.mark.parametrize("variant", MASKS)


@each_mask
def test_masks_say_who_attends_to_whom(variant):
    model = variant(ViTConfig(**CONFIG | {"image_size": (4, 8)}))
    for block in model.blocks:
        assert block.attn.mask.tolist() == MASKS[variant]


@each_mask
def test_masked_variant_is_the_ordinary_model_with_that_mask(variant, images):
    plain, other = pair(variant, attn_drop_rate=0.5, proj_drop_rate=0.3)
    order = torch.arange(7)
    if variant is CausalClassTokenLast:  # as the ordinary model has the tokens
        order = order.roll(1)
        with torch.no_grad():
            other.pos_embed.weight.copy_(plain.pos_embed.weight.roll(-1, dims=1))
    for block in plain.blocks:
        block.attn.mask = other.blocks[0].attn.mask[order][:, order]
    torch.testing.assert_close(other(images), plain(images))
    other.train()
    assert not torch.allclose(other(images), other(images))


@each_mask
def test_mask_goes_where_the_model_goes_and_is_no_weight(variant, images):
    _, model = pair(variant)
    copied = copy.deepcopy(model)
    assert torch.equal(copied(images), model(images))
    copied.blocks[0].attn.mask.fill_(True)
    assert not model.blocks[0].attn.mask.all()
    assert not [name for name in model.state_dict() if "mask" in name]
    moved = copy.deepcopy(model).to("meta", torch.bfloat16)
    for block in moved.blocks:
        assert block.attn.mask.is_meta and block.attn.mask.dtype == torch.bool
    torch.testing.assert_close(
        copy.deepcopy(model).double()(images.double()).float(), model(images), rtol=1e-3, atol=1e-3
    )


ANY_POOL = ["VisionTransformer", "ReadsFirstPatch", "AveragesAllTokens", "PatchesAlone"]
ANY_POOL += ["UndividedScores"]


@pytest.mark.parametrize("changes", [{"pool": "mean"}, {"pool": "attention"}, {"num_registers": 2}])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_configuration_that_makes_no_sense_is_refused_before_anything_is_made(
    name, changes, images
):
    config = ViTConfig(**CONFIG | changes)
    try:
        model = VARIANTS[name](config)
    except ValueError as refused:
        assert name in str(refused) and next(iter(changes)) in str(refused)
    else:
        assert "pool" not in changes or name in ANY_POOL
        answers = model(images)
        assert answers.shape == (3, 5) and answers.isfinite().all()


@pytest.mark.parametrize("variant", [UnseenClassToken, CausalClassTokenLast])
def test_every_weight_of_a_masked_variant_learns(variant, images):
    _, model = pair(variant)
    torch.nn.functional.cross_entropy(model(images), torch.tensor([0, 1, 2])).backward()
    for name, weight in model.named_parameters():
        assert weight.grad.isfinite().all() and weight.grad.any(), name


def test_mask_of_a_resized_variant_is_that_of_its_tokens():
    resized = resize_patches(UnseenClassToken(ViTConfig(**CONFIG)), 2)
    assert resized.blocks[1].attn.mask.shape == (25, 25)
    assert resized.blocks[1].attn.mask.sum() == 25 * 25 - 24


def test_a_cut_class_token_can_be_trained_in_half_precision():
    data = Dataset(*shapes10(40, 0), *shapes10(10, 1), tuple("0123456789"), "shapes10")
    config = TrainingConfig(epochs=1, batch_size=20, optimizer="muon", precision="float16")
    model = CutClassToken(ViTConfig(patch_size=16, embed_dim=12, depth=1, num_heads=1))
    before = model.head.weight.clone()
    fit(model, data, config)
    assert not torch.equal(model.head.weight, before)


def test_an_unseen_class_token_sees_but_changes_no_patch(images):
    _, other = pair(UnseenClassToken)
    before, answers = other.forward_features(images)[:, 1:], other(images)
    torch.nn.init.normal_(other.cls_token.weight, std=3.0)
    torch.testing.assert_close(other.forward_features(images)[:, 1:], before)
    assert not torch.allclose(other(images), answers)
    assert not torch.allclose(answers[0], answers[1])


def test_under_a_causal_mask_a_token_knows_nothing_of_those_behind_it(images):
    _, first = pair(CausalClassTokenFirst)
    answers = first(images)
    torch.testing.assert_close(answers, answers[:1].expand(3, -1))
    _, last = pair(CausalClassTokenLast)
    before = last.forward_features(images)
    assert before.shape == (3, 7, 12) and not torch.allclose(last(images)[0], last(images)[1])
    images[:, :, 4:, 8:] += 1  # the last patch
    changed = (last.forward_features(images) - before).abs().amax(dim=(0, 2)) > 1e-4
    assert changed.tolist() == [False] * 5 + [True] * 2


@pytest.mark.parametrize(("strides", "side"), [((1,) * 5, 11), ((2, 2, 2, 1, 1), 47), ((1, 2), 5)])
def test_a_convnet_sees_as_far_as_its_strides_say(strides, side):
    net = ConvNet(ViTConfig(in_channels=2, num_classes=5), width=8, strides=strides)
    assert net(torch.randn(3, 2, 32, 20)).shape == (3, 5)
    image = torch.rand(1, 2, 128, 128, requires_grad=True)
    out = net.eval().layers(image)  # all of them: a norm over places would see everything
    out[0, :, out.shape[2] // 2, out.shape[3] // 2].sum().backward()  # who has a say in the middle
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == side
