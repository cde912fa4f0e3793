"""The exercises: solutions pass, blanks are open, wrong answers get the diagnosis that is theirs."""

import contextlib
import itertools
import os
import re
import signal
import sys
import textwrap
import threading
import time
from pathlib import Path

import nbformat
import pytest
import torch
from answers import code_of, run, sources, verdict
from mutants import ALTERNATIVES, MUTANTS
from wrong_answers import WRONG

import build
import vit_minimal
from checks import EXERCISES, check, engine, helpers
from checks.words import is_readers
from vit_minimal import patchify

ROOT = Path(__file__).resolve().parents[1]


def told(name, answer):
    return verdict(name, answer)[0]


def is_piece(name):
    return isinstance(EXERCISES[name], engine.Piece)


every_exercise = pytest.mark.parametrize("name", EXERCISES)


@every_exercise
def test_the_solution_passes_and_is_handed_on(name):
    answer = run(name, build.with_solution(code_of(name)[1]))
    said, handed_on = verdict(name, answer)
    assert "✓" in said, said
    assert handed_on is (answer if is_piece(name) else None)


@every_exercise
def test_the_blank_is_not_solved_and_the_reference_is_handed_on(name):
    answer = run(name, build.with_blank(code_of(name)[1]))
    said, handed_on = verdict(name, answer)
    assert said.startswith("· ") and "not solved yet" in said, said
    assert handed_on is (EXERCISES[name].reference if is_piece(name) else None)
    assert EXERCISES[name].state == "open"


WRONG_ANSWERS = [(name, *wrong) for name, of in WRONG.items() for wrong in of]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"), WRONG_ANSWERS, ids=[f"{w[0]}-{w[3]}" for w in WRONG_ANSWERS]
)
def test_a_wrong_answer_is_told_what_is_wrong(name, old, new, words):
    solution = build.with_solution(code_of(name)[1])
    assert old in solution
    said, handed_on = verdict(name, run(name, solution.replace(old, new)))
    assert said.startswith("✗ "), said
    assert words in said, said
    assert handed_on is (EXERCISES[name].reference if is_piece(name) else None)


def test_each_exercise_has_three_wrong_answers_with_a_diagnosis_of_their_own():
    assert set(WRONG) == set(EXERCISES)
    for name, of in WRONG.items():
        diagnoses = [words for _, _, words in of]
        assert len(set(diagnoses)) == len(diagnoses) >= 3, name
        others = "".join(said for said in diagnoses)
        assert all(others.count(words) == 1 for words in diagnoses), name


@every_exercise
def test_each_mistake_that_a_check_knows_gets_the_words_that_are_its_own(name):
    exercise = EXERCISES[name]
    for words, mistake in getattr(exercise, "mistakes", {}).items():
        if not is_piece(name):
            words, mistake = mistake, words  # an Answer's mistakes stand the other way round
        assert words in told(name, mistake)
    if getattr(exercise, "broken", None):
        assert "The bug is still in it" in told(name, exercise.broken)


CORE = {
    "patchify": ["patchify"],
    "class token with positions": ["ClassToken", "PositionEmbedding"],
    "scaled dot product": ["attention_weights"],
    "multi-head attention": ["MultiHeadSelfAttention"],
    "block": ["EncoderBlock"],
    "full model": ["VisionTransformer"],
}
MUTATED = [(name, *pair) for names in CORE.values() for name in names for pair in MUTANTS[name]]


def test_there_are_ten_mutants_and_three_alternatives_of_each_core_piece():
    for names in CORE.values():
        assert sum(len(MUTANTS[name]) for name in names) >= 10
        assert all(len(ALTERNATIVES[name]) >= 3 for name in names)


@pytest.mark.parametrize(("name", "old", "new"), MUTATED)
def test_a_mutant_is_rejected(name, old, new):
    solution = build.with_solution(code_of(name)[1])
    assert old in solution
    said = told(name, run(name, solution.replace(old, new, 1)))
    assert said.startswith("✗ "), said
    assert "NameError" not in said and "AttributeError" not in said, said  # the mutant's own slip


def last_blank_filled(name, body):
    """The cell of an exercise with its last blank filled by a body, the others by the solution."""
    code = code_of(name)[1]
    *_, last = build.SOLUTION.finditer(code)
    indent = last[0][: len(last[0]) - len(last[0].lstrip(" "))]
    body = textwrap.indent(textwrap.dedent(body).strip("\n"), indent)
    filled = code[: last.start()] + body + "\n" + code[last.end() :]
    return build.with_solution(filled)


@pytest.mark.parametrize(
    ("name", "body"), [(name, body) for name, of in ALTERNATIVES.items() for body in of]
)
def test_another_right_way_passes(name, body):
    code = "import math\n\nfrom torch.nn import functional as nn_functional\n\n"
    said = told(name, run(name, code + last_blank_filled(name, body)))
    assert said.startswith("✓ "), said


def test_attention_weights_may_be_a_function_of_queries_and_keys_alone():
    def attention_weights(queries, keys):
        return (queries @ keys.mT / queries.shape[-1] ** 0.5).softmax(dim=-1)

    assert told("attention_weights", attention_weights).startswith("✓ ")


def test_an_endless_loop_is_stopped(monkeypatch):
    monkeypatch.setattr(helpers, "SECONDS", 0.5)

    def forever(images, patch_size):
        for _ in itertools.count():
            with contextlib.suppress(Exception):
                len(images)

    before = threading.active_count()
    assert "stopped after 0.5 seconds" in told("patchify", forever)
    for _ in range(50):
        if threading.active_count() <= before:
            break
        time.sleep(0.1)
    assert threading.active_count() <= before, "the loop still runs"


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
def test_the_stop_button_stops_the_code_as_well():
    turns = []

    def forever():
        for turn in itertools.count():
            turns[:] = [turn]

    # a job that was started in the background ignores the signal, and so would this test
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            helpers.limited(forever)
    finally:
        signal.signal(signal.SIGINT, before)
    last = turns[:]
    time.sleep(0.1)
    assert turns == last


def test_an_exception_is_told_in_words_with_the_line_it_came_from():
    code = "def patchify(images, patch_size):\n    B, C, H, W, nothing = images.shape\n"
    said = told("patchify", run("patchify", code))
    assert "it raises ValueError: not enough values to unpack" in said
    assert "in the line: B, C, H, W, nothing = images.shape" in said
    assert "Traceback" not in said and "engine.py" not in said


def test_the_line_that_is_told_is_the_readers_and_not_one_of_the_course():
    code = build.with_solution(code_of("patchify")[1])
    code = code.replace("patch_grid((H, W), P)", "patch_grid((H, W), 5 * P)")
    said = told("patchify", run("patchify", code))
    assert "it raises ValueError" in said  # in vit_minimal/patches.py, called from the cell
    assert "in the line: rows, columns = patch_grid((H, W), 5 * P)" in said
    assert "in the line" not in told("ClassToken", lambda: None)  # in checks/engine.py alone


@pytest.mark.parametrize(
    "module", [engine, helpers, vit_minimal, vit_minimal.patches, torch.nn.functional, textwrap]
)
def test_the_code_of_the_course_and_of_libraries_is_not_the_readers(module):
    assert not is_readers(module.__file__)
    assert not is_readers("/usr/local/lib/python3.13/dist-packages/torch/functional.py")


def test_cells_and_modules_beside_the_notebooks_are_the_readers():
    for name in ("<cell 1>", "<ipython-input-3-8c1f>", "/tmp/ipykernel_7/1234.py"):
        assert is_readers(name)
    beside_the_checks = Path(helpers.__file__).parents[1]
    assert is_readers(str(beside_the_checks / "checks_of_my_own.py"))


def test_wrong_signatures_and_kinds_are_told():
    assert "takes 1 positional argument but 2 were given" in told("patchify", lambda images: images)
    assert "expected a function, got 3" in told("patchify", 3)
    assert "expected a class, got a tensor" in told("ClassToken", torch.zeros(1))
    assert "is not an nn.Module" in told("ClassToken", lambda embed_dim, count=1: embed_dim)
    assert "ndarray, expected a tensor" in told(
        "patchify", lambda images, P: patchify(images, P).numpy()
    )
    assert "is there a `return`?" in told("patchify", lambda images, P: None)
    assert "the shape is (1, 6), expected (1, 6, 4)" in told(
        "patchify", lambda images, P: patchify(images, P).sum(dim=-1)
    )


def test_a_function_that_needs_the_notebook_is_told_so():
    code = """
        image = torch.ones(2)

        def unfolded(images, patch_size):
            helper(image)
            return F.unfold(images, patch_size, stride=patch_size).mT

        def helper(tensor):
            return tensor * table

        table = torch.ones(2)
        """
    said = told("unfolded", run("unfolded", textwrap.dedent(code)))
    assert "it uses `image` and `table` of the notebook" in said
    code = """
        P = 4

        def unfolded(images, patch_size):
            return F.unfold(images, P, stride=P).mT
        """
    said = told("unfolded", run("unfolded", textwrap.dedent(code)))
    assert "it reads `P` of the notebook: is that meant?" in said


def test_a_constant_of_the_notebook_does_no_harm():
    code = """
        EPS = 1e-12

        def attention_weights(queries, keys):
            e = (queries @ keys.mT / queries.shape[-1] ** 0.5).softmax(dim=-1)
            return e / (e.sum(dim=-1, keepdim=True) + EPS)
        """
    assert "✓" in told("attention_weights", run("attention_weights", textwrap.dedent(code)))


def test_a_solution_may_call_other_functions_of_the_notebook():
    code = "def helper(a, b):\n    return a // b\n\n\n"
    code += "def patch_of_pixel(row, column, patch_size, width):\n"
    code += "    per_row = helper(width, patch_size)\n"
    code += "    return helper(row, patch_size) * per_row + helper(column, patch_size)\n"
    assert "✓" in told("patch_of_pixel", run("patch_of_pixel", code))


def test_a_name_that_is_no_exercise_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match=r"no exercise 'patchfy'; there are: .*patchify"):
        check.patchfy  # noqa: B018


def test_checking_what_was_handed_on_solves_nothing():
    handed_on = verdict("patchify", ...)[1]
    said, again = verdict("patchify", handed_on)
    assert again is handed_on and "the course's own version" in said and "✓" not in said
    assert EXERCISES["patchify"].state == "open"


def test_gradients_are_judged_wherever_the_check_is_called():
    with torch.no_grad():
        assert "✓" in told("patchify", lambda images, P: patchify(images, P))
        assert "no gradient comes back" in told(
            "patchify", lambda images, P: torch.tensor(patchify(images, P).tolist()).to(images)
        )
    assert "not where a gradient is wanted: it raises RuntimeError" in told(
        "patchify", lambda images, P: torch.from_numpy(patchify(images, P).numpy())
    )


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("interval", lambda values, t: 1.0, "it gives 1.0, expected"),
        ("validation_split", lambda x, y, n: ((x, y), (x, y)), "it gives 2 things, expected 4"),
        ("mixup", lambda images, targets, order, share: 3, "it gives 3, expected a tuple"),
        ("gradient_by_block", lambda model, loss: [1.0], "it gives 1 things, expected 3"),
        ("stack", lambda config: None, "it returns nothing"),
        ("stack", lambda config: (1, 2), "it gives 'a tuple'"),
        (
            "tokens_of",
            lambda H, W, P, n: (H / P) * (W / P) + n,
            "it gives 65.0, expected the whole",
        ),
        ("drowning_std", float("nan"), "a finite number"),
        ("learning_rate", float("inf"), "a finite number"),
        ("parameter_groups", lambda model, decay: [{"params": ["head"]}], "a group holds 'head'"),
    ],
)
def test_answers_of_another_kind_are_told_so(name, answer, words):
    assert words in told(name, answer)


def test_an_answer_of_a_kind_that_nobody_thought_of_gives_no_traceback():
    class Odd:
        def __eq__(self, other):
            raise ValueError("odd")

        __hash__ = None

    said = told("what_to_say", Odd())
    assert "cannot make sense of it (it raises ValueError: odd" in said


def test_a_tuple_of_names_is_a_constant():
    code = "NAMES = ('cls_token', 'reg_token', 'pos_embed')\n\n\n"
    code += build.with_solution(code_of("parameter_groups")[1])
    code = code.replace('("cls_token", "reg_token", "pos_embed")', "NAMES")
    assert "✓" in told("parameter_groups", run("parameter_groups", code))


def test_whatever_is_raised_is_told():
    assert "it raises SystemExit" in told("patchify", lambda images, P: sys.exit("enough"))


def test_methods_that_others_rely_on_are_checked():
    code = build.with_solution(code_of("MultiHeadSelfAttention")[1])
    code = code.replace("def split_heads", "def parts").replace("self.split_heads", "self.parts")
    code += "\n\n    def split_heads(self, x):\n        return 0\n"
    said = told("MultiHeadSelfAttention", run("MultiHeadSelfAttention", code))
    assert "split_heads: it gives 0" in said


def test_a_patch_size_that_does_not_fit_must_be_refused():
    code = build.with_solution(code_of("patchify")[1])
    silent = "H // P, W // P\n    images = images[:, :, : H // P * P, : W // P * P]"
    code = code.replace("patch_grid((H, W), P)", silent)
    assert "no error says so" in told("patchify", run("patchify", code))


def test_weights_start_small_and_each_token_with_its_own():
    code = build.with_solution(code_of("ClassToken")[1])
    for new, words in (
        ("torch.zeros(1, count, embed_dim)", "a standard deviation of 0.00"),
        ("torch.randn(1, count, embed_dim) * 0.1", "a standard deviation of 0.10"),
        ("torch.randn(1, 1, embed_dim).repeat(1, count, 1) * 0.02", "the same numbers"),
    ):
        answer = run("ClassToken", code.replace("torch.randn(1, count, embed_dim) * 0.02", new))
        assert words in told("ClassToken", answer)


def test_letters_and_numbers_are_taken_as_people_write_them():
    for letter in ("a", " A ", "a:", "a)"):
        assert "✓" in told("blind_mask", letter)
    for number in (17, 17.0, torch.tensor(17), torch.tensor([17.0])):
        assert "✓" in told("sequence_length", number)
    for nothing in (None, "17", [17], True, torch.zeros(2)):
        assert "expected a number" in told("sequence_length", nothing)
    assert "choose one of the letters a, b, c, d, got ['a']" in told("blind_mask", ["a"])


def test_the_board_counts_what_is_solved(capsys):
    for exercise in EXERCISES.values():
        exercise.state = "open"
    check.patchify(lambda images, P: patchify(images, P))
    check.unpatchify(...)
    capsys.readouterr()
    check.board("01")
    said = capsys.readouterr().out
    assert "✓ 1.2" in said and "· 1.3" in said
    assert f"1 of {sum(e.number.startswith('1.') for e in EXERCISES.values())} solved" in said


def test_exercises_are_numbered_and_stand_in_one_source_each_with_two_hints_and_a_time():
    for notebook in sources():
        number = str(int(notebook[:2]))
        named = [e.number for e in EXERCISES.values() if e.number.split(".")[0] == number]
        assert named == [f"{number}.{i + 1}" for i in range(len(named))]
        exercises = build.exercise_notebook(ROOT / f"notebooks/source/{notebook}.py")
        texts = [cell.source for cell in exercises.cells if cell.cell_type == "markdown"]
        stated = [text for text in texts if re.match(r"## \d+\.\d+ · ", text)]
        assert [text.split()[1] for text in stated] == named
        for text in stated:
            assert "<summary>Hint 1<" in text and "<summary>Hint 2<" in text, text
            assert re.search(r"^★+☆* · \d+ minutes$", text, re.MULTILINE)
        assert sum("<summary>Solution<" in text for text in texts) == len(named)


def test_links_and_headings_of_the_exercises_lead_somewhere():
    folder = ROOT / "notebooks/exercises"
    for path in folder.glob("*.ipynb"):
        texts = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown"]
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", "\n".join(texts)):
            assert (folder / target).exists(), target
        assert sum(text.startswith("# ") for text in texts) == 1


def test_saved_exercise_notebooks_are_untouched():
    for path in (ROOT / "notebooks/exercises").glob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None
            assert "# solution" not in cell.source and "# end of" not in cell.source


GUIDE = (ROOT / "notebooks/exercises/README.md").read_text(encoding="utf-8")


def test_the_guide_names_every_exercise_with_its_time():
    rows = re.findall(r"^\| (\d+\.\d+) \| (.+?) \| (\d+) \|", GUIDE, re.MULTILINE)
    assert rows == [(e.number, e.title, str(e.minutes)) for e in EXERCISES.values()]
    assert f"{len(EXERCISES)} exercises" in GUIDE


def test_the_timetables_add_up_and_leave_time_to_talk():
    minutes = {e.number: e.minutes for e in EXERCISES.values()}
    tables = re.split(r"^### ", GUIDE, flags=re.MULTILINE)[1:]
    named = []  # of each timetable the numbers of its exercises
    for table in tables:
        rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([\d., ]+) \| (\d+) \|$", table, re.MULTILINE)
        named.append([number for numbers, _ in rows for number in numbers.split(", ")])
        for numbers, total in rows:
            assert sum(minutes[number] for number in numbers.split(", ")) == int(total), numbers
    ninety_minutes, half_a_day, two_days, third_morning = named
    assert sum(minutes[number] for number in ninety_minutes) <= 60
    assert sum(minutes[number] for number in half_a_day) <= 160
    assert sum(minutes[number] for number in two_days) <= 580
    assert sum(minutes[number] for number in third_morning) <= 110
    assert sorted(two_days + third_morning) == sorted(minutes)
