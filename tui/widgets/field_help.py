"""What the selected field means, what it may be, where its value comes from, what is wrong."""

from __future__ import annotations

import textwrap

from tui.form.fields import Field
from tui.form.state import RecipeState, dotted
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit
from workspace.text import plain
from workspace.yaml_edit import as_yaml


def help_of(field: Field, state: RecipeState) -> list[Part]:
    """Return the paragraphs on a field, what is wrong first."""
    fault = state.fault_of(field.key)
    out: list[Part] = []
    if fault is not None:
        out.append((fault.shown, "bad"))
    if field.is_unknown:
        out.append(("No such key is known here: `x` takes it out.", "warn"))
    bounds = f": {field.bounds}" if field.bounds else ""
    out.append((f"{dotted(field.key)}{bounds}", "strong"))
    decided = state.reasons.get(dotted(field.key))
    if decided and not field.is_given and not field.children:
        out.append((f"{decided[0]} by the plan: {decided[1]}", "accent"))
    elif field.is_given and not field.children and not field.is_unknown:
        default = "not set" if field.default is None else as_yaml(field.default)
        out.append((f"default: {default}", "muted"))
    # The lines of a docstring are wrapped anew; an empty line in it stays a break.
    out += [(" ".join(part.split()), "") for part in field.help.split("\n\n") if part.strip()]
    return out


class FieldHelp(Rows):
    """The help of one field, as much of it as there is room for."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._paragraphs: list[Part] = []

    def show(self, paragraphs: list[Part]) -> None:
        """Show other paragraphs."""
        self._paragraphs = paragraphs
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the paragraphs wrapped; the last line says that there is more."""
        out: list[Line] = []
        for text, role in self._paragraphs:
            for line in textwrap.wrap(plain(text), max(8, width - 2)):
                out.append(((fit(f" {line}", width, self.glyphs.ellipsis), role),))
        if len(out) > height > 0:
            (text, role), *_ = out[height - 1]
            told = f"{text.rstrip()} {self.glyphs.ellipsis} (space: all)"
            short = text[: max(0, width - 14)].rstrip()
            told = f"{short} {self.glyphs.ellipsis} (space: all)"
            out = [*out[: height - 1], ((fit(told, width, self.glyphs.ellipsis), role),)]
        return out
