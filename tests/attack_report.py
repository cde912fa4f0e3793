"""How the exercises' checks bear answers that were written to fool them, or to be told what is wrong.

    python tests/attack_report.py

prints a line for each answer of tests/attacks that is taken for what it is not, or that is told no
more than that numbers differ, and then how many there are.
"""

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    notebooks = Path(__file__).resolve().parents[1] / "notebooks"
    sys.path[:0] = [str(notebooks), str(notebooks / "exercises")]

from answers import run, verdict, with_methods

from checks import EXERCISES

ATTACKS = Path(__file__).resolve().parent / "attacks"
KINDS = ("cause", "invariant", "shape", "exception", "numbers")


@dataclass(frozen=True)
class Attack:
    """An answer of a file: to which exercise, why it is what the file says, and its code."""

    name: str
    why: str
    code: str

    def __str__(self):
        return f"{EXERCISES[self.name].number} {self.name}: {self.why}"

    def verdict(self):
        """("solved", "wrong" or "open"), the kind of what is said, and the words."""
        said, _ = verdict(self.name, run(self.name, with_methods(self.name, self.code)))
        exercise = EXERCISES[self.name]
        return exercise.state, exercise.kind, said.strip()


def attacks(kind):
    """Those of a file, "wrong", "right" or "beginners": its cells, each headed `# %% NAME: WHY`."""
    text = (ATTACKS / f"{kind}.py").read_text(encoding="utf-8")
    cells = re.split(r"^# %% ", text, flags=re.MULTILINE)[1:]
    found = []
    for cell in cells:
        heading, code = cell.split("\n", 1)
        name, why = heading.split(": ", 1)
        found.append(Attack(name, why, code.strip("\n") + "\n"))
    return found


def main():
    wrong, right, beginners = (
        [(attack, *attack.verdict()) for attack in attacks(kind)]
        for kind in ("wrong", "right", "beginners")
    )
    accepted = [v for v in wrong if v[1] == "solved"]
    rejected = [v for v in right if v[1] != "solved"]
    taken_for_right = [v for v in beginners if v[1] == "solved"]
    numbers_only = [v for v in beginners if v[2] == "numbers"]
    for heading, found in (
        ("ACCEPTED", accepted + taken_for_right),
        ("REJECTED", rejected),
        ("NUMBERS ONLY", numbers_only),
    ):
        for attack, _, _, said in found:
            print(f"{heading}: {attack}\n  {said}")
    kinds = Counter(kind for _, _, kind, _ in beginners)
    told = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS)
    print(f"\nreally wrong answers accepted: {len(accepted)} of {len(wrong)}")
    print(f"right answers rejected: {len(rejected)} of {len(right)}")
    print(f"beginners' mistakes accepted: {len(taken_for_right)} of {len(beginners)}; told: {told}")


if __name__ == "__main__":
    main()
