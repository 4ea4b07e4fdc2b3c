"""How `temper` starts: the app by itself where nothing else is named, else a command."""

import signal
import subprocess
import sys

import pytest
import typer
from typer.main import get_group
from typer.testing import CliRunner

import tui.cli
import tui.command_line
from workspace.errors import UsageError

NOTHING_SAID = {"ascii_only": False, "mouse": None, "theme": None, "calm": False}
OPENED = """
import gc, sys
import tui.app, tui.cli
def opened(root, **options):
    print(sorted(sys.modules), gc.isenabled(), gc.get_freeze_count() > 0, options, sep="\\n")
    return 4
tui.cli.has_screen, tui.app.run_app = lambda: True, opened
sys.argv = ["temper", "--calm"]
print(tui.cli.main())
"""


@pytest.fixture
def opened(monkeypatch):
    """Return how the app was opened, each time, by either way."""
    calls = []
    for module in (tui.cli, tui.command_line):
        monkeypatch.setattr(module, "has_screen", lambda: True)
        monkeypatch.setattr(module, "open_app", lambda **options: calls.append(options) or 0)
    return calls


def test_the_app_opens_without_the_machinery_of_the_commands(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-c", OPENED],
        capture_output=True, text=True, check=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    modules, collects, froze, options, code = map(eval, done.stdout.splitlines())
    tops = {name.partition(".")[0] for name in modules}
    assert not tops & {"typer", "evalsuite", "curate", "train", "pydantic"}
    assert (collects, froze, code) == (True, True, 4)
    assert options == NOTHING_SAID | {"calm": True}


@pytest.mark.parametrize(
    "arguments",
    ["", "--ascii", "--calm", "--mouse", "--no-mouse", "--no-mouse --mouse --calm --calm"],
)
def test_switches_of_the_app_mean_what_the_command_line_says(opened, monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["temper", *arguments.split()])
    assert tui.cli.main() == 0
    assert CliRunner().invoke(tui.command_line.app, arguments.split()).exit_code == 0
    quick, told = opened
    assert NOTHING_SAID | quick == told


def test_every_switch_of_the_app_is_known():
    command = typer.main.get_command(tui.command_line.app)
    flags = [one for one in command.params if getattr(one, "is_flag", False)]
    named = {name for one in flags for name in (*one.opts, *one.secondary_opts)}
    assert {name for name in named if tui.cli.app_switches([name]) is not None} == named - {
        "--version", "--help", "-h",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments", ["runs", "--calm runs", "--theme temper-dark", "--version", "-h", "--calm=1", "--"]
)
def test_all_else_is_for_the_command_line(arguments):
    assert tui.cli.app_switches(arguments.split()) is None


def test_without_a_terminal_there_is_help(monkeypatch, capsys):
    monkeypatch.setattr(tui.cli, "has_screen", lambda: False)
    monkeypatch.setattr(tui.command_line, "has_screen", lambda: False)
    monkeypatch.setattr(sys, "argv", ["temper"])
    assert tui.cli.main() == 0
    assert "temper [OPTIONS] COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("this key is unknown"), 2, "✗ this key is unknown"),
        (KeyboardInterrupt(), 128 + signal.SIGINT, "✗ "),
        (RuntimeError("odd"), 4, "✗ unexpected RuntimeError"),
    ],
)
def test_an_error_of_the_app_ends_as_one_of_a_command(monkeypatch, capsys, error, code, told):
    def broken(**_):
        raise error

    monkeypatch.setattr(tui.cli, "has_screen", lambda: True)
    monkeypatch.setattr(tui.cli, "open_app", broken)
    monkeypatch.setattr(tui.command_line, "has_screen", lambda: True)
    monkeypatch.setattr(tui.command_line, "open_app", broken)
    ends = []
    for arguments in ([], ["--theme", "temper-dark"]):  # at once, and by the command line
        monkeypatch.setattr(sys, "argv", ["temper", *arguments])
        ends.append((tui.cli.main(), capsys.readouterr().err))
    assert ends[0] == ends[1]
    assert ends[0][0] == code and ends[0][1].startswith(told)


def test_only_the_named_command_is_made() -> None:
    app, inner = typer.Typer(), typer.Typer(name="inner")
    app.callback()(lambda: None)
    for name in ("one", "two"):
        app.command(name)(lambda: None)
        inner.command(f"inner-{name}")(lambda: None)
    app.add_typer(inner)

    def of(*words: str) -> list[str]:
        made = get_group(tui.command_line.only_named(app, words))
        groups = [made, *made.commands.values()]
        return [name for group in groups for name in getattr(group, "commands", {})]

    every = ["one", "two", "inner", "inner-one", "inner-two"]
    assert of("two", "inner") == ["two"]
    assert of("inner", "inner-two") == ["inner", "inner-two"]
    assert of("inner", "--help") == ["inner", "inner-one", "inner-two"]
    assert [of(), of("--help"), of("three"), of("--calm", "one")] == [every] * 4
