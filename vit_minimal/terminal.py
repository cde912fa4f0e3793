"""Printing that any terminal can show, also one without ✓ and ±."""

import codecs
import sys

PLAIN = {  # what stands for a character that a terminal cannot show, else "?"
    "✓": "ok", "✗": "x", "·": "-", "★": "*", "☆": ".",
    "…": "...", "–": "-", "−": "-", "×": "x", "±": "+-", "→": "->", "²": "^2", "√": "sqrt ",
}  # fmt: skip
PLAINLY = "vit_minimal.plainly"  # the name of `_plainly` among the ways to treat such characters


def say(text):
    """Print a line, whatever the terminal can show: PLAIN has the words for what it cannot."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # some hosts' stdout has none
    print(text.encode(encoding, PLAINLY).decode(encoding), flush=True)


def print_plainly():
    """From here on everything that this process prints is treated as `say` does: for programs."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's streams lack it, and show everything
            stream.reconfigure(errors=PLAINLY)


def _plainly(error):
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in lost), error.end


codecs.register_error(PLAINLY, _plainly)
