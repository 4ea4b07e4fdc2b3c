"""Files to rows: every format, every kind of damage."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
import zstandard

from curate.formats.read import ReadResult, read_sources
from curate.recipe import Source
from workspace.errors import DataError

Lines = Callable[..., Path]
ROW = {"prompt": "2+2?", "completion": "4"}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., ReadResult]:
    """Read sources given as paths or as sections."""

    def run(*sources: object) -> ReadResult:
        work = tmp_path / "work"
        work.mkdir()
        return read_sources([Source.model_validate(item) for item in sources], tmp_path, work)

    return run


def rows_of(result: ReadResult) -> pl.DataFrame:
    return result.rows.scan().collect()


def lost(result: ReadResult) -> dict[str, int]:
    return dict(result.quarantine.scan().collect()["reason"].value_counts().rows())


def details(result: ReadResult) -> list[str]:
    return result.quarantine.scan().collect()["detail"].to_list()


def packed_files(directory: Path) -> dict[str, Path]:
    text = (json.dumps(ROW) + "\n").encode() * 3
    frame = pl.DataFrame([ROW] * 3)
    frame.write_csv(directory / "a.csv")
    frame.write_csv(directory / "a.tsv", separator="\t")
    frame.write_parquet(directory / "a.parquet")
    (directory / "a.jsonl").write_bytes(text)
    (directory / "bom.jsonl").write_bytes(b"\xef\xbb\xbf" + text)
    (directory / "a.json").write_text(json.dumps([ROW] * 3))
    (directory / "data.json").write_text(json.dumps({"version": 1, "data": [ROW] * 3}))
    columns = {key: [value] * 3 for key, value in ROW.items()}
    (directory / "columns.json").write_text(json.dumps(columns))
    (directory / "really_lines.json").write_bytes(text)
    (directory / "a.jsonl.gz").write_bytes(gzip.compress(text))
    (directory / "a.jsonl.zst").write_bytes(zstandard.compress(text))
    (directory / "two_frames.jsonl.zst").write_bytes(
        zstandard.compress(text[: len(text) // 3]) + zstandard.compress(text[len(text) // 3 :])
    )
    (directory / "packed.csv.gz").write_bytes(gzip.compress((directory / "a.csv").read_bytes()))
    packed = zstandard.compress((directory / "a.parquet").read_bytes())
    (directory / "packed.parquet.zst").write_bytes(packed)
    return {path.name: path for path in directory.iterdir() if path.is_file()}


def test_every_file_format_gives_the_same_rows(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    expected = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    for name in packed_files(files):
        work = tmp_path / f"work-{name}"
        work.mkdir()
        result = read_sources([Source(path=name)], files, work)
        turns = rows_of(result)["messages"].to_list()
        assert len(turns) == 3, name
        for row in turns:
            said = [{key: turn[key] for key in ("role", "content")} for turn in row]
            assert said == expected, name


def test_globs_are_read_in_the_order_of_names(lines: Lines, read: Callable[..., Any]) -> None:
    lines([ROW], "b.jsonl")
    lines([ROW, ROW], "a.jsonl")
    result = read("*.jsonl")
    assert rows_of(result)["source"].to_list() == ["a.jsonl", "a.jsonl", "b.jsonl"]


@pytest.mark.parametrize(
    "text", [json.dumps(ROW), json.dumps([ROW]), "prompt,completion\n2+2?,4\n"]
)
def test_standard_input_is_read_in_the_format_it_begins_like(
    monkeypatch: pytest.MonkeyPatch, read: Callable[..., ReadResult], text: str
) -> None:
    raw = cast(io.RawIOBase, io.BytesIO(text.encode()))
    stream = io.TextIOWrapper(io.BufferedReader(raw))
    monkeypatch.setattr("sys.stdin", stream)
    result = read("-")
    assert rows_of(result)["source"].to_list() == ["stdin"]


def test_columns_are_renamed_and_the_label_is_no_kto_label(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "bank.csv").write_text('text,category\n"Where, please?",card\n')
    columns = {"prompt": "text", "completion": "category", "label": "category"}
    frame = rows_of(read({"path": "bank.csv", "columns": columns}))
    assert frame["user_label"].to_list() == ["card"]
    assert frame["messages"][0][0]["content"] == "Where, please?"


def test_a_new_key_at_row_10001_is_not_lost(lines: Lines, read: Callable[..., ReadResult]) -> None:
    rows: list[Any] = [{"instruction": f"q{n}", "output": "a"} for n in range(10_000)]
    rows.append({"instruction": "q", "output": "a", "system": "late", "tools": [{"name": "t"}]})
    frame = rows_of(read(lines(rows).name))
    assert frame.height == 10_001
    assert frame["messages"][10_000][0]["content"] == "late"
    assert frame["tools"][10_000] == '[{"name":"t"}]'


def test_clashing_types_are_decided_row_by_row(
    lines: Lines, read: Callable[..., ReadResult]
) -> None:
    rows = [{"prompt": "p", "completion": value} for value in ("a", 1, True, 0.5, [1], {"a": 1})]
    result = read(lines(rows).name)
    says = [turns[-1]["content"] for turns in rows_of(result)["messages"].to_list()]
    assert says == ["a", "1", "true", "0.5"]
    assert lost(result) == {"not_text": 2}


def test_bad_lines_are_quarantined_with_their_number(
    lines: Lines, read: Callable[..., ReadResult]
) -> None:
    rows = [ROW, '{"prompt": "a", ', ROW, '{"prompt": "a", "prompt": "b", "completion": "c"}', "7"]
    result = read(lines([*rows, "", ROW]).name)
    assert rows_of(result)["row"].to_list() == [1, 3, 7]
    assert lost(result) == {"bad_json": 1, "duplicate_key": 1, "not_an_object": 1}
    assert details(result)[0].startswith("rows.jsonl:2: ")
    assert details(result)[1] == "rows.jsonl:4: the key 'prompt' is given twice"


def test_a_duplicate_key_is_found_at_any_depth_and_colons_in_text_are_none(
    lines: Lines, read: Callable[..., ReadResult]
) -> None:
    inside = '{"messages": [{"role": "user", "role": "user", "content": "a"}]}'
    harmless = {"prompt": 'he said "a": "b", "a": "c"\\', "completion": '{"a": 1, "a": 2}'}
    result = read(lines([inside, harmless]).name)
    assert lost(result) == {"duplicate_key": 1}
    assert rows_of(result).height == 1


def test_a_duplicate_key_in_a_json_array_loses_only_its_row(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    good = json.dumps(ROW)
    (tmp_path / "a.json").write_text(f'[{good}, {{"prompt": "a", "prompt": "b"}}, {good}]')
    result = read("a.json")
    assert lost(result) == {"duplicate_key": 1}
    assert rows_of(result)["row"].to_list() == [1, 3]


def test_invalid_utf8_loses_only_its_line(tmp_path: Path, read: Callable[..., ReadResult]) -> None:
    good = json.dumps(ROW).encode()
    (tmp_path / "a.jsonl").write_bytes(good + b'\n{"prompt": "caf\xe9"}\n' + good)
    (tmp_path / "a.csv").write_bytes(b"prompt,completion\ncaf\xe9,a\nb,c\n")
    result = read("a.jsonl", "a.csv")
    assert lost(result) == {"invalid_utf8": 2}
    assert "0xe9" in details(result)[0]
    assert "`iconv -f cp1252 -t utf-8`" in details(result)[0]
    assert rows_of(result).height == 3


def test_ragged_csv_rows_are_quarantined(tmp_path: Path, read: Callable[..., ReadResult]) -> None:
    (tmp_path / "a.csv").write_text('prompt,completion\n"a\nb",c\nx,y,z\nonly\np,q\n')
    result = read("a.csv")
    assert lost(result) == {"ragged_row": 2}
    assert details(result)[0] == "a.csv:4: 3 fields where the header has 2"
    assert rows_of(result)["row"].to_list() == [1, 4]


def test_columns_that_nothing_takes_are_counted(
    lines: Lines, read: Callable[..., ReadResult]
) -> None:
    result = read(lines([{**ROW, "score": 3}, {**ROW, "score": None}, ROW]).name)
    assert dict(result.sources[0].ignored) == {"score": 1}


def test_only_the_keys_that_a_format_takes_are_not_counted_as_ignored(
    lines: Lines, read: Callable[..., ReadResult]
) -> None:
    own = {"role": "system", "content": "Be brief."}
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rows = [
        {"messages": [own, *turns], "system": "Be long.", "output": "lost"},
        {"messages": [own, *turns], "system": "Be brief.", "id": 7},
        {"messages": turns, "system": "Be brief.", "tools": [{"name": "add"}]},
        {"text": "a", "tools": [{"name": "add"}]},
        {**ROW, "label": 7, "history": "x"},
        {**ROW, "label": "sums"},
    ]
    result = read(lines(rows).name)
    assert dict(result.sources[0].ignored) == {
        "system": 1, "output": 1, "tools": 1, "label": 1, "history": 1,
    }  # fmt: skip


def test_renamed_columns_that_no_format_takes_are_counted(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "a.csv").write_text("q,a,extra,system\n2+2?,4,lost,lost\n")
    result = read({"path": "a.csv", "columns": {"prompt": "q", "completion": "a"}})
    assert dict(result.sources[0].ignored) == {"extra": 1, "system": 1}


def test_a_null_of_pandas_in_a_column_of_numbers_is_a_null_answer(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    frame = pl.DataFrame({"prompt": ["a", "b"], "completion": [1.0, float("nan")]})
    frame.write_parquet(tmp_path / "a.parquet")
    result = read("a.parquet")
    assert lost(result) == {"null_answer": 1}
    assert rows_of(result).height == 1


def test_no_single_row_ends_the_reading(
    tmp_path: Path, lines: Lines, read: Callable[..., ReadResult]
) -> None:
    deep = f'{{"prompt": "a", "tools": {"[" * 300}{"]" * 300}, "completion": "b"}}'
    deeper = f'{{"prompt": {"[" * 1015}{"]" * 1015}}}'
    rows = [ROW, deep, deeper, {"messages": []}, {**ROW, "id": [deep]}]
    (tmp_path / "a.json").write_text(f"[{json.dumps(ROW)}, {deep}]")
    result = read(lines(rows).name, "a.json")
    assert lost(result) == {"no_format": 2, "bad_json": 2}
    assert rows_of(result).height == 3
    assert any("TypeError: Recursion limit" in detail for detail in details(result))


@pytest.mark.parametrize("version", ["1", '"1"'])
def test_a_duplicate_key_below_data_loses_only_its_row(
    tmp_path: Path, read: Callable[..., ReadResult], version: str
) -> None:
    good = json.dumps(ROW)
    rows = f'[{good}, {{"prompt": "a", "prompt": "b"}}, {good}]'
    (tmp_path / "a.json").write_text(f'{{"version": {version}, "data": {rows}}}')
    result = read("a.json")
    assert lost(result) == {"duplicate_key": 1}
    assert rows_of(result)["row"].to_list() == [1, 3]


def test_rows_that_a_document_gives_twice_are_an_error(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    rows = json.dumps([ROW])
    (tmp_path / "a.json").write_text(f'{{"data": {rows}, "data": {rows}}}')
    with pytest.raises(DataError, match="key twice"):
        read("a.json")


def test_files_of_one_name_outside_the_recipe_are_told_apart(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, read: Callable[..., ReadResult]
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    paths = [outside / "x" / "rows.jsonl", outside / "y" / "rows.jsonl", tmp_path / "rows.jsonl"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(ROW) + "\n")
    result = read(*map(str, paths))
    names = [source.name for source in result.sources]
    assert names == ["x/rows.jsonl", "y/rows.jsonl", "rows.jsonl"]
    assert sorted(rows_of(result)["source"]) == sorted(names)


def damaged(directory: Path, name: str) -> None:
    good = (json.dumps(ROW) + "\n").encode()
    lots = b"".join(json.dumps({**ROW, "n": n}).encode() + b"\n" for n in range(5000))
    data = {
        "empty.jsonl": b"",
        "blank.jsonl": b"\n\n",
        "cut.jsonl.gz": gzip.compress(lots)[:-2000],
        "cut.jsonl.zst": zstandard.compress(lots)[:-200],
        "fake.parquet": good,
        "broken.json": b'[{"prompt": "a"},',
        "rows.txt": good,
        "header.csv": b"a,a\n1,2\n",
        "quote.csv": b'prompt,completion\n"never closed,b\nc,d\n',
        "odd.json": b'{"a": {"b": 1}}',
    }[name]
    (directory / name).write_bytes(data)


@pytest.mark.parametrize(
    ("name", "title", "where"),
    [
        ("empty.jsonl", "empty", "empty.jsonl"),
        ("blank.jsonl", "no rows", "blank.jsonl"),
        ("cut.jsonl.gz", "cut short", "cut.jsonl.gz:"),
        ("cut.jsonl.zst", "cut short", "cut.jsonl.zst:"),
        ("fake.parquet", "not Parquet", "fake.parquet"),
        ("broken.json", "not JSON", "broken.json:1:"),
        ("rows.txt", "format", "rows.txt"),
        ("header.csv", "header", "header.csv:1"),
        ("quote.csv", "cannot be read further", "quote.csv:"),
        ("odd.json", "no rows", "odd.json"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error_with_its_place(
    tmp_path: Path, read: Callable[..., ReadResult], name: str, title: str, where: str
) -> None:
    damaged(tmp_path, name)
    with pytest.raises(DataError, match=title) as caught:
        read(name)
    assert where in caught.value.where
    assert caught.value.cause or caught.value.cure


def test_a_missing_file_names_what_is_there(lines: Lines, read: Callable[..., ReadResult]) -> None:
    lines([ROW], "train.jsonl")
    with pytest.raises(DataError, match="no file") as caught:
        read("trian.jsonl")
    assert "train.jsonl" in caught.value.cure


def test_a_file_named_twice_is_refused(lines: Lines, read: Callable[..., ReadResult]) -> None:
    lines([ROW])
    with pytest.raises(DataError, match="twice"):
        read("rows.jsonl", "*.jsonl")


def test_a_line_of_fifty_megabytes_is_set_aside_with_its_number(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    good = json.dumps(ROW)
    long = json.dumps({"prompt": "word " * 10_000_000, "completion": "b"})
    (tmp_path / "a.jsonl").write_text(f"{good}\n{long}\n{good}\n{long}")
    (tmp_path / "a.json").write_text(f"[{good}, {long}]")
    result = read("a.jsonl", "a.json")
    assert lost(result) == {"too_long": 3}
    assert rows_of(result)["row"].to_list() == [1, 3, 1]
    assert details(result)[0] == "a.jsonl:2: 47.7 MiB; at most 10 MiB are read"
    kept = result.quarantine.scan().collect()["raw"]
    assert kept[0].startswith('{"prompt": "word') and len(kept[0]) < 2000


@pytest.mark.parametrize("tail", [b"garbage", b""], ids=["garbage after it", "cut"])
def test_the_lines_before_the_damage_of_a_gzip_file_are_counted(
    tmp_path: Path, read: Callable[..., ReadResult], tail: bytes
) -> None:
    packed = gzip.compress(b"".join(json.dumps({**ROW, "n": n}).encode() + b"\n" for n in range(9)))
    (tmp_path / "a.jsonl.gz").write_bytes(packed + tail if tail else packed[:-4])
    with pytest.raises(DataError, match="cut short or damaged") as caught:
        read("a.jsonl.gz")
    assert caught.value.where == "a.jsonl.gz:10"
    assert caught.value.cause.startswith("9 records")


@pytest.mark.parametrize(("ending", "what"), [("gz", "not gzip"), ("zst", "not zstd")])
def test_a_file_that_is_not_packed_as_its_name_says_is_refused(
    tmp_path: Path, read: Callable[..., ReadResult], ending: str, what: str
) -> None:
    (tmp_path / f"a.jsonl.{ending}").write_text("<html>404</html>\n")
    with pytest.raises(DataError, match=what) as caught:
        read(f"a.jsonl.{ending}")
    assert "<htm" in caught.value.cause and "a.jsonl;" in caught.value.cure


def test_a_table_names_the_field_that_is_not_utf_8(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "a.csv").write_bytes(b"prompt,completion\na,b\nc,caf\xe9\n")
    assert details(read("a.csv")) == [
        "a.csv:3: field 'completion' has byte 0xe9; is it `encoding: cp1252`?"
    ]


def test_a_table_without_a_header_and_with_quotes_as_text(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "sms").write_text('ham\tGo "home\nspam\tWIN\tnow\nham\t"ok"\n', encoding="utf-8")
    source = {"path": "sms", "format": "tsv", "header": ["label", "text"], "quotes": False}
    result = read({**source, "columns": {"label": "label"}})
    assert rows_of(result).select("text", "user_label").rows() == [
        ('Go "home', "ham"),
        ('"ok"', "ham"),
    ]
    assert lost(result) == {"ragged_row": 1}


def test_a_table_in_another_encoding_and_with_semicolons(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "a.csv").write_bytes("question;answer\nwhere?;café, à côté\n".encode("cp1252"))
    result = read({"path": "a.csv", "encoding": "cp1252"})
    assert rows_of(result)["messages"][0][1]["content"] == "café, à côté"


def test_an_encoding_that_is_not_said_is_asked_for(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "a.csv").write_bytes("question,answer\nwhere?,café\n".encode("cp1252"))
    assert "is it `encoding: cp1252`?" in details(read("a.csv"))[0]


def test_a_header_for_lines_of_json_is_refused(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(ROW), encoding="utf-8")
    with pytest.raises(DataError, match="only a table has `header`"):
        read({"path": "a.jsonl", "header": ["prompt", "completion"]})


def test_a_header_that_is_not_utf_8_is_one_error(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "a.csv").write_bytes(b"prompt,caf\xe9\na,b\n")
    with pytest.raises(DataError, match="header") as caught:
        read("a.csv")
    assert caught.value.cause == "Field 2 has byte 0xe9, not UTF-8."


def test_a_quote_that_is_never_closed_is_found_where_it_begins(
    tmp_path: Path, read: Callable[..., ReadResult]
) -> None:
    (tmp_path / "a.csv").write_text('prompt,completion\na,b\n"c,d\ne,f\n')
    with pytest.raises(DataError, match="cannot be read further") as caught:
        read("a.csv")
    assert caught.value.where == "a.csv:3"
