"""How Sphinx builds the site: `nox -s docs`. Offline: nothing is loaded from elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click_auth

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "examples"))  # reference/commands.md shows the commands of todo.py

project = "click-auth"
author = "click-auth contributors"
copyright = author  # noqa: A001 - Sphinx's name for it
release = version = click_auth.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
default_role = "code"  # docstrings name code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
python_display_short_literal_types = True
nitpicky = True
# Annotations are shown as they are written: other libraries' and those only a type checker reads.
nitpick_ignore_regex = [("py:class", ".*")]

html_theme = "furo"
html_title = f"click-auth {release}"
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
