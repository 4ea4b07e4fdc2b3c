"""The beginning of a text that may be long."""

from __future__ import annotations

READ_AT_MOST = 20_000
"""Characters of a text that are looked at, however long it is."""


def excerpt(text: str, limit: int) -> str:
    """Return the text, or its beginning and how much more there is.

    >>> excerpt("abcdef", 4)
    'abcd … (2 more characters)'
    """
    left = len(text) - limit
    return text if left <= 0 else f"{text[:limit]} … ({more(text, left)})"


def more(text: str, left: int) -> str:
    """Say how many characters are not shown of a text that was read up to `READ_AT_MOST`."""
    at_least = "at least " if len(text) >= READ_AT_MOST else ""
    return f"{at_least}{left:,} more characters"
