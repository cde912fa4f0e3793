"""Each claim of notebook 10 has its row in a table and its card, with a verdict, its limits and a line to
try it. Three claims of notebook 14 are lessons, a fourth is for the reader to judge, and the others
have a row in a table, with the question that decides them, and a fold; it is a short one if another
notebook measures the claim.

The figures and what is said of their order are placeholders in the source: test_figures.py tries
those.
"""

import itertools
import json
import re
import shlex

import pytest
from tutorial_text import ROOT, tutorial_text

import figures
from vit_minimal import RECIPES
from vit_minimal.experiments import EXPERIMENTS

SOURCES = {
    name: tutorial_text(f"notebooks/source/{name}.py")
    for name in ("10_claims_put_to_the_test", "14_more_claims")
}
TEN, FOURTEEN = SOURCES.values()
VERDICTS = "holds", "holds in part", "does not hold", "not settled"
LINK = re.compile(r"\]\(\.\./(data/results/\w+\.json)\)")

each_notebook = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


def guessed(source):
    """[(number, claim)] of the table to guess in."""
    table = re.findall(r"^# \| \[?(\d+)(?:\]\(\S+\))? \| ([^|]+)\. \| \|", source, re.MULTILINE)
    return [(int(number), claim) for number, claim in table]


def rows(source):
    """{number: (claim, verdict)} in a notebook's order: its cards with a heading, then the table of 14."""
    found = {n: (claim, verdict_on(card)) for n, (claim, card) in lessons(source).items()}
    table = re.findall(
        r"^# \| (\d+)(?:\.| \|) ([^|]+)\. \| .+ \| \*\*([a-z ]+)\*\*(?:: [^|]+)? \|$",
        source,
        re.MULTILINE,
    )
    return found | {int(n): (claim, verdict) for n, claim, verdict in table}


def advice(source):
    """The section on one's own model, which ends before the next heading."""
    section = r"^# ## .*[Ww]hat to do in your own model\n(.*?)(?=^# ##)"
    box = re.search(section, source, re.MULTILINE | re.DOTALL)[1]
    return re.sub(r"\{\{assert.*?\}\}", "", box, flags=re.DOTALL)


def lessons(source):
    """{number: (claim, text)} of the cards with a heading, in their order."""
    heading = re.compile(r'^# ### (\d+)\. "(.+?)"\n(.*?)(?=^# ##|\Z)', re.MULTILINE | re.DOTALL)
    return {int(number): (claim, text) for number, claim, text in heading.findall(source)}


def folds(source):
    """{number: (claim, text)} of the folded cards, in their order."""
    fold = re.compile(
        r"^# <details><summary><b>(\d+)\.</b> (.+?)</summary>\n(.*?)^# </details>",
        re.MULTILINE | re.DOTALL,
    )
    return {int(number): tuple(found) for number, *found in fold.findall(source)}


def cards(source):
    """{number: (claim, text)} of a notebook, in its order."""
    return lessons(source) | folds(source)


def verdict_on(card):
    """The verdict on the whole sentence that a card gives."""
    (found,) = re.findall(r"\*\*((?:Holds|Does not hold|Not settled)(?: in part)?)", card)
    return found.lower()


VERDICT_OF = {n: verdict for text in SOURCES.values() for n, (_, verdict) in rows(text).items()}
CARD_OF = {n: card for text in SOURCES.values() for n, (_, card) in cards(text).items()}

each_claim = pytest.mark.parametrize("number", sorted(VERDICT_OF))


def commands():
    """[(number, words)] of each command that begins with python, on a card of 10 or in the table of 14."""
    on_cards = [
        (number, command)
        for number, (_, card) in cards(TEN).items()
        for command in re.findall(r"`python ([^`]+)`", card)
    ]
    table = re.findall(
        r"^# \| (\d+)\*?(?: \(.+\))? \| \[.+\) \| `python ([^`]+)` \|$", FOURTEEN, re.MULTILINE
    )
    return [(int(number), shlex.split(command)) for number, command in on_cards + table]


@each_notebook
def test_table_and_cards_make_the_same_claims_in_the_same_order(source):
    assert [(n, claim) for n, (claim, _) in rows(source).items()] == [
        (n, claim) for n, (claim, _) in cards(source).items()
    ]


@pytest.mark.parametrize("number", [*lessons(TEN)])
def test_a_card_of_10_gives_a_size_with_its_interval_before_its_limits(number):
    card = CARD_OF[number]
    found = card[card.index("**Result:** ") : card.index("*Limits:* ")]
    assert re.search(r"\{\{(?!assert)[^}]+:\+?±\.\dp\}\}", found)


def test_what_10_says_after_its_cards_of_their_verdicts_is_what_they_say():
    (named,) = re.findall(r"^# So ([\d, and]+) do(?:es)? not hold", TEN, re.MULTILINE)
    refuted = [n for n in lessons(TEN) if VERDICT_OF[n] == "does not hold"]
    assert [int(number) for number in re.findall(r"\d+", named)] == refuted
    others = [VERDICT_OF[n] for n in lessons(TEN) if n not in refuted]
    assert others == ["holds in part"] * 5


def test_the_numbers_of_both_notebooks_are_one_list():
    numbers = [number for text in SOURCES.values() for number in rows(text)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    counted = sum(figures.numbered_sections(name) for name in SOURCES)
    assert counted == len(numbers), "what the README and both notebooks say that there are"


def test_the_table_to_guess_in_has_every_sentence_of_a_later_card():
    """Notebook 10 begins with a card, on which one learns how to read the others."""
    later = TEN[TEN.index("| the sentence |") :]
    claims = {number: claim for number, (claim, _) in cards(later).items()}
    assert len(claims) >= len(rows(TEN)) - 1
    assert guessed(TEN) == list(claims.items())


def test_verdicts_are_explained_once_before_the_first_card():
    before = TEN[: TEN.index("# ### ")]
    for verdict, text in itertools.product(VERDICTS, (TEN, before)):
        assert len(re.findall(rf"^# \| \*\*{verdict}\*\* \| ", text, re.MULTILINE)) == 1


@each_claim
def test_a_claim_has_the_same_verdict_in_both_places_and_limits(number):
    verdict, card = VERDICT_OF[number], CARD_OF[number]
    assert verdict in VERDICTS
    assert verdict == verdict_on(card)
    assert "*Limits:*" in card


def paragraphs_of(number):
    """What a card says, in pieces, without placeholders."""
    bare = re.sub(r"\{\{.*?\}\}", "", CARD_OF[number], flags=re.DOTALL).strip("#\n ")
    paragraphs = re.split(r"\n#\n# |# %% \[markdown\]\n# ", bare)
    return [text for text in paragraphs if text.strip("# \n")]


def check_parts(table):
    """A table of the parts of a sentence, with a verdict for each."""
    head, _, *parts = table.split("\n\n")[0].split("\n# ")  # code may follow
    assert head == "| part of the sentence | what the test says |"
    assert len(parts) >= 2
    words = "holds|holds in part|does not hold|not settled|by con|not shown"
    assert all(re.match(rf"\| \*.+ \| \*\*({words})", row) for row in parts)


@pytest.mark.parametrize("number", rows(TEN))
def test_a_card_says_what_was_tested_and_then_the_result_and_right_after_it_the_verdict(number):
    """What lies between the first two are the words and pictures that the result needs. The result may
    end with a table.
    """
    paragraphs = paragraphs_of(number)
    assert paragraphs[0].startswith("**Tested:** ")
    (result,) = (at for at, text in enumerate(paragraphs) if text.startswith("**Result:**"))
    after = paragraphs[result + 1 :]
    verdict, table = after[1:3] if after[0].startswith("|") else after[:2]
    if "part" in VERDICT_OF[number] and verdict != "**Holds in part:**":
        one, other = "The part that holds: ", r"The part that (?:does not|is not shown): "
        assert re.match(rf"\*\*Holds in part\.\*\* {one}.+ {other}", verdict)
    elif "part" in VERDICT_OF[number]:
        check_parts(table)
    else:
        assert re.match(r"\*\*(Holds|Does not hold|Not settled)\*\*, because ", verdict)


ALONE = [number for number, (_, card) in lessons(FOURTEEN).items() if "**Your verdict:**" in card]


@pytest.mark.parametrize("number", [n for n in lessons(FOURTEEN) if n not in ALONE])
def test_a_lesson_has_a_guess_a_cell_to_run_and_its_parts_in_order(number):
    card = CARD_OF[number]
    assert "**The harm:** " in card
    guess, result = card.index("**Your guess:** "), card.index("**Result:** ")
    assert guess < card.index("\n# %%\n", guess) < result
    order = "**Tested:** ", "*What counts:* ", "**Result:** ", "**Holds in part:**\n", "*Limits:* "
    places = [card.index(words) for words in (*order, "**So in your model:** ")]
    assert places == sorted(places)
    (verdict,) = (at for at, t in enumerate(paragraphs_of(number)) if t == "**Holds in part:**")
    check_parts(paragraphs_of(number)[verdict + 1])


def test_one_sentence_is_judged_by_the_reader_before_our_verdict():
    (number,) = ALONE
    assert number == list(lessons(FOURTEEN))[-1]
    card = CARD_OF[number]
    order = "**Said** ", "**The harm:** ", "**Tested:** ", "**Result:** "
    order += (
        "**Your verdict:** ",
        "<details>",
        f"**{VERDICT_OF[number].capitalize()}**",
        "*Limits:* ",
    )
    places = [card.index(words) for words in (*order, "**So in your model:** ", "</details>")]
    assert places == sorted(places)
    explained = FOURTEEN.index("](10_claims_put_to_the_test.ipynb)")
    assert explained < FOURTEEN.index("# ### ")


ELSEWHERE = [number for number, (_, fold) in folds(FOURTEEN).items() if "*Measured in*" in fold]


@pytest.mark.parametrize("number", ELSEWHERE)
def test_a_fold_on_what_another_notebook_measures_has_result_verdict_and_link(number):
    result, *more = paragraphs_of(number)
    assert result.startswith("**Result:** ")
    assert "{{" in CARD_OF[number][: CARD_OF[number].index("*Limits:* ")]
    order = "**Result:** ", f"**{VERDICT_OF[number].capitalize()}", "*Limits:* ", "*Measured in* "
    places = [CARD_OF[number].index(words) for words in order]
    assert places == sorted(places)
    linked = re.findall(r"\]\((\w+)\.ipynb\)", more[-1])
    assert linked and all((ROOT / f"notebooks/source/{name}.py").exists() for name in linked)
    assert "*Said* " in more[-1]
    if VERDICT_OF[number] == "holds in part":
        one = r"\*\*Holds in part\.\*\* The part that holds:"
        assert any(re.match(f"{one} .+ The part that does not: ", t) for t in more)


def test_a_threshold_of_a_card_is_another_than_the_usual_point():
    assert "*What counts:* one point" not in FOURTEEN


@pytest.mark.parametrize("number", [n for n in folds(FOURTEEN) if n not in ELSEWHERE])
def test_a_fold_says_who_says_it_and_what_was_tested_and_the_result_before_the_verdict(number):
    said, tested, *more = paragraphs_of(number)
    assert re.match(r"\*\*Said\*\* .+ \*\*The harm:\*\* ", said)
    assert tested.startswith("**Tested:** ") and "*What counts:* " in tested
    assert len([text for text in more if text.startswith("**Result:** ")]) == 1
    places = [CARD_OF[number].index(words) for words in ("**Result:** ", "*Limits:* ")]
    verdict = re.search(rf"\*\*{VERDICT_OF[number].capitalize()}", CARD_OF[number])
    assert places[0] < verdict.start() < places[1]
    assert more[-1].startswith("**So in your model:** ")
    tables = [text for text in more if text.startswith("| part of the sentence |")]
    if VERDICT_OF[number] == "holds in part" and not tables:
        one = r"\*\*Holds in part\.\*\* The part that holds:"
        assert any(re.match(f"{one} .+ The part that does not: ", t) for t in more)
    for table in tables:
        check_parts(table)


def test_the_table_of_claim_9_has_each_model_of_the_record_with_its_control():
    rows = json.loads((ROOT / "data/results/far_corners.json").read_text(encoding="utf-8"))
    right = {
        (row["model"], row["dataset"]): [100 * share for share in row["accuracies"]]
        for row in rows
        if row["trained_on"] == 4_000
    }
    table = re.findall(
        r"^# \| (\S.* (?:AdamW|Muon)) \| \{\{.+?\}\} \| (.+) \|$", CARD_OF[9], re.MULTILINE
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
        r"^(\S+, .+?): +training images +\d+ %, new ones +(\d+) %$", printed, re.MULTILINE
    )
    expected = {
        "CNN, 15 pixels": [False, True],  # apart, side by side
        "CNN, 47 pixels": [True],
        "ViT, Muon": [True],
        "ViT, AdamW": [False, False],
        "ViT, one tile": [True],
        "ViT, two tiles": [False],
        "ViT, 60 epochs": [True],
    }
    learned = {name: [int(new) > 90 for model, new in found if model == name] for name in expected}
    assert learned == expected and {name for name, _ in found} == {*expected}
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


@pytest.mark.parametrize("number", rows(TEN))
def test_a_card_of_10_has_one_picture_a_line_to_try_and_the_notebook_that_tells_more(number):
    card = CARD_OF[number]
    assert re.findall(r"^show_card\(\n    (\d+),$", card, re.MULTILINE) == [str(number)]
    assert not re.search(r"^plots\.show", card, re.MULTILINE)
    (line,) = re.findall(r"\*Try it yourself.*", card)
    assert re.search(r"`python [^`]+`", line)
    linked = re.findall(r"\]\((\w+)\.ipynb\)", card)
    assert linked and all((ROOT / f"notebooks/source/{name}.py").exists() for name in linked)


def test_each_claim_of_14_can_be_measured_again():
    found = [number for number, _ in commands()]
    assert [n for n in found if n in rows(FOURTEEN)] == sorted(rows(FOURTEEN))


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
    table += re.findall(r"^# \| (\d+)\*?(?: \(.+\))? \| \[.+\) \| `", source, re.MULTILINE)
    covered = {int(number) for numbers in table for number in numbers.split(", ")}
    assert covered == set(rows(source))
    assert [path for path in LINK.findall(source) if not (ROOT / path).exists()] == []


def test_the_advice_at_the_end_of_10_is_short_and_rests_on_its_claims():
    lines = re.findall(r"^# \| .+ \| ([\d, ]+) \|$", advice(TEN), re.MULTILINE)
    assert 0 < len(lines) <= 10
    assert {int(n) for numbers in lines for n in numbers.split(", ")} <= set(rows(TEN))
