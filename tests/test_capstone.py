"""The capstone: its model, what is said of a trained one, its curves, and the leaderboard."""

import itertools
import json
import re
import time

import pytest
import torch
from answers import code_of, run, verdict
from torch import nn

import build
from checks import EXERCISES, curves, helpers, leaderboard
from checks.capstone import NEW_IMAGES, NEW_SEED
from checks.leaderboard import Entry, append, enter, read_board, show_board
from checks.milestones import MILESTONES, STEPS, quieten, shipped_weights
from checks.wrong_capstone import PlainViT
from vit_minimal import VisionTransformer, ViTConfig, load_timm_state_dict, shapes10
from vit_minimal.augment import normalize

SIZES = {"image_size": 8, "patch_size": 4, "num_classes": 5, "embed_dim": 12, "depth": 2}


def test_the_model_of_the_capstone_is_the_course_s_under_timms_names():
    plain = PlainViT(**SIZES, num_heads=3, mlp_ratio=1.5)
    ours = VisionTransformer(ViTConfig(**SIZES, num_heads=3, mlp_ratio=1.5))
    load_timm_state_dict(ours, plain.state_dict())
    images = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(plain(images), ours(images))


def test_the_shipped_weights_fit_it():
    model = PlainViT(32, 4, embed_dim=192, depth=6, num_heads=3)
    model.load_state_dict(shipped_weights())


def test_each_milestone_leaves_on_what_it_says():
    images = torch.randn(2, 3, 8, 8)

    def logits(quiet, **changed):
        torch.manual_seed(0)
        model = PlainViT(**SIZES, num_heads=3)
        for name, parameter in model.named_parameters():
            if "head" not in name:
                nn.init.normal_(parameter)
            if any(part in name for part in changed):
                nn.init.normal_(parameter)
        return quieten(model, quiet)(images)

    first, second, third, *_ = (milestone.quiet for milestone in MILESTONES)
    for quiet in (first, second):  # no patch is seen
        one, other = logits(quiet)
        torch.testing.assert_close(one, other)
    one, other = logits(third)
    assert not torch.allclose(one, other)
    assert not torch.allclose(logits(first), logits(second))


def told(*changes):
    """What is said of the solution of 18.1 in which some code is other code."""
    solution = build.with_solution(code_of("ViT")[1])
    for old, new in changes:
        assert solution.count(old) == 1, old
        solution = solution.replace(old, new)
    return verdict("ViT", run("ViT", solution))[0]


BLANK_FORWARD = ("        x = self.patch_embed(images)\n", "        ...\n        return\n")
HEADS = """B, T, D = x.shape
        qkv = self.qkv(x).reshape(B, T, 3, self.num_heads, D // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)"""
NO_MLP = "        return x + self.mlp(self.norm2(x))", "        return x"
NO_ATTENTION = "x = x + self.attn(self.norm1(x))", "x = x"


def test_the_check_may_be_run_as_soon_as_init_stands():
    said = told(BLANK_FORWARD)
    assert said.startswith("· ") and "milestone 2" in said
    said = told(BLANK_FORWARD, ("self.head = nn.Linear(", "self.top = nn.Linear("))
    assert said.startswith("✗ ") and "milestone 1" in said and "Not in the list: top" in said
    assert told(
        ("        super().__init__()\n        N = ", "        ...\n        N = ")
    ).startswith("· ")


@pytest.mark.parametrize(
    ("changes", "milestone", "words"),
    [
        ([NO_MLP], "milestone 3", "`blocks.0.mlp.fc1.weight` is never used"),
        ([NO_MLP, NO_ATTENTION], "milestone 3", "`blocks.0.mlp.fc1.weight` is never used"),
        ([NO_ATTENTION], "milestone 4", "`blocks.0.attn.qkv.weight` is never used"),
    ],
)
def test_a_model_written_in_stages_is_told_what_comes_next(changes, milestone, words):
    said = told(*changes)
    assert milestone in said and words in said, said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "return x + self.mlp(self.norm2(x))",
            "return self.mlp(self.norm2(x))",
            "missing in Eq. 3",
        ),
        ("return self.proj((weights @ v)", "return ((weights @ v)", "`attn.proj` is not used"),
    ],
)
def test_a_cause_that_is_known_is_told_and_no_number_of_the_milestone_that_fails(old, new, words):
    said = told((old, new))
    assert words in said and "expected" not in said, said


LAST_NORM, NORM_1 = "self.norm(x)[:, 0]", "x = x + self.attn(self.norm1(x))"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (LAST_NORM, "self.norm(x.mean(dim=1))", "the mean of all tokens, and the norm comes after"),
        (LAST_NORM, "self.norm(x[:, 1:].mean(1))", "the patches, and the norm comes after"),
        (NORM_1, "y = self.norm1(x); x = y + self.attn(y)", "adds to norm1(x) and not to x"),
        (NORM_1, "x = x + self.norm1(self.attn(x))", "norm1 comes after the attention"),
    ],
)
def test_steps_in_another_order_are_named(old, new, words):
    said = told((old, new))
    assert words in said, said


def told_of_norm(quotient):
    """What is said of the solution of 18.1 with a norm written by hand, of x and its centred z."""
    norm = f"""class Norm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        z = x - x.mean(dim=-1, keepdim=True)
        return {quotient} * self.weight + self.bias

"""
    solution = build.with_solution(code_of("ViT")[1]).replace("nn.LayerNorm", "Norm")
    return verdict("ViT", run("ViT", norm + solution))[0]


@pytest.mark.parametrize(
    ("quotient", "words"),
    [
        ("z / z.std(-1, keepdim=True)", "unbiased deviation"),
        ("z / (z.var(-1, keepdim=True) + 1e-5).sqrt()", "unbiased deviation"),
        ("x / x.std(-1, keepdim=True)", "do not subtract the mean, and"),
        ("z / (z.var(-1, keepdim=True, unbiased=False) + 1e-5)", "its root"),
        ("z / z.std(-1, keepdim=True, unbiased=False)", "✓"),  # without an ε: it hardly matters
    ],
)
def test_a_norm_by_hand_is_told_what_is_usually_wrong_with_one(quotient, words):
    said = told_of_norm(quotient)
    assert words in said, said


@pytest.mark.parametrize(("old", "new"), [(LAST_NORM, "x[:, 0]"), (".softmax(dim=-1)", ".tanh()")])
def test_the_next_milestone_is_named_whether_the_cause_is_known_or_not(old, new):
    said = told((old, new))
    done = int(re.search(r": (\d) of 7 milestones reached", said)[1])
    assert f"the next is milestone {done + 1}, {STEPS[done]}." in said, said


def test_two_faults_at_once_are_told_from_one():
    said = told(
        ("q @ k.transpose(-2, -1)", "k @ q.transpose(-2, -1)"), (".softmax(dim=-1)", ".sigmoid()")
    )
    assert "milestone 4" in said or "milestone 5" in said, said
    assert EXERCISES["ViT"].kind == "numbers" and "perhaps there are two" in said, said


def test_a_view_that_splits_heads_wrongly_is_not_told_to_copy_only():
    split = """B, T, D = x.shape
        q, k, v = (part.view(B, self.num_heads, T, -1) for part in self.qkv(x).chunk(3, dim=-1))"""
    said = told((HEADS, split))
    assert "RuntimeError" in said and "transpose" in said, said


def test_what_is_random_in_evaluation_and_what_is_rounded_are_told():
    assert "two calls" in told(("return self.fc2(F.gelu(", "return self.fc2(F.dropout("))
    said = told(("int(embed_dim * mlp_ratio)", "round(embed_dim * mlp_ratio)"))
    assert "milestone 1" in said and "rounded down" in said, said


class Known(nn.Module):
    """A model that knows the class of images by their first pixels, after some preparation of them."""

    def __init__(self, images, labels, prepare):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.labels = {
            self.key(x): y for x, y in zip(prepare(images), labels.tolist(), strict=True)
        }

    def key(self, image):
        return tuple(image[:, 10, 10:14].flatten().mul(1e3).round().int().tolist())

    def forward(self, x):
        classes = [self.labels.get(self.key(image), i % 10) for i, image in enumerate(x)]
        return nn.functional.one_hot(torch.tensor(classes), 10) - 0.1


@pytest.mark.parametrize(
    ("drawn", "prepare", "words"),
    [
        ((NEW_IMAGES, NEW_SEED), normalize, "✓"),
        ((NEW_IMAGES, 0), normalize, "by heart"),
        ((100, 0), normalize, "by heart"),
        ((NEW_IMAGES, NEW_SEED), lambda images: images / 255, "better with numbers 0 … 1"),
        ((NEW_IMAGES, NEW_SEED), torch.Tensor.float, "better with numbers 0 … 255"),
        ((120, NEW_SEED), torch.Tensor.float, "better with numbers 0 … 255"),
        ((500, NEW_SEED), normalize, "still learning"),
    ],
)
def test_a_trained_model_is_told_what_is_seen_of_it(drawn, prepare, words):
    said, _ = verdict("trained", Known(*shapes10(*drawn), prepare))
    assert words in said, said


class SlowlyGuessing(nn.Module):
    """Logits that are no better than guessing, or a little better in the loss alone."""

    def __init__(self, gain, pause=0.0):
        super().__init__()
        self.gain, self.pause = gain, pause
        self.known = Known(*shapes10(500, 0), normalize)

    def forward(self, x):
        time.sleep(self.pause * len(x))
        noise = torch.linspace(0, 1, 10 * len(x)).reshape(-1, 10).sin().roll(1, 1) * 0.01
        first = torch.arange(len(x)) % 10
        return nn.functional.one_hot(first, 10) + self.gain * self.known(x) + noise


def test_a_model_that_has_begun_to_learn_is_not_told_to_look_at_its_step():
    said, _ = verdict("trained", SlowlyGuessing(0.0))
    assert said.index("learned nothing yet") < said.index("see `x`") < said.index("zero_grad")
    said, _ = verdict("trained", SlowlyGuessing(0.8))
    assert "learned nothing yet" not in said and "hardly begun" in said and "rate" in said, said


def of_share(share, gain):
    """Logits that are right for a share of all images, by which the model is as sure as gain has it."""
    known = Known(*(torch.cat(pair) for pair in zip(*FIRST_AND_NEW, strict=True)), normalize)

    class Partly(nn.Module):
        def forward(self, x):
            logits = known(x)
            wrong = torch.arange(len(x)) >= share * len(x)
            logits[wrong] = logits[wrong].roll(1, 1)
            return gain(logits)

    return Partly()


FIRST_AND_NEW = shapes10(500, 0), shapes10(NEW_IMAGES, NEW_SEED)


@pytest.mark.parametrize(
    ("share", "gain", "words"),
    [
        (0.28, lambda logits: 4 * logits, "softmax of its own"),  # of one in the loss
        (0.28, lambda logits: logits.softmax(dim=1), "shares from 0 to 1"),
        (0.28, lambda logits: logits, "still learning"),
        (0.45, lambda logits: 2 * logits, "still learning"),
        (0.45, lambda logits: 5 * logits, "softmax of its own"),
        (0.10, lambda logits: 4 * logits, "learned nothing yet"),
    ],
)
def test_a_softmax_too_many_is_asked_for_where_it_shows(share, gain, words):
    said, _ = verdict("trained", of_share(share, gain))
    assert words in said, said


def test_a_model_may_be_slow(monkeypatch):
    monkeypatch.setattr(helpers, "SECONDS", 1)
    said, _ = verdict("trained", SlowlyGuessing(0.0, pause=0.0015))  # 1.5 s for all
    assert "stopped" not in said, said


def test_choices_are_understood_however_they_are_written():
    as_text = {key: f" {cause}" for key, cause in EXERCISES["causes"].expected.items()}
    assert "✓" in verdict("causes", as_text)[0]
    yes_and_no = EXERCISES["conclusions"].expected
    assert "✓" in verdict("conclusions", {k: v.upper() for k, v in yes_and_no.items()})[0]
    assert "✓" in verdict("conclusions", {k: v == "yes" for k, v in yes_and_no.items()})[0]
    assert "choose one" in verdict("causes", dict.fromkeys("ABCDEF", True))[0]


def test_a_trained_model_stays_in_the_mode_it_is_in():
    model = PlainViT(32, 8, depth=1).train()
    verdict("trained", model)
    assert model.training


def test_what_is_open_is_open_and_what_is_wrong_among_it_is_told():
    right = EXERCISES["causes"].expected
    assert "open: F" in verdict("causes", right | {"F": ...})[0]
    said = verdict("causes", right | {"F": ..., "A": 6})[0]
    assert said.startswith("✗ ") and "A: not 6" in said and "F:" not in said


def test_each_curve_shows_the_sign_that_is_told_of_its_cause():
    """(The record is one seed each; the signs are what the exercise's solution says of them.)"""
    drawn = curves.recorded_curves()
    training, held_out = drawn.pop(curves.HEALTHY)
    end = sum(training[-20:]) / 20
    healthy = list(held_out.values())
    by_cause = {cause: drawn[letter] for letter, cause in curves.CURVES.items()}

    def ends(cause):
        losses, held_out = by_cause[cause]
        return sum(losses[-20:]) / 20, list(held_out.values())

    guessing = torch.tensor(10.0).log().item()
    assert end < 1.5 and healthy[-1] < 1.6
    creeping, _ = ends(1)
    assert 2 < creeping < guessing + 0.05 and max(by_cause[1][0]) < 3
    leaping, _ = ends(2)
    assert max(by_cause[2][0]) > 5 and leaping > guessing - 0.05
    floor, _ = ends(3)
    assert 1.46 < floor < creeping - 0.1 and max(by_cause[3][0]) < 2.47 and floor > end + 0.5
    assert min(by_cause[2][0]) > 1.9 and min(by_cause[4][0][:180]) < 1  # hint 2 tells them so apart
    assert max(by_cause[4][0][180:]) > 4 and abs(sum(by_cause[4][0][-20:]) / 20 - guessing) < 0.3
    saw, beside = by_cause[4][0][:200], list(by_cause[4][1].values())
    assert sum(y - x > 0.5 for x, y in itertools.pairwise(saw)) > 10
    assert min(beside[:8]) > guessing
    by_heart, rising = ends(5)
    assert by_heart < 0.1 and rising[-1] > max(rising[0], guessing) + 0.5
    as_healthy, apart = ends(6)
    assert by_cause[6][0] == pytest.approx(training, abs=0.02)  # the same curve
    assert min(by_cause[5][0]) < 0.1 < min(training)
    assert abs(as_healthy - end) < 0.1 and apart[-1] > healthy[-1] + 0.5
    assert all(other > fine for other, fine in zip(apart[2:], healthy[2:], strict=True))


def entry(**changes):
    fine = {
        "name": "Ada",
        "accuracy": 0.5,
        "seconds": 200.0,
        "allowed": 300,
        "parameters": 10,
        "machine": "a machine",
        "date": "2026-11-29",
    }
    return Entry(**fine | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "1 to 24 characters"),
        ({"name": "two\nlines"}, "in one line"),
        ({"accuracy": 87.5}, "a share from 0 to 1"),
        ({"accuracy": "0.9"}, "accuracy should be a float"),
        ({"seconds": 301.0}, "300 are allowed"),
        ({"seconds": float("nan")}, "cannot be"),
        ({"parameters": 1.5}, "parameters should be a int"),
        ({"allowed": True}, "allowed should be"),
    ],
)
def test_a_bad_entry_is_refused_with_a_sentence(changes, words):
    with pytest.raises(ValueError, match=words):
        entry(**changes)


def test_the_board_is_a_file_that_others_can_add_to(tmp_path, capsys):
    path = tmp_path / "board.jsonl"
    show_board(path)
    said = capsys.readouterr().out
    assert str(path) in said and "is empty" in said
    append(path, entry(name="Ada", accuracy=0.7))
    text = path.read_text(encoding="utf-8").rstrip("\n")  # as an editor may leave it
    path.write_text(f"{text}\n{{broken\n\n" + json.dumps({"name": "Eve"}), encoding="utf-8")
    append(path, entry(name="Grace", accuracy=0.8, note="a larger model"))
    entries, left_out = read_board(path)
    assert [e.name for e in entries] == ["Ada", "Grace"]
    assert [words.split(":")[0] for words in left_out] == [
        "line 2 is left out",
        "line 4 is left out",
    ]
    show_board(path)
    where, first, second, *others = capsys.readouterr().out.splitlines()
    assert (
        str(path) in where
        and "Grace" in first
        and "80.0%" in first
        and "Ada" in second
        and len(others) == 2
    )


@pytest.fixture
def few_images(monkeypatch):
    monkeypatch.setattr(leaderboard, "TRAINED_ON", 20)
    monkeypatch.setattr(leaderboard, "JUDGED_ON", 40)
    monkeypatch.setattr(leaderboard, "HELD_OUT", 8)


def fast(images, labels, seconds):
    assert len(images) == len(labels) == 20
    return PlainViT(depth=1)


def test_an_entry_is_measured_and_appended(few_images, tmp_path, capsys):
    path = tmp_path / "board.jsonl"
    made = enter(path, " Ada ", fast, seconds=60)
    assert made.name == "Ada" and 0 <= made.accuracy <= 1 and 0 < made.seconds < 60
    assert read_board(path) == ([made], [])
    assert "entered" in capsys.readouterr().out
    show_board(path)  # as the notebook's cell does after it: all of it is printed once
    assert capsys.readouterr().out.count("Ada") == 1
    assert enter(path, "Grace", fast, seconds=61) is None
    assert "this board is for 60 seconds" in capsys.readouterr().out
    assert enter(path, " ", fast, seconds=60) is None
    assert "1 to 24 characters" in capsys.readouterr().out
    assert read_board(path) == ([made], [])


def test_what_is_tried_out_is_judged_on_images_of_its_own(few_images, capsys):
    images, labels = shapes10(20, seed=0)
    shown = []

    def knowing(x, y, seconds):
        shown.append(x)
        return Known(images[12:], labels[12:], normalize)

    accuracy, took, _ = leaderboard.measure(knowing, 60)
    assert accuracy == 1 and took < 60 and shown[0].equal(images[:12])
    assert capsys.readouterr().out.startswith("100.0% of 8 drawings")
    leaderboard.measure(knowing, 0)
    assert "an entry would be refused" in capsys.readouterr().out


def slow(images, labels, seconds):
    time.sleep(0.2)
    return PlainViT(depth=1)


def endless(images, labels, seconds):
    model = PlainViT(depth=1)
    nn.init.constant_(model.head.weight, float("nan"))
    return model


@pytest.mark.parametrize(
    ("train", "seconds", "words"),
    [
        (slow, 0.1, "are allowed"),
        (endless, 60, "no numbers any more"),
        (lambda images, labels, seconds: PlainViT(num_classes=3), 60, "images are"),
        (lambda images, labels, seconds: 0.99, 60, "should return a model"),
        (lambda images, labels, seconds: PlainViT, 60, "it returned the class PlainViT"),
        (PlainViT, 60, "not the class PlainViT"),
        (PlainViT(depth=1), 60, "not a model"),
    ],
)
def test_what_cannot_be_entered_leaves_the_board_as_it_was(
    few_images, tmp_path, capsys, train, seconds, words
):
    assert enter(tmp_path / "board.jsonl", "Ada", train, seconds=seconds) is None
    said = capsys.readouterr().out
    assert words in said and said.count("\n") == 1
    assert read_board(tmp_path / "board.jsonl") == ([], [])
    tried = leaderboard.measure(train, seconds)
    said = capsys.readouterr().out
    assert (words in said and tried is None and said.count("\n") == 1) or "refused" in said


def test_a_trial_is_judged_on_images_that_it_has_not_trained_on(monkeypatch):
    given = []
    monkeypatch.setattr(
        leaderboard,
        "trained_and_judged",
        lambda train, seconds, training, test: given.extend((training, test)) or (0.5, 0.0, None),
    )
    leaderboard.measure(None, 1)
    (trained_on, labels), (judged_on, _) = given
    assert len(judged_on) == leaderboard.HELD_OUT and len(trained_on) == len(labels)
    seen = {image.numpy().tobytes() for image in trained_on}
    assert not any(image.numpy().tobytes() in seen for image in judged_on)
