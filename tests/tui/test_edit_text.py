"""The box in which a text is written anew."""

from textual.app import App
from textual.widgets import TextArea

from tui.screens.edit_text import MOST_BYTES, EditText, edit_trouble


def test_what_is_no_argument_of_a_command_or_cannot_be_shown_is_refused() -> None:
    assert edit_trouble("two\nlines\tand a tab") == ""
    assert "100,000 bytes" in edit_trouble("é" * (MOST_BYTES // 2 + 1))
    assert "no box can show" in edit_trouble("\x1b[31mred")


async def test_a_text_that_grew_too_long_stays_in_the_box_whole() -> None:
    taken: list[str | None] = []
    app = App[None]()
    async with app.run_test(size=(80, 24)) as pilot:
        box = EditText("Anew?", "short")
        await app.push_screen(box, taken.append)
        area = box.query_one(TextArea)
        area.text = "x" * (MOST_BYTES + 1)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert taken == [] and len(area.text) == MOST_BYTES + 1
        area.text = "x" * MOST_BYTES
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert taken == ["x" * MOST_BYTES]
