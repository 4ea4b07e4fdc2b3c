"""Items in every format give the same suite; what is wrong in one is told with its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from evalsuite.tasks import LoadedSuite, load_suite
from workspace.errors import DataError, RecipeError

ROWS = [{"id": "1", "q": 'one, "two"', "a": "1"}, {"id": "2", "q": "line\nbreak", "a": "2"}]
SUITE = """\
schema_version: 1
name: s
purpose: target
tasks:
  - name: t
    kind: generation
    data: {data}
    prompt: "Q: {{{{ q }}}}"
    gold: "{{{{ a }}}}"
    scorer: exact
"""


def suite(directory: Path, data: str, more: str = "") -> LoadedSuite:
    path = directory / "s.yaml"
    path.write_text(SUITE.format(data=data) + more)
    return load_suite(path)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the same rows in every format."""
    directory = tmp_path_factory.mktemp("formats")
    (directory / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (directory / "rows.ndjson").write_text((directory / "rows.jsonl").read_text())
    (directory / "rows.json").write_text(json.dumps(ROWS, indent=1))
    (directory / "rows.csv").write_text('id,q,a\n1,"one, ""two""",1\n2,"line\nbreak",2\n')
    (directory / "rows.tsv").write_text('id\tq\ta\n1\tone, "two"\t1\n2\t"line\nbreak"\t2\n')
    table = Dataset.from_list(ROWS)
    table.to_parquet(directory / "rows.parquet")
    DatasetDict({"test": table, "train": table.select([0])}).save_to_disk(directory / "saved")
    table.save_to_disk(directory / "alone")
    (directory / "folder").mkdir()
    (directory / "folder" / "test.jsonl").write_text((directory / "rows.jsonl").read_text())
    (directory / "folder" / "train.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    return directory


@pytest.mark.parametrize(
    ("data", "more"),
    [
        *[(f"rows.{suffix}", "") for suffix in ("ndjson", "json", "csv", "tsv", "parquet")],
        ("hf:saved", "    split: test\n"),
        ("hf:folder", "    split: test\n"),
        ("hf:alone", ""),
    ],
)
def test_every_format_gives_the_same_suite(everything: Path, data: str, more: str) -> None:
    reference = suite(everything, "rows.jsonl")
    found = suite(everything, data, more)
    assert [item.question for item in found.tasks[0].items] == ['Q: one, "two"', "Q: line\nbreak"]
    assert found.digest == reference.digest


def test_a_row_of_a_dataset_is_named_by_split_and_number(everything: Path) -> None:
    (task,) = suite(everything, "hf:saved", "    split: test\n").tasks
    assert task.items[1].where.endswith("saved, test: row 2")
    with pytest.raises(DataError) as caught:
        suite(everything, "hf:saved", "    split: test\n    cluster: country\n")
    assert caught.value.where.endswith("saved, test: row 1: cluster")


def test_examples_may_come_from_another_split(everything: Path) -> None:
    more = "    split: test\n    few_shot: {data: 'hf:saved', split: train, count: 1}\n"
    (task,) = suite(everything, "hf:saved", more).tasks
    assert "1 there, 1 of them test items" in task.notes[0]


@pytest.mark.parametrize("data", ["hf:saved", "hf:folder"])
@pytest.mark.parametrize(
    ("split", "title", "cause", "cure"),
    [
        ("", "no split is said", "Found nothing; expected one of ", "never guessed"),
        ("    split: tests\n", "no such split", "Found 'tests'; expected one of ", "`test`?"),
    ],
)
def test_a_split_is_never_guessed(
    everything: Path, data: str, split: str, title: str, cause: str, cure: str
) -> None:
    with pytest.raises(DataError, match=title) as caught:
        suite(everything, data, split)
    error = caught.value
    assert error.where.endswith(f"{data.removeprefix('hf:')}: split")
    assert cause in error.cause
    assert sorted(error.cause.rsplit("one of ")[1].rstrip(".").split(", ")) == ["test", "train"]
    assert cure in error.cure


def test_a_table_saved_alone_has_no_split(everything: Path) -> None:
    with pytest.raises(DataError, match="has no splits") as caught:
        suite(everything, "hf:alone", "    split: test\n")
    assert "Leave `split` out" in caught.value.cure


def test_a_dataset_that_is_nowhere_is_told_with_the_ways_out(everything: Path) -> None:
    with pytest.raises(DataError, match="cannot be loaded") as caught:
        suite(everything, "hf:no/where", "    split: test\n")
    assert caught.value.where == "hf:no/where"
    assert caught.value.cause and "network" in caught.value.cure


def test_files_have_no_splits(everything: Path) -> None:
    with pytest.raises(RecipeError, match="no `split`, which only `data: hf:NAME` has"):
        suite(everything, "rows.jsonl", "    split: test\n")


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ('{"id": "1"}', "x.json", "expected a list"),
        ('[{"id": "1"}, 3]', "x.json: item 2", "Found int"),
        ('[{"id": "1", "q": "a", "q": "b"}]', "x.json: item 1", "a key twice"),
        ('{"id": "1"}\n{"id": "2"}', "x.json", ".jsonl"),
        ('[{"id": "1", "q": NaN}]', "x.json", "NaN is not JSON"),
        ("[]", "x.json", "no items"),
    ],
)
def test_a_json_file_is_a_list_of_objects(tmp_path: Path, text: str, where: str, said: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError) as caught:
        suite(tmp_path, "x.json")
    assert caught.value.where.endswith(where)
    assert said in str(caught.value)
    assert caught.value.cure


def test_a_table_with_another_delimiter_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("id\tq\ta\n1\tone\n")
    with pytest.raises(DataError, match="another number of fields") as caught:
        suite(tmp_path, "x.tsv")
    assert caught.value.where.endswith("x.tsv:2")
    with pytest.raises(DataError, match=r"\.jsonl, \.ndjson, \.json, \.csv, \.tsv, \.parquet"):
        (tmp_path / "x.xlsx").write_bytes(b"PK")
        suite(tmp_path, "x.xlsx")


def test_reading_a_file_of_items_imports_no_datasets_and_no_torch(everything: Path) -> None:
    suite(everything, "rows.jsonl")
    code = (
        "import sys; from pathlib import Path; from evalsuite.tasks import load_suite; "
        f"load_suite(Path({str(everything / 's.yaml')!r})); "
        "print([name for name in ('torch', 'datasets', 'polars') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_hostile_columns_stay_text(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "1", "q": "\x1b[31m{{ 7 * 7 }}", "a": "1"}]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    (task,) = suite(tmp_path, "x.json").tasks
    assert task.items[0].question == "Q: \x1b[31m{{ 7 * 7 }}"
