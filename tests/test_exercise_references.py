"""What the checks compare with is itself held against the package, PyTorch and a real gradient."""

import math

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from checks import EXERCISES
from checks.mishandled import Mystery, Unseeing
from checks.silent_bugs import MysteryAttention
from vit_minimal import (
    EncoderBlock,
    MultiHeadSelfAttention,
    PatchEmbedding,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    attention_maps,
    attention_rollout,
    resize_patches,
    seed_everything,
)
from vit_minimal.experiments import mean_and_width
from vit_minimal.training import make_scheduler
from vit_minimal.vision_transformer import AttentionPooling

SMALL = ViTConfig(image_size=16, embed_dim=24, depth=3, num_heads=3)


def reference(name):
    return EXERCISES[name].reference


@pytest.fixture
def model():
    seed_everything(0)
    return VisionTransformer(SMALL)


def test_rollout_is_that_of_the_package(model):
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    ours = reference("rollout")(attention_maps(model, images))
    torch.testing.assert_close(ours, attention_rollout(model, images))


def test_the_schedule_is_that_of_the_package():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.01)
    config = TrainingConfig(learning_rate=0.01, warmup=0.1, schedule="cosine")
    scheduler = make_scheduler(optimizer, config, total_steps=40)
    for step in range(40):
        expected = reference("learning_rate_at")(step, 40, 4, 0.01)
        assert scheduler.get_last_lr()[0] == pytest.approx(expected)
        optimizer.step()
        scheduler.step()


def test_resized_positions_are_those_of_the_package(model):
    resized = resize_patches(model, patch_size=2)
    ours = reference("resized_positions")(model.pos_embed.weight, (4, 4), (8, 8))
    torch.testing.assert_close(ours, resized.pos_embed.weight)


def test_attention_pooling_is_that_of_the_package():
    pool, x = AttentionPooling(6), torch.randn(2, 5, 6)
    pool.query.data.normal_()
    torch.testing.assert_close(reference("attention_pool")(x, pool.query), pool(x))


def test_patch_tokens_are_those_of_the_package():
    embed, images = PatchEmbedding((8, 12), 4, 3, 7), torch.randn(2, 3, 8, 12)
    ours = reference("patch_tokens")(images, embed.proj.weight.flatten(1), embed.proj.bias, 4)
    torch.testing.assert_close(ours, embed(images))


def test_parameters_are_counted_as_they_are():
    for case in EXERCISES["parameters_of"].cases():
        with torch.device("meta"):
            built = VisionTransformer(case["config"])
        assert reference("parameters_of")(**case) == sum(p.numel() for p in built.parameters())


def test_flops_are_what_pytorch_counts():
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        EncoderBlock(SMALL)(torch.randn(1, 17, 24))
    assert reference("block_flops")(17, 24, 4) == counter.get_total_flops()


def test_the_receptive_field_is_where_the_gradient_reaches():
    kernels, strides = [3, 5, 3], [2, 1, 2]
    layers = [nn.Conv1d(1, 1, k, s) for k, s in zip(kernels, strides, strict=True)]
    x = torch.randn(1, 1, 64, requires_grad=True)
    nn.Sequential(*layers)(x)[0, 0, 3].backward()
    assert (x.grad != 0).sum().item() == reference("receptive_field")(kernels, strides)


def test_intervals_are_those_of_the_package():
    values = [69.0, 69.4, 68.9]
    assert reference("interval")(values, 4.30) == pytest.approx(mean_and_width(values))


def test_gradients_by_block_are_what_one_long_vector_has(model):
    loss = model(torch.randn(2, 3, 16, 16)).square().sum()
    found = reference("gradient_by_block")(model, loss)
    for block, length in zip(model.blocks, found, strict=True):
        long_vector = torch.cat([p.grad.flatten() for p in block.parameters()])
        assert length == pytest.approx(long_vector.norm().item(), rel=1e-5)


def test_answers_to_predict_are_what_a_model_shows():
    tokens = VisionTransformer(ViTConfig(patch_size=8)).forward_features(torch.randn(1, 3, 32, 32))
    assert EXERCISES["sequence_length"].expected == tokens.shape[1]
    first = VisionTransformer(ViTConfig())
    counted = first.cls_token.weight.numel() + first.pos_embed.weight.numel()
    assert EXERCISES["numbers_before_block_1"].expected == counted
    uniform = nn.functional.cross_entropy(torch.zeros(1, 100), torch.tensor([3])).item()
    assert EXERCISES["start_loss"].expected == pytest.approx(uniform)
    assert EXERCISES["guessing_loss"].expected == pytest.approx(math.log(10))
    smoothed = nn.CrossEntropyLoss(label_smoothing=0.1)
    logits = torch.zeros(1, 10, requires_grad=True)
    smoothed(logits, torch.tensor([3])).backward()  # gradient: softmax − target
    target = 0.1 - logits.grad[0, 3].item()
    assert EXERCISES["smoothed_share"].expected == pytest.approx(target)


def test_a_snapshot_holds_what_a_run_of_the_package_saves(model):
    """`Run.save` keeps more (schedules, totals): what both have is the same."""
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    moment = reference("Snapshot")(model, optimizer, 1)
    other = VisionTransformer(SMALL)
    its_optimizer = torch.optim.AdamW(other.parameters())
    assert moment.restore(other, its_optimizer) == 1
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    memory = its_optimizer.state_dict()["state"]
    for index, kept in optimizer.state_dict()["state"].items():
        assert all(torch.equal(kept[name], memory[index][name]) for name in kept)


def test_loss_scaling_by_hand_takes_the_steps_of_the_unscaled_loss():
    images, labels = torch.randn(6, 4), torch.arange(6) % 3
    plain, scaled = nn.Linear(4, 3), nn.Linear(4, 3)
    scaled.load_state_dict(plain.state_dict())
    for net, scale in ((plain, None), (scaled, 2.0**16)):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
        loss = nn.functional.cross_entropy(net(images), labels)
        if scale is None:
            loss.backward()
            optimizer.step()
        else:
            assert reference("scaled_step")(net, optimizer, loss, scale)
    torch.testing.assert_close(scaled.weight, plain.weight)


def test_a_gradient_from_shares_is_that_of_the_whole_batch():
    weight = torch.randn(4, 3, requires_grad=True)
    images, labels = torch.randn(16, 4), torch.arange(16) % 3

    def gradient(x, y):
        return torch.autograd.grad(nn.functional.cross_entropy(x @ weight, y), weight)[0]

    sizes = [12, 4]
    parts = zip(images.split(sizes), labels.split(sizes), strict=True)
    shared = reference("shared_gradient")([gradient(x, y) for x, y in parts], sizes)
    torch.testing.assert_close(shared, gradient(images, labels))


def test_the_mystery_models_are_what_their_exercises_say():
    tokens = Mystery().forward_features(torch.randn(2, 3, 16, 16))
    assert tokens.shape[1] == 17
    model, images = Unseeing(), torch.randn(2, 3, 16, 16)
    unseen = []
    for patch in range(16):
        row, column = 4 * (patch // 4), 4 * (patch % 4)
        changed = images.clone()
        changed[:, :, row : row + 4, column : column + 4] = 5.0
        if torch.equal(model(changed), model(images)):
            unseen.append(patch)
    assert unseen == [EXERCISES["unseen_patch"].expected]
    layer, x = MysteryAttention(24, num_heads=3), torch.randn(2, 5, 24)
    alike = []
    for num_heads in (1, 2, 3, 4, 6, 8, 12, 24):
        known = MultiHeadSelfAttention(24, num_heads)
        known.load_state_dict(layer.state_dict())
        if torch.allclose(known(x), layer(x), atol=1e-5):
            alike.append(num_heads)
    assert alike == [EXERCISES["heads_it_has"].expected]
