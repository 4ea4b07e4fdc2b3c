"""`temper runs`: the runs of a workspace as plain rows, from the same reader as the app."""

from __future__ import annotations

from typing import Any

from tui.reader import Reader, RunRow
from workspace.layout import Workspace


def run_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the runs, active ones first, as texts ready for a table."""
    reader = Reader(workspace.root)
    snapshot = reader.poll()
    while snapshot.pending:  # long event files are read in pieces
        snapshot = reader.poll()
    return [_row(run) for run in snapshot.runs]


def _row(run: RunRow) -> dict[str, Any]:
    metrics = run.metrics
    return {
        "id": run.id,
        "state": run.state,
        "reason": run.reason,
        "progress": "" if metrics.step is None else f"{metrics.step}/{metrics.max_steps or '?'}",
        "loss": "" if metrics.loss is None else f"{metrics.loss:.4f}",
        "verdict": run.verdict.verdict if run.verdict else "",
        "dataset": run.dataset.removeprefix(f"{run.path.parent.parent}/"),
        "path": str(run.path),
    }
