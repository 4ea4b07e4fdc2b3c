"""What the app does to a terminal: hostile texts, no colours, few bytes, a clean start and end."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from rich.cells import cell_len
from textual.geometry import Region

from tests.tui.terminal import PROGRAM, Terminal
from tui import themes
from tui.app import TemperApp
from tui.widgets.chart import Chart
from tui.widgets.runs import RunTable

HOSTILE = (
    "\x1b]52;c;aGk=\x07\x1b[2J[red]x[/red] [/] \u202eevil\u2069 \r\n\t$(rm) 漢字👩‍👩‍👧\x00"
    + "é" * 300
)


async def test_hostile_texts_are_shown_and_do_nothing(made, settled, text_of):
    run = made.run("bad", state="running", steps=3, method=HOSTILE, dataset=HOSTILE)
    made.log_of(run).append(HOSTILE, what=HOSTILE)
    made.job(made.job_of(run), state="failed", result=f"runs/{run.name}", error=HOSTILE)
    (made.job_of(run) / "log.txt").write_bytes(HOSTILE.encode() + b"\xff\xfe\n")
    results = made.evaluation(run, "fail") / "results.json"
    results.write_text(results.read_text().replace("copying", "\\u001b[31mcopy[bold]"))
    (made.workspace.runs / "\x1b[31mred[bold] \u202e").mkdir()
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        for keys in ([], ["G"], ["g", "enter"]):
            await pilot.press(*keys)
            await settled(pilot)
            text = text_of(app)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
            assert "[red]x[/red]" in text or "x1b[31mred[bold]" in text
            for line in text.split("\n"):
                assert cell_len(line) <= 160


@pytest.mark.parametrize("theme", ["temper-dark", "ansi-dark"])
async def test_without_colours_nothing_crashes(made, settled, text_of, monkeypatch, theme):
    monkeypatch.setenv("NO_COLOR", "1")
    run = made.run("live", state="running", steps=20)
    (made.job_of(run) / "log.txt").write_text("line\n")
    made.evaluation(run, "fail")
    app = TemperApp(made.root, theme=theme)
    assert app.no_color
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key in ("j", "enter", "question_mark", "escape", "escape"):
            await pilot.press(key)
            await settled(pilot)
        assert "live-ab12" in text_of(app)


@pytest.mark.parametrize(
    ("color_system", "environment", "theme"),
    [
        ("truecolor", {}, "temper-dark"),
        ("256", {"COLORFGBG": "0;15"}, "temper-light"),
        ("standard", {}, "ansi-dark"),
        ("standard", {"COLORFGBG": "0;default;15"}, "ansi-light"),
        (None, {}, "ansi-dark"),
    ],
)
def test_the_theme_suits_the_terminal(color_system, environment, theme):
    assert themes.choose(color_system, environment) == theme


async def test_a_new_step_refreshes_only_the_rows_that_changed(made, settled, monkeypatch):
    run = made.run("live", state="running", steps=100)
    for day in range(2, 9):
        made.run("old", day=day, steps=5)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        regions: dict[str, list[Region]] = {"runs": [], "chart": []}
        for widget in (app.screen.query_one(RunTable), app.screen.query_one(Chart)):
            seen = regions[widget.id or ""]
            monkeypatch.setattr(widget, "refresh", lambda *new, seen=seen, **_: seen.extend(new))
        made.train(run, [101])
        await settled(pilot)
        assert [region.y for region in regions["runs"]] == [1]
        assert len(regions["chart"]) <= 4


async def test_at_rest_nothing_is_refreshed_and_no_message_is_sent(made, settled, monkeypatch):
    made.run("live", state="running", steps=100)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        delivered = []
        monkeypatch.setattr(app.poller, "_deliver", delivered.append)
        for _ in range(5):
            await settled(pilot)
        assert delivered == []


def test_no_heavy_library_is_loaded_for_a_first_paint(made):
    made.run("live", state="running", steps=20)
    made.run("old", steps=20, day=2)
    program = f"""
import asyncio, sys
from pathlib import Path
from tui.app import TemperApp
async def look():
    app = TemperApp(Path({str(made.root)!r}))
    async with app.run_test(size=(80, 24)) as pilot:
        while app.poller.looks < 2 or len(app.snapshot.runs) < 2:
            app.poller.look_now()
            await pilot.pause(0.01)
asyncio.run(look())
heavy = {{"torch", "polars", "transformers", "trl", "peft", "datasets", "pyarrow", "numpy", "scipy",
          "pydantic", "pandas"}}
print(sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def terminal():
    """Return a function that opens the app in a terminal, closed at the end of the test."""
    opened: list[Terminal] = []

    def open_terminal(made, **options) -> Terminal:
        opened.append(Terminal(made.root, **options))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_in_a_real_terminal_it_paints_stays_silent_and_leaves_clean(made, terminal):
    made.run("live", state="running", steps=100)
    screen = terminal(made)
    assert screen.read_until(b"live-ab12")
    screen.read_for(1.0)
    assert len(screen.output) < 32 * 1024
    assert screen.read_for(2.5) == 0
    screen.press(b"q")
    assert screen.exit_code() == 0
    assert screen.output.rstrip().endswith((b"\x1b[?25h", b"l", b"h"))
    assert b"\x1b[?1049l" in screen.output


@pytest.mark.slow
def test_a_live_run_costs_little_on_the_line(made, terminal):
    run = made.run("live", state="running", steps=100)
    screen = terminal(made)
    assert screen.read_until(b"live-ab12")
    screen.read_for(1.0)
    sent = 0
    for step in range(101, 105):
        made.train(run, [step])
        sent += screen.read_for(1.1)
    assert 0 < sent / 4.4 < 1024
    screen.press(b"\r")
    screen.read_for(2.0)
    sent = 0
    for step in range(105, 109):
        made.train(run, [step])
        sent += screen.read_for(1.1)
    assert 0 < sent / 4.4 < 1024


def test_a_dumb_terminal_with_a_c_locale_gets_ascii(made, terminal):
    made.run("live", state="running", steps=100)
    screen = terminal(made, TERM="dumb", LANG="C")
    assert screen.read_until(b"live-ab12")
    screen.read_for(0.5)
    assert screen.output.isascii()
    screen.press(b"q")
    assert screen.exit_code() == 0


@pytest.mark.parametrize("mouse", [True, False])
def test_the_mouse_is_taken_only_where_it_is_wanted(made, terminal, mouse):
    made.run("live", steps=100)
    begin = "import sys; from pathlib import Path; from tui.app import run_app; "
    code = f"{begin}sys.exit(run_app(Path({str(made.root)!r}), mouse={mouse}))"
    screen = terminal(made, program=code)
    assert screen.read_until(b"live-ab12")
    assert (b"\x1b[?1000h" in screen.output) is mouse
    screen.press(b"q")
    assert screen.exit_code() == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")
@pytest.mark.parametrize("name", ["tmux-256color", "screen"])
def test_in_tmux_it_paints_follows_a_resize_and_leaves_clean(made, tmp_path, name):
    run = made.run("live", state="running", steps=100)
    socket = str(tmp_path / "tmux")

    def tmux(*arguments: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def shows(wanted: str) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if wanted in (text := tmux("capture-pane", "-p")):
                return text
            time.sleep(0.1)
        raise AssertionError(tmux("capture-pane", "-p"))

    program = PROGRAM.format(root=str(made.root))
    shell = f"{shlex.join([sys.executable, '-P', '-c', program])}; echo left with $?; sleep 60"
    begun = f"TERM={name} LC_ALL=C.UTF-8 sh -c {shlex.quote(shell)}"
    tmux("new-session", "-d", "-x", "100", "-y", "30", begun)
    try:
        assert "▌1 home" in shows("live-ab12")
        tmux("send-keys", "Enter")
        assert "grad" in shows("100 of 200") or run.name in shows(run.name)
        tmux("resize-window", "-x", "80", "-y", "24")
        assert max(map(len, shows("esc h back").splitlines())) <= 80
        tmux("send-keys", "q")
        assert "▌1 home" not in shows("left with 0")
    finally:
        tmux("kill-server")


@pytest.mark.slow
def test_a_hang_up_ends_the_app_and_harms_nothing(made, terminal):
    made.run("live", state="running", steps=100)
    before = sorted(path.read_bytes() for path in made.root.rglob("*") if path.is_file())
    screen = terminal(made)
    assert screen.read_until(b"live-ab12")
    os.kill(screen.pid, signal.SIGHUP)
    assert screen.exit_code() is not None
    assert sorted(path.read_bytes() for path in made.root.rglob("*") if path.is_file()) == before
