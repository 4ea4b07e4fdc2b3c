"""The report: whole and inert whatever the rows hold, with the figures of the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from workspace.errors import DataError

Curate = Callable[..., Any]
Lines = Callable[..., Path]
PageOf = Callable[[Path], Any]
HOSTILE = (
    "<script>alert(1)</script> \x1b]0;owned\x07 \x1b[31m {{ 7 * 7 }} [bold]x[/bold] "
    "\u202eevil\u202c </style></title><img src=x onerror=alert(1)>"
)
NAMES = [f"{first}{second}" for first in "bcdfgh" for second in ("apple", "melon", "grape")]


def questions(count: int) -> list[dict[str, Any]]:
    """Rows that are alike in threes, but for a few words."""
    rows = []
    for number in range(count):
        name = NAMES[number // 3 % len(NAMES)]
        extra = ("please", "today", "kindly tell me if you know")[number % 3]
        rows.append(
            {
                "prompt": f"Where is the {name} in the garden of {NAMES[number % 7]}, {extra}?",
                "completion": f"The {name} grows beside the wall of {NAMES[number // 3 % 5]}.",
                "kind": NAMES[number % 4],
            }
        )
    return rows


def source(path: Path) -> dict[str, Any]:
    return {"path": str(path), "columns": {"label": "kind"}}


STEPS = ["repair", "redact", "exact_duplicates", {"near_duplicates": {"threshold": 0.8}}]


def test_every_figure_of_the_steps_is_the_ledgers(
    curate: Curate, lines: Lines, page_of: PageOf
) -> None:
    rows = questions(60)
    first, second = lines([*rows, rows[0], rows[1]], "a.jsonl"), lines([rows[2]], "b.jsonl")
    result = curate(
        {
            "sources": [source(first), source(second)],
            "steps": STEPS,
            "split": {"test": 0.2},
        }
    )
    page = page_of(result.path)
    ledger = json.loads((result.path / "ledger.json").read_text())
    shown = {row[0]: row for row in page.tables[0] if row[1:2] == ["all"]}
    for step in ledger["steps"]:
        assert shown[step["step"]][2:4] == [f"{step['in']['rows']:,}", f"{step['kept']['rows']:,}"]
        for reason, count in step["dropped"].items():
            assert f"{count['rows']:,} {reason}" in shown[step["step"]][4]
    by_source = [row for row in page.tables[0] if row[:1] == [""]]
    entries = [[f"{e['in']['rows']:,}", f"{e['kept']['rows']:,}"] for e in ledger["entries"]]
    assert [row[2:4] for row in by_source] == entries
    splits = next(table for table in page.tables if table[0][0] == "split")
    assert [row[:2] for row in splits[1:]] == [
        [name, f"{count['rows']:,}"] for name, count in ledger["splits"].items()
    ]
    assert result.ledger.balance in page.text


def test_the_pairs_on_both_sides_of_the_threshold_are_shown(
    curate: Curate, lines: Lines, page_of: PageOf
) -> None:
    result = curate({"sources": [source(lines(questions(60)))], "steps": STEPS})
    text = page_of(result.path).text
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    near = dropped.filter(pl.col("reason") == "near_duplicate")
    assert near.height
    assert text.count('class="pair gone"') == min(10, near.height)
    assert "<ins>" in text and "<del>" in text
    assert 'class="limit"' in text


def test_hostile_text_is_shown_but_does_nothing(
    curate: Curate, lines: Lines, page_of: PageOf
) -> None:
    rows = questions(30)
    for place, row in enumerate(rows):
        row["kind"] = f"{HOSTILE}{place % 2}"
        row["completion"] += HOSTILE
    rows += [{"prompt": HOSTILE, "completion": f"{n}", "kind": HOSTILE} for n in range(5)]
    rows += rows[-5:]
    broken = f'{{"prompt": "{HOSTILE[:20]}", '
    result = curate(
        {
            "sources": [source(lines([*rows, broken], "a<b>\x1b\u202e.jsonl"))],
            "steps": ["exact_duplicates", {"near_duplicates": {"threshold": 0.75}}],
            "split": {"test": 0.2, "stratify": "label"},
            "max_quarantine": "10%",
            "circuit_breaker": 1,
        }
    )
    page = page_of(result.path)
    assert "img" not in {tag for tag, _ in page.tags}
    for character in ("\x1b", "\x07", "\u202e", "\u202c"):
        assert character not in page.text
        assert character not in (result.path / "README.md").read_text()
    assert "{{ 7 * 7 }}" in page.text
    assert r"a&lt;b&gt;\x1b\u202e.jsonl" in page.text
    card = (result.path / "README.md").read_text()
    assert "<script" not in card.replace("`", "").split("## Sources")[0]


def test_redacted_values_are_nowhere_even_as_they_were_read(
    curate: Curate, lines: Lines, page_of: PageOf
) -> None:
    secret, mangled = "jane.roe@example.org", "jane.roe\u200b@example.org"
    rows = questions(30)
    rows[0]["prompt"] += f" Write to {secret}."
    rows[3]["prompt"] += f" Write to {mangled}."
    rows[6]["kind"] = secret
    rows[9]["prompt"] += " donâ€™t"
    rows += [{**rows[0], "completion": ""}]
    steps = [*STEPS, "empty_answers", {"balance": {"by": "label", "cap": 9, "count": "rows"}}]
    result = curate({"sources": [source(lines(rows))], "steps": steps, "circuit_breaker": 1})
    page = page_of(result.path)
    card = (result.path / "README.md").read_text()
    for text in (page.text, card):
        assert "jane" not in text and "roe" not in text
    assert "&lt;EMAIL_1&gt;" in page.text
    assert "donâ€™t" in page.text or "â€™" in page.text
    assert "not checked again" not in card


def test_redacted_values_are_in_no_published_file_and_in_no_error(
    curate: Curate, lines: Lines
) -> None:
    secret = "jane.roe@example.org"
    rows = questions(40)
    for place in (1, 4, 7):
        rows[place]["kind"] = secret
    for place in range(10, 20):
        rows[place]["prompt"] += f" Write to {secret}."
        rows[place]["completion"] += f" {secret}"
    rows[30] = {secret: 1}
    steps: list[Any] = [
        "repair",
        {"consistency": {"share": 0.6}},
        {"near_duplicates": {"threshold": 0.8}},
        {"semantic_duplicates": {"embedder": "lexical", "threshold": 0.9}},
        {"balance": {"by": "label", "upsample": "max", "count": "rows"}},
        {"redact": {"kinds": ["email"]}},
        {"topics": {"count": 3}},
    ]
    split = {"validation": 0.1, "test": 0.1, "stratify": "label"}
    section = {
        "sources": [source(lines(rows))],
        "steps": steps,
        "split": split,
        "circuit_breaker": 1,
        "max_quarantine": 0.1,
    }
    result = curate(section)
    copies = pl.read_parquet(result.path / "altered.parquet").filter(pl.col("reason") == "repeated")
    assert copies.filter(pl.col("detail").str.contains("<EMAIL_1>", literal=True)).height
    for file in sorted(result.path.iterdir()):
        text = (
            str(pl.read_parquet(file).to_dicts())
            if file.suffix == ".parquet"
            else file.read_text(encoding="utf-8")
        )
        assert "jane" not in text and "roe@" not in text, file.name
    assert not any("jane" in note for note in result.notes)
    wrong = {"balance": {"by": "label", "target": {"nowhere": 1.0}, "count": "rows"}}
    with pytest.raises(DataError) as caught:
        curate({**section, "steps": [wrong, {"redact": {"kinds": ["email"]}}]})
    assert "jane" not in str(caught.value) and "<EMAIL_1>" in str(caught.value)


TURNS = [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b"}]
ONE = {
    "messages": {"messages": TURNS},
    "prompt_completion": {"prompt": "a?", "completion": "b"},
    "preference": {"prompt": "a?", "chosen": "b", "rejected": "c"},
    "unpaired_preference": {"prompt": "a?", "completion": "b", "label": True},
    "answer": {"question": "1 + 1?", "answer": "Two.\n#### 2"},
    "text": {"text": "a b c"},
}


@pytest.mark.parametrize("kind", ONE)
def test_one_row_of_any_type_without_steps_has_a_report_and_a_card(
    curate: Curate, lines: Lines, page_of: PageOf, kind: str
) -> None:
    result = curate({"sources": [str(lines([ONE[kind]]))], "type": kind})
    page = page_of(result.path)
    assert "No row was dropped." in page.text
    assert "There is one split" in page.text
    assert "100 %" in page.text
    assert "# made" in (result.path / "README.md").read_text()


@pytest.mark.parametrize("kind", ["messages", "preference", "unpaired_preference", "text"])
def test_every_type_with_drops_has_a_report(
    curate: Curate, lines: Lines, page_of: PageOf, kind: str
) -> None:
    rows = [json.loads(json.dumps(ONE[kind]).replace("a?", f"a{n}?")) for n in range(8)]
    if kind == "text":
        rows = [{"text": f"a b c {n}"} for n in range(8)]
    result = curate(
        {
            "sources": [str(lines([*rows, *rows[:3], "{"]))],
            "type": kind,
            "steps": ["exact_duplicates", "near_duplicates"],
            "max_quarantine": 0.5,
        }
    )
    page = page_of(result.path)
    assert "3 exact_duplicate" in page.text


def test_the_same_rows_give_the_same_report_and_card(curate: Curate, lines: Lines) -> None:
    section = {"sources": [source(lines(questions(40)))], "steps": STEPS, "split": {"test": 0.2}}
    written = []
    for _ in range(2):
        path = curate(section).path
        written.append([(path / name).read_bytes() for name in ("report.html", "README.md")])
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    assert written[0] == written[1]


@pytest.mark.slow
def test_large_rows_and_many_sources_do_not_make_a_large_page(
    curate: Curate, lines: Lines, page_of: PageOf
) -> None:
    whole = "<&\u202e" * 1_000_000
    rows = [{"prompt": f"{number}? {whole}", "completion": "é" * 5_000} for number in (1, 1, 2)]
    sources = [str(lines(rows, "large.jsonl"))]
    sources += [str(lines([row], f"s{n}.jsonl")) for n, row in enumerate(questions(130))]
    begun = time.monotonic()
    result = curate({"sources": sources, "steps": ["exact_duplicates"], "circuit_breaker": 1})
    assert time.monotonic() - begun < 120
    size = (result.path / "report.html").stat().st_size
    assert size < 2_000_000
    assert (result.path / "README.md").stat().st_size < 60_000
    page = page_of(result.path)
    assert "more characters" in page.text


@pytest.mark.parametrize("count", [1, 300])
def test_equal_rows_are_one_row(curate: Curate, lines: Lines, page_of: PageOf, count: int) -> None:
    result = curate(
        {
            "sources": [str(lines([{"prompt": "a?", "completion": "b"}] * count))],
            "steps": ["exact_duplicates", "near_duplicates"],
            "circuit_breaker": 1,
        }
    )
    page = page_of(result.path)
    assert "No two rows are alike" in page.text
