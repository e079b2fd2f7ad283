"""Sphinx configuration."""

import importlib
import sys
from pathlib import Path

import matplotlib as mpl

# The gallery looks names up before it runs an example.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

import sklearn_physrnn

mpl.use("Agg")
sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "sklearn_physrnn"
author = "the sklearn_physrnn developers"
version = release = sklearn_physrnn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "printed",
    "results",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # formulas without a server
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py"]
numpydoc_show_class_members = False  # the template below lists methods
autosummary_generate = True
# Docstrings inherited from scikit-learn and sktime refer to pages of their documentation.
suppress_warnings = ["ref.ref", "ref.term", "config.cache"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["pages.css"]
copybutton_exclude = ".linenos, .gp, .go"
copybutton_selector = "div:not(.printed) > div.highlight > pre"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 2

# What their test machinery and their developers need is not for users.
_NOT_FOR_USERS = ("create_test_instance", "clone_tags", "load_from_", "set_random_state")


def for_users(module: str, name: str, method: str) -> bool:
    """Whether a class page shows a method: ours, and what scikit-learn and sktime give users."""
    if method.startswith("_"):
        return False
    for owner in getattr(importlib.import_module(module), name).__mro__:
        if method in vars(owner):
            library = owner.__module__.partition(".")[0]
            break
    if library in ("sklearn_physrnn", "sklearn"):
        return method != "get_test_params"
    if library == "skbase":
        return method in ("get_params", "set_params", "get_fitted_params", "is_fitted", "reset")
    return library == "sktime" and not method.startswith(_NOT_FOR_USERS)


autosummary_context = {"for_users": for_users}

sphinx_gallery_conf = {
    "backreferences_dir": "api/backreferences",
    "doc_module": ("sklearn_physrnn",),
    "capture_repr": ("_repr_html_",),
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": (
        r"(reproduce|quickstart|panel_classification|forecast_exogenous|backtest_step_by_step)"
    ),
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
    "header_links_before_dropdown": 6,
    "logo": {"text": "sklearn_physrnn"},
}
# Pages without siblings have no use for a list of them, and tables for its room.
_WIDE = (
    "getting_started", "choosing", "capabilities", "cookbook", "defaults", "reproduction",
    "performance", "reliability", "contributing", "changelog", "glossary", "about",
)  # fmt: skip
html_sidebars = {page: [] for page in _WIDE}

# Inherited docstrings that docutils cannot read.
_TOO_FREE = (
    "BaseObject.save", "BaseObject.reset", "BaseClassifier.predict_proba",
    "BaseClassifier.fit_predict_proba", "BaseForecaster.update_predict_single",
)  # fmt: skip


def shortened(app, what, name, obj, options, lines) -> None:
    """Leave the first sentence of what sktime says where the rest would not be read."""
    inherited = getattr(obj, "__module__", "").startswith(("sktime", "skbase"))
    if inherited and getattr(obj, "__qualname__", "") in _TOO_FREE:
        lines[:] = [*lines[: lines.index("")], "", "sktime's documentation says more.", ""]


def setup(app) -> None:
    """Hook into the build; before numpydoc, which reads docstrings at the usual 500."""
    app.connect("autodoc-process-docstring", shortened, priority=400)
