"""How much text of rows a report may hold, however large the rows are."""

from __future__ import annotations

from markupsafe import escape

from workspace.text import plain

_MARKUP = 600
"""Bytes of markup around the texts of a row, roughly."""


class Room:
    """Bytes that are left for one part of the page."""

    def __init__(self, size: int) -> None:
        self.left = size

    def takes(self, *texts: str) -> bool:
        """Return whether these texts still fit, and count them if they do."""
        size = _MARKUP + sum(len(escape(plain(text)).encode()) for text in texts)
        if size > self.left:
            return False
        self.left -= size
        return True
