"""How Sphinx makes the site; `docs/site/` stages what it reads. Sphinx gives each of these names its meaning."""

from __future__ import annotations

import importlib.metadata

project = "Throttling testbed"
copyright = ""  # noqa: A001 - Sphinx's name
release = importlib.metadata.version("throttling-testbed")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4  # as Git hosts give them, so that links to headings work in both
smartquotes_action = "D"  # dashes alone; quotes stay as they are typed
highlight_language = "text"  # of blocks that name no language
default_role = "literal"  # a name between backquotes in a docstring
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_ivar = True  # an attribute that a docstring lists is also a member

html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["site/static"]
html_css_files = ["wide.css"]

man_pages: list[tuple[str, str, str, list[str], int]] = [
    ("docs/reference/generated/commands", "testbed", "replays throttling with real Linux TCP in virtual time", [], 1)
]
