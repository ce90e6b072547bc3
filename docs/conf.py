"""Sphinx configuration. `make docs` builds with warnings as errors and executes every page that has code cells.

Such a page starts with the front matter `file_format: mystnb` and `kernelspec: {name: python3}`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import repcore

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "repcore"
author = "The repcore authors"
copyright = "2026, The repcore authors"
version = release = repcore.__version__

extensions = ["myst_nb", "public_names", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "jupyter_execute", "_ext"]

html_theme = "furo"
html_title = f"repcore {release}"

default_role = "code"  # single backquotes in docstrings
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True  # an `Attributes:` section does not describe a field twice

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# A page is executed in an empty directory of its own, with its cache there, and its shell cells find the program `repcore`.
nb_execution_in_temp = True
os.environ["REPCORE_CACHE"] = "cache"
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
