import pytest

from tui.glyphs import ASCII, ROLES, STATES, UNICODE, choose


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color", "LANG": "en_GB.UTF-8"}, UNICODE),
        ({"TERM": "dumb", "LANG": "en_GB.UTF-8"}, ASCII),
        ({"TERM": "linux", "LANG": "en_GB.UTF-8"}, ASCII),
        ({"TERM": "xterm", "LANG": "C"}, ASCII),
        ({"TERM": "xterm", "LANG": "C", "LC_CTYPE": "C.UTF-8"}, ASCII),
        ({"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, ASCII),
        ({"TERM": "xterm", "LC_ALL": "POSIX", "LANG": "en_GB.UTF-8"}, ASCII),
        ({"TERM": "xterm", "LC_ALL": "C.UTF-8"}, UNICODE),
        ({"TERM": "xterm", "LC_CTYPE": "C.UTF-8"}, UNICODE),
        ({"TERM": "xterm"}, UNICODE),
    ],
)
def test_the_terminal_and_the_locale_decide(environment, expected):
    assert choose(environment) is expected


def test_every_state_has_a_glyph_of_its_own_in_both_sets():
    for glyphs in (UNICODE, ASCII):
        marks = [glyphs.marks[state] for state in STATES]
        assert len(set(marks)) == len(STATES)
        assert all(len(mark) == 1 for mark in glyphs.marks.values())


def test_every_state_and_verdict_has_a_colour_role():
    assert set(ROLES) == set(UNICODE.marks) == set(ASCII.marks)


def test_the_ascii_set_is_ascii():
    everything = [*ASCII.marks.values(), ASCII.ellipsis, ASCII.dot, ASCII.prompt, ASCII.cursor]
    assert "".join([*everything, ASCII.axis, ASCII.bars, ASCII.cells]).isascii()
