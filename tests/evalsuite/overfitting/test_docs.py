"""The example of docs/overfitting.md runs as it stands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evalsuite.overfitting.section import OverfittingSection
from evalsuite.overfitting.table import _schema
from evalsuite.triage.section import TriageSection
from tui.command_line import app
from workspace.errors import DataError

TEXT = (Path(__file__).parents[3] / "docs" / "overfitting.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_runs(
    trained_run: Path, tiny_model: Path, suite_writer: Callable[..., list[Path]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (recipe,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (commands,) = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    Path("own-data.yaml").write_text(recipe)
    Path("temper.yaml").write_text(recipe)
    Path("base").symlink_to(tiny_model)
    suite_writer(Path("suites"), 12)
    early = CliRunner().invoke(app, shlex.split(commands.splitlines()[1])[1:]).exception
    assert isinstance(early, DataError) and "planted strings cannot be read" in early.title
    for command in commands.splitlines():
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0, done.output
    assert "On its own data: did not learn" in done.output  # its weights are random
    assert "KL to the base" in done.output
    (results,) = Path("evals").glob("*/results.json")
    (record,) = json.loads(results.read_text())["overfitting"]
    assert [(one["seen"], one["references"]) for one in record["exposures"]] == [(0, 16)] * 4


def test_every_key_and_column_is_documented() -> None:
    keys = {*OverfittingSection.model_fields, *TriageSection.model_fields}
    assert all(f"{key}:" in TEXT for key in keys)
    columns = [name for name in _schema().names if not re.match(r"verbatim_\d+_", name)]
    assert all(f"`{name}`" in TEXT for name in columns)
