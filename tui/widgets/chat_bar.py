"""The lines around a chat: who speaks, how they are asked, what went wrong."""

from __future__ import annotations

import textwrap

from tui.chat.talk import Settings
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows, fit
from workspace.text import plain

STATES = {
    "cold": ("queued", "muted", "loads with the first question"),
    "loading": ("running", "warn", "loading"),
    "ready": ("finished", "good", "ready"),
    "answering": ("running", "curve", "answering: esc stops"),
}
"""State of the models' process: whose glyph, its role, and the words."""


class ChatBar(Rows):
    """Two lines: the models and their state; the settings and the command."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="bar")
        self._names: tuple[str, str] | None = None
        self._state = "cold"
        self._note = ""
        self._settings = Settings()

    def show(
        self, names: tuple[str, str] | None, state: str, note: str, settings: Settings
    ) -> None:
        """Show this."""
        self._names, self._state, self._note, self._settings = names, state, note, settings
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return both lines."""
        more = self.glyphs.ellipsis
        if self._names is None:
            return [((fit(" chat  no models chosen: press m", width, more), "strong"),), ()]
        mark, role, words = STATES[self._state]
        if self._state == "loading" and self._note:
            words = f"loading: {self._note}"
        state = f"{self.glyphs.marks[mark]} {words} "
        left, right = self._names
        who = f" chat  {left} {self.glyphs.dot} {right}  "
        room = max(0, width - min(len(who), max(12, width // 2)))
        shown = fit(state, min(len(state), room), more)
        return [
            ((fit(who, width - len(shown), more), "strong"), (shown, role)),
            ((fit(self._how(), width, more), "muted"),),
        ]

    def _how(self) -> str:
        settings, dot = self._settings, self.glyphs.dot
        facts = [f"temperature {settings.temperature:g}"]
        facts += [f"seed {settings.seed}"] if settings.temperature else []
        facts += [f"at most {settings.max_tokens} tokens"]
        facts += [f"system: {settings.system}" if settings.system else "no system prompt"]
        return " " + f" {dot} ".join(facts)


class Said(Rows):
    """What went wrong, in a sentence with the way out; no line while there is nothing."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="said")
        self._text = ""

    def say(self, text: str) -> None:
        """Show a sentence, or nothing."""
        self._text = " ".join(plain(text, limit=2000).split())
        self.set_class(bool(text), "-said")
        self.styles.height = max(1, min(4, len(self._wrapped(self.app.size.width))))
        self.redraw()

    def _wrapped(self, width: int) -> list[str]:
        return textwrap.wrap(self._text, max(10, width - 4))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the sentence."""
        mark = f" {self.glyphs.marks['invalid']} "
        return [
            ((mark if y == 0 else "   ", "bad"), (fit(line, width - 3, self.glyphs.ellipsis), ""))
            for y, line in enumerate(self._wrapped(width))
        ]
