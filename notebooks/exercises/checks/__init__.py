"""Checks for the exercises of the course: `check.patchify(your_function)`, `check.board("01")`.

A check runs an answer on odd shapes, compares it with the course's own, and says what is wrong.
"""

from vit_minimal.terminal import say

from . import (
    attention,
    beyond,
    capstone,
    claims,
    class_token,
    detail,
    faster,
    fine_tuning,
    initialization,
    inside,
    mishandled,
    more_claims,
    more_training,
    patch_size,
    patches,
    silent_bugs,
    start_here,
    training,
    vision_transformer,
    words,
)
from .engine import Exercise

_MODULES = (
    start_here,
    patches,
    class_token,
    attention,
    vision_transformer,
    training,
    inside,
    initialization,
    patch_size,
    mishandled,
    claims,
    faster,
    fine_tuning,
    silent_bugs,
    more_claims,
    more_training,
    detail,
    beyond,
    capstone,
)
EXERCISES = {exercise.name: exercise for module in _MODULES for exercise in module.EXERCISES}
words.NUMBER_OF.update({name: exercise.number for name, exercise in EXERCISES.items()})


class _Check:
    """One attribute for each exercise, and the board."""

    def __getattr__(self, name) -> Exercise:
        if name in EXERCISES:
            return EXERCISES[name]
        raise AttributeError(f"there is no exercise {name!r}; there are: {', '.join(EXERCISES)}")

    def __dir__(self):
        return [*EXERCISES, "board"]

    def board(self, notebook):
        """Print what is solved and what is open of a notebook ("01"), and the minutes left."""
        exercises = [e for e in EXERCISES.values() if e.number.startswith(f"{int(notebook)}.")]
        marks = {"solved": "✓", "wrong": "✗", "open": "·"}
        for e in exercises:
            stars = "★" * e.level + "☆" * (3 - e.level)
            say(f"{marks[e.state]} {e.number:5}{e.title:50}{stars}  {e.minutes:3} min  {e.state}")
        open_ones = [e for e in exercises if e.state != "solved"]
        num_solved = len(exercises) - len(open_ones)
        minutes = sum(e.minutes for e in open_ones)
        say(f"\n{num_solved} of {len(exercises)} solved, about {minutes} minutes left")


check = _Check()
