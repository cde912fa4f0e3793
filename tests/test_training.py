"""Training learns, repeats itself and judges fairly; each ingredient does what its name says."""

import concurrent.futures
import itertools
import json
import math
import re
import signal
import time
from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer as TimmViT
from timm.optim import param_groups_layer_decay
from torch import nn

from vit_minimal import data
from vit_minimal.augment import normalize
from vit_minimal.data import SHAPES10_TEST_SEED, Dataset, shapes10
from vit_minimal.data.dataset import stratified_order
from vit_minimal.inspection import knock_out
from vit_minimal.pretrained import load_checkpoint, save_checkpoint
from vit_minimal.training import (
    RECIPES,
    TrainingConfig,
    __main__,
    confusion_matrix,
    estimate,
    estimate_seconds,
    evaluate,
    evaluation,
    fit,
    make_optimizers,
    make_scheduler,
    predict,
    run,
)
from vit_minimal.training.__main__ import main
from vit_minimal.training.run import Run
from vit_minimal.variants import ClassTokenLast, ConvNet
from vit_minimal.vision_transformer import VisionTransformer, ViTConfig

TINY = ViTConfig(image_size=8, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=4)
PLAIN = TrainingConfig(
    epochs=2, batch_size=4, label_smoothing=0.0, flip=False, crop_padding=0, weight_decay=0.0
)


def tiny(seed=0, **settings):
    torch.manual_seed(seed)
    return VisionTransformer(replace(TINY, **settings))


def noise(n=16, num_test=8):
    """Random pictures with random labels 0 … 3."""
    random = torch.Generator().manual_seed(0)

    def images(count):
        return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=random)

    def labels(count):
        return torch.randint(4, (count,), generator=random)

    return Dataset(
        images(n), labels(n), images(num_test), labels(num_test), ("a", "b", "c", "d"), "noise"
    )


@pytest.fixture
def compute_in(monkeypatch):
    """Makes training and evaluation take a precision for the one that suits the machine."""

    def choose(precision):
        for module in (run, evaluation):
            monkeypatch.setattr(module, "pick_precision", lambda device: precision)

    return choose


@pytest.fixture
def in_float32(compute_in):
    compute_in(torch.float32)


@pytest.fixture
def trained_on(monkeypatch):
    """Collects every batch that `fit` trains on, before it is augmented."""
    batches, original = [], run.augment

    def remember(images, config):
        batches.append(images.clone())
        return original(images, config)

    monkeypatch.setattr(run, "augment", remember)
    return batches


def fit_on_cpu(model, dataset, checkpoint=None, resume=False, **changes):
    """A state after each epoch: these take no time."""
    config = replace(PLAIN, **changes)
    return fit(model, dataset, config, "cpu", checkpoint, resume, seconds_between_saves=0)


# --- fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_one_batch_is_learned_by_heart_in_every_precision(precision, compute_in):
    compute_in(precision)
    model, dataset = tiny(), noise()
    history = fit_on_cpu(model, dataset, epochs=60, batch_size=16, learning_rate=5e-3)
    assert history.train_accuracy[-1] == 1 and history.train_loss[-1] < 0.1
    assert evaluate(model, dataset.train_images, dataset.train_labels) == 1
    assert next(model.parameters()).dtype == torch.float32


def test_same_seed_gives_the_same_losses_and_weights():
    settings = {"flip": True, "crop_padding": 2, "validation_images": 4}
    runs = []
    for seed in (5, 5, 6):
        torch.rand(seed)  # what was drawn before does not matter
        model = tiny(pos_drop_rate=0.2)
        torch.rand(len(runs))
        runs.append((model, fit_on_cpu(model, noise(), seed=seed, **settings)))
    (one, first), (other, again), (_, different) = runs
    assert first.train_loss == again.train_loss != different.train_loss
    assert first.validation_accuracy == again.validation_accuracy
    for parameter, twin in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(parameter, twin)


def test_loss_and_accuracy_are_those_of_the_images_seen(in_float32):
    model, dataset = tiny(), noise(12)
    history = fit_on_cpu(model, dataset, learning_rate=0.0, label_smoothing=0.2, epochs=1)
    with torch.no_grad():
        logits = model(normalize(dataset.train_images))
    expected = F.cross_entropy(logits, dataset.train_labels, label_smoothing=0.2).item()
    assert history.train_loss == [pytest.approx(expected, abs=1e-5)]
    assert history.train_accuracy == [
        pytest.approx(evaluate(model, dataset.train_images, dataset.train_labels))
    ]


def test_a_mixed_image_is_right_if_the_answer_is_its_larger_part(monkeypatch):
    def mostly_the_next_class(images, labels, num_classes, mixup, cutmix):
        own, other = (F.one_hot(k % num_classes, num_classes) for k in (labels, labels + 1))
        return images, 0.3 * own + 0.7 * other

    monkeypatch.setattr(run, "mix", mostly_the_next_class)
    model, dataset = tiny(), noise(12)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias[0] = 5.0  # always answers 0, the class after 3
    history = fit_on_cpu(model, dataset, learning_rate=0.0, epochs=1, mixup=0.2)
    expected = (dataset.train_labels == 3).float().mean().item()
    assert expected != (dataset.train_labels == 0).float().mean().item()
    assert history.train_accuracy == [pytest.approx(expected)]


@pytest.mark.parametrize("optimizer, rate", [("sgd", 0.1), ("adamw", 3e-3), ("muon", 1e-2)])
def test_training_is_the_plain_loop(optimizer, rate, trained_on, in_float32):
    plain, model, dataset = tiny(), tiny(), noise(n=24)
    settings = {"epochs": 3, "batch_size": 8, "optimizer": optimizer, "learning_rate": rate}
    settings |= {"label_smoothing": 0.0, "flip": False, "crop_padding": 0, "clip_norm": 0.5}
    fit_on_cpu(model, dataset, validation_images=8, **settings)
    config = replace(PLAIN, **settings)
    optimizers = make_optimizers(plain, config)
    schedulers = [make_scheduler(each, config, total_steps=6) for each in optimizers]
    for images in trained_on:
        same = (images[:, None] == dataset.train_images).flatten(2).all(dim=2)  # (8, 24)
        labels = dataset.train_labels[same.int().argmax(dim=1)]
        F.cross_entropy(plain(normalize(images)), labels).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        for each, scheduler in zip(optimizers, schedulers, strict=True):
            each.step()
            scheduler.step()
            each.zero_grad()
    assert len(trained_on) == 6
    for found, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected)


def test_each_epoch_sees_every_image_once_in_a_new_order(trained_on):
    dataset = noise(12)
    fit_on_cpu(tiny(), dataset)
    assert [len(batch) for batch in trained_on] == [4] * 6
    first, second = (torch.cat(trained_on[i : i + 3]).flatten(1).tolist() for i in (0, 3))
    everything = sorted(dataset.train_images.flatten(1).tolist())
    assert sorted(first) == sorted(second) == everything
    assert first != second


def test_images_that_fill_no_batch_wait_for_another_epoch(trained_on):
    history = fit_on_cpu(tiny(), noise(15), epochs=1)
    assert [len(batch) for batch in trained_on] == [4] * 3
    assert history.train_accuracy[0] * 12 == pytest.approx(round(history.train_accuracy[0] * 12))


def test_validation_images_are_never_trained_on(trained_on):
    dataset = noise(20)
    held_out = stratified_order(dataset.train_labels)[-8:]
    dataset.train_images[held_out] = 255
    model = tiny()
    history = fit_on_cpu(model, dataset, validation_images=8, epochs=3)
    assert not any((batch == 255).flatten(1).all(dim=1).any() for batch in trained_on)
    assert len(history.validation_accuracy) == 3
    judged = evaluate(model, dataset.train_images[held_out], dataset.train_labels[held_out])
    assert history.validation_accuracy[-1] == judged


def test_history_has_an_entry_and_a_printed_line_for_each_epoch(capsys):
    history = fit_on_cpu(tiny(), noise(), epochs=3)
    assert [len(part) for part in vars(history).values()] == [3, 3, 0, 3]
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert f"loss {history.train_loss[-1]:.3f}" in lines[-1] and lines[-1].endswith("0 s left")
    fit_on_cpu(tiny(), noise(), validation_images=4, epochs=1)
    assert "validation" in capsys.readouterr().out


@pytest.mark.parametrize("precision", [torch.float32, torch.float16], ids=str)
def test_gradients_are_shortened_before_each_step(precision, compute_in, monkeypatch):
    compute_in(precision)
    norms = []

    class Measured(torch.optim.SGD):
        def step(self, closure=None):
            norms.append(
                torch.cat([p.grad.flatten() for p in self.param_groups[0]["params"]]).norm().item()
            )
            return super().step(closure)

    monkeypatch.setattr(
        run, "make_optimizers", lambda model, config: [Measured(model.parameters(), lr=0.1)]
    )
    fit_on_cpu(tiny(), noise(), clip_norm=0.01)
    assert norms and norms == [pytest.approx(0.01, rel=1e-3)] * len(norms)


def test_learning_rate_has_run_its_course_when_the_training_ends(monkeypatch):
    made = []
    original = run.make_scheduler

    def remember(optimizer, config, total_steps):
        made.append((original(optimizer, config, total_steps), total_steps))
        return made[-1][0]

    monkeypatch.setattr(run, "make_scheduler", remember)
    fit_on_cpu(tiny(), noise(18), epochs=3)
    ((scheduler, total_steps),) = made
    assert total_steps == 12
    assert scheduler.get_last_lr()[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "labels, images, changes, named",
    [
        ([0, 1, 2, 4], 4, {}, "4 at index 3"),
        ([0, 1, 2, -1], 4, {}, "-1 at index 3"),
        ([0, 1, 2], 3, {}, "3 training images do not fill a batch of 4"),
        ([0, 1, 2, 3, 0], 5, {"validation_images": 2}, "5 training .* 2 of validation_images"),
        ([0, 1, 2, 3, 0], 5, {"validation_images": 9}, "5 training .* 9 of validation_images"),
    ],
)
def test_images_and_labels_that_cannot_be_trained_on_are_named(labels, images, changes, named):
    pictures = torch.zeros(images, 3, 8, 8, dtype=torch.uint8)
    parts = (pictures, torch.tensor(labels)) * 2
    names = tuple("abcde")
    if min(labels) < 0:
        with pytest.raises(ValueError, match=named):
            Dataset(*parts, names, "mine")
        return
    model = tiny()
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(ValueError, match=named):
        fit_on_cpu(model, Dataset(*parts, names, "mine"), **changes)
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("ask", [fit, estimate_seconds])
@pytest.mark.parametrize(
    "changed, named",
    [
        ({"config": RECIPES["quick"]}, r"TrainingConfig, is a Recipe: .*\.training"),
        ({"config": {"epochs": 3}}, r"TrainingConfig, is a dict: .*\*\*"),
        ({"config": 10}, "TrainingConfig, is a int"),
        ({"config": TINY}, "TrainingConfig, is a ViTConfig"),
        ({"dataset": tuple(noise(4).train_images)}, "Dataset, is a tuple"),
        ({"dataset": torch.utils.data.DataLoader(noise(4).train_images)}, "is a DataLoader"),
        ({"dataset": None}, "Dataset, is a NoneType"),
        ({"dataset": tiny(), "model": noise()}, "Dataset, is a VisionTransformer"),
    ],
)
def test_what_is_no_data_set_and_no_configuration_is_named(ask, changed, named):
    with pytest.raises(ValueError, match=named):
        ask(**{"model": tiny(), "dataset": noise(), "config": PLAIN, "device": "cpu", **changed})


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"epochs": 0}, "epochs must be at least 1, is 0"),
        ({"batch_size": -5}, "batch_size must be at least 1, is -5"),
        ({"warmup": 1.0}, "warmup .* is 1.0"),
        ({"warmup": -0.1}, "warmup .* is -0.1"),
        ({"validation_images": -1}, "validation_images"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_named(changes, named):
    with pytest.raises(ValueError, match=named):
        replace(PLAIN, **changes)


# --- stop and resume ------------------------------------------------------------------------------

EVERYTHING = dict(  # noqa: C408
    epochs=3,
    validation_images=4,
    flip=True,
    crop_padding=2,
    erase=0.5,
    mixup=0.2,
    cutmix=1.0,
    trivial_augment=True,
    ema_decay=0.8,
    patch_drop_rate=0.5,
    whole_epochs=1,
    layer_decay=0.7,
)


def same_weights(one, other):
    return all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))


def same_history(one, other):
    measured = ("train_loss", "train_accuracy", "validation_accuracy")
    return all(getattr(one, name) == getattr(other, name) for name in measured)


class StopAfter:
    """Sends this process SIGINT (or what `act` does) after so many steps."""

    def __init__(self, monkeypatch, steps, act=lambda: signal.raise_signal(signal.SIGINT)):
        self.left, original = steps, Run.train_step

        def step(run):
            original(run)
            self.left -= 1
            if self.left == 0:
                act()

        monkeypatch.setattr(Run, "train_step", step)


@pytest.mark.parametrize(
    "optimizer, precision", [("adamw", None), ("muon", None), ("sgd", None), ("muon", "float16")]
)
@pytest.mark.parametrize("steps", [1, 3, 4, 7])
def test_interrupted_run_ends_with_the_same_weights(
    steps, optimizer, precision, tmp_path, monkeypatch
):
    settings = EVERYTHING | {"optimizer": optimizer, "precision": precision}
    undisturbed = tiny(proj_drop_rate=0.1, drop_path_rate=0.2)
    expected = fit_on_cpu(undisturbed, noise(), **settings)
    state = tmp_path / "state.pt"
    resume = {"checkpoint": state, "resume": True}
    number = signal.SIGTERM if steps == 3 else signal.SIGINT
    StopAfter(monkeypatch, steps, lambda: signal.raise_signal(number))
    with pytest.raises(KeyboardInterrupt, match=rf"epoch {(steps - 1) // 3 + 1} of 3.*state\.pt"):
        fit_on_cpu(tiny(proj_drop_rate=0.1, drop_path_rate=0.2), noise(), **resume, **settings)
    # Another process has other generators, and another model to begin with
    torch.manual_seed(steps)
    model = tiny(seed=steps, proj_drop_rate=0.1, drop_path_rate=0.2)
    history = fit_on_cpu(model, noise(), **resume, **settings)
    assert same_weights(model, undisturbed) and same_history(history, expected)
    again = tiny(seed=9, proj_drop_rate=0.1, drop_path_rate=0.2)
    fit_on_cpu(again, noise(), **resume, **settings)  # a run that is over is resumed to its end
    assert same_weights(again, undisturbed)


def test_seconds_of_an_interrupted_epoch_are_those_in_which_it_was_trained(tmp_path, monkeypatch):
    clock, original = [0.0], Run.train_step

    def step(run):
        original(run)
        clock[0] += 1

    monkeypatch.setattr(Run, "train_step", step)
    monkeypatch.setattr(run.time, "perf_counter", lambda: clock[0])
    settings = {"checkpoint": tmp_path / "state.pt", "epochs": 3}
    StopAfter(monkeypatch, 6)  # after half of the second epoch
    with pytest.raises(KeyboardInterrupt):
        fit_on_cpu(tiny(), noise(), **settings)
    clock[0] += 1_000  # nothing runs meanwhile
    assert fit_on_cpu(tiny(), noise(), resume=True, **settings).seconds == [4, 4, 4]


def test_a_state_from_before_a_setting_came_is_resumed(tmp_path):
    path, settings = tmp_path / "state.pt", {"epochs": 1, "optimizer": "sgd"}
    undisturbed = tiny()
    fit_on_cpu(undisturbed, noise(), checkpoint=path, **settings)
    state = torch.load(path, weights_only=True)
    del state["of"]["training"]["layer_decay"], state["of"]["data"]["content"]
    del state["of"]["weights"]
    torch.save(state, path)
    again = tiny(seed=1)
    fit_on_cpu(again, noise(), checkpoint=path, resume=True, **settings)
    assert same_weights(again, undisturbed)
    with pytest.raises(ValueError, match=r"layer_decay: 1\.0 there, 0\.5 here"):
        fit_on_cpu(again, noise(), checkpoint=path, resume=True, layer_decay=0.5, **settings)


@pytest.mark.parametrize("moment", ["train_step", "end_epoch", "save"])
def test_interrupt_at_the_very_end_loses_nothing_and_is_not_forgotten(
    moment, tmp_path, monkeypatch
):
    undisturbed, state = tiny(), tmp_path / "state.pt"
    settings = {"epochs": 2, "ema_decay": 0.5, "checkpoint": state}
    expected = fit_on_cpu(undisturbed, noise(), **settings | {"checkpoint": None})
    original = getattr(Run, moment)

    def interrupted(run, *arguments, **options):
        if len(run.history.train_loss) + (moment != "save") == 2:
            signal.raise_signal(signal.SIGINT)
        return original(run, *arguments, **options)

    if moment == "train_step":
        StopAfter(monkeypatch, 8)
    else:
        monkeypatch.setattr(Run, moment, interrupted)
    model = tiny()
    with pytest.raises(KeyboardInterrupt, match=r"stopped in epoch 2 of 2; .*state\.pt holds"):
        fit_on_cpu(model, noise(), **settings)
    assert same_weights(model, undisturbed)  # also for those who asked for no checkpoint
    monkeypatch.undo()
    again = tiny(seed=3)
    assert same_history(fit_on_cpu(again, noise(), resume=True, **settings), expected)
    assert same_weights(again, undisturbed)


def test_second_interrupt_does_not_wait_for_the_step(monkeypatch, tmp_path):
    def twice():
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    StopAfter(monkeypatch, 2, twice)
    with pytest.raises(KeyboardInterrupt):
        fit_on_cpu(tiny(), noise(), checkpoint=tmp_path / "state.pt")
    assert not list(tmp_path.iterdir())


def test_signals_are_handled_as_before_afterwards(monkeypatch):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    fit_on_cpu(tiny(), noise())
    StopAfter(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt, match=r"stopped in epoch 1 of 2$"):
        fit_on_cpu(tiny(), noise())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_training_works_in_a_thread():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert len(pool.submit(fit_on_cpu, tiny(), noise()).result().train_loss) == 2


def test_states_are_written_by_time_and_at_the_end(tmp_path, monkeypatch):
    written, original = [], Run.save

    def remember(run, *arguments, **options):
        original(run, *arguments, **options)
        written.append(run.step)

    monkeypatch.setattr(Run, "save", remember)
    state = tmp_path / "state.pt"
    for seconds, expected in ((0, [4, 8, 12]), (3600, [12])):
        config = replace(PLAIN, epochs=3)
        fit(tiny(), noise(), config, "cpu", state, seconds_between_saves=seconds)
        assert written == expected
        written.clear()


def test_random_numbers_outside_go_on_as_if_there_had_been_no_run():
    model, other = tiny(), tiny()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fit_on_cpu(model, noise(), flip=True)
    assert torch.equal(torch.rand(3), expected)
    other.head.bias.data[0] = torch.nan
    torch.manual_seed(1)
    with pytest.raises(FloatingPointError):
        fit_on_cpu(other, noise())
    assert torch.equal(torch.rand(3), expected)


def test_models_that_are_made_and_trained_in_turn_are_not_one_model():
    trained = []
    for _ in range(3):
        model = VisionTransformer(TINY)
        fit_on_cpu(model, noise())
        trained.append(model)
    assert not same_weights(trained[0], trained[1]) and not same_weights(trained[1], trained[2])


def test_time_that_writing_the_state_takes_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "save", lambda *_, **__: time.sleep(0.5))
    history = fit_on_cpu(tiny(), noise(), epochs=3, checkpoint=tmp_path / "state.pt")
    assert min(history.seconds[1:]) >= 0.5


def test_full_disk_does_not_stop_the_training_but_is_said(tmp_path, monkeypatch, capsys):
    def fail(state, path):
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file data/2: file write failed")

    monkeypatch.setattr(torch, "save", fail)
    history = fit_on_cpu(tiny(), noise(), checkpoint=tmp_path / "state.pt", epochs=2)
    said = capsys.readouterr().out
    assert len(history.train_loss) == 2 and said.count("room on the disk") == 2
    assert not list(tmp_path.iterdir())
    StopAfter(monkeypatch, 1)
    with pytest.raises(OSError, match="room on the disk"):
        fit_on_cpu(tiny(), noise(), checkpoint=tmp_path / "state.pt")


@pytest.mark.parametrize(
    "settings, changes, n, named",
    [
        ({"embed_dim": 48}, {}, 16, "model embed_dim: 24 there, 48 here"),
        ({}, {"batch_size": 8}, 16, "training batch_size: 4 there, 8 here"),
        ({}, {"seed": 1}, 16, "training seed: 0 there, 1 here"),
        ({}, {}, 20, "data images: 16 there, 20 here"),
    ],
)
def test_state_of_another_run_is_refused(settings, changes, n, named, tmp_path):
    state = tmp_path / "state.pt"
    fit_on_cpu(tiny(), noise(), checkpoint=state)
    before = state.read_bytes()
    with pytest.raises(ValueError, match=named):
        fit_on_cpu(tiny(**settings), noise(n), checkpoint=state, resume=True, **changes)
    assert state.read_bytes() == before


def relabelled(dataset):
    return replace(dataset, train_labels=(dataset.train_labels + 1) % 4)


def one_image_exchanged(dataset):
    images = dataset.train_images.clone()
    images[3] = 255 - images[3]
    return replace(dataset, train_images=images)


def in_another_order(dataset):
    images, labels = dataset.train_images.flip(0), dataset.train_labels.flip(0)
    return replace(dataset, train_images=images, train_labels=labels)


@pytest.mark.parametrize("change", [relabelled, one_image_exchanged, in_another_order])
def test_a_run_does_not_go_on_with_other_data_of_the_same_name(change, tmp_path):
    state, model = tmp_path / "state.pt", tiny()
    fit_on_cpu(tiny(), noise(), checkpoint=state)
    with pytest.raises(ValueError, match=r"data content: .* there, .* here"):
        fit_on_cpu(model, change(noise()), checkpoint=state, resume=True)
    assert same_weights(model, tiny())
    others = replace(noise(), test_images=255 - noise().test_images)  # which no run looks at
    fit_on_cpu(model, others, checkpoint=state, resume=True)


class Ladder(torch.nn.Module):
    """A model of one's own, whose configuration does not say how many layers it has."""

    def __init__(self, layers):
        super().__init__()
        self.config = TINY
        self.layers = torch.nn.ModuleList(torch.nn.Linear(192, 192) for _ in range(layers))
        self.head = torch.nn.Linear(192, 4)

    def forward(self, images):
        x = images.flatten(1)
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x)


@pytest.mark.parametrize("stopped, layers", [(2, 3), (3, 2)])
def test_a_run_does_not_go_on_with_other_weights(stopped, layers, tmp_path):
    state = tmp_path / "state.pt"
    fit_on_cpu(Ladder(stopped), noise(), checkpoint=state)
    with pytest.raises(ValueError, match=r"weights layers\.2\.weight"):
        fit_on_cpu(Ladder(layers), noise(), checkpoint=state, resume=True)


def test_a_run_does_not_go_on_with_other_frozen_weights(tmp_path):
    state = tmp_path / "state.pt"
    fit_on_cpu(tiny(), noise(), checkpoint=state)
    model = tiny()
    model.blocks.requires_grad_(False)
    with pytest.raises(ValueError, match=r"blocks\.0.*trained there, .*fixed here"):
        fit_on_cpu(model, noise(), checkpoint=state, resume=True)


def test_state_of_another_kind_of_model_is_refused(tmp_path):
    state = tmp_path / "state.pt"
    fit_on_cpu(tiny(), noise(), checkpoint=state)
    last = ClassTokenLast(tiny().config)
    with pytest.raises(ValueError, match="class: VisionTransformer there, ClassTokenLast here"):
        fit_on_cpu(last, noise(), checkpoint=state, resume=True)


def test_state_of_another_precision_is_refused(tmp_path, compute_in):
    state = tmp_path / "state.pt"
    compute_in(torch.bfloat16)
    fit_on_cpu(tiny(), noise(), checkpoint=state)
    compute_in(torch.float16)
    with pytest.raises(ValueError, match="machine precision: bfloat16 there, float16 here"):
        fit_on_cpu(tiny(), noise(), checkpoint=state, resume=True)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"text"])
def test_damaged_state_is_named(damage, tmp_path):
    state = tmp_path / "state.pt"
    fit_on_cpu(tiny(), noise(), checkpoint=state)
    state.write_bytes(damage(state.read_bytes()))
    with pytest.raises(ValueError, match=r"state\.pt is damaged.*remove it"):
        fit_on_cpu(tiny(), noise(), checkpoint=state, resume=True)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("kind", ["model", "weights", "text", "nothing", "folder"])
def test_no_file_but_a_state_is_replaced_or_said_to_be_one(kind, resume, tmp_path):
    path, model = tmp_path / "mine", tiny()
    if kind == "model":
        save_checkpoint(path, model)
    elif kind == "weights":
        torch.save(model.state_dict(), path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("my notes" if kind == "text" else "")
    before = None if kind == "folder" else path.read_bytes()
    with pytest.raises(OSError if kind == "folder" else ValueError, match=r"mine is .*name a") as e:
        fit_on_cpu(model, noise(), checkpoint=path, resume=resume)
    assert same_weights(model, tiny()) and len(str(e.value)) < 400
    assert ("remove" in str(e.value)) == (kind not in ("weights", "folder"))
    assert kind == "folder" or path.read_bytes() == before


def test_a_run_that_begins_anew_replaces_the_state_of_an_earlier_one(tmp_path):
    state = tmp_path / "state.pt"
    for seed in (0, 1):
        fit_on_cpu(tiny(), noise(), checkpoint=state, seed=seed)
        assert torch.load(state, weights_only=True)["of"]["training"]["seed"] == seed


def modes(model):
    return {name: module.training for name, module in model.named_modules()}


@pytest.mark.parametrize(
    "make, changes",
    [
        (tiny, {"validation_images": 99}),  # before anything was done to it
        (lambda: Ladder(2), {"layer_decay": 0.5}),  # by the optimizers
        (tiny, {"seed": 1}),  # by the state of another run
    ],
)
def test_a_model_that_is_refused_stays_in_the_mode_it_was_in(make, changes, tmp_path):
    state = tmp_path / "state.pt"
    fit_on_cpu(tiny(), noise(), checkpoint=state)
    for part in (None, "head"):
        model = make().train(part is not None)
        if part:
            model.get_submodule(part).eval()
        before = modes(model)
        with pytest.raises(ValueError):
            fit_on_cpu(model, noise(), checkpoint=state, resume=True, **changes)
        assert modes(model) == before
        fit_on_cpu(model, noise())
        assert all(modes(model).values())  # as its docstring says


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_take_a_step(name):
    recipe = RECIPES[name]
    model = VisionTransformer(replace(recipe.model, depth=1))
    before = model.cls_token.weight.clone()
    config = replace(recipe.training, batch_size=2, compile=False)
    pictures = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    parts = (pictures, torch.tensor([3, 4, 5, 6])) * 2
    run = Run(model, Dataset(*parts, tuple("0123456789"), "black"), config, torch.device("cpu"))
    run.train_step()
    run.check_numbers(also_weights=True)
    assert run.step == 1 and not torch.equal(model.cls_token.weight, before)


# --- what can go wrong ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_loss_that_is_no_number_stops_the_run_with_its_causes(tmp_path):
    model, state = tiny(), tmp_path / "state.pt"
    fit_on_cpu(model, noise(), checkpoint=state, epochs=1)
    before = state.read_bytes()
    with torch.no_grad():
        model.head.bias[0] = torch.nan
    with pytest.raises(FloatingPointError) as stop:
        fit_on_cpu(model, noise(), checkpoint=state, learning_rate=2e-3)
    for part in ("epoch 1", "learning rate of", "e-0", "Usual causes", "clipping"):
        assert part in str(stop.value)
    assert state.read_bytes() == before


def test_memory_that_the_optimizer_lacks_is_named_too(monkeypatch):
    def step(self, closure=None):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(MemoryError, match="try a smaller model") as stop:
        fit_on_cpu(tiny(), noise(), batch_size=1)
    assert stop.value.__context__ is None  # would keep the step's tensors in memory


@pytest.mark.parametrize(
    "fault",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        None,  # a real one, on the CPU
    ],
    ids=["gpu", "cublas", "cpu"],
)
def test_batch_that_does_not_fit_is_named_with_one_to_try(fault, monkeypatch):
    def forward(self, images):
        if fault:
            raise fault
        return torch.empty(1 << 50)

    monkeypatch.setattr(VisionTransformer, "forward", forward)
    said = r"batch of 4 .* cpu: try batch_size 2, .* \(.*(memory|ALLOC)"
    with pytest.raises(MemoryError, match=said):
        fit_on_cpu(tiny(), noise())


@pytest.mark.parametrize(
    "fault",
    ["mat1 and mat2 shapes cannot be multiplied", "CppCompileError: buf0 = allocate(8)"],
)
def test_other_faults_of_the_model_stay_what_they_are(fault, monkeypatch):
    def forward(self, images):
        raise RuntimeError(fault)

    monkeypatch.setattr(VisionTransformer, "forward", forward)
    with pytest.raises(RuntimeError, match=re.escape(fault)):
        fit_on_cpu(tiny(), noise())


def test_weights_that_are_no_numbers_do_not_replace_the_last_good_state(tmp_path, monkeypatch):
    def poison():
        with torch.no_grad():
            model.head.bias[0] = torch.inf

    state, model = tmp_path / "state.pt", tiny()
    StopAfter(monkeypatch, 8, poison)  # the last step of the second epoch: no later loss tells
    with pytest.raises(FloatingPointError, match="epoch 2"):
        fit_on_cpu(model, noise(), checkpoint=state)
    fresh = tiny()
    fit_on_cpu(fresh, noise(), checkpoint=state, resume=True)
    assert fresh.head.bias.isfinite().all()


def test_a_gpu_is_asked_for_its_numbers_every_fifty_steps_and_at_the_end():
    one = Run(tiny(), noise(), PLAIN, torch.device("cpu"))
    one.device, one.totals[0] = torch.device("cuda"), torch.nan
    for one.step in (1, 49, 51, 75, 99):
        one.check_numbers(also_weights=False)
    for one.step, at_the_end in ((50, False), (100, False), (51, True)):
        with pytest.raises(FloatingPointError, match=f"after {one.step} steps"):
            one.check_numbers(also_weights=at_the_end)


def test_gradients_that_were_left_over_do_not_enter(in_float32):
    clean, dirty = tiny(), tiny()
    for parameter in dirty.parameters():
        parameter.grad = torch.ones_like(parameter)
    for model in (clean, dirty):
        fit_on_cpu(model, noise())
    assert same_weights(clean, dirty)


def test_no_optimizer_steps_when_some_gradient_left_the_range_of_float16(monkeypatch):
    settings = {"optimizer": "muon", "precision": "float16", "clip_norm": 1.0}
    run = Run(tiny(), noise(), replace(PLAIN, **settings), torch.device("cpu"))
    overflow = run.model.head.weight.register_hook(lambda gradient: gradient * torch.inf)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    scale = run.scaler.get_scale()
    run.train_step()
    assert all(torch.equal(tensor, before[k]) for k, tensor in run.model.state_dict().items())
    assert run.scaler.get_scale() == scale / 2
    overflow.remove()
    run.train_step()
    assert all(not torch.equal(p, before[k]) for k, p in run.model.named_parameters())


def test_loss_scale_that_fell_below_1_ends_the_run_with_a_remedy():
    model = tiny()
    model.head.weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(FloatingPointError, match=r'float16.*scale.*precision="float32"'):
        fit_on_cpu(model, noise(), epochs=20, precision="float16")


# --- moving average of the weights (EMA) ----------------------------------------------------------


def test_moving_average_is_what_is_judged_and_kept(monkeypatch):
    seen, original = [], Run.train_step

    def remember(run):
        original(run)
        seen.append(run.model.head.weight.detach().clone())

    monkeypatch.setattr(Run, "train_step", remember)
    model, dataset = tiny(), noise(20)
    mean = torch.zeros_like(model.head.weight)
    history = fit_on_cpu(model, dataset, ema_decay=0.25, validation_images=8, epochs=2)
    for decay, weight in zip((0.0, 2 / 11, 0.25, 0.25, 0.25, 0.25), seen, strict=True):
        mean = decay * mean + (1 - decay) * weight
    torch.testing.assert_close(model.head.weight, mean)
    held_out = stratified_order(dataset.train_labels)[-8:]
    judged = evaluate(model, dataset.train_images[held_out], dataset.train_labels[held_out])
    assert history.validation_accuracy[-1] == judged


def test_moving_average_keeps_what_batch_norm_has_counted(in_float32):
    plain, averaged = ConvNet(TINY, width=8), ConvNet(TINY, width=8)
    averaged.load_state_dict(plain.state_dict())
    fit_on_cpu(plain, noise())
    fit_on_cpu(averaged, noise(), ema_decay=0.5)
    for (name, buffer), twin in zip(plain.named_buffers(), averaged.buffers(), strict=True):
        assert torch.equal(buffer, twin), name  # the network that is trained is the same


def test_a_long_moving_average_does_not_hold_a_short_run_at_its_start():
    plain, averaged = tiny(), tiny()
    before = plain.head.weight.detach().clone()
    fit_on_cpu(plain, noise(), epochs=10, schedule="constant")
    fit_on_cpu(averaged, noise(), epochs=10, schedule="constant", ema_decay=0.999)
    behind = (averaged.head.weight - plain.head.weight).norm() / (plain.head.weight - before).norm()
    assert 0 < behind < 0.3


def test_history_is_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "vit_minimal.plots.show_lines", lambda x, lines, *_: drawn.append((list(x), lines))
    )
    history = fit_on_cpu(tiny(), noise(), validation_images=4)
    history.plot()
    (epochs, loss), (_, accuracies) = drawn
    assert epochs == [1, 2] and loss == {"training loss": history.train_loss}
    assert list(accuracies.values()) == [history.train_accuracy, history.validation_accuracy]


# --- evaluate -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 7, 500])
def test_accuracy_is_the_share_of_images_that_are_right(batch_size, in_float32):
    model, dataset = tiny().eval(), noise(21)
    with torch.no_grad():
        guesses = [model(normalize(image[None])).argmax().item() for image in dataset.train_images]
    right = sum(map(int.__eq__, guesses, dataset.train_labels.tolist()))
    assert 0 < right < 21
    accuracy = evaluate(model, dataset.train_images, dataset.train_labels, batch_size)
    assert isinstance(accuracy, float) and accuracy == right / 21


@pytest.mark.parametrize("training_mode", [True, False])
def test_evaluation_is_without_dropout_and_leaves_the_mode_as_it_was(training_mode):
    model, dataset = tiny(pos_drop_rate=0.9), noise(64)
    model.train(training_mode)
    part = dataset.train_images, dataset.train_labels
    assert len({evaluate(model, *part) for _ in range(5)}) == 1
    assert all(module.training == training_mode for module in model.modules())
    with pytest.raises(ValueError, match=r"\(3, 8, 8\).* 8, 16\)"):
        evaluate(model, torch.zeros(4, 3, 8, 16), torch.zeros(4, dtype=torch.int64))
    assert model.training == training_mode


@pytest.mark.parametrize(
    "images, labels, named",
    [
        (0, [], "no images"),
        (3, [0, 1], r"\(3,\).*\(2,\)"),
        (2, [0, 4], "4 at index 1"),
        (2, [-1, 0], "-1 at index 0"),
    ],
)
def test_what_cannot_be_evaluated_is_named(images, labels, named):
    with pytest.raises(ValueError, match=named):
        evaluate(tiny(), torch.zeros(images, 3, 8, 8), torch.tensor(labels, dtype=torch.int64))


@pytest.mark.parametrize("outside", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_autocast_of_ones_own_changes_nothing(precision, outside):
    images, trained, within = noise().test_images, tiny(), tiny()
    expected = predict(trained, images, precision=getattr(torch, precision))
    fit_on_cpu(trained, noise(), precision=precision)
    with torch.autocast("cpu", outside):
        answers = predict(within, images, precision=getattr(torch, precision))
        fit_on_cpu(within, noise(), precision=precision)
    assert torch.equal(answers, expected) and same_weights(trained, within)


def test_the_name_of_a_precision_is_answered_with_the_dtype_that_is_wanted():
    model, dataset = tiny(), noise(4)
    part = dataset.train_images, dataset.train_labels
    for name in ("float32", "bfloat16"):
        with pytest.raises(TypeError, match=rf"torch\.float32.*'{name}'"):
            evaluate(model, *part, precision=name)
    assert evaluate(model, *part, precision=torch.bfloat16) <= 1


def test_confusion_counts_each_image_once_in_the_row_of_its_class(in_float32):
    model, dataset = tiny(), noise(40)
    images, labels = dataset.train_images, dataset.train_labels
    counts = confusion_matrix(model, images, labels, batch_size=7)
    guesses = predict(model, images).argmax(dim=1)
    for i, j in itertools.product(range(4), repeat=2):
        assert counts[i, j] == ((labels == i) & (guesses == j)).sum()
    assert counts.trace() / 40 == pytest.approx(evaluate(model, images, labels))
    assert counts[0].sum() != counts[:, 0].sum()  # else rows and columns could be exchanged


def test_predictions_are_the_models_logits_in_float32(in_float32):
    model, images = tiny(), noise(5).train_images
    with torch.no_grad():
        expected = model.eval()(normalize(images))
    torch.testing.assert_close(predict(model.train(), images, batch_size=2), expected)
    assert predict(model.bfloat16(), images).dtype == torch.float32


def test_predictions_can_be_computed_with(in_float32):
    dataset = noise(12)
    temperature = torch.ones((), requires_grad=True)
    logits = predict(tiny(), dataset.train_images) * temperature
    F.cross_entropy(logits, dataset.train_labels).backward()
    assert temperature.grad.isfinite()


def test_a_model_may_keep_what_it_made_while_it_was_evaluated():
    class Keeping(Holding):
        table = None

        def forward(self, images):
            if self.table is None:
                self.table = torch.ones(1, 3, 1, 1)
            return self.vit(images * self.vit.head.bias.mean() * self.table)

    model, dataset = Keeping(), noise()
    evaluate(model, dataset.train_images, dataset.train_labels)
    fit_on_cpu(model, dataset)


def test_the_callers_autocast_changes_no_answer():
    model, images = tiny(), noise(5).train_images
    expected = predict(model, images, precision=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(predict(model, images, precision=torch.float32), expected)


@pytest.mark.parametrize("outputs", [3, 7, 40])
@pytest.mark.parametrize("classes", [1, 4])
def test_outputs_that_are_not_one_for_each_class_are_named(outputs, classes):
    model, dataset = tiny(), noise(40)
    model.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(model.head.in_features, outputs))
    labels = dataset.train_labels % classes  # in the matrix many wrong answers would find a place
    for ask in (evaluate, confusion_matrix):
        with pytest.raises(ValueError, match=rf"\(40, {outputs}\).*num_classes 4"):
            ask(model, dataset.train_images, labels)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_answers_that_are_no_numbers_are_not_counted(number):
    model, dataset = tiny(), noise(8)
    with torch.no_grad():
        model.head.bias[slice(None) if number < 0 else 2] = number  # −∞ only where all are
    for ask in (
        lambda: evaluate(model, dataset.train_images, dataset.train_labels),
        lambda: predict(model, dataset.train_images),
        lambda: knock_out(model, dataset.train_images, [0]),
    ):
        with pytest.raises(FloatingPointError, match="8 of 8"):
            ask()
    with torch.no_grad():
        model.head.bias.zero_()[2] = -math.inf  # a class that is left out
    assert (predict(model, dataset.train_images).argmax(dim=1) != 2).all()


@pytest.mark.parametrize("rate, whole, dropping", [(0.0, 0, 0), (0.5, 1, 4), (0.5, 9, 0)])
def test_the_time_is_guessed_from_steps_of_either_kind(rate, whole, dropping, monkeypatch):
    """Here a step takes a second for each patch that it trains on."""
    clock, original = [0.0], Run.train_step

    def step(run):
        original(run)
        clock[0] += 4 * (1 - run.config.patch_drop_rate)

    monkeypatch.setattr(Run, "train_step", step)
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: clock[0])
    model, before = tiny(), tiny()
    config = replace(PLAIN, epochs=5, patch_drop_rate=rate, whole_epochs=whole)
    seconds = estimate_seconds(model, noise(), config, "cpu")
    assert seconds == 4 * ((5 - dropping) * 4 + dropping * 2)  # four steps to an epoch
    assert same_weights(model, before) and model.training


# --- optimizer and schedule -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["adamw", "sgd", "muon"])
@pytest.mark.parametrize("pool", ["class", "attention"])
def test_exactly_the_matrices_decay(pool, kind):
    model = tiny(pool=pool, num_registers=2)
    config = TrainingConfig(weight_decay=0.05, learning_rate=2e-3, optimizer=kind)
    optimizers = make_optimizers(model, config)
    names = {parameter: name for name, parameter in model.named_parameters()}
    every_group = [group for optimizer in optimizers for group in optimizer.param_groups]
    groups = [(group["weight_decay"], group["params"]) for group in every_group]
    assert sum(len(parameters) for _, parameters in groups) == len(names)
    assert all(group["lr"] == 2e-3 for group in every_group)
    decaying = {names[p] for decay, parameters in groups if decay == 0.05 for p in parameters}
    spared = {names[p] for decay, parameters in groups if decay == 0 for p in parameters}
    layers = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    matrices = {f"blocks.{i}.{layer}.weight" for i in range(2) for layer in layers}
    assert decaying == matrices | {"patch_embed.proj.weight", "head.weight"}
    assert decaying | spared == set(names.values())
    if kind == "muon":
        assert {names[p] for p in optimizers[0].param_groups[0]["params"]} == matrices


class Holding(nn.Module):
    """A reader's module that holds a VisionTransformer."""

    def __init__(self, **settings):
        super().__init__()
        self.vit = tiny(**settings)
        self.config = self.vit.config

    def forward(self, images):
        return self.vit(images)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_what_decays_is_the_same_in_a_module_that_holds_the_model(kind):
    decaying = []
    for model in (tiny(num_registers=2), Holding(num_registers=2)):
        config = TrainingConfig(weight_decay=0.05, optimizer=kind)
        names = {parameter: name for name, parameter in model.named_parameters()}
        (optimizer,) = make_optimizers(model, config)
        groups = [group for group in optimizer.param_groups if group["weight_decay"]]
        decaying.append({names[p].removeprefix("vit.") for g in groups for p in g["params"]})
    assert decaying[0] == decaying[1]


@pytest.mark.parametrize("settings", [{"optimizer": "muon"}, {"layer_decay": 0.5}])
@pytest.mark.parametrize("make", [Holding, lambda: ConvNet(TINY)])
def test_settings_that_count_on_blocks_name_a_model_without(make, settings):
    model = make()
    with pytest.raises(ValueError, match=type(model).__name__):
        fit_on_cpu(model, noise(), **settings)


@pytest.mark.parametrize("kind", ["adamw", "sgd", "muon"])
def test_layer_decay_gives_each_block_the_rate_that_timm_gives_it(kind):
    theirs = TimmViT(img_size=8, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=4)
    names = {parameter: name for name, parameter in theirs.named_parameters()}
    expected = {
        names[parameter]: 2e-3 * group["lr_scale"]
        for group in param_groups_layer_decay(theirs, layer_decay=0.5)
        for parameter in group["params"]
    }
    config = TrainingConfig(learning_rate=2e-3, layer_decay=0.5, optimizer=kind)
    model = tiny()
    names = {parameter: name for name, parameter in model.named_parameters()}
    optimizers = make_optimizers(model, config)
    for optimizer in optimizers:
        make_scheduler(optimizer, replace(config, warmup=0.0), total_steps=10)  # full in step 1
    found = {
        re.sub(r"^(cls_token|pos_embed)\.weight$", r"\1", names[parameter]): group["lr"]
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found == pytest.approx(expected)
    assert len(set(expected.values())) == 4  # before the blocks, two blocks, after them


def test_layer_decay_is_refused_where_there_are_no_blocks_and_out_of_its_range():
    with pytest.raises(ValueError, match="ConvNet has none"):
        make_optimizers(ConvNet(TINY), TrainingConfig(layer_decay=0.5))
    for share in (0.0, 1.2, -1.0, math.nan):
        with pytest.raises(ValueError, match="layer_decay must be in"):
            TrainingConfig(layer_decay=share)


@pytest.mark.parametrize("kind", ["adamw", "sgd", "muon"])
def test_frozen_weights_stay_and_do_not_decay(kind):
    model = tiny()
    model.requires_grad_(False)
    model.reset_head(4)
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    settings = {"optimizer": kind, "weight_decay": 0.5, "learning_rate": 0.1, "ema_decay": 0.5}
    fit_on_cpu(model, noise(), **settings)
    moved = {name for name, weight in model.state_dict().items() if not weight.equal(start[name])}
    assert moved == {"head.weight", "head.bias"}


def test_a_model_without_weights_is_refused():
    with torch.device("meta"):
        model = tiny()
    with pytest.raises(ValueError, match="meta"):
        fit_on_cpu(model, noise())


def test_a_model_that_is_frozen_altogether_is_refused():
    model = tiny()
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="every parameter is frozen"):
        fit_on_cpu(model, noise())


def test_sgd_goes_on_in_the_direction_of_earlier_steps():
    layer = torch.nn.Linear(1, 1, bias=False)
    config = TrainingConfig(optimizer="sgd", learning_rate=0.5, weight_decay=0.0)
    (optimizer,) = make_optimizers(layer, config)
    start = layer.weight.item()
    for travelled in (0.5, 0.5 * (1 + 1.9)):  # the second step is 1.9 as long: momentum 0.9
        layer.weight.grad = torch.ones(1, 1)
        optimizer.step()
        assert start - layer.weight.item() == pytest.approx(travelled, abs=1e-6)


def rates(config, total_steps):
    """The learning rate of each step, and the one after the last."""
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=config.learning_rate)
    scheduler = make_scheduler(optimizer, config, total_steps)
    seen = []
    for _ in range(total_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen, optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize(
    "warmup, total_steps", [(0.1, 100), (0.25, 40), (0.5, 7), (0.05, 30), (0.9, 10)]
)
@pytest.mark.filterwarnings("error")
def test_learning_rate_climbs_in_a_line_and_falls_along_a_cosine(warmup, total_steps):
    seen, after = rates(replace(PLAIN, warmup=warmup, learning_rate=2e-3), total_steps)
    climbing = max(1, int(warmup * total_steps))
    falling = total_steps - climbing
    climb = [2e-3 * (i + 1) / climbing for i in range(climbing)]
    fall = [2e-3 * (1 + math.cos(math.pi * i / falling)) / 2 for i in range(falling)]
    assert seen == pytest.approx(climb + fall, abs=1e-9)
    assert after == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("total_steps", [1, 2, 10])
@pytest.mark.filterwarnings("error")
def test_without_warm_up_it_starts_at_the_top(total_steps):
    seen, _ = rates(replace(PLAIN, warmup=0.0, learning_rate=2e-3), total_steps)
    assert seen[0] == pytest.approx(2e-3) and all(0 < rate <= 2e-3 + 1e-9 for rate in seen)


# --- command line ---------------------------------------------------------------------------------


@pytest.fixture
def course(monkeypatch, tmp_path):
    """A course with a hundredth of Shapes-10 and a tiny model, whose data folder is empty."""
    monkeypatch.setenv("VIT_MINIMAL_DATA", str(tmp_path))
    recipe = RECIPES["quick"]
    model = replace(recipe.model, patch_size=16, embed_dim=24, depth=1)
    monkeypatch.setitem(RECIPES, "quick", replace(recipe, model=model))
    monkeypatch.setattr(data, "shapes10", lambda n, seed: shapes10(n // 100, seed))
    monkeypatch.setattr(__main__, "pick_device", lambda name=None: torch.device("cpu"))
    return tmp_path


def test_command_line_trains_judges_and_saves(course, capsys):
    main(["--recipe", "quick", "--dataset", "shapes10", "--epochs", "1", "--seed", "4"])
    said = capsys.readouterr().out
    accuracy = float(re.search(r"accuracy on the 20 test images: (\d+\.\d\d)%", said)[1])
    assert "epoch 1/1" in said and "parameters on cpu" in said
    (path,) = course.rglob("*.safetensors")
    assert str(path) in said and "seed4" in path.name
    model = load_checkpoint(path)
    assert model.config == RECIPES["quick"].model
    assert evaluate(model, *shapes10(20, seed=SHAPES10_TEST_SEED)) * 100 == pytest.approx(accuracy)


def test_command_line_leaves_the_test_images_alone_when_it_validates(course, capsys, monkeypatch):
    judged = []

    def judge(model, images, *_, **__):
        judged.append(images)
        return 0.25

    for module in (run, __main__):
        monkeypatch.setattr(module, "evaluate", judge)
    main(["--recipe", "quick", "--dataset", "shapes10", "--epochs", "1", "--validation", "40"])
    said = capsys.readouterr().out
    assert re.search(r"accuracy on (the )?40 validation images: 25\.00%", said)
    assert "test images:" not in said
    (images,) = judged
    drawn, labels = shapes10(100, seed=0)
    held_out = stratified_order(labels)[-40:]
    assert torch.equal(images, drawn[held_out])


def test_record_grows_by_the_figures_of_each_run(course, capsys):
    record = course / "not" / "yet" / "runs.json"
    arguments = ["--recipe", "quick", "--dataset", "shapes10", "--epochs", "1"]
    for seed in ("1", "2"):
        main([*arguments, "--seed", seed, "--record", str(record)])
    first, second = json.loads(record.read_text(encoding="utf-8"))
    assert (first["seed"], second["seed"]) == (1, 2)
    assert first["dataset"] == "shapes10" and first["recipe"] == "quick"
    assert first["model"] == asdict(RECIPES["quick"].model)
    assert first["training"]["epochs"] == 1 and len(first["history"]["train_loss"]) == 1
    assert f"{second['accuracy']:.2%}" in capsys.readouterr().out
    assert {"command", "hardware", "torch", "date", "seconds"} <= first.keys()
    assert str(course) not in json.dumps(first)


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--recipe", "tpu"], "tpu"),
        (["--dataset", "mnist"], "mnist"),
        (["--epochs", "many"], "many"),
        (["--speed", "9"], "--speed"),
    ],
)
def test_unknown_arguments_are_named(arguments, named, course, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and named in capsys.readouterr().err


@pytest.mark.parametrize("epochs", ["0", "-1"])
def test_no_epochs_are_refused(epochs, course):
    with pytest.raises((SystemExit, ValueError)):
        main(["--recipe", "quick", "--dataset", "shapes10", "--epochs", epochs])


def test_help_lists_the_recipes(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    said = capsys.readouterr().out
    assert stop.value.code == 0 and all(name in said for name in RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_model_that_runs(name):
    model = VisionTransformer(RECIPES[name].model)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


# --- settings and resuming from the command line ---------------------------------------------------

SMALL = ["--recipe", "quick", "--dataset", "shapes10", "--epochs", "2"]


def test_settings_can_be_changed(course):
    record = course / "record.json"
    changes = ["model.depth=2", "optimizer=muon", "learning_rate=1e-3", "flip=True"]
    main([*SMALL, "--set", *changes, "--name", "mine", "--record", str(record)])
    (figures,) = json.loads(record.read_text(encoding="utf-8"))
    assert figures["model"] == asdict(replace(RECIPES["quick"].model, depth=2))
    changed = {"epochs": 2, "optimizer": "muon", "learning_rate": 1e-3, "flip": True}
    assert figures["training"] == asdict(replace(RECIPES["quick"].training, **changed))
    assert [path.name for path in (course / "runs").iterdir()] == ["mine.safetensors"]


@pytest.mark.parametrize(
    "assignment, named",
    [
        ("speed=9", "--set speed=9: no such setting"),
        ("model.speed=9", "no such setting"),
        ("data.__doc__=9", "no such setting"),
        ("depth", "no such setting"),
        ("optimizer=magic", "unknown optimizer 'magic'"),
        ("model.num_heads=5", "num_heads 5 does not divide embed_dim 24"),
        ("erase=2", "erase must be in"),
        ("batch_size=many", "batch_size must be a whole number, is 'many'"),
        ("batch_size=64.0", "batch_size must be a whole number, is 64.0"),
        ("flip=false", "flip must be True or False, is 'false'"),
        ("learning_rate=high", "learning_rate must be a number, is 'high'"),
        ("seed=-1", "seed must be at least 0, is -1"),
    ],
)
def test_settings_that_cannot_be_are_named(assignment, named, course, capsys):
    with pytest.raises(SystemExit):
        main([*SMALL, "--set", assignment])
    assert named in capsys.readouterr().err
    assert not (course / "runs").exists()


def test_seed_and_validation_images_can_be_set_too(course):
    record = course / "record.json"
    words = ["--set", "seed=3", "validation_images=40", "erase=1", "--record", str(record)]
    main([*SMALL, *words])
    (figures,) = json.loads(record.read_text(encoding="utf-8"))
    assert figures["seed"] == 3 and figures["judged_on"] == "40 validation"


def test_changed_recipe_does_not_replace_what_the_recipe_gave(course):
    for words in (["--seed", "1"], ["--seed", "1", "--set", "flip=True"]):
        main(["--recipe", "quick", "--dataset", "shapes10", *words])
    names = {path.name for path in (course / "runs").iterdir()}
    assert names == {f"shapes10-quick{part}-seed1.safetensors" for part in ("", "-changed")}


def test_precision_is_kept_to_the_end(course, monkeypatch):
    used, original = [], run.autocast
    for module in (run, evaluation):
        monkeypatch.setattr(
            module,
            "autocast",
            lambda *device_dtype: used.append(device_dtype[1]) or original(*device_dtype),
        )
    record = course / "record.json"
    main([*SMALL, "--set", "precision=float32", "--record", str(record)])
    assert set(used) == {torch.float32}
    assert json.loads(record.read_text(encoding="utf-8"))[0]["precision"] == "float32"


@pytest.mark.parametrize("content, named", [("[1, ", "damaged"), ("{}", "no list of records")])
def test_damaged_record_is_named_before_the_training(content, named, course):
    record = course / "record.json"
    record.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit, match=rf"record\.json.*{named}"):
        main([*SMALL, "--record", str(record)])
    assert record.read_text(encoding="utf-8") == content and not (course / "runs").exists()


def test_command_line_resumes_what_was_interrupted(course, monkeypatch, capsys):
    main([*SMALL, "--name", "undisturbed"])
    runs = course / "runs"
    state, target = runs / "mine.state.pt", runs / "mine.safetensors"
    StopAfter(monkeypatch, 3)
    with pytest.raises(SystemExit, match=r"stopped in epoch 2 of 2.*mine\.state\.pt"):
        main([*SMALL, "--name", "mine"])
    assert state.exists() and not target.exists()
    before = state.read_bytes()
    with pytest.raises(SystemExit, match="add --resume"):
        main([*SMALL, "--name", "mine"])
    with pytest.raises(SystemExit, match="batch_size: 50 there, 25 here"):
        main([*SMALL, "--name", "mine", "--resume", "--set", "batch_size=25"])
    assert state.read_bytes() == before
    main([*SMALL, "--name", "mine", "--resume"])
    assert not state.exists()
    assert same_weights(load_checkpoint(target), load_checkpoint(runs / "undisturbed.safetensors"))


def test_a_run_without_a_state_is_not_begun_by_resume(course, no_training):
    runs = course / "runs"
    with pytest.raises(
        SystemExit, match=r"no state of a run mine.*none at all.*leave out --resume"
    ):
        main([*SMALL, "--name", "mine", "--resume"])
    for name in ("yours", "theirs", "experiments_shapes10_quick.0.cpu_float32"):
        (runs / f"{name}.state.pt").touch()
    with pytest.raises(SystemExit, match=r"no state of a run mine.*those of theirs, yours, "):
        main([*SMALL, "--name", "mine", "--resume"])
    with pytest.raises(SystemExit, match=r"no state of a run shapes10-quick-changed-seed7.*yours"):
        main([*SMALL, "--seed", "7", "--resume"])


def test_a_finished_run_is_said_to_be_and_stays_as_it_is(course, no_training, capsys):
    (course / "runs").mkdir()
    model = course / "runs" / "mine.safetensors"
    model.write_bytes(b"trained for a night")
    main([*SMALL, "--name", "mine", "--resume"])
    said = capsys.readouterr().out.splitlines()[-1]
    assert "finished" in said and str(model) in said and "--resume" in said
    assert model.read_bytes() == b"trained for a night"
    assert list((course / "runs").iterdir()) == [model]


@pytest.mark.parametrize("name", ["models/mine", "~/mine", "/mine", "../mine", "mine/"])
def test_a_name_that_is_a_path_is_refused(name, course, no_training, capsys):
    with pytest.raises(SystemExit):
        main([*SMALL, "--name", name])
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"--name {name}" in said and "VIT_MINIMAL_DATA" in said
    assert not list(course.iterdir())


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(__main__, "fit", lambda *_: pytest.fail("it trains"))


# --- machines that cannot compile -----------------------------------------------------------------


def test_a_machine_that_cannot_compile_trains_the_plain_model(monkeypatch, capsys):
    def cannot(module):
        def call(*_):
            raise torch._dynamo.exc.BackendCompilerFailed(
                lambda: None, OSError("no compiler"), None
            )

        return call

    monkeypatch.setattr(torch, "compile", cannot)
    one, other = tiny(), tiny()
    fit_on_cpu(one, noise(), compile=True)
    said = [line for line in capsys.readouterr().out.splitlines() if "compile" in line]
    assert len(said) == 1 and "no compiler" in said[0]
    fit_on_cpu(other, noise())
    assert same_weights(one, other)


def test_an_error_of_the_model_is_not_taken_for_one_of_the_compiler(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda module: module)
    model = tiny()
    model.head = torch.nn.Linear(5, 4)  # does not fit
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit_on_cpu(model, noise(), compile=True)
