"""Scores on their way through a curation: into the dataset, the dropped rows, the story of one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from curate.explaining import find_row
from curate.publish import SPLITS
from curate.recipe import CurateSection
from curate.steps.configs import StepConfig
from evalsuite.builtin.general import general_items

from .conftest import Curate

Lines = Callable[..., Path]


@pytest.fixture
def raw(lines: Lines) -> Path:
    rows = [
        {
            "messages": [
                {"role": "user", "content": item.prompt},
                {"role": "assistant", "content": item.answer},
            ]
        }
        for item in general_items(7, 60)
    ]
    return lines(rows)


def section(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"sources": ["rows.jsonl"], "steps": list(steps), "circuit_breaker": 1.0, **more}


PERPLEXITY = {"score": {"perplexity": {"model": "builtin", "keep_share": "80%"}}}
IFD = {"score": {"ifd": {"model": "builtin"}}}


def test_scores_are_in_meta_in_the_dropped_rows_and_in_the_story(raw: Path, curate: Curate) -> None:
    result = curate(section(PERPLEXITY, IFD, split={"test": 0.2, "similarity": 0.95}))
    assert result.path is not None
    kept = pl.concat(
        [
            pl.read_parquet(result.path / f"{name}.parquet")
            for name in SPLITS
            if (result.path / f"{name}.parquet").is_file()
        ]
    )
    found = kept["meta"].struct.field("scores").struct.unnest()
    assert found.columns == ["perplexity", "perplexity_bits_per_byte", "ifd"]
    assert found.null_count().sum_horizontal().item() == 0
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    assert dropped.height == 12
    gone = dropped["scores"].struct.unnest()
    assert gone["perplexity"].min() > found["perplexity"].max()  # type: ignore[operator]
    assert gone["ifd"].null_count() == 12  # dropped before it was asked for
    story = find_row(result.path, kept["id"][0])
    assert float(story["score ifd"]) == pytest.approx(found["ifd"][0], rel=1e-4)
    assert "scores" not in story
    told = find_row(result.path, dropped["id"][0])
    assert told["reason"] == "outside_share"
    assert told["score ifd"] == "none"
    assert float(told["score perplexity"]) > 0
    ledger = json.loads((result.path / "ledger.json").read_text())
    assert set(ledger["scores"]) == {"perplexity", "perplexity_bits_per_byte", "ifd"}
    assert ledger["scores"]["ifd"].startswith("ifd-")


def test_a_dataset_without_scores_has_no_such_field(raw: Path, curate: Curate) -> None:
    result = curate(section())
    assert result.path is not None
    meta = pl.read_parquet(result.path / "train.parquet")["meta"]
    assert "scores" not in meta.struct.fields


def test_steps_after_a_score_use_it_and_keep_it(raw: Path, curate: Curate) -> None:
    balance = {"balance": {"by": "difficulty", "upsample": "max", "count": "rows"}}
    select = {"select": {"rows": 12, "method": "mmr", "quality": "-ifd", "quality_share": 1.0}}
    result = curate(section(IFD, balance, select))
    assert result.path is not None
    kept = pl.read_parquet(result.path / "train.parquet")
    values = kept["meta"].struct.field("scores").struct.field("ifd")
    assert len(values) == 12
    assert values.null_count() == 0
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    others = dropped["scores"].struct.field("ifd").drop_nulls()
    assert values.max() <= others.min()  # type: ignore[operator]


def test_a_scored_dataset_can_be_curated_again_and_its_scores_are_known(
    raw: Path, curate: Curate
) -> None:
    first = curate(section(PERPLEXITY))
    assert first.path is not None
    again = curate(section(PERPLEXITY, sources=[str(first.path / "train.parquet")]))
    assert again.path is not None
    assert any(": 0 of " in note for note in again.notes)


def test_the_same_recipe_gives_the_same_digest_and_other_settings_another(
    raw: Path, curate: Curate
) -> None:
    first = curate(section(PERPLEXITY))
    assert curate(section(PERPLEXITY)).existed
    loose = {"score": {"perplexity": {"model": "builtin", "keep_share": "90%"}}}
    assert curate(section(loose)).digest != first.digest


def test_rows_kept_by_decision_have_their_score(raw: Path, curate: Curate, tmp_path: Path) -> None:
    first = curate(section(PERPLEXITY))
    assert first.path is not None
    row = pl.read_parquet(first.path / "dropped.parquet")["id"][0]
    (tmp_path / "decisions").mkdir()
    line = {"id": row, "decision": "keep", "why": "it is good"}
    (tmp_path / "decisions" / "made.jsonl").write_text(json.dumps(line) + "\n")
    again = curate(section(PERPLEXITY))
    assert again.path is not None
    kept = pl.read_parquet(again.path / "train.parquet").filter(pl.col("id") == row)
    assert kept["meta"].struct.field("scores").struct.field("perplexity").item() is not None


def test_configs_refuse_what_has_no_sense() -> None:
    def valid(*steps: Any) -> CurateSection:
        return CurateSection.model_validate(section(*steps))

    assert StepConfig.model_validate({"score": "ifd"}).model_dump() == {
        "score": {"ifd": valid(IFD).steps[0].score.ifd.model_dump() | {"model": None}}  # type: ignore[union-attr]
    }
    for steps in (
        [PERPLEXITY, PERPLEXITY],
        [PERPLEXITY, "repair"],
        [PERPLEXITY, {"redact": {}}],
        [{"score": {}}],
        [{"score": {"ifd": {}, "perplexity": {}}}],
        [{"score": {"ifd": {"keep_share": 1.0}}}],
        [{"score": {"ifd": {"min": 2, "max": 1}}}],
        [{"score": {"ifd": {"name": "meta.x"}}}],
        [{"score": {"judge": {"backend": "builtin"}}}],
        [{"score": {"reward": {}}}],
    ):
        with pytest.raises(ValidationError):
            valid(*steps)
    judge = {"backend": {"base_url": "http://127.0.0.1:1/v1", "model": "m"}, "rubric": "good?"}
    with pytest.raises(ValidationError, match="price"):
        valid({"score": {"judge": {**judge, "budget": {"money": 1.0}}}})
    valid(
        {"score": {"judge": judge}},
        {"score": {"judge": {**judge, "rubric": "kind?", "name": "kind"}}},
    )


def test_the_schema_and_the_help_import_no_model_library() -> None:
    code = (
        "import sys, curate, curate.recipe, curate.cli\n"
        "heavy = {'torch', 'transformers', 'polars', 'openai'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_scores_and_shows_the_story(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from tui.command_line import app

    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    done = runner.invoke(
        app,
        [
            "curate",
            "score",
            "perplexity",
            "rows.jsonl",
            "-o",
            "out",
            "--model",
            "builtin",
            "--keep-share",
            "50%",
            "--set",
            "keep=highest",
            "--set",
            "name=surprise",
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    ledger = json.loads(done.stdout)
    assert ledger["rows"] == {"in": 60, "kept": 30, "dropped": 30, "made": 0}
    assert list(ledger["scores"]) == ["surprise", "surprise_bits_per_byte"]
    dropped = pl.read_parquet(tmp_path / "out" / "dropped.parquet")
    assert dropped["detail"].str.ends_with("the last of the highest 50%").all()
    story = runner.invoke(app, ["curate", "explain", "rows.jsonl:1", "--dataset", "out"])
    assert story.exit_code == 0
    assert "score surprise" in story.stdout
