"""Copying says which way the text went."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess

import pytest

from tui.app import TemperApp
from tui.clipboard import MOST_BYTES, carry, inert, kept_path

HOSTILE = "rm -rf \x1b[201~\x1b]52;c;aGk=\x07 \u202eevil\r\ntwo"


def test_what_is_copied_is_inert():
    assert "\x1b" not in inert(HOSTILE) and "\r" not in inert(HOSTILE)
    assert inert("one\ntwo") == "one\ntwo"


@pytest.fixture
def state(tmp_path):
    return {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}


def test_the_route_is_osc_52_outside_tmux_and_a_file_where_no_terminal_takes_it(state):
    assert carry("word", state).route == "osc52"
    assert not kept_path(state).exists()
    refused = [
        carry("x" * (MOST_BYTES + 1), state),
        carry("word", {**state, "TERM": "linux"}),
        carry("word", {**state, "STY": "1.screen"}),
        carry("latest", state, is_terminal=False),
    ]
    assert {receipt.route for receipt in refused} == {"file"}
    path = kept_path(state)
    assert str(path) in refused[0].said
    assert path.read_text() == "latest" and path.stat().st_mode & 0o777 == 0o600


def test_a_link_laid_in_the_way_is_not_followed_and_a_full_disk_is_told(state, tmp_path):
    path = kept_path(state)
    path.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path.with_suffix(".new").symlink_to(victim)
    path.symlink_to(victim)
    assert carry("word", state, is_terminal=False).route == "file"
    assert victim.read_text() == "mine"
    nowhere = {**state, "XDG_STATE_HOME": str(victim)}
    assert carry("word", nowhere, is_terminal=False).said.startswith("Nothing was copied: ")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
def test_in_tmux_its_own_buffer_takes_the_text(state, tmp_path):
    socket = str(tmp_path / "socket")
    subprocess.run(
        ["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "sleep 60"], check=True
    )
    try:
        inside = {**os.environ, **state, "TMUX": f"{socket},1,0"}
        # `carry` runs tmux with the environment of the process, which names the server.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMUX", inside["TMUX"])
            receipt = carry("é word\n" * 20_000, inside)
        assert receipt.route == "tmux" and "too long" in receipt.said
        buffer = subprocess.run(
            ["tmux", "-S", socket, "show-buffer"], capture_output=True, text=True, check=True
        )
        assert buffer.stdout == "é word\n" * 20_000
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], check=False)


def test_a_tmux_that_is_gone_is_passed_over(state, monkeypatch):
    monkeypatch.setenv("TMUX", "/nonexistent,1,0")
    assert carry("word", {**state, "TMUX": "/nonexistent,1,0"}).route == "osc52"


async def test_the_key_copies_the_shown_command_and_the_toast_says_how(
    made, settled, text_of, monkeypatch, tmp_path
):
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("4", "y")
        await settled(pilot)
        assert "nothing to copy" in text_of(app)
        await pilot.press("1")
        made.run("first", steps=5)
        await settled(pilot)
        written: list[str] = []
        driver = app._driver
        assert driver is not None
        monkeypatch.setattr(driver, "write", written.append)
        await pilot.press("y")
        await app.workers.wait_for_complete()
        await settled(pilot)
        assert "Copied by OSC 52: 22 characters" in text_of(app)
        wanted = base64.b64encode(b"temper eval first-ab12").decode()
        assert any(f"\x1b]52;c;{wanted}" in data for data in written)
