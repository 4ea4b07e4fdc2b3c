"""`temper curate` as it is typed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from curate.cli import Speaker, app
from curate.recipe import CurateSection
from workspace.context import Context
from workspace.errors import DataError, LimitExceeded, Stopped, UsageError, WorkError

Lines = Callable[..., Path]
Type = Callable[..., Any]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type a command in the workspace; errors of ours come through as they are."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: bytes | None = None) -> Any:
        context = Context(lambda: {"curate": CurateSection}, argv=("temper", "curate", *arguments))
        result = CliRunner().invoke(app, list(arguments), obj=context, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def rows(count: int) -> list[dict[str, str]]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        {"instruction": f"Say {letters[n % 26]} {letters[n // 26]}", "output": f"word {n}"}
        for n in range(count)
    ]


def write_recipe(directory: Path, name: str = "temper.yaml") -> None:
    section = {"sources": ["rows.jsonl"], "steps": ["exact_duplicates"]}
    (directory / name).write_text(json.dumps({"name": "made", "curate": section}))


def test_notes_name_the_step_that_says_them(typed: Type, lines: Lines, tmp_path: Path) -> None:
    lines([*rows(3), {"instruction": "Write to a.b@example.org", "output": "done"}])
    told = "· redact: Found 1 e-mail address."
    assert told in typed("redact", "rows.jsonl", "-o", "out.jsonl").stderr.splitlines()
    section = {"sources": ["rows.jsonl"], "steps": ["redact"]}
    (tmp_path / "temper.yaml").write_text(json.dumps({"name": "made", "curate": section}))
    assert told in typed().stderr.splitlines()


def test_shared_options_come_after_a_commands_own_and_its_arguments_before_the_files(
    typed: Type,
) -> None:
    shown = typed("score", "--help").output
    assert "{kind} {IN…}" in shown
    places = [shown.index(name) for name in ("--keep-share", "--columns", "--type", "--json")]
    assert places == sorted(places)


def test_without_a_step_the_recipe_is_run(typed: Type, lines: Lines, tmp_path: Path) -> None:
    lines([*rows(20), *rows(2)])
    write_recipe(tmp_path)
    result = typed()
    assert result.exit_code == 0
    assert "22 in = 20 kept + 2 dropped" in result.stderr
    assert (tmp_path / "datasets" / "made" / "current" / "train.parquet").is_file()
    job = json.loads(next((tmp_path / "jobs").glob("*/job.json")).read_text())
    assert job["state"] == "finished"
    assert job["result"].startswith("datasets/made/")


def test_a_first_word_that_is_no_step_is_a_recipe(
    typed: Type, lines: Lines, tmp_path: Path
) -> None:
    lines(rows(5))
    write_recipe(tmp_path, "other.yaml")
    result = typed("other.yaml", "--set", "curate.split.test=0.2", "--json")
    document = json.loads(result.stdout)
    assert document["ledger"]["splits"]["test"]["rows"] == 1


def test_dry_run_makes_neither_dataset_nor_job(typed: Type, lines: Lines, tmp_path: Path) -> None:
    lines(rows(5))
    write_recipe(tmp_path)
    assert typed("--dry-run").exit_code == 0
    assert not (tmp_path / "jobs").exists()
    assert not (tmp_path / "datasets").exists()


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv"])
def test_a_step_writes_a_file_with_its_account_beside_it(
    typed: Type, lines: Lines, tmp_path: Path, ending: str
) -> None:
    lines([*rows(20), *rows(3)])
    assert typed("dedupe", "rows.jsonl", "-o", f"out.{ending}").exit_code == 0
    ledger = json.loads((tmp_path / f"out.{ending}.ledger.json").read_text())
    assert ledger["rows"] == {"in": 23, "kept": 20, "dropped": 3, "made": 0}
    assert pl.read_parquet(tmp_path / f"out.{ending}.dropped.parquet").height == 3
    again = typed("convert", f"out.{ending}", "-o", "again.jsonl")
    assert "20 in = 20 kept + 0 dropped" in again.stderr


def test_a_table_without_a_header_and_with_bare_quotes_is_read_by_options(
    typed: Type, tmp_path: Path
) -> None:
    (tmp_path / "messages").write_bytes(b'ham\t"Well, said he\nspam\tcaf\xe9 for free\n')
    options = ("--format", "tsv", "--header", "label,text", "--no-quotes", "--encoding", "cp1252")
    typed("convert", "messages", "-o", "out.jsonl", *options)
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in made] == ['"Well, said he', "café for free"]
    assert json.loads(typed("stats", "messages", "--json", *options).stdout)["rows"] == 2


def test_data_alone_goes_to_standard_output(typed: Type, tmp_path: Path) -> None:
    raw = "".join(json.dumps(row) + "\n" for row in [*rows(4), *rows(1)]).encode()
    result = typed("dedupe", "-", "-o", "-", stdin=raw)
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["messages"][1]["content"] for row in said] == [
        "word 0",
        "word 1",
        "word 2",
        "word 3",
    ]
    assert "5 in = 4 kept + 1 dropped" in result.stderr


def test_nothing_is_overwritten_without_force(typed: Type, lines: Lines, tmp_path: Path) -> None:
    lines(rows(5))
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        typed("convert", "rows.jsonl", "-o", "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    assert typed("convert", "rows.jsonl", "-o", "out.jsonl", "--force").exit_code == 0


def test_a_directory_is_a_whole_dataset_and_force_replaces_it(
    typed: Type, lines: Lines, tmp_path: Path
) -> None:
    lines(rows(20))
    typed("split", "rows.jsonl", "-o", "parts", "--test", "4", "--validation", "10%")
    assert pl.read_parquet(tmp_path / "parts" / "test.parquet").height == 4
    with pytest.raises(UsageError):
        typed("split", "rows.jsonl", "-o", "parts")
    typed("split", "rows.jsonl", "-o", "parts", "--test", "5", "--force")
    assert pl.read_parquet(tmp_path / "parts" / "test.parquet").height == 5
    assert {path.name for path in tmp_path.iterdir()} == {"parts", "rows.jsonl"}


def test_force_replaces_only_a_dataset(typed: Type, lines: Lines, tmp_path: Path) -> None:
    lines(rows(5))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    (mine / "ledger.json").write_text('{"account": "of somebody else"}')
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "link").symlink_to(mine)
    for out in ("mine", "notes", "link"):
        with pytest.raises(UsageError, match="only a dataset"):
            typed("convert", "rows.jsonl", "-o", out, "--force")
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "notes").read_text() == "mine"
    mine.rename(tmp_path / "mine.jsonl")
    with pytest.raises(UsageError, match="a directory is where"):
        typed("convert", "rows.jsonl", "-o", "mine.jsonl", "--force")


@pytest.mark.parametrize("out", [".", "..", "./", "../{name}", "/"])
def test_the_current_directory_is_no_output(
    typed: Type, lines: Lines, tmp_path: Path, out: str
) -> None:
    lines(rows(5))
    for options in ((), ("--force",)):
        with pytest.raises(UsageError, match="cannot be the output"):
            typed("convert", "rows.jsonl", "-o", out.format(name=tmp_path.name), *options)
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl"}


def test_a_failed_replacement_leaves_the_old_dataset(
    typed: Type, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines(rows(20))
    typed("convert", "rows.jsonl", "-o", "out")
    before = (tmp_path / "out" / "ledger.json").read_bytes()

    def broken(*arguments: object) -> None:
        raise WorkError("the disk is full")

    monkeypatch.setattr("curate.card.write_card", broken)
    with pytest.raises(WorkError):
        typed("dedupe", "rows.jsonl", "-o", "out", "--force")
    assert (tmp_path / "out" / "ledger.json").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl", "out"}


def test_lines_are_written_from_rows_computed_once(
    typed: Type, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines(rows(25))
    collected = []
    real = pl.LazyFrame.slice

    def counted(frame: pl.LazyFrame, *arguments: Any) -> pl.LazyFrame:
        collected.append(arguments)
        return real(frame, *arguments)

    monkeypatch.setattr("curate.files_out._BATCH", 4)
    monkeypatch.setattr(pl.LazyFrame, "slice", counted)
    typed("convert", "rows.jsonl", "-o", "out.jsonl")
    said = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["messages"][1]["content"] for row in said] == [f"word {n}" for n in range(25)]
    assert not collected


def test_splits_do_not_fit_into_one_file(typed: Type, lines: Lines) -> None:
    lines(rows(5))
    with pytest.raises(UsageError, match="directory"):
        typed("split", "rows.jsonl", "-o", "out.jsonl")


def test_decontaminate_names_file_and_field(typed: Type, lines: Lines, tmp_path: Path) -> None:
    lines(rows(5))
    (tmp_path / "test.csv").write_text("question\nsay C a!\n")
    result = typed(
        "decontaminate", "rows.jsonl", "-o", "out.jsonl", "--against", "test.csv:question"
    )
    assert "1 leak_exact" in result.stdout


def test_decontaminate_names_the_field_of_answers_too(
    typed: Type, lines: Lines, tmp_path: Path
) -> None:
    lines(rows(5))
    (tmp_path / "test.csv").write_text("question,gold\nsay C a!,word 2\n")
    against = ("decontaminate", "rows.jsonl", "-o", "out.jsonl", "--against", "test.csv:question")
    assert "1 leak_exact" in typed(*against[:-1], f"{against[-1]},gold", "--ngram", "5").stdout
    with pytest.raises(DataError, match="evaluation item"):
        typed(*against[:-1], "test.csv:nothing", "--force")


def test_dedupe_compares_one_field_and_keeps_what_is_asked_for(typed: Type, lines: Lines) -> None:
    ask = "please tell me how I can change the address that is written on my bank card"
    first = {"prompt": ask, "completion": "In the app.", "score": 2}
    lines([first, {"prompt": f"{ask} now", "completion": "Call us or visit one", "score": 1}])
    command = ("dedupe", "rows.jsonl", "-o", "-", "--circuit-breaker", "100%")
    assert len(typed(*command).stdout.splitlines()) == 2
    by_prompt = (*command, "--text", "prompt")
    assert "Call us" in typed(*by_prompt).stdout
    by_quality = (*by_prompt, "--keep", "quality", "--columns", "quality=score")
    (kept,) = typed(*by_quality).stdout.splitlines()
    assert "In the app" in kept


def test_rows_less_alike_may_be_parted(typed: Type, lines: Lines) -> None:
    words = [f"{a}{b}" for a in "kmst" for b in ("ule", "ona", "irt", "epp", "ilf")]
    stem = "say how the parcel with a red bow and a blue card comes to"
    asked = [f"{stem} {' '.join(words[n : n + 5])}" for n in range(0, 20, 5)]
    lines([{"prompt": ask, "completion": ask[-9:]} for ask in asked])
    command = ("split", "rows.jsonl", "--validation", "0", "--test", "2", "--force", "-o", "out")
    assert "test has 0 rows; 2 were asked for" in typed(*command, "--similarity", "0.3").stderr
    assert "train 2, test 2" in typed(*command, "--similarity", "1").stderr


def test_what_no_similarity_parts_is_not_told_to_be_parted_by_it(typed: Type, lines: Lines) -> None:
    lines([{"prompt": "the same question", "completion": str(n)} for n in range(4)])
    command = ("split", "rows.jsonl", "--test", "2", "--similarity", "1", "-o", "out")
    warned = typed(*command).stderr
    assert "never divided: remove more near-duplicates." in warned


def test_max_quarantine_is_a_share(typed: Type, lines: Lines) -> None:
    lines([*rows(18), "{broken", "{broken"])
    with pytest.raises(LimitExceeded):
        typed("convert", "rows.jsonl", "-o", "out.jsonl")
    arguments = ("convert", "rows.jsonl", "-o", "out.jsonl", "--max-quarantine", "10%")
    assert typed(*arguments).exit_code == 0
    with pytest.raises(UsageError):
        typed("convert", "rows.jsonl", "-o", "b.jsonl", "--max-quarantine", "lots")


def test_a_threshold_beyond_one_is_refused(typed: Type, lines: Lines) -> None:
    lines(rows(3))
    with pytest.raises(UsageError) as caught:
        typed("dedupe", "rows.jsonl", "-o", "out.jsonl", "--threshold", "7")
    assert "threshold" in caught.value.where


def test_stats_tell_formats_and_lengths(typed: Type, lines: Lines) -> None:
    lines([*rows(20), {"odd": 1}])
    found = json.loads(typed("stats", "rows.jsonl", "--json").stdout)
    assert found["sources"][0]["formats"] == {"alpaca": 20}
    assert found["unusable"] == {"no_format": 1}
    assert found["characters"]["prompt"]["most"] == 7


def test_explain_tells_the_way_of_a_row(typed: Type, lines: Lines, tmp_path: Path) -> None:
    lines([*rows(5), *rows(1)])
    write_recipe(tmp_path)
    typed()
    dropped = json.loads(typed("explain", "rows.jsonl:6", "--json").stdout)
    assert dropped["verdict"] == "dropped at exact_duplicates"
    kept = json.loads(typed("explain", dropped["duplicate of"], "--json").stdout)
    assert kept["verdict"] == "kept in train"
    assert kept["row"] == 1
    with pytest.raises(UsageError, match="no row"):
        typed("explain", "rows.jsonl:99")


def test_a_signal_while_reading_stops_without_a_dataset_and_says_what_to_do(
    typed: Type, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines([{"prompt": f"{number}", "completion": "x"} for number in range(2500)])
    write_recipe(tmp_path)

    def interrupt(speaker: Speaker, rows: int, what: str) -> None:
        assert speaker.progress.what == "reading"
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Speaker, "tick", interrupt)
    with pytest.raises(Stopped) as caught:
        typed()
    assert "begins anew" in caught.value.cure
    assert not list((tmp_path / "datasets").iterdir())


def test_stats_show_how_rows_were_recognised_with_an_example_of_each(
    typed: Type, lines: Lines
) -> None:
    rows = [
        {"instruction": "Say \x1b[31mred", "output": "red", "prompt": "a", "completion": "b"},
        {"question": "2+2?", "answer": "4"},
        {"else": 1},
    ]
    lines(rows)
    found = json.loads(typed("stats", "rows.jsonl", "--json").stdout)
    first, second = found["sources"][0]["detected"]
    assert (first["format"], first["also"]) == ("alpaca", ["prompt_completion"])
    assert second["example"] == "2+2? → 4"
    assert found["unusable_examples"] == {"no_format": "rows.jsonl:3: its keys are else"}
    shown = typed("stats", "rows.jsonl")
    text = shown.stdout + shown.stderr
    assert "instruction, output" in text and "2: 2+2? → 4" in text
    assert "\x1b[31m" not in text
    assert "`columns:` decides otherwise" in text
