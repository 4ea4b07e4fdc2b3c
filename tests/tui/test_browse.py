"""Rows opened, indexed, sorted, filtered and searched, without a screen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.tui.data_rows import HOSTILE, rows, write_workspace
from tui.browse.arranging import Wish, arrange, only_dropped
from tui.browse.changing import recipe_of
from tui.browse.conversation import chat_lines, whole_row
from tui.browse.datasets import list_datasets, read_funnel
from tui.browse.differing import differences, repeated_lines
from tui.browse.finding import filtered_mask, numbers_of, searched_mask, sorted_numbers
from tui.browse.keeping import make_room
from tui.browse.searching import Found
from tui.browse.table import Table, open_table
from tui.browse.wrapping import wrapped
from tui.recipes import RecipeNote
from workspace.errors import DataError, UsageError


def quiet(*_: object) -> None:
    """Hear nothing."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("browse")
    return write_workspace(root)


def opened(dataset: Path, view: str = "kept") -> Table:
    return open_table(dataset, view, dataset.parents[2], quiet)


def test_a_table_has_every_row_of_all_splits_as_the_files_have_them(dataset):
    table = opened(dataset)
    ids = [table.row(number).id for number in range(table.count)]
    held = [pl.read_parquet(dataset / f"{name}.parquet") for name in ("train", "validation")]
    assert ids == pl.concat(held)["id"].to_list()
    assert {table.row(number).split for number in range(table.count)} == {"train", "validation"}
    one = table.row(0)
    raw = rows()[(one.place or 0) - 1]
    assert (one.turns, one.label, one.source) == (2, raw["team"], "rows.jsonl")
    assert one.start == raw["messages"][0]["content"]
    assert whole_row(table, table.count - 1)["id"] == ids[-1]
    with pytest.raises(IndexError):
        table.row(table.count)


def test_an_index_is_made_once_and_anew_when_it_or_its_file_changed(dataset, tmp_path):
    told = []
    file = tmp_path / "train.parquet"
    file.write_bytes((dataset / "train.parquet").read_bytes())
    open_table(tmp_path, "kept", tmp_path, lambda *what: told.append(what))
    assert told[-1][0] == "indexing"
    count = len(told)
    table = open_table(tmp_path, "kept", tmp_path, lambda *what: told.append(what))
    assert len(told) == count
    kept = table.index_files[0]
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_bytes(kept.read_bytes()[:-40])
    assert open_table(tmp_path, "kept", tmp_path, lambda *what: told.append(what)).row(0).id
    assert len(told) > count
    pl.read_parquet(file).head(3).write_parquet(file)
    assert open_table(tmp_path, "kept", tmp_path, quiet).count == 3


def test_rows_are_sorted_filtered_and_searched(dataset):
    table = opened(dataset)
    order = sorted_numbers(table, "tokens", descending=True)
    tokens = [table.row(int(number)).tokens or 0 for number in order]
    assert tokens == sorted(tokens, reverse=True)
    fits = filtered_mask(table, "label = 'a' AND characters > 10", quiet)
    assert [table.row(int(n)).label for n in np.flatnonzero(fits)] == ["a"] * int(fits.sum())
    assert 0 < fits.sum() < table.count
    whole = filtered_mask(table, "text LIKE '%answer 7 %'", quiet)
    assert np.array_equal(whole, searched_mask(table, "Answer 7 ".lower(), quiet))
    assert whole.sum() == 1
    assert not searched_mask(table, "ANSWER 7", quiet).any()
    assert searched_mask(table, "שלום", quiet).sum() == 1
    both = arrange(table, Wish(sort=("tokens", True), filter="label = 'b'"), quiet)
    assert [int(n) for n in both] == [int(n) for n in order if table.row(int(n)).label == "b"]
    assert arrange(table, Wish(), quiet) is None
    wanted = table.row(5).id or ""
    assert numbers_of(table, wanted[:8]).tolist() == [5]
    found = Found.of("x", whole, order)
    line = found.next(0, 1)
    assert line is not None
    assert int(order[line]) == int(np.flatnonzero(whole)[0])
    assert found.next(line, 1) == found.next(line, -1) == line


@pytest.mark.parametrize(
    "text",
    [
        *("tokens >", "nothing = 1", "tokens + 1", "sum(tokens) > 1", "'a'", "tokens > 'a'"),
        *("DROP x", "(select 1)", "read_csv('/etc/passwd')", "\x00", "text ~ '('", "a" * 5000),
    ],
)
def test_a_filter_that_cannot_be_used_is_told(dataset, text):
    with pytest.raises(UsageError):
        filtered_mask(opened(dataset), text, quiet)


def test_dropped_rows_are_found_by_step_and_reason_beside_what_they_repeat(dataset):
    table = opened(dataset, "dropped")
    order = arrange(table, Wish(only=only_dropped("near_duplicates", "near_duplicate")), quiet)
    assert len(order) == 5
    row = whole_row(table, int(order[0]))
    lines = repeated_lines(dataset, row, 60)
    text = "\n".join("".join(part for part, _ in line) for line in lines)
    assert f"It repeats {row['duplicate_of']}, kept in" in text
    assert "[+please+]" in text
    assert only_dropped("it's") == "step = 'it''s'"


def test_the_funnel_says_what_the_ledger_says(dataset):
    ledger = json.loads((dataset / "ledger.json").read_text())
    funnel = read_funnel(dataset)
    assert [step.name for step in funnel.steps] == [one["step"] for one in ledger["steps"]]
    near = next(step for step in funnel.steps if step.name == "near_duplicates")
    assert (near.rows_in - near.kept, near.reasons[0].rows) == (5, 5)
    (row,) = list_datasets(dataset.parents[2])
    assert (row.name, row.rows, row.dropped) == ("tickets", *_counts(ledger))


def _counts(ledger):
    return ledger["rows"]["kept"], ledger["rows"]["dropped"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema_version": 2}', '{"schema_version": 1, "steps": 3}',
             '{"schema_version": 1, "steps": [{"step": 1}], "splits": {}}']
)  # fmt: skip
def test_a_ledger_that_cannot_be_read_is_told(tmp_path, text):
    path = tmp_path / "datasets" / "x" / "aaaa"
    path.mkdir(parents=True)
    (path.parent / "current").symlink_to("aaaa")
    (path / "ledger.json").write_text(text)
    assert read_funnel(path).trouble
    assert list_datasets(tmp_path)[0].trouble


def test_any_file_of_rows_is_opened_and_what_is_unusable_counted(tmp_path):
    file = tmp_path / "mine.jsonl"
    lines = [json.dumps({"prompt": f"ask {n} {HOSTILE}", "completion": "x" * n}) for n in range(9)]
    file.write_text("\n".join([*lines, "{broken"]) + "\n")
    table = open_table(file, "kept", tmp_path, quiet)
    assert (table.count, table.opened.unusable, table.opened.is_dataset) == (9, 1, False)
    assert open_table(file, "kept", tmp_path, quiet).opened.unusable == 1
    assert table.row(3).place == 4
    file.write_text(lines[0] + "\n")
    assert open_table(file, "kept", tmp_path, quiet).count == 1


def test_what_is_not_there_or_half_written_is_told(dataset, tmp_path):
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(DataError):
            open_table(path, "kept", tmp_path, quiet)
    half = tmp_path / "train.parquet"
    half.write_bytes((dataset / "train.parquet").read_bytes()[:500])
    with pytest.raises(DataError, match="cannot be read"):
        open_table(tmp_path, "kept", tmp_path, quiet)
    half.write_bytes((dataset / "train.parquet").read_bytes())
    table = open_table(tmp_path, "kept", tmp_path, quiet)
    half.unlink()
    assert table.row(2).id  # the index is mapped
    for work in (
        lambda: whole_row(table, 1),
        lambda: searched_mask(table, "x", quiet),
        lambda: sorted_numbers(table, "tokens", descending=False),
    ):
        with pytest.raises(DataError, match="gone"):
            work()


def test_a_file_without_rows_is_a_table_without_rows(dataset, tmp_path):
    pl.read_parquet(dataset / "train.parquet").head(0).write_parquet(tmp_path / "train.parquet")
    table = open_table(tmp_path, "kept", tmp_path, quiet)
    assert table.count == 0
    assert not searched_mask(table, "x", quiet).size


def test_a_megabyte_in_one_cell_is_cut_into_lines_that_fit():
    lines = wrapped([("👩‍👩‍👧 漢字 " * 20_000 + "\x1b[2J", "")], 40)
    from rich.cells import cell_len

    assert max(cell_len(text) for line in lines for text, _ in line) <= 40
    assert "\\x1b[2J" in "".join(text for line in lines[-3:] for text, _ in line)
    (turn,) = [{"role": "user", "content": "one\ntwo"}]
    assert ("  two", "") in list(chat_lines({"messages": [turn, "no turn"]}))


def test_differences_mark_the_words_and_fit():
    lines = differences("pay by card today", "pay by cash today", 12)
    text = ["".join(part for part, _ in line) for line in lines]
    assert max(map(len, text)) <= 12
    assert "[-card-]" in " ".join(text)
    assert "[+cash+]" in " ".join(text)


def test_the_least_recently_used_indexes_go(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.arrow").write_bytes(b"x" * 100)
        import os

        os.utime(tmp_path / f"{number}.arrow", (number, number))
    make_room(tmp_path, spare="0", limit_bytes=250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.arrow", "3.arrow"]


def test_a_link_to_itself_is_told_and_the_other_datasets_are_listed(tmp_path):
    (tmp_path / "datasets" / "round").mkdir(parents=True)
    (tmp_path / "datasets" / "round" / "current").symlink_to("current")
    (row,) = list_datasets(tmp_path)
    assert row.trouble


def test_the_recipe_of_a_dataset_is_the_one_of_its_name():
    notes = [
        RecipeNote("temper.yaml", "other", frozenset({"curate"})),
        RecipeNote("mine.yaml", "tickets", frozenset({"curate"})),
        RecipeNote("train.yaml", "tickets", frozenset({"train"})),
    ]
    assert recipe_of(notes, "tickets", "curate") == ["mine.yaml"]
    assert recipe_of(notes, "other", "curate") == []
    for several, name in ((notes, "none"), (notes * 2, "tickets")):
        with pytest.raises(UsageError, match="called"):
            recipe_of(several, name, "curate")
