"""The checks bear answers that were written to fool them, and tell beginners what is wrong.

The answers were written before the checks were changed for them. They lie in tests/attacks, and
`python tests/attack_report.py` prints what becomes of each kind.
"""

import re
from functools import cache

import pytest
from attack_report import attacks

from checks import EXERCISES

# Really wrong, and accepted all the same: the name, what the answer does, and why it is let through.
ACCEPTED = {
    (
        "without_looking",
        "a hundred is taken away, which large scores survive",
    ): "it fails only where the hidden score is larger by 90, and there another answer fails too that "
    "the exercise itself calls right: to set shares to zero and to divide by what is left",
}


@cache
def verdicts(kind, notebook):
    """(answer, state, kind of message, words) of all answers of a kind to one notebook's exercises."""
    of = [a for a in attacks(kind) if EXERCISES[a.name].number.split(".")[0] == notebook]
    return [(attack, *attack.verdict()) for attack in of]


def contradictions(found):
    """Messages that contradict themselves, or tell of the check where the answer was meant."""
    said = [words for _, _, _, words in found]
    shapes = r"the shape is (\([\d, ]*\)), expected \1"
    return [
        words
        for words in said
        if re.search(shapes, words)
        or any(float(number) == 1 for number in re.findall(r"sum to (\S+), not to 1", words))
        or re.search(r"at index \d+ of what it gives: at index", words)
        or "cannot make sense" in words
    ]


NOTEBOOKS = list(dict.fromkeys(e.number.split(".")[0] for e in EXERCISES.values()))
each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS)


@each_notebook
def test_really_wrong_answers_are_refused(notebook):
    found = verdicts("wrong", notebook)
    assert not contradictions(found)
    accepted = {(a.name, a.why): said for a, state, _, said in found if state == "solved"}
    known = {w for w in ACCEPTED if EXERCISES[w[0]].number.split(".")[0] == notebook}
    assert set(accepted) == known, accepted


@each_notebook
def test_right_answers_that_are_written_otherwise_pass(notebook):
    found = verdicts("right", notebook)
    assert not [said for _, state, _, said in found if state != "solved"]


@each_notebook
def test_no_beginners_mistake_passes(notebook):
    found = verdicts("beginners", notebook)
    assert not contradictions(found)
    assert not [said for _, state, _, said in found if state == "solved"]


def test_few_beginners_are_told_only_that_numbers_differ():
    found = [v for notebook in NOTEBOOKS for v in verdicts("beginners", notebook)]
    only_numbers = [said for _, _, kind, said in found if kind == "numbers"]
    assert len(only_numbers) <= 0.15 * len(found), only_numbers
    assert all(kind for _, _, kind, _ in found)


def test_there_are_enough_of_each_kind_and_in_all_notebooks():
    for kind, least in (("wrong", 120), ("right", 120), ("beginners", 80)):
        of = attacks(kind)
        assert len({(a.name, a.why) for a in of}) == len(of) >= least
        assert {EXERCISES[a.name].number.split(".")[0] for a in of} == set(NOTEBOOKS)
