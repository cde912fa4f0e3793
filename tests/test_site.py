"""The web site: built as start.py builds it, whole, and at home in a browser without a network."""

import base64
import functools
import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from in_browser import PALE, SETTLED

import start

COURSE = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((COURSE / "notebooks").rglob("[0-9]*.ipynb"))
PAGES = [path.relative_to(COURSE).with_suffix(".html").as_posix() for path in NOTEBOOKS]
PAGES += [
    "index.html",
    "laboratory.html",
    "data/README.html",
    "notebooks/TERMS.html",
    "notebooks/SOURCES.html",
    "notebooks/exercises/README.html",
    "search.html",
]
ONE_OF_EACH_KIND = [
    "index.html",
    "notebooks/03_attention.html",
    "notebooks/06_inside_the_class_token.html",
    "notebooks/exercises/09_pitfalls_class_token.html",
    "notebooks/exercises/README.html",
    "notebooks/TERMS.html",
    "search.html",
]


# Builds one site after the other: importing Sphinx takes longer than building the small one.
BUILD = """\
import json, os, sys
from sphinx.cmd.build import main
for course, words in json.loads(sys.argv[1]):
    os.chdir(course)
    print(main(words))
"""


class Built:
    """A site that was built: its folder, the exit code, and what was said of it."""

    def __init__(self, target, exit_code):
        self.folder, self.exit_code = target / "site", int(exit_code)
        self.said = (target / "warnings").read_text(encoding="utf-8")


def build(*sites):
    """Run the command of `start.py site` for each pair of a course and where to build its site."""
    jobs = []
    for course, target in sites:
        program, *words = start.VERBS["site"](["--quiet"])
        assert program == "sphinx"
        words = [word.replace("build/", f"{target}/") for word in words]
        target.mkdir(exist_ok=True)
        jobs.append((str(course), [*words, "--warning-file", str(target / "warnings")]))
    command = [sys.executable, "-c", BUILD, json.dumps(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    codes = done.stdout.split()
    assert len(codes) == len(sites), done.stderr
    return [Built(target, code) for (_, target), code in zip(sites, codes, strict=True)]


class Page(HTMLParser):
    """What a page points at, what of it can be pointed at, and the words of its images."""

    def __init__(self, path):
        super().__init__()
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.addresses, self.ids, self.image_words = [], set(), []
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[name] for name in ("href", "src") if attrs.get(name)]
        self.ids.add(attrs.get("id"))
        if tag == "img":
            self.image_words.append(attrs.get("alt"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The course's site, and that of a small course, built by one Python."""
    small = tmp_path_factory.mktemp("small course")
    write_small_course(small)
    whole_site, small_site = build(
        (COURSE, tmp_path_factory.mktemp("course")), (small, small / "build")
    )
    return {"whole": whole_site, "small": small_site}


@pytest.fixture(scope="module")
def site(built):
    assert built["whole"].exit_code == 0, built["whole"].said
    return built["whole"].folder


@pytest.fixture(scope="module")
def pages(site):
    return {page.path: page for page in (Page(site / name) for name in PAGES)}


def test_every_page_is_there_and_no_other(site):
    found = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert {name for name in found if not name.startswith("_static/")} == set(PAGES)


def test_links_and_images_lead_somewhere(pages):
    dead = []
    for page in pages.values():
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            path = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            anchors = pages[path].ids | {""} if path in pages else {parts.fragment}
            if not path.is_file() or unquote(parts.fragment) not in anchors:
                dead.append(f"{page.path.name}: {address}")
    assert not dead


def test_nothing_leads_to_an_address_that_is_not_there_yet(pages):
    nowhere = re.compile(r".*OWNER.*|https://colab\.research\.google\.com/")
    for page in pages.values():
        assert not list(filter(nowhere.fullmatch, page.addresses)), page.path.name


# --- a course of one notebook, whose repository has an address ------------------------------------

ADDRESS = "https://github.com/somebody/course"
COLAB = "https://colab.research.google.com/github/somebody/course/blob/main/notebooks/01_try.ipynb"
PROJECT = '[project.urls]\nRepository = "{}"\n'
TEXT = r"""
# 01 · Try

[words](../README.md#words), [guide](exercises), [file](../data/one.json), [folder](../data),
[text](../CONTRIBUTING.md)

$\mathbf{z}'_\ell = \dots$ and $\unheard$
"""


def write_small_course(folder):
    shutil.copytree(COURSE / "site", folder / "site")
    figure = nbformat.v4.new_output(
        "display_data",
        {"image/png": base64.b64encode(b"a picture").decode()},
        metadata={"image/png": {"alt": "One <dot>"}},
    )
    cells = [
        nbformat.v4.new_markdown_cell(TEXT),
        nbformat.v4.new_code_cell("set_up()", metadata={"tags": ["set-up"]}),
        nbformat.v4.new_code_cell("draw()", outputs=[figure]),
    ]
    metadata = nbformat.read(NOTEBOOKS[0], 4).metadata
    for name, text in {
        "pyproject.toml": PROJECT.format(ADDRESS),
        "README.md": "# Words\n",
        "CONTRIBUTING.md": "# No page of the site\n",
        "data/one.json": "[]",
        "notebooks/01_try.ipynb": nbformat.writes(
            nbformat.v4.new_notebook(metadata=metadata, cells=cells)
        ),
        "notebooks/exercises/README.md": "# Guide\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def small_page(built):
    return Page(built["small"].folder / "notebooks" / "01_try.html")


def test_links_to_files_and_buttons_lead_to_the_repository(small_page):
    assert {address for address in small_page.addresses if "//" in address} == {
        COLAB,
        ADDRESS,
        f"{ADDRESS}/blob/main/CONTRIBUTING.md",
        f"{ADDRESS}/blob/main/data/one.json",
        f"{ADDRESS}/tree/main/data",
    }


def test_without_an_address_there_are_no_buttons(tmp_path):
    (tmp_path / "site").mkdir()
    conf = shutil.copy(COURSE / "site" / "conf.py", tmp_path / "site")
    for address, shown in (("https://github.com/OWNER/REPOSITORY", False), (ADDRESS, True)):
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(address), encoding="utf-8")
        options = runpy.run_path(conf)["html_theme_options"]
        assert ("launch_buttons" in options, "repository_url" in options) == (shown, shown)


def test_links_to_readmes_lead_to_their_pages(small_page):
    assert {"../index.html#words", "exercises/README.html"} <= set(small_page.addresses)


def test_every_notebook_leads_to_terms_and_sources(pages, site):
    for page in pages.values():
        if page.path.name[0].isdigit():
            targets = {(page.path.parent / address).resolve() for address in page.addresses}
            assert {site / f"notebooks/{name}.html" for name in ("TERMS", "SOURCES")} <= targets


def test_every_page_leads_to_the_laboratory(pages, site):
    for page in pages.values():
        if page.path.name != "laboratory.html":
            targets = {(page.path.parent / address).resolve() for address in page.addresses}
            assert site / "laboratory.html" in targets, page.path.name


def test_figures_keep_their_words(small_page):
    assert "One <dot>" in small_page.image_words


def test_set_up_is_folded(small_page):
    before, _, after = small_page.text.partition("set_up")
    assert before.rindex("<details") > before.rindex("<h1>") and "</details>" in after


def test_formulas_are_mathml_and_those_that_cannot_be_are_named(built, small_page):
    said = built["small"].said
    assert "<mi>′</mi>" in small_page.text and "<mi>…</mi>" in small_page.text
    assert r'Unknown LaTeX command "\unheard"' in said and "01_try.ipynb" in said


# --- in a browser ---------------------------------------------------------------------------------

# Elements of the page that reach beyond its right edge and cannot be scrolled to
CUT_OFF = """() => [...document.querySelectorAll('.bd-article-container *')].filter((element) => {
    if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let box = element.parentElement; box; box = box.parentElement)
        if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return false;
    return element.checkVisibility();
}).map((element) => element.outerHTML.slice(0, 100))"""


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(Handler, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def page(browser, address):
    """A page for the site; fails if the site complained or asked for what is elsewhere."""
    page, trouble = browser.new_page(base_url=address), []
    page.on("pageerror", lambda error: trouble.append(f"{page.url}: {error}"))
    page.on("console", lambda said: trouble.append(f"{page.url}: {said.type}: {said.text}"))
    page.on("request", lambda request: trouble.append(request.url))
    yield page
    page.close()
    harmless = re.compile(
        rf"(blob:)?{re.escape(address)}\S*(: (log|debug|info): .*)?|data:.*", re.DOTALL
    )
    assert not [line for line in trouble if not harmless.fullmatch(line)]


def test_pages_are_as_wide_as_the_window(page):
    too_wide = {}
    for name in PAGES:
        page.goto(name)
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page_width = page.evaluate("document.scrollingElement.scrollWidth")
            if cut_off := page.evaluate(CUT_OFF) or page_width > width:
                too_wide[name, width] = cut_off
    assert not too_wide


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_out(page, theme):
    page.add_init_script(f"localStorage.mode = localStorage.theme = '{theme}'")
    pale = {}
    for name in ONE_OF_EACH_KIND:
        page.goto(name)
        page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
        if found := page.evaluate(PALE):
            pale[name] = found
    assert not pale


def test_search_finds_the_class_token(page):
    page.goto("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("class token")
    page.keyboard.press("Enter")
    page.locator("#search-results li a", has_text="02 · The class token").first.click()
    assert page.locator("h1").first.inner_text().startswith("02 · The class token")


def test_the_explorer_answers(page):
    page.goto("notebooks/06_inside_the_class_token.html")
    explorer = page.locator(".vit-explorer").first
    said = explorer.locator(".said")
    before = said.inner_text()
    explorer.locator("button").nth(5).hover()
    assert said.inner_text() != before and "row 1, column 5" in said.inner_text()


def test_the_laboratory_computes(page):
    page.goto("laboratory.html")
    verdict = page.locator("#verdict")
    page.wait_for_function(SETTLED, timeout=60_000)
    assert verdict.inner_text().startswith("cat ")
    page.get_by_role("button", name="horse").click()
    page.wait_for_function(SETTLED, timeout=60_000)
    assert verdict.inner_text().startswith("horse ")
    page.get_by_role("link", name="notebook 06", exact=False).first.click()
    page.wait_for_url("**/06_inside_the_class_token.html#*")
    page.locator(f"[id='{urlsplit(page.url).fragment}']").wait_for(state="attached")


def test_dark_mode_can_be_chosen_and_is_remembered(page):
    page.emulate_media(color_scheme="light")
    page.goto("index.html")
    theme = page.locator("html")
    assert theme.get_attribute("data-theme") == "light"
    page.locator(".theme-switch-button:visible").click()
    page.locator(".dropdown-menu.show [data-mode=dark]").click()
    page.goto(PAGES[0])
    assert theme.get_attribute("data-theme") == "dark"
