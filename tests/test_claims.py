"""Each claim of notebooks 10 and 14 has its row in the picture at a glance and its card, with a verdict,
its limits and a line to try it.

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


def rows(source):
    """{number: (claim, verdict)} of the picture of a notebook, in its order."""
    code = re.search(r"^CLAIMS = .+?^}", source, re.MULTILINE | re.DOTALL)[0]
    (assignment,) = ast.parse(code).body
    pairs = zip(assignment.value.keys, assignment.value.values, strict=True)
    return {key.value: tuple(part.value for part in row.elts[:2]) for key, row in pairs}


def cards(source):
    """{number: (claim, text)} of a notebook, in its order."""
    heading = re.compile(r'^# ### (\d+)\. "(.+?)"\n(.*?)(?=^# ##|\Z)', re.MULTILINE | re.DOTALL)
    return {int(number): (claim, text) for number, claim, text in heading.findall(source)}


VERDICT_OF = {n: verdict for text in SOURCES.values() for n, (_, verdict) in rows(text).items()}
CARD_OF = {n: card for text in SOURCES.values() for n, (_, card) in cards(text).items()}

A_GUESS = {8: 10, 9: 50}  # is right for so many of 100 images
COMPARED = re.compile(r"(.+): ([+−]?\d+\.\d)(?: ± (\d+\.\d))?: ")

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
    table = re.findall(r"^# \| \[?(\d+)(?:\]\(\S+\))? \| ([^|]+)\. \| \|", source, re.MULTILINE)
    later = source[source.index("| the sentence |") :]
    claims = {number: claim for number, (claim, _) in cards(later).items()}
    assert len(claims) >= len(rows(source)) - 1
    assert [(int(number), words) for number, words in table] == list(claims.items())


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


@each_claim
def test_a_card_says_what_was_tested_and_then_the_result_and_right_after_it_the_verdict(number):
    """What lies between the first two are the words and pictures that the result needs. The result may
    end with a table. Notebook 14 says before all that who says the sentence, and what harm it does.
    """
    bare = re.sub(r"\{\{.*?\}\}", "", CARD_OF[number], flags=re.DOTALL).strip("#\n ")
    paragraphs = re.split(r"\n#\n# |# %% \[markdown\]\n# ", bare)
    paragraphs = [text for text in paragraphs if text.strip("# \n")]
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
        assert all(
            re.match(r"\| \*.+ \| \*\*(holds|by con|does not|not shown|not settled)", row)
            for row in parts
        )
    else:
        assert re.match(r"\*\*(Holds|Does not hold|Not settled)\*\*, because ", verdict)


def saved(name):
    """{claim: (text of its card, comparisons)} as the notebook shows them to its readers; a comparison is
    (words, number, half its interval or ""), read from the words beside the picture at a glance.
    """
    notebook = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8"))
    text = "\n".join(
        "".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"
    )
    parts = re.split(r'^### (\d+)\. "', text, flags=re.MULTILINE)
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    alts = [o.get("metadata", {}).get("image/png", {}).get("alt", "") for o in outputs]
    at_a_glance = "; ".join(alt for alt in alts if alt.startswith("claims: "))
    cards = {int(n): re.split("^## ", card, flags=re.MULTILINE)[0]
             for n, card in zip(parts[1::2], parts[2::2], strict=True)}  # fmt: skip
    compared, number = {n: [] for n in cards}, None
    for part in at_a_glance.split("; "):
        if sentence := re.match(r"(?:claims: .*: )?(\d+) · ", part):
            number = int(sentence[1])
        else:
            words, found, width = COMPARED.match(part).groups()
            compared[number].append((words, float(found.replace("−", "-")), width or ""))
    return {n: (cards[n], compared[n]) for n in cards}


def test_the_numbers_at_a_glance_stand_on_the_cards():
    for number, (card, compared) in saved("14_more_claims").items():
        for words, found, width in compared:
            shown = (
                f"{abs(found):.1f} ± {width}" if width else f"{A_GUESS.get(number, 0) + found:.1f}"
            )
            assert re.search(rf"(?<!\d){shown}(?!\d)", card), (number, words, shown)


def test_the_models_of_claim_9_are_judged_on_test_images_at_a_glance_and_on_the_card():
    """Each has its row at a glance, and one that fails with the tiles apart has its control's below it."""
    rows = json.loads((ROOT / "data/results/far_corners.json").read_text(encoding="utf-8"))
    right = {
        (row["model"], row["dataset"]): 100 * sum(row["accuracies"]) / len(row["accuracies"])
        for row in rows
        if row["trained_on"] == 4_000
    }
    card, compared = saved("14_more_claims")[9]
    expected = []
    for (model, dataset), share in right.items():
        if dataset == "corners2":
            expected.append((model, share))
            (shown,) = re.findall(rf"^\| {model} \| (\d+\.\d) % ", card, re.MULTILINE)
            assert float(shown) == pytest.approx(share, abs=0.051)
            if share < A_GUESS[9] + 10:
                control = right[model, "corners2, side by side"]
                expected.append(("its control, side by side", control))
    assert [words for words, *_ in compared] == [f"{words} − a guess" for words, _ in expected]
    for (_, found, _), (_, share) in zip(compared, expected, strict=True):
        assert found == pytest.approx(share - A_GUESS[9], abs=0.051)


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
def test_a_card_has_one_picture_or_table_of_results_and_a_line_to_try(number):
    card = CARD_OF[number]
    shown = (
        r"^(?:plots\.show|plots\.show_summaries|plots\.show_dots|show_curves|show_forest"
        r"|show_effects|diagrams\.reading_blocks)\("
    )
    run_by_run = re.findall(r"^# \|.* run by run \|$", card, re.MULTILINE)
    assert len(re.findall(shown, card, re.MULTILINE) + run_by_run) == 1
    (line,) = re.findall(r"\*Try it yourself.*", card)
    assert re.search(r"`(?:python|train_cnn)[^`]+`", line)


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


def advice(source):
    """The section on one's own model, which ends before the next heading."""
    section = r"^# ## .*[Ww]hat to do in your own model\n(.*?)(?=^# ##)"
    box = re.search(section, source, re.MULTILINE | re.DOTALL)[1]
    return re.sub(r"\{\{assert.*?\}\}", "", box, flags=re.DOTALL)


def test_the_advice_at_the_end_of_10_is_short_and_rests_on_its_claims():
    source = SOURCES["10_claims_put_to_the_test"]
    lines = re.findall(r"^# \| .+ \| ([\d, ]+) \|$", advice(source), re.MULTILINE)
    assert 0 < len(lines) <= 10
    assert {int(n) for numbers in lines for n in numbers.split(", ")} <= set(rows(source))


def test_the_table_at_the_end_of_14_has_each_verdict_and_room_for_the_guess():
    source = SOURCES["14_more_claims"]
    lines = re.findall(r"^# \| (\d+) \| \| ([a-z ]+) \| .+\. \|$", advice(source), re.MULTILINE)
    verdicts = {number: verdict for number, (_, verdict) in rows(source).items()}
    assert [(int(number), verdict) for number, verdict in lines] == list(verdicts.items())


@pytest.mark.parametrize("number", rows(SOURCES["14_more_claims"]))
def test_a_card_of_14_says_what_size_counts_and_what_follows_for_ones_own_model(number):
    card = CARD_OF[number]
    assert len(re.findall(r"\*What counts:\* ", card)) == 1
    assert len(re.findall(r"^# \*\*So in your model:\*\* ", card, re.MULTILINE)) == 1
