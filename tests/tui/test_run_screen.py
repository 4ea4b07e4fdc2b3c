import asyncio
import json
import math
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.pictures import check_pictures
from tests.tui.test_terminals import Terminal
from tui import themes
from tui.app import TemperApp
from tui.batches import BatchRow
from tui.curves import frontier
from tui.curves.record import RunCurves
from tui.glyphs import UNICODE
from tui.palette import Entry
from tui.poller import Poller, Update
from tui.reader import Reader
from tui.records import read_record
from tui.screens.batch import BatchScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.temper import Outcome
from workspace import machine
from workspace.files import publish_directory


@asynccontextmanager
async def opened(root: Path, settled: Any, size: tuple[int, int]) -> AsyncIterator[Pilot]:
    """The app with the only run on the screen."""
    app = TemperApp(root)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        yield pilot


async def test_a_run_opens_with_its_curve_facts_abilities_and_log(made, settled, text_of):
    run = made.run("tempered", steps=200)
    made.evaluation(run, "fail")
    (made.job_of(run) / "log.txt").write_text("first line\nlast line\n")
    async with opened(made.root, settled, (160, 48)) as pilot:
        app = pilot.app
        assert isinstance(app.screen, RunScreen)
        text = text_of(app)
        for expected in (
            run.name,
            "finished",
            "copying",
            "-0.549",
            "It is a fail.",
            "last line",
            "datasets/triage/1a2b3c4d",
            "temper.yaml · sft · lora",
        ):
            assert expected in text
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


async def test_an_open_run_follows_its_log_and_its_steps(made, settled, text_of):
    run = made.run("live", state="running", steps=10)
    log = made.job_of(run) / "log.txt"
    log.write_text("".join(f"line {number}\n" for number in range(500)))
    async with opened(made.root, settled, (80, 24)) as pilot:
        app = pilot.app
        assert "line 499" in text_of(app)
        with log.open("a") as stream:
            stream.write("a new line\n")
        made.train(run, [11])
        await settled(pilot)
        assert "a new line" in text_of(app)
        assert "11 of 200" in text_of(app)
        await pilot.press("p")
        with log.open("a") as stream:
            stream.write("written while covered\n")
        await settled(pilot)
        await pilot.press("escape")
        await settled(pilot)
        assert text_of(app).count("written while covered") == text_of(app).count("a new line") == 1


async def test_a_log_is_not_followed_after_going_back(made, settled):
    run = made.run("live", state="running", steps=10)
    (made.job_of(run) / "log.txt").write_text("line\n")
    async with opened(made.root, settled, (80, 24)) as pilot:
        app = pilot.app
        assert app.poller.follows is not None
        await pilot.press("escape")
        await settled(pilot)
        assert app.poller.follows is None


async def test_a_run_opened_over_another_shows_its_own_log_and_goes_on(made, settled, text_of):
    runs = [made.run(name, state="running", steps=10) for name in ("alpha", "beta")]
    for run in runs:
        (made.job_of(run) / "log.txt").write_text(f"a line of {run.name}\n")
    app = TemperApp(made.root)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.open_run(runs[1].name)
        await settled(pilot)
        await pilot.press("p")
        await settled(pilot)
        await app._take(Entry("run", runs[0].name, ""))
        await settled(pilot)
        assert app.poller.follows == made.job_of(runs[0]) / "log.txt"
        assert f"a line of {runs[0].name}" in text_of(app)
        assert f"a line of {runs[1].name}" not in text_of(app)
        made.train(runs[0], [11])
        await settled(pilot)
        assert app.screen._curves.tracks["loss"].last_step == 11


async def test_steps_that_are_passed_over_are_not_read(made, settled, text_of, monkeypatch):
    asked, parsed_in = [], []

    def answer(arguments, root, *, is_unwanted):
        asked.append(arguments[2])
        while len(asked) == 1 and not is_unwanted():
            time.sleep(0.01)
        return Outcome(tuple(arguments), 0, f"step {arguments[2]}", "")

    def rows(document):
        parsed_in.append(threading.current_thread())
        return [BatchRow(document, "a", (("a row", True),))]

    monkeypatch.setattr("tui.screens.batch.run_temper", answer)
    monkeypatch.setattr("tui.screens.batch.read_rows", rows)
    made.run("live", steps=30)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.push_screen(BatchScreen(UNICODE, app.snapshot.runs[0], 10))
        await pilot.pause(0.1)
        for _ in range(5):
            app.screen.action_step(1)
        text = await shown(pilot, text_of, "row 1 of 1")
        assert "step 15" in text and "a row" in text
        assert asked == ["10", "15"]
        assert parsed_in and threading.main_thread() not in parsed_in


def test_lines_of_another_log_are_passed_over(made, monkeypatch):
    run = made.run("alpha", steps=3)
    snapshot = Reader(made.root).poll()
    screen = RunScreen(UNICODE, snapshot, snapshot.runs[0])
    wrote = []
    monkeypatch.setattr(screen._log, "write_lines", wrote.append)
    monkeypatch.setattr(screen, "call_after_refresh", lambda *_, **__: True)
    monkeypatch.setattr(screen, "_draw", lambda: None)
    monkeypatch.setattr(RunScreen, "is_current", False)
    screen.show(Update(snapshot, made.root / "other.txt", ("not its own",)))
    screen.show(Update(snapshot, made.job_of(run) / "log.txt", ("its own",)))
    assert wrote == [["its own"]]


def test_what_cannot_be_read_is_told_and_does_not_end_the_looks(made):
    class Odd:
        version, pending = 0, True

        def read(self, budget):
            raise OverflowError("odd")

    updates = queue.SimpleQueue()
    poller = Poller(Reader(made.root), updates.put)
    poller.read_too((Odd(),))
    poller.start()
    try:
        assert "odd" in updates.get(timeout=20).snapshot.trouble
        poller.read_too(())
        assert poller.is_alive()
        while updates.get(timeout=20).snapshot.trouble:
            pass
    finally:
        poller.stop()


def test_what_the_first_look_found_is_painted_before_more_is_read(made):
    class Endless:
        version, pending = 0, True

        def read(self, budget):
            self.version += 1
            return budget

    updates = queue.SimpleQueue()
    poller = Poller(Reader(made.root), lambda _: updates.put(time.monotonic()))
    poller.read_too((Endless(),))
    assert not poller.wait_for_first_look(0)
    poller.start()
    try:
        assert poller.wait_for_first_look(20)
        looks = [updates.get(timeout=20) for _ in range(2)]
        assert looks[1] - looks[0] > 0.1
    finally:
        poller.stop()


def test_closing_one_run_leaves_the_curves_of_another(made):
    poller = Poller(Reader(made.root), lambda _: None)
    one, other = RunCurves(None), RunCurves(None)
    poller.read_too((other,))
    poller.read_no_more((one,))
    assert poller._followed == (other,)
    poller.read_no_more((other,))
    assert poller._followed == ()


@pytest.mark.slow
async def test_pictures_of_what_a_run_leads_to(made, settled, monkeypatch):
    rows = [
        BatchRow("ticket-1", "raw/tickets.jsonl:7", (("user", True), ("a row", False))),
        BatchRow("ticket-2", "raw/tickets.jsonl:9", (("assistant", True), ("another", False))),
    ]
    told = lambda arguments, root, **_: Outcome(tuple(arguments), 0, "{}", "")  # noqa: E731
    monkeypatch.setattr("tui.screens.batch.run_temper", told)
    monkeypatch.setattr("tui.screens.batch.read_rows", lambda document: rows)
    monkeypatch.setattr("tui.screens.probes.moment", lambda when: "12:00")
    run = made.run("probed", steps=60)
    probe_events(run, made)
    (made.job_of(run) / "log.txt").write_text("planned 60 steps\nstep 20\nwrote model\n")
    async with opened(made.root, settled, (160, 48)) as pilot:
        await pilot.press("p")
        await check_pictures(pilot, "probes")
        await pilot.press("escape", "L")
        await check_pictures(pilot, "log")
        await pilot.press("escape")
        pilot.app.push_screen(BatchScreen(UNICODE, pilot.app.snapshot.runs[0], 10))
        await check_pictures(pilot, "batch")


async def test_a_run_deleted_while_open_stays_as_it_was_last_seen(made, settled, text_of):
    run = made.run("brief", steps=10)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        shutil.rmtree(run)
        await settled(pilot)
        assert "deleted" in text_of(app)
        await pilot.press("h")
        assert isinstance(app.screen, HomeScreen)


async def test_a_broken_run_can_be_opened_too(made, settled, text_of):
    (made.run("torn") / "run.json").write_text("{")
    async with opened(made.root, settled, (80, 24)) as pilot:
        app = pilot.app
        assert "broken" in text_of(app)
        assert "cannot be read" in text_of(app)


def heading_in(text):
    """Return the heading of the chart that keys go to."""
    return next(line for line in text.splitlines() if "\u276f " in line)


def marred(made, state="running"):
    """Make a run with a loss that was no number and an alarm, and another beside it."""
    run = made.run("live", state=state, steps=120, day=3)
    log = made.log_of(run)
    nothing = {"learning_rate": 1e-3, "grad_norm": math.inf, "tokens_per_second": 3.0}
    log.append("metrics", step=121, max_steps=200, loss=math.nan, **nothing)
    log.append("alarm", step=80, alarm="stalled", what="nothing was begun for 60 s")
    made.train(run, range(122, 140))
    made.run("other", steps=200, day=2)
    return run


async def test_the_cursor_reads_values_and_finds_what_was_wrong(made, settled, text_of):
    marred(made)
    async with opened(made.root, settled, (80, 24)) as pilot:
        app = pilot.app
        heading = lambda: heading_in(text_of(app))  # noqa: E731
        assert "loss  0.1591" in heading()
        assert "\u00d7" in text_of(app) and "\u25b2" in text_of(app)
        await pilot.press("g")
        assert "loss at step 1  2.696" in heading()
        await pilot.press("n")
        assert "at step 80" in heading()
        await pilot.press("n")
        assert "at step 121  nan" in heading()
        await pilot.press("right")
        assert "at step 122  0.2006" in heading()
        await pilot.press("left", "left")
        assert "at step 119" in heading() or "at step 120" in heading()
        await pilot.press("0", "j")
        assert "grad norm  1.25" in heading()
        await pilot.press("k", "plus", "plus")
        assert "steps 75 to 125" in heading()
        await pilot.press(">")
        assert "steps 88 to 138" in heading()
        await pilot.press("-", "-", "e")
        await settled(pilot)
        assert "mean of 10 (EMA)" in heading() and "loss  0.17" in heading()
        await pilot.press("v")
        assert "log scale" in heading()


@pytest.mark.slow
async def test_runs_lie_over_each_other_with_their_names_and_values(made, settled, text_of):
    marred(made, "finished")
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        await pilot.press("enter", "o")
        await settled(pilot)
        assert "m marks" in text_of(app)
        await pilot.press("m")
        await check_pictures(pilot, "overlay")
        await pilot.resize_terminal(160, 48)
        app.theme = themes.DARK.name
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("G")
        legend = next(line for line in text_of(app).splitlines() if "\u2501\u2501 " in line)
        assert "\u2501\u2501 live-ab12 0.1591  \u254d\u254d other-ab12" in legend
        await pilot.press("tab", "j")
        assert "\u276f learning rate" in heading_in(text_of(app))
        await check_pictures(pilot, "run-over")
        await pilot.press("o", "m", "enter")
        await settled(pilot)
        assert "other-ab12" not in text_of(app)


@pytest.mark.slow
async def test_a_run_as_a_picture(made, settled, text_of):
    run = made.run("tempered", steps=200)
    made.evaluation(run, "fail")
    (made.job_of(run) / "log.txt").write_text("planned 200 steps\nwrote model\n")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await check_pictures(pilot, "run")
        for size in ((20, 5), (300, 60), (40, 12), (80, 24)):
            await pilot.resize_terminal(*size)
            await settled(pilot)
        assert "loss" in text_of(app)


async def test_half_written_and_newer_events_are_passed_over(made, settled, text_of):
    run = made.run("torn", state="running", steps=30)
    with (made.job_of(run) / "events.jsonl").open("ab") as stream:
        stream.write(
            b'\xff\xfe{"kind": "metrics", "step"\n{"kind":"metrics","step":31,"loss":[1]}\n'
        )
        stream.write(b'{"kind":"metrics","step":31,"values":7,"max_steps":"many"}\n[1]\n"x"\n')
        stream.write(
            b'{"kind":"metrics","schema_version":9,"step":31,"loss":0.5,"new\\u001b[31m":1}'
        )
    async with opened(made.root, settled, (80, 24)) as pilot:
        app = pilot.app
        assert "loss  1.2" in text_of(app)
        with (made.job_of(run) / "events.jsonl").open("ab") as stream:
            stream.write(b"\n")
        await settled(pilot)
        assert "loss  0.5" in text_of(app)
        (made.job_of(run) / "events.jsonl").unlink()
        await settled(pilot)
        await pilot.press("k")
        assert "new\\x1b[31m  1" in text_of(app)


@pytest.mark.slow
def test_an_open_run_costs_little_on_the_line(made):
    run = made.run("live", state="running", steps=100)
    screen = Terminal(made.root)
    try:
        assert screen.read_until(b"live-ab12")
        screen.press(b"\r")
        assert screen.read_until(b"metric")
        screen.read_for(1.5)
        sent = 0
        for step in range(101, 105):
            made.train(run, [step])
            sent += screen.read_for(1.1)
        assert 0 < sent / 4.4 < 1024
        print(f"{sent / 4.4:.0f} bytes a second")
        assert screen.read_for(2.0) == 0
    finally:
        screen.close()


async def test_enter_opens_the_rows_of_the_step_under_the_cursor(made, settled, text_of):
    """Through the command that anyone can type; that the rows are right is tested with `train`."""
    run = trained_run(made)
    async with opened(made.root, settled, (100, 16)) as pilot:
        app = pilot.app
        await pilot.press("g", "right")
        assert "at step 2" in heading_in(text_of(app))
        await pilot.press("enter")
        text = await shown(pilot, text_of, "row 1 of 4")
        assert "raw.jsonl:4" in text and "temper batch mine-ab12 2" in text
        # the answer carried loss, with its end token; the question did not
        lines = [line.strip() for line in text.splitlines()]
        assert "\u2503 4" in lines and any(line.startswith("\u2503 !") for line in lines)
        assert any("say 4" in line and "\u2503" not in line for line in lines)
        assert "the row has changed" in text  # its record says one token
        await pilot.press("n")
        assert "row 1 of 4" not in text_of(app) and "row 2 of 4" in text_of(app)
        (run / "batches.parquet").write_bytes(b"PAR1 \x1b[31m")
        await pilot.press(">")
        await shown(pilot, text_of, "the record of batches cannot be read")
        await pilot.press("escape")
        assert isinstance(app.screen, RunScreen)


def trained_run(made):
    """Write what a run of three steps of four rows leaves; return it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    base = {"path": str(Path(__file__).parents[2] / "evalsuite/builtin/model")}
    dataset = made.workspace.datasets / "mine/1a2b3c4d"
    dataset.mkdir(parents=True)
    said = [({"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": f"{n}\n!"})
            for n in range(12)]  # fmt: skip
    rows = [
        {"id": f"row-{n}", "messages": list(two), "meta": {"source": "raw.jsonl", "row": n}}
        for n, two in enumerate(said)
    ]
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    settings = {"train": {"method": "sft", "too_long": "drop"}}
    run = made.run("mine", steps=3, max_steps=3, base=base, dataset=str(dataset), settings=settings)
    plan = {"schema_version": 1, "steps": 3, "settings": {"max_length": {"value": 512}}}
    (run / "plan.json").write_text(json.dumps(plan))
    batches = [
        {"step": 1 + n // 4, "micro_batch": n % 4 // 2, "position": n % 2, "sequence": n % 2,
         "row_id": f"row-{n}", "role": "train", "source": "raw.jsonl", "tokens": 1}
        for n in range(12)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(batches), run / "batches.parquet")
    return run


async def shown(pilot, text_of, wanted):
    """Wait until the screen says it; return the screen."""
    for _ in range(1000):
        await pilot.pause(0.05)
        if wanted in text_of(pilot.app):
            return text_of(pilot.app)
    raise AssertionError(text_of(pilot.app))


def probe_events(run, made):
    """Write what a probed run tells."""
    log = made.log_of(run)
    abilities = {"t/triage": {"purpose": "target", "margin": 0.0},
                 "r/copying": {"purpose": "retention", "margin": 0.05}}  # fmt: skip
    log.append("rehearsal", measured={"peak_bytes": 3 << 30})
    said = {"ability": "r/copying", "item": "i-1", "prompt": "copy: \x1b[2J x", "gold": "x"}
    log.append("probe", step=0, scores={"t/triage": 0.1, "r/copying": 0.9}, abilities=abilities,
               answers=[{**said, "output": "x", "score": 1.0}])  # fmt: skip
    for step, target, kept in ((20, 0.5, 0.88), (40, 0.8, 0.87), (60, 0.9, 0.6)):
        beyond = ["r/copying"] if kept < 0.85 else []
        log.append("probe", step=step, scores={"t/triage": target, "r/copying": kept},
                   target=target, beyond=beyond, best=min(step, 40),
                   answers=[{**said, "output": f"y{step}", "score": 0.0}, "odd"])  # fmt: skip
    log.append("alarm", step=60, alarm="forgetting", what="copying fell \x1b[31m")


async def test_learnt_against_forgotten_as_it_forms_and_after_a_dial(
    made, settled, text_of, monkeypatch
):
    run = made.run("probed", steps=60)
    probe_events(run, made)
    broken = made.workspace.evals / "20261109-130000-dial-x"
    broken.mkdir(parents=True)
    (broken / "dial.json").write_text('{"schema_version": 1, "run": "')
    async with opened(made.root, settled, (160, 48)) as pilot:
        app = pilot.app
        await pilot.press("p")
        await settled(pilot)
        text = text_of(app)
        assert "3.00 GiB at the rehearsed peak" in text
        assert "step 60" in text and "forgetting: copying fell \\x1b[31m" in text
        assert "step 40        0.800  -0.030  r/copying  best" in text
        assert "step 60        0.900  -0.300  r/copying" in text
        assert text.count("\u25cf") >= 3 and "\u00d7" in text
        await pilot.press("k", "enter")
        text = text_of(app)
        assert "r/copying  i-1" in text and "asked   copy: \\x1b[2J x" in text
        assert "base \u2713  x" in text and "said \u2717  y40" in text
        await pilot.press("escape", "g")
        dial = {
            "schema_version": 1, "run": run.name, "recommendation": {"point": {"name": "0.5"}},
            "points": [
                {"point": {"name": "0.5"}, "standing": {"target": 0.6, "worst": "dates",
                 "worst_change": -0.01, "keeps": True}},
                {"point": "bad"}, None,
            ],
        }  # fmt: skip
        read: list[Path] = []

        def counted(path: Path, *, kind: str) -> dict[str, object]:
            read.append(path)
            return read_record(path, kind=kind)

        monkeypatch.setattr(frontier, "read_record", counted)
        newer = made.workspace.evals / "20261108-130000-dial-y"
        with publish_directory(newer) as directory:
            (directory / "dial.json").write_text(json.dumps(dial))
        made.log_of(run).append("probe", step="x")
        await pilot.press("escape", "p")
        assert "scale 0.5      0.600  -0.010  dates  best" in await shown(
            pilot, text_of, "scale 0.5"
        )
        made.train(run, range(61, 64))
        (made.workspace.evals / "20261107-130000-other").mkdir()
        await settled(pilot)
        assert read == [newer / "dial.json"]


@pytest.mark.slow
async def test_what_a_run_can_be_told_is_a_command(made, settled, text_of, monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        running = made.run("busy", state="running", steps=10)
        # the job is the child: what stops it must not stop the tests
        job, process = made.job_of(running), machine.process_started(child.pid)
        result = f"runs/{running.name}"
        made.job(job, state="running", result=result, pid=child.pid, process_started=process)
        made.run("stopped", state="stopped", steps=10, day=2)
        app = TemperApp(made.root)
        async with app.run_test(size=(120, 30)) as pilot:
            await settled(pilot)
            await pilot.press("enter")
            await settled(pilot)
            await pilot.press("x")
            assert "Stop it?" in text_of(app) and "saves a checkpoint" in text_of(app)
            await pilot.press("n")
            await settled(pilot)
            assert child.poll() is None
            copied = []
            monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
            await pilot.press("y")
            assert copied == ["temper logs train-busy"]
            await pilot.press("x", "y")
            assert await asyncio.to_thread(child.wait, 120) == -signal.SIGTERM
            await pilot.press("escape")
            app.open_run("20261102-120000-stopped-ab12")
            await settled(pilot)
            await pilot.press("a")
            assert "resume    temper resume stopped-ab12 --detach" in text_of(app)
            await pilot.press("enter")
            await shown(pilot, text_of, "(exit code 2)")
    finally:
        child.kill()
        child.wait()


def test_what_can_be_done_depends_on_the_state(made):
    from tui.run_commands import commands_of, stop_command

    for state in ("finished", "failed", "queued"):
        made.run(state, state=state, steps=3)
    (made.run("torn", day=2) / "run.json").write_text("{")
    told = {row.name: [one.arguments[0] for one in commands_of(row)]
            for row in Reader(made.root).poll().runs}  # fmt: skip
    assert told["finished"] == ["eval", "dial", "export"]
    assert told["failed"] == ["resume"]
    assert told["queued"] == []
    assert [v for k, v in told.items() if "torn" in k] == [[]]
    stops = {row.name: stop_command(row) for row in Reader(made.root).poll().runs}
    assert stops["queued"].arguments == ("stop", "20261101-115959-train-queued")
    assert stops["finished"] is None
