"""The small questions over a screen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from textual.app import App
from textual.widgets import Input

from tui.form.fields import Field
from tui.screens.dialog import Ask
from tui.screens.train_edit import TrainEdit

HOSTILE = "x\x1b]0;PWNED\x07 \u202eevil\ttab\nline"


async def test_a_line_holds_nothing_but_text_whoever_filled_it():
    app: App[None] = App()
    async with app.run_test() as pilot:
        await app.push_screen(Ask("Which?", HOSTILE))
        line = app.screen.query_one(Input)
        for text in (line.value, _typed(line)):
            assert text.isprintable() and "\\x1b]0;PWNED" in text
        line.value = "漢字 ok"
        await pilot.pause()
        assert line.value == "漢字 ok"


def _typed(line: Input) -> str:
    line.insert_text_at_cursor(HOSTILE)
    return line.value


@pytest.mark.parametrize(("value", "is_asked"), [("mine", True), ("a\x1b]0;b\x07", False)])
def test_a_value_that_no_line_can_show_is_left_to_the_yaml(value, is_asked):
    asked: list[Any] = []
    said: list[str] = []
    app = SimpleNamespace(push_screen=lambda screen, then: asked.append(screen))
    screen = SimpleNamespace(app=app, notify=lambda text, **_: said.append(text))
    TrainEdit._ask(cast("Any", screen), Field(("name",), "text", value=value))
    assert bool(asked) == is_asked
    assert is_asked or "mend it in the YAML" in said[0]
