"""The documentation and its pictures: every picture is there, and every screen has one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tui.modes import MODES

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
_FOLDERS = ("docs", "examples", "bench")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for one in _FOLDERS for page in (ROOT / one).rglob("*.md"))]
)
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def pictures(page: Path) -> Iterator[tuple[str, Path]]:
    """Yield what a page says of each of its pictures, and where that lies."""
    for words, target in _PICTURE.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            yield words, (page.parent / target).resolve()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_of_a_page_is_there_and_is_described(page):
    for words, path in pictures(page):
        assert path.is_file(), f"{page.name} shows {path}"
        assert path.is_relative_to(ROOT)
        assert len(words) > 3, f"{page.name} does not say what {path.name} shows"


def test_every_picture_is_shown_somewhere():
    shown = {path for page in PAGES for _, path in pictures(page)}
    assert {*IMAGES.glob("*.svg")} <= shown


@pytest.fixture
def shots(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from screenshots.shots import SHOTS

    yield SHOTS
    for name in [name for name in sys.modules if name.partition(".")[0] == "screenshots"]:
        del sys.modules[name]


def test_every_mode_has_a_picture_and_every_shot_was_drawn(shots):
    names = [shot.name for shot in shots]
    assert len({*names}) == len(names)
    assert {mode.name for mode in MODES} <= {*names}
    assert {f"{name}.svg" for name in names} <= {path.name for path in IMAGES.iterdir()}


def test_the_first_page_shows_what_tells_most():
    shown = {path.stem for _, path in pictures(ROOT / "README.md")}
    assert {"home", "data", "run", "eval"} <= shown


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_is_whole_and_names_no_machine(path):
    text = path.read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert not re.search(r"/(tmp|home|root|work|Users)/", text)
