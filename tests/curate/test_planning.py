"""What a curation will take is told before it begins."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.planning import plan as planning
from curate.planning.machine import free_disk_bytes, free_memory_bytes
from curate.planning.plan import plan_curation
from curate.planning.sample import Expected, expected
from curate.recipe import CurateSection, Source
from workspace.errors import LimitExceeded

GIGABYTE = 10**9


def rows(count: int) -> str:
    return "".join(
        json.dumps({"prompt": f"what is {n}", "completion": "x " * (20 + n % 30)}) + "\n"
        for n in range(count)
    )


def seen(path: Path, **more: Any) -> Expected:
    return expected([Source(path=str(path), **more)], path.parent)


def test_rows_are_told_from_sizes_and_a_few_rows(tmp_path: Path) -> None:
    text = rows(30_000)
    (tmp_path / "a.jsonl").write_text(text)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    pl.DataFrame({"prompt": ["a"] * 7_000, "completion": ["b"] * 7_000}).write_parquet(
        tmp_path / "c.parquet"
    )
    (tmp_path / "d.csv").write_text("prompt,completion\n" + "ask,say\n" * 50)
    (tmp_path / "f.csv").write_text("prompt,completion\n" + "ask,say\n" * 3_000)
    (tmp_path / "e.json").write_text(json.dumps([{"prompt": "a", "completion": "b"}] * 40))
    for name, count, tolerance in (
        ("a.jsonl", 30_000, 0.02),
        ("b.jsonl.gz", 30_000, 0.1),
        ("c.parquet", 7_000, 0),
        ("d.csv", 50, 0),
        ("e.json", 40, 0),
        ("f.csv", 3_000, 0.02),
    ):
        found = seen(tmp_path / name)
        assert found.rows == pytest.approx(count, rel=tolerance), name
        assert found.size_bytes == (tmp_path / name).stat().st_size
    assert seen(tmp_path / "a.jsonl").text_bytes == pytest.approx(len(text), rel=0.05)


def test_long_rows_at_the_beginning_mislead_nobody(tmp_path: Path) -> None:
    long = json.dumps({"prompt": "a", "completion": "b" * 20_000}) + "\n"
    (tmp_path / "a.jsonl").write_text(long * 200 + rows(60_000))
    assert seen(tmp_path / "a.jsonl").rows == pytest.approx(60_200, rel=0.35)


def test_a_source_of_unknown_size_is_said_to_be(tmp_path: Path) -> None:
    found = expected([Source(path="-")], tmp_path)
    assert found.unknown and found.rows == 0


@given(st.integers(0, 10**9), st.integers(0, 10**12))
def test_more_rows_or_bytes_never_take_less(count: int, size: int) -> None:
    one, more = (Expected(1, size, count * k, size * k) for k in (1, 2))
    for cost in (*planning.SECONDS.values(), planning.PEAK_BYTES, planning.DISK_BYTES):
        assert 0 <= cost.of(one) <= cost.of(more)


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    for name, text in (
        ("memory.max", "1000000"),
        ("memory.current", "700000"),
        ("memory.stat", "anon 5\ninactive_file 100000\n"),
    ):
        (tmp_path / name).write_text(text)
    assert free_memory_bytes(tmp_path) == 400_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory_bytes(tmp_path) == pytest.approx(free_memory_bytes(tmp_path / "x"), rel=0.5)
    assert free_disk_bytes(tmp_path / "not" / "there") > 0


def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: float, disk: float) -> Any:
    (tmp_path / "a.jsonl").write_text(rows(500))
    many = Expected(1, GIGABYTE, 1_000_000, GIGABYTE)
    monkeypatch.setattr(planning, "expected", lambda *_: many)
    monkeypatch.setattr(planning, "free_memory_bytes", lambda: int(memory * GIGABYTE))
    monkeypatch.setattr(planning, "free_disk_bytes", lambda _: int(disk * GIGABYTE))
    section = CurateSection.model_validate(
        {"sources": ["a.jsonl"], "steps": ["near_duplicates"], "split": {"test": 0.1}}
    )
    return plan_curation(section, tmp_path, tmp_path, counts_tokens=True)


def test_a_plan_names_stages_memory_and_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = large(tmp_path, monkeypatch, 100, 1000)
    assert plan.is_large and not plan.lacks
    text = "\n".join(plan.lines())
    for word in ("1,000,000 rows", "1,000 MB", "counting tokens", "splitting", "100.0 GB free"):
        assert word in text
    plan.check()


@pytest.mark.parametrize(("memory", "disk", "lacks"), [(1, 1000, "memory"), (100, 1, "disk")])
def test_what_cannot_end_well_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: float, disk: float, lacks: str
) -> None:
    plan = large(tmp_path, monkeypatch, memory, disk)
    with pytest.raises(LimitExceeded, match="too large for this machine") as told:
        plan.check()
    assert lacks in told.value.cause and "--force" in told.value.cure
    assert told.value.exit_code == 6


def test_a_run_stops_before_reading_unless_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import curate

    monkeypatch.setattr(planning, "LARGE_ROWS", 10)
    monkeypatch.setattr(planning, "free_memory_bytes", lambda: 1000)
    (tmp_path / "rows.jsonl").write_text(rows(60))
    (tmp_path / "temper.yaml").write_text("name: made\ncurate: {sources: [rows.jsonl]}\n")
    with pytest.raises(LimitExceeded):
        curate.run(tmp_path / "temper.yaml")
    assert not (tmp_path / "datasets").exists()
    assert curate.run(tmp_path / "temper.yaml", force=True).ledger.rows_kept == 60


def test_check_tells_the_plan(tmp_path: Path) -> None:
    from tui.check import check_recipe
    from tui.schema import compose
    from workspace.recipe import load_recipe

    (tmp_path / "rows.jsonl").write_text(rows(60))
    (tmp_path / "temper.yaml").write_text("name: made\ncurate: {sources: [rows.jsonl]}\n")
    findings = check_recipe(load_recipe(tmp_path / "temper.yaml", compose()))
    [told] = [finding for finding in findings if finding.what == "curation"]
    assert told.level == "ok" and "about 60 rows" in told.found


def test_a_plan_says_of_which_steps_it_cannot_tell_the_time(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(rows(60))
    steps = [
        {"topics": {"embedder": "lexical"}},
        {"score": {"perplexity": {"model": "builtin"}}},
        {"semantic_duplicates": {"embedder": "models/mine"}},
    ]
    section = CurateSection.model_validate({"sources": ["rows.jsonl"], "steps": steps})
    plan = plan_curation(section, tmp_path, tmp_path, counts_tokens=False)
    assert plan.untimed == ("score", "semantic_duplicates")
    assert "and what the models of score, semantic_duplicates take" in plan.told_time


def test_check_shows_nothing_that_the_recipe_redacts(tmp_path: Path) -> None:
    from tui.check import check_recipe
    from tui.schema import compose
    from workspace.recipe import load_recipe

    (tmp_path / "rows.jsonl").write_text('{"jane.roe@example.org": 1}\n' + rows(60))
    recipe = "name: made\ncurate: {sources: [rows.jsonl], steps: [redact]}\n"
    (tmp_path / "temper.yaml").write_text(recipe)
    findings = check_recipe(load_recipe(tmp_path / "temper.yaml", compose()))
    [told] = [finding for finding in findings if finding.what == "source"]
    assert "<EMAIL_1>" in told.found and "jane" not in told.found
