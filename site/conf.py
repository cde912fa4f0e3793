"""The course as a web site: its pages lie where they are written, one folder up.

What a setting cannot say is in `pages.py`.
"""

import sys
import tomllib
from pathlib import Path

SITE = Path(__file__).resolve().parent
sys.path.insert(0, str(SITE))

PROJECT = tomllib.loads((SITE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
repository = PROJECT["urls"]["Repository"]
if "OWNER" in repository:
    repository = None  # no address yet: buttons and links would lead nowhere

project = "Vision Transformers from scratch"
html_title = project
root_doc = "index"  # README.md, see pages.py
include_patterns = [
    "README.md",
    "data/README.md",
    "notebooks/*.ipynb",
    "notebooks/*.md",
    "notebooks/exercises/*.ipynb",
    "notebooks/exercises/README.md",
]
extensions = ["myst_nb", "sphinx.ext.githubpages", "pages"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "tasklist"]
myst_heading_anchors = 4
smartquotes = False  # quotation marks are those of the notebooks

html_theme = "sphinx_book_theme"
templates_path = ["templates"]
html_sidebars = {  # the theme's, and a link to the laboratory
    "**": [
        "navbar-logo.html",
        "icon-links.html",
        "search-button-field.html",
        "laboratory-link.html",
        "sbt-sidebar-nav.html",
    ]
}
html_theme_options = {
    "show_navbar_depth": 1,
    "navbar_persistent": [],  # the search field is in the sidebar
    "use_fullscreen_button": False,
    "footer_content_items": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
if repository:
    html_theme_options |= {
        "repository_url": repository,
        "repository_branch": "main",
        "use_repository_button": True,
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }
html_context = {"default_mode": "auto"}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
html_math_renderer = "mathml"
html_use_index = False
html_show_copyright = False
html_show_sphinx = False
