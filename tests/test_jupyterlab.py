"""The course in the real JupyterLab: opened by start.py, run through its menus, looked at.

Only with `python3 start.py test --browser`. Screenshots of each notebook that was run, from top to
bottom, lie in pytest's folder of the test, or in the one that VIT_MINIMAL_SCREENSHOTS names.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from in_browser import SETTLED

pytestmark = pytest.mark.browser

COURSE = Path(__file__).resolve().parents[1]
NO_PART_OF_IT = (".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "cifar-10-batches-py")
NO_PART_OF_IT += ("*.npz", "*.tar.gz", "*.part", "*.wrong", "*.lock")
# start.py as it is, except that it takes the environment of these tests for the one it makes
START = """\
import pathlib, start, sys
start.VENV, start.is_installed = pathlib.Path(sys.prefix), lambda: True
sys.exit(start.main(sys.argv[1:]))
"""
# Variables that would bring in the settings of whoever runs this
SETTINGS = ("IPYTHON", "JUPYTER", "MPL", "PYTHON", "VIT_MINIMAL_", "XDG_")
SECONDS_TO_APPEAR, SECONDS_TO_RUN = 90, 900


class Lab:
    """A page of a JupyterLab that serves a copy of the course; `trouble` is what went wrong."""

    def __init__(self, page, url, token, course):
        self.page, self.url, self.token, self.course = page, url, token, course
        self.notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.trouble = []
        page.set_default_timeout(1000 * SECONDS_TO_APPEAR)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("console", self.on_console)
        page.on("request", self.on_request)

    def on_console(self, message):
        if message.type == "error":
            self.trouble.append(f"{message.text} ({message.location['url']})")

    def on_request(self, request):
        if not request.url.startswith((self.url, f"blob:{self.url}", "data:")):
            self.trouble.append(f"asks another machine: {request.url}")

    def open(self, path):
        self.page.goto(f"{self.url}lab/tree/{path}?token={self.token}")
        self.wait_for(path)

    def wait_for(self, path):
        """Waits until the notebook and all of its cells are on the page.

        Those out of sight are too: by default JupyterLab 4.6 does not draw them, but keeps them.
        """
        self.page.wait_for_url(f"{self.url}lab/tree/{path}")
        last = len(nbformat.read(self.course / path, 4).cells) - 1
        self.notebook.locator(".jp-Cell").nth(last).wait_for(state="attached")

    def choose(self, menu, item):
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu").get_by_text(item, exact=True).click()

    def run_all(self, path):
        """Opens a notebook, runs all cells and saves: what is then on the disk."""
        self.open(path)
        self.choose("Edit", "Clear Outputs of All Cells")  # what is there later is of this run
        self.choose("Run", "Run All Cells")
        prompts = self.notebook.locator(".jp-CodeCell .jp-InputPrompt")
        deadline = time.monotonic() + SECONDS_TO_RUN
        shown = ""
        # A cell that waits, or runs, shows [*]; a folded one, as the set-up cell is, shows nothing
        while not re.search(r"\d", shown) or "*" in shown:
            assert time.monotonic() < deadline, f"after {SECONDS_TO_RUN} s the cells show {shown}"
            self.page.wait_for_timeout(500)
            shown = " ".join(prompts.all_text_contents())
        self.choose("File", "Save Notebook")
        self.page.locator(".jp-mod-current.jp-mod-dirty").wait_for(state="detached")
        return nbformat.read(self.course / path, 4)

    def photograph(self, folder, name):
        """Screenshots of the notebook that is open, from top to bottom."""
        view = self.notebook.locator(".jp-WindowedPanel-outer")
        view.evaluate("(view) => view.scrollTo(0, 0)")
        for number in itertools.count(1):
            self.page.wait_for_timeout(300)  # until what has come into view is drawn
            self.page.screenshot(path=folder / f"{name}_{number:02}.png")
            to_come = view.evaluate(
                """(view) => {
                    const last = [...view.querySelectorAll('.jp-Cell')].at(-1);
                    const bottoms = [last, view].map((box) => box.getBoundingClientRect().bottom);
                    view.scrollBy(0, view.clientHeight - 50);
                    return bottoms[0] - bottoms[1]; }"""
            )
            if to_come <= 0:
                return


@pytest.fixture
def lab(browser, tmp_path):
    """A Lab whose server start.py has started. Fails if anything on the page went wrong."""
    course, home, runtime = (tmp_path / name for name in ("course", "home", "runtime"))
    shutil.copytree(COURSE, course, ignore=shutil.ignore_patterns(*NO_PART_OF_IT))
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    env |= {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(runtime)}
    env |= {"VIT_MINIMAL_BUDGET": "quick", "VIT_MINIMAL_DATASET": "shapes10"}
    env |= {"VIT_MINIMAL_DATA": str(course / "data")}
    command = [sys.executable, "-c", START, "--no-browser"]
    with (tmp_path / "server.log").open("w") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        server = subprocess.Popen(command, cwd=course, env=env, **streams)
    try:
        url, token = address_of(server, runtime)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        lab = Lab(page, url, token, course)
        yield lab
        page.close()
    finally:
        server.terminate()  # it ends its kernels first
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()  # its kernels end when they find it gone
    assert lab.trouble == []


def address_of(server, runtime):
    """Waits until the server listens: its address, on a port that was free, and its token."""
    deadline = time.monotonic() + SECONDS_TO_APPEAR
    while not list(runtime.glob("jpserver-*-open.html")):  # the last that it writes
        assert server.poll() is None, "the server has ended, see server.log"
        assert time.monotonic() < deadline, "the server does not listen, see server.log"
        time.sleep(0.1)
    (file,) = runtime.glob("jpserver-*.json")
    info = json.loads(file.read_text(encoding="utf-8"))
    return info["url"], info["token"]


@pytest.fixture
def screenshots(tmp_path):
    folder = Path(os.environ.get("VIT_MINIMAL_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def expect_it_ran(notebook):
    """Every code cell was run, in order, and none of them failed or warned."""
    cells = code_cells(notebook)
    outputs = [output for cell in cells for output in cell.outputs]
    failed = [f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error"]
    warned = [o.text for o in outputs if o.get("name") == "stderr"]
    assert (failed, warned) == ([], [])
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def expect_it_is_drawn(lab, notebook):
    """All pictures of the outputs and all formulas of the text are on the page."""
    outputs = [output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs]
    pictures = sum("image/png" in data or "<img" in data.get("text/html", "") for data in outputs)
    images = lab.notebook.locator(".jp-OutputArea-output img")
    widths = images.evaluate_all("(images) => images.map((image) => image.naturalWidth)")
    assert len(widths) == pictures and all(widths)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert lab.notebook.locator("mjx-container").count() == len(re.findall(r"\$+[^$]+\$+", text))
    assert lab.notebook.locator("mjx-merror").count() == 0


def expect_it_answers(explorer):
    """What an explorer says, and its numbers, are those of the token under the mouse."""
    buttons, cells, said = (explorer.locator(name) for name in ("button", ".cell", ".said"))
    explorer.locator(".numbers").check()
    answers = set()
    for token in (0, 10, 53):
        buttons.nth(token).hover()
        assert f": {buttons.nth(token).get_attribute('aria-label')} gives most" in said.inner_text()
        answers.add(tuple(map(float, cells.all_inner_texts())))
    assert len(answers) == 3
    for shares in answers:
        assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares))


def expect_the_laboratory_computes(lab, screenshots):
    """The page that notebook 06 writes, in a tab of its own and in a new cell."""
    tab = lab.page.context.browser.new_page()
    tab.goto(f"{lab.url}files/notebooks/laboratory.html?token={lab.token}")
    tab.wait_for_function(SETTLED, timeout=1000 * SECONDS_TO_APPEAR)
    assert tab.locator("#verdict").inner_text().startswith("cat ")
    tab.close()
    lab.notebook.locator(".jp-Cell").last.click()
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("b")  # a new cell below
    lab.page.keyboard.press("Enter")
    lab.page.keyboard.type("page")
    lab.page.keyboard.press("Shift+Enter")
    frame = lab.notebook.frame_locator("iframe[title='The laboratory']")
    frame.get_by_role("button", name="horse").click()
    frame.locator("#verdict", has_text="horse ").wait_for()
    lab.page.screenshot(path=screenshots / "laboratory.png")


def test_the_first_page_is_notebook_00_and_leads_on(lab):
    first = "notebooks/00_start_here.ipynb"
    lab.page.goto(f"{lab.url}?token={lab.token}")
    lab.wait_for(first)
    assert lab.page.get_by_text("official Jupyter news").count() == 0  # start.py has said no
    expect_it_is_drawn(lab, nbformat.read(lab.course / first, 4))
    lab.notebook.get_by_role("link", name="03 Attention").click()
    lab.wait_for("notebooks/03_attention.ipynb")


@pytest.mark.parametrize("name", ["00_start_here", "03_attention", "06_inside_the_class_token"])
def test_run_all_cells(name, lab, screenshots):
    notebook = lab.run_all(f"notebooks/{name}.ipynb")
    lab.photograph(screenshots, name)
    expect_it_ran(notebook)
    expect_it_is_drawn(lab, notebook)
    explorers = lab.notebook.locator(".vit-explorer").all()
    calls = [cell for cell in code_cells(notebook) if "explore_attention(" in cell.source]
    assert len(explorers) == len(calls)
    for number, explorer in enumerate(explorers, start=1):
        expect_it_answers(explorer)
        lab.page.screenshot(path=screenshots / f"{name}_explorer_{number}.png")
    if name == "06_inside_the_class_token":
        expect_the_laboratory_computes(lab, screenshots)


def test_unsolved_exercises_run_to_the_end(lab, screenshots):
    notebook = lab.run_all("notebooks/exercises/01_patches.ipynb")
    lab.photograph(screenshots, "exercises_01_patches")
    expect_it_ran(notebook)
    shown = lab.notebook.locator(".jp-OutputArea-output").all_text_contents()
    assert sum("not solved yet" in text for text in shown) == 5
    assert "0 of 5 solved" in shown[-1]
