"""Sphinx configuration."""

import matplotlib as mpl

# The gallery looks names up before it runs an example.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

import sklearn_physrnn

mpl.use("Agg")

project = "sklearn_physrnn"
author = "the sklearn_physrnn developers"
version = release = sklearn_physrnn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # formulas without a server
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py"]
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False
autosummary_generate = True
# Docstrings inherited from scikit-learn refer to pages of its own documentation.
suppress_warnings = ["ref.ref", "config.cache"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(reproduce|quickstart|panel_classification|forecast_exogenous)",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # its page would load scripts from elsewhere
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "logo": {"text": "sklearn_physrnn"},
}
# Pages without siblings have no use for a list of them, and tables for its room.
_WIDE = (
    "getting_started", "choosing", "cookbook", "defaults", "reproduction", "performance",
    "reliability", "contributing", "changelog",
)  # fmt: skip
html_sidebars = {page: [] for page in _WIDE}
