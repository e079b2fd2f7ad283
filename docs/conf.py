"""Sphinx configuration."""

import sklearn_physrnn

project = "sklearn_physrnn"
author = "the sklearn_physrnn developers"
version = release = sklearn_physrnn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False
autosummary_generate = True
# Docstrings inherited from scikit-learn refer to pages of its own documentation.
suppress_warnings = ["ref.ref"]
myst_enable_extensions = ["dollarmath"]

html_theme = "pydata_sphinx_theme"
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
