"""Colours of tempered steel, dark and light; Textual's own for terminals with sixteen colours."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

DARK = Theme(
    name="temper-dark",
    primary="#6ea8d8",
    secondary="#a98bc9",
    accent="#e3b261",
    foreground="#d9dce0",
    background="#12161b",
    surface="#181d24",
    panel="#232a33",
    success="#86c08b",
    warning="#e8955c",
    error="#e07a6f",
    dark=True,
)

LIGHT = Theme(
    name="temper-light",
    primary="#1f5f99",
    secondary="#6b4c8f",
    accent="#8a5a00",
    foreground="#22262b",
    background="#fbfaf7",
    surface="#f2f0ea",
    panel="#e4e1d8",
    success="#2b6e36",
    warning="#a34d0a",
    error="#a8332a",
    dark=False,
)

OWN = {theme.name: theme for theme in (DARK, LIGHT)}

NAMES = (DARK.name, LIGHT.name, "ansi-dark", "ansi-light")
"""In the order in which the theme key goes through them."""


def choose(color_system: str | None, environment: Mapping[str, str]) -> str:
    """Return the theme that suits the terminal.

    Args:
        color_system: what Rich found: `truecolor`, `256`, `standard` or None.
        environment: `COLORFGBG` (set by some terminals) tells a light background.
    """
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    is_light = background in ("7", "15")
    if color_system in ("truecolor", "256"):
        return LIGHT.name if is_light else DARK.name
    return "ansi-light" if is_light else "ansi-dark"
