"""The end of what was killed when all its models were there already."""

from __future__ import annotations

from pathlib import Path

from train import record as records
from train.stages.account import read_account
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
    if not _is_lost(workspace.jobs / str(record["job"])):
        return False
    argv = ["temper", "resume", run.name]
    with run_job(workspace, "train", argv, job_id=str(record["job"])) as job:
        job.result(run)
        job.events.append("model", path="model", steps=records.published_step(record))
    return True


def finish_whole(run: Path, workspace: Workspace) -> bool:
    """Finish the job of a run of runs, and theirs, where every model was published.

    Args:
        run: the directory of the whole.
        workspace: where it is.

    Returns:
        Whether there was such a job; nothing is changed otherwise.
    """
    record = records.read_record(run)
    places = [workspace.runs / str(one["run"]) for one in record["groups"]]
    if not all((place / "model").exists() for place in places):
        return False
    parts = [finish_published(place, workspace) for place in places]
    return _finish_job(str(record["job"]), run, workspace) or any(parts)


def finish_stages(directory: Path, workspace: Workspace) -> bool:
    """Finish a job of stages that was killed after the last one.

    Args:
        directory: of the job.
        workspace: where it is.

    Returns:
        Whether it was such a job; nothing is changed otherwise.
    """
    account = read_account(directory)
    if not account.is_done:
        return False
    return _finish_job(directory.name, workspace.runs / account.latest, workspace)


def _finish_job(job_id: str, result: Path, workspace: Workspace) -> bool:
    if not _is_lost(workspace.jobs / job_id):
        return False
    argv = ["temper", "resume", result.name]
    with run_job(workspace, "train", argv, job_id=job_id) as job:
        job.result(result)
    return True


def _is_lost(job: Path) -> bool:
    return (job / "job.json").is_file() and read_job(job).state == "lost"
