"""While you were away: what came since the last key, and only that."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tui.app import TemperApp
from tui.away.digest import make_digest
from tui.away.events import events_since
from tui.away.presence import Presence, state_file
from tui.reader import Reader
from workspace.files import write_json


def lines(made, since):
    reader = Reader(made.root)
    snapshot = reader.poll()
    while snapshot.pending:
        snapshot = reader.poll()
    return [news.words for news in make_digest(snapshot, since).news]


def write_events(path, *events):
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def step(number, time, loss, eta):
    return {
        "kind": "metrics", "time": time, "step": number, "max_steps": 200, "loss": loss,
        "eta_seconds": eta,
    }  # fmt: skip


def test_steps_best_alarms_and_the_end_that_moved_are_told(made):
    run = made.run("live", state="running")
    now = time.time()
    write_events(
        made.job_of(run) / "events.jsonl",
        step(10, now - 900, 2.5, 600),
        step(20, now - 700, 2.0, 500),
        {"kind": "checkpoint", "time": now - 300, "step": 25},
        {"kind": "probe", "time": now - 250, "step": 25, "best": 25},
        {"kind": "alarm", "time": now - 240, "step": 26, "alarm": "forgetting", "what": "copying"},
        step(30, now - 100, 1.5, 400),
        step(31, now - 90, 1.25, 390),
    )
    told = lines(made, now - 600)
    assert told[0] == "live: forgetting at step 26. copying"
    assert told[1].startswith("live made 2 steps, to 31 of 200; loss 2 to 1.25; best so far is ")
    assert "step 25; ends at" in told[1]
    assert "8m20s later than expected" in told[1]
    assert lines(made, now + 5) == []


def test_what_ended_and_was_judged_is_told_and_what_was_before_is_not(made):
    now = time.time()
    made.other_job("curate", started=now - 5000, ended=now - 4000)
    made.other_job("eval", day=2, state="failed", error="no room", started=now - 70, ended=now - 60)
    made.evaluation(made.run("x", day=3), "fail")
    made.dataset("triage")
    made.other_job("curate", day=4, result="datasets/triage/1a2b3c4d", ended=now - 50)
    told = lines(made, now - 600)
    assert told == [
        "tuned: It is a fail. 491 answers gained, 297 lost.",
        "eval-ef56 failed after 10s: no room",
        "dataset triage: 2,866 rows",
    ]


def test_long_event_files_are_read_from_their_end_alone(tmp_path):
    path = tmp_path / "events.jsonl"
    write_events(path, *(step(number, float(number), 1.0, 5) for number in range(1, 20_001)))
    recent = events_since(path, 15_000.0)
    assert [one["step"] for one in recent.events] == [*range(15_001, 20_001)]
    assert recent.before is not None
    assert recent.before["step"] == 15_000
    with path.open("ab") as stream:
        stream.write(b'\xff\xfe not json\n{"kind": "alarm", "time": "x"}\n[1]\n{"kind": "torn')
    assert len(events_since(path, 15_000.0).events) == 5_001
    assert events_since(path, 1e12).events == ()
    assert events_since(tmp_path / "none", 0.0).events == ()


def test_the_time_is_kept_outside_the_workspace(made, state_home):
    Presence(made.root).write()
    path = state_file(made.root)
    assert path.is_relative_to(state_home)
    record = json.loads(path.read_text())
    write_json(path, {**record, "last_key": time.time() - 4000})
    again = Presence(made.root)
    assert again.take() is not None
    assert again.take() is None
    for content in ("{", "[]", '{"last_key": "x"}'):
        path.write_text(content)
        assert Presence(made.root).take() is None
    assert list(made.root.iterdir()) == []


async def test_who_comes_back_is_told_and_one_key_puts_it_away(made, settled, text_of, state_home):
    run = made.run("live", state="running", steps=10)
    state_file(made.root).parent.mkdir(parents=True)
    write_json(state_file(made.root), {"schema_version": 1, "last_key": time.time() - 4000})
    made.evaluation(run, "fail")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await app.workers.wait_for_complete()
        await settled(pilot)
        assert "While you were away" in text_of(app)
        assert "✗ tuned: It is a fail. 491 answers gained, 297 lost." in text_of(app)
        await pilot.press("escape")
        assert "While you were away" not in text_of(app)
        await pilot.press("j")
        made.dataset("new", kept=1234)
        app.presence._last -= 1000
        await settled(pilot)
        await pilot.press("k")
        await app.workers.wait_for_complete()
        await settled(pilot)
        assert "dataset new: 1,234 rows" in text_of(app)
    assert Path(state_file(made.root)).exists()
