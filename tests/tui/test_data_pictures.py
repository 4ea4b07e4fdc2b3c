"""What a dataset is made of, as bars; made rows beside their parents; what is copied. By keys."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.tui.data_rows import says, until, write_made, write_workspace
from tests.tui.pictures import check_pictures
from tui.app import TemperApp
from tui.browse.arranging import Wish, arrange
from tui.browse.balance import pictures
from tui.browse.table import open_table
from tui.screens.balance import BalanceScreen
from tui.screens.made import MadeScreen
from tui.screens.rows import RowsScreen


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tickets")
    write_workspace(root)
    write_made(root)
    return root


@pytest.fixture
def root(curated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tui.widgets.dataset_list.moment", lambda when: "12:00")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    shutil.copytree(curated, tmp_path / "desk", symlinks=True)
    return tmp_path / "desk"


def rows_of(root: Path) -> pl.DataFrame:
    dataset = root / "datasets" / "tickets" / "current"
    names = ("train", "validation")
    return pl.concat([pl.read_parquet(dataset / f"{one}.parquet").unnest("meta") for one in names])


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(TemperApp, "copy_to_clipboard", lambda self, text: found.append(text))
    return found


def table_of(path: Path, root: Path):
    return open_table(path, "kept", root, lambda *told: None)


@pytest.mark.slow
async def test_bars_are_counted_and_lead_to_exactly_their_rows(root, text_of, copied):
    held = rows_of(root)
    app = TemperApp(root)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("2")
        await says(pilot, "tickets-augmented")
        await until(pilot, lambda: app.screen._list.selected is not None)
        await pilot.press("v")
        text = await says(pilot, "times the rows of the smallest")
        assert isinstance(app.screen, BalanceScreen)
        assert f"{held.height} rows" in text
        for label in "ab":
            count = held.filter(pl.col("label") == label)
            line = next(one for one in text.split("\n") if one[2:].startswith(f"{label} "))
            assert line[1:].split()[:2] == [label, str(count.height)]
            assert str(count["tokens"].sum()) in line.replace(",", "")
        await pilot.press("G", "enter")
        smallest = min("ab", key=lambda label: held.filter(pl.col("label") == label).height)
        fewest = held.filter(pl.col("label") == smallest).height
        text = await says(pilot, f"{fewest} of {held.height} rows")
        assert isinstance(app.screen, RowsScreen)
        assert {app.screen.rows._row(line).label for line in range(fewest)} == {smallest}
        # pictures of what is shown there alone: one label, its sources, splits and lengths
        await pilot.press("v", "tab", "tab")
        text = await says(pilot, "validation")
        assert isinstance(app.screen, BalanceScreen)
        assert f"label = '{smallest}'" in text
        mine = held.filter(pl.col("label") == smallest)
        await pilot.press("tab")
        await says(pilot, "half of the rows have up to")
        await pilot.press("tab", "shift+tab", "G", "y", "space")
        await says(pilot, "tokens >=")
        await pilot.press("escape")
        bar = app.screen._bars.selected
        assert copied == [f"(label = '{smallest}') AND ({bar.filter})"]
        await pilot.press("enter")
        await says(pilot, f"{bar.rows} of {held.height} rows")
        longest = app.screen.rows.selected.tokens
        assert longest == mine["tokens"].max() or longest in mine["tokens"].to_list()
        await pilot.press("escape")
        for size in ((20, 5), (300, 60), (120, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.05)
        await pilot.press("escape", "escape")
        await check_pictures(pilot, "data-balance")
        await pilot.press("shift+tab")
        await says(pilot, "half of the rows")
        await check_pictures(pilot, "data-lengths")


def test_every_bar_has_a_filter_that_fits_its_rows_and_no_others(tmp_path):
    labels = ["it's", "a\\'b", 'say "x"', "", "漢字\u202e[red]", None, "NULL", "%", "a\nb", "-- no"]
    labels += [f"label {number}" for number in range(250)]
    lines = [
        {"text": "x" * (number + 1), "label": label} for number, label in enumerate(labels[:40])
    ]
    lines += [{"text": "short", "label": label} for label in labels[40:]]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = table_of(path, tmp_path)
    found = {one.name: one for one in pictures(table, Wish(), lambda done: None)}
    assert "label" in found and len(found["label"].bars) == 202
    for picture in found.values():
        seen: list[int] = []
        for bar in picture.bars:
            numbers = arrange(table, Wish(only=bar.filter), lambda done: None)
            assert numbers is not None
            assert len(numbers) == bar.rows, bar
            seen += numbers.tolist()
        assert sorted(seen) == list(range(table.count)), picture.name


@pytest.mark.slow
async def test_made_rows_are_seen_beside_their_parents_and_dropped_by_a_key(root, text_of, copied):
    made = rows_of(root).filter(pl.col("parents").list.len() > 0)
    decisions = root / "decisions" / "tickets.jsonl"
    app = TemperApp(root)
    async with app.run_test(size=(130, 40)) as pilot:
        await app.open_dataset((root / "datasets" / "tickets" / "current").resolve())
        await says(pilot, f"{rows_of(root).height} rows")
        await pilot.press("p")
        text = await says(pilot, "Made from")
        assert isinstance(app.screen, MadeScreen)
        assert f"{made.height} of {rows_of(root).height} rows" in text
        await says(pilot, "[+")
        await check_pictures(pilot, "data-made")
        await pilot.resize_terminal(130, 40)
        row = app.screen.rows.selected.id
        assert f"Made from {made.filter(pl.col('id') == row)['parents'][0][0]}" in await says(
            pilot, "Made from"
        )
        await pilot.press("y")
        await until(pilot, lambda: copied)
        assert made.filter(pl.col("id") == row)["messages"][0][0]["content"] in copied[0]
        await pilot.press("a")
        await says(pilot, "It is kept already")
        assert app.screen.rows.selected.id != row
        await pilot.press("k", "x")
        await says(pilot, "u takes it back")
        assert json.loads(decisions.read_text()) == {"id": row, "decision": "drop"}
        assert app.screen.rows.cursor == 1
        await pilot.press("u")
        await says(pilot, "temper curate undecide")
        await until(pilot, lambda: len(decisions.read_text().splitlines()) == 2)
        assert json.loads(decisions.read_text().splitlines()[-1])["decision"] == "undecided"
        # the dataset of the augmentation itself: decisions there would be about other ids
        await app.open_dataset((root / "datasets" / "tickets-augmented" / "current").resolve())
        await says(pilot, "6 rows")
        await pilot.press("p")
        await says(pilot, "of tickets")
        await says(pilot, "noise")
        await pilot.press("x")
        await says(pilot, "no curation would apply this decision")
        assert len(decisions.read_text().splitlines()) == 2


async def test_what_is_selected_is_copied_and_shown_whole(root, text_of, copied):
    app = TemperApp(root)
    dataset = (root / "datasets" / "tickets" / "current").resolve()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await says(pilot, "tickets-augmented")
        await pilot.press("y")
        assert copied.pop() == str(dataset)
        await pilot.press("space")
        await says(pilot, f"tickets/{dataset.name}")
        await pilot.press("escape", "d")
        await says(pilot, "exact_duplicates")
        await pilot.press("j", "j", "j", "y", "space")
        step = copied.pop()
        await says(pilot, step.split("\n")[0])
        assert "dropped as" in step
        await pilot.press("escape", "escape", "enter")
        await says(pilot, "# ")
        await pilot.press("space")
        await says(pilot, '"content_hash"')
        await pilot.press("y")
        await until(pilot, lambda: copied)
        assert json.loads(copied.pop())["id"] == app.screen._table.row(app.screen._number).id
