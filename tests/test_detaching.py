"""Long commands that run on after the terminal is gone: refused before, not in the background."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evalsuite.conftest import make_adapter, make_tiny_model, write_run, write_suites
from tui.cli import main
from workspace.jobs import JobView, read_job

ROWS = [{"prompt": f"what is {n}?", "completion": f"it is {n * n}"} for n in range(40)]
RECIPE = """\
name: toy
model: {path: builtin}
curate:
  sources: [rows.jsonl]
  type: prompt_completion
augment:
  name: noisy
  sources: [rows.jsonl]
  generate: [{noise: {kinds: [typos], per_row: 1}}]
  target: {rows: 10}
train:
  dataset: toy
  steps: 2
evaluate:
  suites: ["builtin:retention"]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "temper.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def temper(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Type a command; return its exit code, output and what it said."""

    def typed(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["temper", *arguments])
        code = main()
        return (code, *capsys.readouterr())

    return typed


def ended(root: Path, job: str, seconds: float = 60) -> JobView:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        view = read_job(root / "jobs" / job)
        if view.state not in ("queued", "running"):
            return view
        time.sleep(0.05)
    raise AssertionError(f"{job} is still {view.state}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # the point
def test_detached_curations_make_their_datasets(root: Path, temper: Any) -> None:
    changed = ("--set", "curate.split.validation=0.2")
    code, out, said = temper("curate", "--detach", "--json", *changed)
    assert code == 0, said
    document = json.loads(out)
    assert set(document) == {"job"}
    made = temper("curate", "augment", "--detach", "--json")
    assert made[0] == 0, made[2]
    view = ended(root, document["job"])
    assert (view.state, view.kind, view.argv) == (
        "finished",
        "curate",
        ("temper", "curate", *changed),
    )
    assert (root / "datasets/toy/current/validation.parquet").is_file()
    augmented = ended(root, json.loads(made[1])["job"])
    assert (augmented.state, augmented.kind) == ("finished", "augment")
    assert (root / "datasets/noisy/current/made.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["curate", "--dry-run"], "--dry-run and --detach do not go together"),
        (["curate", "--set", "curate.sources=[none.jsonl]"], "none.jsonl"),
        (["curate", "--set", "curate.sources=['-']"], "has no standard input"),
        (
            ["curate", "augment", "--set", "augment.name=toy", "--set", "augment.sources=[]"],
            "take the place of the rows",
        ),
        (["eval", "no-such-run"], "no-such-run"),
        (["curve", "--set", "train.dataset=none"], "none"),
    ],
)
def test_what_can_be_refused_is_refused_before(
    root: Path, temper: Any, arguments: list[str], told: str
) -> None:
    code, out, said = temper(*arguments, "--detach", "--json")
    assert code == 2 and not out
    assert told in said
    assert not list(root.glob("jobs/*"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_detached_evaluation_measures_and_a_gate_has_nobody_to_refuse(
    root: Path, temper: Any
) -> None:
    write_suites(root / "suites")
    model = make_tiny_model(root / "base")
    adapter = make_adapter(model, root / "adapter")
    run = write_run(root / "runs/20261120-000000-mine-abcd", model, adapter)
    given = ("eval", run.name, "--suite", "gain", "--suite", "keep")
    code, _, said = temper(*given, "--gate", "--detach")
    assert code == 2 and "--gate and --detach" in said
    code, out, said = temper(*given, "--detach", "--json")
    assert code == 0, said
    view = ended(root, json.loads(out)["job"], 300)
    assert (view.state, view.kind) == ("finished", "eval")
    assert list((root / "evals").glob("*/results.json"))
