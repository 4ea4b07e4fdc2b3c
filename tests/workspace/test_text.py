"""Hostile text comes out inert and still readable."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from workspace.text import plain


def test_terminal_escapes_become_visible() -> None:
    assert plain("\x1b]52;c;aGk=\x07") == "\\x1b]52;c;aGk=\\x07"
    assert plain("a\rb") == "a\\x0db"


def test_bidirectional_controls_become_visible_and_emoji_stay() -> None:
    assert plain("\u202eevil") == "\\u202eevil"
    assert plain("👩\u200d🔬 naïve 日本") == "👩\u200d🔬 naïve 日本"


def test_newlines_stay_unless_a_single_line_is_asked_for() -> None:
    assert plain("a\nb") == "a\nb"
    assert plain("a\nb\tc", limit=10) == "a⏎b c"
    assert plain("abcdef", limit=4) == "abc…"


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    out = plain(text)
    assert not any(unicodedata.category(c) == "Cc" for c in out if c not in "\n\t")
