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
