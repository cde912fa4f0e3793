"""What a CPU can prove of the CUDA path: no operation mixes devices, and the GPU is not waited for.

Nothing is computed here. The kernels counted are those of PyTorch's plain operations: a fused
attention, which only a real GPU chooses, launches fewer.
"""

from dataclasses import replace

import fake_cuda
import pytest
import torch
from fake_cuda import GPU, blank_images, fake_gpu
from torch import nn

from vit_minimal import (
    RECIPES,
    VisionTransformer,
    ViTConfig,
    attention_distance,
    attention_maps,
    attention_rollout,
    class_token_journey,
    evaluate,
    gradient_attention,
    knock_out,
)
from vit_minimal.inspection import (
    deletion_test,
    fit_class_token_probes,
    look_into,
    mean_ablation,
    mean_reads,
    read_class_token,
)
from vit_minimal.training import MovingAverage, run

T4, H200 = (7, 5), (9, 0)  # compute capabilities: without bfloat16, and with


def one_step(recipe, capability, **changes):
    """What a GPU is asked for by a step of a recipe, with changed settings."""
    recipe = RECIPES[recipe]
    config = replace(recipe.training, compile=False, **changes)
    return fake_cuda.one_step(recipe.model, config, capability)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    "capability, dtype, waits", [(T4, torch.float16, 1), (H200, torch.bfloat16, 0)]
)
def test_a_step_stays_on_the_gpu_and_waits_only_for_the_loss_scale(
    recipe, capability, dtype, waits
):
    watch = one_step(recipe, capability)
    assert len(watch.waits) == waits, watch.waits
    assert all("scaler" in place for place in watch.waits)
    # Of Muon's, more are float32
    assert watch.products[dtype] > 3 * 4 * RECIPES[recipe].model.depth


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_every_ingredient_stays_on_the_gpu(precision):
    settings = dict(erase=0.5, mixup=0.2, cutmix=1.0, trivial_augment=True, ema_decay=0.9)  # noqa: C408
    for optimizer in ("adamw", "muon", "sgd"):
        watch = one_step(
            "quick", H200, optimizer=optimizer, precision=precision, patch_drop_rate=0.5, **settings
        )
        assert len(watch.waits) == (precision == "float16"), watch.waits


@pytest.mark.parametrize(
    "recipe, most", [("quick", 300), ("cpu", 490), ("t4", 1180), ("h200", 1430)]
)
def test_kernels_that_a_step_launches_are_no_more_than_they_were(recipe, most):
    launches = one_step(recipe, T4 if recipe == "t4" else H200).launches
    assert 0.8 * most < launches.total() <= most, launches


def slip_in_a_tensor_of_the_cpu(monkeypatch):
    original = run.augment
    monkeypatch.setattr(
        run, "augment", lambda images, config: original(images, config) + torch.ones(32)
    )


def slip_in_a_wait(monkeypatch):
    original = run.augment
    monkeypatch.setattr(
        run,
        "augment",
        lambda images, config: original(images, config) * float(images.float().mean()),
    )


def slip_in_torchs_own_average(monkeypatch):
    def wait_for_the_counter(average, model):
        nn.Module.to(average, GPU)
        average.n_averaged.item()

    monkeypatch.setattr(MovingAverage, "update_parameters", wait_for_the_counter)


def test_a_tensor_left_on_the_cpu_is_noticed(monkeypatch):
    slip_in_a_tensor_of_the_cpu(monkeypatch)
    with pytest.raises(RuntimeError, match="device"):
        one_step("quick", H200)


@pytest.mark.parametrize("slip", [slip_in_a_wait, slip_in_torchs_own_average])
def test_a_wait_for_the_gpu_is_noticed(slip, monkeypatch):
    slip(monkeypatch)
    assert one_step("quick", H200, ema_decay=0.9).waits


CONFIG = ViTConfig(embed_dim=24, depth=2, num_heads=2, num_registers=1)
QUESTIONS = {
    "evaluate": lambda model, images, labels: evaluate(model, images, labels),
    "maps": lambda model, images, labels: attention_maps(model, images),
    "rollout": lambda model, images, labels: attention_rollout(model, images),
    "gradient": lambda model, images, labels: gradient_attention(model, images, labels),
    "distance": lambda model, images, labels: attention_distance(model, images),
    "look into": lambda model, images, labels: list(look_into(model, images)),
    "knock out": lambda model, images, labels: knock_out(model, images, [0, 1]),
    "mean ablation": lambda model, images, labels: mean_ablation(
        model, images, [0, 1], mean_reads(model, images)
    ),
    "journey": lambda model, images, labels: class_token_journey(model, images, labels),
    "probes": lambda model, images, labels: read_class_token(
        model, images, *fit_class_token_probes(model, images, labels)
    ),
    "deletion": lambda model, images, labels: deletion_test(
        model, images, labels, torch.rand(len(images), 64), [1, 2]
    ),
}


@pytest.mark.parametrize("images_on", ["cpu", "cuda"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_model_on_the_gpu_can_be_looked_into(question, images_on):
    with fake_gpu(H200):
        model = VisionTransformer(CONFIG).to(GPU)
        images, labels = blank_images(20).train_images, blank_images(20).train_labels
        if images_on == "cuda":
            images, labels = images.to(GPU), labels.to(GPU)
        QUESTIONS[question](model, images, labels)


def test_the_stand_in_for_backward_gives_the_gradients_of_torch():
    torch.manual_seed(0)
    model, images = VisionTransformer(replace(CONFIG, pool="attention")), torch.randn(3, 3, 32, 32)

    def gradients(backward):
        model.zero_grad()
        backward(nn.functional.cross_entropy(model(images), torch.arange(3)))
        return [parameter.grad for parameter in model.parameters()]

    theirs, ours = gradients(torch.Tensor.backward), gradients(fake_cuda.backward)
    for one, other in zip(theirs, ours, strict=True):
        torch.testing.assert_close(one, other)
