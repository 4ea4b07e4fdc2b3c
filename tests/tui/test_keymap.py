"""Keys of one's own."""

from __future__ import annotations

import pytest

from tui.actions import HELPED, SCOPES, of_scope
from tui.app import TemperApp
from tui.keymap import keymap_path, read_keymap
from workspace.errors import UsageError


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "keys.yaml"
        path.write_text(text)
        return path

    return write


async def test_given_keys_work_and_are_shown_and_the_old_ones_do_nothing(
    made, settled, text_of, written
):
    made.run("first", steps=5)
    keymap = read_keymap(written("theme: [f5, T]\nhelp: ['?', ctrl+g]\nrefresh: t\nopen: f9\n"))
    app = TemperApp(made.root, keymap=keymap)
    async with app.run_test(size=(120, 60)) as pilot:
        await settled(pilot)
        before = app.theme
        await pilot.press("t")
        assert app.theme == before
        await pilot.press("f5", "T")
        assert app.theme != before
        assert "f5 T theme" in text_of(app)
        await pilot.press("enter")
        assert len(app.screen_stack) == 1
        await pilot.press("f9")
        assert len(app.screen_stack) == 2
        await pilot.press("ctrl+g")
        await pilot.pause()
        assert "? ctrl+g" in text_of(app) and "f5 T" in text_of(app)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("\nquti: x\n", 2, "Did you mean `quit`?"),
        ("# mine\nquit: x\ntheme: ctlr+x\n", 3, "no key is called 'ctlr+x'"),
        ("theme: r\n", 1, "the key r would mean two things"),
        ("help: j\n", 1, "the key j would mean two things"),
        ("refresh: f7\ntheme: [f6, f7]\n", 2, "the key f7 would mean two things"),
        ("theme: ctrl+m\n", 1, "the key enter would mean two things"),
        ("theme: ctrl+c\n", 1, "ctrl+c cannot be given away"),
        ("theme: true\n", 1, "no key is called True"),
        ("theme: []\n", 1, "an action without a key"),
        ("quit: {a: b}\n", 1, "no key is called"),
        ("- quit\n", 1, "no mapping"),
        ("quit: [x\n", 2, "no YAML"),
        ("quit: x\nquit: z\n", 2, "no YAML"),
        ("help: Q\x1b[2Jx\n", 1, "no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(written, text, line, told):
    path = written(text)
    with pytest.raises(UsageError) as caught:
        read_keymap(path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_no_file_or_an_empty_one_changes_nothing(tmp_path, written):
    assert read_keymap(tmp_path / "none.yaml").keys == {}
    assert read_keymap(written("# nothing yet\n")).keys == {}
    with pytest.raises(UsageError, match="cannot be read"):
        read_keymap(tmp_path)


def test_keys_can_be_swapped(written):
    assert read_keymap(written("theme: r\nrefresh: t\n")).keys == {
        "theme": ("r",),
        "refresh": ("t",),
    }


def test_the_file_is_where_the_system_keeps_settings(tmp_path):
    assert keymap_path({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "temper" / "keys.yaml"
    assert keymap_path({"XDG_CONFIG_HOME": "relative"}) == keymap_path({})


@pytest.mark.parametrize("scope", SCOPES)
def test_a_keymap_file_can_name_each_action_of_a_screen(scope):
    named: dict[str, str] = {}
    for action in (*of_scope(scope), *of_scope("app")):
        if action in HELPED:
            assert named.setdefault(action.name, action.action) == action.action
