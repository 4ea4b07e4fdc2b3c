"""What a test asks of a page: whether it is whole, what its tables say, what it would load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

_VOID = {"meta", "br", "rect", "line", "path", "link", "img", "input"}


@dataclass
class Page(HTMLParser):
    """A parsed page; every tag that is opened must be closed."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    @property
    def ids(self) -> list[str]:
        """Every id, in order."""
        return [str(attrs["id"]) for _, attrs in self.tags if "id" in attrs]

    @property
    def links(self) -> set[str]:
        """What the page would follow or load."""
        return {
            str(value)
            for _, attrs in self.tags
            for name, value in attrs.items()
            if name in ("href", "src", "srcset", "action", "data", "xlink:href", "poster")
        }


def _check_whole(page: Page) -> None:
    """Check that the page is well formed, loads nothing and runs nothing."""
    assert not page.wrong and not page.open
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "url(" not in page.text and "@import" not in page.text
    for _, attrs in page.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set((attrs.get(name) or "").split()) <= set(page.ids)


@pytest.fixture
def page_of() -> Callable[[Path], Page]:
    """Return the page of a dataset, checked to be whole."""

    def read(dataset: Path) -> Page:
        page = Page((dataset / "report.html").read_text(encoding="utf-8"))
        _check_whole(page)
        return page

    return read
