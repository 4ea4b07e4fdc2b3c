"""The whole of something that is cut elsewhere, to be read and copied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tui.actions import bindings
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import Glyphs
from tui.screens.moving import MovingScreen
from tui.widgets.differing import Differing
from tui.widgets.evaluation_title import EvaluationTitle
from tui.widgets.hints import Hints
from tui.widgets.reading import Reading
from tui.widgets.rows import Part


class WholeReading(Reading):
    """A reading in which words may differ."""

    # Not by a second base class: Textual looks for component classes along the first ones alone.
    COMPONENT_CLASSES: ClassVar[set[str]] = Differing.COMPONENT_CLASSES


class WholeScreen(MovingScreen):
    """A text at full size."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["whole.tcss", "differing.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("whole")]

    def __init__(
        self,
        glyphs: Glyphs,
        title: str,
        *,
        paragraphs: Sequence[Paragraph] = (),
        parts: Sequence[Part] = (),
    ) -> None:
        super().__init__()
        self._heading, self._paragraphs, self._parts = title, paragraphs, parts
        self._title = EvaluationTitle(glyphs)
        self._reading = WholeReading(glyphs, id="whole")
        self._hints = Hints(glyphs, "whole")

    def compose(self) -> ComposeResult:
        """Put the text between title and keys."""
        yield self._title
        yield self._reading
        yield self._hints

    def on_mount(self) -> None:
        """Show the text."""
        self._title.show(self._heading, "")
        if self._parts:
            self._reading.show_parts(self._parts)
        else:
            self._reading.show(self._paragraphs)

    @property
    def moved(self) -> Reading:
        """The text."""
        return self._reading

    def copy_text(self) -> str:
        """Return the text."""
        text = "".join(part[0] for part in self._parts)
        return text or "\n".join(f"{one.mark} {one.text}".strip() for one in self._paragraphs)
