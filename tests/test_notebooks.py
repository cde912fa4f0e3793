"""The saved notebooks: in step with their sources, executed, and equal to the package in their code."""

import ast
import base64
import copy
import importlib
import io
import itertools
import json
import re
import statistics
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close
from tutorial_text import tutorial_text

import build
from vit_minimal import VisionTransformer, ViTConfig
from vit_minimal.experiments import contrast
from vit_minimal.forest import in_words

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))
TUTORIALS = [path for path in SOURCES if build.has_tutorial(path)]
MODEL_MODULES = ("patches", "class_token", "attention", "vision_transformer")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@cache
def notebook(path):
    return nbformat.read(path, 4)


def code_cells(path):
    return [cell for cell in notebook(path).cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def without_docstrings(tree):
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.FunctionDef, ast.ClassDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def definitions(code):
    """Every function and class at the top of some code, by name."""
    nodes = ast.parse(code).body
    return {n.name: n for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}


def package_definitions(module):
    path = Path(importlib.import_module(module).__file__)
    return definitions(path.read_text(encoding="utf-8"))


def test_every_source_has_its_notebook():
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in TUTORIALS]
    assert [path.stem for path in EXERCISES] == [path.stem for path in SOURCES]
    assert len(SOURCES) - len(TUTORIALS) == 1  # the capstone


def run(*words):
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_notebooks_and_readmes_are_in_step_with_their_sources():
    done = run("notebooks/build.py", "--check")
    assert done.returncode == 0, done.stderr


def test_a_notebook_that_is_not_there_is_named_with_those_that_are(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["build.py", "01", "99"])
    with pytest.raises(SystemExit) as error:
        build.main()
    said = capsys.readouterr().err
    assert error.value.code != 0 and "'99'" in said
    assert all(path.stem in said for path in SOURCES)


@every_notebook
def test_cells_were_executed_once_in_order(path):
    # nbval never compares a cell that was not executed, so a stripped notebook would pass it
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@every_notebook
def test_outputs_show_no_error_no_warning_and_no_local_path(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error", output.get("evalue")
            assert output.get("name") != "stderr", output.text
            text = json.dumps({k: v for k, v in output.get("data", {}).items() if "image" not in k})
            text += output.get("text", "")
            assert not re.search(r"(?<![\w.])/(tmp|home|root|Users|work)/\w", text), text
            assert "Warning" not in text


@every_notebook
def test_a_notebook_loads_quickly(path):
    assert path.stat().st_size < 1_200_000  # so that GitHub shows it


@every_notebook
def test_code_that_names_a_module_equals_the_package(path):
    for cell in code_cells(path):
        named = [tag.removeprefix("same-as:") for tag in tags(cell) if tag.startswith("same-as:")]
        says_so = re.search(r"^# (vit_minimal/[\w/]+)\.py$", cell.source, re.MULTILINE)
        assert bool(named) == bool(says_so), "the tag is for this test, the comment for the reader"
        for qualified in named:
            module, name = qualified.rsplit(".", 1)
            assert module == says_so[1].replace("/", ".")
            ours, theirs = definitions(cell.source)[name], package_definitions(module)[name]
            assert without_docstrings(ours) == without_docstrings(theirs), f"{qualified} differs"


def test_notebooks_show_every_definition_of_the_model():
    shown = {tag for path in NOTEBOOKS for cell in code_cells(path) for tag in tags(cell)}
    for module in MODEL_MODULES:
        for name in package_definitions(f"vit_minimal.{module}"):
            if name != "ViTConfig":  # a list of options: notebook 04 prints it
                assert f"same-as:vit_minimal.{module}.{name}" in shown


@every_notebook
def test_some_outputs_are_compared(path):
    # notebook 00 reports on the machine it runs on
    compared = [cell for cell in code_cells(path) if "nbval-check-output" in tags(cell)]
    assert compared or path.stem == "00_start_here"


@every_notebook
def test_links_between_notebooks_lead_somewhere(path):
    for cell in notebook(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", cell.source):
                assert (path.parent / target).exists(), target


@every_notebook
def test_headings_nest(path):
    level = 0
    for cell in notebook(path).cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^(#+) ", cell.source, re.MULTILINE):
                assert len(heading) <= level + 1, cell.source[:80]
                level = len(heading)


def test_lint_and_format():
    for command in (["check"], ["format", "--check"]):
        done = run("-m", "ruff", *command, ".")
        assert done.returncode == 0, done.stdout + done.stderr


def test_prose_is_copied_beside_unchanged_code_only(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path)
    source = tmp_path / "09_try.py"
    source.write_text("# %% [markdown]\n# Old words\n\n# %%\nprint(1)\n", encoding="utf-8")
    saved = build.convert(source)
    saved.cells[1].source = "set up otherwise"
    saved.cells[2].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    nbformat.write(saved, tmp_path / "09_try.ipynb")
    source.write_text("# %% [markdown]\n# New words\n\n# %%\nprint(1)\n", encoding="utf-8")
    build.copy_prose(source)
    words, set_up, code = nbformat.read(tmp_path / "09_try.ipynb", 4).cells
    assert words.source.startswith("New words") and code.outputs[0].text == "1\n"
    assert set_up.source == build.set_up()
    source.write_text("# %% [markdown]\n# Newer words\n\n# %%\nprint(2)\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="code cells have changed"):
        build.copy_prose(source)
    assert nbformat.read(tmp_path / "09_try.ipynb", 4).cells[0].source.startswith("New words")


def test_the_map_of_notebook_00_leads_to_every_notebook():
    text = "\n".join(cell.source for cell in notebook(NOTEBOOKS[0]).cells)
    linked = re.findall(r"^\| \[\d\d .+?\]\((\w+\.ipynb)\)", text, re.MULTILINE)
    assert linked == [path.name for path in NOTEBOOKS[1:]]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_table_ends_with_an_empty_line(path):
    """Otherwise Markdown takes what follows for a row of it."""
    for cell in notebook(path).cells:
        if cell.cell_type == "markdown":
            lines = cell.source.split("\n")
            for row, after in itertools.pairwise(lines):
                if re.match(r"\|.*\|$", row):
                    assert not after.strip() or after.startswith("|"), after


@pytest.mark.parametrize("path", NOTEBOOKS + EXERCISES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_notebook_begins_with_a_badge_and_the_same_set_up_cell(path):
    title, set_up, *rest = notebook(path).cells
    assert title.source.startswith("# ") and "[![Open in Colab](" in title.source
    assert set_up.source == build.set_up() and not set_up.get("outputs")
    assert not any("set-up" in tags(cell) for cell in rest)


def test_a_badge_leads_to_its_notebook():
    badge = build.badge("exercises/01_patches", "https://github.com/me/course", "../")
    picture, address = re.fullmatch(r"\[!\[Open in Colab\]\((.+)\)\]\((.+)\)", badge).groups()
    assert (ROOT / "notebooks" / "exercises" / picture).exists()
    colab = "https://colab.research.google.com/github/me/course/blob/main/notebooks"
    assert address == f"{colab}/exercises/01_patches.ipynb"
    placeholder = build.badge("01_patches", "https://github.com/OWNER/REPOSITORY")
    assert placeholder.endswith("(https://colab.research.google.com/)")


def test_a_set_up_cell_without_an_address_says_how_to_go_on(tmp_path):
    """Run by the Python that .venv was made from, which has no vit_minimal."""
    code = build.set_up("https://github.com/OWNER/REPOSITORY")
    python = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run(
        [python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "does not know the address" in done.stderr.splitlines()[-1]


def test_a_set_up_cell_leaves_an_installed_course_alone(tmp_path):
    code = build.set_up("https://nowhere.invalid/course")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


@every_notebook
def test_every_figure_has_words_beside_it(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                words = output.metadata.get("image/png", {}).get("alt", "")
                assert words, cell.source[-200:]


def as_png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_pictures_become_lighter_and_look_the_same():
    draws = np.random.default_rng(0)
    colours = draws.integers(0, 250, (30, 3))[draws.integers(0, 30, (200, 200))]
    soft = (colours + draws.integers(0, 5, (200, 200, 3))).astype(np.uint8)  # 30, a little blurred
    noise = draws.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for pixels, share, largest in ((soft, 0.5, 24), (noise, 1.0, 0)):
        png = build.lighter(as_png(pixels))
        assert len(png) <= share * len(as_png(pixels))
        seen = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int)
        assert np.quantile(np.abs(seen - pixels), 0.995) <= largest
    output = nbformat.v4.new_output(
        "display_data",
        {"image/png": base64.b64encode(as_png(soft)).decode(), "text/plain": "a figure"},
        metadata={"image/png": {"alt": "words"}},
    )
    cells = [nbformat.v4.new_markdown_cell("text"), nbformat.v4.new_code_cell(outputs=[output])]
    build.lighten(nbformat.v4.new_notebook(cells=cells))
    kept = base64.b64decode(output.data["image/png"])
    assert kept == build.lighter(as_png(soft))
    assert output.data["text/plain"] == "a figure" and output.metadata["image/png"].alt == "words"


@pytest.mark.parametrize("path", NOTEBOOKS + EXERCISES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_notebooks_that_train_ask_for_a_gpu(path):
    metadata = notebook(path).metadata
    trains = path.stem.startswith(build.TRAINING)
    assert (metadata.get("accelerator") == "GPU") == trains == ("kaggle" in metadata)


@pytest.mark.parametrize(
    ("rule", "theirs"),
    [
        ("sgd", lambda point: torch.optim.SGD([point], lr=0.5)),
        ("momentum", lambda point: torch.optim.SGD([point], lr=0.5, momentum=0.5)),
        ("adam", lambda point: torch.optim.Adam([point], lr=0.5, betas=(0.5, 0.9))),
    ],
)
def test_the_rules_that_notebook_05_writes_by_hand_take_torchs_steps(rule, theirs):
    text = tutorial_text("notebooks/source/05_training_on_cifar10.py")
    cells = [cell.partition("\n")[2] for cell in text.split("# %%")]
    shown = {"torch": torch}
    exec(next(cell for cell in cells if "def sgd(" in cell), shown)  # noqa: S102
    exec(next(cell for cell in cells if "def descend(" in cell).partition("paths = ")[0], shown)  # noqa: S102
    point = torch.tensor([-9.0, 1.5], requires_grad=True)
    optimizer = theirs(point)
    for _ in range(30):
        optimizer.zero_grad()
        shown["height"](*point).backward()
        optimizer.step()
    assert_close(torch.tensor(shown["descend"](shown[rule], 0.5)[-1]), point.detach())


def test_the_muon_that_notebook_05_writes_by_hand_is_momentum_with_even_singular_values():
    text = tutorial_text("notebooks/source/05_training_on_cifar10.py")
    cells = [cell.partition("\n")[2] for cell in text.split("# %%")]
    shown = {"torch": torch}
    for name in ("sgd", "muon"):
        exec(next(cell for cell in cells if f"def {name}(" in cell), shown)  # noqa: S102
    memories = {}, {}
    for gradient in torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0)):
        uneven = shown["momentum"](gradient, memories[0])
        even = shown["muon"](gradient, memories[1])
    assert_close(torch.linalg.svdvals(even), torch.full((4,), 0.2 * 6**0.5))
    along = even.mT @ uneven  # of two matrices with the same directions: symmetric, no turn in it
    assert_close(along, along.mT, atol=1e-5, rtol=0)
    assert torch.linalg.eigvalsh(along).min() > 0


@pytest.mark.parametrize("ahead", [0.0, 0.7, 2.5, 30.0, -2.5])
def test_the_rule_that_notebook_05_writes_by_hand_is_that_of_the_course(ahead):
    text = tutorial_text("notebooks/source/05_training_on_cifar10.py")
    cell = next(cell for cell in text.split("# %%") if "def compare(" in cell)
    shown = {"statistics": statistics}
    (function,) = (of for of in ast.parse(cell.partition("\n")[2]).body if hasattr(of, "args"))
    exec(ast.unparse(function), shown)  # noqa: S102
    for spread in (0.1, 0.8):
        old, new = ([start + spread * k for k in range(3)] for start in (50.0, 50.0 + ahead))
        difference, width, word = shown["compare"](new, old)
        theirs, their_width = contrast([new], [old])
        assert (difference, width) == pytest.approx((theirs, their_width), rel=0.01)
        words = in_words(theirs, their_width, counts=1)
        assert word == {"A better": "better", "B better": "worse"}.get(words, words)


def test_the_checks_of_notebook_09_find_what_is_cut_and_leave_a_model_as_it_was():
    text = tutorial_text("notebooks/source/09_pitfalls_class_token.py")
    cells = [cell.partition("\n")[2] for cell in text.split("# %%")]
    shown = {"torch": torch, "copy": copy}
    for name in (
        "tokens_read",
        "class_token_of",
        "random_copy",
        "cut_in_training",
        "cut_in_attention",
    ):
        cell = next(cell for cell in cells if f"def {name}(" in cell)
        (function,) = (of for of in ast.parse(cell).body if getattr(of, "name", "") == name)
        exec(ast.unparse(function), shown)  # noqa: S102
    model = VisionTransformer(ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3))
    before, optimizer = copy.deepcopy(model.state_dict()), torch.optim.AdamW(model.parameters())
    images = torch.randn(2, 3, 8, 8)
    for frozen in (False, True):
        model.requires_grad_(not frozen)
        assert shown["tokens_read"](model, model.norm, images) == [0]
        found = shown["cut_in_training"](model, [optimizer], images)
        assert found == (["the class token is frozen"] if frozen else [])
        assert shown["cut_in_attention"](model, images) == []
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.norm._forward_hooks
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    model.requires_grad_()
    model.cls_token.register_forward_hook(  # as if the forward pass took weight.detach()
        lambda _, inputs, tokens: torch.cat([tokens[:, :1].detach(), tokens[:, 1:]], dim=1)
    )
    found = shown["cut_in_training"](model, [optimizer], images)
    assert found == ["no gradient reaches the class token"]
    torch.nn.init.zeros_(model.head.weight)
    assert shown["tokens_read"](model, model.norm, images) == [0], "a head that starts at zero"
    model.head.register_forward_pre_hook(lambda _, inputs: (inputs[0].detach(),))
    with pytest.raises(ValueError, match="detached"):
        shown["tokens_read"](model.requires_grad_(False), model.norm, images)


def test_no_time_of_a_step_is_missing_from_the_profile_of_notebook_11():
    text = tutorial_text("notebooks/source/11_faster_and_safer_training.py")
    cells = [cell.partition("\n")[2] for cell in text.split("# %%")]
    shown = {"torch": torch, "device": torch.device("cpu")}
    for piece in ("def own_time(", "def group_of(", "def shares_of("):
        cell = next(cell for cell in cells if piece in cell)
        exec(cell.partition("\nstep = ")[0], shown)  # noqa: S102
    names = (
        "aten::_fused_adamw_",
        "Optimizer.step#AdamW.step",
        "Optimizer.zero_grad#AdamW.zero_grad",
    )
    assert {shown["group_of"](name) for name in names} == {"optimizer"}
    assert shown["group_of"]("aten::addmm") == "other matrix products"
    shares = shown["shares_of"](lambda: time.sleep(0.05), steps=3)  # Python alone
    assert shares[shown["OTHERS"]] > 99
    assert sum(shares.values()) == pytest.approx(100)
