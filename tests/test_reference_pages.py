"""The pages to look things up: TERMS.md leads to headings that are there, SOURCES.md has every paper."""

import re
from functools import cache
from pathlib import Path

import jupytext

import build

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
TERMS = (NOTEBOOKS / "TERMS.md").read_text(encoding="utf-8")
SOURCES = (NOTEBOOKS / "SOURCES.md").read_text(encoding="utf-8")

ALL_TUTORIALS = sorted(f"{path.stem}.ipynb" for path in (NOTEBOOKS / "source").glob("*.py"))
DATA_CARD = (NOTEBOOKS / "source" / "data_README.md").read_text(encoding="utf-8")
MODULES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "vit_minimal").rglob("*.py"))
}
NOTEBOOK_SOURCES = [path.read_text("utf-8") for path in (NOTEBOOKS / "source").glob("*.py")]
EVERYTHING = "\n".join([*NOTEBOOK_SOURCES, DATA_CARD, *MODULES.values()])

TERM_ROW = re.compile(
    r"\| \*\*(?P<term>.+?)\*\* \| .+? \| \[.+?\]\((?P<link>.+?)\), \*(?P<heading>.+?)\*"
    r"(; also \[.+?\]\((?P<also>.+?)\))? \|"
)
SOURCE_ROW = re.compile(
    r"\| (?P<authors>.+) (?P<year>\d{4}) \| .* \| \[.+?\]\((?P<address>.+?)\) \| (?P<places>.+) \|"
)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})")


def table(page):
    """The lines of the table of a page, without its head."""
    return [line for line in page.split("\n") if line.startswith("|")][2:]


TERM_ROWS = list(filter(None, map(TERM_ROW.fullmatch, table(TERMS))))
SOURCE_ROWS = list(filter(None, map(SOURCE_ROW.fullmatch, table(SOURCES))))


# --- what a notebook shows, read from its source --------------------------------------------------


def cells_of(link):
    """The cells of a notebook, of which only some stand in the tutorial or in the exercises."""
    cells = jupytext.read(NOTEBOOKS / "source" / f"{Path(link).stem}.py").cells
    if not link.startswith("exercises/"):
        return [cell for cell in cells if build.in_tutorial(cell)]
    return [c for c in cells if build.exercise_of(c) or "exercise-only" in build.tags_of(c)]


def plain(text):
    """A text without marks of emphasis and code, and without what the builder fills in."""
    return re.sub(r"\{\{.*?\}\}|[*`]", "", text, flags=re.DOTALL)


@cache
def sections(link):
    """The headings of a notebook, each with all that stands from there to the next one."""
    found, heading = {}, ""
    for cell in cells_of(link):
        for line in FENCED.sub("", cell.source).split("\n"):
            if cell.cell_type == "markdown" and line.startswith("#"):
                heading = plain(line).lstrip("# ")
            found[heading] = found.get(heading, "") + line + "\n"
    return {heading: plain(text) for heading, text in found.items()}


def names_in(term):
    """The names of a term, without brackets: `head (of attention)` has the name `head`."""
    return re.sub(r" \(.*?\)", "", plain(term)).split(", ")


def has(text, name):
    """Whether a name stands in a text, as it is or as in `PatchDropout` and `patch_dropout`."""
    words = map(re.escape, re.split("[ -]", name))
    return re.search(r"(?<!\w)" + r"[\s_-]*".join(words), text, re.IGNORECASE)


# --- both pages -----------------------------------------------------------------------------------


def test_every_row_has_the_form_of_a_row():
    for page, form in ((TERMS, TERM_ROW), (SOURCES, SOURCE_ROW)):
        lines = table(page)
        wrong = [line for line in lines if not form.fullmatch(line)]
        assert lines and not wrong, "\n".join(wrong)


def test_links_lead_to_files():
    links = re.findall(r"\]\((?!https?://)(.+?)\)", TERMS + SOURCES)
    dead = [link for link in links if not (NOTEBOOKS / link).is_file()]
    assert links and not dead


def test_rows_are_in_alphabetical_order():
    terms = [plain(row["term"]).casefold() for row in TERM_ROWS]
    assert terms == sorted(set(terms))
    papers = [(row["authors"].casefold(), row["year"]) for row in SOURCE_ROWS]
    assert papers == sorted(papers)


# --- TERMS.md -------------------------------------------------------------------------------------


def test_the_headings_of_terms_are_there():
    missing = []
    for row in TERM_ROWS:
        headings = sections(row["link"])
        if plain(row["heading"]) not in headings:
            name = names_in(row["term"])[0]
            marked = [f"{'->' if has(headings[h], name) else '  '} {h}" for h in headings if h]
            missing.append(
                f"{row['term']}: {row['link']} has no heading {row['heading']!r}. It has these, and "
                "-> marks where the term stands:\n" + "\n".join(marked)
            )
    assert not missing, "\n".join(missing)


def test_terms_stand_under_their_headings():
    """In the notebook after "also" they may stand anywhere."""
    missing = []
    for row in TERM_ROWS:
        under_heading = sections(row["link"]).get(plain(row["heading"]))
        anywhere = "\n".join(sections(row["also"]).values()) if row["also"] else None
        for name in names_in(row["term"]):
            if under_heading is not None and not has(under_heading, name):
                others = [h for h, text in sections(row["link"]).items() if has(text, name)]
                missing.append(
                    f"{name}: not under {row['heading']!r} in {row['link']}, but under {others}"
                )
            if anywhere is not None and not has(anywhere, name):
                missing.append(f"{name}: not in {row['also']}")
    assert not missing, "\n".join(missing)


def test_what_is_not_in_this_course_is_not():
    names = re.findall(r"\*\*(.+?)\*\*", TERMS.partition("## Not in this course")[2])
    sources = "\n".join(NOTEBOOK_SOURCES)
    assert names
    assert not [n for n in names if re.search(rf"\b{re.escape(n)}\b", sources, re.IGNORECASE)]


# --- SOURCES.md -----------------------------------------------------------------------------------


def label(link):
    """How SOURCES.md links a notebook."""
    exercises = "exercises " if link.startswith("exercises/") else ""
    return f"[{exercises}{Path(link).stem[:2]}]({link})"


@cache
def code_and_text(link):
    return "\n".join(cell.source for cell in cells_of(link))


def places_that_cite(address):
    """The notebooks that have an address, and the data card; if none has it, modules of the package.

    Exercises stand here only if their tutorial does not have the address.
    """
    address, found = address.removeprefix("https://"), []
    for tutorial in ALL_TUTORIALS:
        links = (tutorial, f"exercises/{tutorial}")
        found += [label(link) for link in links if address in code_and_text(link)][:1]
    if address in DATA_CARD:
        found.append("[data](../data/README.md)")
    return found or [f"`{name}`" for name, text in MODULES.items() if address in text]


def test_every_paper_is_among_the_sources_and_no_other():
    cited = set(ARXIV.findall(EVERYTHING))
    listed = ARXIV.findall("\n".join(row["address"] for row in SOURCE_ROWS))
    assert len(listed) == len(set(listed))
    missing = {number: places_that_cite(number) for number in cited - set(listed)}
    uncited = set(listed) - cited
    assert not missing and not uncited, f"missing {missing}, cited by none {uncited}"


def test_sources_name_the_notebooks_that_cite_them():
    wrong = []
    for row in SOURCE_ROWS:
        expected = ", ".join(places_that_cite(row["address"]))
        if row["places"] != expected:
            wrong.append(f"{row['authors']} {row['year']}: not {row['places']!r} but {expected!r}")
    assert not wrong, "\n".join(wrong)


def test_sources_have_the_years_that_the_notebooks_give():
    wrong = []
    for row in SOURCE_ROWS:
        link = rf"(?:et al\.|and \w+) \(?(\d{{4}})\)?\]\({re.escape(row['address'])}"
        years = set(re.findall(link, EVERYTHING)) - {row["year"]}
        wrong += [f"{row['authors']}: not {row['year']} but {year}" for year in years]
    assert not wrong, wrong
