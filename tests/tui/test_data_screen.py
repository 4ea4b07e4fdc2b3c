"""The data screens, by keys, on a real dataset."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import TextArea

from curate.decisions import load_decisions
from tests.tui.data_rows import says, until
from tests.tui.pictures import check_pictures
from tui.actions import ACTIONS
from tui.app import TemperApp
from tui.screens.data import DataScreen
from tui.screens.dropped import DroppedScreen
from tui.screens.edit_text import EditText
from tui.screens.row import RowScreen
from tui.screens.rows import RowsScreen

SCOPES = ("data", "rows", "dropped", "row", "funnel", "trying", "pairs")


async def type_in(pilot, text):
    await pilot.press(*("space" if one == " " else one for one in text))


def dataset(root: Path) -> Path:
    return (root / "datasets" / "tickets" / "current").resolve()


@asynccontextmanager
async def rows_of_dataset(root: Path, size: tuple[int, int]) -> AsyncIterator[Pilot]:
    """The app with the dataset's rows on the screen."""
    app = TemperApp(root)
    async with app.run_test(size=size) as pilot:
        await app.open_dataset(dataset(root))
        await says(pilot, "41 rows")
        yield pilot


async def test_rows_are_browsed_by_keys(root, text_of):
    app = TemperApp(root)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await says(pilot, "near_duplicate")
        assert isinstance(app.screen, DataScreen)
        await pilot.press("enter")
        text = await says(pilot, "41 rows")
        assert isinstance(app.screen, RowsScreen)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
        table = app.screen.rows
        await pilot.press("G")
        assert table.cursor == 40
        await pilot.press("g", "j", "down", "k")
        assert table.cursor == 1
        # sort: the most tokens first
        await pilot.press("s", *["j"] * 8, "enter")
        await until(pilot, lambda: "tokens↓" in text_of(app))
        await pilot.press("g")
        first = table.selected
        await pilot.press("j")
        assert first is not None
        assert first.tokens >= table.selected.tokens
        # a filter that cannot be used stays to be mended; one that can shows its rows
        await pilot.press("f")
        await type_in(pilot, "label = ")
        await pilot.press("enter")
        await says(pilot, "this filter cannot be read")
        await type_in(pilot, "'a'")
        await pilot.press("enter")
        await says(pilot, f"{_count(root, 'a')} of 41 rows")
        assert {table.selected.label} == {"a"}
        await pilot.press("escape")
        await says(pilot, " 41 of 41 rows")
        # search finds the row wherever it stands now, and n comes round to it again
        await pilot.press("slash")
        await type_in(pilot, "answer 7 ")
        await pilot.press("enter")
        await says(pilot, "1 of 1 rows that say")
        line = table.cursor
        await pilot.press("g", "n")
        assert table.cursor == line
        await pilot.press("slash")
        await type_in(pilot, "nowhere to be found")
        await pilot.press("enter")
        await says(pilot, "No row says")
        wanted = table.selected.id
        await pilot.press("g", "i")
        await type_in(pilot, wanted[:10])
        await pilot.press("enter")
        await until(pilot, lambda: table.selected.id == wanted)
        await pilot.press("i")
        await type_in(pilot, "99999")
        await pilot.press("enter")
        await says(pilot, "No row shown here")
        await pilot.press("escape")
        # hostile text, in a row of its own too, and on the smallest screen
        await pilot.press("i", *"1", "enter", "slash")
        await type_in(pilot, "[red]x")
        await pilot.press("enter")
        await says(pilot, "rows that say")
        await pilot.press("enter")
        await says(pilot, "[red]x[/red]")
        for size in ((20, 5), (300, 60), (100, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.05)
            text = text_of(app)
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert all(cell_len(line) <= size[0] for line in text.split("\n"))


def _count(root: Path, label: str) -> int:
    import polars as pl

    frames = [pl.read_parquet(dataset(root) / f"{n}.parquet") for n in ("train", "validation")]
    return sum(frame["meta"].struct.field("label").eq(label).sum() for frame in frames)


@pytest.mark.slow
async def test_one_row_is_seen_as_chat_json_tokens_and_its_story(root, text_of):
    async with rows_of_dataset(root, (100, 40)) as pilot:
        app = pilot.app
        await pilot.press("enter")
        await says(pilot, "assistant")
        assert isinstance(app.screen, RowScreen)
        before = app.screen._number
        await pilot.press("J")
        await until(pilot, lambda: "2/41" in text_of(app))
        await pilot.press("K", "tab")
        await says(pilot, '"content_hash"')
        await pilot.press("tab")
        text = await says(pilot, "of them with loss")
        assert "| <|im_start|>user" in text
        assert re.search(r"\+ answer \d+", text)
        assert "packed with" in text
        await says(pilot, "temper preview --id")
        await pilot.press("tab")
        text = await says(pilot, "kept in")
        await says(pilot, "temper curate explain")
        await pilot.press("escape")
        assert isinstance(app.screen, RowsScreen)
        assert app.screen.rows.number == before


@pytest.mark.slow
async def test_dropped_rows_are_kept_by_a_key_and_that_is_undone(root, text_of):
    decisions = root / "decisions" / "tickets.jsonl"
    async with rows_of_dataset(root, (130, 30)) as pilot:
        app = pilot.app
        await pilot.press("d")
        await says(pilot, "nearly the same words")
        await pilot.press("j", "j", "j", "j", "j", "j", "enter")
        text = await says(pilot, "5 of 12 rows")
        assert isinstance(app.screen, DroppedScreen)
        assert "near_duplicates as near_duplicate" in text
        await says(pilot, "[+please+]")
        row = app.screen.rows.selected.id
        await pilot.press("x")
        await says(pilot, "It is dropped already")
        await pilot.press("a")
        await says(pilot, "u takes it back")
        assert json.loads(decisions.read_text()) == {"id": row, "decision": "keep"}
        assert any(line.startswith(" +") for line in text_of(app).split("\n"))
        await pilot.press("u")
        await says(pilot, "temper curate undecide")
        await until(pilot, lambda: len(decisions.read_text().splitlines()) == 2)
        last = json.loads(decisions.read_text().splitlines()[-1])
        assert last == {"id": row, "decision": "undecided"}
        await until(pilot, lambda: not app.screen.rows.decided)
        await pilot.press("u")
        await says(pilot, "Nothing was decided here yet")


@pytest.mark.slow
async def test_what_vanished_or_is_newer_is_said(root, text_of):
    async with rows_of_dataset(root, (220, 30)) as pilot:
        app = pilot.app
        ledger = dataset(root) / "ledger.json"
        ledger.write_text(ledger.read_text().replace('"schema_version": 1', '"schema_version": 9'))
        await pilot.press("d")
        await says(pilot, "this ledger is from another version")
        await pilot.press("escape")
        for split in ("train", "validation"):
            (dataset(root) / f"{split}.parquet").unlink()
        await pilot.press("j")
        await says(pilot, "this file is gone")
        await pilot.press("slash", "x", "enter")
        await says(pilot, "gone")
        await pilot.press("r")
        await says(pilot, "this directory holds no dataset")
        await pilot.press("escape")
        assert isinstance(app.screen, DataScreen)
        await pilot.press("o")
        await type_in(pilot, "none.jsonl")
        await pilot.press("enter")
        await says(pilot, "this file is not there")
        await pilot.press("escape", "o")
        await type_in(pilot, "rows.jsonl")
        await pilot.press("enter")
        await says(pilot, "1 records could not be read")
        shutil.rmtree(root / "datasets")
        await pilot.press("escape", "r")
        await says(pilot, "There is no dataset here yet")


@pytest.mark.parametrize("scope", SCOPES)
def test_no_key_means_two_things_on_a_data_screen(scope):
    seen: dict[str, str] = {}
    for action in ACTIONS:
        if scope in action.scopes or "app" in action.scopes:
            for key in action.keys:
                assert seen.setdefault(key, action.action) == action.action


@pytest.mark.slow
async def test_pictures_of_the_data_screens(root, monkeypatch):
    monkeypatch.setattr("tui.widgets.dataset_list.moment", lambda when: "12:00")
    monkeypatch.setattr(Path, "home", lambda: root.parent)
    app = TemperApp(root)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("2")
        await says(pilot, "near_duplicate")
        await check_pictures(pilot, "data")
        await pilot.resize_terminal(160, 48)
        await pilot.press("enter")
        await says(pilot, "assistant")
        await check_pictures(pilot, "data-rows")
        await pilot.press("enter")
        await says(pilot, "[chat]")
        await check_pictures(pilot, "data-row")
        await pilot.press("escape", "d")
        await says(pilot, "nearly the same words")
        await pilot.press(*["j"] * 6)
        await check_pictures(pilot, "data-funnel")
        await pilot.resize_terminal(160, 48)
        await pilot.press("enter")
        await says(pilot, "[+please+]")
        await check_pictures(pilot, "data-dropped")
        await pilot.press("escape", "c")
        await says(pilot, "What it keeps")
        await check_pictures(pilot, "data-try")
        await pilot.press("escape", "p")
        await says(pilot, "[+please+]")
        await check_pictures(pilot, "data-pairs")
        await pilot.press("e")
        await says(pilot, "Write which text anew?")
        await check_pictures(pilot, "choose")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, EditText))
        await check_pictures(pilot, "edit-text")


@pytest.mark.slow
async def test_a_threshold_is_tried_then_counted_and_written(root, text_of):
    async with rows_of_dataset(root, (110, 30)) as pilot:
        app = pilot.app
        await pilot.press("d")
        await says(pilot, "nearly the same words")
        await pilot.press("c")
        await says(pilot, "This is no step of the recipe")
        await pilot.press(*["j"] * 5, "c")
        await says(pilot, "all 47 rows that reached this step")
        await pilot.press("w")
        await says(pilot, "Nothing is changed")
        await pilot.press(*["plus"] * 20)
        await says(pilot, "changed           47")
        text = text_of(app)
        assert "was 0.8" in text
        assert "dropped: 5 near_duplicate" in text
        assert "threshold: 0.8}  # a threshold" in (root / "temper.yaml").read_text()
        await pilot.press("enter")
        text = await says(pilot, "exactly           47")
        assert "temper curate run --dry-run --json --set" in text
        await pilot.press("w")
        await says(pilot, "curate applies it")
        assert (
            "- near_duplicates: {threshold: 1}  # a threshold" in (root / "temper.yaml").read_text()
        )


@pytest.mark.slow
async def test_a_text_of_a_pair_is_written_anew_by_keys_and_that_is_undone(root, text_of):
    decisions = root / "decisions" / "tickets.jsonl"
    async with rows_of_dataset(root, (110, 30)) as pilot:
        app = pilot.app
        await pilot.press("d")
        await says(pilot, "nearly the same words")
        await pilot.press(*["j"] * 5, "p")
        await says(pilot, "[+please+]")
        pair = app.screen._pairs[0]
        await pilot.press("e")
        await says(pilot, "Write which text anew?")
        await pilot.press("k", "enter")  # the question; the answer is proposed
        await until(pilot, lambda: isinstance(app.screen, EditText))
        before = app.screen.query_one(TextArea).text
        assert "please" in before and before in pair.row_text
        await pilot.press("f7", *"--new", "enter", *"[b]", "ctrl+s")
        await says(pilot, "temper curate edit")
        line = json.loads(decisions.read_text())
        assert line == {
            "id": pair.row, "decision": "edit", "texts": {"messages.0": "--new\n[b]"}
        }  # fmt: skip
        assert "[b]" in text_of(app) and "please" not in text_of(app)
        # what was written here is what is edited further; leaving changes nothing
        await pilot.press("e")
        await says(pilot, "Write which text anew?")
        await pilot.press("k", "enter")
        await until(pilot, lambda: isinstance(app.screen, EditText))
        assert app.screen.query_one(TextArea).text == "--new\n[b]"
        await pilot.press(*"xyz", "escape")
        await pilot.press("u")
        await until(pilot, lambda: load_decisions(decisions).edit[pair.row]["messages.0"] == before)
        assert "[+please+]" in await says(pilot, "please")
        assert len(decisions.read_text().splitlines()) == 2


@pytest.mark.slow
async def test_pairs_are_judged_by_keys_and_the_threshold_follows(root, text_of):
    decisions = root / "decisions" / "tickets.jsonl"
    async with rows_of_dataset(root, (110, 30)) as pilot:
        app = pilot.app
        await pilot.press("d")
        await says(pilot, "nearly the same words")
        await pilot.press("p")
        await says(pilot, "Only near_duplicates compares pairs")
        await pilot.press(*["j"] * 5, "p")
        text = await says(pilot, "[+please+]")
        assert "one is dropped" in text
        assert "threshold 0.8, fits best 0.8 (0 judged)" in text
        pair = app.screen._pairs[0]
        await pilot.press("a")
        await says(pilot, "temper curate restore")
        assert json.loads(decisions.read_text()) == {"id": pair.row, "decision": "keep"}
        text = await says(pilot, "(1 judged)")
        fitted = app.screen._fitted
        assert fitted > pair.similarity
        await pilot.press("w")
        await says(pilot, "temper curate set")
        assert f"threshold: {fitted:g}}}" in (root / "temper.yaml").read_text()
        await pilot.press("u")
        await says(pilot, "temper curate undecide")
        assert "(0 judged)" in text_of(app)
        assert json.loads(decisions.read_text().splitlines()[-1])["decision"] == "undecided"


async def test_a_recipe_is_curated_by_its_name_that_of_the_dataset_first(
    made, settled, text_of, monkeypatch
):
    app = TemperApp(made.root)
    ran = []
    monkeypatch.setattr(app, "run_temper", lambda arguments, then: ran.append(arguments))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await settled(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "No recipe here curates rows" in text_of(app))
        made.recipe()
        made.recipe("other.yaml", name="general")
        made.recipe("late.yaml", name="late", train="{}")
        made.dataset("general")
        await settled(pilot)
        await until(pilot, lambda: "▌ ✓ general" in text_of(app))
        await pilot.press("c")
        await until(pilot, lambda: "general  other.yaml" in text_of(app))
        assert "triage   temper.yaml" in text_of(app) and "late" not in text_of(app)
        await pilot.press("enter")
        await pilot.press("c", "k", "enter")
        await pilot.pause()
        assert ran == [["curate", "other.yaml", "--detach"], ["curate", "--detach"]]
