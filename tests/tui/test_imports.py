"""What is light stays light, checked by module list and not by a clock."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "trl", "peft", "polars", "scipy", "pandas", "pyarrow", "numpy"}


def imported_by(code: str) -> set[str]:
    """Return the top-level modules that are loaded after running `code` in a fresh process."""
    probe = f"{code}\nimport sys\nprint(sorted({{name.split('.')[0] for name in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True, timeout=120
    )
    return set(eval(result.stdout.splitlines()[-1]))


HELP = """
import sys
sys.argv = ["temper", "--help"]
from tui.cli import main
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    assert main() == 0
"""


def test_help_imports_nothing_heavy() -> None:
    found = imported_by(HELP)
    assert not found & (HEAVY | {"pydantic", "textual", "jinja2", "psutil"})


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("workspace.recipe, workspace.jobs, workspace.files, workspace.gpus", HEAVY),
        ("tui.schema; tui.schema.compose()", HEAVY),
        ("evalsuite.models, train.plan", {"torch", "transformers", "trl", "peft", "polars"}),
        ("evalsuite.gate, evalsuite.report", {"torch", "transformers", "polars"}),
        ("curate.curating, curate.pipeline, curate.enough", {"torch", "transformers", "scipy"}),
    ],
)
def test_each_floor_imports_only_what_it_may(module: str, forbidden: set[str]) -> None:
    assert not imported_by(f"import {module}") & forbidden


PAINT = """
import sys
from pathlib import Path
from textual.css.stylesheet import Stylesheet
import tui.app
from tui.app import TemperApp
tui.app._FIRST_LOOK_SECONDS = 60  # however busy the machine is
calls = {"paint": 0, "reparse": 0}
shown, reparse = TemperApp._display, Stylesheet.reparse
def display(app, screen, update):
    shown(app, screen, update)
    if update is not None and not app._exit:
        lines = [strip.text for strip in screen._compositor.render_strips()]
        mounted = [node.id for node in screen.walk_children()]
        print(sorted(sys.modules), lines, mounted, calls["reparse"], sep="\\n")
        app.exit()
def count(sheet):
    calls["reparse"] += 1
    reparse(sheet)
TemperApp._display, Stylesheet.reparse = display, count
TemperApp(Path(sys.argv[1])).run(headless=True, size=(80, 24))
"""


def test_the_first_paint_is_whole_and_needs_no_other_screen_and_nothing_else_of_the_house(made):
    made.run("first", steps=20)
    done = subprocess.run(
        [sys.executable, "-P", "-c", PAINT, str(made.root)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    modules, lines, mounted, reparsed = (eval(line) for line in done.stdout.splitlines())
    tops = {name.partition(".")[0] for name in modules}
    assert not tops & (HEAVY | {"pydantic", "typer", "jinja2", "ruamel"})
    assert not tops & {"evalsuite", "curate", "train"}
    screens = {name for name in modules if name.startswith("tui.screens.")}
    assert screens == {"tui.screens.home", "tui.screens.live"}
    later = ("tui.away.digest", "tui.away.events", "tui.gpus", "tui.palette", "tui.temper")
    assert not [name for name in modules if name.startswith(later)]
    assert "1 home" in lines[0] and "runs" in lines[2] and "help" in lines[-1]
    assert any("first-ab12" in line and "20/20" in line for line in lines)
    assert not {"datasets", "evals", "jobs", "steps", "machine", "digest"} & set(mounted)
    assert reparsed == 0
