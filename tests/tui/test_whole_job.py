"""One session of the app, by keys alone: from a file of raw rows to the verdict on a model.

Every job is a real one, detached from the app. Only keys are pressed; what is on the screen is
held against the files that the jobs left.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from textual.pilot import Pilot

from evalsuite.builtin.tickets import TicketSplit, draw_tickets
from tests.tui.conftest import screen_text
from tests.tui.keys import find, type_value, until
from tui.app import TemperApp

_ASKED = "Triage this ticket as JSON."
_COPIES, _UNANSWERED, _TICKETS = 12, 1, 300
_STEPS, _BATCH = 4, 8
_MINUTES = 600.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a directory with nothing but tickets, some of them twice and one without an answer."""
    rng = Random(0)
    rows = [
        {"instruction": _ASKED, "input": ticket.text, "output": ticket.answer}
        for ticket in draw_tickets(rng, TicketSplit.RAW, _TICKETS)
    ]
    unanswered = {**rows.pop(), "output": ""}
    rows += [*rng.sample(rows, _COPIES), unanswered]
    rng.shuffle(rows)
    directory = tmp_path / "tickets"
    directory.mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (directory / "tickets.jsonl").write_text(lines)
    return directory


class Person:
    """Somebody at the keys, who reads the screen and waits for what it is to show."""

    def __init__(self, pilot: Pilot[None], home: Path) -> None:
        app = pilot.app
        assert isinstance(app, TemperApp)
        self.pilot, self.app, self.home = pilot, app, home

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def see(self, *words: str) -> str:
        """Wait until all of `words` are on the screen; return what else is."""

        def shown() -> bool:
            return all(one in screen_text(self.app) for one in words)

        try:
            await until(self.pilot, shown, _MINUTES)
        except AssertionError:
            raise AssertionError(f"no {words} on\n{screen_text(self.app)}") from None
        return screen_text(self.app)

    async def go_down_to(self, words: str, most: int = 40) -> None:
        """Move the cursor until it is on a line with `words`."""
        for _ in range(most):
            if any(words in line for line in screen_text(self.app).split("\n") if "▌" in line):
                return
            await self.press("j")
        raise AssertionError(f"the cursor found no {words!r} on\n{screen_text(self.app)}")

    async def job(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait until the newest of `count` jobs of a kind has finished; return its record."""

        def ended() -> bool:
            found = records(self.home, kind)
            return len(found) == count and found[-1]["state"] not in ("queued", "running")

        await until(self.pilot, ended, _MINUTES)
        record = records(self.home, kind)[-1]
        assert record["state"] == "finished", record["error"]
        return record


def records(home: Path, kind: str) -> list[dict[str, Any]]:
    """Return the records of all jobs of a kind, the oldest first."""
    found = (path / "job.json" for path in sorted(home.glob(f"jobs/*-{kind}-*")))
    read = [json.loads(path.read_text()) for path in found if path.exists()]
    return sorted(read, key=lambda record: record["created"])


@pytest.mark.slow
async def test_from_raw_rows_to_a_verdict_by_keys_alone(home: Path) -> None:
    app = TemperApp(home)
    async with app.run_test(size=(80, 24)) as pilot:
        person = Person(pilot, home)
        await _begin(person)
        await _curate(person)
        await _look_at_rows(person)
        await _train(person)
        await _evaluate(person)
        await person.press("q")
    assert app.return_code == 0


async def _begin(person: Person) -> None:
    """Home offers a recipe for the rows that lie there."""
    await person.see("Nothing is here yet", "❯ temper init . …", "d do next")
    await person.press("d")
    await person.see("Which file has your rows?", "tickets.jsonl")
    await person.press("enter")
    await person.see("What are the answers in these rows?")
    await person.press("j", "j", "enter")
    await person.see("Which model is to learn them?", "builtin")
    await person.press("enter")
    await person.see("The recipe tickets has no dataset yet", "❯ temper curate --detach")
    recipe = (person.home / "temper.yaml").read_text()
    assert "- path: tickets.jsonl" in recipe and "path: builtin" in recipe
    assert "kind: json" in (person.home / "suites/target.yaml").read_text()


async def _curate(person: Person) -> None:
    """What is to be trained on, and what is replayed beside it, as Home proposes them."""
    await person.press("d")
    record = await person.job("curate")
    assert record["argv"] == ["temper", "curate"]
    await person.see("The recipe general has no dataset yet", " datasets 1 ")
    await person.press("d")
    record = await person.job("curate", count=2)
    assert record["argv"] == ["temper", "curate", "general.yaml"]
    await person.see(" datasets 2 ", "❯ temper train --detach")
    for name in ("tickets", "general"):
        assert (person.home / "datasets" / name / "current/train.parquet").is_file()


async def _look_at_rows(person: Person) -> None:
    """The account of the curation, a kept row, and a dropped one with its reason."""
    ledger = json.loads((person.home / "datasets/tickets/current/ledger.json").read_text())
    rows, kept = ledger["rows"], ledger["rows"]["kept"]
    assert rows["in"] == _TICKETS + _COPIES == kept + rows["dropped"]
    await person.press("2")
    await person.see("general", "tickets", "c curate")
    await person.go_down_to("tickets")
    splits = [f"{name} {split['rows']}" for name, split in ledger["splits"].items()]
    text = await person.see(*splits, "exact_duplicates")
    assert f" {kept} " in _line(text, "▌") and f" {rows['dropped']} " in _line(text, "▌")

    await person.press("enter")
    await person.see(f"{kept} rows", "split")
    await person.press("enter")
    text = await person.see(_ASKED, "assistant", f"1/{kept}")
    assert '{"team":' in text and "tickets.jsonl:" in text
    await person.press("escape", "escape")

    await person.press("d")
    text = await person.see(f"{rows['in']} in, {kept} kept", "the answer is empty")
    for step in ledger["steps"]:
        line = _line(text, f" {step['step']} ")
        assert f" {step['in']['rows']} " in line and f" {step['kept']['rows']} " in line
    copies = next(step for step in ledger["steps"] if step["step"] == "exact_duplicates")
    assert copies["dropped"]["exact_duplicate"]["rows"] == _COPIES
    assert f"-{_COPIES} " in _line(text, "exact_duplicate  ")
    await person.go_down_to("empty_answer ")
    await person.press("enter")
    await person.see(f"{_UNANSWERED} of {rows['dropped']} rows", "▌   1  empty_answer")
    await person.press("enter")
    await person.see("empty_answers: empty_answer", "the answer is empty or blank", _ASKED)
    await person.press("e")
    await person.see("temper curate explain", "empty_answers")
    await person.press("escape", "escape", "escape")
    await person.see("Data")


async def _train(person: Person) -> None:
    """A recipe made small in its form, saved, and trained by."""
    await person.press("3")
    await person.see("temper.yaml · tickets", "✓ saved", " of 32 rows")
    await find(person.pilot, "train.epochs")
    await person.press("x")
    await person.see("--set train.epochs=null")
    await find(person.pilot, "train.steps")
    await type_value(person.pilot, str(_STEPS))
    await find(person.pilot, "train.batch_size")
    await type_value(person.pilot, str(_BATCH))
    await person.see("● not saved", f"steps   {_STEPS} of {_BATCH} rows ·")
    await person.press("w")
    await person.see("✓ saved", "❯ temper train temper.yaml --detach")
    saved = (person.home / "temper.yaml").read_text()
    assert f"steps: {_STEPS}" in saved and f"batch_size: {_BATCH}" in saved
    assert "epochs" not in saved and "# gentle" in saved

    await person.press("S")
    await person.see("● running", "❯ loss")
    record = await person.job("train")
    assert record["argv"] == ["temper", "train", str(person.home / "temper.yaml")]
    run = person.home / record["result"]
    loss = _last_metrics(person.home / "jobs" / record["id"])["loss"]
    text = await person.see("✓ finished", f"step     {_STEPS} of {_STEPS}", "not evaluated yet")
    assert run.name in text and f"loss  {loss:.4g}" in text
    assert json.loads((run / "run.json").read_text())["steps"] == _STEPS
    assert (run / "model/model.safetensors").is_file()
    await person.press("escape", "1")
    await person.see("✓ tickets-", "finished", f"{_STEPS}/{_STEPS}", "❯ temper eval tickets-")


async def _evaluate(person: Person) -> None:
    """Two suites chosen and asked; the verdict opens by itself, and is in the list."""
    await person.press("4")
    await person.see("There is no evaluation yet", "e evaluate")
    await person.press("e")
    await person.see("[ ] tickets-", "[ ] target", "S start")
    for suite in ("target", "builtin:triage"):
        await person.go_down_to(suite)
        await person.press("enter")
    await person.see("❯ temper eval --suite target --suite builtin:triage --detach")
    await person.press("S")
    await person.see("It is being measured now")
    record = await person.job("eval")
    suites = ["--suite", "target", "--suite", "builtin:triage"]
    assert record["argv"] == ["temper", "eval", *suites]
    results = json.loads((person.home / record["result"] / "results.json").read_text())
    (compared,) = results["comparisons"]
    verdict = compared["verdict"]
    text = await person.see("[abilities]", f"{verdict['status']} tickets against base")
    assert verdict["headline"].split(";")[0][:60] in " ".join(text.split())
    assert [one["name"] for one in verdict["abilities"]] == ["tickets", "triage"]
    for ability in verdict["abilities"]:
        line = _line(text, f" {ability['name']} ", after="base  tuned")
        base, tuned = (f"{100 * ability[model]:.1f}" for model in ("base", "tuned"))
        assert [one for one in line.split() if one in (base, tuned)][:2] == [base, tuned]
        assert f"{100 * ability['difference']:+.1f}" in line
    await person.press("escape")
    text = await person.see("1 eval", verdict["headline"][:40])
    assert verdict["status"] in _line(text, "▌ ")


def _line(text: str, words: str, after: str = "") -> str:
    """Return the first line of a screen that has `words`."""
    lines = iter(text.split("\n")[1:])
    if after:
        next(line for line in lines if after in line)
    return next(line for line in lines if words in line)


def _last_metrics(job: Path) -> dict[str, Any]:
    """Return the last step that a job recorded."""
    events = map(json.loads, (job / "events.jsonl").read_text().splitlines())
    metrics: list[dict[str, Any]] = [event for event in events if event["kind"] == "metrics"]
    return metrics[-1]
