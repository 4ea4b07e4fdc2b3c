"""Groups of rows by a column: found, counted, refused, and safe as directories."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from train.curve.subsets import write_subset
from train.each.groups import Rows, find_groups, slug
from train.each.run import group_overrides
from train.each_section import Each
from train.recipe import TrainSection
from workspace.errors import DataError
from workspace.layout import checked_name
from workspace.overrides import settings

HOSTILE = [
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "..",
    ".",
    "ada",
    "Ada",
    "ADA",
    "a b",
    "a-b",
    "é",
    "e\u0301",
    "\x1b[31mred\x07",
    "\u202eevil",
    "x" * 300,
    "x" * 299 + "y",
    "con",
    "-rf",
    "~",
    "$(reboot)",
    "name\nwith lines",
    "null",
    "sk-" + "a" * 40,
]


def dataset(directory: Path, values: list[Any], *, column: str = "customer") -> Path:
    directory.mkdir(parents=True)
    rows = {"id": [f"row-{place}" for place in range(len(values))], column: values}
    pq.write_table(pa.table(rows), directory / "train.parquet")
    return directory


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_becomes_a_plain_name(value: str) -> None:
    made = slug(value)
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(made) <= 33
    assert checked_name(f"toy-{made}", what="run") == f"toy-{made}"
    assert "sk-a" not in made


def test_no_two_values_share_a_directory_whatever_the_file_system_makes_of_case() -> None:
    assert len({slug(value).casefold() for value in HOSTILE}) == len(HOSTILE)


def test_rows_are_grouped_by_exact_value_in_their_order(tmp_path: Path) -> None:
    where = dataset(tmp_path / "d", ["b", "a", "B", "b", "a", "b"])
    found = find_groups(where, Each(column="customer", min_rows=1))
    assert [(one.value, one.places) for one in found.kept] == [
        ("B", (2,)),
        ("a", (1, 4)),
        ("b", (0, 3, 5)),
    ]
    written = Rows(where).write(found.kept[2], tmp_path / "one")
    assert pq.read_table(written / "train.parquet")["id"].to_pylist() == ["row-0", "row-3", "row-5"]


def test_images_that_are_files_are_found_from_a_group(tmp_path: Path) -> None:
    where = dataset(tmp_path / "d", ["a", "a"])
    (where / "one.png").write_bytes(b"here")
    held = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array(
        [[{"bytes": None, "path": "one.png"}], [{"bytes": b"in it", "path": "two.png"}]],
        pa.list_(held),
    )
    table = pq.read_table(where / "train.parquet").append_column("images", images)
    pq.write_table(table, where / "train.parquet")
    (group,) = find_groups(where, Each(column="customer", min_rows=1)).kept
    written = Rows(where).write(group, tmp_path / "groups" / "a")
    part = write_subset(where, 1.0, tmp_path / "curve" / "data-100")
    for place in (written, tmp_path / "curve" / "data-100"):
        made = pq.read_table(place / "train.parquet")
        assert made.schema == table.schema
        (file,), (kept,) = made["images"].to_pylist()
        assert (place / file["path"]).read_bytes() == b"here"
        assert kept == {"bytes": b"in it", "path": "two.png"}
    assert part == 2


def test_all_groups_are_written_from_one_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = dataset(tmp_path / "d", ["a", "b"])
    found = find_groups(where, Each(column="customer", min_rows=1)).kept
    read, times = pq.read_table, []
    monkeypatch.setattr(pq, "read_table", lambda *given: times.append(1) or read(*given))
    rows = Rows(where)
    for group in (*found, *found):
        rows.write(group, tmp_path / group.slug)
    assert len(times) == 1


def test_values_that_would_share_a_directory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = dataset(tmp_path / "d", ["a", "b"])
    monkeypatch.setattr("train.each.groups.slug", lambda value: "one")
    with pytest.raises(DataError, match="the same directory"):
        find_groups(where, Each(column="customer", min_rows=1))


@pytest.mark.parametrize("place", ["/tmp/a #1/rows", "/tmp/a: b/rows", "/tmp/'x'/rows"])
def test_a_group_s_rows_are_named_whatever_the_workspace_is_called(place: str) -> None:
    (dataset,) = group_overrides([], Path(place))[1:]
    assert settings([dataset]) == {"train": {"dataset": place}}


def test_too_small_groups_and_rows_without_a_value_stop_the_run(tmp_path: Path) -> None:
    where = dataset(tmp_path / "d", ["big"] * 5 + ["sm\x1ball"] * 2 + [None, "", "  "])
    with pytest.raises(DataError, match="no group that can be learnt from") as caught:
        find_groups(where, Each(column="customer", min_rows=3))
    assert "1 of 2 groups have fewer than 3 rows: 'sm\\x1ball' 2." in caught.value.cause.replace(
        "\\\\", "\\"
    )
    assert "3 rows have no customer." in caught.value.cause
    assert "left_out: skip" in caught.value.cure


def test_what_is_left_out_is_counted_where_that_is_asked_for(tmp_path: Path) -> None:
    where = dataset(tmp_path / "d", ["big"] * 5 + ["small"] * 2 + [None, "", "  "])
    found = find_groups(where, Each(column="customer", min_rows=3, left_out="skip"))
    assert [one.value for one in found.kept] == ["big"]
    assert found.rows_left_out == 5
    assert found.as_dict() == {
        "column": "customer",
        "too_small": [{"value": "small", "rows": 2}],
        "rows_without_value": 3,
    }
    with pytest.raises(DataError, match="no group has enough rows"):
        find_groups(where, Each(column="customer", min_rows=6, left_out="skip"))


@pytest.mark.parametrize("values", [[1, 2, 2], [True, False, False]])
def test_numbers_and_booleans_are_groups(tmp_path: Path, values: list[Any]) -> None:
    found = find_groups(dataset(tmp_path / "d", values), Each(column="customer", min_rows=1))
    assert sum(one.rows for one in found.kept) == 3 and len(found.kept) == 2


def test_a_field_of_meta_is_a_column(tmp_path: Path) -> None:
    meta = [{"language": "de"}, {"language": "en"}, {"language": None}, None, {"language": "de"}]
    where = dataset(tmp_path / "d", meta, column="meta")
    found = find_groups(where, Each(column="meta.language", min_rows=1, left_out="skip"))
    assert [(one.value, one.rows) for one in found.kept] == [("de", 2), ("en", 1)]
    assert len(found.without) == 2


def test_an_unknown_column_names_those_that_there_are(tmp_path: Path) -> None:
    where = dataset(tmp_path / "d", ["a"])
    with pytest.raises(DataError, match="cannot be grouped by 'custmer'") as caught:
        find_groups(where, Each(column="custmer"))
    assert "by id, customer." in caught.value.cause and "customer" in caught.value.cure
    floats = dataset(tmp_path / "f", [0.5])
    with pytest.raises(DataError) as caught:
        find_groups(floats, Each(column="customer"))
    assert "It holds no texts, whole numbers or booleans." in caught.value.cause


def test_a_name_alone_is_a_column() -> None:
    section = TrainSection.model_validate({"each": "meta.user_id"})
    assert section.each == Each(column="meta.user_id")


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ({"adapter": {"kind": "full"}}, "full would change its weights"),
        ({"adapter": {"kind": "peft", "tuner": "IA3"}}, "not peft IA3"),
        ({"adapter": {"kind": "lora", "init": "pissa"}}, "no init pissa with each"),
        ({"adapter": {"kind": "lora", "bias": "all"}}, "no bias all with each"),
        ({"method": "reward"}, "published whole"),
    ],
)
def test_what_would_change_the_shared_base_is_refused(train: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TrainSection.model_validate({"each": "customer", **train})
