"""The source of a notebook without the cells that only its exercises have."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tutorial_text(path):
    cells = re.split(r"^(?=# %%)", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return "".join(cell for cell in cells if "exercise" not in cell.split("\n")[0])
