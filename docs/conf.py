"""How `make site` builds the documentation: the pages of this folder, and the API from docstrings."""

import outcomes

project = "outcomes"
author = "the authors of outcomes"
version = release = outcomes.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["*.py"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_typehints = "none"  # a docstring says what a parameter may be
autosummary_generate = True

html_theme = "alabaster"  # no font and no script from elsewhere
html_title = f"outcomes {version}"
