"""Each claim of notebook 10 has its row in the table and its section, with a verdict and limits.

The figures and what is said of their order are placeholders in the source: test_figures.py tries
those.
"""

import re

import pytest
from tutorial_text import ROOT, tutorial_text

SOURCE = tutorial_text("notebooks/source/10_claims_put_to_the_test.py")
VERDICTS = "holds", "holds in part", "does not hold"
LINK = re.compile(r"\]\(\.\./(data/results/\w+\.json)\)")


def table():
    """{number: [claim, what was measured, verdict, links to records]}"""
    rows = re.findall(r"^# \| (\d+) \| (.+) \|$", SOURCE, re.MULTILINE)
    return {int(number): row.split(" | ") for number, row in rows}


def sections():
    """{number: (claim, text)}"""
    heading = re.compile(r'^# ### (\d+)\. "(.+?)"\n(.*?)(?=^# ##|\Z)', re.MULTILINE | re.DOTALL)
    return {int(number): (claim, text) for number, claim, text in heading.findall(SOURCE)}


def test_table_and_sections_make_the_same_claims():
    in_table = {number: claim for number, (claim, *_) in table().items()}
    in_sections = {number: claim for number, (claim, _) in sections().items()}
    assert in_table == in_sections
    assert list(in_table) == list(range(1, len(in_table) + 1))


@pytest.mark.parametrize("number", table())
def test_a_claim_has_the_same_verdict_in_the_table_and_in_its_section_and_limits(number):
    _, _, verdict, _ = table()[number]
    _, section = sections()[number]
    assert verdict in VERDICTS
    assert re.findall(r"\*\*((?:Holds|Does not hold)(?: in part)?)", section) == [
        verdict.capitalize()
    ]
    assert "*Limits:*" in section


@pytest.mark.parametrize("number", table())
def test_a_claim_links_to_records_that_exist(number):
    _, _, _, links = table()[number]
    paths = LINK.findall(links)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
