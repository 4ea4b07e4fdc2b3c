"""Datasets by weight: the shares, the sources, and the account."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import curate as package
from curate.recipe import CurateSection
from workspace.errors import DataError, UsageError

Lines = Callable[..., Path]


def rows(name: str, count: int, words: int = 1) -> list[dict[str, str]]:
    said = " ".join(["word"] * words)
    return [{"prompt": f"{name} asks {n}", "completion": said} for n in range(count)]


def frame(count: int, words: int = 1, **columns: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "prompt": [[{"role": "user", "content": f"q{n}"}] for n in range(count)],
            "completion": [[{"role": "assistant", "content": "w " * words}]] * count,
            **columns,
        }
    )


def test_sources_with_weights_have_their_shares_and_are_named_in_meta(
    curate: Callable[..., Any], lines: Lines
) -> None:
    first, second = lines(rows("a", 30), "a.jsonl"), lines(rows("b", 60), "b.jsonl")
    section = {
        "sources": [{"path": str(first), "weight": 3}, {"path": str(second), "weight": 1}],
        "mix": {"count": "rows"},
    }
    result = curate(section)
    table = pl.read_parquet(result.path / "train.parquet")
    sources = Counter(table["meta"].struct.field("source"))
    assert sources == {"a.jsonl": 30, "b.jsonl": 10}
    assert result.ledger.balance == "90 in = 40 kept + 50 dropped"
    assert result.ledger.steps[-1] == "mix"
    assert any(note.startswith("Shares of rows: ") and "75.0%" in note for note in result.notes)
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    assert set(dropped["reason"]) == {"over_share"}


def test_tokens_of_answers_are_what_is_weighed(curate: Callable[..., Any], lines: Lines) -> None:
    first, second = lines(rows("a", 40, 4), "a.jsonl"), lines(rows("b", 40, 1), "b.jsonl")
    sources = [{"path": str(first), "weight": 1}, {"path": str(second), "weight": 1}]
    result = curate({"sources": sources})
    table = pl.read_parquet(result.path / "train.parquet")
    assert Counter(table["meta"].struct.field("source")) == {"a.jsonl": 10, "b.jsonl": 40}
    assert any("words and symbols of the answers were counted" in note for note in result.notes)


def test_a_small_source_may_be_repeated(curate: Callable[..., Any], lines: Lines) -> None:
    first, second = lines(rows("a", 10), "a.jsonl"), lines(rows("b", 30), "b.jsonl")
    sources = [{"path": str(first), "weight": 1}, {"path": str(second), "weight": 1}]
    result = curate({"sources": sources, "mix": {"count": "rows", "size": "up"}})
    assert result.ledger.balance == "40 in + 20 made = 60 kept + 0 dropped"


def test_weights_are_given_to_all_sources_or_to_none() -> None:
    for section in (
        {"sources": [{"path": "a", "weight": 1}, {"path": "b"}]},
        {"sources": ["a"], "mix": {}},
        {"sources": [{"path": "a", "weight": 0}]},
    ):
        with pytest.raises(ValidationError):
            CurateSection.model_validate(section)


def test_frames_are_mixed_in_python_and_keep_their_own_sources() -> None:
    own = frame(10, source=["file.jsonl"] * 10)
    outcome = package.mix({"a": own, "b": frame(90)}, {"a": 0.5, "b": 0.5}, count="rows")
    kept = outcome.kept.collect()
    assert Counter(kept["source"]) == {"file.jsonl": 10, "b": 10}
    assert kept["id"].is_unique().all()
    assert outcome.dropped.height == 80
    assert kept.columns == [name for name in kept.columns if not name.startswith("_source")]


def test_frames_that_share_ids_are_told_apart() -> None:
    both = {"a": frame(3, id=["x", "y", "z"]), "b": frame(3, id=["x", "y", "z"])}
    kept = package.mix(both, {"a": 1, "b": 1}, count="rows").kept.collect()
    assert kept.height == 6
    assert kept["id"].is_unique().all()


def test_turns_may_differ_in_their_fields_but_rows_not_in_their_type() -> None:
    turn = {"role": "assistant", "content": "w", "name": "bot"}
    other = frame(3).with_columns(completion=pl.Series([[turn]] * 3))
    kept = package.mix({"a": frame(3), "b": other}, {"a": 1, "b": 1}, count="rows").kept.collect()
    assert kept.height == 6
    with pytest.raises(DataError, match="two types"):
        package.mix({"a": frame(3), "b": pl.DataFrame({"text": ["x"]})}, {"a": 1, "b": 1})


def test_frames_without_weight_or_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="weight"):
        package.mix({"a": frame(3)}, {"b": 1})
    with pytest.raises(UsageError, match="weight"):
        package.mix({"a": frame(3)}, {"a": 0})
    with pytest.raises(DataError, match="nothing to mix") as caught:
        package.mix({"a": frame(3), "b": frame(3, words=0)}, {"a": 1, "b": 1})
    assert caught.value.where == "b"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.lists(st.floats(0.1, 10), min_size=4, max_size=4),
    st.sampled_from(["down", "same", "up"]),
)
def test_shares_are_met_to_the_row_whenever_repeats_allow(
    sizes: list[int], weights: list[float], size: str
) -> None:
    frames = {f"f{n}": frame(count) for n, count in enumerate(sizes)}
    shares = {name: weight for name, weight in zip(frames, weights, strict=False)}
    outcome = package.mix(frames, shares, count="rows", size=size, max_repeats=10_000)
    kept = outcome.kept.collect()
    assert sum(sizes) + outcome.made.height == kept.height + outcome.dropped.height
    assert kept["id"].is_unique().all()
    got = Counter(kept["source"])
    for name, weight in shares.items():
        wanted = kept.height * weight / sum(shares.values())
        assert abs(got[name] - wanted) <= 1.5


def write_dataset(
    curate: Callable[..., Any], lines: Lines, tmp_path: Path, name: str, count: int
) -> None:
    path = lines(rows(name, count), f"{name}.jsonl")
    result = curate({"sources": [str(path)], "split": {"test": 2, "similarity": 1.0}})
    (tmp_path / "datasets" / "made").rename(tmp_path / "datasets" / name)
    assert result.ledger.rows_kept == count


def test_datasets_are_mixed_by_name_from_the_shell(
    curate: Callable[..., Any], lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from curate.cli import app
    from workspace.context import Context

    for name, count in (("one", 12), ("two", 32)):
        write_dataset(curate, lines, tmp_path, name, count)
    monkeypatch.chdir(tmp_path)

    def typed(*arguments: str) -> Any:
        context = Context(lambda: {"curate": CurateSection}, argv=("temper", "curate", *arguments))
        found = CliRunner().invoke(app, list(arguments), obj=context)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    typed("mix", "one", "two", "--weights", "1,2", "--count", "rows", "-o", "both")
    ledger = json.loads((tmp_path / "both" / "ledger.json").read_text())
    assert ledger["rows"] == {"in": 40, "kept": 30, "dropped": 10, "made": 0}
    table = pl.read_parquet(tmp_path / "both" / "train.parquet")
    meta = table["meta"].struct
    sources = Counter(Path(source).parent.parent.name for source in meta.field("source"))
    assert sources == {"one": 10, "two": 20}
    assert meta.field("user_id").null_count() == 0  # the id that the row has in its dataset
    with pytest.raises(UsageError, match="weight"):
        typed("mix", "one", "two", "--weights", "1", "-o", "other")
    typed(
        "balance", "two.jsonl", "--by", "source", "--cap", "9", "--count", "rows", "-o", "x.jsonl"
    )
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 9
    typed("select", "two.jsonl", "--rows", "25%", "--method", "k_centre", "-o", "y.jsonl")
    assert len((tmp_path / "y.jsonl").read_text().splitlines()) == 8
    typed(
        "balance", "two.jsonl", "--cap", "9", "--by", "source", "--model", "builtin", "-o", "z.csv"
    )
    target = ("--target", "one.jsonl=20%,*=80%", "--by", "source", "--count", "rows")
    typed("balance", "one.jsonl", "two.jsonl", *target, "-o", "w.jsonl")
    assert len((tmp_path / "w.jsonl").read_text().splitlines()) == 40


def test_a_quality_column_is_read_named_and_used(curate: Callable[..., Any], lines: Lines) -> None:
    data = [{"prompt": f"q {n}", "completion": "a", "score": n / 10} for n in range(10)]
    data[3]["score"] = "high"
    columns = {"prompt": "prompt", "completion": "completion", "quality": "score"}
    select = {"rows": 3, "method": "mmr", "quality_share": 1.0}
    source = {"path": str(lines(data)), "columns": columns}
    result = curate({"sources": [source], "steps": [{"select": select}]})
    kept = pl.read_parquet(result.path / "train.parquet")["meta"].struct.field("row")
    assert kept.to_list() == [8, 9, 10]
    assert result.ledger.sources[0]["ignored_columns"] == {"score": 1}
