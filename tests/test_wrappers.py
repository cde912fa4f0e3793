"""Models that were compiled or wrapped, changed or made of other numbers behave like the plain one."""

import contextlib
import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from vit_minimal import (
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    attention_distance,
    attention_maps,
    attention_rollout,
    class_token_journey,
    evaluate,
    explore_attention,
    fit,
    gradient_attention,
    knock_out,
    load_checkpoint,
    open_laboratory,
    resize_patches,
    save_checkpoint,
)
from vit_minimal.inspection import deletion_test
from vit_minimal.training import MovingAverage, evaluation, make_optimizers
from vit_minimal.training.evaluation import predict
from vit_minimal.training.run import Run
from vit_minimal.unwrap import unwrap_model
from vit_minimal.variants import UnseenClassToken

CONFIG = ViTConfig(image_size=16, patch_size=8, embed_dim=24, depth=2, num_heads=2, mlp_ratio=2.0)


def plain():
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


def with_compiled_blocks(model):
    for i, block in enumerate(model.blocks):
        model.blocks[i] = torch.compile(block, backend="eager")
    return model


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """A group of one process, which DistributedDataParallel needs."""
    file = tmp_path_factory.mktemp("group") / "store"
    torch.distributed.init_process_group("gloo", f"file://{file}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


# What the `eager` backend compiles ignores hooks as any other does, and needs no C++ compiler
WRAPPERS = {
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "compiled in place": compiled_in_place,
    "compiled blocks": with_compiled_blocks,
    "DataParallel": nn.DataParallel,
    "DistributedDataParallel": lambda model: nn.parallel.DistributedDataParallel(model),
    "compiled, then DDP": lambda model: nn.parallel.DistributedDataParallel(
        torch.compile(model, backend="eager")
    ),
    "averaged": AveragedModel,
}


def wrapped(name):
    torch._dynamo.reset()
    model = WRAPPERS[name](plain())
    model.eval()
    with torch.no_grad():
        model(torch.zeros(2, 3, 16, 16))  # what was compiled is compiled now, without hooks
    return model


def pictures(count=6):
    draws = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=draws)
    return images, torch.arange(count) % 10


QUESTIONS = {
    "maps": attention_maps,
    "rollout": attention_rollout,
    "gradient": gradient_attention,
    "distance": attention_distance,
    "knock_out": lambda model, images: knock_out(model, images, [0, 1]),
    "journey": lambda model, images: class_token_journey(model, images, pictures()[1]).similarity,
    "deletion": lambda model, images: deletion_test(
        model, images, pictures()[1], torch.rand(6, 4, generator=torch.Generator()), [1, 2]
    )["highest"],
    "evaluate": lambda model, images: torch.tensor(evaluate(model, images, pictures()[1])),
    "explorer": lambda model, images: torch.tensor(
        list(explore_attention(model, images[0]).html.encode())
    ),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_question_gets_the_plain_models_answer(wrapper, one_process):
    model, images = wrapped(wrapper), pictures()[0]
    for name, ask in QUESTIONS.items():
        answer = ask(model, images)
        assert torch.equal(answer, ask(plain(), images)), name
    assert not torch.allclose(knock_out(model, images, [0, 1]), knock_out(model, images, []))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "muon"},
        {"ema_decay": 0.5, "mixup": 0.2},
        {"patch_drop_rate": 0.5, "whole_epochs": 1},  # what was compiled must notice both
    ],
)
def test_training_ends_with_the_plain_models_weights(wrapper, settings, one_process, tmp_path):
    images, labels = pictures(12)
    dataset = Dataset(images, labels, images, labels, tuple("abcdefghij"), "drawn")
    config = TrainingConfig(epochs=2, batch_size=4, crop_padding=1, validation_images=2, **settings)
    states = []
    for model in (plain(), wrapped(wrapper)):
        fit(model, dataset, config, "cpu", checkpoint=tmp_path / f"{len(states)}.pt")
        save_checkpoint(tmp_path / "model.safetensors", model)
        states.append(load_file(tmp_path / "model.safetensors"))
        loaded = load_checkpoint(tmp_path / "model.safetensors")
        assert evaluate(loaded, images, labels) == evaluate(model, images, labels)
    assert states[0].keys() == states[1].keys() == plain().state_dict().keys()
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name
    # A run that began with the plain model goes on with the wrapped one, and the other way round
    kept = [torch.load(tmp_path / f"{i}.pt", weights_only=True) for i in (0, 1)]
    for part in ("model", "ema") if "ema_decay" in settings else ("model",):
        assert kept[0][part].keys() == kept[1][part].keys()
        assert not any("_orig_mod" in name for name in kept[0][part])


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_tokens_and_positions_do_not_decay(wrapper, one_process):
    model = wrapped(wrapper)
    for optimizer in ("adamw", "muon", "sgd"):
        decaying = {
            id(parameter)
            for made in make_optimizers(model, TrainingConfig(optimizer=optimizer))
            for group in made.param_groups
            if group["weight_decay"]
            for parameter in group["params"]
        }
        names = [name for name, parameter in model.named_parameters() if id(parameter) in decaying]
        assert names
        assert not [name for name in names if "token" in name or "pos_embed" in name]


def test_weights_averages_follow_a_compiled_model():
    model = wrapped("compiled")
    ema = MovingAverage(unwrap_model(model), 0.5)
    assert type(ema.module) is VisionTransformer


def test_a_run_goes_on_in_another_wrapper(tmp_path):
    images, labels = pictures(12)
    dataset = Dataset(images, labels, images, labels, tuple("abcdefghij"), "drawn")
    config = TrainingConfig(epochs=2, batch_size=4, crop_padding=0, ema_decay=0.5)
    whole = plain()
    fit(whole, dataset, config, "cpu")

    half = plain()
    half.blocks[1].register_forward_hook(_interrupt_at(4))
    with pytest.raises(ZeroDivisionError):
        fit(half, dataset, config, "cpu", tmp_path / "state.pt", seconds_between_saves=0)
    again = wrapped("compiled blocks")
    fit(again, dataset, config, "cpu", tmp_path / "state.pt", resume=True)
    expected = whole.state_dict()
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, expected[name.replace("_orig_mod.", "")]), name


def _interrupt_at(step):
    calls = []

    def hook(*_):
        calls.append(1)
        if len(calls) == step:
            raise ZeroDivisionError

    return hook


@pytest.mark.parametrize("model", [nn.Linear(3, 2), nn.DataParallel(nn.Linear(3, 2)), nn.Module()])
def test_what_is_no_model_of_the_course_is_refused(model):
    images, labels = pictures()
    for ask in (
        lambda: evaluate(model, images, labels),
        lambda: attention_maps(model, images),
        lambda: save_checkpoint("never written", model),
    ):
        with pytest.raises(ValueError, match=type(model).__name__):
            ask()


class Around(nn.Module):
    """A wrapper of a reader's, which computes something of its own."""

    def __init__(self, model, name, config=None):
        super().__init__()
        setattr(self, name, model)
        self.name, self.gain = name, nn.Parameter(torch.tensor(-1.0))
        if config:
            self.config = config

    def forward(self, images):
        return self.gain * getattr(self, self.name)(images)


@pytest.mark.parametrize("name", ["module", "model", "_orig_model"])
@pytest.mark.parametrize("wrap", [lambda model: model, nn.DataParallel, WRAPPERS["compiled"]])
def test_an_own_wrapper_is_never_looked_through(name, wrap):
    images, labels = pictures(12)
    for ask in (*QUESTIONS.values(), lambda model, images: fit(model, dataset_of(images, labels))):
        with pytest.raises(ValueError, match="Around"):
            ask(wrap(Around(plain(), name)), images)
    # With a `config` it is a model, whose own answers count and whose own weights are trained
    own = Around(plain(), name, CONFIG)
    logits = predict(wrap(own), images, precision=torch.float32)
    torch.testing.assert_close(logits, -predict(plain(), images, precision=torch.float32))
    fit(wrap(own), dataset_of(images, labels), TrainingConfig(epochs=1, batch_size=4))
    assert own.gain != -1


def dataset_of(images, labels):
    return Dataset(images, labels, images, labels, tuple("abcdefghij"), "drawn")


class Named(nn.Module):
    """Weights whose names differ only by what wrappers put before names."""

    config = CONFIG  # of the class: no less a configuration

    def __init__(self, config=CONFIG):
        super().__init__()
        self.module = nn.Linear(3 * 16 * 16, 10)
        self.weight = nn.Parameter(torch.ones(10, 3 * 16 * 16))

    def forward(self, images):
        return self.module(images.flatten(1)) * self.weight.mean()


@pytest.mark.parametrize("wrapper", ["compiled", "DataParallel", "averaged"])
def test_own_modules_keep_the_names_of_their_weights(wrapper, tmp_path):
    images, labels = pictures(12)
    config = TrainingConfig(epochs=2, batch_size=4, ema_decay=0.5, learning_rate=0.1)
    states = []
    for wrap in (lambda model: model, WRAPPERS[wrapper]):
        torch.manual_seed(0)
        model = wrap(Named())  # AveragedModel makes a copy
        fit(model, dataset_of(images, labels), config, "cpu", tmp_path / "state.pt")
        inside = unwrap_model(model)
        assert not torch.equal(inside.module.weight, inside.weight)
        states.append(inside.state_dict())
    save_checkpoint(tmp_path / "own.safetensors", model)
    states.append(load_checkpoint(tmp_path / "own.safetensors", Named).state_dict())
    assert len(states[0]) == 3
    for name, tensor in states[0].items():
        assert all(torch.equal(tensor, state[name]) for state in states), name


# --- other classes ----------------------------------------------------------------------------


def by_reset(model, classes):
    model.reset_head(classes)


def by_hand(model, classes):
    model.head = nn.Linear(model.config.embed_dim, classes)


@pytest.mark.parametrize("change", [by_reset, by_hand])
@pytest.mark.parametrize("classes", [2, 10, 37])
@pytest.mark.parametrize("wrap", [lambda model: model, nn.DataParallel])
def test_a_model_takes_another_number_of_classes(change, classes, wrap, tmp_path):
    model = plain()
    change(model, classes)
    images = pictures(12)[0]
    labels = torch.arange(12) % classes
    names = tuple(str(i) for i in range(classes))
    dataset = Dataset(images, labels, images, labels, names, "drawn")
    fit(wrap(model), dataset, TrainingConfig(epochs=1, batch_size=4, mixup=0.2, cutmix=1.0))
    assert model.config.num_classes == classes
    save_checkpoint(tmp_path / "changed.safetensors", wrap(model))
    loaded = load_checkpoint(tmp_path / "changed.safetensors")
    assert loaded.config.num_classes == classes
    assert evaluate(loaded, images, labels) == evaluate(model, images, labels)
    resized = resize_patches(model, patch_size=4)
    assert resized.head.out_features == classes


def test_a_new_head_is_untrained_and_where_the_model_is():
    model = plain().double().eval()
    blocks = copy.deepcopy(model.blocks.state_dict())
    model.reset_head(np.int64(4))
    assert model.head.weight.dtype == torch.float64
    assert model.head.weight.abs().max() <= 2 and 0.01 < model.head.weight.std() < 0.03
    assert not model.head.bias.any() and not model.head.training
    assert type(model.config.num_classes) is int
    assert model(torch.zeros(1, 3, 16, 16, dtype=torch.float64)).shape == (1, 4)
    assert all(torch.equal(blocks[name], w) for name, w in model.blocks.state_dict().items())
    for wrong in (0, -1, 2.5, "ten"):
        with pytest.raises(ValueError, match="num_classes"):
            model.reset_head(wrong)
    assert model.config.num_classes == 4 == model.head.out_features


class TwoLayers(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(24, 8), nn.Linear(8, 3))


def changed_head(model):
    model.head = TwoLayers()


def pruned(model):
    from torch.nn.utils import prune

    prune.random_unstructured(model.blocks[0].mlp.fc1, "weight", 0.5)


def deeper(model):
    model.blocks.append(copy.deepcopy(model.blocks[0]))


def wider(model):
    model.blocks[0].mlp.fc1 = nn.Linear(24, 30)


def masked(model):
    model.blocks[1].attn.mask = torch.ones(5, 5, dtype=torch.bool).tril()


def unmasked(model):
    model.blocks[1].attn.mask = None


def masked_otherwise(model):
    for block in model.blocks:
        block.attn.mask = block.attn.mask.clone()
    model.blocks[1].attn.mask[3, 2] = False


CHANGES = [
    *((plain, change) for change in (changed_head, pruned, deeper, wider, masked)),
    *((lambda: UnseenClassToken(CONFIG), change) for change in (unmasked, masked_otherwise)),
]


@pytest.mark.parametrize(("make", "change"), CHANGES)
def test_a_model_that_its_configuration_no_longer_describes_is_not_made_anew(
    make, change, tmp_path
):
    model = make()
    change(model)
    for ask in (
        lambda: save_checkpoint(tmp_path / "changed.safetensors", model),
        lambda: resize_patches(model, patch_size=4),
        lambda: open_laboratory(model, list("abcdefghij"), pictures={}),
    ):
        with pytest.raises(ValueError) as refused:
            ask()
        assert len(str(refused.value)) < 600
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrap", [nn.DataParallel, with_compiled_blocks])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_fixed_positions_and_masks_of_a_variant_are_described(wrap, dtype, tmp_path):
    images = torch.randn(2, 3, 16, 16)
    model = UnseenClassToken(replace(CONFIG, pos_embed="sinusoidal")).eval().to(dtype).float()
    save_checkpoint(tmp_path / "masked.safetensors", wrap(copy.deepcopy(model)))
    loaded = load_checkpoint(tmp_path / "masked.safetensors", UnseenClassToken)
    torch.testing.assert_close(loaded(images), model(images), rtol=0, atol=0.02)
    assert resize_patches(wrap(model), patch_size=4).blocks[1].attn.mask.shape == (17, 17)


def test_looking_at_the_configuration_draws_no_random_number(tmp_path):
    model, before = plain(), torch.get_rng_state()
    save_checkpoint(tmp_path / "model.safetensors", model)
    assert torch.equal(torch.get_rng_state(), before)


class Own(VisionTransformer):
    """What a reader derives."""


def test_an_own_class_comes_back_if_it_is_named(tmp_path):
    model = Own(CONFIG).eval()
    save_checkpoint(tmp_path / "own.safetensors", model)
    with pytest.raises(ValueError, match="Own"):
        load_checkpoint(tmp_path / "own.safetensors")
    loaded = load_checkpoint(tmp_path / "own.safetensors", Own)
    images = torch.randn(2, 3, 16, 16)
    assert type(loaded) is Own and torch.equal(loaded(images), model(images))


# --- other numbers ----------------------------------------------------------------------------

NUMBERS = [np.int64(2), np.uint8(2), np.array(2), torch.tensor(2), np.array([0, 1]).max() + 1]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
def test_whole_numbers_of_numpy_are_whole_numbers(number):
    config = ViTConfig(depth=number, num_registers=number, patch_size=number)
    assert config == ViTConfig(depth=2, num_registers=2, patch_size=2)
    training = TrainingConfig(epochs=number, batch_size=number, seed=number)
    assert training == TrainingConfig(epochs=2, batch_size=2, seed=2)
    assert type(config.depth) is type(training.epochs) is int


@pytest.mark.parametrize(
    "number", [np.float64(0.25), np.float32(0.25), np.array(0.25), torch.tensor(0.25)]
)
def test_numbers_of_numpy_are_numbers(number):
    config = ViTConfig(drop_path_rate=number)
    training = TrainingConfig(learning_rate=number, mixup=number)
    assert config == ViTConfig(drop_path_rate=0.25)
    assert training == TrainingConfig(learning_rate=0.25, mixup=0.25)
    assert type(config.drop_path_rate) is type(training.mixup) is float


def test_truth_values_of_numpy_are_truth_values():
    assert TrainingConfig(flip=np.True_) == TrainingConfig(flip=True)
    assert ViTConfig(norm_first=np.bool_(False)) == ViTConfig(norm_first=False)


@pytest.mark.parametrize("size", [(24, 32), [24, 32], np.array([24, 32]), torch.tensor([24, 32])])
def test_image_sizes_of_any_sequence(size):
    assert ViTConfig(image_size=size).image_size == (24, 32)
    assert hash(ViTConfig(image_size=size)) == hash(ViTConfig(image_size=(24, 32)))


@pytest.mark.parametrize(
    "wrong", ["32", "ab", [32], [32, 32, 3], 32.0, None, True, np.float64(32), np.zeros((2, 2))]
)
def test_other_image_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="image_size"):
        ViTConfig(image_size=wrong)


@pytest.mark.parametrize("wrong", [np.float64(2.0), np.array([2]), "2", np.True_, None])
def test_other_depths_are_refused(wrong):
    with pytest.raises(ValueError, match="depth"):
        ViTConfig(depth=wrong)


def test_arrays_do_for_tensors_everywhere():
    model, (images, labels) = plain(), pictures()
    arrays = images.numpy(), labels.numpy().astype(np.int16)
    assert evaluate(model, *arrays) == evaluate(model, images, labels)
    for name in ("maps", "rollout", "gradient", "distance", "knock_out", "explorer"):
        assert torch.equal(QUESTIONS[name](model, arrays[0]), QUESTIONS[name](model, images))
    journeys = class_token_journey(model, *arrays), class_token_journey(model, images, labels)
    assert torch.equal(journeys[0].patches, journeys[1].patches)
    scores = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 4)
    found = deletion_test(model, *arrays, scores, [1])
    assert torch.equal(
        found["lowest"], deletion_test(model, images, labels, torch.tensor(scores), [1])["lowest"]
    )


@pytest.mark.parametrize(
    "labels",
    [
        torch.zeros(6, 1, dtype=torch.int64),
        torch.zeros(1, 6, dtype=torch.int64),
        torch.zeros(5, dtype=torch.int64),
        torch.zeros(6),
        torch.zeros(6, dtype=torch.bool),
        torch.zeros(6, 10, dtype=torch.int64),
        np.zeros((6, 1), np.uint8),
        torch.full((6,), 10),
        torch.full((6,), -1),
    ],
)
def test_labels_that_do_not_fit_are_refused_everywhere(labels):
    model, images = plain(), pictures()[0]
    for ask in (
        lambda: evaluate(model, images, labels),
        lambda: class_token_journey(model, images, labels),
        lambda: gradient_attention(model, images, labels),
        lambda: deletion_test(model, images, labels, torch.rand(6, 4), [1]),
    ):
        with pytest.raises(ValueError) as refused:
            ask()
        assert len(str(refused.value)) < 300


PRECISIONS = {"half": torch.float16, "bfloat16": torch.bfloat16, "double": torch.float64}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_models_of_other_precision_are_judged_and_looked_into(precision):
    images, labels = pictures(40)
    model = plain().to(PRECISIONS[precision])
    assert abs(evaluate(model, images, labels) - evaluate(plain(), images, labels)) <= 0.1
    near = {"half": 1e-2, "bfloat16": 6e-2, "double": 1e-5}[precision]
    for name in ("maps", "rollout", "distance", "knock_out"):
        found, expected = (QUESTIONS[name](m, images).double() for m in (model, plain()))
        assert found.isfinite().all()
        assert (found - expected).abs().max() <= near * expected.abs().max(), name
    assert gradient_attention(model, images).isfinite().all()
    journey = class_token_journey(model, images, labels)
    assert journey.patches.isfinite().all() and journey.similarity.isfinite().all()
    assert explore_attention(model, images[0]).html
    assert resize_patches(model, patch_size=4).head.weight.dtype == PRECISIONS[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nothing_else_chooses_the_precision_of_such_models(precision, monkeypatch):
    chosen = []

    def remember(device, dtype):
        chosen.append(dtype)
        return contextlib.nullcontext()

    monkeypatch.setattr(evaluation, "autocast", remember)
    images, labels = pictures()
    evaluate(plain().to(PRECISIONS[precision]), images, labels, precision=torch.bfloat16)
    assert chosen == [torch.float32]  # which is to say: no autocast
    evaluate(plain(), images, labels, precision=torch.bfloat16)
    assert chosen[1:] == [torch.bfloat16]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_models_of_other_precision_are_not_trained(precision):
    images, labels = pictures(12)
    dataset = Dataset(images, labels, images, labels, tuple("abcdefghij"), "drawn")
    model = plain().to(PRECISIONS[precision])
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="float32"):
        fit(model, dataset, TrainingConfig(epochs=1, batch_size=4))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_images_that_are_not_normalised_are_reported():
    model, (images, labels) = plain(), pictures()
    for floats in (images.float(), images / 255, images.numpy() / np.float32(255)):
        for ask in (lambda x: evaluate(model, x, labels), lambda x: attention_maps(model, x)):
            with pytest.warns(UserWarning, match="255"):
                ask(floats)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(model, images, labels)
        evaluate(model, images / 127.5 - 1, labels)
        attention_maps(model, images / 127.5 - 1)


@pytest.mark.parametrize("arrangement", ["sorted", "backwards", "shuffled"])
def test_validation_holds_out_each_class_in_proportion(arrangement):
    # Sorted by class, as folders are read, the last images would be of the last class alone
    places = {
        "sorted": torch.arange(100),
        "backwards": torch.arange(99, -1, -1),
        "shuffled": torch.randperm(100),
    }[arrangement]
    labels = (places // 4).clamp(max=9)  # nine classes of 4 images, and one of 64
    images = places.to(torch.uint8)[:, None, None, None].repeat(1, 3, 16, 16)  # each is known
    dataset = Dataset(images, labels, images, labels, tuple("abcdefghij"), "drawn")
    for seed in (0, 1):
        config = TrainingConfig(batch_size=5, validation_images=25, seed=seed)
        run = Run(plain(), dataset, config, torch.device("cpu"))
        held_out, kept = run.held_out[:, 0, 0, 0], run.images[:, 0, 0, 0]
        assert torch.bincount(run.held_out_labels).tolist() == [1] * 9 + [16]
        assert sorted([*held_out.tolist(), *kept.tolist()]) == list(range(100))
        known = dict(zip(places.tolist(), labels.tolist(), strict=True))
        for pictures_of, labels_of in ((held_out, run.held_out_labels), (kept, run.labels)):
            assert [known[place] for place in pictures_of.tolist()] == labels_of.tolist()
        assert kept.tolist() == [p for p in places.tolist() if p in set(kept.tolist())]
