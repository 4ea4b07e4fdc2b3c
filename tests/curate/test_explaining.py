"""What became of a row: found however it is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import curate
from curate.explaining import dropped_stories, find_row
from workspace.errors import UsageError

HOSTILE = "\x1b]0;title\x07[red]what[/] is the capital of France"


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "raw").mkdir()
    (tmp_path / "w").mkdir()
    lines = [{"prompt": HOSTILE, "completion": say} for say in ("Paris", "paris.")]
    lines.append({"prompt": "other", "completion": " "})
    (tmp_path / "raw" / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "w" / "temper.yaml").write_text(
        "name: rows\ncurate:\n  sources: [../raw/rows.jsonl]\n"
        "  steps: [empty_answers, exact_duplicates]\n"
    )
    monkeypatch.chdir(tmp_path)
    result = curate.run(tmp_path / "w" / "temper.yaml")
    assert result.path is not None
    return result.path


@pytest.mark.parametrize(
    "name", ["../raw/rows.jsonl:2", "rows.jsonl:2", "raw/rows.jsonl:2", "./raw/rows.jsonl:2"]
)
def test_a_row_is_found_by_its_place_however_the_file_is_spelled(dataset: Path, name: str) -> None:
    assert find_row(dataset, name)["reason"] == "normalised_duplicate"


def test_a_row_is_found_by_the_beginning_of_its_id(dataset: Path, tmp_path: Path) -> None:
    whole = str(find_row(dataset, "rows.jsonl:1")["id"])
    assert find_row(dataset, whole[:8])["id"] == whole
    absolute = f"{tmp_path / 'raw' / 'rows.jsonl'}:1"
    assert find_row(dataset, absolute)["id"] == whole


def test_what_is_no_row_says_what_there_is(dataset: Path) -> None:
    with pytest.raises(UsageError, match="not a source") as caught:
        find_row(dataset, "elsewhere.jsonl:1")
    assert "../raw/rows.jsonl" in caught.value.cause
    with pytest.raises(UsageError, match="no row '123456789'"):
        find_row(dataset, "123456789")


def test_dropped_rows_are_shown_beside_the_row_they_repeat(dataset: Path) -> None:
    total, stories = dropped_stories(dataset, None, 5)
    assert total == 2
    empty, twin = stories
    assert (empty.place, empty.reason, empty.partner_place) == (
        "../raw/rows.jsonl:3",
        "empty_answer",
        "",
    )
    assert (twin.partner_place, twin.partner_state) == ("../raw/rows.jsonl:1", "kept in train")
    assert "Paris" in twin.partner_text and "\x1b" not in twin.text + twin.partner_text
    assert len(dropped_stories(dataset, "empty_answer", 5)[1]) == 1
    with pytest.raises(UsageError, match="dropped as 'ugly'"):
        dropped_stories(dataset, "ugly", 5)
