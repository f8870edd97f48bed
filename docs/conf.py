"""How the site is built: ``make -C docs html``, with the extra ``docs``."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import kl_plugins

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
# Where the project is published is stated there, once; empty means nowhere yet, and then nothing links to it.
_ADDRESSES = _PROJECT.get("tool", {}).get("kl_plugins", {})

project = "kl_plugins"
author = "kl_plugins contributors"
copyright = author
version = release = kl_plugins.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_templates", "README.md"]
templates_path = ["_templates"]

# Pages.
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
# Examples are doctests: what is copied is what is typed.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

# The reference.
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say them in words
numpydoc_show_class_members = False  # the templates say which
default_role = "py:obj"  # what is in single backticks in a docstring


def signature_of(app, what, name, obj, options, signature, returned):  # type: ignore[no-untyped-def]
    """None of what only the library makes, which takes no parameters of users; no sentinels as defaults."""
    if what == "class" and "Parameters\n---" not in inspect.cleandoc(obj.__doc__ or ""):
        return "", returned
    missing = "<dataclasses._MISSING_TYPE object>"
    return (signature.replace(missing, "…"), returned) if missing in (signature or "") else None


def setup(app):  # type: ignore[no-untyped-def]
    app.connect("autodoc-process-signature", signature_of, priority=400)  # before numpydoc, which follows it


# How it looks.
html_theme = "pydata_sphinx_theme"
html_title = "kl_plugins"
html_baseurl = _ADDRESSES.get("site", "")
html_static_path = ["_static"]
html_css_files = ["site.css", "reference.css"]
html_js_files = ["filter.js"]  # of the tables of the reference
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
if _ADDRESSES.get("repository"):
    html_theme_options["icon_links"] = [
        {"name": "Source", "url": _ADDRESSES["repository"], "icon": "fa-brands fa-git-alt"}
    ]
