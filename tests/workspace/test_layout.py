"""Names lead to what is meant, or to a message that says what there is."""

import json
from pathlib import Path

import pytest

from workspace.errors import DataError, UsageError, WorkError
from workspace.layout import Workspace, checked_name


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for name in ("triage", "maths"):
        run = tmp_path / "runs" / f"20261120-120000-{name}-1a2b"
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
        dataset = tmp_path / "datasets" / name / "current"
        dataset.mkdir(parents=True)
        (dataset / "ledger.json").write_text("{}")
    return Workspace(tmp_path)


def test_a_run_is_found_by_id_part_name_and_latest(workspace: Workspace) -> None:
    triage = workspace.runs / "20261120-120000-triage-1a2b"
    for name in (triage.name, "triage", "tria", str(triage), "latest"):
        assert workspace.run(name) == triage


def test_of_runs_that_began_within_a_second_the_latest_is_the_last_begun(tmp_path: Path) -> None:
    for created, name in ((2.0, "toy-1a2b"), (1.0, "toy-reward-9f9f"), (0.5, "toy-9999")):
        run = tmp_path / "runs" / f"20261120-120000-{name}"
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"created": created}))
    for name in ("latest", "toy"):
        assert Workspace(tmp_path).run(name).name == "20261120-120000-toy-1a2b"


@pytest.mark.parametrize("name", ["", "*", "[t]riage", "../runs/triage", "t?iage", "**/triage"])
def test_a_name_is_no_pattern(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match=r"no run called|more than one"):
        workspace.run(name)


def test_a_name_that_is_nearly_right_is_suggested(workspace: Workspace) -> None:
    with pytest.raises(UsageError) as caught:
        workspace.run("triaje")
    assert caught.value.cure == "Did you mean `triage`? Name one of them."
    with pytest.raises(UsageError) as far:
        workspace.run("nosuch")
    assert "triage" in far.value.cause and "Make one" not in far.value.cure
    with pytest.raises(DataError) as missing:
        workspace.dataset("triaje")
    assert missing.value.cure.startswith("Did you mean `triage`?")
    with pytest.raises(UsageError, match="no evaluation") as none:
        workspace.evaluation("latest")
    assert none.value.cause == "There is none yet."


def test_a_dataset_that_never_came_to_be_is_not_offered(workspace: Workspace) -> None:
    (workspace.datasets / "half").mkdir()
    with pytest.raises(DataError) as caught:
        workspace.dataset("nothing")
    assert caught.value.cause == "There is: maths, triage."
    assert caught.value.cure == "Make one with `temper curate`."
    (workspace.root / "nothing.yaml").write_text("name: nothing")
    with pytest.raises(DataError, match=r"`temper curate nothing\.yaml`"):
        workspace.dataset("nothing")


def test_a_job_is_found_by_the_name_of_its_run(workspace: Workspace) -> None:
    run = workspace.runs / "20261120-120000-triage-1a2b"
    (run / "run.json").write_text('{"schema_version": 1, "job": "20261120-115959-train-9f9f"}')
    job = workspace.jobs / "20261120-115959-train-9f9f"
    job.mkdir(parents=True)
    (job / "job.json").write_text("{}")
    assert workspace.job("triage") == workspace.job("9f9f") == job
    with pytest.raises(UsageError, match="no job called 'nothing'"):
        workspace.job("nothing")


@pytest.mark.parametrize("name", ["../x", "CON", "a" * 300, "", ".hidden", "a/b", "x\x1b[31m"])
def test_a_name_that_is_not_safe_is_refused_in_a_short_line(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name") as caught:
        checked_name(name, what="run")
    assert len(caught.value.where) <= 80 and "\x1b" not in caught.value.where
    assert "63" in caught.value.cause


def test_a_file_where_results_belong_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(WorkError, match="something else"):
        Workspace(tmp_path).make(tmp_path / "runs")


def test_a_key_is_no_name_and_is_not_repeated() -> None:
    key = "hf_" + "a1b2" * 9
    with pytest.raises(UsageError, match="shaped like a key") as caught:
        checked_name(key, what="run")
    assert key not in f"{caught.value} {caught.value.where}"
