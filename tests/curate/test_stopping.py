"""A curation can be stopped anywhere, and leaves nothing behind that is not whole."""

from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl
import pytest

from curate.curating import CurateResult, run_curate
from curate.frame import ROW, BaseFrame
from curate.pipeline import Reporter
from curate.recipe import CurateSection
from curate.scores import Scores, scored_base
from curate.sinking import sink
from evalsuite.models import ModelSection
from workspace.errors import Stopped
from workspace.layout import Workspace
from workspace.recipe import load_recipe


class Clock:
    """Counts how often a curation asks, and stops it at one of these times."""

    def __init__(self, at: int = 0) -> None:
        self.asked, self.at = 0, at
        self.stages: list[str] = []

    def check(self) -> None:
        self.asked += 1
        if self.asked == self.at:
            raise Stopped(15)

    def tick(self, rows: int, what: str) -> None:
        self.check()

    def advance(self, done: int, total: int, what: str) -> None:
        assert 0 <= done <= total
        self.stages.append(what)
        self.check()

    def reporter(self) -> Reporter:
        return Reporter(self.stages.append, self.tick, self.check, self.advance)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [
        {"prompt": f"what is the {n} of {n % 90}", "completion": f"mail a{n}@example.org {n % 40}"}
        for n in range(400)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    section = {
        "sources": ["rows.jsonl"],
        "steps": ["exact_duplicates", "near_duplicates", "redact", {"filter": {"repetition": {}}}],
        "split": {"validation": 0.1, "test": 0.1},
        "circuit_breaker": 1,
    }
    whole = {"name": "made", "model": {"path": "builtin"}, "curate": section}
    (tmp_path / "temper.yaml").write_text(json.dumps(whole), encoding="utf-8")
    return tmp_path


def run(root: Path, clock: Clock, *, cache: bool = True) -> CurateResult:
    sections = {"curate": CurateSection, "model": ModelSection}
    recipe = load_recipe(root / "temper.yaml", sections)
    return run_curate(recipe, Workspace(root), clock.reporter(), cache=cache)


def test_every_long_stage_asks_whether_to_stop_and_tells_how_far_it_is(root: Path) -> None:
    clock = Clock()
    run(root, clock)
    stages = {"rows", "rows indexed", "bands sorted", "pairs verified", "texts read"}
    assert stages <= {*clock.stages}


def test_a_stop_at_any_time_publishes_nothing_and_spoils_no_cache(root: Path) -> None:
    whole = run(root, Clock(), cache=False)
    assert whole.path is not None
    (root / "datasets" / "made" / "current").unlink()
    whole.path.rename(root / "aside")
    asked = Clock()
    run(root, asked)
    again = Clock()
    run(root, again)
    assert again.asked < asked.asked  # most comes from the cache
    for path in (root / "datasets" / "made").iterdir():
        path.unlink() if path.is_symlink() else path.rename(root / f"first-{path.name}")
    for part in range(10):
        at = 1 + part * again.asked // 10
        clock = Clock(at)
        with pytest.raises(Stopped):
            run(root, clock, cache=part % 2 == 0)
        assert list((root / "datasets").rglob("*")) in ([], [root / "datasets" / "made"])
    last = run(root, Clock())
    assert last.digest == whole.digest


def test_writing_is_given_up_at_once(tmp_path: Path) -> None:
    text = pl.col("a").cast(pl.String).repeat_by(30).list.join("x")
    frame = pl.LazyFrame({"a": range(400_000)}).with_columns(text.alias("b")).sort("b")

    def stop() -> None:
        raise Stopped(2)

    begun = time.monotonic()
    with pytest.raises(Stopped):
        sink(frame, tmp_path / "a.parquet", check=stop)
    assert time.monotonic() - begun < 2


def test_writing_scores_is_given_up_too(tmp_path: Path) -> None:
    rows = pl.DataFrame({ROW: range(400_000)}).with_columns(pl.lit("x" * 200).alias("text"))
    rows.write_parquet(tmp_path / "base.parquet")
    base = BaseFrame(tmp_path / "base.parquet", "text", pl.DataFrame())
    values = pl.DataFrame({ROW: range(400_000), "good": [0.5] * 400_000})

    def stop() -> None:
        raise Stopped(2)

    with pytest.raises(Stopped):
        scored_base(base, Scores(values, "x"), "scored", stop)
    scored = scored_base(base, Scores(values, "x"), "scored").scan()
    assert scored.select(pl.col("scores").struct.field("good").sum()).collect().item() == 200_000


def test_writing_says_what_polars_says(tmp_path: Path) -> None:
    frame = pl.LazyFrame({"a": ["x"]}).select(pl.col("a").cast(pl.Int64))
    with pytest.raises(pl.exceptions.InvalidOperationError, match="conversion"):
        sink(frame, tmp_path / "a.parquet")
    sink(pl.LazyFrame({"a": [1, 2]}), tmp_path / "a.parquet", "zstd")
    assert pl.read_parquet(tmp_path / "a.parquet")["a"].to_list() == [1, 2]
