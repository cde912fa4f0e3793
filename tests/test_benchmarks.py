"""The scripts behind the records start, and the seeds of which they speak fix whole trainings."""

import ast
import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import attention_kernels
import class_token_contents
import cnn_and_vit
import deletions
import fine_tuning
import learning_rates
import needle
import ours_and_timm
import patch_size
import registers
import silent_bugs
import start_signs
import training_ladder
import where_augmentation_pays
from vit_minimal import (
    Dataset,
    History,
    VisionTransformer,
    ViTConfig,
    attention_maps,
    seed_everything,
)
from vit_minimal.experiments import make_model
from vit_minimal.records import read_records

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted(set(FOLDER.glob("*.py")) - {FOLDER / "shipped.py"})  # which holds a path


def blank(n, seed=0):
    """Images, labels and places of whatever is drawn elsewhere: nobody looks into them."""
    images = torch.zeros(n, 3, 32, 32, dtype=torch.uint8)
    return images, torch.zeros(n, dtype=torch.long), torch.zeros(n, dtype=torch.long)


def blank_dataset(_=None):
    images, labels, _ = blank(20)
    return Dataset(images, labels, images[:5], labels[:5], tuple("0123456789"), "blank")


def few_of_a_task(name):
    """Images, labels, and the places of those to train on and to test on, as fine_tuning has them."""
    images = torch.zeros(30, 3, 16, 16, dtype=torch.uint8)
    return images, torch.arange(30) % 10, torch.arange(20), torch.arange(20, 30)


def fine_tune_from_random_weights():
    for seed in range(3):
        fine_tuning.measure("shapes10", fine_tuning.SCRATCH, 1e-3, 10, seed)


@pytest.fixture
def trainings(monkeypatch):
    """The seed and the start of every training that is asked for; none takes place."""
    asked = []

    def note(model, seed):
        asked.append((seed, next(model.parameters()).detach().flatten()[:5].tolist()))

    def fit(model, dataset, config):
        note(model, config.seed)
        return History(train_accuracy=[0.5], validation_accuracy=[0.5])

    def train_run(run, dataset):
        note(make_model(run), run["training"]["seed"])
        return None, None

    ladders = (training_ladder, where_augmentation_pays, learning_rates)
    for module in (needle, cnn_and_vit, *ladders, ours_and_timm, fine_tuning, silent_bugs):
        monkeypatch.setattr(module, "fit", fit)
    monkeypatch.setattr(patch_size, "train_run", train_run)
    for module in (cnn_and_vit, patch_size, fine_tuning, silent_bugs):
        monkeypatch.setattr(module, "evaluate", lambda *_, **__: 0.5)
    monkeypatch.setattr(fine_tuning, "task", few_of_a_task)
    for module in (needle, class_token_contents, patch_size):
        monkeypatch.setattr(module, "needle10", blank)
    for module in (class_token_contents, *ladders, patch_size, ours_and_timm, silent_bugs):
        monkeypatch.setattr(module, "load_dataset", blank_dataset)
    monkeypatch.setattr(needle, "examine", lambda *_: {})
    monkeypatch.setattr(class_token_contents, "explained", lambda *_: torch.zeros(7, 2))
    monkeypatch.setattr(class_token_contents, "placed", lambda *_: torch.zeros(3, 2))
    for module in ladders:
        monkeypatch.setattr(module, "TRAINED_ON", 10)
        monkeypatch.setattr(module, "HELD_OUT", 5)
    monkeypatch.setattr(patch_size, "NEEDLES", patch_size.NEEDLES[:1])
    return asked


def measure_a_cnn_and_a_vit():
    for name, (make, _, rates) in cnn_and_vit.IMAGE_MODELS.items():
        cnn_and_vit.measure(name, make, blank_dataset(), training_ladder.PLAIN, rates, 3)


SEVERAL_SEEDS = {
    "needle": needle.main,
    "class_token_contents": class_token_contents.main,
    "training_ladder": training_ladder.main,
    "where_augmentation_pays": where_augmentation_pays.main,
    "learning_rates": learning_rates.main,
    "fine_tuning": fine_tune_from_random_weights,
    "silent_bugs": silent_bugs.main,
    "cnn_and_vit": measure_a_cnn_and_a_vit,
    "patch_size, noise": lambda: patch_size.measure_noise(3, 0),
    "patch_size, needles": lambda: patch_size.measure_needles(3, patch_size.NEEDLES),
    "ours_and_timm": lambda: ours_and_timm.curves(small=False),
}


@pytest.mark.parametrize("name", SEVERAL_SEEDS)
def test_each_seed_fixes_the_start_and_the_training(name, trainings, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name])
    SEVERAL_SEEDS[name]()
    starts = {seed: [start for of, start in trainings if of == seed] for seed, _ in trainings}
    assert starts.keys() == {0, 1, 2}  # as `fit` has it: the order of the images and all draws
    first = [same[0] for same in starts.values()]
    assert all(first.count(start) == 1 for start in first)


def test_every_script_that_trains_is_tried_with_several_seeds():
    train = {
        path.stem
        for path in SCRIPTS
        if {"fit", "train_run"} & vars(importlib.import_module(path.stem)).keys()
    }
    tried = {name.split(",")[0] for name in SEVERAL_SEEDS}
    # The same run again and again; one run, of which the curves are shown
    assert train - tried == {"kill_and_resume", "real_run"}


@pytest.mark.parametrize("name", [path.stem for path in SCRIPTS])
def test_each_script_says_what_it_does(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    assert ended.value.code == 0 and "usage" in capsys.readouterr().out


def test_both_attentions_that_race_compute_the_same():
    models = [
        attention_kernels.make_model(attention_kernels.Explicit),
        attention_kernels.make_model(attention_kernels.Fused),
        VisionTransformer(ViTConfig()),
    ]
    images = torch.randn(2, 3, 32, 32)
    for model in models:
        model.load_state_dict(models[0].state_dict())
    explicit, fused, package = (model.eval()(images) for model in models)
    assert_close(explicit, fused, atol=1e-5, rtol=0)
    assert_close(explicit, package, atol=1e-5, rtol=0)


def test_no_test_image_is_trained_on_or_chosen_by(monkeypatch):
    """In both tasks of fine_tuning; and each class has as many training images as it should."""
    monkeypatch.setattr(fine_tuning, "POOL", 600)
    monkeypatch.setattr(fine_tuning, "JUDGED_ON", 100)
    fine_tuning.task.cache_clear()
    for name in ("shapes10", "digits"):
        images, labels, pool, test = fine_tuning.task(name)
        assert images.shape[1:] == (3, 16, 16) and not {*pool.tolist()} & {*test.tolist()}
        assert {*pool.tolist(), *test.tolist()} == {*range(len(labels))}
        draws = [fine_tuning.draw(labels, pool, 10, seed) for seed in range(2)]
        assert all(labels[drawn].bincount().tolist() == [10] * 10 for drawn in draws)
        assert not {*draws[0].tolist()} & {*test.tolist()} and not draws[0].equal(draws[1])
    fine_tuning.task.cache_clear()


def test_all_ways_of_fine_tuning_take_the_steps_that_are_said():
    for method in (fine_tuning.SCRATCH, fine_tuning.TUNED, fine_tuning.LONGER):
        for count in fine_tuning.COUNTS:
            config = fine_tuning.config_of(method, 1e-3, count, seed=0)
            steps = config.epochs * (10 * count // config.batch_size)
            assert steps == fine_tuning.STEPS * (10 if method == fine_tuning.LONGER else 1)


def test_fine_tuning_of_chosen_methods_and_counts_runs_nothing_else(monkeypatch, tmp_path):
    path = tmp_path / "record.json"
    words = ["--seeds", "1", "--methods", "fine-tuned", "--counts", "10", "--record", str(path)]
    monkeypatch.setattr(sys, "argv", ["fine_tuning.py", *words])
    monkeypatch.setattr(fine_tuning, "left_of_cifar10", lambda _: 0.5)
    monkeypatch.setattr(fine_tuning, "measure_features", lambda _: [])
    monkeypatch.setattr(fine_tuning, "train", lambda *_: (None, None))
    monkeypatch.setattr(fine_tuning, "judge", lambda *_: 0.5)
    monkeypatch.setattr(fine_tuning, "task", few_of_a_task)
    fine_tuning.main()
    runs = [run for run in read_records(path) if run["part"] not in ("cifar10", "features")]
    assert {run["method"] for run in runs} == {fine_tuning.TUNED}
    assert {run["images_per_class"] for run in runs if "images_per_class" in run} == {10}
    assert [run["part"] for run in runs].count("kept") == len(fine_tuning.RATES[fine_tuning.TUNED])


def test_a_run_that_is_on_record_is_not_repeated(tmp_path):
    path, key = tmp_path / "record.json", {"part": "trained", "seed": 0}
    fine_tuning.Record(path).add(key, lambda: {"accuracy": 0.5})
    again = fine_tuning.Record(path)
    again.add(key, lambda: pytest.fail("it is on record"))
    assert again.find(**key)["accuracy"] == 0.5 and again.find(part="rates") is None


def test_the_controls_of_deletions(monkeypatch):
    others = deletions.another(50)
    assert sorted(others.tolist()) == list(range(50)) and (others != torch.arange(50)).all()

    block, apart = torch.zeros(2, 4, 4)
    block[:2, :2] = 1
    apart[::2, ::2] = 1
    both = torch.stack([block, apart]).flatten(1)
    assert deletions.neighbours(both[:1], columns=4, count=4) == 2
    assert deletions.neighbours(both[1:], columns=4, count=4) == 0
    assert deletions.neighbours(both, columns=4, count=4) == 1  # the mean over images

    # A stand-in for a model whose answer is right unless the patch that its image names is noise
    needed = torch.randint(0, 16, (50,), generator=torch.Generator().manual_seed(0))
    labels, maps = torch.zeros(50).long(), torch.nn.functional.one_hot(needed, 16).float()

    def delete_some(model, images, labels, scores, counts, orders):
        return {order: (scores.argmax(dim=1) != needed)[None] for order in orders}

    monkeypatch.setattr(deletions, "deletion_test", delete_some)
    monkeypatch.setattr(deletions, "knock_out", lambda model, images, blocks: torch.eye(10)[labels])
    scores = {"gradients": maps}
    found = deletions.delete(None, torch.zeros(50, 3, 4, 4), labels, scores, (1,), columns=4)
    assert found["counts"] == [0, 1]
    own, foreign = (found["gradients"][name] for name in ("highest", "another image's"))
    assert own["mean"] == [1, 0]  # its own map takes the patch that is needed
    same = (needed[others] == needed).double().mean().item()
    assert foreign["mean"] == pytest.approx([1, 1 - same])
    difference = found["gradients"]["loss beyond another image's"]["mean"]
    assert difference == pytest.approx([0, 1 - same])


def test_attention_goes_to_itself_the_registers_and_the_patches():
    seed_everything(0)
    model = VisionTransformer(ViTConfig(embed_dim=24, depth=2, num_registers=4))
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    found = registers.attention_shares(model, images)
    maps = attention_maps(model, images)[:, :, :, 0].mean(dim=(1, 2))  # (L, T)
    expected = maps[:, 0], maps[:, 1:5].sum(dim=1), maps[:, 5:].sum(dim=1)
    assert_close(found.cpu(), torch.stack(expected, dim=1).cpu(), atol=1e-5, rtol=0)
    for block in model.blocks:
        torch.nn.init.zeros_(block.attn.qkv.weight)  # then all scores are 0, and attention is even
        torch.nn.init.zeros_(block.attn.qkv.bias)
    even = torch.tensor([1, 4, 64]) / 69
    assert_close(registers.attention_shares(model, images).cpu(), even.expand(2, 3))


@pytest.mark.parametrize("name", silent_bugs.BUGS)
def test_a_silent_bug_is_silent_starts_alike_and_does_something(name):
    changes, put_in = silent_bugs.BUGS[name]
    config = replace(silent_bugs.BASE["quick"].model, **changes)
    models = []
    for _ in range(2):
        seed_everything(0)
        models.append(VisionTransformer(config).eval())
    healthy, ill = models
    put_in(ill)
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    answer = ill(images)
    answer.square().sum().backward()
    assert answer.shape == (3, 10)
    start = dict(healthy.named_parameters())
    assert all(
        torch.equal(of, start[name]) for name, of in ill.named_parameters() if "norm" not in name
    )
    left_out = {name for name, of in ill.named_parameters() if not of.requires_grad}
    same = torch.allclose(answer, healthy(images), atol=1e-6)
    if name == "positions not trained" or name.startswith("blocks in a Python list"):
        assert same and left_out  # only training shows it
    else:
        assert same == name.startswith("none") and not left_out


def test_silent_bugs_on_record_are_not_run_again(trainings, monkeypatch, tmp_path):
    def runs(*words):
        before = len(trainings)
        words = ["--seeds", "0", "--record", str(tmp_path / "bugs.json"), *words]
        monkeypatch.setattr(sys, "argv", ["silent_bugs.py", *words])
        silent_bugs.main()
        return len(trainings) - before

    assert runs("--bugs", "none") == 1
    assert runs("--bugs", "none", "softmax twice") == 1
    assert runs("--bugs", "none", "softmax twice") == 0
    assert runs("--bugs", "none", "--dataset", "cifar10") == 1
    assert runs("--bugs", "none", "--budget", "full") == 1  # another recipe, another run
    for words in (["--loaded"], ["--bugs", "strips of two rows", "--budget", "full"]):
        with pytest.raises(SystemExit):  # neither a wrong number nor a run left out without a word
            runs(*words)


def test_the_signs_of_a_start_are_measured_as_notebook_07_shows():
    def definitions(code):
        found = [part for part in ast.parse(code).body if isinstance(part, ast.FunctionDef)]
        return {part.name: ast.dump(part) for part in found}

    root = SCRIPTS[0].parents[1]
    theirs = definitions((root / "benchmarks/start_signs.py").read_text("utf-8"))
    ours = definitions((root / "notebooks/source/07_pitfalls_initialization.py").read_text("utf-8"))
    for name in ("first_loss", "spread_of", "gradient", "two_steps"):
        assert ours[name] == theirs[name]


def test_the_signs_of_a_start_are_seen_without_dropout_and_leave_the_model_as_it_is():
    sizes = {"image_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2}
    rates = {"pos_drop_rate": 0.5, "proj_drop_rate": 0.5, "drop_path_rate": 0.5}
    torch.manual_seed(0)
    model, plain = (VisionTransformer(ViTConfig(**sizes, **of)) for of in (rates, {}))
    plain.load_state_dict(model.state_dict())
    batch = torch.randn(6, 3, 8, 8), torch.arange(6)
    for sign in (start_signs.first_loss, start_signs.two_steps):
        assert sign(model, *batch) == sign(plain, *batch)
    assert start_signs.spread_of(model, batch[0]) == start_signs.spread_of(plain, batch[0])
    assert model.training
    assert all(torch.equal(of, plain.state_dict()[name]) for name, of in model.state_dict().items())


def test_the_sizes_of_a_start_see_a_position_that_is_large_alone():
    source = SCRIPTS[0].parents[1] / "notebooks/source/07_pitfalls_initialization.py"
    known = {}
    for node in ast.parse(source.read_text("utf-8")).body:
        if getattr(node, "name", "") in ("size", "sizes_at_the_start"):
            exec(compile(ast.Module([node], []), str(source), "exec"), known)  # noqa: S102
    torch.manual_seed(0)
    images = torch.randn(4, 3, 32, 32)
    for large in (0, 7, 64):  # the class token's position, and two of the patches'
        model = VisionTransformer(ViTConfig(embed_dim=24, depth=1, num_heads=3))
        patch, shared = known["sizes_at_the_start"](model, images)
        assert max(shared.values()) < patch
        model.pos_embed.weight.data[0, large] = 3 * patch
        again, shared = known["sizes_at_the_start"](model, images)
        assert again == patch
        assert shared["pos_embed.weight"] == pytest.approx(3 * patch)
        assert shared["cls_token.weight"] < patch


def test_the_places_in_a_patch_are_counted_row_by_row():
    tiles = torch.arange(64).reshape(8, 8)
    assert patch_size.place_in_patch(tiles[2:4, 4:6]).tolist() == [[0, 1], [2, 3]]
    assert patch_size.place_in_patch(tiles.flatten()).bincount().tolist() == [16] * 4


def test_longer_trainings_on_few_images_take_their_rates_from_shorter_ones(monkeypatch):
    images, labels = torch.zeros(46_000, 3, 4, 4, dtype=torch.uint8), torch.arange(46_000) % 2
    everything = Dataset(images, labels, images[:2], labels[:2], ("a", "b"), "blank")
    monkeypatch.setattr(cnn_and_vit, "load_dataset", lambda name: everything)
    monkeypatch.setattr(cnn_and_vit, "measure", lambda *given: given)
    known = [
        {"model": "ViT, AdamW", "trained_on": 1_000, "steps": steps, "learning_rate": rate}
        for steps, rate in ((700, 3e-3), (2_107, 9e-3))
    ]
    (short,) = cnn_and_vit.images(3, [1_000], ["ViT, AdamW"])
    (longer,) = cnn_and_vit.images(3, [1_000], ["ViT, AdamW"], 2_106, known)
    assert short[4] == (3e-4, *cnn_and_vit.RATES)
    assert longer[4] == pytest.approx((1e-3, 3e-3))
    assert (short[3].epochs, longer[3].epochs) == (100, 301)
    with pytest.raises(ValueError, match="--record"):
        list(cnn_and_vit.images(3, [7_000], ["ViT, AdamW"], 2_106, known))
