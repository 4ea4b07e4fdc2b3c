"""Text as one code span of Markdown, in which GitHub makes no link, picture, mention or markup."""

from __future__ import annotations

import re

from workspace.text import plain


def code(text: str, limit: int = 120) -> str:
    """Return `text` as one code span that nothing inside can end, safe in a table cell too.

    >>> code("a`b|c")
    '``a`b\\\\|c``'
    """
    line = plain(text, limit).replace("|", "\\|").strip()
    if not line:
        return "–"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"
