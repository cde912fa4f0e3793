"""Every exhibit of notebook 09's museum: its check passes the right piece and fails the wrong one."""

import ast
from pathlib import Path

import jupytext
import pytest
import torch

SOURCE = Path(__file__).resolve().parents[1] / "notebooks/source/09_pitfalls_class_token.py"
CELLS = [cell for cell in jupytext.read(SOURCE).cells if cell.cell_type == "code"]
EXHIBITS = [cell.source for cell in CELLS if "bug" in cell.metadata.get("tags", [])]


@pytest.fixture
def museum():
    """What an exhibit finds when its turn comes: the imports of the notebook and the tools."""
    (tools,) = (cell for cell in CELLS if "bug-tools" in cell.metadata.get("tags", []))
    nodes = ast.parse(CELLS[0].source).body
    imports = [ast.unparse(n) for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
    names = {}
    exec("\n".join([*imports, tools.source]), names)  # noqa: S102
    return names


def test_the_museum_has_at_least_twelve_exhibits():
    assert len(EXHIBITS) >= 12


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda source: source.split("(")[0].split()[-1])
def test_the_check_passes_the_right_piece_and_fails_the_wrong_one(exhibit, museum):
    shown = []

    def catch(check, right, wrong):
        shown.append(check)
        for seed in range(5):  # a check must not depend on luck
            torch.manual_seed(seed)
            with torch.no_grad():
                check(right)
                with pytest.raises(AssertionError):
                    check(wrong)

    museum["catch"] = catch
    exec(exhibit, museum)  # noqa: S102
    assert len(shown) == 1


def test_a_check_that_notices_nothing_is_itself_caught(museum):
    with pytest.raises(RuntimeError, match="did not notice"):
        museum["catch"](lambda piece: None, right=1, wrong=2)


def test_a_right_piece_that_fails_is_not_passed_over(museum):
    def check(piece):
        assert piece == "wrong"

    with pytest.raises(AssertionError):
        museum["catch"](check, right="right", wrong="wrong")


def test_a_check_is_timed_and_gets_the_same_random_numbers_for_both_pieces(museum):
    drawn = {}

    def check(piece):
        drawn.setdefault(piece, torch.rand(1).item())
        assert piece == "right"

    museum["catch"](check, right="right", wrong="wrong")
    assert museum["seconds"].keys() == {"check"} and museum["seconds"]["check"] > 0
    assert drawn["right"] == drawn["wrong"]
