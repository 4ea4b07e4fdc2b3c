import csv
import gzip
import hashlib
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalsuite.builtin import suite_path, write_general, write_raw_tickets
from evalsuite.builtin.raw_tickets import COUNTS, Defect, Planted
from evalsuite.builtin.tickets import INSTRUCTION, triage_prompt

Row = tuple[str, str | None]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    directory = tmp_path_factory.mktemp("raw")
    return directory, write_raw_tickets(directory)


@cache
def records(path: Path) -> list[Any]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    if path.suffix == ".json":
        return list(json.loads(path.read_bytes()))
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [
        line if line.endswith("is") else json.loads(line) for line in data.decode().splitlines()
    ]


def row(directory: Path, file: str, number: int) -> Row:
    """Return the ticket and its answer, whatever the format: the instruction is the same in all."""
    record = records(directory / file)[number - 1]
    if "instruction" in record:
        assert record["instruction"] == INSTRUCTION
        return record["input"], record["output"]
    if "prompt" in record:
        prompt, answer = record["prompt"], record["completion"]
    else:
        turns = record.get("messages") or record["conversations"]
        key = "content" if "messages" in record else "value"
        prompt, answer = turns[0][key], turns[1][key]
    assert prompt.startswith(triage_prompt(""))
    return prompt.removeprefix(triage_prompt("")), answer


def pair(directory: Path, defect: Defect) -> tuple[Row, Row]:
    file, number = defect.of.split(":")
    return row(directory, defect.file, defect.row), row(directory, file, int(number))


def test_there_are_3000_rows_and_the_key_counts_them_all(raw: tuple[Path, Planted]) -> None:
    directory, planted = raw
    assert sum(planted.rows.values()) >= 3_000
    assert {name: len(records(directory / name)) for name in planted.rows} == planted.rows
    assert {kind: len(found) for kind, found in planted.defects.items()} == COUNTS


def test_the_same_seed_writes_the_same_bytes(raw: tuple[Path, Planted], tmp_path: Path) -> None:
    directory, planted = raw
    assert write_raw_tickets(tmp_path) == planted

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    names = [*planted.rows, "key/planted.json"]
    assert {n: digest(tmp_path / n) for n in names} == {n: digest(directory / n) for n in names}


def test_the_key_on_disk_is_the_key_returned(raw: tuple[Path, Planted]) -> None:
    directory, planted = raw
    key = json.loads((directory / "key" / "planted.json").read_bytes())
    assert key["rows"] == planted.rows
    first = planted.defects["leaked_near"][0]
    assert key["defects"]["leaked_near"][0]["of"] == first.of


def test_exact_duplicates_repeat_their_original_also_across_formats(
    raw: tuple[Path, Planted],
) -> None:
    directory, planted = raw
    found = planted.defects["exact_duplicate"]
    for defect in found:
        copy, original = pair(directory, defect)
        assert copy == original
    assert any(Path(d.file).suffix != Path(d.of.split(":")[0]).suffix for d in found)


def test_near_duplicates_differ_a_little_and_keep_the_answer(raw: tuple[Path, Planted]) -> None:
    directory, planted = raw
    for defect in planted.defects["near_duplicate"]:
        (text, answer), (original, wanted) = pair(directory, defect)
        assert text != original
        assert answer == wanted


def test_contradictions_give_another_answer_to_the_same_ticket(raw: tuple[Path, Planted]) -> None:
    directory, planted = raw
    for defect in planted.defects["contradiction"]:
        (text, answer), (original, other) = pair(directory, defect)
        assert text == original
        assert answer != other


def test_empty_and_null_answers_are_where_the_key_says(raw: tuple[Path, Planted]) -> None:
    directory, planted = raw
    for kind, value in (("empty_answer", ""), ("null_answer", None)):
        for defect in planted.defects[kind]:
            assert row(directory, defect.file, defect.row)[1] == value


def test_leaks_name_the_suite_item(raw: tuple[Path, Planted]) -> None:
    directory, planted = raw
    lines = suite_path("triage").with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    suite = {item["id"]: item for item in map(json.loads, lines)}
    for defect in planted.defects["leaked_exact"]:
        assert row(directory, defect.file, defect.row)[0] == suite[defect.of]["ticket"]
    for defect in planted.defects["leaked_near"]:
        assert row(directory, defect.file, defect.row)[0] != suite[defect.of]["ticket"]


def test_personal_data_and_broken_encoding_are_in_the_text(raw: tuple[Path, Planted]) -> None:
    directory, planted = raw
    marks = {"email": "@example.com", "phone": "0", "card": "4111 "}
    for defect in planted.defects["personal_data"]:
        assert marks[defect.detail] in row(directory, defect.file, defect.row)[0]
    for defect in planted.defects["mojibake"]:
        text = row(directory, defect.file, defect.row)[0]
        broken = text[-len(defect.detail) :]
        assert not broken.isascii()
        assert defect.detail not in text


def test_teams_are_strongly_imbalanced(raw: tuple[Path, Planted]) -> None:
    _, planted = raw
    assert planted.teams["billing"] > 5 * planted.teams["returns"]


def test_replay_rows_are_messages_with_distinct_prompts(tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    write_general(path, seed=4, count=500)
    rows = [json.loads(line)["messages"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({messages[0]["content"] for messages in rows}) == 500
    assert all([m["role"] for m in messages] == ["user", "assistant"] for messages in rows)
