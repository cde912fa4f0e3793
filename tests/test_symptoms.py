"""What is said of a wrong answer: it holds of the case that is shown, and of the answer itself."""

import pytest
import torch
from answers import code_of, run, verdict
from torch.nn import functional as F

import build
from checks import EXERCISES, engine
from checks.modules import WithWeights
from checks.symptoms import symptom
from vit_minimal import MultiHeadSelfAttention, vision_transformer


def told(name, answer):
    return verdict(name, answer)[0]


def with_change(name, old, new):
    """What is said of the solution in which some code is other code."""
    solution = build.with_solution(code_of(name)[1])
    assert old in solution
    return told(name, run(name, solution.replace(old, new)))


# ---- Shapes and indices are those of a case that is wrong


def test_shapes_are_those_of_a_case_in_which_they_differ():
    square, row = torch.ones(2, 4), torch.rand(1, 4)
    said = symptom([({}, square, square), ({}, row[0], row)])
    assert "(4,), expected (1, 4)" in said
    table = torch.rand(3, 3)
    said = symptom(
        [
            ({}, table.T, table),
            ({}, torch.arange(6.0).reshape(3, 2).T, torch.arange(6.0).reshape(3, 2)),
        ]
    )
    assert "(2, 3), expected (3, 2)" in said


def test_the_shapes_that_are_told_are_those_of_the_case_that_is_told():
    def attention_pool(x, query):
        weights = (x @ query / x.shape[-1] ** 0.5).softmax(dim=1)
        return (weights[:, None] @ x).squeeze()

    said = told("attention_pool", attention_pool)
    assert "(6,), expected (1, 6)" in said and "x (1, 3, 6)" in said


def changed(expected, places):
    value = expected.clone()
    value[places] += 1
    return value


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (slice(0, 3), "right from index 3 on, and wrong before"),
        (slice(5, None), "wrong from index 5 on, and right before"),
        ([0, 2, 5], None),  # it is right at some places before the last that is wrong
        (slice(None, None, 2), None),
    ],
)
def test_from_where_on_it_is_right_is_told_only_where_that_is_so(places, words):
    expected = torch.rand(8) + torch.arange(8)
    said = symptom([({}, changed(expected, places), expected)])
    assert (words in said) if words else ("index" not in (said or ""))


def test_no_index_is_told_that_is_not_there():
    expected = torch.rand(6) + torch.arange(6)
    for last_is_wrong in ([1, 5], [0, 3, 5]):
        said = symptom([({}, changed(expected, last_is_wrong), expected)])
        assert "index 6" not in (said or "")


def test_what_is_true_of_any_batch_of_one_is_not_told():
    expected = torch.rand(1, 5, 4)
    said = symptom([({}, expected[:, torch.randperm(5)][..., torch.randperm(4)], expected)])
    assert "index of axis 0" not in said
    right, wrong = torch.rand(3, 5, 4), torch.rand(1, 9, 4)
    said = symptom([({}, right, right), ({}, wrong + 0.3 * torch.rand(1, 9, 4), wrong)])
    assert "sums along axis 0" not in (said or "")


def test_sums_of_one_are_asked_of_shares_alone_and_are_not_told_to_be_one():
    shares = torch.rand(4, 5).softmax(dim=-1)
    said = symptom([({}, (shares * 1e2).round() / 1e2, shares)])
    assert "sum to 1," not in said
    scores = torch.randn(4, 5)
    scores[:, -1] = 1 - scores[:, :-1].sum(dim=1)
    assert "sum" not in (symptom([({}, scores + torch.randn(4, 5), scores)]) or "")


@pytest.mark.parametrize(("name", "item"), [("learning_rate_at", "step"), ("interval", "value")])
def test_places_of_a_list_are_called_by_their_name(name, item):
    reference = EXERCISES[name].reference
    spoilt = {
        "learning_rate_at": lambda s, total, warm, peak: (
            reference(s, total, warm, peak) * (1.1 if s in (2, 4) else 1)
        ),
        "interval": lambda values, t: (reference(values, t)[0], sum(values)),
    }
    said = told(name, spoilt[name])
    assert "index" not in said and item in said


def test_what_is_used_is_not_called_unused():
    said = told("class_token_map", lambda maps, rows, columns: maps.mean(2)[..., 1:])
    assert "does not depend" not in said
    said = told("spread_between_images", lambda tokens: tokens.mean(1).std(0).mean().item())
    assert "does not depend" not in said
    said = told("spread_between_images", lambda tokens: 0.7)
    assert "does not depend on `tokens`" in said


# ---- What the check cannot use is told as such, and no exception of the check's

ODD = (None, "words", 3.25, [], {}, (1, 2), [[torch.zeros(2)], [torch.zeros(2)]], object())
FUNCTIONS = [
    name
    for name, exercise in EXERCISES.items()
    if isinstance(exercise, engine.Piece)
    and not isinstance(exercise.use, WithWeights)
    and not isinstance(exercise.reference, type)
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_answer_that_raises_nothing_is_not_told_that_it_raises(name):
    for value in ODD:
        said = told(name, lambda *given, value=value, **named: value)
        assert said.startswith("✗ ") and "it raises" not in said, (value, said)
        assert "cannot make sense" not in said and "two calls" not in said


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_return_is_told_as_such(name):
    assert "return" in told(name, lambda *given, **named: None)


def test_what_fails_on_the_way_back_is_told_of_the_answer():
    said = with_change(
        "EncoderBlock",
        "x = x + drop_path(self.attn(self.norm1(x)), rate)  # Eq. 2",
        "x = x.clone()\n            x += drop_path(self.attn(self.norm1(x)), rate)",
    )
    assert "in place" in said and "cannot make sense" not in said, said


# ---- Dropout


def test_what_is_random_in_evaluation_is_told():
    def forward(self, x):
        q, k, v = self.split_heads(x)
        weights = F.dropout((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1), self.attn_drop_rate)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))

    answer = type("MultiHeadSelfAttention", (MultiHeadSelfAttention,), {"forward": forward})
    assert "random" in told("MultiHeadSelfAttention", answer)
    said = with_change(
        "EncoderBlock",
        "rate = self.drop_path_rate if self.training else 0.0",
        "rate = self.drop_path_rate",
    )
    assert "random" in said, said


def test_dropped_paths_may_be_left_out_whatever_is_drawn():
    class EncoderBlock(vision_transformer.EncoderBlock):
        def forward(self, x):
            if not self.norm_first:
                return super().forward(x)
            x = x + self.attn(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    for seed in range(25):
        torch.manual_seed(seed)
        said = told("EncoderBlock", EncoderBlock)
        assert said.startswith("✓"), said


# ---- Blanks, and what is printed


def test_a_blank_that_is_never_come_to_does_not_hide_what_is_wrong():
    line = "    return patches.reshape(B, rows * columns, C * P * P)"
    said = with_change("patchify", line, f"{line[:-1]} + 1)\n    return ...  # your code")
    assert said.startswith("✗")
    said = with_change("patchify", line, f"    if B > 100:\n    {line}\n    return ...")
    assert said.startswith("·")


def test_the_method_that_is_still_blank_is_named():
    code = code_of("VisionTransformer")[1]
    *_, last = build.SOLUTION.finditer(code)
    half = build.with_solution(code[: last.start()]) + "\n" + build.with_blank(last[0])
    said = told("VisionTransformer", run("VisionTransformer", half))
    assert said.startswith("·") and "`forward`" in said and "`forward_features`" not in said


def test_what_an_answer_prints_does_not_drown_the_verdict():
    def patchify(images, patch_size):
        print("the shape of the images is", images.shape)
        return EXERCISES["patchify"].reference(images, patch_size)

    lines = told("patchify", patchify).splitlines()
    assert len(lines) < 10 and lines[-1].startswith("✓")
    assert any("the shape of the images is" in line for line in lines)


def test_an_exercise_that_is_needed_and_was_not_run_is_named():
    said = told(
        "VisionTransformer",
        run("patchify", "def patchify(*given, **named):\n    return EncoderBlock"),
    )
    assert "4.1" in said, said
