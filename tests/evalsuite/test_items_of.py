"""Single items of an evaluation: kept in files, and the training rows nearest to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.items_of import keep_items, stored_items, turns
from evalsuite.report import write_results
from evalsuite.report.document import ModelRecord, Results
from evalsuite.why.neighbours import neighbours
from workspace.errors import DataError, UsageError
from workspace.layout import Workspace


def write_evaluation(root: Path, model: Path, prompts: list[tuple[str, str]]) -> Path:
    """Write the stored answers of a base and a run of it."""
    directory = root / "evals" / "20261121-130000-eval-cd34"
    directory.mkdir(parents=True)
    rows = [
        {"task": "sums", "ability": "addition", "item_id": str(n), "model": name, "prompt": prompt,
         "gold": gold}
        for name in ("base", "mine")
        for n, (prompt, gold) in enumerate(prompts)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), directory / "samples.parquet")
    models = [
        ModelRecord(name="base", role="base", path="builtin", digest="0"),
        ModelRecord(name="mine", role="tuned", path=str(model), digest="1"),
    ]
    created = "2026-11-21T13:00:00+00:00"
    results = Results(id=directory.name, created=created, models=models, suites=[], comparisons=[])
    write_results(directory, results)
    return directory


ITEMS = [
    ("What is 2 plus 3?", "5"),
    ("system: be kind\nuser: and 4 plus 4?\nplease", "8"),
    ("say something", ""),
]


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    return write_evaluation(tmp_path, tmp_path / "runs/20261120-000000-mine-abcd/model", ITEMS)


def test_items_are_appended_once_as_suites_and_training_take_them(
    evaluation: Path, tmp_path: Path
) -> None:
    items = stored_items(evaluation, ["sums/1", "sums/0"])
    file = tmp_path / "new" / "items.jsonl"
    assert keep_items(items, "item", file).written == 2
    kept = keep_items([*items, *stored_items(evaluation, ["sums/2"])], "item", file)
    assert (kept.written, kept.known) == (1, 2)
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["id"] for one in written] == ["sums/1", "sums/0", "sums/2"]
    assert written[1] == {
        "id": "sums/0", "prompt": "What is 2 plus 3?", "gold": "5", "ability": "addition",
    }  # fmt: skip
    rows = tmp_path / "rows.jsonl"
    keep_items(items, "row", rows)
    first = json.loads(rows.read_text().splitlines()[0])
    assert first["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "and 4 plus 4?\nplease"},
        {"role": "assistant", "content": "8"},
    ]


def test_what_cannot_be_kept_is_refused_and_nothing_is_written(
    evaluation: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no item 'sums/9'"):
        stored_items(evaluation, ["sums/0", "sums/9"])
    file = tmp_path / "rows.jsonl"
    with pytest.raises(UsageError, match="no right answer"):
        keep_items(stored_items(evaluation, ["sums/0", "sums/2"]), "row", file)
    assert not file.exists()
    for content, told in ((b"no json\n", "not JSON lines"), (b'{"a": 1}', "has no end")):
        file.write_bytes(content)
        with pytest.raises(DataError, match=told):
            keep_items(stored_items(evaluation, ["sums/0"]), "row", file)
        assert file.read_bytes() == content
    (evaluation / "samples.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        stored_items(evaluation, ["sums/0"])


def test_a_question_that_only_looks_like_a_chat_stays_one_turn() -> None:
    assert turns("user: hello") == [{"role": "user", "content": "user: hello"}]
    assert turns("Read this.\nuser: x\nassistant: y")[0]["content"].startswith("Read this.")


def test_the_nearest_training_rows_of_an_item_are_found(
    tmp_path: Path, tiny_model: Path, tiny_adapter: Path, run_writer: Callable[..., Path]
) -> None:
    run = run_writer(tmp_path / "runs" / "20261120-000000-mine-abcd", tiny_model, tiny_adapter)
    dataset = tmp_path / "data"
    dataset.mkdir()
    rows = [
        {"id": name, "prompt": prompt, "completion": "yes"}
        for name, prompt in (
            ("far", "name a fish"), ("near", "what is 2 plus 3 in words?"), ("other", "a red bird"),
        )
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    record = json.loads((run / "run.json").read_text()) | {"dataset": str(dataset)}
    (run / "run.json").write_text(json.dumps(record))
    evaluation = write_evaluation(tmp_path, run / "model", ITEMS)
    found = neighbours(Workspace(tmp_path), evaluation, "sums/0", count=2)
    assert (found.model, found.item.key) == ("mine", "sums/0")
    assert found.rows[0].id == "near"
    assert found.rows[0].text.endswith("→ yes")
    (dataset / "train.parquet").unlink()
    with pytest.raises(DataError, match="not known"):
        neighbours(Workspace(tmp_path), evaluation, "sums/0")
