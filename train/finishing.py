"""The end of a run that was killed when its model was there already."""

from __future__ import annotations

from pathlib import Path

from train import record as records
from workspace.jobs import read_job, run_job
from workspace.layout import Workspace


def finish_published(run: Path, workspace: Workspace) -> bool:
    """Finish the job of a run whose model was published before it was killed.

    Args:
        run: the run's directory.
        workspace: where it is.

    Returns:
        Whether it was such a run; nothing is changed otherwise.
    """
    record = records.read_record(run)
    if not (run / "model").exists():
        return False
    if read_job(workspace.jobs / str(record["job"])).state != "lost":
        return False
    argv = ["temper", "resume", run.name]
    with run_job(workspace, "train", argv, job_id=str(record["job"])) as job:
        job.result(run)
        job.events.append("model", path="model", steps=records.published_step(record))
    return True
