"""The styles of the roles of text, from the theme's own colours.

Component classes would do the same, but Textual applies the style sheet to each of them in each
widget, several times before the first paint: half of what a screen of such widgets costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style
from textual.color import Color

_CURSOR_SHARE = 0.22
"""Of the theme's first colour in the background of the selected line."""
_VARIABLES = {
    "muted": "foreground-muted",
    "accent": "accent",
    "good": "success",
    "warn": "warning",
    "bad": "error",
    "curve": "primary",
    "second": "accent",
    "third": "success",
    "fourth": "secondary",
}
"""The variable of the theme that a role's colour comes from."""
ROLES = frozenset({"strong", *_VARIABLES})
"""The roles that this module knows; a widget may have others in its style sheet."""


def style_of(
    role: str, variables: Mapping[str, str], own: Style, background: Color, *, is_ansi: bool
) -> Style:
    """Return the style of a role.

    Args:
        role: one of `ROLES`.
        variables: the theme's.
        own: the widget's own style.
        background: what lies below the text.
        is_ansi: the terminal's own colours are used, which cannot be blended.
    """
    if role == "strong":
        return own + Style(bold=True)
    if role == "muted" and is_ansi:
        return own + Style(dim=True)
    return own + _coloured(variables[_VARIABLES[role]], background)


def cursor_style(
    variables: Mapping[str, str], own: Style, background: Color, *, is_ansi: bool
) -> Style:
    """Return the style of the selected line; the arguments are those of `style_of`."""
    if is_ansi:
        return own + Style(bold=True, reverse=True)
    return own + _selected(variables["primary"], background)


@lru_cache(256)
def _coloured(colour: str, background: Color) -> Style:
    return Style(color=(background + Color.parse(colour)).rich_color)


@lru_cache(64)
def _selected(colour: str, background: Color) -> Style:
    blended = background + Color.parse(colour).with_alpha(_CURSOR_SHARE)
    return Style(bgcolor=blended.rich_color, bold=True)
