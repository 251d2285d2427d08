"""Settings of the documentation: `make docs` builds it with warnings as errors."""

import re
from importlib import metadata
from typing import Any

project = "ceas-physics"
author = "The ceas-physics authors"
project_copyright = author
release = metadata.version("ceas-physics")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"ceas-physics {release}"
html_copy_source = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
maximum_signature_line_length = 88

# Code between back quotes stays; elsewhere |m| is no substitution, tau_ no link and a lone * no emphasis.
FORMULA = re.compile(r"(`+[^`]*`+)|(?<!\\)\||(?<=\w)_(?!\w)|\*")
# In "ndarray, shape (n_sites, d_k)" no word is a link to a field of that name.
TYPE = re.compile(r"^(\s*:(?:var|r)?type[^:]*:) ([^`]+)$")

FIELDS = re.compile(r"^:(?:ivar|vartype) [^:]*, [^:]*:")


def escape_formulas(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Formulas in docstrings are plain text: keep reStructuredText from reading them."""
    for k, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[k] = FORMULA.sub(lambda match: match[1] or "\\" + match[0], line)


def literal_types(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Types of parameters and attributes are words, not links; fields described together keep one line."""
    for k, line in enumerate(lines):
        if match := TYPE.match(line):
            line = f"{match[1]} ``{match[2].replace(chr(92), '')}``"
        lines[k] = FIELDS.sub(lambda match: match[0].replace(", ", ","), line)


def setup(app: Any) -> None:
    """Connect the hooks before and after napoleon (500) reads the docstrings."""
    app.connect("autodoc-process-docstring", escape_formulas, priority=400)
    app.connect("autodoc-process-docstring", literal_types, priority=600)
