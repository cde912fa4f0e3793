"""A number in prose comes from a record, or stands in a list of those that do not, with the reason.

The lists are tests/unrecorded/NAME.txt, one for each source: a number, as the text has it, and why it
is in no record. Looked at are numbers that could have been measured: those with a decimal point, and
those before a unit, which may stand behind another number ("84 against 62 %", "3, 4 and 5 points").
"""

import json
import math
import re
from pathlib import Path

import pytest

import figures

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.*"))
LISTS = Path(__file__).parent / "unrecorded"
FILLED = "…"  # stands for a placeholder
NOT_PROSE = re.compile(
    r"""
    ^```.+?^```             # code
    | `[^`\n]+`
    | \$\$?[^$]+\$\$?       # a formula
    | \]\([^)]*\)           # where a link leads
    | <https?://[^>]*> | https?://\S+
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
UNITS = (
    "%|points?|times|s|ms|seconds?|min|minutes?|h|hours?|images/s|images per second|[kMG]B|FLOPs"
    "|million|parameters"
)
WHOLE = r"\d+(?:,\d{3})*"
ONE = rf"(?:{WHOLE}(?:\.\d+)?|{FILLED})"
OTHERS = rf"(?:(?:, {ONE})* (?:±|to|and|or|against|of (?:its|the|their)) {ONE})?"
MEASURED = re.compile(rf"(?<![\w.])(?:{WHOLE}\.\d+|{WHOLE}(?={OTHERS} ?(?:{UNITS})(?![\w/])))")


def prose(path):
    """The text cells of a notebook's source, or all of a document, in one line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        cells = re.split(r"^(?=# %%)", text, flags=re.MULTILINE)
        text = "".join(cell for cell in cells if cell.startswith("# %% [markdown]"))
        text = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
    text = figures.PLACEHOLDER.sub(FILLED, text)
    return re.sub(r"\s+", " ", NOT_PROSE.sub(" ", text))


def unrecorded(path):
    """{number: why it is in no record} of a source."""
    file = LISTS / f"{path.stem}.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_numbers_come_from_records_or_are_listed_with_a_reason(path):
    found, listed = set(MEASURED.findall(prose(path))), unrecorded(path)
    assert found - listed.keys() == set(), "write {{…}}, or list them with the reason"
    assert listed.keys() - found == set(), "no longer in the text"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_placeholders_can_be_filled_and_what_is_asserted_is_true(path):
    assert "{{" not in figures.fill(path.read_text(encoding="utf-8"))


def test_the_scanner_finds_numbers_before_a_unit_and_those_listed_with_them():
    text = "84 against 62 % in 7 runs; 3, 4 and 5 points; 1,000 images, 1,806,538 parameters; 0.5"
    assert MEASURED.findall(text) == ["84", "62", "3", "4", "5", "1,806,538", "0.5"]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.6134, ".1%", "61.3 %"),
        (0.6134, ".0p", "61"),
        ([0.5, 0.6, 0.7], "±.1%", "60.0 ± 24.8 %"),
        (figures.Record(mean=0.0081, width=0.0098), "±.1p", "0.8 ± 1.0"),
        (figures.Record(mean=0.0081, width=0.0098), "+±.1p", "+0.8 ± 1.0"),
        (figures.Record(mean=-0.0004, width=0.0073), "+±.1p", "0.0 ± 0.7"),
        (45.2, "time", "45 s"),
        (96, "time", "1.5 min"),
        (6807.8, "time", "1 h 53 min"),
        (8, "about", "10 s"),
        (55, "about", "a minute"),
        (269, "about", "4 min"),
        (1806538, ",", "1,806,538"),
    ],
)
def test_a_value_is_written_as_its_format_says(value, form, text):
    assert figures.formatted(value, form).replace("\N{NO-BREAK SPACE}", " ") == text


def test_negative_numbers_have_a_minus_sign():
    assert figures.formatted(-0.0181, ".1p") == "−1.8"
    assert figures.formatted(figures.Record(mean=-0.0181, width=0.009), "±.1p") == "−1.8 ± 0.9"


def test_a_distance_has_the_interval_of_a_difference():
    one, other = figures.Record(mean=0.70, width=0.03), figures.Record(mean=0.64, width=0.04)
    apart = figures.distance(one, other)
    assert (apart.mean, apart.width) == pytest.approx((0.06, 0.05))
    assert figures.differs(apart) and figures.overlap(one, other), "overlap is no proof"
    assert figures.largest(figures.Record(mean=-0.01, width=0.02)) == pytest.approx(0.03)
    lists = figures.distance([0.5, 0.6, 0.7], [0.3, 0.3, 0.3])
    assert lists.mean == pytest.approx(0.3) and lists.width == pytest.approx(0.1605, abs=1e-4)


def test_the_ends_of_an_interval_are_what_its_printed_digits_add_up_to():
    of = figures.Record(mean=0.00744, width=0.00744)  # printed 0.7 ± 0.7
    assert figures.reach(of, 1) == pytest.approx(0.014) and figures.reach(of, -1) == 0


def test_bartletts_test_tells_groups_that_vary_alike_from_others():
    alike = [[0, 1, 2], [5, 6, 7], [3, 4, 5]]
    assert figures.bartlett(alike) == pytest.approx(1)
    # two groups with variances 1 and 100: T = 4·ln 50.5 − 2·ln 100, less the correction of 1 + 1/4
    expected = math.erfc(math.sqrt((4 * math.log(50.5) - 2 * math.log(100)) / 1.25 / 2))
    assert figures.bartlett([[0, 1, 2], [0, 10, 20]]) == pytest.approx(expected)


def test_the_pooled_spread_of_the_record_is_what_it_is_taken_for():
    assert figures.equal_variances() > 0.05
    assert figures.spread().degrees >= 90
    assert figures.shared_by_seeds() < figures.spread().deviation
    assert figures.corrected() > figures.runs("pooling", "mean of patches").difference_width


def test_the_forest_plots_of_notebook_09_were_drawn_from_the_records_that_its_text_quotes():
    notebook = json.loads((ROOT / "notebooks/09_pitfalls_class_token.ipynb").read_text("utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    words = [output.get("metadata", {}).get("image/png", {}).get("alt", "") for output in outputs]
    rows = re.compile(r"(?:: |; )([^:;]+) \([a-z ]+\): (.+?)(?=;|$)")
    drawn = {row for alt in words for row in rows.findall(alt)}
    found = figures.experiment("class_token_place") | figures.experiment("pooling")
    for name in (
        *("reads the first patch", "averages all tokens", "mean of patches", "attention pooling"),
        *("class token last", "last, but reads token 0", "no position of its own"),
    ):
        row = name, figures.formatted(figures.gain(found[name]), "+±.1p")
        assert row in drawn, f"build notebook 09 again: {name} has new runs"


INTERVALS = re.compile(r'summarize\("\w+", "full", cifar10(.*?)\)')


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix == ".py"], ids=lambda p: p.stem)
def test_intervals_on_cifar10_come_from_the_pooled_spread(path):
    assert set(INTERVALS.findall(path.read_text(encoding="utf-8"))) <= {", spread"}


def test_an_assertion_that_holds_leaves_nothing_behind():
    text = (
        "One in {{1 / 0.25:.0f}}.\n{{assert below([0.1, 0.1],\n[0.2, 0.2])}}\nTwo{{assert True}}.\n"
    )
    assert figures.fill(text) == "One in 4.\nTwo.\n"


@pytest.mark.parametrize(
    "placeholder",
    [
        "{{nobody:.1%}}",
        '{{record("nothing").accuracy:.1%}}',
        '{{record("throughput").nothing:.1%}}',
        "{{1 +:d}}",
        "{{0.5:five}}",
        "{{0.5}}",
        "{{assert below([0.2, 0.2], [0.1, 0.1])}}",
    ],
)
def test_what_cannot_be_filled_or_is_false_is_named(placeholder):
    with pytest.raises(ValueError, match=re.escape(placeholder)):
        figures.fill(f"Words, then {placeholder}.")
