"""The report and the card: self-contained, and inert whatever the rows hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HOSTILE = "<script>alert(1)</script> \x1b[31m {{ 7 * 7 }} [bold]x[/bold]"


def make(curate: Callable[..., Any], lines: Callable[..., Path]) -> Path:
    names = [f"{first}{second}" for first in "bcdfgh" for second in ("apple", "melon", "grape")]
    rows = [{"prompt": f"Where is the {a} {b}?", "completion": "a"}
            for a, b in zip(names * 3, names[1:] * 3, strict=False)][:35]  # fmt: skip
    rows += [{"prompt": HOSTILE, "completion": f"{n}"} for n in (0, 1, 2, 3, 4)]
    rows += rows[-5:]
    result = curate(
        {
            "sources": [str(lines([*rows, f'{{"prompt": "{HOSTILE[:8]}", '], "a<b>\x1b.jsonl"))],
            "steps": ["exact_duplicates"],
            "split": {"test": 0.1, "similarity": 1.0},
            "max_quarantine": "10%",
        }
    )
    assert isinstance(result.path, Path)
    return result.path


def test_hostile_text_is_shown_but_does_nothing(
    curate: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    page = (make(curate, lines) / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "{{ 7 * 7 }}" in page
    assert r"a&lt;b&gt;\x1b.jsonl" in page


def test_the_report_needs_no_network_and_shows_the_funnel(
    curate: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    page = (make(curate, lines) / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<rect") == 6
    assert "exact_duplicate" in page
    assert "bad_json" in page


def test_the_card_names_only_the_splits_there_are(
    curate: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    text = (make(curate, lines) / "README.md").read_text()
    front = YAML(typ="safe").load(text.split("---")[1])
    assert front["configs"][0]["data_files"] == [
        {"split": "train", "path": "train.parquet"},
        {"split": "test", "path": "test.parquet"},
    ]
    assert "46 rows were read; 40 were kept and 6 dropped" in text
