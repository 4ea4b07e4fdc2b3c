import pytest
from rich.cells import cell_len
from textual.geometry import Region

from tui.widgets.rows import changed_region, fit, right


@pytest.mark.parametrize("width", [0, 1, 2, 5, 12, 40])
@pytest.mark.parametrize(
    "text", ["", "short", "a much longer text", "漢字漢字漢字", "\x1b[31m\n\t", "👩‍👩‍👧 e\u0301"]
)
def test_a_text_is_made_to_fit_its_cells(text, width):
    for cut in (fit, right):
        assert cell_len(cut(text, width, "…")) == width
        assert "\x1b" not in cut(text, width, "…")


def test_a_shortened_text_says_so():
    assert fit("a much longer text", 8, "…") == "a much …"
    assert right("12", 4, "…") == "  12"


def test_only_the_cells_that_differ_are_refreshed():
    old = (("loss ", "muted"), ("0.52", "strong"), ("  left", ""))
    new = (("loss ", "muted"), ("0.61", "strong"), ("  left", ""))
    assert changed_region(3, old, new, 80) == Region(7, 3, 2, 1)


def test_a_change_of_colour_alone_is_a_change():
    assert changed_region(0, (("abc", ""),), (("ab", ""), ("c", "bad")), 80) == Region(2, 0, 1, 1)


def test_wide_characters_and_other_lengths_refresh_the_whole_line():
    assert changed_region(1, (("漢a", ""),), (("漢b", ""),), 80) == Region(0, 1, 80, 1)
    assert changed_region(1, (("a", ""),), (("ab", ""),), 80) == Region(0, 1, 80, 1)
