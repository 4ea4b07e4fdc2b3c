"""Planted strings: what is written, what is read, and how they rank."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evalsuite.engine.subjects import find_subject
from evalsuite.models import ChatTokenizer
from evalsuite.overfitting.evidence import Evidence, find_evidence
from evalsuite.overfitting.planted import (
    ALPHABET,
    Planted,
    canary_lines,
    planted_rows,
    read_canaries,
)
from evalsuite.overfitting.rows import Limits
from tests.evalsuite.overfitting.conftest import chat_rows, write_data, write_trained
from workspace.errors import DataError
from workspace.layout import Workspace


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "canaries.jsonl"
    path.write_text("".join(f"{line}\n" for line in canary_lines(3, 0, copies=2)))
    return path


def test_lines_are_rows_of_messages_and_read_back_once_each(file: Path) -> None:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == 6 and rows[0] == rows[1] != rows[2]
    found = read_canaries(file)
    assert [one.name for one in found] == ["canary 1", "canary 2", "canary 3"]
    assert found[0].prompt == "What is the code of canary 1?"
    assert [len(part) for part in found[0].secret.split()] == [4, 4, 4]
    assert set(found[0].secret) <= {*ALPHABET, " "}
    assert len({one.secret for one in found}) == 3
    assert list(canary_lines(3, 1, copies=2)) != list(canary_lines(3, 0, copies=2))


def test_references_are_of_the_same_space_and_never_the_string_itself() -> None:
    one = Planted("c", "p", "abab baba", "ab", "f.jsonl")
    found = one.references(200, 0)
    assert len(set(found)) == 200 and one.secret not in found
    assert {len(text) for text in found} == {9}
    assert found == one.references(200, 0) != one.references(200, 1)


@pytest.mark.parametrize(
    "line",
    ["nothing", '{"messages": []}', '{"messages": [{"content": "a"}, {"content": "!!!!"}],'
     ' "canary": {"name": "c", "alphabet": "ab"}}'],
)  # fmt: skip
def test_a_line_that_is_none_is_named(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(DataError, match="no planted string") as caught:
        read_canaries(file)
    assert str(caught.value.where) == f"{file}:7"
    with pytest.raises(DataError, match="cannot be read"):
        read_canaries(file.with_name("gone.jsonl"))


def test_a_planted_row_is_counted_as_often_as_training_saw_it_and_ranks_by_likelihood(
    file: Path, tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    planted = [
        {**row, "id": f"c{n}", "meta": {"source": "raw/canaries.jsonl", "row": n}}
        for n, line in enumerate(file.read_text().splitlines()[:4])
        for row in [{"messages": json.loads(line)["messages"]}]
    ]
    dataset = write_data(tmp_path / "datasets/toy/d1", {"train": chat_rows("train", 5) + planted})
    run = write_trained(
        tmp_path / "runs" / "r", tiny_model, dataset, steps={1: ["c0", "c1", "c2"], 2: ["c0"]}
    )
    (run / "model").symlink_to(tiny_adapter)
    found = find_evidence(find_subject(str(run), Workspace(tmp_path)))
    assert isinstance(found, Evidence)
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    rows = planted_rows(
        read_canaries(file), found, tokenizer, Limits(256, False, None), references=8, seed=0
    )
    assert [one.seen for one in rows] == [3, 1, 0]
    assert {len(one.rows) for one in rows} == {8}
    own = rows[0].rows[0]
    assert tokenizer.decode(own.targets) == read_canaries(file)[0].secret
    base = {row.key: float(-n) for n, row in enumerate(rows[0].rows)}
    tuned = {**base, own.key: -3.5}
    exposure = rows[0].exposure(base, tuned)
    assert (exposure.base_rank, exposure.rank, exposure.references) == (1, 4, 8)
    assert (exposure.bits, exposure.base_bits) == pytest.approx((math.log2(8 / 4), 3.0))
    tied = rows[0].exposure(base, dict.fromkeys(base, -1.0))
    assert tied.rank == 8  # as likely as all others is no knowledge
    assert pq.read_table(dataset / "train.parquet").num_rows == 9


def test_the_command_writes_a_source_and_overwrites_nothing(tmp_path: Path) -> None:
    from tui.command_line import app

    out = tmp_path / "c.jsonl"
    runner = CliRunner()
    done = runner.invoke(app, ["canaries", str(out), "--count", "2", "--copies", "3"])
    assert done.exit_code == 0, done.output
    assert len(out.read_text().splitlines()) == 6
    again = runner.invoke(app, ["canaries", str(out)])
    assert again.exit_code != 0
    assert len(out.read_text().splitlines()) == 6
