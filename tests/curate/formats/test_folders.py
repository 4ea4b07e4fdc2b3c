"""Folders of datasets: saved by `datasets`, or as `load_dataset` would read them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pytest
from PIL import Image

from curate.formats.read import ReadResult, read_sources
from curate.recipe import Source
from workspace.errors import DataError

Read = Callable[..., ReadResult]


@pytest.fixture(autouse=True)
def _quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def run(source: object) -> ReadResult:
        work = tmp_path / "work"
        work.mkdir()
        return read_sources([Source.model_validate(source)], tmp_path, work)

    return run


def saved() -> datasets.Dataset:
    features = datasets.Features(
        {
            "messages": [{"role": datasets.Value("string"), "content": datasets.Value("string")}],
            "label": datasets.ClassLabel(names=["ham", "spam"]),
            "image": datasets.Image(),
        }
    )
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(stream, "PNG")
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rows = {
        "messages": [turns, turns],
        "label": [1, 0],
        "image": [{"bytes": stream.getvalue(), "path": None}, None],
    }
    return datasets.Dataset.from_dict(rows, features=features)


def rows_of(result: ReadResult) -> pl.DataFrame:
    return result.rows.scan().collect()


def test_a_saved_dataset_is_read_with_its_features(tmp_path: Path, read: Read) -> None:
    saved().save_to_disk(str(tmp_path / "saved"), num_shards=2)
    result = read("saved")
    frame = rows_of(result)
    assert frame["user_label"].to_list() == ["spam", "ham"]
    assert frame["images"].list.len().to_list() == [1, None]
    names = [source.name for source in result.sources]
    assert names == [f"saved/data-0000{number}-of-00002.arrow" for number in (0, 1)]
    assert all(source.digest for source in result.sources)


def test_of_several_saved_splits_one_is_named(tmp_path: Path, read: Read) -> None:
    both = datasets.DatasetDict({"train": saved(), "test": saved().select([0])})
    both.save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match="several splits") as caught:
        read("saved")
    assert "`test`, `train`; none is guessed" in caught.value.cause
    (tmp_path / "work").rename(tmp_path / "before")
    result = read({"path": "saved", "split": "test"})
    assert rows_of(result).height == 1
    assert dict(result.sources[0].dataset or {})["split"] == "test"


def test_a_saved_dataset_that_lacks_a_file_is_refused(tmp_path: Path, read: Read) -> None:
    saved().save_to_disk(str(tmp_path / "saved"), num_shards=2)
    (tmp_path / "saved" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match="not whole") as caught:
        read("saved")
    assert "data-00001-of-00002.arrow" in caught.value.cause


def test_a_folder_is_read_as_load_dataset_would_but_row_by_row(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    rows: list[Any] = [{"prompt": "a", "completion": answer} for answer in ("b", 7, ["c"])]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "train.jsonl").write_text(text)
    (folder / "validation.jsonl").write_text(text)
    result = read({"path": "rows", "split": "train"})
    assert [turns[1]["content"] for turns in rows_of(result)["messages"].to_list()] == ["b", "7"]
    assert result.sources[0].name == "rows/train.jsonl"


def test_an_image_folder_is_loaded_by_datasets(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (4, 4), "red").save(folder / "red.png")
    row = {"file_name": "red.png", "prompt": "Which colour?", "completion": "Red."}
    (folder / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    frame = rows_of(read("photos"))
    assert frame["images"][0][0]["name"] == "red.png"
    assert frame["messages"][0][1]["content"] == "Red."


def test_a_numbered_part_that_is_not_there_is_missed(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "train-00000-of-00002.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(DataError, match="a part of this dataset") as caught:
        read("rows")
    assert "train-00001-of-00002.jsonl" in caught.value.cause


@pytest.mark.parametrize(
    ("files", "title"),
    [({}, "cannot load"), ({"rows.py": "raise SystemExit"}, "scripts are never run")],
    ids=["empty", "a script"],
)
def test_what_is_no_dataset_says_so(
    tmp_path: Path, read: Read, files: dict[str, str], title: str
) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=title) as caught:
        read("rows")
    assert caught.value.where == "rows" and caught.value.cure


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"path": "a.jsonl", "hub": "a/b"},
        {"path": "a.jsonl", "revision": "main"},
        {"hub": "a/b", "format": "csv"},
        "hub:",
    ],
    ids=str,
)
def test_a_source_is_one_thing(source: object) -> None:
    with pytest.raises(ValueError):
        Source.model_validate(source)


def test_a_hub_source_is_one_text() -> None:
    found = Source.model_validate("hub:owner/name@v1.0#main config:train")
    assert (found.hub, found.revision, found.config, found.split) == (
        "owner/name",
        "v1.0",
        "main config",
        "train",
    )
    folder = Source.model_validate("folder:saved/rows:test")
    assert (folder.path, folder.split) == ("saved/rows", "test")
    assert Source.model_validate("hub:owner/name").name == "hub:owner/name"


def test_a_split_of_a_file_is_refused(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(DataError, match="files have no `split`"):
        read({"path": "a.jsonl", "split": "train"})
