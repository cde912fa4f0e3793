"""Each claim of notebooks 10 and 14 has its row at a glance (a picture in 10, a table in 14) and its card,
with a verdict, its limits and a line to try it.

The figures and what is said of their order are placeholders in the source: test_figures.py tries
those.
"""

import ast
import json
import re
import shlex

import pytest
from tutorial_text import ROOT, tutorial_text

from vit_minimal import RECIPES
from vit_minimal.experiments import EXPERIMENTS

SOURCES = {
    name: tutorial_text(f"notebooks/source/{name}.py")
    for name in ("10_claims_put_to_the_test", "14_more_claims")
}
VERDICTS = "holds", "holds in part", "does not hold", "not settled"
LINK = re.compile(r"\]\(\.\./(data/results/\w+\.json)\)")

each_notebook = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


def guessed(source):
    """[(number, claim)] of the table to guess in."""
    table = re.findall(r"^# \| \[?(\d+)(?:\]\(\S+\))? \| ([^|]+)\. \| \|", source, re.MULTILINE)
    return [(int(number), claim) for number, claim in table]


def rows(source):
    """{number: (claim, verdict)} at a glance, in its order."""
    code = re.search(r"^CLAIMS = .+?^}", source, re.MULTILINE | re.DOTALL)
    if not code:
        lines = re.findall(r"^# \| (\d+) \| \| ([a-z ]+) \| .+\. \|$", advice(source), re.MULTILINE)
        claims = dict(guessed(source))
        return {int(number): (claims[int(number)], verdict) for number, verdict in lines}
    (assignment,) = ast.parse(code[0]).body
    pairs = zip(assignment.value.keys, assignment.value.values, strict=True)
    return {key.value: tuple(part.value for part in row.elts[:2]) for key, row in pairs}


def advice(source):
    """The section on one's own model, which ends before the next heading."""
    section = r"^# ## .*[Ww]hat to do in your own model\n(.*?)(?=^# ##)"
    box = re.search(section, source, re.MULTILINE | re.DOTALL)[1]
    return re.sub(r"\{\{assert.*?\}\}", "", box, flags=re.DOTALL)


def cards(source):
    """{number: (claim, text)} of a notebook, in its order."""
    heading = re.compile(r'^# ### (\d+)\. "(.+?)"\n(.*?)(?=^# ##|\Z)', re.MULTILINE | re.DOTALL)
    return {int(number): (claim, text) for number, claim, text in heading.findall(source)}


VERDICT_OF = {n: verdict for text in SOURCES.values() for n, (_, verdict) in rows(text).items()}
CARD_OF = {n: card for text in SOURCES.values() for n, (_, card) in cards(text).items()}

LONG_CARDS = [9, 4, 1, 18, 8, 13]  # of notebook 14; the details of the others are folded
SHORT_CARDS = sorted(set(rows(SOURCES["14_more_claims"])) - set(LONG_CARDS))

each_claim = pytest.mark.parametrize("number", sorted(VERDICT_OF))


def commands():
    """[(number, words)] of each command of a card that begins with python."""
    return [
        (number, shlex.split(command))
        for number, card in CARD_OF.items()
        for command in re.findall(r"`python ([^`]+)`", card)
    ]


@each_notebook
def test_picture_and_cards_make_the_same_claims_in_the_same_order(source):
    assert [(n, claim) for n, (claim, _) in rows(source).items()] == [
        (n, claim) for n, (claim, _) in cards(source).items()
    ]


def test_the_numbers_of_both_notebooks_are_one_list():
    numbers = [number for text in SOURCES.values() for number in rows(text)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


@each_notebook
def test_the_table_to_guess_in_has_every_sentence_of_a_later_card(source):
    """Notebook 10 begins with a card, on which one learns how to read the others."""
    later = source[source.index("| the sentence |") :]
    claims = {number: claim for number, (claim, _) in cards(later).items()}
    assert len(claims) >= len(rows(source)) - 1
    assert guessed(source) == list(claims.items())


def test_verdicts_are_explained_where_they_come_first():
    first = SOURCES["10_claims_put_to_the_test"]
    for verdict in VERDICTS:
        assert len(re.findall(rf"^# - \*\*{verdict}\*\*: ", first, re.MULTILINE)) == 1


@each_claim
def test_a_claim_has_the_same_verdict_in_the_picture_and_on_its_card_and_limits(number):
    verdict, card = VERDICT_OF[number], CARD_OF[number]
    assert verdict in VERDICTS
    assert re.findall(r"\*\*((?:Holds|Does not hold|Not settled)(?: in part)?)", card) == [
        verdict.capitalize()
    ]
    assert "*Limits:*" in card


def paragraphs_of(number):
    """What a card says, in pieces, without placeholders."""
    bare = re.sub(r"\{\{.*?\}\}", "", CARD_OF[number], flags=re.DOTALL).strip("#\n ")
    paragraphs = re.split(r"\n#\n# |# %% \[markdown\]\n# ", bare)
    return [text for text in paragraphs if text.strip("# \n")]


@pytest.mark.parametrize("number", sorted(set(VERDICT_OF) - set(SHORT_CARDS)))
def test_a_card_says_what_was_tested_and_then_the_result_and_right_after_it_the_verdict(number):
    """What lies between the first two are the words and pictures that the result needs. The result may
    end with a table. Notebook 14 says before all that who says the sentence, and what harm it does.
    """
    paragraphs = paragraphs_of(number)
    if number in rows(SOURCES["14_more_claims"]):
        assert re.match(r"\*\*Said\*\* .+ \*\*The harm:\*\* ", paragraphs.pop(0))
    assert paragraphs[0].startswith("**Tested:** ")
    (result,) = (at for at, text in enumerate(paragraphs) if text.startswith("**Result:**"))
    after = paragraphs[result + 1 :]
    verdict, table = after[1:3] if after[0].startswith("|") else after[:2]
    if "part" in VERDICT_OF[number] and verdict != "**Holds in part:**":
        one, other = "The part that holds: ", r"The part that (?:does not|is not shown): "
        assert re.match(rf"\*\*Holds in part\.\*\* {one}.+ {other}", verdict)
    elif "part" in VERDICT_OF[number]:
        head, _, *parts = table.split("\n\n")[0].split("\n# ")  # code may follow
        assert head == "| part of the sentence | what the test says |"
        assert len(parts) >= 2
        words = "holds|does not hold|not settled"
        words += "|by con|not shown" if number not in LONG_CARDS else ""
        assert all(re.match(rf"\| \*.+ \| \*\*({words})", row) for row in parts)
    else:
        assert re.match(r"\*\*(Holds|Does not hold|Not settled)\*\*, because ", verdict)


@pytest.mark.parametrize("number", SHORT_CARDS)
def test_a_short_card_is_a_result_a_verdict_and_advice_and_the_rest_is_folded(number):
    result, verdict, advised, fold, said, tested, *_ = paragraphs_of(number)
    assert result.startswith("**Result:** ")
    if "part" in VERDICT_OF[number]:
        assert re.match(
            r"\*\*Holds in part\.\*\* The part that holds: .+ The part that does", verdict
        )
    else:
        assert re.match(r"\*\*(Holds|Does not hold|Not settled)\*\*, because ", verdict)
    assert advised.startswith("**So in your model:** ") and fold.startswith("<details>")
    assert re.match(r"\*\*Said\*\* .+ \*\*The harm:\*\* ", said) and tested.startswith(
        "**Tested:** "
    )
    assert "# %% tags" not in CARD_OF[number]


def test_the_table_of_claim_9_has_each_model_of_the_record_with_its_control():
    rows = json.loads((ROOT / "data/results/far_corners.json").read_text(encoding="utf-8"))
    right = {
        (row["model"], row["dataset"]): [100 * share for share in row["accuracies"]]
        for row in rows
        if row["trained_on"] == 4_000
    }
    table = re.findall(
        r"^# \| (\S.* (?:AdamW|Muon)) \| \{\{.+\}\} \| (.+) \|$", CARD_OF[9], re.MULTILINE
    )
    apart = [model for model, task in right if task == "corners2"]
    assert [model for model, _ in table] == apart
    for model, control in table:
        assert ("near=True" in control) == ((model, "corners2, side by side") in right)
        if max(right[model, "corners2"]) < 60:
            assert "near=True" in control, "a failure needs its control"


def test_what_card_9_trains_while_the_reader_waits_comes_out_as_on_record():
    notebook = json.loads((ROOT / "notebooks/14_more_claims.ipynb").read_text(encoding="utf-8"))
    printed = "".join(
        "".join(output.get("text", ()))
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
    )
    found = re.findall(
        r"^(\S+, .+?): +learned images +\d+ %, new ones +(\d+) %$", printed, re.MULTILINE
    )
    expected = [
        "CNN, 15 pixels",
        "CNN, 47 pixels",
        "ViT, Muon",
        "ViT, AdamW",
        "CNN, 15 pixels",
        "ViT, AdamW",
    ]
    assert [model for model, _ in found] == expected
    learned = [int(new) > 90 for _, new in found]
    assert learned == [False, True, True, False, True, False]
    assert all(40 < int(new) < 60 for _, new in found if int(new) <= 90)


def test_card_5_shows_its_effect_on_drawn_shapes():
    notebook = ROOT / "notebooks/10_claims_put_to_the_test.ipynb"
    printed = [
        "".join(output.get("text", ()))
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", ())
    ]
    (found,) = re.findall(
        r"^together − single: \+(\d+\.\d) ± (\d+\.\d) points$", "".join(printed), re.MULTILINE
    )
    assert float(found[0]) > float(found[1])


@each_claim
def test_a_card_has_a_line_to_try_and_one_picture_or_table_of_runs_unless_it_is_short(number):
    card = CARD_OF[number]
    shown = (
        r"^(?:plots\.show|plots\.show_summaries|plots\.show_dots|show_effects"
        r"|diagrams\.reading_blocks)\("
    )
    results = re.findall(rf"{shown}|^# \|.* run by run \|$", card, re.MULTILINE)
    assert len(results) == (number not in SHORT_CARDS)
    (line,) = re.findall(r"\*Try it yourself.*", card)
    assert re.search(r"`(?:python |train\()[^`]+`", line)


@pytest.mark.parametrize("number", [n for n in sorted(VERDICT_OF) if VERDICT_OF[n] == VERDICTS[-1]])
def test_what_is_not_settled_says_what_would_settle_it(number):
    assert "would settle it" in CARD_OF[number]


@pytest.mark.parametrize(("number", "words"), commands())
def test_a_command_to_try_names_what_there_is(number, words):
    if words[:2] == ["-m", "vit_minimal.experiments"]:
        known = EXPERIMENTS[words[2]].settings
        if "--settings" in words:
            chosen = words[words.index("--settings") + 1 :]
            assert len(chosen) >= 2 and set(chosen) <= known.keys()
    elif words[:2] == ["-m", "vit_minimal.training"]:
        assert words[2] == "--recipe" and words[3] in RECIPES
    else:
        assert (ROOT / words[0]).exists()
        script = (ROOT / words[0]).read_text(encoding="utf-8")
        assert all(f'"{word}"' in script for word in words if word.startswith("--"))


@each_notebook
def test_each_claim_rests_on_records_that_exist(source):
    table = re.findall(r"^# \| \[.*\| ([\d, ]+) \|$", source, re.MULTILINE)
    covered = {int(number) for numbers in table for number in numbers.split(", ")}
    assert covered == set(rows(source))
    assert [path for path in LINK.findall(source) if not (ROOT / path).exists()] == []


def test_the_advice_at_the_end_of_10_is_short_and_rests_on_its_claims():
    source = SOURCES["10_claims_put_to_the_test"]
    lines = re.findall(r"^# \| .+ \| ([\d, ]+) \|$", advice(source), re.MULTILINE)
    assert 0 < len(lines) <= 10
    assert {int(n) for numbers in lines for n in numbers.split(", ")} <= set(rows(source))


@pytest.mark.parametrize("number", rows(SOURCES["14_more_claims"]))
def test_a_card_of_14_says_what_size_counts_and_what_follows_for_ones_own_model(number):
    card = CARD_OF[number]
    assert len(re.findall(r"\*What counts:\* ", card)) == 1
    assert len(re.findall(r"^# \*\*So in your model:\*\* ", card, re.MULTILINE)) == 1
