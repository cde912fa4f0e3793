"""How the files of the course become pages: an extension of Sphinx."""

import ast
import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from myst_nb.core.render import NbElementRenderer
from sphinx.addnodes import download_reference, pending_xref
from sphinx.project import Project
from sphinx.util import logging

from vit_minimal.laboratory import open_shipped_laboratory

CONTENTS = """

```{toctree}
:hidden:
:glob:
:caption: Notebooks
notebooks/[0-9]*
```

```{toctree}
:hidden:
:glob:
:caption: Exercises
notebooks/exercises/README
notebooks/exercises/[0-9]*
```

```{toctree}
:hidden:
:caption: To look up
notebooks/TERMS
notebooks/SOURCES
data/README
```
"""
LABORATORY = "laboratory.html"
logger = logging.getLogger(__name__)


class Course(Project):
    """The folder of the course, of which README.md is the first page, index.html."""

    def path2doc(self, filename):
        name = super().path2doc(filename)
        return "index" if name == "README" else name


def take_readme_for_index(app):
    app.project = app.env.project = Course(app.srcdir, app.config.source_suffix)


def add_contents(app, docname, source):
    if docname == app.config.root_doc:
        source[0] += CONTENTS


def add_laboratory(app, error):
    if error is None and app.builder.format == "html":
        open_shipped_laboratory(on_site=True).save(Path(app.outdir) / LABORATORY)


# --- what MyST makes of a page --------------------------------------------------------------------


def mend_links(app, doctree):
    """Lead links to a folder to its README, and to other files to the repository, else a copy.

    Without a repository a link to a folder, or to a text that is no page, becomes plain words. One to
    the folder of the laboratory leads to its page.
    """
    repository = app.config.html_theme_options.get("repository_url")
    for link in [*doctree.findall(pending_xref), *doctree.findall(download_reference)]:
        target = link["reftarget"].partition("#")[0]
        is_text = link.get("refdomain") == "doc"
        if not target or (is_text and target in app.env.found_docs):
            continue
        name, path = app.env.relfn2path(f"/{target}.md" if is_text else target)
        if name == "vit_minimal/laboratory":
            uri = "../" * app.env.docname.count("/") + LABORATORY
            link.replace_self(nodes.reference("", "", *link.children, refuri=uri))
        elif f"{name}/README" in app.env.found_docs:
            link["refdomain"], link["reftarget"] = "doc", f"{name}/README"
            link["reftargetid"] = None
        elif repository and Path(path).exists():
            kind = "tree" if Path(path).is_dir() else "blob"
            uri = f"{repository}/{kind}/main/{name}"
            link.replace_self(nodes.reference("", "", *link.children, refuri=uri))
        elif Path(path).is_dir() or (is_text and Path(path).exists()):
            link.replace_self(link.children)


def drop_badges(app, doctree):
    """As long as the course has no address, a badge that opens a notebook in Colab opens none."""
    if app.config.html_theme_options.get("repository_url"):
        return
    for image in list(doctree.findall(nodes.image)):
        link = image.parent
        if link.get("refuri", "").startswith("https://colab.research.google.com/"):
            line = link.parent
            line.remove(link)
            if not line.children:
                line.parent.remove(line)


def is_wall_of_imports(code):
    """Whether a cell is little more than imports, and many of them."""
    try:
        statements = ast.parse(code).body
    except SyntaxError:  # a command of IPython
        return False
    imports = [s for s in statements if isinstance(s, ast.Import | ast.ImportFrom)]
    lines = sum(s.end_lineno - s.lineno + 1 for s in imports)
    others = sum(s.end_lineno - s.lineno + 1 for s in statements) - lines
    return lines >= 6 and others <= lines / 3


def fold_set_up(app, doctree):
    """What a page need not show is folded: the cell that sets up a hosted notebook, long imports."""
    for cell in doctree.findall(nodes.container):
        if "set-up" in cell.get("cell_metadata", {}).get("tags", []):
            cell["hide_mode"] = "input"
            cell["prompt_show"] = cell["prompt_hide"] = "Set-up of this notebook"
        elif cell.get("nb_element") == "cell_code":
            code = "\n".join(block.astext() for block in cell.children[:1])
            if is_wall_of_imports(code):
                cell["hide_mode"] = "input"
                cell["prompt_show"] = cell["prompt_hide"] = "Imports of this notebook"


def image_with_its_words(renderer, data, render_image=NbElementRenderer.render_image):
    """What MyST-NB makes of an image, and the alternative text in the metadata of the output."""
    images = render_image(renderer, data)
    for image in images:
        image["alt"] = data.output_metadata.get(data.mime_type, {}).get("alt", "")
    return images


# --- formulas: MathML, which browsers set without a script ----------------------------------------


def mathml(node, as_block):
    tex = node.astext().replace(r"\dots", r"\ldots")  # docutils does not know \dots, nor primes
    try:
        return tex2mathml(re.sub("'", r"^\\prime ", tex), as_block=as_block)
    except MathError as error:
        logger.warning("formula %s: %s", tex, error, location=node)
        return ""


def visit_math(translator, node):
    translator.body.append(mathml(node, as_block=False))
    raise nodes.SkipNode


def visit_math_block(translator, node):
    translator.body.append(f'<div class="math">{mathml(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app):
    NbElementRenderer.render_image = image_with_its_words
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("builder-inited", take_readme_for_index)
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_laboratory)
    # ahead of what collects, at 500, the files that pages ask for
    for change in (mend_links, drop_badges, fold_set_up):
        app.connect("doctree-read", change, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
