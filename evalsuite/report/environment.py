"""How a report becomes HTML: nothing that came from data can act in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from workspace.text import plain

TEMPLATES = Path(__file__).parent / "templates"
HOUSE_STYLE = "house.css"
"""Colours, type and tables that all reports share; in `TEMPLATES`."""


@cache
def report_environment(*templates: Path) -> jinja2.Environment:
    """Return an environment in which every printed value passes through `plain` and autoescape.

    It is one for all reports, since to compile a page takes longer than to print it.

    Args:
        templates: directories in which templates are looked for.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = "{:,}".format
    return environment


def _inert(value: Any) -> Any:
    """Make control characters visible in whatever is printed; autoescape does the rest."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
