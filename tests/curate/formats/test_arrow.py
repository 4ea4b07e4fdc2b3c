"""Arrow, Feather and Parquet: every type of value comes through in its stated form, or says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.feather import write_feather
from pyarrow.parquet import write_table

from curate.formats.arrow_values import RowReader
from curate.formats.files import SourceFile
from curate.formats.read import ReadResult, read_sources, records
from curate.recipe import Source
from workspace.errors import DataError

Read = Callable[..., ReadResult]
ROWS = {"prompt": ["2+2?", "3+3?", "4+4?"], "completion": ["4", "6", "8"]}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def run(*sources: object) -> ReadResult:
        work = tmp_path / "work"
        work.mkdir()
        return read_sources([Source.model_validate(item) for item in sources], tmp_path, work)

    return run


def rows_of(result: ReadResult) -> pl.DataFrame:
    return result.rows.scan().collect()


def lost(result: ReadResult) -> pl.DataFrame:
    return result.quarantine.scan().collect()


def stream(table: pa.Table, path: Path, *, closed: bool = True) -> None:
    with path.open("wb") as file:
        writer = pa.ipc.new_stream(file, table.schema)
        writer.write_table(table, max_chunksize=2)
        if closed:
            writer.close()


def whole_file(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def values(table: pa.Table) -> list[Any]:
    reader = RowReader(table.schema)
    found = [row for batch in table.to_batches() for row in reader.rows(batch)]
    return [row.misfit.detail if row.misfit else row.value for row in found]


@pytest.mark.parametrize("name", ["a.arrow", "stream.arrow", "a.feather", "plain.feather"])
def test_arrow_and_feather_files_give_their_rows(tmp_path: Path, read: Read, name: str) -> None:
    table = pa.table(ROWS)
    write = {
        "a.arrow": whole_file,
        "stream.arrow": stream,
        "a.feather": lambda table, path: write_feather(table, path, compression="lz4"),
        "plain.feather": lambda table, path: write_feather(table, path, compression="uncompressed"),
    }[name]
    write(table, tmp_path / name)
    frame = rows_of(read(name))
    assert [turns[1]["content"] for turns in frame["messages"].to_list()] == ["4", "6", "8"]
    assert frame["row"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("write", [whole_file, stream])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_arrow_file_is_one_error_with_its_place(
    tmp_path: Path, read: Read, write: Callable[..., None], share: float
) -> None:
    table = pa.table({key: [*values * 50] for key, values in ROWS.items()})
    write(table, tmp_path / "whole.arrow")
    data = (tmp_path / "whole.arrow").read_bytes()
    (tmp_path / "cut.arrow").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match="damaged") as caught:
        read("cut.arrow")
    assert caught.value.where.startswith("cut.arrow")
    assert "records could be read before" in caught.value.cause


def test_a_stream_without_its_end_may_lack_rows(tmp_path: Path, read: Read) -> None:
    stream(pa.table(ROWS), tmp_path / "open.arrow", closed=False)
    with pytest.raises(DataError, match="damaged") as caught:
        read("open.arrow")
    assert "no end mark" in caught.value.cause
    assert caught.value.where == "open.arrow:4"


@pytest.mark.parametrize("data", [b"FEA1 old", b"ARROW1\0\0 no", b"{}", b"\xff\xff\xff\xff\x7f"])
def test_what_is_no_arrow_is_one_error(tmp_path: Path, read: Read, data: bytes) -> None:
    (tmp_path / "a.arrow").write_bytes(data)
    with pytest.raises(DataError) as caught:
        read("a.arrow")
    assert caught.value.cause and caught.value.cure


def test_every_type_becomes_what_is_stated() -> None:
    moment = datetime(2026, 1, 31, 12, 30, 15)
    columns = {
        "decimal": pa.array([Decimal("12.50")]),
        "date": pa.array([date(2026, 1, 31)]),
        "moment": pa.array([moment]),
        "nanoseconds": pa.array([1], pa.timestamp("ns")),
        "duration": pa.array([timedelta(seconds=90)], pa.duration("s")),
        "category": pa.array(["a"]).dictionary_encode(),
        "large": pa.array(["a"], pa.large_string()),
        "view": pa.array(["a"], pa.string_view()),
        "map": pa.array([[("k", Decimal("1.0"))]], pa.map_(pa.string(), pa.decimal128(5, 1))),
        "odd map": pa.array([[(1, "v")]], pa.map_(pa.int64(), pa.string())),
        "nested": pa.array([[{"at": moment, "null": None, "n": [1, None]}]]),
        "null": pa.nulls(1),
        "nan": pa.array([float("nan")]),
        "bytes": pa.array([b"ab"]),
        "big": pa.array([2**63 + 1], pa.uint64()),
    }
    (row,) = values(pa.table(columns))
    assert row == {
        "decimal": "12.50",
        "date": "2026-01-31",
        "moment": "2026-01-31 12:30:15.000000",
        "nanoseconds": "1970-01-01 00:00:00.000000001",
        "duration": "90",
        "category": "a",
        "large": "a",
        "view": "a",
        "map": {"k": "1.0"},
        "odd map": [[1, "v"]],
        "nested": [{"at": "2026-01-31 12:30:15.000000", "null": None, "n": [1, None]}],
        "null": None,
        "nan": None,
        "bytes": b"ab",
        "big": 2**63 + 1,
    }


def test_text_that_is_not_utf_8_costs_its_row_alone(tmp_path: Path, read: Read) -> None:
    offsets = pa.array([0, 1, 2, 3], pa.int32()).buffers()[1]
    bad = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"a\xffc"))
    whole_file(pa.table({"prompt": bad, "completion": ["1", "2", "3"]}), tmp_path / "a.arrow")
    result = read("a.arrow")
    assert rows_of(result)["row"].to_list() == [1, 3]
    assert lost(result).select("reason", "detail").rows() == [
        ("invalid_utf8", "a.arrow:2: byte 1 of a text is 0xff")
    ]


def test_nulls_at_every_depth_are_read_or_set_aside(tmp_path: Path, read: Read) -> None:
    turn = {"role": "user", "content": "a"}
    rows: list[Any] = [
        [turn, {"role": "assistant", "content": "b"}],
        None,
        [],
        [None],
        [turn, {"role": "assistant", "content": None}],
        [turn, {"role": None, "content": "b"}],
    ]
    kind = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    write_table(pa.table({"messages": pa.array(rows, kind)}), tmp_path / "a.parquet")
    result = read("a.parquet")
    assert rows_of(result)["row"].to_list() == [1]
    assert lost(result)["reason"].to_list() == [
        "not_text",
        "no_format",
        "not_text",
        "null_answer",
        "unknown_role",
    ]


def test_numbers_decimals_and_dates_as_answers_are_text(tmp_path: Path, read: Read) -> None:
    asked = ["price?", "when?", "how many?"]
    for name, column, said in (
        ("a", pa.array([Decimal("0.10")] * 3), "0.10"),
        ("b", pa.array([date(2026, 2, 1)] * 3), "2026-02-01"),
        ("c", pa.array([7] * 3, pa.uint8()), "7"),
    ):
        write_table(pa.table({"prompt": asked, "completion": column}), tmp_path / f"{name}.parquet")
        work = tmp_path / name
        work.mkdir()
        result = read_sources([Source(path=f"{name}.parquet")], tmp_path, work)
        assert [turns[1]["content"] for turns in rows_of(result)["messages"].to_list()] == [
            said
        ] * 3


def test_two_files_with_clashing_columns_are_read_row_by_row(tmp_path: Path, read: Read) -> None:
    write_table(pa.table({"prompt": ["a"], "completion": [1]}), tmp_path / "a.parquet")
    turn = [[{"role": "assistant", "content": "b"}]]
    write_table(pa.table({"prompt": ["a"], "completion": turn}), tmp_path / "b.parquet")
    whole_file(pa.table({"prompt": [[1.5]], "completion": ["c"]}), tmp_path / "c.arrow")
    result = read("*.parquet", "c.arrow")
    frame = rows_of(result)
    assert [turns[1]["content"] for turns in frame["messages"].to_list()] == ["1", "b"]
    assert lost(result)["detail"].to_list() == ["c.arrow:1: `prompt[0]` is a float, not a turn"]


def test_labels_have_their_names_and_sequences_are_lists(tmp_path: Path, read: Read) -> None:
    turns = {"role": ["user", "assistant"], "content": ["a", "b"]}
    features = {
        "messages": {
            "feature": {"role": {"dtype": "string"}, "content": {"dtype": "string"}},
            "_type": "Sequence",
        },
        "label": {"names": ["ham", "spam"], "_type": "ClassLabel"},
    }
    stated = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"messages": [turns] * 4, "label": [0, 1, -1, 9]})
    whole_file(table.replace_schema_metadata(stated), tmp_path / "a.arrow")
    result = read("a.arrow")
    assert rows_of(result)["user_label"].to_list() == ["ham", "spam", None]
    assert rows_of(result)["messages"][0][1]["content"] == "b"
    assert lost(result)["detail"].to_list() == ["a.arrow:4: label 9 is none of the 2 classes"]
    write_table(table, tmp_path / "bare.parquet")  # nothing states what the column is
    (row,) = {len(turns) for turns in _messages(tmp_path)}
    assert row == 2


def _messages(directory: Path) -> list[Any]:
    work = directory / "bare"
    work.mkdir()
    result = read_sources([Source(path="bare.parquet")], directory, work)
    return rows_of(result)["messages"].to_list()


def test_a_batch_of_large_rows_is_read_a_few_at_a_time(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["x" * 1_000_000] * 100, "completion": ["y"] * 100})
    path = tmp_path / "a.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    before = pa.total_allocated_bytes()
    with path.open("rb") as file:
        rows = records(file, SourceFile(path, "a.arrow", "arrow"))
        assert next(rows).place == 1
        assert pa.total_allocated_bytes() - before < 80_000_000
        rows.close()  # type: ignore[attr-defined]


_LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=4), st.floats()
)
_VALUE = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_VALUE, min_size=1, max_size=5))
def test_any_column_comes_through_or_says_why(column: list[Any]) -> None:
    try:
        table = pa.table({"prompt": pa.array(column)})
    except (pa.ArrowException, OverflowError, ValueError):
        return
    found = values(table)
    assert len(found) == len(column)
    assert all(isinstance(row, str | dict) for row in found)
