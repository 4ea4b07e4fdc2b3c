"""Text from data, models and files is hostile until it has passed through here.

A row may hold terminal escapes (which could retitle a window or write to the clipboard), Rich
markup, or bidirectional controls that make a line read as something else. `plain` makes controls
visible and inert; what Rich draws is given to it as `Text`, which it does not parse. HTML is
escaped by jinja2's autoescape in the reports.
"""

from __future__ import annotations

import unicodedata

_KEPT = {"\n", "\t"}
_REPLACED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Joiners and selectors belong to ordinary emoji and scripts; bidirectional controls do not.
_HARMLESS_FORMAT = {"\u200c", "\u200d", "\u00ad"}


def _visible(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def plain(text: str, limit: int | None = None) -> str:
    """Return `text` with every control, format and bidirectional character made visible.

    Args:
        text: any text.
        limit: shorten to this many characters on a single line, newlines shown as `⏎`.

    >>> plain("a\\x1b[31mred")
    'a\\\\x1b[31mred'
    >>> plain("one\\ntwo three", limit=8)
    'one⏎two…'
    """
    if text.isascii() and text.isprintable():
        out = text
    else:
        out = "".join(
            _visible(character)
            if character not in _KEPT
            and character not in _HARMLESS_FORMAT
            and unicodedata.category(character) in _REPLACED
            else character
            for character in text
        )
    if limit is None:
        return out
    line = out.replace("\n", "⏎").replace("\t", " ")
    return line if len(line) <= limit else line[: max(0, limit - 1)] + "…"
